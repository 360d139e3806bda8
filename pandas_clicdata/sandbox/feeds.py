"""Tables with a file as their source: how they are created, and refreshed from the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from pandas_clicdata.sandbox import bodies
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.files import read_file
from pandas_clicdata.sandbox.protocol import operation
from pandas_clicdata.sandbox.rowtables import Change
from pandas_clicdata.sandbox.sources import Sources, check_name
from pandas_clicdata.sandbox.store import Store
from pandas_clicdata.sandbox.values import NUMERIC, number_key

Columns: TypeAlias = tuple[Column, ...]
Texts: TypeAlias = Sequence[Sequence[str]]


class Feeds:
    """Creates and refreshes tables from files.

    Parameters
    ----------
    store : Store
        The tables.
    sources : Sources
        The files.
    assume : Assumptions
        The assumed behaviours.
    """

    def __init__(self, store: Store, sources: Sources, assume: Assumptions) -> None:
        self._store = store
        self._sources = sources
        self._assume = assume

    @operation("POST", "feeds", "table_id")
    def feed(self, name: str, file: str, *, key: object = None, history: bool = True, description: str = "") -> int:
        """Create a table from a file, load the file and return the id; raise ValueError if it does not fit."""
        check_name(file)
        if history is not True and history is not False:
            raise ValueError(f"history is {history!r}; it must be True or False.")
        names = _key(key)
        try:
            source = read_file(file, self._sources.read(file))
            wanted = [{"name": column.name, "data_type": column.data_type} for column in source.columns(self._assume)]
            # The same rules as for tables that are created through the API.
            body = json.dumps({"name": name, "description": description, "columns": wanted}).encode()
            name, description, columns, _ = bodies.read_create(body, self._assume)
            texts = source.texts(columns)
            _check_key(file, names, columns, texts)
            return self._store.create(
                name, description, columns, source=file, key=names, history=history, texts=texts
            ).id  # fmt: skip
        except Refusal as exc:
            raise ValueError(exc.description) from None

    def refresh(self, table_id: int, method: str) -> None:
        """Refresh a table from its file by one of `METHODS`; a refused refresh changes nothing."""
        table = self._store.table(table_id)
        if table.source is None:
            if self._assume.refresh_without_source == "unchanged":
                return
            raise Refusal(400, "NoSource", f"The table '{table.name}' was created through the API and has no source.")
        if method in ("update", "updateappend") and not table.key:
            raise Refusal(400, "NoUniqueKey", f"The table '{table.name}' has no unique key by which to find its rows.")
        source = read_file(table.source, self._sources.read(table.source))
        with self._store.change(table_id) as change:
            columns = source.columns(self._assume) if method == "recreate" else change.table.columns
            texts = source.texts(columns)
            _check_key(table.source, table.key, columns, texts)
            _METHODS[method](change, columns, texts)


def _key(key: object) -> tuple[str, ...]:
    names = () if key is None else key
    if (
        not isinstance(names, list | tuple)
        or not all(isinstance(name, str) for name in names)
        or len(set(names)) != len(names)
    ):
        raise ValueError(f"key is {key!r}; it must be a list of different column names.")
    return tuple(names)


def _recreate(change: Change, columns: Columns, texts: Texts) -> None:
    if columns == change.table.columns:
        change.delete()
    else:
        change.recolumn(columns)
    change.insert(texts)


def _reload(change: Change, columns: Columns, texts: Texts) -> None:
    change.delete()
    change.insert(texts)


def _append(change: Change, columns: Columns, texts: Texts) -> None:
    change.insert(texts)


def _update(change: Change, columns: Columns, texts: Texts) -> list[int]:
    """Update the rows whose key is in the file; return the places of the other rows of the file."""
    table = change.table
    places = _places(table.key, columns)
    known: dict[tuple[str, ...], list[int]] = {}
    present = f"SELECT row, {', '.join(f'c{place}' for place in places)} FROM rows_{table.id}"  # noqa: S608
    for row, *cells in change.db.execute(present).fetchall():
        known.setdefault(_identity(places, columns, cells), []).append(row)
    new = []
    for number, identity in enumerate(_identities(places, columns, texts)):
        rows = known.get(identity, [])
        for row in rows:
            change.update(((place, column[number]) for place, column in enumerate(texts)), "row = ?", (row,))
        if not rows:
            new.append(number)
    return new


def _updateappend(change: Change, columns: Columns, texts: Texts) -> None:
    new = _update(change, columns, texts)
    change.insert([[column[number] for number in new] for column in texts])


_METHODS: dict[str, Callable[[Change, Columns, Texts], object]] = {
    "recreate": _recreate,
    "reload": _reload,
    "append": _append,
    "update": _update,
    "updateappend": _updateappend,
}
METHODS = tuple(_METHODS)
"""The methods of a refresh."""


# keys


def _places(key: Sequence[str], columns: Columns) -> list[int]:
    names = [column.name for column in columns]
    return [names.index(name) for name in key]


def _identity(places: Sequence[int], columns: Columns, cells: Sequence[str]) -> tuple[str, ...]:
    """Return the key of a row as text, the same text for equal values."""
    return tuple(
        number_key(cell) if columns[place].data_type in NUMERIC else cell
        for place, cell in zip(places, cells, strict=True)
    )


def _identities(places: Sequence[int], columns: Columns, texts: Texts) -> Iterator[tuple[str, ...]]:
    for cells in zip(*(texts[place] for place in places), strict=True):
        yield _identity(places, columns, cells)


def _check_key(file: str, key: Sequence[str], columns: Columns, texts: Texts) -> None:
    """Refuse a file that has a key twice, or lacks a column of the key."""
    for name in key:
        if name not in (column.name for column in columns):
            raise Refusal(400, "SourceMismatch", f"The source '{file}' lacks the column '{name}' of the unique key.")
    seen: dict[tuple[str, ...], int] = {}
    for number, identity in enumerate(_identities(_places(key, columns), columns, texts), 1):
        if identity in seen:
            raise Refusal(
                400,
                "KeyTwice",
                f"The source '{file}' has the same unique key in rows {seen[identity]} and {number}.",
            )
        seen[identity] = number
