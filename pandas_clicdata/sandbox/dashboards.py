"""Dashboards: each draws the data of one table and counts its views."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from pandas_clicdata.sandbox.bodies import MAX_NAME
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.pictures import Chart, chart
from pandas_clicdata.sandbox.protocol import operation
from pandas_clicdata.sandbox.store import Store, now

MAX_ROWS = 3000
"""The largest number of rows in a picture."""

_SCHEMA = """CREATE TABLE IF NOT EXISTS dashboards (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
    table_id INTEGER NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, views INTEGER NOT NULL DEFAULT 0,
    last_view TEXT
)"""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard."""

    id: int
    name: str
    description: str
    table: int
    created: str
    updated: str
    views: int
    last_view: str | None


class Dashboards:
    """The dashboards of the account. Every method may be called from any thread.

    Parameters
    ----------
    store : Store
        The database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute(_SCHEMA)

    @operation("POST", "dashboards", "id")
    def create(self, name: str, table: int | str, description: str = "") -> int:
        """Create a dashboard and return its id.

        Raises
        ------
        ValueError
            An argument does not fit, or another dashboard has the name, case-insensitive.
        LookupError
            No table has this id or name.
        """
        if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not _is_text(name):
            raise ValueError(f"name is {name!r}; it must be a string of 1 to {MAX_NAME} characters.")
        if not isinstance(description, str) or not _is_text(description):
            raise ValueError(f"description is {description!r}; it must be a string.")
        if type(table) not in (int, str):
            raise ValueError(f"table is {table!r}; it must be the name or the id of a table.")
        known = [one for one in self._store.tables() if table in (one.id, one.name)]
        if not known:
            raise LookupError(f"The sandbox has no table {table!r}.")
        at = now()
        try:
            with self._store.transaction() as db:
                made = db.execute(
                    "INSERT INTO dashboards (key, name, description, table_id, created, updated)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (name.casefold(), name, description, known[0].id, at, at),
                )
                return made.lastrowid or 0
        except sqlite3.IntegrityError:
            raise ValueError(f"A dashboard named {name!r} already exists.") from None

    def all(self) -> list[Dashboard]:
        """Return all dashboards in the order of creation."""
        return [
            Dashboard(*row)
            for row in self._store.query(
                "SELECT id, name, description, table_id, created, updated, views, last_view FROM dashboards ORDER BY id"
            )
        ]

    def dashboard(self, number: int) -> Dashboard:
        """Return the dashboard with an id; refuse an unknown id with 404."""
        for dashboard in self.all():
            if dashboard.id == number:
                return dashboard
        raise Refusal(404, "NotFound", f"No dashboard has the id {number}.")

    def chart(self, dashboard: Dashboard) -> Chart:
        """Return the chart of a dashboard from the current rows."""
        page = self._store.page(dashboard.table, 0, MAX_ROWS)
        return chart(page.table.columns, page.total, page.json_rows)

    def viewed(self, number: int) -> None:
        """Count a view of a dashboard."""
        with self._store.transaction() as db:
            db.execute("UPDATE dashboards SET views = views + 1, last_view = ? WHERE id = ?", (now(), number))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
