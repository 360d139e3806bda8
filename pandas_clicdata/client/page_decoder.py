"""Decode the bodies of pages into columns: fast where a page has the layout of the one before, else by the reference.

The reference is :func:`operations.loads`. The fast decoder accepts less than the reference does, and what it accepts
has the same values: its numbers are exact, and a count of the keys shows whether an object had a key twice.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from pandas_clicdata._models import PageRows
from pandas_clicdata.client import operations

_ROWS_KEYS = ("data", "result")
_ROW = json.JSONDecoder()
_MAX_FIRST_ROW_BYTES = 1 << 18
_QUOTE, _BACKSLASH, _COLON = b'"\\:'
_SPACE_BEFORE_COLON = re.compile(rb'"[ \t\r\n]+:')
_DIGITS_AS_ZERO = bytes(ord("0") if chr(byte) in "0123456789." else ord(" ") for byte in range(256))
_MANY_DIGITS = b"0" * (operations.ALWAYS_EXACT_CHARACTERS + 1)
_SPACE = ord(" ")
_LOWER_CASE, _E, _MINUS, _ZERO, _POINT = (np.uint8(code) for code in (0x20, *b"e-0."))
_NULL = type(None)
_CELLS: Mapping[type, Any] = {
    int: int | None,
    float: int | float | None,
    str: str | None,
    bool: bool | None,
    _NULL: None,
    object: Any,
}
"""What the cells of a column may be, by the kind of its cells."""
_MAY_HAVE_FLOATS = {float, object}
_DECODE_ERRORS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


_Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class _Layout:
    """The objects around the rows of a page, and the columns of the rows.

    Attributes
    ----------
    names : tuple of str
        The columns.
    levels : tuple of (str, tuple of str)
        For each object around the rows: the key that leads to them, and the other keys.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, tuple[str, ...]], ...]


class PageDecoder:
    """Decodes the pages of one table. It learns the layout of the bodies and the kinds of the cells from the pages."""

    def __init__(self) -> None:
        self._layout: _Layout | None = None
        self._kinds: tuple[type, ...] | None = None
        self._listed: tuple[Any, tuple[int, bool]] = (None, (0, False))

    def loads(self, body: bytes) -> Any:
        """Parse the body of a page.

        Parameters
        ----------
        body : bytes
            The body of a reply.

        Returns
        -------
        object
            What :func:`operations.loads` returns, except that the rows are :class:`PageRows` if all of them have the
            same columns.

        Raises
        ------
        ValueError
            As :func:`operations.loads`.
        """
        content = None if self._layout is None else self._decoded(self._layout, body)
        if content is None:
            layout = _layout_of(body)
            if layout != self._layout:
                self._layout, self._kinds = layout, None
                content = None if layout is None else self._decoded(layout, body)
        return operations.loads(body) if content is None else content

    def _decoded(self, layout: _Layout, body: bytes) -> Any:
        """Parse a body; return None if it does not have this layout, or only the reference can decide."""
        characters = np.frombuffer(body, np.uint8)
        keys = _count_keys(body, characters)
        if keys is None:
            return None
        try:
            decoded, known = None, self._kinds
            if known is not None:
                # A cell of another kind is no error.
                with contextlib.suppress(msgspec.ValidationError):
                    decoded = _decoder(layout, known).decode(body)
            around, rows = _split(layout, _decoder(layout).decode(body) if decoded is None else decoded)
            inside = [self._look_inside(value) for fields in around for value in fields.values()]
            width = len(layout.names)
            if keys != len(layout.levels) + len(inside) + sum(count for count, _ in inside) + len(rows) * width:
                return None
            cells = _cells_of(rows, width)
            if known is None or decoded is None:
                known = tuple(map(_kind_of, cells, known or (_NULL,) * width))
                self._kinds = known
            inexact = any(floats for _, floats in inside)
            if (inexact or not _MAY_HAVE_FLOATS.isdisjoint(known)) and _may_be_inexact(body, characters):
                if inexact or object in known:
                    around, rows = _split(layout, _decoder(layout, exact=True).decode(body))
                    cells = _cells_of(rows, width)
                else:
                    _make_exact(layout, body, cells, tuple(at for at, kind in enumerate(known) if kind is float))
        except _DECODE_ERRORS:
            return None
        content: Any = PageRows(layout.names, cells, len(rows), dict(zip(layout.names, known, strict=True)))
        for (key, _), fields in zip(reversed(layout.levels), reversed(around), strict=True):
            content = {**fields, key: content}
        return content

    def _look_inside(self, value: Any) -> tuple[int, bool]:
        """Look as :func:`_look_inside`, but into the list of columns, which each page repeats, only once."""
        if not isinstance(value, list):
            return _look_inside(value)
        if value != self._listed[0]:
            self._listed = value, _look_inside(value)
        return self._listed[1]


