"""Plan a write: decide the ClicData type and the encoder of each column before the first request."""

from __future__ import annotations

import copy
import functools
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._checks import did_you_mean, near, shown_beside
from pandas_clicdata._display import ColumnListing, counted
from pandas_clicdata._models import Column, ColumnType, Encoding, PlannedColumn, WireFormat
from pandas_clicdata.errors import (
    CellValueError,
    ColumnMismatchError,
    ColumnNameError,
    FrameError,
    UnsupportedTypeError,
)
from pandas_clicdata.types import encode, row_codec
from pandas_clicdata.types.encode import Location, Nulled, RowLabels
from pandas_clicdata.types.infer import is_text
from pandas_clicdata.types.ingest import Source, SourceColumn, as_source, has_values, raise_faults, values_of
from pandas_clicdata.types.json_text import json_text
from pandas_clicdata.types.recast import declared_dtype
from pandas_clicdata.types.rules import COMPATIBLE_TYPES, LITERAL_RULE, Encoder, rule_for

_MAX_LINES = 20
_WIDEST = 60
_ABSENT = "-"
_HEADER = ("column", "frame", "table", "note")


@dataclass(frozen=True)
class Difference:
    """The differences between the columns of a frame and of a table.

    Attributes
    ----------
    ours : sequence of PlannedColumn
        Columns of the frame.
    theirs : sequence of Column
        Columns of the table. An empty type is unknown.
    differing : sequence of str
        Columns of both whose types are not compatible.
    whole : bool
        Whether the frame must have every column of the table.
    left_out : sequence of str
        Columns of the frame that the table need not have.
    """

    ours: Sequence[PlannedColumn]
    theirs: Sequence[Column]
    differing: Sequence[str] = ()
    whole: bool = True
    left_out: Sequence[str] = ()

    @functools.cached_property
    def absent(self) -> list[str]:
        """Columns that only the table has."""
        ours = {column.name for column in self.ours}
        return [column.name for column in self.theirs if column.name not in ours]

    @property
    def missing(self) -> list[str]:
        """Columns that the frame needs and does not have."""
        return self.absent if self.whole else []

    @functools.cached_property
    def extra(self) -> list[str]:
        """Columns that only the frame has."""
        theirs = {column.name for column in self.theirs}
        return [column.name for column in self.ours if column.name not in theirs]

    @property
    def fits(self) -> bool:
        """Whether the columns of the frame and the table agree."""
        return not (self.missing or self.differing or set(self.extra) - set(self.left_out))


def mismatch(difference: Difference, table: str, if_extra: str, if_missing: str = "") -> ColumnMismatchError:
    """Return the error that prints the difference.

    Parameters
    ----------
    difference : Difference
        The columns of the frame and of the table.
    table : str
        Label of the table.
    if_extra : str
        What to do about columns that only the frame has; empty for the default advice.
    if_missing : str
        What to do about columns that only the table has; empty for the default advice.

    Returns
    -------
    ColumnMismatchError
        The error, with a line for each column that differs.
    """
    frame = {column.name: column for column in difference.ours}
    types = {column.name: column.data_type for column in difference.theirs}
    missing, extra, differing = difference.missing, difference.extra, list(difference.differing)
    kinds = [("missing", missing), ("not in the table", extra), ("of another type", differing)]
    shares = _lines_per_kind([len(names) for _, names in kinds])
    lines = [
        (name, _frame_cell(frame.get(name)), _table_cell(types.get(name)), _note(difference, name))
        for (_, names), share in zip(kinds, shares, strict=True)
        for name in names[:share]
    ]
    more = [
        f"{len(names) - share:,} more {kind}"
        for (kind, names), share in zip(kinds, shares, strict=True)
        if len(names) > share
    ]
    rest = f"\n… and {', '.join(more)}: error.missing, error.extra and error.differing list all." if more else ""
    text = [f"The columns of the frame do not match those of table {table}; columns are matched by name."]
    if missing:
        column = _shown_name(missing[0])
        text.append(
            if_missing
            or f"Missing columns are not filled in: rename a column, or add an empty one: df[{column}] = None."
        )
    if set(extra) - set(difference.left_out):
        text.append(if_extra or "Rename or drop columns that the table does not have.")
        if not difference.whole:
            text.append(f"The table has {_listed([column.name for column in difference.theirs])}.")
    if differing:
        column = _shown_name(differing[0])
        text.append(
            f"Convert the columns of another type, or request the type of the table:"
            f" column_types={{{column}: {types[differing[0]]!r}}}."
        )
    return ColumnMismatchError(
        "\n".join([*text, "", _aligned(lines)]) + rest,
        missing=missing,
        extra=extra,
        differing=[(name, str(frame[name].data_type), types[name]) for name in differing],
    )


