"""Authentication, and the renewal of tokens: one thread renews a token for all threads, before it expires."""

from __future__ import annotations

import base64
import contextvars
import copy
import functools
import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from pandas_clicdata import _config
from pandas_clicdata._config import Settings
from pandas_clicdata._models import STOP_RETRIES, Reply, Request, Secret, Stop
from pandas_clicdata._threads import fork_lock, reset_after_fork, started
from pandas_clicdata.client.token_file import SignIns, StoredTokens, TokenFile
from pandas_clicdata.errors import (
    ApiError,
    AuthenticationError,
    ClicDataError,
    ConfigurationError,
    NoCredentialsError,
    RateLimitError,
    RequestLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)

if TYPE_CHECKING:
    from pandas_clicdata.client.transport import Transport


logger: logging.Logger = logging.getLogger(__name__)

TOKEN_PATH = "/oauth20/token"  # noqa: S105
AUTHORIZE_PATH = "/oauth20/authorize"
_DEFAULT_LIFETIME_SECONDS = 300.0
# A token that expires sooner is not worth a request.
_MIN_LIFETIME_SECONDS = 1.0
_RENEW_AHEAD_SECONDS = 60.0
_RENEW_AHEAD_SHARE = 0.1
# The threads of one write notice the same failure within this time.
_SHARED_FAILURE_SECONDS = 0.25
_FINGERPRINT_ROUNDS = 200_000
_FINGERPRINT_CHARACTERS = 16
_CHECK_CLIENT = "Check that client_id= and client_secret= belong to this account, and that base_url= is correct."
_SIGN_IN = (
    "open the address that cd.authorization_url(...) returns in a browser, and pass the code that comes back to"
    " cd.connect(code=..., redirect_uri=...)"
)
_SIGN_IN_AGAIN = f"sign in again: {_SIGN_IN}"

Send = Callable[[Request], Reply]


class IssuedTokens(NamedTuple):
    """The content of a token reply.

    Attributes
    ----------
    access_token : Secret
        The access token.
    lifetime : float
        Seconds until the access token expires.
    refresh_token : Secret or None
        The refresh token. None if the reply holds none.
    """

    access_token: Secret
    lifetime: float
    refresh_token: Secret | None = None


def read_token(reply: Reply, advice: str = "") -> IssuedTokens:
    """Read the tokens in a token reply.

    Parameters
    ----------
    reply : Reply
        The reply of the token endpoint.
    advice : str, optional
        What the user can do if the service refuses something other than the client.

    Returns
    -------
    IssuedTokens
        The tokens.

    Raises
    ------
    AuthenticationError
        The service refuses the credentials.
    RateLimitError
        The reply has HTTP status 429.
    ServerError
        The reply has HTTP status 500 or above.
    UnexpectedReplyError
        The reply holds no token.
    """
    tokens = _tokens_or_error(reply, advice)
    if isinstance(tokens, ClicDataError):
        # Raised here, where no frame and no cause holds the fields of the reply.
        tokens.operation = "token"
        raise tokens
    return tokens


