"""Kinds of columns by row of the type table. The tests of ``schema=`` draw from them."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from properties.drawn_frames import arrow_series, objects

from pandas_clicdata.types.rules import LITERAL_RULE
from pandas_clicdata.types.to_pandas import DtypeBackend

D = Decimal


PARIS = "Europe/Paris"


MAX, MIN = 2**63 - 1, -(2**63)


BACKENDS: tuple[DtypeBackend | None, ...] = (None, "numpy_nullable", "pyarrow")


@dataclass(frozen=True)
class Kind:
    """Values of one dtype, and the ClicData types besides the default that accept all of them."""

    dtype: Any
    values: list[Any]
    data_types: tuple[str, ...] = ()
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
    def make(values):
        left, right = (pd.Series([None if v is None else v[end] for v in values], dtype=subtype) for end in (0, 1))
        return pd.Series(pd.arrays.IntervalArray.from_arrays(left, right, closed=closed))

    return make


def half(values):
    return arrow_series(pa.array([None if v is None else np.float16(v) for v in values], pa.float16()))


OTHER_NUMBER = ("percentage", "text", "dropdown")


FLOATS = [0.1, -0.0, 1.0, 1e22, 5e-324, 1.7976931348623157e308, 1e16]


SINGLES = [0.1, -0.0, 16777216.0, 1e-45, 3.4028235e38, 1.1754944e-38]


WORDS = ["00123", "", " a ", 'say "é"\\\n\t\x00 😀', "null", "NaN", "1e5", "true", "2013-01-01", "[1]"]


DATETIMES = ["0001-01-01", "1969-12-31T23:59:59", "9999-12-31T23:59:59"]


RECENT = ["1677-09-22", "1969-12-31T23:59:59.999999", "2024-10-27T00:30", "2024-10-27T01:30", "2262-04-11T12:00"]


DAYS = [dt.date(1, 1, 1), dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]


TIMES = [dt.time(0), dt.time(1, 2, 3), dt.time(23, 59, 59)]


DURATIONS = ["1 days 02:03:04", "-1s", "0s"]


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
        *(Kind("string", values, data_types) for values, data_types in (
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
        *(Kind(f"datetime64[{unit}]", DATETIMES, ("text", "dropdown")) for unit in ("s", "ms", "us")),
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
        *(Kind(arrow(t), TIMES, ("dropdown",)) for t in (pa.time32("s"), pa.time32("ms"), pa.time64("us"))),
        Kind(arrow(pa.time64("ns")), TIMES), Kind(cast(pa.int64(), pa.time64("ns")), [1, 86_399_999_999_999]),
        Kind(cast(pa.int32(), pa.time32("ms")), [1, 86_399_999]),
        Kind(objects, [dt.time(1, 2, 3, 40), dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=2)))], ("dropdown",)),
    ],
    "duration": [
        *(Kind(f"timedelta64[{unit}]", [pd.Timedelta(s) for s in DURATIONS], ("dropdown",)) for unit in
          ("s", "ms", "us", "ns")),
        Kind("timedelta64[ns]", [pd.Timedelta(1), pd.Timedelta(-1), pd.Timedelta(400, "D")]),
        *(Kind(cast(pa.int64(), pa.duration(unit)), [1, -1, 10**9]) for unit in ("s", "ms", "us", "ns")),
        Kind(objects, [dt.timedelta(days=-1), pd.Timedelta("1ns")]),
        Kind(category(pd.to_timedelta(DURATIONS)), DURATIONS[1:]),
    ],
    "null": [Kind(objects, [None, None]), Kind(arrow(pa.null()), [None, None])],
    LITERAL_RULE.arrow: [
        Kind(objects, [D("1.10"), D("-0.00"), D("1E+3"), D("3.14159265358979323846264338327950288")], OTHER_NUMBER),
        Kind(objects, [2**70, -1, 10**999]), Kind(objects, [1, 2.5, np.float32(0.5)]),
        Kind(objects, [1, D("0.3")]), Kind(objects, [2.5, D("0.10000000000000000000001"), 10**30, D("1E+400")]),
        Kind(category([2**70, 5]), [5, 2**70]), Kind(pd.SparseDtype("object"), [1, 2**70]),
        Kind(category(pd.Index([1, 2.5, D("0.1")], dtype=object)), [2.5, D("0.1")]),
    ],
}  # fmt: skip


def assert_equal(back, frame):
    frame = frame.reset_index(drop=True)
    assert list(back.columns) == list(frame.columns)
    assert back.index.equals(frame.index)
    for label in frame:
        pd.testing.assert_series_equal(back[label], frame[label], check_exact=True)
    assert [*map(str, back.dtypes)] == [*map(str, frame.dtypes)]
    for (_, ours), (_, theirs) in zip(back.items(), frame.items(), strict=True):
        if ours.dtype == object:
            assert [value is None for value in ours] == [value is None for value in theirs]
