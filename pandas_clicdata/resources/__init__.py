"""One class for each area of the API, and functions for their most frequent uses."""

from __future__ import annotations

from pandas_clicdata.resources.account import Account
from pandas_clicdata.resources.dashboard import Dashboard, dashboards
from pandas_clicdata.resources.data import Data, refresh, tables, versions
from pandas_clicdata.resources.requests import request
from pandas_clicdata.resources.schedule import Schedule, schedules
from pandas_clicdata.resources.team import Team
from pandas_clicdata.resources.user import User

__all__ = [
    "Account", "Dashboard", "Data", "Schedule", "Team", "User", "dashboards", "refresh", "request", "schedules",
    "tables", "versions",
]  # fmt: skip
