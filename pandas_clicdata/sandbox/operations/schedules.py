"""Schedules and their runs."""

from __future__ import annotations

from typing import Any

from pandas_clicdata.sandbox.operations.call import Call, Result, as_json, done
from pandas_clicdata.sandbox.operations.listing import listed, with_id
from pandas_clicdata.sandbox.schedules import Schedule


def _entry(call: Call, schedule: Schedule) -> dict[str, Any]:
    return with_id(
        call,
        schedule.id,
        name=schedule.name,
        description=schedule.description,
        status=schedule.status,
        last_run_date=schedule.began,
        last_end_date=schedule.ended,
        # Runs are triggered here, never by the clock.
        next_run_date=None,
        message=schedule.message,
        tables=list(schedule.tables),
        method=schedule.method,
    )


def schedules(call: Call) -> Result:
    """``GET /schedule``."""
    return listed(call, "schedules", call.world.schedules.all(), lambda schedule: _entry(call, schedule))


def schedule(call: Call, schedule: int) -> Result:
    """``GET /schedule/{id}``."""
    return Result(as_json(_entry(call, call.world.schedules.get(schedule))))


def trigger(call: Call, schedule: int) -> Result:
    """``POST /schedule/{id}/trigger``."""
    call.world.schedules.trigger(schedule)
    return done(call)
