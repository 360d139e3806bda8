"""Reads and sign-ins where no thread can be started: after the end of the main thread, in atexit, at a limit."""

import subprocess
import sys

import pandas as pd
import pytest

BACK = "http://127.0.0.1:9/back"
BEGIN = f"""
import atexit, os, sys, threading, warnings
warnings.simplefilter("error")
import pandas as pd
import pandas_clicdata as cd

url, client_id, client_secret, code, token_file, name, version = sys.argv[1:]
CLIENT = dict(client_id=client_id, client_secret=client_secret, base_url=url, api_version=version)
CODE = dict(code=code, redirect_uri={BACK!r}, token_file=token_file)

def work():
    session = cd.Session(**CLIENT)
    assert sorted(pd.read_clicdata(name, session=session)["n"]) == list(range(60))
    chunks = pd.read_clicdata(name, chunksize=7, session=session)
    assert sorted(n for chunk in chunks for n in chunk["n"]) == list(range(60))
    assert len(pd.read_clicdata(name, limit=25, session=session)) == 25
    with cd.Session(**CLIENT, **CODE) as person:
        assert person.whoami().id is not None
        assert sorted(pd.read_clicdata(name, session=person)["n"]) == list(range(60))
    print("done", flush=True)
"""
# Real conditions of the interpreter and of the system.
CONTEXTS = {
    "atexit": "atexit.register(work)",
    "after the main thread": (
        "def later():\n    threading.main_thread().join()\n    work()\nthreading.Thread(target=later).start()"
    ),
    "atexit, started before": """
session = cd.Session(**CLIENT)
chunks = pd.read_clicdata(name, chunksize=10, session=session)
next(chunks)
def rest():
    assert sum(map(len, chunks)) == 50
    work()
atexit.register(rest)
""",
    "no thread can be started": """
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
work()
""",
    "no further thread can be started": """
session = cd.Session(**CLIENT)
chunks = pd.read_clicdata(name, chunksize=10, session=session)
next(chunks)
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
assert sum(map(len, chunks)) == 50
work()
""",
    "the limit of the system": """
import ctypes, resource
if not sys.platform.startswith("linux") or os.geteuid():
    print("skip: only root can become a user who is at the limit")
    sys.exit()
libc = ctypes.CDLL(None)
PR_SET_KEEPCAPS, VERSION, CAPS = 8, 0x20080522, 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
os.setgroups([])
os.setgid(54322)
os.setuid(54322)
if libc.capset((ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)(CAPS, CAPS)):
    print("skip: no other user may read Python's files here")
    sys.exit()
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    threading.Thread(target=int).start()
except RuntimeError:
    work()
else:
    print("skip: the limit does not hold here")
""",
}


@pytest.mark.sampled(0)
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=list(CONTEXTS))
@pytest.mark.parametrize("version", ["2025.3", "unversioned"])
def test_reads_and_sign_ins_work(filled, tmp_path, name, version, context):
    sandbox, _ = filled(version, pd.DataFrame({"n": range(60)}))
    code = sandbox.authorize(BACK)
    given = [sandbox.url, sandbox.client_id, sandbox.client_secret, code, str(tmp_path / "token.json"), name, version]
    result = subprocess.run(
        [sys.executable, "-c", BEGIN + context, *given], capture_output=True, text=True, timeout=300, check=False
    )
    if result.stdout.startswith("skip: "):
        pytest.skip(result.stdout.removeprefix("skip: ").strip())
    assert (result.stdout, result.stderr, result.returncode) == ("done\n", "", 0)


@pytest.fixture(scope="module")
def running(new_sandbox):
    with new_sandbox(page_size=10) as sandbox:
        yield sandbox


@pytest.mark.slow
def test_the_error_of_a_sandbox_without_threads_has_a_remedy():
    code = """
import threading
import pandas_clicdata as cd
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
try:
    cd.connect("sandbox")
except cd.ConfigurationError as exc:
    print(exc)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (
        "threads, and none can be started (can't start new thread). Start it in a process of its own" in result.stdout
    )
    assert result.stderr == ""
