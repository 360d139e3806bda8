"""The edge values of every type: the column that is pushed, and the values and dtype that a read returns."""

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from columns import objects

import pandas_clicdata as cd

pytestmark = pytest.mark.sampled(1)

NA, NAT, NAN = pd.NA, pd.NaT, float("nan")


D = Decimal


TEXT = pd.Series([""]).dtype


DATETIME = "datetime64[us]"


LONGEST = 10**76 - 1


PARIS = "Europe/Paris"


def typed(dtype):
    return lambda *values: pd.Series(values, dtype=dtype)


def arrow(arrow_type):
    return lambda *values: pa.chunked_array([pa.array(values, arrow_type)])


def datetimes(unit):
    return lambda *texts: pd.Series(np.array(texts, f"M8[{unit}]"))


def zoned(*texts):
    return pd.Series(pd.to_datetime(list(texts), utc=True).tz_convert(PARIS))


def categories(*values, of=None, ordered=False):
    return pd.Series(pd.Categorical(values, of, ordered=ordered))


def day(text):
    return dt.date.fromisoformat(text)


def at(*texts):
    return [pd.Timestamp(text) for text in texts]


MISSING = pd.Series([None], dtype=TEXT)[0]


FLOATS = [5e-324, -5e-324, 1.7e308, 1.7976931348623157e308, -0.0, 0.0, 0.1, 1e-12, 1e22, 1e16, 2.0**53, 1 / 3, NAN]


MIXED = [1, np.float64(2.5), np.int8(-3), np.uint64(7), np.float32(0.5), D("0.25"), np.bool_]


TEXTS = ["null", "NaN", "nan", "None", "NaT", "<NA>", "true", "False", "2013-01-01", "2013-01-01 00:00:00",
         "2013-01-01T00:00:00Z", "01234", "00", "+1", "1e5", "-0", "1.0", "inf", "", " ", "  a  ", "\x00", "a\x00b",
         '"', "\\", "{}", "[]", '{"a": 1}', "],[", "/", "\\u0041", "\b\f\v", "\x1f\x7f\x80", "a\nb\r\nc\rd", "\t",
         "\u2028\u2029", "\ufeff", "\ufffe\uffff", "e\u0301", "é", "ß", "İ", "😀", "👩‍👩‍👧‍👦", "\U0010ffff", "שלום",
         "\u202eabc\u202c", "مرحبا 123", "'; DROP TABLE x; --", "%s {0} $1", "&amp;<b>", "=1+1"]  # fmt: skip


STRADDLING = np.array(
    ["2024-03-31T00:59:59.999999", "2024-03-31T01:00:00", "2024-10-27T00:30:00", "2024-10-27T01:30:00"]
)


