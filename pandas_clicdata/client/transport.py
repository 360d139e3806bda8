"""Send requests with time-outs and safe retries, and map the exceptions of other libraries to those of this package."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import logging
import os
import re
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin
from urllib.request import getproxies_environment

import requests
import urllib3
from requests.utils import get_auth_from_url, prepend_scheme_if_needed
from urllib3.util import parse_url

from pandas_clicdata._config import Address, parse_address
from pandas_clicdata._models import DEFAULT_TIMEOUT, MAX_REPLY_BYTES, Reply, Request, RetryPolicy, Secret, redacted
from pandas_clicdata._request_count import count_request, request_count
from pandas_clicdata._threads import reset_after_fork
from pandas_clicdata._version import __version__
from pandas_clicdata.client.connections import BrokenReply, ConnectionAdapter, ExchangeState, TooManyBytes, read_body
from pandas_clicdata.client.rate_limiter import Decision, RateLimiter, Ticket, jittered, sleep_unless_stopped
from pandas_clicdata.errors import (
    ClicDataError,
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    RateLimitError,
    RedirectError,
    ReplyTooLargeError,
    RequestLimitError,
    RequestTimeoutError,
    TransportError,
)

logger: logging.Logger = logging.getLogger(__name__)

MAX_IDLE_SECONDS = 1.0
_MAX_REDIRECTS = 3
_REPLY_TIMEOUT_FACTOR = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
_DELAY_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")
_MAX_DEPTH = 10
_MEASURED = 100
"""The number of requests whose duration is kept."""
_THIRD_PARTY_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    # Raised by requests for a redirect whose body is incomplete.
    RuntimeError,
)
_UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    UnicodeEncodeError,
)


# The message of requests for a path that does not exist, and the reasons of OpenSSL for a file without a certificate.
_MISSING_BUNDLE_MESSAGE = "Could not find a suitable TLS CA certificate bundle"
_INVALID_BUNDLE_REASONS = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "PEM_LIB"})


def _remove_frames(exc: BaseException) -> BaseException:
    """Remove the frames and objects in which a third-party library holds headers and bodies as plain text."""
    for each in _linked_exceptions(exc):
        each.__traceback__ = None
        if isinstance(each, requests.RequestException):
            each.request = None
            each.response = None
    return exc


def _to_clicdata_error(
    request: Request, exc: BaseException, secrets: tuple[Secret, ...], *, sent: bool = False
) -> ClicDataError:
    """Map an exception of requests, urllib3 or the system to an error of this package.

    Parameters
    ----------
    request : Request
        The request.
    exc : BaseException
        The exception.
    secrets : tuple of Secret
        What the error must not show.
    sent : bool, default False
        Whether a byte of the request may have left this machine. If so, no failure proves that nothing was done.

    Returns
    -------
    ClicDataError
        The error, not raised yet.
    """
    root = _root_cause(exc)
    # urllib3 puts the repr of the connection before the reason.
    text = str(root).rsplit(": ", 1)[-1] if isinstance(root, urllib3.exceptions.NewConnectionError) else str(root)
    reason = f"{type(root).__name__}: {text}".rstrip(": ")
    shown = redacted(reason, secrets)
    unsent = None if sent else _unsent(request, exc, root, shown)
    if isinstance(unsent, ConfigurationError) and not isinstance(root, ssl.SSLCertVerificationError):
        # Its cause is not shown, because that text may hold the address of a proxy or the value of a header.
        return unsent
    error: ClicDataError
    if unsent is not None:
        error = unsent
    elif isinstance(root, BrokenReply):
        error = ConnectionLostError(f"{request.line}: the reply is damaged or incomplete: {root}.", ambiguous=True)
    elif isinstance(exc, requests.Timeout) or isinstance(root, TimeoutError | urllib3.exceptions.TimeoutError):
        error = RequestTimeoutError(
            f"{request.line}: no complete reply came in time ({shown}). To wait longer, pass timeout= to cd.connect().",
            ambiguous=True,
        )
    else:
        error = ConnectionLostError(f"{request.line}: the connection was lost ({shown}).", ambiguous=True)
    # The exceptions may quote the reply, and the reply may quote a secret.
    if all(redacted(text, secrets) == text for text in map(str, _linked_exceptions(exc))):
        error.__cause__ = exc
    return error


def _unsent(request: Request, exc: BaseException, root: BaseException, shown: str) -> ClicDataError | None:
    """Return the error for a failure that proves that nothing was sent; None for any other failure."""
    if _blames_proxy(exc, root):
        return ConfigurationError(
            f"{request.line} cannot be sent: the address of the proxy is invalid or of an unsupported kind (socks5://"
            " needs: pip install pysocks). Check proxies=, or HTTPS_PROXY, HTTP_PROXY and ALL_PROXY in the environment."
            " An example: proxies={'https': 'http://proxy.example:8080'}."
        )
    if _MISSING_BUNDLE_MESSAGE in str(exc) or getattr(root, "reason", "") in _INVALID_BUNDLE_REASONS:
        return ConfigurationError(
            f"{request.line} cannot be sent: the CA bundle cannot be used ({shown}). Check verify=, or"
            " REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE in the environment."
        )
    if isinstance(exc, _UNSENDABLE):
        return ConfigurationError(
            f"{request.line} cannot be sent: {type(exc).__name__}. Check base_url= and the credentials."
        )
    if isinstance(root, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"{request.line}: the certificate of the service is not trusted ({shown}). Behind a proxy that inspects"
            " TLS, pass its CA bundle: verify='/path/to/bundle.pem'."
        )
    if isinstance(root, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError) or (
        # The message of http.client for a proxy that refuses the tunnel. A ProxyError of requests does not prove this,
        # because urllib3 also raises one for a reply that was lost behind the proxy.
        type(root) is OSError and str(root).startswith("Tunnel connection failed")
    ):
        return ConnectionFailedError(
            f"{request.line}: no connection could be made ({shown}). Check the network and base_url=."
        )
    return None


def _blames_proxy(exc: BaseException, root: BaseException) -> bool:
    if isinstance(exc, requests.exceptions.InvalidProxyURL) or isinstance(root, urllib3.exceptions.ProxySchemeUnknown):
        return True
    return isinstance(exc, requests.exceptions.InvalidSchema) and "SOCKS" in str(exc)


def _linked_exceptions(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it holds, was raised from, or was raised while handling."""
    seen: set[int] = set()
    queue: list[object] = [exc]
    while queue:
        each = queue.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            queue += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]


