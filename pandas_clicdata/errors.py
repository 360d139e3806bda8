"""The errors of pandas_clicdata: one tree, so that ``except cd.ClicDataError`` catches them all.

::

    ClicDataError
    ├── ConfigurationError (ValueError)       a setting is missing or wrong
    │   └── NoCredentialsError                there are no credentials at all
    ├── TransportError                        the request or its reply did not get through
    │   ├── ConnectionFailedError (ConnectionError)   no connection: nothing was sent
    │   ├── ConnectionLostError (ConnectionError)     lost after sending began
    │   ├── RequestTimeoutError (TimeoutError)        no reply in time
    │   └── RedirectError                             sent elsewhere, which is not followed
    ├── ApiError                              ClicData answered with an error
    │   ├── AuthenticationError (PermissionError)     credentials or token refused
    │   ├── PermissionDeniedError (PermissionError)   not allowed, or a scope is missing
    │   ├── NotFoundError (LookupError)               no such thing at that address
    │   ├── RateLimitError                            too many requests, for too long
    │   ├── ServerError                               a failure inside the service
    │   └── ApiVersionError (ValueError)              the API version is not spoken there
    ├── UnexpectedReplyError                  a reply in no shape that is known
    ├── TableNotFoundError (LookupError)      no table of that RecId or name
    ├── ColumnNotFoundError (LookupError)     the table has no column of that name
    ├── TableExistsError (ValueError)         the name is taken, and ``if_exists="fail"``
    ├── FrameError (ValueError)               the data cannot be sent as it is
    │   ├── ColumnNameError                   names missing, colliding or not text
    │   ├── ColumnMismatchError               the frame's columns are not the table's
    │   ├── UnsupportedTypeError (TypeError)  a column of a type that has no ClicData type
    │   └── CellValueError                    a value that cannot be sent exactly
    ├── ColumnConversionError (ValueError)    a column read cannot be given the dtype asked for
    ├── IncompleteReadError                   the rows read are not the whole table
    └── IncompleteWriteError                  not all rows are known to be in the table
        ├── AmbiguousWriteError               the fate of some rows is unknown
        └── PartialWriteError                 ClicData counted other rows than were sent

Every error carries what is known as keyword-only fields (``operation``, ``status``, ``code``, …), ``None`` where
it is not. No error ever holds a credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "AmbiguousWriteError",
    "ApiError",
    "ApiVersionError",
    "AuthenticationError",
    "CellValueError",
    "ClicDataError",
    "ColumnConversionError",
    "ColumnMismatchError",
    "ColumnNameError",
    "ColumnNotFoundError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "FrameError",
    "IncompleteReadError",
    "IncompleteWriteError",
    "IndexNotSentWarning",
    "NoCredentialsError",
    "NotFoundError",
    "PartialWriteError",
    "PermissionDeniedError",
    "RateLimitError",
    "RedirectError",
    "RequestTimeoutError",
    "ServerError",
    "TableExistsError",
    "TableNotFoundError",
    "TransportError",
    "UnexpectedReplyError",
    "UnsupportedTypeError",
]

RowRange = tuple[int, int]


class ClicDataError(Exception):
    """Base of every error this package raises.

    Parameters
    ----------
    message : str
        A sentence for a person: what was wrong, where, and what to do.
    operation : str, optional
        The operation of the API, such as ``"insert"`` or ``"read"``.
    ambiguous : bool, default False
        Whether the request may have been carried out although it failed.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> issubclass(cd.TableNotFoundError, (cd.ClicDataError, LookupError))
    True
    """

    def __init__(self, message: str = "", *, operation: str | None = None, ambiguous: bool = False) -> None:
        super().__init__(message)
        self.operation = operation
        self.ambiguous = ambiguous


class ConfigurationError(ClicDataError, ValueError):
    """A setting is missing, wrong or unsafe; nothing was sent."""


class NoCredentialsError(ConfigurationError):
    """No credentials in the arguments, the environment or a profile."""


class TransportError(ClicDataError):
    """The request or its reply did not get through.

    Parameters
    ----------
    message : str
        What happened.
    attempts : int, default 1
        How often the request was tried.
    """

    def __init__(self, message: str = "", *, attempts: int = 1, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.attempts = attempts


class ConnectionFailedError(TransportError, ConnectionError):
    """No connection could be made, so the service has seen nothing."""


class ConnectionLostError(TransportError, ConnectionError):
    """The connection broke after sending began; the service may have seen the request."""


class RequestTimeoutError(TransportError, TimeoutError):
    """No whole reply came within the time-out; the service may still be working."""


class RedirectError(TransportError):
    """The reply points to another address. Credentials are not carried there."""


class ApiError(ClicDataError):
    """ClicData answered with an error.

    Parameters
    ----------
    message : str
        The error in a sentence.
    status : int, optional
        The HTTP status. An error can come with 200 (P).
    code, description : str, optional
        What the error body says.
    request_id : str, optional
        The request's id, where a reply header names one.
    attempts : int, default 1
        How often the request was tried.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        description: str | None = None,
        request_id: str | None = None,
        attempts: int = 1,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.status = status
        self.code = code
        self.description = description
        self.request_id = request_id
        self.attempts = attempts


