"""`schema=` on reading: what was pushed comes back in the very dtypes it had, or the cell that does not is refused."""

import datetime as dt
import enum
import io
import itertools
import uuid
import warnings
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from drawn_frames import arrow_series, objects
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.types.rules import LITERAL_RULE, RULES

D = Decimal
PARIS = "Europe/Paris"
MAX, MIN = 2**63 - 1, -(2**63)
BACKENDS = (None, "numpy_nullable", "pyarrow")


@dataclass(frozen=True)
class Kind:
    """Values of one dtype, and those types of ClicData that they all go into beside the default one."""

    dtype: Any
    values: list
    ways: tuple[str, ...] = ()
    nullable: bool = True

    def series(self, with_null):
        values = [self.values[0], None, *self.values[1:]] if with_null else self.values
        if callable(self.dtype):
            return self.dtype(values)
        if isinstance(self.dtype, pd.ArrowDtype):
            return arrow_series(pa.array(values, self.dtype.pyarrow_dtype))
        return pd.Series(values, dtype=self.dtype)


def arrow(arrow_type):
    return pd.ArrowDtype(arrow_type)


def category(categories, ordered=False):
    return pd.CategoricalDtype(categories, ordered)


def cast(first, arrow_type):
    return lambda values: arrow_series(pa.array(values, first).cast(arrow_type))


def zoned(unit, zone):
    return lambda values: pd.Series(
        pd.DatetimeIndex(np.array(values, f"M8[{unit}]")).tz_localize("UTC").tz_convert(zone)
    )


def intervals(closed, subtype="float64"):
    return lambda values: pd.Series(
        pd.arrays.IntervalArray.from_arrays(
            *(pd.Series([None if v is None else v[end] for v in values], dtype=subtype) for end in (0, 1)),
            closed=closed,
        )
    )


def half(values):
    return arrow_series(pa.array([None if v is None else np.float16(v) for v in values], pa.float16()))


OTHER_NUMBER = ("percentage", "text", "dropdown")
FLOATS = [0.1, -0.0, 1.0, 1e22, 5e-324, 1.7976931348623157e308, 1e16]
SINGLES = [0.1, -0.0, 16777216.0, 1e-45, 3.4028235e38, 1.1754944e-38]
WORDS = ["00123", "", " a ", 'say "é"\\\n\t\x00 😀', "null", "NaN", "1e5", "true", "2013-01-01", "[1]"]
MOMENTS = ["0001-01-01", "1969-12-31T23:59:59", "9999-12-31T23:59:59"]
RECENT = ["1677-09-22", "1969-12-31T23:59:59.999999", "2024-10-27T00:30", "2024-10-27T01:30", "2262-04-11T12:00"]
DAYS = [dt.date(1, 1, 1), dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]
CLOCKS = [dt.time(0), dt.time(1, 2, 3), dt.time(23, 59, 59)]
SPANS = ["1 days 02:03:04", "-1s", "0s"]

