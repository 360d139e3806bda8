"""The hot path against a plain slow one: Arrow columns to JSON bytes, and JSON rows to Arrow columns."""

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandas_clicdata import UnexpectedReplyError
from pandas_clicdata._models import Encoding, Kind, Wire
from pandas_clicdata.client import operations
from pandas_clicdata.types import row_codec

FEW = settings(max_examples=25, deadline=None, derandomize=True)

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))

# Each encoding: the Arrow type it is written from, its values, and its JSON written the slow way.
WRITTEN = {
    "integer": (Encoding.INTEGER, pa.int64(), st.integers(-(2**63), 2**63 - 1), str),
    "unsigned": (Encoding.INTEGER, pa.uint64(), st.integers(0, 2**64 - 1), str),
    "boolean": (Encoding.BOOLEAN, pa.bool_(), st.booleans(), json.dumps),
    "decimal": (
        Encoding.DECIMAL,
        pa.decimal128(38, 12),
        st.decimals(-(10**20), 10**20, places=12, allow_nan=False),
        lambda value: format(value, "f"),
    ),
    "literal": (Encoding.LITERAL, pa.large_string(), st.decimals(allow_nan=False, allow_infinity=False).map(str), str),
    "text": (Encoding.TEXT, pa.large_string(), TEXT, lambda value: json.dumps(value, ensure_ascii=False)),
    "datetime": (Encoding.DATETIME, pa.timestamp("us"), MOMENTS, lambda value: f'"{value.isoformat(" ")}"'),
    "whole seconds": (
        Encoding.DATETIME,
        pa.timestamp("s"),
        MOMENTS.map(lambda moment: moment.replace(microsecond=0)),
        lambda value: f'"{value.isoformat(" ")}"',
    ),
    "date": (Encoding.DATE, pa.date32(), st.dates(), lambda value: f'"{value.isoformat()}"'),
}


def slowly(values, write, *, quoted=False):
    texts = ["null" if value is None else write(value) for value in values]
    return [json.dumps(text) if quoted and text != "null" else text for text in texts]


@pytest.mark.parametrize("kind", WRITTEN)
@FEW
@given(data=st.data())
def test_cells_are_written_as_the_slow_way_writes_them(kind, data):
    encoding, arrow_type, strategy, write = WRITTEN[kind]
    values = data.draw(st.lists(st.none() | strategy, max_size=8))
    array = pa.array(values, arrow_type)
    assert row_codec.cells(array, Wire(encoding)).to_pylist() == slowly(values, write)
    if encoding not in (Encoding.TEXT, Encoding.DATE, Encoding.DATETIME):
        assert row_codec.cells(array, Wire(encoding, quoted=True)).to_pylist() == slowly(values, write, quoted=True)


@FEW
@given(st.lists(st.none() | FINITE, max_size=8))
def test_floats_are_written_with_the_fewest_digits_and_stay_floats(values):
    for value, text in zip(values, row_codec.cells(pa.array(values, pa.float64()), Wire(Encoding.FLOAT)), strict=True):
        back = json.loads(text.as_py())
        assert type(back) is type(value)
        assert repr(back) == repr(value)  # -0.0 too
        assert value is None or Decimal(text.as_py()) == Decimal(repr(value))


@FEW
@given(st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=8))
def test_single_floats_are_written_so_that_they_read_back(values):
    array = pa.array(values, pa.float32())
    texts = row_codec.cells(array, Wire(Encoding.FLOAT)).to_pylist()
    back = pa.array([json.loads(text) for text in texts], pa.float32())
    assert [repr(value) for value in back.to_pylist()] == [repr(value) for value in array.to_pylist()]


FRAMINGS = {
    "objects": (operations.objects, lambda names, cells: dict(zip(names, cells, strict=True))),
    "named cells": (
        operations.named_cells,
        lambda names, cells: [{"column": name, "value": cell} for name, cell in zip(names, cells, strict=True)],
    ),
}


@st.composite
def tables(draw):
    """Names, and columns of one length with their wires and the cells as JSON has them."""
    height = draw(st.integers(0, 5))
    names = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    columns = []
    for _ in names:
        encoding, arrow_type, strategy, write = WRITTEN[draw(st.sampled_from(sorted(WRITTEN)))]
        values = draw(st.lists(st.none() | strategy, min_size=height, max_size=height))
        columns.append((Wire(encoding), pa.array(values, arrow_type), slowly(values, write)))
    return names, columns, height


@pytest.mark.parametrize("framing", FRAMINGS)
@FEW
@given(tables(), st.integers(0, 5))
def test_rows_are_framed_as_the_slow_way_frames_them(framing, table, start):
    names, columns, height = table
    frame, slow = FRAMINGS[framing]
    wires = [wire for wire, _, _ in columns]
    batch = pa.record_batch([array for _, array, _ in columns], names=names).slice(min(start, height))
    expected = [
        slow(names, [json.loads(cells[row], parse_float=Decimal) for _, _, cells in columns])
        for row in range(min(start, height), height)
    ]
    whole = b"[" + row_codec.encode(batch, wires, frame(names)) + b"]"
    assert json.loads(whole, parse_float=Decimal) == expected
    assert b": " not in whole.split(b'"')[0::2]
    each = row_codec.encode_each(batch, wires, frame(names))
    assert [json.loads(row, parse_float=Decimal) for row in each] == expected


