"""if_exists="replace" and restore: at any time, each old row is in the table or in the backup."""

import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batches import batch_ranges
from interrupts import press_ctrl_c
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.write import backup

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
RECONCILE_WAIT = 0.05

# Some rows have no "k", so that two columns are needed to delete all rows.
OLD = pd.DataFrame({"n": [1, 2, 3, 4, 4], "k": ["a", "b", "a", None, None], "f": [0.5, None, 2.0, 0.1, 0.1]})
NEW = pd.DataFrame({"n": [10, 11, 12, 4], "k": ["a", "c", None, None], "f": [1.5, 0.5, None, 0.1]})
WRITES = ("create", "append", "update", "delete")


def counted(rows):
    """Return the rows as a multiset of plain values."""
    plain = [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows]
    return Counter(
        tuple(float(value) if isinstance(value, int | float | Decimal) else value for value in row.values())
        for row in plain
    )


OLD_ROWS, NEW_ROWS = counted(OLD.to_dict("records")), counted(NEW.to_dict("records"))


def in_table(sandbox, table):
    return counted(sandbox.ledger.rows(table))


def in_file(path):
    return counted(backup.load(path).table.to_pylist())


def writes(sandbox):
    return [entry for entry in sandbox.requests if entry.operation in WRITES]


def replace(session, table, frame=NEW, **options):
    return frame.clicdata.push(
        table, if_exists="replace", **{"reconcile_wait": RECONCILE_WAIT, "session": session, **options}
    )


@pytest.fixture
def fresh(running, name, open_session, tmp_path):
    """Return a function that pushes the old rows and returns the sandbox, with an empty request log, and a session."""

    def make(api_version="2025.3", old=OLD, **options):
        session = open_session(running, api_version, **options)
        old.clicdata.push(name, session=session)
        running.requests.clear()
        return running, session

    yield make
    running.faults.clear()
    running.faults.release()


