"""Delete rows by key; and update or delete the rows that match filters."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, SupportsIndex, get_args

from pandas_clicdata import read
from pandas_clicdata._checks import check_choice, check_whole_number, did_you_mean
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    ROW_ID_TYPES,
    MultipleRows,
    RepeatedPages,
    RequestOutcome,
    Rows,
    TableId,
    TableRef,
    WriteResult,
)
from pandas_clicdata._progress import Progress, current_bar
from pandas_clicdata._request_count import counts_requests, request_count
from pandas_clicdata.client import api, operations
from pandas_clicdata.errors import ColumnMismatchError, FrameError, TooManyRowsError, UnsupportedTypeError
from pandas_clicdata.session import resolve_session
from pandas_clicdata.types import infer, ingest, plan, row_codec, to_pandas
from pandas_clicdata.write import fingerprint
from pandas_clicdata.write.append import append
from pandas_clicdata.write.conditions import SimilarKeys, Update, UpdateTrial, send_updates
from pandas_clicdata.write.context import WriteContext, identity_of
from pandas_clicdata.write.cost import Cost, estimate, require
from pandas_clicdata.write.executor import Batch, send_all
from pandas_clicdata.write.journal import Journal
from pandas_clicdata.write.options import RECONCILE_SECONDS, Options
from pandas_clicdata.write.payload import Payload, align_subset, key_names, refuse_null_keys, select_columns
from pandas_clicdata.write.results import Wording, dry_receipt, receipt, require_complete, wait_for_late_requests
from pandas_clicdata.write.update import update_receipt

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


@shown_briefly
@parameters_from(append)
@counts_requests
def delete_rows(
    obj: Rows,
    table: TableId,
    *,
    on: str | Sequence[str],
    index: bool | None = None,
    dry_run: bool = False,
    max_rows: int | None = None,
    workers: int | None = None,
    reconcile_wait: float = RECONCILE_SECONDS,
    repeated_pages: RepeatedPages = "check",
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Delete the table's rows that equal the frame's rows in the ``on`` columns.

    One request is sent for each combination of keys, because all conditions of a request must match. A key that is not
    in the table deletes nothing. After a lost reply the request is sent again, because deleted rows do not match twice.

    Parameters
    ----------
    obj : DataFrame, list of dict, iterable of DataFrame or object
        The rows, as for :func:`append`. Those that come piece by piece are read into memory. Only the ``on`` columns
        are used.
    {table}
    on : str or list of str
        The columns that must be equal, all of them.
    index : bool, optional
        Whether the index's levels can be named in ``on``. Default: if the index has a name, several levels, or labels
        other than integers.
    dry_run : bool, default False
        Whether to delete nothing, and read the table instead: the receipt's ``matched`` and ``preview`` are the rows
        that would be deleted.
    max_rows : int, optional
        Maximum number of rows to delete. The table is read first, and nothing is deleted if more rows match.
    {workers}
    {reconcile_wait}
    {repeated_pages}
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    WriteResult
        The receipt. Its status is ``unverified``, because the service does not state how many rows it deleted.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    ColumnMismatchError
        The table lacks an ``on`` column, or has it in another type.
    FrameError
        The frame has no rows, lacks an ``on`` column, or has a row without a key. What an empty condition deletes is
        unknown, so it is never sent.
    IncompleteReadError
        The table could not be read. Nothing was deleted.
    TooManyRowsError
        More than ``max_rows`` rows match. Nothing was deleted.
    IncompleteWriteError
        Some deletes failed; the ranges state for which rows of the frame.

    See Also
    --------
    Data.delete_data : Delete the rows that have given values.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"seats": [180, 200]}), "Planes to delete")
    >>> cd.delete_rows(pa.table({"seats": [200]}), "Planes to delete", on="seats").batches
    1
    """
    options = Options(
        index=index,
        dry_run=dry_run,
        workers=workers,
        reconcile_wait=reconcile_wait,
        repeated_pages=repeated_pages,
        max_requests=max_requests,
        progress=progress,
    )
    checked = api.checked_table(table)
    limit = None if max_rows is None else check_whole_number("max_rows", max_rows, least=0)
    source = ingest.as_source(obj, index=index)
    names = key_names(on, [column.name for column in source.columns])
    source = select_columns(source, names)
    payload = Payload.from_plans(source, plan.plan_columns(source)).in_memory()
    if not payload.rows:
        raise FrameError("The frame has no rows, so there is nothing to delete.")
    refuse_null_keys(payload, names, "what an empty condition deletes is unknown")
    started = time.perf_counter()
    session = resolve_session(session, table)
    client = session._client
    found = client.find(checked)
    known = api.known_columns(client.first_page(found))
    payload = align_subset(payload, found, known, keys=names)
    context = _context("delete_rows", session, found, payload, options, started)
    wording = Wording(
        "delete",
        unknown="Unknown, rows like these may or may not be deleted: {rows}; deleting again is harmless, but a delete"
        " may be carried out late, so wait a minute before you send rows with these keys.",
        unsent="Rows like these are not deleted: {rows}.",
    )
    return _delete(context, known, wording, limit)


