"""The two dialects of the API: pure functions from what is asked to bytes, and from a reply to models or an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from pandas_clicdata.errors import NotFoundError, PermissionDeniedError
from pandas_clicdata.models import (
    AccountInfo,
    Column,
    Exchange,
    Framing,
    InsertCounts,
    MultipleRows,
    Page,
    Picture,
    RefreshMethod,
    Reply,
    Request,
    TableList,
)
from pandas_clicdata.wire.replies import VERSION_CODES, Answer, is_wrapped, raise_for_error, said
from pandas_clicdata.wire.unversioned import Unversioned
from pandas_clicdata.wire.versioned import Versioned, key

__all__ = ["NEWEST_SEEN", "Dialect", "Unversioned", "Versioned", "dialect_for", "dialect_of"]

T = TypeVar("T")

NEWEST_SEEN = "2025.3"
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)


class Dialect(Protocol):
    """The operations, as one age of the service is asked for them."""

    @property
    def name(self) -> str: ...

    def account(self) -> Exchange[AccountInfo]: ...

    @property
    def lists_by_name(self) -> bool: ...

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]: ...

    def read_page(self, rec_id: int, page: int, version: int | None = None) -> Exchange[Page]: ...

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> Exchange[int]: ...

    def row_framing(self, names: Sequence[str]) -> Framing: ...

    def find_framing(self, names: Sequence[str]) -> Framing: ...

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]: ...

    @property
    def counts_rows(self) -> bool: ...

    def probe(self) -> Exchange[bool]: ...

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]: ...

    def update(
        self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all"
    ) -> Exchange[None]: ...

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]: ...

    def ask(self, request: Request, read: Callable[[Answer], T]) -> Exchange[T]: ...

    def ask_picture(self, request: Request) -> Exchange[Picture]: ...


def dialect_for(api_version: str) -> Dialect:
    """Return the dialect a setting names: ``"unversioned"``, or a version such as ``"2025.3"``."""
    return Unversioned() if api_version == "unversioned" else Versioned(api_version)


def dialect_of(reply: Reply) -> Dialect:
    """Tell from the reply to a request without a version which dialect an account is answered in.

    A service that lists versions is asked in one, also where it would answer without: its replies count the rows
    they took. One that neither lists versions nor asks for one speaks the unversioned dialect.

    Raises
    ------
    ApiError
        The reply is an error that has nothing to do with versions, and no sign of either dialect.
    """
    supported = tuple(
        version.strip()
        for version in reply.headers.get("api-supported-versions", "").split(",")
        # What is no version is neither asked for nor shown.
        if _VERSION.fullmatch(version.strip())
    )
    if supported:
        known = [version for version in supported if key(version) <= key(NEWEST_SEEN)]
        return Versioned(max(known or supported, key=key), supported)
    code, _ = said(reply)
    if code is not None and code.lower() in VERSION_CODES:
        return Versioned(NEWEST_SEEN)
    try:
        raise_for_error(Unversioned().account().request, reply)
    except (PermissionDeniedError, NotFoundError):
        # Not allowed to ask for the account: the shape of the refusal still tells.
        return Versioned(NEWEST_SEEN) if is_wrapped(reply) else Unversioned()
    return Unversioned()
