"""Schedules: their entries, and runs that the first request after they are due executes once."""

import json
import threading
from datetime import datetime

import pytest
import requests

from pandas_clicdata.sandbox import RemoteSandbox, Sandbox
from pandas_clicdata.sandbox.protocol import KEY_HEADER

pytestmark = pytest.mark.sampled(1)

FIRST, SECOND = "k,n\na,1\n", "k,n\nb,2\n"
VERSIONS = [None, "2021.08", "2022.01", "2024.1", "2025.3", "2025.4"]


@pytest.fixture
def nightly(serve):
    """Create a sandbox with a schedule that appends a file to a table."""

    def make(method="append", **options):
        sb, call = serve(**options)
        sb.put_source("f.csv", FIRST)
        table = sb.feed("Flights", "f.csv")
        return sb, call, table, sb.schedule("Nightly", tables=["Flights"], method=method, description="at night")

    return make


def shown(call, number, version=None):
    reply = call("GET", f"/schedule/{number}", version=version)
    assert reply.status_code == 200, reply.text
    (schedule,) = reply.json()["result" if version else "schedules"]
    return schedule


def trigger(call, number, version=None):
    return call("POST", f"/schedule/{number}/trigger", version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_is_executed_by_the_first_request_after_its_trigger(nightly, version):
    sb, call, table, number = nightly()
    idle = {
        "id" if version else "rec_id": number, "name": "Nightly", "description": "at night", "status": "idle",
        "last_run_date": None, "last_end_date": None, "next_run_date": None, "message": None, "tables": [table],
        "method": "append",
    }  # fmt: skip
    assert shown(call, number, version) == idle
    before = datetime.now().astimezone().replace(microsecond=0)
    assert trigger(call, number, version).json() == ({"success": True, "result": {}} if version else {"success": True})
    assert sb.ledger.count(table) == 1
    after = shown(call, number, version)
    began, ended = (datetime.fromisoformat(after.pop(name)) for name in ("last_run_date", "last_end_date"))
    assert before <= began <= ended <= datetime.now().astimezone()
    assert after == {name: value for name, value in idle.items() if name in after} | {"status": "succeeded"}
    assert sb.ledger.count(table) == 2
    shown(call, number)
    assert sb.ledger.count(table) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_schedules_are_listed(nightly, version):
    sb, call, table, number = nightly()
    other = sb.schedule("Other", tables=[table, "Flights"], method="reload")
    reply = call("GET", "/schedule", version=version).json()
    listed = reply["result"] if version else reply["schedules"]
    key = "id" if version else "rec_id"
    assert [(entry[key], entry["name"], entry["tables"]) for entry in listed] == [
        (number, "Nightly", [table]),
        (other, "Other", [table]),
    ]
    assert listed[0] == shown(call, number, version)
    if version:
        assert reply["pagination"]["result_total_count"] == 2
        assert reply["pagination"]["last_page"] is True
        reply = call("GET", "/schedule", version=version, params={"page": 2, "page_size": 1}).json()
        assert [entry["id"] for entry in reply["result"]] == [other]
        assert reply["pagination"] == {
            "result_count": 1, "result_total_count": 2, "current_page": 2, "page_size": 1,
            "has_more_results": False, "last_page": True,
        }  # fmt: skip
    else:
        assert reply.keys() == {"schedules"}


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_an_unknown_schedule_is_a_404(call, version):
    reply = call("GET", "/schedule", version=version).json()
    assert (reply["result"] if version else reply["schedules"]) == []
    for method, path in (("GET", "/schedule/1"), ("POST", "/schedule/1/trigger")):
        reply = call(method, path, version=version)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "NotFound")


# when a run is executed


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_a_trigger_during_a_run_is_a_409(nightly, version):
    sb, call, table, number = nightly(run_seconds=3600)
    trigger(call, number, version).raise_for_status()
    for _ in range(2):
        entry = shown(call, number)
        assert (entry["status"], entry["last_end_date"], entry["message"]) == ("running", None, None)
        assert entry["last_run_date"] is not None
        reply = trigger(call, number, version)
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "AlreadyRunning")
    assert sb.ledger.count(table) == 1


