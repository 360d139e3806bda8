"""Replace the rows of a table: saved first, then deleted by their values, then the new rows are inserted.

The service has no transaction, no rename and no clear, so there is a time without the old rows and without all of the
new ones; but never one in which an old row is neither in the table nor in the backup.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._display import ProgressBar
from pandas_clicdata._models import ColumnType, Encoding, PlannedColumn, Sent, TableRef, Wire, WriteResult
from pandas_clicdata.client import api
from pandas_clicdata.errors import (
    AuthenticationError,
    ClicDataError,
    PermissionDeniedError,
    ReplaceIncompleteError,
    VerificationError,
)
from pandas_clicdata.session import resolved
from pandas_clicdata.types import row_codec
from pandas_clicdata.write import backup, row_ranges
from pandas_clicdata.write.append import refuse_what_was_sent, send_rows
from pandas_clicdata.write.context import Write
from pandas_clicdata.write.exactly_once import Insertion, count_batches
from pandas_clicdata.write.executor import Batch, send_all
from pandas_clicdata.write.journal import Baseline, Identity, Record
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Content, fitted
from pandas_clicdata.write.reconcile import ByContent, Seen, look
from pandas_clicdata.write.results import dry_receipt, raise_from, receipt_of

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_ROUNDS = 4
_LARGEST_EXACT = 2**52
_SURELY_EQUAL = (Encoding.TEXT, Encoding.INTEGER, Encoding.BOOLEAN, Encoding.DATE)
"""What the service can hardly compare in another way than we do; a fraction or a time of day it might."""


def clear(session: Session, found: TableRef, old: Content, options: Options, *, late: bool) -> None:
    """Delete the rows that are saved, by values that they hold, until the table is empty.

    ``late`` says that deletions of a call before this one may still be carried out.

    Raises
    ------
    ClicDataError
        Rows are left that no condition deletes, or that are not saved.
    """
    used: set[str] = set()
    hashes = old.hashes()
    since = time.monotonic() if late else None
    for _ in range(_ROUNDS):
        seen = look(session, found.rec_id, old.planned, wanted=hashes)
        if not seen.rows:
            break
        there = present(old, seen)
        if len(there) < seen.rows:
            raise ClicDataError(
                f"Table {found.label} has {seen.rows - len(there):,} rows that were not there when its rows were saved:"
                " somebody else is writing to it, and these are left alone. Begin anew, without resume= or with another"
                " journal: then all rows that are there now are saved, to a file of their own."
            )
        chosen = conditions(old.taken(there), used)
        if _delete(session, found, [_find(session, column, value) for column, value in chosen], options):
            since = time.monotonic()
        used.update(column.name for column, _ in chosen)
    else:
        seen = look(session, found.rec_id, old.planned, wanted=hashes)
        if seen.rows:
            raise ClicDataError(f"{seen.rows:,} rows are still in table {found.label} after every condition was used.")
    if since is not None:
        time.sleep(max(0.0, since + options.reconcile_wait - time.monotonic()))


def _delete(session: Session, found: TableRef, finds: Sequence[bytes], options: Options) -> bool:
    """Delete the rows that meet any of these conditions; whether one of the deletions may still be carried out."""

    def send(batch: Batch) -> Sent:
        # A lost reply is answered by asking again: what the first try deleted, the second no longer finds.
        return api.delete(session, found.rec_id, batch.body)

    batches = (Batch((), find, number) for number, find in enumerate(finds))
    delivery = send_all(batches, send, workers=int(options.workers), bar=ProgressBar(None, "", None))
    if delivery.reason is not None:
        raise delivery.reason
    return delivery.perhaps_twice


def _find(session: Session, column: PlannedColumn, value: pa.Scalar) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array([value.as_py()], value.type)], [column.name])
    return row_codec.encode_each(batch, [column.wire], api.find_framing(session, [column.name]))[0]


def conditions(old: Content, used: Collection[str]) -> list[tuple[PlannedColumn, pa.Scalar]]:
    """Values, each in a column, such that every row has one of them: few, and none of them null.

    What deletes rows whose value is null is not known, so those are met by what they hold in another column.

    Raises
    ------
    ClicDataError
        Some rows are null in every column that is left.
    """
    table = old.whole()
    chosen: list[tuple[PlannedColumn, pa.Scalar]] = []
    rest = np.ones(table.num_rows, dtype=bool)
    columns = {column.name: column for column in old.planned if column.name not in used}
    while rest.any():
        best: tuple[float, str, pa.Array] | None = None
        for name, column in columns.items():
            values = table.column(name).filter(pa.array(rest)).drop_null()
            if len(values):
                distinct = values.unique()
                cost = len(distinct) / len(values) * (1 if column.wire.encoding in _SURELY_EQUAL else 10)
                if best is None or cost < best[0]:
                    best = cost, name, distinct
        if best is None:
            raise ClicDataError(
                f"{int(rest.sum()):,} rows of the table are empty in every column"
                + (" that could be used" if used else "")
                + ", and no condition that is known deletes such rows. Delete them in ClicData first."
            )
        _, name, distinct = best
        chosen += [(columns[name], value) for value in distinct]
        rest &= pc.is_null(table.column(name)).to_numpy(zero_copy_only=False)
        del columns[name]
    return chosen


def try_to_delete_nothing(session: Session, found: TableRef, old: Content) -> None:
    """Ask for a delete that no row meets, to see that deleting is allowed before it matters.

    Raises
    ------
    PermissionDeniedError, AuthenticationError
        It is not.
    """
    absent = [(rank, column, value) for column in old.planned for rank, value in _absent(old, column)]
    if absent:
        _, column, value = min(absent, key=lambda each: each[0])
        api.delete(session, found.rec_id, _find(session, column, value))
    else:
        session.whoami()


def _absent(old: Content, column: PlannedColumn) -> Iterator[tuple[int, pa.Scalar]]:
    """A value that no row has in a column, where one is easily made, and how little it is to be preferred."""
    values = old.whole().column(column.name)
    if column.wire.encoding is Encoding.TEXT:
        if column.data_type in (ColumnType.TEXT, ColumnType.DROPDOWN):
            # A dropdown may not take a text that is not in its list.
            rank = 0 if column.data_type is ColumnType.TEXT else len(_SURELY_EQUAL) + 1
            yield rank, pa.scalar(f"no row has this: {secrets.token_hex(8)}", pa.large_string())
    elif column.wire == Wire(Encoding.INTEGER):
        largest = pc.max(values).as_py() or 0
        if largest < _LARGEST_EXACT:
            yield 1, pa.scalar(largest + 1, pa.int64())
    elif column.wire == Wire(Encoding.DATE):
        latest = pc.max(values).as_py() or date(2000, 1, 1)
        if latest < date.max:
            yield 2, pa.scalar(latest + timedelta(days=1), pa.date32())


def present(old: Content, seen: Seen) -> list[int]:
    """Which of the rows a look has found; of equal ones the first."""
    left = Counter(dict(seen.copies))
    found = []
    for row, value in enumerate(old.hashes().tolist()):
        if left[value] > 0:
            left[value] -= 1
            found.append(row)
    return found


_AGAIN = "Make the same call again: it inserts only what is not back yet."


def replace_rows(write: Write) -> WriteResult:
    """Replace the rows of a table that is there, or go on with that.

    Notes
    -----
    Rows that somebody else writes meanwhile are noticed by each look into the table: after the save, and when all that
    were saved are deleted. What cannot be seen: a row that comes between such a look and a deletion, and holds the very
    value that is deleted, goes with the others.

    A deletion whose reply was lost may be carried out late, and would then take new rows with the same value: so where
    one was tried again, or this goes on with a replace that was stopped, ``reconcile_wait`` seconds pass before the
    first new row goes.
    """
    known = api.known_columns(api.first_page(write.session, write.table))
    write = replace(write, content=write.content.in_memory()).fitted(known)
    record = write.record
    # Writes every row once, so that none can turn out not to be writable when the old ones are gone.
    _ = write.content.hash
    if write.options.dry_run:
        return _dry(write, known)
    if record.cleared:
        refuse_what_was_sent(write)
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
        return send_rows(write)
    except BaseException as exc:  # noqa: BLE001 - whatever it was, the backup must be told
        raise_from(_incomplete(write, exc), exc)


def _dry(write: Write, known: api.KnownColumns | None) -> WriteResult:
    content, record = write.content, write.record
    batches = count_batches(write.session, content.rows or 0, write.options)
    facts: dict[str, Any] = {"notes": content.notes}
    if record.backup is None and not record.cleared:
        saved = backup.take(write.session, write.table, known, content.planned, write.options.repeated_pages)
        deletions = len(conditions(saved.content(), ())) if saved.table.num_rows else 0
        facts["matched"] = saved.table.num_rows
        facts["notes"] += (f"{deletions:,} deletions would take the {saved.table.num_rows:,} rows that are there.",)
    return dry_receipt("push", write.table, content.rows, batches, content.planned, write.started, **facts)


def _save(write: Write, known: api.KnownColumns | None) -> Content | None:
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


def restore_backup(session: Session | None, path: object, table: object, *, options: Options) -> WriteResult:
    """Give a table the rows of a backup."""
    meant = api.checked_table(table)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"A backup is the path of a Parquet file, not {path!r}.")
    saved = backup.load(path)
    options = replace(options, backup=Path(path).absolute().parent)
    content = saved.content()
    started = time.perf_counter()
    session = resolved(session)
    found = api.find(session, meant)
    known = api.known_columns(api.first_page(session, found))
    types = _types(saved, known)
    content = fitted(content, found, known, Options(column_types=types))
    identity = Identity(
        operation="restore", table=found.rec_id, account=session.account_label, rows=content.rows,
        columns=[], frame=lambda: content.hash, resumable=False,
    )  # fmt: skip
    record = Record(identity)
    hashes, repeated_pages = content.hashes(), options.repeated_pages
    seen = look(session, found.rec_id, content.planned, wanted=hashes, repeated_pages=repeated_pages)
    there = present(content, seen)
    if len(there) < seen.rows:
        options = replace(options, column_types=types, on_unknown="check")
        return _replaced(Write(session, content, found, record, [], options, started), path)
    record.confirmed = row_ranges.of_positions(there)
    record.table, record.baseline = found, Baseline(0, None, {})
    insertion = Insertion(
        session, found, content, record, int(options.chunksize), int(options.workers), options.reconcile_wait,
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


def _types(saved: backup.Saved, known: api.KnownColumns | None) -> Mapping[str, str]:
    """The types that rows are put back in: those they were saved with, or the table's if these were guessed."""
    theirs = (
        {} if known is None or not known.typed or saved.typed else {each.name: each.data_type for each in known.columns}
    )
    return {name: theirs[name] if theirs.get(name) in list(ColumnType) else own for name, own in saved.types.items()}
