"""Every row of the type table: the JSON that is sent, and the column that a read returns."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from properties.drawn_frames import objects

import pandas_clicdata as cd
from pandas_clicdata.types import ingest
from pandas_clicdata.types.rules import LITERAL_RULE, RULES, rule_for

pytestmark = pytest.mark.sampled(1)

D = Decimal


OWN_TEXT = pd.Series([""]).dtype


UTC = dt.UTC


PARIS = "Europe/Paris"


MAX, MIN = 2**63 - 1, -(2**63)


@dataclass(frozen=True)
class Case:
    """Values of one type, the JSON that is sent for them, and the column that a read returns.

    ``there`` and ``back`` are dtypes, or functions from a list of values to a Series or an Arrow array. ``again`` says
    that reading with the dtype sent gives the very column sent.
    """

    id: str
    there: Any
    values: list[Any]
    data_type: str
    wire: list[Any]
    back: Any
    back_values: list[Any] | None = None
    back_with_null: Any = None
    nullable: bool = True
    again: bool = True
    columns: str | None = None

    def column(self, values):
        return self.there(values) if isinstance(self.there, FunctionType) else pd.Series(values, dtype=self.there)

    def expected(self, values, with_null):
        back = self.back_with_null if with_null and self.back_with_null is not None else self.back
        return back(values) if isinstance(back, FunctionType) else pd.Series(values, dtype=back)


def arrow(arrow_type):
    return lambda values: pa.array(values, arrow_type)


def arrow_dtype(arrow_type):
    return pd.ArrowDtype(arrow_type)


def dictionary(index, value):
    return lambda values: pa.array(values, value).dictionary_encode().cast(pa.dictionary(index, value))


def run_ends(value):
    return lambda values: pc.run_end_encode(pa.array(values, value))


def pieces(value):
    """Make several chunks, one of them empty, each a slice of a longer array."""

    def make(values):
        padded = [pa.array([values[0], item, values[0]], value).slice(1, 1) for item in values]
        return pa.chunked_array([*padded, pa.array([], value)])

    return make


def zoned(unit, zone):
    return lambda values: pd.Series(pd.to_datetime(values, utc=True).tz_convert(zone)).astype(
        pd.DatetimeTZDtype(unit, zone)
    )


def periods(freq):
    return lambda values: pd.Series(pd.PeriodIndex(values, freq=freq))


INTEGERS: dict[str, Any] = {"back": "int64", "back_with_null": "Int64", "data_type": "number"}


FLOATS: dict[str, Any] = {"back": "float64", "data_type": "number"}


TEXTS: dict[str, Any] = {"back": OWN_TEXT, "data_type": "text"}


MOMENTS: dict[str, Any] = {"back": "datetime64[us]", "data_type": "datetime"}


CHECKS: dict[str, Any] = {"back": "bool", "back_with_null": "boolean", "data_type": "checkbox"}


DATES: dict[str, Any] = {"back": object, "data_type": "date"}


TENTHS = [0.1, -0.0, 1.0, 5e-324, 1.7976931348623157e308, 1e22, 123456789.0]


TENTHS_WIRE = [D("0.1"), D("-0.0"), D("1.0"), D("5E-324"), D("1.7976931348623157E+308"), D("1E+22"), D("123456789.0")]


SINGLES = [0.1, -0.0, 16777216.0, 1e-45, 3.4028234663852886e38]


SINGLES_WIRE = [D("0.1"), D("-0.0"), D("16777216.0"), D("1E-45"), D("3.4028234663852886E+38")]


LONG = [D("1.10"), D("-0.00"), D("1E+3"), D("3.14159265358979323846264338327950288")]


WORDS = ["00123", "", " a ", 'say "é"\\\n\t\x00\x1f\x7f\u2028 😀', "null", "1e5", "true", "e\u0301"]


DAYS = [dt.date(1, 1, 1), dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]


DAYS_WIRE = ["0001-01-01", "1970-01-01", "2024-02-29", "9999-12-31"]


LONG_AGO = [dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23, 59, 59), dt.datetime(9999, 12, 31, 23, 59, 59)]


LONG_AGO_WIRE = ["0001-01-01 00:00:00", "1969-12-31 23:59:59", "9999-12-31 23:59:59"]


MICROS = [*LONG_AGO, dt.datetime(9999, 12, 31, 23, 59, 59, 999999), dt.datetime(2024, 1, 2, 3, 4, 5, 600000)]


MICROS_WIRE = [*LONG_AGO_WIRE, "9999-12-31 23:59:59.999999", "2024-01-02 03:04:05.600000"]


RECENT = [dt.datetime(1677, 9, 22), dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(2262, 4, 11, 12)]


RECENT_WIRE = ["1677-09-22 00:00:00", "1969-12-31 23:59:59.999999", "2262-04-11 12:00:00"]


SUMMER = [dt.datetime(2024, 7, 1, 0, 30), dt.datetime(2024, 10, 27, 0, 30), dt.datetime(2024, 10, 27, 1, 30)]


SUMMER_WIRE = ["2024-07-01 00:30:00", "2024-10-27 00:30:00", "2024-10-27 01:30:00"]


CLOCKS = [dt.time(0), dt.time(1, 2, 3, 40), dt.time(23, 59, 59, 999999)]


CLOCKS_WIRE = ["00:00:00", "01:02:03.000040", "23:59:59.999999"]


SPANS = ["1 days 02:03:04.5", "-1us", "0s"]


SPANS_WIRE = ["P1DT2H3M4.5S", "P-1DT23H59M59.999999S", "P0DT0H0M0S"]


CASES = [
    *(
        Case(bits, bits, [np.iinfo(bits).min, 0, np.iinfo(bits).max], wire=[np.iinfo(bits).min, 0, np.iinfo(bits).max],
             nullable=False, **INTEGERS)
        for bits in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
    ),
    Case("uint64", "uint64", [0, 2**64 - 1], "number", [0, 2**64 - 1], "uint64", nullable=False),
    Case("Int64", "Int64", [MIN, -1, MAX, 2**53 + 1], wire=[MIN, -1, MAX, 2**53 + 1], **INTEGERS),
    Case("UInt64", "UInt64", [0, 2**64 - 1], "number", [0, 2**64 - 1], "uint64", back_with_null="UInt64"),
    Case("arrow int16", arrow(pa.int16()), [-5, 5], wire=[-5, 5], again=False, **INTEGERS),
    Case("ArrowDtype int64", arrow_dtype(pa.int64()), [2**53 + 1, 0], wire=[2**53 + 1, 0], **INTEGERS),
    Case("object of int", objects, [1, np.int8(2), MAX],
         wire=[1, 2, MAX], back_values=[1, 2, MAX], again=False, **INTEGERS),
    Case("object of long int", objects, [2**70, -1], "number", [2**70, -1], objects),
    Case("object of int and float", objects, [1, 2.5, np.float32(0.5)],
         wire=[1, D("2.5"), D("0.5")], again=False, **FLOATS),
    Case("sparse int", lambda v: pd.Series(pd.arrays.SparseArray(v)), [0, 0, 7],
         wire=[0, 0, 7], nullable=False, **INTEGERS),
    Case("category of int", lambda v: pd.Series(pd.Categorical(v)), [3, 1, 3], wire=[3, 1, 3], again=False, **INTEGERS),
    Case("float16", "float16", [0.1, 65504.0, 6e-8], wire=[D("0.1"), D("65504.0"), D("6E-8")],
         back_values=[0.1, 65504.0, 6e-8], **FLOATS),
    Case("float32", "float32", SINGLES, wire=SINGLES_WIRE, **FLOATS),
    Case("Float32", "Float32", SINGLES, wire=SINGLES_WIRE, **FLOATS),
    Case("float64", "float64", TENTHS, wire=TENTHS_WIRE, **FLOATS),
    Case("Float64", "Float64", TENTHS, wire=TENTHS_WIRE, **FLOATS),
    Case("ArrowDtype double", arrow_dtype(pa.float64()), TENTHS, wire=TENTHS_WIRE, **FLOATS),
    Case("arrow halffloat", lambda v: pa.array([x if x is None else np.float16(x) for x in v], pa.float16()),
         [0.1, -0.0], wire=[D("0.1"), D("-0.0")], again=False, **FLOATS),
    Case("object of float", objects, [0.1, 1e16], wire=[D("0.1"), D("1E+16")], again=False, **FLOATS),
    Case("sparse float", lambda v: pd.Series(pd.arrays.SparseArray(np.array(v, float))), [0.0, 1.5],
         wire=[D("0.0"), D("1.5")], again=False, **FLOATS),
    Case("percentage", "float64", [0.25, 1.0], "percentage", [D("0.25"), D("1.0")], "float64", columns="percentage"),
    Case("object of Decimal", objects, LONG, "number", LONG, objects),
    Case("arrow decimal128", arrow(pa.decimal128(38, 10)), [D("1.5"), D("1234567890123456789.0123456789")], "number",
         [D("1.5000000000"), D("1234567890123456789.0123456789")], objects, again=False),
    Case("arrow decimal256", arrow(pa.decimal256(76, 0)), [D(10**75), D(-1)], "number", [10**75, -1], objects,
         back_values=[10**75, -1], again=False),
    Case("ArrowDtype decimal", arrow_dtype(pa.decimal128(5, 2)), [D("1.10"), D("-0.05")],
         wire=[D("1.10"), D("-0.05")], back_values=[1.1, -0.05], **FLOATS),
    Case("bool", "bool", [True, False], wire=[True, False], nullable=False, **CHECKS),
    Case("boolean", "boolean", [True, False], wire=[True, False], **CHECKS),
    Case("object of bool", objects, [True, np.bool_(False)], wire=[True, False], again=False, **CHECKS),
    Case("arrow bool", pieces(pa.bool_()), [True, False, True], wire=[True, False, True], again=False, **CHECKS),
    Case("str", "str", WORDS, wire=WORDS, again=False, nullable=str(OWN_TEXT) == "str", **TEXTS),
    Case("string", "string", WORDS, wire=WORDS, **TEXTS),
    Case("object of str", objects, WORDS, wire=WORDS, again=False, **TEXTS),
    Case("ArrowDtype string", arrow_dtype(pa.string()), WORDS, wire=WORDS, **TEXTS),
    Case("arrow large_string", pieces(pa.large_string()), WORDS, wire=WORDS, again=False, **TEXTS),
    Case("arrow string_view", arrow(pa.string_view()), WORDS, wire=WORDS, again=False, **TEXTS),
    Case("arrow dictionary", dictionary(pa.int8(), pa.string()), ["a", "b", "a"],
         wire=["a", "b", "a"], again=False, **TEXTS),
    Case("arrow run ends", run_ends(pa.string()), ["a", "a", "b"], wire=["a", "a", "b"], again=False, **TEXTS),
    Case("arrow dictionary of views", lambda v: pa.DictionaryArray.from_arrays(
        pa.array([None if x is None else "ab".index(x) for x in v]), pa.array(["a", "b"], pa.string_view())),
         ["a", "b", "a"], wire=["a", "b", "a"], again=False, **TEXTS),
    Case("arrow run ends of views", lambda v: pa.RunEndEncodedArray.from_arrays(
        [1, 2, 4, 5][: len(v)], pa.array(v, pa.string_view())).slice(0, len(v)), ["a", "b"],
         wire=["a", "b"], again=False, nullable=False, **TEXTS),
    Case("category of text", lambda v: pd.Series(pd.Categorical(v, categories=["b", "a", "c"])), ["a", "b", "a"],
         wire=["a", "b", "a"], **TEXTS),
    Case("dropdown", "category", ["a", "b"], "dropdown", ["a", "b"], OWN_TEXT, columns="dropdown"),
    *(
        Case(f"datetime64[{unit}]", f"datetime64[{unit}]", values, wire=wire, **MOMENTS)
        for unit, values, wire in (
            ("s", LONG_AGO, LONG_AGO_WIRE), ("ms", LONG_AGO, LONG_AGO_WIRE), ("us", MICROS, MICROS_WIRE),
            ("ns", RECENT, RECENT_WIRE),
        )
    ),
    Case("arrow timestamp", pieces(pa.timestamp("ms")), LONG_AGO, wire=LONG_AGO_WIRE, again=False, **MOMENTS),
    Case("arrow timestamp with zone", arrow(pa.timestamp("us", PARIS)), SUMMER,
         wire=SUMMER_WIRE, again=False, **MOMENTS),
    Case("datetime64[ns, zone]", zoned("ns", PARIS), SUMMER, wire=SUMMER_WIRE, **MOMENTS),
    Case("datetime64[s, zone]", zoned("s", "America/New_York"), SUMMER, wire=SUMMER_WIRE, **MOMENTS),
    Case("datetime64[ns, zone of dateutil]", zoned("ns", "dateutil/Europe/Paris"), SUMMER, wire=SUMMER_WIRE,
         again=False, **MOMENTS),
    Case("object of datetime", objects, [*MICROS, pd.Timestamp("2024-01-01"), np.datetime64("2024-01-01", "D")],
         wire=[*MICROS_WIRE, "2024-01-01 00:00:00", "2024-01-01 00:00:00"],
         back_values=[*MICROS, dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1)], again=False, **MOMENTS),
    Case("object of zoned datetime", objects,
         [dt.datetime(2024, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), pd.Timestamp("2024-01-01", tz=PARIS),
          dt.datetime(2024, 1, 1, tzinfo=UTC)],
         wire=["2024-01-01 00:00:00", "2023-12-31 23:00:00", "2024-01-01 00:00:00"],
         back_values=[dt.datetime(2024, 1, 1), dt.datetime(2023, 12, 31, 23), dt.datetime(2024, 1, 1)], again=False,
         **MOMENTS),
    Case("object of date", objects, DAYS, wire=DAYS_WIRE, **DATES),
    Case("arrow date32", arrow(pa.date32()), DAYS, wire=DAYS_WIRE, again=False, **DATES),
    Case("arrow date64", arrow(pa.date64()), DAYS, wire=DAYS_WIRE, again=False, **DATES),
    Case("ArrowDtype date32", arrow_dtype(pa.date32()), DAYS, wire=DAYS_WIRE, **DATES),
    Case("object of time", objects, CLOCKS, wire=CLOCKS_WIRE, back_values=CLOCKS_WIRE, again=False, **TEXTS),
    *(
        Case(f"arrow {arrow_type}", arrow(arrow_type), [dt.time(0), dt.time(1, 2, 3)], wire=["00:00:00", "01:02:03"],
             back_values=["00:00:00", "01:02:03"], again=False, **TEXTS)
        for arrow_type in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    ),
    Case("arrow time32 of a fraction", lambda v: pa.array(v, pa.int32()).cast(pa.time32("ms")), [500, 86_399_001],
         wire=["00:00:00.500000", "23:59:59.001000"], back_values=["00:00:00.500000", "23:59:59.001000"], again=False,
         **TEXTS),
    Case("arrow time64 of nanoseconds", lambda v: pa.array(v, pa.int64()).cast(pa.time64("ns")), [1, 1000, 10**9],
         wire=["00:00:00.000000001", "00:00:00.000001", "00:00:01"],
         back_values=["00:00:00.000000001", "00:00:00.000001", "00:00:01"], again=False, **TEXTS),
    *(
        Case(f"timedelta64[{unit}]", lambda v, unit=unit: pd.Series(pd.to_timedelta(v)).astype(np.dtype(f"m8[{unit}]")),
             SPANS, wire=SPANS_WIRE, back_values=SPANS_WIRE, **TEXTS)
        for unit in ("us", "ns")
    ),
    Case("object of timedelta", objects, [dt.timedelta(days=-1), pd.Timedelta("1ns"), np.timedelta64(1, "s")],
         wire=["P-1DT0H0M0S", "P0DT0H0M0.000000001S", "P0DT0H0M1S"],
         back_values=["P-1DT0H0M0S", "P0DT0H0M0.000000001S", "P0DT0H0M1S"], again=False, **TEXTS),
    Case("arrow duration", arrow(pa.duration("ms")), [dt.timedelta(days=1)], wire=["P1DT0H0M0S"],
         back_values=["P1DT0H0M0S"], again=False, **TEXTS),
    *(
        Case(f"period[{freq}]", periods(freq), values, wire=values, back_values=values, **TEXTS)
        for freq, values in (
            ("M", ["2024-01", "2024-02"]), ("D", ["2024-01-01", "2024-02-29"]), ("Q", ["2024Q1", "2024Q2"]),
            ("s", ["2024-01-01 01:02:03", "2024-01-01 00:00:00"]), ("W-SUN", ["2023-12-25/2023-12-31"]),
        )
    ),
    Case("interval", lambda v: pd.Series(pd.arrays.IntervalArray.from_tuples(v, closed="left")),
         [(0.1, 0.2), (0.2, 5.0)], wire=["[0.1, 0.2)", "[0.2, 5.0)"], back_values=["[0.1, 0.2)", "[0.2, 5.0)"],
         again=False, **TEXTS),
    Case("nothing but missing values", objects, [None, np.nan, pd.NA, pd.NaT, D("NaN")], wire=[None] * 5,
         back_values=[None] * 5, again=False, **TEXTS),
    Case("arrow null", arrow(pa.null()), [None, None], wire=[None, None], again=False, **TEXTS),
]  # fmt: skip


def with_null_in_the_middle(values):
    return [values[0], None, *values[1:]]


@pytest.mark.parametrize("with_null", [False, True], ids=["full", "null"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_column_round_trips(session, one_sandbox, name, case, with_null):
    if with_null and not case.nullable:
        pytest.skip("this dtype holds no nulls")
    change = with_null_in_the_middle if with_null else list
    column = case.column(change(case.values))
    frame = column.to_frame("x") if isinstance(column, pd.Series) else pa.table({"x": column})
    receipt = cd.push(frame, name, column_types={"x": case.columns} if case.columns else None, session=session)
    assert [planned.data_type for planned in receipt.columns] == [case.data_type]

    sent = [row["x"] for row in one_sandbox.ledger.rows(receipt.rec_id)]
    assert list(map(repr, sent)) == list(map(repr, change(case.wire)))

    back = cd.read_clicdata(name, session=session)
    expected = case.expected(change(case.values if case.back_values is None else case.back_values), with_null)
    pd.testing.assert_frame_equal(back, expected.to_frame("x"), check_exact=True)
    assert list(map(type, back["x"])) == list(map(type, expected))

    if case.again:
        again = cd.read_clicdata(name, dtype={"x": column.dtype}, session=session)
        pd.testing.assert_frame_equal(again, frame, check_exact=True)


def test_every_rule_is_tested():
    tried = set()
    for case in CASES:
        column = case.column(case.values)
        source = ingest.as_source(column.to_frame("x") if isinstance(column, pd.Series) else pa.table({"x": column}))
        ready = source.columns[0]
        rule = LITERAL_RULE if ready.numerals else rule_for(ready.arrow_type)
        assert rule is not None
        tried.add(rule.arrow)
    assert tried == {rule.arrow for rule in (LITERAL_RULE, *RULES)}
