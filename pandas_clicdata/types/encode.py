"""Check a column's values before they are sent, and convert them without loss; every error names the cell."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import OnBadValues
from pandas_clicdata.errors import CellValueError

TEXT = pa.large_string()
TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FINER_THAN_NANOSECONDS = frozenset({"ps", "fs", "as"})
LONGEST_NUMBER = 1000
LARGEST_EXPONENT = 9999
DATE_FORMAT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DATETIME_FORMAT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?$"
YEAR_0 = "0000-"
"""Arrow parses this year; neither Python nor ClicData has it."""

# Each message follows a value; RowLabels.explain() inserts the column and the row into the code example.
_CLEAR_CELL = "Replace it first, for example with a missing value: df.loc[…] = None."
_AS_TEXT = "Send the column as text instead: df[…] = df[…].astype('string')."
NOT_FINITE = (
    "is not a number in JSON. Replace infinities first: df[…] = df[…].replace([float('inf'), -float('inf')],"
    " float('nan'))."
)
TOO_LONG = (
    f"is longer than {LONGEST_NUMBER:,} digits, or beyond an exponent of ±{LARGEST_EXPONENT}, the limits of a number."
    f" {_AS_TEXT}"
)
HAS_NANOSECONDS = "has nanoseconds; a ClicData datetime has microseconds. Round it first: df[…] = df[…]"
OUTSIDE_DATETIMES = f"is outside the years 1 to 9999 (in UTC) of a datetime. {_CLEAR_CELL}"
_OUTSIDE_DATES = f"is outside the years 1 to 9999 of a date. {_CLEAR_CELL}"
TIME_NOTE = "a time of day as ISO 8601 text"
DURATION_NOTE = "a duration as ISO 8601 text"

_OFFER = " To send nulls in place of such values: on_bad_values='null'."
_LONGEST_VALUE = 60
_JSON_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?$"
_FOUR_DIGIT_YEARS = re.compile(r"[1-9]\d{3}([-Q][^/]*)?(/[1-9]\d{3}-[^/]*)?")
_FIRST_SECOND, _END_SECOND, _SECONDS_PER_DAY = -62135596800, 253402300800, 24 * 60 * 60


def short_repr(value: object) -> str:
    """Return the repr of a value for an error: on one line, at most 60 characters."""
    try:
        text = repr(value).replace("\n", " ")
    except Exception:  # noqa: BLE001 - a foreign repr may raise anything; an int may be too long to write
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


@dataclass(frozen=True, eq=False)
class RowLabels:
    """The labels of the rows, for errors.

    Attributes
    ----------
    index : Index or None
        The index of a DataFrame. None if the rows have only positions.
    first : int
        Position of the first row of this part in the data.
    """

    index: pd.Index[Any] | None = None
    first: int = 0

    def __call__(self, position: int) -> Any:
        """Return the label of a row, or its position if Python has no such value, as for datetimes after year 9999."""
        if self.index is None:
            return self.first + position
        try:
            label = self.index[position]
        except (ValueError, OverflowError):
            return position
        # A Python number, whose repr is 9 and not np.int64(9).
        return label.item() if isinstance(label, np.number) else label

    def text(self, position: int) -> str:
        """Return the label of a row as an error shows it, with the position if other rows may have the same label."""
        label = short_repr(self(position))
        return f"{label} (position {position})" if self._repeat else label

    def explain(self, reason: str, column: str, position: int) -> str:
        """Fill the column and the cell into the code of a message.

        Examples
        --------
        >>> RowLabels(pd.Index([7, 8])).explain("Replace it: df.loc[…] = None.", "x", 0)
        "Replace it: df.loc[7, 'x'] = None."
        """
        name = repr(column)
        cell = f"df.loc[{short_repr(self(position))}, {name}]"
        if self._repeat:
            cell = f"df.iloc[{position}, df.columns.get_loc({name})]"
        return reason.replace("df.loc[…]", cell).replace("df[…]", f"df[{name}]").replace("{…:", f"{{{name}:")

    @property
    def _repeat(self) -> bool:
        try:
            return self.index is not None and not self.index.is_unique
        except TypeError:
            # Labels that have no hash.
            return True


def chunked(values: Sequence[Any], arrow_type: pa.DataType) -> pa.ChunkedArray:
    """Make a column of Python values."""
    return pa.chunked_array([pa.array(values, arrow_type)])


@dataclass(frozen=True)
class Nulled:
    """The values of a column that are sent as null, because ClicData cannot hold them.

    Attributes
    ----------
    count : int
        Their number.
    first : str
        The row and the value of the first one.
    """

    count: int
    first: str

    def plus(self, later: Nulled) -> Nulled:
        """Return these values and later ones together."""
        return Nulled(self.count + later.count, self.first)


def offered(reason: str, on_bad_values: OnBadValues | None) -> str:
    """Return the reason of an error, with the offer to send nulls if the caller has this choice."""
    return reason if on_bad_values is None else f"{reason}{_OFFER}"


@dataclass(frozen=True)
class Location:
    """The column and the rows of the values that are checked, for errors.

    Attributes
    ----------
    column : str
        Name of the column.
    label : RowLabels
        The labels of the rows.
    on_bad_values : {"raise", "null"} or None
        Whether to refuse values that ClicData cannot hold, or to replace them by null; None if only the first is
        possible.
    nulled : list of Nulled
        The values that were replaced by null.
    """

    column: str
    label: RowLabels
    on_bad_values: OnBadValues | None = None
    nulled: list[Nulled] = field(default_factory=list)

    def refuse(self, position: int, value: object, reason: str) -> NoReturn:
        """Raise the error for one cell.

        Raises
        ------
        CellValueError
            Always.
        """
        text = short_repr(value)
        raise CellValueError(
            f"Column {self.column!r}, row {self.label.text(position)}: {text}"
            f" {self.label.explain(reason, self.column, position)}",
            column=self.column,
            row=self.label(position),
            value=text,
        )

    def refuse_where(self, invalid: pa.ChunkedArray, values: pa.ChunkedArray, reason: str) -> None:
        """Raise the error for the first cell that the mask ``invalid`` marks.

        Raises
        ------
        CellValueError
            The mask marks a cell.
        """
        position = first_true(invalid)
        if position is not None:
            self.refuse(position, python_value(values[position]), reason)

    def without_bad(
        self, bad: pa.ChunkedArray, values: pa.ChunkedArray, shown: pa.ChunkedArray, reason: str, unit: str = ""
    ) -> pa.ChunkedArray:
        """Return values without those that the mask ``bad`` marks, because ClicData cannot hold them.

        Parameters
        ----------
        bad : pyarrow.ChunkedArray
            The mask.
        values : pyarrow.ChunkedArray
            The values.
        shown : pyarrow.ChunkedArray
            The values as an error shows them.
        reason : str
            What is wrong with the values.
        unit : str, optional
            What follows a value when it is shown.

        Raises
        ------
        CellValueError
            The mask marks a cell, and the value must not be replaced by null.
        """
        position = first_true(bad)
        if position is None:
            return values
        self.bad_value(position, python_value(shown[position]), reason, unit, pc.sum(bad).as_py())
        return pc.if_else(bad, pa.scalar(None, values.type), values)

    def bad_value(self, position: int, value: object, reason: str, unit: str = "", count: int = 1) -> None:
        """Record that a value and all other bad ones, ``count`` of them, are replaced by null.

        Raises
        ------
        CellValueError
            It must not be replaced by null.
        """
        if self.on_bad_values != "null":
            self.refuse(position, value, offered(f"{unit} {reason}".lstrip(), self.on_bad_values))
        self.nulled.append(Nulled(count, f"row {self.label.text(position)}: {short_repr(value)} {unit}".rstrip()))


def first_true(mask: pa.ChunkedArray) -> int | None:
    """Return the position of the first True, or None."""
    position: int = pc.index(mask, pa.scalar(True)).as_py()
    return position if position >= 0 else None


Prepare = Callable[[pa.ChunkedArray, Location], pa.ChunkedArray]


def unchanged(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Return the values unchanged."""
    return values


