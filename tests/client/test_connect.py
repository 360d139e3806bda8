"""``connect`` checks the credentials: at once in a notebook, and elsewhere with ``check=True``."""

import queue
import tempfile
import warnings

import pytest
from jupyter_client.manager import KernelManager

import pandas_clicdata as cd
from pandas_clicdata.session import preserve_default_session

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

REFUSED = {"error": "invalid_client"}
BACK = "http://127.0.0.1:9/back"
HTML = "<html>Forbidden</html>"


class Kernel:
    """A kernel of IPython, in which pandas_clicdata is imported as ``cd``."""

    def __init__(self, manager, client):
        self._manager, self._client = manager, client

    def run(self, code):
        """Run a cell, and return its last value or error, and what it wrote to standard error."""
        value, stderr = None, ""
        message_id = self._client.execute(code)
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=60)
            except queue.Empty:
                raise AssertionError(f"The cell does not end: {code}") from None
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "execute_result":
                    value = content["data"]["text/plain"]
                case "error":
                    value = f"{content['ename']}: {content['evalue']}"
                case "stream" if content["name"] == "stderr":
                    stderr += content["text"]
                case "status" if content["execution_state"] == "idle":
                    return value, stderr


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as sockets:
        for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(folder))
        patch.setenv("JUPYTER_RUNTIME_DIR", sockets)
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        manager = KernelManager(transport="ipc", ip=f"{sockets}/kernel")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            one = Kernel(manager, client)
            assert one.run("import pandas_clicdata as cd") == (None, "")
            yield one
        finally:
            client.stop_channels()
            manager.shutdown_kernel()


@pytest.fixture
def service(serve):
    sandbox, _ = serve()
    yield sandbox
    sandbox.faults.clear()
    sandbox.faults.release()


def connecting(sandbox, **options):
    """Return the code that connects to the sandbox."""
    parameters = {
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "base_url": sandbox.url,
        **options,
    }
    return f"session = cd.connect(**{parameters!r})"


def test_a_notebook_signs_in_at_once(kernel, service):
    assert kernel.run(connecting(service)) == (None, "")
    assert service.requests.counts() == {"token": 1}
    assert kernel.run("session.whoami().name") == ("'Sandbox'", "")
    assert service.requests.counts()["token"] == 1


def test_a_notebook_that_is_told_not_to_check_sends_nothing(kernel, service):
    assert kernel.run(connecting(service, client_secret="wrong", check=False)) == (None, "")
    assert not len(service.requests)


def test_a_notebook_sends_nothing_if_no_token_is_needed(kernel, service):
    assert kernel.run(f"cd.connect(api_key='wrong', base_url={service.url!r}).auth_method") == ("'api_key'", "")
    assert not len(service.requests)


@pytest.mark.parametrize("status", [400, 401])
def test_a_notebook_shows_a_refusal_and_keeps_the_default_session(kernel, service, status):
    before = f"before = {connecting(service)[10:]}"
    kernel.run(before)
    service.faults.status(status, body=REFUSED, operation="token")
    value, stderr = kernel.run(connecting(service))
    assert value.startswith("AuthenticationError: ClicData issued no token: invalid_client")
    assert stderr == ""
    assert kernel.run("cd.SessionManager.get_session() is before") == ("True", "")


def test_a_notebook_shows_that_no_user_has_signed_in(kernel, service, tmp_path):
    code = connecting(service, auth_method="authorization_code", token_file=str(tmp_path / "tokens.json"))
    assert kernel.run(code)[0].startswith("NoCredentialsError: There is no sign-in yet")
    assert not len(service.requests)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"code": 403, "body": HTML}, "HTTP 403"),
        ({"code": 403, "body": {"error": "access_denied"}}, "access_denied"),
        ({"code": 404, "body": HTML}, "HTTP 404"),
        ({"code": 500, "times": 2}, "HTTP 500"),
        ({"code": 429, "retry_after": 60}, "HTTP 429"),
    ],
    ids=lambda value: str(value.get("code")) if isinstance(value, dict) else "",
)
def test_a_notebook_notes_what_does_not_refuse_the_credentials(kernel, service, fault, reason):
    service.faults.status(operation="token", **fault)
    value, stderr = kernel.run(connecting(service))
    assert value is None
    check_note(stderr, reason, service)
    assert kernel.run("session.whoami().name") == ("'Sandbox'", "")


def test_a_notebook_notes_that_there_is_no_network(kernel, service):
    value, stderr = kernel.run(connecting(service, base_url="http://127.0.0.1:1"))
    assert value is None
    check_note(stderr, "no connection could be made", service)


def check_note(stderr, reason, sandbox):
    """Check that standard error holds one line, which states the reason and no line of code."""
    assert len(stderr.splitlines()) == 1, stderr
    assert "NotCheckedWarning: The credentials are not checked yet; the first request signs in." in stderr
    assert reason in stderr
    assert sandbox.client_secret not in stderr


