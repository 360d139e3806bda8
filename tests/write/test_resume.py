"""Resume of a stopped write: by token and journal, with stamps, keys and contents, and with verification."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from batches import batch_ranges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_service import REC_ID, RawService

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.write.fingerprint import digest_of

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

BATCH = 5
ROWS = 30
CANARY = "canary-7f3a"
FRAME = pd.DataFrame({"n": range(ROWS), "t": [f"{CANARY} {n}" for n in range(ROWS)]})
RECONCILE_WAIT = 0.05
# How rows are recognized.
MODES: dict[str, Any] = {"stamp": {"stamp": "push_batch"}, "on": {"on": "n"}, "check": {"on_unknown": "check"}}
WRITES = ("append", "create", "update", "delete")


@pytest.fixture(scope="module")
def running(new_sandbox):
    with new_sandbox(page_size=50) as sandbox:
        yield sandbox


@pytest.fixture(params=["2025.3", "unversioned"])
def version(request):
    return request.param


@pytest.fixture
def fresh(running, open_session):
    """Return a function that returns the sandbox, with an empty request log, and a new session."""

    def make(version="2025.3", **options):
        running.requests.clear()
        return running, open_session(running, version, **options)

    yield make
    running.faults.clear()
    running.faults.release()


def push(session, table, frame=FRAME, **options):
    return frame.clicdata.push(
        table, **{"chunksize": BATCH, "reconcile_wait": RECONCILE_WAIT, "session": session, **options}
    )


def append(session, table, frame=FRAME, **options):
    return frame.clicdata.append(
        table, **{"chunksize": BATCH, "reconcile_wait": RECONCILE_WAIT, "session": session, **options}
    )


def create_empty(session, table, frame=FRAME, **options):
    return frame.head(0).clicdata.push(table, session=session, **options)


def numbers(sandbox, table):
    return sorted(row["n"] for row in sandbox.ledger.rows(table))


def count_writes(sandbox):
    """Return the number of requests that change something."""
    counts = sandbox.requests.counts()
    return sum(counts[operation] for operation in WRITES)


def stop_write(sandbox, act, *, kind="lose_reply", nth=3, **fault):
    """Return the error of a write when the reply to its third batch is lost."""
    sandbox.faults.script(kind, operation="append", nth=nth, **fault)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        act()
    sandbox.faults.clear()
    return caught.value


# tokens


@pytest.mark.parametrize("mode", ["raise", *MODES])
def test_a_token_is_plain_json_without_secrets_or_values(fresh, name, mode, version):
    sandbox, session = fresh(version)
    options = MODES.get(mode, {})
    if mode == "check":
        options = {**options, "verify": True}
    sandbox.faults.status(400, operation="append", nth=4)
    error = stop_write(sandbox, lambda: push(session, name, **options), nth=3)
    text = json.dumps(error.resume, allow_nan=False)
    assert json.loads(text) == error.resume
    assert not any(isinstance(each, tuple) for each in error.resume.values())
    for secret in (CANARY, sandbox.client_secret):
        assert secret not in text
        assert secret not in str(error)
        assert secret not in repr(error)
    receipt = push(session, name, resume=json.loads(text), **{"on_unknown": "check", **options})
    assert numbers(sandbox, name) == list(range(ROWS))
    assert (receipt.rows, receipt.sent) == (ROWS, ROWS)


OTHER_FRAMES = {
    "a value": FRAME.assign(n=[*range(ROWS - 1), 99]),
    "the order": FRAME.iloc[::-1],
    "a type": FRAME.assign(n=FRAME["n"].astype(str)),
    "fewer rows": FRAME.head(ROWS - 1),
    "a column's name": FRAME.rename(columns={"n": "m"}),
    "one column less": FRAME[["n"]],
    "the order of columns": FRAME[["t", "n"]],
    "a null": FRAME.assign(t=pd.Series([None, *FRAME["t"][1:]])),
}


@pytest.mark.parametrize("resume_by", ["token", "journal"])
@pytest.mark.parametrize("other", OTHER_FRAMES)
def test_another_frame_is_refused(fresh, name, tmp_path, resume_by, other):
    sandbox, session = fresh()
    journal = {"journal": tmp_path / "a"} if resume_by == "journal" else {}
    error = stop_write(sandbox, lambda: push(session, name, **journal))
    before = count_writes(sandbox)
    with pytest.raises(cd.ResumeError, match="another write"):
        push(session, name, OTHER_FRAMES[other], **(journal or {"resume": error.resume}))
    assert count_writes(sandbox) == before
    # The same values in another frame are the same frame.
    same = FRAME.set_axis(range(5, ROWS + 5))
    push(session, name, same, on_unknown="check", **(journal or {"resume": error.resume}))
    assert numbers(sandbox, name) == list(range(ROWS))


OTHER_WRITES = {
    "table": lambda session, token, name: push(session, "another table", resume=token),
    "operation": lambda session, token, name: append(session, name, resume=token),
    "if_exists": lambda session, token, name: push(session, name, if_exists="append", resume=token),
    "stamp": lambda session, token, name: push(session, name, stamp="push_batch", resume=token),
    "on": lambda session, token, name: push(session, name, on="n", resume=token),
    "columns": lambda session, token, name: push(session, name, column_types={"t": "dropdown"}, resume=token),
}


@pytest.mark.parametrize("case", OTHER_WRITES)
def test_another_write_is_refused(fresh, name, case):
    sandbox, session = fresh()
    error = stop_write(sandbox, lambda: push(session, name))
    before = len(sandbox.requests)
    with pytest.raises(cd.ResumeError, match=f"another write: .*{case}"):
        OTHER_WRITES[case](session, error.resume, name)
    assert len(sandbox.requests) == before


def test_another_service_is_refused(fresh, serve, name):
    sandbox, session = fresh()
    error = stop_write(sandbox, lambda: push(session, name))
    other, elsewhere = serve()
    with pytest.raises(cd.ResumeError, match="account"):
        push(elsewhere, name, resume=error.resume)
    assert len(other.requests) == 0


# Credentials of the account, and of others of the same service that a resume must not take for it.
KEY = {"api_key": lambda box: box.api_key}
CLIENT = {"client_id": lambda box: box.client_id, "client_secret": lambda box: box.client_secret}
USER = {"client_id": CLIENT["client_id"], "username": lambda box: box.username, "password": lambda box: box.password}
OTHER_ACCOUNTS = {
    "another key": (KEY, {"api_key": "another-secret-key"}),
    "the key in capitals": (KEY, {"api_key": lambda box: box.api_key.swapcase()}),
    "a client instead of a key": (KEY, CLIENT),
    "a key instead of a client": (CLIENT, KEY),
    "another client": (CLIENT, {**CLIENT, "client_id": "another"}),
    "another user": (USER, {**USER, "username": "another@acme.example"}),
    "another client of the user": (USER, {**USER, "client_id": "another"}),
    "a client instead of a user": (USER, CLIENT),
}


def credentials(sandbox, given):
    return {name: value(sandbox) if callable(value) else value for name, value in given.items()}


@pytest.mark.parametrize("resume_by", ["token", "journal"])
@pytest.mark.parametrize("write", [push, append])
@pytest.mark.parametrize("other", OTHER_ACCOUNTS)
def test_another_account_is_refused(fresh, name, tmp_path, version, resume_by, write, other):
    sandbox, session = fresh(version)
    create_empty(session, name)
    ours, theirs = (credentials(sandbox, given) for given in OTHER_ACCOUNTS[other])
    journal = {"journal": tmp_path / "a"} if resume_by == "journal" else {}
    options = {"if_exists": "append", **journal} if write is push else journal
    where = {"base_url": sandbox.url, "api_version": version}
    with cd.Session(**ours, **where) as session, cd.Session(**theirs, **where) as another:
        error = stop_write(sandbox, lambda: write(session, name, **options))
        sandbox.requests.clear()
        again = options if journal else {**options, "resume": error.resume}
        with pytest.raises(cd.ResumeError, match=r"another account.*Pass a session") as caught:
            write(another, name, **again)
        assert len(sandbox.requests) == 0
        secrets = [
            value for given in (ours, theirs) for key, value in given.items() if key not in USER or "pass" in key
        ]
        kept_text = (tmp_path / "a").read_text() if journal else json.dumps(error.resume)
        assert not any(secret in text for secret in secrets for text in (str(caught.value), kept_text))
        # A session of the same account resumes the write.
        with cd.Session(**ours, **where) as same:
            write(same, name, **{"on_unknown": "check", **again})
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.parametrize("token", ["text", ["list"], 7, b"bytes"])
def test_an_object_that_is_not_a_token_is_refused(fresh, name, token):
    sandbox, session = fresh()
    with pytest.raises(TypeError, match=r"error\.resume"):
        push(session, name, resume=token)
    assert len(sandbox.requests) == 0


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(object()) | st.just(b""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def damage(draw, value):
    """Return the value with one place in it changed or removed."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.booleans()):
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: damage(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        if draw(st.booleans()):
            return value[:at] + value[at + 1 :]
        return [*value[:at], damage(draw, value[at]), *value[at + 1 :]]
    if isinstance(value, int) and draw(st.booleans()):
        return value + draw(st.sampled_from([-1, 1, 10**9]))
    return draw(JUNK)


@pytest.mark.slow
def test_a_damaged_token_is_refused_before_any_request(fresh, name):
    sandbox, session = fresh()
    token = stop_write(sandbox, lambda: push(session, name)).resume
    before = len(sandbox.requests)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def refused(data):
        damaged = damage(data.draw, token)
        if not isinstance(damaged, dict) or repr(damaged) == repr(token):
            return
        with pytest.raises(cd.ResumeError):
            push(session, name, on_unknown="check", resume=damaged)
        assert len(sandbox.requests) == before

    refused()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("workers", [1, 4])
def test_the_receipt_describes_the_whole_write(fresh, name, mode, workers, version):
    sandbox, session = fresh(version)
    create_empty(session, name, **({"stamp": "push_batch"} if mode == "stamp" else {}))
    sandbox.faults.status(429, operation="append", nth=1)
    sandbox.faults.status(400, operation="append", nth=6, times=50)
    error = stop_write(sandbox, lambda: append(session, name, workers=workers, **MODES[mode]), nth=3)
    assert error.confirmed
    assert workers > 1 or type(error) is cd.IncompleteWriteError
    arrived = len(sandbox.ledger.inserts(name))
    rest = batch_ranges(sum(stop - start for start, stop in error.unsent), BATCH, version, workers)
    receipt = append(session, name, workers=workers, resume=error.resume, **MODES[mode])
    assert (receipt.rows, receipt.sent, receipt.rejected) == (ROWS, ROWS, 0)
    assert receipt.batches == arrived + len(rest) == len(sandbox.ledger.inserts(name))
    # With several workers, the refusal of a batch may prevent the retry of another.
    assert receipt.retries == 1 or workers > 1
    # Rows that were found count as confirmed.
    assert receipt.confirmed == (ROWS if version != "unversioned" else BATCH)
    assert receipt.status == ("confirmed" if version != "unversioned" else "unverified")
    assert numbers(sandbox, name) == list(range(ROWS))


def test_by_default_a_resume_sends_what_is_unsent_and_raises_for_the_rest(fresh, name, version):
    sandbox, session = fresh(version)
    start, stop = batch_ranges(ROWS, BATCH, version)[2]
    first = stop_write(sandbox, lambda: push(session, name))
    assert (first.confirmed, first.unknown, first.unsent) == ([(0, start)], [(start, stop)], [(stop, ROWS)])
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        push(session, name, resume=first.resume)
    second = caught.value
    assert (second.confirmed, second.unknown, second.unsent) == (
        [(0, start), (stop, ROWS)],
        [(start, stop)],
        [],
    )
    assert numbers(sandbox, name) == list(range(ROWS))
    assert push(session, name, resume=second.resume, on_unknown="check").sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


# journals


def events(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_journal_records_each_batch_before_and_after_its_request(fresh, name, tmp_path, version):
    sandbox, session = fresh(version, timeout=10)
    ranges = batch_ranges(ROWS, BATCH, version)
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=3)
    thread = threading.Thread(target=push, args=(session, name), kwargs={"journal": path})
    thread.start()
    try:
        sandbox.faults.wait_held()
        before = events(path)
    finally:
        sandbox.faults.release()
        thread.join()
    assert [event.get("event") for event in before] == [
        *(None, "creating", "table", "sending", "confirmed", "sending", "confirmed", "sending")
    ]
    assert before[-1]["ranges"] == [list(ranges[2])]
    after = events(path)
    assert after[: len(before)] == before
    batches = ["sending", "confirmed"] * len(ranges[3:])
    assert [event["event"] for event in after[len(before) :]] == ["confirmed", *batches, "done"]


def test_a_journal_is_synced_before_each_request(fresh, name, tmp_path, monkeypatch):
    sandbox, session = fresh()
    synced = []
    fsync = os.fsync

    def counting_fsync(handle):
        fsync(handle)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            synced.append((os.fstat(handle).st_size, count_writes(sandbox)))

    monkeypatch.setattr(os, "fsync", counting_fsync)
    push(session, name, journal=tmp_path / "a.push")
    # creating, the create, table; each batch, with the outcome of the one before; the outcome of the last; done.
    batches = len(batch_ranges(ROWS, BATCH, "2025.3"))
    assert [requests for _, requests in synced] == [0, 1, *range(1, batches + 1), batches + 1, batches + 1]
    assert synced[-1][0] == (tmp_path / "a.push").stat().st_size


@pytest.mark.parametrize("workers", [1, 4])
def test_each_batch_is_on_disk_before_its_request(workers, tmp_path, monkeypatch):
    path, on_disk, arrived = tmp_path / "a.push", [b""], []
    fsync = os.fsync

    def keeping_fsync(handle):
        content = path.read_bytes() if path.exists() else b""
        fsync(handle)
        on_disk.append(content)

    def answer(request, connection):
        if request.path.startswith(f"/data/{REC_ID}/"):
            rows = request.body.removeprefix(b'{"data":[').removesuffix(b"]}")
            arrived.append(any(digest_of(rows).encode() in content for content in on_disk))

    with (
        RawService(versioned=True, answer=answer) as service,
        cd.Session(api_key="k", base_url=service.url, api_version="2025.3") as session,
    ):
        monkeypatch.setattr(os, "fsync", keeping_fsync)
        push_options = {"workers": workers, "chunksize": BATCH, "journal": path, "session": session}
        receipt = FRAME.clicdata.append(REC_ID, **push_options)
    assert len(arrived) == receipt.batches >= ROWS // BATCH
    assert all(arrived)


@pytest.mark.parametrize("workers", [1, 4])
# Linux reports a failed sync once. The next one succeeds although the lines are lost.
@pytest.mark.parametrize("once", [False, True])
def test_a_batch_that_cannot_be_synced_is_not_sent(fresh, name, once, workers, tmp_path, monkeypatch):
    sandbox, session = fresh()
    path, fsync = tmp_path / "a.push", os.fsync
    failures: list[int] = []

    def failing_fsync(handle):
        if path.exists() and b'"sending"' in path.read_bytes() and not (once and failures):
            failures.append(handle)
            # Other threads wait for this sync.
            time.sleep(0.05)
            raise OSError(errno.EIO, "broken")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_fsync)
        with pytest.raises(cd.IncompleteWriteError, match=r"cannot be written: .*broken") as caught:
            push(session, name, journal=path, workers=workers)
    assert (caught.value.confirmed, caught.value.unknown, caught.value.unsent) == ([], [], [(0, ROWS)])
    assert count_writes(sandbox) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_journal_is_private_and_has_no_secret(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    old = os.umask(0)
    try:
        push(session, name, journal=path, stamp="push_batch", verify=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (CANARY, sandbox.client_secret):
        assert secret.encode() not in content
    assert {file.name for file in tmp_path.iterdir()} <= {"a.push", "a.push.lock"}


@pytest.mark.parametrize("mode", ["raise", *MODES])
def test_a_finished_journal_sends_nothing_and_adds_a_note(fresh, name, tmp_path, mode, version):
    sandbox, session = fresh(version)
    options = {"journal": tmp_path / "a.push", **MODES.get(mode, {})}
    first = push(session, name, **options)
    before = len(sandbox.requests)
    second = push(session, name, **options)
    assert len(sandbox.requests) == before
    assert first.notes == ()
    assert "Nothing was sent" in second.notes[0]
    assert "Nothing was sent" in second._repr_html_()
    for fact in ("rec_id", "rows", "sent", "confirmed", "batches", "retries", "status", "columns"):
        assert getattr(second, fact) == getattr(first, fact)
    with pytest.raises(cd.ResumeError, match="another write"):
        push(session, name, FRAME.iloc[::-1], **options)


@pytest.mark.parametrize("torn", [0.0, 0.3, 1.0])
def test_the_last_line_of_a_journal_may_be_torn(fresh, name, tmp_path, torn):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    stop_write(sandbox, lambda: push(session, name, journal=path))
    *lines, last = path.read_bytes().splitlines(keepends=True)
    assert json.loads(last)["event"] == "unknown"
    path.write_bytes(b"".join(lines) + last[: int(torn * (len(last) - 1))])
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        push(session, name, journal=path)
    # The batch was in flight, and its outcome is unknown.
    assert caught.value.unknown == [batch_ranges(ROWS, BATCH, "2025.3")[2]]
    assert push(session, name, journal=path, on_unknown="check").sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


DAMAGE = {
    "a digit": lambda lines: [*lines[:4], lines[4].replace(b'"batch":', b'"batch":1'), *lines[5:]],
    "not JSON": lambda lines: [*lines[:3], b"torn\n", *lines[4:]],
    "a missing line": lambda lines: [*lines[:3], *lines[5:]],
    "a line twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "another order": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "no first line": lambda lines: lines[1:],
    "another file": lambda lines: [b"a,b\n", b"1,2\n"],
    "no complete line": lambda lines: [b"half a li"],
    "bytes": lambda lines: [b"\xff\xfe\n", *lines],
    "a list": lambda lines: [b"[]\n", *lines],
    "another version": lambda lines: [lines[0].replace(b"write 3", b"write 9"), *lines[1:]],
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_journal_is_refused_and_not_changed(fresh, name, tmp_path, case):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    stop_write(sandbox, lambda: push(session, name, journal=path))
    content = b"".join(DAMAGE[case](path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(content)
    before = len(sandbox.requests)
    with pytest.raises(cd.ResumeError, match=r"a\.push|journal"):
        push(session, name, journal=path, on_unknown="check")
    assert len(sandbox.requests) == before
    assert path.read_bytes() == content


def test_a_changed_byte_in_a_journal_is_detected(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    stop_write(sandbox, lambda: push(session, name, journal=path))
    content = path.read_bytes()
    before = len(sandbox.requests)
    last = content[:-1].rfind(b"\n")

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, last), st.integers(1, 255))
    def refused(at, change):
        changed = bytes([*content[:at], content[at] ^ change, *content[at + 1 :]])
        path.write_bytes(changed)
        try:
            same = [json.loads(line) for line in changed.splitlines()] == [json.loads(x) for x in content.splitlines()]
        except ValueError:
            same = False
        if same:
            return
        with pytest.raises(cd.ResumeError):
            push(session, name, journal=path, on_unknown="check")
        assert len(sandbox.requests) == before

    refused()


@pytest.mark.parametrize("where", ["missing/a.push", ".", "file/a.push"])
def test_a_journal_in_an_invalid_place_is_refused(fresh, name, tmp_path, where):
    sandbox, session = fresh()
    (tmp_path / "file").write_text("a file")
    with pytest.raises(cd.ResumeError, match="in an existing folder"):
        push(session, name, journal=tmp_path / where)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("journal", [7, b"", ""])
def test_a_journal_that_is_not_a_path_is_refused(fresh, name, journal):
    sandbox, session = fresh()
    with pytest.raises(TypeError, match="journal="):
        push(session, name, journal=journal)
    assert len(sandbox.requests) == 0


def test_two_threads_cannot_use_one_journal(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=2)
    receipts = []
    thread = threading.Thread(target=lambda: receipts.append(push(session, name, journal=path)))
    thread.start()
    try:
        sandbox.faults.wait_held()
        before = len(sandbox.requests)
        with pytest.raises(cd.JournalInUseError, match=r"a\.push"):
            push(session, name, journal=path)
        assert len(sandbox.requests) == before
    finally:
        sandbox.faults.release()
        thread.join()
    assert receipts[0].sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


# in another process

CHILD = """
import json, os, resource, signal, sys
import pandas as pd
import pandas_clicdata as cd

signal.signal(signal.SIGINT, signal.default_int_handler)
order = json.loads(sys.argv[1])
frame = pd.DataFrame({"n": range(30), "t": [f"canary-7f3a {n}" for n in range(30)]})
session = cd.Session(**order["session"])
if order.get("bytes"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["bytes"], order["bytes"]))
result = {}
try:
    receipt = frame.clicdata.push(order["table"], chunksize=5, session=session, **order["options"])
    result = {"sent": receipt.sent}
except BaseException as exc:
    error = exc if isinstance(exc, cd.ClicDataError) else exc.__cause__
    result = {"raised": type(exc).__name__, "error": type(error).__name__, "message": str(error)}
    for ranges in ("confirmed", "unknown", "unsent", "resume"):
        result[ranges] = getattr(error, ranges, None)
print(json.dumps(result))
"""

posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")


def start_push(sandbox, table, limit=None, **options):
    session = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, "base_url": sandbox.url}
    order = {"session": {**session, "api_version": "2025.3"}, "table": table, "options": options, "bytes": limit}
    return subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(order)], stdout=subprocess.PIPE, text=True)


def result_of(process):
    output, _ = process.communicate(timeout=30)
    return json.loads(output)


@posix
def test_two_processes_cannot_use_one_journal(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=2)
    process = start_push(sandbox, name, journal=str(path))
    sandbox.faults.wait_held(timeout=30)
    before = len(sandbox.requests)
    try:
        with pytest.raises(cd.JournalInUseError):
            push(session, name, journal=path)
        assert len(sandbox.requests) == before
    finally:
        sandbox.faults.release()
        assert result_of(process) == {"sent": ROWS}
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.sampled(0)
@posix
@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_call_resumes_after_ctrl_c_during_a_request(fresh, name, tmp_path, workers):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=3)
    process = start_push(sandbox, name, journal=str(path), workers=workers)
    sandbox.faults.wait_held(timeout=30)
    process.send_signal(signal.SIGINT)
    # After the first Ctrl-C, the write waits for the batches in flight and sends nothing more.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    sandbox.faults.release()
    result = result_of(process)
    assert (result["raised"], result["error"]) == ("KeyboardInterrupt", "IncompleteWriteError")
    assert result["unknown"] == []
    confirmed = [row for first, last in result["confirmed"] for row in range(first, last)]
    assert confirmed == numbers(sandbox, name)
    assert len(confirmed) < ROWS or workers > 1
    assert result["resume"]["confirmed"] == result["confirmed"]
    assert push(session, name, journal=path).sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


