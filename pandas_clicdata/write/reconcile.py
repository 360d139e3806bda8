"""Find the outcome of rows whose reply was lost: by stamp, by key, or by content.

A lost reply does not show whether its rows were stored, and the request may still be carried out later. So rows are
sent again only if a late arrival of the first try can be recognized and deleted (by stamp, by key), or if the user
accepts that it cannot be ruled out (by content).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from pandas_clicdata import read
from pandas_clicdata._models import PlannedColumn, RepeatedPages
from pandas_clicdata.client import operations
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import (
    ClicDataError,
    ResumeError,
    RowRange,
    RowsExistError,
    SimilarKeysError,
    VerificationError,
)
from pandas_clicdata.types import row_codec
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.conditions import SimilarKeys
from pandas_clicdata.write.context import WriteContext
from pandas_clicdata.write.fingerprint import Checksums, Hashes
from pandas_clicdata.write.journal import Journal, UnknownBatch
from pandas_clicdata.write.payload import stamp_column

T = TypeVar("T")


@dataclass(frozen=True)
class TableScan:
    """The result of a table scan.

    Attributes
    ----------
    rows : int
        The number of rows in the table.
    checksums : Checksums
        Of the columns that were read; empty unless requested.
    copies : dict of int to int
        How often each of the wanted rows is in the table, by its hash. Rows that are not in the table are missing.
    repeated : bool
        Whether a page had the same rows as an earlier one. It may be correct, or hide another page.
    """

    rows: int
    checksums: Checksums
    copies: Mapping[int, int]
    repeated: bool


def scan_table(
    client: Client,
    rec_id: int,
    planned: Sequence[PlannedColumn],
    *,
    wanted: Hashes | None = None,
    checksums: bool = False,
    repeated_pages: RepeatedPages = "accept",
) -> TableScan:
    """Read a table and count its rows.

    Parameters
    ----------
    client : Client
        The account.
    rec_id : int
        The table.
    planned : sequence of PlannedColumn
        The columns to compare.
    wanted : array of uint64, optional
        The hashes, over these columns, of the rows to count.
    checksums : bool, default False
        Whether to compute the checksums of the columns.
    repeated_pages : {"check", "accept"}, default "accept"
        As in a read. "accept" is for scans whose result is compared with known rows.

    Raises
    ------
    IncompleteReadError
        The table could not be read completely, or changed during every attempt.
    """

    def scan() -> TableScan:
        names = [column.name for column in planned]
        total, rows = Checksums(), 0
        distinct = np.unique(wanted) if wanted is not None else np.zeros(0, dtype=np.uint64)
        counts = np.zeros(len(distinct), dtype=np.int64)
        repeated: list[int] = []
        with closing(read.pages(client, rec_id, repeated_pages=repeated_pages, on_repeated=repeated.append)) as pages:
            for page in pages:
                rows += len(page)
                texts = fingerprint.texts_of_page(page, planned)
                if checksums:
                    total = total.plus(fingerprint.checksums_of(names, texts))
                if len(distinct):
                    hashes = fingerprint.row_hashes(texts)
                    places = np.minimum(np.searchsorted(distinct, hashes), len(distinct) - 1)
                    np.add.at(counts, places[distinct[places] == hashes], 1)
        copies = {int(value): int(count) for value, count in zip(distinct, counts, strict=True) if count}
        return TableScan(rows, total, copies, bool(repeated))

    return read.read_until_stable(scan)


STAMP = r"[0-9a-f]{16}-[0-9]+(\.[0-9a-f]{4})?"
"""The form of a stamp, as a regular expression: of the write, the batch and the try."""


@dataclass(frozen=True)
class Reconciliation:
    """The result of a search for unknown rows.

    Attributes
    ----------
    ranges : mapping of int to sequence of (int, int)
        Which rows of each batch are in the table, by the number of the batch.
    doubt : str
        Why rows that were not found may be in the table; empty if nothing suggests it.
    """

    ranges: Mapping[int, Sequence[RowRange]]
    doubt: str = ""


class Reconciler(Protocol):
    """Finds the outcome of unknown rows."""

    def reconcile(self, unknown: Sequence[UnknownBatch]) -> Reconciliation:
        """Search the table for the rows of these batches."""

    def before_resend(self, unknown: Sequence[UnknownBatch]) -> None:
        """Prepare the table so that sending these batches again stores no row twice, as far as that is possible."""

    def finish(self) -> bool:
        """Delete late arrivals at the end of the write; return whether rows have to be sent again because of it."""


def reconciler_for(context: WriteContext) -> Reconciler | None:
    """Return the reconciler that the options of a write allow, if any."""
    if context.options.stamp is not None:
        return ByStamp(context)
    if context.keys:
        return ByKeys(context)
    return ByContent(context) if context.options.on_unknown == "check" else None


def _doubt(journal: Journal, rows: int, explained: int, missing: int, *, repeated: bool) -> str:
    """Return why a row that was not found may be in the table; empty if nothing suggests it.

    The service may return a value in another form than it was sent in. Then confirmed rows are not found either, or the
    table has rows beyond the baseline and the rows that were recognized (``explained``).

    A page with the rows of an earlier page (``repeated``) may hide the page with the rows. Then the earlier rows are in
    the table more often than they were sent, which ``explained`` does not count.
    """
    before = None if journal.baseline is None else journal.baseline.rows
    if repeated and before is None:
        return (
            "a page of the table has the same rows as an earlier page, and the number of rows before the write is not"
            " known, so a page may be missing"
        )
    if missing:
        return (
            f"{missing:,} confirmed rows are not found in the table as they were sent: the service returns values in"
            " another form, or another writer changes them"
        )
    if before is not None and rows > before + explained:
        return f"{rows - before - explained:,} rows in the table are unexplained"
    if before is None and not journal.confirmed:
        return (
            "the number of rows before the write is not known, and no row of this write shows that rows can be"
            " recognized"
        )
    return ""


def _delete_equal(context: WriteContext, rows: pa.RecordBatch, planned: Sequence[PlannedColumn]) -> None:
    """Delete the rows of the table that match any of ``rows`` in the given columns."""
    framing = operations.named_cells([column.name for column in planned])
    for find in dict.fromkeys(row_codec.encode_each(rows, [column.wire for column in planned], framing)):
        # Repeating a delete is harmless: what the first try deleted, the second does not find.
        context.client.delete(context.table.rec_id, find)


@dataclass
class ByStamp:
    """Reconcile by stamp: the rows of each batch carry a value that is new for each time the batch is sent.

    A row with the stamp of an abandoned try does not belong in the table whenever it arrives, so it can be deleted at
    any time: before the batch is sent again, at the end, and later by anyone.
    """

    context: WriteContext

    def reconcile(self, unknown: Sequence[UnknownBatch]) -> Reconciliation:
        """Search the table for the rows of these batches."""
        journal = self.context.journal
        scan = self._scan()
        found = {
            each.number: each.ranges if scan.counts[str(each.stamp)] == row_ranges.count(each.ranges) else ()
            for each in unknown
        }
        not_confirmed = {str(each.stamp) for each in unknown} | set(journal.stale)
        kept = sum(count for stamp, count in scan.counts.items() if stamp not in not_confirmed)
        missing = max(0, row_ranges.count(journal.confirmed) - kept)
        # A stamp that is read back as it was sent shows that stamps can be recognized. Rows on a page that a repeated
        # page hides are deleted by their stamp before they are sent again.
        sure = not missing and scan.stamps_recognized
        doubt = "" if sure else _doubt(journal, scan.rows, sum(scan.counts.values()), missing, repeated=False)
        return Reconciliation(found, doubt)

    def before_resend(self, unknown: Sequence[UnknownBatch]) -> None:
        """Prepare the table for sending these batches again."""
        self._delete([str(each.stamp) for each in unknown])

    def finish(self) -> bool:
        """Delete late arrivals; return whether rows have to be sent again because of it."""
        stale = self.context.journal.stale
        if stale:
            self._delete(stale)
            if any(self._scan().counts[stamp] for stamp in stale):
                self._delete(stale)
        return False

    def refuse_unknown_stamps(self) -> None:
        """Refuse to resume if rows have stamps of this write that its journal does not know.

        Raises
        ------
        ResumeError
            The write was resumed before, from the same token.
        """
        counts = self._scan(self.context.options.repeated_pages).counts
        unknown = [stamp for stamp in counts if not self.context.journal.knows_stamp(stamp)]
        if unknown:
            raise ResumeError(
                f"This resume token was used before: the table has rows with stamps of this write ({unknown[0]!r}) that"
                " the token does not know. A token works once. Resume from the last error, or use journal=."
            )

    def _scan(self, repeated_pages: RepeatedPages = "accept") -> _StampScan:
        return read.read_until_stable(lambda: self._read(repeated_pages))

    def _read(self, repeated_pages: RepeatedPages) -> _StampScan:
        context = self.context
        planned = [stamp_column(str(context.options.stamp))]
        counts: Counter[str] = Counter()
        rows, recognized = 0, False
        with closing(read.pages(context.client, context.table.rec_id, repeated_pages=repeated_pages)) as pages:
            for page in pages:
                rows += len(page)
                [stamps] = fingerprint.texts_of_page(page, planned)
                own = f"{context.journal.id}-"
                counts.update(stamp for stamp in stamps if stamp is not None and stamp.startswith(own))
                recognized = recognized or any(stamp is not None and re.fullmatch(STAMP, stamp) for stamp in stamps)
        return _StampScan(counts, rows, recognized)

    def _delete(self, stamps: Sequence[str]) -> None:
        column = stamp_column(str(self.context.options.stamp))
        rows = pa.record_batch({column.name: pa.array(stamps, pa.large_string())})
        _delete_equal(self.context, rows, [column])


@dataclass(frozen=True)
class _StampScan:
    """The stamps of a write in its table, the number of rows, and whether a stamp of any write was recognized."""

    counts: Counter[str]
    rows: int
    stamps_recognized: bool


@dataclass
class ByKeys:
    """Reconcile by key: the frame's keys are unique and were not in the table before, so a key in the table was sent.

    A key that is in the table twice arrived late and was sent again. If all its rows are the frame's, they are deleted,
    and the row is sent once more.
    """

    context: WriteContext

    def reconcile(self, unknown: Sequence[UnknownBatch]) -> Reconciliation:
        """Search the table for the rows of these batches."""
        journal = self.context.journal
        rows = row_ranges.positions(pair for each in unknown for pair in each.ranges)
        confirmed = row_ranges.positions(journal.confirmed)
        copies, scan = self._copies(range(self.context.payload.rows or 0))
        explained = sum(min(count, 1) if scan.repeated else count for count in copies.values())
        missing = sum(not copies[row] for row in confirmed)
        doubt = _doubt(journal, scan.rows, explained, missing, repeated=scan.repeated)
        # A row that only a repeated page shows twice is not a duplicate.
        duplicates = [] if scan.repeated and doubt else self._duplicates({row: copies[row] for row in rows})
        if not doubt and (duplicates or not all(copies[row] for row in rows)):
            # A row that arrives twice is deleted, so its key must not match another row.
            doubt = self._similar(rows)
        if duplicates and not doubt:
            journal.record("deleting", ranges=row_ranges.of_positions(duplicates))
            self._delete(duplicates)
        found = {
            each.number: row_ranges.of_positions(row for row in row_ranges.positions(each.ranges) if copies[row] == 1)
            for each in unknown
        }
        return Reconciliation(found, doubt)

    def before_resend(self, unknown: Sequence[UnknownBatch]) -> None:
        """Do nothing: :meth:`finish` detects a late arrival by its duplicate key."""

    def finish(self) -> bool:
        """Delete late arrivals; return whether rows have to be sent again because of it."""
        journal = self.context.journal
        if not journal.resent:
            return False
        resent = row_ranges.positions(journal.resent)
        # A late delete by key may have removed the row that replaced the deleted one, or other rows that the service
        # considers equal.
        checked = row_ranges.positions(journal.confirmed) if journal.deleted else resent
        copies, _ = self._copies(checked)
        duplicates = self._duplicates({row: copies.get(row, 0) for row in resent})
        astray = [*duplicates, *(row for row, count in copies.items() if not count)]
        if not astray:
            return False
        similar = self._similar(duplicates)
        if similar:
            ranges = row_ranges.of_positions(duplicates)
            raise VerificationError(
                f"{row_ranges.ranges_text(ranges)} of the frame arrived late, after they had been sent again, so they"
                f" are in the table twice. They were not deleted, because {similar}.",
                differences=["rows are in the table twice"],
                rec_id=self.context.table.rec_id,
                confirmed=row_ranges.complement(ranges, self.context.payload.rows or 0),
                unknown=ranges,
                operation="insert",
            )
        # Recorded before the delete, so that a stop between the two loses no row.
        journal.record("astray", batch=journal.next_number(), ranges=row_ranges.of_positions(astray))
        if duplicates:
            journal.record("deleting", ranges=row_ranges.of_positions(duplicates))
            self._delete(duplicates)
        return True

    def refuse_existing_keys(self, positions: Sequence[int]) -> int:
        """Refuse rows whose keys are in the table; return the number of rows in the table.

        Raises
        ------
        RowsExistError
            The message names the first such row.
        """
        payload = self.context.payload
        copies, scan = self._copies(positions, self.context.options.repeated_pages)
        existing = [row for row, count in copies.items() if count]
        if existing:
            names, first = ", ".join(self.context.keys), payload.source.label.text(existing[0])
            raise RowsExistError(
                f"The table already has rows with the keys ({names}) of {len(existing):,} rows of the frame that this"
                f" write has not sent; the first is row {first}. With on=, an append adds only new keys; upsert changes"
                " the rows that exist. If you resume a write, its token may have been used before.",
                rows=len(existing),
            )
        return scan.rows

    @property
    def _planned(self) -> list[PlannedColumn]:
        return [column for column in self.context.payload.planned if column.name in self.context.keys]

    def _copies(
        self, positions: Sequence[int], repeated_pages: RepeatedPages = "accept"
    ) -> tuple[dict[int, int], TableScan]:
        """Return how often each row's keys are in the table, and the scan that shows it."""
        context = self.context
        hashes = context.payload.hashes(context.keys)[positions]
        scan = scan_table(
            context.client, context.table.rec_id, self._planned, wanted=hashes, repeated_pages=repeated_pages
        )
        return {row: scan.copies.get(int(each), 0) for row, each in zip(positions, hashes, strict=True)}, scan

    def _duplicates(self, copies: Mapping[int, int]) -> list[int]:
        """Return the rows that are in the table more than once, each time as they were sent.

        Raises
        ------
        ClicDataError
            A copy has other values, so it is another writer's and is not deleted.
        """
        duplicates = [row for row, count in copies.items() if count > 1]
        if duplicates:
            context, payload = self.context, self.context.payload
            hashes = payload.hashes()[duplicates]
            equal = scan_table(context.client, context.table.rec_id, payload.planned, wanted=hashes).copies
            for row, each in zip(duplicates, hashes.tolist(), strict=True):
                if equal.get(each, 0) != copies[row]:
                    raise ClicDataError(
                        f"The keys of row {payload.source.label.text(row)} are in the table"
                        f" {copies[row]:,} times, some of them with other values. Another writer adds rows with the"
                        " same keys."
                    )
        return duplicates

    def _similar(self, positions: Sequence[int]) -> str:
        """Return why a delete by the keys of these rows could delete another row; empty if it could not."""
        context = self.context
        similar = SimilarKeys(context.payload, context.client.service_profile, context.keys)
        if not positions or not similar.possible:
            return ""
        with closing(read.pages(context.client, context.table.rec_id, repeated_pages="accept")) as pages:
            for page in pages:
                similar.add(page)
        try:
            similar.refuse(positions, "delete", each_alone=False)
        except SimilarKeysError as exc:
            return (
                f"the table has a row whose key is similar to {exc.value!r} in column {exc.column!r}, and a delete of a"
                " row that arrives twice could delete it, too; cd.doctor(write=True) finds out whether ClicData tells"
                " such keys apart"
            )
        return ""

    def _delete(self, positions: Sequence[int]) -> None:
        if positions:
            names = [column.name for column in self._planned]
            rows = self.context.payload.take(row_ranges.of_positions(positions)).select(names)
            _delete_equal(self.context, rows, self._planned)


