"""The rows of a write: planned, checked, aligned with the table's columns, and cut into batches."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._checks import check_text, did_you_mean, near, shown_beside
from pandas_clicdata._models import Column, ColumnType, Encoding, PlannedColumn, TableRef, WireFormat
from pandas_clicdata.client import api
from pandas_clicdata.errors import ColumnMismatchError, ColumnNameError, FrameError, RowRange
from pandas_clicdata.types import ingest, plan
from pandas_clicdata.types.encode import TEXT, Nulled
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.fingerprint import Checksums, Hashes
from pandas_clicdata.write.options import Options

_MAX_CHUNKS = 100
_BLOCK_ROWS, _BLOCK_BYTES = 10_000, 2 << 20
Block = tuple[Sequence[tuple[RowRange, ...]], pa.RecordBatch]


@dataclass(frozen=True, eq=False)
class Payload:
    """The rows of a frame or a stream.

    Attributes
    ----------
    source : Source
        The input data.
    plans : sequence of ColumnPlan
        The ClicData type and the encoder of each column.
    ready : pyarrow.Table or None
        The checked and converted values; None for a stream. It lacks the columns that are converted when they are sent.
    left_out : sequence of str
        Columns of the source that are not sent, because the table does not have them.
    notes : tuple of str
        Notes about the columns for the receipt.
    subject : str
        The name of the rows in a line of code: ``"df"`` for a DataFrame.
    unsendable : mapping of str to FrameError
        Levels of the index that cannot be sent. The errors matter only if the table has such a column.
    requested : frozenset of str
        The columns that are named in ``column_types=``.
    nulled : dict of str to Nulled
        The values that are sent as null because of ``on_bad_values="null"``; of a stream, those that were sent.
    """

    source: ingest.Source
    plans: Sequence[plan.ColumnPlan]
    ready: pa.Table | None
    left_out: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    subject: str = "data"
    unsendable: Mapping[str, FrameError] = field(default_factory=dict)
    requested: frozenset[str] = frozenset()
    nulled: dict[str, Nulled] = field(default_factory=dict)
    _hashes: dict[tuple[str, ...], Hashes] = field(default_factory=dict, repr=False)

    @classmethod
    def from_plans(cls, source: ingest.Source, plans: Sequence[plan.ColumnPlan]) -> Payload:
        """Check and convert every value that is in memory.

        Raises
        ------
        FrameError
            A value cannot be sent exactly.
        """
        if source.stream is not None:
            return cls(source, plan.for_pieces(plans) if source.stream.varies else plans, None)
        nulled: dict[str, Nulled] = {}
        ready = plan.prepare_table(source, [plan for plan in plans if not plan.in_parts], nulled)
        # Slicing a table takes time proportional to the number of chunks.
        many = max((column.num_chunks for column in ready.columns), default=0) > _MAX_CHUNKS
        return cls(source, plans, ready.combine_chunks() if many else ready, nulled=nulled)

    @classmethod
    def from_object(
        cls,
        obj: object,
        options: Options,
        *,
        keys: str | Sequence[str] | None = None,
        new_table: bool = False,
    ) -> Payload:
        """Plan the columns of data, and check every value of it that is in memory.

        Parameters
        ----------
        obj : object
            The data.
        options : Options
            The options ``index``, ``column_types`` and ``on_bad_values``.
        keys : str or sequence of str, optional
            The columns whose values are never replaced by null.
        new_table : bool
            Whether the table is created, and so needs every level of the index.

        Raises
        ------
        FrameError, TypeError
            The object cannot be sent.
        """
        # What is no list of names is refused later.
        named = [keys] if isinstance(keys, str) else [*map(str, keys)] if isinstance(keys, Iterable) else []
        source = ingest.as_source(obj, index=options.index, on_bad_values=options.on_bad_values, keys=named)
        types = options.column_types
        requested = frozenset(map(str, types)) if isinstance(types, Mapping) else frozenset()
        source = replace(source, optional=[name for name in source.optional if name not in requested])
        if new_table:
            ingest.raise_faults(source.index_faults)
        facts: dict[str, Any] = {
            "subject": "df" if isinstance(obj, pd.DataFrame) else "data",
            "requested": requested,
        }
        try:
            payload = cls.from_plans(source, plan.plan_columns(source, types))
        except FrameError:
            if new_table:
                raise
            unsendable = {column.name: fault for column, fault in _faults(source, source.optional)}
            kept = [column.name for column in source.columns if column.name not in unsendable]
            if not unsendable or not kept:
                raise
            source = select_columns(source, kept)
            payload = cls.from_plans(source, plan.plan_columns(source, types))
            facts["unsendable"] = unsendable
        return replace(payload, **facts)._loaded()

    def _loaded(self) -> Payload:
        """Return the payload with frames read that are in memory anyway; check the pieces that were read ahead."""
        stream = self.source.stream
        if stream is None or stream.in_memory:
            return self.in_memory()
        for piece in stream.held:
            self._prepared(piece)
        return self

    def check_whole_index(self) -> None:
        """Check that no level of the index is left out, for a table that needs all of them.

        Raises
        ------
        FrameError
            Levels cannot be sent.
        """
        ingest.raise_faults([*self.unsendable.values(), *self.source.index_faults])

    def with_name_note(self) -> Payload:
        """Return the payload with a note about columns of a new table whose names the index does not have."""
        names = [column.name for column in self.planned if self.source.levels.get(column.name, "") is None]
        if not names:
            return self
        note = (
            f"The index has no name and is sent as column {names[0]!r}. To name it: df.index.name = '…'."
            if len(self.source.levels) == 1
            else f"Levels of the index have no name and are sent as {', '.join(map(repr, names))}. To name all levels:"
            f" df.index.names = {['…'] * len(self.source.levels)!r}."
        )
        return replace(self, notes=(*self.notes, f"{note} To leave the index out: index=False."))

    @property
    def nulled_notes(self) -> tuple[str, ...]:
        """The note about values that are sent as null, if there are any."""
        planned = {column.name for column in self.planned}
        counts = [
            f"{each.count:,} in column {name!r} (the first in {each.first})"
            for name, each in self.nulled.items()
            if name in planned
        ]
        if not counts:
            return ()
        more = f" and {len(counts) - _MAX_LISTED:,} more columns" if len(counts) > _MAX_LISTED else ""
        listed = f"{'; '.join(counts[:_MAX_LISTED])}{more}"
        return (f"Sent as null, because ClicData cannot hold the values: {listed}.",)

    @property
    def rows(self) -> int | None:
        """The number of rows; None for a stream."""
        return self.source.rows

    @property
    def planned(self) -> list[PlannedColumn]:
        """The columns as they are sent."""
        return [plan.planned for plan in self.plans]

    @functools.cached_property
    def hash(self) -> str:
        """A hash of all values, in their order."""
        return fingerprint.content_hash(self._row_blocks(self.planned), self.planned)

    def table(self, names: Sequence[str] | None = None) -> pa.Table:
        """Return the rows, which must be in memory, with all columns or those named."""
        return self._rows([(0, self._height)], self.planned if names is None else self._named(names))

    def _named(self, names: Sequence[str]) -> list[PlannedColumn]:
        return [column for column in self.planned if column.name in names]

    @property
    def _height(self) -> int:
        assert self.ready is not None
        return self.ready.num_rows if self.ready.num_columns else self.rows or 0

    def _rows(self, ranges: Sequence[RowRange], planned: Sequence[PlannedColumn]) -> pa.Table:
        """Return some columns of the rows of some ranges."""
        assert self.ready is not None
        parts = {plan.planned.name: plan.column.part for plan in self.plans}
        columns: dict[str, pa.ChunkedArray] = {}
        for name in [column.name for column in planned]:
            part = None if name in self.ready.column_names else parts[name]
            if part is not None:
                pieces = [part(start, stop).cast(TEXT) for start, stop in ranges]
            else:
                values = self.ready.column(name)
                pieces = [values.slice(start, stop - start) for start, stop in ranges]
            columns[name] = pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks], pieces[0].type)
        return pa.table(columns)

    def _row_blocks(self, planned: Sequence[PlannedColumn]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows in pieces that are small enough to be handled as Python objects."""
        for block in row_ranges.cut([(0, self._height)], itertools.repeat(_BLOCK_ROWS)):
            yield _one_batch(self._rows(block, planned))

    def in_memory(self) -> Payload:
        """Return the payload with a stream read to its end.

        Raises
        ------
        FrameError
            A value of the stream cannot be sent.
        """
        stream = self.source.stream
        if stream is None:
            return self
        columns = [plan.column for plan in self.plans]
        rows, nulled = 0, dict[str, Nulled]()
        if stream.varies:
            tables = [self._no_rows]
            for piece in stream:
                tables.append(self._prepared(piece, nulled))
                rows += tables[-1].num_rows
            table = pa.concat_tables(tables)
            columns = [plan.loaded_column(each, table.column(each.planned.name)) for each in self.plans]
        else:
            values: dict[str, list[pa.Array]] = {column.name: [] for column in columns}
            for piece in stream:
                rows += piece.source.rows or 0
                for column in piece.source.columns:
                    if column.name in values:
                        values[column.name] += ingest.values_of(column, piece.source.rows).chunks
            columns = [
                replace(column, values=pa.chunked_array(values[column.name], column.arrow_type)) for column in columns
            ]
        source = replace(self.source, columns=columns, rows=rows, stream=None)
        column_types = {plan.planned.name: str(plan.planned.data_type) for plan in self.plans}
        payload = Payload.from_plans(source, plan.plan_columns(source, column_types))
        nulled |= payload.nulled
        return replace(self, source=source, plans=payload.plans, ready=payload.ready, nulled=nulled, _hashes={})

    @property
    def _no_rows(self) -> pa.Table:
        """The columns of a stream, without rows."""
        empty = [replace(column, values=pa.chunked_array([], column.arrow_type)) for column in self.source.columns]
        return self._prepared(ingest.Piece(replace(self.source, columns=empty, rows=0)))

    def _prepared(self, piece: ingest.Piece, nulled: dict[str, Nulled] | None = None) -> pa.Table:
        """Check and convert a piece of the stream; ``nulled`` gets the values that are sent as null.

        Raises
        ------
        FrameError
            A value cannot be sent, or is not of the type of its column. The error names the piece.
        """
        assert self.source.stream is not None
        try:
            return plan.prepare_piece(
                piece.source, self.plans, nulled, requested=self.requested, varies=self.source.stream.varies
            )
        except FrameError as exc:
            raise ingest.in_piece(exc, piece.number) from None

    def peek(self, rows: int) -> pa.RecordBatch:
        """Return the first rows of a stream, which remain part of it.

        Raises
        ------
        FrameError
            A value of them cannot be sent.
        """
        stream = self.source.stream
        assert stream is not None
        while sum(piece.source.rows or 0 for piece in stream.held) < rows and stream.read_ahead() is not None:
            pass
        tables = [self._no_rows]
        for piece in stream.held:
            if sum(table.num_rows for table in tables) >= rows:
                break
            tables.append(self._prepared(piece))
        return _one_batch(pa.concat_tables(tables).slice(0, rows))

    def without(self, names: Sequence[str], notes: tuple[str, ...] = ()) -> Payload:
        """Return the payload without these columns, and with these notes."""
        plans = [plan for plan in self.plans if plan.planned.name not in names]
        kept = [plan.planned.name for plan in plans]
        ready = self.ready
        if ready is not None:
            ready = ready.select([name for name in kept if name in ready.column_names])
        source = select_columns(self.source, kept)
        return replace(
            self,
            source=source,
            plans=plans,
            ready=ready,
            left_out=(*self.left_out, *names),
            notes=(*self.notes, *notes),
            _hashes={},
        )

    def key_names(self, on: str | Sequence[str]) -> list[str]:
        """Return the key columns as a list.

        Raises
        ------
        FrameError
            ``on`` is empty, or one of the columns is absent or cannot be sent.
        TypeError
            ``on`` is neither a name nor a list of names.
        """
        keys = key_names(on, [*(column.name for column in self.planned), *self.unsendable])
        for key in keys:
            if key in self.unsendable:
                raise self.unsendable[key]
        return keys

    def blocks(self, ranges: Sequence[RowRange] | None, sizes: Iterator[int]) -> Iterator[Block]:
        """Cut the rows of ``ranges``, or all rows, into batches of these sizes, and yield several at a time.

        It takes less time to encode them together. A stream always yields all rows, as soon as they are there.

        Raises
        ------
        FrameError
            A value of a stream cannot be sent.
        """
        if self.ready is None:
            yield from self._blocks_of_stream(sizes)
            return
        batches = row_ranges.cut([(0, self._height)] if ranges is None else ranges, sizes)
        block: list[tuple[RowRange, ...]] = []
        # The first batch is sent without waiting for others.
        rows = most = 0
        for batch in batches:
            size = row_ranges.count(batch)
            if block and rows + size > most:
                yield block, self.take(row_ranges.merged(itertools.chain(*block)))
                block, rows, most = [], 0, _rows_at_once(self.ready)
            block.append(batch)
            rows += size
        if block:
            yield block, self.take(row_ranges.merged(itertools.chain(*block)))

    def take(self, ranges: Sequence[RowRange]) -> pa.RecordBatch:
        """Return the rows of some ranges."""
        return _one_batch(self._rows(ranges, self.planned))

    def take_positions(self, positions: Sequence[int]) -> Payload:
        """Return a payload of some of the rows."""
        return replace(self, ready=self.table().take(pa.array(positions, pa.int64())), _hashes={})

    def _blocks_of_stream(self, sizes: Iterator[int]) -> Iterator[Block]:
        assert self.source.stream is not None
        held: pa.Table | None = None
        sent = 0
        size = next(sizes)
        for piece in self.source.stream:
            rows_of_piece = self._prepared(piece, self.nulled)
            held = rows_of_piece if held is None else pa.concat_tables([held, rows_of_piece])
            most = _rows_at_once(rows_of_piece)
            while held.num_rows >= size:
                block, rows = [((sent, sent + size),)], size
                size = next(sizes)
                while rows + size <= min(most, held.num_rows):
                    block.append(((sent + rows, sent + rows + size),))
                    rows, size = rows + size, next(sizes)
                yield block, _one_batch(held.slice(0, rows))
                held, sent = held.slice(rows), sent + rows
        if held is not None and held.num_rows:
            yield [((sent, sent + held.num_rows),)], _one_batch(held)

    def hashes(self, names: Sequence[str] | None = None) -> Hashes:
        """Return a hash of each row, over all columns or those named."""
        planned = [column for column in self.planned if names is None or column.name in names]
        key = tuple(column.name for column in planned)
        if key not in self._hashes:
            self._hashes[key] = fingerprint.concatenated(
                [
                    fingerprint.row_hashes(fingerprint.texts_of_batch(block, planned))
                    for block in self._row_blocks(planned)
                ]
            )
        return self._hashes[key]

    def checksums(self) -> Checksums:
        """Return the checksums that rows read back are compared with."""
        total = Checksums()
        for block in self._row_blocks(self.planned):
            total = total.plus(self.checksums_of(block))
        return total

    def checksums_of(self, part: pa.RecordBatch) -> Checksums:
        """Return the checksums of some of the rows."""
        return fingerprint.checksums_of(
            [column.name for column in self.planned], fingerprint.texts_of_batch(part, self.planned)
        )


