"""The fast decoder of pages returns what the reference parser returns, or raises the same kind of error."""

import json
from decimal import Decimal
from typing import Any

import pytest
from fuzz.decode import outcome

from pandas_clicdata._models import PageRows
from pandas_clicdata.client import operations
from pandas_clicdata.client.page_decoder import PageDecoder
from pandas_clicdata.types import row_codec


def page(rows, around='{"data":[%s],"has_more_data":true}'):
    return (around % rows).encode()


FIRST = '{"a":1,"b":"x"}'
AROUND = {
    "unversioned": '{"data":[%s],"has_more_data":true}',
    "versioned": '{"success":true,"result":{"data":[%s]},"pagination":{"current_page":1,"has_more_results":true}}',
    "rows as the result": '{"success":true,"result":[%s],"pagination":{"last_page":false}}',
    "bare": "[%s]",
    "columns in front": '{"columns":[{"name":"a","data_type":"number"}],"data":[%s]}',
    "spaces": '{ "data" : [ %s ] }',
    "a line break in front": '\n{"data":[%s]}',
    "data and result": '{"data":[%s],"result":{"a":1}}',
    "escaped key": '{"d\\u0061ta":[%s]}',
}
FAST = {"unversioned", "versioned", "rows as the result", "bare", "columns in front", "data and result"}


def rows_in(content):
    while isinstance(content, dict):
        content = content.get("data", content.get("result"))
    return content


ROWS = {
    "the same columns": ('{"a":2,"b":"y"},{"a":null,"b":null}', True),
    "another order": ('{"b":"y","a":2}', True),
    "a missing column": ('{"a":2}', False),
    "a missing and a repeated one": ('{"a":2},{"a":1,"a":2,"b":"y"}', False),
    "a new column": ('{"a":2,"b":"y","c":1}', True),
    "a new column in one row": ('{"a":2,"b":"y"},{"a":2,"b":"y","c":1}', False),
    "a key twice": ('{"a":2,"b":"y","a":3}', False),
    "a key twice with the same value": ('{"a":2,"a":2,"b":"y"}', False),
    "a key twice beside a space": ('{"a":2,"a":2,"b" :"y"}', False),
    "a space before a colon": ('{"a" :2,"b":"y"}', False),
    "a space after a colon": ('{"a": 2, "b": "y"}', True),
    "text with a colon": ('{"a":2,"b":"at 10 : 30"}', True),
    "text with a quotation mark and a colon": (r'{"a":2,"b":"{\"key\":1}"}', True),
    "text with a backslash, a quotation mark and a colon": (r'{"a":2,"b":"\\\":"}', False),
    "text that ends with a backslash": (r'{"b":"C:\\","a":2}', True),
    "text with a quotation mark, a space and a colon": (r'{"a":2,"b":"\" :"}', False),
    "an escaped key": (r'{"\u0061":2,"b":"y"}', True),
    "an object in a cell": ('{"a":2,"b":{"c":1}}', False),
    "an object in a cell with a key twice": ('{"a":2,"b":{"c":1,"c":1}}', False),
    "a list in a cell": ('{"a":2,"b":[1,"y",null]}', True),
    "no rows": ("", None),
    "null instead of a row": ('{"a":2,"b":"y"},null', False),
    "a list instead of a row": ('{"a":2,"b":"y"},[1]', False),
    "a surrogate alone": (r'{"a":2,"b":"\ud800"}', False),
    "a pair of surrogates": (r'{"a":2,"b":"\ud83d\ude00"}', True),
    "a surrogate in UTF-8": ('{"a":2,"b":"y"}', True),
    "a comma at the end": ('{"a":2,"b":"y"},', False),
    "a character that is not escaped": ('{"a":2,"b":"\x01"}', False),
    "deep nesting": ('{"a":2,"b":' + "[" * 5_000 + "]" * 5_000 + "}", False),
    "NaN": ('{"a":NaN,"b":"y"}', False),
}


@pytest.mark.parametrize("rows", ROWS)
def test_a_page_is_what_the_reference_returns(rows):
    text, fast = ROWS[rows]
    for name, around in AROUND.items():
        decoder = PageDecoder()
        decoder.loads(page(FIRST, around))
        body = page(text, around)
        assert outcome(decoder.loads, body) == outcome(operations.loads, body), name
        if name in FAST and fast:
            assert isinstance(rows_in(decoder.loads(body)), PageRows), name


@pytest.mark.parametrize(
    "number",
    [
        *("0", "-0", "-0.0", "1.0", "0.1", "1.10", "123456789012345", "1234567890123456.7", "0.30000000000000004"),
        *("0.300000000000000041", "3.14159265358979323846", "9007199254740993", "9007199254740993.0", "1e5", "1E+5"),
        *("1e-5", "1e400", "1e-400", "-1e-400", "4.9e-324", "5e-325", "1e9999999999999999999", "18446744073709551615"),
        *("18446744073709551616", "-9223372036854775809", "1" * 400, "1" * 5_000, "0." + "1" * 5_000, "01", "1.", ".5"),
        *("+1", "-", "1e", "1.5e3", "100000000000000000000.0", "true", "false"),
    ],
)
def test_a_number_has_every_digit(number):
    body = page('{"a":' + number + ',"b":"y"}')
    decoder = PageDecoder()
    decoder.loads(page(FIRST))
    assert outcome(decoder.loads, body) == outcome(operations.loads, body)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[", b"null", b"12", b'"data"', b"{}", b"[]", b'{"data":[]}', b'{"data":{}}', b'{"data":[[1,2]]}',
     b'{"data":[{}]}', b'{"data":[{},{}]}', b'{"error":{"code":"x"}}', b"\xff\xfe", b"\xef\xbb\xbf[{\"a\":1}]",
     '[{"a":1}]'.encode("utf-16"), b'{"data":[{"a":1}],"data":[{"a":2}]}', b'{"data":[{"a":"\xed\xa0\x80"}]}',
     b'{"data":[{"a":1}]} x', b'{"data":[{"a":1}]}\n ', b'{"data":[{"":1},{"":2}]}', b'{"data":[{"\\u0000":1}]}',
     b'{"data":[{"a\\"b":1},{"a\\"b":2}]}', b'{"data":[{"a":1,"a":1}]}', b":", b'":', b'{":'],
)  # fmt: skip
def test_any_body_is_what_the_reference_returns(body):
    decoder = PageDecoder()
    for _ in range(2):
        assert outcome(decoder.loads, body) == outcome(operations.loads, body)