@posix
def test_a_token_resumes_after_ctrl_c_during_the_create(fresh, name, tmp_path):
    sandbox, session = fresh()
    sandbox.faults.hang(operation="create", after_commit=True)
    process = start_push(sandbox, name)
    sandbox.faults.wait_held(timeout=30)
    process.send_signal(signal.SIGINT)
    result = result_of(process)
    assert (result["raised"], result["error"]) == ("KeyboardInterrupt", "AmbiguousWriteError")
    assert result["unsent"] == [[0, ROWS]]
    assert push(session, name, resume=result["resume"]).sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.slow
@posix
def test_a_full_disk_stops_the_write_with_exact_ranges(fresh, name, tmp_path):
    sandbox, session = fresh()
    whole = tmp_path / "whole.push"
    push(session, f"{name} 00", journal=whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    # In the event before the third batch, in that after it, before the table is created, and at the end.
    third = [at for at, line in enumerate(lines) if b'"sending"' in line][2]
    for at in (third, third + 1, 1, len(lines) - 1):
        table, path = f"{name} {at:02}", tmp_path / f"{at}.push"
        limit = sum(map(len, lines[: at + 1])) - 40
        result = result_of(start_push(sandbox, table, limit, journal=str(path)))
        if at == 1:
            assert result["error"] == "ResumeError"
            assert table not in sandbox.ledger.tables()
            continue
        assert result["error"] == "IncompleteWriteError"
        assert "cannot be written" in result["message"]
        confirmed = [row for first, last in result["confirmed"] for row in range(first, last)]
        assert (confirmed, result["unknown"]) == (numbers(sandbox, table), [])
        recorded = [each["ranges"] for each in complete_events(path) if each.get("event") == "sending"]
        assert {row for ranges in recorded for first, last in ranges for row in range(first, last)} >= set(confirmed)
        receipt = push(session, table, journal=path, on_unknown="check")
        assert (receipt.sent, numbers(sandbox, table)) == (ROWS, list(range(ROWS)))


def test_nothing_is_written_after_a_torn_line(fresh, name, tmp_path, monkeypatch):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append")
    write = os.write
    torn: list[bytes] = []

    def tear(handle, line):
        if b'"sending"' in line and b'"batch":2' in line and not torn:
            torn.append(line)
            # The first batch ends after this.
            sandbox.faults.wait_held()
            threading.Timer(0.05, sandbox.faults.release).start()
            return write(handle, line[: len(line) // 2])
        return write(handle, line)

    monkeypatch.setattr(os, "write", tear)
    with pytest.raises(cd.IncompleteWriteError, match="a part of the line") as caught:
        push(session, name, journal=path, workers=2)
    assert torn
    assert (caught.value.confirmed, caught.value.unknown) == ([(0, 5)], [])
    assert numbers(sandbox, name) == list(range(5))
    assert push(session, name, journal=path, on_unknown="check").sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


def complete_events(path):
    content = path.read_bytes()
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


# stamps


def stamps_of(sandbox, table):
    """Return the stamps of each insert in the ledger."""
    return [{row["push_batch"] for row in rows} for _, rows in sandbox.ledger.inserts(table)]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_stamp_belongs_to_one_push_and_one_batch(fresh, name, workers, version):
    sandbox, session = fresh(version)
    push(session, name, stamp="push_batch", workers=workers)
    append(session, name, stamp="push_batch", workers=workers, resume=False)
    stamps = stamps_of(sandbox, name)
    assert len(stamps) == 2 * len(batch_ranges(ROWS, BATCH, version, workers))
    assert all(len(each) == 1 for each in stamps)
    all_stamps = [stamp for each in stamps for stamp in each]
    assert len(set(all_stamps)) == len(all_stamps)
    assert len({stamp.rsplit("-", 1)[0] for stamp in all_stamps}) == 2


@pytest.mark.parametrize("released", ["during the write", "after the write"])
def test_a_late_first_try_is_recognized_by_its_stamp(fresh, name, released, version):
    sandbox, session = fresh(version)
    create_empty(session, name, stamp="push_batch")
    sandbox.faults.late_commit(operation="append", nth=2)

    def progress(done, total):
        if done == ROWS and released == "during the write":
            sandbox.faults.release()

    receipt = append(session, name, stamp="push_batch", progress=progress)
    assert len(receipt.stale_stamps) == 1
    assert receipt.sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))
    assert receipt.stale_stamps[0] in receipt._repr_html_()
    if released == "after the write":
        sandbox.faults.release()
        # This is still possible. The receipt has the stamps by which the rows can be deleted at any time.
        start, stop = batch_ranges(ROWS, BATCH, version)[1]
        assert numbers(sandbox, name) == sorted([*range(ROWS), *range(start, stop)])
        stale = pd.DataFrame({"push_batch": list(receipt.stale_stamps)})
        stale.clicdata.delete_rows(name, on="push_batch", session=session)
    assert numbers(sandbox, name) == list(range(ROWS))
    ours = {stamp for each in stamps_of(sandbox, name) for stamp in each}
    assert set(receipt.stale_stamps) <= ours


@pytest.mark.parametrize("columns", [["n", "t"], ["n", "t", "Push_Batch"], ["n", "t", "push_batch as a number"]])
def test_a_stamp_needs_a_text_column_of_the_table(fresh, name, columns, version):
    sandbox, session = fresh(version)
    frame = FRAME.head(0).assign(**{column: pd.Series(dtype="str") for column in columns[2:]})
    if columns[-1] == "push_batch as a number":
        frame = FRAME.head(0).assign(push_batch=pd.Series(dtype="int64"))
    frame.clicdata.push(name, session=session)
    before = count_writes(sandbox)
    with pytest.raises(cd.ColumnMismatchError, match="no text column of that name"):
        append(session, name, stamp="push_batch")
    assert count_writes(sandbox) == before


@pytest.mark.parametrize("stamp", ["n", "N", "", " ", 7])
def test_an_invalid_stamp_is_refused(fresh, name, stamp):
    sandbox, session = fresh()
    with pytest.raises(ValueError):
        push(session, name, stamp=stamp)
    assert len(sandbox.requests) == 0


def stream(frame=FRAME, size=7):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(max_chunksize=size)))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_stream_is_stamped_and_verified(fresh, name, workers, version):
    sandbox, session = fresh(version)
    options = {"chunksize": BATCH, "workers": workers, "reconcile_wait": RECONCILE_WAIT, "session": session}
    sandbox.faults.lose_reply(operation="append", nth=2, after_commit=False)
    sandbox.faults.late_commit(operation="append", nth=4)
    receipt = cd.push(stream(), name, stamp="push_batch", verify=True, **options)
    assert (receipt.rows, receipt.sent, receipt.confirmed, receipt.status) == (ROWS, ROWS, ROWS, "verified")
    assert len(receipt.stale_stamps) == 2
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.parametrize("options", [{"on": "n"}, {"on_unknown": "check"}, {"journal": "a"}, {"resume": {}}])
def test_a_stream_cannot_be_read_twice(fresh, name, options):
    sandbox, session = fresh()
    with pytest.raises(TypeError, match="DataFrame"):
        cd.push(stream(), name, session=session, **options)
    assert len(sandbox.requests) == 0


