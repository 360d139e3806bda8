"""Requests behind one seam: time-outs, safe retries, and exceptions of other libraries mapped to ours."""

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
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import unquote, urljoin
from urllib.request import getproxies_environment

import requests
import urllib3
from requests.auth import AuthBase
from requests.utils import get_auth_from_url, prepend_scheme_if_needed
from urllib3.util import parse_url

from pandas_clicdata._config import Address, address_of
from pandas_clicdata._models import DEFAULT_TIMEOUT, MAX_REPLY_BYTES, Reply, Request, RetryPolicy, Secret, redacted
from pandas_clicdata._threads import renew_in_children
from pandas_clicdata._version import __version__
from pandas_clicdata.client.connections import BrokenReply, ConnectionAdapter, TooManyBytes, Wire, read_body
from pandas_clicdata.client.rate_limiter import Limiter, Turn, Verdict, jittered, told_to_stop
from pandas_clicdata.errors import (
    ClicDataError,
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    RateLimitError,
    RedirectError,
    ReplyTooLargeError,
    RequestTimeoutError,
    TransportError,
)

_MAX_WRAPPINGS = 10
THIRD_PARTY = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    # requests, of a redirect whose body broke off.
    RuntimeError,
)
_UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    UnicodeEncodeError,
)


# What requests says of a path that is none, and OpenSSL of a file that holds no certificate.
_BUNDLE_IS_MISSING = "Could not find a suitable TLS CA certificate bundle"
_BUNDLE_IS_NONE = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "PEM_LIB"})


def without_frames(exc: BaseException) -> BaseException:
    """Drop the frames and objects in which a third-party library holds headers and bodies as plain text."""
    for link in _links(exc):
        link.__traceback__ = None
        if isinstance(link, requests.RequestException):
            link.request = None
            link.response = None
    return exc


def translated(
    request: Request, exc: BaseException, secrets: tuple[Secret, ...], *, sent: bool = False
) -> ClicDataError:
    """Translate what requests, urllib3 or the system raised.

    Parameters
    ----------
    request : Request
        What was to be sent.
    exc : BaseException
        What was raised.
    secrets : tuple of Secret
        What the error must not show.
    sent : bool, default False
        Whether a byte of the request may have left this machine. If so, no failure shows that nothing was done.
    """
    root = _root_of(exc)
    # urllib3 puts the connection object's repr before the reason.
    text = str(root).rsplit(": ", 1)[-1] if isinstance(root, urllib3.exceptions.NewConnectionError) else str(root)
    reason = f"{type(root).__name__}: {text}".rstrip(": ")
    shown = redacted(reason, secrets)
    unsent = None if sent else _unsent(request, exc, root, shown)
    if isinstance(unsent, ConfigurationError) and not isinstance(root, ssl.SSLCertVerificationError):
        # The text of these may hold the address of a proxy or the value of a header, so they are no cause either.
        return unsent
    fault: ClicDataError
    if unsent is not None:
        fault = unsent
    elif isinstance(root, BrokenReply):
        fault = ConnectionLostError(f"{request.line}: the reply cannot be trusted: {root}.", ambiguous=True)
    elif isinstance(exc, requests.Timeout) or isinstance(root, TimeoutError | urllib3.exceptions.TimeoutError):
        fault = RequestTimeoutError(f"{request.line}: no reply came in time ({shown}).", ambiguous=True)
    else:
        fault = ConnectionLostError(f"{request.line}: the connection was lost ({shown}).", ambiguous=True)
    # Any of them may quote what came, and what came may quote a secret.
    if all(redacted(text, secrets) == text for text in map(str, _links(exc))):
        fault.__cause__ = exc
    return fault


