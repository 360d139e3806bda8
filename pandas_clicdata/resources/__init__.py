"""The classes of the API's areas, and short names over them."""

from __future__ import annotations

from pandas_clicdata.resources.account import Account
from pandas_clicdata.resources.dashboard import Dashboard
from pandas_clicdata.resources.data import Data
from pandas_clicdata.resources.requests import request
from pandas_clicdata.resources.schedule import Schedule
from pandas_clicdata.resources.shortcuts import dashboards, refresh, schedules, tables, versions
from pandas_clicdata.resources.team import Team
from pandas_clicdata.resources.user import User

__all__ = [
    "Account", "Dashboard", "Data", "Schedule", "Team", "User", "dashboards", "refresh", "request", "schedules",
    "tables", "versions",
]  # fmt: skip
