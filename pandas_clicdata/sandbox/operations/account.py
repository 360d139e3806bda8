"""The account: its activity, its dashboards and their pictures, its schedules and their runs."""

from __future__ import annotations

import base64

from pandas_clicdata.sandbox.dashboards import Dashboard
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.operations.call import (
    FLAG,
    NAME,
    PAGES,
    Call,
    Result,
    as_json,
    done,
    flag,
    listed,
    with_id,
)
from pandas_clicdata.sandbox.pictures import SNAPSHOT, THUMBNAIL, png
from pandas_clicdata.sandbox.routes import route
from pandas_clicdata.sandbox.schedules import Schedule

_NO_DASHBOARD = (Refusal(404, "NotFound", "No dashboard has the id."),)
_NO_SCHEDULE = Refusal(404, "NotFound", "No schedule has the id.")


@route("GET", "/account", result="Account")
def account(call: Call) -> Result:
    """Return the account."""
    assume = call.backend.assume
    domain = "sandbox" if assume.account_domain == "subdomain" else "sandbox.example"
    facts: dict[str, object] = {"id": 1, "name": "Sandbox", "domain": domain}
    if assume.account_usage == "nested" and not call.dialect.wrapped:
        tables = call.backend.store.tables()
        used = {
            "tables": len(tables),
            "rows": sum(table.rows for table in tables),
            "users": len(call.backend.people.users()),
        }
        facts |= {"usage": used, "limits": dict.fromkeys(used)}
    return Result(as_json(facts))


@route("GET", "/account/activity/users", "activity", result="UserActivities")
def activity_users(call: Call) -> Result:
    """Return how often each user signed in."""
    entries = [
        with_id(
            call,
            user.id,
            email_address=user.email_address,
            last_login_date=user.last_login,
            login_count=user.logins,
        )
        for user in call.backend.people.users()
    ]
    return Result(as_json(entries))


@route("GET", "/account/activity/dashboards", "activity", result="DashboardActivities")
def activity_dashboards(call: Call) -> Result:
    """Return how often each dashboard was viewed."""
    entries = [
        with_id(
            call,
            dashboard.id,
            name=dashboard.name,
            view_count=dashboard.views,
            last_view_date=dashboard.last_view,
        )
        for dashboard in call.backend.dashboards.all()
    ]
    return Result(as_json(entries))


# dashboards


def _picture(call: Call, dashboard: Dashboard, size: tuple[int, int]) -> str:
    drawn = png(dashboard.name, call.backend.dashboards.chart(dashboard), size)
    return base64.b64encode(drawn).decode("ascii")


@route(
    "GET",
    "/dashboard",
    result="DashboardList",
    query={**NAME, "includethumbnail": (FLAG, "Whether entries have a thumbnail.")},
    pages=PAGES,
)
def dashboards(call: Call) -> Result:
    """List the dashboards."""
    shown = call.backend.dashboards.all()
    name = call.query.get("name")
    if name is not None:
        shown = [dashboard for dashboard in shown if dashboard.name.casefold() == name.casefold()]
    pictured = flag(call, "includethumbnail")

    def entry(dashboard: Dashboard) -> dict[str, object]:
        facts = with_id(
            call,
            dashboard.id,
            name=dashboard.name,
            description=dashboard.description,
            creation_date=dashboard.created,
            last_update_date=dashboard.updated,
        )
        return {**facts, "thumbnail": _picture(call, dashboard, THUMBNAIL)} if pictured else facts

    return listed(call, "dashboards", shown, entry)


def _fetched(call: Call, number: int, size: tuple[int, int]) -> Result:
    dashboards = call.backend.dashboards
    text = _picture(call, dashboards.dashboard(number), size)
    dashboards.viewed(number)
    return Result(as_json(text)) if call.dialect.wrapped else Result(text, mimetype="text/plain")


_DASHBOARD = "/dashboard/<int:dashboard>"


@route("GET", f"{_DASHBOARD}/thumbnail", result="Picture", refusals=_NO_DASHBOARD)
def thumbnail(call: Call, dashboard: int) -> Result:
    """Return a small picture of a dashboard."""
    return _fetched(call, dashboard, THUMBNAIL)


@route("GET", f"{_DASHBOARD}/snapshot", result="Picture", refusals=_NO_DASHBOARD)
def snapshot(call: Call, dashboard: int) -> Result:
    """Return a large picture of a dashboard."""
    return _fetched(call, dashboard, SNAPSHOT)


# schedules


def _entry(call: Call, schedule: Schedule) -> dict[str, object]:
    return with_id(
        call,
        schedule.id,
        name=schedule.name,
        description=schedule.description,
        status=schedule.status,
        last_run_date=schedule.began,
        last_end_date=schedule.ended,
        # Runs are triggered by requests, never by the clock.
        next_run_date=None,
        message=schedule.message,
        tables=list(schedule.tables),
        method=schedule.method,
    )


@route("GET", "/schedule", result="ScheduleList", pages=PAGES)
def schedules(call: Call) -> Result:
    """List the schedules."""
    return listed(call, "schedules", call.backend.schedules.all(), lambda schedule: _entry(call, schedule))


_SCHEDULE = "/schedule/<int:schedule>"


@route("GET", _SCHEDULE, result="OneSchedule", refusals=(_NO_SCHEDULE,))
def schedule(call: Call, schedule: int) -> Result:
    """Return a schedule and its last run."""
    entry = _entry(call, call.backend.schedules.get(schedule))
    if call.backend.assume.single_schedule == "object":
        return Result(as_json(entry))
    return Result(as_json([entry] if call.dialect.wrapped else {"schedules": [entry]}))


@route(
    "POST",
    f"{_SCHEDULE}/trigger",
    empty=True,
    refusals=(_NO_SCHEDULE, Refusal(409, "AlreadyRunning", "The schedule is already running.")),
)
def trigger(call: Call, schedule: int) -> Result:
    """Start a run of a schedule."""
    call.backend.schedules.trigger(schedule)
    return done(call)
