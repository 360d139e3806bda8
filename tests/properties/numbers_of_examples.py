"""The number of examples of a property: few by default, more in slow tests, thousands with CLICDATA_LONG_TESTS=1."""

import os

import pytest
from hypothesis import HealthCheck, settings

LONG = os.environ.get("CLICDATA_LONG_TESTS", "") not in ("", "0")


def few_or(slow, *, few, long=None):
    """Parametrize a test by its number of ``examples``: ``few``, and as a slow test ``slow``, or ``long`` of them."""
    more = long if LONG and long else slow
    return pytest.mark.parametrize("examples", [few, pytest.param(more, marks=pytest.mark.slow)], ids=["few", "more"])


def with_settings(examples):
    """Return the settings of a property; with CLICDATA_LONG_TESTS=1 other examples each time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=not LONG,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
