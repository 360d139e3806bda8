"""Shared fixtures: a sandbox for each module, and a session in each dialect.

``CLICDATA_TEST_SANDBOX=outside`` runs the suite against sandboxes in other processes, one process per worker.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import re
import tempfile
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pairwise import pairwise_sample

from pandas_clicdata import RetryPolicy, Session
from pandas_clicdata.sandbox import Assumptions, Sandbox, SandboxProcess
from pandas_clicdata.sandbox.assumptions import CHOICES
from pandas_clicdata.session import preserve_default_session


def chosen(choices):
    """Return the choices of switches that a text has, as in ``"row_id=id insert_counts=False"``."""
    pairs = dict(pair.split("=") for pair in choices.split())
    return {switch: {str(choice): choice for choice in CHOICES[switch]}[text] for switch, text in pairs.items()}


# Read at import, because tests remove variables from the environment.
SANDBOX_PLACE = os.environ.get("CLICDATA_TEST_SANDBOX", "inside")
DIALECTS = ("2025.3", "unversioned")
_CALLS_PER_SANDBOX = 120
# A client that sends a value in a wrong JSON type is noticed only by a sandbox that does not convert it.
# ``CLICDATA_TEST_ASSUME="row_id=id insert_counts=False"`` runs tests with other choices. Some of them must fail then:
# those that check what the sandbox does by default.
ASSUME = Assumptions(**{"value_conversion": "strict", **chosen(os.environ.get("CLICDATA_TEST_ASSUME", ""))})
QUICK = RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)


# What is true of the sandbox. A session that knows it has nothing to find out, so its requests are those of
# the test.
KNOWN = {name: getattr(ASSUME, name) for name in ("update_key", "find_text", "find_numbers", "find_datetimes")}
_profiles = tempfile.TemporaryDirectory()


def service_profile(base_url, **facts):
    """Write a service profile with these facts, and return its path."""
    at = datetime.now(UTC).isoformat()
    content = {
        "service_profile": 1,
        "base_url": base_url,
        "facts": {name: {"found": value, "at": at} for name, value in facts.items()},
    }
    path = Path(_profiles.name) / f"{uuid.uuid4()}.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def signed_in(sandbox, api_version="auto", **options):
    """Open a session that is not the default session. Unless the options say otherwise, it knows the service."""
    if "service_profile" not in options:
        options["service_profile"] = service_profile(sandbox.url, **KNOWN)
    return Session(
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        base_url=sandbox.url,
        api_version=api_version,
        **options,
    )


def pytest_configure(config):
    if SANDBOX_PLACE not in ("inside", "outside"):
        raise pytest.UsageError(f"CLICDATA_TEST_SANDBOX is {SANDBOX_PLACE!r}; it takes 'inside' or 'outside'.")
    config.addinivalue_line(
        "markers", "sampled(strength=2): runs a pairwise sample of its parameters; the other cases are slow"
    )
    config.addinivalue_line("markers", "inside(reason): needs the sandbox in the process of the test")
    config.addinivalue_line(
        "markers",
        "operation(*lines, dialect=None): requests these operations from the shared sandbox, in this dialect only",
    )


def pytest_terminal_summary(terminalreporter):
    """Print how many operations ran on how many combinations of the sandbox's switches, and how they ended."""
    ended = [
        (outcome, value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call"
        for name, value in report.user_properties
        if name == "switches"
    ]
    if not ended:
        return
    places, operations = ({value[key] for _, value in ended} for key in ("place", "operation"))
    failed = sum(outcome == "failed" for outcome, _ in ended)
    errors = sum(bool(value["errors"]) for _, value in ended)
    lost = sum(bool(value["losses"]) for _, value in ended)
    terminalreporter.section("switches of the sandbox")
    terminalreporter.line(
        f"{len(places)} combinations x {len(operations)} operations, {len(ended)} cases: {failed} failures."
        f" {errors} cases have an error of the client, {lost} an unverified receipt of rows that are not in the table."
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    mark_unsampled_cases_slow(items)
    if SANDBOX_PLACE == "outside":
        for item in items:
            for mark in item.iter_markers("inside"):
                item.add_marker(pytest.mark.skip(reason=f"inside only: {mark.args[0]}"))


def mark_unsampled_cases_slow(items):
    """Mark as slow the cases of a test marked ``sampled`` that its sample of parameters leaves out."""
    sampled = collections.defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("slow") and hasattr(item, "callspec"):
            sampled[item.parent, item.originalname].append(item)
    for cases in sampled.values():
        strength = cases[0].get_closest_marker("sampled").args
        chosen = set(pairwise_sample([parameters_of(item) for item in cases], *strength))
        for position, item in enumerate(cases):
            if position not in chosen:
                item.add_marker("slow")


def parameters_of(item):
    """Return the parameters of a case as parameter → value; the fields of a dataclass are parameters, too."""
    parameters: dict[str, Any] = {}
    for name, value in item.callspec.params.items():
        if dataclasses.is_dataclass(value):
            parameters |= {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        else:
            parameters[name] = value
    return {
        # Any other object may be unhashable. The cases of a test share it, so its identity stands for it.
        name: value if isinstance(value, str | int | float | None) else id(value)
        for name, value in parameters.items()
    }


@pytest.fixture(autouse=True, scope="session")
def _cache_fingerprints():
    """Derive the fingerprint of each key once: it is slow by design, and many tests have the same key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "pbkdf2_hmac", functools.cache(hashlib.pbkdf2_hmac))
        yield


@pytest.fixture(scope="session")
def new_sandbox():
    """Yield a function with the parameters of `Sandbox`, whose sandboxes run in this process or in another."""
    if SANDBOX_PLACE == "inside":
        yield Sandbox
    else:
        with SandboxProcess() as process:
            yield process.sandbox


@pytest.fixture(scope="module")
def one_sandbox(new_sandbox):
    """Start a sandbox for the tests of a module, which use new table names.

    A sandbox for all modules would have thousands of tables, and each push lists them all.
    """
    with new_sandbox(assume=ASSUME) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sessions(one_sandbox):
    opened = {version: signed_in(one_sandbox, version) for version in DIALECTS}
    yield opened
    for session in opened.values():
        session.close()


@pytest.fixture
def accounts(new_sandbox):
    """Return a function that takes options of a sandbox and returns a sandbox and a session in each dialect.

    They are replaced after some calls, because each push lists all tables.
    """
    opened = contextlib.ExitStack()
    current, calls = None, 0

    def account(**options):
        nonlocal current, calls
        if calls % _CALLS_PER_SANDBOX == 0:
            opened.close()
            sandbox = opened.enter_context(new_sandbox(**{"assume": ASSUME, **options}))
            current = sandbox, {version: opened.enter_context(signed_in(sandbox, version)) for version in DIALECTS}
        calls += 1
        return current

    with opened:
        yield account


@pytest.fixture(params=DIALECTS)
def session(request, sessions):
    """Return a session on the module's sandbox, in each dialect."""
    return sessions[request.param]


@pytest.fixture
def name():
    """Return a name that no table has."""
    return f"T {uuid.uuid4()}"


@pytest.fixture
def open_session():
    """Return a function that opens sessions that retry without waiting; they end with the test."""
    with contextlib.ExitStack() as stack:

        def open_one(sandbox, api_version="2025.3", **options):
            return stack.enter_context(signed_in(sandbox, api_version, **{"retry": QUICK, **options}))

        yield open_one


@pytest.fixture(scope="module")
def running(new_sandbox):
    """Start a sandbox for the tests of a module that script faults."""
    with new_sandbox(assume=ASSUME) as sandbox:
        yield sandbox


@pytest.fixture
def filled(running, name, open_session):
    """Return a function that pushes a frame and returns the sandbox, with an empty request log, and a new session."""

    def make(api_version, frame, **options):
        session = open_session(running, api_version, **options)
        frame.clicdata.push(name, session=session)
        running.requests.clear()
        return running, session

    yield make
    running.faults.clear()
    running.faults.release()


@pytest.fixture
def serve(new_sandbox, open_session):
    """Return a function that starts a sandbox and opens a session on it; both end with the test."""
    with contextlib.ExitStack() as stack:

        def start(api_version="2025.3", *, session=None, **options):
            sandbox = stack.enter_context(new_sandbox(**{"assume": ASSUME, **options}))
            return sandbox, open_session(sandbox, api_version, **(session or {}))

        yield start


class _Request:
    """A request as it was received."""

    def __init__(self, method, target, headers, body, client):
        self.method, self.target, self.headers, self.body, self.client = method, target, headers, body, client
        parts = urlsplit(target)
        self.path, self.query = parts.path, dict(parse_qsl(parts.query))


class _QuietServer(ThreadingHTTPServer):
    """A server that prints nothing when a client closes a connection."""

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def http_service():
    """Return a context manager that runs an HTTP service; ``answer`` is a function from a request to a reply.

    A reply is (status, headers, body), raw bytes, or None to close the connection without a reply.
    """

    @contextlib.contextmanager
    def run(answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = answer(_Request(self.command, self.path, self.headers, body, self.client_address))
                if isinstance(reply, tuple):
                    status, headers, content = reply
                    lines = [f"HTTP/1.1 {status} Reason", *(f"{key}: {value}" for key, value in headers.items())]
                    lines += [] if "Content-Length" in headers else [f"Content-Length: {len(content)}"]
                    reply = "\r\n".join([*lines, "", ""]).encode("latin-1") + content
                else:
                    self.close_connection = True
                self.wfile.write(reply or b"")

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = handle_any  # noqa: N815

            def log_message(self, *args):
                pass

        server = _QuietServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    return run


@pytest.fixture(scope="session")
def generate():
    """Import the script that generates the tables in the docs."""
    spec = importlib.util.spec_from_file_location("generate", Path(__file__).parent.parent / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """Remove the credentials from the environment, use empty user folders, and restore the default session."""
    for variable in [each for each in os.environ if each.startswith("CLICDATA_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with preserve_default_session():
        yield


def _line(entry):
    """Return a request as the table of operations writes it."""
    path = re.sub(r"(?<=/v)/\d+", "/{ver}", entry.path)
    return f"{entry.method} {re.sub(r'/[0-9]+(?=/|$)', '/{id}', path)}"


@pytest.fixture(autouse=True)
def _check_operation_marks(request):
    """Check that a test with the mark ``operation`` requests the operations, in its dialect, and that they succeed."""
    dialect = getattr(request.node, "callspec", None) and request.node.callspec.params.get("session")
    lines = {
        line
        for mark in request.node.iter_markers("operation")
        if mark.kwargs.get("dialect") in (None, dialect) or dialect is None
        for line in mark.args
    }
    if not lines:
        yield
        return
    log = request.getfixturevalue("one_sandbox").requests
    before = max((entry.number for entry in log), default=0)
    yield
    requested = {_line(entry) for entry in log if entry.number > before and entry.status in (200, 302)}
    assert lines <= requested, f"never requested, or refused: {', '.join(sorted(lines - requested))}"
