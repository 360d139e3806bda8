"""Requests with any body: the checks of what is sent, and ``request`` for any operation of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pandas_clicdata._checks import check_choice, check_text
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import Secret, is_secret_name
from pandas_clicdata.read import read_clicdata
from pandas_clicdata.session import client_of

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


@shown_briefly
@parameters_from(read_clicdata)
def request(
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    session: Session | None = None,
) -> Any:
    """Send any request to the API, with the session's credentials, dialect, retries and errors.

    A GET is retried after network and server errors. Any other request is sent again only if it certainly did nothing.
    If its reply is lost, the error has ``ambiguous`` set.

    Parameters
    ----------
    method : {"GET", "POST", "PUT", "DELETE", "PATCH"}
        The HTTP method, in upper or lower case.
    path : str
        The path after ``base_url``, from its slash: ``"/team"``. Credentials are sent to the session's address only.
    params : dict, optional
        The query parameters. Booleans are sent as ``true`` and ``false``. A list sends one parameter for each value.
        None is left out. ``api_version`` is added for the session's dialect, unless it is among the parameters.
    json : object, optional
        The body, encoded as JSON. A value whose name contains "password", "token" or the like, here and in ``params``,
        appears in no error and no log.
    {session}

    Returns
    -------
    object
        The JSON of the reply; in the versioned dialect, its ``result``. None if the reply to a request other than GET
        is empty, in the dialect without versions. A number that a float cannot hold exactly is a ``Decimal``. A list
        may be one page of several: the paging of a versioned reply is not included.

    Raises
    ------
    ApiError
        The service refused the request. The class of the error depends on the reason.
    UnexpectedReplyError
        The reply is not JSON, or does not state success.
    TransportError
        No complete reply arrived.
    TypeError, ValueError
        An argument is wrong. Nothing was sent.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.request("GET", "/account")["name"]
    'Sandbox'
    """
    # Rebound first, so that a traceback with locals shows no secret.
    json, params = concealed_body(json, "json"), _concealed_params(params)
    check_text("method=", method)
    verb = check_choice("method", method.upper(), METHODS)
    path, pairs = _checked_path(path), _checked_params(params)
    _check_json("json", json)
    return client_of(session).request(verb, path, pairs, json)


def checked_fields(known: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a body: the known fields that are not None, and all others.

    Raises
    ------
    TypeError, ValueError
        A value cannot be encoded as JSON, or a text is not valid Unicode.
    """
    given = {name: value for name, value in known.items() if value is not None}
    fields: dict[str, Any] = concealed_body({**given, **others})
    for name, value in fields.items():
        _check_json(name, value)
    return fields


def changed_fields(known: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a change.

    Raises
    ------
    TypeError, ValueError
        There are none, or as in :func:`checked_fields`.
    """
    fields = checked_fields(known, others)
    if not fields:
        raise ValueError(f"There is nothing to change. Pass {', '.join(f'{name}=' for name in known)} or other fields.")
    return fields


def concealed_body(value: Any, name: str = "", *, secret: bool = False) -> Any:
    """Return a body in which each value that its name marks as a secret is a Secret.

    Raises
    ------
    TypeError, ValueError
        A secret is not text, or is not valid Unicode.
    """
    if isinstance(value, dict):
        return {
            key: concealed_body(inner, str(key), secret=secret or is_secret_name(str(key)))
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [concealed_body(inner, name, secret=secret) for inner in value]
    if isinstance(value, Secret):
        check_secret(name, value)
    if not secret or value is None or isinstance(value, bool | int | float | Secret):
        return value
    hidden, value = Secret(value), ""
    check_secret(name, hidden)
    return hidden


def check_secret(name: str, secret: Secret) -> None:
    """Refuse a secret that is not text, or not valid Unicode, without showing it.

    Raises
    ------
    TypeError, ValueError
        It is neither.
    """
    if not isinstance(secret.reveal(), str):
        raise TypeError(f"{name}= must be text.")
    if any("\ud800" <= character <= "\udfff" for character in secret.reveal()):
        raise ValueError(f"{name}= is not valid Unicode: it contains half of a surrogate pair.")


def check_not_blank(name: str, value: object) -> None:
    """Refuse a value that is not text, or is blank.

    Raises
    ------
    TypeError, ValueError
        It is.
    """
    if not check_text(f"{name}=", value).strip():
        raise ValueError(f"{name}= must not be blank.")


def _check_json(name: str, value: Any) -> None:
    """Refuse a value that JSON cannot represent.

    Raises
    ------
    TypeError, ValueError
        JSON cannot represent it, or a text is not valid Unicode.
    """
    if isinstance(value, str):
        check_text(f"{name}=", value)
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError(f"{name}= is {value}, which JSON cannot represent.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            check_text(f"A name in {name}=", key)
            _check_json(f"{name}[{key!r}]", inner)
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            _check_json(f"{name}[{position}]", inner)
    elif value is not None and not isinstance(value, bool | int | float | Secret):
        raise TypeError(f"{name}= must be text, a number, a boolean, None, or a list or dict of these, not {value!r}.")


def _checked_path(path: object) -> str:
    text = check_text("path=", path)
    if not text.startswith("/") or text.startswith("//"):
        raise ValueError(f"path= must begin with one slash, as in '/team', not {text!r}.")
    if any(character in text for character in "?#\\") or not text.isprintable() or " " in text:
        raise ValueError(
            f"path={text!r} contains a question mark, hash, backslash, blank or control character. Pass query"
            " parameters in params=, and write other characters percent-encoded, such as %20."
        )
    # A server or a proxy may resolve the step, and so leave a base_url that has a path of its own.
    if not {".", ".."}.isdisjoint(re.split(r"[/;\\]", unquote(text))):
        raise ValueError(f"path={text!r} contains a step '.' or '..'. Write the path without such steps.")
    return text


def _concealed_params(params: Any) -> Any:
    """Return the parameters, in which each value that its name marks as a secret is a Secret, of any type."""
    if not isinstance(params, Mapping):
        return params
    return {
        name: [Secret(each) for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
        if is_secret_name(str(name))
        else value
        for name, value in params.items()
    }


def _checked_params(params: object) -> tuple[tuple[str, str | Secret], ...]:
    if params is None:
        return ()
    if not isinstance(params, Mapping):
        raise TypeError(f"params= must be a dict of name and value, not {params!r}.")
    checked: list[tuple[str, str | Secret]] = []
    for name, value in params.items():
        check_text("A name in params=", name)
        values = value if isinstance(value, list | tuple) else [value]
        checked += [(name, _param_text(name, each)) for each in values if each is not None]
    return tuple(checked)


def _param_text(name: str, value: object) -> str | Secret:
    if isinstance(value, Secret):
        # Its text is not bound to a name here, because a traceback may show the local variables.
        if isinstance(value.reveal(), bool | int | float):
            return Secret(str(_param_text(name, value.reveal())))
        check_secret(f"params[{name!r}]", value)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        _check_json(f"params[{name!r}]", value)
        return str(value)
    return check_text(f"params[{name!r}]", value)
