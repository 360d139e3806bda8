"""What requests, urllib3 and the system raise, turned into errors of ours that hold no credential."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

import requests
import urllib3

from pandas_clicdata.errors import (
    ClicDataError,
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    RequestTimeoutError,
)
from pandas_clicdata.models import Request, Secret, redacted
from pandas_clicdata.transport.connections import BrokenReply

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
