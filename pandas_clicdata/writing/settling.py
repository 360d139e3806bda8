"""Finding out where rows of unknown fate are, and what to do before they are sent again.

A reply that is lost does not say whether its rows were stored, and a request that was given up may still be carried out
afterwards. So rows are only sent again if a late arrival of the first try can be told from the second and taken away
(by mark, by key), or if the user has accepted what cannot be ruled out (by content).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from pandas_clicdata import endpoints, rows
from pandas_clicdata.errors import ClicDataError, RowRange, VerificationError
from pandas_clicdata.models import ColumnType, Encoding, PlannedColumn, Wire
from pandas_clicdata.writing import fingerprint
from pandas_clicdata.writing import ranges as row_ranges
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.fingerprint import Hashes
from pandas_clicdata.writing.looking import look
from pandas_clicdata.writing.record import Pending, Record

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


class Settler(Protocol):
    """One way to tell rows apart."""

    def found(self, pending: Sequence[Pending]) -> Mapping[int, Sequence[RowRange]]:
        """Which rows of these batches are in the table, by the batch's number."""

    def before_again(self, pending: Sequence[Pending]) -> None:
        """Make sure that sending these again doubles none, as far as that can be made sure."""

    def at_the_end(self) -> bool:
        """Take away what came late; True if rows have to be sent again for that."""


def delete_equal(session: Session, rec_id: int, part: pa.RecordBatch, planned: Sequence[PlannedColumn]) -> None:
    """Delete every row of the table that equals one of these in these columns."""
    framing = endpoints.find_framing(session, [column.name for column in planned])
    for find in dict.fromkeys(rows.encode_each(part, [column.wire for column in planned], framing)):
        # Deleting twice does no harm: what the first try deleted, the second does not find.
        endpoints.delete(session, rec_id, find)


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

    def found(self, pending: Sequence[Pending]) -> Mapping[int, Sequence[RowRange]]:
        copies = self._copies([each.mark for each in pending if each.mark is not None])
        return {
            each.number: each.ranges if copies[each.mark] == row_ranges.count(each.ranges) else () for each in pending
        }

    def before_again(self, pending: Sequence[Pending]) -> None:
        self._delete([each.mark for each in pending if each.mark is not None])

    def at_the_end(self) -> bool:
        if self.record.stale:
            self._delete(self.record.stale)
            if any(self._copies(self.record.stale).values()):
                self._delete(self.record.stale)
        return False

    @property
    def _planned(self) -> PlannedColumn:
        return stamp_column(self.column)

    def _copies(self, marks: Sequence[str]) -> Counter[str | None]:
        hashes = fingerprint.row_hashes([marks])
        seen = look(self.session, self.rec_id, [self._planned], wanted=hashes)
        return Counter({mark: seen.copies.get(int(each), 0) for mark, each in zip(marks, hashes, strict=True)})

    def _delete(self, marks: Sequence[str]) -> None:
        part = pa.record_batch({self.column: pa.array(marks, pa.large_string())})
        delete_equal(self.session, self.rec_id, part, [self._planned])


def stamp_column(name: str) -> PlannedColumn:
    """The column that carries the marks."""
    return PlannedColumn(name, "str", ColumnType.TEXT, Wire(Encoding.TEXT), "the mark of its batch")


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

    def found(self, pending: Sequence[Pending]) -> Mapping[int, Sequence[RowRange]]:
        copies = self._copies(row_ranges.positions(pair for each in pending for pair in each.ranges))
        self._delete(self._twice(copies))
        return {
            each.number: row_ranges.of_positions(row for row in row_ranges.positions(each.ranges) if copies[row] == 1)
            for each in pending
        }

    def before_again(self, pending: Sequence[Pending]) -> None:
        """Nothing: what comes late shows as a key that is there twice."""

    def at_the_end(self) -> bool:
        if not self.record.resent:
            return False
        copies = self._copies(row_ranges.positions(self.record.resent))
        twice = self._twice(copies)
        # A deletion that came late may have taken the row that was sent instead.
        astray = [*twice, *(row for row, count in copies.items() if not count)]
        if not astray:
            return False
        # Before they are deleted, so that a stop between the two loses none.
        self.record.note("astray", batch=self.record.next_number(), ranges=row_ranges.of_positions(astray))
        self._delete(twice)
        return True

    @property
    def _planned(self) -> list[PlannedColumn]:
        return [column for column in self.content.planned if column.name in self.keys]

    def _hashes(self) -> Hashes:
        return self.content.hashes(self.keys)

    def _copies(self, positions: Sequence[int]) -> dict[int, int]:
        hashes = self._hashes()[positions]
        seen = look(self.session, self.rec_id, self._planned, wanted=hashes)
        return {row: seen.copies.get(int(each), 0) for row, each in zip(positions, hashes, strict=True)}

    def _twice(self, copies: Mapping[int, int]) -> list[int]:
        """The rows that are there more than once, each time as they were sent: another's row is not ours to delete."""
        twice = [row for row, count in copies.items() if count > 1]
        if twice:
            hashes = self.content.hashes()[twice]
            equal = look(self.session, self.rec_id, self.content.planned, wanted=hashes).copies
            for row, each in zip(twice, hashes.tolist(), strict=True):
                if equal.get(each, 0) != copies[row]:
                    raise ClicDataError(
                        f"The keys of row {self.content.door.label(row)!r} are in the table {copies[row]:,} times, with"
                        " other values too: somebody else is writing rows with the same keys."
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

    def found(self, pending: Sequence[Pending]) -> Mapping[int, Sequence[RowRange]]:
        unknown = row_ranges.positions(pair for each in pending for pair in each.ranges)
        hashes = self.content.hashes()
        seen = look(self.session, self.rec_id, self.content.planned, wanted=hashes[unknown])
        confirmed = Counter(hashes[row_ranges.positions(self.record.confirmed)].tolist())
        before = self.record.baseline.equal if self.record.baseline is not None else None
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
        return {number: row_ranges.of_positions(found) for number, found in present.items()}

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
