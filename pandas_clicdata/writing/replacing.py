"""Replacing a table's rows: saved first, deleted by what they hold, then the new ones inserted.

The service has no transaction, no rename and no clear, so that there is a time without the old rows and without all of
the new ones; but never one in which an old row is neither in the table nor in the backup.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandas_clicdata import endpoints, lookup
from pandas_clicdata.errors import (
    AuthenticationError,
    PermissionDeniedError,
    ReplaceIncompleteError,
    VerificationError,
)
from pandas_clicdata.models import ColumnType, WriteResult
from pandas_clicdata.writing import backup, workflow
from pandas_clicdata.writing import ranges as row_ranges
from pandas_clicdata.writing.clearing import clear, conditions, present, try_to_delete_nothing
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.failure import raise_from
from pandas_clicdata.writing.fitting import fitted
from pandas_clicdata.writing.identity import Identity
from pandas_clicdata.writing.inserting import Insertion, count_batches
from pandas_clicdata.writing.looking import look
from pandas_clicdata.writing.options import Options
from pandas_clicdata.writing.receipts import dry_receipt, receipt_of
from pandas_clicdata.writing.record import Baseline, Record
from pandas_clicdata.writing.settling import ByContent
from pandas_clicdata.writing.write import Write

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

_AGAIN = "Make the same call again: it inserts only what is not back yet."


def replace_rows(write: Write) -> WriteResult:
    """Replace the rows of a table that is there, or go on with that.

    Notes
    -----
    Rows that somebody else writes meanwhile are noticed by each look into the table: after the save, and when all that
    were saved are deleted. What cannot be seen: a row that comes between such a look and a deletion, and holds the very
    value that is deleted, goes with the others.

    A deletion whose reply was lost may be carried out late, and would then take new rows with the same value: so where
    one was tried again, or this goes on with a replace that was stopped, ``settle`` seconds pass before the first new
    row goes.
    """
    known = lookup.known_columns(lookup.first_page(write.session, write.table))
    write = replace(write, content=write.content.in_memory()).fitted(known)
    record = write.record
    # Writes every row once, so that none can turn out not to be writable when the old ones are gone.
    _ = write.content.hash
    if write.options.dry_run:
        return _dry(write, known)
    if record.cleared:
        workflow.refuse_what_was_sent(write)
    else:
        begun_before = record.backup is not None
        old = _save(write, known) if record.backup is None else backup.load(record.backup).content()
        try:
            if old is not None:
                clear(write.session, write.table, old, write.options, late=begun_before)
            record.note("cleared")
        except BaseException as exc:  # noqa: BLE001 - whatever it was, the backup must be told
            raise_from(_incomplete(write, exc), exc)
    try:
        return workflow.send_rows(write)
    except BaseException as exc:  # noqa: BLE001 - whatever it was, the backup must be told
        raise_from(_incomplete(write, exc), exc)


def _dry(write: Write, known: lookup.KnownColumns | None) -> WriteResult:
    content, record = write.content, write.record
    batches = count_batches(write.session, content.rows or 0, write.options)
    facts: dict[str, Any] = {"notes": content.notes}
    if record.backup is None and not record.cleared:
        saved = backup.take(write.session, write.table, known, content.planned, write.options.repeated_pages)
        deletions = len(conditions(saved.content(), ())) if saved.table.num_rows else 0
        facts["matched"] = saved.table.num_rows
        facts["notes"] += (f"{deletions:,} deletions would take the {saved.table.num_rows:,} rows that are there.",)
    return dry_receipt("push", write.table, content.rows, batches, content.planned, write.started, **facts)


def _save(write: Write, known: lookup.KnownColumns | None) -> Content | None:
    """Save the old rows, if there are any, and make sure that they can be deleted, before any is."""
    session, found, record = write.session, write.table, write.record
    saved = backup.take(session, found, known, write.content.planned, write.options.repeated_pages)
    write.note_table()
    if not saved.table.num_rows:
        return None
    old = saved.content()
    conditions(old, ())
    path, new = backup.keep(saved, write.options.backup, found)
    try:
        try_to_delete_nothing(session, found, old)
    except (AuthenticationError, PermissionDeniedError):
        if new:
            path.unlink(missing_ok=True)
        raise
    except BaseException as exc:  # noqa: BLE001 - what a lost request does is not known
        record.note("saved", backup=str(path))
        raise_from(_incomplete(write, exc), exc)
    record.note("saved", backup=str(path))
    return old


def _incomplete(write: Write, reason: BaseException) -> ReplaceIncompleteError:
    found, record = write.table, write.record
    lists = record.known(write.content.rows or 0).fields()
    if isinstance(reason, VerificationError):
        # What was read back speaks against rows that the replies have confirmed.
        lists = {"confirmed": reason.confirmed, "unknown": reason.unknown, "unsent": reason.unsent}
    where = (
        f"All its old rows are in {record.backup}; cd.restore(error.backup, {found.rec_id}) puts them back."
        if record.backup is not None
        else "It had no rows."
    )
    token = record.token()
    stage = (
        "the old rows were gone and the new ones on their way"
        if record.cleared
        else "old rows were to be deleted; a deletion that is on its way may still be carried out"
    )
    again = (
        " To go on instead, make the same call again with resume=error.resume (or with its journal)." if token else ""
    )
    return ReplaceIncompleteError(
        f"The replace of table {found.label} stopped when {stage}. {where}{again} The reason:"
        f" {str(reason) or type(reason).__name__}",
        backup=record.backup,
        rec_id=found.rec_id,
        name=found.name,
        resume=token,
        operation="replace",
        ambiguous=True,
        **lists,
    )


def restore(session: Session | None, path: object, table: object, *, options: Options) -> WriteResult:
    """Give a table the rows of a backup."""
    meant = lookup.checked_table(table)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"A backup is the path of a Parquet file, not {path!r}.")
    saved = backup.load(path)
    options = replace(options, backup=Path(path).absolute().parent)
    content = saved.content()
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = lookup.find(session, meant)
    known = lookup.known_columns(lookup.first_page(session, found))
    types = _types(saved, known)
    content = fitted(content, found, known, Options(columns=types))
    identity = Identity(
        operation="restore", table=found.rec_id, account=session.account_label, rows=content.rows,
        columns=[], frame=lambda: content.hash, resumable=False,
    )  # fmt: skip
    record = Record(identity)
    hashes, repeated_pages = content.hashes(), options.repeated_pages
    seen = look(session, found.rec_id, content.planned, wanted=hashes, repeated_pages=repeated_pages)
    there = present(content, seen)
    if len(there) < seen.rows:
        options = replace(options, columns=types, on_unknown="check")
        return _replaced(Write(session, content, found, record, [], options, started), path)
    record.confirmed = row_ranges.of_positions(there)
    record.table, record.baseline = found, Baseline(0, None, {})
    insertion = Insertion(
        session, found, content, record, int(options.batch_size), int(options.workers), options.settle,
        ByContent(session, found.rec_id, content, record), options.progress, f"restore {found.label}", hint=_AGAIN,
    )  # fmt: skip
    insertion.run()
    receipt = receipt_of(
        record, "restore", found, content.rows, content.planned, started, verified=False, notes=insertion.notes
    )
    return replace(
        receipt, sent=receipt.sent - len(there), confirmed=receipt.confirmed - len(there), matched=len(there)
    )


def _replaced(write: Write, path: str | os.PathLike[str]) -> WriteResult:
    try:
        return replace_rows(write)
    except BaseException as exc:
        error = exc if isinstance(exc, ReplaceIncompleteError) else exc.__cause__
        if not isinstance(error, ReplaceIncompleteError):
            raise
        reason = error.__cause__ if isinstance(exc, Exception) else exc
        instead = (
            "" if error.backup is None else f" The rows that were there instead are in {error.backup}, not in this one."
        )
        raise_from(
            ReplaceIncompleteError(
                f"The rows of {Path(path)} are not all back in table {write.table.label}. The file stays as it is; the"
                f" same call made again goes on.{instead} The reason: {str(reason) or type(reason).__name__}",
                backup=os.fspath(path),
                rec_id=error.rec_id,
                name=error.name,
                confirmed=error.confirmed,
                unknown=error.unknown,
                unsent=error.unsent,
                operation="restore",
                ambiguous=True,
            ),
            exc,
        )


def _types(saved: backup.Saved, known: lookup.KnownColumns | None) -> Mapping[str, str]:
    """The types that rows are put back in: those they were saved with, or the table's if these were guessed."""
    theirs = (
        {} if known is None or not known.typed or saved.typed else {each.name: each.data_type for each in known.columns}
    )
    return {name: theirs[name] if theirs.get(name) in list(ColumnType) else own for name, own in saved.types.items()}
