"""Scripted faults: what goes wrong on a network, on demand and countable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from pandas_clicdata.sandbox.protocol import LONGEST_WAIT, operation
from pandas_clicdata.sandbox.routes import OPERATIONS

_REQUIRED = object()


@dataclass(frozen=True)
class Option:
    """An option of a fault.

    Attributes
    ----------
    types : tuple of type
        The types that it takes.
    default : object
        The default; without one, the option is required.
    least, most : float, optional
        The bounds of a number.
    """

    types: tuple[type, ...]
    default: Any = _REQUIRED
    least: float | None = None
    most: float | None = None

    def check(self, kind: str, name: str, value: object) -> None:
        """Raise ValueError if the option does not take a value."""
        # bool is a subclass of int, but True is not a number of rows.
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
"""The kinds of faults and their options."""


@dataclass(frozen=True)
class Fault:
    """A scripted fault.

    Parameters
    ----------
    kind : str
        The name of the method of `Faults` that scripts it, as in ``"lose_reply"``.
    operation : str, optional
        The operation whose requests the fault affects, as in ``"append"``. None: every request.
    nth : int, default 1
        The first matching request that the fault affects, counted from 1.
    times : int, default 1
        The number of requests that the fault affects.
    options : mapping, optional
        The options of the kind, as in ``{"after_commit": True}``.
    page : int, optional
        The page whose requests the fault affects. None: every page.

    Examples
    --------
    >>> Fault("garbage", operation="read").as_dict()
    {'kind': 'garbage', 'operation': 'read', 'nth': 1, 'times': 1, 'page': None}
    """

    kind: str
    operation: str | None = None
    nth: int = 1
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    page: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as the keyword arguments of `Faults.script`.

        Returns
        -------
        dict
            JSON values by the name of the argument.
        """
        return {
            "kind": self.kind, "operation": self.operation, "nth": self.nth, "times": self.times, "page": self.page,
            **self.options,
        }  # fmt: skip