def _tokens_or_error(reply: Reply, advice: str) -> IssuedTokens | ClicDataError:
    from oauthlib.oauth2 import MissingTokenError, OAuth2Error
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response

    try:
        fields = parse_token_response(reply.body.decode("utf-8"))
        if isinstance(fields["access_token"], str) and fields["access_token"]:
            refresh_token = fields.get("refresh_token")
            return IssuedTokens(
                Secret(fields["access_token"]),
                float(fields.get("expires_in") or _DEFAULT_LIFETIME_SECONDS),
                Secret(refresh_token) if isinstance(refresh_token, str) and refresh_token else None,
            )
    except MissingTokenError:
        pass
    except OAuth2Error as exc:
        if reply.status < 500 and reply.status != 429:
            code, message = (reply.redact(text) for text in _code_and_message(exc.error))
            if not advice or "client" in code.lower():
                advice = _CHECK_CLIENT
            return AuthenticationError(
                f"ClicData issued no token: {message.rstrip('.')}. {advice}",
                status=reply.status,
                code=code,
            )
    except Exception:  # noqa: BLE001 - oauthlib can raise any exception for a reply of another shape
        tokens = _tokens_with_odd_lifetime(reply)
        if tokens is not None:
            return tokens
    if reply.status < 400:
        return UnexpectedReplyError(
            f"POST {TOKEN_PATH}: HTTP {reply.status}, but the reply holds no readable token. Its {len(reply.body):,}"
            " bytes are not shown here, because they may contain a token. Check that base_url= is correct.",
            status=reply.status,
        )
    kind = RateLimitError if reply.status == 429 else ServerError if reply.status >= 500 else UnexpectedReplyError
    return kind(f"POST {TOKEN_PATH}: HTTP {reply.status} without a token: {reply.excerpt()}", status=reply.status)


def _tokens_with_odd_lifetime(reply: Reply) -> IssuedTokens | None:
    """Return the tokens of a reply whose ``expires_in`` is empty or not an integer.

    It may also be invalid if there is a refresh token, which must not be lost.
    """
    try:
        fields = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    values = [fields.get(name) for name in ("access_token", "refresh_token")] if isinstance(fields, dict) else []
    access_token, refresh_token = (
        Secret(value) if isinstance(value, str) and value else None for value in (values or (None, None))
    )
    if access_token is None or reply.status >= 400:
        return None
    try:
        lifetime = float(fields.get("expires_in") or _DEFAULT_LIFETIME_SECONDS)
    except (TypeError, ValueError):
        lifetime = math.inf
    if math.isfinite(lifetime):
        return IssuedTokens(access_token, lifetime, refresh_token)
    return None if refresh_token is None else IssuedTokens(access_token, _DEFAULT_LIFETIME_SECONDS, refresh_token)


def _code_and_message(error: object) -> tuple[str, str]:
    """Read an error: the code of OAuth alone, or the error object of ClicData."""
    if not isinstance(error, dict):
        return str(error), str(error)
    lower = {str(key).lower(): str(value) for key, value in error.items() if isinstance(value, str | int)}
    parts = [lower[key] for key in ("code", "description") if lower.get(key)]
    return (parts[0], ": ".join(parts)) if parts else ("unexplained", "an error without a code")


