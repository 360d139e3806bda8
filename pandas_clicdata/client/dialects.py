"""The two dialects of the API: pure functions from an operation to a request, and from its reply to a model.

A dialect has a method for each operation on tables; ``ask`` sends any other one.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from pandas_clicdata._models import (
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
from pandas_clicdata.client.operations import UpdateKey
from pandas_clicdata.client.replies import (
    VERSION_CODES,
    Loads,
    ParsedReply,
    bare,
    flag,
    integer,
    picture,
    record,
    wrapped,
)
from pandas_clicdata.errors import ApiError, NotFoundError, PermissionDeniedError

T = TypeVar("T")

LIST_PAGE_SIZE = 100
LIST_VERSION = "2025.3"
INSERT_VERSION = "2022.01"
REFRESH_VERSION = "2025.3"
KNOWN_VERSIONS = ("2025.3", "2022.01", "2021.08")
"""The versions that public clients use, the newest first."""
_REFUSED_PARAMETER = (200, 400)


class Dialect(ABC):
    """The operations on tables, and how a dialect asks for them.

    Attributes
    ----------
    kind : str
        Which of the two dialects it is.
    lists_by_name : bool
        Whether the service filters a list of tables by name.
    counts_rows : bool
        Whether the reply to an insert states how many rows were stored.
    limits_rows : bool
        Whether an insert takes a limited number of rows, as far as that is known.
    """

    kind: ClassVar[str]
    lists_by_name: ClassVar[bool]
    counts_rows: ClassVar[bool]
    limits_rows: ClassVar[bool]

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the dialect, for people."""

    @abstractmethod
    def ask(
        self, request: Request, read: Callable[[ParsedReply], T], *, loads: Loads = operations.loads
    ) -> Exchange[T]:
        """Ask for any operation, and read its result."""

    @abstractmethod
    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """Ask for a picture."""

    @abstractmethod
    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """Ask for one page of the tables."""

    @abstractmethod
    def read_page(
        self, rec_id: int, page: int, version: int | None = None, loads: Loads = operations.loads
    ) -> Exchange[Page]:
        """Ask for one page of the rows of a table or a version."""

    @abstractmethod
    def row_framing(self, names: Sequence[str]) -> Framing:
        """Return the JSON around the cells of a row in an insert."""

    @abstractmethod
    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """Insert rows that are already JSON text."""

    @abstractmethod
    def probe(self) -> Exchange[bool]:
        """Ask for the account, and return whether the reply is an account reply, not one to an insert."""

    @abstractmethod
    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """Start a refresh of a table from its source."""

    def account(self) -> Exchange[dict[str, Any]]:
        """``GET /account``."""
        return self.ask(operations.ACCOUNT.request(), record())

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> Exchange[int]:
        """``POST /data``; the reply is the RecId, or an object with it."""
        request = operations.CREATE.request(content=operations.new_table(name, description, columns))
        return self.ask(request, ParsedReply.rec_id)

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``DELETE /data/{id}/row`` with a body; a row must meet all conditions."""
        # A repeated delete of all matches finds nothing more; a repeated delete of the first deletes another row.
        content, repeatable = operations.delete(find, multiple_rows), multiple_rows == "all"
        # The form of the reply is not documented, so every valid one counts.
        return self.ask(operations.DELETE.request(rec_id, content=content, repeatable=repeatable), lambda parsed: None)

    def update(
        self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows, key: UpdateKey
    ) -> Exchange[None]:
        """``PUT /data/{id}/row`` with ``find``, and the new values under ``key``."""
        # The same values set twice leave the row as it is, but the first match may be another row the second time.
        content, repeatable = operations.update(find, values, multiple_rows, key), multiple_rows == "all"
        return self.ask(operations.UPDATE.request(rec_id, content=content, repeatable=repeatable), lambda parsed: None)


@dataclass(frozen=True)
class Unversioned(Dialect):
    """Requests without ``api_version``; the body of a reply is its content."""

    kind = "unversioned"
    lists_by_name = True
    counts_rows = False
    limits_rows = False

    @property
    def name(self) -> str:
        """The name of the dialect, for people."""
        return "unversioned"

    def ask(
        self, request: Request, read: Callable[[ParsedReply], T], *, loads: Loads = operations.loads
    ) -> Exchange[T]:
        """Send the request as it is. The reply to a change may be empty: for most of them, no form is documented."""
        return bare(request, read, or_empty=request.method != "GET", loads=loads)

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """Send the request as it is; the reply is a picture."""
        return picture(request)

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """``GET /data`` with the given filters; the reply lists all tables at once."""
        flags = {"uniquekeyavailable": unique_key_available, "refresh": refresh}
        params = {} if name is None else {"name": name}
        params |= {key: "true" if value else "false" for key, value in flags.items() if value is not None}
        return self.ask(
            operations.LIST.request(params=params),
            lambda parsed: TableList(parsed.tables(), has_more=False, total=integer(parsed.fields().get("count"))),
        )

    def read_page(
        self, rec_id: int, page: int, version: int | None = None, loads: Loads = operations.loads
    ) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` or ``GET /data/{id}/v/{ver}?page=N``.

        A ``count`` beside the rows is taken as the number of rows in the whole table, as it is in a list of tables.
        """
        return self.ask(
            _page_request(rec_id, page, version),
            lambda parsed: Page(
                parsed.rows(),
                parsed.columns(),
                has_more=flag(parsed.fields().get("has_more_data")),
                total=integer(parsed.fields().get("count")),
            ),
            loads=loads,
        )

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as lists of named cells, which need no order of columns."""
        return operations.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/row``; counts beside ``{"success": true}`` are used."""

        def read(parsed: ParsedReply) -> InsertCounts:
            if parsed.fields().get("success") is not True:
                parsed.unexpected("it does not state success")
            return parsed.insert_counts()

        content = operations.rows_body(rows)
        return self.ask(operations.APPEND_CELLS.request(rec_id, content=content, rows=count), read)

    def probe(self) -> Exchange[bool]:
        """``GET /account``, and whether the reply is an account reply, not one to an insert."""
        return self.ask(
            operations.ACCOUNT.request(),
            lambda parsed: isinstance(parsed.content, dict) and "success" not in parsed.content,
        )

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """``POST /data/{id}/recreate`` and its siblings; the path of the method "reload" is ``/rebuild``."""
        return self.ask(operations.REFRESHES[method].request(rec_id), ParsedReply.stated_fields)


