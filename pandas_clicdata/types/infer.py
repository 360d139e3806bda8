"""Infer the Arrow type of a column that was read as JSON, with or without a declared ClicData type."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import ColumnType, DecodedColumn, Kind
from pandas_clicdata.types.encode import DATE_FORMAT, DATETIME_FORMAT, TEXT, YEAR_0, chunked

logger: logging.Logger = logging.getLogger(__name__)

_OFFSET = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
ANY_DATETIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_LONGEST_DECIMAL = 76
_NULL_TEXT = pa.scalar(None, TEXT)
_EMPTY = pa.scalar("", TEXT)
_DATE_LENGTH = len("2013-01-01")
_SECONDS_LENGTH = len("2013-01-01 05:00:00")
_MICROS_LENGTH = len("2013-01-01 05:00:00.000000")
_FRACTIONS_BY_LENGTHS: Mapping[tuple[int, int], bool | None] = {
    (_SECONDS_LENGTH, _SECONDS_LENGTH): False,
    (_SECONDS_LENGTH + 1, _SECONDS_LENGTH + 1): False,
    (_MICROS_LENGTH, _MICROS_LENGTH): True,
    (_SECONDS_LENGTH, _MICROS_LENGTH): None,
}
"""Whether datetimes have a fraction, by the shortest and the longest text; with one more character, they end in Z."""
_YEAR_1 = pa.scalar(dt.datetime(1, 1, 1), pa.timestamp("us")).value


@dataclass(frozen=True)
class InferredColumn:
    """A column that was read, in its Arrow type.

    Attributes
    ----------
    values : pyarrow.ChunkedArray
        The values.
    numerals : bool
        Whether the values are numbers as text, because no Arrow type holds them as written.
    whole : bool
        Whether such numbers are all whole numbers.
    block : ndarray or None
        The memory of all columns of this dtype, in which the values are; it can become that of the frame.
    place : int
        The position of the column in the block.
    """

    values: pa.ChunkedArray
    numerals: bool = False
    whole: bool = False
    block: np.ndarray[Any, Any] | None = None
    place: int = 0


def is_text_dtype(dtype: object) -> bool:
    """Return whether a requested dtype is one of text, so that every value is read as its text.

    Examples
    --------
    >>> is_text_dtype("string[pyarrow]"), is_text_dtype("U20"), is_text_dtype(object), is_text_dtype(None)
    (True, True, False, False)
    """
    wanted = _pandas_dtype(dtype)
    if isinstance(wanted, pd.ArrowDtype):
        return is_text(wanted.pyarrow_dtype)
    return isinstance(wanted, pd.StringDtype) or (isinstance(wanted, np.dtype) and wanted.kind == "U")


def _holds_anything(dtype: object) -> bool:
    """Return whether a requested dtype holds any value, so that text need not be parsed as dates."""
    wanted = _pandas_dtype(dtype)
    return isinstance(wanted, pd.CategoricalDtype) or wanted == np.dtype(object)


def _pandas_dtype(dtype: object) -> Any:
    if dtype is None:
        return None
    try:
        return pd.api.types.pandas_dtype(dtype)
    except (TypeError, ValueError, NotImplementedError):
        # The conversion of the column refuses it, with the name of the column.
        return None


def infer_column(decoded: DecodedColumn, declared: str, dtype: object = None) -> InferredColumn:
    """Convert a column that was read to its Arrow type.

    Parameters
    ----------
    decoded : DecodedColumn
        The column with the types of JSON.
    declared : str
        ClicData type of the column; empty if it is not known.
    dtype : dtype, optional
        The dtype that the user requests; if it holds text, text is not parsed.

    Returns
    -------
    InferredColumn
        The values in their Arrow type.

    Notes
    -----
    Values that do not fit the declared type keep the type of JSON, and the log says so. Without a declared type, text
    becomes dates or datetimes only if every value has exactly the format in which this package writes them.
    """
    if decoded.kind is Kind.NULL:
        return InferredColumn(decoded.array.cast(_EMPTY_TYPES.get(declared, pa.null())))
    if decoded.kind is Kind.LITERAL:
        return InferredColumn(decoded.array, numerals=True, whole=decoded.whole)
    as_text = is_text_dtype(dtype)
    if decoded.kind is Kind.TEXT and not as_text and (declared or not _holds_anything(dtype)):
        parsed = parsed_text(decoded.array, declared)
        if parsed is not None:
            return InferredColumn(parsed)
    if declared in _FITTING_KINDS and decoded.kind not in _FITTING_KINDS[declared] and not as_text:
        logger.warning("a column declared %s has %s; its values are not converted", declared, decoded.kind.value)
    return InferredColumn(decoded.array)


def arrow_column(column: InferredColumn) -> pa.ChunkedArray:
    """Return a column in usual Arrow types: text as string, and long numbers as decimals where these hold them."""
    if column.numerals:
        return _decimals(column.values)
    if pa.types.is_large_string(column.values.type):
        return _as_string(column.values)
    return column.values


def fixed_type(decoded: DecodedColumn, declared: str, dtype: object = None) -> pa.DataType:
    """Return the Arrow type of a column of a stream, from its first page."""
    if is_text_dtype(dtype):
        return pa.string()
    requested = _requested_type(decoded, declared, dtype)
    if requested is not None:
        return requested
    if decoded.kind is Kind.LITERAL:
        return pa.decimal256(_LONGEST_DECIMAL, 0 if decoded.whole else _digits_after_point(decoded.array))
    inferred_type = infer_column(decoded, declared, dtype).values.type
    if pa.types.is_null(inferred_type) and dtype is not None:
        # Periods, durations and categories are made of text, in every chunk alike.
        return pa.string()
    return pa.string() if pa.types.is_large_string(inferred_type) else inferred_type


def _digits_after_point(numerals: pa.ChunkedArray) -> int:
    """Return the scale of a decimal for numbers: half of its digits, more if they need it, fewer if they leave less."""
    numbers = [Decimal(numeral) for numeral in numerals.drop_null().to_pylist()]
    before = max(0, *(number.adjusted() + 1 for number in numbers))
    after = max(0, *(-int(number.as_tuple().exponent) for number in numbers))
    return max(0, min(max(after, _LONGEST_DECIMAL // 2), _LONGEST_DECIMAL - before))


def _requested_type(decoded: DecodedColumn, declared: str, dtype: object) -> pa.DataType | None:
    """Return the Arrow type of a requested dtype if the first page and the declared type fit it."""
    number = number_type(dtype)
    if number is not None:
        return number if decoded.kind not in (Kind.TEXT, Kind.BOOLEAN) else None
    kind = getattr(_pandas_dtype(dtype), "kind", "")
    if kind == "M" and (
        (decoded.kind is Kind.NULL and declared not in _DECLARED_NUMBERS)
        or (decoded.kind is Kind.TEXT and parsed_text(decoded.array, ColumnType.DATETIME) is not None)
    ):
        return pa.timestamp("us")
    if kind == "b" and decoded.kind is Kind.NULL and declared in ("", ColumnType.CHECKBOX):
        return pa.bool_()
    return None


def conform(
    decoded: DecodedColumn, target: pa.DataType, *, as_text: bool = False, as_number: bool = False
) -> pa.ChunkedArray:
    """Convert a column of a later page to the type that the first page fixed.

    Parameters
    ----------
    decoded : DecodedColumn
        The column of the page.
    target : pyarrow.DataType
        The type of the first page.
    as_text : bool, default False
        Whether to write values of other kinds as text, because the user requested text.
    as_number : bool, default False
        Whether to round to floats and accept booleans as 0 and 1, because the user requested a number dtype.

    Returns
    -------
    pyarrow.ChunkedArray
        The values in the target type.

    Raises
    ------
    pyarrow.ArrowInvalid
        The type does not hold a value exactly.
    """
    array = decoded.array
    if decoded.kind is Kind.NULL:
        return array.cast(target)
    if decoded.kind is Kind.TEXT:
        if pa.types.is_timestamp(target) or pa.types.is_date(target):
            parsed = parsed_text(array, ColumnType.DATETIME if pa.types.is_timestamp(target) else ColumnType.DATE)
            if parsed is not None:
                return parsed
        fits = is_text(target)
    elif as_text and is_text(target):
        return chunked(texts(array), target)
    elif decoded.kind is Kind.BOOLEAN:
        fits = pa.types.is_boolean(target) or (as_number and _is_number(target))
    else:
        fits = _is_number(target)
    if not fits:
        raise pa.ArrowInvalid(f"{decoded.kind.value} in a column of {target}")
    return array.cast(target) if decoded.kind in _NOT_NUMBERS else _numbers(decoded, target, rounded=as_number)


def _is_number(arrow_type: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_integer(arrow_type) or is_.is_floating(arrow_type) or is_.is_decimal(arrow_type))


def _numbers(decoded: DecodedColumn, target: pa.DataType, *, rounded: bool) -> pa.ChunkedArray:
    """Convert numbers to another number type: exactly, or rounded to floats if ``rounded``."""
    floating = pa.types.is_floating(target)
    if decoded.kind is Kind.LITERAL or pa.types.is_decimal(target):
        # Arrow would round text to a float, and would write all binary digits of a float into a decimal.
        numbers = [None if text is None else _number(text, target, rounded=rounded) for text in texts(decoded.array)]
        try:
            array = chunked(numbers, target)
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
        fits = fits_decimal(number)
        if fits and pa.types.is_integer(target):
            fits = number == number.to_integral_value()
    if not fits:
        raise pa.ArrowInvalid(f"{text[:_LONGEST_DECIMAL]} is not exact in {target}")
    return near if pa.types.is_floating(target) else int(number) if pa.types.is_integer(target) else number


def texts(values: pa.ChunkedArray) -> list[str | None]:
    """Return values as text, floats as Python writes them."""
    if pa.types.is_floating(values.type):
        return [None if value is None else repr(value) for value in values.to_pylist()]
    written: list[str | None] = pc.cast(values, TEXT).to_pylist()
    return written


def fits_decimal(number: Decimal) -> bool:
    """Return whether a number is within the range of Arrow's decimals.

    Arrow crashes on a number such as 1E+99999999, and its digits would fill the memory of Python.
    """
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_LONGEST_DECIMAL and number.adjusted() <= _LONGEST_DECIMAL


def is_object_dtype(dtype: Any) -> bool:
    """Return whether a dtype is that of Python objects; pandas' own function raises for some Arrow types."""
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def is_text(arrow_type: pa.DataType) -> bool:
    """Return whether an Arrow type is string or large_string."""
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def number_type(dtype: object) -> pa.DataType | None:
    """Return the Arrow type of a requested number dtype, or None for another dtype."""
    wanted = _pandas_dtype(dtype)
    if wanted is None or wanted.kind not in ("i", "u", "f") or isinstance(wanted, pd.SparseDtype):
        return None
    if isinstance(wanted, pd.ArrowDtype):
        number = wanted.pyarrow_dtype
    else:
        number = pa.from_numpy_dtype(getattr(wanted, "numpy_dtype", wanted))
    # Arrow converts few types to float16.
    return pa.float64() if pa.types.is_float16(number) else number


