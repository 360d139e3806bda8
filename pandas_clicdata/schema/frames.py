"""From Arrow to pandas, without the detour through float that loses whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata.errors import ColumnConversionError
from pandas_clicdata.models import ColumnType
from pandas_clicdata.schema.homes import Home
from pandas_clicdata.schema.incoming import Settled, arrow_column, is_short, is_text, parsed_text, texts, wants_text
from pandas_clicdata.schema.values import shown

DtypeBackend = Literal["numpy_nullable", "pyarrow"]
ParseDates = Sequence[str] | Mapping[str, Any]

_UNITS = frozenset({"D", "d", "h", "m", "s", "ms", "us", "ns"})
"""What ``parse_dates`` takes for units of numbers since 1970, as ``pandas.read_sql`` does."""
_NOT_A_TIME = -(2**63)
"""The ticks of NaT."""
_FLOAT: Any = pd.Float64Dtype()
_OWN_TEXT_DTYPE = pd.Series([""]).dtype
"""What pandas itself makes of text: ``object`` in 2, ``str`` in 3."""
_NULLABLE: Mapping[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


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
    """Make the DataFrame.

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
            series[name] = _converted(name, settled, wanted, dtype_backend)
        else:
            series[name] = _series(settled, dtype_backend, stable)
    # With columns=, pandas 2 asks for every value, which a time zone of dateutil does not bear.
    frame = pd.DataFrame(series, index=pd.RangeIndex(rows), columns=None if series else [], copy=False)
    for name, options in _date_options(parse_dates).items():
        frame[name] = _dates(name, frame[name], options)
    return frame if index_col is None else frame.set_index(index_col)


def _series(settled: Settled, dtype_backend: str | None, stable: bool) -> pd.Series[Any]:
    values = settled.values
    if dtype_backend == "pyarrow":
        values = arrow_column(settled)
        return pd.Series(pd.arrays.ArrowExtensionArray(values), dtype=pd.ArrowDtype(values.type))
    if settled.numerals:
        make = int if settled.whole else Decimal
        return pd.Series([None if text is None else make(text) for text in values.to_pylist()], dtype=object)
    if pa.types.is_decimal(values.type) and values.type.scale == 0:
        return pd.Series([None if number is None else int(number) for number in values.to_pylist()], dtype=object)
    if dtype_backend == "numpy_nullable":
        if is_text(values.type):
            return pd.Series(pd.array(values.to_pylist(), dtype="string"))
        if pa.types.is_floating(values.type):
            return pd.Series(_FLOAT.__from_arrow__(values))
    nullable = _NULLABLE.get(values.type)
    if nullable is not None and (values.null_count or stable or dtype_backend == "numpy_nullable"):
        return pd.Series(nullable.__from_arrow__(values))
    if pa.types.is_null(values.type):
        return pd.Series([None] * len(values), dtype=object)
    series: pd.Series[Any] = values.to_pandas()
    return series


def _converted(name: str, settled: Settled, dtype: Any, dtype_backend: str | None) -> pd.Series[Any]:
    try:
        return _as_dtype(settled, dtype, dtype_backend)
    except (TypeError, ValueError, OverflowError, AttributeError, NotImplementedError, pa.ArrowException) as exc:
        raise ColumnConversionError(f"Column {name!r} cannot be read as {dtype}: {exc}", column=name) from exc


