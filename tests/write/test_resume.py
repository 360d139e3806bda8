"""Going on with a write that stopped: tokens and journals, marks, keys and contents, and reading back."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from batches import batch_ranges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# Each value of each parameter by default; all of their combinations are slow.
pytestmark = pytest.mark.sampled(1)

BATCH = 5
ROWS = 30
CANARY = "canary-7f3a"
FRAME = pd.DataFrame({"n": range(ROWS), "t": [f"{CANARY} {n}" for n in range(ROWS)]})
SETTLE = 0.05
# How rows are told apart.
MODES: dict[str, Any] = {"stamp": {"stamp": "mark"}, "on": {"on": "n"}, "check": {"on_unknown": "check"}}
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
    """Return the sandbox with nothing scripted and nothing logged, and a session of its own."""

    def make(version="2025.3", **options):
        running.requests.clear()
        return running, open_session(running, version, **options)

    yield make
    running.faults.clear()
    running.faults.release()


def push(session, table, frame=FRAME, **options):
    return frame.clicdata.push(table, **{"chunksize": BATCH, "reconcile_wait": SETTLE, "session": session, **options})


def append(session, table, frame=FRAME, **options):
    return frame.clicdata.append(table, **{"chunksize": BATCH, "reconcile_wait": SETTLE, "session": session, **options})


def make_empty(session, table, frame=FRAME, **options):
    return frame.head(0).clicdata.push(table, session=session, **options)


def numbers(sandbox, table):
    return sorted(row["n"] for row in sandbox.ledger.rows(table))


def written(sandbox):
    """How many requests there were that change something."""
    counts = sandbox.requests.counts()
    return sum(counts[operation] for operation in WRITES)


def stopped(sandbox, act, *, kind="lose_reply", nth=3, **fault):
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
    error = stopped(sandbox, lambda: push(session, name, **options), nth=3)
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


@pytest.mark.parametrize("kept", ["token", "journal"])
@pytest.mark.parametrize("other", OTHER_FRAMES)
def test_another_frame_is_refused(fresh, name, tmp_path, kept, other):
    sandbox, session = fresh()
    journal = {"journal": tmp_path / "a"} if kept == "journal" else {}
    error = stopped(sandbox, lambda: push(session, name, **journal))
    before = written(sandbox)
    with pytest.raises(cd.ResumeError, match="another write"):
        push(session, name, OTHER_FRAMES[other], **(journal or {"resume": error.resume}))
    assert written(sandbox) == before
    # The same values in another frame are the same frame.
    same = FRAME.set_axis(range(5, ROWS + 5))
    push(session, name, same, on_unknown="check", **(journal or {"resume": error.resume}))
    assert numbers(sandbox, name) == list(range(ROWS))


OTHER_WRITES = {
    "table": lambda session, token, name: push(session, "another table", resume=token),
    "operation": lambda session, token, name: append(session, name, resume=token),
    "if_exists": lambda session, token, name: push(session, name, if_exists="append", resume=token),
    "stamp": lambda session, token, name: push(session, name, stamp="mark", resume=token),
    "on": lambda session, token, name: push(session, name, on="n", resume=token),
    "columns": lambda session, token, name: push(session, name, column_types={"t": "dropdown"}, resume=token),
}


@pytest.mark.parametrize("what", OTHER_WRITES)
def test_another_write_is_refused(fresh, name, what):
    sandbox, session = fresh()
    error = stopped(sandbox, lambda: push(session, name))
    before = len(sandbox.requests)
    with pytest.raises(cd.ResumeError, match=f"another write: .*{what}"):
        OTHER_WRITES[what](session, error.resume, name)
    assert len(sandbox.requests) == before


def test_another_service_is_refused(fresh, serve, name):
    sandbox, session = fresh()
    error = stopped(sandbox, lambda: push(session, name))
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
    "a client in the place of a key": (KEY, CLIENT),
    "a key in the place of a client": (CLIENT, KEY),
    "another client": (CLIENT, {**CLIENT, "client_id": "another"}),
    "another user": (USER, {**USER, "username": "another@acme.example"}),
    "another client of the user": (USER, {**USER, "client_id": "another"}),
    "a client in the place of a user": (USER, CLIENT),
}


def credentials(sandbox, given):
    return {name: value(sandbox) if callable(value) else value for name, value in given.items()}


@pytest.mark.parametrize("kept", ["token", "journal"])
@pytest.mark.parametrize("write", [push, append])
@pytest.mark.parametrize("other", OTHER_ACCOUNTS)
def test_another_account_is_refused(fresh, name, tmp_path, version, kept, write, other):
    sandbox, session = fresh(version)
    make_empty(session, name)
    ours, theirs = (credentials(sandbox, given) for given in OTHER_ACCOUNTS[other])
    journal = {"journal": tmp_path / "a"} if kept == "journal" else {}
    options = {"if_exists": "append", **journal} if write is push else journal
    where = {"base_url": sandbox.url, "api_version": version}
    with cd.Session(**ours, **where) as session, cd.Session(**theirs, **where) as another:
        error = stopped(sandbox, lambda: write(session, name, **options))
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
        # A session of the same account goes on with it.
        with cd.Session(**ours, **where) as same:
            write(same, name, **{"on_unknown": "check", **again})
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.parametrize("token", ["text", ["list"], 7, b"bytes"])
def test_what_is_no_token_at_all(fresh, name, token):
    sandbox, session = fresh()
    with pytest.raises(TypeError, match=r"error\.resume"):
        push(session, name, resume=token)
    assert len(sandbox.requests) == 0


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(object()) | st.just(b""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def damaged(draw, value):
    """Return the value with one place in it changed, taken away, or added to."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.booleans()):
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: damaged(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        if draw(st.booleans()):
            return value[:at] + value[at + 1 :]
        return [*value[:at], damaged(draw, value[at]), *value[at + 1 :]]
    if isinstance(value, int) and draw(st.booleans()):
        return value + draw(st.sampled_from([-1, 1, 10**9]))
    return draw(JUNK)


@pytest.mark.slow
def test_a_damaged_token_is_refused_before_any_request(fresh, name):
    sandbox, session = fresh()
    token = stopped(sandbox, lambda: push(session, name)).resume
    before = len(sandbox.requests)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def refused(data):
        worse = damaged(data.draw, token)
        if not isinstance(worse, dict) or repr(worse) == repr(token):
            return
        with pytest.raises(cd.ResumeError):
            push(session, name, on_unknown="check", resume=worse)
        assert len(sandbox.requests) == before

    refused()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("workers", [1, 4])
def test_the_receipt_is_of_the_whole(fresh, name, mode, workers, version):
    sandbox, session = fresh(version)
    make_empty(session, name, **({"stamp": "mark"} if mode == "stamp" else {}))
    sandbox.faults.status(429, operation="append", nth=1)
    sandbox.faults.status(400, operation="append", nth=6, times=50)
    error = stopped(sandbox, lambda: append(session, name, workers=workers, **MODES[mode]), nth=3)
    assert error.confirmed
    assert workers > 1 or type(error) is cd.IncompleteWriteError
    arrived = len(sandbox.ledger.inserts(name))
    rest = batch_ranges(sum(stop - start for start, stop in error.unsent), BATCH, version, workers)
    receipt = append(session, name, workers=workers, resume=error.resume, **MODES[mode])
    assert (receipt.rows, receipt.sent, receipt.rejected) == (ROWS, ROWS, 0)
    assert receipt.batches == arrived + len(rest) == len(sandbox.ledger.inserts(name))
    # With several workers the batch that is to go again may be kept back by the one that is refused.
    assert receipt.retries == 1 or workers > 1
    # Rows that were found were counted.
    assert receipt.confirmed == (ROWS if version != "unversioned" else BATCH)
    assert receipt.status == ("confirmed" if version != "unversioned" else "unverified")
    assert numbers(sandbox, name) == list(range(ROWS))


def test_by_default_a_resume_sends_what_is_unsent_and_raises_for_the_rest(fresh, name, version):
    sandbox, session = fresh(version)
    start, stop = batch_ranges(ROWS, BATCH, version)[2]
    first = stopped(sandbox, lambda: push(session, name))
    assert (first.confirmed, first.unknown, first.unsent) == ([(0, start)], [(start, stop)], [(stop, ROWS)])
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        push(session, name, resume=first.resume)
    second = caught.value
    assert (second.confirmed, second.unknown, second.unsent) == ([(0, start), (stop, ROWS)], [(start, stop)], [])
    assert numbers(sandbox, name) == list(range(ROWS))
    assert push(session, name, resume=second.resume, on_unknown="check").sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


# journals


def events(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_journal_names_each_batch_before_it_goes_and_after(fresh, name, tmp_path, version):
    sandbox, session = fresh(version, timeout=10)
    ranges = batch_ranges(ROWS, BATCH, version)
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=3)
    thread = threading.Thread(target=push, args=(session, name), kwargs={"journal": path})
    thread.start()
    try:
        sandbox.faults.wait_held()
        kept = events(path)
    finally:
        sandbox.faults.release()
        thread.join()
    assert [event.get("event") for event in kept] == [
        *(None, "creating", "table", "sending", "confirmed", "sending", "confirmed", "sending")
    ]
    assert kept[-1]["ranges"] == [list(ranges[2])]
    after = events(path)
    assert after[: len(kept)] == kept
    batches = ["sending", "confirmed"] * len(ranges[3:])
    assert [event["event"] for event in after[len(kept) :]] == ["confirmed", *batches, "done"]


def test_a_journal_is_on_the_disk_before_a_request_goes(fresh, name, tmp_path, monkeypatch):
    sandbox, session = fresh()
    synced = []
    fsync = os.fsync

    def counting(handle):
        fsync(handle)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            synced.append((os.fstat(handle).st_size, written(sandbox)))

    monkeypatch.setattr(os, "fsync", counting)
    push(session, name, journal=tmp_path / "a.push")
    # creating | create | table, then each batch between its two, and done.
    batches = len(batch_ranges(ROWS, BATCH, "2025.3"))
    assert [requests for _, requests in synced] == [
        0, 1, *(each for batch in range(1, batches + 1) for each in (batch, batch + 1)), batches + 1
    ]  # fmt: skip
    assert synced[-1][0] == (tmp_path / "a.push").stat().st_size


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_journal_is_for_its_owner_and_holds_no_secret(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    old = os.umask(0)
    try:
        push(session, name, journal=path, stamp="mark", verify=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (CANARY, sandbox.client_secret):
        assert secret.encode() not in content
    assert {file.name for file in tmp_path.iterdir()} <= {"a.push", "a.push.lock"}


@pytest.mark.parametrize("mode", ["raise", *MODES])
def test_a_finished_journal_sends_nothing_and_says_so(fresh, name, tmp_path, mode, version):
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
    stopped(sandbox, lambda: push(session, name, journal=path))
    *lines, last = path.read_bytes().splitlines(keepends=True)
    assert json.loads(last)["event"] == "unknown"
    path.write_bytes(b"".join(lines) + last[: int(torn * (len(last) - 1))])
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        push(session, name, journal=path)
    # It was on the wire, and nothing says what became of it.
    assert caught.value.unknown == [batch_ranges(ROWS, BATCH, "2025.3")[2]]
    assert push(session, name, journal=path, on_unknown="check").sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


DAMAGE = {
    "a digit": lambda lines: [*lines[:4], lines[4].replace(b'"batch":', b'"batch":1'), *lines[5:]],
    "no JSON": lambda lines: [*lines[:3], b"torn\n", *lines[4:]],
    "a line less": lambda lines: [*lines[:3], *lines[5:]],
    "a line twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "another order": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "no beginning": lambda lines: lines[1:],
    "another file": lambda lines: [b"a,b\n", b"1,2\n"],
    "no line at all": lambda lines: [b"half a li"],
    "bytes": lambda lines: [b"\xff\xfe\n", *lines],
    "a list": lambda lines: [b"[]\n", *lines],
    "another version": lambda lines: [lines[0].replace(b"write 2", b"write 9"), *lines[1:]],
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_journal_is_refused_and_left_as_it_is(fresh, name, tmp_path, what):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    stopped(sandbox, lambda: push(session, name, journal=path))
    content = b"".join(DAMAGE[what](path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(content)
    before = len(sandbox.requests)
    with pytest.raises(cd.ResumeError, match=r"a\.push|journal"):
        push(session, name, journal=path, on_unknown="check")
    assert len(sandbox.requests) == before
    assert path.read_bytes() == content


def test_any_byte_of_a_journal_that_changes_is_noticed(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    stopped(sandbox, lambda: push(session, name, journal=path))
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
def test_a_journal_where_no_file_can_be(fresh, name, tmp_path, where):
    sandbox, session = fresh()
    (tmp_path / "file").write_text("a file")
    with pytest.raises(cd.ResumeError, match="in an existing folder"):
        push(session, name, journal=tmp_path / where)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("journal", [7, b"", "", True])
def test_a_journal_that_is_no_path(fresh, name, journal):
    sandbox, session = fresh()
    with pytest.raises(TypeError, match="journal="):
        push(session, name, journal=journal)
    assert len(sandbox.requests) == 0


def test_two_threads_on_one_journal(fresh, name, tmp_path):
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


# in a process of its own

CHILD = """
import json, os, resource, signal, sys
import pandas as pd
import pandas_clicdata as cd

signal.signal(signal.SIGINT, signal.default_int_handler)
told = json.loads(sys.argv[1])
frame = pd.DataFrame({"n": range(30), "t": [f"canary-7f3a {n}" for n in range(30)]})
session = cd.Session(**told["session"])
if told.get("bytes"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (told["bytes"], told["bytes"]))
said = {}
try:
    receipt = frame.clicdata.push(told["table"], chunksize=5, session=session, **told["options"])
    said = {"sent": receipt.sent}
except BaseException as exc:
    error = exc if isinstance(exc, cd.ClicDataError) else exc.__cause__
    said = {"raised": type(exc).__name__, "told": type(error).__name__, "message": str(error)}
    for ranges in ("confirmed", "unknown", "unsent", "resume"):
        said[ranges] = getattr(error, ranges, None)
print(json.dumps(said))
"""

posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")


def start(sandbox, table, limit=None, **options):
    session = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, "base_url": sandbox.url}
    told = {"session": {**session, "api_version": "2025.3"}, "table": table, "options": options, "bytes": limit}
    return subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(told)], stdout=subprocess.PIPE, text=True)


def ended(process):
    said, _ = process.communicate(timeout=30)
    return json.loads(said)


@posix
def test_two_processes_on_one_journal(fresh, name, tmp_path):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=2)
    process = start(sandbox, name, journal=str(path))
    sandbox.faults.wait_held(timeout=30)
    before = len(sandbox.requests)
    try:
        with pytest.raises(cd.JournalInUseError):
            push(session, name, journal=path)
        assert len(sandbox.requests) == before
    finally:
        sandbox.faults.release()
        assert ended(process) == {"sent": ROWS}
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.sampled(0)
@posix
@pytest.mark.parametrize("workers", [1, 3])
def test_ctrl_c_inside_a_request_and_the_same_call_again(fresh, name, tmp_path, workers):
    sandbox, session = fresh()
    path = tmp_path / "a.push"
    sandbox.faults.hang(operation="append", nth=3)
    process = start(sandbox, name, journal=str(path), workers=workers)
    sandbox.faults.wait_held(timeout=30)
    process.send_signal(signal.SIGINT)
    # The first Ctrl-C waits for the reply to what is on the wire, and sends nothing more.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    sandbox.faults.release()
    said = ended(process)
    assert (said["raised"], said["told"]) == ("KeyboardInterrupt", "IncompleteWriteError")
    assert said["unknown"] == []
    confirmed = [row for first, last in said["confirmed"] for row in range(first, last)]
    assert confirmed == numbers(sandbox, name)
    assert len(confirmed) < ROWS or workers > 1
    assert said["resume"]["confirmed"] == said["confirmed"]
    assert push(session, name, journal=path).sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


@posix
def test_ctrl_c_while_the_table_is_made(fresh, name, tmp_path):
    sandbox, session = fresh()
    sandbox.faults.hang(operation="create", after_commit=True)
    process = start(sandbox, name)
    sandbox.faults.wait_held(timeout=30)
    process.send_signal(signal.SIGINT)
    said = ended(process)
    assert (said["raised"], said["told"]) == ("KeyboardInterrupt", "AmbiguousWriteError")
    assert said["unsent"] == [[0, ROWS]]
    assert push(session, name, resume=said["resume"]).sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))


@pytest.mark.slow
@posix
def test_a_disk_that_is_full_stops_the_write_with_exact_ranges(fresh, name, tmp_path):
    sandbox, session = fresh()
    whole = tmp_path / "whole.push"
    push(session, f"{name} 00", journal=whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    # In the middle of what is noted before the third batch, after it, before the table is made, and in the end.
    third = [at for at, line in enumerate(lines) if b'"sending"' in line][2]
    for at in (third, third + 1, 1, len(lines) - 1):
        table, path = f"{name} {at:02}", tmp_path / f"{at}.push"
        limit = sum(map(len, lines[: at + 1])) - 40
        said = ended(start(sandbox, table, limit, journal=str(path)))
        if at == 1:
            assert said["told"] == "ResumeError"
            assert table not in sandbox.ledger.tables()
            continue
        assert said["told"] == "IncompleteWriteError"
        assert "cannot be written" in said["message"]
        confirmed = [row for first, last in said["confirmed"] for row in range(first, last)]
        assert (confirmed, said["unknown"]) == (numbers(sandbox, table), [])
        noted = [each["ranges"] for each in events_of_whole_lines(path) if each.get("event") == "sending"]
        assert {row for ranges in noted for first, last in ranges for row in range(first, last)} >= set(confirmed)
        receipt = push(session, table, journal=path, on_unknown="check")
        assert (receipt.sent, numbers(sandbox, table)) == (ROWS, list(range(ROWS)))


def test_nothing_is_written_behind_a_line_that_was_torn(fresh, name, tmp_path, monkeypatch):
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


def events_of_whole_lines(path):
    content = path.read_bytes()
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


# marks


def marks_of(sandbox, table):
    """Return the marks of each insert on the ledger."""
    return [{row["mark"] for row in rows} for _, rows in sandbox.ledger.inserts(table)]


@pytest.mark.parametrize("workers", [1, 4])
def test_marks_are_of_one_push_and_one_batch(fresh, name, workers, version):
    sandbox, session = fresh(version)
    push(session, name, stamp="mark", workers=workers)
    append(session, name, stamp="mark", workers=workers)
    marks = marks_of(sandbox, name)
    assert len(marks) == 2 * len(batch_ranges(ROWS, BATCH, version, workers))
    assert all(len(each) == 1 for each in marks)
    flat = [mark for each in marks for mark in each]
    assert len(set(flat)) == len(flat)
    assert len({mark.rsplit("-", 1)[0] for mark in flat}) == 2


@pytest.mark.parametrize("released", ["while it goes on", "after its end"])
def test_a_late_first_try_is_recognized_by_its_mark(fresh, name, released, version):
    sandbox, session = fresh(version)
    make_empty(session, name, stamp="mark")
    sandbox.faults.late_commit(operation="append", nth=2)

    def progress(done, total):
        if done == ROWS and released == "while it goes on":
            sandbox.faults.release()

    receipt = append(session, name, stamp="mark", progress=progress)
    assert len(receipt.stale_stamps) == 1
    assert receipt.sent == ROWS
    assert numbers(sandbox, name) == list(range(ROWS))
    assert receipt.stale_stamps[0] in receipt._repr_html_()
    if released == "after its end":
        sandbox.faults.release()
        # What is possible still: it shows, and can be taken away by anybody at any time.
        start, stop = batch_ranges(ROWS, BATCH, version)[1]
        assert numbers(sandbox, name) == sorted([*range(ROWS), *range(start, stop)])
        stale = pd.DataFrame({"mark": list(receipt.stale_stamps)})
        stale.clicdata.delete_rows(name, on="mark", session=session)
    assert numbers(sandbox, name) == list(range(ROWS))
    ours = {mark for each in marks_of(sandbox, name) for mark in each}
    assert set(receipt.stale_stamps) <= ours


@pytest.mark.parametrize("columns", [["n", "t"], ["n", "t", "Mark"], ["n", "t", "mark as a number"]])
def test_a_stamp_needs_a_text_column_of_the_table(fresh, name, columns, version):
    sandbox, session = fresh(version)
    frame = FRAME.head(0).assign(**{column: pd.Series(dtype="str") for column in columns[2:]})
    if columns[-1] == "mark as a number":
        frame = FRAME.head(0).assign(mark=pd.Series(dtype="int64"))
    frame.clicdata.push(name, session=session)
    before = written(sandbox)
    with pytest.raises(cd.ColumnMismatchError, match="no text column of that name"):
        append(session, name, stamp="mark")
    assert written(sandbox) == before


@pytest.mark.parametrize("stamp", ["n", "N", "", " ", 7])
def test_a_stamp_that_cannot_be(fresh, name, stamp):
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
    options = {"chunksize": BATCH, "workers": workers, "reconcile_wait": SETTLE, "session": session}
    sandbox.faults.lose_reply(operation="append", nth=2, after_commit=False)
    sandbox.faults.late_commit(operation="append", nth=4)
    receipt = cd.push(stream(), name, stamp="mark", verify=True, **options)
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


def test_keys_that_are_there_are_refused(fresh, name, version):
    sandbox, session = fresh(version)
    push(session, name, FRAME.head(3))
    before = written(sandbox)
    with pytest.raises(cd.RowsExistError, match="2 rows") as caught:
        append(session, name, FRAME.iloc[1:], on="n")
    assert caught.value.rows == 2
    assert written(sandbox) == before
    # By another value of any key it is another row.
    append(session, name, FRAME.assign(t="other"), on=["n", "t"])
    assert sandbox.ledger.count(name) == ROWS + 3


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([1, 2, None], "missing"),
        ([1, 2, 1], "same keys"),
        ([1.0, 0.0, -0.0], "same keys"),
        (pd.to_datetime(pd.Series(["2013-01-01", "2013-01-02", None])), "missing"),
        (pd.to_datetime(["2013-01-01T06:00+01:00", "2013-01-01T05:00+00:00", "2013-01-02T05:00Z"], utc=True), "same"),
    ],
)
def test_duplicate_keys_are_refused_before_any_request(fresh, name, keys, why):
    sandbox, session = fresh()
    frame = pd.DataFrame({"n": keys, "t": ["a", "b", "c"]})
    with pytest.raises(cd.FrameError, match=why):
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
    assert set(inserted.values()) == {1, 3}, "it came, came late, and went once more after both were deleted"


