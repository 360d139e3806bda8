"""JSON in and out, numbers exact: what a float cannot hold comes as a Decimal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from pandas_clicdata.models import Column, Framing, MultipleRows, Secret

_ALWAYS_EXACT_CHARACTERS = 16
"""A point and 15 digits, or fewer: a double gives every such text back."""


def exact_number(token: str) -> float | Decimal:
    """Read a JSON number with a point or an exponent: a float if it gives the value back, else a Decimal.

    Examples
    --------
    >>> exact_number("0.1"), exact_number("1e22"), exact_number("0.30000000000000004")
    (0.1, 1e+22, 0.30000000000000004)
    >>> exact_number("3.14159265358979323846"), exact_number("1e400")
    (Decimal('3.14159265358979323846'), Decimal('1E+400'))
    """
    value = float(token)
    if (len(token) <= _ALWAYS_EXACT_CHARACTERS and "e" not in token and "E" not in token) or repr(value) == token:
        return value
    try:
        exact = Decimal(token)
    except InvalidOperation as exc:
        raise ValueError(f"{token[:40]} is a number beyond all bounds") from exc
    return value if Decimal(repr(value)) == exact else exact


def loads(body: bytes) -> Any:
    """Parse a JSON body.

    Raises
    ------
    ValueError
        It is not JSON in UTF-8, or an object in it has a key twice, so that one of two values would be lost.
    """
    try:
        return json.loads(body, parse_float=exact_number, parse_constant=_not_json, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def dumps(value: Any) -> bytes:
    """Write a JSON body in UTF-8; a Secret is revealed here, and nowhere else."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_revealed).encode()


def text_literal(text: str) -> str:
    """Write a text as a JSON string.

    Examples
    --------
    >>> text_literal('say "é"')
    '"say \\\\"é\\\\""'
    """
    return json.dumps(text, ensure_ascii=False)


def named_cells(names: Sequence[str]) -> Framing:
    """A row as ``[{"column": …, "value": …}, …]``."""
    prefixes = tuple(
        ("" if position == 0 else "},") + '{"column":' + text_literal(name) + ',"value":'
        for position, name in enumerate(names)
    )
    return Framing("[", prefixes, "}]")


def objects(names: Sequence[str]) -> Framing:
    """A row as ``{name: …, …}``."""
    prefixes = tuple(("" if position == 0 else ",") + text_literal(name) + ":" for position, name in enumerate(names))
    return Framing("{", prefixes, "}")


def records(rows: bytes) -> bytes:
    """Wrap rows that are written already."""
    return b'{"data":[' + rows + b"]}"


def delete(find: bytes, multiple_rows: MultipleRows) -> bytes:
    """Write the body that deletes every row that matches, or the first of them (S P).

    Raises
    ------
    ValueError
        ``find`` has no condition: what the service would delete then is unknown, so it is never sent.
    """
    return b'{"multiplerows":"' + multiple_rows.encode() + b'","find":' + _conditions(find, "a delete") + b"}"


def update(find: bytes, values: bytes, multiple_rows: MultipleRows) -> bytes:
    """Write the body that gives these values to every row that matches, or to the first of them (A).

    Raises
    ------
    ValueError
        ``find`` has no condition: what the service would change then is unknown, so it is never sent.
    """
    conditions = _conditions(find, "an update")
    return b'{"multiplerows":"' + multiple_rows.encode() + b'","find":' + conditions + b',"update":' + values + b"}"


def _conditions(find: bytes, what: str) -> bytes:
    if not find.startswith(b"[{"):
        raise ValueError(f"{what} without a condition is never sent")
    return find


def new_table(name: str, description: str, columns: Sequence[Column]) -> bytes:
    """Write the body that creates a table (O P)."""
    listed = [{"name": column.name, "data_type": column.data_type} for column in columns]
    return dumps({"name": name, "description": description, "columns": listed})


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has a key twice")
    return fields


def _not_json(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is no JSON value")
