"""Writes that stopped or ended are remembered: what the next call to the table refuses, continues or sends."""

import importlib
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from batches import batch_ranges

import pandas_clicdata as cd
from pandas_clicdata.write import journal

# The package has a function of the same name.
memory: Any = importlib.import_module("pandas_clicdata.write.unfinished")

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

ROWS, BATCH = 30, 5
FRAME = pd.DataFrame({"n": range(ROWS), "t": [f"canary {n}" for n in range(ROWS)]})
CORRECTED = FRAME.assign(t=FRAME["t"].where(FRAME["n"] != 2, "corrected"))
OTHER = FRAME.assign(n=FRAME["n"] + 1000)
EMPTY = FRAME.head(0)


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    """Give each test a state folder."""
    folder = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture(params=["2025.3", "unversioned"])
def service(request, serve):
    return serve(request.param, page_size=50)


def push(session, frame=FRAME, **options):
    return frame.clicdata.push("T", **{"chunksize": BATCH, "reconcile_wait": 0, "session": session, **options})


def append(session, frame=FRAME, **options):
    return frame.clicdata.append("T", **{"chunksize": BATCH, "reconcile_wait": 0, "session": session, **options})


def stop(sandbox, write, kind="lose_reply", nth=3):
    """Stop a write at its third batch, and return the error."""
    sandbox.faults.script(kind, operation="append", nth=nth)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        write()
    sandbox.faults.clear()
    return caught.value


def forget_in_process():
    """Leave only what the state folder has, as a new kernel does."""
    memory._in_process.clear()
    memory._finished_in_process.clear()


def hour():
    return f"{datetime.now(UTC):%Y-%m-%d %H}"


def numbers(sandbox):
    return sorted(row["n"] for row in sandbox.ledger.rows("T"))


# What is done after a push that stopped, and the error of it; None if it is sent in addition, with a note.
AFTER_A_STOP = {
    "the same cell": (lambda s: push(s), cd.TableExistsError),
    "push to append": (lambda s: push(s, if_exists="append"), cd.UnfinishedWriteError),
    "push a correction to append": (lambda s: push(s, CORRECTED, if_exists="append"), cd.UnfinishedWriteError),
    "push other rows to append": (lambda s: push(s, OTHER, if_exists="append"), cd.UnfinishedWriteError),
    "push a stream to append": (
        lambda s: cd.push(pa.Table.from_pandas(FRAME).to_reader(), "T", if_exists="append", session=s),
        cd.UnfinishedWriteError,
    ),
    "append": (lambda s: append(s), cd.UnfinishedWriteError),
    "append by RecId": (lambda s: FRAME.clicdata.append(1001, session=s), cd.UnfinishedWriteError),
    "append a correction": (lambda s: append(s, CORRECTED), cd.UnfinishedWriteError),
    "append a stream": (
        lambda s: cd.append(pa.Table.from_pandas(FRAME).to_reader(max_chunksize=2), "T", session=s),
        cd.UnfinishedWriteError,
    ),
    "append other rows": (lambda s: append(s, OTHER), None),
    "append a stream of other rows": (
        lambda s: cd.append(pa.Table.from_pandas(OTHER).to_reader(max_chunksize=2), "T", session=s),
        None,
    ),
}


