"""Delete rows by key; and update or delete the rows that match a condition."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, SupportsIndex, get_args

from pandas_clicdata import read
from pandas_clicdata._checks import did_you_mean, one_of, whole_number
from pandas_clicdata._display import ProgressBar
from pandas_clicdata._models import ROW_ID_TYPES, MultipleRows, RepeatedPages, Sent, TableRef, WriteResult
from pandas_clicdata.client import api
from pandas_clicdata.errors import ColumnMismatchError, FrameError, TooManyRowsError, UnsupportedTypeError
from pandas_clicdata.session import resolved
from pandas_clicdata.types import infer, ingest, plan, row_codec, to_pandas
from pandas_clicdata.write import fingerprint
from pandas_clicdata.write.executor import Batch, send_all
from pandas_clicdata.write.options import RECONCILE_SECONDS, Options
from pandas_clicdata.write.payload import Content, fitted_in_part, key_names, only, refuse_null_keys
from pandas_clicdata.write.reconcile import at_rest
from pandas_clicdata.write.results import Job, dry_receipt, let_late_ones_come, require_complete
from pandas_clicdata.write.update import Change, changes_receipt, send_changes

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


def delete_payload(
    session: Session | None,
    obj: object,
    table: object,
    *,
    on: Sequence[str] | str,
    max_rows: SupportsIndex | None,
    options: Options,
) -> WriteResult:
    """Delete the table's rows that equal the frame's rows in the key columns."""
    meant = api.checked_table(table)
    most = None if max_rows is None else whole_number("max_rows", max_rows, least=0)
    door = ingest.enter(obj, index=options.index)
    if door.stream is not None:
        raise TypeError("delete_rows needs its rows in memory: give a DataFrame or an Arrow table, not a stream.")
    names = key_names(on, [source.name for source in door.columns])
    if not door.rows:
        raise FrameError("There are no rows in the frame, so nothing says which rows to delete.")
    door = only(door, names)
    content = Content.planned_as(door, plan.plan_columns(door))
    refuse_null_keys(content, names, "what an empty condition deletes is not known")
    started = time.perf_counter()
    session = resolved(session)
    found = api.find(session, meant)
    known = api.known_columns(api.first_page(session, found))
    content = fitted_in_part(content, found, known)
    job = Job(
        "delete",
        found,
        content.rows,
        unknown="Unknown, those like them may or may not be deleted: {rows}; deleting again does no harm, but one"
        " may come late, so wait a minute before you send rows with these keys.",
        unsent="Those like these are not deleted: {rows}.",
    )
    return delete_content(session, "delete_rows", content, found, known, job, most, options, started)


def delete_content(
    session: Session,
    operation: str,
    content: Content,
    found: TableRef,
    known: api.KnownColumns | None,
    job: Job,
    most: int | None,
    options: Options,
    started: float,
    *,
    multiple_rows: MultipleRows = "all",
) -> WriteResult:
    """Delete the table's rows that equal a row of the content in all its columns.

    Raises
    ------
    TooManyRowsError
        More than ``most`` would go; none was deleted.
    IncompleteWriteError
        Not all is known to be deleted; ``job`` says what that means.
    """
    facts: dict[str, Any] = {}
    wanted: set[int] | None = None
    if options.dry_run or most is not None:
        declared = {} if known is None else {column.name: column.data_type for column in known.columns}
        matching = at_rest(lambda: _matching(session, found, content, options.repeated_pages))
        wanted = {key for key, _ in matching}
        facts["matched"] = len(matching)
        if options.dry_run:
            facts["preview"] = _frame([row for _, row in matching], declared)
        elif most is not None and len(matching) > most:
            raise TooManyRowsError(
                f"{len(matching):,} rows of table {found.label} have these keys, and max_rows={most:,}; none was"
                " deleted. dry_run=True shows them.",
                rows=len(matching),
                max_rows=most,
            )
    batches = _batches(session, content, wanted)
    if options.dry_run:
        return dry_receipt(operation, found, content.rows, len(batches), content.planned, started, **facts)

    def send(batch: Batch) -> Sent:
        # A lost reply is answered by asking again: what the first try deleted, the second no longer finds. But the
        # first may be carried out late, and would take rows with these keys that the user has sent since.
        return api.delete(session, found.rec_id, batch.body, multiple_rows)

    bar = ProgressBar(options.progress, f"{operation} {found.label}", content.rows)
    try:
        delivery = send_all(batches, send, workers=int(options.workers), bar=bar)
    finally:
        bar.close()
    require_complete(delivery, job)
    facts["notes"] = let_late_ones_come(delivery, options.reconcile_wait)
    sent = sum(batch.rows for batch in batches)
    return WriteResult(
        operation=operation,
        rec_id=found.rec_id,
        name=found.name,
        rows=content.rows,
        sent=sent,
        confirmed=0,
        rejected=0,
        batches=len(batches),
        retries=delivery.retries,
        seconds=time.perf_counter() - started,
        status="unverified",
        columns=tuple(content.planned),
        **facts,
    )


def _batches(session: Session, content: Content, wanted: set[int] | None) -> list[Batch]:
    """One request a combination of keys: all conditions of a request must match (S P), so that fewer would delete more
    than was asked for. Of keys that were looked up, those that no row has need none."""
    ready = content.whole().combine_chunks()
    framing = api.find_framing(session, ready.column_names)
    wires = [column.wire for column in content.planned]
    finds = (find for batch in ready.to_batches() for find in row_codec.encode_each(batch, wires, framing))
    # By what the values are, not by how they are written: 1 and 1.0 are one condition.
    at: dict[int, tuple[bytes, list[int]]] = {}
    for position, (find, key) in enumerate(zip(finds, content.hashes().tolist(), strict=True)):
        if wanted is None or key in wanted:
            at.setdefault(key, (find, []))[1].append(position)
    return [
        Batch(tuple((row, row + 1) for row in positions), find, number)
        for number, (find, positions) in enumerate(at.values())
    ]


def _matching(
    session: Session, found: TableRef, content: Content, repeated_pages: RepeatedPages
) -> list[tuple[int, Mapping[str, Any]]]:
    """The table's rows with keys of the frame, each with the hash of its keys."""
    keys = set(content.hashes().tolist())
    matching = []
    with closing(read.pages(session, found.rec_id, repeated_pages=repeated_pages)) as pages:
        for page in pages:
            hashes = fingerprint.row_hashes(fingerprint.of_page(page, content.planned)).tolist()
            matching += [(each, row) for each, row in zip(hashes, page, strict=True) if each in keys]
    return matching


