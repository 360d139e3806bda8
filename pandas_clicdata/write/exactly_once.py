"""Insert rows exactly once: send them, reconcile the unknown ones, and send the rest."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence

import pyarrow as pa

from pandas_clicdata._models import RequestOutcome
from pandas_clicdata._progress import ProgressBar, current_bar, parts_of_wait
from pandas_clicdata._request_count import beyond_limit
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import ApiError, ClicDataError, IncompleteWriteError, RowRange, VerificationError
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.context import WriteContext
from pandas_clicdata.write.executor import Batch, BatchResult, Outcome, SendResult, send_all
from pandas_clicdata.write.fingerprint import Checksums, digest_of
from pandas_clicdata.write.journal import UnknownBatch
from pandas_clicdata.write.reconcile import Reconciler, Reconciliation
from pandas_clicdata.write.results import Wording, incomplete, raise_from, resume_hint

_ROUNDS_WITHOUT_PROGRESS = 3
Piece = tuple[tuple[RowRange, ...], pa.LargeStringArray]
"""Rows to send in one batch, and the JSON of each."""
_PAYLOAD_TOO_LARGE = 413
_WORDING = Wording(
    "insert",
    unknown="Unknown, they may be in the table: {rows}; check the table before you send these again.",
    unsent="Not in the table: {rows}.",
)


def batch_sizes(client: Client, chunksize: int, workers: int) -> Iterator[int]:
    """Yield the number of rows of each batch.

    Where replies count rows, consecutive batches on a connection differ in size, so that a reply to another batch shows
    by its count.
    """
    cycle = min(workers + 1, chunksize) if client.dialect.counts_rows else 1
    return itertools.cycle(range(chunksize, chunksize - cycle, -1))


class ExactlyOnceInsert:
    """The inserts of one write.

    Parameters
    ----------
    context : WriteContext
        The write; its payload is aligned with the table.
    reconciler : Reconciler or None
        Finds the outcome of unknown rows. With None, unknown rows stop the write.
    hint : str, optional
        Advice on how to continue, for errors. Default: how to resume from a token or a journal.
    checksums : bool, default False
        Whether to compute the checksums of a stream while it is sent.

    Attributes
    ----------
    notes : tuple of str
        Notes for the receipt.
    stream_checksums : Checksums or None
        The checksums of the part of a stream that was sent.
    """

    def __init__(
        self,
        context: WriteContext,
        reconciler: Reconciler | None,
        *,
        hint: str = "",
        checksums: bool = False,
    ) -> None:
        self.notes: tuple[str, ...] = ()
        self.stream_checksums = Checksums() if checksums else None
        self._context = context
        self._client = context.client
        self._payload = context.payload
        self._journal = context.journal
        self._reconciler = reconciler
        self._hint = hint
        self._chunksize = int(context.options.chunksize)
        self._workers = context.options.max_in_flight
        self._reconcile_wait = context.options.reconcile_wait
        self._to_resend: deque[Piece] = deque()
        self._unknown_texts: dict[int, pa.LargeStringArray] = {}
        total = self._payload.rows
        wanted = None if total is None else self._journal.unsent(total)
        self._end = total or 0
        self._max_rows = self._chunksize
        self._max_bytes = self._client.max_request_bytes
        self._source = self._pieces(wanted)

    def run(self) -> None:
        """Send every row that is not in the table yet.

        Raises
        ------
        IncompleteWriteError
            Not all rows are confirmed. It reports the state of each row and how to continue. A KeyboardInterrupt is
            raised from it.
        VerificationError
            Rows were stored twice.
        """
        title = f"{self._context.operation} {self._context.table.title}"
        bar = current_bar()
        try:
            bar.begin(title, self._payload.rows, done=row_ranges.count(self._journal.confirmed))
            with contextlib.ExitStack() as finishing:
                self._run(bar, finishing)
        except _Stopped as stopped:
            raise_from(stopped.error, stopped.reason)
        except VerificationError:
            raise
        except BaseException as exc:  # noqa: BLE001 - whatever happened, the state of the rows is reported
            raise_from(self._error(exc), exc)

    def _run(self, bar: ProgressBar, finishing: contextlib.ExitStack) -> None:
        """Send, reconcile and resend until every row is confirmed.

        Each round sends what is queued. Unknown rows are then searched in the table; those that are missing are sent
        again after ``reconcile_wait`` seconds. When nothing is left, late arrivals are deleted, which may queue rows
        once more. A failure that cannot be reconciled stops the write.
        """
        journal, reconciler = self._journal, self._reconciler
        stalled, before = 0, -1
        while True:
            sent = send_all(
                self._batches(), self._send, workers=self._workers, bar=bar, log=journal, connections=self._client
            )
            self.notes = tuple(dict.fromkeys([*self.notes, *sent.notes]))
            reduced = self._reduce_size(sent)
            self._keep_data(sent)
            miscounted = next((each for each in sent.results if each.wrong_count is not None), None)
            if miscounted is not None or not self._can_continue(sent):
                raise _Stopped(self._error(sent.reason, miscounted), sent.reason)
            confirmed = row_ranges.count(journal.confirmed)
            stalled = 0 if confirmed > before or reduced else stalled + 1
            before = confirmed
            if stalled > _ROUNDS_WITHOUT_PROGRESS:
                raise _Stopped(self._error(sent.reason), sent.reason)
            if journal.unknown:
                if reconciler is None:
                    raise _Stopped(self._error(sent.reason), sent.reason)
                self._reconcile(reconciler, bar)
                if self._to_resend or self._queue_next_piece():
                    continue
                if journal.unknown:
                    self._resend_lost(reconciler, bar)
                    continue
            if self._to_resend:
                continue
            if reconciler is None:
                break
            if journal.resent:
                # A request that counted as lost may still be carried out, so wait as long again.
                _wait_until(journal.resent_at + self._reconcile_wait)
            # A row that was deleted because it arrived twice must be sent again.
            finishing.enter_context(beyond_limit())
            if not reconciler.finish():
                break
        if journal.confirmed != ([(0, self._end)] if self._end else []):
            raise ClicDataError("Not every row is accounted for. This is a bug in pandas_clicdata; please report it.")

    def _can_continue(self, sent: SendResult) -> bool:
        """Return whether every failure was a batch that is too large, or a batch that can be reconciled."""
        if sent.complete:
            return True
        failed = [each for each in sent.results if each.outcome is not Outcome.CONFIRMED or each.error is not None]
        first = next((each for each in failed if not _is_too_large(each)), None)
        if sent.failure is not None or not failed:
            return False
        if first is None:
            return True
        return (
            self._reconciler is not None and first.outcome is Outcome.UNKNOWN and isinstance(first.error, ClicDataError)
        )

    def _reduce_size(self, sent: SendResult) -> bool:
        """Halve the batches from now on if the service refused one as too large; return whether it did."""
        refused = [each.batch for each in sent.results if _is_too_large(each)]
        if refused:
            smallest = min(refused, key=lambda batch: len(batch.body))
            self._max_rows = min(self._max_rows, max(1, smallest.rows // 2))
            self._max_bytes = min(self._max_bytes, max(1, len(smallest.body) // 2))
        return bool(refused)

    def _queue_next_piece(self) -> bool:
        """Queue the next piece of the frame or stream; return whether there was one."""
        piece = next(self._source, None)
        if piece is not None:
            self._to_resend.append(piece)
        return piece is not None

    # reconciling

    def _reconcile(self, reconciler: Reconciler, bar: ProgressBar) -> Reconciliation:
        result = reconciler.reconcile(list(self._journal.unknown.values()))
        for number, found in result.ranges.items():
            if found:
                self._drop_data(self._journal.unknown[number], found)
                self._journal.record("found", batch=number, ranges=[list(pair) for pair in found])
                bar.add(row_ranges.count(found))
        return result

    def _resend_lost(self, reconciler: Reconciler, bar: ProgressBar) -> None:
        """Wait for late arrivals; then count the unknown rows that are not in the table as lost and resend them."""
        journal = self._journal
        latest = max(each.since for each in journal.unknown.values())
        _wait_until(min(latest, time.time()) + self._reconcile_wait)
        result = self._reconcile(reconciler, bar)
        lost = list(journal.unknown.values())
        if lost and result.doubt:
            raise ClicDataError(f"Rows that were not found are not sent again, because {result.doubt}.")
        if self._payload.ready is None and any(each.number not in self._unknown_texts for each in lost):
            raise ClicDataError("The rows that were not found came from a stream, so they cannot be sent again.")
        for each in lost:
            texts = self._unknown_texts.pop(each.number, None)
            # Recorded first, so that later scans ignore the old stamp even if deleting fails.
            journal.record("absent", batch=each.number)
            self._queue(each.ranges, texts)
        if lost:
            reconciler.before_resend(lost)

    def _drop_data(self, unknown: UnknownBatch, found: Sequence[RowRange]) -> None:
        """Keep the data of only those rows of a batch that are still unknown."""
        texts = self._unknown_texts.pop(unknown.number, None)
        dropped = set(row_ranges.positions(found))
        kept = [at for at, row in enumerate(row_ranges.positions(unknown.ranges)) if row not in dropped]
        if texts is not None and kept:
            self._unknown_texts[unknown.number] = texts.take(pa.array(kept))

    # batches

    def _pieces(self, wanted: Sequence[RowRange] | None) -> Iterator[Piece]:
        for pieces, part in self._payload.blocks(wanted, self._sizes()):
            if self.stream_checksums is not None and self._payload.ready is None:
                self.stream_checksums = self.stream_checksums.plus(self._payload.checksums_of(part))
            texts, at = self._context.row_texts(part), 0
            for ranges in pieces:
                self._end = max(self._end, ranges[-1][1])
                count = row_ranges.count(ranges)
                yield ranges, texts.slice(at, count)
                at += count

    def _sizes(self) -> Iterator[int]:
        for size in batch_sizes(self._client, self._chunksize, self._workers):
            # Wide rows are cut into smaller batches from the start, which still differ in size.
            yield max(1, min(size, self._max_rows - (self._chunksize - size)))

    def _batches(self) -> Iterator[Batch]:
        while True:
            piece = self._to_resend.popleft() if self._to_resend else next(self._source, None)
            if piece is None:
                return
            batch = self._encode(*piece)
            if batch is not None:
                yield batch

    def _encode(self, ranges: tuple[RowRange, ...], texts: pa.LargeStringArray) -> Batch | None:
        """Encode a batch. If it is too large, queue its parts instead and return None."""
        if len(texts) > self._max_rows:
            self._split(ranges, texts, self._max_rows)
            return None
        number = self._journal.next_number()
        stamp = self._journal.stamp(number)
        body = self._context.body(texts, stamp)
        if len(body) > self._max_bytes and len(texts) > 1:
            self._max_rows = max(1, min(self._max_rows, len(texts) * self._max_bytes // len(body)))
            self._split(ranges, texts, min(self._max_rows, len(texts) // 2))
            return None
        return Batch(ranges, body, number, stamp, digest_of(body), texts)

    def _split(self, ranges: tuple[RowRange, ...], texts: pa.LargeStringArray, size: int) -> None:
        """Put the rows of a batch at the front of the queue, in smaller pieces."""
        at, pieces = 0, []
        for piece in row_ranges.cut(ranges, itertools.repeat(size)):
            count = row_ranges.count(piece)
            pieces.append((piece, texts.slice(at, count)))
            at += count
        self._to_resend.extendleft(reversed(pieces))

    def _send(self, batch: Batch) -> RequestOutcome:
        return self._client.insert(self._context.table.rec_id, batch.body, batch.rows)

    def _keep_data(self, sent: SendResult) -> None:
        """Keep the rows of batches that were not sent, or may have to be sent again."""
        for batch in sent.not_started:
            self._queue(batch.ranges, batch.texts)
        for result in sent.results:
            if result.outcome is Outcome.UNSENT:
                self._queue(result.batch.ranges, result.batch.texts)
            elif result.outcome is Outcome.UNKNOWN and result.batch.texts is not None:
                self._unknown_texts[result.batch.number] = result.batch.texts

    def _queue(self, ranges: tuple[RowRange, ...], texts: pa.LargeStringArray | None) -> None:
        if texts is not None:
            self._to_resend.append((ranges, texts))
            return
        for piece in row_ranges.cut(ranges, self._sizes()):
            self._to_resend.append((piece, self._context.row_texts(self._payload.take(piece))))

    def _error(self, reason: BaseException | None, miscounted: BatchResult | None = None) -> IncompleteWriteError:
        token = self._journal.token()
        hint = self._hint
        if not hint and self._journal.identity.resumable:
            hint = resume_hint(self._context, check=bool(self._journal.unknown) and self._reconciler is None)
        return incomplete(
            self._context,
            _WORDING,
            self._journal.states(self._end),
            reason,
            miscounted=miscounted,
            resume=token,
            hint=hint,
        )


def _is_too_large(result: BatchResult) -> bool:
    """Return whether the service refused a batch for its size, and the batch can be halved."""
    refusal = result.error
    return (
        result.outcome is Outcome.UNSENT
        and isinstance(refusal, ApiError)
        and refusal.status == _PAYLOAD_TOO_LARGE
        and result.batch.rows > 1
    )


def _wait_until(moment: float) -> None:
    for seconds in parts_of_wait(max(0.0, moment - time.time()), "looking for late rows in"):
        time.sleep(seconds)


class _Stopped(Exception):
    """The write cannot continue."""

    def __init__(self, error: IncompleteWriteError, reason: BaseException | None) -> None:
        super().__init__()
        self.error = error
        self.reason = reason