def _faults(source: ingest.Source, names: Sequence[str]) -> Iterator[tuple[ingest.SourceColumn, FrameError]]:
    """Yield those of some columns that cannot be sent, and why."""
    for column in select_columns(source, names).columns:
        one = select_columns(source, [column.name])
        try:
            plan.prepare_table(one, plan.plan_columns(one))
        except FrameError as exc:
            yield column, exc


def _rows_at_once(rows: pa.Table) -> int:
    """Return how many rows to encode at once: many, unless they are wide."""
    return _BLOCK_ROWS if not rows.num_rows else min(_BLOCK_ROWS, _BLOCK_BYTES * rows.num_rows // max(1, rows.nbytes))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def select_columns(source: ingest.Source, names: Sequence[str]) -> ingest.Source:
    """Return a source with some of its columns."""
    columns = {column.name: column for column in source.columns}
    return replace(source, columns=[columns[name] for name in names])


def stamp_column(name: str) -> PlannedColumn:
    """Return the column that holds the stamps."""
    return PlannedColumn(name, "str", ColumnType.TEXT, WireFormat(Encoding.TEXT), "the stamp of its batch")


def inserted_payload(obj: object, options: Options, *, new_table: bool = False) -> tuple[Payload, list[str]]:
    """Return the rows to insert and the key columns, after every check that needs no request.

    Parameters
    ----------
    obj : object
        The data.
    options : Options
        The options of the write.
    new_table : bool
        Whether the table is created.

    Raises
    ------
    FrameError, TypeError, ValueError
        The rows, the keys or the stamp cannot be sent.
    """
    payload = Payload.from_object(obj, options, keys=options.on, new_table=new_table)
    if options.resume is True:
        payload = payload.in_memory()
    if payload.rows is None:
        for name in ("resume", "journal", "on"):
            if getattr(options, name) not in (None, True, False):
                raise TypeError(
                    f"{name}= needs rows that can be read twice. Pass a DataFrame, an Arrow table or a list of frames"
                    " instead of a stream."
                )
        if options.on_unknown == "check":
            raise TypeError(
                "on_unknown='check' needs rows that can be read twice. Pass a DataFrame, an Arrow table or a list of"
                " frames instead of a stream."
            )
    stamp = options.stamp
    if stamp is not None:
        check_text("stamp=", stamp)
        equal = [
            column.name for column in payload.planned if column.name.strip().casefold() == stamp.strip().casefold()
        ]
        if equal:
            raise ColumnNameError(
                f"stamp= names {stamp!r}, but the frame has a column {equal[0]!r}. Choose a name that no column has.",
                column=equal[0],
            )
    if options.on is None:
        return payload, []
    keys = payload.key_names(options.on)
    refuse_null_keys(payload, keys, "a key identifies a row")
    refuse_duplicate_keys(payload, keys)
    return payload, keys


def keyed_payload(obj: object, on: str | Sequence[str], options: Options) -> tuple[Payload, list[str]]:
    """Return rows in memory whose keys are complete and unique, and the key columns.

    Raises
    ------
    FrameError
        A key is missing or occurs twice.
    """
    payload = Payload.from_object(obj, options, keys=on).in_memory()
    keys = payload.key_names(on)
    refuse_null_keys(payload, keys, "no row of the table can be found by it")
    refuse_duplicate_keys(payload, keys)
    return payload, keys


def key_names(on: str | Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the key columns as a list.

    Raises
    ------
    FrameError
        ``on`` is empty, or the frame lacks one of the columns.
    TypeError
        ``on`` is neither a name nor a list of names.
    """
    if not isinstance(on, str) and (isinstance(on, bytes) or not isinstance(on, Sequence)):
        raise TypeError(f"on= must be the name of a column or a list of names, not {on!r}.")
    keys = list(dict.fromkeys(map(str, [on] if isinstance(on, str) else on)))
    if not keys:
        raise FrameError('on= is empty. Name at least one column that identifies a row, such as on="id".')
    for key in keys:
        if key not in names:
            raise FrameError(
                f"on= names {key!r}, but the frame has no such column.{did_you_mean(key, names)} Its columns:"
                f" {', '.join(map(repr, names))}.",
                column=key,
            )
    return keys


def refuse_null_keys(payload: Payload, keys: Sequence[str], why: str) -> None:
    """Refuse rows in which a key is missing.

    Raises
    ------
    FrameError
        The message names the first row.
    """
    for name in keys:
        values = payload.table([name]).column(name)
        if values.null_count:
            label, position = payload.source.label, pc.index(values.is_null(), pa.scalar(True)).as_py()
            raise FrameError(
                f"Column {name!r}, row {label.text(position)}: the key is missing, and {why}. Drop such rows first:"
                f" {_with_columns(payload, keys)}.dropna(subset={list(keys)!r})",
                column=name,
                row=label(position),
            )


def refuse_duplicate_keys(payload: Payload, keys: Sequence[str]) -> None:
    """Refuse rows of which two have the same keys.

    Raises
    ------
    FrameError
        The message names both rows.
    """
    planned = [column for column in payload.planned if column.name in keys]
    seen: dict[tuple[str | None, ...], int] = {}
    at = 0
    for block in fingerprint.blocks(payload.table(keys)):
        for key in zip(*fingerprint.texts_of_batch(block, planned), strict=True):
            first = seen.setdefault(key, at)
            if first != at:
                label, names = payload.source.label, ", ".join(keys)
                raise FrameError(
                    f"Rows {label.text(first)} and {label.text(at)} have the same keys"
                    f" ({names}: {', '.join(map(str, key))}). Keys must identify a row. Drop duplicates:"
                    f" {_with_columns(payload, keys)}.drop_duplicates({list(keys)!r}), or name more columns in on=.",
                    column=keys[0],
                    row=label(at),
                )
            at += 1


def _with_columns(payload: Payload, keys: Sequence[str]) -> str:
    """Return the expression for the frame in which all keys are columns."""
    return "df.reset_index()" if any(key in payload.source.levels for key in keys) else "df"


_REMEDY = "The API cannot add a column. Rename or drop the extra columns, or leave them out: on_new_columns='ignore'."
_REMEDY_IF_IGNORED = (
    "on_new_columns='ignore' leaves out neither a key (on=) nor all columns. Rename the columns as the table has them."
)
_MAX_LISTED = 20


def align(
    payload: Payload,
    table: TableRef,
    known: api.KnownColumns | None,
    options: Options,
    keys: Sequence[str] = (),
    *,
    left_out_before: Sequence[str] = (),
    if_missing: str = "",
) -> Payload:
    """Align the rows with all columns of an existing table.

    Parameters
    ----------
    payload : Payload
        The rows.
    table : TableRef
        The table.
    known : KnownColumns or None
        The table's columns; None if it is empty and does not list them.
    options : Options
        What to do with columns that the table lacks, and the stamp column.
    keys : sequence of str
        Columns that are never left out.
    left_out_before : sequence of str
        Columns that were left out when this write began, in case the table does not list its columns.
    if_missing : str
        What to do, in an error, about columns that the rows do not have.

    Raises
    ------
    ColumnMismatchError
        Columns are missing, extra, or of another type.
    """
    if known is None:
        return _align_unlisted(payload, table, options, left_out_before)
    own_names = {column.name for column in payload.planned}
    columns = [column for column in known.columns if column.name in own_names or not api.is_row_id(column, known.typed)]
    if not known.typed and len(columns) < len(known.columns):
        names = ", ".join(repr(column.name) for column in known.columns if column not in columns)
        note = (
            f"No value is sent for {names}: the service does not list types, so a column of this name counts as the row"
            " id, which ClicData fills itself. If it is a column of your own, add it to the frame."
        )
        payload = replace(payload, notes=(*payload.notes, note))
    if options.stamp is not None:
        stamp = next((column for column in columns if column.name == options.stamp), None)
        if stamp is None or (known.typed and stamp.data_type not in (ColumnType.TEXT, ColumnType.DROPDOWN)):
            raise ColumnMismatchError(
                f"stamp= names {options.stamp!r}, but table {table.label} has no text column of that name. A stamp"
                f" column is created together with its table: push(…, stamp={options.stamp!r})",
                missing=[options.stamp] if stamp is None else [],
            )
        columns.remove(stamp)
    return _align(
        payload,
        table,
        columns,
        options,
        keys,
        types_known=known.typed,
        json_types=known.json_types,
        whole=True,
        if_missing=if_missing,
    )


def align_subset(
    payload: Payload,
    table: TableRef,
    known: api.KnownColumns | None,
    options: Options | None = None,
    keys: Sequence[str] = (),
) -> Payload:
    """Align the rows with some of the columns of an existing table.

    Raises
    ------
    ColumnMismatchError
        The table lacks one of the columns, or has it in another type.
    """
    if known is None:
        return _align_unlisted(payload, table, options, ())
    return _align(
        payload, table, known.columns, options, keys, types_known=known.typed, json_types=known.json_types, whole=False
    )


def left_out_note(label: str, names: Sequence[str], candidates: Iterable[str] = ()) -> str:
    """Return the note about columns that were left out; ``candidates`` are names that may have been intended."""
    candidates = list(candidates)
    shown = []
    for name in names[:_MAX_LISTED]:
        similar = " or ".join(shown_beside(name, each) for each in near(name, candidates))
        shown.append(f"{name!r} (did you mean {similar}?)" if similar else repr(name))
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    return f"Left out, because table {label} does not have them: {', '.join(shown)}{more}."


def _align_unlisted(payload: Payload, table: TableRef, options: Options | None, left_out: Sequence[str]) -> Payload:
    """Align with an empty table that does not list its columns. The service refuses an unknown column."""
    if payload.unsendable:
        raise next(iter(payload.unsendable.values()))
    if left_out:
        noted = [name for name in left_out if name not in payload.source.optional]
        return payload.without(left_out, (left_out_note(table.label, noted),) if noted else ())
    if options is None or options.on_new_columns == "error":
        return payload
    note = f"No column was left out: table {table.label} was empty, and the service does not list its columns."
    return payload.without((), (note,))


def _align(
    payload: Payload,
    table: TableRef,
    columns: Sequence[Column],
    options: Options | None,
    keys: Sequence[str],
    *,
    types_known: bool,
    json_types: Mapping[str, str],
    whole: bool,
    if_missing: str = "",
) -> Payload:
    table_names = {column.name for column in columns}
    for name, fault in payload.unsendable.items():
        if name in table_names:
            raise fault
    unused = [name for name in payload.source.optional if name not in table_names and name not in keys]
    kept = {column.name for column in payload.planned} - set(unused)
    if kept if whole else kept - set(keys):
        payload = payload.without(unused)
    own_names = [column.name for column in payload.planned]
    left_out: list[str] = []
    remedy, column_types = "", None
    if options is not None:
        column_types, remedy = options.column_types, _REMEDY
        if options.on_new_columns == "ignore":
            remedy = _REMEDY_IF_IGNORED
            left_out = [name for name in own_names if name not in table_names and name not in keys]
            kept = set(own_names) - set(left_out)
            if not (kept if whole else kept - set(keys)):
                left_out = []
    plans = plan.fit_to_table(
        payload.source, columns, table.label, types_known=types_known, json_types=json_types, columns=column_types,
        whole=whole, left_out=left_out, if_extra=remedy, if_missing=if_missing,
    )  # fmt: skip
    if left_out:
        missing = [column.name for column in columns if column.name not in own_names]
        payload = payload.without(left_out, (left_out_note(table.label, left_out, missing),))
    if [plan.planned for plan in plans] == payload.planned:
        return payload
    planned = Payload.from_plans(payload.source, plans)
    return replace(payload, plans=planned.plans, ready=planned.ready, nulled=planned.nulled, _hashes={})
