"""The edges of every type, one line each: what goes in, and what comes home, or why it does not go."""

import datetime as dt
import warnings
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd

D = Decimal
TEXT = pd.Series([""]).dtype
MOMENT = "datetime64[us]"
LONGEST = 10**76 - 1
PARIS = "Europe/Paris"


def objects(*values):
    return pd.Series(values, dtype=object)


def typed(dtype):
    return lambda *values: pd.Series(values, dtype=dtype)


def arrow(arrow_type):
    return lambda *values: pa.chunked_array([pa.array(values, arrow_type)])


def in_pieces(array):
    return pd.arrays.ArrowExtensionArray(pa.chunked_array([array.slice(0, 1), array.slice(1)]))


def moments(unit):
    return lambda *texts: pd.Series(np.array(texts, f"M8[{unit}]"))


def zoned(*texts):
    return pd.Series(pd.to_datetime(list(texts), utc=True).tz_convert(PARIS))


def categories(*values, of=None, ordered=False):
    return pd.Series(pd.Categorical(values, of, ordered=ordered))


def day(text):
    return dt.date.fromisoformat(text)


def at(*texts):
    return [pd.Timestamp(text) for text in texts]


NA, NAT, NAN = pd.NA, pd.NaT, float("nan")
GONE = pd.Series([None], dtype=TEXT)[0]
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

# What goes in, what comes home, its dtype.
HOME = {
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
        moments("s")("0001-01-01", "1677-09-21", "1969-12-31T23:59:59", "9999-12-31T23:59:59", "NaT"),
        [*(pd.Timestamp(np.datetime64(t, "us")) for t in ("0001-01-01", "1677-09-21", "1969-12-31T23:59:59",
                                                          "9999-12-31T23:59:59")), NAT], MOMENT),
    "milliseconds": (moments("ms")("1969-12-31T23:59:59.999", "2262-04-12"),
                     at("1969-12-31 23:59:59.999", "2262-04-12"), MOMENT),
    "microseconds": (moments("us")("0001-01-01", "1969-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
                     [pd.Timestamp(np.datetime64(t, "us")) for t in
                      ("0001-01-01", "1969-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999")], MOMENT),
    "nanoseconds' first and last": (moments("ns")("1677-09-21T00:12:43.145225", "2262-04-11T23:47:16.854775"),
                                    at("1677-09-21 00:12:43.145225", "2262-04-11 23:47:16.854775"), MOMENT),
    "leap day": (moments("s")("2024-02-29", "2000-02-29T23:59:59"), at("2024-02-29", "2000-02-29 23:59:59"), MOMENT),
    "no time of day stays a datetime": (moments("ns")("2024-01-01"), at("2024-01-01"), MOMENT),
    "both sides of each change of the clocks": (
        zoned(*STRADDLING),
        at("2024-03-31 00:59:59.999999", "2024-03-31 01:00", "2024-10-27 00:30", "2024-10-27 01:30"), MOMENT),
    "the hour that comes twice, by fold": (
        objects(*(dt.datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo(PARIS), fold=fold) for fold in (0, 1))),
        at("2024-10-27 00:30", "2024-10-27 01:30"), MOMENT),
    "offset of seconds": (
        objects(dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14, seconds=7)))),
        at("2023-12-31 09:59:53"), MOMENT),
    "dates": (objects(day("0001-01-01"), day("1969-12-31"), day("2024-02-29"), day("9999-12-31"), None),
              [day("0001-01-01"), day("1969-12-31"), day("2024-02-29"), day("9999-12-31"), None], object),
    "timedeltas": (pd.Series(pd.to_timedelta(["-1us", "-1 days", "0", "106751 days 23:47:16", None])),
                   ["P-1DT23H59M59.999999S", "P-1DT0H0M0S", "P0DT0H0M0S", "P106751DT23H47M16S", GONE], TEXT),
    "nanosecond of a timedelta": (pd.Series(pd.to_timedelta([1, -1])),
                                  ["P0DT0H0M0.000000001S", "P-1DT23H59M59.999999999S"], TEXT),
    "time of a day": (objects(dt.time(0), dt.time(23, 59, 59, 999999)), ["00:00:00", "23:59:59.999999"], TEXT),
    # text
    "text": (objects(*TEXTS, None), [*TEXTS, GONE], TEXT),
    "string": (typed("string")(*TEXTS, None), [*TEXTS, GONE], TEXT),
    "text of 1 MB": (objects("é😀" * 200_000), ["é😀" * 200_000], TEXT),
    "nothing but dates as text": (objects("2013-01-01", "2013-01-02"), ["2013-01-01", "2013-01-02"], TEXT),
    "nothing but numbers as text": (objects("1", "2.5"), ["1", "2.5"], TEXT),
    # truth
    "bool": (typed("bool")(True, False), [True, False], "bool"),
    "boolean and null": (typed("boolean")(True, None), [True, NA], "boolean"),
    "objects of bool and null": (objects(True, None, np.bool_(False)), [True, NA, False], "boolean"),
    # categories
    "unused categories": (categories("a", None, of=["b", "a", "c"]), ["a", GONE], TEXT),
    "ordered categories": (categories("lo", "hi", of=["lo", "hi"], ordered=True), ["lo", "hi"], TEXT),
    "categories of int": (categories(2**53 + 1, None, 1), [2**53 + 1, NA, 1], "Int64"),
    "categories of float": (categories(0.1, None), [0.1, NAN], "float64"),
    "categories of datetime": (categories(*at("2024-01-01"), None), [*at("2024-01-01"), NAT], MOMENT),
    "categories of datetime objects": (
        categories(dt.datetime(2024, 1, 1), of=pd.Index([dt.datetime(2024, 1, 1)], dtype=object)), at("2024-01-01"),
        MOMENT),
    "categories of date": (categories(day("2024-01-01"), None), [day("2024-01-01"), None], object),
    "categories of bool": (categories(True, False), [True, False], "bool"),
    "categories of interval": (categories(*pd.cut([1, 5], [0, 2, 9])), ["(0, 2]", "(2, 9]"], TEXT),
    "categories of Decimal": (categories(D("0.10"), None), [0.1, NAN], "float64"),
    "categories, all null": (categories(None, None, of=["a"]), [GONE, GONE], TEXT),
    "categories, none": (categories(None), [NAN], "float64"),
    # objects
    "objects of NumPy numbers": (objects(*MIXED[:-1]), [1.0, 2.5, -3.0, 7.0, 0.5, 0.25], "float64"),
    "int beside float": (objects(2**53, 0.5), [2.0**53, 0.5], "float64"),
    "int past 2**53 beside float": (objects(2**53 + 1, 0.5), [D(2**53 + 1), D("0.5")], object),
    "objects of int and NaN": (objects(1, NAN), [1, NA], "Int64"),
    "every kind of missing": (objects(None, NAN, NA, NAT, D("NaN"), D("sNaN"), "a"), [GONE] * 6 + ["a"], TEXT),
    "nothing but None": (objects(None, None), [GONE, GONE], TEXT),
    "objects of Period": (objects(pd.Period("2024-01", "M"), None), ["2024-01", GONE], TEXT),
    # extension dtypes
    "sparse float": (pd.Series(pd.arrays.SparseArray([0.0, NAN, 0.1])), [0.0, NAN, 0.1], "float64"),
    "sparse int": (pd.Series(pd.arrays.SparseArray([0, 0, 7])), [0, 0, 7], "int64"),
    "sparse bool": (pd.Series(pd.arrays.SparseArray([True, False])), [True, False], "bool"),
    "period": (pd.Series(pd.PeriodIndex(["2024-02", None], freq="M")), ["2024-02", GONE], TEXT),
    "interval": (pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), None])), ["(0.0, 1.0]", GONE], TEXT),
    "Int8 and null": (typed("Int8")(-128, None), [-128, NA], "Int64"),
    "Float32": (typed("Float32")(0.1, None), [0.1, NAN], "float64"),
    "ArrowDtype": (typed(pd.ArrowDtype(pa.uint64()))(2**64 - 1, None), [2**64 - 1, NA], "UInt64"),
    "ArrowDtype decimal": (
        typed(pd.ArrowDtype(pa.decimal128(38, 0)))(D("9" * 38), None), [int("9" * 38), None], object),
    "ArrowDtype timestamp": (
        typed(pd.ArrowDtype(pa.timestamp("us", PARIS)))(pd.Timestamp("2024-07-01", tz=PARIS), None),
        [*at("2024-06-30 22:00"), NAT], MOMENT),
    "ArrowDtype dictionary": (
        pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(["a", None, "a"]).dictionary_encode()]))),
        ["a", GONE, "a"], TEXT),
    # Arrow
    "chunked": (pa.chunked_array([[1, None], [], [3]], pa.int32()), [1, NA, 3], "Int64"),
    "sliced": (pa.chunked_array([pa.array(["x", "a", None, "x"]).slice(1, 2)]), ["a", GONE], TEXT),
    "sliced bits": (pa.chunked_array([pa.array([True] * 9 + [False, None]).slice(9)]), [False, NA], "boolean"),
    "dictionary": (
        pa.chunked_array([pa.array(words).dictionary_encode() for words in (["a", "b", None], ["c"])]),
        ["a", "b", GONE, "c"], TEXT),
    "dictionary with null among its words": (
        pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None]))]),
        ["a", GONE, GONE], TEXT),
    "dictionary sliced": (pa.chunked_array([pa.array([7, 8, 9]).dictionary_encode().slice(1)]), [8, 9], "int64"),
    "dictionary of decimals": (
        pa.chunked_array([pa.array([D("1.10"), None, D("1.10")]).dictionary_encode()]), [1.1, NAN, 1.1], "float64"),
    "dictionary of datetimes": (
        pa.chunked_array([pa.array([dt.datetime(2024, 1, 1)] * 2, pa.timestamp("ns")).dictionary_encode()]),
        at("2024-01-01", "2024-01-01"), MOMENT),
    "no rows": (pa.chunked_array([], pa.int64()), [], "float64"),
}  # fmt: skip


