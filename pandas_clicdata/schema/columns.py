"""From Arrow to pandas, column by column, without the detour through float that loses whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from pandas_clicdata.schema.incoming import Settled, arrow_column, is_text

_NULLABLE: Mapping[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def own_text_dtype() -> Any:
    """Return what pandas itself makes of text: ``object`` in 2, ``str`` in 3, or as its options say."""
    return pd.Series([""]).dtype


def arrow_series(values: pa.Array | pa.ChunkedArray) -> pd.Series[Any]:
    """Make a column that is stored in Arrow."""
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def float_series(values: pa.ChunkedArray) -> pd.Series[Any]:
    """Make a column of nullable floats."""
    nullable: Any = pd.Float64Dtype()
    return pd.Series(nullable.__from_arrow__(values))


def default_series(settled: Settled, dtype_backend: str | None, *, stable: bool = False) -> pd.Series[Any]:
    """Make the column that a backend has for such values.

    ``stable`` makes it nullable where it is by chance that nothing is null, as in a chunk.
    """
    values = settled.values
    if dtype_backend == "pyarrow":
        return arrow_series(arrow_column(settled))
    if settled.numerals:
        make = int if settled.whole else Decimal
        return pd.Series([None if text is None else make(text) for text in values.to_pylist()], dtype=object)
    if pa.types.is_decimal(values.type) and values.type.scale == 0:
        return pd.Series([None if number is None else int(number) for number in values.to_pylist()], dtype=object)
    if dtype_backend == "numpy_nullable":
        if is_text(values.type):
            return pd.Series(pd.array(values.to_pylist(), dtype="string"))
        if pa.types.is_floating(values.type):
            return float_series(values)
    nullable = _NULLABLE.get(values.type)
    if nullable is not None and (values.null_count or stable or dtype_backend == "numpy_nullable"):
        return pd.Series(nullable.__from_arrow__(values))
    series: pd.Series[Any] = values.to_pandas()
    # Up to pyarrow 23, text that is missing throughout comes as objects, also in pandas 3.
    return pd.Series(series, dtype=own_text_dtype()) if is_text(values.type) else series
