"""The switches of `Assumptions`, and the table of assumed behaviours."""

import json
import re
from dataclasses import fields
from typing import Any

import pytest
import requests
from sandbox.conftest import COLUMNS

from pandas_clicdata.sandbox import ASSUMED, Assumptions, SandboxProcess
from pandas_clicdata.sandbox.assumptions import CHOICES

pytestmark = pytest.mark.sampled(1)

PAIR = [("dt", "datetime"), ("n", "number")]


def read(call, table, version="2025.3", **params):
    return call("GET", f"/data/{table}", version=version, params=params).json()


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_without_column_metadata_a_page_has_no_columns(serve, version):
    _, call = serve(assume=Assumptions(column_metadata=False))
    reply = read(call, call.make(), version)
    assert "columns" not in (reply["result"] if version else reply)


def test_created_as_object_returns_an_object_in_the_versioned_dialect(serve):
    _, call = serve(assume=Assumptions(created_as="object"))
    columns = [{"name": "x", "data_type": "text"}]
    one = call("POST", "/data", {"name": "a", "columns": columns}, version="2025.3").json()
    assert one["result"].keys() == {"id"}
    assert call("POST", "/data", {"name": "b", "columns": columns}).json() == one["result"]["id"] + 1


@pytest.mark.parametrize(
    ("form", "first", "last"),
    [
        (
            "minimal",
            {"result_count": 2, "current_page": 1, "has_more_results": True},
            {"result_count": 1, "current_page": 2, "has_more_results": False},
        ),
        ("bare", {"last_page": False}, {"last_page": True}),
    ],
)
def test_minimal_and_bare_pagination_have_fewer_fields(serve, form, first, last):
    _, call = serve(page_size=2, assume=Assumptions(pagination=form))
    table = call.make()
    call.numbers(table, 3)
    assert [read(call, table, page=page)["pagination"] for page in (1, 2)] == [first, last]


def test_iso_offset_reads_datetimes_with_an_offset(serve):
    _, call = serve(assume=Assumptions(datetime_form="iso_offset"))
    table = call.make(columns=PAIR)
    given = ["2015-06-10 22:47:32", "2015-12-31 23:00:00.000001", "0001-01-01 00:00:00", "9999-12-31 23:59:59.5", None]
    given[3] = "9999-12-31 23:59:59.500000"
    call.insert(table, [{"dt": value} for value in given])
    found = [row["dt"] for row in read(call, table)["result"]["data"]]
    assert found == [
        "2015-06-11T00:47:32+02:00",
        "2016-01-01T01:00:00.000001+02:00",
        "0001-01-01T02:00:00+02:00",
        "9999-12-31T23:59:59.500000+00:00",
        None,
    ]
    call("DELETE", f"/data/{table}/row", {"multiplerows": "all", "find": [{"column": "dt", "value": given[0]}]})
    assert len(read(call, table)["result"]["data"]) == 4
    assert len(call("GET", f"/data/{table}/v/2").json()["data"]) == 5


@pytest.mark.parametrize("name", ["id", "rec_id"])
def test_row_id_adds_a_column_that_the_server_fills(serve, name):
    sb, call = serve(assume=Assumptions(row_id=name))
    table = call.make(columns=[("n", "number")])
    call.numbers(table, 3)
    assert call("POST", f"/data/{table}/rows", {"data": [[3]]}).status_code == 200
    reply = read(call, table, None)
    assert reply["columns"] == [{"name": name, "data_type": name}, {"name": "n", "data_type": "number"}]
    assert [list(row.items()) for row in reply["data"]] == [[(name, n + 1), ("n", n)] for n in range(4)]
    assert call("POST", f"/data/{table}/insert", {"data": [{name: 9}]}, version="2025.3").status_code == 400
    for value, left in ((2.0, [1, 3, 4]), (1e300, [1, 3, 4]), (3.5, [1, 3, 4]), (None, [1, 3, 4]), (4, [1, 3])):
        find = {"multiplerows": "all", "find": [{"column": name, "value": value}]}
        assert call("DELETE", f"/data/{table}/row", find).status_code == 200
        assert [row[name] for row in read(call, table, None)["data"]] == left
    update = {**find, "data": [{"column": name, "value": 7}]}
    assert call("PUT", f"/data/{table}/row", update).status_code == 400
    taken = {"name": "x", "columns": [{"name": name.upper(), "data_type": "number"}]}
    assert call("POST", "/data", taken).status_code == 400
    assert sb.ledger.rows("T") == [{"n": 0}, {"n": 2}]