class Grant(Protocol):
    """A flow of OAuth, which fetches tokens."""

    @property
    def settings(self) -> Settings:
        """The account."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """Return everything that must not be shown."""
        ...

    def identity(self) -> str:
        """Return what distinguishes this account from others with the same client id, without secrets."""
        ...

    def fetch(self, send: Send, current: Secret | None) -> IssuedTokens:
        """Return tokens with another access token than the current one, by a request if necessary."""
        ...

    @property
    def single_use(self) -> bool:
        """Whether a reply that is not awaited is lost, because what was sent works only once."""
        ...


@dataclass(frozen=True)
class Token:
    """An access token.

    Attributes
    ----------
    value : Secret
        The token.
    renew_at : float
        The time on the clock of :class:`Bearer` from which the token is renewed before it is used.
    """

    value: Secret
    renew_at: float


@dataclass(frozen=True)
class _Failure:
    """A failed renewal, and its time on the clock."""

    error: ClicDataError
    at: float


class _TimedHeaders(dict[str, Secret]):
    """The headers of a request, and the time from which they are in use."""

    def __init__(self, token: Token, since: float) -> None:
        super().__init__(_bearer(token))
        self.since = since


@dataclass(eq=False)
class Bearer:
    """Authentication with an access token in each request.

    The error of a failed renewal is raised in every thread that was already using or waiting for the token when the
    renewal failed. So many threads together send one failing request, not one each. A later call tries again.

    Parameters
    ----------
    grant : Grant
        The flow that fetches tokens.
    transport : Transport
        Sends the token requests.
    clock : callable, default time.monotonic
        Returns the time in seconds.
    """

    grant: Grant
    transport: Transport
    clock: Callable[[], float] = time.monotonic
    _token: Token | None = field(default=None, init=False)
    _failure: _Failure | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        reset_after_fork(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers that sign in a request."""
        token, since = self._token, self.clock()
        if token is None or since >= token.renew_at:
            token = self._renewed_token(token, since)
        return _TimedHeaders(token, since)

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Renew the credentials after a 401; return whether there are new ones."""
        token = self._token
        if token is not None and _bearer(token) == refused:
            self._renewed_token(token, refused.since if isinstance(refused, _TimedHeaders) else self.clock())
        return True

    def check(self, seconds: float | None) -> bool:
        """Fetch a token now; return True, because it proves the credentials.

        With a time limit, a request that takes longer continues in the background, but is not repeated.

        Raises
        ------
        RequestTimeoutError
            No token came within this time.
        ClicDataError
            ClicData issued no token, or there was no reply.
        """
        if seconds is None:
            self.headers()
            return True
        stop = Stop()
        context = contextvars.copy_context()
        context.run(STOP_RETRIES.set, stop)
        future: Future[None] = Future()
        work = (future, context, seconds)
        try:
            if not started(threading.Thread(target=self._check, args=work, name="clicdata-check", daemon=True)):
                raise TransportError("No token was requested, because no thread can be started.", operation="token")
            if not wait([future], seconds).done:
                raise RequestTimeoutError(
                    f"POST {TOKEN_PATH}: no token came within {seconds:g} seconds.", operation="token"
                )
            future.result()
            return True
        finally:
            stop.abandon()
            # Breaks the reference cycle of an error and the frames in its traceback.
            del future, work

    def _check(self, future: Future[None], context: contextvars.Context, seconds: float) -> None:
        try:
            context.run(self._fetch_first, seconds)
            future.set_result(None)
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits
            future.set_exception(exc)
        finally:
            del future

    def _fetch_first(self, seconds: float) -> None:
        if self.grant.single_use:
            self.headers()
            return
        # Neither the lock nor the connections of the session, so that a slow reply does not delay its requests.
        transport = self.transport.limited(seconds)
        try:
            token = self._fetch(None, transport)
        finally:
            transport.close()
        with self._lock:
            self._token = self._token or token

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets that no text may show."""
        token = self._token
        own = (token.value,) if token is not None else ()
        return (*own, *self.grant.secrets())

    def identity(self) -> str:
        """Return what identifies the client, user, key or sign-in, without secrets."""
        return self.grant.identity()

    def _renewed_token(self, current: Token | None, since: float) -> Token:
        with self._lock:
            # Another thread may have renewed it while this one waited for the lock.
            if self._token is not None and self._token is not current:
                return self._token
            if self._failure is not None and since <= self._failure.at + _SHARED_FAILURE_SECONDS:
                raise copy.copy(self._failure.error)
            try:
                self._token = self._fetch(current, self.transport)
            except RequestLimitError:
                # The limit of this call does not concern others.
                raise
            except ClicDataError as exc:
                # A copy, because raising the error adds frames to it and callers change it.
                self._failure = _Failure(copy.copy(exc), self.clock())
                raise
            self._failure = None
            return self._token

    def _fetch(self, current: Token | None, transport: Transport) -> Token:
        requested_at = self.clock()

        def send(request: Request) -> Reply:
            return transport.send(request, {}, self.secrets())

        try:
            tokens = self.grant.fetch(send, None if current is None else current.value)
        except TransportError as exc:
            # The request that needs the token was not sent, or was refused.
            exc.ambiguous = False
            raise
        logger.debug("received a token that expires in %.0f s", tokens.lifetime)
        ahead = min(_RENEW_AHEAD_SECONDS, tokens.lifetime * _RENEW_AHEAD_SHARE)
        return Token(tokens.access_token, requested_at + tokens.lifetime - ahead)