def test_a_run_ends_after_run_seconds(nightly):
    sb, call, table, number = nightly(run_seconds=0.3)
    trigger(call, number).raise_for_status()
    statuses = [shown(call, number)["status"]]
    while statuses[-1] == "running":
        assert sb.ledger.count(table) == 1
        statuses.append(shown(call, number)["status"])
    assert statuses[0] == "running"
    assert statuses[-1] == "succeeded"
    assert sb.ledger.count(table) == 2


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/account", {}),
        ("GET", "/nowhere", {}),
        ("GET", "/account", {"headers": {"CLICDATA-API-KEY": "wrong"}}),
        ("POST", "/oauth20/token", {}),
        ("GET", "/account", {"version": "1.1"}),
    ],
    ids=str,
)
def test_any_request_executes_the_runs_that_are_due(nightly, method, path, options):
    sb, call, table, number = nightly()
    trigger(call, number).raise_for_status()
    call(method, path, **options)
    assert sb.ledger.count(table) == 2


def test_a_read_shows_the_result_of_a_run_that_was_due(nightly):
    sb, call, table, number = nightly("reload")
    sb.put_source("f.csv", SECOND)
    trigger(call, number).raise_for_status()
    assert call("GET", f"/data/{table}").json()["data"] == [{"k": "b", "n": 2}]


def test_simultaneous_requests_execute_a_run_once(nightly):
    sb, call, table, number = nightly()
    trigger(call, number).raise_for_status()
    statuses = []

    def look():
        with requests.Session() as http:
            http.trust_env = False
            reply = http.get(f"{sb.url}/schedule/{number}", headers={"CLICDATA-API-KEY": sb.api_key}, timeout=10)
            statuses.append(reply.json()["schedules"][0]["status"])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == ["succeeded"] * 8
    assert sb.ledger.count(table) == 2


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_restart_continues_a_run(nightly, serve, tmp_path, seconds):
    sb, call, table, number = nightly(data=tmp_path, run_seconds=seconds)
    trigger(call, number).raise_for_status()
    sb.stop()
    sb, call = serve(data=tmp_path)
    entry = shown(call, number)
    assert entry["status"] == ("running" if seconds else "succeeded")
    assert sb.ledger.count(table) == (1 if seconds else 2)
    assert trigger(call, number).status_code == (409 if seconds else 200)


def test_a_run_under_way_hides_the_result_of_the_last_one(nightly, serve, tmp_path):
    sb, call, _, number = nightly(data=tmp_path)
    (sb.sources / "f.csv").unlink()
    trigger(call, number).raise_for_status()
    assert shown(call, number)["status"] == "failed"
    sb.stop()
    _, call = serve(data=tmp_path, run_seconds=3600)
    trigger(call, number).raise_for_status()
    entry = shown(call, number)
    assert [entry[name] for name in ("status", "last_end_date", "message")] == ["running", None, None]


def test_a_trigger_whose_reply_is_lost_runs_only_if_committed(nightly):
    sb, call, table, number = nightly()
    for after_commit, rows in ((False, 1), (True, 2)):
        sb.faults.lose_reply(operation="trigger", after_commit=after_commit)
        with pytest.raises(requests.ConnectionError):
            trigger(call, number)
        call("GET", "/account")
        assert sb.ledger.count(table) == rows
    assert [entry.operation for entry in sb.requests.of("trigger")] == ["trigger"] * 2


def test_the_request_log_has_the_operations_of_schedules(nightly):
    sb, call, _, number = nightly()
    call("GET", "/schedule")
    shown(call, number)
    trigger(call, number)
    assert sb.requests.counts() == {"schedules": 1, "schedule": 1, "trigger": 1}


# how a run ends


def test_a_failed_run_has_a_message_and_the_next_can_succeed(nightly):
    sb, call, table, number = nightly("reload")
    sb.put_source("f.csv", "k\nb\n")
    trigger(call, number).raise_for_status()
    entry = shown(call, number)
    assert entry["status"] == "failed"
    assert entry["message"] == "The source 'f.csv' does not fit: it lacks the column 'n' of the table."
    assert entry["last_end_date"] is not None
    sb.put_source("f.csv", SECOND)
    trigger(call, number).raise_for_status()
    assert [shown(call, number)[name] for name in ("status", "message")] == ["succeeded", None]
    assert sb.ledger.rows(table) == [{"k": "b", "n": 2}]


