"""CSV and Parquet files, read into columns of ClicData's types.

The values are those of parsed JSON, so that the same encoders take them as rows from the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import Column, check_columns
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.sources import unreadable
from pandas_clicdata.sandbox.values import JSON_NUMBER, Number, encode, encode_column

_NANOSECONDS = re.compile(r"\.[0-9]{6}[0-9]*[1-9]")  # digits after the microseconds
_MAX_BYTES = 2**31 - 1  # of a CSV block


@dataclass(frozen=True)
class Field:
    """A column of a file. `written` has the texts of a CSV, so that any column can be read as text."""

    name: str
    data_type: str
    values: Sequence[object] = field(repr=False)
    written: Sequence[str | None] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SourceFile:
    """The columns of a file."""

    file: str
    fields: tuple[Field, ...]

    def _refuse(self, why: str) -> Refusal:
        return Refusal(400, "SourceMismatch", f"The source '{self.file}' does not fit: {why.rstrip('.')}.")

    def columns(self, assume: Assumptions) -> tuple[Column, ...]:
        """Return the columns of a table made from the file; no column may have the name of a row id column."""
        try:
            return check_columns([{"name": field.name, "data_type": field.data_type} for field in self.fields], assume)[
                0
            ]
        except Refusal as exc:
            raise self._refuse(exc.description) from None

    def texts(self, columns: Sequence[Column]) -> list[list[str]]:
        """Return the rows as stored texts, one list for each column; refuse rows that do not fit with 400."""
        found = {field.name: field for field in self.fields}
        if len(found) != len(self.fields):
            raise self._refuse("two columns have the same name")
        for column in columns:
            if column.name not in found:
                raise self._refuse(f"it lacks the column '{column.name}' of the table")
        for name in found.keys() - {column.name for column in columns}:
            raise self._refuse(f"the table has no column '{name}'; recreate the table to add it")
        return [self._encode(found[column.name], column) for column in columns]

    def _encode(self, field: Field, column: Column) -> list[str]:
        values = field.values
        if field.data_type != column.data_type and any(value is not None for value in values):
            if column.data_type != "text" or field.written is None:
                raise self._refuse(
                    f"the column '{field.name}' is {field.data_type} in the source and {column.data_type} in the table"
                )
            values = field.written
        try:
            return encode_column(column.name, column.data_type, values)
        except Refusal as exc:
            raise self._refuse(exc.description) from None


def read_file(file: str, content: bytes) -> SourceFile:
    """Read a file, by the ending of its name; refuse a file that cannot be read with 400."""
    import pyarrow as pa

    try:
        fields = _read_csv(content) if file.lower().endswith(".csv") else _read_parquet(file, content)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
        raise unreadable(file, " ".join(str(exc).split()) or type(exc).__name__) from None
    if not fields:
        raise unreadable(file, "it has no columns")
    return SourceFile(file, tuple(fields))


# csv


def _read_csv(content: bytes) -> list[Field]:
    import pyarrow as pa
    from pyarrow import csv

    if len(content) >= _MAX_BYTES:
        raise OSError("it has 2 GiB or more")

    def read(**options: Any) -> Any:
        return csv.read_csv(
            pa.BufferReader(content),
            # In one block, so that no value crosses the end of a block.
            csv.ReadOptions(use_threads=False, block_size=len(content) + 1),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                null_values=[""],
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                **options,
            ),
        )

    inferred = read()
    written = read(column_types=dict.fromkeys(inferred.column_names, pa.string()))
    return [
        _csv_field(name, inferred.column(place).type, written.column(place).to_pylist())
        for place, name in enumerate(inferred.column_names)
    ]


def _csv_field(name: str, arrow: Any, written: list[str | None]) -> Field:
    """Use the type that pyarrow inferred if every text can be read exactly as this type, else text."""
    data_type = _data_type(arrow) or "text"
    if data_type in _FROM_TEXT:
        one = _FROM_TEXT[data_type]
        try:
            values = [None if text is None else one(text.strip(" \t")) for text in written]
        except (ValueError, OverflowError):
            data_type = "text"
        else:
            return Field(name, data_type, values, written)
    return Field(name, "text", written, written)


def _number(text: str) -> Number:
    # "00123" is a code, not 123; "inf", "0x1F" and "+1" are not JSON numbers.
    if not JSON_NUMBER.fullmatch(text):
        raise ValueError(text)
    encode("number", Number(text))
    return Number(text)


def _datetime(text: str) -> str:
    # Not the timestamp from pyarrow, because old ones with a fraction overflow silently.
    if _NANOSECONDS.search(text):
        raise ValueError(text)
    return _utc(datetime.fromisoformat(text))


def _utc(moment: datetime) -> str:
    return (moment.astimezone(UTC) if moment.tzinfo is not None else moment).replace(tzinfo=None).isoformat(" ")


_FROM_TEXT: dict[str, Callable[[str], object]] = {
    "number": _number,
    "checkbox": lambda text: text.lower() == "true",
    "date": lambda text: date.fromisoformat(text).isoformat(),
    "datetime": _datetime,
}


# parquet


def _read_parquet(file: str, content: bytes) -> list[Field]:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(pa.BufferReader(content), use_threads=False)
    return [_parquet_field(file, name, table.column(place)) for place, name in enumerate(table.column_names)]


def _parquet_field(file: str, name: str, column: Any) -> Field:
    import pyarrow as pa

    def refuse(why: str) -> Refusal:
        return Refusal(400, "SourceMismatch", f"The source '{file}' does not fit: its column '{name}' {why}.")

    arrow = column.type
    if pa.types.is_dictionary(arrow):
        column = column.cast(arrow.value_type)
        arrow = column.type
    data_type = _data_type(arrow)
    if data_type is None:
        raise refuse(f"has the type {arrow}, which no column of ClicData can hold")
    if data_type == "datetime":
        try:
            column = column.cast(pa.timestamp("us", arrow.tz))
        except pa.ArrowInvalid:
            raise refuse("has timestamps with nanoseconds, or out of range") from None
        # Through integers to UTC, which needs no time zone database.
        column = column.cast(pa.int64()).cast(pa.timestamp("us"))
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):
        raise refuse("has dates outside the years 1 to 9999") from None
    if data_type == "number":
        if pa.types.is_floating(arrow) and any(
            value is not None and value - value != 0 for value in values
        ):  # fmt: skip
            raise refuse("has numbers that are not finite")
        return Field(name, data_type, [None if value is None else Number(str(value)) for value in values])
    if data_type == "datetime":
        return Field(name, data_type, [None if value is None else _utc(value) for value in values])
    if data_type == "date":
        return Field(name, data_type, [None if value is None else value.isoformat() for value in values])
    return Field(name, data_type, values)


def _data_type(arrow: Any) -> str | None:
    """Return the ClicData type of an Arrow type, or None."""
    import pyarrow as pa

    is_a = pa.types
    if is_a.is_integer(arrow) or is_a.is_floating(arrow) or is_a.is_decimal(arrow):
        return "number"
    if is_a.is_boolean(arrow):
        return "checkbox"
    if is_a.is_date(arrow):
        return "date"
    if is_a.is_timestamp(arrow):
        return "datetime"
    if is_a.is_string(arrow) or is_a.is_large_string(arrow) or is_a.is_null(arrow):
        return "text"
    return None
