"""Read a table into pandas: default dtypes, dtype=, dtype_backend=, parse_dates=, and chunks."""

import contextlib
import datetime as dt
import json
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.errors import (
    ColumnConversionError,
)
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.types import infer, recast, to_pandas
from pandas_clicdata.types.infer import InferredColumn
from pandas_clicdata.types.recast import restore_targets
from pandas_clicdata.types.to_pandas import to_frame

pytestmark = pytest.mark.sampled(1)

OWN_TEXT = pd.Series([""]).dtype


BIG = 2**53 + 1


@pytest.fixture(scope="module")
def session_with(new_sandbox):
    """Return a function that opens a session on a sandbox with other assumptions, started on first use."""
    from contextlib import ExitStack

    stack = ExitStack()
    made = {}

    def at(version, *, page_size=1000, **assumed):
        key = (page_size, tuple(sorted(assumed.items())))
        if key not in made:
            made[key] = stack.enter_context(new_sandbox(page_size=page_size, assume=Assumptions(**assumed)))
        sandbox = made[key]
        session = cd.Session(
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            base_url=sandbox.url,
            api_version=version,
        )
        stack.enter_context(session)
        return session

    with stack:
        yield at


@pytest.fixture(params=["2025.3", pytest.param("unversioned", marks=pytest.mark.slow)])
def version(request):
    return request.param


@pytest.fixture
def table(sessions, name):
    """Return a function that pushes a table and returns a function that reads it."""

    def make(frame, columns=None, session=None):
        session = session or sessions["2025.3"]
        cd.push(frame, name, column_types=columns, session=session)
        return lambda **options: cd.read_clicdata(name, session=session, **options)

    return make


def datetimes(*texts):
    return pd.Series([text and dt.datetime.fromisoformat(text) for text in texts], dtype="datetime64[us]")


FRAME = pd.DataFrame(
    {
        "n": pd.Series([1, BIG, -5]),
        "gap": pd.Series([BIG, None, -5], dtype="Int64"),
        "f": [0.1, 1.0, np.nan],
        "yes": [True, False, True],
        "maybe": pd.Series([True, None, False], dtype="boolean"),
        "t": pd.Series(["00123", None, ""], dtype=OWN_TEXT),
        "at": datetimes("2024-01-02 03:04:05.000006", None, "0001-01-01"),
        "day": pd.Series([dt.date(2024, 2, 29), None, dt.date(9999, 12, 31)], dtype=object),
        "long": pd.Series([2**70, None, -1], dtype=object),
        "exact": pd.Series([Decimal("0.1"), Decimal("3.14159265358979323846"), None], dtype=object),
    }
)


def test_default_dtypes(session, name):
    cd.push(FRAME, name, session=session)
    back = cd.read_clicdata(name, session=session)
    pd.testing.assert_frame_equal(back, FRAME, check_exact=True)
    assert [type(value) for value in back["exact"][:2]] == [Decimal, Decimal]


NULLABLE = {"n": "Int64", "gap": "Int64", "f": "Float64", "yes": "boolean", "maybe": "boolean", "t": "string"}


def test_numpy_nullable(table):
    back = table(FRAME)(dtype_backend="numpy_nullable")
    expected = FRAME.astype(NULLABLE)
    assert {column: str(back[column].dtype) for column in NULLABLE} == NULLABLE
    pd.testing.assert_frame_equal(back.astype({"t": "string"}), expected.astype({"t": "string"}), check_exact=True)


def test_numpy_nullable_with_and_without_nulls(table):
    read = table(pd.DataFrame({"n": [1], "x": [None], "u": np.array([2**64 - 1], "uint64")}), {"x": "number"})
    assert read(dtype_backend="numpy_nullable").dtypes.astype(str).to_dict() == {
        "n": "Int64",
        "x": "Float64",
        "u": "UInt64",
    }


ARROW = {
    "n": pa.int64(),
    "gap": pa.int64(),
    "f": pa.float64(),
    "yes": pa.bool_(),
    "maybe": pa.bool_(),
    "t": pa.string(),
    "at": pa.timestamp("us"),
    "day": pa.date32(),
    "long": pa.decimal128(22, 0),
    "exact": pa.decimal128(21, 20),
}


def test_pyarrow(table):
    back = table(FRAME)(dtype_backend="pyarrow")
    assert {column: dtype.pyarrow_dtype for column, dtype in back.dtypes.items()} == ARROW
    for column in FRAME.columns.drop("f"):
        assert back[column].isna().tolist() == FRAME[column].isna().tolist()
        there, here = FRAME[column].dropna().tolist(), back[column].dropna().tolist()
        assert here == there
    assert back["f"].to_numpy(float, na_value=np.nan).tolist()[:2] == [0.1, 1.0]


def test_numbers_beyond_arrow_decimals_are_text(table):
    numbers = pd.Series([Decimal("1E+400"), Decimal("1E-400")], dtype=object)
    back = table(pd.DataFrame({"x": numbers}))(dtype_backend="pyarrow")["x"]
    assert list(map(Decimal, back)) == numbers.tolist()


def test_an_unknown_backend_is_refused(session, name):
    backend: Any = "polars"
    with pytest.raises(ValueError, match="Unknown dtype_backend='polars'"):
        cd.read_clicdata(name, dtype_backend=backend, session=session)


