"""Check and convert values before the first request: exact, or refused with the cell and a remedy."""

import datetime as dt
import json
import re
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from columns import arrow, arrow_frame, frame, objects, of_ticks, prepared, ready

import pandas_clicdata as cd
from pandas_clicdata.errors import (
    CellValueError,
    FrameError,
    UnsupportedTypeError,
)
from pandas_clicdata.types import encode, ingest, plan
from pandas_clicdata.types.json_text import json_text

CET = dt.timezone(dt.timedelta(hours=1))


def in_dictionary(arrow_type, *values):
    return arrow_frame(pa.array(values, arrow_type).dictionary_encode())["x"]


class Price(Decimal):
    def __str__(self):
        return f"{self:f} €"


DAY, FIRST_DAY, PAST_LAST_DAY = 86400, -719162, 2932897


# The column, and the row, value and reason in its error.
INVALID_VALUES = {
    "inf": (pd.Series([1.0, np.inf]), "b", "inf", "is not a number in JSON"),
    "-inf in float32": (pd.Series([1.0, -np.inf], dtype="float32"), "b", "-inf", "Replace infinities"),
    "inf in float16": (pd.Series([np.inf, 1.0], dtype="float16"), "a", "inf", "is not a number in JSON"),
    "inf in Float64": (pd.Series([None, np.inf], dtype="Float64"), "b", "inf", "is not a number in JSON"),
    "inf among objects": (objects(1, float("inf")), "b", "inf", "is not a number in JSON"),
    "inf of Decimal": (objects(Decimal(1), Decimal("-Infinity")), "b", "Decimal('-Infinity')", "is not a number in"),
    "inf category": (pd.Series(pd.Categorical([np.inf, 1.0])), "a", "inf", "is not a number in JSON"),
    "int of 1001 digits": (objects(1, 10**1001), "b", "1000", "longer than 1,000 digits"),
    "int beyond repr": (objects(1, 10**5000), "b", "<int>", "longer than 1,000 digits"),
    "Decimal of a huge exponent": (objects(Decimal("1E+10000")), "a", "Decimal('1E+10000')", "exponent of ±9999"),
    "Decimal of a tiny exponent": (objects(Decimal("1E-10000")), "a", "Decimal('1E-10000')", "exponent of ±9999"),
    "longdouble": (pd.Series([1, 1 / np.longdouble(3)], dtype="longdouble"), "b", "0.333", "more digits than"),
    "nanoseconds": (pd.Series(pd.DatetimeIndex([0, 1])), "b", "00000001", "Round it first: df['x'] = df"),
    "nanoseconds with zone": (pd.Series(pd.DatetimeIndex([0, 1], tz="UTC")), "b", "00000001", "has nanoseconds"),
    "nanoseconds in an object": (objects(dt.datetime(9999, 1, 1), pd.Timestamp(1)), "b", "00000001", "nanoseconds"),
    "nanoseconds of NumPy": (objects(np.datetime64(1, "ns")), "a", "000000001", "has nanoseconds"),
    "picoseconds of NumPy": (objects(np.datetime64(0, "ps")), "a", "1970", "finer than nanoseconds"),
    "year 0": (pd.Series(np.array(["0000-12-31T23:59:59"], "M8[s]")), "a", "-62135596801", "years 1 to 9999"),
    "year 10000": (arrow(pa.timestamp("ms"), 253402300800000), "a", "253402300800000", "years 1 to 9999"),
    "year 10000 of NumPy": (objects(np.datetime64("10000")), "a", "10000", "years 1 to 9999"),
    "year 0 in UTC": (objects(dt.datetime(1, 1, 1, tzinfo=CET)), "a", "datetime(1, 1, 1", "years 1 to 9999"),
    "date of year 10000": (arrow(pa.date32(), 2932897), "a", "2932897", "years 1 to 9999"),
    "duration of 293 years": (pd.Series(np.array([1, 293 * 366 * 86400], "m8[s]")), "b", "",
                              "longer than the 292 years"),
    "duration of Arrow's least": (arrow(pa.duration("s"), -(2**63)), "a", "", "longer than the 292 years"),
    "timedelta.max": (objects(dt.timedelta.max), "a", "datetime.timedelta(", "longer than the 292 years"),
    "timedelta of picoseconds": (objects(np.timedelta64(1, "ps")), "a", "1,'ps'", "finer than nanoseconds"),
    "half a surrogate pair": (objects("a", "\ud83d"), "b", r"'\ud83d'", "half of a surrogate pair"),
    "half a surrogate pair in a category": (pd.Series(pd.Categorical.from_codes([-1, 0], objects("\udc00"))), "b",
                                            r"'\udc00'", "half of a surrogate pair"),
    "nanoseconds in a category": (pd.Series(pd.Categorical([pd.Timestamp(1)])), "a", "00000001", "has nanoseconds"),
    "nanoseconds in a dictionary": (in_dictionary(pa.timestamp("ns"), 0, 1), "b", "00000001", "has nanoseconds"),
    "period of year 10000": (pd.Series(pd.PeriodIndex([pd.Period(ordinal=n, freq="Y-DEC") for n in (0, 8030)])), "b",
                             "Period('10000'", "is not in the years 1 to 9999"),
    "period before year 1": (objects(pd.Period(ordinal=-800_000, freq="D")), "a", "Period('-", "years 1 to 9999"),
}  # fmt: skip


