"""Rows that could be lost or doubled although each part works.

The causes are the order of events, used tokens, late deletions, other writers, and values in another form.
"""

import sys
import threading

import pandas as pd
import pytest
from batches import batch_ranges

import pandas_clicdata as cd
from pandas_clicdata.write.journal import Identity, Journal

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

BATCH = 5
ROWS = 30
FRAME = pd.DataFrame({"n": range(ROWS), "t": [f"row {n}" for n in range(ROWS)]})
MODES = {
    "raise": {},
    "check": {"on_unknown": "check"},
    "on": {"on": "n"},
    "stamp": {"stamp": "push_batch"},
}


@pytest.fixture(params=["2025.3", "unversioned"])
def version(request):
    return request.param


@pytest.fixture
def session(version, running, open_session):
    yield open_session(running, version)
    running.faults.clear()
    running.faults.release()


def stored(sandbox, table):
    return sorted(row["n"] for row in sandbox.ledger.rows(table))


def send(table, session, frame=FRAME, **options):
    return frame.clicdata.append(table, chunksize=BATCH, session=session, **{"reconcile_wait": 0.1, **options})


def stop_write(table, session, **options):
    with pytest.raises(cd.IncompleteWriteError) as caught:
        send(table, session, **options)
    return caught.value


@pytest.fixture
def table(name, session):
    """Create a table with a column for stamps and one row without a stamp."""
    pd.DataFrame({"n": [-1], "t": ["before"]}).clicdata.push(name, stamp="push_batch", session=session)
    return name


@pytest.fixture
def plain(name, session):
    """Create a table without a column for stamps."""
    pd.DataFrame({"n": [-1], "t": ["before"]}).clicdata.push(name, session=session)
    return name


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture
def target(mode, request):
    """Return the table for a mode."""
    return request.getfixturevalue("table" if "stamp" in mode else "plain")


def test_batch_numbers_are_unique_while_another_thread_records_events():
    journal = Journal(Identity(operation="push", table="T", account="", rows=0, columns=[], frame=str))
    begun, done, before = threading.Event(), threading.Event(), sys.getswitchinterval()

    def record_events():
        while not done.is_set():
            begun.set()
            journal.apply({"event": "sending", "batch": 0, "ranges": [(0, 1)], "mark": None, "digest": "", "at": 0})

    thread = threading.Thread(target=record_events)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        begun.wait()
        given = [journal.next_number() for _ in range(100_000)]
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(before)
    assert len(set(given)) == 100_000


def test_a_token_can_be_used_once(running, session, target, mode):
    running.faults.status(400, operation="append", nth=3)
    error = stop_write(target, session, **mode)
    assert send(target, session, resume=error.resume, **mode).sent == ROWS
    with pytest.raises((cd.ResumeError, cd.RowsExistError), match="used before"):
        send(target, session, resume=error.resume, **mode)
    assert stored(running, target) == [-1, *range(ROWS)]


def test_a_token_of_a_write_that_sent_nothing_can_be_used_once(running, session, target, mode):
    running.faults.status(400, operation="append")
    error = stop_write(target, session, **mode)
    send(target, session, resume=error.resume, **mode)
    with pytest.raises((cd.ResumeError, cd.RowsExistError), match="used before"):
        send(target, session, resume=error.resume, **mode)
    assert stored(running, target) == [-1, *range(ROWS)]


def test_rows_of_another_writer_do_not_prevent_a_resume(running, session, target, mode):
    running.faults.status(400, operation="append", nth=3)
    error = stop_write(target, session, **mode)
    other_rows = pd.DataFrame({"n": [100, 101], "t": ["other", "other"]})
    other_rows = other_rows.assign(push_batch="other") if "stamp" in mode else other_rows
    other_rows.clicdata.append(target, session=session)
    send(target, session, resume=error.resume, **mode)
    assert stored(running, target) == [-1, *range(ROWS), 100, 101]


@pytest.mark.parametrize("resume_by", ["token", "journal"])
def test_keys_sent_by_another_writer_are_not_sent_again(running, session, plain, resume_by, tmp_path):
    options = {"on": "n", "journal": tmp_path / "journal"} if resume_by == "journal" else {"on": "n"}
    running.faults.status(403, operation="append")
    error = stop_write(plain, session, **options)
    FRAME.clicdata.append(plain, session=session)
    with pytest.raises(cd.RowsExistError):
        send(plain, session, **options, **({} if resume_by == "journal" else {"resume": error.resume}))
    assert stored(running, plain) == [-1, *range(ROWS)]