@pytest.fixture(autouse=True)
def data_home(monkeypatch, tmp_path):
    """Save the backups of a restore in a folder of the test, not in that of the user."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data home"))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "backups"
    made.mkdir()
    return made


def files_in(folder):
    return sorted(folder.iterdir())


# replace and restore


@every_dialect
def test_a_replace_saves_the_old_rows_and_sends_the_new_ones(fresh, name, folder, api_version):
    sandbox, session = fresh(api_version)
    receipt = replace(session, name, backup=folder, verify=True, chunksize=2)
    assert in_table(sandbox, name) == NEW_ROWS
    assert (receipt.operation, receipt.sent, receipt.status) == ("push", 4, "verified")
    assert receipt.batches == len(batch_ranges(len(NEW), 2, api_version))
    assert [str(path) for path in files_in(folder)] == [receipt.backup]
    assert in_file(receipt.backup) == OLD_ROWS
    assert receipt.backup in receipt._repr_html_()
    first = writes(sandbox)[0]
    assert first.operation == "delete", "the trial"
    back = cd.restore(receipt.backup, name, session=session)
    assert in_table(sandbox, name) == OLD_ROWS
    assert (back.operation, back.sent) == ("restore", 5)
    # The new rows, which the restore deleted, are in another backup.
    assert in_file(back.backup) == NEW_ROWS
    assert back.backup is not None
    Path(back.backup).unlink()


@every_dialect
def test_a_second_restore_changes_nothing(fresh, name, folder, api_version):
    sandbox, session = fresh(api_version)
    receipt = replace(session, name, frame=NEW.head(0), backup=folder)
    assert in_table(sandbox, name) == Counter()
    first = cd.restore(receipt.backup, name, session=session)
    assert (first.sent, first.backup) == (5, None)
    sandbox.requests.clear()
    again = cd.restore(receipt.backup, receipt.rec_id, session=session)
    assert (again.sent, again.matched, again.rows) == (0, 5, 5)
    assert writes(sandbox) == []
    assert in_table(sandbox, name) == OLD_ROWS


@every_dialect
@pytest.mark.parametrize("missing", [{"n": [4]}, {"n": [1]}, {"n": [1, 2, 3, 4]}])
def test_restore_inserts_only_missing_rows(fresh, name, folder, api_version, missing):
    sandbox, session = fresh(api_version)
    path = replace(session, name, backup=folder).backup
    cd.restore(path, name, reconcile_wait=0, session=session)
    pd.DataFrame(missing).clicdata.delete_rows(name, on="n", session=session)
    stored = sandbox.ledger.count(name)
    assert cd.restore(path, name, session=session).sent == 5 - stored
    assert in_table(sandbox, name) == OLD_ROWS


@every_dialect
def test_an_empty_table_needs_neither_deletion_nor_backup(fresh, name, folder, api_version):
    sandbox, session = fresh(api_version, OLD.head(0))
    receipt = replace(session, name, backup=folder)
    assert (receipt.backup, files_in(folder)) == (None, [])
    assert sandbox.requests.of("delete") == []
    assert in_table(sandbox, name) == NEW_ROWS


@every_dialect
def test_a_missing_table_is_created(running, open_session, name, folder, api_version):
    receipt = replace(open_session(running, api_version), name, backup=folder)
    assert (receipt.backup, receipt.sent) == (None, 4)
    assert in_table(running, name) == NEW_ROWS


@every_dialect
def test_a_stream_is_read_to_its_end_before_anything_is_deleted(fresh, name, folder, api_version):
    sandbox, session = fresh(api_version)
    arrow = pa.Table.from_pandas(NEW, preserve_index=False)
    receipt = cd.push(arrow.to_reader(2), name, if_exists="replace", backup=folder, verify=True, session=session)
    assert (receipt.rows, receipt.status) == (4, "verified")
    assert in_table(sandbox, name) == NEW_ROWS

    def broken():
        yield from arrow.to_batches()
        raise OSError("the disk is gone")

    sandbox.requests.clear()
    with pytest.raises(OSError, match="the disk is gone"):
        cd.push(pa.RecordBatchReader.from_batches(arrow.schema, broken()), name, if_exists="replace", session=session)
    assert writes(sandbox) == []


@every_dialect
@pytest.mark.parametrize("stopped_before", [False, True])
def test_a_dry_run_counts_and_changes_nothing(fresh, name, folder, api_version, stopped_before):
    sandbox, session = fresh(api_version)
    resume = None
    if stopped_before:
        sandbox.faults.lose_reply(operation="delete", nth=3, times=3, after_commit=False)
        with pytest.raises(cd.ReplaceIncompleteError) as caught:
            replace(session, name, backup=folder)
        resume = caught.value.resume
        sandbox.requests.clear()
    before = in_table(sandbox, name), files_in(folder)
    receipt = replace(session, name, dry_run=True, backup=folder, chunksize=3, resume=resume)
    assert (receipt.status, receipt.batches, receipt.sent) == ("dry_run", 2, 0)
    assert (in_table(sandbox, name), files_in(folder)) == before
    assert writes(sandbox) == []
    if not stopped_before:
        assert receipt.matched == 5
        assert receipt.notes == ("3 delete requests would remove the 5 existing rows.",)


@every_dialect
@pytest.mark.parametrize("mode", [{"stamp": "push_batch"}, {"on": ["n"]}, {"on_unknown": "check"}])
@pytest.mark.parametrize("fault", ["lose_reply", "late_commit"])
def test_unknown_new_rows_are_reconciled(fresh, name, folder, api_version, mode, fault):
    old = OLD.assign(push_batch="an old stamp") if "stamp" in mode else OLD
    sandbox, session = fresh(api_version, old)
    sandbox.faults.script(fault, operation="append", nth=2, **({"delay": 0.02} if fault == "late_commit" else {}))
    receipt = replace(session, name, backup=folder, chunksize=2, reconcile_wait=0.3, **mode)
    rows = [{key: value for key, value in row.items() if key != "push_batch"} for row in sandbox.ledger.rows(name)]
    assert counted(rows) == NEW_ROWS
    assert receipt.sent == 4
    cd.restore(receipt.backup, name, reconcile_wait=0, session=session)
    assert sorted(map(str, sandbox.ledger.rows(name))) == sorted(
        map(str, json.loads(old.to_json(orient="records"), parse_float=Decimal))
    )


# refused before any change

COLUMNS = {
    "missing": NEW[["n", "k"]],
    "extra": NEW.assign(x=1),
    "another name": NEW.rename(columns={"k": "K"}),
    "another type": NEW.assign(k=1),
    "a value": NEW.assign(f=[1.0, 2.0, 3.0, np.inf]),
}


@every_dialect
@pytest.mark.parametrize("case", COLUMNS)
def test_columns_that_differ_are_refused_before_any_change(fresh, name, folder, api_version, case):
    sandbox, session = fresh(api_version)
    with pytest.raises(cd.FrameError):
        replace(session, name, COLUMNS[case], backup=folder)
    assert writes(sandbox) == []
    assert files_in(folder) == []


@every_dialect
def test_nothing_is_deleted_without_permission_to_write(new_sandbox, open_session, folder, tmp_path, api_version):
    data = tmp_path / "data"
    with new_sandbox(data=data) as sandbox:
        OLD.clicdata.push("T", session=open_session(sandbox, api_version))
    scopes = ["account_read", "data_read", "table_read"]
    with new_sandbox(data=data, scopes=scopes) as sandbox:
        session = open_session(sandbox, api_version)
        with pytest.raises(cd.PermissionDeniedError, match="data_write"):
            replace(session, "T", backup=folder)
        assert in_table(sandbox, "T") == OLD_ROWS
        assert len(sandbox.requests.of("delete")) == 1
        assert files_in(folder) == []


def test_a_frame_of_rows_empty_in_every_column_is_refused_before_the_first_deletion(fresh, name, folder):
    old = pd.DataFrame({"a": ["x", None, None], "b": [None, None, 2.0]})
    sandbox, session = fresh(old=old)
    for dry_run in (True, False):
        with pytest.raises(cd.ClicDataError, match="1 rows of the table are empty in every column"):
            replace(session, name, old, backup=folder, dry_run=dry_run)
    assert writes(sandbox) == []
    assert files_in(folder) == []


def test_columns_that_are_all_null_are_saved_with_their_types(fresh, name, folder):
    old = pd.DataFrame(
        {
            "a": [None, None],
            "b": pd.array([None, None], "Float64"),
            "c": pd.array([None, None], "datetime64[us]"),
            "d": pd.array([None, None], "boolean"),
            "e": [1, 2],
        }
    )
    sandbox, session = fresh(old=old)
    before = sandbox.ledger.rows(name)
    receipt = replace(session, name, old.head(0), backup=folder)
    cd.restore(receipt.backup, name, session=session)
    assert sandbox.ledger.rows(name) == before


# the backup


@pytest.mark.parametrize("case", ["a file", "a folder as a file", "no folder", "a broken link", "a long name"])
def test_an_invalid_backup_path_is_refused_before_the_first_request(running, open_session, name, tmp_path, case):
    session = open_session(running)
    path = tmp_path / "b.parquet"
    if case == "a file":
        path.write_text("mine")
    elif case == "a folder as a file":
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "b.parquet"
    elif case == "a long name":
        path = tmp_path / ("x" * 300)
    elif case == "no folder":
        path = tmp_path / "nowhere" / "b.parquet"
    else:
        path.symlink_to(tmp_path / "gone")
    running.requests.clear()
    with pytest.raises(ValueError, match=r"overwrites nothing|does not exist|not a valid path"):
        replace(session, name, backup=path)
    assert len(running.requests) == 0
    if case == "a file":
        assert path.read_text() == "mine"


def test_backup_is_only_for_replace(running, open_session, name, tmp_path):
    with pytest.raises(ValueError, match="if_exists='replace'"):
        NEW.clicdata.push(name, if_exists="append", backup=tmp_path, session=open_session(running))


def test_a_backup_is_private_and_overwrites_no_file(fresh, name, folder):
    sandbox, session = fresh()
    path = folder / "b.parquet"
    assert replace(session, name, backup=path).backup == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    sandbox.requests.clear()
    with pytest.raises(ValueError, match="overwrites nothing"):
        replace(session, name, OLD, backup=path)
    assert writes(sandbox) == []
    assert path.read_bytes() == before
    assert in_table(sandbox, name) == NEW_ROWS
    assert files_in(folder) == [path]


def test_a_backup_of_the_same_rows_is_reused(fresh, name, folder):
    """Such a backup remains if a call is killed before its journal records the backup."""
    sandbox, session = fresh()
    path = folder / "b.parquet"
    replace(session, name, backup=path)
    cd.restore(path, name, reconcile_wait=0, session=session)
    before = path.read_bytes()
    assert replace(session, name, backup=path).backup == str(path)
    assert path.read_bytes() == before
    assert in_table(sandbox, name) == NEW_ROWS


def swap_cells(session, name):
    """Swap the values of a column between the first two rows."""
    OLD.head(2).assign(f=pd.Series([None, 0.5])).clicdata.update_rows(name, on="n", session=session)


@every_dialect
def test_a_backup_with_the_same_values_in_other_rows_is_not_reused(fresh, name, folder, api_version):
    sandbox, session = fresh(api_version)
    path = folder / "b.parquet"
    replace(session, name, backup=path)
    cd.restore(path, name, reconcile_wait=0, session=session)
    swap_cells(session, name)
    before = in_table(sandbox, name)
    sandbox.requests.clear()
    with pytest.raises(ValueError, match="overwrites nothing"):
        replace(session, name, backup=path)
    assert writes(sandbox) == []
    assert in_table(sandbox, name) == before != OLD_ROWS
    # A restore compares whole rows too.
    back = cd.restore(path, name, reconcile_wait=0, session=session)
    assert in_table(sandbox, name) == OLD_ROWS
    assert in_file(back.backup) == before


def test_the_default_backup_is_in_a_private_folder_of_the_user(fresh, name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    _, session = fresh()
    path = Path(replace(session, name).backup)
    assert tmp_path in path.parents
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "place",
    ["default", pytest.param("given", marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc"))],
)
def test_nothing_is_changed_if_the_backup_cannot_be_written(fresh, name, tmp_path, monkeypatch, place):
    sandbox, session = fresh()
    blocked = tmp_path / "blocked"
    if place == "default":
        blocked.write_text("a file where a folder should be")
        monkeypatch.setenv("XDG_DATA_HOME", str(blocked))
        given = None
    else:
        # A folder in which even root cannot create a file.
        given = Path("/proc")
    with pytest.raises(cd.ClicDataError, match=r"could not be saved.*nothing was changed"):
        replace(session, name, backup=given)
    assert writes(sandbox) == []
    assert in_table(sandbox, name) == OLD_ROWS


def damage(path, kind):
    content = bytearray(path.read_bytes())
    match kind:
        case "half":
            path.write_bytes(content[: len(content) // 2])
        case "a byte":
            # In a value: the text of column "k".
            content[content.index(b"\x01\x00\x00\x00a") + 4] = ord("z")
            path.write_bytes(content)
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("a,b\n1,2\n")
        case "another program's":
            pq.write_table(pa.table({"n": [1]}), path)
        case "metadata":
            pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"pandas_clicdata backup 1": "[1]"}), path)
        case "columns":
            about = json.dumps({"types": {"gone": "text"}, "typed": True})
            pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"pandas_clicdata backup 1": about}), path)


@pytest.mark.parametrize("case", ["half", "a byte", "empty", "text", "another program's", "metadata", "columns"])
def test_a_file_that_is_not_a_backup_is_refused_before_any_request(fresh, name, folder, case):
    sandbox, session = fresh()
    path = Path(replace(session, name, backup=folder / "b.parquet").backup)
    damage(path, case)
    sandbox.requests.clear()
    with pytest.raises(ValueError, match="not a backup written by a replace"):
        cd.restore(path, name, session=session)
    with pytest.raises(FileNotFoundError):
        cd.restore(folder / "none.parquet", name, session=session)
    not_a_path: Any = 7
    with pytest.raises(TypeError, match="path"):
        cd.restore(not_a_path, name, session=session)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("other", [NEW[["n"]], NEW.assign(x=1), NEW.assign(k=[1, 2, 3, 4])])
def test_restore_to_a_table_with_other_columns_is_refused(fresh, name, folder, other):
    sandbox, session = fresh()
    path = replace(session, name, backup=folder).backup
    other.clicdata.push(f"{name} other", session=session)
    sandbox.requests.clear()
    with pytest.raises(cd.ColumnMismatchError):
        cd.restore(path, f"{name} other", session=session)
    assert writes(sandbox) == []


# values of every type

MOMENT = dt.datetime(2013, 1, 1, 5, 15, 0, 123456)
TYPED = pd.DataFrame(
    {
        "text": ["00123", "", 'say "é"\n\\', "2013-01-01 05:00:00", None, "null"],
        "whole": pd.array([2**63 - 1, -(2**63), 0, 7, 9007199254740993, None], "Int64"),
        "float": [0.1, 1e300, -0.0, 5e-324, None, 123456789.25],
        "long": [Decimal("3.14159265358979323846"), Decimal("1e5"), Decimal(2**70), Decimal(1), None, Decimal("0.10")],
        "beyond": [Decimal("1e400"), Decimal(1), None, Decimal("-1e-300"), None, Decimal(2)],
        "percentage": [0.25, 1.0, 0.0, None, None, 2.5],
        "checkbox": pd.array([True, False, None, True, None, True], "boolean"),
        "date": [dt.date(1, 1, 1), dt.date(9999, 12, 31), None, dt.date(2013, 1, 1), None, dt.date(1900, 2, 28)],
        "datetime": pd.array(
            [MOMENT, MOMENT.replace(microsecond=0), None, dt.datetime(1, 1, 1), None, MOMENT], "datetime64[us]"
        ),
        "midnight": pd.Series([dt.datetime(2013, 1, 1)] * 5 + [None], dtype="datetime64[us]"),
        "dropdown": pd.Categorical(["a", "b", "a", None, None, "c"]),
        "nothing": pd.Series([None] * 6, dtype=object),
        "id": ["a", "a", "b", "b", "c", "c"],
    }
)  # fmt: skip
TYPES = {"percentage": "percentage", "dropdown": "dropdown", "long": "number", "beyond": "number"}
ASSUMED: dict[str, Any] = {
    "defaults": {},
    "no column types": {"column_metadata": False},
    "datetimes with an offset": {"datetime_form": "iso_offset"},
    "no column types, datetimes with an offset": {"column_metadata": False, "datetime_form": "iso_offset"},
    "minimal paging": {"pagination": "minimal"},
    "bare paging": {"pagination": "bare"},
    "errors under 200": {"refusal_status": "ok"},
    "a row id": {"row_id": "rec_id"},
    "a row id and no column types": {"row_id": "rec_id", "column_metadata": False},
    "no counts": {"insert_counts": False, "created_as": "object"},
}


def exact(rows):
    """Return each row as text, sorted: values with their JSON types, numbers without their notation."""

    def one(value):
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return (
                f"number {Decimal(value).normalize():f}" if abs(Decimal(value).adjusted()) < 50 else f"number {value}"
            )
        return f"{type(value).__name__} {value}"

    return sorted(json.dumps({name: one(value) for name, value in row.items()}) for row in rows)


@pytest.mark.sampled(1)
@every_dialect
@pytest.mark.parametrize("case", ASSUMED)
def test_values_of_every_type_are_restored_exactly(serve, folder, api_version, case):
    sandbox, session = serve(api_version, page_size=4, assume=Assumptions(**ASSUMED[case]))
    TYPED.clicdata.push("T", column_types=TYPES, session=session)
    before = exact(sandbox.ledger.rows("T"))
    receipt = replace(session, "T", TYPED.head(2), column_types=TYPES, backup=folder)
    assert sandbox.ledger.count("T") == 2
    # This restore also deletes the rows that replaced the old ones.
    cd.restore(receipt.backup, "T", reconcile_wait=0, session=session)
    assert exact(sandbox.ledger.rows("T")) == before
    sandbox.requests.clear()
    assert cd.restore(receipt.backup, "T", session=session).sent == 0
    assert writes(sandbox) == []
    replace(session, "T", TYPED.head(0), column_types=TYPES, backup=folder)
    cd.restore(receipt.backup, "T", session=session)
    assert exact(sandbox.ledger.rows("T")) == before


@pytest.mark.parametrize("column", sorted(set(map(str, TYPED)) - {"nothing", "id", "beyond"}))
def test_a_table_of_one_column_is_replaced(serve, folder, column):
    """For each type, there is a condition that deletes rows by their values."""
    sandbox, session = serve(page_size=4)
    types = {name: data_type for name, data_type in TYPES.items() if name == column}
    frame = TYPED[[column]].dropna().reset_index(drop=True)
    frame.clicdata.push("T", column_types=types, session=session)
    before = exact(sandbox.ledger.rows("T"))
    receipt = replace(session, "T", frame.head(1), column_types=types, backup=folder)
    assert sandbox.ledger.count("T") == 1
    cd.restore(receipt.backup, "T", reconcile_wait=0, session=session)
    assert exact(sandbox.ledger.rows("T")) == before


def test_rows_that_could_not_be_restored_are_refused_before_any_change(serve, folder):
    """Without column types, text may be text or datetimes, and whole numbers may be a row id."""
    sandbox, session = serve(assume=Assumptions(column_metadata=False, datetime_form="iso_offset"))
    old = pd.DataFrame({"a": [1], "at": [MOMENT]})
    old.clicdata.push("moments", session=session)
    pd.DataFrame({"id": [1, 2], "a": ["x", "y"]}).clicdata.push("ids", session=session)
    sandbox.requests.clear()
    with pytest.raises(cd.ClicDataError, match=r"'at'.*datetimes"):
        replace(session, "moments", pd.DataFrame({"a": [1], "at": ["text"]}), backup=folder)
    with pytest.raises(cd.ColumnMismatchError, match=r"'id'.*row id"):
        replace(session, "ids", pd.DataFrame({"id": [3], "a": ["z"]}), backup=folder)
    assert writes(sandbox) == []
    assert files_in(folder) == []


def test_a_row_id_without_a_type_is_saved_in_the_backup(serve, folder):
    """It may be a column of the user that the new frame does not have, so the backup has it, too."""
    sandbox, session = serve(assume=Assumptions(column_metadata=False, row_id="id"))
    pd.DataFrame({"a": ["x", "y"]}).clicdata.push("T", session=session)
    path = replace(session, "T", pd.DataFrame({"a": ["z"]}), backup=folder).backup
    assert pq.read_table(path).to_pydict() == {"id": [1, 2], "a": ["x", "y"]}
    cd.restore(path, "T", reconcile_wait=0, session=session)
    assert [row["a"] for row in sandbox.ledger.rows("T")] == ["x", "y"]


# deletion


@pytest.mark.sampled(0)
@every_dialect
@pytest.mark.parametrize("workers", [1, 4])
def test_a_large_table_needs_few_deletions(serve, folder, api_version, workers):
    sandbox, session = serve(api_version)
    n = 10_000
    carrier, dest = ["UA", "B6", "DL", None] * (n // 4), ["JFK"] * (n // 2) + [None] * (n // 2)
    old = pd.DataFrame({"n": range(n), "f": np.arange(n) % 3 + 0.5, "carrier": carrier, "dest": dest})
    old.clicdata.push("T", workers=4, session=session)
    sandbox.requests.clear()
    receipt = replace(session, "T", old.head(10), backup=folder, workers=workers)
    # The trial; all rows with a "dest"; of the others, those with a "carrier"; then the rest by "f".
    assert len(sandbox.requests.of("delete")) == 1 + 1 + 3 + 3
    assert sandbox.ledger.count("T") == 10
    assert backup.load(receipt.backup).table.num_rows == n


def change_comparison(sandbox, monkeypatch, rule):
    """Change how the sandbox compares values: ``rule`` edits its SQL conditions."""
    store = sandbox._running().store
    where = store._where

    def changed_where(table, match):
        terms, values = where(table, match)
        return rule(terms), values

    monkeypatch.setattr(store, "_where", changed_where)


COMPARISONS = {
    "text without regard to case": lambda terms: terms.replace(" = ?", " = ? COLLATE NOCASE"),
    "no fraction is found": lambda terms: terms + (" AND 0" if "c2" in terms else ""),
    "no text is found": lambda terms: terms + (" AND 0" if "c1" in terms else ""),
    "nothing is found": lambda terms: terms + " AND 0",
}


@pytest.mark.inside("changes how the sandbox compares")
@pytest.mark.parametrize("case", COMPARISONS)
def test_no_row_is_lost_if_the_service_compares_differently(serve, folder, monkeypatch, case):
    sandbox, session = serve()
    old = OLD.assign(k=pd.Series(["a", "A", "b", "B", None]))
    old.clicdata.push("T", session=session)
    change_comparison(sandbox, monkeypatch, COMPARISONS[case])
    if case == "nothing is found":
        with pytest.raises(cd.ReplaceIncompleteError, match="no known condition") as caught:
            replace(session, "T", backup=folder)
        assert in_table(sandbox, "T") == counted(old.to_dict("records"))
        path = caught.value.backup
    else:
        path = replace(session, "T", backup=folder).backup
        assert in_table(sandbox, "T") == NEW_ROWS
    assert in_file(path) == counted(old.to_dict("records"))


@every_dialect
@pytest.mark.parametrize("when", ["before the first deletion", "between deletions"])
def test_rows_of_another_writer_are_detected_and_kept(fresh, open_session, name, folder, api_version, when):
    sandbox, session = fresh(api_version)
    other_rows = pd.DataFrame({"n": [99], "k": ["other"], "f": [9.5]})
    nth = 1 if when == "before the first deletion" else 2
    sandbox.faults.hang(operation="delete", nth=nth)
    caught = []

    def replace_and_catch():
        try:
            replace(session, name, backup=folder)
        except cd.ReplaceIncompleteError as exc:
            caught.append(exc)

    thread = threading.Thread(target=replace_and_catch)
    thread.start()
    sandbox.faults.wait_held()
    other_rows.clicdata.append(name, session=open_session(sandbox, api_version))
    sandbox.faults.release()
    thread.join()
    assert "Another writer is changing it" in str(caught[0])
    stored = in_table(sandbox, name)
    assert counted(other_rows.to_dict("records")) <= stored
    assert stored + in_file(caught[0].backup) >= OLD_ROWS
    # As the error says, start again without the token; the new backup also has the other rows.
    receipt = replace(session, name, backup=folder)
    assert counted(other_rows.to_dict("records")) <= in_file(receipt.backup)
    assert in_table(sandbox, name) == NEW_ROWS


@every_dialect
def test_a_late_deletion_deletes_no_new_row(fresh, name, folder, api_version, monkeypatch):
    sandbox, session = fresh(api_version)
    # The trial is the first. The new rows have the same values as the old ones.
    sandbox.faults.late_commit(operation="delete", nth=2)
    really_sleep, waited = time.sleep, []

    def sleep(seconds):
        """Carry out the deletion at the end of the wait, without the wait itself."""
        if seconds <= 30:
            really_sleep(seconds)
            return
        waited.append(seconds)
        assert sandbox.faults.release() == 1

    monkeypatch.setattr(time, "sleep", sleep)
    replace(session, name, OLD.assign(f=7.5), backup=folder, reconcile_wait=60)
    assert len(waited) == 1
    assert in_table(sandbox, name) == counted(OLD.assign(f=7.5).to_dict("records"))


# by stamp

STAMPED = pd.DataFrame({"n": range(9), "origin": ["JFK"] * 9, "k": [f"k{number}" for number in range(9)]})


def deleted_by(sandbox):
    """Return how many delete requests there were after the trial."""
    return len(sandbox.requests.of("delete")) - 1


@every_dialect
@pytest.mark.parametrize("workers", [1, 3])
def test_rows_with_a_stamp_are_deleted_with_one_request_per_batch(
    running, open_session, name, folder, api_version, workers
):
    session = open_session(running, api_version)
    batches = STAMPED.clicdata.push(name, stamp="batch", chunksize=3, session=session).batches
    running.requests.clear()
    dry = replace(session, name, STAMPED, stamp="batch", backup=folder, dry_run=True)
    assert dry.notes[0] == f"{batches} delete requests would remove the 9 existing rows."
    receipt = replace(session, name, STAMPED, stamp="batch", backup=folder, workers=workers, verify=True)
    assert deleted_by(running) == batches
    assert receipt.status == "verified"
    assert running.ledger.count(name) == 9
    # Also without stamp=, if the frame has the column.
    old = pd.DataFrame(running.ledger.rows(name)).assign(batch=None)
    running.requests.clear()
    replace(session, name, old, column_types={"batch": "text"}, backup=folder)
    assert deleted_by(running) == receipt.batches


@every_dialect
def test_rows_without_a_stamp_are_deleted_by_their_values(running, open_session, name, folder, api_version):
    session = open_session(running, api_version)
    batches = STAMPED.clicdata.push(name, stamp="batch", chunksize=3, session=session).batches
    STAMPED.assign(batch=pd.Series(["mine", None, "2f"] * 3)).clicdata.append(name, session=session)
    running.requests.clear()
    receipt = replace(session, name, STAMPED, stamp="batch", backup=folder, verify=True)
    assert deleted_by(running) == batches + 1, "those of one origin in one request"
    assert in_file(receipt.backup).total() == 18
    assert running.ledger.count(name) == 9


@pytest.mark.parametrize("case", ["other text", "a stamp for each row", "numbers"])
def test_a_column_without_stamps_of_batches_is_not_used_as_one(running, open_session, name, folder, case):
    session = open_session(running)
    marks: Any = {
        "other text": [f"{number // 3:016x}_{number // 3}" for number in range(9)],
        "a stamp for each row": [f"{number:016x}-{number}" for number in range(9)],
        "numbers": [number // 3 for number in range(9)],
    }[case]
    STAMPED.assign(batch=marks).clicdata.push(name, session=session)
    running.requests.clear()
    replace(session, name, STAMPED.assign(batch=marks), backup=folder)
    assert deleted_by(running) == 1, "by the origin, which all rows share"


@every_dialect
def test_a_row_that_arrives_during_the_deletion_by_stamp_is_kept(running, open_session, name, folder, api_version):
    session = open_session(running, api_version)
    STAMPED.clicdata.push(name, stamp="batch", chunksize=3, session=session)
    before = running.ledger.rows(name)
    # The trial is the first deletion.
    running.faults.hang(operation="delete", nth=3)
    caught: list[cd.ReplaceIncompleteError] = []

    def work():
        try:
            replace(session, name, STAMPED, stamp="batch", backup=folder)
        except cd.ReplaceIncompleteError as exc:
            caught.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    running.faults.wait_held(1, 60)
    other = open_session(running, api_version)
    STAMPED.head(2).clicdata.append(name, stamp="batch", session=other)
    running.faults.release()
    thread.join()
    assert "Another writer is changing it" in str(caught[0])
    stored = running.ledger.rows(name)
    assert [row["n"] for row in stored] == [0, 1], "all old rows are deleted, and none of the other writer"
    assert len(in_file(caught[0].backup)) == len(before)


# stopped replaces

CHILD = """
import json, os, sys
import filelock, pandas as pd, pyarrow.parquet, requests
import pandas_clicdata as cd, pandas_clicdata.client.transport