KINDS = {
    "int8…int64, uint8…uint64": [
        *(Kind(bits, [np.iinfo(bits).min, 0, 1, np.iinfo(bits).max], OTHER_NUMBER, nullable=False)
          for bits in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")),
        *(Kind(bits, [np.iinfo(bits.lower()).min, 1, np.iinfo(bits.lower()).max], OTHER_NUMBER)
          for bits in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")),
        Kind(arrow(pa.int8()), [-128, 127], OTHER_NUMBER), Kind(arrow(pa.uint64()), [0, 2**64 - 1]),
        *(Kind(name, [0, 1, 1], ("checkbox",), name == "Int8") for name in ("int8", "Int8")),
        Kind(objects, [1, MAX, MIN, np.int8(3)]), Kind(category([3, 1, MAX], ordered=True), [1, MAX, 1]),
        Kind(pd.SparseDtype("int64", 0), [0, 0, 7], nullable=False),
        Kind(pd.SparseDtype("int8", 1), [1, 7], nullable=False),
        Kind(arrow(pa.dictionary(pa.int8(), pa.int16())), [5, 7, 5]),
    ],
    "float16": [Kind("float16", [0.1, 65504.0, 6e-8, -0.0], OTHER_NUMBER), Kind(half, [0.1, 65504.0, 6e-8])],
    "float32, float64": [
        *(Kind(name, SINGLES, OTHER_NUMBER) for name in ("float32", "Float32", arrow(pa.float32()))),
        *(Kind(name, FLOATS, OTHER_NUMBER) for name in ("float64", "Float64", arrow(pa.float64()))),
        Kind("float64", [0.0, 1.0], ("checkbox",)), Kind("longdouble", [0.1, 1e300]), Kind(objects, [0.1, 1e16, 2.0]),
        Kind(pd.SparseDtype("float64"), [0.5, 1.0]), Kind(pd.SparseDtype("float32", 0.0), [0.5, 0.0]),
        Kind(category([0.1, 5.0, 1e300]), [5.0, 0.1]),
    ],
    "decimal128, decimal256": [
        Kind(arrow(pa.decimal128(5, 2)), [D("1.10"), D("-0.05"), D("999.99")], OTHER_NUMBER),
        Kind(arrow(pa.decimal128(38, 10)), [D("1234567890123456789.0123456789")]),
        Kind(arrow(pa.decimal256(76, 0)), [D("9" * 76), D(-1)]),
        Kind(arrow(pa.decimal256(76, 76)), [D("0." + "1" * 76)]),
    ],
    "bool": [
        Kind("bool", [True, False], ("number", "text", "dropdown"), nullable=False),
        Kind("boolean", [True, False], ("number", "text", "dropdown")), Kind(arrow(pa.bool_()), [True, False]),
        Kind(objects, [True, np.bool_(False)]), Kind(category([True, False]), [False, True]),
        Kind(pd.SparseDtype("bool"), [True, False], nullable=False),
    ],
    "string, large_string, string_view": [
        *(Kind(name, WORDS, ("dropdown",)) for name in
          ("string", "string[python]", "string[pyarrow]", arrow(pa.string()), arrow(pa.large_string()), objects)),
        Kind("str", WORDS, ("dropdown",), nullable=str(pd.Series([""]).dtype) == "str"),
        *(Kind("string", values, ways) for values, ways in (
            (["1", "-2.5", str(MAX), "9" * 40], ("number", "percentage")), (["true", "false"], ("checkbox",)),
            (["2013-01-01", "0001-01-01"], ("date",)))),
        Kind(category(["b", "a", "c"]), ["a", "b", "a"], ("dropdown",)),
        Kind(category(["S", "L"], ordered=True), ["L", "S"]), Kind(category([]), []),
        Kind(arrow(pa.dictionary(pa.int8(), pa.string())), ["a", "b", "a"]),
        Kind(pd.PeriodDtype("M"), ["2024-01", "1500-02", "0005-03", "9999-12"]),
        Kind(pd.PeriodDtype("D"), ["2024-02-29", "1969-12-31"]), Kind(pd.PeriodDtype("Q-JAN"), ["2024Q1", "2024Q4"]),
        Kind(pd.PeriodDtype("W-WED"), ["2024-02-29", "0200-01-01"]), Kind(pd.PeriodDtype("Y-JUN"), ["2024", "0999"]),
        Kind(pd.PeriodDtype("2h"), ["2024-01-01 03:00"]), Kind(pd.PeriodDtype("ns"), ["2024-01-01 03:00:00.000000001"]),
        *(Kind(intervals(closed), [(0.1, 0.2), (-np.inf, 1e16), (0.2, np.inf)]) for closed in
          ("left", "right", "both", "neither")),
        Kind(intervals("right", "int64"), [(0, 5), (MIN, MAX)], nullable=False),
        Kind(intervals("left", "datetime64[ns]"), [("2024-01-01", "2024-01-02 00:00:00.000000001")]),
        Kind(intervals("left", "datetime64[ns, Europe/Paris]"), [("2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00")]),
        Kind(intervals("both", "timedelta64[ns]"), [("-1ns", "400D")]),
        Kind(lambda values: pd.Series(pd.cut(values, [0, 1, 2, np.inf])), [1, 2, 3], nullable=False),
        Kind(lambda values: pd.Series(pd.Categorical(pd.PeriodIndex(values, freq="M"))), ["2024-01", "2023-01"]),
        Kind(objects, [pd.Period("2024-01", "M"), pd.Period("2023-01", "M")]),
        Kind(objects, [pd.Interval(0.5, 1.5), pd.Interval(1.5, 2.0)]),
        Kind(category([pd.Interval(0, 1), pd.Interval(1, 5, closed="left")]), [pd.Interval(1, 5, closed="left")]),
        Kind(category([pd.Period("2024", "M"), pd.Period("2024", "Y")]), [pd.Period("2024", "Y")]),
    ],
    "timestamp, with or without a time zone": [
        *(Kind(f"datetime64[{unit}]", MOMENTS, ("text", "dropdown")) for unit in ("s", "ms", "us")),
        Kind("datetime64[ns]", RECENT, ("text",)), Kind("datetime64[s]", ["0001-01-01", "2024-02-29"], ("date",)),
        *(Kind(zoned(unit, zone), RECENT[2:], ("text",)) for unit, zone in
          (("us", PARIS), ("ns", "America/New_York"), ("ns", "UTC"), ("us", "+01:30"), ("ns", "dateutil/Europe/Paris"),
           ("us", dt.timezone(dt.timedelta(hours=-2))))),
        Kind(cast(pa.int64(), pa.timestamp("s")), [0, -62135596800, 253402300799]),
        *(Kind(cast(pa.int64(), pa.timestamp(unit, PARIS)), [0, 10**6]) for unit in ("ms", "us")),
        Kind(objects, [dt.datetime(1, 1, 1), dt.datetime(2024, 1, 2, 3, 4, 5, 600000), pd.Timestamp("2024")]),
        Kind(objects, [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), pd.Timestamp("2024-07-01", tz=PARIS)]),
        Kind(lambda values: pd.Series(pd.Categorical(pd.DatetimeIndex(values, tz=PARIS))), ["2024-01-01", "2023"]),
        Kind(category(pd.Index([dt.datetime(2024, 1, 1), dt.datetime(1, 1, 1)], dtype=object)), [dt.datetime(1, 1, 1)]),
    ],
    "date32, date64": [
        *(Kind(name, DAYS, ("datetime", "text", "dropdown")) for name in
          (objects, arrow(pa.date32()), arrow(pa.date64()))),
        Kind(category(DAYS), DAYS[1:]),
    ],
    "time32, time64": [
        *(Kind(arrow(t), CLOCKS, ("dropdown",)) for t in (pa.time32("s"), pa.time32("ms"), pa.time64("us"))),
        Kind(arrow(pa.time64("ns")), CLOCKS), Kind(cast(pa.int64(), pa.time64("ns")), [1, 86_399_999_999_999]),
        Kind(cast(pa.int32(), pa.time32("ms")), [1, 86_399_999]),
        Kind(objects, [dt.time(1, 2, 3, 40), dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=2)))], ("dropdown",)),
    ],
    "duration": [
        *(Kind(f"timedelta64[{unit}]", [pd.Timedelta(s) for s in SPANS], ("dropdown",)) for unit in
          ("s", "ms", "us", "ns")),
        Kind("timedelta64[ns]", [pd.Timedelta(1), pd.Timedelta(-1), pd.Timedelta(400, "D")]),
        *(Kind(cast(pa.int64(), pa.duration(unit)), [1, -1, 10**9]) for unit in ("s", "ms", "us", "ns")),
        Kind(objects, [dt.timedelta(days=-1), pd.Timedelta("1ns")]), Kind(category(pd.to_timedelta(SPANS)), SPANS[1:]),
    ],
    "null": [Kind(objects, [None, None]), Kind(arrow(pa.null()), [None, None])],
    LITERAL_RULE.arrow: [
        Kind(objects, [D("1.10"), D("-0.00"), D("1E+3"), D("3.14159265358979323846264338327950288")], OTHER_NUMBER),
        Kind(objects, [2**70, -1, 10**999]), Kind(objects, [1, 2.5, np.float32(0.5)]),
        Kind(objects, [1, D("0.3")]), Kind(objects, [2.5, D("0.10000000000000000000001"), 10**30, D("1E+400")]),
        Kind(category([2**70, 5]), [5, 2**70]), Kind(pd.SparseDtype(object), [1, 2**70]),
        Kind(category(pd.Index([1, 2.5, D("0.1")], dtype=object)), [2.5, D("0.1")]),
    ],
}  # fmt: skip