def _bearer(token: Token) -> Mapping[str, Secret]:
    return {"Authorization": Secret(f"Bearer {token.value.reveal()}")}


@dataclass(frozen=True)
class ClientCredentials:
    """The OAuth flow ``grant_type=client_credentials``."""

    settings: Settings
    single_use: ClassVar[bool] = False

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets that no text may show."""
        return self.settings.secrets

    def identity(self) -> str:
        """Return what identifies the client, user, key or sign-in, without secrets."""
        # The client id identifies the account; its secret may be replaced by a new one.
        return ""

    def fetch(self, send: Send, current: Secret | None) -> IssuedTokens:
        """Request a token."""
        from oauthlib.oauth2 import BackendApplicationClient

        client_id, client_secret = _client(self.settings)
        client = BackendApplicationClient(client_id)
        # A second token does not invalidate the first.
        return read_token(
            send(
                _token_request(
                    Secret(client.prepare_request_body(client_secret=client_secret.reveal(), include_client_id=True))
                )
            )
        )


@dataclass(eq=False)
class AuthorizationCode:
    """The OAuth flow ``grant_type=authorization_code``, followed by ``grant_type=refresh_token``.

    A session keeps the sign-in that it starts with: that of its code or refresh token, or else the latest in the token
    file. Processes share both tokens through the file, so that one of them renews the tokens for all.

    Parameters
    ----------
    settings : Settings
        The account.
    sign_in : str, optional
        The key in the token file of the sign-in to continue, for a session that was pickled. No other sign-in is used.
    """

    settings: Settings
    sign_in: InitVar[str | None] = None
    single_use: ClassVar[bool] = True
    _file: TokenFile = field(init=False, repr=False)
    _key: str | None = field(default=None, init=False, repr=False)
    _tokens: StoredTokens | None = field(default=None, init=False, repr=False)
    _unsaved: bool = field(default=False, init=False, repr=False)

    def __post_init__(self, sign_in: str | None) -> None:
        self._file = TokenFile(self.settings)
        self._key = sign_in
        reset_after_fork(self)

    def _after_fork(self) -> None:
        # The parent writes its tokens. The child would write later, when their refresh token may already be spent.
        self._unsaved = False

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets that no text may show."""
        tokens = self._tokens
        own = () if tokens is None else (tokens.access_token, tokens.refresh_token)
        return (*self.settings.secrets, *(secret for secret in own if secret is not None))

    def identity(self) -> str:
        """Return the key of the sign-in in the token file; empty before the first sign-in.

        Several people may sign in with one client id, and tokens change with each renewal. The digest of the code or
        token that started the sign-in stays the same. The service does not say whether two sign-ins belong to the same
        person, so each sign-in counts as an account of its own.
        """
        if self._key is None:
            self._key = self._initial_key(self._file.read())
        return self._key or ""

    def fetch(self, send: Send, current: Secret | None) -> IssuedTokens:
        """Request a token."""
        # Runs in its own thread, because Ctrl-C is raised in the main thread and would lose a token between the reply
        # and the disk. Python waits for this thread when it ends; a pool accepts no work by then.
        stop = STOP_RETRIES.get() or Stop()
        context = contextvars.copy_context()
        context.run(STOP_RETRIES.set, stop)
        future: Future[IssuedTokens] = Future()
        work = (future, context, send, current)
        try:
            if not started(threading.Thread(target=self._run, args=work, name="clicdata-token")):
                self._run(*work)
            return future.result()
        except (KeyboardInterrupt, SystemExit):
            stop.abandon()
            raise
        finally:
            # Breaks the reference cycle of an error and the frames in its traceback.
            del future, work

    def _run(
        self, future: Future[IssuedTokens], context: contextvars.Context, send: Send, current: Secret | None
    ) -> None:
        try:
            future.set_result(context.run(self._fetch_locked, send, current))
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that needs the token
            future.set_exception(exc)
        finally:
            del future

    def _fetch_locked(self, send: Send, current: Secret | None) -> IssuedTokens:
        with self._file.lock():
            sign_ins = self._file.read()
            stored = self._find(sign_ins)
            if stored is not None and self._unsaved:
                assert self._key is not None
                with self._file.writer() as write:
                    write({**sign_ins, self._key: stored})
                self._unsaved = False
            if stored is not None and stored.access_token != current and _lifetime(stored) > _MIN_LIFETIME_SECONDS:
                return IssuedTokens(stored.access_token, _lifetime(stored), stored.refresh_token)
            with self._file.writer() as write:
                tokens = self._request(send, stored)
                self._tokens = StoredTokens(tokens.access_token, time.time() + tokens.lifetime, tokens.refresh_token)
                self._unsaved = True
                assert self._key is not None
                write({**sign_ins, self._key: self._tokens})
                self._unsaved = False
            return tokens

    def _find(self, sign_ins: SignIns) -> StoredTokens | None:
        """Return the tokens of this session's sign-in; None if it has not started yet."""
        initial = self._initial_key(sign_ins)
        self._key = self._key or initial
        if self._key is None:
            raise NoCredentialsError(
                f"There is no sign-in yet: {self._file.path} holds no token. To sign in, {_SIGN_IN}. Or give"
                " refresh_token=.",
                operation="token",
            )
        if not self._unsaved:
            self._tokens = sign_ins.get(self._key, self._tokens)
        if self._tokens is None and initial != self._key:
            raise NoCredentialsError(
                f"The sign-in of this session, which was pickled, is not in {self._file.path}. No other sign-in is used"
                " in its place. Give the token file that holds it as token_file= (or CLICDATA_TOKEN_FILE), or"
                f" {_SIGN_IN_AGAIN}.",
                operation="token",
            )
        return self._tokens

    def _initial_key(self, sign_ins: SignIns) -> str | None:
        """Return the key of the sign-in of a new session: that of its code or token, or else the latest."""
        given = self.settings.code or self.settings.refresh_token
        if given is None:
            return next(reversed(list(sign_ins)), None)
        return next((key for key, tokens in sign_ins.items() if tokens.refresh_token == given), _digest(given))

    def _request(self, send: Send, stored: StoredTokens | None) -> IssuedTokens:
        from oauthlib.oauth2 import WebApplicationClient

        client_id, client_secret = _client(self.settings)
        client = WebApplicationClient(client_id)
        if stored is None and self.settings.code is not None:
            kind, token = "code", None
            verifier = self.settings.code_verifier or Secret("")
            request = _token_request(
                Secret(
                    client.prepare_request_body(
                        code=self.settings.code.reveal(),
                        redirect_uri=self.settings.redirect_uri,
                        code_verifier=verifier.reveal() or None,
                        client_secret=client_secret.reveal(),
                    )
                )
            )
        else:
            kind = "refresh token"
            token = self.settings.refresh_token if stored is None else stored.refresh_token
            if token is None:
                raise AuthenticationError(
                    f"The access token has expired, and ClicData issued no refresh token with it. Please"
                    f" {_SIGN_IN_AGAIN}.",
                    operation="token",
                )
            request = _token_request(
                Secret(
                    client.prepare_refresh_body(
                        refresh_token=token.reveal(), client_id=client_id, client_secret=client_secret.reveal()
                    )
                )
            )
        tokens = _exchange(send, request, kind, self.settings)
        # Without a new refresh token in the reply, the old one stays valid (RFC 6749, section 6).
        return tokens._replace(refresh_token=tokens.refresh_token or token)


