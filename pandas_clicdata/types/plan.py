"""The plan of a write: the ClicData type and the encoder of each column, decided before any request."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata._checks import did_you_mean, near
from pandas_clicdata._models import Column, ColumnType, Encoding, PlannedColumn, Wire
from pandas_clicdata.errors import (
    CellValueError,
    ColumnMismatchError,
    ColumnNameError,
    FrameError,
    UnsupportedTypeError,
)
from pandas_clicdata.types import encode
from pandas_clicdata.types.encode import Place
from pandas_clicdata.types.ingest import Door, Source, enter, stored
from pandas_clicdata.types.json_text import json_text
from pandas_clicdata.types.recast import told_dtype
from pandas_clicdata.types.rules import GOES_AS, LITERAL_RULE, Way, rule_for

_MOST_LINES = 20
_WIDEST = 60
_NONE = "-"
_HEADER = ("column", "frame", "table", "note")


@dataclass(frozen=True)
class Difference:
    """A frame's columns and a table's.

    Attributes
    ----------
    ours : sequence of PlannedColumn
        The frame's.
    theirs : sequence of Column
        The table's; one without a type is of a type that is not known.
    differing : sequence of str
        Which columns of both cannot go from one into the other.
    whole : bool
        Whether the frame must have all of the table's.
    left_out : sequence of str
        Which of the frame's the table need not have.
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
        """Columns that the frame lacks."""
        return self.absent if self.whole else []

    @functools.cached_property
    def extra(self) -> list[str]:
        """Columns that the table lacks."""
        theirs = {column.name for column in self.theirs}
        return [column.name for column in self.ours if column.name not in theirs]

    @property
    def fits(self) -> bool:
        return not (self.missing or self.differing or set(self.extra) - set(self.left_out))


def mismatch(difference: Difference, table: str, if_extra: str) -> ColumnMismatchError:
    """The error that prints the difference; ``if_extra`` says what to do about columns that the table lacks."""
    own = {column.name: column for column in difference.ours}
    their = {column.name: column.data_type for column in difference.theirs}
    missing, extra, differing = difference.missing, difference.extra, list(difference.differing)
    kinds = [("missing", missing), ("not in the table", extra), ("of another type", differing)]
    shares = _shares([len(names) for _, names in kinds])
    lines = [
        (name, _own(own.get(name)), _their(their.get(name)), _note(difference, name))
        for (_, names), share in zip(kinds, shares, strict=True)
        for name in names[:share]
    ]
    more = [
        f"{len(names) - share:,} more {kind}"
        for (kind, names), share in zip(kinds, shares, strict=True)
        if len(names) > share
    ]
    rest = f"\n… and {', '.join(more)}: error.missing, error.extra and error.differing hold all." if more else ""
    said = [f"The frame's columns are not those of table {table}; they are matched by name."]
    if missing:
        said.append(f"What is missing is not filled in: rename one, or add it, empty: df[{_shown(missing[0])}] = None.")
    if set(extra) - set(difference.left_out):
        said.append(if_extra or "Rename or drop what the table does not have.")
        if not difference.whole:
            said.append(f"The table has {_listed([column.name for column in difference.theirs])}.")
    if differing:
        said.append("Convert those of another type.")
    return ColumnMismatchError(
        "\n".join([*said, "", _aligned(lines)]) + rest,
        missing=missing,
        extra=extra,
        differing=[(name, str(own[name].data_type), their[name]) for name in differing],
    )


def _shares(counts: Sequence[int]) -> list[int]:
    """How many of each kind are shown: all if they are few, else about as many of each."""
    shares = [0] * len(counts)
    while sum(shares) < min(_MOST_LINES, sum(counts)):
        for at, count in enumerate(counts):
            if shares[at] < count and sum(shares) < _MOST_LINES:
                shares[at] += 1
    return shares


def _own(column: PlannedColumn | None) -> str:
    return _NONE if column is None else f"{column.data_type} ({column.dtype})"


def _their(data_type: str | None) -> str:
    return _NONE if data_type is None else data_type or "there"


