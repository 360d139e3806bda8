"""Dashboards and their pictures."""

from __future__ import annotations

import base64

from pandas_clicdata.sandbox.dashboards import Dashboard
from pandas_clicdata.sandbox.operations.call import Call, Result, as_json, flag
from pandas_clicdata.sandbox.operations.listing import listed, with_id
from pandas_clicdata.sandbox.pictures import SNAPSHOT, THUMBNAIL, png


def _picture(call: Call, dashboard: Dashboard, size: tuple[int, int]) -> str:
    drawn = png(dashboard.name, call.world.dashboards.chart(dashboard), size)
    return base64.b64encode(drawn).decode("ascii")


def dashboards(call: Call) -> Result:
    """``GET /dashboard``."""
    shown = call.world.dashboards.all()
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
    dashboards = call.world.dashboards
    text = _picture(call, dashboards.dashboard(number), size)
    dashboards.viewed(number)
    return Result(as_json(text)) if call.dialect.wrapped else Result(text, mimetype="text/plain")


def thumbnail(call: Call, dashboard: int) -> Result:
    """``GET /dashboard/{id}/thumbnail``."""
    return _fetched(call, dashboard, THUMBNAIL)


def snapshot(call: Call, dashboard: int) -> Result:
    """``GET /dashboard/{id}/snapshot``."""
    return _fetched(call, dashboard, SNAPSHOT)