@pytest.mark.parametrize("seconds", [0.2, pytest.param(None, marks=pytest.mark.slow)])
def test_a_notebook_does_not_wait_for_a_reply_that_takes_long(kernel, service, seconds):
    if seconds is not None:
        kernel.run(f"cd.session._CHECK_SECONDS, before = {seconds}, cd.session._CHECK_SECONDS")
    service.faults.hang(operation="token")
    try:
        value, stderr = kernel.run(f"{connecting(service)[:-1]}, retry=cd.RetryPolicy(attempts=1))")
        assert service.faults.held == 1, "the cell ends before the reply"
        assert value is None
        check_note(stderr, "came ", service)
        # The first reply is still not there, and another connection gets the token.
        assert kernel.run("session.whoami().name") == ("'Sandbox'", "")
        assert service.faults.held == 1
    finally:
        if seconds is not None:
            kernel.run("cd.session._CHECK_SECONDS = before")


def test_a_code_is_not_lost_if_its_reply_takes_long(kernel, service, tmp_path):
    kernel.run("cd.session._CHECK_SECONDS, before = 0.2, cd.session._CHECK_SECONDS")
    service.faults.hang(operation="token", after_commit=True)
    try:
        options = {"code": service.authorize(BACK), "redirect_uri": BACK, "token_file": str(tmp_path / "tokens.json")}
        _, stderr = kernel.run(connecting(service, **options))
        check_note(stderr, "within 0.2 seconds", service)
        service.faults.release()
        assert kernel.run("session.whoami().name") == ("'Sandbox'", "")
        assert service.requests.counts()["token"] == 1
    finally:
        kernel.run("cd.session._CHECK_SECONDS = before")


NO_THREADS = """
import threading
def refuse(thread):
    raise RuntimeError("can't start new thread")
start, threading.Thread.start = threading.Thread.start, refuse
try:
    {connecting}
finally:
    threading.Thread.start = start
"""


def test_a_notebook_without_threads_checks_nothing(kernel, service):
    value, stderr = kernel.run(NO_THREADS.format(connecting=connecting(service)))
    assert value is None
    check_note(stderr, "no thread can be started", service)
    assert kernel.run("session.whoami().name") == ("'Sandbox'", "")


# outside of a notebook


@pytest.fixture
def connect(service, no_settings):
    """Return a function that connects to the sandbox with the method; the sessions end with the test."""
    opened = []

    def run(method="client_credentials", **options):
        parameters = {
            "client_credentials": {"client_id": service.client_id, "client_secret": service.client_secret},
            "api_key": {"api_key": service.api_key},
        }[method]
        retry = cd.RetryPolicy(attempts=1)
        opened.append(cd.connect(**{**parameters, "base_url": service.url, "retry": retry, **options}))
        return opened[-1]

    with preserve_default_session():
        yield run
    for session in opened:
        session.close()


@pytest.mark.parametrize("check", [None, False])
@pytest.mark.parametrize("method", ["client_credentials", "api_key"])
def test_nothing_is_sent_outside_of_a_notebook(connect, service, method, check):
    connect(method, check=check)
    assert not len(service.requests)


@pytest.mark.parametrize(("method", "operation"), [("client_credentials", "token"), ("api_key", "account")])
def test_credentials_are_checked_on_request(connect, service, method, operation):
    session = connect(method, check=True)
    assert set(service.requests.counts()) == {operation}
    assert cd.SessionManager.get_session() is session


@pytest.mark.parametrize(
    ("method", "wrong"), [("client_credentials", {"client_secret": "wrong"}), ("api_key", {"api_key": "wrong"})]
)
def test_wrong_credentials_raise_on_request(connect, method, wrong):
    before = connect(method)
    with pytest.raises(cd.AuthenticationError):
        connect(method, check=True, **wrong)
    assert cd.SessionManager.get_session() is before


@pytest.mark.parametrize("method", ["client_credentials", "api_key"])
def test_a_check_on_request_raises_all_failures(connect, service, method):
    for fault in (service.faults.lose_reply, lambda: service.faults.status(500)):
        fault()
        with pytest.raises(cd.ClicDataError):
            connect(method, check=True, api_version="2025.3")
    service.faults.hang()
    with pytest.raises(cd.RequestTimeoutError):
        connect(method, check=True, api_version="2025.3", timeout=(10, 0.1))


def test_a_key_that_may_not_read_the_account_cannot_be_checked(connect, service):
    service.faults.status(403, operation="account")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = connect("api_key", check=True, api_version="2025.3")
    assert [each.category for each in caught] == [cd.NotCheckedWarning]
    assert session.whoami().name == "Sandbox"


@pytest.mark.parametrize("check", ["yes", 1, [True]])
def test_another_check_is_refused(connect, check):
    with pytest.raises(TypeError, match="check= must be True, False or None"):
        connect(check=check)
