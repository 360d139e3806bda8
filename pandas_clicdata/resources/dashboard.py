"""Dashboards and their pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from pandas_clicdata._checks import check_choice, check_rec_id_or_name
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import Picture
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import RecordLookupError
from pandas_clicdata.read import read_clicdata
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import (
    Output,
    Record,
    RecordId,
    checked_output,
    fetch_all,
    find_by_name,
    find_rec_id,
    to_output,
)

if TYPE_CHECKING:
    import pandas as pd

    from pandas_clicdata.session import Session

PictureOutput = Literal["base64", "image"]
PICTURE_OUTPUTS: tuple[PictureOutput, ...] = ("base64", "image")


@parameters_from(Resource)
class Dashboard(Resource):
    """The dashboards of an account.

    Parameters
    ----------
    {session}
    {**connection_params}

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> "name" in cd.Dashboard().get_dashboard()
    True
    """

    @overload
    def get_dashboard(
        self, name: str | bool | None = ..., thumbnail: bool | str | None = ..., output: Literal["df"] = ...
    ) -> pd.DataFrame: ...

    @overload
    def get_dashboard(
        self, name: str | bool | None, thumbnail: bool | str | None, output: Literal["dict"]
    ) -> list[dict[str, Any]]: ...

    @overload
    def get_dashboard(
        self, name: str | bool | None = ..., thumbnail: bool | str | None = ..., *, output: Literal["dict"]
    ) -> list[dict[str, Any]]: ...

    @parameters_from(to_output)
    def get_dashboard(
        self, name: str | bool | None = None, thumbnail: bool | str | None = False, output: Output = "df"
    ) -> pd.DataFrame | list[dict[str, Any]]:
        """List the dashboards, or the dashboards of one name.

        Parameters
        ----------
        name : str, optional
            List only dashboards of this name; if there are none, the dashboards whose name differs only in case.
        thumbnail : bool, default False
            Whether to include the thumbnail of each dashboard, as base64 text. :meth:`Picture.from_base64` decodes it.
            ``name`` and ``thumbnail`` may be passed in either order, because clicdata-api-wrapper has the other one.
        {output}

        Returns
        -------
        DataFrame or list of dict
            One row or dict per dashboard, with ``rec_id``, ``name`` and all other fields that the service states.

        Raises
        ------
        RecordLookupError
            No dashboard has the name. The message suggests similar names.
        IncompleteReadError
            The service states another number of dashboards than were received.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas as pd
        >>> from pandas_clicdata import Dashboard
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.connect() as session:
        ...     receipt = pd.DataFrame({"day": ["Monday"], "delay": [4]}).clicdata.push("Delays")
        ...     rec_id = sandbox.dashboard("Delays by day", table="Delays")
        ...     Dashboard(session).get_dashboard("Delays by day", output="dict")[0]["name"]
        'Delays by day'
        """
        output = checked_output(output)
        if isinstance(name, bool) and (thumbnail is None or isinstance(thumbnail, str)):
            name, thumbnail = thumbnail, name
        elif isinstance(name, bool) and thumbnail is False:
            name, thumbnail = None, name
        if not isinstance(thumbnail, bool):
            raise TypeError(f"thumbnail= must be True or False, not {thumbnail!r}.")
        wanted = None if name is None else _checked_name(name)
        client = self._client

        def listed(hint: str | None) -> list[Record]:
            return fetch_all("dashboard", lambda page: client.dashboards(page, hint, thumbnails=thumbnail))

        found = listed(wanted)
        if wanted is not None:
            # How the service filters by name is unknown. If no dashboard matches, the complete list is searched.
            try:
                found = find_by_name("dashboard", wanted, found)
            except RecordLookupError:
                found = find_by_name("dashboard", wanted, listed(None))
        return to_output("dashboard", found, output, columns=("rec_id", "name"))

    @overload
    def get_dashboard_thumbnail(
        self, rec_id: RecordId | None = ..., output: Literal["base64"] = ..., *, name: str | None = ...
    ) -> str: ...

    @overload
    def get_dashboard_thumbnail(
        self, rec_id: RecordId | None, output: Literal["image"], *, name: str | None = ...
    ) -> Picture: ...

    @overload
    def get_dashboard_thumbnail(
        self, rec_id: RecordId | None = ..., *, output: Literal["image"], name: str | None = ...
    ) -> Picture: ...

    def get_dashboard_thumbnail(
        self, rec_id: RecordId | None = None, output: PictureOutput = "base64", *, name: str | None = None
    ) -> str | Picture:
        """Return the thumbnail of a dashboard, a small picture.

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId of the dashboard, or its name.
        output : {"base64", "image"}, default "base64"
            Whether to return base64 text, or a :class:`Picture`, which a notebook displays.
        name : str, optional
            The name of the dashboard, instead of ``rec_id``.

        Returns
        -------
        str or Picture
            The picture.

        Raises
        ------
        RecordLookupError
            No dashboard has the name, or several have it.
        NotFoundError
            No dashboard has this RecId.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas as pd
        >>> from pandas_clicdata import Dashboard
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.connect() as session:
        ...     receipt = pd.DataFrame({"day": ["Monday"], "delay": [4]}).clicdata.push("Delays")
        ...     rec_id = sandbox.dashboard("Delays by day", table="Delays")
        ...     Dashboard(session).get_dashboard_thumbnail(rec_id, output="image").size
        (320, 200)
        """
        return self._picture(Client.thumbnail, rec_id, name, output)

    @overload
    def get_dashboard_snapshot(
        self, rec_id: RecordId | None = ..., output: Literal["base64"] = ..., *, name: str | None = ...
    ) -> str: ...

    @overload
    def get_dashboard_snapshot(
        self, rec_id: RecordId | None, output: Literal["image"], *, name: str | None = ...
    ) -> Picture: ...

    @overload
    def get_dashboard_snapshot(
        self, rec_id: RecordId | None = ..., *, output: Literal["image"], name: str | None = ...
    ) -> Picture: ...

    @parameters_from(get_dashboard_thumbnail)
    def get_dashboard_snapshot(
        self, rec_id: RecordId | None = None, output: PictureOutput = "base64", *, name: str | None = None
    ) -> str | Picture:
        """Return a picture of a dashboard in its current state.

        Parameters
        ----------
        {rec_id}
        {output}
        {name}

        Returns
        -------
        str or Picture
            The picture.

        Raises
        ------
        RecordLookupError
            No dashboard has the name, or several have it.
        NotFoundError
            No dashboard has this RecId.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas as pd
        >>> from pandas_clicdata import Dashboard
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.connect() as session:
        ...     receipt = pd.DataFrame({"day": ["Monday"], "delay": [4]}).clicdata.push("Delays")
        ...     rec_id = sandbox.dashboard("Delays by day", table="Delays")
        ...     Dashboard(session).get_dashboard_snapshot("Delays by day", output="image").size
        (1280, 800)
        """
        return self._picture(Client.snapshot, rec_id, name, output)

    def _picture(
        self, fetch: Callable[[Client, int], Picture], rec_id: RecordId | None, name: str | None, output: PictureOutput
    ) -> str | Picture:
        output = check_choice("output", output, PICTURE_OUTPUTS)
        if (rec_id is None) == (name is None):
            raise TypeError("Pass either rec_id= or name= to choose a dashboard.")
        wanted = check_rec_id_or_name("dashboard", rec_id) if name is None else _checked_name(name)
        client = self._client
        picture = fetch(client, find_rec_id("dashboard", wanted, client.dashboards))
        return picture if output == "image" else picture.to_base64()


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name= must be the name of a dashboard as text, not {name!r}.")
    return str(check_rec_id_or_name("dashboard", name))


@shown_briefly
@parameters_from(read_clicdata)
def dashboards(*, session: Session | None = None) -> pd.DataFrame:
    """List the dashboards.

    Parameters
    ----------
    {session}

    Returns
    -------
    DataFrame
        One row per dashboard, with ``rec_id``, ``name`` and all other fields that the service states.

    Raises
    ------
    IncompleteReadError
        The service states another number of dashboards than were received.

    See Also
    --------
    Dashboard.get_dashboard : List the dashboards of one name, or with thumbnails.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> list(cd.dashboards())[:2]
    ['rec_id', 'name']
    """
    return Dashboard(session).get_dashboard()
