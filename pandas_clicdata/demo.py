"""The demo: real flights to a sandbox and back, over HTTP, with everything checked."""

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
_KEYS = ["carrier", "flight", "day"]


def flights() -> pd.DataFrame:
    """Return the flights that were to leave New York from 1 to 4 January 2013 (US BTS, public domain).

    Returns
    -------
    DataFrame
        3,614 rows, whole numbers as ``Int64``, and whether the flight was cancelled.

    Examples
    --------
    >>> len(flights())
    3614
    """
    with as_file(files("pandas_clicdata") / "data" / "flights.parquet") as path:
        table = pq.read_table(path)
    frame: pd.DataFrame = table.to_pandas(types_mapper={table.schema.field("dep_time").type: pd.Int64Dtype()}.get)
    return frame.assign(cancelled=frame["dep_time"].isna().astype(bool))


def run(out: TextIO) -> int:
    """Run the demo and return 0 if every check held.

    Parameters
    ----------
    out : text file
        Where to tell what happens.
    """
    from pandas_clicdata.sandbox import Sandbox

    story = _Story(out)
    everything = flights()
    df, late = everything[everything["day"] < 4], everything[everything["day"] == 4]
    cancelled = everything[everything["cancelled"]]
    story.tell(f"pandas-clicdata {cd.__version__}: real flights to a sandbox and back, over HTTP on this machine.")
    story.tell("The sandbox speaks ClicData's REST API. It is not ClicData, and needs no account.\n")

    with Sandbox() as sandbox:
        session = cd.Session(client_id=sandbox.client_id, client_secret=sandbox.client_secret, base_url=sandbox.url)
        with session:
            _main_job(story, sandbox, session, df, late, cancelled)
            _lost_reply(story, sandbox, session, late)
            _replace(story, sandbox, session, late)
    return story.end()


def _main_job(
    story: _Story,
    sandbox: Sandbox,
    session: cd.Session,
    df: pd.DataFrame,
    late: pd.DataFrame,
    cancelled: pd.DataFrame,
) -> None:
    story.tell(f"df holds the {len(df):,} flights of 1 to 3 January 2013 (US BTS): {df.shape[1]} columns of")
    story.tell(f"{', '.join(sorted({str(dtype) for dtype in df.dtypes}))}.\n")

    receipt = story.step(f'df.clicdata.push("{TABLE}")', lambda: df.clicdata.push(TABLE, session=session))
    story.check(
        f"{receipt.confirmed:,} rows in {receipt.batches} requests, each row counted: {receipt.status}",
        receipt.confirmed == len(df),
    )

    home = story.step(f'pd.read_clicdata("{TABLE}")', lambda: _read(session))
    nulls = int(df.isna().to_numpy().sum())
    story.check(f"{home.size:,} values compared with df, {nulls:,} of them null: all equal", _same(home, df))

    story.tell(f"\nThe {len(late):,} flights of 4 January come in late.")
    appended = story.step(f'late.clicdata.append("{TABLE}")', lambda: late.clicdata.append(TABLE, session=session))
    both = pd.concat([df, late])
    story.check(f"{appended.confirmed:,} rows more: {appended.status}", appended.confirmed == len(late))
    story.check(f"the table is df and late, {len(both):,} rows, each of them once", _same(_read(session), both))

    story.tell(f"\n{len(cancelled)} flights never took off.")
    deleted = story.step(
        f'cancelled.clicdata.delete_rows("{TABLE}", on={_KEYS})'.replace("'", '"'),
        lambda: cancelled.clicdata.delete_rows(TABLE, on=_KEYS, session=session),
    )
    flown = both[~both["cancelled"]]
    story.check(f"{deleted.batches} keys, {len(flown):,} rows left, and the right ones", _same(_read(session), flown))


def _lost_reply(story: _Story, sandbox: Sandbox, session: cd.Session, late: pd.DataFrame) -> None:
    name = "A reply gets lost"
    story.tell("\nNow the sandbox takes the second request's rows and cuts the line before it answers.")
    sandbox.faults.lose_reply(operation="append", nth=2)

    def push() -> cd.AmbiguousWriteError | None:
        try:
            late.clicdata.push(name, session=session)
        except cd.AmbiguousWriteError as exc:
            return exc
        return None

    error = story.step(f'late.clicdata.push("{name}")', push)
    there = sandbox.ledger.count(name)
    story.check(
        f"AmbiguousWriteError: rows confirmed {error and error.confirmed}, unknown {error and error.unknown}",
        error is not None and error.confirmed == [(0, 500)] and error.unknown == [(500, len(late))],
    )
    story.check(f"the sandbox holds {there:,} rows: none was sent a second time", there == len(late))
    if error is None:
        return
    receipt = story.step(
        f'late.clicdata.push("{name}", resume=error.resume, on_unknown="check")',
        lambda: late.clicdata.push(name, resume=error.resume, on_unknown="check", session=session),
    )
    there = sandbox.ledger.count(name)
    story.check(
        f"{receipt.confirmed:,} rows confirmed, {there:,} in the sandbox: they were there, and are found by content",
        receipt.confirmed == there == len(late),
    )


def _replace(story: _Story, sandbox: Sandbox, session: cd.Session, late: pd.DataFrame) -> None:
    story.tell("\nThe first 100 of them are to be all that the table holds, but the line is cut on the way.")
    name, few = "A reply gets lost", late.head(100)
    sandbox.faults.lose_reply(operation="append")

    with tempfile.TemporaryDirectory() as folder:

        def replace() -> cd.ReplaceIncompleteError | None:
            try:
                few.clicdata.push(name, if_exists="replace", backup=folder, session=session)
            except cd.ReplaceIncompleteError as exc:
                return exc
            return None

        error = story.step(f'few.clicdata.push("{name}", if_exists="replace")', replace)
        story.check("ReplaceIncompleteError, with a backup of the old rows", error is not None)
        if error is None or error.backup is None:
            return
        backup = error.backup
        story.step(f'cd.restore(error.backup, "{name}")', lambda: cd.restore(backup, name, session=session))
    home = cd.read_clicdata(name, session=session, dtype=late.dtypes.to_dict())
    order = [*_KEYS, "origin"]
    story.check(
        f"{len(home):,} rows are back, value by value",
        _same(home.sort_values(order, ignore_index=True), late.sort_values(order)),
    )


def _read(session: cd.Session) -> pd.DataFrame:
    return cd.read_clicdata(TABLE, session=session, dtype=flights().dtypes.to_dict())


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two frames hold the same rows in the same order, value by value, dtype by dtype."""
    return one.equals(other.reset_index(drop=True)[list(one.columns)])


class _Story:
    """What is told, and whether all of it was true."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._sound = True
        self._started = time.perf_counter()

    def tell(self, line: str = "") -> None:
        print(line, file=self._out, flush=True)

    def step(self, code: str, work: Callable[[], T]) -> T:
        """Show a line of code, do it, and show how long it took."""
        started = time.perf_counter()
        result = work()
        self.tell(f"{time.perf_counter() - started:6.2f} s  {code}")
        return result

    def check(self, claim: str, holds: bool) -> None:
        """Show a claim and whether it holds."""
        self._sound &= holds
        self.tell(f"{'ok' if holds else 'WRONG':>8}  {claim}")

    def end(self) -> int:
        seconds = time.perf_counter() - self._started
        verdict = "Everything held." if self._sound else "Something did not hold: see WRONG above."
        self.tell(f"\n{verdict} {seconds:.1f} s in all.")
        return 0 if self._sound else 1
