"""What each route does: a call in, the text of a result out, mostly JSON."""

from __future__ import annotations

from collections.abc import Callable

from pandas_clicdata.sandbox.operations import account, dashboards, feeds, people, schedules, tables
from pandas_clicdata.sandbox.operations.call import Call, Result, World

__all__ = ["VIEWS", "Call", "Result", "World"]

VIEWS: dict[str, Callable[..., Result]] = {
    view.__name__: view
    for view in (
        tables.list_data, tables.list_table, tables.create, tables.read, tables.versions, tables.append_cells,
        tables.append_positions, tables.insert, tables.update, tables.delete,
        feeds.refresh, feeds.source_recreate, feeds.source_reload, feeds.source_update, feeds.source_append,
        feeds.source_updateappend,
        schedules.schedules, schedules.schedule, schedules.trigger,
        account.account, account.activity_users, account.activity_dashboards, people.profile,
        people.users, people.user, people.create_user, people.update_user, people.delete_user, people.set_password,
        people.teams, people.create_team, people.update_team, people.delete_team, people.add_user, people.remove_user,
        people.set_parameter, people.remove_parameter,
        dashboards.dashboards, dashboards.thumbnail, dashboards.snapshot,
    )
}  # fmt: skip
"""The views of `routes.ROUTES`, but for those of the OAuth endpoints."""