# keys


def test_existing_keys_are_refused(fresh, name, version):
    sandbox, session = fresh(version)
    push(session, name, FRAME.head(3))
    before = count_writes(sandbox)
    with pytest.raises(cd.RowsExistError, match="2 rows") as caught:
        append(session, name, FRAME.iloc[1:], on="n")
    assert caught.value.rows == 2
    assert count_writes(sandbox) == before
    # A row with another value of one key is another row.
    append(session, name, FRAME.assign(t="other"), on=["n", "t"])
    assert sandbox.ledger.count(name) == ROWS + 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([1, 2, None], "missing"),
        ([1, 2, 1], "same keys"),
        ([1.0, 0.0, -0.0], "same keys"),
        (pd.to_datetime(pd.Series(["2013-01-01", "2013-01-02", None])), "missing"),
        (pd.to_datetime(["2013-01-01T06:00+01:00", "2013-01-01T05:00+00:00", "2013-01-02T05:00Z"], utc=True), "same"),
    ],
)
def test_duplicate_keys_are_refused_before_any_request(fresh, name, keys, message):
    sandbox, session = fresh()
    frame = pd.DataFrame({"n": keys, "t": ["a", "b", "c"]})
    with pytest.raises(cd.FrameError, match=message):
        push(session, name, frame, on="n")
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_late_rows_are_recognized_by_key_before_the_end(fresh, name, workers, version):
    sandbox, session = fresh(version)
    sandbox.faults.late_commit(operation="append", nth=2)

    def progress(done, total):
        if done == ROWS:
            sandbox.faults.release()

    receipt = push(session, name, on="n", workers=workers, progress=progress)
    assert (receipt.sent, receipt.confirmed <= ROWS) == (ROWS, True)
    assert numbers(sandbox, name) == list(range(ROWS))
    inserted = Counter(row["n"] for _, rows in sandbox.ledger.inserts(name) for row in rows)
    assert set(inserted.values()) == {1, 3}, "sent, sent late, and sent again after both were deleted"


