"""Push a frame to a table by name: create the table, or use the existing one, and send the rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pandas_clicdata._checks import check_text
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    MAX_BATCH_ROWS,
    Column,
    ColumnType,
    OnBadValues,
    RepeatedPages,
    Rows,
    StrPath,
    TableRef,
    WriteResult,
)
from pandas_clicdata._progress import Progress
from pandas_clicdata._request_count import counts_requests
from pandas_clicdata.client import api
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import (
    AmbiguousWriteError,
    ApiError,
    ApiVersionError,
    AuthenticationError,
    ClicDataError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TableExistsError,
    TransportError,
    UnexpectedReplyError,
)
from pandas_clicdata.session import resolve_session
from pandas_clicdata.types import plan
from pandas_clicdata.write import backup as backups
from pandas_clicdata.write.append import append, append_rows, create_cost, dry_insert, insert_rows
from pandas_clicdata.write.context import WriteContext, identity_of
from pandas_clicdata.write.cost import require
from pandas_clicdata.write.journal import Identity, Journal
from pandas_clicdata.write.options import RECONCILE_SECONDS, IfExists, OnNewColumns, OnUnknown, Options
from pandas_clicdata.write.payload import inserted_payload
from pandas_clicdata.write.replace import replace_rows
from pandas_clicdata.write.results import call_text, finished_before, raise_from, reason_text
from pandas_clicdata.write.unfinished import existing_table_advice, forget_deleted, open_write
from pandas_clicdata.write.update import upsert_rows

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_TRIES = 3
_CREATE = "create_data"


@shown_briefly
@parameters_from(append)
@counts_requests
def push(
    obj: Rows,
    name: str,
    *,
    if_exists: IfExists = "fail",
    on: str | Sequence[str] | None = None,
    column_types: Mapping[str, str] | None = None,
    index: bool | None = None,
    on_new_columns: OnNewColumns = "error",
    on_bad_values: OnBadValues = "raise",
    description: str = "",
    dry_run: bool = False,
    chunksize: int = MAX_BATCH_ROWS,
    workers: int | None = None,
    stamp: str | None = None,
    on_unknown: OnUnknown = "raise",
    reconcile_wait: float = RECONCILE_SECONDS,
    resume: Mapping[str, Any] | bool | None = None,
    journal: StrPath | bool | None = None,
    verify: bool = False,
    backup: StrPath | None = None,
    repeated_pages: RepeatedPages = "check",
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Create a table from the columns' types and send the rows, each exactly once.

    Everything that can be refused is refused before the first request: names that collide, and values that cannot be
    sent exactly.

    Parameters
    ----------
    {obj}
    name : str
        The name of the table, which is unique in the account.
    if_exists : {"fail", "append", "replace", "upsert"}, default "fail"
        What to do if the table exists: raise; append the rows; save the table's rows to a file, delete them and send
        these; or update the rows whose keys exist and insert the others. None of these is atomic. "upsert" needs
        ``on``.
    on : str or list of str, optional
        Columns whose values identify a row. They must be unique and complete in the frame. Rows whose reply was lost
        are looked up by them, and sent again only if they are missing. For "upsert", rows with these values are
        updated; otherwise no row of the table may have them.
    {column_types}
    {index}
    {on_new_columns}
    {on_bad_values}
    description : str, default ""
        The description of a new table.
    {dry_run}
    {chunksize}
    {workers}
    {stamp}
    {on_unknown}
    {reconcile_wait}
    {resume}
    {journal}
    {verify}
    backup : path-like, optional
        The file or folder for the rows that "replace" removes. Default: a folder in your data folder.
    {repeated_pages}
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    WriteResult
        The receipt. Its status is ``verified`` with ``verify=True``, ``confirmed`` if the service counted every row,
        and ``unverified`` if it did not.

    Raises
    ------
    TableExistsError
        The table exists, and ``if_exists="fail"``.
    FrameError
        A value or column cannot be sent as it is. Nothing was sent.
    ColumnMismatchError
        The table exists, and its columns differ from the frame's. The message lists both.
    RowsExistError
        Rows with keys of the frame, or the same rows, are in the table already. Nothing was sent.
    UnfinishedWriteError
        A write to the table stopped. The message has the lines to choose from. Nothing was sent.
    IncompleteReadError
        The table could not be read before the first row was sent or deleted. Nothing was changed.
    ResumeError
        The call does not continue the write that stopped, or that write is still running.
    AmbiguousWriteError
        A reply was lost, so the outcome of some rows is unknown. ``confirmed``, ``unknown`` and ``unsent`` are the
        ranges of rows, and ``resume`` is the token to continue.
    PartialWriteError
        The service counted another number of rows than were sent.
    ReplaceIncompleteError
        A replace stopped before it was complete. ``backup`` is the file with the old rows, and :func:`restore` puts
        them back.
    IncompleteWriteError
        The service refused rows; the ranges state which.
    VerificationError
        The table has other rows than it should have.

    See Also
    --------
    append : Append rows to an existing table.
    upsert : Update the rows whose keys exist, and insert the others.
    restore : Put back the rows that a replace removed.

    Notes
    -----
    A replace reads the old rows from the first page to the last and back, saves them, checks that it may delete, and
    deletes them by values that they hold; then it inserts the new rows. Meanwhile, other readers see some of the old
    rows, none, or some of the new ones. The replace stops if it finds rows that another writer added. A row that is
    added between such a check and a delete, and holds the deleted value, is deleted without notice. Rows that were sent
    with ``stamp=`` are deleted by their stamps, which rows of other writers do not have. If a delete was repeated,
    ``reconcile_wait`` seconds pass before the first insert, because the first try may be carried out late.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"seats": [180, 200]}), "Planes from Arrow")
    >>> receipt.sent, receipt.status
    (2, 'confirmed')

    Rows that come piece by piece, with null in place of a value that ClicData cannot hold:

    >>> import pandas as pd
    >>> frames = (pd.DataFrame({"day": [day], "load": [load]}) for day, load in [(1, 0.75), (2, float("inf"))])
    >>> receipt = cd.push(frames, "Loads", on_bad_values="null")
    >>> print(receipt.notes[0])
    Sent as null, because ClicData cannot hold the values: 1 in column 'load' (the first in row 0: inf).
    """
    options = Options(
        if_exists=if_exists,
        on=on,
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        on_bad_values=on_bad_values,
        description=description,
        dry_run=dry_run,
        chunksize=chunksize,
        workers=workers,
        stamp=stamp,
        on_unknown=on_unknown,
        reconcile_wait=reconcile_wait,
        resume=resume,
        journal=journal,
        verify=verify,
        backup=backup,
        repeated_pages=repeated_pages,
        max_requests=max_requests,
        progress=progress,
    )
    table_name = api.checked_name(name)
    check_text("A table's description", description)
    payload, keys = inserted_payload(obj, options, new_table=if_exists == "fail")
    started = time.perf_counter()
    session = resolve_session(session)
    client = session._client
    options = options.for_inserts(client)
    new = WriteContext(
        operation="push",
        session=session,
        table=TableRef(0, table_name),
        payload=payload,
        keys=keys,
        options=options,
        journal=Journal(identity_of("push", table_name, client, payload, keys, options, resumable=True)),
        started=started,
    )
    with open_write(new, lambda: client.find_by_name(table_name)) as context:
        log = context.journal
        if log.done is not None:
            return finished_before(context)
        if if_exists == "replace" and log.backup is None and not log.cleared:
            backups.check_destination(options.backup)
        if log.table is not None:
            return _push_to_existing(context)
        found = None if log.creating else client.find_by_name(table_name)
        forget_deleted(context, found)
        if found is not None and if_exists == "fail":
            advice = existing_table_advice(context, found) or (
                'Pass if_exists="append", "replace" or "upsert" (which needs on=), or choose another name.'
            )
            raise TableExistsError(
                f"There is a table named {table_name!r} already (RecId {found.rec_id}). Nothing was sent. {advice}"
            )
        if found is not None:
            return _push_to_existing(replace(context, table=found))
        payload.check_whole_index()
        context = replace(context, payload=payload.with_name_note())
        cost = create_cost(context)
        if dry_run:
            return dry_insert(context, cost)
        require(context, cost)
        columns = [Column(column.name, str(column.data_type)) for column in payload.planned]
        if options.stamp is not None:
            columns.append(Column(options.stamp, str(ColumnType.TEXT)))
        table = _create(client, table_name, description, columns, log)
        return insert_rows(replace(context, table=table))


