"""A frame's columns and those of a table that is there: what goes, what is left out, what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pandas_clicdata import lookup, schema
from pandas_clicdata.checks import near
from pandas_clicdata.errors import ColumnMismatchError
from pandas_clicdata.models import Column, ColumnType, TableRef
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.options import Options

_IF_EXTRA = (
    "No column can be added to a table: rename or drop what it does not have, or leave it out: on_new_columns='ignore'."
)
_IF_KEPT = "on_new_columns='ignore' leaves out no key (on=), nor all that there is to send: rename them."
_LISTED = 20


def fitted(
    content: Content,
    found: TableRef,
    known: lookup.KnownColumns | None,
    options: Options,
    keys: Sequence[str] = (),
    *,
    left_out: Sequence[str] = (),
) -> Content:
    """The rows as a table that is there takes them, in all of its columns.

    Parameters
    ----------
    content : Content
        The rows.
    found : TableRef
        The table.
    known : KnownColumns or None
        Its columns; None where it is empty and does not list them.
    options : Options
        What to do about columns that it does not have.
    keys : sequence of str
        Columns that are never left out.
    left_out : sequence of str
        What was left out when this write began, for where the columns are not listed.

    Raises
    ------
    ColumnMismatchError
        Columns are missing, extra, or of another type.
    """
    if known is None:
        return _unlisted(content, found, options, left_out)
    ours = {column.name for column in content.planned}
    theirs = [column for column in known.columns if column.name in ours or not lookup.is_row_id(column, known.typed)]
    if options.stamp is not None:
        stamp = next((column for column in theirs if column.name == options.stamp), None)
        if stamp is None or (known.typed and stamp.data_type not in (ColumnType.TEXT, ColumnType.DROPDOWN)):
            raise ColumnMismatchError(
                f"stamp= names {options.stamp!r}, and table {found.label} has no text column of that name. A table is"
                " given one when it is made: push(…, stamp=…).",
                missing=[options.stamp] if stamp is None else [],
            )
        theirs.remove(stamp)
    return _fitted(content, found, theirs, options, keys, types_known=known.typed, whole=True)


def fitted_in_part(
    content: Content,
    found: TableRef,
    known: lookup.KnownColumns | None,
    options: Options | None = None,
    keys: Sequence[str] = (),
) -> Content:
    """Values of some of the table's columns, as it takes them.

    Raises
    ------
    ColumnMismatchError
        It lacks one of them, or has it in another type.
    """
    if known is None:
        return _unlisted(content, found, options, ())
    return _fitted(content, found, known.columns, options, keys, types_known=known.typed, whole=False)


def left_out_note(label: str, names: Sequence[str], absent: Iterable[str] = ()) -> str:
    """The sentence of a receipt that names what was left out; ``absent`` is what may have been meant."""
    theirs = list(absent)
    shown = []
    for name in names[:_LISTED]:
        meant = near(name, theirs)
        shown.append(f"{name!r} (did you mean {' or '.join(map(repr, meant))}?)" if meant else repr(name))
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"Left out, for table {label} does not have them: {', '.join(shown)}{more}."


def _unlisted(content: Content, found: TableRef, options: Options | None, left_out: Sequence[str]) -> Content:
    """The rows for an empty table that does not list its columns: the service will refuse a name that it has not."""
    if left_out:
        return content.without(left_out, (left_out_note(found.label, left_out),))
    if options is None or options.on_new_columns == "error":
        return content
    note = f"No column was left out: table {found.label} was empty, and the service did not say which columns it has."
    return content.without((), (note,))


def _fitted(
    content: Content,
    found: TableRef,
    theirs: Sequence[Column],
    options: Options | None,
    keys: Sequence[str],
    *,
    types_known: bool,
    whole: bool,
) -> Content:
    names = {column.name for column in theirs}
    ours = [column.name for column in content.planned]
    left_out: list[str] = []
    if_extra, columns = "", None
    if options is not None:
        columns, if_extra = options.columns, _IF_EXTRA
        if options.on_new_columns == "ignore":
            if_extra = _IF_KEPT
            left_out = [name for name in ours if name not in names and name not in keys]
            kept = set(ours) - set(left_out)
            if not (kept if whole else kept - set(keys)):
                left_out = []
    plans = schema.fit_to_table(
        content.door, theirs, found.label, types_known=types_known, columns=columns, whole=whole, left_out=left_out,
        if_extra=if_extra,
    )  # fmt: skip
    if left_out:
        absent = [column.name for column in theirs if column.name not in ours]
        content = content.without(left_out, (left_out_note(found.label, left_out, absent),))
    if [plan.planned for plan in plans] == content.planned:
        return content
    return replace(Content.planned_as(content.door, plans), left_out=content.left_out, notes=content.notes)
