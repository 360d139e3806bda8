"""Making a table, also where the reply to that is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pandas_clicdata import endpoints, lookup, schema
from pandas_clicdata.checks import unicode_text
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
from pandas_clicdata.models import Column, TableRef
from pandas_clicdata.writing.failure import raise_from
from pandas_clicdata.writing.identity import Identity
from pandas_clicdata.writing.record import Record

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
    table_name = lookup.checked_name(name)
    unicode_text("A table's description", description)
    planned = [plan.planned for plan in schema.plan_declared(columns)]
    session = endpoints.resolved(session)
    # Later, one that was there would be taken for the one that a lost try has made.
    there = lookup.find_by_name(session, table_name)
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
            rec_id = endpoints.create_table(session, name, description, columns)
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
        found = lookup.find_by_name(session, name)
        if found is None:
            return None
        page = lookup.first_page(session, found)
    except ClicDataError as exc:
        raise _perhaps_made(name, record, exc) from exc
    known = lookup.known_columns(page)
    if known is None:
        what = "its columns are not listed, so that nothing shows whose it is"
    elif page.rows:
        what = "it has rows"
    else:
        ours = {column.name: column.data_type for column in columns}
        listed = [column for column in known.columns if not lookup.is_row_id(column, known.typed)]
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
    there = lookup.find_alike(session, name)
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