def _lines_per_kind(counts: Sequence[int]) -> list[int]:
    """Return how many columns of each kind to print: all if they are few, else about the same number of each."""
    shares = [0] * len(counts)
    while sum(shares) < min(_MAX_LINES, sum(counts)):
        for at, count in enumerate(counts):
            if shares[at] < count and sum(shares) < _MAX_LINES:
                shares[at] += 1
    return shares


def _frame_cell(column: PlannedColumn | None) -> str:
    return _ABSENT if column is None else f"{column.data_type} ({column.dtype})"


def _table_cell(data_type: str | None) -> str:
    return _ABSENT if data_type is None else data_type or "type unknown"


def _note(difference: Difference, name: str) -> str:
    if name in difference.differing:
        return "of another type"
    if name in difference.missing:
        suggested, note = near(name, difference.extra), "missing in the frame"
        return f"{note}: is it {_joined(name, suggested)}?" if suggested else note
    suggested, note = near(name, difference.absent), "not in the table"
    return f"{note}: did you mean {_joined(name, suggested)}?" if suggested else note


def _joined(name: str, suggested: Sequence[str]) -> str:
    return " or ".join(
        _shown_name(each) if shown_beside(name, each) == repr(each) else shown_beside(name, each) for each in suggested
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_shown_name, names[:_MAX_LINES]))
    return shown if len(names) <= _MAX_LINES else f"{shown} and {len(names) - _MAX_LINES:,} more"


def _shown_name(name: str) -> str:
    """Return a name in quotes on one line; a very long name without its middle."""
    text = repr(name)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 16]}…{text[-15:]}"


def _aligned(lines: Sequence[tuple[str, str, str, str]]) -> str:
    table = [_HEADER, *((_shown_name(name), *(_cut(cell) for cell in cells), note) for name, *cells, note in lines)]
    widths = [max(_width(line[at]) for line in table) for at in range(len(_HEADER))]
    padded = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    return "\n".join(padded)


def _cut(cell: str) -> str:
    cell = " ".join(cell.split())
    return cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 1]}…"


def _width(text: str) -> int:
    """Return the width of a text in a terminal: wide characters of East Asia count 2, combining characters 0."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


Overrides = Mapping[str, ColumnType]


@dataclass(frozen=True)
class ColumnPlan:
    """The plan for one column.

    Attributes
    ----------
    planned : PlannedColumn
        Name, dtype, ClicData type and JSON encoding, which the receipt shows.
    column : SourceColumn
        The column to send.
    encoder : Encoder
        How to convert and write its values.
    """

    planned: PlannedColumn
    column: SourceColumn
    encoder: Encoder

    @property
    def in_parts(self) -> bool:
        """Whether the values are converted when they are sent. Their conversion to text never fails."""
        return self.column.part is not None and self.encoder.prepare is encode.text

    def prepare(
        self, values: pa.ChunkedArray, label: RowLabels, nulled: dict[str, Nulled] | None = None
    ) -> pa.ChunkedArray:
        """Check and convert values of this column.

        Parameters
        ----------
        values : pyarrow.ChunkedArray
            The values.
        label : RowLabels
            The labels of the rows, for errors.
        nulled : dict of str to Nulled, optional
            Gets the values that are sent as null.

        Returns
        -------
        pyarrow.ChunkedArray
            The values in the Arrow type that the encoding needs.

        Raises
        ------
        CellValueError
            A value cannot be sent without loss.
        """
        name = self.planned.name
        location = Location(name, label, self.column.on_bad_values)
        prepared = self.encoder.prepare(values, location)
        if nulled is not None:
            for each in (self.column.nulled, *location.nulled):
                if each is not None:
                    nulled[name] = nulled[name].plus(each) if name in nulled else each
        return prepared


def checked_overrides(columns: Mapping[str, str] | None, names: Sequence[str]) -> Overrides:
    """Check ``column_types=``.

    Raises
    ------
    ColumnNameError
        It names a column that does not exist.
    FrameError
        It names an unknown ClicData type.
    TypeError
        It is not a mapping.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise TypeError(
            f"column_types= takes a dict of column to ClicData type, such as {{'x': 'text'}}, not {columns!r}."
        )
    overrides = {}
    for name, wanted in (columns or {}).items():
        if str(name) not in names:
            raise ColumnNameError(
                f"column_types= names {name!r}, which is not a column.{did_you_mean(str(name), names)} Columns:"
                f" {', '.join(map(repr, names))}.",
                column=str(name),
            )
        if wanted not in list(ColumnType):
            raise FrameError(
                f"Unknown type {wanted!r} for column {name!r} in column_types=. Valid types: {', '.join(ColumnType)}.",
                column=str(name),
            )
        overrides[str(name)] = ColumnType(wanted)
    return overrides


