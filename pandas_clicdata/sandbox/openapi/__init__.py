"""The OpenAPI documents: what the sandbox answers, for programs to read. There is one a dialect."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.dialects import Dialect, Refusal, status_of
from pandas_clicdata.sandbox.oauth import SCOPES
from pandas_clicdata.sandbox.openapi import schemas, signin
from pandas_clicdata.sandbox.openapi.described import DESCRIBED, Described, refusals_of
from pandas_clicdata.sandbox.openapi.schemas import Schema, ref
from pandas_clicdata.sandbox.routes import ROUTES, Route

VERSIONS = {**dialects.DEPRECATED, **dialects.SUPPORTED}
"""The versions that have a document, the oldest first, and their names."""

_JSON = "application/json"
_PATH_ID = re.compile(r"<int:([a-z]+)>")
_REF = re.compile(r"'\$ref': '#/components/schemas/(\w+)'")
_SECURITY: Mapping[str, Mapping[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token of /oauth20/token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": (
            "The user name is the client_id, the password is the base64 text of the e-mail address, a colon and the "
            "user's password."
        ),
    },
    "key": {"type": "apiKey", "in": "header", "name": "CLICDATA-API-KEY", "description": "With no Authorization."},
}


class Documents:
    """The documents of one sandbox.

    Parameters
    ----------
    mode : {"both", "unversioned", "versioned"}
        The dialects spoken: others have no document.
    assume : Assumptions
        What the sandbox does where nobody knows.
    """

    def __init__(self, mode: str, assume: Assumptions) -> None:
        self._mode = mode
        self._assume = assume

    def of(self, given: Sequence[str]) -> dict[str, Any]:
        """The document by the values of an ``api_version`` parameter; LookupError where there is none."""
        if self._mode == "unversioned" and given:
            raise LookupError("This sandbox speaks the unversioned dialect only; ask without an api_version.")
        try:
            return document(dialects.choose(self._mode, given), self._assume)
        except Refusal as exc:
            known = ", ".join(VERSIONS.values())
            raise LookupError(f"{exc.description} There are documents for {known}.") from None


def document(dialect: Dialect, assume: Assumptions | None = None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a dialect.

    Parameters
    ----------
    dialect : Dialect
        A version, or none.
    assume : Assumptions, optional
        What the sandbox does where nobody knows, the default without it.
    """
    assume = assume or Assumptions()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        if route.exists(dialect.version):
            known = signin.SIGN_IN.get(route.view)
            operation = known() if known else _operation(route, dialect, assume)
            named = {"operationId": _operation_id(route), "tags": [route.rule.split("/")[1]], **operation}
            paths.setdefault(_PATH_ID.sub(r"{\1}", route.rule), {})[route.method.lower()] = named
    return {
        "openapi": "3.1.0",
        "info": _info(dialect),
        "servers": [{"url": "/", "description": "The sandbox that serves this document."}],
        "security": [{scheme: []} for scheme in _SECURITY],
        "paths": paths,
        "components": {
            "schemas": _used({**schemas.components(dialect, assume), **signin.components()}, paths),
            "headers": {
                # A sandbox that speaks the unversioned dialect only has none.
                name: {"required": dialect.wrapped, "schema": schemas.TEXT, "example": value}
                for name, value in dialects.VERSION_HEADERS
            },
            "securitySchemes": _SECURITY,
        },
    }


def _info(dialect: Dialect) -> dict[str, str]:
    if dialect.version is None:
        version, form = "unversioned", "Requests name no version, and replies are bare."
    else:
        version = VERSIONS[dialect.version]
        form = f"Requests name the version {version}, and replies are wrapped."
    return {
        "title": "ClicData's REST API, as the sandbox of pandas-clicdata answers it",
        "version": version,
        "description": (
            f"{form} Made from what is publicly known and assumed of the API, not by ClicData. The scopes are "
            f"{', '.join(SCOPES)}. Faults that are scripted are not in here: they may answer anything."
        ),
    }


def _operation(route: Route, dialect: Dialect, assume: Assumptions) -> dict[str, Any]:
    described = DESCRIBED[route.view]
    operation: dict[str, Any] = {
        "summary": described.summary,
        "description": f"Needs the scope `{route.scope}`.",
        "security": [{scheme: [route.scope]} for scheme in _SECURITY],
        "parameters": [*_parameters(route, described, dialect)],
    }
    if described.body:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": ref(described.body)}}}
    operation["responses"] = _responses(route, described, dialect, assume)
    return operation


def _operation_id(route: Route) -> str:
    shared = Counter(other.view for other in ROUTES)[route.view] > 1
    words = [word for word in route.rule.split("/") if not word.startswith("<")]
    return f"{route.view}_{words[-1]}" if shared else route.view


def _parameters(route: Route, described: Described, dialect: Dialect) -> Iterable[dict[str, Any]]:
    for name in _PATH_ID.findall(route.rule):
        yield {"name": name, "in": "path", "required": True, "schema": schemas.ID}
    if dialect.version is not None:
        version = {"type": "string", "enum": [VERSIONS[dialect.version]]}
        yield {"name": "api_version", "in": "query", "required": True, "schema": version}
    for name, (schema, description) in described.parameters(dialect).items():
        yield {"name": name, "in": "query", "description": description, "schema": schema}


def _responses(route: Route, described: Described, dialect: Dialect, assume: Assumptions) -> dict[str, Any]:
    result = schemas.success(dialect, ref(described.result), paged=described.pages is not None)
    mimetype = "text/plain" if described.result == "Picture" and not dialect.wrapped else _JSON
    success: dict[str, Any] = {"description": "Done.", "content": {mimetype: {"schema": result}}}
    by_status: dict[int, list[Refusal]] = defaultdict(list)
    for refusal in refusals_of(route, described, dialect):
        by_status[status_of(refusal, assume)].append(refusal)
    replies = {str(status): _refused(refusals) for status, refusals in sorted(by_status.items())}
    if "200" in replies:
        success["description"] = f"Done, or not. {replies['200']['description']}"
        refused = replies["200"]["content"][_JSON]["schema"]
        done = success["content"].get(_JSON)
        success["content"][_JSON] = {"schema": {"oneOf": [done["schema"], refused]} if done else refused}
    replies = {**replies, "200": success}
    for reply in replies.values():
        reply["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name, _ in dialects.VERSION_HEADERS}
    return dict(sorted(replies.items()))


def _refused(refusals: Sequence[Refusal]) -> dict[str, Any]:
    codes = list(dict.fromkeys(refusal.code for refusal in refusals))
    return {
        "description": " ".join(f"`{refusal.code}`: {refusal.description}" for refusal in refusals),
        "content": {_JSON: {"schema": schemas.failure(codes)}},
    }


def _used(known: Mapping[str, Schema], paths: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas that the paths refer to, and those that these refer to."""
    used: set[str] = set()
    found = set(_REF.findall(repr(paths)))
    while found:
        used |= found
        found = {name for used_name in found for name in _REF.findall(repr(known[used_name]))} - used
    return {name: schema for name, schema in known.items() if name in used}