def _context(
    operation: str, session: Session, table: TableRef, payload: Payload, options: Options, started: float
) -> WriteContext:
    return WriteContext(
        operation=operation,
        session=session,
        table=table,
        payload=payload,
        options=options,
        journal=Journal(identity_of(operation, table.rec_id, session._client, payload, [], options)),
        started=started,
    )


def _delete(
    context: WriteContext,
    known: api.KnownColumns | None,
    wording: Wording,
    limit: int | None,
    *,
    multiple_rows: MultipleRows = "all",
) -> WriteResult:
    """Delete the table's rows that equal a row of the payload in all its columns.

    Raises
    ------
    TooManyRowsError
        More than ``limit`` rows match. Nothing was deleted.
    IncompleteWriteError
        Some deletes failed.
    """
    options, label = context.options, context.table.label
    facts: dict[str, Any] = {"inserted": 0, "updated": 0, "unchanged": 0}
    wanted: set[int] | None = None
    similar = SimilarKeys(context.payload, context.client.service_profile)
    before = request_count().sent
    if options.dry_run or limit is not None or similar.possible:
        declared = {} if known is None else {column.name: column.data_type for column in known.columns}
        matching = read.read_until_stable(lambda: _matching(context, similar))
        similar.refuse(range(context.payload.rows or 0), "delete", each_alone=False)
        wanted = {key for key, _ in matching}
        facts["matched"] = len(matching)
        facts["deleted"] = len(matching) if multiple_rows == "all" else min(1, len(matching))
        if options.dry_run:
            facts["preview"] = _preview([row for _, row in matching], declared)
        elif limit is not None and len(matching) > limit:
            raise TooManyRowsError(
                f"{len(matching):,} rows of table {label} match, but max_rows={limit:,}. Nothing was deleted. Use"
                " dry_run=True to see the rows.",
                rows=len(matching),
                max_rows=limit,
            )
    batches = _batches(context.payload, wanted)
    cost = Cost(single=len(batches))
    if options.dry_run:
        # Without dry_run=, the table is read only if that decides something.
        not_needed = 0 if limit is not None or similar.possible else request_count().sent - before
        return dry_receipt(context, len(batches), estimate(context, cost, not_needed=not_needed), **facts)
    require(context, cost)

    def send(batch: Batch) -> RequestOutcome:
        # Repeating a delete is harmless: what the first try deleted, the second does not find. But the first try may be
        # carried out late, and would delete rows with these keys that the user has sent meanwhile.
        return context.client.delete(context.table.rec_id, batch.body, multiple_rows)

    bar = current_bar()
    bar.begin(f"{context.operation} {context.table.title}", context.payload.rows)
    sent = send_all(batches, send, workers=options.max_in_flight, bar=bar)
    require_complete(context, wording, sent)
    facts["notes"] = wait_for_late_requests(sent, options.reconcile_wait)
    return receipt(
        context,
        sent=sum(batch.rows for batch in batches),
        confirmed=0,
        batches=len(batches),
        retries=sent.retries,
        status="unverified",
        **facts,
    )


