"""Find the outcome of rows whose reply was lost: by stamp, by key, by content.

A lost reply does not say whether its rows were stored, and the request may still be carried out later. So rows are sent
again only if a late arrival of the first try can be told from the second and deleted (by stamp, by key), or if the user
has accepted what cannot be excluded (by content).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from pandas_clicdata import read
from pandas_clicdata._models import PlannedColumn, RepeatedPages
from pandas_clicdata.client import api
from pandas_clicdata.errors import (
    ClicDataError,
    IncompleteReadError,
    ResumeError,
    RowRange,
    RowsExistError,
    VerificationError,
)
from pandas_clicdata.types import encode, row_codec
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.fingerprint import Hashes, Sums
from pandas_clicdata.write.journal import Pending, Record
from pandas_clicdata.write.payload import Content, stamp_column

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
    with closing(read.pages(session, rec_id, repeated_pages=repeated_pages, on_repeated=repeated.append)) as pages:
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


_MARK = re.compile(r"[0-9a-f]{16}-[0-9]+(\.[0-9a-f]{4})?")


@dataclass(frozen=True)
class Found:
    """What a look for rows has shown.

    Attributes
    ----------
    ranges : mapping of int to sequence of (int, int)
        Which rows of each batch are in the table, by the batch's number.
    doubt : str
        Why rows that were not found may be there all the same; empty if nothing speaks for it.
    """

    ranges: Mapping[int, Sequence[RowRange]]
    doubt: str = ""


class Settler(Protocol):
    """One way to tell rows apart."""

    def found(self, pending: Sequence[Pending]) -> Found:
        """Look for the rows of these batches."""

    def before_again(self, pending: Sequence[Pending]) -> None:
        """Make sure that sending these again doubles none, as far as that can be made sure."""

    def at_the_end(self) -> bool:
        """Take away what came late; True if rows have to be sent again for that."""


def _doubt(record: Record, rows: int, explained: int, missing: int, *, repeated: bool) -> str:
    """Why a row that was not found may be there all the same.

    The service may give a value back in another form than it was sent in. Then rows that it has confirmed are not found
    either, or there are rows beyond those that were there before and those (``explained``) that are known again.

    A page that has the rows of an earlier one (``repeated``) may hide the page with the rows. Then these rows are there
    more often than they were sent, which ``explained`` does not count.
    """
    before = None if record.baseline is None else record.baseline.rows
    if repeated and before is None:
        return (
            "a page of the table has the rows of an earlier one, and nothing shows how many rows there were before the"
            " write, nor whether another page should be there instead"
        )
    if missing:
        return (
            f"{missing:,} of the rows that the service said it took are not found in the table as they were sent: it"
            " gives values back in another form, or somebody else changes them"
        )
    if before is not None and rows > before + explained:
        return f"there are {rows - before - explained:,} rows in the table that nothing explains"
    if before is None and not record.confirmed:
        return "nothing shows how many rows there were before, nor whether the rows of this write would be known again"
    return ""


def delete_equal(session: Session, rec_id: int, part: pa.RecordBatch, planned: Sequence[PlannedColumn]) -> None:
    """Delete every row of the table that equals one of these in these columns."""
    framing = api.find_framing(session, [column.name for column in planned])
    for find in dict.fromkeys(row_codec.encode_each(part, [column.wire for column in planned], framing)):
        # Deleting twice does no harm: what the first try deleted, the second does not find.
        api.delete(session, rec_id, find)


@dataclass
class ByMark:
    """Each batch's rows carry a mark in a column of their own, another one for each time it is sent.

    A row with the mark of a try that was given up has no business in the table whenever it comes, so it can be deleted
    at any time: before the batch goes again, once more at the end, and by anybody later.
    """

    session: Session
    rec_id: int
    column: str
    record: Record

    def found(self, pending: Sequence[Pending]) -> Found:
        seen = self._look()
        found = {
            each.number: each.ranges if seen.ours[str(each.mark)] == row_ranges.count(each.ranges) else ()
            for each in pending
        }
        apart = {str(each.mark) for each in pending} | set(self.record.stale)
        kept = sum(count for mark, count in seen.ours.items() if mark not in apart)
        missing = max(0, row_ranges.count(self.record.confirmed) - kept)
        # A mark that is known again shows that marks come back as they were sent.
        sure = not missing and seen.marks_are_known
        # Rows that a repeated page hides are deleted by their mark before they are sent again.
        doubt = "" if sure else _doubt(self.record, seen.rows, sum(seen.ours.values()), missing, repeated=False)
        return Found(found, doubt)

    def before_again(self, pending: Sequence[Pending]) -> None:
        self._delete([str(each.mark) for each in pending])

    def at_the_end(self) -> bool:
        if self.record.stale:
            self._delete(self.record.stale)
            if any(self._look().ours[mark] for mark in self.record.stale):
                self._delete(self.record.stale)
        return False

    def refuse_unknown_marks(self, repeated_pages: RepeatedPages) -> None:
        """Refuse to go on where rows have marks of this write that its record does not know.

        Raises
        ------
        ResumeError
            They do: the write was gone on with before, from the same token.
        """
        unknown = [mark for mark in self._look(repeated_pages).ours if not self.record.known_mark(mark)]
        if unknown:
            raise ResumeError(
                f"This token was used before: the table has rows with marks of this write ({unknown[0]!r}) that it does"
                " not know. A token is good once; go on with the one of the last error, or keep a journal=."
            )

    def _look(self, repeated_pages: RepeatedPages = "accept") -> _Marks:
        return at_rest(lambda: self._read(repeated_pages))

    def _read(self, repeated_pages: RepeatedPages) -> _Marks:
        planned = [stamp_column(self.column)]
        ours: Counter[str] = Counter()
        rows, known = 0, False
        with closing(read.pages(self.session, self.rec_id, repeated_pages=repeated_pages)) as pages:
            for page in pages:
                rows += len(page)
                [marks] = fingerprint.of_page(page, planned)
                ours.update(mark for mark in marks if mark is not None and mark.startswith(f"{self.record.id}-"))
                known = known or any(mark is not None and _MARK.fullmatch(mark) for mark in marks)
        return _Marks(ours, rows, known)

    def _delete(self, marks: Sequence[str]) -> None:
        part = pa.record_batch({self.column: pa.array(marks, pa.large_string())})
        delete_equal(self.session, self.rec_id, part, [stamp_column(self.column)])


@dataclass(frozen=True)
class _Marks:
    """The marks of a write in its table, the table's rows, and whether any mark of anybody was read."""

    ours: Counter[str]
    rows: int
    marks_are_known: bool


