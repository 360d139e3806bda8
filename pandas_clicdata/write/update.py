"""Update rows by key; and upsert, which also inserts the rows that the table does not have."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pandas_clicdata import read
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    MAX_BATCH_ROWS,
    OnBadValues,
    RepeatedPages,
    Rows,
    TableId,
    WriteResult,
)
from pandas_clicdata._progress import Progress
from pandas_clicdata._request_count import counts_requests
from pandas_clicdata.client import api, operations
from pandas_clicdata.errors import FrameError, RowRange, VerificationError
from pandas_clicdata.session import resolve_session
from pandas_clicdata.types import row_codec
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.append import append
from pandas_clicdata.write.conditions import SimilarKeys, Update, UpdateTrial, send_updates
from pandas_clicdata.write.context import WriteContext, identity_of
from pandas_clicdata.write.cost import Cost, estimate, insert_cost, require, scan_cost
from pandas_clicdata.write.exactly_once import ExactlyOnceInsert
from pandas_clicdata.write.executor import SendResult
from pandas_clicdata.write.journal import Baseline, Journal
from pandas_clicdata.write.options import RECONCILE_SECONDS, OnNewColumns, Options
from pandas_clicdata.write.payload import align, align_subset, keyed_payload
from pandas_clicdata.write.reconcile import ByKeys, scan_table
from pandas_clicdata.write.results import (
    RowStates,
    Wording,
    dry_receipt,
    failed_after_sending,
    raise_from,
    receipt,
    require_complete,
    wait_for_late_requests,
)

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_UPSERT_HINT = "Repeat the call: it sends only what is still different."
_UPDATE_HINT = "Repeat the call: it sends all updates again, which is harmless."
# An empty column would set the column to null in the rows that exist.
_IF_MISSING = (
    "An upsert needs all columns of the table. To change only some columns of existing rows, use update_rows(…, on=…)."
)
_WORDING = Wording(
    "update",
    unknown="Unknown, may or may not be updated: {rows}; updating them again is harmless.",
    unsent="Neither updated nor inserted: {rows}.",
)


@shown_briefly
@parameters_from(append)
@counts_requests
def update_rows(
    obj: Rows,
    table: TableId,
    *,
    on: str | Sequence[str],
    column_types: Mapping[str, str] | None = None,
    index: bool | None = None,
    on_new_columns: OnNewColumns = "error",
    on_bad_values: OnBadValues = "raise",
    dry_run: bool = False,
    workers: int | None = None,
    reconcile_wait: float = RECONCILE_SECONDS,
    verify: bool = False,
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Update the table's rows that equal the frame's rows in the ``on`` columns.

    One request is sent for each row. The frame needs only some of the table's columns. A key that is not in the table
    changes nothing, and repeating the call changes nothing. The update is not atomic: meanwhile, other readers see some
    rows updated and others not.

    Parameters
    ----------
    obj : DataFrame, list of dict, iterable of DataFrame or object
        The rows, as for :func:`append`. Those that come piece by piece are read into memory.
    {table}
    on : str or list of str
        The columns that must be equal. Their values must be unique and complete in the frame.
    {column_types}
    {index}
    {on_new_columns}
    {on_bad_values}
    {dry_run}
    {workers}
    {reconcile_wait}
    verify : bool, default False
        Whether to read the table afterwards and check that it has all rows of the frame.
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    WriteResult
        The receipt. Its status is ``unverified``, because the service does not count updated rows, or ``verified`` with
        ``verify=True``.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    ColumnMismatchError
        The table lacks one of the columns, or has it in another type.
    FrameError
        A key is missing or occurs twice, or there is no column besides the keys. Nothing was sent.
    IncompleteWriteError
        Some updates failed; the ranges state which. Repeating the call is harmless.
    VerificationError
        With ``verify=True``: the table lacks rows of the frame.

    See Also
    --------
    upsert : Update the rows whose keys exist, and insert the others.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"plane": ["A320"], "seats": [180]}), "Planes to update")
    >>> cd.update_rows(pa.table({"plane": ["A320"], "seats": [186]}), "Planes to update", on="plane").sent
    1
    """
    options = Options(
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        on_bad_values=on_bad_values,
        dry_run=dry_run,
        workers=workers,
        reconcile_wait=reconcile_wait,
        verify=verify,
        max_requests=max_requests,
        progress=progress,
    )
    checked = api.checked_table(table)
    payload, keys = keyed_payload(obj, on, options)
    if len(keys) == len(payload.planned):
        payload.check_whole_index()
        raise FrameError(
            "on= names every column of the frame, so there is no column to update. Name only the columns that identify"
            " a row."
        )
    started = time.perf_counter()
    session = resolve_session(session, table)
    client = session._client
    found = client.find(checked)
    first = client.first_page(found)
    payload = align_subset(payload, found, api.known_columns(first), options, keys)
    context = WriteContext(
        operation="update_rows",
        session=session,
        table=found,
        payload=payload,
        keys=keys,
        options=options,
        journal=Journal(identity_of("update_rows", checked, client, payload, keys, options)),
        started=started,
    )
    rows = payload.rows or 0
    wanted = [(0, rows)] if rows else []
    differing: Sequence[RowRange] | None = None
    counts: dict[str, Any] = {"inserted": 0, "deleted": 0}
    similar = SimilarKeys(payload, client.service_profile, keys)
    if rows and (similar.possible or (client.service_profile.update_key is None and not dry_run)):
        comparison = read.read_until_stable(lambda: _compare(context, similar))
        differing = comparison.differing
        counts["updated"] = row_ranges.count(comparison.differing)
        counts["unchanged"] = row_ranges.count(comparison.equal)
        similar.refuse(range(rows), "change", each_alone=True)
        if client.service_profile.update_key is not None:
            differing = None
    cost = Cost(single=rows)
    if client.service_profile.update_key is None:
        # The table is read before and after the first update; sometimes a second request is needed.
        cost += scan_cost(first) + scan_cost(first) + Cost(at_least=True)
    cost += scan_cost(first) if verify else Cost()
    if dry_run:
        return dry_receipt(context, rows, estimate(context, cost), notes=payload.notes, **counts)
    notes = payload.notes
    if differing == []:
        wanted, rows = [], 0
        notes += ("Nothing was sent, because no row of the table that has one of the keys has other values.",)
    else:
        require(context, cost)
    sent = _send_and_require_updates(context, wanted, [], _UPDATE_HINT, differing=differing)
    notes += wait_for_late_requests(sent, options.reconcile_wait)
    if verify:
        _verify(context)
    return update_receipt(context, rows, sent.retries, notes=notes, **counts)