# contents


EQUAL = pd.DataFrame({"n": [row % 4 for row in range(ROWS)], "t": ["same"] * ROWS})


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("there", [True, False])
def test_equal_rows_are_counted_against_what_was_there(fresh, name, workers, there, version):
    sandbox, session = fresh(version)
    push(session, name, EQUAL.head(9))
    # Of several batches, one arrives or does not, and one arrives in part where the dialect says so.
    sandbox.faults.lose_reply(operation="append", nth=1, after_commit=there)
    sandbox.faults.lose_reply(operation="append", nth=3, after_commit=not there)
    if version != "unversioned":
        sandbox.faults.lose_reply(operation="append", nth=5, after_commit=there)
    receipt = append(session, name, EQUAL, on_unknown="check", workers=workers)
    assert receipt.sent == ROWS
    assert Counter(numbers(sandbox, name)) == Counter(EQUAL["n"]) + Counter(EQUAL["n"].head(9))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_partly_inserted_batch_is_completed(fresh, name, workers):
    sandbox, session = fresh()
    # Batches of which each has more than two rows.
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
def test_reconciling_by_content_without_a_look_before(fresh, name, arrived, equal):
    """Absent is decided, present by the number of rows, and what was there before makes it undecided."""
    sandbox, session = fresh()
    start, stop = batch_ranges(ROWS, BATCH, "2025.3")[2]
    before = pd.concat([FRAME.iloc[start : start + equal], FRAME.head(3).assign(n=-1)])
    push(session, name, before)
    error = stopped(sandbox, lambda: append(session, name), after_commit=arrived)
    assert error.unknown == [(start, stop)]
    if equal:
        with pytest.raises(cd.AmbiguousWriteError, match="not known") as caught:
            append(session, name, resume=error.resume, on_unknown="check")
        assert caught.value.unknown == [(start, stop)]
        there = Counter(numbers(sandbox, name))
        expected = [arrived + (row < start + equal) for row in range(start, stop)]
        assert [there[row] for row in range(start, stop)] == expected
    else:
        assert append(session, name, resume=error.resume, on_unknown="check").sent == ROWS
        assert numbers(sandbox, name) == [-1] * 3 + list(range(ROWS))


