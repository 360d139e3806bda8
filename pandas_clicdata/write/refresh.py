"""Fill a table again from its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pandas_clicdata._checks import one_of
from pandas_clicdata._models import RefreshMethod
from pandas_clicdata.client import api
from pandas_clicdata.errors import AmbiguousWriteError, ClicDataError, NotFoundError, TableNotFoundError
from pandas_clicdata.session import resolved

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


def refresh_table(session: Session | None, table: object, method: RefreshMethod) -> dict[str, Any]:
    """Ask the service to fill a table anew from its source, and return what it says to that.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    AmbiguousWriteError
        The reply was lost, so that nobody knows whether it was refreshed.
    ApiError
        The service refused, for example because the table has no source.
    """
    meant = api.checked_table(table)
    method = one_of("method", method, get_args(RefreshMethod))
    session = resolved(session)
    found = api.find(session, meant)
    try:
        return api.refresh(session, found.rec_id, method)
    except NotFoundError as exc:
        raise TableNotFoundError(f"There is no table {found.label} to refresh. {exc}", operation="refresh") from exc
    except ClicDataError as exc:
        if not exc.ambiguous:
            raise
        again = (
            "It was not asked for again, for that could append the rows twice. Look at the table first."
            if method in ("append", "updateappend")
            else "The same call again does no harm."
        )
        raise AmbiguousWriteError(
            f"Whether table {found.label} was refreshed ({method}) is unknown. {again} The reason: {exc}",
            rec_id=found.rec_id,
            name=found.name,
            operation="refresh",
            ambiguous=True,
        ) from exc
