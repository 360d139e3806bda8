"""The two dialects of the API: pure functions from an operation to a request, and from its reply to a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pandas_clicdata._models import (
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
from pandas_clicdata.client import operations
from pandas_clicdata.client.replies import (
    VERSION_CODES,
    Answer,
    bare,
    flag,
    has_more,
    integer,
    is_wrapped,
    picture,
    raise_for_error,
    said,
    stated_fields,
    total,
    wrapped,
)
from pandas_clicdata.errors import NotFoundError, PermissionDeniedError

T = TypeVar("T")


@dataclass(frozen=True)
class Unversioned:
    """Requests without ``api_version`` and what comes back."""

    @property
    def name(self) -> str:
        return "unversioned"

    def account(self) -> Exchange[AccountInfo]:
        """``GET /account`` (S)."""
        return bare(operations.ACCOUNT.request(), lambda answer: AccountInfo.from_fields(answer.fields()))

    @property
    def lists_by_name(self) -> bool:
        """Whether the service is told the name that a list is asked for."""
        return True

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """``GET /data`` (O), which gives all at once; with the filters that are given (P)."""
        flags = {"uniquekeyavailable": unique_key_available, "refresh": refresh}
        params = {} if name is None else {"name": name}
        params |= {key: "true" if value else "false" for key, value in flags.items() if value is not None}
        return bare(
            operations.LIST.request(params=params),
            lambda answer: TableList(answer.tables(), has_more=False, total=integer(answer.fields().get("count"))),
        )

    def read_page(self, rec_id: int, page: int, version: int | None = None) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` or ``GET /data/{id}/v/{ver}?page=N`` (S P)."""
        operation = operations.READ if version is None else operations.READ_VERSION
        return bare(
            operation.request(rec_id, version, params={"page": str(page)}),
            _page,
        )

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> Exchange[int]:
        """``POST /data``; the new RecId is the bare body (O P)."""
        content = operations.new_table(name, description, columns)
        return bare(operations.CREATE.request(content=content), Answer.rec_id)

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as lists of named cells, so that no order of columns has to be known."""
        return operations.named_cells(names)

    def find_framing(self, names: Sequence[str]) -> Framing:
        """The conditions of a delete as named cells."""
        return operations.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/row`` (S P), answered ``{"success": true}`` (O); counts beside it are used (A)."""
        return bare(operations.APPEND_CELLS.request(rec_id, content=operations.records(rows), rows=count), _taken)

    @property
    def counts_rows(self) -> bool:
        """Whether the reply to an insert says how many rows it took."""
        return False

    def probe(self) -> Exchange[bool]:
        """``GET /account``, and whether its reply is not that to an insert."""
        return bare(
            operations.ACCOUNT.request(),
            lambda answer: isinstance(answer.content, dict) and "success" not in answer.content,
        )

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``DELETE /data/{id}/row`` with a body; every ``find`` must match (S P)."""
        # What a first try deleted, a second one no longer finds; but of "first" it would take another row.
        content, repeatable = operations.delete(find, multiple_rows), multiple_rows == "all"
        # The form of the reply is not documented, so any well-formed one counts, even an empty one.
        asked = operations.DELETE.request(rec_id, content=content, repeatable=repeatable)
        return bare(asked, lambda answer: None, or_empty=True)

    def update(self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``PUT /data/{id}/row`` (S) with ``find`` and ``update`` (A)."""
        # The same values given twice leave a row as it is; but "first" may be another row the second time.
        content, repeatable = operations.update(find, values, multiple_rows), multiple_rows == "all"
        asked = operations.UPDATE.request(rec_id, content=content, repeatable=repeatable)
        return bare(asked, lambda answer: None, or_empty=True)

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """``POST /data/{id}/recreate`` and its kin, of which ``/rebuild`` is the method called "reload" (S)."""
        return self.ask(operations.REFRESHES[method].request(rec_id), stated_fields)

    def ask(self, request: Request, read: Callable[[Answer], T]) -> Exchange[T]:
        """The request as it is; of one that changes something nobody has shown the reply, so that it may be empty."""
        return bare(request, read, or_empty=request.method != "GET")

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """The request as it is; the reply is base64 text (S P)."""
        return picture(request)


def _page(answer: Answer) -> Page:
    """The rows; a ``count`` beside them is taken for that of the whole table, as that of a list is (O)."""
    fields = answer.fields()
    return Page(
        answer.rows(),
        answer.columns(),
        has_more=flag(fields.get("has_more_data")),
        total=integer(fields.get("count")),
    )


def _taken(answer: Answer) -> InsertCounts:
    if answer.fields().get("success") is not True:
        answer.unexpected("it does not say success")
    return answer.insert_counts()


LIST_PAGE_SIZE = 100
LIST_VERSION = "2025.3"
INSERT_VERSION = "2022.01"
REFRESH_VERSION = "2025.3"

_PLAIN = Unversioned()
"""Where nothing else has been shown, the same is asked with the version added (A)."""