@pytest.mark.parametrize("known_by", ["process", "folder"])
@pytest.mark.parametrize("kind", ["lose_reply", "status"])
@pytest.mark.parametrize("case", AFTER_A_STOP)
def test_after_a_stop_rows_are_not_stored_twice(service, state, case, kind, known_by):
    sandbox, session = service
    if known_by == "process":
        state.write_text("a file, so that there can be no folder")
    if kind == "status":
        sandbox.faults.status(400, operation="append", nth=3)
        with pytest.raises(cd.IncompleteWriteError):
            push(session)
        sandbox.faults.clear()
    else:
        stop(sandbox, lambda: push(session))
    if known_by == "folder":
        forget_in_process()
    before = numbers(sandbox)
    act, error = AFTER_A_STOP[case]
    if error is None:
        receipt = act(session)
        assert any("A push to table 'T'" in note for note in receipt.notes)
        assert numbers(sandbox) == sorted([*before, *OTHER["n"]])
    else:
        with pytest.raises(error, match=r"resume=True\).*# continue") as caught:
            act(session)
        assert numbers(sandbox) == before
        assert "canary" not in str(caught.value)
    # The line that the message prints completes the table.
    line = cd.unfinished(session=session)["resume"].item()
    call = f"{line[:-1]}, session=session)"
    receipt = eval(call, {"df": FRAME, "session": session})
    assert receipt.sent == ROWS
    assert numbers(sandbox) == sorted([*range(ROWS), *(OTHER["n"] if error is None else [])])
    assert len(cd.unfinished(session=session)) == 0


@pytest.mark.parametrize("write", [push, append])
def test_a_stopped_write_is_listed_and_can_be_discarded(service, write):
    sandbox, session = service
    if write is append:
        push(session, EMPTY)
    error = stop(sandbox, lambda: write(session))
    listed = cd.unfinished(session=session)
    assert list(listed["operation"]) == [write.__name__]
    assert listed[["rows", "confirmed", "unknown"]].to_numpy().tolist() == [
        [ROWS, sum(stop - start for start, stop in error.confirmed), sum(b - a for a, b in error.unknown)]
    ]
    assert not listed["running"].any()
    assert (listed["started"] <= listed["stopped"]).all()
    with pytest.raises(cd.ResumeError, match=r"cd\.unfinished\(\)"):
        cd.discard_unfinished("nothing", session=session)
    cd.discard_unfinished(listed["id"].item(), session=session)
    assert len(cd.unfinished(session=session)) == 0
    assert append(session, OTHER).notes == ()


def test_rows_that_were_not_sent_can_be_corrected(service):
    sandbox, session = service
    stop(sandbox, lambda: push(session))
    frame = FRAME.assign(t=FRAME["t"].where(FRAME["n"] != ROWS - 1, "corrected"))
    assert push(session, frame, resume=True, on_unknown="check").sent == ROWS
    assert sandbox.ledger.rows("T")[-1]["t"] == "corrected"


