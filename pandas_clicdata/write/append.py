"""Append rows to an existing table: align them with its columns, read the baseline, insert, verify."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    MAX_BATCH_ROWS,
    OnBadValues,
    Page,
    RepeatedPages,
    Rows,
    StrPath,
    TableId,
    TableRef,
    WriteResult,
)
from pandas_clicdata._progress import Progress
from pandas_clicdata._request_count import counts_requests
from pandas_clicdata.client import api
from pandas_clicdata.errors import ResumeError, VerificationError
from pandas_clicdata.session import resolve_session
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.context import WriteContext, identity_of
from pandas_clicdata.write.cost import Cost, estimate, insert_cost, require, scan_cost
from pandas_clicdata.write.exactly_once import ExactlyOnceInsert
from pandas_clicdata.write.fingerprint import Checksums
from pandas_clicdata.write.journal import Baseline, Journal
from pandas_clicdata.write.options import RECONCILE_SECONDS, OnNewColumns, OnUnknown, Options
from pandas_clicdata.write.payload import inserted_payload
from pandas_clicdata.write.reconcile import ByContent, ByKeys, ByStamp, reconciler_for, scan_table
from pandas_clicdata.write.results import (
    dry_receipt,
    failed_after_sending,
    finished_before,
    insert_receipt,
    raise_from,
    resume_hint,
)
from pandas_clicdata.write.unfinished import open_write, refuse_second_copy

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


@shown_briefly
@counts_requests
def append(
    obj: Rows,
    table: TableId,
    *,
    on: str | Sequence[str] | None = None,
    column_types: Mapping[str, str] | None = None,
    index: bool | None = None,
    on_new_columns: OnNewColumns = "error",
    on_bad_values: OnBadValues = "raise",
    dry_run: bool = False,
    chunksize: int = MAX_BATCH_ROWS,
    workers: int | None = None,
    stamp: str | None = None,
    on_unknown: OnUnknown = "raise",
    reconcile_wait: float = RECONCILE_SECONDS,
    resume: Mapping[str, Any] | bool | None = None,
    journal: StrPath | bool | None = None,
    verify: bool = False,
    repeated_pages: RepeatedPages = "check",
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Append rows to an existing table, each exactly once.

    Columns are matched by name, in any order.

    Parameters
    ----------
    obj : DataFrame, list of dict, iterable of DataFrame or object
        The rows: a frame of pandas or polars, a ``pyarrow.Table`` or another object with ``__arrow_c_stream__`` or
        ``__arrow_c_array__``; a list of dicts, of which each may lack columns; or a list of frames. Also rows that come
        piece by piece and may be larger than memory: a generator of frames or dicts, such as
        ``pd.read_csv(…, chunksize=…)``; a reader, data set or scanner of pyarrow; a polars LazyFrame; a cursor of ADBC;
        a data set of Hugging Face. The first piece determines the columns, and each piece is checked just before it is
        sent. ``on``, ``on_unknown="check"``, a resume token and a path as ``journal`` are refused for such rows;
        ``resume=True`` reads them into memory.
    table : int, str or WriteResult
        The RecId of the table, its name, or the receipt of a write to it. Without ``session=``, a receipt also states
        the session.
    on : str or list of str, optional
        Columns whose values identify a row. They must be unique and complete in the frame, and no row of the table may
        have the same values. Rows whose reply was lost are looked up by them, and sent again only if they are missing.
    column_types : dict of str to str, optional
        ClicData types for some or all columns: ``text``, ``number``, ``datetime``, ``date``, ``percentage``,
        ``checkbox``, ``dropdown``. A type that would lose a value is refused.
    index : bool, optional
        Whether to send the index of a DataFrame as columns, which are named as ``reset_index`` names them. True always
        sends it, False never. Default: if it carries data, because it has a name, several levels, or labels other than
        integers. A level that equals a column in name and values is sent once. By default, a table that exists gets
        only the levels that it has a column for, or that ``on`` or ``column_types`` names.
    on_new_columns : {"error", "ignore"}, default "error"
        What to do with columns that the table does not have, because the API cannot add a column: refuse the write, or
        leave the columns out and name them in the receipt's ``notes``. A column in ``on`` is never left out. Columns
        that the frame lacks are refused in either case.
    on_bad_values : {"raise", "null"}, default "raise"
        What to do with values that ClicData cannot hold: infinities, datetimes finer than microseconds, dates and
        datetimes outside of the years 1 to 9999, numbers that are too long, durations and periods that pandas cannot
        read back, and text that is not valid Unicode. Refuse the write; or send null in their place, which the
        receipt's ``notes`` count for each column. Values in a column in ``on`` and in the index are always refused, and
        so are values that do not fit a type in ``column_types``.
    dry_run : bool, default False
        Whether to check everything and change nothing. The receipt states what would be sent.
    chunksize : int, default 500
        Maximum number of rows in a request. More than 500 need the unversioned dialect, or an account that is known to
        take them (see :func:`doctor`). Where replies count rows, consecutive requests differ slightly in size, so that
        a reply to another request shows.
    workers : int, optional
        Maximum number of requests in flight. Default: ``cd.options.workers``, or 1. With more than one,
        the order of the rows in the table is undefined.
    stamp : str, optional
        The name of a text column that the frame does not have. It stores a stamp of the write and the batch. Rows whose
        reply was lost are found by their stamp. Those that are not in the table are sent again with another stamp, and
        rows that arrive late with the old stamp are deleted.
    on_unknown : {"raise", "check"}, default "raise"
        What to do with rows whose reply was lost if neither ``on`` nor ``stamp`` identifies them: raise
        :class:`AmbiguousWriteError`, or search the table for rows of equal content. The search cannot rule out that the
        first try is carried out after ``reconcile_wait``, nor that other writers add or delete equal rows.
    reconcile_wait : float, default 60
        Seconds to wait for requests that may be carried out late: before missing rows are sent again, and before the
        end of a write that has sent rows again.
    resume : bool or dict, optional
        What to do about an earlier write to the table. None refuses rows that are in it already, as far as the journals
        of this user show: after a write that stopped, and after one that was complete in the last 30 days. True
        continues a write of the same rows that stopped, returns the receipt of one that was complete, and otherwise
        starts a new one. False sends all rows, and forgets the writes that stopped. A dict is the token of an error,
        ``error.resume``, which works once.
    journal : bool or path-like, optional
        By default, the write keeps a journal in your state folder until it is complete, and then a record of it for 30
        days. False keeps none, as does the environment variable ``CLICDATA_JOURNAL=0``. A path is a journal that stays,
        and that has each batch on disk before its request; the same call then continues the write, or sends nothing if
        it is complete.
    verify : bool, default False
        Whether to read the table after the write (and before an append) and compare the number of rows, the nulls and
        values of each column, and that the values are in the right rows.
    repeated_pages : {"check", "accept"}, default "check"
        As in :func:`read_clicdata`. It applies to the reads that decide what this write sends or deletes. Reads whose
        result is only compared with known rows accept pages with equal rows.
    max_requests : int, optional
        Maximum number of HTTP requests of this call. If more are known to be needed, nothing is changed, and
        :class:`RequestLimitError` states how many. Otherwise, the call stops before it sends one more, and reports as
        after an interrupt which rows are confirmed, unknown and unsent. Requests that leave the table in a safe state
        are sent anyway; the docs list them. Default: no limit, but :class:`RequestLimitError` if more than 10,000
        requests for one row each are needed.
    progress : bool or callable, optional
        True shows a progress bar, False none. A callable is called with the number of rows so far and the total, or
        None. Default: ``cd.options.progress``; if that is None, a bar in an interactive session, such as a notebook,
        if the call takes more than two seconds.
    session : Session, optional
        The session to use. Default: the one of :func:`connect`.

    Returns
    -------
    WriteResult
        The receipt. Its status is ``verified`` with ``verify=True``, ``confirmed`` if the service counted every row,
        and ``unverified`` if it did not.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    ColumnMismatchError
        The table's columns differ from the frame's. The message lists both.
    FrameError
        A value or column cannot be sent as it is. Nothing was sent.
    RowsExistError
        Rows with keys of the frame, or the same rows, are in the table already. Nothing was sent.
    UnfinishedWriteError
        A write of these rows to the table stopped. The message has the lines to choose from. Nothing was sent.
    IncompleteReadError
        The table could not be read before the first row was sent. Nothing was changed.
    ResumeError
        The call does not continue the write that stopped, or that write is still running.
    AmbiguousWriteError
        A reply was lost, so the outcome of some rows is unknown. ``confirmed``, ``unknown`` and ``unsent`` are the
        ranges of rows, and ``resume`` is the token to continue.
    PartialWriteError
        The service counted another number of rows than were sent.
    IncompleteWriteError
        The service refused rows; the ranges state which.
    VerificationError
        The table has other rows than it should have.

    See Also
    --------
    push : Create a table and send the rows.
    upsert : Update the rows whose keys exist, and insert the others.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"seats": [180]}), "Planes to append to")
    >>> cd.append(pa.table({"seats": [200]}), receipt.rec_id).sent
    1
    """
    options = Options(
        on=on,
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        on_bad_values=on_bad_values,
        dry_run=dry_run,
        chunksize=chunksize,
        workers=workers,
        stamp=stamp,
        on_unknown=on_unknown,
        reconcile_wait=reconcile_wait,
        resume=resume,
        journal=journal,
        verify=verify,
        repeated_pages=repeated_pages,
        max_requests=max_requests,
        progress=progress,
    )
    checked = api.checked_table(table)
    payload, keys = inserted_payload(obj, options)
    started = time.perf_counter()
    session = resolve_session(session, table)
    client = session._client
    options = options.for_inserts(client)
    new = WriteContext(
        operation="append",
        session=session,
        table=TableRef(0, checked if isinstance(checked, str) else None),
        payload=payload,
        keys=keys,
        options=options,
        journal=Journal(identity_of("append", checked, client, payload, keys, options, resumable=True)),
        started=started,
    )
    with open_write(new, lambda: client.find(checked)) as context:
        if context.journal.done is not None:
            return finished_before(context)
        if not context.table.rec_id:
            context = replace(context, table=client.find(checked, remembered=True))
        return append_rows(context)


