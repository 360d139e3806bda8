"""The sample of cases that the fast tests run, and a covering array, have every pair of values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from pairwise import covering_array, pairwise_sample

CASES = [
    {"dialect": dialect, "workers": workers, "fault": fault, "batch": batch}
    for dialect in ("2025.3", "unversioned")
    for workers in (1, 4)
    for fault in range(10)
    for batch in ("first", "middle", "last")
    # Not every combination is possible.
    if not (fault == 3 and workers == 4)
]


def pairs(case: Mapping[str, object]) -> set[tuple[tuple[str, object], ...]]:
    return set(itertools.combinations(sorted(case.items(), key=lambda item: item[0]), 2))


def test_a_sample_has_every_pair_that_occurs() -> None:
    sample = [CASES[position] for position in pairwise_sample(CASES)]

    assert set().union(*map(pairs, sample)) == set().union(*map(pairs, CASES))
    # A fault with each batch takes thirty cases.
    assert 30 <= len(sample) <= 35


def test_a_sample_of_single_values_is_smaller() -> None:
    sample = [CASES[position] for position in pairwise_sample(CASES, strength=1)]

    assert {case["fault"] for case in sample} == set(range(10))
    assert len(sample) == 10


def test_cases_of_one_parameter_are_all_in_the_sample() -> None:
    assert pairwise_sample([{"dialect": "2025.3"}, {"dialect": "unversioned"}]) == [0, 1]
    assert pairwise_sample([]) == []


def test_a_covering_array_has_every_pair_of_values_of_different_factors() -> None:
    factors = {f"factor {number}": range(2 + number % 4 // 2) for number in range(30)}
    cases = covering_array(factors)

    assert {pair for case in cases for pair in pairs(case)} == {
        ((one, value), (two, other))
        for one, two in itertools.combinations(sorted(factors), 2)
        for value, other in itertools.product(factors[one], factors[two])
    }
    # A pair of factors with three values takes 9 cases.
    assert 9 <= len(cases) <= 25
    assert cases == covering_array(factors)
    assert all(list(case) == list(factors) for case in cases)


def test_a_covering_array_of_two_factors_has_their_product() -> None:
    assert len(covering_array({"dialect": ("2025.3", "unversioned"), "row_id": (None, "id", "rec_id")})) == 6
