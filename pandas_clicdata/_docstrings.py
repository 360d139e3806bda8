"""Docstrings that share the descriptions of parameters, so that each is complete and each text has one place."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])

_PLACEHOLDER = re.compile(r"^\{([\w*, ]+)\}$", re.MULTILINE)
_SECTION = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :.*)?$(?=\n    )", re.MULTILINE)


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


def inherit_parameters(cls: type) -> None:
    """Complete the docstring of a class with the parameter descriptions of its base class.

    A docstring without a section Parameters gets the whole section; placeholders are filled as by
    :func:`parameters_from`.
    """
    base = _doc_of(cls.__bases__[0])
    doc = _doc_of(cls)
    inherited = _section(base, "Parameters")
    if doc and inherited and not _section(doc, "Parameters"):
        first = _SECTION.search(doc)
        at = len(doc) if first is None else first.start()
        doc = f"{doc[:at].rstrip()}\n\n{inherited}\n\n{doc[at:]}".rstrip()
    entries = _entries(base)
    cls.__doc__ = _PLACEHOLDER.sub(lambda match: entries.get(match[1], match[0]), doc) + "\n"


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


def _section(doc: str, name: str) -> str:
    """Return a section with its heading; empty if there is none."""
    sections = list(_SECTION.finditer(doc))
    for section, following in zip(sections, [*sections[1:], None], strict=False):
        if section[1] == name:
            return doc[section.start() : None if following is None else following.start()].rstrip()
    return ""


def _entries(doc: str) -> dict[str, str]:
    """Return the entries of the section Parameters, by name."""
    body = _section(doc, "Parameters")
    starts = list(_ENTRY.finditer(body))
    return {
        start[1]: body[start.start() : None if after is None else after.start()].rstrip()
        for start, after in zip(starts, [*starts[1:], None], strict=False)
    }
