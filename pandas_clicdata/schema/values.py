"""Checks and exact conversions of a column's values on the way out; each refusal names the cell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata.errors import CellValueError

TEXT = pa.large_string()
_SHOWN_CHARACTERS = 60
_JSON_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?$"
DATE_FORM = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DATETIME_FORM = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?$"
YEAR_0 = "0000-"
"""Arrow reads this year, and neither Python nor ClicData has it."""
LONGEST_NUMBER = 1000
LARGEST_EXPONENT = 9999
TOO_LONG = f"is longer than {LONGEST_NUMBER:,} digits, or than an exponent of {LARGEST_EXPONENT}, as a number."
_NANOSECONDS_A_MICROSECOND = 1000
FINER_THAN_NANOSECONDS = frozenset({"ps", "fs", "as"})
HAS_NANOSECONDS = "has nanoseconds, and a datetime in ClicData has microseconds. Round it first: .dt.round('us')."
BEYOND_DATETIMES = "is not in the years 1 to 9999 (in UTC) that a datetime has."
_SECOND_FIRST, _SECOND_PAST_LAST, _SECONDS_A_DAY = -62135596800, 253402300800, 24 * 60 * 60


def shown(value: object) -> str:
    """Write a value for a sentence, cut to what fits into one."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - somebody else's repr, or a number too long to be written
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


@dataclass(frozen=True)
class Place:
    """Where a column's values stand, so that an error can name one.

    Parameters
    ----------
    column : str
        The column.
    label : callable
        From a position in the array to the row's label.
    """

    column: str
    label: Callable[[int], Any]

    def refuse(self, position: int, value: object, why: str) -> NoReturn:
        """Raise for one cell.

        Raises
        ------
        CellValueError
            Always.
        """
        row, text = self.label(position), shown(value)
        raise CellValueError(
            f"Column {self.column!r}, row {shown(row)}: {text} {why}", column=self.column, row=row, value=text
        )

    def refuse_where(self, bad: pa.ChunkedArray, values: pa.ChunkedArray, why: str) -> None:
        """Raise for the first cell that a mask marks, if it marks any.

        Raises
        ------
        CellValueError
            It marks one.
        """
        position = pc.index(bad, pa.scalar(True)).as_py()
        if position >= 0:
            self.refuse(position, python_value(values[position]), why)


Prepare = Callable[[pa.ChunkedArray, Place], pa.ChunkedArray]


