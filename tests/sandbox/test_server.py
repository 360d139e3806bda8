"""A sandbox starts, stops, is killed, serves many threads, and hides its secrets."""

import ast
import contextlib
import http.client
import logging
import socket
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import requests

import pandas_clicdata.sandbox
from pandas_clicdata.sandbox import Assumptions, Sandbox
from pandas_clicdata.sandbox.listener import CONNECTIONS

pytestmark = pytest.mark.sampled(1)

PAIR = [("k", "text"), ("n", "number")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"dialect": "latin"},
        {"dialect": None},
        {"host": "0.0.0.0"},
        {"host": "192.168.0.1"},
        {"host": "example.com"},
        {"host": ""},
        {"host": None},
        {"port": -1},
        {"port": 65536},
        {"port": "80"},
        {"port": True},
        {"page_size": 0},
        {"page_size": 1.5},
        {"token_seconds": 0},
        {"token_seconds": float("nan")},
        {"token_seconds": "1"},
        {"run_seconds": -1},
        {"run_seconds": float("nan")},
        {"run_seconds": float("inf")},
        {"run_seconds": "1"},
        {"run_seconds": None},
        {"run_seconds": True},
        {"client_id": ""},
        {"client_id": "a:b"},
        {"client_secret": 5},
        {"scopes": ["everything"]},
        {"scopes": "data_read"},
        {"assume": {"row_id": "id"}},
        {"data": ""},
        {"data": 5},
    ],
    ids=str,
)
def test_an_invalid_argument_is_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} "):
        Sandbox(**wrong)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_a_sandbox_listens_on_a_loopback_address(host):
    with Sandbox(host=host) as sb:
        assert requests.get(sb.url + "/account", proxies={"http": ""}, timeout=10).status_code == 401


def test_given_credentials_and_port_are_used():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Sandbox(port=port, client_id="me", client_secret="mine") as sb:
        assert (sb.port, sb.client_id, sb.client_secret) == (port, "me", "mine")


def test_start_and_stop_are_idempotent_and_leave_no_threads(recwarn):
    before = set(threading.enumerate())
    sb = Sandbox()
    sb.stop()
    for _ in range(3):
        assert sb.start() is sb
        assert sb.start() is sb
        url = sb.url
        with requests.Session() as http:
            http.trust_env = False
            http.get(url + "/account", timeout=10)
            sb.stop()
        sb.stop()
        assert set(threading.enumerate()) == before
        with pytest.raises(requests.ConnectionError):
            requests.get(url, proxies={"http": ""}, timeout=10)
    for name in (
        "url",
        "port",
        "client_id",
        "client_secret",
        "username",
        "password",
        "api_key",
        "control_key",
        "ledger",
        "sources",
    ):
        with pytest.raises(RuntimeError, match="not running"):
            getattr(sb, name)
    assert not recwarn.list


def test_secrets_are_in_no_repr_and_no_log(serve, caplog):
    caplog.set_level(logging.DEBUG)
    sb, call = serve(client_secret="the-secret")
    token = call.token().json()["access_token"]
    call("GET", "/account", headers={"CLICDATA-API-KEY": None, "Authorization": f"Bearer {token}"})
    call("GET", "/nowhere")
    shown = repr(sb) + repr(list(sb.requests)) + repr(vars(sb).get("_live")) + repr(sb.faults) + caplog.text
    for secret in (sb.client_secret, sb.password, sb.api_key, sb.control_key, token):
        assert secret not in shown


def test_a_sandbox_prints_nothing(serve, capfd):
    sb, call = serve()
    sb.faults.lose_reply()
    sb.faults.truncate_body()
    sb.faults.hang(seconds=0)
    for _ in range(4):
        try:
            call("GET", "/account")
        except requests.RequestException:
            continue
    with socket.create_connection(("127.0.0.1", sb.port)) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        raw.recv(100)
    sb.stop()
    assert capfd.readouterr() == ("", "")


@pytest.mark.inside("it breaks the sandbox's own store")
def test_a_failure_of_the_sandbox_itself_is_an_error_body_and_a_log_line(serve, caplog, monkeypatch):
    sb, call = serve()
    monkeypatch.setattr(type(sb.ledger._store), "tables", lambda self: 1 / 0)
    reply = call("GET", "/data")
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "SandboxFailure"
    assert [record.name for record in caplog.records] == ["pandas_clicdata.sandbox"]