DIFFERENCES = {
    "a value": (CORRECTED, {}, "differ from those that were sent"),
    "the order": (FRAME.iloc[::-1], {}, "differ from those that were sent"),
    "fewer rows": (FRAME.head(ROWS - 1), {}, "had 30 rows, and this frame has 29"),
    "a column": (FRAME[["n"]], {}, "columns"),
    "a type": (FRAME.assign(n=FRAME["n"].astype(str)), {}, "columns or their types"),
    "on=": (FRAME, {"on": "n"}, "on= differs"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_a_call_that_does_not_continue_the_write_is_refused(service, case):
    sandbox, session = service
    stop(sandbox, lambda: push(session))
    before = numbers(sandbox)
    frame, options, reason = DIFFERENCES[case]
    with pytest.raises(cd.ResumeError, match=reason):
        push(session, frame, resume=True, **options)
    assert numbers(sandbox) == before


FINISHED = {
    "the same cell": (lambda s: push(s), cd.TableExistsError, "nothing is left to do"),
    "push to append": (lambda s: push(s, if_exists="append"), cd.RowsExistError, "resume=False"),
    "append": (lambda s: append(s), cd.RowsExistError, "resume=False"),
    "append a correction": (lambda s: append(s, CORRECTED), cd.RowsExistError, "resume=False"),
}


@pytest.mark.parametrize("known_by", ["process", "folder"])
@pytest.mark.parametrize("case", FINISHED)
def test_rows_of_a_complete_write_are_refused(service, state, case, known_by):
    sandbox, session = service
    if known_by == "process":
        state.write_text("a file, so that there can be no folder")
    began = hour()
    push(session)
    if known_by == "folder":
        forget_in_process()
    act, error, text = FINISHED[case]
    with pytest.raises(error, match=rf"complete on ({began}|{hour()})(?s:.*){text}"):
        act(session)
    assert numbers(sandbox) == list(range(ROWS))
    assert append(session, OTHER).sent == ROWS
    again = push(session, resume=True)
    assert again.sent == ROWS
    assert "Nothing was sent" in again.notes[-1]
    assert numbers(sandbox) == sorted([*range(ROWS), *OTHER["n"]])
    append(session, resume=False)
    assert numbers(sandbox) == sorted([*range(ROWS), *range(ROWS), *OTHER["n"]])


def test_resume_true_writes_normally_if_there_is_nothing_to_continue(service):
    sandbox, session = service
    assert push(session, resume=True).sent == ROWS
    assert append(session, OTHER, resume=True).sent == ROWS
    assert numbers(sandbox) == sorted([*range(ROWS), *OTHER["n"]])


def stop_before_the_first_row(sandbox, session):
    sandbox.faults.status(403, operation="append")
    with pytest.raises(cd.IncompleteWriteError):
        push(session)
    assert numbers(sandbox) == []
    assert len(cd.unfinished(session=session)) == 1


@pytest.mark.parametrize("write", [append, lambda session: push(session, if_exists="append")])
def test_a_push_without_rows_is_not_continued_if_its_rows_were_sent_by_another_call(service, write):
    sandbox, session = service
    stop_before_the_first_row(sandbox, session)
    write(session)
    assert push(session, resume=True).sent == ROWS
    assert numbers(sandbox) == list(range(ROWS))
    assert len(cd.unfinished(session=session)) == 0


def test_a_push_without_rows_is_refused_if_most_of_its_rows_were_sent_by_another_call(service):
    sandbox, session = service
    stop_before_the_first_row(sandbox, session)
    append(session, CORRECTED)
    with pytest.raises(cd.RowsExistError):
        push(session, resume=True)
    assert numbers(sandbox) == list(range(ROWS))


def test_a_push_without_rows_is_continued_beside_other_rows(service):
    sandbox, session = service
    stop_before_the_first_row(sandbox, session)
    append(session, OTHER)
    push(session, resume=True)
    assert numbers(sandbox) == [*range(ROWS), *range(1000, 1000 + ROWS)]


def test_a_stopped_push_is_continued_by_append_and_by_a_stream(service):
    sandbox, session = service
    stop(sandbox, lambda: push(session))
    reader = pa.Table.from_pandas(FRAME).to_reader(max_chunksize=3)
    receipt = cd.append(reader, "T", resume=True, on_unknown="check", reconcile_wait=0, session=session)
    assert receipt.sent == ROWS
    assert numbers(sandbox) == list(range(ROWS))


def test_a_stopped_stream_is_continued(service):
    sandbox, session = service
    options = {"chunksize": BATCH, "reconcile_wait": 0, "session": session}
    stop(sandbox, lambda: cd.push(pa.Table.from_pandas(FRAME).to_reader(), "T", **options))
    assert cd.unfinished(session=session)["rows"].isna().all()
    line = cd.unfinished(session=session)["resume"].item()
    assert line.startswith('cd.push(data, "T"')
    with pytest.raises(cd.TableExistsError, match=r"\d+ rows of a stream are in the table, and perhaps 5 more"):
        cd.push(pa.Table.from_pandas(FRAME).to_reader(), "T", **options)
    reader = pa.Table.from_pandas(FRAME).to_reader()
    receipt = cd.push(reader, "T", resume=True, on_unknown="check", **options)
    assert receipt.sent == ROWS
    assert numbers(sandbox) == list(range(ROWS))


@pytest.mark.parametrize("first", ["token", "resume=True"])
def test_a_continued_write_that_stops_again_is_continued(service, first):
    sandbox, session = service
    error = stop(sandbox, lambda: push(session), kind="lose_reply", nth=2)
    again = {"resume": error.resume if first == "token" else True, "on_unknown": "check"}
    stopped = stop(sandbox, lambda: push(session, **{**again, "on_unknown": "raise"}), nth=2)
    assert stopped.confirmed
    listed = cd.unfinished(session=session)
    assert listed["confirmed"].tolist() == [sum(stop - start for start, stop in stopped.confirmed)]
    assert push(session, resume=True, on_unknown="check").sent == ROWS
    assert numbers(sandbox) == list(range(ROWS))
    assert len(cd.unfinished(session=session)) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_knows_the_stopped_writes(service, monkeypatch):
    sandbox, session = service
    monkeypatch.setenv("CLICDATA_JOURNAL", "0")
    stop(sandbox, lambda: push(session))
    answer, end = os.pipe()
    child = os.fork()
    if not child:
        os.write(end, str(len(cd.unfinished(session=session))).encode())
        os._exit(0)
    os.close(end)
    with os.fdopen(answer) as file:
        assert file.read() == "1"
    os.waitpid(child, 0)


def test_stamped_rows_are_recognized(service):
    sandbox, session = service
    sandbox.faults.status(400, operation="append", nth=3)
    with pytest.raises(cd.IncompleteWriteError):
        push(session, stamp="batch")
    sandbox.faults.clear()
    push(session, stamp="batch", resume=True, if_exists="append")
    assert numbers(sandbox) == list(range(ROWS))
    with pytest.raises(cd.RowsExistError):
        append(session, stamp="batch")


def test_a_replace_is_not_refused_and_supersedes(service):
    sandbox, session = service
    stop(sandbox, lambda: push(session))
    assert push(session, OTHER, if_exists="replace").sent == ROWS
    assert numbers(sandbox) == list(OTHER["n"])
    assert len(cd.unfinished(session=session)) == 0
    # The rows of the first push are not in the table any more.
    assert append(session).sent == ROWS


def test_a_replace_is_repeated_if_it_was_not_the_last_write(service):
    sandbox, session = service
    push(session)
    # The rows are there, but so may be others.
    push(session, if_exists="replace", resume=True)
    assert numbers(sandbox) == list(range(ROWS))
    sandbox.requests.clear()
    again = push(session, if_exists="replace", resume=True)
    assert "Nothing was sent" in again.notes[-1]
    assert sandbox.requests.counts()["append"] == 0
    append(session, OTHER)
    push(session, if_exists="replace", resume=True)
    assert numbers(sandbox) == list(range(ROWS))


def test_a_stopped_replace_is_continued(service):
    sandbox, session = service
    push(session, OTHER)
    sandbox.faults.status(400, operation="append", nth=3)
    with pytest.raises(cd.ReplaceIncompleteError, match="resume=True"):
        push(session, if_exists="replace")
    sandbox.faults.clear()
    forget_in_process()
    with pytest.raises(cd.UnfinishedWriteError):
        push(session, if_exists="append")
    with pytest.raises(cd.ResumeError, match="it was a replace"):
        push(session, resume=True)
    assert push(session, if_exists="replace", resume=True).sent == ROWS
    assert numbers(sandbox) == list(range(ROWS))


@pytest.mark.inside("deletes the table in the sandbox's storage, because the API cannot")
def test_a_table_that_was_deleted_forgets_its_stopped_write(service):
    sandbox, session = service
    stop(sandbox, lambda: push(session))
    store = sandbox.ledger._store
    store._tables.clear()
    with store.transaction() as db:
        db.execute("DELETE FROM tables")
    receipt = push(session)
    assert "no such table any more" in receipt.notes[0]
    assert len(cd.unfinished(session=session)) == 0
    assert numbers(sandbox) == list(range(ROWS))


def test_false_sends_anyway_and_forgets(service):
    sandbox, session = service
    stop(sandbox, lambda: push(session), kind="lose_reply")
    push(session, if_exists="append", resume=False)
    assert len(cd.unfinished(session=session)) == 0
    assert set(numbers(sandbox)) == set(range(ROWS))
    assert len(numbers(sandbox)) > ROWS


@pytest.mark.parametrize("by", ["parameter", "variable"])
def test_without_a_journal_only_the_process_remembers(service, state, monkeypatch, by):
    sandbox, session = service
    options = {"journal": False} if by == "parameter" else {}
    if by == "variable":
        monkeypatch.setenv("CLICDATA_JOURNAL", " 0 ")
    stop(sandbox, lambda: push(session, **options))
    assert not state.exists()
    with pytest.raises(cd.UnfinishedWriteError):
        push(session, if_exists="append", **options)
    assert push(session, resume=True, on_unknown="check", **options).sent == ROWS
    # Equal rows may be sent again.
    append(session, **options)
    assert not state.exists()
    if by == "parameter":
        append(session)
        with pytest.raises(cd.RowsExistError):
            append(session)
        return
    forget_in_process()
    append(session, OTHER, **options)
    assert numbers(sandbox) == sorted([*range(ROWS), *range(ROWS), *OTHER["n"]])


def test_the_receipt_says_that_no_journal_could_be_created(service, state):
    sandbox, session = service
    state.mkdir()
    (state / "pandas_clicdata").write_text("a file instead of a folder")
    receipt = push(session)
    assert "No journal was kept" in receipt.notes[0]
    stop(sandbox, lambda: append(session, OTHER), nth=2)
    with pytest.raises(cd.UnfinishedWriteError):
        append(session, OTHER)
    assert numbers(sandbox)[:ROWS] == list(range(ROWS))


def test_a_journal_that_cannot_be_written_later_stops_the_write(service, monkeypatch):
    sandbox, session = service
    write, calls = os.write, []

    def full(handle, data):
        if b'"event"' in data:
            calls.append(handle)
            if len(calls) > 6:
                raise OSError(28, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(cd.IncompleteWriteError, match="No space left"):
        push(session)
    monkeypatch.undo()
    assert 0 < len(numbers(sandbox)) < ROWS


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_files_are_private_without_values_and_small(service, state):
    sandbox, session = service
    old = os.umask(0)
    try:
        stop(sandbox, lambda: push(session))
        stopped = [path for path in state.rglob("*") if path.is_file()]
        push(session, resume=True, on_unknown="check")
    finally:
        os.umask(old)
    done = [path for path in state.rglob("*") if path.is_file()]
    assert len(done) == 1
    assert json.loads(done[0].read_bytes())["format"] == "pandas_clicdata write 3"
    for path in [*done, *state.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path == state
        if path.is_file():
            assert b"canary" not in path.read_bytes()
            assert sandbox.client_secret.encode() not in path.read_bytes()
    assert {path.suffix for path in stopped} == {".journal", ".lock"}


def test_the_time_of_a_complete_write_is_that_of_its_end(service, state):
    _, session = service
    push(session)
    forget_in_process()
    (record,) = state.rglob("*.json")
    facts = json.loads(record.read_bytes())
    del facts["seal"]
    long_ago = journal.with_checksum({**facts, "done": {**facts["done"], "at": 86400.0}})
    record.write_text(json.dumps(long_ago))
    # More than 30 days ago, so it counts no more.
    assert append(session).sent == ROWS


def test_old_and_superfluous_records_are_removed(service, state, monkeypatch):
    _, session = service
    monkeypatch.setattr(memory, "_RECORDS_PER_TABLE", 3)
    push(session, EMPTY)
    for number in range(5):
        append(session, FRAME.assign(n=FRAME["n"] + 100 * number))
    assert len(list(state.rglob("*.json"))) == 3
    for path in state.rglob("*.json"):
        os.utime(path, (0, 0))
    append(session, FRAME.assign(n=FRAME["n"] + 1000))
    assert len(list(state.rglob("*.json"))) == 1


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"format": 1}', b"[" * 100_000, b"\xff", b"{}\n"])
def test_a_damaged_file_is_ignored(service, state, damage):
    sandbox, session = service
    push(session)
    stop(sandbox, lambda: append(session, OTHER), nth=2)
    for path in state.rglob("*.j*"):
        if path.suffix != ".lock":
            path.write_bytes(damage)
    forget_in_process()
    assert len(cd.unfinished(session=session)) == 0
    assert push(session, if_exists="append").sent == ROWS


RUNNING = """
import json, sys
import pandas as pd
import pandas_clicdata as cd
from pandas_clicdata.write import journal
session = cd.Session(**json.loads(sys.argv[1]))
frame = pd.DataFrame({"n": range(30), "t": [f"canary {n}" for n in range(30)]})
frame.clicdata.push("T", chunksize=5, session=session)
"""


def test_a_write_that_is_running_in_another_process_is_not_continued(serve, state):
    sandbox, session = serve("2025.3", page_size=50)
    sandbox.faults.hang(operation="append", nth=3)
    account = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, "base_url": sandbox.url}
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    process = subprocess.Popen([sys.executable, "-c", RUNNING, json.dumps(account)], env=environment)
    try:
        sandbox.faults.wait_held()
        assert list(cd.unfinished(session=session)["running"]) == [True]
        with pytest.raises(cd.JournalInUseError, match="still running"):
            push(session, resume=True)
        with pytest.raises(cd.JournalInUseError, match="still running"):
            cd.discard_unfinished(cd.unfinished(session=session)["id"].item(), session=session)
        process.kill()
        process.wait()
    finally:
        process.kill()
        process.wait()
        sandbox.faults.release()
        sandbox.faults.clear()
    start, end = batch_ranges(ROWS, BATCH, "2025.3")[2]
    listed = cd.unfinished(session=session)
    assert listed[["confirmed", "unknown", "running"]].to_numpy().tolist() == [[start, end - start, False]]
    assert push(session, resume=True, on_unknown="check").sent == ROWS
    assert numbers(sandbox) == list(range(ROWS))


@pytest.mark.skipif(os.name == "nt", reason="sets HOME")
def test_the_home_directory_may_be_abbreviated(service, tmp_path, monkeypatch):
    sandbox, session = service
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    push(session, journal="~/a.push")
    receipt = push(session, OTHER, if_exists="replace", backup="~")
    assert (tmp_path / "a.push").is_file()
    assert receipt.backup is not None
    backup = Path(receipt.backup)
    assert backup.parent == tmp_path
    assert cd.restore(f"~/{backup.name}", "T", reconcile_wait=0, session=session).rows == ROWS
    assert numbers(sandbox) == list(range(ROWS))
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    "path", ["s3://bucket/old", Path("gs://bucket/old"), "https://a.example/old", "~nobody-here/old"]
)
@pytest.mark.parametrize("parameter", ["journal", "backup", "restore"])
def test_a_path_that_is_not_on_this_machine_is_refused(service, path, parameter):
    sandbox, session = service
    before = len(sandbox.requests)
    call = {
        "restore": lambda: cd.restore(path, "T", session=session),
        "journal": lambda: push(session, journal=path),
        "backup": lambda: push(session, if_exists="replace", backup=path),
    }[parameter]
    with pytest.raises(ValueError, match=r"must be a path on this machine|home directory"):
        call()
    assert len(sandbox.requests) == before


@pytest.mark.skipif(os.name == "nt", reason="needs named pipes and links")
def test_a_named_pipe_is_refused_and_a_link_is_the_same_journal(service, tmp_path):
    sandbox, session = service
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(cd.ResumeError, match="not a regular file"):
        push(session, journal=tmp_path / "pipe")
    push(session, journal=tmp_path / "a.push")
    (tmp_path / "link.push").symlink_to(tmp_path / "a.push")
    assert "Nothing was sent" in push(session, journal=tmp_path / "link.push").notes[0]
    assert numbers(sandbox) == list(range(ROWS))
    assert stat.S_IMODE((tmp_path / "a.push.lock").stat().st_mode) == 0o600
