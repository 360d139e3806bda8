"""The receipt of a write, and the error of a write that did not finish."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pandas_clicdata._models import PlannedColumn, WriteResult, WriteStatus
from pandas_clicdata._request_count import request_count
from pandas_clicdata.errors import AmbiguousWriteError, IncompleteWriteError, PartialWriteError, RowRange
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.executor import BatchResult, Outcome, SendResult
from pandas_clicdata.write.payload import left_out_note
from pandas_clicdata.write.row_ranges import ranges_text

if TYPE_CHECKING:
    from pandas_clicdata.write.context import WriteContext
    from pandas_clicdata.write.cost import Estimate
    from pandas_clicdata.write.journal import Identity


@dataclass(frozen=True)
class Wording:
    """The words of an error about one operation.

    Attributes
    ----------
    operation : str
        The operation of the API.
    unknown, unsent : str
        Sentences about such rows, in which ``{rows}`` stands for their ranges.
    """

    operation: str
    unknown: str
    unsent: str


@dataclass(frozen=True)
class RowStates:
    """Which of the first ``end`` rows are confirmed and unknown; the others are unsent."""

    confirmed: Sequence[RowRange]
    unknown: Sequence[RowRange]
    end: int

    @property
    def unsent(self) -> list[RowRange]:
        """The rows that are not in the table: they were not sent, or they were refused."""
        return row_ranges.complement([*self.confirmed, *self.unknown], self.end)

    def fields(self) -> dict[str, Any]:
        """Return the three lists as the fields of an error."""
        return {"confirmed": list(self.confirmed), "unknown": list(self.unknown), "unsent": self.unsent}


def incomplete(
    context: WriteContext,
    wording: Wording,
    states: RowStates,
    reason: BaseException | None,
    *,
    miscounted: BatchResult | None = None,
    resume: dict[str, Any] | None = None,
    hint: str = "",
) -> IncompleteWriteError:
    """Return the error that reports the state of each row of a write that stopped."""
    table, rows = context.table, context.payload.rows
    lists = states.fields()
    confirmed, unknown, unsent = lists.values()
    parts = [f"The {wording.operation} on table {table.label} stopped before it was complete."]
    if miscounted is not None:
        parts.append(
            f"ClicData counted {miscounted.wrong_count:,} rows, but {miscounted.batch.rows:,} were sent:"
            f" {ranges_text(miscounted.batch.ranges)}."
        )
    parts.append(f"Confirmed: {ranges_text(confirmed)}.")
    if context.journal.uncounted:
        # A service that leaves rows out without an error would reply in the same way.
        parts.append(f"ClicData accepted {ranges_text(context.journal.uncounted)} without counting them.")
    if unknown:
        parts.append(wording.unknown.format(rows=ranges_text(unknown)))
    if unsent:
        parts.append(wording.unsent.format(rows=ranges_text(unsent)))
    if rows is None:
        parts.append(f"Nothing of the stream from row {states.end} on was sent.")
    if reason is not None:
        parts.append(reason_text(reason))
    if hint:
        parts.append(hint)
    fields: dict[str, Any] = {
        "rec_id": table.rec_id or None,
        "name": table.name,
        **lists,
        "resume": resume,
        "operation": wording.operation,
        "ambiguous": bool(unknown),
    }
    message = " ".join(parts)
    if miscounted is not None:
        return PartialWriteError(message, sent=miscounted.batch.rows, counted=miscounted.wrong_count, **fields)
    return AmbiguousWriteError(message, **fields) if unknown else IncompleteWriteError(message, **fields)


def reason_text(reason: BaseException) -> str:
    """Return the sentence of an error that gives its reason."""
    text = str(reason) or type(reason).__name__
    return f"The reason: {text}{'' if text.endswith('.') else '.'}"


def resume_hint(context: WriteContext, *, check: bool = False) -> str:
    """Return the advice on how to resume; with ``check``, how to find out the outcome of unknown rows, too."""
    identity, path = context.journal.identity, context.options.journal_path
    more: dict[str, Any] = {"on_unknown": "check"} if check else {}
    more |= {"resume": True} if path is None else {"journal": str(path)}
    what = "  # searches the table for the unknown rows by their content" if check else ""
    return f"To continue:\n    {call_text(identity, **more)}{what}"


def call_text(identity: Identity, **more: Any) -> str:
    """Return the line of code that repeats a call with more options."""
    on_frame = identity.subject == "df"
    arguments = [*([] if on_frame else [identity.subject]), _literal(identity.table)]
    arguments += [f"{name}={_literal(value)}" for name, value in {**identity.call, **more}.items()]
    return f"{'df.clicdata' if on_frame else 'cd'}.{identity.operation}({', '.join(arguments)})"


def _literal(value: object) -> str:
    text = repr(value)
    return text if '"' in text else text.replace("'", '"')


def failed_after_sending(
    context: WriteContext,
    states: RowStates,
    failed: str,
    reason: BaseException,
    advice: str,
    resume: dict[str, Any] | None = None,
) -> IncompleteWriteError:
    """Return the error of a write that failed after it had sent its last row."""
    table = context.table
    return IncompleteWriteError(
        f"All rows were sent to table {table.label}, but {failed}. {reason_text(reason)} {advice}",
        rec_id=table.rec_id,
        name=table.name,
        resume=resume,
        operation="verify",
        **states.fields(),
    )


def wait_for_late_requests(sent: SendResult, reconcile_wait: float) -> tuple[str, ...]:
    """Wait if a request was repeated, because its first try may be carried out late; return notes for the receipt."""
    if not sent.possibly_repeated:
        return ()
    time.sleep(reconcile_wait)
    return (
        f"A reply was lost and its request was sent again. The write then waited {reconcile_wait:g} seconds, because"
        " the first try may be carried out late.",
    )


def require_complete(
    context: WriteContext,
    wording: Wording,
    sent: SendResult,
    *,
    confirmed_before: Sequence[RowRange] = (),
    hint: str = "",
) -> None:
    """Raise unless every batch of a write without a journal was confirmed.

    Raises
    ------
    IncompleteWriteError
        It reports the state of each row. A KeyboardInterrupt is raised from it.
    """
    if not sent.complete:
        confirmed = row_ranges.merged([*confirmed_before, *sent.ranges(Outcome.CONFIRMED)])
        states = RowStates(confirmed, sent.ranges(Outcome.UNKNOWN), context.payload.rows or 0)
        raise_from(incomplete(context, wording, states, sent.reason, hint=hint), sent.reason)


def raise_from(error: IncompleteWriteError, reason: BaseException | None) -> NoReturn:
    """Raise the error from its reason; but if the user interrupts, raise the interrupt from the error."""
    if reason is not None and not isinstance(reason, Exception):
        raise reason from error
    raise error from reason


def receipt(
    context: WriteContext,
    *,
    sent: int,
    confirmed: int,
    batches: int,
    retries: int,
    status: WriteStatus,
    columns: Sequence[PlannedColumn] | None = None,
    **facts: Any,
) -> WriteResult:
    """Return the receipt of a write."""
    rows = context.payload.rows
    facts["notes"] = (*facts.get("notes", ()), *context.payload.nulled_notes)
    result = WriteResult(
        operation=context.operation,
        rec_id=context.table.rec_id or None,
        name=context.table.name,
        rows=sent if rows is None and status != "dry_run" else rows,
        sent=sent,
        confirmed=confirmed,
        rejected=0,
        batches=batches,
        retries=retries,
        seconds=time.perf_counter() - context.started,
        status=status,
        columns=tuple(context.columns if columns is None else columns),
        requests=request_count().sent,
        **facts,
    )
    return result._made_by(context.session)


def dry_receipt(context: WriteContext, batches: int, estimate: Estimate, **facts: Any) -> WriteResult:
    """Return the receipt of a dry run, which states what would be sent."""
    result = receipt(context, sent=0, confirmed=0, batches=batches, retries=0, status="dry_run", **facts)
    return result._changed(requests=estimate.requests, estimated_seconds=estimate.seconds, estimate=estimate.basis)


def insert_receipt(
    context: WriteContext,
    *,
    verified: bool,
    notes: Sequence[str] = (),
    columns: Sequence[PlannedColumn] | None = None,
) -> WriteResult:
    """Return the receipt of inserts, including those of all resumed runs."""
    journal = context.journal
    sent = row_ranges.count(journal.confirmed)
    # The journal states where the rows are that a replace has deleted, not how many they are.
    has_deleted = context.options.if_exists == "replace" and journal.backup is not None
    return receipt(
        context,
        sent=sent,
        confirmed=sent if verified else journal.counted,
        batches=journal.batches,
        retries=journal.retries,
        status="verified" if verified else "unverified" if journal.uncounted else "confirmed",
        columns=columns,
        inserted=sent,
        updated=0,
        unchanged=0,
        deleted=None if has_deleted else 0,
        backup=journal.backup,
        stale_stamps=tuple(journal.stale),
        notes=(*journal.notes, *notes),
    )


def finished_before(context: WriteContext) -> WriteResult:
    """Return the receipt of a write that is complete according to its journal."""
    journal, options = context.journal, context.options
    assert journal.done is not None
    assert journal.table is not None
    when = datetime.fromtimestamp(journal.done["at"], UTC)
    source, again = f"the journal {options.journal}", "delete the file, or pass another journal="
    if options.journal_path is None:
        source, again = "the record of finished writes", "pass resume=False"
    notes = [
        f"Nothing was sent: according to {source}, this write was complete on {when:%Y-%m-%d at %H:%M:%S} UTC. To write"
        f" the rows again, {again}."
    ]
    if options.verify and not journal.done["verified"]:
        notes.append("Nothing was compared, because the write was completed without verify=True.")
    left_out = [name for name in journal.left_out if name not in context.payload.source.optional]
    if left_out:
        notes.append(left_out_note(journal.table.label, left_out))
    columns = [column for column in context.columns if column.name not in journal.left_out]
    return insert_receipt(context, verified=journal.done["verified"], notes=notes, columns=columns)
