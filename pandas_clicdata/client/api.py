"""One function for each operation of the API, in the session's dialect, and the look-up of tables by RecId or name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pandas_clicdata._checks import did_you_mean, rec_id_or_name, unicode_text
from pandas_clicdata._models import (
    ROW_ID_TYPES,
    Column,
    Framing,
    MultipleRows,
    Page,
    Picture,
    Records,
    RefreshMethod,
    Request,
    Secret,
    Sent,
    TableList,
    TableRef,
    secrets_in,
)
from pandas_clicdata.client import operations
from pandas_clicdata.client.operations import Operation
from pandas_clicdata.client.replies import Answer, content, record, records, stated_fields
from pandas_clicdata.errors import ClicDataError, IncompleteReadError, NotFoundError, TableNotFoundError

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

Fields = Mapping[str, Any]
T = TypeVar("T")


def lists_by_name(session: Session) -> bool:
    """Whether a list of tables is one of those of the name asked for, or of all."""
    return session.dialect.lists_by_name


def list_tables(
    session: Session,
    page: int,
    name: str | None = None,
    unique_key_available: bool | None = None,
    refresh: bool | None = None,
) -> TableList:
    """One page of the tables; ``name`` is a hint that a dialect may not be able to pass on, the others are not."""
    return session.perform(session.dialect.list_tables(page, name, unique_key_available, refresh))


def read_page(
    session: Session, rec_id: int, page: int, version: int | None = None, *, fresh_connection: bool = False
) -> Page:
    """One page of a table's rows, or of an old version's."""
    exchange = session.dialect.read_page(rec_id, page, version)
    if fresh_connection:
        exchange = replace(exchange, request=replace(exchange.request, fresh_connection=True))
    return session.perform(exchange)


def versions(session: Session, rec_id: int, page: int) -> Records:
    """One page of the versions of a table."""
    return _records(session, operations.VERSIONS, page, rec_id=rec_id)


def create_table(session: Session, name: str, description: str, columns: Sequence[Column]) -> int:
    """Make a table and return its RecId."""
    return session.perform(session.dialect.create_table(name, description, columns))


def row_framing(session: Session, names: Sequence[str]) -> Framing:
    """What stands around a row's values in an insert."""
    return session.dialect.row_framing(names)


def find_framing(session: Session, names: Sequence[str]) -> Framing:
    """What stands around a row's values in the condition of a delete."""
    return session.dialect.find_framing(names)


def insert(session: Session, rec_id: int, rows: bytes, count: int) -> Sent:
    """Insert rows that are written already."""
    counts, sent = session.perform_counting(session.dialect.insert(rec_id, rows, count))
    return replace(sent, counts=counts)


def counts_rows(session: Session) -> bool:
    """Whether the reply to an insert says how many rows it took."""
    return session.dialect.counts_rows


