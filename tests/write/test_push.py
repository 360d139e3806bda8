"""push, append and delete_rows without faults, and the input that is refused before the first request."""

import gc
import io
import itertools
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from batches import batch_ranges
from hypothesis import given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd
from pandas_clicdata._models import InsertCounts, RequestOutcome
from pandas_clicdata._progress import ProgressBar
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.executor import Batch, Outcome, send_all
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Payload
from pandas_clicdata.write.row_ranges import ranges_text

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

FRAME = pd.DataFrame({"n": range(1203), "t": [f"row {n}" for n in range(1203)]})
SMALL = FRAME.head(7)


@pytest.fixture(params=["2025.3", "unversioned"])
def api_version(request):
    return request.param


@pytest.fixture
def ready(serve, api_version):
    return serve(api_version)


def numbers(sandbox, table):
    return [row["n"] for row in sandbox.ledger.rows(table)]


def sizes(ranges):
    return [stop - start for start, stop in ranges]


def test_push_creates_the_table_and_sends_each_row_once(ready, api_version):
    sandbox, session = ready
    receipt = FRAME.clicdata.push("T", description="Some rows", session=session)
    assert sandbox.ledger.rows("T") == FRAME.to_dict("records")
    expected = [500, 500, 203] if api_version == "unversioned" else [500, 499, 204]
    assert [entry.rows for entry in sandbox.requests.of("append")] == expected
    counted = api_version != "unversioned"
    assert receipt.rec_id == sandbox.ledger.table_id("T")
    assert (receipt.operation, receipt.name, receipt.rows, receipt.sent) == ("push", "T", 1203, 1203)
    assert (receipt.confirmed, receipt.status) == ((1203, "confirmed") if counted else (0, "unverified"))
    assert (receipt.batches, receipt.retries, receipt.rejected) == (3, 0, 0)
    assert "1,203" in receipt._repr_html_()


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("chunksize", [1, 3, 500])
def test_workers_and_batches_send_each_row_once(ready, api_version, workers, chunksize):
    sandbox, session = ready
    expected = batch_ranges(20, chunksize, api_version, workers)
    frame = FRAME.head(20)
    receipt = frame.clicdata.push("T", workers=workers, chunksize=chunksize, session=session)
    assert sorted(numbers(sandbox, "T")) == list(range(20))
    assert receipt.batches == len(expected)
    sent = [(rows[0]["n"], rows[-1]["n"] + 1) for _, rows in sandbox.ledger.inserts("T")]
    assert sorted(sent) == expected
    if workers == 1:
        assert sent == expected


def test_an_empty_frame_creates_an_empty_table(ready):
    sandbox, session = ready
    receipt = FRAME.head(0).clicdata.push("T", session=session)
    assert sandbox.ledger.count("T") == 0
    assert (receipt.sent, receipt.batches) == (0, 0)
    assert sandbox.requests.of("append") == []


@pytest.mark.parametrize("by", ["name", "id", "numpy id"])
def test_append(ready, by):
    sandbox, session = ready
    rec_id = SMALL.clicdata.push("T", session=session).rec_id
    table = {"name": "T", "id": rec_id, "numpy id": np.int64(rec_id)}[by]
    receipt = SMALL[["t", "n"]].clicdata.append(table, session=session)
    assert numbers(sandbox, "T") == [*range(7), *range(7)]
    assert (receipt.operation, receipt.rec_id, receipt.sent) == ("append", rec_id, 7)


def test_push_to_an_existing_table(ready):
    sandbox, session = ready
    SMALL.clicdata.push("T", session=session)
    with pytest.raises(cd.TableExistsError, match="nothing is left to do"):
        SMALL.clicdata.push("T", session=session)
    receipt = SMALL.clicdata.push("T", if_exists="append", resume=False, session=session)
    assert receipt.operation == "push"
    assert sandbox.ledger.count("T") == 14
    assert len(sandbox.requests.of("create")) == 1


