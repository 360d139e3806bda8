"""A process that is killed at any time during a write: the same call resumes the write."""

import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from waiting import wait_until

ROWS, BATCHES = 20_000, 200
DIALECTS = ("2025.3", "unversioned")
LINE = 150  # approximate number of bytes of a line in a journal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# Import once, then fork a child for each call, so that a kill costs no import. An order is a line of JSON. A child is
# killed after ``seconds``, when its journal has grown by ``grown`` bytes, or on a second line. The answer is the result
# of the child.
FORKS = """
import json, os, select, signal, time
import pandas as pd
import pandas_clicdata as cd

def write(order):
    rows = range(order["rows"])
    frame = pd.DataFrame({"n": rows, "t": [f"row {n % 7}" for n in rows]})
    session = cd.Session(**order["session"])
    call = getattr(frame.clicdata, order["operation"])
    receipt = call(order["table"], session=session, **order["options"])
    return [receipt.sent, receipt.status, list(receipt.notes)]

def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0

for line in open(0, "rb", buffering=0):
    order = json.loads(line)
    began, journal = time.monotonic(), order["options"]["journal"]
    enough = size(journal) + order.get("grown", float("inf"))
    due = began + order.get("seconds", float("inf"))
    answer, end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = {"done": write(order)}
        except BaseException as exc:
            result = {"failed": f"{type(exc).__name__}: {exc}"}
        os.write(end, json.dumps(result).encode())
        os._exit(0)
    os.close(end)
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if size(journal) >= enough:
            due, enough = time.monotonic() + order.get("more", 0), float("inf")
        if time.monotonic() >= due or (select.select([0], [], [], 0.001)[0] and os.read(0, len("kill\\n"))):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
    with open(answer, "rb") as file:
        result = file.read()
    print(result.decode() or '{"killed": true}', flush=True)
"""


class Forks:
    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def order(self, **order):
        self.stdin.write(json.dumps(order).encode() + b"\n")

    def kill(self):
        self.stdin.write(b"kill\n")

    def answer(self):
        """Return None if the child was killed, otherwise sent, status and notes of its receipt."""
        result = json.loads(self.stdout.readline())
        assert "failed" not in result, result["failed"]
        return result.get("done")


@pytest.fixture(scope="module")
def forks():
    forks = Forks()
    yield forks
    forks.stdin.close()
    forks.process.wait(10)
    forks.stdout.close()


@pytest.fixture
def sandbox(new_sandbox):
    with new_sandbox(page_size=5_000) as sandbox:
        yield sandbox


def order_for(sandbox, table, journal, rows, version="2025.3", **options):
    session = {
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "base_url": sandbox.url,
        "api_version": version,
    }
    options = {"journal": str(journal), "reconcile_wait": 0.15, **options}
    return {"operation": "push", "table": table, "rows": rows, "session": session, "options": options}


# How rows are recognized: the options of each call, and the further options of calls that resume.
MODES = {
    "stamp": ({"stamp": "mark"}, {}),
    "on": ({"on": "n"}, {}),
    "check": ({"on_unknown": "check"}, {}),
    "raise": ({}, {"on_unknown": "check"}),
}


@pytest.mark.parametrize(
    ("mode", "kills"), [("stamp", 3), *(pytest.param(mode, 56, marks=pytest.mark.slow) for mode in MODES)]
)
def test_a_push_killed_at_random_times(sandbox, forks, name, tmp_path, mode, kills):
    killed = pushes = 0
    while killed < kills:
        # A push may end before its kills, depending on the speed of the machine; then another push starts.
        pushes += 1
        killed += kill_until_done(sandbox, forks, f"{name} {pushes}", tmp_path / f"{pushes}.push", mode, kills - killed)
        assert pushes <= 5, "kills come too late for this to be a test"


def kill_until_done(sandbox, forks, table, journal, mode, kills):
    """Push, kill and resume until the table equals the frame; return the number of kills, at most ``kills``."""
    first, later = MODES[mode]
    chance = random.Random()
    killed = 0
    receipt = None
    while receipt is None:
        options = {
            **first,
            **(later if killed else {}),
            "workers": chance.choice([1, 4]),
            "chunksize": ROWS // BATCHES,
        }
        order = order_for(sandbox, table, journal, ROWS, **options)
        if killed < kills:
            # The journal has two lines per batch; the kills together come to about its end.
            lines = 2 * BATCHES - len(journal.read_bytes().splitlines()) if journal.exists() else 2 * BATCHES
            step = 2 * max(lines, 1) / (kills - killed + 1)
            order |= {"grown": chance.uniform(0, step) * LINE, "more": chance.uniform(0, 0.003)}
            if chance.random() < 0.4:
                # A kill by time may also come before the first batch, or while the table is read.
                order["seconds"] = chance.uniform(0, 0.5)
        forks.order(**order)
        receipt = forks.answer()
        killed += receipt is None
    assert receipt[:2] == [ROWS, "confirmed"]
    assert Counter(row["n"] for row in sandbox.ledger.rows(table)) == Counter(range(ROWS))
    if mode in ("check", "raise"):
        # No row was sent twice, because no first try was late.
        sent = [row["n"] for _, rows in sandbox.ledger.inserts(table) for row in rows]
        assert sorted(sent) == list(range(ROWS))
    return killed


def release_and_wait(sandbox, number):
    """Release the request that hangs, and return when it ends."""
    sandbox.faults.release()
    wait_until(lambda: next(each for each in sandbox.requests if each.number == number).seconds > 0)


@pytest.mark.slow
@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("mode", MODES)
def test_a_push_killed_at_each_of_its_requests(sandbox, forks, name, tmp_path, mode, version):
    first, later = MODES[mode]
    rows = 9

    def push(table, **options):
        return order_for(
            sandbox, table, tmp_path / f"{table}.push", rows, version, chunksize=4, reconcile_wait=0.02, **options
        )

    sandbox.requests.clear()
    forks.order(**push(name, **first))
    assert forks.answer()[0] == rows
    requests = len(sandbox.requests)
    assert requests >= 6, "a token, a list of tables, a create, three batches"
    for nth in range(1, requests + 1):
        for after_commit in (False, True):
            table = f"{name} {nth} {after_commit}"
            sandbox.requests.clear()
            sandbox.faults.hang(nth=nth, after_commit=after_commit)
            forks.order(**push(table, **first))
            sandbox.faults.wait_held()
            forks.kill()
            assert forks.answer() is None
            # The request ends before the next call reads the table.
            release_and_wait(sandbox, sandbox.requests[nth - 1].number)
            forks.order(**push(table, **first, **later))
            receipt = forks.answer()
            assert receipt[0] == rows
            assert sorted(row["n"] for row in sandbox.ledger.rows(table)) == list(range(rows))
    # A call after the end sends nothing.
    before = len(sandbox.requests)
    forks.order(**push(table, **first))
    assert "Nothing was sent" in forks.answer()[2][0]
    assert len(sandbox.requests) == before
