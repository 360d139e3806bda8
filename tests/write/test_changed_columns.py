"""Frames whose columns differ from those of the table: columns that are left out, and the message of a mismatch."""

import inspect
import re
import unicodedata
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd
from pandas_clicdata._checks import did_you_mean, near
from pandas_clicdata._models import Column, ColumnType, Encoding, PlannedColumn, WireFormat
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.types.plan import Difference, mismatch
from pandas_clicdata.write.journal import with_checksum

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

every_dialect = pytest.mark.parametrize("api_version", ["2025.3", "unversioned"])
OLD = pd.DataFrame({"flight": ["UA1", "UA2", "UA3"], "delay": [1, 2, 3]})
NEW = pd.DataFrame({"gate": ["A", "B"], "delay": [7, 8], "day": [1, 2], "flight": ["UA2", "UA4"]})
IGNORE: dict[str, Any] = {"on_new_columns": "ignore", "reconcile_wait": 0}


def writes(sandbox):
    return [each.operation for each in sandbox.requests if each.operation in ("create", "append", "update", "delete")]


def rows_in(sandbox, table):
    """Return the rows of a table, by flight."""
    return sorted((row["flight"], row["delay"]) for row in sandbox.ledger.rows(table))


@pytest.fixture(scope="module")
def without_columns(new_sandbox):
    with new_sandbox(assume=Assumptions(column_metadata=False)) as sandbox:
        yield sandbox


@pytest.fixture
def unlisted(without_columns, open_session):
    """Return a function that opens a session on a service that does not list columns, so that only rows show them."""
    yield lambda api_version: (without_columns, open_session(without_columns, api_version))
    without_columns.faults.clear()


# columns that are left out

CALLS = {
    "append": lambda frame, table, options: cd.append(frame, table, **options),
    "append by key": lambda frame, table, options: cd.append(frame, table, on=["flight", "delay"], **options),
    "append with check": lambda frame, table, options: cd.append(frame, table, on_unknown="check", **options),
    "push to append": lambda frame, table, options: cd.push(frame, table, if_exists="append", **options),
    "push to replace": lambda frame, table, options: cd.push(frame, table, if_exists="replace", **options),
    "push to upsert": lambda frame, table, options: cd.push(frame, table, if_exists="upsert", on="flight", **options),
    "upsert": lambda frame, table, options: cd.upsert(frame, table, on="flight", **options),
    "update_rows": lambda frame, table, options: cd.update_rows(frame, table, on="flight", **options),
    "accessor": lambda frame, table, options: frame.clicdata.append(table, **options),
    "Data.append_data": lambda frame, table, options: cd.Data(options.pop("session")).append_data(
        table, frame, **options
    ),
}
ADDED = sorted([("UA1", 1), ("UA2", 2), ("UA3", 3), ("UA2", 7), ("UA4", 8)])
ROWS_AFTER = {
    "push to replace": [("UA2", 7), ("UA4", 8)],
    "push to upsert": [("UA1", 1), ("UA2", 7), ("UA3", 3), ("UA4", 8)],
    "upsert": [("UA1", 1), ("UA2", 7), ("UA3", 3), ("UA4", 8)],
    "update_rows": [("UA1", 1), ("UA2", 7), ("UA3", 3)],
}


