"""The Arrow type of a column that came as JSON, with or without a declared ClicData type."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import ColumnType, Decoded, Kind
from pandas_clicdata.types.encode import DATE_FORM, DATETIME_FORM, TEXT, YEAR_0

logger = logging.getLogger(__name__)

_OFFSET = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
_ANY_DATETIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_LONGEST_DECIMAL = 76
_NO_TEXT = pa.scalar(None, TEXT)


@dataclass(frozen=True)
class Settled:
    """A column that was read, in its Arrow type.

    ``numerals`` tells of a text column that holds numbers which no Arrow number type has as written, and ``whole``
    that they are whole numbers.
    """

    values: pa.ChunkedArray
    numerals: bool = False
    whole: bool = False


def wants_text(dtype: object) -> bool:
    """Whether a dtype asked for is one of text, so that every value is read as its text.

    Examples
    --------
    >>> wants_text("string[pyarrow]"), wants_text("U20"), wants_text(object), wants_text(None)
    (True, True, False, False)
    """
    wanted = _known(dtype)
    if isinstance(wanted, pd.ArrowDtype):
        return is_text(wanted.pyarrow_dtype)
    return isinstance(wanted, pd.StringDtype) or (isinstance(wanted, np.dtype) and wanted.kind == "U")


def _takes_any(dtype: object) -> bool:
    """Whether a dtype asked for holds text beside all else, so that no text needs to be taken for dates."""
    wanted = _known(dtype)
    return isinstance(wanted, pd.CategoricalDtype) or wanted == np.dtype(object)


def _known(dtype: object) -> Any:
    if dtype is None:
        return None
    try:
        return pd.api.types.pandas_dtype(dtype)
    except (TypeError, ValueError):
        # It is refused with the column's name, when the column is converted.
        return None


def settle(decoded: Decoded, declared: str, dtype: object = None) -> Settled:
    """Give a column that was read its type.

    Parameters
    ----------
    decoded : Decoded
        The column as JSON has it.
    declared : str
        The column's ClicData type; empty if that is not known.
    dtype : dtype, optional
        What the user asked for; if it holds text, that is left as it is.

    Notes
    -----
    What came decides: where it does not fit the declared type it keeps JSON's own, and the log says so. Without a
    declared type, text is taken for a date or datetime only if every value has exactly the form that is written.
    """
    if decoded.kind is Kind.NULL:
        return Settled(decoded.array.cast(_EMPTY_TYPES.get(declared, pa.null())))
    if decoded.kind is Kind.LITERAL:
        return Settled(decoded.array, numerals=True, whole=decoded.whole)
    as_text = wants_text(dtype)
    if decoded.kind is Kind.TEXT and not as_text and (declared or not _takes_any(dtype)):
        parsed = parsed_text(decoded.array, declared)
        if parsed is not None:
            return Settled(parsed)
    if declared in _HOLDS and decoded.kind not in _HOLDS[declared] and not as_text:
        logger.warning("a column declared %s came as %s and stays that", declared, decoded.kind.value)
    return Settled(decoded.array)


def arrow_column(settled: Settled) -> pa.ChunkedArray:
    """Return a column as Arrow users expect it: text as string, long numbers as decimals where these can hold them."""
    if settled.numerals:
        return _decimals(settled.values)
    if pa.types.is_large_string(settled.values.type):
        return _as_string(settled.values)
    return settled.values


def fixed_type(decoded: Decoded, declared: str, dtype: object = None) -> pa.DataType:
    """Return the Arrow type that a stream's column has from its first page on."""
    if wants_text(dtype):
        return pa.string()
    asked = _asked_type(decoded, declared, dtype)
    if asked is not None:
        return asked
    if decoded.kind is Kind.LITERAL:
        return pa.decimal256(_LONGEST_DECIMAL, 0 if decoded.whole else _digits_after_point(decoded.array))
    settled_type = settle(decoded, declared, dtype).values.type
    if pa.types.is_null(settled_type) and dtype is not None:
        # Periods, durations, categories: made of text, one chunk like another.
        return pa.string()
    return pa.string() if pa.types.is_large_string(settled_type) else settled_type


