"""Parse replies of either dialect once, and read errors, pages, counts, records and pictures from them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

from pandas_clicdata._models import (
    Column,
    Exchange,
    InsertCounts,
    PageRows,
    Picture,
    Records,
    Reply,
    Request,
    TableRef,
)
from pandas_clicdata.client import operations
from pandas_clicdata.errors import (
    ApiError,
    ApiVersionError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedReplyError,
)

T = TypeVar("T")
Loads = Callable[[bytes], Any]
"""Parses the body of a reply, or raises a ValueError."""

_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}
_BY_CODE: Mapping[str, type[ApiError]] = {
    "unauthorized": AuthenticationError,
    "invalidtoken": AuthenticationError,
    "tokenexpired": AuthenticationError,
    "forbidden": PermissionDeniedError,
    "accessdenied": PermissionDeniedError,
    "permissiondenied": PermissionDeniedError,
    "insufficientscope": PermissionDeniedError,
    "missingscope": PermissionDeniedError,
    "notfound": NotFoundError,
    "toomanyrequests": RateLimitError,
}
"""Error kinds by the name of a code that comes with a successful status."""
_SUCCESS = frozenset({200, 201, 202, 203, 204, 205})
"""Statuses of a complete reply. 206 and 207, for example, are partial, and 3xx decide nothing."""
_DECISIVE = frozenset({400, 401, 403, 404, 405, 409, 413, 415, 422, 429})
"""Statuses that prove that nothing was done. A gateway may send others after the service has done the work."""
VERSION_CODES = frozenset({"apiversionrequired", "invalidversion"})
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-ms-request-id", "x-correlation-id")
_TABLE_TEXTS = ("name", "description")
_NO_ERROR = (None, None)
_MAX_DIGITS = 18


@dataclass(frozen=True)
class ParsedReply:
    """A reply whose body is parsed, once.

    Attributes
    ----------
    request : Request
        The request it answers.
    reply : Reply
        The HTTP reply.
    content : object
        The JSON of the body, or the ``result`` inside it after :meth:`unwrap`; None where the body is not JSON.
    pagination : mapping
        The ``pagination`` beside the result; empty where there is none.
    invalid : str
        Why the body is not JSON; empty if it is.
    """

    request: Request
    reply: Reply
    content: Any = field(repr=False)
    pagination: Mapping[str, Any] = field(default_factory=dict)
    invalid: str = ""

    @classmethod
    def parse(cls, request: Request, reply: Reply, loads: Loads = operations.loads) -> ParsedReply:
        """Parse the body of a reply."""
        try:
            return cls(request, reply, loads(reply.body))
        except ValueError as exc:
            # The exception itself is dropped, because it holds the whole body.
            return cls(request, reply, None, invalid=str(exc))

    @property
    def is_wrapped(self) -> bool:
        """Whether the body has the shape of the versioned dialect."""
        return isinstance(self.content, dict) and isinstance(self.content.get("success"), bool)

    def error(self) -> tuple[str | None, str | None]:
        """Return the error code and description in the body, redacted; two None if there is no error.

        An error body can come with HTTP 200, and three spellings of its keys are known.
        """
        if not isinstance(self.content, dict):
            return _NO_ERROR
        succeeded = self.reply.status < 400
        lower = {str(key).lower(): value for key, value in self.content.items()}
        error = lower.get("error")
        if isinstance(error, dict):
            lower = {str(key).lower(): value for key, value in error.items()}
        elif isinstance(error, str) and error:
            lower.setdefault("code", error)
            lower.setdefault("description", lower.get("error_description"))
        elif succeeded and not lower.keys() & {"errorcode", "errordescription"} and lower.get("success", True):
            # A successful reply may have a message of its own.
            return _NO_ERROR
        code = _first(lower, "code", "errorcode")
        description = _first(lower, "description", "errordescription", "message")
        if code is None and description is None and succeeded:
            code = "unexplained"
        return (code and self.reply.redact(code)), (description and self.reply.redact(description))

    def raise_for_error(self) -> None:
        """Raise if the reply is an error, whatever its status.

        Raises
        ------
        ApiError
            The subclass that fits the status or the code. ``ambiguous`` is True where a request that changes something
            may have been carried out: the status is not decisive, or it is a success and the code names no refusal.
        UnexpectedReplyError
            The status is neither a success nor an error.
        """
        request, reply = self.request, self.reply
        code, description = self.error()
        if reply.status < 400 and (code, description) == _NO_ERROR:
            if reply.status not in _SUCCESS:
                self.unexpected("its status is neither a success nor an error")
            return
        if code is not None and code.lower() in VERSION_CODES:
            kind: type[ApiError] = ApiVersionError
        elif reply.status >= 500:
            kind = ServerError
        elif reply.status >= 400:
            kind = _BY_STATUS.get(reply.status, ApiError)
        else:
            kind = _BY_CODE.get("".join(filter(str.isalpha, code or "")).lower(), ApiError)
        decided = reply.status in _DECISIVE or (reply.status in _SUCCESS and kind is not ApiError)
        what = ": ".join(part for part in (code, description) if part) or reply.excerpt() or "no explanation"
        tries = f" after {reply.attempts} tries" if reply.attempts > 1 else ""
        raise kind(
            f"ClicData refused {request.line} with HTTP {reply.status}{tries}: {what}"
            + (f"{'' if what.endswith('.') else '.'} {reply.note}" if reply.note else ""),
            operation=request.operation,
            status=reply.status,
            code=code,
            description=description,
            request_id=next(
                (reply.redact(reply.headers[name]) for name in _REQUEST_ID_HEADERS if name in reply.headers), None
            ),
            attempts=reply.attempts,
            ambiguous=request.method != "GET" and (not decided or reply.possibly_done),
        )

    def unwrap(self) -> ParsedReply:
        """Return the ``result`` of a reply ``{"success": true, "result": …, "pagination": …}``.

        Raises
        ------
        UnexpectedReplyError
            The body is not an object, or does not state success; the status alone does not count.
        """
        fields = self.fields()
        if fields.get("success") is not True:
            self.unexpected("it does not state success")
        pagination = fields.get("pagination")
        return replace(
            self, content=fields.get("result"), pagination=pagination if isinstance(pagination, dict) else {}
        )

    def unexpected(self, why: str) -> NoReturn:
        """Raise for a reply of an unknown shape.

        Raises
        ------
        UnexpectedReplyError
            With the request line and a redacted excerpt. ``ambiguous`` is True for a request that changes something.
        """
        raise UnexpectedReplyError(
            f"The reply to {self.request.line} (HTTP {self.reply.status}) cannot be read: {why}."
            f" It begins: {self.reply.excerpt() or '(nothing)'}",
            operation=self.request.operation,
            status=self.reply.status,
            attempts=self.reply.attempts,
            ambiguous=self.request.method != "GET",
        )

    def fields(self) -> dict[str, Any]:
        """Return the content, which must be an object."""
        if self.invalid:
            self.unexpected(f"it is not valid JSON ({self.invalid})")
        if not isinstance(self.content, dict):
            self.unexpected("it is not an object")
        return self.content

    def rec_id(self) -> int:
        """Return the RecId that a create answers with: a bare integer, or an object with ``id`` or ``rec_id``."""
        value = self.content.get("id", self.content.get("rec_id")) if isinstance(self.content, dict) else self.content
        rec_id = integer(value)
        if rec_id is None:
            self.unexpected("it is not the new RecId")
        return rec_id

    def insert_counts(self) -> InsertCounts:
        """Return how many rows an insert stored and found, each None where the reply does not count."""
        fields = self.content if isinstance(self.content, dict) else {}
        return InsertCounts(integer(fields.get("rows_inserted")), integer(fields.get("rows_found")))

    def columns(self) -> tuple[Column, ...] | None:
        """Return the list of columns beside the rows; None where there is none."""
        listed = self.content.get("columns") if isinstance(self.content, dict) else None
        if not isinstance(listed, list):
            return None
        columns = []
        for entry in listed:
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                return None
            columns.append(Column(entry["name"], str(entry.get("data_type", "")).lower()))
        return tuple(columns)

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows as records. Lists of cells are accepted where the columns are listed beside them."""
        rows = self.content.get("data") if isinstance(self.content, dict) else self.content
        if isinstance(rows, PageRows):
            return rows
        if not isinstance(rows, list):
            self.unexpected("it holds no list of rows")
        kinds = set(map(type, rows))
        columns = self.columns()
        if kinds == {list} and columns is not None and set(map(len, rows)) == {len(columns)}:
            names = [column.name for column in columns]
            if len(set(names)) < len(names):
                self.unexpected("two of its columns have the same name")
            return [dict(zip(names, row, strict=True)) for row in rows]
        if not kinds <= {dict}:
            self.unexpected("its rows are not records of column and value")
        return rows

    def tables(self) -> tuple[TableRef, ...]:
        """Return the entries of a list of tables; the key of the RecId is ``rec_id`` or ``id``."""
        listed = self.content.get("data") if isinstance(self.content, dict) else self.content
        if not isinstance(listed, list):
            self.unexpected("it holds no list of tables")
        tables = []
        for entry in listed:
            rec_id = integer(entry.get("rec_id", entry.get("id"))) if isinstance(entry, dict) else None
            if rec_id is None:
                self.unexpected("an entry of its list has no RecId")
            name, description = (text if isinstance(text := entry.get(key), str) else None for key in _TABLE_TEXTS)
            tables.append(TableRef(rec_id, name, description, entry))
        return tuple(tables)

    def has_more(self) -> bool | None:
        """Return whether more pages follow, from either optional field; None without them."""
        more = flag(self.pagination.get("has_more_results"))
        last = flag(self.pagination.get("last_page"))
        return more if more is not None else None if last is None else not last

    def total(self) -> int | None:
        """Return the number of entries on all pages; None where the reply does not state it."""
        return integer(self.pagination.get("result_total_count"))

    def stated_fields(self) -> dict[str, Any]:
        """Return the content if it is an object, else an empty dict: what the service states after a change."""
        return self.content if isinstance(self.content, dict) else {}


