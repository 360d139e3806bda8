"""What the documents say of each route beyond what the routes say themselves, by the name of its view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pandas_clicdata.sandbox.dialects import Dialect, Refusal
from pandas_clicdata.sandbox.openapi.schemas import FLAG, TEXT, WHOLE, Schema
from pandas_clicdata.sandbox.operations.listing import LIST_PAGE_SIZE, MAX_LIST_PAGE_SIZE
from pandas_clicdata.sandbox.protocol import MAX_BODY
from pandas_clicdata.sandbox.routes import Route

Query = Mapping[str, tuple[Schema, str]]
"""Query parameters: name → schema and description."""

_PAGE: Query = {"page": (WHOLE, "The page, counted from 1. One past the end is empty.")}
_PAGES: Query = {
    **_PAGE,
    "page_size": (
        {**WHOLE, "maximum": MAX_LIST_PAGE_SIZE},
        f"Entries on a page, {LIST_PAGE_SIZE} unless said otherwise.",
    ),
}
_NAME: Query = {"name": (TEXT, "Only entries of this name, without regard to case.")}

TOO_LONG = Refusal(413, "BodyTooLarge", f"The body is longer than {MAX_BODY} bytes.")
"""The one refusal that every request with a body shares, whatever its path."""

_TABLE = Refusal(404, "NotFound", "There is no table with the id.")
_VALUE = Refusal(400, "InvalidValue", "A value is not what its column takes.")
_TOO_MANY = Refusal(400, "TooManyRows", "The request brings more rows than one may.")
_CHANGED = Refusal(409, "TableChanged", "A refresh has just changed the columns of the table.")
_APPEND = (_VALUE, _TOO_MANY, _TABLE, _CHANGED)
_SOURCE = (
    Refusal(400, "NoSource", "The table was made through the API and has no source."),
    Refusal(400, "SourceUnreadable", "The source cannot be read."),
    Refusal(400, "SourceMismatch", "The source does not fit the table."),
    Refusal(400, "KeyTwice", "The source has a unique key twice."),
    _TABLE,
)
_NO_KEY = Refusal(400, "NoUniqueKey", "The table has no unique key to find its rows by.")
_SCHEDULE = Refusal(404, "NotFound", "There is no schedule with the id.")
_DASHBOARD = Refusal(404, "NotFound", "There is no dashboard with the id.")
_USER = Refusal(404, "NotFound", "There is no user with the id.")
_TEAM = Refusal(404, "NotFound", "There is no team with the id.")
_MEMBER = Refusal(404, "NotFound", "There is no team, or no user, with the id.")
_TAKEN = Refusal(409, "NameTaken", "Another has the name already.")
_FIELD = Refusal(400, "InvalidValue", "A field is not what it must be: an e-mail address, or not empty.")
_ADDRESS_TAKEN = Refusal(409, "AddressTaken", "Another user has the e-mail address already.")


@dataclass(frozen=True)
class Described:
    """A route in words: what it does, what it takes, what it answers, and what it alone refuses.

    `pages` are the query parameters that a versioned request may page a list with; with any, even none, a versioned
    reply says of its paging.
    """

    summary: str
    result: str
    body: str | None = None
    query: Query = field(default_factory=dict)
    pages: Query | None = None
    refusals: tuple[Refusal, ...] = ()

    def parameters(self, dialect: Dialect) -> Query:
        """The query parameters that it reads in a dialect."""
        return {**self.query, **((self.pages or {}) if dialect.wrapped else {})}


DESCRIBED: Mapping[str, Described] = {
    "list_data": Described(
        "List the tables",
        "DataList",
        query={
            **_NAME,
            "uniquekeyavailable": (FLAG, "Only tables that have a unique key, or only those that have none."),
            "refresh": (FLAG, "Only tables that have a source to refresh from, or only those that have none."),
        },
    ),
    "list_table": Described("List the tables", "TableList", pages=_PAGES),
    "create": Described(
        "Make a table", "Created", body="NewTable", refusals=(Refusal(409, "NameTaken", "A table has the name."),)
    ),
    "read": Described("Read a page of rows", "Page", query=_PAGE, pages={}, refusals=(_TABLE,)),
    "versions": Described("List the versions of a table", "Versions", refusals=(_TABLE,)),
    "append_cells": Described("Append rows, each a list of cells", "Done", body="RowsOfCells", refusals=_APPEND),
    "append_positions": Described(
        "Append rows, each a list of values in the order of the columns",
        "Done",
        body="RowsOfValues",
        refusals=_APPEND,
    ),
    "insert": Described("Append rows, each an object", "Inserted", body="RowsByName", refusals=_APPEND),
    "update": Described(
        "Give the rows that match new values", "Done", body="RowsToUpdate", refusals=(_VALUE, _TABLE, _CHANGED)
    ),
    "delete": Described("Delete the rows that match", "Done", body="RowsToDelete", refusals=(_VALUE, _TABLE, _CHANGED)),
    "source_recreate": Described("Make columns and rows anew from the source", "Done", refusals=_SOURCE),
    "source_reload": Described("Put the rows of the source in place of all rows", "Done", refusals=_SOURCE),
    "source_update": Described("Update rows from the source, by their key", "Done", refusals=(*_SOURCE, _NO_KEY)),
    "source_append": Described("Append all rows of the source", "Done", refusals=_SOURCE),
    "source_updateappend": Described(
        "Update rows from the source, by their key, and append the others", "Done", refusals=(*_SOURCE, _NO_KEY)
    ),
    "refresh": Described("Refresh a table from its source", "Done", body="Refresh", refusals=(*_SOURCE, _NO_KEY)),
    "schedules": Described("List the schedules", "ScheduleList", pages=_PAGES),
    "schedule": Described("One schedule and its last run", "Schedule", refusals=(_SCHEDULE,)),
    "trigger": Described(
        "Start a run of a schedule",
        "Done",
        refusals=(_SCHEDULE, Refusal(409, "AlreadyRunning", "It is running.")),
    ),
    "account": Described("The account", "Account"),
    "activity_users": Described("How often each user signed in", "UserActivities"),
    "activity_dashboards": Described("How often each dashboard was looked at", "DashboardActivities"),
    "profile": Described("The user who asks", "User"),
    "users": Described("List the users", "UserList", pages=_PAGES),
    "user": Described("One user", "User", refusals=(_USER,)),
    "create_user": Described("Make a user", "Created", body="NewUser", refusals=(_FIELD, _ADDRESS_TAKEN)),
    "update_user": Described("Change a user", "Done", body="UserChanges", refusals=(_FIELD, _USER, _ADDRESS_TAKEN)),
    "delete_user": Described(
        "Delete a user",
        "Done",
        refusals=(_USER, Refusal(409, "OwnerNeeded", "The user owns the account.")),
    ),
    "set_password": Described("Give a user a new password", "Done", body="NewPassword", refusals=(_FIELD, _USER)),
    "teams": Described("List the teams", "TeamList", pages=_PAGES),
    "create_team": Described("Make a team", "Created", body="NewTeam", refusals=(_TAKEN,)),
    "update_team": Described("Change a team", "Done", body="TeamChanges", refusals=(_TEAM, _TAKEN)),
    "delete_team": Described("Delete a team", "Done", refusals=(_TEAM,)),
    "add_user": Described("Put a user into a team", "Done", body="Member", refusals=(_MEMBER,)),
    "remove_user": Described(
        "Take a user out of a team",
        "Done",
        body="Member",
        refusals=(_MEMBER, Refusal(404, "NotFound", "Or the user is not in the team.")),
    ),
    "set_parameter": Described(
        "Give a team a parameter, or a parameter a new value", "Done", body="ParameterToSet", refusals=(_TEAM,)
    ),
    "remove_parameter": Described(
        "Take a parameter from a team",
        "Done",
        body="ParameterToRemove",
        refusals=(_TEAM, Refusal(404, "NotFound", "Or it has no parameter of the name.")),
    ),
    "dashboards": Described(
        "List the dashboards",
        "DashboardList",
        query={**_NAME, "includethumbnail": (FLAG, "Whether entries have their thumbnail.")},
        pages=_PAGES,
    ),
    "thumbnail": Described("A small picture of a dashboard", "Picture", refusals=(_DASHBOARD,)),
    "snapshot": Described("A large picture of a dashboard", "Picture", refusals=(_DASHBOARD,)),
}
"""Every view of `routes.ROUTES`, but for those of the OAuth endpoints."""


def refusals_of(route: Route, described: Described, dialect: Dialect) -> list[Refusal]:
    """All that a request for a route can be refused for, in the order in which it is looked at."""
    found = []
    if "<int:" in route.rule:
        found.append(Refusal(404, "UnknownRoute", "An id in the path is no whole number."))
    found.append(Refusal(401, "Unauthorized", "Who asks is not known, or their token has expired."))
    if dialect.wrapped:
        found.append(Refusal(400, "InvalidVersion", "The version is not known."))
    found.append(Refusal(403, "Forbidden", f"The scope `{route.scope}` was not granted."))
    if route.method != "GET":
        found.append(TOO_LONG)
        if not route.empty:
            found.append(Refusal(415, "UnsupportedMediaType", "The body is not sent as application/json in UTF-8."))
            what = "The body is not what it must be." if described.body else "There is a body, where none is meant."
            found.append(Refusal(400, "InvalidBody", what))
    if any(schema is not TEXT for schema, _ in described.parameters(dialect).values()):
        found.append(Refusal(400, "InvalidParameter", "A query parameter is not what it must be."))
    return [*found, *described.refusals]
