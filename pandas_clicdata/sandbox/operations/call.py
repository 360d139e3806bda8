"""A call: one authenticated request, its parameters, its place in a list, and its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pandas_clicdata.sandbox.assumptions import Assumptions
from pandas_clicdata.sandbox.dashboards import Dashboards
from pandas_clicdata.sandbox.dialects import Dialect, Refusal, pagination
from pandas_clicdata.sandbox.feeds import Feeds
from pandas_clicdata.sandbox.people import People
from pandas_clicdata.sandbox.requestlog import RequestNotes
from pandas_clicdata.sandbox.routes import Query, Schema
from pandas_clicdata.sandbox.schedules import Schedules
from pandas_clicdata.sandbox.store import Store

_T = TypeVar("_T")

MAX_INTEGER = 10**15 - 1
"""The largest integer in a request."""
LIST_PAGE_SIZE = 100
"""The default number of entries on a page of a list."""
MAX_LIST_PAGE_SIZE = 1000
"""The largest number of entries on a page of a list."""

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER}
PAGE: Query = {"page": (INTEGER, "Number of the page, from 1. A page past the end is empty.")}
PAGES: Query = {
    **PAGE,
    "page_size": (
        {**INTEGER, "maximum": MAX_LIST_PAGE_SIZE},
        f"Number of entries on a page. Default: {LIST_PAGE_SIZE}.",
    ),
}
NAME: Query = {"name": (TEXT, "Only entries with this name, case-insensitive.")}


@dataclass(frozen=True)
class Backend:
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
    """One authenticated request; `user` is the id of the user who sent it."""

    backend: Backend
    user: int
    dialect: Dialect
    query: Mapping[str, str]
    body: bytes
    notes: RequestNotes


@dataclass(frozen=True)
class Result:
    """The JSON text of a result and the pagination of a versioned reply; or other text, in a bare reply only.

    The text may be given as UTF-8.
    """

    text: str | bytes
    pagination: Mapping[str, Any] | None = None
    mimetype: str = "application/json"


def as_json(value: object) -> str:
    """Return the JSON text of a value."""
    return json.dumps(value, ensure_ascii=False)


# parameters


def integer(call: Call, name: str, default: int, most: int | None = None) -> int:
    """Return a parameter that is an integer from 1; refuse other values with 400."""
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_INTEGER)) or int(text) < 1:
        raise Refusal(400, "InvalidParameter", f"The parameter '{name}' must be an integer of at least 1.")
    if most is not None and int(text) > most:
        raise Refusal(400, "InvalidParameter", f"The parameter '{name}' must be at most {most}.")
    return int(text)


def flag(call: Call, name: str) -> bool | None:
    """Return a parameter that is true or false, or None if it is missing; refuse other values with 400."""
    text = call.query.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise Refusal(400, "InvalidParameter", f"The parameter '{name}' must be true or false.")
    return text.lower() == "true"


# lists


def window(call: Call, page: int, size: int) -> tuple[int, int]:
    """Return the offset and the number of rows of a page, changed by the scripted fault of this request."""
    notes = call.notes
    if notes.page == "empty":
        return 0, 0
    if notes.page == "repeat":
        return max(page - 2, 0) * size, size
    return (page - 1) * size, size


def removed(call: Call) -> int:
    """Return the number of rows that the scripted fault of this request removes from the end of a page."""
    return call.notes.page_rows if call.notes.page == "short" else 0


def one_page(call: Call, items: Sequence[_T], default: int = LIST_PAGE_SIZE) -> tuple[list[_T], dict[str, Any]]:
    """Return the items on the requested page, and the pagination of a versioned reply."""
    page, size = integer(call, "page", 1), integer(call, "page_size", default, MAX_LIST_PAGE_SIZE)
    offset, limit = window(call, page, size)
    shown = list(items[offset : offset + limit])
    del shown[max(len(shown) - removed(call), 0) :]
    more = page * size < len(items)
    return shown, pagination(call.backend.assume.pagination, len(shown), len(items), page, size, more=more)


def listed(call: Call, key: str, items: Sequence[_T], entry: Callable[[_T], Mapping[str, Any]]) -> Result:
    """Return a list: under a key without a version, else bare and on one page unless a page is requested."""
    if not call.dialect.wrapped:
        return Result(as_json({key: [entry(item) for item in items]}))
    paged = "page" in call.query or "page_size" in call.query
    shown, paging = one_page(call, items, LIST_PAGE_SIZE if paged else max(len(items), 1))
    return Result(as_json([entry(item) for item in shown]), paging)


# results


def with_id(call: Call, number: int, **facts: object) -> dict[str, object]:
    """Return an entry with its id under the key of the dialect."""
    return {"id" if call.dialect.wrapped else "rec_id": number, **facts}


def created(call: Call, number: int) -> Result:
    """Return the result of an operation that created something with this id."""
    as_object = call.dialect.wrapped and call.backend.assume.created_as == "object"
    return Result(as_json({"id": number} if as_object else number))


def done(call: Call) -> Result:
    """Return the result of an operation that has no data to return."""
    return Result("{}" if call.dialect.wrapped else '{"success": true}')
