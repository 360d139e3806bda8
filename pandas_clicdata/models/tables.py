"""Tables, columns and pages, and how columns are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

BATCH_ROWS = 500
"""Rows a request may carry at most (P: 2022.01)."""

MultipleRows = Literal["all", "first"]
"""Which of the rows that match a condition an update or a delete takes (S P)."""

RepeatedPages = Literal["check", "accept"]
"""Whether a page that has the rows of an earlier one must be proven right, or is accepted."""

RefreshMethod = Literal["recreate", "reload", "update", "append", "updateappend"]
"""How a table is filled anew from its source, as the source documents name it (S)."""


class ColumnType(StrEnum):
    """The column types of ClicData (P)."""

    TEXT = "text"
    NUMBER = "number"
    DATETIME = "datetime"
    DATE = "date"
    PERCENTAGE = "percentage"
    CHECKBOX = "checkbox"
    DROPDOWN = "dropdown"


ROW_ID_TYPES = frozenset({"id", "rec_id"})
"""What the type of the row id column is called, in two ages of the service (P)."""


@dataclass(frozen=True)
class Column:
    """A column of a ClicData table; its type is text, for the service may have types unknown here."""

    name: str
    data_type: str


class Kind(Enum):
    """What JSON says a column's values are."""

    NULL = "nothing but null"
    INTEGER = "whole numbers"
    FLOAT = "numbers"
    LITERAL = "numbers that only their text gives back"
    BOOLEAN = "true or false"
    TEXT = "text"


@dataclass(frozen=True)
class Decoded:
    """A column as it came, for a page or many: int64 or uint64, float64, bool, or text.

    ``whole`` tells of LITERAL numbers that each is a whole number.
    """

    kind: Kind
    array: ChunkedArray = field(repr=False)
    whole: bool = False


class Encoding(StrEnum):
    """How a planned column's Arrow values are written in JSON."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    LITERAL = "literal"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATETIME = "datetime"
    DATE = "date"


@dataclass(frozen=True)
class Wire:
    """How a column is written in JSON; ``quoted`` makes text of numbers and truth values."""

    encoding: Encoding
    quoted: bool = False


@dataclass(frozen=True)
class PlannedColumn:
    """What becomes of one column of a frame."""

    name: str
    dtype: str
    data_type: ColumnType
    wire: Wire
    note: str = ""


@dataclass(frozen=True)
class Framing:
    """The JSON around a row's cells: ``opening + (prefixes[i] + cell) for each column + closing``."""

    opening: str
    prefixes: tuple[str, ...]
    closing: str


@dataclass(frozen=True)
class TableRef:
    """A table of the account; ``fields`` is all that the service said of it."""

    rec_id: int
    name: str | None = None
    description: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        return f"RecId {self.rec_id}" if self.name is None else f"{self.name!r} (RecId {self.rec_id})"


@dataclass(frozen=True)
class TableList:
    """One page of the account's tables."""

    tables: Sequence[TableRef]
    has_more: bool | None
    total: int | None


@dataclass(frozen=True)
class Page:
    """One page of a table's rows, each a mapping of column to JSON value, numbers exact.

    Of ``total`` (rows in the whole table), ``number`` (this page's) and ``has_more``, each is None where the reply
    does not say.
    """

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    columns: Sequence[Column] | None = None
    has_more: bool | None = None
    total: int | None = None
    number: int | None = None