def _exchange(send: Send, request: Request, kind: str, settings: Settings) -> IssuedTokens:
    """Send a code or refresh token, which works only once, and say in each error whether it may be spent."""
    reply: Reply | None = None
    try:
        reply = send(request)
        reason = "is out of date, was used before, or was revoked"
        if reply.possibly_done:
            reason = "was spent by an earlier try whose reply was lost, or was used before"
        hint = (
            " To continue with the sign-in in the token file, leave refresh_token= (and CLICDATA_REFRESH_TOKEN) out."
            if settings.refresh_token is not None
            else ""
        )
        return read_token(reply, f"The {kind} probably {reason}. Please {_SIGN_IN_AGAIN}.{hint}")
    except (TransportError, ApiError) as exc:
        if isinstance(exc, TransportError):
            possibly_spent = exc.ambiguous
        elif isinstance(exc, RateLimitError):
            possibly_spent = reply is not None and reply.possibly_done
        else:
            possibly_spent = not isinstance(exc, AuthenticationError)
        if possibly_spent:
            exc.args = (
                f"{exc} This may have spent the {kind}. The next request tries it once more. If ClicData then refuses"
                f" it, {_SIGN_IN_AGAIN}.",
            )
        raise


def authorization_url(
    *,
    client_id: str | None = None,
    redirect_uri: str | None = None,
    scope: str | Iterable[str] | None = None,
    state: str | None = None,
    code_challenge: str | None = None,
    base_url: str | None = None,
    profile: str | None = None,
) -> str:
    """Build the address at which a person grants a program access to ClicData.

    Open the address in a browser. After the sign-in, ClicData sends the browser to ``redirect_uri`` with ``code`` (and
    ``state``) in the query. Pass the code at once to ``connect(code=..., redirect_uri=...)``: it works once and expires
    soon. This function sends no request.

    Parameters
    ----------
    client_id : str, optional
        The client id. Default: from the environment or the profile, as for :class:`Session`.
    redirect_uri : str, optional
        The address to which ClicData sends the browser. Default: from the environment or the profile.
    scope : str or iterable of str, optional
        The permissions of the program, such as ``["data_read", "data_write"]``. A str holds them separated by spaces.
    state : str, optional
        A random text of your choice, which comes back with the code. Do not use a code that comes with another text.
    code_challenge : str, optional
        For PKCE: the challenge of the ``code_verifier`` that :func:`connect` will receive with the code, by the method
        S256 of RFC 7636. No public client shows that ClicData checks it.
    base_url : str, optional
        The address of the API. Default: from the environment or the profile, else ``"https://api.clicdata.com"``.
    profile : str, optional
        The profile in the profile file.

    Returns
    -------
    str
        The address.

    Raises
    ------
    ConfigurationError
        The client id or the redirect address is missing, or a setting is invalid.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.authorization_url(client_id="acme", redirect_uri="https://acme.example/back", scope=["data_read"])
    'https://api.clicdata.com/oauth20/authorize?response_type=code&client_id=acme&redirect_uri=https%3A%2F%2Facme.example%2Fback&scope=data_read'
    """
    given = {"client_id": client_id, "redirect_uri": redirect_uri, "base_url": base_url, "state": state}
    given["code_challenge"] = code_challenge
    known = _config.resolve_public(given, profile)
    return authorize_address(known, scope, state, code_challenge)