class AuthenticationError(ApiError, PermissionError):
    """The credentials or the token were refused."""


class PermissionDeniedError(ApiError, PermissionError):
    """The account or token may not do this; a scope may be missing."""


class NotFoundError(ApiError, LookupError):
    """There is nothing at that address."""


class RateLimitError(ApiError):
    """The service still said "too many requests" after every wait it asked for."""


class ServerError(ApiError):
    """The service failed inside (HTTP 5xx)."""


class ApiVersionError(ApiError, ValueError):
    """The service does not speak the API version that was asked for."""


class UnexpectedReplyError(ApiError):
    """A reply whose shape is not known; the message holds the request line and a redacted excerpt."""


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
    """

    def __init__(self, message: str = "", *, column: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.column = column


class IncompleteReadError(ClicDataError):
    """The rows received are not the whole table, so no frame is returned.

    Parameters
    ----------
    message : str
        What is missing.
    rec_id : int, optional
        The table.
    page : int, optional
        The page at which it was noticed.
    received : int, optional
        Rows received until then.
    expected : int, optional
        Rows the service said there are.
    """

    def __init__(
        self,
        message: str = "",
        *,
        rec_id: int | None = None,
        page: int | None = None,
        received: int | None = None,
        expected: int | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.page = page
        self.received = received
        self.expected = expected


class IncompleteWriteError(ClicDataError):
    """Not all rows are known to be in the table.

    The three lists hold ``(start, stop)`` row positions of the frame, half open as Python's slices are. They are
    disjoint and together cover the frame, so ``df.iloc[start:stop]`` gives the rows.

    Parameters
    ----------
    message : str
        What happened, to which rows.
    rec_id : int, optional
        The table, if it is there.
    name : str, optional
        Its name, if that is known.
    confirmed : sequence of (int, int)
        Rows that the service said it took.
    unknown : sequence of (int, int)
        Rows that were sent, and may or may not be in the table.
    unsent : sequence of (int, int)
        Rows that are not in the table: not sent, or refused.
    """

    def __init__(
        self,
        message: str = "",
        *,
        rec_id: int | None = None,
        name: str | None = None,
        confirmed: Sequence[RowRange] = (),
        unknown: Sequence[RowRange] = (),
        unsent: Sequence[RowRange] = (),
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.name = name
        self.confirmed = list(confirmed)
        self.unknown = list(unknown)
        self.unsent = list(unsent)


class AmbiguousWriteError(IncompleteWriteError):
    """The fate of some rows is unknown: they were sent, and no reply says what became of them."""


class PartialWriteError(IncompleteWriteError):
    """ClicData counted other rows than were sent.

    Parameters
    ----------
    message : str
        What happened, to which rows.
    sent, counted : int, optional
        Rows in the request, and rows the reply counted.
    """

    def __init__(
        self, message: str = "", *, sent: int | None = None, counted: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.sent = sent
        self.counted = counted


class IndexNotSentWarning(UserWarning):
    """The frame's index carries data, and is not sent."""
