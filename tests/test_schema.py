"""What a frame becomes, and what is refused, before anything is sent."""

import datetime as dt
import json
import uuid
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.types.ingest import as_source
from pandas_clicdata.types.rules import RULES

CET = dt.timezone(dt.timedelta(hours=1))


def objects(*values):
    return pd.Series(values, dtype=object)


def arrow(arrow_type, *values):
    array = pa.array(values, arrow_type)
    return pd.Series(pd.arrays.ArrowExtensionArray(array), dtype=pd.ArrowDtype(arrow_type))


@pytest.fixture
def quiet(one_sandbox):
    """Fails the test if any request went out."""
    before = len(one_sandbox.requests)
    yield
    assert len(one_sandbox.requests) == before


@pytest.fixture
def wire(sessions, one_sandbox, name):
    """Send a column, and return its type and its cells as they were sent."""

    def sent(series, wanted=None):
        columns = None if wanted is None else {"x": wanted}
        receipt = cd.push(series.to_frame("x"), name, column_types=columns, session=sessions["2025.3"])
        return str(receipt.columns[0].data_type), [row["x"] for row in one_sandbox.ledger.rows(receipt.rec_id)]

    return sent


# Refusals: the column, the row whose value is shown, what is shown of it, and what the sentence says.
REFUSED = {
    "inf": (pd.Series([1.0, np.inf]), "b", "inf", "is not a number in JSON"),
    "-inf in float32": (pd.Series([1.0, -np.inf], dtype="float32"), "b", "-inf", "Replace infinities"),
    "inf in float16": (pd.Series([np.inf, 1.0], dtype="float16"), "a", "inf", "is not a number in JSON"),
    "inf in Float64": (pd.Series([None, np.inf], dtype="Float64"), "b", "inf", "is not a number in JSON"),
    "inf among objects": (objects(1, float("inf")), "b", "inf", "is not a number in JSON"),
    "inf of Decimal": (objects(Decimal(1), Decimal("-Infinity")), "b", "Decimal('-Infinity')", "is not a number in JSON"),
    "inf category": (pd.Series(pd.Categorical([np.inf, 1.0])), "a", "inf", "is not a number in JSON"),
    "int of 1001 digits": (objects(1, 10**1001), "b", "1000", "longer than 1,000 digits"),
    "int beyond repr": (objects(1, 10**5000), "b", "<int>", "longer than 1,000 digits"),
    "Decimal of a huge exponent": (objects(Decimal("1E+10000")), "a", "Decimal('1E+10000')", "exponent of ±9999"),
    "Decimal of a tiny exponent": (objects(Decimal("1E-10000")), "a", "Decimal('1E-10000')", "exponent of ±9999"),
    "longdouble": (pd.Series([1, 1 / np.longdouble(3)], dtype="longdouble"), "b", "0.333", "more digits than a float64 holds"),
    "nanoseconds": (pd.Series(pd.DatetimeIndex([0, 1])), "b", "00000001", "Round it first: df['x'] = pd.to_datetime(df['x']).dt.round('us')"),
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
}  # fmt: skip
UNTYPED = {
    "bytes": (objects(None, b"a"), "b", "b'a'", "has no ClicData type"),
    "list": (objects([1]), "a", "[1]", "has no ClicData type"),
    "dict": (objects(None, {"a": 1}), "b", "{'a': 1}", "has no ClicData type"),
    "complex": (pd.Series([1j]), "a", "1j", "has no ClicData type"),
    "Arrow binary": (arrow(pa.binary(), None, b"a"), "b", "b'a'", "has no ClicData type"),
    "Arrow list": (arrow(pa.list_(pa.int8()), [1]), "a", "[1]", "has no ClicData type"),
    "Arrow struct": (arrow(pa.struct({"a": pa.int8()}), {"a": 1}), "a", "{'a': 1}", "has no ClicData type"),
    "Arrow map": (arrow(pa.map_(pa.string(), pa.int8()), [("a", 1)]), "a", "[('a', 1)]", "has no ClicData type"),
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


@pytest.mark.parametrize("case", [*REFUSED, *UNTYPED])
def test_what_cannot_be_sent_is_refused_by_cell(quiet, sessions, name, case):
    series, row, shown, why = (REFUSED | UNTYPED)[case]
    frame = pd.DataFrame({"fine": range(len(series)), "x": series}).set_axis(list("abcde"[: len(series)]))
    kind = cd.CellValueError if case in REFUSED else cd.UnsupportedTypeError
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        with pytest.raises(kind) as caught:
            cd.push(frame, name, session=sessions["2025.3"])
        told = frame.clicdata.schema()
    error = caught.value
    assert (error.column, error.row) == ("x", row)
    assert shown in error.value
    for part in ("'x'", repr(row), why):
        assert part in str(error)
    assert ("column_types={'x': 'text'}" in str(error)) == (case in UNTYPED and case != "zone and none")
    assert told["clicdata_type"].isna().tolist() == [False, True]
    assert told["note"][1] == f"refused: {error}"


def test_the_first_fault_is_described_and_the_others_are_named(quiet, sessions, name):
    frame = pd.DataFrame({"a": [b""], "b": [1], "c": [[1]], "d": [np.inf]})
    with pytest.raises(
        cd.UnsupportedTypeError, match=r"^Column 'a'.* Other columns that cannot be sent: 'c'; see df.clicdata"
    ):
        cd.push(frame, name, session=sessions["2025.3"])
    with pytest.raises(cd.CellValueError, match=r"^Column 'd'.*Other columns that cannot be sent: 'e', 'f'; see df"):
        cd.push(frame[["b", "d"]].assign(e=-np.inf, f=np.inf), name, session=sessions["2025.3"])


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
    (objects([pd.NaT, pd.NA, None, np.datetime64("NaT")], np.array(["NaT", 1], "m8[s]")),
     ["[null, null, null, null]", '[null, "P0DT0H0M1S"]']),
    (pd.Series(pd.Categorical(["a", 1])), ['"a"', "1"]),
]  # fmt: skip