class Foreign(pd.api.extensions.ExtensionDtype):
    """A dtype of somebody else."""

    name = "foreign"
    type = object


class Colour(enum.Enum):
    RED = 1


JSON = [
    pd.Series([1 + 2j, -0.5j]),
    objects([1 + 2j, None]),
    objects([b"\x00a", None, b""]),
    objects([[1, "a", None, {"b": [True, 0.1]}], None, []]),
    objects([{"é\n": 1}, "a", 1, None, 2.5]),
    objects([uuid.UUID(int=7), None]),
    pd.Series(pd.Categorical([(1, "a"), None, (2,)])),
    pd.Series(pd.Categorical([b"b", b"a"], ordered=True)),
    *(
        arrow_series(pa.array(values, arrow_type))
        for arrow_type, values in (
            (pa.binary(), [b"\xff", None]),
            (pa.large_binary(), [b"\xff", None]),
            (pa.binary(2), [b"\xff\x00", None]),
            (pa.large_list(pa.time64("us")), [[dt.time(1, 2, 3, 4), None]]),
            (pa.list_(pa.date64(), 1), [[dt.date(2024, 1, 1)]]),
            (pa.list_(pa.dictionary(pa.int8(), pa.binary())), [[b"a", None, b"a"]]),
            (pa.list_(pa.int8()), [[1, None], None, []]),
            (pa.struct({"a": pa.date32(), "b": pa.list_(pa.decimal128(5, 2))}),
             [{"a": dt.date(2024, 1, 1), "b": [D("1.10")]}, None]),
            (pa.map_(pa.string(), pa.duration("s")), [[("a", dt.timedelta(seconds=1))], None]),
            (pa.list_(pa.timestamp("us", PARIS)), [[dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]]),
            (pa.list_(pa.float16()), [[np.float16(0.1), None], None]),
            (pa.list_view(pa.binary()), [[b"xy", None], None]),
            (pa.binary_view(), [b"xy", None]),
            (pa.string_view(), ["xy", None]),
            *((pa.list_(text), [["xy", None]]) for text in (pa.string(), pa.large_string(), pa.string_view())),
            (pa.list_(pa.bool_()), [[True, None]]),
            (pa.list_(pa.null()), [[None, None]]),
            (pa.large_list_view(pa.int8()), [[1, None], None]),
            *([(pa.uuid(), [b"x" * 16, None])] if hasattr(pa, "uuid") else []),
        )
    ),
    arrow_series(pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), pa.array([[1], [2, None]]))),
    arrow_series(pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([np.float16(0.1), np.float16(2)]))),
    arrow_series(pc.run_end_encode(pa.array(["a", "a", None]), run_end_type=pa.int16())),
]  # fmt: skip


