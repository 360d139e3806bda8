"""Send batches, several at a time, and know the outcome of each one."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

import pyarrow as pa

from pandas_clicdata._display import ProgressBar
from pandas_clicdata._models import NO_MORE_TRIES, Sent
from pandas_clicdata._threads import started
from pandas_clicdata.errors import ClicDataError, ConnectionLostError, RowRange
from pandas_clicdata.write import row_ranges


@dataclass(frozen=True)
class Batch:
    """One request's rows, written.

    Attributes
    ----------
    ranges : tuple of (int, int)
        The frame's rows that it stands for.
    body : bytes
        The rows as JSON.
    number : int
        Which batch of the write this is.
    mark : str or None
        What its rows carry in the stamp column.
    part : pyarrow.RecordBatch or None
        The rows themselves, for those that may have to be written again.
    """

    ranges: tuple[RowRange, ...]
    body: bytes = field(repr=False)
    number: int = 0
    mark: str | None = None
    part: pa.RecordBatch | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        return row_ranges.count(self.ranges)

    def spent(self) -> Batch:
        """The batch without its content, which is not needed any more."""
        return replace(self, body=b"", part=None)


class Fate(Enum):
    """What became of a batch."""

    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    UNSENT = "unsent"


@dataclass(frozen=True)
class Outcome:
    """A batch's fate, and how it came to it.

    Attributes
    ----------
    batch : Batch
        The batch.
    fate : Fate
        What is known of its rows.
    retries : int
        How often its request was sent again.
    perhaps_twice : bool
        Whether a try before the last may have been carried out too, or may still be.
    counted : int or None
        How many rows the reply counted; None if it did not count.
    wrong_count : int or None
        What the reply counted, where that is not the number of rows sent.
    error : BaseException or None
        Why it is not confirmed, or could not be noted.
    connection : int
        The number of the connection that the reply came on.
    """

    batch: Batch
    fate: Fate
    retries: int = 0
    perhaps_twice: bool = False
    counted: int | None = None
    wrong_count: int | None = None
    error: BaseException | None = field(default=None, repr=False)
    connection: int = 0


@dataclass(frozen=True)
class Delivery:
    """What became of some batches.

    Attributes
    ----------
    outcomes : sequence of Outcome
        Of each batch that was begun, in the order in which they ended.
    left : sequence of Batch
        Those that were taken but not begun.
    failure : BaseException or None
        What ended the delivery from outside: Ctrl-C, or a failure to write the next batch.
    notes : sequence of str
        What could not be checked, in sentences.
    """

    outcomes: Sequence[Outcome]
    left: Sequence[Batch] = ()
    failure: BaseException | None = None
    notes: Sequence[str] = ()

    @property
    def reason(self) -> BaseException | None:
        """Why it did not come to its end."""
        # Those that a stop brought to their end came after its reason.
        return self.failure or next((outcome.error for outcome in self.outcomes if outcome.error is not None), None)

    @property
    def retries(self) -> int:
        return sum(outcome.retries for outcome in self.outcomes)

    @property
    def perhaps_twice(self) -> bool:
        """Whether something of it may be carried out once more."""
        return any(outcome.perhaps_twice for outcome in self.outcomes)

    @property
    def complete(self) -> bool:
        return self.failure is None and all(
            outcome.fate is Fate.CONFIRMED and outcome.error is None for outcome in self.outcomes
        )

    def ranges(self, fate: Fate) -> list[RowRange]:
        return row_ranges.merged(
            pair for outcome in self.outcomes if outcome.fate is fate for pair in outcome.batch.ranges
        )


class Log(Protocol):
    """Who is told of each batch before it goes and when its fate is known."""

    def sending(self, batch: Batch) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...

    def doubted(self, outcome: Outcome) -> None: ...


class _NoLog:
    def sending(self, batch: Batch) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...

    def doubted(self, outcome: Outcome) -> None: ...


class Replies(Protocol):
    """What is known of the connections that replies came on."""

    @property
    def doubted(self) -> frozenset[int]:
        """Connections on which bytes came that no request asked for."""

    def in_sync(self, connection: int) -> bool | None:
        """Whether the replies on this thread's connection belong to their requests; None if that cannot be told."""