@pytest.mark.parametrize(("series", "texts"), JSON_TEXT, ids=[str(n) for n in range(len(JSON_TEXT))])
def test_what_has_no_type_goes_as_json_text_when_asked(wire, series, texts):
    assert wire(series, "text") == ("text", texts)
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
def test_what_json_would_lose_is_refused_even_as_text(quiet, sessions, name, value):
    frame = pd.DataFrame({"x": objects([0], value)})
    with pytest.raises(cd.CellValueError, match=r"^Column 'x', row 1: .* has no JSON text \("):
        cd.push(frame, name, column_types={"x": "text"}, session=sessions["2025.3"])
    alone = pd.DataFrame({"x": objects(value)}).clicdata.schema()
    assert "column_types=" not in alone["note"][0]  # no advice that does not help


MOMENT = pd.Series(pd.to_datetime(["2024-01-02", "2024-01-03 04:05:06.7"], format="ISO8601"))
OVERRIDES = {
    "int as percentage": (pd.Series([0, 1]), "percentage", [0, 1]),
    "int as text": (pd.Series([2**62, -1]), "text", [str(2**62), "-1"]),
    "int as dropdown": (pd.Series([1, 2]), "dropdown", ["1", "2"]),
    "0 and 1 as checkbox": (pd.Series([0, 1, None], dtype="Int64"), "checkbox", [False, True, None]),
    "0.0 and 1.0 as checkbox": (pd.Series([0.0, 1.0, np.nan]), "checkbox", [False, True, None]),
    "2 as checkbox": (pd.Series([0, 2]), "checkbox", "row 1: 2 is neither 0 nor 1"),
    "0.5 as checkbox": (pd.Series([0.5, 1.0]), "checkbox", "row 0: 0.5 is neither 0 nor 1"),
    **{f"NaN in an Arrow {kind}": (arrow(kind, *map(np.float16, (0.5, np.nan))), "number", [Decimal("0.5"), None])
       for kind in (pa.float16(), pa.float32(), pa.float64())},
    "float as text": (pd.Series([0.1, -0.0, np.nan]), "text", ["0.1", "-0.0", None]),
    "Decimal as text": (objects(Decimal("1.10"), None), "text", ["1.10", None]),
    "Decimal as percentage": (objects(Decimal("0.250")), "percentage", [Decimal("0.250")]),
    "bool as number": (pd.Series([True, None], dtype="boolean"), "number", [1, None]),
    "bool as text": (pd.Series([True, False]), "text", ["true", "false"]),
    "text as number": (objects("1.10", "-0", "1e5", None), "number", [Decimal("1.10"), 0, Decimal("1E+5"), None]),
    "zeros before a number": (objects("1", "00123"), "number", "row 1: '00123' is not written as a plain number"),
    "spaces around a number": (objects(" 1"), "number", "row 0: ' 1' is not written as a plain number"),
    "a number and a line end": (objects("1\n"), "number", r"row 0: '1\\n' is not written as a plain number"),
    "text too long for a number": (objects("1" * 1001), "number", "row 0: '1111.*longer than 1,000 digits"),
    "text of a huge exponent": (objects("1e10000"), "number", "row 0: '1e10000' is not written as a plain number"),
    "an empty text as number": (objects(""), "number", "row 0: '' is not written"),
    "text as checkbox": (objects("true", None, "false"), "checkbox", [True, None, False]),
    "other words as checkbox": (objects("True"), "checkbox", "row 0: 'True' is neither"),
    "text as date": (objects("2024-02-29", None), "date", ["2024-02-29", None]),
    "no such day": (objects("2024-01-01", "2023-02-29"), "date", "row 1: '2023-02-29' is not a date"),
    "a day of year 0": (objects("0000-01-01"), "date", "row 0: '0000-01-01' is not a date"),
    "a day and a line end": (objects("2024-01-01\n"), "date", r"row 0: '2024-01-01\\n' is not a date"),
    "text as datetime": (objects("2024-01-01 00:00:00", "2024-01-01 23:59:59.000001"), "datetime",
                         ["2024-01-01 00:00:00", "2024-01-01 23:59:59.000001"]),
    "another form of datetime": (objects("2024-01-01T00:00:00"), "datetime", "row 0: .* is not a datetime written"),
    "a minute of 60 seconds": (objects("2024-01-01 00:00:60"), "datetime", "row 0: .* is not a datetime written"),
    "a datetime of year 0": (objects("0000-01-01 00:00:00"), "datetime", "row 0: .* is not a datetime written"),
    "datetime as text": (MOMENT, "text", ["2024-01-02 00:00:00", "2024-01-03 04:05:06.700000"]),
    "midnight as date": (MOMENT[:1], "date", ["2024-01-02"]),
    "time of day as date": (MOMENT, "date", "row 1: .* has a time of day"),
    "midnight elsewhere as date": (MOMENT[:1].dt.tz_localize("Europe/Paris"), "date", "row 0: .* has a time of day"),
    "date as datetime": (objects(dt.date(1, 1, 1)), "datetime", ["0001-01-01 00:00:00"]),
    "date as text": (objects(dt.date(1, 1, 1)), "text", ["0001-01-01"]),
    "time as dropdown": (objects(dt.time(1)), "dropdown", ["01:00:00"]),
    "nothing as datetime": (objects(None, None), "datetime", [None, None]),
    "int as date": (pd.Series([1]), "date", "cannot be sent as date. Valid types: checkbox, dropdown, number"),
    "bool as datetime": (pd.Series([True]), "datetime", "cannot be sent as datetime"),
    "float as datetime": (pd.Series([1.5]), "datetime", "cannot be sent as datetime"),
    "duration as number": (pd.Series(pd.to_timedelta(["1s"])), "number",
                           "cannot be sent as number"),
    "list as number": (objects([1]), "number", "has no ClicData type"),
}  # fmt: skip


