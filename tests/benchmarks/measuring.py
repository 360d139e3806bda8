"""Run contenders alternately, each in its own process, and take medians."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import frames

_HERE = Path(__file__).parent
_MEMORY_ROUNDS = 3
"""The memory of a process hardly varies."""
_IMPORTS_PER_ROUND = 4


@dataclass(frozen=True)
class Case:
    """What the contenders of one comparison have in common.

    Attributes
    ----------
    work : {"push", "read", "stream"}
        The work.
    rows : int
        The number of rows.
    kind : str
        The kind of frame.
    dialect : {"versioned", "unversioned"}
        The dialect.
    delay : float
        The seconds before each reply.
    listed : bool
        Whether the service lists the columns beside the rows of a page.
    """

    work: str
    rows: int
    kind: str = "flights"
    dialect: str = "versioned"
    delay: float = 0
    listed: bool = True


@dataclass(frozen=True)
class Contender:
    """One side of a comparison.

    Attributes
    ----------
    name : str
        The name in a table.
    contender : str
        A name in ``contenders.CONTENDERS``.
    options : dict
        ``workers``, ``journal``.
    rows : int or None
        The number of rows, if it is not the one of the case.
    """

    name: str
    contender: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """The rounds of one contender.

    Attributes
    ----------
    rows : int
        The number of rows.
    rounds : list of dict
        ``cpu``, ``wall``, ``peak`` and ``frame`` of each round.
    """

    rows: int
    rounds: list[dict[str, Any]]

    def median(self, key: str) -> float:
        """Return the median of a figure."""
        return statistics.median(each[key] for each in self.rounds)

    def rate(self, key: str = "cpu") -> float:
        """Return the rows per second of the processor (``cpu``) or of the clock (``wall``)."""
        return self.rows / self.median(key)

    def times(self, other: Figures, key: str = "cpu") -> float:
        """Return how many times as many rows per second this is as the other: the median of the rounds' ratios."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        ratios = (theirs[key] / other.rows / (own[key] / self.rows) for own, theirs in pairs)
        return statistics.median(ratios)

    def share(self, alone: Figures, ceiling: float) -> float:
        """Return the share of the lower of two rates: a ceiling, and what the other one reaches in the same round."""
        pairs = zip(self.rounds, alone.rounds, strict=True)
        shares = (self.rows / own["wall"] / min(ceiling, alone.rows / other["wall"]) for own, other in pairs)
        return statistics.median(shares)


class Bench:
    """A folder with frames, and the environment of the processes.

    Parameters
    ----------
    folder : Path
        For frames, journals and settings, so that those of the user are neither used nor changed.
    rounds : int
        The number of rounds of each comparison.
    wrapper : str
        The folder with the source of the public wrapper; empty to leave it out.
    """

    def __init__(self, folder: Path, rounds: int, wrapper: str = "") -> None:
        self._folder = folder
        self.rounds = rounds
        self.wrapper = wrapper
        settings = {name: str(folder / name) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLICDATA_")}
        # With it, no import would find compiled modules.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self._environment = {**kept, **settings}
        self._saved: dict[tuple[str, int], tuple[Path, Path]] = {}

    def compare(self, case: Case, sides: Sequence[Contender]) -> dict[str, Figures]:
        """Run the sides alternately, all on the same service."""
        return self.alternate({side.name: (case, side) for side in sides})

    def alternate(self, sides: Mapping[str, tuple[Case, Contender]]) -> dict[str, Figures]:
        """Run the sides alternately, after one round that does not count."""
        with contextlib.ExitStack() as stack:
            cases = dict.fromkeys(case for case, _ in sides.values())
            urls = {case: stack.enter_context(self._service(case)) for case in cases}
            processes = {
                name: stack.enter_context(self._process(case, side, urls[case])) for name, (case, side) in sides.items()
            }
            rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
            for number in range(self.rounds + 1):
                for name in list(sides)[:: 1 if number % 2 else -1]:
                    figures = _once(processes[name])
                    if number:
                        rounds[name].append(figures)
            return {name: Figures(case.rows, rounds[name]) for name, (case, _) in sides.items()}

    def alone(self, case: Case, side: Contender) -> Figures:
        """Run one side in a new process for each round: memory that a round leaves does not help the next one."""
        rounds = []
        with self._service(case) as url:
            for _ in range(min(self.rounds, _MEMORY_ROUNDS)):
                with self._process(case, side, url) as process:
                    rounds.append(_once(process))
        return Figures(case.rows, rounds)

    def import_seconds(self) -> tuple[float, float]:
        """Return the median of the additional seconds of pairs of processes, of the processor and of the clock."""
        before = "import pandas, pyarrow, requests"
        self._import(f"{before}; import pandas_clicdata")  # compiles the modules
        pairs = []
        for _ in range(_IMPORTS_PER_ROUND * self.rounds):
            without, own = self._import(before), self._import(f"{before}; import pandas_clicdata")
            pairs.append((own[0] - without[0], own[1] - without[1]))
        cpu, wall = zip(*pairs, strict=True)
        return statistics.median(cpu), statistics.median(wall)

    def _import(self, code: str) -> tuple[float, float]:
        code, started = f"import time; {code}; print(time.process_time())", time.perf_counter()
        used = subprocess.run([sys.executable, "-c", code], env=self._environment, check=True, stdout=subprocess.PIPE)
        return float(used.stdout), time.perf_counter() - started

    def _files(self, case: Case) -> tuple[Path, Path]:
        key = (case.kind, case.rows)
        if key not in self._saved:
            self._saved[key] = frames.save(*key, self._folder)
        return self._saved[key]

    @contextlib.contextmanager
    def _service(self, case: Case) -> Iterator[str]:
        options = ["--rows", str(case.rows), "--dialect", case.dialect, "--delay", str(case.delay)]
        options += [] if case.listed else ["--unlisted"]
        command = [sys.executable, str(_HERE / "service.py"), str(self._files(case)[1]), *options]
        with self._started(command) as process:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"

    @contextlib.contextmanager
    def _process(self, case: Case, side: Contender, url: str) -> Iterator[subprocess.Popen[str]]:
        arrow, text = self._files(case)
        job = {
            "contender": side.contender,
            "work": case.work,
            "url": url,
            "dialect": case.dialect,
            "rows": case.rows,
            "arrow": str(arrow),
            "text": str(text),
            "wrapper": self.wrapper,
            **side.options,
        }
        with self._started([sys.executable, str(_HERE / "contenders.py"), json.dumps(job)]) as process:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit(f"{side.name} cannot {case.work}; its message is above.")
            yield process

    @contextlib.contextmanager
    def _started(self, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@contextlib.contextmanager
def bench(rounds: int, wrapper: str) -> Iterator[Bench]:
    """Provide a bench in a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        yield Bench(Path(folder), rounds, wrapper)


def _once(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("again\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit("A contender failed; its message is above.")
    figures: dict[str, Any] = json.loads(line)
    return figures
