"""Requests and replies as the rooms hand them to each other, and the texts that must not be shown."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, Self, TypeVar
from urllib.parse import quote, quote_plus

T = TypeVar("T")

DEFAULT_TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for each part of a reply; a whole reply may take ten times as long."""

NO_MORE_TRIES: ContextVar[threading.Event | None] = ContextVar("NO_MORE_TRIES", default=None)
"""Where a thread is told that its requests shall not be tried again, nor wait to be."""


class Secret:
    """A text that shows itself nowhere: not in a repr, an f-string, a traceback's locals, or a pickle.

    Examples
    --------
    >>> Secret("hunter2")
    Secret('***')
    >>> f"{Secret('hunter2')}"
    '***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """Wrap a text; None stays None, and a Secret itself."""
        return value if value is None or isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (each._value.encode("utf-8", "surrogatepass") for each in (self, other))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled; give the credentials again where they are needed.")


_MEANS_SECRET = re.compile("(?i)password|passwd|secret|token|api[_-]?key")


def means_secret(name: str) -> bool:
    """Whether what stands under this name is not to be shown.

    Examples
    --------
    >>> means_secret("newPassword"), means_secret("name")
    (True, False)
    """
    return _MEANS_SECRET.search(name) is not None


def secrets_in(value: Any) -> Iterator[Secret]:
    """All secrets of a body."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secrets_in(inner)


_TOKEN_LIKE = re.compile(
    r"""(?ix)
    ( ["']?(?:access_token|refresh_token|client_secret|api[_-]?key|password|authorization)["']?\s*[:=]\s*["']? )
    [^"'&\s,}]+
    | \b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]+ """
)
_EXCERPT_CHARACTERS = 300
_LEAST_SECRET_CHARACTERS = 4


def _forms(secret: Secret) -> Iterator[str]:
    """The ways in which a reply may quote a secret: as it is, in a form, in JSON, in base64."""
    value = secret.reveal()
    # Of a header, "Bearer abc", also the "abc" alone.
    for text in (value, value.rpartition(" ")[2]):
        if len(text) >= _LEAST_SECRET_CHARACTERS:
            yield from (text, quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
            yield from (html.escape(text), repr(text)[1:-1])
            yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
            yield base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the API, without credentials.

    ``repeatable`` says that sending it twice leaves the service as sending it once does; ``secrets`` are what of its
    body must not be shown.
    """

    operation: str
    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    repeatable: bool = False
    rows: int = 0
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def line(self) -> str:
        """The request line, for logs and errors."""
        query = "&".join(f"{key}={'***' if means_secret(key) else value}" for key, value in self.params)
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One whole HTTP reply, of any status; header names in lower case.

    ``perhaps_done`` says that a try before this one, whose reply was lost or a failure, may have done the work.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    attempts: int = 1
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    perhaps_done: bool = False

    def redact(self, text: str) -> str:
        """Blank out every credential in use, and whatever looks like one."""
        for form in sorted({form for secret in self.secrets for form in _forms(secret)}, key=len, reverse=True):
            text = text.replace(form, "***")
        return _TOKEN_LIKE.sub(lambda match: f"{match[1] or match[2] + ' '}***", text)

    def excerpt(self) -> str:
        """The body's beginning, redacted, on one line."""
        text = " ".join(self.redact(self.body.decode("utf-8", "replace")).split())
        return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + " …"


@dataclass(frozen=True)
class Exchange(Generic[T]):
    """A request with the function that reads its reply."""

    request: Request
    read: Callable[[Reply], T] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When and how long to wait before a request is sent again.

    Only requests that can be repeated without harm, or that provably did nothing, are ever sent again.

    Parameters
    ----------
    attempts : int, default 5
        Tries in all, the first one included; with 1 nothing is ever sent again. To be turned away because there are
        too many requests (429, or 503 with ``Retry-After``) is no failure and uses none up, for then it is waited:
        ``give_up_after`` bounds that. (Only where these times are set so that there is no wait at all, it does.)
    backoff, max_backoff : float, default 0.5 and 30
        Seconds before the second try, doubled for each further one up to the maximum, with jitter.
    min_retry_after, max_retry_after : float, default 0.1 and 120
        Floor and cap, in seconds, of a ``Retry-After`` that the service asks for (A). Of one beyond the cap it is
        tried again after the cap.
    give_up_after : float, default 600
        Seconds after which a request that is turned away again and again fails with ``RateLimitError`` (or
        ``ServerError`` for 503), counted from when it was first turned away or kept waiting because others were. If
        the service asks for a wait beyond that, it fails at once. ``math.inf`` waits as long as it takes.

    Notes
    -----
    All threads of a session share the wait. While the service has asked for one, none of them sends; afterwards one
    request goes first, and the others follow as they are let in, half as many at once as before (once it is one, with
    a pause between two), and step by step more until none has to wait. So many workers and a strict service come to
    the pace that the service admits, and no rows are lost or sent twice: what was turned away did nothing. As long as
    nothing was turned away, nothing is slowed.

    Examples
    --------
    >>> RetryPolicy(attempts=2).attempts
    2
    """

    attempts: int = 5
    backoff: float = 0.5
    max_backoff: float = 30.0
    min_retry_after: float = 0.1
    max_retry_after: float = 120.0
    give_up_after: float = 600.0

    def __post_init__(self) -> None:
        times = (self.backoff, self.max_backoff, self.min_retry_after, self.max_retry_after, self.give_up_after)
        if self.attempts < 1 or not all(seconds >= 0 for seconds in times):
            raise ValueError(f"A retry policy needs at least one attempt and no negative times, not {self}.")
