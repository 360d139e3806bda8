"""Ways to sign in, and the life of a token: renewed ahead of its end, by one thread for all."""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pandas_clicdata.config import Settings
from pandas_clicdata.errors import (
    AuthenticationError,
    ClicDataError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from pandas_clicdata.models import Reply, Request, Secret

if TYPE_CHECKING:
    from pandas_clicdata.transport import Transport

logger = logging.getLogger(__name__)

TOKEN_PATH = "/oauth20/token"  # noqa: S105
_RENEW_AHEAD_SECONDS = 60.0
_RENEW_AHEAD_SHARE = 0.1
_FALLBACK_LIFE_SECONDS = 300.0


class Authenticator(Protocol):
    """One way to sign in."""

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers that a request carries."""

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """After a 401 to these headers: whether others are worth one more try."""

    def secrets(self) -> tuple[Secret, ...]:
        """Return all that must not be shown."""


class Grant(Protocol):
    """How an OAuth flow asks for a token. The browser flow takes its place here too."""

    @property
    def settings(self) -> Settings: ...

    def request(self) -> Request: ...


@dataclass(frozen=True)
class Token:
    """An access token and when, on the clock, it should no longer be used."""

    value: Secret
    renew_at: float


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


@dataclass(frozen=True)
class ClientCredentials:
    """``grant_type=client_credentials`` (S P)."""

    settings: Settings

    def request(self) -> Request:
        from oauthlib.oauth2 import BackendApplicationClient

        client_id, client_secret = self.settings.client_id, self.settings.client_secret
        assert client_id is not None
        assert client_secret is not None
        client = BackendApplicationClient(client_id)
        return Request(
            operation="token",
            method="POST",
            path=TOKEN_PATH,
            body=client.prepare_request_body(client_secret=client_secret.reveal(), include_client_id=True).encode(),
            content_type="application/x-www-form-urlencoded",
            # A second token beside the first does no harm.
            repeatable=True,
        )


@dataclass
class Bearer:
    """A token in every request.

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
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def headers(self) -> Mapping[str, Secret]:
        token = self._token
        if token is None or self.clock() >= token.renew_at:
            token = self._renewed(instead_of=token)
        return _bearer(token)

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        token = self._token
        if token is not None and _bearer(token) == refused:
            self._renewed(instead_of=token)
        return True

    def secrets(self) -> tuple[Secret, ...]:
        token = self._token
        held = (token.value,) if token is not None else ()
        return (*held, *self.grant.settings.secrets)

    def _renewed(self, instead_of: Token | None) -> Token:
        with self._lock:
            # Whoever waited here finds that the thread before has done it.
            if self._token is None or self._token is instead_of:
                self._token = self._ask()
            return self._token

    def _ask(self) -> Token:
        asked_at = self.clock()
        try:
            reply = self.transport.send(self.grant.request(), {}, self.grant.settings.secrets)
        except TransportError as exc:
            # What the token was wanted for has not been sent, or was refused.
            exc.ambiguous = False
            raise
        value, life = read_token(reply)
        logger.debug("a new token, good for %s s", life)
        return Token(value, asked_at + life - min(_RENEW_AHEAD_SECONDS, life * _RENEW_AHEAD_SHARE))


def authenticator(settings: Settings, transport: Transport) -> Authenticator:
    """Return the way to sign in that the settings name.

    Parameters
    ----------
    settings : Settings
        A complete account.
    transport : Transport
        Where tokens are asked for.
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
    return Bearer(ClientCredentials(settings), transport)


def read_token(reply: Reply) -> tuple[Secret, float]:
    """Read a token and its life in seconds.

    Parameters
    ----------
    reply : Reply
        What the token address answered.

    Raises
    ------
    AuthenticationError
        The credentials were refused.
    UnexpectedReplyError
        There is no token in it.
    """
    token_or_fault = _token_or_fault(reply)
    if isinstance(token_or_fault, ClicDataError):
        # Raised here, where no frame and no cause holds the reply's fields.
        token_or_fault.operation = "token"
        raise token_or_fault
    return token_or_fault


def _token_or_fault(reply: Reply) -> tuple[Secret, float] | ClicDataError:
    from oauthlib.oauth2 import MissingTokenError, OAuth2Error
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response

    try:
        fields = parse_token_response(reply.body.decode("utf-8"))
        if isinstance(fields["access_token"], str) and fields["access_token"]:
            return Secret(fields["access_token"]), float(fields.get("expires_in") or _FALLBACK_LIFE_SECONDS)
    except MissingTokenError:
        pass
    except OAuth2Error as exc:
        if reply.status < 500 and reply.status != 429:
            code, said = (reply.redact(text) for text in _code_and_words(exc.error))
            return AuthenticationError(
                f"ClicData gave no token: {said.rstrip('.')}. Are the client id and secret those of this account,"
                " and is base_url the right service?",
                status=reply.status,
                code=code,
            )
    except Exception:  # noqa: BLE001, S110 - what oauthlib makes of a reply in a shape of its own can be anything
        pass
    if reply.status < 400:
        return UnexpectedReplyError(
            f"POST {TOKEN_PATH}: HTTP {reply.status} without a token that can be read. Its {len(reply.body):,} bytes"
            " are not shown, for a token may be among them. Is base_url the right service?",
            status=reply.status,
        )
    kind = RateLimitError if reply.status == 429 else ServerError if reply.status >= 500 else UnexpectedReplyError
    return kind(f"POST {TOKEN_PATH}: HTTP {reply.status} without a token: {reply.excerpt()}", status=reply.status)


def _code_and_words(error: object) -> tuple[str, str]:
    """What an error says: OAuth's bare code, or the service's own object."""
    if not isinstance(error, dict):
        return str(error), str(error)
    lower = {str(key).lower(): str(value) for key, value in error.items() if isinstance(value, str | int)}
    said = [lower[key] for key in ("code", "description") if lower.get(key)]
    return (said[0], ": ".join(said)) if said else ("unexplained", "an error without a code")


def _bearer(token: Token) -> Mapping[str, Secret]:
    return {"Authorization": Secret(f"Bearer {token.value.reveal()}")}


def _base64(text: Secret) -> Secret:
    return Secret(base64.b64encode(text.reveal().encode()).decode("ascii"))
