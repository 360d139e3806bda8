"""The receipts of writes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pandas_clicdata.models import PlannedColumn, TableRef, WriteResult, WriteStatus
from pandas_clicdata.writing import ranges as row_ranges
from pandas_clicdata.writing.fitting import left_out_note
from pandas_clicdata.writing.record import Record
from pandas_clicdata.writing.settling import stamp_column


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