def named(column, label="x"):
    return column.to_frame(label) if isinstance(column, pd.Series) else pa.table({label: column})


def told(value):
    """A value as its own text, so that -0.0 is not 0.0, nor 1 True; of a Timestamp also what it is in pandas 2."""
    return f"{value.isoformat()}" if isinstance(value, pd.Timestamp) else repr(value)


@pytest.mark.parametrize("case", HOME)
def test_what_comes_home(session, name, case):
    column, values, dtype = HOME[case]
    receipt = cd.push(named(column), name, session=session)
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert back["x"].dtype == dtype
    assert list(map(told, back["x"].tolist())) == list(map(told, values))


REFUSED = {
    "infinity": (typed("float64")(1, float("-inf")), "row 1: -inf is not a number in JSON"),
    "infinity of Decimal": (objects(D("Infinity")), r"row 0: Decimal\('Infinity'\).*is not a number in JSON"),
    "infinity in a category": (categories(float("inf")), "row 0: inf"),
    "1,001 digits": (objects(10**1001), "is longer than 1,000 digits"),
    "5,000 digits": (objects(1, 10**5000), "row 1: <int>.*is longer than 1,000 digits"),
    "exponent past 9999": (objects(D("1E+10000")), "exponent of ±9999"),
    "longdouble of more digits": (typed("longdouble")(1 / np.longdouble(3)), "has more digits than a float64"),
    "half of a surrogate pair": (objects("a", "\ud83d"), "row 1.*half of a surrogate pair"),
    "period past the year 9999": (
        pd.Series(pd.PeriodIndex.from_ordinals([0, 8030], freq="Y-DEC")), "row 1.*is not in the years 1 to 9999"),
    "period before the year 1 in an object": (
        objects(pd.Period(ordinal=-800_000, freq="D")), "row 0.*is not in the years 1 to 9999"),
    "half of a pair in a category": (
        pd.Series(pd.Categorical.from_codes([-1, 0], objects("\udc00"))), "row 1.*half of a surrogate pair"),
    "nanoseconds": (moments("ns")("2024-01-01", "2024-01-01T00:00:00.000000001"), "row 1.*has nanoseconds"),
    "nanoseconds in a category": (categories(pd.Timestamp(1)), "row 0.*has nanoseconds"),
    "nanoseconds in an Arrow dictionary": (
        pa.chunked_array([pa.array([0, 1], pa.timestamp("ns")).dictionary_encode()]), "row 1.*has nanoseconds"),
    "year 0": (moments("s")("0000-12-31"), "outside the years 1 to 9999"),
    "year 10000": (moments("ms")("9999-12-31", "+10000-01-01"), "row 1.*outside the years 1 to 9999"),
    "year 0 once in UTC": (
        objects(dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))), "outside the years 1 to 9999"),
    "timedelta past 292 years": (pd.Series(np.array([10**11], "m8[s]")), "longer than the 292 years"),
    "bytes": (objects(b"a"), "row 0: b'a'.*has no ClicData type"),
    "Arrow binary": (arrow(pa.binary())(None, b"a"), "row 1: b'a' has no ClicData type"),
    "Arrow dictionary of binary": (
        pa.chunked_array([pa.array([b"a"]).dictionary_encode()]), "row 0: b'a' has no ClicData type"),
    "complex": (typed("complex128")(1j), "has no ClicData type"),
    "sparse complex": (pd.Series(pd.arrays.SparseArray([0, 1j])), "has no ClicData type"),
    "text beside number": (objects("a", 1), "row 1: 1 .*is of another kind"),
    "number beside bool": (objects(1, True), "row 1: True .*is of another kind"),
    "mixed categories": (categories("a", 1), "row 1: 1 .*is of another kind"),
    "date beside datetime": (objects(dt.date(2024, 1, 1), dt.datetime(2024, 1, 1)), "row 1.*is of another kind"),
    "zone beside none": (
        objects(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)), "row 1.*has a time zone"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_before_the_first_request(session, one_sandbox, name, case):
    column, why = REFUSED[case]
    before = len(one_sandbox.requests)
    with pytest.raises(cd.FrameError, match=f"^Column 'x'.*{why}") as caught:
        cd.push(named(column), name, session=session)
    assert caught.value.column == "x"
    assert len(one_sandbox.requests) == before