def test_the_layout_may_change_between_pages():
    decoder = PageDecoder()
    bodies = [
        page('{"a":1}'),
        page('{"a":2,"b":"y"}'),
        page('{"b":"y"}', AROUND["versioned"]),
        page("", AROUND["versioned"]),
        b'{"error":{"code":"NotFound"}}',
        page('{"a":1}'),
    ]
    for body in bodies:
        assert outcome(decoder.loads, body) == outcome(operations.loads, body)


def test_the_rows_are_equal_to_records():
    records: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, {"a": 3, "b": None}]
    rows = PageDecoder().loads(json.dumps(records).encode())
    assert isinstance(rows, PageRows)
    assert (len(rows), list(rows), rows[1], list(rows[1:])) == (3, records, records[1], records[1:])
    assert rows == records
    assert rows == PageDecoder().loads(json.dumps([dict(reversed(row.items())) for row in records]).encode())
    assert rows != records[:2]
    assert rows[:0] == []


EXACT = ("0.30000000000000004", "1e-05", "1E-5", "1.5e+300", "1234567890123456.0", "2.5", "7", "-0.0", "null")
LONGER = ("0.300000000000000041", "3.14159265358979323846", "5e-325", "123456789012345678901234567890.5")


@pytest.mark.parametrize(
    ("name", "cells", "kinds"),
    [
        ("shortest digits", EXACT, {float, int, type(None)}),
        ("more digits", EXACT + LONGER, {float, int, Decimal, type(None)}),
        (
            "text and booleans",
            (*EXACT, *LONGER, r'"\u00e9 \"0.5\""', "true"),
            {float, int, Decimal, str, bool, type(None)},
        ),
        ("an object", (*EXACT, '{"c":3.14159265358979323846}'), None),
        ("a list", (*EXACT, "[3.14159265358979323846]"), {float, int, list, type(None)}),
    ],
)
@pytest.mark.parametrize("around", sorted(FAST))
def test_the_floats_of_a_page_have_every_digit(name, cells, kinds, around):
    decoder = PageDecoder()
    decoder.loads(page('{"a":1.5,"b":1,"c":"x"}', AROUND[around]))
    rows = ",".join(f'{{"a":{cell},"b":{at},"c":{cells[-at]}}}' for at, cell in enumerate(cells))
    body = page(rows, AROUND[around])
    content = decoder.loads(body)
    # 0.1 and Decimal("0.1") differ in their types, -0.0 and 0.0 in their signs.
    assert repr(list(rows_in(content))) == repr(rows_in(operations.loads(body)))
    if kinds is not None:
        assert isinstance(rows_in(content), PageRows)
        assert set(map(type, rows_in(content).cells[0])) == kinds


def test_a_float_beside_the_rows_has_every_digit():
    decoder = PageDecoder()
    around = '{"seconds":3.14159265358979323846,"data":[%s]}'
    decoder.loads(page('{"a":1.5}', around))
    body = page('{"a":2.5}', around)
    assert decoder.loads(body) == operations.loads(body)
    assert isinstance(rows_in(decoder.loads(body)), PageRows)


CELLS = {
    "null": ("null", type(None)),
    "integer": ("7", int),
    "large integer": ("18446744073709551616", int),
    "float": ("0.5", float),
    "text": ('"x"', str),
    "boolean": ("true", bool),
    "list": ("[1]", object),
}


@pytest.mark.parametrize("second", CELLS)
@pytest.mark.parametrize("first", CELLS)
def test_the_kind_of_a_column_may_change_between_pages(first, second):
    (one, kind), (other, other_kind) = CELLS[first], CELLS[second]
    decoder = PageDecoder()
    pages = [page(f'{{"a":{cell},"b":"y"}}') for cell in (one, one, other, one, other)]
    contents = [decoder.loads(body) for body in pages]
    assert [repr(list(rows_in(content))) for content in contents] == [
        repr(rows_in(operations.loads(body))) for body in pages
    ]
    kinds = {kind, other_kind} - {type(None)}
    expected = float if kinds == {int, float} else object if len(kinds) > 1 else kinds.pop() if kinds else type(None)
    assert [rows_in(content).kinds["a"] for content in contents] == [kind, kind, *[expected] * 3]


def test_columns_of_cells_that_change_their_kind_are_what_the_reference_decodes():
    decoder = PageDecoder()
    cells = [("1.5", "2.5"), ("1", "2"), ("null", "null"), ("0.5", "true"), ("1", "18446744073709551615"), ("1.5", "3")]
    for one, other in cells:
        body = page(f'{{"a":{one}}},{{"a":{other}}}')
        rows = rows_in(decoder.loads(body))
        assert isinstance(rows, PageRows)
        expected, found = (
            row_codec.decode(each, ["a"], mixed_as_text={"a"})[0] for each in (rows_in(operations.loads(body)), rows)
        )
        assert (found.kind, found.array.to_pylist()) == (expected.kind, expected.array.to_pylist())
