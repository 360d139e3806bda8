"""A forked child works, although it has none of the threads of its parent, which could release a lock."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# The time limits only end a child that hangs, and finally its parent.
BEGIN = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore")
import pandas as pd
import pandas_clicdata as cd

url, client_id, client_secret, code, token_file, name = sys.argv[1:]
BACK = "http://127.0.0.1:9/back"
CLIENT = dict(client_id=client_id, client_secret=client_secret, base_url=url)

def wait_for_line():
    return sys.stdin.readline()

def say(word):
    print(word, flush=True)

def work(session, table):
    pd.DataFrame({"n": range(30)}).clicdata.push(table, chunksize=10, workers=2, session=session)
    assert sorted(pd.read_clicdata(table, session=session)["n"]) == list(range(30))

def fork(task):
    child = os.fork()
    if child:
        return child
    signal.alarm(120)
    try:
        task()
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
SESSIONS = {
    "client credentials": "cd.Session(**CLIENT)",
    "authorization code": "cd.Session(**CLIENT, code=code, redirect_uri=BACK, token_file=token_file)",
}


@pytest.fixture
def parent(serve, tmp_path, name):
    """Return a function that starts a script as a process, with a sandbox and functions to control the process."""
    sandbox, _ = serve(page_size=10)
    sandbox.requests.clear()

    @contextlib.contextmanager
    def start(script):
        code = sandbox.authorize("http://127.0.0.1:9/back")
        arguments = [sandbox.url, sandbox.client_id, sandbox.client_secret, code, str(tmp_path / "token.json"), name]
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + script, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def expect(word):
            line = stdout.readline()
            assert line == f"{word}\n"

        def proceed():
            stdin.write("continue\n")
            stdin.flush()

        def kill():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        watchdog = threading.Timer(240, kill)
        watchdog.start()
        with process:
            try:
                yield sandbox, expect, proceed
                assert process.wait() == 0
            finally:
                watchdog.cancel()
                kill()
                sandbox.faults.release()

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("session", "operation"),
    [(SESSIONS["client credentials"], each) for each in ("token", "account", "append", "read")]
    + [(SESSIONS["authorization code"], each) for each in ("token", "account")],
    ids=["token", "dialect", "insert", "read", "token of a user", "dialect of a user"],
)
def test_a_child_works_while_a_thread_of_its_parent_waits_for_a_reply(parent, name, session, operation):
    script = f"""
session = {session}
wait_for_line()
thread = threading.Thread(target=work, args=(session, name), daemon=True)
thread.start()
wait_for_line()
child = fork(lambda: work(session, name + " of the child"))
say("forked")
say(status_of(child))
thread.join(120)
say("ended")
"""
    with parent(script) as (sandbox, expect, proceed):
        sandbox.faults.hang(operation=operation)
        proceed()
        sandbox.faults.wait_held(1, timeout=120)
        proceed()
        expect("forked")
        sandbox.faults.release()
        expect("0")
        expect("ended")
        assert [sandbox.ledger.count(each) for each in (name, f"{name} of the child")] == [30, 30]


LOCKS = {
    "of the default session": "shared._default._lock",
    "of its source": "shared._default.current._lock",
    "of the dialect": "session._client._dialect_lock",
    "of the token": "session._client.authenticator._lock",
    "of the connections": "session._client.transport._open_lock",
    "of the rate limit": "session._client.transport._limiter._changed",
}


@pytest.mark.sampled(0)
@pytest.mark.parametrize("lock", LOCKS.values(), ids=list(LOCKS))
def test_a_child_works_while_a_thread_of_its_parent_holds_a_lock(parent, name, lock):
    script = f"""
from pandas_clicdata import session as shared

os.environ.update({{f"CLICDATA_{{name.upper()}}": value for name, value in CLIENT.items()}})
session = cd.SessionManager.get_session()
held, end = threading.Event(), threading.Event()

def hold():
    with {lock}:
        held.set()
        end.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()

def task():
    work(None, name)
    with cd.SessionManager(**CLIENT) as manager:
        manager.session.whoami()
    session.close()

child = fork(task)
say(status_of(child))
end.set()
thread.join()
work(None, name + " again")
say("ended")
"""
    with parent(script) as (sandbox, expect, _):
        expect("0")
        expect("ended")
        assert sandbox.ledger.count(name) == sandbox.ledger.count(f"{name} again") == 30


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True], ids=["page ready", "page awaited"])
def test_a_read_started_before_a_fork_continues_in_parent_and_child(parent, name, held):
    script = """
