"""The socket and the threads that serve it, with waitress."""

from __future__ import annotations

import json
import logging
import select
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from pandas_clicdata.sandbox.control import is_control
from pandas_clicdata.sandbox.oauth import is_loopback
from pandas_clicdata.sandbox.protocol import MAX_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 12
"""The number of requests that are answered at the same time."""
CONTROL_THREADS = 2
"""The number of control requests that are answered at the same time, beside the other requests."""
CONNECTIONS = 400
"""The number of open connections from which a new one replaces the oldest that has no complete request."""

_log = logging.getLogger("pandas_clicdata.sandbox")
_log.addHandler(logging.NullHandler())
_server_log = _log.getChild("server")
# No warnings about the depth of the queue: threads count as busy until they start, and faults make them hang.
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
    has_served = False

    def __init__(self, server: Any, *args: Any, **options: Any) -> None:
        if len(server.active_channels) >= CONNECTIONS:
            # Otherwise slow connections would keep all others out. Those that never had a request go first.
            idle = [channel for channel in server.active_channels.values() if not channel.requests]
            for channel in sorted(idle, key=lambda each: each.has_served)[:1]:
                channel.handle_close()
        super().__init__(server, *args, **options)

    def service(self) -> None:
        self.has_served = True
        super().service()


class _Pool(ThreadedTaskDispatcher):
    """The thread pool of waitress, with threads that can be joined."""

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
        """End every thread and wait for it."""
        self.shutdown()
        for thread in self._running:
            thread.join()


class _Dispatcher(_Pool):
    """The threads that answer. Control requests have their own, so that they are answered while all others hang."""

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


def _is_for_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


class Listener:
    """A server that listens until `close`.

    Parameters
    ----------
    app, control : WSGI application
        The applications for the API and for the control paths.
    host : str
        The address.
    port : int
        The port. 0: a free port.
    """

    def __init__(self, app: WSGIApplication, control: WSGIApplication, host: str, port: int) -> None:
        self._dispatcher = _Dispatcher()

        def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            host = environ.get("HTTP_HOST")
            # A page of another site can let its own name point to this machine. Browsers send that name.
            if host is not None and not _is_for_this_machine(host):
                reply = json.dumps({"error": "The sandbox serves only this machine: localhost, 127.0.0.1 or [::1]."})
                headers = [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(reply)))]
                start_response("421 Misdirected Request", headers)
                return [reply.encode()]
            return (control if is_control(environ["PATH_INFO"]) else app)(environ, start_response)

        server: Any = create_server(
            serve,
            _dispatcher=self._dispatcher,
            host=host,
            port=port,
            threads=THREADS,
            max_request_body_size=2 * MAX_BODY,
            connection_limit=1000,
            # Unlike select, poll takes files with high numbers.
            asyncore_use_poll=hasattr(select, "poll"),
            clear_untrusted_proxy_headers=True,
            ident="pandas-clicdata-sandbox",
        )
        server.channel_class = _Channel
        server.logger = server.trigger.logger = _server_log
        self._server = server
        self._dispatcher.begin()
        self._thread = threading.Thread(target=server.run, name="clicdata-sandbox", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.effective_port)

    def close(self) -> None:
        """Close every connection and end every thread."""
        server = self._server
        closed = threading.Event()

        def close_connections() -> None:
            # The trigger stays open until the workers have ended, because they write to it.
            try:
                wasyncore.dispatcher.close(server)
                for channel in list(server.active_channels.values()):
                    channel.handle_close()
            finally:
                closed.set()

        server.trigger.pull_trigger(close_connections)
        closed.wait()
        self._dispatcher.end()
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        self._thread.join()
