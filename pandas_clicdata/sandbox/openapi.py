"""The OpenAPI documents of what the sandbox answers, one for each dialect, made from `routes.ROUTES`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pandas_clicdata.sandbox import dialects
from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import MAX_COLUMNS, MAX_NAME, MAX_ROWS, MODES, UPDATE_KEYS, column_types, is_limited
from pandas_clicdata.sandbox.dialects import Dialect, Refusal, pagination, status_of
from pandas_clicdata.sandbox.feeds import METHODS
from pandas_clicdata.sandbox.oauth import SCOPES
from pandas_clicdata.sandbox.operations.call import FLAG, MAX_INTEGER, TEXT
from pandas_clicdata.sandbox.operations.people import ADDRESS
from pandas_clicdata.sandbox.people import LICENCES
from pandas_clicdata.sandbox.protocol import MAX_BODY
from pandas_clicdata.sandbox.routes import ROUTES, Query, Route, Schema
from pandas_clicdata.sandbox.schedules import STATES

_JSON = "application/json"
_PATH_ID = re.compile(r"<int:([a-z]+)>")
_REF = re.compile(r"'\$ref': '#/components/schemas/(\w+)'")
_SECURITY: Mapping[str, Mapping[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token from /oauth20/token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": (
            "The user name is the client_id, the password is the base64 text of the e-mail address, a colon and the "
            "user's password."
        ),
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "CLICDATA-API-KEY",
        "description": "Without Authorization.",
    },
}


_TOO_LONG = Refusal(413, "BodyTooLarge", f"The body is longer than {MAX_BODY} bytes.")


class Documents:
    """The documents of one sandbox.

    Parameters
    ----------
    mode : {"both", "unversioned", "versioned"}
        The dialects of the sandbox; other dialects have no document.
    assume : Assumptions
        The assumed behaviours.
    """

    def __init__(self, mode: str, assume: Assumptions) -> None:
        self._mode = mode
        self._assume = assume

    def of(self, given: Sequence[str]) -> dict[str, Any]:
        """Return the document for the values of ``api_version``; raise LookupError if there is none."""
        if self._mode == "unversioned" and given:
            raise LookupError("This sandbox has only the unversioned dialect; send the request without api_version.")
        known = dialects.known_versions(self._assume)
        try:
            return document(dialects.choose(self._mode, given, known), self._assume)
        except Refusal as exc:
            raise LookupError(f"{exc.description} Versions with a document: {', '.join(known.values())}.") from None


def document(dialect: Dialect, assume: Assumptions | None = None) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a dialect.

    Parameters
    ----------
    dialect : Dialect
        The dialect, with its version.
    assume : Assumptions, optional
        The assumed behaviours. Default: ``Assumptions()``.
    """
    assume = assume or Assumptions()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        if route.exists(dialect.version):
            operation = _SIGN_IN[route.operation]() if route.view is None else _operation(route, dialect, assume)
            named = {"operationId": _operation_id(route), "tags": [route.rule.split("/")[1]], **operation}
            paths.setdefault(_PATH_ID.sub(r"{\1}", route.rule), {})[route.method.lower()] = named
    return {
        "openapi": "3.1.0",
        "info": _info(dialect, assume),
        "servers": [{"url": "/", "description": "The sandbox that serves this document."}],
        "security": [{scheme: []} for scheme in _SECURITY],
        "paths": paths,
        "components": {
            "schemas": _used({**_schemas(dialect, assume), **_sign_in_schemas()}, paths),
            "headers": {
                # A sandbox with only the unversioned dialect has none.
                name: {"required": dialect.wrapped, "schema": TEXT, "example": value}
                for name, value in dialects.version_headers("both", assume)
            },
            "securitySchemes": _SECURITY,
        },
    }


