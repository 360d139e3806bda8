"""Refreshes of tables from their sources."""

from __future__ import annotations

from pandas_clicdata.sandbox import bodies
from pandas_clicdata.sandbox.operations.call import Call, Result, done

_METHODS = {"rebuild": "recreate"}  # the one mode that has another name than its path


def _refreshed(call: Call, table: int, method: str) -> Result:
    call.world.feeds.refresh(table, method)
    return done(call)


def refresh(call: Call, table: int) -> Result:
    """``POST /table/{id}/refresh``."""
    mode = bodies.read_refresh(call.body)
    return _refreshed(call, table, _METHODS.get(mode, mode))


def source_recreate(call: Call, table: int) -> Result:
    """``POST /data/{id}/recreate``."""
    return _refreshed(call, table, "recreate")


def source_reload(call: Call, table: int) -> Result:
    """``POST /data/{id}/rebuild`` and ``POST /data/{id}/reload``."""
    return _refreshed(call, table, "reload")


def source_update(call: Call, table: int) -> Result:
    """``POST /data/{id}/update``."""
    return _refreshed(call, table, "update")


def source_append(call: Call, table: int) -> Result:
    """``POST /data/{id}/append``."""
    return _refreshed(call, table, "append")


def source_updateappend(call: Call, table: int) -> Result:
    """``POST /data/{id}/updateappend``."""
    return _refreshed(call, table, "updateappend")