# The column that is pushed, the values that a read returns, and their dtype.
COLUMNS = {
    # whole numbers
    "int64 limits": (typed("int64")(-(2**63), -1, 0, 2**63 - 1), [-(2**63), -1, 0, 2**63 - 1], "int64"),
    "int64 limits and null": (typed("Int64")(-(2**63), None, 2**63 - 1), [-(2**63), NA, 2**63 - 1], "Int64"),
    "uint64 limits": (typed("uint64")(0, 2**63, 2**64 - 1), [0, 2**63, 2**64 - 1], "uint64"),
    "uint64 limits and null": (typed("UInt64")(0, None, 2**64 - 1), [0, NA, 2**64 - 1], "UInt64"),
    "past 2**53": (typed("int64")(2**53 - 1, 2**53, 2**53 + 1), [2**53 - 1, 2**53, 2**53 + 1], "int64"),
    "past 2**53 and null": (objects(2**53 + 1, None), [2**53 + 1, NA], "Int64"),
    "past uint64": (objects(2**64, 1), [2**64, 1], object),
    "past int64, both signs": (objects(2**63, -1), [2**63, -1], object),
    "1,000 digits": (objects(10**999, None), [10**999, None], object),
    "uint8": (typed("uint8")(0, 255), [0, 255], "int64"),
    # floats
    "floats": (typed("float64")(*FLOATS), FLOATS, "float64"),
    "Float64": (typed("Float64")(*FLOATS[:-1], None), FLOATS, "float64"),
    "float32": (typed("float32")(0.1, -0.0, 1e-45, 2**24 + 1), [0.1, -0.0, 1e-45, 16777216.0], "float64"),
    "float32 of whole numbers": (typed("float32")(65216088, -(2**31), 3.4028235e38),
                                 [65216088.0, -(2.0**31), 3.4028234663852886e38], "float64"),
    "Float32 of whole numbers": (typed("Float32")(65216088, None), [65216088.0, NAN], "float64"),
    "float16": (typed("float16")(0.1, -0.0, 6e-8, 65504), [0.1, -0.0, 6e-8, 65504.0], "float64"),
    "whole floats": (typed("float64")(1, 2), [1.0, 2.0], "float64"),
    "longdouble that a float holds": (typed("longdouble")(0.5, -0.0), [0.5, -0.0], "float64"),
    # Decimals
    "Decimal of 38 digits": (objects(D("3." + "1" * 37), D("-" + "9" * 38)), [D("3." + "1" * 37), D("-" + "9" * 38)],
                             object),
    "Decimal of 76 digits": (objects(D("0." + "7" * 76), D("1" * 76)), [D("0." + "7" * 76), D("1" * 76)], object),
    "Decimal of exponents": (objects(D("1E+400"), D("1E-400"), D("-1.5E+9999")), [D("1E+400"), D("1E-400"),
                                                                                 D("-1.5E+9999")], object),
    "Decimals that floats give back": (objects(D("1.10"), D("1E+3"), D("5"), D("-0.0")), [1.1, 1000.0, 5.0, -0.0],
                                       "float64"),
    "trailing zeros where one needs a Decimal": (
        objects(D("1.10"), D("0.12345678901234567890")), [D("1.1"), D("0.12345678901234567890")], object),
    "Decimals without a fraction": (objects(D("5"), D("-7"), D("-0")), [5, -7, 0], "int64"),
    "decimal128(38, 10)": (arrow(pa.decimal128(38, 10))(D("1.5"), D("9" * 28 + ".9999999999")),
                           [D("1.5"), D("9" * 28 + ".9999999999")], object),
    "decimal256(76, 0)": (arrow(pa.decimal256(76, 0))(D(LONGEST), D(-LONGEST)), [LONGEST, -LONGEST], object),
    "decimal256(76, 76)": (arrow(pa.decimal256(76, 76))(D("0." + "9" * 76), None), [D("0." + "9" * 76), None], object),
    # datetimes, dates, durations
    "seconds of the years 1 to 9999": (
        datetimes("s")("0001-01-01", "1677-09-21", "1969-12-31T23:59:59", "9999-12-31T23:59:59", "NaT"),
        [*(pd.Timestamp(np.datetime64(t, "us")) for t in ("0001-01-01", "1677-09-21", "1969-12-31T23:59:59",
                                                          "9999-12-31T23:59:59")), NAT], DATETIME),
    "milliseconds": (datetimes("ms")("1969-12-31T23:59:59.999", "2262-04-12"),
                     at("1969-12-31 23:59:59.999", "2262-04-12"), DATETIME),
    "microseconds": (datetimes("us")("0001-01-01", "1969-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
                     [pd.Timestamp(np.datetime64(t, "us")) for t in
                      ("0001-01-01", "1969-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999")], DATETIME),
    "nanoseconds' first and last": (datetimes("ns")("1677-09-21T00:12:43.145225", "2262-04-11T23:47:16.854775"),
                                    at("1677-09-21 00:12:43.145225", "2262-04-11 23:47:16.854775"), DATETIME),
    "leap day": (
        datetimes("s")("2024-02-29", "2000-02-29T23:59:59"), at("2024-02-29", "2000-02-29 23:59:59"), DATETIME),
    "no time of day stays a datetime": (datetimes("ns")("2024-01-01"), at("2024-01-01"), DATETIME),
    "both sides of each change of the clocks": (
        zoned(*STRADDLING),
        at("2024-03-31 00:59:59.999999", "2024-03-31 01:00", "2024-10-27 00:30", "2024-10-27 01:30"), DATETIME),
    "the hour that comes twice, by fold": (
        objects(*(dt.datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo(PARIS), fold=fold) for fold in (0, 1))),
        at("2024-10-27 00:30", "2024-10-27 01:30"), DATETIME),
    "offset of seconds": (
        objects(dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14, seconds=7)))),
        at("2023-12-31 09:59:53"), DATETIME),
    "dates": (objects(day("0001-01-01"), day("1969-12-31"), day("2024-02-29"), day("9999-12-31"), None),
              [day("0001-01-01"), day("1969-12-31"), day("2024-02-29"), day("9999-12-31"), None], object),
    "timedeltas": (pd.Series(pd.to_timedelta(["-1us", "-1 days", "0", "106751 days 23:47:16", None])),
                   ["P-1DT23H59M59.999999S", "P-1DT0H0M0S", "P0DT0H0M0S", "P106751DT23H47M16S", MISSING], TEXT),
    "nanosecond of a timedelta": (pd.Series(pd.to_timedelta([1, -1])),
                                  ["P0DT0H0M0.000000001S", "P-1DT23H59M59.999999999S"], TEXT),
    "time of a day": (objects(dt.time(0), dt.time(23, 59, 59, 999999)), ["00:00:00", "23:59:59.999999"], TEXT),
    # text
    "text": (objects(*TEXTS, None), [*TEXTS, MISSING], TEXT),
    "string": (typed("string")(*TEXTS, None), [*TEXTS, MISSING], TEXT),
    "text of 1 MB": (objects("é😀" * 200_000), ["é😀" * 200_000], TEXT),
    "nothing but dates as text": (objects("2013-01-01", "2013-01-02"), ["2013-01-01", "2013-01-02"], TEXT),
    "nothing but numbers as text": (objects("1", "2.5"), ["1", "2.5"], TEXT),
    # booleans
    "bool": (typed("bool")(True, False), [True, False], "bool"),
    "boolean and null": (typed("boolean")(True, None), [True, NA], "boolean"),
    "objects of bool and null": (objects(True, None, np.bool_(False)), [True, NA, False], "boolean"),
    # categories
    "unused categories": (categories("a", None, of=["b", "a", "c"]), ["a", MISSING], TEXT),
    "ordered categories": (categories("lo", "hi", of=["lo", "hi"], ordered=True), ["lo", "hi"], TEXT),
    "categories of int": (categories(2**53 + 1, None, 1), [2**53 + 1, NA, 1], "Int64"),
    "categories of float": (categories(0.1, None), [0.1, NAN], "float64"),
    "categories of datetime": (categories(*at("2024-01-01"), None), [*at("2024-01-01"), NAT], DATETIME),
    "categories of datetime objects": (
        categories(dt.datetime(2024, 1, 1), of=pd.Index([dt.datetime(2024, 1, 1)], dtype=object)), at("2024-01-01"),
        DATETIME),
    "categories of date": (categories(day("2024-01-01"), None), [day("2024-01-01"), None], object),
    "categories of bool": (categories(True, False), [True, False], "bool"),
    "categories of interval": (categories(*pd.cut([1, 5], [0, 2, 9])), ["(0, 2]", "(2, 9]"], TEXT),
    "categories of Decimal": (categories(D("0.10"), None), [0.1, NAN], "float64"),
    "categories, all null": (categories(None, None, of=["a"]), [MISSING, MISSING], TEXT),
    "categories, none": (categories(None), [NAN], "float64"),
    # objects
    "objects of NumPy numbers": (objects(*MIXED[:-1]), [1.0, 2.5, -3.0, 7.0, 0.5, 0.25], "float64"),
    "int beside float": (objects(2**53, 0.5), [2.0**53, 0.5], "float64"),
    "int past 2**53 beside float": (objects(2**53 + 1, 0.5), [D(2**53 + 1), D("0.5")], object),
    "objects of int and NaN": (objects(1, NAN), [1, NA], "Int64"),
    "every kind of missing": (objects(None, NAN, NA, NAT, D("NaN"), D("sNaN"), "a"), [MISSING] * 6 + ["a"], TEXT),
    "nothing but None": (objects(None, None), [MISSING, MISSING], TEXT),
    "objects of Period": (objects(pd.Period("2024-01", "M"), None), ["2024-01", MISSING], TEXT),
    # extension dtypes
    "sparse float": (pd.Series(pd.arrays.SparseArray([0.0, NAN, 0.1])), [0.0, NAN, 0.1], "float64"),
    "sparse int": (pd.Series(pd.arrays.SparseArray([0, 0, 7])), [0, 0, 7], "int64"),
    "sparse bool": (pd.Series(pd.arrays.SparseArray([True, False])), [True, False], "bool"),
    "period": (pd.Series(pd.PeriodIndex(["2024-02", None], freq="M")), ["2024-02", MISSING], TEXT),
    "interval": (pd.Series(pd.arrays.IntervalArray.from_arrays([0, NAN], [1, NAN])), ["(0.0, 1.0]", MISSING], TEXT),
    "Int8 and null": (typed("Int8")(-128, None), [-128, NA], "Int64"),
    "Float32": (typed("Float32")(0.1, None), [0.1, NAN], "float64"),
    "ArrowDtype": (typed(pd.ArrowDtype(pa.uint64()))(2**64 - 1, None), [2**64 - 1, NA], "UInt64"),
    "ArrowDtype decimal": (
        typed(pd.ArrowDtype(pa.decimal128(38, 0)))(D("9" * 38), None), [int("9" * 38), None], object),
    "ArrowDtype timestamp": (
        typed(pd.ArrowDtype(pa.timestamp("us", PARIS)))(pd.Timestamp("2024-07-01", tz=PARIS), None),
        [*at("2024-06-30 22:00"), NAT], DATETIME),
    "ArrowDtype dictionary": (
        pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(["a", None, "a"]).dictionary_encode()]))),
        ["a", MISSING, "a"], TEXT),
    # Arrow
    "chunked": (pa.chunked_array([[1, None], [], [3]], pa.int32()), [1, NA, 3], "Int64"),
    "sliced": (pa.chunked_array([pa.array(["x", "a", None, "x"]).slice(1, 2)]), ["a", MISSING], TEXT),
    "sliced bits": (pa.chunked_array([pa.array([True] * 9 + [False, None]).slice(9)]), [False, NA], "boolean"),
    "dictionary": (
        pa.chunked_array([pa.array(words).dictionary_encode() for words in (["a", "b", None], ["c"])]),
        ["a", "b", MISSING, "c"], TEXT),
    "dictionary with null among its words": (
        pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None]))]),
        ["a", MISSING, MISSING], TEXT),
    "dictionary sliced": (pa.chunked_array([pa.array([7, 8, 9]).dictionary_encode().slice(1)]), [8, 9], "int64"),
    "dictionary of decimals": (
        pa.chunked_array([pa.array([D("1.10"), None, D("1.10")]).dictionary_encode()]), [1.1, NAN, 1.1], "float64"),
    "dictionary of datetimes": (
        pa.chunked_array([pa.array([dt.datetime(2024, 1, 1)] * 2, pa.timestamp("ns")).dictionary_encode()]),
        at("2024-01-01", "2024-01-01"), DATETIME),
    "no rows": (pa.chunked_array([], pa.int64()), [], "float64"),
}  # fmt: skip