def _info(dialect: Dialect, assume: Assumptions) -> dict[str, str]:
    if dialect.version is None:
        version, form = "unversioned", "Requests give no version, and replies are bare."
    else:
        version = dialects.VERSIONS[dialect.version]
        form = f"Requests give the version {version}, and replies are wrapped."
    if assume.trailing_slashes:
        form += " Each path is also answered with a trailing slash."
    return {
        "title": "The ClicData REST API, as emulated by the sandbox of pandas-clicdata",
        "version": version,
        "description": (
            f"{form} This document is not made by ClicData; it states what is publicly known and what is assumed. "
            f"Scopes: {', '.join(SCOPES)}. The replies of scripted faults are not included."
        ),
    }


def _operation(route: Route, dialect: Dialect, assume: Assumptions) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": (route.view.__doc__ or "").partition("\n")[0].rstrip("."),
        "description": f"Needs the scope `{route.scope}`.",
        "security": [{scheme: [route.scope]} for scheme in _SECURITY],
        "parameters": [*_parameters(route, dialect)],
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(route.body)}}}
    operation["responses"] = _responses(route, dialect, assume)
    return operation


def _operation_id(route: Route) -> str:
    if route.view is None:
        return route.operation
    shared = Counter(other.view for other in ROUTES)[route.view] > 1
    words = [word for word in route.rule.split("/") if not word.startswith("<")]
    return f"{route.view.__name__}_{words[-1]}" if shared else route.view.__name__


def _query(route: Route, dialect: Dialect) -> Query:
    return {**route.query, **((route.pages or {}) if dialect.wrapped else {})}


def _parameters(route: Route, dialect: Dialect) -> Iterable[dict[str, Any]]:
    for name in _PATH_ID.findall(route.rule):
        yield {"name": name, "in": "path", "required": True, "schema": _ID}
    if dialect.version is not None:
        version = {"type": "string", "enum": [dialects.VERSIONS[dialect.version]]}
        yield {"name": "api_version", "in": "query", "required": True, "schema": version}
    for name, (schema, description) in _query(route, dialect).items():
        yield {"name": name, "in": "query", "description": description, "schema": schema}


def _responses(route: Route, dialect: Dialect, assume: Assumptions) -> dict[str, Any]:
    result = _success(dialect, _ref(route.result), paged=route.pages is not None)
    mimetype = "text/plain" if route.result == "Picture" and not dialect.wrapped else _JSON
    success: dict[str, Any] = {"description": "Success.", "content": {mimetype: {"schema": result}}}
    by_status: dict[int, list[Refusal]] = defaultdict(list)
    for refusal in _refusals(route, dialect, assume):
        by_status[status_of(refusal, assume)].append(refusal)
    replies = {str(status): _refused(refusals) for status, refusals in sorted(by_status.items())}
    if "200" in replies:
        success["description"] = f"Success or refusal. {replies['200']['description']}"
        refused = replies["200"]["content"][_JSON]["schema"]
        done = success["content"].get(_JSON)
        success["content"][_JSON] = {"schema": {"oneOf": [done["schema"], refused]} if done else refused}
    replies = {**replies, "200": success}
    for reply in replies.values():
        reply["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name, _ in dialects.version_headers("both", assume)
        }
    return dict(sorted(replies.items()))


def _refused(refusals: Sequence[Refusal]) -> dict[str, Any]:
    codes = list(dict.fromkeys(refusal.code for refusal in refusals))
    return {
        "description": " ".join(f"`{refusal.code}`: {refusal.description}" for refusal in refusals),
        "content": {_JSON: {"schema": _failure(codes)}},
    }


def _used(known: Mapping[str, Schema], paths: Mapping[str, Any]) -> dict[str, Schema]:
    """Return the schemas to which the paths refer, directly or through other schemas."""
    used: set[str] = set()
    found = set(_REF.findall(repr(paths)))
    while found:
        used |= found
        found = {name for used_name in found for name in _REF.findall(repr(known[used_name]))} - used
    return {name: schema for name, schema in known.items() if name in used}


