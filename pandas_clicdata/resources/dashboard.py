"""Dashboards and their pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, SupportsIndex, overload

from pandas_clicdata._checks import one_of, rec_id_or_name
from pandas_clicdata._models import Picture
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import RecordLookupError
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import Output, as_output, checked_output, everything, id_of_the_one, named

PictureOutput = Literal["base64", "image"]
PICTURE_OUTPUTS: tuple[PictureOutput, ...] = ("base64", "image")


class Dashboard(Resource):
    """The account's dashboards.

    Parameters
    ----------
    session : Session, optional
        The account. Default: that of :func:`connect`, looked up at each use.
    **connection_params
        As for :class:`Session`, for a session of its own instead.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> "name" in cd.Dashboard().get_dashboard()
    True
    """

    def get_dashboard(
        self, name: str | bool | None = None, thumbnail: bool | str | None = False, output: Output = "df"
    ) -> Any:
        """List the dashboards, or those of one name (S P).

        Parameters
        ----------
        name : str, optional
            Only dashboards of this name; if there are none, those that differ in case.
        thumbnail : bool, default False
            Have the service add each dashboard's thumbnail, as base64 text; :meth:`Picture.from_base64` reads it. The
            two may come in the other order, as scripts for clicdata-api-wrapper have them.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts as they came.

        Returns
        -------
        DataFrame or list of dict

        Raises
        ------
        RecordLookupError
            No dashboard has the name; those near it are named.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        output = checked_output(output)
        if isinstance(name, bool) and (thumbnail is None or isinstance(thumbnail, str)):
            name, thumbnail = thumbnail, name
        elif isinstance(name, bool) and thumbnail is False:
            name, thumbnail = None, name
        if not isinstance(thumbnail, bool):
            raise TypeError(f"thumbnail= is True or False, not {thumbnail!r}.")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name= is a dashboard's name as text, not {name!r}.")
        wanted = None if name is None else str(rec_id_or_name("dashboard", name))
        client = self._client

        def listed(hint: str | None) -> Any:
            return everything("dashboard", lambda page: client.dashboards(page, hint, thumbnails=thumbnail))

        found = listed(wanted)
        if wanted is not None:
            # What the service takes for a name that matches is not known; without a match, the whole list tells.
            try:
                found = named("dashboard", wanted, found)
            except RecordLookupError:
                found = named("dashboard", wanted, listed(None))
        return as_output(found, output, columns=("rec_id", "name"))

    @overload
    def get_dashboard_thumbnail(
        self, rec_id: SupportsIndex | str | None = ..., output: Literal["base64"] = ..., *, name: str | None = ...
    ) -> str: ...

    @overload
    def get_dashboard_thumbnail(
        self, rec_id: SupportsIndex | str | None, output: Literal["image"], *, name: str | None = ...
    ) -> Picture: ...

    @overload
    def get_dashboard_thumbnail(
        self, rec_id: SupportsIndex | str | None = ..., *, output: Literal["image"], name: str | None = ...
    ) -> Picture: ...

    def get_dashboard_thumbnail(
        self,
        rec_id: SupportsIndex | str | None = None,
        output: PictureOutput = "base64",
        *,
        name: str | None = None,
    ) -> str | Picture:
        """Fetch a dashboard's small picture (S P).

        Parameters
        ----------
        rec_id : int or str, optional
            The dashboard's RecId, or its name.
        output : {"base64", "image"}, default "base64"
            The base64 text, or a :class:`Picture`, which shows itself in a notebook.
        name : str, optional
            Its name, in the place of ``rec_id``.

        Returns
        -------
        str or Picture

        Raises
        ------
        RecordLookupError
            No dashboard has the name, or several have; they are named.
        NotFoundError
            There is no dashboard of this RecId.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        return self._picture(Client.thumbnail, rec_id, name, output)

    @overload
    def get_dashboard_snapshot(
        self, rec_id: SupportsIndex | str | None = ..., output: Literal["base64"] = ..., *, name: str | None = ...
    ) -> str: ...

    @overload
    def get_dashboard_snapshot(
        self, rec_id: SupportsIndex | str | None, output: Literal["image"], *, name: str | None = ...
    ) -> Picture: ...

    @overload
    def get_dashboard_snapshot(
        self, rec_id: SupportsIndex | str | None = ..., *, output: Literal["image"], name: str | None = ...
    ) -> Picture: ...

    def get_dashboard_snapshot(
        self,
        rec_id: SupportsIndex | str | None = None,
        output: PictureOutput = "base64",
        *,
        name: str | None = None,
    ) -> str | Picture:
        """Fetch a picture of a dashboard as it looks (S P).

        Parameters
        ----------
        rec_id, output, name
            As in :meth:`get_dashboard_thumbnail`.

        Returns
        -------
        str or Picture

        Raises
        ------
        RecordLookupError, NotFoundError, TypeError, ValueError
            As in :meth:`get_dashboard_thumbnail`.
        """
        return self._picture(Client.snapshot, rec_id, name, output)

    def _picture(
        self,
        fetch: Callable[[Client, int], Picture],
        rec_id: SupportsIndex | str | None,
        name: str | None,
        output: PictureOutput,
    ) -> str | Picture:
        output = one_of("output", output, PICTURE_OUTPUTS)
        if (rec_id is None) == (name is None):
            raise TypeError("Which dashboard? Give its rec_id or its name, one of them.")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name= is a dashboard's name as text, not {name!r}.")
        meant = rec_id_or_name("dashboard", rec_id if name is None else name)
        client = self._client
        picture = fetch(client, id_of_the_one("dashboard", meant, client.dashboards))
        return picture if output == "image" else picture.to_base64()