Send = Callable[[Batch], Sent]


def send_all(
    batches: Iterable[Batch],
    send: Send,
    *,
    workers: int,
    bar: ProgressBar,
    log: Log | None = None,
    replies: Replies | None = None,
) -> Delivery:
    """Send batches, ``workers`` at a time, while the next ones are being written; stop at the first that fails.

    The first Ctrl-C waits for the replies to what is on the wire, but not to send a batch again: that one is unsent. A
    second waits for nothing. Where no thread can be started, as at the end of the interpreter, the batches are sent one
    after the other.

    Parameters
    ----------
    batches : iterable of Batch
        Written as they are taken.
    send : callable
        Sends one batch, and never twice where that could double its rows.
    workers : int
        Batches on the wire at once.
    bar : ProgressBar
        Told of each batch that is done.
    log : Log, optional
        Told of each batch before it goes and when it has ended. What it cannot note is not sent.
    replies : Replies, optional
        Asked whether a reply that counts no rows belongs to its batch. Where it may not, the batch is unknown.
    """
    return _Sending(send, workers, bar, log or _NoLog(), replies).run(batches)


class _Sending:
    """One call of ``send_all``: the batches that wait, those on the wire, and what is known of the others."""

    def __init__(self, send: Send, workers: int, bar: ProgressBar, log: Log, replies: Replies | None) -> None:
        self._send = send
        self._workers = workers
        self._bar = bar
        self._log = log
        self._replies = replies
        self._stop = threading.Event()
        self._changed = threading.Condition()
        # The threads keep these, so that an interrupt in the calling one loses no batch that has gone.
        self._waiting: deque[Batch] = deque()
        self._on_wire: dict[int, Batch] = {}
        self._ended: list[Outcome] = []
        self._broken: list[BaseException] = []
        self._notes: list[str] = []
        self._doubted: set[int] = set()
        # By thread, for the connection is that of the thread.
        self._last: dict[int, Outcome] = {}
        self._complete = self._interrupted = self._abandoned = False
        self._threads = self._running = self._shown = 0

    def run(self, batches: Iterable[Batch]) -> Delivery:
        failure: BaseException | None = None
        try:
            for batch in batches:
                self._put(batch)
                self._show()
                if self._stop.is_set():
                    break
            self._finish()
            self._show()
        except BaseException as exc:  # noqa: BLE001 - what is on the wire must be accounted for before it goes on
            failure = exc
            try:
                self._interrupted = True
                self._stop.set()
                self._finish()
            except BaseException as again:  # noqa: BLE001 - a second Ctrl-C
                self._stop.set()
                failure = again
        with self._changed:
            self._abandoned = True
            for batch in self._on_wire.values():
                lost = Outcome(batch, Fate.UNKNOWN)
                with contextlib.suppress(Exception):
                    self._log.ended(lost)
                self._ended.append(lost)
            self._doubt()
            failure = failure or next(iter(self._broken), None)
            return Delivery(list(self._ended), list(self._waiting), failure, list(dict.fromkeys(self._notes)))

    # in the calling thread

    def _put(self, batch: Batch) -> None:
        """Hand a batch to the workers, once one more than they have on the wire may wait."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stop.is_set() or len(self._waiting) + len(self._on_wire) <= self._workers
            )
            self._waiting.append(batch)
            if not self._stop.is_set():
                self._start_thread()
            self._changed.notify_all()
        if not self._threads:
            self._work(wait=False)

    def _start_thread(self) -> None:
        """Start a thread if none is idle and another one is allowed and can be had."""
        if self._threads >= self._workers or len(self._waiting) <= self._running - len(self._on_wire):
            return
        thread = threading.Thread(target=self._work, name=f"clicdata-write-{self._threads}", daemon=True)
        self._threads += 1
        self._running += 1
        if not started(thread):
            # The threads that there are do the work, or the calling one.
            self._threads -= 1
            self._running -= 1
            self._workers = max(1, self._threads)

    def _finish(self) -> None:
        """Wait for the workers to end; no batch follows."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()
            # An interrupted join cannot be waited for again; this can.
            self._changed.wait_for(lambda: not self._running or self._broken)
        if not self._threads:
            self._check()

    def _show(self) -> None:
        while self._shown < len(self._ended):
            outcome = self._ended[self._shown]
            self._shown += 1
            if outcome.fate is Fate.CONFIRMED:
                self._bar.add(outcome.batch.rows)

    def _doubt(self) -> None:
        """Take back what only replies say that may belong to another request."""
        if self._replies is None:
            return
        doubted = self._doubted | self._replies.doubted
        for at, outcome in enumerate(self._ended):
            if outcome.fate is Fate.CONFIRMED and outcome.counted is None and outcome.connection in doubted:
                error = ConnectionLostError(
                    "A reply came more than once on one connection, so that the replies on it may belong to other"
                    " batches than they seem to.",
                    ambiguous=True,
                )
                self._ended[at] = replace(outcome, fate=Fate.UNKNOWN, error=error)
                with contextlib.suppress(Exception):
                    self._log.doubted(self._ended[at])

    # in the thread that sends

    def _work(self, *, wait: bool = True) -> None:
        """Send what waits, in a thread of its own until no batch follows."""
        token = NO_MORE_TRIES.set(self._stop)
        try:
            while (batch := self._begin(wait=wait)) is not None:
                self._end(_delivered(batch, self._send))
            if wait:
                self._check()
        except BaseException as exc:  # noqa: BLE001 - what a thread raises is lost
            self._broken.append(exc)
            self._stop.set()
        finally:
            NO_MORE_TRIES.reset(token)
            with self._changed:
                self._running -= int(wait)
                self._changed.notify_all()

    def _begin(self, *, wait: bool) -> Batch | None:
        """Take the next batch on the wire; None if there is none to send."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._waiting or self._complete or self._stop.is_set())
            if self._stop.is_set() or not self._waiting:
                return None
            batch = self._waiting.popleft()
            try:
                self._log.sending(batch)
            except Exception as exc:  # noqa: BLE001 - what cannot be noted is not sent
                self._stop.set()
                self._ended.append(Outcome(batch, Fate.UNSENT, error=exc))
                return None
            self._on_wire[batch.number] = batch
            return batch

    def _end(self, outcome: Outcome) -> None:
        with self._changed:
            if self._abandoned:
                return
            try:
                self._log.ended(outcome)
            except Exception as exc:  # noqa: BLE001 - the rows are where they are all the same
                outcome = replace(outcome, error=outcome.error or exc)
            del self._on_wire[outcome.batch.number]
            self._ended.append(outcome)
            self._last[threading.get_ident()] = outcome
            if outcome.fate is not Fate.CONFIRMED or outcome.error is not None:
                self._stop.set()
            self._changed.notify_all()

    def _check(self) -> None:
        """Find out whether the replies without counts that this thread got belong to its batches."""
        last = self._last.get(threading.get_ident())
        if self._replies is None or self._interrupted or last is None:
            return
        if last.fate is not Fate.CONFIRMED or last.counted is not None:
            return
        try:
            if self._replies.in_sync(last.connection) is False:
                self._doubted.add(last.connection)
        except ClicDataError as exc:
            self._notes.append(f"Whether each reply belongs to its batch could not be checked at the end: {exc}")


def _delivered(batch: Batch, send: Send) -> Outcome:
    try:
        sent = send(batch)
    except ClicDataError as exc:
        fate = Fate.UNKNOWN if exc.ambiguous else Fate.UNSENT
        return Outcome(batch, fate, error=exc)
    except BaseException as exc:  # noqa: BLE001 - whatever it was, the rows may have gone
        return Outcome(batch, Fate.UNKNOWN, error=exc)
    # A reply may say how many rows it took, or found in the request; either must be what was sent.
    said = [count for count in (sent.counts.inserted, sent.counts.found) if count is not None]
    wrong = next((count for count in said if count != batch.rows), None)
    if wrong is not None:
        return Outcome(batch, Fate.UNKNOWN, sent.retries, wrong_count=wrong)
    return Outcome(
        batch.spent(),
        Fate.CONFIRMED,
        sent.retries,
        sent.perhaps_twice,
        sent.counts.inserted,
        connection=sent.connection,
    )