def framed(column, label="x"):
    return column.to_frame(label) if isinstance(column, pd.Series) else pa.table({label: column})


def exact_repr(value):
    """Return a text that differs for 0.0 and -0.0, and for 1 and True; the same in pandas 2 and 3."""
    return f"{value.isoformat()}" if isinstance(value, pd.Timestamp) else repr(value)


@pytest.mark.parametrize("case", COLUMNS)
def test_edge_values_round_trip(session, name, case):
    column, values, dtype = COLUMNS[case]
    receipt = cd.push(framed(column), name, session=session)
    assert receipt.rec_id is not None
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert back["x"].dtype == dtype
    assert list(map(exact_repr, back["x"].tolist())) == list(map(exact_repr, values))


TIMESTAMPS = pd.date_range("2024-01-01", periods=2, freq="s", name="at")


INDEXES: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "unnamed": (pd.Index([3, 4]), {"index": [3, 4]}),
    "named": (pd.Index(["p", "q"], name="key"), {"key": ["p", "q"]}),
    "called by a number": (pd.Index([3, 4], name=0), {"0": [3, 4]}),
    "datetime": (TIMESTAMPS, {"at": list(TIMESTAMPS)}),
    "datetime in a zone": (TIMESTAMPS.tz_localize("UTC").tz_convert(PARIS), {"at": list(TIMESTAMPS)}),
    "categories": (pd.CategoricalIndex(["p", "p"], ["q", "p"], name="key"), {"key": ["p", "p"]}),
    "period": (pd.period_range("2024-01", periods=2, freq="M", name="m"), {"m": ["2024-01", "2024-02"]}),
    "interval": (pd.interval_range(0, 2, name="i"), {"i": ["(0, 1]", "(1, 2]"]}),
    "timedelta": (pd.to_timedelta([0, -1], "s").rename("d"), {"d": ["P0DT0H0M0S", "P-1DT23H59M59S"]}),
    "objects of datetime": (pd.Index([*TIMESTAMPS], dtype=object, name="at"), {"at": list(TIMESTAMPS)}),
    "several levels": (pd.MultiIndex.from_tuples([("p", 1), ("q", 2)]), {"level_0": ["p", "q"], "level_1": [1, 2]}),
    "levels called by each other's number": (
        pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=[1, 0]), {"1": ["p", "q"], "0": [1, 2]}),
    "a level called by the number of an unnamed one": (
        pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=[1, None]), {"1": ["p", "q"], "level_1": [1, 2]}),
    "a level called by minus one": (
        pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=["a", -1]), {"a": ["p", "q"], "-1": [1, 2]}),
    "null in a level": (
        pd.MultiIndex.from_tuples([("p", TIMESTAMPS[0]), (None, None)], names=["a", "b"]),
        {"a": ["p", MISSING], "b": [TIMESTAMPS[0], NAT]}),
}  # fmt: skip


