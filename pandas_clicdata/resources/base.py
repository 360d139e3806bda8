"""What all the classes are: doors to one session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from pandas_clicdata._checks import unicode_text
from pandas_clicdata._models import Secret, means_secret
from pandas_clicdata.client.api import Client
from pandas_clicdata.session import Session, client_of, conceal, resolve_session


class Resource:
    """A door to one kind of thing in an account.

    Parameters
    ----------
    session : Session, optional
        The account. Default: that of :func:`connect`, looked up at each use.
    **connection_params
        As for :class:`Session`, for a session of its own instead.
    """

    _own: Session | None = None

    def __init__(self, session: Session | None = None, **connection_params: Any) -> None:
        # Concealed at once, so that a traceback with locals shows no secret.
        conceal(connection_params)
        own = session if session is None or isinstance(session, Session) else cast(Session, Secret(session))
        session = None
        if own is not None and connection_params:
            raise TypeError(f"{type(self).__name__} takes a session, or what to make one of, not both.")
        if own is not None:
            own = resolve_session(own)
        elif connection_params:
            own = Session(**connection_params)
        self._own = own

    @property
    def session(self) -> Session:
        """The session that is used.

        Raises
        ------
        NoCredentialsError
            It has none of its own, and there are no credentials anywhere.
        """
        return resolve_session(self._own)

    @property
    def _client(self) -> Client:
        return client_of(self._own)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        # For the pickle: where it is loaded, the default session may be on another account.
        return {**vars(self), "_own": self.session}

    def __repr__(self) -> str:
        whose = "the default session" if self._own is None else repr(self._own)
        return f"<{type(self).__name__} on {whose}>"


def body_of(known: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request's body: the known ones that were given, and the others as they are; what by its name is a
    password is a Secret.

    Raises
    ------
    TypeError, ValueError
        A text is half a surrogate pair, or a value is nothing that JSON has.
    """
    fields: dict[str, Any] = unshown({**{name: value for name, value in known.items() if value is not None}, **others})
    for name, value in fields.items():
        refuse_what_json_lacks(name, value)
    return fields


def unshown(value: Any, name: str = "", *, secret: bool = False) -> Any:
    """The same body, in which a text that by its name is a password, or the like, is a Secret.

    Raises
    ------
    TypeError, ValueError
        It is no text that can be sent.
    """
    if isinstance(value, dict):
        return {key: unshown(inner, str(key), secret=secret or means_secret(str(key))) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [unshown(inner, name, secret=secret) for inner in value]
    if isinstance(value, Secret):
        refuse_unsendable(name, value)
    if not secret or value is None or isinstance(value, bool | int | float | Secret):
        return value
    hidden, value = Secret(value), ""
    refuse_unsendable(name, hidden)
    return hidden


def refuse_unsendable(name: str, secret: Secret) -> None:
    """Refuse a secret that is no Unicode text, without showing it.

    Raises
    ------
    TypeError, ValueError
        It is none.
    """
    if not isinstance(secret.reveal(), str):
        raise TypeError(f"{name}= is text.")
    if any("\ud800" <= character <= "\udfff" for character in secret.reveal()):
        raise ValueError(f"{name}= holds half of a surrogate pair, which is no Unicode text.")


def something(fields: dict[str, Any], what: str) -> dict[str, Any]:
    """Return the fields of a change.

    Raises
    ------
    ValueError
        There are none.
    """
    if not fields:
        raise ValueError(f"There is nothing to change: give {what}.")
    return fields


def required_text(name: str, value: object) -> None:
    """Refuse what is no text, or is blank.

    Raises
    ------
    TypeError, ValueError
        It is.
    """
    if not unicode_text(f"{name}=", value).strip():
        raise ValueError(f"{name}= is blank.")


def refuse_what_json_lacks(name: str, value: Any) -> None:
    """Refuse a value that cannot stand in a body.

    Raises
    ------
    TypeError, ValueError
        It is nothing that JSON has, or holds half of a surrogate pair.
    """
    if isinstance(value, str):
        unicode_text(f"{name}=", value)
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError(f"{name}= is {value}, which JSON cannot say.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            unicode_text(f"A name in {name}=", key)
            refuse_what_json_lacks(f"{name}[{key!r}]", inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            refuse_what_json_lacks(f"{name}[{place}]", inner)
    elif value is not None and not isinstance(value, bool | int | float | Secret):
        raise TypeError(f"{name}= is a text, a number, a truth value, a list or a dict of them, not {value!r}.")


def described(description: str, desc: str | None) -> str:
    """Return the description, by whichever of its two names it was given.

    Raises
    ------
    TypeError
        By both.
    """
    if desc is None:
        return description
    if description:
        raise TypeError("desc= is another name of description=. Give one of them.")
    return desc