def _push_to_existing(context: WriteContext) -> WriteResult:
    """Push to an existing table in the way that ``if_exists`` states."""
    if context.journal.made:
        return append_rows(replace(context, payload=context.payload.with_name_note()))
    write = {"replace": replace_rows, "upsert": upsert_rows}.get(context.options.if_exists, append_rows)
    result = write(context)
    sent = {column.name for column in result.columns}
    unused = [name for name in context.payload.source.optional if name not in sent]
    if not unused:
        return result
    note = f"The index is not sent as {', '.join(map(repr, unused))}: table {context.table.label} has no such column."
    return result._changed(notes=(*result.notes, note))


def create_table(client: Client, name: str, columns: object, description: str = "") -> int:
    """Create a table without rows, and return its RecId; :meth:`Data.create_data` documents the parameters.

    Raises
    ------
    TableExistsError
        There is a table of this name.
    FrameError, TypeError
        A table cannot have these columns. Nothing was requested.
    AmbiguousWriteError
        The reply was lost, and it is unknown whether the table was created.
    """
    table_name = api.checked_name(name)
    check_text("A table's description", description)
    planned = [plan.planned for plan in plan.plan_declared(columns)]
    # Checked first, because a table that exists already would later be mistaken for the one that a lost try created.
    existing = client.find_by_name(table_name)
    if existing is not None:
        raise TableExistsError(
            f"There is a table {existing.label} already. Append to it, or choose another name.", operation="create"
        )
    identity = Identity(
        operation=_CREATE,
        table=table_name,
        account=client.account_label,
        rows=0,
        columns=[(column.name, str(column.data_type)) for column in planned],
        frame=str,
        resumable=False,
    )
    listed = [Column(column.name, str(column.data_type)) for column in planned]
    return _create(client, table_name, description, listed, Journal(identity)).rec_id


