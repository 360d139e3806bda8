"""A notebook whose cell is stopped, or whose kernel is killed, during a push: what the user does next is safe."""

import functools
import os
import queue
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from jupyter_client.manager import start_new_kernel
from waiting import wait_until

ROWS = 4_000
SETUP = """
import pandas as pd
import pandas_clicdata as cd
{connect}
df = pd.DataFrame({{"n": range({rows}), "t": [f"row {{n % 7}}" for n in range({rows})]}})
table = "{table}"
options = dict(chunksize=40, workers={workers}, reconcile_wait=0, progress=False)
"""
PUSH = "df.clicdata.push(table, **options)"
# What a user does after stopping the cell, before the printed line.
NEXT = {
    "the same cell": [PUSH],
    "push to append": ['df.clicdata.push(table, if_exists="append", **options)'],
    "append": ["df.clicdata.append(table, **options)"],
    "a corrected frame": [
        'corrected = df.assign(t=df["t"].where(df["n"] != 3_333, "corrected"))',
        'corrected.clicdata.push(table, if_exists="append", **options)',
        "corrected.clicdata.append(table, **options)",
    ],
    "run all": ["setup", PUSH],
    "a new kernel": ["restart", "setup", PUSH],
    "the printed line": [],
}
CHILD = f"""
import sys
exec(sys.argv[1])
print("ready", flush=True)
{PUSH}
"""


class Notebook:
    """A kernel on which cells run, one after the other."""

    def __init__(self, state):
        environment = {**os.environ, "XDG_STATE_HOME": str(state)}
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment)
        self.environment = environment

    def begin(self, code):
        return self.client.execute(code, stop_on_error=False)

    def end(self, message, seconds=120):
        """Wait for a cell to end, and return its error or its last value as text."""
        while True:
            reply = self.client.get_shell_msg(timeout=seconds)
            if reply["parent_header"].get("msg_id") == message:
                break
        content = reply["content"]
        if content["status"] == "ok":
            return "", content.get("user_expressions", {})
        return content["ename"], content

    def run(self, code, **expressions):
        message = self.client.execute(code, user_expressions=expressions, stop_on_error=False)
        return self.end(message)

    def value(self, expression):
        error, found = self.run("pass", value=expression)
        assert not error
        return eval(found["value"]["data"]["text/plain"])

    def restart(self):
        self.manager.restart_kernel(now=True, env=self.environment)
        self.client.wait_for_ready(timeout=120)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


@pytest.fixture
def notebook(tmp_path):
    kernel = Notebook(tmp_path)
    yield kernel
    kernel.close()


def setup_of(sandbox, table, workers):
    connect = (
        f"session = cd.connect(client_id={sandbox.client_id!r}, client_secret={sandbox.client_secret!r},"
        f" base_url={sandbox.url!r})"
    )
    return SETUP.format(connect=connect, rows=ROWS, table=table, workers=workers)


def rows_of(sandbox, table):
    try:
        return [row["n"] for row in sandbox.ledger.rows(table)]
    except LookupError:
        return []


def has_rows(sandbox, table, rows):
    return len(rows_of(sandbox, table)) >= rows


def interrupted_push(sandbox, notebook, table, random_moment):
    """Start the push, and interrupt it after some requests and some milliseconds."""
    sandbox.requests.clear()
    message = notebook.begin(PUSH)
    # Not at the very end: an interrupt while the kernel sends the reply of the cell stops the kernel's own work.
    requests = random_moment.randrange(ROWS // 40 - 10)
    wait_until(lambda: len(sandbox.requests) >= requests or rows_of(sandbox, table))
    time.sleep(random_moment.uniform(0, 0.02))
    if not notebook.client.shell_channel.msg_ready():
        notebook.manager.interrupt_kernel()
    try:
        return notebook.end(message, seconds=30)[0]
    except queue.Empty:
        # The cell had just ended, and the interrupt stopped the kernel when it sent the reply.
        return "no reply"


@pytest.mark.slow
@pytest.mark.parametrize(("moments", "part"), [(5, part) for part in range(7)])
@pytest.mark.inside("looks at the ledger at each moment")
@pytest.mark.skipif(os.name == "nt", reason="an interrupt of a kernel is a signal here")
def test_a_stopped_cell_never_stores_a_row_twice(one_sandbox, notebook, moments, part):
    """In parts, so that several workers share the 35 moments."""
    sandbox, random_moment, stopped = one_sandbox, random.Random(11 + part), 0
    for number in range(moments):
        for what, cells in NEXT.items():
            table = f"stopped {moments} {part} {number} {what}"
            setup = setup_of(sandbox, table, workers=1 + number % 3)
            assert notebook.run(setup)[0] == ""
            end = interrupted_push(sandbox, notebook, table, random_moment)
            stopped += end == "KeyboardInterrupt"
            if end == "no reply":
                notebook.restart()
                notebook.run(setup)
            for cell in cells:
                if cell == "restart":
                    notebook.restart()
                else:
                    notebook.run(setup if cell == "setup" else cell)
                assert max(Counter(rows_of(sandbox, table)).values(), default=0) <= 1, (what, number)
            lines = notebook.value("list(cd.unfinished()['resume'])")
            lines = [line for line in lines if table in line]
            for line in lines:
                # A push that stopped before its first row cannot be continued once a corrected frame is in the table.
                allowed = {"", "RowsExistError"} if what == "a corrected frame" else {""}
                assert notebook.run(line)[0] in allowed, (what, line)
            if lines or rows_of(sandbox, table):
                assert sorted(rows_of(sandbox, table)) == list(range(ROWS)), (what, number)
    assert stopped


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
@pytest.mark.inside("looks at the ledger at each moment")
def test_a_killed_process_is_continued_without_a_journal_of_the_user(one_sandbox, tmp_path, part):
    """In parts, so that several workers share the 35 kills."""
    sandbox, random_moment = one_sandbox, random.Random(part)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    for number in range(7):
        table = f"killed {part} {number}"
        setup = setup_of(sandbox, table, workers=1 + number % 3)
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, setup], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        rows = random_moment.randrange(ROWS)
        wait_until(functools.partial(has_rows, sandbox, table, rows))
        time.sleep(random_moment.uniform(0, 0.02))
        process.kill()
        process.communicate()
        again = f'{setup}\nprint(df.clicdata.push(table, resume=True, on_unknown="check", **options).sent)'
        result = subprocess.run([sys.executable, "-c", again], env=environment, capture_output=True, check=False)
        assert result.stdout.split() == [str(ROWS).encode()], result.stderr.decode()[-3000:]
        assert sorted(rows_of(sandbox, table)) == list(range(ROWS))
