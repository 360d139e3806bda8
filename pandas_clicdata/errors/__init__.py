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

from pandas_clicdata.errors.base import (
    ClicDataError,
)
from pandas_clicdata.errors.completeness import (
    AmbiguousWriteError,
    IncompleteReadError,
    IncompleteWriteError,
    JournalInUseError,
    PartialWriteError,
    ReplaceIncompleteError,
    ResumeError,
    VerificationError,
)
from pandas_clicdata.errors.completeness import (
    RowRange as RowRange,
)
from pandas_clicdata.errors.data import (
    CellValueError,
    ColumnConversionError,
    ColumnMismatchError,
    ColumnNameError,
    ColumnNotFoundError,
    FrameError,
    IndexNotSentWarning,
    RowsExistError,
    TableExistsError,
    TableNotFoundError,
    TooManyRowsError,
    UnsupportedTypeError,
)
from pandas_clicdata.errors.records import (
    RecordLookupError,
    ScheduleError,
    ScheduleFailedError,
    ScheduleStateError,
    ScheduleTimeoutError,
)
from pandas_clicdata.errors.service import (
    ApiError,
    ApiVersionError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    NoCredentialsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    ReplyTooLargeError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)

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