def _batches(payload: Payload, wanted: set[int] | None) -> list[Batch]:
    """Return one request per combination of keys; if keys were looked up, only of those that are in the table.

    All conditions of a request must match, so fewer requests would delete more rows than the frame names.
    """
    ready = payload.table().combine_chunks()
    framing = operations.named_cells(ready.column_names)
    wires = [column.wire for column in payload.planned]
    finds = (find for batch in ready.to_batches() for find in row_codec.encode_each(batch, wires, framing))
    # Conditions are compared by value, not by text: 1 and 1.0 are one condition.
    by_key: dict[int, tuple[bytes, list[int]]] = {}
    for position, (find, key) in enumerate(zip(finds, payload.hashes().tolist(), strict=True)):
        if wanted is None or key in wanted:
            by_key.setdefault(key, (find, []))[1].append(position)
    return [
        Batch(tuple((row, row + 1) for row in positions), find, number)
        for number, (find, positions) in enumerate(by_key.values())
    ]


def _matching(context: WriteContext, similar: SimilarKeys) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the table's rows whose keys are in the payload, each with the hash of its keys."""
    similar.forget()
    payload = context.payload
    keys = set(payload.hashes().tolist())
    matching = []
    with closing(
        read.pages(context.client, context.table.rec_id, repeated_pages=context.options.repeated_pages)
    ) as pages:
        for page in pages:
            similar.add(page)
            hashes = fingerprint.row_hashes(fingerprint.texts_of_page(page, payload.planned)).tolist()
            matching += [(each, row) for each, row in zip(hashes, page, strict=True) if each in keys]
    return matching


def _preview(rows: Sequence[Mapping[str, Any]], declared: Mapping[str, str]) -> Any:
    """Return rows of the table as a frame, as a read returns them."""
    names = [name for name in row_codec.names_in(rows, list(declared)) if declared.get(name) not in ROW_ID_TYPES]
    mixed = {name for name in names if declared.get(name) in ("text", "dropdown")}
    decoded = row_codec.decode(rows, names, mixed_as_text=mixed)
    columns = {
        name: infer.infer_column(column, declared.get(name, "")) for name, column in zip(names, decoded, strict=True)
    }
    return to_pandas.to_frame(columns, len(rows))


@counts_requests
def update_matching(
    session: Session,
    table: object,
    filters: Mapping[str, Any],
    values: Mapping[str, Any],
    multiple_rows: MultipleRows,
    options: Options,
) -> WriteResult:
    """Set values in the rows that match all filters, with one request; see :meth:`Data.update_data`.

    Raises
    ------
    FrameError
        A filter or value cannot be sent, or is of another type than its column. Nothing was changed.
    AmbiguousWriteError
        The reply was lost, and repeating the request was unsafe, or failed, too.
    """
    checked = api.checked_table(table)
    multiple_rows = check_choice("multiple_rows", multiple_rows, get_args(MultipleRows))
    conditions = _conditions(filters, "changes")
    new = _one_row("values", values)
    started = time.perf_counter()
    client = session._client
    found = client.find(checked)
    known = api.known_columns(client.first_page(found))
    conditions, new = _aligned("filters", conditions, found, known), _aligned("values", new, found, known)
    context = _context("update_data", session, found, new, options, started)
    update = Update(((0, 1),), _cells(conditions), 1, values=_cells(new))
    similar = SimilarKeys(conditions, client.service_profile)
    if similar.possible:
        read.read_until_stable(lambda: _matching(replace(context, payload=conditions), similar))
        similar.refuse([0], "change", each_alone=True)
    if client.service_profile.update_key is None:
        tried = UpdateTrial(context, update, [*conditions.planned, *new.planned], multiple_rows).run()
        if tried is None:
            note = "Nothing was sent, because no row that matches has other values."
            return update_receipt(context, 0, 0, inserted=0, updated=0, deleted=0, notes=(note,))
        sent = tried
    else:
        sent = send_updates(context, [update], 1, multiple_rows=multiple_rows)
    require_complete(context, _wording("update", "changed", multiple_rows), sent)
    notes = wait_for_late_requests(sent, options.reconcile_wait)
    return update_receipt(context, 1, sent.retries, inserted=0, deleted=0, notes=notes)


