"""Insert rows so that each arrives once: send, find the outcome of unknown rows, send the rest."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pandas_clicdata._display import Progress, ProgressBar
from pandas_clicdata._models import Sent, TableRef
from pandas_clicdata.client import api
from pandas_clicdata.errors import ApiError, ClicDataError, RowRange, VerificationError
from pandas_clicdata.types import row_codec
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.executor import Batch, Delivery, Fate, Outcome, send_all
from pandas_clicdata.write.fingerprint import Sums
from pandas_clicdata.write.journal import Pending, Record
from pandas_clicdata.write.payload import Content, Piece, stamp_column
from pandas_clicdata.write.reconcile import Found, Settler
from pandas_clicdata.write.results import Job, incomplete, raise_from

if TYPE_CHECKING:
    from pandas_clicdata.session import Session
    from pandas_clicdata.write.options import Options


_ROUNDS_WITHOUT_PROGRESS = 3
_PAYLOAD_TOO_LARGE = 413
_HOW_TO_GO_ON = "To go on, make the same call again with resume=error.resume (or with its journal)."
_HOW_TO_FIND_OUT = " on_unknown='check' then looks into the table for the unknown rows, by their content."


def batch_sizes(session: Session, most: int, workers: int) -> Iterator[int]:
    """How many rows the batches have, one after the other.

    Where replies count rows, the batches that follow each other on a connection differ, so that a reply to another one
    shows by its count.
    """
    cycle = min(workers + 1, most) if api.counts_rows(session) else 1
    return itertools.cycle(range(most, most - cycle, -1))


def count_batches(session: Session, rows: int, options: Options) -> int:
    """How many requests it takes to insert so many rows, if none of them is too large."""
    sizes = batch_sizes(session, int(options.chunksize), int(options.workers))
    return sum(1 for _ in row_ranges.cut([(0, rows)], sizes))


@dataclass
class Insertion:
    """One write's inserts.

    Attributes
    ----------
    session : Session
        Whose table it is.
    table : TableRef
        The table.
    content : Content
        The rows, as the table takes them.
    record : Record
        What is known already, and is kept.
    chunksize, workers : int
        Rows a request, and requests at once.
    reconcile_wait : float
        Seconds after which rows of unknown fate that are not in the table are taken for lost.
    settler : Settler or None
        How to find out where they are; None does not.
    progress : bool, callable or None
        Where to tell how far it is.
    title : str
        What a progress bar says.
    sums : Sums or None
        What has been sent of a stream; None if nobody will ask.
    hint : str
        What an error says about going on.
    """

    session: Session
    table: TableRef
    content: Content
    record: Record
    chunksize: int
    workers: int
    reconcile_wait: float
    settler: Settler | None = None
    progress: bool | Progress | None = None
    title: str = ""
    sums: Sums | None = None
    hint: str = _HOW_TO_GO_ON
    notes: tuple[str, ...] = field(default=(), init=False)
    _again: deque[Piece] = field(default_factory=deque, init=False, repr=False)
    _parts: dict[int, pa.RecordBatch] = field(default_factory=dict, init=False, repr=False)
    _end: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        total = self.content.rows
        wanted = None if total is None else self.record.unsent(total)
        self._most_rows = self.chunksize
        self._most_bytes = self.session.max_request_bytes
        self._source = self._counted(self.content.pieces(wanted, self._sizes()))
        self._end = total or 0
        columns = self.content.planned
        if self.record.identity.stamp is not None:
            columns = [*columns, stamp_column(self.record.identity.stamp)]
        self._wires = [column.wire for column in columns]
        self._framing = api.row_framing(self.session, [column.name for column in columns])

    def run(self) -> None:
        """Send what is not in the table yet.

        Raises
        ------
        IncompleteWriteError
            Not all rows are known to be there; it tells which are where, and how to go on. A Ctrl-C is raised from it.
        """
        bar = ProgressBar(self.progress, self.title, self.content.rows)
        try:
            bar.add(row_ranges.count(self.record.confirmed)) if self.record.confirmed else None
            self._run(bar)
        except _Stopped as stopped:
            raise_from(stopped.error, stopped.reason)
        except VerificationError:
            raise
        except BaseException as exc:  # noqa: BLE001 - whatever it was, the rows are told
            raise_from(self._error(exc), exc)
        finally:
            bar.close()

    def _run(self, bar: ProgressBar) -> None:
        stalled, before = 0, -1
        while True:
            delivery = send_all(
                self._batches(), self._send, workers=self.workers, bar=bar, log=self.record, replies=self.session
            )
            self.notes = tuple(dict.fromkeys([*self.notes, *delivery.notes]))
            smaller = self._make_smaller(delivery)
            self._take_back(delivery)
            miscounted = next((each for each in delivery.outcomes if each.wrong_count is not None), None)
            if miscounted is not None or not self._may_go_on(delivery):
                raise _Stopped(self._error(delivery.reason, miscounted), delivery.reason)
            confirmed = row_ranges.count(self.record.confirmed)
            stalled = 0 if confirmed > before or smaller else stalled + 1
            before = confirmed
            if stalled > _ROUNDS_WITHOUT_PROGRESS:
                raise _Stopped(self._error(delivery.reason), delivery.reason)
            if self.record.unknown:
                if self.settler is None:
                    raise _Stopped(self._error(delivery.reason), delivery.reason)
                self._look(self.settler, bar)
                if self._again or not self._used_up():
                    continue
                if self.record.unknown:
                    self._settle(self.settler, bar)
                    continue
            if self._again:
                continue
            if self.settler is None:
                break
            if self.record.resent:
                # Once more as long: what was taken for lost may only have been slow.
                _wait_until(self.record.resent_at + self.reconcile_wait)
            if not self.settler.at_the_end():
                break
        if self.record.confirmed != ([(0, self._end)] if self._end else []):
            raise ClicDataError(
                "Not every row is accounted for, which is a fault of pandas_clicdata: please report it."
            )

    def _may_go_on(self, delivery: Delivery) -> bool:
        """Whether all that happened is that batches were too large, or rows are unknown, which can be found out."""
        if delivery.complete:
            return True
        failed = [each for each in delivery.outcomes if each.fate is not Fate.CONFIRMED or each.error is not None]
        first = next((each for each in failed if not _is_too_large(each)), None)
        if delivery.failure is not None or not failed:
            return False
        if first is None:
            return True
        return self.settler is not None and first.fate is Fate.UNKNOWN and isinstance(first.error, ClicDataError)

    def _make_smaller(self, delivery: Delivery) -> bool:
        """Halve the batches from now on, if the service has refused some as too large; whether it has."""
        refused = [each.batch for each in delivery.outcomes if _is_too_large(each)]
        if refused:
            smallest = min(refused, key=lambda batch: len(batch.body))
            self._most_rows = min(self._most_rows, max(1, smallest.rows // 2))
            self._most_bytes = min(self._most_bytes, max(1, len(smallest.body) // 2))
        return bool(refused)

    def _used_up(self) -> bool:
        """Whether the frame or stream has no rows that were never sent."""
        following = next(self._source, None)
        if following is not None:
            self._again.append(following)
        return following is None

    # finding out

    def _look(self, settler: Settler, bar: ProgressBar) -> Found:
        looked = settler.found(list(self.record.unknown.values()))
        for number, found in looked.ranges.items():
            if found:
                self._shrink(self.record.unknown[number], found)
                self.record.note("found", batch=number, ranges=[list(pair) for pair in found])
                bar.add(row_ranges.count(found))
        return looked

    def _settle(self, settler: Settler, bar: ProgressBar) -> None:
        """Wait until what comes late should have come; then take for lost what is not there."""
        latest = max(each.since for each in self.record.unknown.values())
        _wait_until(min(latest, time.time()) + self.reconcile_wait)
        looked = self._look(settler, bar)
        pending = list(self.record.unknown.values())
        if pending and looked.doubt:
            raise ClicDataError(f"Rows that were not found are not sent again, for {looked.doubt}.")
        if self.content.ready is None and any(each.number not in self._parts for each in pending):
            raise ClicDataError("The rows that were not found were read from a stream, so they cannot be sent again.")
        for each in pending:
            part = self._parts.pop(each.number, None)
            # Noted first: from now on no look can confirm them under their old mark, whatever a deletion does.
            self.record.note("absent", batch=each.number)
            self._put_back(each.ranges, part)
        if pending:
            settler.before_again(pending)

    def _shrink(self, pending: Pending, found: Sequence[RowRange]) -> None:
        """Keep only those rows of a batch that are still unknown."""
        part = self._parts.pop(pending.number, None)
        gone = set(row_ranges.positions(found))
        kept = [at for at, row in enumerate(row_ranges.positions(pending.ranges)) if row not in gone]
        if part is not None and kept:
            self._parts[pending.number] = part.take(pa.array(kept))

    # batches

    def _counted(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for ranges, part in pieces:
            self._end = max(self._end, ranges[-1][1])
            if self.sums is not None and self.content.ready is None:
                self.sums = self.sums.plus(self.content.sums_of(part))
            yield ranges, part

    def _sizes(self) -> Iterator[int]:
        for size in batch_sizes(self.session, self.chunksize, self.workers):
            # Rows that fit too few into a request are cut smaller from the beginning, and still differ in number.
            yield max(1, min(size, self._most_rows - (self.chunksize - size)))

    def _batches(self) -> Iterator[Batch]:
        while True:
            piece = self._again.popleft() if self._again else next(self._source, None)
            if piece is None:
                return
            batch = self._batch(*piece)
            if batch is not None:
                yield batch

    def _batch(self, ranges: tuple[RowRange, ...], part: pa.RecordBatch) -> Batch | None:
        """Write a batch; None if it is too large, so that its halves come next."""
        if part.num_rows > self._most_rows:
            self._split(ranges, part, self._most_rows)
            return None
        number = self.record.next_number()
        mark = self.record.mark(number)
        sent = part
        if mark is not None:
            arrays = [*part.columns, pa.array([mark] * part.num_rows, pa.large_string())]
            sent = pa.RecordBatch.from_arrays(arrays, [*part.schema.names, str(self.record.identity.stamp)])
        body = row_codec.encode(sent, self._wires, self._framing)
        if len(body) > self._most_bytes and part.num_rows > 1:
            self._most_rows = max(1, min(self._most_rows, part.num_rows * self._most_bytes // len(body)))
            self._split(ranges, part, min(self._most_rows, part.num_rows // 2))
            return None
        return Batch(ranges, body, number, mark, part)

    def _split(self, ranges: tuple[RowRange, ...], part: pa.RecordBatch, most: int) -> None:
        """Put the rows of a batch in front of all others, in smaller pieces."""
        at, pieces = 0, []
        for piece in row_ranges.cut(ranges, itertools.repeat(most)):
            count = row_ranges.count(piece)
            pieces.append((piece, part.slice(at, count)))
            at += count
        self._again.extendleft(reversed(pieces))

    def _send(self, batch: Batch) -> Sent:
        return api.insert(self.session, self.table.rec_id, batch.body, batch.rows)

    def _take_back(self, delivery: Delivery) -> None:
        """Keep the rows of what did not go, and of what may have to go again."""
        for batch in delivery.left:
            self._put_back(batch.ranges, batch.part)
        for outcome in delivery.outcomes:
            if outcome.fate is Fate.UNSENT:
                self._put_back(outcome.batch.ranges, outcome.batch.part)
            elif outcome.fate is Fate.UNKNOWN and outcome.batch.part is not None:
                self._parts[outcome.batch.number] = outcome.batch.part

    def _put_back(self, ranges: tuple[RowRange, ...], part: pa.RecordBatch | None) -> None:
        for piece in row_ranges.cut(ranges, self._sizes()) if part is None else [ranges]:
            self._again.append((piece, self.content.take(piece) if part is None else part))

    # failing

    def _error(self, reason: BaseException | None, miscounted: Outcome | None = None) -> Any:
        job = Job(
            "insert",
            self.table,
            self.content.rows,
            unknown="Unknown, may or may not be in the table: {rows}; do not send these again before looking.",
            unsent="Not in the table: {rows}.",
        )
        known = self.record.known(self._end)
        token = self.record.token()
        hint = "" if self.content.rows is None else self.hint
        if hint == _HOW_TO_GO_ON and self.record.unknown and self.settler is None:
            hint += _HOW_TO_FIND_OUT
        return incomplete(job, known, reason, miscounted=miscounted, resume=token, hint=hint)


def _is_too_large(outcome: Outcome) -> bool:
    """Whether the service refused a batch for its size, and it can be halved."""
    refusal = outcome.error
    return (
        outcome.fate is Fate.UNSENT
        and isinstance(refusal, ApiError)
        and refusal.status == _PAYLOAD_TOO_LARGE
        and outcome.batch.rows > 1
    )


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


class _Stopped(Exception):
    """The write cannot go on."""

    def __init__(self, error: Any, reason: BaseException | None) -> None:
        super().__init__()
        self.error = error
        self.reason = reason
