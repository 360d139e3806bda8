"""Replacing a table's rows: saved first, deleted by what they hold, then the new ones inserted.

The service has no transaction, no rename and no clear, so that there is a time without the old rows and without all of
the new ones; but never one in which an old row is neither in the table nor in the backup.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandas_clicdata import endpoints, lookup
from pandas_clicdata.errors import (
    AuthenticationError,
    IncompleteWriteError,
    PermissionDeniedError,
    ReplaceIncompleteError,
)
from pandas_clicdata.models import ColumnType, TableRef, WriteResult
from pandas_clicdata.writing import backup, workflow
from pandas_clicdata.writing import ranges as row_ranges
from pandas_clicdata.writing.clearing import clear, conditions, present, try_to_delete_nothing
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.failure import raise_from
from pandas_clicdata.writing.fitting import fitted
from pandas_clicdata.writing.identity import Identity
from pandas_clicdata.writing.inserting import Insertion
from pandas_clicdata.writing.looking import look
from pandas_clicdata.writing.options import Options
from pandas_clicdata.writing.receipts import dry_receipt, receipt_of
from pandas_clicdata.writing.record import Baseline, Record
from pandas_clicdata.writing.settling import ByContent

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

_AGAIN = "Make the same call again: it inserts only what is not back yet."


def replace_rows(
    session: Session,
    content: Content,
    found: TableRef,
    record: Record,
    keys: Sequence[str],
    options: Options,
    started: float,
) -> WriteResult:
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
    known = lookup.known_columns(lookup.first_page(session, found))
    content = content.in_memory()
    content = fitted(content, found, known, options, keys, left_out=record.left_out)
    record.check_left_out(content.left_out)
    # Writes every row once, so that none can turn out not to be writable when the old ones are gone.
    _ = content.hash
    if options.dry_run:
        return _dry(session, content, found, known, record, options, started)
    if record.cleared:
        workflow.refuse_what_was_sent(session, content, found, record, keys, options)
    else:
        begun_before = record.backup is not None
        old = (
            _save(session, content, found, known, record, options)
            if record.backup is None
            else backup.load(record.backup).content()
        )
        try:
            if old is not None:
                clear(session, found, old, options, late=begun_before)
            record.note("cleared")
        except BaseException as exc:  # noqa: BLE001 - whatever it was, the backup must be told
            raise_from(_incomplete(found, content, record, exc), exc)
    return _insert(session, content, found, record, keys, options, started)


def _dry(
    session: Session,
    content: Content,
    found: TableRef,
    known: lookup.KnownColumns | None,
    record: Record,
    options: Options,
    started: float,
) -> WriteResult:
    batches = -(-(content.rows or 0) // int(options.batch_size))
    facts: dict[str, Any] = {"notes": content.notes}
    if record.backup is None and not record.cleared:
        saved = backup.take(session, found, known, content.planned)
        deletions = len(conditions(saved.content(), ())) if saved.table.num_rows else 0
        facts["matched"] = saved.table.num_rows
        facts["notes"] += (f"{deletions:,} deletions would take the {saved.table.num_rows:,} rows that are there.",)
    return dry_receipt("push", found, content.rows, batches, content.planned, started, **facts)


def _save(
    session: Session,
    content: Content,
    found: TableRef,
    known: lookup.KnownColumns | None,
    record: Record,
    options: Options,
) -> Content | None:
    """Save the old rows, if there are any, and make sure that they can be deleted, before any is."""
    saved = backup.take(session, found, known, content.planned)
    if record.table is None:
        record.note("table", rec_id=found.rec_id, name=found.name, made=False, left_out=list(content.left_out))
    if not saved.table.num_rows:
        return None
    old = saved.content()
    conditions(old, ())
    path, new = backup.keep(saved, options.backup, found)
    try:
        try_to_delete_nothing(session, found, old)
    except (AuthenticationError, PermissionDeniedError):
        if new:
            path.unlink(missing_ok=True)
        raise
    except BaseException as exc:  # noqa: BLE001 - what a lost request does is not known
        record.note("saved", backup=str(path))
        raise_from(_incomplete(found, content, record, exc), exc)
    record.note("saved", backup=str(path))
    return old


def _insert(
    session: Session,
    content: Content,
    found: TableRef,
    record: Record,
    keys: Sequence[str],
    options: Options,
    started: float,
) -> WriteResult:
    try:
        return workflow.send_rows(session, content, found, record, keys, options, started)
    except BaseException as exc:  # noqa: BLE001 - whatever it was, the backup must be told
        raise_from(_incomplete(found, content, record, exc), exc)


def _incomplete(found: TableRef, content: Content, record: Record, reason: BaseException) -> ReplaceIncompleteError:
    cause = reason if isinstance(reason, IncompleteWriteError) else reason.__cause__
    told: dict[str, Any] = {}
    if isinstance(cause, IncompleteWriteError):
        told = {"confirmed": cause.confirmed, "unknown": cause.unknown, "unsent": cause.unsent}
    elif content.rows:
        told = {"unsent": [(0, content.rows)]}
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
        **told,
    )


def restore(session: Session | None, path: object, table: object, *, options: Options) -> WriteResult:
    """Give a table the rows of a backup."""
    meant = lookup.checked_table(table)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"A backup is the path of a Parquet file, not {path!r}.")
    saved = backup.load(path)
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
    seen = look(session, found.rec_id, content.planned, wanted=content.hashes())
    there = present(content, seen)
    if len(there) < seen.rows:
        options = replace(options, columns=types, on_unknown="check")
        return _replaced(session, content, found, record, path, options, started)
    record.confirmed = row_ranges.of_positions(there)
    record.table, record.baseline = found, Baseline(0, None, {})
    insertion = Insertion(
        session, found, content, record, int(options.batch_size), int(options.workers), options.settle,
        ByContent(session, found.rec_id, content, record), options.progress, f"restore {found.label}", hint=_AGAIN,
    )  # fmt: skip
    insertion.run()
    receipt = receipt_of(record, "restore", found, content.rows, content.planned, started, verified=False)
    return replace(receipt, sent=receipt.sent - len(there), matched=len(there))


def _replaced(
    session: Session,
    content: Content,
    found: TableRef,
    record: Record,
    path: str | os.PathLike[str],
    options: Options,
    started: float,
) -> WriteResult:
    try:
        return replace_rows(session, content, found, record, [], options, started)
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
                f"The rows of {Path(path)} are not all back in table {found.label}. The file stays as it is; the same"
                f" call made again goes on.{instead} The reason: {str(reason) or type(reason).__name__}",
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
