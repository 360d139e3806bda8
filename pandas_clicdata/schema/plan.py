"""The plan of a write: for each column its ClicData type and the one way it is written, decided before any request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from pandas_clicdata.checks import did_you_mean
from pandas_clicdata.errors import (
    CellValueError,
    ColumnNameError,
    FrameError,
    UnsupportedTypeError,
)
from pandas_clicdata.models import Column, ColumnType, Encoding, PlannedColumn, Wire
from pandas_clicdata.schema import values
from pandas_clicdata.schema.door import Door
from pandas_clicdata.schema.homes import told_dtype
from pandas_clicdata.schema.jsontext import json_text
from pandas_clicdata.schema.mismatch import Difference, mismatch
from pandas_clicdata.schema.sources import Source, stored
from pandas_clicdata.schema.types import GOES_AS, LITERAL_RULE, Way, rule_for
from pandas_clicdata.schema.values import Place

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
        raise TypeError(f"columns= is a dict of column to ClicData type, not {columns!r}.")
    overrides = {}
    allowed = [str(data_type) for data_type in ColumnType]
    for name, wanted in (columns or {}).items():
        if str(name) not in names:
            raise ColumnNameError(
                f"columns= names {name!r}, which is not a column.{did_you_mean(str(name), names)} The columns:"
                f" {', '.join(map(repr, names))}.",
                column=str(name),
            )
        if wanted not in allowed:
            raise FrameError(
                f"columns= asks for type {wanted!r} for column {name!r}; the types are {', '.join(allowed)}.",
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
            row, shown = label(position), values.shown(values.python_value(source.values[position]))
    where = f", row {values.shown(row)}: {shown}" if shown else ""
    return UnsupportedTypeError(
        f"Column {source.name!r} ({source.dtype}){where} has no ClicData type. Convert the column, or send it as JSON"
        f" text: columns={{{source.name!r}: 'text'}}.",
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
                plain = values.exact_value(value) if isinstance(value, pa.Scalar) else value
                texts.append(None if plain is None else json_text(plain))
            except (TypeError, ValueError, OverflowError, RecursionError) as exc:
                told = values.python_value(value) if isinstance(value, pa.Scalar) else value
                place.refuse(position, told, f"has no JSON text ({exc}).")
        return pa.chunked_array([pa.array(texts, values.TEXT)])

    return Way(Wire(Encoding.TEXT), prepare)