def test_a_late_first_try_is_noticed_by_content(fresh, name, version):
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


def test_a_late_first_try_is_noticed_without_a_look_before(fresh, name, version):
    sandbox, session = fresh(version)
    push(session, name, FRAME.head(3).assign(n=-1))
    error = stopped(sandbox, lambda: append(session, name), kind="late_commit")
    third = batch_ranges(ROWS, BATCH, version)[2]
    assert error.unknown == [third]

    def progress(done, total):
        if done == ROWS:
            sandbox.faults.release()

    with pytest.raises(cd.VerificationError, match="twice") as caught:
        append(session, name, resume=error.resume, on_unknown="check", progress=progress)
    assert caught.value.unknown == [third]


def test_rows_that_vanish_leave_nothing_to_count_by(fresh, name):
    sandbox, session = fresh()
    error = stopped(sandbox, lambda: push(session, name, EQUAL, on_unknown="check"), kind="status", code=400)
    frame = FRAME.assign(n=0, t="same").head(1)
    frame.clicdata.delete_rows(name, on=["n", "t"], session=session)
    sandbox.faults.lose_reply(operation="append")
    with pytest.raises(cd.AmbiguousWriteError, match="missing from the table"):
        push(session, name, EQUAL, on_unknown="check", resume=error.resume)