def _root_cause(exc: BaseException) -> BaseException:
    """Return the innermost exception, in the attributes in which requests and urllib3 wrap one."""
    for _ in range(_MAX_DEPTH):
        inner = getattr(exc, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in reversed(exc.args) if isinstance(arg, BaseException)), None)
        if inner is None:
            return exc
        exc = inner
    return exc


_CURRENT_SECRETS: ContextVar[tuple[Secret, ...]] = ContextVar("_CURRENT_SECRETS", default=())


class _RedactingFilter(logging.Filter):
    """Remove the secrets of the current request from the log records of urllib3."""

    def filter(self, record: logging.LogRecord) -> bool:
        secrets = _CURRENT_SECRETS.get()
        if secrets:
            record.msg, record.args = redacted(record.getMessage(), secrets), ()
        return True


for _name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("urllib3", "requests")]:
    logging.getLogger(_name).addFilter(_RedactingFilter())


class Pace(NamedTuple):
    """How fast requests can be sent.

    Attributes
    ----------
    read, change : float or None
        The median of the seconds of the last requests that change nothing, and of those that do; None without any.
    pause, at_a_time, interval : float
        The rate limit: the seconds until a request may be sent, how many may be in flight, and the seconds between two.
    """

    read: float | None
    change: float | None
    pause: float
    at_a_time: float
    interval: float


