"""What operations that list or make things have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pandas_clicdata.sandbox.dialects import pagination
from pandas_clicdata.sandbox.operations.call import Call, Result, as_json, whole

_T = TypeVar("_T")

LIST_PAGE_SIZE = 100
"""Entries on a page of a list, unless asked otherwise."""
MAX_LIST_PAGE_SIZE = 1000


def window(call: Call, page: int, size: int) -> tuple[int, int]:
    """Where a page begins and how many rows it has, as the scripted fault of this request would have it."""
    visit = call.visit
    if visit.page == "empty":
        return 0, 0
    if visit.page == "repeat":
        return max(page - 2, 0) * size, size
    return (page - 1) * size, size


def shortened(call: Call, rows: list[_T]) -> list[_T]:
    """The rows of a page, less those that the scripted fault of this request takes away."""
    return rows[: max(len(rows) - call.visit.page_rows, 0)] if call.visit.page == "short" else rows


def one_page(call: Call, things: Sequence[_T], default: int = LIST_PAGE_SIZE) -> tuple[list[_T], dict[str, Any]]:
    """The things on the page that is asked for, and what a versioned reply says of its paging."""
    page, size = whole(call, "page", 1), whole(call, "page_size", default, MAX_LIST_PAGE_SIZE)
    offset, limit = window(call, page, size)
    shown = shortened(call, list(things[offset : offset + limit]))
    more = page * size < len(things)
    return shown, pagination(call.world.assume.pagination, len(shown), len(things), page, size, more=more)


def listed(call: Call, key: str, things: Sequence[_T], entry: Callable[[_T], Mapping[str, Any]]) -> Result:
    """A list of things: bare and versioned all on one page unless a page is asked for, else under a key."""
    if not call.dialect.wrapped:
        return Result(as_json({key: [entry(thing) for thing in things]}))
    paged = "page" in call.query or "page_size" in call.query
    shown, paging = one_page(call, things, LIST_PAGE_SIZE if paged else max(len(things), 1))
    return Result(as_json([entry(thing) for thing in shown]), paging)


def with_id(call: Call, number: int, **facts: object) -> dict[str, object]:
    """An entry under its id, in the words of the dialect."""
    return {"id" if call.dialect.wrapped else "rec_id": number, **facts}


def created(call: Call, number: int) -> Result:
    """What an operation answers that has made something of that id."""
    as_object = call.dialect.wrapped and call.world.assume.created_as == "object"
    return Result(as_json({"id": number} if as_object else number))
