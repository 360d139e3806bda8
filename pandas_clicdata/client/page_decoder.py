"""Decode the bodies of pages into columns: fast where a page has the layout of the one before, else by the reference.

The reference is :func:`operations.loads`. The fast decoder accepts less than the reference does, and what it accepts
has the same values: its numbers are exact, and a count of the keys shows whether an object had a key twice.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
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
_AFTER_EXPONENT = np.isin(np.arange(256), list(b"0123456789+-"))
_MAY_BE_BOOLEAN = np.isin(np.arange(256), list(b"tf\t\r\n"))
_NOT_ONE_SPACE = _MAY_BE_BOOLEAN | np.isin(np.arange(256), list(b" "))
"""Characters after a colon, and after a colon and a space. A list or an object is no float, whatever it holds."""
_SPACE = ord(" ")
_LOWER_CASE, _E, _ZERO, _POINT = (np.uint8(code) for code in (0x20, ord("e"), ord("0"), ord(".")))
_DECODE_ERRORS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


_Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_Positions = np.ndarray[Any, np.dtype[np.intp]]


class PageDecoder:
    """Decodes the pages of one table. It learns the layout of the bodies from the first one."""

    def __init__(self) -> None:
        self._layout: _Layout | None = None
        self._has_floats = False
        self._listed: tuple[Any, tuple[int, int]] = (None, (0, 0))

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
            if layout is not self._layout:
                self._layout = layout
                content = None if layout is None else self._decoded(layout, body)
        return operations.loads(body) if content is None else content

    def _decoded(self, layout: _Layout, body: bytes) -> Any:
        """Parse a body; return None if it does not have this layout, or only the reference can decide."""
        characters = np.frombuffer(body, np.uint8)
        colons = np.flatnonzero(characters == _COLON)
        keys = _count_keys(body, characters, colons)
        if keys is None:
            return None
        decoded = self._objects(layout, body, characters)
        if decoded is None:
            return None
        around = []
        for key, others in layout.levels:
            fields = {name: getattr(decoded, f"f{at}") for at, name in enumerate(others)}
            around.append((key, {name: value for name, value in fields.items() if value is not msgspec.UNSET}))
            decoded = decoded.rows
        booleans = _count_booleans(characters, colons)
        for _, fields in around:
            keys -= 1 + len(fields)
            for keys_inside, booleans_inside in map(self._count_inside, fields.values()):
                keys -= keys_inside
                booleans -= booleans_inside
        width = len(layout.names)
        if keys != len(decoded) * width:
            return None
        # Without a list of rows, for which the garbage collector would run.
        cells = list(itertools.chain.from_iterable(map(msgspec.structs.astuple, decoded)))
        content: Any = PageRows(
            layout.names,
            [cells[at::width] for at in range(width)],
            len(decoded),
            booleans=booleans > 0,
        )
        for key, fields in reversed(around):
            content = {**fields, key: content}
        return content

    def _objects(self, layout: _Layout, body: bytes, characters: _Bytes) -> Any:
        """Parse a body into the objects of its layout; return None if it does not have this layout."""
        if not self._has_floats:
            try:
                return layout.without_floats.decode(body)
            except _DECODE_ERRORS:
                self._has_floats = True
        decoder = layout.exact if _may_be_inexact(body, characters) else layout.floats
        try:
            return decoder.decode(body)
        except _DECODE_ERRORS:
            return None

    def _count_inside(self, value: Any) -> tuple[int, int]:
        """Count as :func:`_count_inside`, but the list of columns, which each page repeats, only once."""
        if not isinstance(value, list):
            return _count_inside(value)
        if value != self._listed[0]:
            self._listed = value, _count_inside(value)
        return self._listed[1]


@dataclass(frozen=True, eq=False)
class _Layout:
    """The objects around the rows of a page, and the columns of the rows.

    Attributes
    ----------
    names : tuple of str
        The columns.
    levels : tuple of (str, tuple of str)
        For each object around the rows: the key that leads to them, and the other keys.
    without_floats, floats, exact : msgspec.json.Decoder
        Decoders of such a body. The first one refuses numbers with a point or an exponent, and lists and objects in
        cells. The second one is for bodies whose numbers are all exact as floats.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, tuple[str, ...]], ...]
    without_floats: msgspec.json.Decoder[Any]
    floats: msgspec.json.Decoder[Any]
    exact: msgspec.json.Decoder[Any]


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
        return _layout(tuple(row), tuple(levels)) if isinstance(row, dict) and row else None
    except (StopIteration, *_DECODE_ERRORS):
        return None