def test_a_late_deletion_by_stamp_deletes_no_row_that_was_found(running, session, table):
    """The first try commits after it counted as lost; its deletion is late, too, and commits after the next read."""
    mode = MODES["stamp"]
    running.faults.late_commit(operation="append", nth=2)
    running.faults.late_commit(operation="delete", times=3)

    error = stop_write(table, session, **mode)
    # The rows and their deletions are carried out now, in the order of the requests.
    running.faults.release()
    send(table, session, resume=error.resume, **mode)
    running.faults.release()
    assert stored(running, table) == [-1, *range(ROWS)]


@pytest.mark.slow
def test_a_row_deleted_by_a_late_deletion_by_key_is_sent_again(running, session, plain):
    # The rows arrive after they counted as lost, and the deletion before it would; both with a second to spare.
    running.faults.late_commit(operation="append", nth=2, delay=3)
    running.faults.late_commit(operation="delete", delay=1)
    receipt = send(plain, session, reconcile_wait=2, on="n", verify=True)
    running.faults.release()
    assert running.faults.pending == []
    assert stored(running, plain) == [-1, *range(ROWS)]
    assert receipt.sent == ROWS


@pytest.mark.parametrize("mode", ["check", "on"])
def test_rows_that_cannot_be_recognized_are_not_sent_again(running, session, version, plain, mode):
    """Another writer changes confirmed rows, as if the service returned values in another form."""
    start, stop = batch_ranges(ROWS, BATCH, version)[2]
    running.faults.lose_reply(operation="append", after_commit=False, nth=3)
    changed = pd.DataFrame({"n": [0], "t": ["other"]})

    def change_row(done, total):
        if done == start:
            changed.clicdata.update_rows(plain, on="n", session=session)

    options = {"on_unknown": "check"} if mode == "check" else {"on": "t"}
    error = stop_write(plain, session, progress=change_row, **options)
    assert "not sent again" in str(error)
    assert error.unknown == [(start, stop)]
    assert len(stored(running, plain)) == 1 + ROWS - (stop - start)


def test_rows_are_not_sent_again_if_the_table_has_unexplained_rows(running, session, name):
    """The rows of the lost reply are stored in another form, and no confirmed row shows that form."""
    frame = FRAME.head(BATCH)
    frame.head(0).clicdata.push(name, session=session)
    running.faults.lose_reply(operation="append", after_commit=False)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        frame.clicdata.append(name, session=session)
    frame.assign(t="in another form").clicdata.append(name, session=session)
    with pytest.raises(cd.AmbiguousWriteError, match="unexplained"):
        frame.clicdata.append(name, resume=caught.value.resume, on_unknown="check", reconcile_wait=0, session=session)
    assert len(stored(running, name)) == BATCH


def test_a_late_deletion_deletes_no_row_sent_after_it(running, session, plain):
    FRAME.clicdata.append(plain, session=session)
    running.faults.late_commit(operation="delete", delay=0.1)
    receipt = FRAME.head(3).clicdata.delete_rows(plain, on="n", reconcile_wait=0.3, session=session)
    FRAME.head(3).clicdata.append(plain, session=session)
    running.faults.release()
    assert stored(running, plain) == [-1, *range(ROWS)]
    assert "late" in receipt.notes[0]


def test_a_late_update_does_not_undo_a_later_update(running, session, plain):
    first, second = (pd.DataFrame({"n": [-1], "t": [text]}) for text in ("first", "second"))
    running.faults.late_commit(operation="update", delay=0.1)
    assert first.clicdata.upsert(plain, on="n", reconcile_wait=0.3, session=session).notes
    second.clicdata.upsert(plain, on="n", reconcile_wait=0.3, session=session)
    running.faults.release()
    assert running.ledger.rows(plain)[0]["t"] == "second"


def test_rows_sent_again_by_content_are_verified_after_a_resume(running, session, version, plain):
    """The write stops in the last wait; without the mode, a resume would not read the table again."""
    running.faults.late_commit(operation="append", nth=len(batch_ranges(ROWS, BATCH, version)))

    def stop_when_all_is_sent(done, total):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        send(plain, session, on_unknown="check", progress=stop_when_all_is_sent)
    error = caught.value.__cause__
    assert isinstance(error, cd.IncompleteWriteError)
    token = error.resume
    running.faults.release()
    with pytest.raises(cd.ResumeError, match="on_unknown='check'"):
        send(plain, session, resume=token)
    with pytest.raises(cd.VerificationError, match="twice"):
        send(plain, session, resume=token, on_unknown="check")