def delete(session: Session, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Sent:
    """Delete every row that matches, or the first of them."""
    return session.perform_counting(session.dialect.delete(rec_id, find, multiple_rows))[1]


def update(session: Session, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all") -> Sent:
    """Give these values to every row that matches, or to the first of them."""
    return session.perform_counting(session.dialect.update(rec_id, find, values, multiple_rows))[1]


def refresh(session: Session, rec_id: int, method: RefreshMethod) -> dict[str, Any]:
    """Fill a table anew from its source, and return what the service says to that."""
    return session.perform(session.dialect.refresh(rec_id, method))


def account(session: Session) -> dict[str, Any]:
    """The account the session is on."""
    return _record(session, operations.ACCOUNT)


def user_activity(session: Session, page: int) -> Records:
    """One page of what the users did."""
    return _records(session, operations.USER_ACTIVITY, page)


def dashboard_activity(session: Session, page: int) -> Records:
    """One page of what was done with the dashboards."""
    return _records(session, operations.DASHBOARD_ACTIVITY, page)


def profile(session: Session) -> dict[str, Any]:
    """The user who is signed in."""
    return _record(session, operations.PROFILE)


def dashboards(session: Session, page: int, name: str | None = None, *, thumbnails: bool = False) -> Records:
    """One page of the dashboards; ``name`` is a hint."""
    params = {"includethumbnail": "true" if thumbnails else "false"}
    return _records(session, operations.DASHBOARDS, page, params if name is None else params | {"name": name})


def thumbnail(session: Session, rec_id: int) -> Picture:
    """A dashboard in small."""
    return session.perform(session.dialect.ask_picture(operations.THUMBNAIL.request(rec_id)))


def snapshot(session: Session, rec_id: int) -> Picture:
    """A dashboard as it looks."""
    return session.perform(session.dialect.ask_picture(operations.SNAPSHOT.request(rec_id)))


def schedules(session: Session, page: int) -> Records:
    """One page of the schedules."""
    return _records(session, operations.SCHEDULES, page)


def schedule(session: Session, rec_id: int) -> dict[str, Any]:
    """One schedule."""
    return _record(session, operations.SCHEDULE, rec_id)


def trigger_schedule(session: Session, rec_id: int) -> dict[str, Any]:
    """Let a schedule run now."""
    return _told(session, operations.TRIGGER, rec_id)


def teams(session: Session, page: int) -> Records:
    """One page of the teams."""
    return _records(session, operations.TEAMS, page)


def create_team(session: Session, fields: Fields) -> int:
    """Make a team and return its RecId."""
    return _changed(session, operations.CREATE_TEAM.request(fields=fields), Answer.rec_id)


def update_team(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Give a team these fields."""
    return _told(session, operations.UPDATE_TEAM, rec_id, fields)


def delete_team(session: Session, rec_id: int) -> dict[str, Any]:
    """Delete a team."""
    return _told(session, operations.DELETE_TEAM, rec_id)


def add_user(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Put a user into a team."""
    return _told(session, operations.ADD_USER, rec_id, fields)


def remove_user(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Take a user out of a team."""
    return _told(session, operations.REMOVE_USER, rec_id, fields)


def set_parameter(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Give a team's parameter a value."""
    return _told(session, operations.SET_PARAMETER, rec_id, fields)


def remove_parameter(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Take a parameter from a team."""
    return _told(session, operations.REMOVE_PARAMETER, rec_id, fields)


def users(session: Session, page: int) -> Records:
    """One page of the users."""
    return _records(session, operations.USERS, page)


def user(session: Session, rec_id: int) -> dict[str, Any]:
    """One user."""
    return _record(session, operations.USER, rec_id)


def create_user(session: Session, fields: Fields) -> int:
    """Make a user and return its RecId."""
    return _changed(session, operations.CREATE_USER.request(fields=fields), Answer.rec_id)


def update_user(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Give a user these fields."""
    return _told(session, operations.UPDATE_USER, rec_id, fields)


def delete_user(session: Session, rec_id: int) -> dict[str, Any]:
    """Delete a user."""
    return _told(session, operations.DELETE_USER, rec_id)


def set_password(session: Session, rec_id: int, fields: Fields) -> dict[str, Any]:
    """Give a user another password."""
    return _told(session, operations.SET_PASSWORD, rec_id, fields)


def request(
    session: Session, method: str, path: str, params: tuple[tuple[str, str | Secret], ...], fields: Any = None
) -> Any:
    """Whatever is asked, and the content of the reply."""
    asked = Request(
        operation="request",
        method=method,
        path=path,
        params=params,
        body=None if fields is None else operations.dumps(fields),
        repeatable=method == "GET",
        secrets=(*secrets_in(fields), *secrets_in(params)),
    )
    return _changed(session, asked, content)


def _records(
    session: Session,
    operation: Operation,
    page: int,
    params: Mapping[str, str] | None = None,
    rec_id: int | None = None,
) -> Records:
    # Nobody has shown that these lists have pages, so that the first is asked for without a number.
    numbered = {**(params or {}), **({"page": str(page)} if page > 1 else {})}
    return session.perform(session.dialect.ask(operation.request(rec_id, params=numbered), records(operation.holds)))


def _record(session: Session, operation: Operation, rec_id: int | None = None) -> dict[str, Any]:
    return session.perform(session.dialect.ask(operation.request(rec_id), record(operation.holds)))


def _told(session: Session, operation: Operation, rec_id: int, fields: Fields | None = None) -> dict[str, Any]:
    return _changed(session, operation.request(rec_id, fields=fields), stated_fields)


def _changed(session: Session, asked: Request, read: Callable[[Answer], T]) -> T:
    try:
        return session.perform(session.dialect.ask(asked, read))
    except ClicDataError as exc:
        if exc.ambiguous:
            exc.add_note("It may have been carried out all the same: look before you ask again.")
        raise


def checked_name(name: object) -> str:
    """Return a table's name.

    Raises
    ------
    TypeError, ValueError
        It is not text, or is blank.
    """
    if not isinstance(name, str):
        raise TypeError(f"A new table needs a name as text, not {name!r}.")
    if not name.strip():
        raise ValueError("A table needs a name that is not blank.")
    return unicode_text("A table's name", name)


def checked_table(table: object) -> int | str:
    """Return a RecId as an int, or a name as it is.

    Raises
    ------
    TypeError, ValueError
        It is neither.

    Examples
    --------
    >>> checked_table(1234), checked_table("Flights")
    (1234, 'Flights')
    """
    return rec_id_or_name("table", table)


def list_all(
    session: Session,
    name: str | None = None,
    *,
    unique_key_available: bool | None = None,
    refresh: bool | None = None,
) -> Iterator[TableRef]:
    """Walk the account's tables, each once; ``name`` is a hint that saves pages where the service can use it.

    By the other filters the service takes, or they are refused.

    Raises
    ------
    IncompleteReadError
        The list holds other than the number of tables that the service says, or its pages come again.
    """
    seen: set[int] = set()
    filtered = unique_key_available is not None or refresh is not None
    filtered = filtered or (name is not None and lists_by_name(session))
    page, received = 1, 0
    while True:
        listed = list_tables(session, page, name, unique_key_available, refresh)
        fresh = [table for table in listed.tables if table.rec_id not in seen]
        seen.update(table.rec_id for table in fresh)
        yield from fresh
        received += len(fresh)
        # What the count means beside a filter is not documented.
        total = None if filtered else listed.total
        more = listed.has_more
        if more is None:
            more = bool(fresh) and (total is None or received < total)
        if not more or not fresh:
            break
        page += 1
    if more or (total is not None and total != received):
        expected = total if total is not None else "more"
        raise IncompleteReadError(
            f"The list of tables is not whole: {received} came of {expected}.",
            operation="list",
            page=page,
            received=received,
            expected=total,
        )


def list_named(
    session: Session, name: str | None, *, unique_key_available: bool | None = None, refresh: bool | None = None
) -> Iterator[TableRef]:
    """Walk the tables that the service lists under a name; where it lists all, those of that name but for case (A)."""
    listed = list_all(session, name, unique_key_available=unique_key_available, refresh=refresh)
    if name is None or lists_by_name(session):
        return listed
    return (table for table in listed if (table.name or "").casefold() == name.casefold())


def find_by_name(session: Session, name: str) -> TableRef | None:
    """Return the table of exactly this name, or None."""
    return next((table for table in list_all(session, name) if table.name == name), None)


def find_alike(session: Session, name: str) -> TableRef | None:
    """Return the table whose name the service may take for this one: the same, or the same but for case."""
    alike = [table for table in list_all(session) if (table.name or "").casefold() == name.casefold()]
    return next((table for table in alike if table.name == name), alike[0] if alike else None)


def find(session: Session, table: int | str) -> TableRef:
    """Return the table of a RecId or a name. A RecId is believed: the first use of it tells.

    Raises
    ------
    TableNotFoundError
        No table has the name; near ones are named.
    """
    if isinstance(table, int):
        return TableRef(table)
    found = find_by_name(session, table)
    if found is not None:
        return found
    names = {each.name: each for each in list_all(session) if each.name is not None}
    if table in names:
        return names[table]
    hint = did_you_mean(table, names)
    if table.isdecimal():
        hint += f" A RecId is given as a number, without quotes: {table}."
    raise TableNotFoundError(f"There is no table named {table!r} among the account's {len(names):,} tables.{hint}")


def first_page(session: Session, table: TableRef, version: int | None = None) -> Page:
    """Read a table's first page, which also tells its columns.

    Raises
    ------
    TableNotFoundError
        There is no such RecId, or no such version.
    """
    try:
        return read_page(session, table.rec_id, 1, version)
    except NotFoundError as exc:
        raise _no_table(table, version) from exc


def _no_table(table: TableRef, version: int | None = None) -> TableNotFoundError:
    which = f"version {version} of table" if version is not None else "table with"
    return TableNotFoundError(f"There is no {which} {table.label} in this account.", operation="read")


def list_versions(session: Session, table: TableRef, page: int) -> Records:
    """One page of a table's versions.

    Raises
    ------
    TableNotFoundError
        There is no such RecId.
    """
    try:
        return versions(session, table.rec_id, page)
    except NotFoundError as exc:
        raise _no_table(table) from exc


@dataclass(frozen=True)
class KnownColumns:
    """A table's columns as far as its first page tells them; ``typed`` if it lists their types."""

    columns: tuple[Column, ...]
    typed: bool


def known_columns(page: Page) -> KnownColumns | None:
    """Read a table's columns off its first page; None if it is empty and the service does not list them."""
    if page.columns is not None:
        return KnownColumns(tuple(page.columns), typed=True)
    if page.rows:
        return KnownColumns(tuple(Column(name, "") for name in page.rows[0]), typed=False)
    return None


def is_row_id(column: Column, typed: bool) -> bool:
    """Whether the service fills a column itself; where it lists no types, the name says so (P)."""
    return (column.data_type if typed else column.name) in ROW_ID_TYPES
