"""In a Jupyter kernel, an error shows the lines of the user and its sentence, and no frame of the package."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata import _ipython

COLOR = re.compile(r"\x1b\[[0-9;]*m")
CANARY = "Canary73xQ"
END = "The full traceback: %tb"


class Kernel:
    """A kernel that executes cells, connected to a sandbox."""

    def __init__(self, manager: Any, client: Any) -> None:
        self._manager = manager
        self._client = client

    def run(self, code: str) -> Any:
        """Execute a cell and return the content of its error; None if there is none."""
        return self.wait(self.begin(code))

    def begin(self, code: str) -> str:
        return str(self._client.execute(textwrap.dedent(code).strip()))

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def wait(self, request: str) -> Any:
        error = None
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "error":
                error = message["content"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return error

    def completed(self, code: str) -> list[str]:
        """Return what Tab offers after this code."""
        matches = self._reply(self._client.complete(code, len(code)))["matches"]
        return [match.rpartition(".")[2] for match in matches]

    def tooltip(self, code: str) -> str:
        """Return what Shift-Tab shows after this code."""
        return COLOR.sub("", self._reply(self._client.inspect(code, len(code)))["data"]["text/plain"])

    def _reply(self, request: str) -> Any:
        while True:
            message = self._client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                return message["content"]

    def lines(self, code: str) -> list[str]:
        """Execute a cell that fails, and return the lines that it shows."""
        return lines_of(self.run(code))


def lines_of(error: Any) -> list[str]:
    assert error is not None, "the cell raised nothing"
    return COLOR.sub("", "\n".join(error["traceback"])).splitlines()


@pytest.fixture(scope="module")
def kernel(running: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "user_module.py").write_text(
        "def load(frame):\n    return send(frame)\n\n\ndef send(frame):\n    return frame.clicdata.push('Taken')\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICDATA_")}
    environment.pop("PYTEST_CURRENT_TEST", None)
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(cd.__file__).parent.parent)]),
        "IPYTHONDIR": str(folder / "ipython"),
        "CLICDATA_TEST_SECRET": CANARY,
    }
    # The path of a socket is limited to about a hundred characters.
    with tempfile.TemporaryDirectory() as sockets:
        manager: Any = KernelManager(
            kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel", connection_file=f"{sockets}/kernel.json"
        )
        manager.start_kernel(env=environment, cwd=str(folder))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            started = Kernel(manager, client)
            setup = f"""
                import os
                import pandas as pd
                import pandas_clicdata as cd
                import user_module
                options = dict(base_url={running.url!r}, api_version="2025.3", retry=cd.RetryPolicy(attempts=1))
                account = dict(client_id={running.client_id!r}, client_secret={running.client_secret!r})
                session = cd.connect(**account, **options)
                df = pd.DataFrame({{"flight": ["UA1545", "UA1714"], "delay": [2, 4]}})
                receipt = df.clicdata.push("Taken")
                def send(frame):
                    return frame.clicdata.push("Taken")
                """
            assert started.run(setup) is None
            yield started
        finally:
            client.stop_channels()
            manager.shutdown_kernel()


@pytest.fixture(autouse=True)
def _no_faults(running: Any) -> Iterator[None]:
    yield
    running.faults.clear()
    running.faults.release()


def check_brief(lines: list[str]) -> None:
    assert lines[-1] == END
    assert len(lines) <= 12
    assert not [line for line in lines if "pandas_clicdata" in line or "site-packages" in line]


def check_full(lines: list[str]) -> None:
    assert END not in lines
    assert len(lines) > 12
    assert any("push.py" in line or "read.py" in line for line in lines)


# Cells, and the error that each shows.
COMMON_ERRORS = {
    "misspelt table": ("pd.read_clicdata('Takn')", "TableNotFoundError"),
    "existing table": ("df.clicdata.push('Taken')", "TableExistsError"),
    "infinite value": ("df.assign(delay=[2.0, float('inf')]).clicdata.push('Infinite')", "CellValueError"),
    "unsupported dtype": ("df.assign(x=[object(), 1]).clicdata.push('Objects')", "UnsupportedTypeError"),
    "other columns": ("df.rename(columns={'delay': 'late'}).clicdata.append('Taken')", "ColumnMismatchError"),
    "bad argument of a write": ("df.clicdata.push('Taken', if_exists='insert')", "ValueError"),
    "bad argument of a read": ("pd.read_clicdata('Taken', limit='ten')", "ValueError"),
    "bad type of an argument": ("df.clicdata.push('Taken', dry_run=1)", "TypeError"),
    "bad argument of a class": ("cd.Data().get_data(output='json')", "ValueError"),
    "bad argument of schema": ("df.clicdata.schema(['text'])", "TypeError"),
    "missing backup": ("cd.restore('nowhere.parquet', 'Taken')", "FileNotFoundError"),
    "refused key": ("pd.read_clicdata('Taken', session=cd.Session(api_key='wrong', **options))", "AuthenticationError"),
    "no service": (
        "pd.read_clicdata('T', session=cd.Session(api_key='k', **{**options, 'base_url': 'http://127.0.0.1:1'}))",
        "ConnectionFailedError",
    ),
    "no credentials": ("cd.Session()", "NoCredentialsError"),
}


@pytest.mark.parametrize("case", COMMON_ERRORS)
def test_a_common_error_shows_the_line_of_the_user_and_the_sentence(kernel: Kernel, case: str) -> None:
    code, kind = COMMON_ERRORS[case]
    error = kernel.run(f"x = 1\n{code}")
    lines = lines_of(error)
    assert error["ename"] == kind
    assert re.fullmatch(r"Cell In\[\d+\], line 2", lines[0])
    assert lines[1].strip().startswith(code[:20])
    assert lines[2].startswith(f"{kind}: ")
    assert error["evalue"].splitlines()[0] in lines[2]
    if case != "no credentials":
        # Its sentence lists the ways to give credentials, one in a line.
        assert len(lines) <= 12
    assert lines[-1] == END
    assert not [line for line in lines if ".py" in line]


def test_each_cause_has_one_line(kernel: Kernel, running: Any) -> None:
    running.faults.lose_reply(operation="append")
    lines = kernel.lines("df.clicdata.push('Lost')")
    check_brief(lines)
    assert lines[2].startswith("AmbiguousWriteError: ")
    assert lines[3].strip().startswith('df.clicdata.push("Lost", ')
    assert lines[4].startswith("Cause: ConnectionLostError: ")
    assert lines[5].startswith("Cause: ConnectionError: ")


def test_the_error_that_the_user_handled_has_one_line(kernel: Kernel) -> None:
    lines = kernel.lines(
        """
        try:
            {}["key"]
        except KeyError:
            pd.read_clicdata("Takn")
        """
    )
    assert re.fullmatch(r"While handling: KeyError: 'key' \(Cell In\[\d+\], line 2\)", lines[3])
    assert lines[4:] == [END]
    lines = kernel.lines(
        """
        try:
            {}["key"]
        except KeyError:
            try:
                pd.read_clicdata("Takn")
            except cd.ClicDataError as exc:
                raise exc from None
        """
    )
    assert lines[-2].startswith("TableNotFoundError: ")


def test_a_cause_in_code_of_the_user_names_its_place(kernel: Kernel) -> None:
    lines = kernel.lines(
        """
        def report(done, total):
            1 / 0
        df.clicdata.push("Progress", progress=report)
        """
    )
    check_brief(lines)
    assert re.fullmatch(r"Cause: ZeroDivisionError: division by zero \(Cell In\[\d+\], line 2, in report\)", lines[-2])


def test_all_lines_of_the_user_are_shown(kernel: Kernel) -> None:
    lines = kernel.lines("from concurrent.futures import ThreadPoolExecutor\nsend(df)")
    check_brief(lines)
    assert re.sub(r"\d+", "n", lines[0]) == "Cell In[n], line n"
    assert re.sub(r"\d+", "n", lines[2]) == "Cell In[n], line n, in send"
    assert lines[3] == '    return frame.clicdata.push("Taken")'

    lines = kernel.lines("user_module.load(df)")
    check_brief(lines)
    assert [line for line in lines if "user_module.py" in line] == [lines[2], lines[4]]
    assert lines[2].endswith("user_module.py:2, in load")
    assert lines[4].endswith("user_module.py:6, in send")

    lines = kernel.lines("with ThreadPoolExecutor() as pool:\n    pool.submit(df.pipe, send).result()")
    check_brief(lines)
    assert lines[1] == "    pool.submit(df.pipe, send).result()"
    assert re.sub(r"\d+", "n", lines[2]) == "Cell In[n], line n, in send"
    assert lines[4].startswith("TableExistsError: ")


def test_deep_calls_are_shortened(kernel: Kernel) -> None:
    code = "def f(n):\n    if n == 0:\n        df.clicdata.push('Taken')\n    f(n - 1)\nf(40)"
    lines = kernel.lines(code)
    check_brief(lines)
    assert lines[2].endswith("line 4, in f (40 times)")
    code = "\n".join(f"def f{n}(): return f{n + 1}()" for n in range(30))
    lines = kernel.lines(f"{code}\ndef f30(): df.clicdata.push('Taken')\nf0()")
    check_brief(lines)
    assert lines[0].endswith("f0()")
    assert re.fullmatch(r"… \d+ more lines", lines[1])
    assert lines[-3].endswith("in f30  def f30(): df.clicdata.push('Taken')")


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("%%time\nx = 1\ndf.clicdata.push('Taken')", 3),
        ("%%time\ndf.clicdata.push('Taken')", 2),
        ("x = 1\n%time df.clicdata.push('Taken')", 2),
        ("%%capture\nx = 1\ndf.clicdata.push('Taken')", 2),
    ],
)
def test_a_timed_cell_shows_its_line(kernel: Kernel, code: str, line: int) -> None:
    lines = kernel.lines(code)
    check_brief(lines)
    assert re.fullmatch(rf"Cell In\[\d+\], line {line}", lines[-4])
    assert lines[-3] == "    df.clicdata.push('Taken')"


# the full traceback


def test_the_full_traceback_is_shown_on_request(kernel: Kernel) -> None:
    check_brief(kernel.lines("df.clicdata.push('Taken')"))
    check_full(kernel.lines("%tb"))
    check_full(kernel.lines("%tb"))
    check_brief(kernel.lines("df.clicdata.push('Taken', if_exists='insert')"))
    check_full(kernel.lines("%tb"))
    lines = kernel.lines("%tb Verbose")
    check_full(lines)
    assert any("chunksize = " in line for line in lines)
    check_brief(kernel.lines("df.clicdata.push('Taken')"))


def test_an_error_that_is_raised_again_is_shown_in_full(kernel: Kernel) -> None:
    kernel.run("kept = None")
    check_brief(
        kernel.lines(
            """
            try:
                pd.read_clicdata("Takn")
            except cd.ClicDataError as exc:
                kept = exc
            raise kept
            """
        )
    )
    check_full(kernel.lines("raise kept"))


@pytest.fixture
def mode(kernel: Kernel) -> Iterator[Any]:
    def set_mode(name: str) -> None:
        assert kernel.run(f"%xmode {name}") is None

    yield set_mode
    set_mode("Context")


def test_the_mode_of_the_shell_decides(kernel: Kernel, mode: Any) -> None:
    mode("Verbose")
    lines = kernel.lines("df.clicdata.push('Taken')")
    check_full(lines)
    assert any("if_exists = 'fail'" in line for line in lines)
    mode("Plain")
    check_brief(kernel.lines("df.clicdata.push('Taken')"))
    mode("Minimal")
    (line,) = kernel.lines("df.clicdata.push('Taken')")
    assert line.startswith("TableExistsError: ")
    mode("Context")
    check_brief(kernel.lines("df.clicdata.push('Taken')"))


def test_the_history_has_the_lines_that_were_shown(kernel: Kernel) -> None:
    shown = kernel.run("df.clicdata.push('Taken')")["traceback"]
    error = kernel.run(
        "kept = getattr(get_ipython().history_manager, 'exceptions', None)\n"
        "raise Exception(repr(kept and kept[max(kept)]['traceback']))"
    )
    assert error["evalue"] in (repr(shown), "None")


def test_the_debugger_begins_at_the_error(kernel: Kernel) -> None:
    kernel.run("1 / 0")
    kernel.run("df.clicdata.push('Taken')")
    error = kernel.run(
        "formatter = get_ipython().InteractiveTB\n"
        "raise Exception(formatter.tb is not None and formatter.tb.tb_next.tb_next is not None)"
    )
    assert error["evalue"] == "True"


# Ctrl-C


def interrupted(kernel: Kernel, running: Any, code: str, operation: str) -> Any:
    """Execute a cell, and interrupt the kernel while the service holds a request of it."""
    running.requests.clear()
    running.faults.hang(operation=operation)
    request = kernel.begin(code)
    wait_until(lambda: running.requests.of(operation))
    running.faults.wait_held(timeout=60)
    kernel.interrupt()
    # A write waits for the batches in flight.
    running.faults.release()
    return kernel.wait(request)


def test_a_stopped_push_shows_the_state_of_the_rows(kernel: Kernel, running: Any) -> None:
    error = interrupted(kernel, running, "df.clicdata.push('Stopped', chunksize=1, workers=1)", "append")
    lines = lines_of(error)
    check_brief(lines)
    assert error["ename"] == lines[2] == "KeyboardInterrupt"
    assert lines[1] == "    df.clicdata.push('Stopped', chunksize=1, workers=1)"
    assert re.match("(Incomplete|Ambiguous)WriteError: The insert on table 'Stopped' ", lines[3])
    assert "resume=True" in lines[4]
    assert len(lines) == 6
    check_full(kernel.lines("%tb"))


@pytest.mark.parametrize(
    ("code", "operation"),
    [
        ("pd.read_clicdata('Taken')", "read"),
        ("list(pd.read_clicdata('Taken', chunksize=1))", "read"),
        ("df.clicdata.upsert('Taken', on='flight')", "read"),
        ("df.clicdata.push('New')", "list"),
        ("cd.tables()", "list"),
        ("session.whoami()", "account"),
    ],
)
def test_a_call_that_is_stopped_shows_one_line(kernel: Kernel, running: Any, code: str, operation: str) -> None:
    error = interrupted(kernel, running, code, operation)
    lines = lines_of(error)
    assert (error["ename"], lines[1:]) == ("KeyboardInterrupt", [f"    {code}", "KeyboardInterrupt", END])


def test_a_stopped_call_raises_a_keyboard_interrupt(kernel: Kernel, running: Any) -> None:
    code = """
        import copy, pickle
        try:
            df.clicdata.push('Caught', chunksize=1, workers=1)
        except KeyboardInterrupt as exc:
            facts = [type(exc) is KeyboardInterrupt, hasattr(type(exc), "_render_traceback_"),
                     isinstance(exc.__cause__, cd.IncompleteWriteError), type(pickle.loads(pickle.dumps(exc))).__name__]
        raise Exception(facts)
        """
    error = interrupted(kernel, running, code, "append")
    assert error["evalue"] == "[False, True, True, 'KeyboardInterrupt']"


# secrets

SECRET_CALLS = {
    "refused key": f"cd.Session(api_key='{CANARY}', **options).whoami()",
    "refused secret": f"cd.connect(client_id='acme', client_secret='{CANARY}', **options).whoami()",
    "bad setting": f"cd.connect(client_id='acme', client_secret='{CANARY}', auth_method='none')",
    "in a dict": f"cd.Session(**{{'api_key': '{CANARY}'}}, **options).whoami()",
    "from the environment": "cd.Session(api_key=os.environ['CLICDATA_TEST_SECRET'], **options).whoami()",
    "assigned": f"given = {{}}; given['api_key'] = '{CANARY}'; cd.Session(**given, **options).whoami()",
    "three quotes": f"cd.Session(api_key='''{CANARY}''', **options).whoami()",
    "password": f"cd.User().set_password('nobody', password='{CANARY}')",
    "positional password": f"cd.User().set_password('nobody', '{CANARY}')",
    "bad password": f"cd.User().set_password(7, password=['{CANARY}'])",
    "misplaced": "cd.Data(os.environ['CLICDATA_TEST_SECRET'])",
    "misplaced in a read": "pd.read_clicdata('Taken', session=os.environ['CLICDATA_TEST_SECRET'])",
}


@pytest.mark.parametrize("case", SECRET_CALLS)
def test_no_form_shows_a_secret(kernel: Kernel, mode: Any, case: str) -> None:
    code = SECRET_CALLS[case]
    texts = [kernel.lines(code), kernel.lines("%tb"), kernel.lines("%tb Verbose")]
    mode("Verbose")
    texts.append(kernel.lines(code))
    for lines in texts:
        shown = [line for line in lines if CANARY in line]
        assert not shown


def test_a_stopped_sign_in_shows_no_secret(kernel: Kernel, running: Any, mode: Any) -> None:
    code = "cd.connect(client_id='acme', client_secret=os.environ['CLICDATA_TEST_SECRET'], **options).whoami()"
    mode("Verbose")
    error = interrupted(kernel, running, code, "token")
    assert CANARY not in json.dumps(error)


# outside of IPython


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLICDATA_", "COV_"))}
    environment["PYTHONPATH"] = str(Path(cd.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.slow
def test_a_script_has_the_traceback_of_python() -> None:
    done = run_script(
        """
        import sys
        import pandas as pd, pandas_clicdata as cd
        assert "IPython" not in sys.modules
        assert not hasattr(cd.tables, "__wrapped__")
        pd.DataFrame({"a": [float("inf")]}).clicdata.push("T")
        """
    )
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "push.py" in done.stderr
    assert "_ipython.py" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("pandas_clicdata.errors.CellValueError: Column 'a', row 0: inf ")


@pytest.mark.slow
def test_a_script_that_is_stopped_ends_by_the_signal() -> None:
    done = run_script(
        """
        import signal
        import pandas as pd, pandas_clicdata as cd
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def stop(done, total):
            signal.raise_signal(signal.SIGINT)
        session = cd.connect("sandbox")
        pd.DataFrame({"a": [1, 2]}).clicdata.push("T", chunksize=1, progress=stop)
        """
    )
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert done.returncode == -signal.SIGINT


def test_outside_of_ipython_nothing_changes() -> None:
    assert not hasattr(cd.tables, "__wrapped__")
    assert _ipython.shown_briefly(len) is len
    with pytest.raises(cd.ClicDataError) as caught:
        cd.Session(api_key="k", base_url="http://127.0.0.1:1", retry=cd.RetryPolicy(attempts=1)).whoami()
    lines = _ipython.render_traceback(caught.value)
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].startswith("pandas_clicdata.errors.ConnectionFailedError: ")


# completion and help


def test_tab_offers_only_public_names(kernel: Kernel) -> None:
    methods = ["append", "delete_rows", "push", "schema", "update_rows", "upsert"]
    assert sorted(kernel.completed("df.clicdata.")) == methods
    assert sorted(kernel.completed("cd.options.")) == ["dtype_backend", "journal", "progress", "workers"]
    assert {*kernel.completed("cd.")} <= {*cd.__all__}
    assert kernel.completed("pd.read_clicd") == ["read_clicdata"]


@pytest.mark.parametrize("call", ["df.clicdata.push", "cd.push"])
def test_the_tooltip_has_the_signature_the_summary_and_the_choices(kernel: Kernel, call: str) -> None:
    text = kernel.tooltip(call)
    _, _, doc = text.partition("Docstring:")
    assert "if_exists" in text.partition("Docstring:")[0]
    assert doc.lstrip().startswith("Create a table from the columns' types and send the rows, each exactly once.")
    assert 'if_exists : {"fail", "append", "replace", "upsert"}, default "fail"' in doc
    assert 'on_bad_values : {"raise", "null"}, default "raise"' in doc
