"""Encode Arrow batches as JSON rows, and decode JSON rows into Arrow columns."""

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from pandas_clicdata import UnexpectedReplyError
from pandas_clicdata._models import Encoding, Kind, WireFormat
from pandas_clicdata.client import operations
from pandas_clicdata.types import row_codec


def test_rows_are_separated_by_one_comma():
    batch = pa.record_batch({"a": [1, 2, 3]})
    assert (
        row_codec.encode(batch, [WireFormat(Encoding.INTEGER)], operations.objects(["a"])) == b'{"a":1},{"a":2},{"a":3}'
    )
    assert row_codec.encode(batch.slice(3), [WireFormat(Encoding.INTEGER)], operations.objects(["a"])) == b""


def python_values(decoded):
    values = decoded.array.to_pylist()
    return [None if v is None else Decimal(v) for v in values] if decoded.kind is Kind.LITERAL else values


@pytest.mark.parametrize(
    ("pages", "whole"),
    [
        ([[2**70], [None], [5]], True),
        ([[None], [5], [-(2**70), None]], True),
        ([[2**63], [-1]], True),
        ([[2**70], [1.0]], False),
        ([[2**70], [Decimal("1e400")]], False),
        ([[Decimal("1e400")], [5], [None]], False),
    ],
)
def test_long_numbers_are_whole_if_all_of_them_are(pages, whole):
    column = row_codec.unify([row_codec.decode([{"x": value} for value in page], ["x"])[0] for page in pages], "x")
    assert (column.kind, column.whole) == (Kind.LITERAL, whole)


@pytest.mark.parametrize(
    ("values", "kind", "arrow_type"),
    [
        ([2**63 - 1, None], Kind.INTEGER, pa.int64()),
        ([-(2**63)], Kind.INTEGER, pa.int64()),
        ([0, 2**63], Kind.INTEGER, pa.uint64()),
        ([2**64 - 1], Kind.INTEGER, pa.uint64()),
        ([2**64], Kind.LITERAL, pa.large_string()),
        ([-(2**63) - 1], Kind.LITERAL, pa.large_string()),
        ([-1, 2**63], Kind.LITERAL, pa.large_string()),
    ],
)
def test_whole_numbers_have_64_bits_up_to_their_limits(values, kind, arrow_type):
    (column,) = row_codec.decode([{"x": value} for value in values], ["x"])
    assert (column.kind, column.array.type, python_values(column)) == (kind, arrow_type, values)


def test_a_column_that_a_row_lacks_is_null():
    names = row_codec.names_in([{"a": 1}, {"b": "x"}, {"a": 2, "c": True}], known=["z"])
    assert names == ["z", "a", "b", "c"]
    decoded = row_codec.decode([{"a": 1}, {"b": "x"}, {"a": 2, "c": True}], names)
    assert [column.array.to_pylist() for column in decoded] == [
        [None, None, None],
        [1, None, 2],
        [None, "x", None],
        [None, None, True],
    ]


def test_no_rows_are_columns_of_no_values():
    assert [(len(column.array), column.kind) for column in row_codec.decode([], ["a", "b"])] == [(0, Kind.NULL)] * 2
    assert row_codec.decode([], []) == []


@pytest.mark.parametrize("pages", [[[1, "a"]], [[True, 1]], [[1], ["a"]], [[True], [1.5]], [["a", {"b": 1}]], [[[1]]]])
def test_an_error_about_several_kinds_names_the_column(pages):
    with pytest.raises(UnexpectedReplyError, match="'x'"):
        row_codec.unify([row_codec.decode([{"x": value} for value in page], ["x"])[0] for page in pages], "x")


@pytest.mark.parametrize("value", ["\ud800", {"y": ["\udfff"]}, {"\ud800": 1}])
@pytest.mark.parametrize("asked", ["as_text", "mixed_as_text"])
def test_an_error_about_invalid_unicode_names_the_column(value, asked):
    with pytest.raises(UnexpectedReplyError, match=r"'x' has text that is not valid Unicode.* columns="):
        row_codec.decode([{"x": "a"}, {"x": value}], ["x"], **{asked: {"x"}})


@pytest.mark.parametrize("known", [[], ["\ud800"]])
def test_a_name_of_invalid_unicode_is_refused(known):
    with pytest.raises(UnexpectedReplyError, match=r"name of column '\\ud800' is not valid Unicode text"):
        row_codec.names_in([] if known else [{"x": 1, "\ud800": 1}], known)


@pytest.mark.parametrize(
    "pages",
    [
        *([[1, "a"]], [[True], [Decimal("1e400")]], [["a", {"b": [Decimal("1.10")]}]], [[1], ["é"]]),
        *([[1.0], ["a"]], [["a", 1.0, True, 2**70, [1e22, {"b": 1, "c": None}]]]),
    ],
)
def test_values_of_several_kinds_become_text_on_request(pages):
    written = [
        value if isinstance(value, str) else json.dumps(value, default=str).replace('"1.10"', "1.10")
        for page in pages
        for value in page
        if not isinstance(value, Decimal)
    ]
    pieces = [row_codec.decode([{"x": value} for value in page], ["x"], mixed_as_text={"x"})[0] for page in pages]
    texts = row_codec.unify(pieces, "x", mixed_as_text=True).array.to_pylist()
    assert [text for text in texts if text != "1E+400"] == written
    asked = [row_codec.decode([{"x": value} for value in page], ["x"], as_text={"x"})[0] for page in pages]
    assert row_codec.unify(asked, "x").array.to_pylist() == texts


@pytest.mark.parametrize(("before", "after"), [("[1, ", ', "a"]'), ('{"a": [], "b": ', ', "c": 1.10}')])
def test_a_value_of_any_depth_becomes_text(before, after):
    value: Any = Decimal("1.10")
    for _ in range(5000):
        value = [1, value, "a"] if before[0] == "[" else {"a": [], "b": value, "c": Decimal("1.10")}
    text = row_codec.decode([{"x": value}], ["x"], as_text={"x"})[0].array[0].as_py()
    assert text == before * 5000 + "1.10" + after * 5000