def append_rows(context: WriteContext) -> WriteResult:
    """Append the rows of a write to an existing table; also resume such a write."""
    table, page = context.client.open_table(context.table)
    context = replace(context, table=table).aligned(api.known_columns(page))
    journal, options = context.journal, context.options
    sent = journal.confirmed or journal.unknown or journal.resent
    cost = _scans_before(context, page) + cost_of_inserts(context, page)
    if options.dry_run:
        return dry_insert(context, cost)
    if not sent:
        refuse_second_copy(context)
    require(context, cost)
    context.record_table()
    if sent or isinstance(options.resume, Mapping):
        refuse_if_sent_elsewhere(context)
    if not sent and not journal.made:
        _record_baseline(context, _row_count(page))
    return insert_rows(context)


def _scans_before(context: WriteContext, page: Page) -> Cost:
    """Return the cost of the baseline of an append."""
    options, journal = context.options, context.journal
    if journal.confirmed or journal.unknown or journal.resent or journal.made:
        return Cost(at_least=True)
    counts = options.verify or (options.on_unknown == "check" and options.stamp is None and not context.keys)
    cost = Cost()
    for scans in (bool(context.keys), counts):
        cost += scan_cost(page) if scans else Cost()
    return cost


def cost_of_inserts(context: WriteContext, page: Page | None) -> Cost:
    """Return the cost of :func:`insert_rows` into a table with this first page, or into a new one."""
    rows = context.payload.rows
    if rows is None:
        return Cost(at_least=True)
    cost = insert_cost(context.client, context.journal.unsent(rows), context.options)
    return cost + scan_cost(page, rows) if context.options.verify else cost


