"""The operations of the API: a route for each method and path, declared on the view that answers it.

One declaration says all that is known of a route. Flask's rules, the names of operations in faults and in the request
log, and the OpenAPI documents are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule

from pandas_clicdata.sandbox.dialects import Refusal

OPERATIONS = (
    "token", "authorize", "list", "read", "versions", "read_version", "create", "append", "update", "delete", "rebuild",
    "account", "activity", "profile",
    "users", "user", "create_user", "update_user", "delete_user", "set_password",
    "teams", "create_team", "update_team", "delete_team", "add_user", "remove_user", "set_parameter",
    "remove_parameter", "dashboards", "thumbnail", "snapshot", "schedules", "schedule", "trigger",
)  # fmt: skip
"""The names of the operations in faults and in the request log."""

FIRST, LAST = (0, 0), (9999, 99)
"""Bounds of the versions in which a route exists."""

Schema = dict[str, Any]
"""A JSON Schema, of the dialect that OpenAPI 3.1 uses."""
Query = Mapping[str, tuple[Schema, str]]
"""Query parameters: a schema and a description for each name."""
_View = TypeVar("_View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Route:
    """One method on one path.

    Attributes
    ----------
    method, rule : str
        HTTP method, and path as a rule of werkzeug.
    operation : str
        Name of the operation.
    view : callable, optional
        The function that answers. None: an OAuth endpoint.
    result : str
        Name of the OpenAPI schema of the result.
    body : str, optional
        Name of the OpenAPI schema of the request body.
    query : mapping
        Query parameters.
    pages : mapping, optional
        Query parameters for paging in the versioned dialect. If given, even empty, a versioned reply has a pagination.
    refusals : tuple of Refusal
        The refusals of this route, beside those that routes share.
    bare : bool
        The route exists without a version.
    since, until : tuple of int
        The first and the last version in which the route exists.
    empty : bool
        The requests have no body.
    """

    method: str
    rule: str
    operation: str
    view: Callable[..., Any] | None = None
    result: str = "Done"
    body: str | None = None
    query: Query = field(default_factory=dict)
    pages: Query | None = None
    refusals: tuple[Refusal, ...] = ()
    bare: bool = True
    since: tuple[int, int] = FIRST
    until: tuple[int, int] = LAST
    empty: bool = False

    @property
    def scope(self) -> str:
        """The scope that a request needs."""
        first = self.rule.split("/")[1]
        return f"{'account' if first == 'profile' else first}_{'read' if self.method == 'GET' else 'write'}"

    def exists(self, version: tuple[int, int] | None) -> bool:
        """Return whether the route exists in a version, or without one."""
        return self.bare if version is None else self.since <= version <= self.until


ROUTES = [Route("POST", "/oauth20/token", "token"), Route("GET", "/oauth20/authorize", "authorize")]
"""All routes, once `operations` is imported. Any other path is a 404."""


def route(method: str, rule: str, operation: str | None = None, **facts: Any) -> Callable[[_View], _View]:
    """Declare a route on its view; the operation has the name of the view unless another name is given."""

    def declare(view: _View) -> _View:
        ROUTES.append(Route(method, rule, operation or view.__name__, view, **facts))
        return view

    return declare


@cache
def _rules(*, trailing_slashes: bool) -> Map:
    return Map(
        [Rule(route.rule, methods=[route.method], endpoint=route.operation) for route in ROUTES],
        strict_slashes=not trailing_slashes,
        merge_slashes=False,
    )


def operation_of(environ: Mapping[str, str], *, trailing_slashes: bool) -> str | None:
    """Return the operation that a WSGI request asks for, or None if there is no such route."""
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    try:
        endpoint, _ = (
            _rules(trailing_slashes=trailing_slashes)
            .bind("sandbox")
            .match(path, method=environ.get("REQUEST_METHOD", "GET"))
        )
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)
