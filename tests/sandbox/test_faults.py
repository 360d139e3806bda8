"""Every kind of fault, as a client and the ledger see it."""

import http.client
import threading
import time

import pytest
import requests

pytestmark = pytest.mark.sampled(1)

ROW = {"data": [{"n": 1}, {"n": 2}, {"n": 3}]}


@pytest.fixture
def table(call):
    return call.make(columns=[("n", "number")])


@pytest.fixture
def append(call, table):
    return lambda **options: call("POST", f"/data/{table}/insert", ROW, version="2025.3", **options)


def lost(send):
    with pytest.raises(requests.ConnectionError) as caught:
        send()
    return "without response" in str(caught.value)


@pytest.mark.parametrize("after", [True, False])
def test_lose_reply_closes_the_connection_after_or_instead_of_the_commit(sb, table, append, after):
    sb.faults.lose_reply(operation="append", after_commit=after)
    assert lost(append)
    assert sb.ledger.count(table) == (3 if after else 0)
    entry = sb.requests[-1]
    assert (entry.status, entry.fault, entry.rows) == (None, "lose_reply", 3)
    assert append().status_code == 200


def test_lose_reply_sends_no_byte(sb, table):
    sb.faults.lose_reply()
    connection = http.client.HTTPConnection("127.0.0.1", sb.port, timeout=10)
    connection.connect()
    connection.sock.sendall(b"GET /account HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.sock.recv(1) == b""
    connection.close()


def test_late_commit_waits_for_release(sb, table, append):
    sb.faults.late_commit(operation="append")
    assert lost(append)
    assert sb.ledger.count(table) == 0
    assert sb.faults.held == 1
    assert append().status_code == 200
    assert sb.faults.release() == 1
    assert sb.ledger.count(table) == 6
    assert [number for number, _ in sb.ledger.inserts(table)] == [3, 2]
    assert sb.faults.release() == 0


def test_late_commit_commits_after_its_delay(sb, table, append):
    sb.faults.late_commit(operation="append", delay=0.05)
    assert lost(append)
    limit = time.monotonic() + 10
    while sb.ledger.count(table) != 3:
        assert time.monotonic() < limit
    assert sb.faults.held == 0


def test_a_late_commit_is_dropped_when_the_sandbox_stops(serve, tmp_path):
    sb, call = serve(data=tmp_path)
    table = call.make(columns=[("n", "number")])
    sb.faults.late_commit(operation="append")
    sb.faults.late_commit(operation="append", delay=60)
    for _ in range(2):
        assert lost(lambda: call("POST", f"/data/{table}/rows", {"data": [[1]]}))
    sb.stop()
    sb.start()
    assert sb.ledger.count(table) == 0
    assert sb.faults.held == 0


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_status_replies_with_the_status_and_retry_after(sb, table, append, code, after):
    sb.faults.status(code, operation="append", retry_after=7, after_commit=after)
    reply = append()
    assert reply.status_code == code
    assert reply.headers["Retry-After"] == "7"
    assert reply.json()["success"] is False
    assert sb.ledger.count(table) == (3 if after else 0)
    assert (sb.requests[-1].status, sb.requests[-1].rows) == (code, 3)


def test_status_replies_with_a_given_body(sb, call):
    sb.faults.status(500, body={"ErrorCode": "X"})
    sb.faults.status(500, body="plain")
    assert call("GET", "/account").json() == {"ErrorCode": "X"}
    reply = call("GET", "/account")
    assert reply.text == "plain"
    assert "Retry-After" not in reply.headers
    sb.faults.status(500)
    assert call("GET", "/account").json().keys() == {"error"}


@pytest.mark.parametrize("after", [True, False])
def test_hang_holds_a_request_until_release(sb, table, append, after):
    sb.faults.hang(operation="append", after_commit=after)
    replies = []
    thread = threading.Thread(target=lambda: replies.append(append()))
    thread.start()
    sb.faults.wait_held()
    assert sb.ledger.count(table) == (3 if after else 0)
    assert (sb.requests[-1].status, sb.requests[-1].fault) == (None, "hang")
    assert sb.faults.release() == 1
    thread.join()
    assert replies[0].status_code == 200
    assert sb.ledger.count(table) == 3


def test_hang_holds_a_request_for_some_seconds(sb, append):
    sb.faults.hang(seconds=0.05, operation="append")
    assert append().status_code == 200
    assert sb.requests[-1].seconds >= 0.05
    assert sb.faults.held == 0


def test_a_client_timeout_does_not_release_a_hanging_request(sb, table, append):
    sb.faults.hang(operation="append")
    with pytest.raises(requests.ReadTimeout):
        append(timeout=0.05)
    assert sb.ledger.count(table) == 0


def test_stop_releases_hanging_requests(serve):
    sb, call = serve()
    sb.faults.hang()
    sb.faults.slow(60)
    threads = [threading.Thread(target=lambda: lost(lambda: call("GET", "/account"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    sb.faults.wait_held()
    began = time.monotonic()
    sb.stop()
    assert time.monotonic() - began < 5
    for thread in threads:
        thread.join()


def test_wait_held_raises_timeouterror(sb):
    with pytest.raises(TimeoutError, match="0 requests are held, not 1"):
        sb.faults.wait_held(timeout=0.01)


def test_slow_replies_after_some_seconds(sb, append):
    sb.faults.slow(0.05, operation="append")
    assert append().status_code == 200
    assert sb.requests[-1].seconds >= 0.05


def test_truncate_body_commits_and_sends_half_of_the_body(sb, call, append, table):
    sb.faults.truncate_body()
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        append()
    assert sb.ledger.count(table) == 3
    assert call("GET", f"/data/{table}").status_code == 200


def test_garbage_commits_and_replies_without_json(sb, append, table):
    sb.faults.garbage()
    reply = append()
    assert reply.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        reply.json()
    assert sb.ledger.count(table) == 3


@pytest.mark.parametrize("version", [None, "2025.3"])
@pytest.mark.parametrize("operation", ["read", "read_version"])
@pytest.mark.parametrize(
    ("kind", "options", "pages"),
    [
        ("empty_page", {}, [[0, 1, 2], [], [6]]),
        ("short_page", {"rows": 1}, [[0, 1, 2], [3, 4], [6]]),
        ("short_page", {"rows": 9}, [[0, 1, 2], [], [6]]),
        ("repeat_page", {}, [[0, 1, 2], [0, 1, 2], [6]]),
    ],
)
def test_page_faults_change_the_rows_and_keep_the_paging(serve, kind, options, pages, version, operation):
    sb, call = serve(page_size=3)
    table = call.make(columns=[("n", "number")])
    call.numbers(table, 7)
    sb.faults.script(kind, operation=operation, nth=2, **options)
    path = f"/data/{table}" if operation == "read" else f"/data/{table}/v/2"
    for page, rows in enumerate(pages, 1):
        reply = call("GET", path, params={"page": page}, version=version).json()
        found = reply["result"] if version else reply
        assert [row["n"] for row in found["data"]] == rows
        if version:
            paging = reply["pagination"]
            assert paging["current_page"] == page
            assert paging["result_total_count"] == 7
            assert paging["result_count"] == len(rows)
            assert paging["has_more_results"] is (page < 3)
        else:
            assert found["has_more_data"] is (page < 3)


def test_short_page_shortens_the_last_page(serve):
    sb, call = serve(page_size=5)
    table = call.make(columns=[("n", "number")])
    call.numbers(table, 8)
    sb.faults.short_page(2)
    reply = call("GET", f"/data/{table}", params={"page": 2}).json()
    assert [row["n"] for row in reply["data"]] == [5]


@pytest.mark.parametrize("rows", [0, 2, 3, 9])
def test_accept_fewer_commits_only_the_first_rows(sb, call, append, table, rows):
    sb.faults.accept_fewer(rows, operation="append", times=2)
    assert append().json()["result"] == {"rows_inserted": min(rows, 3), "rows_found": 3}
    reply = call("POST", f"/data/{table}/rows", {"data": [[1], [2], [3]]})
    assert reply.json() == {"success": True}
    assert [row["n"] for row in sb.ledger.rows(table)] == [1, 2, 3][:rows] * 2
    assert sb.requests[-1].rows == 3


@pytest.mark.parametrize(("version", "keys"), [(None, {"error"}), ("2025.3", {"success", "error"})])
def test_error_200_replies_with_an_error_body_of_the_dialect(sb, call, version, keys):
    sb.faults.error_200("Busy", "Try later.")
    reply = call("GET", "/account", version=version)
    assert reply.status_code == 200
    assert reply.json().keys() == keys
    assert reply.json()["error"] == {"code": "Busy", "description": "Try later."}


def test_expire_token_expires_one_token_and_expire_tokens_all(sb, call):
    headers = {"CLICDATA-API-KEY": None}
    one, two = (f"Bearer {call.token().json()['access_token']}" for _ in range(2))
    sb.faults.expire_token(operation="account")
    assert [
        call("GET", "/account", headers={**headers, "Authorization": token}).status_code for token in (one, one, two)
    ] == [401, 401, 200]
    sb.faults.expire_tokens()
    assert call("GET", "/account", headers={**headers, "Authorization": two}).status_code == 401


def test_nth_times_and_operation_are_counted(sb, call, table):
    sb.faults.status(500, operation="read", nth=2, times=2)
    sb.faults.status(502, operation="list")
    statuses = [call("GET", path).status_code for path in [f"/data/{table}"] * 3 + ["/data"] + [f"/data/{table}"] * 2]
    assert statuses == [200, 500, 500, 502, 200, 200]
    assert sb.faults.pending == []


def test_the_fault_that_was_scripted_first_fires_first(sb, call):
    sb.faults.status(500)
    sb.faults.status(502)
    assert [call("GET", "/account").status_code for _ in range(3)] == [500, 502, 200]


def test_the_token_endpoint_can_have_a_fault(sb, call):
    sb.faults.status(503, operation="token")
    assert [call.token().status_code for _ in range(2)] == [503, 200]


def test_pending_counts_down_and_clear_removes_faults(sb, call):
    fault = sb.faults.status(429, operation="account", nth=2, times=3, retry_after=1)
    assert sb.faults.pending == [fault.as_dict()]
    for _ in range(2):
        call("GET", "/account")
    assert [(one["nth"], one["times"]) for one in sb.faults.pending] == [(1, 2)]
    sb.faults.clear()
    assert sb.faults.pending == []
    assert call("GET", "/account").status_code == 200


def test_pending_faults_can_be_scripted_again(sb, call):
    sb.faults.lose_reply(operation="account", after_commit=False)
    described = sb.faults.pending[0]
    sb.faults.clear()
    sb.faults.script(**described)
    assert lost(lambda: call("GET", "/account"))


@pytest.mark.parametrize(
    "script",
    [
        {"kind": "explode"},
        {"kind": "garbage", "operation": "explode"},
        {"kind": "garbage", "nth": 0},
        {"kind": "garbage", "times": True},
        {"kind": "garbage", "times": 1.0},
        {"kind": "garbage", "rows": 1},
        {"kind": "short_page"},
        {"kind": "short_page", "rows": -1},
        {"kind": "short_page", "rows": True},
        {"kind": "status", "code": "500"},
        {"kind": "status", "code": 600},
        {"kind": "slow", "seconds": -1},
        {"kind": "lose_reply", "after_commit": 1},
        {"kind": "error_200", "code": "x"},
    ],
)
def test_an_invalid_fault_raises_valueerror(sb, script):
    with pytest.raises(ValueError):
        sb.faults.script(**script)
    assert sb.faults.pending == []


@pytest.mark.inside("a stopped sandbox in another process cannot be controlled")
def test_faults_can_be_scripted_before_the_start(serve):
    sb, call = serve()
    sb.stop()
    sb.faults.status(500, operation="token")
    sb.start()
    assert call.token().status_code == 500
