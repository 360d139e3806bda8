"""Seeding: adds a small company to a sandbox, so that there is something to look at."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from pandas_clicdata.sandbox import bodies, company
from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.operations import Backend
from pandas_clicdata.sandbox.protocol import operation
from pandas_clicdata.sandbox.sources import Sources
from pandas_clicdata.sandbox.store import Table

_SETTING = "seeded"
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Seeding:
    """The result of a seeding; both tuples are empty if the sandbox was seeded before.

    Parameters
    ----------
    added : tuple of str
        What was added, as in ``"table Flights"``.
    left_out : tuple of str
        What was not added because its name is taken, or because it needs a table that was not added.
    """

    added: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def _read(done: dict[str, list[str]]) -> Seeding:
    return Seeding(tuple(done["added"]), tuple(done["left_out"]))


class Seeder:
    """Adds the company to a sandbox.

    Parameters
    ----------
    backend : Backend
        The content of the sandbox.
    sources : Sources
        The files of its tables.
    """

    def __init__(self, backend: Backend, sources: Sources) -> None:
        self._backend = backend
        self._sources = sources

    @operation("POST", "seed", encode=asdict, decode=_read)
    def seed(self) -> Seeding:
        """Add what is missing of the company, once; existing content is not changed."""
        with _ONE_AT_A_TIME:
            if self._backend.store.query("SELECT 1 FROM settings WHERE name = ?", (_SETTING,)):
                return Seeding()
            work = _Work(self._backend, self._sources)
            work.tables()
            work.dashboards()
            work.people()
            work.schedules()
            # Last, so that an interrupted seeding is continued.
            self._backend.store.keep_setting(_SETTING, company.NAME)
            return Seeding(tuple(work.added), tuple(work.left_out))


@dataclass
class _Work:
    """One seeding. `known` has the ids of the company's tables by name, `new` the names of those that it created."""

    backend: Backend
    sources: Sources
    added: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)

    # tables

    def tables(self) -> None:
        timetable = company.timetable()
        flights = [company.flights(timetable, at) for at in (company.MIDNIGHT, company.NOON, None)]
        if self._feed(company.FLIGHTS, *flights):
            table, file = self.known[company.FLIGHTS.name], company.FLIGHTS.file
            # A second version for the history, and newer data in the file than in the table, so that a refresh shows.
            self.sources.put(file, flights[1])
            self.backend.feeds.refresh(table, "updateappend")
            self.sources.put(file, flights[2])
        if self._feed(company.LOST, company.flights(row for row in timetable if row["day"] == 1)):
            (self.sources.folder() / company.LOST.file).unlink()
        for feed in company.FEEDS:
            self._feed(feed, company.packaged(feed.file))
        self._penguins()

    def _feed(self, feed: company.Feed, first: bytes, *later: bytes) -> bool:
        """Create a table from the first content of its file; return False if it exists."""
        there = self._table(feed.name)
        if there is not None:
            ours = (there.source, there.key, there.history) == (feed.file, feed.key, feed.history)
            self._keep(there, feed.name, ours=ours)
            return False
        path = self.sources.folder() / feed.file
        if os.path.lexists(path) and not (path.is_file() and path.read_bytes() in (first, *later)):
            self.left_out.append(f"table {feed.name}")
            return False
        self.sources.put(feed.file, first)
        made = self.backend.feeds.feed(
            feed.name, feed.file, key=feed.key, history=feed.history, description=feed.description
        )
        self._made(feed.name, made)
        return True

    def _penguins(self) -> None:
        create, insert = company.penguins()
        name, description, columns, _ = bodies.read_create(create, self.backend.assume)
        there = self._table(name)
        if there is not None:
            self._keep(there, name, ours=_same(there, columns))
            return
        table = self.backend.store.create(name, description, columns)
        # 0 is the number of no request, because the API was not used.
        rows = bodies.read_rows(bodies.parse(insert), "objects", columns, None, self.backend.assume)
        self.backend.store.insert(table.id, columns, rows, 0)
        self._made(name, table.id)

    def _table(self, name: str) -> Table | None:
        return next((table for table in self.backend.store.tables() if table.name.casefold() == name.casefold()), None)

    def _keep(self, table: Table, name: str, *, ours: bool) -> None:
        self.left_out.append(f"table {name}")
        if ours:
            self.known[name] = table.id

    def _made(self, name: str, table: int) -> None:
        self.known[name] = table
        self.new.add(name)
        self.added.append(f"table {name}")

    # dashboards and schedules

    def dashboards(self) -> None:
        taken = _names(each.name for each in self.backend.dashboards.all())
        for each in company.DASHBOARDS:
            if self._free(f"dashboard {each.name}", each.name, taken, (each.table,)):
                made = self.backend.dashboards.create(each.name, self.known[each.table], each.description)
                for _ in range(each.views):
                    self.backend.dashboards.viewed(made)

    def schedules(self) -> None:
        taken = _names(each.name for each in self.backend.schedules.all())
        for each in company.SCHEDULES:
            if self._free(f"schedule {each.name}", each.name, taken, each.tables):
                tables = [self.known[name] for name in each.tables]
                made = self.backend.schedules.add(each.name, tables, each.method, each.description)
                # A run changes tables, so it runs only on tables that were created here.
                if each.run and self.new.issuperset(each.tables):
                    self.backend.schedules.trigger(made)
        self.backend.schedules.run_due()

    # people

    def people(self) -> None:
        people = self.backend.people
        taken = _names(user.email_address for user in people.users())
        ids: dict[str, int] = {}
        for user in company.USERS:
            if self._free(f"user {user.email_address}", user.email_address, taken):
                # A random password that is not shown; set another one to sign in as this user.
                ids[user.email_address] = people.create_user(
                    user.email_address, user.first_name, user.last_name, secrets.token_urlsafe(24)
                )
                for _ in range(user.logins):
                    people.logged_in(ids[user.email_address])
        taken = _names(team.name for team in people.teams())
        for team in company.TEAMS:
            if self._free(f"team {team.name}", team.name, taken):
                made = people.create_team(team.name, team.description)
                for address in team.users:
                    if address in ids:
                        people.add_user(made, ids[address])
                for name, value in team.parameters:
                    people.set_parameter(made, name, value)

    def _free(self, what: str, name: str, taken: frozenset[str], tables: Sequence[str] = ()) -> bool:
        """Return whether an item can be added: its name is free, and its tables are the company's."""
        free = name.casefold() not in taken and self.known.keys() >= set(tables)
        (self.added if free else self.left_out).append(what)
        return free


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _same(table: Table, columns: tuple[Column, ...]) -> bool:
    return table.source is None and table.columns == columns
