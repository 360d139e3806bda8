"""The number of requests of each call: what the receipt and a dry run state, and what ``max_requests=`` allows."""

import threading
import time
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from waiting import wait_until

import pandas_clicdata as cd
from conftest import QUICK, signed_in

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
FRAME = pd.DataFrame({"n": range(30), "k": [f"k{number:02}" for number in range(30)]})
CHANGES = ("create", "append", "update", "delete")


def is_exact(call, api_version):
    """Return whether the number of requests of a call is always the same.

    Where the service does not state the number of rows, a read also requests some pages beyond the end. It does not
    wait for them, so they may come after the receipt, or not at all.
    """
    return api_version == "2025.3" or call not in ("append with keys", "upsert", "replace", "restore")


def requested(sandbox):
    """Return the number of requests, when the threads have ended that fetch pages ahead."""
    wait_until(lambda: not any(thread.name.startswith("clicdata-read") for thread in threading.enumerate()))
    return len(sandbox.requests)


def clear(sandbox):
    requested(sandbox)
    sandbox.requests.clear()


def changes(sandbox):
    return [entry.operation for entry in sandbox.requests if entry.operation in CHANGES]


def stored(sandbox, name):
    return sorted(int(row["n"]) for row in sandbox.ledger.rows(name))


# Each is a call on the table of FRAME, or on a new one, whose requests are known beforehand.
CALLS = {
    "push": lambda name, **options: FRAME.clicdata.push(f"{name} new", chunksize=10, **options),
    "push with workers": lambda name, **options: FRAME.clicdata.push(f"{name} new", chunksize=7, workers=3, **options),
    "append": lambda name, **options: FRAME.clicdata.append(name, chunksize=10, resume=False, **options),
    "append with keys": lambda name, **options: FRAME.assign(k=FRAME["k"] + "x").clicdata.append(
        name, on="k", chunksize=10, **options
    ),
    "update_rows": lambda name, **options: FRAME.head(4).assign(n=99).clicdata.update_rows(name, on="k", **options),
    "upsert": lambda name, **options: pd.concat(
        [FRAME.head(3).assign(n=99), FRAME.assign(k=FRAME["k"] + "x")]
    ).clicdata.upsert(name, on="k", chunksize=10, **options),
    "delete_rows": lambda name, **options: FRAME[["n"]].head(5).clicdata.delete_rows(name, on="n", **options),
    "delete_rows by text": lambda name, **options: FRAME.head(5).clicdata.delete_rows(name, on=["n", "k"], **options),
}
every_call = pytest.mark.parametrize("call", CALLS)


def name_or_id(sandbox, name, call):
    """Return the table of a call. The name that an append has looked up is remembered, so it gets the RecId."""
    return sandbox.ledger.table_id(name) if call.startswith("append") else name


@pytest.fixture
def replaced(tmp_path):
    """Return a function that replaces the rows of a table."""

    def replace(name, **options):
        return FRAME.clicdata.push(
            name, if_exists="replace", chunksize=10, **{"backup": tmp_path, "reconcile_wait": 0, **options}
        )

    return replace


@pytest.fixture
def table(serve, name):
    """Return a function that pushes FRAME on pages of 10, and returns the sandbox and a warm session."""

    def make(api_version, **options):
        sandbox, session = serve(api_version, page_size=10, session={"retry": QUICK}, **options)
        FRAME.clicdata.push(name, session=session)
        clear(sandbox)
        return sandbox, session

    return make


# receipts


@every_dialect
@every_call
def test_a_receipt_counts_all_requests_and_a_dry_run_states_them(table, name, api_version, call):
    sandbox, session = table(api_version)
    name = name_or_id(sandbox, name, call)
    dry = CALLS[call](name, dry_run=True, session=session)
    assert changes(sandbox) == []
    clear(sandbox)
    receipt = CALLS[call](name, session=session)
    if is_exact(call, api_version):
        assert receipt.requests == requested(sandbox)
    else:
        assert receipt.requests <= requested(sandbox) <= receipt.requests + 4
    if call == "push with workers" and api_version == "unversioned":
        # Each worker that has sent a batch checks its replies.
        assert 1 <= dry.requests - (receipt.requests - 3) <= 3
    elif is_exact(call, api_version):
        assert dry.requests == receipt.requests
    assert dry.estimated_seconds > 0
    assert "the median of this session's last requests" in dry.estimate
    assert "s per change" in dry.estimate, "the push that created the table was measured"
    assert (receipt.estimated_seconds, receipt.estimate) == (None, "")
    assert "requests" in dry._repr_html_()


