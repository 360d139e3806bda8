"""Count the HTTP requests of each call of a public function, bound their number, and show the progress of the call.

The count belongs to the call, not to the process: it is in the context of the call, which its worker threads copy. The
transport counts each request just before it is sent.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from pandas_clicdata._checks import check_whole_number
from pandas_clicdata._options import options
from pandas_clicdata._progress import ProgressBar, shown
from pandas_clicdata._threads import reset_after_fork
from pandas_clicdata.errors import RequestLimitError

P = ParamSpec("P")
T = TypeVar("T")

_current: ContextVar[RequestCount | None] = ContextVar("_current", default=None)
_beyond_limit: ContextVar[bool] = ContextVar("_beyond_limit", default=False)


class RequestCount:
    """The number of requests of one call.

    Parameters
    ----------
    limit : int or None
        The maximum number of requests.

    Attributes
    ----------
    sent : int
        How many requests were sent, or were about to be.
    once : int
        How many of them a session sends once: those that sign in or detect the dialect.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = None if limit is None else check_whole_number("max_requests", limit, least=1)
        self.sent = 0
        self.once = 0
        self._after_fork()
        reset_after_fork(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def left(self) -> int | None:
        """How many requests may still be sent; None if their number is not bounded here."""
        return None if self.limit is None or _beyond_limit.get() else max(0, self.limit - self.sent)

    def add(self, line: str, *, once: bool) -> None:
        """Count a request just before it is sent.

        Parameters
        ----------
        line : str
            The request line, which the error quotes.
        once : bool
            Whether a session sends such a request once.

        Raises
        ------
        RequestLimitError
            The call may send no more requests.
        """
        with self._lock:
            if self.left == 0:
                raise RequestLimitError(
                    f"{line} was not sent, because this call has sent {self.sent:,} requests, and"
                    f" max_requests={self.limit}.",
                    max_requests=self.limit,
                )
            self.sent += 1
            self.once += once

    def require(self, needed: int, what: str, *, at_least: bool = False, changes: bool = True) -> None:
        """Check that requests which are known to be needed may be sent, before the first of them is.

        Parameters
        ----------
        needed : int
            How many more requests are needed.
        what : str
            What needs them, as the beginning of a sentence.
        at_least : bool, default False
            Whether more may be needed.
        changes : bool, default True
            Whether the first of them changes something, so that nothing is changed yet.

        Raises
        ------
        RequestLimitError
            They are too many. The message states how many are needed.
        """
        if self.left is None or needed <= self.left:
            return
        all_of_them = self.sent + needed
        raise RequestLimitError(
            f"{what} needs {'at least ' if at_least else ''}{needed:,} more requests, but this call has sent"
            f" {self.sent:,}, and max_requests={self.limit}.{' Nothing was changed.' if changes else ''} Pass"
            f" max_requests={all_of_them}{' or more' if at_least else ''}, or leave it out.",
            max_requests=self.limit,
            needed=all_of_them,
        )


def request_count() -> RequestCount:
    """Return the count of the call that the caller is in; outside of one, a new count without a limit."""
    return _current.get() or RequestCount()


def count_request(line: str, *, once: bool) -> None:
    """Count a request of the current call just before it is sent.

    Raises
    ------
    RequestLimitError
        The call may send no more requests.
    """
    count = _current.get()
    if count is not None:
        count.add(line, once=once)


def counts_requests(function: Callable[P, T]) -> Callable[P, T]:
    """Count the requests of each call of a public function, and show its progress.

    The parameter ``max_requests`` of the function, if any, bounds the requests; ``progress`` chooses the bar.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        limit: Any = kwargs.get("max_requests")
        progress: Any = kwargs.get("progress")
        bar = ProgressBar(options.progress if progress is None else progress)
        try:
            with counted_in(RequestCount(limit)), shown(bar):
                return function(*args, **kwargs)
        finally:
            bar.close()
            # A traceback with locals must not show a credential among the arguments.
            args, kwargs = (), {}  # type: ignore[assignment]

    return call


@contextlib.contextmanager
def counted_in(count: RequestCount) -> Iterator[None]:
    """Count the requests in this count, such as those of a read whose call has returned an iterator."""
    token = _current.set(count)
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def beyond_limit() -> Iterator[None]:
    """Count requests, but send them even if the call has reached its limit, to leave the table in a safe state."""
    token = _beyond_limit.set(True)
    try:
        yield
    finally:
        _beyond_limit.reset(token)