@pytest.mark.parametrize("on", ["n", ["n"], ["n", "t"], ("t",)])
def test_delete_rows(ready, on):
    sandbox, session = ready
    SMALL.clicdata.push("T", session=session)
    deleted = SMALL.iloc[[1, 4, 4]]
    receipt = deleted.clicdata.delete_rows("T", on=on, session=session)
    assert numbers(sandbox, "T") == [0, 2, 3, 5, 6]
    assert (receipt.operation, receipt.batches, receipt.status) == ("delete_rows", 2, "unverified")
    assert len(sandbox.requests.of("delete")) == 2


def test_a_delete_of_missing_rows_changes_nothing(ready):
    sandbox, session = ready
    SMALL.clicdata.push("T", session=session)
    pd.DataFrame({"n": [100]}).clicdata.delete_rows("T", on="n", session=session)
    assert sandbox.ledger.count("T") == 7


@pytest.mark.parametrize("case", ["push", "push to a table", "append", "delete_rows", "stream"])
def test_a_dry_run_changes_nothing(ready, api_version, case):
    sandbox, session = ready
    if case not in ("push", "stream"):
        SMALL.clicdata.push("T", session=session)
    before = sandbox.ledger.tables(), sandbox.requests.counts()["append"]
    call = {
        "push": lambda: FRAME.clicdata.push("T", dry_run=True, session=session),
        "push to a table": lambda: FRAME.clicdata.push("T", if_exists="append", dry_run=True, session=session),
        "append": lambda: FRAME.clicdata.append("T", dry_run=True, session=session),
        "delete_rows": lambda: SMALL.clicdata.delete_rows("T", on="n", dry_run=True, session=session),
        "stream": lambda: cd.push(pa.table(dict(FRAME)).to_reader(), "T", dry_run=True, session=session),
    }[case]
    receipt = call()
    assert (receipt.status, receipt.sent, receipt.confirmed) == ("dry_run", 0, 0)
    assert receipt.batches == {"delete_rows": 7, "stream": 0}.get(case, len(batch_ranges(1203, 500, api_version)))
    assert (sandbox.ledger.tables(), sandbox.requests.counts()["append"]) == before
    assert not sandbox.requests.of("delete")
    if case not in ("push", "stream"):
        assert sandbox.ledger.count("T") == 7


@pytest.mark.parametrize("size", [1, 3, 500])
def test_a_stream_has_the_same_batches_as_a_frame(ready, api_version, size):
    sandbox, session = ready
    table = pa.table({"n": pa.array(range(20))})
    reader = pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(max_chunksize=7)))
    receipt = cd.push(reader, "T", chunksize=size, session=session)
    assert numbers(sandbox, "T") == list(range(20))
    expected = sizes(batch_ranges(20, size, api_version))
    assert [entry.rows for entry in sandbox.requests.of("append")] == expected
    assert (receipt.rows, receipt.sent, receipt.batches) == (20, 20, len(expected))


def test_progress_is_called_for_each_batch(ready, api_version):
    _, session = ready
    calls = []
    FRAME.clicdata.push("T", progress=lambda done, total: calls.append((done, total)), session=session)
    assert calls == [(stop, 1203) for _, stop in batch_ranges(1203, 500, api_version)]


