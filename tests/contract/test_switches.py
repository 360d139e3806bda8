"""Every operation of the client, with every switch of the sandbox: it is correct, or raises a clear error.

The sandbox of a case has one switch that is not the default, or a row of an array in which each pair of choices of two
switches occurs. By default, a sample of the cases runs. The others of the array are slow; the others with one switch
need ``CLICDATA_TEST_ALL_SWITCHES=1``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from contract.switch_operations import OPERATIONS, PAGE_SIZE, Case, running
from pairwise import covering_array

from pandas_clicdata.sandbox import Assumptions, Sandbox
from pandas_clicdata.sandbox.assumptions import CHOICES

ALL = os.environ.get("CLICDATA_TEST_ALL_SWITCHES") == "1"
DIALECTS = ("versioned", "unversioned")
_SAMPLED = 3
"""Number of cases of each operation that run by default."""

ALONE: dict[str, Mapping[str, Any]] = {
    "default": {},
    **{f"{switch}={choice}": {switch: choice} for switch, choices in CHOICES.items() for choice in choices[1:]},
}
PAIRS: dict[str, Mapping[str, Any]] = {f"pairs {at}": case for at, case in enumerate(covering_array(CHOICES))}


def cases() -> Iterator[Any]:
    """Yield the sandbox and the operation of each case."""
    places = [(name, dialect) for name in [*ALONE, *PAIRS] for dialect in DIALECTS]
    sampled = {
        (places[(at + number * len(OPERATIONS)) * 7 % len(places)], operation)
        for at, operation in enumerate(OPERATIONS)
        for number in range(_SAMPLED)
    }
    for place in places:
        for operation in OPERATIONS:
            marks = []
            if (place, operation) not in sampled:
                marks = [pytest.mark.slow]
                if place[0] in ALONE and not ALL:
                    continue
            yield pytest.param(place, operation, marks=marks, id=f"{place[0]}-{place[1]}-{operation}")


@pytest.fixture(scope="module")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Start a sandbox with the choices of a case, for all operations."""
    name, dialect = request.param
    choices = {**ALONE, **PAIRS}[name]
    with Sandbox(dialect, page_size=PAGE_SIZE, assume=Assumptions(**choices)) as started:
        yield started


@pytest.fixture
def case(sandbox: Sandbox, tmp_path: Any) -> Iterator[Case]:
    with running(sandbox, tmp_path) as made:
        yield made


@pytest.mark.parametrize(("sandbox", "operation"), list(cases()), indirect=["sandbox"])
def test_an_operation_is_correct_or_raises_a_clear_error(
    request: pytest.FixtureRequest, case: Case, operation: str, record_property: Any
) -> None:
    try:
        OPERATIONS[operation](case)
    finally:
        place = "-".join(request.node.callspec.params["sandbox"])
        figures = {"place": place, "operation": operation, "errors": case.refusals, "losses": case.losses}
        record_property("switches", figures)
