"""Data.update_data, delete_data and create_data: dicts are as exact as frames, and nothing is done twice."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from conftest import service_profile
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3, 4],
        "t": ["a", "b", "a", None],
        "day": [dt.date(2013, 1, 1), dt.date(2013, 1, 2), None, dt.date(2013, 1, 1)],
        "ok": [True, False, True, True],
    }
)
TYPES = {
    "t": "text", "n": "number", "at": "datetime", "day": "date", "p": "percentage", "ok": "checkbox", "d": "dropdown",
}  # fmt: skip


@pytest.fixture
def fresh(filled):
    """Return a function that pushes the rows and returns the sandbox, with an empty request log, and a new session."""

    def make(api_version="2025.3", frame=FRAME, **options):
        return filled(api_version, frame, **options)

    return make


def column(sandbox, table, name="n"):
    return [row[name] for row in sandbox.ledger.rows(table)]


def writes(sandbox):
    return [each.operation for each in sandbox.requests if each.operation in ("create", "append", "update", "delete")]


# deleting


@every_dialect
@pytest.mark.parametrize(
    ("filters", "multiple_rows", "left"),
    [
        ({"t": "a"}, "all", [2, 4]),
        ({"t": "a"}, "first", [2, 3, 4]),
        ({"t": "a", "n": 3}, "all", [1, 2, 4]),
        ({"t": "a", "n": 2}, "all", [1, 2, 3, 4]),
        ({"day": dt.date(2013, 1, 1), "ok": True}, "all", [2, 3]),
        ({"day": dt.date(2013, 1, 1), "ok": True}, "first", [2, 3, 4]),
    ],
)
def test_rows_that_match_are_deleted(fresh, name, api_version, filters, multiple_rows, left):
    sandbox, session = fresh(api_version)
    receipt = cd.Data(session).delete_data(name, filters, multiple_rows)
    assert column(sandbox, name) == left
    assert writes(sandbox) == ["delete"]
    assert (receipt.operation, receipt.status, receipt.matched) == ("delete_data", "unverified", None)
    assert (receipt.rows, receipt.sent, receipt.confirmed, receipt.batches) == (1, 1, 0, 1)
    assert [each.name for each in receipt.columns] == list(filters)


@every_dialect
@pytest.mark.parametrize("multiple_rows", ["all", "first"])
def test_a_dry_run_shows_what_matches(fresh, name, api_version, multiple_rows):
    sandbox, session = fresh(api_version)
    receipt = cd.Data(session).delete_data(name, {"t": "a"}, multiple_rows, dry_run=True)
    assert (receipt.operation, receipt.status, receipt.matched) == ("delete_data", "dry_run", 2)
    assert receipt.preview is not None
    assert receipt.preview["n"].tolist() == [1, 3]
    assert any("one of these rows" in note for note in receipt.notes) == (multiple_rows == "first")
    assert writes(sandbox) == []


@every_dialect
@pytest.mark.parametrize(("max_rows", "left"), [(1, None), (2, [2, 4]), (np.int64(5), [2, 4])])
def test_more_rows_than_allowed_are_not_deleted(fresh, name, api_version, max_rows, left):
    sandbox, session = fresh(api_version)
    if left is None:
        with pytest.raises(cd.TooManyRowsError, match="2 rows"):
            cd.Data(session).delete_data(name, {"t": "a"}, max_rows=max_rows)
        assert (writes(sandbox), column(sandbox, name)) == ([], [1, 2, 3, 4])
    else:
        assert cd.Data(session).delete_data(name, {"t": "a"}, max_rows=max_rows).matched == 2
        assert column(sandbox, name) == left


@pytest.mark.parametrize("row_id", ["id", "rec_id"])
def test_a_row_is_matched_by_its_row_id(serve, row_id):
    sandbox, session = serve(assume=Assumptions(row_id=row_id))
    FRAME.clicdata.push("T", session=session)
    cd.Data(session).delete_data("T", {row_id: 2})
    cd.Data(session).update_data("T", {row_id: 3}, {"t": "x"})
    assert column(sandbox, "T", "t") == ["a", "x", None]


# updating


@every_dialect
@pytest.mark.parametrize(
    ("filters", "values", "multiple_rows", "name_of", "after"),
    [
        ({"t": "a"}, {"n": 9}, "all", "n", [9, 2, 9, 4]),
        ({"t": "a"}, {"n": 9}, "first", "n", [9, 2, 3, 4]),
        ({"t": "a", "ok": True}, {"t": None}, "all", "t", [None, "b", None, None]),
        ({"t": "a"}, {"t": "z", "n": 1}, "first", "t", ["z", "b", "a", None]),
        ({"n": 4}, {"day": dt.date(2020, 2, 29), "t": "new"}, "all", "t", ["a", "b", "a", "new"]),
        ({"n": 5}, {"t": "new"}, "first", "t", ["a", "b", "a", None]),
    ],
)
def test_rows_that_match_are_changed(fresh, name, api_version, filters, values, multiple_rows, name_of, after):
    sandbox, session = fresh(api_version)
    receipt = cd.Data(session).update_data(name, filters, values, multiple_rows)
    assert column(sandbox, name, name_of) == after
    assert len(cd.read_clicdata(name, session=session)) == len(FRAME)
    assert writes(sandbox) == ["update"]
    assert (receipt.operation, receipt.status) == ("update_data", "unverified")
    assert (receipt.rows, receipt.sent, receipt.confirmed, receipt.batches) == (1, 1, 0, 1)
    assert [each.name for each in receipt.columns] == list(values)


VALUES = {
    # value → column, stored value
    "text": ('say "é"\n🜁', "t", 'say "é"\n🜁'),
    "text like a number": ("00123", "t", "00123"),
    "text of NumPy": (np.str_("x"), "t", "x"),
    "whole": (7, "n", 7),
    "large": (2**60 + 1, "n", 2**60 + 1),
    "beyond 64 bits": (2**70, "n", 2**70),
    "whole of NumPy": (np.uint64(2**64 - 1), "n", 2**64 - 1),
    "fraction": (0.1, "n", Decimal("0.1")),
    "fraction of NumPy": (np.float32(0.1), "n", Decimal("0.1")),
    "decimal": (Decimal("1.100000000000000000001"), "n", Decimal("1.100000000000000000001")),
    "percentage": (0.25, "p", Decimal("0.25")),
    "dropdown": ("red", "d", "red"),
    "checkbox": (False, "ok", False),
    "checkbox of NumPy": (np.True_, "ok", True),
    "date": (dt.date(1, 1, 1), "day", "0001-01-01"),
    "datetime": (dt.datetime(2013, 1, 1, 5, 0, 0, 1), "at", "2013-01-01 05:00:00.000001"),
    "timestamp": (pd.Timestamp("2013-01-01 05:00", tz="Europe/Paris"), "at", "2013-01-01 04:00:00"),
    "datetime of NumPy": (np.datetime64("2013-01-01T05:00", "ns"), "at", "2013-01-01 05:00:00"),
    "date as a datetime": (dt.date(2013, 1, 1), "at", "2013-01-01 00:00:00"),
}
MISSING = {"None": None, "NaN": float("nan"), "NaN of NumPy": np.float32("nan"), "NaT": pd.NaT, "NA": pd.NA}
every_value = pytest.mark.parametrize("case", VALUES)


def typed_table(session, name, values):
    """Create a table with a column of each type, and one row of these values."""
    cd.Data(session).create_data(name, cols=TYPES)
    frame = pd.DataFrame({key: pd.Series([values.get(key)], dtype=object) for key in TYPES})
    cd.append(frame, name, session=session)


@every_dialect
@every_value
def test_values_and_filters_of_every_type(running, open_session, name, api_version, case):
    value, key, stored = VALUES[case]
    session = open_session(running, api_version)
    other = "n" if key != "n" else "t"
    marker = 1 if other == "n" else "m"
    typed_table(session, name, {other: marker})
    cd.Data(session).update_data(name, {other: marker}, {key: value})
    assert column(running, name, key) == [stored]
    cd.Data(session).update_data(name, {key: value}, {key: None, other: marker})
    assert column(running, name, key) == [None]
    cd.Data(session).update_data(name, {other: marker}, {key: value})
    cd.Data(session).delete_data(name, {key: value})
    assert column(running, name, key) == []


@every_dialect
@pytest.mark.parametrize("case", MISSING)
@pytest.mark.parametrize("key", TYPES)
def test_a_value_that_is_missing_is_null_in_a_column_of_any_type(running, open_session, name, api_version, case, key):
    session = open_session(running, api_version)
    value = {"t": "x", "n": 1, "at": dt.datetime(2013, 1, 1), "day": dt.date(2013, 1, 1), "p": 1, "ok": True, "d": "x"}
    typed_table(session, name, value)
    cd.Data(session).update_data(name, {"t": "x"}, {key: MISSING[case]})
    assert column(running, name, key) == [None]


def test_an_empty_table_without_listed_columns(serve):
    sandbox, session = serve(assume=Assumptions(column_metadata=False))
    cd.Data(session).create_data("T", cols={"a": "number"})
    cd.Data(session).update_data("T", {"a": 1}, {"a": 2})
    cd.Data(session).delete_data("T", {"a": 1})
    with pytest.raises(cd.IncompleteWriteError, match="no column 'b'"):
        cd.Data(session).delete_data("T", {"b": 1})
    cd.append(pa.table({"a": [1]}), "T", session=session)
    cd.Data(session).update_data("T", {"a": 1}, {"a": 2})
    assert column(sandbox, "T", "a") == [2]


# invalid arguments

BAD_FILTERS: dict[str, Any] = {
    "none": (None, TypeError, "filters= must be a dict"),
    "a list": ([("t", "a")], TypeError, "filters= must be a dict"),
    "text": ("t = a", TypeError, "filters= must be a dict"),
    "empty": ({}, cd.FrameError, "filters= is empty"),
    "a number for a name": ({1: "a"}, TypeError, "1 is not a column name"),
    "a blank name": ({" ": "a"}, cd.ColumnNameError, "needs a name"),
    "names alike": ({"t": "a", "T": "b"}, cd.ColumnNameError, "differ only in case or spaces"),
    "a list of values": ({"t": ["a", "b"]}, cd.FrameError, "has a list for column 't', which is not a single value"),
    "a Series": ({"t": pd.Series(["a"])}, cd.FrameError, "has a Series for column 't', which is not a single value"),
    "bytes": ({"t": b"a"}, cd.UnsupportedTypeError, r"filters= gives column 't' b'a' \(bytes\)"),
    "infinite": ({"n": float("inf")}, cd.CellValueError, "'n', row 'filters': inf"),
    "nanoseconds": ({"day": pd.Timestamp(1)}, cd.CellValueError, "nanoseconds"),
    "half a surrogate pair": ({"t": "\ud800"}, cd.CellValueError, "surrogate"),
    **{f"missing, {case}": ({"n": 1, "t": value}, cd.FrameError, "no value for column 't'")
       for case, value in MISSING.items()},
}  # fmt: skip
BAD_VALUES: dict[str, Any] = {
    case: (given, kind, text.replace("filters", "values"))
    for case, (given, kind, text) in BAD_FILTERS.items()
    if not case.startswith("missing")
}
INVALID_MULTIPLE_ROWS = ["ALL", "one", "", None, True, 1, ["all"]]


@pytest.mark.parametrize("case", BAD_FILTERS)
def test_bad_filters_are_refused_before_any_request(fresh, name, case):
    sandbox, session = fresh()
    filters, kind, text = BAD_FILTERS[case]
    with pytest.raises(kind, match=text):
        cd.Data(session).delete_data(name, filters)
    with pytest.raises(kind, match=text):
        cd.Data(session).update_data(name, filters, {"t": "x"})
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_values_are_refused_before_any_request(fresh, name, case):
    sandbox, session = fresh()
    values, kind, text = BAD_VALUES[case]
    with pytest.raises(kind, match=text):
        cd.Data(session).update_data(name, {"t": "a"}, values)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("value", INVALID_MULTIPLE_ROWS, ids=repr)
def test_multiple_rows_is_all_or_first(fresh, name, value):
    sandbox, session = fresh()
    with pytest.raises(ValueError, match="multiple_rows= must be one of 'all', 'first'"):
        cd.Data(session).delete_data(name, {"t": "a"}, value)
    with pytest.raises(ValueError, match="multiple_rows= must be one of 'all', 'first'"):
        cd.Data(session).update_data(name, {"t": "a"}, {"n": 1}, value)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"max_rows": -1}, ValueError), ({"max_rows": "1"}, ValueError), ({"reconcile_wait": -1}, ValueError),
        ({"max_rows": 1, "multiple_rows": "first"}, ValueError), ({"rec_id": 1.5}, TypeError),
        ({"rec_id": 0}, ValueError),
    ],
)  # fmt: skip
def test_bad_options_are_refused_before_any_request(fresh, name, options, kind):
    sandbox, session = fresh()
    with pytest.raises(kind):
        cd.Data(session).delete_data(**{"rec_id": name, "filters": {"t": "a"}, **options})
    assert len(sandbox.requests) == 0


@every_dialect
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"nn": 1}, r"does not have: 'nn'\. Did you mean 'n'\? Its columns: 'n', 't', 'day', 'ok'"),
        ({"n": "1"}, r"{option}= does not fit .* 'n' has the type number, and the value is text"),
        ({"t": 1}, "'t' has the type text, and the value is number"),
        ({"day": "2013-01-01"}, "'day' has the type date, and the value is text"),
        ({"ok": 1}, "'ok' has the type checkbox, and the value is number"),
    ],
)
def test_unknown_columns_and_values_of_another_type_are_refused(fresh, name, api_version, given, text):
    sandbox, session = fresh(api_version)
    for option, call in (
        ("filters", lambda: cd.Data(session).delete_data(name, given)),
        ("filters", lambda: cd.Data(session).update_data(name, given, {"t": "x"})),
        ("values", lambda: cd.Data(session).update_data(name, {"n": 1}, given)),
    ):
        with pytest.raises(cd.ColumnMismatchError, match=text.replace("{option}", option)):
            call()
    assert writes(sandbox) == []


@every_dialect
def test_a_missing_table_raises(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    for table in (f"{name}!", 10**9):
        with pytest.raises(cd.TableNotFoundError):
            cd.Data(session).delete_data(table, {"t": "a"})
        with pytest.raises(cd.TableNotFoundError):
            cd.Data(session).update_data(table, {"t": "a"}, {"n": 1})
    assert writes(sandbox) == []


# faults


def change(operation, session, table, multiple_rows, **options):
    if operation == "delete":
        return cd.Data(session).delete_data(table, {"t": "a"}, multiple_rows, **options)
    return cd.Data(session).update_data(table, {"t": "a"}, {"n": 9}, multiple_rows, **options)


DONE = {("delete", "all"): [2, 4], ("delete", "first"): [2, 3, 4],
        ("update", "all"): [9, 2, 9, 4], ("update", "first"): [9, 2, 3, 4]}  # fmt: skip
lost = pytest.mark.parametrize(
    ("kind", "options", "carried_out"),
    [
        ("lose_reply", {"after_commit": True}, True),
        ("lose_reply", {"after_commit": False}, False),
        ("status", {"code": 500, "after_commit": True}, True),
        ("status", {"code": 500}, False),
    ],
)
PARTICIPLES = {"delete": "deleted", "update": "changed"}
every_operation = pytest.mark.parametrize("operation", ["delete", "update"])


@every_dialect
@every_operation
@lost
def test_a_request_for_the_first_match_is_not_retried(fresh, name, api_version, operation, kind, options, carried_out):
    sandbox, session = fresh(api_version)
    sandbox.faults.script(kind, operation=operation, **options)
    with pytest.raises(cd.AmbiguousWriteError, match="Unknown: a row that matches may or may not be") as caught:
        change(operation, session, name, "first")
    assert (caught.value.confirmed, caught.value.unknown, caught.value.unsent) == ([], [(0, 1)], [])
    assert caught.value.ambiguous
    assert caught.value.rec_id == sandbox.ledger.table_id(name)
    assert writes(sandbox) == [operation]
    assert column(sandbox, name) == (DONE[operation, "first"] if carried_out else [1, 2, 3, 4])


@every_dialect
@every_operation
@pytest.mark.parametrize("multiple_rows", ["all", "first"])
def test_a_rate_limited_request_is_retried(fresh, name, api_version, operation, multiple_rows):
    sandbox, session = fresh(api_version)
    sandbox.faults.status(429, operation=operation)
    receipt = change(operation, session, name, multiple_rows)
    assert (receipt.retries, receipt.notes) == (1, ())
    assert column(sandbox, name) == DONE[operation, multiple_rows]
    assert writes(sandbox) == [operation] * 2


@every_dialect
@every_operation
@lost
def test_a_request_for_all_matches_is_retried(fresh, name, api_version, operation, kind, options, carried_out):
    sandbox, session = fresh(api_version)
    sandbox.faults.script(kind, operation=operation, **options)
    receipt = change(operation, session, name, "all", reconcile_wait=0)
    assert receipt.retries == 1
    assert ["waited 0 seconds" in note for note in receipt.notes] == [True]
    assert column(sandbox, name) == DONE[operation, "all"]


@every_dialect
@every_operation
def test_a_late_request_is_waited_for(fresh, name, api_version, operation, monkeypatch):
    sandbox, session = fresh(api_version)
    waited: list[float] = []
    monkeypatch.setattr("pandas_clicdata.write.results.time.sleep", waited.append)
    sandbox.faults.script("late_commit", operation=operation)
    change(operation, session, name, "all", reconcile_wait=17)
    assert waited == [17]
    sandbox.faults.release()
    assert column(sandbox, name) == DONE[operation, "all"]


@every_dialect
@every_operation
@pytest.mark.parametrize("multiple_rows", ["all", "first"])
@pytest.mark.parametrize("code", [400, 403, 404])
def test_a_refusal_states_that_nothing_was_done(fresh, name, api_version, operation, multiple_rows, code):
    sandbox, session = fresh(api_version)
    sandbox.faults.status(code, operation=operation)
    with pytest.raises(cd.IncompleteWriteError, match=rf"Nothing was {PARTICIPLES[operation]}\.") as caught:
        change(operation, session, name, multiple_rows)
    assert type(caught.value) is cd.IncompleteWriteError
    assert (caught.value.confirmed, caught.value.unknown, caught.value.unsent) == ([], [], [(0, 1)])
    assert column(sandbox, name) == [1, 2, 3, 4]


@every_operation
def test_matching_rows_are_unknown_if_every_reply_is_lost(fresh, name, operation):
    sandbox, session = fresh()
    sandbox.faults.script("lose_reply", operation=operation, times=3, after_commit=False)
    with pytest.raises(cd.AmbiguousWriteError, match=r"Unknown: rows that match.*Repeating the call is harmless"):
        change(operation, session, name, "all")
    assert writes(sandbox) == [operation] * 3


# create_data

COLUMNS = {
    "ClicData types": (TYPES, list(TYPES.items())),
    "dtypes": (
        {"a": "int64", "b": np.float32, "c": str, "d": object, "e": "datetime64[ns, UTC]", "f": bool, "g": "category",
         "h": pd.Int64Dtype(), "i": pa.date32(), "j": "string", "k": pd.CategoricalDtype([1.5])},
        list(zip("abcdefghijk", ["number", "number", "text", "text", "datetime", "checkbox", "text", "number", "date",
                                 "text", "number"], strict=True)),
    ),
    "both": ({"a": "dropdown", "b": "int8"}, [("a", "dropdown"), ("b", "number")]),
    "dtypes of a frame": (FRAME.dtypes, [("n", "number"), ("t", "text"), ("day", "text"), ("ok", "checkbox")]),
    "a frame": (FRAME, [("n", "number"), ("t", "text"), ("day", "date"), ("ok", "checkbox")]),
    "a frame with an index": (FRAME.set_index("t"), [("n", "number"), ("day", "date"), ("ok", "checkbox")]),
    "a table of Arrow": (pa.table({"a": [1], "d": [dt.date(2013, 1, 1)]}), [("a", "number"), ("d", "date")]),
    "a batch of Arrow": (pa.record_batch({"a": ["x"]}), [("a", "text")]),
    "a reader of Arrow": (None, [("a", "number")]),
    "numbers for names": ({1: "text"}, [("1", "text")]),
}  # fmt: skip
BAD_COLUMNS: dict[str, tuple[Any, type[Exception], str]] = {
    "none": (None, TypeError, "needs columns"),
    "names only": (["a"], TypeError, "dict of name to type"),
    "text": ("a", TypeError, "dict of name to type"),
    "empty": ({}, cd.ColumnNameError, "at least one"),
    "no such type": ({"a": "txt"}, cd.FrameError,
                     "'txt'.*Valid types: text, number, datetime, date, percentage, checkbox, dropdown"),
    "another case": ({"a": "Text"}, cd.FrameError, "Valid types: text"),
    "no type": ({"a": None}, cd.FrameError, "Valid types: text"),
    "no such period": ({"a": "period[nonsense]"}, cd.FrameError, "Valid types: text"),
    "a datetime of no unit": ({"a": "datetime64"}, cd.FrameError, "Valid types: text"),
    "a class of Python": ({"a": dt.date}, cd.FrameError, "Valid types: text"),
    "values": ({"a": [1, 2]}, cd.FrameError, "Valid types: text"),
    "a Series of values": (pd.Series([1, 2]), cd.FrameError, "Valid types: text"),
    "a structure": ({"a": np.dtype([("x", int)])}, cd.FrameError, "Valid types: text"),
    "names alike": ({"a": "text", "A": "text"}, cd.ColumnNameError, "differ only in case or spaces"),
    "a blank name": ({"": "text"}, cd.ColumnNameError, "needs a name"),
    "a name of two levels": ({("a", "b"): "text"}, cd.ColumnNameError, "several levels"),
    "a frame of objects": (pd.DataFrame({"a": [object()]}), cd.UnsupportedTypeError, "no ClicData type"),
}  # fmt: skip


@every_dialect
@pytest.mark.parametrize("case", COLUMNS)
def test_a_table_is_created_without_rows(running, open_session, name, api_version, case):
    columns, expected = COLUMNS[case]
    if case == "a reader of Arrow":
        columns = pa.table({"a": [1.5]}).to_reader()
    session = open_session(running, api_version)
    rec_id = cd.Data(session).create_data(name, "What it holds", columns)
    assert rec_id == running.ledger.table_id(name)
    page = session._client._perform(session._client.dialect.read_page(rec_id, 1))
    assert [(each.name, each.data_type) for each in page.columns] == expected
    assert running.ledger.count(name) == 0
    listed = session._client.list_tables()
    assert [table.description for table in listed if table.rec_id == rec_id] == ["What it holds"]


@pytest.mark.parametrize("case", BAD_COLUMNS)
def test_bad_columns_are_refused_before_any_request(serve, case):
    sandbox, session = serve()
    columns, kind, text = BAD_COLUMNS[case]
    with pytest.raises(kind, match=text) as caught:
        cd.Data(session).create_data("T", cols=columns)
    assert text != "Valid types: text" or getattr(caught.value, "column", None) in ("a", "0")
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("name", "description", "kind"),
    [
        ("", "", ValueError),
        (None, "", TypeError),
        (7, "", TypeError),
        ("T", None, TypeError),
        ("T", "\ud800", ValueError),
    ],
)
def test_bad_names_are_refused_before_any_request(serve, name, description, kind):
    sandbox, session = serve()
    with pytest.raises(kind):
        cd.Data(session).create_data(name, description, TYPES)
    assert len(sandbox.requests) == 0


@every_dialect
@pytest.mark.parametrize("other", [str, str.upper])
def test_an_existing_name_raises(serve, api_version, other):
    sandbox, session = serve(api_version)
    # With the same columns and no rows, it must not count as the table of a lost create.
    cd.Data(session).create_data("Taken", cols={"a": "text"})
    sandbox.faults.script("lose_reply", operation="create", after_commit=False)
    with pytest.raises(cd.TableExistsError, match="There is a table 'Taken'"):
        cd.Data(session).create_data(other("Taken"), cols={"a": "text"})
    assert list(sandbox.ledger.tables()) == ["Taken"]


@every_dialect
@lost
def test_a_lost_create_is_reconciled_by_name(serve, api_version, kind, options, carried_out):
    sandbox, session = serve(api_version)
    sandbox.faults.script(kind, operation="create", **options)
    rec_id = cd.Data(session).create_data("T", cols=TYPES)
    assert sandbox.ledger.tables() == {"T": rec_id}
    assert writes(sandbox) == ["create"] * (1 if carried_out else 2)


def test_a_create_that_cannot_be_reconciled_is_unknown(serve):
    sandbox, session = serve()
    sandbox.faults.script("lose_reply", operation="create", after_commit=True)
    sandbox.faults.status(500, operation="list", nth=2, times=10)
    with pytest.raises(
        cd.AmbiguousWriteError, match=r"unknown whether table 'T' was created\. .*Check whether it exists"
    ):
        cd.Data(session).create_data("T", cols=TYPES)
    assert writes(sandbox) == ["create"]


@pytest.mark.parametrize("reply", [(204, b""), (200, b""), (200, b"{}"), (200, b'{"success": true}')])
def test_an_empty_reply_is_a_success(http_service, reply):
    """No public client shows the replies of the unversioned dialect to these operations; a 204 has no body."""
    status, body = reply
    page = b'{"data": [{"a": "x"}], "has_more_data": false}'

    def answer(request):
        return (200, {}, page) if request.method == "GET" else (status, {}, body)

    with http_service(answer) as url:
        known = service_profile(url, update_key="data", find_text="exact")
        data = cd.Data(api_key="hush", base_url=url, api_version="unversioned", service_profile=known)
        assert data.delete_data(7, {"a": "x"}).status == "unverified"
        assert data.update_data(7, {"a": "x"}, {"a": "y"}).status == "unverified"
        data.session.close()
