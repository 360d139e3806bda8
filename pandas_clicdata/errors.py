"""The errors of pandas_clicdata: one tree, so that ``except cd.ClicDataError`` catches all of them.

::

    ClicDataError
    ├── ConfigurationError (ValueError)       a setting is missing or invalid
    │   └── NoCredentialsError                no credentials were found
    ├── TransportError                        the request or its reply was lost
    │   ├── ConnectionFailedError (ConnectionError)   no connection: nothing was sent
    │   ├── ConnectionLostError (ConnectionError)     the connection broke after the sending began
    │   ├── RequestTimeoutError (TimeoutError)        no reply in time
    │   ├── RedirectError                             a redirect, which is not followed
    │   └── ReplyTooLargeError                        the reply is larger than ``max_reply_bytes``
    ├── ApiError                              ClicData replied with an error
    │   ├── AuthenticationError (PermissionError)     the credentials or the token were refused
    │   ├── PermissionDeniedError (PermissionError)   not allowed, or a scope is missing
    │   ├── NotFoundError (LookupError)               nothing exists at this address
    │   ├── RateLimitError                            too many requests, for too long
    │   ├── ServerError                               a failure inside ClicData
    │   ├── ApiVersionError (ValueError)              the API version is not supported
    │   └── UnexpectedReplyError                      the reply cannot be read
    ├── TableNotFoundError (LookupError)      no table has this RecId or name
    ├── ColumnNotFoundError (LookupError)     the table has no column of this name
    ├── TableExistsError (ValueError)         the name is in use, and ``if_exists="fail"``
    ├── FrameError (ValueError)               the frame cannot be sent
    │   ├── ColumnNameError                   a column name is missing, not text, or not unique
    │   ├── ColumnMismatchError               the columns of the frame and the table differ
    │   ├── SimilarKeysError                  a condition may also match a row with a similar key
    │   ├── UnsupportedTypeError (TypeError)  a column has a dtype without a ClicData type
    │   └── CellValueError                    a value cannot be sent exactly
    ├── ColumnConversionError (ValueError)    a column cannot be converted to the requested dtype
    ├── IncompleteReadError                   not all rows of the table were read
    ├── IncompleteWriteError                  not all rows are confirmed
    │   ├── AmbiguousWriteError               the outcome of some rows is unknown
    │   ├── PartialWriteError                 ClicData counted another number of rows
    │   ├── VerificationError                 the rows that were read back differ
    │   └── ReplaceIncompleteError            a replace stopped; the backup holds the old rows
    ├── RowsExistError (ValueError)           the table already has rows with these keys
    ├── TooManyRowsError (ValueError)         a delete matches more rows than ``max_rows``
    ├── RequestLimitError (ValueError)        the call needs more requests than ``max_requests``
    ├── RecordLookupError (LookupError)       no dashboard, schedule, team or user has this name, or several have
    ├── ScheduleError                         the run of a schedule did not succeed
    │   ├── ScheduleFailedError               the run failed
    │   ├── ScheduleTimeoutError (TimeoutError)       the run did not end in time
    │   └── ScheduleStateError                the state of the run is not known
    └── ResumeError (ValueError)              the call does not continue the write that stopped
        ├── UnfinishedWriteError              a write to the table stopped, and the rows may be in it
        └── JournalInUseError                 another write uses the journal

The parameters of an error are its attributes. An attribute whose value is not known is ``None``. No error holds a
credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pandas_clicdata._docstrings import inherit_parameters
from pandas_clicdata._ipython import render_traceback


def printable(text: str, keep: str = "") -> str:
    r"""Escape the characters that a terminal executes instead of printing, such as control characters.

    Parameters
    ----------
    text : str
        A text, which may come from the service.
    keep : str, optional
        Characters that are not escaped.

    Returns
    -------
    str
        The text with these characters as escape sequences.

    Examples
    --------
    >>> printable("a\x1b[2Jb\u202ec\n")
    'a\\x1b[2Jb\\u202ec\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in text
    )


