"""Restore a column's values, in the Arrow type that they had, from their text; and convert Arrow columns to pandas."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import ColumnType
from pandas_clicdata.errors import ColumnConversionError
from pandas_clicdata.types.encode import (
    LARGEST_EXPONENT,
    TEXT,
    TICKS_PER_SECOND,
    Location,
    chunked,
    has_remainder,
    short_repr,
    split_dates,
)
from pandas_clicdata.types.infer import InferredColumn, arrow_column, fits_decimal, is_text, parsed_text

_NULLABLE: Mapping[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def default_text_dtype() -> Any:
    """Return the dtype that pandas infers for text: ``object`` in pandas 2, ``str`` in 3, or as its options say."""
    return pd.Series([""]).dtype


def arrow_series(values: pa.Array | pa.ChunkedArray) -> pd.Series[Any]:
    """Return a column that is stored in Arrow."""
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def nullable_floats(values: pa.ChunkedArray) -> pd.Series[Any]:
    """Return a column of dtype Float64."""
    nullable: Any = pd.Float64Dtype()
    return pd.Series(nullable.__from_arrow__(values))


def default_series(column: InferredColumn, dtype_backend: str | None, *, stable: bool = False) -> pd.Series[Any]:
    """Return a column in the default dtype of a backend.

    Parameters
    ----------
    column : InferredColumn
        The values.
    dtype_backend : {None, "numpy_nullable", "pyarrow"}
        The backend.
    stable : bool, default False
        Whether to use a nullable dtype even if no value is null, so that all chunks have the same dtype.

    Returns
    -------
    Series
        The column.
    """
    values = column.values
    if dtype_backend == "pyarrow":
        return arrow_series(arrow_column(column))
    if column.numerals:
        make = int if column.whole else Decimal
        return pd.Series([None if text is None else make(text) for text in values.to_pylist()], dtype=object)
    if pa.types.is_decimal(values.type) and values.type.scale == 0:
        return pd.Series([None if number is None else int(number) for number in values.to_pylist()], dtype=object)
    if dtype_backend == "numpy_nullable":
        if is_text(values.type):
            return pd.Series(pd.array(values.to_pylist(), dtype="string"))
        if pa.types.is_floating(values.type):
            return nullable_floats(values)
    nullable = _NULLABLE.get(values.type)
    if nullable is not None and (values.null_count or stable or dtype_backend == "numpy_nullable"):
        return pd.Series(nullable.__from_arrow__(values))
    series: pd.Series[Any] = values.to_pandas()
    # Up to pyarrow 23, text without any value becomes object, also in pandas 3.
    return pd.Series(series, dtype=default_text_dtype()) if is_text(values.type) else series


_NUMBER = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_DURATION = r"^-?P[-+0-9DTHMS.]+$"
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?$"
_TRUE, _FALSE = pa.array(["true", "1", "1.0"], TEXT), pa.array(["false", "0", "0.0", "-0.0"], TEXT)
_DAY_ONE = pa.scalar("1970-01-01 ", TEXT)
_SECOND_DAY, _LAST_DAY = dt.datetime(1, 1, 2), dt.datetime(9999, 12, 31)
_EMPTY = pa.scalar("", TEXT)
_MAX_DIGITS = 20

# Each message follows "Column 'x', row 1: '300' cannot be read as int8: it ".
OUT_OF_RANGE = "is out of range."
NOT_A_DURATION = "is not a duration in ISO 8601."
NOT_A_TIME = "is not a time of day written HH:MM:SS[.ffffff]."
OUTSIDE_ZONE = "is outside the years 1 to 9999 in that time zone."
_NOT_WHOLE = "is not a whole number."
_TOO_MANY_DIGITS = "has more digits than this dtype holds."

CONVERSION_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, pa.ArrowException)
"""What a conversion of one text may raise."""


@dataclass(frozen=True)
class DecodeLocation(Location):
    """The column and the rows of the values that are read, for errors.

    Attributes
    ----------
    dtype : dtype
        The dtype to restore.
    """

    dtype: object = None

    def refuse(self, position: int, value: object, reason: str) -> NoReturn:
        """Raise the error for one cell.

        Raises
        ------
        ColumnConversionError
            Always.
        """
        row, text = self.label(position), short_repr(value)
        raise ColumnConversionError(
            f"Column {self.column!r}, row {row!r}: {text} cannot be read as {self.dtype}: it {reason} Read the column"
            f" as text instead: dtype={{{self.column!r}: 'string'}}.",
            column=self.column,
            row=row,
            value=text,
        )


Decode = Callable[[pa.ChunkedArray, pa.DataType, DecodeLocation], pa.ChunkedArray]


def integers(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore integers, also those sent as a checkbox or read as 1.0."""
    texts = number_texts(_booleans_as_numbers(texts), TEXT, location)

    def integer(text: str) -> int:
        number = Decimal(text)
        if number.adjusted() > _MAX_DIGITS:
            raise ValueError(OUT_OF_RANGE)
        if number != number.to_integral_value():
            raise ValueError(_NOT_WHOLE)
        return int(number)

    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        return decode_each(texts, integer, target, location, OUT_OF_RANGE)


