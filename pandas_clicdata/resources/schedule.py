"""Schedules and their runs."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any, Literal, overload

from pandas_clicdata._checks import check_rec_id_or_name
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
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
from pandas_clicdata.read import read_clicdata
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import (
    Output,
    Record,
    RecordId,
    checked_output,
    fetch_all,
    find_rec_id,
    to_output,
    to_single_output,
)

if TYPE_CHECKING:
    import pandas as pd

    from pandas_clicdata.session import Session

# How the service states the state of a run is unknown, so these fields are read, in the usual words.
_STATE_KEYS = ("run_status", "run_state", "last_run_status", "last_status", "status", "state")
_RUNNING = frozenset({"running", "inprogress", "pending", "queued", "waiting", "processing", "started", "triggered"})
_SUCCEEDED = frozenset({"succeeded", "success", "successful", "completed", "complete", "finished", "done", "ok"})
_FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "aborted", "stopped"})
_IDLE = frozenset({"idle", "scheduled", "active", "enabled", "new", "never", "none"})
# Fields that can change without a run.
_UNRELATED = re.compile("next|trigger|request|modif|updat|edit")


@parameters_from(Resource)
class Schedule(Resource):
    """The schedules of an account.

    Parameters
    ----------
    {session}
    {**connection_params}

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> "name" in cd.Schedule().get_schedule()
    True
    """

    @overload
    def get_schedule(self, rec_id: RecordId | None = ..., output: Literal["df"] = ...) -> pd.DataFrame: ...

    @overload
    def get_schedule(self, rec_id: None, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_schedule(self, rec_id: None = ..., *, output: Literal["dict"]) -> list[dict[str, Any]]: ...

    @overload
    def get_schedule(self, rec_id: RecordId, output: Literal["dict"]) -> dict[str, Any]: ...

    @parameters_from(to_output)
    def get_schedule(
        self, rec_id: RecordId | None = None, output: Output = "df"
    ) -> pd.DataFrame | list[dict[str, Any]] | dict[str, Any]:
        r"""List the schedules, or return one.

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId or the name of one schedule. Default: list all schedules.
        {output}

        Returns
        -------
        DataFrame, list of dict or dict
            One row or dict per schedule, with all fields that the service states. With ``rec_id``, one row or one dict.

        Raises
        ------
        RecordLookupError
            No schedule has the name, or several have it.
        NotFoundError
            No schedule has this RecId.
        IncompleteReadError
            The service states another number of schedules than were received.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.connect() as session:
        ...     sandbox.put_source("planes.csv", "seats\n180\n")
        ...     table = sandbox.feed("Planes from a file", "planes.csv")
        ...     rec_id = sandbox.schedule("Nightly", tables=[table], method="append")
        ...     cd.Schedule(session).get_schedule("Nightly", "dict")["name"]
        'Nightly'
        """
        output = checked_output(output)
        if rec_id is not None:
            return to_single_output(self._client.schedule(self._rec_id(rec_id)), output)
        client = self._client
        return to_output("schedule", fetch_all("schedule", client.schedules), output, columns=("rec_id", "name"))

    def trigger_schedule(
        self,
        rec_id: RecordId,
        *,
        wait: bool = False,
        timeout: float = 600.0,
        poll: float = 2.0,
    ) -> ScheduleRun:
        r"""Start a run of a schedule.

        The request is sent once. If its reply is lost, the error says that the run may have started.

        Parameters
        ----------
        rec_id : int or str
            The RecId of the schedule, or its name.
        wait : bool, default False
            Whether to wait until the run has ended, and raise an error if it failed. This needs a service that states
            the state of a schedule in its record.
        timeout : float, default 600
            Seconds to wait for the end of the run.
        poll : float, default 2
            Seconds between two requests for the state.

        Returns
        -------
        ScheduleRun
            The run. Its status is ``triggered``, or with ``wait=True`` ``succeeded``.

        Raises
        ------
        ScheduleFailedError
            The run failed.
        ScheduleTimeoutError
            The run did not end in time. It may still be in progress.
        ScheduleStateError
            The record of the schedule does not show the state of the run in a known form, or another run is in
            progress. The message states whether the schedule was triggered.
        RecordLookupError
            No schedule has the name, or several have it.
        NotFoundError
            No schedule has this RecId.
        TransportError, ServerError
            The request failed. With ``ambiguous`` set, the run may have started.
        TypeError, ValueError
            An argument is wrong. Nothing was sent.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.connect() as session:
        ...     sandbox.put_source("planes.csv", "seats\n180\n")
        ...     table = sandbox.feed("Planes from a file", "planes.csv")
        ...     rec_id = sandbox.schedule("Nightly", tables=[table], method="append")
        ...     cd.Schedule(session).trigger_schedule(rec_id, wait=True, poll=0.1).status
        'succeeded'
        """
        for name, seconds in (("timeout", timeout), ("poll", poll)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
                raise ValueError(f"{name}= must be a number of seconds from 0, not {seconds!r}.")
        if not isinstance(wait, bool):
            raise TypeError(f"wait= must be True or False, not {wait!r}.")
        schedule = self._rec_id(rec_id)
        client = self._client
        started = time.monotonic()
        before: Record = {}
        if wait:
            before = client.schedule(schedule)
            if _state(schedule, before, "It was not triggered.") in _RUNNING:
                raise ScheduleStateError(
                    f"A run of schedule {schedule} is in progress, and its end could not be distinguished from the end"
                    " of a new run. It was not triggered. Wait until the run has ended, or call trigger_schedule"
                    " without wait=True.",
                    rec_id=schedule,
                    record=dict(before),
                    operation="schedule",
                )
        reply = client.trigger_schedule(schedule)
        if not wait:
            return ScheduleRun(rec_id=schedule, status="triggered", seconds=time.monotonic() - started, fields=reply)
        try:
            record = _wait_for_end(client, schedule, before, started, timeout, poll)
        except ScheduleError:
            raise
        except ClicDataError as exc:
            exc.add_note(f"Schedule {schedule} was triggered before this error.")
            raise
        return ScheduleRun(rec_id=schedule, status="succeeded", seconds=time.monotonic() - started, fields=record)

    def _rec_id(self, rec_id: object) -> int:
        wanted = check_rec_id_or_name("schedule", rec_id)
        client = self._client
        return find_rec_id("schedule", wanted, client.schedules)


def _wait_for_end(client: Client, schedule: int, before: Record, started: float, timeout: float, poll: float) -> Record:
    """Return the record of a triggered schedule after its run has succeeded.

    Raises
    ------
    ScheduleFailedError, ScheduleTimeoutError, ScheduleStateError
        The run failed, did not end in time, or its result is unknown.
    """
    seen_running = False
    while True:
        record = client.schedule(schedule)
        state = _state(schedule, record, "It was triggered.")
        seen_running |= state in _RUNNING
        if state in _IDLE and seen_running:
            raise ScheduleStateError(
                f"The run of schedule {schedule} has ended, but the service does not state whether it succeeded. The"
                f" state of the schedule is {state!r}.",
                rec_id=schedule,
                record=dict(record),
                operation="schedule",
            )
        ended = state in _SUCCEEDED or state in _FAILED
        if ended and (seen_running or _run_fields(record) != _run_fields(before)):
            break
        if time.monotonic() - started + poll > timeout:
            raise ScheduleTimeoutError(
                f"The run of schedule {schedule} did not end within {timeout:g} seconds. Its state is {state!r}. It may"
                f" still be in progress: get_schedule({schedule}) returns its state.",
                rec_id=schedule,
                record=dict(record),
                operation="trigger",
            )
        time.sleep(poll)
    if state in _FAILED:
        reason = next((record[key] for key in ("message", "error") if record.get(key)), None)
        stated = "" if reason is None else f" The service states: {printable(str(reason))}"
        raise ScheduleFailedError(
            f"The run of schedule {schedule} ended with the state {state!r}.{stated}",
            rec_id=schedule,
            record=dict(record),
            operation="trigger",
        )
    return record


def _run_fields(record: Record) -> Record:
    """Return the fields of a record that can change only by a run."""
    return {name: value for name, value in record.items() if not _UNRELATED.search(name.lower())}


def _state(rec_id: int, record: Record, so_far: str) -> str:
    """Return the state in the record of a schedule, as lower-case letters.

    Raises
    ------
    ScheduleStateError
        The record has no known state.
    """
    stated = {key: record[key] for key in _STATE_KEYS if isinstance(record.get(key), str)}
    states = ["".join(filter(str.isalpha, text)).lower() for text in stated.values()]
    # The state of the last run may stay in the record while the next one is in progress.
    state = next((state for state in states if state in _RUNNING), states[0] if states else "")
    if state in _RUNNING | _SUCCEEDED | _FAILED | _IDLE:
        return state
    key = next(iter(stated), None)
    found = (
        f"{key} is {record[key]!r}" if key is not None else f"its fields are {', '.join(map(repr, record)) or 'none'}"
    )
    raise ScheduleStateError(
        f"The record of schedule {rec_id} does not show its state in a known form: {found}. {so_far} Call"
        " trigger_schedule without wait=True, and check the state with get_schedule.",
        rec_id=rec_id,
        record=dict(record),
        operation="schedule",
    )


@shown_briefly
@parameters_from(read_clicdata)
def schedules(*, session: Session | None = None) -> pd.DataFrame:
    """List the schedules.

    Parameters
    ----------
    {session}

    Returns
    -------
    DataFrame
        One row per schedule, with ``rec_id``, ``name`` and all other fields that the service states.

    Raises
    ------
    IncompleteReadError
        The service states another number of schedules than were received.

    See Also
    --------
    Schedule.trigger_schedule : Start a run of a schedule.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> list(cd.schedules())[:2]
    ['rec_id', 'name']
    """
    return Schedule(session).get_schedule()
