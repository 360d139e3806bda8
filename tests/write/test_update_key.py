"""The key of the new values in an update is learned from one row that changes, and a row that is harmed is named."""

import contextlib
import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
every_operation = pytest.mark.parametrize("operation", ["update_rows", "upsert", "push", "update_data"])
OLD = pd.DataFrame({"n": range(4), "t": ["a", "b", "c", "d"], "f": [0.5, 1.5, 2.5, None]})
NEW = pd.DataFrame({"n": [0, 1, 2], "t": ["a", "B", "C"], "f": [0.5, 1.5, 9.5]})
AFTER = [
    {"n": 0, "t": "a", "f": 0.5}, {"n": 1, "t": "B", "f": 1.5}, {"n": 2, "t": "C", "f": 9.5},
    {"n": 3, "t": "d", "f": None},
]  # fmt: skip


@pytest.fixture
def unknown(serve, tmp_path, name):
    """Return a function that starts a sandbox with the rows and returns it, and a session that knows nothing of it."""

    def start(api_version="2025.3", profile="profile.json", **assume):
        sandbox, session = serve(
            api_version, assume=Assumptions(**assume), session={"service_profile": tmp_path / profile}
        )
        OLD.clicdata.push(name, session=session)
        sandbox.requests.clear()
        return sandbox, session

    return start


def change(operation, name, session, frame=NEW):
    match operation:
        case "update_data":
            row = frame.iloc[1]
            return cd.Data(session).update_data(name, {"n": int(row["n"])}, {"t": row["t"], "f": float(row["f"])})
        case "push":
            return frame.clicdata.push(name, if_exists="upsert", on="n", session=session)
        case _:
            return getattr(frame.clicdata, operation)(name, on="n", session=session)


def updates(sandbox):
    return [each for each in sandbox.requests if each.operation == "update"]


def rows_of(sandbox, name):
    return sorted(sandbox.ledger.rows(name), key=lambda row: row["n"])


@every_dialect
@every_operation
@pytest.mark.parametrize("key", ["data", "update", "either"])
@pytest.mark.parametrize("unknown_key", ["refused", "ignored"])
@pytest.mark.parametrize("refusal_status", ["status", "ok"])
def test_the_key_is_learned_once(
    unknown, open_session, name, tmp_path, api_version, operation, key, unknown_key, refusal_status
):
    assume = {"update_key": key, "unknown_update_key": unknown_key, "refusal_status": refusal_status}
    sandbox, session = unknown(api_version, **assume)
    receipt = change(operation, name, session)
    expected = AFTER
    if operation == "update_data":
        expected = [*rows_of(sandbox, name)[:1], AFTER[1], *rows_of(sandbox, name)[2:]]
    assert rows_of(sandbox, name) == expected
    assert receipt.sent == {"update_rows": 3, "upsert": 2, "push": 2, "update_data": 1}[operation]
    wrong_tries = 1 if key == "update" else 0
    assert len(updates(sandbox)) == receipt.sent + wrong_tries
    stored = json.loads((tmp_path / "profile.json").read_text())
    found = "update" if key == "update" else "data"
    # One row does not show which of two requests changed it.
    unsure = operation == "update_data" and key == "update" and (unknown_key, refusal_status) != ("refused", "status")
    assert stored["facts"]["likely_update_key" if unsure else "update_key"]["found"] == found
    # Another session of the account has the answer.
    sandbox.requests.clear()
    again = open_session(sandbox, api_version, service_profile=tmp_path / "profile.json")
    change(operation, name, again, NEW.assign(t=["x", "y", "z"]))
    counts = sandbox.requests.counts()
    assert counts["update"] == (1 if operation == "update_data" else 3)
    assert rows_of(sandbox, name)[1]["t"] == "y"


