"""Tables, rows and versions in SQLite. `rowtables` has the SQL tables of the rows."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from pandas_clicdata.sandbox import rowtables
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import Column, Match
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.rowtables import Change, Generation, Table, now, row_expression
from pandas_clicdata.sandbox.values import ENCODERS, NUMERIC, double_key, number_key, text_key

__all__ = ["Page", "Store", "Table", "Version", "now"]

_INDEX_FROM = 2000  # rows; with fewer rows, a scan is as fast
_INDEXES = 6  # per table; each index slows down every insert
_INDEX_COLUMNS = 4
_CAP = 3  # versions, if they are capped

_FIRST = (
    "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS tokens (
        digest TEXT PRIMARY KEY, kind TEXT NOT NULL, expires REAL, scopes TEXT NOT NULL, redirect_uri TEXT
    )""",
    """CREATE TABLE IF NOT EXISTS tables (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
        created TEXT NOT NULL, updated TEXT NOT NULL, rows INTEGER NOT NULL, next_row INTEGER NOT NULL,
        version INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS columns (
        table_id INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, data_type TEXT NOT NULL,
        PRIMARY KEY (table_id, place)
    )""",
    """CREATE TABLE IF NOT EXISTS versions (
        table_id INTEGER NOT NULL, version INTEGER NOT NULL, created TEXT NOT NULL, rows INTEGER NOT NULL,
        PRIMARY KEY (table_id, version)
    )""",
    """CREATE TABLE IF NOT EXISTS inserts (
        table_id INTEGER NOT NULL, request INTEGER NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL
    )""",
    """INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT 'tables', 1000
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'tables')""",
)

_FEEDS = (
    "ALTER TABLE tables ADD COLUMN source TEXT",
    "ALTER TABLE tables ADD COLUMN unique_key TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE tables ADD COLUMN history INTEGER NOT NULL DEFAULT 1",
    # The columns of a table before it was recreated; `died` is the first version without them.
    """CREATE TABLE generations (
        table_id INTEGER NOT NULL, number INTEGER NOT NULL, died INTEGER NOT NULL, columns TEXT NOT NULL,
        PRIMARY KEY (table_id, number)
    )""",
    """CREATE TABLE schedules (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
        method TEXT NOT NULL, tables TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'idle', began TEXT, ended TEXT,
        due REAL, message TEXT
    )""",
)

_ROW_IDS = (
    "ALTER TABLE tables ADD COLUMN row_id_name TEXT",
    "ALTER TABLE tables ADD COLUMN row_id_type TEXT",
)

# The first step also fits databases from before steps were numbered.
_STEPS = (_FIRST, _FEEDS, _ROW_IDS)


@dataclass(frozen=True)
class Version:
    """A version of a table."""

    version: int
    created: str
    rows: int


@dataclass(frozen=True)
class Page:
    """Rows of a table.

    Attributes
    ----------
    table : Table
        The table, with the columns of the version.
    total : int
        The number of rows of the table, or of the version.
    count : int
        The number of rows on the page.
    json_rows : bytes
        The rows as JSON objects, with commas between them.
    """

    table: Table
    total: int
    count: int
    json_rows: bytes


