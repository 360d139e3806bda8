"""The control API over HTTP: faults, ledger, request log and content for a program in another process.

Its paths start with `PREFIX` and are not part of ClicData's API. They need the control key instead of credentials and
a version, they have no faults, and the request log does not list them. Only the OpenAPI document is public.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import get_type_hints

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from pandas_clicdata.sandbox.base import Parts
from pandas_clicdata.sandbox.oauth import TokenRefusal
from pandas_clicdata.sandbox.openapi import Documents
from pandas_clicdata.sandbox.protocol import KEY_HEADER, MAX_BODY, PREFIX, Operation, operations_of

PUBLIC = "openapi.json"
"""The path that needs no key."""
OPERATIONS: tuple[tuple[str, Operation], ...] = tuple(
    (part, operation) for part, kind in get_type_hints(Parts).items() for operation in operations_of(kind)
)
"""The operations, each with the name of the part that has its method."""


def is_control(path: str) -> bool:
    """Return whether a path is one of the control API."""
    return path.startswith(PREFIX)


def make_control(parts: Parts, documents: Documents) -> Flask:
    """Return the application that serves the control API."""
    app = Flask("pandas_clicdata.sandbox.control", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False

    def view_of(part: object, operation: Operation) -> Callable[[], Response]:
        def view() -> Response:
            sent = request.get_data(cache=False)
            arguments = operation.read_arguments(request.args, json.loads(sent) if sent else None)
            return _reply(operation.write_result(getattr(part, operation.name)(**arguments)))

        return view

    for part, operation in OPERATIONS:
        app.add_url_rule(
            PREFIX + operation.path,
            endpoint=f"{operation.method} {operation.path}",
            view_func=view_of(getattr(parts, part), operation),
            methods=[operation.method],
            provide_automatic_options=False,
        )

    @app.get(PREFIX + PUBLIC, endpoint=PUBLIC, provide_automatic_options=False)
    def _document() -> Response:
        return _reply(json.dumps(documents.of(request.args.getlist("api_version")), ensure_ascii=False))

    @app.before_request
    def _check_key() -> Response | None:
        if request.endpoint == PUBLIC:
            return None
        # As bytes, because a header may hold more than ASCII.
        given = request.headers.get(KEY_HEADER, "").encode()
        if hmac.compare_digest(given, parts.oauth.sign_in()["control_key"].encode()):
            return None
        return _refusal(f"The header {KEY_HEADER} does not hold the control key of this sandbox.", 401)

    @app.errorhandler(ValueError)
    def _value(exc: ValueError) -> Response:
        return _refusal(str(exc), 400)

    @app.errorhandler(TokenRefusal)
    def _token(exc: TokenRefusal) -> Response:
        return _refusal(str(exc), 400)

    @app.errorhandler(LookupError)
    def _lookup(exc: LookupError) -> Response:
        return _refusal(str(exc), 404)

    @app.errorhandler(HTTPException)
    def _http(exc: HTTPException) -> Response:
        # Not 404, which is the status for a missing table.
        return _refusal(f"The sandbox has no control path {request.method} {request.path}: {exc.name}.", 405)

    return app


def _reply(text: str, status: int = 200) -> Response:
    reply = Response(text.encode(), status, content_type="application/json; charset=utf-8")
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _refusal(sentence: str, status: int) -> Response:
    return _reply(json.dumps({"error": sentence}), status)
