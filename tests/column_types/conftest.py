"""Fixtures for the tests of types."""

import pytest

import pandas_clicdata as cd


@pytest.fixture
def no_requests(one_sandbox):
    """Fail the test if the sandbox gets a request."""
    before = len(one_sandbox.requests)
    yield
    assert len(one_sandbox.requests) == before


@pytest.fixture
def send(sessions, one_sandbox, name):
    """Return a function that pushes a column and returns its ClicData type and the cells sent."""

    def sent(series, wanted=None):
        columns = None if wanted is None else {"x": wanted}
        receipt = cd.push(series.to_frame("x"), name, column_types=columns, session=sessions["2025.3"])
        return str(receipt.columns[0].data_type), [row["x"] for row in one_sandbox.ledger.rows(receipt.rec_id)]

    return sent


@pytest.fixture(params=["2025.3", pytest.param("unversioned", marks=pytest.mark.slow)])
def session(request, sessions):
    """Open a session on the shared sandbox; the tests of types in the second dialect are slow tests."""
    return sessions[request.param]
