"""A sandbox in another process, used like `Sandbox`."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlencode, urlsplit

from pandas_clicdata.sandbox.base import BaseSandbox, Parts
from pandas_clicdata.sandbox.oauth import is_loopback
from pandas_clicdata.sandbox.protocol import KEY_HEADER, PREFIX, Operation, operations_of

_TIMEOUT = 60  # seconds; a ledger may be long
_ERRORS: dict[int, type[Exception]] = {400: ValueError, 401: PermissionError, 404: LookupError}
_Part = TypeVar("_Part")


class Wire:
    """Sends operations of the control API to one sandbox, each on a new connection, so that threads share none."""

    def __init__(self) -> None:
        self._target: tuple[str, str] | None = None

    def open(self, url: str, key: str) -> None:
        """Send to this address from now on."""
        self._target = url, key

    def close(self) -> None:
        """Send nothing from now on."""
        self._target = None

    @property
    def has_valid_key(self) -> bool:
        """Whether the key can stand in a header."""
        key = self._target[1] if self._target else ""
        return bool(key) and key.isascii() and key.isprintable()

    @property
    def is_open(self) -> bool:
        """Whether there is an address."""
        return self._target is not None

    @property
    def url(self) -> str:
        """The address; RuntimeError if there is none."""
        if self._target is None:
            raise RuntimeError("The sandbox is not running; call start() first.")
        return self._target[0]

    def send(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        """Return the result of an operation; raise the error that it raises in the process of the sandbox."""
        parts = urlsplit(self.url)
        in_query = operation.method == "GET"
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        failure: OSError | None = None
        try:
            connection.request(
                operation.method,
                f"{PREFIX}{operation.path}?{urlencode(arguments)}" if in_query else PREFIX + operation.path,
                json.dumps(arguments).encode() if arguments and not in_query else None,
                {KEY_HEADER: self._target[1] if self._target else "", "Connection": "close"},
            )
            reply = connection.getresponse()
            text = reply.read()
        except OSError as exc:
            # Without the frames below, whose locals hold the key.
            failure = exc.with_traceback(None)
        finally:
            connection.close()
        if failure is not None:
            raise failure
        is_json = reply.headers.get_content_type() == "application/json"
        if reply.status == 200 and is_json:
            return operation.read_result(text)
        match json.loads(text) if is_json else None:
            case {"error": str(sentence)}:
                raise _ERRORS.get(reply.status, RuntimeError)(sentence)
        raise RuntimeError(f"{self.url} is not a sandbox that can be controlled: it replied with {reply.status}.")


def remote(kind: type[_Part], wire: Wire) -> _Part:
    """Return an object like those of a class, whose marked methods are sent over a wire."""
    methods = {operation.name: _sender(operation, wire) for operation in operations_of(kind)}
    made: type[_Part] = type(kind.__name__, (kind,), {**methods, "__repr__": object.__repr__})
    return object.__new__(made)


def _sender(operation: Operation, wire: Wire) -> Callable[..., Any]:
    @functools.wraps(operation.function)
    def send(self: object, *args: Any, **kwargs: Any) -> Any:
        return wire.send(operation, operation.write_arguments(args, kwargs))

    return send


class RemoteSandbox(BaseSandbox):
    """A sandbox that runs in another process on this machine, such as ``clicdata sandbox``.

    It has the methods of `Sandbox` except ``start`` and ``stop``, and they raise the same errors. A wrong key raises
    PermissionError; if no sandbox listens at the URL, each method raises ConnectionError.

    Parameters
    ----------
    url : str, optional
        The URL of the sandbox, on this machine. Default: the environment variable ``CLICDATA_BASE_URL``.
    control_key : str, optional
        The key that the sandbox printed. Default: the environment variable ``CLICDATA_SANDBOX_KEY``.

    Raises
    ------
    ValueError
        The URL is not one of this machine, or the key cannot be one.

    Examples
    --------
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     RemoteSandbox(sandbox.url, sandbox.control_key).ledger.tables()
    {}
    """

    def __init__(self, url: str | None = None, control_key: str | None = None) -> None:
        self._use(Wire())
        url = (url or os.environ.get("CLICDATA_BASE_URL", "")).strip().rstrip("/")
        self._wire.open(url, (control_key or os.environ.get("CLICDATA_SANDBOX_KEY", "")).strip())
        # An error that is raised below has no secret among its locals.
        del control_key
        parts = urlsplit(url)
        # The key must never be sent to another machine.
        if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
            raise ValueError(
                f"url is {url!r}; it must be the URL of a sandbox on this machine, as in 'http://127.0.0.1:8484'."
            )
        if not self._wire.has_valid_key:
            raise ValueError("control_key must be the key that the sandbox printed when it started.")

    def _use(self, wire: Wire) -> None:
        self._wire = wire
        self._remote_parts = Parts(**{name: remote(kind, wire) for name, kind in get_type_hints(Parts).items()})
        self.faults = self._remote_parts.faults
        self.requests = self._remote_parts.requests

    def _parts(self) -> Parts:
        return self._remote_parts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} (not ClicData): {self.url}>"

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return self._wire.url