def _refusals(route: Route, dialect: Dialect, assume: Assumptions) -> list[Refusal]:
    """Return all refusals of a route, in the order in which a request is checked."""
    found = []
    if "<int:" in route.rule:
        found.append(Refusal(404, "UnknownRoute", "An id in the path is not an integer."))
    found.append(Refusal(401, "Unauthorized", "The credentials are unknown, or the token has expired."))
    if dialect.wrapped:
        found.append(Refusal(400, "InvalidVersion", "The version is unknown."))
    found.append(Refusal(403, "Forbidden", f"The scope `{route.scope}` was not granted."))
    if route.method != "GET":
        found.append(_TOO_LONG)
        if not route.empty:
            found.append(Refusal(415, "UnsupportedMediaType", "The body is not sent as application/json in UTF-8."))
            what = "The body does not have the required form." if route.body else "There is a body; none is allowed."
            found.append(Refusal(400, "InvalidBody", what))
    if any(schema is not TEXT for schema, _ in _query(route, dialect).values()):
        found.append(Refusal(400, "InvalidParameter", "A query parameter has an invalid value."))
    return [*found, *(refusal for refusal in route.refusals if _can_occur(refusal, route, assume))]


def _can_occur(refusal: Refusal, route: Route, assume: Assumptions) -> bool:
    """Return whether a refusal of a route exists under the assumptions."""
    if refusal.code == "TooManyRows":
        return is_limited(_SHAPE_OF[route.body or ""], assume)
    if refusal.code == "NoSource":
        return assume.refresh_without_source == "refused"
    if refusal.code == "InvalidValue" and route.operation == "append":
        return assume.refused_rows == "request"
    return True


# schemas

_SHORT: Schema = {"type": "string", "maxLength": MAX_NAME}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"\S"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_ID: Schema = {"type": "integer", "minimum": 1}
_MOMENT: Schema = {"type": "string", "format": "date-time", "description": "Local time with its UTC offset."}
_PICTURE: Schema = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Mapping[str, Any]) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _list(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}


