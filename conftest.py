"""Keep the files that tests and doctests write out of the user's folders."""

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _temporary_user_folders(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        if os.name != "nt":
            patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
            patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