pd.DataFrame({"n": [1]}).clicdata.schema()
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        try:
            session = cd.Session(**order["session"])
            frame = pd.DataFrame({name: pd.Series(values) for name, values in order["frame"].items()})
            frame.clicdata.push(order["table"], if_exists="replace", session=session, **order["options"])
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class ReplaceProcess:
    """A process that starts replaces in child processes, which can be killed."""

    def __init__(self, process):
        self._process = process

    def start(self, **order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def kill(self, child):
        os.kill(child, signal.SIGKILL)
        assert self._process.stdout.readline() == "ended\n"


@pytest.fixture(scope="module")
def replace_process():
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    command = [sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        yield ReplaceProcess(process)
        process.stdin.close()


OPTIONS = {"chunksize": 2, "reconcile_wait": RECONCILE_WAIT, "on_unknown": "check"}


def requests_of_a_replace(sandbox, open_session, api_version, table, folder):
    """Return the operations that a replace requests in a new session."""
    OLD.clicdata.push(table, session=open_session(sandbox, api_version))
    sandbox.requests.clear()
    replace(open_session(sandbox, api_version), table, backup=folder, **OPTIONS)
    return [entry.operation for entry in sandbox.requests]


def release_held_requests(sandbox):
    """Release the requests that hang, and wait until they are done."""
    sandbox.faults.release()
    wait_until(lambda: not any(entry.fault == "hang" and entry.status is None for entry in sandbox.requests))


@pytest.mark.sampled(0)
@every_dialect
@pytest.mark.parametrize("after_commit", [True, False])
def test_no_old_row_is_lost_by_a_kill_at_any_request(
    running, open_session, replace_process, name, tmp_path, api_version, after_commit
):
    sandbox = running
    (tmp_path / "first").mkdir()
    operations = requests_of_a_replace(sandbox, open_session, api_version, name, tmp_path / "first")
    assert operations.count("delete") >= 3
    assert operations.count("append") == len(batch_ranges(len(NEW), OPTIONS["chunksize"], api_version))
    session = open_session(sandbox, api_version)
    for nth, operation in enumerate(operations, 1):
        if after_commit and operation not in WRITES:
            continue  # Both cases are the same.
        table, folder = f"{name} {nth}", tmp_path / str(nth)
        folder.mkdir()
        OLD.clicdata.push(table, session=session)
        # Restore some of the tables, resume the others by their journals.
        journal = str(folder / "journal") if (nth + after_commit) % 2 else None
        options = {**OPTIONS, "backup": str(folder / "backup.parquet"), "journal": journal}
        sandbox.requests.clear()
        sandbox.faults.hang(nth=nth, after_commit=after_commit)
        child = replace_process.start(
            session={
                "client_id": sandbox.client_id, "client_secret": sandbox.client_secret,
                "base_url": sandbox.url, "api_version": api_version,
            },
            frame=NEW.astype(object).where(NEW.notna(), None).to_dict("list"),
            table=table,
            options=options,
        )  # fmt: skip
        sandbox.faults.wait_held()
        replace_process.kill(child)
        moment = f"killed at request {nth}, {operation}"

        def no_row_is_lost(table=table, folder=folder):
            files: Counter[Any] = sum((in_file(path) for path in folder.glob("*.parquet")), Counter())
            return in_table(sandbox, table) + files >= OLD_ROWS

        assert no_row_is_lost(), moment
        release_held_requests(sandbox)
        assert no_row_is_lost(), moment
        files = list(folder.glob("*.parquet"))
        contents = [path.read_bytes() for path in files]
        if journal is not None:
            replace(session, table, **options)
            assert in_table(sandbox, table) == NEW_ROWS, moment
        else:
            if files:
                cd.restore(files[0], table, reconcile_wait=0, session=session)
            assert in_table(sandbox, table) == OLD_ROWS, moment
        assert [path.read_bytes() for path in files] == contents, moment


@every_dialect
@pytest.mark.parametrize(("continue_by", "workers"), [("resume", 1), ("journal", 3), ("restore", 1)])
def test_the_error_after_lost_replies_is_enough_to_continue_or_restore(
    fresh, name, tmp_path, api_version, workers, continue_by
):
    sandbox, session = fresh(api_version)
    # The first deletion is the trial; an insert is not sent again.
    inserts = len(batch_ranges(len(NEW), 2, api_version, workers))
    for operation, nth in [*(("delete", nth) for nth in (1, 2, 3)), *(("append", nth + 1) for nth in range(inserts))]:
        folder = tmp_path / f"{operation} {nth}"
        folder.mkdir()
        times = 20 if operation == "delete" else 1
        sandbox.faults.lose_reply(operation=operation, nth=nth, times=times, after_commit=bool(nth % 2))
        options = {"chunksize": 2, "workers": workers, "backup": folder / "b.parquet"}
        options |= {"journal": folder / "journal"} if continue_by == "journal" else {}
        with pytest.raises(cd.ReplaceIncompleteError) as caught:
            replace(session, name, **options)
        error = caught.value
        assert error.backup == str(folder / "b.parquet")
        assert error.backup in str(error)
        assert "cd.restore(error.backup" in str(error)
        assert in_table(sandbox, name) + in_file(error.backup) >= OLD_ROWS
        covered = sorted(
            row for start, stop in error.confirmed + error.unknown + error.unsent for row in range(start, stop)
        )
        assert covered == list(range(4))
        assert json.loads(json.dumps(error.resume)) == error.resume
        sandbox.faults.clear()
        content = Path(error.backup).read_bytes()
        if continue_by == "restore":
            cd.restore(error.backup, name, workers=workers, reconcile_wait=RECONCILE_WAIT, session=session)
        else:
            extra = {"resume": error.resume} if continue_by == "resume" else {}
            receipt = replace(session, name, **{**options, "on_unknown": "check", **extra})
            assert receipt.backup == error.backup
            assert in_table(sandbox, name) == NEW_ROWS
            if continue_by == "journal":
                again = replace(session, name, **options)
                assert "Nothing was sent" in again.notes[0]
            cd.restore(error.backup, name, reconcile_wait=0, session=session)
        assert Path(error.backup).read_bytes() == content
        assert in_table(sandbox, name) == OLD_ROWS


@pytest.mark.slow
def test_a_lost_reply_to_any_single_request_is_reconciled(running, open_session, name, tmp_path):
    sandbox = running
    (tmp_path / "first").mkdir()
    operations = requests_of_a_replace(sandbox, open_session, DIALECTS[0], name, tmp_path / "first")
    for nth, operation in enumerate(operations, 1):
        (tmp_path / str(nth)).mkdir()
        OLD.clicdata.push(f"{name} {nth}", session=open_session(sandbox, DIALECTS[0]))
        session = open_session(sandbox, DIALECTS[nth % 2])
        sandbox.faults.lose_reply(nth=nth, after_commit=bool(nth % 2))
        receipt = replace(session, f"{name} {nth}", backup=tmp_path / str(nth), **OPTIONS)
        assert in_table(sandbox, f"{name} {nth}") == NEW_ROWS, operation
        assert in_file(receipt.backup) == OLD_ROWS


@every_dialect
@pytest.mark.parametrize(("operation", "nth"), [("read", 2), ("delete", 1), ("delete", 2), ("append", 1)])
def test_ctrl_c_during_a_replace(fresh, name, folder, api_version, operation, nth):
    sandbox, session = fresh(api_version)
    sandbox.faults.hang(operation=operation, nth=nth, after_commit=True)

    interrupted = threading.Event()

    def interrupt(signum, frame):
        interrupted.set()
        raise KeyboardInterrupt

    def press():
        sandbox.faults.wait_held()
        press_ctrl_c()
        assert interrupted.wait(10)
        sandbox.faults.release()

    before = signal.signal(signal.SIGINT, interrupt)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            replace(session, name, backup=folder, chunksize=2)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    error = caught.value.__cause__
    if operation == "read":
        assert not isinstance(error, cd.ReplaceIncompleteError)
        assert writes(sandbox) == []
        return
    assert isinstance(error, cd.ReplaceIncompleteError)
    assert "KeyboardInterrupt" in str(error)
    assert in_table(sandbox, name) + in_file(error.backup) >= OLD_ROWS
    replace(session, name, resume=error.resume, backup=folder, chunksize=2)
    assert in_table(sandbox, name) == NEW_ROWS
    assert error.backup is not None
    cd.restore(error.backup, name, reconcile_wait=0, session=session)
    assert in_table(sandbox, name) == OLD_ROWS


def ranges_of(error):
    return error.confirmed, error.unknown, error.unsent


@every_dialect
def test_a_refused_resume_reports_the_confirmed_rows(fresh, name, folder, api_version):
    """All new rows are in the table, some of them after a second send, when the call without the mode is refused."""
    sandbox, session = fresh(api_version)
    sandbox.faults.lose_reply(operation="append", nth=2, after_commit=False)

    def stop_when_all_is_sent(done, total):
        if done == total:
            raise KeyboardInterrupt

    options = {"backup": folder, "chunksize": 2}
    with pytest.raises(KeyboardInterrupt) as caught:
        replace(session, name, on_unknown="check", progress=stop_when_all_is_sent, **options)
    stopped = caught.value.__cause__
    assert isinstance(stopped, cd.IncompleteWriteError)
    assert ranges_of(stopped) == ([(0, 4)], [], [])
    assert in_table(sandbox, name) == NEW_ROWS
    with pytest.raises(cd.ReplaceIncompleteError, match="on_unknown='check'") as refused:
        replace(session, name, resume=stopped.resume, **options)
    assert isinstance(refused.value.__cause__, cd.ResumeError)
    assert ranges_of(refused.value) == ([(0, 4)], [], [])
    replace(session, name, resume=refused.value.resume, on_unknown="check", **options)
    assert in_table(sandbox, name) == NEW_ROWS


@every_dialect
@pytest.mark.parametrize("resume_by", ["token", "journal"])
def test_a_refused_call_reports_the_same_ranges_as_the_call_before(fresh, name, folder, api_version, resume_by):
    """The second batch counted as lost and was refused when it was sent again."""
    sandbox, session = fresh(api_version)
    frame = pd.concat([NEW] * 3, ignore_index=True).assign(n=range(12))
    options = {"backup": folder, "chunksize": 2}
    options |= {"journal": folder / "journal"} if resume_by == "journal" else {}
    batches = batch_ranges(len(frame), 2, api_version)
    start, stop = batches[1]
    sandbox.faults.lose_reply(operation="append", nth=2, after_commit=False)
    sandbox.faults.status(400, operation="append", nth=len(batches) + 1)
    with pytest.raises(cd.ReplaceIncompleteError) as caught:
        replace(session, name, frame, on_unknown="check", **options)
    expected: tuple[list[tuple[int, int]], ...] = ([(0, start), (stop, 12)], [(start, stop)], [])
    assert ranges_of(caught.value) == expected
    extra = {"resume": caught.value.resume} if resume_by == "token" else {}
    for _ in range(2):
        with pytest.raises(cd.ReplaceIncompleteError, match="Resume it with on_unknown='check'") as caught:
            replace(session, name, frame, **options, **extra)
        assert ranges_of(caught.value) == expected
    replace(session, name, frame, on_unknown="check", **options, **extra)
    assert in_table(sandbox, name) == counted(frame.to_dict("records"))


@every_dialect
@pytest.mark.parametrize(("operation", "nth", "times"), [("delete", 1, 3), ("delete", 2, 3), ("append", 1, 3)])
def test_a_restore_that_stopped_can_be_repeated(fresh, name, folder, api_version, operation, nth, times):
    sandbox, session = fresh(api_version)
    path = replace(session, name, backup=folder).backup
    sandbox.faults.status(500, operation=operation, nth=nth, times=times)
    if operation == "append":
        # The insert is reconciled and sent again.
        sandbox.faults.status(400, operation=operation, nth=times + 1)
    with pytest.raises(cd.ReplaceIncompleteError, match="Not all rows") as caught:
        cd.restore(path, name, reconcile_wait=RECONCILE_WAIT, session=session)
    error = caught.value
    assert (error.backup, error.operation, error.resume) == (path, "restore", None)
    assert in_table(sandbox, name) + in_file(path) >= OLD_ROWS
    sandbox.faults.clear()
    cd.restore(path, name, reconcile_wait=RECONCILE_WAIT, session=session)
    assert in_table(sandbox, name) == OLD_ROWS


@every_dialect
@pytest.mark.parametrize("after_commit", [True, False])
@pytest.mark.parametrize("new", [NEW, NEW.head(0)], ids=["other rows", "no rows"])
def test_a_restore_reconciles_its_rows(fresh, name, folder, api_version, after_commit, new):
    sandbox, session = fresh(api_version)
    path = replace(session, name, new, backup=folder).backup
    sandbox.faults.lose_reply(operation="append", after_commit=after_commit)
    cd.restore(path, name, reconcile_wait=RECONCILE_WAIT, session=session)
    assert in_table(sandbox, name) == OLD_ROWS
