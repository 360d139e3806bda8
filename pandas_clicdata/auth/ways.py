"""The ways to sign in, as a session sees them."""

from __future__ import annotations

import base64
import functools
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pandas_clicdata import config
from pandas_clicdata.auth.bearer import Bearer
from pandas_clicdata.auth.grants import AuthorizationCode, ClientCredentials
from pandas_clicdata.config import Settings
from pandas_clicdata.errors import ConfigurationError, NoCredentialsError
from pandas_clicdata.models import Secret
from pandas_clicdata.threads import forks_wait

if TYPE_CHECKING:
    from pandas_clicdata.transport import Transport

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
            f"Set them in the environment of this process or in its profile file, {config.profile_path()}; or make a"
            " session here, as with cd.connect(...), instead of loading one."
        )
        fault = ""
        try:
            settings = config.resolve_kept(self._settings, self._profile)
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