# contents


EQUAL = pd.DataFrame({"n": [row % 4 for row in range(ROWS)], "t": ["same"] * ROWS})


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("arrived", [True, False])
def test_equal_rows_are_counted_against_the_rows_before(fresh, name, workers, arrived, version):
    sandbox, session = fresh(version)
    push(session, name, EQUAL.head(9))
    # The replies to several batches are lost; some of the batches arrive.
    sandbox.faults.lose_reply(operation="append", nth=1, after_commit=arrived)
    sandbox.faults.lose_reply(operation="append", nth=3, after_commit=not arrived)
    if version != "unversioned":
        sandbox.faults.lose_reply(operation="append", nth=5, after_commit=arrived)
    receipt = append(session, name, EQUAL, on_unknown="check", workers=workers, resume=False)
    assert receipt.sent == ROWS
    assert Counter(numbers(sandbox, name)) == Counter(EQUAL["n"]) + Counter(EQUAL["n"].head(9))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_partly_inserted_batch_is_completed(fresh, name, workers):
    sandbox, session = fresh()
    # Each batch has more than two rows.
    ranges = batch_ranges(ROWS, 8, "2025.3", workers)
    for mode, options in MODES.items():
        table = f"{name} {mode}"
        sandbox.faults.accept_fewer(2, operation="append", nth=2)
        with pytest.raises(cd.PartialWriteError) as caught:
            push(session, table, chunksize=8, workers=workers, **options)
        # With several workers, the second request may carry another batch than the second.
        assert caught.value.unknown in ([[each] for each in ranges] if workers > 1 else [[ranges[1]]])
        ((start, stop),) = caught.value.unknown
        assert (caught.value.sent, caught.value.counted) == (stop - start, 2)
        receipt = push(session, table, chunksize=8, workers=workers, resume=caught.value.resume, **options)
        assert (receipt.sent, receipt.confirmed) == (ROWS, ROWS)
        assert numbers(sandbox, table) == list(range(ROWS))


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("equal", [0, 2])
def test_reconcile_by_content_without_a_read_before_the_write(fresh, name, arrived, equal):
    """The number of rows shows whether they arrived, unless the table had equal rows before."""
    sandbox, session = fresh()
    start, stop = batch_ranges(ROWS, BATCH, "2025.3")[2]
    before = pd.concat([FRAME.iloc[start : start + equal], FRAME.head(3).assign(n=-1)])
    push(session, name, before)
    error = stop_write(sandbox, lambda: append(session, name), after_commit=arrived)
    assert error.unknown == [(start, stop)]
    if equal:
        with pytest.raises(cd.AmbiguousWriteError, match="not known") as caught:
            append(session, name, resume=error.resume, on_unknown="check")
        assert caught.value.unknown == [(start, stop)]
        stored = Counter(numbers(sandbox, name))
        expected = [arrived + (row < start + equal) for row in range(start, stop)]
        assert [stored[row] for row in range(start, stop)] == expected
    else:
        assert append(session, name, resume=error.resume, on_unknown="check").sent == ROWS
        assert numbers(sandbox, name) == [-1] * 3 + list(range(ROWS))