# The column pushed, its ClicData type, the dtype requested, and the column returned.
REQUESTED = {
    "int as float": (pd.Series([1, 2]), None, "float64", pd.Series([1.0, 2.0])),
    "int as text": (pd.Series([BIG, None], dtype="Int64"), None, str, pd.Series([str(BIG), None], dtype=OWN_TEXT)),
    "int as string": (pd.Series([BIG, None], dtype="Int64"), None, "string",
                    pd.Series([str(BIG), None], dtype="string")),
    "int as int8": (pd.Series([1, -128]), None, "int8", pd.Series([1, -128], dtype="int8")),
    "int as object": (pd.Series([1, 2]), None, object, pd.Series([1, 2], dtype=object)),
    "long int as text": (pd.Series([2**70, 1], dtype=object), None, "string",
                    pd.Series([str(2**70), "1"], dtype="string")),
    "float as float32": (pd.Series([0.1, None]), None, "float32", pd.Series([0.1, None], dtype="float32")),
    "float as text": (pd.Series([0.1, -0.0, 1e22, None]), None, "string",
                      pd.Series(["0.1", "-0.0", "1e+22", None], dtype="string")),
    "whole float as Int64": (pd.Series([1.0, None]), None, "Int64", pd.Series([1, None], dtype="Int64")),
    "decimal as decimal": (pd.Series([Decimal("1.10"), None], dtype=object), None, pd.ArrowDtype(pa.decimal128(9, 2)),
                           pd.Series([Decimal("1.10"), None], dtype=pd.ArrowDtype(pa.decimal128(9, 2)))),
    "bool as int": (pd.Series([True, False]), None, "int64", pd.Series([1, 0])),
    "bool as text": (pd.Series([True, None], dtype="boolean"), None, "string",
                    pd.Series(["true", None], dtype="string")),
    "text as category": (pd.Series(["b", None, "a"]), None, "category", pd.Series(["b", None, "a"], dtype="category")),
    "text that looks like a date": (pd.Series(["2024-01-01"]), None, "string",
                    pd.Series(["2024-01-01"], dtype="string")),
    "text as int": (pd.Series(["1", "2"]), None, "int64", pd.Series([1, 2])),
    "text as float": (pd.Series(["inf", "0.5", None]), None, "float64", pd.Series([np.inf, 0.5, None])),
    "text as a time of day": (pd.Series(["01:02:03", None]), None, "time64[us][pyarrow]",
                              pd.Series([dt.time(1, 2, 3), None], dtype="time64[us][pyarrow]")),
    "date as text": (pd.Series([dt.date(2024, 1, 1), None]), None, "string",
                    pd.Series(["2024-01-01", None], dtype="string")),
    "datetime as text": (datetimes("2024-01-01 00:00:00", None), None, "string",
                         pd.Series(["2024-01-01 00:00:00", None], dtype="string")),
    "datetime as a unit": (datetimes("2024-01-01 01:02:03", None), None, "datetime64[s]",
                           datetimes("2024-01-01 01:02:03", None).astype("datetime64[s]")),
    "datetime as int": (datetimes("1970-01-01 00:00:00.000007"), None, "int64", pd.Series([7])),
    "bool as float": (pd.Series([True, False]), None, "float64", pd.Series([1.0, 0.0])),
    "datetime as a zone": (datetimes("2024-07-01", None), None, "datetime64[us, Europe/Paris]",
                           datetimes("2024-07-01", None).dt.tz_localize("UTC").dt.tz_convert("Europe/Paris")),
    "date as datetime": (pd.Series([dt.date(2024, 1, 1), None]), None, "datetime64[us]", datetimes("2024-01-01", None)),
    "duration as duration": (pd.Series(pd.to_timedelta(["1s", None])), None, "timedelta64[ns]",
                             pd.Series(pd.to_timedelta(["1s", None])).astype("timedelta64[ns]")),
    "period as period": (pd.Series(pd.PeriodIndex(["2024-01", None], freq="M")), None, "period[M]",
                         pd.Series(pd.PeriodIndex(["2024-01", None], freq="M"))),
    "int as category": (pd.Series([2, 1]), None, "category", pd.Series([2, 1], dtype="category")),
    "bool as category": (pd.Series([True, False]), None, "category", pd.Series([True, False], dtype="category")),
    "dropdown as category": (pd.Series(["b", "a"]), "dropdown", "category", pd.Series(["b", "a"], dtype="category")),
    "arrow string": (pd.Series(["a", None]), None, pd.ArrowDtype(pa.string()),
                     pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string()))),
    "int as Arrow int16": (pd.Series([1, None], dtype="Int64"), None, "int16[pyarrow]",
                           pd.Series([1, None], dtype="int16[pyarrow]")),
}  # fmt: skip


@pytest.mark.parametrize("each", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["by column", "for all"])
@pytest.mark.parametrize("case", REQUESTED)
def test_dtype(table, case, each):
    series, data_type, requested, expected = REQUESTED[case]
    read = table(series.to_frame("x"), {"x": data_type} if data_type else None)
    back = read(dtype={"x": requested} if each else requested)["x"]
    pd.testing.assert_series_equal(back, expected.rename("x"), check_exact=True)