class ClicDataError(Exception):
    """Base class of all errors of this package.

    The parameters are attributes. The subclasses have further ones.

    Parameters
    ----------
    message : str
        What was wrong, where, and what to do.
    operation : str, optional
        The operation of the API, such as ``"insert"`` or ``"read"``.
    ambiguous : bool, default False
        Whether ClicData may have carried out a change although the request failed.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> try:
    ...     cd.read_clicdata("Flihgts")
    ... except cd.ClicDataError as error:
    ...     print(type(error).__name__, error.ambiguous)
    TableNotFoundError False
    """

    operation: str | None
    ambiguous: bool

    _render_traceback_ = render_traceback

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherit_parameters(cls)

    def __init__(self, message: str = "", *, operation: str | None = None, ambiguous: bool = False) -> None:
        # Names of tables and columns come from the service and may hold any character. Line ends are our own.
        super().__init__(printable(message, keep="\n") if isinstance(message, str) else message)
        self.operation = operation
        self.ambiguous = ambiguous


class ConfigurationError(ClicDataError, ValueError):
    """A setting is missing, invalid or unsafe.

    Raised before a request is sent. The message names the setting, and the arguments and environment variables that set
    it.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> try:
    ...     cd.Session(api_key="hush", base_url="http://api.clicdata.com")
    ... except cd.ConfigurationError as error:
    ...     print(error)
    base_url 'http://api.clicdata.com/' would send credentials unencrypted. Use https; http is only for this machine.
    """


class NoCredentialsError(ConfigurationError):
    """There are no credentials in the arguments, the environment or a profile.

    Raised by :func:`connect` and by the first request of the default session. The message lists all ways to give
    credentials.
    """


class TransportError(ClicDataError):
    """The request or its reply was lost.

    Raised when no complete reply came, after the retries that :class:`RetryPolicy` allows. If ``ambiguous`` is False,
    the request changed nothing.

    Parameters
    ----------
    {message}
    attempts : int, default 1
        How many times the request was tried.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    attempts: int

    def __init__(self, message: str = "", *, attempts: int = 1, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.attempts = attempts


class ConnectionFailedError(TransportError, ConnectionError):
    """No connection could be made.

    Nothing was sent, so ClicData did not carry out the request. Check the network, the proxy and ``base_url``.
    """


class ConnectionLostError(TransportError, ConnectionError):
    """The connection broke after the sending began.

    Also raised for a reply that is damaged or incomplete. ClicData may have carried out the request.
    """


class RequestTimeoutError(TransportError, TimeoutError):
    """No complete reply came within the time-out.

    ClicData may have carried out the request, or may still be working on it. To wait longer, pass ``timeout=`` to
    :func:`connect`.
    """


class RedirectError(TransportError):
    """The reply is a redirect that is not followed.

    Credentials are sent to ``base_url`` only. Check that ``base_url`` is correct.
    """


class ReplyTooLargeError(TransportError):
    """The reply is larger than ``max_reply_bytes``.

    The rest of the reply was not read. To allow larger replies, pass ``max_reply_bytes=`` to :func:`connect`.
    """


class ApiError(ClicDataError):
    """ClicData replied with an error.

    Raised itself for an error that none of its subclasses describes.

    Parameters
    ----------
    {message}
    status : int, optional
        The HTTP status. ClicData also sends errors with status 200.
    code, description : str, optional
        The error code and its description in the reply.
    request_id : str, optional
        The id of the request, if a header of the reply has one. Quote it to the support of ClicData.
    attempts : int, default 1
        How many times the request was tried.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    status: int | None
    code: str | None
    description: str | None
    request_id: str | None
    attempts: int

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
    """ClicData refused the credentials or the token.

    Raised for HTTP status 401, and when ClicData issues no token. Check the credentials, or sign in again.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     try:
    ...         cd.Session(api_key="wrong", base_url=sandbox.url).whoami()
    ...     except cd.AuthenticationError as error:
    ...         print(error.status)
    401
    """


class PermissionDeniedError(ApiError, PermissionError):
    """The account or the token does not allow this operation.

    Raised for HTTP status 403. A scope of the token may be missing.
    """


