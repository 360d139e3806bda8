"""What differs between the columns of a frame and those of a table, side by side."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pandas_clicdata.checks import near
from pandas_clicdata.errors import ColumnMismatchError
from pandas_clicdata.models import Column, PlannedColumn

_MOST_LINES = 20
_WIDEST = 60
_NONE = "-"
_HEADER = ("column", "frame", "table", "note")


@dataclass(frozen=True)
class Difference:
    """A frame's columns and a table's.

    Attributes
    ----------
    ours : sequence of PlannedColumn
        The frame's.
    theirs : sequence of Column
        The table's; one without a type is of a type that is not known.
    differing : sequence of str
        Which columns of both cannot go from one into the other.
    whole : bool
        Whether the frame must have all of the table's.
    left_out : sequence of str
        Which of the frame's the table need not have.
    """

    ours: Sequence[PlannedColumn]
    theirs: Sequence[Column]
    differing: Sequence[str] = ()
    whole: bool = True
    left_out: Sequence[str] = ()

    @functools.cached_property
    def absent(self) -> list[str]:
        """Columns that only the table has."""
        ours = {column.name for column in self.ours}
        return [column.name for column in self.theirs if column.name not in ours]

    @property
    def missing(self) -> list[str]:
        """Columns that the frame lacks."""
        return self.absent if self.whole else []

    @functools.cached_property
    def extra(self) -> list[str]:
        """Columns that the table lacks."""
        theirs = {column.name for column in self.theirs}
        return [column.name for column in self.ours if column.name not in theirs]

    @property
    def fits(self) -> bool:
        return not (self.missing or self.differing or set(self.extra) - set(self.left_out))


def mismatch(difference: Difference, table: str, if_extra: str) -> ColumnMismatchError:
    """The error that prints the difference; ``if_extra`` says what to do about columns that the table lacks."""
    own = {column.name: column for column in difference.ours}
    their = {column.name: column.data_type for column in difference.theirs}
    missing, extra, differing = difference.missing, difference.extra, list(difference.differing)
    kinds = [("missing", missing), ("not in the table", extra), ("of another type", differing)]
    shares = _shares([len(names) for _, names in kinds])
    lines = [
        (name, _own(own.get(name)), _their(their.get(name)), _note(difference, name))
        for (_, names), share in zip(kinds, shares, strict=True)
        for name in names[:share]
    ]
    more = [
        f"{len(names) - share:,} more {kind}"
        for (kind, names), share in zip(kinds, shares, strict=True)
        if len(names) > share
    ]
    rest = f"\n… and {', '.join(more)}: error.missing, error.extra and error.differing hold all." if more else ""
    said = [f"The frame's columns are not those of table {table}; they are matched by name."]
    if missing:
        said.append(f"What is missing is not filled in: rename one, or add it, empty: df[{_shown(missing[0])}] = None.")
    if set(extra) - set(difference.left_out):
        said.append(if_extra or "Rename or drop what the table does not have.")
        if not difference.whole:
            said.append(f"The table has {_listed([column.name for column in difference.theirs])}.")
    if differing:
        said.append("Convert those of another type.")
    return ColumnMismatchError(
        "\n".join([*said, "", _aligned(lines)]) + rest,
        missing=missing,
        extra=extra,
        differing=[(name, str(own[name].data_type), their[name]) for name in differing],
    )


def _shares(counts: Sequence[int]) -> list[int]:
    """How many of each kind are shown: all if they are few, else about as many of each."""
    shares = [0] * len(counts)
    while sum(shares) < min(_MOST_LINES, sum(counts)):
        for at, count in enumerate(counts):
            if shares[at] < count and sum(shares) < _MOST_LINES:
                shares[at] += 1
    return shares


def _own(column: PlannedColumn | None) -> str:
    return _NONE if column is None else f"{column.data_type} ({column.dtype})"


def _their(data_type: str | None) -> str:
    return _NONE if data_type is None else data_type or "there"


def _note(difference: Difference, name: str) -> str:
    if name in difference.differing:
        return "of another type"
    if name in difference.missing:
        suggested, note = near(name, difference.extra), "missing in the frame"
        return f"{note}: is it {_or(suggested)}?" if suggested else note
    suggested, note = near(name, difference.absent), "not in the table"
    return f"{note}: did you mean {_or(suggested)}?" if suggested else note


def _or(names: Sequence[str]) -> str:
    return " or ".join(map(_shown, names))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_shown, names[:_MOST_LINES]))
    return shown if len(names) <= _MOST_LINES else f"{shown} and {len(names) - _MOST_LINES:,} more"


def _shown(name: str) -> str:
    """A name on one line, blanks and all; of a very long one its beginning and its end."""
    text = repr(name)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 16]}…{text[-15:]}"


def _aligned(lines: Sequence[tuple[str, str, str, str]]) -> str:
    table = [_HEADER, *((_shown(name), *(_cut(cell) for cell in cells), note) for name, *cells, note in lines)]
    widths = [max(_width(line[at]) for line in table) for at in range(len(_HEADER))]
    padded = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    return "\n".join(padded)


def _cut(cell: str) -> str:
    cell = " ".join(cell.split())
    return cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 1]}…"


def _width(text: str) -> int:
    """How many letters wide a text stands: those of East Asia are twice as wide, an accent by itself takes nothing."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )
