"""Infer the Arrow type of columns that were read, whole and page by page."""

import datetime as dt
import logging

import pandas as pd
import pyarrow as pa
import pytest

from pandas_clicdata._models import ColumnType, DecodedColumn, Kind
from pandas_clicdata.types import infer, row_codec
from pandas_clicdata.types.encode import DATETIME_FORMAT

FITTING_KINDS = {
    ColumnType.TEXT: {Kind.TEXT},
    ColumnType.DROPDOWN: {Kind.TEXT},
    ColumnType.NUMBER: {Kind.INTEGER, Kind.FLOAT},
    ColumnType.PERCENTAGE: {Kind.INTEGER, Kind.FLOAT},
    ColumnType.CHECKBOX: {Kind.BOOLEAN},
    ColumnType.DATE: set(),
    ColumnType.DATETIME: set(),
    "": {Kind.TEXT, Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN},
    "colour": {Kind.TEXT, Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN},
}


@pytest.mark.parametrize("declared", FITTING_KINDS)
@pytest.mark.parametrize(
    ("kind", "value"), [(Kind.TEXT, "x"), (Kind.INTEGER, 1), (Kind.FLOAT, 0.5), (Kind.BOOLEAN, True)]
)
def test_a_column_that_does_not_fit_its_declared_type_is_logged(caplog, declared, kind, value):
    decoded = DecodedColumn(kind, pa.chunked_array([[value]]))
    with caplog.at_level(logging.WARNING, "pandas_clicdata"):
        assert infer.infer_column(decoded, declared).values.to_pylist() == [value]
        messages = [record.getMessage() for record in caplog.records]
        infer.infer_column(decoded, declared, "str")
    as_declared = kind in FITTING_KINDS[declared]
    assert messages == (
        [] if as_declared else [f"a column declared {declared} has {kind.value}; its values are not converted"]
    )
    assert len(caplog.records) == len(messages)


def test_text_is_not_parsed_if_text_is_requested():
    decoded = DecodedColumn(Kind.TEXT, pa.chunked_array([["2024-01-01T00:00:00Z"]], pa.large_string()))
    assert infer.infer_column(decoded, ColumnType.DATETIME, "string").values is decoded.array
    assert infer.infer_column(decoded, ColumnType.DATETIME, "category").values.type == pa.timestamp("us")


@pytest.mark.parametrize(
    ("texts", "moment"),
    [
        (["2024-01-10"], "2024-01-10"),
        (["2024-01-10 01:02:03.000004"], "2024-01-10 01:02:03.000004"),
        (["2024-01-10T01:02"], "2024-01-10 01:02"),
        (["2024-01-10T01:02:03.5"], "2024-01-10 01:02:03.5"),
        (["2024-01-10T01:02:03Z"], "2024-01-10 01:02:03"),
        (["2024-01-10T01:02:03.25+02:00"], "2024-01-09 23:02:03.25"),
        (["2024-01-10 01:02:03-0330"], "2024-01-10 04:32:03"),
        (["2024-01-10T01:02:03+02:00", "2024-01-09 23:02:03", "2024-01-09T23:02:03Z"], "2024-01-09 23:02:03"),
    ],
    ids=str,
)
def test_declared_datetimes_of_every_format_are_parsed(texts, moment):
    decoded = row_codec.decode([{"x": text} for text in [*texts, None]], ["x"])[0]
    values = infer.infer_column(decoded, "datetime").values
    assert values.type == pa.timestamp("us")
    assert values.to_pylist() == [dt.datetime.fromisoformat(moment)] * len(texts) + [None]


NULLS = DecodedColumn(Kind.NULL, pa.chunked_array([pa.nulls(1)]))


TEXTS = DecodedColumn(Kind.TEXT, pa.chunked_array([["x"]], pa.large_string()))


DATES = DecodedColumn(Kind.TEXT, pa.chunked_array([["2024-01-01"]], pa.large_string()))


BOOLEANS = DecodedColumn(Kind.BOOLEAN, pa.chunked_array([[True]]))


INTEGERS = DecodedColumn(Kind.INTEGER, pa.chunked_array([[1]]))


LONG_NUMBERS = DecodedColumn(Kind.LITERAL, pa.chunked_array([["1E+30"]], pa.large_string()))


LONG_INTEGERS = DecodedColumn(Kind.LITERAL, pa.chunked_array([[str(2**70)]], pa.large_string()), whole=True)