def plan_columns(source: Source, columns: Mapping[str, str] | None = None) -> list[ColumnPlan]:
    """Decide the ClicData type and the encoder of each column.

    Parameters
    ----------
    source : Source
        The data to send.
    columns : mapping of str to str, optional
        ClicData types by column, as in ``column_types=``.

    Returns
    -------
    list of ColumnPlan
        One plan for each column.

    Raises
    ------
    FrameError
        Columns cannot be sent. The message describes each.
    """
    overrides = checked_overrides(columns, [column.name for column in source.columns])
    plans: list[ColumnPlan] = []
    faults: list[FrameError] = []
    for column in source.columns:
        try:
            plans.append(plan_column(column, overrides.get(column.name), source.label))
        except FrameError as exc:
            faults.append(_with_advice(exc, column.name, source))
    if faults and source.stream is None:
        # Values that cannot be sent are in the same error.
        faults += _prepared(source, plans)[1]
    raise_faults(faults)
    return plans


def plan_column(column: SourceColumn, wanted: ColumnType | None, label: RowLabels) -> ColumnPlan:
    """Decide the ClicData type and the encoder of one column.

    Parameters
    ----------
    column : SourceColumn
        The column to send.
    wanted : ColumnType or None
        The requested type; None for the default.
    label : RowLabels
        The labels of the rows, for errors.

    Returns
    -------
    ColumnPlan
        The plan.

    Raises
    ------
    UnsupportedTypeError
        The column has no ClicData type, or cannot have the requested type.
    CellValueError
        A value cannot be sent.
    """
    rule = LITERAL_RULE if column.numerals else rule_for(column.arrow_type)
    name, dtype = column.name, str(column.dtype)
    if column.fault is not None or rule is None:
        if wanted is ColumnType.TEXT and not isinstance(column.fault, CellValueError | ColumnNameError):
            encoder = _json_text_encoder(column)
            planned = PlannedColumn(name, dtype, wanted, encoder.wire, "each value as JSON text")
            return ColumnPlan(planned, column, encoder)
        raise column.fault or _no_type_error(column, label)
    data_type = wanted or rule.default
    if data_type not in rule.encoders:
        possible = sorted(rule.encoders)
        raise UnsupportedTypeError(
            f"Column {name!r} ({dtype}) cannot be sent as {data_type}. Valid types: {', '.join(possible)}. Convert the"
            f" column first, or name one of these: column_types={{{name!r}: {str(rule.default)!r}}}.",
            column=name,
        )
    encoder = rule.encoders[data_type]
    note = column.note or rule.note(column.arrow_type)
    return ColumnPlan(PlannedColumn(name, dtype, data_type, encoder.wire, note), column, encoder)


_JSON_TYPES = {ColumnType.NUMBER: "number", ColumnType.PERCENTAGE: "number", ColumnType.CHECKBOX: "checkbox"}


