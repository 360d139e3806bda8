"""Change rows by key; and upsert, which also inserts those that the table does not have."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pandas_clicdata import read
from pandas_clicdata._display import ProgressBar
from pandas_clicdata._models import BATCH_ROWS, MultipleRows, RepeatedPages, Sent, TableRef, WriteResult
from pandas_clicdata.client import api
from pandas_clicdata.errors import FrameError, RowRange, VerificationError
from pandas_clicdata.session import resolved
from pandas_clicdata.types import row_codec
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.exactly_once import Insertion, count_batches
from pandas_clicdata.write.executor import Batch, Delivery, Fate, send_all
from pandas_clicdata.write.journal import Baseline, Identity, Record
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import (
    Content,
    fitted,
    fitted_in_part,
    key_names,
    refuse_equal_keys,
    refuse_null_keys,
)
from pandas_clicdata.write.reconcile import ByKeys, at_rest, look
from pandas_clicdata.write.results import Job, Known, all_sent, dry_receipt, incomplete, let_late_ones_come, raise_from

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_AGAIN = "Make the same call again: it sends only what is not so yet."


def keyed_content(obj: object, operation: str, on: str | Sequence[str], options: Options) -> tuple[Content, list[str]]:
    """Rows in memory whose keys are there and unique.

    Raises
    ------
    FrameError
        A key is missing or twice there.
    TypeError
        They are a stream.
    """
    content = Content.enter(obj, options.column_types, index=options.index)
    if content.rows is None:
        raise TypeError(f"{operation} needs its rows in memory: give a DataFrame or an Arrow table, not a stream.")
    keys = key_names(on, [column.name for column in content.planned])
    refuse_null_keys(content, keys, "no row of the table can be found by it")
    refuse_equal_keys(content, keys)
    return content, keys


def update_payload(
    session: Session | None, obj: object, table: object, *, on: str | Sequence[str], options: Options
) -> WriteResult:
    """Change the table's rows that have the frame's keys."""
    meant = api.checked_table(table)
    content, keys = keyed_content(obj, "update_rows", on, options)
    if len(keys) == len(content.planned):
        raise FrameError("on= names every column of the frame, so that there is nothing to change in the rows found.")
    started = time.perf_counter()
    session = resolved(session)
    found = api.find(session, meant)
    known = api.known_columns(api.first_page(session, found))
    content = fitted_in_part(content, found, known, options, keys)
    everything = [(0, content.rows)] if content.rows else []
    if options.dry_run:
        return dry_receipt(
            "update_rows", found, content.rows, content.rows or 0, content.planned, started, notes=content.notes
        )
    delivery = _update(session, found, content, keys, everything, [], options)
    notes = (*content.notes, *let_late_ones_come(delivery, options.reconcile_wait))
    if options.verify:
        _verify(session, found, content)
    return changes_receipt(
        "update_rows", found, content, content.rows or 0, delivery.retries, started, options, notes=notes
    )


def upsert_payload(
    session: Session | None, obj: object, table: object, *, on: str | Sequence[str], options: Options
) -> WriteResult:
    """Change the rows that have the frame's keys, and insert those whose keys the table does not have."""
    meant = api.checked_table(table)
    content, keys = keyed_content(obj, "upsert", on, options)
    started = time.perf_counter()
    session = resolved(session)
    found = api.find(session, meant)
    return upsert_into(session, content, keys, found, "upsert", options, started)


