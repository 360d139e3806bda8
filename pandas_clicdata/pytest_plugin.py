"""The fixture ``clicdata_sandbox``, for tests of code that uses ClicData."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pandas_clicdata.sandbox import Sandbox


@pytest.fixture
def clicdata_sandbox() -> Iterator[Sandbox]:
    """Start an empty sandbox and connect to it; afterwards the shared session is what it was before."""
    from pandas_clicdata.sandbox import Sandbox
    from pandas_clicdata.session import shared_session_kept

    with Sandbox() as sandbox, shared_session_kept():
        session = sandbox.connect()
        yield sandbox
        session.close()
