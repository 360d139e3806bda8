"""Schedules: named lists of tables to refresh, and their runs.

Nothing runs by itself. A trigger sets the time when its run is due, and the first request after that time executes it.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.feeds import METHODS, Feeds
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.protocol import operation
from pandas_clicdata.sandbox.store import Store

_log = logging.getLogger("pandas_clicdata.sandbox")

STATES = ("idle", "running", "succeeded", "failed")
"""The states of the last run of a schedule; idle before the first run."""

_COLUMNS = "id, name, description, method, tables, status, began, ended, message"


@dataclass(frozen=True)
class Schedule:
    """A schedule and its last run; `status` is one of `STATES`."""

    id: int
    name: str
    description: str
    method: str
    tables: tuple[int, ...]
    status: str
    began: str | None
    ended: str | None
    message: str | None


class Schedules:
    """The schedules of the account.

    Parameters
    ----------
    store : Store
        The database.
    feeds : Feeds
        Refreshes tables.
    run_seconds : float
        Seconds from the trigger of a run until it is due.
    """

    def __init__(self, store: Store, feeds: Feeds, run_seconds: float) -> None:
        self._store = store
        self._feeds = feeds
        self._seconds = run_seconds
        self._lock = threading.RLock()
        self._next = self._first_due()

    @operation("POST", "schedules", "schedule_id")
    def add(self, name: object, tables: object, method: object, description: object = "") -> int:
        """Create a schedule and return its id; raise ValueError or LookupError if an argument does not fit."""
        if not isinstance(name, str) or not isinstance(description, str) or not name.strip():
            raise ValueError("name must be a string that is not empty, and description a string.")
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; it must be one of {', '.join(map(repr, METHODS))}.")
        if (
            not isinstance(tables, list | tuple)
            or not tables
            or not all(isinstance(table, str) or type(table) is int for table in tables)
        ):
            raise ValueError(f"tables is {tables!r}; it must be a list of at least one table, by name or id.")
        ledger = Ledger(self._store)
        # A table that is given twice is refreshed once.
        ids = list(dict.fromkeys(ledger.table_id(table) for table in tables))
        try:
            with self._store.transaction() as db:
                cursor = db.execute(
                    "INSERT INTO schedules (key, name, description, method, tables) VALUES (?, ?, ?, ?, ?)",
                    (name.casefold(), name, description, method, json.dumps(ids)),
                )
                return int(cursor.lastrowid or 0)
        except sqlite3.IntegrityError:
            raise ValueError(f"A schedule named '{name}' already exists.") from None

    def all(self) -> list[Schedule]:
        """Return all schedules in the order of creation."""
        return [_schedule(row) for row in self._store.query(f"SELECT {_COLUMNS} FROM schedules ORDER BY id")]  # noqa: S608

    def get(self, schedule_id: int) -> Schedule:
        """Return the schedule with an id; refuse an unknown id with 404."""
        for schedule in self.all():
            if schedule.id == schedule_id:
                return schedule
        raise Refusal(404, "NotFound", f"No schedule has the id {schedule_id}.")

    def trigger(self, schedule_id: int) -> None:
        """Start a run; refuse it with 409 while another run is under way."""
        with self._lock:
            schedule = self.get(schedule_id)
            if schedule.status == "running":
                raise Refusal(409, "AlreadyRunning", f"The schedule '{schedule.name}' is already running.")
            due = time.time() + self._seconds
            with self._store.transaction() as db:
                db.execute(
                    "UPDATE schedules SET status = 'running', began = ?, ended = NULL, message = NULL, due = ?"
                    " WHERE id = ?",
                    (_now(), due, schedule_id),
                )
            self._next = min(self._next, due)

    def run_due(self) -> None:
        """Execute the runs that are due; a request that arrives meanwhile waits for their end."""
        if self._next > time.time():
            return
        with self._lock:
            due = self._store.query("SELECT id FROM schedules WHERE due <= ? ORDER BY due, id", (time.time(),))
            for (schedule_id,) in due:
                self._run(self.get(schedule_id))
            self._next = self._first_due()

    def _run(self, schedule: Schedule) -> None:
        failures = self._refresh(schedule.tables, schedule.method)
        with self._store.transaction() as db:
            db.execute(
                "UPDATE schedules SET status = ?, ended = ?, message = ?, due = NULL WHERE id = ?",
                ("failed" if failures else "succeeded", _now(), " ".join(failures) or None, schedule.id),
            )

    def _refresh(self, tables: Sequence[int], method: str) -> list[str]:
        failures = []
        for table_id in tables:
            try:
                self._feeds.refresh(table_id, method)
            except Refusal as exc:
                failures.append(exc.description)
            except Exception as exc:  # noqa: BLE001
                # The request that executes the run must not fail with it.
                _log.exception("a scheduled refresh of the table %s failed", table_id)
                failures.append(f"Internal error of the sandbox: {type(exc).__name__}: {exc}.")
        return failures

    def _first_due(self) -> float:
        first = self._store.query("SELECT min(due) FROM schedules")[0][0]
        return math.inf if first is None else float(first)


def _schedule(row: Sequence[object]) -> Schedule:
    schedule_id, name, description, method, tables, *run = row
    return Schedule(schedule_id, name, description, method, tuple(json.loads(str(tables))), *run)  # type: ignore[arg-type]


def _now() -> str:
    """Return the local time with its UTC offset, to the microsecond to distinguish runs within a second."""
    return datetime.now().astimezone().isoformat(timespec="microseconds")