UNREADABLE = {
    "null as int64": (pd.Series([1, None], dtype="Int64"), "int64"),
    "words as int64": (pd.Series(["1", "a"]), "int64"),
    "too large for int8": (pd.Series([1, 300]), "int8"),
    "negative as unsigned": (pd.Series([1, -1]), "uint8"),
    "a fraction as int64": (pd.Series([1.0, 1.5]), "int64"),
    "a fraction as Int64": (pd.Series([1.0, 1.5]), "Int64"),
    "a long fraction as int64": (pd.Series([Decimal("3.14159265358979323846")], dtype=object), "int64"),
    "datetime that nanoseconds do not reach": (datetimes("9999-12-31"), "datetime64[ns]"),
    "words as duration": (pd.Series(["a"]), "timedelta64[ns]"),
    "number as a zone": (pd.Series([1]), "datetime64[us, UTC]"),
    "null as bool": (pd.Series([True, None], dtype="boolean"), "bool"),
    "text as bytes": (pd.Series(["a"]), "S1"),
    "no such period": (pd.Series([1, 2]), "period[nonsense]"),
    "no such dtype": (pd.Series([1, 2]), "int128"),
    "no dtype at all": (pd.Series([1, 2]), 5),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_dtype_that_would_lose_a_value_is_refused(table, case):
    series, requested = UNREADABLE[case]
    with pytest.raises(cd.ColumnConversionError, match=r"^Column 'x' cannot be read as ") as caught:
        table(series.to_frame("x"))(dtype={"x": requested})
    assert caught.value.column == "x"
    if case == "datetime that nanoseconds do not reach":
        assert "datetime64[ns] does not hold 9999-12-31 00:00:00 (row 0)." in str(caught.value)


def test_naive_datetimes_do_not_depend_on_the_local_time_zone(table, monkeypatch):
    frame = pd.DataFrame({"x": datetimes("9999-12-31 23:59:59.999999", "0001-01-01")})
    read = table(frame)
    try:
        for zone in ("Asia/Tokyo", "America/New_York"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            pd.testing.assert_frame_equal(read(dtype="datetime64[us]"), frame)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("requested", "nullable"), [("int64", "Int64"), ("uint8", "UInt8"), ("bool", "boolean")])
def test_an_error_about_missing_values_names_a_nullable_dtype(table, requested, nullable):
    read = table(pd.DataFrame({"x": pd.Series([1, None], dtype="boolean" if requested == "bool" else "Int64")}))
    with pytest.raises(
        cd.ColumnConversionError, match=f"has missing values. Read it as another dtype: dtype={{'x': '{nullable}'}}"
    ):
        read(dtype={"x": requested})
    assert read(dtype={"x": nullable})["x"].isna().tolist() == [False, True]


def test_dtype_takes_precedence_over_a_backend(table):
    back = table(FRAME)(dtype={"n": "float32", "t": "string"}, columns=["t", "n", "gap"], dtype_backend="pyarrow")
    assert back.dtypes.astype(str).tolist() == ["string", "float32", "int64[pyarrow]"]


MICROSECOND = dt.datetime(2024, 2, 29, 1, 2, 3, 456789)


DECIMAL = pd.ArrowDtype(pa.decimal128(38, 4))


SECONDS = pd.ArrowDtype(pa.duration("s"))


IN_PARIS = pd.ArrowDtype(pa.timestamp("us", "Europe/Paris"))


DAY, DAY_64, CLOCK = map(pd.ArrowDtype, (pa.date32(), pa.date64(), pa.time64("us")))


MIDNIGHT, LAST, FIRST = dt.datetime(2024, 2, 29), dt.datetime(9999, 12, 31, 23), dt.datetime(1, 1, 1, 4)


# Values, a dtype that does not hold them, and the reason.
REFUSED = [
    (["x"], DECIMAL, "'x' is not a number"),
    ([True], DECIMAL, "'true' is not a number"),
    ([dt.date(2024, 2, 29)], DECIMAL, "'2024-02-29' is not a number"),
    ([dt.date(2024, 2, 29)], "datetime64[us, Europe/Paris]", ""),
    ([MICROSECOND, None], "datetime64[s]", r"datetime64\[s\] does not hold 2024-02-29 01:02:03.456789"),
    ([None, MICROSECOND], "datetime64[ms]", r"datetime64\[ms\] does not hold"),
    ([MICROSECOND], "datetime64[s, Europe/Paris]", "does not hold 2024-02-29 01:02:03.456789"),
    ([MICROSECOND, MICROSECOND.replace(second=9)], "datetime64[s]", "does not hold 2024-02-29 01:02:03.456789"),
    ([1.0, 1.5, 2.5], "int64", "does not hold 1.5"),
    ([1.0, 1.5, 2.5], "boolean", ""),
    ([1e39, -1e39], "float32", r"does not hold 1e\+39"),
    ([2024], "period[Y]", "the column has numbers"),
    ([1.5, None], "period[M]", "the column has numbers"),
    ([True], "period[D]", "the column has numbers"),
    ([1.5], "datetime64[us]", r"datetime64\[us\] does not hold 1.5"),
    ([2.0, 1.5, None], "timedelta64[ns]", r"timedelta64\[ns\] does not hold 1.5"),
    ([True], "datetime64[us]", "the column has booleans"),
    ([False], "timedelta64[ns]", "the column has booleans"),
    ([5], "timedelta64[s]", "does not hold 0 days 00:00:00.000000005"),
    ([5, -(2**63)], "datetime64[us]", "does not hold -9223372036854775808"),
    ([-(2**63), None], "timedelta64[ns]", "does not hold -9223372036854775808"),
    ([-(2**63)], "datetime64[ns, UTC]", "does not hold -9223372036854775808"),
    (["P1DT0.000001S"], "timedelta64[s]", "does not hold 1 days 00:00:00.000001"),
    (["P1DT0.000001S"], SECONDS, "does not hold 1 days 00:00:00.000001"),
    ([MICROSECOND], "boolean", "the column has dates or datetimes"),
    ([dt.date(2024, 2, 29)], "bool", "the column has dates or datetimes"),
    ([MIDNIGHT], "complex128", "the column has dates or datetimes"),
    ([MIDNIGHT], "datetime64[D]", r"dtype=\{'x': 'datetime64\[us\]'\}"),
    ([MIDNIGHT], "datetime64", r"dtype=\{'x': 'datetime64\[us\]'\}"),
    ([dt.date(2024, 2, 29)], IN_PARIS, ""),
    ([None, MIDNIGHT, MICROSECOND], DAY, "2024-02-29 01:02:03.456789 has a time of day"),
    ([MICROSECOND], DAY_64, "2024-02-29 01:02:03.456789 has a time of day"),
    ([MICROSECOND], CLOCK, "the column has datetimes, whose date would be lost"),
    ([None, LAST], "datetime64[us, Europe/Paris]", "9999-12-31 23:00:00 .* is outside the years 1 to 9999"),
    ([str(LAST)], "datetime64[us, Europe/Paris]", "9999-12-31 23:00:00 .* is outside the years 1 to 9999"),
    ([LAST], IN_PARIS, "9999-12-31 23:00:00 .* is outside the years 1 to 9999"),
    ([MIDNIGHT, FIRST], "datetime64[s, America/New_York]", "0001-01-01 04:00:00 .* is outside the years 1 to 9999"),
]


ACCEPTED = [
    ([dt.datetime(2024, 2, 29, 1, 2, 3), None], "datetime64[s]"),
    ([MICROSECOND, None], "datetime64[ns]"),
    ([MICROSECOND, None], "datetime64[us, Europe/Paris]"),
    (["P1DT0.000001S", None], "timedelta64[us]"),
    (["P1DT1S", None], SECONDS),
    ([2.0, None], "timedelta64[ns]"),
    ([5, None], "datetime64[s]"),
    (["Jan 2, 2024", None], "datetime64[us]"),
    ([2**62 + 1, None], "datetime64[ns]"),
    (["1.5", None], DECIMAL),
    ([MIDNIGHT, None], DAY),
    ([MIDNIGHT, None], DAY_64),
    ([LAST, FIRST, None], "datetime64[us, UTC]"),
    ([LAST, None], "datetime64[us, America/New_York]"),
    ([FIRST, None], IN_PARIS),
    ([None, None], IN_PARIS),
    ([None, None], "datetime64[us, Europe/Paris]"),
    ([None, None], "timedelta64[ns]"),
    ([None, None], "period[M]"),
    ([None, None], DAY),
]


def read(values, dtype, backend):
    return to_frame(
        {"x": InferredColumn(pa.chunked_array([values]))}, len(values), dtype={"x": dtype}, dtype_backend=backend
    )["x"]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize(("values", "dtype", "why"), REFUSED, ids=[f"{v}-{d}" for v, d, _ in REFUSED])
def test_a_value_that_a_dtype_does_not_hold_is_refused(values, dtype, why, backend):
    with pytest.raises(ColumnConversionError, match=f"^Column 'x' cannot be read as .*: .*{why}") as caught:
        read(values, dtype, backend)
    assert caught.value.column == "x"


@pytest.mark.parametrize(
    ("values", "dtype", "value"),
    [
        ([1, 300], "int8", "300"),
        ([MIDNIGHT, MICROSECOND], "datetime64[s]", "datetime.datetime(2024, 2, 29, 1, 2, 3, 456789)"),
        ([MIDNIGHT, LAST], IN_PARIS, "datetime.datetime(9999, 12, 31, 23, 0)"),
        ([MIDNIGHT, MICROSECOND], DAY, "datetime.datetime(2024, 2, 29, 1, 2, 3, 456789)"),
        (["1", "x"], DECIMAL, "'x'"),
        ([2.0, 1.5], "timedelta64[ns]", "1.5"),
        ([5, -(2**63)], "datetime64[us]", "-9223372036854775808"),
    ],
    ids=str,
)
def test_an_error_of_a_dtype_names_the_row_in_the_table(values, dtype, value):
    column = InferredColumn(pa.chunked_array([values]))
    with pytest.raises(ColumnConversionError, match=r"\(row 11\)\. Read it as another dtype: dtype=") as caught:
        to_frame({"x": column}, 2, dtype={"x": dtype}, first_row=10)
    assert (caught.value.row, caught.value.value) == (11, value)


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize(("values", "dtype"), ACCEPTED, ids=[f"{v}-{d}" for v, d in ACCEPTED])
def test_values_that_a_dtype_holds_are_read(values, dtype, backend):
    column = read(values, dtype, backend)
    assert column.dtype == dtype
    assert column.isna().tolist() == [value is None for value in values]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize("by_schema", [False, True], ids=["dtype", "schema"])
@pytest.mark.parametrize("dtype", ["timedelta64[ns]", "duration[ns][pyarrow]"])
def test_each_duration_is_read_in_its_own_unit(dtype, by_schema, backend):
    # pandas 3.0 reads 400 days as 9 hours if a nanosecond comes before.
    texts = ["P0DT0H0M0.000000001S", "P400DT0H0M0S", None, "P0DT0H0M1S", "P0DT0H0M0.000001S"]
    wanted = restore_targets({"x": dtype})["x"] if by_schema else dtype
    spans = read(texts, wanted, backend).tolist()
    assert [None if pd.isna(span) else pd.Timedelta(span).as_unit("ns").value for span in spans] == [
        1, 400 * 86_400 * 10**9, None, 10**9, 1000
    ]  # fmt: skip


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
def test_a_decimal_dtype_reads_the_digits_of_a_float(backend):
    dtype = pd.ArrowDtype(pa.decimal128(38, 20))
    assert read([0.1, None, 1e16], dtype, backend).tolist()[::2] == [Decimal("0.1"), Decimal(10**16)]


def test_intervals_are_read_only_with_schema():
    columns = {"x": infer.InferredColumn(pa.chunked_array([["(0, 1]"]]))}
    with pytest.raises(ColumnConversionError, match="dtype= does not read intervals; pass the dtype in schema="):
        to_pandas.to_frame(dict(columns), 1, dtype={"x": "interval[int64, right]"})
    targets = recast.restore_targets({"x": "interval[int64, right]"})
    assert to_pandas.to_frame(columns, 1, dtype=targets)["x"].tolist() == [pd.Interval(0, 1)]


def test_whole_decimals_are_read_as_ints():
    numbers = pa.chunked_array([pa.array([Decimal(1), None, Decimal(2**70)], pa.decimal128(38, 0))])
    whole = to_pandas.to_frame({"x": infer.InferredColumn(numbers)}, 3)["x"].tolist()
    assert [(type(value), value) for value in whole] == [(int, 1), (type(None), None), (int, 2**70)]
    long = infer.InferredColumn(pa.chunked_array([["5", None]]), numerals=True, whole=True)
    read = to_pandas.to_frame({"x": long}, 2)["x"]
    assert read.dtype == object
    assert [type(value) for value in read] == [int, type(None)]


@pytest.mark.parametrize(
    ("texts", "dtype", "what"),
    [
        ([None, "1E+400"], "float64", "a float does not hold Decimal('1E+400')"),
        (["1E-77"], pd.ArrowDtype(pa.decimal256(76, 76)), "does not hold Decimal('1E-77')"),
        (["1", None, "1E+77"], pd.ArrowDtype(pa.decimal256(76, 0)), "does not hold Decimal('1E+77')"),
        (["1E+400"], "int64", "does not hold Decimal('1E+400')"),
    ],
    ids=str,
)
def test_numbers_beyond_a_dtype_are_refused(texts, dtype, what):
    with pytest.raises(ColumnConversionError) as caught:
        to_pandas.to_frame(
            {"x": infer.InferredColumn(pa.chunked_array([texts]), numerals=True)}, len(texts), dtype=dtype
        )
    assert what in str(caught.value)


@pytest.mark.parametrize("dtype", ["float64", "Float64"])
def test_long_numbers_are_rounded_to_the_nearest_floats(dtype):
    numerals = infer.InferredColumn(pa.chunked_array([["1E+30", None, "0.1000000000000000000001"]]), numerals=True)
    read = to_pandas.to_frame({"x": numerals}, 3, dtype=dtype)["x"]
    assert read.dtype == dtype
    assert read[[0, 2]].tolist() == [1e30, 0.1]
    assert read.isna().tolist() == [False, True, False]


def test_a_frame_without_columns_has_its_rows():
    frame = to_pandas.to_frame({}, 3)
    assert frame.shape == (3, 0)
    assert frame.columns.dtype == pd.Index([""]).dtype


def test_nulls_without_type_are_none():
    read = to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([pa.nulls(2)]))}, 2)["x"]
    assert [value is None for value in read] == [True, True]


