"""Choose, of many cases, a few that have every pair of values."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence


def pairwise_sample(cases: Sequence[Mapping[str, Hashable]], strength: int = 2) -> list[int]:
    """Return the positions of a few cases that have every combination of values that occurs in any case.

    Greedy: each choice is the case with the most combinations that are still missing, the first of several.

    Parameters
    ----------
    cases : sequence of mapping
        The cases, each as parameter → value.
    strength : int, default 2
        How many parameters a combination has: 1 takes each value once, 2 each pair.
    """
    combinations = [
        set(itertools.combinations(sorted(case.items(), key=_name), min(strength, len(case)))) for case in cases
    ]
    missing = set().union(*combinations) if combinations else set()
    # A case covers no more new combinations later than it did when it was last looked at.
    most = {position: len(each) for position, each in enumerate(combinations)}
    chosen = []
    while missing:
        position = max(most, key=lambda each: (most[each], -each))
        new = combinations[position] & missing
        if len(new) == most[position]:
            chosen.append(position)
            missing -= new
            del most[position]
        else:
            most[position] = len(new)
    return sorted(chosen)


def _name(item: tuple[str, Hashable]) -> str:
    return item[0]
