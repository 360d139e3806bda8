"""Push a frame to a table by name: create the table, even if the reply to that is lost, or use the existing one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pandas_clicdata._checks import unicode_text
from pandas_clicdata._models import Column, ColumnType, TableRef, WriteResult
from pandas_clicdata.client import api
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
from pandas_clicdata.session import resolved
from pandas_clicdata.types import plan
from pandas_clicdata.write import backup
from pandas_clicdata.write.append import append_to, dry, entered, identity_of, record_of, send_rows
from pandas_clicdata.write.context import Write
from pandas_clicdata.write.journal import Identity, Record
from pandas_clicdata.write.options import IfExists, Options
from pandas_clicdata.write.replace import replace_rows
from pandas_clicdata.write.results import finished_before, raise_from
from pandas_clicdata.write.update import upsert_into

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_TRIES = 3
_CREATE = "create_data"


def create_table(name: str, columns: object, description: str = "", session: Session | None = None) -> int:
    """Make a table without rows.

    Parameters
    ----------
    name : str
        Its name, which no other table of the account has.
    columns : dict, Series, DataFrame, pyarrow.Table or object
        Its columns: ``{"flight": "text", "delay": "number"}``; or dtypes in the place of ClicData's types, or
        ``df.dtypes``, where ``object`` is text; or a frame or Arrow table, whose values tell more. No row is sent.
    description : str, default ""
        What the table holds.
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    int
        The RecId.

    Raises
    ------
    TableExistsError
        There is a table of this name.
    FrameError, TypeError
        The columns are none that a table can have; nothing was requested.
    AmbiguousWriteError
        The reply was lost, and whether the table was made could not be found out.
    """
    table_name = api.checked_name(name)
    unicode_text("A table's description", description)
    planned = [plan.planned for plan in plan.plan_declared(columns)]
    session = resolved(session)
    # Later, one that was there would be taken for the one that a lost try has made.
    there = api.find_by_name(session, table_name)
    if there is not None:
        raise TableExistsError(
            f"There is a table {there.label} already. Append to it, or choose another name.", operation="create"
        )
    identity = Identity(
        operation=_CREATE,
        table=table_name,
        account=session.account_label,
        rows=0,
        columns=[(column.name, str(column.data_type)) for column in planned],
        frame=str,
        resumable=False,
    )
    listed = [Column(column.name, str(column.data_type)) for column in planned]
    return make_table(session, table_name, description, listed, Record(identity)).rec_id


def make_table(session: Session, name: str, description: str, columns: Sequence[Column], record: Record) -> TableRef:
    """Make a table, or go on with the one that a lost try has made.

    A name is taken once in an account (S), so that a second try after one that was lost makes no second table.

    Raises
    ------
    TableExistsError
        The name is taken by a table that is not the one to be made.
    AmbiguousWriteError
        Whether it was made cannot be found out.
    ApiError, TransportError
        It was not made.
    """
    try:
        return _make(session, name, description, columns, record)
    except Exception:
        raise
    except BaseException as exc:  # noqa: BLE001 - Ctrl-C: the token must be told all the same
        raise_from(_perhaps_made(name, record, exc), exc)


def _make(session: Session, name: str, description: str, columns: Sequence[Column], record: Record) -> TableRef:
    perhaps_made = record.creating
    if not perhaps_made:
        record.note("creating")
    for attempt in range(1, _TRIES + 1):
        if perhaps_made:
            there = _there(session, name, columns, record)
            if there is not None:
                return there
        try:
            rec_id = api.create_table(session, name, description, columns)
        except (ApiError, TransportError) as exc:
            if _provably_not_made(exc):
                if perhaps_made:
                    # The first try may have been carried out just now, and taken the name.
                    there = _there(session, name, columns, record)
                    if there is not None:
                        return there
                record.note("refused")
                plain = _plain(session, name, exc)
                if plain is exc:
                    raise
                raise plain from exc
            perhaps_made = True
            if attempt == _TRIES:
                there = _there(session, name, columns, record)
                if there is not None:
                    return there
                raise _perhaps_made(name, record, exc) from exc
        else:
            return _made(record, rec_id, name)
    raise AssertionError("the last try returns or raises")


def _made(record: Record, rec_id: int, name: str) -> TableRef:
    record.note("table", rec_id=rec_id, name=name, made=True)
    return TableRef(rec_id, name)


def _provably_not_made(exc: ApiError | TransportError) -> bool:
    if isinstance(exc, ApiError) and not isinstance(exc, UnexpectedReplyError) and (exc.status or 0) < 400:
        # An error in a reply of success is the service's own word that it did not create the table.
        return True
    return not exc.ambiguous


def _there(session: Session, name: str, columns: Sequence[Column], record: Record) -> TableRef | None:
    """The table that a lost try has made; None if there is none yet.

    Raises
    ------
    TableExistsError
        There is one of this name, and it is another.
    AmbiguousWriteError
        Looking failed.
    """
    try:
        found = api.find_by_name(session, name)
        if found is None:
            return None
        page = api.first_page(session, found)
    except ClicDataError as exc:
        raise _perhaps_made(name, record, exc) from exc
    known = api.known_columns(page)
    if known is None:
        what = "its columns are not listed, so that nothing shows whose it is"
    elif page.rows:
        what = "it has rows"
    else:
        ours = {column.name: column.data_type for column in columns}
        listed = [column for column in known.columns if not api.is_row_id(column, known.typed)]
        if {column.name: column.data_type for column in listed} == ours:
            return _made(record, found.rec_id, name)
        what = f"it has other columns ({', '.join(repr(column.name) for column in listed) or 'none'})"
    then = (
        ". If it is the one you want, use it as it is."
        if record.identity.operation == _CREATE
        else "; none of the rows was sent. If it is the one you want, push with if_exists='append'."
    )
    raise TableExistsError(
        f"The reply to making table {name!r} was lost. There is a table {found.label} now, but {what}{then}",
        operation="create",
    )


def _plain(session: Session, name: str, refusal: ApiError | TransportError) -> ClicDataError:
    """The refusal of a create; one for a name that is taken is put plainly."""
    not_about_names = (
        AuthenticationError, PermissionDeniedError, ApiVersionError, RateLimitError, ServerError,
        UnexpectedReplyError, TransportError,
    )  # fmt: skip
    if isinstance(refusal, not_about_names):
        return refusal
    there = api.find_alike(session, name)
    if there is None:
        return refusal
    return TableExistsError(
        f"There is a table {there.label} already, and its name is taken for the same as {name!r}. Append to it by its"
        f" own name, or choose another. The service said: {refusal}",
        operation="create",
    )


def _perhaps_made(name: str, record: Record, reason: BaseException) -> AmbiguousWriteError:
    rows, token = record.identity.rows, record.token()
    if record.identity.operation == _CREATE:
        then = ". Look whether it is there; if it is not, make it again."
    elif token is None:
        then = (
            "; none of the rows was sent. Look whether it is there: if it is, push with if_exists='append'; if not,"
            " push again."
        )
    else:
        then = (
            "; none of the rows was sent. The same call made again with resume=error.resume (or with its journal)"
            " looks for it and goes on."
        )
    return AmbiguousWriteError(
        f"Whether table {name!r} was made is unknown{then} The reason: {str(reason) or type(reason).__name__}",
        name=name,
        **record.known(rows or 0).fields(),
        resume=token,
        operation="create",
        ambiguous=True,
    )


def push_payload(
    session: Session | None, obj: object, name: object, *, if_exists: IfExists, description: str, options: Options
) -> WriteResult:
    """Make a table and send the rows, or do what the user says if it is there."""
    table_name = api.checked_name(name)
    unicode_text("A table's description", description)
    _check_if_exists(if_exists, options)
    content, keys = entered(obj, options)
    started = time.perf_counter()
    session = resolved(session)
    identity = identity_of("push", table_name, session, content, keys, options, if_exists)
    with record_of(identity, options) as record:
        if record.done is not None:
            return finished_before(record, content.planned, options.journal, started, verify=options.verify)
        if if_exists == "replace" and record.backup is None and not record.cleared:
            backup.check_place(options.backup)
        table = record.table if record.table is not None else TableRef(0, table_name)
        write = Write(session, content, table, record, keys, options, started)
        if record.table is not None:
            return _into(write)
        found = None if record.creating else api.find_by_name(session, table_name)
        if found is not None and if_exists == "fail":
            raise TableExistsError(
                f"There is a table named {table_name!r} already (RecId {found.rec_id}). Append to it with"
                " if_exists='append', or choose another name."
            )
        if found is not None:
            return _into(replace(write, table=found))
        if options.dry_run:
            return dry(write)
        columns = [Column(column.name, str(column.data_type)) for column in content.planned]
        if options.stamp is not None:
            columns.append(Column(options.stamp, str(ColumnType.TEXT)))
        table = make_table(session, table_name, description, columns, record)
        return send_rows(replace(write, table=table))


def _check_if_exists(if_exists: IfExists, options: Options) -> None:
    if if_exists not in ("fail", "append", "replace", "upsert"):
        raise ValueError(f"if_exists={if_exists!r} is not known; it is 'fail', 'append', 'replace' or 'upsert'.")
    if if_exists == "upsert":
        if options.on is None:
            raise ValueError("if_exists='upsert' needs on=, the columns whose values tell one row from another.")
        for name in ("stamp", "resume", "journal"):
            if getattr(options, name) is not None:
                raise ValueError(f"An upsert takes no {name}=: its keys tell what is there, and it can be made again.")
    if options.backup is not None and if_exists != "replace":
        raise ValueError("backup= is where if_exists='replace' saves the old rows; nothing else takes rows away.")


def _into(write: Write) -> WriteResult:
    """Push to a table that is there, in the way the user has said."""
    match write.record.identity.if_exists:
        case "replace" if not write.record.made:
            return replace_rows(write)
        case "upsert" if not write.record.made:
            return upsert_into(
                write.session, write.content, write.keys, write.table, "push", write.options, write.started
            )
    return append_to(write)


def append_payload(session: Session | None, obj: object, table: object, *, options: Options) -> WriteResult:
    """Send rows to a table that is there."""
    meant = api.checked_table(table)
    content, keys = entered(obj, options)
    started = time.perf_counter()
    session = resolved(session)
    identity = identity_of("append", meant, session, content, keys, options)
    with record_of(identity, options) as record:
        if record.done is not None:
            return finished_before(record, content.planned, options.journal, started, verify=options.verify)
        found = record.table if record.table is not None else api.find(session, meant)
        return append_to(Write(session, content, found, record, keys, options, started))
