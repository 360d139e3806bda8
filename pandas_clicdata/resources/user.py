"""Users and their passwords."""

from __future__ import annotations

from typing import Any, SupportsIndex

from pandas_clicdata._checks import rec_id_or_name
from pandas_clicdata._models import Secret
from pandas_clicdata.resources.base import Resource, body_of, refuse_unsendable, required_text, something, unshown
from pandas_clicdata.resources.records import (
    Output,
    as_output,
    checked_output,
    everything,
    id_of_the_one,
    one_as_output,
)

NAMES_OF_A_USER = ("email_address", "email", "username", "name")
"""By what a user is named: the e-mail address, as the profile calls it (O), else (A)."""


class User(Resource):
    """The account's users.

    The names of the fields in a user's body are not publicly shown but for those of the profile (O), so that each
    method takes further fields, and sends them as they are: what the vendor's page lists can be used without waiting
    for a release.

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
    >>> user = cd.User()
    >>> rec_id = user.create_user("amelia@sandbox.example", "Amelia", "Earhart")
    >>> user.get_user("amelia@sandbox.example")["first_name"].item()
    'Amelia'
    >>> reply = user.delete_user(rec_id)
    """

    def get_user(self, rec_id: SupportsIndex | str | None = None, output: Output = "df") -> Any:
        """List the users, or ask for one (S).

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId of one user, or their e-mail address.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts as they came; of one user a DataFrame of one row, or the dict.

        Returns
        -------
        DataFrame, list of dict, or dict

        Raises
        ------
        RecordLookupError
            No user has the address, or several have; they are named.
        NotFoundError
            There is no user of this RecId.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        output = checked_output(output)
        meant = None if rec_id is None else rec_id_or_name("user", rec_id)
        client = self._client
        if meant is None:
            listed = everything("user", client.users)
            return as_output(listed, output, columns=("rec_id", "email_address"))
        return one_as_output(client.user(self._rec_id(meant)), output)

    def create_user(
        self,
        email_address: str,
        first_name: str | None = None,
        last_name: str | None = None,
        password: str | Secret | None = None,
        **fields: Any,
    ) -> int:
        """Make a user (S).

        Parameters
        ----------
        email_address : str
            Their e-mail address.
        first_name, last_name : str, optional
            Their name.
        password : str, optional
            Their password. It is shown nowhere.
        **fields
            What else the service takes, sent as given.

        Returns
        -------
        int
            The RecId of the user.

        Raises
        ------
        ApiError
            The service refuses it, for example an address that is taken.
        TransportError, ServerError
            With ``ambiguous`` set, the user may have been made all the same: :meth:`get_user` tells.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        # Rebound at once, so that a traceback with locals does not show it.
        password, fields = Secret.of(password), unshown(fields)
        if password is not None:
            check_password(password)
        required_text("email_address", email_address)
        known = {"email_address": email_address, "first_name": first_name, "last_name": last_name}
        return self._client.create_user(body_of({**known, "password": password}, fields))

    def update_user(
        self,
        rec_id: SupportsIndex | str,
        email_address: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Change what is known of a user (S); :meth:`set_password` changes the password.

        Parameters
        ----------
        rec_id : int or str
            The user's RecId, or their e-mail address.
        email_address, first_name, last_name : str, optional
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
            No user has the address, or several have; they are named.
        TypeError, ValueError
            There is nothing to change, or an argument is not what it should be; nothing was sent.
        """
        if "password" in fields:
            # Rebound, so that a traceback with locals does not show it.
            fields = {}
            raise TypeError("update_user changes no password; call set_password.")
        fields = unshown(fields)
        meant = rec_id_or_name("user", rec_id)
        known = {"email_address": email_address, "first_name": first_name, "last_name": last_name}
        body = something(body_of(known, fields), "email_address=, first_name=, last_name= or **fields")
        return self._client.update_user(self._rec_id(meant), body)

    def delete_user(self, rec_id: SupportsIndex | str) -> dict[str, Any]:
        """Delete a user (S).

        Parameters
        ----------
        rec_id : int or str
            The user's RecId, or their e-mail address, in its own case.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError
            No user has the address, or several have; they are named.
        NotFoundError
            There is no user of this RecId.
        TransportError, ServerError
            With ``ambiguous`` set, the user may have been deleted all the same.
        """
        meant = rec_id_or_name("user", rec_id)
        return self._client.delete_user(self._rec_id(meant, exactly=True))

    def set_password(self, rec_id: SupportsIndex | str, password: str | Secret) -> dict[str, Any]:
        """Give a user another password (S).

        Parameters
        ----------
        rec_id : int or str
            The user's RecId, or their e-mail address.
        password : str
            The new password. It is shown nowhere.

        Returns
        -------
        dict
            What the service says, if anything.

        Raises
        ------
        RecordLookupError
            No user has the address, or several have; they are named.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        # Taken out of sight at once, so that a traceback with locals does not show it.
        hidden, password = Secret.of(password), ""
        check_password(hidden)
        meant = rec_id_or_name("user", rec_id)
        return self._client.set_password(self._rec_id(meant), {"password": hidden})

    def _rec_id(self, meant: int | str, *, exactly: bool = False) -> int:
        client = self._client
        return id_of_the_one("user", meant, client.users, NAMES_OF_A_USER, exactly=exactly)


def check_password(password: Secret | None) -> None:
    """Refuse what is no password, without showing it.

    Raises
    ------
    TypeError, ValueError
        It is no text, or empty, or no Unicode text.
    """
    if password is None:
        raise TypeError("password= is text.")
    refuse_unsendable("password", password)
    if not password:
        raise ValueError("password= is empty.")