def _digits_after_point(numerals: pa.ChunkedArray) -> int:
    """Half of all digits, or what the numbers leave or need."""
    numbers = [Decimal(numeral) for numeral in numerals.drop_null().to_pylist()]
    before = max(0, *(number.adjusted() + 1 for number in numbers))
    after = max(0, *(-int(number.as_tuple().exponent) for number in numbers))
    return max(0, min(max(after, _LONGEST_DECIMAL // 2), _LONGEST_DECIMAL - before))


def _asked_type(decoded: Decoded, declared: str, dtype: object) -> pa.DataType | None:
    """The type of a dtype asked for, where what is known of the column goes into it."""
    number = number_type(dtype)
    if number is not None:
        return number if decoded.kind not in (Kind.TEXT, Kind.BOOLEAN) else None
    kind = getattr(_known(dtype), "kind", "")
    if kind == "M" and (
        (decoded.kind is Kind.NULL and declared not in _DECLARED_NUMBERS)
        or (decoded.kind is Kind.TEXT and parsed_text(decoded.array, ColumnType.DATETIME) is not None)
    ):
        return pa.timestamp("us")
    if kind == "b" and decoded.kind is Kind.NULL and declared in ("", ColumnType.CHECKBOX):
        return pa.bool_()
    return None


def conform(
    decoded: Decoded, target: pa.DataType, *, as_text: bool = False, as_number: bool = False
) -> pa.ChunkedArray:
    """Bring a later page's column to the type that the first page fixed.

    Parameters
    ----------
    decoded : Decoded
        The column of the page.
    target : pyarrow.DataType
        The type.
    as_text : bool, default False
        Write values of other kinds as text, for a user who asked for text.
    as_number : bool, default False
        Round to floats, and take truth values for 0 and 1, for a user who asked for a number dtype.

    Raises
    ------
    pyarrow.ArrowInvalid
        It does not go in exactly.
    """
    array = decoded.array
    if decoded.kind is Kind.NULL:
        return array.cast(target)
    if decoded.kind is Kind.TEXT:
        moments, dates = pa.types.is_timestamp(target), pa.types.is_date(target)
        if moments or dates:
            parsed = parsed_text(array, ColumnType.DATETIME if moments else ColumnType.DATE)
            if parsed is not None:
                return parsed
        fits = is_text(target)
    elif as_text and is_text(target):
        return pa.chunked_array([pa.array(texts(array), target)])
    elif decoded.kind is Kind.BOOLEAN:
        fits = pa.types.is_boolean(target) or (as_number and _is_number(target))
    else:
        fits = _is_number(target)
    if not fits:
        raise pa.ArrowInvalid(f"{decoded.kind.value} in a column of {target}")
    return array.cast(target) if decoded.kind in _TAKEN_AS_IS else _numbers(decoded, target, rounded=as_number)


def _is_number(arrow_type: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_integer(arrow_type) or is_.is_floating(arrow_type) or is_.is_decimal(arrow_type))


def _numbers(decoded: Decoded, target: pa.DataType, *, rounded: bool) -> pa.ChunkedArray:
    """Numbers in another number type: every value as JSON wrote it, or rounded to a float if that was asked for."""
    floating = pa.types.is_floating(target)
    if decoded.kind is Kind.LITERAL or pa.types.is_decimal(target):
        # Arrow itself would round text to a float, and write out in decimals what a float is in binary.
        numbers = [None if text is None else _number(text, target, rounded=rounded) for text in texts(decoded.array)]
        try:
            array = pa.chunked_array([pa.array(numbers, target)])
        except OverflowError as exc:
            raise pa.ArrowInvalid(str(exc)) from exc
    else:
        array = decoded.array.cast(target, safe=not (rounded and floating))
    if floating and pc.any(pc.is_inf(array)).as_py():
        raise pa.ArrowInvalid(f"a number too large for {target}")
    return array


def _number(text: str, target: pa.DataType, *, rounded: bool) -> float | int | Decimal:
    number = Decimal(text)
    if pa.types.is_floating(target):
        near = float(text)
        fits = rounded or Decimal(repr(near)) == number
    else:
        fits = is_short(number)
        if fits and pa.types.is_integer(target):
            fits = number == number.to_integral_value()
    if not fits:
        raise pa.ArrowInvalid(f"{text[:_LONGEST_DECIMAL]} is not exact in {target}")
    return near if pa.types.is_floating(target) else int(number) if pa.types.is_integer(target) else number


def texts(values: pa.ChunkedArray) -> list[str | None]:
    """Write values as text, floats as Python does."""
    if pa.types.is_floating(values.type):
        return [None if value is None else repr(value) for value in values.to_pylist()]
    written: list[str | None] = pc.cast(values, TEXT).to_pylist()
    return written


def is_short(number: Decimal) -> bool:
    """Whether a number can be taken for one that Arrow's decimals hold; beyond, Arrow crashes, and Python fills the
    memory with its digits."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_LONGEST_DECIMAL and number.adjusted() <= _LONGEST_DECIMAL


def holds_objects(dtype: Any) -> bool:
    """Whether a dtype is that of Python objects; pandas raises if it is asked this of some Arrow types."""
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def is_text(arrow_type: pa.DataType) -> bool:
    """Whether an Arrow type is one of text."""
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def number_type(dtype: object) -> pa.DataType | None:
    """Return the Arrow type of a plain number dtype that a user asked for; None for any other."""
    wanted = _known(dtype)
    if wanted is None or wanted.kind not in ("i", "u", "f") or isinstance(wanted, pd.SparseDtype):
        return None
    if isinstance(wanted, pd.ArrowDtype):
        number = wanted.pyarrow_dtype
    else:
        number = pa.from_numpy_dtype(getattr(wanted, "numpy_dtype", wanted))
    # Arrow hardly converts to float16.
    return pa.float64() if pa.types.is_float16(number) else number


def parsed_text(array: pa.ChunkedArray, declared: str) -> pa.ChunkedArray | None:
    """Read text as dates or datetimes, if that is what it is."""
    if declared in _PARSERS:
        form, parse = _PARSERS[declared]
        return _try(array, form, parse)
    if declared:
        return None
    dates = _try(array, *_PARSERS[ColumnType.DATE])
    return dates if dates is not None else _try(array, DATETIME_FORM, _moments)


def _try(
    array: pa.ChunkedArray, form: str, parse: Callable[[pa.ChunkedArray], pa.ChunkedArray]
) -> pa.ChunkedArray | None:
    if not pc.all(pc.match_substring_regex(array, form)).as_py() or pc.any(pc.starts_with(array, YEAR_0)).as_py():
        return None
    try:
        return parse(array)
    except pa.ArrowInvalid:
        return None


def _days(array: pa.ChunkedArray) -> pa.ChunkedArray:
    return array.cast(pa.date32())


def _moments(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Datetimes in UTC: ``YYYY-MM-DD HH:MM:SS[.ffffff]`` (P), or ISO 8601 with an offset (O)."""
    has_offset = pc.match_substring_regex(array, _OFFSET)
    if not pc.any(has_offset).as_py():
        return array.cast(pa.timestamp("us"))
    zoned, naive = pc.if_else(has_offset, array, _NO_TEXT), pc.if_else(has_offset, _NO_TEXT, array)
    moments = zoned.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.coalesce(moments, naive.cast(pa.timestamp("us")))


def _decimals(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = [None if text is None else Decimal(text) for text in texts.to_pylist()]
    try:
        array = pa.array(numbers)
    except pa.ArrowInvalid:
        logger.warning("a column of numbers that no Arrow decimal holds is given as their text")
        return _as_string(texts)
    return pa.chunked_array([array])


def _as_string(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return texts.cast(pa.string())
    except pa.ArrowInvalid:
        # More text than 32-bit offsets reach.
        return texts


_EMPTY_TYPES: Mapping[str, pa.DataType] = {
    ColumnType.TEXT: TEXT,
    ColumnType.DROPDOWN: TEXT,
    ColumnType.NUMBER: pa.float64(),
    ColumnType.PERCENTAGE: pa.float64(),
    ColumnType.CHECKBOX: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.DATETIME: pa.timestamp("us"),
}
_NUMBERS = frozenset({Kind.INTEGER, Kind.FLOAT})
_TAKEN_AS_IS = frozenset({Kind.TEXT, Kind.BOOLEAN})
_DECLARED_NUMBERS = frozenset({ColumnType.NUMBER, ColumnType.PERCENTAGE})
_HOLDS: Mapping[str, frozenset[Kind]] = {
    ColumnType.TEXT: frozenset({Kind.TEXT}),
    ColumnType.DROPDOWN: frozenset({Kind.TEXT}),
    ColumnType.NUMBER: _NUMBERS,
    ColumnType.PERCENTAGE: _NUMBERS,
    ColumnType.CHECKBOX: frozenset({Kind.BOOLEAN}),
    ColumnType.DATE: frozenset(),
    ColumnType.DATETIME: frozenset(),
}
_PARSERS: Mapping[str, tuple[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]] = {
    ColumnType.DATE: (DATE_FORM, _days),
    ColumnType.DATETIME: (_ANY_DATETIME, _moments),
}
