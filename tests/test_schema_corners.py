"""Corners of the type table that no other test would miss, found by changing the code and seeing all tests pass."""

import datetime as dt
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pandas_clicdata import schema
from pandas_clicdata.errors import CellValueError
from pandas_clicdata.models import ColumnType, Decoded, Kind


def frame(*values):
    return schema.enter(pd.DataFrame({"x": pd.Series(values, dtype=object)}))


def test_whole_numbers_go_up_to_a_thousand_digits():
    door = frame(10**999, -(10**999))
    ready = schema.ready_table(door, schema.plan_columns(door))
    assert ready["x"].to_pylist() == [str(10**999), str(-(10**999))]
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


@pytest.mark.parametrize("unit", ["ps", "fs", "as"])
@pytest.mark.parametrize("kind", [np.datetime64, np.timedelta64])
def test_units_finer_than_nanoseconds_are_refused_by_name(kind, unit):
    with pytest.raises(CellValueError, match="is in a unit finer than nanoseconds"):
        schema.plan_columns(frame(kind(10**6, unit)))


def test_a_stream_of_text_or_truth_values_is_no_stream_of_numbers():
    assert schema.fixed_type(Decoded(Kind.TEXT, pa.chunked_array([["x"]])), "", "Int64") == pa.string()
    assert schema.fixed_type(Decoded(Kind.BOOLEAN, pa.chunked_array([[True]])), "", "Int64") == pa.bool_()
