"""The rows of a write: planned, checked, and cut into batches."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata import schema
from pandas_clicdata.checks import did_you_mean
from pandas_clicdata.errors import FrameError, RowRange
from pandas_clicdata.models import PlannedColumn
from pandas_clicdata.writing import fingerprint
from pandas_clicdata.writing import ranges as row_ranges
from pandas_clicdata.writing.fingerprint import Hashes, Sums

_MOST_CHUNKS = 100
Piece = tuple[tuple[RowRange, ...], pa.RecordBatch]


@dataclass(frozen=True, eq=False)
class Content:
    """A frame's or stream's rows.

    Attributes
    ----------
    door : Door
        Where they come in.
    plans : sequence of ColumnPlan
        What each column becomes.
    ready : pyarrow.Table or None
        All values checked and converted; None for a stream.
    left_out : sequence of str
        Columns that came in and do not go out, for the table does not have them.
    notes : tuple of str
        What the receipt is to say about the columns.
    """

    door: schema.Door
    plans: Sequence[schema.ColumnPlan]
    ready: pa.Table | None
    left_out: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    _hashes: dict[tuple[str, ...], Hashes] = field(default_factory=dict, repr=False)

    @classmethod
    def planned_as(cls, door: schema.Door, plans: Sequence[schema.ColumnPlan]) -> Content:
        """Check every value that is in memory.

        Raises
        ------
        FrameError
            One cannot be sent exactly.
        """
        if door.stream is not None:
            return cls(door, plans, None)
        ready = schema.ready_table(door, plans)
        # Every slice looks through all chunks.
        many = max((column.num_chunks for column in ready.columns), default=0) > _MOST_CHUNKS
        return cls(door, plans, ready.combine_chunks() if many else ready)

    @classmethod
    def enter(cls, obj: object, columns: Mapping[str, str] | None, *, index: bool) -> Content:
        """Take what a user gives, with a word about an index that is not sent.

        Raises
        ------
        FrameError, TypeError
            It cannot be sent.
        """
        door = schema.enter(obj, index=index)
        if not index:
            schema.warn_of_index(obj)
        return cls.planned_as(door, schema.plan_columns(door, columns))

    @property
    def rows(self) -> int | None:
        return self.door.rows

    @property
    def planned(self) -> list[PlannedColumn]:
        return [plan.planned for plan in self.plans]

    @functools.cached_property
    def hash(self) -> str:
        """A hash of all values, in their order."""
        assert self.ready is not None
        return fingerprint.content_hash(self.ready, self.planned)

    def whole(self) -> pa.Table:
        """The rows; they are in memory."""
        assert self.ready is not None
        return self.ready

    def in_memory(self) -> Content:
        """The same, with a stream read to its end."""
        if self.door.stream is None:
            return self
        table = self.door.stream.read_all()
        door = schema.enter(table, index=False)
        wanted = {plan.planned.name: str(plan.planned.data_type) for plan in self.plans}
        return Content.planned_as(door, schema.plan_columns(door, wanted))

    def without(self, names: Sequence[str], notes: tuple[str, ...]) -> Content:
        """The same rows with these columns left out."""
        kept = [plan for plan in self.plans if plan.planned.name not in names]
        own = [plan.planned.name for plan in kept]
        ready = None if self.ready is None else self.ready.select(own)
        return replace(
            self, door=only(self.door, own), plans=kept, ready=ready, left_out=names, notes=notes, _hashes={}
        )

    def pieces(self, ranges: Sequence[RowRange] | None, sizes: Iterator[int]) -> Iterator[Piece]:
        """Cut rows into pieces of these sizes; ``ranges`` are those wanted, which a stream always gives all.

        Raises
        ------
        FrameError
            A value of a stream cannot be sent.
        """
        if self.ready is None:
            yield from self._pieces_of_stream(sizes)
            return
        for piece in row_ranges.cut([(0, self.ready.num_rows)] if ranges is None else ranges, sizes):
            yield piece, self.take(piece)

    def take(self, ranges: Sequence[RowRange]) -> pa.RecordBatch:
        """The rows of some ranges."""
        ready = self.whole()
        slices = [ready.slice(start, stop - start) for start, stop in ranges]
        return _one_batch(slices[0] if len(slices) == 1 else pa.concat_tables(slices))

    def taken(self, positions: Sequence[int]) -> Content:
        """Some of the rows, planned as all are."""
        return replace(self, ready=self.whole().take(pa.array(positions, pa.int64())), _hashes={})

    def _pieces_of_stream(self, sizes: Iterator[int]) -> Iterator[Piece]:
        assert self.door.stream is not None
        held: pa.Table | None = None
        offset = sent = 0
        size = next(sizes)
        for batch in self.door.stream:
            piece = schema.ready_batch(batch, self.plans, offset)
            offset += batch.num_rows
            held = piece if held is None else pa.concat_tables([held, piece])
            while held.num_rows >= size:
                yield ((sent, sent + size),), _one_batch(held.slice(0, size))
                held, sent, size = held.slice(size), sent + size, next(sizes)
        if held is not None and held.num_rows:
            yield ((sent, sent + held.num_rows),), _one_batch(held)

    def hashes(self, names: Sequence[str] | None = None) -> Hashes:
        """A hash of each row, of all its columns or some."""
        planned = [column for column in self.planned if names is None or column.name in names]
        key = tuple(column.name for column in planned)
        if key not in self._hashes:
            ready = self.whole().select(key)
            self._hashes[key] = fingerprint.joined(
                [fingerprint.row_hashes(fingerprint.of_part(block, planned)) for block in fingerprint.blocks(ready)]
            )
        return self._hashes[key]

    def sums(self) -> Sums:
        """What reading the rows back is compared with."""
        total = Sums()
        for block in fingerprint.blocks(self.whole()):
            total = total.plus(self.sums_of(block))
        return total

    def sums_of(self, part: pa.RecordBatch) -> Sums:
        return fingerprint.sums_of([column.name for column in self.planned], fingerprint.of_part(part, self.planned))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def key_names(on: str | Sequence[str], names: Sequence[str]) -> list[str]:
    """The key columns that a user names.

    Raises
    ------
    FrameError
        There are none, or the frame lacks one.
    TypeError
        They are no names.
    """
    if not isinstance(on, str) and (isinstance(on, bytes) or not isinstance(on, Sequence)):
        raise TypeError(f"on= is a column's name or a list of them, not {on!r}.")
    keys = list(dict.fromkeys(map(str, [on] if isinstance(on, str) else on)))
    if not keys:
        raise FrameError("on= names no columns, and keys are what tells one row from another.")
    for key in keys:
        if key not in names:
            raise FrameError(
                f"on= names {key!r}, which the frame does not have.{did_you_mean(key, names)} It has"
                f" {', '.join(map(repr, names))}.",
                column=key,
            )
    return keys


def only(door: schema.Door, names: Sequence[str]) -> schema.Door:
    """Some of the columns."""
    ours = {source.name: source for source in door.columns}
    return replace(door, columns=[ours[name] for name in names])


def refuse_null_keys(content: Content, keys: Sequence[str], why: str) -> None:
    """Refuse a frame in which a key is missing.

    Raises
    ------
    FrameError
        Naming the row.
    """
    for name in keys:
        values = content.whole().column(name)
        if values.null_count:
            row = content.door.label(pc.index(values.is_null(), pa.scalar(True)).as_py())
            raise FrameError(
                f"Column {name!r}, row {schema.shown(row)}: a key is missing, and {why}. Drop such rows first:"
                " df.dropna(subset=[…]).",
                column=name,
                row=row,
            )


def refuse_equal_keys(content: Content, keys: Sequence[str]) -> None:
    """Refuse a frame in which two rows have the same keys.

    Raises
    ------
    FrameError
        Naming both rows.
    """
    planned = [column for column in content.planned if column.name in keys]
    seen: dict[tuple[str | None, ...], int] = {}
    at = 0
    for block in fingerprint.blocks(content.whole().select([column.name for column in planned])):
        for key in zip(*fingerprint.of_part(block, planned), strict=True):
            first = seen.setdefault(key, at)
            if first != at:
                names, other = ", ".join(keys), content.door.label(at)
                one = schema.shown(content.door.label(first))
                raise FrameError(
                    f"Rows {one} and {schema.shown(other)} have the same keys ({names}: {', '.join(map(str, key))})."
                    " Keys must tell rows apart: df.drop_duplicates([…]), or name more columns in on=.",
                    column=keys[0],
                    row=other,
                )
            at += 1