@pytest.fixture
def backups(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return {"push to replace": {"backup": tmp_path / "old.parquet"}}


@every_dialect
@pytest.mark.parametrize("call", CALLS)
def test_new_columns_are_refused_or_left_out(filled, name, backups, api_version, call):
    sandbox, session = filled(api_version, OLD)
    options = {**backups.get(call, {}), "session": session, "reconcile_wait": 0}
    with pytest.raises(cd.ColumnMismatchError, match="on_new_columns='ignore'") as caught:
        CALLS[call](NEW, name, dict(options))
    assert (caught.value.extra, caught.value.missing, caught.value.differing) == (["gate", "day"], [], [])
    assert writes(sandbox) == []
    assert rows_in(sandbox, name) == rows_of(OLD)

    options["on_new_columns"] = "ignore"
    dry = CALLS[call](NEW, name, {**options, "dry_run": True})
    assert writes(sandbox) == []
    # An update of a key that no row has changes nothing, and verify= would report it.
    receipt = CALLS[call](NEW, name, {**options, "verify": call != "update_rows"})
    assert rows_in(sandbox, name) == ROWS_AFTER.get(call, ADDED)
    for each in (dry, receipt):
        assert each.notes[0] == f"Left out, because table {label(receipt)} does not have them: 'gate', 'day'."
        assert [column.name for column in each.columns] == ["delay", "flight"]
    assert receipt.status == ("unverified" if call == "update_rows" else "verified")
    assert "&#x27;gate&#x27;" in receipt._repr_html_()


def rows_of(frame):
    return sorted(zip(frame["flight"], frame["delay"].tolist(), strict=True))


def label(receipt):
    """Return the table as messages name it."""
    return f"{receipt.name!r} (RecId {receipt.rec_id})"


@every_dialect
@pytest.mark.parametrize("if_exists", ["fail", "append", "replace", "upsert"])
def test_a_new_table_has_all_columns(running, open_session, name, api_version, if_exists):
    session = open_session(running, api_version)
    on = "flight" if if_exists == "upsert" else None
    receipt = NEW.clicdata.push(name, if_exists=if_exists, on=on, session=session, **IGNORE)
    assert (receipt.notes, list(cd.read_clicdata(name, session=session))) == ((), list(NEW))


@every_dialect
def test_a_frame_without_new_columns_adds_no_note(filled, name, api_version):
    _, session = filled(api_version, OLD)
    assert OLD[["delay", "flight"]].clicdata.append(name, session=session, **IGNORE).notes == ()


@every_dialect
def test_column_types_apply_to_sent_and_unsent_columns(filled, name, api_version):
    sandbox, session = filled(api_version, OLD.assign(delay=OLD["delay"].astype("str")))
    types = {"delay": "text", "day": "text"}
    NEW.clicdata.append(name, column_types=types, session=session, **IGNORE)
    assert ("UA4", "8") in rows_in(sandbox, name)


@every_dialect
@pytest.mark.parametrize("stamp", [None, "push_batch"])
def test_columns_of_a_stream_are_left_out(running, open_session, name, api_version, stamp):
    session = open_session(running, api_version)
    OLD.clicdata.push(name, stamp=stamp, session=session)
    reader = pa.Table.from_pandas(NEW, preserve_index=False).to_reader(max_chunksize=1)
    receipt = cd.append(reader, name, stamp=stamp, verify=True, session=session, **IGNORE)
    assert (receipt.sent, len(receipt.notes), rows_in(running, name)) == (2, 1, ADDED)


@every_dialect
def test_the_note_suggests_similar_names(filled, name, api_version):
    _, session = filled(api_version, OLD)
    frame = pd.DataFrame({"flight": ["UA1"], "dely": [7], "gate": ["A"]})
    receipt = frame.assign(delay=1).clicdata.append(name, session=session, **IGNORE)
    assert receipt.notes[0].endswith("'dely', 'gate'."), "the frame has 'delay' itself"
    wide = OLD.assign(seats=1)
    wide.clicdata.push(f"{name} wide", session=session)
    frame = pd.DataFrame({"flight": ["UA1"], "dely": [7], "seats": [2]})
    receipt = frame.clicdata.update_rows(f"{name} wide", on="flight", session=session, **IGNORE)
    assert receipt.notes[0].endswith("does not have them: 'dely' (did you mean 'delay'?).")


REFUSED = {
    "missing": (
        lambda t, o: NEW[["flight", "day"]].clicdata.append(t, **o), ["delay"], ["day"], r"not filled.*df\['delay'\]",
    ),
    "missing, upsert": (
        lambda t, o: NEW[["flight", "day"]].clicdata.upsert(t, on="flight", **o), ["delay"], ["day"], "use update_rows",
    ),
    "mistyped": (
        lambda t, o: NEW.rename(columns={"delay": "dely"}).clicdata.append(t, **o), ["delay"], ["gate", "dely", "day"],
        "'delay' .* is it 'dely'",
    ),
    "a key": (
        lambda t, o: NEW.clicdata.append(t, on="gate", **o), [], ["gate", "day"], "leaves out neither a key",
    ),
    "a key, update_rows": (
        lambda t, o: NEW.clicdata.update_rows(t, on=["flight", "gate"], **o),
        [],
        ["gate", "day"],
        "leaves out neither a key",
    ),
    "all but the keys": (
        lambda t, o: NEW[["flight", "day"]].clicdata.update_rows(t, on="flight", **o), [], ["day"], "nor all columns",
    ),
    "type": (
        lambda t, o: NEW.assign(delay="x").clicdata.append(t, **o), [], ["gate", "day"], "'delay' .* of another type",
    ),
}  # fmt: skip


@every_dialect
@pytest.mark.parametrize("case", REFUSED)
def test_a_write_that_is_still_refused_changes_nothing(filled, name, api_version, case):
    sandbox, session = filled(api_version, OLD)
    act, missing, extra, message = REFUSED[case]
    with pytest.raises(cd.ColumnMismatchError, match=message) as caught:
        act(name, {**IGNORE, "session": session})
    assert (caught.value.missing, caught.value.extra) == (missing, extra)
    assert writes(sandbox) == []


@pytest.mark.parametrize("value", ["", "add", "ERROR", None, True, ["ignore"]])
@pytest.mark.parametrize("act", ["push", "append", "update_rows", "upsert"])
def test_other_values_of_on_new_columns_are_refused_before_any_request(filled, name, act, value):
    sandbox, session = filled("2025.3", OLD)
    on = {"on": "flight"} if act in ("update_rows", "upsert") else {}
    with pytest.raises(ValueError, match="on_new_columns= must be one of 'error', 'ignore'"):
        getattr(NEW.clicdata, act)(name, **on, on_new_columns=value, session=session)
    assert len(sandbox.requests) == 0


def test_an_unsupported_column_is_refused_before_any_request_even_if_it_would_be_left_out(filled, name):
    sandbox, session = filled("2025.3", OLD)
    with pytest.raises(cd.FrameError, match="'gate'"):
        NEW.assign(gate=[1, "a"]).clicdata.append(name, session=session, **IGNORE)
    assert len(sandbox.requests) == 0


@every_dialect
def test_an_empty_table_that_does_not_list_its_columns_leaves_nothing_out(unlisted, name, api_version):
    sandbox, session = unlisted(api_version)
    OLD.head(0).clicdata.push(name, session=session)
    receipt = OLD.clicdata.append(name, session=session, **IGNORE)
    assert receipt.notes[0].startswith("No column was left out: table")
    assert rows_in(sandbox, name) == rows_of(OLD)


# resume


@every_dialect
@pytest.mark.parametrize("resume_by", ["journal", "token"])
@pytest.mark.parametrize("call", ["append", "push to append", "push to replace"])
def test_the_same_call_resumes(filled, name, backups, tmp_path, api_version, resume_by, call):
    sandbox, session = filled(api_version, OLD)
    options = {**IGNORE, **backups.get(call, {}), "chunksize": 1, "session": session}
    if resume_by == "journal":
        options["journal"] = tmp_path / "journal"
    sandbox.faults.status(400, operation="append", nth=2)
    with pytest.raises(cd.ClicDataError) as caught:
        CALLS[call](NEW, name, dict(options))
    assert isinstance(caught.value, cd.IncompleteWriteError)
    again = {**options, "resume": caught.value.resume} if resume_by == "token" else options
    before = writes(sandbox)
    for changed in (NEW.drop(columns="day"), NEW.assign(day=9)):
        with pytest.raises(cd.ResumeError, match=r"the (list of columns and types|content of the frame) differs"):
            CALLS[call](changed, name, dict(again))
    with pytest.raises(cd.ColumnMismatchError):
        CALLS[call](NEW, name, {**again, "on_new_columns": "error"})
    assert writes(sandbox) == before
    receipt = CALLS[call](NEW, name, dict(again))
    assert rows_in(sandbox, name) == ROWS_AFTER.get(call, ADDED)
    assert receipt.sent == 2
    assert receipt.notes[0].endswith("does not have them: 'gate', 'day'.")
    if resume_by == "journal":
        done = CALLS[call](NEW, name, dict(again))
        assert done.notes[0].startswith("Nothing was sent")
        assert done.notes[1] == receipt.notes[0]
        assert [column.name for column in done.columns] == ["delay", "flight"]
        assert rows_in(sandbox, name) == ROWS_AFTER.get(call, ADDED)


@every_dialect
@pytest.mark.parametrize("listed", [True, False])
def test_a_replace_that_emptied_its_table_can_be_resumed(filled, unlisted, name, tmp_path, api_version, listed):
    sandbox, session = filled(api_version, OLD) if listed else unlisted(api_version)
    if not listed:
        OLD.clicdata.push(name, session=session)
    options = {**IGNORE, "if_exists": "replace", "backup": tmp_path, "session": session}
    sandbox.faults.status(400, operation="append")
    with pytest.raises(cd.ReplaceIncompleteError) as caught:
        NEW.clicdata.push(name, **options)
    assert rows_in(sandbox, name) == []
    receipt = NEW.clicdata.push(name, **options, resume=caught.value.resume)
    assert rows_in(sandbox, name) == rows_of(NEW)
    assert receipt.notes[0].endswith("does not have them: 'gate', 'day'.")


def test_a_write_to_a_table_with_another_column_is_not_resumed(filled, name, tmp_path):
    """The first rows were sent without the column. The RecId of another table in the token simulates the change."""
    sandbox, session = filled("2025.3", OLD)
    options = {**IGNORE, "chunksize": 1, "session": session}
    sandbox.faults.status(400, operation="append", nth=2)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        NEW.clicdata.append(name, **options)
    token = caught.value.resume
    assert token is not None
    assert token["left_out"] == ["gate", "day"]
    before = writes(sandbox)
    other = OLD.assign(day=1).clicdata.push(f"{name} other", session=session)
    moved = {key: value for key, value in token.items() if key != "seal"} | {"rec_id": other.rec_id}
    sandbox.requests.clear()
    with pytest.raises(cd.ResumeError, match=r"then lacked: 'gate', 'day'; now it lacks: 'gate'"):
        NEW.clicdata.append(name, **options, resume=with_checksum(moved))
    assert before
    assert writes(sandbox) == []


# the message of a mismatch

LINES = 20
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).filter(str.strip)
some_names = st.lists(names, unique_by=lambda each: each.strip().casefold(), max_size=60)


