"""One token for many threads: renewed by one of them, and not at all where that has just failed."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pandas_clicdata.auth.replies import Issued
from pandas_clicdata.config import Settings
from pandas_clicdata.errors import ClicDataError, TransportError
from pandas_clicdata.models import Reply, Request, Secret
from pandas_clicdata.threads import renew_in_children

if TYPE_CHECKING:
    from pandas_clicdata.transport import Transport

logger = logging.getLogger(__name__)

_RENEW_AHEAD_SECONDS = 60.0
_RENEW_AHEAD_SHARE = 0.1
# The threads of one write hear of a failure one after the other.
_SAME_FAILURE_SECONDS = 0.25

Send = Callable[[Request], Reply]


class Grant(Protocol):
    """How an OAuth flow comes by a token."""

    @property
    def settings(self) -> Settings: ...

    def secrets(self) -> tuple[Secret, ...]:
        """Return all that must not be shown."""

    def identity(self) -> str:
        """Return what tells this account from others of the same client id, without secrets."""

    def ask(self, send: Send, instead_of: Secret | None) -> Issued:
        """Return a token other than this one, asking for it if need be."""


@dataclass(frozen=True)
class Token:
    """An access token and when, on the clock, it should no longer be used."""

    value: Secret
    renew_at: float


@dataclass(frozen=True)
class _Failure:
    """A renewal that failed, and when."""

    error: ClicDataError
    at: float


class _Handed(dict[str, Secret]):
    """Headers that know since when they are in use."""

    def __init__(self, token: Token, since: float) -> None:
        super().__init__(_bearer(token))
        self.since = since


@dataclass(eq=False)
class Bearer:
    """A token in every request.

    A renewal that failed is the answer to every thread that has used or awaited that token since before, so that many
    threads together make one failing request, not one each. Whoever comes later tries anew.

    Parameters
    ----------
    grant : Grant
        How a token is asked for.
    transport : Transport
        Where it is asked for.
    clock : callable
        What tells the time, in seconds.
    """

    grant: Grant
    transport: Transport
    clock: Callable[[], float] = time.monotonic
    _token: Token | None = field(default=None, init=False)
    _failure: _Failure | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        renew_in_children(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, Secret]:
        token, since = self._token, self.clock()
        if token is None or since >= token.renew_at:
            token = self._renewed(token, since)
        return _Handed(token, since)

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        token = self._token
        if token is not None and _bearer(token) == refused:
            self._renewed(token, refused.since if isinstance(refused, _Handed) else self.clock())
        return True

    def secrets(self) -> tuple[Secret, ...]:
        token = self._token
        held = (token.value,) if token is not None else ()
        return (*held, *self.grant.secrets())

    def identity(self) -> str:
        return self.grant.identity()

    def _renewed(self, instead_of: Token | None, since: float) -> Token:
        with self._lock:
            # Whoever waited here finds that the thread before has done it.
            if self._token is not None and self._token is not instead_of:
                return self._token
            if self._failure is not None and since <= self._failure.at + _SAME_FAILURE_SECONDS:
                raise copy.copy(self._failure.error)
            try:
                self._token = self._ask(instead_of)
            except ClicDataError as exc:
                # A copy, for the one that is raised has frames, and changes on its way.
                self._failure = _Failure(copy.copy(exc), self.clock())
                raise
            self._failure = None
            return self._token

    def _ask(self, instead_of: Token | None) -> Token:
        asked_at = self.clock()
        try:
            issued = self.grant.ask(self._send, None if instead_of is None else instead_of.value)
        except TransportError as exc:
            # What the token was wanted for has not been sent, or was refused.
            exc.ambiguous = False
            raise
        logger.debug("a token, good for %.0f s", issued.life)
        ahead = min(_RENEW_AHEAD_SECONDS, issued.life * _RENEW_AHEAD_SHARE)
        return Token(issued.access_token, asked_at + issued.life - ahead)

    def _send(self, request: Request) -> Reply:
        return self.transport.send(request, {}, self.secrets())


def _bearer(token: Token) -> Mapping[str, Secret]:
    return {"Authorization": Secret(f"Bearer {token.value.reveal()}")}