@pytest.mark.parametrize("every", CHOICES["row_id"])
@pytest.mark.parametrize("kind", ["id", "rec_id"])
def test_a_create_may_have_a_row_id_column(serve, tmp_path, kind, every):
    sb, call = serve(data=tmp_path, assume=Assumptions(row_id=every))
    table = call.make("T", [("t", "text"), ("Key", kind), ("n", "number")])
    assert call("POST", f"/data/{table}/rows", {"data": [["a", 1], ["b", 2]]}).status_code == 200
    call.insert(table, [{"n": 3, "t": "c"}, {"n": 4, "t": "d", "Key": None}])
    cells = [{"column": "t", "value": "e"}, {"column": "Key", "value": None}]
    assert call("POST", f"/data/{table}/row", {"data": [cells]}).status_code == 200

    for path, body, version in (
        ("insert", {"data": [{"n": 1, "Key": 9}]}, "2025.3"),
        ("row", {"data": [[{"column": "Key", "value": 9}]]}, None),
        ("rows", {"data": [[9, "x", 1]]}, None),
    ):
        reply = call("POST", f"/data/{table}/{path}", body, version=version)
        assert reply.json()["error"]["code"] == "InvalidBody"

    def change(key, **data):
        body = {"multiplerows": "all", "find": [{"column": "Key", "value": key}]}
        body["data"] = [{"column": column, "value": value} for column, value in data.items()]
        return call("PUT", f"/data/{table}/row", body)

    assert change(2, t="B", Key=None).status_code == 200
    assert change(2, Key=None).status_code == 200
    assert change(2, Key=7).json()["error"]["code"] == "InvalidBody"
    gone = {"multiplerows": "all", "find": [{"column": "Key", "value": 1}]}
    call("DELETE", f"/data/{table}/row", gone).raise_for_status()

    expected = [(2, "B", 2), (3, "c", 3), (4, "d", 4), (5, "e", None)]
    columns = [
        {"name": "Key", "data_type": kind},
        {"name": "t", "data_type": "text"},
        {"name": "n", "data_type": "number"},
    ]
    for _ in range(2):
        for version in (None, "2025.3"):
            reply = read(call, table, version)
            reply = reply["result"] if version else reply
            assert reply["columns"] == columns
            assert [list(row) for row in reply["data"]] == [["Key", "t", "n"]] * 4
            assert [tuple(row.values()) for row in reply["data"]] == expected
        old = call("GET", f"/data/{table}/v/2").json()
        assert old["columns"] == columns
        assert [tuple(row.values()) for row in old["data"]] == [(1, "a", 1), (2, "b", 2)]
        assert sb.ledger.rows("T")[0] == {"t": "B", "n": 2}
        sb.stop()
        sb, call = serve(data=tmp_path)


def test_without_row_id_in_create_such_a_create_is_a_400(serve):
    for choice, status in ((True, 200), (False, 400)):
        _, call = serve(assume=Assumptions(row_id_in_create=choice))
        columns = [{"name": "x", "data_type": "text"}, {"name": "y", "data_type": "id"}]
        assert call("POST", "/data", {"name": "T", "columns": columns}).status_code == status


def test_refusal_status_ok_refuses_with_200(serve):
    _, call = serve(assume=Assumptions(refusal_status="ok"), scopes=["data_read"])
    for path in ("/data/7", "/account"):
        for version in (None, "2025.3"):
            reply = call("GET", path, version=version)
            assert reply.status_code == 200
            assert reply.json()["error"]["code"] in ("NotFound", "Forbidden")
    assert call("GET", "/account", headers={"CLICDATA-API-KEY": "x"}).status_code == 401
    assert call("GET", "/nowhere").status_code == 404


def test_without_insert_counts_an_insert_returns_an_empty_object(serve):
    _, call = serve(assume=Assumptions(insert_counts=False))
    assert call.insert(call.make(), [{"n": 1}]) == {}


# paths and versions


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_a_path_is_also_answered_with_a_trailing_slash(serve, version):
    sb, call = serve()
    table = call.make(columns=[("n", "number")])
    before = max(entry.number for entry in sb.requests)
    assert call("GET", "/account/", version=version).status_code == 200
    assert call("GET", f"/data/{table}/", version=version).status_code == 200
    new = {"name": "x", "columns": [{"name": "n", "data_type": "number"}]}
    assert call("POST", "/data/", new, version=version).status_code == 200
    assert call("DELETE", "/data/", version=version).status_code == 405
    assert [entry.operation for entry in sb.requests if entry.number > before][:3] == ["account", "read", "create"]


def test_without_trailing_slashes_such_a_path_is_a_404(serve):
    sb, call = serve(assume=Assumptions(trailing_slashes=False))
    for method, path in (("GET", "/data/"), ("POST", "/data/"), ("GET", "/account/")):
        assert call(method, path).json()["error"]["code"] == "UnknownRoute"
    assert {entry.operation for entry in sb.requests} == {None}