def test_what_separates_rows_is_one_comma():
    batch = pa.record_batch({"a": [1, 2, 3]})
    assert row_codec.encode(batch, [Wire(Encoding.INTEGER)], operations.objects(["a"])) == b'{"a":1},{"a":2},{"a":3}'
    assert row_codec.encode(batch.slice(3), [Wire(Encoding.INTEGER)], operations.objects(["a"])) == b""


# Numbers as `wire.body.loads` gives them: Decimal only where a float would not give the value back.
EXACT = st.decimals(allow_nan=False, allow_infinity=False).map(str).map(lambda text: operations.loads(text.encode()))
INTEGERS = st.integers(-(2**70), 2**70) | st.sampled_from([2**53 + 1, -(2**63), 2**63, 2**64 - 1, 2**64])
FAMILIES = {
    "integers": INTEGERS,
    "floats": FINITE,
    "numbers": st.one_of(INTEGERS, FINITE, EXACT),
    "booleans": st.booleans(),
    "texts": TEXT,
}


def python_values(decoded):
    values = decoded.array.to_pylist()
    return [None if v is None else Decimal(v) for v in values] if decoded.kind is Kind.LITERAL else values


def exactly(value):
    """The number that JSON said: of a float, which stands for its shortest text, that text."""
    return Decimal(str(value)) if type(value) in (int, float, Decimal) else value


@pytest.mark.parametrize("family", FAMILIES)
@FEW
@given(data=st.data())
def test_pages_become_one_column_with_every_value_as_it_came(family, data):
    values = st.lists(st.none() | FAMILIES[family], max_size=6)
    pages = data.draw(st.lists(values, max_size=4))
    pieces = [row_codec.decode([{"x": value, "y": None} for value in page], ["y", "x"])[1] for page in pages]
    column = row_codec.unify(pieces, "x")
    came = [value for page in pages for value in page]
    assert list(map(exactly, python_values(column))) == list(map(exactly, came))
    present = [value for value in came if value is not None]
    if not present:
        assert column.kind is Kind.NULL
    elif all(type(value) is int for value in present):
        low, high = min(present), max(present)
        fits = pa.int64() if low >= -(2**63) and high < 2**63 else pa.uint64() if low >= 0 and high < 2**64 else None
        assert (column.array.type, column.kind) == (
            (fits, Kind.INTEGER) if fits is not None else (pa.large_string(), Kind.LITERAL)
        )
        assert column.kind is Kind.INTEGER or column.whole
    elif family == "floats":
        assert (column.kind, column.array.type) == (Kind.FLOAT, pa.float64())


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
def test_whole_numbers_are_of_64_bits_up_to_the_last(values, kind, arrow_type):
    (column,) = row_codec.decode([{"x": value} for value in values], ["x"])
    assert (column.kind, column.array.type, python_values(column)) == (kind, arrow_type, values)


def test_a_row_that_lacks_a_column_has_null_there():
    names = row_codec.names_in([{"a": 1}, {"b": "x"}, {"a": 2, "c": True}], known=["z"])
    assert names == ["z", "a", "b", "c"]
    decoded = row_codec.decode([{"a": 1}, {"b": "x"}, {"a": 2, "c": True}], names)
    assert [column.array.to_pylist() for column in decoded] == [
        [None, None, None],
        [1, None, 2],
        [None, "x", None],
        [None, None, True],
    ]


def test_no_rows_are_columns_of_nothing():
    assert [(len(column.array), column.kind) for column in row_codec.decode([], ["a", "b"])] == [(0, Kind.NULL)] * 2
    assert row_codec.decode([], []) == []


@pytest.mark.parametrize("pages", [[[1, "a"]], [[True, 1]], [[1], ["a"]], [[True], [1.5]], [["a", {"b": 1}]], [[[1]]]])
def test_values_of_several_kinds_name_the_column(pages):
    with pytest.raises(UnexpectedReplyError, match="'x'"):
        row_codec.unify([row_codec.decode([{"x": value} for value in page], ["x"])[0] for page in pages], "x")


@pytest.mark.parametrize("value", ["\ud800", {"y": ["\udfff"]}, {"\ud800": 1}])
@pytest.mark.parametrize("asked", ["as_text", "mixed_as_text"])
def test_text_that_is_no_unicode_names_the_column(value, asked):
    with pytest.raises(UnexpectedReplyError, match=r"'x' has text that is not valid Unicode.* columns="):
        row_codec.decode([{"x": "a"}, {"x": value}], ["x"], **{asked: {"x"}})


@pytest.mark.parametrize("known", [[], ["\ud800"]])
def test_a_name_that_is_no_unicode_is_told(known):
    with pytest.raises(UnexpectedReplyError, match=r"name of column '\\ud800' is not valid Unicode text"):
        row_codec.names_in([] if known else [{"x": 1, "\ud800": 1}], known)


@pytest.mark.parametrize(
    "pages",
    [
        *([[1, "a"]], [[True], [Decimal("1e400")]], [["a", {"b": [Decimal("1.10")]}]], [[1], ["é"]]),
        *([[1.0], ["a"]], [["a", 1.0, True, 2**70, [1e22, {"b": 1, "c": None}]]]),
    ],
)
def test_values_of_several_kinds_become_text_when_that_is_asked_for(pages):
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