def test_the_request_log_has_every_request(serve):
    sb, call = serve()
    table = call.make(columns=PAIR)
    call.insert(table, [{"n": 1}, {"n": 2}])
    call("GET", f"/data/{table}", params={"page": 1})
    call("POST", f"/data/{table}/rows", {"data": [["only one"]]})
    call("GET", "/n\u00f6where")
    create, insert, read, refused, unknown = sb.requests
    assert (create.method, create.path, create.operation, create.status) == ("POST", "/data", "create", 200)
    assert (insert.rows, insert.query, insert.fault) == (2, "api_version=2025.3", None)
    assert (read.number, read.query, read.rows) == (3, "page=1", 0)
    assert (refused.status, refused.rows) == (400, 1)
    assert (unknown.operation, unknown.path, unknown.status) == (None, "/n\u00f6where", 404)
    assert all(entry.seconds > 0 for entry in sb.requests)
    assert sb.requests.counts() == {"create": 1, "append": 2, "read": 1, None: 1}
    assert [entry.number for entry in sb.requests.of("append")] == [2, 4]
    sb.requests.clear()
    assert len(sb.requests) == 0
    call("GET", "/account")
    assert sb.requests[0].number == 6


def test_the_ledger_raises_lookuperror_for_an_unknown_table(sb, call):
    table = call.make(columns=PAIR)
    assert sb.ledger.tables() == {"T": table}
    assert sb.ledger.rows("T") == sb.ledger.rows(table) == []
    for wrong in ("t", 5, str(table)):
        with pytest.raises(LookupError, match="has no table"):
            sb.ledger.count(wrong)


def test_a_data_folder_keeps_everything(serve, tmp_path):
    folder = tmp_path / "deep" / "data"
    first, call = serve(data=folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in folder.iterdir())
    table = call.make(columns=PAIR)
    call.insert(table, [{"k": "a", "n": 1}, {"k": "b", "n": 2}])
    call("DELETE", f"/data/{table}/row", {"multiplerows": "all", "find": [{"column": "k", "value": "a"}]})
    token = call.token().json()["access_token"]
    kept = (first.client_id, first.client_secret, first.username, first.password, first.api_key)
    requests_so_far = len(first.requests)
    first.stop()
    second, call = serve(data=str(folder))
    assert (second.client_id, second.client_secret, second.username, second.password, second.api_key) == kept
    assert second.ledger.rows("T") == [{"k": "b", "n": 2}]
    assert [rows for _, rows in second.ledger.inserts("T")] == [[{"k": "a", "n": 1}, {"k": "b", "n": 2}]]
    headers = {"CLICDATA-API-KEY": None, "Authorization": f"Bearer {token}"}
    assert call("GET", "/data", headers=headers).json()["count"] == 1
    assert call("POST", "/data", {"name": "T", "columns": [{"name": "x", "data_type": "text"}]}).status_code == 409
    call.insert(table, [{"k": "c", "n": 3}])
    numbers = [number for number, _ in second.ledger.inserts("T")]
    assert len(set(numbers)) == 2
    assert requests_so_far == 4


def test_a_data_folder_is_refused_to_a_second_sandbox(serve, tmp_path):
    serve(data=tmp_path)
    with pytest.raises(ValueError, match="another sandbox may have it open"):
        Sandbox(data=tmp_path).start()


def test_a_file_that_is_not_a_database_is_refused(tmp_path):
    (tmp_path / "sandbox.sqlite").write_text("this is not a database, it only looks like a file" * 100)
    with pytest.raises(ValueError, match="cannot be used"):
        Sandbox(data=tmp_path).start()


SERVER = """
import sys
from pandas_clicdata.sandbox import Sandbox
sandbox = Sandbox(data=sys.argv[1]).start()
print(sandbox.url, sandbox.api_key, flush=True)
sys.stdin.read()
"""


def test_kill_9_loses_nothing_that_was_confirmed(serve, tmp_path):
    root = Path(pandas_clicdata.sandbox.__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        text=True,
    )
    confirmed = []
    with process:
        assert process.stdout is not None
        url, key = process.stdout.readline().split()
        http = requests.Session()
        http.trust_env = False
        http.headers["CLICDATA-API-KEY"] = key
        column = [{"name": "n", "data_type": "number"}]
        table = http.post(url + "/data", json={"name": "T", "columns": column}, timeout=10).json()
        enough = threading.Event()

        def insert():
            for start in range(0, 10**9, 50):
                rows = [[n] for n in range(start, start + 50)]
                try:
                    reply = http.post(f"{url}/data/{table}/rows", json={"data": rows}, timeout=10)
                except requests.RequestException:
                    return
                confirmed.append(reply.json()["success"])
                if len(confirmed) == 20:
                    enough.set()

        thread = threading.Thread(target=insert)
        thread.start()
        assert enough.wait(20)
        process.kill()
        thread.join()
        http.close()
    sb, call = serve(data=tmp_path)
    assert sb.api_key == key
    rows = [row["n"] for row in sb.ledger.rows("T")]
    assert rows == list(range(len(rows)))
    # The request under way may have been committed, as a whole, without its reply.
    assert len(rows) - 50 * len(confirmed) in (0, 50)
    assert call("GET", f"/data/{table}").json()["data"][0] == {"n": 0}
    call.numbers(table, 1, start=len(rows))
    assert sb.ledger.count("T") == len(rows) + 1


