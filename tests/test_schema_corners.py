"""Corners of the type table that no other test would miss, found by changing the code and seeing all tests pass."""

import datetime as dt
import logging
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pandas_clicdata._models import ColumnType, Decoded, Kind
from pandas_clicdata.errors import (
    CellValueError,
    ColumnConversionError,
    ColumnNameError,
    FrameError,
    IndexNotSentWarning,
    UnsupportedTypeError,
)
from pandas_clicdata.types import encode, infer, ingest, plan, recast, to_pandas
from pandas_clicdata.types.json_text import json_text

OWN_TEXT = pa.array(pd.Series(["a"])).type


def frame(*values):
    return ingest.as_source(pd.DataFrame({"x": pd.Series(values, dtype=object)}))


class Price(Decimal):
    def __str__(self):
        return f"{self:f} €"


def ready(obj, **columns):
    door = ingest.as_source(obj)
    return plan.prepare_table(door, plan.plan_columns(door, columns)).to_pydict()


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
        ingest.warn_of_index(pd.DataFrame({"y": [1, 2]}, index=pd.Index(frame["x"].array)))


@pytest.mark.parametrize("kind", [np.longdouble, np.clongdouble])
def test_a_number_wider_than_python_has_is_none_of_jsons(kind):
    with pytest.raises(TypeError, match="longdouble is not a JSON type"):
        json_text([kind(1)])


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
        with pytest.raises(CellValueError, match=r"Column 'x', row 1: .* has no JSON text") as caught:
            ready(obj, x="text")
        # What Python has no value for is shown by its kind in Arrow.
        assert ("Scalar" in str(caught.value)) == (kind in {"late", "long"})


def test_lists_nested_deeper_than_python_goes_are_no_json_text():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(CellValueError, match=r"Column 'x', row 0: <list> has no JSON text"):
        ready(pd.DataFrame({"x": pd.Series([deep], dtype=object)}), x="text")


def test_times_of_microseconds_within_lists_go_as_json_text():
    times = pa.ListArray.from_arrays([0, 1], pa.array([1000], pa.int64()).cast(pa.time64("ns")))
    assert ready(pa.table({"x": times}), x="text") == {"x": ['["00:00:00.000001"]']}


def test_an_error_stands_on_one_line_whatever_the_value_looks_like():
    with pytest.raises(FrameError) as caught:
        plan.plan_columns(frame(pd.Series([1, 2])))
    assert "\n" not in str(caught.value)
    assert encode.short_repr(pd.Series(["a"], dtype=object)) == "0    a dtype: object"


def test_numbers_go_up_to_a_thousand_digits():
    for numbers in ([10**1000 - 1, 1 - 10**1000], [Decimal("1E+9999"), Decimal("-1E-9999"), Decimal("1" * 1000)]):
        door = frame(*numbers)
        assert plan.prepare_table(door, plan.plan_columns(door))["x"].to_pylist() == [*map(str, numbers)]
    for number in (10**1000, -(10**1000), Decimal("1" * 1001), Decimal("1E+10000"), Decimal("1E-10000")):
        with pytest.raises(CellValueError, match="longer than 1,000 digits"):
            plan.plan_columns(frame(number))


def test_what_is_shown_of_a_value_is_cut_to_sixty_characters():
    assert encode.short_repr("x" * 58) == f"'{'x' * 58}'"
    assert encode.short_repr("x" * 59) == f"'{'x' * 59}…"


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (
            [1, "a"],
            "is of another kind than the values before it. Make all text: df['x'] = df['x'].astype('string'); or send each"
            " value as JSON text: column_types={'x': 'text'}.",
        ),
        ([1, object()], "is of another kind than the values before it. Make all text: df['x'] = df['x'].astype('string')."),
        ([None, b"a", b"b"], "has no ClicData type. Convert the column to text: df['x'] = df['x'].astype('string'); or send each value"),
        ([object()], "has no ClicData type. Convert the column to text: df['x'] = df['x'].astype('string')."),
    ],
)
def test_advice_is_what_helps(values, advice):
    with pytest.raises(UnsupportedTypeError) as caught:
        plan.plan_columns(frame(*values))
    assert advice in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("wanted", ["flight", [1], None, 7])
