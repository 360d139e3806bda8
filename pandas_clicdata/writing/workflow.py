"""What a write does, in order: look at the data, look at the table, plan, send, and give a receipt."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, SupportsIndex

import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata import endpoints, rows, schema, tables
from pandas_clicdata.display import Progress, ProgressBar
from pandas_clicdata.errors import (
    AmbiguousWriteError,
    ApiError,
    ApiVersionError,
    AuthenticationError,
    ClicDataError,
    FrameError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TableExistsError,
    TransportError,
    UnexpectedReplyError,
)
from pandas_clicdata.models import (
    BATCH_ROWS,
    ROW_ID_TYPES,
    Column,
    InsertCounts,
    PlannedColumn,
    TableRef,
    WriteResult,
)
from pandas_clicdata.writing.sending import Batch, Job, Tally, send_all

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

IfExists = Literal["fail", "append"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a write is done."""

    columns: Mapping[str, str] | None = None
    index: bool = False
    dry_run: bool = False
    batch_size: int = BATCH_ROWS
    workers: int = 1
    progress: bool | Progress | None = None

    def __post_init__(self) -> None:
        _whole_number("batch_size", self.batch_size, most=BATCH_ROWS)
        _whole_number("workers", self.workers)
        if self.progress is not None and not isinstance(self.progress, bool) and not callable(self.progress):
            raise TypeError(f"progress= is True, False or a callable, not {self.progress!r}.")


def push(
    session: Session | None, obj: object, name: object, *, if_exists: IfExists, description: str, options: Options
) -> WriteResult:
    """Make a table and send the rows, or append to it if it is there and the user says so."""
    table_name = tables.checked_name(name)
    tables.checked_text("A table's description", description)
    if if_exists not in ("fail", "append"):
        raise ValueError(f"if_exists={if_exists!r} is not known; it is 'fail' or 'append'.")
    door = schema.enter(obj, index=options.index)
    if not options.index:
        schema.warn_of_index(obj)
    plans = schema.plan_columns(door, options.columns)
    # Before the first request, so that what cannot be sent changes nothing.
    ready = None if door.stream is not None else schema.ready_table(door, plans)
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = tables.find_by_name(session, table_name)
    if found is not None and if_exists == "fail":
        raise TableExistsError(
            f"There is a table named {table_name!r} already (RecId {found.rec_id}). Append to it with"
            " if_exists='append', or choose another name."
        )
    if found is not None:
        return _append_to(session, door, found, "push", options, started)
    planned = [plan.planned for plan in plans]
    if options.dry_run:
        return _dry_append("push", TableRef(0, table_name), door, plans, options, started)
    rec_id = _create(session, table_name, description, planned, door.rows)
    return _send_rows(session, TableRef(rec_id, table_name), door, plans, ready, "push", options, started)


def append(session: Session | None, obj: object, table: object, *, options: Options) -> WriteResult:
    """Send rows to a table that is there."""
    meant = tables.checked_table(table)
    door = schema.enter(obj, index=options.index)
    if not options.index:
        schema.warn_of_index(obj)
    plans = schema.plan_columns(door, options.columns)
    if door.stream is None:
        schema.ready_table(door, plans)
    started = time.perf_counter()
    session = endpoints.resolved(session)
    return _append_to(session, door, tables.find(session, meant), "append", options, started)


def delete_rows(
    session: Session | None, obj: object, table: object, *, on: Sequence[str] | str, options: Options
) -> WriteResult:
    """Delete the table's rows that equal the frame's rows in the key columns."""
    meant = tables.checked_table(table)
    door = schema.enter(obj, index=options.index)
    if door.stream is not None:
        raise TypeError("delete_rows needs its rows in memory: give a DataFrame or an Arrow table, not a stream.")
    if not isinstance(on, Iterable):
        raise TypeError(f"on= is a column's name or a list of them, not {on!r}.")
    keys = _key_columns(door, [on] if isinstance(on, str) else list(on))
    if not keys.rows:
        raise FrameError("There are no rows in the frame, so nothing says which rows to delete.")
    plans = schema.plan_columns(keys)
    _refuse_null_keys(keys, schema.ready_table(keys, plans))
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = tables.find(session, meant)
    known = tables.known_columns(tables.first_page(session, found))
    if known is not None:
        theirs = [column for column in known.columns if column.name in {source.name for source in keys.columns}]
        plans = schema.fit_to_table(keys, theirs, found.label, types_known=known.typed)
    ready = schema.ready_table(keys, plans).combine_chunks()
    planned = [plan.planned for plan in plans]
    framing = endpoints.find_framing(session, ready.column_names)
    wires = [column.wire for column in planned]
    positions: dict[bytes, list[int]] = {}
    for position, find in enumerate(
        find for batch in ready.to_batches() for find in rows.encode_each(batch, wires, framing)
    ):
        positions.setdefault(find, []).append(position)
    batches = [Batch(tuple((at, at + 1) for at in rows_of_key), find) for find, rows_of_key in positions.items()]
    if options.dry_run:
        return _dry_receipt("delete_rows", found, keys.rows, len(batches), planned, started)

    def send(batch: Batch) -> tuple[InsertCounts, int]:
        return InsertCounts(), endpoints.delete(session, found.rec_id, batch.body)

    job = Job(
        "delete",
        found,
        keys.rows,
        unknown="Unknown, those like them may or may not be deleted: {rows}; deleting again does no harm.",
        unsent="Those like these are not deleted: {rows}.",
    )
    tally = send_all(
        batches, send, job, workers=options.workers, bar=ProgressBar(options.progress, "delete", keys.rows)
    )
    return _receipt("delete_rows", found, keys.rows, planned, tally, started)


