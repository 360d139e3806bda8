"""The rows of a write: planned, checked, fitted to the columns of the table, and cut into batches."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._checks import did_you_mean, near
from pandas_clicdata._models import Column, ColumnType, Encoding, PlannedColumn, TableRef, Wire
from pandas_clicdata.client import api
from pandas_clicdata.errors import ColumnMismatchError, FrameError, RowRange
from pandas_clicdata.types import encode, ingest, plan
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.fingerprint import Hashes, Sums
from pandas_clicdata.write.options import Options

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

    door: ingest.Door
    plans: Sequence[plan.ColumnPlan]
    ready: pa.Table | None
    left_out: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    _hashes: dict[tuple[str, ...], Hashes] = field(default_factory=dict, repr=False)

    @classmethod
    def planned_as(cls, door: ingest.Door, plans: Sequence[plan.ColumnPlan]) -> Content:
        """Check every value that is in memory.

        Raises
        ------
        FrameError
            One cannot be sent exactly.
        """
        if door.stream is not None:
            return cls(door, plans, None)
        ready = plan.ready_table(door, plans)
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
        door = ingest.enter(obj, index=index)
        if not index:
            ingest.warn_of_index(obj)
        return cls.planned_as(door, plan.plan_columns(door, columns))

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
        door = ingest.enter(table, index=False)
        wanted = {plan.planned.name: str(plan.planned.data_type) for plan in self.plans}
        return Content.planned_as(door, plan.plan_columns(door, wanted))

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
            piece = plan.ready_batch(batch, self.plans, offset)
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


def only(door: ingest.Door, names: Sequence[str]) -> ingest.Door:
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
                f"Column {name!r}, row {encode.shown(row)}: a key is missing, and {why}. Drop such rows first:"
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
                one = encode.shown(content.door.label(first))
                raise FrameError(
                    f"Rows {one} and {encode.shown(other)} have the same keys ({names}: {', '.join(map(str, key))})."
                    " Keys must tell rows apart: df.drop_duplicates([…]), or name more columns in on=.",
                    column=keys[0],
                    row=other,
                )
            at += 1


def stamp_column(name: str) -> PlannedColumn:
    """The column that carries the marks."""
    return PlannedColumn(name, "str", ColumnType.TEXT, Wire(Encoding.TEXT), "the mark of its batch")


_IF_EXTRA = (
    "No column can be added to a table: rename or drop what it does not have, or leave it out: on_new_columns='ignore'."
)
_IF_KEPT = "on_new_columns='ignore' leaves out no key (on=), nor all that there is to send: rename them."
_LISTED = 20


def fitted(
    content: Content,
    found: TableRef,
    known: api.KnownColumns | None,
    options: Options,
    keys: Sequence[str] = (),
    *,
    left_out: Sequence[str] = (),
) -> Content:
    """The rows as a table that is there takes them, in all of its columns.

    Parameters
    ----------
    content : Content
        The rows.
    found : TableRef
        The table.
    known : KnownColumns or None
        Its columns; None where it is empty and does not list them.
    options : Options
        What to do about columns that it does not have.
    keys : sequence of str
        Columns that are never left out.
    left_out : sequence of str
        What was left out when this write began, for where the columns are not listed.

    Raises
    ------
    ColumnMismatchError
        Columns are missing, extra, or of another type.
    """
    if known is None:
        return _unlisted(content, found, options, left_out)
    ours = {column.name for column in content.planned}
    theirs = [column for column in known.columns if column.name in ours or not api.is_row_id(column, known.typed)]
    if options.stamp is not None:
        stamp = next((column for column in theirs if column.name == options.stamp), None)
        if stamp is None or (known.typed and stamp.data_type not in (ColumnType.TEXT, ColumnType.DROPDOWN)):
            raise ColumnMismatchError(
                f"stamp= names {options.stamp!r}, and table {found.label} has no text column of that name. A table is"
                " given one when it is made: push(…, stamp=…).",
                missing=[options.stamp] if stamp is None else [],
            )
        theirs.remove(stamp)
    return _fitted(content, found, theirs, options, keys, types_known=known.typed, whole=True)


def fitted_in_part(
    content: Content,
    found: TableRef,
    known: api.KnownColumns | None,
    options: Options | None = None,
    keys: Sequence[str] = (),
) -> Content:
    """Values of some of the table's columns, as it takes them.

    Raises
    ------
    ColumnMismatchError
        It lacks one of them, or has it in another type.
    """
    if known is None:
        return _unlisted(content, found, options, ())
    return _fitted(content, found, known.columns, options, keys, types_known=known.typed, whole=False)


def left_out_note(label: str, names: Sequence[str], absent: Iterable[str] = ()) -> str:
    """The sentence of a receipt that names what was left out; ``absent`` is what may have been meant."""
    theirs = list(absent)
    shown = []
    for name in names[:_LISTED]:
        meant = near(name, theirs)
        shown.append(f"{name!r} (did you mean {' or '.join(map(repr, meant))}?)" if meant else repr(name))
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"Left out, for table {label} does not have them: {', '.join(shown)}{more}."


def _unlisted(content: Content, found: TableRef, options: Options | None, left_out: Sequence[str]) -> Content:
    """The rows for an empty table that does not list its columns: the service will refuse a name that it has not."""
    if left_out:
        return content.without(left_out, (left_out_note(found.label, left_out),))
    if options is None or options.on_new_columns == "error":
        return content
    note = f"No column was left out: table {found.label} was empty, and the service did not say which columns it has."
    return content.without((), (note,))


def _fitted(
    content: Content,
    found: TableRef,
    theirs: Sequence[Column],
    options: Options | None,
    keys: Sequence[str],
    *,
    types_known: bool,
    whole: bool,
) -> Content:
    names = {column.name for column in theirs}
    ours = [column.name for column in content.planned]
    left_out: list[str] = []
    if_extra, columns = "", None
    if options is not None:
        columns, if_extra = options.column_types, _IF_EXTRA
        if options.on_new_columns == "ignore":
            if_extra = _IF_KEPT
            left_out = [name for name in ours if name not in names and name not in keys]
            kept = set(ours) - set(left_out)
            if not (kept if whole else kept - set(keys)):
                left_out = []
    plans = plan.fit_to_table(
        content.door, theirs, found.label, types_known=types_known, columns=columns, whole=whole, left_out=left_out,
        if_extra=if_extra,
    )  # fmt: skip
    if left_out:
        absent = [column.name for column in theirs if column.name not in ours]
        content = content.without(left_out, (left_out_note(found.label, left_out, absent),))
    if [plan.planned for plan in plans] == content.planned:
        return content
    return replace(Content.planned_as(content.door, plans), left_out=content.left_out, notes=content.notes)