def test_many_threads_lose_no_row_and_no_request(serve):
    sb, call = serve(page_size=50)
    table = call.make(columns=PAIR)
    failures: list[str] = []

    def work(who):
        with requests.Session() as http:
            http.trust_env = False
            http.headers["CLICDATA-API-KEY"] = sb.api_key
            for n in range(10):
                body = {"data": [{"k": f"{who}/{n}", "n": i} for i in range(20)]}
                replies = [
                    http.post(f"{sb.url}/data/{table}/insert?api_version=2025.3", json=body, timeout=10),
                    http.get(f"{sb.url}/data/{table}", timeout=10),
                ]
                failures.extend(reply.text for reply in replies if reply.status_code != 200)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sb.requests.counts() == {"create": 1, "append": 100, "read": 100}
    assert len({entry.number for entry in sb.requests}) == 201
    inserts = sb.ledger.inserts(table)
    assert sorted(number for number, _ in inserts) == [entry.number for entry in sb.requests.of("append")]
    for _, rows in inserts:
        assert [row["n"] for row in rows] == list(range(20))
        assert len({row["k"] for row in rows}) == 1
    assert len({(row["k"], row["n"]) for row in sb.ledger.rows(table)}) == sb.ledger.count(table) == 2000
    versions = call("GET", f"/data/{table}/versions").json()["versions"]
    assert [entry["row_count"] for entry in versions] == list(range(0, 2001, 20))


def test_connect_passes_address_and_credentials_to_the_client(serve, monkeypatch):
    sb, _ = serve()
    monkeypatch.setattr(pandas_clicdata, "connect", lambda **parameters: parameters, raising=False)
    own = {"base_url": sb.url, "client_id": sb.client_id, "client_secret": sb.client_secret, "api_version": "auto"}
    assert sb.connect() == own
    assert sb.connect(client_id="other", api_version="2025.3") == {**own, "client_id": "other", "api_version": "2025.3"}


def test_the_sandbox_imports_only_connect_from_the_package():
    found = []
    for file in Path(pandas_clicdata.sandbox.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [
                (file.name, name)
                for name in names
                if name.startswith("pandas") and not name.startswith("pandas_clicdata.sandbox.")
            ]
    assert found == [("base.py", "pandas_clicdata.connect")]


def test_start_request_and_stop_raise_no_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Sandbox("versioned", assume=Assumptions(row_id="id")) as sb:
            requests.get(sb.url + "/account", proxies={"http": ""}, timeout=10)
    assert not caught


HOSTS = {
    "127.0.0.1": 200,
    "127.0.0.1:1": 200,
    "localhost": 200,
    "LOCALHOST:8484": 200,
    "[::1]:8484": 200,
    "evil.example": 421,
    "evil.example:8484": 421,
    "127.0.0.1.evil.example": 421,
    "localhost.evil.example": 421,
    "10.0.0.1": 421,
    "127.0.0.1, evil.example": 421,
    "[::1": 421,
    "": 421,
}


@pytest.mark.parametrize("host", HOSTS)
def test_only_names_of_this_machine_are_served(one_sandbox, host):
    port = int(one_sandbox.url.rpartition(":")[2])
    for path, status in (("/_sandbox/openapi.json", 200), ("/data", 401)):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        assert reply.status == (HOSTS[host] if HOSTS[host] != 200 else status)
        assert (b"serves only this machine" in body) == (HOSTS[host] == 421)


def test_slow_connections_do_not_lock_others_out(new_sandbox):
    resource = pytest.importorskip("resource")
    with new_sandbox() as sandbox, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        busy = stack.enter_context(contextlib.closing(http.client.HTTPConnection(*address)))
        busy.request("GET", "/data")
        assert busy.getresponse().read()
        number = min(1100, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - CONNECTIONS - 200)
        for _ in range(number):
            slow = stack.enter_context(socket.create_connection(address, timeout=60))
            slow.sendall(b"GET /data HTTP/1.1\r\nHost: local")
        other = stack.enter_context(contextlib.closing(http.client.HTTPConnection(*address, timeout=60)))
        other.request("GET", "/data")
        assert other.getresponse().status == 401
        # A connection that had a request stays open longer than those that had none.
        busy.request("GET", "/data")
        assert busy.getresponse().status == 401
