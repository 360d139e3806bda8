"""The fixture ``clicdata_sandbox``, for tests of code that uses ClicData.

To load it, name this module in the ``conftest.py`` beside ``pytest.ini`` or ``pyproject.toml``::

    pytest_plugins = ["pandas_clicdata.pytest_plugin"]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pandas_clicdata.sandbox import Sandbox


@pytest.fixture
def clicdata_sandbox() -> Iterator[Sandbox]:
    """Start an empty sandbox and connect to it; restore the default session after the test.

    Yields
    ------
    Sandbox
        The sandbox, to which the default session is connected.

    Examples
    --------
    ::

        def test_flights(clicdata_sandbox):
            pd.DataFrame({"flight": ["UA1545"]}).clicdata.push("Flights")
            assert clicdata_sandbox.ledger.count("Flights") == 1
    """
    from pandas_clicdata.session import preserve_default_session

    try:
        from pandas_clicdata.sandbox import Sandbox
    except ImportError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing in ("", "pandas_clicdata"):
            raise
        pytest.fail(
            f"The fixture clicdata_sandbox needs {missing}, which is not installed. Run:"
            ' pip install "pandas-clicdata[sandbox]"',
            pytrace=False,
        )
    with Sandbox() as sandbox, preserve_default_session():
        session = sandbox.connect()
        yield sandbox
        session.close()
