"""The `Sandbox`: the emulator behind a real socket."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.app import make_app
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.control import Control, make_control
from pandas_clicdata.sandbox.dashboards import Dashboards
from pandas_clicdata.sandbox.faults import Faults
from pandas_clicdata.sandbox.feeds import Feeds
from pandas_clicdata.sandbox.gate import Gate
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.listener import THREADS, Listener
from pandas_clicdata.sandbox.oauth import SCOPES, Credentials, OAuth, is_loopback, make_credentials
from pandas_clicdata.sandbox.openapi import Documents
from pandas_clicdata.sandbox.operations import World
from pandas_clicdata.sandbox.people import People
from pandas_clicdata.sandbox.requestlog import RequestLog
from pandas_clicdata.sandbox.schedules import Schedules
from pandas_clicdata.sandbox.seed import Seeding, seed
from pandas_clicdata.sandbox.sources import Sources
from pandas_clicdata.sandbox.store import Store

__all__ = ["DATABASE", "THREADS", "Sandbox", "connect_to"]

DATABASE = "sandbox.sqlite"
"""The name of the file in the data folder."""


def _database(folder: Path) -> Path:
    """The database in a folder; both are made for the eyes of their owner."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / DATABASE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


@dataclass(frozen=True)
class _Live:
    """What exists while a sandbox runs."""

    process: int
    store: Store
    credentials: Credentials = field(repr=False)
    oauth: OAuth
    world: World
    listener: Listener
    sources: Sources