def authorize_address(
    known: Mapping[str, str], scope: str | Iterable[str] | None, state: str | None, code_challenge: str | None
) -> str:
    """Build the address of :func:`authorization_url` from settings that are already looked up."""
    from oauthlib.common import add_params_to_uri

    words = scope.split() if isinstance(scope, str) else list(scope or ())
    if not all(isinstance(word, str) and word and not word.isspace() for word in words):
        raise ConfigurationError("scope= must be a text such as 'data_read data_write', or a list of such words.")
    params = [("response_type", "code"), ("client_id", known["client_id"]), ("redirect_uri", known["redirect_uri"])]
    params += [("scope", " ".join(words))] if words else []
    params += [("state", state)] if state is not None else []
    if code_challenge is not None:
        params += [("code_challenge", code_challenge), ("code_challenge_method", "S256")]
    return str(add_params_to_uri(known["base_url"] + AUTHORIZE_PATH, params))


def _client(settings: Settings) -> tuple[str, Secret]:
    assert settings.client_id is not None
    assert settings.client_secret is not None
    return settings.client_id, settings.client_secret


def _token_request(body: Secret) -> Request:
    # Repeatable, although a code or refresh token works only once: if the reply to the first try is lost, a second try
    # gets a token where the first did nothing, and a refusal otherwise. It never makes the result worse.
    return Request(
        operation="token",
        method="POST",
        path=TOKEN_PATH,
        body=body.reveal().encode(),
        content_type="application/x-www-form-urlencoded",
        repeatable=True,
        once=True,
    )