# parse_dates=


DATES = pd.DataFrame({"a": ["2024-01-02", None], "b": ["02/01/2024", "03/01/2024"], "n": [86400, 0]})


@pytest.mark.parametrize(
    ("parse_dates", "expected"),
    [
        (["a"], {"a": ["2024-01-02", None]}),
        ({"b": "%d/%m/%Y"}, {"b": ["2024-01-02", "2024-01-03"]}),
        ({"b": {"dayfirst": True}}, {"b": ["2024-01-02", "2024-01-03"]}),
        ({"n": {"unit": "s"}}, {"n": ["1970-01-02", "1970-01-01"]}),
        ({"n": "s"}, {"n": ["1970-01-02", "1970-01-01"]}),
        ({"a": None, "b": "%d/%m/%Y"}, {"a": ["2024-01-02", None], "b": ["2024-01-02", "2024-01-03"]}),
    ],
    ids=str,
)
def test_parse_dates(table, parse_dates, expected):
    back = table(DATES)(parse_dates=parse_dates)
    for column in DATES:
        if column in expected:
            assert back[column].dtype.kind == "M"
            assert back[column].tolist() == pd.to_datetime(pd.Series(expected[column])).tolist()
        else:
            pd.testing.assert_series_equal(back[column], DATES[column].astype(back[column].dtype))


def test_parse_dates_of_invalid_text_is_refused(table):
    with pytest.raises(cd.ColumnConversionError, match="Column 'b' cannot be read as dates"):
        table(DATES)(parse_dates={"b": "%Y"})


@pytest.mark.parametrize(
    ("parse_dates", "moment"),
    [
        (["x"], "1970-01-01 00:00:05"),
        ({"x": None}, "1970-01-01 00:00:05"),
        ({"x": "ms"}, "1970-01-01 00:00:00.005"),
        ({"x": {"unit": "D"}}, "1970-01-06"),
        *(({"x": unit}, pd.Timestamp(0) + pd.Timedelta(5, unit)) for unit in ("D", "h", "m", "s", "ms", "us", "ns")),
    ],
)
def test_parse_dates_of_numbers_takes_a_unit(parse_dates, moment):
    read = to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([[5]]))}, 1, parse_dates=parse_dates)
    assert read["x"].tolist() == [pd.Timestamp(moment)]


def test_parse_dates_of_text_parses_the_text():
    read = to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([["2024", "1999"]]))}, 2, parse_dates=["x"])[
        "x"
    ]
    assert read.tolist() == [pd.Timestamp(2024, 1, 1), pd.Timestamp(1999, 1, 1)]


@pytest.mark.parametrize(("value", "options"), [(True, None), (5, {"no_such": 1}), (1e300, "s"), (2**62, "D")])
def test_an_error_of_parse_dates_names_the_column(value, options):
    with pytest.raises(ColumnConversionError, match="Column 'x' cannot be read as dates") as caught:
        to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([[value]]))}, 1, parse_dates={"x": options})
    assert caught.value.column == "x"


