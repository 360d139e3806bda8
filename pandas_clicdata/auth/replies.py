"""What the token address answers: a token, or why there is none."""

from __future__ import annotations

import json
from typing import NamedTuple

from pandas_clicdata.errors import (
    AuthenticationError,
    ClicDataError,
    RateLimitError,
    ServerError,
    UnexpectedReplyError,
)
from pandas_clicdata.models import Reply, Secret

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
