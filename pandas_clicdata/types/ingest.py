"""Convert any frame-like object, or an iterable of them, to named Arrow columns."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._checks import did_you_mean
from pandas_clicdata._models import OnBadValues
from pandas_clicdata.errors import (
    CellValueError,
    ColumnMismatchError,
    ColumnNameError,
    FrameError,
    UnsupportedTypeError,
)
from pandas_clicdata.types import pieces
from pandas_clicdata.types.encode import (
    DURATION_NOTE,
    FINER_THAN_NANOSECONDS,
    HAS_NANOSECONDS,
    LARGEST_EXPONENT,
    LONGEST_NUMBER,
    NOT_FINITE,
    OUTSIDE_DATETIMES,
    TEXT,
    TIME_NOTE,
    TOO_LONG,
    Nulled,
    RowLabels,
    chunked,
    duration_text,
    offered,
    period_text,
    python_value,
    short_repr,
)
from pandas_clicdata.types.infer import is_object_dtype
from pandas_clicdata.types.json_text import has_json_text

_MAX_FAULTS = 20
_MAX_LABELS = 5
_CHECKED_ROWS = 10_000
_VALUES_AHEAD = 1_000_000
_FIRST_TOO_LONG = 10**LONGEST_NUMBER
_NANOSECONDS = f"{HAS_NANOSECONDS}.map(lambda value: pd.Timestamp(value).round('us'), na_action='ignore')."

MIXED_NUMBERS, AWARE_DATETIMES = "numbers of several kinds", "datetimes with time zones"
"""The ``object_type`` of Python objects that have no type in common."""


@dataclass(frozen=True)
class SourceColumn:
    """One column of the data to send.

    Attributes
    ----------
    name : str
        Name of the column.
    dtype : dtype
        The dtype of pandas or type of Arrow, as the user sees it.
    arrow_type : pyarrow.DataType
        Arrow type of the values.
    values : pyarrow.ChunkedArray or None
        The values; None for a stream, whose batches bring them, and with ``part``.
    numerals : bool
        Whether the values are numbers as text, because no Arrow type holds them as written.
    note : str
        How the values were converted, for ``schema()``.
    fault : FrameError or None
        Error if the column cannot be sent.
    objects : callable or None
        Function that returns the values as Python objects, for a column that can be sent only as JSON text.
    object_type : object
        For Python objects: their type, or a dtype that holds all of them.
    part : callable or None
        Function that returns the text in the rows from a position to another. Text in Python objects or categories is
        converted when it is sent, because as a whole it may need as much memory as the frame.
    on_bad_values : {"raise", "null"} or None
        What to do with values that ClicData cannot hold; None if they can only be refused.
    nulled : Nulled or None
        Such values that are null in ``values`` already.
    """

    name: str
    dtype: Any
    arrow_type: pa.DataType
    values: pa.ChunkedArray | None = None
    numerals: bool = False
    note: str = ""
    fault: FrameError | None = None
    objects: Callable[[], Sequence[object]] | None = None
    object_type: Any = None
    part: Callable[[int, int], pa.ChunkedArray] | None = None
    on_bad_values: OnBadValues | None = None
    nulled: Nulled | None = None


def plain_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decode dictionary and run-end encodings, and views of text."""
    if pa.types.is_dictionary(values.type):
        # One by one, because Arrow cannot cast every dictionary to its values.
        decoded = [
            plain_values(pa.chunked_array([chunk.dictionary])).combine_chunks().take(chunk.indices)
            for chunk in values.chunks
        ]
        return pa.chunked_array(decoded, plain_type(values.type))
    if pa.types.is_run_end_encoded(values.type):
        return plain_values(pa.chunked_array(map(_decode_run_ends, values.chunks), values.type.value_type))
    if pa.types.is_string_view(values.type):
        try:
            return values.cast(TEXT)
        except pa.ArrowNotImplementedError:
            # pyarrow 16 has the type, but cannot cast it.
            return chunked(values.to_pylist(), TEXT)
    return values


def _decode_run_ends(chunk: pa.RunEndEncodedArray) -> pa.Array:
    try:
        return pc.run_end_decode(chunk)
    except pa.ArrowNotImplementedError:
        # Arrow decodes only some types.
        return pa.array(chunk.to_pylist(), chunk.type.value_type)


