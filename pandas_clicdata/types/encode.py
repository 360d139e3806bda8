"""Checks and exact conversions of a column's values before they are sent; each refusal names the cell."""

from __future__ import annotations

import datetime as dt
import re
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
_USUAL_PERIOD = re.compile(r"[1-9]\d{3}([-Q][^/]*)?(/[1-9]\d{3}-[^/]*)?")
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
    """Write a value for a sentence, on one line and cut to what fits into one."""
    try:
        text = repr(value).replace("\n", " ")
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
    """NaN is null, infinity refused; float16 becomes text here, for Arrow does not write it."""
    half = pa.types.is_float16(values.type)
    wide = values.cast(pa.float32()) if half else values
    place.refuse_where(pc.is_inf(wide), wide, "is no number in JSON. Replace infinities first, for example with None.")
    wide = pc.if_else(pc.is_nan(wide), pa.scalar(None, wide.type), wide)
    if not half:
        return wide
    texts = [None if value is None else _half_text(value) for value in wide.to_pylist()]
    return pa.chunked_array([pa.array(texts, TEXT)])


def _half_text(value: float) -> str:
    """The shortest text of its own width, as which a whole number could be another: 65500 of 65504."""
    return repr(value if value.is_integer() else float(str(np.float16(value))))


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


def period_of(text: str, freq: Any) -> pd.Period | None:
    """Return the period that pandas writes so, or None."""
    # pandas 2 writes the years before 1000 without their zeros, and does not read them so.
    for written in (text, re.sub(r"(^|/)(\d{1,3})(?!\d)", lambda at: at[1] + at[2].zfill(4), text)):
        try:
            period = pd.Period(written, freq=freq)
        except (ValueError, OverflowError):
            continue
        if str(period) == text:
            return period
    return None


def period_text(value: pd.Period) -> str:
    """As pandas writes it.

    Raises
    ------
    ValueError
        It would not read back the same.
    """
    text = str(value)
    # To read each would take ten times as long; those of four-digit years read back.
    if _USUAL_PERIOD.fullmatch(text) is None and period_of(text, value.freq) != value:
        raise ValueError("is not in the years 1 to 9999 that pandas reads back as a period.")
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


def days_of(instants: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return the days of moments, and which of them have a time of day that a day loses."""
    dates = instants.cast(pa.date32(), safe=False)
    return dates, pc.not_equal(dates.cast(instants.type), instants)


def midnights(values: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """Datetimes that are whole days."""
    instants = moments(values, place)
    dates, cut = days_of(instants)
    place.refuse_where(
        cut,
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


def exact_value(scalar: Any) -> object:
    """Return an Arrow value as Python has it.

    Raises
    ------
    ValueError, OverflowError
        Python does not have all of it.
    """
    if _has_fine_time(scalar):
        raise ValueError("a time of day has nanoseconds")
    return scalar.as_py()


def _has_fine_time(scalar: Any) -> bool:
    """Whether there is a time of day in it of which Python would drop the nanoseconds."""
    if not scalar.is_valid:
        return False
    if pa.types.is_time64(scalar.type):
        return bool(scalar.type.unit == "ns" and scalar.value % _NANOSECONDS_A_MICROSECOND)
    if isinstance(scalar, pa.DictionaryScalar):
        return _has_fine_time(scalar.value)
    if isinstance(scalar, pa.StructScalar):
        return any(map(_has_fine_time, scalar.values()))
    return isinstance(scalar, pa.ListScalar) and any(map(_has_fine_time, scalar.values))
