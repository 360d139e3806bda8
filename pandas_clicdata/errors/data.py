"""What is wrong with a table, a column or a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pandas_clicdata.errors.base import ClicDataError


class TableNotFoundError(ClicDataError, LookupError):
    """No table of that RecId or name in the account."""


class TableExistsError(ClicDataError, ValueError):
    """A table of that name is there already."""


class ColumnNotFoundError(ClicDataError, LookupError):
    """The table has no column of that name."""


class FrameError(ClicDataError, ValueError):
    """The data cannot be sent as it is; nothing was sent.

    Parameters
    ----------
    message : str
        What is wrong and what to do.
    column : str, optional
        The column.
    row : object, optional
        The row's label in the index, or its position where there is no index.
    value : str, optional
        The value, as text.
    """

    def __init__(
        self, message: str = "", *, column: str | None = None, row: Any = None, value: str | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.column = column
        self.row = row
        self.value = value


class ColumnNameError(FrameError):
    """Column names are missing, collide, or are not text."""


class ColumnMismatchError(FrameError):
    """The frame's columns are not the table's.

    Parameters
    ----------
    message : str
        The difference, side by side.
    missing, extra : sequence of str
        Columns that only the table has, and that only the frame has.
    differing : sequence of (str, str, str)
        Column, the frame's type, the table's type.
    """

    def __init__(
        self,
        message: str = "",
        *,
        missing: Sequence[str] = (),
        extra: Sequence[str] = (),
        differing: Sequence[tuple[str, str, str]] = (),
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.missing = list(missing)
        self.extra = list(extra)
        self.differing = list(differing)


class UnsupportedTypeError(FrameError, TypeError):
    """A column's type has no ClicData type."""


class CellValueError(FrameError):
    """A value cannot be sent exactly."""


class ColumnConversionError(ClicDataError, ValueError):
    """A column that was read cannot be given the dtype that was asked for.

    Parameters
    ----------
    message : str
        Which, and why.
    column : str, optional
        The column.
    row : object, optional
        The row, counted from 0, where one value is at fault.
    value : str, optional
        The value, as text.
    """

    def __init__(
        self, message: str = "", *, column: str | None = None, row: Any = None, value: str | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.column = column
        self.row = row
        self.value = value


class RowsExistError(ClicDataError, ValueError):
    """The table already has rows with keys of the frame, so that a key would not tell which rows were sent.

    Parameters
    ----------
    message : str
        Which.
    rows : int, optional
        How many rows of the frame that are.
    """

    def __init__(self, message: str = "", *, rows: int | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.rows = rows


class TooManyRowsError(ClicDataError, ValueError):
    """A delete would take more rows than ``max_rows`` allows; nothing was deleted.

    Parameters
    ----------
    message : str
        How many.
    rows : int, optional
        Rows of the table that would go.
    max_rows : int, optional
        How many may go.
    """

    def __init__(
        self, message: str = "", *, rows: int | None = None, max_rows: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.rows = rows
        self.max_rows = max_rows


class IndexNotSentWarning(UserWarning):
    """The frame's index carries data, and is not sent."""