def equal(back, frame):
    frame = frame.reset_index(drop=True)
    assert list(back.columns) == list(frame.columns)
    assert back.index.equals(frame.index)
    for label in frame:
        pd.testing.assert_series_equal(back[label], frame[label], check_exact=True)
    assert [*map(str, back.dtypes)] == [*map(str, frame.dtypes)]
    for (_, ours), (_, theirs) in zip(back.items(), frame.items(), strict=True):
        if ours.dtype == object:
            assert [value is None for value in ours] == [value is None for value in theirs]


def test_no_row_of_the_type_table_is_without_kinds():
    assert set(KINDS) == {rule.arrow for rule in (LITERAL_RULE, *RULES)}


def test_every_type_that_a_row_can_become_is_tried():
    for rule in (LITERAL_RULE, *RULES):
        tried = {rule.default, *itertools.chain(*(kind.ways for kind in KINDS[rule.arrow]))}
        assert rule.arrow == "null" or {str(way) for way in rule.encoders} - {"datetime"} <= {*map(str, tried)}, rule.arrow


@pytest.mark.parametrize("with_null", [False, True], ids=["full", "null"])
@pytest.mark.parametrize("row", KINDS)
def test_every_row_comes_home_in_its_own_dtypes(session, name, row, with_null):
    kinds = [kind for kind in KINDS[row] if kind.values and (kind.nullable or not with_null)]
    frame = pd.DataFrame(
        {
            f"{number} {way}": repeated(kind.series(with_null))
            for number, kind in enumerate(kinds)
            for way in ("default", *kind.ways)
        }
    )
    columns = {label: label.split()[1] for label in frame if not label.endswith("default")}
    cd.push(frame, name, column_types=columns, session=session)
    schema = frame.clicdata.schema(column_types=columns)
    assert [*map(str, schema["dtype"])] == [*map(str, frame.dtypes)]
    for backend in BACKENDS:
        equal(cd.read_clicdata(name, schema=schema, dtype_backend=backend, session=session), frame)
    chunks = [*cd.read_clicdata(name, schema=schema, chunksize=4, session=session)]
    assert [*map(len, chunks)] == [4, 4, 3]
    for start, chunk in zip((0, 4, 8), chunks, strict=True):
        equal(chunk, frame.iloc[start : start + 4])
    empty = next(iter(cd.read_clicdata(name, schema=schema, chunksize=2, limit=0, session=session)))
    equal(empty, frame.iloc[:0])
    arrow_batches(cd.read_clicdata_batches(name, schema=schema, session=session), frame)


def repeated(series, height=11):
    """Its values over and over, up to one height for all."""
    return series.iloc[[at % len(series) for at in range(height)]].reset_index(drop=True)


def arrow_batches(reader, frame):
    """Batches are of the types that they say, and have the values."""
    table = reader.read_all()
    assert table.num_rows == len(frame)
    table.validate(full=True)
    for name, column in frame.items():
        assert table[name].null_count == column.isna().sum()
        if isinstance(column.dtype, pd.ArrowDtype):
            assert table.schema.field(name).type == column.dtype.pyarrow_dtype
            assert table[name].to_pylist() == column.array.__arrow_array__().to_pylist()