def parsed_text(array: pa.ChunkedArray, declared: str) -> pa.ChunkedArray | None:
    """Parse text as dates or datetimes; return None unless every value is one."""
    if declared in _PARSERS:
        return _parsed(array, *_PARSERS[declared])
    if declared:
        return None
    dates = _parsed(array, *_PARSERS[ColumnType.DATE])
    return dates if dates is not None else _parsed(array, DATETIME_FORMAT, _datetimes)


def _parsed(
    array: pa.ChunkedArray, pattern: str, parse: Callable[[pa.ChunkedArray], pa.ChunkedArray]
) -> pa.ChunkedArray | None:
    if array.null_count == len(array):
        return None
    parsed: list[pa.Array] = []
    # One chunk after the other, so that a text that is not a date shows early, and little memory is used beside it.
    for chunk in array.chunks:
        first = next((value for value in chunk if value.is_valid), None)
        if first is not None and re.search(pattern, first.as_py()) is None:
            return None
        at_once = _dates_at_once(chunk) if pattern == DATE_FORMAT else datetimes_at_once(chunk, pattern)
        if at_once is not None:
            parsed.append(at_once if isinstance(at_once, pa.Array) else at_once[0])
            continue
        texts = pa.chunked_array([chunk])
        matches = pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py()
        if not matches or pc.any(pc.starts_with(texts, YEAR_0), min_count=0).as_py():
            return None
        try:
            parsed += parse(texts).chunks
        except pa.ArrowInvalid:
            return None
    return pa.chunked_array(parsed)


