"""Schedules: what they are, and how to let them run."""

from __future__ import annotations

import math
import re
import time
from typing import Any, SupportsIndex

from pandas_clicdata._checks import rec_id_or_name
from pandas_clicdata._models import ScheduleRun
from pandas_clicdata.client.api import Client
from pandas_clicdata.errors import (
    ClicDataError,
    ScheduleError,
    ScheduleFailedError,
    ScheduleStateError,
    ScheduleTimeoutError,
    printable,
)
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import (
    Output,
    Record,
    as_output,
    checked_output,
    everything,
    id_of_the_one,
    one_as_output,
)

# Nobody has shown what a schedule says of its run (A): a field that is called like a state is read, in the usual words.
_STATE_KEYS = ("run_status", "run_state", "last_run_status", "last_status", "status", "state")
_GOING_ON = frozenset({"running", "inprogress", "pending", "queued", "waiting", "processing", "started", "triggered"})
_WENT_WELL = frozenset({"succeeded", "success", "successful", "completed", "complete", "finished", "done", "ok"})
_WENT_WRONG = frozenset({"failed", "failure", "error", "cancelled", "canceled", "aborted", "stopped"})
_NEVER_RAN = frozenset({"idle", "scheduled", "active", "enabled", "new", "never", "none"})
_OF_NO_RUN = re.compile("next|trigger|request|modif|updat|edit")


