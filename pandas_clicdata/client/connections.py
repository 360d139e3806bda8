"""Connections that carry one exchange at a time and refuse a reply whose end or content is uncertain.

``http.client`` is lenient: it accepts the end of the connection as the end of the headers, the first of two lengths,
and an interim reply as the final one, and it drops bytes that follow a reply. A write must not accept any of these,
because each can make a failed request look successful.
"""

from __future__ import annotations

import http.client
import io
import itertools
import re
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


_PART_BYTES = 1 << 16
_READ_BYTES = 1 << 20
"""A page in one piece, because another thread may need Python between two pieces."""
_READ_BYTES_AT_ONCE = 1 << 24
"""The most that is read in one piece if the length is declared. Pieces need their memory twice when they are joined."""
_MAX_LINE_BYTES = 1 << 16
_MAX_INTERIM_REPLIES = 20
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({204, 304})
_GZIP = zlib.MAX_WBITS | 16
_connection_ids = itertools.count(1)


class BrokenReply(http.client.HTTPException):
    """The reply is not valid HTTP, so its end or content is uncertain."""


class TooManyBytes(Exception):
    """The reply is larger than the session allows."""


@dataclass
class ExchangeState:
    """The state of the exchange on the connection of a thread.

    Attributes
    ----------
    unsolicited : set of int
        The numbers of the connections that received bytes which no request asked for. The threads of a transport share
        this set.
    connection : int
        The number of the connection of the last request. Each connection has another number.
    sending : bool
        Whether a byte of the request may have been sent.
    cut_short : bool
        Whether sending the request failed. A reply may still have come.
    surplus : bool
        Whether bytes followed the reply.
    framed : bool
        Whether the reply declares its end, other than by the end of the connection.
    opened : object or None
        The connection, with ``has_unread_bytes`` and ``idle``. None before the first exchange.
    """

    unsolicited: set[int] = field(default_factory=set)
    connection: int = 0
    sending: bool = False
    cut_short: bool = False
    surplus: bool = False
    framed: bool = True
    opened: _Connection | None = None

    def begin(self) -> None:
        """Reset the state for a new exchange."""
        self.sending = self.cut_short = self.surplus = False
        self.framed = True

    def end(self) -> None:
        """Check that no bytes follow the reply that was read.

        Raises
        ------
        BrokenReply
            Bytes follow, so it is uncertain which of them reply to this request.
        """
        if self.opened is not None and self.opened.has_unread_bytes():
            self.surplus = True
        if self.surplus:
            self.unsolicited.add(self.connection)
            raise BrokenReply("bytes followed the reply")
        if self.opened is not None:
            self.opened.idle = True