def _dates_at_once(texts: pa.Array) -> pa.Array | None:
    """Parse dates without a regular expression; None if that is not certain.

    Arrow parses more formats of dates than the pattern allows, but none of another format has this length.
    """
    lengths = pc.min_max(pc.binary_length(texts))
    if {lengths["min"].as_py(), lengths["max"].as_py()} != {len("2013-01-01")}:
        return None
    try:
        parsed = texts.cast(pa.date32())
    except pa.ArrowInvalid:
        return None
    return None if pc.any(pc.starts_with(texts, YEAR_0)).as_py() else parsed


@dataclass(frozen=True)
class DatetimeForm:
    """How the datetimes of a column are written.

    Attributes
    ----------
    separator : {" ", "T"}
        What stands before the hour.
    fraction : bool or None
        Whether they have six digits of a fraction; None if only those have one whose fraction is not zero.
    zone : {"", "Z"}
        What stands at the end.
    """

    separator: str = " "
    fraction: bool | None = False
    zone: str = ""

    def texts(self, datetimes: pa.Array) -> pa.Array:
        """Return the texts of datetimes in this form.

        Examples
        --------
        >>> DatetimeForm("T", zone="Z").texts(pa.array([0], pa.timestamp("us"))).to_pylist()
        ['1970-01-01T00:00:00Z']
        """
        seconds = datetimes.cast(pa.timestamp("s"), safe=False)
        texts = pc.cast(datetimes if self.fraction else seconds, TEXT)
        if self.fraction is None:
            texts = pc.if_else(pc.equal(seconds.cast(datetimes.type), datetimes), texts, pc.cast(datetimes, TEXT))
        if self.separator != " ":
            texts = pc.utf8_replace_slice(texts, _DATE_LENGTH, _DATE_LENGTH + 1, self.separator)
        return pc.binary_join_element_wise(texts, pa.scalar(self.zone, TEXT), _EMPTY) if self.zone else texts


