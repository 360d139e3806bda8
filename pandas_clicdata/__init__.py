"""Exchange pandas DataFrames with ClicData: every value exact, every row exactly once.

Importing this package adds the accessor ``df.clicdata`` to DataFrames, and the function ``pd.read_clicdata`` to pandas.

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
from typing import TYPE_CHECKING as _TYPE_CHECKING

import pandas as _pd

from pandas_clicdata import errors
from pandas_clicdata._models import AccountInfo, ColumnType, Picture, RetryPolicy, ScheduleRun, WriteResult
from pandas_clicdata._options import option_context, options
from pandas_clicdata._threads import fork_lock as _fork_lock
from pandas_clicdata._version import __version__
from pandas_clicdata.client.auth import authorization_url
from pandas_clicdata.errors import *  # noqa: F403

# At once, because the module has the name of its function: a later import would put the module in its place.
from pandas_clicdata.login import Identity, login, logout, whoami
from pandas_clicdata.read import columns, read_arrow, read_clicdata, read_clicdata_batches, read_polars
from pandas_clicdata.session import Session, SessionManager, connect

if _TYPE_CHECKING:
    from pandas_clicdata.accessor import ClicDataAccessor
    from pandas_clicdata.diagnosis import DoctorReport, doctor
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
    from pandas_clicdata.write import (
        append,
        delete_rows,
        discard_unfinished,
        push,
        restore,
        unfinished,
        update_rows,
        upsert,
    )
else:

    def __getattr__(name: str) -> object:
        """Return a public name of the modules that are imported when one of their names is first used.

        Their import takes as long as that of the others. The name is not kept here, so that after a reload it is that
        of the latest copy of the module.
        """
        if name in __all__:
            with _fork_lock:
                from pandas_clicdata import accessor, diagnosis, resources, write
            for module in (accessor, write, resources, diagnosis):
                if name in vars(module):
                    return vars(module)[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Account",
    "AccountInfo",
    "ClicDataAccessor",
    "ColumnType",
    "Dashboard",
    "Data",
    "DoctorReport",
    "Identity",
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
    "columns",
    "connect",
    "dashboards",
    "delete_rows",
    "discard_unfinished",
    "doctor",
    "login",
    "logout",
    "option_context",
    "options",
    "push",
    "read_arrow",
    "read_clicdata",
    "read_clicdata_batches",
    "read_polars",
    "refresh",
    "request",
    "restore",
    "schedules",
    "tables",
    "unfinished",
    "update_rows",
    "upsert",
    "versions",
    "whoami",
    *errors.__all__,
]


def __dir__() -> list[str]:
    """List only the public names, for completion."""
    return sorted(__all__)


_logging.getLogger(__name__).addHandler(_logging.NullHandler())


class _AccessorProperty:
    """Return a new accessor at each use of ``df.clicdata``, and import it at the first one.

    pandas 2 stores an accessor on the frame, where the old one would remain after a second import of this package.
    ``__set__`` makes this class a data descriptor, which has precedence over a stored attribute.
    """

    def __init__(self) -> None:
        self._accessor: type[ClicDataAccessor] | None = None

    def __get__(self, frame: _pd.DataFrame | None, owner: type | None = None) -> object:
        if self._accessor is None:
            with _fork_lock:
                from pandas_clicdata.accessor import ClicDataAccessor
            self._accessor = ClicDataAccessor
        return self._accessor if frame is None else self._accessor(frame)

    def __set__(self, frame: _pd.DataFrame, value: object) -> None:
        raise AttributeError("df.clicdata is the accessor of pandas_clicdata and cannot be set.")


def _is_own(value: object) -> bool:
    return str(getattr(value, "__module__", "")).split(".")[0] == __name__


def _register() -> None:
    """Register the accessor and the reader, also in place of an earlier import of this package.

    Raises
    ------
    ImportError
        Another package has registered one of the names.
    """
    taken = [
        f"{owner.__name__}.{name}"
        for owner, name in ((_pd.DataFrame, "clicdata"), (_pd, "read_clicdata"))
        if name in vars(owner) and not _is_own(vars(owner)[name])
    ]
    if taken:
        raise ImportError(
            f"pandas_clicdata does not replace {' and '.join(taken)}, which another package has already registered."
        )
    # register_dataframe_accessor would warn if an earlier import has registered the name.
    _pd.DataFrame.clicdata = _AccessorProperty()  # type: ignore[attr-defined]
    _pd.read_clicdata = read_clicdata  # type: ignore[attr-defined]


_register()
