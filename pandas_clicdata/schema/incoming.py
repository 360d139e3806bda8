"""The type table read backwards: what came as JSON, with or without a declared column type, to Arrow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata.models import ColumnType, Decoded, Kind
from pandas_clicdata.schema.values import DATE_FORM, DATETIME_FORM, YEAR_0

logger = logging.getLogger(__name__)

_TEXT = pa.large_string()
_OFFSET = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
_ANY_DATETIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_LONGEST_DECIMAL = 76
_UTC, _NOTHING = pa.scalar("Z", _TEXT), pa.scalar("", _TEXT)


@dataclass(frozen=True)
class Settled:
    """A column that was read, in its Arrow type.

    ``numerals`` tells of a text column that holds numbers which no Arrow number type has as written, and ``whole``
    that they are whole numbers.
    """

    values: pa.ChunkedArray
    numerals: bool = False
    whole: bool = False


def settle(decoded: Decoded, declared: str, *, keep_text: bool = False) -> Settled:
    """Give a column that was read its type.

    Parameters
    ----------
    decoded : Decoded
        The column as JSON has it.
    declared : str
        The column's ClicData type; empty if that is not known.
    keep_text : bool, default False
        Leave text as it is, for a user who asked for text.

    Notes
    -----
    What came decides: where it does not fit the declared type it keeps JSON's own, and the log says so. Without a
    declared type, text is taken for a date or datetime only if every value has exactly the form that is written.
    """
    if decoded.kind is Kind.NULL:
        return Settled(decoded.array.cast(_EMPTY_TYPES.get(declared, pa.null())))
    if decoded.kind is Kind.LITERAL:
        return Settled(decoded.array, numerals=True, whole=decoded.whole)
    if decoded.kind is Kind.TEXT and not keep_text:
        parsed = parsed_text(decoded.array, declared)
        if parsed is not None:
            return Settled(parsed)
    if declared in _HOLDS and decoded.kind not in _HOLDS[declared]:
        logger.warning("a column declared %s came as %s and stays that", declared, decoded.kind.value)
    return Settled(decoded.array)


def arrow_column(settled: Settled) -> pa.ChunkedArray:
    """Return a column as Arrow users expect it: text as string, long numbers as decimals where these can hold them."""
    if settled.numerals:
        return _decimals(settled.values)
    if pa.types.is_large_string(settled.values.type):
        return _as_string(settled.values)
    return settled.values


def fixed_type(decoded: Decoded, declared: str, *, keep_text: bool = False) -> pa.DataType:
    """Return the Arrow type that a stream's column has from its first page on."""
    if keep_text:
        return pa.string()
    if decoded.kind is Kind.LITERAL:
        return pa.decimal256(_LONGEST_DECIMAL, 0 if decoded.whole else _LONGEST_DECIMAL // 2)
    settled = settle(decoded, declared, keep_text=keep_text)
    return pa.string() if pa.types.is_large_string(settled.values.type) else settled.values.type


def conform(decoded: Decoded, target: pa.DataType, *, as_text: bool = False) -> pa.ChunkedArray:
    """Bring a later page's column to the type that the first page fixed.

    Parameters
    ----------
    decoded : Decoded
        The column of the page.
    target : pyarrow.DataType
        The type.
    as_text : bool, default False
        Write values of other kinds as text, for a user who asked for text.

    Raises
    ------
    pyarrow.ArrowInvalid
        It does not go in exactly.
    """
    array = decoded.array
    if decoded.kind is Kind.NULL:
        return array.cast(target)
    if decoded.kind is Kind.TEXT:
        if pa.types.is_timestamp(target):
            return _moments(array)
        if pa.types.is_date(target):
            return array.cast(target)
        fits = pa.types.is_string(target)
    elif as_text:
        return pa.chunked_array([pa.array(texts(array), target)])
    elif decoded.kind is Kind.BOOLEAN:
        fits = pa.types.is_boolean(target)
    else:
        fits = pa.types.is_integer(target) or pa.types.is_floating(target) or pa.types.is_decimal(target)
    if not fits:
        raise pa.ArrowInvalid(f"{decoded.kind.value} in a column of {target}")
    return array.cast(target)


def texts(values: pa.ChunkedArray) -> list[str | None]:
    """Write values as text, floats as Python does."""
    if pa.types.is_floating(values.type):
        return [None if value is None else repr(value) for value in values.to_pylist()]
    written: list[str | None] = pc.cast(values, _TEXT).to_pylist()
    return written


def is_text(arrow_type: pa.DataType) -> bool:
    """Whether an Arrow type is one of text."""
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def number_type(dtype: object) -> pa.DataType | None:
    """Return the Arrow type of a plain number dtype that a user asked for; None for any other."""
    try:
        wanted = pd.api.types.pandas_dtype(dtype)
    except TypeError:
        return None
    if isinstance(wanted, pd.ArrowDtype):
        numeric = pa.types.is_integer(wanted.pyarrow_dtype) or pa.types.is_floating(wanted.pyarrow_dtype)
        return wanted.pyarrow_dtype if numeric else None
    return pa.from_numpy_dtype(getattr(wanted, "numpy_dtype", wanted)) if wanted.kind in "iuf" else None


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
    zoned = pc.if_else(has_offset, array, pc.binary_join_element_wise(array, _UTC, _NOTHING))
    return zoned.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def _decimals(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    from decimal import Decimal

    numbers = [None if text is None else Decimal(text) for text in texts.to_pylist()]
    try:
        array = pa.array(numbers)
    except pa.ArrowInvalid:
        return _as_string(texts)
    return pa.chunked_array([array])


def _as_string(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return texts.cast(pa.string())
    except pa.ArrowInvalid:
        # More text than 32-bit offsets reach.
        return texts


_EMPTY_TYPES: Mapping[str, pa.DataType] = {
    ColumnType.TEXT: _TEXT,
    ColumnType.DROPDOWN: _TEXT,
    ColumnType.NUMBER: pa.float64(),
    ColumnType.PERCENTAGE: pa.float64(),
    ColumnType.CHECKBOX: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.DATETIME: pa.timestamp("us"),
}
_NUMBERS = frozenset({Kind.INTEGER, Kind.FLOAT})
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