@pytest.mark.parametrize("case", OVERRIDES)
def test_a_type_asked_for_is_sent_exactly_or_refused(one_sandbox, sessions, name, wire, case):
    series, wanted, outcome = OVERRIDES[case]
    if isinstance(outcome, list):
        data_type, sent = wire(series, wanted)
        assert data_type == wanted
        assert list(map(repr, sent)) == list(map(repr, outcome))
    else:
        before = len(one_sandbox.requests)
        with pytest.raises(cd.FrameError, match=outcome) as caught:
            cd.push(series.to_frame("x"), name, column_types={"x": wanted}, session=sessions["2025.3"])
        assert caught.value.column == "x"
        assert len(one_sandbox.requests) == before


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.arrow)
def test_every_way_of_the_table_takes_a_column_without_rows(rule, sessions, name):
    """A type that is listed as possible is one that the encoder can write."""
    example = {
        "int8…int64, uint8…uint64": pa.int8(), "float16": pa.float16(), "float32, float64": pa.float32(),
        "decimal128, decimal256": pa.decimal128(9, 2), "bool": pa.bool_(),
        "string, large_string, string_view": pa.string(),
        "timestamp, with or without a time zone": pa.timestamp("ns", "UTC"), "date32, date64": pa.date64(),
        "time32, time64": pa.time32("s"), "duration": pa.duration("us"), "null": pa.null(),
    }[rule.arrow]  # fmt: skip
    table = pa.table({str(data_type): pa.nulls(2, example) for data_type in rule.encoders})
    columns = {str(data_type): str(data_type) for data_type in rule.encoders}
    receipt = cd.push(table, name, column_types=columns, session=sessions["2025.3"])
    assert {planned.name: str(planned.data_type) for planned in receipt.columns} == columns
    empty = cd.push(table.slice(2), name + " empty", column_types=columns, session=sessions["2025.3"])
    assert (receipt.sent, empty.sent) == (2, 0)


