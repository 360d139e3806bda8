"""Choose a small sample of test cases that has every pair of parameter values."""

from __future__ import annotations

import heapq
import itertools
import random
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


def covering_array(factors: Mapping[str, Sequence[Hashable]], tries: int = 8) -> list[dict[str, Hashable]]:
    """Return a few cases in which each value of a factor occurs together with each value of each other factor.

    The choice is greedy: a case begins with the first pair that is still missing, and each other factor, in a random
    order, gets the value that adds most missing pairs. The best of some tries is kept. Equal factors give equal cases.

    Parameters
    ----------
    factors : mapping of str to sequence
        The values of each factor.
    tries : int, default 8
        Number of tries for each case.
    """
    pairs = [
        ((one, value), (two, other))
        for one, two in itertools.combinations(factors, 2)
        for value, other in itertools.product(factors[one], factors[two])
    ]
    missing = {frozenset(pair): pair for pair in pairs}
    chance = random.Random(0)
    cases = []
    while missing:
        first = next(iter(missing.values()))
        most, best = 0, dict(first)
        for _ in range(tries):
            case, gain = dict(first), 1
            others = [name for name in factors if name not in case]
            chance.shuffle(others)
            for name in others:
                gains = [
                    sum(frozenset(((name, value), known)) in missing for known in case.items())
                    for value in factors[name]
                ]
                gain += max(gains)
                case[name] = factors[name][chance.choice([at for at, each in enumerate(gains) if each == max(gains)])]
            if gain > most:
                most, best = gain, case
        cases.append({name: best[name] for name in factors})
        for pair in itertools.combinations(best.items(), 2):
            missing.pop(frozenset(pair), None)
    return cases
