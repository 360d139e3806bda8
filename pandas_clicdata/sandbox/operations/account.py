"""The account, its activity and its profile."""

from __future__ import annotations

from pandas_clicdata.sandbox.operations.call import Call, Result, as_json
from pandas_clicdata.sandbox.store import now


def account(call: Call) -> Result:
    """``GET /account``."""
    return Result(as_json({"id": 1, "name": "Sandbox", "domain": "sandbox.example"}))


def activity_users(call: Call) -> Result:
    """``GET /account/activity/users``."""
    return Result(as_json([{"email_address": call.world.username, "last_login_date": now(), "login_count": 1}]))


def activity_dashboards(call: Call) -> Result:
    """``GET /account/activity/dashboards``."""
    return Result("[]")


def profile(call: Call) -> Result:
    """``GET /profile/user``."""
    return Result(
        as_json(
            {
                "email_address": call.world.username,
                "first_name": "Ada",
                "last_name": "Sandbox",
                "last_login_date": now(),
            }
        )
    )
