"""How all threads of a session slow down together once the service refuses requests with 429."""

from __future__ import annotations

import itertools
import logging
import math
import random
import threading
from collections.abc import Callable
from enum import Enum

from pandas_clicdata._models import NO_MORE_TRIES, RetryPolicy
from pandas_clicdata._threads import renew_in_children

logger = logging.getLogger(__name__)

_PACE_KEPT = 0.8
_LEAST_PACE_SECONDS = 0.01
# A stop is an event that others set, so who waits for another thread's reply looks at it this often.
_LOOK_SECONDS = 0.05
_MOST_DOUBLINGS = 60
_numbers = itertools.count()
# Not the generator that users seed: a retry would change the numbers their notebook draws.
_random = random.SystemRandom()


def jittered(seconds: float) -> float:
    """From half of this time to all of it, so that clients do not come back at the same moment."""
    return seconds * (0.5 + _random.random() / 2)


class Verdict(Enum):
    """What a request is told that asks to be sent."""

    GO = "go"
    QUEUE = "wait for another thread's reply"
    STOPPED = "shall not be sent any more"
    GIVEN_UP = "would have to wait for too long"


class Turn:
    """One request's place in the queue, the same over all its tries: the oldest goes first."""

    __slots__ = ("generation", "kept_since", "number", "refused")

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.generation = -1
        self.kept_since: float | None = None
        self.refused = False