def _unsent(request: Request, exc: BaseException, root: BaseException, shown: str) -> ClicDataError | None:
    """The error for one of the few failures that prove that nothing was sent; None for any other."""
    if _blames_the_proxy(exc, root):
        return ConfigurationError(
            f"{request.line} cannot be sent: the address of the proxy is none, or of a kind that cannot be used"
            " (socks5:// needs: pip install pysocks). Look at proxies=, or HTTPS_PROXY, HTTP_PROXY and ALL_PROXY in the"
            " environment; an address is such as 'http://proxy.example:8080'."
        )
    if _BUNDLE_IS_MISSING in str(exc) or getattr(root, "reason", "") in _BUNDLE_IS_NONE:
        return ConfigurationError(
            f"{request.line} cannot be sent: the CA bundle cannot be used ({shown}). It is named by verify=, or by"
            " REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment."
        )
    if isinstance(exc, _UNSENDABLE):
        return ConfigurationError(f"{request.line} cannot be sent: {type(exc).__name__}. Are the settings right?")
    if isinstance(root, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"{request.line}: the service's certificate is not trusted ({shown}). Behind a proxy that opens TLS,"
            " give its CA bundle: verify='/path/to/bundle.pem'."
        )
    if isinstance(root, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError) or (
        # http.client's words for a proxy that refuses to open the way. That requests speaks of a ProxyError is no sign
        # of it: urllib3 also calls so a reply lost behind the proxy.
        type(root) is OSError and str(root).startswith("Tunnel connection failed")
    ):
        return ConnectionFailedError(f"{request.line}: no connection could be made ({shown}).")
    return None


def _blames_the_proxy(exc: BaseException, root: BaseException) -> bool:
    if isinstance(exc, requests.exceptions.InvalidProxyURL) or isinstance(root, urllib3.exceptions.ProxySchemeUnknown):
        return True
    return isinstance(exc, requests.exceptions.InvalidSchema) and "SOCKS" in str(exc)


