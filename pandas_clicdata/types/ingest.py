"""Any frame-like object to named Arrow columns."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata.errors import (
    CellValueError,
    ColumnNameError,
    FrameError,
    IndexNotSentWarning,
    UnsupportedTypeError,
)
from pandas_clicdata.types.encode import (
    BEYOND_DATETIMES,
    FINER_THAN_NANOSECONDS,
    HAS_NANOSECONDS,
    LARGEST_EXPONENT,
    LONGEST_NUMBER,
    TEXT,
    TOO_LONG,
    duration_text,
    period_text,
    shown,
)
from pandas_clicdata.types.infer import holds_objects
from pandas_clicdata.types.json_text import has_json_text

_PAST_LONGEST_NUMBER = 10**LONGEST_NUMBER


NUMBERS, AWARE = "numbers of several kinds", "datetimes with time zones"
"""What a column of Python objects holds, where that is no type."""


@dataclass(frozen=True)
class Source:
    """One column at the door.

    Attributes
    ----------
    name : str
        What the user calls it.
    dtype : dtype
        Its dtype, of pandas or Arrow; its text is what the user sees.
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
    holds : object
        Of what kind the Python objects of a column are: their type, or a dtype that holds all of them.
    """

    name: str
    dtype: Any
    arrow_type: pa.DataType
    values: pa.ChunkedArray | None = None
    numerals: bool = False
    note: str = ""
    fault: FrameError | None = None
    objects: Callable[[], Sequence[object]] | None = None
    holds: Any = None


def stored(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo how Arrow stores values: a dictionary or run-end encoding, or views of text."""
    if pa.types.is_dictionary(values.type):
        # By hand, for Arrow casts only some dictionaries to their values.
        decoded = [
            stored(pa.chunked_array([chunk.dictionary])).combine_chunks().take(chunk.indices) for chunk in values.chunks
        ]
        return pa.chunked_array(decoded, stored_type(values.type))
    if pa.types.is_run_end_encoded(values.type):
        return stored(pa.chunked_array([_run_out(chunk) for chunk in values.chunks], values.type.value_type))
    if pa.types.is_string_view(values.type):
        return _from_views(values)
    return values


def _run_out(chunk: pa.RunEndEncodedArray) -> pa.Array:
    try:
        return pc.run_end_decode(chunk)
    except pa.ArrowNotImplementedError:
        # Arrow decodes only some types.
        return pa.array(chunk.to_pylist(), chunk.type.value_type)


def _from_views(values: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return values.cast(TEXT)
    except pa.ArrowNotImplementedError:
        # pyarrow 16 knows the type, but no cast of it.
        return _chunked(values.to_pylist(), TEXT)


def stored_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type that :func:`stored` gives."""
    if pa.types.is_dictionary(arrow_type) or pa.types.is_run_end_encoded(arrow_type):
        return stored_type(arrow_type.value_type)
    return TEXT if pa.types.is_string_view(arrow_type) else arrow_type


def from_series(name: str, series: pd.Series[Any]) -> Source:
    """Bring a pandas column to Arrow, or say why it cannot be."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_category(name, series)
    if isinstance(dtype, pd.SparseDtype):
        dense = pd.Series(series.array.to_dense(), index=series.index, dtype=dtype.subtype)
        return replace(from_series(name, dense), dtype=dtype)
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        return _from_objects(name, series.astype(object), dtype)
    if holds_objects(dtype):
        return _from_objects(name, series)
    try:
        values = stored(_as_chunked(pa.array(series, from_pandas=True)))
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, AttributeError):
        # A dtype that Arrow lacks, or (an AttributeError) a time zone of dateutil that pyarrow 16 does not know.
        return _from_objects(name, series.astype(object), dtype)
    return Source(name, dtype, values.type, values)


def label_at(labels: pd.Index[Any], position: int) -> Any:
    """A row's label, or its position where Python has no such label: Arrow has moments beyond the year 9999."""
    try:
        label = labels[position]
    except (ValueError, OverflowError):
        return position
    # As Python writes it: 9 rather than np.int64(9).
    return label.item() if isinstance(label, np.number) else label