class Transport:
    """Send requests to one base URL. Any number of threads can share a transport.

    Parameters
    ----------
    base_url : str
        The address of the API.
    timeout : float or (float, float), default (10, 60)
        Seconds to wait for a connection, and for each part of a request or a reply. Sending a complete request may take
        ten times the latter, and so may a complete reply.
    retry : RetryPolicy, optional
        When a request is tried again.
    verify : bool or str, optional
        As in requests: the path of a CA bundle, or False. Default: from the environment.
    proxies : mapping of str to Secret, optional
        As in requests, but concealed, because an address may hold a password. Default: from the environment.
    trust_environment : bool, default True
        Whether to take proxies and a CA bundle from the environment.
    max_reply_bytes : int, default 536870912
        The maximum size of a reply in bytes.
    max_idle : float, default 1
        Seconds after which an open connection is not used again. The service may close it at that moment, and then a
        lost request cannot be distinguished from a lost reply.
    sleep : callable, default time.sleep
        Waits for a number of seconds.
    clock : callable, default time.monotonic
        Returns the time in seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float | tuple[float, float] = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, Secret] | None = None,
        trust_environment: bool = True,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        max_idle: float = MAX_IDLE_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url
        address = parse_address(base_url)
        self._origin = None if address is None else address.origin
        self.timeout: tuple[float, float] = _checked_timeout(timeout)
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise ConfigurationError(
                f"retry= must be a RetryPolicy, such as cd.RetryPolicy(attempts=3), not {retry!r}."
            )
        self.retry: RetryPolicy = retry or RetryPolicy()
        self._verify = _checked_verify(verify)
        self._proxies = dict(proxies or {})
        self._proxy_secrets: tuple[Secret, ...] = ()
        for scheme, proxy in self._proxies.items():
            known = _secrets_of_proxy(proxy) if isinstance(proxy.reveal(), str) else ()
            if not known:
                raise ConfigurationError(
                    f"The proxy for {scheme!r} is not a valid address. An example: 'http://proxy.example:8080'."
                )
            self._proxy_secrets += known
        self._trust_environment = trust_environment
        self._max_reply_bytes = max_reply_bytes
        self._max_idle = max_idle
        self._sleep = sleep
        self._clock = clock
        self._limiter = RateLimiter(self.retry, sleep=sleep, clock=clock)
        # The seconds of the last requests, by whether they change something.
        self._round_trips: dict[bool, deque[float]] = {each: deque(maxlen=_MEASURED) for each in (False, True)}
        self._local = threading.local()
        self._last_address: tuple[tuple[object, ...], Address] | None = None
        self._after_fork()
        reset_after_fork(self)

    def _after_fork(self) -> None:
        # The connections belong to the parent.
        self._open: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._open_lock = threading.Lock()
        self._unsolicited: set[int] = set()

    @property
    def doubted(self) -> frozenset[int]:
        """The numbers of the connections that received bytes which no request asked for."""
        return frozenset(self._unsolicited)

    def send(self, request: Request, headers: Mapping[str, Secret], secrets: tuple[Secret, ...] = ()) -> Reply:
        """Send a request, retry it if that is safe, and return its reply, of any status.

        After the service refuses a request of any thread with HTTP 429, the requests of all threads wait as long as it
        asks, and are slowed down. Once ``STOP_RETRIES`` is set, or the call has sent ``max_requests``, the request is
        not tried again.

        Parameters
        ----------
        request : Request
            The request.
        headers : mapping of str to Secret
            The credentials.
        secrets : tuple of Secret, optional
            What must not be shown if the reply is quoted.

        Returns
        -------
        Reply
            The last reply.

        Raises
        ------
        TransportError
            There is no complete reply; ``ambiguous`` says whether the request may have been carried out.
        RateLimitError
            The request was not sent, because the service has refused requests for longer than
            ``RetryPolicy.give_up_after``, or asks for a longer wait.
        RequestLimitError
            The request was not sent, because the call has sent ``max_requests``.
        ConfigurationError
            The request cannot be sent with these settings.
        """
        secrets = (*secrets, *request.secrets, *headers.values(), *self._proxy_secrets)
        ticket = Ticket()
        tries, counted, possibly_done = 0, 0, False
        last: Reply | TransportError | None = None
        while True:
            outcome = self._try(ticket, tries + 1, request, headers, secrets)
            if isinstance(outcome, Decision | RequestLimitError):
                break
            tries += 1
            if isinstance(outcome, TransportError):
                possibly_done |= outcome.ambiguous and request.method != "GET"
                outcome.attempts, outcome.operation, outcome.ambiguous = tries, request.operation, possibly_done
                logger.debug("%s: %s (attempt %d)", request.line, outcome, tries)
                again = request.repeatable or isinstance(outcome, ConnectionFailedError)
                again = again and not isinstance(outcome, RedirectError | ReplyTooLargeError)
                last, waits = outcome, False
            else:
                reply, waits = outcome
                last = replace(reply, attempts=tries, possibly_done=possibly_done)
                again = _is_worth_retry(request, reply)
                possibly_done |= request.method != "GET" and again and reply.status != _TOO_MANY_REQUESTS
            if not waits:
                counted += 1
            if not again or counted >= self.retry.attempts or self.retry.attempts == 1:
                break
            if request_count().left == 0:
                last = _not_tried_again(last)
                break
            # After a refusal, the rate limiter waits.
            limited = isinstance(last, Reply) and _is_rate_limited(last)
            if not limited and sleep_unless_stopped(
                self._wait_after(last, counted), self._sleep, "a request failed, trying again in"
            ):
                break
        if isinstance(last, Reply):
            return last
        try:
            raise last or _not_sent(request, outcome, self.retry)
        finally:
            # Breaks the reference cycle of the error and this frame, which would keep the body alive.
            del last, outcome

    def limited(self, seconds: float) -> Transport:
        """Return a transport with the same settings and shorter time-outs, which sends a request at most twice."""
        return Transport(
            self.base_url,
            timeout=(min(self.timeout[0], seconds), min(self.timeout[1], seconds)),
            retry=replace(
                self.retry,
                attempts=min(self.retry.attempts, 2),
                give_up_after=min(self.retry.give_up_after, seconds),
            ),
            verify=self._verify,
            proxies=self._proxies,
            trust_environment=self._trust_environment,
            max_reply_bytes=self._max_reply_bytes,
        )

    def pace(self) -> Pace:
        """Return how fast requests were answered lately, and the present rate limit."""
        read, change = (sorted(self._round_trips[changes]) for changes in (False, True))
        pause, at_a_time, interval = self._limiter.pace()
        return Pace(
            read[len(read) // 2] if read else None,
            change[len(change) // 2] if change else None,
            pause,
            at_a_time,
            interval,
        )

    def close(self) -> None:
        """Close all connections. The transport can be used again afterwards."""
        with self._open_lock:
            for session in self._open:
                session.close()

    def _try(
        self, ticket: Ticket, attempt: int, request: Request, headers: Mapping[str, Secret], secrets: tuple[Secret, ...]
    ) -> tuple[Reply, bool] | TransportError | RequestLimitError | Decision:
        """Send a request once, when the rate limiter allows it.

        Return the reply and whether the limiter waits after it, or the error, or the decision not to send.
        """
        try:
            decision = self._limiter.acquire(ticket)
            if decision is not Decision.SEND:
                return decision
            address, session = self._address(request), self._session()
            secrets = (*secrets, *self._local.secrets)
            started = self._clock()
            token = _CURRENT_SECRETS.set(secrets)
            try:
                reply = self._send_once(session, address, request, headers, secrets)
            finally:
                _CURRENT_SECRETS.reset(token)
            seconds = self._clock() - started
            logger.debug("%s: HTTP %d in %.3f s (attempt %d)", request.line, reply.status, seconds, attempt)
            if not request.once and reply.status < 400:
                self._round_trips[request.method != "GET"].append(seconds)
            if _is_rate_limited(reply):
                retry_after = retry_after_seconds(reply.headers.get("retry-after"), now=time.time())
                return reply, self._limiter.refused(ticket, retry_after)
            self._limiter.accepted(ticket)
        except (TransportError, RequestLimitError) as exc:
            return exc
        else:
            return reply, False
        finally:
            self._limiter.release(ticket)

    def _send_once(
        self,
        session: requests.Session,
        address: Address,
        request: Request,
        headers: Mapping[str, Secret],
        secrets: tuple[Secret, ...],
    ) -> Reply:
        url = address.url
        for _ in range(_MAX_REDIRECTS):
            reply = self._exchange(session, request, url, headers, secrets)
            if "location" not in reply.headers or reply.status not in _REDIRECTS:
                return reply
            target = _redirect_target(url, reply)
            if request.method != "GET" or target is None or target.origin != self._origin:
                host = "an invalid address" if target is None else target.origin[1]
                raise RedirectError(
                    f"The reply to {request.line} is a redirect to {redacted(host, secrets)}, which is not followed,"
                    " because credentials are sent only to base_url. Check that base_url= is correct.",
                    # Some services carry out the request and then redirect to a page that shows the result.
                    ambiguous=True,
                )
            url = target.url
        raise RedirectError(
            f"{request.line} was redirected more than {_MAX_REDIRECTS} times. Check that base_url= is correct."
        )

    def _address(self, request: Request) -> Address:
        """Return the address of a request, which is often that of the last one."""
        target, last = (request.path, request.params), self._last_address
        if last is None or last[0] != target:
            address = parse_address(self.base_url + request.path, request.params)
            if address is None or address.origin != self._origin:
                raise ConfigurationError(
                    f"{request.line} cannot be sent: its path and query do not form a valid address."
                )
            last = self._last_address = (target, address)
        return last[1]

    def _exchange(
        self,
        session: requests.Session,
        request: Request,
        url: Secret,
        headers: Mapping[str, Secret],
        secrets: tuple[Secret, ...],
    ) -> Reply:
        count_request(request.line, once=request.once)
        state = self._local.state
        # If the reply to the last insert on this connection came twice, it would pass for the reply to this insert.
        if request.fresh_connection or 0 < request.counted_rows == self._local.counted_rows:
            session.close()
        self._local.counted_rows = request.counted_rows or self._local.counted_rows
        state.begin()
        error: ClicDataError
        response: requests.Response | None = None
        try:
            response = session.send(
                _prepared(session, request, url, headers),
                timeout=self.timeout,
                allow_redirects=False,
                **self._local.settings,
            )
            body = read_body(response.raw, self._max_reply_bytes)
            state.end()
            if state.cut_short and response.status_code < 400:
                raise BrokenReply("it came before the complete request was sent")  # noqa: TRY301
            return Reply(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=body,
                secrets=secrets,
                framed=state.framed,
                connection=state.connection,
            )
        except TooManyBytes:
            error = ReplyTooLargeError(
                f"The reply to {request.line} is larger than {self._max_reply_bytes:,} bytes, so it was not read"
                " completely. To allow larger replies, pass max_reply_bytes= to cd.connect() or cd.Session().",
                ambiguous=True,
            )
        except _THIRD_PARTY_ERRORS as exc:
            error = _to_clicdata_error(request, _remove_frames(exc), secrets, sent=state.sending)
        except BaseException as exc:  # noqa: BLE001
            # Ctrl-C during the exchange: the frames below hold the headers as plain text.
            self._discard(session, response)
            raise _remove_frames(exc)  # noqa: B904
        finally:
            self._local.last_used = self._clock()
        self._discard(session, response)
        # Raised here, so that the third-party exception, whose text may hold a header, is not its context.
        raise error

    @staticmethod
    def _discard(session: requests.Session, response: requests.Response | None) -> None:
        """Close the connection of a failed exchange, because it may still hold bytes of the reply."""
        if response is not None:
            response.close()
        session.close()

    def _session(self) -> requests.Session:
        """Return the session of this thread, with a new connection after a fork or an idle time."""
        local = self._local
        session: requests.Session | None = getattr(local, "session", None)
        if session is not None and local.pid == os.getpid():
            if self._clock() - local.last_used >= self._max_idle:
                session.close()
                self._read_environment(session)
            return session
        session = _Session()
        state = ExchangeState(self._unsolicited)
        session.headers["User-Agent"] = f"pandas-clicdata/{__version__} {session.headers['User-Agent']!s}"
        session.headers["Accept"] = "application/json"
        session.headers["Accept-Encoding"] = "gzip"
        # A cache could answer with old rows or with another page.
        session.headers["Cache-Control"] = "no-cache, no-store"
        session.headers["Pragma"] = "no-cache"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            part_seconds = self.timeout[1]
            session.mount(scheme, ConnectionAdapter(state, part_seconds * _REPLY_TIMEOUT_FACTOR, part_seconds))
        local.session, local.pid, local.last_used = session, os.getpid(), self._clock()
        local.state, local.counted_rows = state, 0
        self._read_environment(session)
        with self._open_lock:
            self._open.add(session)
        return session

    def _read_environment(self, session: requests.Session) -> None:
        """Read proxies and the CA bundle for the connections until the next idle time; for each request, it is slow."""
        session.trust_env = self._trust_environment
        try:
            self._local.settings = session.merge_environment_settings(
                self.base_url,
                {scheme: proxy.reveal() for scheme, proxy in self._proxies.items()},
                # The body is read in _exchange, where its size is bounded.
                stream=True,
                verify=self._verify,
                cert=None,
            )
        except BaseException as exc:  # noqa: BLE001
            # The frames below hold the proxies as plain text.
            raise _remove_frames(exc)  # noqa: B904
        self._local.secrets = _secrets_of_environment() if self._trust_environment else ()

    def _wait_after(self, last: Reply | TransportError, counted: int) -> float:
        """Return the seconds to wait after a failure."""
        requested = None
        if isinstance(last, Reply):
            requested = retry_after_seconds(last.headers.get("retry-after"), now=time.time())
        if requested is not None:
            return min(max(requested, self.retry.min_retry_after), self.retry.max_retry_after)
        longest: float = min(self.retry.max_backoff, self.retry.backoff * 2 ** (counted - 1))
        return jittered(longest)


if TYPE_CHECKING:
    _RequestsSession = requests.Session
else:
    # Packages such as requests_cache replace requests.Session by a class that answers from a cache and stores requests
    # with their credentials. This finds the class of requests.
    _RequestsSession = next(
        each
        for each in requests.sessions.SessionRedirectMixin.__subclasses__()
        if (each.__module__, each.__qualname__) == ("requests.sessions", "Session")
    )


class _Session(_RequestsSession):
    """A session of requests that does not look for redirects, because it would read their body without a size limit."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def _prepared(
    session: requests.Session, request: Request, url: Secret, headers: Mapping[str, Secret]
) -> requests.PreparedRequest:
    """Prepare a request without what a session adds: the query, cookies and ``.netrc``, which would take longer."""
    prepared = requests.PreparedRequest()
    prepared.prepare_method(request.method)
    prepared.url = url.reveal()
    prepared.prepare_headers(session.headers)
    if request.body is not None:
        prepared.headers["Content-Type"] = request.content_type
    prepared.prepare_body(request.body or {}, None)
    for name, value in headers.items():
        # requests does not check headers that are added here. The error must not show the value.
        if value.reveal().strip() != value.reveal() or not {"\r", "\n"}.isdisjoint(value.reveal()):
            raise requests.exceptions.InvalidHeader(name)
        prepared.headers[name] = value.reveal()
    return prepared


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Read a ``Retry-After`` header.

    Parameters
    ----------
    value : str or None
        The header: a number of seconds, or a date.
    now : float
        The current time, in seconds since the epoch.

    Returns
    -------
    float or None
        The seconds from now, negative for a date in the past. None if the header is missing or invalid.

    Examples
    --------
    >>> retry_after_seconds("7", now=0)
    7.0
    >>> retry_after_seconds("Thu, 01 Jan 1970 00:01:00 GMT", now=45)
    15.0
    >>> retry_after_seconds("soon", now=0) is None
    True
    """
    if value is None:
        return None
    if _DELAY_SECONDS.fullmatch(value.strip()):
        return float(value.strip())
    try:
        date = email.utils.parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _is_rate_limited(reply: Reply) -> bool:
    """Return whether the service asks for fewer requests, so that the requests of all threads wait."""
    return reply.status == _TOO_MANY_REQUESTS or (reply.status == 503 and "retry-after" in reply.headers)


def _is_worth_retry(request: Request, reply: Reply) -> bool:
    # A 503, even with Retry-After, may come from a gateway after the service has carried out the request.
    return reply.status == _TOO_MANY_REQUESTS or (request.repeatable and reply.status in {500, 502, 503, 504})


def _not_tried_again(last: Reply | TransportError) -> Reply | TransportError:
    """Note in a reply or an error that the limit of the call does not allow another try."""
    note = f"It was not tried again, because this call has sent max_requests={request_count().limit}."
    if isinstance(last, Reply):
        return replace(last, note=note)
    last.add_note(note)
    return last


def _not_sent(request: Request, decision: object, retry: RetryPolicy) -> ClicDataError:
    if isinstance(decision, RequestLimitError):
        return decision
    if decision is Decision.STOPPED:
        return TransportError(
            f"{request.line} was not sent: the operation was stopped while the request waited for the rate limit.",
            operation=request.operation,
            attempts=0,
        )
    return RateLimitError(
        f"{request.line} was not sent: ClicData has refused requests of this session because there are too many, for"
        f" longer than RetryPolicy(give_up_after={retry.give_up_after:g}) seconds, or asks for a longer wait. Try again"
        " later, use fewer workers=, or increase give_up_after=.",
        operation=request.operation,
        attempts=0,
    )


def _checked_timeout(timeout: float | tuple[float, float]) -> tuple[float, float]:
    both = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    numbers = [seconds for seconds in both if isinstance(seconds, int | float) and not isinstance(seconds, bool)]
    if len(both) != 2 or len(numbers) != 2 or not all(0 < seconds < float("inf") for seconds in numbers):
        raise ConfigurationError(
            f"timeout={timeout!r} is not valid. Give a number of seconds above 0, or a pair (seconds to connect,"
            " seconds to reply), such as timeout=(10, 60)."
        )
    return float(numbers[0]), float(numbers[1])


def _checked_verify(verify: bool | str | None) -> bool | str | None:
    if verify is None or isinstance(verify, bool):
        return verify
    if not isinstance(verify, str | os.PathLike):
        raise ConfigurationError(f"verify= must be the path of a CA bundle, True or False, not {verify!r}.")
    path = os.fspath(verify)
    if Path(path).is_dir():
        return path
    if Path(path).exists() and not Path(path).is_file():
        # OpenSSL would wait for ever for the content of a named pipe.
        raise ConfigurationError(f"verify={path!r} cannot be read as a CA bundle: it is not a regular file.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as exc:
        raise ConfigurationError(f"verify={path!r} cannot be read as a CA bundle: {exc.strerror or exc}.") from exc
    return path


def _redirect_target(url: Secret, reply: Reply) -> Address | None:
    """Return the address in a redirect; None if it is invalid."""
    try:
        return parse_address(urljoin(url.reveal(), reply.headers["location"]))
    except ValueError:
        return None


def _secrets_of_environment() -> tuple[Secret, ...]:
    """Return what must not be shown of the proxies in the environment."""
    return tuple(each for proxy in getproxies_environment().values() for each in _secrets_of_proxy(Secret(proxy)))


def _secrets_of_proxy(proxy: Secret) -> tuple[Secret, ...]:
    """Return what must not be shown of the address of a proxy, parsed as in requests; nothing if it is invalid."""
    # requests raises a TypeError for an address without a host.
    with contextlib.suppress(ValueError, TypeError):
        address = prepend_scheme_if_needed(proxy.reveal(), "http")  # type: ignore[no-untyped-call]
        parts = parse_url(address)
        if parts.host and parts.port != 0:
            username, password = get_auth_from_url(address)
            both = f"{username}:{password}" if password else ""
            return proxy, Secret(password), Secret(both), Secret(unquote(parts.auth or ""))
    return ()
