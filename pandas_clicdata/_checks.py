"""Checks of arguments that several public functions take, in the same words, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
import operator
import unicodedata
from collections.abc import Iterable, Sequence
from typing import SupportsIndex, TypeVar

T = TypeVar("T", bound=str)

_SUGGESTIONS = 3
_COMPARED = 100


def whole_number(name: str, value: SupportsIndex, *, least: int, most: int | None = None, why: str = "") -> int:
    """Return a whole number.

    Raises
    ------
    ValueError
        It is none, or out of bounds.

    Examples
    --------
    >>> whole_number("limit", 7, least=0)
    7
    """
    number = None if isinstance(value, bool) or not isinstance(value, SupportsIndex) else operator.index(value)
    if number is None or number < least or (most is not None and number > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}= is a whole number {bounds}{f' ({why})' if why else ''}, not {value!r}.")
    return number


def one_of(name: str, value: object, allowed: Sequence[T]) -> T:
    """Return the allowed value that this is.

    Raises
    ------
    ValueError
        It is none of them; the message lists them.

    Examples
    --------
    >>> one_of("output", "df", ["df", "dict"])
    'df'
    """
    for each in allowed:
        if isinstance(value, str) and value == each:
            return each
    raise ValueError(f"{name}= is one of {', '.join(map(repr, allowed))}, not {value!r}.")


def unicode_text(what: str, text: object) -> str:
    """Return a text that can be sent.

    Raises
    ------
    TypeError, ValueError
        It is no text, or holds half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is text, not {text!r}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}, {text!r}, holds half of a surrogate pair, which is no Unicode text.") from None
    return text


def rec_id_or_name(what: str, value: object) -> int | str:
    """Return a RecId as an int, or a name as it is.

    Raises
    ------
    TypeError, ValueError
        It is neither.

    Examples
    --------
    >>> rec_id_or_name("table", 1234), rec_id_or_name("table", "Flights")
    (1234, 'Flights')
    """
    if isinstance(value, str):
        if not value.strip():
            raise ValueError(f"A {what} needs a name that is not blank.")
        return unicode_text(f"A {what}'s name", value)
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"A {what} is meant by its RecId, a whole number, or its name, not by {value!r}.")
    rec_id = operator.index(value)
    if rec_id < 1:
        raise ValueError(f"{rec_id} is no RecId; they are whole numbers from 1.")
    return rec_id


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that may be meant: those that look the same but for case and blanks, else the few alike.

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
        return folded[wanted][:_SUGGESTIONS]
    close = difflib.get_close_matches(wanted, folded, n=_SUGGESTIONS)
    return [each for key in close for each in folded[key]][:_SUGGESTIONS]


def _folded(name: str) -> str:
    # Of names as long as a book the beginnings will do: comparing takes the square of their length.
    return unicodedata.normalize("NFKC", name[:_COMPARED]).casefold().strip()


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the question whether a near name was meant, with a blank before it; nothing if there is none.

    Examples
    --------
    >>> "There is no column 'flght'." + did_you_mean("flght", ["flight", "seats"])
    "There is no column 'flght'. Did you mean 'flight'?"
    """
    suggested = near(name, names)
    return f" Did you mean {' or '.join(map(repr, suggested))}?" if suggested else ""
