"""Every operation of the client, with every switch of the sandbox: it is correct, or raises a clear error.

The sandbox of a case has one switch that is not the default, or a row of an array in which each pair of choices of two
switches occurs, or random choices that the doctor has examined. By default, a sample of the array runs; its other cases
are slow. The other sandboxes run only with ``CLICDATA_TEST_ALL_SWITCHES=1``, because they take three times as long.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from contract.switch_operations import OPERATIONS, PAGE_SIZE, open_session, running
from pairwise import covering_array

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions, Sandbox
from pandas_clicdata.sandbox.assumptions import CHOICES

Place: TypeAlias = tuple[Sandbox, Mapping[str, Any]]
"""A sandbox, and the option of its sessions that names the service profile, if the doctor has written one."""

ALL = os.environ.get("CLICDATA_TEST_ALL_SWITCHES") == "1"
DIALECTS = ("versioned", "unversioned")
_SAMPLED = 1
"""Number of cases of each operation that run by default."""

ALONE: dict[str, Mapping[str, Any]] = {
    "default": {},
    **{f"{switch}={choice}": {switch: choice} for switch, choices in CHOICES.items() for choice in choices[1:]},
}
RANDOM: dict[str, Mapping[str, Any]] = {
    f"random {seed}": {switch: random.Random(f"{seed} {switch}").choice(choices) for switch, choices in CHOICES.items()}
    for seed in range(20)
}
"""The sandboxes that the doctor examines first, so that the operations run with the service profile that it writes."""
PAIRS: dict[str, Mapping[str, Any]] = {f"pairs {at}": case for at, case in enumerate(covering_array(CHOICES))}


def cases() -> Iterator[Any]:
    """Yield the sandbox and the operation of each case."""
    of_pairs = [(name, dialect) for name in PAIRS for dialect in DIALECTS]
    sampled = {
        # One more each time, so that an operation runs in both dialects.
        (of_pairs[(at + number * (len(OPERATIONS) + 1)) % len(of_pairs)], operation)
        for at, operation in enumerate(OPERATIONS)
        for number in range(_SAMPLED)
    }
    more = [(name, dialect) for name in [*ALONE, *RANDOM] for dialect in DIALECTS] if ALL else []
    places = [*more, *of_pairs]
    for place, operation in itertools.product(places, OPERATIONS):
        marks = [] if (place, operation) in sampled else [pytest.mark.slow]
        yield pytest.param(place, operation, marks=marks, id=f"{place[0]}-{place[1]}-{operation}")


@pytest.fixture(scope="module")
def sandbox_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[tuple[str, str]], Place]]:
    """Return a function that starts a sandbox with the choices of a case; it stops when another one is needed."""
    opened = contextlib.ExitStack()
    started: dict[tuple[str, str], Place] = {}

    def sandbox(place: tuple[str, str]) -> Place:
        if place not in started:
            opened.close()
            started.clear()
            name, dialect = place
            assume = Assumptions(**{**ALONE, **RANDOM, **PAIRS}[name])
            running_sandbox = opened.enter_context(Sandbox(dialect, page_size=PAGE_SIZE, assume=assume))
            profile: dict[str, Any] = {}
            if name in RANDOM:
                folder = tmp_path_factory.mktemp("profile")
                profile = {"service_profile": folder / "profile.json"}
                with open_session(running_sandbox, folder, **profile) as session:
                    cd.doctor(session, write=True)
            started[place] = running_sandbox, profile
        return started[place]

    with opened:
        yield sandbox


@pytest.mark.parametrize(("place", "operation"), list(cases()))
def test_an_operation_is_correct_or_raises_a_clear_error(
    sandbox_of: Callable[[tuple[str, str]], Place],
    tmp_path: Path,
    place: tuple[str, str],
    operation: str,
    record_property: Any,
) -> None:
    sandbox, profile = sandbox_of(place)
    with running(sandbox, tmp_path, **profile) as case:
        try:
            OPERATIONS[operation](case)
        finally:
            figures = {"place": "-".join(place), "operation": operation}
            record_property("switches", {**figures, "errors": case.refusals, "losses": case.losses})