def test_a_late_first_try_is_detected_by_content(fresh, name, version):
    sandbox, session = fresh(version)
    sandbox.faults.late_commit(operation="append", nth=2)

    def progress(done, total):
        if done == ROWS:
            sandbox.faults.release()

    with pytest.raises(cd.VerificationError, match="twice") as caught:
        push(session, name, on_unknown="check", progress=progress)
    start, stop = batch_ranges(ROWS, BATCH, version)[1]
    assert caught.value.unknown == [(start, stop)]
    assert caught.value.confirmed == [(0, start), (stop, ROWS)]
    assert caught.value.differences == [f"{stop - start} rows too many"]


def test_a_late_first_try_is_detected_without_a_read_before_the_write(fresh, name, version):
    sandbox, session = fresh(version)
    push(session, name, FRAME.head(3).assign(n=-1))
    error = stop_write(sandbox, lambda: append(session, name), kind="late_commit")
    third = batch_ranges(ROWS, BATCH, version)[2]
    assert error.unknown == [third]

    def progress(done, total):
        if done == ROWS:
            sandbox.faults.release()

    with pytest.raises(cd.VerificationError, match="twice") as caught:
        append(session, name, resume=error.resume, on_unknown="check", progress=progress)
    assert caught.value.unknown == [third]


