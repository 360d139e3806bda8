"""The operations of the API: their paths, scopes, and the versions they exist in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule

OPERATIONS = (
    "token", "authorize", "list", "read", "versions", "read_version", "create", "append", "update", "delete", "rebuild",
    "account", "activity", "profile",
    "users", "user", "create_user", "update_user", "delete_user", "set_password",
    "teams", "create_team", "update_team", "delete_team", "add_user", "remove_user", "set_parameter",
    "remove_parameter", "dashboards", "thumbnail", "snapshot", "schedules", "schedule", "trigger",
)  # fmt: skip
"""The names of the operations, as faults and the request log have them."""

_FIRST, _LAST = (0, 0), (9999, 99)


@dataclass(frozen=True)
class Route:
    """One method on one path.

    `since` and `until` bound the versions it exists in; `bare` says whether it exists without a version, `empty` that
    its requests have no body.
    """

    method: str
    rule: str
    operation: str
    view: str
    scope: str = ""
    bare: bool = True
    since: tuple[int, int] = _FIRST
    until: tuple[int, int] = _LAST
    empty: bool = False

    def exists(self, version: tuple[int, int] | None) -> bool:
        """Whether the route exists in a version, or without one."""
        return self.bare if version is None else self.since <= version <= self.until


ROUTES = (
    Route("POST", "/oauth20/token", "token", "token"),
    Route("GET", "/oauth20/authorize", "authorize", "authorize"),
    Route("GET", "/data", "list", "list_data", "data_read", until=(2022, 1)),
    Route("GET", "/table", "list", "list_table", "table_read", bare=False, since=(2025, 3)),
    Route("POST", "/data", "create", "create", "data_write"),
    Route("GET", "/data/<int:table>", "read", "read", "data_read"),
    Route("GET", "/data/<int:table>/versions", "versions", "versions", "data_read"),
    Route("GET", "/data/<int:table>/v/<int:version>", "read_version", "read", "data_read"),
    Route("POST", "/data/<int:table>/row", "append", "append_cells", "data_write", since=_LAST, until=_FIRST),
    Route("POST", "/data/<int:table>/rows", "append", "append_positions", "data_write", since=_LAST, until=_FIRST),
    Route("POST", "/data/<int:table>/insert", "append", "insert", "data_write", bare=False, since=(2022, 1)),
    Route("POST", "/table/<int:table>", "append", "append_cells", "table_write", bare=False),
    Route("PUT", "/data/<int:table>/row", "update", "update", "data_write"),
    Route("DELETE", "/data/<int:table>/row", "delete", "delete", "data_write"),
    *(
        Route("POST", f"/data/<int:table>/{verb}", "rebuild", view, "data_write", until=(2022, 1), empty=True)
        for verb, view in (
            ("recreate", "source_recreate"),
            ("rebuild", "source_reload"),
            ("reload", "source_reload"),
            ("update", "source_update"),
            ("append", "source_append"),
            ("updateappend", "source_updateappend"),
        )
    ),
    Route("POST", "/table/<int:table>/refresh", "rebuild", "refresh", "table_write", bare=False, since=(2025, 3)),
    Route("GET", "/schedule", "schedules", "schedules", "schedule_read"),
    Route("GET", "/schedule/<int:schedule>", "schedule", "schedule", "schedule_read"),
    Route("POST", "/schedule/<int:schedule>/trigger", "trigger", "trigger", "schedule_write", empty=True),
    Route("GET", "/account", "account", "account", "account_read"),
    Route("GET", "/account/activity/users", "activity", "activity_users", "account_read"),
    Route("GET", "/account/activity/dashboards", "activity", "activity_dashboards", "account_read"),
    Route("GET", "/profile/user", "profile", "profile", "account_read"),
    Route("GET", "/user", "users", "users", "user_read"),
    Route("POST", "/user", "create_user", "create_user", "user_write"),
    Route("GET", "/user/<int:user>", "user", "user", "user_read"),
    Route("PUT", "/user/<int:user>", "update_user", "update_user", "user_write"),
    Route("DELETE", "/user/<int:user>", "delete_user", "delete_user", "user_write"),
    Route("PUT", "/user/<int:user>/password", "set_password", "set_password", "user_write"),
    Route("GET", "/team", "teams", "teams", "team_read"),
    Route("POST", "/team", "create_team", "create_team", "team_write"),
    Route("PUT", "/team/<int:team>", "update_team", "update_team", "team_write"),
    Route("DELETE", "/team/<int:team>", "delete_team", "delete_team", "team_write"),
    Route("POST", "/team/<int:team>/user", "add_user", "add_user", "team_write"),
    Route("DELETE", "/team/<int:team>/user", "remove_user", "remove_user", "team_write"),
    Route("POST", "/team/<int:team>/parameter", "set_parameter", "set_parameter", "team_write"),
    Route("DELETE", "/team/<int:team>/parameter", "remove_parameter", "remove_parameter", "team_write"),
    Route("GET", "/dashboard", "dashboards", "dashboards", "dashboard_read"),
    Route("GET", "/dashboard/<int:dashboard>/thumbnail", "thumbnail", "thumbnail", "dashboard_read"),
    Route("GET", "/dashboard/<int:dashboard>/snapshot", "snapshot", "snapshot", "dashboard_read"),
)
"""Everything the sandbox answers. Any other path is refused loudly."""

_MAP = Map(
    [Rule(route.rule, methods=[route.method], endpoint=route.operation) for route in ROUTES],
    strict_slashes=True,
    merge_slashes=False,
)


def operation_of(environ: Mapping[str, str]) -> str | None:
    """The operation that a WSGI request asks for, None where there is no such route."""
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    try:
        endpoint, _ = _MAP.bind("sandbox").match(path, method=environ.get("REQUEST_METHOD", "GET"))
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)