def _create(client: Client, name: str, description: str, columns: Sequence[Column], journal: Journal) -> TableRef:
    """Create a table, or use the one that an earlier try created whose reply was lost.

    Table names are unique in an account, so a second try after a lost reply creates no second table.

    Raises
    ------
    TableExistsError
        Another table has this name.
    AmbiguousWriteError
        It is unknown whether the table was created.
    ApiError, TransportError
        The table was not created.
    """
    try:
        return _try_to_create(client, name, description, columns, journal)
    except Exception:
        raise
    except BaseException as exc:  # noqa: BLE001 - after an interrupt, the error with the token is its cause
        raise_from(_possibly_created(name, journal, exc), exc)


def _try_to_create(
    client: Client, name: str, description: str, columns: Sequence[Column], journal: Journal
) -> TableRef:
    possibly_created = journal.creating
    if not possibly_created:
        journal.record("creating")
    for attempt in range(1, _TRIES + 1):
        if possibly_created:
            existing = _find_created(client, name, columns, journal)
            if existing is not None:
                return existing
        try:
            rec_id = client.create_table(name, description, columns)
        except (ApiError, TransportError) as exc:
            if _certainly_not_created(exc):
                if possibly_created:
                    # The first try may have been carried out just now, and taken the name.
                    existing = _find_created(client, name, columns, journal)
                    if existing is not None:
                        return existing
                journal.record("refused")
                refusal = _clear_refusal(client, name, exc)
                if refusal is exc:
                    raise
                raise refusal from exc
            possibly_created = True
            if attempt == _TRIES:
                existing = _find_created(client, name, columns, journal)
                if existing is not None:
                    return existing
                raise _possibly_created(name, journal, exc) from exc
        else:
            return _created(journal, rec_id, name)
    raise AssertionError("the last try returns or raises")


def _created(journal: Journal, rec_id: int, name: str) -> TableRef:
    journal.record("table", rec_id=rec_id, name=name, made=True)
    return TableRef(rec_id, name)


def _certainly_not_created(exc: ApiError | TransportError) -> bool:
    if isinstance(exc, ApiError) and not isinstance(exc, UnexpectedReplyError) and (exc.status or 0) < 400:
        # An error body with a successful status comes from the service itself, not from a gateway.
        return True
    return not exc.ambiguous


def _find_created(client: Client, name: str, columns: Sequence[Column], journal: Journal) -> TableRef | None:
    """Return the table that an earlier try created whose reply was lost; None if there is none.

    Raises
    ------
    TableExistsError
        The table of this name is another one.
    AmbiguousWriteError
        The search failed.
    """
    try:
        found = client.find_by_name(name)
        if found is None:
            return None
        page = client.first_page(found)
    except ClicDataError as exc:
        raise _possibly_created(name, journal, exc) from exc
    known = api.known_columns(page)
    if known is None:
        what = "the service does not list its columns, so it cannot be recognized"
    elif page.rows:
        what = "it has rows"
    else:
        expected = {column.name: column.data_type for column in columns}
        listed = [column for column in known.columns if not api.is_row_id(column, known.typed)]
        if {column.name: column.data_type for column in listed} == expected:
            return _created(journal, found.rec_id, name)
        what = f"it has other columns ({', '.join(repr(column.name) for column in listed) or 'none'})"
    advice = (
        " If it is the table you want, use it as it is."
        if journal.identity.operation == _CREATE
        else " None of the rows was sent. If it is the table you want, push with if_exists='append'."
    )
    raise TableExistsError(
        f"The reply to creating table {name!r} was lost. There is a table {found.label} now, but {what}.{advice}",
        operation="create",
    )


def _clear_refusal(client: Client, name: str, refusal: ApiError | TransportError) -> ClicDataError:
    """Return the refusal of a create, or a clearer error if the name is taken."""
    unrelated = (
        AuthenticationError, PermissionDeniedError, ApiVersionError, RateLimitError, ServerError,
        UnexpectedReplyError, TransportError,
    )  # fmt: skip
    if isinstance(refusal, unrelated):
        return refusal
    existing = client.find_regardless_of_case(name)
    if existing is None:
        return refusal
    return TableExistsError(
        f"There is a table {existing.label} already, and the service treats its name as equal to {name!r}. Append to"
        f" that table, or choose another name. {reason_text(refusal)}",
        operation="create",
    )


def _possibly_created(name: str, journal: Journal, reason: BaseException) -> AmbiguousWriteError:
    rows, token = journal.identity.rows, journal.token()
    if journal.identity.operation == _CREATE:
        advice = "Check whether it exists: cd.tables(). If it does not, create it again."
    else:
        line = call_text(journal.identity, resume=True)
        advice = f"None of the rows was sent. To continue:\n    {line}  # looks for the table first"
    return AmbiguousWriteError(
        f"It is unknown whether table {name!r} was created. {reason_text(reason)} {advice}",
        name=name,
        **journal.states(rows or 0).fields(),
        resume=token,
        operation="create",
        ambiguous=True,
    )
