"""``schema=`` of a read: from a column's text back into the very dtype it had, by the type table's own way back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata.models import ColumnType
from pandas_clicdata.schema.incoming import holds_objects, is_text, texts
from pandas_clicdata.schema.landing import Landing
from pandas_clicdata.schema.makers import OF_OBJECTS, Make, held_by, maker
from pandas_clicdata.schema.sources import AWARE, NUMBERS, Source
from pandas_clicdata.schema.values import TEXT, shown

_HOLDS = "holds"
_OF_TYPE: Mapping[str, Any] = {
    ColumnType.TEXT: str,
    ColumnType.DROPDOWN: str,
    ColumnType.NUMBER: NUMBERS,
    ColumnType.PERCENTAGE: NUMBERS,
    ColumnType.CHECKBOX: bool,
    ColumnType.DATE: dt.date,
    ColumnType.DATETIME: dt.datetime,
}
"""What Python objects a column holds of which no more is known than its ClicData type."""

_ARROW_OF: Mapping[Any, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    float: pa.float64(),
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us"),
    AWARE: pa.timestamp("us", "UTC"),
    dt.timedelta: pa.duration("ns"),
    bytes: pa.binary(),
}


@dataclass(frozen=True)
class Home:
    """The dtype that a column is to come home in.

    Attributes
    ----------
    dtype : dtype
        The dtype.
    make : callable
        From the values' text to the column.
    holds : object
        What Python objects it holds, if it does.
    """

    dtype: Any
    make: Make
    holds: Any = None

    @cached_property
    def arrow_type(self) -> pa.DataType | None:
        """What it is among Arrow batches; None for what Arrow has no one type for, and stays text."""
        dtype = _dense_dtype(self.dtype)
        if self.holds is not None:
            return _ARROW_OF.get(self.holds)
        if isinstance(dtype, pd.ArrowDtype):
            return dtype.pyarrow_dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            return _zoned(dtype)
        if isinstance(dtype, pd.CategoricalDtype) and isinstance(dtype.categories.dtype, pd.DatetimeTZDtype):
            # Up to pyarrow 23, Arrow's own type of these has no zone.
            codes = pd.Series([], dtype=dtype).cat.codes.dtype
            return pa.dictionary(pa.from_numpy_dtype(codes), _zoned(dtype.categories.dtype), bool(dtype.ordered))
        try:
            found = pa.array(self._dense(self.series("", pa.chunked_array([], TEXT)))).type
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            return None
        values = found.value_type if pa.types.is_dictionary(found) else found
        return None if isinstance(values, pa.BaseExtensionType) or pa.types.is_null(values) else found

    def series(self, name: str, values: pa.ChunkedArray, first_row: int = 0) -> pd.Series[Any]:
        """Make the column.

        Raises
        ------
        ColumnConversionError
            Of the first value that the dtype does not hold.
        """
        written = values if is_text(values.type) else pa.chunked_array([pa.array(texts(values), TEXT)])
        return self.make(written.cast(TEXT), Landing(name, lambda position: first_row + position, self.dtype))

    def array(self, name: str, values: pa.ChunkedArray, first_row: int) -> pa.Array:
        """Make the column of a batch."""
        if self.arrow_type is None:
            return values.combine_chunks()
        made = pa.array(self._dense(self.series(name, values, first_row)), self.arrow_type)
        return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made

    @staticmethod
    def _dense(series: pd.Series[Any]) -> pd.Series[Any]:
        return pd.Series(series.array.to_dense()) if isinstance(series.dtype, pd.SparseDtype) else series


def _zoned(dtype: pd.DatetimeTZDtype) -> pa.DataType:
    zone = str(dtype.tz)
    return pa.timestamp(dtype.unit, zone if zone in available_timezones() else "UTC")


def told_dtype(source: Source) -> Any:
    """A column's dtype; that of Python objects carries what they are, which its name does not tell."""
    holds = held_by(source) if holds_objects(source.dtype) else None
    return source.dtype if holds is None else np.dtype(object, metadata={_HOLDS: holds})


def homes(schema: Any) -> dict[str, Any]:
    """Return for each column of ``schema=`` its home, or its dtype if that says too little for one.

    Raises
    ------
    TypeError
        It is no schema.
    ValueError
        It names a column twice, or a dtype that pandas does not know or ClicData has nothing of.
    """
    if schema is None:
        return {}
    if isinstance(schema, pd.DataFrame) and {"column", "dtype"} <= {*schema.columns}:
        types = schema["clicdata_type"] if "clicdata_type" in schema.columns else [None] * len(schema)
        entries = list(zip(schema["column"], schema["dtype"], types, strict=True))
    elif isinstance(schema, pa.Schema):
        entries = [(field.name, field.type, None) for field in schema]
    elif isinstance(schema, Mapping | pd.Series):
        entries = [(name, dtype, None) for name, dtype in schema.items()]
    else:
        lacks = " without columns named 'column' and 'dtype'" if isinstance(schema, pd.DataFrame) else ""
        raise TypeError(
            "schema= is what df.clicdata.schema() gives, an Arrow schema, or a dict of column to dtype, not a"
            f" {type(schema).__name__}{lacks}."
        )
    found: dict[str, Any] = {}
    for label, dtype, data_type in entries:
        name = str(label)
        if name in found:
            raise ValueError(f"schema= names column {name!r} twice.")
        try:
            found[name] = _home(_known(dtype), data_type)
        except (TypeError, ValueError, NotImplementedError) as exc:
            do = " Give a dtype itself where its name does not say all of it." if isinstance(dtype, str) else ""
            raise ValueError(
                f"schema= gives column {name!r} the dtype {shown(dtype)}, in which nothing can be read.{do} ({exc})"
            ) from exc
    return found


def _known(dtype: Any) -> Any:
    if dtype is None:
        raise TypeError("pandas would take None for float64")
    if isinstance(dtype, pa.DataType):
        return pd.ArrowDtype(dtype)
    if isinstance(dtype, type) and dtype in OF_OBJECTS and dtype not in (str, int, float, bool, complex, bytes):
        return np.dtype(object, metadata={_HOLDS: dtype})
    return pd.api.types.pandas_dtype(dtype)


def _dense_dtype(dtype: Any) -> Any:
    return dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype


def _home(dtype: Any, data_type: Any) -> Any:
    holds = None
    inner = _dense_dtype(dtype)
    if holds_objects(inner):
        holds = dict(inner.metadata or {}).get(_HOLDS)
        holds = _OF_TYPE.get(data_type) if holds is None else holds
        if holds is None:
            return dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None:
        return dtype
    return Home(dtype, maker(dtype, holds), holds)
