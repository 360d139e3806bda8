"""One token for eight workers: it is renewed once, and after a failure, the outcome of every row is known."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata._config import Settings
from pandas_clicdata._models import Secret
from pandas_clicdata.client.auth import Bearer, ClientCredentials
from pandas_clicdata.client.transport import Transport
from pandas_clicdata.sandbox import Sandbox

DIALECTS = ("2025.3", "unversioned")
FLOWS = ("client_credentials", "authorization_code")
WORKERS = 8
BATCH = 5
ROWS = BATCH * 60
FRAME = pd.DataFrame({"n": range(ROWS)})
TRIES = 3
QUICK = cd.RetryPolicy(attempts=TRIES, backoff=0, min_retry_after=0, max_retry_after=0)
BACK = "http://127.0.0.1:9/back"


@pytest.fixture(scope="module")
def running():
    with Sandbox() as sandbox:
        yield sandbox


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def ready(running, name, tmp_path):
    """Return a function that creates an empty table and returns a session and its clock."""
    opened = []

    def make(dialect, flow, retry=QUICK):
        more = {"code": running.authorize(BACK), "redirect_uri": BACK, "token_file": tmp_path / "token.json"}
        session = cd.Session(
            client_id=running.client_id,
            client_secret=running.client_secret,
            base_url=running.url,
            api_version=dialect,
            retry=retry,
            **(more if flow == "authorization_code" else {}),
        )
        opened.append(session)
        assert session.auth_method == flow
        clock = Clock()
        authenticator: Any = session._client.authenticator
        authenticator.clock = clock
        FRAME.head(0).clicdata.push(name, session=session)
        running.requests.clear()
        return session, clock

    yield make
    running.faults.clear()
    for session in opened:
        session.close()


def once(action):
    """Return a progress function that calls ``action`` on the first rows only."""
    pending = [action]

    def progress(*counts):
        if pending:
            pending.pop()()

    return progress


def append(session, table, action):
    return FRAME.clicdata.append(table, chunksize=BATCH, workers=WORKERS, progress=once(action), session=session)


def committed(sandbox, table):
    return sorted(row["n"] for _, rows in sandbox.ledger.inserts(table) for row in rows)


def rows_in(ranges):
    return [row for start, stop in ranges for row in range(start, stop)]


def expiry(kind, sandbox, clock):
    """Return a function that expires the token, in the service or by the clock of the client."""

    def advance_clock():
        clock.now += 7200

    return {"service": sandbox.faults.expire_tokens, "clock": advance_clock}[kind]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seen_by", ["service", "clock"])
def test_a_token_that_expires_during_a_write_is_renewed_once(running, ready, name, dialect, flow, seen_by):
    session, clock = ready(dialect, flow)
    append(session, name, expiry(seen_by, running, clock))
    assert len(running.requests.of("token")) == 1
    assert committed(running, name) == list(range(ROWS))
    refused = [entry for entry in running.requests.of("append") if entry.status == 401]
    assert len(refused) <= WORKERS
    assert bool(refused) == (seen_by == "service")


# Faults of the token endpoint: (fault, options, number of token requests of one renewal).
REFUSALS: dict[str, Any] = {
    "400": ("status", {"code": 400, "body": {"error": "invalid_client"}}, 1),
    "401": ("status", {"code": 401, "body": {"error": "invalid_grant"}}, 1),
    "500": ("status", {"code": 500}, TRIES),
    "lost": ("lose_reply", {"after_commit": False}, TRIES),
    "cut off": ("truncate_body", {}, TRIES),
    "garbage": ("garbage", {}, 1),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seen_by", ["service", "clock"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_failed_renewal_stops_all_workers_with_exact_ranges(running, ready, name, dialect, flow, seen_by, refusal):
    kind, options, requests = REFUSALS[refusal]
    session, clock = ready(dialect, flow)
    expire = expiry(seen_by, running, clock)

    def expire_and_refuse():
        running.faults.script(kind, operation="token", times=1000, **options)
        expire()

    with pytest.raises(cd.ClicDataError) as caught:
        append(session, name, expire_and_refuse)
    error = caught.value
    assert isinstance(error, cd.IncompleteWriteError)
    assert error.unknown == []
    assert rows_in(error.confirmed) == committed(running, name)
    assert sorted(rows_in(error.confirmed) + rows_in(error.unsent)) == list(range(ROWS))
    assert error.confirmed
    assert error.unsent
    assert not error.ambiguous
    # One renewal for eight workers.
    assert len(running.requests.of("token")) == requests


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_refresh_with_a_lost_reply_is_retried(running, ready, name, lost):
    session, _ = ready("2025.3", "authorization_code")

    def expire_and_lose_reply():
        running.faults.lose_reply(operation="token", after_commit=lost == "after")
        running.faults.expire_tokens()

    if lost == "before":
        append(session, name, expire_and_lose_reply)
        assert committed(running, name) == list(range(ROWS))
    else:
        with pytest.raises(cd.ClicDataError, match=r"whose reply was lost.* sign in again") as caught:
            append(session, name, expire_and_lose_reply)
        assert isinstance(caught.value, cd.IncompleteWriteError)
        assert caught.value.unknown == []
        assert rows_in(caught.value.confirmed) == committed(running, name)
    assert len(running.requests.of("token")) == 2


def test_an_unknown_outcome_stays_unknown_after_a_401(running, ready, name):
    session, _ = ready("2025.3", "client_credentials")
    FRAME.clicdata.append(name, session=session)
    running.faults.lose_reply(operation="delete")
    running.faults.status(401, operation="delete", nth=2)
    running.faults.status(400, operation="token", body={"error": "invalid_client"})
    with pytest.raises(cd.ClicDataError) as caught:
        FRAME.head(1).clicdata.delete_rows(name, on=["n"], session=session)
    assert running.ledger.count(name) == ROWS - 1
    assert caught.value.ambiguous


@pytest.fixture
def bearer(running):
    """Return a Bearer on the sandbox, with a clock that tests can set."""
    settings = Settings(
        auth_method="client_credentials",
        base_url=running.url,
        client_id=running.client_id,
        client_secret=Secret(running.client_secret),
    )
    transport = Transport(running.url, trust_environment=False, retry=cd.RetryPolicy(attempts=1))
    running.requests.clear()
    yield Bearer(ClientCredentials(settings), transport, clock=Clock())
    running.faults.clear()
    running.faults.release()
    transport.close()


def outcome_of(ask):
    try:
        return ask()
    except cd.ClicDataError as exc:
        return exc


@pytest.mark.parametrize("first", [True, False], ids=["no token yet", "an expired token"])
def test_concurrent_renewals_share_one_failure(http_service, first):
    requested, proceed = threading.Semaphore(0), threading.Event()
    requests = []

    def answer(request):
        requests.append(request)
        if len(requests) == 1 and not first:
            return 200, {}, b'{"access_token": "abc", "expires_in": 3600}'
        requested.release()
        proceed.wait(10)
        return 400, {}, b'{"error": "invalid_client"}'

    with http_service(answer) as url, ThreadPoolExecutor(WORKERS) as pool:
        settings = Settings(auth_method="client_credentials", client_id="acme", client_secret=Secret("hush"))
        transport = Transport(url, trust_environment=False, retry=QUICK)
        clock = Clock()
        bearer = Bearer(ClientCredentials(settings), transport, clock=clock)
        if not first:
            bearer.headers()
            clock.now = 7200.0
        before = len(requests)
        barrier = threading.Barrier(WORKERS)
        futures = [pool.submit(lambda: (barrier.wait(), outcome_of(bearer.headers))[1]) for _ in range(WORKERS)]
        assert requested.acquire(timeout=10)
        proceed.set()
        assert {type(future.result()) for future in futures} == {cd.AuthenticationError}
        assert len(requests) - before == 1
        transport.close()


def test_a_failed_renewal_raises_in_all_threads_that_waited(running, bearer):
    old = [bearer.headers() for _ in range(WORKERS)]
    running.requests.clear()
    running.faults.status(400, operation="token", times=100, body={"error": "invalid_client"})
    bearer.clock.now += 10
    with ThreadPoolExecutor(WORKERS) as pool:
        barrier = threading.Barrier(WORKERS)
        errors = list(pool.map(lambda own: (barrier.wait(), outcome_of(lambda: bearer.renew(own)))[1], old))
    assert {type(error) for error in errors} == {cd.AuthenticationError}
    assert len({str(error) for error in errors}) == 1
    # Each thread has its own exception, because raising changes it.
    assert len(set(map(id, errors))) == WORKERS
    assert len(running.requests.of("token")) == 1
    # A late 401 to a request from before the failure.
    bearer.clock.now += 100
    assert isinstance(outcome_of(lambda: bearer.renew(old[0])), cd.AuthenticationError)
    assert len(running.requests.of("token")) == 1


def test_a_thread_after_a_failed_renewal_tries_again(running, bearer):
    bearer.headers()
    bearer.clock.now = 7200.0
    running.requests.clear()
    running.faults.status(500, operation="token")
    with pytest.raises(cd.ServerError):
        bearer.headers()
    # Immediately, as the other workers of a write do.
    with pytest.raises(cd.ServerError):
        bearer.headers()
    assert len(running.requests.of("token")) == 1
    bearer.clock.now += 1
    fresh = bearer.headers()
    assert len(running.requests.of("token")) == 2
    # The failure no longer counts.
    bearer.renew(fresh)
    assert len(running.requests.of("token")) == 3
    assert bearer.headers() != fresh


def test_a_failed_token_does_not_affect_the_next(running, bearer):
    rounds = itertools.count(1)
    for number in itertools.islice(rounds, 3):
        headers = bearer.headers()
        running.faults.status(500, operation="token")
        with pytest.raises(cd.ServerError):
            bearer.renew(headers)
        bearer.clock.now += 10
        later = bearer.headers()
        assert later == headers
        assert bearer.renew(later)
        assert bearer.headers() != headers
        assert len(running.requests.of("token")) == 1 + 2 * number
