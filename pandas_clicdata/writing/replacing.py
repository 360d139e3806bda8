"""Replacing a table's rows: saved first, deleted by what they hold, then the new ones inserted.

The service has no transaction, no rename and no clear, so that there is a time without the old rows and without all of
the new ones; but never one in which an old row is neither in the table nor in the backup.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata import endpoints, rows, tables
from pandas_clicdata.errors import ClicDataError, IncompleteWriteError, ReplaceIncompleteError
from pandas_clicdata.models import ColumnType, Encoding, PlannedColumn, TableRef, WriteResult
from pandas_clicdata.writing import backup, workflow
from pandas_clicdata.writing import ranges as row_ranges
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.failure import raise_from
from pandas_clicdata.writing.inserting import Insertion
from pandas_clicdata.writing.looking import Seen, look
from pandas_clicdata.writing.options import Options
from pandas_clicdata.writing.receipts import dry_receipt, receipt_of
from pandas_clicdata.writing.record import Baseline, Identity, Record
from pandas_clicdata.writing.settling import ByContent

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

_ROUNDS = 4
_SURELY_EQUAL = (Encoding.TEXT, Encoding.INTEGER, Encoding.BOOLEAN, Encoding.DATE)
"""What the service can hardly compare in another way than we do; a fraction or a time of day it might."""
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
    """Replace the rows of a table that is there, or go on with that."""
    known = tables.known_columns(tables.first_page(session, found))
    content = content.in_memory()
    if known is not None:
        content = workflow.fitted(content, found, known, options)
    # Writes every row once, so that none can turn out not to be writable when the old ones are gone.
    assert content.hash
    if record.cleared:
        return _insert(session, content, found, record, keys, options, started)
    if record.backup is None:
        saved = backup.take(session, found, known)
        if options.dry_run:
            count = -(-(content.rows or 0) // int(options.batch_size))
            return dry_receipt(
                "push", found, content.rows, count, content.planned, started, matched=saved.table.num_rows
            )
        old = saved.content() if saved.table.num_rows else None
        if old is not None:
            conditions(old, ())
            try_to_delete_nothing(session, found, old)
            path = backup.place(options.backup, found)
            backup.write(saved, path, found)
            record.note("saved", backup=str(path))
    else:
        saved = backup.load(record.backup)
        old = saved.content()
    if record.table is None:
        record.note("table", rec_id=found.rec_id, name=found.name, made=False)
    try:
        if old is not None:
            clear(session, found, old)
        record.note("cleared")
    except BaseException as exc:  # noqa: BLE001 - whatever it was, the backup must be told
        raise_from(_incomplete(found, content, record, exc), exc)
    return _insert(session, content, found, record, keys, options, started)


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
    except BaseException as exc:
        raise_from(_incomplete(found, content, record, exc), exc)
        raise


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
    stage = "the old rows were gone and the new ones on their way" if record.cleared else "old rows were being deleted"
    return ReplaceIncompleteError(
        f"The replace of table {found.label} stopped when {stage}. {where} To go on instead, make the same call again"
        f" with resume=error.resume (or with its journal). The reason: {reason or type(reason).__name__}",
        backup=record.backup,
        rec_id=found.rec_id,
        name=found.name,
        resume=record.token(),
        operation="replace",
        ambiguous=True,
        **told,
    )


def clear(session: Session, found: TableRef, old: Content) -> None:
    """Delete the rows that are saved, by values that they hold, until the table is empty.

    Raises
    ------
    ClicDataError
        Rows are left that no condition deletes, or that are not saved.
    """
    used: set[str] = set()
    hashes = old.hashes()
    for _ in range(_ROUNDS):
        seen = look(session, found.rec_id, old.planned, wanted=hashes)
        if not seen.rows:
            return
        there = present(old, seen)
        if len(there) < seen.rows:
            raise ClicDataError(
                f"Table {found.label} has {seen.rows - len(there):,} rows now that were not there when its rows were"
                " saved: somebody else is writing to it."
            )
        left = old.taken(there)
        for column, value in conditions(left, used):
            # A lost reply is answered by asking again: what the first try deleted, the second no longer finds.
            endpoints.delete(session, found.rec_id, _find(session, column, value))
            used.add(column.name)
    seen = look(session, found.rec_id, old.planned, wanted=hashes)
    if seen.rows:
        raise ClicDataError(f"{seen.rows:,} rows are still in table {found.label} after every condition was used.")


def _find(session: Session, column: PlannedColumn, value: pa.Scalar) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array([value.as_py()], value.type)], [column.name])
    return rows.encode_each(batch, [column.wire], endpoints.find_framing(session, [column.name]))[0]


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
    for column in old.planned:
        values = old.whole().column(column.name)
        if column.data_type in (ColumnType.TEXT, ColumnType.DROPDOWN) and column.wire.encoding is Encoding.TEXT:
            absent: Any = pa.scalar(f"no row has this: {secrets.token_hex(8)}", pa.large_string())
        elif column.wire.encoding is Encoding.INTEGER:
            largest = pc.max(values).as_py()
            absent = pa.scalar(1 if largest is None else largest + 1 if largest < 2**52 else None, pa.int64())
        else:
            continue
        if absent.is_valid:
            endpoints.delete(session, found.rec_id, _find(session, column, absent))
            return
    session.whoami()


def present(old: Content, seen: Seen) -> list[int]:
    """Which of the rows a look has found; of equal ones the first."""
    left = Counter(dict(seen.copies))
    found = []
    for row, value in enumerate(old.hashes().tolist()):
        if left[value] > 0:
            left[value] -= 1
            found.append(row)
    return found


def restore(session: Session | None, path: object, table: object, *, options: Options) -> WriteResult:
    """Give a table the rows of a backup."""
    meant = tables.checked_table(table)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"A backup is the path of a Parquet file, not {path!r}.")
    saved = backup.load(path)
    content = saved.content()
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = tables.find(session, meant)
    known = tables.known_columns(tables.first_page(session, found))
    if known is not None:
        content = workflow.fitted(content, found, known, Options(columns=saved.types if known.typed else None))
    identity = Identity(
        operation="restore", table=found.rec_id, account=session.account_label, rows=content.rows,
        columns=[], frame=lambda: content.hash, resumable=False,
    )  # fmt: skip
    record = Record(identity)
    seen = look(session, found.rec_id, content.planned, wanted=content.hashes())
    there = present(content, seen)
    if len(there) < seen.rows:
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
    except ReplaceIncompleteError as exc:
        raise ReplaceIncompleteError(
            f"{exc} This was to restore {Path(path)}, which stays; the same call made again goes on. The file named"
            " before holds the rows that were there instead.",
            backup=os.fspath(path),
            rec_id=exc.rec_id,
            name=exc.name,
            confirmed=exc.confirmed,
            unknown=exc.unknown,
            unsent=exc.unsent,
            operation="restore",
            ambiguous=True,
        ) from exc