def _reply(properties: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": needed}


def _body(properties: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    return {**_reply(properties, optional), "additionalProperties": False}


def _any_of(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "minProperties": 1, "additionalProperties": False}


_SHAPE_OF = {"RowsOfCells": "cells", "RowsOfValues": "positions", "RowsByName": "objects"}


def _rows(body: str, item: str, assume: Assumptions) -> Schema:
    most = {"maxItems": MAX_ROWS} if is_limited(_SHAPE_OF[body], assume) else {}
    return _body({"data": _list(_ref(item), minItems=1, **most)})


_CONVERSION = (
    "Text and dropdown also take numbers and true or false, number and percentage a string with a JSON number, "
    "checkbox 0, 1 and the strings 'true' and 'false', datetime ISO 8601 and a date, date a datetime at midnight."
)


def _requests(assume: Assumptions) -> dict[str, Schema]:
    cells = {**_list(_ref("Cell"), minItems=1), "description": "Each column at most once."}
    match = {"multiplerows": {"type": "string", "enum": ["all", "first"]}, "find": cells}
    updates = [_body({**match, key: cells}) for key in UPDATE_KEYS[assume.update_key]]
    if assume.unknown_update_key != "refused":
        updates = [{**update, "additionalProperties": True, "required": list(match)} for update in updates[:1]]
    person = {
        "email_address": {"type": "string", "maxLength": MAX_NAME, "pattern": f"^{ADDRESS.pattern}$"},
        "first_name": _SHORT,
        "last_name": _SHORT,
    }
    new_person, optional = person, ["first_name", "last_name", "password"]
    if assume.users == "licensed":
        licence = {"type": "string", "enum": list(LICENCES)}
        person = {**person, "licence": licence, "license": {**licence, "description": "Another key for the licence."}}
        new_person, optional = {**person, "first_name": _NAME}, ["last_name", "password", "licence", "license"]
    team = {"name": _NAME, "description": _or_null(TEXT)}
    password = {"password": {"type": "string", "minLength": 1, "maxLength": MAX_NAME}}
    return {
        "ColumnName": TEXT,
        "Value": {
            "type": ["string", "number", "boolean", "null"],
            "description": (
                "Depends on the column type: a string for text and dropdown, a number for number or percentage, "
                "true or false for checkbox, 'YYYY-MM-DD' for date, 'YYYY-MM-DD HH:MM:SS' with or without '.ffffff' in "
                f"UTC for datetime. Each type takes null. {_CONVERSION if assume.value_conversion == 'lenient' else ''}"
            ).rstrip(),
        },
        "Cell": _body({"column": _ref("ColumnName"), "value": _ref("Value")}),
        "NewColumn": _body({"name": _NAME, "data_type": {"type": "string", "enum": list(column_types(assume))}}),
        "NewTable": _body(
            {
                "name": _NAME,
                "description": _or_null(TEXT),
                "columns": {
                    **_list(_ref("NewColumn"), minItems=1, maxItems=MAX_COLUMNS),
                    "description": (
                        "Their names differ, also in lower case."
                        + (" At most one is a row id column, beside others." if assume.row_id_in_create else "")
                    ),
                },
            },
            optional=("description",),
        ),
        "RowOfCells": {**_list(_ref("Cell")), "description": "Each column at most once."},
        "RowOfValues": {
            **_list(_ref("Value")),
            "description": "One value for each column, in the order of the columns.",
        },
        "RowByName": {"type": "object", "additionalProperties": _ref("Value")},
        "RowsOfCells": _rows("RowsOfCells", "RowOfCells", assume),
        "RowsOfValues": _rows("RowsOfValues", "RowOfValues", assume),
        "RowsByName": _rows("RowsByName", "RowByName", assume),
        "RowsToUpdate": updates[0] if len(updates) == 1 else {"oneOf": updates},
        "RowsToDelete": _body(match),
        "Refresh": _body({"mode": {"type": "string", "enum": list(MODES)}}),
        "NewUser": _body({**new_person, **password}, optional=tuple(optional)),
        "UserChanges": _any_of(person),
        "NewPassword": _body(password),
        "NewTeam": _body(team, optional=("description",)),
        "TeamChanges": _any_of(team),
        "Member": _body({"user_id": _ref("UserId")}),
        "UserId": {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER},
        "ParameterName": _NAME,
        "ParameterToSet": _body({"name": _ref("ParameterName"), "value": TEXT}),
        "ParameterToRemove": _body({"name": _ref("ParameterName")}),
    }


def _replies(dialect: Dialect, assume: Assumptions) -> dict[str, Schema]:
    wrapped = dialect.wrapped
    key = "id" if wrapped else "rec_id"

    def listed(name: str, entry: str) -> Schema:
        entries = _list(_ref(entry))
        return entries if wrapped else _reply({name: entries})

    # Without duplicates, because every table may have a row id column of one of these types.
    listed_types = list(dict.fromkeys((*column_types(assume), *filter(None, [assume.row_id]))))
    page = {
        "data": _list({"type": "object", "additionalProperties": _ref("Value")}),
        **({} if wrapped else {"has_more_data": FLAG}),
        **({"columns": _list(_ref("Column"))} if assume.column_metadata else {}),
    }
    used = dict.fromkeys(("tables", "rows", "users"), _COUNT)
    usage = {"usage": _reply(used), "limits": _reply({name: _or_null(schema) for name, schema in used.items()})}
    if wrapped or assume.account_usage == "flat":
        usage = {}
    licence = {"licence": {"type": "string", "enum": list(LICENCES)}} if assume.users == "licensed" else {}
    counts = {"rows_inserted": _COUNT, "rows_found": _COUNT}
    as_object = wrapped and assume.created_as == "object"
    name_and_text = {"name": TEXT, "description": TEXT}
    nothing: Schema = {"type": "object", "maxProperties": 0}
    error = {"error": _reply({"code": TEXT, "description": TEXT})}
    return {
        "Failure": _reply({"success": {"const": False}, **error} if wrapped else error),
        "Done": nothing if wrapped else _reply({"success": {"const": True}}),
        "Created": _reply({"id": _ID}) if as_object else _ID,
        "Pagination": _reply(
            {
                name: FLAG if isinstance(value, bool) else _COUNT
                for name, value in pagination(assume.pagination, 0, 0, 1, 1, more=False).items()
            }
        ),
        # This list has the same keys in each dialect, because no version has both it and GET /table.
        "DataEntry": _reply(
            {
                "rec_id": _ID,
                **name_and_text,
                "source": {"type": "string", "enum": ["api", "file"]},
                "creation_date": _MOMENT,
                "last_data_update_date": _MOMENT,
            }
        ),
        "DataList": _reply({"count": _COUNT, "data": _list(_ref("DataEntry"))}),
        "TableEntry": _reply({"id": _ID, **name_and_text}),
        "TableList": _list(_ref("TableEntry")),
        "Column": _reply({"name": TEXT, "data_type": {"type": "string", "enum": listed_types}}),
        "Page": _reply(page),
        "Version": _reply({"version": _ID, "creation_date": _MOMENT, "row_count": _COUNT}),
        "Versions": _reply({"versions": _list(_ref("Version"))}),
        "Inserted": _reply(counts) if assume.insert_counts else nothing,
        "Refreshed": _reply({"success": {"const": True}}) if assume.refresh_result == "success" else nothing,
        "Account": _reply({"id": _ID, "name": TEXT, "domain": TEXT, **usage}),
        "UserActivity": _reply(
            {key: _ID, "email_address": TEXT, "last_login_date": _or_null(_MOMENT), "login_count": _COUNT}
        ),
        "UserActivities": _list(_ref("UserActivity")),
        "DashboardActivity": _reply(
            {key: _ID, "name": TEXT, "view_count": _COUNT, "last_view_date": _or_null(_MOMENT)}
        ),
        "DashboardActivities": _list(_ref("DashboardActivity")),
        "User": _reply(
            {
                key: _ID,
                "email_address": TEXT,
                "first_name": TEXT,
                "last_name": TEXT,
                "last_login_date": _or_null(_MOMENT),
                "teams": _list(_ID),
                **licence,
            }
        ),
        "UserList": listed("users", "User"),
        "Parameter": _reply({"name": TEXT, "value": TEXT}),
        "Team": _reply({key: _ID, **name_and_text, "users": _list(_ID), "parameters": _list(_ref("Parameter"))}),
        "TeamList": listed("teams", "Team"),
        "Dashboard": _reply(
            {
                key: _ID,
                **name_and_text,
                "creation_date": _MOMENT,
                "last_update_date": _MOMENT,
                "thumbnail": _PICTURE,
            },
            optional=("thumbnail",),
        ),
        "DashboardList": listed("dashboards", "Dashboard"),
        "Picture": _PICTURE,
        "Schedule": _reply(
            {
                key: _ID,
                **name_and_text,
                "status": {"type": "string", "enum": list(STATES)},
                "last_run_date": _or_null(_MOMENT),
                "last_end_date": _or_null(_MOMENT),
                "next_run_date": _or_null(_MOMENT),
                "message": {"type": ["string", "null"], "description": "The reason why the last run failed."},
                "tables": _list(_ID),
                "method": {"type": "string", "enum": list(METHODS)},
            }
        ),
        "ScheduleList": listed("schedules", "Schedule"),
        "OneSchedule": listed("schedules", "Schedule") if assume.single_schedule == "list" else _ref("Schedule"),
    }


def _schemas(dialect: Dialect, assume: Assumptions) -> dict[str, Schema]:
    """Return every schema by its name, also if the dialect does not use it."""
    return {**_requests(assume), **_replies(dialect, assume)}


def _success(dialect: Dialect, result: Schema, *, paged: bool) -> Schema:
    """Return the schema of a reply with a result."""
    if not dialect.wrapped:
        return result
    return _reply(
        {"success": {"const": True}, "result": result, **({"pagination": _ref("Pagination")} if paged else {})}
    )


def _failure(codes: list[str]) -> Schema:
    """Return the schema of a refusal with one of these codes."""
    error = {"type": "object", "properties": {"code": {"enum": codes}}}
    return {"allOf": [_ref("Failure"), {"type": "object", "properties": {"error": error}}]}


# OAuth endpoints

_ID_AND_SECRET = ("client_id", "client_secret")
_GRANTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "client_credentials": ((), ("scope",)),
    "refresh_token": (("refresh_token",), ()),
    "authorization_code": (("code", "redirect_uri"), ()),
}
# grant: the required fields beside client_id and client_secret, and the optional fields

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


def _sign_in_schemas() -> dict[str, Schema]:
    """Return the schemas of the token endpoint."""
    properties: dict[str, Schema] = {
        "access_token": TEXT,
        "token_type": {"const": "bearer"},
        "expires_in": {**_COUNT, "description": "In seconds."},
        "scope": TEXT,
        "refresh_token": {**TEXT, "description": "Only for a refresh_token or an authorization_code; valid once."},
    }
    required = [name for name in properties if name != "refresh_token"]
    return {
        "TokenRequest": {"oneOf": [_form(grant) for grant in _GRANTS]},
        "Token": {"type": "object", "properties": properties, "required": required},
    }


def _sign_in_refusal(description: str, errors: tuple[str, ...]) -> dict[str, Any]:
    properties = {"error": {"type": "string", "enum": list(errors)}, "error_description": TEXT}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_UNKNOWN = _sign_in_refusal("The client is unknown.", ("invalid_client",))

# The body is not read, so the refusal has the form of a dialect instead of that of RFC 6749.
_TOO_LONG_BODY: Schema = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"const": _TOO_LONG.code}, "description": TEXT},
            "required": ["code", "description"],
        },
    },
    "required": ["error"],
}