class _OddValue(Exception):
    """A value that cannot be sent: where it is, why, and whether it is its kind or itself that is at fault."""

    def __init__(self, position: int, why: str, *, kind: bool = False) -> None:
        super().__init__(why)
        self.position = position
        self.why = why
        self.error = UnsupportedTypeError if kind else CellValueError


def _from_category(name: str, series: pd.Series[Any]) -> Source:
    """Decode by the categories' own type, so that a category of numbers stays numbers."""
    # With their dtype, for pandas would look among objects for another, and 2 warns that 3 does not.
    listed = series.cat.categories
    categories = from_series(name, pd.Series(listed, dtype=listed.dtype))
    if categories.fault is not None or categories.values is None:
        # The categories have no rows to name.
        return _from_objects(name, series.astype(object), series.dtype)
    codes = series.cat.codes.to_numpy()
    taken = categories.values.combine_chunks().take(pa.array(codes, pa.int64(), mask=codes < 0))
    return replace(categories, dtype=series.dtype, values=_as_chunked(taken))


def _from_objects(name: str, series: pd.Series[Any], dtype: Any = None) -> Source:
    """Find out what a column of Python objects holds; one kind, or it is refused."""
    dtype = series.dtype if dtype is None else dtype
    objects = [None if gone else value for value, gone in zip(series, _missing(series), strict=True)]
    try:
        return _of_one_kind(name, dtype, objects)
    except _OddValue as odd:
        value, row = objects[odd.position], label_at(series.index, odd.position)
        fault: FrameError = odd.error(
            f"Column {name!r}, row {shown(row)}: {shown(value)} ({type(value).__name__}) {odd.why}",
            column=name,
            row=row,
            value=shown(value),
        )
        return Source(name, dtype, pa.null(), fault=fault, objects=lambda: objects)


def _missing(series: pd.Series[Any]) -> Sequence[bool]:
    try:
        return series.isna().to_list()
    except InvalidOperation:
        # pandas finds a NaN by comparing it, which a signalling one does not bear.
        quiet = [None if isinstance(value, Decimal) and value.is_snan() else value for value in series]
        return pd.Series(quiet, dtype=object).isna().to_list()


def _of_one_kind(name: str, dtype: Any, objects: list[Any]) -> Source:
    kinds = {_kind(kind) for kind in set(map(type, objects)) - {type(None)}}
    if not kinds:
        return Source(name, dtype, pa.null(), _chunked(objects, pa.null()))
    kind = kinds.pop()
    if not kinds:
        if kind is str:
            return Source(name, dtype, TEXT, _unicode(objects), holds=str)
        if kind is bool:
            return Source(name, dtype, pa.bool_(), _chunked(_each(objects, bool), pa.bool_()), holds=bool)
        if kind is float:
            return _from_numbers(name, dtype, objects)
        if kind is dt.date:
            return Source(name, dtype, pa.date32(), _chunked(objects, pa.date32()), holds=dt.date)
        if kind is dt.datetime:
            return _from_moments(name, dtype, objects)
        if kind in _AS_TEXT:
            write, note = _AS_TEXT[kind]
            return Source(name, dtype, TEXT, _texts(objects, write), note=note, holds=_held_by(kind, objects))
    raise _odd_kind(name, objects)


def _held_by(kind: type, objects: list[Any]) -> Any:
    """The kind, or of periods and intervals the dtype that all have; None if they have several."""
    if kind not in (pd.Period, pd.Interval):
        return kind
    try:
        return pd.PeriodIndex(objects).dtype if kind is pd.Period else pd.arrays.IntervalArray(objects).dtype
    except (TypeError, ValueError):
        return None


