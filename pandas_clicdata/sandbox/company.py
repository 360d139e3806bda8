"""Gotham Air, the company with which a sandbox is seeded: real, free data and invented people.

``pandas_clicdata/data/README.md`` lists the data with their sources.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

NAME = "Gotham Air"
"""The name of the company."""

MIDNIGHT = datetime(2013, 1, 2, 5)
"""The end of 1 January 2013 in New York, in UTC."""
NOON = datetime(2013, 1, 2, 17)
"""Noon of 2 January 2013 in New York, in UTC."""

_DAYS = 2
_UTC_OFFSET = timedelta(hours=5)  # from New York to UTC in January
_FLIGHT = (
    "carrier", "arr_delay", "dep_delay", "date", "flight", "origin", "dest", "tailnum", "scheduled", "departed",
    "air_time", "distance", "cancelled",
)  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """A table with a file as its source."""

    name: str
    file: str
    key: tuple[str, ...]
    history: bool
    description: str


@dataclass(frozen=True)
class Dashboard:
    """A dashboard and its number of views."""

    name: str
    table: str
    description: str
    views: int


@dataclass(frozen=True)
class Schedule:
    """A schedule; `run` says whether it has run."""

    name: str
    tables: tuple[str, ...]
    method: str
    description: str
    run: bool


@dataclass(frozen=True)
class User:
    """A user and their number of logins."""

    email_address: str
    first_name: str
    last_name: str
    logins: int


@dataclass(frozen=True)
class Team:
    """A team, the addresses of its users, and its parameters."""

    name: str
    description: str
    users: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]


FLIGHTS = Feed(
    "Flights",
    "flights.csv",
    ("date", "carrier", "flight"),
    True,
    "Flights from New York until noon of 2 January 2013, times in UTC. The source has newer data: refresh the table.",
)
LOST = Feed(
    "Flights of 1 January",
    "flights-2013-01-01.csv",
    (),
    False,
    "Without history. The source is missing on purpose, so that a refresh fails.",
)
FEEDS = (
    Feed("Airlines", "airlines.csv", ("carrier",), True, "The names of the airlines."),
    Feed("Planes", "planes.csv", ("tailnum",), True, "Some of the planes, the largest first."),
)
"""The tables whose source is a file of the same name in the data of the package."""

PENGUINS = "Penguins"
"""The only table that is created through the API, and therefore has no source."""

DASHBOARDS = (
    Dashboard("Delays by airline", FLIGHTS.name, "Minutes late on arrival.", 12),
    Dashboard("Delays on 1 January", LOST.name, "Minutes late on arrival, on that day.", 1),
    Dashboard("Seats by maker", "Planes", "The mean number of seats.", 0),
    Dashboard("Penguins by species", PENGUINS, "The mean bill length in mm.", 3),
)
SCHEDULES = (
    Schedule(
        "Nightly flights", (FLIGHTS.name,), "updateappend", "Reads new and changed flights from flights.csv.", False
    ),
    Schedule("Weekly names", ("Airlines", "Planes"), "reload", "Reloads airlines and planes.", True),
    Schedule(
        "Fails on purpose",
        (LOST.name,),
        "reload",
        "The file flights-2013-01-01.csv is missing, so that there is a failed run to see.",
        True,
    ),
)
USERS = (
    User("mira.okafor@sandbox.example", "Mira", "Okafor", 9),
    User("tomas.lindqvist@sandbox.example", "Tomás", "Lindqvist", 4),
    User("zoe.haddad@sandbox.example", "Zoë", "Haddad", 2),
    User("ravi.castellano@sandbox.example", "Ravi", "Castellano", 0),
)
TEAMS = (
    Team(
        "Operations",
        "Keeps the planes on time.",
        ("mira.okafor@sandbox.example", "tomas.lindqvist@sandbox.example"),
        (("origin", "EWR"), ("late_from_minutes", "15")),
    ),
    Team(
        "Finance",
        "Calculates the cost of delays.",
        ("mira.okafor@sandbox.example", "zoe.haddad@sandbox.example"),
        (("currency", "USD"),),
    ),
)


def timetable() -> list[dict[str, Any]]:
    """Return the flights from New York on 1 and 2 January 2013."""
    return [row for row in _rows("flights.parquet") if row["day"] <= _DAYS]


def flights(timetable: Iterable[Mapping[str, Any]], at: datetime | None = None) -> bytes:
    """Return flights as a CSV file.

    Parameters
    ----------
    timetable : iterable of mapping
        The flights.
    at : datetime, optional
        A moment in UTC: only flights scheduled until then, with what was known then. None: all flights.

    Examples
    --------
    >>> rows = flights(timetable(), NOON).decode().splitlines()
    >>> len(rows), rows[1]
    (1222, 'UA,11,2,2013-01-01,1545,EWR,IAH,N14228,2013-01-01 10:15:00,2013-01-01 10:17:00,227,1400,false')
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _FLIGHT, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flight for row in timetable if (flight := _flight(row, at)) is not None)
    return text.getvalue().encode()


def _flight(row: Mapping[str, Any], at: datetime | None) -> dict[str, Any] | None:
    day = datetime(row["year"], row["month"], row["day"])
    scheduled = day + timedelta(hours=row["hour"], minutes=row["minute"]) + _UTC_OFFSET
    if at is not None and scheduled > at:
        return None
    cancelled = row["dep_delay"] is None
    departed = None if cancelled else scheduled + timedelta(minutes=row["dep_delay"])
    flight = {
        **row,
        "date": day.date(),
        "scheduled": scheduled,
        "departed": departed,
        "cancelled": "true" if cancelled else "false",
    }
    if at is not None and departed is not None:
        if departed > at:
            flight |= dict.fromkeys(("departed", "dep_delay", "tailnum"))
        if departed + timedelta(minutes=row["air_time"] or 0) > at:
            flight |= dict.fromkeys(("arr_delay", "air_time"))
    return flight


def penguins() -> tuple[bytes, bytes]:
    """Return the bodies of two requests: create the table of penguins, and append its rows as objects."""
    rows = _rows("penguins.parquet")
    columns = [
        {"name": name, "data_type": "dropdown" if name in ("species", "island", "sex") else "number"}
        for name in rows[0]
    ]
    made = {"name": PENGUINS, "description": "Penguins near Palmer Station, 2007 to 2009.", "columns": columns}
    return json.dumps(made).encode(), json.dumps({"data": rows}).encode()


def packaged(file: str) -> bytes:
    """Return the content of a file in the data of the package."""
    return (files("pandas_clicdata") / "data" / file).read_bytes()


def _rows(file: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(pa.BufferReader(packaged(file)), use_threads=False)
    # Timestamps with a time zone need a time zone database in Python, and no table uses them.
    zoned = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    rows: list[dict[str, Any]] = table.drop_columns(zoned).to_pylist()
    return rows