@pytest.mark.parametrize(
    "option", [{"parse_dates": ["no"]}, {"index_col": "no"}, {"dtype": {"no": str}}, {"columns": ["no"]}]
)
def test_options_name_existing_columns(table, option):
    read = table(DATES)
    for chunked in ({}, {"chunksize": 1}):
        with pytest.raises(cd.ColumnNotFoundError, match="'no'"):
            list(read(**option, **chunked))


def test_columns_are_in_the_requested_order(table):
    read = table(FRAME)
    pd.testing.assert_frame_equal(read(columns=["t", "n"]), FRAME[["t", "n"]])
    pd.testing.assert_frame_equal(read(columns=["t"], index_col=["n"]), FRAME[["t", "n"]].set_index(["n"]))


@pytest.mark.parametrize("index_col", ["n", "gap", ["t", "n"], ["n"]], ids=str)
def test_index_col(table, index_col):
    read = table(FRAME)
    pd.testing.assert_frame_equal(read(index_col=index_col), FRAME.set_index(index_col))
    chunks = list(read(index_col=index_col, chunksize=2))
    assert [list(chunk.index.names) for chunk in chunks] == [
        [index_col] if isinstance(index_col, str) else index_col
    ] * 2


# without column metadata, and other formats of replies


def test_without_metadata_types_are_inferred(session_with, version, name):
    session = session_with(version, column_metadata=False)
    cd.push(FRAME, name, session=session)
    back = cd.read_clicdata(name, session=session)
    pd.testing.assert_frame_equal(back, FRAME, check_exact=True)


UNDECLARED = {
    "a time among dates": ["2024-01-01", "2024-01-01 00:00:00"],
    "a text among dates": ["2024-01-01", "soon"],
    "an empty text among dates": ["2024-01-01", ""],
    "no such day": ["2023-02-29"],
    "ISO 8601": ["2024-01-01T00:00:00", "2024-01-01T00:00:00+02:00"],
    "an offset": ["2024-01-01 00:00:00+02:00"],
    "milliseconds": ["2024-01-01 00:00:00.123"],
    "a space around": [" 2024-01-01"],
    "a line end": ["2024-01-01\n"],
    "year 0": ["0000-01-01"],
    "year 0 with a time": ["0000-01-01 00:00:00"],
    "hour 24": ["2024-01-01 24:00:00"],
    "numbers": ["1", "2"],
    "zeros": ["00123"],
    "truth": ["true", "false"],
    "nothing": ["null", ""],
}


@pytest.mark.parametrize("case", UNDECLARED)
def test_without_metadata_text_stays_text(session_with, version, name, case):
    session = session_with(version, column_metadata=False)
    values = [*UNDECLARED[case], None]
    cd.push(pd.DataFrame({"x": values}), name, session=session)
    for back in (cd.read_clicdata(name, session=session), *cd.read_clicdata(name, chunksize=9, session=session)):
        pd.testing.assert_series_equal(back["x"], pd.Series(values, name="x", dtype=OWN_TEXT))


@pytest.mark.parametrize("texts", [["2024-01-01", None], ["2024-01-01 00:00:00", "1999-12-31 23:59:59.000001", None]])
def test_without_metadata_text_of_dates_is_parsed_unless_text_is_requested(session_with, sessions, name, texts):
    frame = pd.DataFrame({"x": pd.Series(texts, dtype=OWN_TEXT)})
    declared, bare = sessions["2025.3"], session_with("2025.3", column_metadata=False)
    for session in (declared, bare):
        cd.push(frame, name, session=session)
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=declared), frame)
    pd.testing.assert_frame_equal(cd.read_clicdata(name, dtype=str, session=bare), frame)
    assert list(cd.read_clicdata(name, dtype={"x": "string"}, session=bare)["x"].dropna()) == list(filter(None, texts))
    taken = cd.read_clicdata(name, session=bare)["x"].dropna().tolist()
    kind = dt.date if len(texts[0]) == 10 else pd.Timestamp
    assert [type(value) for value in taken] == [kind] * len(taken)
    assert [str(value) for value in taken] == list(filter(None, texts))


def test_an_empty_table_without_metadata_has_no_columns(session_with, version, name):
    session = session_with(version, column_metadata=False)
    cd.push(FRAME[:0], name, session=session)
    assert cd.read_clicdata(name, session=session).shape == (0, 0)


def test_an_empty_table_keeps_its_columns_and_dtypes(session, name):
    cd.push(FRAME[:0], name, session=session)
    back = cd.read_clicdata(name, session=session)
    assert list(back.columns) == list(FRAME.columns)
    # Columns of objects without values were sent as text.
    assert {column: str(dtype) for column, dtype in back.dtypes.items()} == {
        "n": "float64", "gap": "float64", "f": "float64", "yes": "bool", "maybe": "bool", "t": str(OWN_TEXT),
        "at": "datetime64[us]", "day": str(OWN_TEXT), "long": str(OWN_TEXT), "exact": str(OWN_TEXT),
    }  # fmt: skip
    chunks = list(cd.read_clicdata(name, chunksize=5, session=session))
    assert [chunk.shape for chunk in chunks] == [(0, len(FRAME.columns))]


@pytest.mark.parametrize("column_metadata", [True, False])
def test_iso_datetimes_with_an_offset(session_with, version, name, column_metadata):
    """The service returns datetimes with another offset; with metadata a read returns the same instants."""
    session = session_with(version, datetime_form="iso_offset", column_metadata=column_metadata)
    frame = pd.DataFrame(
        {"at": datetimes("2024-01-02 23:04:05.000006", None, "1970-01-01"), "t": ["2024-01-01", "b", ""]}
    )
    cd.push(frame, name, session=session)
    for back in (cd.read_clicdata(name, session=session), *cd.read_clicdata(name, chunksize=9, session=session)):
        if column_metadata:
            pd.testing.assert_frame_equal(back, frame.astype({"t": OWN_TEXT}))
        else:
            assert (
                pd.to_datetime(back["at"], format="ISO8601", utc=True).dt.tz_localize(None).tolist()
                == frame["at"].tolist()
            )
    if not column_metadata:
        parsed = cd.read_clicdata(name, dtype={"at": "datetime64[us, UTC]"}, session=session)["at"]
        assert parsed.dt.tz_localize(None).tolist() == frame["at"].tolist()


@pytest.mark.parametrize("row_id", ["id", "rec_id"])
def test_the_row_id_is_hidden_unless_requested(session_with, version, name, row_id):
    session = session_with(version, row_id=row_id)
    cd.push(FRAME, name, session=session)
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=session), FRAME)
    for chunk in cd.read_clicdata(name, chunksize=2, session=session):
        assert list(chunk.columns) == list(FRAME.columns)
    requested = cd.read_clicdata(name, columns=[row_id, "n"], session=session)
    assert requested["n"].tolist() == FRAME["n"].tolist()
    assert requested[row_id].is_unique
    assert requested[row_id].dtype == "int64"
    cd.append(FRAME, name, resume=False, session=session)
    assert len(cd.read_clicdata(name, session=session)) == 6


# chunks


