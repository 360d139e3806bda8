"""Faults, ledger and request log over HTTP, for a program that is not the sandbox's own.

These are the sandbox's own paths, none of ClicData's. They need the control key instead of a sign-in and a version,
suffer no faults and are in no log. The OpenAPI document alone is public.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from pandas_clicdata.sandbox.app import MAX_BODY
from pandas_clicdata.sandbox.faults import Faults
from pandas_clicdata.sandbox.faultscript import make_fault
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.oauth import Credentials, OAuth, TokenRefusal
from pandas_clicdata.sandbox.openapi import Documents
from pandas_clicdata.sandbox.operations import World
from pandas_clicdata.sandbox.requestlog import RequestLog
from pandas_clicdata.sandbox.seed import seed
from pandas_clicdata.sandbox.sources import Sources

PREFIX = "/_sandbox/"
"""What all control paths begin with."""
KEY_HEADER = "ClicData-Sandbox-Key"
"""The header that holds the control key. No web page can send it unasked, as it could send a cookie."""
PUBLIC = "openapi.json"
"""The path that needs no key."""
LONGEST_WAIT = 0.5
"""Seconds that one request may wait for held ones; who waits longer asks again."""


def is_control(path: str) -> bool:
    """Whether a path is one of the sandbox's own."""
    return path.startswith(PREFIX)


class Control:
    """What the control paths do. Each method takes the query and the body, and returns JSON text or what becomes it."""

    def __init__(
        self,
        credentials: Credentials,
        oauth: OAuth,
        faults: Faults,
        ledger: Ledger,
        requests: RequestLog,
        sources: Sources,
        world: World,
    ) -> None:
        self.credentials = credentials
        self._oauth = oauth
        self._faults = faults
        self._ledger = ledger
        self._requests = requests
        self._sources = sources
        self._world = world

    # signing in

    def sign_in(self, query: Mapping[str, str], body: Any) -> Any:
        """What a client signs in with."""
        return {
            **asdict(self.credentials),
            "username": self._world.people.username,
            "password": self._world.people.password,
        }

    def authorize(self, query: Mapping[str, str], body: Any) -> Any:
        """An authorization code, as if the user had agreed in a browser."""
        match body:
            case {"redirect_uri": str(target), "scope": str() | None as scope}:
                return {"code": self._oauth.authorize(target, scope)}
        raise ValueError("An authorization needs the text 'redirect_uri' and a 'scope', text or null.")

    # dashboards

    def dashboard(self, query: Mapping[str, str], body: Any) -> Any:
        """Make a dashboard."""
        match body:
            case {"name": name, "table": table, "description": description}:
                return {"id": self._world.dashboards.create(name, table, description)}
        raise ValueError("A dashboard needs a 'name', the name or id of a 'table', and a 'description'.")

    # faults

    def faults(self, query: Mapping[str, str], body: Any) -> Any:
        """The faults that have still to fire, and the count of requests that are held."""
        return {"pending": self._faults.pending, "held": self._faults.held}

    def script(self, query: Mapping[str, str], body: Any) -> Any:
        """Script a fault, given as `Fault.as_dict` gives it."""
        match body:
            case {"kind": str(kind)}:
                options: dict[str, Any] = {name: value for name, value in body.items() if name != "kind"}
                operation, nth, times = options.pop("operation", None), options.pop("nth", 1), options.pop("times", 1)
                return self._faults.add(make_fault(kind, operation, nth, times, options)).as_dict()
        raise ValueError("A fault is an object with its 'kind' and its options.")

    def clear_faults(self, query: Mapping[str, str], body: Any) -> Any:
        """Forget the faults that have not fired."""
        self._faults.clear()
        return {}

    def held(self, query: Mapping[str, str], body: Any) -> Any:
        """How many requests are held: at once, or when `count` are or `seconds` have passed."""
        count, seconds = int(query.get("count", "0")), float(query.get("seconds", "0"))
        if not seconds >= 0:
            raise ValueError("seconds must be a number from 0.")
        # Too few are told by the count.
        with contextlib.suppress(TimeoutError):
            self._faults.wait_held(count, min(seconds, LONGEST_WAIT))
        return {"held": self._faults.held}

    def release(self, query: Mapping[str, str], body: Any) -> Any:
        """Let go of all held requests."""
        return {"released": self._faults.release()}

    def expire_tokens(self, query: Mapping[str, str], body: Any) -> Any:
        """Let every access token expire now."""
        self._faults.expire_tokens()
        return {}

    # ledger

    def tables(self, query: Mapping[str, str], body: Any) -> Any:
        """The names of all tables and their ids."""
        return self._ledger.tables()

    def table_id(self, query: Mapping[str, str], body: Any) -> Any:
        """The id of a table."""
        return {"table_id": self._ledger.table_id(_table(query))}

    def count(self, query: Mapping[str, str], body: Any) -> Any:
        """How many rows a table has now."""
        return {"count": self._ledger.count(_table(query))}

    def rows(self, query: Mapping[str, str], body: Any) -> str:
        """The rows of a table, now or in a version."""
        version = query.get("version")
        return self._ledger.rows_text(_table(query), None if version is None else int(version))

    def inserts(self, query: Mapping[str, str], body: Any) -> str:
        """Every insert ever committed to a table."""
        return self._ledger.inserts_text(_table(query))

    # requests

    def requests(self, query: Mapping[str, str], body: Any) -> Any:
        """The log of requests, or of those for one operation."""
        operation = query.get("operation")
        return [asdict(entry) for entry in (self._requests if operation is None else self._requests.of(operation))]

    def counts(self, query: Mapping[str, str], body: Any) -> Any:
        """How many requests there were for each operation; pairs, as null is no key in JSON."""
        return list(self._requests.counts().items())

    def clear_requests(self, query: Mapping[str, str], body: Any) -> Any:
        """Forget the requests so far."""
        self._requests.clear()
        return {}

    # sources and schedules

    def sources(self, query: Mapping[str, str], body: Any) -> Any:
        """The folder with the files that tables are fed from."""
        return {"folder": str(self._sources.folder)}

    def put_source(self, query: Mapping[str, str], body: Any) -> Any:
        """Write a file into that folder."""
        match body:
            case {"name": str(name), "text": str(text), **rest} if not rest:
                self._sources.put(name, text)
                return {}
            case {"name": str(name), "base64": str(text), **rest} if not rest:
                self._sources.put(name, base64.b64decode(text, validate=True))
                return {}
        raise ValueError("A source is an object with its 'name' and its content, as 'text' or as 'base64'.")

    def feed(self, query: Mapping[str, str], body: Any) -> Any:
        """Make a table from a file."""
        match body:
            case {"name": str(), "file": str()} if body.keys() <= _FEED:
                return {"table_id": self._world.feeds.feed(**body)}
        raise ValueError("A feed is an object with 'name' and 'file', and may have 'key', 'history', 'description'.")

    def schedule(self, query: Mapping[str, str], body: Any) -> Any:
        """Make a schedule."""
        match body:
            case {"name": str(), "tables": list(), "method": str()} if body.keys() <= _SCHEDULE:
                return {"schedule_id": self._world.schedules.add(**body)}
        raise ValueError("A schedule is an object with 'name', 'tables' and 'method', and may have a 'description'.")

    def seed(self, query: Mapping[str, str], body: Any) -> Any:
        """Add the company that there is to look at."""
        return asdict(seed(self._world, self._sources))