@dataclass
class ByContent:
    """Reconcile by content: rows are counted by all their values, beyond the baseline and the confirmed rows.

    Which of several equal rows arrived does not matter. This cannot rule out that the first try is carried out after
    the scan, nor that other writers add or delete equal rows meanwhile.
    """

    context: WriteContext

    def reconcile(self, unknown: Sequence[UnknownBatch]) -> Reconciliation:
        """Search the table for the rows of these batches."""
        context, journal = self.context, self.context.journal
        rows = row_ranges.positions(pair for each in unknown for pair in each.ranges)
        hashes = context.payload.hashes()
        scan = scan_table(context.client, context.table.rec_id, context.payload.planned, wanted=hashes)
        confirmed = Counter(hashes[row_ranges.positions(journal.confirmed)].tolist())
        before = journal.baseline.equal if journal.baseline is not None else None
        missing = sum(
            max(0, count + (before or {}).get(each, 0) - scan.copies.get(each, 0)) for each, count in confirmed.items()
        )
        wanted = Counter(hashes[rows].tolist())
        extra = {each: scan.copies.get(each, 0) - confirmed[each] - (before or {}).get(each, 0) for each in wanted}
        if any(count < 0 for count in extra.values()):
            raise ClicDataError(
                "Rows that were in the table before the write, or were confirmed, are missing from the table, so rows"
                " cannot be counted. Another writer may be deleting rows."
            )
        if before is None and any(extra.values()):
            self._check_row_count(scan.rows, extra, wanted)
        present: dict[int, list[int]] = {each.number: [] for each in unknown}
        for each in unknown:
            for row in row_ranges.positions(each.ranges):
                value = int(hashes[row])
                if extra[value] > 0:
                    extra[value] -= 1
                    present[each.number].append(row)
        found = {number: row_ranges.of_positions(positions) for number, positions in present.items()}
        copies = dict(scan.copies)
        if scan.repeated:
            sent = Counter(confirmed)
            sent.update(wanted)
            sent.update(dict(before or {}))
            copies = {each: min(count, sent[each]) for each, count in copies.items()}
        explained = sum(copies.values()) - sum((before or {}).values())
        return Reconciliation(found, _doubt(journal, scan.rows, explained, missing, repeated=scan.repeated))

    def _check_row_count(self, rows: int, extra: Mapping[int, int], wanted: Mapping[int, int]) -> None:
        """Without a baseline of equal rows, count equal rows as sent only if the number of rows agrees.

        Raises
        ------
        ClicDataError
            It does not.
        """
        journal = self.context.journal
        before = None if journal.baseline is None else journal.baseline.rows
        arrived = None if before is None else rows - before - row_ranges.count(journal.confirmed)
        # If as many rows arrived as equal ones are in the table, none of these was there before.
        if arrived != sum(extra.values()) or any(extra[each] > count for each, count in wanted.items()):
            raise ClicDataError(
                "Rows equal to the unknown rows are in the table, but it is not known whether they were there before"
                " the write. Compare the table with the frame. Next time, start such a write with on_unknown='check',"
                " stamp= or on=."
            )

    def refuse_existing_rows(self, positions: Sequence[int]) -> None:
        """Refuse rows that are in the table more often than this write and the baseline explain.

        Raises
        ------
        ResumeError
            The write was resumed before, from the same token.
        """
        context, journal = self.context, self.context.journal
        hashes = context.payload.hashes()
        own = row_ranges.positions([*journal.confirmed, *journal.unknown_ranges, *journal.resent])
        scan = scan_table(
            context.client, context.table.rec_id, context.payload.planned, wanted=hashes[positions],
            repeated_pages=context.options.repeated_pages,
        )  # fmt: skip
        baseline = journal.baseline
        if baseline is not None and baseline.rows is not None and scan.rows <= baseline.rows + len(own):
            return
        before = (baseline.equal if baseline is not None else None) or {}
        known = Counter(hashes[own].tolist()) + Counter(dict(before))
        existing = [row for row in positions if scan.copies.get(int(hashes[row]), 0) > known[int(hashes[row])]]
        if existing:
            raise ResumeError(
                f"Rows equal to {len(existing):,} unsent rows are in the table, so this resume token was probably used"
                " before. A token works once. Resume from the last error, or use journal=. If another writer added"
                " equal rows, use stamp= or on= next time to tell them apart."
            )

    def before_resend(self, unknown: Sequence[UnknownBatch]) -> None:
        """Do nothing: a late arrival cannot be told from the row that is sent again."""

    def finish(self) -> bool:
        """Delete late arrivals; return whether rows have to be sent again because of it."""
        context, journal = self.context, self.context.journal
        if not journal.resent:
            return False
        # Without a baseline of equal rows, rows count as lost only if no equal row is in the table.
        before = (journal.baseline.equal if journal.baseline is not None else None) or {}
        hashes = context.payload.hashes()
        resent = hashes[row_ranges.positions(journal.resent)]
        scan = scan_table(context.client, context.table.rec_id, context.payload.planned, wanted=resent)
        own = Counter(hashes.tolist())
        surplus = {each: count - own[each] - before.get(each, 0) for each, count in scan.copies.items()}
        duplicates = [row for row, each in enumerate(hashes.tolist()) if surplus.get(each, 0) > 0]
        if duplicates:
            ranges = row_ranges.of_positions(duplicates)
            surplus_rows = sum(count for count in surplus.values() if count > 0)
            raise VerificationError(
                f"{surplus_rows:,} rows are in the table twice, because they arrived late, after they had been sent"
                f" again. They equal {row_ranges.ranges_text(ranges)} of the frame.",
                differences=[f"{surplus_rows:,} rows too many"],
                rec_id=context.table.rec_id,
                confirmed=row_ranges.complement(ranges, len(hashes)),
                unknown=ranges,
                operation="insert",
            )
        return False