def test_overrides_name_columns_and_types_that_are_there(quiet, sessions, name):
    frame = pd.DataFrame({"rate": [0.5], "1": [1]})
    with pytest.raises(cd.ColumnNameError, match=r"names 'rat', which is not a column. Did you mean 'rate'\?"):
        cd.push(frame, name, column_types={"rat": "number"}, session=sessions["2025.3"])
    with pytest.raises(
        cd.FrameError, match="Unknown type 'percent' for column 'rate' in column_types=. Valid types: text, number"
    ) as caught:
        cd.push(frame, name, column_types={"rate": "percent"}, session=sessions["2025.3"])
    assert caught.value.column == "rate"
    with pytest.raises(TypeError, match=r"column_types= takes a dict of column to ClicData type, .* not \['rate'\]"):
        cd.push(frame, name, column_types=["rate"], session=sessions["2025.3"])
    assert frame.clicdata.schema({1: "text"})["clicdata_type"].tolist() == ["number", "text"]
    assert frame.clicdata.schema({"rate": cd.ColumnType.PERCENTAGE})["clicdata_type"].tolist() == [
        "percentage",
        "number",
    ]


def test_schema_tells_what_a_push_does(sessions, name):
    frame = pd.DataFrame(
        {
            "n": [1],
            "rate": [0.5],
            "kind": pd.Categorical(["a"]),
            "at": pd.to_datetime(["2024-01-01"]).tz_localize("Europe/Paris"),
            "for": pd.to_timedelta(["1s"]),
            "nothing": [None],
        }
    )
    told = frame.clicdata.schema({"rate": "percentage"})
    assert list(told.columns) == ["column", "dtype", "clicdata_type", "note"]
    assert told["column"].tolist() == list(frame.columns)
    assert told["dtype"].tolist() == [str(dtype) for dtype in frame.dtypes]
    assert told["clicdata_type"].tolist() == ["number", "percentage", "text", "datetime", "text", "text"]
    assert told["note"].tolist() == [
        "",
        "",
        "",
        "the instant in UTC, without the time zone Europe/Paris",
        "a duration as ISO 8601 text",
        "text, because the column has no values; name another type with column_types={…}",
    ]
    receipt = frame.clicdata.push(name, column_types={"rate": "percentage"}, session=sessions["2025.3"])
    sent = [(planned.name, planned.dtype, str(planned.data_type), planned.note) for planned in receipt.columns]
    assert sent == list(told.itertuples(index=False, name=None))