def _frame(found: Sequence[Mapping[str, Any]], declared: Mapping[str, str]) -> Any:
    # As a read gives them: without the service's own row id.
    names = [name for name in row_codec.names_in(found, list(declared)) if declared.get(name) not in ROW_ID_TYPES]
    mixed = {name for name in names if declared.get(name) in ("text", "dropdown")}
    decoded = row_codec.decode(found, names, mixed_as_text=mixed)
    columns = {name: infer.settle(column, declared.get(name, "")) for name, column in zip(names, decoded, strict=True)}
    return to_pandas.to_frame(columns, len(found))


def update_matching(
    session: Session | None,
    table: object,
    filters: Mapping[str, Any],
    values: Mapping[str, Any],
    multiple_rows: MultipleRows = "all",
    *,
    reconcile_wait: float = RECONCILE_SECONDS,
) -> WriteResult:
    """Give these values to the rows that equal the filters in all their columns, or to the first of them.

    One request. Values go as those of a frame's row would, and what cannot be sent exactly is refused before it.

    Raises
    ------
    FrameError
        A filter or value cannot be sent, or is of another type than its column; nothing was changed.
    AmbiguousWriteError
        The reply was lost, and it was not safe to ask again, or of no use.
    """
    meant = api.checked_table(table)
    multiple_rows = one_of("multiple_rows", multiple_rows, get_args(MultipleRows))
    options = Options(reconcile_wait=reconcile_wait)
    conditions = _conditions(filters, "changes")
    new = _one_row("values", values)
    started = time.perf_counter()
    session = resolved(session)
    found = api.find(session, meant)
    known = api.known_columns(api.first_page(session, found))
    conditions, new = _fitted("filters", conditions, found, known), _fitted("values", new, found, known)
    change = Change(((0, 1),), _cells(session, conditions), 1, values=_cells(session, new))
    delivery = send_changes(session, found, [change], 1, options, multiple_rows=multiple_rows)
    require_complete(delivery, _job("update", "changed", found, multiple_rows))
    notes = let_late_ones_come(delivery, options.reconcile_wait)
    return changes_receipt("update_data", found, new, 1, delivery.retries, started, options, notes=notes)