@pytest.mark.parametrize(
    ("first", "declared", "dtype", "fixed"),
    [
        (NULLS, "", None, pa.null()),
        (NULLS, "number", None, pa.float64()),
        (NULLS, "text", None, pa.string()),
        (NULLS, "dropdown", None, pa.string()),
        (NULLS, "percentage", None, pa.float64()),
        (NULLS, "checkbox", None, pa.bool_()),
        (NULLS, "date", None, pa.date32()),
        (NULLS, "datetime", None, pa.timestamp("us")),
        (NULLS, "", "period[M]", pa.string()),
        (NULLS, "", "datetime64[s]", pa.timestamp("us")),
        (NULLS, "text", "datetime64[s]", pa.timestamp("us")),
        (NULLS, "number", "datetime64[s]", pa.float64()),
        (NULLS, "percentage", "datetime64[s]", pa.float64()),
        (NULLS, "", "bool", pa.bool_()),
        (NULLS, "checkbox", "boolean", pa.bool_()),
        (NULLS, "number", "boolean", pa.float64()),
        (NULLS, "text", "Int8", pa.int8()),
        (NULLS, "", "UInt16", pa.uint16()),
        (NULLS, "", "float16", pa.float64()),
        (NULLS, "", "float32", pa.float32()),
        (NULLS, "", pd.ArrowDtype(pa.int16()), pa.int16()),
        (NULLS, "", pd.ArrowDtype(pa.decimal128(5, 2)), pa.string()),
        (NULLS, "", pd.SparseDtype("int8"), pa.string()),
        (NULLS, "number", "string", pa.string()),
        (TEXTS, "", "Int64", pa.string()),
        (TEXTS, "datetime", "datetime64[s]", pa.string()),
        (DATES, "", None, pa.date32()),
        (DATES, "text", None, pa.string()),
        (DATES, "", "datetime64[s]", pa.timestamp("us")),
        (DATES, "", "string", pa.string()),
        (DATES, "", "category", pa.string()),
        (BOOLEANS, "", "Int64", pa.bool_()),
        (BOOLEANS, "", "datetime64[s]", pa.bool_()),
        (INTEGERS, "", None, pa.int64()),
        (INTEGERS, "", object, pa.int64()),
        (INTEGERS, "", "bool", pa.int64()),
        (INTEGERS, "", "datetime64[s]", pa.int64()),
        (INTEGERS, "", "string", pa.string()),
        (LONG_NUMBERS, "", None, pa.decimal256(76, 38)),
        (LONG_INTEGERS, "", None, pa.decimal256(76, 0)),
    ],
    ids=str,
)
def test_the_first_page_fixes_the_type_of_a_stream(first, declared, dtype, fixed):
    assert infer.fixed_type(first, declared, dtype) == fixed


@pytest.mark.parametrize(
    ("kind", "values", "target", "expected"),
    [
        (Kind.BOOLEAN, [True], pa.int64(), None),
        (Kind.BOOLEAN, [True], pa.large_string(), None),
        (Kind.BOOLEAN, [True], pa.bool_(), [True]),
        (Kind.TEXT, ["1"], pa.int64(), None),
        (Kind.TEXT, ["true"], pa.bool_(), None),
        (Kind.TEXT, ["1"], pa.string(), ["1"]),
        (Kind.INTEGER, [1], pa.bool_(), None),
        (Kind.INTEGER, [1], pa.string(), None),
        (Kind.INTEGER, [1], pa.timestamp("us"), None),
        (Kind.INTEGER, [1], pa.float64(), [1.0]),
        (Kind.LITERAL, ["1E+3"], pa.int64(), [1000]),
        (Kind.LITERAL, ["1.5"], pa.int64(), None),
        (Kind.LITERAL, ["1E+3"], pa.int8(), None),
        (Kind.LITERAL, ["1E+30"], pa.float64(), [1e30]),
        (Kind.LITERAL, ["0.1000000000000000000001"], pa.float64(), None),
        (Kind.LITERAL, ["1E+400"], pa.float64(), None),
        (Kind.FLOAT, [0.5], pa.int64(), None),
        (Kind.FLOAT, [0.5], pa.float32(), [0.5]),
        (Kind.NULL, [None], pa.int8(), [None]),
    ],
    ids=str,
)
def test_a_later_page_is_converted_exactly_or_refused(kind, values, target, expected):
    stored = pa.large_string() if kind in (Kind.TEXT, Kind.LITERAL) else None
    decoded = DecodedColumn(kind, pa.chunked_array([pa.array(values, stored)]))
    if expected is None:
        with pytest.raises(pa.ArrowInvalid):
            infer.conform(decoded, target)
    else:
        assert infer.conform(decoded, target).to_pylist() == expected