def datetimes_at_once(texts: pa.Array, pattern: str = ANY_DATETIME) -> tuple[pa.Array, DatetimeForm] | None:
    """Parse datetimes of one form.

    Parameters
    ----------
    texts : pyarrow.Array
        Texts and nulls.
    pattern : str, optional
        ``DATETIME_FORMAT`` to parse only the form in which this package writes datetimes.

    Returns
    -------
    tuple of pyarrow.Array and DatetimeForm, or None
        The datetimes in UTC, and their form. The texts can be restored from both. None if not all texts are datetimes
        of one of these forms.

    Notes
    -----
    Arrow parses more formats of datetimes than the pattern allows, but none of another format has these lengths.
    """
    present = (texts.drop_null() if texts.null_count else texts).cast(TEXT)
    if not len(present):
        return None
    _, offsets, data = present.buffers()
    places = np.frombuffer(offsets, np.int64)[present.offset : present.offset + len(present) + 1]
    starts, lengths = places[:-1], np.diff(places)
    shortest, longest = int(lengths.min()), int(lengths.max())
    if (shortest, longest) not in _FRACTIONS_BY_LENGTHS:
        return None
    characters = np.frombuffer(data, np.uint8)
    separators = characters[starts + _DATE_LENGTH]
    zone = "Z" if longest == _SECONDS_LENGTH + 1 else ""
    form = DatetimeForm(chr(separators[0]), _FRACTIONS_BY_LENGTHS[shortest, longest], zone)
    if form.separator not in (" T" if pattern == ANY_DATETIME else " ") or np.any(separators != separators[0]):
        return None
    if zone and (pattern != ANY_DATETIME or np.any(characters[starts + _SECONDS_LENGTH] != ord("Z"))):
        return None
    try:
        parsed = texts.cast(pa.timestamp("us", "UTC" if zone else None)).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    if pc.min(parsed).value < _YEAR_1:
        return None
    if form.fraction is None:
        ticks = parsed.drop_null().cast(pa.int64()).to_numpy()
        if np.any((lengths == longest) != (ticks % 1_000_000 != 0)) or np.any(
            (lengths != shortest) & (lengths != longest)
        ):
            return None
    return parsed, form


def _dates(array: pa.ChunkedArray) -> pa.ChunkedArray:
    return array.cast(pa.date32())


def _datetimes(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Parse ``YYYY-MM-DD HH:MM:SS[.ffffff]``, and ISO 8601 with an offset, as datetimes in UTC."""
    has_offset = pc.match_substring_regex(array, _OFFSET)
    if not pc.any(has_offset).as_py():
        return array.cast(pa.timestamp("us"))
    zoned, naive = pc.if_else(has_offset, array, _NULL_TEXT), pc.if_else(has_offset, _NULL_TEXT, array)
    in_utc = zoned.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.coalesce(in_utc, naive.cast(pa.timestamp("us")))


def _decimals(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = [None if text is None else Decimal(text) for text in texts.to_pylist()]
    try:
        array = pa.array(numbers)
    except pa.ArrowInvalid:
        logger.warning("a column has numbers that no Arrow decimal holds; its values are their text")
        return _as_string(texts)
    return pa.chunked_array([array])


def _as_string(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return texts.cast(pa.string())
    except pa.ArrowInvalid:
        # The text is longer than 32-bit offsets reach.
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
_NOT_NUMBERS = frozenset({Kind.TEXT, Kind.BOOLEAN})
_DECLARED_NUMBERS = frozenset({ColumnType.NUMBER, ColumnType.PERCENTAGE})
_FITTING_KINDS: Mapping[str, frozenset[Kind]] = {
    ColumnType.TEXT: frozenset({Kind.TEXT}),
    ColumnType.DROPDOWN: frozenset({Kind.TEXT}),
    ColumnType.NUMBER: _NUMBERS,
    ColumnType.PERCENTAGE: _NUMBERS,
    ColumnType.CHECKBOX: frozenset({Kind.BOOLEAN}),
    ColumnType.DATE: frozenset(),
    ColumnType.DATETIME: frozenset(),
}
_PARSERS: Mapping[str, tuple[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]] = {
    ColumnType.DATE: (DATE_FORMAT, _dates),
    ColumnType.DATETIME: (ANY_DATETIME, _datetimes),
}
