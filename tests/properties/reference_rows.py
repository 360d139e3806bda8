"""A plain, slow row codec: Python values one at a time, as the documentation describes.

It imports nothing of the package: Arrow columns come in as Python values, and kinds, encodings and errors are called
by their names.
"""

from __future__ import annotations

import json
import re
import struct
from decimal import Decimal

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"


class Mixed(Exception):
    """A column has values of several kinds; the arguments are its name and the names of the kinds."""


# Encoding: a cell is its exact text, or a float with its width in bytes, whose text has several valid forms.


def cell(value, encoding, width=8):
    """Return the JSON text of a value; for a float, the float and its width."""
    match encoding:
        case _ if value is None:
            return "null"
        case "integer":
            return str(value)
        case "boolean":
            return "true" if value else "false"
        case "decimal":
            return all_digits(value)
        case "literal":
            return value
        case "text":
            return json.dumps(value, ensure_ascii=False)
        case "date":
            return f'"{value.year:04}-{value.month:02}-{value.day:02}"'
        case "datetime":
            text = f"{value.year:04}-{value.month:02}-{value.day:02} "
            text += f"{value.hour:02}:{value.minute:02}:{value.second:02}"
            return f'"{text}.{value.microsecond:06}"' if value.microsecond else f'"{text}"'
        case "float":
            return value, width
    raise AssertionError(encoding)


def all_digits(value):
    """Write a Decimal without an exponent, with as many digits after the point as it has."""
    sign, digits, exponent = value.as_tuple()
    text = ("".join(map(str, digits)) + "0" * max(exponent, 0)).lstrip("0") or "0"
    if exponent < 0:
        text = text.rjust(1 - exponent, "0")
        text = f"{text[:exponent]}.{text[exponent:]}"
    return "-" * sign + text


def row(values, wires, framing):
    """Return a row as parts to join: texts, and floats with their width."""
    opening, prefixes, closing = framing
    parts = [opening]
    for value, (encoding, quoted, width), prefix in zip(values, wires, prefixes, strict=True):
        written = cell(value, encoding, width)
        if quoted and value is not None:
            parts += [prefix, '"', written, '"']
        else:
            parts += [prefix, written]
    return [*parts, closing]


def is_written_as(text, rows):
    """Return whether a text is these rows, separated by commas, with the fewest digits for each float."""
    parts: list[str | tuple[float, int]] = []
    for position, each in enumerate(rows):
        parts += [",", *each] if position else each
    floats = [part for part in parts if isinstance(part, tuple)]
    pattern = "".join(f"({NUMBER})" if isinstance(part, tuple) else re.escape(part) for part in parts)
    found = re.fullmatch(pattern, text)
    if found is None:
        return False
    return all(is_shortest(token, *wanted) for token, wanted in zip(found.groups(), floats, strict=True))


def is_shortest(token, value, width):
    """Return whether a JSON number reads as this float and has the fewest digits; whole numbers as a double."""
    back = json.loads(token)
    width = 8 if float(value).is_integer() else width
    return (
        type(back) is float
        and as_bytes(back, width) == as_bytes(value, width)
        and digits(token) == fewest(value, width)
    )


def as_bytes(value, width):
    return struct.pack({4: "f", 8: "d"}[width], value)


