"""What the rooms hand to each other: frozen, plain, and without behaviour that needs the network."""

from pandas_clicdata.models.exchange import (
    DEFAULT_TIMEOUT,
    NO_MORE_TRIES,
    Exchange,
    Reply,
    Request,
    RetryPolicy,
    Secret,
)
from pandas_clicdata.models.results import Account, InsertCounts, WriteResult, WriteStatus
from pandas_clicdata.models.tables import (
    BATCH_ROWS,
    ROW_ID_TYPES,
    Column,
    ColumnType,
    Decoded,
    Encoding,
    Framing,
    Kind,
    Page,
    PlannedColumn,
    TableList,
    TableRef,
    Wire,
)

__all__ = [
    "BATCH_ROWS",
    "DEFAULT_TIMEOUT",
    "NO_MORE_TRIES",
    "ROW_ID_TYPES",
    "Account",
    "Column",
    "ColumnType",
    "Decoded",
    "Encoding",
    "Exchange",
    "Framing",
    "InsertCounts",
    "Kind",
    "Page",
    "PlannedColumn",
    "Reply",
    "Request",
    "RetryPolicy",
    "Secret",
    "TableList",
    "TableRef",
    "Wire",
    "WriteResult",
    "WriteStatus",
]
