"""The table of the operations of the API, and the JSON of requests and replies.

The table states the request of each operation, the evidence for it in each dialect, and the public names that send it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn, TypeAlias, get_args

from pandas_clicdata._models import Column, Framing, MultipleRows, RefreshMethod, Request, Secret, find_secrets

UpdateKey: TypeAlias = Literal["data", "update"]
"""The key of the new values in the body of an update. Which one the service takes is not documented."""

ALWAYS_EXACT_CHARACTERS = 16
"""A point and at most 15 digits: a double represents every such number exactly."""


def exact_number(token: str) -> float | Decimal:
    """Parse a JSON number with a point or an exponent: a float if it is exact, else a Decimal.

    Examples
    --------
    >>> exact_number("0.1"), exact_number("1e22"), exact_number("0.30000000000000004")
    (0.1, 1e+22, 0.30000000000000004)
    >>> exact_number("3.14159265358979323846"), exact_number("1e400")
    (Decimal('3.14159265358979323846'), Decimal('1E+400'))
    """
    value = float(token)
    if (len(token) <= ALWAYS_EXACT_CHARACTERS and "e" not in token and "E" not in token) or repr(value) == token:
        return value
    try:
        exact = Decimal(token)
    except InvalidOperation as exc:
        raise ValueError(f"the exponent of the number {token[:40]} is too large") from exc
    return value if Decimal(repr(value)) == exact else exact


def loads(body: bytes) -> Any:
    """Parse a JSON body.

    Raises
    ------
    ValueError
        It is not JSON in UTF-8, or an object has a key twice, so that a value would be lost.
    """
    try:
        return json.loads(body, parse_float=exact_number, parse_constant=_not_json, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def dumps(value: Any) -> bytes:
    """Encode a body as JSON in UTF-8. Secrets are revealed only here."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_revealed).encode()


def text_literal(text: str) -> str:
    r"""Encode a text as a JSON string.

    Examples
    --------
    >>> text_literal('say "é"')
    '"say \\"é\\""'
    """
    return json.dumps(text, ensure_ascii=False)


def named_cells(names: Sequence[str]) -> Framing:
    """Return the JSON around the cells of a row ``[{"column": …, "value": …}, …]``."""
    prefixes = tuple(
        ("" if position == 0 else "},") + '{"column":' + text_literal(name) + ',"value":'
        for position, name in enumerate(names)
    )
    return Framing("[", prefixes, "}]")


def objects(names: Sequence[str]) -> Framing:
    """Return the JSON around the cells of a row ``{name: …, …}``."""
    prefixes = tuple(("" if position == 0 else ",") + text_literal(name) + ":" for position, name in enumerate(names))
    return Framing("{", prefixes, "}")


def rows_body(rows: bytes) -> bytes:
    """Return the body of an insert, given rows that are already JSON text."""
    return b'{"data":[' + rows + b"]}"


def delete(find: bytes, multiple_rows: MultipleRows) -> bytes:
    """Return the body that deletes every row that matches, or the first of them.

    Raises
    ------
    ValueError
        ``find`` has no condition. It is unknown what the service would delete, so such a body is never sent.
    """
    return b'{"multiplerows":"' + multiple_rows.encode() + b'","find":' + _conditions(find, "a delete") + b"}"


def update(find: bytes, values: bytes, multiple_rows: MultipleRows, key: UpdateKey) -> bytes:
    """Return the body that sets these values in every row that matches, or in the first of them.

    ``key`` is the key of the new values in the body.

    Raises
    ------
    ValueError
        ``find`` has no condition. It is unknown what the service would change, so such a body is never sent.
    """
    conditions = _conditions(find, "an update")
    head = b'{"multiplerows":"' + multiple_rows.encode() + b'","find":' + conditions
    return head + b',"' + key.encode() + b'":' + values + b"}"


