"""Teams, their users and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from pandas_clicdata._checks import check_rec_id_or_name
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import (
    Output,
    RecordId,
    checked_output,
    fetch_all,
    find_one,
    find_rec_id,
    to_output,
    to_single_output,
)
from pandas_clicdata.resources.requests import changed_fields, check_not_blank, checked_fields
from pandas_clicdata.resources.user import USER_NAME_KEYS

if TYPE_CHECKING:
    import pandas as pd


@parameters_from(Resource)
class Team(Resource):
    """The teams of an account.

    Which fields the service accepts for a team is not publicly documented. So the methods accept further fields and
    send them unchanged.

    Parameters
    ----------
    {session}
    {**connection_params}

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> team = cd.Team()
    >>> rec_id = team.create_team("Pilots", description="Everyone who flies")
    >>> reply = team.set_parameter("Pilots", "base", "JFK")
    >>> team.get_team("Pilots")["description"].item()
    'Everyone who flies'
    >>> reply = team.delete_team(rec_id)
    """

    @overload
    def get_team(self, rec_id: RecordId | None = ..., output: Literal["df"] = ...) -> pd.DataFrame: ...

    @overload
    def get_team(self, rec_id: None, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_team(self, rec_id: None = ..., *, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_team(self, rec_id: RecordId, output: Literal["dict"]) -> dict[str, Any]: ...

    @parameters_from(to_output)
    def get_team(
        self, rec_id: RecordId | None = None, output: Output = "df"
    ) -> pd.DataFrame | list[dict[str, Any]] | dict[str, Any]:
        """List the teams, or return one.

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId or the name of one team. Default: list all teams.
        {output}

        Returns
        -------
        DataFrame, list of dict or dict
            One row or dict per team, with all fields that the service states. With ``rec_id``, one row or one dict.

        Raises
        ------
        RecordLookupError
            No team has the RecId or the name, or several have the name.
        IncompleteReadError
            The service states another number of teams than were received.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Mechanics")
        >>> cd.Team().get_team(rec_id, "dict")["name"]
        'Mechanics'
        """
        output = checked_output(output)
        wanted = None if rec_id is None else check_rec_id_or_name("team", rec_id)
        client = self._client
        listed = fetch_all("team", client.teams)
        columns = ("rec_id", "name")
        if wanted is None:
            return to_output("team", listed, output, columns)
        return to_single_output(find_one("team", wanted, listed), output, columns)

    def create_team(self, name: str, description: str | None = None, **fields: Any) -> int:
        """Create a team.

        Parameters
        ----------
        name : str
            The name of the team.
        description : str, optional
            The description of the team.
        **fields
            Other fields that the service accepts, sent unchanged.

        Returns
        -------
        int
            The RecId of the team.

        Raises
        ------
        ApiError
            The service refused the request, for example because a team has this name.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the team may have been created: check with :meth:`get_team`.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Controllers", description="Everyone in the tower")
        >>> cd.Team().get_team("Controllers")["rec_id"].item() == rec_id
        True
        """
        check_not_blank("name", name)
        body = checked_fields({"name": name, "description": description}, fields)
        return self._client.create_team(body)

    @parameters_from(create_team)
    def update_team(
        self, rec_id: RecordId, name: str | None = None, description: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Change fields of a team.

        Parameters
        ----------
        rec_id : int or str
            The RecId of the team, or its name.
        name : str, optional
            The new name. Default: unchanged.
        description : str, optional
            The new description. Default: unchanged.
        {**fields}

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have it.
        NotFoundError
            No team has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the team may have been changed.
        TypeError, ValueError
            No field is passed, or an argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Loaders")
        >>> reply = cd.Team().update_team("Loaders", name="Ground crew")
        >>> cd.Team().get_team(rec_id)["name"].item()
        'Ground crew'
        """
        wanted = check_rec_id_or_name("team", rec_id)
        body = changed_fields({"name": name, "description": description}, fields)
        return self._client.update_team(self._rec_id(wanted), body)

    def delete_team(self, rec_id: RecordId) -> dict[str, Any]:
        """Delete a team.

        Parameters
        ----------
        rec_id : int or str
            The RecId of the team, or its name, in which upper and lower case must match.

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have it.
        NotFoundError
            No team has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the team may have been deleted.
        TypeError, ValueError
            ``rec_id`` is neither a RecId nor text. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Navigators")
        >>> reply = cd.Team().delete_team("Navigators")
        >>> rec_id in set(cd.Team().get_team()["rec_id"])
        False
        """
        wanted = check_rec_id_or_name("team", rec_id)
        return self._client.delete_team(self._rec_id(wanted, match_case=True))

    @parameters_from(update_team)
    def add_user(self, rec_id: RecordId, user_id: RecordId, **fields: Any) -> dict[str, Any]:
        """Add a user to a team.

        Parameters
        ----------
        {rec_id}
        user_id : int or str
            The RecId of the user, or the e-mail address.
        {**fields}

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No team has the name or no user has the address, or several have it.
        NotFoundError
            No team or user has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the user may have been added.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Cabin crew")
        >>> user_id = cd.User().create_user("ellen@sandbox.example", "Ellen")
        >>> reply = cd.Team().add_user("Cabin crew", "ellen@sandbox.example")
        >>> cd.Team().get_team(rec_id, "dict")["users"] == [user_id]
        True
        """
        return self._client.add_user(*self._member(rec_id, user_id, fields))

    @parameters_from(add_user)
    def remove_user(self, rec_id: RecordId, user_id: RecordId, **fields: Any) -> dict[str, Any]:
        """Remove a user from a team.

        Parameters
        ----------
        {rec_id}
        {user_id}
        {**fields}

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No team has the name or no user has the address, or several have it.
        NotFoundError
            No team or user has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the user may have been removed.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Stewards")
        >>> user_id = cd.User().create_user("inez@sandbox.example", "Inez")
        >>> reply = cd.Team().add_user(rec_id, user_id)
        >>> reply = cd.Team().remove_user(rec_id, user_id)
        >>> cd.Team().get_team(rec_id, "dict")["users"]
        []
        """
        return self._client.remove_user(*self._member(rec_id, user_id, fields))

    @parameters_from(update_team)
    def set_parameter(self, rec_id: RecordId, name: str, value: Any, **fields: Any) -> dict[str, Any]:
        """Set a parameter of a team.

        Parameters
        ----------
        {rec_id}
        name : str
            The name of the parameter.
        value : object
            The value, which is encoded as JSON.
        {**fields}

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have it.
        NotFoundError
            No team has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the parameter may have been set.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Night shift")
        >>> reply = cd.Team().set_parameter(rec_id, "base", "JFK")
        >>> cd.Team().get_team(rec_id, "dict")["parameters"]
        [{'name': 'base', 'value': 'JFK'}]
        """
        wanted = check_rec_id_or_name("team", rec_id)
        check_not_blank("name", name)
        body = checked_fields({"name": name}, {"value": value, **fields})
        return self._client.set_parameter(self._rec_id(wanted), body)

    @parameters_from(set_parameter)
    def remove_parameter(self, rec_id: RecordId, name: str, **fields: Any) -> dict[str, Any]:
        """Remove a parameter from a team.

        Parameters
        ----------
        {rec_id}
        {name}
        {**fields}

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have it.
        NotFoundError
            No team has this RecId, or it has no such parameter.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the parameter may have been removed.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Team().create_team("Day shift")
        >>> reply = cd.Team().set_parameter(rec_id, "base", "JFK")
        >>> reply = cd.Team().remove_parameter(rec_id, "base")
        >>> cd.Team().get_team(rec_id, "dict")["parameters"]
        []
        """
        wanted = check_rec_id_or_name("team", rec_id)
        check_not_blank("name", name)
        return self._client.remove_parameter(self._rec_id(wanted), checked_fields({"name": name}, fields))

    def _rec_id(self, wanted: int | str, *, match_case: bool = False) -> int:
        client = self._client
        return find_rec_id("team", wanted, client.teams, match_case=match_case)

    def _member(self, rec_id: RecordId, user_id: RecordId, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the RecId of a team, and the body that names a user."""
        team, user = check_rec_id_or_name("team", rec_id), check_rec_id_or_name("user", user_id)
        fields = checked_fields({}, fields)
        client = self._client
        body = {"user_id": find_rec_id("user", user, client.users, USER_NAME_KEYS), **fields}
        return self._rec_id(team), body
