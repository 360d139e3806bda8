"""The ways to sign in, and the life of a token: one thread renews it for all, before it expires."""

from __future__ import annotations

import base64
import contextvars
import copy
import functools
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pandas_clicdata import _config
from pandas_clicdata._config import Settings
from pandas_clicdata._models import NO_MORE_TRIES, Reply, Request, Secret
from pandas_clicdata._threads import forks_wait, renew_in_children, started
from pandas_clicdata.client.token_file import Kept, TokenFile
from pandas_clicdata.errors import (
    ApiError,
    AuthenticationError,
    ClicDataError,
    ConfigurationError,
    NoCredentialsError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)

if TYPE_CHECKING:
    from pandas_clicdata.client.transport import Transport


TOKEN_PATH = "/oauth20/token"  # noqa: S105
_FALLBACK_LIFE_SECONDS = 300.0
_WHO_ARE_YOU = "Are the client id and secret those of this account, and is base_url the right service?"


class Issued(NamedTuple):
    """An access token, its life in seconds, and the refresh token that came with it."""

    access_token: Secret
    life: float
    refresh_token: Secret | None = None


def read_token(reply: Reply, advice: str = "") -> Issued:
    """Read a token.

    Parameters
    ----------
    reply : Reply
        What the token address answered.
    advice : str, optional
        What to do where it is not the client that was refused.

    Raises
    ------
    AuthenticationError
        The credentials were refused.
    UnexpectedReplyError
        There is no token in it.
    """
    token_or_fault = _token_or_fault(reply, advice)
    if isinstance(token_or_fault, ClicDataError):
        # Raised here, where no frame and no cause holds the reply's fields.
        token_or_fault.operation = "token"
        raise token_or_fault
    return token_or_fault


def _token_or_fault(reply: Reply, advice: str) -> Issued | ClicDataError:
    from oauthlib.oauth2 import MissingTokenError, OAuth2Error
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response

    try:
        fields = parse_token_response(reply.body.decode("utf-8"))
        if isinstance(fields["access_token"], str) and fields["access_token"]:
            further = fields.get("refresh_token")
            return Issued(
                Secret(fields["access_token"]),
                float(fields.get("expires_in") or _FALLBACK_LIFE_SECONDS),
                Secret(further) if isinstance(further, str) and further else None,
            )
    except MissingTokenError:
        pass
    except OAuth2Error as exc:
        if reply.status < 500 and reply.status != 429:
            code, said = (reply.redact(text) for text in _code_and_words(exc.error))
            if not advice or "client" in code.lower():
                advice = _WHO_ARE_YOU
            return AuthenticationError(
                f"ClicData gave no token: {said.rstrip('.')}. {advice}",
                status=reply.status,
                code=code,
            )
    except Exception:  # noqa: BLE001 - what oauthlib makes of a reply in a shape of its own can be anything
        issued = _of_unknown_life(reply)
        if issued is not None:
            return issued
    if reply.status < 400:
        return UnexpectedReplyError(
            f"POST {TOKEN_PATH}: HTTP {reply.status} without a token that can be read. Its {len(reply.body):,} bytes"
            " are not shown, for a token may be among them. Is base_url the right service?",
            status=reply.status,
        )
    kind = RateLimitError if reply.status == 429 else ServerError if reply.status >= 500 else UnexpectedReplyError
    return kind(f"POST {TOKEN_PATH}: HTTP {reply.status} without a token: {reply.excerpt()}", status=reply.status)


def _of_unknown_life(reply: Reply) -> Issued | None:
    """Both tokens of a reply whose ``expires_in`` is none: a refresh token must not be lost by that."""
    try:
        fields = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    both = [fields.get(name) for name in ("access_token", "refresh_token")] if isinstance(fields, dict) else []
    texts = [Secret(text) for text in both if isinstance(text, str) and text]
    return Issued(texts[0], _FALLBACK_LIFE_SECONDS, texts[1]) if len(texts) == 2 and reply.status < 400 else None


