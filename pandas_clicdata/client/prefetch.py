"""Fetch numbered pages with several threads, ahead of the page that is processed, and walk a list of pages."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Generic, TypeVar

from pandas_clicdata._models import STOP_RETRIES, Stop
from pandas_clicdata._progress import SECONDS_BETWEEN_DRAWS, current_bar
from pandas_clicdata._threads import started

T = TypeVar("T")


DEFAULT_WORKERS = 4
"""How many pages of a table or a list are requested at a time, unless the user passes another number.

A list of 30 pages takes 9 round trips instead of 30; with twice as many requests it would take 5. A browser opens up to
six connections to a host, so four requests of one user are nothing unusual for a service whose limits are not known.
"""
_SECONDS_PER_WAIT = 1.0


def _result(page: Future[T]) -> T:
    """Wait for a page. Each wait ends after a second, because Ctrl-C may not interrupt one, on Windows never."""
    bar, began = current_bar(), time.monotonic()
    while not wait([page], SECONDS_BETWEEN_DRAWS if bar.active else _SECONDS_PER_WAIT).done:
        bar.tick(silent_since=began)
    return page.result()


class Prefetch(Generic[T]):
    """Threads that fetch pages, each thread over a connection of its own.

    Unlike those of a pool, the daemon threads delay neither the end of the read nor the exit of the interpreter. Where
    no thread can be started, a page is fetched when it is needed.

    Parameters
    ----------
    fetch : callable
        Fetches the page of a number.
    workers : int, default 1
        Maximum number of threads, and so of requests at a time.
    """

    def __init__(self, fetch: Callable[[int], T], workers: int = 1) -> None:
        self._fetch = fetch
        self._workers = workers
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._requests: SimpleQueue[tuple[int, Future[T]] | None] = SimpleQueue()
        self._stop = Stop()
        self._threads = 0
        # Requests without a reply, so that a thread is started only if none is idle.
        self._pending: set[Future[T]] = set()

    def ask(self, number: int) -> Callable[[], T]:
        """Request a page; return a function that waits for it."""
        if self._process != os.getpid():
            # In a forked child, the queue may be locked by a thread of the parent.
            self._begin()
        page: Future[T] = Future()
        if not self._start_thread():
            return lambda: self._fetch(number)
        self._pending.add(page)
        page.add_done_callback(self._pending.discard)
        self._requests.put((number, page))
        process = self._process
        return lambda: _result(page) if os.getpid() == process else self._fetch(number)

    def end(self) -> None:
        """End the threads. A page that is still being fetched is not needed."""
        self._stop.abandon()
        for _ in range(self._threads):
            self._requests.put(None)

    def _start_thread(self) -> bool:
        """Start a thread if none is idle; return whether there is one."""
        if self._threads < self._workers and len(self._pending) >= self._threads:
            # Requests belong to the call that the caller is in.
            run = contextvars.copy_context().run
            work = (self._run, self._requests, self._stop)
            name = f"clicdata-read-{self._threads}"
            if started(threading.Thread(target=run, args=work, name=name, daemon=True)):
                self._threads += 1
            else:
                # The running threads do the work, or else the caller.
                self._workers = self._threads
        return self._threads > 0

    def _run(self, queue: SimpleQueue[tuple[int, Future[T]] | None], stop: Stop) -> None:
        # The context belongs to this thread.
        STOP_RETRIES.set(stop)
        while (request := queue.get()) is not None and not stop.is_set():
            number, page = request
            try:
                page.set_result(self._fetch(number))
            except BaseException as exc:  # noqa: BLE001 - raised where the page is needed
                page.set_exception(exc)


def last_to_ask(number: int, known: int, workers: int, *, last: int | None, announced: bool) -> int:
    """Return the number of the last page to request while a page is processed.

    Parameters
    ----------
    number : int
        The page that is processed.
    known : int
        How many pages are known to exist.
    workers : int
        Maximum number of pages ahead.
    last : int or None
        The last page that the caller can need.
    announced : bool
        Whether the service states how many pages there are. If not, at most as many are requested ahead as are known to
        exist, so that a short list costs few requests for pages beyond its end.
    """
    end = number + (workers if announced else min(known, workers))
    return end if last is None else min(end, last)


def walk(fetch: Callable[[int], T], count_pages: Callable[[T], int | None]) -> Generator[T, None, None]:
    """Yield the pages of a list in order, from the first on, for as long as the caller takes more.

    The caller decides which page is the last, and closes the generator then. Several pages are requested at a time, as
    :func:`last_to_ask` allows. A page that the caller does not take may have failed.

    Parameters
    ----------
    fetch : callable
        Fetches the page of a number.
    count_pages : callable
        Returns the number of pages that the first page shows, or None.

    Raises
    ------
    ClicDataError
        A page that the caller takes could not be fetched.
    """
    first = fetch(1)
    yield first
    last = count_pages(first)
    ahead = Prefetch(fetch, DEFAULT_WORKERS)
    pages: deque[Callable[[], T]] = deque()
    taken = 1
    try:
        while True:
            end = last_to_ask(taken, taken, DEFAULT_WORKERS, last=last, announced=last is not None)
            pages.extend(ahead.ask(number) for number in range(taken + len(pages) + 1, max(end, taken + 1) + 1))
            page = pages.popleft()()
            taken += 1
            yield page
    finally:
        ahead.end()
