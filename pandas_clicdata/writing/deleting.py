"""Deleting the rows that equal a frame's in some columns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, SupportsIndex

from pandas_clicdata import endpoints, lookup, reading, rows, schema
from pandas_clicdata.checks import whole_number
from pandas_clicdata.display import ProgressBar
from pandas_clicdata.errors import FrameError, TooManyRowsError
from pandas_clicdata.models import ROW_ID_TYPES, MultipleRows, RepeatedPages, Sent, TableRef, WriteResult
from pandas_clicdata.writing import fingerprint
from pandas_clicdata.writing.content import Content, key_names, only, refuse_null_keys
from pandas_clicdata.writing.failure import Job, let_late_ones_come, require_complete
from pandas_clicdata.writing.fitting import fitted_in_part
from pandas_clicdata.writing.looking import at_rest
from pandas_clicdata.writing.options import Options
from pandas_clicdata.writing.receipts import dry_receipt
from pandas_clicdata.writing.sending import Batch, send_all

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


def delete_rows(
    session: Session | None,
    obj: object,
    table: object,
    *,
    on: Sequence[str] | str,
    max_rows: SupportsIndex | None,
    options: Options,
) -> WriteResult:
    """Delete the table's rows that equal the frame's rows in the key columns."""
    meant = lookup.checked_table(table)
    most = None if max_rows is None else whole_number("max_rows", max_rows, least=0)
    door = schema.enter(obj, index=options.index)
    if door.stream is not None:
        raise TypeError("delete_rows needs its rows in memory: give a DataFrame or an Arrow table, not a stream.")
    names = key_names(on, [source.name for source in door.columns])
    if not door.rows:
        raise FrameError("There are no rows in the frame, so nothing says which rows to delete.")
    door = only(door, names)
    content = Content.planned_as(door, schema.plan_columns(door))
    refuse_null_keys(content, names, "what an empty condition deletes is not known")
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = lookup.find(session, meant)
    known = lookup.known_columns(lookup.first_page(session, found))
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
    known: lookup.KnownColumns | None,
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
        return endpoints.delete(session, found.rec_id, batch.body, multiple_rows)

    bar = ProgressBar(options.progress, f"{operation} {found.label}", content.rows)
    try:
        delivery = send_all(batches, send, workers=int(options.workers), bar=bar)
    finally:
        bar.close()
    require_complete(delivery, job)
    facts["notes"] = let_late_ones_come(delivery, options.settle)
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
    framing = endpoints.find_framing(session, ready.column_names)
    wires = [column.wire for column in content.planned]
    finds = (find for batch in ready.to_batches() for find in rows.encode_each(batch, wires, framing))
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
    with closing(reading.pages(session, found.rec_id, repeated_pages=repeated_pages)) as pages:
        for page in pages:
            hashes = fingerprint.row_hashes(fingerprint.of_page(page, content.planned)).tolist()
            matching += [(each, row) for each, row in zip(hashes, page, strict=True) if each in keys]
    return matching


def _frame(found: Sequence[Mapping[str, Any]], declared: Mapping[str, str]) -> Any:
    # As a read gives them: without the service's own row id.
    names = [name for name in rows.names_in(found, list(declared)) if declared.get(name) not in ROW_ID_TYPES]
    mixed = {name for name in names if declared.get(name) in ("text", "dropdown")}
    decoded = rows.decode(found, names, mixed_as_text=mixed)
    columns = {name: schema.settle(column, declared.get(name, "")) for name, column in zip(names, decoded, strict=True)}
    return schema.to_frame(columns, len(found))