@dataclass(frozen=True)
class Versioned:
    """Requests with ``api_version`` and what comes back.

    Parameters
    ----------
    version : str
        The version asked for.
    supported : tuple of str
        The versions the service said it speaks. Where it is known to speak the one an operation was seen in, that
        operation is asked for in it.
    """

    version: str
    supported: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"versioned, {self.version}"

    def account(self) -> Exchange[AccountInfo]:
        """``GET /account`` (A)."""
        asked = self._in_version(_PLAIN.account().request)
        return wrapped(asked, lambda answer: AccountInfo.from_fields(answer.fields()))

    @property
    def lists_by_name(self) -> bool:
        """Whether the service is told the name that a list is asked for; nobody has shown how."""
        return False

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """``GET /table`` in 2025.3 (P), ``GET /data`` before it (A).

        Raises
        ------
        ValueError
            A filter is asked for that nobody has shown there; a service that ignored it would list other tables.
        """
        for option, wanted in (("unique_key_available", unique_key_available), ("refresh", refresh)):
            if wanted is not None:
                raise ValueError(
                    f"{option}= is a filter of the API without versions; in {self.version}, which this session speaks,"
                    " none is known. Leave it out."
                )
        modern = key(self.version) >= key(LIST_VERSION) or self._speaks(LIST_VERSION)
        params = {"page": str(page), "page_size": str(LIST_PAGE_SIZE)}
        asked = (operations.LIST_TABLE if modern else operations.LIST).request(params=params)
        return wrapped(
            self._in_version(asked, LIST_VERSION),
            lambda answer: TableList(answer.tables(), has_more=has_more(answer), total=total(answer)),
        )

    def read_page(self, rec_id: int, page: int, version: int | None = None) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` with the paging in ``pagination`` (A)."""
        return wrapped(
            self._in_version(_PLAIN.read_page(rec_id, page, version).request),
            lambda answer: Page(
                answer.rows(),
                answer.columns(),
                has_more=has_more(answer),
                total=total(answer),
                number=integer(answer.pagination.get("current_page")),
            ),
        )

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> Exchange[int]:
        """``POST /data``; the result is the RecId, or an object with it (A)."""
        return wrapped(self._in_version(_PLAIN.create_table(name, description, columns).request), Answer.rec_id)

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as objects, before 2022.01 as lists of named cells (P)."""
        return operations.objects(names) if self._has_insert else operations.named_cells(names)

    def find_framing(self, names: Sequence[str]) -> Framing:
        """The conditions of a delete as named cells."""
        return operations.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/insert``, at most 500 rows, with counts (2022.01, P); before it ``/table/{id}`` (P)."""
        operation = operations.INSERT if self._has_insert else operations.INSERT_TABLE
        asked = replace(operation.request(rec_id, content=operations.records(rows), rows=count), counted_rows=count)
        return wrapped(self._in_version(asked, INSERT_VERSION), Answer.insert_counts)

    @property
    def counts_rows(self) -> bool:
        """Whether the reply to an insert says how many rows it took."""
        return True

    def probe(self) -> Exchange[bool]:
        """``GET /account``, and whether its reply is not that to an insert."""
        return wrapped(
            self._in_version(_PLAIN.account().request),
            lambda answer: bool(answer.content) and answer.insert_counts() == InsertCounts(),
        )

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``DELETE /data/{id}/row`` with a body (A)."""
        return wrapped(self._in_version(_PLAIN.delete(rec_id, find, multiple_rows).request), lambda answer: None)

    def update(self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``PUT /data/{id}/row`` with ``find`` and ``update`` (A)."""
        asked = _PLAIN.update(rec_id, find, values, multiple_rows).request
        return wrapped(self._in_version(asked), lambda answer: None)

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """``POST /table/{id}/refresh`` in 2025.3 (P), before it as without versions (A)."""
        asked = operations.REFRESHES[method].request(rec_id)
        if key(self.version) >= key(REFRESH_VERSION) or self._speaks(REFRESH_VERSION):
            # Both know "reload"; that what the source documents call "recreate" is this mode is by elimination (A).
            mode = {"mode": "rebuild" if method == "recreate" else method}
            asked = operations.REFRESH_TABLE.request(rec_id, fields=mode, repeatable=asked.repeatable)
        return wrapped(self._in_version(asked, REFRESH_VERSION), stated_fields)

    def ask(self, request: Request, read: Callable[[Answer], T]) -> Exchange[T]:
        """The same request with the version added, and the reply wrapped (A)."""
        return wrapped(self._in_version(request), read)

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """The same request with the version added; the base64 text is the result (A)."""
        return picture(self._in_version(request))

    def _in_version(self, request: Request, seen_in: str | None = None) -> Request:
        """The request with this version, or with the one it was seen in if the service speaks that."""
        if any(name == "api_version" for name, _ in request.params):
            return request
        version = seen_in if seen_in is not None and self._speaks(seen_in) else self.version
        return replace(request, params=(*request.params, ("api_version", version)))

    @property
    def _has_insert(self) -> bool:
        return key(self.version) >= key(INSERT_VERSION) or self._speaks(INSERT_VERSION)

    def _speaks(self, version: str) -> bool:
        return key(version) in map(key, self.supported)


def key(version: str) -> tuple[int, ...]:
    """Order versions; ``2022.1`` and ``2022.01`` name the same (P).

    Examples
    --------
    >>> key("2022.1") == key("2022.01") < key("2025.3")
    True
    """
    return tuple(int(part) if part.isascii() and part.isdigit() else -1 for part in version.split("."))


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
