"""Changing and deleting the rows that match a condition: a dict of columns and the values that they must have."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, SupportsIndex, get_args

from pandas_clicdata import endpoints, lookup, rows, schema
from pandas_clicdata.checks import did_you_mean, one_of, whole_number
from pandas_clicdata.errors import ColumnMismatchError, FrameError, UnsupportedTypeError
from pandas_clicdata.models import MultipleRows, RepeatedPages, TableRef, WriteResult
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.deleting import delete_content
from pandas_clicdata.writing.failure import Job, let_late_ones_come, require_complete
from pandas_clicdata.writing.fitting import fitted_in_part
from pandas_clicdata.writing.options import SETTLE_SECONDS, Options
from pandas_clicdata.writing.updating import Change, changes_receipt, send_changes

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


def update_matching(
    session: Session | None,
    table: object,
    filters: Mapping[str, Any],
    values: Mapping[str, Any],
    multiple_rows: MultipleRows = "all",
    *,
    settle: float = SETTLE_SECONDS,
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
    meant = lookup.checked_table(table)
    multiple_rows = one_of("multiple_rows", multiple_rows, get_args(MultipleRows))
    options = Options(settle=settle)
    conditions = _conditions(filters, "changes")
    new = _one_row("values", values)
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = lookup.find(session, meant)
    known = lookup.known_columns(lookup.first_page(session, found))
    conditions, new = _fitted("filters", conditions, found, known), _fitted("values", new, found, known)
    change = Change(((0, 1),), _cells(session, conditions), 1, values=_cells(session, new))
    delivery = send_changes(session, found, [change], 1, options, multiple_rows=multiple_rows)
    require_complete(delivery, _job("update", "changed", found, multiple_rows))
    notes = let_late_ones_come(delivery, options.settle)
    return changes_receipt("update_data", found, new, 1, delivery.retries, started, options, notes=notes)


def delete_matching(
    session: Session | None,
    table: object,
    filters: Mapping[str, Any],
    multiple_rows: MultipleRows = "all",
    *,
    dry_run: bool = False,
    max_rows: SupportsIndex | None = None,
    settle: float = SETTLE_SECONDS,
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
    meant = lookup.checked_table(table)
    multiple_rows = one_of("multiple_rows", multiple_rows, get_args(MultipleRows))
    most = None if max_rows is None else whole_number("max_rows", max_rows, least=0)
    if most is not None and multiple_rows == "first":
        raise ValueError("multiple_rows='first' deletes one row at most, so that max_rows= has nothing to bound.")
    options = Options(dry_run=dry_run, settle=settle, repeated_pages=repeated_pages)
    conditions = _conditions(filters, "deletes")
    started = time.perf_counter()
    session = endpoints.resolved(session)
    found = lookup.find(session, meant)
    known = lookup.known_columns(lookup.first_page(session, found))
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
    door = schema.enter(schema.one_row(option, given))
    try:
        plans = schema.plan_columns(door)
    except UnsupportedTypeError as exc:
        raise UnsupportedTypeError(
            f"{option}= gives column {exc.column!r} {exc.value or 'a value'}"
            f" ({type(given[exc.column or '']).__name__}), which has no ClicData type. Convert it first.",
            column=exc.column,
            value=exc.value,
        ) from None
    return Content.planned_as(door, plans)


def _fitted(option: str, content: Content, found: TableRef, known: lookup.KnownColumns | None) -> Content:
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
    framing = endpoints.find_framing(session, [column.name for column in content.planned])
    return rows.encode(content.take([(0, 1)]), [column.wire for column in content.planned], framing)


def _job(operation: str, done: str, found: TableRef, multiple_rows: MultipleRows) -> Job:
    unknown = (
        f"Unknown: rows that match may or may not be {done}. The same call again does no harm, but one may come late,"
        " so wait a minute before you send rows that match."
        if multiple_rows == "all"
        else f"Unknown: a row that matches may or may not be {done}. It was not asked for again, for that could take"
        " another row. Look at the table first."
    )
    return Job(operation, found, 1, unknown=unknown, unsent=f"Nothing was {done}.")