# reading back


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
def test_what_is_read_back_is_what_was_sent(serve, name, assume, version):
    sandbox, session = serve(version, assume=Assumptions(**assume), page_size=3)
    frame, columns = every_type(), {"share": "percentage"}
    first = push(session, name, frame, column_types=columns, verify=True)
    assert (first.status, first.confirmed) == ("verified", 4)
    # To a table with rows, only the new ones count.
    second = append(
        session, name, frame, column_types=columns if assume.get("column_metadata", True) else None, verify=True
    )
    assert (second.status, second.sent, sandbox.ledger.count(name)) == ("verified", 4, 8)


IN_OTHER_ROWS = "each column has the right values, but some are in other rows"


def swap_cells(session, table, frame=FRAME):
    """Let two rows of the table change the values of a column."""
    two = frame.iloc[-2:]
    two.assign(t=two["t"].to_numpy()[::-1]).clicdata.update_rows(table, on="n", session=session)


def meanwhile_by_another(session, table, what):
    """Something that somebody else does when the last batch has gone."""
    act = {
        "adds a row": lambda: append(session, table, FRAME.head(1)),
        "takes rows": lambda: FRAME.iloc[2:4].clicdata.delete_rows(table, on="n", session=session),
        "changes a value": lambda: FRAME.iloc[2:3].assign(t="x").clicdata.update_rows(table, on="n", session=session),
        "swaps cells": lambda: swap_cells(session, table),
    }[what]

    def progress(done, total):
        if done == ROWS:
            act()

    return progress