def _conditions(find: bytes, what: str) -> bytes:
    if not find.startswith(b"[{"):
        raise ValueError(f"{what} without a condition is never sent")
    return find


def new_table(name: str, description: str, columns: Sequence[Column]) -> bytes:
    """Return the body that creates a table."""
    listed = [{"name": column.name, "data_type": column.data_type} for column in columns]
    return dumps({"name": name, "description": description, "columns": listed})


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has a key twice")
    return fields


def _not_json(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is not a JSON value")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of the API.

    Attributes
    ----------
    name : str
        The name in errors and logs.
    line : str
        Method and path; ``{id}`` is a RecId.
    unversioned, versioned : str or None
        The evidence in that dialect: S (source documents), O (the vendor's sample), P (public clients), W (weak), A
        (assumed). None if the dialect does not have the operation.
    versions : str
        The versions that have the operation, if not all.
    holds : str
        The key of the list in a bare reply.
    repeatable : bool
        Whether sending the request twice has the effect of sending it once. False if that depends on the body.
    done_by : tuple of str
        The public names that send it, those of the user first.
    """

    name: str
    line: str
    unversioned: str | None = None
    versioned: str | None = "A"
    versions: str = ""
    holds: str = ""
    repeatable: bool = False
    done_by: tuple[str, ...]

    def request(
        self,
        rec_id: int | None = None,
        version: int | None = None,
        *,
        params: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        rows: int = 0,
        repeatable: bool | None = None,
    ) -> Request:
        """Return the request, without anything of a dialect.

        Its body is ``fields``, whose secrets are never shown, or ``content``, which is encoded already.
        """
        method, path = self.line.split()
        return Request(
            operation=self.name,
            method=method,
            path=path.replace("{id}", str(rec_id)).replace("{ver}", str(version)),
            params=tuple((params or {}).items()),
            body=content if fields is None else dumps(fields),
            repeatable=self.repeatable if repeatable is None else repeatable,
            rows=rows,
            secrets=tuple(find_secrets(fields)),
        )


# A request that reads may be repeated, as may one that sets a value. One that creates, adds or removes a thing may not:
# the second one would create another thing, or be refused because of what the first has done.

TOKEN = Operation(
    name="token", line="POST /oauth20/token", unversioned="S P", versioned="S P", repeatable=True,
    done_by=("connect", "Session", "SessionManager"),
)  # fmt: skip
AUTHORIZE = Operation(
    name="authorize", line="GET /oauth20/authorize", unversioned="P", versioned="P", repeatable=True,
    done_by=("authorization_url",),
)  # fmt: skip

LIST = Operation(
    name="list", line="GET /data", unversioned="O P", versioned="A", versions="before 2025.3", holds="data",
    repeatable=True, done_by=("tables", "Data.get_data"),
)  # fmt: skip
LIST_TABLE = Operation(
    name="list", line="GET /table", versioned="P", versions="2025.3", repeatable=True,
    done_by=("tables", "Data.get_data"),
)  # fmt: skip
READ = Operation(
    name="read", line="GET /data/{id}", unversioned="S P", repeatable=True,
    done_by=("read_clicdata", "read_clicdata_batches", "Data.get_data"),
)  # fmt: skip
VERSIONS = Operation(
    name="versions", line="GET /data/{id}/versions", unversioned="S P", holds="versions", repeatable=True,
    done_by=("versions", "Data.get_data_history"),
)  # fmt: skip
READ_VERSION = Operation(
    name="read", line="GET /data/{id}/v/{ver}", unversioned="S P", repeatable=True,
    done_by=("read_clicdata", "Data.get_data_history"),
)  # fmt: skip
CREATE = Operation(
    name="create", line="POST /data", unversioned="O P", done_by=("push", "Data.create_data"),
)  # fmt: skip
APPEND_CELLS = Operation(
    name="insert", line="POST /data/{id}/row", unversioned="S P", versioned=None,
    done_by=("push", "append", "Data.append_data", "Data.create_and_append", "Data.static_send_data"),
)  # fmt: skip
APPEND_POSITIONS = Operation(
    name="insert", line="POST /data/{id}/rows", unversioned="O", versioned=None, done_by=("request",),
)  # fmt: skip
INSERT = Operation(
    name="insert", line="POST /data/{id}/insert", versioned="P", versions="2022.01",
    done_by=("push", "append", "Data.append_data", "Data.create_and_append", "Data.static_send_data"),
)  # fmt: skip
INSERT_TABLE = Operation(
    name="insert", line="POST /table/{id}", versioned="W", versions="2021.08", done_by=("push", "append"),
)  # fmt: skip
UPDATE = Operation(
    # Source documents name the request. The key of its new values is weak or assumed.
    name="update", line="PUT /data/{id}/row", unversioned="S W", done_by=("update_rows", "upsert", "Data.update_data"),
)  # fmt: skip
DELETE = Operation(
    name="delete", line="DELETE /data/{id}/row", unversioned="S P", done_by=("delete_rows", "Data.delete_data"),
)  # fmt: skip

# Reloading or updating twice has the effect of doing it once. Appending has not, and what "updateappend" does to a
# table without a unique key is unknown. The path of the method that the documents call "reload" is /rebuild (S);
# /reload is known, too (P).
REFRESHES: Mapping[RefreshMethod, Operation] = {
    method: Operation(
        name="refresh", line=f"POST /data/{{id}}/{'rebuild' if method == 'reload' else method}", unversioned="S",
        versions="before 2025.3", repeatable=method not in ("append", "updateappend"),
        done_by=("refresh", "Data.rebuild_data"),
    )
    for method in get_args(RefreshMethod)
}  # fmt: skip
RELOAD = Operation(
    name="refresh", line="POST /data/{id}/reload", unversioned="P", versions="before 2025.3", repeatable=True,
    done_by=("request",),
)  # fmt: skip
REFRESH_TABLE = Operation(
    name="refresh", line="POST /table/{id}/refresh", versioned="P", versions="2025.3",
    done_by=("refresh", "Data.rebuild_data"),
)  # fmt: skip

ACCOUNT = Operation(
    name="account", line="GET /account", unversioned="S", versioned="P", repeatable=True,
    done_by=("Account.get_account", "Session.whoami", "whoami"),
)  # fmt: skip
USER_ACTIVITY = Operation(
    name="activity", line="GET /account/activity/users", unversioned="S", repeatable=True,
    done_by=("Account.get_account_activity",),
)  # fmt: skip
DASHBOARD_ACTIVITY = Operation(
    name="activity", line="GET /account/activity/dashboards", unversioned="S", repeatable=True,
    done_by=("Account.get_account_activity",),
)  # fmt: skip
PROFILE = Operation(
    name="profile", line="GET /profile/user", unversioned="O", repeatable=True,
    done_by=("Account.get_profile", "whoami"),
)  # fmt: skip

DASHBOARDS = Operation(
    name="dashboards", line="GET /dashboard", unversioned="S P", holds="dashboards", repeatable=True,
    done_by=("dashboards", "Dashboard.get_dashboard"),
)  # fmt: skip
THUMBNAIL = Operation(
    name="thumbnail", line="GET /dashboard/{id}/thumbnail", unversioned="S P", repeatable=True,
    done_by=("Dashboard.get_dashboard_thumbnail",),
)  # fmt: skip
SNAPSHOT = Operation(
    name="snapshot", line="GET /dashboard/{id}/snapshot", unversioned="S P", repeatable=True,
    done_by=("Dashboard.get_dashboard_snapshot",),
)  # fmt: skip

SCHEDULES = Operation(
    name="schedules", line="GET /schedule", unversioned="S P", holds="schedules", repeatable=True,
    done_by=("schedules", "Schedule.get_schedule"),
)  # fmt: skip
SCHEDULE = Operation(
    name="schedule", line="GET /schedule/{id}", unversioned="S", holds="schedules", repeatable=True,
    done_by=("Schedule.get_schedule",),
)  # fmt: skip
TRIGGER = Operation(
    name="trigger", line="POST /schedule/{id}/trigger", unversioned="S", done_by=("Schedule.trigger_schedule",),
)  # fmt: skip

TEAMS = Operation(
    name="teams", line="GET /team", unversioned="S", holds="teams", repeatable=True, done_by=("Team.get_team",),
)  # fmt: skip
CREATE_TEAM = Operation(
    name="create_team", line="POST /team", unversioned="S", done_by=("Team.create_team",),
)  # fmt: skip
UPDATE_TEAM = Operation(
    name="update_team", line="PUT /team/{id}", unversioned="S", repeatable=True, done_by=("Team.update_team",),
)  # fmt: skip
DELETE_TEAM = Operation(
    name="delete_team", line="DELETE /team/{id}", unversioned="S", done_by=("Team.delete_team",),
)  # fmt: skip
ADD_USER = Operation(
    name="add_user", line="POST /team/{id}/user", unversioned="S", done_by=("Team.add_user",),
)  # fmt: skip
REMOVE_USER = Operation(
    name="remove_user", line="DELETE /team/{id}/user", unversioned="S", done_by=("Team.remove_user",),
)  # fmt: skip
SET_PARAMETER = Operation(
    name="set_parameter", line="POST /team/{id}/parameter", unversioned="S", done_by=("Team.set_parameter",),
)  # fmt: skip
REMOVE_PARAMETER = Operation(
    name="remove_parameter", line="DELETE /team/{id}/parameter", unversioned="S",
    done_by=("Team.remove_parameter",),
)  # fmt: skip

USERS = Operation(
    name="users", line="GET /user", unversioned="S", holds="users", repeatable=True, done_by=("User.get_user",),
)  # fmt: skip
USER = Operation(
    name="user", line="GET /user/{id}", unversioned="S", holds="users", repeatable=True, done_by=("User.get_user",),
)  # fmt: skip
CREATE_USER = Operation(
    name="create_user", line="POST /user", unversioned="S", done_by=("User.create_user",),
)  # fmt: skip
UPDATE_USER = Operation(
    name="update_user", line="PUT /user/{id}", unversioned="S", repeatable=True, done_by=("User.update_user",),
)  # fmt: skip
DELETE_USER = Operation(
    name="delete_user", line="DELETE /user/{id}", unversioned="S", done_by=("User.delete_user",),
)  # fmt: skip
SET_PASSWORD = Operation(
    name="set_password", line="PUT /user/{id}/password", unversioned="S", repeatable=True,
    done_by=("User.set_password",),
)  # fmt: skip

OPERATIONS = (
    TOKEN, AUTHORIZE, LIST, LIST_TABLE, READ, VERSIONS, READ_VERSION, CREATE, APPEND_CELLS, APPEND_POSITIONS, INSERT,
    INSERT_TABLE, UPDATE, DELETE, REFRESHES["recreate"], REFRESHES["reload"], RELOAD, REFRESHES["update"],
    REFRESHES["append"], REFRESHES["updateappend"], REFRESH_TABLE, ACCOUNT, USER_ACTIVITY, DASHBOARD_ACTIVITY, PROFILE,
    DASHBOARDS, THUMBNAIL, SNAPSHOT, SCHEDULES, SCHEDULE, TRIGGER, TEAMS, CREATE_TEAM, UPDATE_TEAM, DELETE_TEAM,
    ADD_USER, REMOVE_USER, SET_PARAMETER, REMOVE_PARAMETER, USERS, CREATE_USER, USER, UPDATE_USER, DELETE_USER,
    SET_PASSWORD,
)  # fmt: skip
"""All operations, in the order of the API's description."""