@functools.lru_cache(maxsize=64)
def _layout(names: tuple[str, ...], levels: tuple[tuple[str, tuple[str, ...]], ...]) -> _Layout:
    without_floats, with_floats = (
        _body_of(names, levels, value, around) for value, around in ((_Scalar, _WITHOUT_FLOATS), (Any, Any))
    )
    return _Layout(
        names,
        levels,
        msgspec.json.Decoder(without_floats),
        msgspec.json.Decoder(with_floats),
        msgspec.json.Decoder(with_floats, float_hook=operations.exact_number),
    )


_Scalar = int | str | bool | None
_WITHOUT_FLOATS = _Scalar | list[dict[str, _Scalar]] | dict[str, _Scalar]
"""What stands beside the rows: flags, counts, the list of columns, and the paging."""


def _body_of(names: tuple[str, ...], levels: tuple[tuple[str, tuple[str, ...]], ...], value: Any, around: Any) -> Any:
    """Return the type of a body: objects around a list of objects with these values."""
    fields = [f"f{at}" for at in range(len(names))]
    row = msgspec.defstruct(
        "Row",
        [(field, value) for field in fields],
        rename=dict(zip(fields, names, strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    body: Any = list[row]  # type: ignore[valid-type]
    for key, others in reversed(levels):
        named = {f"f{at}": name for at, name in enumerate(others)}
        body = msgspec.defstruct(
            "Object",
            [("rows", body), *((field, around, msgspec.UNSET) for field in named)],
            rename={"rows": key, **named},
            forbid_unknown_fields=True,
        )
    return body


def _count_keys(body: bytes, characters: _Bytes, colons: _Positions) -> int | None:
    """Count the keys of all objects in a body, repeated ones too; None if only a parser can count them.

    A key is a string before a colon. A colon within a string follows a quotation mark only if that one is escaped.
    """
    # A body cannot begin with a key.
    if not len(colons) or colons[0] < 2:
        return 0
    before = characters[colons - 1]
    if np.any((before == 0x20) | (before == 0x0A) | (before == 0x0D) | (before == 0x09)) and _SPACE_BEFORE_COLON.search(
        body
    ):
        return None
    quoted = before == _QUOTE
    count = int(np.count_nonzero(quoted))
    if _BACKSLASH in body:
        escaped = int(np.count_nonzero(quoted & (characters[colons - 2] == _BACKSLASH)))
        if escaped and b"\\\\" in body:
            return None
        count -= escaped
    return count


def _count_booleans(characters: _Bytes, colons: _Positions) -> int:
    """Count what may be a boolean after a colon, with at most one space between them."""
    after = characters[colons + 1]
    spaces = colons[after == _SPACE]
    return int(np.count_nonzero(_MAY_BE_BOOLEAN[after]) + np.count_nonzero(_NOT_ONE_SPACE[characters[spaces + 2]]))


def _may_be_inexact(body: bytes, characters: _Bytes) -> bool:
    """Return whether a body has a number that a float may not represent: one with many digits, or an exponent."""
    digits = (characters - _ZERO) < 10
    # Whole arrays are compared, because this is faster than to look at the few letters alone.
    exponents = digits[:-2] & ((characters[1:-1] | _LOWER_CASE) == _E)
    if np.any(exponents):
        after = characters[np.flatnonzero(exponents) + 2]
        if np.any(_AFTER_EXPONENT[after]):
            return True
    # Every fourth character suffices to see that most bodies have no long number.
    sample = np.ascontiguousarray((digits | (characters == _POINT))[::4])
    many = np.any(sample[:-3] & sample[1:-2] & sample[2:-1] & sample[3:])
    return bool(many) and _MANY_DIGITS in body.translate(_DIGITS_AS_ZERO)


def _count_inside(value: Any) -> tuple[int, int]:
    """Count the keys of the objects inside a parsed value, and the booleans that are values of these, or the value."""
    if isinstance(value, bool):
        return 0, 1
    if not isinstance(value, list | dict):
        return 0, 0
    counts = [_count_inside(each) for each in (value.values() if isinstance(value, dict) else value)]
    keys, booleans = (sum(each[which] for each in counts) for which in (0, 1))
    if isinstance(value, dict):
        return keys + len(value), booleans
    # In a list, a boolean follows no colon.
    return keys, booleans - sum(isinstance(each, bool) for each in value)
