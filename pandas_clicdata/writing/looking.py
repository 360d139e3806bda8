"""Looking into the table: what it holds, by checksum, by content and by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pandas_clicdata import reading
from pandas_clicdata.errors import IncompleteReadError
from pandas_clicdata.models import PlannedColumn, RepeatedPages
from pandas_clicdata.writing import fingerprint
from pandas_clicdata.writing.fingerprint import Hashes, Sums

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

T = TypeVar("T")
_TRIES = 3


@dataclass(frozen=True)
class Seen:
    """What a look into a table has shown.

    Attributes
    ----------
    rows : int
        How many rows it has.
    sums : Sums
        Of the columns looked at; empty if they were not asked for.
    copies : dict of int to int
        Of the rows asked for, by their hash, how many are there; those that are not there are not in it.
    repeated : bool
        Whether a page had the rows of an earlier one. It may be the right page, or hide another.
    """

    rows: int
    sums: Sums
    copies: Mapping[int, int]
    repeated: bool


def look(
    session: Session,
    rec_id: int,
    planned: Sequence[PlannedColumn],
    *,
    wanted: Hashes | None = None,
    sums: bool = False,
    repeated_pages: RepeatedPages = "accept",
) -> Seen:
    """Read a table, and count.

    Parameters
    ----------
    session : Session
        Whose table it is.
    rec_id : int
        The table.
    planned : sequence of PlannedColumn
        The columns to look at.
    wanted : array of uint64, optional
        Hashes of the rows, by these columns, that are to be counted.
    sums : bool, default False
        Whether to sum up the columns.
    repeated_pages : {"check", "accept"}, default "accept"
        As in a read. "accept" is for a look that is compared with rows that are known.

    Raises
    ------
    IncompleteReadError
        The table could not be read whole, or changed again and again while it was.
    """
    return at_rest(lambda: _looked(session, rec_id, planned, wanted, sums, repeated_pages))


def at_rest(read: Callable[[], T]) -> T:
    """Read a table again if it changed meanwhile: a write that comes late does that, and the next time it may be over.

    Raises
    ------
    IncompleteReadError
        It changed each time, or could not be read.
    """
    for _ in range(_TRIES - 1):
        with suppress(IncompleteReadError):
            return read()
    return read()


def _looked(
    session: Session,
    rec_id: int,
    planned: Sequence[PlannedColumn],
    wanted: Hashes | None,
    sums: bool,
    repeated_pages: RepeatedPages,
) -> Seen:
    names = [column.name for column in planned]
    total, rows = Sums(), 0
    distinct = np.unique(wanted) if wanted is not None else np.zeros(0, dtype=np.uint64)
    counts = np.zeros(len(distinct), dtype=np.int64)
    repeated: list[int] = []
    with closing(reading.pages(session, rec_id, repeated_pages=repeated_pages, on_repeated=repeated.append)) as pages:
        for page in pages:
            rows += len(page)
            columns = fingerprint.of_page(page, planned)
            if sums:
                total = total.plus(fingerprint.sums_of(names, columns))
            if len(distinct):
                hashes = fingerprint.row_hashes(columns)
                places = np.minimum(np.searchsorted(distinct, hashes), len(distinct) - 1)
                np.add.at(counts, places[distinct[places] == hashes], 1)
    found = {int(value): int(count) for value, count in zip(distinct, counts, strict=True) if count}
    return Seen(rows, total, found, bool(repeated))
