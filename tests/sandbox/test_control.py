"""The sandbox from another process: control API, `RemoteSandbox`, and the child process that ends with its parent."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest
import requests

import pandas_clicdata.sandbox
from pandas_clicdata.sandbox import Assumptions, RemoteSandbox, Sandbox, SandboxProcess
from pandas_clicdata.sandbox.control import OPERATIONS
from pandas_clicdata.sandbox.faults import KINDS
from pandas_clicdata.sandbox.listener import THREADS
from pandas_clicdata.sandbox.protocol import KEY_HEADER, PREFIX

pytestmark = pytest.mark.sampled(1)

PATHS = [(operation.method, operation.path) for _, operation in OPERATIONS]
PAIR = [("k", "text"), ("n", "number")]
# A value for each required option.
REQUIRED = {"code": 500, "seconds": 0.25, "rows": 2, "description": "Not now."}


def fault_of(kind):
    options = {name: REQUIRED[name] for name, option in KINDS[kind].items() if name in REQUIRED and option.default != 0}
    return {**options, **({"code": "Busy"} if kind == "error_200" else {})}


@pytest.fixture(scope="module")
def process():
    with SandboxProcess() as process:
        yield process


@pytest.fixture(params=["inside", "outside"])
def new_sandbox(request):
    """Sandboxes in this process and in a child process, also if the suite runs with only one kind."""
    return Sandbox if request.param == "inside" else request.getfixturevalue("process").sandbox


@pytest.fixture
def remote(sb):
    """Yield a `RemoteSandbox` for a sandbox in this process or in a child process."""
    return RemoteSandbox(sb.url, sb.control_key)


@pytest.fixture
def here():
    """Yield a sandbox in this process, and a `RemoteSandbox` for it."""
    with Sandbox() as sandbox:
        yield sandbox, RemoteSandbox(sandbox.url, sandbox.control_key)


@pytest.fixture
def ask(sb):
    """Send control requests as any program can."""
    with requests.Session() as http:
        http.trust_env = False

        def send(method, path, key=None, **options):
            headers = {KEY_HEADER: key or sb.control_key}
            return http.request(method, f"{sb.url}{PREFIX}{path}", headers=headers, timeout=10, **options)

        yield send


# the key


@pytest.mark.parametrize(("method", "path"), [*PATHS, ("GET", "nowhere")])
def test_every_control_path_is_refused_without_the_key(sb, call, method, path):
    sb.faults.status(500, operation="rebuild")
    call("GET", "/account")
    keys = [None, "", "x", sb.control_key[:-1], sb.control_key + "x", sb.api_key, sb.client_secret, "kéy".encode()]
    for key in keys:
        headers = {"CLICDATA-API-KEY": sb.api_key, KEY_HEADER: key}
        reply = call(method, f"{PREFIX}{path}", {"kind": "garbage"}, headers=headers)
        assert reply.status_code == 401
        assert reply.json().keys() == {"error"}
    assert len(sb.faults.pending) == 1
    assert len(sb.requests) == 1


def test_the_key_is_valid_for_control_paths_and_not_for_the_api(sb, call, ask):
    for method, path in PATHS:
        reply = ask(method, path)
        assert reply.status_code in (200, 400), path
        assert reply.headers["Content-Type"].startswith("application/json")
        assert reply.headers["Cache-Control"] == "no-store"
    signed = {"CLICDATA-API-KEY": None, KEY_HEADER: sb.control_key, "Authorization": f"Bearer {sb.control_key}"}
    assert call("GET", "/account", headers=signed).status_code == 401
    assert call("GET", "/account", headers={"CLICDATA-API-KEY": sb.control_key}).status_code == 401


def test_each_sandbox_has_its_own_key(new_sandbox):
    with new_sandbox() as one, new_sandbox() as two:
        assert one.control_key != two.control_key
        with pytest.raises(PermissionError, match="control key"):
            RemoteSandbox(two.url, one.control_key).faults.garbage()
        assert two.faults.pending == []


def test_a_data_folder_keeps_the_key(new_sandbox, tmp_path):
    keys = []
    for _ in range(2):
        with new_sandbox(data=tmp_path) as sandbox:
            keys.append(sandbox.control_key)
            # It is stored with the other credentials, readable only by the owner.
            assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert len(set(keys)) == 1


# separation from the API


@pytest.mark.parametrize("dialect", ["versioned", "unversioned"])
def test_control_requests_are_not_logged_and_have_no_faults(new_sandbox, dialect):
    with new_sandbox(dialect) as sandbox:
        remote = RemoteSandbox(sandbox.url, sandbox.control_key)
        remote.faults.lose_reply()
        remote.faults.status(500, times=3)
        assert remote.ledger.tables() == {}
        assert remote.username == sandbox.username
        assert [one["times"] for one in remote.faults.pending] == [1, 3]
        assert len(remote.requests) == len(sandbox.requests) == 0


@pytest.mark.parametrize("path", ["/_sandbox", "/_sandboxes/", "/x/_sandbox/"])
def test_paths_similar_to_control_paths_belong_to_the_api(sb, call, path):
    reply = call("GET", path, headers={KEY_HEADER: sb.control_key})
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "UnknownRoute")
    assert len(sb.requests) == 1


def test_control_requests_are_answered_while_all_threads_hang(remote, call):
    remote.faults.hang(times=THREADS)
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(call("GET", "/account").status_code)) for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    remote.faults.wait_held(THREADS)
    assert remote.faults.held == THREADS
    assert [entry.status for entry in remote.requests] == [None] * THREADS
    assert remote.faults.release() == THREADS
    for thread in threads:
        thread.join()
    assert statuses == [200] * THREADS


# faults


@pytest.mark.parametrize("kind", KINDS)
def test_remote_and_local_scripting_give_the_same_fault(here, kind):
    sandbox, remote = here
    options = {"operation": "append", "nth": 2, "times": 3, **fault_of(kind)}
    assert getattr(remote.faults, kind)(**options) == getattr(sandbox.faults, kind)(**options)
    assert remote.faults.script(kind, **options) == sandbox.faults.script(kind, **options)
    pending = sandbox.faults.pending
    assert len(pending) == 4
    assert all(one == pending[0] for one in pending)
    assert remote.faults.pending == pending
    remote.faults.clear()
    assert sandbox.faults.pending == remote.faults.pending == []


def test_a_remote_fault_fires_on_the_requests_it_names(remote, call):
    remote.faults.status(429, operation="account", nth=2, retry_after=3, body={"a": [1, "é"]})
    assert [call("GET", "/account").status_code for _ in range(3)] == [200, 429, 200]
    assert [entry.fault for entry in remote.requests] == [None, "status", None]
    assert remote.faults.pending == []


@pytest.mark.parametrize(
    "script",
    [
        {},
        {"kind": ["garbage"]},
        {"kind": "explode"},
        {"kind": "garbage", "operation": ["append"]},
        {"kind": "garbage", "nth": 1.0},
        {"kind": "garbage", "times": True},
        {"kind": "garbage", "self": 1},
        {"kind": "short_page"},
        [],
        None,
        "garbage",
        5,
    ],
    ids=str,
)
def test_an_invalid_fault_is_a_400(sb, ask, script):
    reply = ask("POST", "faults", json=script)
    assert reply.status_code == 400
    assert reply.json()["error"].endswith(".")
    assert sb.faults.pending == []


@pytest.mark.parametrize("kind", ["explode", "short_page"])
def test_an_invalid_fault_raises_the_same_message_locally_and_remotely(here, kind):
    messages = []
    for sandbox in here:
        with pytest.raises(ValueError) as caught:
            sandbox.faults.script(kind)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nowhere", 405),
        ("PUT", "faults", 405),
        ("GET", "ledger/rows", 400),
        ("GET", "ledger/rows?id=1&name=T", 400),
        ("GET", "ledger/rows?id=x", 400),
        ("GET", "ledger/rows?id=5", 404),
        ("GET", "ledger/count?name=5", 404),
        ("GET", "faults/held?count=x", 400),
        ("GET", "faults/held?seconds=-1", 400),
        ("GET", "faults/held?seconds=nan", 400),
        ("POST", "authorize", 400),
    ],
)
def test_an_invalid_control_request_is_refused_with_a_sentence(ask, method, path, status):
    reply = ask(method, path)
    assert reply.status_code == status
    assert isinstance(reply.json()["error"], str)


def test_a_control_body_that_is_not_json_is_a_400(ask):
    assert ask("POST", "faults", data=b"{").status_code == 400


def test_wait_held_returns_when_a_request_is_held(remote, call):
    remote.faults.late_commit(operation="account")

    def lose():
        with pytest.raises(requests.ConnectionError):
            call("GET", "/account")

    later = threading.Timer(0.05, lose)
    later.start()
    remote.faults.wait_held()
    assert remote.faults.held == 1
    later.join()
    assert remote.faults.release() == 1


def test_wait_held_raises_timeouterror_after_the_timeout(remote):
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"0 requests are held, not 2, after 0\.7 seconds"):
        remote.faults.wait_held(2, timeout=0.7)
    assert time.monotonic() - began >= 0.7


def test_wait_held_raises_when_the_sandbox_stops(here):
    sandbox, _ = here
    caught = []

    def wait():
        try:
            sandbox.faults.wait_held(timeout=60)
        except TimeoutError as exc:
            caught.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    sandbox.stop()
    thread.join(20)
    assert not thread.is_alive()
    # The wait may start only after the stop.
    assert len(caught) == 1


def test_tokens_expire_and_authorization_codes_are_granted_remotely(sb, remote, call):
    token = call.token().json()["access_token"]
    headers = {"CLICDATA-API-KEY": None, "Authorization": f"Bearer {token}"}
    assert call("GET", "/account", headers=headers).status_code == 200
    remote.faults.expire_tokens()
    assert call("GET", "/account", headers=headers).status_code == 401
    target = "http://127.0.0.1:1/back"
    code = remote.authorize(target, "data_read")
    reply = call.token(grant_type="authorization_code", code=code, redirect_uri=target)
    assert reply.json()["scope"] == "data_read"
    with pytest.raises(ValueError, match="nothing"):
        remote.authorize(target, "nothing")


# ledger and requests


def test_the_remote_ledger_has_every_digit_of_the_local_one(sb, remote, call):
    table = call.make("Tafel 'ü' & \N{SNOWMAN}", [*PAIR, ("p", "percentage"), ("c", "checkbox")])
    big = "123456789012345678901234567890.10"
    body = (
        f'{{"data": [{{"k": "\\u00e9\\n\\"", "n": {big}, "p": 0.10, "c": true}}, '
        f'{{"k": null, "n": {2**70}, "p": 1e-400, "c": null}}]}}'
    )
    call("POST", f"/data/{table}/insert", body, version="2025.3")
    call("DELETE", f"/data/{table}/row", {"multiplerows": "all", "find": [{"column": "n", "value": 2**70}]})
    full = [
        {"k": 'é\n"', "n": Decimal(big), "p": Decimal("0.10"), "c": True},
        {"k": None, "n": 2**70, "p": Decimal("1e-400"), "c": None},
    ]
    for ledger in (sb.ledger, remote.ledger):
        name = next(iter(ledger.tables()))
        assert ledger.tables() == {name: table}
        assert ledger.table_id(name) == ledger.table_id(table) == table
        for known in (name, table):
            assert ledger.count(known) == 1
            rows = ledger.rows(known)
            assert rows == full[:1]
            assert [str(rows[0][column]) for column in "np"] == [big, "0.10"]
            assert ledger.rows(known, 2) == full
            assert ledger.rows(known, 1) == []
            assert ledger.inserts(known) == [(2, full)]


def test_an_unknown_table_is_a_lookuperror(here):
    for sandbox in here:
        for wrong in ("t", 5):
            for method in ("table_id", "count", "rows", "inserts"):
                with pytest.raises(LookupError, match="has no table"):
                    getattr(sandbox.ledger, method)(wrong)


def test_an_unknown_version_is_a_lookuperror(sb, remote, call):
    call.make(columns=PAIR)
    for ledger in (sb.ledger, remote.ledger):
        with pytest.raises(LookupError, match="has no version 7"):
            ledger.rows("T", 7)


def test_the_remote_request_log_equals_the_local_one(sb, remote, call):
    table = call.make(columns=PAIR)
    call.insert(table, [{"n": 1}, {"n": 2}])
    remote.faults.lose_reply(operation="append")
    with pytest.raises(requests.ConnectionError):
        call("POST", f"/data/{table}/rows", {"data": [["a", 1]]})
    call("GET", "/nöwhere", params={"q": "é"})
    for log in (sb.requests, remote.requests):
        assert len(log) == 4
        assert [entry.operation for entry in log] == ["create", "append", "append", None]
        assert log.counts() == {"create": 1, "append": 2, None: 1}
        assert log.counts()["read"] == 0
        assert [(entry.rows, entry.status, entry.fault) for entry in log.of("append")] == [
            (2, 200, None),
            (1, None, "lose_reply"),
        ]
        assert (log[-1].path, log[-1].number) == ("/nöwhere", 4)
    assert list(remote.requests) == list(sb.requests)
    remote.requests.clear()
    assert len(sb.requests) == len(remote.requests) == 0
    call("GET", "/account")
    assert remote.requests[0].number == 5


# RemoteSandbox


def test_a_remote_sandbox_has_the_credentials(sb, remote, monkeypatch):
    monkeypatch.setattr(pandas_clicdata, "connect", lambda **parameters: parameters, raising=False)
    names = ("url", "port", "client_id", "client_secret", "username", "password", "api_key", "control_key")
    assert [getattr(remote, name) for name in names] == [getattr(sb, name) for name in names]
    assert remote.connect(api_version="2025.3") == sb.connect(api_version="2025.3")
    assert remote.connect()["client_secret"] == sb.client_secret


def test_a_remote_sandbox_reads_url_and_key_from_the_environment(sb, monkeypatch):
    monkeypatch.setenv("CLICDATA_BASE_URL", f" {sb.url}/\n")
    monkeypatch.setenv("CLICDATA_SANDBOX_KEY", f"{sb.control_key}\r\n")
    assert RemoteSandbox().url == sb.url
    assert RemoteSandbox().api_key == sb.api_key


@pytest.mark.parametrize(
    "url", ["https://api.clicdata.com", "http://192.168.0.1:8484", "http://localhost.example:1", "127.0.0.1:8484", ""]
)
def test_a_url_of_another_machine_is_refused(url):
    with pytest.raises(ValueError, match=r"^url "):
        RemoteSandbox(url, "canary")


@pytest.mark.parametrize("key", ["", "ké", "a\r\nb"])
def test_an_invalid_key_is_refused(key, monkeypatch):
    monkeypatch.delenv("CLICDATA_SANDBOX_KEY", raising=False)
    with pytest.raises(ValueError, match=r"^control_key "):
        RemoteSandbox("http://127.0.0.1:1", key)


def test_the_key_is_in_no_traceback_and_no_repr(http_service):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        unused_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with http_service(lambda request: None) as silent:
        for url, kind in [(unused_url, ConnectionError), (silent, ConnectionError), ("http://example.com", ValueError)]:
            with pytest.raises(kind) as caught:
                RemoteSandbox(url, "can" + "ary").faults.clear()
            shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            # The frame of this test shows the key itself.
            assert "canary" not in "".join(shown.format()).replace('"can" + "ary"', "")
    handle = RemoteSandbox(unused_url, "canary")
    assert "canary" not in repr(handle) + repr(vars(handle))


@pytest.mark.parametrize("answer", [(200, {}, b"<html>"), (404, {}, b"{}"), (500, {}, b'{"error": {"code": 1}}')])
def test_a_server_that_is_not_a_sandbox_raises_runtimeerror(http_service, answer):
    with http_service(lambda request: answer) as url, pytest.raises(RuntimeError, match="not a sandbox that can be"):
        RemoteSandbox(url, "key").faults.clear()


# the process


def test_one_process_runs_several_sandboxes(process):
    assume = Assumptions(created_as="object", row_id="rec_id")
    with (
        process.sandbox("versioned", page_size=3, assume=assume, scopes=["data_read"]) as one,
        process.sandbox() as two,
    ):
        assert one.assume == assume
        assert asdict(two.assume) == asdict(Assumptions())
        assert one.url != two.url
        one.faults.garbage()
        assert two.faults.pending == []
        reply = requests.post(
            f"{one.url}/oauth20/token",
            {"grant_type": "client_credentials", "client_id": one.client_id, "client_secret": one.client_secret},
            proxies={"http": ""},
            timeout=10,
        )
        assert reply.text.startswith("<html>")
        assert len(one.requests) == 1
        assert len(two.requests) == 0


@pytest.mark.parametrize(
    "wrong", [{"dialect": "latin"}, {"page_size": 0}, {"scopes": "data_read"}, {"assume": {}}, {"data": 5}], ids=str
)
def test_invalid_options_are_refused_before_the_start(process, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} "):
        process.sandbox(**wrong)


def test_errors_of_a_start_in_the_child_are_raised_in_the_parent(process, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="ddress"):
            process.sandbox(port=taken.getsockname()[1]).start()
    with process.sandbox(data=tmp_path), pytest.raises(ValueError, match="another sandbox may have it open"):
        process.sandbox(data=tmp_path).start()
    with process.sandbox() as sandbox:
        assert sandbox.ledger.tables() == {}


@pytest.mark.slow
def test_a_process_can_be_started_and_stopped_repeatedly(recwarn):
    process = SandboxProcess()
    sandbox = process.sandbox()
    process.stop()
    with pytest.raises(RuntimeError, match="not running"):
        sandbox.start()
    for _ in range(2):
        assert process.start() is process.start() is process
        # Ctrl-C in a terminal goes to the process group, and must not reach the child.
        assert os.getpgid(process.pid) != os.getpgid(0)
        assert new_sandbox_is_empty(process)
        pid = process.pid
        process.stop()
        process.stop()
        assert has_ended(pid)
        assert "stopped" in repr(process)
    assert not recwarn.list


def new_sandbox_is_empty(process):
    with process.sandbox() as sandbox:
        return sandbox.ledger.tables() == {}


def start_for_ever(process):
    while True:
        process.sandbox().start()


def test_a_killed_process_raises_runtimeerror():
    with SandboxProcess() as process, process.sandbox() as sandbox:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="has ended by itself"):
            start_for_ever(process)
        with pytest.raises(ConnectionError):
            sandbox.ledger.tables()


def has_ended(pid):
    try:
        os.kill(pid, 0)
        # A zombie has ended, although its status was not read yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


PARENT = """
import sys
from pandas_clicdata.sandbox import SandboxProcess
process = SandboxProcess().start()
sandbox = process.sandbox(data=sys.argv[1]).start()
print(process.pid, sandbox.url, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["kill -9", pytest.param("exit", marks=pytest.mark.slow)])
def test_the_process_ends_with_its_parent(tmp_path, end):
    root = Path(pandas_clicdata.sandbox.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PARENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        pid, url = parent.stdout.readline().split()
        assert requests.get(url + "/account", proxies={"http": ""}, timeout=10).status_code == 401
        assert not has_ended(int(pid))
        if end == "kill -9":
            parent.kill()
        else:
            parent.stdin.close()
        parent.wait(20)
    limit = time.monotonic() + 20
    while not has_ended(int(pid)):
        assert time.monotonic() < limit
    with pytest.raises(requests.ConnectionError):
        requests.get(url, proxies={"http": ""}, timeout=10)
    # The data folder is free for the next sandbox.
    with Sandbox(data=tmp_path) as sandbox:
        assert sandbox.ledger.tables() == {}


def test_an_invalid_order_gets_an_error_and_the_next_order_is_executed():
    orders = [
        "nonsense",
        "5",
        '{"order": 3, "start": 9}',
        '{"order": 4, "make": {"colour": 1}}',
        '{"order": 5, "make": {}}',
    ]
    result = subprocess.run(
        [sys.executable, "-m", "pandas_clicdata", "sandbox", "--piped"],
        input="\n".join(orders),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    replies = [json.loads(line) for line in result.stdout.splitlines()]
    assert [reply["order"] for reply in replies] == [None, None, 3, 4, 5]
    assert ["error" in reply for reply in replies] == [True, True, True, True, False]
    assert replies[-1]["number"] == 0
    assert result.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of a process in /proc")
def test_a_process_does_not_get_the_settings_of_the_users_account(monkeypatch):
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", "hush")
    with SandboxProcess() as process, process.sandbox():
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    assert [each for each in environment if each.startswith(b"CLICDATA_")] == []
    assert any(each.startswith(b"PATH=") for each in environment)