def digits(token):
    """Return the number of digits without zeros at both ends."""
    return len(token.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0"))


def fewest(value, width):
    if value == 0:
        return 0
    for count in range(17):
        try:
            if as_bytes(float(f"{value:.{count}e}"), width) == as_bytes(value, width):
                return count + 1
        except OverflowError:
            # Rounded beyond the largest float.
            continue
    raise AssertionError(value)


# Decoding: a column is its kind, its Arrow type, its values, and whether they are whole.


def loads(text):
    """Parse JSON with exact numbers: a float if it is the same number, else a Decimal."""
    return json.loads(text, parse_float=number)


def number(token):
    exact, near = Decimal(token), float(token)
    return near if Decimal(repr(near)) == exact else exact


def names_in(rows, known=()):
    """Return the known columns, then others in order of appearance."""
    names = list(known)
    for each in rows:
        names += [name for name in each if name not in names]
    return names


def decode(rows, names, as_text=(), mixed_as_text=()):
    """Return the columns of a page."""
    columns = []
    for name in names:
        values = [each.get(name) for each in rows]
        columns.append(text_column(values) if name in as_text else column(name, values, name in mixed_as_text))
    return columns


def column(name, values, mixed_as_text=False):
    present = [value for value in values if value is not None]
    kinds = {kind_of(value) for value in present}
    if not present:
        return "NULL", "null", values, False
    if kinds == {"str"}:
        return "TEXT", "large_string", values, False
    if kinds == {"bool"}:
        return "BOOLEAN", "bool", values, False
    if kinds == {"int"}:
        for arrow_type, least, most in (("int64", -(2**63), 2**63 - 1), ("uint64", 0, 2**64 - 1)):
            if all(least <= value <= most for value in present):
                return "INTEGER", arrow_type, values, False
        return "LITERAL", "large_string", [number_text(value) for value in values], True
    if kinds <= {"int", "float", "Decimal"}:
        # A float holds every whole number up to here.
        if "Decimal" not in kinds and all(abs(value) <= 2**53 for value in present if kind_of(value) == "int"):
            return "FLOAT", "double", [None if value is None else float(value) for value in values], False
        return "LITERAL", "large_string", [number_text(value) for value in values], False
    if mixed_as_text:
        return text_column(values)
    raise Mixed(name, " and ".join(sorted(kinds)))


def kind_of(value):
    return type(value).__name__


def number_text(value):
    match value:
        case None:
            return None
        case float():
            return repr(value)
    return str(value)


def text_column(values):
    """Return text unchanged, and other values as JSON text."""
    texts = [value if value is None or kind_of(value) == "str" else json_text(value) for value in values]
    if texts == [None] * len(texts):
        return "NULL", "null", texts, False
    return "TEXT", "large_string", texts, False


def json_text(value):
    """Write JSON as Python does, with spaces after commas and colons; of a Decimal its digits."""
    tokens: dict[str, str] = {}

    def hidden(value):
        match value:
            case Decimal():
                token = f"the {len(tokens)}th Decimal of this value"
                tokens[json.dumps(token)] = str(value)
                return token
            case list():
                return [hidden(each) for each in value]
            case dict():
                return {key: hidden(each) for key, each in value.items()}
        return value

    text = json.dumps(hidden(value), ensure_ascii=False)
    for token, number in tokens.items():
        text = text.replace(token, number)
    return text


def unify(pages, name, mixed_as_text=False):
    """Combine pages, each as `decode` returns it, into the column that one page of all values would be.

    Only numbers keep what each page made of them: a whole number that came beside a fraction is a float.
    """
    kinds = {kind for kind, _, _, _ in pages} - {"NULL"}
    values = [value for _, _, each, _ in pages for value in each]
    if not kinds:
        return "NULL", "null", values, False
    if kinds == {"TEXT"}:
        return "TEXT", "large_string", values, False
    if kinds == {"BOOLEAN"}:
        return "BOOLEAN", "bool", values, False
    if kinds <= {"INTEGER", "FLOAT", "LITERAL"}:
        if "LITERAL" not in kinds:
            kind, arrow_type, together, whole = column(name, values)
            if kind != "LITERAL":
                return kind, arrow_type, together, whole
        whole = all(kind in ("INTEGER", "NULL") or whole for kind, _, _, whole in pages)
        return "LITERAL", "large_string", [each if type(each) is str else number_text(each) for each in values], whole
    if mixed_as_text:
        return "TEXT", "large_string", text_column(values)[2], False
    raise Mixed(name, kinds)
