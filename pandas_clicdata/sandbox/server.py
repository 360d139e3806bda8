"""The `Sandbox`: the emulator behind a real socket."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.app import make_app
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.base import BaseSandbox, Parts
from pandas_clicdata.sandbox.control import make_control
from pandas_clicdata.sandbox.dashboards import Dashboards
from pandas_clicdata.sandbox.faults import FaultQueue, Faults
from pandas_clicdata.sandbox.feeds import Feeds
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.listener import Listener
from pandas_clicdata.sandbox.middleware import Middleware
from pandas_clicdata.sandbox.oauth import SCOPES, OAuth, is_loopback, make_credentials
from pandas_clicdata.sandbox.openapi import Documents
from pandas_clicdata.sandbox.operations import Backend
from pandas_clicdata.sandbox.people import People
from pandas_clicdata.sandbox.requestlog import RequestLog
from pandas_clicdata.sandbox.schedules import Schedules
from pandas_clicdata.sandbox.seed import Seeder
from pandas_clicdata.sandbox.sources import Sources
from pandas_clicdata.sandbox.store import Store

DATABASE = "sandbox.sqlite"
"""The name of the file in the data folder."""


def _database(folder: Path) -> Path:
    """Return the database in a folder; make both, readable only by their owner."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / DATABASE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


@dataclass(frozen=True)
class _Live:
    """What exists while a sandbox runs."""

    process: int
    store: Store
    listener: Listener
    parts: Parts


class Sandbox(BaseSandbox):
    """An emulator of ClicData: a server on this machine that answers as the REST API does.

    Use it as a context manager, or call `start` and `stop`.

    Parameters
    ----------
    dialect : {"both", "unversioned", "versioned"}, default "both"
        The dialects of the sandbox. ``"both"``: a request with an ``api_version`` gets a versioned reply.
        ``"unversioned"``: the version of a request is ignored. ``"versioned"``: each request must give a version.
    data : path-like, optional
        A folder that keeps tables, users, credentials and all else. None: memory.
    host : str, default "127.0.0.1"
        An address of this machine; other addresses are refused.
    port : int, default 0
        The port. 0: a free port.
    client_id, client_secret : str, optional
        Credentials of the client. Default: those in the data folder, or random ones.
    page_size : int, default 1000
        Number of rows on a page.
    token_seconds : float, default 3600
        Seconds until an access token expires.
    scopes : iterable of str, optional
        The scopes of the client. None: all scopes.
    run_seconds : float, default 0
        Seconds that a run of a schedule takes. The first request after that time finds its work done.
    assume : Assumptions, optional
        What the sandbox does where the API is not publicly known.

    Attributes
    ----------
    faults : Faults
        The scripted faults.
    requests : RequestLog
        The log of requests.

    Raises
    ------
    ValueError
        A parameter does not fit.

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
            raise ValueError(f"dialect is {dialect!r}; it must be one of {', '.join(map(repr, dialects.MODES))}.")
        if not isinstance(host, str) or not is_loopback(host):
            raise ValueError(f"host is {host!r}; it must be an address of this machine, as in '127.0.0.1'.")
        if type(port) is not int or not 0 <= port <= 65535:
            raise ValueError(f"port is {port!r}; it must be an integer from 0 to 65535.")
        if type(page_size) is not int or page_size < 1:
            raise ValueError(f"page_size is {page_size!r}; it must be an integer of at least 1.")
        if (
            isinstance(token_seconds, bool)
            or not isinstance(token_seconds, int | float)
            or not 0 < token_seconds < math.inf
        ):
            raise ValueError(f"token_seconds is {token_seconds!r}; it must be a finite number above 0.")
        if isinstance(run_seconds, bool) or not isinstance(run_seconds, int | float) or not 0 <= run_seconds < math.inf:
            raise ValueError(f"run_seconds is {run_seconds!r}; it must be a finite number of at least 0.")
        for name, value in (("client_id", client_id), ("client_secret", client_secret)):
            if value is not None and (
                not isinstance(value, str) or not value or (name == "client_id" and ":" in value)
            ):
                raise ValueError(f"{name} must be a string that is not empty, and client_id must not have a colon.")
        if data is not None and (not isinstance(data, str | os.PathLike) or not str(data)):
            raise ValueError(f"data is {data!r}; it must be the path of a folder.")
        granted = SCOPES if scopes is None else tuple(scopes)
        if isinstance(scopes, str) or any(scope not in SCOPES for scope in granted):
            raise ValueError(f"scopes must be a list. Valid scopes: {', '.join(SCOPES)}.")
        if assume is not None and not isinstance(assume, Assumptions):
            raise ValueError("assume must be an Assumptions object.")
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
        self._queue = FaultQueue()
        self.faults: Faults = Faults(self._queue, lambda: self._parts().oauth.expire_all())
        self.requests: RequestLog = RequestLog()

    def start(self) -> Self:
        """Open the data and answer requests, unless the sandbox does so already.

        Returns
        -------
        Sandbox
            This object.

        Raises
        ------
        OSError
            The port is in use, or the data folder cannot be written.
        ValueError
            The data folder is in use by another sandbox, or was written by a newer one.
        """
        with self._lock:
            if self._live is None:
                self._live = self._open()
        return self

    def _open(self) -> _Live:
        store = Store(None if self._data is None else _database(self._data), self._assume)
        try:
            credentials = make_credentials(store, self._client_id, self._client_secret)
            people, dashboards = People(store), Dashboards(store)
            oauth = OAuth(store, credentials, people, self._token_seconds, self._scopes)
            self.requests.continue_after(store.last_request())
            self._queue.open()
            sources = Sources(self._data)
            feeds = Feeds(store, sources, self._assume)
            schedules = Schedules(store, feeds, self._run_seconds)
            backend = Backend(store, self._assume, self._page_size, people, dashboards, feeds, schedules)
            parts = Parts(
                oauth, dashboards, feeds, schedules, sources, Seeder(backend, sources), Ledger(store), self.faults,
                self.requests,
            )  # fmt: skip
            app = make_app(backend, oauth, self._dialect)
            middleware = Middleware(app.wsgi_app, self._dialect, self._queue, self.requests, oauth, self._assume)
            control = make_control(parts, Documents(self._dialect, self._assume)).wsgi_app
            listener = Listener(middleware, control, self._host, self._wanted_port)
        except BaseException:
            store.close()
            raise
        return _Live(os.getpid(), store, listener, parts)

    def stop(self) -> None:
        """Close every connection, thread and file, unless they are closed or this is a forked child."""
        live = self._live
        if live is not None and live.process != os.getpid():
            # The threads, and perhaps the lock, belong to the parent.
            return
        with self._lock:
            live, self._live = self._live, None
            if live is None:
                return
            self._queue.close()
            live.listener.close()
            live.store.close()
            live.parts.sources.close()

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

    def _parts(self) -> Parts:
        return self._running().parts

    @property
    def url(self) -> str:
        """The base URL for a client."""
        port = self._running().listener.port
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    @property
    def assume(self) -> Assumptions:
        """The assumed behaviours."""
        return self._assume
