"""The account and its activity."""

from __future__ import annotations

from pandas_clicdata.sandbox.operations.call import Call, Result, as_json
from pandas_clicdata.sandbox.operations.listing import with_id


def account(call: Call) -> Result:
    """``GET /account``."""
    return Result(as_json({"id": 1, "name": "Sandbox", "domain": "sandbox.example"}))


def activity_users(call: Call) -> Result:
    """``GET /account/activity/users``."""
    entries = [
        with_id(
            call,
            user.id,
            email_address=user.email_address,
            last_login_date=user.last_login,
            login_count=user.logins,
        )
        for user in call.world.people.users()
    ]
    return Result(as_json(entries))


def activity_dashboards(call: Call) -> Result:
    """``GET /account/activity/dashboards``."""
    entries = [
        with_id(
            call,
            dashboard.id,
            name=dashboard.name,
            view_count=dashboard.views,
            last_view_date=dashboard.last_view,
        )
        for dashboard in call.world.dashboards.all()
    ]
    return Result(as_json(entries))
