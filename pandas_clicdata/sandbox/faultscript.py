"""What can be scripted: every kind of fault, its options, and a method for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
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


def make_fault(kind: str, operation: str | None, nth: int, times: int, options: Mapping[str, Any]) -> Fault:
    """A fault with all its options; ValueError for what cannot be scripted."""
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
    return Fault(kind, operation, nth, times, full)


def too_few_held(held: int, count: int, timeout: float) -> TimeoutError:
    """The error of waiting in vain for held requests."""
    return TimeoutError(f"{held} requests are held, not {count}, after {timeout} seconds.")


class Scripting(ABC):
    """Each method scripts a fault.

    It fires on the `nth` request for `operation` (any request where that is None), counted from when it was scripted,
    and `times` times in all. One request suffers one fault: of several that are due, the one scripted first.
    """

    @abstractmethod
    def script(self, kind: str, *, operation: str | None = None, nth: int = 1, times: int = 1, **options: Any) -> Fault:
        """Script a fault by the name of its kind, as `Fault.as_dict` describes it."""

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