def _from_numbers(name: str, dtype: Any, objects: list[Any]) -> Source:
    numerals = _texts(objects, _numeral)
    kinds = {_number_kind(value) for value in objects if value is not None}
    if kinds == {int}:
        try:
            return Source(name, dtype, pa.int64(), _chunked(_each(objects, int), pa.int64()), holds=int)
        except (OverflowError, pa.ArrowInvalid):
            pass
    if kinds == {float}:
        return Source(name, dtype, pa.float64(), _chunked(_each(objects, float), pa.float64()), holds=float)
    holds = int if kinds == {int} else Decimal if float not in kinds else NUMBERS
    return Source(name, dtype, TEXT, numerals, numerals=True, holds=holds)


def _number_kind(value: object) -> type:
    return int if isinstance(value, Integral) else Decimal if isinstance(value, Decimal) else float


def _numeral(value: Any) -> str:
    """Write a number with every digit.

    Raises
    ------
    ValueError
        JSON has no such number, or it is longer than can be expected to be kept.
    """
    kind = _number_kind(value)
    if kind is int:
        if abs(int(value)) >= _PAST_LONGEST_NUMBER:
            raise ValueError(TOO_LONG)
        return str(int(value))
    if kind is float:
        double = float(value)
        if double != value:
            raise ValueError("has more digits than a float64, which .astype('float64') makes of it.")
        text = repr(double)
    else:
        # As a Decimal itself, for one of a subclass may write itself in another way.
        text = str(Decimal(value))
    if not (value.is_finite() if kind is Decimal else math.isfinite(value)):
        raise ValueError("is no number in JSON. Replace infinities first, for example with None.")
    if kind is Decimal and (len(text) > LONGEST_NUMBER or abs(value.adjusted()) > LARGEST_EXPONENT):
        raise ValueError(TOO_LONG)
    return text


def _unicode(objects: list[Any]) -> pa.ChunkedArray:
    try:
        return _chunked(objects, TEXT)
    except UnicodeEncodeError:
        return _texts(objects, _encodable)


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no Unicode text.") from None
    return value


def _from_moments(name: str, dtype: Any, objects: list[Any]) -> Source:
    aware = {_is_aware(value): position for position, value in reversed(list(enumerate(objects))) if value is not None}
    if len(aware) > 1:
        raise _OddValue(
            max(aware.values()), "has a time zone and others have none, or the other way round. Choose one.", kind=True
        )
    arrow_type = pa.timestamp("us", "UTC" if True in aware else None)
    return Source(
        name,
        dtype,
        arrow_type,
        _chunked(_each(objects, _moment), arrow_type),
        holds=AWARE if True in aware else dt.datetime,
    )


def _is_aware(value: Any) -> bool:
    return getattr(value, "tzinfo", None) is not None


def _moment(value: Any) -> dt.datetime:
    """The moment in UTC, which Python's own datetime holds if ClicData does."""
    if isinstance(value, np.datetime64):
        if np.datetime_data(value.dtype)[0] in FINER_THAN_NANOSECONDS:
            # NumPy overflows when it converts these.
            raise ValueError("is in a unit finer than nanoseconds. Make it .astype('datetime64[us]') first.")
        if not 1 <= int(value.astype("datetime64[Y]").astype(int)) + 1970 <= 9999:
            raise ValueError(BEYOND_DATETIMES)
        micros = value.astype("datetime64[us]")
        if micros != value:
            raise ValueError(HAS_NANOSECONDS)
        moment: dt.datetime = micros.item()
        return moment
    if isinstance(value, pd.Timestamp) and value.nanosecond:
        raise ValueError(HAS_NANOSECONDS)
    plain: dt.datetime = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
    try:
        return plain.astimezone(dt.UTC) if _is_aware(plain) else plain
    except OverflowError:
        raise ValueError(BEYOND_DATETIMES) from None


