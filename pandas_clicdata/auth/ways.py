"""The ways to sign in, as a session sees them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pandas_clicdata.auth.bearer import Bearer
from pandas_clicdata.auth.grants import AuthorizationCode, ClientCredentials
from pandas_clicdata.config import Settings
from pandas_clicdata.models import Secret
from pandas_clicdata.threads import forks_wait

if TYPE_CHECKING:
    from pandas_clicdata.transport import Transport


class Authenticator(Protocol):
    """One way to sign in."""

    def headers(self) -> Mapping[str, Secret]:
        """Return the headers that a request carries."""

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """After a 401 to these headers: whether others are worth one more try."""

    def secrets(self) -> tuple[Secret, ...]:
        """Return all that must not be shown."""


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
    with forks_wait:
        # Needed for the first token, which a thread may be fetching while another forks.
        import filelock  # noqa: F401
        import oauthlib.oauth2  # noqa: F401
    if settings.auth_method == "authorization_code":
        return Bearer(AuthorizationCode(settings), transport)
    return Bearer(ClientCredentials(settings), transport)


def _base64(text: Secret) -> Secret:
    return Secret(base64.b64encode(text.reveal().encode()).decode("ascii"))
