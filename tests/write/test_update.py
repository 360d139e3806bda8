"""update_rows and upsert: they match rows by key, can be repeated, and report unknown rows exactly."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
one_or_four = pytest.mark.parametrize("workers", [1, 4])
ROWS = 12
OLD = pd.DataFrame({"n": range(ROWS), "t": [f"row {n}" for n in range(ROWS)], "f": [n / 4 for n in range(ROWS)]})
# Of the six rows that exist, every second one changes; six rows are new.
NEW = pd.DataFrame(
    {
        "n": range(6, 6 + ROWS),
        "t": [f"new {n}" if n % 2 else f"row {n}" for n in range(6, 6 + ROWS)],
        "f": [n / 4 for n in range(6, 6 + ROWS)],
    }
)
MERGED = [*OLD.head(6).to_dict("records"), *NEW.to_dict("records")]


def positions_in(ranges):
    return [row for start, stop in ranges for row in range(start, stop)]


def rows_of(sandbox, table):
    return sorted(sandbox.ledger.rows(table), key=lambda row: row["n"])


def writes(sandbox):
    return [each.operation for each in sandbox.requests if each.operation in ("create", "append", "update", "delete")]


@pytest.fixture
def fresh(filled):
    """Return a function that pushes the rows and returns the sandbox, with an empty request log, and a new session."""

    def make(api_version="2025.3", frame=OLD, **options):
        return filled(api_version, frame, **options)

    return make


# update_rows


@every_dialect
@one_or_four
@pytest.mark.parametrize("verify", [False, True])
def test_update_rows_changes_the_rows_with_these_keys(fresh, name, api_version, workers, verify):
    sandbox, session = fresh(api_version)
    changes = pd.DataFrame({"t": ["a", None, "c"], "n": [3, 0, 11]})
    for _ in range(2):
        receipt = changes.clicdata.update_rows(name, on="n", workers=workers, verify=verify, session=session)
        expected = {**{n: f"row {n}" for n in range(ROWS)}, 3: "a", 0: None, 11: "c"}
        assert {row["n"]: row["t"] for row in rows_of(sandbox, name)} == expected
        assert [row["f"] for row in rows_of(sandbox, name)] == list(OLD["f"]), "the columns that are not in the frame"
        assert (receipt.operation, receipt.rows, receipt.sent, receipt.batches) == ("update_rows", 3, 3, 3)
        assert receipt.status == ("verified" if verify else "unverified")
    assert writes(sandbox) == ["update"] * 6


@every_dialect
def test_update_by_two_keys_changes_every_row_that_has_them(fresh, name, api_version):
    old = pd.DataFrame({"a": ["x", "x", "y", "x"], "b": [1, 2, 1, 1], "v": [0, 0, 0, 0]})
    sandbox, session = fresh(api_version, old)
    pd.DataFrame({"v": [7], "b": [1], "a": ["x"]}).clicdata.update_rows(name, on=["a", "b"], session=session)
    assert [row["v"] for row in sandbox.ledger.rows(name)] == [7, 0, 0, 7]


@every_dialect
def test_an_update_of_a_missing_key_changes_nothing_and_verify_reports_it(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    changes = pd.DataFrame({"n": [3, 99], "t": ["a", "b"]})
    changes.clicdata.update_rows(name, on="n", session=session)
    assert len(rows_of(sandbox, name)) == ROWS
    with pytest.raises(cd.VerificationError, match=r"1 row \(1\)") as caught:
        changes.clicdata.update_rows(name, on="n", verify=True, session=session)
    assert (caught.value.confirmed, caught.value.unknown) == ([(0, 1)], [(1, 2)])


@every_dialect
@pytest.mark.parametrize("act", ["update_rows", "upsert"])
def test_cells_swapped_by_another_writer_are_detected(fresh, open_session, name, api_version, act):
    sandbox, session = fresh(api_version)
    other = open_session(sandbox, api_version)
    two = OLD.iloc[[3, 5]].assign(t=["new 5", "new 3"])

    def swap(done, total):
        if done == total:
            two.clicdata.update_rows(name, on="n", session=other)

    changes = OLD.iloc[3:6].assign(t=["new 3", "new 4", "new 5"])
    with pytest.raises(cd.VerificationError) as caught:
        getattr(changes.clicdata, act)(name, on="n", verify=True, progress=swap, session=session)
    assert (caught.value.confirmed, caught.value.unknown) == ([(1, 2)], [(0, 1), (2, 3)])


@every_dialect
@pytest.mark.parametrize("act", ["update_rows", "upsert"])
def test_changes_that_cannot_be_read_back_are_reported_as_sent(fresh, name, api_version, act):
    sandbox, session = fresh(api_version)
    changes = OLD.iloc[3:6].assign(t="x")

    def fail_reads(done, total):
        if done == total:
            sandbox.faults.status(500, operation="read", times=50)

    with pytest.raises(cd.IncompleteWriteError, match=r"All rows were sent .* is harmless") as caught:
        getattr(changes.clicdata, act)(name, on="n", verify=True, progress=fail_reads, session=session)
    error = caught.value
    assert (error.confirmed, error.unknown, error.unsent) == ([(0, 3)], [], [])
    assert [row["t"] for row in rows_of(sandbox, name)[3:6]] == ["x"] * 3


def test_a_dry_run_of_an_update_sends_no_update(fresh, name):
    sandbox, session = fresh()
    receipt = NEW.clicdata.update_rows(name, on="n", dry_run=True, session=session)
    assert (receipt.status, receipt.sent, receipt.batches) == ("dry_run", 0, ROWS)
    assert writes(sandbox) == []


VALUES: dict[str, Any] = {
    "text": (["a", 'say "b"\n', ""], ["x", None, "y"], None),
    "whole": ([1, -5, 2**60], [2, 3, 2**62], None),
    "float": ([0.1, 2.0, 1e-9], [0.3, 5.0, 1e20], None),
    "decimal": ([Decimal("0.10"), Decimal(2**80), Decimal(3)], [Decimal("1.5"), Decimal(1), Decimal("2.25")], None),
    "checkbox": ([True, False], [False, True], None),
    "date": ([dt.date(2013, 1, 1), dt.date(1, 1, 1)], [dt.date(9999, 12, 31), None], None),
    "datetime": (
        [dt.datetime(2013, 1, 1, 5), dt.datetime(2013, 1, 1, 5, 0, 0, 1)],
        [dt.datetime(1, 1, 1), dt.datetime(2013, 1, 1, 5, 0, 0, 1)],
        None,
    ),
    "percentage": ([0.25, 0.5], [0.75, None], "percentage"),
    "dropdown": (["a", "b"], ["b", "c"], "dropdown"),
}


@every_dialect
@pytest.mark.parametrize("assume", [{}, {"datetime_form": "iso_offset"}, {"column_metadata": False}])
@pytest.mark.parametrize("case", VALUES)
def test_values_of_every_type_are_keys_and_changes(running, new_sandbox, open_session, name, api_version, case, assume):
    keys, values, data_type = VALUES[case]
    columns = None if data_type is None else {"key": data_type, "value": data_type}
    old = pa.table({"key": keys, "value": keys})
    new = pa.table({"key": keys, "value": pa.array(values, pa.array(keys).type)})

    def check(sandbox):
        options = {"session": open_session(sandbox, api_version), "column_types": columns}
        cd.push(old, name, **options)
        assert cd.update_rows(new, name, on="key", verify=True, **options).status == "verified"
        after = sandbox.ledger.rows(name)
        assert [row["key"] for row in after] == [row["key"] for row in sandbox.ledger.rows(name, version=2)]
        assert [row["value"] for row in after] != [row["key"] for row in after]
        sandbox.requests.clear()
        # An upsert finds that no row has to change.
        receipt = cd.upsert(new, name, on="key", **options)
        assert (receipt.sent, receipt.matched) == (0, len(keys))
        assert writes(sandbox) == []
        receipt = cd.upsert(old, name, on="key", verify=True, **options)
        assert receipt.status == "verified"
        assert [row["value"] for row in sandbox.ledger.rows(name)] == [row["key"] for row in after]

    if assume:
        with new_sandbox(assume=Assumptions(**assume)) as sandbox:
            check(sandbox)
    else:
        check(running)


# upsert


@every_dialect
@one_or_four
@pytest.mark.parametrize("operation", ["upsert", "push"])
def test_upsert_updates_rows_that_differ_and_inserts_missing_rows(fresh, name, api_version, workers, operation):
    sandbox, session = fresh(api_version)

    def upsert(**options):
        options |= {"on": "n", "chunksize": 4, "workers": workers, "verify": True, "session": session}
        if operation == "push":
            return NEW.clicdata.push(name, if_exists="upsert", **options)
        return NEW.clicdata.upsert(name, **options)

    dry = upsert(dry_run=True)
    assert (dry.status, dry.batches, dry.matched) == ("dry_run", 3 + 2, 6)
    assert writes(sandbox) == []
    receipt = upsert()
    assert rows_of(sandbox, name) == MERGED
    assert (receipt.operation, receipt.rows, receipt.sent, receipt.batches) == (operation, ROWS, 9, 5)
    assert (receipt.matched, receipt.status, receipt.notes) == (6, "verified", ())
    assert writes(sandbox) == ["update"] * 3 + ["append"] * 2
    sandbox.requests.clear()
    again = upsert()
    assert (again.sent, again.batches, again.matched) == (0, 0, ROWS)
    assert writes(sandbox) == []


@every_dialect
def test_an_upsert_by_push_creates_a_missing_table(running, open_session, name, api_version):
    session = open_session(running, api_version)
    first = NEW.clicdata.push(name, if_exists="upsert", on="n", session=session)
    assert (first.operation, first.sent) == ("push", ROWS)
    running.requests.clear()
    assert NEW.clicdata.push(name, if_exists="upsert", on="n", session=session).sent == 0
    assert writes(running) == []


@every_dialect
def test_a_frame_of_no_rows_changes_nothing(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    for act in ("upsert", "update_rows"):
        receipt = getattr(NEW.head(0).clicdata, act)(name, on="n", verify=True, session=session)
        assert (receipt.sent, receipt.rows) == (0, 0)
    assert writes(sandbox) == []


@every_dialect
def test_all_rows_of_duplicate_keys_in_the_table_change_with_a_note(fresh, name, api_version):
    # Of the second key, one row is already equal and the other is not.
    old = pd.concat([OLD, OLD.iloc[[7, 8]].assign(t="duplicate")])
    sandbox, session = fresh(api_version, old)
    receipt = NEW.clicdata.upsert(name, on="n", session=session)
    assert receipt.matched == 8
    assert "2 of the keys have more than one row" in receipt.notes[0]
    assert [row["t"] for row in rows_of(sandbox, name) if row["n"] in (7, 8)] == ["new 7"] * 2 + ["row 8"] * 2
    assert NEW.clicdata.upsert(name, on="n", session=session).sent == 0


@every_dialect
def test_all_columns_may_be_keys_of_an_upsert(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    assert NEW.clicdata.upsert(name, on=["n", "t", "f"], session=session).sent == 9
    assert sandbox.requests.of("update") == []
    assert sandbox.ledger.count(name) == ROWS + 9


# refused before the first request

SMALL = OLD.head(3)
REFUSED = {
    "a key is null": (SMALL.assign(n=pd.Series([1, None, 3])), "n", r"'n', row 1.*missing"),
    "one of two keys is null": (SMALL.assign(t=pd.Series(["a", "b", None])), ["n", "t"], r"'t', row 2.*missing"),
    "a key twice": (SMALL.assign(n=[1, 2, 1]), "n", r"Rows 0 and 2 have the same keys"),
    "two keys twice": (SMALL.assign(n=[1, 2, 1], t="x"), ["n", "t"], r"Rows 0 and 2 have the same keys"),
    "one number in two forms": (SMALL.assign(n=pd.Series([1, Decimal("1.0"), 2], dtype=object)), "n", "same keys"),
    "no such column": (SMALL, "x", r"'x'.*'n', 't', 'f'"),
    "a mistyped column": (SMALL, "N", r"'N'.*Did you mean 'n'\?"),
    "no columns": (SMALL, [], "on= is empty"),
    "a value": (SMALL.assign(f=[1, 2, float("inf")]), "n", "'f', row 2"),
}


@pytest.mark.parametrize("act", ["update_rows", "upsert", "push"])
@pytest.mark.parametrize("case", REFUSED)
def test_invalid_keys_are_refused_before_the_first_request(fresh, name, act, case):
    frame, on, message = REFUSED[case]
    sandbox, session = fresh()
    options = {"if_exists": "upsert"} if act == "push" else {}
    with pytest.raises(cd.FrameError, match=message):
        getattr(frame.clicdata, act)(name, on=on, session=session, **options)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda s: SMALL.clicdata.update_rows("T", on=["n", "t", "f"], session=s),
            cd.FrameError,
            "no column to update",
        ),
        (lambda s: SMALL.clicdata.push("T", if_exists="upsert", session=s), ValueError, "needs on="),
        (lambda s: SMALL.clicdata.push("T", if_exists="upsert", on="n", stamp="m", session=s), ValueError, "stamp="),
        (lambda s: SMALL.clicdata.push("T", if_exists="upsert", on="n", journal="j", session=s), ValueError, "journal"),
        (lambda s: SMALL.clicdata.update_rows("T", on=7, session=s), TypeError, "on="),
    ],
    ids=["only keys", "no on", "stamp", "journal", "a number"],
)
def test_invalid_updates_are_refused_before_the_first_request(running, open_session, act, kind, message):
    session = open_session(running)
    running.requests.clear()
    with pytest.raises(kind, match=message):
        act(session)
    assert len(running.requests) == 0


@every_dialect
@pytest.mark.parametrize(
    ("act", "frame"),
    [
        ("update_rows", SMALL.assign(x=1)),
        ("update_rows", SMALL.assign(t=1)),
        ("upsert", SMALL.assign(x=1)),
        ("upsert", SMALL[["n", "t"]]),
        ("upsert", SMALL.assign(t=1)),
    ],
)
def test_columns_that_differ_change_nothing(fresh, name, api_version, act, frame):
    sandbox, session = fresh(api_version)
    with pytest.raises(cd.ColumnMismatchError):
        getattr(frame.clicdata, act)(name, on="n", session=session)
    assert writes(sandbox) == []


# faults

RETRIED: dict[str, Any] = {
    "lost after": ("lose_reply", {"after_commit": True}),
    "lost before": ("lose_reply", {"after_commit": False}),
    "500 after": ("status", {"code": 500, "after_commit": True}),
    "429": ("status", {"code": 429}),
    "401": ("expire_token", {}),
}


@every_dialect
@one_or_four
@pytest.mark.parametrize("case", RETRIED)
def test_an_update_is_retried(fresh, name, api_version, workers, case):
    kind, options = RETRIED[case]
    sandbox, session = fresh(api_version)
    sandbox.faults.script(kind, operation="update", nth=2, **options)
    receipt = NEW.clicdata.upsert(name, on="n", workers=workers, reconcile_wait=0, session=session)
    assert rows_of(sandbox, name) == MERGED
    assert receipt.retries >= 1
    assert sandbox.faults.pending == []


FAILS = {
    "lost for good": ("lose_reply", {"times": 50}, cd.AmbiguousWriteError),
    "500 for good": ("status", {"code": 500, "after_commit": True, "times": 50}, cd.AmbiguousWriteError),
    "429 for good": ("status", {"code": 429, "times": 50}, cd.IncompleteWriteError),
    "400": ("status", {"code": 400}, cd.IncompleteWriteError),
    "403": ("status", {"code": 403}, cd.IncompleteWriteError),
}


@every_dialect
@one_or_four
@pytest.mark.parametrize("case", FAILS)
def test_a_failed_update_reports_its_rows_and_can_be_repeated(fresh, name, api_version, workers, case):
    kind, options, raised = FAILS[case]
    sandbox, session = fresh(api_version)
    sandbox.faults.script(kind, operation="update", nth=2, **options)
    with pytest.raises(cd.IncompleteWriteError, match="Repeat the call") as caught:
        NEW.clicdata.upsert(name, on="n", workers=workers, reconcile_wait=0, session=session)
    error = caught.value
    assert type(error) is raised
    confirmed, unknown, unsent = map(positions_in, (error.confirmed, error.unknown, error.unsent))
    assert sorted(confirmed + unknown + unsent) == list(range(ROWS))
    now = {row["n"]: row for row in rows_of(sandbox, name)}
    for row in confirmed:
        assert now[row + 6] == NEW.iloc[row].to_dict()
    for row in unsent:
        assert now.get(row + 6) == (OLD.iloc[row + 6].to_dict() if row < 6 else None)
    if workers == 1:
        assert confirmed == [0, 1, 2, 4]
        assert unknown == ([3] if raised is cd.AmbiguousWriteError else [])
    sandbox.faults.clear()
    NEW.clicdata.upsert(name, on="n", workers=workers, session=session)
    assert rows_of(sandbox, name) == MERGED


@every_dialect
@one_or_four
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lose_reply", {"after_commit": True}),
        ("lose_reply", {"after_commit": False}),
        ("late_commit", {"delay": 0.05}),
        ("status", {"code": 504, "after_commit": True}),
        ("truncate_body", {}),
    ],
)
def test_inserts_of_an_upsert_are_reconciled_by_key(fresh, name, api_version, workers, kind, options):
    sandbox, session = fresh(api_version)
    sandbox.faults.script(kind, operation="append", nth=2, **options)
    NEW.clicdata.upsert(name, on="n", chunksize=2, workers=workers, reconcile_wait=0.15, session=session)
    assert rows_of(sandbox, name) == MERGED


@every_dialect
def test_late_inserts_after_their_retry_are_deleted(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    # After the first wait and before the end of the second.
    sandbox.faults.late_commit(operation="append", nth=2, delay=0.3)
    NEW.clicdata.upsert(name, on="n", chunksize=2, reconcile_wait=0.2, session=session)
    assert rows_of(sandbox, name) == MERGED


@every_dialect
def test_a_refused_insert_of_an_upsert_reports_its_rows(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    sandbox.faults.status(400, operation="append", nth=2)
    with pytest.raises(cd.IncompleteWriteError, match="Repeat the call") as caught:
        NEW.clicdata.upsert(name, on="n", chunksize=2, session=session)
    assert (caught.value.confirmed, caught.value.unknown) == ([(0, 8)], [])
    assert caught.value.unsent == [(8, ROWS)]
    NEW.clicdata.upsert(name, on="n", chunksize=2, session=session)
    assert rows_of(sandbox, name) == MERGED


@every_dialect
@pytest.mark.parametrize("copies", [1, 2])
def test_rows_of_another_writer_keep_an_upsert_from_sending_again(fresh, name, api_version, copies, monkeypatch):
    """They may be the unknown rows in another form, also where a key has several rows in the table."""
    sandbox, session = fresh(api_version, pd.concat([OLD, *[OLD.tail(1)] * (copies - 1)]))
    sandbox.faults.lose_reply(operation="append", after_commit=False)

    def add_a_row(seconds: float) -> None:
        monkeypatch.undo()
        OLD.head(1).assign(n=-1).clicdata.append(name, session=session)

    # The write sleeps before it looks for the unknown rows the last time.
    monkeypatch.setattr("pandas_clicdata.write.exactly_once.time.sleep", add_a_row)
    with pytest.raises(cd.AmbiguousWriteError, match="1 rows in the table are unexplained"):
        NEW.clicdata.upsert(name, on="n", chunksize=100, reconcile_wait=0.05, session=session)