_AS_TEXT: Mapping[type, tuple[Callable[[Any], str], str]] = {
    dt.time: (dt.time.isoformat, "a time of day as ISO 8601 text"),
    dt.timedelta: (duration_text, "a duration as ISO 8601 text"),
    pd.Period: (period_text, "a period as pandas writes it"),
    pd.Interval: (str, "an interval as pandas writes it"),
}
_KINDS: Sequence[tuple[type, tuple[type, ...]]] = (
    (bool, (bool, np.bool_)),
    (dt.timedelta, (dt.timedelta, np.timedelta64)),
    (float, (Integral, Decimal, float, np.floating)),
    (str, (str,)),
    (dt.datetime, (dt.datetime, np.datetime64)),
    (dt.date, (dt.date,)),
    *((kind, (kind,)) for kind in (dt.time, pd.Period, pd.Interval)),
)
"""Which types are of one kind; the first that fits counts, for a bool is a whole number,
a NumPy timedelta too, and a datetime a date."""


def _kind(value_type: type) -> type:
    return next((kind for kind, types in _KINDS if issubclass(value_type, types)), value_type)


def _odd_kind(name: str, objects: list[Any]) -> _OddValue:
    """The first value of another kind than those before it, or the first of a kind that ClicData does not have."""
    present = [(position, _kind(type(value))) for position, value in enumerate(objects) if value is not None]
    first = present[0]
    position, kind = next((each for each in present if each[1] is not first[1]), first)
    what = "has no ClicData type." if kind is first[1] else "is of another kind than those before it."
    do = "Convert the column" if kind is first[1] else "Make them one kind"
    if has_json_text(objects[position]):
        do += f", or send them as JSON text: column_types={{{name!r}: 'text'}}"
    return _OddValue(position, f"{what} {do}.", kind=True)


def _each(objects: list[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """Convert every value that is there.

    Raises
    ------
    _OddValue
        One cannot be.
    """
    converted = []
    for position, value in enumerate(objects):
        try:
            converted.append(None if value is None else convert(value))
        except ValueError as exc:
            raise _OddValue(position, str(exc)) from exc
    return converted


def _texts(objects: list[Any], write: Callable[[Any], str]) -> pa.ChunkedArray:
    return _chunked(_each(objects, write), TEXT)


def _chunked(values: list[Any], arrow_type: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, arrow_type)])


