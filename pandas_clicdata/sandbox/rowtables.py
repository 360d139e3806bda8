"""The SQL tables with the rows of a ClicData table, and what a transaction does to them.

``rows_N`` has the current rows of the table with the id N, with a column of canonical JSON text ``c0``, ``c1``, … for
each column. ``past_N`` has the rows that a later version changed or deleted. Both have the version in which a row was
created (``born``). When a table gets other columns, all its rows move to the past, this past is renamed to
``past_N_1``, ``past_N_2``, … (a generation, whose columns are in ``generations``), and new SQL tables are created.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import repeat
from json.encoder import encode_basestring as quote
from typing import Any

from pandas_clicdata.sandbox.bodies import Column

_ARGUMENTS = 100  # SQLite functions take at most 127

# The day overflows SQLite's calendar when two hours are added to the last evening of 9999.
_ISO = (
    "CASE WHEN {c} = 'null' THEN {c} ELSE coalesce("
    "'\"' || strftime('%Y-%m-%dT%H:%M:%S', substr({c}, 2, 19), '+2 hours') || substr({c}, 21, length({c}) - 21)"
    " || '+02:00\"', substr({c}, 1, 11) || 'T' || substr({c}, 13, length({c}) - 13) || '+00:00\"') END"
)


@dataclass(frozen=True)
class Table:
    """The current state of a table.

    Attributes
    ----------
    id : int
        The RecId.
    name, description : str
        Name and description.
    columns : tuple of Column
        The columns.
    created, updated : str
        Local time with its UTC offset.
    rows : int
        The number of rows.
    next_row : int
        The number of the next row.
    version : int
        The number of the current version, from 1.
    source : str, optional
        The name of the source file. None: the table was created through the API.
    key : tuple of str
        The columns of the unique key.
    history : bool
        Whether versions are kept.
    row_id : Column, optional
        The row id column with which the table was created. None: it has none, or the one that every table has.
    """

    id: int
    name: str
    description: str
    columns: tuple[Column, ...]
    created: str
    updated: str
    rows: int
    next_row: int
    version: int
    source: str | None = None
    key: tuple[str, ...] = ()
    history: bool = True
    row_id: Column | None = None


@dataclass(frozen=True)
class Generation:
    """The rows with the same columns: the SQL tables of current and past rows, and the columns."""

    columns: tuple[Column, ...]
    now: str | None
    past: str


def now() -> str:
    """Return the local time with its UTC offset, in the form of the API."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def cells(width: int) -> str:
    """Return the names of so many SQL columns, separated by commas."""
    return ", ".join(f"c{place}" for place in range(width))


def make(db: sqlite3.Connection, table_id: int, width: int) -> None:
    """Create the SQL tables for so many columns."""
    kept = ", ".join(f"c{place} TEXT NOT NULL" for place in range(width))
    db.execute(f"CREATE TABLE rows_{table_id} (row INTEGER PRIMARY KEY, born INTEGER NOT NULL, {kept})")
    db.execute(
        f"CREATE TABLE past_{table_id} (row INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER NOT NULL, {kept})"
    )


def add(db: sqlite3.Connection, table_id: int, first: int, version: int, texts: Sequence[Sequence[str]]) -> None:
    """Add rows, given as one list of stored texts for each column; `first` is the number of the first row."""
    marks = ", ".join("?" * (2 + len(texts)))
    count = len(texts[0])
    db.executemany(
        f"INSERT INTO rows_{table_id} VALUES ({marks})",  # noqa: S608
        zip(range(first, first + count), repeat(version), *texts, strict=False),
    )


def generations(db: sqlite3.Connection, table: Table) -> list[Generation]:
    """Return all generations of a table, the current one first."""
    found = [Generation(table.columns, f"rows_{table.id}", f"past_{table.id}")]
    for number, columns in db.execute(
        "SELECT number, columns FROM generations WHERE table_id = ? ORDER BY number DESC", (table.id,)
    ):
        found.append(Generation(_columns(columns), None, f"past_{table.id}_{number}"))
    return found


def generation(db: sqlite3.Connection, table: Table, version: int) -> Generation:
    """Return the generation of a version."""
    old = db.execute(
        "SELECT number, columns FROM generations WHERE table_id = ? AND died > ? ORDER BY number LIMIT 1",
        (table.id, version),
    ).fetchone()
    if old is None:
        return Generation(table.columns, f"rows_{table.id}", f"past_{table.id}")
    return Generation(_columns(old[1]), None, f"past_{table.id}_{old[0]}")


def _columns(text: str) -> tuple[Column, ...]:
    return tuple(Column(name, data_type) for name, data_type in json.loads(text))