def fit_to_table(
    source: Source,
    table_columns: Sequence[Column],
    table_label: str,
    *,
    types_known: bool,
    json_types: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    whole: bool = True,
    left_out: Sequence[str] = (),
    if_extra: str = "",
    if_missing: str = "",
) -> list[ColumnPlan]:
    """Plan columns for an existing table: match them by name, and choose types that its columns accept.

    Parameters
    ----------
    source : Source
        The data to send.
    table_columns : sequence of Column
        Columns of the table.
    table_label : str
        Label of the table, for errors.
    types_known : bool
        Whether ``table_columns`` have their types.
    json_types : mapping of str to str, optional
        Where they do not: the JSON type of the values that a column has, as far as it is known.
    columns : mapping of str to str, optional
        ClicData types by column, as in ``column_types=``.
    whole : bool, default True
        Whether the data must have every column of the table.
    left_out : sequence of str
        Columns of the data that the table need not have; they are not planned.
    if_extra : str
        What to do, in an error, about other columns that the table does not have.
    if_missing : str
        What to do, in an error, about columns that the data does not have.

    Returns
    -------
    list of ColumnPlan
        One plan for each column of the data that the table has.

    Raises
    ------
    ColumnMismatchError
        Columns are missing, extra, or of another type.
    FrameError
        A column cannot be sent.
    """
    table_types = {column.name: column.data_type for column in table_columns}
    plans = plan_columns(source, columns)
    overrides = checked_overrides(columns, [plan.planned.name for plan in plans])
    fitted, differing = [], []
    for plan in plans:
        name, data_type = plan.planned.name, plan.planned.data_type
        if name not in table_types:
            continue
        table_type = table_types[name] if types_known else ""
        json_type = (json_types or {}).get(name)
        is_other_json = json_type not in (None, _JSON_TYPES.get(data_type, "text"))
        if is_other_json and name not in overrides and not pa.types.is_null(plan.column.arrow_type):
            # A service may convert the value instead of refusing it.
            differing.append(name)
            continue
        if table_type not in list(ColumnType) or table_type == data_type:
            fitted.append(plan)
        elif name not in overrides and (
            ColumnType(table_type) in COMPATIBLE_TYPES[data_type] or pa.types.is_null(plan.column.arrow_type)
        ):
            fitted.append(plan_column(plan.column, ColumnType(table_type), source.label))
        else:
            differing.append(name)
    if not types_known:
        found = {name: (json_types or {}).get(name, "") for name in differing}
        table_columns = [replace(column, data_type=found.get(column.name, "")) for column in table_columns]
    difference = Difference([plan.planned for plan in plans], table_columns, differing, whole, left_out)
    if not difference.fits:
        raise mismatch(difference, table_label, if_extra, if_missing)
    return fitted


def prepare_table(source: Source, plans: Sequence[ColumnPlan], nulled: dict[str, Nulled] | None = None) -> pa.Table:
    """Check and convert every value of data in memory.

    Parameters
    ----------
    source : Source
        The data to send, not a stream.
    plans : sequence of ColumnPlan
        The plans of its columns.
    nulled : dict of str to Nulled, optional
        Gets the values that are sent as null.

    Returns
    -------
    pyarrow.Table
        The columns in the Arrow types that their encodings need.

    Raises
    ------
    FrameError
        Values cannot be sent without loss. The message describes the first of each column.
    """
    arrays, faults = _prepared(source, plans, nulled)
    raise_faults(faults)
    return pa.table(arrays, names=[plan.planned.name for plan in plans])


def _prepared(
    source: Source, plans: Sequence[ColumnPlan], nulled: dict[str, Nulled] | None = None
) -> tuple[list[pa.ChunkedArray], list[FrameError]]:
    """Return the converted columns, and the errors of those that cannot be converted."""
    arrays: list[pa.ChunkedArray] = []
    faults: list[FrameError] = []
    for plan in plans:
        try:
            arrays.append(plan.prepare(values_of(plan.column, source.rows), source.label, nulled))
        except FrameError as exc:
            faults.append(_with_advice(exc, plan.planned.name, source))
    return arrays, faults


