"""``dtype=``, ``dtype_backend=`` and ``parse_dates=`` of a read: Arrow columns to a DataFrame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import ColumnType
from pandas_clicdata.errors import ColumnConversionError
from pandas_clicdata.types.decode import (
    BEYOND_ZONE,
    arrow_series,
    beyond_zone,
    default_series,
    float_series,
    own_text_dtype,
    zone_of,
)
from pandas_clicdata.types.encode import days_of, shown
from pandas_clicdata.types.infer import Settled, is_short, is_text, parsed_text, texts, wants_text
from pandas_clicdata.types.recast import Home, of_ticks

_UNITS = ("s", "ms", "us", "ns")
_NOT_A_TIME = -(2**63)
"""The ticks of NaT."""


def cast(name: str, settled: Settled, dtype: Any, dtype_backend: str | None) -> pd.Series[Any]:
    """Give a column the dtype asked for.

    Raises
    ------
    ColumnConversionError
        It would lose or change a value.
    """
    try:
        return _cast(settled, pd.api.types.pandas_dtype(dtype), dtype_backend)
    except (TypeError, ValueError, OverflowError, AttributeError, NotImplementedError, pa.ArrowException) as exc:
        raise ColumnConversionError(f"Column {name!r} cannot be read as {dtype}: {exc}", column=name) from exc


def _cast(settled: Settled, wanted: Any, dtype_backend: str | None) -> pd.Series[Any]:
    if wants_text(wanted):
        # Not by astype(str), which makes "None" of a missing value in pandas 2.
        return pd.Series(texts(settled.values), dtype=own_text_dtype() if isinstance(wanted, np.dtype) else wanted)
    if wanted.kind == "M" and _is_text(settled):
        moments = parsed_text(settled.values, ColumnType.DATETIME)
        settled = settled if moments is None else Settled(moments)
    _refuse_kind(settled, wanted)
    _refuse_missing(settled, wanted)
    arrow_type = wanted.pyarrow_dtype if isinstance(wanted, pd.ArrowDtype) else pa.null()
    if pa.types.is_decimal(arrow_type):
        return arrow_series(pa.array(_short_numbers(settled, wanted), arrow_type))
    if pa.types.is_timestamp(settled.values.type) and wanted.kind == "M":
        as_dates = pa.types.is_date(arrow_type)
        return _midnights(settled.values, arrow_type) if as_dates else _moments(settled.values, wanted)
    if wanted.kind in "fc":
        return _floats(settled, wanted, dtype_backend)
    if wanted.kind == "m" and _is_text(settled):
        return _durations(_spans(settled.values), wanted)
    series = default_series(settled, dtype_backend)
    if isinstance(wanted, pd.PeriodDtype):
        return pd.Series(pd.PeriodIndex(series, dtype=wanted))
    if wanted.kind == "m":
        return _durations(pd.to_timedelta(series), wanted)
    if settled.numerals and wanted.kind in "iu":
        # Python would take its time to make an int of 1E+9999.
        _short_numbers(settled, wanted)
    converted: pd.Series[Any] = series.astype(wanted)
    if wanted.kind in "iub" and (settled.numerals or pd.api.types.is_numeric_dtype(series.dtype)):
        _refuse_where((converted != series) & series.notna(), series, wanted)
    return converted


def _is_numeric(arrow_type: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_integer(arrow_type) or is_.is_floating(arrow_type) or is_.is_boolean(arrow_type))


def _is_text(settled: Settled) -> bool:
    return is_text(settled.values.type) and not settled.numerals


def _refuse_kind(settled: Settled, wanted: Any) -> None:
    """Refuse values of a kind that pandas would take for another."""
    found = settled.values.type
    if isinstance(wanted, pd.IntervalDtype):
        raise TypeError("dtype= does not read intervals; schema= does")
    if wanted.kind == "S" or (wanted.kind == "b" and _is_text(settled)):
        raise ValueError("text is no value of it")
    if isinstance(wanted, pd.PeriodDtype) and (settled.numerals or _is_numeric(found)):
        raise ValueError("numbers are no values of it, for they may be years or counts")
    if wanted.kind in "bc" and pa.types.is_temporal(found):
        raise ValueError("dates and datetimes are no values of it")
    if wanted.kind in "mM" and pa.types.is_boolean(found):
        raise ValueError("true and false are no value of it")
    if wanted.kind in "mM" and found == pa.int64() and pc.any(pc.equal(settled.values, _NOT_A_TIME)).as_py():
        raise ValueError(f"{wanted} does not hold {_NOT_A_TIME}")
    if wanted.kind in "mM" and pa.types.is_floating(found):
        broken = next((tick for tick in settled.values.to_pylist() if tick is not None and tick != int(tick)), None)
        if broken is not None:
            raise ValueError(f"{wanted} does not hold {broken}")
    empty = settled.values.null_count == len(settled.values)
    if zone_of(wanted) is not None and not pa.types.is_timestamp(found) and not empty:
        raise ValueError("only datetimes have a time zone")
    if isinstance(wanted, pd.ArrowDtype) and pa.types.is_time(wanted.pyarrow_dtype) and pa.types.is_timestamp(found):
        raise ValueError("datetimes have a date too")


def _refuse_missing(settled: Settled, wanted: Any) -> None:
    """Refuse nulls where pandas would make something of them."""
    if not isinstance(wanted, np.dtype) or not settled.values.null_count:
        return
    if wanted.kind == "b":
        raise ValueError("it has no missing values, and would make True of them. Ask for 'boolean'")
    if wanted.kind in "iu":
        nullable = wanted.name.replace("uint", "UInt").replace("int", "Int")
        raise ValueError(f"it has no missing values, and the column has some. Ask for {nullable!r}")


def _refuse_where(changed: pd.Series[bool], series: pd.Series[Any], wanted: Any) -> None:
    if changed.any():
        raise ValueError(f"{wanted} does not hold {series[changed].iloc[0]}")


def _short_numbers(settled: Settled, wanted: Any) -> list[Decimal | None]:
    """The numbers, none of them longer than any Arrow decimal."""
    numbers = [None if text is None else _number(text) for text in texts(settled.values)]
    beyond = next((number for number in numbers if number is not None and not is_short(number)), None)
    if beyond is not None:
        raise ValueError(f"{wanted} does not hold {shown(beyond)}")
    return numbers


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{shown(text)} is no number") from None


def _midnights(moments: pa.ChunkedArray, arrow_type: pa.DataType) -> pd.Series[Any]:
    """Datetimes without a time of day, as dates."""
    days, cut = days_of(moments)
    position = _first(cut)
    if position is not None:
        raise ValueError(f"{moments[position]} has a time of day")
    return arrow_series(days.cast(arrow_type))


def _moments(moments: pa.ChunkedArray, wanted: Any) -> pd.Series[Any]:
    """Datetimes in UTC in another unit or zone."""
    unit = np.datetime_data(wanted)[0] if isinstance(wanted, np.dtype) else _unit_of(wanted)
    if unit not in _UNITS:
        raise ValueError("pandas has no datetimes of this unit. Ask for 'datetime64[us]', or s, ms or ns")
    in_unit = moments.cast(pa.timestamp(unit), safe=False)
    position = _first(pc.not_equal(in_unit.cast(moments.type, safe=False), moments))
    if position is not None:
        raise ValueError(f"{wanted} does not hold {moments[position]}")
    position = beyond_zone(moments, wanted)
    if position is not None:
        raise ValueError(f"{moments[position]} (in UTC) {BEYOND_ZONE}")
    return of_ticks(in_unit, wanted)


def _unit_of(wanted: pd.DatetimeTZDtype | pd.ArrowDtype) -> str:
    unit: str = (wanted.pyarrow_dtype if isinstance(wanted, pd.ArrowDtype) else wanted).unit
    return unit


def _first(mask: pa.ChunkedArray) -> int | None:
    position: int = pc.index(mask, pa.scalar(True)).as_py()
    return position if position >= 0 else None


def _spans(written: pa.ChunkedArray) -> pd.Series[Any]:
    """Text as durations, in the finest unit that one of them has."""
    # One at a time: of several, pandas 3.0 reads a coarse one in the unit of a finer one before it.
    spans: list[Any] = [pd.NaT if text is None else pd.Timedelta(text) for text in written.to_pylist()]
    unit: Any = max((span.unit for span in spans if span is not pd.NaT), key=_UNITS.index, default="ns")
    ticks = ["NaT" if span is pd.NaT else span.as_unit(unit).to_timedelta64() for span in spans]
    return pd.Series(np.array(ticks, f"m8[{unit}]"))


def _durations(series: pd.Series[Any], wanted: Any) -> pd.Series[Any]:
    converted: pd.Series[Any] = series.astype(wanted)
    _refuse_where((converted.astype(series.dtype) != series) & series.notna(), series, wanted)
    return converted


def _floats(settled: Settled, wanted: Any, dtype_backend: str | None) -> pd.Series[Any]:
    """Floats or complex numbers, rounded, but not to infinity."""
    series = _nearest(settled.values) if settled.numerals else default_series(settled, dtype_backend)
    with np.errstate(over="ignore"):  # what it would warn of is refused below
        converted: pd.Series[Any] = series.astype(wanted)
    if not _is_text(settled):
        _refuse_where(pd.Series(np.isinf(converted.to_numpy(complex, na_value=np.nan))), series, wanted)
    return converted


def _nearest(numerals: pa.ChunkedArray) -> pd.Series[Any]:
    """Each number as the nearest float, which Arrow's own way from a Decimal does not always find."""
    numbers = [None if text is None else float(text) for text in numerals.to_pylist()]
    if any(number is not None and math.isinf(number) for number in numbers):
        beyond = next(text for text in numerals.to_pylist() if text is not None and math.isinf(float(text)))
        raise ValueError(f"a float does not hold {shown(Decimal(beyond))}")
    return float_series(pa.chunked_array([pa.array(numbers, pa.float64())]))