def plain_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type of what :func:`plain_values` returns."""
    if pa.types.is_dictionary(arrow_type) or pa.types.is_run_end_encoded(arrow_type):
        return plain_type(arrow_type.value_type)
    return TEXT if pa.types.is_string_view(arrow_type) else arrow_type


def column_from_series(
    name: str, series: pd.Series[Any], *, in_parts: bool = False, on_bad_values: OnBadValues | None = None
) -> SourceColumn:
    """Convert a pandas column to Arrow; a column that cannot be sent has a ``fault``.

    With ``in_parts``, text in Python objects or categories has ``part`` instead of ``values``.
    """
    column = _converted(name, series, in_parts, on_bad_values)
    return column if on_bad_values is None else replace(column, on_bad_values=on_bad_values)


def _converted(name: str, series: pd.Series[Any], in_parts: bool, on_bad_values: OnBadValues | None) -> SourceColumn:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_category(name, series, in_parts=in_parts, on_bad_values=on_bad_values)
    if isinstance(dtype, pd.SparseDtype):
        dense = pd.Series(series.array.to_dense(), index=series.index, dtype=dtype.subtype)
        return replace(_converted(name, dense, False, on_bad_values), dtype=dtype)
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        return _from_objects(name, series.astype(object), dtype, on_bad_values=on_bad_values)
    if is_object_dtype(dtype):
        return _from_objects(name, series, in_parts=in_parts, on_bad_values=on_bad_values)
    if isinstance(series.index.dtype, pd.ArrowDtype):
        # pandas asks the index for the attributes of a Series, and fails if its Arrow type has no Python type.
        series = pd.Series(series.array, dtype=dtype)
    try:
        values = plain_values(_as_chunked(pa.array(series, from_pandas=True)))
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, AttributeError):
        # Arrow has no such type; or, with AttributeError, pyarrow 16 does not know a time zone of dateutil.
        return _from_objects(name, series.astype(object), dtype, on_bad_values=on_bad_values)
    return SourceColumn(name, dtype, values.type, values)


class _UnsendableValue(Exception):
    """A value that cannot be sent.

    Attributes
    ----------
    position : int
        Position of the value in its column.
    reason : str
        What is wrong with it.
    error : type
        UnsupportedTypeError if its kind cannot be sent, CellValueError if this value cannot.
    """

    def __init__(self, position: int, reason: str, *, kind: bool = False) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason
        self.error = UnsupportedTypeError if kind else CellValueError


def _from_category(
    name: str, series: pd.Series[Any], *, in_parts: bool, on_bad_values: OnBadValues | None
) -> SourceColumn:
    """Decode categories in their own dtype, so that categories of numbers are numbers."""
    # The dtype stops pandas from inferring another among objects, of which pandas 2 warns.
    listed = series.cat.categories
    categories = column_from_series(name, pd.Series(listed, dtype=listed.dtype))
    if categories.fault is not None or categories.values is None:
        # From the objects, because the error names a row and categories have none.
        return _from_objects(name, series.astype(object), series.dtype, on_bad_values=on_bad_values)
    codes, listed_values = series.cat.codes.to_numpy(), categories.values.combine_chunks()

    def part(start: int, stop: int) -> pa.ChunkedArray:
        chosen = codes[start:stop]
        return _as_chunked(listed_values.take(pa.array(chosen, pa.int64(), mask=chosen < 0)))

    if in_parts and listed_values.type in (pa.string(), TEXT):
        return replace(categories, dtype=series.dtype, values=None, part=part)
    return replace(categories, dtype=series.dtype, values=part(0, len(codes)))


def _from_objects(
    name: str,
    series: pd.Series[Any],
    dtype: Any = None,
    *,
    in_parts: bool = False,
    on_bad_values: OnBadValues | None = None,
) -> SourceColumn:
    """Convert Python objects of one kind; a column of several kinds has a ``fault``."""
    dtype = series.dtype if dtype is None else dtype
    objects = _objects(series)

    def part(start: int, stop: int) -> pa.ChunkedArray:
        return chunked(_objects(series.iloc[start:stop]), TEXT)

    labels = RowLabels(series.index)
    bad: list[int] | None = [] if on_bad_values == "null" else None
    try:
        column = _of_one_kind(name, dtype, objects, part if in_parts else None, bad)
        if not bad:
            return column
        first = f"row {labels.text(bad[0])}: {short_repr(objects[bad[0]])}"
        return replace(column, nulled=Nulled(len(bad), first))
    except _UnsendableValue as exc:
        value = objects[exc.position]
        shown = short_repr(value)
        reason = exc.reason if exc.error is not CellValueError else offered(exc.reason, on_bad_values)
        fault: FrameError = exc.error(
            f"Column {name!r}, row {labels.text(exc.position)}: {shown} ({type(value).__name__})"
            f" {labels.explain(reason, name, exc.position)}",
            column=name,
            row=labels(exc.position),
            value=shown,
        )
        return SourceColumn(name, dtype, pa.null(), fault=fault, objects=lambda: objects)


def _objects(series: pd.Series[Any]) -> list[Any]:
    return [None if missing else value for value, missing in zip(series, _missing(series), strict=True)]


def _missing(series: pd.Series[Any]) -> Sequence[bool]:
    try:
        return series.isna().to_list()
    except InvalidOperation:
        # pandas detects NaN by comparison, which a signalling NaN refuses.
        quiet = [None if isinstance(value, Decimal) and value.is_snan() else value for value in series]
        return pd.Series(quiet, dtype=object).isna().to_list()


def _of_one_kind(
    name: str,
    dtype: Any,
    objects: list[Any],
    part: Callable[[int, int], pa.ChunkedArray] | None,
    bad: list[int] | None,
) -> SourceColumn:
    """Convert Python objects; positions of values that cannot be sent are added to ``bad``, which is None to raise."""
    kinds = {_kind(value_type) for value_type in set(map(type, objects)) - {type(None)}}
    if not kinds:
        return SourceColumn(name, dtype, pa.null(), chunked(objects, pa.null()))
    kind = kinds.pop()
    if not kinds:
        if kind is str:
            values = None if part is not None and _is_sendable(objects) else _unicode(objects, bad)
            return SourceColumn(name, dtype, TEXT, values, object_type=str, part=None if values is not None else part)
        if kind is bool:
            booleans = chunked(_each(objects, bool), pa.bool_())
            return SourceColumn(name, dtype, pa.bool_(), booleans, object_type=bool)
        if kind is float:
            return _from_numbers(name, dtype, objects, bad)
        if kind is dt.date:
            return SourceColumn(name, dtype, pa.date32(), chunked(objects, pa.date32()), object_type=dt.date)
        if kind is dt.datetime:
            return _from_datetimes(name, dtype, objects, bad)
        if kind in _TEXT_OF:
            write, note = _TEXT_OF[kind]
            texts = _texts(objects, write, bad)
            return SourceColumn(name, dtype, TEXT, texts, note=note, object_type=_object_type(kind, objects))
    raise _kind_error(objects)


def _object_type(kind: type, objects: list[Any]) -> Any:
    """Return the kind; for periods and intervals the dtype of all of them, or None if they have several."""
    if kind not in (pd.Period, pd.Interval):
        return kind
    try:
        return pd.PeriodIndex(objects).dtype if kind is pd.Period else pd.arrays.IntervalArray(objects).dtype
    except (TypeError, ValueError):
        return None


def _from_numbers(name: str, dtype: Any, objects: list[Any], bad: list[int] | None) -> SourceColumn:
    numerals = _texts(objects, _number_text, bad)
    if bad:
        objects = [*objects]
        for position in bad:
            objects[position] = None
    kinds = {_number_kind(value) for value in objects if value is not None}
    if kinds == {int}:
        with contextlib.suppress(OverflowError, pa.ArrowInvalid):
            return SourceColumn(name, dtype, pa.int64(), chunked(_each(objects, int), pa.int64()), object_type=int)
    if kinds == {float}:
        floats = chunked(_each(objects, float), pa.float64())
        return SourceColumn(name, dtype, pa.float64(), floats, object_type=float)
    object_type = int if kinds == {int} else Decimal if float not in kinds else MIXED_NUMBERS
    return SourceColumn(name, dtype, TEXT, numerals, numerals=True, object_type=object_type)


def _number_kind(value: object) -> type:
    return int if isinstance(value, Integral) else Decimal if isinstance(value, Decimal) else float


def _number_text(value: Any) -> str:
    """Write a number with every digit.

    Raises
    ------
    ValueError
        JSON has no such number, or it is too long.
    """
    kind = _number_kind(value)
    if kind is int:
        if abs(int(value)) >= _FIRST_TOO_LONG:
            raise ValueError(TOO_LONG)
        return str(int(value))
    if kind is float:
        double = float(value)
        if double != value:
            raise ValueError("has more digits than a float64 holds. Round it first: df[…] = df[…].astype('float64').")
        text = repr(double)
    else:
        # The text of a plain Decimal, because a subclass may define another.
        text = str(Decimal(value))
    if not (value.is_finite() if kind is Decimal else math.isfinite(value)):
        raise ValueError(NOT_FINITE)
    if kind is Decimal and (len(text) > LONGEST_NUMBER or abs(value.adjusted()) > LARGEST_EXPONENT):
        raise ValueError(TOO_LONG)
    return text


def _is_sendable(texts: list[Any]) -> bool:
    try:
        for start in range(0, len(texts), _CHECKED_ROWS):
            pa.array(texts[start : start + _CHECKED_ROWS], TEXT)
    except UnicodeEncodeError:
        return False
    return True


def _unicode(objects: list[Any], bad: list[int] | None) -> pa.ChunkedArray:
    try:
        return chunked(objects, TEXT)
    except UnicodeEncodeError:
        return _texts(objects, _checked_unicode, bad)


def _checked_unicode(value: str) -> str:
    if not _is_unicode(value):
        raise ValueError(
            "contains half of a surrogate pair, which is not valid Unicode. Replace it first: df[…] ="
            " df[…].map(lambda text: text.encode('utf-8', 'replace').decode(), na_action='ignore')."
        )
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _from_datetimes(name: str, dtype: Any, objects: list[Any], bad: list[int] | None) -> SourceColumn:
    first = {_is_aware(value): position for position, value in reversed(list(enumerate(objects))) if value is not None}
    if len(first) > 1:
        raise _UnsendableValue(
            max(first.values()),
            "has a time zone and other values have none, or the reverse. Convert all to UTC: df[…] ="
            " pd.to_datetime(df[…], utc=True).",
            kind=True,
        )
    aware = True in first
    arrow_type = pa.timestamp("us", "UTC" if aware else None)
    values = chunked(_each(objects, _utc_datetime, bad), arrow_type)
    return SourceColumn(name, dtype, arrow_type, values, object_type=AWARE_DATETIMES if aware else dt.datetime)


def _is_aware(value: Any) -> bool:
    return getattr(value, "tzinfo", None) is not None


def _utc_datetime(value: Any) -> dt.datetime:
    """Convert a datetime to a Python datetime in UTC, which holds every value that ClicData holds."""
    if isinstance(value, np.datetime64):
        if np.datetime_data(value.dtype)[0] in FINER_THAN_NANOSECONDS:
            # NumPy overflows when it converts these units.
            raise ValueError(
                "is in a unit finer than nanoseconds. Convert it first: df[…] = df[…].map(lambda value:"
                " value.astype('datetime64[us]'), na_action='ignore')."
            )
        if not 1 <= int(value.astype("datetime64[Y]").astype(int)) + 1970 <= 9999:
            raise ValueError(OUTSIDE_DATETIMES)
        micros = value.astype("datetime64[us]")
        if micros != value:
            raise ValueError(_NANOSECONDS)
        converted: dt.datetime = micros.item()
        return converted
    if isinstance(value, pd.Timestamp) and value.nanosecond:
        raise ValueError(_NANOSECONDS)
    plain: dt.datetime = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
    try:
        return plain.astimezone(dt.UTC) if _is_aware(plain) else plain
    except OverflowError:
        raise ValueError(OUTSIDE_DATETIMES) from None


_TEXT_OF: Mapping[type, tuple[Callable[[Any], str], str]] = {
    dt.time: (dt.time.isoformat, TIME_NOTE),
    dt.timedelta: (duration_text, DURATION_NOTE),
    pd.Period: (period_text, "a period, written as in pandas"),
    pd.Interval: (str, "an interval, written as in pandas"),
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
"""Kinds of Python objects, and the types of each. The first match counts, because bool and np.timedelta64 are also
integers, and a datetime is also a date."""


def _kind(value_type: type) -> type:
    return next((kind for kind, types in _KINDS if issubclass(value_type, types)), value_type)


def _kind_error(objects: list[Any]) -> _UnsendableValue:
    """Describe the first value of another kind than those before it, or the first of a kind without ClicData type."""
    present = [(position, _kind(type(value))) for position, value in enumerate(objects) if value is not None]
    first = present[0]
    position, kind = next((each for each in present if each[1] is not first[1]), first)
    if kind is first[1]:
        what, remedy = "has no ClicData type.", "Convert the column to text: df[…] = df[…].astype('string')"
    elif {kind, first[1]} == {dt.date, dt.datetime}:
        what, remedy = (
            "is of another kind than the values before it.",
            "Convert all values to datetimes: df[…] = pd.to_datetime(df[…])",
        )
    else:
        what, remedy = (
            "is of another kind than the values before it.",
            "Convert all values to text: df[…] = df[…].astype('string')",
        )
    # As JSON, text gets quotes, which a dashboard shows.
    if all(has_json_text(value) and not isinstance(value, str) for value in objects if value is not None):
        remedy += "; or send each value as JSON text: column_types={…: 'text'}"
    return _UnsendableValue(position, f"{what} {remedy}.", kind=True)


def _each(objects: list[Any], convert: Callable[[Any], Any], bad: list[int] | None = None) -> list[Any]:
    """Convert every value except None; one that cannot be converted is None, and its position is added to ``bad``.

    Raises
    ------
    _UnsendableValue
        ``convert`` raises a ValueError, and ``bad`` is None.
    """
    converted: list[Any] = []
    for position, value in enumerate(objects):
        try:
            converted.append(None if value is None else convert(value))
        except ValueError as exc:
            if bad is None:
                raise _UnsendableValue(position, str(exc)) from exc
            converted.append(None)
            bad.append(position)
    return converted


def _texts(objects: list[Any], write: Callable[[Any], str], bad: list[int] | None) -> pa.ChunkedArray:
    return chunked(_each(objects, write, bad), TEXT)


def _as_chunked(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


@dataclass(frozen=True)
class Source:
    """The data to send.

    Attributes
    ----------
    columns : sequence of SourceColumn
        The columns.
    rows : int or None
        Number of rows; None for a stream.
    label : RowLabels
        The labels of the rows.
    stream : Stream or None
        The rows of a stream.
    levels : mapping of str to object
        The columns that are levels of the index, and the name of each level; None if the level has no name.
    optional : sequence of str
        Those of the levels that an existing table need not have, because the caller did not ask for them.
    index_faults : sequence of ColumnNameError
        Errors of levels that are not asked for and that cannot be columns because of their names.
    """

    columns: Sequence[SourceColumn]
    rows: int | None
    label: RowLabels
    stream: Stream | None = None
    levels: Mapping[str, object] = field(default_factory=dict)
    optional: Sequence[str] = ()
    index_faults: Sequence[ColumnNameError] = ()


@dataclass(frozen=True)
class Piece:
    """Some rows of a stream.

    Attributes
    ----------
    source : Source
        The rows, which are in memory.
    number : int or None
        The number of the frame in the iterable, for errors; None for a batch of a reader and for dicts.
    """

    source: Source
    number: int | None = None


class Stream:
    """The pieces of a stream, which can be taken once.

    Parameters
    ----------
    pieces : iterable of Piece
        The pieces, each with the columns of the first one.
    varies : bool
        Whether the Arrow types of a column may differ between pieces.
    in_memory : bool, default False
        Whether the frames are in memory anyway, so that they can be read before the first request.
    """

    def __init__(self, pieces: Iterable[Piece], *, varies: bool, in_memory: bool = False) -> None:
        self.varies = varies
        self.in_memory = in_memory
        self.held: deque[Piece] = deque()
        """The pieces that were read ahead, and remain part of the stream."""
        self._rest = iter(pieces)

    def read_ahead(self) -> Piece | None:
        """Read one more piece, which remains part of the stream; None at its end."""
        piece = next(self._rest, None)
        if piece is not None:
            self.held.append(piece)
        return piece

    def __iter__(self) -> Iterator[Piece]:
        while self.held:
            yield self.held.popleft()
        yield from self._rest


@dataclass(frozen=True)
class _Handling:
    """How to convert data, as in the parameters of :func:`as_source`."""

    index: bool | None
    on_bad_values: OnBadValues | None
    keys: Collection[str]

    def of(self, name: str) -> OnBadValues | None:
        """Return what to do with the bad values of a column that is no level of the index."""
        return None if name in self.keys else self.on_bad_values


def as_source(
    obj: object,
    *,
    index: bool | None = False,
    on_bad_values: OnBadValues | None = None,
    keys: Collection[str] = (),
) -> Source:
    """Convert data to named Arrow columns.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatchReader, object of Arrow, list of dict or iterable of these
        The data. An object without length is read as a stream, as are data sets and iterables of frames.
    index : bool or None, default False
        Whether to send the index of a DataFrame as columns; None if it carries data.
    on_bad_values : {"raise", "null"}, optional
        What to do with values that ClicData cannot hold. Default: refuse them, and offer no choice.
    keys : collection of str
        Columns whose values are never replaced by null. The levels of the index are not either.

    Returns
    -------
    Source
        The columns; those that cannot be sent have a ``fault``.

    Raises
    ------
    TypeError
        The object is not frame-like, or ``index`` is True and it has no index.
    ColumnNameError
        A column name is blank, is not text, or equals another but for case or surrounding spaces.
    FrameError
        An iterable has no frame, or an earlier call has read it.
    """
    how = _Handling(index, on_bad_values, keys)
    frames = pieces.lazy_frames(obj)
    if frames is not None:
        return _from_pieces(frames, type(obj).__name__, how)
    source = _from_one_frame(obj, how)
    if source is not None:
        return source
    frames, in_memory = pieces.frames_in(obj)
    return _from_pieces(frames, type(obj).__name__, how, in_memory=in_memory)


def _from_one_frame(obj: Any, how: _Handling) -> Source | None:
    """Convert an object that is one frame or one reader; None for another object."""
    if isinstance(obj, pd.DataFrame):
        return _from_frame(obj, how)
    records = obj if isinstance(obj, pieces.Records) else pieces.records_of(obj)
    data = obj if records is not None else _arrow_data(obj)
    if data is None:
        return None
    if how.index:
        raise TypeError(f"index=True needs a DataFrame; a {type(obj).__name__} has no index. Remove index=True.")
    if records is not None:
        return _from_records(records, how)
    return _from_table(data, how) if isinstance(data, pa.Table) else _from_reader(data, how)


def _arrow_data(obj: Any) -> pa.Table | pa.RecordBatchReader | None:
    """Return an object as a table of Arrow, or as a reader if its rows are not in memory; None for another object."""
    if isinstance(obj, pa.Table | pa.RecordBatchReader):
        return obj
    if isinstance(obj, pd.Series | pa.ChunkedArray):
        return None
    try:
        if hasattr(obj, "__arrow_c_stream__"):
            reader = pa.RecordBatchReader.from_stream(obj)
            # An object with a length is in memory, so all its values can be checked before the first request.
            return reader.read_all() if hasattr(obj, "__len__") else reader
        if hasattr(obj, "__arrow_c_array__"):
            return pa.Table.from_batches([pa.record_batch(obj)])
    except pa.ArrowInvalid as exc:
        raise _import_error(obj, exc) from exc
    return pieces.reader_of(obj)


def _import_error(obj: Any, exc: pa.ArrowInvalid) -> Exception:
    """Describe why pyarrow cannot read an object with ``__arrow_c_stream__``."""
    kind = type(obj).__name__
    if "non-struct" in str(exc):
        return TypeError(f"A {kind} has no columns. Convert it to a frame, such as series.to_frame(). ({exc})")
    unknown = []
    for name in getattr(obj, "columns", ()):
        try:
            pa.RecordBatchReader.from_stream(obj[[name]])
        except pa.ArrowInvalid:
            unknown.append(f"{name!r} ({getattr(obj[name], 'dtype', 'unknown type')})")
        except Exception:  # noqa: BLE001 - not every frame selects columns in this way
            break
    which = f" {', '.join(unknown)}" if unknown else ""
    return UnsupportedTypeError(
        f"A column of the {kind} has a type that pyarrow {pa.__version__} does not read:{which or f' {exc}'}. Convert"
        " it first, for example to Int64, a decimal or text."
    )


def check_names(
    names: Sequence[str], labels: Sequence[object] | None = None, faults: Sequence[FrameError] = ()
) -> None:
    """Check that a table can have columns of these names.

    Parameters
    ----------
    names : sequence of str
        The names as text.
    labels : sequence of object, optional
        The names as the user wrote them, for errors.
    faults : sequence of FrameError
        Errors of other names, which the message lists, too.

    Raises
    ------
    ColumnNameError
        There is no name, one is blank or not valid Unicode, or two are equal but for case or surrounding spaces.
    """
    if not names and not faults:
        raise ColumnNameError("The data has no columns; a table needs at least one.")
    known: dict[str, object] = {}
    faults = [*faults]
    for name, label in zip(names, labels or names, strict=True):
        rename = f"Rename it: df = df.rename(columns={{{name!r}: '…'}})."
        folded = name.strip().casefold()
        if not folded:
            faults.append(
                ColumnNameError(f"A column is named {name!r}; a column in ClicData needs a name. {rename}", column=name)
            )
        elif not _is_unicode(name):
            faults.append(ColumnNameError(f"Column name {name!r} is not valid Unicode text. {rename}", column=name))
        elif folded in known:
            what = f"Columns {known[folded]!r} and {label!r} differ only in case or spaces"
            what = f"Column {label!r} occurs twice" if known[folded] == label else what
            faults.append(
                ColumnNameError(
                    f"{what}; ClicData may treat the names as one. Rename a column: df.columns = ['…', '…'].",
                    column=name,
                )
            )
        else:
            known[folded] = label
    # A name that occurs three times has two equal errors.
    raise_faults([*{str(fault): fault for fault in faults}.values()])


def raise_faults(faults: Sequence[FrameError]) -> None:
    """Raise the first of some errors, with a message that describes each."""
    if not faults:
        return
    # A copy, because the fault of a column is raised whenever its source is planned.
    first = copy.copy(faults[0])
    if len(faults) > 1:
        lines = [f"{len(faults):,} columns cannot be sent:", *(f"- {fault}" for fault in faults[:_MAX_FAULTS])]
        if len(faults) > _MAX_FAULTS:
            others = ", ".join(repr(fault.column) for fault in faults[_MAX_FAULTS:])
            lines.append(f"- and {others}; see df.clicdata.schema()")
        first.args = ("\n".join(lines),)
    raise first


def _from_table(table: pa.Table, how: _Handling) -> Source:
    names = [str(name) for name in table.column_names]
    check_names(names)
    columns = [
        SourceColumn(name, column.type, plain_type(column.type), plain_values(column), on_bad_values=how.of(name))
        for name, column in zip(names, table.columns, strict=True)
    ]
    return Source(columns, table.num_rows, RowLabels())


def _from_reader(reader: pa.RecordBatchReader, how: _Handling) -> Source:
    check_names(reader.schema.names)
    pieces.refuse_begun(reader)
    columns = [
        SourceColumn(field.name, field.type, plain_type(field.type), on_bad_values=how.of(field.name))
        for field in reader.schema
    ]

    def batches() -> Iterator[Piece]:
        pieces.mark_begun(reader)
        at = 0
        for batch in reader:
            filled = [
                replace(column, values=plain_values(pa.chunked_array([array])))
                for column, array in zip(columns, batch.columns, strict=True)
            ]
            yield Piece(Source(filled, batch.num_rows, RowLabels(first=at)))
            at += batch.num_rows

    return Source(columns, None, RowLabels(), Stream(batches(), varies=False))


def _from_records(records: pieces.Records, how: _Handling) -> Source:
    """Convert dicts; a row that lacks a column has null in it."""
    names: dict[Any, None] = {}
    for at, row in enumerate(records.rows, records.first):
        if not isinstance(row, Mapping):
            raise TypeError(
                f"Row {at} is a {type(row).__name__}, and the first row is a dict. Pass only dicts, or a DataFrame."
            )
        # Nearly every row has the same columns as the row before.
        if row.keys() != names.keys():
            names |= dict.fromkeys(row)
    labels = pd.RangeIndex(records.first, records.first + len(records.rows))
    columns = {at: pd.Series([row.get(name) for row in records.rows], labels, object) for at, name in enumerate(names)}
    frame = pd.DataFrame(columns, labels)
    frame.columns = pd.Index([*names], dtype=object, tupleize_cols=False)
    return _from_frame(frame, replace(how, index=False))


def in_piece(exc: FrameError, number: int | None) -> FrameError:
    """Return an error that names the piece in which it occurred."""
    if number is None:
        return exc
    # A copy, because the fault of a column is raised whenever its source is planned.
    named = copy.copy(exc)
    named.args = (f"Piece {number:,}: {exc}",)
    named.piece = number
    return named


def _from_pieces(frames: Iterator[object], kind: str, how: _Handling, *, in_memory: bool = False) -> Source:
    """Read the first frames. The first one determines the columns, and the first value of a column its type."""
    stream = Stream(_pieces(frames, how), varies=True, in_memory=in_memory)
    first = piece = stream.read_ahead()
    if first is None:
        raise FrameError(f"No frame in the {kind} has columns, so there is nothing to send.")
    columns = {column.name: column for column in first.source.columns}
    undecided = {*columns}
    seen = 0
    while piece is not None:
        for column in piece.source.columns:
            if column.name in undecided and has_values(column, piece.source.rows):
                undecided.discard(column.name)
                fault = None if column.fault is None else in_piece(column.fault, piece.number)
                columns[column.name] = replace(column, fault=fault)
        seen += (piece.source.rows or 0) * len(columns)
        # Without a value, nothing shows the type of a column. But the memory must not fill with pieces.
        piece = stream.read_ahead() if undecided and (in_memory or seen < _VALUES_AHEAD) else None
    # Without the values, so that the pieces are freed when they are sent.
    without_values = [replace(column, values=None, part=None, objects=None) for column in columns.values()]
    return replace(first.source, columns=without_values, rows=None, label=RowLabels(), stream=stream)


def _pieces(frames: Iterator[object], how: _Handling) -> Iterator[Piece]:
    """Yield the frames with rows, each with the columns of the first frame."""
    first: list[str] | None = None
    for number, frame in pieces.numbered(frames):
        if _is_nothing(frame):
            continue
        shown = None if isinstance(frame, pieces.Records) else number
        try:
            source = _from_one_frame(frame, how)
        except FrameError as exc:
            raise in_piece(exc, shown) from None
        except TypeError as exc:
            raise TypeError(f"Piece {number:,}: {exc}" if shown is not None else str(exc)) from None
        if source is None:
            raise TypeError(f"Piece {number:,}: {pieces.refusal(frame)}")
        parts = [Piece(source, shown)] if source.stream is None else (replace(p, number=shown) for p in source.stream)
        is_records = isinstance(frame, pieces.Records | list | tuple)
        for part in parts:
            if first is None:
                first = [column.name for column in part.source.columns]
            elif not part.source.rows:
                continue
            try:
                yield replace(part, source=_with_columns_of(first, part.source, fill=is_records))
            except FrameError as exc:
                raise in_piece(exc, shown) from None


def _is_nothing(frame: object) -> bool:
    """Return whether a frame has neither rows nor columns."""
    if isinstance(frame, pd.DataFrame):
        return not len(frame) and not len(frame.columns)
    return isinstance(frame, list | tuple) and not frame


def _with_columns_of(names: Sequence[str], source: Source, *, fill: bool) -> Source:
    """Return a piece with the columns of the first one; with ``fill``, a column that is missing has nulls.

    Raises
    ------
    ColumnMismatchError
        It has other columns.
    """
    columns = {column.name: column for column in source.columns}
    extra = [name for name in columns if name not in names]
    missing = [] if fill else [name for name in names if name not in columns]
    if extra or missing:
        what, row = "row" if fill else "piece", None
        parts = [f"missing: {', '.join(map(repr, missing[:_MAX_LABELS]))}"] if missing else []
        if extra:
            values = values_of(columns[extra[0]], source.rows)
            at = next((at for at, value in enumerate(values) if value.is_valid), None)
            where = "" if at is None else f" (row {source.label.text(at)}: {short_repr(python_value(values[at]))})"
            row = None if at is None else source.label(at)
            parts.append(f"new: {', '.join(map(repr, extra[:_MAX_LABELS]))}{where}")
        hint = did_you_mean(extra[0], missing) if extra else ""
        raise ColumnMismatchError(
            f"The columns differ from those of the first {what}{'s' * fill}: {'; '.join(parts)}.{hint} Rename or drop a"
            f" column, or give it to each {what}, with None where there is no value.",
            missing=missing,
            extra=extra,
            column=[*extra, *missing][0],
            row=row,
        )
    nulls = chunked([None] * (source.rows or 0), pa.null()) if len(columns) < len(names) else None
    return replace(
        source, columns=[columns.get(name) or SourceColumn(name, "object", pa.null(), nulls) for name in names]
    )


def values_of(column: SourceColumn, rows: int | None) -> pa.ChunkedArray:
    """Return the values of a column; empty if it has Python objects, which its encoder reads itself."""
    if column.part is not None:
        return column.part(0, rows or 0)
    return column.values if column.values is not None else pa.chunked_array([], pa.null())


def has_values(column: SourceColumn, rows: int | None) -> bool:
    """Return whether a column has a value besides nulls and NaN; also true if it cannot be sent."""
    if column.fault is not None:
        return True
    values = values_of(column, rows)
    if pa.types.is_floating(values.type) and not pa.types.is_float16(values.type):
        return bool(pc.any(pc.invert(pc.is_nan(values))).as_py())
    return bool(values.null_count < len(values))


def _from_frame(frame: pd.DataFrame, how: _Handling) -> Source:
    # Without its attrs, of which pandas makes a deep copy for each column and each result.
    frame = pd.DataFrame(frame)
    _check_labels(frame.columns)
    index = how.index
    sends_index = index or (index is None and _carries_data(frame.index))
    # A level that equals a column is sent as this column.
    own = {_level_name(frame, *each) for each in enumerate(frame.index.names)} if sends_index else set()
    columns = {}
    for position, name in enumerate(map(str, frame.columns)):
        series, on_bad_values = frame.iloc[:, position], None if name in own else how.of(name)
        columns[position] = column_from_series(name, series, in_parts=True, on_bad_values=on_bad_values)
    names = [column.name for column in columns.values()]
    levels: dict[str, tuple[object, pd.Series[Any]]] = {}
    faults: list[ColumnNameError] = []
    if sends_index:
        levels, conflicts, faults = _levels(frame, names)
        for position, fault in conflicts.items():
            columns[position] = replace(columns[position], fault=fault)
    refused = faults if index or not names else []
    check_names([*levels, *names], [*levels, *frame.columns], refused)
    return Source(
        [
            *(column_from_series(name, series, in_parts=True) for name, (_, series) in levels.items()),
            *columns.values(),
        ],
        len(frame),
        RowLabels(frame.index),
        levels={name: label for name, (label, _) in levels.items()},
        optional=() if index else [*levels],
        index_faults=faults,
    )


def _check_labels(labels: Iterable[object]) -> None:
    """Refuse labels of columns that are neither text nor integers.

    Raises
    ------
    ColumnNameError
        The message shows the first of these labels and says how many there are.
    """
    refused = [label for label in labels if not _is_name(label)]
    if not refused:
        return
    shown = ", ".join(map(short_repr, refused[:_MAX_LABELS]))
    if len(refused) > _MAX_LABELS:
        shown += f" and {len(refused) - _MAX_LABELS:,} more"
    several = len(refused) > 1
    if all(isinstance(label, tuple) for label in refused):
        raise ColumnNameError(
            f"{f'Columns {shown} have names' if several else f'Column {shown} has a name'} of several levels. Join the"
            ' levels: df.columns = [" ".join(map(str, name)) for name in df.columns].'
        )
    raise ColumnNameError(
        f"{f'Column names {shown} are' if several else f'Column name {shown} is'} not text. Make all names text:"
        " df.columns = [str(name) for name in df.columns]"
    )


def _is_name(label: object) -> bool:
    if isinstance(label, int | np.integer) and not isinstance(label, bool | np.bool_):
        try:
            str(label)
        except ValueError:
            # An int of thousands of digits.
            return False
        return True
    return isinstance(label, str)


def _carries_data(index: pd.Index[Any]) -> bool:
    """Return whether an index has a name, several levels, or labels other than integers."""
    if index.nlevels > 1 or index.name is not None:
        return True
    # An index of Python objects may hold integers only, and an empty one states no type.
    objects = is_object_dtype(index.dtype) and index.inferred_type in ("integer", "empty")
    return index.dtype.kind not in "iu" and not objects


def _levels(
    frame: pd.DataFrame, columns: Sequence[str]
) -> tuple[dict[str, tuple[object, pd.Series[Any]]], dict[int, ColumnNameError], list[ColumnNameError]]:
    """Return the levels of the index to send, named as by ``reset_index``.

    Returns
    -------
    levels : dict
        By name, the name in the index and the values. A level that equals a column is not among them.
    conflicts : dict
        By position, errors of columns that have the name of a level and other values.
    faults : list
        Errors of levels that cannot be columns because of their names.
    """
    index = frame.index
    # Without names, because pandas may take the number of a level for the name of another.
    unnamed = index.set_names([None] * index.nlevels)
    levels: dict[str, tuple[object, pd.Series[Any]]] = {}
    conflicts: dict[int, ColumnNameError] = {}
    faults: list[ColumnNameError] = []
    folded = {name.strip().casefold(): name for name in columns}
    for number, label in enumerate(index.names):
        rename = "df.index.name = '…'"
        if index.nlevels > 1:
            rename = f"df.index = df.index.set_names('…', level={number})"
        name = _level_name(frame, number, label)
        if name is None:
            faults.append(_level_fault(short_repr(label), "its name is not text", rename))
            continue
        values = unnamed.get_level_values(number)
        series = pd.Series(values.array, index=index, dtype=values.dtype)
        if name in columns:
            position = columns.index(name)
            if not _have_same_values(series, frame.iloc[:, position]):
                conflicts[position] = ColumnNameError(
                    f"The frame has a column {name!r}, and a level of its index has this name and other values. Send"
                    f" only the column: index=False. Send only the index: df = df.drop(columns={name!r}). Or rename the"
                    f" level: {rename}",
                    column=name,
                )
            continue
        other = folded.setdefault(name.strip().casefold(), name)
        reason = ""
        if not name.strip():
            reason = "its name is blank"
        elif not _is_unicode(name):
            reason = "its name is not valid Unicode text"
        elif name in levels:
            reason = "another level has the same name"
        elif other != name:
            reason = f"its name differs from {other!r} only in case or spaces, and ClicData may treat them as one"
        if reason:
            faults.append(_level_fault(repr(name), reason, rename, name))
        else:
            levels[name] = label, series
    return levels, conflicts, faults


def _level_name(frame: pd.DataFrame, number: int, label: object) -> str | None:
    """Return the name that ``reset_index`` gives a level; None if it is not text."""
    if label is None:
        return "index" if frame.index.nlevels == 1 and "index" not in frame.columns else f"level_{number}"
    return str(label) if _is_name(label) else None


def _level_fault(shown: str, reason: str, rename: str, column: str | None = None) -> ColumnNameError:
    return ColumnNameError(
        f"Level {shown} of the index cannot be a column: {reason}. Rename it: {rename}; or leave the index out:"
        " index=False",
        column=column,
    )


def _have_same_values(level: pd.Series[Any], column: pd.Series[Any]) -> bool:
    """Compare by value, because ``set_index`` may change the dtype."""
    try:
        if level.reset_index(drop=True).equals(column.reset_index(drop=True)):
            return True
        missing = _missing(level)
        return missing == _missing(column) and all(
            gone or bool(one == other)
            for gone, one, other in zip(missing, level.astype(object), column.astype(object), strict=True)
        )
    except Exception:  # noqa: BLE001 - objects define how they compare
        return False
