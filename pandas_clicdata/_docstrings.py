"""Docstrings that share the descriptions of parameters, so that each is complete and each text has one place."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])

_PLACEHOLDER = re.compile(r"^\{([\w, ]+)\}$", re.MULTILINE)
_SECTION = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) :.*$", re.MULTILINE)


def parameters_from(*sources: Callable[..., Any]) -> Callable[[T], T]:
    """Fill the placeholders in a docstring with the parameter descriptions of other docstrings.

    A line ``{name}`` becomes the entry of the parameter ``name``; the first source that has one provides it.

    Examples
    --------
    >>> def push(rows):
    ...     '''Send rows.
    ...
    ...     Parameters
    ...     ----------
    ...     rows : list
    ...         The rows.
    ...     '''
    >>> @parameters_from(push)
    ... def append(rows):
    ...     '''Send more rows.
    ...
    ...     Parameters
    ...     ----------
    ...     {rows}
    ...     '''
    >>> append.__doc__.splitlines()[-2:]
    ['rows : list', '    The rows.']
    """
    entries: dict[str, str] = {}
    for source in reversed(sources):
        entries |= _entries(_doc_of(source))

    def fill(function: T) -> T:
        function.__doc__ = _PLACEHOLDER.sub(lambda match: entries.get(match[1], match[0]), _doc_of(function)) + "\n"
        return function

    return fill


def documented_as(source: Callable[..., Any], *, without: str) -> Callable[[T], T]:
    """Give a method the docstring of a function, without one parameter, and with the method's own docstring as example.

    Parameters
    ----------
    source : callable
        The function.
    without : str
        The parameter of the function that the method provides itself.
    """

    def document(method: T) -> T:
        example = _doc_of(method).strip()
        doc = _doc_of(source)
        doc = doc.replace(_entries(doc).get(without, "") + "\n", "", 1)
        method.__doc__ = re.sub(r"(?<=\nExamples\n--------\n).*", lambda _: f"{example}\n", doc, flags=re.DOTALL)
        return method

    return document


def _doc_of(source: Callable[..., Any]) -> str:
    # Python keeps no docstrings with the option -OO.
    return inspect.cleandoc(source.__doc__ or "")


def _entries(doc: str) -> dict[str, str]:
    """Return the entries of the section Parameters, by name."""
    sections = list(_SECTION.finditer(doc))
    entries = {}
    for section, following in zip(sections, [*sections[1:], None], strict=True):
        if section[1] == "Parameters":
            body = doc[section.end() + 1 : None if following is None else following.start()].rstrip()
            starts = list(_ENTRY.finditer(body))
            for start, after in zip(starts, [*starts[1:], None], strict=True):
                entries[start[1]] = body[start.start() : None if after is None else after.start()].rstrip()
    return entries
