"""Plan a write: column_types=, schema(), and columns for an existing table."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from columns import arrow, frame, objects

import pandas_clicdata as cd
from pandas_clicdata.errors import (
    FrameError,
)
from pandas_clicdata.types import ingest, plan
from pandas_clicdata.types.rules import RULES

DATETIMES = pd.Series(pd.to_datetime(["2024-01-02", "2024-01-03 04:05:06.7"], format="ISO8601"))


OVERRIDES: dict[str, tuple[Any, str, list[Any] | str]] = {
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
    "datetime as text": (DATETIMES, "text", ["2024-01-02 00:00:00", "2024-01-03 04:05:06.700000"]),
    "midnight as date": (DATETIMES[:1], "date", ["2024-01-02"]),
    "time of day as date": (DATETIMES, "date", "row 1: .* has a time of day"),
    "midnight elsewhere as date": (DATETIMES[:1].dt.tz_localize("Europe/Paris"), "date", "row 0: .* has a time of day"),
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
def test_a_requested_type_is_sent_exactly_or_refused(one_sandbox, sessions, name, send, case):
    series, wanted, outcome = OVERRIDES[case]
    if isinstance(outcome, list):
        data_type, sent = send(series, wanted)
        assert data_type == wanted
        assert list(map(repr, sent)) == list(map(repr, outcome))
    else:
        before = len(one_sandbox.requests)
        with pytest.raises(cd.FrameError, match=outcome) as caught:
            cd.push(series.to_frame("x"), name, column_types={"x": wanted}, session=sessions["2025.3"])
        assert caught.value.column == "x"
        assert len(one_sandbox.requests) == before


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.arrow)
def test_every_encoder_of_a_rule_accepts_nulls_and_no_rows(rule, sessions, name):
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


def test_column_types_names_existing_columns_and_types(no_requests, sessions, name):
    frame = pd.DataFrame({"rate": [0.5], "1": [1]})
    with pytest.raises(cd.ColumnNameError, match=r"names 'rat', which is not a column. Did you mean 'rate'\?"):
        cd.push(frame, name, column_types={"rat": "number"}, session=sessions["2025.3"])
    with pytest.raises(
        cd.FrameError, match=r"Unknown type 'percent' for column 'rate' in column_types=\. Valid types: text, number"
    ) as caught:
        cd.push(frame, name, column_types={"rate": "percent"}, session=sessions["2025.3"])
    assert caught.value.column == "rate"
    names_only: Any = ["rate"]
    with pytest.raises(TypeError, match=r"column_types= takes a dict of column to ClicData type, .* not \['rate'\]"):
        cd.push(frame, name, column_types=names_only, session=sessions["2025.3"])
    assert frame.clicdata.schema({1: "text"})["clicdata_type"].tolist() == ["number", "text"]
    assert frame.clicdata.schema({"rate": cd.ColumnType.PERCENTAGE})["clicdata_type"].tolist() == [
        "percentage",
        "number",
    ]


# schema()


def test_schema_equals_the_columns_of_a_receipt(sessions, name):
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
    schema = frame.clicdata.schema({"rate": "percentage"})
    assert list(schema.columns) == ["column", "dtype", "clicdata_type", "note"]
    assert schema["column"].tolist() == list(frame.columns)
    assert schema["dtype"].tolist() == [str(dtype) for dtype in frame.dtypes]
    assert schema["clicdata_type"].tolist() == ["number", "percentage", "text", "datetime", "text", "text"]
    assert schema["note"].tolist() == [
        "",
        "",
        "",
        "the instant in UTC, without the time zone Europe/Paris",
        "a duration as ISO 8601 text",
        "text, because the column has no values; name another type with column_types={…}",
    ]
    receipt = frame.clicdata.push(name, column_types={"rate": "percentage"}, session=sessions["2025.3"])
    sent = [(planned.name, planned.dtype, str(planned.data_type), planned.note) for planned in receipt.columns]
    assert sent == list(schema.itertuples(index=False, name=None))


def test_schema_refuses_the_objects_that_a_push_refuses(no_requests, sessions, name):
    frame = pd.DataFrame({"x": objects({"a": 1}, {2: "b"}), "y": objects([1], None)})
    frame.index = [7, 9]
    schema = frame.clicdata.schema({"x": "text", "y": "text"})
    assert schema["note"].tolist()[1] == "each value as JSON text"
    with pytest.raises(cd.CellValueError, match="Column 'x', row 9") as caught:
        cd.push(frame, name, column_types={"x": "text", "y": "text"}, session=sessions["2025.3"])
    assert schema["clicdata_type"].isna().tolist() == [True, False]
    assert schema["note"].tolist()[0] == f"refused: {caught.value}"


def test_schema_needs_no_session(monkeypatch, no_requests):
    assert pd.DataFrame({"a": [1]}).clicdata.schema()["clicdata_type"].tolist() == ["number"]
    assert pd.DataFrame({"a": []}, dtype="Int64").clicdata.schema()["clicdata_type"].tolist() == ["number"]


def test_a_note_names_the_time_zone_that_is_lost():
    naive, aware = dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert plan.schema_frame(frame(naive))["note"].tolist() == [""]
    assert plan.schema_frame(frame(aware))["note"].tolist() == ["the instant in UTC, without the time zone UTC"]


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
def test_a_note_says_how_a_column_is_converted(value, note):
    assert plan.schema_frame(frame(value))["note"].tolist() == [note]
    if value is not None:
        own = ingest.as_source(pd.DataFrame({"x": pd.Series([value])}))
        assert plan.schema_frame(own)["note"].tolist() == [note]


def test_periods_of_several_frequencies_are_sent_as_text():
    source = frame(pd.Period("2024-01", "M"), pd.Period("2024-01-01", "D"))
    assert plan.prepare_table(source, plan.plan_columns(source))["x"].to_pylist() == ["2024-01", "2024-01-01"]
    assert plan.schema_frame(source)["dtype"][0].metadata is None


# declared columns


@pytest.mark.parametrize("wanted", ["flight", [1], None, 7])
def test_invalid_declarations_of_columns_are_refused(wanted):
    with pytest.raises(TypeError, match="The columns of a table are a dict of name to type"):
        plan.plan_declared(wanted)


def test_a_value_that_is_not_a_scalar_is_refused():
    with pytest.raises(FrameError, match="where= has a list for column 't', which is not a single value") as caught:
        plan.one_row("where", {"n": 1, "t": [1, 2]})
    assert caught.value.column == "t"


# existing tables


COMPATIBLE = [
    (pd.Series([1]), {}, "percentage"),
    (pd.Series(["a"]), {}, "dropdown"),
    (objects(dt.date(2024, 1, 1)), {}, "datetime"),
    (objects(None), {}, "date"),
    (objects("2024-01-01"), {"x": "date"}, "date"),
]


INCOMPATIBLE = [
    (pd.Series(["1"]), {}, "number"),
    (pd.Series([1]), {}, "text"),
    (pd.Series([1]), {}, "checkbox"),
    (pd.Series(pd.to_datetime(["2024-01-01"])), {}, "date"),
    (pd.Series([1]), {"x": "number"}, "percentage"),
    (pd.Series([True]), {}, "number"),
    (pd.Series([1]), {"x": "percentage"}, "number"),
    (pd.Series(["a"]), {"x": "dropdown"}, "text"),
]


@pytest.mark.parametrize(("series", "columns", "theirs"), COMPATIBLE, ids=lambda value: str(value)[:12])
def test_a_column_is_appended_to_a_compatible_column(session, one_sandbox, name, series, columns, theirs):
    receipt = cd.push(pd.DataFrame({"x": objects(None)}), name, column_types={"x": theirs}, session=session)
    cd.append(series.to_frame("x"), name, column_types=columns, session=session)
    assert one_sandbox.ledger.count(receipt.rec_id) == 2


@pytest.mark.parametrize(("series", "columns", "theirs"), INCOMPATIBLE, ids=lambda value: str(value)[:12])
def test_an_error_names_both_types_of_incompatible_columns(session, one_sandbox, name, series, columns, theirs):
    receipt = cd.push(pd.DataFrame({"x": objects(None)}), name, column_types={"x": theirs}, session=session)
    with pytest.raises(cd.ColumnMismatchError, match=rf"'x' .*\) +{theirs} +of another type") as caught:
        cd.append(series.to_frame("x"), name, column_types=columns, session=session)
    assert [difference[0::2] for difference in caught.value.differing] == [("x", theirs)]
    assert one_sandbox.ledger.count(receipt.rec_id) == 1