@pytest.mark.parametrize("number", range(len(JSON)))
def test_what_went_as_json_text_comes_back_as_what_it_was(session, name, number):
    frame = JSON[number].to_frame("x")
    options = {"column_types": {"x": "text"}}
    cd.push(frame, name, session=session, **options)
    schema = frame.clicdata.schema(**options)
    back = cd.read_clicdata(name, schema=schema, session=session)
    assert back["x"].dtype == frame["x"].dtype
    assert repr(back["x"].tolist()) == repr(frame["x"].tolist())
    arrow_batches(cd.read_clicdata_batches(name, schema=schema, session=session), frame)


def test_objects_of_two_kinds_that_went_as_json_text_come_back_as_json_has_them(session, name):
    frame = objects([b"a", uuid.UUID(int=7)]).to_frame("x")
    cd.push(frame, name, column_types={"x": "text"}, session=session)
    back = cd.read_clicdata(name, schema=frame.clicdata.schema(column_types={"x": "text"}), session=session)
    assert back["x"].tolist() == ["YQ==", str(uuid.UUID(int=7))]


REFUSED = [
    (pd.Series([1, 300]), "int8", 1, "300", "is out of range"),
    (pd.Series([1, -1]), "UInt64", 1, "-1", "is out of range"),
    (pd.Series([1, 1.5]), "Int64", 1, "1.5", "is not a whole number"),
    (objects([1, 10**200]), arrow(pa.int64()), 1, str(10**50), "is out of range"),
    (objects([1, 10**39]), "float32", 1, str(10**39), "is out of range"),
    (pd.Series([1.0, 65536.0]), "float16", 1, "65536.0", "is out of range"),
    (objects([1, 10**400]), "float64", 1, "1000", "is out of range"),
    (pd.Series([1.0, None]), "int8", 1, "None", "is missing"),
    (pd.Series([True, None], dtype="boolean"), "bool", 1, "None", "is missing"),
    (pd.Series([1, 2]), "bool", 1, "2", "neither true nor false"),
    (pd.Series(["1", "x"]), "int8", 1, "x", "is not a number"),
    (pd.Series(["1", "0x1F"]), "int64", 1, "0x1F", "is not a number"),
    (pd.Series(["1", " 2"]), "float64", 1, " 2", "is not a number"),
    (pd.Series(["1", "inf"]), "float64", 1, "inf", "is not a number"),
    (pd.Series(["a", "z"]), category(["a", "b"]), 1, "z", "not one of its categories"),
    (pd.Series([1, 300]), category(np.array([1, 2], "int8")), 1, "300", "is out of range"),
    (pd.Series(["P1DT0H0M0S", "1 day"]), "timedelta64[ns]", 1, "1 day", "is not a duration"),
    (pd.Series(["P1DT0H0M0S", "5"]), "timedelta64[ns]", 1, "5", "is not a duration"),
    (pd.Series(["P0DT0H0M1S", "P0DT0H0M0.5S"]), "timedelta64[s]", 1, "0.5", "finer than the unit s"),
    (pd.Series(["P0DT0H0M0.001S", "P0DT0H0M0.0015S"]), "timedelta64[ms]", 1, "0.0015", "finer than the unit ms"),
    (pd.Series(["P0DT0H0M0.000001S", "P0DT0H0M0.0000015S"]), "timedelta64[us]", 1, "0.0000015", "finer than the unit us"),
    (pd.Series(["2024-01-01 00:00:00", "x"]), "datetime64[us]", 1, "x", "is not a datetime"),
    (pd.Series(["2024-01-01 00:00:00.500000", None]), "datetime64[s]", 0, ".500", "finer than the unit s"),
    (pd.Series([None, "1500-01-01 00:00:00"]), "datetime64[ns, UTC]", 1, "1500", "finer than the unit ns"),
    (pd.Series(["2024-01-01 00:00:00", "9999-12-31 23:00:00"]), "datetime64[s, Asia/Tokyo]", 1, "9999", "outside the years"),
    (pd.Series(["0001-01-01 04:00:00", None]), arrow(pa.timestamp("s", "America/New_York")), 0, "0001", "outside the years"),
    (pd.Series(["2024-01-01 00:00:00", "2024-01-01 12:00:00"]), arrow(pa.date32()), 1, "12:00", "has a time of day"),
    (pd.Series(["00:00:00", "24:00:00"]), arrow(pa.time64("us")), 1, "24:00", "is not a time of day"),
    (pd.Series(["00:00:00", "00:00:00.5"]), arrow(pa.time32("s")), 1, ".5", "finer than the unit s"),
    (pd.Series(["2024-01", "2024-13"]), "period[M]", 1, "2024-13", "is not a period"),
    (pd.Series(["2024-01", "2024-01-01"]), "period[M]", 1, "2024-01-01", "is not a period"),
    (pd.Series(["[0.0, 1.0)", "(0.0, 1.0]"]), "interval[float64, left]", 1, "(0.0, 1.0]", "closed left"),
    (pd.Series(["[0, 1)", "[2, 1)"]), "interval[int64, left]", 1, "[2, 1)", "is not an interval"),
    (pd.Series(["[0, 1)", None]), "interval[int64, left]", 1, "None", "is missing"),
    (pd.Series([D("1.10"), D("1000")]), arrow(pa.decimal128(5, 2)), 1, "1000", "has more digits"),
    (pd.Series([D("1.10"), D("1.105")]), arrow(pa.decimal128(5, 2)), 1, "1.105", "has more digits"),
    (pd.Series([D("1.5"), D("1E+9999")]), arrow(pa.decimal128(5, 2)), 1, "9999", "has more digits"),
    (pd.Series([1, 2]), dt.date, 0, "1", "is not a date"),
    (pd.Series(["a", None]), arrow(pa.null()), 0, "a", "is a value"),
    *(
        (pd.Series([fits, other]), arrow(arrow_type), 1, other, "is not JSON of this type")
        for arrow_type, fits, other in (
            (pa.list_(pa.int8()), "[1]", "[300]"),
            (pa.list_(pa.int8()), "[1]", "[1.5]"),
            (pa.list_(pa.int8()), "[1]", "null"),
            (pa.list_(pa.string()), '["a"]', '"a"'),
            (pa.list_(pa.string()), '["a"]', '{"a": 1}'),
            (pa.list_(pa.timestamp("s")), '["2024-01-01T00:00:00"]', '["2024-01-01T00:00:00.500000"]'),
            (pa.list_(pa.time32("s")), '["01:02:03"]', '["01:02:03.500000"]'),
            (pa.struct({"a": pa.int8()}), '{"a": 1}', '{"b": 1}'),
            (pa.struct({"a": pa.int8()}), '{"a": 1}', '{"a": 1, "b": 1}'),
            (pa.binary(), '"eHk="', "xy"),
            (pa.list_(pa.int8()), "[1]", "[" * 100_000),
        )
    ),
    (pd.Series(["[1]", "5"]), arrow(pa.list_(pa.int8())), 1, "5", "is not JSON of this type"),
    (pd.Series(['["1.50"]', '["x"]']), arrow(pa.list_(pa.decimal128(5, 2))), 1, "x", "is not JSON of this type"),
    (pd.Series(["[0.5]", "[1e400]"]), arrow(pa.list_(pa.float64())), 1, "1e400", "has a number beyond the range of a float"),
    (pd.Series(["[0.5]", "[NaN]"]), arrow(pa.list_(pa.float64())), 1, "NaN", "has a number beyond the range of a float"),
    (pd.Series(['"YQ=="', '"Y Q=="']), arrow(pa.binary()), 1, "Y Q", "is not JSON of this type"),
    (pd.Series(["P1DT0H0M0S", "PT"]), "timedelta64[ns]", 1, "PT", "is not a duration"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)), ids=lambda n: f"{REFUSED[n][3][:9]} as {REFUSED[n][1]}")