def test_what_is_no_declaration_of_columns_is_told(wanted):
    with pytest.raises(TypeError, match="The columns of a table are a dict of name to type"):
        plan.plan_declared(wanted)


def test_only_of_moments_with_a_zone_it_is_said_that_the_zone_goes():
    naive, aware = dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert plan.schema_frame(frame(naive))["note"].tolist() == [""]
    assert plan.schema_frame(frame(aware))["note"].tolist() == ["the instant in UTC, without the time zone UTC"]


AS_DECLARED = {
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


@pytest.mark.parametrize("declared", AS_DECLARED)
@pytest.mark.parametrize(
    ("kind", "value"), [(Kind.TEXT, "x"), (Kind.INTEGER, 1), (Kind.FLOAT, 0.5), (Kind.BOOLEAN, True)]
)
def test_the_log_tells_of_a_column_that_is_not_as_declared(caplog, declared, kind, value):
    decoded = Decoded(kind, pa.chunked_array([[value]]))
    with caplog.at_level(logging.WARNING, "pandas_clicdata"):
        assert infer.infer_column(decoded, declared).values.to_pylist() == [value]
        told = [record.getMessage() for record in caplog.records]
        infer.infer_column(decoded, declared, "str")
    as_declared = kind in AS_DECLARED[declared]
    assert told == ([] if as_declared else [f"a column declared {declared} has {kind.value}; its values are not converted"])
    assert len(caplog.records) == len(told)


def test_text_that_is_asked_for_is_left_as_it_came():
    decoded = Decoded(Kind.TEXT, pa.chunked_array([["2024-01-01T00:00:00Z"]], pa.large_string()))
    assert infer.infer_column(decoded, ColumnType.DATETIME, "string").values is decoded.array
    assert infer.infer_column(decoded, ColumnType.DATETIME, "category").values.type == pa.timestamp("us")


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
def test_numbers_are_dates_by_seconds_or_the_unit_asked_for(parse_dates, moment):
    read = to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([[5]]))}, 1, parse_dates=parse_dates)
    assert read["x"].tolist() == [pd.Timestamp(moment)]


def test_intervals_are_read_by_schema_not_by_dtype():
    settled = {"x": infer.InferredColumn(pa.chunked_array([["(0, 1]"]]))}
    with pytest.raises(ColumnConversionError, match="dtype= does not read intervals; pass the dtype in schema="):
        to_pandas.to_frame(settled, 1, dtype={"x": "interval[int64, right]"})
    home = recast.restore_targets({"x": "interval[int64, right]"})
    assert to_pandas.to_frame(settled, 1, dtype=home)["x"].tolist() == [pd.Interval(0, 1)]


@pytest.mark.parametrize("unit", ["ps", "fs", "as"])
@pytest.mark.parametrize("kind", [np.datetime64, np.timedelta64])
def test_units_finer_than_nanoseconds_are_refused_by_name(kind, unit):
    with pytest.raises(CellValueError, match="is in a unit finer than nanoseconds"):
        plan.plan_columns(frame(kind(10**6, unit)))


NULLS = Decoded(Kind.NULL, pa.chunked_array([pa.nulls(1)]))
TEXTS = Decoded(Kind.TEXT, pa.chunked_array([["x"]], pa.large_string()))
DATES = Decoded(Kind.TEXT, pa.chunked_array([["2024-01-01"]], pa.large_string()))
TRUTHS = Decoded(Kind.BOOLEAN, pa.chunked_array([[True]]))
INTEGERS = Decoded(Kind.INTEGER, pa.chunked_array([[1]]))
LONGS = Decoded(Kind.LITERAL, pa.chunked_array([["1E+30"]], pa.large_string()))
LONG_INTEGERS = Decoded(Kind.LITERAL, pa.chunked_array([[str(2**70)]], pa.large_string()), whole=True)


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
        (TRUTHS, "", "Int64", pa.bool_()),
        (TRUTHS, "", "datetime64[s]", pa.bool_()),
        (INTEGERS, "", None, pa.int64()),
        (INTEGERS, "", object, pa.int64()),
        (INTEGERS, "", "bool", pa.int64()),
        (INTEGERS, "", "datetime64[s]", pa.int64()),
        (INTEGERS, "", "string", pa.string()),
        (LONGS, "", None, pa.decimal256(76, 38)),
        (LONG_INTEGERS, "", None, pa.decimal256(76, 0)),
    ],
    ids=str,
)
def test_the_first_page_fixes_the_type_of_a_stream(first, declared, dtype, fixed):
    assert infer.fixed_type(first, declared, dtype) == fixed


