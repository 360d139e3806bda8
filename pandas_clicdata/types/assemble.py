"""Assemble the pages of a read into columns: numbers and datetimes directly in the memory of the frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from pandas_clicdata._models import ColumnType, DecodedColumn, Kind
from pandas_clicdata.types import infer, row_codec
from pandas_clicdata.types.encode import DATETIME_FORMAT

_PAGES_BEFORE_BLOCKS = 8
"""The first pages show which columns are of which dtype. A short table needs no memory ahead."""
_PAGES_PER_PIECE = 32
"""Texts stay in the frame as Arrow arrays, which are slow to use if there are many of them."""
_GROWTH = 1.5
"""How much longer a block gets if the service does not state the number of rows."""
_INTEGERS, _FLOATS, _DATETIMES = np.dtype(np.int64), np.dtype(np.float64), np.dtype("M8[us]")
_KINDS_OF: Mapping[np.dtype[Any], frozenset[Kind]] = {
    _INTEGERS: frozenset({Kind.INTEGER}),
    _FLOATS: frozenset({Kind.INTEGER, Kind.FLOAT, Kind.NULL}),
    _DATETIMES: frozenset({Kind.TEXT, Kind.NULL}),
}
_DATETIME_PATTERNS: Mapping[str, str] = {ColumnType.DATETIME: infer.ANY_DATETIME, "": DATETIME_FORMAT}
"""The form of datetimes in a column, by its declared type."""


_Values = tuple[Any, Kind, infer.DatetimeForm | None]
"""Values of a block, their kind in JSON, and the form of texts among them."""


@dataclass
class _Block:
    """Memory for all columns of one dtype, which becomes that of the frame; one column in each row of the array."""

    memory: np.ndarray[Any, Any]

    def reserve(self, rows: int) -> None:
        """Make each column long enough."""
        columns, held = self.memory.shape
        if rows > held:
            grown = np.empty((columns, max(rows, int(held * _GROWTH))), self.memory.dtype)
            grown[:, :held] = self.memory
            self.memory = grown


@dataclass(frozen=True, slots=True)
class _Stored:
    """Consecutive values of a column that are in a block, up to the row ``end``.

    Attributes
    ----------
    end : int
        The row after the last one.
    kind : Kind
        What they are in JSON.
    form : DatetimeForm or None
        The form of texts that are stored as datetimes.
    """

    end: int
    kind: Kind
    form: infer.DatetimeForm | None = None


class _Column:
    """The pages of one column: pieces that are in a block, and pieces that are not.

    Parameters
    ----------
    rows : int
        The number of rows before its first page.
    """

    def __init__(self, rows: int) -> None:
        self.pieces: list[DecodedColumn | _Stored] = [row_codec.nulls(rows)] if rows else []
        self.block: _Block | None = None
        self.place = 0

    def add(self, page: DecodedColumn, pattern: str, start: int, number: int) -> None:
        """Add the next page, whose first row is ``start``."""
        if self.block is not None:
            found = _storable(page, self.block.memory.dtype, pattern)
            if found is not None:
                self.store(*found, start, start + len(page.array))
                return
        self.pieces.append(page)
        if number % _PAGES_PER_PIECE == 0 and page.kind is Kind.TEXT:
            self._join()

    def store(self, values: Any, kind: Kind, form: infer.DatetimeForm | None, start: int, end: int) -> None:
        """Store values in the block."""
        assert self.block is not None
        self.block.memory[self.place, start:end] = values
        last = self.pieces[-1] if self.pieces else None
        piece = _Stored(end, kind, form)
        if isinstance(last, _Stored) and (last.kind, last.form) == (kind, form):
            self.pieces[-1] = piece
        else:
            self.pieces.append(piece)

    def _join(self) -> None:
        last = [piece for piece in self.pieces[-_PAGES_PER_PIECE:] if isinstance(piece, DecodedColumn)]
        if len(last) == _PAGES_PER_PIECE:
            self.pieces[-_PAGES_PER_PIECE:] = row_codec.contiguous(last)

    def decoded(self) -> list[DecodedColumn]:
        """Return all pieces as they were received."""
        pieces, start = [], 0
        for piece in self.pieces:
            if isinstance(piece, _Stored):
                assert self.block is not None
                values = self.block.memory[self.place, start : piece.end]
                pieces.append(DecodedColumn(piece.kind, pa.chunked_array([_as_received(values, piece)])))
                start = piece.end
            else:
                pieces.append(piece)
                start += len(piece.array)
        return pieces


class Assembly:
    """The columns of a read, to which its pages are added.

    Parameters
    ----------
    declared : mapping of str to str
        The ClicData types of columns, as far as they are known.
    stays : callable
        Returns whether the frame has a column in the dtype in which it is read, so that it can be stored in a block.
    rows : int or None
        The number of rows of the read; None if it is not known.
    """

    def __init__(self, declared: Mapping[str, str], stays: Callable[[str], bool], rows: int | None) -> None:
        self._declared = declared
        self._stays = stays
        self._expected = rows
        self._columns: dict[str, _Column] = {}
        self._blocks: list[_Block] = []
        self._pages = 0
        self.rows = 0

    def add(self, page: Mapping[str, DecodedColumn], rows: int) -> None:
        """Add a page; a column that it lacks has no rows in it, and must not be in a page before."""
        self._pages += 1
        for block in self._blocks:
            block.reserve(self.rows + rows)
        for name, column in page.items():
            if name not in self._columns:
                self._columns[name] = _Column(self.rows)
            self._columns[name].add(column, self._pattern(name), self.rows, self._pages)
        self.rows += rows
        if self._pages == _PAGES_BEFORE_BLOCKS:
            self._make_blocks()

    def _pattern(self, name: str) -> str:
        return _DATETIME_PATTERNS.get(self._declared.get(name, ""), "")

    def _make_blocks(self) -> None:
        """Move the columns that fit into blocks."""
        found: dict[np.dtype[Any], dict[str, list[_Values]]] = {}
        for name, column in self._columns.items():
            pieces = [piece for piece in column.pieces if isinstance(piece, DecodedColumn)]
            dtype = _dtype_of(pieces) if self._stays(name) else None
            if dtype is not None:
                storable = [_storable(piece, dtype, self._pattern(name)) for piece in pieces]
                values = [each for each in storable if each is not None]
                if len(values) == len(pieces):
                    found.setdefault(dtype, {})[name] = values
        for dtype, columns in found.items():
            block = self._block(len(columns), dtype)
            self._blocks.append(block)
            for place, (name, values) in enumerate(columns.items()):
                column = self._columns[name]
                lengths = [len(piece.array) for piece in column.pieces if isinstance(piece, DecodedColumn)]
                column.pieces, column.block, column.place = [], block, place
                start = 0
                for each, length in zip(values, lengths, strict=True):
                    column.store(*each, start, start + length)
                    start += length

    def _block(self, columns: int, dtype: np.dtype[Any]) -> _Block:
        if self._expected is not None:
            try:
                return _Block(np.empty((columns, max(self._expected, self.rows)), dtype))
            except (MemoryError, ValueError):
                # The service may state a number of rows that it does not have.
                self._expected = None
        return _Block(np.empty((columns, int(self.rows * _GROWTH)), dtype))

    def pop(self, name: str, dtype: Any, *, mixed_as_text: bool) -> infer.InferredColumn:
        """Remove a column, so that it can be freed as soon as it is converted, and return it.

        Parameters
        ----------
        name : str
            The column.
        dtype : dtype or None
            The dtype that the user requests.
        mixed_as_text : bool
            Whether values of several kinds become text.

        Raises
        ------
        UnexpectedReplyError
            The pages have values of several kinds, and ``mixed_as_text`` is False.
        """
        column = self._columns.pop(name, None) or _Column(0)
        declared = self._declared.get(name, "")
        block = column.block
        if block is not None and all(isinstance(piece, _Stored) for piece in column.pieces):
            values = pa.chunked_array([pa.array(block.memory[column.place, : self.rows], from_pandas=True)])
            stored = infer.InferredColumn(values)
            if block.memory.dtype != _DATETIMES:
                kind = Kind.FLOAT if block.memory.dtype == _FLOATS else Kind.INTEGER
                stored = infer.infer_column(DecodedColumn(kind, values), declared, dtype)
            return replace(stored, block=block.memory, place=column.place)
        unified = row_codec.unify(column.decoded(), name, mixed_as_text=mixed_as_text)
        del column
        return infer.infer_column(unified, declared, dtype)


def _dtype_of(pieces: list[DecodedColumn]) -> np.dtype[Any] | None:
    """Return the dtype of a block that may hold a column."""
    kinds = {piece.kind for piece in pieces}
    for kind, dtype in ((Kind.INTEGER, _INTEGERS), (Kind.FLOAT, _FLOATS), (Kind.TEXT, _DATETIMES)):
        if kind in kinds and kinds <= _KINDS_OF[dtype]:
            return dtype
    return None


def _storable(page: DecodedColumn, dtype: np.dtype[Any], pattern: str) -> _Values | None:
    """Return a page as values of a block, from which the page can be restored; None if that is not possible."""
    if page.kind not in _KINDS_OF[dtype]:
        return None
    if page.kind is Kind.NULL:
        return (np.nan if dtype == _FLOATS else np.datetime64("NaT", "us")), page.kind, None
    values = page.array.chunk(0) if page.array.num_chunks == 1 else page.array.combine_chunks()
    form = None
    if page.kind is Kind.TEXT:
        datetimes = infer.datetimes_at_once(values, pattern) if pattern else None
        if datetimes is None:
            return None
        values, form = datetimes
    elif dtype == _INTEGERS:
        if values.null_count or values.type != pa.int64():
            return None
    elif page.kind is Kind.INTEGER:
        try:
            values = values.cast(pa.float64())
        except pa.ArrowInvalid:
            # A float does not hold a whole number exactly.
            return None
    return values.to_numpy(zero_copy_only=False), page.kind, form


def _as_received(values: np.ndarray[Any, Any], piece: _Stored) -> pa.Array:
    """Return values of a block as they were received. JSON has neither NaN nor NaT, so these are nulls."""
    if piece.kind is Kind.NULL:
        return pa.nulls(len(values))
    array = pa.array(values, from_pandas=True)
    if piece.form is not None:
        return piece.form.texts(array)
    return array.cast(pa.int64()) if piece.kind is Kind.INTEGER else array
