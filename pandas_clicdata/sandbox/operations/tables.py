"""Tables, rows, versions and refreshes."""

from __future__ import annotations

from dataclasses import asdict

from pandas_clicdata.sandbox import bodies
from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.dialects import pagination
from pandas_clicdata.sandbox.operations.call import Call, Result, as_json, done, flag, whole
from pandas_clicdata.sandbox.operations.listing import created, one_page, shortened, window
from pandas_clicdata.sandbox.store import Table


def _columns(table: Table, row_id: str | None) -> list[dict[str, str]]:
    columns = [Column(row_id, row_id)] if row_id is not None else []
    return [asdict(column) for column in (*columns, *table.columns)]


# tables


def list_data(call: Call) -> Result:
    """``GET /data``."""
    tables = call.world.store.tables()
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


def list_table(call: Call) -> Result:
    """``GET /table``."""
    shown, paging = one_page(call, call.world.store.tables())
    entries = [{"id": table.id, "name": table.name, "description": table.description} for table in shown]
    return Result(as_json(entries), paging)


def create(call: Call) -> Result:
    """``POST /data``."""
    table = call.world.store.create(*bodies.read_create(call.body, call.world.assume.row_id))
    return created(call, table.id)


# reading


def read(call: Call, table: int, version: int | None = None) -> Result:
    """``GET /data/{id}`` and ``GET /data/{id}/v/{ver}``."""
    world = call.world
    page, size = whole(call, "page", 1), world.page_size
    offset, limit = window(call, page, size)
    found, total, rows = world.store.page(
        table,
        offset,
        limit,
        version=version,
        row_id=world.assume.row_id,
        iso_datetimes=world.assume.datetime_form == "iso_offset",
    )
    rows = shortened(call, rows)
    more = page * size < total
    data = f'"data": [{",".join(rows)}]'
    columns = f', "columns": {as_json(_columns(found, world.assume.row_id))}' if world.assume.column_metadata else ""
    if call.dialect.wrapped:
        paging = pagination(world.assume.pagination, len(rows), total, page, size, more=more)
        return Result(f"{{{data}{columns}}}", paging)
    return Result(f'{{{data}, "has_more_data": {as_json(more)}{columns}}}')


def versions(call: Call, table: int) -> Result:
    """``GET /data/{id}/versions``."""
    entries = [
        {"version": version.version, "creation_date": version.created, "row_count": version.rows}
        for version in call.world.store.versions(table)
    ]
    return Result(as_json({"versions": entries}))


# writing


def _append(call: Call, table: int, shape: str) -> tuple[int, int]:
    store = call.world.store
    columns = store.table(table).columns
    parsed = bodies.parse(call.body)
    if isinstance(parsed, dict) and isinstance(parsed.get("data"), list):
        call.visit.rows = len(parsed["data"])
    cells = bodies.read_rows(parsed, shape, columns)
    found = len(cells[0])
    if call.visit.accept is not None:
        cells = [column[: call.visit.accept] for column in cells]
    return store.insert(table, columns, cells, call.visit.number), found


def append_cells(call: Call, table: int) -> Result:
    """``POST /data/{id}/row`` and ``POST /table/{id}``."""
    _append(call, table, "cells")
    return done(call)


def append_positions(call: Call, table: int) -> Result:
    """``POST /data/{id}/rows``."""
    _append(call, table, "positions")
    return done(call)


def insert(call: Call, table: int) -> Result:
    """``POST /data/{id}/insert``."""
    inserted, found = _append(call, table, "objects")
    return Result(as_json({"rows_inserted": inserted, "rows_found": found} if call.world.assume.insert_counts else {}))


def update(call: Call, table: int) -> Result:
    """``PUT /data/{id}/row``."""
    store = call.world.store
    columns = store.table(table).columns
    store.update(table, columns, *bodies.read_update(call.body, columns, call.world.assume.row_id))
    return done(call)


def delete(call: Call, table: int) -> Result:
    """``DELETE /data/{id}/row``."""
    store = call.world.store
    columns = store.table(table).columns
    store.delete(table, columns, bodies.read_delete(call.body, columns, call.world.assume.row_id))
    return done(call)