@counts_requests
def delete_matching(
    session: Session,
    table: object,
    filters: Mapping[str, Any],
    multiple_rows: MultipleRows,
    max_rows: SupportsIndex | None,
    options: Options,
) -> WriteResult:
    """Delete the rows that match all filters; see :meth:`Data.delete_data`.

    Raises
    ------
    FrameError
        A filter cannot be sent, or is of another type than its column. Nothing was deleted.
    TooManyRowsError
        More than ``max_rows`` rows match. Nothing was deleted.
    AmbiguousWriteError
        The reply was lost, and repeating the request was unsafe, or failed, too.
    """
    checked = api.checked_table(table)
    multiple_rows = check_choice("multiple_rows", multiple_rows, get_args(MultipleRows))
    limit = None if max_rows is None else check_whole_number("max_rows", max_rows, least=0)
    if limit is not None and multiple_rows == "first":
        raise ValueError("multiple_rows='first' deletes at most one row. Leave max_rows= out.")
    conditions = _conditions(filters, "deletes")
    started = time.perf_counter()
    client = session._client
    found = client.find(checked)
    known = api.known_columns(client.first_page(found))
    context = _context("delete_data", session, found, _aligned("filters", conditions, found, known), options, started)
    wording = _wording("delete", "deleted", multiple_rows)
    result = _delete(context, known, wording, limit, multiple_rows=multiple_rows)
    if options.dry_run and multiple_rows == "first" and result.matched:
        note = "Only one of these rows would be deleted; the service decides which one is the first."
        return result._changed(notes=(*result.notes, note))
    return result


def _conditions(filters: object, does: str) -> Payload:
    """Return the filters as one row, in which every column has a value."""
    payload = _one_row("filters", filters)
    for name, column in zip(payload.table().column_names, payload.table().columns, strict=True):
        if column.null_count:
            raise FrameError(
                f"filters= has no value for column {name!r}, and what a condition without a value {does} is unknown."
                " Leave the column out, or give it a value.",
                column=name,
            )
    return payload


def _one_row(option: str, given: object) -> Payload:
    """Return a dict of columns and values as one row, with the checks of a frame."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{option}= must be a dict of column and value, such as {{'flight': 'UA1545'}}, not {given!r}.")
    if not given:
        raise FrameError(f"{option}= is empty. Name at least one column and its value.")
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"{option}= must be a dict of column and value, but {name!r} is not a column name.")
    source = ingest.as_source(plan.one_row(option, given))
    try:
        plans = plan.plan_columns(source)
    except UnsupportedTypeError as exc:
        raise UnsupportedTypeError(
            f"{option}= gives column {exc.column!r} {exc.value or 'a value'}"
            f" ({type(given[exc.column or '']).__name__}), which has no ClicData type. Convert it first.",
            column=exc.column,
            value=exc.value,
        ) from None
    return Payload.from_plans(source, plans)


def _aligned(option: str, payload: Payload, table: TableRef, known: api.KnownColumns | None) -> Payload:
    """Align values with the table's columns."""
    try:
        return align_subset(payload, table, known)
    except ColumnMismatchError as exc:
        if exc.extra and known is not None:
            names = [column.name for column in known.columns]
            raise ColumnMismatchError(
                f"{option}= names columns that table {table.label} does not have:"
                f" {', '.join(map(repr, exc.extra))}.{did_you_mean(exc.extra[0], names)} Its columns:"
                f" {', '.join(map(repr, names))}.",
                extra=exc.extra,
                differing=exc.differing,
            ) from None
        differing = "; ".join(
            f"{name!r} has the type {table_type}, and the value is {own}" for name, own, table_type in exc.differing
        )
        raise ColumnMismatchError(
            f"{option}= does not fit the columns of table {table.label}: {differing}. Convert the value.",
            differing=exc.differing,
        ) from None


def _cells(payload: Payload) -> bytes:
    framing = operations.named_cells([column.name for column in payload.planned])
    return row_codec.encode(payload.take([(0, 1)]), [column.wire for column in payload.planned], framing)


def _wording(operation: str, done: str, multiple_rows: MultipleRows) -> Wording:
    unknown = (
        f"Unknown: rows that match may or may not be {done}. Repeating the call is harmless, but the first request may"
        " be carried out late, so wait a minute before you send rows that match."
        if multiple_rows == "all"
        else f"Unknown: a row that matches may or may not be {done}. The request was not repeated, because that could"
        " affect another row. Check the table first."
    )
    return Wording(operation, unknown=unknown, unsent=f"Nothing was {done}.")