@every_dialect
def test_a_receipt_of_a_replace_counts_all_requests(table, name, replaced, api_version):
    sandbox, session = table(api_version)
    dry = replaced(name, dry_run=True, session=session)
    clear(sandbox)
    receipt = replaced(name, session=session)
    assert receipt.requests <= requested(sandbox) <= receipt.requests + 16
    if is_exact("replace", api_version):
        assert dry.requests == receipt.requests == requested(sandbox)
    clear(sandbox)
    restored = cd.restore(receipt.backup, name, session=session)
    assert restored.requests <= requested(sandbox) <= restored.requests + 4
    if is_exact("restore", api_version):
        assert restored.requests == requested(sandbox)


@every_dialect
def test_sign_in_and_detection_count_once(running, open_session, name, api_version):
    session = open_session(running, "auto")
    running.requests.clear()
    dry = FRAME.clicdata.push(name, dry_run=True, session=session)
    assert "token" in [entry.operation for entry in running.requests]
    running.requests.clear()
    assert FRAME.clicdata.push(name, session=session).requests == len(running.requests) == dry.requests
    with signed_in(running, "auto") as cold:
        running.requests.clear()
        receipt = FRAME.clicdata.append(name, resume=False, session=cold)
        assert receipt.requests == len(running.requests) > dry.requests - 1


@every_dialect
@pytest.mark.parametrize("workers", [1, 4])
def test_requests_that_are_tried_again_count(table, name, api_version, workers):
    sandbox, session = table(api_version)
    sandbox.faults.status(429, operation="append", nth=2, times=2)
    sandbox.faults.status(503, operation="read")
    receipt = FRAME.clicdata.append(name, chunksize=5, workers=workers, resume=False, session=session)
    assert receipt.requests == len(sandbox.requests)
    assert receipt.retries == 2


