"""Fetch numbered pages with several threads, ahead of the page that is processed."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Generic, TypeVar

from pandas_clicdata._models import STOP_RETRIES, Stop
from pandas_clicdata._threads import started

T = TypeVar("T")


_SECONDS_PER_WAIT = 1.0


def _result(page: Future[T]) -> T:
    """Wait for a page. Each wait ends after a second, because Ctrl-C may not interrupt one, on Windows never."""
    while not wait([page], _SECONDS_PER_WAIT).done:
        pass
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
