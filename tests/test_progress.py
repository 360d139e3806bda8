"""Progress: what a bar shows during a call, after a stop, and while the call waits."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tqdm import tqdm

import pandas_clicdata as cd
from pandas_clicdata import _progress

FRAME = pd.DataFrame({"n": range(2_000)})
# In the test of an interactive session, the bar appears after this many seconds of waiting.
SLOW = 2.5


class Terminal(io.StringIO):
    """A console that keeps what was written to it."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """What the line showed, one state after the other."""
        return [line.strip() for line in re.split(r"[\r\n]+", self.getvalue()) if line.strip()]


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Return a function that puts a terminal in place; to be called in the test, because pytest replaces the stream."""

    def begin() -> Terminal:
        console = Terminal()
        monkeypatch.setattr(sys, "stderr", console)
        return console

    return begin


@pytest.fixture
def session(running: Any, open_session: Callable[..., Any]) -> Iterator[Any]:
    yield open_session(running, retry=cd.RetryPolicy(attempts=2))
    running.faults.clear()
    running.faults.release()


def test_a_bar_shows_the_rows_of_a_push(on_terminal: Callable[[], Terminal], session: Any, name: str) -> None:
    terminal = on_terminal()
    FRAME.clicdata.push(name, chunksize=500, progress=True, session=session)

    assert terminal.lines[0].startswith(f"push {name}: ")
    assert "0.00/2.00k" in terminal.lines[0]
    assert "2.00k/2.00k" in terminal.lines[-1]
    assert "rows/s" in terminal.lines[-1]


def test_a_bar_shows_the_rows_of_a_read(on_terminal: Callable[[], Terminal], session: Any, name: str) -> None:
    terminal = on_terminal()
    FRAME.clicdata.push(name, session=session)
    cd.read_clicdata(name, progress=True, session=session)

    assert terminal.lines[0].startswith(f"read {name}: ")
    assert "2.00k" in terminal.lines[-1]


def test_the_bar_of_an_iterator_lasts_until_its_end(
    on_terminal: Callable[[], Terminal], session: Any, name: str
) -> None:
    terminal = on_terminal()
    FRAME.clicdata.push(name, session=session)
    chunks = cd.read_clicdata(name, chunksize=300, progress=True, session=session)
    assert sum(len(chunk) for chunk in chunks) == len(FRAME)

    assert "2.00k" in terminal.lines[-1]


@pytest.mark.parametrize("workers", [1, 4])
def test_after_a_stop_the_bar_shows_the_confirmed_rows(
    on_terminal: Callable[[], Terminal], running: Any, session: Any, name: str, workers: int
) -> None:
    terminal = on_terminal()
    counted: list[tuple[int, int | None]] = []
    running.faults.lose_reply(operation="append", nth=4)
    for progress in (True, lambda done, total: counted.append((done, total))):
        with pytest.raises(cd.AmbiguousWriteError) as caught:
            FRAME.clicdata.push(
                f"{name} {callable(progress)}", chunksize=100, workers=workers, progress=progress, session=session
            )
        confirmed = sum(stop - start for start, stop in caught.value.confirmed)
        if progress is True:
            shown = re.search(r"([\d.]+k?)/2\.00k", terminal.lines[-1])
            assert shown is not None
            assert shown[1] == tqdm.format_sizeof(confirmed)
            running.faults.clear()
            running.faults.lose_reply(operation="append", nth=4)
        else:
            assert counted[-1] == (confirmed, len(FRAME))


def test_a_resumed_push_begins_at_the_rows_that_are_there(running: Any, session: Any, name: str) -> None:
    counted: list[int] = []
    running.faults.status(400, operation="append", nth=3)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        FRAME.clicdata.push(name, chunksize=500, session=session)
    FRAME.clicdata.push(
        name, chunksize=500, resume=True, progress=lambda done, total: counted.append(done), session=session
    )

    assert counted[0] == sum(stop - start for start, stop in caught.value.confirmed)
    assert counted[-1] == len(FRAME)
    assert counted == sorted({*counted})


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("operation", ["append", "read"])
def test_the_bar_shows_how_long_clicdata_asked_to_wait(
    on_terminal: Callable[[], Terminal], running: Any, session: Any, name: str, operation: str, workers: int
) -> None:
    terminal = on_terminal()
    FRAME.clicdata.push(name, session=session)
    if operation == "append":
        running.faults.status(429, operation="append", retry_after=1)
        FRAME.clicdata.append(name, workers=workers, resume=False, progress=True, session=session)
    else:
        running.faults.status(429, operation="read", page=2, retry_after=1)
        cd.read_clicdata(name, workers=workers, progress=True, session=session)

    assert any("ClicData asked to wait 1 s" in line for line in terminal.lines)
    assert "wait" not in terminal.lines[-1]