UNSUPPORTED_KINDS = {
    "bytes": (objects(None, b"a"), "b", "b'a'", "has no ClicData type"),
    "list": (objects([1]), "a", "[1]", "has no ClicData type"),
    "dict": (objects(None, {"a": 1}), "b", "{'a': 1}", "has no ClicData type"),
    "complex": (pd.Series([1j]), "a", "1j", "has no ClicData type"),
    "Arrow binary": (arrow(pa.binary(), None, b"a"), "b", "b'a'", "has no ClicData type"),
    "Arrow list": (arrow(pa.list_(pa.int8()), [1]), "a", "[1]", "has no ClicData type"),
    "Arrow struct": (arrow(pa.struct({"a": pa.int8()}), {"a": 1}), "a", "{'a': 1}", "has no ClicData type"),
    "Arrow map": (arrow(pa.map_(pa.string(), pa.int8()), [("a", 1)]), "a", "[('a', 1)]", "has no ClicData type"),
    "Arrow dictionary of binary": (in_dictionary(pa.binary(), b"a"), "a", "b'a'", "has no ClicData type"),
    "sparse complex": (pd.Series(pd.arrays.SparseArray([0, 1j])), "a", "0j", "has no ClicData type"),
    "number and bool": (objects(1, True), "b", "True", "is of another kind"),
    "text and number": (objects("a", 1), "b", "1", "is of another kind than the values before it"),
    "number and text": (objects(1, np.int8(1), 2.5, Decimal(1), "a"), "e", "'a'", "is of another kind"),
    "bool and int": (objects(True, 1), "b", "1", "is of another kind"),
    "date and datetime": (objects(dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 12)), "b", "12, 0)", "of another kind"),
    "datetime and date": (objects(dt.datetime(2024, 1, 1, 12), dt.date(2024, 1, 1)), "b", "2024, 1, 1)", "of another"),
    "zone and none": (objects(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=CET)), "b", "",
                      "has a time zone"),
    "sparse": (pd.Series(pd.arrays.SparseArray(np.array(["a", 1], object))), "b", "1", "is of another kind"),
    "mixed category": (pd.Series(pd.Categorical(["a", "a", 1])), "c", "1", "is of another kind"),
}  # fmt: skip


@pytest.mark.parametrize("case", [*INVALID_VALUES, *UNSUPPORTED_KINDS])
def test_an_error_names_the_cell_and_a_remedy(no_requests, sessions, name, case):
    series, row, shown, why = (INVALID_VALUES | UNSUPPORTED_KINDS)[case]
    frame = pd.DataFrame({"fine": range(len(series)), "x": series}).set_axis(list("abcde"[: len(series)]))
    kind = cd.CellValueError if case in INVALID_VALUES else cd.UnsupportedTypeError
    with pytest.raises(kind) as caught:
        cd.push(frame, name, index=False, session=sessions["2025.3"])
    schema = frame.clicdata.schema(index=False)
    error = caught.value
    assert (error.column, error.row) == ("x", row)
    assert error.value is not None
    assert shown in error.value
    for part in ("'x'", repr(row), why):
        assert part in str(error)
    text = case in {"text and number", "number and text", "sparse", "mixed category"}
    as_json = case in UNSUPPORTED_KINDS and case != "zone and none" and not text
    assert ("column_types={'x': 'text'}" in str(error)) == as_json
    assert schema["clicdata_type"].isna().tolist() == [False, True]
    assert schema["note"][1] == f"refused: {error}"


