"""Read replies of either dialect: errors wherever they stand, pages, counts, records, pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pandas_clicdata._models import Column, Exchange, InsertCounts, Picture, Records, Reply, Request, TableRef
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
"""What a code under a status of success says by its name (A); it was refused all the same (P)."""
_SUCCESS = frozenset({200, 201, 202, 203, 204, 205})
"""Statuses of a complete reply; 206 and 207, for example, say that something is missing, and 3xx decide nothing."""
_DECISIVE = frozenset({400, 401, 403, 404, 405, 409, 413, 415, 422, 429})
"""Statuses of an intact reply that show that nothing was done. Others may come from a gateway behind which it was."""
VERSION_CODES = frozenset({"apiversionrequired", "invalidversion"})
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-ms-request-id", "x-correlation-id")
_TEXTS_OF_A_TABLE = ("name", "description")
_SAID_NOTHING = (None, None)
_MOST_DIGITS = 18


def raise_for_error(request: Request, reply: Reply) -> None:
    """Raise if the reply is an error, whatever its status says.

    An error body can come with HTTP 200, and its keys have been seen in three spellings (P).

    Raises
    ------
    ApiError
        The kind that fits the status or code. ``ambiguous`` is set where a request that changes something may
        have been carried out all the same: the status is not one that decides, or it says success and the code does
        not name a refusal.
    UnexpectedReplyError
        The status says neither success nor an error.
    """
    code, description = said(reply)
    if reply.status < 400 and (code, description) == _SAID_NOTHING:
        if reply.status not in _SUCCESS:
            Answer(request, reply, None, {}).unexpected("its status says neither success nor an error")
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
        f"ClicData refused {request.line} with HTTP {reply.status}{tries}: {what}",
        operation=request.operation,
        status=reply.status,
        code=code,
        description=description,
        request_id=next(
            (reply.redact(reply.headers[name]) for name in _REQUEST_ID_HEADERS if name in reply.headers), None
        ),
        attempts=reply.attempts,
        ambiguous=request.method != "GET" and (not decided or reply.perhaps_done),
    )


def is_wrapped(reply: Reply) -> bool:
    """Whether a reply has the shape of the versioned dialect."""
    try:
        fields = operations.loads(reply.body)
    except ValueError:
        return False
    return isinstance(fields, dict) and isinstance(fields.get("success"), bool)


def said(reply: Reply) -> tuple[str | None, str | None]:
    """Return the error code and description that a reply's body holds, redacted; two None if it holds none."""
    try:
        fields = operations.loads(reply.body)
    except ValueError:
        return _SAID_NOTHING
    if not isinstance(fields, dict):
        return _SAID_NOTHING
    lower = {str(key).lower(): value for key, value in fields.items()}
    error = lower.get("error")
    if isinstance(error, dict):
        lower = {str(key).lower(): value for key, value in error.items()}
    elif isinstance(error, str) and error:
        lower.setdefault("code", error)
        lower.setdefault("description", lower.get("error_description"))
    elif reply.status < 400 and not lower.keys() & {"errorcode", "errordescription"} and lower.get("success", True):
        # A plain reply may have a message of its own: only a failing status makes it an error.
        return _SAID_NOTHING
    code = _first(lower, "code", "errorcode")
    description = _first(lower, "description", "errordescription", "message")
    if code is None and description is None and reply.status < 400:
        code = "unexplained"
    return (code and reply.redact(code)), (description and reply.redact(description))


