"""Rate limits: all threads of a session wait and slow down together."""

import contextlib
import functools
import itertools
import math
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
import requests
from batches import batch_ranges
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from interrupts import press_ctrl_c
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata._models import STOP_RETRIES, Request, RetryPolicy, Stop
from pandas_clicdata.client import rate_limiter
from pandas_clicdata.client.rate_limiter import Decision, RateLimiter, Ticket
from pandas_clicdata.client.transport import Transport

GET = Request(operation="read", method="GET", path="/data/1", repeatable=True)
POST = Request(operation="insert", method="POST", path="/data/1/row", body=b"{}")
DELETE = Request(operation="delete", method="DELETE", path="/data/1/row", body=b"{}", repeatable=True)
OK: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
WORKERS = 8


def busy(retry_after=None, status=429):
    return status, {} if retry_after is None else {"Retry-After": str(retry_after)}, b"{}"


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self):
        self.now = 1000.0
        self.options: dict[str, Any] = {"clock": lambda: self.now, "sleep": self.sleep}

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


class Service:
    """A service that sends the answers in turn, repeats the last one, and records the time of each request."""

    def __init__(self, *answers, clock=None):
        self.answers = answers
        self.clock = clock
        self.times = []
        self.lock = threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.times.append(self.clock.now if self.clock else time.monotonic())
            return self.answers[min(len(self.times), len(self.answers)) - 1]


@pytest.fixture
def opened(http_service):
    """Start a service and a transport to it; both end with the test."""
    with contextlib.ExitStack() as stack:

        def start(answer, **options):
            url = stack.enter_context(http_service(answer))
            sender = Transport(url, **{"trust_environment": False, "timeout": 10, **options})
            stack.callback(sender.close)
            return sender

        yield start


# Retries of one request.