def read_as(dtype, *texts):
    return recast.restore_targets({"x": dtype})["x"].series("x", pa.chunked_array([pa.array(texts, pa.large_string())]))


def test_dates_and_moments_of_several_zones_are_one_column_of_moments():
    texts = ["2024-01-01", "2024-01-01T02:00:00+02:00", None, "2024-01-01 00:30", "2024-01-01T00:00:00.5Z"]
    read = infer.infer_column(Decoded(Kind.TEXT, pa.chunked_array([texts], pa.large_string())), ColumnType.DATETIME).values
    day = dt.datetime(2024, 1, 1)
    expected = [day, day, None, day.replace(minute=30), day.replace(microsecond=500000)]
    assert read.to_pylist() == expected
    assert (
        read_as("datetime64[us]", *texts).astype(object).where(read.is_valid().to_pylist(), None).tolist() == expected
    )


@pytest.mark.parametrize(
    ("text", "why"), [("1E+3", None), ("-1.0", None), ("1E+9999", None), ("1E+10000", "longer"), ("1.5", "not a whole number")]
)
def test_python_ints_come_home_from_any_spelling_of_them(text, why):
    told = pd.DataFrame({"x": pd.Series([2**70], dtype=object)}).clicdata.schema()["dtype"][0]
    if why is None:
        (number,) = read_as(told, text)
        assert type(number) is int
        assert number == Decimal(text)
    else:
        with pytest.raises(ColumnConversionError, match=why):
            read_as(told, text)


def test_what_a_reader_raises_comes_out_as_it_is():
    def batches():
        yield pa.record_batch({"x": [1]})
        raise LookupError("my own")

    door = ingest.as_source(pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches()))
    with pytest.raises(LookupError, match="my own"):
        door.stream.read_all()


def test_another_frame_that_is_in_memory_is_taken_in_whole():
    frame = pl.DataFrame({"x": [1, 2, 3]})
    assert ingest.as_source(frame).rows == 3

    class OnlyStreams:
        __arrow_c_stream__ = frame.__arrow_c_stream__

    assert ingest.as_source(OnlyStreams()).rows is None
    with pytest.raises(TypeError, match="A Series has no columns. Convert it to a frame"):
        ingest.as_source(pl.Series([1, 2]))


@pytest.mark.parametrize(("bits", "inner"), [(pa.int64(), pa.timestamp("s")), (pa.int32(), pa.date32())], ids=str)
def test_a_value_that_python_does_not_have_is_told_by_its_kind(bits, inner):
    beyond = pa.array([[2**31 - 1 if bits == pa.int32() else 253402300800]], pa.list_(bits)).cast(pa.list_(inner))
    with pytest.raises(UnsupportedTypeError) as caught:
        plan.plan_columns(ingest.as_source(pa.table({"x": beyond})))
    assert caught.value.value == "<ListScalar>"


def test_a_stream_tells_the_row_of_the_whole():
    door = ingest.as_source(pa.table({"x": [1.0, 2.0, 3.0, np.inf]}).to_reader(max_chunksize=2))
    plans, batches = plan.plan_columns(door), list(door.stream)
    assert plan.prepare_batch(batches[0], plans, 0)["x"].to_pylist() == [1, 2]
    with pytest.raises(CellValueError, match="row 3: inf"):
        plan.prepare_batch(batches[1], plans, 2)