def _note(difference: Difference, name: str) -> str:
    if name in difference.differing:
        return "of another type"
    if name in difference.missing:
        suggested, note = near(name, difference.extra), "missing in the frame"
        return f"{note}: is it {_or(suggested)}?" if suggested else note
    suggested, note = near(name, difference.absent), "not in the table"
    return f"{note}: did you mean {_or(suggested)}?" if suggested else note


def _or(names: Sequence[str]) -> str:
    return " or ".join(map(_shown, names))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_shown, names[:_MOST_LINES]))
    return shown if len(names) <= _MOST_LINES else f"{shown} and {len(names) - _MOST_LINES:,} more"


def _shown(name: str) -> str:
    """A name on one line, blanks and all; of a very long one its beginning and its end."""
    text = repr(name)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 16]}…{text[-15:]}"


def _aligned(lines: Sequence[tuple[str, str, str, str]]) -> str:
    table = [_HEADER, *((_shown(name), *(_cut(cell) for cell in cells), note) for name, *cells, note in lines)]
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
    """How many letters wide a text stands: those of East Asia are twice as wide, an accent by itself takes nothing."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


Overrides = Mapping[str, ColumnType]


@dataclass(frozen=True)
class ColumnPlan:
    """A planned column and how its values are made ready."""

    planned: PlannedColumn
    source: Source
    way: Way

    def ready(self, array: pa.ChunkedArray, label: Callable[[int], Any]) -> pa.ChunkedArray:
        """Check and convert values of this column.

        Raises
        ------
        CellValueError
            One cannot be sent exactly.
        """
        return self.way.prepare(array, Place(self.planned.name, label))


def checked_overrides(columns: Mapping[str, str] | None, names: Sequence[str]) -> Overrides:
    """Check the types that a user asks for by column.

    Raises
    ------
    ColumnNameError
        There is no such column.
    FrameError
        There is no such type.
    TypeError
        They are no mapping.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise TypeError(f"column_types= is a dict of column to ClicData type, not {columns!r}.")
    overrides = {}
    allowed = [str(data_type) for data_type in ColumnType]
    for name, wanted in (columns or {}).items():
        if str(name) not in names:
            raise ColumnNameError(
                f"column_types= names {name!r}, which is not a column.{did_you_mean(str(name), names)} The columns:"
                f" {', '.join(map(repr, names))}.",
                column=str(name),
            )
        if wanted not in allowed:
            raise FrameError(
                f"column_types= asks for type {wanted!r} for column {name!r}; the types are {', '.join(allowed)}.",
                column=str(name),
            )
        overrides[str(name)] = ColumnType(wanted)
    return overrides


def plan_columns(door: Door, columns: Mapping[str, str] | None = None) -> list[ColumnPlan]:
    """Decide what each column becomes.

    Parameters
    ----------
    door : Door
        The data.
    columns : mapping of str to str, optional
        ClicData types that the user asks for.

    Raises
    ------
    FrameError
        Some column cannot be sent; the first is described and the others named.
    """
    overrides = checked_overrides(columns, [source.name for source in door.columns])
    plans, faults = [], []
    for source in door.columns:
        try:
            plans.append(plan_column(source, overrides.get(source.name), door.label))
        except FrameError as exc:
            faults.append((source.name, exc))
    _raise_first(faults)
    return plans


def plan_column(source: Source, wanted: ColumnType | None, label: Callable[[int], Any]) -> ColumnPlan:
    """Decide what one column becomes; ``label`` names its rows in an error.

    Raises
    ------
    UnsupportedTypeError
        It has no ClicData type, or not the one wanted.
    """
    rule = LITERAL_RULE if source.numerals else rule_for(source.arrow_type)
    if source.fault is not None or rule is None:
        if wanted is ColumnType.TEXT and not isinstance(source.fault, CellValueError):
            note = "each value as JSON text"
            return ColumnPlan(
                PlannedColumn(source.name, str(source.dtype), wanted, Wire(Encoding.TEXT), note),
                source,
                _json_way(source),
            )
        raise source.fault or _no_type(source, label)
    data_type = wanted or rule.default
    way = rule.ways.get(data_type)
    if way is None:
        possible = ", ".join(sorted(rule.ways))
        raise UnsupportedTypeError(
            f"Column {source.name!r} ({source.dtype}) cannot be sent as {data_type}; it can be sent as {possible}."
            " Convert it first.",
            column=source.name,
        )
    note = source.note or rule.note(source.arrow_type)
    return ColumnPlan(PlannedColumn(source.name, str(source.dtype), data_type, way.wire, note), source, way)


