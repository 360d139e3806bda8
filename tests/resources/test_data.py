"""The class Data: each method in each dialect, with the change that another method shows."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "t": ["00123", None, "é"],
        "day": [dt.date(2013, 1, 1), None, dt.date(9999, 12, 31)],
        "at": [pd.Timestamp("2013-01-01 05:00", tz="UTC"), None, pd.Timestamp("2013-01-02", tz="UTC")],
    }
)


@pytest.fixture
def data(session):
    return cd.Data(session=session)


@pytest.fixture
def fresh(filled):
    """Return a function that pushes the rows and returns the sandbox, with an empty request log, and a `Data`."""

    def make(api_version="2025.3", **options):
        sandbox, session = filled(api_version, FRAME, **options)
        return sandbox, cd.Data(session)

    return make


# reading


@pytest.mark.operation("GET /data/{id}")
def test_get_data_equals_read_clicdata(data, session, name):
    receipt = FRAME.clicdata.push(name, session=session)
    expected = cd.read_clicdata(name, session=session)
    for table in (name, receipt.rec_id, np.int64(receipt.rec_id)):
        pd.testing.assert_frame_equal(data.get_data(table), expected)
    records = data.get_data(name, output="dict")
    assert [record["t"] for record in records] == ["00123", None, "é"]
    assert [record["day"] for record in records] == ["2013-01-01", None, "9999-12-31"]
    assert [type(record["n"]) for record in records] == [int] * 3


def test_numbers_in_dicts_are_exact(data, name):
    data.create_and_append(name, data=pa.table({"n": [Decimal("3.14159265358979323846")]}))
    assert data.get_data(name, output="dict") == [{"n": Decimal("3.14159265358979323846")}]


@every_dialect
@pytest.mark.parametrize("output", ["df", "dict"])
def test_an_incomplete_table_is_never_returned(serve, api_version, output):
    sandbox, session = serve(api_version, page_size=2)
    data = cd.Data(session)
    rec_id = data.create_and_append("T", data=FRAME).rec_id
    assert rec_id is not None
    assert len(data.get_data(rec_id, output=output)) == 3
    sandbox.faults.status(500, operation="read", nth=2, times=10)
    with pytest.raises(cd.IncompleteReadError):
        data.get_data(rec_id, output=output)
    sandbox.faults.clear()
    sandbox.faults.status(500, operation="read_version", nth=2, times=10)
    with pytest.raises(cd.IncompleteReadError):
        data.get_data_history(rec_id, len(data.get_data_history(rec_id)), output=output)


# listing


@pytest.mark.operation("GET /data", dialect="unversioned")
@pytest.mark.operation("GET /table", dialect="2025.3")
def test_tables_are_listed(data, name):
    rec_id = data.create_data(name, "What it holds", {"a": "text"})
    frame = data.get_data()
    assert list(frame)[:2] == ["rec_id", "name"]
    line = frame[frame["name"] == name]
    assert line[["rec_id", "description"]].values.tolist() == [[rec_id, "What it holds"]]
    assert frame["rec_id"].dtype == "int64"
    listed = data.get_data(output="dict")
    assert len(listed) == len(frame)
    assert [entry["description"] for entry in listed if entry["name"] == name] == ["What it holds"]


@pytest.mark.operation("GET /data", "POST /table/{id}", dialect="2021.08")
def test_an_older_version_of_the_api(one_sandbox, open_session, name):
    data = cd.Data(open_session(one_sandbox, "2021.08"))
    rec_id = data.create_data(name, cols={"a": "text"})
    data.append_data(rec_id, pd.DataFrame({"a": ["x"]}))
    assert data.get_data(rec_id)["a"].to_list() == ["x"]
    assert data.get_data(name=name)["rec_id"].to_list() == [rec_id]


def test_tables_are_listed_by_name(data, name):
    rec_id = data.create_data(name, cols={"a": "text"})
    data.create_data(f"{name} too", cols={"a": "text"})
    for wanted in (name, name.lower(), name.upper()):
        assert data.get_data(name=wanted)["rec_id"].to_list() == [rec_id]
        assert [entry["name"] for entry in data.get_data(name=wanted, output="dict")] == [name]
    empty = data.get_data(name=f"{name}!")
    assert (len(empty), list(empty)) == (0, ["rec_id", "name"])
    assert data.get_data(name=f"{name}!", output="dict") == []


@every_dialect
def test_an_empty_list_of_tables_is_typed(serve, api_version):
    _, session = serve(api_version)
    frame = cd.Data(session).get_data()
    assert (len(frame), list(frame)) == (0, ["rec_id", "name"])
    assert frame["rec_id"].dtype == "int64"


def test_a_list_of_many_pages_is_complete_or_raises(serve):
    sandbox, session = serve("2025.3")
    data = cd.Data(session)
    for number in range(102):
        data.create_data(f"T{number}", cols={"a": "text"})
    assert data.get_data()["name"].to_list() == [f"T{number}" for number in range(102)]
    assert data.get_data(name="t101")["name"].to_list() == ["T101"]
    for wanted in (None, "t101"):
        sandbox.faults.script("short_page", operation="list", rows=1)
        with pytest.raises(cd.IncompleteReadError, match="list of tables is incomplete"):
            data.get_data(name=wanted)


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"unique_key_available": True}, "uniquekeyavailable=true"),
        ({"unique_key_available": False, "refresh": True}, "uniquekeyavailable=false&refresh=true"),
        ({"name": "T", "refresh": False}, "name=T&refresh=false"),
    ],
)
def test_filters_are_sent_where_the_dialect_has_them(running, open_session, filters, query):
    running.requests.clear()
    cd.Data(open_session(running, "unversioned")).get_data(**filters)
    assert [entry.query for entry in running.requests.of("list")] == [query]


@pytest.mark.parametrize("api_version", ["2025.3", "2022.01"])
@pytest.mark.parametrize("filters", [{"unique_key_available": True}, {"name": "T", "refresh": False}])
def test_filters_are_refused_where_the_dialect_has_none(fresh, api_version, filters):
    sandbox, data = fresh(api_version)
    with pytest.raises(
        ValueError, match=f"filters only in the unversioned API. This session uses version {api_version}"
    ):
        data.get_data(**filters)
    assert len(sandbox.requests) == 0


# versions


@pytest.mark.operation("GET /data/{id}/versions", "GET /data/{id}/v/{ver}")
def test_versions_are_listed_and_read(data, name):
    rec_id = data.create_and_append(name, data=FRAME[["n"]]).rec_id
    before = data.get_data_history(rec_id)
    data.delete_data(rec_id, {"n": 2})
    after = data.get_data_history(name)
    assert len(after) == len(before) + 1
    assert after["data_rec_id"].to_list() == [rec_id] * len(after)
    assert after["creation_date"].dtype == "datetime64[us, UTC]"
    old, new = sorted(after["version"])[-2:]
    assert data.get_data_history(name, old)["n"].to_list() == [1, 2, 3]
    assert data.get_data_history(rec_id, ver_id=np.int64(new), output="dict") == [{"n": 1}, {"n": 3}]
    listed = data.get_data_history(rec_id, output="dict")
    assert [entry["version"] for entry in listed] == after["version"].to_list()
    assert not any("data_rec_id" in entry for entry in listed)


@pytest.mark.parametrize("reply", ["bare", "object"])
def test_versions_in_either_format(http_service, reply):
    def answer(request):
        assert (request.path, request.query) == ("/data/7/versions", {"api_version": "2025.3"})
        result: Any = [{"id": 1, "name": "first"}]
        result = result if reply == "bare" else {"versions": result}
        return 200, {}, json.dumps({"success": True, "result": result}).encode()

    with http_service(answer) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version="2025.3")
        assert data.get_data_history(7, output="dict") == [{"id": 1, "name": "first"}]
        frame = data.get_data_history(7)
        assert frame["data_rec_id"].to_list() == [7]
        data.session.close()


@pytest.mark.parametrize("stated", [None, "x", 8])
def test_a_version_belongs_to_the_requested_table(http_service, stated):
    body = json.dumps({"versions": [{"version": 1, "data_rec_id": stated}]}).encode()
    with http_service(lambda request: (200, {}, body)) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version="unversioned")
        assert data.get_data_history(7).to_dict("list") == {"data_rec_id": [7], "version": [1]}
        data.session.close()


def test_an_incomplete_list_of_versions_raises(http_service):
    def answer(request):
        content = {"success": True, "result": [{"version": 1}], "pagination": {"has_more_results": True}}
        return 200, {}, json.dumps(content).encode()

    with http_service(answer) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version="2025.3")
        with pytest.raises(cd.IncompleteReadError, match="list of versions is incomplete"):
            data.get_data_history(7)
        data.session.close()


def test_a_table_without_versions_has_an_empty_list(http_service):
    with http_service(lambda request: (200, {}, b'{"versions": []}')) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version="unversioned")
        frame = data.get_data_history(7)
        assert (len(frame), list(frame)) == (0, ["data_rec_id"])
        assert frame["data_rec_id"].dtype == "int64"
        data.session.close()


# writing


@pytest.mark.operation("POST /data", "PUT /data/{id}/row", "DELETE /data/{id}/row")
@pytest.mark.operation("POST /data/{id}/row", dialect="unversioned")
@pytest.mark.operation("POST /data/{id}/insert", dialect="2025.3")
def test_a_table_is_created_changed_and_read(data, name):
    rec_id = data.create_data(name, "What it holds", FRAME[["n", "t"]].dtypes)
    assert data.get_data(rec_id).dtypes.to_dict() == data.get_data(name).dtypes.to_dict()
    assert (list(data.get_data(rec_id)), len(data.get_data(rec_id))) == (["n", "t"], 0)
    receipt = data.append_data(rec_id, FRAME[["n", "t"]], verify=True)
    assert (receipt.operation, receipt.status, receipt.rec_id, receipt.sent) == ("append", "verified", rec_id, 3)
    assert data.append_data(name, FRAME[["n", "t"]], dry_run=True).status == "dry_run"
    assert data.update_data(name, {"t": "é"}, {"t": "e", "n": 9}).operation == "update_data"
    assert data.get_data(name, output="dict") == [{"n": 1, "t": "00123"}, {"n": 2, "t": None}, {"n": 9, "t": "e"}]
    assert data.delete_data(rec_id, {"n": 9}, dry_run=True).matched == 1
    assert data.delete_data(rec_id, {"n": 9}).operation == "delete_data"
    assert data.get_data(rec_id)["n"].to_list() == [1, 2]
    with pytest.raises(cd.TooManyRowsError):
        data.delete_data(rec_id, {"n": 1}, max_rows=0)
    data.append_data(rec_id, pd.DataFrame({"n": [1], "t": ["again"]}))
    data.delete_data(name, {"n": 1}, "first")
    assert len(data.get_data(name)) == 2
    data.update_data(name, {"n": 1}, {"n": 2}, "first")
    assert data.get_data(name)["n"].to_list() == [2, 2]


@pytest.mark.parametrize("method", ["create_and_append", "static_send_data"])
def test_a_table_is_created_from_a_frame(data, name, method):
    receipt = getattr(data, method)(name, "What it holds", FRAME, verify=True)
    assert (receipt.operation, receipt.status, receipt.sent) == ("push", "verified", 3)
    assert [row["t"] for row in data.get_data(receipt.rec_id, output="dict")] == ["00123", None, "é"]
    assert data.get_data(name=name)["description"].to_list() == ["What it holds"]
    with pytest.raises(cd.TableExistsError):
        getattr(data, method)(name, data=FRAME)
    assert getattr(data, method)(name, data=FRAME, if_exists="append", resume=False).sent == 3
    assert len(data.get_data(name)) == 6


@every_dialect
@pytest.mark.parametrize("method", ["update_data", "delete_data"])
def test_a_lost_reply_for_the_first_row_is_unknown(fresh, name, api_version, method):
    sandbox, data = fresh(api_version)
    operation = method.partition("_")[0]
    sandbox.faults.lose_reply(operation=operation)
    change = {"filters": {"n": 1}, "multiple_rows": "first"} | ({"values": {"t": "x"}} if operation == "update" else {})
    with pytest.raises(cd.AmbiguousWriteError, match="Unknown"):
        getattr(data, method)(name, **change)
    assert len(sandbox.requests.of(operation)) == 1
    receipt = getattr(data, method)(name, **change | {"multiple_rows": "all", "reconcile_wait": 0})
    assert (receipt.status, receipt.retries) == ("unverified", 0)


# refresh

REFRESH_METHODS = [
    # method → path in the unversioned dialect, mode in the versioned dialect
    ("recreate", "recreate", "rebuild"),
    ("reload", "rebuild", "reload"),
    ("update", "update", "update"),
    ("append", "append", "append"),
    ("updateappend", "updateappend", "updateappend"),
]


@pytest.mark.parametrize(("method", "verb", "mode"), REFRESH_METHODS)
@pytest.mark.parametrize("api_version", ["unversioned", "2022.01", "2025.3"])
def test_the_request_of_each_refresh_method(http_service, method, verb, mode, api_version):
    received = []

    def answer(request):
        received.append((request.method, request.path, request.query, request.body and json.loads(request.body)))
        content = {"success": True, "result": {"queued": 1}} if api_version != "unversioned" else {"queued": 1}
        return 200, {}, json.dumps(content).encode()

    with http_service(answer) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version=api_version)
        assert data.rebuild_data(7, method) == {"queued": 1}
        data.session.close()
    query = {} if api_version == "unversioned" else {"api_version": api_version}
    if api_version == "2025.3":
        assert received == [("POST", "/table/7/refresh", query, {"mode": mode})]
    else:
        assert received == [("POST", f"/data/7/{verb}", query, b"")]


def check_refresh(sandbox, data, name):
    """Change a source and refresh the table from it, with each method."""

    def refreshed(method, text):
        sandbox.put_source(file, text)
        assert isinstance(data.rebuild_data(name, method), dict)
        return {row["k"]: row["n"] for row in data.get_data(name, output="dict")}

    file = f"{name}.csv"
    sandbox.put_source(file, "k,n\na,1\nb,2\n")
    sandbox.feed(name, file, key=["k"])
    assert refreshed("reload", "k,n\na,10\nc,3\n") == {"a": 10, "c": 3}
    assert refreshed("update", "k,n\na,11\nd,4\n") == {"a": 11, "c": 3}
    assert refreshed("updateappend", "k,n\na,12\nd,4\n") == {"a": 12, "c": 3, "d": 4}
    assert refreshed("append", "k,n\ne,5\n") == {"a": 12, "c": 3, "d": 4, "e": 5}
    assert refreshed("recreate", "k,n,new\nf,6,x\n") == {"f": 6}
    assert list(data.get_data(name)) == ["k", "n", "new"]


@pytest.mark.operation(
    "POST /data/{id}/recreate", "POST /data/{id}/rebuild", "POST /data/{id}/update", "POST /data/{id}/append",
    "POST /data/{id}/updateappend", dialect="unversioned",
)  # fmt: skip
@pytest.mark.operation("POST /table/{id}/refresh", dialect="2025.3")
def test_a_table_is_refreshed_from_its_source(one_sandbox, session, name):
    check_refresh(one_sandbox, cd.Data(session), name)


@pytest.mark.operation(
    "POST /data/{id}/recreate", "POST /data/{id}/rebuild", "POST /data/{id}/update", "POST /data/{id}/append",
    "POST /data/{id}/updateappend", dialect="2021.08",
)  # fmt: skip
def test_a_table_is_refreshed_from_its_source_in_an_older_version(one_sandbox, open_session, name):
    check_refresh(one_sandbox, cd.Data(open_session(one_sandbox, "2021.08")), name)


@every_dialect
def test_rows_of_a_source_are_not_appended_twice_after_a_lost_reply(running, open_session, name, api_version):
    data = cd.Data(open_session(running, api_version))
    running.put_source(f"{name}.csv", "k,n\na,1\n")
    running.feed(name, f"{name}.csv")
    running.faults.lose_reply(operation="rebuild")
    with pytest.raises(cd.AmbiguousWriteError, match="Check the table first"):
        data.rebuild_data(name, "append")
    assert running.ledger.count(name) == 2
    running.faults.lose_reply(operation="rebuild")
    data.rebuild_data(name, "reload")
    assert running.ledger.count(name) == 1


def test_tables_are_filtered_by_refresh_and_unique_key(serve):
    sandbox, session = serve("unversioned")
    data = cd.Data(session)
    data.create_data("By hand", cols={"a": "text"})
    sandbox.put_source("t.csv", "k,n\na,1\n")
    sandbox.feed("Fed", "t.csv")
    sandbox.feed("Fed by key", "t.csv", key=["k"])
    for filters, names in (
        ({"refresh": True}, ["Fed", "Fed by key"]),
        ({"refresh": False}, ["By hand"]),
        ({"unique_key_available": True}, ["Fed by key"]),
        ({"unique_key_available": False, "refresh": True}, ["Fed"]),
        ({"name": "fed", "unique_key_available": False}, ["Fed"]),
    ):
        assert data.get_data(**filters)["name"].to_list() == names


def test_the_default_method_is_reload(fresh, name):
    sandbox, data = fresh("unversioned")
    data.rebuild_data(name)
    assert [entry.path.rpartition("/")[2] for entry in sandbox.requests.of("rebuild")] == ["rebuild"]


@every_dialect
@pytest.mark.parametrize("method", [method for method, *_ in REFRESH_METHODS])
def test_a_table_without_a_source_cannot_be_refreshed(serve, name, api_version, method):
    sandbox, session = serve(api_version, assume=Assumptions(refresh_without_source="refused"))
    FRAME.clicdata.push(name, session=session)
    data = cd.Data(session)
    with pytest.raises(cd.ApiError, match="NoSource") as caught:
        data.rebuild_data(name, method)
    assert (caught.value.code, caught.value.operation, caught.value.ambiguous) == ("NoSource", "refresh", False)
    assert len(sandbox.requests.of("rebuild")) == 1
    with pytest.raises(cd.TableNotFoundError, match="RecId 1000000 to refresh"):
        data.rebuild_data(10**6, method)


@pytest.mark.parametrize("method", [method for method, *_ in REFRESH_METHODS])
def test_only_idempotent_requests_are_sent_twice(http_service, method):
    paths = []

    def answer(request):
        paths.append(request.path)
        return None if len(paths) == 1 else (200, {}, b"")

    with http_service(answer) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version="unversioned", retry=cd.RetryPolicy(backoff=0))
        if "append" in method:
            message = rf"is unknown whether .* was refreshed \({method}\).*rows twice"
            with pytest.raises(cd.AmbiguousWriteError, match=message) as caught:
                data.rebuild_data(7, method)
            assert (caught.value.rec_id, caught.value.ambiguous) == (7, True)
        else:
            assert data.rebuild_data(7, method) == {}
        data.session.close()
    assert len(paths) == (1 if "append" in method else 2)


def test_a_refresh_whose_replies_are_all_lost_is_ambiguous(http_service):
    with http_service(lambda request: None) as url:
        data = cd.Data(api_key="hush", base_url=url, api_version="2025.3", retry=cd.RetryPolicy(attempts=2, backoff=0))
        with pytest.raises(cd.AmbiguousWriteError, match=r"was refreshed \(reload\)\. Repeating the call is harmless"):
            data.rebuild_data(7)
        data.session.close()


# invalid arguments

BAD: dict[str, Any] = {
    # method, arguments → error, message
    "output": ("get_data", {"output": "json"}, ValueError, "output= must be one of 'df', 'dict'"),
    "output of a table": ("get_data", {"rec_id": 7, "output": None}, ValueError, "output= must be one of"),
    "output of a version": ("get_data_history", {"rec_id": 7, "output": "DF"}, ValueError, "output= must be one of"),
    "a table and a name": ("get_data", {"rec_id": 7, "name": "T"}, ValueError, "name= filters the list of tables"),
    "a table and a flag": ("get_data", {"rec_id": 7, "refresh": False}, ValueError, "refresh= filters the list"),
    "a table and a key": ("get_data", {"rec_id": 7, "unique_key_available": True}, ValueError, "unique_key_available="),
    "a number for a name": ("get_data", {"name": 7}, TypeError, "name="),
    "a blank name": ("get_data", {"name": " "}, ValueError, "name= must not be blank"),
    "half a surrogate pair": ("get_data", {"name": "\ud800"}, ValueError, "surrogate"),
    "a text for a flag": ("get_data", {"refresh": "true"}, TypeError, "refresh= must be True, False or None"),
    "a number for a flag": ("get_data", {"unique_key_available": 1}, TypeError, "must be True, False or None"),
    "a RecId with a fraction": ("get_data", {"rec_id": 7.5}, TypeError, "by its RecId, a whole number, or its name"),
    "a RecId of zero": ("get_data", {"rec_id": 0, "output": "dict"}, ValueError, "0 is not a RecId"),
    "no RecId": ("get_data_history", {"rec_id": None}, TypeError, "by its RecId"),
    "a bool for a RecId": ("get_data_history", {"rec_id": True}, TypeError, "by its RecId"),
    "a version with a fraction": ("get_data_history", {"rec_id": 7, "ver_id": 1.5}, ValueError, "ver_id= must be"),
    "a version before the first": ("get_data_history", {"rec_id": 7, "ver_id": -1}, ValueError, "ver_id= must be"),
    "no columns": ("create_data", {"name": "T"}, TypeError, "cols="),
    "no such type": ("create_data", {"name": "T", "cols": {"a": "txt"}}, cd.FrameError, "Valid types: text, number"),
    "no name": ("create_data", {"name": None, "cols": {"a": "text"}}, TypeError, "name"),
    "not a frame": ("append_data", {"rec_id": 7, "data": None}, TypeError, "NoneType"),
    "no such option": ("append_data", {"rec_id": 7, "data": FRAME, "batch": 1}, TypeError, "batch"),
    "a bad option": ("append_data", {"rec_id": 7, "data": FRAME, "chunksize": 0}, ValueError, "chunksize"),
    "no rows": ("create_and_append", {"name": "T"}, TypeError, "data="),
    "a bad option of push": ("static_send_data", {"name": "T", "data": FRAME, "if_exists": "x"}, ValueError, "'fail'"),
    "no such method": ("rebuild_data", {"rec_id": 7, "method": "rebuild"}, ValueError,
                       "method= must be one of 'recreate', 'reload', 'update', 'append', 'updateappend'"),
    "a list of methods": ("rebuild_data", {"rec_id": 7, "method": ["reload"]}, ValueError, "method= must be one of"),
    "nothing to refresh": ("rebuild_data", {"rec_id": ""}, ValueError, "not be blank"),
    "which rows to delete": ("delete_data", {"rec_id": 7, "filters": {"n": 1}, "multiple_rows": "last"}, ValueError,
                       "multiple_rows= must be one of 'all', 'first'"),
    "which rows to change": ("update_data",
                             {"rec_id": 7, "filters": {"n": 1}, "values": {"n": 2}, "multiple_rows": 1},
                             ValueError, "multiple_rows= must be one of"),
    "no filters": ("delete_data", {"rec_id": 7, "filters": {}}, cd.FrameError, "filters= is empty"),
    "a filter without a value": ("delete_data", {"rec_id": 7, "filters": {"n": None}}, cd.FrameError, "no value"),
    "no values": ("update_data", {"rec_id": 7, "filters": {"n": 1}, "values": {}}, cd.FrameError, "values= is empty"),
}  # fmt: skip


@every_dialect
@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_refused_before_any_request(fresh, api_version, case):
    sandbox, data = fresh(api_version)
    method, arguments, kind, text = BAD[case]
    with pytest.raises(kind, match=text):
        getattr(data, method)(**arguments)
    assert len(sandbox.requests) == 0


@every_dialect
def test_a_missing_table_raises(fresh, name, api_version):
    sandbox, data = fresh(api_version)
    for table in (f"{name}!", 10**6):
        for call in (
            lambda table=table: data.get_data(table),
            lambda table=table: data.get_data(table, output="dict"),
            lambda table=table: data.get_data_history(table),
            lambda table=table: data.get_data_history(table, 1, "dict"),
            lambda table=table: data.append_data(table, FRAME),
            lambda table=table: data.rebuild_data(table),
            lambda table=table: data.delete_data(table, {"n": 1}),
            lambda table=table: data.update_data(table, {"n": 1}, {"n": 2}),
        ):
            with pytest.raises(cd.TableNotFoundError):
                call()
    with pytest.raises(cd.TableNotFoundError, match="version 99"):
        data.get_data_history(name, 99)
    assert sandbox.ledger.count(name) == 3


def test_columns_of_the_service_stay_in_dicts(serve):
    _, session = serve(assume=Assumptions(row_id="id"))
    data = cd.Data(session)
    data.create_and_append("T", data=FRAME[["n"]])
    assert list(data.get_data("T")) == ["n"]
    assert data.get_data("T", output="dict")[0] == {"id": 1, "n": 1}


# sessions


def test_the_default_session_is_looked_up_at_each_use(serve, no_settings, name):
    data = cd.Data()
    for _ in range(2):
        sandbox, session = serve()
        cd.SessionManager.bind_session(session)
        rec_id = data.create_data(name, cols={"a": "text"})
        assert sandbox.ledger.tables() == {name: rec_id}


def test_a_data_object_with_credentials_does_not_change_the_default_session(serve, no_settings):
    sandbox, _ = serve()
    _, default = serve()
    cd.SessionManager.bind_session(default)
    data = cd.Data(api_key=sandbox.api_key, base_url=sandbox.url, api_version="2025.3")
    data.create_data("Own", cols={"a": "text"})
    assert list(sandbox.ledger.tables()) == ["Own"]
    assert cd.SessionManager.get_session() is default
    assert sandbox.api_key not in repr(data)
    data.session.close()