def bare(
    request: Request, read: Callable[[ParsedReply], T], *, or_empty: bool = False, loads: Loads = operations.loads
) -> Exchange[T]:
    """Pair a request with the reader of a reply whose body is the content itself.

    Parameters
    ----------
    request : Request
        The request.
    read : callable
        Reads the parsed reply, which is not an error.
    or_empty : bool, default False
        Whether an empty body is accepted; its content is None.
    loads : callable, optional
        Parses the body.
    """

    def read_reply(reply: Reply) -> T:
        parsed = ParsedReply.parse(request, reply, loads)
        parsed.raise_for_error()
        if parsed.invalid and not (or_empty and not reply.body.strip()):
            parsed.unexpected(f"it is not valid JSON ({parsed.invalid})")
        if not reply.framed and not isinstance(parsed.content, dict | list | PageRows):
            # "12" may be a truncated "123", and an empty body a truncated one.
            parsed.unexpected("the connection ended, and nothing shows that the body is complete")
        return read(parsed)

    return Exchange(request, read_reply)


def wrapped(request: Request, read: Callable[[ParsedReply], T], *, loads: Loads = operations.loads) -> Exchange[T]:
    """Pair a request with the reader of a reply ``{"success": true, "result": …, "pagination": …}``."""

    def read_reply(reply: Reply) -> T:
        parsed = ParsedReply.parse(request, reply, loads)
        parsed.raise_for_error()
        return read(parsed.unwrap())

    return Exchange(request, read_reply)


