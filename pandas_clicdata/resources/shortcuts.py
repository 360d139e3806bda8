"""Short names for what is asked often in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pandas_clicdata._checks import one_of
from pandas_clicdata._models import RefreshMethod
from pandas_clicdata.resources.dashboard import Dashboard
from pandas_clicdata.resources.data import Data
from pandas_clicdata.resources.schedule import Schedule

if TYPE_CHECKING:
    import pandas as pd

    from pandas_clicdata._models import TableId
    from pandas_clicdata.session import Session


def tables(*, session: Session | None = None) -> pd.DataFrame:
    """List all tables, as ``Data().get_data()``.

    Parameters
    ----------
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    DataFrame
        One row a table, with ``rec_id``, ``name`` and what else the service says; moments are datetimes in UTC.

    Raises
    ------
    IncompleteReadError
        The list is not whole.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180]}).clicdata.push("Planes in the list")
    >>> tables = cd.tables().set_index("name")
    >>> tables.loc["Planes in the list", "rec_id"].item() == receipt.rec_id
    True
    """
    listed: pd.DataFrame = Data(session).get_data()
    return listed


def versions(table: TableId, *, session: Session | None = None) -> pd.DataFrame:
    """List the versions of a table, as ``Data().get_data_history(table)``.

    Parameters
    ----------
    table : int or str
        The table's RecId, or its name.
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    DataFrame
        One row a version; :func:`read_clicdata` reads one with ``version=``.

    Raises
    ------
    TableNotFoundError
        There is no such table.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> df = pd.DataFrame({"seats": [180]})
    >>> receipt, more = df.clicdata.push("Planes then"), df.clicdata.append("Planes then")
    >>> [len(pd.read_clicdata("Planes then", version=version)) for version in cd.versions("Planes then")["version"]]
    [0, 1, 2]
    """
    listed: pd.DataFrame = Data(session).get_data_history(table)
    return listed


def refresh(table: TableId, method: RefreshMethod = "reload", *, session: Session | None = None) -> dict[str, Any]:
    """Ask the service to fill a table anew from its source, as ``Data().rebuild_data(table, method)``.

    Parameters
    ----------
    table : int or str
        The table's RecId, or its name.
    method : {"reload", "recreate", "update", "append", "updateappend"}, default "reload"
        ``reload``: empty it and load its rows again. ``recreate``: make its columns anew as well. ``append``: add the
        rows of the source. ``update``: change the rows whose unique key the source has. ``updateappend``: and add the
        others.
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    dict
        What the service says. It may still be at work then.

    Raises
    ------
    TableNotFoundError
        There is no such table.
    ApiError
        The service refuses, for example because the table has no source.
    AmbiguousWriteError
        The reply was lost.
    ValueError
        ``method`` is not one of these; nothing was sent.
    """
    one_of("method", method, get_args(RefreshMethod))
    return Data(session).rebuild_data(table, method)


def dashboards(*, session: Session | None = None) -> pd.DataFrame:
    """List the dashboards, as ``Dashboard().get_dashboard()``.

    Parameters
    ----------
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    DataFrame
        One row a dashboard, with ``rec_id``, ``name`` and what else the service says.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> list(cd.dashboards())[:2]
    ['rec_id', 'name']
    """
    listed: pd.DataFrame = Dashboard(session).get_dashboard()
    return listed


def schedules(*, session: Session | None = None) -> pd.DataFrame:
    """List the schedules, as ``Schedule().get_schedule()``.

    Parameters
    ----------
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    DataFrame
        One row a schedule, with ``rec_id``, ``name`` and what else the service says.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> list(cd.schedules())[:2]
    ['rec_id', 'name']
    """
    listed: pd.DataFrame = Schedule(session).get_schedule()
    return listed
