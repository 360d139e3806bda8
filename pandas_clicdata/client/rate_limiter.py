"""Rate limiting: all threads of a session slow down together after the service refuses a request with HTTP 429."""

from __future__ import annotations

import itertools
import logging
import math
import random
import threading
from collections.abc import Callable
from enum import Enum

from pandas_clicdata._models import STOP_RETRIES, RetryPolicy
from pandas_clicdata._progress import parts_of_wait
from pandas_clicdata._threads import reset_after_fork

logger: logging.Logger = logging.getLogger(__name__)

_INTERVAL_DECREASE = 0.8
_MIN_INTERVAL_SECONDS = 0.01
# A stop is an event that other threads set, so a queued request checks it this often.
_POLL_SECONDS = 0.05
_MAX_DOUBLINGS = 60
_numbers = itertools.count()
# Not the generator that users seed: a retry would change the random numbers of their notebook.
_random: random.Random = random.SystemRandom()


def jittered(seconds: float) -> float:
    """Return a random time between half of this time and all of it, so that clients do not retry simultaneously."""
    return seconds * (0.5 + _random.random() / 2)


class Decision(Enum):
    """What a request does next."""

    SEND = "send"
    QUEUE = "wait for the reply to another request"
    STOPPED = "not sent, because the caller stopped"
    GIVEN_UP = "not sent, because the wait would be too long"


class Ticket:
    """The place of a request in the queue. It stays the same for all tries, so that the oldest request goes first."""

    __slots__ = ("_stop", "generation", "number", "refused", "waiting_since")

    def __init__(self) -> None:
        self._stop = STOP_RETRIES.get()
        self.number: int = next(_numbers)
        self.generation: int = -1
        self.waiting_since: float | None = None
        self.refused: bool = False

    @property
    def abandoned(self) -> bool:
        """Whether the caller no longer waits for the reply. Such a request does not count."""
        return self._stop is not None and self._stop.abandoned


