"""Connections that carry one exchange at a time and refuse a reply whose end or content is not certain.

``http.client`` is lenient: it takes the end of the connection for the end of the headers, the first of two lengths for
the length, an interim reply for the final one, and drops bytes that follow a reply. A write cannot afford any of these,
because each of them can make a request look done that is not.
"""

from __future__ import annotations

import http.client
import io
import itertools
import re
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


_PART_BYTES = 1 << 16
_LONGEST_LINE = 1 << 16
_MOST_INTERIM_REPLIES = 20
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({204, 304})
_GZIP = zlib.MAX_WBITS | 16
_connection_ids = itertools.count(1)


class BrokenReply(http.client.HTTPException):
    """The reply breaks the rules of HTTP, so that its end or content is not certain."""


class TooManyBytes(Exception):
    """The reply is larger than the session allows."""


@dataclass
class Wire:
    """What is known of the exchange on one thread's connection.

    Attributes
    ----------
    connection : int
        The number of the connection that the last request was sent on; each connection has another one.
    sending : bool
        Whether a byte of the request may have left.
    cut_short : bool
        Whether sending the request failed, although a reply may have come.
    surplus : bool
        Whether bytes followed the reply.
    framed : bool
        Whether the reply says where it ends, other than by the end of the connection.
    doubted : set of int
        Connections that bytes arrived on which no request asked for. The transport shares it between threads.
    """

    doubted: set[int] = field(default_factory=set)
    connection: int = 0
    sending: bool = False
    cut_short: bool = False
    surplus: bool = False
    framed: bool = True
    opened: Any = None

    def begin(self) -> None:
        """Forget the last exchange."""
        self.sending = self.cut_short = self.surplus = False
        self.framed = True

    def end(self) -> None:
        """Look for bytes behind the reply that has just been read.

        Raises
        ------
        BrokenReply
            There are some, so that it is not certain which of them answer this request.
        """
        if self.opened is not None and self.opened.has_unread_bytes():
            self.surplus = True
        if self.surplus:
            self.doubted.add(self.connection)
            raise BrokenReply("bytes followed the reply")
        if self.opened is not None:
            self.opened.idle = True


class _Source(io.RawIOBase):
    """What a socket gives, until its time is over."""

    def __init__(self, below: io.RawIOBase, seconds: float) -> None:
        self._below = below
        self._ends = time.monotonic() + seconds
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self.ended:
            return None
        if time.monotonic() >= self._ends:
            raise TimeoutError("the reply has begun, but takes too long to come to its end")
        return self._below.readinto(buffer)

    def close(self) -> None:
        self._below.close()
        super().close()


class _Reader(io.BufferedReader):
    """Reads whole lines only, and notices what is left behind a reply."""

    def __init__(self, source: _Source, wire: Wire) -> None:
        super().__init__(source)
        self._source = source
        self._wire = wire
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
                self._wire.surplus |= bool(self.peek(1))
        super().close()


