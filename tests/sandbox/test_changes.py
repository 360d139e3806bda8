"""Updates and deletes: the rows they match, and the versions they create."""

from typing import Any

import pytest

pytestmark = pytest.mark.sampled(1)

PAIR = [("k", "text"), ("n", "number")]


def match(column, value, multiple="all", **more):
    return {"multiplerows": multiple, "find": [{"column": column, "value": value}], **more}


@pytest.mark.parametrize("version", [None, "2025.3"])
@pytest.mark.parametrize(("multiple", "left"), [("all", ["b"]), ("first", ["b", "a"])])
def test_delete_removes_all_matching_rows_or_the_first(call, sb, version, multiple, left):
    table = call.make(columns=PAIR)
    call.insert(table, [{"k": "a"}, {"k": "b"}, {"k": "a"}])
    assert call("DELETE", f"/data/{table}/row", match("k", "a", multiple), version=version).json()["success"] is True
    assert [row["k"] for row in sb.ledger.rows(table)] == left


@pytest.mark.parametrize("version", [None, "2025.3"])
@pytest.mark.parametrize(("multiple", "found"), [("all", [9, 2, 9]), ("first", [9, 2, 3])])
def test_update_keeps_the_place_of_a_row(call, sb, version, multiple, found):
    table = call.make(columns=PAIR)
    call.insert(table, [{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "a", "n": 3}])
    body = match("k", "a", multiple, data=[{"column": "n", "value": 9}, {"column": "k", "value": None}])
    assert call("PUT", f"/data/{table}/row", body, version=version).json()["success"] is True
    assert [row["n"] for row in sb.ledger.rows(table)] == found
    assert sb.ledger.inserts(table)[0][1] == [{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "a", "n": 3}]


@pytest.mark.parametrize("big", [False, True], ids=["scan", "index"])
@pytest.mark.parametrize(
    ("kind", "stored", "wanted", "matches"),
    [
        ("number", "1", "1.0", True),
        ("number", "1.10", "11e-1", True),
        ("number", "-0.0", "0", True),
        ("number", "100", "1E2", True),
        ("number", "9007199254740993", "9007199254740992", False),
        ("number", "0.1", "0.10000000000000001", False),
        ("number", "1", "-1", False),
        ("number", "null", "null", True),
        ("number", "0", "null", False),
        ("percentage", "0.25", "0.250", True),
        ("text", '"a"', '"\\u0061"', True),
        ("text", '"a"', '"A"', False),
        ("text", '"a"', '"a "', False),
        ("text", '"\\u00e9"', '"e\\u0301"', False),
        ("text", '""', '""', True),
        ("text", '""', "null", False),
        ("text", "null", "null", True),
        ("text", '"null"', "null", False),
        ("text", '"a\\u0000b"', '"a\\u0000c"', False),
        ("dropdown", '"x"', '"x"', True),
        ("checkbox", "true", "true", True),
        ("checkbox", "true", "false", False),
        ("date", '"2020-01-01"', '"2020-01-01"', True),
        ("datetime", '"2020-01-01 00:00:00"', '"2020-01-01 00:00:00.000000"', True),
        ("datetime", '"2020-01-01 00:00:00"', '"2020-01-01 00:00:00.000001"', False),
    ],
)
def test_find_compares_values_and_not_their_spelling(serve, monkeypatch, kind, stored, wanted, matches, big):
    if big:
        monkeypatch.setattr("pandas_clicdata.sandbox.store._INDEX_FROM", 1)
    sb, call = serve()
    table = call.make(columns=[("v", kind)])
    call("POST", f"/data/{table}/rows", f'{{"data": [[{stored}]]}}').raise_for_status()
    for _ in range(2):
        body = f'{{"multiplerows": "all", "find": [{{"column": "v", "value": {wanted}}}]}}'
        call("DELETE", f"/data/{table}/row", body).raise_for_status()
        assert sb.ledger.count(table) == (0 if matches else 1)


