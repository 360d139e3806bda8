"""The `Sandbox`: the emulator behind a real socket."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.app import MAX_BODY, make_app
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.control import Control, is_control, make_control
from pandas_clicdata.sandbox.dashboards import Dashboards
from pandas_clicdata.sandbox.faults import Faults
from pandas_clicdata.sandbox.gate import Gate
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.oauth import SCOPES, Credentials, OAuth, is_loopback, make_credentials
from pandas_clicdata.sandbox.operations import World
from pandas_clicdata.sandbox.people import People
from pandas_clicdata.sandbox.requestlog import RequestLog
from pandas_clicdata.sandbox.store import Store

THREADS = 12
"""How many requests are answered at the same time."""
CONTROL_THREADS = 2
"""How many control requests are answered at the same time, beside the others."""
DATABASE = "sandbox.sqlite"
"""The name of the file in the data folder."""

_log = logging.getLogger("pandas_clicdata.sandbox")
_log.addHandler(logging.NullHandler())
_server_log = _log.getChild("server")
# The depth of the queue is no news: threads count as busy until they have started, and hanging is what they are for.
_queue_log = _server_log.getChild("queue")
_queue_log.setLevel(logging.ERROR)


class _Task(WSGITask):
    logger = _server_log


class _ErrorTask(ErrorTask):
    logger = _server_log


class _Channel(HTTPChannel):
    logger = _server_log
    task_class = _Task
    error_task_class = _ErrorTask


class _Pool(ThreadedTaskDispatcher):
    """Waitress's pool of threads, with threads that can be joined."""

    logger = _server_log
    queue_logger = _queue_log

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._running: list[threading.Thread] = []

    def start_new_thread(self, target: Any, thread_no: int) -> None:
        thread = threading.Thread(target=target, name=f"{self._name}-{thread_no}", args=(thread_no,), daemon=True)
        self._running.append(thread)
        thread.start()

    def end(self) -> None:
        """Let every thread end, and wait for it."""
        self.shutdown()
        for thread in self._running:
            thread.join()


class _Dispatcher(_Pool):
    """The threads that answer; control requests have their own, to come through while all others hang."""

    def __init__(self) -> None:
        super().__init__("clicdata-sandbox")
        self._control = _Pool("clicdata-sandbox-control")

    def begin(self) -> None:
        self.set_thread_count(THREADS)
        self._control.set_thread_count(CONTROL_THREADS)

    def add_task(self, task: Any) -> None:
        if is_control(task.requests[0].path):
            self._control.add_task(task)
        else:
            super().add_task(task)

    def end(self) -> None:
        super().end()
        self._control.end()


def _database(folder: Path) -> Path:
    """The database in a folder; both are made for the eyes of their owner."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / DATABASE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


@dataclass(frozen=True)
class _Live:
    """What exists while a sandbox runs."""

    store: Store
    credentials: Credentials = field(repr=False)
    oauth: OAuth
    people: People
    dashboards: Dashboards
    server: Any
    dispatcher: _Dispatcher
    thread: threading.Thread


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
            world = World(store, self._assume, self._page_size, people, dashboards)
            app = make_app(world, oauth, self._dialect)
            gate = Gate(app.wsgi_app, self._dialect, self.faults, self.requests, oauth)
            control = make_control(
                Control(credentials, oauth, self.faults, Ledger(store), self.requests, people, dashboards)
            ).wsgi_app
            dispatcher = _Dispatcher()
            server: Any = create_server(
                lambda environ, start: (control if is_control(environ["PATH_INFO"]) else gate)(environ, start),
                _dispatcher=dispatcher,
                host=self._host,
                port=self._wanted_port,
                threads=THREADS,
                max_request_body_size=2 * MAX_BODY,
                connection_limit=1000,
                clear_untrusted_proxy_headers=True,
                ident="pandas-clicdata-sandbox",
            )
        except BaseException:
            store.close()
            raise
        server.channel_class = _Channel
        server.logger = server.trigger.logger = _server_log
        dispatcher.begin()
        thread = threading.Thread(target=server.run, name="clicdata-sandbox", daemon=True)
        thread.start()
        return _Live(store, credentials, oauth, people, dashboards, server, dispatcher, thread)

    def stop(self) -> None:
        """Close every connection, thread and file; does nothing when that is so already."""
        with self._lock:
            live, self._live = self._live, None
            if live is None:
                return
            self.faults.close()
            server = live.server
            hung_up = threading.Event()

            def hang_up() -> None:
                # The trigger stays open until the workers have ended: they write to it.
                try:
                    wasyncore.dispatcher.close(server)
                    for channel in list(server.active_channels.values()):
                        channel.handle_close()
                finally:
                    hung_up.set()

            server.trigger.pull_trigger(hang_up)
            hung_up.wait()
            live.dispatcher.end()
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
            live.thread.join()
            live.store.close()

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
        return int(self._running().server.effective_port)

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
        return self._running().people.username

    @property
    def password(self) -> str:
        """The password of the user who owns the account."""
        return self._running().people.password

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

    def authorize(self, redirect_uri: str, scope: str | None = None) -> str:
        """An authorization code, as if the user had agreed in a browser."""
        return self._running().oauth.authorize(redirect_uri, scope)

    def dashboard(self, name: str, *, table: int | str, description: str = "") -> int:
        """Make a dashboard that draws a table, named by its name or id, and return the dashboard's id.

        A name that another dashboard has raises ValueError, a table that is not there LookupError.
        """
        return self._running().dashboards.create(name, table, description)

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
