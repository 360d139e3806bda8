"""Users and teams."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pandas_clicdata.sandbox.bodies import MAX_NAME, read_name, read_object
from pandas_clicdata.sandbox.dialects import Refusal, bad_body, bad_value
from pandas_clicdata.sandbox.operations.call import (
    MAX_INTEGER,
    PAGES,
    Call,
    Result,
    as_json,
    created,
    done,
    listed,
    with_id,
)
from pandas_clicdata.sandbox.people import LICENCES, Team, User
from pandas_clicdata.sandbox.routes import route
from pandas_clicdata.sandbox.values import Number

ADDRESS = re.compile(r"[^\s@:]+@[^\s@:.]+(\.[^\s@:.]+)+")
"""The form of an e-mail address."""

_INTEGER = re.compile(rf"[0-9]{{1,{len(str(MAX_INTEGER))}}}")

_NO_USER = Refusal(404, "NotFound", "No user has the id.")
_NO_TEAM = Refusal(404, "NotFound", "No team has the id.")
_NO_MEMBER = Refusal(404, "NotFound", "No team or no user has the id.")
_NAME_TAKEN = Refusal(409, "NameTaken", "Another team has the name.")
_INVALID = Refusal(400, "InvalidValue", "A field does not hold a valid value, or it is empty.")
_ADDRESS_TAKEN = Refusal(409, "AddressTaken", "Another user has the e-mail address.")

# Fields of bodies: each function takes the value and its name, and returns the value to keep.


def _name(value: Any, what: str) -> str:
    return read_name(value, f"'{what}'")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise bad_body(f"'{what}' must be a string.")
    return value


def _description(value: Any, what: str) -> str:
    return "" if value is None else _text(value, what)


def _short(value: Any, what: str) -> str:
    if len(_text(value, what)) > MAX_NAME:
        raise bad_body(f"'{what}' has more than {MAX_NAME} characters.")
    return str(value)


def _address(value: Any, what: str) -> str:
    # No colon, which separates address and password in Basic.
    if not ADDRESS.fullmatch(_short(value, what)) or not str(value).isprintable():
        raise bad_value(f"'{what}' must be an e-mail address, as in 'ada@sandbox.example'.")
    return str(value)


def _password(value: Any, what: str) -> str:
    if not _short(value, what):
        raise bad_value(f"'{what}' must have at least 1 character.")
    return str(value)


def _licence(value: Any, what: str) -> str:
    if value not in LICENCES:
        raise bad_value(f"'{what}' must be {' or '.join(map(repr, LICENCES))}.")
    return str(value)


def _user_id(value: Any, what: str) -> int:
    if not isinstance(value, Number) or not _INTEGER.fullmatch(value.text):
        raise bad_body(f"'{what}' must be the id of a user, an integer.")
    return int(value.text)


_Fields = Mapping[str, Callable[[Any, str], Any]]
_ADDRESS: _Fields = {"email_address": _address}
_NAMES: _Fields = {"first_name": _short, "last_name": _short}
_USER: _Fields = {**_ADDRESS, **_NAMES}
_LICENCE: _Fields = {"licence": _licence, "license": _licence}
_TEAM: _Fields = {"name": _name, "description": _description}
_MEMBER: _Fields = {"user_id": _user_id}
_PARAMETER: _Fields = {"name": _name, "value": _text}
_NEW_PASSWORD: _Fields = {"password": _password}


def _all(call: Call, fields: _Fields, optional: _Fields | None = None) -> dict[str, Any]:
    optional = optional or {}
    given = read_object(call.body, fields.keys(), optional.keys())
    return {name: read(given[name], name) for name, read in {**fields, **optional}.items() if name in given}


def _some(call: Call, fields: _Fields) -> dict[str, Any]:
    found = _all(call, {}, fields)
    if not found:
        raise bad_body(f"The body must have at least one of the keys {', '.join(fields)}.")
    return found


def _nothing(call: Call) -> None:
    """Refuse a body with fields on a path that takes none, because it was for another path."""
    if call.body:
        _all(call, {})


# users


def _is_licensed(call: Call) -> bool:
    return call.backend.assume.users == "licensed"


def _one_licence(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a body with the licence under one key."""
    spelled = [given.pop(name) for name in _LICENCE if name in given]
    if len(set(spelled)) > 1:
        raise bad_body("'licence' and 'license' have different values.")
    return {**given, "licence": spelled[0]} if spelled else given


def _user(call: Call, user: User) -> dict[str, object]:
    licence = {"licence": user.licence} if _is_licensed(call) else {}
    return with_id(
        call,
        user.id,
        email_address=user.email_address,
        first_name=user.first_name,
        last_name=user.last_name,
        last_login_date=user.last_login,
        teams=user.teams,
        **licence,
    )


