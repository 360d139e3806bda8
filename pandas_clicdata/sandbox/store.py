"""Tables, rows and their versions in SQLite.

A ClicData table is an SQL table ``rows_N`` of what is current, with one column of canonical JSON text per column, and
a table ``past_N`` of the rows that a later version changed or deleted. Both carry the version a row was born in.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import Any

from pandas_clicdata.sandbox.bodies import Column, Match
from pandas_clicdata.sandbox.refusal import Refusal
from pandas_clicdata.sandbox.rowjson import row_expression
from pandas_clicdata.sandbox.values import NUMERIC, number_key

_INDEX_FROM = 2000  # rows; below that a scan is as fast
_INDEXES = 6  # per table: each one makes every insert slower
_INDEX_COLUMNS = 4

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, expires REAL, scopes TEXT NOT NULL, redirect_uri TEXT
);
CREATE TABLE IF NOT EXISTS tables (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL, rows INTEGER NOT NULL, next_row INTEGER NOT NULL,
    version INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS columns (
    table_id INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, data_type TEXT NOT NULL,
    PRIMARY KEY (table_id, place)
);
CREATE TABLE IF NOT EXISTS versions (
    table_id INTEGER NOT NULL, version INTEGER NOT NULL, created TEXT NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (table_id, version)
);
CREATE TABLE IF NOT EXISTS inserts (
    table_id INTEGER NOT NULL, request INTEGER NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL
);
INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT 'tables', 1000
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'tables');
"""


@dataclass(frozen=True)
class Table:
    """A table as it stands."""

    id: int
    name: str
    description: str
    columns: tuple[Column, ...]
    created: str
    updated: str
    rows: int
    next_row: int
    version: int


@dataclass(frozen=True)
class Version:
    """A version of a table."""

    version: int
    created: str
    rows: int


@dataclass
class _Change:
    """What a transaction does to a table: filled in by the caller of `Store._change`."""

    table: Table
    version: int
    grown: int = 0
    touched: int = 0