class _DeadlineReader(io.RawIOBase):
    """The bytes of a socket, until a deadline."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw = raw
        self._deadline = time.monotonic() + seconds
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self.ended:
            return None
        if time.monotonic() >= self._deadline:
            raise TimeoutError("the reply began, but did not end in time")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ReplyReader(io.BufferedReader):
    """A reader that returns only complete lines, and notices bytes that follow a reply."""

    def __init__(self, source: _DeadlineReader, state: ExchangeState) -> None:
        super().__init__(source)
        self._source = source
        self._state = state
        self._begun = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        too_long = size is not None and 0 <= size <= len(line)
        if not line.endswith(b"\n") and not too_long and (line or self._begun):
            raise BrokenReply("the connection ended inside the status line, the headers or a chunk's length")
        self._begun = True
        return line

    def close(self) -> None:
        if not self.closed:
            self._source.ended = True
            with suppress(ValueError):
                self._state.surplus |= bool(self.peek(1))
        super().close()


def _response_class(state: ExchangeState, seconds: float) -> type[http.client.HTTPResponse]:
    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = _ReplyReader(_DeadlineReader(self.fp.detach(), seconds), state)

        def _read_status(self) -> tuple[str, int, str]:
            for _ in range(_MAX_INTERIM_REPLIES):
                line = self.fp.readline(_MAX_LINE_BYTES)
                if not line:
                    raise http.client.RemoteDisconnected("Remote end closed connection without response")
                found = _STATUS_LINE.fullmatch(line)
                if found is None:
                    raise BrokenReply("it does not start with a status line of HTTP/1")
                version, status, reason = (part.decode("latin-1") for part in found.groups(b""))
                if int(status) == _SWITCHING_PROTOCOLS:
                    raise BrokenReply("the service switched to another protocol")
                if not status.startswith("1"):
                    return version, int(status), reason
                # http.client skips only 100 of the interim replies, which come before the final one.
                http.client.parse_headers(self.fp)
            raise BrokenReply("no final reply follows the interim replies")

        def begin(self) -> None:
            super().begin()
            state.framed = self._framed()

        def _read_next_chunk_size(self) -> int:
            line = self.fp.readline(_MAX_LINE_BYTES)
            found = _CHUNK_SIZE.match(line)
            if found is None:
                raise BrokenReply("the length of a chunk is malformed")
            return int(found[1], 16)

        def _safe_read(self, amt: int) -> bytes:
            data: bytes = super()._safe_read(amt)  # type: ignore[misc]
            if self.chunk_left == 0 and data != b"\r\n":
                raise BrokenReply("a chunk is longer than its declared length")
            return data

        def _framed(self) -> bool:
            """Return whether the reply declares its end.

            Raises
            ------
            BrokenReply
                It does so twice, in a malformed or in an unknown form.
            """
            if self.msg.defects:
                raise BrokenReply("its headers are malformed")
            encodings = [each.strip().lower() for each in self.msg.get_all("transfer-encoding", [])]
            lengths = [part.strip() for each in self.msg.get_all("content-length", []) for part in each.split(",")]
            if encodings not in ([], ["chunked"]):
                raise BrokenReply(f"Transfer-Encoding: {', '.join(encodings)}")
            if encodings and lengths:
                raise BrokenReply("it has both a Content-Length and a Transfer-Encoding")
            if len(set(lengths)) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
                raise BrokenReply(f"Content-Length: {', '.join(lengths)}")
            return bool(encodings or lengths or self.status in _WITHOUT_BODY)

    return Response


class ConnectionAdapter(HTTPAdapter):
    """An adapter for requests whose connections are strict and have a deadline.

    Parameters
    ----------
    state : ExchangeState
        Where the connections record the exchange.
    seconds : float
        The deadline of a reply, including its status line and headers. The time-out of the socket for the last part of
        the reply is added. A request has the same time until it is sent.
    part_seconds : float
        The time-out for each part of a request, after the connection is made.
    """

    def __init__(self, state: ExchangeState, seconds: float, part_seconds: float) -> None:
        self._state = state
        self._seconds = seconds
        self._part_seconds = part_seconds
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Create the pool of direct connections."""
        super().init_poolmanager(*args, **options)
        self._make_strict(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Return the pool of connections through a proxy."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            self._make_strict(manager)
        return manager

    def _make_strict(self, manager: urllib3.PoolManager) -> None:
        response = _response_class(self._state, self._seconds)

        def strict(pool: Any) -> Any:
            classes: dict[type, type] = {}

            def connection_class(_: object) -> type:
                # Looked up for each connection, because packages such as vcrpy replace the class for a while.
                base = pool.ConnectionCls
                if base not in classes:
                    classes[base] = type(base.__name__, (_Connection, base), members)
                return classes[base]

            # With a debuglevel, which a program can set for all connections, http.client prints all headers.
            members = {
                "response_class": response, "state": self._state, "debuglevel": 0, "seconds": self._seconds,
                "part_seconds": self._part_seconds,
            }  # fmt: skip
            return type(pool.__name__, (_Pool, pool), {"ConnectionCls": property(connection_class)})

        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: strict(pool) for scheme, pool in pools.items()}


class _Pool:
    """A mixin for the pools of urllib3."""

    scheme: str

    def _validate_conn(self, conn: Any) -> None:
        # urllib3 warns here of each connection without a certificate check. The user has asked for it by verify=False.
        if self.scheme == "https" and conn.sock is None:
            conn.connect()


