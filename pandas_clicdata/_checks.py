"""Checks of arguments that several public functions have in common, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
import operator
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import SupportsIndex, TypeVar

T = TypeVar("T", bound=str)

_MAX_SUGGESTIONS = 3
_COMPARED_CHARACTERS = 100


def check_whole_number(name: str, value: SupportsIndex, *, least: int, most: int | None = None, why: str = "") -> int:
    """Check that an argument is a whole number within bounds.

    Parameters
    ----------
    name : str
        The name of the argument.
    value : SupportsIndex
        The argument, such as an int or a NumPy integer.
    least : int
        The minimum.
    most : int, optional
        The maximum.
    why : str, optional
        The reason for the bounds. The error states it.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ValueError
        The argument is not a whole number, or out of bounds.

    Examples
    --------
    >>> check_whole_number("limit", 7, least=0)
    7
    """
    number = None if isinstance(value, bool) or not isinstance(value, SupportsIndex) else operator.index(value)
    if number is None or number < least or (most is not None and number > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}= must be a whole number {bounds}{f' ({why})' if why else ''}, not {value!r}.")
    return number


def check_choice(name: str, value: object, allowed: Sequence[T]) -> T:
    """Check that an argument is one of the allowed values.

    Parameters
    ----------
    name : str
        The name of the argument.
    value : object
        The argument.
    allowed : sequence of str
        The allowed values.

    Returns
    -------
    str
        The allowed value.

    Raises
    ------
    ValueError
        The argument is another value. The message lists the allowed ones.

    Examples
    --------
    >>> check_choice("output", "df", ["df", "dict"])
    'df'
    """
    for each in allowed:
        if isinstance(value, str) and value == each:
            return each
    raise ValueError(f"{name}= must be one of {', '.join(map(repr, allowed))}, not {value!r}.")


def check_path(name: str, path: object) -> str:
    """Check that an argument is the path of a file on this machine.

    Parameters
    ----------
    name : str
        The name of the argument.
    path : object
        The argument.

    Returns
    -------
    str
        The path, with the home directory in place of ``~``.

    Raises
    ------
    TypeError
        It is not a path.
    ValueError
        It is the address of another service, or the home directory is not known.

    Examples
    --------
    >>> check_path("journal", "flights.push")
    'flights.push'
    >>> check_path("backup", "s3://bucket/old.parquet")
    Traceback (most recent call last):
        ...
    ValueError: backup= must be a path on this machine, not 's3://bucket/old.parquet'.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
    if not text or not isinstance(text, str):
        raise TypeError(f"{name}= must be the path of a file, not {path!r}.")
    # A Path of an address has lost one of the slashes.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text):
        raise ValueError(f"{name}= must be a path on this machine, not {text!r}.")
    expanded = os.path.expanduser(text)  # noqa: PTH111 - a path such as "./a" keeps its form
    if expanded.startswith("~"):
        raise ValueError(f"The home directory in {name}={text!r} is not known. Give a path without ~.")
    return expanded


def check_text(what: str, text: object) -> str:
    """Check that a value is valid Unicode text, which can be sent.

    Parameters
    ----------
    what : str
        What the value is. The error states it.
    text : object
        The value.

    Returns
    -------
    str
        The text.

    Raises
    ------
    TypeError
        The value is not a str.
    ValueError
        The text contains half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be text, not {text!r}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}, {text!r}, is not valid Unicode: it contains half of a surrogate pair.") from None
    return text


def check_rec_id_or_name(what: str, value: object) -> int | str:
    """Check that a value is a RecId or a name.

    Parameters
    ----------
    what : str
        What the value identifies, such as ``"table"``.
    value : object
        The value.

    Returns
    -------
    int or str
        The RecId or the name.

    Raises
    ------
    TypeError
        The value is neither a whole number nor a str.
    ValueError
        The RecId is less than 1, or the name is blank or not valid Unicode.

    Examples
    --------
    >>> check_rec_id_or_name("table", 1234), check_rec_id_or_name("table", "Flights")
    (1234, 'Flights')
    """
    if isinstance(value, str):
        if not value.strip():
            raise ValueError(f"The name of a {what} must not be blank.")
        return check_text(f"The name of a {what}", value)
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"A {what} is identified by its RecId, a whole number, or its name, not by {value!r}.")
    rec_id = operator.index(value)
    if rec_id < 1:
        raise ValueError(f"{rec_id} is not a RecId. A RecId is a whole number from 1.")
    return rec_id


def near(name: str, names: Iterable[str]) -> list[str]:
    """Find names that a misspelt name may stand for.

    Parameters
    ----------
    name : str
        The misspelt name.
    names : iterable of str
        The valid names.

    Returns
    -------
    list of str
        At most three: names that differ only in case and surrounding white space, or else similar names.

    Examples
    --------
    >>> near("flght", ["flight", "seats"]), near("SEATS", ["flight", "seats"]), near("gate", ["flight", "seats"])
    (['flight'], ['seats'], [])
    """
    wanted = _folded(name)
    folded: dict[str, list[str]] = {}
    for each in dict.fromkeys(names):
        folded.setdefault(_folded(each), []).append(each)
    if wanted in folded:
        return folded[wanted][:_MAX_SUGGESTIONS]
    close = difflib.get_close_matches(wanted, folded, n=_MAX_SUGGESTIONS)
    return [each for key in close for each in folded[key]][:_MAX_SUGGESTIONS]


def _folded(name: str) -> str:
    # Only the beginning of a long name is compared, because the time grows with the square of its length.
    return unicodedata.normalize("NFKC", name[:_COMPARED_CHARACTERS]).casefold().strip()


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Suggest similar names at the end of an error message.

    Parameters
    ----------
    name : str
        The misspelt name.
    names : iterable of str
        The valid names.

    Returns
    -------
    str
        A question that starts with a space. Empty if no name is similar.

    Examples
    --------
    >>> "There is no column 'flght'." + did_you_mean("flght", ["flight", "seats"])
    "There is no column 'flght'. Did you mean 'flight'?"
    """
    suggested = near(name, names)
    return f" Did you mean {' or '.join(shown_beside(name, each) for each in suggested)}?" if suggested else ""


def shown_beside(name: str, other: str) -> str:
    r"""Return a name in quotes, so that it does not look like a certain other name.

    Unicode has several forms of letters such as é. They look alike, so the escapes of the letters are added.

    Parameters
    ----------
    name : str
        The other name.
    other : str
        The name to show.

    Returns
    -------
    str
        The name, and its escapes if the two names differ only in the form of their letters.

    Examples
    --------
    >>> shown_beside("cafe", "café"), shown_beside("cafe\u0301", "café")
    ("'café'", "'café', written with other Unicode characters: 'caf\\xe9'")
    """
    alike = name != other and unicodedata.normalize("NFKC", name) == unicodedata.normalize("NFKC", other)
    return f"{other!r}, written with other Unicode characters: {other!a}" if alike else repr(other)