@pytest.mark.parametrize(("value", "options"), [(True, None), (5, {"no_such": 1}), (1e300, "s"), (2**62, "D")])
def test_what_is_no_date_is_refused_by_its_column(value, options):
    with pytest.raises(ColumnConversionError, match="Column 'x' cannot be read as dates") as caught:
        to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([[value]]))}, 1, parse_dates={"x": options})
    assert caught.value.column == "x"


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
def test_a_later_page_goes_exactly_into_the_type_of_the_first_or_not_at_all(kind, values, target, expected):
    stored = pa.large_string() if kind in (Kind.TEXT, Kind.LITERAL) else None
    decoded = Decoded(kind, pa.chunked_array([pa.array(values, stored)]))
    if expected is None:
        with pytest.raises(pa.ArrowInvalid):
            infer.conform(decoded, target)
    else:
        assert infer.conform(decoded, target).to_pylist() == expected


@pytest.mark.parametrize(
    ("dtype", "arrow_type"),
    [
        (pd.DatetimeTZDtype("us", "Europe/Paris"), pa.timestamp("us", "Europe/Paris")),
        (pd.DatetimeTZDtype("ns", "UTC"), pa.timestamp("ns", "UTC")),
        (pd.DatetimeTZDtype("s", dt.timezone(dt.timedelta(hours=1))), pa.timestamp("s", "UTC")),
        (pd.SparseDtype("int8", 0), pa.int8()),
        (pd.ArrowDtype(pa.list_(pa.int8())), pa.list_(pa.int8())),
        (pd.CategoricalDtype(["b", "a"]), pa.dictionary(pa.int8(), OWN_TEXT)),
        (pd.CategoricalDtype([1.5]), pa.dictionary(pa.int8(), pa.float64())),
        (pd.CategoricalDtype([]), None),
        (pd.CategoricalDtype(pd.PeriodIndex(["2024-01"], freq="M")), None),
        (pd.PeriodDtype("M"), None),
        (pd.IntervalDtype("float64", "left"), None),
        (pd.IntervalDtype("datetime64[us]", "both"), None),
        (np.dtype("complex128"), None),
        (np.dtype("float16"), pa.float16()),
        (np.dtype("m8[s]"), pa.duration("s")),
        (dt.date, pa.date32()),
        (dt.datetime, pa.timestamp("us")),
        (dt.timedelta, pa.duration("ns")),
        (dt.time, None),
        (Decimal, None),
    ],
    ids=str,
)
def test_a_home_is_of_one_type_among_arrow_batches_or_stays_text(dtype, arrow_type):
    assert recast.restore_targets({"x": dtype})["x"].arrow_type == arrow_type


def test_all_spellings_of_a_truth_value_come_home():
    true, false = ["true", "1", "1.0"], ["false", "0", "0.0", "-0.0"]
    assert read_as("bool", *true, *false).tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize("text", ["yes", "01", "True", "", "2", "1.00"])
def test_other_words_are_no_truth_values(text):
    with pytest.raises(ColumnConversionError, match="is neither true nor false"):
        read_as("bool", "true", text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", "5"), ("-5", "-5"), ("2.5", "2.5"), ("1e22", "1e+22"), ("5.0", "5.0"), ("1E+400", "Decimal('1E+400')"),
     ("0.10000000000000000000001", "Decimal('0.10000000000000000000001')")],
)  # fmt: skip
def test_of_several_kinds_of_number_the_plainest_that_is_exact_comes_home(text, number):
    told = pd.DataFrame({"x": pd.Series([2.5, 2**70], dtype=object)}).clicdata.schema()["dtype"][0]
    assert repr(read_as(told, text).tolist()) == f"[{number}]"


def test_moments_of_numpy_go_from_the_first_to_the_last():
    door = frame(np.datetime64("0001-01-01T00:00:00"), np.datetime64("9999-12-31T23:59:59.999999"))
    ready = plan.prepare_table(door, plan.plan_columns(door))
    assert ready["x"].to_pylist() == [dt.datetime.min, dt.datetime.max]
    with pytest.raises(CellValueError, match="years 1 to 9999"):
        plan.plan_columns(frame(np.datetime64("0000-12-31T23:59:59")))


