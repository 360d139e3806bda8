"""What keeps a request from being answered as was hoped."""

from __future__ import annotations

from typing import Any

from pandas_clicdata.errors.base import ClicDataError


class ConfigurationError(ClicDataError, ValueError):
    """A setting is missing, wrong or unsafe; nothing was sent."""


class NoCredentialsError(ConfigurationError):
    """No credentials in the arguments, the environment or a profile."""


class TransportError(ClicDataError):
    """The request or its reply did not get through.

    Parameters
    ----------
    message : str
        What happened.
    attempts : int, default 1
        How often the request was tried.
    """

    def __init__(self, message: str = "", *, attempts: int = 1, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.attempts = attempts


class ConnectionFailedError(TransportError, ConnectionError):
    """No connection could be made, so the service has seen nothing."""


class ConnectionLostError(TransportError, ConnectionError):
    """The connection broke after sending began; the service may have seen the request."""


class RequestTimeoutError(TransportError, TimeoutError):
    """No whole reply came within the time-out; the service may still be working."""


class RedirectError(TransportError):
    """The reply points to another address. Credentials are not carried there."""


class ReplyTooLargeError(TransportError):
    """The reply is larger than ``max_reply_bytes``; it was not read to its end."""


class ApiError(ClicDataError):
    """ClicData answered with an error.

    Parameters
    ----------
    message : str
        The error in a sentence.
    status : int, optional
        The HTTP status. An error can come with 200 (P).
    code, description : str, optional
        What the error body says.
    request_id : str, optional
        The request's id, where a reply header names one.
    attempts : int, default 1
        How often the request was tried.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        description: str | None = None,
        request_id: str | None = None,
        attempts: int = 1,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.status = status
        self.code = code
        self.description = description
        self.request_id = request_id
        self.attempts = attempts


class AuthenticationError(ApiError, PermissionError):
    """The credentials or the token were refused."""


class PermissionDeniedError(ApiError, PermissionError):
    """The account or token may not do this; a scope may be missing."""


class NotFoundError(ApiError, LookupError):
    """There is nothing at that address."""


class RateLimitError(ApiError):
    """The service still said "too many requests" after every wait it asked for."""


class ServerError(ApiError):
    """The service failed inside (HTTP 5xx)."""


class ApiVersionError(ApiError, ValueError):
    """The service does not speak the API version that was asked for."""


class UnexpectedReplyError(ApiError):
    """A reply whose shape is not known; the message holds the request line and a redacted excerpt."""
