"""The type table, pandas and Arrow to ClicData and back: plans before a write, types after a read."""

from pandas_clicdata.schema.declared import one_row, plan_declared
from pandas_clicdata.schema.door import Door, enter, warn_of_index
from pandas_clicdata.schema.frames import DtypeBackend, checked_backend, to_frame
from pandas_clicdata.schema.homes import Home, homes
from pandas_clicdata.schema.incoming import (
    Settled,
    arrow_column,
    conform,
    fixed_type,
    number_type,
    settle,
    wants_text,
)
from pandas_clicdata.schema.plan import (
    ColumnPlan,
    fit_to_table,
    plan_columns,
    ready_batch,
    ready_table,
    schema_frame,
)
from pandas_clicdata.schema.values import shown

__all__ = [
    "ColumnPlan",
    "Door",
    "DtypeBackend",
    "Home",
    "Settled",
    "arrow_column",
    "checked_backend",
    "conform",
    "enter",
    "fit_to_table",
    "fixed_type",
    "homes",
    "number_type",
    "one_row",
    "plan_columns",
    "plan_declared",
    "ready_batch",
    "ready_table",
    "schema_frame",
    "settle",
    "shown",
    "to_frame",
    "wants_text",
    "warn_of_index",
]
