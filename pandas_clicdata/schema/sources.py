"""Columns at the door: pandas' many dtypes, and what Python objects a column holds, to Arrow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata.errors import CellValueError, FrameError, UnsupportedTypeError

_TEXT = pa.large_string()
_SHOWN_CHARACTERS = 60
_NUMBER_KINDS = frozenset({"decimal", "mixed-integer-float", "floating"})


@dataclass(frozen=True)
class Source:
    """One column at the door.

    Attributes
    ----------
    name, dtype : str
        What the user calls it, and its dtype as the user sees it.
    arrow_type : pyarrow.DataType
        The type of its values.
    values : pyarrow.ChunkedArray or None
        Its values; None for a stream, whose batches bring them.
    numerals : bool
        The values are numbers, held as text because no Arrow type has them as written.
    note : str
        What was done to it at the door.
    fault : FrameError or None
        Why it cannot be sent.
    objects : callable or None
        The values as Python objects, for a column that only goes as JSON text.
    """

    name: str
    dtype: str
    arrow_type: pa.DataType
    values: pa.ChunkedArray | None = None
    numerals: bool = False
    note: str = ""
    fault: FrameError | None = None
    objects: Callable[[], Sequence[object]] | None = None


def stored(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo how Arrow stores equal values: a dictionary or run-end encoding."""
    if pa.types.is_dictionary(values.type):
        return stored(values.cast(values.type.value_type))
    if pa.types.is_run_end_encoded(values.type):
        decoded = [pc.run_end_decode(chunk) for chunk in values.chunks]
        return stored(pa.chunked_array(decoded, values.type.value_type))
    return values


def stored_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type that :func:`stored` gives."""
    if pa.types.is_dictionary(arrow_type) or pa.types.is_run_end_encoded(arrow_type):
        return stored_type(arrow_type.value_type)
    return arrow_type


def from_series(name: str, series: pd.Series[Any]) -> Source:
    """Bring a pandas column to Arrow, or say why it cannot be."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_category(name, series)
    if isinstance(dtype, pd.SparseDtype):
        return _renamed(from_series(name, pd.Series(series.array.to_dense())), str(dtype))
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        texts = [None if missing else str(value) for value, missing in zip(series, series.isna(), strict=True)]
        note = f"{'a period' if isinstance(dtype, pd.PeriodDtype) else 'an interval'} as pandas writes it"
        return Source(name, str(dtype), _TEXT, _chunked(texts, _TEXT), note=note)
    if pd.api.types.is_object_dtype(dtype):
        return _from_objects(name, series)
    try:
        values = stored(_as_chunked(pa.array(series, from_pandas=True)))
    except (pa.ArrowException, UnicodeEncodeError, TypeError, ValueError, NotImplementedError):
        return _from_objects(name, series.astype(object))
    return Source(name, str(dtype), values.type, values)


def _renamed(source: Source, dtype: str) -> Source:
    return replace(source, dtype=dtype)


def _from_category(name: str, series: pd.Series[Any]) -> Source:
    """Decode by the categories' own type, so that a category of numbers stays numbers."""
    categories = from_series(name, pd.Series(series.cat.categories))
    if categories.fault is not None or categories.values is None:
        return replace(categories, dtype=str(series.dtype), objects=lambda: list(series))
    codes = series.cat.codes.to_numpy()
    taken = categories.values.combine_chunks().take(pa.array(codes, pa.int64(), mask=codes < 0))
    return replace(categories, dtype=str(series.dtype), values=_as_chunked(taken))


def _from_objects(name: str, series: pd.Series[Any]) -> Source:
    """Find out what a column of Python objects holds; one kind, or it is refused."""
    dtype = str(series.dtype)
    missing = series.isna().to_numpy()
    objects = [None if gone else value for value, gone in zip(series, missing, strict=True)]
    kind = pd.api.types.infer_dtype(series, skipna=True)
    try:
        match kind:
            case "empty":
                return Source(name, dtype, pa.null(), _chunked(objects, pa.null()))
            case "string":
                return Source(name, dtype, _TEXT, _chunked(objects, _TEXT))
            case "boolean":
                return Source(
                    name, dtype, pa.bool_(), _chunked([v if v is None else bool(v) for v in objects], pa.bool_())
                )
            case "integer" | "mixed-integer-float" | "decimal" | "floating":
                return _from_numbers(name, dtype, kind, objects)
            case "date":
                return Source(name, dtype, pa.date32(), _chunked(objects, pa.date32()))
            case "datetime" | "datetime64":
                return _from_moments(name, dtype, objects)
            case "time":
                texts = [None if value is None else value.isoformat() for value in objects]
                return Source(name, dtype, _TEXT, _chunked(texts, _TEXT), note="a time of day as ISO 8601 text")
            case "timedelta" | "timedelta64":
                return _renamed(from_series(name, pd.Series(pd.to_timedelta(pd.Series(objects)))), dtype)
            case "period" | "interval":
                texts = [None if value is None else str(value) for value in objects]
                return Source(name, dtype, _TEXT, _chunked(texts, _TEXT), note=f"a {kind} as pandas writes it")
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    return _faulty(name, dtype, kind, series, objects)


