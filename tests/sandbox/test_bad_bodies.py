"""Invalid bodies are refused and change nothing."""

import json
from typing import Any

import pytest

from pandas_clicdata.sandbox import Assumptions

pytestmark = pytest.mark.sampled(1)

TYPES = ["text", "number", "datetime", "date", "percentage", "checkbox", "dropdown"]
COLUMNS = [(kind, kind) for kind in TYPES]
GOOD = {
    "text": "x", "number": 1, "datetime": "2020-01-01 00:00:00", "date": "2020-01-01", "percentage": 0.5,
    "checkbox": True, "dropdown": "a",
}  # fmt: skip

SYNTAX = {
    "not JSON": b"{",
    "empty": b"",
    "not UTF-8": b'{"data": [{"text": "\xff"}]}',
    "UTF-16": '{"data": []}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"data": [{"text": "x"}]}',
    "NaN": b'{"data": [{"number": NaN}]}',
    "Infinity": b'{"data": [{"number": Infinity}]}',
    "-Infinity": b'{"data": [{"number": -Infinity}]}',
    "leading zero": b'{"data": [{"number": 01}]}',
    "a bare point": b'{"data": [{"number": 1.}]}',
    "a raw control character": b'{"data": [{"text": "a\nb"}]}',
    "a lone surrogate": b'{"data": [{"text": "\\ud800"}]}',
    "a lone low surrogate": b'{"data": [{"text": "\\uDC00x"}]}',
    "a key twice": b'{"data": [{"text": "x", "text": "y"}]}',
    "data twice": b'{"data": [{"text": "x"}], "data": []}',
    "nested too deeply": b"[" * 100_000,
    "trailing text": b'{"data": [{"text": "x"}]} x',
}

INSERTS: dict[str, Any] = {
    "a list": [{"text": "x"}],
    "a string": "x",
    "null": None,
    "no data": {},
    "an unknown key": {"data": [{"text": "x"}], "more": 1},
    "data is an object": {"data": {"text": "x"}},
    "no rows": {"data": []},
    "501 rows": {"data": [{"text": "x"}] * 501},
    "a row is a list": {"data": [["x"]]},
    "a row is null": {"data": [{"text": "x"}, None]},
    "an unknown column": {"data": [{"text": "x"}, {"Text": "x"}]},
}

CELLS = {
    "a row is an object": {"data": [{"text": "x"}]},
    "a cell is a list": {"data": [[["text", "x"]]]},
    "a cell without value": {"data": [[{"column": "text"}]]},
    "a cell without column": {"data": [[{"value": "x"}]]},
    "a cell with more": {"data": [[{"column": "text", "value": "x", "type": "text"}]]},
    "a column that is a number": {"data": [[{"column": 1, "value": "x"}]]},
    "an unknown column": {"data": [[{"column": "nope", "value": "x"}]]},
    "a column twice": {"data": [[{"column": "text", "value": "x"}, {"column": "text", "value": "x"}]]},
}

POSITIONS = {
    "a row is an object": {"data": [GOOD]},
    "too narrow": {"data": [list(GOOD.values())[:-1]]},
    "too wide": {"data": [[*GOOD.values(), 1]]},
    "an empty row": {"data": [[]]},
}

VALUES = [
    ("text", [1, 1.5, True, [], {}]),
    ("dropdown", [1, False, ["a"]]),
    ("number", ["1", "", True, False, [], {}]),
    ("percentage", ["25 %", True]),
    ("checkbox", [0, 1, "true", "", 1.0]),
    (
        "date",
        ["", "2020-1-1", "2020-02-30", "2021-02-29", "0000-01-01", "20200101", "2020-01-01 00:00:00", "2020-01-01T",
         20200101, "\uff12\uff10\uff12\uff10-01-01", " 2020-01-01", "2020-01-01\n", "10000-01-01"],
    ),
    (
        "datetime",
        ["", "2020-01-01", "2020-01-01T00:00:00", "2020-01-01 00:00:00Z", "2020-01-01 00:00:00+00:00",
         "2020-01-01 24:00:00", "2020-01-01 00:60:00", "2020-01-01 00:00:60", "2020-02-30 00:00:00",
         "2020-01-01 00:00:00.1", "2020-01-01 00:00:00.1234567", "2020-01-01 00:00:00.", "2020-01-01 00:00",
         "2020-01-01  0:00:00", 0, "2020-01-01 00:00:00\n"],
    ),
]  # fmt: skip