def test_rows_cannot_be_counted_if_earlier_rows_are_missing(fresh, name):
    sandbox, session = fresh()
    error = stop_write(sandbox, lambda: push(session, name, EQUAL, on_unknown="check"), kind="status", code=400)
    frame = FRAME.assign(n=0, t="same").head(1)
    frame.clicdata.delete_rows(name, on=["n", "t"], session=session)
    sandbox.faults.lose_reply(operation="append")
    with pytest.raises(cd.AmbiguousWriteError, match="missing from the table"):
        push(session, name, EQUAL, on_unknown="check", resume=error.resume)


# verification


def every_type():
    moments = pd.DatetimeIndex(["2013-01-01 05:15:00", "2013-06-01 23:59:59.123456", pd.NaT, "1999-12-31"])
    return pd.DataFrame(
        {
            "number": [1.0, -0.0, None, 1e-7],
            "whole": pd.array([2**53, None, -1, 0], dtype="Int64"),
            "text": ["", "x", None, "1"],
            "moment": moments,
            "zoned": moments.tz_localize("Europe/Paris"),
            "yes": pd.array([True, False, None, True], dtype="boolean"),
            "share": [0.25, None, 1.0, 0.0],
            "day": [*moments.date[:2], None, moments.date[3]],
        }
    )