def test_a_row_must_match_every_find(call, sb):
    table = call.make(columns=PAIR)
    call.insert(table, [{"k": k, "n": n} for k in "ab" for n in (1, 2)])
    body = {"multiplerows": "all", "find": [{"column": "k", "value": "a"}, {"column": "n", "value": 2}]}
    assert call("DELETE", f"/data/{table}/row", body).status_code == 200
    assert sb.ledger.rows(table) == [{"k": "a", "n": 1}, {"k": "b", "n": 1}, {"k": "b", "n": 2}]


def test_a_change_without_matching_rows_succeeds_and_creates_no_version(call):
    table = call.make(columns=PAIR)
    assert call("DELETE", f"/data/{table}/row", match("k", "a")).json() == {"success": True}
    body = match("k", "a", data=[{"column": "n", "value": 1}])
    assert call("PUT", f"/data/{table}/row", body).json() == {"success": True}
    assert len(call("GET", f"/data/{table}/versions").json()["versions"]) == 1


def test_deletes_by_more_columns_than_there_are_indexes_work(serve, monkeypatch):
    monkeypatch.setattr("pandas_clicdata.sandbox.store._INDEX_FROM", 1)
    sb, call = serve()
    names = [f"c{n}" for n in range(9)]
    table = call.make(columns=[(name, "number") for name in names])
    call.insert(table, [dict.fromkeys(names, n) for n in range(20)])
    for n, name in enumerate(names):
        call("DELETE", f"/data/{table}/row", match(name, n)).raise_for_status()
    find = [{"column": name, "value": 9} for name in names]
    call("DELETE", f"/data/{table}/row", {"multiplerows": "all", "find": find}).raise_for_status()
    assert [row["c0"] for row in sb.ledger.rows(table)] == list(range(10, 20))


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_every_version_can_be_read_page_by_page(serve, version):
    sb, call = serve(page_size=2)
    table = call.make(columns=PAIR)
    history: list[list[tuple[Any, Any]]] = [[]]

    def note():
        history.append([(row["k"], row["n"]) for row in sb.ledger.rows(table)])

    call.insert(table, [{"k": k, "n": 1} for k in "abcd"])
    note()
    call("PUT", f"/data/{table}/row", match("k", "b", data=[{"column": "n", "value": 2}]))
    note()
    call("DELETE", f"/data/{table}/row", match("k", "a"))
    note()
    call("PUT", f"/data/{table}/row", match("k", "b", data=[{"column": "n", "value": 3}]))
    note()
    call.insert(table, [{"k": "e", "n": 5}])
    note()
    call("DELETE", f"/data/{table}/row", match("k", "b"))
    note()

    def unwrap(reply):
        return reply.json()["result"] if version else reply.json()

    listed = unwrap(call("GET", f"/data/{table}/versions", version=version))["versions"]
    assert [(entry["version"], entry["row_count"]) for entry in listed] == [
        (number, len(rows)) for number, rows in enumerate(history, 1)
    ]
    for number, rows in enumerate(history, 1):
        found = []
        for page in (1, 2, 3, 4):
            reply = call("GET", f"/data/{table}/v/{number}", params={"page": page}, version=version)
            part = [(row["k"], row["n"]) for row in unwrap(reply)["data"]]
            assert len(part) == min(2, max(len(rows) - 2 * page + 2, 0))
            found += part
            if not version:
                assert reply.json()["has_more_data"] is (page * 2 < len(rows))
        assert found == rows
        assert [(row["k"], row["n"]) for row in sb.ledger.rows("T", version=number)] == rows
    assert call("GET", f"/data/{table}/v/99").status_code == 404
    assert call("GET", f"/data/{table}/v/0").status_code == 404
    assert [rows for _, rows in sb.ledger.inserts(table)] == [
        [{"k": k, "n": 1} for k in "abcd"],
        [{"k": "e", "n": 5}],
    ]