_PIECE_TYPES: Mapping[ColumnType, tuple[Encoding, pa.DataType]] = {
    ColumnType.NUMBER: (Encoding.LITERAL, encode.TEXT),
    ColumnType.PERCENTAGE: (Encoding.LITERAL, encode.TEXT),
    ColumnType.TEXT: (Encoding.TEXT, encode.TEXT),
    ColumnType.DROPDOWN: (Encoding.TEXT, encode.TEXT),
    ColumnType.CHECKBOX: (Encoding.BOOLEAN, pa.bool_()),
    ColumnType.DATE: (Encoding.DATE, pa.date32()),
    ColumnType.DATETIME: (Encoding.DATETIME, pa.timestamp("us")),
}
"""The encoding and the Arrow type of each ClicData type in pieces, whose own Arrow types may differ."""
_WHOLE_FLOAT = r"^(-?[1-9][0-9]*|0)\.0$"
_WHOLE_NUMBER = r"^(-?[0-9]{1,15})$"


def for_pieces(plans: Sequence[ColumnPlan]) -> list[ColumnPlan]:
    """Return the plans of a stream of frames: the frames may have different dtypes, and are sent in one encoding."""
    return [
        replace(plan, planned=replace(plan.planned, wire=WireFormat(_PIECE_TYPES[plan.planned.data_type][0])))
        for plan in plans
    ]


def prepare_piece(
    piece: Source,
    plans: Sequence[ColumnPlan],
    nulled: dict[str, Nulled] | None = None,
    *,
    requested: Collection[str] = (),
    varies: bool = True,
) -> pa.Table:
    """Check and convert a piece of a stream.

    Parameters
    ----------
    piece : Source
        The piece; it has the columns of the plans.
    plans : sequence of ColumnPlan
        The plans of the stream, as :func:`for_pieces` returns them if its types vary.
    nulled : dict of str to Nulled, optional
        Gets the values that are sent as null.
    requested : collection of str
        The columns whose types the caller has chosen.
    varies : bool
        Whether the types of the pieces may vary.

    Returns
    -------
    pyarrow.Table
        The columns in Arrow types that are equal in all pieces.

    Raises
    ------
    FrameError
        A value cannot be sent without loss, or is not of the type of its column.
    """
    columns = {column.name: column for column in piece.columns}
    arrays: list[pa.ChunkedArray] = []
    faults: list[FrameError] = []
    for plan in plans:
        column = columns[plan.planned.name]
        try:
            if not varies:
                arrays.append(plan.prepare(values_of(column, piece.rows), piece.label, nulled))
                continue
            own = _plan_piece(column, plan.planned, piece, is_requested=column.name in requested)
            array = own.prepare(values_of(own.column, piece.rows), piece.label, nulled)
            arrays.append(_in_one_type(array, own, plan))
        except FrameError as exc:
            faults.append(_with_advice(exc, column.name, piece))
    raise_faults(faults)
    return pa.table(arrays, names=[plan.planned.name for plan in plans])


def _plan_piece(column: SourceColumn, planned: PlannedColumn, piece: Source, *, is_requested: bool) -> ColumnPlan:
    """Plan a column of a piece for the type that the first pieces have determined.

    Raises
    ------
    FrameError
        The column cannot be sent as this type.
    """
    try:
        if piece.rows and not is_requested:
            own_type = plan_column(column, None, piece.label).planned.data_type
            if own_type != planned.data_type and planned.data_type not in COMPATIBLE_TYPES[own_type]:
                raise _misfit(column, planned, piece)
        return plan_column(column, planned.data_type, piece.label)
    except FrameError:
        if has_values(column, piece.rows):
            raise
    # Columns without values have a dtype that depends on where they come from.
    nulls = SourceColumn(column.name, column.dtype, pa.null(), encode.chunked([None] * (piece.rows or 0), pa.null()))
    return plan_column(nulls, planned.data_type, piece.label)


def _misfit(column: SourceColumn, planned: PlannedColumn, piece: Source) -> UnsupportedTypeError:
    values = values_of(column, piece.rows)
    at = None
    if planned.data_type in (ColumnType.NUMBER, ColumnType.PERCENTAGE) and is_text(values.type):
        # In a file of numbers, this is the value that made text of all of them.
        at = encode.first_true(encode.not_numbers(values))
    if at is None:
        at = next((at for at, value in enumerate(values) if value.is_valid), 0)
    shown = encode.short_repr(encode.python_value(values[at])) if len(values) else ""
    name, wanted = column.name, planned.data_type
    return UnsupportedTypeError(
        f"Column {name!r}, row {piece.label.text(at)}: {shown} ({column.dtype}) does not fit, because the first rows"
        f" made {wanted} of the column ({planned.dtype}). Give it one dtype in all pieces, such as"
        f" dtype={{{name!r}: 'str'}} in pd.read_csv; or send all of its values as text:"
        f" column_types={{{name!r}: 'text'}}.",
        column=name,
        row=piece.label(at),
        value=shown,
    )


