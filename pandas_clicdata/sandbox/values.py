"""Cells: the JSON values that each column type takes, and the text that is stored for them.

A cell is stored as canonical JSON text. Numbers are stored as they were written and never pass through a float.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from json.encoder import encode_basestring as quote

from pandas_clicdata.sandbox.dialects import bad_value

MAX_NUMBER_LENGTH = 1000
"""The largest number of characters of a number."""

JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""The form of a JSON number."""

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FRACTION = re.compile(r"\.[0-9]{6}")
_ISO = re.compile(
    r"(?P<day>[0-9-]{10})T(?P<time>[0-9:]{8})(?P<fraction>\.[0-9]{1,6})?0*(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)
_EXPONENT = re.compile(r"[eE][+-]?0*[0-9]{1,4}")


class Number:
    """A JSON number, as the text in which it was written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text: str = text


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("must be a string or null")
    return quote(value)


def _number(value: object) -> str:
    if type(value) is not Number:
        raise ValueError("must be a JSON number or null")
    text = value.text
    if len(text) > 15:
        _check_long_number(text)
    return text


def _check_long_number(text: str) -> None:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(f"has a number of more than {MAX_NUMBER_LENGTH} characters")
    _check_exponent(text)


def _check_exponent(text: str) -> None:
    start = max(text.find("e"), text.find("E"))
    if start >= 0 and not _EXPONENT.fullmatch(text, start):
        raise ValueError("has a number with an exponent of more than four digits")


def _checked_number(value: object) -> str:
    text = _number(value)
    if "e" in text or "E" in text:
        _check_exponent(text)
    return text


def _checkbox(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise ValueError("must be true, false or null")


@lru_cache(maxsize=65536)
def is_date(text: str) -> bool:
    """Return whether a text is a date of the calendar in the form ``YYYY-MM-DD``."""
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _date(value: object) -> str:
    if type(value) is not str or not is_date(value):
        raise ValueError("must be a date in the form 'YYYY-MM-DD', or null")
    return f'"{value}"'


def _datetime(value: object) -> str:
    if (
        type(value) is not str
        or value[10:11] != " "
        or not _TIME.fullmatch(value, 11, 19)
        or not (len(value) == 19 or _FRACTION.fullmatch(value, 19))
        or not is_date(value[:10])
    ):
        raise ValueError(
            "must be a datetime in the form 'YYYY-MM-DD HH:MM:SS' or 'YYYY-MM-DD HH:MM:SS.ffffff', or null"
        )
    return f'"{value[:19]}"' if value.endswith(".000000") else f'"{value}"'


ENCODERS: dict[str, Callable[[object], str]] = {
    "text": _text,
    "number": _checked_number,
    "datetime": _datetime,
    "date": _date,
    "percentage": _checked_number,
    "checkbox": _checkbox,
    "dropdown": _text,
}
"""The column types, each with its encoder from a value to stored text."""

NUMERIC = frozenset({"number", "percentage"})
"""The column types whose cells are compared as numbers."""


# conversion of other JSON types


def _to_text(value: object) -> str:
    if type(value) is Number:
        return quote(value.text)
    if value is True or value is False:
        return quote(_checkbox(value))
    raise ValueError("must be a string, a number, true, false or null")


def _to_number(value: object) -> str:
    if type(value) is str and JSON_NUMBER.fullmatch(value):
        return _checked_number(Number(value))
    if type(value) is Number:
        return _checked_number(value)
    raise ValueError("must be a JSON number, a string with a JSON number, or null")


def _to_checkbox(value: object) -> str:
    if type(value) is Number and value.text in ("0", "1"):
        return "true" if value.text == "1" else "false"
    # Not casefold, which takes other letters, too.
    if type(value) is str and value.lower() in ("true", "false"):
        return value.lower()
    raise ValueError("must be true, false, 'true', 'false', 0, 1 or null")


def _to_datetime(value: object) -> str:
    if type(value) is str:
        if is_date(value):
            return f'"{value} 00:00:00"'
        found = _ISO.fullmatch(value)
        if found and is_date(found["day"]) and _TIME.fullmatch(found["time"]):
            try:
                moment = datetime.fromisoformat(
                    f"{found['day']} {found['time']}{(found['fraction'] or '.').ljust(7, '0')}{found['zone'] or 'Z'}"
                )
                return f'"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")}"'
            except (ValueError, OverflowError):
                pass
    raise ValueError(
        "must be a datetime in the form 'YYYY-MM-DD HH:MM:SS', with or without '.ffffff', a datetime in ISO 8601, "
        "a date in the form 'YYYY-MM-DD', or null"
    )


def _to_date(value: object) -> str:
    try:
        text = encode("datetime", value, lenient=True)
    except ValueError:
        text = ""
    if not text.endswith(' 00:00:00"'):
        raise ValueError("must be a date in the form 'YYYY-MM-DD', a datetime at midnight in UTC, or null")
    return f'{text[:11]}"'


_CONVERTERS: dict[str, Callable[[object], str]] = {
    "text": _to_text,
    "number": _to_number,
    "datetime": _to_datetime,
    "date": _to_date,
    "percentage": _to_number,
    "checkbox": _to_checkbox,
    "dropdown": _to_text,
}


def encode(data_type: str, value: object, *, lenient: bool = False) -> str:
    """Return the stored text of a value; raise ValueError if its column type does not take it.

    With `lenient`, values of some other JSON types are converted.

    Examples
    --------
    >>> encode("number", Number("1.10")), encode("text", None)
    ('1.10', 'null')
    >>> encode("number", "1.10", lenient=True), encode("text", Number("1.10"), lenient=True)
    ('1.10', '"1.10"')
    """
    if value is None:
        return "null"
    if not lenient:
        return ENCODERS[data_type](value)
    try:
        return ENCODERS[data_type](value)
    except ValueError:
        return _CONVERTERS[data_type](value)


def encode_column(name: str, data_type: str, values: Sequence[object], *, lenient: bool = False) -> list[str]:
    """Return the stored texts of one column of a request, in the order of the rows."""
    one = ENCODERS[data_type]
    try:
        return ["null" if value is None else one(value) for value in values]
    except ValueError:
        pass
    texts = []
    for number, value in enumerate(values, 1):
        try:
            texts.append(encode(data_type, value, lenient=lenient))
        except ValueError as exc:
            raise bad_value(f"Row {number}, column '{name}' ({data_type}): the value {exc}.") from None
    return texts


def text_key(text: str) -> str:
    """Return a text that is the same for stored texts that differ only in case and in spaces at the end.

    Examples
    --------
    >>> text_key('"Newark  "') == text_key('"NEWARK"')
    True
    """
    return text if text == "null" else f'"{text[1:-1].rstrip(" ").casefold()}"'


def double_key(text: str) -> str:
    """Return a text that is the same for numbers that are the same double.

    Examples
    --------
    >>> double_key("9007199254740993") == double_key("9007199254740992.0")
    True
    """
    # -0.0 and 0.0 are equal.
    return text if text == "null" else repr(float(text) + 0.0)


def number_key(text: str) -> str:
    """Return a text that is the same for exactly equal numbers.

    Examples
    --------
    >>> number_key("1.0") == number_key("1") == number_key("10e-1")
    True
    >>> number_key("9007199254740993") == number_key("9007199254740992")
    False
    """
    if text == "null":
        return text
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("-").replace("E", "e").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    bare = digits.rstrip("0")
    return f"{sign}{bare}e{int(exponent or 0) - len(fraction) + len(digits) - len(bare)}"
