"""Sandboxes in a child process, which ends with its parent.

Parent and child exchange lines of JSON over the child's standard input and output: an order ``{"order": 1, "make":
options}``, ``{"order": 2, "start": 0}`` or ``{"order": 3, "stop": 0}``, and a reply with the same number. The child
ends when its input closes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import IO, Any, Self

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.remote import RemoteSandbox, Wire
from pandas_clicdata.sandbox.server import Sandbox

_STOP_TIMEOUT = 20  # seconds for the child to end by itself


def serve_pipe(orders: Iterable[str], replies: IO[str]) -> None:
    """Run sandboxes as the lines of ``orders`` say, until there are no more lines.

    Parameters
    ----------
    orders : iterable of str
        The orders, a line of JSON each.
    replies : text file
        Where the replies are written, a line of JSON each.
    """
    made: list[Sandbox] = []

    def execute(order: Mapping[str, Any]) -> dict[str, Any]:
        if "make" in order:
            made.append(Sandbox(**{**order["make"], "assume": Assumptions(**order["make"].get("assume", {}))}))
            return {"number": len(made) - 1}
        if "stop" in order:
            made[order["stop"]].stop()
            return {}
        sandbox = made[order["start"]].start()
        return {"url": sandbox.url, "control_key": sandbox.control_key}

    try:
        for line in orders:
            number = None
            try:
                order = json.loads(line)
                number = order["order"]
                reply = execute(order)
            except (LookupError, OSError, TypeError, ValueError) as exc:
                reply = {"error": f"{exc}", "of_system": isinstance(exc, OSError)}
            replies.write(json.dumps({"order": number, **reply}) + "\n")
            replies.flush()
    finally:
        for sandbox in made:
            sandbox.stop()


class SandboxProcess:
    """A child process in which sandboxes run.

    Use it as a context manager, or call `start` and `stop`. It also ends when this process ends, even if killed.

    Examples
    --------
    >>> with SandboxProcess() as process, process.sandbox(page_size=10) as sandbox:
    ...     sandbox.ledger.tables()
    {}
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._child: subprocess.Popen[str] | None = None
        self._orders = 0
        self._parent = os.getpid()

    def start(self) -> Self:
        """Start the process, unless it runs already.

        Returns
        -------
        SandboxProcess
            This object.
        """
        with self._lock:
            if self._child is None:
                self._parent = os.getpid()
                # A file takes any amount of output; a full pipe that is not read would block the child.
                self._output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
                try:
                    # In a new session, so that Ctrl-C in a terminal or a notebook does not reach it.
                    self._child = subprocess.Popen(
                        [sys.executable, "-m", "pandas_clicdata", "sandbox", "--piped"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=self._output,
                        text=True,
                        encoding="utf-8",
                        start_new_session=True,
                        # The settings of the user's account are of no use to a sandbox.
                        env={name: value for name, value in os.environ.items() if not name.startswith("CLICDATA_")},
                    )
                except BaseException:
                    self._output.close()
                    raise
        return self

    def stop(self) -> None:
        """End the process and every sandbox in it, unless it has ended or this is a forked child."""
        if self.inherited:
            return
        with self._lock:
            child, self._child = self._child, None
            if child is None:
                return
            try:
                child.communicate(timeout=_STOP_TIMEOUT)  # closes its input
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
            finally:
                self._output.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        child = self._child
        return f"<SandboxProcess: {'stopped' if child is None else f'process {child.pid}'}>"

    @property
    def inherited(self) -> bool:
        """Whether this is a forked child and the process belongs to its parent."""
        return self._child is not None and self._parent != os.getpid()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._running().pid

    def _running(self) -> subprocess.Popen[str]:
        if self._child is None:
            raise RuntimeError("The sandbox process is not running; call start() first.")
        return self._child

    def order(self, **order: Any) -> dict[str, Any]:
        """Send an order and return its reply.

        Parameters
        ----------
        **order
            The order, as in ``start=0``.

        Returns
        -------
        dict
            The reply.

        Raises
        ------
        ValueError, OSError
            The process cannot execute the order.
        RuntimeError
            The process is not running or has ended by itself.
        """
        with self._lock:
            child = self._running()
            assert child.stdin is not None
            assert child.stdout is not None
            self._orders += 1
            try:
                child.stdin.write(json.dumps({"order": self._orders, **order}) + "\n")
                child.stdin.flush()
            except OSError:
                raise self._ended() from None
            # The reply to an interrupted order may still be in the pipe.
            for line in child.stdout:
                reply: dict[str, Any] = json.loads(line)
                if reply["order"] == self._orders:
                    break
            else:
                raise self._ended()
        if "error" in reply:
            raise (OSError if reply["of_system"] else ValueError)(reply["error"])
        return reply

    def _ended(self) -> RuntimeError:
        # Its pipes are closed, so it ends soon.
        self._running().wait()
        self._output.seek(0)
        return RuntimeError(f"The sandbox process has ended by itself. {self._output.read().strip()}".strip())

    def sandbox(self, dialect: str = "both", **options: Any) -> ProcessSandbox:
        """Return a sandbox in this process, which is not started yet.

        Parameters
        ----------
        dialect : {"both", "unversioned", "versioned"}, default "both"
            As in `Sandbox`.
        **options
            The other parameters of `Sandbox`.

        Returns
        -------
        ProcessSandbox
            The sandbox.

        Raises
        ------
        ValueError
            `Sandbox` does not take an option.
        """
        return ProcessSandbox(self, dialect, options)


class ProcessSandbox(RemoteSandbox):
    """A sandbox in a `SandboxProcess`, made by `SandboxProcess.sandbox`.

    Use it as a context manager, or call `start` and `stop`, as with `Sandbox`.

    Parameters
    ----------
    process : SandboxProcess
        The process.
    dialect : {"both", "unversioned", "versioned"}
        As in `Sandbox`.
    options : mapping
        The other parameters of `Sandbox`.

    Examples
    --------
    >>> with SandboxProcess() as process, process.sandbox("versioned") as sandbox:
    ...     sandbox.requests.counts().total()
    0
    """

    def __init__(self, process: SandboxProcess, dialect: str, options: Mapping[str, Any]) -> None:
        sent = {name: value for name, value in options.items() if value is not None}
        if not isinstance(sent.get("scopes", ""), str):
            sent["scopes"] = list(sent["scopes"])
        # Options are refused at once, with the errors of Sandbox.
        self._assume = Sandbox(dialect, **sent).assume
        if "data" in sent:
            sent["data"] = os.fspath(sent["data"])
        self._process = process
        self._use(Wire())
        self._order = {"dialect": dialect, **sent, "assume": asdict(self._assume)}
        self._number: int | None = None

    def start(self) -> Self:
        """Open the data and answer requests, unless the sandbox does so already.

        Returns
        -------
        ProcessSandbox
            This object.
        """
        if self._number is None:
            self._number = self._process.order(make=self._order)["number"]
        reply = self._process.order(start=self._number)
        self._wire.open(reply["url"], reply["control_key"])
        return self

    def stop(self) -> None:
        """Close every connection, thread and file, unless they are closed or this is a forked child."""
        if self._process.inherited:
            return
        self._wire.close()
        if self._number is None or not self._process.alive:
            return
        try:
            self._process.order(stop=self._number)
        except RuntimeError:
            # A process that has ended meanwhile has stopped its sandboxes.
            if self._process.alive:
                raise

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ProcessSandbox (not ClicData): {self.url if self._wire.is_open else 'stopped'}>"

    @property
    def assume(self) -> Assumptions:
        """The assumed behaviours."""
        return self._assume