def fit_to_table(
    door: Door,
    table_columns: Sequence[Column],
    table_label: str,
    *,
    types_known: bool,
    columns: Mapping[str, str] | None = None,
    whole: bool = True,
    left_out: Sequence[str] = (),
    if_extra: str = "",
) -> list[ColumnPlan]:
    """Plan columns for a table that is there: matched by name, of types that go into its own.

    Parameters
    ----------
    door : Door
        The data.
    table_columns : sequence of Column
        The table's columns.
    table_label : str
        How an error names the table.
    types_known : bool
        Whether these columns have their types.
    columns : mapping of str to str, optional
        ClicData types that the user asks for.
    whole : bool, default True
        Whether the data must have all of the table's columns.
    left_out : sequence of str
        Columns of the data that the table need not have; they are not planned.
    if_extra : str
        What an error says is to be done about other columns that it does not have.

    Raises
    ------
    ColumnMismatchError
        Columns are missing, extra, or of another type.
    FrameError
        Some column cannot be sent.
    """
    theirs = {column.name: column for column in table_columns}
    plans = plan_columns(door, columns)
    overrides = checked_overrides(columns, [plan.planned.name for plan in plans])
    fitted, differing = [], []
    for plan in plans:
        if plan.planned.name not in theirs:
            continue
        their_type = theirs[plan.planned.name].data_type if types_known else ""
        own_type = plan.planned.data_type
        if their_type not in list(ColumnType) or their_type == own_type:
            fitted.append(plan)
        elif plan.planned.name not in overrides and (
            ColumnType(their_type) in GOES_AS[own_type] or pa.types.is_null(plan.source.arrow_type)
        ):
            fitted.append(plan_column(plan.source, ColumnType(their_type), door.label))
        else:
            differing.append(plan.planned.name)
    difference = Difference([plan.planned for plan in plans], table_columns, differing, whole, left_out)
    if not difference.fits:
        raise mismatch(difference, table_label, if_extra)
    return fitted


def ready_table(door: Door, plans: Sequence[ColumnPlan]) -> pa.Table:
    """Check and convert every value of data that is in memory.

    Raises
    ------
    FrameError
        A value cannot be sent exactly; the first is described, and the other columns with such values named.
    """
    arrays, faults = [], []
    for plan in plans:
        try:
            arrays.append(plan.ready(_in_memory(plan.source), door.label))
        except FrameError as exc:
            faults.append((plan.planned.name, exc))
    _raise_first(faults)
    return pa.table(arrays, names=[plan.planned.name for plan in plans])


def _in_memory(source: Source) -> pa.ChunkedArray:
    """A column's values; none of objects, which are written from themselves."""
    return source.values if source.values is not None else pa.chunked_array([], pa.null())


def ready_batch(batch: pa.RecordBatch, plans: Sequence[ColumnPlan], offset: int) -> pa.Table:
    """Check and convert the planned columns of a stream's batch, whose first row stands at ``offset``."""
    arrays = []
    for plan in plans:
        array = pa.chunked_array([batch.column(plan.planned.name)])
        arrays.append(plan.ready(stored(array), lambda position: offset + position))
    return pa.table(arrays, names=[plan.planned.name for plan in plans])


