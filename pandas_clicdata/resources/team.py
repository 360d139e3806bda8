"""Teams, who is in them, and their parameters."""

from __future__ import annotations

from typing import Any, SupportsIndex

from pandas_clicdata._checks import rec_id_or_name
from pandas_clicdata.resources.base import Resource, body_of, required_text, something
from pandas_clicdata.resources.records import Output, as_output, checked_output, everything, id_of_the_one, the_one
from pandas_clicdata.resources.user import NAMES_OF_A_USER


class Team(Resource):
    """The account's teams.

    The names of the fields in a team's body are not publicly shown (A), so that each method takes further fields, and
    sends them as they are: what the vendor's page lists can be used without waiting for a release.

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
    >>> team = cd.Team()
    >>> rec_id = team.create_team("Pilots", description="Those who fly")
    >>> reply = team.set_parameter("Pilots", "base", "JFK")
    >>> team.get_team("Pilots")["description"].item()
    'Those who fly'
    >>> reply = team.delete_team(rec_id)
    """

    def get_team(self, rec_id: SupportsIndex | str | None = None, output: Output = "df") -> Any:
        """List the teams (S), or pick one of the list.

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId of one team, or its name.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts as they came; of one team a DataFrame of one row, or the dict.

        Returns
        -------
        DataFrame, list of dict, or dict

        Raises
        ------
        RecordLookupError
            No team is meant, or several are; they are named.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        output = checked_output(output)
        meant = None if rec_id is None else rec_id_or_name("team", rec_id)
        client = self._client
        listed = everything("team", client.teams)
        if meant is None:
            return as_output(listed, output, columns=("rec_id", "name"))
        team = the_one("team", meant, listed)
        return dict(team) if output == "dict" else as_output([team], output, columns=("rec_id", "name"))

    def create_team(self, name: str, description: str | None = None, **fields: Any) -> int:
        """Make a team (S).

        Parameters
        ----------
        name : str
            Its name.
        description : str, optional
            What it is for.
        **fields
            What else the service takes, sent as given.

        Returns
        -------
        int
            The RecId of the team.

        Raises
        ------
        ApiError
            The service refuses it, for example a name that is taken.
        TransportError, ServerError
            With ``ambiguous`` set, it may have been made all the same: :meth:`get_team` tells.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        required_text("name", name)
        body = body_of({"name": name, "description": description}, fields)
        return self._client.create_team(body)

    def update_team(
        self, rec_id: SupportsIndex | str, name: str | None = None, description: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Give a team another name, description or whatever else (S).

        Parameters
        ----------
        rec_id : int or str
            The team's RecId, or its name.
        name, description : str, optional
            The new ones; what is not given stays.
        **fields
            What else the service takes, sent as given.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have; they are named.
        TypeError, ValueError
            There is nothing to change, or an argument is not what it should be; nothing was sent.
        """
        meant = rec_id_or_name("team", rec_id)
        body = something(body_of({"name": name, "description": description}, fields), "name=, description= or **fields")
        return self._client.update_team(self._rec_id(meant), body)

    def delete_team(self, rec_id: SupportsIndex | str) -> dict[str, Any]:
        """Delete a team (S).

        Parameters
        ----------
        rec_id : int or str
            The team's RecId, or its name, in its own case.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have; they are named.
        NotFoundError
            There is no team of this RecId.
        TransportError, ServerError
            With ``ambiguous`` set, it may have been deleted all the same.
        """
        meant = rec_id_or_name("team", rec_id)
        return self._client.delete_team(self._rec_id(meant, exactly=True))

    def add_user(self, rec_id: SupportsIndex | str, user_id: SupportsIndex | str, **fields: Any) -> dict[str, Any]:
        """Put a user into a team (S).

        Parameters
        ----------
        rec_id : int or str
            The team's RecId, or its name.
        user_id : int or str
            The user's RecId, or their e-mail address.
        **fields
            What else the service takes, sent as given.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError
            No team or user is of that name, or several are; they are named.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        meant, who = rec_id_or_name("team", rec_id), rec_id_or_name("user", user_id)
        fields = body_of({}, fields)
        body = {"user_id": self._user_id(who), **fields}
        return self._client.add_user(self._rec_id(meant), body)

    def remove_user(self, rec_id: SupportsIndex | str, user_id: SupportsIndex | str, **fields: Any) -> dict[str, Any]:
        """Take a user out of a team (S).

        Parameters
        ----------
        rec_id, user_id, **fields
            As in :meth:`add_user`.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError, TypeError, ValueError
            As in :meth:`add_user`.
        """
        meant, who = rec_id_or_name("team", rec_id), rec_id_or_name("user", user_id)
        fields = body_of({}, fields)
        body = {"user_id": self._user_id(who), **fields}
        return self._client.remove_user(self._rec_id(meant), body)

    def set_parameter(self, rec_id: SupportsIndex | str, name: str, value: Any, **fields: Any) -> dict[str, Any]:
        """Give a team a parameter, or its parameter another value (S).

        Parameters
        ----------
        rec_id : int or str
            The team's RecId, or its name.
        name : str
            The parameter's name.
        value : object
            Its value, as JSON has it.
        **fields
            What else the service takes, sent as given.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError
            No team has the name, or several have; they are named.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        meant = rec_id_or_name("team", rec_id)
        required_text("name", name)
        body = body_of({"name": name}, {"value": value, **fields})
        return self._client.set_parameter(self._rec_id(meant), body)

    def remove_parameter(self, rec_id: SupportsIndex | str, name: str, **fields: Any) -> dict[str, Any]:
        """Take a parameter from a team (S).

        Parameters
        ----------
        rec_id : int or str
            The team's RecId, or its name.
        name : str
            The parameter's name.
        **fields
            What else the service takes, sent as given.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError, TypeError, ValueError
            As in :meth:`set_parameter`.
        """
        meant = rec_id_or_name("team", rec_id)
        required_text("name", name)
        return self._client.remove_parameter(self._rec_id(meant), body_of({"name": name}, fields))

    def _rec_id(self, meant: int | str, *, exactly: bool = False) -> int:
        client = self._client
        return id_of_the_one("team", meant, client.teams, exactly=exactly)

    def _user_id(self, meant: int | str) -> int:
        client = self._client
        return id_of_the_one("user", meant, client.users, NAMES_OF_A_USER)