def _links(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all that it holds, was raised from, or was raised while handling."""
    seen: set[int] = set()
    queue: list[object] = [exc]
    while queue:
        link = queue.pop()
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            queue += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]


def _root_of(exc: BaseException) -> BaseException:
    """The innermost exception, by the ways in which requests and urllib3 wrap one."""
    for _ in range(_MAX_WRAPPINGS):
        inner = getattr(exc, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in reversed(exc.args) if isinstance(arg, BaseException)), None)
        if inner is None:
            return exc
        exc = inner
    return exc


logger = logging.getLogger(__name__)

MAX_IDLE_SECONDS = 1.0
_MAX_REDIRECTS = 3
_PARTS_OF_A_REPLY = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
_DELAY_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")


_SENDING: ContextVar[tuple[Secret, ...]] = ContextVar("_SENDING", default=())


class _WithoutSecrets(logging.Filter):
    """Take the secrets of the request that is being sent out of what urllib3 logs of it, such as its path."""

    def filter(self, record: logging.LogRecord) -> bool:
        secrets = _SENDING.get()
        if secrets:
            record.msg, record.args = redacted(record.getMessage(), secrets), ()
        return True


for _name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("urllib3", "requests")]:
    logging.getLogger(_name).addFilter(_WithoutSecrets())


class Transport:
    """Send requests to one base URL, from any number of threads.

    Parameters
    ----------
    base_url : str
        Where the API is.
    timeout : float or (float, float)
        Seconds to wait for a connection, and for each part of a reply. A whole reply may take ten times the latter.
    retry : RetryPolicy
        When to try again.
    verify : bool or str, optional
        As in requests: a CA bundle's path, or False. Default: as the environment says.
    proxies : mapping of str to Secret, optional
        As in requests, but hidden: an address may hold a password. Default: as the environment says.
    trust_environment : bool, default True
        Whether proxies and a CA bundle may come from the environment.
    max_reply_bytes : int
        How large a reply may be.
    max_idle : float, default 1
        Seconds after which a kept connection is not used again: the service may be closing it just then, and a
        request lost that way cannot be told from one whose reply was lost.
    sleep, clock : callable
        What waits, and what tells the time.
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
        address = address_of(base_url)
        self._origin = None if address is None else address.origin
        self.timeout = _checked_timeout(timeout)
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise ConfigurationError(f"retry= is a RetryPolicy, such as RetryPolicy(attempts=3), not {retry!r}.")
        self.retry = retry or RetryPolicy()
        self._verify = _checked_verify(verify)
        self._proxies = dict(proxies or {})
        self._proxy_secrets: tuple[Secret, ...] = ()
        for scheme, proxy in self._proxies.items():
            known = _secrets_of_proxy(proxy) if isinstance(proxy.reveal(), str) else ()
            if not known:
                raise ConfigurationError(f"The proxy for {scheme!r} is no address such as 'http://proxy.example:8080'.")
            self._proxy_secrets += known
        self._trust_environment = trust_environment
        self._max_reply_bytes = max_reply_bytes
        self._max_idle = max_idle
        self._sleep = sleep
        self._clock = clock
        self._limiter = Limiter(self.retry, sleep=sleep, clock=clock)
        self._local = threading.local()
        self._after_fork()
        renew_in_children(self)

    def _after_fork(self) -> None:
        # The connections are the parent's.
        self._open: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._open_lock = threading.Lock()
        self._doubted: set[int] = set()

    @property
    def doubted(self) -> frozenset[int]:
        """The connections on which bytes came that no request asked for, by the numbers that replies have."""
        return frozenset(self._doubted)

    def send(self, request: Request, headers: Mapping[str, Secret], secrets: tuple[Secret, ...] = ()) -> Reply:
        """Send a request, again if that is safe, and return its reply of whatever status.

        Once a request of any thread is turned away, those of all threads wait as the service asks, and are slowed.
        Where ``NO_MORE_TRIES`` is set meanwhile, the try that was the last is what this comes to.

        Parameters
        ----------
        request : Request
            What to send.
        headers : mapping of str to Secret
            The credentials.
        secrets : tuple of Secret
            What must not be shown should the reply be quoted.

        Raises
        ------
        TransportError
            No whole reply; ``ambiguous`` says whether the request may have been carried out.
        RateLimitError
            It was never sent, for the service turned the requests before it away for longer than
            ``RetryPolicy.give_up_after``, or asks to wait so long.
        """
        secrets = (*secrets, *request.secrets, *headers.values(), *self._proxy_secrets)
        if self._trust_environment:
            secrets += _secrets_of_environment()
        turn = Turn()
        tries, counted, perhaps_done = 0, 0, False
        last: Reply | TransportError | None = None
        while True:
            outcome = self._tried(turn, tries + 1, request, headers, secrets)
            if isinstance(outcome, Verdict):
                break
            tries += 1
            if isinstance(outcome, TransportError):
                perhaps_done |= outcome.ambiguous and request.method != "GET"
                outcome.attempts, outcome.operation, outcome.ambiguous = tries, request.operation, perhaps_done
                logger.debug("%s: %s (attempt %d)", request.line, outcome, tries)
                again = request.repeatable or isinstance(outcome, ConnectionFailedError)
                again = again and not isinstance(outcome, RedirectError | ReplyTooLargeError)
                last, waited_for = outcome, False
            else:
                reply, waited_for = outcome
                last = replace(reply, attempts=tries, secrets=secrets, perhaps_done=perhaps_done)
                again = _worth_another_try(request, reply)
                perhaps_done |= request.method != "GET" and again and reply.status != _TOO_MANY_REQUESTS
            if not waited_for:
                counted += 1
            if not again or counted >= self.retry.attempts or self.retry.attempts == 1:
                break
            turned_away = isinstance(last, Reply) and _is_overloaded(last)
            if not turned_away and told_to_stop(self._wait_after(last, counted), self._sleep):
                break
        if isinstance(last, Reply):
            return last
        try:
            raise last or _never_sent(request, outcome, self.retry)
        finally:
            # Else the error and this frame would keep each other, and the body, alive.
            del last, outcome

    def close(self) -> None:
        """Close every connection; the transport can be used again afterwards."""
        with self._open_lock:
            for session in self._open:
                session.close()

    def _tried(
        self, turn: Turn, attempt: int, request: Request, headers: Mapping[str, Secret], secrets: tuple[Secret, ...]
    ) -> tuple[Reply, bool] | TransportError | Verdict:
        """Send once, when it is its turn: the reply and whether the limiter waits after it, or what came instead."""
        try:
            verdict = self._limiter.enter(turn)
            if verdict is not Verdict.GO:
                return verdict
            started = self._clock()
            token = _SENDING.set(secrets)
            try:
                reply = self._send_once(request, headers, secrets)
            finally:
                _SENDING.reset(token)
            took = self._clock() - started
            logger.debug("%s: HTTP %d in %.3f s (attempt %d)", request.line, reply.status, took, attempt)
            if _is_overloaded(reply):
                asked = retry_after_seconds(reply.headers.get("retry-after"), now=time.time())
                return reply, self._limiter.turned_away(turn, asked)
            self._limiter.let_in(turn)
        except TransportError as exc:
            return exc
        else:
            return reply, False
        finally:
            self._limiter.leave(turn)

    def _send_once(self, request: Request, headers: Mapping[str, Secret], secrets: tuple[Secret, ...]) -> Reply:
        address = address_of(self.base_url + request.path, request.params)
        if address is None or address.origin != self._origin:
            raise ConfigurationError(f"{request.line} cannot be sent: that path does not make a valid address.")
        for _ in range(_MAX_REDIRECTS):
            reply = self._exchange(request, address.url, headers, secrets)
            if "location" not in reply.headers or reply.status not in _REDIRECTS:
                return reply
            address = _redirected(address.url, reply)
            if request.method != "GET" or address is None or address.origin != self._origin:
                host = "nowhere" if address is None else address.origin[1]
                raise RedirectError(
                    f"{request.line} was answered with a redirect to {redacted(host, secrets)},"
                    " which is not followed: credentials stay with the address you gave. Is base_url right?",
                    # Some services do the work first, and then point to the page that shows it.
                    ambiguous=True,
                )
        raise RedirectError(f"{request.line} was redirected more than {_MAX_REDIRECTS} times.")

    def _exchange(
        self,
        request: Request,
        url: Secret,
        headers: Mapping[str, Secret],
        secrets: tuple[Secret, ...],
    ) -> Reply:
        session, wire = self._session(), self._local.wire
        # The reply to the last insert on a connection, should it come twice, would fit one of as many rows.
        if request.fresh_connection or 0 < request.counted_rows == self._local.counted_rows:
            session.close()
        self._local.counted_rows = request.counted_rows or self._local.counted_rows
        wire.begin()
        fault: ClicDataError
        response: requests.Response | None = None
        try:
            response = session.request(
                request.method,
                url.reveal(),
                data=request.body,
                headers={"Content-Type": request.content_type} if request.body is not None else None,
                auth=_SecretHeaders(headers),
                timeout=self.timeout,
                allow_redirects=False,
                # The body is read here, where its size is bounded.
                stream=True,
                proxies={scheme: proxy.reveal() for scheme, proxy in self._proxies.items()} or None,
                verify=self._verify,
            )
            body = read_body(response.raw, self._max_reply_bytes)
            wire.end()
            if wire.cut_short and response.status_code < 400:
                raise BrokenReply("it came before the whole request was sent")  # noqa: TRY301
            return Reply(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=body,
                framed=wire.framed,
                connection=wire.connection,
            )
        except TooManyBytes:
            fault = ReplyTooLargeError(
                f"The reply to {request.line} is larger than {self._max_reply_bytes:,} bytes, so it was not read to its"
                " end. To allow larger replies, pass max_reply_bytes= to cd.connect() or cd.Session().",
                ambiguous=True,
            )
        except THIRD_PARTY as exc:
            fault = translated(request, without_frames(exc), secrets, sent=wire.sending)
        except BaseException as exc:  # noqa: BLE001
            # Ctrl-C inside the sending: the frames below hold the headers as plain text.
            self._discard(session, response)
            raise without_frames(exc)  # noqa: B904
        finally:
            self._local.last_used = self._clock()
        self._discard(session, response)
        # Raised here, where the third party's exception, whose text may hold a header, is no context of it.
        raise fault

    @staticmethod
    def _discard(session: requests.Session, response: requests.Response | None) -> None:
        """Close a connection on which an exchange failed: what is left of it is not trusted with the next request."""
        if response is not None:
            response.close()
        session.close()

    def _session(self) -> requests.Session:
        """Return this thread's own connection, new after a fork or a pause."""
        local = self._local
        session: requests.Session | None = getattr(local, "session", None)
        if session is not None and local.pid == os.getpid():
            if self._clock() - local.last_used >= self._max_idle:
                session.close()
            return session
        session = _Session()
        wire = Wire(self._doubted)
        session.headers["User-Agent"] = f"pandas-clicdata/{__version__} {session.headers['User-Agent']!s}"
        session.headers["Accept"] = "application/json"
        session.headers["Accept-Encoding"] = "gzip"
        # A cache would answer with rows that are no longer the table's, or with another page's.
        session.headers["Cache-Control"] = "no-cache, no-store"
        session.headers["Pragma"] = "no-cache"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            session.mount(scheme, ConnectionAdapter(wire, self.timeout[1] * _PARTS_OF_A_REPLY))
        session.trust_env = self._trust_environment
        local.session, local.pid, local.last_used = session, os.getpid(), self._clock()
        local.wire, local.counted_rows = wire, 0
        with self._open_lock:
            self._open.add(session)
        return session

    def _wait_after(self, last: Reply | TransportError, counted: int) -> float:
        """How long to wait after a failure."""
        asked = None
        if isinstance(last, Reply):
            asked = retry_after_seconds(last.headers.get("retry-after"), now=time.time())
        if asked is not None:
            return min(max(asked, self.retry.min_retry_after), self.retry.max_retry_after)
        ceiling: float = min(self.retry.max_backoff, self.retry.backoff * 2 ** (counted - 1))
        return jittered(ceiling)


class _Session(requests.Session):
    """A session of requests that leaves redirects alone; otherwise it reads the body of one, however large it is."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _SecretHeaders(AuthBase):
    """Puts the credentials in, and by being there keeps requests from looking into ``.netrc``."""

    def __init__(self, headers: Mapping[str, Secret]) -> None:
        self._headers = headers

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        for name, value in self._headers.items():
            # requests has checked only what it was given as headers; the value stays out of the text of this.
            if value.reveal().strip() != value.reveal() or not {"\r", "\n"}.isdisjoint(value.reveal()):
                raise requests.exceptions.InvalidHeader(name)
            prepared.headers[name] = value.reveal()
        return prepared


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Read a ``Retry-After``: seconds, or a date; None if it is neither.

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


def _is_overloaded(reply: Reply) -> bool:
    """Whether the service asks to send less, so that the requests of all threads wait."""
    return reply.status == _TOO_MANY_REQUESTS or (reply.status == 503 and "retry-after" in reply.headers)


def _worth_another_try(request: Request, reply: Reply) -> bool:
    # A 503, whatever its headers say, may come from a gateway behind which the work was done.
    return reply.status == _TOO_MANY_REQUESTS or (request.repeatable and reply.status in {500, 502, 503, 504})


def _never_sent(request: Request, verdict: object, retry: RetryPolicy) -> RateLimitError | TransportError:
    if verdict is Verdict.STOPPED:
        return TransportError(
            f"{request.line} was not sent: what it belongs to was ended while the service made it wait.",
            operation=request.operation,
            attempts=0,
        )
    return RateLimitError(
        f"{request.line} was not sent: ClicData turns the requests of this session away, and has done so, or asks to"
        f" wait, for longer than RetryPolicy(give_up_after={retry.give_up_after:g}) seconds. Try again later, with"
        " fewer workers, or give it longer.",
        operation=request.operation,
        attempts=0,
    )


def _checked_timeout(timeout: float | tuple[float, float]) -> tuple[float, float]:
    both = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    numbers = [seconds for seconds in both if isinstance(seconds, int | float) and not isinstance(seconds, bool)]
    if len(both) != 2 or len(numbers) != 2 or not all(0 < seconds < float("inf") for seconds in numbers):
        raise ConfigurationError(
            f"timeout={timeout!r}: give seconds above zero, or (seconds to connect, seconds to reply); "
            "waiting for ever is not offered."
        )
    return float(numbers[0]), float(numbers[1])


def _checked_verify(verify: bool | str | None) -> bool | str | None:
    if verify is None or isinstance(verify, bool):
        return verify
    if not isinstance(verify, str | os.PathLike):
        raise ConfigurationError(f"verify= is the path of a CA bundle, True or False, not {verify!r}.")
    path = os.fspath(verify)
    if Path(path).is_dir():
        return path
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as exc:
        raise ConfigurationError(f"verify={path!r} cannot be read as a CA bundle: {exc.strerror or exc}.") from exc
    return path


def _redirected(url: Secret, reply: Reply) -> Address | None:
    """The address that a redirect leads to; None if it is not valid."""
    try:
        return address_of(urljoin(url.reveal(), reply.headers["location"]))
    except ValueError:
        return None


def _secrets_of_environment() -> tuple[Secret, ...]:
    """What must not be shown of the proxies that the environment names."""
    return tuple(each for proxy in getproxies_environment().values() for each in _secrets_of_proxy(Secret(proxy)))


def _secrets_of_proxy(proxy: Secret) -> tuple[Secret, ...]:
    """What must not be shown of a proxy's address, read as requests reads it; nothing if it is not valid."""
    # requests raises a TypeError where there is no host.
    with contextlib.suppress(ValueError, TypeError):
        address = prepend_scheme_if_needed(proxy.reveal(), "http")  # type: ignore[no-untyped-call]
        parts = parse_url(address)
        if parts.host and parts.port != 0:
            username, password = get_auth_from_url(address)
            both = f"{username}:{password}" if password else ""
            return proxy, Secret(password), Secret(both), Secret(unquote(parts.auth or ""))
    return ()