@route("GET", "/user", result="UserList", pages=PAGES)
def users(call: Call) -> Result:
    """List the users."""
    return listed(call, "users", call.backend.people.users(), lambda user: _user(call, user))


@route("GET", "/user/<int:user>", result="User", refusals=(_NO_USER,))
def user(call: Call, user: int) -> Result:
    """Return a user."""
    return Result(as_json(_user(call, call.backend.people.user(user))))


@route("GET", "/profile/user", result="User")
def profile(call: Call) -> Result:
    """Return the user who sends the request."""
    return user(call, call.user)


@route("POST", "/user", result="Created", body="NewUser", refusals=(_INVALID, _ADDRESS_TAKEN))
def create_user(call: Call) -> Result:
    """Create a user."""
    if _is_licensed(call):
        given = _one_licence(
            _all(call, {**_ADDRESS, "first_name": _name}, {"last_name": _short, **_NEW_PASSWORD, **_LICENCE})
        )
    else:
        given = _all(call, _ADDRESS, {**_NAMES, **_NEW_PASSWORD})
    missing = dict.fromkeys(_NAMES, "") | {"password": None}
    return created(call, call.backend.people.create_user(**(missing | given)))


@route("PUT", "/user/<int:user>", body="UserChanges", refusals=(_INVALID, _NO_USER, _ADDRESS_TAKEN))
def update_user(call: Call, user: int) -> Result:
    """Change a user."""
    changes = _some(call, {**_USER, **(_LICENCE if _is_licensed(call) else {})})
    call.backend.people.update_user(user, _one_licence(changes))
    return done(call)


@route("DELETE", "/user/<int:user>", refusals=(_NO_USER, Refusal(409, "OwnerNeeded", "The user owns the account.")))
def delete_user(call: Call, user: int) -> Result:
    """Delete a user."""
    _nothing(call)
    call.backend.people.delete_user(user)
    return done(call)


@route("PUT", "/user/<int:user>/password", body="NewPassword", refusals=(_INVALID, _NO_USER))
def set_password(call: Call, user: int) -> Result:
    """Set the password of a user."""
    call.backend.people.set_password(user, _all(call, _NEW_PASSWORD)["password"])
    return done(call)


# teams


def _team(call: Call, team: Team) -> dict[str, object]:
    parameters = [{"name": name, "value": value} for name, value in team.parameters]
    return with_id(call, team.id, name=team.name, description=team.description, users=team.users, parameters=parameters)


@route("GET", "/team", result="TeamList", pages=PAGES)
def teams(call: Call) -> Result:
    """List the teams."""
    return listed(call, "teams", call.backend.people.teams(), lambda team: _team(call, team))


@route("POST", "/team", result="Created", body="NewTeam", refusals=(_NAME_TAKEN,))
def create_team(call: Call) -> Result:
    """Create a team."""
    given = _all(call, {"name": _name}, {"description": _description})
    return created(call, call.backend.people.create_team(given["name"], given.get("description", "")))


@route("PUT", "/team/<int:team>", body="TeamChanges", refusals=(_NO_TEAM, _NAME_TAKEN))
def update_team(call: Call, team: int) -> Result:
    """Change a team."""
    call.backend.people.update_team(team, _some(call, _TEAM))
    return done(call)


@route("DELETE", "/team/<int:team>", refusals=(_NO_TEAM,))
def delete_team(call: Call, team: int) -> Result:
    """Delete a team."""
    _nothing(call)
    call.backend.people.delete_team(team)
    return done(call)


@route("POST", "/team/<int:team>/user", body="Member", refusals=(_NO_MEMBER,))
def add_user(call: Call, team: int) -> Result:
    """Add a user to a team."""
    call.backend.people.add_user(team, _all(call, _MEMBER)["user_id"])
    return done(call)


@route(
    "DELETE",
    "/team/<int:team>/user",
    body="Member",
    refusals=(_NO_MEMBER, Refusal(404, "NotFound", "The user is not in the team.")),
)
def remove_user(call: Call, team: int) -> Result:
    """Remove a user from a team."""
    call.backend.people.remove_user(team, _all(call, _MEMBER)["user_id"])
    return done(call)


@route("POST", "/team/<int:team>/parameter", body="ParameterToSet", refusals=(_NO_TEAM,))
def set_parameter(call: Call, team: int) -> Result:
    """Set a parameter of a team."""
    call.backend.people.set_parameter(team, **_all(call, _PARAMETER))
    return done(call)


@route(
    "DELETE",
    "/team/<int:team>/parameter",
    body="ParameterToRemove",
    refusals=(_NO_TEAM, Refusal(404, "NotFound", "The team has no parameter with the name.")),
)
def remove_parameter(call: Call, team: int) -> Result:
    """Remove a parameter from a team."""
    call.backend.people.remove_parameter(team, _all(call, {"name": _name})["name"])
    return done(call)