@pytest.mark.parametrize("mode", ["both", "versioned"])
def test_without_version_headers_no_reply_has_them(serve, mode):
    sb, call = serve(mode, assume=Assumptions(version_headers=False))
    sb.faults.status(500, operation="profile")
    for path, status in (("/account", 200), ("/nowhere", 404), ("/profile/user", 500)):
        reply = call("GET", path, version="2025.3")
        assert reply.status_code == status
        assert not [name for name in reply.headers if name.lower().startswith("api-")]


KNOWN = ["2021.08", "2022.01", "2024.1", "2025.3", "2025.4"]


@pytest.mark.parametrize("newest", CHOICES["newest_version"])
def test_versions_after_the_newest_are_unknown(serve, newest):
    _, call = serve(assume=Assumptions(newest_version=newest))
    known = KNOWN[: KNOWN.index(newest) + 1]
    for version in KNOWN:
        reply = call("GET", "/account", version=version)
        assert reply.status_code == (200 if version in known else 400)
        assert version in known or reply.json()["error"]["code"] == "InvalidVersion"
    listed = [reply.headers.get(f"api-{kind}-versions") for kind in ("deprecated", "supported")]
    assert ", ".join(filter(None, listed)) == ", ".join(known)
    documents = [call("GET", "/_sandbox/openapi.json", version=version).status_code for version in KNOWN]
    assert documents == [200 if version in known else 404 for version in KNOWN]


# appends


APPENDS = {
    "insert": ("insert", "2025.3", lambda count: [{"n": 1}] * count),
    "row": ("row", None, lambda count: [[{"column": "n", "value": 1}]] * count),
    "rows": ("rows", None, lambda count: [[1]] * count),
}


@pytest.mark.parametrize(("limit", "limited"), [("insert", {"insert"}), ("all", {*APPENDS}), ("none", set())])
def test_row_limit_says_which_appends_take_500_rows(serve, limit, limited):
    sb, call = serve(assume=Assumptions(row_limit=limit))
    for form, (path, version, rows) in APPENDS.items():
        table = call.make(form, [("n", "number")])
        statuses = [
            call("POST", f"/data/{table}/{path}", {"data": rows(count)}, version=version).status_code
            for count in (501, 500)
        ]
        assert statuses == [400 if form in limited else 200, 200]
        assert sb.ledger.count(form) == (500 if form in limited else 1001)
    table = call.make("cells", [("n", "number")])
    body = {"data": [[{"column": "n", "value": 1}]] * 501}
    assert call("POST", f"/table/{table}", body, version="2021.08").status_code == (400 if limit == "all" else 200)


@pytest.mark.parametrize("form", APPENDS)
def test_refused_rows_says_whether_a_row_or_the_request_is_refused(serve, form):
    columns = [("n", "number"), ("t", "text")]
    path, version, rows = {
        "insert": ("insert", "2025.3", [{"n": 1}, {"n": "x"}, {"m": 1}, "x", {"n": 2, "t": "t"}]),
        "row": ("row", None, [[{"column": "n", "value": 1}], [{"column": "m", "value": 1}], [{}], [
            {"column": "n", "value": 2}, {"column": "t", "value": "t"}]]),
        "rows": ("rows", None, [[1, None], [1], ["x", None], {}, [2, "t"]]),
    }[form]  # fmt: skip
    for choice in CHOICES["refused_rows"]:
        sb, call = serve(assume=Assumptions(refused_rows=choice))
        table = call.make("T", columns)
        reply = call("POST", f"/data/{table}/{path}", {"data": rows}, version=version)
        assert reply.status_code == (200 if choice == "row" else 400)
        if choice == "row":
            assert sb.ledger.rows("T") == [{"n": 1, "t": None}, {"n": 2, "t": "t"}]
            if version:
                assert reply.json()["result"] == {"rows_inserted": 2, "rows_found": 5}
            all_bad = call("POST", f"/data/{table}/{path}", {"data": rows[1:-1]}, version=version)
            assert all_bad.status_code == 200
        assert sb.ledger.count("T") == (2 if choice == "row" else 0)
        bad: list[Any] = [{"data": []}, {"data": {}}, {"rows": rows}, "[1"]
        for body in bad:
            assert call("POST", f"/data/{table}/{path}", body, version=version).status_code == 400


def test_duplicate_rows_are_kept_or_dropped(serve):
    rows = [{"n": 1, "t": "a"}, {"n": 1, "t": "a"}, {"n": 1, "t": "A"}, {"n": 1, "t": None}]
    for choice, inserted, count in (("kept", 4, 8), ("dropped", 3, 3)):
        sb, call = serve(assume=Assumptions(duplicate_rows=choice, row_id="id"))
        table = call.make("T", [("n", "number"), ("t", "text")])
        assert call.insert(table, rows) == {"rows_inserted": inserted, "rows_found": 4}
        body = f'{{"data": {json.dumps(rows).replace("1", "1.0")}}}'
        reply = call("POST", f"/data/{table}/insert", body, version="2025.3").json()
        assert reply["result"] == {"rows_inserted": count - inserted, "rows_found": 4}
        assert sb.ledger.count("T") == count