def test_schema_refuses_the_objects_that_a_push_refuses(quiet, sessions, name):
    frame = pd.DataFrame({"x": objects({"a": 1}, {2: "b"}), "y": objects([1], None)})
    frame.index = [7, 9]
    told = frame.clicdata.schema({"x": "text", "y": "text"})
    assert told["note"].tolist()[1] == "each value as JSON text"
    with pytest.raises(cd.CellValueError, match="Column 'x', row 9") as caught:
        cd.push(frame, name, column_types={"x": "text", "y": "text"}, session=sessions["2025.3"])
    assert told["clicdata_type"].isna().tolist() == [True, False]
    assert told["note"].tolist()[0] == f"refused: {caught.value}"


def test_schema_needs_no_session(monkeypatch, quiet):
    assert pd.DataFrame({"a": [1]}).clicdata.schema()["clicdata_type"].tolist() == ["number"]
    assert pd.DataFrame({"a": []}, dtype="Int64").clicdata.schema()["clicdata_type"].tolist() == ["number"]


# names


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["a", "a"], "'a' occurs twice"),
        (["Straße", "STRASSE"], "'Straße' and 'STRASSE' differ only in case or spaces"),
        (["a", "a "], "'a' and 'a ' differ only in case or spaces"),
        ([1, "1"], "1 and '1' differ only in case or spaces"),
        ([""], "needs a name"),
        ([" \t"], "needs a name"),
        ([None], "None is not text"),
        ([np.nan], "nan is not text"),
        ([1.5], "1.5 is not text"),
        ([True], "True is not text"),
        ([b"a"], "b'a' is not text"),
        ([pd.Timestamp("2024-01-01")], "is not text"),
        (["a", "\ud800"], "is not valid Unicode"),
        ([("a", "b"), ("a", "c")], r"\('a', 'b'\) has a name of several levels.*join"),
        ([], "The data has no columns"),
    ],
    ids=repr,
)
def test_names_that_cannot_be_columns_are_refused(quiet, sessions, name, labels, why):
    frame = pd.DataFrame([[0] * len(labels)])
    frame.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    for use in (lambda: cd.push(frame, name, session=sessions["2025.3"]), frame.clicdata.schema):
        with pytest.raises(cd.ColumnNameError, match=why) as caught:
            use()
        assert caught.value.column == (str(labels[-1]) if labels and isinstance(labels[-1], str) else None)


def test_a_multiindex_of_columns_is_refused_with_the_way_out(quiet, sessions, name):
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], ["b", 1]]))
    with pytest.raises(cd.ColumnNameError, match="several levels"):
        cd.push(frame, name, session=sessions["2025.3"])
    frame.columns = [" ".join(map(str, label)) for label in frame.columns]
    assert frame.clicdata.schema()["column"].tolist() == ["a b", "a 1"]


def test_odd_names_go_there_and_back(session, name):
    names = [
        "a.b",
        "q\"u'o",
        "[c]",
        "back\\slash",
        "é 😀\u2028",
        "new\nline",
        "x" * 255,
        "{}",
        "0",
        "null",
        "$.a",
        "%s",
    ]
    frame = pd.DataFrame([range(len(names))], columns=names)
    cd.push(frame, name, session=session)
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=session), frame, check_column_type=False)