@pytest.fixture
def sb_call(serve):
    return serve(assume=Assumptions(value_conversion="strict"))


@pytest.fixture
def table(call):
    return call.make(columns=COLUMNS)


@pytest.fixture
def refused(call, sb, table):
    """Send a body that must be refused with 400 and must change nothing."""

    def send(method, path, body, version=None):
        reply = call(method, path.format(table), body, version=version)
        error = reply.json()["error"]
        assert reply.status_code == 400, reply.text
        assert error["description"].endswith((".", "!"))
        assert sb.ledger.count(table) == 0
        assert sb.ledger.inserts(table) == []
        assert len(call("GET", f"/data/{table}/versions").json()["versions"]) == 1
        return error["description"]

    return send


@pytest.mark.parametrize("body", SYNTAX.values(), ids=SYNTAX)
def test_an_insert_that_is_not_strict_json_is_refused(refused, body):
    refused("POST", "/data/{}/insert", body, "2025.3")


@pytest.mark.parametrize("body", INSERTS.values(), ids=INSERTS)
def test_an_insert_of_another_form_is_refused(refused, body):
    refused("POST", "/data/{}/insert", json.dumps(body), "2025.3")


@pytest.mark.parametrize("body", CELLS.values(), ids=CELLS)
def test_an_append_of_invalid_cells_is_refused(refused, body):
    refused("POST", "/data/{}/row", body)
    refused("POST", "/table/{}", body, "2021.08")


@pytest.mark.parametrize("body", POSITIONS.values(), ids=POSITIONS)
def test_an_append_of_rows_with_the_wrong_width_is_refused(refused, body):
    refused("POST", "/data/{}/rows", body)


@pytest.mark.parametrize(("column", "values"), VALUES, ids=TYPES[:1] + [kind for kind, _ in VALUES[1:]])
def test_the_refusal_of_a_value_names_row_and_column(refused, column, values):
    for value in values:
        description = refused("POST", "/data/{}/insert", {"data": [GOOD, {column: value}]}, "2025.3")
        assert description.startswith(f"Row 2, column '{column}' ({column}): the value ")


@pytest.mark.parametrize("number", ["1e10000", "1e-99999", "1" * 1001, "0." + "1" * 1000])
def test_a_number_with_too_many_digits_is_refused(refused, number):
    refused("POST", "/data/{}/insert", f'{{"data": [{{"number": {number}}}]}}', "2025.3")


def test_insert_of_500_rows_is_accepted(call, sb, table):
    call.insert(table, [GOOD] * 500)
    assert sb.ledger.count(table) == 500


ANY = [{"column": "text", "value": "x"}]
CHANGES = {
    "no body": b"",
    "no find": {"multiplerows": "all", "data": ANY},
    "an empty find": {"multiplerows": "all", "find": [], "data": ANY},
    "find is an object": {"multiplerows": "all", "find": {"text": "x"}, "data": ANY},
    "an unknown find column": {"multiplerows": "all", "find": [{"column": "no", "value": "x"}], "data": ANY},
    "a find column twice": {"multiplerows": "all", "find": ANY * 2, "data": ANY},
    "a find value of the wrong type": {
        "multiplerows": "all", "find": [{"column": "number", "value": "1"}], "data": ANY
    },
    "unknown multiplerows": {"multiplerows": "some", "find": ANY, "data": ANY},
    "null multiplerows": {"multiplerows": None, "find": ANY, "data": ANY},
    "a list for multiplerows": {"multiplerows": ["all"], "find": ANY, "data": ANY},
    "no multiplerows": {"find": ANY, "data": ANY},
    "an unknown key": {"multiplerows": "all", "find": ANY, "data": ANY, "limit": 1},
    "a find item without value": {"multiplerows": "all", "find": [{"column": "text"}], "data": ANY},
    "a find column that is a list": {"multiplerows": "all", "find": [{"column": [], "value": 1}], "data": ANY},
}  # fmt: skip
UPDATES = {
    "no data": {"multiplerows": "all", "find": ANY},
    "another key": {"multiplerows": "all", "find": ANY, "update": ANY},
    "an empty update": {"multiplerows": "all", "find": ANY, "data": []},
    "an unknown update column": {"multiplerows": "all", "find": ANY, "data": [{"column": "no", "value": 1}]},
    "an update column twice": {"multiplerows": "all", "find": ANY, "data": ANY * 2},
    "an update of the wrong type": {"multiplerows": "all", "find": ANY, "data": [{"column": "date", "value": "x"}]},
}