@pytest.mark.parametrize(
    "assume",
    [
        {},
        {"datetime_form": "iso_offset"},
        {"created_as": "object"},
        {"row_id": "id"},
        {"pagination": "bare"},
        {"pagination": "minimal"},
        {"column_metadata": False},
        {"insert_counts": False},
    ],
    ids=str,
)
def test_values_of_every_type_are_verified(serve, name, assume, version):
    sandbox, session = serve(version, assume=Assumptions(**assume), page_size=3)
    frame, columns = every_type(), {"share": "percentage"}
    first = push(session, name, frame, column_types=columns, verify=True)
    assert (first.status, first.confirmed) == ("verified", 4)
    # In a table that had rows, only the new rows count.
    second = append(
        session,
        name,
        frame,
        column_types=columns if assume.get("column_metadata", True) else None,
        verify=True,
        resume=False,
    )
    assert (second.status, second.sent, sandbox.ledger.count(name)) == ("verified", 4, 8)


IN_OTHER_ROWS = "each column has the right values, but some are in other rows"


def swap_cells(session, table, frame=FRAME):
    """Swap the values of a column between two rows of the table."""
    two = frame.iloc[-2:]
    two.assign(t=two["t"].to_numpy()[::-1]).clicdata.update_rows(table, on="n", session=session)