def mismatch_of(ours, theirs, differing, whole=True):
    planned = [PlannedColumn(name, "int64", ColumnType.NUMBER, WireFormat(Encoding.INTEGER), "") for name in ours]
    columns = [Column(name, "text" if name in differing else "number") for name in theirs]
    return mismatch(Difference(planned, columns, differing, whole), "'T' (RecId 7)", "")


def width(text):
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def lines_of(error):
    """Return the header, the lines and the last line of the table in a message."""
    head, _, table = str(error).partition("\n\n")
    assert all(len(line) < 200 for line in head.split("\n"))
    header, *lines = table.split("\n")
    assert header.split() == ["column", "frame", "table", "note"]
    rest = lines.pop() if lines and lines[-1].startswith("…") else ""
    return header, lines, rest


@settings(max_examples=150, deadline=None)
@given(some_names, st.data())
def test_each_column_that_differs_is_named_or_counted(universe, data):
    where = [data.draw(st.sampled_from(["ours", "theirs", "both", "differing"])) for _ in universe]
    ours = [each for each, place in zip(universe, where, strict=True) if place != "theirs"]
    theirs = [each for each, place in zip(universe, where, strict=True) if place != "ours"]
    differing = [each for each, place in zip(universe, where, strict=True) if place == "differing"]
    error = mismatch_of(ours, theirs, differing)
    missing, extra = [each for each in theirs if each not in ours], [each for each in ours if each not in theirs]
    assert (error.missing, error.extra) == (missing, extra)
    assert error.differing == [(each, "number", "text") for each in differing]
    header, lines, rest = lines_of(error)
    total = len(missing) + len(extra) + len(differing)
    assert len(lines) == min(total, LINES)
    counted = sum(int(number) for number in re.findall(r"(\d+) more", rest))
    assert len(lines) + counted == total
    shown = "\n".join(lines)
    if total <= LINES:
        for each in (*missing, *extra, *differing):
            assert (repr(each) if len(repr(each)) <= 60 else repr(each)[:44]) in shown
    for kind, columns in (("missing in", missing), ("not in the table", extra), ("of another type", differing)):
        noted = sum(f"  {kind}" in line for line in lines)
        assert min(len(columns), LINES // 3) <= noted <= len(columns)
    at = width(header[: header.index("note")])
    for line in lines:
        note = re.search(r"(missing in the frame|not in the table|of another type)(: [^\n]*)?$", line)
        assert note is not None
        assert width(line[: note.start()]) == at


@given(some_names, some_names)
@example(["a"], ["A"])
def test_a_selection_of_columns_is_complete(ours, theirs):
    error = mismatch_of(ours, theirs, [], whole=False)
    assert error.missing == []
    assert error.extra == [each for each in ours if each not in theirs]


def test_the_message_begins_with_the_remedy_and_ends_with_the_number_of_omitted_columns():
    ours, theirs = [f"x{n}" for n in range(9)], [f"m{n}" for n in range(8)]
    both = [f"d{n}" for n in range(7)]
    lines = str(mismatch_of([*ours, *both], [*theirs, *both], both)).split("\n")
    assert lines[:5] == [
        "The columns of the frame do not match those of table 'T' (RecId 7); columns are matched by name.",
        "Missing columns are not filled in: rename a column, or add an empty one: df['m0'] = None.",
        "Rename or drop columns that the table does not have.",
        "Convert the columns of another type, or request the type of the table: column_types={'d0': 'text'}.",
        "",
    ]
    assert lines[-1] == (
        "… and 1 more missing, 2 more not in the table, 1 more of another type:"
        " error.missing, error.extra and error.differing list all."
    )


def test_long_names_and_types_are_cut_and_combining_accents_have_no_width():
    shown = [("k" * 58, "s" * 53), ("k" * 59, "s" * 54), ("e\u0301", "a  b\n\tc")]
    planned = [PlannedColumn(each, dtype, ColumnType.TEXT, WireFormat(Encoding.TEXT), "") for each, dtype in shown]
    error = mismatch(Difference(planned, [Column("z", "number")], [], whole=False), "'T'", "")
    assert str(error).split("\n\n")[1].split("\n") == [
        f"column{' ' * 54}  frame{' ' * 55}  table  note",
        f"'{'k' * 58}'  text ({'s' * 53})  -      not in the table",
        f"'{'k' * 43}…{'k' * 14}'  text ({'s' * 53}…  -      not in the table",
        f"'e\u0301'{' ' * 57}  text (a b c){' ' * 48}  -      not in the table",
    ]


def test_at_most_twenty_columns_of_the_table_are_listed():
    listed = ", ".join(f"'c{n}'" for n in range(20))
    for count, rest in ((20, "."), (21, " and 1 more."), (1500, " and 1,480 more.")):
        error = mismatch_of(["x"], [f"c{n}" for n in range(count)], [], whole=False)
        lines = str(error).split("\n\n")[0].split("\n")
        assert lines[1:] == ["Rename or drop columns that the table does not have.", f"The table has {listed}{rest}"]


def test_all_similar_names_are_suggested():
    assert "did you mean 'row2' or 'row1'?" in str(mismatch_of(["row"], ["row1", "row2"], []))
    assert "is it 'row2' or 'row1'?" in str(mismatch_of(["row1", "row2"], ["row"], []))
    lines = str(mismatch_of(["flight"], ["seats"], [])).split("\n")
    assert lines[-2].endswith("  missing in the frame")
    assert lines[-1].endswith("  not in the table")


@pytest.mark.parametrize(
    ("counts", "shown"),
    [((10, 10, 10), (7, 7, 6)), ((30, 2, 0), (18, 2, 0)), ((0, 0, 25), (0, 0, 20)), ((9, 9, 2), (9, 9, 2))],
)
def test_a_long_message_has_columns_of_each_kind(counts, shown):
    missing, extra, differing = (
        [f"{kind}{n}" for n in range(count)] for kind, count in zip("mxd", counts, strict=True)
    )
    error = mismatch_of([*extra, *differing], [*missing, *differing], differing)
    _, lines, rest = lines_of(error)
    assert tuple(sum(line.startswith(f"'{kind}") for line in lines) for kind in "mxd") == shown
    assert sum(int(number) for number in re.findall(r"(\d+) more", rest)) == sum(counts) - sum(shown)
    assert (error.missing, error.extra, [each[0] for each in error.differing]) == (missing, extra, differing)


def test_the_message_compares_both_sides(filled, name):
    _, session = filled("2025.3", OLD.assign(**{"gate 東京": "A"}))
    frame = OLD.rename(columns={"flight": "flght"}).assign(delay="1", **{"gate 東京": 1.5})
    with pytest.raises(cd.ColumnMismatchError) as caught:
        frame.clicdata.append(name, session=session)
    text = frame.clicdata.schema()["dtype"].iloc[0]
    blank = " " * (len("number (float64)") - len(f"text ({text})"))
    assert str(caught.value).split("\n\n")[1].split("\n") == [
        "column       frame             table   note",
        "'flight'     -                 text    missing in the frame: is it 'flght'?",
        f"'flght'      text ({text}){blank}  -       not in the table: did you mean 'flight'?",
        f"'delay'      text ({text}){blank}  number  of another type",
        "'gate 東京'  number (float64)  text    of another type",
    ]


@every_dialect
def test_at_most_twenty_of_hundreds_of_columns_are_printed(filled, name, api_version):
    _, session = filled(api_version, pd.DataFrame({f"column {n}": [n] for n in range(300)}))
    frame = pd.DataFrame({f"Column{n}": [n] for n in range(500)})
    with pytest.raises(cd.ColumnMismatchError) as caught:
        frame.clicdata.append(name, session=session)
    _, lines, rest = lines_of(caught.value)
    assert len(lines) == LINES
    assert rest.startswith("… and 290 more missing, 490 more not in the table")
    assert len(str(caught.value)) < 3000


@every_dialect
def test_a_missing_column_is_named_where_types_are_not_listed(unlisted, name, api_version):
    _, session = unlisted(api_version)
    OLD.clicdata.push(name, session=session)
    with pytest.raises(cd.ColumnMismatchError, match=r"'flight' +- +type unknown +missing in the frame"):
        OLD[["delay"]].clicdata.append(name, session=session)


# similar names

NEAR = [
    ("flght", ["flight", "seats"], ["flight"]),
    ("FLGHT", ["flight", "seats"], ["flight"]),
    ("SEATS", ["flight", "seats", "seat"], ["seats"]),
    ("a", ["A", "b"], ["A"]),
    (" a", ["a", "b"], ["a"]),
    ("\u00e9", ["e\u0301", "b"], ["e\u0301"]),
    ("\uff41", ["a", "b"], ["a"]),
    ("gate", ["flight"], []),
    ("x", [], []),
    ("row", ["row1", "row2", "row3", "row4"], ["row1", "row2", "row3"]),
    ("k" * 100_000, ["k" * 99_999, "m" * 100_000], ["k" * 99_999]),
]


@pytest.mark.parametrize(("name", "among", "expected"), NEAR, ids=range(len(NEAR)))
def test_similar_names(name, among, expected):
    assert sorted(near(name, among)) == sorted(expected) if name != "row" else len(near(name, among)) == 3
    assert (did_you_mean(name, among) != "") is bool(expected)


def test_docstrings_have_examples_and_all_parameters():
    for method in ("push", "append", "update_rows", "upsert", "delete_rows", "schema"):
        function = getattr(OLD.clicdata, method)
        assert re.search(r"Examples\n-+", inspect.getdoc(function) or ""), method
    documented = inspect.getdoc(OLD.clicdata.push) or ""
    for parameter in inspect.signature(OLD.clicdata.push).parameters:
        assert re.search(rf"^{parameter} : ", documented, re.MULTILINE), parameter


def test_a_suggestion_that_looks_like_the_name_shows_its_characters(session, name):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    table = f"{name} {composed}"
    pd.DataFrame({composed: [1]}).clicdata.push(table, session=session)
    shown = f"'{composed}', written with other Unicode characters: {composed!a}"
    with pytest.raises(cd.ColumnNotFoundError, match=re.escape(shown)):
        cd.read_clicdata(table, columns=[decomposed], session=session)
    with pytest.raises(cd.ColumnMismatchError, match=re.escape(shown)):
        pd.DataFrame({decomposed: [1]}).clicdata.append(table, session=session)
    with pytest.raises(cd.TableNotFoundError, match=re.escape(f"with other Unicode characters: {table!a}")):
        cd.read_clicdata(f"{name} {decomposed}", session=session)


@every_dialect
@pytest.mark.parametrize("operation", ["append", "push", "update_rows", "upsert"])
def test_values_of_another_json_type_are_refused_where_types_are_not_listed(
    new_sandbox, open_session, name, api_version, operation
):
    """A service may convert the values instead of refusing them."""
    assume = Assumptions(column_metadata=False, value_conversion="lenient")
    frame = pd.DataFrame({"key": [1], "t": ["00123"], "n": [2.5], "ok": [True]})
    options = {"push": {"if_exists": "append"}, "update_rows": {"on": "key"}, "upsert": {"on": "key"}}.get(
        operation, {}
    )
    with new_sandbox(assume=assume) as sandbox:
        session = open_session(sandbox, api_version)
        frame.clicdata.push(name, session=session)
        for column, value, own, other in (
            ("t", 7, "number", "text"),
            ("n", "3", "text", "number"),
            ("ok", 1, "number", "checkbox"),
        ):
            wrong = frame.astype({column: object}).assign(**{column: [value]})
            with pytest.raises(cd.ColumnMismatchError) as caught:
                getattr(wrong.clicdata, operation)(name, session=session, **options)
            assert caught.value.differing == [(column, own, other)]
        assert len(sandbox.ledger.rows(name)) == 1
        if operation != "update_rows":
            # Requested, so the user means it.
            new = frame.assign(key=2, t=[7])
            getattr(new.clicdata, operation)(name, column_types={"t": "text"}, session=session, **options)
            assert [row["t"] for row in sandbox.ledger.rows(name)] == ["00123", "7"]