class Schedule(Resource):
    """The account's schedules.

    Parameters
    ----------
    session : Session, optional
        The account. Default: that of :func:`connect`, looked up at each use.
    **connection_params
        As for :class:`Session`, for a session of its own instead.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> "name" in cd.Schedule().get_schedule()
    True
    """

    def get_schedule(self, rec_id: SupportsIndex | str | None = None, output: Output = "df") -> Any:
        """List the schedules, or ask for one (S P).

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId of one schedule, or its name.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts as they came; of one schedule a DataFrame of one row, or the dict.

        Returns
        -------
        DataFrame, list of dict, or dict

        Raises
        ------
        RecordLookupError
            No schedule has the name, or several have; they are named.
        NotFoundError
            There is no schedule of this RecId.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        output = checked_output(output)
        if rec_id is not None:
            return one_as_output(self._client.schedule(self._rec_id(rec_id)), output)
        client = self._client
        listed = everything("schedule", client.schedules)
        return as_output(listed, output, columns=("rec_id", "name"))

    def trigger_schedule(
        self,
        rec_id: SupportsIndex | str,
        *,
        wait: bool = False,
        timeout: float = 600.0,
        poll: float = 2.0,
    ) -> ScheduleRun:
        """Let a schedule run now (S).

        It is asked for once: where the reply is lost, the error says that it may have been triggered all the same.

        Parameters
        ----------
        rec_id : int or str
            The schedule's RecId, or its name.
        wait : bool, default False
            Look at the schedule until its run has ended, and raise if it failed. That takes a service that says how far
            its schedules are (A).
        timeout : float, default 600
            Seconds to wait for the end.
        poll : float, default 2
            Seconds between two looks.

        Returns
        -------
        ScheduleRun
            Its status is ``triggered``, or with ``wait=True`` ``succeeded``.

        Raises
        ------
        ScheduleFailedError
            The run failed.
        ScheduleTimeoutError
            It had not ended in time, and may still be going on.
        ScheduleStateError
            The service does not say, in words that are known, how far a schedule is or how its run ended. If that
            shows before, or a run is going on already, nothing was triggered: the message says it.
        RecordLookupError
            No schedule has the name, or several have; they are named.
        TransportError, ServerError
            With ``ambiguous`` set, it may have been triggered all the same.
        TypeError, ValueError
            An argument is not what it should be; nothing was sent.
        """
        for name, seconds in (("timeout", timeout), ("poll", poll)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
                raise ValueError(f"{name}= is a number of seconds from 0, not {seconds!r}.")
        if not isinstance(wait, bool):
            raise TypeError(f"wait= is True or False, not {wait!r}.")
        schedule = self._rec_id(rec_id)
        client = self._client
        started = time.monotonic()
        before: Record = {}
        if wait:
            before = client.schedule(schedule)
            if _state(schedule, before, "It was not triggered.") in _GOING_ON:
                raise ScheduleStateError(
                    f"A run of schedule {schedule} is going on already, and its end could not be told from that of"
                    " another. It was not triggered. Wait until it has ended, or call trigger_schedule without"
                    " wait=True.",
                    rec_id=schedule,
                    record=dict(before),
                    operation="schedule",
                )
        said = client.trigger_schedule(schedule)
        if not wait:
            return ScheduleRun(rec_id=schedule, status="triggered", seconds=time.monotonic() - started, fields=said)
        try:
            record = self._followed(client, schedule, before, started, timeout, poll)
        except ScheduleError:
            raise
        except ClicDataError as exc:
            exc.add_note(f"Schedule {schedule} had been triggered.")
            raise
        return ScheduleRun(rec_id=schedule, status="succeeded", seconds=time.monotonic() - started, fields=record)

    def _followed(
        self, client: Client, schedule: int, before: Record, started: float, timeout: float, poll: float
    ) -> Record:
        """Look at a schedule that was triggered until its run has ended well."""
        seen_running = False
        while True:
            record = client.schedule(schedule)
            state = _state(schedule, record, "It was triggered.")
            seen_running |= state in _GOING_ON
            if state in _NEVER_RAN and seen_running:
                raise ScheduleStateError(
                    f"The run of schedule {schedule} has ended, and the service does not say how: it calls it"
                    f" {state!r} now.",
                    rec_id=schedule,
                    record=dict(record),
                    operation="schedule",
                )
            ended = state in _WENT_WELL or state in _WENT_WRONG
            if ended and (seen_running or _of_runs(record) != _of_runs(before)):
                break
            if time.monotonic() - started + poll > timeout:
                raise ScheduleTimeoutError(
                    f"The run of schedule {schedule} had not ended after {timeout:g} seconds; the service calls it"
                    f" {state!r}. It may still be going on: get_schedule({schedule}) tells.",
                    rec_id=schedule,
                    record=dict(record),
                    operation="trigger",
                )
            time.sleep(poll)
        if state in _WENT_WRONG:
            why = next(
                (
                    f" The service says: {printable(str(record[key]))}"
                    for key in ("message", "error")
                    if record.get(key)
                ),
                "",
            )
            raise ScheduleFailedError(
                f"The run of schedule {schedule} ended as {state!r}.{why}",
                rec_id=schedule,
                record=dict(record),
                operation="trigger",
            )
        return record

    def _rec_id(self, rec_id: object) -> int:
        meant = rec_id_or_name("schedule", rec_id)
        client = self._client
        return id_of_the_one("schedule", meant, client.schedules)


def _of_runs(record: Record) -> Record:
    """What a record may tell of runs that were; what is to come, or was asked for or edited, changes without one."""
    return {name: value for name, value in record.items() if not _OF_NO_RUN.search(name.lower())}


def _state(rec_id: int, record: Record, sofar: str) -> str:
    """The state that a schedule's record tells, in lower case and without gaps."""
    told = {key: record[key] for key in _STATE_KEYS if isinstance(record.get(key), str)}
    states = ["".join(filter(str.isalpha, text)).lower() for text in told.values()]
    # The state of the last run stands there also while the next is going on.
    state = next((state for state in states if state in _GOING_ON), states[0] if states else "")
    if state in _GOING_ON | _WENT_WELL | _WENT_WRONG | _NEVER_RAN:
        return state
    key = next(iter(told), None)
    says = (
        f"{key} is {record[key]!r}" if key is not None else f"it has only {', '.join(map(repr, record)) or 'nothing'}"
    )
    raise ScheduleStateError(
        f"How far schedule {rec_id} is cannot be read off what the service says of it: {says}. {sofar} Call"
        " trigger_schedule without wait=True, and look at get_schedule yourself.",
        rec_id=rec_id,
        record=dict(record),
        operation="schedule",
    )
