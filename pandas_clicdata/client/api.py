"""The client of one account: one method for each operation of the API, in the account's dialect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pandas_clicdata._checks import check_rec_id_or_name, check_text, did_you_mean
from pandas_clicdata._models import (
    ROW_ID_TYPES,
    Column,
    Exchange,
    MultipleRows,
    Page,
    Picture,
    Records,
    RefreshMethod,
    Reply,
    Request,
    RequestOutcome,
    Secret,
    TableList,
    TableRef,
    WriteResult,
    find_secrets,
)
from pandas_clicdata._threads import reset_after_fork
from pandas_clicdata.client import operations
from pandas_clicdata.client.auth import Authenticator, account_label
from pandas_clicdata.client.dialects import KNOWN_VERSIONS, Dialect, detection, dialect_for
from pandas_clicdata.client.operations import Operation, UpdateKey
from pandas_clicdata.client.prefetch import walk
from pandas_clicdata.client.replies import Loads, ParsedReply, record, records
from pandas_clicdata.client.service_profile import ServiceProfile
from pandas_clicdata.errors import (
    ApiError,
    AuthenticationError,
    ClicDataError,
    IncompleteReadError,
    NotFoundError,
    TableNotFoundError,
    TransportError,
)

if TYPE_CHECKING:
    from pandas_clicdata._config import Settings
    from pandas_clicdata.client.transport import Transport

Fields = Mapping[str, Any]
T = TypeVar("T")

_REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True)
class _Listed:
    """A table as it was listed: on which page, and when."""

    table: TableRef
    page: int
    at: float


class Client:
    """The API of one account. Safe to share between threads.

    Parameters
    ----------
    settings : Settings
        The account, and the API version.
    authenticator : Authenticator
        Provides the credentials, and renews a token that the service refuses.
    transport : Transport
        Sends the requests.
    max_request_bytes : int
        Maximum size of the body of an insert.
    clock : callable, default time.monotonic
        Returns the time in seconds.

    Attributes
    ----------
    outlives_process : bool
        Whether the account exists after the end of this process; False for the sandbox of the process.
    service_profile : ServiceProfile
        What has been found out about the service of the account.
    """

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        transport: Transport,
        max_request_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self.authenticator = authenticator
        self.transport = transport
        self.max_request_bytes = max_request_bytes
        self.outlives_process = True
        self.service_profile = ServiceProfile(
            settings.base_url, lambda: self.account_label, lambda: self.dialect.kind, settings.service_profile
        )
        self._dialect = None if settings.api_version == "auto" else dialect_for(settings.api_version)
        self._clock = clock
        # Threads share it without a lock, which a forked child could find held: each change is one operation of a dict.
        self._listed: dict[str, _Listed] = {}
        self._after_fork()
        reset_after_fork(self)

    def _after_fork(self) -> None:
        # In a forked child, a thread of the parent may hold the lock for ever.
        self._dialect_lock = threading.Lock()

    @property
    def account_label(self) -> str:
        """The address of the API and the client, user, API key or sign-in that is used, without secrets.

        Two sessions with the same label are on the same account. The reverse does not hold: a new API key, or a new
        sign-in with an authorization code, counts as another account.
        """
        return account_label(self._settings, self.authenticator.identity())

    @property
    def dialect(self) -> Dialect:
        """The dialect of the account; the first use detects it with one request or a few."""
        if self._dialect is None:
            with self._dialect_lock:
                if self._dialect is None:
                    self._dialect = self._detected()
        return self._dialect

    def _detected(self) -> Dialect:
        without = self._perform(detection())
        assert without.dialect is not None
        if not without.certain:
            for version in KNOWN_VERSIONS:
                found = self._perform(detection(version)).dialect
                if found is not None:
                    return found
        return without.dialect

    @property
    def known_dialect(self) -> str | None:
        """The name of the dialect, or None before it is detected."""
        return None if self._dialect is None else self._dialect.name

    # tables and rows

    def list_tables(
        self, name: str | None = None, *, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Generator[TableRef, None, None]:
        """Iterate over the account's tables, each once; several pages are requested at a time.

        Parameters
        ----------
        name : str, optional
            Filters on the server if it supports that; the result may contain other tables.
        unique_key_available, refresh : bool, optional
            Filters of the service.

        Raises
        ------
        IncompleteReadError
            The number of tables is not the one that the service states, or the pages repeat.
        ValueError
            The dialect does not have the filter.
        """
        dialect = self.dialect
        seen: set[int] = set()
        filtered = unique_key_available is not None or refresh is not None
        filtered = filtered or (name is not None and dialect.lists_by_name)
        received, number, more = 0, 0, False
        total: int | None = None
        listed: dict[str, _Listed] = {}
        # A fact is as old as the request that it answers, and pages are requested ahead.
        began = self._clock()

        def fetch(page: int) -> TableList:
            return self._perform(dialect.list_tables(page, name, unique_key_available, refresh))

        def count_pages(first: TableList) -> int | None:
            stated = None if filtered else first.total
            return -(-stated // len(first.tables)) if stated is not None and first.tables else None

        with closing(walk(fetch, count_pages)) as pages:
            for number, page in enumerate(pages, 1):
                fresh = [table for table in page.tables if table.rec_id not in seen]
                seen.update(table.rec_id for table in fresh)
                for table in fresh:
                    if table.name is not None and table.name not in listed:
                        listed[table.name] = _Listed(TableRef(table.rec_id, table.name, remembered=True), number, began)
                        self._listed[table.name] = listed[table.name]
                yield from fresh
                received += len(fresh)
                if page.total is not None and not filtered:
                    # What the total means beside a filter is not documented.
                    total = page.total
                more = bool(page.has_more)
                if page.has_more is None:
                    more = bool(fresh) and (total is None or received < total)
                if not more or not fresh:
                    break
        if more or (total is not None and total != received):
            raise IncompleteReadError(
                f"The list of tables is incomplete: {received} were received, but the service states that there are"
                f" {total if total is not None else 'more'}. Make the same call again.",
                operation="list",
                page=number,
                received=received,
                expected=total,
            )
        if not filtered:
            self._listed = listed

    def list_tables_named(
        self, name: str | None, *, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Iterator[TableRef]:
        """Iterate over the tables that the service lists under a name.

        Where the service lists all tables, these are the tables of that name, regardless of case.
        """
        listed = self.list_tables(name, unique_key_available=unique_key_available, refresh=refresh)
        if name is None or self.dialect.lists_by_name:
            return listed
        return (table for table in listed if (table.name or "").casefold() == name.casefold())

    def find_by_name(self, name: str, *, remembered: bool = False) -> TableRef | None:
        """Return the table of exactly this name, or None.

        Parameters
        ----------
        name : str
            The name.
        remembered : bool, default False
            Whether the answer may be up to 60 seconds old. If not, the page on which the table was listed is requested
            first. It is never remembered that there is no such table.
        """
        known = self._listed.get(name)
        if known is not None:
            if remembered and self._clock() - known.at < _REMEMBERED_SECONDS:
                return known.table
            # A walk begins with the first page anyway.
            found = self._find_on_page(known.page, name) if known.page > 1 else None
            if found is not None:
                return found
        with closing(self.list_tables(name)) as tables:
            return next((table for table in tables if table.name == name), None)

    def _find_on_page(self, page: int, name: str) -> TableRef | None:
        """Return the table of this name if it is on this page of the list of all tables."""
        at = self._clock()
        try:
            listed = self._perform(self.dialect.list_tables(page, name))
        except ApiError:
            # The list may be shorter now, and a service may refuse a page that does not exist.
            return None
        found = next((table for table in listed.tables if table.name == name), None)
        if found is not None:
            self._listed[name] = _Listed(TableRef(found.rec_id, name, remembered=True), page, at)
        return found

    def find_regardless_of_case(self, name: str) -> TableRef | None:
        """Return the table whose name equals this one, or else equals it except for case; None if there is none."""
        alike = [table for table in self.list_tables() if (table.name or "").casefold() == name.casefold()]
        return next((table for table in alike if table.name == name), alike[0] if alike else None)

    def find(self, table: int | str, *, remembered: bool = False) -> TableRef:
        """Return the table of a RecId or a name. A RecId is not looked up; the first request that uses it fails.

        Parameters
        ----------
        table : int or str
            The RecId or the name.
        remembered : bool, default False
            Whether a name may have been looked up in the last 60 seconds. If the table does not exist any more,
            :meth:`open_table` looks it up again. A call that changes rows which are in the table must not use it,
            because the table could have been renamed.

        Raises
        ------
        TableNotFoundError
            No table has this name. The message suggests similar names.
        """
        if isinstance(table, int):
            return TableRef(table)
        found = self.find_by_name(table, remembered=remembered)
        if found is not None:
            return found
        if self.dialect.lists_by_name:
            # The filter of the service may be stricter than ours.
            names = {each.name: each for each in self.list_tables() if each.name is not None}
        else:
            names = {name: each.table for name, each in self._listed.items()}
        if table in names:
            return names[table]
        hint = did_you_mean(table, names)
        if table.isdecimal():
            hint += f" To use a RecId, pass a number without quotes: {table}."
        raise TableNotFoundError(f"The account has no table named {table!r} (number of tables: {len(names):,}).{hint}")

    def open_table(
        self, table: TableRef, version: int | None = None, *, loads: Loads = operations.loads
    ) -> tuple[TableRef, Page]:
        """Return a table and its first page; if a remembered name has another table now, that one.

        Raises
        ------
        TableNotFoundError
            No table has this RecId or name, or it has no such version.
        """
        try:
            return table, self.first_page(table, version, loads=loads)
        except TableNotFoundError:
            again = self.find(str(table.name)) if table.remembered else table
            if again.rec_id == table.rec_id:
                raise
        return again, self.first_page(again, version, loads=loads)

    def ask_page(
        self,
        rec_id: int,
        page: int,
        version: int | None = None,
        *,
        loads: Loads = operations.loads,
        fresh_connection: bool = False,
    ) -> Callable[[], Page]:
        """Request one page of the rows of a table, or of one of its versions.

        Parameters
        ----------
        rec_id, page : int
            The table and the number of the page.
        version : int, optional
            The version of the table.
        loads : callable, optional
            Parses the body of the reply.
        fresh_connection : bool, default False
            Whether to send the request over a new connection.

        Returns
        -------
        callable
            Parses the reply. Threads that wait for replies leave that to the thread that needs the pages.
        """
        exchange = self.dialect.read_page(rec_id, page, version, loads)
        if fresh_connection:
            exchange = replace(exchange, request=replace(exchange.request, fresh_connection=True))
        reply = self._sent(exchange)
        return lambda: self._result_on(rec_id, exchange, reply)

    def first_page(self, table: TableRef, version: int | None = None, *, loads: Loads = operations.loads) -> Page:
        """Return a table's first page, which also shows its columns.

        Raises
        ------
        TableNotFoundError
            No table has this RecId, or it has no such version.
        """
        try:
            return self.ask_page(table.rec_id, 1, version, loads=loads)()
        except NotFoundError as exc:
            raise _table_not_found(table, version) from exc

    def versions(self, table: TableRef, page: int) -> Records:
        """Return one page of the versions of a table.

        Raises
        ------
        TableNotFoundError
            No table has this RecId.
        """
        try:
            return self._list(operations.VERSIONS, page, rec_id=table.rec_id)
        except NotFoundError as exc:
            raise _table_not_found(table) from exc

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> int:
        """Create a table and return its RecId."""
        self._listed.pop(name, None)
        return self._perform(self.dialect.create_table(name, description, columns))

    def insert(self, rec_id: int, rows: bytes, count: int) -> RequestOutcome:
        """Insert rows that are already JSON text."""
        counts, sent = self._perform_on(rec_id, self.dialect.insert(rec_id, rows, count))
        return replace(sent, counts=counts)

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> RequestOutcome:
        """Delete every row that meets all conditions, or the first one."""
        return self._perform_on(rec_id, self.dialect.delete(rec_id, find, multiple_rows))[1]

    def update(
        self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows, key: UpdateKey
    ) -> RequestOutcome:
        """Set these values, under this key, in every row that meets all conditions, or in the first one."""
        return self._perform_on(rec_id, self.dialect.update(rec_id, find, values, multiple_rows, key))[1]

    def refresh(self, rec_id: int, method: RefreshMethod) -> dict[str, Any]:
        """Start a refresh of a table from its source, and return what the service states."""
        return self._perform_on(rec_id, self.dialect.refresh(rec_id, method))[0]

    # everything else

    def account(self) -> dict[str, Any]:
        """Return the account of this client."""
        return self._perform(self.dialect.account())

    def user_activity(self, page: int) -> Records:
        """Return one page of the users' activity."""
        return self._list(operations.USER_ACTIVITY, page)

    def dashboard_activity(self, page: int) -> Records:
        """Return one page of the dashboards' activity."""
        return self._list(operations.DASHBOARD_ACTIVITY, page)

    def profile(self) -> dict[str, Any]:
        """Return the user who is signed in."""
        return self._get(operations.PROFILE)

    def dashboards(self, page: int, name: str | None = None, *, thumbnails: bool = False) -> Records:
        """Return one page of the dashboards. ``name`` filters if the service supports it; others may be contained."""
        params = {"includethumbnail": "true" if thumbnails else "false"}
        return self._list(operations.DASHBOARDS, page, params if name is None else params | {"name": name})

    def thumbnail(self, rec_id: int) -> Picture:
        """Return a small picture of a dashboard."""
        return self._perform(self.dialect.ask_picture(operations.THUMBNAIL.request(rec_id)))

    def snapshot(self, rec_id: int) -> Picture:
        """Return a picture of a dashboard."""
        return self._perform(self.dialect.ask_picture(operations.SNAPSHOT.request(rec_id)))

    def schedules(self, page: int) -> Records:
        """Return one page of the schedules."""
        return self._list(operations.SCHEDULES, page)

    def schedule(self, rec_id: int) -> dict[str, Any]:
        """Return one schedule."""
        return self._get(operations.SCHEDULE, rec_id)

    def trigger_schedule(self, rec_id: int) -> dict[str, Any]:
        """Start a run of a schedule, and return what the service states."""
        return self._change(operations.TRIGGER, rec_id)

    def teams(self, page: int) -> Records:
        """Return one page of the teams."""
        return self._list(operations.TEAMS, page)

    def create_team(self, fields: Fields) -> int:
        """Create a team and return its RecId."""
        return self._ask_once(operations.CREATE_TEAM.request(fields=fields), ParsedReply.rec_id)

    def update_team(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Change these fields of a team."""
        return self._change(operations.UPDATE_TEAM, rec_id, fields)

    def delete_team(self, rec_id: int) -> dict[str, Any]:
        """Delete a team."""
        return self._change(operations.DELETE_TEAM, rec_id)

    def add_user(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Add a user to a team."""
        return self._change(operations.ADD_USER, rec_id, fields)

    def remove_user(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Remove a user from a team."""
        return self._change(operations.REMOVE_USER, rec_id, fields)

    def set_parameter(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Set a parameter of a team."""
        return self._change(operations.SET_PARAMETER, rec_id, fields)

    def remove_parameter(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Remove a parameter from a team."""
        return self._change(operations.REMOVE_PARAMETER, rec_id, fields)

    def users(self, page: int) -> Records:
        """Return one page of the users."""
        return self._list(operations.USERS, page)

    def user(self, rec_id: int) -> dict[str, Any]:
        """Return one user."""
        return self._get(operations.USER, rec_id)

    def create_user(self, fields: Fields) -> int:
        """Create a user and return its RecId."""
        return self._ask_once(operations.CREATE_USER.request(fields=fields), ParsedReply.rec_id)

    def update_user(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Change these fields of a user."""
        return self._change(operations.UPDATE_USER, rec_id, fields)

    def delete_user(self, rec_id: int) -> dict[str, Any]:
        """Delete a user."""
        return self._change(operations.DELETE_USER, rec_id)

    def set_password(self, rec_id: int, fields: Fields) -> dict[str, Any]:
        """Set a user's password."""
        return self._change(operations.SET_PASSWORD, rec_id, fields)

    def request(self, method: str, path: str, params: tuple[tuple[str, str | Secret], ...], fields: Any = None) -> Any:
        """Send any request, and return the content of the reply."""
        request = Request(
            operation="request",
            method=method,
            path=path,
            params=params,
            body=None if fields is None else operations.dumps(fields),
            repeatable=method == "GET",
            secrets=(*find_secrets(fields), *find_secrets(params)),
        )
        return self._ask_once(request, lambda parsed: parsed.content)

    def reply_to(self, request: Request) -> ParsedReply:
        """Send a request as it is, and return its reply, which may be an error."""
        return ParsedReply.parse(request, self._send(request))

    # connections

    @property
    def doubted(self) -> frozenset[int]:
        """The numbers of the connections on which unrequested bytes arrived."""
        return self.transport.doubted

    def in_sync(self, connection: int) -> bool | None:
        """Check with one request whether the replies on this thread's connection belong to their requests.

        Parameters
        ----------
        connection : int
            The number of the connection.

        Returns
        -------
        bool or None
            False if the reply is one to an insert: the replies are shifted by one request. None if the
            request went over another connection, which shows nothing.

        Raises
        ------
        ClicDataError
            The request failed, or was refused. The refusal may belong to an insert.
        """
        probe = self.dialect.probe()
        reply = self._send(probe.request)
        if reply.attempts > 1:
            # The first try may have received the reply to an insert.
            raise TransportError(f"{probe.request.line} was answered only after {reply.attempts} tries.")
        return _read(probe, reply) if reply.connection == connection else None

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    # sending

    def _list(
        self,
        operation: Operation,
        page: int,
        params: Mapping[str, str] | None = None,
        rec_id: int | None = None,
    ) -> Records:
        """Request one page of a list of records."""
        # No source shows that these lists have pages, so the first is requested without a number.
        numbered = {**(params or {}), **({"page": str(page)} if page > 1 else {})}
        return self._perform(self.dialect.ask(operation.request(rec_id, params=numbered), records(operation.holds)))

    def _get(self, operation: Operation, rec_id: int | None = None) -> dict[str, Any]:
        """Request one record."""
        return self._perform(self.dialect.ask(operation.request(rec_id), record(operation.holds)))

    def _change(self, operation: Operation, rec_id: int, fields: Fields | None = None) -> dict[str, Any]:
        """Request a change, and return what the service states about it."""
        return self._ask_once(operation.request(rec_id, fields=fields), ParsedReply.stated_fields)

    def _ask_once(self, request: Request, read: Callable[[ParsedReply], T]) -> T:
        """Send a request that must not be sent twice; its error says so if it may have been carried out."""
        try:
            return self._perform(self.dialect.ask(request, read))
        except ClicDataError as exc:
            if exc.ambiguous:
                exc.add_note("The request may have been carried out. Check before you repeat it.")
            raise

    def _perform_on(self, rec_id: int, exchange: Exchange[T]) -> tuple[T, RequestOutcome]:
        """Send a request about a table; if the table does not exist, forget its name."""
        reply = self._sent(exchange)
        return self._result_on(rec_id, exchange, reply), _outcome(reply)

    def _result_on(self, rec_id: int, exchange: Exchange[T], reply: Reply) -> T:
        try:
            return self._result(exchange, reply)
        except NotFoundError:
            for name, each in list(self._listed.items()):
                if each.table.rec_id == rec_id:
                    self._listed.pop(name, None)
            raise

    def _perform(self, exchange: Exchange[T]) -> T:
        return self._result(exchange, self._sent(exchange))

    def _sent(self, exchange: Exchange[T]) -> Reply:
        with self._noted_refusal():
            return self._send(exchange.request)

    def _result(self, exchange: Exchange[T], reply: Reply) -> T:
        with self._noted_refusal():
            return _read(exchange, reply)

    @contextmanager
    def _noted_refusal(self) -> Iterator[None]:
        """Note at a refusal of the credentials that white space was removed from them, which may be why."""
        try:
            yield
        except AuthenticationError as exc:
            for note in self._settings.notes:
                exc.add_note(note)
            raise

    def _send(self, request: Request) -> Reply:
        """Send a request; after a 401, renew the token and send it once more."""
        headers = self.authenticator.headers()
        first = self.transport.send(request, headers, self.authenticator.secrets())
        if first.status != 401:
            return first
        try:
            if not self.authenticator.renew(headers):
                return first
            renewed = self.authenticator.headers()
            reply = self.transport.send(request, renewed, self.authenticator.secrets())
        except ClicDataError as exc:
            # A try before the 401, whose reply was lost, may have been carried out.
            exc.ambiguous |= first.possibly_done
            raise
        attempts, possibly_done = first.attempts + reply.attempts, first.possibly_done or reply.possibly_done
        return replace(reply, attempts=attempts, possibly_done=possibly_done)


def _read(exchange: Exchange[T], reply: Reply) -> T:
    try:
        return exchange.read(reply)
    except ClicDataError as exc:
        # The frames below hold the reply, in which a service may quote the credentials it received.
        raise exc.with_traceback(None)  # noqa: B904


def _outcome(reply: Reply) -> RequestOutcome:
    return RequestOutcome(
        retries=reply.attempts - 1, possibly_repeated=reply.possibly_done, connection=reply.connection
    )


def _table_not_found(table: TableRef, version: int | None = None) -> TableNotFoundError:
    which = f"table {'with ' if table.name is None else ''}{table.label}"
    if version is not None:
        which = f"version {version} of {which}"
    return TableNotFoundError(f"There is no {which} in this account.", operation="read")


def checked_name(name: object) -> str:
    """Return the name of a table.

    Raises
    ------
    TypeError
        It is not a string.
    ValueError
        It is blank.
    """
    if isinstance(name, WriteResult):
        raise TypeError(
            "push takes the name of a table, not a receipt. To add rows to the table of a receipt:"
            " df.clicdata.append(receipt). To replace its rows: df.clicdata.push(receipt.name, if_exists='replace')"
        )
    if not isinstance(name, str):
        raise TypeError(f"The name of a new table must be a string, not {name!r}.")
    if not name.strip():
        raise ValueError("The name of a table must not be blank.")
    return check_text("A table's name", name)


def checked_table(table: object) -> int | str:
    """Return a RecId as an int, or a name as it is; of a receipt, the RecId of its table.

    Raises
    ------
    TypeError, ValueError
        It is none of these, or the receipt of a dry run whose table does not exist.

    Examples
    --------
    >>> checked_table(1234), checked_table("Flights")
    (1234, 'Flights')
    """
    if isinstance(table, WriteResult):
        if table.rec_id is None:
            raise TypeError("This receipt is of a dry run, and its table does not exist yet. Push without dry_run=.")
        return table.rec_id
    return check_rec_id_or_name("table", table)


@dataclass(frozen=True)
class KnownColumns:
    """The columns of a table as its first page shows them.

    Attributes
    ----------
    columns : tuple of Column
        The columns.
    typed : bool
        Whether the page lists their types.
    json_types : mapping of str to str
        Where it does not: the JSON type of the values of a column, "number", "checkbox" or "text". Columns that are
        null on this page are missing.
    """

    columns: tuple[Column, ...]
    typed: bool
    json_types: Mapping[str, str] = field(default_factory=dict)


def known_columns(page: Page) -> KnownColumns | None:
    """Return a table's columns from its first page; None if it has no rows and lists no columns."""
    if page.columns is not None:
        return KnownColumns(tuple(page.columns), typed=True)
    if page.rows:
        names = tuple(page.rows[0])
        values = ((name, next((row[name] for row in page.rows if row.get(name) is not None), None)) for name in names)
        json_types = {name: _json_type(value) for name, value in values if value is not None}
        return KnownColumns(tuple(Column(name, "") for name in names), typed=False, json_types=json_types)
    return None


def _json_type(value: object) -> str:
    return "checkbox" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def is_row_id(column: Column, typed: bool) -> bool:
    """Return whether the service fills the column itself. Where no types are listed, its name decides."""
    return (column.data_type if typed else column.name) in ROW_ID_TYPES
