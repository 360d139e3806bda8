"""The switches of `Assumptions`, and the table of assumed behaviours."""

from dataclasses import fields
from typing import Any

import pytest

from pandas_clicdata.sandbox import ASSUMED, Assumptions

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
    update = {**find, "update": [{"column": name, "value": 7}]}
    assert call("PUT", f"/data/{table}/row", update).status_code == 400
    taken = {"name": "x", "columns": [{"name": name.upper(), "data_type": "number"}]}
    assert call("POST", "/data", taken).status_code == 400
    assert sb.ledger.rows("T") == [{"n": 0}, {"n": 2}]


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


@pytest.mark.parametrize("field", [field.name for field in fields(Assumptions)])
def test_each_switch_refuses_an_unknown_value(field):
    wrong: tuple[Any, ...] = ("nonsense", 1, 0, [])
    for value in wrong:
        with pytest.raises(ValueError, match=f"Assumptions.{field} is "):
            Assumptions(**{field: value})


def test_the_table_lists_every_switch():
    switches = {switch for _, _, switch in ASSUMED if switch}
    assert switches == {field.name for field in fields(Assumptions)}
    assert all(text.endswith(".") for _, text, _ in ASSUMED)