def test_whole_numbers_as_names_become_text(session, name):
    frame = pd.DataFrame([[1, 2]], columns=[0, np.int64(7)])
    cd.push(frame, name, session=session)
    assert list(cd.read_clicdata(name, session=session).columns) == ["0", "7"]


# the index


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (pd.Index([3, 4]), ["index"]),
        (pd.Index(["p", "q"], name="key"), ["key"]),
        (pd.MultiIndex.from_tuples([("p", 1), ("q", 2)]), ["level_0", "level_1"]),
        (pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=["key", None]), ["key", "level_1"]),
        (pd.DatetimeIndex(["2024-01-01", "2024-01-02"], name="day"), ["day"]),
        (pd.CategoricalIndex(["p", "q"], name="key"), ["key"]),
    ],
    ids=repr,
)
def test_the_index_is_sent_as_reset_index_names_it(session, name, index, names):
    frame = pd.DataFrame({"x": [0.5, None]}, index=index)
    frame.clicdata.push(name, index=True, session=session)
    back = cd.read_clicdata(name, index_col=names, session=session)
    assert list(back.index.names) == names
    assert back.index.tolist() == index.tolist()
    assert list(frame.reset_index().columns) == [*names, "x"]
    assert frame.clicdata.schema(index=True)["column"].tolist() == [*names, "x"]


def test_an_unnamed_index_beside_a_column_named_index(session, name):
    frame = pd.DataFrame({"index": [1]}, index=[7])
    frame.clicdata.push(name, index=True, session=session)
    expected = frame.reset_index()
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=session), expected, check_column_type=False)


def test_an_index_that_cannot_be_sent_names_its_row(quiet, sessions, name):
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", b"b"], name="key"))
    with pytest.raises(cd.UnsupportedTypeError, match="Column 'key', row b'b': b'b' "):
        frame.clicdata.push(name, index=True, session=sessions["2025.3"])


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (pd.RangeIndex(1), None),
        (pd.Index([9]), None),
        (pd.Index(["p"]), "The index (of"),
        (pd.Index([1], name="key"), "The index ('key') is not sent. Send it as columns with index=True"),
        (pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]), "The index ('a', 'b')"),
    ],
    ids=repr,
)
def test_an_index_with_data_that_is_not_sent_is_told_of_once(session, name, index, told):
    frame = pd.DataFrame({"x": [1]}, index=index)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame.clicdata.push(name, session=session)
        frame.clicdata.append(name, session=session)
        frame.clicdata.delete_rows(name, on="x", session=session)
    assert [warning.filename for warning in caught] == [__file__] * (0 if told is None else 2)
    assert all(issubclass(w.category, cd.IndexNotSentWarning) and told in str(w.message) for w in caught)


# shapes


@pytest.mark.parametrize(
    "dtype", ["int64", "float64", "bool", "Int64", "object", "datetime64[ns]", "category", "string"]
)
def test_an_empty_frame_makes_a_table_of_its_types(session, one_sandbox, name, dtype):
    frame = pd.DataFrame({"x": pd.Series([], dtype=dtype)})
    receipt = frame.clicdata.push(name, session=session)
    assert (receipt.rows, receipt.sent, receipt.batches) == (0, 0, 0)
    back = cd.read_clicdata(name, session=session)
    assert back.shape == (0, 1)
    full = {"int64": "float64", "Int64": "float64", "datetime64[ns]": "datetime64[us]"}.get(dtype, dtype)
    text = str(pd.Series([""]).dtype)
    assert str(back["x"].dtype) == {"object": text, "category": text, "string": text}.get(full, full)