@every_dialect
@every_operation
def test_a_row_that_is_harmed_stops_the_write_and_is_named(unknown, name, api_version, operation):
    sandbox, session = unknown(api_version, update_key="update", unknown_update_key="cleared")
    with pytest.raises(cd.VerificationError, match=r"column 't' is None and was 'b'.* No other row was sent") as caught:
        change(operation, name, session)
    assert len(updates(sandbox)) == 1
    assert "n='1'" in str(caught.value)
    assert caught.value.unknown == [(0, 1) if operation == "update_data" else (1, 2)]
    assert [row["t"] for row in rows_of(sandbox, name)] == ["a", None, "c", "d"]
    assert session._client.service_profile.update_key is None


@every_dialect
@every_operation
def test_an_update_that_changes_nothing_is_noticed_before_the_second_row(http_service, api_version, operation):
    page = {"data": OLD.astype(object).where(OLD.notna(), None).to_dict("records"), "has_more_data": False}
    reply = (
        page if api_version == "unversioned" else {"success": True, "result": page, "pagination": {"last_page": True}}
    )
    listed = [{"rec_id": 7, "name": "T"}]
    tables = {"count": 1, "data": listed} if api_version == "unversioned" else {"success": True, "result": listed}
    sent = []

    def answer(request):
        if request.method != "GET":
            sent.append(json.loads(request.body))
            return 200, {}, b'{"success": true, "result": {}}'
        is_list = request.path in ("/data", "/table")
        return 200, {}, json.dumps(tables if is_list else reply).encode()

    with (
        http_service(answer) as url,
        cd.Session(api_key="k", base_url=url, api_version=api_version) as session,
        pytest.raises(cd.VerificationError, match=r"the row did not change\. No other row was sent"),
    ):
        change(operation, "T", session)
    assert [sorted(body) for body in sent] == [["data", "find", "multiplerows"], ["find", "multiplerows", "update"]]


@every_dialect
@pytest.mark.parametrize("operation", ["update_rows", "upsert", "update_data"])
def test_nothing_is_sent_if_no_row_would_change(unknown, name, api_version, operation):
    sandbox, session = unknown(api_version, update_key="update", unknown_update_key="cleared")
    receipt = change(operation, name, session, OLD.head(3))
    assert (receipt.sent, receipt.batches) == (0, 0)
    assert updates(sandbox) == []
    if operation != "upsert":
        assert "Nothing was sent" in receipt.notes[0]
    # A key that is not in the table shows nothing, either.
    assert OLD.assign(n=OLD["n"] + 50).clicdata.update_rows(name, on="n", session=session).sent == 0
    assert updates(sandbox) == []


@every_dialect
def test_a_value_that_is_refused_is_reported_as_such(unknown, name, api_version):
    sandbox, session = unknown(api_version)
    sandbox.faults.status(422, operation="update", times=2)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        change("update_rows", name, session)
    assert caught.value.unsent == [(0, 3)]
    assert rows_of(sandbox, name)[1]["t"] == "b"
    # Nothing was learned from it.
    change("update_rows", name, session)
    assert rows_of(sandbox, name) == AFTER


@every_dialect
def test_a_lost_reply_to_the_first_update_leaves_its_row_unknown(unknown, name, api_version):
    sandbox, session = unknown(api_version)
    sandbox.faults.status(500, operation="update", times=10)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        change("update_rows", name, session)
    assert (caught.value.unknown, caught.value.unsent) == ([(1, 2)], [(0, 1), (2, 3)])
    sandbox.faults.clear()
    change("update_rows", name, session)
    assert rows_of(sandbox, name) == AFTER


@every_dialect
def test_a_failure_to_read_the_row_back_is_reported(unknown, name, api_version):
    sandbox, session = unknown(api_version)

    def fail_reads(done, total):
        sandbox.faults.status(500, operation="read", times=50)

    with pytest.raises(cd.IncompleteWriteError, match="not known whether the row changed") as caught:
        NEW.clicdata.update_rows(name, on="n", session=session, progress=fail_reads)
    assert caught.value.unknown == [(1, 2)]
    assert len(updates(sandbox)) == 1