class Limiter:
    """Decide when a request may go on the wire. Shared by the threads of a session.

    As long as nothing was ever turned away it only counts. A request that is turned away halves the number allowed on
    the wire at once, to no less than one, and from there on doubles the seconds between two; what was sent before it
    is of the same congestion and does not halve again. No thread sends until the time that the service asked for, or
    a backoff of our own, is over. Then one request goes first, each that is let in brings one more up to the number
    allowed, and each further round one more beyond it, until nobody has to wait and nothing is limited.

    Parameters
    ----------
    retry : RetryPolicy
        The times.
    sleep, clock : callable
        What waits, and what tells the time.
    """

    def __init__(self, retry: RetryPolicy, *, sleep: Callable[[float], object], clock: Callable[[], float]) -> None:
        self._retry = retry
        self._sleep = sleep
        self._clock = clock
        self._after_fork()
        renew_in_children(self)

    def _after_fork(self) -> None:
        """Begin anew: those on the wire are the parent's."""
        self._changed = threading.Condition()
        self._on_wire: set[Turn] = set()
        self._waiting: set[Turn] = set()
        # From a refusal until nobody has to wait any more; all that follows means something only then.
        self._throttled = False
        self._allowed = 1.0
        self._opened = 1
        self._wanted = 0
        self._pace = 0.0
        self._refusals_in_a_row = 0
        # A reply tells about the present only if its request was sent after the last slowing down.
        self._generation = 0
        self._hold_until = self._asked_until = self._last_start = self._last_let_in = -math.inf

    def enter(self, turn: Turn) -> Verdict:
        """Wait until a request may be sent; never ``QUEUE``.

        Whatever comes of it, also an exception, ``leave`` must be called afterwards.
        """
        stop = NO_MORE_TRIES.get()
        while True:
            with self._changed:
                stopped = stop is not None and stop.is_set()
                if stopped and turn.refused:
                    return Verdict.STOPPED
                step = self.ask(turn)
                if step is Verdict.QUEUE:
                    if stopped:
                        return Verdict.STOPPED
                    self._changed.wait(_LOOK_SECONDS)
                    continue
            if isinstance(step, Verdict):
                return step
            if told_to_stop(step, self._sleep):
                return Verdict.STOPPED

    def ask(self, turn: Turn) -> Verdict | float:
        """Without waiting: what to do now, or the seconds after which to ask again."""
        with self._changed:
            now = self._clock()
            if self._throttled and not self._on_wire and not self._waiting:
                # What was so long ago says nothing about now.
                self._throttled = now < max(self._hold_until, self._last_start) + self._retry.max_retry_after
            if not self._throttled:
                return self._go(turn, now)
            self._waiting.add(turn)
            self._wanted = max(self._wanted, len(self._waiting) + len(self._on_wire))
            has_room = len(self._on_wire) + 1 <= min(self._opened, self._allowed)
            is_next = has_room and turn is min(self._waiting, key=lambda each: each.number)
            ready = max(self._hold_until, self._last_start + self._pace)
            if is_next and now >= ready:
                return self._go(turn, now)
            if self._in_vain(turn, now, ready):
                return Verdict.GIVEN_UP
            if now < self._hold_until:
                return self._hold_until - now
            return ready - now if is_next else Verdict.QUEUE

    def leave(self, turn: Turn) -> None:
        """Make room: the request is no longer on the wire, nor waiting to be."""
        with self._changed:
            self._on_wire.discard(turn)
            self._waiting.discard(turn)
            if self._waiting:
                self._changed.notify_all()

    def let_in(self, turn: Turn) -> None:
        """Hear that a request on the wire was not turned away."""
        with self._changed:
            now = self._clock()
            if not self._throttled:
                return
            self._last_let_in = now
            if turn.generation != self._generation or now < self._hold_until:
                return
            self._refusals_in_a_row = 0
            if self._pace:
                self._pace = self._pace * _PACE_KEPT if self._pace > _LEAST_PACE_SECONDS else 0.0
            elif self._opened < self._allowed:
                self._opened += 1
            else:
                self._allowed += 1 / self._allowed
            if self._allowed > self._wanted:
                logger.info("requests are let in again: nothing is limited")
                self._throttled = False
            self._changed.notify_all()

    def turned_away(self, turn: Turn, asked: float | None) -> bool:
        """Hear that a request on the wire was turned away; whether there is any wait before its next try.

        Parameters
        ----------
        turn : Turn
            The request's.
        asked : float or None
            The seconds of its ``Retry-After``; None if there is none.
        """
        retry = self._retry
        with self._changed:
            now = self._clock()
            turn.refused = True
            if turn.kept_since is None:
                turn.kept_since = now
            fresh = not self._throttled or turn.generation == self._generation
            if fresh:
                self._slow_down()
            if asked is None:
                ceiling = self._backoff()
                hold = jittered(ceiling) if fresh else 0.0
            else:
                asked = max(asked, retry.min_retry_after)
                ceiling = hold = min(asked, retry.max_retry_after)
                self._asked_until = max(self._asked_until, now + asked)
            if fresh or now + hold > self._hold_until:
                self._opened = 1
            self._hold_until = max(self._hold_until, now + hold)
            logger.info(
                "turned away: nothing is sent for %.1f s, then %d at once, %.2f s apart",
                max(0.0, self._hold_until - now), self._allowed, self._pace,
            )  # fmt: skip
            return ceiling > 0

    def _slow_down(self) -> None:
        if not self._throttled:
            self._throttled = True
            self._wanted = 0
            self._pace = 0.0
            self._refusals_in_a_row = 0
            self._allowed = max(1.0, len(self._on_wire) / 2)
        elif self._allowed > 1:
            self._allowed = max(1.0, self._allowed / 2)
        else:
            self._pace = min(self._retry.max_backoff, max(self._retry.backoff, 2 * self._pace))
        self._wanted = max(self._wanted, len(self._waiting) + len(self._on_wire))
        self._refusals_in_a_row += 1
        self._generation += 1

    def _backoff(self) -> float:
        doublings = min(max(self._refusals_in_a_row - 1, 0), _MOST_DOUBLINGS)
        return float(min(self._retry.max_backoff, self._retry.backoff * 2**doublings))

    def _go(self, turn: Turn, now: float) -> Verdict:
        self._waiting.discard(turn)
        self._on_wire.add(turn)
        turn.generation = self._generation
        self._last_start = now
        if self._waiting:
            # There may be room for the next one too.
            self._changed.notify_all()
        return Verdict.GO

    def _in_vain(self, turn: Turn, now: float, ready: float) -> bool:
        if turn.kept_since is None:
            turn.kept_since = now
        # To stand in a queue that moves is no reason to give up.
        since = turn.kept_since if turn.refused else max(turn.kept_since, self._last_let_in)
        ends = max(now, ready, self._asked_until if now < self._hold_until else now)
        return ends - since > self._retry.give_up_after


def told_to_stop(seconds: float, sleep: Callable[[float], object]) -> bool:
    """Wait, but no longer once told that there shall be no more tries; whether one was told so."""
    stop = NO_MORE_TRIES.get()
    if stop is None:
        sleep(seconds)
        return False
    return stop.wait(seconds)
