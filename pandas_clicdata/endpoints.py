"""One function an operation of the API: what is asked of whom, in the session's dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pandas_clicdata.models import Column, Framing, MultipleRows, Page, RefreshMethod, Sent, TableList
from pandas_clicdata.session import Session, shared_session


def resolved(session: Session | None) -> Session:
    """Return the session given, or the shared one.

    Raises
    ------
    TypeError
        What was given is no session.
    """
    if session is None:
        return shared_session()
    if not isinstance(session, Session):
        raise TypeError(f"session= is a Session, as cd.connect(…) and cd.Session(…) make one, not {session!r}.")
    return session


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


def read_page(session: Session, rec_id: int, page: int, version: int | None = None) -> Page:
    """One page of a table's rows, or of an old version's."""
    return session.perform(session.dialect.read_page(rec_id, page, version))


def versions(session: Session, rec_id: int) -> Page:
    """The versions of a table, an entry each."""
    return session.perform(session.dialect.versions(rec_id))


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


def delete(session: Session, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Sent:
    """Delete every row that matches, or the first of them."""
    return session.perform_counting(session.dialect.delete(rec_id, find, multiple_rows))[1]


def update(session: Session, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all") -> Sent:
    """Give these values to every row that matches, or to the first of them."""
    return session.perform_counting(session.dialect.update(rec_id, find, values, multiple_rows))[1]


def refresh(session: Session, rec_id: int, method: RefreshMethod) -> dict[str, Any]:
    """Fill a table anew from its source, and return what the service says to that."""
    return session.perform(session.dialect.refresh(rec_id, method))
