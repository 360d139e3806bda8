"""Keep tests and doctests apart from each other and from the user's folders, and choose the number of workers."""

import atexit
import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _temporary_user_folders(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        if os.name != "nt":
            patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
            patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
            patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _empty_sandbox_of_a_doctest(request):
    """Stop the sandbox that a doctest starts: two doctests of a process may create a table of the same name."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    from pandas_clicdata import session

    with session.preserve_default_session():
        yield
    sandbox, session._default.sandbox = session._default.sandbox, None
    if sandbox is not None:
        atexit.unregister(sandbox.stop)
        sandbox.stop()


def pytest_xdist_auto_num_workers():
    """Run two workers more than there are cores, because many tests wait for a server or a time-out."""
    return (os.cpu_count() or 1) + 2
