"""The OAuth endpoints in the documents: they know no versions, and refuse in the words of RFC 6749."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pandas_clicdata.sandbox.openapi.described import TOO_LONG
from pandas_clicdata.sandbox.openapi.schemas import COUNT, TEXT, Schema

_ID_AND_SECRET = ("client_id", "client_secret")
_GRANTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "client_credentials": ((), ("scope",)),
    "refresh_token": (("refresh_token",), ()),
    "authorization_code": (("code", "redirect_uri"), ()),
}
# grant → the fields it needs beside client_id and client_secret, and those it may have

_TOKEN_ERRORS = ("invalid_request", "unsupported_grant_type", "invalid_scope", "invalid_grant")
_AUTHORIZE_ERRORS = ("unsupported_response_type", "invalid_request", "invalid_scope")


def _form(grant: str) -> Schema:
    needed, optional = _GRANTS[grant]
    fields = dict.fromkeys((*_ID_AND_SECRET, *needed, *optional), TEXT)
    return {
        "title": grant,
        "type": "object",
        "properties": {"grant_type": {"const": grant}, **fields},
        "required": ["grant_type", *_ID_AND_SECRET, *needed],
    }


def components() -> dict[str, Schema]:
    """The schemas of the token endpoint."""
    properties: dict[str, Schema] = {
        "access_token": TEXT,
        "token_type": {"const": "bearer"},
        "expires_in": {**COUNT, "description": "In seconds."},
        "scope": TEXT,
        "refresh_token": {**TEXT, "description": "For a refresh_token or an authorization_code; good for one use."},
    }
    required = [name for name in properties if name != "refresh_token"]
    return {
        "TokenRequest": {"oneOf": [_form(grant) for grant in _GRANTS]},
        "Token": {"type": "object", "properties": properties, "required": required},
    }


def _refusal(description: str, errors: tuple[str, ...]) -> dict[str, Any]:
    properties = {"error": {"type": "string", "enum": list(errors)}, "error_description": TEXT}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_UNKNOWN = _refusal("The client is not known.", ("invalid_client",))

# Whoever reads no more of the request refuses it in the words of a dialect, whichever that is.
_TOO_LONG: Schema = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"const": TOO_LONG.code}, "description": TEXT},
            "required": ["code", "description"],
        },
    },
    "required": ["error"],
}


def _token() -> dict[str, Any]:
    form = {"schema": {"$ref": "#/components/schemas/TokenRequest"}}
    return {
        "summary": "Get an access token",
        "security": [],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": form}},
        "responses": {
            "200": {
                "description": "A token.",
                "headers": {"Cache-Control": {"required": True, "schema": {"const": "no-store"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Token"}}},
            },
            "400": _refusal("What is asked for is not granted.", _TOKEN_ERRORS),
            "401": _UNKNOWN,
            "413": {"description": TOO_LONG.description, "content": {"application/json": {"schema": _TOO_LONG}}},
        },
    }


def _authorize() -> dict[str, Any]:
    query: Mapping[str, tuple[bool, Schema]] = {
        "response_type": (True, {"type": "string", "enum": ["code"]}),
        "client_id": (True, TEXT),
        "redirect_uri": (True, {**TEXT, "format": "uri", "description": "An http address of this machine."}),
        "scope": (False, TEXT),
        "state": (False, {**TEXT, "description": "Comes back as it was."}),
    }
    return {
        "summary": "Get an authorization code, for which the account's owner always agrees",
        "security": [],
        "parameters": [
            {"name": name, "in": "query", "required": required, "schema": schema}
            for name, (required, schema) in query.items()
        ],
        "responses": {
            "302": {
                "description": "Back to the redirect_uri, with the `code` and the `state`.",
                "headers": {"Location": {"required": True, "schema": TEXT}},
            },
            "400": _refusal("What is asked for is not granted.", _AUTHORIZE_ERRORS),
            "401": _UNKNOWN,
        },
    }


SIGN_IN = {"token": _token, "authorize": _authorize}
"""The views of `routes.ROUTES` that are OAuth endpoints, and what makes their description."""