def prepared(array, wanted=None):
    door = ingest.as_source(pa.table({"x": array}))
    return plan.prepare_table(door, plan.plan_columns(door, wanted and {"x": wanted}))["x"].cast(pa.string())


def of_ticks(ticks, arrow_type):
    bits = pa.int32() if arrow_type.bit_width == 32 else pa.int64()
    return pa.array(ticks, bits).cast(arrow_type)


DAY, FIRST_DAY, PAST_LAST_DAY = 86400, -719162, 2932897


@pytest.mark.parametrize(
    ("arrow_type", "a_day"),
    [
        (pa.timestamp("s"), DAY),
        (pa.timestamp("ms"), DAY * 10**3),
        (pa.timestamp("us", "Europe/Paris"), DAY * 10**6),
        (pa.date32(), 1),
        (pa.date64(), DAY * 10**3),
    ],
    ids=str,
)
def test_days_and_moments_of_every_unit_go_from_the_first_to_the_last(arrow_type, a_day):
    step = a_day if pa.types.is_date(arrow_type) else 1
    first, past = FIRST_DAY * a_day, PAST_LAST_DAY * a_day
    sent = prepared(of_ticks([first, None, past - step], arrow_type)).to_pylist()
    assert [text and text[:10] for text in sent] == ["0001-01-01", None, "9999-12-31"]
    for tick in (first - step, past):
        with pytest.raises(CellValueError, match="years 1 to 9999"):
            prepared(of_ticks([tick], arrow_type))


def test_a_date64_within_its_day_is_that_day():
    assert prepared(of_ticks([-1, 0, 1, DAY * 1000 - 1, DAY * 1000], pa.date64())).to_pylist() == [
        "1969-12-31", "1970-01-01", "1970-01-01", "1970-01-01", "1970-01-02",
    ]  # fmt: skip
    with pytest.raises(CellValueError, match="milliseconds since 1970"):
        prepared(of_ticks([2**32 * DAY * 1000], pa.date64()))  # 32 bits of days begin anew there


@pytest.mark.parametrize(
    ("unit", "tick", "text"),
    [
        ("s", 3723, "01:02:03"),
        ("ms", 3723000, "01:02:03"),
        ("ms", 3723004, "01:02:03.004000"),
        ("us", 3723000000, "01:02:03"),
        ("us", 3723000004, "01:02:03.000004"),
        ("ns", 3723000000000, "01:02:03"),
        ("ns", 3723000004000, "01:02:03.000004"),
        ("ns", 3723120000000, "01:02:03.120000"),
        ("ns", 3723000000004, "01:02:03.000000004"),
        ("ns", 3723100000000, "01:02:03.100000"),
    ],
)
def test_times_of_day_have_the_digits_that_they_need(unit, tick, text):
    arrow_type = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    assert prepared(of_ticks([tick], arrow_type)).to_pylist() == [text]
    assert read_as(pd.ArrowDtype(arrow_type), text).array.__arrow_array__().to_pylist() == [
        of_ticks([tick], arrow_type)[0].as_py()
    ]


def test_single_floats_are_not_rounded_twice():
    # By way of a double it would be 1.0000002.
    assert read_as("float32", "1.00000017881393432617187499").tolist() == [np.float32(1.0000001)]
    numerals = infer.InferredColumn(pa.chunked_array([[str(10**39)]]), numerals=True, whole=True)
    with pytest.raises(ColumnConversionError, match="does not hold"):
        to_pandas.to_frame({"x": numerals}, 1, dtype="float32")


def test_no_columns_are_a_frame_of_as_many_rows():
    frame = to_pandas.to_frame({}, 3)
    assert frame.shape == (3, 0)
    assert frame.columns.dtype == pd.Index([""]).dtype


