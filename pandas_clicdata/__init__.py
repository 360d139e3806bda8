"""pandas DataFrames to ClicData and back: every value as it was, every row exactly once.

Importing this package gives every DataFrame ``df.clicdata`` and pandas ``pd.read_clicdata``.

Examples
--------
>>> import pandas as pd
>>> import pandas_clicdata as cd
>>> session = cd.connect("sandbox")
>>> receipt = pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.push("Flights")
>>> pd.read_clicdata(receipt.rec_id)
   flight  delay
0  UA1545      2
"""

from __future__ import annotations

import logging as _logging

import pandas as _pd

from pandas_clicdata import errors
from pandas_clicdata._models import AccountInfo, ColumnType, Picture, RetryPolicy, ScheduleRun, WriteResult
from pandas_clicdata._version import __version__
from pandas_clicdata.accessor import ClicDataAccessor
from pandas_clicdata.client.auth import authorization_url
from pandas_clicdata.errors import *  # noqa: F403
from pandas_clicdata.read import read_clicdata, read_clicdata_batches
from pandas_clicdata.resources import (
    Account,
    Dashboard,
    Data,
    Schedule,
    Team,
    User,
    dashboards,
    refresh,
    request,
    schedules,
    tables,
    versions,
)
from pandas_clicdata.session import Session, SessionManager, connect
from pandas_clicdata.write import append, delete_rows, push, restore, update_rows, upsert

__all__ = [
    "Account",
    "AccountInfo",
    "ClicDataAccessor",
    "ColumnType",
    "Dashboard",
    "Data",
    "Picture",
    "RetryPolicy",
    "Schedule",
    "ScheduleRun",
    "Session",
    "SessionManager",
    "Team",
    "User",
    "WriteResult",
    "__version__",
    "append",
    "authorization_url",
    "connect",
    "dashboards",
    "delete_rows",
    "push",
    "read_clicdata",
    "read_clicdata_batches",
    "refresh",
    "request",
    "restore",
    "schedules",
    "tables",
    "update_rows",
    "upsert",
    "versions",
    *errors.__all__,
]


def __dir__() -> list[str]:
    """List the public names alone, for completion."""
    return sorted(__all__)


_logging.getLogger(__name__).addHandler(_logging.NullHandler())


class _AccessorProperty:
    """``df.clicdata``, made for each use.

    pandas 2 stores an accessor on the frame, where it would outlive a second import of this package. ``__set__`` makes
    this a data descriptor, which comes before what is stored on a frame.
    """

    def __init__(self, accessor: type[ClicDataAccessor]) -> None:
        self._accessor = accessor

    def __get__(self, frame: _pd.DataFrame | None, owner: type | None = None) -> object:
        return self._accessor if frame is None else self._accessor(frame)

    def __set__(self, frame: _pd.DataFrame, value: object) -> None:
        raise AttributeError("df.clicdata is the accessor of pandas_clicdata and cannot be set.")


def _is_ours(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] == __name__


def _register() -> None:
    """Bind both names to this copy of the package, also over an earlier copy, but never over another package's.

    Raises
    ------
    ImportError
        Another package has one of the names.
    """
    taken = [
        f"{owner.__name__}.{name}"
        for owner, name in ((_pd.DataFrame, "clicdata"), (_pd, "read_clicdata"))
        if hasattr(owner, name) and not _is_ours(getattr(owner, name))
    ]
    if taken:
        raise ImportError(f"{' and '.join(taken)} is another package's already; pandas_clicdata does not replace it.")
    # Not by register_dataframe_accessor, which warns where an earlier copy has the name.
    _pd.DataFrame.clicdata = _AccessorProperty(ClicDataAccessor)  # type: ignore[attr-defined]
    _pd.read_clicdata = read_clicdata  # type: ignore[attr-defined]


_register()
