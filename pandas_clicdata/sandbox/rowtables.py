"""The SQL tables that hold the rows of a ClicData table, and what a transaction does to them.

``rows_N`` has the rows of the table with the id N as they are, one column of canonical JSON text ``c0``, ``c1``, … per
column; ``past_N`` the rows that a later version changed or deleted. Both carry the version a row was born in. When a
table gets other columns, its rows all go to the past, that past becomes ``past_N_1``, ``past_N_2``, … (a generation,
with its columns in ``generations``), and a new pair of SQL tables begins.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
    """A table as it stands.

    `source` is the name of the file that it is fed from, None where it was made through the API; `key` are the columns
    that tell its rows apart; `history` says whether its versions are kept.
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


@dataclass(frozen=True)
class Generation:
    """Where rows of the same columns lie: an SQL query for all of them, past and present, and the columns."""

    columns: tuple[Column, ...]
    now: str | None
    past: str


def now() -> str:
    """The local time with its offset, as the service writes it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def cells(width: int) -> str:
    """The names of that many SQL columns, with commas."""
    return ", ".join(f"c{place}" for place in range(width))


def make(db: sqlite3.Connection, table_id: int, width: int) -> None:
    """Make the pair of SQL tables for that many columns."""
    kept = ", ".join(f"c{place} TEXT NOT NULL" for place in range(width))
    db.execute(f"CREATE TABLE rows_{table_id} (row INTEGER PRIMARY KEY, born INTEGER NOT NULL, {kept})")
    db.execute(
        f"CREATE TABLE past_{table_id} (row INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER NOT NULL, {kept})"
    )


def add(db: sqlite3.Connection, table_id: int, first: int, version: int, texts: Sequence[Sequence[str]]) -> None:
    """Add rows, given as one list of stored texts a column; `first` is the number of the first."""
    marks = ", ".join("?" * (2 + len(texts)))
    count = len(texts[0])
    db.executemany(
        f"INSERT INTO rows_{table_id} VALUES ({marks})",  # noqa: S608
        zip(range(first, first + count), repeat(version), *texts, strict=False),
    )


def generations(db: sqlite3.Connection, table: Table) -> list[Generation]:
    """All generations of a table, the present one first."""
    found = [Generation(table.columns, f"rows_{table.id}", f"past_{table.id}")]
    for number, columns in db.execute(
        "SELECT number, columns FROM generations WHERE table_id = ? ORDER BY number DESC", (table.id,)
    ):
        found.append(Generation(_columns(columns), None, f"past_{table.id}_{number}"))
    return found


def generation(db: sqlite3.Connection, table: Table, version: int) -> Generation:
    """The generation that a version belongs to."""
    old = db.execute(
        "SELECT number, columns FROM generations WHERE table_id = ? AND died > ? ORDER BY number LIMIT 1",
        (table.id, version),
    ).fetchone()
    if old is None:
        return Generation(table.columns, f"rows_{table.id}", f"past_{table.id}")
    return Generation(_columns(old[1]), None, f"past_{table.id}_{old[0]}")


def _columns(text: str) -> tuple[Column, ...]:
    return tuple(Column(name, data_type) for name, data_type in json.loads(text))


def row_expression(
    columns: Sequence[Column], *, row_id: str | None = None, iso_datetimes: bool = False
) -> tuple[str, list[str]]:
    """An SQL expression for one row as a JSON object, and the values of its parameters ``?1``, ``?2``, …

    Cells are the SQL columns ``c0``, ``c1``, …; the row id is ``row``.
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
        calls.append(f"printf(?{len(templates)}, {', '.join(cells[part])})")
    templates = ["," * bool(number) + template for number, template in enumerate(templates)]
    templates[0] = "{" + templates[0]
    templates[-1] += "}"
    return " || ".join(calls), templates


class Change:
    """What one transaction does to a table; `Store.change` makes it and calls `finish`."""

    def __init__(self, db: sqlite3.Connection, table: Table) -> None:
        self.db = db
        self.table = table
        self._version = table.version + 1
        self._columns = table.columns
        self._added = 0
        self._removed = 0
        self._touched = False

    def insert(self, texts: Sequence[Sequence[str]]) -> range:
        """Append rows, given as one list of stored texts a column; their numbers."""
        count = len(texts[0])
        first = self.table.next_row + self._added
        if count:
            add(self.db, self.table.id, first, self._version, texts)
            self._added += count
            self._touched = True
        return range(first, first + count)

    def delete(self, where: str = "1", values: Sequence[Any] = ()) -> int:
        """Delete the rows that an SQL condition finds; the number of them."""
        self._bury(where, values)
        gone = self.db.execute(f"DELETE FROM rows_{self.table.id} WHERE {where}", values).rowcount  # noqa: S608
        self._removed += gone
        self._touched |= gone > 0
        return gone

    def update(self, texts: Iterable[tuple[int, str]], where: str, values: Sequence[Any]) -> int:
        """Give the rows that an SQL condition finds new texts by column number; the number of them."""
        self._bury(where, values)
        given = list(texts)
        places = "".join(f", c{place} = ?" for place, _ in given)
        found = self.db.execute(
            f"UPDATE rows_{self.table.id} SET born = ?{places} WHERE {where}",  # noqa: S608
            (self._version, *(text for _, text in given), *values),
        ).rowcount
        self._touched |= found > 0
        return found

    def recolumn(self, columns: tuple[Column, ...]) -> None:
        """Take all rows away and give the table other columns."""
        table, db = self.table, self.db
        self.delete()
        past = f"past_{table.id}"
        # Without history only rows that came by API are in the past, and only the ledger asks for them.
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
        self._touched = True

    def _bury(self, where: str, values: Sequence[Any]) -> None:
        """Keep the rows that are about to change, for the versions that had them."""
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
        """Write down what has become of the table; a new version if any row was touched."""
        if not self._touched:
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
    """Write down the columns of a table that has none."""
    db.executemany(
        "INSERT INTO columns VALUES (?, ?, ?, ?)",
        [(table_id, place, column.name, column.data_type) for place, column in enumerate(columns)],
    )


def keep_version(db: sqlite3.Connection, table: Table) -> None:
    """Write down the version that a table has come to, where its history is kept."""
    if table.history:
        db.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", (table.id, table.version, table.updated, table.rows))
