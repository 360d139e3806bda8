"""Replace the rows of a table: save the old rows, delete them by their values, and insert the new ones; and restore.

The API has no transaction, no rename and no clear, so for a time the table has neither all old rows nor all new rows.
But an old row is always in the table, in the backup, or in both.
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

from pandas_clicdata._checks import check_path
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    ColumnType,
    Encoding,
    Page,
    PlannedColumn,
    RepeatedPages,
    RequestOutcome,
    StrPath,
    TableId,
    WireFormat,
    WriteResult,
)
from pandas_clicdata._progress import Progress, ProgressBar, parts_of_wait
from pandas_clicdata._request_count import beyond_limit, counts_requests
from pandas_clicdata.client import api, operations
from pandas_clicdata.errors import (
    AuthenticationError,
    ClicDataError,
    ColumnMismatchError,
    PermissionDeniedError,
    ReplaceIncompleteError,
    VerificationError,
)
from pandas_clicdata.session import resolve_session
from pandas_clicdata.types import row_codec
from pandas_clicdata.write import backup as backups
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.append import append, cost_of_inserts, insert_rows, refuse_if_sent_elsewhere
from pandas_clicdata.write.context import WriteContext, identity_of
from pandas_clicdata.write.cost import Cost, estimate, require, scan_cost
from pandas_clicdata.write.exactly_once import ExactlyOnceInsert
from pandas_clicdata.write.executor import Batch, send_all
from pandas_clicdata.write.journal import Baseline, Journal
from pandas_clicdata.write.options import RECONCILE_SECONDS, Options
from pandas_clicdata.write.payload import Payload, align
from pandas_clicdata.write.reconcile import STAMP, ByContent, TableScan, scan_table
from pandas_clicdata.write.results import dry_receipt, insert_receipt, raise_from, reason_text, resume_hint

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_ROUNDS = 4
_LARGEST_EXACT = 2**52
_COMPARED_EXACTLY = (Encoding.TEXT, Encoding.INTEGER, Encoding.BOOLEAN, Encoding.DATE)
"""Encodings of values that the service compares as we do; it may compare fractions or times of day differently."""


def replace_rows(context: WriteContext) -> WriteResult:
    """Replace the rows of an existing table; also resume such a replace.

    Notes
    -----
    Rows of other writers are noticed by each scan of the table: after the save, and after all saved rows are deleted. A
    row that is added between a scan and a delete, and holds the deleted value, is deleted without notice; by stamp, it
    is not, because rows of other writers have other stamps.

    A delete whose reply was lost may be carried out late, and would delete new rows with the same value. So if one was
    repeated, or if this call continues a replace that stopped, ``reconcile_wait`` seconds pass before the first insert.
    """
    first = context.client.first_page(context.table)
    known = api.known_columns(first)
    context = replace(context, payload=context.payload.in_memory()).aligned(known)
    journal = context.journal
    # Encodes every row once, so that no row turns out to be impossible to send after the old ones are deleted.
    _ = context.payload.hash
    if context.options.dry_run:
        return _dry_run(context, known, first)
    deleted: dict[str, Any] = {}
    if journal.cleared:
        refuse_if_sent_elsewhere(context)
    else:
        started_before = journal.backup is not None
        if journal.backup is None:
            old = _save(context, known, first)
        else:
            old = backups.load(journal.backup).payload()
            require(context, _cost(context, old, first))
        deleted["deleted"] = 0 if old is None else old.rows or 0
        try:
            if old is not None:
                with beyond_limit():
                    _clear(context, old, late_deletes=started_before)
            journal.record("cleared")
        except BaseException as exc:  # noqa: BLE001 - whatever happened, the error names the backup
            raise_from(_incomplete(context, exc), exc)
    try:
        with beyond_limit():
            return insert_rows(context)._changed(**deleted)
    except BaseException as exc:  # noqa: BLE001 - whatever happened, the error names the backup
        raise_from(_incomplete(context, exc), exc)


def _cost(context: WriteContext, old: Payload | None, first: Page) -> Cost:
    """Return the cost of deleting the saved rows from a table with this first page, and of inserting the new ones."""
    cost = cost_of_inserts(context, None)
    if old is None:
        return cost
    # The trial; the deletes; a scan of the table before them, and one that finds it empty.
    return cost + Cost(single=len(_delete_conditions(old, ())), pages=1, others=1) + scan_cost(first)


def _dry_run(context: WriteContext, known: api.KnownColumns | None, first: Page) -> WriteResult:
    payload, journal = context.payload, context.journal
    cost = _cost(context, None, first)
    facts: dict[str, Any] = {"notes": payload.notes, "inserted": payload.rows, "updated": 0, "unchanged": 0}
    if journal.backup is None and not journal.cleared:
        saved = backups.read_rows(context, known)
        rows = saved.table.num_rows
        cost = _cost(context, saved.payload() if rows else None, first)
        facts["matched"] = facts["deleted"] = rows
        facts["notes"] += (f"{cost.single:,} delete requests would remove the {rows:,} existing rows.",)
    return dry_receipt(context, cost.inserts, estimate(context, cost), **facts)


def _save(context: WriteContext, known: api.KnownColumns | None, first: Page) -> Payload | None:
    """Save the old rows, if there are any, and check that they can be deleted, before any is."""
    journal = context.journal
    saved = backups.read_rows(context, known)
    context.record_table()
    if not saved.table.num_rows:
        require(context, _cost(context, None, first))
        return None
    old = saved.payload()
    require(context, _cost(context, old, first))
    path, new = backups.save(saved, context.options.backup, context.table)
    try:
        _check_deleting(context, old)
    except (AuthenticationError, PermissionDeniedError):
        if new:
            path.unlink(missing_ok=True)
        raise
    except BaseException as exc:  # noqa: BLE001 - a lost request may have any effect
        journal.record("saved", backup=str(path))
        raise_from(_incomplete(context, exc), exc)
    journal.record("saved", backup=str(path))
    return old


def _check_deleting(context: WriteContext, old: Payload) -> None:
    """Send a delete that matches no row, to check that deleting is allowed before it matters.

    Raises
    ------
    PermissionDeniedError, AuthenticationError
        It is not allowed.
    """
    absent = [(rank, column, value) for column in old.planned for rank, value in _absent_values(old, column)]
    if absent:
        _, column, value = min(absent, key=lambda each: each[0])
        context.client.delete(context.table.rec_id, _condition(column, value))
    else:
        context.client.account()


def _absent_values(old: Payload, column: PlannedColumn) -> Iterator[tuple[int, pa.Scalar]]:
    """Yield (rank, value) pairs of values that no row has in a column; the lowest rank is best."""
    values = old.table().column(column.name)
    if column.wire.encoding is Encoding.TEXT:
        if column.data_type in (ColumnType.TEXT, ColumnType.DROPDOWN):
            # A dropdown may refuse a text that is not in its list.
            rank = 0 if column.data_type is ColumnType.TEXT else len(_COMPARED_EXACTLY) + 1
            yield rank, pa.scalar(f"no row has this: {secrets.token_hex(8)}", pa.large_string())
    elif column.wire == WireFormat(Encoding.INTEGER):
        largest = pc.max(values).as_py() or 0
        if largest < _LARGEST_EXACT:
            yield 1, pa.scalar(largest + 1, pa.int64())
    elif column.wire == WireFormat(Encoding.DATE):
        latest = pc.max(values).as_py() or date(2000, 1, 1)
        if latest < date.max:
            yield 2, pa.scalar(latest + timedelta(days=1), pa.date32())


def _clear(context: WriteContext, old: Payload, *, late_deletes: bool) -> None:
    """Delete the saved rows, by values that they hold, until the table is empty.

    ``late_deletes`` states that deletes of an earlier call may still be carried out.

    Raises
    ------
    ClicDataError
        Rows remain that no condition deletes, or that are not saved.
    """
    client, table = context.client, context.table
    used: set[str] = set()
    hashes = old.hashes()
    since = time.monotonic() if late_deletes else None
    for _ in range(_ROUNDS):
        scan = scan_table(client, table.rec_id, old.planned, wanted=hashes)
        if not scan.rows:
            break
        present = _present(old, scan)
        if len(present) < scan.rows:
            raise ClicDataError(
                f"Table {table.label} has {scan.rows - len(present):,} rows that were added after its rows were saved."
                " Another writer is changing it, and these rows are left alone. Start again without resume=, or with"
                " another journal=: then all rows that are in the table now are saved to a new file."
            )
        conditions = _delete_conditions(old.take_positions(present), used)
        if _delete_matching(context, [_condition(column, value) for column, value in conditions]):
            since = time.monotonic()
        used.update(column.name for column, _ in conditions)
    else:
        scan = scan_table(client, table.rec_id, old.planned, wanted=hashes)
        if scan.rows:
            raise ClicDataError(f"{scan.rows:,} rows are still in table {table.label} after every condition was used.")
    if since is not None:
        wait = max(0.0, since + context.options.reconcile_wait - time.monotonic())
        for seconds in parts_of_wait(wait, "waiting for late deletes, going on in"):
            time.sleep(seconds)


def _delete_matching(context: WriteContext, finds: Sequence[bytes]) -> bool:
    """Delete the rows that meet any of the conditions; return whether a delete may still be carried out."""

    def send(batch: Batch) -> RequestOutcome:
        # Repeating a delete is harmless: what the first try deleted, the second does not find.
        return context.client.delete(context.table.rec_id, batch.body)

    batches = (Batch((), find, number) for number, find in enumerate(finds))
    sent = send_all(batches, send, workers=context.options.max_in_flight, bar=ProgressBar(False))
    if sent.reason is not None:
        raise sent.reason
    return sent.possibly_repeated


def _condition(column: PlannedColumn, value: pa.Scalar) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array([value.as_py()], value.type)], [column.name])
    return row_codec.encode_each(batch, [column.wire], operations.named_cells([column.name]))[0]


def _delete_conditions(old: Payload, used: Collection[str]) -> list[tuple[PlannedColumn, pa.Scalar]]:
    """Choose a small set of (column, value) conditions that covers all rows.

    Rows with a stamp are matched by it: there is one stamp per batch, and a row that another writer adds meanwhile has
    another one. The other rows are matched by the values of columns that have few different ones.

    None of them is null, because it is unknown what a condition without a value deletes. Rows with a null are matched
    by a value in another column.

    Raises
    ------
    ClicDataError
        Some rows are null in every remaining column.
    """
    table = old.table()
    chosen: list[tuple[PlannedColumn, pa.Scalar]] = []
    rest = np.ones(table.num_rows, dtype=bool)
    columns = {column.name: column for column in old.planned if column.name not in used}
    stamps = _stamps(table, list(columns.values()))
    if stamps is not None:
        column, has_stamp = stamps
        chosen += [(column, stamp) for stamp in table.column(column.name).filter(pa.array(has_stamp)).unique()]
        rest &= ~has_stamp
    while rest.any():
        best: tuple[float, str, pa.Array] | None = None
        for name, column in columns.items():
            values = table.column(name).filter(pa.array(rest)).drop_null()
            if len(values):
                distinct = values.unique()
                cost = len(distinct) / len(values) * (1 if column.wire.encoding in _COMPARED_EXACTLY else 10)
                if best is None or cost < best[0]:
                    best = cost, name, distinct
        if best is None:
            raise ClicDataError(
                f"{int(rest.sum()):,} rows of the table are empty in every column"
                + (" that can be used" if used else "")
                + ", and no known condition deletes such rows. Delete them in ClicData first."
            )
        _, name, distinct = best
        chosen += [(columns[name], value) for value in distinct]
        rest &= pc.is_null(table.column(name)).to_numpy(zero_copy_only=False)
        del columns[name]
    return chosen


def _stamps(table: pa.Table, columns: Sequence[PlannedColumn]) -> tuple[PlannedColumn, Any] | None:
    """Return the column that has the stamps of the most rows, and which rows have one; None if there is no such column.

    Text of another form is not a stamp of this package. Rows that have a stamp each gain nothing from it.
    """
    found: tuple[int, PlannedColumn, Any] | None = None
    for column in columns:
        if column.wire.encoding is not Encoding.TEXT:
            continue
        values = table.column(column.name)
        has_stamp = pc.fill_null(pc.match_substring_regex(values, f"^(?:{STAMP})$"), False).to_numpy()
        count = int(has_stamp.sum())
        if count > len(values.filter(pa.array(has_stamp)).unique()) and (found is None or count > found[0]):
            found = count, column, has_stamp
    return None if found is None else found[1:]


def _present(old: Payload, scan: TableScan) -> list[int]:
    """Return which of the rows a scan has found; of equal rows the first ones."""
    left = Counter(dict(scan.copies))
    present = []
    for row, value in enumerate(old.hashes().tolist()):
        if left[value] > 0:
            left[value] -= 1
            present.append(row)
    return present


def _incomplete(context: WriteContext, reason: BaseException) -> ReplaceIncompleteError:
    table, journal = context.table, context.journal
    lists = journal.states(context.payload.rows or 0).fields()
    if isinstance(reason, VerificationError):
        # Reading the table back contradicts what the replies confirmed.
        lists = {"confirmed": reason.confirmed, "unknown": reason.unknown, "unsent": reason.unsent}
    where = (
        f"All old rows are in {journal.backup}. To put them back: cd.restore(error.backup, {table.rec_id})."
        if journal.backup is not None
        else "The table had no rows."
    )
    token = journal.token()
    stage = (
        "after the old rows were deleted, while the new ones were sent"
        if journal.cleared
        else "while old rows were deleted; a delete in flight may still be carried out"
    )
    resume = f" {resume_hint(context)}".replace("To continue:", "To continue instead:") if token else ""
    return ReplaceIncompleteError(
        f"The replace of table {table.label} stopped {stage}. {reason_text(reason)} {where}{resume}",
        backup=journal.backup,
        rec_id=table.rec_id,
        name=table.name,
        resume=token,
        operation="replace",
        ambiguous=True,
        **lists,
    )


_HINT = "Repeat the call: it inserts only the rows that are missing."


@shown_briefly
@parameters_from(append)
@counts_requests
def restore(
    backup: StrPath,
    table: TableId,
    *,
    workers: int | None = None,
    reconcile_wait: float = RECONCILE_SECONDS,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Put the rows that a replace saved back into the table.

    If the table contains only some of these rows, the missing ones are inserted. Otherwise its rows are saved to
    another file and replaced, as by ``push(…, if_exists="replace")``. Repeating the call changes nothing.

    Deletes and inserts of the replace that stopped may be carried out after its error, so wait (a minute, or your
    ``reconcile_wait``) before you restore. If one is carried out even later, restore again.

    Parameters
    ----------
    backup : path-like
        The Parquet file: ``error.backup``, or the ``backup`` of the receipt.
    {table}
    {workers}
    {reconcile_wait}
    {repeated_pages}
    {progress}
    {session}

    Returns
    -------
    WriteResult
        The receipt. If other rows were replaced, its ``backup`` is the file with these, next to the restored file.

    Raises
    ------
    FileNotFoundError
        There is no such file. Nothing was sent.
    ValueError
        The file is not a backup, or is damaged. Nothing was sent.
    TableNotFoundError
        There is no such table.
    ColumnMismatchError
        The table's columns differ from those of the backup.
    IncompleteReadError
        The table could not be read. Nothing was changed.
    IncompleteWriteError, ReplaceIncompleteError
        Not all rows are confirmed. The backup remains; repeat the call to continue.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180, 200]}).clicdata.push("Planes to restore")
    >>> receipt = pd.DataFrame({"seats": [0]}).clicdata.push("Planes to restore", if_exists="replace")
    >>> cd.restore(receipt.backup, "Planes to restore").rows
    2
    >>> pd.read_clicdata("Planes to restore")["seats"].tolist()
    [180, 200]
    """
    options = Options(workers=workers, reconcile_wait=reconcile_wait, repeated_pages=repeated_pages, progress=progress)
    checked = api.checked_table(table)
    backup = check_path("backup", backup)
    saved = backups.load(backup)
    payload = saved.payload()
    started = time.perf_counter()
    session = resolve_session(session, table)
    client = session._client
    found = client.find(checked)
    known = api.known_columns(client.first_page(found))
    types = _restored_types(saved, known)
    try:
        payload = align(payload, found, known, Options(column_types=types))
    except ColumnMismatchError as exc:
        raise ColumnMismatchError(
            f"The columns of the backup do not match those of table {found.label}. Restore into the table of the"
            f" backup, or into one with its columns: {', '.join(map(repr, saved.types))}.",
            missing=exc.missing,
            extra=exc.extra,
            differing=exc.differing,
        ) from None
    context = WriteContext(
        operation="restore",
        session=session,
        table=found,
        payload=payload,
        options=options,
        journal=Journal(identity_of("restore", found.rec_id, client, payload, [], options)),
        started=started,
    )
    scan = scan_table(client, found.rec_id, payload.planned, wanted=payload.hashes(), repeated_pages=repeated_pages)
    present = _present(payload, scan)
    if len(present) < scan.rows:
        options = replace(
            options,
            if_exists="replace",
            backup=Path(backup).absolute().parent,
            column_types=types,
            on_unknown="check",
        )
        return _restore_by_replacing(replace(context, options=options), backup)
    journal = context.journal
    journal.confirmed = row_ranges.of_positions(present)
    journal.table, journal.baseline = found, Baseline(0, None, {})
    insert = ExactlyOnceInsert(context, ByContent(context), hint=_HINT)
    insert.run()
    result = insert_receipt(context, verified=False, notes=insert.notes)
    sent, before = result.sent - len(present), len(present)
    confirmed = result.confirmed - before
    return result._changed(sent=sent, inserted=sent, confirmed=confirmed, unchanged=before, matched=before)


def _restore_by_replacing(context: WriteContext, path: StrPath) -> WriteResult:
    try:
        return replace_rows(context)
    except BaseException as exc:
        error = exc if isinstance(exc, ReplaceIncompleteError) else exc.__cause__
        if not isinstance(error, ReplaceIncompleteError):
            raise
        reason = error.__cause__ if isinstance(exc, Exception) else exc
        instead = "" if error.backup is None else f" The rows that were in the table instead are in {error.backup}."
        raise_from(
            ReplaceIncompleteError(
                f"Not all rows of {Path(path)} are back in table {context.table.label}. The file is unchanged; repeat"
                f" the call to continue.{instead} {reason_text(reason or error)}",
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


def _restored_types(saved: backups.SavedRows, known: api.KnownColumns | None) -> Mapping[str, str]:
    """Return the types to restore with: the saved ones, or the table's if the saved ones were inferred."""
    table_types = (
        {} if known is None or not known.typed or saved.typed else {each.name: each.data_type for each in known.columns}
    )
    return {
        name: table_types[name] if table_types.get(name) in list(ColumnType) else own
        for name, own in saved.types.items()
    }
