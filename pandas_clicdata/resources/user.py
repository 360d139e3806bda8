"""Users and their passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from pandas_clicdata._checks import check_rec_id_or_name
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._models import Secret
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import (
    Output,
    RecordId,
    checked_output,
    fetch_all,
    find_rec_id,
    to_output,
    to_single_output,
)
from pandas_clicdata.resources.requests import (
    changed_fields,
    check_not_blank,
    check_secret,
    checked_fields,
    concealed_body,
)

if TYPE_CHECKING:
    import pandas as pd

USER_NAME_KEYS = ("email_address", "email", "username", "name")
"""The fields that can hold the name of a user: the one of the profile first."""


@parameters_from(Resource)
class User(Resource):
    """The users of an account.

    Which fields the service accepts for a user is not publicly documented, except for those of the profile. So the
    methods accept further fields and send them unchanged.

    Parameters
    ----------
    {session}
    {**connection_params}

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

    @overload
    def get_user(self, rec_id: RecordId | None = ..., output: Literal["df"] = ...) -> pd.DataFrame: ...

    @overload
    def get_user(self, rec_id: None, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_user(self, rec_id: None = ..., *, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_user(self, rec_id: RecordId, output: Literal["dict"]) -> dict[str, Any]: ...

    @parameters_from(to_output)
    def get_user(
        self, rec_id: RecordId | None = None, output: Output = "df"
    ) -> pd.DataFrame | list[dict[str, Any]] | dict[str, Any]:
        """List the users, or return one.

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId or the e-mail address of one user. Default: list all users.
        {output}

        Returns
        -------
        DataFrame, list of dict or dict
            One row or dict per user, with all fields that the service states. With ``rec_id``, one row or one dict.

        Raises
        ------
        RecordLookupError
            No user has the address, or several have it.
        NotFoundError
            No user has this RecId.
        IncompleteReadError
            The service states another number of users than were received.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> len(cd.User().get_user()) > 0
        True
        """
        output = checked_output(output)
        wanted = None if rec_id is None else check_rec_id_or_name("user", rec_id)
        client = self._client
        if wanted is None:
            return to_output("user", fetch_all("user", client.users), output, columns=("rec_id", "email_address"))
        return to_single_output(client.user(self._rec_id(wanted)), output)

    def create_user(
        self,
        email_address: str,
        first_name: str | None = None,
        last_name: str | None = None,
        password: str | Secret | None = None,
        **fields: Any,
    ) -> int:
        """Create a user.

        Parameters
        ----------
        email_address : str
            The e-mail address.
        first_name : str, optional
            The first name.
        last_name : str, optional
            The last name.
        password : str, optional
            The password. It appears in no error and no log.
        **fields
            Other fields that the service accepts, sent unchanged.

        Returns
        -------
        int
            The RecId of the user.

        Raises
        ------
        ApiError
            The service refused the request, for example because a user has this address.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the user may have been created: check with :meth:`get_user`.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.User().create_user("bessie@sandbox.example", "Bessie", "Coleman")
        >>> cd.User().get_user(rec_id, "dict")["last_name"]
        'Coleman'
        """
        # Rebound first, so that a traceback with locals shows no secret.
        password, fields = Secret.of(password), concealed_body(fields)
        if password is not None:
            _check_password(password)
        check_not_blank("email_address", email_address)
        known = {"email_address": email_address, "first_name": first_name, "last_name": last_name}
        return self._client.create_user(checked_fields({**known, "password": password}, fields))

    @parameters_from(create_user)
    def update_user(
        self,
        rec_id: RecordId,
        email_address: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Change fields of a user, except the password.

        Parameters
        ----------
        rec_id : int or str
            The RecId of the user, or the e-mail address.
        email_address : str, optional
            The new e-mail address. Default: unchanged.
        first_name : str, optional
            The new first name. Default: unchanged.
        last_name : str, optional
            The new last name. Default: unchanged.
        {**fields}

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No user has the address, or several have it.
        NotFoundError
            No user has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the user may have been changed.
        TypeError, ValueError
            No field is passed, or an argument is wrong. Nothing was sent.

        See Also
        --------
        User.set_password : Set the password of a user.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.User().create_user("harriet@sandbox.example", "Harriet")
        >>> reply = cd.User().update_user(rec_id, last_name="Quimby")
        >>> cd.User().get_user(rec_id, "dict")["last_name"]
        'Quimby'
        """
        if "password" in fields:
            # Rebound, so that a traceback with locals shows no secret.
            fields = {}
            raise TypeError("update_user does not change the password. Call set_password.")
        fields = concealed_body(fields)
        wanted = check_rec_id_or_name("user", rec_id)
        known = {"email_address": email_address, "first_name": first_name, "last_name": last_name}
        body = changed_fields(known, fields)
        return self._client.update_user(self._rec_id(wanted), body)

    def delete_user(self, rec_id: RecordId) -> dict[str, Any]:
        """Delete a user.

        Parameters
        ----------
        rec_id : int or str
            The RecId of the user, or the e-mail address, in which upper and lower case must match.

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No user has the address, or several have it.
        NotFoundError
            No user has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the user may have been deleted.
        TypeError, ValueError
            ``rec_id`` is neither a RecId nor text. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.User().create_user("bob@sandbox.example", "Bob")
        >>> reply = cd.User().delete_user("bob@sandbox.example")
        >>> rec_id in set(cd.User().get_user()["rec_id"])
        False
        """
        wanted = check_rec_id_or_name("user", rec_id)
        return self._client.delete_user(self._rec_id(wanted, match_case=True))

    @parameters_from(update_user)
    def set_password(self, rec_id: RecordId, password: str | Secret) -> dict[str, Any]:
        """Set the password of a user.

        Parameters
        ----------
        {rec_id}
        password : str
            The new password. It appears in no error and no log.

        Returns
        -------
        dict
            The fields that the service states, if any.

        Raises
        ------
        RecordLookupError
            No user has the address, or several have it.
        NotFoundError
            No user has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the password may have been changed.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.User().create_user("jacqueline@sandbox.example", "Jacqueline", password="Vampire 1955")
        >>> reply = cd.User().set_password(rec_id, "Mirage 1963")
        """
        # Rebound first, so that a traceback with locals shows no secret.
        hidden, password = Secret.of(password), ""
        _check_password(hidden)
        wanted = check_rec_id_or_name("user", rec_id)
        return self._client.set_password(self._rec_id(wanted), {"password": hidden})

    def _rec_id(self, wanted: int | str, *, match_case: bool = False) -> int:
        client = self._client
        return find_rec_id("user", wanted, client.users, USER_NAME_KEYS, match_case=match_case)


def _check_password(password: Secret | None) -> None:
    """Refuse a password that is not text, is empty or is not valid Unicode, without showing it.

    Raises
    ------
    TypeError, ValueError
        It is one of these.
    """
    if password is None:
        raise TypeError("password= must be text.")
    check_secret("password", password)
    if not password:
        raise ValueError("password= must not be empty.")