def test_nothing_but_null_is_none():
    read = to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([pa.nulls(2)]))}, 2)["x"]
    assert [value is None for value in read] == [True, True]


def test_text_of_a_width_of_numpy_comes_home_as_pandas_has_text():
    back = read_as(np.dtype("U5"), "00123", None, "longer than five")
    assert back.dtype == pd.Series([""]).dtype
    assert back.tolist()[::2] == ["00123", "longer than five"]
    assert read_as(np.dtype("U5"), None).dtype == back.dtype


def test_a_stream_of_runs_is_a_stream_of_their_values():
    runs = pc.run_end_encode(pa.array([7, 7, None], pa.int16()))
    door = ingest.as_source(pa.table({"x": runs}).to_reader())
    plans = plan.plan_columns(door)
    assert [source.arrow_type for source in door.columns] == [pa.int16()]
    assert plan.prepare_batch(next(iter(door.stream)), plans, 0)["x"].to_pylist() == [7, 7, None]


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (dt.time(1), "a time of day as ISO 8601 text"),
        (dt.timedelta(1), "a duration as ISO 8601 text"),
        (pd.Period("2024"), "a period, written as in pandas"),
        (pd.Interval(0, 1), "an interval, written as in pandas"),
        (None, "text, because the column has no values; name another type with column_types={…}"),
    ],
    ids=repr,
)
def test_what_is_done_to_a_column_is_noted(value, note):
    assert plan.schema_frame(frame(value))["note"].tolist() == [note]
    if value is not None:
        own = ingest.as_source(pd.DataFrame({"x": pd.Series([value])}))
        assert plan.schema_frame(own)["note"].tolist() == [note]


def test_bytes_come_home_from_base64_alone():
    told = pd.DataFrame({"x": [b"a"]}).clicdata.schema(column_types={"x": "text"})["dtype"][0]
    assert read_as(told, '"YQ=="', None).tolist() == [b"a", None]
    with pytest.raises(ColumnConversionError, match="is not JSON of bytes"):
        read_as(told, '"Y Q=="')


def test_sparse_text_comes_home():
    sparse = pd.Series(pd.arrays.SparseArray(np.array(["a", "", "a"], dtype=object), fill_value=""))
    told = recast.restore_targets(pd.DataFrame({"x": sparse}).clicdata.schema())["x"]
    back = told.series("x", pa.chunked_array([pa.array(["a", "", "a"], pa.large_string())]))
    assert (back.dtype, back.tolist()) == (sparse.dtype, sparse.tolist())


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (pd.Index([], dtype=object), None),
        (pd.MultiIndex.from_arrays([[], []]), "The index (of object)"),
        (pd.Index([], name="key", dtype=object), "The index ('key')"),
    ],
    ids=["plain", "levels", "named"],
)
def test_of_an_empty_index_only_names_and_levels_are_told_of(index, told):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ingest.warn_of_index(pd.DataFrame({"x": []}, index=index))
    assert [str(warning.message).startswith(told or "?") for warning in caught] == [True] * (told is not None)


def test_whole_decimals_are_whole_numbers_also_beside_nothing():
    numbers = pa.chunked_array([pa.array([Decimal(1), None, Decimal(2**70)], pa.decimal128(38, 0))])
    read = to_pandas.to_frame({"x": infer.InferredColumn(numbers)}, 3)["x"].tolist()
    assert [(type(value), value) for value in read] == [(int, 1), (type(None), None), (int, 2**70)]
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
def test_numbers_beyond_a_dtype_are_told(texts, dtype, what):
    with pytest.raises(ColumnConversionError) as caught:
        to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([texts]), numerals=True)}, len(texts), dtype=dtype)
    assert what in str(caught.value)


def test_half_a_surrogate_pair_is_told_in_words():
    with pytest.raises(ValueError, match=r"^it contains half of a surrogate pair$"):
        json_text(["\ud800"])


def test_a_number_too_long_for_any_type_is_told_before_it_is_written_out():
    with pytest.raises(pa.ArrowInvalid, match="1E\\+400 is not exact in int64"):
        infer.conform(Decoded(Kind.LITERAL, pa.chunked_array([["1E+400"]], pa.large_string())), pa.int64())


