"""Every value is read back as it was sent."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandas_clicdata.sandbox.values import number_key

NUMBERS = [
    "0", "-0", "-0.0", "1", "1.0", "1.10", "0.1", "1e22", "1E+22", "1e-7", "123456789012345678901234567890",
    str(2**70), "-1.7976931348623157e308", "5e-324", "0.30000000000000004", "1" * 1000, "1e400", "1e9999",
]  # fmt: skip
TEXTS = [
    "", " ", "00123", "null", "NULL", "true", "1", '"', "\\", "'", "%s", "a\x00b", "\x00", "\x1f", "\x7f", "\u2028",
    "é", "e\u0301", "\U0001f600", "\uffff", "\ufeff", "a\r\nb\t", "x" * 100_000, "\U0010ffff",
]  # fmt: skip


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_numbers_keep_every_digit(call, sb, version):
    table = call.make(columns=[("n", "number"), ("p", "percentage")])
    rows = ", ".join(f'{{"n": {number}, "p": {number}}}' for number in NUMBERS)
    reply = call("POST", f"/data/{table}/insert", f'{{"data": [{rows}]}}', version="2025.3")
    assert reply.status_code == 200
    text = call("GET", f"/data/{table}", version=version).text
    found = json.loads(text, parse_float=str, parse_int=str)
    found = found["result"] if version else found
    assert [row["n"] for row in found["data"]] == NUMBERS
    assert [row["p"] for row in found["data"]] == NUMBERS
    exact = [row["n"] for row in sb.ledger.rows(table)]
    assert exact == [Decimal(number) for number in NUMBERS]
    assert all(
        type(value) is (Decimal if set(text) & set(".eE") else int) for value, text in zip(exact, NUMBERS, strict=True)
    )


@pytest.mark.parametrize("ascii_only", [True, False])
def test_texts_keep_every_character(call, sb, ascii_only):
    table = call.make(columns=[("t", "text"), ("o", "dropdown")])
    body = json.dumps({"data": [{"t": text, "o": text} for text in TEXTS]}, ensure_ascii=ascii_only)
    assert call("POST", f"/data/{table}/insert", body, version="2025.3").status_code == 200
    rows = call("GET", f"/data/{table}").json()["data"]
    assert [row["t"] for row in rows] == [row["o"] for row in rows] == TEXTS
    assert [row["t"] for row in sb.ledger.rows("T")] == TEXTS


def test_names_keep_every_character(call):
    names = ["a\x00b", '"', "\\", "%d", "'; DROP TABLE tables; --", "\U0001f600", "c0", "row", "born"]
    table = call.make("'\"%\x00\U0001f600", columns=[(name, "text") for name in names])
    call.insert(table, [dict.fromkeys(names, "v")])
    reply = call("GET", f"/data/{table}").json()
    assert reply["data"] == [dict.fromkeys(names, "v")]
    assert [column["name"] for column in reply["columns"]] == names
    assert call("GET", "/data").json()["data"][0]["name"] == "'\"%\x00\U0001f600"


def test_datetimes_dates_and_checkboxes_are_read_back(call):
    rows = [
        {"dt": "2013-01-01 05:00:00", "d": "2013-01-01", "c": True},
        {"dt": "0001-01-01 00:00:00", "d": "0001-01-01", "c": False},
        {"dt": "9999-12-31 23:59:59.999999", "d": "9999-12-31", "c": None},
        {"dt": "2024-02-29 00:00:00.000001", "d": "2024-02-29", "c": None},
        {"dt": None, "d": None, "c": None},
    ]
    table = call.make(columns=[("dt", "datetime"), ("d", "date"), ("c", "checkbox")])
    call.insert(table, rows)
    assert call("GET", f"/data/{table}").json()["data"] == rows


def test_a_fraction_that_is_zero_is_not_written(call):
    table = call.make(columns=[("dt", "datetime")])
    call.insert(table, [{"dt": "2020-01-01 00:00:00.000000"}])
    assert call("GET", f"/data/{table}").json()["data"] == [{"dt": "2020-01-01 00:00:00"}]


def test_all_three_forms_of_rows_are_accepted(call, sb):
    table = call.make(columns=[("a", "text"), ("b", "number")])
    for path, version, row in [
        (f"/data/{table}/row", None, [{"column": "b", "value": 1}, {"column": "a", "value": "x"}]),
        (f"/data/{table}/rows", None, ["x", 1]),
        (f"/data/{table}/insert", "2022.01", {"b": 1, "a": "x"}),
        (f"/table/{table}", "2021.08", [{"column": "a", "value": "x"}, {"column": "b", "value": 1}]),
    ]:
        reply = call("POST", path, {"data": [row, row]}, version=version).json()
        assert reply["success"] is True
    assert sb.ledger.rows(table) == [{"a": "x", "b": 1}] * 8
    assert [len(rows) for _, rows in sb.ledger.inserts("T")] == [2, 2, 2, 2]


DIGITS = st.text("0123456789", min_size=1, max_size=6)
WRITTEN = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{int(whole)}{fraction}{exponent}",
    st.sampled_from(["", "-"]),
    DIGITS,
    st.one_of(st.just(""), DIGITS.map(lambda digits: f".{digits}")),
    st.one_of(st.just(""), st.integers(-4, 4).map(lambda n: f"e{n}"), st.just("E+03")),
)


@settings(deadline=None)
@given(WRITTEN, WRITTEN)
def test_number_keys_are_equal_for_equal_numbers(one, two):
    assert (number_key(one) == number_key(two)) is (Decimal(one) == Decimal(two))
    assert number_key(one) == number_key(str(Decimal(one) * 1))


def test_a_chunked_body_is_read(call, sb):
    table = call.make(columns=[("n", "number")])
    reply = call.http.post(
        f"{sb.url}/data/{table}/rows",
        data=iter([b'{"data": ', b"[[1.50]]}"]),
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert reply.json() == {"success": True}
    assert str(sb.ledger.rows(table)[0]["n"]) == "1.50"