def _code_and_words(error: object) -> tuple[str, str]:
    """What an error says: OAuth's bare code, or the service's own object."""
    if not isinstance(error, dict):
        return str(error), str(error)
    lower = {str(key).lower(): str(value) for key, value in error.items() if isinstance(value, str | int)}
    said = [lower[key] for key in ("code", "description") if lower.get(key)]
    return (said[0], ": ".join(said)) if said else ("unexplained", "an error without a code")


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
                # A copy: raising the error adds frames to it and changes it.
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


AUTHORIZE_PATH = "/oauth20/authorize"
# Less is not worth a request that will be refused.
_LEAST_LIFE_SECONDS = 1.0
_SIGN_IN_AGAIN = (
    "sign in again: open cd.authorization_url(...) in a browser and give the code it sends back to"
    " cd.connect(code=..., redirect_uri=...)"
)


@dataclass(frozen=True)
class ClientCredentials:
    """``grant_type=client_credentials`` (S P)."""

    settings: Settings

    def secrets(self) -> tuple[Secret, ...]:
        return self.settings.secrets

    def identity(self) -> str:
        # The client id says it all; the secret may be replaced by a new one.
        return ""

    def ask(self, send: Send, instead_of: Secret | None) -> Issued:
        from oauthlib.oauth2 import BackendApplicationClient

        client_id, client_secret = _client(self.settings)
        client = BackendApplicationClient(client_id)
        # A second token beside the first does no harm.
        return read_token(
            send(
                _token_request(
                    Secret(client.prepare_request_body(client_secret=client_secret.reveal(), include_client_id=True))
                )
            )
        )


