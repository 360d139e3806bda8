"""Append rows to a table: fit them to its columns, look at it, send, verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pandas_clicdata._checks import unicode_text
from pandas_clicdata._models import Page, PlannedColumn, WriteResult
from pandas_clicdata.client import api
from pandas_clicdata.errors import ColumnNameError, IncompleteWriteError, ResumeError, VerificationError
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.context import Write
from pandas_clicdata.write.exactly_once import Insertion, count_batches
from pandas_clicdata.write.fingerprint import Sums
from pandas_clicdata.write.journal import Baseline, Identity, Journal, Record, opened
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Content, key_names, refuse_equal_keys, refuse_null_keys, stamp_column
from pandas_clicdata.write.reconcile import look
from pandas_clicdata.write.results import all_sent, dry_receipt, raise_from, receipt_of

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


def entered(obj: object, options: Options) -> tuple[Content, list[str]]:
    """The rows and the key columns, all checked that can be checked without the service."""
    content = Content.enter(obj, options.column_types, index=options.index)
    if content.rows is None:
        for name in ("resume", "journal", "on"):
            if getattr(options, name) is not None:
                raise TypeError(
                    f"{name}= needs rows that can be looked at again: give a DataFrame or an Arrow table, not a stream."
                )
        if options.on_unknown == "check":
            raise TypeError(
                "on_unknown='check' needs rows that can be looked at again: give a DataFrame, not a stream."
            )
    stamp = options.stamp
    if stamp is not None:
        unicode_text("stamp=", stamp)
        alike = [
            column.name for column in content.planned if column.name.strip().casefold() == stamp.strip().casefold()
        ]
        if alike:
            raise ColumnNameError(
                f"stamp= names {stamp!r}, and the frame has a column {alike[0]!r}. The marks need one of their own.",
                column=alike[0],
            )
    if options.on is None:
        return content, []
    keys = key_names(options.on, [column.name for column in content.planned])
    refuse_null_keys(content, keys, "keys are what tells one row from another")
    refuse_equal_keys(content, keys)
    return content, keys


def identity_of(
    operation: str,
    table: int | str,
    session: Session,
    content: Content,
    keys: Sequence[str],
    options: Options,
    if_exists: str = "",
) -> Identity:
    """Which write it is."""
    return Identity(
        operation=operation,
        table=table,
        if_exists=if_exists,
        account=session.account_label,
        rows=content.rows,
        columns=[(column.name, str(column.data_type)) for column in content.planned],
        frame=lambda: content.hash,
        stamp=options.stamp,
        on=keys or None,
    )


@contextmanager
def record_of(identity: Identity, options: Options) -> Iterator[Record]:
    """What is known of this write, from its token, from its journal, or nothing yet."""
    if options.resume is not None:
        token = opened(options.resume)
        identity.check(token, "The resume token")
        record = Record(identity)
        record.go_on_from(token)
        yield record
    elif options.journal is not None and not options.dry_run:
        with Journal(options.journal) as journal:
            record = Record(identity, journal.write)
            events = journal.read()
            if events:
                identity.check(events[0], f"The journal {journal.path}")
                record.replay(events[0], events[1:])
            journal.describe(record.header())
            yield record
    else:
        yield Record(identity)


def append_to(write: Write) -> WriteResult:
    """Add the rows to a table that is there, or go on with that."""
    page = api.first_page(write.session, write.table)
    write = write.fitted(api.known_columns(page))
    record, options = write.record, write.options
    if options.dry_run:
        return dry(write)
    write.note_table()
    sent = record.confirmed or record.unknown or record.resent
    if sent or options.resume is not None:
        refuse_what_was_sent(write)
    if not sent and not record.made:
        # What is there now is what was there before.
        _look_before(write, _rows_of(page))
    return send_rows(write)


def refuse_what_was_sent(write: Write) -> None:
    """Refuse to send rows that somebody has sent since this record was made.

    Raises
    ------
    RowsExistError, ResumeError
        The table has them.
    """
    record, options = write.record, write.options
    known = row_ranges.positions([*record.confirmed, *record.unknown_ranges, *record.resent])
    unsent = sorted(set(range(write.content.rows or 0)) - set(known))
    if not unsent:
        return
    if write.keys:
        write.by_keys().refuse_keys_there(unsent, options.repeated_pages)
    elif options.resume is not None and options.stamp is not None:
        write.by_mark().refuse_unknown_marks(options.repeated_pages)
    elif options.resume is not None:
        write.by_content().refuse_rows_there(unsent, options.repeated_pages)


def _rows_of(first: Page) -> int | None:
    """How many rows a table has, by its first page; None if that does not tell."""
    return len(first.rows) if first.total is None and first.has_more is False else first.total


def _look_before(write: Write, total: int | None) -> None:
    """Note what the table holds before the first row goes, as far as somebody will ask."""
    content, options = write.content, write.options
    count_equal = options.on_unknown == "check" and options.stamp is None and not write.keys
    if write.keys:
        total = write.by_keys().refuse_keys_there(range(content.rows or 0), options.repeated_pages)
    if options.verify or count_equal:
        wanted = content.hashes() if count_equal else None
        # The number of equal rows decides later which rows have arrived; sums are only compared.
        repeated_pages = options.repeated_pages if count_equal else "accept"
        seen = look(
            write.session, write.table.rec_id, content.planned, wanted=wanted, sums=options.verify,
            repeated_pages=repeated_pages,
        )  # fmt: skip
        before = Baseline(seen.rows, seen.sums if options.verify else None, seen.copies if count_equal else None)
    else:
        before = Baseline(total)
    write.record.note("baseline", before=before.as_dict())


def send_rows(write: Write) -> WriteResult:
    """Send what is not in the table yet, compare if that is asked for, and write the receipt."""
    content, record, options = write.content, write.record, write.options
    settler = write.settler()
    if record.resent and settler is None:
        raise ResumeError("Rows of this write were sent again under on_unknown='check'. Go on with it, not without.")
    before = record.baseline.sums if record.baseline is not None else None
    if options.verify and before is None:
        raise ResumeError(
            "verify=True needs to know what the table held before the write, and this one was begun without it. Go on"
            " without verify=."
        )
    insertion = Insertion(
        write.session,
        write.table,
        content,
        record,
        int(options.chunksize),
        int(options.workers),
        options.reconcile_wait,
        settler,
        options.progress,
        f"{record.identity.operation} {write.table.label}",
        Sums() if options.verify else None,
    )
    insertion.run()
    failed = "reading it back failed, so that they are not compared"
    try:
        if options.verify and before is not None:
            new = content.sums() if content.ready is not None else insertion.sums or Sums()
            verify(write, before.plus(new))
        failed = "the journal could not be written to its end"
        record.note("done", verified=options.verify)
    except VerificationError:
        raise
    except BaseException as exc:  # noqa: BLE001 - that they were sent must be told all the same
        raise_from(_all_sent(write, failed, exc), exc)
    return receipt_of(
        record, record.identity.operation, write.table, content.rows, _planned(write), write.started,
        verified=options.verify, notes=(*content.notes, *insertion.notes),
    )  # fmt: skip


def _planned(write: Write) -> list[PlannedColumn]:
    stamp = write.options.stamp
    return write.content.planned if stamp is None else [*write.content.planned, stamp_column(stamp)]


def verify(write: Write, expected: Sums) -> None:
    """Read the table back and compare.

    Raises
    ------
    VerificationError
        It holds other rows, nulls or values.
    """
    table = write.table
    differences = expected.differences(look(write.session, table.rec_id, write.content.planned, sums=True).sums)
    if differences:
        raise VerificationError(
            f"All rows were sent to table {table.label}, but reading it back shows {'; '.join(differences)}. Did"
            " somebody else write to it meanwhile?",
            differences=differences,
            rec_id=table.rec_id,
            name=table.name,
            unknown=row_ranges.merged(write.record.confirmed),
            operation="verify",
        )


def _all_sent(write: Write, failed: str, reason: BaseException) -> IncompleteWriteError:
    """The error of a write that has sent all rows, and failed after that."""
    token = write.record.token()
    again = "Do not send them again."
    if token is not None:
        again += " To go on, make the same call again with resume=error.resume (or its journal)."
    known = write.record.known(row_ranges.count(write.record.confirmed))
    return all_sent(write.table, known, failed, reason, again, token)


def dry(write: Write) -> WriteResult:
    """The receipt of a write that sends nothing."""
    rows = write.content.rows
    count = 0 if rows is None else count_batches(write.session, rows, write.options)
    return dry_receipt(
        write.record.identity.operation, write.table, rows, count, _planned(write), write.started,
        notes=write.content.notes,
    )  # fmt: skip