@every_dialect
def test_values_that_are_also_conditions_are_learned_from(unknown, name, api_version):
    sandbox, session = unknown(api_version, update_key="update", unknown_update_key="ignored")
    cd.Data(session).update_data(name, {"t": "b"}, {"t": "new", "f": None})
    assert rows_of(sandbox, name)[1] == {"n": 1, "t": "new", "f": None}


@every_dialect
def test_the_first_of_equal_rows_is_learned_from_only_if_every_row_changes(unknown, name, api_version):
    sandbox, session = unknown(api_version)
    more = pd.DataFrame({"n": [7, 7], "t": ["x", "y"], "f": [0.0, 0.0]})
    more.clicdata.append(name, session=session)
    with pytest.raises(cd.FrameError, match=r"cd\.doctor\(write=True\)"):
        cd.Data(session).update_data(name, {"n": 7}, {"t": "y"}, "first")
    cd.Data(session).update_data(name, {"n": 7}, {"t": "z"}, "first")
    assert sorted(row["t"] for row in rows_of(sandbox, name) if row["n"] == 7) == ["y", "z"]


def test_a_change_by_another_program_at_the_same_time_stops_the_write(unknown, open_session, name):
    sandbox, session = unknown()
    other = open_session(sandbox)

    def append(done, total):
        if len(sandbox.ledger.rows(name)) == 4:
            OLD.head(1).clicdata.append(name, resume=False, session=other)

    with pytest.raises(cd.VerificationError, match="If another program changed the table at the same time"):
        NEW.clicdata.update_rows(name, on="n", session=session, progress=append)
    assert NEW.clicdata.update_rows(name, on="n", session=session).sent == 3


@every_dialect
def test_row_ids_and_offsets_do_not_disturb_learning(serve, tmp_path, name, api_version):
    _, session = serve(
        api_version,
        assume=Assumptions(row_id="id", datetime_form="iso_offset", update_key="update", column_metadata=False),
        session={"service_profile": tmp_path / "p.json"},
    )
    old = pd.DataFrame({"n": [1, 2], "at": [dt.datetime(2024, 1, 1, 10), dt.datetime(2024, 7, 1, 10, 0, 0, 5)]})
    old.clicdata.push(name, session=session)
    new = old.assign(at=[dt.datetime(2025, 1, 1), dt.datetime(2025, 7, 1)])
    assert new.clicdata.update_rows(name, on="n", verify=True, session=session).status == "verified"


@pytest.fixture
def table_service(http_service):
    """Return a function that starts a service with the rows, which are changed by a function of the body."""

    @contextlib.contextmanager
    def start(change):
        rows = [{"n": n, "t": t} for n, t in enumerate("abcd")]

        def answer(request):
            versioned = "api_version" in request.query
            result: Any = [{"rec_id": 7, "name": "T"}]
            if request.method != "GET":
                change(rows, json.loads(request.body), versioned)
                result = {}
            elif request.path not in ("/data", "/table"):
                result = {"data": rows, "has_more_data": False}
            elif not versioned:
                result = {"count": 1, "data": result}
            paging = {"last_page": True}
            reply = {"success": True, "result": result, "pagination": paging} if versioned else result
            return 200, {}, json.dumps(reply).encode()

        with http_service(answer) as url:
            yield url, rows

    return start


def set_values(rows, body, values):
    for row in rows:
        if all(row[cell["column"]] == cell["value"] for cell in body["find"]):
            row.update({cell["column"]: cell["value"] for cell in values})


@pytest.mark.parametrize("operation", ["update_rows", "upsert"])
def test_an_update_that_is_carried_out_late_is_not_taken_for_the_next_one(table_service, tmp_path, operation):
    late = []

    def change_late(rows, body, versioned):
        if "data" in body:
            late.append(body)
            return
        for each in late:
            set_values(rows, each, each["data"])

    with (
        table_service(change_late) as (url, rows),
        cd.Session(api_key="k", base_url=url, api_version="2025.3", service_profile=tmp_path / "p.json") as session,
    ):
        frame = pd.DataFrame({"n": range(4), "t": list("ABCD")})
        with pytest.raises(cd.VerificationError, match="the row did not change"):
            getattr(frame.clicdata, operation)("T", on="n", session=session)
        assert session._client.service_profile.update_key is None
        assert [row["t"] for row in rows] == ["A", "b", "c", "d"]


