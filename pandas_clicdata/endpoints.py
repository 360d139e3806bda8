"""One function an operation of the API: what is asked of whom, in the session's dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pandas_clicdata.errors import ClicDataError
from pandas_clicdata.models import (
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
    secrets_in,
)
from pandas_clicdata.session import Session, checked_session, shared_session
from pandas_clicdata.wire import body, operations
from pandas_clicdata.wire.operations import Operation
from pandas_clicdata.wire.records import content, record, records, said
from pandas_clicdata.wire.replies import Answer

Fields = Mapping[str, Any]
T = TypeVar("T")


def resolved(session: Session | None) -> Session:
    """Return the session given, or the shared one.

    Raises
    ------
    TypeError
        What was given is no session.
    """
    return shared_session() if session is None else checked_session(session, "session= is")


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
        body=None if fields is None else body.dumps(fields),
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
    return _changed(session, operation.request(rec_id, fields=fields), said)


def _changed(session: Session, asked: Request, read: Callable[[Answer], T]) -> T:
    try:
        return session.perform(session.dialect.ask(asked, read))
    except ClicDataError as exc:
        if exc.ambiguous:
            exc.add_note("It may have been carried out all the same: look before you ask again.")
        raise
