"""The fixture ``clicdata_sandbox``, for tests of code that uses ClicData.

pytest finds it where the ``conftest.py`` beside ``pytest.ini`` or ``pyproject.toml`` names this module::

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
    """Start an empty sandbox and connect to it; afterwards the default session is the one of before."""
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
