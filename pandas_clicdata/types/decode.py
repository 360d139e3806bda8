"""The text of a column's values back to the Arrow type that they had, exact or refused; and Arrow columns to pandas."""

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
from pandas_clicdata.types.encode import LARGEST_EXPONENT, TEXT, Place, days_of, shown
from pandas_clicdata.types.infer import Settled, arrow_column, is_short, is_text, parsed_text

_NULLABLE: Mapping[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def own_text_dtype() -> Any:
    """Return what pandas itself makes of text: ``object`` in 2, ``str`` in 3, or as its options say."""
    return pd.Series([""]).dtype


def arrow_series(values: pa.Array | pa.ChunkedArray) -> pd.Series[Any]:
    """Make a column that is stored in Arrow."""
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def float_series(values: pa.ChunkedArray) -> pd.Series[Any]:
    """Make a column of nullable floats."""
    nullable: Any = pd.Float64Dtype()
    return pd.Series(nullable.__from_arrow__(values))


def default_series(settled: Settled, dtype_backend: str | None, *, stable: bool = False) -> pd.Series[Any]:
    """Make the column that a backend has for such values.

    ``stable`` makes it nullable where it is by chance that nothing is null, as in a chunk.
    """
    values = settled.values
    if dtype_backend == "pyarrow":
        return arrow_series(arrow_column(settled))
    if settled.numerals:
        make = int if settled.whole else Decimal
        return pd.Series([None if text is None else make(text) for text in values.to_pylist()], dtype=object)
    if pa.types.is_decimal(values.type) and values.type.scale == 0:
        return pd.Series([None if number is None else int(number) for number in values.to_pylist()], dtype=object)
    if dtype_backend == "numpy_nullable":
        if is_text(values.type):
            return pd.Series(pd.array(values.to_pylist(), dtype="string"))
        if pa.types.is_floating(values.type):
            return float_series(values)
    nullable = _NULLABLE.get(values.type)
    if nullable is not None and (values.null_count or stable or dtype_backend == "numpy_nullable"):
        return pd.Series(nullable.__from_arrow__(values))
    series: pd.Series[Any] = values.to_pandas()
    # Up to pyarrow 23, text that is missing throughout comes as objects, also in pandas 3.
    return pd.Series(series, dtype=own_text_dtype()) if is_text(values.type) else series


_NUMBER = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_DURATION = r"^-?P[-+0-9DTHMS.]+$"
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?$"
_TRUE, _FALSE = pa.array(["true", "1", "1.0"], TEXT), pa.array(["false", "0", "0.0", "-0.0"], TEXT)
_DAY_ONE = pa.scalar("1970-01-01 ", TEXT)
_SECOND_DAY, _LAST_DAY = dt.datetime(1, 1, 2), dt.datetime(9999, 12, 31)
_NOTHING = pa.scalar("", TEXT)
_MOST_DIGITS = 20
BEYOND_ZONE = "is not in the years 1 to 9999 by the clocks of that zone. Read it in UTC."
MISFITS = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, pa.ArrowException)


@dataclass(frozen=True)
class Landing(Place):
    """Where values that were read stand, and what they are to be."""

    dtype: object = None

    def refuse(self, position: int, value: object, why: str) -> NoReturn:
        """Raise for one cell.

        Raises
        ------
        ColumnConversionError
            Always.
        """
        row, text = self.label(position), shown(value)
        raise ColumnConversionError(
            f"Column {self.column!r}, row {row!r}: {text} cannot be read as {self.dtype}: it {why}",
            column=self.column,
            row=row,
            value=text,
        )


Back = Callable[[pa.ChunkedArray, pa.DataType, Landing], pa.ChunkedArray]