def test_what_a_dtype_does_not_hold_is_refused_by_cell(session, name, case):
    series, dtype, row, shown, why = REFUSED[case]
    text = isinstance(series.iloc[0] or series.iloc[1], str)
    cd.push(series.to_frame("x"), name, column_types={"x": "text"} if text else None, session=session)
    for options in ({}, {"chunksize": 1}):
        with pytest.raises(cd.ColumnConversionError, match=r"^Column 'x', row") as caught:
            list(cd.read_clicdata(name, schema={"x": dtype}, session=session, **options))
        error = caught.value
        assert (error.column, error.row) == ("x", row)
        assert shown[:40] in error.value
        assert why in str(error)


def test_the_schema_may_be_written_in_four_ways(session, name):
    frame = pd.DataFrame(
        {"a": pd.Series([1, 2], dtype="int8"), "day": DAYS[:2], "s": pd.Series(["x", "1"], dtype="string")}
    )
    cd.push(frame, name, session=session)
    told = frame.clicdata.schema()
    csv = pd.read_csv(io.StringIO(told.to_csv(index=False)))
    for schema in (told, csv, told.set_index("column")["dtype"], {"a": np.int8, "day": dt.date, "s": "string"}):
        equal(cd.read_clicdata(name, schema=schema, session=session), frame)
    types = pa.schema({"a": pa.int8(), "day": pa.date64(), "s": pa.large_string()})
    back = cd.read_clicdata(name, schema=types, session=session)
    assert [dtype.pyarrow_dtype for dtype in back.dtypes] == list(types.types)
    assert cd.read_clicdata_batches(name, schema=types, session=session).schema == types