def test_a_key_is_known_for_the_dialect_in_which_it_was_learned(table_service, tmp_path):
    def change(rows, body, versioned):
        set_values(rows, body, body.get("update" if versioned else "data", []))

    with table_service(change) as (url, rows):
        for api_version, letters in (("unversioned", "ABCD"), ("2025.3", "WXYZ"), ("unversioned", "efgh")):
            options = {"api_version": api_version, "service_profile": tmp_path / "p.json"}
            with cd.Session(api_key="k", base_url=url, **options) as session:
                frame = pd.DataFrame({"n": range(4), "t": list(letters)})
                frame.clicdata.update_rows("T", on="n", session=session)
            assert [row["t"] for row in rows] == list(letters)


@every_dialect
@pytest.mark.parametrize("hours", [5, 24 * 365])
def test_what_is_learned_counts_more_than_a_fact_with_a_later_date(unknown, name, tmp_path, api_version, hours):
    sandbox, session = unknown(api_version)
    path = tmp_path / "profile.json"
    content = json.loads(path.read_text()) if path.exists() else {"service_profile": 1, "base_url": sandbox.url}
    at = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)).isoformat()

    def write_meanwhile(done, total):
        if not path.exists():
            path.write_text(json.dumps({**content, "facts": {"update_key": {"found": "update", "at": at}}}))

    NEW.clicdata.update_rows(name, on="n", session=session, progress=write_meanwhile)
    assert rows_of(sandbox, name) == AFTER
    assert session._client.service_profile.update_key == "data"


def test_a_value_that_is_stored_otherwise_is_shown_with_the_one_that_was_sent(table_service, tmp_path):
    def change(rows, body, versioned):
        set_values(rows, body, [{**cell, "value": cell["value"].strip()} for cell in body["data"]])

    with (
        table_service(change) as (url, _),
        cd.Session(api_key="k", base_url=url, api_version="2025.3", service_profile=tmp_path / "p.json") as session,
        pytest.raises(cd.VerificationError) as caught,
    ):
        cd.update_rows(pd.DataFrame({"n": [1], "t": ["x "]}), "T", on="n", session=session)
    assert caught.value.differences == ["column 't' is 'x' and was 'b' (requested: 'x ')"]


def test_rows_with_other_keys_that_changed_are_named(table_service, tmp_path):
    def change(rows, body, versioned):
        for row in rows:
            row.update({cell["column"]: cell["value"] for cell in body["data"]})

    with (
        table_service(change) as (url, _),
        cd.Session(api_key="k", base_url=url, api_version="2025.3", service_profile=tmp_path / "p.json") as session,
        pytest.raises(cd.VerificationError) as caught,
    ):
        cd.update_rows(pd.DataFrame({"n": [1, 2], "t": ["x", "y"]}), "T", on="n", session=session)
    assert caught.value.differences == ["rows with other keys changed"]
    assert caught.value.unsent == [(1, 2)]


def test_a_change_of_all_rows_instead_of_the_first_is_named(table_service, tmp_path):
    def change(rows, body, versioned):
        set_values(rows, body, body["data"])

    with (
        table_service(change) as (url, rows),
        cd.Session(api_key="k", base_url=url, api_version="2025.3", service_profile=tmp_path / "p.json") as session,
    ):
        rows += [{"n": 1, "t": "b"}, {"n": 1, "t": "e"}]
        with pytest.raises(cd.VerificationError) as caught:
            cd.Data(session).update_data("T", {"n": 1}, {"t": "x"}, "first")
    assert caught.value.differences == ["3 of the rows that match changed instead of one"]
