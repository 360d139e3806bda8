"""A request that has passed the door, what it shares with all others, and its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.dashboards import Dashboards
from pandas_clicdata.sandbox.dialects import Dialect, Refusal
from pandas_clicdata.sandbox.feeds import Feeds
from pandas_clicdata.sandbox.people import People
from pandas_clicdata.sandbox.requestlog import Visit
from pandas_clicdata.sandbox.schedules import Schedules
from pandas_clicdata.sandbox.store import Store

MAX_WHOLE = 10**15 - 1
"""The largest whole number that a request may hold."""


@dataclass(frozen=True)
class World:
    """What all calls share."""

    store: Store
    assume: Assumptions
    page_size: int
    people: People
    dashboards: Dashboards
    feeds: Feeds
    schedules: Schedules


@dataclass(frozen=True)
class Call:
    """One request that has passed the door; `user` is the id of who signed in."""

    world: World
    user: int
    dialect: Dialect
    query: Mapping[str, str]
    body: bytes
    visit: Visit


@dataclass(frozen=True)
class Result:
    """JSON text, and what a versioned reply says of its paging; or other text, which only a bare reply can be."""

    text: str
    pagination: Mapping[str, Any] | None = None
    mimetype: str = "application/json"


def as_json(value: object) -> str:
    """The JSON text of a value."""
    return json.dumps(value, ensure_ascii=False)


def whole(call: Call, name: str, default: int, most: int | None = None) -> int:
    """A parameter that is a whole number from 1; a 400 for anything else."""
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_WHOLE)) or int(text) < 1:
        raise Refusal(400, "InvalidParameter", f"The parameter '{name}' must be a whole number from 1.")
    if most is not None and int(text) > most:
        raise Refusal(400, "InvalidParameter", f"The parameter '{name}' must be at most {most}.")
    return int(text)


def flag(call: Call, name: str) -> bool | None:
    """A parameter that is true or false, None if it is not there; a 400 for anything else."""
    text = call.query.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise Refusal(400, "InvalidParameter", f"The parameter '{name}' must be true or false.")
    return text.lower() == "true"


def done(call: Call) -> Result:
    """What an operation answers that has nothing to tell."""
    return Result("{}" if call.dialect.wrapped else '{"success": true}')
