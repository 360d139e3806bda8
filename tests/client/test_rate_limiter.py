"""What a session does when the service turns requests away: all its threads wait, and slow down, together."""

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

import pandas_clicdata as cd
from pandas_clicdata._models import STOP_RETRIES, Request, RetryPolicy
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
    """A time that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.options: dict[str, Any] = {"clock": lambda: self.now, "sleep": self.sleep}

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


class Service:
    """Answers in turn, the last one for ever, and knows when each request came."""

    def __init__(self, *answers, clock=None):
        self.answers = answers
        self.clock = clock
        self.came = []
        self.lock = threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.came.append(self.clock.now if self.clock else time.monotonic())
            return self.answers[min(len(self.came), len(self.answers)) - 1]


def until(condition):
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


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


# How long one request goes on.


# A 503 may come after the work was done, so that only what can be repeated is sent again.
TURNED_AWAY = {
    **{f"429 {text}, {each.method}": (busy(seconds), each)
       for text, seconds in (("1 s", 1), ("0 s", 0), ("unsaid", None)) for each in (GET, POST)},
    "503 1 s, GET": (busy(1, 503), GET),
    "503 1 s, DELETE": (busy(1, 503), DELETE),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "request_"), TURNED_AWAY.values(), ids=TURNED_AWAY)
def test_to_be_turned_away_uses_up_no_attempt(opened, answer, request_):
    clock = Clock()
    service = Service(*[answer] * 12, OK, clock=clock)
    reply = opened(service, retry=RetryPolicy(attempts=2), **clock.options).send(request_, {})
    assert (reply.status, reply.attempts) == (200, 13)


@pytest.mark.parametrize(
    ("status", "request_", "possibly_done"),
    [(429, POST, False), (503, GET, False), (503, DELETE, True)],
    ids=["429, POST", "503, GET", "503, DELETE"],
)
def test_it_gives_up_after_the_time_set(opened, status, request_, possibly_done):
    clock = Clock()
    service = Service(busy(10, status), clock=clock)
    reply = opened(service, retry=RetryPolicy(give_up_after=65), **clock.options).send(request_, {})
    assert (reply.status, reply.attempts, reply.possibly_done) == (status, 7, possibly_done)
    assert service.came == [1000.0 + 10 * n for n in range(7)]


def test_backoff_without_retry_after_grows_up_to_the_cap(opened):
    clock = Clock()
    service = Service(busy(), clock=clock)
    opened(service, retry=RetryPolicy(backoff=1, max_backoff=8, give_up_after=60), **clock.options).send(POST, {})
    gaps = [after - before for before, after in itertools.pairwise(service.came)]
    for gap, ceiling in zip(gaps, [1, 2, 4, 8, 8, 8, 8], strict=False):
        assert ceiling / 2 <= round(gap, 6) <= ceiling
    assert 8 <= len(service.came) <= 14


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_takes_no_number_of_the_generator_that_users_seed(opened, status):
    clock = Clock()
    service = Service(busy(status=status), busy(status=status), OK, clock=clock)
    before = random.getstate()
    opened(service, **clock.options).send(GET, {})
    assert len(service.came) == 3
    assert random.getstate() == before


@pytest.mark.parametrize("asked", ["999999999", "601", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_beyond_that_time_is_not_begun(opened, asked):
    clock = Clock()
    service = Service(busy(asked), OK, clock=clock)
    sender = opened(service, **clock.options)
    assert sender.send(POST, {}).status == 429
    assert clock.now == 1000
    # Nor do others ask meanwhile, for the service said when.
    with pytest.raises(cd.RateLimitError, match=r"was not sent.*give_up_after=600") as caught:
        sender.send(POST, {})
    assert not caught.value.ambiguous
    assert len(service.came) == 1
    # But what it said is believed no longer than the cap.
    clock.now += 120
    assert sender.send(POST, {}).status == 200


@pytest.mark.parametrize(("attempts", "tries"), [(1, 1), (3, 3)])
def test_where_no_wait_is_set_the_attempts_count(opened, attempts, tries):
    policy = RetryPolicy(attempts=attempts, backoff=0, min_retry_after=0, max_retry_after=0)
    for answer in (busy(), busy(5)):
        assert opened(Service(answer), retry=policy).send(POST, {}).attempts == tries


def test_one_attempt_is_not_retried_even_with_retry_after(opened):
    service = Service(busy(1), OK)
    assert opened(service, retry=RetryPolicy(attempts=1)).send(GET, {}).status == 429
    assert len(service.came) == 1


def test_failures_and_refusals_are_counted_apart(opened):
    clock = Clock()
    service = Service(*[busy(1), (500, {}, b""), busy(1), (500, {}, b""), busy(1)], (500, {}, b""), clock=clock)
    reply = opened(service, retry=RetryPolicy(attempts=3), **clock.options).send(GET, {})
    assert (reply.status, reply.attempts) == (500, 6)


@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_times_that_are_none(seconds):
    with pytest.raises(ValueError, match="no negative times"):
        RetryPolicy(give_up_after=seconds)


# What is shared.


def test_another_thread_waits_too(opened):
    service = Service(busy(0.3), OK)
    sender = opened(service)
    first = threading.Thread(target=sender.send, args=(GET, {}))
    first.start()
    until(lambda: sender._limiter._throttled)
    sender.send(GET, {})
    first.join()
    assert len(service.came) == 3
    assert service.came[1] - service.came[0] >= 0.3


class Strict:
    """Lets ``most`` requests in a window of time, turns the others away until the next, and passes on the rest."""

    def __init__(self, most, seconds, behind):
        self.most, self.seconds, self.behind = most, seconds, behind
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.in_window, self.windows = 0, 1
        self.came, self.refused = [], []

    def __call__(self, request):
        with self.lock:
            now = time.monotonic()
            self.came.append(now)
            if now >= self.began + self.seconds:
                self.began, self.in_window = now, 0
                self.windows += 1
            if self.in_window >= self.most:
                ends = self.began + self.seconds
                self.refused.append((now, ends))
                return busy(f"{ends - now:.6f}")
            self.in_window += 1
        return self.behind(request)


def passed_on(url):
    def behind(request):
        kept = {key: value for key, value in request.headers.items() if key not in {"Host", "Connection"}}
        reply = requests.request(request.method, url + request.target, data=request.body, headers=kept, timeout=10)
        return reply.status_code, {"Content-Type": "application/json"}, reply.content

    return behind


def test_eight_workers_and_a_strict_service(one_sandbox, http_service, name):
    frame = pd.DataFrame({"n": range(200)})
    retry = RetryPolicy(attempts=5, backoff=0.02, min_retry_after=0)
    strict = Strict(8, 0.4, passed_on(one_sandbox.url))
    with (
        http_service(strict) as url,
        cd.Session(api_key=one_sandbox.api_key, base_url=url, api_version="2025.3", retry=retry) as session,
    ):
        receipt = frame.clicdata.push(name, chunksize=5, workers=WORKERS, session=session)
    assert sorted(row["n"] for row in one_sandbox.ledger.rows(name)) == list(range(200))
    assert receipt.sent == 200
    assert strict.refused
    # What a worker may have had on its way to the service when the refusal came to another.
    underway = 0.15
    for now, ends in strict.refused:
        assert [at for at in strict.came if now + underway < at < ends - 0.001] == []


@pytest.mark.slow
def test_fewer_are_turned_away_than_if_each_thread_waited_by_itself(http_service):
    def by_itself(url):
        with requests.Session() as plain:
            for _ in range(6):
                while (reply := plain.post(f"{url}/data/1/row", data=b"{}", timeout=10)).status_code == 429:
                    time.sleep(float(reply.headers["Retry-After"]))

    def together(session):
        for _ in range(6):
            assert session._client._perform(session._client.dialect.insert(1, b"[{}]", 1)).inserted == 1

    refused = []
    for work in (by_itself, together):
        strict = Strict(4, 0.15, lambda request: (200, {}, b'{"success": true, "result": {"rows_inserted": 1}}'))
        with (
            http_service(strict) as url,
            cd.Session(api_key="hush", base_url=url, api_version="2025.3", retry=RetryPolicy(backoff=0.02)) as session,
        ):
            in_threads(functools.partial(work, url if work is by_itself else session))
        assert len(strict.came) - len(strict.refused) == 6 * WORKERS
        refused.append(len(strict.refused))
    assert refused[1] < refused[0] * 2 / 3
    # The first window found all on the wire, each further one but a few.
    assert refused[1] <= WORKERS + 3 * strict.windows


def in_threads(call, count=WORKERS):
    with ThreadPoolExecutor(count) as pool:
        return [each.result() for each in [pool.submit(call) for _ in range(count)]]


def test_after_the_wait_they_do_not_all_start_at_once(opened):
    arrived = threading.Barrier(WORKERS)
    lock = threading.Lock()
    count = {"came": 0, "now": 0, "let in": 0}
    seen = []

    def answer(request):
        with lock:
            count["came"] += 1
            first = count["came"] <= WORKERS
            if not first:
                count["now"] += 1
                seen.append((count["now"], count["let in"]))
        if first:
            arrived.wait(10)
            return busy(0.1)
        # The time it takes, in which others may come.
        time.sleep(0.02)
        with lock:
            count["now"] -= 1
            count["let in"] += 1
        return OK

    sender = opened(answer)
    assert [reply.status for reply in in_threads(lambda: sender.send(POST, {}))] == [200] * WORKERS
    assert len(seen) == WORKERS
    for now, let_in in seen:
        assert now <= min(1 + let_in, WORKERS / 2 + 1)


def test_nothing_is_slowed_before_and_after(opened):
    meeting = threading.Barrier(WORKERS)
    answers: dict[str, tuple[int, dict[str, str], bytes] | None] = {"now": None}

    def answer(request):
        if answers["now"] is not None:
            return answers["now"]
        # Comes to its end only if all are on the wire at once.
        meeting.wait(10)
        return OK

    clock = Clock()
    sender = opened(answer, **clock.options)
    in_threads(lambda: sender.send(POST, {}))
    assert clock.now == 1000

    answers["now"] = busy(1)
    assert sender.send(POST, {}).status == 429
    assert clock.now > 1500
    clock.now += 1
    answers["now"] = OK
    sender.send(POST, {})
    slowed = clock.now
    for _ in range(60):
        sender.send(POST, {})
    assert clock.now > slowed, "there was a pace"
    answers["now"] = None
    before = clock.now
    in_threads(lambda: sender.send(POST, {}))
    assert clock.now == before


# What ends a wait.


@contextlib.contextmanager
def throttled_and_busy(opened):
    """Open a transport that may have one request on the wire, and has it there until the end."""
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
    with throttled_and_busy(opened) as (sender, service):
        stop = threading.Event()
        caught: list[BaseException] = []
        thread = threading.Thread(target=stopped_send, args=(sender, stop, caught))
        thread.start()
        until(lambda: sender._limiter._waiting)
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
    assert isinstance(caught[0], cd.TransportError)
    assert "was not sent" in str(caught[0])
    assert (caught[0].ambiguous, caught[0].operation, caught[0].attempts) == (False, "insert", 0)
    assert len(service.came) == 1
    assert sender.send(POST, {}).status == 200


def test_a_stop_ends_the_wait_of_retry_after(opened):
    service = Service(busy(100))
    sender = opened(service)
    stop = threading.Event()
    caught: list[Any] = []
    threads = [threading.Thread(target=stopped_send, args=(sender, stop, caught)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(sender._limiter._waiting) == 3)
    stop.set()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    kinds = {"reply" if not isinstance(each, Exception) else type(each) for each in caught}
    assert kinds <= {"reply", cd.TransportError}
    assert all(each.status == 429 for each in caught if not isinstance(each, Exception))


def test_ctrl_c_ends_the_wait_and_leaves_no_place_taken(opened):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with throttled_and_busy(opened) as (sender, service):

            def interrupt():
                until(lambda: sender._limiter._waiting)
                press_ctrl_c()

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                sender.send(POST, {})
            thread.join()
            assert len(service.came) == 1
        assert sender.send(POST, {}).status == 200
        assert not sender._limiter._in_flight
        assert not sender._limiter._waiting
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("workers", [1, 4])
def test_rows_are_known_to_the_last_when_it_gives_up(serve, name, workers):
    sandbox, session = serve(session={"retry": RetryPolicy(give_up_after=0.3)})
    sandbox.faults.status(429, operation="append", nth=5, times=10_000, retry_after=0.1)
    frame = pd.DataFrame({"n": range(100)})
    with pytest.raises(cd.IncompleteWriteError) as caught:
        frame.clicdata.push(name, chunksize=5, workers=workers, session=session)
    assert isinstance(caught.value.__cause__, cd.RateLimitError)
    assert caught.value.unknown == []
    there = sorted(row["n"] for row in sandbox.ledger.rows(name))
    # The first four requests; with several workers, they may carry other batches than the first four.
    ranges = batch_ranges(100, 5, "2025.3", workers)
    arrived = [(rows[0]["n"], rows[-1]["n"] + 1) for _, rows in sandbox.ledger.inserts(name)]
    assert len(arrived) == 4
    assert set(arrived) <= set(ranges)
    assert workers > 1 or arrived == ranges[:4]
    assert there == sorted(n for start, stop in arrived for n in range(start, stop))
    assert sorted(n for start, stop in caught.value.confirmed for n in range(start, stop)) == there
    unsent = [n for start, stop in caught.value.unsent for n in range(start, stop)]
    assert sorted([*there, *unsent]) == list(range(100))


def test_a_child_process_begins_anew():
    clock = Clock()
    limiter = RateLimiter(RetryPolicy(), **clock.options)
    ticket = Ticket()
    limiter.acquire(ticket)
    limiter.refused(ticket, 100)
    limiter._after_fork()
    limiter.acquire(Ticket())
    assert clock.now == 1000


# The limiter by itself.


def test_each_congestion_halves_once():
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


class AnyCourse(RuleBasedStateMachine):
    """Whatever comes in whatever order: never too many on the wire, none while all must wait, and never for ever."""

    @initialize(
        backoff=st.sampled_from([0, 0.5]), cap=st.sampled_from([0, 5, 120]), give_up=st.sampled_from([math.inf, 7])
    )
    def begin(self, backoff, cap, give_up):
        self.clock = Clock()
        self.policy = RetryPolicy(backoff=backoff, max_backoff=8, max_retry_after=cap, give_up_after=give_up)
        self.limiter = RateLimiter(self.policy, **self.clock.options)
        self.outside, self.wire = [], []
        self.hold_until = -math.inf
        # After a refusal, one more than were let in since; what limits nothing is infinite.
        self.most = math.inf
        self.wanted = 0

    @precondition(lambda self: len(self.outside) + len(self.wire) < 8)
    @rule(count=st.integers(1, 5))
    def come(self, count):
        self.outside += [Ticket() for _ in range(count)]

    @rule(order=st.randoms(use_true_random=False))
    def ask(self, order):
        order.shuffle(self.outside)
        self.all_ask()

    def all_ask(self):
        steps = []
        for ticket in list(self.outside):
            quiet_for = self.clock.now - max(self.hold_until, self.limiter._last_start)
            step = self.limiter.try_acquire(ticket)
            steps.append(step)
            if step is Decision.SEND:
                assert self.clock.now >= self.hold_until
                if not self.wire and quiet_for >= self.policy.max_retry_after:
                    self.most = math.inf
                self.outside.remove(ticket)
                self.wire.append(ticket)
                assert len(self.wire) <= self.most
            elif step is Decision.GIVEN_UP:
                assert self.policy.give_up_after < math.inf
                self.limiter.release(ticket)
                self.outside.remove(ticket)
            else:
                assert step is Decision.QUEUE or (not isinstance(step, Decision) and step > 0)
        self.wanted = max(self.wanted, len(self.outside) + len(self.wire))
        if steps and not self.wire:
            assert any(step is not Decision.QUEUE for step in steps), "all wait for each other"
        return steps

    @precondition(lambda self: self.wire)
    @rule(which=st.integers(0, 100), asked=st.none() | st.sampled_from([0.0, 0.2, 3.0, 50.0, 1e9]))
    def refuse(self, which, asked):
        ticket = self.wire.pop(which % len(self.wire))
        fresh = ticket.generation == self.limiter._generation
        self.limiter.refused(ticket, asked)
        self.limiter.release(ticket)
        self.outside.append(ticket)
        if asked is not None:
            hold = min(max(asked, self.policy.min_retry_after), self.policy.max_retry_after)
            self.hold_until = max(self.hold_until, self.clock.now + hold)
        if fresh:
            self.most = 1
            self.wanted = len(self.wire) + 1

    @precondition(lambda self: self.wire)
    @rule(which=st.integers(0, 100))
    def let_in(self, which):
        self.one_let_in(self.wire[which % len(self.wire)])

    def one_let_in(self, ticket):
        self.wire.remove(ticket)
        self.limiter.accepted(ticket)
        self.limiter.release(ticket)
        self.most += 1
        if self.most > self.wanted:
            self.most = math.inf

    @precondition(lambda self: self.wire)
    @rule(which=st.integers(0, 100))
    def fail(self, which):
        self.limiter.release(self.wire.pop(which % len(self.wire)))

    @rule(seconds=st.sampled_from([0.01, 0.3, 2, 20, 300]))
    def pass_time(self, seconds):
        self.clock.now += seconds

    @invariant()
    def knows_who_is_there(self):
        if hasattr(self, "limiter"):
            assert self.limiter._in_flight == set(self.wire)
            assert self.limiter._waiting <= set(self.outside)

    def teardown(self):
        if not hasattr(self, "limiter"):
            return
        # The refusals have ended: all come through.
        for _ in range(100):
            for ticket in list(self.wire):
                self.one_let_in(ticket)
            waits = [step for step in self.all_ask() if isinstance(step, float)]
            if not self.wire and waits:
                self.clock.now += max(waits)
        assert not self.outside
        self.clock.now = max(self.clock.now, self.limiter._paused_until)
        for _ in range(400):
            ticket = Ticket()
            assert self.limiter.acquire(ticket) is Decision.SEND
            self.limiter.accepted(ticket)
            self.limiter.release(ticket)
        # And nothing is left of it.
        assert [self.limiter.try_acquire(Ticket()) for _ in range(50)] == [Decision.SEND] * 50


AnyCourse.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_course = AnyCourse.TestCase