def now() -> str:
    """The local time with its offset, as the service writes it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


class Store:
    """The database. Every method is one transaction and may be called from any thread.

    Parameters
    ----------
    path : Path, optional
        The SQLite file; memory without it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, timeout=1, isolation_level=None, check_same_thread=False
        )
        try:
            self._db.create_function("number_key", 1, number_key, deterministic=True)
            # Held for good: two servers on one file would each believe in their own catalogue.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA trusted_schema = ON")
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as exc:
            self._db.close()
            raise ValueError(f"The data folder cannot be used, another sandbox may have it open: {exc}.") from exc
        except BaseException:
            self._db.close()
            raise
        self._tables: dict[int, Table] = {}
        self._load()

    def close(self) -> None:
        """Close the database; what was committed stays in the file."""
        with self._lock:
            self._db.close()

    def _load(self) -> None:
        columns: dict[int, list[Column]] = {}
        for table_id, name, data_type in self._db.execute(
            "SELECT table_id, name, data_type FROM columns ORDER BY table_id, place"
        ):
            columns.setdefault(table_id, []).append(Column(name, data_type))
        for table_id, *rest in self._db.execute(
            "SELECT id, name, description, created, updated, rows, next_row, version FROM tables ORDER BY id"
        ):
            name, description, *facts = rest
            self._tables[table_id] = Table(table_id, name, description, tuple(columns[table_id]), *facts)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, inside a transaction that is undone when the block raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # tables

    def table(self, table_id: int) -> Table:
        """The table of that id; a 404 if there is none."""
        try:
            return self._tables[table_id]
        except KeyError:
            raise Refusal(404, "NotFound", f"There is no table with the id {table_id}.") from None

    def tables(self) -> list[Table]:
        """All tables, in the order they were made."""
        with self._lock:
            return list(self._tables.values())

    def create(self, name: str, description: str, columns: tuple[Column, ...]) -> Table:
        """Make a table; a 409 if its name is taken."""
        at = now()
        with self._lock:
            try:
                with self.transaction() as db:
                    cursor = db.execute(
                        "INSERT INTO tables (key, name, description, created, updated, rows, next_row, version)"
                        " VALUES (?, ?, ?, ?, ?, 0, 1, 1)",
                        (name.casefold(), name, description, at, at),
                    )
                    table_id = cursor.lastrowid or 0
                    db.executemany(
                        "INSERT INTO columns VALUES (?, ?, ?, ?)",
                        [(table_id, place, column.name, column.data_type) for place, column in enumerate(columns)],
                    )
                    db.execute("INSERT INTO versions VALUES (?, 1, ?, 0)", (table_id, at))
                    cells = ", ".join(f"c{place} TEXT NOT NULL" for place in range(len(columns)))
                    db.execute(
                        f"CREATE TABLE rows_{table_id} (row INTEGER PRIMARY KEY, born INTEGER NOT NULL, {cells})"
                    )
                    db.execute(
                        f"CREATE TABLE past_{table_id}"
                        f" (row INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER NOT NULL, {cells})"
                    )
            except sqlite3.IntegrityError:
                raise Refusal(409, "NameTaken", f"There is a table named '{name}' already.") from None
            table = Table(table_id, name, description, columns, at, at, 0, 1, 1)
            self._tables[table_id] = table
            return table

    @contextmanager
    def _change(self, table_id: int) -> Iterator[tuple[sqlite3.Connection, _Change]]:
        with self._lock:
            table = self.table(table_id)
            with self.transaction() as db:
                change = _Change(table, table.version + 1)
                yield db, change
                if change.touched:
                    table = replace(
                        table,
                        updated=now(),
                        rows=table.rows + change.grown,
                        next_row=table.next_row + max(change.grown, 0),
                        version=change.version,
                    )
                    db.execute(
                        "UPDATE tables SET updated = ?, rows = ?, next_row = ?, version = ? WHERE id = ?",
                        (table.updated, table.rows, table.next_row, table.version, table_id),
                    )
                    db.execute(
                        "INSERT INTO versions VALUES (?, ?, ?, ?)", (table_id, table.version, table.updated, table.rows)
                    )
            self._tables[table_id] = table

    # rows

    def insert(self, table_id: int, cells: Sequence[Sequence[str]], request: int) -> int:
        """Append rows, given as one list of stored texts a column."""
        count = len(cells[0])
        if not count:
            return 0
        with self._change(table_id) as (db, change):
            first = change.table.next_row
            marks = ", ".join("?" * (2 + len(cells)))
            db.executemany(
                f"INSERT INTO rows_{table_id} VALUES ({marks})",  # noqa: S608
                zip(range(first, first + count), repeat(change.version), *cells, strict=False),
            )
            db.execute("INSERT INTO inserts VALUES (?, ?, ?, ?)", (table_id, request, first, first + count - 1))
            change.grown = change.touched = count
        return count

    def delete(self, table_id: int, match: Match) -> int:
        """Delete the rows that match; the number of them."""
        with self._change(table_id) as (db, change):
            where, values = self._where(change.table, match)
            self._bury(change, where, values)
            change.touched = db.execute(f"DELETE FROM rows_{table_id} WHERE {where}", values).rowcount  # noqa: S608
            change.grown = -change.touched
            return change.touched

    def update(self, table_id: int, match: Match, values: Sequence[tuple[int, str]]) -> int:
        """Give the rows that match new values; the number of them."""
        with self._change(table_id) as (db, change):
            where, found = self._where(change.table, match)
            self._bury(change, where, found)
            places = ", ".join(f"c{place} = ?" for place, _ in values)
            change.touched = db.execute(
                f"UPDATE rows_{table_id} SET born = ?, {places} WHERE {where}",  # noqa: S608
                (change.version, *(text for _, text in values), *found),
            ).rowcount
            return change.touched

    def _bury(self, change: _Change, where: str, values: Sequence[Any]) -> None:
        """Keep the rows that are about to change, for the versions that had them."""
        table = change.table
        cells = ", ".join(f"c{place}" for place in range(len(table.columns)))
        self._db.execute(
            f"INSERT INTO past_{table.id} SELECT row, born, ?, {cells} FROM rows_{table.id} WHERE {where}",  # noqa: S608
            (change.version, *values),
        )

    def _where(self, table: Table, match: Match) -> tuple[str, list[Any]]:
        terms: list[str] = []
        values: list[Any] = []
        for place, text in match.find:
            if place < 0:
                wanted = None if text == "null" else Decimal(text)
                terms.append("row = ?")
                values.append(
                    int(wanted) if wanted is not None and 1 <= wanted < table.next_row and wanted % 1 == 0 else 0
                )
            elif table.columns[place].data_type in NUMERIC:
                terms.append(f"number_key(c{place}) = ?")
                values.append(number_key(text))
            else:
                terms.append(f"c{place} = ?")
                values.append(text)
        if table.rows >= _INDEX_FROM:
            self._index(table, sorted(place for place, _ in match.find if place >= 0)[:_INDEX_COLUMNS])
        where = " AND ".join(terms)
        if match.first:
            where = f"row = (SELECT min(row) FROM rows_{table.id} WHERE {where})"  # noqa: S608
        return where, values

    def _index(self, table: Table, places: Sequence[int]) -> None:
        if not places:
            return
        name = f"find_{table.id}_{'_'.join(map(str, places))}"
        known = [
            row[0]
            for row in self._db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL ORDER BY rowid",
                (f"rows_{table.id}",),
            )
        ]
        if name in known:
            return
        if len(known) >= _INDEXES:
            self._db.execute(f"DROP INDEX {known[0]}")
        terms = [
            f"number_key(c{place})" if table.columns[place].data_type in NUMERIC else f"c{place}" for place in places
        ]
        self._db.execute(f"CREATE INDEX {name} ON rows_{table.id} ({', '.join(terms)})")

    # reading

    def versions(self, table_id: int) -> list[Version]:
        """The versions of a table, the oldest first."""
        self.table(table_id)
        return [
            Version(*row)
            for row in self.query(
                "SELECT version, created, rows FROM versions WHERE table_id = ? ORDER BY version", (table_id,)
            )
        ]

    def version(self, table_id: int, number: int) -> Version:
        """One version of a table; a 404 if there is none."""
        table = self.table(table_id)
        if 1 <= number <= table.version:
            rows = self.query(
                "SELECT version, created, rows FROM versions WHERE table_id = ? AND version = ?", (table_id, number)
            )
            return Version(*rows[0])
        raise Refusal(404, "NotFound", f"The table '{table.name}' has no version {number}.")

    def page(
        self,
        table_id: int,
        offset: int,
        limit: int,
        *,
        version: int | None = None,
        row_id: str | None = None,
        iso_datetimes: bool = False,
    ) -> tuple[Table, int, list[str]]:
        """Rows as JSON objects in the order they were inserted, with the table and the count of all its rows."""
        with self._lock:
            table = self.table(table_id)
            total = table.rows if version is None else self.version(table_id, version).rows
            if offset >= total or limit <= 0:
                return table, total, []
            row, values = row_expression(table.columns, row_id=row_id, iso_datetimes=iso_datetimes)
            bound: list[Any] = [*values]

            def bind(value: int) -> str:
                bound.append(value)
                return f"?{len(bound)}"

            select = f"SELECT row, {row} FROM rows_{table_id}"  # noqa: S608
            if version is not None and version != table.version:
                at = bind(version)
                cells = ", ".join(f"c{place}" for place in range(len(table.columns)))
                # The JSON is built outside, for the rows of the page alone and not for those before it.
                sql = (
                    f"SELECT row, {row} FROM (SELECT row, {cells} FROM rows_{table_id} WHERE born <= {at}"  # noqa: S608
                    f" UNION ALL SELECT row, {cells} FROM past_{table_id} WHERE born <= {at} AND died > {at}"
                    f" ORDER BY row LIMIT {bind(limit)} OFFSET {bind(offset)}) ORDER BY row"
                )
            elif table.next_row - 1 == table.rows:
                # Nothing was ever deleted, so the place of a row is its number.
                sql = f"{select} WHERE row > {bind(offset)} ORDER BY row LIMIT {bind(limit)}"
            else:
                sql = f"{select} ORDER BY row LIMIT {bind(limit)} OFFSET {bind(offset)}"
            return table, total, [text for _, text in self._db.execute(sql, bound)]

    def last_request(self) -> int:
        """The highest request number that an insert was committed under."""
        return int(self.query("SELECT coalesce(max(request), 0) FROM inserts")[0][0])

    # settings

    def setting(self, name: str, make: Callable[[], str]) -> str:
        """A setting that is kept; made when it is first asked for."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, make()))
            return str(db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0])

    def keep_setting(self, name: str, value: str) -> None:
        """Set a setting for good."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