def test_other_columns_come_as_without_it_and_dtype_wins(session, name):
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    cd.push(frame, name, session=session)

    def dtypes(**options):
        back = cd.read_clicdata(name, session=session, **options)
        return {label: str(dtype) for label, dtype in back.dtypes.items()}

    schema = {"b": "int8", "a": "float32"}
    assert dtypes(schema=schema) == {"a": "float32", "b": "int8", "c": "int64"}
    assert dtypes(schema=schema, dtype={"a": "Int16"}) == {"a": "Int16", "b": "int8", "c": "int64"}
    assert dtypes(schema=schema, dtype="float64") == dict.fromkeys("abc", "float64")
    assert dtypes(schema=schema, columns=["c", "b"]) == {"c": "int64", "b": "int8"}
    assert dtypes(schema={"z": "int8", **schema}, columns=["b"]) == {"b": "int8"}
    assert cd.read_clicdata(name, schema=schema, columns=["b"], index_col="a", session=session).index.dtype == "float32"
    assert dtypes(schema={"a": object, "b": "category"}) == {"a": "object", "b": "category", "c": "int64"}
    for options in ({}, {"chunksize": 1}):
        with pytest.raises(cd.ColumnNotFoundError, match=r"schema= names 'x', 'y', which .* it has 'a', 'b', 'c'"):
            cd.read_clicdata(name, schema={"x": "int8", "a": "int8", "y": "int8"}, session=session, **options)
    with pytest.raises(cd.ColumnNotFoundError, match=r"'A'.*Did you mean 'a'\?"):
        cd.read_clicdata_batches(name, schema={"A": "int8"}, session=session)


@pytest.mark.parametrize(
    ("schema", "kind", "why"),
    [
        (5, TypeError, "not a int.$"),
        *(
            (pd.DataFrame({each: ["int8"]}), TypeError, "not a DataFrame without columns 'column' and 'dtype'")
            for each in ("a", "column", "dtype")
        ),
        ({"a": "int128"}, ValueError, "'a' the dtype 'int128'"),
        ({"a": "decimal128(5, 2)[pyarrow]"}, ValueError, "Pass the dtype itself"),
        ({"a": "S5"}, ValueError, "'a'"),
        ({"a": "period[nonsense]"}, ValueError, "'a' the dtype"),
        ({"a": "datetime64[D]"}, ValueError, "'a' the dtype"),
        ({"a": Foreign()}, ValueError, "'a' the dtype"),
        ({"a": "values written as JSON"}, ValueError, "'a'"),
        ({"a": arrow(pa.list_(pa.float16())).pyarrow_dtype, 1: "V8"}, ValueError, "'1'"),
        ({"a": None}, ValueError, "the dtype None"),
        ({"a": "interval"}, ValueError, "a closed side"),
        ({"a": "interval[int64]"}, ValueError, "a closed side"),
        ({"a": pd.IntervalDtype(closed="left")}, ValueError, "cannot be read: an interval dtype needs"),
        (pa.schema({"a": pa.dense_union([pa.field("x", pa.int8())])}), ValueError, "read from JSON"),
        (pa.schema({"a": pa.list_(pa.month_day_nano_interval())}), ValueError, "read from JSON"),
        (
            pa.schema({"a": pa.run_end_encoded(pa.int16(), pa.dictionary(pa.int8(), pa.string()))}),
            ValueError,
            "no kernel",
        ),
        (pd.DataFrame({"column": ["a", "a"], "dtype": ["int8", "int8"]}), ValueError, "'a' twice"),
    ],
)
def test_what_is_no_schema_is_refused_before_any_request(sessions, one_sandbox, schema, kind, why):
    before = len(one_sandbox.requests)
    for read in (cd.read_clicdata, cd.read_clicdata_batches):
        with pytest.raises(kind, match=why.replace("(", r"\(")):
            read("T", schema=schema, session=sessions["2025.3"])
    assert len(one_sandbox.requests) == before