def _layout_of(body: bytes) -> _Layout | None:
    """Return the layout of a body; None if it has no rows, or they are not objects."""
    levels = []
    try:
        rest = body
        while rest[:1] == b"{":
            fields = msgspec.json.decode(rest, type=dict[str, msgspec.Raw])
            key = next(key for key in _ROWS_KEYS if key in fields)
            levels.append((key, tuple(name for name in fields if name != key)))
            rest = bytes(fields[key])
        if rest[:1] != b"[":
            return None
        beginning = rest[1:_MAX_FIRST_ROW_BYTES].decode("utf-8", "ignore").lstrip(" \t\r\n")
        row, _ = _ROW.raw_decode(beginning)
        return _Layout(tuple(row), tuple(levels)) if isinstance(row, dict) and row else None
    except (StopIteration, *_DECODE_ERRORS):
        return None


@functools.lru_cache(maxsize=64)
def _decoder(
    layout: _Layout, kinds: tuple[type, ...] | None = None, *, exact: bool = False
) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a body whose cells are of these kinds; of any kind if None.

    It calls Python for each float if ``exact``.
    """
    values = [_CELLS[kind] for kind in kinds or (object,) * len(layout.names)]
    body = _body_of(layout.levels, layout.names, values)
    return msgspec.json.Decoder(body, float_hook=operations.exact_number if exact else None)


@functools.lru_cache(maxsize=64)
def _decoder_of_texts(layout: _Layout, positions: tuple[int, ...]) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a body that returns the JSON text of the cells in these columns, and no other cells."""
    names = [layout.names[at] for at in positions]
    return msgspec.json.Decoder(_body_of(layout.levels, names, [msgspec.Raw] * len(names), other_columns=True))


def _body_of(
    levels: Sequence[tuple[str, tuple[str, ...]]],
    names: Sequence[str],
    values: Sequence[Any],
    *,
    other_columns: bool = False,
) -> Any:
    """Return the type of a body: objects around a list of objects with these values."""
    row = msgspec.defstruct(
        "Row",
        [(f"f{at}", value) for at, value in enumerate(values)],
        rename={f"f{at}": name for at, name in enumerate(names)},
        forbid_unknown_fields=not other_columns,
        gc=False,
    )
    body: Any = list[row]  # type: ignore[valid-type]
    for key, others in reversed(levels):
        named = {f"f{at}": name for at, name in enumerate(others)}
        body = msgspec.defstruct(
            "Object",
            [("rows", body), *((field, Any, msgspec.UNSET) for field in named)],
            rename={"rows": key, **named},
            forbid_unknown_fields=True,
        )
    return body