class NotFoundError(ApiError, LookupError):
    """Nothing exists at this address.

    Raised for HTTP status 404. For tables, see :class:`TableNotFoundError`.
    """


class RateLimitError(ApiError):
    """ClicData refused the request because there were too many requests.

    Raised for HTTP status 429 after the retries that :class:`RetryPolicy` allows, or without a request if the wait
    would be too long. If ``ambiguous`` is False, the request changed nothing. Try again later or with fewer
    ``workers=``, or increase ``RetryPolicy(give_up_after=)``.
    """


class ServerError(ApiError):
    """ClicData failed to process the request.

    Raised for HTTP status 500 and above.
    """


class ApiVersionError(ApiError, ValueError):
    """ClicData does not support this version of the API.

    Pass another ``api_version=`` to :func:`connect`; ``"auto"`` detects it.
    """


class UnexpectedReplyError(ApiError):
    """The reply has a form that this package cannot read.

    The message holds the request line and an excerpt of the reply without credentials. Check that ``base_url`` is
    correct.
    """


class TableNotFoundError(ClicDataError, LookupError):
    """No table of the account has this RecId or name.

    The message suggests similar names.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> try:
    ...     pd.read_clicdata(99)
    ... except cd.TableNotFoundError as error:
    ...     print(error)
    There is no table with RecId 99 in this account.
    """


class TableExistsError(ClicDataError, ValueError):
    """A table of this name already exists.

    Raised by ``push`` with ``if_exists="fail"``. Choose another name, or pass ``if_exists="append"``, ``"upsert"`` or
    ``"replace"``.
    """


class ColumnNotFoundError(ClicDataError, LookupError):
    """The table has no column of this name.

    Raised by a read for a name in ``columns=`` or in another argument that names columns of the table.
    """


