"""Ranges of row positions: half open, like slices in Python."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from pandas_clicdata.errors import RowRange

_SHOWN = 5


def merged(ranges: Iterable[RowRange]) -> list[RowRange]:
    """Sort ranges, and join those that touch or overlap.

    Examples
    --------
    >>> merged([(500, 700), (0, 500), (900, 950)])
    [(0, 700), (900, 950)]
    """
    joined: list[RowRange] = []
    for start, stop in sorted(ranges):
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def add(ranges: list[RowRange], more: Iterable[RowRange]) -> None:
    """Add ranges to merged ranges in place. The two must have no row in common.

    Examples
    --------
    >>> ranges = [(0, 2), (6, 7)]
    >>> add(ranges, [(2, 4), (9, 10)])
    >>> ranges
    [(0, 4), (6, 7), (9, 10)]
    """
    for start, stop in more:
        at = bisect_left(ranges, (start, stop))
        if at < len(ranges) and ranges[at][0] == stop:
            stop = ranges.pop(at)[1]
        if at and ranges[at - 1][1] == start:
            at -= 1
            start = ranges.pop(at)[0]
        ranges.insert(at, (start, stop))


def complement(ranges: Iterable[RowRange], rows: int) -> list[RowRange]:
    """Return the ranges of the first ``rows`` rows that are in no range.

    Examples
    --------
    >>> complement([(0, 2), (5, 7)], 9)
    [(2, 5), (7, 9)]
    """
    gaps: list[RowRange] = []
    at = 0
    for start, stop in merged(ranges):
        if at < start:
            gaps.append((at, start))
        at = stop
    return [*gaps, (at, rows)] if at < rows else gaps


def common(one: Iterable[RowRange], other: Iterable[RowRange]) -> list[RowRange]:
    """Return the rows that are in both.

    Examples
    --------
    >>> common([(0, 5), (8, 10)], [(3, 9)])
    [(3, 5), (8, 9)]
    """
    one, other = list(one), list(other)
    rows = max((stop for _, stop in [*one, *other]), default=0)
    return complement([*complement(one, rows), *complement(other, rows)], rows)


def count(ranges: Iterable[RowRange]) -> int:
    """Return the number of rows in the ranges.

    Examples
    --------
    >>> count([(0, 500), (1000, 1001)])
    501
    """
    return sum(stop - start for start, stop in ranges)


def positions(ranges: Iterable[RowRange]) -> list[int]:
    """Return every row position in the ranges."""
    return [row for start, stop in ranges for row in range(start, stop)]


def of_positions(rows: Iterable[int]) -> list[RowRange]:
    """Return the ranges of these row positions.

    Examples
    --------
    >>> of_positions([7, 0, 1])
    [(0, 2), (7, 8)]
    """
    return merged((row, row + 1) for row in rows)


def cut(ranges: Iterable[RowRange], sizes: Iterator[int]) -> Iterator[tuple[RowRange, ...]]:
    """Cut ranges into pieces of these sizes; the last piece may be smaller.

    Examples
    --------
    >>> from itertools import repeat
    >>> list(cut([(0, 5), (8, 10)], repeat(3)))
    [((0, 3),), ((3, 5), (8, 9)), ((9, 10),)]
    """
    piece: list[RowRange] = []
    left = next(sizes)
    for start, stop in ranges:
        at = start
        while at < stop:
            end = min(stop, at + left)
            piece.append((at, end))
            left -= end - at
            at = end
            if not left:
                yield tuple(piece)
                piece, left = [], next(sizes)
    if piece:
        yield tuple(piece)


def ranges_text(ranges: Sequence[RowRange]) -> str:
    """Return a text that lists row ranges, for an error.

    Examples
    --------
    >>> ranges_text([(0, 500), (1000, 1001)])
    '501 rows (0 to 499, 1000)'
    >>> ranges_text([])
    'no rows'
    """
    if not ranges:
        return "no rows"
    rows = count(ranges)
    shown = [str(start) if stop == start + 1 else f"{start} to {stop - 1}" for start, stop in ranges[:_SHOWN]]
    if len(ranges) > _SHOWN:
        shown.append(f"and {len(ranges) - _SHOWN} more ranges")
    return f"{rows:,} {'row' if rows == 1 else 'rows'} ({', '.join(shown)})"