def test_a_table_that_fails_does_not_stop_the_others(nightly):
    sb, call, table, _ = nightly()
    sb.put_source("lost.csv", "k\na\n")
    lost = sb.feed("Lost", "lost.csv")
    (sb.sources / "lost.csv").unlink()
    number = sb.schedule("All", tables=[lost, "Flights"], method="append")
    trigger(call, number).raise_for_status()
    entry = shown(call, number)
    assert entry["tables"] == [lost, table]
    assert (entry["status"], "'lost.csv' cannot be read" in entry["message"]) == ("failed", True)
    assert sb.ledger.count(table) == 2


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("recreate", [("b", 2)]),
        ("reload", [("b", 2)]),
        ("append", [("a", 1), ("b", 2)]),
        ("update", [("a", 1)]),
        ("updateappend", [("a", 1), ("b", 2)]),
    ],
)
def test_a_schedule_refreshes_by_its_method(sb, call, method, rows):
    sb.put_source("f.csv", FIRST)
    table = sb.feed("T", "f.csv", key=["k"])
    sb.put_source("f.csv", SECOND)
    number = sb.schedule("S", tables=[table], method=method)
    trigger(call, number).raise_for_status()
    assert shown(call, number)["method"] == method
    assert [(row["k"], row["n"]) for row in sb.ledger.rows(table)] == rows


@pytest.mark.inside("it breaks the sandbox's own feeds")
def test_an_internal_error_of_a_run_does_not_fail_the_request(nightly, monkeypatch, caplog):
    _, call, _, number = nightly()
    monkeypatch.setattr("pandas_clicdata.sandbox.feeds.read_file", lambda file, content: 1 / 0)
    trigger(call, number).raise_for_status()
    assert call("GET", "/account").status_code == 200
    entry = shown(call, number)
    assert (entry["status"], "ZeroDivisionError" in entry["message"]) == ("failed", True)
    assert [record.name for record in caplog.records] == ["pandas_clicdata.sandbox"]


# scopes and refusals


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [("schedule_read", (200, 200, 403)), ("schedule_write", (403, 403, 200)), ("data_write", (403, 403, 403))],
)
@pytest.mark.parametrize("version", [None, "2025.3"])
def test_schedules_need_their_scopes(nightly, scope, statuses, version):
    _, call, _, number = nightly(scopes=[scope])
    paths = (("GET", "/schedule"), ("GET", f"/schedule/{number}"), ("POST", f"/schedule/{number}/trigger"))
    assert tuple(call(method, path, version=version).status_code for method, path in paths) == statuses


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": " "}, ValueError, "^name must be"),
        ({"name": "NIGHTLY"}, ValueError, "named 'NIGHTLY' already exists"),
        ({"tables": []}, ValueError, "^tables is "),
        ({"tables": [True]}, ValueError, "^tables is "),
        ({"tables": [1.5]}, ValueError, "^tables is "),
        ({"tables": ["Nowhere"]}, LookupError, "no table 'Nowhere'"),
        ({"tables": [7]}, LookupError, "no table 7"),
        ({"method": "rebuild"}, ValueError, "^method is 'rebuild'"),
        ({"method": ""}, ValueError, "^method is "),
        ({"description": 5}, ValueError, "description"),
    ],
    ids=str,
)
def test_a_schedule_with_an_invalid_argument_is_refused(nightly, options, error, message):
    sb, call, _, _ = nightly()
    with pytest.raises(error, match=message):
        sb.schedule(**{"name": "S", "tables": ["Flights"], "method": "append", **options})
    assert len(call("GET", "/schedule").json()["schedules"]) == 1


def test_a_remote_sandbox_creates_schedules():
    with Sandbox() as sandbox:
        remote = RemoteSandbox(sandbox.url, sandbox.control_key)
        remote.put_source("f.csv", FIRST)
        remote.feed("T", "f.csv")
        assert remote.schedule("A", tables=("T",), method="append") == 1
        assert sandbox.schedule("B", tables=["T"], method="append") == 2
        with pytest.raises(LookupError, match="no table 'U'"):
            remote.schedule("C", tables=["U"], method="append")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "S", "tables": "T", "method": "append"},
        {"name": "S", "tables": ["T"]},
        {"name": "S", "tables": ["T"], "method": "append", "when": "now"},
        {"name": "\ud800", "tables": ["T"], "method": "append"},
        [],
    ],
    ids=str,
)
def test_an_invalid_schedule_request_is_refused_with_a_sentence(sb, call, body):
    call.make("T")
    reply = requests.post(
        f"{sb.url}/_sandbox/schedules",
        data=json.dumps(body),
        headers={KEY_HEADER: sb.control_key},
        proxies={"http": ""},
        timeout=10,
    )
    assert reply.status_code == 400
    assert isinstance(reply.json()["error"], str)
    assert call("GET", "/schedule").json() == {"schedules": []}