class _CellError(ClicDataError, ValueError):
    """Base class of the errors that name a column, a row and a value."""

    column: str | None
    row: Any
    value: str | None

    def __init__(
        self, message: str = "", *, column: str | None = None, row: Any = None, value: str | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.column = column
        self.row = row
        self.value = value


class FrameError(_CellError):
    """The frame cannot be sent as it is.

    Raised before the first request that changes something. One error names the problems of all columns.

    Parameters
    ----------
    message : str
        What was wrong, where, and what to do.
    column : str, optional
        The column.
    row : object, optional
        The label of the row in the index, or its position if there is no index.
    value : str, optional
        The value, as text.
    piece : int, optional
        The number of the frame, counted from 1, if the frames come one after the other.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    piece: int | None

    def __init__(
        self,
        message: str = "",
        *,
        column: str | None = None,
        row: Any = None,
        value: str | None = None,
        piece: int | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, column=column, row=row, value=value, **fields)
        self.piece = piece


class ColumnNameError(FrameError):
    """A column name is missing, not text, or not unique.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> try:
    ...     pd.DataFrame({"seats": [1], "Seats": [2]}).clicdata.schema()
    ... except cd.ColumnNameError as error:
    ...     print(error.column)
    Seats
    """


class SimilarKeysError(FrameError):
    """A condition may match a row of the table whose key is only similar.

    Raised before an update or a delete, if the table has keys that differ from those of the frame only in case, accents
    or spaces, in digits after the 15th, or in fractions of a second, and it is not known that ClicData tells them
    apart. Nothing was changed. ``cd.doctor(write=True)`` finds out how ClicData compares.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"plane": ["a320", "A320"], "seats": [180, 186]}).clicdata.push("Similar planes")
    >>> try:
    ...     pd.DataFrame({"plane": ["A320"]}).clicdata.delete_rows("Similar planes", on="plane")
    ... except cd.SimilarKeysError as error:
    ...     print(error.value)
    A320
    """


class ColumnMismatchError(FrameError):
    """The columns of the frame and of the table differ, or those of two frames of an iterable.

    The columns of the frame and the table are compared before rows are sent. The message shows both sides.

    Parameters
    ----------
    {message}
    missing, extra : sequence of str, optional
        Columns that only the table has, and columns that only the frame has.
    differing : sequence of (str, str, str), optional
        Columns whose types differ: the name, the type in the frame, the type in the table.
    **fields
        The attributes of :class:`FrameError`.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"flight": ["UA1545"]}).clicdata.push("Flights")
    >>> try:
    ...     pd.DataFrame({"flihgt": ["UA1545"]}).clicdata.append("Flights")
    ... except cd.ColumnMismatchError as error:
    ...     print(error.missing, error.extra)
    ['flight'] ['flihgt']
    """

    missing: list[str]
    extra: list[str]
    differing: list[tuple[str, str, str]]

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
    """A column has a dtype that no ClicData type can hold.

    The message shows how to convert the column.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> try:
    ...     pd.DataFrame({"wave": [1 + 2j]}).clicdata.push("Waves")
    ... except cd.UnsupportedTypeError as error:
    ...     print(error.column)
    wave
    """


class CellValueError(FrameError):
    """A value cannot be sent exactly.

    The message shows the column, the row and the value, and how to convert the column.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> try:
    ...     pd.DataFrame({"delay": [2.0, float("inf")]}).clicdata.push("Delays")
    ... except cd.CellValueError as error:
    ...     print(error.column, error.row, error.value)
    delay 1 inf
    """


class ColumnConversionError(_CellError):
    """A column cannot be converted to the requested dtype.

    Raised when a table is read with ``dtype=``, ``parse_dates=``, ``index_col=`` or ``schema=``.

    Parameters
    ----------
    message : str
        What was wrong, where, and what to do.
    column : str, optional
        The column.
    row : object, optional
        The number of the row, counted from 0, if one value is the cause.
    value : str, optional
        The value, as text.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """


class RowsExistError(ClicDataError, ValueError):
    """The table already has rows with keys of the frame.

    Raised by an append with ``on=``, which sends only rows with new keys. To change existing rows, use ``upsert``.

    Parameters
    ----------
    {message}
    rows : int, optional
        How many rows of the frame have such a key.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    rows: int | None

    def __init__(self, message: str = "", *, rows: int | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.rows = rows


class TooManyRowsError(ClicDataError, ValueError):
    """A delete matches more rows than ``max_rows`` allows.

    Nothing was deleted. Check the rows with ``dry_run=True``, or increase ``max_rows=``.

    Parameters
    ----------
    {message}
    rows : int, optional
        How many rows of the table match.
    max_rows : int, optional
        How many rows may be deleted.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    rows: int | None
    max_rows: int | None

    def __init__(
        self, message: str = "", *, rows: int | None = None, max_rows: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.rows = rows
        self.max_rows = max_rows


class RequestLimitError(ClicDataError, ValueError):
    """The call needs more requests than ``max_requests`` allows.

    If the number can be known beforehand, nothing was changed, and ``needed`` states it. Otherwise, this is the reason
    (``error.__cause__``) of an :class:`IncompleteWriteError` or :class:`IncompleteReadError`: the call stopped before
    the first request that was too many, and a write can be resumed.

    Parameters
    ----------
    {message}
    max_requests : int, optional
        How many requests the call may send.
    needed : int, optional
        How many requests the call needs, including those that it has sent already.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> try:
    ...     pd.DataFrame({"seats": range(5000)}).clicdata.push("Too many seats", max_requests=5)
    ... except cd.RequestLimitError as error:
    ...     print(error.max_requests, error.needed > 10)
    5 True
    """

    max_requests: int | None
    needed: int | None

    def __init__(
        self, message: str = "", *, max_requests: int | None = None, needed: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.max_requests = max_requests
        self.needed = needed


class NotCheckedWarning(UserWarning):
    """The credentials of :func:`connect` could not be checked.

    The session works as soon as ClicData can be reached: it signs in with its first request. ``connect(check=False)``
    does not check the credentials.
    """


class IncompleteReadError(ClicDataError):
    """Not all rows of the table were read.

    No frame is returned, because it would lack rows or hold rows twice. Try again; the table may have changed during
    the read. Also raised for an incomplete list of tables or of other records.

    Parameters
    ----------
    {message}
    rec_id : int, optional
        The RecId of the table.
    page : int, optional
        The page at which the read stopped.
    received : int, optional
        How many rows were received.
    expected : int, optional
        How many rows ClicData reported.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    rec_id: int | None
    page: int | None
    received: int | None
    expected: int | None

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
    """Not all rows are confirmed to be in the table.

    ``confirmed``, ``unknown`` and ``unsent`` hold ``(start, stop)`` positions of rows in the frame, where ``stop`` is
    exclusive: ``df.iloc[start:stop]`` returns the rows. The ranges do not overlap and together cover the frame.

    Parameters
    ----------
    {message}
    rec_id : int, optional
        The RecId of the table, if the table exists.
    name : str, optional
        The name of the table, if it is known.
    confirmed : sequence of (int, int), optional
        Rows that the replies confirmed. A reply that does not count rows confirms all rows of its request; the message
        names such rows.
    unknown : sequence of (int, int), optional
        Rows that were sent, and that may or may not be in the table.
    unsent : sequence of (int, int), optional
        Rows that are not in the table: they were not sent, or they were refused.
    resume : dict, optional
        The resume token for ``push(resume=)`` or ``append(resume=)``, as plain JSON without secrets or values of the
        frame. None if the write cannot be resumed: the rows came from a stream, or the same call can be repeated.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> frame = pd.DataFrame({"seats": range(6)})
    >>> with Sandbox() as sandbox:
    ...     session = sandbox.connect()
    ...     _ = sandbox.faults.status(400, operation="append", nth=2)
    ...     try:
    ...         frame.clicdata.push("Planes", chunksize=3, workers=1)
    ...     except cd.IncompleteWriteError as error:
    ...         print(error.confirmed, error.unknown, error.unsent)
    [(0, 3)] [] [(3, 6)]
    """

    rec_id: int | None
    name: str | None
    confirmed: list[RowRange]
    unknown: list[RowRange]
    unsent: list[RowRange]
    resume: dict[str, Any] | None

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
    """The outcome of some rows is unknown.

    Raised when rows were sent and their reply was lost. They are never sent again without a check, because that could
    create duplicates. To let the write find out which rows are in the table, pass ``stamp=``, ``on=`` or
    ``on_unknown="check"``.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> frame = pd.DataFrame({"seats": range(6)})
    >>> with Sandbox() as sandbox:
    ...     session = sandbox.connect()
    ...     _ = sandbox.faults.lose_reply(operation="append", nth=2)
    ...     try:
    ...         frame.clicdata.push("Planes", chunksize=3, workers=1)
    ...     except cd.AmbiguousWriteError as error:
    ...         print(error.confirmed, error.unknown, error.unsent)
    [(0, 3)] [(3, 5)] [(5, 6)]
    """


class PartialWriteError(IncompleteWriteError):
    """ClicData counted another number of rows than the request held.

    Raised when the reply to an insert counts fewer or more rows. The rows of this request are unknown.

    Parameters
    ----------
    {message}
    sent, counted : int, optional
        How many rows the request held, and how many rows the reply counted.
    **fields
        The attributes of :class:`IncompleteWriteError`.
    """

    sent: int | None
    counted: int | None

    def __init__(
        self, message: str = "", *, sent: int | None = None, counted: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.sent = sent
        self.counted = counted


class VerificationError(IncompleteWriteError):
    """The rows that were read back differ from the rows that were sent.

    Raised by a write that compares the table with the frame, such as one with ``verify=True``. Another program may have
    changed the table during the write.

    Parameters
    ----------
    {message}
    differences : sequence of str, optional
        One sentence for each difference.
    **fields
        The attributes of :class:`IncompleteWriteError`.
    """

    differences: list[str]

    def __init__(self, message: str = "", *, differences: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.differences = list(differences)


class ReplaceIncompleteError(IncompleteWriteError):
    """A replace stopped before its end.

    The table may hold old rows, new rows, both or none. The message shows how to restore the old rows or to resume.

    Parameters
    ----------
    {message}
    backup : str, optional
        The Parquet file with all old rows; ``cd.restore(backup, table)`` restores them. None if there were no old rows.
    **fields
        The attributes of :class:`IncompleteWriteError`.
    """

    backup: str | None

    def __init__(self, message: str = "", *, backup: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.backup = backup


class ResumeError(ClicDataError, ValueError):
    """The resume token or the journal cannot be used.

    It belongs to another write, or it cannot be read or written.
    """


class UnfinishedWriteError(ResumeError):
    """A write to the table stopped before it was complete, so this call could store its rows twice.

    Nothing was sent. The message has the lines to choose from: continue the write, send all rows anyway, or forget it.

    Parameters
    ----------
    {message}
    write_id : str, optional
        The id of the write that stopped, as in ``cd.unfinished()``.
    rec_id : int, optional
        The RecId of the table.
    confirmed, unknown : list of (int, int), optional
        The rows of that write that are in the table, and those that may be, as half-open ranges of positions.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    write_id: str | None
    rec_id: int | None
    confirmed: list[RowRange]
    unknown: list[RowRange]

    def __init__(
        self,
        message: str = "",
        *,
        write_id: str | None = None,
        rec_id: int | None = None,
        confirmed: Sequence[RowRange] = (),
        unknown: Sequence[RowRange] = (),
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.write_id = write_id
        self.rec_id = rec_id
        self.confirmed = list(confirmed)
        self.unknown = list(unknown)


class JournalInUseError(ResumeError):
    """Another write is using the journal.

    Raised before rows are sent. Wait until the other write has ended, or pass another path as ``journal=``.
    """


class RecordLookupError(ClicDataError, LookupError):
    """No dashboard, schedule, team or user has this RecId or name, or several have the name.

    Parameters
    ----------
    {message}
    names : sequence of str, optional
        Similar names, or the names that match.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    names: list[str]

    def __init__(self, message: str = "", *, names: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.names = list(names)


class ScheduleError(ClicDataError):
    """The run of a schedule did not succeed.

    Raised by ``trigger_schedule(wait=True)``.

    Parameters
    ----------
    {message}
    rec_id : int, optional
        The RecId of the schedule.
    record : dict, optional
        The last reply about the schedule.
    **fields
        ``operation`` and ``ambiguous`` of :class:`ClicDataError`.
    """

    rec_id: int | None
    record: dict[str, Any]

    def __init__(
        self, message: str = "", *, rec_id: int | None = None, record: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.record = dict(record or {})


class ScheduleFailedError(ScheduleError):
    """The run of a schedule failed.

    ``record`` holds the message of the schedule, if ClicData sent one.
    """


class ScheduleTimeoutError(ScheduleError, TimeoutError):
    """The run of a schedule did not end within ``timeout`` seconds.

    The run may still be in progress.
    """


class ScheduleStateError(ScheduleError):
    """The reply does not show the state of a schedule in a known form.

    Also raised if another run is in progress, because the end of that run could not be distinguished from the end of
    the new one.
    """


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
    "JournalInUseError",
    "NoCredentialsError",
    "NotCheckedWarning",
    "NotFoundError",
    "PartialWriteError",
    "PermissionDeniedError",
    "RateLimitError",
    "RecordLookupError",
    "RedirectError",
    "ReplaceIncompleteError",
    "ReplyTooLargeError",
    "RequestLimitError",
    "RequestTimeoutError",
    "ResumeError",
    "RowsExistError",
    "ScheduleError",
    "ScheduleFailedError",
    "ScheduleStateError",
    "ScheduleTimeoutError",
    "ServerError",
    "SimilarKeysError",
    "TableExistsError",
    "TableNotFoundError",
    "TooManyRowsError",
    "TransportError",
    "UnexpectedReplyError",
    "UnfinishedWriteError",
    "UnsupportedTypeError",
    "VerificationError",
]