def _digest(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def _lifetime(tokens: StoredTokens) -> float:
    return tokens.expires_at - time.time()


class Authenticator(Protocol):
    """The authentication of a session."""

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers for a request."""
        ...

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Renew the credentials after a 401 reply to these headers; return whether the request is worth a retry."""
        ...

    def check(self, seconds: float | None) -> bool:
        """Fetch a token now, if the flow needs one; return whether it does, which proves the credentials.

        ``seconds`` limits the time; None stands for the time-outs of the session.
        """
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """Return everything that must not be shown."""
        ...

    def identity(self) -> str:
        """Return what distinguishes this account from others with the same client id, without secrets.

        For basic the user name, for an API key its fingerprint, for an authorization code the key of the sign-in. Empty
        for client credentials, and before the first sign-in.
        """
        ...


@dataclass(frozen=True)
class FixedHeaders:
    """Authentication with the same headers in each request: basic and API key.

    Parameters
    ----------
    fixed : mapping of str to Secret
        The headers.
    settings : Settings
        The account.
    parts : tuple of Secret, optional
        Parts of the headers that must not be shown either.
    """

    fixed: Mapping[str, Secret]
    settings: Settings
    parts: tuple[Secret, ...] = ()

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers that sign in a request."""
        return self.fixed

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Renew the credentials after a 401; return whether there are new ones."""
        return False

    def check(self, seconds: float | None) -> bool:
        """Return False, because this flow needs no token."""
        return False

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets that no text may show."""
        return (*self.fixed.values(), *self.parts, *self.settings.secrets)

    def identity(self) -> str:
        """Return what identifies the client, user, key or sign-in, without secrets."""
        return self._identity

    @functools.cached_property
    def _identity(self) -> str:
        if self.settings.api_key is None:
            return self.settings.username or ""
        return _fingerprint(self.settings.api_key)


class DeferredAuthenticator:
    """The authentication of a session that was pickled. The first request looks up the credentials.

    So unpickling never fails because of them: a process pool hangs if its workers cannot unpickle their task.

    Parameters
    ----------
    settings : Settings
        The account, without its secrets.
    profile : str or None
        The profile of the session.
    identity : str
        The identity of the authenticator that was pickled.
    transport : Transport
        Sends the token requests.
    """

    def __init__(self, settings: Settings, profile: str | None, identity: str, transport: Transport) -> None:
        self._settings = settings
        self._profile = profile
        self._identity = identity
        self._transport = transport
        self._resolved: Authenticator | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers that sign in a request."""
        return self._resolve().headers()

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Renew the credentials after a 401; return whether there are new ones."""
        return self._resolve().renew(refused)

    def check(self, seconds: float | None) -> bool:
        """Fetch a token if the flow needs one; return whether it does."""
        return self._resolve().check(seconds)

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets that no text may show."""
        return () if self._resolved is None else self._resolved.secrets()

    def identity(self) -> str:
        """Return what identifies the client, user, key or sign-in, without secrets."""
        return self._identity

    def _resolve(self) -> Authenticator:
        with self._lock:
            if self._resolved is None:
                self._resolved = self._same_account()
            return self._resolved

    def _same_account(self) -> Authenticator:
        account = account_label(self._settings, self._identity)
        advice = (
            f"Set the credentials in the environment of this process or in its profile file, {_config.profile_path()};"
            " or create a session here, with cd.connect(...), instead of unpickling one."
        )
        settings, reason = None, ""
        try:
            settings = _config.resolve_unpickled(self._settings, self._profile)
        except ConfigurationError as exc:
            reason = str(exc)
        if settings is None:
            raise NoCredentialsError(
                "This session was pickled, and a pickle holds no credentials. The credentials of the account"
                f" {account} are missing in this process: {reason} {advice}"
            )
        sign_in = self._identity if settings.auth_method == "authorization_code" else ""
        found = authenticator(settings, self._transport, sign_in or None)
        client_ids = {settings.client_id, self._settings.client_id}
        # A session that was pickled before its first sign-in has no identity.
        if len(client_ids) > 1 or (self._identity and found.identity() != self._identity):
            raise ConfigurationError(
                f"This session was pickled for the account {account}. The credentials in this process belong to another"
                f" account, {account_label(settings, found.identity())}, and are not used. {advice}"
            )
        return found


def account_label(settings: Settings, identity: str) -> str:
    """Describe an account without secrets: its address, and the client, user, key or sign-in.

    Parameters
    ----------
    settings : Settings
        The account.
    identity : str
        The identity of its authenticator.

    Returns
    -------
    str
        The description.

    Examples
    --------
    >>> account_label(Settings(auth_method="basic", client_id="acme"), "me@acme.example")
    'https://api.clicdata.com as acme, user me@acme.example'
    """
    kind = {"api_key": "API key ", "basic": "user ", "authorization_code": "sign-in "}.get(settings.auth_method, "")
    if settings.auth_method != "basic":
        identity = identity[:_FINGERPRINT_CHARACTERS]
    return f"{settings.base_url} as {', '.join(filter(None, [settings.client_id, identity and kind + identity]))}"


def authenticator(settings: Settings, transport: Transport, sign_in: str | None = None) -> Authenticator:
    """Return the authenticator for the settings.

    Parameters
    ----------
    settings : Settings
        The account.
    transport : Transport
        Sends the token requests.
    sign_in : str, optional
        For an authorization code: the key of the sign-in to continue, for a session that was pickled.

    Returns
    -------
    Authenticator
        A new one.
    """
    if settings.auth_method == "api_key":
        assert settings.api_key is not None
        return FixedHeaders({"CLICDATA-API-KEY": settings.api_key}, settings)
    if settings.auth_method == "basic":
        assert settings.password is not None
        # The service expects the base64 text of user name and password inside another base64 text.
        inner = _base64(Secret(f"{settings.username}:{settings.password.reveal()}"))
        outer = _base64(Secret(f"{settings.client_id}:{inner.reveal()}"))
        return FixedHeaders({"Authorization": Secret(f"Basic {outer.reveal()}")}, settings, parts=(inner,))
    with fork_lock:
        # Imported now, because a thread may fetch the first token while another thread forks.
        import filelock  # noqa: F401
        import oauthlib.oauth2  # noqa: F401
    if settings.auth_method == "authorization_code":
        return Bearer(AuthorizationCode(settings, sign_in), transport)
    return Bearer(ClientCredentials(settings), transport)


def _fingerprint(key: Secret) -> str:
    """Identify a key without revealing it: a slow hash, so that even a short key is hard to find."""
    digest = hashlib.pbkdf2_hmac("sha256", key.reveal().encode(), b"pandas_clicdata API key", _FINGERPRINT_ROUNDS)
    return digest.hex()[:_FINGERPRINT_CHARACTERS]


def _base64(text: Secret) -> Secret:
    return Secret(base64.b64encode(text.reveal().encode()).decode("ascii"))
