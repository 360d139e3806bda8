"""Schedules: they are listed, triggered, and followed to the end of a run."""

import json
import re

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata import Session


@pytest.fixture
def nightly(one_sandbox, name):
    """Create a table fed from a file, and a schedule that appends the file's rows to it."""
    file = f"{name}.csv"
    one_sandbox.put_source(file, "plane,seats\nA320,180\n")
    one_sandbox.feed(name, file, key=["plane"])
    return one_sandbox.schedule(name, tables=[name], method="append")


@pytest.mark.operation("GET /schedule", "GET /schedule/{id}")
def test_schedules_are_listed_and_fetched_one_by_one(session, nightly, name):
    schedule = cd.Schedule(session)
    frame = schedule.get_schedule()
    assert list(frame)[:2] == ["rec_id", "name"]
    assert frame.set_index("name")["rec_id"][name] == nightly
    pd.testing.assert_frame_equal(cd.schedules(session=session), frame)
    for key in (nightly, name):
        one = schedule.get_schedule(key)
        assert one[["rec_id", "name", "status"]].to_numpy().tolist() == [[nightly, name, "idle"]]
        assert one["last_run_date"].dtype == "datetime64[us, UTC]"
    assert schedule.get_schedule(nightly, "dict") in schedule.get_schedule(output="dict")
    with pytest.raises(cd.NotFoundError):
        schedule.get_schedule(999_999)


@pytest.mark.operation("POST /schedule/{id}/trigger")
def test_a_triggered_schedule_runs(session, nightly, name):
    schedule = cd.Schedule(session)
    run = schedule.trigger_schedule(nightly)
    assert (run.rec_id, run.status) == (nightly, "triggered")
    for rows in (3, 4):
        run = schedule.trigger_schedule(name, wait=True, poll=0, timeout=10)
        assert (run.rec_id, run.status, run.fields["status"]) == (nightly, "succeeded", "succeeded")
        assert len(cd.read_clicdata(name, session=session)) == rows
    shown = re.sub(r"<[^>]+>", "|", run._repr_html_())
    assert name in shown
    assert shown.count("succeeded") == shown.count(f"|{nightly}|") == 1
    assert "None" not in shown


def test_a_failed_run_raises_with_the_reason(session, one_sandbox, nightly, name):
    one_sandbox.put_source(f"{name}.csv", "plane,wings\nA320,2\n")
    schedule = cd.Schedule(session)
    with pytest.raises(
        cd.ScheduleFailedError, match=f"schedule {nightly} ended with the state 'failed'. The service states: .*seats"
    ):
        schedule.trigger_schedule(nightly, wait=True, poll=0, timeout=10)
    assert schedule.get_schedule(nightly)["status"].item() == "failed"
    assert len(cd.read_clicdata(name, session=session)) == 1


def schedule_service(states, **fields):
    """Return the log and the answers of a service with one schedule, number 7, that has these records in turn."""
    received, turn = [], iter(states)

    def answer(request):
        received.append(f"{request.method} {request.path}")
        if request.method == "POST":
            return 200, {}, b"{}"
        state = next(turn)
        record = state if isinstance(state, dict) else {"rec_id": 7, "status": state, **fields}
        return 200, {}, json.dumps(record).encode()

    return received, answer


def session_at(url, api_version="unversioned"):
    return Session(api_key="hush", base_url=url, api_version=api_version, retry=cd.RetryPolicy(attempts=1))


def follow(http_service, states, **options):
    received, answer = schedule_service(states)
    with http_service(answer) as url, session_at(url) as session:
        return cd.Schedule(session).trigger_schedule(7, wait=True, poll=0, **options), received