DtypeBackend = Literal["numpy_nullable", "pyarrow"]
ParseDates = Sequence[str] | Mapping[str, Any]

_DATE_UNITS = frozenset({"D", "d", "h", "m", "s", "ms", "us", "ns"})
"""What ``parse_dates`` takes for units of numbers since 1970, as ``pandas.read_sql`` does."""


def checked_backend(dtype_backend: str | None) -> None:
    """Refuse a backend that pandas does not have."""
    if dtype_backend not in (None, "numpy_nullable", "pyarrow"):
        raise ValueError(f"dtype_backend={dtype_backend!r} is not known; it is 'numpy_nullable' or 'pyarrow'.")


def to_frame(
    columns: Mapping[str, Settled],
    rows: int,
    *,
    dtype: Any = None,
    dtype_backend: str | None = None,
    parse_dates: ParseDates | None = None,
    index_col: str | Sequence[str] | None = None,
    stable: bool = False,
    first_row: int = 0,
) -> pd.DataFrame:
    """Make the DataFrame, which shares no memory with the columns: Arrow's is read-only.

    Parameters
    ----------
    columns : mapping of str to Settled
        What was read.
    rows : int
        How many rows that are, for a frame of no columns.
    dtype, dtype_backend, parse_dates, index_col
        As in ``pandas.read_sql``; a column's dtype may be its :class:`Home`.
    stable : bool, default False
        Use nullable dtypes for whole numbers and truth values also where nothing is null, so that all chunks agree.
    first_row : int, default 0
        Where in the table the rows begin.

    Raises
    ------
    ColumnConversionError
        A column cannot be given the dtype asked for.
    """
    dtypes = dtype if isinstance(dtype, Mapping) else dict.fromkeys(columns, dtype)
    series = {}
    for name, settled in columns.items():
        wanted = dtypes.get(name)
        if isinstance(wanted, Home):
            series[name] = wanted.series(name, settled.values, first_row)
        elif wanted is not None:
            series[name] = cast(name, settled, wanted, dtype_backend)
        else:
            series[name] = default_series(settled, dtype_backend, stable=stable)
    for name, options in _date_options(parse_dates).items():
        series[name] = _dates(name, series[name], options)
    names = [index_col] if isinstance(index_col, str) else index_col or ()
    levels = [_level(name, series.pop(name)) for name in names]
    # The copy also puts columns of one NumPy dtype into one block. With columns=, pandas 2 asks for every value, which
    # a time zone of dateutil does not bear.
    labels = None if series else pd.Index([], dtype=own_text_dtype())
    frame = pd.DataFrame(series, index=pd.RangeIndex(rows), columns=labels, copy=True)
    if levels:
        frame.index = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)
    return frame