@lru_cache(maxsize=256)
def row_expression(
    columns: tuple[Column, ...], *, row_id: str | None = None, iso_datetimes: bool = False
) -> tuple[str, Mapping[str, str]]:
    """Return an SQL expression for one row as a JSON object, and the values of its parameters by name.

    Cells are the SQL columns ``c0``, ``c1``, …, and the row id is ``row``. No cell passes through Python.
    """
    cells = [
        _ISO.format(c=f"c{number}") if iso_datetimes and column.data_type == "datetime" else f"c{number}"
        for number, column in enumerate(columns)
    ]
    names = [column.name for column in columns]
    if row_id is not None:
        cells.insert(0, "row")
        names.insert(0, row_id)
    calls, templates = [], []
    for start in range(0, len(cells), _ARGUMENTS):
        part = slice(start, start + _ARGUMENTS)
        templates.append(",".join(f"{quote(name).replace('%', '%%')}:%s" for name in names[part]))
        calls.append(f"printf(:part{len(templates)}, {', '.join(cells[part])})")
    templates = ["," * bool(number) + template for number, template in enumerate(templates)]
    templates[0] = "{" + templates[0]
    templates[-1] += "}"
    return " || ".join(calls), {f"part{number}": template for number, template in enumerate(templates, 1)}


class Change:
    """The change of a table in one transaction; `Store.change` creates it and calls `finish`."""

    def __init__(self, db: sqlite3.Connection, table: Table) -> None:
        self.db = db
        self.table = table
        self._version = table.version + 1
        self._columns = table.columns
        self._added = 0
        self._removed = 0
        self._changed = False

    def insert(self, texts: Sequence[Sequence[str]]) -> range:
        """Append rows, given as one list of stored texts for each column; return their numbers."""
        count = len(texts[0])
        first = self.table.next_row + self._added
        if count:
            add(self.db, self.table.id, first, self._version, texts)
            self._added += count
            self._changed = True
        return range(first, first + count)

    def delete(self, where: str = "1", values: Sequence[Any] = ()) -> int:
        """Delete the rows that match an SQL condition; return their number."""
        self._keep_past(where, values)
        deleted = self.db.execute(f"DELETE FROM rows_{self.table.id} WHERE {where}", values).rowcount  # noqa: S608
        self._removed += deleted
        self._changed |= deleted > 0
        return deleted

    def update(self, texts: Iterable[tuple[int, str]], where: str, values: Sequence[Any]) -> int:
        """Set texts by column number in the rows that match an SQL condition; return their number."""
        self._keep_past(where, values)
        given = list(texts)
        places = "".join(f", c{place} = ?" for place, _ in given)
        found = self.db.execute(
            f"UPDATE rows_{self.table.id} SET born = ?{places} WHERE {where}",  # noqa: S608
            (self._version, *(text for _, text in given), *values),
        ).rowcount
        self._changed |= found > 0
        return found

    def recolumn(self, columns: tuple[Column, ...]) -> None:
        """Delete all rows and give the table other columns."""
        table, db = self.table, self.db
        self.delete()
        past = f"past_{table.id}"
        # A table without history keeps only the rows that were inserted through the API, which the ledger reads.
        if table.history or db.execute(f"SELECT 1 FROM {past} LIMIT 1").fetchone():  # noqa: S608
            number = db.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM generations WHERE table_id = ?", (table.id,)
            ).fetchone()[0]
            db.execute(f"ALTER TABLE {past} RENAME TO {past}_{number}")
            names = json.dumps([(column.name, column.data_type) for column in table.columns], ensure_ascii=False)
            db.execute("INSERT INTO generations VALUES (?, ?, ?, ?)", (table.id, number, self._version, names))
        else:
            db.execute(f"DROP TABLE {past}")
        db.execute(f"DROP TABLE rows_{table.id}")
        make(db, table.id, len(columns))
        db.execute("DELETE FROM columns WHERE table_id = ?", (table.id,))
        keep_columns(db, table.id, columns)
        self._columns = columns
        self._changed = True

    def _keep_past(self, where: str, values: Sequence[Any]) -> None:
        """Copy rows into the past before they change."""
        table = self.table
        if not table.history:
            where = (
                f"({where}) AND EXISTS (SELECT 1 FROM inserts WHERE table_id = {table.id}"  # noqa: S608
                " AND row BETWEEN first_row AND last_row)"
            )
        kept = cells(len(table.columns))
        self.db.execute(
            f"INSERT INTO past_{table.id} SELECT row, born, ?, {kept} FROM rows_{table.id} WHERE {where}",  # noqa: S608
            (self._version, *values),
        )

    def finish(self) -> Table:
        """Store the new state of the table, with a new version if a row was changed; return it."""
        if not self._changed:
            return self.table
        table = replace(
            self.table,
            columns=self._columns,
            updated=now(),
            rows=self.table.rows + self._added - self._removed,
            next_row=self.table.next_row + self._added,
            version=self._version,
        )
        self.db.execute(
            "UPDATE tables SET updated = ?, rows = ?, next_row = ?, version = ? WHERE id = ?",
            (table.updated, table.rows, table.next_row, table.version, table.id),
        )
        keep_version(self.db, table)
        return table


def keep_columns(db: sqlite3.Connection, table_id: int, columns: Sequence[Column]) -> None:
    """Store the columns of a table that has none."""
    db.executemany(
        "INSERT INTO columns VALUES (?, ?, ?, ?)",
        [(table_id, place, column.name, column.data_type) for place, column in enumerate(columns)],
    )


def keep_version(db: sqlite3.Connection, table: Table) -> None:
    """Store the version of a table, if its history is kept."""
    if table.history:
        db.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", (table.id, table.version, table.updated, table.rows))