def test_python_durations_come_home_from_iso_8601_alone():
    told = pd.DataFrame({"x": pd.Series([dt.timedelta(1)], dtype=object)}).clicdata.schema()["dtype"][0]
    assert read_as(told, "P1DT0H0M0S", None).tolist() == [pd.Timedelta(1, "D"), None]
    for text in ("1 day", "5", "PT"):
        with pytest.raises(ColumnConversionError, match="is not a duration in ISO 8601"):
            read_as(told, text)


@pytest.mark.parametrize("kind", [str, int, float, bool, complex])
def test_a_class_of_python_is_the_dtype_that_pandas_takes_it_for(kind):
    assert recast.restore_targets({"x": kind})["x"].dtype == pd.api.types.pandas_dtype(kind)
    assert recast.restore_targets({"x": dt.date})["x"].dtype == object
    with pytest.raises(ValueError, match="which cannot be read"):
        recast.restore_targets({"x": bytes})


def test_a_signalling_nan_is_missing_and_hides_nothing_else():
    door = frame(Decimal("sNaN"), Decimal("1.5"), None)
    assert plan.prepare_table(door, plan.plan_columns(door))["x"].to_pylist() == [None, "1.5", None]


def test_periods_of_several_kinds_go_as_text_and_have_no_home():
    door = frame(pd.Period("2024-01", "M"), pd.Period("2024-01-01", "D"))
    assert plan.prepare_table(door, plan.plan_columns(door))["x"].to_pylist() == ["2024-01", "2024-01-01"]
    assert plan.schema_frame(door)["dtype"][0].metadata is None


def test_names_too_much_alike_are_refused_of_a_stream_too():
    reader = pa.table({"a": [1], "A ": [2]}).to_reader()
    with pytest.raises(ColumnNameError, match="'a' and 'A ' differ only in case or spaces"):
        ingest.as_source(reader)


@pytest.mark.parametrize("dtype", ["float64", "Float64"])
def test_long_numbers_beside_nothing_are_the_nearest_floats(dtype):
    numerals = infer.InferredColumn(pa.chunked_array([["1E+30", None, "0.1000000000000000000001"]]), numerals=True)
    read = to_pandas.to_frame({"x": numerals}, 3, dtype=dtype)["x"]
    assert read.dtype == dtype
    assert read[[0, 2]].tolist() == [1e30, 0.1]
    assert read.isna().tolist() == [False, True, False]


def test_text_is_dates_by_its_words_whatever_they_look_like():
    read = to_pandas.to_frame({"x": infer.InferredColumn(pa.chunked_array([["2024", "1999"]]))}, 2, parse_dates=["x"])["x"]
    assert read.tolist() == [pd.Timestamp(2024, 1, 1), pd.Timestamp(1999, 1, 1)]


def test_what_is_no_single_value_is_told_by_its_column():
    with pytest.raises(FrameError, match="where= has a list for column 't', which is not a single value") as caught:
        plan.one_row("where", {"n": 1, "t": [1, 2]})
    assert caught.value.column == "t"


def test_an_array_of_arrow_is_no_table_even_of_structs():
    with pytest.raises(TypeError, match="Cannot send a ChunkedArray"):
        ingest.as_source(pa.chunked_array([[{"a": 1}]]))


class Day(dt.date):
    """A date of somebody else's class."""


class Clock(dt.time):
    """A time of day of somebody else's class."""


@pytest.mark.parametrize(
    ("value", "sent"),
    [(np.str_("a"), "a"), (Day(2024, 1, 2), "2024-01-02"), (Clock(1, 2), "01:02:00"), (np.bool_(True), "true")],
    ids=repr,
)
def test_values_of_a_class_made_of_another_are_of_its_kind(value, sent):
    door = frame(value, None)
    ready = plan.prepare_table(door, plan.plan_columns(door))["x"]
    assert ready.cast(pa.string()).to_pylist() == [sent, None]
