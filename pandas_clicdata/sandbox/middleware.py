"""The WSGI middleware around the application: it logs requests and applies faults."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from waitress.channel import ClientDisconnected

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.app import NOTES
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import count_rows
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.faults import Fault, FaultQueue
from pandas_clicdata.sandbox.oauth import OAuth
from pandas_clicdata.sandbox.protocol import MAX_BODY
from pandas_clicdata.sandbox.requestlog import RequestLog, RequestNotes
from pandas_clicdata.sandbox.routes import operation_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_GARBAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class _Reply:
    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def code(self) -> int:
        return int(self.status[:3])


def _json_reply(code: int, body: str, extra: Iterable[tuple[str, str]] = ()) -> _Reply:
    try:
        phrase = HTTPStatus(code).phrase
    except ValueError:
        phrase = "Unknown"
    data = body.encode()
    headers = [
        ("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(data))), *extra
    ]  # fmt: skip
    return _Reply(f"{code} {phrase}", headers, data)


class Middleware:
    """The application that the server runs.

    Parameters
    ----------
    app : WSGI application
        The application that answers requests.
    mode : {"both", "unversioned", "versioned"}
        The dialects of the sandbox, which decide the bodies of faults and the headers of replies.
    faults : FaultQueue
        The scripted faults.
    log : RequestLog
        The log of requests.
    oauth : OAuth
        Authentication, to expire tokens.
    assume : Assumptions
        The assumed behaviours.
    """

    def __init__(
        self,
        app: WSGIApplication,
        mode: str,
        faults: FaultQueue,
        log: RequestLog,
        oauth: OAuth,
        assume: Assumptions,
    ) -> None:
        self._app = app
        self._mode = mode
        self._faults = faults
        self._log = log
        self._oauth = oauth
        self._trailing_slashes = assume.trailing_slashes
        self._version_headers = dialects.version_headers(mode, assume)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        began = time.perf_counter()
        operation = operation_of(environ, trailing_slashes=self._trailing_slashes)
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        # The queries of the OAuth paths hold codes and secrets.
        query = "" if path.startswith("/oauth20/") else environ.get("QUERY_STRING", "")
        entry = self._log.begin(environ["REQUEST_METHOD"], path, query, operation)
        notes = RequestNotes(entry.number, operation)
        environ[NOTES] = notes
        self._keep_body(environ)
        fault = self._faults.take(operation, parse_qs(query).get("page", [""])[0])
        reply: _Reply | None = None
        try:
            if fault is None:
                reply = self._answer(environ)
            else:
                self._log.note(entry.number, fault=fault.kind)
                reply = getattr(self, f"_{fault.kind}")(environ, fault, fault.options)
        finally:
            rows = notes.rows if notes.rows is not None else self._count(environ, operation)
            self._log.note(
                entry.number,
                rows=rows,
                status=None if reply is None else reply.code,
                seconds=time.perf_counter() - began,
            )
        if reply is None:
            raise ClientDisconnected
        start_response(reply.status, reply.headers)
        if fault is not None and fault.kind == "truncate_body":
            return _half(reply.body)
        return [reply.body]

    def _answer(self, environ: WSGIEnvironment) -> _Reply:
        status, headers = "", []

        def start(given: str, pairs: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            nonlocal status, headers
            status, headers = given, pairs
            return lambda data: None

        result = self._app(environ, start)
        try:
            body = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        return _Reply(status, headers, body)

    @staticmethod
    def _keep_body(environ: WSGIEnvironment) -> None:
        """Buffer the body, so that it can be read after the connection has closed, and twice."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length <= MAX_BODY:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))

    @staticmethod
    def _count(environ: WSGIEnvironment, operation: str | None) -> int:
        body = environ["wsgi.input"]
        return count_rows(body.getvalue()) if operation == "append" and isinstance(body, io.BytesIO) else 0

    def _error(self, environ: WSGIEnvironment, code: int, name: str, description: str) -> _Reply:
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        dialect = dialects.guess(self._mode, query.get("api_version", []))
        return _json_reply(code, dialect.refusal(Refusal(code, name, description)), self._version_headers)

    # One method for each kind of fault. None closes the connection.

    def _lose_reply(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> None:
        if options["after_commit"]:
            self._answer(environ)

    def _late_commit(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> None:
        self._faults.defer(lambda: _drop(self._answer(environ)), options["delay"])

    def _status(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        if options["after_commit"]:
            self._answer(environ)
        code, body = options["code"], options["body"]
        if body is None:
            reply = self._error(environ, code, f"Scripted{code}", f"A scripted fault replies with the status {code}.")
        else:
            reply = _json_reply(code, body if isinstance(body, str) else json.dumps(body))
        if options["retry_after"] is not None:
            reply.headers.append(("Retry-After", str(options["retry_after"])))
        return reply

    def _hang(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply | None:
        reply = self._answer(environ) if options["after_commit"] else None
        if not self._faults.hold(options["seconds"]):
            return None
        return reply or self._answer(environ)

    def _slow(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply | None:
        reply = self._answer(environ)
        return None if self._faults.stopping.wait(options["seconds"]) else reply

    def _truncate_body(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        return self._answer(environ)

    def _garbage(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        self._answer(environ)
        return _Reply("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(_GARBAGE)))], _GARBAGE)

    def _empty_page(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        environ[NOTES].page = "empty"
        return self._answer(environ)

    def _short_page(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        environ[NOTES].page, environ[NOTES].page_rows = "short", options["rows"]
        return self._answer(environ)

    def _repeat_page(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        environ[NOTES].page = "repeat"
        return self._answer(environ)

    def _accept_fewer(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        environ[NOTES].accept = options["rows"]
        return self._answer(environ)

    def _error_200(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        return self._error(environ, 200, options["code"], options["description"])

    def _expire_token(self, environ: WSGIEnvironment, fault: Fault, options: Mapping[str, Any]) -> _Reply:
        self._oauth.expire(environ.get("HTTP_AUTHORIZATION", ""))
        return self._answer(environ)


def _drop(_: object) -> None:
    """Drop a value."""


def _half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ClientDisconnected
