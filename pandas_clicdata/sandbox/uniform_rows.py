"""The rows of an append that all have the same form, matched one by one with a regular expression.

A client writes each row of a body alike. The expression for such a row is made from the columns of the table and the
first row of the body. It matches fewer bodies than `bodies` takes, and where it matches, the texts are the same: the
cells are stored as they are written, so that no value is parsed. All other bodies, and every refusal, are left to
`bodies`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring as quote
from typing import Any

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import MAX_ROWS, Column, is_limited
from pandas_clicdata.sandbox.values import is_date

MIN_ROWS = 100
"""The number of rows, as estimated from the first one, from which it pays to compile an expression."""

_SPACE = r"[ \t\r\n]*+"
_BEGINNING = re.compile(rf'{_SPACE}\{{{_SPACE}"data"{_SPACE}:{_SPACE}\[{_SPACE}')
_END = re.compile(rf"\]{_SPACE}\}}{_SPACE}")

# The bounds on digits are within those of `values`.
_NUMBER = r"-?+(?:0|[1-9][0-9]{0,400}+)(?:\.[0-9]{1,400}+)?+(?:[eE][+-]?+0{0,9}+[0-9]{1,4}+)?+"
_TEXT = r'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"'
# With the escapes that `values` writes, and no others.
_AS_STORED = re.compile(r'[^\\]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f]))[^\\]*+)*+')
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.(?!000000)[0-9]{6})?+"
_CELLS = {
    "text": _TEXT,
    "number": _NUMBER,
    "datetime": f'"{_DAY} {_TIME}"',
    "date": f'"{_DAY}"',
    "percentage": _NUMBER,
    "checkbox": "true|false",
    "dropdown": _TEXT,
}

_FIRST_ROW = json.JSONDecoder(object_pairs_hook=list)


def read(
    body: bytes, shape: str, columns: Sequence[Column], row_id: str | None, assume: Assumptions
) -> list[Sequence[str]] | None:
    """Return the rows of an append as stored texts, one sequence for each column; None if only `bodies` can decide."""
    try:
        text = body.decode("utf-8")
        beginning = _BEGINNING.match(text)
        if beginning is None:
            return None
        start = beginning.end()
        row, end = _FIRST_ROW.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if len(text) - start < MIN_ROWS * (end - start):
        return None
    names = _NAMES[shape](row, columns)
    if names is None:
        return None
    pattern = _pattern(shape, tuple(columns), row_id, names, text.isascii())
    if pattern is None:
        return None
    rows = []
    found = pattern.match(text, start)
    while found:
        rows.append(found.groups())
        start = found.end()
        found = pattern.match(text, start)
    if not _END.fullmatch(text, start) or (len(rows) > MAX_ROWS and is_limited(shape, assume)):
        return None
    by_name: dict[str, Sequence[str]] = dict(
        zip((name for name in names if name != row_id), zip(*rows, strict=True), strict=True)
    )
    missing = ["null"] * len(rows)
    texts = [by_name.get(column.name, missing) for column in columns]
    try:
        return [
            _checked(column.data_type, cells, has_escapes="\\" in text)
            for column, cells in zip(columns, texts, strict=True)
        ]
    except ValueError:
        return None


def _checked(data_type: str, cells: Sequence[str], *, has_escapes: bool) -> Sequence[str]:
    """Return the stored texts of cells that have the form of their type; raise ValueError if a value is not valid."""
    if data_type in ("date", "datetime"):
        for day in {cell[1:11] for cell in cells if cell != "null"}:
            if not is_date(day):
                raise ValueError(day)
    if data_type in ("text", "dropdown") and has_escapes:
        return [_rewritten(cell) if "\\" in cell and not _AS_STORED.fullmatch(cell) else cell for cell in cells]
    return cells


def _rewritten(cell: str) -> str:
    text: str = json.loads(cell)
    # A lone surrogate raises UnicodeEncodeError, which is a ValueError.
    text.encode("utf-8")
    return quote(text)


# the names of the columns in the first row, for each form of a row; None if the form is another one


def _names_of_cells(row: Any, columns: Sequence[Column]) -> tuple[str, ...] | None:
    names = []
    for cell in row if isinstance(row, list) else [None]:
        match cell:
            case [("column", str(name)), ("value", _)]:
                names.append(name)
            case _:
                return None
    return tuple(names)


def _names_of_positions(row: Any, columns: Sequence[Column]) -> tuple[str, ...] | None:
    return tuple(column.name for column in columns)


def _names_of_object(row: Any, columns: Sequence[Column]) -> tuple[str, ...] | None:
    pairs: list[Any] = row if isinstance(row, list) else [None]
    return tuple(str(pair[0]) for pair in pairs) if all(isinstance(pair, tuple) for pair in pairs) else None


_NAMES: dict[str, Callable[[Any, Sequence[Column]], tuple[str, ...] | None]] = {
    "cells": _names_of_cells,
    "positions": _names_of_positions,
    "objects": _names_of_object,
}


@lru_cache(maxsize=64)
def _pattern(
    shape: str, columns: tuple[Column, ...], row_id: str | None, names: tuple[str, ...], ascii_only: bool
) -> re.Pattern[str] | None:
    """Return an expression for a row, and for the comma if a row follows, with a group for each cell but the row id."""
    types = {column.name: column.data_type for column in columns}
    if not names or len(set(names)) != len(names) or not {*names} <= {*types, row_id}:
        return None
    cells = []
    for name in names:
        cell = "null" if name == row_id else f"({_CELLS[types[name]]}|null)"
        key = re.escape(json.dumps(name, ensure_ascii=ascii_only))
        if shape == "cells":
            cell = rf'\{{"column": ?+{key}, ?+"value": ?+{cell}\}}'
        elif shape == "objects":
            cell = f"{key}: ?+{cell}"
        cells.append(cell)
    opening, closing = (r"\{", r"\}") if shape == "objects" else (r"\[", r"\]")
    return re.compile(f"{opening}{', ?+'.join(cells)}{closing}(?:, ?+(?={opening})|(?=\\]))")
