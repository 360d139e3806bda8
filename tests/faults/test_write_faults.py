"""Faults during writes: no row is stored twice, and the error reports the exact row ranges."""

import contextlib
import itertools
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from batches import batch_ranges, rows_of_batches
from interrupts import main_thread_id, press_ctrl_c
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
BATCH = 5
BATCHES = 6
ROWS = BATCH * BATCHES
POSITIONS = {"first": 1, "middle": 3, "last": BATCHES}


def frame_of(rows):
    return pd.DataFrame({"n": range(rows), "t": [f"row {n}" for n in range(rows)]})


FRAME = frame_of(ROWS)


def whole_batches(api_version, workers, chunksize=BATCH):
    """Return a frame that fills BATCHES batches, and the row range of each batch."""
    rows = rows_of_batches(BATCHES, chunksize, api_version, workers)
    return frame_of(rows), batch_ranges(rows, chunksize, api_version, workers)


def rows_that_fill_batches(rows, api_version, workers=1):
    """Return how many of the first rows of a stream fill complete batches."""
    return max(stop for _, stop in batch_ranges(2 * rows, BATCH, api_version, workers) if stop <= rows)


def positions_in(ranges):
    return [row for start, stop in ranges for row in range(start, stop)]


def committed(sandbox, table):
    """Return every inserted row, by its position in the frame."""
    return sorted(row["n"] for _, rows in sandbox.ledger.inserts(table) for row in rows)


def check_ranges(error, sandbox, table, rows=ROWS):
    """Check that the ranges are disjoint, cover the frame, and agree with what the sandbox has committed."""
    confirmed, unknown, unsent = map(positions_in, (error.confirmed, error.unknown, error.unsent))
    assert sorted(confirmed + unknown + unsent) == list(range(rows))
    stored = committed(sandbox, table)
    assert len(stored) == len(set(stored)), "a row was inserted twice"
    assert set(confirmed) <= set(stored)
    assert not set(unsent) & set(stored)


def append(session, table, workers=1, frame=FRAME, chunksize=BATCH):
    return frame.clicdata.append(table, chunksize=chunksize, workers=workers, session=session)


@pytest.fixture
def table(name):
    return name


@pytest.fixture
def fresh(running, table, open_session):
    """Return a function that returns the sandbox, with an empty request log, and a new session."""

    def make(api_version, **options):
        running.requests.clear()
        return running, open_session(running, api_version, **options)

    yield make
    running.faults.clear()
    running.faults.release()


@pytest.fixture
def ready(fresh, table):
    """Return a function like ``fresh`` that also creates the empty table."""

    def make(api_version, **options):
        sandbox, session = fresh(api_version, **options)
        FRAME.head(0).clicdata.push(table, session=session)
        return sandbox, session

    return make


every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
one_or_four = pytest.mark.parametrize("workers", [1, 4])


def at_each_position(faults, *others):
    """Parametrize a test with each fault at each position, with one worker and four, and with the others once."""
    cases = [*itertools.product(faults, POSITIONS, [1, 4]), *((case, "middle", 1) for case in others)]
    return pytest.mark.parametrize(("case", "position", "workers"), cases)


# What happens to one insert, and whether its rows are in the table afterwards.
UNKNOWN_OUTCOME: dict[str, Any] = {
    "reply lost after the commit": ("lose_reply", {"after_commit": True}, True),
    "reply lost before the commit": ("lose_reply", {"after_commit": False}, False),
    "committed after the connection was lost": ("late_commit", {}, False),
    "504 after the commit": ("status", {"code": 504, "after_commit": True}, True),
    "504 before the commit": ("status", {"code": 504}, False),
    "500 after the commit": ("status", {"code": 500, "after_commit": True}, True),
    "502": ("status", {"code": 502}, False),
    "503 without Retry-After": ("status", {"code": 503}, False),
    "503 with Retry-After": ("status", {"code": 503, "retry_after": 1}, False),
    "503 with Retry-After again and again": ("status", {"code": 503, "retry_after": 0, "times": 20}, False),
    "reply cut off": ("truncate_body", {}, True),
    "reply that is not JSON": ("garbage", {}, True),
    "error under HTTP 200": ("error_200", {"code": "Busy", "description": "Not now."}, False),
    "204 without a body": ("status", {"code": 204, "body": "", "after_commit": True}, True),
    "303": ("status", {"code": 303, "after_commit": True}, True),
}


