"""JSON text of values that have no ClicData type of their own, and Arrow values back from it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa


def json_text(value: object) -> str:
    """Write a value as JSON: binary as base64; dates, times, Decimal and complex as their text.

    Raises
    ------
    TypeError, ValueError
        There is no JSON of it that keeps it whole.

    Examples
    --------
    >>> json_text({"a": (1, b"xyz")})
    '{"a": [1, "eHl6"]}'
    """
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None
    return text


def from_json(text: str) -> Any:
    """Read JSON text, exact or refused.

    Raises
    ------
    ValueError
        It is no JSON, or has a number that a float does not hold.
    """
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("has a number that no float holds.")
    return number


def has_json_text(value: object) -> bool:
    """Whether a value can be written as JSON."""
    try:
        json_text(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _plain(value: Any) -> object:
    # First, for NaT says of itself that it is a datetime.
    if value is pd.NA or value is pd.NaT or (isinstance(value, np.datetime64 | np.timedelta64) and np.isnat(value)):
        return None
    match value:
        case None | int() | float() | str():
            return value
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise TypeError("a dict has keys that are not text")
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple() | np.ndarray():
            return [_plain(item) for item in value]
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta() | np.timedelta64():
            return pd.Timedelta(value).isoformat()
        case Decimal():
            return str(Decimal(value))
        case np.datetime64() | complex() | UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        # Python has no such number as these, and NumPy gives them as they are.
        case np.generic() if not isinstance(value, np.longdouble | np.clongdouble):
            return _plain(value.item())
    raise TypeError(f"{type(value).__name__} is none of JSON's kinds")


def from_plain(arrow_type: pa.DataType) -> Callable[[Any], Any]:
    """Choose the way from what JSON holds of an Arrow value to that value.

    Raises
    ------
    TypeError
        There is none.

    Examples
    --------
    >>> from_plain(pa.list_(pa.binary()))(["eHl6", None])
    [b'xyz', None]
    """
    way = _way_from_plain(arrow_type)
    return lambda value: None if value is None else way(value)


def _way_from_plain(arrow_type: pa.DataType) -> Callable[[Any], Any]:
    if _is_any(arrow_type, _LISTS):
        item = from_plain(arrow_type.value_type)
        return lambda items: [item(each) for each in items]
    if _is.is_struct(arrow_type):
        fields = {field.name: from_plain(field.type) for field in arrow_type}
        return lambda record: {name: one(record[name]) for name, one in fields.items()}
    if _is.is_map(arrow_type):
        key, item = from_plain(arrow_type.key_type), from_plain(arrow_type.item_type)
        return lambda pairs: [(key(one), item(other)) for one, other in pairs]
    if _is.is_dictionary(arrow_type):
        return from_plain(arrow_type.value_type)
    for types, way in _FROM_PLAIN:
        if _is_any(arrow_type, types):
            return way
    raise TypeError(f"nothing of {arrow_type} is read from JSON")


def _is_any(arrow_type: pa.DataType, types: Sequence[Callable[[pa.DataType], bool]]) -> bool:
    return any(is_one(arrow_type) for is_one in types)


def _extension(name: str) -> Callable[[pa.DataType], bool]:
    return lambda arrow_type: getattr(arrow_type, "extension_name", "") == name


_is = pa.types
_LISTS = (_is.is_list, _is.is_large_list, _is.is_fixed_size_list, _is.is_list_view, _is.is_large_list_view)
_BINARIES = (_is.is_binary, _is.is_large_binary, _is.is_fixed_size_binary, _is.is_binary_view)
_JSON_OWN = (_is.is_integer, _is.is_floating, _is.is_boolean, _is.is_string, _is.is_large_string, _is.is_string_view,
             _is.is_null, _extension("arrow.json"))  # fmt: skip
_FROM_PLAIN: Sequence[tuple[Sequence[Callable[[pa.DataType], bool]], Callable[[Any], Any]]] = (
    (_BINARIES, lambda text: base64.b64decode(text, validate=True)),
    ([_is.is_decimal], Decimal),
    ([_is.is_timestamp], pd.Timestamp),
    ([_is.is_duration], pd.Timedelta),
    ([_is.is_date], dt.date.fromisoformat),
    ([_is.is_time], dt.time.fromisoformat),
    ([_is.is_float16], np.float16),
    ([_extension("arrow.uuid")], lambda text: UUID(text).bytes),
    (_JSON_OWN, lambda value: value),
)
"""The first that fits counts, for a float16 is a floating type."""
