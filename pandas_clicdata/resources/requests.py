"""Any operation of the API, also one that has no method here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pandas_clicdata._checks import one_of, unicode_text
from pandas_clicdata._models import Secret, means_secret
from pandas_clicdata.resources.base import refuse_unsendable, refuse_what_json_lacks, unshown
from pandas_clicdata.session import client_of

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def request(
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    session: Session | None = None,
) -> Any:
    """Ask the service for anything that the vendor's page lists, with our session, dialect, retries and errors.

    A GET is tried again where that helps. Anything else is sent again only if it provably did nothing: so where its
    reply is lost, the error has ``ambiguous`` set.

    Parameters
    ----------
    method : {"GET", "POST", "PUT", "DELETE", "PATCH"}
        In capitals or not.
    path : str
        From the slash after ``base_url`` on: ``"/team"``. Credentials go to the session's own address only.
    params : dict, optional
        What stands behind the question mark. Truth values are written ``true`` and ``false``; of a list, each value is
        a parameter; None is left out. ``api_version`` is added as the session's dialect has it, unless it is there.
    json : object, optional
        The body. What by its name is a password or the like, here and in ``params``, is shown in no error and no log.
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    object
        The JSON of the reply, in the versioned dialect its ``result``; None where a bare reply to anything but a GET is
        empty. Numbers that a float would not give back come as ``Decimal``. A list may be one page of several: what a
        versioned reply says of them is not in it.

    Raises
    ------
    ApiError
        The service refuses, whatever the status says; of the kind that fits.
    UnexpectedReplyError
        The reply is no JSON, or does not say success where it should.
    TransportError
        There was no whole reply.
    TypeError, ValueError
        An argument is not what it should be; nothing was sent.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.request("GET", "/account")["name"]
    'Sandbox'
    """
    # Rebound at once, so that a traceback with locals shows no password.
    json, params = unshown(json, "json"), _unshown_params(params)
    unicode_text("method=", method)
    verb = one_of("method", method.upper(), METHODS)
    path, pairs = _checked_path(path), _checked_params(params)
    refuse_what_json_lacks("json", json)
    return client_of(session).request(verb, path, pairs, json)


def _checked_path(path: object) -> str:
    text = unicode_text("path=", path)
    if not text.startswith("/") or text.startswith("//"):
        raise ValueError(f"path= begins with the slash after the host, as in '/team', not {text!r}.")
    if any(character in text for character in "?#\\") or not text.isprintable() or " " in text:
        raise ValueError(
            f"path={text!r} holds a question mark, hash, backslash, blank or control character. What stands behind a"
            " question mark goes into params=; other characters are written as %20 and the like."
        )
    # On its way such a step is taken, and may lead out of a base_url that has a path of its own.
    if not {".", ".."}.isdisjoint(re.split(r"[/;\\]", unquote(text))):
        raise ValueError(f"path={text!r} holds a step '.' or '..'; write the path out.")
    return text


def _unshown_params(params: Any) -> Any:
    """The same parameters, in which what by its name is a password, or the like, is a Secret, whatever it is."""
    if not isinstance(params, Mapping):
        return params
    return {
        name: [Secret(each) for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
        if means_secret(str(name))
        else value
        for name, value in params.items()
    }


def _checked_params(params: object) -> tuple[tuple[str, str | Secret], ...]:
    if params is None:
        return ()
    if not isinstance(params, Mapping):
        raise TypeError(f"params= is a dict of names and values, not {params!r}.")
    checked: list[tuple[str, str | Secret]] = []
    for name, value in params.items():
        unicode_text("A name in params=", name)
        values = value if isinstance(value, list | tuple) else [value]
        checked += [(name, _parameter(name, each)) for each in values if each is not None]
    return tuple(checked)


def _parameter(name: str, value: object) -> str | Secret:
    if isinstance(value, Secret):
        # Its text is no variable here, for a traceback may show those.
        if isinstance(value.reveal(), bool | int | float):
            return Secret(str(_parameter(name, value.reveal())))
        refuse_unsendable(f"params[{name!r}]", value)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        refuse_what_json_lacks(f"params[{name!r}]", value)
        return str(value)
    return unicode_text(f"params[{name!r}]", value)
