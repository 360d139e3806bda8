"""The options of a write, validated before anything else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, get_args

import numpy as np

from pandas_clicdata._checks import check_choice, check_path, check_whole_number
from pandas_clicdata._models import MAX_BATCH_ROWS, OnBadValues, RepeatedPages, StrPath
from pandas_clicdata._options import checked_progress
from pandas_clicdata._options import options as defaults
from pandas_clicdata._progress import Progress

if TYPE_CHECKING:
    from pandas_clicdata.client.api import Client

IfExists = Literal["fail", "append", "replace", "upsert"]
OnUnknown = Literal["raise", "check"]
OnNewColumns = Literal["error", "ignore"]
RECONCILE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a write, with the names and the meaning that they have in ``df.clicdata.push``."""

    if_exists: IfExists = "fail"
    on: str | Sequence[str] | None = None
    column_types: Mapping[str, str] | None = None
    index: bool | None = None
    on_new_columns: OnNewColumns = "error"
    on_bad_values: OnBadValues = "raise"
    description: str = ""
    dry_run: bool = False
    chunksize: SupportsIndex = MAX_BATCH_ROWS
    workers: SupportsIndex | None = None
    stamp: str | None = None
    on_unknown: OnUnknown = "raise"
    reconcile_wait: float = RECONCILE_SECONDS
    resume: Mapping[str, Any] | bool | None = None
    journal: StrPath | bool | None = None
    verify: bool = False
    backup: StrPath | None = None
    repeated_pages: RepeatedPages = "check"
    max_requests: SupportsIndex | None = None
    progress: bool | Progress | None = None

    def __post_init__(self) -> None:
        check_whole_number("chunksize", self.chunksize, least=1)
        if self.workers is not None:
            check_whole_number("workers", self.workers, least=1)
        if self.journal is None and self.if_exists != "upsert":
            object.__setattr__(self, "journal", defaults.journal)
        if self.index is not None and not isinstance(self.index, bool | np.bool_):
            raise TypeError(f"index= must be True, False or None, not {self.index!r}.")
        for name in ("dry_run", "verify"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise TypeError(f"{name}= must be True or False, not {getattr(self, name)!r}.")
        checked_progress(self.progress)
        check_choice("if_exists", self.if_exists, get_args(IfExists))
        check_choice("on_new_columns", self.on_new_columns, get_args(OnNewColumns))
        check_choice("on_bad_values", self.on_bad_values, get_args(OnBadValues))
        check_choice("repeated_pages", self.repeated_pages, get_args(RepeatedPages))
        check_choice("on_unknown", self.on_unknown, get_args(OnUnknown))
        if (
            isinstance(self.reconcile_wait, bool)
            or not isinstance(self.reconcile_wait, Real)
            or not 0 <= self.reconcile_wait < 86400
        ):
            raise ValueError(
                "reconcile_wait= must be a number of seconds from 0 to less than a day (86,400), not"
                f" {self.reconcile_wait!r}."
            )
        if self.stamp is not None and (not isinstance(self.stamp, str) or not self.stamp.strip()):
            raise ValueError(f"stamp= must be the name of a text column, not {self.stamp!r}.")
        if self.resume is not None and not isinstance(self.resume, Mapping | bool):
            raise TypeError(
                f"resume= must be True, False, or error.resume, a dict, not {type(self.resume).__name__}. If you stored"
                " it as JSON text, load it first: json.loads(…)"
            )
        if isinstance(self.resume, Mapping) and self.journal_path is not None:
            raise ValueError("resume= and journal= both say where to continue. Pass one of them.")
        for name, path in (("journal", self.journal_path), ("backup", self.backup)):
            if path is not None:
                object.__setattr__(self, name, check_path(name, path))
        if self.if_exists == "upsert":
            if self.on is None:
                raise ValueError(
                    "if_exists='upsert' needs on=, the columns whose values identify a row. For example: on=\"id\""
                )
            for name in ("stamp", "resume", "journal"):
                if getattr(self, name) not in (None, False):
                    raise ValueError(
                        f"An upsert takes no {name}=: it compares keys, so the same call can simply be repeated."
                    )
        if self.backup is not None and self.if_exists != "replace":
            raise ValueError(
                "backup= is the place where if_exists='replace' saves the old rows. No other write removes rows."
            )

    @property
    def max_in_flight(self) -> int:
        """Maximum number of requests in flight."""
        return int(self.workers or defaults.workers or 1)

    @property
    def journal_path(self) -> StrPath | None:
        """The file that the caller passed as ``journal=``."""
        return None if isinstance(self.journal, bool) else self.journal

    def for_inserts(self, client: Client) -> Options:
        """Return the options for inserts into a table of this account.

        Raises
        ------
        ValueError
            The service is not known to take ``chunksize`` rows at once.
        """
        profile = client.service_profile
        most = profile.max_rows
        if int(self.chunksize) > most and client.dialect.limits_rows:
            raise ValueError(
                f"chunksize={int(self.chunksize)} is more than the {most:,} rows that ClicData is known to take in one"
                " request. To find out whether it takes more:\n    cd.doctor(write=True)"
            )
        # The dialect is used last, because it may have to be detected with requests.
        if not profile.drops_rows or self.resume:
            return self
        if profile.found("insert_counts") is not False and client.dialect.counts_rows:
            return self
        # Nothing else would show that rows are missing.
        return replace(self, verify=True)

    def given(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, as plain JSON, without those of one call only."""
        given: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            is_default = value is each.default or (isinstance(value, str | int | float) and value == each.default)
            if is_default or each.name in ("progress", "dry_run", "resume", "journal"):
                continue
            match value:
                case Mapping():
                    given[each.name] = {str(key): str(item) for key, item in value.items()}
                case os.PathLike():
                    given[each.name] = os.fspath(value)
                case bool() | np.bool_():
                    given[each.name] = bool(value)
                case str() | int() | float():
                    given[each.name] = value
                case Sequence():
                    given[each.name] = [str(item) for item in value]
                case _:
                    given[each.name] = int(value)
        return given
