"""Compare rows of the frame with rows of the table, by hashes and checksums over one canonical text per value.

The canonical text of a frame's value is made from the JSON that is sent, as that of a table's value is made from the
JSON that is received.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata._models import ColumnType, Framing, PlannedColumn
from pandas_clicdata.types import row_codec

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_BLOCK_ROWS = 10_000
_LONGEST_PLAIN = 5_000
_HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_NUMBERS = (ColumnType.NUMBER, ColumnType.PERCENTAGE)
_MIDNIGHT = re.compile(r"([T ]00:00(:00(\.0+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?")
_FINER = re.compile(r"\.[0-9]{6}0*[1-9]")


def canonical(values: Sequence[Any], data_type: ColumnType) -> list[str | None]:
    """Return one text per value, which is equal for values that are equal in ClicData; None for null.

    Examples
    --------
    >>> canonical([1, 1.0, Decimal("1.50"), 1e-7, None], ColumnType.NUMBER)
    ['1', '1', '1.5', '0.0000001', None]
    >>> canonical(["2013-01-01 05:00:00", "2013-01-01T06:00:00+01:00"], ColumnType.DATETIME)
    ['2013-01-01 05:00:00', '2013-01-01 05:00:00']
    """
    if data_type in _NUMBERS:
        return [None if value is None else _number(value) for value in values]
    if data_type is ColumnType.DATE:
        return [None if value is None else _day(value) for value in values]
    if data_type is ColumnType.DATETIME:
        return [None if value is None else _moment(value) for value in values]
    return [value if value is None or isinstance(value, str) else _json(value) for value in values]


def _number(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if type(value) is float:
        text = repr(value)
        if "e" not in text:
            plain = text.removesuffix(".0")
            return "0" if plain == "-0" else plain
        value = Decimal(text)
    if not isinstance(value, Decimal):
        return _json(value)
    if abs(value.adjusted()) > _LONGEST_PLAIN:
        sign, digits, exponent = value.as_tuple()
        text = "".join(map(str, digits))
        short = text.rstrip("0")
        return "0" if not short else f"{'-' * sign}{short}e{int(exponent) + len(text) - len(short)}"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _day(value: Any) -> str:
    """Return a day without the midnight that may follow it."""
    if not isinstance(value, str):
        return _json(value)
    return value[:10] if _MIDNIGHT.fullmatch(value[10:]) else value


def _moment(value: Any) -> str:
    if not isinstance(value, str):
        return _json(value)
    if len(value) == 19 and value[10] == " ":
        return value
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError):
        return value
    # Python reads only six digits of a fraction.
    return value if _FINER.search(value) else moment.replace(tzinfo=None).isoformat(sep=" ")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def row_hashes(columns: Sequence[Sequence[str | None]]) -> Hashes:
    """Return one hash per row: equal for equal rows, and for different rows with a probability of 1 in 2^64.

    Parameters
    ----------
    columns : sequence of sequence of str or None
        The canonical texts of each column.
    """
    return _combined([_cell_hashes(texts) for texts in columns])


def _combined(columns: Sequence[Hashes]) -> Hashes:
    combined = np.zeros(len(columns[0]) if columns else 0, dtype=np.uint64)
    for cells in columns:
        combined = (combined ^ cells) * _HASH_MULTIPLIER
        combined ^= combined >> np.uint64(29)
    return combined


def _cell_hashes(texts: Sequence[str | None]) -> Hashes:
    cells = np.empty(len(texts), dtype=object)
    # A null has no "=", so it differs from every text.
    cells[:] = ["" if text is None else f"={text}" for text in texts]
    try:
        return pd.util.hash_array(cells, categorize=False)
    except UnicodeEncodeError:
        # A service may send half of a surrogate pair. The frame has none, so a backslash in its text does not matter.
        cells[:] = [text.encode(errors="backslashreplace").decode() for text in cells]
        return pd.util.hash_array(cells, categorize=False)


@dataclass(frozen=True)
class Checksums:
    """The number of rows, and checksums that do not depend on the order of the rows.

    Attributes
    ----------
    rows : int
        The number of rows.
    columns : dict of str to (int, int)
        The number of nulls and the checksum of each column.
    whole : int
        The checksum over whole rows, which changes if a value moves to another row.
    """

    rows: int = 0
    columns: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    whole: int = 0

    def plus(self, other: Checksums) -> Checksums:
        """Return the checksums of both sets of rows together."""
        names = dict.fromkeys([*self.columns, *other.columns])
        zero = (0, 0)
        summed = {}
        for name in names:
            (nulls, checksum), (more, added) = self.columns.get(name, zero), other.columns.get(name, zero)
            summed[name] = (nulls + more, (checksum + added) % 2**64)
        return Checksums(self.rows + other.rows, summed, (self.whole + other.whole) % 2**64)

    def differences(self, found: Checksums) -> list[str]:
        """Return how ``found`` differs from these checksums, as phrases for an error."""
        phrases = []
        if self.rows != found.rows:
            phrases.append(f"{found.rows:,} rows instead of {self.rows:,}")
        for name, (nulls, checksum) in self.columns.items():
            found_nulls, found_checksum = found.columns.get(name, (0, 0))
            if nulls != found_nulls:
                phrases.append(f"column {name!r} has {found_nulls:,} nulls instead of {nulls:,}")
            elif checksum != found_checksum:
                phrases.append(f"column {name!r} has other values")
        if not phrases and self.whole != found.whole:
            phrases.append("each column has the right values, but some are in other rows")
        return phrases


def checksums_of(names: Sequence[str], columns: Sequence[Sequence[str | None]]) -> Checksums:
    """Return the checksums of rows given as canonical texts."""
    hashes = [_cell_hashes(texts) for texts in columns]
    by_column = {
        name: (sum(text is None for text in texts), int(cells.sum(dtype=np.uint64)))
        for name, texts, cells in zip(names, columns, hashes, strict=True)
    }
    whole = _combined(hashes)
    return Checksums(len(whole), by_column, int(whole.sum(dtype=np.uint64)))


def texts_of_page(page: Sequence[Mapping[str, Any]], planned: Sequence[PlannedColumn]) -> list[list[str | None]]:
    """Return the canonical texts of rows from the service, by column."""
    cells = row_codec.cells_of(page, [column.name for column in planned])
    return [canonical(values, column.data_type) for values, column in zip(cells, planned, strict=True)]


def texts_of_batch(part: pa.RecordBatch, planned: Sequence[PlannedColumn]) -> list[list[str | None]]:
    """Return the canonical texts of rows to send, by column."""
    if not part.num_rows:
        return [[] for _ in planned]
    body = row_codec.encode(part, [column.wire for column in planned], _lists(len(planned)))
    columns = list(zip(*json.loads(b"[" + body + b"]", parse_float=Decimal), strict=True))
    return [canonical(values, column.data_type) for values, column in zip(columns, planned, strict=True)]


def blocks(ready: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield a table in pieces that are small enough to be handled as Python objects."""
    for start in range(0, ready.num_rows, _BLOCK_ROWS):
        yield from ready.slice(start, _BLOCK_ROWS).combine_chunks().to_batches()