PAGES = pd.DataFrame(
    {
        "n": pd.Series([1, 2, None, BIG, 5], dtype="Int64"),
        "yes": pd.Series([True, True, None, False, True], dtype="boolean"),
        "f": [0.5, None, 1.0, 2.5, 1e300],
        "t": pd.Series(["a", None, "", "2024-01-01", "é"], dtype=OWN_TEXT),
        "at": datetimes("2024-01-01", None, "2024-01-01 00:00:00.000001", "0001-01-01", "9999-12-31 23:59:59.999999"),
        "day": pd.Series([dt.date(2024, 1, 1), None, None, dt.date(1, 1, 1), dt.date(9999, 12, 31)], dtype=object),
    }
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_chunks_have_one_size_and_one_set_of_dtypes(session_with, version, name, size):
    session = session_with(version, page_size=2)
    cd.push(PAGES, name, session=session)
    chunks = list(cd.read_clicdata(name, chunksize=size, session=session))
    assert [len(chunk) for chunk in chunks] == [size] * (5 // size) + [5 % size] * (5 % size > 0)
    assert all((chunk.dtypes == PAGES.dtypes).all() for chunk in chunks)
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), PAGES)
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=session), PAGES)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_chunks_with_a_backend(session_with, name, backend):
    session = session_with("2025.3", page_size=2)
    cd.push(PAGES, name, session=session)
    whole = cd.read_clicdata(name, dtype_backend=backend, session=session)
    chunks = list(cd.read_clicdata(name, chunksize=2, dtype_backend=backend, session=session))
    assert all((chunk.dtypes == whole.dtypes).all() for chunk in chunks)
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)


CHANGING: dict[str, tuple[list[Any], dict[str, str]]] = {
    "whole numbers, then fractions": ([1, 2, 0.5], {"x": "float64"}),
    "whole numbers, then longer ones": ([1, 2, 2**70], {"x": "string"}),
    "fractions, then a long whole number": ([0.5, 1.5, BIG], {"x": "string"}),
    "nothing, then a long whole number": ([None, None, BIG], {"x": "Int64"}),
}


@pytest.mark.parametrize("case", CHANGING)
def test_a_page_that_does_not_fit_the_first_is_an_error_with_a_remedy(session_with, name, case):
    session = session_with("2025.3", page_size=2)
    values, remedy = CHANGING[case]
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    cd.push(frame, name, column_types={"x": "number"}, session=session)
    with pytest.raises(cd.IncompleteReadError, match="Set its dtype, for example dtype="):
        list(cd.read_clicdata(name, chunksize=2, session=session))
    chunks = list(cd.read_clicdata(name, chunksize=2, dtype=remedy, session=session))
    assert [str(chunk["x"].dtype) for chunk in chunks] == [remedy["x"]] * 2
    back = pd.concat(chunks)["x"].tolist()
    present = [(there, here) for there, here in zip(values, back, strict=True) if there is not None]
    assert all(type(there)(here) == there for there, here in present)
    assert pd.isna(back).tolist() == [value is None for value in values]


def test_dtype_and_dates_in_chunks(session_with, name):
    session = session_with("2025.3", page_size=2)
    frame = pd.DataFrame({"n": [1, 2, 3], "s": ["2024-01-01", "2024-01-02", None], "c": ["a", "b", "a"]})
    cd.push(frame, name, session=session)
    options: dict[str, Any] = {"dtype": {"n": "float32", "c": "category"}, "parse_dates": ["s"]}
    for chunk in cd.read_clicdata(name, chunksize=2, **options, session=session):
        assert (str(chunk["n"].dtype), chunk["s"].dtype.kind, str(chunk["c"].dtype)) == ("float32", "M", "category")


def test_long_numbers_in_chunks_keep_every_digit(session_with, version, name):
    session = session_with(version, page_size=2)
    numbers = [2**70, 1, -(2**65), None]
    exact = [Decimal("3.14159265358979323846"), Decimal("0.1"), Decimal(2), None]
    frame = pd.DataFrame({"n": pd.Series(numbers, dtype=object), "d": pd.Series(exact, dtype=object)})
    cd.push(frame, name, session=session)
    back = pd.concat(cd.read_clicdata(name, chunksize=3, session=session), ignore_index=True)
    assert back["n"].tolist() == numbers
    assert back["d"].tolist() == exact
    assert [chunk["n"].dtype for chunk in cd.read_clicdata(name, chunksize=1, session=session)] == [object] * 4
    assert [type(value) for value in back["n"]] == [int, int, int, type(None)]


def test_batches_have_arrow_types(session_with, version, name):
    session = session_with(version, page_size=2)
    cd.push(PAGES, name, session=session)
    reader = cd.read_clicdata_batches(name, columns=["t", "n", "at", "day"], session=session)
    assert reader.schema == pa.schema(
        [("t", pa.string()), ("n", pa.int64()), ("at", pa.timestamp("us")), ("day", pa.date32())]
    )
    batches = list(reader)
    assert [batch.num_rows for batch in batches] == [2, 2, 1]
    assert pa.Table.from_batches(batches)["n"].to_pylist() == [1, 2, None, BIG, 5]


def test_nul_and_line_ends_in_chunks(session_with, version, name):
    session = session_with(version, page_size=2)
    texts = ["a\x00b", "\r\n", "\n", "\x00", "\u2028\u2029\x85"]
    cd.push(pd.DataFrame({"t": texts}), name, session=session)
    assert [text for chunk in cd.read_clicdata(name, chunksize=2, session=session) for text in chunk["t"]] == texts


# replies that only a test server sends


@dataclass(frozen=True)
class Reader:
    """Reads table 7 of a test server; ``requested`` lists the numbers of the pages that were requested."""

    session: cd.Session
    requested: list[int]

    def __call__(self, **options: Any) -> Any:
        return cd.read_clicdata(7, session=self.session, **options)

    def batches(self, **options: Any) -> pa.RecordBatchReader:
        return cd.read_clicdata_batches(7, session=self.session, **options)


@pytest.fixture
def raw(http_service):
    """Return a function that serves pages of JSON values as columns `x` and `n` and returns a `Reader` of them."""
    with contextlib.ExitStack() as stack:

        def serve(*pages, declared=None):
            counts = [len(page) for page in pages]
            listed = [{"name": "x", "data_type": declared}, {"name": "n", "data_type": "number"}]
            columns = f'"columns": {json.dumps(listed)}, ' if declared else ""
            requested: list[int] = []

            def answer(request):
                number = int(request.query.get("page", 1))
                requested.append(number)
                start = sum(counts[: number - 1])
                rows = ", ".join(f'{{"x": {text}, "n": {start + n}}}' for n, text in enumerate(pages[number - 1]))
                body = f'{{"success": true, "result": {{{columns}"data": [{rows}]}}, '
                return 200, {}, (body + f'"pagination": {{"result_total_count": {sum(counts)}}}}}').encode()

            url = stack.enter_context(http_service(answer))
            session = stack.enter_context(cd.Session(api_key="canary", base_url=url, api_version="2025.3"))
            return Reader(session, requested)

        yield serve


LONG = "0.12345678901234567890123"