# names


@pytest.mark.parametrize(
    "label",
    ["a" * 255, "😀" * 255, ".", "a.b", "'", '"', "`", "[a]", "{a}", "(a)", " a", "a ", "\ta", "a\nb", "a\x00b",
     "\\", "é", "e\u0301", "😀", "א", "ß", "1", "-1", "1.5", "null", "None", "true", "id", "rec_id", "index",
     "value", "column", "data", "$a", "%41", "a/b", "a?b=c&d", "SELECT", "--", 0, -7, 2**70, np.int64(3), np.str_("s")],
    ids=lambda label: repr(label)[:20],
)  # fmt: skip
def test_names_that_come_home(session, name, label):
    frame = pd.DataFrame([[1], [None]], columns=pd.Index([label], dtype=object), dtype="Int64")
    receipt = cd.push(frame, name, session=session)
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert list(back.columns) == [str(label)]
    assert back.iloc[:, 0].tolist() == [1, NA]


def test_a_name_too_long_for_the_service_is_refused_by_it_and_nothing_is_made(session, one_sandbox, name):
    with pytest.raises(cd.ApiError, match="The name of column 1 has more than 255 characters"):
        cd.push(pd.DataFrame({"a" * 256: [1]}), name, session=session)
    assert name not in one_sandbox.ledger.tables()


class Unshown:
    """What cannot be written, as a label or a value."""

    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([""], "A column is named ''"),
        (["\u3000"], "A column is named"),
        ([None], "None is not text"),
        ([float("nan")], "nan is not text"),
        ([NA], "<NA> is not text"),
        ([True], "True is not text"),
        ([1.0], "1.0 is not text"),
        ([dt.date(2024, 1, 1)], "is not text"),
        ([("a", "b")], r"\('a', 'b'\) has a name of several levels"),
        (["a", "a"], "'a' occurs twice"),
        (["a", "A"], "'a' and 'A' differ only in case or spaces"),
        ([1, "1"], "1 and '1' differ only in case or spaces"),
        (["\ud800"], "is not valid Unicode"),
        ([10**5000], "<int> is not text"),
        ([Unshown()], "<Unshown> is not text"),
        ([(Unshown(),)], "<tuple> has a name of several levels"),
        ([], "The data has no columns"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_names_that_are_refused(session, one_sandbox, name, labels, why):
    frame = pd.DataFrame([[0] * len(labels)])
    frame.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    before = len(one_sandbox.requests)
    with pytest.raises(cd.ColumnNameError, match=why):
        cd.push(frame, name, session=session)
    assert len(one_sandbox.requests) == before


@pytest.mark.parametrize("label", [Unshown(), 10**5000, "r" * 999], ids=["Unshown", "long int", "long text"])
def test_a_row_whose_label_is_hard_to_write_is_told_of_all_the_same(session, name, label):
    for value in (float("inf"), b"a", pd.Timestamp(1)):
        frame = pd.DataFrame({"x": [value]}, index=pd.Index([label], dtype=object))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cd.IndexNotSentWarning)
            with pytest.raises(cd.CellValueError if value != b"a" else cd.UnsupportedTypeError, match=r"row .{5,62}: "):
                cd.push(frame, name, session=session)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("value", [float("inf"), b"a"])
