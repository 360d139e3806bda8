"""The control API, declared on the methods that do the work.

`operation` marks a method with its HTTP method and its path. `control` serves the marked methods, and `remote` makes
objects that send them. Both read names, parameters and docstrings from the method itself.
"""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

PREFIX = "/_sandbox/"
"""The start of every control path."""
KEY_HEADER = "ClicData-Sandbox-Key"
"""The header with the control key. Unlike a cookie, a web page cannot send it by accident."""
LONGEST_WAIT = 0.5
"""The longest time in seconds that one control request waits for held requests; the client asks again."""
MAX_BODY = 32 * 1024 * 1024
"""The longest request body in bytes."""

_Method = TypeVar("_Method", bound=Callable[..., Any])
_QUERY: Mapping[str, Callable[[str], object]] = {"version": int, "count": int, "seconds": float, "operation": str}


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Operation:
    """One operation of the control API.

    Attributes
    ----------
    method, path : str
        HTTP method, and path after `PREFIX`.
    function : callable
        The marked method.
    result : str, optional
        Key of the reply that holds the result. None: the reply is the result itself.
    encode, decode : callable
        From the result to a JSON value, and back.
    is_json : bool
        The result is already JSON text.
    """

    method: str
    path: str
    function: Callable[..., Any]
    result: str | None
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    is_json: bool

    @property
    def name(self) -> str:
        """The name of the method."""
        return self.function.__name__

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters, without ``self``."""
        return list(inspect.signature(self.function).parameters)[1:]

    # client

    def write_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call as the query of a GET, or as the body of another request."""
        bound = inspect.signature(self.function).bind(None, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        arguments.update(arguments.pop("options", {}))
        if self.method == "GET":
            table = arguments.pop("table", None)
            arguments["name" if isinstance(table, str) else "id"] = table
            return {name: value for name, value in arguments.items() if value is not None}
        if "content" in arguments:
            data = as_bytes(arguments.pop("content"))
            if len(data) > MAX_BODY // 2:
                raise ValueError(
                    f"content has {len(data)} bytes; at most {MAX_BODY // 2} bytes can be sent. "
                    "Write the file into the folder 'sources' instead."
                )
            arguments["base64"] = base64.b64encode(data).decode("ascii")
        return arguments

    def read_result(self, text: bytes) -> Any:
        """Return the result that a reply holds."""
        if self.is_json:
            return text.decode()
        reply = json.loads(text)
        return self.decode(reply if self.result is None else reply[self.result])

    # server

    def read_arguments(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        """Return the arguments of a request; raise ValueError where they do not fit the method."""
        names = self.parameters
        if self.method == "GET":
            found = {name: read(query[name]) for name, read in _QUERY.items() if name in names and name in query}
            if "table" in names:
                if ("id" in query) == ("name" in query):
                    raise ValueError("Give the 'id' or the 'name' of the table.")
                found["table"] = int(query["id"]) if "id" in query else query["name"]
            return found
        if not names:
            return {}
        match body:
            case dict():
                arguments: dict[str, Any] = dict(body)
            case _:
                raise ValueError(f"The body must be a JSON object with the keys {', '.join(names)}.")
        if "content" in names:
            match arguments:
                case {"base64": str()}:
                    arguments["content"] = base64.b64decode(arguments.pop("base64"), validate=True)
                case {"text": str()}:
                    arguments["content"] = arguments.pop("text")
        try:
            inspect.signature(self.function).bind(None, **arguments)
        except TypeError as exc:
            raise ValueError(f"The body does not fit: {exc}.") from None
        return arguments

    def write_result(self, result: Any) -> str:
        """Return the text of the reply with a result."""
        if self.is_json:
            return str(result)
        value = {} if result is None else self.encode(result)
        return json.dumps(value if self.result is None else {self.result: value})


_MARKED: dict[Callable[..., Any], Operation] = {}


def operation(
    method: str,
    path: str,
    result: str | None = None,
    *,
    encode: Callable[[Any], Any] = _unchanged,
    decode: Callable[[Any], Any] = _unchanged,
    is_json: bool = False,
) -> Callable[[_Method], _Method]:
    """Mark a method as an operation of the control API, and return it unchanged.

    The parameters are those of `Operation`.
    """

    def mark(function: _Method) -> _Method:
        _MARKED[function] = Operation(method, path, function, result, encode, decode, is_json)
        return function

    return mark


def operations_of(kind: type) -> list[Operation]:
    """Return the operations that are marked in a class."""
    return [_MARKED[function] for _, function in inspect.getmembers(kind, inspect.isfunction) if function in _MARKED]


def as_bytes(content: object) -> bytes:
    """Return the bytes of a file, text as UTF-8 with unchanged line ends; raise ValueError for other types."""
    match content:
        case str():
            return content.encode("utf-8")
        case bytes():
            return content
    raise ValueError(f"content is of type {type(content).__name__}; it must be str or bytes.")