@dataclass(frozen=True)
class Answer:
    """The content of a reply that is no error, with what is needed to say what is wrong with it."""

    request: Request
    reply: Reply
    content: Any
    pagination: Mapping[str, Any]

    def fields(self) -> dict[str, Any]:
        """The content as an object."""
        if not isinstance(self.content, dict):
            self.unexpected("it is not an object")
        return self.content

    def unexpected(self, why: str) -> NoReturn:
        """Raise for a shape that is not known.

        Raises
        ------
        UnexpectedReplyError
            With the request line and a redacted excerpt. A request that changes something may have done so.
        """
        raise UnexpectedReplyError(
            f"The reply to {self.request.line} (HTTP {self.reply.status}) cannot be read: {why}."
            f" It begins: {self.reply.excerpt() or '(nothing)'}",
            operation=self.request.operation,
            status=self.reply.status,
            attempts=self.reply.attempts,
            ambiguous=self.request.method != "GET",
        )

    def rec_id(self) -> int:
        """The RecId that a create answers with: a bare integer (O P), or an object with ``id`` (A)."""
        value = self.content.get("id", self.content.get("rec_id")) if isinstance(self.content, dict) else self.content
        rec_id = integer(value)
        if rec_id is None:
            self.unexpected("it is not the new RecId")
        return rec_id

    def insert_counts(self) -> InsertCounts:
        """How many rows an insert took and found, where the reply says so."""
        fields = self.content if isinstance(self.content, dict) else {}
        return InsertCounts(integer(fields.get("rows_inserted")), integer(fields.get("rows_found")))

    def columns(self) -> tuple[Column, ...] | None:
        """The list of columns beside the rows, if it is there (A)."""
        listed = self.content.get("columns") if isinstance(self.content, dict) else None
        if not isinstance(listed, list):
            return None
        columns = []
        for entry in listed:
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                return None
            columns.append(Column(entry["name"], str(entry.get("data_type", "")).lower()))
        return tuple(columns)

    def rows(self) -> list[dict[str, Any]]:
        """The rows as records; cells in column order are accepted where the columns are named beside them."""
        rows = self.content.get("data") if isinstance(self.content, dict) else self.content
        if not isinstance(rows, list):
            self.unexpected("it holds no list of rows")
        kinds = set(map(type, rows))
        columns = self.columns()
        if kinds == {list} and columns is not None and set(map(len, rows)) == {len(columns)}:
            names = [column.name for column in columns]
            if len(set(names)) < len(names):
                self.unexpected("two of its columns have one name")
            return [dict(zip(names, row, strict=True)) for row in rows]
        if not kinds <= {dict}:
            self.unexpected("its rows are not records of column and value")
        return rows

    def tables(self) -> tuple[TableRef, ...]:
        """The entries of a list of tables; the RecId is called ``rec_id`` (A) or ``id`` (P)."""
        listed = self.content.get("data") if isinstance(self.content, dict) else self.content
        if not isinstance(listed, list):
            self.unexpected("it holds no list of tables")
        tables = []
        for entry in listed:
            rec_id = integer(entry.get("rec_id", entry.get("id"))) if isinstance(entry, dict) else None
            if rec_id is None:
                self.unexpected("an entry of its list has no RecId")
            name, description = (text if isinstance(text := entry.get(key), str) else None for key in _TEXTS_OF_A_TABLE)
            tables.append(TableRef(rec_id, name, description, entry))
        return tuple(tables)


def bare(request: Request, read: Callable[[Answer], T], *, or_empty: bool = False) -> Exchange[T]:
    """A request whose reply is the content itself, or nothing where that will do."""

    def read_reply(reply: Reply) -> T:
        raise_for_error(request, reply)
        content = None if or_empty and not reply.body.strip() else _parsed(request, reply)
        answer = Answer(request, reply, content, {})
        if not reply.framed and not isinstance(content, dict | list):
            # Of "123" or of nothing, more may have been on its way when the connection ended.
            answer.unexpected("nothing shows that it is whole")
        return read(answer)

    return Exchange(request, read_reply)


def wrapped(request: Request, read: Callable[[Answer], T]) -> Exchange[T]:
    """A request whose reply is ``{"success": true, "result": …, "pagination": …}``: success is that, never the
    status alone (P)."""

    def read_reply(reply: Reply) -> T:
        raise_for_error(request, reply)
        outer = Answer(request, reply, _parsed(request, reply), {})
        fields = outer.fields()
        if fields.get("success") is not True:
            outer.unexpected("it does not say success")
        pagination = fields.get("pagination")
        return read(Answer(request, reply, fields.get("result"), pagination if isinstance(pagination, dict) else {}))

    return Exchange(request, read_reply)


