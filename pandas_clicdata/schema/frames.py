"""From columns that were read to a DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from pandas_clicdata.errors import ColumnConversionError
from pandas_clicdata.schema.casts import cast
from pandas_clicdata.schema.columns import default_series, own_text_dtype
from pandas_clicdata.schema.homes import Home
from pandas_clicdata.schema.incoming import Settled

DtypeBackend = Literal["numpy_nullable", "pyarrow"]
ParseDates = Sequence[str] | Mapping[str, Any]

_UNITS = frozenset({"D", "d", "h", "m", "s", "ms", "us", "ns"})
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
        arguments = {"unit" if options in _UNITS else "format": options}
    try:
        return pd.to_datetime(series, **arguments)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ColumnConversionError(f"Column {name!r} cannot be read as dates: {exc}", column=name) from exc