class RateLimiter:
    """Decide when a request may be sent. The threads of a session share one limiter.

    Before the first refusal, nothing is limited. A refusal halves the number of simultaneous requests, down to one;
    further refusals then double the interval between two requests. A request that was sent before the last refusal was
    caused by the same overload, so its refusal does not halve again. No thread sends until the time that the service
    asked for, or a backoff, is over. Then one request is sent. Each accepted request allows one more at a time, up to
    the limit (slow start), and each further round raises the limit by one, until no request has to wait.

    Parameters
    ----------
    retry : RetryPolicy
        The times.
    sleep : callable
        Waits for a number of seconds.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, retry: RetryPolicy, *, sleep: Callable[[float], object], clock: Callable[[], float]) -> None:
        self._retry = retry
        self._sleep = sleep
        self._clock = clock
        self._after_fork()
        reset_after_fork(self)

    def _after_fork(self) -> None:
        """Reset the state: the requests in flight belong to the parent."""
        self._changed = threading.Condition()
        self._in_flight: set[Ticket] = set()
        self._waiting: set[Ticket] = set()
        # True from a refusal until no request has to wait. The other fields have a meaning only while it is True.
        self._throttled = False
        self._limit = 1.0
        self._window = 1
        self._demand = 0
        self._interval = 0.0
        self._refusals_in_a_row = 0
        # A reply describes the present state only if its request was sent after the last slowdown.
        self._generation = 0
        self._paused_until = self._requested_until = self._last_start = self._last_accepted = -math.inf

    def acquire(self, ticket: Ticket) -> Decision:
        """Wait until a request may be sent.

        The caller must call :meth:`release` afterwards, also after an exception.

        Parameters
        ----------
        ticket : Ticket
            The ticket of the request.

        Returns
        -------
        Decision
            Never ``QUEUE``.
        """
        stop = STOP_RETRIES.get()
        while True:
            with self._changed:
                stopped = stop is not None and stop.is_set()
                # The caller does not wait for the reply to an abandoned request.
                if stopped and (ticket.refused or ticket.abandoned):
                    return Decision.STOPPED
                step = self.try_acquire(ticket)
                if step is Decision.QUEUE:
                    if stopped:
                        return Decision.STOPPED
                    self._changed.wait(_POLL_SECONDS)
                    continue
                requested = self._requested_until > self._clock()
            if isinstance(step, Decision):
                return step
            reason = "ClicData asked to wait" if requested else "ClicData refuses requests, trying again in"
            if sleep_unless_stopped(step, self._sleep, reason):
                return Decision.STOPPED

    def try_acquire(self, ticket: Ticket) -> Decision | float:
        """Decide without waiting.

        Parameters
        ----------
        ticket : Ticket
            The ticket of the request.

        Returns
        -------
        Decision or float
            The decision, or the seconds after which to call again.
        """
        with self._changed:
            now = self._clock()
            self._forget_abandoned()
            if self._throttled and not self._in_flight and not self._waiting:
                # An old refusal does not describe the present state.
                self._throttled = now < max(self._paused_until, self._last_start) + self._retry.max_retry_after
            if not self._throttled:
                return self._send(ticket, now)
            self._waiting.add(ticket)
            self._demand = max(self._demand, len(self._waiting) + len(self._in_flight))
            has_capacity = len(self._in_flight) + 1 <= min(self._window, self._limit)
            is_next = has_capacity and ticket is min(self._waiting, key=lambda each: each.number)
            ready_at = max(self._paused_until, self._last_start + self._interval)
            if is_next and now >= ready_at:
                return self._send(ticket, now)
            if self._waits_too_long(ticket, now, ready_at):
                return Decision.GIVEN_UP
            if now < self._paused_until:
                return self._paused_until - now
            return ready_at - now if is_next else Decision.QUEUE

    def pace(self) -> tuple[float, float, float]:
        """Return the seconds until a request may be sent, how many may be in flight, and the seconds between two."""
        with self._changed:
            if not self._throttled:
                return 0.0, math.inf, 0.0
            return max(0.0, self._paused_until - self._clock()), self._limit, self._interval

    def release(self, ticket: Ticket) -> None:
        """Remove a request that is no longer in flight or in the queue."""
        with self._changed:
            self._in_flight.discard(ticket)
            self._waiting.discard(ticket)
            if self._waiting:
                self._changed.notify_all()

    def accepted(self, ticket: Ticket) -> None:
        """Record that the service accepted a request, and allow more requests."""
        with self._changed:
            now = self._clock()
            if not self._throttled or ticket.abandoned:
                return
            self._last_accepted = now
            if ticket.generation != self._generation or now < self._paused_until:
                return
            self._refusals_in_a_row = 0
            if self._interval:
                shorter = self._interval * _INTERVAL_DECREASE
                self._interval = shorter if self._interval > _MIN_INTERVAL_SECONDS else 0.0
            elif self._window < self._limit:
                self._window += 1
            else:
                self._limit += 1 / self._limit
            if self._limit > self._demand:
                logger.info("the rate limit is over: requests are sent without a limit")
                self._throttled = False
            self._changed.notify_all()

    def refused(self, ticket: Ticket, retry_after: float | None) -> bool:
        """Record that the service refused a request because there are too many, and allow fewer requests.

        Parameters
        ----------
        ticket : Ticket
            The ticket of the request.
        retry_after : float or None
            The seconds in its ``Retry-After`` header. None if there is none.

        Returns
        -------
        bool
            Whether the request waits before its next try.
        """
        retry = self._retry
        with self._changed:
            now = self._clock()
            ticket.refused = True
            if ticket.abandoned:
                # It was sent long ago, so it does not describe the present state.
                return False
            self._forget_abandoned()
            if ticket.waiting_since is None:
                ticket.waiting_since = now
            is_new = not self._throttled or ticket.generation == self._generation
            if is_new:
                self._slow_down()
            if retry_after is None:
                longest = self._backoff()
                pause = jittered(longest) if is_new else 0.0
            else:
                retry_after = max(retry_after, retry.min_retry_after)
                longest = pause = min(retry_after, retry.max_retry_after)
                self._requested_until = max(self._requested_until, now + retry_after)
            if is_new or now + pause > self._paused_until:
                self._window = 1
            self._paused_until = max(self._paused_until, now + pause)
            logger.info(
                "rate limited: no request for %.1f s, then %d at a time, %.2f s apart",
                max(0.0, self._paused_until - now), self._limit, self._interval,
            )  # fmt: skip
            return longest > 0

    def _forget_abandoned(self) -> None:
        for tickets in (self._in_flight, self._waiting):
            tickets -= {ticket for ticket in tickets if ticket.abandoned}

    def _slow_down(self) -> None:
        if not self._throttled:
            self._throttled = True
            self._demand = 0
            self._interval = 0.0
            self._refusals_in_a_row = 0
            self._limit = max(1.0, len(self._in_flight) / 2)
        elif self._limit > 1:
            self._limit = max(1.0, self._limit / 2)
        else:
            self._interval = min(self._retry.max_backoff, max(self._retry.backoff, 2 * self._interval))
        self._demand = max(self._demand, len(self._waiting) + len(self._in_flight))
        self._refusals_in_a_row += 1
        self._generation += 1

    def _backoff(self) -> float:
        doublings = min(max(self._refusals_in_a_row - 1, 0), _MAX_DOUBLINGS)
        return float(min(self._retry.max_backoff, self._retry.backoff * 2**doublings))

    def _send(self, ticket: Ticket, now: float) -> Decision:
        self._waiting.discard(ticket)
        self._in_flight.add(ticket)
        ticket.generation = self._generation
        self._last_start = now
        if self._waiting:
            # There may be capacity for the next request too.
            self._changed.notify_all()
        return Decision.SEND

    def _waits_too_long(self, ticket: Ticket, now: float, ready_at: float) -> bool:
        if ticket.waiting_since is None:
            ticket.waiting_since = now
        # As long as other requests are accepted, the queue moves and a request that was not refused keeps waiting.
        since = ticket.waiting_since if ticket.refused else max(ticket.waiting_since, self._last_accepted)
        until = max(now, ready_at, self._requested_until if now < self._paused_until else now)
        return until - since > self._retry.give_up_after


def sleep_unless_stopped(seconds: float, sleep: Callable[[float], object], reason: str) -> bool:
    """Wait until the time is over or the thread is asked to stop its retries.

    Parameters
    ----------
    seconds : float
        The time.
    sleep : callable
        Waits for a number of seconds. Not used where the thread can be asked to stop.
    reason : str
        What it waits for; the progress bar shows it before the seconds that are left.

    Returns
    -------
    bool
        Whether the thread was asked to stop.
    """
    stop = STOP_RETRIES.get()
    for part in parts_of_wait(seconds, reason):
        if stop is None:
            sleep(part)
        elif stop.wait(part):
            return True
    return False