def upsert_into(
    session: Session,
    content: Content,
    keys: Sequence[str],
    found: TableRef,
    operation: str,
    options: Options,
    started: float,
) -> WriteResult:
    """Upsert into a table that is there."""
    known = api.known_columns(api.first_page(session, found))
    content = fitted(content, found, known, options, keys)
    now = at_rest(lambda: _compare(session, found, content, keys, options.repeated_pages))
    inserts = row_ranges.count(now.absent)
    changes = row_ranges.count(now.differing)
    facts: dict[str, Any] = {"matched": now.matched, "notes": (*content.notes, *now.notes)}
    if options.dry_run:
        batches = changes + count_batches(session, inserts, options)
        return dry_receipt(operation, found, content.rows, batches, content.planned, started, **facts)
    delivery = _update(session, found, content, keys, now.differing, now.same, options)
    record = Record(_identity(operation, found, session, content, keys))
    record.confirmed = row_ranges.merged([*now.same, *now.differing])
    record.table, record.baseline = found, Baseline(now.rows - row_ranges.count(record.confirmed))
    insertion = Insertion(
        session,
        found,
        content,
        record,
        int(options.chunksize),
        int(options.workers),
        options.reconcile_wait,
        ByKeys(session, found.rec_id, keys, content, record),
        options.progress,
        f"{operation} {found.label}",
        hint=_AGAIN,
    )
    insertion.run()
    facts["notes"] += let_late_ones_come(delivery, options.reconcile_wait)
    if options.verify:
        _verify(session, found, content)
    facts["notes"] += insertion.notes
    retries = delivery.retries + record.retries
    return changes_receipt(
        operation,
        found,
        content,
        changes + inserts,
        retries,
        started,
        options,
        batches=changes + record.batches,
        **facts,
    )


@dataclass(frozen=True)
class Change(Batch):
    """One row's update: which rows are meant is the body, and what they are to hold."""

    values: bytes = field(default=b"", repr=False)

    def spent(self) -> Batch:
        return replace(self, body=b"", values=b"")


@dataclass(frozen=True)
class _Comparison:
    """Which of the frame's rows the table lacks, has as they are, and has otherwise; and how many rows it has."""

    absent: list[RowRange]
    same: list[RowRange]
    differing: list[RowRange]
    rows: int
    matched: int
    notes: tuple[str, ...]


def _compare(
    session: Session, found: TableRef, content: Content, keys: Sequence[str], repeated_pages: RepeatedPages
) -> _Comparison:
    by_key = content.hashes(keys).tolist()
    whole = content.hashes().tolist()
    wanted = set(by_key)
    there: dict[int, list[int]] = {}
    total = 0
    key_places = [at for at, column in enumerate(content.planned) if column.name in keys]
    with closing(read.pages(session, found.rec_id, repeated_pages=repeated_pages)) as pages:
        for page in pages:
            total += len(page)
            columns = fingerprint.of_page(page, content.planned)
            key_hashes = fingerprint.row_hashes([columns[at] for at in key_places]).tolist()
            hashes = fingerprint.row_hashes(columns).tolist()
            for key, value in zip(key_hashes, hashes, strict=True):
                if key in wanted:
                    there.setdefault(key, []).append(value)
    absent = [row for row, key in enumerate(by_key) if key not in there]
    same = [row for row, key in enumerate(by_key) if key in there and set(there[key]) == {whole[row]}]
    kept = {*absent, *same}
    twice = sum(len(values) > 1 for values in there.values())
    notes = (
        (f"{twice:,} of the keys have more than one row in the table; all of these are changed alike.",)
        if twice
        else ()
    )
    return _Comparison(
        row_ranges.of_positions(absent),
        row_ranges.of_positions(same),
        row_ranges.of_positions(row for row in range(len(by_key)) if row not in kept),
        total,
        sum(map(len, there.values())),
        notes,
    )


def _update(
    session: Session,
    found: TableRef,
    content: Content,
    keys: Sequence[str],
    ranges: Sequence[RowRange],
    settled: Sequence[RowRange],
    options: Options,
) -> Delivery:
    """Send one update a row.

    Raises
    ------
    IncompleteWriteError
        Not all were carried out; ``settled`` are rows that count as confirmed all the same.
    """

    updates = _updates(session, content, keys, ranges)
    delivery = send_changes(session, found, updates, row_ranges.count(ranges), options)
    if not delivery.complete:
        _raise(delivery, found, content, settled)
    return delivery


def send_changes(
    session: Session,
    found: TableRef,
    changes: Iterable[Change],
    count: int,
    options: Options,
    *,
    multiple_rows: MultipleRows = "all",
) -> Delivery:
    """Send updates, and tell what became of them."""

    def send(batch: Batch) -> Sent:
        assert isinstance(batch, Change)
        # A lost reply is answered by asking again: the same values given twice leave the row as it is.
        return api.update(session, found.rec_id, batch.body, batch.values, multiple_rows)

    bar = ProgressBar(options.progress, f"update {found.label}", count)
    try:
        return send_all(changes, send, workers=int(options.workers), bar=bar)
    finally:
        bar.close()