def _append_to(
    session: Session, door: schema.Door, found: TableRef, operation: str, options: Options, started: float
) -> WriteResult:
    known = tables.known_columns(tables.first_page(session, found))
    if known is None:
        # An empty table whose columns the service does not list: it will refuse a name it does not have.
        plans = schema.plan_columns(door, options.columns)
    else:
        ours = {source.name for source in door.columns}
        theirs = [column for column in known.columns if column.name in ours or not _is_row_id(column, known.typed)]
        plans = schema.fit_to_table(door, theirs, found.label, types_known=known.typed, columns=options.columns)
    ready = None if door.stream is not None else schema.ready_table(door, plans)
    if options.dry_run:
        return _dry_append(operation, found, door, plans, options, started)
    return _send_rows(session, found, door, plans, ready, operation, options, started)


def _is_row_id(column: Column, typed: bool) -> bool:
    """Whether the service fills a column itself; where it lists no types, the name says so (P)."""
    return (column.data_type if typed else column.name) in ROW_ID_TYPES


def _send_rows(
    session: Session,
    table: TableRef,
    door: schema.Door,
    plans: Sequence[schema.ColumnPlan],
    ready: pa.Table | None,
    operation: str,
    options: Options,
    started: float,
) -> WriteResult:
    planned = [plan.planned for plan in plans]
    framing = endpoints.row_framing(session, [column.name for column in planned])
    wires = [column.wire for column in planned]

    def batches() -> Iterator[Batch]:
        start = 0
        for part in _parts(door, plans, ready, options.batch_size):
            yield Batch(((start, start + part.num_rows),), rows.encode(part, wires, framing))
            start += part.num_rows

    def send(batch: Batch) -> tuple[InsertCounts, int]:
        return endpoints.insert(session, table.rec_id, batch.body, batch.rows)

    job = Job(
        "insert",
        table,
        door.rows,
        unknown="Unknown, may or may not be in the table: {rows}; do not send these again before looking.",
        unsent="Not in the table: {rows}.",
    )
    bar = ProgressBar(options.progress, f"{operation} {table.label}", door.rows)
    tally = send_all(batches(), send, job, workers=options.workers, bar=bar)
    return _receipt(operation, table, door.rows, planned, tally, started)


def _parts(
    door: schema.Door, plans: Sequence[schema.ColumnPlan], ready: pa.Table | None, size: int
) -> Iterator[pa.RecordBatch]:
    """Cut the rows into batches of one size, whatever pieces they come in."""
    if ready is not None:
        for start in range(0, ready.num_rows, size):
            yield from ready.slice(start, size).combine_chunks().to_batches()
        return
    assert door.stream is not None
    held: pa.Table | None = None
    offset = 0
    for batch in door.stream:
        piece = schema.ready_batch(batch, plans, offset)
        offset += batch.num_rows
        held = piece if held is None else pa.concat_tables([held, piece])
        while held.num_rows >= size:
            yield from held.slice(0, size).combine_chunks().to_batches()
            held = held.slice(size)
    if held is not None and held.num_rows:
        yield from held.combine_chunks().to_batches()