@pytest.mark.parametrize("version", [None, "2025.3"])
@pytest.mark.parametrize("body", CHANGES.values(), ids=CHANGES)
def test_an_update_or_delete_of_another_form_is_refused(refused, body, version):
    refused("PUT", "/data/{}/row", body, version)
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key != "data"}
    refused("DELETE", "/data/{}/row", body, version)


@pytest.mark.parametrize("body", UPDATES.values(), ids=UPDATES)
def test_an_update_without_valid_values_is_refused(refused, body):
    refused("PUT", "/data/{}/row", body)


X = {"name": "x", "data_type": "text"}
CREATES = {
    "a list": [],
    "no name": {"columns": [X]},
    "an empty name": {"name": "", "columns": [X]},
    "a blank name": {"name": "  ", "columns": [X]},
    "a number for a name": {"name": 1, "columns": [X]},
    "a long name": {"name": "n" * 256, "columns": [X]},
    "no columns": {"name": "new"},
    "empty columns": {"name": "new", "columns": []},
    "columns are an object": {"name": "new", "columns": {"x": "text"}},
    "a column is a string": {"name": "new", "columns": ["x"]},
    "a column without a type": {"name": "new", "columns": [{"name": "x"}]},
    "a column without a name": {"name": "new", "columns": [{"data_type": "text"}]},
    "an empty column name": {"name": "new", "columns": [{"name": "", "data_type": "text"}]},
    "an unknown type": {"name": "new", "columns": [{"name": "x", "data_type": "Text"}]},
    "only a row id": {"name": "new", "columns": [{"name": "x", "data_type": "id"}]},
    "two row ids": {
        "name": "new",
        "columns": [X, {"name": "i", "data_type": "id"}, {"name": "j", "data_type": "rec_id"}],
    },
    "a type that is a list": {"name": "new", "columns": [{"name": "x", "data_type": []}]},
    "names that collide": {"name": "new", "columns": [X, {"name": "X", "data_type": "text"}]},
    "too many columns": {"name": "new", "columns": [{"name": str(n), "data_type": "text"} for n in range(1901)]},
    "an unknown key": {"name": "new", "columns": [X], "rows": []},
    "a description that is a number": {"name": "new", "columns": [X], "description": 1},
}


@pytest.mark.parametrize("version", [None, "2025.3"])
@pytest.mark.parametrize("body", CREATES.values(), ids=CREATES)
def test_a_create_of_another_form_is_refused(call, body, version):
    reply = call("POST", "/data", body, version=version)
    assert reply.status_code == 400, reply.text
    assert call("GET", "/data").json()["count"] == 0


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_media_type_is_a_415(call, table, kind):
    reply = call(
        "POST", f"/data/{table}/insert", b'{"data": [{"text": "x"}]}', version="2025.3", headers={"Content-Type": kind}
    )
    assert reply.status_code == 415


def test_a_body_that_is_too_long_is_a_413(call, sb, table):
    reply = call("POST", f"/data/{table}/insert", b" " * (32 * 1024 * 1024 + 1), version="2025.3")
    assert reply.status_code == 413
    assert reply.json()["success"] is False
    assert sb.ledger.count(table) == 0
