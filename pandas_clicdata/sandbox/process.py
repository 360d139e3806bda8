"""Sandboxes in a process of their own, which ends with the process that started it.

The two talk over the child's standard input and output, a line of JSON each: an order ``{"order": 1, "make":
options}``, ``{"order": 2, "start": 0}`` or ``{"order": 3, "stop": 0}``, and a reply with the same number. When the
input closes, for whatever reason, the child ends.
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
from pandas_clicdata.sandbox.remote import RemoteSandbox
from pandas_clicdata.sandbox.server import Sandbox

_PATIENCE = 20  # seconds for a child to end by itself


def serve_pipe(orders: Iterable[str], replies: IO[str]) -> None:
    """Run sandboxes as the lines of `orders` say, until there are no more."""
    made: list[Sandbox] = []

    def obey(order: Mapping[str, Any]) -> dict[str, Any]:
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
                reply = obey(order)
            except (LookupError, OSError, TypeError, ValueError) as exc:
                reply = {"error": f"{exc}", "of_system": isinstance(exc, OSError)}
            replies.write(json.dumps({"order": number, **reply}) + "\n")
            replies.flush()
    finally:
        for sandbox in made:
            sandbox.stop()


class SandboxProcess:
    """A process of its own in which sandboxes run.

    Use it as a context manager, or call `start` and `stop`. It also ends when this process does, however that happens.

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
        """Start the process; does nothing when it runs already."""
        with self._lock:
            if self._child is None:
                self._parent = os.getpid()
                # A file takes any amount of words; a pipe that nobody reads would hold the child up.
                self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
                try:
                    # A session of its own, so that Ctrl-C in a terminal or a notebook is not meant for it.
                    self._child = subprocess.Popen(
                        [sys.executable, "-m", "pandas_clicdata", "sandbox", "--piped"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=self._said,
                        text=True,
                        encoding="utf-8",
                        start_new_session=True,
                    )
                except BaseException:
                    self._said.close()
                    raise
        return self

    def stop(self) -> None:
        """End the process and every sandbox in it; does nothing when it has ended, or in a forked child."""
        if self.inherited:
            return
        with self._lock:
            child, self._child = self._child, None
            if child is None:
                return
            try:
                child.communicate(timeout=_PATIENCE)  # closes its input
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
            finally:
                self._said.close()

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
        """Whether this is a forked child, and the process that of its parent."""
        return self._child is not None and self._parent != os.getpid()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._running().pid

    def _running(self) -> subprocess.Popen[str]:
        if self._child is None:
            raise RuntimeError("The sandbox process is not running; call start() first.")
        return self._child

    def order(self, **order: Any) -> dict[str, Any]:
        """Send an order and return its reply; ValueError or OSError for what the process cannot do."""
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
            # An order that was interrupted has left its reply in the pipe.
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
        # Its pipes are closed, so it is about to end.
        self._running().wait()
        self._said.seek(0)
        return RuntimeError(f"The sandbox process has ended by itself. {self._said.read().strip()}".strip())

    def sandbox(self, dialect: str = "both", **options: Any) -> ProcessSandbox:
        """A sandbox in this process, with the options of `Sandbox`; to be started, as that is."""
        return ProcessSandbox(self, dialect, options)


class ProcessSandbox(RemoteSandbox):
    """A sandbox in a `SandboxProcess`; use it as a context manager, or call `start` and `stop`, as with `Sandbox`."""

    def __init__(self, process: SandboxProcess, dialect: str, options: Mapping[str, Any]) -> None:
        sent = {name: value for name, value in options.items() if value is not None}
        if not isinstance(sent.get("scopes", ""), str):
            sent["scopes"] = list(sent["scopes"])
        # Options are refused here and now, in the words of Sandbox.
        self._assume = Sandbox(dialect, **sent).assume
        if "data" in sent:
            sent["data"] = os.fspath(sent["data"])
        self._process = process
        self._handle()
        self._order = {"dialect": dialect, **sent, "assume": asdict(self._assume)}
        self._number: int | None = None

    def start(self) -> Self:
        """Open the data and answer requests; does nothing when that is so already."""
        if self._number is None:
            self._number = self._process.order(make=self._order)["number"]
        reply = self._process.order(start=self._number)
        self._known = {}
        self._wire.reach(reply["url"], reply["control_key"])
        return self

    def stop(self) -> None:
        """Close every connection, thread and file; does nothing when that is so already, or in a forked child."""
        if self._process.inherited:
            return
        self._wire.leave()
        self._known = {}
        if self._number is None or not self._process.alive:
            return
        try:
            self._process.order(stop=self._number)
        except RuntimeError:
            # What has ended meanwhile has stopped.
            if self._process.alive:
                raise

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ProcessSandbox (not ClicData): {self.url if self._wire.reached else 'stopped'}>"

    @property
    def assume(self) -> Assumptions:
        """What it does where nobody knows what ClicData does."""
        return self._assume