session = cd.Session(**CLIENT)
pd.DataFrame({"n": range(60)}).clicdata.push(name, session=session)
say("pushed")
wait_for_line()
chunks = pd.read_clicdata(name, chunksize=10, session=session)
first = next(chunks)["n"].tolist()

def rest():
    found = first + [n for chunk in chunks for n in chunk["n"]]
    assert sorted(found) == list(range(60)), found

say("begun")
wait_for_line()
child = fork(rest)
say("forked")
say(status_of(child))
rest()
say("ended")
"""
    with parent(script) as (sandbox, expect, proceed):
        expect("pushed")
        if held:
            sandbox.faults.hang(operation="read", nth=2)
        proceed()
        expect("begun")
        if held:
            sandbox.faults.wait_held(1, timeout=120)
        proceed()
        expect("forked")
        sandbox.faults.release()
        expect("0")
        expect("ended")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["requests", "platformdirs", "oauthlib", "filelock"])
def test_a_fork_waits_for_an_import(parent, module):
    """Otherwise the child could never import a module that another thread was importing."""
    script = f"""
arrived, end = threading.Event(), threading.Event()

class Slow:
    def find_spec(self, name, *_):
        if name == {module!r}:
            arrived.set()
            end.wait()

sys.meta_path.insert(0, Slow())
# Hooks run in reverse order, so that this runs before those of the package.
os.register_at_fork(before=end.set)
thread = threading.Thread(target=lambda: cd.Session(**CLIENT).whoami())
thread.start()
arrived.wait()
say(status_of(fork(lambda: cd.Session(**CLIENT).whoami())))
thread.join()
say("ended")
"""
    with parent(script) as (_, expect, __):
        expect("0")
        expect("ended")


@pytest.mark.slow
def test_forked_workers_of_multiprocessing_work(parent, name):
    script = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

cd.connect(**CLIENT)

def count(table):
    work(None, table)
    return len(pd.read_clicdata(table))

stop = threading.Event()

def busy():
    while not stop.is_set():
        cd.tables()

thread = threading.Thread(target=busy)
thread.start()
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    found = list(pool.map(count, [f"{name} {number}" for number in range(4)], timeout=120))
stop.set()
thread.join()
say(found)
"""
    with parent(script) as (_, expect, __):
        expect("[30, 30, 30, 30]")


@pytest.mark.slow
def test_a_child_does_not_stop_the_sandboxes_of_its_parent(parent):
    script = """
from pandas_clicdata.sandbox import Sandbox, SandboxProcess

def task():
    made.connect().whoami()
    sys.exit(0)

for make in (Sandbox, lambda: stack.enter_context(SandboxProcess()).sandbox()):
    import contextlib
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(make())
        child = os.fork()
        if not child:
            signal.alarm(120)
            # Leave the blocks, as a child does that ends with an exception.
            stack.close()
            cd.Session(api_key=made.api_key, base_url=made.url).whoami()
            os._exit(0)
        say(status_of(child))
        assert cd.Session(api_key=made.api_key, base_url=made.url).whoami().id is not None
say("ended")
"""
    with parent(script) as (_, expect, __):
        expect("0")
        expect("0")
        expect("ended")


@pytest.mark.slow
def test_a_child_does_not_write_tokens_that_its_parent_is_writing(parent):
    """A child forked between the reply and the write to disk would write tokens that are spent by then."""
    script = """
session = cd.Session(**CLIENT, code=code, redirect_uri=BACK, token_file=token_file)
fsync, calls, arrived, end = os.fsync, [], threading.Event(), threading.Event()

def slow(handle):
    # The first call reserves space; the second follows the reply.
    calls.append(handle)
    if len(calls) == 2:
        arrived.set()
        end.wait()
    fsync(handle)

os.fsync = slow
thread = threading.Thread(target=session.whoami)
thread.start()
arrived.wait()
reads, writes = os.pipe()
child = fork(lambda: (os.read(reads, 1), session.whoami()))
end.set()
thread.join()
say("signed in")
wait_for_line()
session.whoami()
os.write(writes, b"x")
say(status_of(child))
cd.Session("authorization_code", **CLIENT, token_file=token_file).whoami()
say("ended")
"""
    with parent(script) as (sandbox, expect, proceed):
        expect("signed in")
        sandbox.faults.expire_tokens()
        proceed()
        expect("0")
        expect("ended")
