"""Sending batches, some at a time, and knowing afterwards what became of every one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

import pyarrow as pa

from pandas_clicdata.display import ProgressBar
from pandas_clicdata.errors import ClicDataError, RowRange
from pandas_clicdata.models import NO_MORE_TRIES, Sent
from pandas_clicdata.writing import ranges as row_ranges


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
    """A batch's fate, and how it came to it."""

    batch: Batch
    fate: Fate
    retries: int = 0
    perhaps_twice: bool = False
    counted: int | None = None
    wrong_count: int | None = None
    error: BaseException | None = field(default=None, repr=False)


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
    """

    outcomes: Sequence[Outcome]
    left: Sequence[Batch] = ()
    failure: BaseException | None = None

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


class _NoLog:
    def sending(self, batch: Batch) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...


Send = Callable[[Batch], Sent]


def send_all(
    batches: Iterable[Batch], send: Send, *, workers: int, bar: ProgressBar, log: Log | None = None
) -> Delivery:
    """Send batches, ``workers`` at a time, while the next ones are being written; stop at the first that fails.

    The first Ctrl-C waits for the replies to what is on the wire, but not to send a batch again: that one is unsent. A
    second waits for nothing.

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
    """
    log = log or _NoLog()
    stop = threading.Event()
    # One more than is on the wire: that one is written meanwhile.
    room = threading.Semaphore(workers + 1)
    # The threads keep these, so that an interrupt in this one loses no batch that has gone.
    changed = threading.Condition()
    waiting: dict[int, Batch] = {}
    on_wire: dict[int, Batch] = {}
    ended: list[Outcome] = []
    broken: list[BaseException] = []
    abandoned = False
    told = 0

    def begin(batch: Batch) -> bool:
        with changed:
            if stop.is_set():
                return False
            on_wire[batch.number] = waiting.pop(batch.number)
            try:
                log.sending(batch)
            except Exception as exc:  # noqa: BLE001 - what cannot be noted is not sent
                stop.set()
                ended.append(Outcome(on_wire.pop(batch.number), Fate.UNSENT, error=exc))
                return False
            return True

    def end(outcome: Outcome) -> None:
        with changed:
            if abandoned:
                return
            try:
                log.ended(outcome)
            except Exception as exc:  # noqa: BLE001 - the rows are where they are all the same
                outcome = replace(outcome, error=outcome.error or exc)
            del on_wire[outcome.batch.number]
            ended.append(outcome)
            if outcome.fate is not Fate.CONFIRMED or outcome.error is not None:
                stop.set()

    def deliver(batch: Batch) -> None:
        try:
            NO_MORE_TRIES.set(stop)
            if begin(batch):
                end(_delivered(batch, send))
        except BaseException as exc:  # noqa: BLE001 - nobody looks at what a thread of the pool raises
            broken.append(exc)
            stop.set()
        finally:
            with changed:
                changed.notify_all()
            room.release()

    def tell() -> None:
        nonlocal told
        while told < len(ended):
            outcome = ended[told]
            told += 1
            if outcome.fate is Fate.CONFIRMED:
                bar.add(outcome.batch.rows)

    def wait_for_replies() -> None:
        # An interrupted pool.shutdown() cannot be waited for again; this can.
        with changed:
            changed.wait_for(lambda: not on_wire or broken)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="clicdata-write")
    failure: BaseException | None = None
    try:
        for batch in batches:
            if batch.number in waiting or batch.number in on_wire:
                raise ValueError(f"two batches have the number {batch.number}")  # noqa: TRY301
            waiting[batch.number] = batch
            room.acquire()
            tell()
            if stop.is_set():
                break
            pool.submit(deliver, batch)
        pool.shutdown()
        tell()
    except BaseException as exc:  # noqa: BLE001 - what is on the wire must be accounted for before it goes on
        failure = exc
        try:
            stop.set()
            pool.shutdown(wait=False)
            wait_for_replies()
        except BaseException as again:  # noqa: BLE001 - a second Ctrl-C
            stop.set()
            failure = again

    with changed:
        abandoned = True
        for batch in on_wire.values():
            lost = Outcome(batch, Fate.UNKNOWN)
            with contextlib.suppress(Exception):
                log.ended(lost)
            ended.append(lost)
        return Delivery(list(ended), list(waiting.values()), failure or next(iter(broken), None))


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
    return Outcome(batch.spent(), Fate.CONFIRMED, sent.retries, sent.perhaps_twice, sent.counts.inserted)
