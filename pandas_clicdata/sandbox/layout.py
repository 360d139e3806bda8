"""How the database is laid out, and the steps that bring an older one up to date."""

from __future__ import annotations

import sqlite3

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
    # The columns that a table had before it was recreated; `died` is the first version without them.
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

# The first step also fits databases from before steps were counted.
_STEPS = (_FIRST, _FEEDS)


def lay_out(db: sqlite3.Connection) -> None:
    """Make what a database lacks; ValueError for one that a newer sandbox has written."""
    done = int(db.execute("PRAGMA user_version").fetchone()[0])
    if done > len(_STEPS):
        raise ValueError(
            "The data folder was written by a newer sandbox; use it with that one, or take another folder."
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