def test_an_empty_table_is_typed_and_the_index_goes_too(session, name):
    frame = pd.DataFrame(
        {kind: KINDS[row][0].series(with_null=False).iloc[:0] for kind, row in zip("abcdefghijkl", KINDS, strict=True)}
    )
    cd.push(frame, name, session=session)
    schema = frame.clicdata.schema()
    equal(cd.read_clicdata(name, schema={"a": "int8"}, session=session)[["a"]], frame[["a"]])
    back = cd.read_clicdata(name, schema=schema.assign(dtype=list(frame.dtypes)), session=session)
    assert [*map(str, back.dtypes)] == [*map(str, frame.dtypes)]
    indexed = pd.DataFrame({"x": [1, 2]}, pd.CategoricalIndex(["b", "a"], ["c", "b", "a"], ordered=True, name="i"))
    cd.push(indexed, f"{name} indexed", index=True, session=session)
    schema = indexed.clicdata.schema(index=True)
    back = cd.read_clicdata(f"{name} indexed", schema=schema, index_col="i", session=session)
    pd.testing.assert_frame_equal(back, indexed)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([1, 2], dtype="int8", name="i"),
        pd.Index([2, 1], dtype="uint32", name="i"),
        pd.Index([dt.datetime(2024, 1, 1), None], dtype=object, name="i"),
        pd.Index([1, 2], dtype=object, name="i"),
        pd.PeriodIndex(["2024-01", None], freq="M", name="i"),
        pd.MultiIndex.from_arrays([pd.Index([1, 2], dtype="int8"), pd.Categorical(["a", None])], names=["i", "j"]),
    ],
    ids=lambda index: str(index.dtype) if index.nlevels == 1 else "levels",
)
def test_the_index_has_the_dtype_of_its_column(session, name, index):
    frame = pd.DataFrame({"x": [1, 2]}, index)
    cd.push(frame, name, index=True, session=session)
    options = {"index_col": list(index.names), "session": session}
    back = cd.read_clicdata(name, schema=frame.clicdata.schema(index=True), **options)
    pd.testing.assert_frame_equal(back, frame, check_index_type="exact")
    asked = {name: index.get_level_values(name).dtype for name in index.names}
    if object not in asked.values():
        assert cd.read_clicdata(name, dtype=asked, **options).index.dtype == index.dtype


def test_a_dtype_that_no_index_has_is_refused(session, name):
    cd.push(pd.DataFrame({"i": [0.5], "x": [1]}), name, session=session)
    with pytest.raises(cd.ColumnConversionError, match="Column 'i' cannot be the index: float16") as caught:
        cd.read_clicdata(name, schema={"i": "float16"}, index_col="i", session=session)
    assert caught.value.column == "i"


def test_columns_that_the_service_does_not_list_come_home_too(serve):
    _, session = serve("unversioned", assume=Assumptions(column_metadata=False))
    kinds = {row: next(kind for kind in KINDS[row] if kind.nullable) for row in KINDS}
    frame = pd.DataFrame({row: repeated(kind.series(with_null=True)) for row, kind in kinds.items()})
    schema = frame.clicdata.schema()
    for table, rows in (("full", frame), ("nulls", frame.iloc[[1]]), ("empty", frame.iloc[:0])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cd.IndexNotSentWarning)
            cd.push(rows, table, session=session)
        equal(cd.read_clicdata(table, schema=schema, session=session), rows)
        chunks = [*cd.read_clicdata(table, schema=schema, chunksize=100, session=session)]
        assert len(chunks) == 1
        equal(chunks[0], rows)
        arrow_batches(cd.read_clicdata_batches(table, schema=schema, session=session), rows)


NULLABLE = [kind for row in KINDS for kind in KINDS[row] if kind.nullable and kind.values]
FIXED = [kind for row in KINDS for kind in KINDS[row] if not kind.nullable]


@st.composite
def mixed_frames(draw):
    """Columns of any kinds, their values, and nulls where they may be, in any order."""
    height = draw(st.integers(0, 5))
    columns = {}
    for label in draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), min_size=1, max_size=5,
                               unique_by=lambda text: text.strip().casefold())):  # fmt: skip
        kind = draw(st.sampled_from(NULLABLE + FIXED))
        series = kind.series(kind.nullable)
        rows = draw(st.lists(st.integers(0, len(series) - 1), min_size=height, max_size=height))
        if label.strip():
            columns[label] = series.iloc[rows].reset_index(drop=True)
    return pd.DataFrame(columns or {"x": pd.Series([1] * height, dtype="int8")})


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(frame=mixed_frames(), size=st.integers(1, 6), dialect=st.sampled_from(["2025.3", "unversioned"]),
       backend=st.sampled_from(BACKENDS))  # fmt: skip
def test_any_mix_comes_home_whole_and_in_chunks(sessions, frame, size, dialect, backend):
    table, session = f"T {uuid.uuid4()}", sessions[dialect]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        cd.push(frame, table, session=session)
    options = {"schema": frame.clicdata.schema(), "dtype_backend": backend, "session": session}
    whole = cd.read_clicdata(table, **options)
    equal(whole, frame)
    chunks = [*cd.read_clicdata(table, chunksize=size, **options)]
    for start, chunk in zip(itertools.count(0, size), chunks, strict=False):
        equal(chunk, frame.iloc[start : start + size])