def test_calls_at_the_same_time_count_their_own_requests(table, name):
    sandbox, session = table("2025.3")
    receipts = []

    def push(chunksize):
        receipts.append(FRAME.clicdata.push(f"{name} {chunksize}", chunksize=chunksize, workers=2, session=session))

    threads = [threading.Thread(target=push, args=(chunksize,)) for chunksize in (5, 10, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(receipt.requests for receipt in receipts) == len(sandbox.requests)
    # Each looks its name up on one page of the list, creates a table, and inserts.
    assert [receipt.requests - receipt.batches for receipt in receipts] == [2, 2, 2]


def test_a_stream_that_reads_another_table_counts_only_its_own_requests(table, name):
    sandbox, session = table("2025.3")
    reader = cd.read_clicdata_batches(name, session=session)
    clear(sandbox)
    receipt = cd.push(reader, f"{name} copy", session=session)
    operations = [entry.operation for entry in sandbox.requests]
    assert receipt.requests == len(operations) - operations.count("read")


# a limit that is known to be too low


@every_dialect
@every_call
def test_a_limit_that_is_too_low_is_refused_before_the_first_change(table, name, api_version, call):
    sandbox, session = table(api_version)
    before = sandbox.ledger.rows(name)
    table_or_id = name_or_id(sandbox, name, call)
    exact = CALLS[call](table_or_id, dry_run=True, session=session)
    if not is_exact(call, api_version):
        pytest.skip("the number is not known beforehand")
    clear(sandbox)
    with pytest.raises(cd.RequestLimitError, match=rf"Pass max_requests={exact.requests}, or leave it out") as caught:
        CALLS[call](table_or_id, max_requests=exact.requests - 1, session=session)
    assert (caught.value.max_requests, caught.value.needed) == (exact.requests - 1, exact.requests)
    assert changes(sandbox) == []
    assert (sandbox.ledger.rows(name), list(sandbox.ledger.tables())) == (before, [name])
    assert cd.unfinished(session=session).empty
    clear(sandbox)
    receipt = CALLS[call](table_or_id, max_requests=exact.requests, session=session)
    assert receipt.requests == len(sandbox.requests) <= exact.requests


def test_a_replace_is_refused_before_it_saves_a_file(table, name, replaced, tmp_path):
    sandbox, session = table("2025.3")
    needed = replaced(name, dry_run=True, session=session).requests
    with pytest.raises(cd.RequestLimitError, match=f"Pass max_requests={needed}"):
        replaced(name, max_requests=needed - 1, session=session)
    assert (changes(sandbox), list(tmp_path.glob("*.parquet"))) == ([], [])
    clear(sandbox)
    assert replaced(name, max_requests=needed, session=session).requests == len(sandbox.requests) == needed


def test_a_look_up_counts(table, name):
    sandbox, session = table("2025.3")
    for call in CALLS.values():
        clear(sandbox)
        with pytest.raises((cd.RequestLimitError, cd.IncompleteReadError), match="max_requests=1"):
            call(name, max_requests=1, session=session)
        assert len(sandbox.requests) == 1


def test_a_limit_that_is_no_number_is_refused_before_the_first_request(table, name):
    sandbox, session = table("2025.3")
    calls: list[Any] = [*CALLS.values(), cd.read_clicdata, cd.read_clicdata_batches]
    for call in calls:
        for wrong in (0, -1, True, 2.5, "10"):
            with pytest.raises(ValueError, match="max_requests= must be a whole number"):
                call(name, max_requests=wrong, session=session)
    assert len(sandbox.requests) == 0


def test_many_requests_for_one_row_each_are_sent_only_if_asked_for(table, name, replaced, monkeypatch):
    monkeypatch.setattr("pandas_clicdata.write.cost._MAX_SINGLE", 2)
    sandbox, session = table("2025.3")
    for call in (CALLS["upsert"], CALLS["update_rows"], CALLS["delete_rows"], replaced):
        clear(sandbox)
        with pytest.raises(cd.RequestLimitError, match="To send them, pass max_requests=") as caught:
            call(name, session=session)
        assert changes(sandbox) == []
        receipt = call(name, max_requests=caught.value.needed, session=session)
        assert receipt.requests <= caught.value.needed
    # A restore is never refused.
    restored = cd.restore(receipt.backup, name, reconcile_wait=0, session=session)
    assert restored.rows == restored.sent > 0


# a limit that is reached


@every_dialect
@pytest.mark.parametrize("workers", [1, 3])
def test_a_write_that_reaches_the_limit_stops_as_after_an_interrupt_and_can_be_resumed(
    table, name, api_version, workers
):
    sandbox, session = table(api_version)
    new = f"{name} new"
    exact = FRAME.clicdata.push(new, chunksize=5, workers=workers, dry_run=True, session=session).requests
    for limit in range(exact, exact + 3):
        sandbox.faults.clear()
        sandbox.faults.status(429, operation="append", nth=2, times=20)
        clear(sandbox)
        with pytest.raises(cd.IncompleteWriteError) as caught:
            FRAME.clicdata.push(f"{new} {limit}", chunksize=5, workers=workers, max_requests=limit, session=session)
        error = caught.value
        assert f"max_requests={limit}" in str(error)
        assert len(sandbox.requests) <= limit + workers, "and the check of each connection"
        rows = stored(sandbox, f"{new} {limit}")
        assert rows == [row for start, stop in error.confirmed for row in range(start, stop)]
        assert error.unknown == []
        sandbox.faults.clear()
        receipt = FRAME.clicdata.push(f"{new} {limit}", resume=True, session=session)
        assert receipt.sent == 30
        assert stored(sandbox, f"{new} {limit}") == list(range(30))


@every_dialect
def test_a_stream_stops_at_the_limit(table, name, api_version):
    sandbox, session = table(api_version)
    arrow = pa.Table.from_pandas(FRAME, preserve_index=False)
    clear(sandbox)
    with pytest.raises(cd.IncompleteWriteError, match=r"max_requests=4\.") as caught:
        cd.push(arrow.to_reader(5), f"{name} new", chunksize=5, max_requests=4, session=session)
    assert isinstance(caught.value.__cause__, cd.RequestLimitError)
    # In the unversioned dialect, one more shows that each reply belongs to its request.
    assert len(sandbox.requests) == (4 if api_version == "2025.3" else 5)
    assert len(stored(sandbox, f"{name} new")) == sum(stop - start for start, stop in caught.value.confirmed)


@every_dialect
@pytest.mark.parametrize("mode", [{"stamp": "batch"}, {"on": "k"}, {"on_unknown": "check"}])
@pytest.mark.parametrize("fault", ["lose_reply", "late_commit"])
def test_no_row_is_lost_or_doubled_at_any_limit(table, name, api_version, mode, fault):
    sandbox, session = table(api_version)
    options = {"chunksize": 10, "reconcile_wait": 0.05, "session": session, **mode}
    script = {"operation": "append", "nth": 2, **({"delay": 0.01} if fault == "late_commit" else {})}

    def push(table_name, **more):
        sandbox.faults.clear()
        sandbox.faults.script(fault, **script)
        return FRAME.clicdata.push(table_name, **options, **more)

    total = push(f"{name} 0").requests
    least = FRAME.clicdata.push(f"{name} 1", dry_run=True, **options).requests
    for limit in range(least, total + 1):
        table_name = f"{name} {limit}"
        try:
            push(table_name, max_requests=limit)
        except cd.IncompleteWriteError as error:
            rows = stored(sandbox, table_name)
            confirmed = {row for start, stop in error.confirmed for row in range(start, stop)}
            unknown = {row for start, stop in error.unknown for row in range(start, stop)}
            assert confirmed <= set(rows) <= confirmed | unknown
            sandbox.faults.clear()
            FRAME.clicdata.push(table_name, resume=True, **options)
        assert stored(sandbox, table_name) == list(range(30))


@every_dialect
def test_rows_that_arrive_twice_are_deleted_and_sent_again_beyond_the_limit(table, name, api_version, monkeypatch):
    sandbox, session = table(api_version)
    really_sleep, waits = time.sleep, []

    def sleep(seconds):
        """Carry the lost request out during the second long wait, after its rows were sent again."""
        if seconds <= 30:
            really_sleep(seconds)
            return
        waits.append(len(sandbox.requests))
        if len(waits) == 2:
            assert sandbox.faults.release() == 1

    monkeypatch.setattr(time, "sleep", sleep)

    def push(table_name, **options):
        waits.clear()
        clear(sandbox)
        sandbox.faults.late_commit(operation="append", nth=2)
        return FRAME.clicdata.push(table_name, on="k", chunksize=10, reconcile_wait=60, session=session, **options)

    receipt = push(f"{name} 1")
    limit = waits[1]
    assert len(waits) > 2, "the rows that arrived twice were deleted, and sent once more"
    assert limit < receipt.requests
    assert push(f"{name} 2", max_requests=limit).requests > limit
    assert stored(sandbox, f"{name} 2") == list(range(30))


@every_dialect
def test_a_replace_that_has_begun_to_delete_runs_to_its_end(table, name, replaced, api_version):
    sandbox, session = table(api_version)
    needed = replaced(name, dry_run=True, session=session).requests
    # The trial is the first delete.
    sandbox.faults.status(429, operation="delete", nth=3, times=2)
    sandbox.faults.status(429, operation="append", nth=2, times=2)
    receipt = replaced(name, max_requests=needed + 2, session=session)
    assert receipt.requests > needed + 2
    assert stored(sandbox, name) == list(range(30))


def test_a_token_that_may_not_be_renewed_does_not_stop_another_call(table, name):
    sandbox, session = table("2025.3")
    cd.read_clicdata(name, session=session)
    sandbox.faults.expire_tokens()
    with pytest.raises((cd.RequestLimitError, cd.IncompleteReadError), match="POST /oauth20/token"):
        cd.read_clicdata(name, max_requests=1, session=session)
    assert len(cd.read_clicdata(name, session=session)) == 30


# reads


@pytest.mark.parametrize("read", [cd.read_clicdata, lambda *args, **o: cd.read_clicdata_batches(*args, **o).read_all()])
def test_a_read_is_refused_after_the_first_page_if_its_pages_are_too_many(table, name, read):
    sandbox, session = table("2025.3")
    rec_id = sandbox.ledger.table_id(name)
    with pytest.raises(cd.RequestLimitError, match="needs 2 more requests") as caught:
        read(rec_id, max_requests=2, session=session)
    assert (len(sandbox.requests), caught.value.needed) == (1, 3)
    assert "Nothing was changed" not in str(caught.value)
    clear(sandbox)
    assert len(read(rec_id, max_requests=3, session=session)) == 30
    assert len(sandbox.requests) == 3
    assert len(read(rec_id, max_requests=1, limit=10, session=session)) == 10


@pytest.mark.parametrize("chunksize", [None, 4])
def test_a_read_of_an_unknown_number_of_pages_fails_at_the_limit(table, name, chunksize):
    sandbox, session = table("unversioned")
    rec_id = sandbox.ledger.table_id(name)
    with pytest.raises(cd.IncompleteReadError, match="max_requests=2") as caught:
        list(cd.read_clicdata(rec_id, max_requests=2, chunksize=chunksize, session=session))
    assert isinstance(caught.value.__cause__, cd.RequestLimitError)
    assert len(sandbox.requests) == 2


def test_the_pages_of_an_iterator_count_for_its_call(table, name):
    sandbox, session = table("unversioned")
    rec_id = sandbox.ledger.table_id(name)
    first = cd.read_clicdata(rec_id, max_requests=10, chunksize=10, session=session)
    second = cd.read_clicdata(rec_id, max_requests=10, chunksize=10, session=session)
    # Together, they need more than 10.
    assert [len(chunk) for pair in zip(first, second, strict=True) for chunk in pair] == [10] * 6
    assert len(sandbox.requests) <= 20
