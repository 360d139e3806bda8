"""Make columns and frames for the tests of types, and prepare them for sending."""

import pandas as pd
import pyarrow as pa

from pandas_clicdata.types import ingest, plan


def objects(*values):
    """Return a column of Python objects."""
    return pd.Series(values, dtype=object)


def arrow(arrow_type, *values):
    """Return a column that is stored in Arrow."""
    array = pa.array(values, arrow_type)
    return pd.Series(pd.arrays.ArrowExtensionArray(array), dtype=pd.ArrowDtype(arrow_type))


def arrow_frame(array):
    """Return a frame whose column ``x`` is an Arrow array."""
    return pd.DataFrame({"x": pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))})


def frame(*values):
    """Return the source of a frame whose column ``x`` has Python objects."""
    return ingest.as_source(pd.DataFrame({"x": pd.Series(values, dtype=object)}))


def ready(obj, **columns):
    """Return the values of a frame or table as they are sent, by column."""
    source = ingest.as_source(obj)
    return plan.prepare_table(source, plan.plan_columns(source, columns)).to_pydict()


def prepared(array, wanted=None):
    """Return the values of an Arrow array as they are sent, as text."""
    source = ingest.as_source(pa.table({"x": array}))
    return plan.prepare_table(source, plan.plan_columns(source, wanted and {"x": wanted}))["x"].cast(pa.string())


def of_ticks(ticks, arrow_type):
    """Return an Arrow array of dates or times from integers."""
    bits = pa.int32() if arrow_type.bit_width == 32 else pa.int64()
    return pa.array(ticks, bits).cast(arrow_type)