def _parsed(request: Request, reply: Reply) -> Any:
    try:
        return operations.loads(reply.body)
    except ValueError as exc:
        why = str(exc)
    # Raised here, where the parser's exception, which holds the whole body, is no context of it.
    return Answer(request, reply, None, {}).unexpected(f"it is not valid JSON ({why})")


def integer(value: Any) -> int | None:
    """Return a whole number, however it is written; None for anything else.

    Examples
    --------
    >>> integer(7), integer("7"), integer(7.0), integer(True), integer(7.5)
    (7, 7, 7, None, None)
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _first(fields: Mapping[str, Any], *names: str) -> str | None:
    return next((str(fields[name]) for name in names if fields.get(name) not in (None, "")), None)


def records(holds: str) -> Callable[[Answer], Records]:
    """A list of records: bare, or in an object under this key, or under the only key that holds a list (A)."""

    def read(answer: Answer) -> Records:
        listed = answer.content
        if isinstance(listed, dict):
            lists = [value for value in listed.values() if isinstance(value, list)]
            listed = listed.get(holds, lists[0] if len(lists) == 1 else None)
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            answer.unexpected("it holds no list of records")
        number, size = (integer(answer.pagination.get(key)) for key in ("current_page", "page_size"))
        full = number is not None and size is not None and len(listed) >= size > 0
        return Records(listed, has_more=has_more(answer), total=total(answer), number=number, full=full)

    return read


def record(holds: str = "") -> Callable[[Answer], dict[str, Any]]:
    """One record: the object itself, or the only one in the list that the object holds under this key (A)."""

    def read(answer: Answer) -> dict[str, Any]:
        inner = answer.fields().get(holds)
        if isinstance(inner, list):
            if len(inner) != 1:
                answer.unexpected(f"it holds {len(inner)} records in the place of one")
            inner = inner[0]
        return inner if isinstance(inner, dict) else answer.fields()

    return read


def stated_fields(answer: Answer) -> dict[str, Any]:
    """What the service says of something that it has done; nothing, where that is no object."""
    return answer.content if isinstance(answer.content, dict) else {}


def content(answer: Answer) -> Any:
    """The content as it came."""
    return answer.content


def picture(request: Request) -> Exchange[Picture]:
    """A request for a picture: base64 text, in JSON or by itself (S P), or the image's own bytes (A)."""

    def read_reply(reply: Reply) -> Picture:
        raise_for_error(request, reply)
        if not reply.framed:
            Answer(request, reply, None, {}).unexpected("nothing shows that it is whole")
        with contextlib.suppress(ValueError):
            return Picture(reply.body)
        found: Any = None
        with contextlib.suppress(ValueError):
            found = operations.loads(reply.body)
        if found is None:
            found = reply.body.decode("ascii", "replace")
        elif isinstance(found, dict) and isinstance(found.get("success"), bool):
            found = found.get("result")
        pictures = []
        for text in found.values() if isinstance(found, dict) else [found]:
            # Beside it may stand what the dashboard is called.
            with contextlib.suppress(TypeError, ValueError):
                pictures.append(Picture.from_base64(text))
        if len(pictures) == 1:
            return pictures[0]
        return Answer(request, reply, None, {}).unexpected("it is no picture")

    return Exchange(request, read_reply)


def has_more(answer: Answer) -> bool | None:
    """``result_total_count``, ``has_more_results`` and ``last_page`` are each optional (P)."""
    more = flag(answer.pagination.get("has_more_results"))
    last = flag(answer.pagination.get("last_page"))
    return more if more is not None else None if last is None else not last


def total(answer: Answer) -> int | None:
    return integer(answer.pagination.get("result_total_count"))
