"""Refresh a table from its source."""

from __future__ import annotations

from typing import Any, get_args

from pandas_clicdata._checks import one_of
from pandas_clicdata._models import RefreshMethod
from pandas_clicdata.client import api
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import AmbiguousWriteError, ClicDataError, NotFoundError, TableNotFoundError
from pandas_clicdata.write.results import reason_text


def refresh_table(client: Client, table: object, method: RefreshMethod) -> dict[str, Any]:
    """Start a refresh of a table from its source, and return what the service states.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    AmbiguousWriteError
        The reply was lost, so it is unknown whether the table was refreshed.
    ApiError
        The service refused, for example because the table has no source.
    """
    checked = api.checked_table(table)
    method = one_of("method", method, get_args(RefreshMethod))
    found = client.find(checked)
    try:
        return client.refresh(found.rec_id, method)
    except NotFoundError as exc:
        raise TableNotFoundError(f"There is no table {found.label} to refresh. {exc}", operation="refresh") from exc
    except ClicDataError as exc:
        if not exc.ambiguous:
            raise
        advice = (
            "The request was not repeated, because that could append the rows twice. Check the table first."
            if method in ("append", "updateappend")
            else "Repeating the call is harmless."
        )
        raise AmbiguousWriteError(
            f"It is unknown whether table {found.label} was refreshed ({method}). {advice} {reason_text(exc)}",
            rec_id=found.rec_id,
            name=found.name,
            operation="refresh",
            ambiguous=True,
        ) from exc