@dataclass(eq=False)
class AuthorizationCode:
    """``grant_type=authorization_code``, and from then on ``refresh_token`` (P).

    A session stays with the sign-in that it began with: that of its code or refresh token, else the latest in the file.
    Both tokens are shared through the file, so that of several processes one renews them for all.

    Parameters
    ----------
    settings : Settings
        Whose sign-in it is.
    sign_in : str, optional
        The sign-in of the file to continue, of a session that was pickled. No other one is used then.
    """

    settings: Settings
    sign_in: InitVar[str | None] = None
    _file: TokenFile = field(init=False, repr=False)
    _began: str | None = field(default=None, init=False, repr=False)
    _held: Kept | None = field(default=None, init=False, repr=False)
    _unsaved: bool = field(default=False, init=False, repr=False)

    def __post_init__(self, sign_in: str | None) -> None:
        self._file = TokenFile(self.settings)
        self._began = sign_in
        renew_in_children(self)

    def _after_fork(self) -> None:
        # The parent writes it. By the time that the child would, the refresh token may be an old one.
        self._unsaved = False

    def secrets(self) -> tuple[Secret, ...]:
        held = self._held
        known = () if held is None else (held.access_token, held.refresh_token)
        return (*self.settings.secrets, *(secret for secret in known if secret is not None))

    def identity(self) -> str:
        """Return which sign-in it is; empty as long as there is none.

        Several people may sign in with one client id, and tokens are renewed all the time. What stays the same is the
        digest of the code or token that the sign-in began with, under which the token file keeps it. Nothing tells
        whether two sign-ins are of the same person, so a new sign-in counts as another account.
        """
        if self._began is None:
            self._began = self._first_of(self._file.read())
        return self._began or ""

    def ask(self, send: Send, instead_of: Secret | None) -> Issued:
        # In a thread of its own, because Ctrl-C is raised in the main thread, and a token must not be lost by it
        # between the reply and the disk. Python's end waits for this thread; a pool takes no more work by then.
        stop = NO_MORE_TRIES.get() or threading.Event()
        context = contextvars.copy_context()
        context.run(NO_MORE_TRIES.set, stop)
        coming: Future[Issued] = Future()
        work = (coming, context, send, instead_of)
        try:
            if not started(threading.Thread(target=self._work, args=work, name="clicdata-token")):
                self._work(*work)
            return coming.result()
        except (KeyboardInterrupt, SystemExit):
            stop.set()
            raise
        finally:
            # Else an error and the frames that it has passed would keep each other alive.
            del coming, work

    def _work(
        self, coming: Future[Issued], context: contextvars.Context, send: Send, instead_of: Secret | None
    ) -> None:
        try:
            coming.set_result(context.run(self._ask, send, instead_of))
        except BaseException as exc:  # noqa: BLE001 - raised where the token is wanted
            coming.set_exception(exc)
        finally:
            del coming

    def _ask(self, send: Send, instead_of: Secret | None) -> Issued:
        with self._file.turn():
            sign_ins = self._file.read()
            kept = self._find(sign_ins)
            if kept is not None and self._unsaved:
                assert self._began is not None
                with self._file.room() as put:
                    put({**sign_ins, self._began: kept})
                self._unsaved = False
            if kept is not None and kept.access_token != instead_of and _life(kept) > _LEAST_LIFE_SECONDS:
                return Issued(kept.access_token, _life(kept), kept.refresh_token)
            with self._file.room() as put:
                issued = self._asked(send, kept)
                self._held = Kept(issued.access_token, time.time() + issued.life, issued.refresh_token)
                self._unsaved = True
                assert self._began is not None
                put({**sign_ins, self._began: self._held})
                self._unsaved = False
            return issued

    def _find(self, sign_ins: dict[str, Kept]) -> Kept | None:
        """What is kept of this session's sign-in; None where it has still to begin."""
        first = self._first_of(sign_ins)
        self._began = self._began or first
        if self._began is None:
            raise NoCredentialsError(
                f"Nobody has signed in yet: there is no token in {self._file.path}. Please {_SIGN_IN_AGAIN},"
                " or give refresh_token=.",
                operation="token",
            )
        if not self._unsaved:
            self._held = sign_ins.get(self._began, self._held)
        if self._held is None and first != self._began:
            raise NoCredentialsError(
                f"The sign-in of this session, which was pickled, is not in {self._file.path}, and another one is not"
                f" used in its place. Give the token file that has it: token_file= (or CLICDATA_TOKEN_FILE), or"
                f" {_SIGN_IN_AGAIN}.",
                operation="token",
            )
        return self._held

    def _first_of(self, sign_ins: Mapping[str, Kept]) -> str | None:
        """The sign-in that a new session begins with: that of its code or token, else the latest there is."""
        given = self.settings.code or self.settings.refresh_token
        if given is None:
            return next(reversed(list(sign_ins)), None)
        return next((began for began, kept in sign_ins.items() if kept.refresh_token == given), _digest(given))

    def _asked(self, send: Send, kept: Kept | None) -> Issued:
        from oauthlib.oauth2 import WebApplicationClient

        client_id, client_secret = _client(self.settings)
        client = WebApplicationClient(client_id)
        if kept is None and self.settings.code is not None:
            what, token = "code", None
            request = _token_request(
                Secret(
                    client.prepare_request_body(
                        code=self.settings.code.reveal(),
                        redirect_uri=self.settings.redirect_uri,
                        client_secret=client_secret.reveal(),
                    )
                )
            )
        else:
            what = "refresh token"
            token = self.settings.refresh_token if kept is None else kept.refresh_token
            if token is None:
                raise AuthenticationError(
                    f"The access token has come to its end, and ClicData gave no refresh token with it. Please"
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
        issued = _spent(send, request, what, self.settings)
        # A reply without a new refresh token leaves the old one good (RFC 6749, section 6).
        return issued._replace(refresh_token=issued.refresh_token or token)


def _spent(send: Send, request: Request, what: str, settings: Settings) -> Issued:
    """Send what is good only once, and say so in what is raised."""
    reply: Reply | None = None
    try:
        reply = send(request)
        why = "is an old one, was used before, or was withdrawn"
        if reply.perhaps_done:
            why = "was spent by an earlier try whose reply was lost, or was used before"
        spare = (
            " To go on with the sign-in that the token file keeps, leave refresh_token= (and CLICDATA_REFRESH_TOKEN)"
            " out."
            if settings.refresh_token is not None
            else ""
        )
        return read_token(reply, f"It seems the {what} {why}. Please {_SIGN_IN_AGAIN}.{spare}")
    except (TransportError, ApiError) as exc:
        if isinstance(exc, TransportError):
            lost = exc.ambiguous
        elif isinstance(exc, RateLimitError):
            lost = reply is not None and reply.perhaps_done
        else:
            lost = not isinstance(exc, AuthenticationError)
        if lost:
            exc.args = (
                f"{exc} The {what} may have been spent by this. It is tried once more by the next request; if it is"
                f" refused then, {_SIGN_IN_AGAIN}.",
            )
        raise


def authorization_url(
    *,
    client_id: str | None = None,
    redirect_uri: str | None = None,
    scope: str | Iterable[str] | None = None,
    state: str | None = None,
    base_url: str | None = None,
    profile: str | None = None,
) -> str:
    """Build the address at which a person lets a program into ClicData; open it in a browser.

    The browser is then sent to ``redirect_uri`` with ``code`` (and ``state``) in its query. That code goes into
    ``connect(code=..., redirect_uri=...)``, at once: it works once and expires soon. No request is sent here.

    Parameters
    ----------
    client_id, redirect_uri, base_url : str, optional
        As for :class:`Session`, and taken from the environment or profile as there.
    scope : str or iterable of str, optional
        What the program may do, such as ``["data_read", "data_write"]`` (P); a str holds them with spaces between.
    state : str, optional
        A random text of yours that comes back with the code; if another one does, do not use that code.
    profile : str, optional
        The profile in the file to use.

    Returns
    -------
    str

    Raises
    ------
    ConfigurationError
        The client id or the redirect address is missing, or a setting is wrong.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.authorization_url(client_id="acme", redirect_uri="https://acme.example/back", scope=["data_read"])
    'https://api.clicdata.com/oauth20/authorize?response_type=code&client_id=acme&redirect_uri=https%3A%2F%2Facme.example%2Fback&scope=data_read'
    """
    from oauthlib.common import add_params_to_uri

    given = {"client_id": client_id, "redirect_uri": redirect_uri, "base_url": base_url, "state": state}
    known = _config.resolve_public(given, profile)
    words = scope.split() if isinstance(scope, str) else list(scope or ())
    if not all(isinstance(word, str) and word and not word.isspace() for word in words):
        raise ConfigurationError("scope= is a text such as 'data_read data_write', or a list of such words.")
    params = [("response_type", "code"), ("client_id", known["client_id"]), ("redirect_uri", known["redirect_uri"])]
    params += [("scope", " ".join(words))] if words else []
    params += [("state", state)] if state is not None else []
    return str(add_params_to_uri(known["base_url"] + AUTHORIZE_PATH, params))


def _client(settings: Settings) -> tuple[str, Secret]:
    assert settings.client_id is not None
    assert settings.client_secret is not None
    return settings.client_id, settings.client_secret


def _token_request(body: Secret) -> Request:
    # Repeatable although a refresh token and a code are good once: where the reply to the first try is lost, a second
    # one gets a token if the first did nothing, and a refusal otherwise. It can lose nothing that is not lost.
    return Request(
        operation="token",
        method="POST",
        path=TOKEN_PATH,
        body=body.reveal().encode(),
        content_type="application/x-www-form-urlencoded",
        repeatable=True,
    )


def _digest(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def _life(kept: Kept) -> float:
    return kept.until - time.time()


_FINGERPRINT_ROUNDS = 200_000
_FINGERPRINT_CHARACTERS = 16


class Authenticator(Protocol):
    """One way to sign in."""

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers that a request carries."""

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """After a 401 to these headers: whether others are worth one more try."""

    def secrets(self) -> tuple[Secret, ...]:
        """Return all that must not be shown."""

    def identity(self) -> str:
        """Return what tells this account from others of the same client id, without secrets.

        For basic the user name, for an API key its fingerprint, for an authorization code the sign-in. Empty for client
        credentials, and for a sign-in that has not begun yet.
        """


@dataclass(frozen=True)
class FixedHeaders:
    """Credentials that are the same in each request: basic and API key."""

    fixed: Mapping[str, Secret]
    settings: Settings
    parts: tuple[Secret, ...] = ()

    def headers(self) -> Mapping[str, Secret]:
        return self.fixed

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        return False

    def secrets(self) -> tuple[Secret, ...]:
        return (*self.fixed.values(), *self.parts, *self.settings.secrets)

    def identity(self) -> str:
        return self._identity

    @functools.cached_property
    def _identity(self) -> str:
        if self.settings.api_key is None:
            return self.settings.username or ""
        return _fingerprint(self.settings.api_key)


class LookedUpLater:
    """The credentials of a session that was pickled: looked up here, when a request first needs them.

    Loading the pickle never fails for them, because a pool of processes hangs if its workers cannot load their task.

    Parameters
    ----------
    settings : Settings
        Those of the session, without its secrets.
    profile : str or None
        The profile of the session.
    identity : str
        What its own authenticator said.
    transport : Transport
        Where tokens are asked for.
    """

    def __init__(self, settings: Settings, profile: str | None, identity: str, transport: Transport) -> None:
        self._settings = settings
        self._profile = profile
        self._identity = identity
        self._transport = transport
        self._found: Authenticator | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, Secret]:
        return self._look_up().headers()

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        return self._look_up().renew(refused)

    def secrets(self) -> tuple[Secret, ...]:
        return () if self._found is None else self._found.secrets()

    def identity(self) -> str:
        return self._identity

    def _look_up(self) -> Authenticator:
        with self._lock:
            if self._found is None:
                self._found = self._same_account()
            return self._found

    def _same_account(self) -> Authenticator:
        ours = account_label(self._settings, self._identity)
        advice = (
            f"Set them in the environment of this process or in its profile file, {_config.profile_path()}; or make a"
            " session here, as with cd.connect(...), instead of loading one."
        )
        fault = ""
        try:
            settings = _config.resolve_kept(self._settings, self._profile)
        except ConfigurationError as exc:
            fault = str(exc)
        if fault:
            raise NoCredentialsError(
                f"This session was pickled, and a pickle holds no credentials. Those of {ours} are missing in this"
                f" process: {fault} {advice}"
            )
        sign_in = self._identity if settings.auth_method == "authorization_code" else ""
        found = authenticator(settings, self._transport, sign_in or None)
        client_ids = {settings.client_id, self._settings.client_id}
        # A session that was pickled before its sign-in began has no identity yet.
        if len(client_ids) > 1 or (self._identity and found.identity() != self._identity):
            raise ConfigurationError(
                f"This session was pickled for {ours}. The credentials in this process are those of another account,"
                f" {account_label(settings, found.identity())}, and are not used. {advice}"
            )
        return found


def account_label(settings: Settings, identity: str) -> str:
    """Say which account it is, without secrets: where, and as which client, user, key or sign-in.

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
    """Return the way to sign in that the settings name.

    Parameters
    ----------
    settings : Settings
        A complete account.
    transport : Transport
        Where tokens are asked for.
    sign_in : str, optional
        For an authorization code: the sign-in to continue, of a session that was pickled.
    """
    if settings.auth_method == "api_key":
        assert settings.api_key is not None
        return FixedHeaders({"CLICDATA-API-KEY": settings.api_key}, settings)
    if settings.auth_method == "basic":
        assert settings.password is not None
        # The inner base64 is text inside the outer one (P).
        inner = _base64(Secret(f"{settings.username}:{settings.password.reveal()}"))
        outer = _base64(Secret(f"{settings.client_id}:{inner.reveal()}"))
        return FixedHeaders({"Authorization": Secret(f"Basic {outer.reveal()}")}, settings, parts=(inner,))
    with forks_wait:
        # Needed for the first token, which a thread may be fetching while another forks.
        import filelock  # noqa: F401
        import oauthlib.oauth2  # noqa: F401
    if settings.auth_method == "authorization_code":
        return Bearer(AuthorizationCode(settings, sign_in), transport)
    return Bearer(ClientCredentials(settings), transport)


def _fingerprint(key: Secret) -> str:
    """Identify a key without revealing it: also a short one takes long to find from its fingerprint."""
    digest = hashlib.pbkdf2_hmac("sha256", key.reveal().encode(), b"pandas_clicdata API key", _FINGERPRINT_ROUNDS)
    return digest.hex()[:_FINGERPRINT_CHARACTERS]


def _base64(text: Secret) -> Secret:
    return Secret(base64.b64encode(text.reveal().encode()).decode("ascii"))
