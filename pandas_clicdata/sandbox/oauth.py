"""Authentication: credentials, tokens, scopes and the OAuth endpoints."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.people import OWNER, People
from pandas_clicdata.sandbox.protocol import operation
from pandas_clicdata.sandbox.store import Store

SCOPES = (
    "account_read", "data_read", "data_write", "table_read", "table_write", "dashboard_read", "schedule_read",
    "schedule_write", "team_read", "team_write", "user_read", "user_write",
)  # fmt: skip
"""The scopes of the API."""

_CODE_SECONDS = 60


@dataclass(frozen=True)
class Credentials:
    """The credentials of the client, without secrets in the repr. `People` has those of users."""

    client_id: str
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)
    control_key: str = field(repr=False)


@dataclass(frozen=True)
class Identity:
    """The sender of a request: the id of a user, and the granted scopes."""

    user: int
    scopes: frozenset[str]


class TokenRefusal(Exception):
    """A refusal of the token endpoint, in the form of RFC 6749."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body: str = json.dumps({"error": error, "error_description": description})


def make_credentials(store: Store, client_id: str | None, client_secret: str | None) -> Credentials:
    """Return the stored credentials, random ones on first use; given credentials replace them."""
    for name, value in (("client_id", client_id), ("client_secret", client_secret)):
        if value is not None:
            store.keep_setting(name, value)
    return Credentials(
        client_id=store.setting("client_id", lambda: secrets.token_hex(8)),
        client_secret=store.setting("client_secret", lambda: secrets.token_urlsafe(24)),
        api_key=store.setting("api_key", lambda: secrets.token_urlsafe(24)),
        control_key=store.setting("control_key", lambda: secrets.token_urlsafe(24)),
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _unbase64(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("utf-8")


class OAuth:
    """Issues tokens and authenticates requests.

    Parameters
    ----------
    store : Store
        The database, with digests of tokens.
    credentials : Credentials
        The credentials of the only client.
    people : People
        The users for Basic; client, API key and codes act for the owner of the account.
    token_seconds : float
        Seconds until an access token expires.
    scopes : iterable of str
        The scopes of the client.
    """

    def __init__(
        self, store: Store, credentials: Credentials, people: People, token_seconds: float, scopes: Iterable[str]
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._people = people
        self._seconds = token_seconds
        self._scopes = tuple(scopes)

    @operation("GET", "")
    def sign_in(self) -> dict[str, str]:
        """Return the credentials of the client and of the user who owns the account."""
        return {
            **asdict(self._credentials),
            "username": self._people.username,
            "password": self._people.password,
        }

    # authentication

    def authenticate(self, authorization: str | None, api_key: str | None) -> Identity:
        """Return the sender of a request with these two headers; refuse an unknown sender with 401."""
        if authorization is not None and api_key is not None:
            raise Refusal(
                401, "Unauthorized", "The request has an API key and an Authorization header; send only one of them."
            )
        if api_key is not None:
            if _same(api_key, self._credentials.api_key):
                return self._identity(OWNER)
            raise Refusal(401, "Unauthorized", "The API key is unknown.")
        if authorization is None:
            raise Refusal(401, "Unauthorized", "The request has no Authorization header and no API key.")
        kind, _, rest = authorization.partition(" ")
        if kind.lower() == "bearer":
            return self._bearer(rest.strip())
        user = self._basic(rest.strip()) if kind.lower() == "basic" else None
        if user is not None:
            return self._identity(user)
        raise Refusal(401, "Unauthorized", "The Authorization header does not belong to a known user.")

    def _identity(self, user: int) -> Identity:
        self._people.visited(user)
        return Identity(user, frozenset(self._scopes))

    def _bearer(self, token: str) -> Identity:
        rows = self._store.query(
            "SELECT expires, scopes FROM tokens WHERE digest = ? AND kind = 'access'", (_digest(token),)
        )
        if not rows:
            raise Refusal(401, "Unauthorized", "The access token is unknown.")
        expires, scopes = rows[0]
        if expires <= time.time():
            raise Refusal(401, "Unauthorized", "The access token has expired.")
        return Identity(OWNER, frozenset(str(scopes).split()))

    def _basic(self, encoded: str) -> int | None:
        try:
            client_id, _, inner = _unbase64(encoded).partition(":")
            username, _, password = _unbase64(inner).partition(":")
        except (binascii.Error, ValueError):
            return None
        user = self._people.sign_in(username, password)
        return user if _same(client_id, self._credentials.client_id) else None

    # tokens

    def token(self, body: bytes, content_type: str) -> dict[str, Any]:
        """Return the reply of the token endpoint."""
        if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            raise TokenRefusal("invalid_request", "The body must be form-encoded.")
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError:
            raise TokenRefusal("invalid_request", "The body is not a form.") from None
        form = dict(pairs)
        if len(form) != len(pairs):
            raise TokenRefusal("invalid_request", "The form has a field twice.")
        grant = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh,
            "authorization_code": self._code,
        }.get(form.get("grant_type", ""))
        if grant is None:
            raise TokenRefusal("unsupported_grant_type", "The grant_type is missing or unknown.")
        known = self._credentials
        matches = [
            _same(form.get("client_id", ""), known.client_id),
            _same(form.get("client_secret", ""), known.client_secret),
        ]
        if not all(matches):
            raise TokenRefusal("invalid_client", "The client_id or the client_secret is wrong.", 401)
        return grant(form)

    def _wanted(self, scope: str | None) -> str:
        if not scope:
            return " ".join(self._scopes)
        wanted = dict.fromkeys(scope.split())
        for name in wanted:
            if name not in self._scopes:
                raise TokenRefusal("invalid_scope", f"The scope '{name}' is not granted to this client.")
        return " ".join(wanted)

    def _client_credentials(self, form: Mapping[str, str]) -> dict[str, Any]:
        return self._grant(self._wanted(form.get("scope")), refresh=False)

    def _refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        spent = self._spend(form.get("refresh_token", ""), "refresh")
        if spent is None:
            raise TokenRefusal("invalid_grant", "The refresh token is unknown or was used before.")
        return self._grant(spent[0], refresh=True)

    def _code(self, form: Mapping[str, str]) -> dict[str, Any]:
        spent = self._spend(form.get("code", ""), "code")
        if spent is None or spent[1] != form.get("redirect_uri"):
            raise TokenRefusal(
                "invalid_grant", "The code is unknown, was used before, or belongs to another redirect_uri."
            )
        return self._grant(spent[0], refresh=True)

    def _spend(self, token: str, kind: str) -> tuple[str, str | None] | None:
        with self._store.transaction() as db:
            found = db.execute(
                "SELECT scopes, redirect_uri, expires FROM tokens WHERE digest = ? AND kind = ?", (_digest(token), kind)
            ).fetchone()
            db.execute("DELETE FROM tokens WHERE digest = ? AND kind = ?", (_digest(token), kind))
        if found is None or (found[2] is not None and found[2] <= time.time()):
            return None
        return found[0], found[1]

    def _issue(self, kind: str, seconds: float | None, scopes: str, redirect_uri: str | None = None) -> str:
        token = secrets.token_urlsafe(32)
        expires = None if seconds is None else time.time() + seconds
        with self._store.transaction() as db:
            db.execute("DELETE FROM tokens WHERE expires < ?", (time.time() - 86400,))
            db.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", (_digest(token), kind, expires, scopes, redirect_uri)
            )
        return token

    def _grant(self, scopes: str, *, refresh: bool) -> dict[str, Any]:
        self._people.logged_in(OWNER)
        reply = {
            "access_token": self._issue("access", self._seconds, scopes),
            "token_type": "bearer",
            "expires_in": int(self._seconds),
            "scope": scopes,
        }
        if refresh:
            reply["refresh_token"] = self._issue("refresh", None, scopes)
        return reply

    # authorization codes

    @operation("POST", "authorize", "code")
    def authorize(self, redirect_uri: str, scope: str | None = None) -> str:
        """Return a code for one exchange at the token endpoint, as if the user had agreed."""
        match redirect_uri, scope:
            case str(), str() | None:
                return self._issue("code", _CODE_SECONDS, self._wanted(scope), redirect_uri)
        raise ValueError("redirect_uri must be a string, and scope a string or null.")

    def redirect(self, query: Mapping[str, str]) -> str:
        """Return the address to which the authorize page redirects; the owner of the account always agrees."""
        if query.get("response_type") != "code":
            raise TokenRefusal("unsupported_response_type", "The response_type must be 'code'.")
        if not _same(query.get("client_id", ""), self._credentials.client_id):
            raise TokenRefusal("invalid_client", "The client_id is unknown.", 401)
        target = query.get("redirect_uri", "")
        if not _is_local(target):
            raise TokenRefusal("invalid_request", "The redirect_uri must be an http address on this machine.")
        answer = {"code": self.authorize(target, query.get("scope"))}
        if "state" in query:
            answer["state"] = query["state"]
        return f"{target}{'&' if urlsplit(target).query else '?'}{urlencode(answer, quote_via=quote)}"

    # expiry

    def expire_all(self) -> None:
        """Expire every access token now."""
        with self._store.transaction() as db:
            db.execute("UPDATE tokens SET expires = 0 WHERE kind = 'access'")

    def expire(self, authorization: str) -> None:
        """Expire the access token in an Authorization header now."""
        token = authorization.partition(" ")[2].strip()
        with self._store.transaction() as db:
            db.execute("UPDATE tokens SET expires = 0 WHERE kind = 'access' AND digest = ?", (_digest(token),))


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and not parts.fragment and is_loopback(parts.hostname or "")
    except ValueError:
        return False


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
