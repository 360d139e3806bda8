"""The options of a write, checked before anything else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, SupportsIndex, get_args

from pandas_clicdata._checks import one_of, whole_number
from pandas_clicdata._display import Progress
from pandas_clicdata._models import BATCH_ROWS, RepeatedPages

IfExists = Literal["fail", "append", "replace", "upsert"]
OnUnknown = Literal["raise", "check"]
OnNewColumns = Literal["error", "ignore"]
RECONCILE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a write is done; the names are those of ``df.clicdata.push``."""

    column_types: Mapping[str, str] | None = None
    index: bool = False
    dry_run: bool = False
    chunksize: SupportsIndex = BATCH_ROWS
    workers: SupportsIndex = 1
    on: str | Sequence[str] | None = None
    stamp: str | None = None
    on_new_columns: OnNewColumns = "error"
    on_unknown: OnUnknown = "raise"
    reconcile_wait: float = RECONCILE_SECONDS
    resume: Mapping[str, Any] | None = None
    journal: str | os.PathLike[str] | None = None
    verify: bool = False
    backup: str | os.PathLike[str] | None = None
    repeated_pages: RepeatedPages = "check"
    progress: bool | Progress | None = None

    def __post_init__(self) -> None:
        whole_number("chunksize", self.chunksize, least=1, most=BATCH_ROWS, why="the service takes no more at once")
        whole_number("workers", self.workers, least=1)
        if self.progress is not None and not isinstance(self.progress, bool) and not callable(self.progress):
            raise TypeError(f"progress= is True, False or a callable, not {self.progress!r}.")
        one_of("on_new_columns", self.on_new_columns, get_args(OnNewColumns))
        one_of("repeated_pages", self.repeated_pages, get_args(RepeatedPages))
        if self.on_unknown not in ("raise", "check"):
            raise ValueError(f"on_unknown={self.on_unknown!r} is not known; it is 'raise' or 'check'.")
        if (
            isinstance(self.reconcile_wait, bool)
            or not isinstance(self.reconcile_wait, Real)
            or not 0 <= self.reconcile_wait < 86400
        ):
            raise ValueError(
                f"reconcile_wait= is a number of seconds from 0, less than a day, not {self.reconcile_wait!r}."
            )
        if self.stamp is not None and (not isinstance(self.stamp, str) or not self.stamp.strip()):
            raise ValueError(f"stamp= is the name of a text column, not {self.stamp!r}.")
        if self.resume is not None and not isinstance(self.resume, Mapping):
            raise TypeError(f"resume= is the token that an error carries, error.resume, not {self.resume!r}.")
        if self.resume is not None and self.journal is not None:
            raise ValueError("resume= and journal= both say where to go on. Give one of them.")
        for name, path in (("journal", self.journal), ("backup", self.backup)):
            if path is not None and (not isinstance(path, str | os.PathLike) or not os.fspath(path)):
                raise TypeError(f"{name}= is the path of a file, not {path!r}.")