@dataclass
class ByKeys:
    """The frame's keys are unique, and none of them was in the table before: a key that is there was sent.

    One that is there twice came late and again; if all its rows are the frame's, they are deleted, and it is sent once
    more.
    """

    session: Session
    rec_id: int
    keys: Sequence[str]
    content: Content
    record: Record

    def found(self, pending: Sequence[Pending]) -> Found:
        unknown = row_ranges.positions(pair for each in pending for pair in each.ranges)
        confirmed = row_ranges.positions(self.record.confirmed)
        copies, seen = self._copies(range(self.content.rows or 0))
        explained = sum(min(count, 1) if seen.repeated else count for count in copies.values())
        missing = sum(not copies[row] for row in confirmed)
        doubt = _doubt(self.record, seen.rows, explained, missing, repeated=seen.repeated)
        # A row that is there twice by a repeated page alone would be deleted.
        twice = [] if seen.repeated and doubt else self._twice({row: copies[row] for row in unknown})
        if twice:
            self.record.note("deleting", ranges=row_ranges.of_positions(twice))
            self._delete(twice)
        found = {
            each.number: row_ranges.of_positions(row for row in row_ranges.positions(each.ranges) if copies[row] == 1)
            for each in pending
        }
        return Found(found, doubt)

    def before_again(self, pending: Sequence[Pending]) -> None:
        """Nothing: what comes late shows as a key that is there twice."""

    def at_the_end(self) -> bool:
        if not self.record.resent:
            return False
        resent = row_ranges.positions(self.record.resent)
        # A deletion by key may have come late and taken the row that was sent instead, or others that the service takes
        # for equal.
        looked_for = row_ranges.positions(self.record.confirmed) if self.record.deleted else resent
        copies, _ = self._copies(looked_for)
        twice = self._twice({row: copies.get(row, 0) for row in resent})
        astray = [*twice, *(row for row, count in copies.items() if not count)]
        if not astray:
            return False
        # Before they are deleted, so that a stop between the two loses none.
        self.record.note("astray", batch=self.record.next_number(), ranges=row_ranges.of_positions(astray))
        if twice:
            self.record.note("deleting", ranges=row_ranges.of_positions(twice))
            self._delete(twice)
        return True

    def refuse_keys_there(self, positions: Sequence[int], repeated_pages: RepeatedPages) -> int:
        """Refuse rows whose keys are in the table; return how many rows that has.

        Raises
        ------
        RowsExistError
            Naming the first of them.
        """
        copies, seen = self._copies(positions, repeated_pages)
        there = [row for row, count in copies.items() if count]
        if there:
            names, first = ", ".join(self.keys), encode.shown(self.content.door.label(there[0]))
            raise RowsExistError(
                f"The table already has rows with the keys ({names}) of {len(there):,} rows of the frame that were not"
                f" sent yet, the first of them {first}. With on= an append sends only new keys; upsert changes"
                " those that are there. If this goes on with a write, its token was perhaps used before.",
                rows=len(there),
            )
        return seen.rows

    @property
    def _planned(self) -> list[PlannedColumn]:
        return [column for column in self.content.planned if column.name in self.keys]

    def _copies(
        self, positions: Sequence[int], repeated_pages: RepeatedPages = "accept"
    ) -> tuple[dict[int, int], Seen]:
        """How often each row's keys are in the table, and the look that has shown it."""
        hashes = self.content.hashes(self.keys)[positions]
        seen = look(self.session, self.rec_id, self._planned, wanted=hashes, repeated_pages=repeated_pages)
        return {row: seen.copies.get(int(each), 0) for row, each in zip(positions, hashes, strict=True)}, seen

    def _twice(self, copies: Mapping[int, int]) -> list[int]:
        """The rows that are there more than once, each time as they were sent: another's row is not ours to delete."""
        twice = [row for row, count in copies.items() if count > 1]
        if twice:
            hashes = self.content.hashes()[twice]
            equal = look(self.session, self.rec_id, self.content.planned, wanted=hashes).copies
            for row, each in zip(twice, hashes.tolist(), strict=True):
                if equal.get(each, 0) != copies[row]:
                    raise ClicDataError(
                        f"The keys of row {encode.shown(self.content.door.label(row))} are in the table {copies[row]:,}"
                        " times, with other values too: somebody else is writing rows with the same keys."
                    )
        return twice

    def _delete(self, positions: Sequence[int]) -> None:
        if positions:
            names = [column.name for column in self._planned]
            part = self.content.take(row_ranges.of_positions(positions)).select(names)
            delete_equal(self.session, self.rec_id, part, self._planned)