def _in_one_type(array: pa.ChunkedArray, own: ColumnPlan, plan: ColumnPlan) -> pa.ChunkedArray:
    """Convert the values of a piece to the Arrow type that all pieces have in this column."""
    encoding = own.encoder.wire.encoding
    _, target = _PIECE_TYPES[plan.planned.data_type]
    if encoding is Encoding.TEXT or not pa.types.is_large_string(target):
        return array.cast(target)
    texts = pa.chunked_array([row_codec.plain_text(chunk, encoding) for chunk in array.chunks], target)
    # Whole numbers are floats in a piece that has nulls, and floats are whole numbers in a piece that has no fractions.
    # All are written as in the first piece, so that the text of a number does not depend on where the pieces begin.
    first = plan.column.arrow_type
    if pa.types.is_integer(first) and encoding is Encoding.FLOAT:
        return pc.replace_substring_regex(texts, pattern=_WHOLE_FLOAT, replacement=r"\1")
    if pa.types.is_floating(first) and encoding is Encoding.INTEGER:
        return pc.replace_substring_regex(texts, pattern=_WHOLE_NUMBER, replacement=r"\1.0")
    return texts


def loaded_column(plan: ColumnPlan, values: pa.ChunkedArray) -> SourceColumn:
    """Return a column of a stream of frames that was read into memory, from its converted values."""
    if pa.types.is_null(plan.column.arrow_type) and values.null_count == len(values):
        return replace(plan.column, values=pa.chunked_array([pa.nulls(len(values))]))
    numerals = plan.planned.data_type in (ColumnType.NUMBER, ColumnType.PERCENTAGE)
    return replace(plan.column, arrow_type=values.type, values=values, numerals=numerals, fault=None)