def as_is(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    return values


def text(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    return values.cast(TEXT)


def finite(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """NaN is null, infinity refused; float16 becomes its own shortest text, which Arrow does not write."""
    half = pa.types.is_float16(values.type)
    wide = values.cast(pa.float32()) if half else values
    place.refuse_where(pc.is_inf(wide), wide, "is no number in JSON. Replace infinities first, for example with None.")
    wide = pc.if_else(pc.is_nan(wide), pa.scalar(None, wide.type), wide)
    if not half:
        return wide
    shortest = [None if value is None else repr(float(str(np.float16(value)))) for value in wide.to_pylist()]
    return pa.chunked_array([pa.array(shortest, TEXT)])


def moments(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """The instants in UTC, in whole microseconds, of the years 1 to 9999."""
    unit = values.type.unit
    ticks = values.cast(pa.int64())
    if unit != "ns":
        # Nanoseconds in 64 bits reach from 1677 to 2262 only.
        a_second = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
        outside = pc.or_(
            pc.less(ticks, _SECOND_FIRST * a_second), pc.greater_equal(ticks, _SECOND_PAST_LAST * a_second)
        )
        place.refuse_where(outside, ticks, f"({unit} since 1970) {BEYOND_DATETIMES}")
    else:
        cut = pc.multiply(pc.divide(ticks, _NANOSECONDS_A_MICROSECOND), _NANOSECONDS_A_MICROSECOND)
        place.refuse_where(
            pc.not_equal(cut, ticks),
            values,
            HAS_NANOSECONDS,
        )
    return values.cast(pa.timestamp("s" if unit == "s" else "us"))


def days(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """The days of the years 1 to 9999."""
    fine = pa.types.is_date64(values.type)
    ticks = values.cast(pa.int64() if fine else pa.int32())
    first, past_last = (end * 1000 if fine else end // _SECONDS_A_DAY for end in (_SECOND_FIRST, _SECOND_PAST_LAST))
    outside = pc.or_(pc.less(ticks, first), pc.greater_equal(ticks, past_last))
    unit = "milliseconds" if fine else "days"
    place.refuse_where(outside, ticks, f"({unit} since 1970) is not in the years 1 to 9999 that a date has.")
    # As a moment, of which Arrow takes the day: of a date64 it cuts towards 1970, and to 32 bits of days.
    return ticks.cast(pa.timestamp("ms")).cast(pa.date32(), safe=False) if fine else values


def clock_times(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """ISO 8601: ``HH:MM:SS`` with a fraction where it is not zero, of six digits, or nine where it needs them."""
    fine = values.cast(pa.time64("us")) if pa.types.is_time32(values.type) else values
    short = pc.replace_substring_regex(fine.cast(TEXT), pattern=r"(\.[0-9]{6})000$", replacement=r"\1")
    return pc.replace_substring_regex(short, pattern=r"\.0+$", replacement="")


def duration_text(value: dt.timedelta | np.timedelta64) -> str:
    """ISO 8601, as ``pandas.Timedelta.isoformat`` writes it and ``pandas.Timedelta`` reads it.

    Raises
    ------
    ValueError
        It would not read back the same.
    """
    if isinstance(value, np.timedelta64) and np.datetime_data(value.dtype)[0] in FINER_THAN_NANOSECONDS:
        raise ValueError("is in a unit finer than nanoseconds. Make it .astype('timedelta64[ns]') first.")
    try:
        duration = pd.Timedelta(value).as_unit("ns")
        text = duration.isoformat()
        # Near the ends of its range pandas writes what it cannot read.
        kept = pd.Timedelta(text) == duration
    except (ValueError, OverflowError):
        kept = False
    if not kept:
        raise ValueError("is longer than the 292 years that a pandas Timedelta reads back.")
    return text


def durations(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    unit = values.type.unit
    texts: list[str | None] = []
    for position, tick in enumerate(values.cast(pa.int64()).to_pylist()):
        try:
            texts.append(None if tick is None else duration_text(np.timedelta64(tick, unit)))
        except ValueError as exc:
            place.refuse(position, np.timedelta64(tick, unit), str(exc))
    return pa.chunked_array([pa.array(texts, TEXT)])


def zero_or_one(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    allowed = pa.array([0, 1]).cast(values.type)
    place.refuse_where(
        pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, allowed))),
        values,
        "is neither 0 nor 1, so a checkbox would lose it.",
    )
    return pc.equal(values, pa.scalar(1).cast(values.type))


def bits(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    return values.cast(pa.int8())


def numerals(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """Text that is exactly a JSON number; anything else, "00123" too, would come back another."""
    texts = values.cast(TEXT)
    place.refuse_where(
        pc.invert(pc.match_substring_regex(texts, _JSON_NUMBER)),
        texts,
        "is not written as a plain number, so as a number it would be lost. Convert the column first.",
    )
    place.refuse_where(pc.greater(pc.binary_length(texts), LONGEST_NUMBER), texts, TOO_LONG)
    return texts


def truth_words(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    texts = values.cast(TEXT)
    is_true = pc.equal(texts, "true")
    place.refuse_where(
        pc.invert(pc.or_(is_true, pc.equal(texts, "false"))), texts, "is neither 'true' nor 'false', as a checkbox is."
    )
    return is_true


def written_dates(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    return _parsed(values, place, DATE_FORM, pa.date32(), "is not a date written YYYY-MM-DD.")


def written_moments(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    return _parsed(
        values, place, DATETIME_FORM, pa.timestamp("us"), "is not a datetime written YYYY-MM-DD HH:MM:SS[.ffffff]."
    )


def midnights(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """Datetimes that are whole days."""
    instants = moments(values, place)
    dates = instants.cast(pa.date32(), safe=False)
    place.refuse_where(
        pc.not_equal(dates.cast(instants.type), instants),
        instants,
        "has a time of day (in UTC), which a date would lose.",
    )
    return dates


def midnights_of_days(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    return days(values, place).cast(pa.timestamp("s"))


def _parsed(values: pa.ChunkedArray, place: Place, form: str, target: pa.DataType, why: str) -> pa.ChunkedArray:
    texts = values.cast(TEXT)
    bad = pc.or_(pc.invert(pc.match_substring_regex(texts, form)), pc.starts_with(texts, YEAR_0))
    place.refuse_where(bad, texts, why)
    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        for position, value in enumerate(texts):
            try:
                value.cast(target)
            except pa.ArrowInvalid:
                place.refuse(position, value.as_py(), why)
        raise


def python_value(scalar: Any) -> object:
    """Return an Arrow value as Python has it, or as it is if Python has no such value."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar
