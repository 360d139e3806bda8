"""The receipt of a write, and the error of one that did not finish."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pandas_clicdata._models import PlannedColumn, TableRef, WriteResult, WriteStatus
from pandas_clicdata.errors import AmbiguousWriteError, IncompleteWriteError, PartialWriteError, RowRange
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.executor import Delivery, Fate, Outcome
from pandas_clicdata.write.payload import left_out_note, stamp_column
from pandas_clicdata.write.row_ranges import ranges_text

if TYPE_CHECKING:
    from pandas_clicdata.write.journal import Record


@dataclass(frozen=True)
class Job:
    """How an error speaks of a write.

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


@dataclass(frozen=True)
class Known:
    """Which rows are where; what is in neither list is unsent, up to the row ``end``."""

    confirmed: Sequence[RowRange]
    unknown: Sequence[RowRange]
    end: int

    @property
    def unsent(self) -> list[RowRange]:
        return row_ranges.complement([*self.confirmed, *self.unknown], self.end)

    def fields(self) -> dict[str, Any]:
        """The three lists of an error."""
        return {"confirmed": list(self.confirmed), "unknown": list(self.unknown), "unsent": self.unsent}


def incomplete(
    job: Job,
    known: Known,
    reason: BaseException | None,
    *,
    miscounted: Outcome | None = None,
    resume: dict[str, Any] | None = None,
    hint: str = "",
) -> IncompleteWriteError:
    """The error that tells the rows."""
    lists = known.fields()
    confirmed, unknown, unsent = lists.values()
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
        parts.append(f"Nothing of the stream from row {known.end} on was sent.")
    if hint:
        parts.append(hint)
    if reason is not None:
        parts.append(f"The reason: {str(reason) or type(reason).__name__}")
    fields: dict[str, Any] = {
        "rec_id": job.table.rec_id or None,
        "name": job.table.name,
        **lists,
        "resume": resume,
        "operation": job.operation,
        "ambiguous": bool(unknown),
    }
    message = " ".join(parts)
    if miscounted is not None:
        return PartialWriteError(message, sent=miscounted.batch.rows, counted=miscounted.wrong_count, **fields)
    return AmbiguousWriteError(message, **fields) if unknown else IncompleteWriteError(message, **fields)


def all_sent(
    table: TableRef, known: Known, failed: str, reason: BaseException, again: str, resume: dict[str, Any] | None = None
) -> IncompleteWriteError:
    """The error of a write that failed after its last row was sent; ``again`` says what the same call does then."""
    return IncompleteWriteError(
        f"All rows were sent to table {table.label}, but {failed}. {again} The reason:"
        f" {str(reason) or type(reason).__name__}",
        rec_id=table.rec_id,
        name=table.name,
        resume=resume,
        operation="verify",
        **known.fields(),
    )


def let_late_ones_come(delivery: Delivery, reconcile_wait: float) -> tuple[str, ...]:
    """Wait for requests whose first try may still be carried out; a note for the receipt if there were any."""
    if not delivery.perhaps_twice:
        return ()
    time.sleep(reconcile_wait)
    return (
        f"A reply was lost and its request was sent again. The write then waited {reconcile_wait:g} seconds, because"
        " the first try may be carried out late.",
    )


def require_complete(delivery: Delivery, job: Job) -> None:
    """Raise unless every batch of a write without a record was done.

    Raises
    ------
    IncompleteWriteError
        Telling the rows; a Ctrl-C is raised from it.
    """
    if not delivery.complete:
        known = Known(delivery.ranges(Fate.CONFIRMED), delivery.ranges(Fate.UNKNOWN), job.rows or 0)
        raise_from(incomplete(job, known, delivery.reason), delivery.reason)


def raise_from(error: IncompleteWriteError, reason: BaseException | None) -> NoReturn:
    """Raise the error from its reason; but a stop that the user asked for goes on as such, from the error."""
    if reason is not None and not isinstance(reason, Exception):
        raise reason from error
    raise error from reason


def dry_receipt(
    operation: str,
    table: TableRef | None,
    rows: int | None,
    batches: int,
    planned: Sequence[PlannedColumn],
    started: float,
    **facts: Any,
) -> WriteResult:
    """What a write that sent nothing would have sent."""
    return WriteResult(
        operation=operation,
        rec_id=None if table is None else table.rec_id or None,
        name=None if table is None else table.name,
        rows=rows,
        sent=0,
        confirmed=0,
        rejected=0,
        batches=batches,
        retries=0,
        seconds=time.perf_counter() - started,
        status="dry_run",
        columns=tuple(planned),
        **facts,
    )


def receipt_of(
    record: Record,
    operation: str,
    table: TableRef,
    rows: int | None,
    planned: Sequence[PlannedColumn],
    started: float,
    *,
    verified: bool,
    notes: Sequence[str] = (),
) -> WriteResult:
    """What an insert has done, over all the times it was gone on with."""
    sent = row_ranges.count(record.confirmed)
    status: WriteStatus = "verified" if verified else "unverified" if record.uncounted else "confirmed"
    return WriteResult(
        operation=operation,
        rec_id=table.rec_id,
        name=table.name,
        rows=sent if rows is None else rows,
        sent=sent,
        confirmed=sent if verified else record.counted,
        rejected=0,
        batches=record.batches,
        retries=record.retries,
        seconds=time.perf_counter() - started,
        status=status,
        columns=tuple(planned),
        backup=record.backup,
        stale_marks=tuple(record.stale),
        notes=tuple(notes),
    )


def finished_before(
    record: Record, planned: Sequence[PlannedColumn], journal: object, started: float, *, verify: bool
) -> WriteResult:
    """The receipt of a write that its journal says is done."""
    assert record.done is not None
    assert record.table is not None
    when = datetime.fromtimestamp(record.done["at"], UTC)
    notes = [
        f"Nothing was sent: by the journal {journal} this write was finished on {when:%Y-%m-%d at %H:%M:%S} UTC. Delete"
        " the file, or give another, to write these rows once more."
    ]
    if verify and not record.done["verified"]:
        notes.append("Nothing was compared either: it was finished without verify=True.")
    if record.left_out:
        notes.append(left_out_note(record.table.label, record.left_out))
        planned = [column for column in planned if column.name not in record.left_out]
    stamp = record.identity.stamp
    columns = planned if stamp is None else [*planned, stamp_column(stamp)]
    return receipt_of(
        record, record.identity.operation, record.table, record.identity.rows, columns, started,
        verified=record.done["verified"], notes=notes,
    )  # fmt: skip
