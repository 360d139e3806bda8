"""The demo: push real flights to a sandbox, read them back, and check every step."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, TextIO, TypeVar

import pandas as pd
import pyarrow.parquet as pq

import pandas_clicdata as cd

if TYPE_CHECKING:
    from pandas_clicdata.sandbox import Sandbox

T = TypeVar("T")
TABLE = "Flights from New York"
_LOST_REPLY_TABLE = "A reply gets lost"
_KEYS = ["carrier", "flight", "day"]


def flights() -> pd.DataFrame:
    """Return the flights that were scheduled to leave New York from 1 to 4 January 2013.

    The data comes from the US Bureau of Transportation Statistics and is in the public domain.

    Returns
    -------
    DataFrame
        3,614 rows. Whole numbers are ``Int64``; ``cancelled`` states whether the flight was cancelled.

    Examples
    --------
    >>> from pandas_clicdata.demo import flights
    >>> len(flights())
    3614
    """
    with as_file(files("pandas_clicdata") / "data" / "flights.parquet") as path:
        table = pq.read_table(path)
    frame: pd.DataFrame = table.to_pandas(types_mapper={table.schema.field("dep_time").type: pd.Int64Dtype()}.get)
    return frame.assign(cancelled=frame["dep_time"].isna().astype(bool))


def run(out: TextIO) -> int:
    """Run the demo.

    Parameters
    ----------
    out : text file
        Where to print the steps and their results.

    Returns
    -------
    int
        The exit status: 0 if all checks passed, else 1.

    Examples
    --------
    >>> import io
    >>> from pandas_clicdata.demo import run
    >>> run(io.StringIO())
    0
    """
    from pandas_clicdata.sandbox import Sandbox

    report = _Report(out)
    scheduled = flights()
    df, late = scheduled[scheduled["day"] < 4], scheduled[scheduled["day"] == 4]
    cancelled = scheduled[scheduled["cancelled"]]
    report.say(f"pandas-clicdata {cd.__version__}: push real flights to a sandbox on this machine, and read them back.")
    report.say("The sandbox emulates ClicData's REST API. It is not ClicData, and needs no account.\n")

    with Sandbox() as sandbox:
        session = cd.Session(client_id=sandbox.client_id, client_secret=sandbox.client_secret, base_url=sandbox.url)
        with session:
            _round_trip(report, session, df, late, cancelled)
            _lost_reply(report, sandbox, session, late)
            _replace(report, sandbox, session, late)
    return report.end()


def _round_trip(
    report: _Report, session: cd.Session, df: pd.DataFrame, late: pd.DataFrame, cancelled: pd.DataFrame
) -> None:
    report.say(f"df holds the {len(df):,} flights of 1 to 3 January 2013: {df.shape[1]} columns of")
    report.say(f"{', '.join(sorted({str(dtype) for dtype in df.dtypes}))}.\n")

    receipt = report.step(f'df.clicdata.push("{TABLE}")', lambda: df.clicdata.push(TABLE, session=session))
    report.check(
        f"{receipt.confirmed:,} rows in {receipt.batches} requests, all counted by the service: {receipt.status}",
        receipt.confirmed == len(df),
    )

    read = report.step(f'pd.read_clicdata("{TABLE}")', lambda: _read(session))
    nulls = int(df.isna().to_numpy().sum())
    report.check(f"{read.size:,} values equal those of df, {nulls:,} of them null", _equal(read, df))

    report.say(f"\nThe {len(late):,} flights of 4 January arrive later.")
    appended = report.step(f'late.clicdata.append("{TABLE}")', lambda: late.clicdata.append(TABLE, session=session))
    both = pd.concat([df, late])
    report.check(f"{appended.confirmed:,} rows appended: {appended.status}", appended.confirmed == len(late))
    report.check(f"the table holds df and late, {len(both):,} rows, each once", _equal(_read(session), both))

    report.say(f"\n{len(cancelled)} flights were cancelled.")
    deleted = report.step(
        f'cancelled.clicdata.delete_rows("{TABLE}", on={_KEYS})'.replace("'", '"'),
        lambda: cancelled.clicdata.delete_rows(TABLE, on=_KEYS, session=session),
    )
    flown = both[~both["cancelled"]]
    report.check(
        f"{deleted.batches} keys deleted; exactly the {len(flown):,} other rows are left", _equal(_read(session), flown)
    )


def _lost_reply(report: _Report, sandbox: Sandbox, session: cd.Session, late: pd.DataFrame) -> None:
    name = _LOST_REPLY_TABLE
    report.say("\nNow the sandbox stores the rows of the second request, but closes the connection before it replies.")
    sandbox.faults.lose_reply(operation="append", nth=2)

    def push() -> cd.AmbiguousWriteError | None:
        try:
            late.clicdata.push(name, session=session)
        except cd.AmbiguousWriteError as exc:
            return exc
        return None

    error = report.step(f'late.clicdata.push("{name}")', push)
    stored = sandbox.ledger.count(name)
    report.check(
        f"AmbiguousWriteError: rows confirmed {error and error.confirmed}, unknown {error and error.unknown}",
        error is not None and error.confirmed == [(0, 500)] and error.unknown == [(500, len(late))],
    )
    report.check(f"the sandbox holds {stored:,} rows: none was sent a second time", stored == len(late))
    if error is None:
        return
    receipt = report.step(
        f'late.clicdata.push("{name}", resume=True, on_unknown="check")',
        lambda: late.clicdata.push(name, resume=True, on_unknown="check", session=session),
    )
    stored = sandbox.ledger.count(name)
    report.check(
        f"{receipt.confirmed:,} rows confirmed, {stored:,} in the sandbox: the unknown rows were found by content",
        receipt.confirmed == stored == len(late),
    )


def _replace(report: _Report, sandbox: Sandbox, session: cd.Session, late: pd.DataFrame) -> None:
    report.say("\nA replace with the first 100 of them stops, because a reply is lost again.")
    name, few = _LOST_REPLY_TABLE, late.head(100)
    sandbox.faults.lose_reply(operation="append")

    with tempfile.TemporaryDirectory() as folder:

        def replace() -> cd.ReplaceIncompleteError | None:
            try:
                few.clicdata.push(name, if_exists="replace", backup=folder, session=session)
            except cd.ReplaceIncompleteError as exc:
                return exc
            return None

        error = report.step(f'few.clicdata.push("{name}", if_exists="replace")', replace)
        report.check("ReplaceIncompleteError, with a backup of the old rows", error is not None)
        if error is None or error.backup is None:
            return
        backup = error.backup
        report.step(f'cd.restore(error.backup, "{name}")', lambda: cd.restore(backup, name, session=session))
    read = cd.read_clicdata(name, session=session, dtype=late.dtypes.to_dict())
    order = [*_KEYS, "origin"]
    report.check(
        f"{len(read):,} rows are restored, with equal values",
        _equal(read.sort_values(order, ignore_index=True), late.sort_values(order)),
    )


def _read(session: cd.Session) -> pd.DataFrame:
    return cd.read_clicdata(TABLE, session=session, dtype=flights().dtypes.to_dict())


def _equal(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two frames have equal rows in the same order, with the same dtypes."""
    return one.equals(other.reset_index(drop=True)[list(one.columns)])


class _Report:
    """Prints the steps of the demo and the results of its checks.

    Parameters
    ----------
    out : text file
        Where to print.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._passed = True
        self._started = time.perf_counter()

    def say(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def step(self, code: str, work: Callable[[], T]) -> T:
        """Run a step, and print its code and duration."""
        started = time.perf_counter()
        result = work()
        self.say(f"{time.perf_counter() - started:6.2f} s  {code}")
        return result

    def check(self, claim: str, holds: bool) -> None:
        """Print a claim, and whether it holds."""
        self._passed &= holds
        self.say(f"{'ok' if holds else 'FAILED':>8}  {claim}")

    def end(self) -> int:
        """Print the summary, and return the exit status."""
        seconds = time.perf_counter() - self._started
        summary = "All checks passed." if self._passed else "A check failed: see FAILED above."
        self.say(f"\n{summary} {seconds:.1f} s in total.")
        return 0 if self._passed else 1