def delete_matching(
    session: Session | None,
    table: object,
    filters: Mapping[str, Any],
    multiple_rows: MultipleRows = "all",
    *,
    dry_run: bool = False,
    max_rows: SupportsIndex | None = None,
    reconcile_wait: float = RECONCILE_SECONDS,
    repeated_pages: RepeatedPages = "check",
) -> WriteResult:
    """Delete the rows that equal the filters in all their columns, or the first of them.

    Raises
    ------
    FrameError
        A filter cannot be sent, or is of another type than its column; nothing was deleted.
    TooManyRowsError
        More than ``max_rows`` match; nothing was deleted.
    AmbiguousWriteError
        The reply was lost, and it was not safe to ask again, or of no use.
    """
    meant = api.checked_table(table)
    multiple_rows = one_of("multiple_rows", multiple_rows, get_args(MultipleRows))
    most = None if max_rows is None else whole_number("max_rows", max_rows, least=0)
    if most is not None and multiple_rows == "first":
        raise ValueError("multiple_rows='first' deletes one row at most, so that max_rows= has nothing to bound.")
    options = Options(dry_run=dry_run, reconcile_wait=reconcile_wait, repeated_pages=repeated_pages)
    conditions = _conditions(filters, "deletes")
    started = time.perf_counter()
    session = resolved(session)
    found = api.find(session, meant)
    known = api.known_columns(api.first_page(session, found))
    conditions = _fitted("filters", conditions, found, known)
    job = _job("delete", "deleted", found, multiple_rows)
    receipt = delete_content(
        session, "delete_data", conditions, found, known, job, most, options, started, multiple_rows=multiple_rows
    )
    if dry_run and multiple_rows == "first" and receipt.matched:
        note = "One of these rows would go; which of them comes first is for the service to say."
        return replace(receipt, notes=(*receipt.notes, note))
    return receipt


def _conditions(filters: object, does: str) -> Content:
    """The filters, each of which must have a value."""
    content = _one_row("filters", filters)
    for name, column in zip(content.whole().column_names, content.whole().columns, strict=True):
        if column.null_count:
            raise FrameError(
                f"filters= gives no value for column {name!r}, and what a condition without one {does} is not known."
                " Leave the column out, or give a value.",
                column=name,
            )
    return content


def _one_row(option: str, given: object) -> Content:
    """A dict of columns and values as one row, checked as a frame's."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{option}= is a dict of column and value, such as {{'flight': 'UA1545'}}, not {given!r}.")
    if not given:
        raise FrameError(f"{option}= is empty; it names at least one column and its value.")
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"{option}= is a dict of column and value, and {name!r} is no column's name.")
    door = ingest.enter(plan.one_row(option, given))
    try:
        plans = plan.plan_columns(door)
    except UnsupportedTypeError as exc:
        raise UnsupportedTypeError(
            f"{option}= gives column {exc.column!r} {exc.value or 'a value'}"
            f" ({type(given[exc.column or '']).__name__}), which has no ClicData type. Convert it first.",
            column=exc.column,
            value=exc.value,
        ) from None
    return Content.planned_as(door, plans)


def _fitted(option: str, content: Content, found: TableRef, known: api.KnownColumns | None) -> Content:
    """The values as the table's columns take them; where an empty one does not list them, the service will say."""
    try:
        return fitted_in_part(content, found, known)
    except ColumnMismatchError as exc:
        if exc.extra and known is not None:
            names = [column.name for column in known.columns]
            raise ColumnMismatchError(
                f"{option}= names columns that table {found.label} does not have. It has no column"
                f" {', '.join(map(repr, exc.extra))}.{did_you_mean(exc.extra[0], names)} It has"
                f" {', '.join(map(repr, names))}.",
                extra=exc.extra,
                differing=exc.differing,
            ) from None
        differing = "; ".join(f"{name!r} is of type {their}, and {own} is given" for name, own, their in exc.differing)
        raise ColumnMismatchError(
            f"{option}= does not go with the columns of table {found.label}: {differing}. Convert the value.",
            differing=exc.differing,
        ) from None


def _cells(session: Session, content: Content) -> bytes:
    framing = api.find_framing(session, [column.name for column in content.planned])
    return row_codec.encode(content.take([(0, 1)]), [column.wire for column in content.planned], framing)


def _job(operation: str, done: str, found: TableRef, multiple_rows: MultipleRows) -> Job:
    unknown = (
        f"Unknown: rows that match may or may not be {done}. The same call again does no harm, but one may come late,"
        " so wait a minute before you send rows that match."
        if multiple_rows == "all"
        else f"Unknown: a row that matches may or may not be {done}. It was not asked for again, for that could take"
        " another row. Look at the table first."
    )
    return Job(operation, found, 1, unknown=unknown, unsent=f"Nothing was {done}.")
