"""Short names for what is asked often in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pandas_clicdata.resources.dashboard import Dashboard
from pandas_clicdata.resources.schedule import Schedule

if TYPE_CHECKING:
    import pandas as pd

    from pandas_clicdata.session import Session


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