@pytest.mark.parametrize("by", ["push", "append", "stream", "journal"])
@pytest.mark.parametrize(
    ("what", "rows", "columns"),
    [
        ("adds a row", 1, ["n", "t"]),
        ("takes rows", -2, ["n", "t"]),
        ("changes a value", 0, ["t"]),
        ("swaps cells", 0, []),
    ],
)
def test_changes_by_another_user_are_noticed(fresh, open_session, name, tmp_path, by, what, rows, columns):
    sandbox, session = fresh()
    other = open_session(sandbox)
    start_with = 0
    if by in ("append", "journal"):
        push(session, name, FRAME.head(3).assign(n=-1))
        start_with = 3
    options = {"verify": True, "progress": meanwhile_by_another(other, name, what)}
    journal = {"journal": tmp_path / "a.push"} if by == "journal" else {}
    act = {
        "push": lambda: push(session, name, **options),
        "stream": lambda: cd.push(stream(size=ROWS), name, session=session, **options),
    }.get(by, lambda: append(session, name, **options, **journal))
    with pytest.raises(cd.VerificationError) as caught:
        act()
    error = caught.value
    should = ROWS + start_with
    said = [f"{should + rows} rows instead of {should}"] if rows else []
    said += [f"column {column!r} has other values" for column in columns]
    assert error.differences == (said or [IN_OTHER_ROWS])
    assert all(difference in str(error) for difference in error.differences)
    assert error.unknown == [(0, ROWS)]
    if journal:
        # It is not done, and the same call looks again and sends nothing.
        before = written(sandbox)
        with pytest.raises(cd.VerificationError):
            append(session, name, verify=True, **journal)
        assert written(sandbox) == before