def test_the_bar_shows_that_no_reply_comes(
    on_terminal: Callable[[], Terminal], running: Any, session: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_terminal()
    monkeypatch.setattr(_progress, "_SECONDS_WITHOUT_REPLY", 0.5)
    FRAME.clicdata.push(name, session=session)
    running.faults.hang(operation="read", page=2, seconds=1.2)
    cd.read_clicdata(name, progress=True, session=session)

    assert any("no reply for 1 s" in line for line in terminal.lines)


def test_a_read_inside_a_write_does_not_count_as_its_progress(running: Any, session: Any, name: str) -> None:
    counted: list[int] = []
    FRAME.clicdata.push(
        name, chunksize=500, verify=True, progress=lambda done, total: counted.append(done), session=session
    )

    assert counted[-1] == len(FRAME)
    assert counted == sorted({*counted})


def test_without_a_person_nothing_is_shown(
    on_terminal: Callable[[], Terminal], running: Any, session: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_terminal()
    monkeypatch.setattr(_progress, "_SECONDS_BEFORE_BAR", 0)
    FRAME.clicdata.push(name, chunksize=100, session=session)

    assert terminal.getvalue() == ""


@pytest.mark.parametrize("progress", [None, False])
def test_in_an_interpreter_at_a_terminal_a_bar_appears_if_the_call_takes_long(
    on_terminal: Callable[[], Terminal], session: Any, name: str, monkeypatch: pytest.MonkeyPatch, progress: bool | None
) -> None:
    terminal = on_terminal()
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    FRAME.clicdata.push(f"{name} short", session=session)
    assert terminal.getvalue() == ""
    monkeypatch.setattr(_progress, "_SECONDS_BEFORE_BAR", 0)
    FRAME.clicdata.push(name, chunksize=500, progress=progress, session=session)

    assert ("2.00k/2.00k" in terminal.getvalue()) == (progress is None)


def test_a_call_in_a_thread_of_the_user_shows_no_bar_by_itself(
    on_terminal: Callable[[], Terminal], session: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_terminal()
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    monkeypatch.setattr(_progress, "_SECONDS_BEFORE_BAR", 0)
    thread = threading.Thread(target=lambda: FRAME.clicdata.push(name, session=session))
    thread.start()
    thread.join()

    assert len(cd.read_clicdata(name, progress=False, session=session)) == len(FRAME)
    assert terminal.getvalue() == ""


def test_the_options_choose_the_bar(on_terminal: Callable[[], Terminal], session: Any, name: str) -> None:
    terminal = on_terminal()
    with cd.option_context("progress", True):
        FRAME.clicdata.push(name, session=session)
        shown = terminal.getvalue()
        cd.read_clicdata(name, progress=False, session=session)

    assert "2.00k/2.00k" in shown
    assert terminal.getvalue() == shown


# The options


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("workers", 0, ValueError),
        ("workers", "8", ValueError),
        ("progress", "yes", TypeError),
        ("journal", "a.push", TypeError),
        ("dtype_backend", "numpy", ValueError),
        ("worker", 8, AttributeError),
    ],
)
def test_an_option_is_checked_when_it_is_set(name: str, value: object, error: type[Exception]) -> None:
    before = repr(cd.options)
    with pytest.raises(error, match=name):
        setattr(cd.options, name, value)
    with pytest.raises(error, match=name), cd.option_context("progress", False, name, value):
        pass

    assert repr(cd.options) == before


def test_option_context_restores_the_options_after_an_error() -> None:
    def fail() -> None:
        assert (cd.options.workers, cd.options.progress) == (8, False)
        raise KeyError

    with pytest.raises(KeyError), cd.option_context("workers", 8, "progress", False):
        fail()

    assert (cd.options.workers, cd.options.progress) == (None, None)
    with pytest.raises(ValueError, match="in turn"), cd.option_context("workers"):
        pass


def test_options_complete_only_their_names_and_show_their_meaning() -> None:
    assert dir(cd.options) == ["dtype_backend", "journal", "progress", "workers"]
    assert "workers = None: how many requests" in repr(cd.options)
    with pytest.raises(AttributeError, match="Did you mean 'workers'"):
        cd.options.worker  # noqa: B018


def test_the_option_dtype_backend_is_the_default_of_reads(session: Any, name: str) -> None:
    FRAME.clicdata.push(name, session=session)
    with cd.option_context("dtype_backend", "pyarrow"):
        assert str(cd.read_clicdata(name, session=session)["n"].dtype) == "int64[pyarrow]"
        assert str(cd.read_clicdata(name, dtype_backend="numpy_nullable", session=session)["n"].dtype) == "Int64"
    assert str(cd.read_clicdata(name, session=session)["n"].dtype) == "int64"


def threads_of(kind: str, found: set[str]) -> Callable[[int, int | None], None]:
    """Return a progress function that collects the names of the threads."""

    def collect(done: int, total: int | None) -> None:
        found.update(each.name for each in threading.enumerate() if each.name.startswith(f"clicdata-{kind}-"))

    return collect


@pytest.mark.parametrize(("workers", "option", "expected"), [(None, None, 1), (None, 3, 3), (2, 3, 2)])
def test_the_option_workers_is_the_default_of_writes(
    session: Any, name: str, workers: int | None, option: int | None, expected: int
) -> None:
    found: set[str] = set()
    with cd.option_context("workers", option):
        FRAME.clicdata.push(name, chunksize=50, workers=workers, progress=threads_of("write", found), session=session)

    assert len(found) == expected


@pytest.mark.parametrize(("workers", "option", "expected"), [(None, None, 4), (None, 3, 3), (2, 3, 2)])
def test_the_option_workers_is_the_default_of_reads(
    running: Any, session: Any, name: str, workers: int | None, option: int | None, expected: int
) -> None:
    pd.concat([FRAME] * 5).clicdata.push(name, index=False, session=session)
    running.faults.slow(0.05, operation="read", nth=2, times=9)
    found: set[str] = set()
    with cd.option_context("workers", option):
        cd.read_clicdata(name, workers=workers, progress=threads_of("read", found), session=session)

    assert len(found) == expected


def test_workers_must_be_a_positive_number_with_any_option(session: Any, name: str) -> None:
    with cd.option_context("workers", 3):
        with pytest.raises(ValueError, match="workers= must be a whole number from 1, not 0"):
            FRAME.clicdata.append(name, workers=0, session=session)
        with pytest.raises(ValueError, match="workers= must be a whole number from 1, not 0"):
            cd.read_clicdata(name, workers=0, session=session)


@pytest.mark.parametrize(("journal", "option", "kept"), [(None, None, 1), (None, False, 0), (True, False, 1)])
def test_the_option_journal_is_the_default_of_pushes(
    running: Any,
    session: Any,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    journal: bool | None,
    option: bool | None,
    kept: int,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    running.faults.status(400, operation="append", nth=2)
    with cd.option_context("journal", option), pytest.raises(cd.IncompleteWriteError):
        FRAME.clicdata.push(name, chunksize=500, journal=journal, session=session)

    assert len(list(tmp_path.rglob("*.journal"))) == kept


# A real kernel and a real interpreter


SETUP = """
import pandas as pd, pandas_clicdata as cd
session = cd.connect(client_id={client_id!r}, client_secret={client_secret!r}, base_url={url!r})
frame = pd.DataFrame({{"n": range(2_000)}})
"""


def setup_of(running: Any) -> str:
    return SETUP.format(client_id=running.client_id, client_secret=running.client_secret, url=running.url)


@pytest.mark.slow
@pytest.mark.parametrize("widgets", [True, False])
def test_in_a_notebook_a_bar_appears_by_itself(running: Any, name: str, widgets: bool) -> None:
    pytest.importorskip("ipywidgets")
    manager_module = pytest.importorskip("jupyter_client.manager")
    manager, client = manager_module.start_new_kernel(kernel_name="python3")

    def outputs(code: str) -> list[dict[str, Any]]:
        request = client.execute(textwrap.dedent(code))
        found: list[dict[str, Any]] = []
        while True:
            message = client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                found.append(message)
                if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                    return found

    try:
        hidden = "" if widgets else "import sys; sys.modules['ipywidgets'] = None"
        for setup in (hidden, setup_of(running)):
            assert not [each for each in outputs(setup) if each["msg_type"] in ("stream", "error")]
        running.faults.slow(SLOW, operation="append", nth=3)
        found = outputs(f"receipt = frame.clicdata.push({name!r}, chunksize=500)")
        shown = [each for each in found if each["msg_type"] == "display_data"]
        text = "".join(each["content"]["text"] for each in found if each["msg_type"] == "stream")
        assert bool(shown) is widgets
        assert ("2.00k/2.00k" in text) is not widgets
        assert "Warning" not in text
        short = outputs("receipt.status")
        assert [each["msg_type"] for each in short if each["msg_type"] in ("stream", "display_data")] == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.parametrize("interactive", [True, False])
def test_a_bar_appears_only_in_an_interpreter_with_a_person(running: Any, name: str, interactive: bool) -> None:
    pty = pytest.importorskip("pty")
    running.faults.slow(SLOW, operation="append", nth=3)
    code = f"{setup_of(running)}\nreceipt = frame.clicdata.push({name!r}, chunksize=500)\nprint(receipt.status)\n"
    ours, theirs = pty.openpty()
    arguments = ["-q", "-i"] if interactive else ["-c", code]
    process = subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, text=True
    )
    os.close(theirs)
    assert process.stdin is not None
    process.stdin.write(code if interactive else "")
    process.stdin.close()
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(60) == 0
    assert b"confirmed" in shown
    assert (b"2.00k/2.00k" in shown) is interactive