def _token() -> dict[str, Any]:
    form = {"schema": _ref("TokenRequest")}
    return {
        "summary": "Get an access token",
        "security": [],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": form}},
        "responses": {
            "200": {
                "description": "A token.",
                "headers": {"Cache-Control": {"required": True, "schema": {"const": "no-store"}}},
                "content": {"application/json": {"schema": _ref("Token")}},
            },
            "400": _sign_in_refusal("The request is not granted.", _TOKEN_ERRORS),
            "401": _UNKNOWN,
            "413": {"description": _TOO_LONG.description, "content": {"application/json": {"schema": _TOO_LONG_BODY}}},
        },
    }


def _authorize() -> dict[str, Any]:
    query: Mapping[str, tuple[bool, Schema]] = {
        "response_type": (True, {"type": "string", "enum": ["code"]}),
        "client_id": (True, TEXT),
        "redirect_uri": (True, {**TEXT, "format": "uri", "description": "An http address on this machine."}),
        "scope": (False, TEXT),
        "state": (False, {**TEXT, "description": "Returned unchanged."}),
    }
    return {
        "summary": "Get an authorization code; the owner of the account always agrees",
        "security": [],
        "parameters": [
            {"name": name, "in": "query", "required": required, "schema": schema}
            for name, (required, schema) in query.items()
        ],
        "responses": {
            "302": {
                "description": "Redirect to the redirect_uri with the `code` and the `state`.",
                "headers": {"Location": {"required": True, "schema": TEXT}},
            },
            "400": _sign_in_refusal("The request is not granted.", _AUTHORIZE_ERRORS),
            "401": _UNKNOWN,
        },
    }


_SIGN_IN = {"token": _token, "authorize": _authorize}
