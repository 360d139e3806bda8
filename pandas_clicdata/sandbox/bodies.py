"""Request bodies: strict JSON, parsed into the form that each operation takes."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, NoReturn

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.dialects import Refusal, bad_body, bad_value
from pandas_clicdata.sandbox.values import ENCODERS, Number, encode, encode_column

MAX_ROWS = 500
"""The largest number of rows in one request, if it is limited."""
MAX_COLUMNS = 1900
"""The largest number of columns of a table; the limit of SQLite is 2,000."""
MAX_NAME = 255
"""The largest number of characters of a name."""
UPDATE_KEYS: dict[str, tuple[str, ...]] = {"data": ("data",), "update": ("update",), "either": ("data", "update")}
"""The keys that new values may have in an update, for each choice of `Assumptions.update_key`."""
ROW_ID_TYPES = ("id", "rec_id")
"""The types of a row id column."""
MODES = ("reload", "rebuild", "update", "append", "updateappend")
"""The modes of a refresh."""

_SURROGATE = re.compile(rb"\\u[dD][89abAB]")
_LOW_SURROGATE = re.compile(rb"\\u[dD][c-fC-F]")


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    data_type: str


@dataclass(frozen=True)
class Match:
    """The rows that an update or a delete affects.

    Attributes
    ----------
    find : tuple of tuple
        Column numbers (-1 is the row id), each with the stored text to find.
    first : bool
        Only the first row that matches.
    """

    find: tuple[tuple[int, str], ...]
    first: bool


def _no_constant(name: str) -> NoReturn:
    raise bad_body(f"The body is not JSON: {name} is not a JSON value.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise bad_body(f"The body has the key '{twice}' twice in one object.")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=_no_constant
)


def parse(body: bytes) -> Any:
    """Return the JSON value of a body, with numbers as `Number`; refuse a body that is not JSON."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise bad_body(f"The body is not UTF-8: byte {exc.start + 1} cannot be read.") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise bad_body(f"The body is not JSON: {exc}.") from None
    except RecursionError:
        raise bad_body("The body is nested too deeply.") from None
    if _SURROGATE.search(body) or _LOW_SURROGATE.search(body):
        _refuse_lone_surrogates(value)
    return value


