"""Which table is meant: a RecId or a name, to the table and its columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pandas_clicdata import endpoints
from pandas_clicdata.checks import did_you_mean, rec_id_or_name, unicode_text
from pandas_clicdata.errors import IncompleteReadError, NotFoundError, TableNotFoundError
from pandas_clicdata.models import ROW_ID_TYPES, Column, Page, Records, TableRef

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


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
    filtered = filtered or (name is not None and endpoints.lists_by_name(session))
    page, received = 1, 0
    while True:
        listed = endpoints.list_tables(session, page, name, unique_key_available, refresh)
        fresh = [table for table in listed.tables if table.rec_id not in seen]
        seen.update(table.rec_id for table in fresh)
        yield from fresh
        received += len(fresh)
        # Nobody knows what the count says beside a filter.
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
    if name is None or endpoints.lists_by_name(session):
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
        return endpoints.read_page(session, table.rec_id, 1, version)
    except NotFoundError as exc:
        raise _no_table(table, version) from exc


def _no_table(table: TableRef, version: int | None = None) -> TableNotFoundError:
    which = f"version {version} of table" if version is not None else "table with"
    return TableNotFoundError(f"There is no {which} {table.label} in this account.", operation="read")


def versions(session: Session, table: TableRef, page: int) -> Records:
    """One page of a table's versions.

    Raises
    ------
    TableNotFoundError
        There is no such RecId.
    """
    try:
        return endpoints.versions(session, table.rec_id, page)
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
