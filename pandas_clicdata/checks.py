"""Arguments that several public functions take, checked in the same words."""

from __future__ import annotations

import operator
from typing import SupportsIndex


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
