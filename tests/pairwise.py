"""Choose a small sample of test cases that has every pair of parameter values."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Mapping, Sequence


def pairwise_sample(cases: Sequence[Mapping[str, Hashable]], strength: int = 2) -> list[int]:
    """Return the positions of a few cases that together have every combination of values.

    The choice is greedy: the next case is the first one with the most combinations that are still missing.

    Parameters
    ----------
    cases : sequence of mapping
        The cases, each as parameter → value.
    strength : int, default 2
        Number of parameters in a combination: 1 covers each value, 2 covers each pair of values.
    """
    combinations = [
        set(itertools.combinations(sorted(case.items(), key=_name), min(strength, len(case)))) for case in cases
    ]
    missing = set().union(*combinations) if combinations else set()
    # The case with the most new combinations comes first. The number of new combinations of a case never grows.
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