@dataclass(frozen=True)
class Versioned(Dialect):
    """Requests with ``api_version``; a reply wraps its result.

    Where no source documents a versioned form, the unversioned request is sent with the version added.

    Parameters
    ----------
    version : str
        The version in use.
    supported : tuple of str
        The versions that the service lists. An operation that is documented in one of them is requested in that one.
    """

    version: str
    supported: tuple[str, ...] = ()

    kind = "versioned"
    # No source documents a parameter for it.
    lists_by_name = False
    counts_rows = True
    limits_rows = True

    @property
    def name(self) -> str:
        """The name of the dialect, for people."""
        return f"versioned, {self.version}"

    def ask(
        self,
        request: Request,
        read: Callable[[ParsedReply], T],
        *,
        loads: Loads = operations.loads,
        documented_in: str | None = None,
    ) -> Exchange[T]:
        """Send the request with the version added; the reply is wrapped."""
        return wrapped(self._in_version(request, documented_in), read, loads=loads)

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """Send the request with the version added; the base64 text is the result."""
        return picture(self._in_version(request))

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """``GET /table`` from 2025.3 on, ``GET /data`` before.

        Raises
        ------
        ValueError
            A filter without a known parameter is given. A service that ignored it would list other tables.
        """
        for option, wanted in (("unique_key_available", unique_key_available), ("refresh", refresh)):
            if wanted is not None:
                raise ValueError(
                    f"{option}= filters only in the unversioned API. This session uses version {self.version}, which"
                    f" has no known parameter for it. Leave {option}= out, and filter the frame that comes back."
                )
        operation = operations.LIST_TABLE if self._reaches(LIST_VERSION) else operations.LIST
        return self.ask(
            operation.request(params={"page": str(page), "page_size": str(LIST_PAGE_SIZE)}),
            lambda parsed: TableList(parsed.tables(), has_more=parsed.has_more(), total=parsed.total()),
            documented_in=LIST_VERSION,
        )

    def read_page(
        self, rec_id: int, page: int, version: int | None = None, loads: Loads = operations.loads
    ) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` or ``GET /data/{id}/v/{ver}?page=N``, with the paging in ``pagination``."""
        return self.ask(
            _page_request(rec_id, page, version),
            lambda parsed: Page(
                parsed.rows(),
                parsed.columns(),
                has_more=parsed.has_more(),
                total=parsed.total(),
                number=integer(parsed.pagination.get("current_page")),
            ),
            loads=loads,
        )

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as objects; before 2022.01 as lists of named cells."""
        return operations.objects(names) if self._reaches(INSERT_VERSION) else operations.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/insert`` with at most 500 rows; before 2022.01 ``POST /table/{id}``."""
        operation = operations.INSERT if self._reaches(INSERT_VERSION) else operations.INSERT_TABLE
        request = operation.request(rec_id, content=operations.rows_body(rows), rows=count)
        return self.ask(replace(request, counted_rows=count), ParsedReply.insert_counts, documented_in=INSERT_VERSION)

    def probe(self) -> Exchange[bool]:
        """``GET /account``, and whether the reply is an account reply, not one to an insert."""
        return self.ask(
            operations.ACCOUNT.request(),
            lambda parsed: bool(parsed.content) and parsed.insert_counts() == InsertCounts(),
        )

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """``POST /table/{id}/refresh`` from 2025.3 on, as in the unversioned dialect before."""
        request = operations.REFRESHES[method].request(rec_id)
        if self._reaches(REFRESH_VERSION):
            # Assumed: the mode "rebuild" is "recreate", the only method without a mode of its name.
            mode = {"mode": "rebuild" if method == "recreate" else method}
            request = operations.REFRESH_TABLE.request(rec_id, fields=mode, repeatable=request.repeatable)
        return self.ask(request, ParsedReply.stated_fields, documented_in=REFRESH_VERSION)

    def _in_version(self, request: Request, documented_in: str | None = None) -> Request:
        if any(name == "api_version" for name, _ in request.params):
            return request
        version = self.version
        if documented_in is not None and version_key(documented_in) in self._supported:
            version = documented_in
        return replace(request, params=(*request.params, ("api_version", version)))

    def _reaches(self, version: str) -> bool:
        """Whether an operation that came with this version is available."""
        return version_key(self.version) >= version_key(version) or version_key(version) in self._supported

    @functools.cached_property
    def _supported(self) -> frozenset[tuple[int, ...]]:
        return frozenset(map(version_key, self.supported))


def _page_request(rec_id: int, page: int, version: int | None) -> Request:
    operation = operations.READ if version is None else operations.READ_VERSION
    return operation.request(rec_id, version, params={"page": str(page)})


def version_key(version: str) -> tuple[int, ...]:
    """Return the sort key of a version; ``2022.1`` and ``2022.01`` are the same version.

    Examples
    --------
    >>> version_key("2022.1") == version_key("2022.01") < version_key("2025.3")
    True
    """
    return tuple(int(part) if part.isascii() and part.isdigit() else -1 for part in version.split("."))


_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)


def dialect_for(api_version: str) -> Dialect:
    """Return the dialect of a setting: ``"unversioned"``, or a version such as ``"2025.3"``."""
    return Unversioned() if api_version == "unversioned" else Versioned(api_version)


@dataclass(frozen=True)
class Detected:
    """What a reply shows about the dialect of the account.

    Attributes
    ----------
    dialect : Dialect or None
        The dialect; None if the reply shows only that the service does not have the version.
    certain : bool
        Whether no other request can show a better one.
    """

    dialect: Dialect | None
    certain: bool


def detection(version: str | None = None) -> Exchange[Detected]:
    """Pair a request without a version, or in one, with the reader of what its reply shows about the dialect.

    A service that answers in a version is asked in one even if it also answers without: versioned replies count rows.
    The reader raises an ApiError if the reply is an error that is unrelated to versions and shows neither dialect.
    """
    request = operations.ACCOUNT.request(params=None if version is None else {"api_version": version})
    request = replace(request, once=True)
    return Exchange(request, lambda reply: _detected(request, reply, version))


def _detected(request: Request, reply: Reply, version: str | None) -> Detected:
    # No public client needs these headers, so the service may not send them.
    supported = tuple(
        each.strip()
        for each in reply.headers.get("api-supported-versions", "").split(",")
        if _VERSION.fullmatch(each.strip())
    )
    if supported:
        known = [each for each in supported if version_key(each) <= version_key(KNOWN_VERSIONS[0])]
        return Detected(Versioned(max(known or supported, key=version_key), supported), certain=True)
    parsed = ParsedReply.parse(request, reply)
    code, _ = parsed.error()
    if code is not None and code.lower() in VERSION_CODES:
        return Detected(None if version else Versioned(KNOWN_VERSIONS[0]), certain=False)
    try:
        parsed.raise_for_error()
    except (PermissionDeniedError, NotFoundError):
        # The account may be off limits, but the shape of the refusal shows the dialect.
        pass
    except ApiError as exc:
        # A service without versions may refuse a parameter that it does not know.
        if version is None or exc.status not in _REFUSED_PARAMETER:
            raise
    if parsed.is_wrapped:
        return Detected(Versioned(version or KNOWN_VERSIONS[0]), certain=version is not None)
    return Detected(Unversioned(), certain=version is not None)
