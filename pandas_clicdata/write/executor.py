"""Send batches concurrently, and report the outcome of each."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

import pyarrow as pa

from pandas_clicdata._models import STOP_RETRIES, RequestOutcome, Stop
from pandas_clicdata._progress import SECONDS_BETWEEN_DRAWS, ProgressBar
from pandas_clicdata._request_count import beyond_limit
from pandas_clicdata._threads import started
from pandas_clicdata.errors import ClicDataError, ConnectionLostError, RequestLimitError, RowRange
from pandas_clicdata.write import row_ranges


@dataclass(frozen=True)
class Batch:
    """The rows of one request, encoded.

    Attributes
    ----------
    ranges : tuple of (int, int)
        The rows of the frame.
    body : bytes
        The rows as JSON.
    number : int
        The number of the batch within the write.
    stamp : str or None
        The value of the stamp column in these rows.
    digest : str
        The digest of the body.
    texts : pyarrow.LargeStringArray or None
        The JSON of each row without the stamp, if the rows may have to be sent in another batch.
    """

    ranges: tuple[RowRange, ...]
    body: bytes = field(repr=False)
    number: int = 0
    stamp: str | None = None
    digest: str = ""
    texts: pa.LargeStringArray | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return row_ranges.count(self.ranges)

    def without_data(self) -> Batch:
        """Return the batch without its data, to free the memory."""
        return replace(self, body=b"", texts=None)


class Outcome(Enum):
    """What is known of the rows of a batch."""

    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    UNSENT = "unsent"


@dataclass(frozen=True)
class BatchResult:
    """The outcome of one batch.

    Attributes
    ----------
    batch : Batch
        The batch.
    outcome : Outcome
        What is known of its rows.
    retries : int
        How often its request was sent again.
    possibly_repeated : bool
        Whether a try before the last may have been carried out, too, or may still be.
    counted : int or None
        The number of rows in the reply; None if the reply has none.
    wrong_count : int or None
        The number of rows in the reply, if it is not the number of rows sent.
    error : BaseException or None
        Why the batch is not confirmed, or why its outcome could not be recorded.
    connection : int
        The number of the connection of the reply.
    """

    batch: Batch
    outcome: Outcome
    retries: int = 0
    possibly_repeated: bool = False
    counted: int | None = None
    wrong_count: int | None = None
    error: BaseException | None = field(default=None, repr=False)
    connection: int = 0


@dataclass(frozen=True)
class SendResult:
    """The outcome of several batches.

    Attributes
    ----------
    results : sequence of BatchResult
        The result of each batch that was started, in the order in which they ended.
    not_started : sequence of Batch
        Batches that were taken from the iterable and not started.
    failure : BaseException or None
        What stopped the sending from outside: an interrupt, or a failure to encode the next batch.
    notes : sequence of str
        Sentences about what could not be checked.
    """

    results: Sequence[BatchResult]
    not_started: Sequence[Batch] = ()
    failure: BaseException | None = None
    notes: Sequence[str] = ()

    @property
    def reason(self) -> BaseException | None:
        """Why the sending stopped."""
        # The first error is the reason; batches that end after a stop have errors of their own.
        return self.failure or next((result.error for result in self.results if result.error is not None), None)

    @property
    def retries(self) -> int:
        """How often requests were sent again."""
        return sum(result.retries for result in self.results)

    @property
    def possibly_repeated(self) -> bool:
        """Whether a request may still be carried out a second time."""
        return any(result.possibly_repeated for result in self.results)

    @property
    def complete(self) -> bool:
        """Whether every batch is confirmed."""
        return self.failure is None and all(
            result.outcome is Outcome.CONFIRMED and result.error is None for result in self.results
        )

    def ranges(self, outcome: Outcome) -> list[RowRange]:
        """Return the rows that have this outcome."""
        return row_ranges.merged(
            pair for result in self.results if result.outcome is outcome for pair in result.batch.ranges
        )


class BatchLog(Protocol):
    """Records each batch before it is sent and when its outcome is known."""

    def sending(self, batch: Batch) -> None:
        """Record a batch before it is sent."""

    def ended(self, result: BatchResult) -> None:
        """Record the outcome of a batch."""

    def doubted(self, result: BatchResult) -> None:
        """Record that the confirmation of a batch is in doubt."""

    def flush(self) -> None:
        """Return when every record is on disk. Several threads may call it at the same time."""


class _NoLog:
    def flush(self) -> None: ...

    def sending(self, batch: Batch) -> None: ...

    def ended(self, result: BatchResult) -> None: ...

    def doubted(self, result: BatchResult) -> None: ...


class ConnectionChecks(Protocol):
    """Knows which connections delivered replies that may belong to other requests."""

    @property
    def doubted(self) -> frozenset[int]:
        """The numbers of the connections on which unrequested bytes arrived."""

    def in_sync(self, connection: int) -> bool | None:
        """Return whether the replies on this thread's connection belong to their requests; None if unknown."""


Send = Callable[[Batch], RequestOutcome]