@pytest.mark.parametrize(
    "states",
    [
        ["idle", "running", "running", "succeeded"],
        ["succeeded", "succeeded", "In Progress", "COMPLETED"],
        ["failed", "queued", "Finished"],
        [{"state": "done", "at": 1}, {"state": "done", "at": 1}, {"state": "done", "at": 2}],
        [{"status": "active", "last_run_status": "failed"}, {"status": "active", "last_run_status": "running"},
         {"status": "active", "last_run_status": "success"}],
        [{"state": "idle", "last_run_status": "success", "n": 1}, {"state": "running", "last_run_status": "success"},
         {"state": "idle", "last_run_status": "success", "n": 2}],
        [{"schedules": [{"id": 7, "status": "idle"}]}, {"schedules": [{"id": 7, "status": "succeeded"}]}],
    ],
)  # fmt: skip
def test_a_run_is_followed_to_its_own_end(http_service, states):
    run, received = follow(http_service, states)
    assert run.status == "succeeded"
    assert received == ["GET /schedule/7", "POST /schedule/7/trigger", *["GET /schedule/7"] * (len(states) - 1)]


@pytest.mark.parametrize(
    "states",
    [
        ["idle", *["running"] * 99],
        ["succeeded"] * 99,
        ["idle"] * 99,
        [{"status": "succeeded", "next_run_date": n, "last_trigger_date": n} for n in range(9)],
    ],
)
def test_a_run_that_does_not_end_raises(http_service, states):
    with pytest.raises(TimeoutError, match=r"did not end within 0 seconds.*may still be in progress") as caught:
        follow(http_service, states, timeout=0)
    assert isinstance(caught.value, cd.ScheduleTimeoutError)
    assert caught.value.rec_id == 7


@pytest.mark.parametrize("record", [{"rec_id": 7}, {"status": "blue"}, {"status": 3}, {"status": None, "name": "x"}])
def test_a_schedule_without_a_state_is_not_triggered(http_service, record):
    received, answer = schedule_service([record])
    with (
        http_service(answer) as url,
        session_at(url) as session,
        pytest.raises(cd.ScheduleStateError, match=r"does not show its state .* It was not triggered"),
    ):
        cd.Schedule(session).trigger_schedule(7, wait=True)
    assert received == ["GET /schedule/7"]


@pytest.mark.parametrize("state", ["running", "queued"])
def test_the_end_of_an_earlier_run_does_not_count_for_a_later_run(http_service, state):
    received, answer = schedule_service([state, "succeeded"])
    with (
        http_service(answer) as url,
        session_at(url) as session,
        pytest.raises(cd.ScheduleStateError, match=r"is in progress.* It was not triggered"),
    ):
        cd.Schedule(session).trigger_schedule(7, wait=True, poll=0)
    assert received == ["GET /schedule/7"]


def test_a_run_with_an_unreported_end_is_not_reported_as_successful(http_service):
    with pytest.raises(
        cd.ScheduleStateError, match=r"has ended, but the service does not state whether it succeeded.* 'idle'"
    ):
        follow(http_service, ["idle", "running", "idle"])


def test_an_error_while_following_a_run_says_that_it_was_triggered(http_service):
    _, answer = schedule_service(["idle"])

    def failing(request):
        try:
            return answer(request)
        except StopIteration:
            return 403, {}, b"{}"

    with http_service(failing) as url, session_at(url) as session, pytest.raises(cd.PermissionDeniedError) as caught:
        cd.Schedule(session).trigger_schedule(7, wait=True, poll=0)
    assert caught.value.__notes__ == ["Schedule 7 was triggered before this error."]


@pytest.mark.parametrize("after_commit", [True, False])
def test_a_trigger_with_a_lost_reply_is_not_retried(serve, name, after_commit):
    sandbox, session = serve()
    sandbox.put_source("a.csv", "n\n1\n")
    sandbox.feed(name, "a.csv")
    schedule = sandbox.schedule(name, tables=[name], method="append")
    sandbox.faults.lose_reply(operation="trigger", after_commit=after_commit)
    with pytest.raises(cd.TransportError) as caught:
        cd.Schedule(session).trigger_schedule(schedule)
    assert caught.value.ambiguous
    assert "The request may have been carried out" in caught.value.__notes__[0]
    assert len(sandbox.requests.of("trigger")) == 1
    assert len(cd.read_clicdata(name, session=session)) == 1 + after_commit
