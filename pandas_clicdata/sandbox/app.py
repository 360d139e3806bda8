"""The WSGI application: it serves the routes that `operations` declares."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.oauth import OAuth, TokenRefusal
from pandas_clicdata.sandbox.operations import Backend, Call
from pandas_clicdata.sandbox.protocol import MAX_BODY
from pandas_clicdata.sandbox.requestlog import RequestNotes
from pandas_clicdata.sandbox.routes import ROUTES, Route

NOTES = "pandas_clicdata.notes"
"""The key of the `RequestNotes` in the WSGI environment."""

_log = logging.getLogger("pandas_clicdata.sandbox")


def _reply(text: str | bytes, status: int = 200, mimetype: str = "application/json") -> Response:
    body = text.encode() if isinstance(text, str) else text
    return Response(body, status, content_type=f"{mimetype}; charset=utf-8")


def make_app(backend: Backend, oauth: OAuth, mode: str) -> Flask:
    """Return the application for the content of one sandbox.

    Parameters
    ----------
    backend : Backend
        Store, assumptions and settings.
    oauth : OAuth
        Authentication.
    mode : {"both", "unversioned", "versioned"}
        The dialects of the sandbox.
    """
    app = Flask("pandas_clicdata.sandbox", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    app.url_map.strict_slashes = not backend.assume.trailing_slashes
    versions = dialects.known_versions(backend.assume)
    version_headers = dialects.version_headers(mode, backend.assume)

    def refused(refusal: Refusal) -> Response:
        dialect = dialects.guess(mode, request.args.getlist("api_version"))
        return _reply(dialect.refusal(refusal), dialects.status_of(refusal, backend.assume))

    def serve(route: Route, path: dict[str, int]) -> Response:
        who = oauth.authenticate(request.headers.get("Authorization"), request.headers.get("CLICDATA-API-KEY"))
        dialect = dialects.choose(mode, request.args.getlist("api_version"), versions)
        if not route.exists(dialect.version):
            under = f"in the version {request.args['api_version']}" if dialect.wrapped else "without a version"
            raise Refusal(404, "UnknownRoute", f"The sandbox has no route {request.method} {request.path} {under}.")
        if route.scope not in who.scopes:
            raise Refusal(403, "Forbidden", f"The request needs the scope '{route.scope}', which was not granted.")
        sent = request.get_data(cache=False)
        if sent and route.method != "GET" and not route.empty:
            _require_json(request.mimetype, request.mimetype_params)
        notes = request.environ.get(NOTES) or RequestNotes(0, route.operation)
        assert route.view is not None
        result = route.view(Call(backend, who.user, dialect, request.args, sent, notes), **path)
        body = result.text.encode() if isinstance(result.text, str) else result.text
        return _reply(dialect.success(body, result.pagination), mimetype=result.mimetype)

    def view_of(route: Route) -> Callable[..., Response]:
        return lambda **path: serve(route, path)

    def token() -> Response:
        reply = _reply(json.dumps(oauth.token(request.get_data(cache=False), request.headers.get("Content-Type", ""))))
        reply.headers["Cache-Control"] = "no-store"
        return reply

    def authorize() -> Response:
        return Response(status=302, headers={"Location": oauth.redirect(request.args)})

    endpoints: dict[str, Callable[..., Response]] = {"token": token, "authorize": authorize}
    for route in ROUTES:
        app.add_url_rule(
            route.rule,
            endpoint=f"{route.method} {route.rule}",
            view_func=endpoints.get(route.operation) or view_of(route),
            methods=[route.method],
            provide_automatic_options=False,
        )

    @app.before_request
    def _run_due() -> None:
        backend.schedules.run_due()

    @app.errorhandler(Refusal)
    def _refusal(exc: Refusal) -> Response:
        return refused(exc)

    @app.errorhandler(TokenRefusal)
    def _token_refusal(exc: TokenRefusal) -> Response:
        return _reply(exc.body, exc.status)

    @app.errorhandler(HTTPException)
    def _http(exc: HTTPException) -> Response:
        asked = f"{request.method} {request.path}"
        if isinstance(exc, MethodNotAllowed):
            reply = refused(
                Refusal(
                    405, "MethodNotAllowed", f"{asked} is not allowed; the header Allow lists the methods of this path."
                )
            )
            reply.headers["Allow"] = ", ".join(exc.valid_methods or ())
            return reply
        if isinstance(exc, RequestEntityTooLarge):
            return refused(Refusal(413, "BodyTooLarge", f"The body is longer than {MAX_BODY} bytes."))
        if exc.code == 404:
            return refused(Refusal(404, "UnknownRoute", f"The sandbox has no route {asked}."))
        return refused(Refusal(exc.code or 500, "InvalidRequest", f"{asked} cannot be read: {exc.name}."))

    @app.errorhandler(Exception)
    def _failure(exc: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.path, exc_info=exc)
        return refused(Refusal(500, "SandboxFailure", f"Internal error of the sandbox: {type(exc).__name__}: {exc}"))

    @app.after_request
    def _versions(response: Response) -> Response:
        if not request.path.startswith("/oauth20/"):
            response.headers.extend(version_headers)
        return response

    return app


def _require_json(mimetype: str, params: dict[str, Any]) -> None:
    if mimetype != "application/json" or str(params.get("charset", "utf-8")).lower() not in ("utf-8", "utf8"):
        raise Refusal(415, "UnsupportedMediaType", "The body must be sent as application/json in UTF-8.")