@pytest.mark.parametrize("case", INVALID_VALUES)
def test_values_that_clicdata_cannot_hold_are_sent_as_null(sessions, one_sandbox, name, case):
    series, row, _, _ = INVALID_VALUES[case]
    session = sessions["2025.3"]
    frame = pd.DataFrame({"fine": range(len(series)), "x": series}).set_axis(list("abcde"[: len(series)]))
    expected = [not (label == row or pd.isna(series.iloc[at])) for at, label in enumerate(frame.index)]
    # As one frame, as one piece after the other, and as a list of pieces.
    ways: list[Any] = [frame, (frame[at : at + 1] for at in range(len(frame))), [frame]]
    for number, data in enumerate(ways):
        receipt = cd.push(data, f"{name} {number}", index=False, on_bad_values="null", verify=True, session=session)
        assert receipt.status == "verified"
        assert [cells["x"] is not None for cells in one_sandbox.ledger.rows(receipt.rec_id)] == expected
        (note,) = receipt.notes
        assert note.startswith(
            f"Sent as null, because ClicData cannot hold the values: 1 in column 'x' (the first in row {row!r}:"
        )
    one_sandbox.requests.clear()
    with pytest.raises(cd.CellValueError) as caught:
        cd.push(frame, name, on="x", index=False, on_bad_values="null", session=session)
    assert "on_bad_values=" not in str(caught.value)
    assert len(one_sandbox.requests) == 0


@pytest.mark.parametrize("values", [[1.0, np.inf], objects(1, np.inf), objects("a", "\ud800")])
def test_values_in_the_index_are_never_null(no_requests, sessions, name, values):
    frame = pd.DataFrame({"x": values, "y": [1, 2]})
    for indexed in (frame.set_index("x"), frame.set_index("x", drop=False), frame.set_index(["y", "x"])):
        for data in (indexed, iter([indexed]), [indexed]):
            with pytest.raises(cd.CellValueError, match="'x'") as caught:
                cd.push(data, name, on_bad_values="null", session=sessions["2025.3"])
            assert "on_bad_values=" not in str(caught.value)


def test_values_that_do_not_fit_a_requested_type_are_never_null(no_requests, sessions, name):
    cases = {"number": "a", "date": dt.datetime(2024, 1, 1, 12), "checkbox": 2, "datetime": "soon"}
    wrong: Any = "ignore"
    for data_type, value in cases.items():
        frame = pd.DataFrame({"x": pd.Series([value], dtype=object)})
        with pytest.raises(cd.CellValueError) as caught:
            frame.clicdata.push(name, column_types={"x": data_type}, on_bad_values="null", session=sessions["2025.3"])
        assert "on_bad_values=" not in str(caught.value)
    with pytest.raises(ValueError, match="on_bad_values= must be one of 'raise', 'null', not 'ignore'"):
        cd.push(frame, name, on_bad_values=wrong, session=sessions["2025.3"])


def test_the_notes_of_each_write_count_the_values_that_are_null(sessions, one_sandbox, name):
    session = sessions["2025.3"]
    null: dict[str, Any] = {"on_bad_values": "null", "session": session}
    frame = pd.DataFrame({"n": [1, 2, 3], "x": [np.inf, 0.5, -np.inf], "at": np.array([1, 0, 0], "M8[ns]")})
    words = ["2 in column 'x' (the first in row 0: inf)", "1 in column 'at' (the first in row 0: Timestamp("]
    receipts = [
        cd.push(frame, name, dry_run=True, **null),
        cd.push(frame, name, **null),
        cd.append(frame, name, resume=True, **null),
        cd.update_rows(frame, name, on="n", **null),
        cd.upsert(frame, name, on="n", **null),
        cd.push(frame, name, if_exists="replace", **null),
        cd.push(frame, f"{name} of a stream", **null | {"chunksize": 2}),
    ]
    for receipt in receipts:
        assert all(word in receipt.notes[-1] for word in words), receipt.operation
    assert [row["x"] for row in one_sandbox.ledger.rows(receipts[1].rec_id)] == [None, Decimal("0.5"), None]
    with pytest.raises(cd.CellValueError, match="To send nulls in place of such values: on_bad_values='null'"):
        cd.update_rows(frame, name, on="n", session=session)
    # A column that is left out counts no value.
    left_out = cd.append(
        frame.rename(columns={"n": "m", "at": "n"})[["n"]].assign(n=7, x=np.inf, at=None, z=np.inf),
        name,
        on_new_columns="ignore",
        **null,
    )
    assert "'z'" not in left_out.notes[-1]
    assert "3 in column 'x'" in left_out.notes[-1]


