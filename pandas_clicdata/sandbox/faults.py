"""Scripted faults: what can go wrong on a network, on demand and countable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pandas_clicdata.sandbox.faultscript import Fault, Scripting, make_fault, too_few_held


@dataclass
class _Script:
    fault: Fault
    seen: int = 0
    fired: int = 0


@dataclass(eq=False)
class _Held:
    """A request that the server holds back: until its event is set, or its work is done by `work`."""

    wake: threading.Event = field(default_factory=threading.Event)
    work: Callable[[], None] | None = None
    timer: threading.Timer | None = None


class Faults(Scripting):
    """The faults of one sandbox.

    Each method but `release`, `wait_held`, `clear` and `expire_tokens` scripts a fault, as `Scripting` says.
    """

    def __init__(self, expire_tokens: Callable[[], None]) -> None:
        self._expire_tokens = expire_tokens
        self._changed = threading.Condition()
        self._scripts: list[_Script] = []
        self._held: list[_Held] = []
        self._timers: set[threading.Timer] = set()
        self.stopping = threading.Event()

    # scripting

    def script(self, kind: str, *, operation: str | None = None, nth: int = 1, times: int = 1, **options: Any) -> Fault:
        """Script a fault by the name of its kind, as `Fault.as_dict` describes it."""
        return self.add(make_fault(kind, operation, nth, times, options))

    def add(self, fault: Fault) -> Fault:
        """Script a fault that was made before."""
        with self._changed:
            self._scripts.append(_Script(fault))
        return fault

    # at once

    def expire_tokens(self) -> None:
        """Let every access token expire now. Refresh tokens stay good."""
        self._expire_tokens()

    def clear(self) -> None:
        """Forget the faults that have not fired. Requests that are held already stay held."""
        with self._changed:
            self._scripts.clear()

    @property
    def pending(self) -> list[dict[str, Any]]:
        """The faults that have still to fire, as plain dicts; `nth` and `times` are what is left of them."""
        with self._changed:
            return [
                {
                    **script.fault.as_dict(),
                    "nth": max(script.fault.nth - script.seen, 1),
                    "times": script.fault.times - script.fired,
                }
                for script in self._scripts
            ]

    # held requests

    @property
    def held(self) -> int:
        """How many requests hang or have their work still to be done."""
        with self._changed:
            return len(self._held)

    def wait_held(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until that many requests are held; TimeoutError if they do not come, or the sandbox stops."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._held) >= count or self.stopping.is_set(), timeout)
            if len(self._held) < count:
                raise too_few_held(len(self._held), count, timeout)

    def release(self) -> int:
        """Let go of all held requests, and return their number.

        The work of late commits is done when this returns; requests that hung go on in their own threads.
        """
        with self._changed:
            held, self._held = self._held, []
        for one in held:
            self._let_go(one)
        return len(held)

    def _let_go(self, one: _Held) -> None:
        if one.timer is not None:
            one.timer.cancel()
        one.wake.set()
        if one.work is not None:
            one.work()

    # for the middleware

    def take(self, operation: str | None) -> Fault | None:
        """Count a request, and return the fault it suffers."""
        with self._changed:
            due: _Script | None = None
            for script in self._scripts:
                if script.fault.operation in (None, operation):
                    script.seen += 1
                    if due is None and script.seen >= script.fault.nth:
                        due = script
            if due is None:
                return None
            due.fired += 1
            if due.fired >= due.fault.times:
                self._scripts.remove(due)
            return due.fault

    def hold(self, seconds: float | None) -> bool:
        """Wait in a hanging request; False if the sandbox stops."""
        one = _Held()
        self._add(one)
        one.wake.wait(seconds)
        with self._changed:
            if one in self._held:
                self._held.remove(one)
        return not self.stopping.is_set()

    def defer(self, work: Callable[[], None], delay: float | None) -> None:
        """Keep work for `release`, or for `delay` seconds later."""
        one = _Held(work=work)
        if delay is not None:
            one.timer = threading.Timer(delay, self._work_late, (one,))
            one.timer.daemon = True
            with self._changed:
                self._timers.add(one.timer)
        self._add(one)
        if one.timer is not None:
            one.timer.start()

    def _add(self, one: _Held) -> None:
        with self._changed:
            self._held.append(one)
            if self.stopping.is_set():
                one.wake.set()
            self._changed.notify_all()

    def _work_late(self, one: _Held) -> None:
        with self._changed:
            if self.stopping.is_set() or one not in self._held:
                return
            self._held.remove(one)
        if one.work is not None:
            one.work()

    def open(self) -> None:
        """Hold requests again after `close`."""
        self.stopping.clear()

    def close(self) -> None:
        """Let go of every request and do no more late work: the sandbox stops."""
        with self._changed:
            self.stopping.set()
            held, self._held = self._held, []
            timers, self._timers = self._timers, set()
            self._changed.notify_all()
        for one in held:
            one.work = None
            self._let_go(one)
        for timer in timers:
            timer.cancel()
            if timer.is_alive():
                timer.join()