_FEED = frozenset({"name", "file", "key", "history", "description"})
_SCHEDULE = frozenset({"name", "tables", "method", "description"})


def _table(query: Mapping[str, str]) -> int | str:
    if ("id" in query) == ("name" in query):
        raise ValueError("A table is named by its 'id' or by its 'name'.")
    return int(query["id"]) if "id" in query else query["name"]


_ROUTES: tuple[tuple[str, str, Callable[[Control, Mapping[str, str], Any], Any]], ...] = (
    ("GET", "", Control.sign_in),
    ("POST", "authorize", Control.authorize),
    ("POST", "dashboards", Control.dashboard),
    ("GET", "faults", Control.faults),
    ("POST", "faults", Control.script),
    ("DELETE", "faults", Control.clear_faults),
    ("GET", "faults/held", Control.held),
    ("POST", "faults/release", Control.release),
    ("POST", "faults/expire_tokens", Control.expire_tokens),
    ("GET", "ledger/tables", Control.tables),
    ("GET", "ledger/table_id", Control.table_id),
    ("GET", "ledger/count", Control.count),
    ("GET", "ledger/rows", Control.rows),
    ("GET", "ledger/inserts", Control.inserts),
    ("GET", "requests", Control.requests),
    ("GET", "requests/counts", Control.counts),
    ("DELETE", "requests", Control.clear_requests),
    ("GET", "sources", Control.sources),
    ("POST", "sources", Control.put_source),
    ("POST", "feeds", Control.feed),
    ("POST", "schedules", Control.schedule),
    ("POST", "seed", Control.seed),
)


def make_control(control: Control, documents: Documents) -> Flask:
    """The application that answers the control paths."""
    app = Flask("pandas_clicdata.sandbox.control", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False

    def view_of(work: Callable[[Control, Mapping[str, str], Any], Any]) -> Callable[[], Response]:
        def view() -> Response:
            sent = request.get_data(cache=False)
            result = work(control, request.args, json.loads(sent) if sent else None)
            return _reply(result if isinstance(result, str) else json.dumps(result))

        return view

    for method, path, work in _ROUTES:
        app.add_url_rule(
            PREFIX + path,
            endpoint=f"{method} {path}",
            view_func=view_of(work),
            methods=[method],
            provide_automatic_options=False,
        )

    @app.get(PREFIX + PUBLIC, endpoint=PUBLIC, provide_automatic_options=False)
    def _document() -> Response:
        return _reply(json.dumps(documents.of(request.args.getlist("api_version")), ensure_ascii=False))

    @app.before_request
    def _guard() -> Response | None:
        if request.endpoint == PUBLIC:
            return None
        # As bytes, for a header may hold more than ASCII.
        given = request.headers.get(KEY_HEADER, "").encode()
        if hmac.compare_digest(given, control.credentials.control_key.encode()):
            return None
        return _refusal(f"The header {KEY_HEADER} does not hold this sandbox's control key.", 401)

    @app.errorhandler(ValueError)
    def _value(exc: ValueError) -> Response:
        return _refusal(str(exc), 400)

    @app.errorhandler(TokenRefusal)
    def _token(exc: TokenRefusal) -> Response:
        return _refusal(str(json.loads(exc.body)["error_description"]), 400)

    @app.errorhandler(LookupError)
    def _lookup(exc: LookupError) -> Response:
        return _refusal(str(exc), 404)

    @app.errorhandler(HTTPException)
    def _http(exc: HTTPException) -> Response:
        # Not 404, which a table that is not there has.
        return _refusal(f"The sandbox has no control path {request.method} {request.path}: {exc.name}.", 405)

    return app


def _reply(text: str, status: int = 200) -> Response:
    reply = Response(text.encode(), status, content_type="application/json; charset=utf-8")
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _refusal(sentence: str, status: int) -> Response:
    return _reply(json.dumps({"error": sentence}), status)