@pytest.mark.parametrize("kept", ["token", "journal"])
def test_cells_of_the_rows_before_that_are_swapped_meanwhile_are_noticed(fresh, name, tmp_path, kept, version):
    """What the table held before is kept with the write, checksum over whole rows and all."""
    sandbox, session = fresh(version)
    before = FRAME.head(4).assign(n=[-4, -3, -2, -1])
    push(session, name, before)
    how = {"verify": True, "on_unknown": "check"}
    how |= {"journal": tmp_path / "a.push"} if kept == "journal" else {}
    sandbox.faults.status(400, operation="append", nth=3)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        append(session, name, **how)
    swap_cells(session, name, before)
    how |= {"resume": caught.value.resume} if kept == "token" else {}
    with pytest.raises(cd.VerificationError) as caught:
        append(session, name, **how)
    assert caught.value.differences == [IN_OTHER_ROWS]


def test_rows_that_cannot_be_read_back_are_reported_as_sent(fresh, name, version):
    sandbox, session = fresh(version)
    sandbox.faults.status(500, operation="read", nth=1, times=50)
    with pytest.raises(cd.IncompleteWriteError, match="Do not send them again") as caught:
        push(session, name, verify=True)
    error = caught.value
    assert (error.confirmed, error.unknown, error.unsent) == ([(0, ROWS)], [], [])
    sandbox.faults.clear()
    before = written(sandbox)
    receipt = push(session, name, verify=True, resume=error.resume)
    assert (receipt.status, receipt.sent) == ("verified", ROWS)
    assert written(sandbox) == before


def test_to_verify_a_write_that_was_begun_without_is_refused(fresh, name):
    sandbox, session = fresh()
    make_empty(session, name)
    error = stopped(sandbox, lambda: append(session, name))
    before = written(sandbox)
    with pytest.raises(cd.ResumeError, match="began without"):
        append(session, name, verify=True, on_unknown="check", resume=error.resume)
    assert written(sandbox) == before
