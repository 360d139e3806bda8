"""``dtype=``, ``dtype_backend=`` and ``parse_dates=`` of a read: convert Arrow columns to a DataFrame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import ColumnType
from pandas_clicdata.errors import ColumnConversionError
from pandas_clicdata.types.decode import (
    OUTSIDE_ZONE,
    arrow_series,
    default_series,
    default_text_dtype,
    first_outside_zone,
    nullable_floats,
    time_zone,
)
from pandas_clicdata.types.encode import TICKS_PER_SECOND, chunked, first_true, short_repr, split_dates
from pandas_clicdata.types.infer import InferredColumn, fits_decimal, is_text, is_text_dtype, parsed_text, texts
from pandas_clicdata.types.recast import RestoreTarget, series_of_ticks

_UNITS = tuple(TICKS_PER_SECOND)
_NAT_TICKS = -(2**63)


class _Misfit(ValueError):
    """A dtype does not hold the values of a column.

    Parameters
    ----------
    reason : str
        What is wrong.
    instead : str, default "string"
        The dtype that the error recommends.
    position : int, optional
        Position of the value in the column.
    value : object, optional
        The value.
    """

    def __init__(
        self, reason: str, instead: str = "string", *, position: int | None = None, value: object = None
    ) -> None:
        super().__init__(reason)
        self.instead = instead
        self.position = position
        self.value = value


def cast(
    name: str, column: InferredColumn, dtype: Any, dtype_backend: str | None, first_row: int = 0
) -> pd.Series[Any]:
    """Convert a column to a requested dtype; ``first_row`` is the position of its first value in the table.

    Raises
    ------
    ColumnConversionError
        The dtype would lose or change a value.
    """
    try:
        return _cast(column, pd.api.types.pandas_dtype(dtype), dtype_backend)
    except (TypeError, ValueError, OverflowError, AttributeError, NotImplementedError, pa.ArrowException) as exc:
        misfit = exc if isinstance(exc, _Misfit) else _Misfit(str(exc).rstrip("."))
        row = None if misfit.position is None else first_row + misfit.position
        where = "" if row is None else f" (row {row})"
        raise ColumnConversionError(
            f"Column {name!r} cannot be read as {dtype}: {misfit}{where}. Read it as another dtype: dtype={{{name!r}:"
            f" {misfit.instead!r}}}.",
            column=name,
            row=row,
            value=None if row is None else short_repr(misfit.value),
        ) from exc


def _cast(column: InferredColumn, wanted: Any, dtype_backend: str | None) -> pd.Series[Any]:
    if is_text_dtype(wanted):
        # Not by astype(str), which makes "None" of a missing value in pandas 2.
        return pd.Series(texts(column.values), dtype=default_text_dtype() if isinstance(wanted, np.dtype) else wanted)
    if wanted.kind == "M" and _is_text(column):
        parsed = parsed_text(column.values, ColumnType.DATETIME)
        column = column if parsed is None else InferredColumn(parsed)
    _refuse_kind(column, wanted)
    _refuse_missing(column, wanted)
    arrow_type = wanted.pyarrow_dtype if isinstance(wanted, pd.ArrowDtype) else pa.null()
    if pa.types.is_decimal(arrow_type):
        return arrow_series(pa.array(_numbers_in_range(column, wanted), arrow_type))
    if pa.types.is_timestamp(column.values.type) and wanted.kind == "M":
        as_dates = pa.types.is_date(arrow_type)
        return _dates(column.values, arrow_type) if as_dates else _datetimes(column.values, wanted)
    if wanted.kind in "fc":
        return _floats(column, wanted, dtype_backend)
    if wanted.kind == "m" and _is_text(column):
        return _durations(_parsed_durations(column.values), wanted)
    series = default_series(column, dtype_backend)
    if isinstance(wanted, pd.PeriodDtype):
        return pd.Series(pd.PeriodIndex(series, dtype=wanted))
    if wanted.kind == "m":
        return _durations(pd.to_timedelta(series), wanted)
    if column.numerals and wanted.kind in "iu":
        # Before Python makes an int of 1E+9999, which takes long.
        _numbers_in_range(column, wanted)
    converted: pd.Series[Any] = series.astype(wanted)
    if wanted.kind in "iub" and (column.numerals or pd.api.types.is_numeric_dtype(series.dtype)):
        _refuse_where((converted != series) & series.notna(), series, wanted)
    return converted


def _is_numeric(arrow_type: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_integer(arrow_type) or is_.is_floating(arrow_type) or is_.is_boolean(arrow_type))


def _is_text(column: InferredColumn) -> bool:
    return is_text(column.values.type) and not column.numerals


def _refuse_kind(column: InferredColumn, wanted: Any) -> None:
    """Refuse values that pandas would convert to values of another kind."""
    found = column.values.type
    if isinstance(wanted, pd.IntervalDtype):
        raise TypeError("dtype= does not read intervals; pass the dtype in schema=")
    if wanted.kind == "S" or (wanted.kind == "b" and _is_text(column)):
        raise ValueError("the column has text")
    if isinstance(wanted, pd.PeriodDtype) and (column.numerals or _is_numeric(found)):
        raise ValueError("the column has numbers, which may be years or counts")
    if wanted.kind in "bc" and pa.types.is_temporal(found):
        raise ValueError("the column has dates or datetimes")
    if wanted.kind in "mM" and pa.types.is_boolean(found):
        raise ValueError("the column has booleans")
    if wanted.kind in "mM" and found == pa.int64():
        position = first_true(pc.equal(column.values, _NAT_TICKS))
        if position is not None:
            _refuse(wanted, position, _NAT_TICKS)
    if wanted.kind in "mM" and pa.types.is_floating(found):
        for position, tick in enumerate(column.values.to_pylist()):
            if tick is not None and tick != int(tick):
                _refuse(wanted, position, tick)
    empty = column.values.null_count == len(column.values)
    if time_zone(wanted) is not None and not pa.types.is_timestamp(found) and not empty:
        raise ValueError("only datetimes have a time zone")
    if isinstance(wanted, pd.ArrowDtype) and pa.types.is_time(wanted.pyarrow_dtype) and pa.types.is_timestamp(found):
        raise ValueError("the column has datetimes, whose date would be lost")


def _refuse(wanted: Any, position: int, value: object) -> NoReturn:
    shown = short_repr(value) if isinstance(value, Decimal) else value
    raise _Misfit(f"{wanted} does not hold {shown}", position=position, value=value)


def _refuse_missing(column: InferredColumn, wanted: Any) -> None:
    """Refuse nulls that pandas would convert to values."""
    if isinstance(wanted, np.dtype) and wanted.kind in "biu" and column.values.null_count:
        nullable = "boolean" if wanted.kind == "b" else wanted.name.replace("uint", "UInt").replace("int", "Int")
        raise _Misfit("the column has missing values", nullable)


def _refuse_where(changed: pd.Series[bool], series: pd.Series[Any], wanted: Any) -> None:
    if changed.any():
        position = int(np.flatnonzero(changed)[0])
        value = series.iloc[position]
        _refuse(wanted, position, value.item() if isinstance(value, np.generic) else value)


def _numbers_in_range(column: InferredColumn, wanted: Any) -> list[Decimal | None]:
    """Return the numbers; refuse those longer than any Arrow decimal."""
    numbers: list[Decimal | None] = []
    for position, text in enumerate(texts(column.values)):
        try:
            number = None if text is None else Decimal(text)
        except InvalidOperation:
            raise _Misfit(f"{short_repr(text)} is not a number", position=position, value=text) from None
        if number is not None and not fits_decimal(number):
            _refuse(wanted, position, number)
        numbers.append(number)
    return numbers


def _dates(datetimes: pa.ChunkedArray, arrow_type: pa.DataType) -> pd.Series[Any]:
    """Convert datetimes at midnight to dates."""
    dates, has_time = split_dates(datetimes)
    position = first_true(has_time)
    if position is not None:
        raise _Misfit(f"{datetimes[position]} has a time of day", position=position, value=datetimes[position].as_py())
    return arrow_series(dates.cast(arrow_type))


def _datetimes(datetimes: pa.ChunkedArray, wanted: Any) -> pd.Series[Any]:
    """Convert datetimes in UTC to another unit or time zone."""
    unit = np.datetime_data(wanted)[0] if isinstance(wanted, np.dtype) else _unit(wanted)
    if unit not in _UNITS:
        raise _Misfit("pandas has no datetimes of this unit; its units are s, ms, us and ns", "datetime64[us]")
    in_unit = datetimes.cast(pa.timestamp(unit), safe=False)
    position = first_true(pc.not_equal(in_unit.cast(datetimes.type, safe=False), datetimes))
    if position is not None:
        _refuse(wanted, position, datetimes[position].as_py())
    position = first_outside_zone(datetimes, wanted)
    if position is not None:
        raise _Misfit(
            f"{datetimes[position]} (in UTC) {OUTSIDE_ZONE.rstrip('.')}",
            "datetime64[us, UTC]",
            position=position,
            value=datetimes[position].as_py(),
        )
    return series_of_ticks(in_unit, wanted)


def _unit(wanted: pd.DatetimeTZDtype | pd.ArrowDtype) -> str:
    unit: str = (wanted.pyarrow_dtype if isinstance(wanted, pd.ArrowDtype) else wanted).unit
    return unit


def _parsed_durations(written: pa.ChunkedArray) -> pd.Series[Any]:
    """Parse text as durations, in the finest unit of any of them."""
    # One by one, because of several pandas 3.0 reads a coarse one in the unit of a finer one before it.
    parsed: list[Any] = [pd.NaT if text is None else pd.Timedelta(text) for text in written.to_pylist()]
    unit: Any = max((each.unit for each in parsed if each is not pd.NaT), key=_UNITS.index, default="ns")
    ticks = ["NaT" if each is pd.NaT else each.as_unit(unit).to_timedelta64() for each in parsed]
    return pd.Series(np.array(ticks, f"m8[{unit}]"))


def _durations(series: pd.Series[Any], wanted: Any) -> pd.Series[Any]:
    converted: pd.Series[Any] = series.astype(wanted)
    _refuse_where((converted.astype(series.dtype) != series) & series.notna(), series, wanted)
    return converted


def _floats(column: InferredColumn, wanted: Any, dtype_backend: str | None) -> pd.Series[Any]:
    """Round to floats or complex numbers; refuse numbers that would become infinite."""
    series = _nearest_floats(column.values) if column.numerals else default_series(column, dtype_backend)
    with np.errstate(over="ignore"):  # infinities are refused below
        converted: pd.Series[Any] = series.astype(wanted)
    if not _is_text(column):
        _refuse_where(pd.Series(np.isinf(converted.to_numpy(complex, na_value=np.nan))), series, wanted)
    return converted


def _nearest_floats(numerals: pa.ChunkedArray) -> pd.Series[Any]:
    """Round each number to the nearest float, which Arrow does not always find for a Decimal."""
    numbers = [None if text is None else float(text) for text in numerals.to_pylist()]
    for position, number in enumerate(numbers):
        if number is not None and math.isinf(number):
            _refuse("a float", position, Decimal(numerals[position].as_py()))
    return nullable_floats(chunked(numbers, pa.float64()))


DtypeBackend = Literal["numpy_nullable", "pyarrow"]
ParseDates = Sequence[str] | Mapping[str, Any]

_DATE_UNITS = frozenset({"D", "d", "h", "m", "s", "ms", "us", "ns"})
"""Values of ``parse_dates`` that are units of numbers since 1970, as in ``pandas.read_sql``; others are formats."""


def checked_backend(dtype_backend: str | None) -> None:
    """Check ``dtype_backend=``.

    Raises
    ------
    ValueError
        pandas has no such backend.
    """
    if dtype_backend not in (None, "numpy_nullable", "pyarrow"):
        raise ValueError(f"Unknown dtype_backend={dtype_backend!r}. Valid backends: 'numpy_nullable', 'pyarrow'.")


def to_frame(
    columns: dict[str, InferredColumn],
    rows: int,
    *,
    dtype: Any = None,
    dtype_backend: str | None = None,
    parse_dates: ParseDates | None = None,
    index_col: str | Sequence[str] | None = None,
    stable: bool = False,
    first_row: int = 0,
) -> pd.DataFrame:
    """Convert columns to a DataFrame that shares no memory with them, because Arrow's memory is read-only.

    Parameters
    ----------
    columns : dict of str to InferredColumn
        The columns that were read. They are removed from the dict, so that each is freed when it is converted.
    rows : int
        Number of rows, for a frame without columns.
    dtype, dtype_backend, parse_dates, index_col
        As in ``pandas.read_sql``; the dtype of a column may be a :class:`RestoreTarget`.
    stable : bool, default False
        Whether integers and booleans have nullable dtypes even if no value is null, so that all chunks have the same
        dtypes.
    first_row : int, default 0
        Position of the first row in the table, for errors.

    Returns
    -------
    DataFrame
        The columns in the requested dtypes.

    Raises
    ------
    ColumnConversionError
        A dtype does not hold the values of its column.
    """
    dtypes = dtype if isinstance(dtype, Mapping) else dict.fromkeys(columns, dtype)
    names = [index_col] if isinstance(index_col, str) else index_col or ()
    dates = _date_options(parse_dates)
    order = [name for name in columns if name not in names]
    blocks: dict[np.dtype[Any], list[str]] = {}
    series = {}
    for name in list(columns):
        wanted = dtypes.get(name)
        block = None if wanted is not None or name in dates or name in names else _block_dtype(columns[name], stable)
        if block is not None and dtype_backend is None:
            blocks.setdefault(block, []).append(name)
            continue
        column = columns.pop(name)
        if isinstance(wanted, RestoreTarget):
            series[name] = wanted.series(name, column.values, first_row)
        elif wanted is not None:
            series[name] = cast(name, column, wanted, dtype_backend, first_row)
        else:
            series[name] = default_series(column, dtype_backend, stable=stable)
    for name, options in dates.items():
        series[name] = _parsed_dates(name, series[name], options)
    levels = [_level(name, series.pop(name)) for name in names]
    # Columns of one dtype make one block, so those that were converted to a dtype are joined with those that have it.
    for block in blocks.keys() & {each.dtype for each in series.values()}:
        series |= {name: default_series(columns.pop(name), None) for name in blocks.pop(block)}
    series = {name: series[name] for name in order if name in series}
    # copy=True also consolidates columns of the same NumPy dtype. columns= only without columns: with it, pandas 2
    # reads every value, which raises for a time zone of dateutil.
    labels = None if series else pd.Index([], dtype=default_text_dtype())
    frame = pd.DataFrame(series, index=pd.RangeIndex(rows), columns=labels, copy=True)
    if blocks:
        numbers = [_block_frame(columns, of_dtype, rows, block) for block, of_dtype in blocks.items()]
        # Neither copies in pandas 3. Each dtype stays one block, whose columns keep their order.
        frame = pd.concat([*numbers, frame] if series else numbers, axis=1).reindex(columns=order)
    if levels:
        frame.index = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)
    return frame


def _block_dtype(column: InferredColumn, stable: bool) -> np.dtype[Any] | None:
    """Return the NumPy dtype of a column whose memory can be that of its frame; None if it has another dtype."""
    values = column.values
    if column.numerals or stable or (values.null_count and pa.types.is_integer(values.type)):
        return None
    return _BLOCK_DTYPES.get(values.type)


_BLOCK_DTYPES: Mapping[pa.DataType, np.dtype[Any]] = {
    pa.int64(): np.dtype(np.int64),
    pa.uint64(): np.dtype(np.uint64),
    pa.float64(): np.dtype(np.float64),
    pa.timestamp("us"): np.dtype("M8[us]"),
}


def _block_frame(
    columns: dict[str, InferredColumn], names: Sequence[str], rows: int, dtype: np.dtype[Any]
) -> pd.DataFrame:
    """Return columns of one dtype as a frame: in the block that holds them, or copied, and each freed when it is.

    A frame that is made of series needs the memory of its numbers twice.
    """
    block = columns[names[0]].block
    places = [columns[name].place for name in names if columns[name].block is block]
    if block is not None and places == list(range(len(names))) and len(names) == len(block):
        for name in names:
            del columns[name]
        return pd.DataFrame(block[:, :rows].T, index=pd.RangeIndex(rows), columns=list(names), copy=False)
    block = np.empty((len(names), rows), dtype)
    for values, name in zip(block, names, strict=True):
        at = 0
        for chunk in columns.pop(name).values.chunks:
            values[at : at + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
            at += len(chunk)
    return pd.DataFrame(block.T, index=pd.RangeIndex(rows), columns=list(names), copy=False)


def _level(name: str, series: pd.Series[Any]) -> pd.Index[Any]:
    """Return a level of the index, in the dtype of its column.

    ``set_index`` changes dtypes: int8 to int64 in pandas 3.1, and objects to datetimes in 2.2.
    """
    try:
        # series.copy(), because pandas accepts copy=True here but does not copy.
        level: pd.Index[Any] = pd.Index(series.copy(), dtype=series.dtype, name=name)
    except NotImplementedError as exc:
        raise ColumnConversionError(
            f"Column {name!r} cannot be the index: {exc}. Read it as another dtype: dtype={{{name!r}: 'float64'}}.",
            column=name,
        ) from exc
    return level


def _date_options(parse_dates: ParseDates | None) -> Mapping[str, Any]:
    if parse_dates is None or isinstance(parse_dates, Mapping):
        return parse_dates or {}
    return dict.fromkeys(parse_dates)


def _parsed_dates(name: str, series: pd.Series[Any], options: Any) -> pd.Series[Any]:
    if isinstance(options, Mapping):
        arguments = dict(options)
    elif options is None and pd.api.types.is_numeric_dtype(series.dtype):
        arguments = {"unit": "s"}
    else:
        arguments = {"unit" if options in _DATE_UNITS else "format": options}
    try:
        return pd.to_datetime(series, **arguments)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ColumnConversionError(
            f"Column {name!r} cannot be read as dates: {str(exc).rstrip('.')}. Read it as text instead: remove it from"
            " parse_dates=.",
            column=name,
        ) from exc