class _Connection:
    """A mixin for the connection classes of urllib3."""

    state: ExchangeState
    seconds: float
    part_seconds: float
    sock: Any
    idle: bool = False
    _number = 0
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False
        self._number = next(_connection_ids)

    def send(self, data: ReadableBuffer) -> None:
        if self.sock is None:
            self.connect()
        if not self._connecting:
            self.idle = False
            self.state.sending = True
            self.state.connection = self._number
            self.state.opened = self
        try:
            if self._connecting:
                # The request for a tunnel, which is part of the connection.
                super().send(data)  # type: ignore[misc]
            else:
                self._send_in_parts(memoryview(data).cast("B"))
        except OSError:
            self.state.cut_short = True
            raise

    def _send_in_parts(self, data: memoryview) -> None:
        # The socket still has the time-out of the connection, and would apply it to all of the data.
        self.sock.settimeout(self.part_seconds)
        deadline = time.monotonic() + self.seconds
        for start in range(0, len(data), _PART_BYTES):
            if time.monotonic() >= deadline:
                raise TimeoutError("the request could not be sent in time")
            super().send(data[start : start + _PART_BYTES])  # type: ignore[misc]

    def close(self) -> None:
        if self.idle and self.has_unread_bytes():
            self.state.unsolicited.add(self._number)
        self.idle = False
        super().close()  # type: ignore[misc]

    def has_unread_bytes(self) -> bool:
        """Return whether the connection holds unread bytes, and read one of them; False if the connection is closed."""
        sock = self.sock
        if sock is None or self._connecting:
            return False
        try:
            pending = getattr(sock, "pending", None)
            if not (pending is not None and pending()) and not wait_for_read(sock, timeout=0):
                return False
            before = sock.gettimeout()
            sock.settimeout(0)
            try:
                return bool(sock.recv(1))
            finally:
                sock.settimeout(before)
        except (OSError, ValueError, TypeError):
            # TypeError: urllib3 also closes connections when the interpreter shuts down and modules are cleared.
            return False


class RawReply(Protocol):
    """A reply whose body has not been read, such as a ``urllib3.HTTPResponse``."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in any case."""
        ...

    def read(self, amt: int, decode_content: bool) -> bytes:
        """Read at most this number of bytes."""
        ...


def read_body(raw: RawReply, max_bytes: int) -> bytes:
    """Read and decode the complete body of a reply.

    Parameters
    ----------
    raw : RawReply
        The reply.
    max_bytes : int
        The maximum size of the body, both before and after it is decoded.

    Returns
    -------
    bytes
        The decoded body.

    Raises
    ------
    TooManyBytes
        The body is larger.
    BrokenReply
        The body is shorter than its headers declare, or its encoding is unexpected, damaged or incomplete.
    """
    length = None if raw.status in _WITHOUT_BODY else raw.headers.get("Content-Length")
    parts = _bounded(_parts(raw, length, max_bytes), max_bytes)
    match raw.headers.get("Content-Encoding", "").strip().lower():
        case "" | "identity":
            pass
        case "gzip" | "x-gzip":
            parts = _bounded(_unzipped(parts, max_bytes), max_bytes)
        case _:
            raise BrokenReply("its Content-Encoding was not requested")
    return b"".join(parts)


def _parts(raw: RawReply, length: str | None, max_bytes: int) -> Iterator[bytes]:
    declared = None if length is None else int(length.partition(",")[0])
    at_once = _READ_BYTES if declared is None else min(max(declared, 1), max_bytes + 1, _READ_BYTES_AT_ONCE)
    count = 0
    while part := raw.read(at_once, decode_content=False):
        count += len(part)
        yield part
    # urllib3 1.26 does not check this.
    if declared is not None and count != declared:
        raise BrokenReply(f"it ended after {count:,} of {length} bytes")


def _bounded(parts: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    count = 0
    for part in parts:
        count += len(part)
        if count > max_bytes:
            raise TooManyBytes
        yield part


def _unzipped(parts: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """Decompress a gzip stream to its end, so that an incomplete stream is an error."""
    decoder = zlib.decompressobj(_GZIP)
    empty = True
    try:
        for part in parts:
            empty, rest = False, part
            while rest:
                if decoder.eof:
                    # A gzip stream may have several members.
                    decoder = zlib.decompressobj(_GZIP)
                yield decoder.decompress(rest, max_bytes + 1)
                rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    except zlib.error as exc:
        raise BrokenReply(f"its content is not gzip: {exc}") from None
    if not empty and not decoder.eof:
        raise BrokenReply("its gzip content is incomplete")
