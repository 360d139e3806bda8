"""Tables, their rows and versions, and refreshes from their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache

from pandas_clicdata.sandbox import bodies, uniform_rows
from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.dialects import Refusal, pagination
from pandas_clicdata.sandbox.operations.call import (
    FLAG,
    NAME,
    PAGE,
    PAGES,
    Call,
    Result,
    as_json,
    created,
    done,
    flag,
    integer,
    one_page,
    removed,
    window,
)
from pandas_clicdata.sandbox.routes import FIRST, LAST, route

_TABLE = "/data/<int:table>"
_NO_TABLE = Refusal(404, "NotFound", "No table has the id.")
_VALUE = Refusal(400, "InvalidValue", "A value does not fit its column.")
_TOO_MANY = Refusal(400, "TooManyRows", "The request has too many rows.")
_CHANGED = Refusal(409, "TableChanged", "A refresh has just changed the columns of the table.")
_APPEND = (_VALUE, _TOO_MANY, _NO_TABLE, _CHANGED)
_MATCH = (_VALUE, _NO_TABLE, _CHANGED)
_SOURCE = (
    Refusal(400, "NoSource", "The table was created through the API and has no source."),
    Refusal(400, "SourceUnreadable", "The source cannot be read."),
    Refusal(400, "SourceMismatch", "The source does not fit the table."),
    Refusal(400, "KeyTwice", "Two rows of the source have the same unique key."),
    _NO_TABLE,
)
_KEYED = (*_SOURCE, Refusal(400, "NoUniqueKey", "The table has no unique key by which to find its rows."))


# tables


@route(
    "GET",
    "/data",
    "list",
    result="DataList",
    until=(2024, 1),
    query={
        **NAME,
        "uniquekeyavailable": (FLAG, "Only tables with a unique key, or only tables without one."),
        "refresh": (FLAG, "Only tables with a source, or only tables without one."),
    },
)
def list_data(call: Call) -> Result:
    """List the tables."""
    tables = call.backend.store.tables()
    name = call.query.get("name")
    if name is not None:
        tables = [table for table in tables if table.name.casefold() == name.casefold()]
    keyed, fed = flag(call, "uniquekeyavailable"), flag(call, "refresh")
    tables = [table for table in tables if keyed in (None, bool(table.key)) and fed in (None, table.source is not None)]
    entries = [
        {
            "rec_id": table.id,
            "name": table.name,
            "description": table.description,
            "source": "api" if table.source is None else "file",
            "creation_date": table.created,
            "last_data_update_date": table.updated,
        }
        for table in tables
    ]
    return Result(as_json({"count": len(entries), "data": entries}))


@route("GET", "/table", "list", result="TableList", pages=PAGES, bare=False, since=(2025, 3))
def list_table(call: Call) -> Result:
    """List the tables."""
    shown, paging = one_page(call, call.backend.store.tables())
    entries = [{"id": table.id, "name": table.name, "description": table.description} for table in shown]
    return Result(as_json(entries), paging)


@route(
    "POST",
    "/data",
    result="Created",
    body="NewTable",
    refusals=(Refusal(409, "NameTaken", "Another table has the name."),),
)
def create(call: Call) -> Result:
    """Create a table."""
    table = call.backend.store.create(*bodies.read_create(call.body, call.backend.assume))
    return created(call, table.id)


# reading


@lru_cache(maxsize=256)
def _json_columns(columns: tuple[Column, ...]) -> bytes:
    return as_json([asdict(column) for column in columns]).encode()


@route("GET", f"{_TABLE}/v/<int:version>", "read_version", result="Page", query=PAGE, pages={}, refusals=(_NO_TABLE,))
@route("GET", _TABLE, result="Page", query=PAGE, pages={}, refusals=(_NO_TABLE,))
def read(call: Call, table: int, version: int | None = None) -> Result:
    """Read a page of rows."""
    backend = call.backend
    row_id = backend.store.row_id(backend.store.table(table))
    page, size = integer(call, "page", 1), backend.page_size
    offset, limit = window(call, page, size)
    found = backend.store.page(
        table,
        offset,
        limit,
        version=version,
        row_id=None if row_id is None else row_id.name,
        iso_datetimes=backend.assume.datetime_form == "iso_offset",
        newest_first=backend.assume.row_order == "newest_first",
        without_last=removed(call),
    )
    more = page * size < found.total
    data = b'"data": [%b]' % found.json_rows
    columns = b""
    if backend.assume.column_metadata:
        columns = b', "columns": %b' % _json_columns((*([] if row_id is None else [row_id]), *found.table.columns))
    if call.dialect.wrapped:
        paging = pagination(backend.assume.pagination, found.count, found.total, page, size, more=more)
        return Result(b"{%b%b}" % (data, columns), paging)
    return Result(b'{%b, "has_more_data": %b%b}' % (data, as_json(more).encode(), columns))


@route("GET", f"{_TABLE}/versions", result="Versions", refusals=(_NO_TABLE,))
def versions(call: Call, table: int) -> Result:
    """List the versions of a table."""
    entries = [
        {"version": version.version, "creation_date": version.created, "row_count": version.rows}
        for version in call.backend.store.versions(table)
    ]
    return Result(as_json({"versions": entries}))


# writing


def _columns(call: Call, table: int) -> tuple[tuple[Column, ...], str | None]:
    """Return the columns of a table and the name of its row id column, if it has one."""
    found = call.backend.store.table(table)
    row_id = call.backend.store.row_id(found)
    return found.columns, None if row_id is None else row_id.name


def _append(call: Call, table: int, shape: str) -> tuple[int, int]:
    store = call.backend.store
    columns, row_id = _columns(call, table)
    cells: Sequence[Sequence[str]] | None = uniform_rows.read(call.body, shape, columns, row_id, call.backend.assume)
    if cells is not None:
        call.notes.rows = found = len(cells[0])
    else:
        parsed = bodies.parse(call.body)
        if isinstance(parsed, dict) and isinstance(parsed.get("data"), list):
            call.notes.rows = len(parsed["data"])
        cells = bodies.read_rows(parsed, shape, columns, row_id, call.backend.assume)
        found = len(parsed["data"])
    if call.notes.accept is not None:
        cells = [column[: call.notes.accept] for column in cells]
    return store.insert(table, columns, cells, call.notes.number), found


@route("POST", "/table/<int:table>", "append", body="RowsOfCells", refusals=_APPEND, bare=False)
@route("POST", f"{_TABLE}/row", "append", body="RowsOfCells", refusals=_APPEND, since=LAST, until=FIRST)
def append_cells(call: Call, table: int) -> Result:
    """Append rows, each a list of cells."""
    _append(call, table, "cells")
    return done(call)


@route("POST", f"{_TABLE}/rows", "append", body="RowsOfValues", refusals=_APPEND, since=LAST, until=FIRST)
def append_positions(call: Call, table: int) -> Result:
    """Append rows, each a list of values in the order of the columns."""
    _append(call, table, "positions")
    return done(call)


@route(
    "POST",
    f"{_TABLE}/insert",
    "append",
    result="Inserted",
    body="RowsByName",
    refusals=_APPEND,
    bare=False,
    since=(2022, 1),
)
def insert(call: Call, table: int) -> Result:
    """Append rows, each an object."""
    inserted, found = _append(call, table, "objects")
    return Result(
        as_json({"rows_inserted": inserted, "rows_found": found} if call.backend.assume.insert_counts else {})
    )


@route("PUT", f"{_TABLE}/row", body="RowsToUpdate", refusals=_MATCH)
def update(call: Call, table: int) -> Result:
    """Update the rows that match."""
    store, assume = call.backend.store, call.backend.assume
    columns, row_id = _columns(call, table)
    match, values = bodies.read_update(call.body, columns, row_id, assume)
    if values:
        store.update(table, columns, match, values)
    return done(call)


@route("DELETE", f"{_TABLE}/row", body="RowsToDelete", refusals=_MATCH)
def delete(call: Call, table: int) -> Result:
    """Delete the rows that match."""
    store, assume = call.backend.store, call.backend.assume
    columns, row_id = _columns(call, table)
    store.delete(table, columns, bodies.read_delete(call.body, columns, row_id, assume))
    return done(call)


# refreshes


def _refreshed(call: Call, table: int, method: str) -> Result:
    call.backend.feeds.refresh(table, method)
    return done(call)


@route(
    "POST",
    "/table/<int:table>/refresh",
    "rebuild",
    result="Refreshed",
    body="Refresh",
    refusals=_KEYED,
    bare=False,
    since=(2025, 3),
)
def refresh(call: Call, table: int) -> Result:
    """Refresh a table from its source."""
    mode = bodies.read_refresh(call.body)
    # Only this mode has another name than its path.
    call.backend.feeds.refresh(table, "recreate" if mode == "rebuild" else mode)
    return Result(as_json({"success": True} if call.backend.assume.refresh_result == "success" else {}))


@route("POST", f"{_TABLE}/recreate", "rebuild", refusals=_SOURCE, until=(2024, 1), empty=True)
def source_recreate(call: Call, table: int) -> Result:
    """Recreate columns and rows from the source."""
    return _refreshed(call, table, "recreate")


@route("POST", f"{_TABLE}/reload", "rebuild", refusals=_SOURCE, until=(2024, 1), empty=True)
@route("POST", f"{_TABLE}/rebuild", "rebuild", refusals=_SOURCE, until=(2024, 1), empty=True)
def source_reload(call: Call, table: int) -> Result:
    """Replace all rows by those of the source."""
    return _refreshed(call, table, "reload")


@route("POST", f"{_TABLE}/update", "rebuild", refusals=_KEYED, until=(2024, 1), empty=True)
def source_update(call: Call, table: int) -> Result:
    """Update rows from the source, by their unique key."""
    return _refreshed(call, table, "update")


@route("POST", f"{_TABLE}/append", "rebuild", refusals=_SOURCE, until=(2024, 1), empty=True)
def source_append(call: Call, table: int) -> Result:
    """Append all rows of the source."""
    return _refreshed(call, table, "append")


@route("POST", f"{_TABLE}/updateappend", "rebuild", refusals=_KEYED, until=(2024, 1), empty=True)
def source_updateappend(call: Call, table: int) -> Result:
    """Update rows from the source, by their unique key, and append the other rows."""
    return _refreshed(call, table, "updateappend")