# values

# For each column, values with what is stored for them. The strict sandbox takes none of them.
CONVERTED = [
    ("t", [(1, "1"), (True, "true"), (False, "false")]),
    ("o", [(2, "2"), (True, "true")]),
    ("n", [("3", 3), ("-1.50", -1.5), ("1e3", 1000.0)]),
    ("p", [("0.25", 0.25)]),
    ("c", [(0, False), (1, True), ("true", True), ("False", False), ("TRUE", True)]),
    ("d", [("2024-02-29 00:00:00", "2024-02-29"), ("2024-02-29T00:00:00Z", "2024-02-29"),
           ("2024-02-29T02:00:00.000+02:00", "2024-02-29")]),
    ("dt", [("2024-02-29T12:30:00", "2024-02-29 12:30:00"), ("2024-02-29T12:30:00Z", "2024-02-29 12:30:00"),
            ("2024-02-29T00:30:00+02:00", "2024-02-28 22:30:00"), ("2024-02-29", "2024-02-29 00:00:00"),
            ("2024-02-29T23:30:00.5-05:30", "2024-03-01 05:00:00.500000"),
            ("2024-02-29T12:30:00.1234560Z", "2024-02-29 12:30:00.123456"),
            ("2024-02-29T12:30:00.0000000", "2024-02-29 12:30:00"),
            ("0001-01-01T00:00:00", "0001-01-01 00:00:00")]),
]  # fmt: skip
NOT_CONVERTED: list[tuple[str, list[Any]]] = [
    ("t", [[], {}, [1]]),
    ("o", [["a"]]),
    ("n", ["", " 3", "0x1F", "1,5", "NaN", "+1", "01", True, [], "1" * 1001, "1e99999", "3\n", "٣"]),
    ("p", ["25 %", "25%", True]),
    ("c", [2, -1, 1.0, "", "yes", "0", "1", "fal\u017fe", [], "true "]),
    ("d", ["", "2024-1-1", "2024-02-30", "2024-02-29 00:00:01", "2024-02-29T00:00:00+02:00", 20240229, "2024-02-29T"]),
    ("dt", ["", "2024-02-30", "2024-02-30T00:00:00", "2024-02-29 12:30:00Z", "2024-02-29T24:00:00", 0, True,
            "2024-02-29T12:30:00.1234567", "2024-02-29T12:30:00.", "2024-02-29T12:30", "2024-02-29T12:30:00 Z",
            "2024-02-29T12:30:00+24:00", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00",
            "2024-02-29t12:30:00", "2024-02-29T12:30:00z", "2024-02-29 12:30:00.5", "\uff12024-02-29T12:30:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("column", "cases"), CONVERTED)
def test_value_conversion_says_whether_other_json_types_are_converted(serve, column, cases):
    _, strict = serve(assume=Assumptions(value_conversion="strict"))
    _, call = serve()
    for position, (value, stored) in enumerate(cases):
        body = {"data": [{column: None}, {column: value}]}
        reply = strict("POST", f"/data/{strict.make(f'T{position}')}/insert", body, version="2025.3")
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidValue"), value
        table = call.make(f"T{position}")
        call.insert(table, body["data"])
        cells = [{"column": column, "value": value}]
        call("POST", f"/data/{table}/row", {"data": [cells]}).raise_for_status()
        values = [row[column] for row in call("GET", f"/data/{table}").json()["data"]]
        assert values == [None, stored, stored]
        assert {type(found) for found in values[1:]} == {type(stored)}
        # A condition and a new value are converted, too.
        change = {"multiplerows": "all", "find": [{"column": column, "value": None}], "data": cells}
        call("PUT", f"/data/{table}/row", change).raise_for_status()
        assert [row[column] for row in call("GET", f"/data/{table}").json()["data"]] == [stored] * 3
        call("DELETE", f"/data/{table}/row", {"multiplerows": "all", "find": cells}).raise_for_status()
        assert call("GET", f"/data/{table}").json()["data"] == []


@pytest.mark.parametrize(("column", "values"), NOT_CONVERTED)
def test_a_value_that_cannot_be_converted_is_a_400(call, sb, column, values):
    table = call.make()
    for value in values:
        body = {"data": [{column: None}, {column: value}]}
        reply = call("POST", f"/data/{table}/insert", body, version="2025.3")
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidValue"), value
        assert reply.json()["error"]["description"].startswith(f"Row 2, column '{column}' (")
    assert sb.ledger.count(table) == 0


def test_a_number_in_a_text_column_keeps_every_digit(call):
    table = call.make(columns=[("t", "text")])
    call("POST", f"/data/{table}/rows", '{"data": [[1.10], [1E+2], [9007199254740993]]}').raise_for_status()
    assert [row["t"] for row in call("GET", f"/data/{table}").json()["data"]] == ["1.10", "1E+2", "9007199254740993"]


# reads and versions


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_newest_first_reverses_the_rows_of_tables_and_versions(serve, version):
    _, call = serve(page_size=2, assume=Assumptions(row_order="newest_first"))
    table = call.make(columns=[("n", "number")])
    call.numbers(table, 5)

    def rows(path):
        pages = [call("GET", path, version=version, params={"page": page}).json() for page in (1, 2, 3, 4)]
        return [[row["n"] for row in (page["result"] if version else page)["data"]] for page in pages]

    assert rows(f"/data/{table}") == [[4, 3], [2, 1], [0], []]
    assert rows(f"/data/{table}/v/2") == [[4, 3], [2, 1], [0], []]
    one = {"multiplerows": "all", "find": [{"column": "n", "value": 3}]}
    call("DELETE", f"/data/{table}/row", one, version=version).raise_for_status()
    assert rows(f"/data/{table}") == [[4, 2], [1, 0], [], []]
    assert rows(f"/data/{table}/v/2") == [[4, 3], [2, 1], [0], []]


def test_newest_first_does_not_change_the_first_row_of_a_find(serve):
    sb, call = serve(assume=Assumptions(row_order="newest_first"))
    table = call.make("T", columns=[("n", "number"), ("t", "text")])
    call.insert(table, [{"n": 1, "t": "old"}, {"n": 1, "t": "new"}])
    one = {"multiplerows": "first", "find": [{"column": "n", "value": 1}]}
    call("DELETE", f"/data/{table}/row", one).raise_for_status()
    assert sb.ledger.rows("T") == [{"n": 1, "t": "new"}]


@pytest.mark.parametrize(("choice", "listed"), [("all", [1, 2, 3, 4, 5]), ("capped", [3, 4, 5]), ("cleared", [])])
@pytest.mark.parametrize("version", [None, "2025.3"])
def test_versions_kept_says_which_versions_can_be_read(serve, choice, listed, version):
    _, call = serve(assume=Assumptions(versions_kept=choice))
    table = call.make(columns=[("n", "number")])
    for number in range(4):
        call.insert(table, [{"n": number}])
    reply = call("GET", f"/data/{table}/versions", version=version).json()
    assert [each["version"] for each in (reply["result"] if version else reply)["versions"]] == listed
    for number in range(1, 7):
        status = call("GET", f"/data/{table}/v/{number}", version=version).status_code
        assert status == (200 if number in listed else 404)
    assert call("GET", f"/data/{table}", version=version).status_code == 200


# tables and their refreshes


def test_name_case_says_whether_names_that_differ_in_case_are_the_same(serve, tmp_path):
    columns = [{"name": "n", "data_type": "number"}]

    def create(call, name):
        return call("POST", "/data", {"name": name, "columns": columns}).status_code

    sb, call = serve(data=tmp_path)
    assert [create(call, name) for name in ("Flights", "FLIGHTS", "Flights")] == [200, 409, 409]
    sb.stop()
    sb, call = serve(data=tmp_path, assume=Assumptions(name_case="sensitive"))
    assert [create(call, name) for name in ("Flights", "FLIGHTS", "FLIGHTS", "flights")] == [409, 200, 409, 200]
    assert {*sb.ledger.tables()} == {"Flights", "FLIGHTS", "flights"}
    sb.stop()
    sb, call = serve(data=tmp_path)
    assert [create(call, name) for name in ("Flights", "FLIGHTS", "FlightS")] == [409, 409, 409]


@pytest.mark.parametrize("mode", ["reload", "rebuild", "update", "append", "updateappend"])
def test_refresh_without_source_is_unchanged_or_refused(serve, mode):
    for choice, status in (("unchanged", 200), ("refused", 400)):
        sb, call = serve(assume=Assumptions(refresh_without_source=choice))
        table = call.make("T", [("n", "number")])
        call.numbers(table, 2)
        for path, body, version in (
            (f"data/{table}/{mode}", None, None),
            (f"table/{table}/refresh", {"mode": mode}, "2025.3"),
        ):
            reply = call("POST", f"/{path}", body, version=version)
            assert reply.status_code == status
            assert status == 200 or reply.json()["error"]["code"] == "NoSource"
        assert len(call("GET", f"/data/{table}/versions").json()["versions"]) == 2
        number = sb.schedule("S", tables=["T"], method="reload")
        call("POST", f"/schedule/{number}/trigger").raise_for_status()
        state = call("GET", f"/schedule/{number}").json()["schedules"][0]["status"]
        assert state == ("succeeded" if choice == "unchanged" else "failed")


@pytest.mark.parametrize(("choice", "result"), [("success", {"success": True}), ("empty", {})])
def test_refresh_result_is_the_result_of_a_refresh(serve, choice, result):
    sb, call = serve(assume=Assumptions(refresh_result=choice))
    sb.put_source("t.csv", "n\n1\n")
    fed, made = sb.feed("F", "t.csv"), call.make()
    for table in (fed, made):
        reply = call("POST", f"/table/{table}/refresh", {"mode": "reload"}, version="2025.3").json()
        assert reply == {"success": True, "result": result}
    assert call("POST", f"/data/{fed}/reload", version="2022.01").json() == {"success": True, "result": {}}


# the account


@pytest.mark.parametrize(("choice", "domain"), [("subdomain", "sandbox"), ("host", "sandbox.example")])
def test_account_domain_is_the_form_of_the_domain(serve, choice, domain):
    _, call = serve(assume=Assumptions(account_domain=choice))
    assert call("GET", "/account").json()["domain"] == domain
    assert call("GET", "/account", version="2025.3").json()["result"]["domain"] == domain


def test_account_usage_is_nested_or_absent(serve):
    for choice in CHOICES["account_usage"]:
        _, call = serve(assume=Assumptions(account_usage=choice))
        call.numbers(call.make(columns=[("n", "number")]), 3)
        bare, wrapped = call("GET", "/account").json(), call("GET", "/account", version="2025.3").json()["result"]
        assert wrapped.keys() == {"id", "name", "domain"}
        extra = {name: value for name, value in bare.items() if name not in wrapped}
        used = {"tables": 1, "rows": 3, "users": 1}
        assert extra == ({} if choice == "flat" else {"usage": used, "limits": dict.fromkeys(used)})


# users

ADA = {"email_address": "ada@acme.example", "first_name": "Ada"}


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_licensed_users_have_a_licence_and_a_first_name(serve, tmp_path, version):
    sb, call = serve(data=tmp_path)

    def send(method, path, body=None, status=200):
        reply = call(method, path, body, version=version)
        assert reply.status_code == status, reply.text
        return reply.json()["result"] if version and status == 200 else reply.json()

    one = send("POST", "/user", ADA)
    two = send("POST", "/user", {**ADA, "email_address": "b@acme.example", "licence": "viewer", "last_name": "B"})
    three = send("POST", "/user", {**ADA, "email_address": "c@acme.example", "license": "viewer"})
    wrong: list[dict[str, Any]] = [
        {"first_name": None}, {"first_name": ""}, {"first_name": " "}, {"licence": "owner"}, {"license": None},
        {"licence": []}, {"licence": "editor", "license": "viewer"},
    ]  # fmt: skip
    for change in wrong:
        send("POST", "/user", {**ADA, "email_address": "d@acme.example", **change}, 400)
    send("POST", "/user", {"email_address": "d@acme.example"}, 400)
    send("PUT", f"/user/{one}", {"license": "viewer"})
    send("PUT", f"/user/{two}", {"licence": "editor", "license": "editor"})
    send("PUT", f"/user/{three}", {"licence": "Viewer"}, 400)
    for _ in range(2):
        assert [send("GET", f"/user/{user}")["licence"] for user in (1, one, two, three)] == [
            "editor", "viewer", "editor", "viewer"
        ]  # fmt: skip
        assert send("GET", "/profile/user")["licence"] == "editor"
        sb.stop()
        sb, call = serve(data=tmp_path)


def test_plain_users_have_no_licence_and_need_no_name(serve):
    _, call = serve(assume=Assumptions(users="plain"))
    user = call("POST", "/user", {"email_address": "ada@acme.example"}).json()
    shown = call("GET", f"/user/{user}").json()
    assert shown.keys() == {"rec_id", "email_address", "first_name", "last_name", "last_login_date", "teams"}
    assert shown["first_name"] == ""
    for method, path in (("POST", "/user"), ("PUT", f"/user/{user}")):
        body = {**ADA, "email_address": "b@acme.example", "licence": "viewer"}
        assert call(method, path, body).json()["error"]["code"] == "InvalidBody"


# schedules


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_a_single_schedule_is_in_a_list_or_an_object(serve, version):
    shown = {}
    for form in CHOICES["single_schedule"]:
        sb, call = serve(assume=Assumptions(single_schedule=form))
        call.make("T", [("n", "number")])
        number = sb.schedule("Nightly", tables=["T"], method="reload")
        reply = call("GET", f"/schedule/{number}", version=version).json()
        shown[form] = reply["result"] if version else reply
    assert shown["object"]["name"] == "Nightly"
    assert shown["list"] == ([shown["object"]] if version else {"schedules": [shown["object"]]})


# updates


def update(call, table, **body):
    return call("PUT", f"/data/{table}/row", {"multiplerows": "all", "find": [{"column": "a", "value": "x"}], **body})


def for_update(serve, **switches):
    sb, call = serve(assume=Assumptions(**switches))
    table = call.make("T", [("a", "text"), ("b", "number"), ("c", "text")])
    call.insert(table, [{"a": "x", "b": 1, "c": "keep"}, {"a": "y", "b": 1, "c": "keep"}])
    return sb, call, table


NEW = [{"column": "b", "value": 2}]


@pytest.mark.parametrize(
    ("key", "accepted"), [("data", {"data"}), ("update", {"update"}), ("either", {"data", "update"})]
)
def test_update_key_is_the_key_of_the_new_values(serve, key, accepted):
    sb, call, table = for_update(serve, update_key=key)
    for given in ("data", "update", "values"):
        before = sb.ledger.rows("T")
        assert update(call, table, **{given: NEW}).status_code == (200 if given in accepted else 400)
        assert (sb.ledger.rows("T")[0]["b"] == 2) is (given in accepted or before[0]["b"] == 2)
        call(
            "PUT",
            f"/data/{table}/row",
            {"multiplerows": "all", "find": NEW, min(accepted): [{"column": "b", "value": 1}]},
        )
        assert [row["b"] for row in sb.ledger.rows("T")] == [1, 1]
    assert update(call, table, data=NEW, update=NEW).status_code == 400
    assert update(call, table).status_code == 400


@pytest.mark.parametrize(
    ("choice", "status", "first"),
    [
        ("refused", 400, {"a": "x", "b": 1, "c": "keep"}),
        ("ignored", 200, {"a": "x", "b": 1, "c": "keep"}),
        ("cleared", 200, {"a": "x", "b": None, "c": None}),
    ],
)
def test_unknown_update_key_is_what_an_update_with_another_key_does(serve, choice, status, first):
    sb, call, table = for_update(serve, unknown_update_key=choice)
    assert update(call, table, update=NEW).status_code == status
    assert sb.ledger.rows("T") == [first, {"a": "y", "b": 1, "c": "keep"}]
    assert update(call, table, data=NEW, update=[]).status_code == status
    assert sb.ledger.rows("T")[0]["b"] == (first["b"] if choice == "refused" else 2)
    assert update(call, table).status_code == 400


# conditions


def found(call, table, column, value):
    """Return the numbers of the rows that match, by deleting them and counting the rest."""
    body = {"multiplerows": "all", "find": [{"column": column, "value": value}]}
    assert call("PUT", f"/data/{table}/row", {**body, "data": [{"column": "hit", "value": True}]}).status_code == 200
    rows = [row["hit"] for row in call("GET", f"/data/{table}").json()["data"]]
    clear = {"multiplerows": "all", "find": [{"column": "hit", "value": True}]}
    call("PUT", f"/data/{table}/row", {**clear, "data": [{"column": "hit", "value": False}]}).raise_for_status()
    return [number for number, hit in enumerate(rows) if hit]


FINDS = [
    ("find_text", "ignore_case", "t", ["Newark", "NEWARK", "newark  ", " newark", None, "ß", "null"], {
        "newark": ([], [0, 1, 2]), "SS": ([], [5]), "null": ([6], [6])}),
    ("find_text", "ignore_case", "o", ["Newark", "NEWARK"], {"newark": ([], [0, 1])}),
    ("find_numbers", "double", "n", [9007199254740992, 9007199254740993, 0.1, None, 0], {
        9007199254740993: ([1], [0, 1]), 0.1: ([2], [2]), -0.0: ([4], [4])}),
    ("find_numbers", "double", "p", [9007199254740992, 9007199254740993], {9007199254740993: ([1], [0, 1])}),
    ("find_datetimes", "seconds", "dt", ["2024-01-01 00:00:00", "2024-01-01 00:00:00.500000", "2024-01-01 00:00:01"], {
        "2024-01-01 00:00:00": ([0], [0, 1]), "2024-01-01 00:00:00.250000": ([], [0, 1])}),
    ("find_nulls", "nothing", "t", ["a", None], {None: ([1], []), "a": ([0], [0])}),
    ("find_nulls", "nothing", "n", [1, None], {None: ([1], [])}),
]  # fmt: skip


@pytest.mark.parametrize("rows_more", [0, 2100], ids=["scanned", "indexed"])
@pytest.mark.parametrize(("switch", "choice", "column", "values", "cases"), FINDS)
def test_find_switches_say_which_values_match(serve, switch, choice, column, values, cases, rows_more):
    for place, value in enumerate((CHOICES[switch][0], choice)):
        _, call = serve(page_size=5000, assume=Assumptions(**{switch: value}))
        table = call.make("T", [*COLUMNS, ("hit", "checkbox")])
        call.insert(table, [{column: value, "hit": False} for value in values])
        for _ in range(rows_more // 300):
            call.insert(
                table,
                [
                    {
                        column: "2000-01-01 00:00:00" if column == "dt" else 123456 if column in "np" else "filler",
                        "hit": False,
                    }
                ]
                * 300,
            )
        for wanted, expected in cases.items():
            assert found(call, table, column, wanted) == expected[place], (value, wanted)


def test_an_index_of_a_data_folder_does_not_outlive_its_switch(serve, tmp_path):
    for choice, hits in (("exact", [0]), ("ignore_case", [0, 1]), ("exact", [0])):
        sb, call = serve(data=tmp_path, page_size=5000, assume=Assumptions(find_text=choice))
        if not sb.ledger.tables():
            table = call.make("T", [*COLUMNS, ("hit", "checkbox")])
            call(
                "POST",
                f"/data/{table}/rows",
                {"data": [[text, *[None] * 6, False] for text in ["a", "A", *["filler"] * 2100]]},
            ).raise_for_status()
        assert found(call, sb.ledger.table_id("T"), "t", "a") == hits
        sb.stop()


# public clients


def test_requests_of_public_clients_are_answered(sb, call):
    columns = [{"name": "flight", "data_type": "text"}, {"name": "delay", "data_type": "number"}]
    table = call("POST", "/data/", {"name": "Flights", "columns": columns}).json()
    rows = [[{"column": "flight", "value": f"UA{n}"}, {"column": "delay", "value": n}] for n in range(1200)]
    assert call("POST", f"/data/{table}/row", {"data": rows}).json() == {"success": True}
    assert sb.ledger.count(table) == 1200
    listed = call("GET", "/data/").json()
    assert [(listed["count"], entry["rec_id"], entry["name"]) for entry in listed["data"]] == [(1, table, "Flights")]
    schedule = sb.schedule("Nightly", tables=["Flights"], method="reload")
    (one,) = call("GET", f"/schedule/{schedule}").json()["schedules"]
    assert one["name"] == "Nightly"


# the table


@pytest.mark.parametrize("field", [field.name for field in fields(Assumptions)])
def test_each_switch_refuses_an_unknown_value(field):
    wrong: tuple[Any, ...] = ("nonsense", 1, 0, [])
    for value in wrong:
        with pytest.raises(ValueError, match=f"Assumptions.{field} is "):
            Assumptions(**{field: value})


@pytest.mark.slow
def test_a_sandbox_in_another_process_takes_every_switch():
    last = Assumptions(**{name: choices[-1] for name, choices in CHOICES.items()})
    with SandboxProcess() as process, process.sandbox(assume=last) as sandbox:
        assert sandbox.assume == last
        account = sandbox.url + "/account"
        keyed = {"CLICDATA-API-KEY": sandbox.api_key}
        with requests.Session() as http:
            http.trust_env = False
            reply = http.get(account, headers=keyed, timeout=10)
            assert reply.json() == {"id": 1, "name": "Sandbox", "domain": "sandbox.example"}
            assert http.get(account + "/", headers=keyed, timeout=10).json()["error"]["code"] == "UnknownRoute"
            assert http.get(account, headers=keyed, params={"api_version": "2022.01"}, timeout=10).json() == {
                "success": False,
                "error": {"code": "InvalidVersion", "description": "The API version '2022.01' is unknown."},
            }


def test_the_table_lists_every_switch():
    switches = {each.switch for each in ASSUMED if each.switch}
    assert switches == {field.name for field in fields(Assumptions)} == CHOICES.keys()
    assert all(each.behaviour.endswith(".") and each.tag in "SOPWA" for each in ASSUMED)


@pytest.mark.parametrize("field", fields(Assumptions), ids=lambda field: field.name)
def test_the_first_choice_of_a_switch_is_its_default(field):
    assert field.default is CHOICES[field.name][0]


@pytest.mark.parametrize("switch", CHOICES)
def test_the_docstring_describes_every_choice_of_a_switch(switch):
    entry = re.search(rf"    {switch} : (.+)\n((?:        .*\n)+)", Assumptions.__doc__ or "")
    assert entry is not None
    kind = "bool" if True in CHOICES[switch] else "{" + ", ".join(map(json.dumps, CHOICES[switch])) + "}"
    assert entry[1].replace("None", "null") == f"{kind}, default {json.dumps(CHOICES[switch][0])}".replace(
        "true", "True"
    )