def schema_frame(source: Source, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the plan of each column as a DataFrame, also of columns that a push would refuse.

    The dtypes are objects and not only names, so that a read with ``schema=`` restores the same columns.

    Parameters
    ----------
    source : Source
        The data.
    columns : mapping of str to str, optional
        ClicData types by column, as in ``column_types=``.

    Returns
    -------
    DataFrame
        Columns ``column``, ``dtype``, ``clicdata_type`` and ``note``.

    Raises
    ------
    FrameError
        A name or type is not valid for a table.
    """
    raise_faults(source.index_faults)
    overrides = checked_overrides(columns, [column.name for column in source.columns])
    lines: list[tuple[str, Any, str | None, str]] = []
    for column in source.columns:
        data_type, dtype = None, declared_dtype(column)
        try:
            plan = plan_column(column, overrides.get(column.name), source.label)
            if source.rows is not None:
                plan.prepare(values_of(column, source.rows), source.label)
            data_type, note = str(plan.planned.data_type), plan.planned.note
        except FrameError as exc:
            note = f"refused: {_with_advice(exc, column.name, source)}"
        lines.append((column.name, dtype, data_type, note))
    frame = pd.DataFrame(lines, columns=["column", "dtype", "clicdata_type", "note"])
    return ColumnListing.of(frame, counted(len(frame), "column"))


def _with_advice(exc: FrameError, name: str, source: Source) -> FrameError:
    """Return the error with the advice for a level of the index, which is not converted as a column is."""
    if name not in source.levels:
        return exc
    # A copy, because the fault of a column is raised whenever its source is planned.
    advised = copy.copy(exc)
    advised.args = (
        f"{exc} {name!r} is a level of the index: make it a column first, df = df.reset_index(); or leave the index"
        " out: index=False.",
    )
    return advised


def _no_type_error(column: SourceColumn, label: RowLabels) -> UnsupportedTypeError:
    row, where, shown = None, "", None
    if column.values is not None:
        position = next((i for i, value in enumerate(column.values) if value.is_valid), None)
        if position is not None:
            row, shown = label(position), encode.short_repr(encode.python_value(column.values[position]))
            where = f", row {label.text(position)}: {shown}"
    return UnsupportedTypeError(
        f"Column {column.name!r} ({column.dtype}){where} has no ClicData type. Convert the column to text:"
        f" df[{column.name!r}] = df[{column.name!r}].astype('string'); or send each value as JSON text:"
        f" column_types={{{column.name!r}: 'text'}}.",
        column=column.name,
        row=row,
        value=shown,
    )


def _json_text_encoder(column: SourceColumn) -> Encoder:
    def prepare(array: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
        objects = column.objects() if column.objects is not None else array
        texts = []
        for position, value in enumerate(objects):
            try:
                exact = encode.exact_value(value) if isinstance(value, pa.Scalar) else value
                texts.append(None if exact is None else json_text(exact))
            except (TypeError, ValueError, OverflowError, RecursionError) as exc:
                shown = encode.python_value(value) if isinstance(value, pa.Scalar) else value
                location.refuse(
                    position,
                    shown,
                    f"has no JSON text ({exc}). Convert the column to text first: df[…] = df[…].map(str,"
                    " na_action='ignore').",
                )
        return encode.chunked(texts, encode.TEXT)

    return Encoder(WireFormat(Encoding.TEXT), prepare)


def plan_declared(columns: object) -> list[ColumnPlan]:
    """Plan the columns of a table that is created without rows.

    Parameters
    ----------
    columns : mapping of str to type, Series, DataFrame, pyarrow.Table or object
        ClicData types or dtypes by name, also ``df.dtypes``. Or a frame or table, or another object with
        ``__arrow_c_stream__``, whose columns the table gets.

    Returns
    -------
    list of ColumnPlan
        One plan for each column.

    Raises
    ------
    FrameError
        A name or type is not valid for a table.
    TypeError
        ``columns`` is none of these.
    """
    if isinstance(columns, pd.Series | Mapping):
        return _plan_types([*columns.items()])
    if not hasattr(columns, "__arrow_c_stream__"):
        raise TypeError(
            "The columns of a table are a dict of name to type, such as {'flight': 'text'}, or the dtypes of a frame,"
            f" or a frame, not {columns!r}."
        )
    return plan_columns(as_source(columns))


def one_row(label: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """Return a frame of one row, with ``label`` as the label of the row.

    Raises
    ------
    FrameError
        A value is not a scalar.
    """
    series = {}
    for name, value in values.items():
        if not pd.api.types.is_scalar(value):
            raise FrameError(
                f"{label}= has a {type(value).__name__} for column {name!r}, which is not a single value. Pass text, a"
                f" number, True, False, a date or a datetime: {label}={{{name!r}: 'text'}}.",
                column=name,
            )
        # In its own dtype, so that a float32 is written with its own digits.
        dtype: Any = value.dtype if isinstance(value, np.floating) and not np.isnan(value) else object
        series[name] = pd.Series([value], index=[label], dtype=dtype)
    return pd.DataFrame(series, index=[label])


def _plan_types(columns: list[tuple[Any, Any]]) -> list[ColumnPlan]:
    empty, overrides = {}, {}
    for position, (name, wanted) in enumerate(columns):
        if isinstance(wanted, str) and wanted in list(ColumnType):
            empty[position] = pd.Series([], dtype=object)
            overrides[str(name)] = wanted
        else:
            empty[position] = _empty_column(name, wanted)
    frame = pd.DataFrame(empty)
    frame.columns = pd.Index([name for name, _ in columns], dtype=object, tupleize_cols=False)
    return plan_columns(as_source(frame), overrides)


def _empty_column(name: object, wanted: Any) -> pd.Series[Any]:
    """Return a column of a dtype, without values."""
    if isinstance(wanted, str | np.dtype | pd.api.extensions.ExtensionDtype | pa.DataType | type):
        try:
            return pd.Series([], dtype=pd.ArrowDtype(wanted) if isinstance(wanted, pa.DataType) else wanted)
        except (TypeError, ValueError, NotImplementedError):
            pass
    raise FrameError(
        f"Unknown type {wanted!r} for column {name!r}. Valid types: {', '.join(ColumnType)}; or a dtype of pandas, such"
        " as 'float64'.",
        column=str(name),
    )