def floats(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore floats, rounded to the nearest; refuse numbers that would become infinite."""
    texts = number_texts(_booleans_as_numbers(texts), TEXT, location)
    if pa.types.is_float32(target):
        # Directly: a conversion by way of a double rounds twice.
        rounded = texts.cast(target)
    else:
        numbers: list[Any] = [None if text is None else float(text) for text in texts.to_pylist()]
        if pa.types.is_float16(target):
            with np.errstate(over="ignore"):
                numbers = [None if number is None else np.float16(number) for number in numbers]
        rounded = chunked(numbers, target)
    wide = rounded.cast(pa.float32()) if pa.types.is_float16(target) else rounded
    location.refuse_where(pc.is_inf(wide), texts, OUT_OF_RANGE)
    return rounded


def decimals(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore Arrow decimals."""

    def decimal(text: str) -> Decimal:
        number = Decimal(text)
        if not fits_decimal(number):
            raise ValueError(_TOO_MANY_DIGITS)
        return number

    return decode_each(number_texts(texts, TEXT, location), decimal, target, location, _TOO_MANY_DIGITS)


def booleans(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore booleans, also those sent as numbers."""
    true = pc.is_in(texts, _TRUE)
    known = pc.or_(true, pc.is_in(texts, _FALSE))
    location.refuse_where(pc.and_(pc.is_valid(texts), pc.invert(known)), texts, "is neither true nor false.")
    return pc.if_else(pc.is_valid(texts), true, pa.scalar(None, pa.bool_()))


def text(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore text."""
    # pyarrow 16 has views of text, but cannot cast to them.
    return chunked(texts.to_pylist(), target) if pa.types.is_string_view(target) else texts.cast(target)


def datetimes(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore datetimes; refuse those that the unit or the time zone does not hold."""
    plain = pa.timestamp(target.unit)

    def convert(some: pa.ChunkedArray) -> pa.ChunkedArray:
        parsed = parsed_text(some, ColumnType.DATETIME)
        if parsed is None:
            raise ValueError("is not a datetime.")
        return parsed.cast(plain)

    in_utc = _convert_column(texts, convert, plain, location, _not_in_unit(target))
    outside = first_outside_zone(in_utc, location.dtype)
    if outside is not None:
        location.refuse(outside, texts[outside].as_py(), OUTSIDE_ZONE)
    return in_utc.cast(pa.int64()).cast(target)


def _not_in_unit(arrow_type: pa.DataType) -> str:
    return f"is out of range, or finer than the unit {arrow_type.unit}."


def first_outside_zone(in_utc: pa.ChunkedArray, dtype: Any) -> int | None:
    """Return the position of a datetime in UTC that is outside the years 1 to 9999 in the time zone of a dtype.

    pandas accepts such a value, but cannot print it: pandas 3 raises, and pandas 2.2 may crash.
    """
    zone = time_zone(dtype)
    if zone is None or in_utc.type.unit == "ns":
        return None
    seconds = in_utc.cast(pa.timestamp("s"), safe=False)
    near_an_end = pc.or_(pc.less(seconds, _SECOND_DAY), pc.greater_equal(seconds, _LAST_DAY))
    for position in np.flatnonzero(near_an_end.fill_null(False).to_numpy()):
        try:
            in_utc[int(position)].as_py().replace(tzinfo=dt.UTC).astimezone(zone)
        except OverflowError:
            return int(position)
    return None


def time_zone(dtype: Any) -> dt.tzinfo | None:
    """Return the time zone of a dtype, or None."""
    if isinstance(dtype, pd.ArrowDtype):
        arrow_type = dtype.pyarrow_dtype
        dtype = pd.DatetimeTZDtype("ns", arrow_type.tz) if getattr(arrow_type, "tz", None) is not None else None
    return dtype.tz if isinstance(dtype, pd.DatetimeTZDtype) else None


def dates(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore dates, also those sent as datetimes."""

    def convert(some: pa.ChunkedArray) -> pa.ChunkedArray:
        parsed = parsed_text(some, ColumnType.DATE)
        if parsed is None:
            instants = parsed_text(some, ColumnType.DATETIME)
            if instants is None:
                raise ValueError("is not a date.")
            parsed, has_time = split_dates(instants)
            if pc.any(has_time).as_py():
                raise ValueError("has a time of day.")
        return parsed.cast(target)

    return _convert_column(texts, convert, target, location, OUT_OF_RANGE)


def times(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore times of day."""
    location.refuse_where(pc.invert(pc.match_substring_regex(texts, _TIME)), texts, NOT_A_TIME)

    def convert(some: pa.ChunkedArray) -> pa.ChunkedArray:
        # As datetimes, because Arrow cannot parse text as a time.
        joined = pc.binary_join_element_wise(_DAY_ONE, some, _EMPTY)
        return joined.cast(pa.timestamp("ns")).cast(pa.int64()).cast(pa.time64("ns")).cast(target)

    return _convert_column(texts, convert, target, location, _not_in_unit(target))


def durations(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore durations; refuse those that the unit does not hold."""
    ticks = chunked(python_objects(texts, parse_duration, location, NOT_A_DURATION), pa.int64())
    try:
        return ticks.cast(pa.duration("ns")).cast(target)
    except pa.ArrowInvalid:
        per_unit = TICKS_PER_SECOND["ns"] // TICKS_PER_SECOND[target.unit]
        location.refuse_where(has_remainder(ticks, per_unit), texts, _not_in_unit(target))
        raise


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a duration in ISO 8601.

    One text at a time: in a list, pandas 3.0 applies the unit of an earlier, finer value.

    Raises
    ------
    ValueError
        The text is not ISO 8601, such as a plain number or "1 day".
    """
    if re.match(_DURATION, text) is None:
        raise ValueError(NOT_A_DURATION)
    return int(pd.Timedelta(text).as_unit("ns").value)


def nulls(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Restore a column without values."""
    location.refuse_where(pc.is_valid(texts), texts, "is a value, and this dtype holds only missing values.")
    return pa.chunked_array([pa.nulls(len(texts), target)])


def number_texts(texts: pa.ChunkedArray, target: pa.DataType, location: DecodeLocation) -> pa.ChunkedArray:
    """Return numbers as text; refuse other text."""
    location.refuse_where(pc.invert(pc.match_substring_regex(texts, _NUMBER)), texts, "is not a number.")
    return texts.cast(target)


def _booleans_as_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Replace "true" and "false" by "1" and "0", because integers may have been sent as a checkbox."""
    zeros = pc.if_else(pc.equal(texts, pa.scalar("false", TEXT)), pa.scalar("0", TEXT), texts)
    return pc.if_else(pc.equal(zeros, pa.scalar("true", TEXT)), pa.scalar("1", TEXT), zeros)


def decode_each(
    texts: pa.ChunkedArray, convert: Callable[[str], Any], target: pa.DataType, location: DecodeLocation, reason: str
) -> pa.ChunkedArray:
    """Convert texts one by one to values of an Arrow type.

    Raises
    ------
    ColumnConversionError
        A text cannot be converted, or the type does not hold its value.
    """
    values = python_objects(texts, convert, location, reason)
    try:
        return chunked(values, target)
    except CONVERSION_ERRORS:
        for position, value in enumerate(values):
            try:
                pa.scalar(value, target)
            except CONVERSION_ERRORS:
                location.refuse(position, texts[position].as_py(), reason)
        raise


def python_objects(
    texts: pa.ChunkedArray, convert: Callable[[str], Any], location: DecodeLocation, reason: str
) -> list[Any]:
    """Convert texts one by one to Python objects.

    Raises
    ------
    ColumnConversionError
        A text cannot be converted.
    """
    values: list[Any] = []
    for position, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else convert(text))
        except CONVERSION_ERRORS as exc:
            location.refuse(position, text, str(exc) if _is_our_message(exc) else reason)
    return values


def _is_our_message(exc: Exception) -> bool:
    return str(exc).startswith(("is ", "has "))


def _convert_column(
    texts: pa.ChunkedArray,
    convert: Callable[[pa.ChunkedArray], pa.ChunkedArray],
    target: pa.DataType,
    location: DecodeLocation,
    reason: str,
) -> pa.ChunkedArray:
    """Convert the whole column at once; if that fails, convert text by text to find the one to refuse."""
    if texts.null_count == len(texts):
        return pa.chunked_array([pa.nulls(len(texts), target)])
    try:
        return convert(texts)
    except CONVERSION_ERRORS:
        python_objects(texts, lambda text: convert(chunked([text], TEXT)), location, reason)
        raise


def python_int(text: str) -> int:
    """Return a whole number of any length, also written as 1E+3.

    Raises
    ------
    ValueError
        The number has a fraction, or is longer than this package sends.
    """
    if text.lstrip("-").isdigit():
        return int(text)
    number = Decimal(text)
    if number.adjusted() > LARGEST_EXPONENT:
        raise ValueError("is longer than any number that this package sends.")
    if number != number.to_integral_value():
        raise ValueError(_NOT_WHOLE)
    return int(number)


def python_number(text: str) -> int | float | Decimal:
    """Return an int, float or Decimal, the first of these that is exactly the number."""
    if text.lstrip("-").isdigit():
        return int(text)
    number, near = Decimal(text), float(text)
    return near if math.isfinite(near) and Decimal(repr(near)) == number else number