def test_a_number_beyond_every_type_is_refused_quickly():
    with pytest.raises(pa.ArrowInvalid, match="1E\\+400 is not exact in int64"):
        infer.conform(DecodedColumn(Kind.LITERAL, pa.chunked_array([["1E+400"]], pa.large_string())), pa.int64())


@pytest.mark.parametrize(
    "text",
    [
        *("2013-01-01T05:00:00z", "2013-01-01t05:00:00Z", "2013-01-01 05:00:60Z", "0000-01-01 05:00:00Z"),
        *("2013-02-30 05:00:00Z", "2013-01-01 24:00:00Z", "2013-01-01T05:00+010", "2013-01-01T05+01:000"),
        *(
            "2013-01-01 05:00+01",
            "2013-01-01T05+01:00",
            "2013-01-01 05:00:0x",
            "2013-1-01T05:00:00.0",
            "20130101T050000.000",
        ),
        *("2013-01-01T05:00.000", "0000-01-01 05:00:00", "٢٠١٣-01-01", "2013-01-01 05"),
    ],
)
def test_no_other_text_of_the_length_of_a_datetime_is_one(text):
    for each in ([text], ["2013-01-01 05:00:00", text], ["2013-01-01T05:00:00Z", None, text]):
        assert infer.parsed_text(pa.chunked_array([each], pa.large_string()), "datetime") is None


def test_datetimes_of_one_length_are_those_of_any_length():
    texts = ["2013-01-01T05:00:00Z", "0001-01-01 00:00:00Z", None, "9999-12-31T23:59:59Z"]
    for one_length in (texts, [text and text[:-1] for text in texts]):
        alone = infer.parsed_text(pa.chunked_array([one_length], pa.large_string()), "datetime")
        mixed = infer.parsed_text(pa.chunked_array([[*one_length, "2013-01-01"]], pa.large_string()), "datetime")
        assert alone is not None
        assert mixed is not None
        assert alone.to_pylist() == mixed.to_pylist()[:-1]


@pytest.mark.parametrize(
    ("texts", "declared_only"),
    [
        (["2013-01-01 05:00:00", None, "0001-01-01 00:00:00"], False),
        ([None, "2013-01-01 05:00:00.120000", "9999-12-31 23:59:59.000000"], False),
        (["2013-01-01 05:00:00.120000", "1969-12-31 23:59:59", "1969-12-31 23:59:59.999999"], False),
        (["2013-01-01T05:00:00", "1582-10-10T00:00:00"], True),
        (["2013-01-01T05:00:00.000001", None], True),
        (["2013-01-01 05:00:00Z", "0999-01-01 00:00:00Z"], True),
        (["2013-01-01T05:00:00Z", None, "2013-01-01T05:00:01Z"], True),
    ],
)
def test_texts_are_restored_from_datetimes_of_one_form(texts, declared_only):
    array = pa.array(["before", *texts, "after"], pa.large_string())[1:-1]
    for patterns in ((), (DATETIME_FORMAT,)):
        found = infer.datetimes_at_once(array, *patterns)
        assert (found is None) == (declared_only and bool(patterns))
        if found is not None:
            datetimes, form = found
            assert form.texts(datetimes).to_pylist() == texts
            each = [text and dt.datetime.fromisoformat(text).replace(tzinfo=None) for text in texts]
            assert datetimes.to_pylist() == each


@pytest.mark.parametrize(
    "texts",
    [
        [None],
        ["2013-01-01"],
        ["2013-01-01 05:00:00", "2013-01-01T05:00:00"],
        ["2013-01-01 05:00:00.000000", "2013-01-01 05:00:00"],
        ["2013-01-01 05:00:00.100000", "2013-01-01 05:00:00.5", "2013-01-01 05:00:00"],
        ["2013-01-01T05:00:00.12345Z", "2013-01-01 05:00:00.1+0100"],
        ["2013-01-01T05:00:00Z", "2013-01-01 05:00:00Z"],
        ["2013-01-01T05:00:00+01:00", "2013-01-01 05:00"],
        ["0000-12-31 23:59:59", "2013-01-01 24:00:00"],
        ["ten characters, and more", "nineteen characters"],
    ],
)
def test_texts_that_datetimes_do_not_restore_are_not_of_one_form(texts):
    assert infer.datetimes_at_once(pa.array(texts, pa.large_string())) is None
