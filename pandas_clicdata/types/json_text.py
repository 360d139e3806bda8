"""Write values without ClicData type as JSON text, and restore Arrow values from it."""

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
    """Write a value as JSON text: binary as base64; dates, times, Decimal and complex numbers as text.

    Raises
    ------
    TypeError, ValueError
        JSON cannot hold the value without loss.

    Examples
    --------
    >>> json_text({"a": (1, b"xyz")})
    '{"a": [1, "eHl6"]}'
    """
    text = json.dumps(_json_value(value), ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it contains half of a surrogate pair") from None
    return text


def parse_json(text: str) -> Any:
    """Parse JSON text.

    Raises
    ------
    ValueError
        The text is not JSON, or has a number beyond the range of a float.
    """
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("has a number beyond the range of a float.")
    return number


def has_json_text(value: object) -> bool:
    """Return whether :func:`json_text` can write a value."""
    try:
        json_text(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _json_value(value: Any) -> object:
    # First, because NaT is an instance of datetime.
    if value is pd.NA or value is pd.NaT or (isinstance(value, np.datetime64 | np.timedelta64) and np.isnat(value)):
        return None
    match value:
        case None | int() | float() | str():
            return value
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise TypeError("a dict has keys that are not text")
            return {key: _json_value(item) for key, item in value.items()}
        case list() | tuple() | np.ndarray():
            return [_json_value(item) for item in value]
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
        # Python has no type for longdouble and clongdouble: item() returns them unchanged.
        case np.generic() if not isinstance(value, np.longdouble | np.clongdouble):
            return _json_value(value.item())
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def json_decoder(arrow_type: pa.DataType) -> Callable[[Any], Any]:
    """Return a function that restores an Arrow value from its parsed JSON.

    Raises
    ------
    TypeError
        Values of this type cannot be restored from JSON.

    Examples
    --------
    >>> json_decoder(pa.list_(pa.binary()))(["eHl6", None])
    [b'xyz', None]
    """
    decode = _decoder_of_present(arrow_type)
    return lambda value: None if value is None else decode(value)


def _decoder_of_present(arrow_type: pa.DataType) -> Callable[[Any], Any]:
    if _is_any(arrow_type, _LISTS):
        item = json_decoder(arrow_type.value_type)
        return lambda items: [item(each) for each in items]
    if _is.is_struct(arrow_type):
        fields = {field.name: json_decoder(field.type) for field in arrow_type}
        return lambda record: {name: decode(record[name]) for name, decode in fields.items()}
    if _is.is_map(arrow_type):
        key, item = json_decoder(arrow_type.key_type), json_decoder(arrow_type.item_type)
        return lambda pairs: [(key(first), item(second)) for first, second in pairs]
    if _is.is_dictionary(arrow_type):
        return json_decoder(arrow_type.value_type)
    for types, decode in _DECODERS:
        if _is_any(arrow_type, types):
            return decode
    raise TypeError(f"{arrow_type} cannot be read from JSON")


def _is_any(arrow_type: pa.DataType, types: Sequence[Callable[[pa.DataType], bool]]) -> bool:
    return any(is_type(arrow_type) for is_type in types)


def _extension(name: str) -> Callable[[pa.DataType], bool]:
    return lambda arrow_type: getattr(arrow_type, "extension_name", "") == name


_is = pa.types
_LISTS = (_is.is_list, _is.is_large_list, _is.is_fixed_size_list, _is.is_list_view, _is.is_large_list_view)
_BINARIES = (_is.is_binary, _is.is_large_binary, _is.is_fixed_size_binary, _is.is_binary_view)
_JSON_TYPES = (_is.is_integer, _is.is_floating, _is.is_boolean, _is.is_string, _is.is_large_string, _is.is_string_view,
             _is.is_null, _extension("arrow.json"))  # fmt: skip
_DECODERS: Sequence[tuple[Sequence[Callable[[pa.DataType], bool]], Callable[[Any], Any]]] = (
    (_BINARIES, lambda text: base64.b64decode(text, validate=True)),
    ([_is.is_decimal], Decimal),
    ([_is.is_timestamp], pd.Timestamp),
    ([_is.is_duration], pd.Timedelta),
    ([_is.is_date], dt.date.fromisoformat),
    ([_is.is_time], dt.time.fromisoformat),
    ([_is.is_float16], np.float16),
    ([_extension("arrow.uuid")], lambda text: UUID(text).bytes),
    (_JSON_TYPES, lambda value: value),
)
"""The first match counts, because float16 is also a floating type."""