def _as_dtype(settled: Settled, dtype: Any, dtype_backend: str | None) -> pd.Series[Any]:
    """Give a column the dtype asked for, by the way that keeps its values."""
    wanted = pd.api.types.pandas_dtype(dtype)
    if wants_text(wanted):
        # Not by astype(str), which makes "None" of a missing value in pandas 2.
        return pd.Series(texts(settled.values), dtype=_OWN_TEXT_DTYPE if isinstance(wanted, np.dtype) else wanted)
    decimals = wanted.pyarrow_dtype if isinstance(wanted, pd.ArrowDtype) else None
    decimals = decimals if decimals is not None and pa.types.is_decimal(decimals) else None
    if decimals is not None or (settled.numerals and wanted.kind in "iu"):
        numbers = [None if text is None else _decimal(text) for text in texts(settled.values)]
        beyond = next((number for number in numbers if number is not None and not is_short(number)), None)
        if beyond is not None:
            raise ValueError(f"{wanted} does not hold {shown(beyond)}")
        if decimals is not None:
            return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(numbers, decimals)), dtype=wanted)
    if wanted.kind == "S" or (wanted.kind == "b" and is_text(settled.values.type) and not settled.numerals):
        raise ValueError("text is no value of it")
    if isinstance(wanted, np.dtype) and wanted.kind == "b" and settled.values.null_count:
        raise ValueError("it has no missing values, and would make True of them. Ask for 'boolean'")
    if isinstance(wanted, np.dtype) and wanted.kind in "iu" and settled.values.null_count:
        nullable = wanted.name.replace("uint", "UInt").replace("int", "Int")
        raise ValueError(f"it has no missing values, and the column has some. Ask for {nullable!r}")
    floating = wanted.kind == "f"
    if wanted.kind == "M" and is_text(settled.values.type) and not settled.numerals:
        moments = parsed_text(settled.values, ColumnType.DATETIME)
        settled = settled if moments is None else Settled(moments)
    series = _floats(settled.values) if floating and settled.numerals else _series(settled, dtype_backend, stable=False)
    if wanted.kind in "mM":
        _check_ticks(settled, wanted)
    if isinstance(wanted, pd.DatetimeTZDtype):
        return _in_unit(series.dt.tz_localize("UTC").dt.tz_convert(wanted.tz), wanted)
    if isinstance(wanted, pd.PeriodDtype):
        return pd.Series(pd.PeriodIndex(series, dtype=wanted))
    if wanted.kind == "m":
        return _in_unit(pd.to_timedelta(series), wanted)
    if wanted.kind == "M" and pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _in_unit(series, wanted)
    with np.errstate(over="ignore"):  # what it would warn of is refused below
        converted: pd.Series[Any] = series.astype(wanted)
    changed = None
    if wanted.kind in "iub" and (settled.numerals or pd.api.types.is_numeric_dtype(series.dtype)):
        changed = (converted != series) & series.notna()
    elif floating and (settled.numerals or not is_text(settled.values.type)):
        changed = pd.Series(np.isinf(converted.to_numpy(float, na_value=np.nan)))
    if changed is not None and changed.any():
        raise ValueError(f"{wanted} does not hold {series[changed].iloc[0]}")
    return converted


def _check_ticks(settled: Settled, wanted: Any) -> None:
    """Refuse what pandas would make whole ticks of, truth values and numbers with a fraction, or nothing at all."""
    if pa.types.is_boolean(settled.values.type):
        raise ValueError("true and false are no value of it")
    if settled.values.type == pa.int64() and pc.any(pc.equal(settled.values, _NOT_A_TIME)).as_py():
        raise ValueError(f"{wanted} does not hold {_NOT_A_TIME}")
    if pa.types.is_floating(settled.values.type):
        broken = next((tick for tick in settled.values.to_pylist() if tick is not None and tick != int(tick)), None)
        if broken is not None:
            raise ValueError(f"{wanted} does not hold {broken}")


def _in_unit(series: pd.Series[Any], wanted: Any) -> pd.Series[Any]:
    """Datetimes or timedeltas in another unit, of which pandas would cut what it does not hold."""
    converted: pd.Series[Any] = series.astype(wanted)
    changed = (converted.astype(series.dtype) != series) & series.notna()
    if changed.any():
        raise ValueError(f"{wanted} does not hold {series[changed].iloc[0]}")
    return converted


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{shown(text)} is no number") from None


def _floats(numerals: pa.ChunkedArray) -> pd.Series[Any]:
    """Each number as the nearest float, which Arrow's own way from a Decimal does not always find."""
    numbers = [None if text is None else float(text) for text in numerals.to_pylist()]
    if any(number is not None and math.isinf(number) for number in numbers):
        beyond = next(text for text in numerals.to_pylist() if text is not None and math.isinf(float(text)))
        raise ValueError(f"a float does not hold {shown(Decimal(beyond))}")
    return pd.Series(_FLOAT.__from_arrow__(pa.chunked_array([pa.array(numbers, pa.float64())])))


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
        arguments = {"unit" if options in _UNITS else "format": options}
    try:
        return pd.to_datetime(series, **arguments)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ColumnConversionError(f"Column {name!r} cannot be read as dates: {exc}", column=name) from exc
