"""Columns that come without rows to send: declared by type, or as those of a frame; and one row of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata.errors import FrameError
from pandas_clicdata.models import ColumnType
from pandas_clicdata.schema.door import enter
from pandas_clicdata.schema.plan import ColumnPlan, plan_columns


def plan_declared(columns: object) -> list[ColumnPlan]:
    """Decide what the columns of a table become that is made without rows.

    Parameters
    ----------
    columns : mapping of str to type, Series, DataFrame, pyarrow.Table or object
        ClicData types by name, or dtypes, or ``df.dtypes``: as columns of that dtype without values. Or the frame or
        table itself, or another with ``__arrow_c_stream__``: as its values are.

    Raises
    ------
    FrameError
        Names or types are none that a table can have.
    TypeError
        It is none of these.
    """
    if isinstance(columns, pd.Series | Mapping):
        return _plan_types([*columns.items()])
    if not hasattr(columns, "__arrow_c_stream__"):
        raise TypeError(
            "The columns of a table are a dict of name and type, such as {'flight': 'text'}, or a frame's dtypes, or"
            f" the frame itself, not {columns!r}."
        )
    return plan_columns(enter(columns))


def one_row(label: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of one row, its label what the values are called.

    Raises
    ------
    FrameError
        One of them is no single value.
    """
    series = {}
    for name, value in values.items():
        if not pd.api.types.is_scalar(value):
            raise FrameError(
                f"{label}= gives column {name!r} a {type(value).__name__}, which is no single value: text, a number,"
                " True, False, a date, a datetime.",
                column=name,
            )
        # Of a float32, the digits that it has as one.
        dtype: Any = value.dtype if isinstance(value, np.floating) and not np.isnan(value) else object
        series[name] = pd.Series([value], index=[label], dtype=dtype)
    return pd.DataFrame(series, index=[label])


def _plan_types(columns: list[tuple[Any, Any]]) -> list[ColumnPlan]:
    empty, overrides = {}, {}
    for position, (name, wanted) in enumerate(columns):
        if isinstance(wanted, str) and wanted in list(ColumnType):
            empty[position] = pd.Series([], dtype=object)
            overrides[str(name)] = wanted
        else:
            empty[position] = _empty(name, wanted)
    frame = pd.DataFrame(empty)
    frame.columns = pd.Index([name for name, _ in columns], dtype=object, tupleize_cols=False)
    return plan_columns(enter(frame), overrides)


def _empty(name: object, wanted: Any) -> pd.Series[Any]:
    """A column of a dtype, without values."""
    if isinstance(wanted, str | np.dtype | pd.api.extensions.ExtensionDtype | pa.DataType | type):
        try:
            return pd.Series([], dtype=pd.ArrowDtype(wanted) if isinstance(wanted, pa.DataType) else wanted)
        except (TypeError, ValueError, NotImplementedError):
            pass
    types = ", ".join(ColumnType)
    raise FrameError(
        f"Column {name!r} is to be of type {wanted!r}, and there is none; the types are {types}, or name a dtype of"
        " pandas, such as 'float64'.",
        column=str(name),
    )
