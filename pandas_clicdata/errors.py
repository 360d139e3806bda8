"""The errors of pandas_clicdata: one tree, so that ``except cd.ClicDataError`` catches them all.

::

    ClicDataError
    ├── ConfigurationError (ValueError)       a setting is missing or wrong
    │   └── NoCredentialsError                there are no credentials at all
    ├── TransportError                        the request or its reply did not get through
    │   ├── ConnectionFailedError (ConnectionError)   no connection: nothing was sent
    │   ├── ConnectionLostError (ConnectionError)     lost after sending began
    │   ├── RequestTimeoutError (TimeoutError)        no reply in time
    │   ├── RedirectError                             sent elsewhere, which is not followed
    │   └── ReplyTooLargeError                        a reply larger than ``max_reply_bytes``
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
    ├── IncompleteWriteError                  not all rows are known to be in the table
    │   ├── AmbiguousWriteError               the fate of some rows is unknown
    │   ├── PartialWriteError                 ClicData counted other rows than were sent
    │   ├── VerificationError                 what was read back is not what was sent
    │   └── ReplaceIncompleteError            a replace stopped on its way; the old rows are in its backup
    ├── RowsExistError (ValueError)           the table has rows with these keys already
    ├── TooManyRowsError (ValueError)         a delete would take more rows than ``max_rows``
    ├── RecordLookupError (LookupError)       no dashboard, schedule, team or user of that name, or several
    ├── ScheduleError                         a triggered schedule whose run did not end well
    │   ├── ScheduleFailedError               it failed
    │   ├── ScheduleTimeoutError (TimeoutError)       it had not ended in time
    │   └── ScheduleStateError                the service does not say how far it is
    └── ResumeError (ValueError)              a token or journal is not that of this write
        └── JournalInUseError                 another process is writing by that journal

Every error carries what is known as keyword-only fields (``operation``, ``status``, ``code``, …), ``None`` where
it is not. No error ever holds a credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def printable(text: str, keep: str = "") -> str:
    """Escape what a terminal would not print but act on: control characters, and those that reverse what follows.

    Parameters
    ----------
    text : str
        A text that may come from the service.
    keep : str, optional
        Characters to leave as they are.

    Examples
    --------
    >>> printable("a\\x1b[2Jb\\u202ec\\n")
    'a\\\\x1b[2Jb\\\\u202ec\\\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in text
    )


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
        # Names of tables and columns come from the service, whatever is in them. Lines are our own.
        super().__init__(printable(message, keep="\n") if isinstance(message, str) else message)
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


class ReplyTooLargeError(TransportError):
    """The reply is larger than ``max_reply_bytes``; it was not read to its end."""


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


RowRange = tuple[int, int]


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
    resume : dict, optional
        A token, plain JSON without secrets or values of the frame, that ``push`` and ``append`` take to go on. None
        where a write cannot be gone on with: that of a stream, and those that can simply be made again.
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
        resume: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.name = name
        self.confirmed = list(confirmed)
        self.unknown = list(unknown)
        self.unsent = list(unsent)
        self.resume = resume


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


class VerificationError(IncompleteWriteError):
    """What was read back is not what was sent: other rows, nulls or values.

    Parameters
    ----------
    message : str
        The differences.
    differences : sequence of str
        Each of them in a sentence.
    """

    def __init__(self, message: str = "", *, differences: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.differences = list(differences)


class ReplaceIncompleteError(IncompleteWriteError):
    """A replace stopped on its way: the table may hold some old rows, some new ones, or none.

    Parameters
    ----------
    message : str
        What happened.
    backup : str, optional
        The Parquet file that holds every old row; ``cd.restore(backup, table)`` puts them back. None if there were
        none.
    """

    def __init__(self, message: str = "", *, backup: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.backup = backup


class ResumeError(ClicDataError, ValueError):
    """A resume token or journal does not belong to this write, or cannot be read; nothing was sent."""


class JournalInUseError(ResumeError):
    """Another process, or another write of this one, is using the journal; nothing was sent."""


class RecordLookupError(ClicDataError, LookupError):
    """A RecId or name that means no dashboard, schedule, team or user, or several of them.

    Parameters
    ----------
    message : str
        Which, and what there is.
    names : sequence of str
        The names that were meant perhaps, or all those that match.
    """

    def __init__(self, message: str = "", *, names: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.names = list(names)


class ScheduleError(ClicDataError):
    """A schedule was triggered, but its run did not end well, or how it ended is not known.

    Parameters
    ----------
    message : str
        What happened.
    rec_id : int, optional
        The schedule's RecId.
    record : dict, optional
        The last that the service said of the schedule.
    """

    def __init__(
        self, message: str = "", *, rec_id: int | None = None, record: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.record = dict(record or {})


class ScheduleFailedError(ScheduleError):
    """The run of a schedule failed."""


class ScheduleTimeoutError(ScheduleError, TimeoutError):
    """The run of a schedule had not ended after ``timeout`` seconds; it may still be going on."""


class ScheduleStateError(ScheduleError):
    """The service does not say, in words that are known, how far a schedule is."""


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
    "JournalInUseError",
    "NoCredentialsError",
    "NotFoundError",
    "PartialWriteError",
    "PermissionDeniedError",
    "RateLimitError",
    "RecordLookupError",
    "RedirectError",
    "ReplaceIncompleteError",
    "ReplyTooLargeError",
    "RequestTimeoutError",
    "ResumeError",
    "RowsExistError",
    "ScheduleError",
    "ScheduleFailedError",
    "ScheduleStateError",
    "ScheduleTimeoutError",
    "ServerError",
    "TableExistsError",
    "TableNotFoundError",
    "TooManyRowsError",
    "TransportError",
    "UnexpectedReplyError",
    "UnsupportedTypeError",
    "VerificationError",
]