INFINITE = pd.DataFrame({"n": [1.0, np.inf]})
NULL_KEY = pd.DataFrame({"n": [1, None], "t": ["a", "b"]})
NOT_A_FRAME: Any = [1, 2]
REFUSED = {
    "value": (lambda s: INFINITE.clicdata.push("T", session=s), cd.CellValueError, "'n'.*row 1.*inf"),
    "value to append": (lambda s: INFINITE.clicdata.append("T", session=s), cd.CellValueError, "'n'.*row 1.*inf"),
    "names that collide": (
        lambda s: pd.DataFrame([[1, 2]], columns=["A", "a"]).clicdata.push("T", session=s), cd.ColumnNameError, "'A'",
    ),
    "dtype": (lambda s: pd.DataFrame({"z": [1j]}).clicdata.push("T", session=s), cd.UnsupportedTypeError, "'z'"),
    "no columns": (lambda s: pd.DataFrame().clicdata.push("T", session=s), cd.FrameError, "column"),
    "unknown type": (lambda s: SMALL.clicdata.push("T", column_types={"n": "wat"}, session=s), cd.FrameError, "wat"),
    "if_exists": (lambda s: SMALL.clicdata.push("T", if_exists="replace_", session=s), ValueError, "if_exists"),
    "blank name": (lambda s: SMALL.clicdata.push(" ", session=s), ValueError, "blank"),
    "number for a name": (lambda s: SMALL.clicdata.push(7, session=s), TypeError, "name"),
    "no table": (lambda s: SMALL.clicdata.append(None, session=s), TypeError, "RecId"),
    "no RecId": (lambda s: SMALL.clicdata.append(0, session=s), ValueError, "RecId"),
    "bool for a RecId": (lambda s: SMALL.clicdata.append(True, session=s), TypeError, "RecId"),
    "batch of no number": (lambda s: SMALL.clicdata.push("T", chunksize="500", session=s), ValueError, "chunksize"),
    "batch of no rows": (lambda s: SMALL.clicdata.push("T", chunksize=0, session=s), ValueError, "chunksize"),
    "fraction for a batch": (lambda s: SMALL.clicdata.push("T", chunksize=2.5, session=s), ValueError, "chunksize"),
    "no workers": (lambda s: SMALL.clicdata.push("T", workers=0, session=s), ValueError, "workers"),
    "bool for workers": (lambda s: SMALL.clicdata.push("T", workers=True, session=s), ValueError, "workers"),
    "not a frame": (lambda s: cd.push(NOT_A_FRAME, "T", session=s), TypeError, "list"),
    "delete: null key": (
        lambda s: NULL_KEY.clicdata.delete_rows("T", on="n", session=s), cd.FrameError, "'n'.*row 1.*missing",
    ),
    "delete: null key of two": (
        lambda s: NULL_KEY.clicdata.delete_rows("T", on=["t", "n"], session=s), cd.FrameError, "'n'.*row 1",
    ),
    "delete: no keys": (lambda s: SMALL.clicdata.delete_rows("T", on=[], session=s), cd.FrameError, "on= is empty"),
    "delete: unknown key": (lambda s: SMALL.clicdata.delete_rows("T", on="x", session=s), cd.FrameError, "'x'.*'n'"),
    "delete: no rows": (lambda s: SMALL.head(0).clicdata.delete_rows("T", on="n", session=s), cd.FrameError, "no rows"),
    "delete: no rows in a stream": (
        lambda s: cd.delete_rows(pa.table({"n": []}).to_reader(), "T", on="n", session=s), cd.FrameError, "no rows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_input_is_refused_before_the_first_request(ready, case):
    act, kind, message = REFUSED[case]
    sandbox, session = ready
    with pytest.raises(kind, match=message):
        act(session)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (lambda s: SMALL.clicdata.append("Flihgts", session=s), cd.TableNotFoundError, "Did you mean 'Flights'"),
        (lambda s: SMALL.clicdata.append(999999, session=s), cd.TableNotFoundError, "999999"),
        (lambda s: SMALL[["n"]].clicdata.append("Flights", session=s), cd.ColumnMismatchError, "'t'"),
        (lambda s: SMALL.assign(x=1).clicdata.append("Flights", session=s), cd.ColumnMismatchError, "'x'"),
        (lambda s: SMALL.assign(n="a").clicdata.append("Flights", session=s), cd.ColumnMismatchError, "'n'"),
        (
            lambda s: SMALL.rename(columns={"n": "x"}).clicdata.delete_rows("Flights", on="x", session=s),
            cd.FrameError,
            "'x'",
        ),
    ],
    ids=["name", "RecId", "missing column", "extra column", "type", "key"],
)
def test_input_that_does_not_fit_the_table_changes_nothing(ready, act, kind, message):
    sandbox, session = ready
    SMALL.clicdata.push("Flights", session=session)
    before = sandbox.requests.counts()["append"]
    with pytest.raises(kind, match=message):
        act(session)
    assert sandbox.requests.counts()["append"] == before
    assert sandbox.requests.of("delete") == []


# The outcome of each batch after any combination of replies.

REPLIES = st.sampled_from(
    ["confirmed", "confirmed", "confirmed", "lost", "lost but stored", "refused", "miscounted", "bug"]
)


