"""The account, its activity, and the user who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from pandas_clicdata._checks import check_choice
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import Output, checked_output, fetch_all, to_output, to_single_output

if TYPE_CHECKING:
    import pandas as pd

Entity = Literal["users", "dashboards"]
ENTITIES: tuple[Entity, ...] = ("users", "dashboards")


@parameters_from(Resource)
class Account(Resource):
    """The account of a session.

    Parameters
    ----------
    {session}
    {**connection_params}

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.Account().get_account()["name"].item()
    'Sandbox'
    """

    @overload
    def get_account(self, output: Literal["df"] = ...) -> pd.DataFrame: ...

    @overload
    def get_account(self, output: Literal["dict"]) -> dict[str, Any]: ...

    @parameters_from(to_output)
    def get_account(self, output: Output = "df") -> pd.DataFrame | dict[str, Any]:
        """Return the account.

        Parameters
        ----------
        {output}

        Returns
        -------
        DataFrame or dict
            One row, or one dict, with all fields that the service states, such as ``name`` and ``domain``.

        Raises
        ------
        ValueError
            ``output`` is neither "df" nor "dict". Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> cd.Account().get_account("dict")["name"]
        'Sandbox'
        """
        output = checked_output(output)
        return to_single_output(self._client.account(), output)

    @overload
    def get_account_activity(self, entity: Entity = ..., output: Literal["df"] = ...) -> pd.DataFrame: ...

    @overload
    def get_account_activity(self, entity: Entity, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_account_activity(self, entity: Entity = ..., *, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @parameters_from(to_output)
    def get_account_activity(
        self, entity: Entity = "users", output: Output = "df"
    ) -> pd.DataFrame | list[dict[str, Any]]:
        """Return the activity of the users, or of the dashboards.

        Parameters
        ----------
        entity : {"users", "dashboards"}, default "users"
            Whose activity to return.
        {output}

        Returns
        -------
        DataFrame or list of dict
            One row or dict per user or dashboard.

        Raises
        ------
        IncompleteReadError
            The service states another number of records than were received.
        ValueError
            ``entity`` or ``output`` is not one of its values. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> len(cd.Account().get_account_activity("users", output="dict")) > 0
        True
        """
        entity, output = check_choice("entity", entity, ENTITIES), checked_output(output)
        client = self._client
        fetch = client.user_activity if entity == "users" else client.dashboard_activity
        return to_output("activity record", fetch_all("activity record", fetch), output, columns=())

    @overload
    def get_profile(self, output: Literal["df"] = ...) -> pd.DataFrame: ...

    @overload
    def get_profile(self, output: Literal["dict"]) -> dict[str, Any]: ...

    @parameters_from(to_output)
    def get_profile(self, output: Output = "df") -> pd.DataFrame | dict[str, Any]:
        """Return the user who is signed in.

        Parameters
        ----------
        {output}

        Returns
        -------
        DataFrame or dict
            One row, or one dict, with all fields that the service states, such as ``email_address``, ``first_name``,
            ``last_name`` and ``last_login_date``.

        Raises
        ------
        ValueError
            ``output`` is neither "df" nor "dict". Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> "email_address" in cd.Account().get_profile()
        True
        """
        output = checked_output(output)
        return to_single_output(self._client.profile(), output)