DIFFERENT_PAGES = {
    "a long fraction among floats": (["0.5", "0.5"], [LONG, "0.5"]),
    "a long whole number among floats": (["0.5", "0.5"], [str(10**25 + 1), "0.5"]),
    "a whole number that floats do not hold": (["0.5", "0.5"], [str(BIG), "0.5"]),
    "more than floats reach": (["0.5", "0.5"], ["1e400", "0.5"]),
    "a float among long fractions": ([LONG, "0.5"], ["0.1", "0.3"]),
    "a small float among long fractions": ([LONG, "0.5"], ["1e-300", "0.3"]),
    "a large float among long fractions": ([LONG, "0.5"], ["1e300", "0.3"]),
    "a float among long whole numbers": ([str(2**70), "1"], ["1.5", "2"]),
    "more than decimals reach": ([LONG, "0.5"], ["1e99999999", "0.3"]),
    "less than decimals reach": ([LONG, "0.5"], ["1e-99999999", "0.3"]),
    "long numbers among whole ones": (["1", "2"], ["18446744073709551616", "2"]),
    "whole floats among whole numbers": (["1", "2"], ["3.0", "4"]),
    "fractions among whole numbers": (["1", "2"], ["3.5", "4"]),
}


@pytest.mark.parametrize("declared", [None, pytest.param("number", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", DIFFERENT_PAGES)
def test_numbers_of_a_later_page_are_exact_or_an_error(raw, case, declared):
    read = raw(*DIFFERENT_PAGES[case], declared=declared)
    expected = [Decimal(text) for page in DIFFERENT_PAGES[case] for text in page]
    for read_all in (lambda: pd.concat(read(chunksize=2))["x"], lambda: read.batches().read_all()["x"].to_pylist()):
        try:
            returned = list(read_all())
        except cd.IncompleteReadError as exc:
            assert "dtype={'x': 'str'}" in str(exc)  # noqa: PT017 - an error is one of two right outcomes
        else:
            assert [Decimal(str(value)) for value in returned] == expected
    texts = [text for chunk in read(chunksize=2, dtype={"x": "str"}) for text in chunk["x"]]
    assert [Decimal(text) for text in texts] == expected
    assert [Decimal(text) for text in read(dtype={"x": "str"})["x"]] == expected


@pytest.mark.parametrize("case", ["a float among long fractions", "a float among long whole numbers"])
def test_numbers_that_a_stream_holds(raw, case):
    read = raw(*DIFFERENT_PAGES[case])
    if case == "a float among long fractions":
        assert pd.concat(read(chunksize=2))["x"].tolist() == [
            Decimal(LONG),
            Decimal("0.5"),
            *map(Decimal, (".1", ".3")),
        ]
    else:
        with pytest.raises(cd.IncompleteReadError, match="which do not all fit decimal256"):
            list(read(chunksize=2))


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "double[pyarrow]"])
def test_a_float_dtype_rounds_but_not_to_infinity(raw, dtype):
    read = raw(["0.5", "1"], [LONG, str(BIG)])
    whole, chunks = read(dtype={"x": dtype})["x"], pd.concat(read(chunksize=2, dtype={"x": dtype}))["x"]
    assert str(whole.dtype) == str(chunks.dtype) == dtype
    assert whole.tolist() == chunks.tolist()
    assert whole.tolist() == pytest.approx([0.5, 1, float(LONG), float(BIG)])
    too_large = raw(["0.5", "1"], ["1e9999999", "1"])
    with pytest.raises(cd.ColumnConversionError, match=r"Column 'x'.*does not hold Decimal\('1E\+9999999'\)"):
        too_large(dtype={"x": dtype})
    with pytest.raises(cd.IncompleteReadError, match="too large"):
        list(too_large(dtype={"x": dtype}, chunksize=2))


def test_float32_refuses_numbers_beyond_its_range(raw):
    read = raw(["0.5", "1"], ["1e300", "1"])
    with pytest.raises(cd.ColumnConversionError, match="float32 does not hold 1e"), np.errstate(over="ignore"):
        read(dtype={"x": "float32"})
    with pytest.raises(cd.IncompleteReadError, match="too large"):
        list(read(dtype={"x": "float32"}, chunksize=2))


@pytest.mark.parametrize("number", ["1e99999999", "1e-99999999", "-1e99999999"])
@pytest.mark.parametrize("dtype", ["Int64", "int64", "UInt8", "int64[pyarrow]", pd.ArrowDtype(pa.decimal128(9, 2))])
def test_huge_exponents_are_refused_quickly(raw, number, dtype):
    with pytest.raises(cd.ColumnConversionError, match="does not hold Decimal"):
        raw([number, "1"])(dtype={"x": dtype})
    assert raw([number, "1"])(dtype={"x": "category"})["x"].tolist() == [Decimal(number), 1]


@pytest.mark.parametrize(
    ("number", "dtype"), [("1e400", "complex128"), ("1e99999999", "complex128"), ("1e300", "complex64")]
)
def test_a_complex_dtype_rounds_but_not_to_infinity(raw, number, dtype):
    with pytest.raises(cd.ColumnConversionError, match="does not hold"):
        raw([number, "1"])(dtype={"x": dtype})
    assert raw([LONG, "1"])(dtype={"x": dtype})["x"].tolist() == np.array([float(LONG), 1], dtype).tolist()


TEXT_DTYPES = [
    str, "str", "string", "string[pyarrow]", "string[python]", "U20", "U2", np.str_, np.dtype("U5"),
    pd.StringDtype("python"), pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string()),
]  # fmt: skip


TEXTS: dict[str, tuple[list[Any], list[str | None]]] = {
    "dates": (["2024-01-01", None, "2024-02-29"], ["2024-01-01", None, "2024-02-29"]),
    "truth": ([True, None, False], ["true", None, "false"]),
    "numbers": ([1, None, 0.5], ["1", None, "0.5"]),
    "several kinds": (
        [1, "a", True, {"k": ["é", None]}, 1.50, []],
        ["1", "a", "true", '{"k": ["é", null]}', "1.5", "[]"],
    ),
}


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("dtype", TEXT_DTYPES, ids=repr)
def test_every_text_dtype_returns_text_and_nulls(raw, dtype, case):
    values, expected = TEXTS[case]
    read = raw(list(map(json.dumps, values)), list(map(json.dumps, values[:1])))
    for x in (read(dtype={"x": dtype})["x"], pd.concat(read(chunksize=2, dtype={"x": dtype}))["x"]):
        assert [None if pd.isna(text) else text for text in x] == [*expected, expected[0]]
        assert x.dtype == (
            OWN_TEXT if isinstance(pd.api.types.pandas_dtype(dtype), np.dtype) else pd.api.types.pandas_dtype(dtype)
        )


@pytest.mark.parametrize("dtype", [object, "object", "category"])
def test_text_is_not_parsed_for_object_and_category(raw, dtype):
    for pages in ((['"2024-01-01"', "null"], ['"b"']), (["null", "null"], ['"2024-01-01"'])):
        read = raw(*pages)
        returned = [json.loads(text) for page in pages for text in page]
        for chunks in ([read(dtype={"x": dtype})], list(read(chunksize=2, dtype={"x": dtype}))):
            assert [None if pd.isna(text) else text for chunk in chunks for text in chunk["x"]] == returned
    assert raw(["1", "2"])(dtype={"x": object})["x"].tolist() == [1, 2]