def test_a_wide_frame(session, one_sandbox, name):
    frame = pd.DataFrame({f"c{n}": [n, None] if n % 2 else [f"t{n}", ""] for n in range(500)})
    cd.push(frame, name, session=session)
    back = cd.read_clicdata(name, session=session)
    assert list(back.columns) == list(frame.columns)
    assert (str(back["c3"].dtype), back["c3"][0]) == ("float64", 3)
    pd.testing.assert_frame_equal(back.astype(object).fillna(""), frame.astype(object).fillna(""))


def test_one_column_of_nothing_but_null(session, one_sandbox, name):
    receipt = cd.push(pd.DataFrame({"x": [None] * 3}), name, session=session)
    assert one_sandbox.ledger.rows(receipt.rec_id) == [{"x": None}] * 3
    assert cd.read_clicdata(name, session=session)["x"].isna().tolist() == [True] * 3


# what speaks Arrow

PIECES = pa.chunked_array([[1, None], [], [3]], pa.int32())
WORDS = pa.chunked_array([["a", "b"], [], ["c"]])
TABLE = pa.table({"n": PIECES, "t": WORDS})
SENT = [{"n": 1, "t": "a"}, {"n": None, "t": "b"}, {"n": 3, "t": "c"}]


class OnlyStreams:
    """Speaks Arrow, and has no length."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


DOORS = {
    "table": lambda: TABLE,
    "sliced table": lambda: pa.concat_tables([TABLE, TABLE]).slice(3),
    "batch": lambda: TABLE.combine_chunks().to_batches()[0],
    "reader": lambda: TABLE.to_reader(),
    "reader of dictionaries": lambda: TABLE.set_column(1, "t", WORDS.dictionary_encode()).to_reader(),
    "reader of views": lambda: TABLE.set_column(
        1, "t", pa.chunked_array([pa.array(["a", "b"], pa.string_view()), pa.array(["c"], pa.string_view())])
    ).to_reader(max_chunksize=1),
    "stream": OnlyStreams,
    "polars": lambda: pl.DataFrame({"n": [1, None, 3], "t": ["a", "b", "c"]}),
    "polars categories": lambda: pl.DataFrame(
        {"n": [1, None, 3], "t": pl.Series(["a", "b", "c"], dtype=pl.Categorical)}
    ),
    "arrow dtypes": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
}


@pytest.mark.parametrize("door", DOORS)
def test_whatever_speaks_arrow_comes_in(session, one_sandbox, name, door):
    receipt = cd.push(DOORS[door](), name, chunksize=2, session=session)
    assert one_sandbox.ledger.rows(receipt.rec_id) == SENT
    assert (receipt.rows, receipt.sent, receipt.batches) == (3, 3, 2)
    assert [str(planned.data_type) for planned in receipt.columns] == ["number", "text"]


def test_polars_types(session, one_sandbox, name):
    frame = pl.DataFrame(
        {
            "decimal": [Decimal("1.10"), None],
            "day": [dt.date(2024, 1, 2), None],
            "at": [dt.datetime(2024, 1, 2, 3, 4, 5, 6), None],
            "clock": [dt.time(1, 2, 3), None],
            "for": [dt.timedelta(seconds=1), None],
            "big": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
            "yes": [True, None],
            "half": pl.Series([0.1, None], dtype=pl.Float32),
            "nothing": [None, None],
        }
    )
    receipt = cd.push(frame, name, session=session)
    first = {
        "decimal": Decimal("1.10"),
        "day": "2024-01-02",
        "at": "2024-01-02 03:04:05.000006",
        "clock": "01:02:03",
        "for": "P0DT0H0M1S",
        "big": 2**64 - 1,
        "yes": True,
        "half": Decimal("0.1"),
        "nothing": None,
    }
    assert one_sandbox.ledger.rows(receipt.rec_id) == [first, dict.fromkeys(first)]


def test_what_a_table_lacks_a_type_for_is_refused_by_position(quiet, sessions, name):
    with pytest.raises(cd.UnsupportedTypeError, match=r"Column 'x' \(list<.*>\), row 1: \[1\] has no ClicData type"):
        cd.push(pa.table({"x": [None, [1]]}), name, session=sessions["2025.3"])
    with pytest.raises(cd.CellValueError, match="Column 'x', row 3: inf"):
        cd.push(pa.table({"x": pa.chunked_array([[1.0, 2.0], [3.0, float("inf")]])}), name, session=sessions["2025.3"])
    for without in (pa.table({"x": [b"a"]}).to_reader(), pa.table({"x": pa.nulls(2, pa.binary())})):
        with pytest.raises(cd.UnsupportedTypeError, match=r"^Column 'x' \(binary\) has no ClicData type") as caught:
            cd.push(without, name, session=sessions["2025.3"])
        assert (caught.value.row, caught.value.value) == (None, None)


@pytest.mark.parametrize("thing", [pd.Series([1]), [{"a": 1}], {"a": [1]}, None, np.zeros((1, 1)), "df"], ids=repr)
def test_what_is_no_frame_is_refused(quiet, sessions, name, thing):
    with pytest.raises(TypeError, match="Cannot send a"):
        cd.push(thing, name, session=sessions["2025.3"])
    with pytest.raises(TypeError, match="has no index"):
        cd.push(TABLE, name, index=True, session=sessions["2025.3"])


# tables that are there

GOES = [
    (pd.Series([1]), {}, "percentage"),
    (pd.Series(["a"]), {}, "dropdown"),
    (objects(dt.date(2024, 1, 1)), {}, "datetime"),
    (objects(None), {}, "date"),
    (objects("2024-01-01"), {"x": "date"}, "date"),
]
GOES_NOT = [
    (pd.Series(["1"]), {}, "number"),
    (pd.Series([1]), {}, "text"),
    (pd.Series([1]), {}, "checkbox"),
    (pd.Series(pd.to_datetime(["2024-01-01"])), {}, "date"),
    (pd.Series([1]), {"x": "number"}, "percentage"),
    (pd.Series([True]), {}, "number"),
    (pd.Series([1]), {"x": "percentage"}, "number"),
    (pd.Series(["a"]), {"x": "dropdown"}, "text"),
]


@pytest.mark.parametrize(("series", "columns", "theirs"), GOES, ids=lambda value: str(value)[:12])
def test_a_column_goes_into_a_table_of_a_kindred_type(session, one_sandbox, name, series, columns, theirs):
    receipt = cd.push(pd.DataFrame({"x": objects(None)}), name, column_types={"x": theirs}, session=session)
    cd.append(series.to_frame("x"), name, column_types=columns, session=session)
    assert one_sandbox.ledger.count(receipt.rec_id) == 2


@pytest.mark.parametrize(("series", "columns", "theirs"), GOES_NOT, ids=lambda value: str(value)[:12])
def test_a_column_of_another_type_is_refused_with_both(session, one_sandbox, name, series, columns, theirs):
    receipt = cd.push(pd.DataFrame({"x": objects(None)}), name, column_types={"x": theirs}, session=session)
    with pytest.raises(cd.ColumnMismatchError, match=rf"'x' .*\) +{theirs} +of another type") as caught:
        cd.append(series.to_frame("x"), name, column_types=columns, session=session)
    assert [difference[0::2] for difference in caught.value.differing] == [("x", theirs)]
    assert one_sandbox.ledger.count(receipt.rec_id) == 1


@pytest.mark.parametrize("names", [[1, 0], [1, None], [0, 1]])
def test_a_level_of_the_index_that_is_called_by_anothers_number_keeps_its_own_values(names):
    index = pd.MultiIndex.from_arrays([["first", "one"], ["second", "two"]], names=names)
    door = as_source(pd.DataFrame({"n": [1, 2]}, index=index), index=True)
    assert [source.values.to_pylist() for source in door.columns] == [["first", "one"], ["second", "two"], [1, 2]]