def refuse_if_sent_elsewhere(context: WriteContext) -> None:
    """Refuse to send rows that were sent by someone else since the journal was written.

    Raises
    ------
    RowsExistError, ResumeError
        The table has them.
    """
    journal, options = context.journal, context.options
    sent = row_ranges.positions([*journal.confirmed, *journal.unknown_ranges, *journal.resent])
    unsent = sorted(set(range(context.payload.rows or 0)) - set(sent))
    if not unsent:
        return
    if context.keys:
        ByKeys(context).refuse_existing_keys(unsent)
    elif isinstance(options.resume, Mapping) and options.stamp is not None:
        ByStamp(context).refuse_unknown_stamps()
    elif isinstance(options.resume, Mapping):
        ByContent(context).refuse_existing_rows(unsent)


def _row_count(first: Page) -> int | None:
    """Return the number of rows of a table if its first page shows it, else None."""
    return len(first.rows) if first.total is None and first.has_more is False else first.total


def _record_baseline(context: WriteContext, total: int | None) -> None:
    """Record what the table contains before the first row is sent, as far as it will be needed."""
    payload, options = context.payload, context.options
    count_equal = options.on_unknown == "check" and options.stamp is None and not context.keys
    if context.keys:
        total = ByKeys(context).refuse_existing_keys(range(payload.rows or 0))
    if options.verify or count_equal:
        scan = scan_table(
            context.client,
            context.table.rec_id,
            payload.planned,
            wanted=payload.hashes() if count_equal else None,
            checksums=options.verify,
            # The number of equal rows decides which rows have arrived; checksums are only compared.
            repeated_pages=options.repeated_pages if count_equal else "accept",
        )
        before = Baseline(scan.rows, scan.checksums if options.verify else None, scan.copies if count_equal else None)
    else:
        before = Baseline(total)
    context.journal.record("baseline", before=before.as_dict())