def test_other_columns_than_one_of_several_kinds_can_be_read(raw):
    read = raw(["1", '"a"'], ["2", "null"])
    for options in ({}, {"chunksize": 2}):
        with pytest.raises(cd.UnexpectedReplyError, match=r"'x'.*dtype=\{'x': 'str'\}.*columns="):
            list(read(**options))
    assert read(columns=["n"])["n"].tolist() == [0, 1, 2, 3]
    assert pd.concat(read(columns=["n"], chunksize=2))["n"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("declared", ["text", "dropdown"])
def test_other_values_in_a_text_column_are_read_as_json_text(raw, declared):
    pages = ['"a"', f"[1.5, {LONG}]"], ["2", "null"], ["true", "1.5"]
    expected = ["a", f"[1.5, {LONG}]", "2", None, "true", "1.5"]
    read = raw(*pages, declared=declared)
    for x in (read()["x"], pd.concat(read(chunksize=2))["x"]):
        assert [None if pd.isna(text) else text for text in x] == expected


NULL_AS_BOOL = {"truth": (["true", "null"], None), "numbers": (["0.5", "null"], None), "text": (['"a"', '""'], None)}


@pytest.mark.parametrize("case", NULL_AS_BOOL)
@pytest.mark.parametrize("dtype", ["bool", bool, np.bool_])
def test_bool_refuses_nulls_and_text(raw, case, dtype):
    with pytest.raises(cd.ColumnConversionError, match="'boolean'" if case != "text" else "the column has text"):
        raw(NULL_AS_BOOL[case][0])(dtype={"x": dtype})
    with pytest.raises(cd.ColumnConversionError, match="does not hold 2"):
        raw(["1", "2"])(dtype={"x": dtype})
    assert raw(["1", "0"])(dtype={"x": dtype})["x"].tolist() == [True, False]


# After a first page of nulls: a value, and the dtype requested.
LATE = {
    "datetime": ('"2024-01-01 02:03:04"', "datetime64[us]"),
    "datetime in a zone": ('"2024-01-01 02:03:04"', "datetime64[us, UTC]"),
    "day as datetime": ('"2024-01-01"', "datetime64[s]"),
    "Arrow datetime": ('"2024-01-01 02:03:04"', "timestamp[us][pyarrow]"),
    "truth": ("true", "boolean"),
    "Arrow truth": ("true", "bool[pyarrow]"),
    "truth as number": ("true", "Int64"),
    "text": ('"00123"', "string"),
    "category": ('"a"', "category"),
    "duration": ('"PT1S"', "timedelta64[ns]"),
    "number": (str(BIG), "Int64"),
    "small number": ("7", "Int8"),
    "half float": ("0.5", "float16"),
}


@pytest.mark.parametrize("case", LATE)
def test_a_dtype_fixes_a_stream_whose_first_page_is_null(raw, case):
    text, dtype = LATE[case]
    read = raw(["null", "null"], [text, "null"])
    chunks = list(read(chunksize=2, dtype={"x": dtype}))
    whole = read(dtype={"x": dtype})["x"]
    if dtype != "category":
        assert [chunk["x"].dtype for chunk in chunks] == [whole.dtype] * 2
    assert chunks[1]["x"].iloc[0] == whole.iloc[2]
    assert [gap for chunk in chunks for gap in chunk["x"].isna()] == [True, True, False, True]


def test_declared_numbers_after_a_page_of_nulls(raw):
    assert pd.concat(raw(["null"], ["7"], ["0.5"], declared="number")(chunksize=1))["x"].tolist()[1:] == [7, 0.5]
    read = raw(["null"], [str(BIG)], declared="number")
    with pytest.raises(cd.IncompleteReadError, match="'Int64' if all are whole numbers"):
        list(read(chunksize=1))
    assert next(iter(pd.concat(read(chunksize=1, dtype={"x": "Int64"}))["x"].dropna())) == BIG


def test_reads_without_rows_or_columns_keep_their_shape(raw, session_with, name):
    read = raw(["1", "2", "3"], ["4", "5"])
    assert (read(limit=0).shape, list(read(limit=0).columns)) == ((0, 2), ["x", "n"])
    assert read(limit=0, columns=["n"]).shape == (0, 1)
    assert [chunk.shape for chunk in read(limit=0, chunksize=2)] == [(0, 2)]
    assert (read(columns=[]).shape, list(read(columns=[]).index)) == ((5, 0), [0, 1, 2, 3, 4])
    assert [chunk.shape for chunk in read(columns=[], chunksize=2)] == [(2, 0), (2, 0), (1, 0)]
    assert [chunk.shape for chunk in read(columns=[], chunksize=2, limit=0)] == [(0, 0)]
    assert [batch.num_rows for batch in read.batches(columns=[])] == [3, 2]
    assert read(columns=[], index_col="n").index.tolist() == [0, 1, 2, 3, 4]


INVALID: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "parse_dates of one name": (
        {"parse_dates": "day"},
        TypeError,
        r"parse_dates= must be a list of names: parse_dates=\['day'\]",
    ),
    "parse_dates of the index": ({"parse_dates": True}, TypeError, "parse_dates=True would parse the index"),
    "parse_dates of a number": ({"parse_dates": 5}, TypeError, "parse_dates= must be a list of names, not 5"),
    "index_col of a number": ({"index_col": 5}, TypeError, "index_col= must be a list of names, not 5"),
    "index_col of numbers": (
        {"index_col": [5]},
        TypeError,
        "must be a list of names, but 5 is not a string",
    ),
    "index_col of nothing": ({"index_col": []}, ValueError, r"index_col=\[\] names no column"),
    "index_col twice": ({"index_col": ["n", "n"]}, ValueError, "index_col= names 'n' twice"),
    "columns of a number": ({"columns": 5}, TypeError, "columns= must be a list of names, not 5"),
    "columns of one name": ({"columns": "n"}, TypeError, r"columns= must be a list of names: columns=\['n'\]"),
    "columns twice": ({"columns": ["n", "n"]}, ValueError, "columns= names 'n' twice"),
    "progress of a word": ({"progress": "yes"}, TypeError, "progress= must be True, False, None or a callable"),
    "chunksize of nothing": ({"chunksize": 0}, ValueError, "chunksize= must be a whole number from 1"),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_arguments_are_refused_before_any_request(raw, case):
    options, error, said = INVALID[case]
    read = raw(["1"])
    with pytest.raises(error, match=said):
        read(**options)
    if options.keys() <= {"columns", "progress"}:
        with pytest.raises(error, match=said):
            read.batches(**options)
    assert read.requested == []


def test_options_accept_generators(raw):
    read = raw(["1", "2"])
    back = read(columns=(name for name in ["x"]), index_col=(name for name in ["n"]), parse_dates=False)
    assert (list(back.columns), back.index.tolist(), back.index.name) == (["x"], [0, 1], "n")
