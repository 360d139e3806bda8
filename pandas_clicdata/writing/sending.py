"""Sending batches, some at a time, and knowing afterwards what became of every row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pandas_clicdata.display import ProgressBar
from pandas_clicdata.errors import (
    AmbiguousWriteError,
    ClicDataError,
    IncompleteWriteError,
    PartialWriteError,
    RowRange,
)
from pandas_clicdata.models import NO_MORE_TRIES, InsertCounts, TableRef

_SHOWN_RANGES = 5


@dataclass(frozen=True)
class Batch:
    """One request's rows, written; ``ranges`` are the frame's rows that it stands for."""

    ranges: tuple[RowRange, ...]
    body: bytes = field(repr=False)

    @property
    def rows(self) -> int:
        return sum(stop - start for start, stop in self.ranges)


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
    counted: int | None = None
    wrong_count: int | None = None
    error: BaseException | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Tally:
    """All batches of a write that came to its end."""

    outcomes: Sequence[Outcome]

    @property
    def rows(self) -> int:
        return sum(outcome.batch.rows for outcome in self.outcomes)

    @property
    def counted(self) -> int:
        """Rows that the replies counted."""
        return sum(outcome.counted or 0 for outcome in self.outcomes)

    @property
    def retries(self) -> int:
        return sum(outcome.retries for outcome in self.outcomes)

    @property
    def all_counted(self) -> bool:
        return all(outcome.counted is not None for outcome in self.outcomes)


@dataclass(frozen=True)
class Job:
    """Where the batches go, and how an error speaks of them.

    Attributes
    ----------
    operation : str
        The API's operation.
    table : TableRef
        The table.
    rows : int or None
        Rows in the frame; None for a stream.
    unknown, unsent : str
        Sentences about such rows, in which ``{rows}`` stands for them.
    """

    operation: str
    table: TableRef
    rows: int | None
    unknown: str
    unsent: str


Send = Callable[[Batch], tuple[InsertCounts, int]]


def send_all(batches: Iterable[Batch], send: Send, job: Job, *, workers: int, bar: ProgressBar) -> Tally:
    """Send batches, ``workers`` at a time, while the next ones are being written.

    Parameters
    ----------
    batches : iterable of Batch
        Written as they are taken.
    send : callable
        Sends one batch, and never twice where that could double its rows.
    job : Job
        Where they go.
    workers : int
        Batches on the wire at once.
    bar : ProgressBar
        Told of each batch that is done.

    Raises
    ------
    AmbiguousWriteError
        The fate of some rows is unknown.
    PartialWriteError
        A reply counted other rows than were sent.
    IncompleteWriteError
        The service refused a batch, or writing one failed; what was not sent is known.
    KeyboardInterrupt
        From such an error, which tells the rows. The first Ctrl-C waits for the replies to what is on the wire, but not
        to send a batch again: that one is unsent. A second waits for nothing.
    """
    stop = threading.Event()
    # One more than is on the wire: that one is written meanwhile.
    room = threading.Semaphore(workers + 1)
    # The threads keep these, so that an interrupt in this one loses no batch that has gone.
    changed = threading.Condition()
    begun: list[Batch] = []
    ended: list[Outcome] = []
    told = 0
    end = 0

    def deliver(batch: Batch) -> None:
        try:
            NO_MORE_TRIES.set(stop)
            with changed:
                if stop.is_set():
                    return
                begun.append(batch)
            outcome = _delivered(batch, send)
            with changed:
                ended.append(outcome)
                if outcome.fate is not Fate.CONFIRMED:
                    stop.set()
                changed.notify_all()
        finally:
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
            changed.wait_for(lambda: len(ended) == len(begun))

    pool = ThreadPoolExecutor(workers, thread_name_prefix="clicdata-write")
    failure: BaseException | None = None
    try:
        for batch in batches:
            end = max(end, batch.ranges[-1][1])
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
    bar.close()

    outcomes = list(ended)
    # Before they are sorted: those that a stop brought to their end came after its reason.
    first = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
    known = {outcome.batch.ranges for outcome in outcomes}
    outcomes += [Outcome(batch, Fate.UNKNOWN) for batch in begun if batch.ranges not in known]
    outcomes.sort(key=lambda outcome: outcome.batch.ranges)
    if failure is None and not stop.is_set():
        return Tally(outcomes)
    error = _error(outcomes, job, max(end, job.rows or 0), failure or first)
    if failure is not None and not isinstance(failure, Exception):
        raise failure from error
    raise error from failure or first


def _delivered(batch: Batch, send: Send) -> Outcome:
    try:
        counts, retries = send(batch)
    except ClicDataError as exc:
        fate = Fate.UNKNOWN if exc.ambiguous else Fate.UNSENT
        return Outcome(batch, fate, error=exc)
    except BaseException as exc:  # noqa: BLE001 - whatever it was, the rows may have gone
        return Outcome(batch, Fate.UNKNOWN, error=exc)
    # A reply may say how many rows it took, or found in the request; either must be what was sent.
    said = [count for count in (counts.inserted, counts.found) if count is not None]
    wrong = next((count for count in said if count != batch.rows), None)
    if wrong is not None:
        return Outcome(batch, Fate.UNKNOWN, retries, wrong_count=wrong)
    return Outcome(batch, Fate.CONFIRMED, retries, counted=counts.inserted)


def _error(outcomes: Sequence[Outcome], job: Job, rows: int, reason: BaseException | None) -> IncompleteWriteError:
    confirmed = _ranges(outcomes, Fate.CONFIRMED)
    unknown = _ranges(outcomes, Fate.UNKNOWN)
    unsent = _complement(merged(confirmed + unknown), rows)
    miscounted = next((outcome for outcome in outcomes if outcome.wrong_count is not None), None)
    parts = [f"The {job.operation} on table {job.table.label} did not come to its end."]
    if miscounted is not None:
        parts.append(
            f"ClicData counted {miscounted.wrong_count:,} rows where {miscounted.batch.rows:,} were sent:"
            f" {ranges_text(miscounted.batch.ranges)}."
        )
    parts.append(f"Confirmed: {ranges_text(confirmed)}.")
    if unknown:
        parts.append(job.unknown.format(rows=ranges_text(unknown)))
    if unsent:
        parts.append(job.unsent.format(rows=ranges_text(unsent)))
    if job.rows is None:
        parts.append(f"Nothing of the stream from row {rows} on was sent.")
    if reason is not None:
        parts.append(f"The reason: {str(reason) or type(reason).__name__}")
    fields: dict[str, Any] = {
        "rec_id": job.table.rec_id,
        "name": job.table.name,
        "confirmed": confirmed,
        "unknown": unknown,
        "unsent": unsent,
        "operation": job.operation,
        "ambiguous": bool(unknown),
    }
    message = " ".join(parts)
    if miscounted is not None:
        return PartialWriteError(message, sent=miscounted.batch.rows, counted=miscounted.wrong_count, **fields)
    return AmbiguousWriteError(message, **fields) if unknown else IncompleteWriteError(message, **fields)


def _ranges(outcomes: Sequence[Outcome], fate: Fate) -> list[RowRange]:
    return merged([pair for outcome in outcomes if outcome.fate is fate for pair in outcome.batch.ranges])


def merged(ranges: Iterable[RowRange]) -> list[RowRange]:
    """Join ranges that touch.

    Examples
    --------
    >>> merged([(500, 700), (0, 500), (900, 950)])
    [(0, 700), (900, 950)]
    """
    joined: list[RowRange] = []
    for start, stop in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _complement(ranges: Sequence[RowRange], rows: int) -> list[RowRange]:
    """What of ``rows`` rows no range holds."""
    gaps: list[RowRange] = []
    at = 0
    for start, stop in ranges:
        if at < start:
            gaps.append((at, start))
        at = stop
    return [*gaps, (at, rows)] if at < rows else gaps


def ranges_text(ranges: Sequence[RowRange]) -> str:
    """Put row ranges into words.

    Examples
    --------
    >>> ranges_text([(0, 500), (1000, 1001)])
    '501 rows (0 to 499, 1000)'
    >>> ranges_text([])
    'no rows'
    """
    if not ranges:
        return "no rows"
    count = sum(stop - start for start, stop in ranges)
    shown = [str(start) if stop == start + 1 else f"{start} to {stop - 1}" for start, stop in ranges[:_SHOWN_RANGES]]
    if len(ranges) > _SHOWN_RANGES:
        shown.append(f"and {len(ranges) - _SHOWN_RANGES} ranges more")
    return f"{count:,} {'row' if count == 1 else 'rows'} ({', '.join(shown)})"