class Sandbox:
    """A ClicData that is not ClicData: a server on this machine that answers as the REST API does.

    Use it as a context manager, or call `start` and `stop`.

    Parameters
    ----------
    dialect : {"both", "unversioned", "versioned"}
        Whether requests may, must or need not name an ``api_version``.
    data : path-like, optional
        A folder to keep everything in: tables, people, credentials and the rest outlive the process. Memory without it.
    host : str, default "127.0.0.1"
        An address of this machine; others are refused.
    port : int, default 0
        0 takes a free one.
    client_id, client_secret : str, optional
        Made at random, or taken from the data folder, when they are not given.
    page_size : int, default 1000
        Rows on a page of a read.
    token_seconds : float, default 3600
        How long an access token lives.
    scopes : iterable of str, optional
        What the client may do; everything by default.
    run_seconds : float, default 0
        How long a run of a schedule takes. The first request after that time finds its work done.
    assume : Assumptions, optional
        What to do where nobody knows what ClicData does.

    Examples
    --------
    >>> with Sandbox() as sandbox:
    ...     sandbox.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        dialect: str = "both",
        *,
        data: str | os.PathLike[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        client_id: str | None = None,
        client_secret: str | None = None,
        page_size: int = 1000,
        token_seconds: float = 3600,
        scopes: Iterable[str] | None = None,
        run_seconds: float = 0.0,
        assume: Assumptions | None = None,
    ) -> None:
        if dialect not in dialects.MODES:
            raise ValueError(f"dialect is {dialect!r}; it takes {', '.join(map(repr, dialects.MODES))}.")
        if not isinstance(host, str) or not is_loopback(host):
            raise ValueError(f"host is {host!r}; the sandbox binds only to this machine, as in '127.0.0.1'.")
        if type(port) is not int or not 0 <= port <= 65535:
            raise ValueError(f"port is {port!r}; it takes a whole number from 0 to 65535.")
        if type(page_size) is not int or page_size < 1:
            raise ValueError(f"page_size is {page_size!r}; it takes a whole number from 1.")
        if (
            isinstance(token_seconds, bool)
            or not isinstance(token_seconds, int | float)
            or not 0 < token_seconds < math.inf
        ):
            raise ValueError(f"token_seconds is {token_seconds!r}; it takes a number of seconds above 0.")
        if isinstance(run_seconds, bool) or not isinstance(run_seconds, int | float) or not 0 <= run_seconds < math.inf:
            raise ValueError(f"run_seconds is {run_seconds!r}; it takes a number of seconds from 0.")
        for name, value in (("client_id", client_id), ("client_secret", client_secret)):
            if value is not None and (
                not isinstance(value, str) or not value or (name == "client_id" and ":" in value)
            ):
                raise ValueError(f"{name} must be a text that is not empty (and a client_id has no colon).")
        if data is not None and (not isinstance(data, str | os.PathLike) or not str(data)):
            raise ValueError(f"data is {data!r}; it takes the path of a folder.")
        granted = SCOPES if scopes is None else tuple(scopes)
        if isinstance(scopes, str) or any(scope not in SCOPES for scope in granted):
            raise ValueError(f"scopes takes a list of scopes out of {', '.join(SCOPES)}.")
        if assume is not None and not isinstance(assume, Assumptions):
            raise ValueError("assume takes an Assumptions object.")
        self._dialect = dialect
        self._host = "127.0.0.1" if host == "localhost" else host
        self._wanted_port = port
        self._client_id = client_id
        self._client_secret = client_secret
        self._page_size = page_size
        self._token_seconds = token_seconds
        self._run_seconds = run_seconds
        self._scopes = granted
        self._assume = assume or Assumptions()
        self._data = None if data is None else Path(data)
        self._lock = threading.Lock()
        self._live: _Live | None = None
        self.faults = Faults(lambda: self._running().oauth.expire_all())
        self.requests = RequestLog()

    # life

    def start(self) -> Self:
        """Open the data and answer requests; does nothing when that is so already."""
        with self._lock:
            if self._live is None:
                self._live = self._open()
        return self

    def _open(self) -> _Live:
        store = Store(None if self._data is None else _database(self._data))
        try:
            credentials = make_credentials(store, self._client_id, self._client_secret)
            people, dashboards = People(store), Dashboards(store)
            oauth = OAuth(store, credentials, people, self._token_seconds, self._scopes)
            self.requests.go_on_after(store.last_request())
            self.faults.open()
            sources = Sources(self._data)
            feeds = Feeds(store, sources, self._assume.row_id)
            schedules = Schedules(store, feeds, self._run_seconds)
            world = World(store, self._assume, self._page_size, people, dashboards, feeds, schedules)
            app = make_app(world, oauth, self._dialect)
            gate = Gate(app.wsgi_app, self._dialect, self.faults, self.requests, oauth)
            control = make_control(
                Control(credentials, oauth, self.faults, Ledger(store), self.requests, sources, world),
                Documents(self._dialect, self._assume),
            ).wsgi_app
            listener = Listener(gate, control, self._host, self._wanted_port)
        except BaseException:
            store.close()
            raise
        return _Live(os.getpid(), store, credentials, oauth, world, listener, sources)

    def stop(self) -> None:
        """Close every connection, thread and file; does nothing when that is so already, or in a forked child."""
        live = self._live
        if live is not None and live.process != os.getpid():
            # The threads, and perhaps the lock, are the parent's.
            return
        with self._lock:
            live, self._live = self._live, None
            if live is None:
                return
            self.faults.close()
            live.listener.close()
            live.store.close()
            live.sources.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = self.url if self._live is not None else "stopped"
        where = "memory" if self._data is None else repr(str(self._data))
        return f"<Sandbox (not ClicData): {state}, dialect={self._dialect!r}, data in {where}>"

    def _running(self) -> _Live:
        live = self._live
        if live is None:
            raise RuntimeError("The sandbox is not running; call start() first.")
        return live

    # where it is, and how to sign in

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._running().listener.port

    @property
    def url(self) -> str:
        """The base address for a client."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    @property
    def client_id(self) -> str:
        """The id of the one client there is."""
        return self._running().credentials.client_id

    @property
    def client_secret(self) -> str:
        """The secret of the one client there is."""
        return self._running().credentials.client_secret

    @property
    def username(self) -> str:
        """The e-mail address of the user who owns the account."""
        return self._running().world.people.username

    @property
    def password(self) -> str:
        """The password of the user who owns the account."""
        return self._running().world.people.password

    @property
    def api_key(self) -> str:
        """A key that needs no token."""
        return self._running().credentials.api_key

    @property
    def control_key(self) -> str:
        """What a `RemoteSandbox` needs to script faults and read the ledger from another process."""
        return self._running().credentials.control_key

    @property
    def assume(self) -> Assumptions:
        """What it does where nobody knows what ClicData does."""
        return self._assume

    @property
    def ledger(self) -> Ledger:
        """What has been committed."""
        return Ledger(self._running().store)

    @property
    def sources(self) -> Path:
        """The folder with the files that tables are fed from; in memory it goes with `stop`."""
        return self._running().sources.folder

    def put_source(self, name: str, content: str | bytes) -> None:
        """Write a file into `sources`, or replace it; ValueError for a name that is no plain file name."""
        self._running().sources.put(name, content)

    def feed(
        self, name: str, file: str, *, key: Sequence[str] | None = None, history: bool = True, description: str = ""
    ) -> int:
        """Make a table from a CSV or Parquet file in `sources` and load it.

        Parameters
        ----------
        name : str
            Name of the table.
        file : str
            Name of the file.
        key : list of str, optional
            The columns whose values tell the rows apart, for refreshes that update.
        history : bool, default True
            Keep the table as it was before each change, as a version.
        description : str, default ""
            Description of the table.

        Returns
        -------
        int
            The RecId.

        Raises
        ------
        ValueError
            The file cannot be read or holds what no table can, or the name is taken.
        """
        return self._running().world.feeds.feed(name, file, key=key, history=history, description=description)

    def schedule(self, name: str, *, tables: Sequence[str | int], method: str, description: str = "") -> int:
        """Make a schedule that refreshes tables, given by name or id, whenever it is triggered; its id.

        The method is one of recreate, reload, append, update and updateappend.
        """
        return self._running().world.schedules.add(name, tables, method, description)

    def authorize(self, redirect_uri: str, scope: str | None = None) -> str:
        """An authorization code, as if the user had agreed in a browser."""
        return self._running().oauth.authorize(redirect_uri, scope)

    def dashboard(self, name: str, *, table: int | str, description: str = "") -> int:
        """Make a dashboard that draws a table, named by its name or id, and return the dashboard's id.

        A name that another dashboard has raises ValueError, a table that is not there LookupError.
        """
        return self._running().world.dashboards.create(name, table, description)

    def seed(self) -> Seeding:
        """Add a small company to look at: tables with real data, dashboards, schedules, users and teams.

        What is there stays as it is, also where it has a name of the company's. A sandbox that was seeded before, in
        this data folder, gets nothing more.

        Returns
        -------
        Seeding
            What was added, and what was left out.

        Examples
        --------
        >>> with Sandbox() as sandbox:
        ...     len(sandbox.seed().added), sandbox.ledger.count("Penguins"), sandbox.seed().added
        (18, 344, ())
        """
        live = self._running()
        return seed(live.world, live.sources)

    def connect(self, **parameters: Any) -> Any:
        """``pandas_clicdata.connect`` to this sandbox; parameters given here come before the sandbox's own."""
        return connect_to(self, parameters)


def connect_to(sandbox: Any, parameters: Mapping[str, Any]) -> Any:
    """``pandas_clicdata.connect`` to a sandbox, here or elsewhere."""
    from pandas_clicdata import connect

    # What is set for an account is not meant for the sandbox.
    where = {"base_url": sandbox.url, "api_version": "auto"}
    # In no variable, so that a traceback with locals shows no secret.
    return connect(**{**where, "client_id": sandbox.client_id, "client_secret": sandbox.client_secret, **parameters})