def text(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert the values to text."""
    return values.cast(TEXT)


def finite(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Replace NaN by null and refuse infinities; convert float16, which Arrow cannot write as text, to text."""
    half = pa.types.is_float16(values.type)
    floats = values.cast(pa.float32()) if half else values
    floats = location.without_bad(pc.is_inf(floats), floats, floats, NOT_FINITE)
    is_nan = pc.is_nan(floats)
    if pc.any(is_nan).as_py():
        floats = pc.if_else(is_nan, pa.scalar(None, floats.type), floats)
    if not half:
        return floats
    return chunked([None if value is None else _float16_text(value) for value in floats.to_pylist()], TEXT)


def _float16_text(value: float) -> str:
    """Return the shortest text that reads back as the same float16; whole numbers in full: 65504, not 65500."""
    return repr(value if value.is_integer() else float(str(np.float16(value))))


def datetimes(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert datetimes to UTC; refuse nanoseconds and years outside 1 to 9999."""
    unit = values.type.unit
    ticks = values.cast(pa.int64())
    if unit == "ns":
        # No check of the years: 64 bits of nanoseconds reach from 1677 to 2262.
        values = location.without_bad(has_remainder(ticks, 1000), values, values, f"{HAS_NANOSECONDS}.dt.round('us').")
    else:
        per_second = TICKS_PER_SECOND[unit]
        outside = pc.or_(pc.less(ticks, _FIRST_SECOND * per_second), pc.greater_equal(ticks, _END_SECOND * per_second))
        values = location.without_bad(outside, values, ticks, OUTSIDE_DATETIMES, f"({unit} since 1970)")
    return values.cast(pa.timestamp("s" if unit == "s" else "us"))


def has_remainder(ticks: pa.ChunkedArray, divisor: int) -> pa.ChunkedArray:
    """Mark the integers that are not multiples of ``divisor``."""
    return pc.not_equal(pc.multiply(pc.divide(ticks, divisor), divisor), ticks)


def dates(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert dates to date32; refuse years outside 1 to 9999."""
    in_milliseconds = pa.types.is_date64(values.type)
    ticks = values.cast(pa.int64() if in_milliseconds else pa.int32())
    first, end = (
        second * 1000 if in_milliseconds else second // _SECONDS_PER_DAY for second in (_FIRST_SECOND, _END_SECOND)
    )
    outside = pc.or_(pc.less(ticks, first), pc.greater_equal(ticks, end))
    unit = "milliseconds" if in_milliseconds else "days"
    values = location.without_bad(outside, values, ticks, _OUTSIDE_DATES, f"({unit} since 1970)")
    if not in_milliseconds:
        return values
    # By way of a timestamp: Arrow rounds a date64 towards 1970 and keeps only 32 bits of its days.
    return values.cast(pa.int64()).cast(pa.timestamp("ms")).cast(pa.date32(), safe=False)


def times(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Write ISO 8601: ``HH:MM:SS`` and, where it is not zero, a fraction of six digits, or nine if needed."""
    fine = values.cast(pa.time64("us")) if pa.types.is_time32(values.type) else values
    short = pc.replace_substring_regex(fine.cast(TEXT), pattern=r"(\.[0-9]{6})000$", replacement=r"\1")
    return pc.replace_substring_regex(short, pattern=r"\.0+$", replacement="")


def duration_text(value: dt.timedelta | np.timedelta64) -> str:
    """Write a duration as ``pandas.Timedelta.isoformat`` does, in ISO 8601.

    Raises
    ------
    ValueError
        ``pandas.Timedelta`` would not read back the same duration.
    """
    if isinstance(value, np.timedelta64) and np.datetime_data(value.dtype)[0] in FINER_THAN_NANOSECONDS:
        raise ValueError(
            "is in a unit finer than nanoseconds. Convert it first: df[…] = df[…].map(lambda value:"
            " value.astype('timedelta64[ns]'), na_action='ignore')."
        )
    try:
        duration = pd.Timedelta(value).as_unit("ns")
        text = duration.isoformat()
        # Near the ends of its range pandas writes text that it cannot read.
        exact = pd.Timedelta(text) == duration
    except (ValueError, OverflowError):
        exact = False
    if not exact:
        raise ValueError(f"is longer than the 292 years that a pandas Timedelta can read back. {_CLEAR_CELL}")
    return text


def parse_period(text: str, freq: Any) -> pd.Period | None:
    """Return the period whose text in pandas is ``text``, or None."""
    # pandas 2 writes years before 1000 without leading zeros, and cannot read them without.
    for written in (text, re.sub(r"(^|/)(\d{1,3})(?!\d)", lambda match: match[1] + match[2].zfill(4), text)):
        try:
            period = pd.Period(written, freq=freq)
        except (ValueError, OverflowError):
            continue
        if str(period) == text:
            return period
    return None


def period_text(value: pd.Period) -> str:
    """Write a period as pandas does.

    Raises
    ------
    ValueError
        pandas would not read back the same period.
    """
    text = str(value)
    # Parsing every period would take ten times as long; pandas reads back all four-digit years.
    if _FOUR_DIGIT_YEARS.fullmatch(text) is None and parse_period(text, value.freq) != value:
        raise ValueError(f"is not in the years 1 to 9999 that pandas reads back as a period. {_CLEAR_CELL}")
    return text


def durations(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Write durations as ISO 8601 text; refuse those that pandas cannot read back."""
    unit = values.type.unit
    texts: list[str | None] = []
    for position, tick in enumerate(values.cast(pa.int64()).to_pylist()):
        try:
            texts.append(None if tick is None else duration_text(np.timedelta64(tick, unit)))
        except ValueError as exc:
            location.bad_value(position, np.timedelta64(tick, unit), str(exc))
            texts.append(None)
    return chunked(texts, TEXT)


def booleans_from_numbers(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert 0 and 1 to booleans, and NaN to null; refuse other numbers."""
    if pa.types.is_floating(values.type):
        values = finite(values, location)
    allowed = pa.array([0, 1]).cast(values.type)
    location.refuse_where(
        pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, allowed))),
        values,
        "is neither 0 nor 1, the only numbers that a checkbox holds. Send the column as a number instead:"
        " column_types={…: 'number'}.",
    )
    return pc.equal(values, pa.scalar(1).cast(values.type))


def numbers_from_booleans(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert booleans to 0 and 1."""
    return values.cast(pa.int8())


def numbers_from_text(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Accept text that is a JSON number; refuse all else, such as "00123", which would read back differently."""
    texts = values.cast(TEXT)
    location.refuse_where(
        not_numbers(texts),
        texts,
        "is not written as a plain number, so the text would be lost. Convert the column first: df[…] ="
        " pd.to_numeric(df[…]).",
    )
    location.refuse_where(pc.greater(pc.binary_length(texts), LONGEST_NUMBER), texts, TOO_LONG)
    return texts


def not_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Mark the texts that are not a number in JSON."""
    return pc.invert(pc.match_substring_regex(texts, _JSON_NUMBER))


def booleans_from_text(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert "true" and "false" to booleans; refuse other text."""
    texts = values.cast(TEXT)
    is_true = pc.equal(texts, "true")
    location.refuse_where(
        pc.invert(pc.or_(is_true, pc.equal(texts, "false"))),
        texts,
        "is neither 'true' nor 'false', the only texts that a checkbox holds. Convert the column first, for example:"
        " df[…] = df[…].map({'yes': True, 'no': False}).",
    )
    return is_true


def dates_from_text(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Parse dates."""
    return _parsed(
        values,
        location,
        DATE_FORMAT,
        pa.date32(),
        "is not a date written YYYY-MM-DD. Parse the column first: df[…] = pd.to_datetime(df[…]).dt.date.",
    )


def datetimes_from_text(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Parse datetimes."""
    return _parsed(
        values,
        location,
        DATETIME_FORMAT,
        pa.timestamp("us"),
        "is not a datetime written YYYY-MM-DD HH:MM:SS[.ffffff]. Parse the column first: df[…] ="
        " pd.to_datetime(df[…]).",
    )


def split_dates(instants: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return the dates of datetimes, and a mask of the datetimes whose time of day the date loses."""
    days = instants.cast(pa.date32(), safe=False)
    return days, pc.not_equal(days.cast(instants.type), instants)


def dates_from_datetimes(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert datetimes at midnight to dates; refuse those with a time of day."""
    instants = datetimes(values, location)
    days, has_time = split_dates(instants)
    location.refuse_where(
        has_time,
        instants,
        "has a time of day (in UTC), which a date loses. Remove it first: df[…] = pd.to_datetime(df[…],"
        " utc=True).dt.date.",
    )
    return days


def datetimes_from_dates(values: pa.ChunkedArray, location: Location) -> pa.ChunkedArray:
    """Convert dates to datetimes at midnight."""
    return dates(values, location).cast(pa.timestamp("s"))


def _parsed(
    values: pa.ChunkedArray, location: Location, pattern: str, target: pa.DataType, reason: str
) -> pa.ChunkedArray:
    texts = values.cast(TEXT)
    invalid = pc.or_(pc.invert(pc.match_substring_regex(texts, pattern)), pc.starts_with(texts, YEAR_0))
    location.refuse_where(invalid, texts, reason)
    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        for position, value in enumerate(texts):
            try:
                value.cast(target)
            except pa.ArrowInvalid:
                location.refuse(position, value.as_py(), reason)
        raise


def python_value(scalar: Any) -> object:
    """Return an Arrow scalar as a Python value, or the scalar itself if Python has no such value."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar


def exact_value(scalar: Any) -> object:
    """Return an Arrow scalar as a Python value.

    Raises
    ------
    ValueError, OverflowError
        Python has no value that is exactly the same.
    """
    if _has_nanosecond_time(scalar):
        raise ValueError("a time of day has nanoseconds")
    return scalar.as_py()


def _has_nanosecond_time(scalar: Any) -> bool:
    """Return whether a scalar contains a time of day whose nanoseconds Python would drop."""
    if not scalar.is_valid:
        return False
    if pa.types.is_time64(scalar.type):
        return bool(scalar.type.unit == "ns" and scalar.value % 1000)
    if isinstance(scalar, pa.DictionaryScalar):
        return _has_nanosecond_time(scalar.value)
    if isinstance(scalar, pa.StructScalar):
        return any(map(_has_nanosecond_time, scalar.values()))
    return isinstance(scalar, pa.ListScalar) and any(map(_has_nanosecond_time, scalar.values))