@shown_briefly
@parameters_from(append)
@counts_requests
def upsert(
    obj: Rows,
    table: TableId,
    *,
    on: str | Sequence[str],
    column_types: Mapping[str, str] | None = None,
    index: bool | None = None,
    on_new_columns: OnNewColumns = "error",
    on_bad_values: OnBadValues = "raise",
    dry_run: bool = False,
    chunksize: int = MAX_BATCH_ROWS,
    workers: int | None = None,
    reconcile_wait: float = RECONCILE_SECONDS,
    verify: bool = False,
    repeated_pages: RepeatedPages = "check",
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Update the rows whose keys are in the table, and insert the others.

    The table is read once. Rows that are equal already are left alone, so repeating the call sends nothing. Rows that
    differ are updated with one request each; then the other rows are inserted. The upsert is not atomic: meanwhile,
    other readers see some rows updated and others not.

    Parameters
    ----------
    obj : DataFrame, list of dict, iterable of DataFrame or object
        The rows, as for :func:`append`. Those that come piece by piece are read into memory. They need all of the
        table's columns.
    {table}
    on : str or list of str
        The columns that identify a row. Their values must be unique and complete in the frame.
    {column_types}
    {index}
    {on_new_columns}
    {on_bad_values}
    {dry_run}
    {chunksize}
    {workers}
    {reconcile_wait}
    verify : bool, default False
        Whether to read the table afterwards and check that it has all rows of the frame.
    {repeated_pages}
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    WriteResult
        The receipt. ``inserted``, ``updated`` and ``unchanged`` count the rows of the frame, and ``matched`` the rows
        of the table that had one of the keys.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    ColumnMismatchError
        The table's columns differ from the frame's. The message lists both.
    FrameError
        A key is missing or occurs twice. Nothing was sent.
    IncompleteReadError
        The table could not be read before the first change. Nothing was changed.
    IncompleteWriteError
        The upsert stopped before it was complete. Repeat the call to continue.
    VerificationError
        With ``verify=True``: the table lacks rows of the frame.

    See Also
    --------
    update_rows : Update rows, and insert none.
    push : Create the table first, or upsert with ``if_exists="upsert"``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"plane": ["A320"], "seats": [180]}), "Planes to upsert")
    >>> more = pa.table({"plane": ["A320", "B738"], "seats": [186, 189]})
    >>> receipt = cd.upsert(more, "Planes to upsert", on="plane")
    >>> receipt.inserted, receipt.updated, receipt.unchanged
    (1, 1, 0)
    """
    options = Options(
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        on_bad_values=on_bad_values,
        dry_run=dry_run,
        chunksize=chunksize,
        workers=workers,
        reconcile_wait=reconcile_wait,
        verify=verify,
        repeated_pages=repeated_pages,
        max_requests=max_requests,
        progress=progress,
    )
    checked = api.checked_table(table)
    payload, keys = keyed_payload(obj, on, options)
    started = time.perf_counter()
    session = resolve_session(session, table)
    client = session._client
    options = options.for_inserts(client)
    context = WriteContext(
        operation="upsert",
        session=session,
        table=client.find(checked),
        payload=payload,
        keys=keys,
        options=options,
        journal=Journal(identity_of("upsert", checked, client, payload, keys, options)),
        started=started,
    )
    return upsert_rows(context)


def upsert_rows(context: WriteContext) -> WriteResult:
    """Upsert into an existing table."""
    client, options = context.client, context.options
    first = client.first_page(context.table)
    known = api.known_columns(first)
    payload = align(context.payload, context.table, known, options, context.keys, if_missing=_IF_MISSING)
    # Repeating an upsert resumes it, so its errors have no token.
    journal = Journal(replace(context.journal.identity, resumable=False))
    context = replace(context, payload=payload, journal=journal)
    similar = SimilarKeys(payload, client.service_profile, context.keys)
    comparison = read.read_until_stable(lambda: _compare(context, similar))
    similar.refuse(row_ranges.positions(comparison.differing), "change", each_alone=True)
    inserts = row_ranges.count(comparison.absent)
    updates = row_ranges.count(comparison.differing)
    facts: dict[str, Any] = {
        "inserted": inserts,
        "updated": updates,
        "unchanged": row_ranges.count(comparison.equal),
        "deleted": 0,
        "matched": comparison.matched,
        "notes": (*payload.notes, *comparison.notes),
    }
    cost = Cost(single=updates) + insert_cost(client, comparison.absent, options)
    if updates and client.service_profile.update_key is None:
        cost += scan_cost(first) + scan_cost(first) + Cost(at_least=True)
    cost += scan_cost(first, inserts) if options.verify else Cost()
    if options.dry_run:
        return dry_receipt(context, updates + cost.inserts, estimate(context, cost), **facts)
    require(context, cost)
    sent = _send_and_require_updates(
        context, comparison.differing, comparison.equal, _UPSERT_HINT, differing=comparison.differing
    )
    journal.confirmed = row_ranges.merged([*comparison.equal, *comparison.differing])
    journal.table = context.table
    # The rows of other keys: a key can have several rows in the table.
    journal.baseline = Baseline(comparison.rows - comparison.matched)
    insert = ExactlyOnceInsert(context, ByKeys(context), hint=_UPSERT_HINT)
    insert.run()
    facts["notes"] += wait_for_late_requests(sent, options.reconcile_wait)
    if options.verify:
        _verify(context)
    facts["notes"] += insert.notes
    return update_receipt(
        context, updates + inserts, sent.retries + journal.retries, batches=updates + journal.batches, **facts
    )


@dataclass(frozen=True)
class _Comparison:
    """Which rows of the frame are absent from, equal in, or different in the table.

    ``rows`` is the number of rows in the table, and ``matched`` the number of those with a key of the frame.
    """

    absent: list[RowRange]
    equal: list[RowRange]
    differing: list[RowRange]
    rows: int
    matched: int
    notes: tuple[str, ...]


def _compare(context: WriteContext, similar: SimilarKeys) -> _Comparison:
    similar.forget()
    payload, keys = context.payload, context.keys
    by_key = payload.hashes(keys).tolist()
    whole = payload.hashes().tolist()
    wanted = set(by_key)
    existing: dict[int, list[int]] = {}
    total = 0
    key_places = [at for at, column in enumerate(payload.planned) if column.name in keys]
    with closing(
        read.pages(context.client, context.table.rec_id, repeated_pages=context.options.repeated_pages)
    ) as pages:
        for page in pages:
            total += len(page)
            similar.add(page)
            texts = fingerprint.texts_of_page(page, payload.planned)
            key_hashes = fingerprint.row_hashes([texts[at] for at in key_places]).tolist()
            hashes = fingerprint.row_hashes(texts).tolist()
            for key, value in zip(key_hashes, hashes, strict=True):
                if key in wanted:
                    existing.setdefault(key, []).append(value)
    absent = [row for row, key in enumerate(by_key) if key not in existing]
    equal = [row for row, key in enumerate(by_key) if key in existing and set(existing[key]) == {whole[row]}]
    unchanged = {*absent, *equal}
    duplicates = sum(len(values) > 1 for values in existing.values())
    notes = (
        (f"{duplicates:,} of the keys have more than one row in the table. All of these rows get the same values.",)
        if duplicates
        else ()
    )
    return _Comparison(
        row_ranges.of_positions(absent),
        row_ranges.of_positions(equal),
        row_ranges.of_positions(row for row in range(len(by_key)) if row not in unchanged),
        total,
        sum(map(len, existing.values())),
        notes,
    )


def _send_and_require_updates(
    context: WriteContext,
    ranges: Sequence[RowRange],
    equal: Sequence[RowRange],
    hint: str,
    *,
    differing: Sequence[RowRange] | None,
) -> SendResult:
    """Send one update per row. Where the key of the new values is not known, learn it from rows that differ.

    Raises
    ------
    IncompleteWriteError
        Some updates failed. The rows ``equal`` count as confirmed.
    """
    tried: list[Any] = []
    rows = iter(row_ranges.positions(differing or []))
    while context.client.service_profile.update_key is None:
        row = next(rows, None)
        if row is None:
            # All rows were tried, or another program has made the same changes meanwhile.
            return SendResult(tried)
        (update,) = _updates(context, [(row, row + 1)])
        sent = UpdateTrial(context, update, context.payload.planned).run()
        if sent is not None:
            require_complete(context, _WORDING, sent, confirmed_before=equal, hint=hint)
            tried, equal = [*tried, *sent.results], row_ranges.merged([*equal, (row, row + 1)])
            ranges = row_ranges.common(ranges, row_ranges.complement([(row, row + 1)], context.payload.rows or 0))
    sent = send_updates(context, _updates(context, ranges), row_ranges.count(ranges))
    require_complete(context, _WORDING, sent, confirmed_before=equal, hint=hint)
    return SendResult([*tried, *sent.results])


def _updates(context: WriteContext, ranges: Sequence[RowRange]) -> Iterator[Update]:
    payload, keys = context.payload, context.keys
    condition_columns = [column for column in payload.planned if column.name in keys]
    value_columns = [column for column in payload.planned if column.name not in keys]
    number = 0
    for piece in row_ranges.cut(ranges, itertools.repeat(MAX_BATCH_ROWS)):
        part = payload.take(piece)
        conditions, values = (
            row_codec.encode_each(
                part.select([column.name for column in columns]),
                [column.wire for column in columns],
                operations.named_cells([column.name for column in columns]),
            )
            for columns in (condition_columns, value_columns)
        )
        for row, condition, new in zip(row_ranges.positions(piece), conditions, values, strict=True):
            number += 1
            yield Update(((row, row + 1),), condition, number, values=new)


def _verify(context: WriteContext) -> None:
    """Read the table back and check that it has the frame's rows.

    Raises
    ------
    VerificationError
        Rows are missing.
    IncompleteWriteError
        The table could not be read.
    """
    table, hashes = context.table, context.payload.hashes()
    try:
        copies = scan_table(context.client, table.rec_id, context.payload.planned, wanted=hashes).copies
    except BaseException as exc:  # noqa: BLE001 - whatever happened, the rows were sent
        states = RowStates([(0, len(hashes))] if len(hashes) else [], [], len(hashes))
        failed = "reading the table back failed, so they were not compared"
        raise_from(failed_after_sending(context, states, failed, exc, "Repeating the call is harmless."), exc)
    missing = [row for row, each in enumerate(hashes.tolist()) if each not in copies]
    if missing:
        ranges = row_ranges.of_positions(missing)
        raise VerificationError(
            f"All rows were sent to table {table.label}, but it has no rows equal to {row_ranges.ranges_text(ranges)}"
            " of the frame. Check that their keys are in the table, and that no other writer changes it.",
            differences=[f"{len(missing):,} rows are not in the table"],
            rec_id=table.rec_id,
            name=table.name,
            confirmed=row_ranges.complement(ranges, len(hashes)),
            unknown=ranges,
            operation="verify",
        )


def update_receipt(
    context: WriteContext, sent: int, retries: int, *, batches: int | None = None, **facts: Any
) -> WriteResult:
    """Return the receipt of updates, which the service does not count."""
    verified = context.options.verify
    return receipt(
        context,
        sent=sent,
        confirmed=sent if verified else 0,
        batches=sent if batches is None else batches,
        retries=retries,
        status="verified" if verified else "unverified",
        **facts,
    )