@every_dialect
@at_each_position(list(UNKNOWN_OUTCOME)[:5], *list(UNKNOWN_OUTCOME)[5:])
def test_an_insert_of_unknown_outcome_is_not_sent_again(ready, table, api_version, case, position, workers):
    kind, options, in_table = UNKNOWN_OUTCOME[case]
    frame, ranges = whole_batches(api_version, workers)
    sandbox, session = ready(api_version)
    sandbox.faults.script(kind, operation="append", nth=POSITIONS[position], **options)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        append(session, table, workers, frame)
    error = caught.value
    check_ranges(error, sandbox, table, len(frame))
    # With several workers, the n-th request may carry another batch than the n-th.
    assert error.unknown in [[each] for each in ranges]
    unknown = positions_in(error.unknown)
    assert set(unknown) & set(committed(sandbox, table)) == (set(unknown) if in_table else set())
    if workers == 1:
        start, stop = ranges[POSITIONS[position] - 1]
        assert error.confirmed == ([(0, start)] if start else [])
        assert error.unknown == [(start, stop)]
        assert error.unsent == ([(stop, len(frame))] if stop < len(frame) else [])
        assert len(sandbox.requests.of("append")) == POSITIONS[position]
    assert error.ambiguous
    assert error.rec_id == sandbox.ledger.table_id(table)
    assert error.__cause__ is not None
    sandbox.faults.release()
    check_ranges(error, sandbox, table, len(frame))


@pytest.mark.parametrize(("api_version", "insert_counts"), [("2025.3", True), ("2025.3", False), ("unversioned", True)])
@pytest.mark.sampled(2)
def test_the_error_names_the_rows_that_were_accepted_without_a_count(serve, table, api_version, insert_counts):
    sandbox, session = serve(api_version, assume=Assumptions(insert_counts=insert_counts))
    FRAME.head(0).clicdata.push(table, session=session)
    sandbox.faults.lose_reply(operation="append", nth=2)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        append(session, table)
    assert caught.value.confirmed == [(0, BATCH)]
    counted = api_version != "unversioned" and insert_counts
    assert ("ClicData accepted 5 rows (0 to 4) without counting them." in str(caught.value)) is not counted


@pytest.mark.sampled(0)
@every_dialect
@at_each_position(["before"], "after")
def test_a_timeout_is_an_unknown_outcome(ready, table, api_version, case, position, workers):
    frame, ranges = whole_batches(api_version, workers)
    sandbox, session = ready(api_version, timeout=2)
    sandbox.faults.hang(operation="append", nth=POSITIONS[position], after_commit=case == "after")
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        append(session, table, workers, frame)
    assert isinstance(caught.value.__cause__, cd.RequestTimeoutError)
    check_ranges(caught.value, sandbox, table, len(frame))
    assert caught.value.unknown in [[each] for each in ranges]
    assert workers > 1 or caught.value.unknown == [ranges[POSITIONS[position] - 1]]


