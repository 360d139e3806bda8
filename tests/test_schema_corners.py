"""Corners of the type table that no other test would miss, found by changing the code and seeing all tests pass."""

import datetime as dt
import logging
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pandas_clicdata import schema
from pandas_clicdata.errors import CellValueError, ColumnConversionError, FrameError, IndexNotSentWarning
from pandas_clicdata.models import ColumnType, Decoded, Kind


def frame(*values):
    return schema.enter(pd.DataFrame({"x": pd.Series(values, dtype=object)}))


class Price(Decimal):
    def __str__(self):
        return f"{self:f} €"


def ready(obj, **columns):
    door = schema.enter(obj)
    return schema.ready_table(door, schema.plan_columns(door, columns)).to_pydict()


def arrow_frame(array):
    return pd.DataFrame({"x": pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))})


def test_a_decimal_that_shows_itself_otherwise_is_written_as_the_number():
    prices = pd.DataFrame({"x": pd.Series([Price("1.50"), None], dtype=object)})
    assert ready(prices) == ready(prices, x="text") == {"x": ["1.50", None]}
    assert ready(pd.DataFrame({"x": [[Price("1.50")]]}), x="text") == {"x": ['["1.50"]']}


@pytest.mark.parametrize(
    ("arrow_type", "value", "text"),
    [
        (pa.string_view(), "a", "a"),
        (pa.binary_view(), b"xyz", '"eHl6"'),
        (pa.list_view(pa.int8()), [1], "[1]"),
        (pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 3]), "[1, 2, 3]"),
    ],
)
def test_frames_of_arrow_types_that_pandas_has_no_python_type_for_are_taken(arrow_type, value, text):
    frame = arrow_frame(pa.array([value, None], arrow_type))
    assert ready(frame, x="text") == {"x": [text, None]}
    with pytest.warns(IndexNotSentWarning, match="not sent"):
        schema.warn_of_index(pd.DataFrame({"y": [1, 2]}, index=pd.Index(frame["x"].array)))


NANOSECOND = pa.array([1], pa.int64()).cast(pa.time64("ns"))
NESTED = {
    "list": pa.ListArray.from_arrays([0, 1], NANOSECOND),
    "fixed size list": pa.FixedSizeListArray.from_arrays(NANOSECOND, 1),
    "struct": pa.StructArray.from_arrays([NANOSECOND], ["a"]),
    "map": pa.MapArray.from_arrays([0, 1], pa.array(["a"]), NANOSECOND),
    "keys": pa.MapArray.from_arrays([0, 1], NANOSECOND, pa.array(["a"])),
    "dictionary": pa.ListArray.from_arrays([0, 1], NANOSECOND.dictionary_encode()),
    "late": pa.ListArray.from_arrays([0, 1], pa.array([2**40 * 1000], pa.int64()).cast(pa.timestamp("s"))),
    "long": pa.ListArray.from_arrays([0, 1], pa.array([2**62], pa.int64()).cast(pa.duration("s"))),
}


@pytest.mark.parametrize("kind", NESTED)
def test_what_python_does_not_hold_of_an_arrow_value_is_no_json_text(kind):
    nested = NESTED[kind]
    values = pa.concat_arrays([nested.slice(0, 0), pa.nulls(1, nested.type), nested])
    for obj in (pa.table({"x": values}), arrow_frame(values)):
        with pytest.raises(CellValueError, match=r"Column 'x', row 1: .* has no JSON text"):
            ready(obj, x="text")


def test_times_of_microseconds_within_lists_go_as_json_text():
    times = pa.ListArray.from_arrays([0, 1], pa.array([1000], pa.int64()).cast(pa.time64("ns")))
    assert ready(pa.table({"x": times}), x="text") == {"x": ['["00:00:00.000001"]']}


def test_an_error_stands_on_one_line_whatever_the_value_looks_like():
    with pytest.raises(FrameError) as caught:
        schema.plan_columns(frame(pd.Series([1, 2])))
    assert "\n" not in str(caught.value)


def test_whole_numbers_go_up_to_a_thousand_digits():
    longest = pd.DataFrame({"x": pd.Series([10**999, -(10**999)], dtype=object)})
    assert ready(longest) == {"x": [str(10**999), str(-(10**999))]}
    with pytest.raises(CellValueError, match="longer than 1,000 digits"):
        schema.plan_columns(frame(10**1000))


@pytest.mark.parametrize("wanted", ["flight", [1], None, 7])
def test_what_is_no_declaration_of_columns_is_told(wanted):
    with pytest.raises(TypeError, match="The columns of a table are a dict of name and type"):
        schema.plan_declared(wanted)


def test_only_of_moments_with_a_zone_it_is_said_that_the_zone_goes():
    naive, aware = dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert schema.schema_frame(frame(naive))["note"].tolist() == [""]
    assert schema.schema_frame(frame(aware))["note"].tolist() == ["the instant in UTC; the zone UTC goes"]


@pytest.mark.parametrize("dtype", [None, "str"])
def test_the_log_tells_of_a_column_that_is_not_as_declared(caplog, dtype):
    decoded = Decoded(Kind.INTEGER, pa.chunked_array([[1]]))
    with caplog.at_level(logging.WARNING, "pandas_clicdata"):
        schema.settle(decoded, ColumnType.CHECKBOX, dtype)
    told = ["a column declared checkbox came as whole numbers and stays that"]
    assert [record.getMessage() for record in caplog.records] == ([] if dtype else told)


@pytest.mark.parametrize(
    ("parse_dates", "moment"),
    [
        (["x"], "1970-01-01 00:00:05"),
        ({"x": None}, "1970-01-01 00:00:05"),
        ({"x": "ms"}, "1970-01-01 00:00:00.005"),
        ({"x": {"unit": "D"}}, "1970-01-06"),
    ],
)
def test_numbers_are_dates_by_seconds_or_the_unit_asked_for(parse_dates, moment):
    read = schema.to_frame({"x": schema.Settled(pa.chunked_array([[5]]))}, 1, parse_dates=parse_dates)
    assert read["x"].tolist() == [pd.Timestamp(moment)]


def test_intervals_are_read_by_schema_not_by_dtype():
    settled = {"x": schema.Settled(pa.chunked_array([["(0, 1]"]]))}
    with pytest.raises(ColumnConversionError, match="dtype= does not read intervals; schema= does"):
        schema.to_frame(settled, 1, dtype={"x": "interval[int64, right]"})
    home = schema.homes({"x": "interval[int64, right]"})
    assert schema.to_frame(settled, 1, dtype=home)["x"].tolist() == [pd.Interval(0, 1)]


@pytest.mark.parametrize("unit", ["ps", "fs", "as"])
@pytest.mark.parametrize("kind", [np.datetime64, np.timedelta64])
def test_units_finer_than_nanoseconds_are_refused_by_name(kind, unit):
    with pytest.raises(CellValueError, match="is in a unit finer than nanoseconds"):
        schema.plan_columns(frame(kind(10**6, unit)))


def test_a_stream_of_text_or_truth_values_is_no_stream_of_numbers():
    assert schema.fixed_type(Decoded(Kind.TEXT, pa.chunked_array([["x"]])), "", "Int64") == pa.string()
    assert schema.fixed_type(Decoded(Kind.BOOLEAN, pa.chunked_array([[True]])), "", "Int64") == pa.bool_()
