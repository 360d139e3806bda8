"""The account: what it is, what happened in it, and who is signed in."""

from __future__ import annotations

from typing import Any, Literal

from pandas_clicdata._checks import one_of
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import Output, as_output, checked_output, everything, one_as_output

Entity = Literal["users", "dashboards"]
ENTITIES: tuple[Entity, ...] = ("users", "dashboards")


class Account(Resource):
    """The account that a session is on.

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
    >>> cd.Account().get_account()["name"].item()
    'Sandbox'
    """

    def get_account(self, output: Output = "df") -> Any:
        """Ask what the service says of the account (S P).

        Parameters
        ----------
        output : {"df", "dict"}, default "df"
            A DataFrame of one row, or the dict as it came.

        Returns
        -------
        DataFrame or dict
        """
        output = checked_output(output)
        return one_as_output(self._client.account(), output)

    def get_account_activity(self, entity: Entity = "users", output: Output = "df") -> Any:
        """Ask what the users did, or what was done with the dashboards (S).

        Parameters
        ----------
        entity : {"users", "dashboards"}, default "users"
            Whose activity.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts as they came.

        Returns
        -------
        DataFrame or list of dict

        Raises
        ------
        ValueError
            Another entity or output; nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> len(cd.Account().get_account_activity("users", output="dict")) > 0
        True
        """
        entity, output = one_of("entity", entity, ENTITIES), checked_output(output)
        client = self._client
        ask = client.user_activity if entity == "users" else client.dashboard_activity
        return as_output(everything("activity record", ask), output, columns=())

    def get_profile(self, output: Output = "df") -> Any:
        """Ask who is signed in (O).

        Parameters
        ----------
        output : {"df", "dict"}, default "df"
            A DataFrame of one row, or the dict as it came.

        Returns
        -------
        DataFrame or dict
            With ``email_address``, ``first_name``, ``last_name``, ``last_login_date`` (O).
        """
        output = checked_output(output)
        return one_as_output(self._client.profile(), output)