def _level(name: str, series: pd.Series[Any]) -> pd.Index[Any]:
    """As ``set_index`` makes it, but with the column's dtype: pandas would make int64 of int8 in 3.1, and datetimes of
    objects in 2.2."""
    try:
        # pandas takes copy=True here, but does not copy.
        level: pd.Index[Any] = pd.Index(series.copy(), dtype=series.dtype, name=name)
    except NotImplementedError as exc:
        raise ColumnConversionError(f"Column {name!r} cannot be the index: {exc}.", column=name) from exc
    return level


def _date_options(parse_dates: ParseDates | None) -> Mapping[str, Any]:
    if parse_dates is None or isinstance(parse_dates, Mapping):
        return parse_dates or {}
    return dict.fromkeys(parse_dates)


def _dates(name: str, series: pd.Series[Any], options: Any) -> pd.Series[Any]:
    if isinstance(options, Mapping):
        arguments = dict(options)
    elif options is None and pd.api.types.is_numeric_dtype(series.dtype):
        arguments = {"unit": "s"}
    else:
        arguments = {"unit" if options in _DATE_UNITS else "format": options}
    try:
        return pd.to_datetime(series, **arguments)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ColumnConversionError(f"Column {name!r} cannot be read as dates: {exc}", column=name) from exc