def schema_frame(door: Door, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Tell as a DataFrame what each column would become, also those that would be refused.

    The dtypes are themselves there, not only their names, so that a read with ``schema=`` gives the same columns.
    """
    overrides = checked_overrides(columns, [source.name for source in door.columns])
    lines: list[tuple[str, Any, str | None, str]] = []
    for source in door.columns:
        try:
            plan = plan_column(source, overrides.get(source.name), door.label)
            if door.rows is not None:
                plan.ready(_in_memory(source), door.label)
            lines.append((source.name, told_dtype(source), str(plan.planned.data_type), plan.planned.note))
        except FrameError as exc:
            lines.append((source.name, told_dtype(source), None, f"refused: {exc}"))
    return pd.DataFrame(lines, columns=["column", "dtype", "clicdata_type", "note"])


def _raise_first(faults: Sequence[tuple[str, FrameError]]) -> None:
    if not faults:
        return
    first = faults[0][1]
    if len(faults) > 1:
        others = ", ".join(repr(name) for name, _ in faults[1:])
        first.args = (f"{first} Also not to be sent as they are: {others}; df.clicdata.schema() tells why.",)
    raise first


def _no_type(source: Source, label: Callable[[int], Any]) -> UnsupportedTypeError:
    row, shown = None, ""
    if source.values is not None:
        position = next((i for i, value in enumerate(source.values) if value.is_valid), None)
        if position is not None:
            row, shown = label(position), encode.shown(encode.python_value(source.values[position]))
    where = f", row {encode.shown(row)}: {shown}" if shown else ""
    return UnsupportedTypeError(
        f"Column {source.name!r} ({source.dtype}){where} has no ClicData type. Convert the column, or send it as JSON"
        f" text: column_types={{{source.name!r}: 'text'}}.",
        column=source.name,
        row=row,
        value=shown or None,
    )


def _json_way(source: Source) -> Way:
    def prepare(array: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
        objects = source.objects() if source.objects is not None else array
        texts = []
        for position, value in enumerate(objects):
            try:
                plain = encode.exact_value(value) if isinstance(value, pa.Scalar) else value
                texts.append(None if plain is None else json_text(plain))
            except (TypeError, ValueError, OverflowError, RecursionError) as exc:
                told = encode.python_value(value) if isinstance(value, pa.Scalar) else value
                place.refuse(position, told, f"has no JSON text ({exc}).")
        return pa.chunked_array([pa.array(texts, encode.TEXT)])

    return Way(Wire(Encoding.TEXT), prepare)


def plan_declared(columns: object) -> list[ColumnPlan]:
    """Decide what the columns of a table become that is made without rows.

    Parameters
    ----------
    columns : mapping of str to type, Series, DataFrame, pyarrow.Table or object
        ClicData types by name, or dtypes, or ``df.dtypes``: as columns of that dtype without values. Or the frame or
        table itself, or another with ``__arrow_c_stream__``: as its values are.

    Raises
    ------
    FrameError
        Names or types are none that a table can have.
    TypeError
        It is none of these.
    """
    if isinstance(columns, pd.Series | Mapping):
        return _plan_types([*columns.items()])
    if not hasattr(columns, "__arrow_c_stream__"):
        raise TypeError(
            "The columns of a table are a dict of name and type, such as {'flight': 'text'}, or a frame's dtypes, or"
            f" the frame itself, not {columns!r}."
        )
    return plan_columns(enter(columns))


def one_row(label: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of one row, its label what the values are called.

    Raises
    ------
    FrameError
        One of them is no single value.
    """
    series = {}
    for name, value in values.items():
        if not pd.api.types.is_scalar(value):
            raise FrameError(
                f"{label}= gives column {name!r} a {type(value).__name__}, which is no single value: text, a number,"
                " True, False, a date, a datetime.",
                column=name,
            )
        # Of a float32, the digits that it has as one.
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
            empty[position] = _empty(name, wanted)
    frame = pd.DataFrame(empty)
    frame.columns = pd.Index([name for name, _ in columns], dtype=object, tupleize_cols=False)
    return plan_columns(enter(frame), overrides)


def _empty(name: object, wanted: Any) -> pd.Series[Any]:
    """A column of a dtype, without values."""
    if isinstance(wanted, str | np.dtype | pd.api.extensions.ExtensionDtype | pa.DataType | type):
        try:
            return pd.Series([], dtype=pd.ArrowDtype(wanted) if isinstance(wanted, pa.DataType) else wanted)
        except (TypeError, ValueError, NotImplementedError):
            pass
    types = ", ".join(ColumnType)
    raise FrameError(
        f"Column {name!r} is to be of type {wanted!r}, and there is none; the types are {types}, or name a dtype of"
        " pandas, such as 'float64'.",
        column=str(name),
    )