class Store:
    """The database. Every method is one transaction and may be called from any thread.

    Parameters
    ----------
    path : Path, optional
        The SQLite file. None: memory.
    assume : Assumptions, optional
        The assumed behaviours. Default: ``Assumptions()``.
    """

    def __init__(self, path: Path | None = None, assume: Assumptions | None = None) -> None:
        self._assume = assume or Assumptions()
        self._keys = {data_type: _find_key(data_type, self._assume) for data_type in ENCODERS}
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, timeout=1, isolation_level=None, check_same_thread=False
        )
        try:
            # All of them, because indexes in a data folder may use any.
            for function in (number_key, double_key, text_key):
                self._db.create_function(function.__name__, 1, function, deterministic=True)
            # Locked until the end, because each server keeps its own catalogue of tables in memory.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA trusted_schema = ON")
            self._db.execute("PRAGMA cache_size = -65536")
            migrate(self._db)
        except sqlite3.DatabaseError as exc:
            self._db.close()
            raise ValueError(f"The data folder cannot be used; another sandbox may have it open: {exc}.") from exc
        except BaseException:
            self._db.close()
            raise
        self._tables: dict[int, Table] = {}
        self._load()

    def close(self) -> None:
        """Close the database; committed data stays in the file."""
        with self._lock:
            self._db.close()

    def _load(self) -> None:
        columns: dict[int, list[Column]] = {}
        for table_id, name, data_type in self._db.execute(
            "SELECT table_id, name, data_type FROM columns ORDER BY table_id, place"
        ):
            columns.setdefault(table_id, []).append(Column(name, data_type))
        for table_id, key, name in self._db.execute("SELECT id, key, name FROM tables ORDER BY id").fetchall():
            if key != self._name_key(name):
                # Ignored if the other assumption has allowed a name that another table has now.
                self._db.execute("UPDATE OR IGNORE tables SET key = ? WHERE id = ?", (self._name_key(name), table_id))
        for table_id, name, description, *facts, source, key, history, row_id, row_id_type in self._db.execute(
            "SELECT id, name, description, created, updated, rows, next_row, version, source, unique_key, history,"
            " row_id_name, row_id_type FROM tables ORDER BY id"
        ):
            facts += [source, tuple(json.loads(key)), bool(history)]
            facts.append(None if row_id is None else Column(row_id, row_id_type))
            self._tables[table_id] = Table(table_id, name, description, tuple(columns[table_id]), *facts)

    def _name_key(self, name: str) -> str:
        """Return a text that is the same for equal names of tables."""
        return name.casefold() if self._assume.name_case == "insensitive" else name

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction, which is rolled back when the block raises."""
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
        """Return all rows of a query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # tables

    def table(self, table_id: int) -> Table:
        """Return the table with an id; refuse an unknown id with 404."""
        try:
            return self._tables[table_id]
        except KeyError:
            raise Refusal(404, "NotFound", f"No table has the id {table_id}.") from None

    def tables(self) -> list[Table]:
        """Return all tables in the order of creation."""
        with self._lock:
            return list(self._tables.values())

    def row_id(self, table: Table) -> Column | None:
        """Return the row id column of a table, if it has one."""
        every = self._assume.row_id
        return table.row_id or (None if every is None else Column(every, every))

    def create(
        self,
        name: str,
        description: str,
        columns: tuple[Column, ...],
        row_id: Column | None = None,
        *,
        source: str | None = None,
        key: tuple[str, ...] = (),
        history: bool = True,
        texts: Sequence[Sequence[str]] = ((),),
    ) -> Table:
        """Create a table, with rows from `texts`, one list for each column; refuse a taken name with 409."""
        at, rows = now(), len(texts[0])
        with self._lock:
            try:
                with self.transaction() as db:
                    cursor = db.execute(
                        "INSERT INTO tables (key, name, description, created, updated, rows, next_row, version,"
                        " source, unique_key, history, row_id_name, row_id_type)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
                        (
                            self._name_key(name), name, description, at, at, rows, rows + 1,
                            source, json.dumps(key, ensure_ascii=False), history,
                            row_id and row_id.name, row_id and row_id.data_type,
                        ),
                    )  # fmt: skip
                    table = Table(
                        cursor.lastrowid or 0, name, description, columns, at, at, rows, rows + 1, 1,
                        source, key, history, row_id,
                    )  # fmt: skip
                    rowtables.keep_columns(db, table.id, columns)
                    rowtables.make(db, table.id, len(columns))
                    if rows:
                        rowtables.add(db, table.id, 1, 1, texts)
                    rowtables.keep_version(db, table)
            except sqlite3.IntegrityError:
                raise Refusal(409, "NameTaken", f"A table named '{name}' already exists.") from None
            self._tables[table.id] = table
            return table

    @contextmanager
    def change(self, table_id: int, columns: tuple[Column, ...] | None = None) -> Iterator[Change]:
        """Yield a change of a table, which is rolled back when the block raises; refuse an unknown id with 404.

        `columns` are those with which the caller has parsed a body. If the table has other columns now, the change is
        refused with 409.
        """
        with self._lock:
            table = self.table(table_id)
            if columns is not None and columns != table.columns:
                raise Refusal(409, "TableChanged", f"The columns of the table '{table.name}' have just changed.")
            with self.transaction() as db:
                change = Change(db, table)
                yield change
                table = change.finish()
            self._tables[table_id] = table

    # rows

    def insert(self, table_id: int, columns: tuple[Column, ...], texts: Sequence[Sequence[str]], request: int) -> int:
        """Append rows, given as one list of stored texts for each column; return how many are stored."""
        with self.change(table_id, columns) as change:
            if self._assume.duplicate_rows == "dropped":
                texts = _without_duplicates(change, texts)
            new = change.insert(texts)
            if new:
                change.db.execute("INSERT INTO inserts VALUES (?, ?, ?, ?)", (table_id, request, new[0], new[-1]))
            return len(new)

    def delete(self, table_id: int, columns: tuple[Column, ...], match: Match) -> int:
        """Delete the rows that match; return their number."""
        with self.change(table_id, columns) as change:
            return change.delete(*self._where(change.table, match))

    def update(
        self, table_id: int, columns: tuple[Column, ...], match: Match, values: Sequence[tuple[int, str]]
    ) -> int:
        """Update the rows that match; return their number."""
        with self.change(table_id, columns) as change:
            return change.update(values, *self._where(change.table, match))

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
            elif text == "null" and self._assume.find_nulls == "nothing":
                terms.append("0")
            else:
                key = self._keys[table.columns[place].data_type]
                terms.append(f"{key.format(f'c{place}')} = {key.format('?')}")
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
        terms = [self._keys[table.columns[place].data_type].format(f"c{place}") for place in places]
        # Not by its columns alone, because a data folder may be used with other assumptions.
        name = f"find_{table.id}_{'_'.join(re.sub(r'[^0-9a-z]+', '_', term).strip('_') for term in terms)}"
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
        self._db.execute(f"CREATE INDEX {name} ON rows_{table.id} ({', '.join(terms)})")

    # reading

    def versions(self, table_id: int) -> list[Version]:
        """Return the versions of a table, oldest first; none if no history is kept."""
        oldest = self._oldest_version(self.table(table_id))
        return [
            Version(*row)
            for row in self.query(
                "SELECT version, created, rows FROM versions WHERE table_id = ? AND version >= ? ORDER BY version",
                (table_id, oldest),
            )
        ]

    def _oldest_version(self, table: Table) -> int:
        """Return the number of the oldest version that can be read; it is above the current one if there is none."""
        if self._assume.versions_kept == "cleared":
            return table.version + 1
        return max(1, table.version - _CAP + 1) if self._assume.versions_kept == "capped" else 1

    def version(self, table_id: int, number: int) -> Version:
        """Return a version of a table; refuse an unknown version with 404."""
        table = self.table(table_id)
        if table.history and self._oldest_version(table) <= number <= table.version:
            rows = self.query(
                "SELECT version, created, rows FROM versions WHERE table_id = ? AND version = ?", (table_id, number)
            )
            return Version(*rows[0])
        kept = "" if table.history else ": its history is not kept"
        raise Refusal(404, "NotFound", f"The table '{table.name}' has no version {number}{kept}.")

    def page(
        self,
        table_id: int,
        offset: int,
        limit: int,
        *,
        version: int | None = None,
        row_id: str | None = None,
        iso_datetimes: bool = False,
        newest_first: bool = False,
        without_last: int = 0,
    ) -> Page:
        """Return a page of rows in the order of insertion, or with `newest_first` in reverse.

        The page lacks its last rows, if `without_last` is their number.
        """
        with self._lock:
            table = self.table(table_id)
            total = table.rows if version is None else self.version(table_id, version).rows
            past: Generation | None = None
            if version is not None and version != table.version:
                past = rowtables.generation(self._db, table, version)
                table = replace(table, columns=past.columns)
            limit = min(limit, total - offset) - without_last
            if limit <= 0:
                return Page(table, total, 0, b"")
            row, values = row_expression(table.columns, row_id=row_id, iso_datetimes=iso_datetimes)
            bound: dict[str, Any] = {**values}

            def bind(value: int) -> str:
                name = f"bound{len(bound)}"
                bound[name] = value
                return f":{name}"

            order = f"ORDER BY row {'DESC' if newest_first else ''}"
            select = f"SELECT {row} AS json FROM rows_{table_id}"  # noqa: S608
            if past is not None:
                at = bind(version or 0)
                cells = rowtables.cells(len(past.columns))
                present = f"SELECT row, {cells} FROM {past.now} WHERE born <= {at} UNION ALL " if past.now else ""  # noqa: S608
                # The JSON is built in the outer query, only for the rows of the page.
                sql = (
                    f"SELECT {row} AS json FROM ({present}"  # noqa: S608
                    f"SELECT row, {cells} FROM {past.past} WHERE born <= {at} AND died > {at}"
                    f" {order} LIMIT {bind(limit)} OFFSET {bind(offset)}) {order} LIMIT {bind(limit)}"
                )
            elif table.next_row - 1 == table.rows:
                # No row was ever deleted, so the number of a row is its place.
                beyond = f"<= {bind(total - offset)}" if newest_first else f"> {bind(offset)}"
                sql = f"{select} WHERE row {beyond} {order} LIMIT {bind(limit)}"
            else:
                sql = f"{select} {order} LIMIT {bind(limit)} OFFSET {bind(offset)}"
            # SQLite feeds the rows of a subquery with a limit in their order.
            joined = f"SELECT count(*), CAST(coalesce(group_concat(json, ','), '') AS BLOB) FROM ({sql})"  # noqa: S608
            return Page(table, total, *self._db.execute(joined, bound).fetchone())

    def last_request(self) -> int:
        """Return the highest request number of a committed insert."""
        return int(self.query("SELECT coalesce(max(request), 0) FROM inserts")[0][0])

    # settings

    def setting(self, name: str, make: Callable[[], str]) -> str:
        """Return a stored setting; create it on first use."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, make()))
            return str(db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0])

    def keep_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))


def _find_key(data_type: str, assume: Assumptions) -> str:
    """Return an SQL expression, for a stored text ``{}``, that is the same for texts that match in a find."""
    if data_type in NUMERIC:
        return "number_key({})" if assume.find_numbers == "exact" else "double_key({})"
    if data_type in ("text", "dropdown") and assume.find_text == "ignore_case":
        return "text_key({})"
    if data_type == "datetime" and assume.find_datetimes == "seconds":
        return "substr({}, 1, 20)"
    return "{}"


def _without_duplicates(change: Change, texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return rows without those that equal an earlier one or a row of the table, one list for each column."""
    table = change.table

    def identity(row: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            number_key(text) if column.data_type in NUMERIC else text
            for column, text in zip(table.columns, row, strict=True)
        )

    stored = change.db.execute(f"SELECT {rowtables.cells(len(table.columns))} FROM rows_{table.id}")  # noqa: S608
    seen = {identity(row) for row in stored}
    kept: list[list[str]] = [[] for _ in table.columns]
    for row in zip(*texts, strict=True):
        if (key := identity(row)) not in seen:
            seen.add(key)
            for column, text in zip(kept, row, strict=True):
                column.append(text)
    return kept


def migrate(db: sqlite3.Connection) -> None:
    """Bring the database up to date; raise ValueError if a newer sandbox has written it."""
    done = int(db.execute("PRAGMA user_version").fetchone()[0])
    if done > len(_STEPS):
        raise ValueError(
            "The data folder was written by a newer sandbox; update pandas-clicdata, or use another folder."
        )
    if done == len(_STEPS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS[done:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(_STEPS)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
