"""Rows that all have the same form are matched without a parser, and what is stored or refused stays the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties.numbers_of_examples import with_settings

from pandas_clicdata.sandbox import Assumptions, bodies, uniform_rows
from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.dialects import Refusal

TYPES = ["text", "number", "datetime", "date", "percentage", "checkbox", "dropdown"]
COLUMNS = [Column(name, name) for name in TYPES]
ROWS = [
    {
        "text": 'Zürich, {}[] \\" 東京\n' if number % 3 else None,
        "number": -number / 8 if number % 2 else number * 10**15,
        "datetime": "2024-02-29 23:59:59" + ".000001" * (number % 2),
        "date": "2024-02-29",
        "percentage": 1e-7,
        "checkbox": bool(number % 2),
        "dropdown": "a",
    }
    for number in range(uniform_rows.MIN_ROWS + 20)
]
SHAPED: dict[str, Any] = {
    "objects": ROWS,
    "positions": [list(row.values()) for row in ROWS],
    "cells": [[{"column": name, "value": value} for name, value in row.items()] for row in ROWS],
}
WRITERS: dict[str, Any] = {
    "as json.dumps writes": {},
    "compact": {"separators": (",", ":")},
    "beyond ASCII": {"ensure_ascii": False},
    "compact and beyond ASCII": {"ensure_ascii": False, "separators": (",", ":")},
}


def parsed(body, shape, columns=COLUMNS, row_id=None, assume=None):
    """Return what the parser makes of a body, or None if it refuses it."""
    try:
        texts = bodies.read_rows(bodies.parse(body), shape, columns, row_id, assume or Assumptions())
    except Refusal:
        return None
    return [list(cells) for cells in texts]


def matched(body, shape, columns=COLUMNS, row_id=None, assume=None):
    found = uniform_rows.read(body, shape, columns, row_id, assume or Assumptions())
    return None if found is None else [list(cells) for cells in found]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("shape", SHAPED)
def test_matched_rows_are_stored_as_parsed_ones(shape, writer):
    body = json.dumps({"data": SHAPED[shape]}, **WRITERS[writer]).encode()
    found = matched(body, shape)
    assert found is not None
    assert found == parsed(body, shape)


@pytest.mark.parametrize("shape", SHAPED)
def test_each_change_of_a_body_has_the_outcome_of_the_parser(shape, monkeypatch):
    monkeypatch.setattr(uniform_rows, "MIN_ROWS", 1)
    body = json.dumps({"data": SHAPED[shape][:2]}, ensure_ascii=False)
    assert matched(body.encode(), shape) is not None
    for at in range(len(body) + 1):
        for new in ("", "0", "-", "e", ".", " ", "\n", "\\", '"', ",", "]", "}", "\x00", "null", "x"):
            for skipped in (0, 1):
                changed = (body[:at] + new + body[at + skipped :]).encode()
                found = matched(changed, shape)
                assert found is None or found == parsed(changed, shape), changed


NUMBERS = [
    "-0", "0.10", "1E+05", "1e-0007", "1" * 400, "1" * 1000, "1" * 1001, "0." + "1" * 400, "1e99999",
    "1e" + "0" * 1500 + "1", "01", "1.", ".5", "+1", "NaN", "Infinity", "-", '"1"', "true",
]  # fmt: skip
TEXTS = [
    '"\\u00fc"', '"\\/"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\x"', '"\\u12"', '"\x7f"', '"\t"', '"\\t"', "1", '""',
    '"\\u0001"', '"\\u001F"', '"\\u001f"', '"\\u0008"', '"\\b\\f\\n\\r\\t\\"\\\\"', '"\\u0022"', '"\\\\u0022"',
]  # fmt: skip
DAYS = ['"2023-02-29"', '"2024-02-29"', '"0000-01-01"', '"9999-12-31"', '"2024-2-29"', '""', "1", "false"]
TIMES = [
    '"2024-02-29 00:00:00"', '"2024-02-29 24:00:00"', '"2024-02-30 00:00:00"', '"2024-02-29T00:00:00"',
    '"2024-02-29 00:00:00.000000"', '"2024-02-29 00:00:00.100000"', '"2024-02-29 00:00:00.1"', '"2024-02-29"',
]  # fmt: skip
VALUES = [
    *(("number", each) for each in NUMBERS), *(("percentage", each) for each in NUMBERS),
    *(("text", each) for each in TEXTS), *(("dropdown", each) for each in TEXTS),
    *(("date", each) for each in DAYS), *(("datetime", each) for each in TIMES),
    *(("checkbox", each) for each in ["1", '"true"', "True", "true", "null", "{}", "[]"]),
]  # fmt: skip


@pytest.mark.parametrize("conversion", ["strict", "lenient"])
def test_each_value_has_the_outcome_of_the_parser(conversion):
    assume = Assumptions(value_conversion=conversion)
    for data_type, value in VALUES:
        rows = ['{"a": null}'] * uniform_rows.MIN_ROWS
        body = f'{{"data": [{", ".join([*rows, f"""{{"a": {value}}}"""])}]}}'.encode()
        found = matched(body, "objects", [Column("a", data_type)], assume=assume)
        assert found is None or found == parsed(body, "objects", [Column("a", data_type)], assume=assume), value


@with_settings(25)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), min_size=1, unique=True),
    st.booleans(),
)
def test_any_names_are_matched_as_they_are_parsed(names, ascii_only):
    columns = [Column(name, "number") for name in names]
    row = dict.fromkeys(reversed(names), 1)
    body = json.dumps({"data": [row] * uniform_rows.MIN_ROWS}, ensure_ascii=ascii_only).encode()
    found = matched(body, "objects", columns)
    assert found is None or found == parsed(body, "objects", columns)


def test_rows_may_lack_columns_and_hold_an_empty_row_id():
    body = json.dumps({"data": [{"rec_id": None, "number": 1}] * uniform_rows.MIN_ROWS}).encode()
    assert matched(body, "objects", row_id="rec_id") == parsed(body, "objects", row_id="rec_id")
    assert matched(body, "objects", row_id="rec_id") is not None
    assert matched(body, "objects") is None
    filled = body.replace(b"null", b"1")
    assert matched(filled, "objects", row_id="rec_id") is None


def test_more_rows_than_a_request_takes_are_left_to_the_parser():
    body = json.dumps({"data": [{"number": 1}] * 501}).encode()
    assert matched(body, "objects") is None
    assert matched(body, "objects", assume=Assumptions(row_limit="none")) is not None


def test_few_rows_are_left_to_the_parser():
    body = json.dumps({"data": [{"number": 1}] * (uniform_rows.MIN_ROWS // 2)}).encode()
    assert matched(body, "objects") is None


@pytest.mark.parametrize(("path", "shape"), [("row", "cells"), ("rows", "positions"), ("insert", "objects")])
def test_matched_rows_are_in_the_table_the_log_and_the_ledger(sb, call, path, shape):
    table = call.make(columns=[(name, name) for name in TYPES])
    version = "2025.3" if shape == "objects" else None
    reply = call("POST", f"/data/{table}/{path}", {"data": SHAPED[shape]}, version=version)
    assert reply.status_code == 200
    assert call("GET", f"/data/{table}").json()["data"] == ROWS
    assert sb.requests.of("append")[0].rows == len(ROWS)
    assert [len(rows) for _, rows in sb.ledger.inserts(table)] == [len(ROWS)]


def test_one_wrong_value_among_matched_rows_is_named(sb, call):
    table = call.make(columns=[("d", "date")])
    rows = [{"d": "2024-02-29"}] * uniform_rows.MIN_ROWS
    reply = call("POST", f"/data/{table}/insert", {"data": [*rows, {"d": "2023-02-29"}]}, version="2025.3")
    assert reply.status_code == 400
    assert f"Row {len(rows) + 1}, column 'd'" in reply.json()["error"]["description"]
    assert sb.ledger.count(table) == 0


def test_a_fault_takes_fewer_of_matched_rows(sb, call):
    table = call.make(columns=[(name, name) for name in TYPES])
    sb.faults.accept_fewer(7, operation="append")
    assert call.insert(table, ROWS) == {"rows_inserted": 7, "rows_found": len(ROWS)}
    assert sb.ledger.count(table) == 7