def _updates(session: Session, content: Content, keys: Sequence[str], ranges: Sequence[RowRange]) -> Iterator[Change]:
    changed = [column for column in content.planned if column.name not in keys]
    by = [column for column in content.planned if column.name in keys]
    number = 0
    for piece in row_ranges.cut(ranges, itertools.repeat(BATCH_ROWS)):
        part = content.take(piece)
        finds, updates = (
            row_codec.encode_each(
                part.select([column.name for column in columns]),
                [column.wire for column in columns],
                api.find_framing(session, [column.name for column in columns]),
            )
            for columns in (by, changed)
        )
        for row, find, update in zip(row_ranges.positions(piece), finds, updates, strict=True):
            number += 1
            yield Change(((row, row + 1),), find, number, values=update)


def _raise(delivery: Delivery, found: TableRef, content: Content, settled: Sequence[RowRange]) -> None:
    job = Job(
        "update",
        found,
        content.rows,
        unknown="Unknown, may or may not be changed: {rows}; changing them again does no harm.",
        unsent="Not changed or inserted: {rows}.",
    )
    confirmed = row_ranges.merged([*settled, *delivery.ranges(Fate.CONFIRMED)])
    known = Known(confirmed, delivery.ranges(Fate.UNKNOWN), content.rows or 0)
    raise_from(incomplete(job, known, delivery.reason, hint=_AGAIN), delivery.reason)


def _verify(session: Session, found: TableRef, content: Content) -> None:
    """Read the table back and look for the frame's rows.

    Raises
    ------
    VerificationError
        It does not have them all.
    IncompleteWriteError
        It could not be read.
    """
    hashes = content.hashes()
    try:
        copies = look(session, found.rec_id, content.planned, wanted=hashes).copies
    except BaseException as exc:  # noqa: BLE001 - that they were sent must be told all the same
        known = Known([(0, len(hashes))] if len(hashes) else [], [], len(hashes))
        failed = "reading it back failed, so that they are not compared"
        raise_from(all_sent(found, known, failed, exc, "The same call made again does no harm."), exc)
    lacking = [row for row, each in enumerate(hashes.tolist()) if each not in copies]
    if lacking:
        ranges = row_ranges.of_positions(lacking)
        text = row_ranges.ranges_text(ranges)
        raise VerificationError(
            f"All rows were sent to table {found.label}, but reading it back shows none like {text} of the frame. Are"
            " their keys in the table, and does somebody else write to it?",
            differences=[f"{len(lacking):,} rows are not in the table"],
            rec_id=found.rec_id,
            name=found.name,
            confirmed=row_ranges.complement(ranges, len(hashes)),
            unknown=ranges,
            operation="verify",
        )


def _identity(operation: str, found: TableRef, session: Session, content: Content, keys: Sequence[str]) -> Identity:
    return Identity(
        operation=operation,
        table=found.rec_id,
        account=session.account_label,
        rows=content.rows,
        columns=[(column.name, str(column.data_type)) for column in content.planned],
        frame=lambda: content.hash,
        on=keys,
        resumable=False,
    )


def changes_receipt(
    operation: str,
    found: TableRef,
    content: Content,
    sent: int,
    retries: int,
    started: float,
    options: Options,
    *,
    batches: int | None = None,
    matched: int | None = None,
    notes: tuple[str, ...] = (),
) -> WriteResult:
    """What changes have come to."""
    return WriteResult(
        operation=operation,
        rec_id=found.rec_id,
        name=found.name,
        rows=content.rows,
        sent=sent,
        confirmed=sent if options.verify else 0,
        rejected=0,
        batches=sent if batches is None else batches,
        retries=retries,
        seconds=time.perf_counter() - started,
        status="verified" if options.verify else "unverified",
        columns=tuple(content.planned),
        matched=matched,
        notes=notes,
    )