def _refuse_lone_surrogates(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                raise bad_body("A string in the body has a lone surrogate, which is not a valid character.") from None


def _fields(
    value: Any, required: Set[str], optional: Set[str] = frozenset(), where: str = "The body"
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_body(f"{where} must be a JSON object.")
    for name in sorted(required - value.keys()):
        raise bad_body(f"{where} lacks the key '{name}'.")
    for name in sorted(value.keys() - required - optional):
        raise bad_body(f"{where} has the unknown key '{name}'.")
    return value


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise bad_body(f"{what} must be a string.")
    if not value.strip():
        raise bad_body(f"{what} must not be empty.")
    if len(value) > MAX_NAME:
        raise bad_body(f"{what} has more than {MAX_NAME} characters.")
    return value


def read_create(body: bytes, assume: Assumptions) -> tuple[str, str, tuple[Column, ...], Column | None]:
    """Return name, description and columns of a new table, and its row id column if it has one."""
    fields = _fields(parse(body), {"name", "columns"}, {"description"})
    name = _name(fields["name"], "The name of the table")
    description = fields.get("description", "")
    if description is None:
        description = ""
    if not isinstance(description, str):
        raise bad_body("The description must be a string.")
    return name, description, *check_columns(fields["columns"], assume)


def column_types(assume: Assumptions) -> tuple[str, ...]:
    """Return the types that a column of a new table may have."""
    return (*ENCODERS, *(ROW_ID_TYPES if assume.row_id_in_create else ()))


def check_columns(given: Any, assume: Assumptions) -> tuple[tuple[Column, ...], Column | None]:
    """Return the columns of a new table from a list of names and types, and its row id column if it has one."""
    if not isinstance(given, list) or not given:
        raise bad_body("'columns' must be a list of at least one column.")
    if len(given) > MAX_COLUMNS:
        raise bad_body(f"The table has {len(given)} columns; the limit is {MAX_COLUMNS}.")
    types = column_types(assume)
    columns: list[Column] = []
    row_ids: list[Column] = []
    seen: dict[str, str] = {}
    for number, item in enumerate(given, 1):
        where = f"Column {number}"
        column = _fields(item, {"name", "data_type"}, where=where)
        label = _name(column["name"], f"The name of column {number}")
        if not isinstance(column["data_type"], str) or column["data_type"] not in types:
            raise bad_body(f"{where} ('{label}') has an unknown data_type. Valid types: {', '.join(types)}.")
        if label.casefold() in seen:
            raise bad_body(f"{where} ('{label}') has the same name as the column '{seen[label.casefold()]}'.")
        seen[label.casefold()] = label
        (row_ids if column["data_type"] in ROW_ID_TYPES else columns).append(Column(label, column["data_type"]))
    if len(row_ids) > 1:
        raise bad_body(f"The columns '{row_ids[0].name}' and '{row_ids[1].name}' are both row id columns.")
    if not columns:
        raise bad_body("The table must have a column beside the row id column.")
    if row_ids:
        return tuple(columns), row_ids[0]
    if assume.row_id is not None and assume.row_id in seen:
        raise bad_body(f"The column '{seen[assume.row_id]}' has the name of the row id column, which every table has.")
    return tuple(columns), None


def _check_row_id(value: Any, number: int, row_id: str) -> None:
    if value is not None:
        raise bad_body(f"Row {number}: the service fills the row id column '{row_id}'; its value must be null.")


def _cells(row: Any, number: int, columns: Sequence[Column], known: Set[str], row_id: str | None) -> list[Any]:
    if not isinstance(row, list):
        raise bad_body(f'Row {number} must be a list of {{"column": …, "value": …}}.')
    found: dict[str, Any] = {}
    for place, cell in enumerate(row, 1):
        fields = _fields(cell, {"column", "value"}, where=f"Row {number}, cell {place}")
        column = fields["column"]
        if not isinstance(column, str):
            raise bad_body(f"Row {number}, cell {place}: 'column' must be a string.")
        if column in found:
            raise bad_body(f"Row {number} has the column '{column}' twice.")
        if column not in known:
            raise bad_body(f"Row {number}: the table has no column '{column}'.")
        found[column] = fields["value"]
    if row_id is not None:
        _check_row_id(found.get(row_id), number, row_id)
    return [found.get(column.name) for column in columns]


def _positions(row: Any, number: int, columns: Sequence[Column], known: Set[str], row_id: str | None) -> list[Any]:
    if not isinstance(row, list):
        raise bad_body(f"Row {number} must be a list of values.")
    if len(row) != len(columns):
        raise bad_body(f"Row {number} has {len(row)} values; the table has {len(columns)} columns.")
    return row


def _named(row: Any, number: int, columns: Sequence[Column], known: Set[str], row_id: str | None) -> list[Any]:
    if not isinstance(row, dict):
        raise bad_body(f"Row {number} must be an object of column names and values.")
    if not row.keys() <= known:
        unknown = next(name for name in row if name not in known)
        raise bad_body(f"Row {number}: the table has no column '{unknown}'.")
    if row_id is not None:
        _check_row_id(row.get(row_id), number, row_id)
    return [row.get(column.name) for column in columns]


SHAPES: dict[str, Callable[[Any, int, Sequence[Column], Set[str], str | None], list[Any]]] = {
    "cells": _cells,
    "positions": _positions,
    "objects": _named,
}
"""The forms of a row in an append."""


def is_limited(shape: str, assume: Assumptions) -> bool:
    """Return whether an append with rows of a form takes at most `MAX_ROWS` rows."""
    return assume.row_limit == "all" or (assume.row_limit == "insert" and shape == "objects")


def read_rows(
    parsed: Any, shape: str, columns: Sequence[Column], row_id: str | None, assume: Assumptions
) -> list[list[str]]:
    """Return the rows of an append as stored texts, one list for each column; rows that do not fit may be missing."""
    rows = _fields(parsed, {"data"})["data"]
    if not isinstance(rows, list):
        raise bad_body("'data' must be a list of rows.")
    if not rows:
        raise bad_body("'data' has no rows.")
    if len(rows) > MAX_ROWS and is_limited(shape, assume):
        raise Refusal(400, "TooManyRows", f"The request has {len(rows)} rows; the limit is {MAX_ROWS}.")
    one = SHAPES[shape]
    lenient = assume.value_conversion == "lenient"
    known = {column.name for column in columns} | {row_id for row_id in (row_id,) if row_id is not None}

    def stored(first: int, some: Sequence[Any]) -> list[list[str]]:
        """Return some rows as stored texts; `first` is the number of the first of them."""
        values = [one(row, number, columns, known, row_id) for number, row in enumerate(some, first)]
        by_column = zip(*values, strict=True)
        return [
            encode_column(column.name, column.data_type, cells, lenient=lenient)
            for column, cells in zip(columns, by_column, strict=True)
        ]

    try:
        return stored(1, rows)
    except Refusal:
        if assume.refused_rows == "request":
            raise
    texts: list[list[str]] = [[] for _ in columns]
    for number, row in enumerate(rows, 1):
        with contextlib.suppress(Refusal):
            for column, cells in zip(texts, stored(number, [row]), strict=True):
                column += cells
    return texts


def count_rows(body: bytes) -> int:
    """Return the number of rows in a body, or 0 if it cannot be read."""
    try:
        rows = parse(body)["data"]
    except (Refusal, TypeError, KeyError, AttributeError):
        return 0
    return len(rows) if isinstance(rows, list) else 0


def _pairs(
    given: Any, what: str, columns: Sequence[Column], row_id: str | None, assume: Assumptions
) -> tuple[tuple[int, str], ...]:
    if not isinstance(given, list) or not given:
        raise bad_body(f'\'{what}\' must be a list of at least one {{"column": …, "value": …}}.')
    index = {column.name: number for number, column in enumerate(columns)}
    if row_id is not None:
        index[row_id] = -1
    found: dict[int, str] = {}
    for place, cell in enumerate(given, 1):
        where = f"'{what}', item {place}"
        fields = _fields(cell, {"column", "value"}, where=where)
        name, value = fields["column"], fields["value"]
        if not isinstance(name, str) or name not in index:
            raise bad_body(f"{where}: the table has no column '{name}'.")
        number = index[name]
        if number in found:
            raise bad_body(f"'{what}' has the column '{name}' twice.")
        if number < 0 and what != "find" and value is not None:
            raise bad_body(f"{where}: the service fills the row id column '{name}'; its value must be null.")
        data_type = columns[number].data_type if number >= 0 else "number"
        try:
            found[number] = encode(data_type, value, lenient=assume.value_conversion == "lenient")
        except ValueError as exc:
            raise bad_value(f"{where}, column '{name}' ({data_type}): the value {exc}.") from None
    return tuple(found.items())


def _match(fields: dict[str, Any], columns: Sequence[Column], row_id: str | None, assume: Assumptions) -> Match:
    if fields["multiplerows"] not in ("all", "first"):
        raise bad_body("'multiplerows' must be 'all' or 'first'.")
    return Match(_pairs(fields["find"], "find", columns, row_id, assume), fields["multiplerows"] == "first")


def read_delete(body: bytes, columns: Sequence[Column], row_id: str | None, assume: Assumptions) -> Match:
    """Return which rows to delete."""
    return _match(_fields(parse(body), {"multiplerows", "find"}), columns, row_id, assume)


def read_update(
    body: bytes, columns: Sequence[Column], row_id: str | None, assume: Assumptions
) -> tuple[Match, tuple[tuple[int, str], ...]]:
    """Return which rows to update, and the new stored texts by column number, which may be none."""
    parsed = parse(body)
    accepted = UPDATE_KEYS[assume.update_key]
    given = parsed.keys() if isinstance(parsed, dict) else set()
    found = [key for key in accepted if key in given]
    others = given - {"multiplerows", "find", *accepted}
    if len(found) > 1:
        raise bad_body("The body has the keys 'data' and 'update'; it must have one of them.")
    if assume.unknown_update_key == "refused" or not (found or others):
        fields = _fields(parsed, {"multiplerows", "find", *(found or accepted[:1])})
    else:
        fields = _fields(parsed, {"multiplerows", "find"}, {*accepted, *others})
    match = _match(fields, columns, row_id, assume)
    if found:
        values = _pairs(fields[found[0]], found[0], columns, row_id, assume)
        return match, tuple((number, text) for number, text in values if number >= 0)
    if assume.unknown_update_key == "ignored":
        return match, ()
    conditions = {number for number, _ in match.find}
    return match, tuple((number, "null") for number in range(len(columns)) if number not in conditions)


def read_refresh(body: bytes) -> str:
    """Return the mode of a refresh."""
    mode = _fields(parse(body), {"mode"})["mode"]
    if mode not in MODES:
        raise bad_body(f"'mode' must be one of {', '.join(MODES)}.")
    return str(mode)


def read_object(body: bytes, required: Set[str], optional: Set[str] = frozenset()) -> dict[str, Any]:
    """Return the fields of a body that is a JSON object; refuse missing and unknown fields with 400."""
    return _fields(parse(body), required, optional)


def read_name(value: Any, what: str) -> str:
    """Return a value that is a name; refuse other values with a 400 that starts with `what`."""
    return _name(value, what)