def change_by_another_writer(session, table, case):
    """Return a progress function that changes the table, as another writer, after the last batch."""
    act = {
        "adds a row": lambda: append(session, table, FRAME.head(1)),
        "deletes rows": lambda: FRAME.iloc[2:4].clicdata.delete_rows(table, on="n", session=session),
        "changes a value": lambda: FRAME.iloc[2:3].assign(t="x").clicdata.update_rows(table, on="n", session=session),
        "swaps cells": lambda: swap_cells(session, table),
    }[case]

    def progress(done, total):
        if done == ROWS:
            act()

    return progress


@pytest.mark.parametrize("call", ["push", "append", "stream", "journal"])
@pytest.mark.parametrize(
    ("case", "rows", "columns"),
    [
        ("adds a row", 1, ["n", "t"]),
        ("deletes rows", -2, ["n", "t"]),
        ("changes a value", 0, ["t"]),
        ("swaps cells", 0, []),
    ],
)
def test_changes_by_another_writer_are_detected(fresh, open_session, name, tmp_path, call, case, rows, columns):
    sandbox, session = fresh()
    other = open_session(sandbox)
    rows_before = 0
    if call in ("append", "journal"):
        push(session, name, FRAME.head(3).assign(n=-1))
        rows_before = 3
    options = {"verify": True, "progress": change_by_another_writer(other, name, case)}
    journal = {"journal": tmp_path / "a.push"} if call == "journal" else {}
    write = {
        "push": lambda: push(session, name, **options),
        "stream": lambda: cd.push(stream(size=ROWS), name, session=session, **options),
    }.get(call, lambda: append(session, name, **options, **journal))
    with pytest.raises(cd.VerificationError) as caught:
        write()
    error = caught.value
    expected = ROWS + rows_before
    differences = [f"{expected + rows} rows instead of {expected}"] if rows else []
    differences += [f"column {column!r} has other values" for column in columns]
    assert error.differences == (differences or [IN_OTHER_ROWS])
    assert all(difference in str(error) for difference in error.differences)
    assert error.unknown == [(0, ROWS)]
    if journal:
        # The write is not done: the same call reads the table again and sends nothing.
        before = count_writes(sandbox)
        with pytest.raises(cd.VerificationError):
            append(session, name, verify=True, **journal)
        assert count_writes(sandbox) == before


@pytest.mark.parametrize("resume_by", ["token", "journal"])
def test_swapped_cells_in_the_rows_before_are_detected(fresh, name, tmp_path, resume_by, version):
    """The token and the journal have a checksum of the rows that the table had before."""
    sandbox, session = fresh(version)
    before = FRAME.head(4).assign(n=[-4, -3, -2, -1])
    push(session, name, before)
    options = {"verify": True, "on_unknown": "check"}
    options |= {"journal": tmp_path / "a.push"} if resume_by == "journal" else {}
    sandbox.faults.status(400, operation="append", nth=3)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        append(session, name, **options)
    swap_cells(session, name, before)
    options |= {"resume": caught.value.resume} if resume_by == "token" else {}
    with pytest.raises(cd.VerificationError) as caught:
        append(session, name, **options)
    assert caught.value.differences == [IN_OTHER_ROWS]


def test_rows_that_cannot_be_read_back_are_reported_as_sent(fresh, name, version):
    sandbox, session = fresh(version)
    sandbox.faults.status(500, operation="read", nth=1, times=50)
    with pytest.raises(cd.IncompleteWriteError, match="Do not send them again") as caught:
        push(session, name, verify=True)
    error = caught.value
    assert (error.confirmed, error.unknown, error.unsent) == ([(0, ROWS)], [], [])
    sandbox.faults.clear()
    before = count_writes(sandbox)
    receipt = push(session, name, verify=True, resume=error.resume)
    assert (receipt.status, receipt.sent) == ("verified", ROWS)
    assert count_writes(sandbox) == before


def test_verify_is_refused_for_a_write_that_began_without_it(fresh, name):
    sandbox, session = fresh()
    create_empty(session, name)
    error = stop_write(sandbox, lambda: append(session, name))
    before = count_writes(sandbox)
    with pytest.raises(cd.ResumeError, match="began without"):
        append(session, name, verify=True, on_unknown="check", resume=error.resume)
    assert count_writes(sandbox) == before