def whole_numbers(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    """Integers, also of the truth values and 1.0 that stand for them."""
    texts = _numbers(_bits(texts), place)

    def one(text: str) -> int:
        number = Decimal(text)
        if number.adjusted() > _MOST_DIGITS:
            raise ValueError("does not go into it.")
        if number != number.to_integral_value():
            raise ValueError("is no whole number.")
        return int(number)

    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        return one_by_one(texts, one, target, place, "does not go into it.")


def floats(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    """The nearest floats, none of them infinite."""
    texts = _numbers(_bits(texts), place)
    if pa.types.is_float32(target):
        # Not by way of a double, which would round twice.
        near = texts.cast(target)
    else:
        numbers = [None if text is None else float(text) for text in texts.to_pylist()]
        if pa.types.is_float16(target):
            with np.errstate(over="ignore"):
                near = _chunked([None if number is None else np.float16(number) for number in numbers], target)
        else:
            near = _chunked(numbers, target)
    wide = near.cast(pa.float32()) if pa.types.is_float16(target) else near
    place.refuse_where(pc.is_inf(wide), texts, "is too large for it.")
    return near


def decimals(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    def one(text: str) -> Decimal:
        number = Decimal(text)
        if not is_short(number):
            raise ValueError("does not go into it.")
        return number

    return one_by_one(_numbers(texts, place), one, target, place, "does not go into it.")


def truths(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    true = pc.is_in(texts, _TRUE)
    known = pc.or_(true, pc.is_in(texts, _FALSE))
    place.refuse_where(pc.and_(pc.is_valid(texts), pc.invert(known)), texts, "is neither true nor false.")
    return pc.if_else(pc.is_valid(texts), true, pa.scalar(None, pa.bool_()))


def as_text(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    # pyarrow 16 knows views of text, but no cast to them.
    return _chunked(texts.to_pylist(), target) if pa.types.is_string_view(target) else texts.cast(target)


def moments(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    """Datetimes in UTC of the unit, nothing of them cut."""
    plain = pa.timestamp(target.unit)

    def convert(some: pa.ChunkedArray) -> pa.ChunkedArray:
        parsed = parsed_text(some, ColumnType.DATETIME)
        if parsed is None:
            raise ValueError("is no datetime.")
        return parsed.cast(plain)

    found = _whole_or_one(texts, convert, plain, place, f"does not go into the unit {target.unit}.")
    beyond = beyond_zone(found, place.dtype)
    if beyond is not None:
        place.refuse(beyond, texts[beyond].as_py(), BEYOND_ZONE)
    return found.cast(pa.int64()).cast(target)


def beyond_zone(moments: pa.ChunkedArray, dtype: Any) -> int | None:
    """Return the position of a moment in UTC that the clocks of a dtype's zone put outside the years 1 to 9999.

    pandas takes such a value, but cannot print it: pandas 3 raises, and pandas 2.2 may crash.
    """
    zone = zone_of(dtype)
    if zone is None or moments.type.unit == "ns":
        return None
    seconds = moments.cast(pa.timestamp("s"), safe=False)
    near_an_end = pc.or_(pc.less(seconds, _SECOND_DAY), pc.greater_equal(seconds, _LAST_DAY))
    for position in np.flatnonzero(near_an_end.fill_null(False).to_numpy()):
        try:
            moments[int(position)].as_py().replace(tzinfo=dt.UTC).astimezone(zone)
        except OverflowError:
            return int(position)
    return None


def zone_of(dtype: Any) -> dt.tzinfo | None:
    """Return the time zone of a dtype, if it has one."""
    if isinstance(dtype, pd.ArrowDtype):
        arrow_type = dtype.pyarrow_dtype
        dtype = pd.DatetimeTZDtype("ns", arrow_type.tz) if getattr(arrow_type, "tz", None) is not None else None
    return dtype.tz if isinstance(dtype, pd.DatetimeTZDtype) else None


def days(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    def convert(some: pa.ChunkedArray) -> pa.ChunkedArray:
        parsed = parsed_text(some, ColumnType.DATE)
        if parsed is None:
            moments = parsed_text(some, ColumnType.DATETIME)
            if moments is None:
                raise ValueError("is no date.")
            parsed, cut = days_of(moments)
            if pc.any(cut).as_py():
                raise ValueError("has a time of day.")
        return parsed.cast(target)

    return _whole_or_one(texts, convert, target, place, "does not go into it.")


def clock_times(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    bad = pc.invert(pc.match_substring_regex(texts, _CLOCK))
    place.refuse_where(bad, texts, "is no time of day written HH:MM:SS[.ffffff].")

    def convert(some: pa.ChunkedArray) -> pa.ChunkedArray:
        # Arrow reads a datetime from text, and no time.
        joined = pc.binary_join_element_wise(_DAY_ONE, some, _NOTHING)
        return joined.cast(pa.timestamp("ns")).cast(pa.int64()).cast(pa.time64("ns")).cast(target)

    return _whole_or_one(texts, convert, target, place, f"does not go into the unit {target.unit}.")


def durations(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    ticks = _duration_ticks(texts, place)
    try:
        return ticks.cast(pa.duration("ns")).cast(target)
    except pa.ArrowInvalid:
        a_unit = {"s": 10**9, "ms": 10**6, "us": 10**3}[target.unit]
        cut = pc.not_equal(pc.multiply(pc.divide(ticks, a_unit), a_unit), ticks)
        place.refuse_where(cut, texts, f"does not go into the unit {target.unit}.")
        raise


def _duration_ticks(texts: pa.ChunkedArray, place: Landing) -> pa.ChunkedArray:
    return _chunked(objects(texts, duration_ticks, place, "is no duration as ISO 8601 writes it."), pa.int64())


def duration_ticks(text: str) -> int:
    """Nanoseconds of a duration; a number alone, or words, are none.

    Of one at a time: of several, pandas 3.0 reads a coarse one in the unit of a finer one before it.
    """
    if re.match(_DURATION, text) is None:
        raise ValueError("is no duration as ISO 8601 writes it.")
    return int(pd.Timedelta(text).as_unit("ns").value)


def nothing(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    place.refuse_where(pc.is_valid(texts), texts, "is a value, and it has none.")
    return pa.chunked_array([pa.nulls(len(texts), target)])


def numerals(texts: pa.ChunkedArray, target: pa.DataType, place: Landing) -> pa.ChunkedArray:
    """Numbers as written."""
    return _numbers(texts, place).cast(target)


def _bits(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Truth values as the numbers that they were."""
    zeros = pc.if_else(pc.equal(texts, pa.scalar("false", TEXT)), pa.scalar("0", TEXT), texts)
    return pc.if_else(pc.equal(zeros, pa.scalar("true", TEXT)), pa.scalar("1", TEXT), zeros)


def _numbers(texts: pa.ChunkedArray, place: Landing) -> pa.ChunkedArray:
    place.refuse_where(pc.invert(pc.match_substring_regex(texts, _NUMBER)), texts, "is no number.")
    return texts


def one_by_one(
    texts: pa.ChunkedArray, one: Callable[[str], Any], target: pa.DataType, place: Landing, why: str
) -> pa.ChunkedArray:
    """Make values of a type of the texts, or refuse the one at fault.

    Raises
    ------
    ColumnConversionError
        Of the first text of which no value can be made, or none that the type holds.
    """
    made = objects(texts, one, place, why)
    try:
        return _chunked(made, target)
    except MISFITS:
        for position, value in enumerate(made):
            if not _holds(target, value):
                place.refuse(position, texts[position].as_py(), why)
        raise


def objects(texts: pa.ChunkedArray, one: Callable[[str], Any], place: Landing, why: str) -> list[Any]:
    """Make Python objects of the texts, or refuse the one at fault."""
    made: list[Any] = []
    for position, text in enumerate(texts.to_pylist()):
        try:
            made.append(None if text is None else one(text))
        except MISFITS as exc:
            place.refuse(position, text, str(exc) if _own_words(exc) else why)
    return made


def _holds(target: pa.DataType, value: Any) -> bool:
    try:
        pa.scalar(value, target)
    except MISFITS:
        return False
    return True


def _own_words(exc: Exception) -> bool:
    return str(exc).startswith(("is ", "has "))


def _whole_or_one(
    texts: pa.ChunkedArray,
    convert: Callable[[pa.ChunkedArray], pa.ChunkedArray],
    target: pa.DataType,
    place: Landing,
    why: str,
) -> pa.ChunkedArray:
    """Convert all at once; only where that fails, one by one, for the one at fault."""
    if texts.null_count == len(texts):
        return pa.chunked_array([pa.nulls(len(texts), target)])
    try:
        return convert(texts)
    except MISFITS:
        objects(texts, lambda text: convert(_chunked([text], TEXT)), place, why)
        raise


def _chunked(values: list[Any], arrow_type: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, arrow_type)])


def whole_python(text: str) -> int:
    """An int of any length, also written 1E+3."""
    if text.lstrip("-").isdigit():
        return int(text)
    number = Decimal(text)
    if number.adjusted() > LARGEST_EXPONENT:
        raise ValueError("is longer than any number that is sent.")
    if number != number.to_integral_value():
        raise ValueError("is no whole number.")
    return int(number)


def python_number(text: str) -> int | float | Decimal:
    """The plainest number that is exactly what is written."""
    if text.lstrip("-").isdigit():
        return int(text)
    number, near = Decimal(text), float(text)
    return near if math.isfinite(near) and Decimal(repr(near)) == number else number