def numbered(batches):
    for number, batch in enumerate(batches):
        yield replace(batch, number=number)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), max_size=12),
    replies=st.lists(REPLIES, min_size=12, max_size=12),
    workers=st.integers(1, 5),
    breaks_at=st.none() | st.integers(0, 12),
)
def test_ranges_are_disjoint_complete_and_correct(sizes, replies, workers, breaks_at):
    ends = np.cumsum([0, *sizes]).tolist()
    committed: set[int] = set()
    sent: list[Any] = []
    lock = threading.Lock()
    produced = 0

    def batches():
        nonlocal produced
        for number, (start, stop) in enumerate(itertools.pairwise(ends)):
            if number == breaks_at:
                raise RuntimeError("the frame is gone")
            produced = stop
            yield Batch(((start, stop),), str(number).encode())

    def send(batch):
        reply = replies[int(batch.body)]
        rows = range(*batch.ranges[0])
        with lock:
            sent.extend(rows)
            if reply not in ("lost", "refused", "bug"):
                committed.update(rows)
        if reply.startswith("lost"):
            raise cd.ConnectionLostError("lost", ambiguous=True)
        if reply == "refused":
            raise cd.ApiError("refused")
        if reply == "bug":
            raise ZeroDivisionError
        return RequestOutcome(InsertCounts(batch.rows + (reply == "miscounted"), None))

    delivery = send_all(numbered(batches()), send, workers=workers, bar=ProgressBar(False))
    confirmed, unknown, unsent = (row_ranges.positions(delivery.ranges(outcome)) for outcome in Outcome)
    left = row_ranges.positions(pair for batch in delivery.not_started for pair in batch.ranges)
    assert sorted(confirmed + unknown + unsent + left) == list(range(produced))
    assert set(confirmed) <= committed
    assert not {*unsent, *left} & committed
    if delivery.complete:
        assert breaks_at is None or breaks_at >= len(sizes)
        assert set(replies[: len(sizes)]) <= {"confirmed"}
        assert sorted(committed) == list(range(ends[-1]))
        assert sum(result.counted or 0 for result in delivery.results) == ends[-1]
    elif workers == 1:
        # No batch is sent after the first failure.
        assert confirmed == list(range(len(confirmed)))
    assert len(sent) == len(set(sent))


def test_no_more_batches_are_in_flight_than_workers():
    lock, in_flight, maximum = threading.Lock(), 0, 0
    barrier = threading.Barrier(3)

    def send(batch):
        nonlocal in_flight, maximum
        with lock:
            in_flight += 1
            maximum = max(maximum, in_flight)
        barrier.wait(5)
        with lock:
            in_flight -= 1
        return RequestOutcome()

    batches = numbered(Batch(((n, n + 1),), b"") for n in range(12))
    assert send_all(batches, send, workers=3, bar=ProgressBar(False)).complete
    assert maximum == 3


def test_an_interrupt_waits_for_the_batches_in_flight():
    started, proceed = threading.Event(), threading.Event()

    def send(batch):
        started.set()
        proceed.wait(5)
        return RequestOutcome(InsertCounts(batch.rows, None))

    def batches():
        yield Batch(((0, 5),), b"")
        started.wait(5)
        threading.Timer(0.05, proceed.set).start()
        raise KeyboardInterrupt

    delivery = send_all(numbered(batches()), send, workers=2, bar=ProgressBar(False))
    assert isinstance(delivery.failure, KeyboardInterrupt)
    assert (delivery.ranges(Outcome.CONFIRMED), delivery.ranges(Outcome.UNKNOWN)) == ([(0, 5)], [])


