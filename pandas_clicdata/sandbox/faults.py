"""Scripted faults: what can go wrong on a network, on demand and countable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pandas_clicdata.sandbox.routes import OPERATIONS

_REQUIRED = object()


@dataclass(frozen=True)
class Option:
    """An option of a fault: the types it takes, its least value and its default."""

    types: tuple[type, ...]
    default: Any = _REQUIRED
    least: float | None = None
    most: float | None = None

    def check(self, kind: str, name: str, value: object) -> None:
        """ValueError if the option does not take this value."""
        # bool is an int, but True is no number of rows.
        fits = isinstance(value, self.types) and (not isinstance(value, bool) or bool in self.types)
        if fits and isinstance(value, int | float) and not isinstance(value, bool):
            low, high = self.least, self.most
            fits = (low is None or value >= low) and (high is None or value <= high)
        if not fits:
            raise ValueError(f"The fault '{kind}' does not take {name}={value!r}.")


_SECONDS = Option((int, float), least=0)
_ROWS = Option((int,), least=0)
_AFTER = Option((bool,), default=False)
_NONE = type(None)

KINDS: dict[str, dict[str, Option]] = {
    "lose_reply": {"after_commit": Option((bool,), default=True)},
    "late_commit": {"delay": Option((int, float, _NONE), default=None, least=0)},
    "status": {
        "code": Option((int,), least=200, most=599),
        "after_commit": _AFTER,
        "retry_after": Option((int, float, str, _NONE), default=None),
        "body": Option((str, dict, list, _NONE), default=None),
    },
    "hang": {"seconds": Option((int, float, _NONE), default=None, least=0), "after_commit": _AFTER},
    "slow": {"seconds": _SECONDS},
    "truncate_body": {},
    "garbage": {},
    "empty_page": {},
    "short_page": {"rows": _ROWS},
    "repeat_page": {},
    "accept_fewer": {"rows": _ROWS},
    "error_200": {"code": Option((str,)), "description": Option((str,))},
    "expire_token": {},
}
"""Every kind of fault and its options."""


@dataclass(frozen=True)
class Fault:
    """A scripted fault: from the `nth` matching request on, `times` times."""

    kind: str
    operation: str | None = None
    nth: int = 1
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The fault as `Faults.script` takes it, in plain JSON values."""
        return {
            "kind": self.kind, "operation": self.operation, "nth": self.nth, "times": self.times, **self.options
        }  # fmt: skip


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


class Faults:
    """The faults of one sandbox.

    Each method but `release`, `clear` and `expire_tokens` scripts a fault. It fires on the `nth` request for
    `operation` (any request where that is None), counted from when it was scripted, and `times` times in all. One
    request suffers one fault: of several that are due, the one scripted first.
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
        if kind not in KINDS:
            raise ValueError(f"There is no fault '{kind}'; known are {', '.join(KINDS)}.")
        if operation is not None and operation not in OPERATIONS:
            raise ValueError(f"There is no operation '{operation}'; known are {', '.join(OPERATIONS)}.")
        for name, number in (("nth", nth), ("times", times)):
            if type(number) is not int or number < 1:
                raise ValueError(f"{name} must be a whole number from 1, not {number!r}.")
        for name in options:
            if name not in KINDS[kind]:
                raise ValueError(f"The fault '{kind}' has no option '{name}'.")
        full = {}
        for name, option in KINDS[kind].items():
            value = options.get(name, option.default)
            if value is _REQUIRED:
                raise ValueError(f"The fault '{kind}' needs the option '{name}'.")
            option.check(kind, name, value)
            full[name] = value
        fault = Fault(kind, operation, nth, times, full)
        with self._changed:
            self._scripts.append(_Script(fault))
        return fault

    def lose_reply(
        self, *, after_commit: bool = True, operation: str | None = None, nth: int = 1, times: int = 1
    ) -> Fault:
        """Close the connection without one byte of a reply, after the work is done or before (then it never is)."""
        return self.script("lose_reply", operation=operation, nth=nth, times=times, after_commit=after_commit)

    def late_commit(
        self, *, delay: float | None = None, operation: str | None = None, nth: int = 1, times: int = 1
    ) -> Fault:
        """Close the connection without a reply at once; do the work after `delay` seconds, or on `release`."""
        return self.script("late_commit", operation=operation, nth=nth, times=times, delay=delay)

    def status(
        self,
        code: int,
        *,
        after_commit: bool = False,
        retry_after: float | str | None = None,
        body: Any = None,
        operation: str | None = None,
        nth: int = 1,
        times: int = 1,
    ) -> Fault:
        """Reply with this HTTP status, an error body (or `body`, text or JSON) and maybe ``Retry-After``."""
        return self.script(
            "status", operation=operation, nth=nth, times=times,
            code=code, after_commit=after_commit, retry_after=retry_after, body=body,
        )  # fmt: skip

    def hang(
        self,
        *,
        seconds: float | None = None,
        after_commit: bool = False,
        operation: str | None = None,
        nth: int = 1,
        times: int = 1,
    ) -> Fault:
        """Do not reply for so many seconds, or until `release`; the work is done before the wait or after it.

        When the sandbox stops meanwhile, the work that was to come after the wait is never done.
        """
        return self.script(
            "hang", operation=operation, nth=nth, times=times, seconds=seconds, after_commit=after_commit
        )

    def slow(self, seconds: float, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Do the work and reply so many seconds later, or never if the sandbox stops meanwhile."""
        return self.script("slow", operation=operation, nth=nth, times=times, seconds=seconds)

    def truncate_body(self, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Do the work, send half of the body that Content-Length promises, and close the connection."""
        return self.script("truncate_body", operation=operation, nth=nth, times=times)

    def garbage(self, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Do the work and reply 200 with a body that is not JSON."""
        return self.script("garbage", operation=operation, nth=nth, times=times)

    def empty_page(self, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Give a page without rows that claims the paging of the full one."""
        return self.script("empty_page", operation=operation, nth=nth, times=times)

    def short_page(self, rows: int, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Give a page that lacks its last `rows` rows but claims the paging of the full one."""
        return self.script("short_page", operation=operation, nth=nth, times=times, rows=rows)

    def repeat_page(self, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Give the rows of the page before, with the paging of the page that was asked for."""
        return self.script("repeat_page", operation=operation, nth=nth, times=times)

    def accept_fewer(self, rows: int, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Commit only the first `rows` rows of an append; only a versioned insert says so."""
        return self.script("accept_fewer", operation=operation, nth=nth, times=times, rows=rows)

    def error_200(
        self, code: str, description: str, *, operation: str | None = None, nth: int = 1, times: int = 1
    ) -> Fault:
        """Refuse with an error body under HTTP 200; the work is not done."""
        return self.script("error_200", operation=operation, nth=nth, times=times, code=code, description=description)

    def expire_token(self, *, operation: str | None = None, nth: int = 1, times: int = 1) -> Fault:
        """Let the access token of the request expire just before it is looked at."""
        return self.script("expire_token", operation=operation, nth=nth, times=times)

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
        """Wait until that many requests are held; TimeoutError if they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._held) >= count, timeout):
                raise TimeoutError(f"{len(self._held)} requests are held, not {count}, after {timeout} seconds.")

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
        for one in held:
            one.work = None
            self._let_go(one)
        for timer in timers:
            timer.cancel()
            if timer.is_alive():
                timer.join()