def _from_numbers(name: str, dtype: str, kind: str, objects: list[Any]) -> Source:
    if kind == "integer":
        try:
            return Source(name, dtype, pa.int64(), _chunked([v if v is None else int(v) for v in objects], pa.int64()))
        except (OverflowError, pa.ArrowInvalid):
            pass
    if kind == "floating":
        values = _chunked([v if v is None else float(v) for v in objects], pa.float64())
        return Source(name, dtype, pa.float64(), values)
    if not all(value is None or np.isfinite(value) for value in objects):
        raise ValueError("infinity has no number in JSON")
    numerals = _chunked([None if value is None else _numeral(value) for value in objects], _TEXT)
    return Source(name, dtype, _TEXT, numerals, numerals=True)


def _numeral(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return repr(float(value)) if isinstance(value, float | np.floating) else str(int(value))


def _from_moments(name: str, dtype: str, objects: list[Any]) -> Source:
    moments = [pd.Timestamp(v) if isinstance(v, np.datetime64) else v for v in objects]
    present = [value for value in moments if value is not None]
    aware = {value.tzinfo is not None for value in present}
    if len(aware) > 1:
        raise TypeError("some have a time zone and some have none")
    if any(isinstance(value, pd.Timestamp) and value.nanosecond for value in present):
        return _renamed(from_series(name, pd.Series(pd.to_datetime(objects, utc=aware == {True}))), dtype)
    if aware == {True}:
        utc = [value if value is None else value.astimezone(dt.UTC) for value in moments]
        return Source(name, dtype, pa.timestamp("us", "UTC"), _chunked(utc, pa.timestamp("us", "UTC")))
    return Source(name, dtype, pa.timestamp("us"), _chunked(moments, pa.timestamp("us")))


def _faulty(name: str, dtype: str, kind: str, series: pd.Series[Any], objects: list[Any]) -> Source:
    """A column that cannot be sent, and the first value that makes it so."""
    position = _first_odd_one(objects, kind)
    value = None if position is None else objects[position]
    row = None if position is None else series.index[position]
    shown = shortened(repr(value))
    cell = f"Column {name!r}, row {row!r}: {shown} ({type(value).__name__})"
    as_json = f"or send it as JSON text: columns={{{name!r}: 'text'}}."
    fault: FrameError
    if kind == "string":
        fault = CellValueError(f"{cell} holds half of a surrogate pair, which is no Unicode text.")
    elif kind in _NUMBER_KINDS:
        fault = CellValueError(f"{cell} is no number in JSON. Replace it first, for example with None.")
    elif kind.startswith("datetime"):
        fault = UnsupportedTypeError(f"{cell} has a time zone and others have none, or the other way round.")
    elif kind.startswith("mixed"):
        fault = UnsupportedTypeError(f"{cell} is of another kind than those before it. Make them one kind, {as_json}")
    else:
        fault = UnsupportedTypeError(f"{cell} has no ClicData type. Convert the column, {as_json}")
    fault.column, fault.row, fault.value = name, row, shown
    return Source(name, dtype, pa.null(), fault=fault, objects=lambda: objects)


def shortened(text: str) -> str:
    """Cut a value's text to what fits into a sentence."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _first_odd_one(objects: list[Any], kind: str) -> int | None:
    """The first value that cannot be sent: by itself, or for being of another kind than those before it."""
    present = [position for position, value in enumerate(objects) if value is not None]
    for position in present:
        value = objects[position]
        if kind == "string" and any("\ud800" <= character <= "\udfff" for character in value):
            return position
        if kind in _NUMBER_KINDS and not np.isfinite(value):
            return position
        if kind.startswith("datetime") and (value.tzinfo is None) != (objects[present[0]].tzinfo is None):
            return position
        if kind.startswith("mixed") and type(value) is not type(objects[present[0]]):
            return position
    return present[0] if present else None


def _chunked(values: list[Any], arrow_type: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, arrow_type)])


def _as_chunked(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