def test_an_error_describes_each_column(no_requests, sessions, name):
    frame = pd.DataFrame({"a": [b""], "b": [1], "c": [[1]], "d": [np.inf]})
    with pytest.raises(cd.UnsupportedTypeError) as caught:
        cd.push(frame, name, session=sessions["2025.3"])
    title, *lines = str(caught.value).split("\n")
    assert title == "3 columns cannot be sent:"
    starts = ["- Column 'a', row 0: b''", "- Column 'c', row 0: [1]", "- Column 'd', row 0: inf"]
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 3
    assert caught.value.column == "a"
    with pytest.raises(cd.CellValueError, match=r"^2 columns cannot be sent:\n- Column 'd'.*\n- Column 'e'"):
        cd.push(frame[["b", "d"]].assign(e=-np.inf), name, session=sessions["2025.3"])
    many = pd.DataFrame({f"c{n}": [[1]] for n in range(22)})
    with pytest.raises(
        cd.UnsupportedTypeError, match=r"\n- Column 'c19'.*\n- and 'c20', 'c21'; see df.clicdata.schema"
    ):
        cd.push(many, name, session=sessions["2025.3"])


def test_an_error_is_one_line():
    with pytest.raises(FrameError) as caught:
        plan.plan_columns(frame(pd.Series([1, 2])))
    assert "\n" not in str(caught.value)
    assert encode.short_repr(pd.Series(["a"], dtype=object)) == "0    a dtype: object"


def test_a_value_in_an_error_is_cut_to_sixty_characters():
    assert encode.short_repr("x" * 58) == f"'{'x' * 58}'"
    assert encode.short_repr("x" * 59) == f"'{'x' * 59}…"


@pytest.mark.parametrize(("bits", "inner"), [(pa.int64(), pa.timestamp("s")), (pa.int32(), pa.date32())], ids=str)
def test_an_error_names_the_arrow_type_of_a_value_that_python_cannot_hold(bits, inner):
    beyond = pa.array([[2**31 - 1 if bits == pa.int32() else 253402300800]], pa.list_(bits)).cast(pa.list_(inner))
    with pytest.raises(UnsupportedTypeError) as caught:
        plan.plan_columns(ingest.as_source(pa.table({"x": beyond})))
    assert caught.value.value == "<ListScalar>"


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (
            [1, "a"],
            "is of another kind than the values before it. Convert all values to text: df['x'] ="
            " df['x'].astype('string').",
        ),
        (
            [1, [2]],
            "is of another kind than the values before it. Convert all values to text: df['x'] ="
            " df['x'].astype('string'); or send each value as JSON text: column_types={'x': 'text'}.",
        ),
        (
            [1, object()],
            "is of another kind than the values before it. Convert all values to text:"
            " df['x'] = df['x'].astype('string').",
        ),
        (
            [object(), 1],
            "is of another kind than the values before it. Convert all values to text:"
            " df['x'] = df['x'].astype('string').",
        ),
        (
            [None, b"a", b"b"],
            "has no ClicData type. Convert the column to text: df['x'] = df['x'].astype('string'); or send each value",
        ),
        ([object()], "has no ClicData type. Convert the column to text: df['x'] = df['x'].astype('string')."),
    ],
)
def test_the_remedy_fits_the_kinds_of_values(values, advice):
    with pytest.raises(UnsupportedTypeError) as caught:
        plan.plan_columns(frame(*values))
    assert advice in str(caught.value)
    assert str(caught.value).endswith(".")


# numbers


def test_a_decimal_subclass_with_its_own_text_is_written_as_a_number():
    prices = pd.DataFrame({"x": pd.Series([Price("1.50"), None], dtype=object)})
    assert ready(prices) == ready(prices, x="text") == {"x": ["1.50", None]}
    assert ready(pd.DataFrame({"x": [[Price("1.50")]]}), x="text") == {"x": ['["1.50"]']}


def test_numbers_have_at_most_a_thousand_digits():
    for numbers in ([10**1000 - 1, 1 - 10**1000], [Decimal("1E+9999"), Decimal("-1E-9999"), Decimal("1" * 1000)]):
        source = frame(*numbers)
        assert plan.prepare_table(source, plan.plan_columns(source))["x"].to_pylist() == [*map(str, numbers)]
    for number in (10**1000, -(10**1000), Decimal("1" * 1001), Decimal("1E+10000"), Decimal("1E-10000")):
        with pytest.raises(CellValueError, match="longer than 1,000 digits"):
            plan.plan_columns(frame(number))