# A 503 may come after the request was carried out, so only repeatable requests are sent again.
REFUSED = {
    **{f"429 {text}, {each.method}": (busy(seconds), each)
       for text, seconds in (("1 s", 1), ("0 s", 0), ("unsaid", None)) for each in (GET, POST)},
    "503 1 s, GET": (busy(1, 503), GET),
    "503 1 s, DELETE": (busy(1, 503), DELETE),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "request_"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_uses_no_attempt(opened, answer, request_):
    clock = Clock()
    service = Service(*[answer] * 12, OK, clock=clock)
    reply = opened(service, retry=RetryPolicy(attempts=2), **clock.options).send(request_, {})
    assert (reply.status, reply.attempts) == (200, 13)


@pytest.mark.parametrize(
    ("status", "request_", "possibly_done"),
    [(429, POST, False), (503, GET, False), (503, DELETE, True)],
    ids=["429, POST", "503, GET", "503, DELETE"],
)
def test_a_request_is_given_up_after_the_set_time(opened, status, request_, possibly_done):
    clock = Clock()
    service = Service(busy(10, status), clock=clock)
    reply = opened(service, retry=RetryPolicy(give_up_after=65), **clock.options).send(request_, {})
    assert (reply.status, reply.attempts, reply.possibly_done) == (status, 7, possibly_done)
    assert service.times == [1000.0 + 10 * n for n in range(7)]


def test_backoff_without_retry_after_grows_up_to_the_cap(opened):
    clock = Clock()
    service = Service(busy(), clock=clock)
    opened(service, retry=RetryPolicy(backoff=1, max_backoff=8, give_up_after=60), **clock.options).send(POST, {})
    gaps = [after - before for before, after in itertools.pairwise(service.times)]
    for gap, ceiling in zip(gaps, [1, 2, 4, 8, 8, 8, 8], strict=False):
        assert ceiling / 2 <= round(gap, 6) <= ceiling
    assert 8 <= len(service.times) <= 14


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_does_not_change_the_state_of_random(opened, status):
    clock = Clock()
    service = Service(busy(status=status), busy(status=status), OK, clock=clock)
    before = random.getstate()
    opened(service, **clock.options).send(GET, {})
    assert len(service.times) == 3
    assert random.getstate() == before


@pytest.mark.parametrize("retry_after", ["999999999", "601", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_longer_than_give_up_after_is_not_started(opened, retry_after):
    clock = Clock()
    service = Service(busy(retry_after), OK, clock=clock)
    sender = opened(service, **clock.options)
    assert sender.send(POST, {}).status == 429
    assert clock.now == 1000
    # Other requests are not sent either, because the service stated when to retry.
    with pytest.raises(cd.RateLimitError, match=r"was not sent.*give_up_after=600") as caught:
        sender.send(POST, {})
    assert not caught.value.ambiguous
    assert len(service.times) == 1
    # The stated wait counts only up to the cap.
    clock.now += 120
    assert sender.send(POST, {}).status == 200


@pytest.mark.parametrize(("attempts", "tries"), [(1, 1), (3, 3)])
def test_without_a_wait_attempts_are_limited(opened, attempts, tries):
    policy = RetryPolicy(attempts=attempts, backoff=0, min_retry_after=0, max_retry_after=0)
    for answer in (busy(), busy(5)):
        assert opened(Service(answer), retry=policy).send(POST, {}).attempts == tries


def test_one_attempt_is_not_retried_even_with_retry_after(opened):
    service = Service(busy(1), OK)
    assert opened(service, retry=RetryPolicy(attempts=1)).send(GET, {}).status == 429
    assert len(service.times) == 1


def test_failures_and_refusals_are_counted_separately(opened):
    clock = Clock()
    service = Service(*[busy(1), (500, {}, b""), busy(1), (500, {}, b""), busy(1)], (500, {}, b""), clock=clock)
    reply = opened(service, retry=RetryPolicy(attempts=3), **clock.options).send(GET, {})
    assert (reply.status, reply.attempts) == (500, 6)


@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_invalid_times_are_refused(seconds):
    with pytest.raises(ValueError, match="no negative times"):
        RetryPolicy(give_up_after=seconds)


# Limits that threads share.


def test_another_thread_waits_too(opened):
    service = Service(busy(0.3), OK)
    sender = opened(service)
    first = threading.Thread(target=sender.send, args=(GET, {}))
    first.start()
    wait_until(lambda: sender._limiter._throttled)
    sender.send(GET, {})
    first.join()
    assert len(service.times) == 3
    assert service.times[1] - service.times[0] >= 0.3


class Strict:
    """Accept and forward ``limit`` requests per time window, and refuse the others until the next window."""

    def __init__(self, limit, seconds, forward):
        self.limit, self.seconds, self.forward = limit, seconds, forward
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.in_window, self.windows = 0, 1
        self.times, self.refused = [], []

    def __call__(self, request):
        with self.lock:
            now = time.monotonic()
            self.times.append(now)
            if now >= self.began + self.seconds:
                self.began, self.in_window = now, 0
                self.windows += 1
            if self.in_window >= self.limit:
                ends = self.began + self.seconds
                self.refused.append((now, ends))
                return busy(f"{ends - now:.6f}")
            self.in_window += 1
        return self.forward(request)


def forward_to(url):
    def forward(request):
        headers = {key: value for key, value in request.headers.items() if key not in {"Host", "Connection"}}
        reply = requests.request(request.method, url + request.target, data=request.body, headers=headers, timeout=10)
        return reply.status_code, {"Content-Type": "application/json"}, reply.content

    return forward


@pytest.mark.slow
def test_eight_workers_send_each_row_once_to_a_strict_service(one_sandbox, http_service, name):
    frame = pd.DataFrame({"n": range(200)})
    retry = RetryPolicy(attempts=5, backoff=0.02, min_retry_after=0)
    strict = Strict(8, 0.4, forward_to(one_sandbox.url))
    with (
        http_service(strict) as url,
        cd.Session(api_key=one_sandbox.api_key, base_url=url, api_version="2025.3", retry=retry) as session,
    ):
        receipt = frame.clicdata.push(name, chunksize=5, workers=WORKERS, session=session)
    assert sorted(row["n"] for row in one_sandbox.ledger.rows(name)) == list(range(200))
    assert receipt.sent == 200
    assert strict.refused
    # A worker may have had a request in flight when another worker was refused.
    in_flight_seconds = 0.15
    for now, ends in strict.refused:
        assert [at for at in strict.times if now + in_flight_seconds < at < ends - 0.001] == []


@pytest.mark.slow
def test_a_shared_wait_gets_fewer_refusals_than_separate_waits(http_service):
    def separately(url):
        with requests.Session() as plain:
            for _ in range(6):
                while (reply := plain.post(f"{url}/data/1/row", data=b"{}", timeout=10)).status_code == 429:
                    time.sleep(float(reply.headers["Retry-After"]))

    def together(session):
        for _ in range(6):
            assert session._client._perform(session._client.dialect.insert(1, b"[{}]", 1)).inserted == 1

    refused = []
    for work in (separately, together):
        strict = Strict(4, 0.15, lambda request: (200, {}, b'{"success": true, "result": {"rows_inserted": 1}}'))
        with (
            http_service(strict) as url,
            cd.Session(api_key="hush", base_url=url, api_version="2025.3", retry=RetryPolicy(backoff=0.02)) as session,
        ):
            call_in_threads(functools.partial(work, url if work is separately else session))
        assert len(strict.times) - len(strict.refused) == 6 * WORKERS
        refused.append(len(strict.refused))
    assert refused[1] < refused[0] * 2 / 3
    # In the first window, all requests were in flight; in each later one, only a few.
    assert refused[1] <= WORKERS + 3 * strict.windows


def call_in_threads(call, count=WORKERS):
    with ThreadPoolExecutor(count) as pool:
        return [each.result() for each in [pool.submit(call) for _ in range(count)]]


def test_threads_do_not_all_start_at_once_after_a_wait(opened):
    arrived = threading.Barrier(WORKERS)
    lock = threading.Lock()
    count = {"received": 0, "in flight": 0, "accepted": 0}
    recorded = []

    def answer(request):
        with lock:
            count["received"] += 1
            first = count["received"] <= WORKERS
            if not first:
                count["in flight"] += 1
                recorded.append((count["in flight"], count["accepted"]))
        if first:
            arrived.wait(10)
            return busy(0.1)
        # Other requests may arrive during this time.
        time.sleep(0.02)
        with lock:
            count["in flight"] -= 1
            count["accepted"] += 1
        return OK

    sender = opened(answer)
    assert [reply.status for reply in call_in_threads(lambda: sender.send(POST, {}))] == [200] * WORKERS
    assert len(recorded) == WORKERS
    for in_flight, accepted in recorded:
        assert in_flight <= min(1 + accepted, WORKERS / 2 + 1)


def test_requests_are_slowed_only_during_congestion(opened):
    barrier = threading.Barrier(WORKERS)
    replies: dict[str, tuple[int, dict[str, str], bytes] | None] = {"now": None}

    def answer(request):
        if replies["now"] is not None:
            return replies["now"]
        # The barrier opens only if all requests are in flight at once.
        barrier.wait(10)
        return OK

    clock = Clock()
    sender = opened(answer, **clock.options)
    call_in_threads(lambda: sender.send(POST, {}))
    assert clock.now == 1000

    replies["now"] = busy(1)
    assert sender.send(POST, {}).status == 429
    assert clock.now > 1500
    clock.now += 1
    replies["now"] = OK
    sender.send(POST, {})
    after_first = clock.now
    for _ in range(60):
        sender.send(POST, {})
    assert clock.now > after_first, "requests were slowed"
    replies["now"] = None
    before = clock.now
    call_in_threads(lambda: sender.send(POST, {}))
    assert clock.now == before


# The end of a wait.


@contextlib.contextmanager
def throttled_with_one_in_flight(opened):
    """Open a transport that may have one request in flight, and keep a request in flight until the end."""
    entered, free = threading.Event(), threading.Event()
    service = Service(busy(0), OK)

    def answer(request):
        if request.path == "/long":
            entered.set()
            free.wait(10)
            return OK
        return service(request)

    sender = opened(answer, retry=RetryPolicy(backoff=0, min_retry_after=0, attempts=1))
    assert sender.send(GET, {}).status == 429
    long = threading.Thread(target=sender.send, args=(Request(operation="x", method="GET", path="/long"), {}))
    long.start()
    entered.wait(10)
    try:
        yield sender, service
    finally:
        free.set()
        long.join()


def stopped_send(sender, stop, caught):
    STOP_RETRIES.set(stop)
    try:
        caught.append(sender.send(POST, {}))
    except cd.ClicDataError as exc:
        caught.append(exc)


def test_a_stop_ends_the_wait_for_another_threads_reply(opened):
    with throttled_with_one_in_flight(opened) as (sender, service):
        stop = Stop()
        caught: list[BaseException] = []
        thread = threading.Thread(target=stopped_send, args=(sender, stop, caught))
        thread.start()
        wait_until(lambda: sender._limiter._waiting)
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
    assert isinstance(caught[0], cd.TransportError)
    assert "was not sent" in str(caught[0])
    assert (caught[0].ambiguous, caught[0].operation, caught[0].attempts) == (False, "insert", 0)
    assert len(service.times) == 1
    assert sender.send(POST, {}).status == 200


def test_a_stop_ends_the_wait_of_retry_after(opened):
    service = Service(busy(100))
    sender = opened(service)
    stop = Stop()
    caught: list[Any] = []
    threads = [threading.Thread(target=stopped_send, args=(sender, stop, caught)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(sender._limiter._waiting) == 3)
    stop.set()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    kinds = {"reply" if not isinstance(each, Exception) else type(each) for each in caught}
    assert kinds <= {"reply", cd.TransportError}
    assert all(each.status == 429 for each in caught if not isinstance(each, Exception))


def test_ctrl_c_ends_the_wait_and_frees_its_slot(opened):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with throttled_with_one_in_flight(opened) as (sender, service):

            def interrupt():
                wait_until(lambda: sender._limiter._waiting)
                press_ctrl_c()

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                sender.send(POST, {})
            thread.join()
            assert len(service.times) == 1
        assert sender.send(POST, {}).status == 200
        assert not sender._limiter._in_flight
        assert not sender._limiter._waiting
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("workers", [1, 4])
def test_ranges_are_exact_when_a_write_is_given_up(serve, name, workers):
    sandbox, session = serve(session={"retry": RetryPolicy(give_up_after=0.3)})
    sandbox.faults.status(429, operation="append", nth=5, times=10_000, retry_after=0.1)
    frame = pd.DataFrame({"n": range(100)})
    with pytest.raises(cd.IncompleteWriteError) as caught:
        frame.clicdata.push(name, chunksize=5, workers=workers, session=session)
    assert isinstance(caught.value.__cause__, cd.RateLimitError)
    assert caught.value.unknown == []
    stored = sorted(row["n"] for row in sandbox.ledger.rows(name))
    # The first four requests; with several workers, they may carry other batches than the first four.
    ranges = batch_ranges(100, 5, "2025.3", workers)
    arrived = [(rows[0]["n"], rows[-1]["n"] + 1) for _, rows in sandbox.ledger.inserts(name)]
    assert len(arrived) == 4
    assert set(arrived) <= set(ranges)
    assert workers > 1 or arrived == ranges[:4]
    assert stored == sorted(n for start, stop in arrived for n in range(start, stop))
    assert sorted(n for start, stop in caught.value.confirmed for n in range(start, stop)) == stored
    unsent = [n for start, stop in caught.value.unsent for n in range(start, stop)]
    assert sorted([*stored, *unsent]) == list(range(100))


def test_a_child_process_starts_without_a_limit():
    clock = Clock()
    limiter = RateLimiter(RetryPolicy(), **clock.options)
    ticket = Ticket()
    limiter.acquire(ticket)
    limiter.refused(ticket, 100)
    limiter._after_fork()
    limiter.acquire(Ticket())
    assert clock.now == 1000


# The limiter alone.


def test_each_congestion_halves_the_limit_once():
    clock = Clock()
    limiter = RateLimiter(RetryPolicy(), **clock.options)
    tickets = [Ticket() for _ in range(WORKERS)]
    for ticket in tickets:
        assert limiter.try_acquire(ticket) is Decision.SEND
    for ticket in tickets:
        limiter.refused(ticket, 1)
        limiter.release(ticket)
    clock.now += 1
    allowed = []
    for _ in range(14):
        decisions = [limiter.try_acquire(ticket) for ticket in tickets]
        admitted = [ticket for ticket, decision in zip(tickets, decisions, strict=True) if decision is Decision.SEND]
        allowed.append(len(admitted))
        for ticket in admitted:
            limiter.accepted(ticket)
            limiter.release(ticket)
    assert allowed[:3] == [1, 2, 4], "up to half of them, twice as many each time"
    steps = [after - before for before, after in itertools.pairwise(allowed[2:])]
    assert set(steps) <= {0, 1}, "then one more at most"
    assert allowed[-1] == WORKERS


class LimiterMachine(RuleBasedStateMachine):
    """Any sequence of events: the limit holds, no request starts during a pause, and no request waits forever."""

    @initialize(
        backoff=st.sampled_from([0, 0.5]), cap=st.sampled_from([0, 5, 120]), give_up=st.sampled_from([math.inf, 7])
    )
    def begin(self, backoff, cap, give_up):
        self.clock = Clock()
        self.policy = RetryPolicy(backoff=backoff, max_backoff=8, max_retry_after=cap, give_up_after=give_up)
        # Otherwise the same steps could have another result when hypothesis repeats them.
        self.unseeded, rate_limiter._random = rate_limiter._random, random.Random(7)
        self.limiter = RateLimiter(self.policy, **self.clock.options)
        self.waiting, self.in_flight = [], []
        self.hold_until = -math.inf
        # After a refusal, one more than the number accepted since; without a limit, infinity.
        self.limit = math.inf
        self.demand = 0

    @precondition(lambda self: len(self.waiting) + len(self.in_flight) < 8)
    @rule(count=st.integers(1, 5))
    def arrive(self, count):
        self.waiting += [Ticket() for _ in range(count)]

    @rule(order=st.randoms(use_true_random=False))
    def start(self, order):
        order.shuffle(self.waiting)
        self.start_all()

    def start_all(self):
        steps = []
        for ticket in list(self.waiting):
            quiet_for = self.clock.now - max(self.hold_until, self.limiter._last_start)
            step = self.limiter.try_acquire(ticket)
            steps.append(step)
            if step is Decision.SEND:
                assert self.clock.now >= self.hold_until
                if not self.in_flight and quiet_for >= self.policy.max_retry_after:
                    self.limit = math.inf
                self.waiting.remove(ticket)
                self.in_flight.append(ticket)
                assert len(self.in_flight) <= self.limit
            elif step is Decision.GIVEN_UP:
                assert self.policy.give_up_after < math.inf
                self.limiter.release(ticket)
                self.waiting.remove(ticket)
            else:
                assert step is Decision.QUEUE or (not isinstance(step, Decision) and step > 0)
        self.demand = max(self.demand, len(self.waiting) + len(self.in_flight))
        if steps and not self.in_flight:
            assert any(step is not Decision.QUEUE for step in steps), "all wait for each other"
        return steps

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 100), retry_after=st.none() | st.sampled_from([0.0, 0.2, 3.0, 50.0, 1e9]))
    def refuse(self, which, retry_after):
        ticket = self.in_flight.pop(which % len(self.in_flight))
        fresh = ticket.generation == self.limiter._generation
        self.limiter.refused(ticket, retry_after)
        self.limiter.release(ticket)
        self.waiting.append(ticket)
        if retry_after is not None:
            hold = min(max(retry_after, self.policy.min_retry_after), self.policy.max_retry_after)
            self.hold_until = max(self.hold_until, self.clock.now + hold)
        if fresh:
            self.limit = 1
            self.demand = len(self.in_flight) + 1

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 100))
    def accept(self, which):
        self.accept_one(self.in_flight[which % len(self.in_flight)])

    def accept_one(self, ticket):
        self.in_flight.remove(ticket)
        self.limiter.accepted(ticket)
        self.limiter.release(ticket)
        self.limit += 1
        if self.limit > self.demand:
            self.limit = math.inf

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 100))
    def fail(self, which):
        self.limiter.release(self.in_flight.pop(which % len(self.in_flight)))

    @rule(seconds=st.sampled_from([0.01, 0.3, 2, 20, 300]))
    def pass_time(self, seconds):
        self.clock.now += seconds

    @invariant()
    def requests_are_tracked(self):
        if hasattr(self, "limiter"):
            assert self.limiter._in_flight == set(self.in_flight)
            assert self.limiter._waiting <= set(self.waiting)

    def teardown(self):
        if not hasattr(self, "limiter"):
            return
        try:
            self.finish()
        finally:
            rate_limiter._random = self.unseeded

    def finish(self):
        # Without further refusals, every request is accepted.
        for _ in range(100):
            for ticket in list(self.in_flight):
                self.accept_one(ticket)
            waits = [step for step in self.start_all() if isinstance(step, float)]
            if not self.in_flight and waits:
                self.clock.now += max(waits)
        assert not self.waiting
        self.clock.now = max(self.clock.now, self.limiter._paused_until)
        for _ in range(400):
            ticket = Ticket()
            assert self.limiter.acquire(ticket) is Decision.SEND
            self.limiter.accepted(ticket)
            self.limiter.release(ticket)
        # No limit remains.
        assert [self.limiter.try_acquire(Ticket()) for _ in range(50)] == [Decision.SEND] * 50


LimiterMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_sequence_of_events = LimiterMachine.TestCase


def test_abandoned_requests_do_not_count(opened):
    arrived, gates = threading.Semaphore(0), [threading.Event(), threading.Event()]

    def answer(request):
        if request.path == "/":
            return OK
        arrived.release()
        gate = gates[int(request.path[1:])]
        assert gate.wait(60)
        return busy(600)

    sender = opened(answer, timeout=60, retry=RetryPolicy(give_up_after=1))
    stop = Stop()

    def send(number):
        STOP_RETRIES.set(stop)
        sender.send(Request(operation="insert", method="POST", path=f"/{number}", body=b"{}"), {})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
        assert arrived.acquire(timeout=60)
    stop.abandon()
    gates[0].set()
    threads[0].join()
    # One abandoned request was refused, and another is in flight.
    assert sender.send(Request(operation="read", method="GET", path="/", repeatable=True), {}).status == 200
    gates[1].set()
    threads[1].join()