def _split(layout: _Layout, decoded: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the fields of the objects around the rows, and the rows."""
    around = []
    for _, others in layout.levels:
        fields = {name: getattr(decoded, f"f{at}") for at, name in enumerate(others)}
        around.append({name: value for name, value in fields.items() if value is not msgspec.UNSET})
        decoded = decoded.rows
    return around, decoded


def _cells_of(rows: list[Any], width: int) -> list[list[Any]]:
    """Return the cells of rows by column."""
    # Without a list of tuples, for which the garbage collector would run.
    cells: list[Any] = []
    collections.deque(map(cells.extend, map(msgspec.structs.astuple, rows)), maxlen=0)
    return [cells[at::width] for at in range(width)]


def _kind_of(cells: list[Any], before: type) -> type:
    """Return the kind of cells in a column that had cells of a kind before."""
    kinds = {*map(type, cells), before} - {_NULL}
    if len(kinds) < 2:
        return kinds.pop() if kinds and kinds <= _CELLS.keys() else object if kinds else _NULL
    return float if kinds == {int, float} else object


def _make_exact(layout: _Layout, body: bytes, cells: list[list[Any]], positions: tuple[int, ...]) -> None:
    """Replace floats that have lost digits in the columns at these positions by exact numbers."""
    rows = _split(layout, _decoder_of_texts(layout, positions).decode(body))[1]
    for at, texts in zip(positions, _cells_of(rows, len(positions)), strict=True):
        column = cells[at]
        # Most services write the shortest digits of a float, as the encoder does. Some write 1e-9 as 1E-09.
        written, shortest = (msgspec.json.encode(each)[1:-1] for each in (texts, column))
        if written == shortest:
            continue
        normalized = written.replace(b"e-0", b"e-")
        if normalized == shortest:
            continue
        normalized = normalized.lower().replace(b"e+", b"e").replace(b"e0", b"e").replace(b"e-0", b"e-")
        parts = (each.split(b",") for each in (written, normalized, shortest))
        for row, (text, digits, shortest_digits) in enumerate(zip(*parts, strict=True)):
            if digits != shortest_digits and type(column[row]) is float:
                column[row] = operations.exact_number(text.decode())


def _count_keys(body: bytes, characters: _Bytes) -> int | None:
    """Count the keys of all objects in a body, repeated ones too; None if only a parser can count them.

    A key is a string before a colon. A colon within a string follows a quotation mark only if that one is escaped.
    """
    # Whole arrays are compared, because this is faster than to look at the colons alone.
    colons, before = characters[1:] == _COLON, characters[:-1]
    if np.any((before <= _SPACE) & colons) and _SPACE_BEFORE_COLON.search(body):
        return None
    quoted = (before == _QUOTE) & colons
    count = int(np.count_nonzero(quoted))
    if _BACKSLASH in body:
        escaped = int(np.count_nonzero(quoted[1:] & (characters[:-2] == _BACKSLASH)))
        if escaped and b"\\\\" in body:
            return None
        count -= escaped
    return count


def _may_be_inexact(body: bytes, characters: _Bytes) -> bool:
    """Return whether a body has a number that a float may not represent: one with many digits, or close to zero.

    A number that is too large for a float is refused by the decoder.
    """
    exponents = np.flatnonzero(((characters[:-4] | _LOWER_CASE) == _E) & (characters[1:-3] == _MINUS))
    if len(exponents) and np.any(np.all(characters[exponents[:, np.newaxis] + [2, 3, 4]] - _ZERO < 10, axis=1)):
        return True
    # Every fourth character suffices to see that most bodies have no long number.
    sample = np.ascontiguousarray(characters[::4])
    digits = ((sample - _ZERO) < 10) | (sample == _POINT)
    many = np.any(digits[:-3] & digits[1:-2] & digits[2:-1] & digits[3:])
    return bool(many) and _MANY_DIGITS in body.translate(_DIGITS_AS_ZERO)


def _look_inside(value: Any) -> tuple[int, bool]:
    """Return the number of keys of the objects inside a parsed value, and whether it has a float."""
    if not isinstance(value, list | dict):
        return 0, isinstance(value, float)
    inside = [_look_inside(each) for each in (value.values() if isinstance(value, dict) else value)]
    own = len(value) if isinstance(value, dict) else 0
    return own + sum(keys for keys, _ in inside), any(floats for _, floats in inside)
