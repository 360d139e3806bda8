"""Writes at the exit of the interpreter, and where no thread, or fewer threads than workers, can be started."""

import os
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest

import pandas_clicdata as cd

DIALECTS = ("2025.3", "unversioned")
ROWS = 30

BEFORE = """
import atexit, os, signal, sys, threading
import pandas as pd
import pandas_clicdata as cd

table = sys.argv[1]
frame = pd.DataFrame({"n": range(30), "t": [f"row {n}" for n in range(30)]})

def write():
    receipt = frame.clicdata.append(table, chunksize=5, workers=4)
    assert receipt.sent == 30, receipt
    changed = frame.head(3).assign(t="changed")
    changed.clicdata.update_rows(table, on="n", workers=4)
    frame.tail(3).clicdata.delete_rows(table, on="n", workers=4)
    print("done")
"""

NO_THREAD_AFTER = """
started, start = 0, threading.Thread.start

def refuse(thread):
    global started
    if started == {allowed}:
        raise RuntimeError("can't start new thread")
    started += 1
    start(thread)

threading.Thread.start = refuse
"""

SCRIPTS = {
    "at exit": BEFORE + "atexit.register(write)",
    "after the main thread": BEFORE
    + """
def late():
    threading.main_thread().join()
    write()

threading.Thread(target=late).start()
""",
    "no thread": BEFORE + NO_THREAD_AFTER.format(allowed=0) + "write()",
    "one thread": BEFORE + NO_THREAD_AFTER.format(allowed=1) + "write()",
}


@pytest.fixture(params=DIALECTS)
def run(request, running, open_session, name):
    """Return a function that runs a script with a new table and returns its result and the rows in the table."""
    session = open_session(running, request.param)
    pd.DataFrame({"n": [-1], "t": ["before"]}).clicdata.push(name, session=session)
    settings = {
        "CLICDATA_CLIENT_ID": running.client_id,
        "CLICDATA_CLIENT_SECRET": running.client_secret,
        "CLICDATA_BASE_URL": running.url,
        "CLICDATA_API_VERSION": request.param,
    }

    def run_script(script):
        result = subprocess.run(
            [sys.executable, "-c", script, name],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        rows = Counter((row["n"], row["t"]) for row in running.ledger.rows(name))
        return result, rows

    return run_script


@pytest.mark.sampled(0)
@pytest.mark.parametrize("when", SCRIPTS)
def test_every_row_is_written_once(run, when):
    result, rows = run(SCRIPTS[when])
    assert (result.stdout, result.stderr, result.returncode) == ("done\n", "", 0)
    expected = [(n, "changed" if n < 3 else f"row {n}") for n in range(ROWS - 3)]
    assert rows == Counter([(-1, "before"), *expected])


STOPPED = """
# A shell that starts the tests in the background ignores the signal, and Python inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

def stop(done, total):
    if done == {after}:
        os.kill(os.getpid(), signal.SIGINT)

try:
    frame.clicdata.append(table, chunksize=5, workers=4, progress=stop)
except KeyboardInterrupt as stopped:
    error = stopped.__cause__
    print(sum(stop - start for start, stop in error.confirmed), error.unknown)
"""


@pytest.mark.slow
def test_a_stop_without_threads_reports_the_ranges(run):
    result, rows = run(BEFORE + NO_THREAD_AFTER.format(allowed=0) + STOPPED.format(after=5))
    assert (result.stdout, result.stderr, result.returncode) == ("5 []\n", "", 0)
    assert sum(rows.values()) == 1 + 5


@pytest.mark.slow
def test_a_write_at_exit_without_a_service_prints_the_error():
    """The exit handler prints the error, and the interpreter ends."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPTS["at exit"], "T"],
        env={**os.environ, "CLICDATA_API_KEY": "k", "CLICDATA_BASE_URL": "http://127.0.0.1:9", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.stdout == ""
    assert cd.ConnectionFailedError.__name__ in result.stderr