@pytest.mark.parametrize("case", INDEXES)
def test_an_index_round_trips(session, name, case):
    index, sent = INDEXES[case]
    frame = pd.DataFrame({"x": [0.5, None]}, index=index)
    receipt = frame.clicdata.push(name, index=True, session=session)
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert list(back.columns) == [*sent, "x"]
    for column, values in {**sent, "x": [0.5, NAN]}.items():
        assert list(map(exact_repr, back[column].tolist())) == list(map(exact_repr, values))


def with_attrs(frame):
    frame.attrs = {"units": ["m"], "frame": np.arange(3)}
    return frame.set_flags(allows_duplicate_labels=False)


WIDE = pd.DataFrame(np.arange(12).reshape(3, 4), columns=list("abcd"))


LAYOUTS: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "every other row": (pd.DataFrame({"a": range(5), "b": list("vwxyz")}).iloc[::2],
                        {"a": [0, 2, 4], "b": ["v", "x", "z"]}),
    "backwards": (pd.DataFrame({"a": [1, 2], "b": [True, None]}).iloc[::-1], {"a": [2, 1], "b": [NA, True]}),
    "transposed": (WIDE.T.set_axis(["x", "y", "z"], axis=1).reset_index(drop=True),
                   {"x": [0, 1, 2, 3], "y": [4, 5, 6, 7], "z": [8, 9, 10, 11]}),
    "every other column": (WIDE.iloc[:, ::2], {"a": [0, 4, 8], "c": [2, 6, 10]}),
    "columns of a Fortran array": (pd.DataFrame(np.asfortranarray([[0.5, 1], [2, NAN]]), columns=["a", "b"]),
                                   {"a": [0.5, 2.0], "b": [1.0, NAN]}),
    "read-only memory": (pd.DataFrame({"a": np.frombuffer(b"\x01\x02", "u1")}), {"a": [1, 2]}),
    "other byte order": (pd.DataFrame({"a": np.array([1, 258], ">i4"), "b": np.array([0.1, NAN], ">f8")}),
                         {"a": [1, 258], "b": [0.1, NAN]}),
    "attrs": (with_attrs(pd.DataFrame({"a": [1]})), {"a": [1]}),
    "rows that have one label": (pd.DataFrame({"a": [1, 2]}, index=[7, 7]), {"a": [1, 2]}),
    "no rows": (pd.DataFrame({"a": [], "b": []}), {"a": [], "b": []}),
    "one column": (pd.DataFrame({"a": ["00"]}), {"a": ["00"]}),
    "one cell of null": (pd.DataFrame({"a": [None]}), {"a": [MISSING]}),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_memory_layouts_round_trip(session, name, case):
    frame, values = LAYOUTS[case]
    receipt = cd.push(frame, name, session=session)
    assert receipt.rec_id is not None
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert list(back.columns) == list(values)
    for column, expected in values.items():
        assert list(map(exact_repr, back[column].tolist())) == list(map(exact_repr, expected))
