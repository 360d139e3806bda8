"""JSON text of values that have no ClicData type of their own, for a user who asks for it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd


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
        case np.datetime64() | Decimal() | complex() | UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        # Python has no such number as these, and NumPy gives them as they are.
        case np.generic() if not isinstance(value, np.longdouble | np.clongdouble):
            return _plain(value.item())
    raise TypeError(f"a {type(value).__name__} is none of JSON's kinds")
