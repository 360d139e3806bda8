"""The account of the contract suite: a sandbox in each dialect, or a live account; and the requests that leave for it.

``CLICDATA_LIVE=1`` runs the suite on the account of the environment or the profile, ``CLICDATA_LIVE=list`` on a sandbox
to list the requests.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

import pandas_clicdata as cd
from conftest import signed_in

# Its assertions are those of the tests.
pytest.register_assert_rewrite("contract.switch_operations")

LIVE = os.environ.get("CLICDATA_LIVE", "0")
MAX_REQUESTS = 300
"""The largest number of requests of one run, without those for more pages of a long list of tables."""

# Read at import, before the tests get a state folder of their own.
_STATE_FOLDER = os.environ.get("XDG_STATE_HOME")
_RUNS = pytest.StashKey["list[Wire]"]()


def pytest_configure(config: pytest.Config) -> None:
    if LIVE not in ("0", "1", "list"):
        raise pytest.UsageError(f"CLICDATA_LIVE is {LIVE!r}; it takes '0', '1' or 'list'.")
    config.addinivalue_line("markers", "promise(page, sentence): checks what this sentence of the docs says")
    config.stash[_RUNS] = []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Use no workers for a run that is counted and listed as a whole."""
    return None if LIVE == "0" else 0


@dataclass
class Wire:
    """The requests that left this process for one account.

    Attributes
    ----------
    dialect : str
        The dialect of the account, or "live".
    sent : list of tuple
        Method, path with query, and size of the body of each request.
    is_cut : callable, optional
        Says for a request whether its connection cannot be made.
    """

    dialect: str
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    is_cut: Callable[[str, str], bool] | None = None

    def begin(self, request: requests.PreparedRequest) -> None:
        """Count a request; raise the error of a connection that cannot be made."""
        method, parts = str(request.method), urlsplit(str(request.url))
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if self.is_cut is not None and self.is_cut(method, path):
            raise requests.ConnectTimeout(urllib3.exceptions.ConnectTimeoutError("the test cuts the connection"))
        self.sent.append((method, path, len(request.body or b"")))

    @property
    def counted(self) -> int:
        """The number of requests, without those for the second and later pages of a list of tables."""
        return sum(not (path.startswith("/table?") and "page=1&" not in f"{path}&") for _, path, _ in self.sent)


@pytest.fixture(scope="module", params=["live"] if LIVE == "1" else ["versioned", "unversioned"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Record what leaves for the account."""
    if LIVE != "0" and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("The tests of a live account run in one process: leave out -n, or pass -n0.")
    wire = Wire(request.param)
    request.config.stash[_RUNS].append(wire)
    original = requests.adapters.HTTPAdapter.send

    def send(adapter: requests.adapters.HTTPAdapter, prepared: requests.PreparedRequest, **options: Any) -> Any:
        wire.begin(prepared)
        return original(adapter, prepared, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", send)
        yield wire
    assert wire.counted <= MAX_REQUESTS


@pytest.fixture(scope="module")
def open_account(wire: Wire, new_sandbox: Callable[..., Any]) -> Iterator[Callable[..., cd.Session]]:
    """Return a function that opens a session of the account."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        sandbox = None if wire.dialect == "live" else stack.enter_context(new_sandbox(wire.dialect))

        def open_one(**options: Any) -> cd.Session:
            # As for a live account, the dialect is not given.
            session: cd.Session = cd.Session(**options) if sandbox is None else signed_in(sandbox, **options)
            return stack.enter_context(session)

        # The same rows are sent in each run, so no run may remember them.
        patch.setenv("CLICDATA_JOURNAL", "0")
        if sandbox is None and os.name != "nt":
            # A new refresh token must not be lost with the folder of the tests.
            if _STATE_FOLDER is None:
                patch.delenv("XDG_STATE_HOME", raising=False)
            else:
                patch.setenv("XDG_STATE_HOME", _STATE_FOLDER)
        yield open_one


@pytest.fixture(scope="module")
def account(open_account: Callable[..., cd.Session]) -> cd.Session:
    """Return a session of the account."""
    return open_account()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the requests of a run that lists them, and the number of requests of a live run."""
    if LIVE == "0":
        return
    for wire in config.stash[_RUNS]:
        terminalreporter.section(f"{len(wire.sent)} requests, {wire.dialect}")
        if LIVE == "list":
            for method, path, size in wire.sent:
                terminalreporter.line(f"{method:6} {path}  ({size:,} bytes)")
        lines = Counter(method for method, _, _ in wire.sent)
        terminalreporter.line(", ".join(f"{count} {method}" for method, count in lines.items()))