@dataclass
class ByContent:
    """Rows are counted by their whole content, against what was there before and what is confirmed.

    Which of several equal rows arrived makes no difference. What this cannot rule out: that the first try is carried
    out after the look; and other writers who add or delete equal rows meanwhile.
    """

    session: Session
    rec_id: int
    content: Content
    record: Record

    def found(self, pending: Sequence[Pending]) -> Found:
        unknown = row_ranges.positions(pair for each in pending for pair in each.ranges)
        hashes = self.content.hashes()
        sure = row_ranges.positions(self.record.confirmed)
        seen = look(self.session, self.rec_id, self.content.planned, wanted=hashes)
        confirmed = Counter(hashes[sure].tolist())
        before = self.record.baseline.equal if self.record.baseline is not None else None
        missing = sum(
            max(0, count + (before or {}).get(each, 0) - seen.copies.get(each, 0)) for each, count in confirmed.items()
        )
        wanted = Counter(hashes[unknown].tolist())
        extra = {each: seen.copies.get(each, 0) - confirmed[each] - (before or {}).get(each, 0) for each in wanted}
        if any(count < 0 for count in extra.values()):
            raise ClicDataError(
                "Rows that were there, or that the service said it took, are not in the table any more, so that nothing"
                " can be counted. Is somebody else deleting rows?"
            )
        if before is None and any(extra.values()):
            self._check_number(seen.rows, extra, wanted)
        present: dict[int, list[int]] = {each.number: [] for each in pending}
        for each in pending:
            for row in row_ranges.positions(each.ranges):
                value = int(hashes[row])
                if extra[value] > 0:
                    extra[value] -= 1
                    present[each.number].append(row)
        found = {number: row_ranges.of_positions(rows) for number, rows in present.items()}
        copies = dict(seen.copies)
        if seen.repeated:
            sent = Counter(confirmed)
            sent.update(wanted)
            sent.update(dict(before or {}))
            copies = {each: min(count, sent[each]) for each, count in copies.items()}
        explained = sum(copies.values()) - sum((before or {}).values())
        return Found(found, _doubt(self.record, seen.rows, explained, missing, repeated=seen.repeated))

    def _check_number(self, rows: int, extra: Mapping[int, int], wanted: Mapping[int, int]) -> None:
        """Where nobody looked at what was there before, equal rows count as ours only if the number of rows agrees."""
        before = None if self.record.baseline is None else self.record.baseline.rows
        arrived = None if before is None else rows - before - row_ranges.count(self.record.confirmed)
        # As many rows came as equal ones are there: then none of those was there before.
        if arrived != sum(extra.values()) or any(extra[each] > count for each, count in wanted.items()):
            raise ClicDataError(
                "Rows equal to those of unknown fate are in the table, but whether they were there before the write is"
                " not known. Compare for yourself; and begin such a write with on_unknown='check', stamp= or on=, so"
                " that it can be told."
            )

    def refuse_rows_there(self, positions: Sequence[int], repeated_pages: RepeatedPages) -> None:
        """Refuse rows that are in the table beyond what this write and others before it have put there.

        Raises
        ------
        ResumeError
            They are: the write was gone on with before, from the same token.
        """
        hashes = self.content.hashes()
        ours = row_ranges.positions([*self.record.confirmed, *self.record.unknown_ranges, *self.record.resent])
        seen = look(
            self.session, self.rec_id, self.content.planned, wanted=hashes[positions], repeated_pages=repeated_pages
        )
        baseline = self.record.baseline
        if baseline is not None and baseline.rows is not None and seen.rows <= baseline.rows + len(ours):
            return
        known = Counter(hashes[ours].tolist()) + Counter(dict((baseline.equal if baseline is not None else None) or {}))
        there = [row for row in positions if seen.copies.get(int(hashes[row]), 0) > known[int(hashes[row])]]
        if there:
            raise ResumeError(
                f"Rows equal to {len(there):,} of those that were not sent yet are in the table, so it seems that this"
                " token was used before. It is good once: go on with the one of the last error, or keep a journal=. If"
                " somebody else has written equal rows, stamp= or on= would have told them apart."
            )

    def before_again(self, pending: Sequence[Pending]) -> None:
        """Nothing can be done about what comes late."""

    def at_the_end(self) -> bool:
        if not self.record.resent:
            return False
        # Where nobody looked before the write: rows were only taken for lost when none that equals them was there.
        before = (self.record.baseline.equal if self.record.baseline is not None else None) or {}
        hashes = self.content.hashes()
        resent = hashes[row_ranges.positions(self.record.resent)]
        seen = look(self.session, self.rec_id, self.content.planned, wanted=resent)
        ours = Counter(hashes.tolist())
        surplus = {each: count - ours[each] - before.get(each, 0) for each, count in seen.copies.items()}
        double = [row for row, each in enumerate(hashes.tolist()) if surplus.get(each, 0) > 0]
        if double:
            doubled = row_ranges.of_positions(double)
            surplus_rows = sum(count for count in surplus.values() if count > 0)
            raise VerificationError(
                f"Rows are in the table more often than they should be, for they came late, after they had been sent"
                f" again: those like {row_ranges.ranges_text(doubled)} of the frame, {surplus_rows:,} too many.",
                differences=[f"{surplus_rows:,} rows too many"],
                rec_id=self.rec_id,
                confirmed=row_ranges.complement(doubled, len(hashes)),
                unknown=doubled,
                operation="insert",
            )
        return False