def test_a_row_whose_label_python_does_not_have_is_told_by_its_position(session, name, value, levels):
    beyond = pd.Index(in_pieces(pa.array([0, 10**13], pa.timestamp("s"))))
    index = beyond if levels == 1 else pd.MultiIndex.from_arrays([beyond, [1, 2]])
    frame = pd.DataFrame({"x": [None, value]}, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        with pytest.raises(cd.FrameError, match=r"^Column 'x', row 1: "):
            cd.push(frame, name, session=session)


@pytest.mark.parametrize("keys", [[None, 1], [1, 1]], ids=["missing", "twice"])
def test_a_key_at_fault_in_a_row_whose_label_is_hard_to_write_is_told_of_all_the_same(session, name, keys):
    frame = pd.DataFrame({"k": keys}, index=pd.Index([Unshown(), 10**5000], dtype=object))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        with pytest.raises(cd.FrameError, match="<Unshown>"):
            cd.push(frame, name, on="k", session=session)


def test_an_index_whose_name_cannot_be_written_is_told_of_all_the_same(session, name):
    frame = pd.DataFrame({"x": [1]}, index=pd.Index([7], name=Unshown()))
    with pytest.warns(cd.IndexNotSentWarning, match="<Unshown>"):
        cd.push(frame, name, session=session)


# shapes, indexes, layouts

CLOCK = pd.date_range("2024-01-01", periods=2, freq="s", name="at")
INDEXES = {
    "unnamed": (pd.Index([3, 4]), {"index": [3, 4]}),
    "named": (pd.Index(["p", "q"], name="key"), {"key": ["p", "q"]}),
    "called by a number": (pd.Index([3, 4], name=0), {"0": [3, 4]}),
    "datetime": (CLOCK, {"at": list(CLOCK)}),
    "datetime in a zone": (CLOCK.tz_localize("UTC").tz_convert(PARIS), {"at": list(CLOCK)}),
    "categories": (pd.CategoricalIndex(["p", "p"], ["q", "p"], name="key"), {"key": ["p", "p"]}),
    "period": (pd.period_range("2024-01", periods=2, freq="M", name="m"), {"m": ["2024-01", "2024-02"]}),
    "interval": (pd.interval_range(0, 2, name="i"), {"i": ["(0, 1]", "(1, 2]"]}),
    "timedelta": (pd.to_timedelta([0, -1], "s").rename("d"), {"d": ["P0DT0H0M0S", "P-1DT23H59M59S"]}),
    "objects of datetime": (pd.Index([*CLOCK], dtype=object, name="at"), {"at": list(CLOCK)}),
    "several levels": (pd.MultiIndex.from_tuples([("p", 1), ("q", 2)]), {"level_0": ["p", "q"], "level_1": [1, 2]}),
    "levels called by each other's number": (
        pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=[1, 0]), {"1": ["p", "q"], "0": [1, 2]}),
    "a level called by the number of an unnamed one": (
        pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=[1, None]), {"1": ["p", "q"], "level_1": [1, 2]}),
    "a level called by minus one": (
        pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=["a", -1]), {"a": ["p", "q"], "-1": [1, 2]}),
    "null in a level": (
        pd.MultiIndex.from_tuples([("p", CLOCK[0]), (None, None)], names=["a", "b"]),
        {"a": ["p", GONE], "b": [CLOCK[0], NAT]}),
}  # fmt: skip


@pytest.mark.parametrize("case", INDEXES)
def test_indexes(session, name, case):
    index, sent = INDEXES[case]
    frame = pd.DataFrame({"x": [0.5, None]}, index=index)
    receipt = frame.clicdata.push(name, index=True, session=session)
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert list(back.columns) == [*sent, "x"]
    for column, values in {**sent, "x": [0.5, NAN]}.items():
        assert list(map(told, back[column].tolist())) == list(map(told, values))


def with_attrs(frame):
    frame.attrs = {"units": ["m"], "frame": np.arange(3)}
    return frame.set_flags(allows_duplicate_labels=False)


WIDE = pd.DataFrame(np.arange(12).reshape(3, 4), columns=list("abcd"))
LAYOUTS = {
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
    "one cell of null": (pd.DataFrame({"a": [None]}), {"a": [GONE]}),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_layouts(session, name, case):
    frame, values = LAYOUTS[case]
    receipt = cd.push(frame, name, session=session)
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert list(back.columns) == list(values)
    for column, expected in values.items():
        assert list(map(told, back[column].tolist())) == list(map(told, expected))


def test_no_columns_is_refused_with_rows_and_without(session, one_sandbox, name):
    before = len(one_sandbox.requests)
    for nothing in (pd.DataFrame(), pd.DataFrame(index=range(3)), pa.table({})):
        with pytest.raises(cd.ColumnNameError, match="The data has no columns"):
            cd.push(nothing, name, session=session)
    assert len(one_sandbox.requests) == before
