"""The bodies of requests and replies as JSON Schemas, in the words of one dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.bodies import MAX_COLUMNS, MAX_NAME, MAX_ROWS, MODES
from pandas_clicdata.sandbox.dialects import Dialect, pagination
from pandas_clicdata.sandbox.feeds import METHODS
from pandas_clicdata.sandbox.operations.call import MAX_WHOLE
from pandas_clicdata.sandbox.operations.people import ADDRESS
from pandas_clicdata.sandbox.schedules import STATES
from pandas_clicdata.sandbox.values import ENCODERS

Schema = dict[str, Any]
"""A JSON Schema, of the dialect that OpenAPI 3.1 has."""

TEXT: Schema = {"type": "string"}
SHORT: Schema = {"type": "string", "maxLength": MAX_NAME}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"\S"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ID: Schema = {"type": "integer", "minimum": 1}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_WHOLE}
MOMENT: Schema = {"type": "string", "format": "date-time", "description": "Local time with its offset."}
PICTURE: Schema = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def ref(name: str) -> Schema:
    """A reference to one of the `components`."""
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


def _rows(items: Schema) -> Schema:
    return _body({"data": _list(items, minItems=1, maxItems=MAX_ROWS)})


def _column_types(row_id: str | None) -> list[str]:
    return [*ENCODERS, *([] if row_id is None else [row_id])]


def _requests() -> dict[str, Schema]:
    cells = {**_list(ref("Cell"), minItems=1), "description": "Each column once at most."}
    match = {"multiplerows": {"type": "string", "enum": ["all", "first"]}, "find": cells}
    person = {
        "email_address": {"type": "string", "maxLength": MAX_NAME, "pattern": f"^{ADDRESS.pattern}$"},
        "first_name": SHORT,
        "last_name": SHORT,
    }
    team = {"name": NAME, "description": _or_null(TEXT)}
    password = {"password": {"type": "string", "minLength": 1, "maxLength": MAX_NAME}}
    return {
        "ColumnName": TEXT,
        "Value": {
            "type": ["string", "number", "boolean", "null"],
            "description": (
                "What the type of its column takes: text and dropdown a string, number and percentage a number, "
                "checkbox true or false, date 'YYYY-MM-DD', datetime 'YYYY-MM-DD HH:MM:SS' with or without '.ffffff' "
                "in UTC, and each of them null."
            ),
        },
        "Cell": _body({"column": ref("ColumnName"), "value": ref("Value")}),
        "NewColumn": _body({"name": NAME, "data_type": {"type": "string", "enum": _column_types(None)}}),
        "NewTable": _body(
            {
                "name": NAME,
                "description": _or_null(TEXT),
                "columns": {
                    **_list(ref("NewColumn"), minItems=1, maxItems=MAX_COLUMNS),
                    "description": "Their names differ, also without regard to case.",
                },
            },
            optional=("description",),
        ),
        "RowOfCells": {**_list(ref("Cell")), "description": "Each column once at most."},
        "RowOfValues": {**_list(ref("Value")), "description": "As many as there are columns, in their order."},
        "RowByName": {"type": "object", "additionalProperties": ref("Value")},
        "RowsOfCells": _rows(ref("RowOfCells")),
        "RowsOfValues": _rows(ref("RowOfValues")),
        "RowsByName": _rows(ref("RowByName")),
        "RowsToUpdate": _body({**match, "update": cells}),
        "RowsToDelete": _body(match),
        "Refresh": _body({"mode": {"type": "string", "enum": list(MODES)}}),
        "NewUser": _body({**person, **password}, optional=("first_name", "last_name", "password")),
        "UserChanges": _any_of(person),
        "NewPassword": _body(password),
        "NewTeam": _body(team, optional=("description",)),
        "TeamChanges": _any_of(team),
        "Member": _body({"user_id": ref("UserId")}),
        "UserId": {"type": "integer", "minimum": 0, "maximum": MAX_WHOLE},
        "ParameterName": NAME,
        "ParameterToSet": _body({"name": ref("ParameterName"), "value": TEXT}),
        "ParameterToRemove": _body({"name": ref("ParameterName")}),
    }


def _replies(dialect: Dialect, assume: Assumptions) -> dict[str, Schema]:
    wrapped = dialect.wrapped
    key = "id" if wrapped else "rec_id"

    def listed(name: str, entry: str) -> Schema:
        entries = _list(ref(entry))
        return entries if wrapped else _reply({name: entries})

    page = {
        "data": _list({"type": "object", "additionalProperties": ref("Value")}),
        **({} if wrapped else {"has_more_data": FLAG}),
        **({"columns": _list(ref("Column"))} if assume.column_metadata else {}),
    }
    counts = {"rows_inserted": COUNT, "rows_found": COUNT}
    as_object = wrapped and assume.created_as == "object"
    name_and_text = {"name": TEXT, "description": TEXT}
    nothing: Schema = {"type": "object", "maxProperties": 0}
    error = {"error": _reply({"code": TEXT, "description": TEXT})}
    return {
        "Failure": _reply({"success": {"const": False}, **error} if wrapped else error),
        "Done": nothing if wrapped else _reply({"success": {"const": True}}),
        "Created": _reply({"id": ID}) if as_object else ID,
        "Pagination": _reply(
            {
                name: FLAG if isinstance(value, bool) else COUNT
                for name, value in pagination(assume.pagination, 0, 0, 1, 1, more=False).items()
            }
        ),
        # The one list that has the same words in each dialect: no version has both it and GET /table.
        "DataEntry": _reply(
            {
                "rec_id": ID,
                **name_and_text,
                "source": {"type": "string", "enum": ["api", "file"]},
                "creation_date": MOMENT,
                "last_data_update_date": MOMENT,
            }
        ),
        "DataList": _reply({"count": COUNT, "data": _list(ref("DataEntry"))}),
        "TableEntry": _reply({"id": ID, **name_and_text}),
        "TableList": _list(ref("TableEntry")),
        "Column": _reply({"name": TEXT, "data_type": {"type": "string", "enum": _column_types(assume.row_id)}}),
        "Page": _reply(page),
        "Version": _reply({"version": ID, "creation_date": MOMENT, "row_count": COUNT}),
        "Versions": _reply({"versions": _list(ref("Version"))}),
        "Inserted": _reply(counts) if assume.insert_counts else nothing,
        "Account": _reply({"id": ID, "name": TEXT, "domain": TEXT}),
        "UserActivity": _reply(
            {key: ID, "email_address": TEXT, "last_login_date": _or_null(MOMENT), "login_count": COUNT}
        ),
        "UserActivities": _list(ref("UserActivity")),
        "DashboardActivity": _reply({key: ID, "name": TEXT, "view_count": COUNT, "last_view_date": _or_null(MOMENT)}),
        "DashboardActivities": _list(ref("DashboardActivity")),
        "User": _reply(
            {
                key: ID,
                "email_address": TEXT,
                "first_name": TEXT,
                "last_name": TEXT,
                "last_login_date": _or_null(MOMENT),
                "teams": _list(ID),
            }
        ),
        "UserList": listed("users", "User"),
        "Parameter": _reply({"name": TEXT, "value": TEXT}),
        "Team": _reply({key: ID, **name_and_text, "users": _list(ID), "parameters": _list(ref("Parameter"))}),
        "TeamList": listed("teams", "Team"),
        "Dashboard": _reply(
            {
                key: ID,
                **name_and_text,
                "creation_date": MOMENT,
                "last_update_date": MOMENT,
                "thumbnail": PICTURE,
            },
            optional=("thumbnail",),
        ),
        "DashboardList": listed("dashboards", "Dashboard"),
        "Picture": PICTURE,
        "Schedule": _reply(
            {
                key: ID,
                **name_and_text,
                "status": {"type": "string", "enum": list(STATES)},
                "last_run_date": _or_null(MOMENT),
                "last_end_date": _or_null(MOMENT),
                "next_run_date": _or_null(MOMENT),
                "message": {"type": ["string", "null"], "description": "Why the last run failed."},
                "tables": _list(ID),
                "method": {"type": "string", "enum": list(METHODS)},
            }
        ),
        "ScheduleList": listed("schedules", "Schedule"),
    }


def components(dialect: Dialect, assume: Assumptions) -> dict[str, Schema]:
    """Every schema by its name, whether or not the dialect has a use for it."""
    return {**_requests(), **_replies(dialect, assume)}


def success(dialect: Dialect, result: Schema, *, paged: bool) -> Schema:
    """The body of a reply around the schema of its result."""
    if not dialect.wrapped:
        return result
    return _reply(
        {"success": {"const": True}, "result": result, **({"pagination": ref("Pagination")} if paged else {})}
    )


def failure(codes: list[str]) -> Schema:
    """The body of a refusal with one of these codes."""
    error = {"type": "object", "properties": {"code": {"enum": codes}}}
    return {"allOf": [ref("Failure"), {"type": "object", "properties": {"error": error}}]}