def integer(value: Any) -> int | None:
    """Return a whole number written as a number or as digits; None for anything else.

    Examples
    --------
    >>> integer(7), integer("7"), integer(7.0), integer(True), integer(7.5)
    (7, 7, 7, None, None)
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(value: Any) -> bool | None:
    """Return a JSON true or false; None for anything else."""
    return value if isinstance(value, bool) else None


def _first(fields: Mapping[str, Any], *names: str) -> str | None:
    return next((str(fields[name]) for name in names if fields.get(name) not in (None, "")), None)


def records(list_key: str) -> Callable[[ParsedReply], Records]:
    """Return a reader of a list of records: bare, under ``list_key``, or under the only key that holds a list."""

    def read(parsed: ParsedReply) -> Records:
        listed = parsed.content
        if isinstance(listed, dict):
            lists = [value for value in listed.values() if isinstance(value, list)]
            listed = listed.get(list_key, lists[0] if len(lists) == 1 else None)
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            parsed.unexpected("it holds no list of records")
        number, size = (integer(parsed.pagination.get(key)) for key in ("current_page", "page_size"))
        full = number is not None and size is not None and len(listed) >= size > 0
        return Records(listed, has_more=parsed.has_more(), total=parsed.total(), number=number, full=full)

    return read


def record(list_key: str = "") -> Callable[[ParsedReply], dict[str, Any]]:
    """Return a reader of one record: the object itself, or the only entry of a list, bare or under ``list_key``."""

    def read(parsed: ParsedReply) -> dict[str, Any]:
        inner = parsed.content if isinstance(parsed.content, list) else parsed.fields().get(list_key)
        if isinstance(inner, list):
            if len(inner) != 1:
                parsed.unexpected(f"it holds {len(inner)} records instead of one")
            inner = inner[0]
        return inner if isinstance(inner, dict) else parsed.fields()

    return read


def picture(request: Request) -> Exchange[Picture]:
    """Pair a request with the reader of a picture: base64 text, in JSON or by itself, or the image file's bytes."""

    def read_reply(reply: Reply) -> Picture:
        parsed = ParsedReply.parse(request, reply)
        parsed.raise_for_error()
        if not reply.framed:
            parsed.unexpected("the connection ended, and nothing shows that the body is complete")
        with contextlib.suppress(ValueError):
            return Picture(reply.body)
        found = parsed.content
        if found is None:
            found = reply.body.decode("ascii", "replace")
        elif parsed.is_wrapped:
            found = found.get("result")
        pictures = []
        for text in found.values() if isinstance(found, dict) else [found]:
            # The object may hold the dashboard's name, too.
            with contextlib.suppress(TypeError, ValueError):
                pictures.append(Picture.from_base64(text))
        if len(pictures) == 1:
            return pictures[0]
        return parsed.unexpected("it is not a picture")

    return Exchange(request, read_reply)