def _create(
    session: Session, name: str, description: str, planned: Sequence[PlannedColumn], frame_rows: int | None
) -> int:
    columns = [Column(column.name, str(column.data_type)) for column in planned]
    try:
        return endpoints.create_table(session, name, description, columns)
    except ApiError as exc:
        if isinstance(exc, AuthenticationError | PermissionDeniedError | ApiVersionError | RateLimitError):
            raise
        if not isinstance(exc, ServerError | UnexpectedReplyError):
            # The service has answered that it did not make the table, so that nothing can come late.
            raise _why_not_made(session, name, exc) from exc
        if not exc.ambiguous:
            raise
        raise _perhaps_made(name, frame_rows, exc) from exc
    except TransportError as exc:
        if not exc.ambiguous:
            raise
        raise _perhaps_made(name, frame_rows, exc) from exc


def _why_not_made(session: Session, name: str, refusal: ApiError) -> ClicDataError:
    """The refusal of a create; one for a name that is taken is put plainly."""
    there = tables.find_alike(session, name)
    if there is None:
        return refusal
    return TableExistsError(
        f"There is a table {there.label} already, and its name is taken for the same as {name!r}. Append to it by its"
        f" own name, or choose another. The service said: {refusal}",
        operation="create",
    )


def _perhaps_made(name: str, frame_rows: int | None, reason: ClicDataError) -> AmbiguousWriteError:
    return AmbiguousWriteError(
        f"Whether table {name!r} was made is unknown; none of the rows was sent. Look whether it is there: if it is,"
        f" push with if_exists='append'; if not, push again. The reason: {reason}",
        name=name,
        unsent=[(0, frame_rows)] if frame_rows else [],
        operation="create",
        ambiguous=True,
    )


def _key_columns(door: schema.Door, names: Sequence[str]) -> schema.Door:
    """Keep the key columns only.

    Raises
    ------
    FrameError
        There are none, or the frame lacks one.
    """
    if not names:
        raise FrameError("on= names no columns, and without a condition nothing is deleted.")
    ours = {source.name: source for source in door.columns}
    for name in names:
        if str(name) not in ours:
            raise FrameError(
                f"on= names {name!r}, which the frame does not have; it has {', '.join(map(repr, ours))}.",
                column=str(name),
            )
    return replace(door, columns=[ours[name] for name in dict.fromkeys(map(str, names))])


def _refuse_null_keys(door: schema.Door, ready: pa.Table) -> None:
    for name, values in zip(ready.column_names, ready.columns, strict=True):
        if values.null_count:
            position = pc.index(values.is_null(), pa.scalar(True)).as_py()
            row = door.label(position)
            raise FrameError(
                f"Column {name!r}, row {row!r}: a key is missing, and what an empty condition deletes is not known."
                " Drop such rows first: df.dropna(subset=[…]).",
                column=name,
                row=row,
            )


def _dry_append(
    operation: str,
    table: TableRef,
    door: schema.Door,
    plans: Sequence[schema.ColumnPlan],
    options: Options,
    started: float,
) -> WriteResult:
    count = 0 if door.rows is None else -(-door.rows // options.batch_size)
    return _dry_receipt(operation, table, door.rows, count, [plan.planned for plan in plans], started)


def _dry_receipt(
    operation: str,
    table: TableRef,
    frame_rows: int | None,
    batches: int,
    planned: Sequence[PlannedColumn],
    started: float,
) -> WriteResult:
    return WriteResult(
        operation=operation,
        rec_id=table.rec_id or None,
        name=table.name,
        rows=frame_rows,
        sent=0,
        confirmed=0,
        rejected=0,
        batches=batches,
        retries=0,
        seconds=time.perf_counter() - started,
        status="dry_run",
        columns=tuple(planned),
    )


def _receipt(
    operation: str,
    table: TableRef,
    frame_rows: int | None,
    planned: Sequence[PlannedColumn],
    tally: Tally,
    started: float,
) -> WriteResult:
    return WriteResult(
        operation=operation,
        rec_id=table.rec_id,
        name=table.name,
        rows=tally.rows if frame_rows is None else frame_rows,
        sent=tally.rows,
        confirmed=tally.counted,
        rejected=0,
        batches=len(tally.outcomes),
        retries=tally.retries,
        seconds=time.perf_counter() - started,
        status="confirmed" if tally.all_counted else "unverified",
        columns=tuple(planned),
    )


def _whole_number(name: str, value: SupportsIndex, most: int | None = None) -> None:
    number = None if isinstance(value, bool) or not isinstance(value, SupportsIndex) else operator.index(value)
    if number is None or number < 1 or (most is not None and number > most):
        bounds = "from 1" if most is None else f"from 1 to {most} (the service takes no more at once)"
        raise ValueError(f"{name}= is a whole number {bounds}, not {value!r}.")