def test_a_second_interrupt_leaves_the_batches_in_flight_unknown(monkeypatch):
    started, proceed = threading.Event(), threading.Event()
    wait_for = threading.Condition.wait_for

    def send(batch):
        started.set()
        proceed.wait(5)
        return RequestOutcome(InsertCounts(batch.rows, None))

    def interrupted(condition, *args, **options):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return wait_for(condition, *args, **options)

    def batches():
        yield Batch(((0, 5),), b"")
        started.wait(5)
        monkeypatch.setattr(threading.Condition, "wait_for", interrupted)
        raise KeyboardInterrupt

    delivery = send_all(numbered(batches()), send, workers=2, bar=ProgressBar(False))
    proceed.set()
    assert isinstance(delivery.failure, KeyboardInterrupt)
    assert (delivery.ranges(Outcome.CONFIRMED), delivery.ranges(Outcome.UNKNOWN)) == ([], [(0, 5)])


def test_many_ranges_are_abbreviated():
    assert ranges_text([(n, n + 1) for n in range(0, 20, 2)]) == "10 rows (0, 2, 4, 6, 8, and 5 more ranges)"


@pytest.mark.parametrize("version", ["2021.08", "2022.1", "2025.3"])
def test_each_version_inserts_rows_with_its_own_operation(serve, version):
    sandbox, session = serve(version)
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    receipt = frame.clicdata.push("Old and new", session=session)
    assert receipt.status == ("unverified" if version == "2021.08" else "confirmed")
    assert sandbox.ledger.rows("Old and new") == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    pd.testing.assert_frame_equal(cd.read_clicdata("Old and new", session=session), frame)


def test_an_empty_reply_to_a_delete_raises_where_a_body_is_documented(http_service):
    with (
        http_service(lambda request: (200, {}, b"")) as url,
        cd.Session(api_key="hush", base_url=url, api_version="2025.3") as session,
        pytest.raises(cd.UnexpectedReplyError, match="not valid JSON"),
    ):
        session._client._perform(session._client.dialect.delete(7, b'[{"column":"a","value":1}]'))


class _Broken(io.StringIO):
    """A stream that cannot be written, such as a pipe whose reader has ended."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self):
        raise BrokenPipeError(32, "Broken pipe")


class _Closed(io.StringIO):
    """A stream that is closed after the bar was drawn once."""

    def write(self, text):
        super().write(text)
        self.close()


class _Ascii(io.TextIOWrapper):
    """A console whose encoding lacks the characters of the bar and of the table's name."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="ascii", errors="strict")


@pytest.mark.parametrize("stream", [lambda: None, _Broken, _Closed, _Ascii], ids=["None", "broken", "closed", "ASCII"])
def test_a_bar_that_cannot_be_drawn_does_not_stop_a_write_or_a_read(one_sandbox, session, name, monkeypatch, stream):
    frame = pd.DataFrame({"n": range(50)})
    monkeypatch.setattr(sys, "stderr", stream())
    receipt = frame.clicdata.push(f"{name} é", progress=True, chunksize=10, session=session)
    back = cd.read_clicdata(receipt.rec_id, progress=True, session=session)
    deleted = frame[:20].clicdata.delete_rows(receipt.rec_id, on="n", progress=True, session=session)
    assert (receipt.sent, len(back), deleted.rows) == (50, 50, 20)
    gc.collect()


TEXTS = ["a", None, 'say "é"', "", "b\\"] * 5


@pytest.mark.parametrize("ranges", [[(0, 25)], [(3, 9)], [(0, 2), (5, 5), (20, 25)]])
def test_text_in_objects_is_converted_when_it_is_sent(ranges):
    index = pd.Index(TEXTS, dtype=object, name="level")
    frame = pd.DataFrame({"object": pd.Series(TEXTS, dtype=object), "n": range(25)}).set_axis(index)
    frame["category"] = pd.Categorical(TEXTS)
    payload = Payload.from_object(frame, Options())
    assert payload.ready is not None
    assert payload.ready.column_names == ["n"]
    rows = row_ranges.positions(ranges)
    texts = [TEXTS[row] for row in rows]
    assert payload.take(ranges).to_pydict() == {"level": texts, "object": texts, "n": rows, "category": texts}
    assert payload.table().to_pydict() == {"level": TEXTS, "object": TEXTS, "n": [*range(25)], "category": TEXTS}
    assert payload.without(["n"]).take(ranges).to_pydict() == {"level": texts, "object": texts, "category": texts}
    assert payload.take_positions(rows).table().to_pydict() == payload.take(ranges).to_pydict()