def test_a_signalling_nan_is_missing():
    source = frame(Decimal("sNaN"), Decimal("1.5"), None)
    assert plan.prepare_table(source, plan.plan_columns(source))["x"].to_pylist() == [None, "1.5", None]


class Day(dt.date):
    """A subclass of date."""


class Clock(dt.time):
    """A subclass of time."""


@pytest.mark.parametrize(
    ("value", "sent"),
    [(np.str_("a"), "a"), (Day(2024, 1, 2), "2024-01-02"), (Clock(1, 2), "01:02:00"), (np.bool_(True), "true")],
    ids=repr,
)
def test_subclasses_are_sent_as_their_base_class(value, sent):
    source = frame(value, None)
    ready = plan.prepare_table(source, plan.plan_columns(source))["x"]
    assert ready.cast(pa.string()).to_pylist() == [sent, None]


# dates and times


@pytest.mark.parametrize("unit", ["ps", "fs", "as"])
@pytest.mark.parametrize("kind", [np.datetime64, np.timedelta64])
def test_units_finer_than_nanoseconds_are_refused(kind, unit):
    with pytest.raises(CellValueError, match="is in a unit finer than nanoseconds"):
        plan.plan_columns(frame(kind(10**6, unit)))


def test_numpy_datetimes_cover_the_years_1_to_9999():
    source = frame(np.datetime64("0001-01-01T00:00:00"), np.datetime64("9999-12-31T23:59:59.999999"))
    ready = plan.prepare_table(source, plan.plan_columns(source))
    assert ready["x"].to_pylist() == [dt.datetime.min, dt.datetime.max]
    with pytest.raises(CellValueError, match="years 1 to 9999"):
        plan.plan_columns(frame(np.datetime64("0000-12-31T23:59:59")))


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
def test_dates_and_datetimes_of_every_unit_cover_the_years_1_to_9999(arrow_type, a_day):
    step = a_day if pa.types.is_date(arrow_type) else 1
    first, past = FIRST_DAY * a_day, PAST_LAST_DAY * a_day
    sent = prepared(of_ticks([first, None, past - step], arrow_type)).to_pylist()
    assert [text and text[:10] for text in sent] == ["0001-01-01", None, "9999-12-31"]
    for tick in (first - step, past):
        with pytest.raises(CellValueError, match="years 1 to 9999"):
            prepared(of_ticks([tick], arrow_type))


def test_a_date64_with_a_time_of_day_is_its_date():
    assert prepared(of_ticks([-1, 0, 1, DAY * 1000 - 1, DAY * 1000], pa.date64())).to_pylist() == [
        "1969-12-31", "1970-01-01", "1970-01-01", "1970-01-01", "1970-01-02",
    ]  # fmt: skip
    with pytest.raises(CellValueError, match="milliseconds since 1970"):
        prepared(of_ticks([2**32 * DAY * 1000], pa.date64()))  # 32 bits of days begin anew there


# JSON text


JSON_TEXT = [
    (objects(b"\x00a", None), ['"AGE="', None]),
    (objects([1, "a", None, {"b": [True]}], (1,)), ['[1, "a", null, {"b": [true]}]', "[1]"]),
    (objects({"é\n": 0.1}, "a", 1, None, 2.5), ['{"é\\n": 0.1}', '"a"', "1", None, "2.5"]),
    (pd.Series([1 + 2j]), ['"(1+2j)"']),
    (objects(np.arange(2), [np.float64(0.5), np.int8(1), np.bool_(True)]), ["[0, 1]", "[0.5, 1, true]"]),
    (objects([Decimal("1.10"), dt.date(2024, 1, 1), dt.time(1), pd.Timedelta("1s")]),
     ['["1.10", "2024-01-01", "01:00:00", "P0DT0H0M1S"]']),
    (objects(uuid.UUID(int=0)), ['"00000000-0000-0000-0000-000000000000"']),
    (arrow(pa.binary(), b"a", None), ['"YQ=="', None]),
    (arrow(pa.list_(pa.string()), ["a", None], None), ['["a", null]', None]),
    (arrow(pa.struct({"a": pa.date32()}), {"a": dt.date(2024, 1, 1)}), ['{"a": "2024-01-01"}']),
    (objects([np.datetime64(1, "ns"), np.datetime64("2024-01"), np.timedelta64(1, "s"), np.complex64(1j)]),
     ['["1970-01-01T00:00:00.000000001", "2024-01", "P0DT0H0M1S", "1j"]']),
    (objects([np.timedelta64(5, "ns")]), ['["P0DT0H0M0.000000005S"]']),
    (objects([pd.NaT, pd.NA, None, np.datetime64("NaT", "s")], np.array([np.timedelta64("NaT", "s"), 1], "m8[s]")),
     ["[null, null, null, null]", '[null, "P0DT0H0M1S"]']),
    (pd.Series(pd.Categorical(["a", 1])), ['"a"', "1"]),
]  # fmt: skip


