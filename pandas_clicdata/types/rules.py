"""The one type table: what each kind of Arrow column becomes in ClicData, by default and on request.

The docs' type page, the plan of a write and ``df.clicdata.schema()`` are all read from :data:`RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from pandas_clicdata._models import ColumnType, Encoding, Wire
from pandas_clicdata.types import decode, encode
from pandas_clicdata.types.decode import Back
from pandas_clicdata.types.encode import Prepare

is_ = pa.types

NUMBER, PERCENTAGE = ColumnType.NUMBER, ColumnType.PERCENTAGE
TEXT, DROPDOWN = ColumnType.TEXT, ColumnType.DROPDOWN
DATE, DATETIME, CHECKBOX = ColumnType.DATE, ColumnType.DATETIME, ColumnType.CHECKBOX


@dataclass(frozen=True)
class Way:
    """How a column is converted and written for one ClicData type."""

    wire: Wire
    prepare: Prepare


@dataclass(frozen=True)
class TypeRule:
    """One row of the type table.

    Attributes
    ----------
    arrow, pandas : str
        The Arrow types, and the pandas dtypes that become them, in words.
    accepts : callable
        Whether an Arrow type falls under this row.
    default : ColumnType
        The ClicData type if no other is asked for.
    written : str
        What goes on the wire, in words.
    ways : mapping of ColumnType to Way
        The ClicData types that a column can become, each without loss of a value or refused.
    back : callable
        From the text of its values, as any of these types brings it, to an Arrow type of this row.
    note : callable
        What ``schema()`` says of such a column.
    """

    arrow: str
    pandas: str
    accepts: Callable[[pa.DataType], bool]
    default: ColumnType
    written: str
    ways: Mapping[ColumnType, Way]
    back: Back
    note: Callable[[pa.DataType], str] = field(default=lambda arrow_type: "")


def _numbers(encoding: Encoding, prepare: Prepare) -> dict[ColumnType, Way]:
    plain, as_text = Way(Wire(encoding), prepare), Way(Wire(encoding, quoted=True), prepare)
    return {NUMBER: plain, PERCENTAGE: plain, TEXT: as_text, DROPDOWN: as_text}


def _texts(prepare: Prepare) -> dict[ColumnType, Way]:
    way = Way(Wire(Encoding.TEXT), prepare)
    return {TEXT: way, DROPDOWN: way}


def _is_halffloat(arrow_type: pa.DataType) -> bool:
    return bool(is_.is_float16(arrow_type))


def _zone_note(arrow_type: pa.DataType) -> str:
    return f"the instant in UTC; the zone {arrow_type.tz} goes" if arrow_type.tz is not None else ""


_NUMERAL = Way(Wire(Encoding.LITERAL), encode.numerals)
_TO_CHECKBOX = Way(Wire(Encoding.BOOLEAN), encode.zero_or_one)
_INSTANT = Way(Wire(Encoding.DATETIME), encode.moments)
_DAY = Way(Wire(Encoding.DATE), encode.days)

SHORTEST = "the shortest text that reads back the same, a whole number also as float64; NaN is null, ±inf refused"

NUMBERS_AS_TEXT = "numbers as written"
"""Columns whose numbers no Arrow type holds as written come as text under this name."""

LITERAL_RULE = TypeRule(
    arrow=NUMBERS_AS_TEXT,
    pandas="object of Decimal, of int beyond 64 bits, of several kinds of number",
    accepts=lambda arrow_type: False,
    default=NUMBER,
    written="every digit, as written",
    back=decode.numerals,
    ways=_numbers(Encoding.LITERAL, encode.as_is),
)

RULES: tuple[TypeRule, ...] = (
    TypeRule(
        arrow="int8…int64, uint8…uint64",
        pandas="int8…uint64, Int8…UInt64",
        accepts=is_.is_integer,
        default=NUMBER,
        written="JSON integer, every digit",
        back=decode.whole_numbers,
        ways={**_numbers(Encoding.INTEGER, encode.as_is), CHECKBOX: _TO_CHECKBOX},
    ),
    TypeRule(
        arrow="float16",
        pandas="float16",
        accepts=_is_halffloat,
        default=NUMBER,
        written=SHORTEST,
        back=decode.floats,
        ways=_numbers(Encoding.LITERAL, encode.finite),
    ),
    TypeRule(
        arrow="float32, float64",
        pandas="float32, float64, Float32, Float64",
        accepts=is_.is_floating,
        default=NUMBER,
        written=SHORTEST,
        back=decode.floats,
        ways={
            **_numbers(Encoding.FLOAT, encode.finite),
            CHECKBOX: Way(
                Wire(Encoding.BOOLEAN), lambda array, place: encode.zero_or_one(encode.finite(array, place), place)
            ),
        },
    ),
    TypeRule(
        arrow="decimal128, decimal256",
        pandas="Arrow decimals",
        accepts=is_.is_decimal,
        default=NUMBER,
        written="every digit, as written",
        back=decode.decimals,
        ways=_numbers(Encoding.DECIMAL, encode.as_is),
    ),
    TypeRule(
        arrow="bool",
        pandas="bool, boolean",
        accepts=is_.is_boolean,
        default=CHECKBOX,
        written="true or false",
        back=decode.truths,
        ways={
            CHECKBOX: Way(Wire(Encoding.BOOLEAN), encode.as_is),
            NUMBER: Way(Wire(Encoding.INTEGER), encode.bits),
            TEXT: Way(Wire(Encoding.BOOLEAN, quoted=True), encode.as_is),
            DROPDOWN: Way(Wire(Encoding.BOOLEAN, quoted=True), encode.as_is),
        },
    ),
    TypeRule(
        arrow="string, large_string, string_view",
        pandas="str, string, object of str, category of text",
        accepts=lambda t: bool(is_.is_string(t) or is_.is_large_string(t) or is_.is_string_view(t)),
        default=TEXT,
        written="as it is, any Unicode",
        back=decode.as_text,
        ways={
            **_texts(encode.text),
            NUMBER: _NUMERAL,
            PERCENTAGE: _NUMERAL,
            CHECKBOX: Way(Wire(Encoding.BOOLEAN), encode.truth_words),
            DATE: Way(Wire(Encoding.DATE), encode.written_dates),
            DATETIME: Way(Wire(Encoding.DATETIME), encode.written_moments),
        },
    ),
    TypeRule(
        arrow="timestamp, with or without a zone",
        pandas="datetime64 of any unit and zone, object of datetime",
        accepts=is_.is_timestamp,
        default=DATETIME,
        written="YYYY-MM-DD HH:MM:SS[.ffffff], with a zone the instant in UTC; nanoseconds other than zero refused",
        back=decode.moments,
        ways={
            DATETIME: _INSTANT,
            TEXT: _INSTANT,
            DROPDOWN: _INSTANT,
            DATE: Way(Wire(Encoding.DATE), encode.midnights),
        },
        note=_zone_note,
    ),
    TypeRule(
        arrow="date32, date64",
        pandas="object of date",
        accepts=is_.is_date,
        default=DATE,
        written="YYYY-MM-DD",
        back=decode.days,
        ways={
            DATE: _DAY,
            TEXT: _DAY,
            DROPDOWN: _DAY,
            DATETIME: Way(Wire(Encoding.DATETIME), encode.midnights_of_days),
        },
    ),
    TypeRule(
        arrow="time32, time64",
        pandas="object of time",
        accepts=is_.is_time,
        default=TEXT,
        written="ISO 8601, HH:MM:SS[.ffffff]",
        back=decode.clock_times,
        ways=_texts(encode.clock_times),
        note=lambda arrow_type: "a time of day as ISO 8601 text",
    ),
    TypeRule(
        arrow="duration",
        pandas="timedelta64 of any unit, object of timedelta",
        accepts=is_.is_duration,
        default=TEXT,
        written="ISO 8601, P1DT2H3M4.5S; pandas.Timedelta reads it",
        back=decode.durations,
        ways=_texts(encode.durations),
        note=lambda arrow_type: "a duration as ISO 8601 text",
    ),
    TypeRule(
        arrow="null",
        pandas="object of nothing but missing values",
        accepts=is_.is_null,
        default=TEXT,
        written="null",
        back=decode.nothing,
        ways={data_type: Way(Wire(Encoding.TEXT), encode.text) for data_type in ColumnType},
        note=lambda arrow_type: "no values, so text; column_types={…} names another type",
    ),
)

GOES_AS: Mapping[ColumnType, frozenset[ColumnType]] = {
    NUMBER: frozenset({PERCENTAGE}),
    PERCENTAGE: frozenset({NUMBER}),
    TEXT: frozenset({DROPDOWN}),
    DROPDOWN: frozenset({TEXT}),
    DATE: frozenset({DATETIME}),
    DATETIME: frozenset(),
    CHECKBOX: frozenset(),
}
"""Which other types of an existing table's column a frame's column goes into without being asked to."""


def rule_for(arrow_type: pa.DataType) -> TypeRule | None:
    """Return the row of the table that an Arrow type falls under, or None.

    Examples
    --------
    >>> rule_for(pa.int8()).default
    <ColumnType.NUMBER: 'number'>
    >>> rule_for(pa.binary()) is None
    True
    """
    return next((rule for rule in RULES if rule.accepts(arrow_type)), None)