def send_all(
    batches: Iterable[Batch],
    send: Send,
    *,
    workers: int,
    bar: ProgressBar,
    log: BatchLog | None = None,
    connections: ConnectionChecks | None = None,
) -> SendResult:
    """Send batches, ``workers`` at a time, and encode the next ones meanwhile; stop at the first failure.

    After the first interrupt (Ctrl-C), the replies to the batches in flight are awaited, but no batch is sent again: a
    batch that needs a retry stays unsent. After the second interrupt nothing is awaited. Where no thread can be
    started, as at the shutdown of the interpreter, the batches are sent one after the other.

    Parameters
    ----------
    batches : iterable of Batch
        The batches, encoded as they are taken.
    send : callable
        Sends one batch, and never sends it again where that could store its rows twice.
    workers : int
        Maximum number of batches in flight.
    bar : ProgressBar
        Advances with each confirmed batch.
    log : BatchLog, optional
        Records each batch before it is sent and when it has ended. A batch that cannot be recorded is not sent.
    connections : ConnectionChecks, optional
        Checks whether a reply without a row count belongs to its batch. If it may not, the batch is unknown.
    """
    return _Sending(send, workers, bar, log or _NoLog(), connections).run(batches)


class _Sending:
    """The state of one call of ``send_all``: batches that wait, batches in flight, and the results of the others."""

    def __init__(
        self, send: Send, workers: int, bar: ProgressBar, log: BatchLog, connections: ConnectionChecks | None
    ) -> None:
        self._send = send
        self._workers = workers
        self._bar = bar
        self._log = log
        self._connections = connections
        self._stop = Stop()
        lock = threading.RLock()
        # The calling thread waits for the first, the worker threads for the second.
        self._changed, self._added = threading.Condition(lock), threading.Condition(lock)
        # Kept by the worker threads, so that an interrupt in the calling thread loses no batch that was sent.
        self._waiting: deque[Batch] = deque()
        self._in_flight: dict[int, Batch] = {}
        self._ended: list[BatchResult] = []
        self._broken: list[BaseException] = []
        self._notes: list[str] = []
        self._doubted: set[int] = set()
        # By thread, because each thread has its own connection.
        self._last: dict[int, BatchResult] = {}
        self._complete = self._interrupted = self._abandoned = False
        self._threads = self._running = self._counted_in_bar = 0

    def run(self, batches: Iterable[Batch]) -> SendResult:
        failure: BaseException | None = None
        try:
            for batch in batches:
                self._put(batch)
                self._advance_bar()
                if self._stop.is_set():
                    break
            self._finish()
            self._advance_bar()
        except BaseException as exc:  # noqa: BLE001 - the batches in flight must be accounted for first
            failure = exc
            try:
                self._interrupted = True
                self._stop.set()
                self._finish()
            except BaseException as again:  # noqa: BLE001 - a second Ctrl-C
                self._stop.set()
                failure = again
            with contextlib.suppress(Exception):
                # The rows of the batches that were in flight.
                self._advance_bar()
        with self._changed:
            self._abandoned = True
            self._stop.abandon()
            for batch in self._in_flight.values():
                lost = BatchResult(batch, Outcome.UNKNOWN)
                with contextlib.suppress(Exception):
                    self._log.ended(lost)
                self._ended.append(lost)
            self._doubt_replies()
            with contextlib.suppress(Exception):
                self._log.flush()
            failure = failure or next(iter(self._broken), None)
            return SendResult(list(self._ended), list(self._waiting), failure, list(dict.fromkeys(self._notes)))

    # in the calling thread

    def _put(self, batch: Batch) -> None:
        """Queue a batch; block while as many wait as there are workers."""
        self._wait_for(lambda: self._stop.is_set() or len(self._waiting) < self._workers)
        with self._changed:
            self._waiting.append(batch)
            if not self._stop.is_set():
                self._start_thread()
            self._added.notify()
        if not self._threads:
            self._work(wait=False)

    def _start_thread(self) -> None:
        """Start a thread if none is idle and fewer than ``workers`` run."""
        if self._threads >= self._workers or len(self._waiting) <= self._running - len(self._in_flight):
            return
        # The requests of the thread belong to the call that the caller is in.
        run, name = contextvars.copy_context().run, f"clicdata-write-{self._threads}"
        thread = threading.Thread(target=run, args=(self._work,), name=name, daemon=True)
        self._threads += 1
        self._running += 1
        if not started(thread):
            # The running threads do the work, or else the calling thread.
            self._threads -= 1
            self._running -= 1
            self._workers = max(1, self._threads)

    def _finish(self) -> None:
        """Wait for the worker threads to end, after the last batch."""
        with self._changed:
            self._complete = True
            self._added.notify_all()
        # Unlike a join, this can be repeated after an interrupt.
        self._wait_for(lambda: bool(not self._running or self._broken))
        if not self._threads:
            self._check()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the worker threads meet a condition, and draw the bar meanwhile."""
        began = time.monotonic()
        while True:
            with self._changed:
                if self._changed.wait_for(condition, SECONDS_BETWEEN_DRAWS if self._bar.active else None):
                    return
            self._advance_bar()
            self._bar.tick(silent_since=began)

    def _advance_bar(self) -> None:
        while self._counted_in_bar < len(self._ended):
            result = self._ended[self._counted_in_bar]
            self._counted_in_bar += 1
            if result.outcome is Outcome.CONFIRMED:
                self._bar.add(result.batch.rows)

    def _doubt_replies(self) -> None:
        """Mark batches as unknown whose only confirmation is a reply that may belong to another request."""
        if self._connections is None:
            return
        doubted = self._doubted | self._connections.doubted
        for at, result in enumerate(self._ended):
            if result.outcome is Outcome.CONFIRMED and result.counted is None and result.connection in doubted:
                error = ConnectionLostError(
                    "More replies than requests arrived on one connection, so each reply on it may belong to another"
                    " batch.",
                    ambiguous=True,
                )
                self._ended[at] = replace(result, outcome=Outcome.UNKNOWN, error=error)
                with contextlib.suppress(Exception):
                    self._log.doubted(self._ended[at])

    # in the thread that sends

    def _work(self, *, wait: bool = True) -> None:
        """Send the batches that wait; in a thread of its own, until no batch follows."""
        token = STOP_RETRIES.set(self._stop)
        try:
            while (batch := self._begin(wait=wait)) is not None:
                self._end(self._recorded_and_sent(batch))
            if wait:
                self._check()
        except BaseException as exc:  # noqa: BLE001 - an exception of a thread would be lost
            self._broken.append(exc)
            self._stop.set()
        finally:
            STOP_RETRIES.reset(token)
            with self._changed:
                self._running -= int(wait)
                self._changed.notify_all()

    def _begin(self, *, wait: bool) -> Batch | None:
        """Take the next batch to send; None if there is none."""
        with self._changed:
            if wait:
                self._added.wait_for(lambda: self._waiting or self._complete or self._stop.is_set())
            if self._stop.is_set() or not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._changed.notify()
            try:
                self._log.sending(batch)
            except Exception as exc:  # noqa: BLE001 - a batch that cannot be recorded is not sent
                self._stop.set()
                self._ended.append(BatchResult(batch, Outcome.UNSENT, error=exc))
                return None
            self._in_flight[batch.number] = batch
            return batch

    def _recorded_and_sent(self, batch: Batch) -> BatchResult:
        try:
            # Without the lock, so that the records of several threads are written to disk at once.
            self._log.flush()
        except Exception as exc:  # noqa: BLE001 - a batch that is not recorded is not sent
            return BatchResult(batch, Outcome.UNSENT, error=exc)
        return _send_one(batch, self._send)

    def _end(self, result: BatchResult) -> None:
        with self._changed:
            if self._abandoned:
                return
            try:
                self._log.ended(result)
            except Exception as exc:  # noqa: BLE001 - the outcome of the rows is the same
                result = replace(result, error=result.error or exc)
            del self._in_flight[result.batch.number]
            self._ended.append(result)
            if not isinstance(result.error, RequestLimitError):
                # Nothing was sent over the connection, whose earlier replies are still to be checked.
                self._last[threading.get_ident()] = result
            if result.outcome is not Outcome.CONFIRMED or result.error is not None:
                self._stop.set()
                self._changed.notify()

    def _check(self) -> None:
        """Check whether the replies without counts that this thread received belong to its batches."""
        last = self._last.get(threading.get_ident())
        if self._connections is None or self._interrupted or last is None:
            return
        if last.outcome is not Outcome.CONFIRMED or last.counted is not None:
            return
        try:
            # Without this check, the outcome of the rows is not known.
            with beyond_limit():
                if self._connections.in_sync(last.connection) is False:
                    self._doubted.add(last.connection)
        except ClicDataError as exc:
            self._notes.append(f"At the end, it could not be checked that each reply belongs to its batch: {exc}")


def _send_one(batch: Batch, send: Send) -> BatchResult:
    try:
        sent = send(batch)
    except ClicDataError as exc:
        return BatchResult(batch, Outcome.UNKNOWN if exc.ambiguous else Outcome.UNSENT, error=exc)
    except BaseException as exc:  # noqa: BLE001 - whatever happened, the rows may have been sent
        return BatchResult(batch, Outcome.UNKNOWN, error=exc)
    # A reply may state how many rows were stored, or found in the request. Either must be the number sent.
    counts = [count for count in (sent.counts.inserted, sent.counts.found) if count is not None]
    wrong = next((count for count in counts if count != batch.rows), None)
    if wrong is not None:
        return BatchResult(batch, Outcome.UNKNOWN, sent.retries, wrong_count=wrong)
    return BatchResult(
        batch.without_data(),
        Outcome.CONFIRMED,
        sent.retries,
        sent.possibly_repeated,
        sent.counts.inserted,
        connection=sent.connection,
    )
