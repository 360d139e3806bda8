"""Choose, of many cases, a few that have every pair of values."""

from __future__ import annotations

import heapq
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
    # Most new combinations first; a case covers no more of them later than when it was last looked at.
    queue = [(-len(each), position) for position, each in enumerate(combinations)]
    heapq.heapify(queue)
    chosen = []
    while missing:
        count, position = heapq.heappop(queue)
        new = combinations[position] & missing
        if len(new) == -count:
            chosen.append(position)
            missing -= new
        else:
            heapq.heappush(queue, (-len(new), position))
    return sorted(chosen)


def _name(item: tuple[str, Hashable]) -> str:
    return item[0]