# Replies that show that nothing was done, so that the batch is sent again.
DID_NOTHING: dict[str, Any] = {
    "429": ("status", {"code": 429}),
    "401": ("status", {"code": 401}),
    "expired token": ("expire_token", {}),
    "429 with seconds": ("status", {"code": 429, "retry_after": 3}),
    "429 with a date": ("status", {"code": 429, "retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
}


@every_dialect
@at_each_position(list(DID_NOTHING)[:3], *list(DID_NOTHING)[3:])
def test_an_insert_that_did_nothing_is_sent_again(ready, table, api_version, case, position, workers):
    kind, options = DID_NOTHING[case]
    frame, _ = whole_batches(api_version, workers)
    sandbox, session = ready(api_version)
    sandbox.faults.script(kind, operation="append", nth=POSITIONS[position], **options)
    receipt = append(session, table, workers, frame)
    assert committed(sandbox, table) == list(range(len(frame)))
    assert (receipt.sent, receipt.batches) == (len(frame), BATCHES)
    assert receipt.status == ("unverified" if api_version == "unversioned" else "confirmed")
    # An expired token may affect several workers at once.
    assert receipt.retries == 1 or (case == "expired token" and receipt.retries <= workers)
    assert sandbox.faults.pending == []


# Replies that refuse a batch finally; its rows are not in the table.
REFUSED = {
    "400": ({"code": 400}, cd.ApiError),
    "429 again and again": ({"code": 429, "times": 20}, cd.RateLimitError),
    "401 again and again": ({"code": 401, "times": 20}, cd.AuthenticationError),
    "403": ({"code": 403}, cd.PermissionDeniedError),
    "404": ({"code": 404}, cd.NotFoundError),
}


@every_dialect
@at_each_position(list(REFUSED)[:2], *list(REFUSED)[2:])
def test_a_refused_batch_is_not_in_the_table(ready, table, api_version, case, position, workers):
    options, kind = REFUSED[case]
    frame, ranges = whole_batches(api_version, workers)
    sandbox, session = ready(api_version)
    sandbox.faults.status(operation="append", nth=POSITIONS[position], **options)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        append(session, table, workers, frame)
    error = caught.value
    assert not isinstance(error, cd.AmbiguousWriteError)
    assert not error.ambiguous
    assert isinstance(error.__cause__, kind)
    assert error.unknown == []
    check_ranges(error, sandbox, table, len(frame))
    assert set(positions_in(error.confirmed)) == set(committed(sandbox, table))
    assert workers > 1 or error.unsent == [(ranges[POSITIONS[position] - 1][0], len(frame))]


@one_or_four
@pytest.mark.parametrize("position", sorted(POSITIONS.values()))
def test_a_batch_with_a_lower_count_is_unknown(ready, table, workers, position):
    # Each batch has more than two rows.
    chunksize = 7
    frame, ranges = whole_batches("2025.3", workers, chunksize)
    sandbox, session = ready("2025.3")
    sandbox.faults.accept_fewer(2, operation="append", nth=position)
    with pytest.raises(cd.PartialWriteError) as caught:
        append(session, table, workers, frame, chunksize)
    error = caught.value
    check_ranges(error, sandbox, table, len(frame))
    assert error.unknown in [[each] for each in ranges]
    assert workers > 1 or error.unknown == [ranges[position - 1]]
    assert (error.sent, error.counted) == (len(positions_in(error.unknown)), 2)


@every_dialect
def test_without_counts_the_receipt_is_unverified(serve, table, api_version):
    sandbox, session = serve(api_version, assume=Assumptions(insert_counts=False))
    receipt = FRAME.clicdata.push(table, chunksize=BATCH, session=session)
    assert (receipt.status, receipt.confirmed, receipt.sent) == ("unverified", 0, ROWS)
    assert committed(sandbox, table) == list(range(ROWS))


@every_dialect
@one_or_four
@pytest.mark.parametrize(
    ("kind", "options"),
    [("lose_reply", {"times": 50}), ("status", {"code": 500, "times": 50}), ("status", {"code": 400, "times": 50})],
)
def test_a_token_that_cannot_be_renewed_leaves_no_row_unknown(ready, table, api_version, workers, kind, options):
    sandbox, session = ready(api_version)
    sandbox.faults.expire_token(operation="append", nth=4)
    sandbox.faults.script(kind, operation="token", **options)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        append(session, table, workers)
    assert not isinstance(caught.value, cd.AmbiguousWriteError)
    check_ranges(caught.value, sandbox, table)
    assert caught.value.unknown == []


@every_dialect
def test_a_token_that_expires_while_four_workers_send_is_renewed_once(ready, table, api_version):
    sandbox, session = ready(api_version)
    sandbox.requests.clear()
    sandbox.faults.expire_token(operation="append", nth=BATCHES // 2)
    append(session, table, workers=4)
    assert len(sandbox.requests.of("token")) == 1
    assert committed(sandbox, table) == list(range(ROWS))


# Faults of a create that was carried out, and of a create that was not.
CREATED: dict[str, Any] = {
    "reply lost": ("lose_reply", {}),
    "504": ("status", {"code": 504, "after_commit": True}),
    "500": ("status", {"code": 500, "after_commit": True}),
    "reply cut off": ("truncate_body", {}),
    "reply that is not JSON": ("garbage", {}),
}
NOT_CREATED: dict[str, Any] = {
    "reset": ("lose_reply", {"after_commit": False}),
    "504": ("status", {"code": 504}),
    "500": ("status", {"code": 500}),
}


def check_created_once(sandbox, table, receipt):
    assert receipt.rec_id == sandbox.ledger.table_id(table)
    assert list(sandbox.ledger.tables()).count(table) == 1
    assert committed(sandbox, table) == list(range(ROWS))


@every_dialect
@pytest.mark.parametrize("case", CREATED)
def test_a_create_with_a_lost_reply_is_looked_up_and_used(fresh, table, api_version, case):
    sandbox, session = fresh(api_version)
    kind, options = CREATED[case]
    sandbox.faults.script(kind, operation="create", **options)
    receipt = FRAME.clicdata.push(table, stamp="batch", session=session)
    check_created_once(sandbox, table, receipt)
    assert len(sandbox.requests.of("create")) == 1


@every_dialect
@pytest.mark.parametrize("case", NOT_CREATED)
def test_a_lost_create_is_retried(fresh, table, api_version, case):
    sandbox, session = fresh(api_version)
    kind, options = NOT_CREATED[case]
    sandbox.faults.script(kind, operation="create", times=2, **options)
    receipt = FRAME.clicdata.push(table, session=session)
    check_created_once(sandbox, table, receipt)
    assert len(sandbox.requests.of("create")) == 3


@every_dialect
def test_a_refused_create_is_not_retried(fresh, table, api_version):
    sandbox, session = fresh(api_version)
    sandbox.faults.error_200("Busy", "Not now.", operation="create")
    with pytest.raises(cd.ApiError, match="Not now") as caught:
        FRAME.clicdata.push(table, session=session)
    assert not isinstance(caught.value, cd.TableExistsError)
    assert table not in sandbox.ledger.tables()


@every_dialect
def test_a_late_create_after_its_retry_creates_no_second_table(fresh, table, api_version):
    sandbox, session = fresh(api_version)
    sandbox.faults.late_commit(operation="create")
    receipt = FRAME.clicdata.push(table, session=session)
    assert sandbox.faults.release() == 1
    check_created_once(sandbox, table, receipt)


@contextlib.contextmanager
def call_when_held(sandbox, count, act):
    """Call ``act`` in another thread when ``count`` requests are held; then release the requests."""

    def wait_and_act():
        sandbox.faults.wait_held(count)
        try:
            act()
        finally:
            sandbox.faults.release()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@every_dialect
def test_a_late_create_before_its_retry_is_used(serve, table, api_version):
    sandbox, session = serve(api_version)
    sandbox.faults.late_commit(operation="create")
    # The lookup after the lost reply finds no table; its reply comes only when the table exists.
    sandbox.faults.hang(operation="list", nth=2, after_commit=True)
    with call_when_held(sandbox, 2, lambda: None):
        receipt = FRAME.clicdata.push(table, session=session)
    check_created_once(sandbox, table, receipt)
    assert len(sandbox.requests.of("create")) == 2


# What another writer creates under the name, and the error; None if the table cannot be distinguished from ours.
OTHERS = {
    "rows": (FRAME.head(1), "it has rows"),
    "other columns": (FRAME.head(0)[["n"]], r"it has other columns \('n'\)"),
    "another type": (FRAME.head(0).astype({"t": "float64"}), "it has other columns"),
    "nothing but our columns": (FRAME.head(0), None),
}


@every_dialect
@pytest.mark.parametrize("case", OTHERS)
def test_a_lost_create_does_not_use_the_table_of_another_writer(serve, open_session, table, api_version, case):
    sandbox, session = serve(api_version)
    other, frame = open_session(sandbox, api_version), OTHERS[case][0]
    # The reply that the table does not exist comes only after the other writer has created it.
    sandbox.faults.hang(operation="list", after_commit=True)
    sandbox.faults.lose_reply(operation="create", nth=2, after_commit=False)
    message = OTHERS[case][1]
    expected = pytest.raises(cd.TableExistsError, match=message) if message else contextlib.nullcontext()
    with call_when_held(sandbox, 1, lambda: frame.clicdata.push(table, session=other)), expected:
        FRAME.clicdata.push(table, session=session)
    assert sandbox.faults.pending == []
    assert len(sandbox.requests.of("create")) == 2
    assert sandbox.ledger.count(table) == (len(frame) if message else ROWS)


@every_dialect
@pytest.mark.parametrize("created", [True, False])
def test_a_lost_create_on_a_service_that_does_not_list_columns(serve, table, api_version, created):
    sandbox, session = serve(api_version, assume=Assumptions(column_metadata=False))
    sandbox.faults.lose_reply(operation="create", after_commit=created)
    if created:
        with pytest.raises(cd.TableExistsError, match=r"does not list its columns.*if_exists='append'"):
            FRAME.clicdata.push(table, session=session)
        assert sandbox.requests.of("append") == []
        FRAME.clicdata.push(table, if_exists="append", session=session)
        assert committed(sandbox, table) == list(range(ROWS))
    else:
        check_created_once(sandbox, table, FRAME.clicdata.push(table, session=session))


@every_dialect
@pytest.mark.parametrize("lost", ["every create", "the lookup"])
@pytest.mark.parametrize("created_later", [False, True])
def test_no_row_is_sent_after_a_create_of_unknown_outcome(serve, table, api_version, lost, created_later):
    sandbox, session = serve(api_version)
    kind, options = ("late_commit", {}) if created_later else ("lose_reply", {"after_commit": False})
    sandbox.faults.script(kind, operation="create", times=50, **options)
    if lost == "the lookup":
        sandbox.faults.status(500, operation="list", nth=2, times=50)
    with pytest.raises(cd.AmbiguousWriteError, match="resume=True") as caught:
        FRAME.clicdata.push(table, session=session)
    error = caught.value
    assert (error.confirmed, error.unknown, error.unsent) == ([], [], [(0, ROWS)])
    assert sandbox.requests.of("append") == []
    sandbox.faults.clear()
    sandbox.faults.release()
    assert (table in sandbox.ledger.tables()) is created_later
    # By the token, or as the message says.
    resume = True if lost == "the lookup" else error.resume
    check_created_once(sandbox, table, FRAME.clicdata.push(table, resume=resume, session=session))


@every_dialect
@pytest.mark.parametrize("code", [429, 401])
def test_a_create_that_did_nothing_is_retried(fresh, table, api_version, code):
    sandbox, session = fresh(api_version)
    sandbox.faults.status(code, operation="create")
    FRAME.clicdata.push(table, session=session)
    assert committed(sandbox, table) == list(range(ROWS))


@every_dialect
@one_or_four
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lose_reply", {}),
        ("status", {"code": 504, "after_commit": True}),
        ("truncate_body", {}),
        ("status", {"code": 429}),
    ],
)
def test_a_delete_is_retried(ready, table, api_version, workers, kind, options):
    sandbox, session = ready(api_version)
    append(session, table)
    sandbox.faults.script(kind, operation="delete", nth=2, **options)
    receipt = FRAME.iloc[::2].clicdata.delete_rows(
        table, on=["n", "t"], workers=workers, reconcile_wait=0, session=session
    )
    assert receipt.retries == 1
    assert [row["n"] for row in sandbox.ledger.rows(table)] == list(range(1, ROWS, 2))


@every_dialect
def test_a_delete_that_always_fails_reports_its_rows(ready, table, api_version):
    sandbox, session = ready(api_version)
    append(session, table)
    sandbox.faults.lose_reply(operation="delete", nth=3, times=20)
    frame = FRAME.iloc[[4, 7, 4, 9, 12]]
    with pytest.raises(cd.AmbiguousWriteError, match="deleting again is harmless") as caught:
        frame.clicdata.delete_rows(table, on="n", session=session)
    # Rows 0 and 2 are equal and were sent as one condition.
    assert caught.value.confirmed == [(0, 3)]
    assert caught.value.unknown == [(3, 4)]
    assert caught.value.unsent == [(4, 5)]


@every_dialect
@pytest.mark.parametrize("first", [("lose_reply", {}), ("status", {"code": 504, "after_commit": True})])
def test_a_delete_that_may_have_been_carried_out_is_not_unsent_after_a_refusal(ready, table, api_version, first):
    sandbox, session = ready(api_version)
    append(session, table)
    kind, options = first
    sandbox.faults.script(kind, operation="delete", **options)
    sandbox.faults.status(429, operation="delete", nth=2, times=20)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        FRAME.head(2).clicdata.delete_rows(table, on="n", session=session)
    assert (caught.value.unknown, caught.value.unsent) == ([(0, 1)], [(1, 2)])
    assert 0 not in [row["n"] for row in sandbox.ledger.rows(table)]


class Stop(BaseException):
    """Like KeyboardInterrupt, not an Exception."""


@every_dialect
@one_or_four
@pytest.mark.parametrize("raised", [KeyboardInterrupt, Stop])
def test_an_interrupt_reports_the_ranges_and_is_raised(ready, table, api_version, workers, raised):
    sandbox, session = ready(api_version)

    def interrupt(done, total):
        if done >= 3 * BATCH:
            raise raised

    with pytest.raises(raised) as caught:
        FRAME.clicdata.append(table, chunksize=BATCH, workers=workers, progress=interrupt, session=session)
    error = caught.value.__cause__
    check_ranges(error, sandbox, table)
    assert set(positions_in(error.confirmed)) == set(committed(sandbox, table))


@contextlib.contextmanager
def acting_in_another_thread(act):
    """Call ``act`` in another thread, while Ctrl-C raises KeyboardInterrupt in this one."""
    INTERRUPTED.clear()
    before = signal.signal(signal.SIGINT, interrupt)
    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


# The frames that an interrupt of the main thread has ended.
INTERRUPTED: list[FrameType] = []


def interrupt(signum, frame):
    INTERRUPTED.extend(each for each, _ in traceback.walk_stack(frame))
    raise KeyboardInterrupt


def wait_until_main_thread_waits_again():
    """Return when the main thread waits on a condition again after an interrupt."""

    def waits_again():
        frame = sys._current_frames()[main_thread_id()]
        return INTERRUPTED and frame.f_code is threading.Condition.wait.__code__ and frame not in INTERRUPTED

    wait_until(waits_again)


@one_or_four
def test_ctrl_c_does_not_wait_for_a_retry(ready, table, workers):
    sandbox, session = ready("2025.3", retry=cd.RetryPolicy())
    sandbox.faults.status(429, retry_after=60, operation="append", times=20)

    def press():
        wait_until(lambda: sandbox.requests.of("append"))
        press_ctrl_c()

    started = time.monotonic()
    with acting_in_another_thread(press), pytest.raises(KeyboardInterrupt) as caught:
        append(session, table, workers)
    assert time.monotonic() - started < 20
    error = caught.value.__cause__
    assert isinstance(error, cd.IncompleteWriteError)
    assert error.unsent == [(0, ROWS)]
    check_ranges(error, sandbox, table)


def test_a_failed_batch_ends_the_wait_of_the_others(ready, table):
    sandbox, session = ready("2025.3", retry=cd.RetryPolicy(), timeout=2)
    # The batch that fails is in flight when the other has to wait, and so does not wait itself.
    sandbox.faults.hang(operation="append")
    sandbox.faults.status(429, retry_after=60, operation="append", nth=2)
    started = time.monotonic()
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        append(session, table, workers=2)
    assert time.monotonic() - started < 20
    assert isinstance(caught.value.__cause__, cd.RequestTimeoutError), "the cause, not its effect"
    # The first request carries one of the two batches in flight.
    assert caught.value.unknown in [[each] for each in batch_ranges(ROWS, BATCH, "2025.3", workers=2)[:2]]
    check_ranges(caught.value, sandbox, table)


@pytest.mark.parametrize("presses", [1, 2])
def test_only_the_first_ctrl_c_waits_for_the_batches_in_flight(ready, table, presses):
    sandbox, session = ready("2025.3")
    sandbox.faults.hang(after_commit=True, operation="append")

    def press():
        sandbox.faults.wait_held()
        press_ctrl_c()
        wait_until_main_thread_waits_again()
        if presses == 2:
            press_ctrl_c()
        else:
            sandbox.faults.release()

    with acting_in_another_thread(press), pytest.raises(KeyboardInterrupt) as caught:
        FRAME.clicdata.append(table, session=session)
    error = caught.value.__cause__
    assert isinstance(error, cd.IncompleteWriteError)
    assert (error.confirmed, error.unknown) == (([(0, ROWS)], []) if presses == 1 else ([], [(0, ROWS)]))
    check_ranges(error, sandbox, table)


def test_an_append_that_was_interrupted_twice_does_not_delay_the_next(ready, table):
    retry = cd.RetryPolicy(backoff=0, min_retry_after=0, max_retry_after=0, give_up_after=1)
    sandbox, session = ready("2025.3", retry=retry)
    sandbox.faults.hang(after_commit=True, operation="append")

    def press():
        sandbox.faults.wait_held()
        press_ctrl_c()
        wait_until_main_thread_waits_again()
        press_ctrl_c()

    with acting_in_another_thread(press), pytest.raises(KeyboardInterrupt):
        FRAME.clicdata.append(table, session=session)
    # The first append still hangs.
    sandbox.faults.status(429, operation="append")
    assert FRAME.clicdata.append(table, resume=False, session=session).confirmed == ROWS


@every_dialect
@pytest.mark.parametrize("batches_done", [3, BATCHES])
def test_a_progress_function_that_raises_leaves_the_ranges_exact(ready, table, api_version, batches_done):
    frame, ranges = whole_batches(api_version, workers=1)
    sandbox, session = ready(api_version)

    def fail(done, total):
        if done >= ranges[batches_done - 1][1]:
            raise RuntimeError("the widget is gone")

    with pytest.raises(cd.IncompleteWriteError, match="the widget is gone") as caught:
        frame.clicdata.append(table, chunksize=BATCH, progress=fail, session=session)
    check_ranges(caught.value, sandbox, table, len(frame))
    assert caught.value.unknown == []
    assert set(positions_in(caught.value.confirmed)) == set(committed(sandbox, table))


@every_dialect
@one_or_four
@pytest.mark.parametrize("error", [OSError("the disk is gone"), KeyboardInterrupt()])
def test_a_stream_that_breaks_reports_what_was_sent(ready, table, api_version, workers, error):
    sandbox, session = ready(api_version)
    arrow = pa.Table.from_pandas(FRAME, preserve_index=False)
    taken = 13
    sent_rows = rows_that_fill_batches(taken, api_version, workers)
    assert sent_rows < taken

    def batches():
        yield from arrow.slice(0, taken).to_batches()
        raise error

    reader = pa.RecordBatchReader.from_batches(arrow.schema, batches())
    with pytest.raises((cd.IncompleteWriteError, KeyboardInterrupt)) as caught:
        cd.append(reader, table, chunksize=BATCH, workers=workers, session=session)
    raised = caught.value if isinstance(error, Exception) else caught.value.__cause__
    assert isinstance(raised, cd.IncompleteWriteError)
    # More rows were taken from the stream, but did not fill a batch.
    check_ranges(raised, sandbox, table, rows=sent_rows)
    assert raised.unknown == []
    assert set(positions_in(raised.confirmed)) == set(committed(sandbox, table))
    assert f"from row {sent_rows} on" in str(raised)


@every_dialect
def test_a_stream_with_an_invalid_value_reports_what_was_sent(ready, table, api_version):
    sandbox, session = ready(api_version)
    parts = [{"n": list(range(5)), "t": ["a"] * 5}, {"n": list(range(5, 10)), "t": ["b"] * 5}]
    schema = pa.schema([("n", pa.float64()), ("t", pa.string())])
    bad = {"n": [10.0, float("inf")], "t": ["c"] * 2}
    batches = [pa.RecordBatch.from_pydict(part, schema=schema) for part in [*parts, bad]]
    with pytest.raises(cd.IncompleteWriteError, match="inf") as caught:
        cd.append(pa.RecordBatchReader.from_batches(schema, batches), table, chunksize=BATCH, session=session)
    assert isinstance(caught.value.__cause__, cd.CellValueError)
    check_ranges(caught.value, sandbox, table, rows=rows_that_fill_batches(10, api_version))
    assert set(positions_in(caught.value.confirmed)) == set(committed(sandbox, table))