def _as_chunked(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


@dataclass(frozen=True)
class Door:
    """Data that has come in.

    Attributes
    ----------
    columns : sequence of Source
        The columns.
    rows : int or None
        How many rows; None for a stream.
    label : callable
        From a row's position to its label.
    stream : pyarrow.RecordBatchReader or None
        The rows yet to come.
    """

    columns: Sequence[Source]
    rows: int | None
    label: Callable[[int], Any]
    stream: pa.RecordBatchReader | None = None


def enter(obj: object, *, index: bool = False) -> Door:
    """Take in a DataFrame, an Arrow table, batch or reader, or anything with ``__arrow_c_stream__``.

    Raises
    ------
    TypeError
        It is none of these.
    ColumnNameError
        Names are missing, not text, or collide.
    """
    if isinstance(obj, pd.DataFrame):
        return _from_frame(obj, index=index)
    if index:
        raise TypeError(f"index=True is for a DataFrame; {type(obj).__name__} has no index.")
    if isinstance(obj, pa.Table):
        return _from_table(obj)
    if isinstance(obj, pa.RecordBatchReader):
        return _from_stream(obj)
    if hasattr(obj, "__arrow_c_stream__") and not isinstance(obj, pd.Series | pa.ChunkedArray):
        try:
            reader = pa.RecordBatchReader.from_stream(obj)
        except pa.ArrowInvalid as exc:
            raise TypeError(f"A {type(obj).__name__} has no columns: give a frame or table of it. ({exc})") from exc
        # What has a length is in memory already, and can be checked whole before anything is sent.
        return _from_table(reader.read_all()) if hasattr(obj, "__len__") else _from_stream(reader)
    raise TypeError(
        f"Cannot send a {type(obj).__name__}: give a pandas DataFrame, an Arrow table or reader, or another frame with"
        " __arrow_c_stream__ (polars, …). A Series goes as series.to_frame()."
    )


def check_names(names: Sequence[str], labels: Sequence[object] | None = None) -> None:
    """Refuse names that are blank, or that ClicData could take for one another; ``labels`` are those the user gave.

    Raises
    ------
    ColumnNameError
        Saying which.
    """
    if not names:
        raise ColumnNameError("There are no columns, and a table needs at least one.")
    seen: dict[str, object] = {}
    for name, label in zip(names, labels or names, strict=True):
        if not name.strip():
            raise ColumnNameError(f"A column is named {name!r}; a column in ClicData needs a name.", column=name)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ColumnNameError(f"Column name {name!r} is not valid Unicode text.", column=name) from None
        folded = name.strip().casefold()
        if folded in seen:
            both = f"Columns {seen[folded]!r} and {label!r} have names too much alike"
            both = f"Column {label!r} is there twice" if seen[folded] == label else both
            raise ColumnNameError(
                f"{both}; ClicData could take one for the other. Rename one: df.columns = […].", column=name
            )
        seen[folded] = label


def _from_table(table: pa.Table) -> Door:
    names = [str(name) for name in table.column_names]
    check_names(names)
    columns = [
        Source(name, column.type, stored_type(column.type), stored(column))
        for name, column in zip(names, table.columns, strict=True)
    ]
    return Door(columns, table.num_rows, lambda position: position)


def _from_stream(reader: pa.RecordBatchReader) -> Door:
    check_names(reader.schema.names)
    columns = [Source(field.name, field.type, stored_type(field.type)) for field in reader.schema]
    return Door(columns, None, lambda position: position, reader)


def _from_frame(frame: pd.DataFrame, *, index: bool) -> Door:
    pairs = list(_index_columns(frame)) if index else []
    pairs += [(_name(label), frame.iloc[:, position]) for position, label in enumerate(frame.columns)]
    index_names = [name for name, _ in pairs[: len(pairs) - frame.shape[1]]]
    check_names([name for name, _ in pairs], [*index_names, *frame.columns])
    labels = frame.index
    return Door(
        [from_series(name, series) for name, series in pairs], len(frame), lambda position: label_at(labels, position)
    )


def _name(label: object) -> str:
    if isinstance(label, str):
        return str(label)
    if isinstance(label, int | np.integer) and not isinstance(label, bool | np.bool_):
        with contextlib.suppress(ValueError):  # of an int of thousands of digits
            return str(label)
    if isinstance(label, tuple):
        raise ColumnNameError(
            f"Column {shown(label)} has a name of several levels. Make one of them:"
            ' df.columns = [" ".join(map(str, name)) for name in df.columns].'
        )
    raise ColumnNameError(
        f"Column name {shown(label)} is not text. Rename it: df.rename(columns={{{shown(label)}: '…'}})."
    )


def _index_columns(frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series[Any]]]:
    """The index's levels, named as ``reset_index`` names them."""
    # Without names, for pandas would take a level's number for the name of another that is called so.
    unnamed = frame.index.set_names([None] * frame.index.nlevels)
    for level in range(frame.index.nlevels):
        name = frame.index.names[level]
        if name is None:
            name = "index" if frame.index.nlevels == 1 and "index" not in frame.columns else f"level_{level}"
        values = unnamed.get_level_values(level)
        yield _name(name), pd.Series(values.array, index=frame.index, dtype=values.dtype)


def warn_of_index(obj: object) -> None:
    """Warn if a frame's index, which is not sent, carries data: named, of several levels, or of no whole numbers."""
    if not isinstance(obj, pd.DataFrame):
        return
    index = obj.index
    plain = index.nlevels == 1 and index.name is None and (len(index) == 0 or index.dtype.kind in "iu")
    if not plain:
        names = ", ".join(shown(name) for name in index.names if name is not None) or f"of {index.dtype}"
        warnings.warn(
            f"The index ({names}) is not sent. Pass index=True to send it as columns, or df.reset_index(drop=True).",
            IndexNotSentWarning,
            stacklevel=_levels_above_package(),
        )


def _levels_above_package() -> int:
    """How far up the user's own line is."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "pandas_clicdata":
        frame, level = frame.f_back, level + 1
    return level
