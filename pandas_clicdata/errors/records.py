"""What is wrong with a dashboard, a schedule, a team or a user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pandas_clicdata.errors.base import ClicDataError


class RecordLookupError(ClicDataError, LookupError):
    """A RecId or name that means no dashboard, schedule, team or user, or several of them.

    Parameters
    ----------
    message : str
        Which, and what there is.
    names : sequence of str
        The names that were meant perhaps, or all those that match.
    """

    def __init__(self, message: str = "", *, names: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.names = list(names)


class ScheduleError(ClicDataError):
    """A schedule was triggered, but its run did not end well, or how it ended is not known.

    Parameters
    ----------
    message : str
        What happened.
    rec_id : int, optional
        The schedule's RecId.
    record : dict, optional
        The last that the service said of the schedule.
    """

    def __init__(
        self, message: str = "", *, rec_id: int | None = None, record: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.record = dict(record or {})


class ScheduleFailedError(ScheduleError):
    """The run of a schedule failed."""


class ScheduleTimeoutError(ScheduleError, TimeoutError):
    """The run of a schedule had not ended after ``timeout`` seconds; it may still be going on."""


class ScheduleStateError(ScheduleError):
    """The service does not say, in words that are known, how far a schedule is."""
