"""The `clicdata` command, run in another process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import RemoteSandbox


def clicdata(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pandas_clicdata", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], cd.Session, RemoteSandbox]]:
    """Run a sandbox in another process; yield a session and a handle that use what the process prints."""
    command = [sys.executable, "-m", "pandas_clicdata", "sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = [process.stdout.readline() for _ in range(7)]
            exports = dict(
                line.strip().removeprefix("export CLICDATA_").split("=", 1) for line in printed if "=" in line
            )
            handle = RemoteSandbox(exports["BASE_URL"], exports.pop("SANDBOX_KEY"))
            settings: dict[str, Any] = {name.lower(): value for name, value in exports.items()}
            with cd.Session(**settings) as session:
                yield process, session, handle
        finally:
            process.kill()


@pytest.mark.slow
def test_demo_runs_and_all_its_checks_pass() -> None:
    result = clicdata("demo")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "All checks passed." in result.stdout
    assert result.stdout.count("      ok  ") == 10
    assert "It is not ClicData" in result.stdout
    assert result.stderr == ""


def test_sandbox_keeps_its_data_and_credentials_through_kill_9(tmp_path: Path) -> None:
    frame = pd.DataFrame({"flight": ["UA1545", None], "seats": [2**60 + 1, 3]})
    with serving("--data", str(tmp_path)) as (process, session, _):
        receipt = frame.clicdata.push("Flights", session=session)
        process.kill()
        process.wait()
    with serving("--data", str(tmp_path)) as (_, session, _):
        pd.testing.assert_frame_equal(cd.read_clicdata(receipt.rec_id, session=session), frame)


def test_the_printed_key_gives_access_to_faults_and_ledger() -> None:
    with serving() as (_, session, sandbox):
        sandbox.faults.lose_reply(operation="append")
        with pytest.raises(cd.AmbiguousWriteError):
            pd.DataFrame({"seats": [189]}).clicdata.push("Flights", session=session)
        assert sandbox.ledger.rows("Flights") == [{"seats": 189}]
        assert len(sandbox.requests.of("append")) == 1


@pytest.mark.sampled(0)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with serving() as (process, _, _):
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert process.stdout is not None
        assert "has stopped" in process.stdout.read()


@pytest.mark.sampled(0)
@pytest.mark.parametrize("dialect", ["unversioned", "versioned"])
def test_sandbox_uses_the_dialect_of_its_option(dialect: str) -> None:
    with serving("--dialect", dialect) as (_, session, _):
        session.whoami()
        assert dialect in repr(session)


@pytest.mark.slow
def test_a_port_in_use_is_reported_without_a_traceback() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = clicdata("sandbox", "--port", str(taken.getsockname()[1]))

    assert result.returncode == 1
    assert "cannot start on port" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_an_error_about_the_data_folder_names_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for data in (file, file / "below"):
        result = clicdata("sandbox", "--port", "0", "--data", str(data))

        assert result.returncode == 1
        assert f"cannot store its data in {data}: " in result.stderr
        assert "port" not in result.stderr


@pytest.mark.sampled(0)
@pytest.mark.parametrize(
    ("arguments", "status", "stream", "expected"),
    [
        (["--version"], 0, "stdout", cd.__version__),
        ([], 2, "stdout", "demo"),
        (["--help"], 0, "stdout", "sandbox"),
        (["fly"], 2, "stderr", "invalid choice"),
        (["sandbox", "--port", "high"], 2, "stderr", "invalid int"),
        (["sandbox", "--port", "70000"], 1, "stderr", "65535"),
    ],
)
def test_output_and_status_of_a_command_line(arguments: list[str], status: int, stream: str, expected: str) -> None:
    result = clicdata(*arguments)

    assert result.returncode == status
    assert expected in getattr(result, stream)
