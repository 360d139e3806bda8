"""The type table: the ClicData types that each kind of Arrow column can become.

The type page of the docs, the plan of a write and ``df.clicdata.schema()`` read :data:`RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from pandas_clicdata._models import ColumnType, Encoding, WireFormat
from pandas_clicdata.types import decode, encode
from pandas_clicdata.types.decode import Decode
from pandas_clicdata.types.encode import Prepare

is_ = pa.types

NUMBER, PERCENTAGE = ColumnType.NUMBER, ColumnType.PERCENTAGE
TEXT, DROPDOWN = ColumnType.TEXT, ColumnType.DROPDOWN
DATE, DATETIME, CHECKBOX = ColumnType.DATE, ColumnType.DATETIME, ColumnType.CHECKBOX


@dataclass(frozen=True)
class Encoder:
    """How to convert and write a column for one ClicData type.

    Attributes
    ----------
    wire : WireFormat
        How to write the converted values in JSON.
    prepare : callable
        Function that checks the values and converts them to the Arrow type that ``wire`` needs.
    """

    wire: WireFormat
    prepare: Prepare


@dataclass(frozen=True)
class TypeRule:
    """One row of the type table.

    Attributes
    ----------
    arrow, pandas : str
        Description of the Arrow types, and of the pandas dtypes that become them.
    accepts : callable
        Function that returns whether an Arrow type belongs to this row.
    default : ColumnType
        ClicData type if the user names none.
    written : str
        Description of the JSON values.
    encoders : mapping of ColumnType to Encoder
        ClicData types that the column can become. Each value is sent without loss, or refused.
    decode : callable
        Function that restores the values, in an Arrow type of this row, from their text.
    note : callable
        Function that returns the note of ``schema()`` on a column of an Arrow type.
    """

    arrow: str
    pandas: str
    accepts: Callable[[pa.DataType], bool]
    default: ColumnType
    written: str
    encoders: Mapping[ColumnType, Encoder]
    decode: Decode
    note: Callable[[pa.DataType], str] = field(default=lambda arrow_type: "")


def _number_encoders(encoding: Encoding, prepare: Prepare) -> dict[ColumnType, Encoder]:
    number, text = Encoder(WireFormat(encoding), prepare), Encoder(WireFormat(encoding, quoted=True), prepare)
    return {NUMBER: number, PERCENTAGE: number, TEXT: text, DROPDOWN: text}


def _text_encoders(prepare: Prepare) -> dict[ColumnType, Encoder]:
    return dict.fromkeys((TEXT, DROPDOWN), Encoder(WireFormat(Encoding.TEXT), prepare))


def _zone_note(arrow_type: pa.DataType) -> str:
    return f"the instant in UTC, without the time zone {arrow_type.tz}" if arrow_type.tz is not None else ""


_NUMBER_FROM_TEXT = Encoder(WireFormat(Encoding.LITERAL), encode.numbers_from_text)
_BOOLEAN = Encoder(WireFormat(Encoding.BOOLEAN, quoted=True), encode.unchanged)
_BOOLEAN_FROM_NUMBER = Encoder(WireFormat(Encoding.BOOLEAN), encode.booleans_from_numbers)
_DATETIME = Encoder(WireFormat(Encoding.DATETIME), encode.datetimes)
_DATE = Encoder(WireFormat(Encoding.DATE), encode.dates)

_SHORTEST = "the shortest text that reads back as the same value; whole numbers as float64; NaN as null; ±inf refused"

LITERAL_RULE = TypeRule(
    arrow="numbers as text",
    pandas="object of Decimal, of int beyond 64 bits, of several kinds of number",
    accepts=lambda arrow_type: False,
    default=NUMBER,
    written="every digit, as written",
    decode=decode.number_texts,
    encoders=_number_encoders(Encoding.LITERAL, encode.unchanged),
)
"""The row for numbers that no Arrow type holds as written: they are text in Arrow."""

RULES: tuple[TypeRule, ...] = (
    TypeRule(
        arrow="int8…int64, uint8…uint64",
        pandas="int8…uint64, Int8…UInt64",
        accepts=is_.is_integer,
        default=NUMBER,
        written="JSON integer, every digit",
        decode=decode.integers,
        encoders={**_number_encoders(Encoding.INTEGER, encode.unchanged), CHECKBOX: _BOOLEAN_FROM_NUMBER},
    ),
    TypeRule(
        arrow="float16",
        pandas="float16",
        accepts=lambda arrow_type: bool(is_.is_float16(arrow_type)),
        default=NUMBER,
        written=_SHORTEST,
        decode=decode.floats,
        encoders=_number_encoders(Encoding.LITERAL, encode.finite),
    ),
    TypeRule(
        arrow="float32, float64",
        pandas="float32, float64, Float32, Float64",
        accepts=is_.is_floating,
        default=NUMBER,
        written=_SHORTEST,
        decode=decode.floats,
        encoders={**_number_encoders(Encoding.FLOAT, encode.finite), CHECKBOX: _BOOLEAN_FROM_NUMBER},
    ),
    TypeRule(
        arrow="decimal128, decimal256",
        pandas="Arrow decimals",
        accepts=is_.is_decimal,
        default=NUMBER,
        written="every digit, as written",
        decode=decode.decimals,
        encoders=_number_encoders(Encoding.DECIMAL, encode.unchanged),
    ),
    TypeRule(
        arrow="bool",
        pandas="bool, boolean",
        accepts=is_.is_boolean,
        default=CHECKBOX,
        written="true or false",
        decode=decode.booleans,
        encoders={
            CHECKBOX: Encoder(WireFormat(Encoding.BOOLEAN), encode.unchanged),
            NUMBER: Encoder(WireFormat(Encoding.INTEGER), encode.numbers_from_booleans),
            TEXT: _BOOLEAN,
            DROPDOWN: _BOOLEAN,
        },
    ),
    TypeRule(
        arrow="string, large_string, string_view",
        pandas="str, string, object of str, category of text",
        accepts=lambda t: bool(is_.is_string(t) or is_.is_large_string(t) or is_.is_string_view(t)),
        default=TEXT,
        written="unchanged, any Unicode",
        decode=decode.text,
        encoders={
            **_text_encoders(encode.text),
            NUMBER: _NUMBER_FROM_TEXT,
            PERCENTAGE: _NUMBER_FROM_TEXT,
            CHECKBOX: Encoder(WireFormat(Encoding.BOOLEAN), encode.booleans_from_text),
            DATE: Encoder(WireFormat(Encoding.DATE), encode.dates_from_text),
            DATETIME: Encoder(WireFormat(Encoding.DATETIME), encode.datetimes_from_text),
        },
    ),
    TypeRule(
        arrow="timestamp, with or without a time zone",
        pandas="datetime64 of any unit and time zone, object of datetime",
        accepts=is_.is_timestamp,
        default=DATETIME,
        written="YYYY-MM-DD HH:MM:SS[.ffffff], with a time zone the instant in UTC; nonzero nanoseconds refused",
        decode=decode.datetimes,
        encoders={
            DATETIME: _DATETIME,
            TEXT: _DATETIME,
            DROPDOWN: _DATETIME,
            DATE: Encoder(WireFormat(Encoding.DATE), encode.dates_from_datetimes),
        },
        note=_zone_note,
    ),
    TypeRule(
        arrow="date32, date64",
        pandas="object of date",
        accepts=is_.is_date,
        default=DATE,
        written="YYYY-MM-DD",
        decode=decode.dates,
        encoders={
            DATE: _DATE,
            TEXT: _DATE,
            DROPDOWN: _DATE,
            DATETIME: Encoder(WireFormat(Encoding.DATETIME), encode.datetimes_from_dates),
        },
    ),
    TypeRule(
        arrow="time32, time64",
        pandas="object of time",
        accepts=is_.is_time,
        default=TEXT,
        written="ISO 8601, HH:MM:SS[.ffffff]",
        decode=decode.times,
        encoders=_text_encoders(encode.times),
        note=lambda arrow_type: encode.TIME_NOTE,
    ),
    TypeRule(
        arrow="duration",
        pandas="timedelta64 of any unit, object of timedelta",
        accepts=is_.is_duration,
        default=TEXT,
        written="ISO 8601, P1DT2H3M4.5S, which pandas.Timedelta reads",
        decode=decode.durations,
        encoders=_text_encoders(encode.durations),
        note=lambda arrow_type: encode.DURATION_NOTE,
    ),
    TypeRule(
        arrow="null",
        pandas="object with only missing values",
        accepts=is_.is_null,
        default=TEXT,
        written="null",
        decode=decode.nulls,
        encoders=dict.fromkeys(ColumnType, Encoder(WireFormat(Encoding.TEXT), encode.text)),
        note=lambda arrow_type: "text, because the column has no values; name another type with column_types={…}",
    ),
)

COMPATIBLE_TYPES: Mapping[ColumnType, frozenset[ColumnType]] = {
    NUMBER: frozenset({PERCENTAGE}),
    PERCENTAGE: frozenset({NUMBER}),
    TEXT: frozenset({DROPDOWN}),
    DROPDOWN: frozenset({TEXT}),
    DATE: frozenset({DATETIME}),
    DATETIME: frozenset(),
    CHECKBOX: frozenset(),
}
"""Other types of an existing table's column that accept a column of the type, without ``column_types=``."""


def rule_for(arrow_type: pa.DataType) -> TypeRule | None:
    """Return the row of the type table for an Arrow type, or None.

    Examples
    --------
    >>> rule_for(pa.int8()).default
    <ColumnType.NUMBER: 'number'>
    >>> rule_for(pa.binary()) is None
    True
    """
    return next((rule for rule in RULES if rule.accepts(arrow_type)), None)