def _response_class(wire: Wire, seconds: float) -> type[http.client.HTTPResponse]:
    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = _Reader(_Source(self.fp.detach(), seconds), wire)

        def _read_status(self) -> tuple[str, int, str]:
            for _ in range(_MOST_INTERIM_REPLIES):
                line = self.fp.readline(_LONGEST_LINE)
                if not line:
                    raise http.client.RemoteDisconnected("Remote end closed connection without response")
                found = _STATUS_LINE.fullmatch(line)
                if found is None:
                    raise BrokenReply("it does not begin with a status line of HTTP/1")
                version, status, reason = (part.decode("latin-1") for part in found.groups(b""))
                if int(status) == _SWITCHING_PROTOCOLS:
                    raise BrokenReply("the service switched to another protocol")
                if not status.startswith("1"):
                    return version, int(status), reason
                # http.client knows 100 alone of the interim replies, which the final one follows.
                http.client.parse_headers(self.fp)
            raise BrokenReply("no final reply follows the interim ones")

        def begin(self) -> None:
            super().begin()
            wire.framed = self._framed()

        def _read_next_chunk_size(self) -> int:
            line = self.fp.readline(_LONGEST_LINE)
            found = _CHUNK_SIZE.match(line)
            if found is None:
                raise BrokenReply("the length of a chunk is malformed")
            return int(found[1], 16)

        def _safe_read(self, amt: int) -> bytes:
            data: bytes = super()._safe_read(amt)  # type: ignore[misc]
            if self.chunk_left == 0 and data != b"\r\n":
                raise BrokenReply("a chunk is longer than it says")
            return data

        def _framed(self) -> bool:
            """Whether the reply says where it ends.

            Raises
            ------
            BrokenReply
                It says so in two ways that may differ, or in one that is not known.
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
    """The adapter of requests with connections that are strict and bounded.

    Parameters
    ----------
    wire : Wire
        Where the connections note what happens.
    seconds : float
        How long a reply may take, status line and headers included, beside the socket's own time-out for its last part.
    """

    def __init__(self, wire: Wire, seconds: float) -> None:
        self._wire = wire
        self._seconds = seconds
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._make_strict(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            self._make_strict(manager)
        return manager

    def _make_strict(self, manager: urllib3.PoolManager) -> None:
        response = _response_class(self._wire, self._seconds)

        def strict(pool: Any) -> Any:
            # http.client prints all headers where a program has set its debuglevel for all connections.
            members = {"response_class": response, "wire": self._wire, "debuglevel": 0}
            connection = type(pool.ConnectionCls.__name__, (_Connection, pool.ConnectionCls), members)
            return type(pool.__name__, (pool,), {"ConnectionCls": connection})

        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: strict(pool) for scheme, pool in pools.items()}


class _Connection:
    """What is added to urllib3's connections, which are the other base."""

    wire: Wire
    sock: Any
    idle = False
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
            self.wire.sending = True
            self.wire.connection = self._number
            self.wire.opened = self
        try:
            super().send(data)  # type: ignore[misc]
        except OSError:
            self.wire.cut_short = True
            raise

    def close(self) -> None:
        if self.idle and self.has_unread_bytes():
            self.wire.doubted.add(self._number)
        self.idle = False
        super().close()  # type: ignore[misc]

    def has_unread_bytes(self) -> bool:
        """Whether bytes wait on the connection; False where it is closed or at its end. It takes one of them."""
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
            # TypeError: urllib3 also closes connections when the interpreter has taken the modules apart.
            return False


def read_body(raw: Any, most: int) -> bytes:
    """Read the body of a reply to its end, decoded.

    Parameters
    ----------
    raw : urllib3.HTTPResponse
        The reply, of which only the headers are read.
    most : int
        How many bytes it may have, before and after it is decoded.

    Raises
    ------
    TooManyBytes
        It has more.
    BrokenReply
        It has fewer bytes than its headers say, is encoded in a way that was not asked for, or its encoded content is
        damaged or cut off.
    """
    length = None if raw.status in _WITHOUT_BODY else raw.headers.get("Content-Length")
    parts = _bounded(_parts(raw, length), most)
    match raw.headers.get("Content-Encoding", "").strip().lower():
        case "" | "identity":
            pass
        case "gzip" | "x-gzip":
            parts = _bounded(_unzipped(parts, most), most)
        case _:
            raise BrokenReply("its Content-Encoding is not one that was asked for")
    return b"".join(parts)


def _parts(raw: Any, length: str | None) -> Iterator[bytes]:
    count = 0
    while part := raw.read(_PART_BYTES, decode_content=False):
        count += len(part)
        yield part
    # urllib3 1.26 does not look.
    if length is not None and count != int(length.partition(",")[0]):
        raise BrokenReply(f"it ended after {count:,} of {length} bytes")


def _bounded(parts: Iterator[bytes], most: int) -> Iterator[bytes]:
    count = 0
    for part in parts:
        count += len(part)
        if count > most:
            raise TooManyBytes
        yield part


def _unzipped(parts: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Decompress to the end of the stream, which a reply that is cut off does not reach."""
    decoder = zlib.decompressobj(_GZIP)
    empty = True
    try:
        for part in parts:
            empty, rest = False, part
            while rest:
                if decoder.eof:
                    # A gzip stream may have several members.
                    decoder = zlib.decompressobj(_GZIP)
                yield decoder.decompress(rest, most + 1)
                rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    except zlib.error as exc:
        raise BrokenReply(f"its content is not gzip: {exc}") from None
    if not empty and not decoder.eof:
        raise BrokenReply("its encoded content is cut off")