def make_fault(
    kind: str, operation: str | None, nth: int, times: int, page: int | None, options: Mapping[str, Any]
) -> Fault:
    """Return a fault with all its options; raise ValueError for one that cannot be scripted."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"Unknown fault {kind!r}. Valid faults: {', '.join(KINDS)}.")
    if operation is not None and operation not in OPERATIONS:
        raise ValueError(f"Unknown operation {operation!r}. Valid operations: {', '.join(OPERATIONS)}.")
    for name, number in (("nth", nth), ("times", times), *((("page", page),) if page is not None else ())):
        if type(number) is not int or number < 1:
            raise ValueError(f"{name} is {number!r}; it must be an integer of at least 1.")
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
    return Fault(kind, operation, nth, times, full, page)


def _from_dict(described: dict[str, Any]) -> Fault:
    fields = {name: described.pop(name) for name in ("kind", "operation", "nth", "times", "page")}
    return Fault(**fields, options=described)


@dataclass
class _Script:
    fault: Fault
    seen: int = 0
    fired: int = 0


@dataclass(eq=False)
class _Held:
    """A request that the server holds until its event is set, or until `work` is done."""

    wake: threading.Event = field(default_factory=threading.Event)
    work: Callable[[], None] | None = None
    timer: threading.Timer | None = None


class FaultQueue:
    """The faults that have not fired yet, and the requests that they hold."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._scripts: list[_Script] = []
        self._held: list[_Held] = []
        self._timers: set[threading.Timer] = set()
        self.stopping: threading.Event = threading.Event()

    # scripting

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        with self._changed:
            self._scripts.append(_Script(fault))

    def clear(self) -> None:
        """Remove the faults that have not fired."""
        with self._changed:
            self._scripts.clear()

    def pending(self) -> list[dict[str, Any]]:
        """Return the faults that have not fired, with what is left of their `nth` and `times`."""
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

    def held(self, count: int = 0, seconds: float = 0) -> int:
        """Return the number of held requests, once there are `count` or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._held) >= count or self.stopping.is_set(), seconds)
            if len(self._held) < count and self.stopping.is_set():
                raise TimeoutError(f"The sandbox stopped while {len(self._held)} of {count} requests were held.")
            return len(self._held)

    def release(self) -> int:
        """Release the held requests and return their number."""
        with self._changed:
            held, self._held = self._held, []
        for one in held:
            self._wake(one)
        return len(held)

    def _wake(self, one: _Held) -> None:
        if one.timer is not None:
            one.timer.cancel()
        one.wake.set()
        if one.work is not None:
            one.work()

    # middleware

    def take(self, operation: str | None, page: str = "") -> Fault | None:
        """Count a request, and return the fault that affects it."""
        with self._changed:
            due: _Script | None = None
            for script in self._scripts:
                if script.fault.operation in (None, operation) and str(script.fault.page) in ("None", page):
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
        """Hold a request; return False if the sandbox stops."""
        one = _Held()
        self._add(one)
        one.wake.wait(seconds)
        with self._changed:
            if one in self._held:
                self._held.remove(one)
        return not self.stopping.is_set()

    def defer(self, work: Callable[[], None], delay: float | None) -> None:
        """Do work after `delay` seconds, or on `release`."""
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
        """Release every request and drop deferred work: the sandbox stops."""
        with self._changed:
            self.stopping.set()
            held, self._held = self._held, []
            timers, self._timers = self._timers, set()
            self._changed.notify_all()
        for one in held:
            one.work = None
            self._wake(one)
        for timer in timers:
            timer.cancel()
            if timer.is_alive():
                timer.join()


class When(TypedDict, total=False):
    """Which requests a fault affects, as in `Faults.script`."""

    operation: str | None
    nth: int
    times: int
    page: int | None


class Faults:
    """The faults of one sandbox, in this process or in another.

    Each method up to `expire_token` scripts a fault and takes the keywords ``operation``, ``nth``, ``times`` and
    ``page`` of `script`. One request has one fault: if several faults match a request, the one that was scripted first
    fires.

    Parameters
    ----------
    queue : FaultQueue
        The faults that have not fired yet.
    expire_tokens : callable
        Expires every access token.

    Examples
    --------
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     fault = sandbox.faults.status(429, operation="append", retry_after=2)
    ...     len(sandbox.faults.pending)
    1
    """

    def __init__(self, queue: FaultQueue, expire_tokens: Callable[[], None]) -> None:
        self._queue = queue
        self._expire_tokens = expire_tokens

    @operation("POST", "faults", encode=Fault.as_dict, decode=_from_dict)
    def script(
        self,
        /,
        kind: str,
        *,
        operation: str | None = None,
        nth: int = 1,
        times: int = 1,
        page: int | None = None,
        **options: Any,
    ) -> Fault:
        """Script a fault by the name of its kind.

        Parameters
        ----------
        kind : str
            The name of the method that scripts this kind of fault, as in ``"lose_reply"``.
        operation : str, optional
            The operation whose requests the fault affects, as in ``"append"``. None: every request.
        nth : int, default 1
            The first matching request that the fault affects, counted from 1 from now on.
        times : int, default 1
            The number of requests that the fault affects.
        page : int, optional
            The page whose requests the fault affects, such as one of a table that is read. Several pages are requested
            at a time, so that their order does not tell which one a request is for. None: every page.
        **options
            The parameters of the method that scripts this kind of fault.

        Returns
        -------
        Fault
            The scripted fault.

        Raises
        ------
        ValueError
            The kind, the operation or an option is unknown, or a value does not fit.
        """
        fault = make_fault(kind, operation, nth, times, page, options)
        self._queue.add(fault)
        return fault

    def lose_reply(self, *, after_commit: bool = True, **when: Unpack[When]) -> Fault:
        """Close the connection without a reply.

        Parameters
        ----------
        after_commit : bool, default True
            Do the work before the connection closes. False: never do it.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("lose_reply", after_commit=after_commit, **when)

    def late_commit(self, *, delay: float | None = None, **when: Unpack[When]) -> Fault:
        """Close the connection without a reply at once, and do the work later.

        Parameters
        ----------
        delay : float, optional
            Seconds until the work is done. None: `release` does it.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("late_commit", delay=delay, **when)

    def status(
        self,
        code: int,
        *,
        after_commit: bool = False,
        retry_after: float | str | None = None,
        body: Any = None,
        **when: Unpack[When],
    ) -> Fault:
        """Reply with an HTTP status.

        Parameters
        ----------
        code : int
            The status, from 200 to 599.
        after_commit : bool, default False
            Do the work before the reply. False: never do it.
        retry_after : float or str, optional
            The value of the header ``Retry-After``, in seconds or as an HTTP date.
        body : str, dict or list, optional
            The body of the reply, as text or as a JSON value. None: an error body of the request's dialect.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("status", code=code, after_commit=after_commit, retry_after=retry_after, body=body, **when)

    def hang(self, *, seconds: float | None = None, after_commit: bool = False, **when: Unpack[When]) -> Fault:
        """Hold a request before the reply.

        If the sandbox stops meanwhile, the work that follows the wait is never done.

        Parameters
        ----------
        seconds : float, optional
            Seconds until the reply. None: until `release`.
        after_commit : bool, default False
            Do the work before the wait. False: after it.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("hang", seconds=seconds, after_commit=after_commit, **when)

    def slow(self, seconds: float, **when: Unpack[When]) -> Fault:
        """Do the work and reply some seconds later, or never if the sandbox stops meanwhile.

        Parameters
        ----------
        seconds : float
            Seconds until the reply.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("slow", seconds=seconds, **when)

    def truncate_body(self, **when: Unpack[When]) -> Fault:
        """Do the work, send half of the announced body and close the connection.

        Parameters
        ----------
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("truncate_body", **when)

    def garbage(self, **when: Unpack[When]) -> Fault:
        """Do the work and reply 200 with a body that is not JSON.

        Parameters
        ----------
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("garbage", **when)

    def empty_page(self, **when: Unpack[When]) -> Fault:
        """Reply with a page without rows whose paging is that of the full page.

        Parameters
        ----------
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("empty_page", **when)

    def short_page(self, rows: int, **when: Unpack[When]) -> Fault:
        """Reply with a page that lacks its last rows and whose paging is that of the full page.

        Parameters
        ----------
        rows : int
            The number of missing rows.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("short_page", rows=rows, **when)

    def repeat_page(self, **when: Unpack[When]) -> Fault:
        """Reply with the rows of the previous page and the paging of the requested page.

        Parameters
        ----------
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("repeat_page", **when)

    def accept_fewer(self, rows: int, **when: Unpack[When]) -> Fault:
        """Commit only the first rows of an append; only the reply to a versioned insert shows it.

        Parameters
        ----------
        rows : int
            The number of rows to commit.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("accept_fewer", rows=rows, **when)

    def error_200(self, code: str, description: str, **when: Unpack[When]) -> Fault:
        """Reply 200 with an error body, and do not do the work.

        Parameters
        ----------
        code : str
            The error code, as in ``"InvalidValue"``.
        description : str
            The error description.
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("error_200", code=code, description=description, **when)

    def expire_token(self, **when: Unpack[When]) -> Fault:
        """Expire the access token of a request just before it is checked.

        Parameters
        ----------
        **when
            Which requests: ``operation``, ``nth``, ``times`` and ``page``, as in `script`.

        Returns
        -------
        Fault
            The scripted fault.
        """
        return self.script("expire_token", **when)

    @operation("POST", "faults/expire_tokens")
    def expire_tokens(self) -> None:
        """Expire every access token now; refresh tokens stay valid."""
        self._expire_tokens()

    @operation("DELETE", "faults")
    def clear(self) -> None:
        """Remove the faults that have not fired; requests that are already held stay held."""
        self._queue.clear()

    @operation("GET", "faults")
    def _state(self) -> dict[str, Any]:
        return {"pending": self._queue.pending(), "held": self._queue.held()}

    @property
    def pending(self) -> list[dict[str, Any]]:
        """The faults that have not fired, as keyword arguments of `script`, with what is left of `nth` and `times`."""
        return list(self._state()["pending"])

    @property
    def held(self) -> int:
        """The number of requests that hang or whose work is not done yet."""
        return self._held_within()

    @operation("GET", "faults/held", "held")
    def _held_within(self, count: int = 0, seconds: float = 0) -> int:
        if not seconds >= 0:
            raise ValueError(f"seconds is {seconds!r}; it must be a number of at least 0.")
        return self._queue.held(count, min(seconds, LONGEST_WAIT))

    def wait_held(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until a number of requests are held.

        Parameters
        ----------
        count : int, default 1
            The number of requests.
        timeout : float, default 5
            The longest wait in seconds.

        Raises
        ------
        TimeoutError
            Fewer requests are held after `timeout` seconds, or the sandbox stops.
        """
        until = time.monotonic() + timeout
        while True:
            left = max(until - time.monotonic(), 0)
            held = self._held_within(count, min(left, LONGEST_WAIT))
            if held >= count:
                return
            if time.monotonic() >= until:
                raise TimeoutError(f"{held} requests are held, not {count}, after {timeout} seconds.")

    @operation("POST", "faults/release", "released")
    def release(self) -> int:
        """Release all held requests.

        The work of late commits is done when this method returns. Requests that hang continue in their own threads.

        Returns
        -------
        int
            The number of requests that were held.
        """
        return self._queue.release()