def insert_rows(context: WriteContext) -> WriteResult:
    """Insert the rows that are not in the table yet, verify if asked to, and return the receipt."""
    payload, journal, options = context.payload, context.journal, context.options
    reconciler = reconciler_for(context)
    if journal.resent and reconciler is None:
        raise ResumeError(
            "Rows of this write were sent again under on_unknown='check'. Resume it with on_unknown='check', too."
        )
    before = journal.baseline.sums if journal.baseline is not None else None
    if options.verify and before is None:
        raise ResumeError(
            "verify=True compares the table with its content before the write, but this write began without verify=."
            " Resume it without verify=."
        )
    insert = ExactlyOnceInsert(context, reconciler, checksums=options.verify)
    insert.run()
    failed = "reading the table back failed, so they were not compared"
    try:
        if options.verify and before is not None:
            new = payload.checksums() if payload.ready is not None else insert.stream_checksums or Checksums()
            _verify(context, before.plus(new))
        failed = "the end of the write could not be recorded in the journal"
        journal.record("done", verified=options.verify)
    except VerificationError:
        raise
    except BaseException as exc:  # noqa: BLE001 - whatever happened, the rows were sent
        token = journal.token()
        advice = "Do not send them again."
        if token is not None:
            advice += f" {resume_hint(context)}"
        states = journal.states(row_ranges.count(journal.confirmed))
        raise_from(failed_after_sending(context, states, failed, exc, advice, token), exc)
    return insert_receipt(context, verified=options.verify, notes=(*payload.notes, *insert.notes))


def _verify(context: WriteContext, expected: Checksums) -> None:
    """Read the table back and compare.

    Raises
    ------
    VerificationError
        It has other rows, nulls or values.
    """
    table = context.table
    scan = scan_table(context.client, table.rec_id, context.payload.planned, checksums=True)
    differences = expected.differences(scan.checksums)
    if differences:
        raise VerificationError(
            f"All rows were sent to table {table.label}, but reading it back shows {'; '.join(differences)}. Another"
            " writer may have changed it meanwhile.",
            differences=differences,
            rec_id=table.rec_id,
            name=table.name,
            unknown=row_ranges.merged(context.journal.confirmed),
            operation="verify",
        )


def create_cost(context: WriteContext) -> Cost:
    """Return the cost of creating the table of a push and sending its rows."""
    return Cost(others=1) + cost_of_inserts(context, None)


def dry_insert(context: WriteContext, cost: Cost) -> WriteResult:
    """Return the receipt of a dry run of inserts."""
    counts = {"inserted": context.payload.rows, "updated": 0, "unchanged": 0, "deleted": 0}
    return dry_receipt(context, cost.inserts, estimate(context, cost), notes=context.payload.notes, **counts)
