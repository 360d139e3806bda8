"""Encode Arrow batches as JSON rows, and decode JSON rows into Arrow columns: the hot path, by whole columns."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import DecodedColumn, Encoding, Framing, Kind, PageRows, WireFormat
from pandas_clicdata.errors import UnexpectedReplyError
from pandas_clicdata.types.encode import TEXT, chunked

_EMPTY = pa.scalar("", TEXT)
_QUOTE = pa.scalar('"', TEXT)
_POINT = pa.scalar(".0", TEXT)
_SECONDS = pa.timestamp("s")
_SAMPLE_ROWS = 500
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'
_KINDS: Mapping[pa.DataType, Kind] = {
    pa.null(): Kind.NULL,
    pa.int64(): Kind.INTEGER,
    pa.float64(): Kind.FLOAT,
    pa.bool_(): Kind.BOOLEAN,
    TEXT: Kind.TEXT,
}
"""The kinds of values whose type Arrow infers alike. It refuses values of several kinds, except numbers."""
_ARROW_TYPES: Mapping[type, pa.DataType] = {int: pa.int64(), str: TEXT}
"""The types of columns whose cells are all of a kind. Arrow infers the others as fast."""
_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1


def encode(batch: pa.RecordBatch, wires: Sequence[WireFormat], framing: Framing) -> bytes:
    r"""Write the rows of a batch as JSON, separated by commas.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        The rows, each column in the Arrow type that its encoding needs.
    wires : sequence of WireFormat
        How to write each column.
    framing : Framing
        The JSON around the cells of a row.

    Returns
    -------
    bytes
        The rows, without brackets around them.

    Examples
    --------
    >>> batch = pa.record_batch({"a": [1, None], "b": pa.array(["x", 'say "y"'], TEXT)})
    >>> wires = [WireFormat(Encoding.INTEGER), WireFormat(Encoding.TEXT)]
    >>> print(encode(batch, wires, Framing("{", ('"a":', ',"b":'), "}")).decode())
    {"a":1,"b":"x"},{"a":null,"b":"say \"y\""}
    """
    return joined(row_texts(batch, wires, framing, framing.closing + ","))


def encode_each(batch: pa.RecordBatch, wires: Sequence[WireFormat], framing: Framing) -> list[bytes]:
    """Write each row of a batch as JSON of its own."""
    return [row.encode() for row in row_texts(batch, wires, framing, framing.closing).to_pylist()]


def row_texts(batch: pa.RecordBatch, wires: Sequence[WireFormat], framing: Framing, end: str) -> pa.LargeStringArray:
    """Write each row of a batch as JSON, with ``end`` in place of the closing of the framing.

    Per row, many rows take less time than few.
    """
    parts: list[Any] = []
    opening = framing.opening
    for array, wire, prefix in zip(batch.columns, wires, framing.prefixes, strict=True):
        parts += _prefixed(opening + prefix, array, wire)
        opening = ""
    return pc.binary_join_element_wise(*parts, pa.scalar(end, TEXT), _EMPTY)


def with_end(rows: pa.LargeStringArray, end: str) -> pa.LargeStringArray:
    """Add a text at the end of each row."""
    return pc.binary_join_element_wise(rows, pa.scalar(end, TEXT), _EMPTY)


def joined(rows: pa.LargeStringArray) -> bytes:
    """Return rows that end with a comma as one text, without the last comma."""
    if not len(rows):
        return b""
    # Arrow stores the texts one after the other in one buffer.
    _, offsets, data = rows.buffers()
    places = np.frombuffer(offsets, np.int64)
    return bytes(data[places[rows.offset] : places[rows.offset + len(rows)] - 1])


def _prefixed(prefix: str, array: pa.Array, wire: WireFormat) -> list[Any]:
    """Return what to join for a column: its cells with a prefix, or the prefix and the cells."""
    start = pa.scalar(prefix, TEXT)
    if not _repeats(array):
        return [start, cells(array, wire)]
    # Each value is written once.
    encoded = _bits(array).dictionary_encode()
    texts = pc.binary_join_element_wise(start, cells(encoded.dictionary.view(array.type), wire), _EMPTY)
    return [pc.fill_null(texts.take(encoded.indices), f"{prefix}null")]


def _repeats(array: pa.Array) -> bool:
    """Return whether a long array repeats values, as its first ones suggest."""
    sample = array.slice(0, _SAMPLE_ROWS)
    return len(array) > 2 * _SAMPLE_ROWS and len(sample.unique()) < 0.75 * _SAMPLE_ROWS


def cells(array: pa.Array, wire: WireFormat) -> pa.Array:
    """Write each value of a column as JSON."""
    text = _quoted(_unquoted(array, wire.encoding)) if wire.quoted else _unquoted(array, wire.encoding)
    return pc.fill_null(text, "null") if text.null_count else text


def _bits(array: pa.Array) -> pa.Array:
    """Return floats as integers of the same bits, which tell 0.0 and -0.0 apart."""
    if pa.types.is_floating(array.type):
        return array.view(pa.int64() if array.type.bit_width == 64 else pa.int32())
    return array


def _unquoted(array: pa.Array, encoding: Encoding) -> pa.Array:
    match encoding:
        case Encoding.TEXT:
            return _quoted_text(array)
        case Encoding.DATE | Encoding.DATETIME:
            return _quoted(plain_text(array, encoding))
        case _:
            return plain_text(array, encoding)


def plain_text(array: pa.Array, encoding: Encoding) -> pa.Array:
    """Return values as text, without the quotes that JSON needs around some of them; a null stays null."""
    match encoding:
        case Encoding.INTEGER | Encoding.BOOLEAN | Encoding.DATE:
            return pc.cast(array, TEXT)
        case Encoding.FLOAT:
            return _float_text(array)
        case Encoding.DECIMAL:
            # Some versions of Arrow write decimals that are not JSON, such as "1.E-10".
            return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], TEXT)
        case Encoding.DATETIME:
            return _datetime_text(array)
        case Encoding.LITERAL | Encoding.TEXT:
            return array


def _float_text(array: pa.Array) -> pa.Array:
    text = _shortest(array)
    # With a point, a reader parses 1.0 as a float and keeps the sign of -0.0.
    whole = pc.invert(pc.or_(pc.match_substring(text, "."), pc.match_substring(text, "e")))
    return pc.binary_join_element_wise(text, pc.if_else(whole, _POINT, _EMPTY), _EMPTY)


def _shortest(array: pa.Array) -> pa.Array:
    text = pc.cast(array, TEXT)
    if not pa.types.is_float32(array.type):
        return text
    # The shortest text of a large float32 can denote a different integer: 65216090 for 65216088.
    as_double = pc.cast(pc.cast(array, pa.float64()), TEXT)
    return pc.if_else(pc.equal(pc.floor(array), array), as_double, text)


def _datetime_text(array: pa.Array) -> pa.Array:
    """Write datetimes with a fraction only where it is not zero."""
    seconds = array.cast(_SECONDS, safe=False)
    exact = pc.equal(seconds.cast(array.type), array)
    if pc.all(exact).as_py() is not False:
        return pc.cast(seconds, TEXT)
    return pc.if_else(exact, pc.cast(seconds, TEXT), pc.cast(array, TEXT))


def _quoted_text(array: pa.Array) -> pa.Array:
    quoted = _quoted(array)
    if _is_plain(array):
        return quoted
    escaped = pc.fill_null(pc.match_substring_regex(array, _NEEDS_ESCAPE), False)
    texts = [json.dumps(value, ensure_ascii=False) for value in array.filter(escaped).to_pylist()]
    return pc.replace_with_mask(quoted, escaped, pa.array(texts, TEXT))


def _is_plain(array: pa.Array) -> bool:
    """Return whether no byte of the texts has to be escaped."""
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return True
    places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    used = np.frombuffer(data, np.uint8)[places[0] : places[-1]]
    return not ((used < ord(" ")) | (used == ord('"')) | (used == ord("\\"))).any()


def _quoted(array: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(_QUOTE, array, _QUOTE, _EMPTY)


def decode(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    *,
    as_text: Collection[str] = (),
    mixed_as_text: Collection[str] = (),
) -> list[DecodedColumn]:
    """Convert the rows of a page to columns; a column that a row lacks is null there.

    Parameters
    ----------
    rows : sequence of mapping
        The rows.
    names : sequence of str
        The columns to return.
    as_text : collection of str, optional
        Columns whose values become text: text unchanged, other values as JSON text.
    mixed_as_text : collection of str, optional
        Columns whose values become text if they are of several kinds.

    Returns
    -------
    list of DecodedColumn
        The columns in the order of ``names``.

    Raises
    ------
    UnexpectedReplyError
        Another column has values of several kinds, such as text and numbers; or text is not valid Unicode.

    Examples
    --------
    >>> decode([{"m": "a"}, {"m": 1.5}, {"m": [True]}], ["m"], as_text={"m"})[0].array.to_pylist()
    ['a', '1.5', '[true]']
    """
    columns = []
    for name, values in zip(names, cells_of(rows, names), strict=True):
        column = None if name in as_text else inferred(rows, name, values)
        if column is None:
            column = _column(name, values, as_text=name in as_text, mixed_as_text=name in mixed_as_text)
        columns.append(column)
    return columns


def cells_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Sequence[Sequence[Any]]:
    """Return the cells of rows by column; a cell that a row lacks is None."""
    if isinstance(rows, PageRows):
        by_name = dict(zip(rows.names, rows.cells, strict=True))
        return [by_name[name] if name in by_name else (None,) * len(rows) for name in names]
    if not names or not rows:
        return [()] * len(names)
    try:
        picked = map(itemgetter(*names), rows)
        return [list(picked)] if len(names) == 1 else list(zip(*picked, strict=True))
    except KeyError:
        return [[row.get(name) for row in rows] for name in names]


def names_in(rows: Sequence[Mapping[str, Any]], known: Sequence[str] = ()) -> list[str]:
    """Return the column names of rows: those in ``known``, then others in their order of appearance.

    Raises
    ------
    UnexpectedReplyError
        A name is not valid Unicode text.
    """
    names = dict.fromkeys(known)
    for row in (dict.fromkeys(rows.names),) if isinstance(rows, PageRows) else rows:
        # Nearly every row has the same columns as the row before.
        if row.keys() != names.keys():
            names |= dict.fromkeys(row)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UnexpectedReplyError(
                f"The name of column {name!r} is not valid Unicode text: it contains half of a surrogate pair. Rename"
                " the column in ClicData.",
                operation="read",
            ) from None
    return list(names)


def unify(pieces: Sequence[DecodedColumn], name: str, *, mixed_as_text: bool = False) -> DecodedColumn:
    """Combine the pages of a column.

    Parameters
    ----------
    pieces : sequence of DecodedColumn
        The column in each page.
    name : str
        Name of the column, for errors.
    mixed_as_text : bool, default False
        Whether values of several kinds become text.

    Returns
    -------
    DecodedColumn
        The whole column.

    Raises
    ------
    UnexpectedReplyError
        The pages have values of several kinds, and ``mixed_as_text`` is False.
    """
    kinds = {piece.kind for piece in pieces} - {Kind.NULL}
    if not kinds:
        return nulls(sum(len(piece.array) for piece in pieces))
    if kinds <= {Kind.INTEGER, Kind.FLOAT, Kind.LITERAL}:
        return _unified_numbers(pieces, kinds)
    if len(kinds) > 1 and mixed_as_text:
        pieces = [piece if piece.kind is Kind.LITERAL else _text(piece.array.to_pylist()) for piece in pieces]
        return DecodedColumn(Kind.TEXT, _concatenated(pieces, TEXT))
    if len(kinds) > 1:
        raise _mixed_kinds(name, " and ".join(sorted(kind.value for kind in kinds)))
    kind = kinds.pop()
    return DecodedColumn(kind, _concatenated(pieces, TEXT if kind is Kind.TEXT else pa.bool_()))


def nulls(count: int) -> DecodedColumn:
    """Return a decoded column of nulls."""
    return DecodedColumn(Kind.NULL, pa.chunked_array([pa.nulls(count)]))


def contiguous(pieces: Sequence[DecodedColumn]) -> Sequence[DecodedColumn]:
    """Return pieces of a column as one piece with contiguous memory, or as they are if they are of several kinds."""
    first = pieces[0]
    if any(
        (piece.kind, piece.whole, piece.array.type) != (first.kind, first.whole, first.array.type) for piece in pieces
    ):
        return pieces
    array = pa.concat_arrays([chunk for piece in pieces for chunk in piece.array.chunks])
    return [DecodedColumn(first.kind, pa.chunked_array([array]), first.whole)]


def _unified_numbers(pieces: Sequence[DecodedColumn], kinds: set[Kind]) -> DecodedColumn:
    candidates: list[tuple[Kind, pa.DataType]] = []
    if kinds == {Kind.INTEGER}:
        candidates = [(Kind.INTEGER, pa.int64()), (Kind.INTEGER, pa.uint64())]
    elif Kind.LITERAL not in kinds:
        candidates = [(Kind.FLOAT, pa.float64())]
    for kind, target in candidates:
        try:
            return DecodedColumn(kind, _concatenated(pieces, target))
        except pa.ArrowInvalid:
            # The type does not hold a whole number exactly.
            continue
    whole = all(piece.kind in {Kind.INTEGER, Kind.NULL} or piece.whole for piece in pieces)
    texts = [
        DecodedColumn(
            Kind.LITERAL,
            pa.chunked_array([cells(chunk, WireFormat(Encoding.FLOAT)) for chunk in piece.array.chunks], TEXT),
        )
        if piece.kind is Kind.FLOAT
        else piece
        for piece in pieces
    ]
    arrays = [_null_where(text.array, piece.array) for text, piece in zip(texts, pieces, strict=True)]
    return DecodedColumn(
        Kind.LITERAL, _concatenated([DecodedColumn(Kind.LITERAL, array) for array in arrays], TEXT), whole
    )


def _null_where(texts: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    return texts if texts is values else pc.if_else(pc.is_valid(values), texts, pa.scalar(None, TEXT))


def _concatenated(pieces: Sequence[DecodedColumn], target: pa.DataType) -> pa.ChunkedArray:
    arrays = [piece.array if piece.array.type == target else piece.array.cast(target) for piece in pieces]
    chunks = [chunk for array in arrays for chunk in array.chunks]
    return pa.chunked_array(chunks, target)


def _column(name: str, values: Sequence[Any], *, as_text: bool, mixed_as_text: bool) -> DecodedColumn:
    try:
        return _text(values) if as_text else _decoded(name, values, mixed_as_text=mixed_as_text)
    except UnicodeEncodeError:
        # JSON can escape such text, but Arrow cannot hold it.
        raise UnexpectedReplyError(
            f"Column {name!r} has text that is not valid Unicode: it contains half of a surrogate pair. Read only other"
            " columns: columns=[…].",
            operation="read",
        ) from None


def _decoded(name: str, values: Sequence[Any], *, mixed_as_text: bool) -> DecodedColumn:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return _of_kind(Kind.NULL, values, pa.null())
    if kinds == {int}:
        return _integers(values)
    if kinds == {str}:
        return _of_kind(Kind.TEXT, values, TEXT)
    if kinds == {bool}:
        return _of_kind(Kind.BOOLEAN, values, pa.bool_())
    if kinds == {float} or (kinds == {int, float} and _floats_hold(values)):
        return _of_kind(Kind.FLOAT, values, pa.float64())
    if kinds <= {int, float, Decimal}:
        return _of_kind(Kind.LITERAL, [value if value is None else str(value) for value in values], TEXT)
    if mixed_as_text:
        return _text(values)
    raise _mixed_kinds(name, " and ".join(sorted(kind.__name__ for kind in kinds)))


def inferred(rows: Sequence[Mapping[str, Any]], name: str, values: Sequence[Any]) -> DecodedColumn | None:
    """Return a column of rows if Arrow infers its type as :func:`decode` does; None if that is not certain."""
    if not isinstance(rows, PageRows):
        return _inferred(values, object)
    if name not in rows.inferred:
        rows.inferred[name] = _inferred(values, rows.kinds.get(name, object))
    return rows.inferred[name]


def _inferred(values: Sequence[Any], kind: type) -> DecodedColumn | None:
    if kind is object:
        first = values[0] if values else None
        if first is None:
            first = next((value for value in values if value is not None), None)
        expected = TEXT if isinstance(first, str) else None
    else:
        expected = _ARROW_TYPES.get(kind)
    try:
        array = pa.array(values, expected)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return None
    if expected is not None and array.null_count == len(array):
        array = pa.nulls(len(array))
    found = _KINDS.get(array.type)
    # Arrow takes true for 1.0 beside floats.
    if found is None or (found is Kind.FLOAT and kind is object and bool in set(map(type, values))):
        return None
    return DecodedColumn(found, pa.chunked_array([array]))


def _text(values: Sequence[Any]) -> DecodedColumn:
    if all(value is None for value in values):
        return _of_kind(Kind.NULL, values, pa.null())
    texts = [value if value is None or isinstance(value, str) else _json_text(value) for value in values]
    return _of_kind(Kind.TEXT, texts, TEXT)


def _json_text(value: Any) -> str:
    """Write a parsed value as JSON with all digits of its numbers; ``json.dumps`` does not accept a Decimal.

    A loop, because the parser accepts values that are nested more deeply than Python functions can call themselves.
    """
    written: list[str] = []
    # A tuple is text that is already JSON, and anything else a value to write.
    pending: list[Any] = [value]
    while pending:
        match pending.pop():
            case tuple() as texts:
                written += texts
            case dict() as fields:
                written.append("{")
                pending.append(("}",))
                for position, (key, item) in reversed([*enumerate(fields.items())]):
                    pending += item, (", " * bool(position), json.dumps(key, ensure_ascii=False), ": ")
            case list() as items:
                written.append("[")
                pending.append(("]",))
                for position, item in reversed([*enumerate(items)]):
                    pending += item, (", " * bool(position),)
            case Decimal() as number:
                written.append(str(number))
            case scalar:
                written.append(json.dumps(scalar, ensure_ascii=False))
    return "".join(written)


def _integers(values: Sequence[int | None]) -> DecodedColumn:
    present = [value for value in values if value is not None]
    low, high = min(present), max(present)
    if low >= _INT64_MIN and high <= _INT64_MAX:
        return _of_kind(Kind.INTEGER, values, pa.int64())
    if low >= 0 and high <= _UINT64_MAX:
        return _of_kind(Kind.INTEGER, values, pa.uint64())
    return _of_kind(Kind.LITERAL, [None if value is None else str(value) for value in values], TEXT, whole=True)


def _floats_hold(values: Sequence[Any]) -> bool:
    return all(abs(value) <= 2**53 for value in values if type(value) is int)


def _of_kind(kind: Kind, values: Sequence[Any], arrow_type: pa.DataType, whole: bool = False) -> DecodedColumn:
    return DecodedColumn(kind, chunked(values, arrow_type), whole)


def _mixed_kinds(name: str, kinds: str) -> UnexpectedReplyError:
    return UnexpectedReplyError(
        f"Column {name!r} has values of several kinds, which no column type holds ({kinds}). Read it as text:"
        f" dtype={{{name!r}: 'str'}}; or read only other columns: columns=[…].",
        operation="read",
    )