@pytest.mark.parametrize(("series", "texts"), JSON_TEXT, ids=[str(n) for n in range(len(JSON_TEXT))])
def test_values_without_type_are_sent_as_json_text(send, series, texts):
    assert send(series, "text") == ("text", texts)
    for text in texts:
        assert text is None or json.dumps(json.loads(text), ensure_ascii=False) == text


@pytest.mark.parametrize(
    "value",
    [
        *({1: "a"}, {"a": {None: 1}}, [float("nan")], [float("inf")], object, {1}, ["\ud800"], [[dt.timedelta.max]]),
        *([np.longdouble("0.1")], [np.clongdouble(1)], {"a": 1, 2: "b"}),
    ],
    ids=ascii,
)
def test_values_that_json_cannot_hold_are_refused(no_requests, sessions, name, value):
    frame = pd.DataFrame({"x": objects([0], value)})
    with pytest.raises(cd.CellValueError, match=r"^Column 'x', row 1: .* has no JSON text \("):
        cd.push(frame, name, column_types={"x": "text"}, session=sessions["2025.3"])
    alone = pd.DataFrame({"x": objects(value)}).clicdata.schema()
    assert "column_types=" not in alone["note"][0]  # no advice that does not help


@pytest.mark.parametrize("kind", [np.longdouble, np.clongdouble])
def test_a_longdouble_has_no_json_text(kind):
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
def test_nested_values_that_python_cannot_hold_have_no_json_text(kind):
    nested = NESTED[kind]
    values = pa.concat_arrays([nested.slice(0, 0), pa.nulls(1, nested.type), nested])
    for obj in (pa.table({"x": values}), arrow_frame(values)):
        with pytest.raises(CellValueError, match=r"Column 'x', row 1: .* has no JSON text") as caught:
            ready(obj, x="text")
        # A value that Python cannot hold is shown as its Arrow scalar.
        assert ("Scalar" in str(caught.value)) == (kind in {"late", "long"})


def test_lists_beyond_the_recursion_limit_have_no_json_text():
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(CellValueError, match=r"Column 'x', row 0: <list> has no JSON text"):
        ready(pd.DataFrame({"x": pd.Series([deep], dtype=object)}), x="text")


def test_times_in_lists_are_sent_as_json_text():
    times = pa.ListArray.from_arrays([0, 1], pa.array([1000], pa.int64()).cast(pa.time64("ns")))
    assert ready(pa.table({"x": times}), x="text") == {"x": ['["00:00:00.000001"]']}


def test_half_a_surrogate_pair_has_no_json_text():
    with pytest.raises(ValueError, match=r"^it contains half of a surrogate pair$"):
        json_text(["\ud800"])


CODE = re.compile(r"(df(?:\.loc)?\[.*?)(?:; or send.*|\. To send nulls.*|\.)$")


# Python cannot write an int of more than 4,300 digits, and pandas has no .dt for dictionaries.
WITHOUT_REMEDY = {"int beyond repr", "nanoseconds in a dictionary"}


@pytest.mark.parametrize("case", sorted((INVALID_VALUES | UNSUPPORTED_KINDS).keys() - WITHOUT_REMEDY))
@pytest.mark.filterwarnings("ignore")
def test_the_remedy_in_an_error_works(case):
    series = (INVALID_VALUES | UNSUPPORTED_KINDS)[case][0]
    df = pd.DataFrame({"x": series}).set_axis(list("abcde"[: len(series)]))
    note = df.clicdata.schema(index=False)["note"][0]
    found = CODE.search(note)
    assert found is not None, note
    code = found[1]
    exec(code, {"df": df, "pd": pd})
    assert df.clicdata.schema(index=False)["clicdata_type"].notna().all(), code
