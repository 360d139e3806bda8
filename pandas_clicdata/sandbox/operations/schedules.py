"""Schedules and their runs."""

from __future__ import annotations

from typing import Any

from pandas_clicdata.sandbox.dialects import pagination
from pandas_clicdata.sandbox.operations.call import Call, Result, as_json, done, whole
from pandas_clicdata.sandbox.operations.tables import LIST_PAGE_SIZE, MAX_LIST_PAGE_SIZE
from pandas_clicdata.sandbox.schedules import Schedule


def _entry(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "name": schedule.name,
        "description": schedule.description,
        "status": schedule.status,
        "last_run_date": schedule.began,
        "last_end_date": schedule.ended,
        # Runs are triggered here, never by the clock.
        "next_run_date": None,
        "message": schedule.message,
        "tables": list(schedule.tables),
        "method": schedule.method,
    }


def schedules(call: Call) -> Result:
    """``GET /schedule``."""
    entries = [_entry(schedule) for schedule in call.world.schedules.all()]
    if not call.dialect.wrapped:
        return Result(as_json({"schedules": entries}))
    total = len(entries)
    page, size = 1, max(total, 1)
    if "page" in call.query or "page_size" in call.query:
        page, size = whole(call, "page", 1), whole(call, "page_size", LIST_PAGE_SIZE, MAX_LIST_PAGE_SIZE)
    shown = entries[(page - 1) * size : page * size]
    paging = pagination(call.world.assume.pagination, len(shown), total, page, size, more=page * size < total)
    return Result(as_json(shown), paging)


def schedule(call: Call, schedule: int) -> Result:
    """``GET /schedule/{id}``."""
    return Result(as_json(_entry(call.world.schedules.get(schedule))))


def trigger(call: Call, schedule: int) -> Result:
    """``POST /schedule/{id}/trigger``."""
    call.world.schedules.trigger(schedule)
    return done(call)