def content_hash(rows: Iterable[pa.RecordBatch], planned: Sequence[PlannedColumn]) -> str:
    """Return a hash of rows, in their order, and of the names and types of their columns.

    Examples
    --------
    >>> from pandas_clicdata._models import Encoding, WireFormat
    >>> planned = [PlannedColumn("n", "int64", ColumnType.NUMBER, WireFormat(Encoding.INTEGER))]
    >>> one, other = (content_hash([pa.record_batch({"n": values})], planned) for values in ([1, 2], [2, 1]))
    >>> one == other
    False
    """
    digest = hashlib.sha256(json.dumps([[column.name, str(column.data_type)] for column in planned]).encode())
    wires, framing = [column.wire for column in planned], _lists(len(planned))
    for block in rows:
        digest.update(row_codec.encode(block, wires, framing) + b",")
    return digest.hexdigest()


def digest_of(body: bytes) -> str:
    """Return the digest of the body of a batch, by which its rows are recognized.

    Examples
    --------
    >>> digest_of(b"[]")
    '7ebb3c7c2a87b1a2f8a7ed729ecb040d'
    """
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _lists(columns: int) -> Framing:
    return Framing("[", tuple("" if at == 0 else "," for at in range(columns)), "]")


def concatenated(hashes: Sequence[Hashes]) -> Hashes:
    """Concatenate hashes; an empty list gives an empty array."""
    return np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
