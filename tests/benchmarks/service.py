"""A service that costs nothing: it has its replies ready, stores nothing, and can answer late.

Run as a process of its own. It prints the number of its port, and ends when its input ends, so that it does not outlive
the process that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import threading
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

PAGE_ROWS = 1000
TABLE_ID = 7
_PAGE = re.compile(rb"[?&]page=([0-9]+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Pages:
    """The pages of a table, cut from a ring of rows that are JSON text already.

    Parameters
    ----------
    rows : sequence of bytes
        The ring. If its length and the rows of a page have no common divisor, no two pages are the same.
    total : int
        The number of rows in the table.
    columns : list of dict or None
        The list of columns beside the rows; None for a service that does not send it.
    versioned : bool
        The dialect.
    """

    def __init__(self, rows: Sequence[bytes], total: int, columns: list[dict[str, str]] | None, versioned: bool):
        self._total = total
        self._versioned = versioned
        self._listed = b"" if columns is None else b',"columns":' + json.dumps(columns).encode()
        # Twice around, so that each page is one slice.
        twice = [*rows, *rows[: min(len(rows), PAGE_ROWS)]]
        self._ring = len(rows)
        self._text = b",".join(twice)
        self._starts = [0, *accumulate(len(row) + 1 for row in twice)]

    def page(self, number: int) -> bytes:
        """Return the body of a page; one beyond the end has no rows."""
        first = (number - 1) * PAGE_ROWS
        count = max(0, min(PAGE_ROWS, self._total - first))
        at = first % self._ring
        rows = self._text[self._starts[at] : self._starts[at + count] - 1] if count else b""
        more = first + count < self._total
        if not self._versioned:
            return b'{"data":[%b],"has_more_data":%b%b}' % (rows, _json(more), self._listed)
        pagination = {
            "result_count": count,
            "result_total_count": self._total,
            "current_page": number,
            "page_size": PAGE_ROWS,
            "has_more_results": more,
            "last_page": not more,
        }
        return b'{"success":true,"result":{"data":[%b]%b},"pagination":%b}' % (rows, self._listed, _json(pagination))


def load_pages(file: str, total: int, *, listed: bool, versioned: bool) -> Pages:
    """Return the pages of a file that holds the list of columns and then a row in each line."""
    columns, *rows = Path(file).read_bytes().splitlines()
    return Pages(rows[:total], total, json.loads(columns) if listed else None, versioned)


class Replies:
    """The bodies of all replies, in one dialect."""

    def __init__(self, pages: Pages, versioned: bool) -> None:
        self._pages = pages
        self._versioned = versioned

    def body(self, method: bytes, target: bytes, content: bytes) -> bytes:
        """Return the body of the reply to a request."""
        path = target.partition(b"?")[0]
        if path.startswith(b"/oauth20/"):
            return _json({"access_token": "a", "token_type": "Bearer", "expires_in": 36000})
        if method == b"GET" and path.startswith(b"/data/"):
            page = _PAGE.search(target)
            return self._pages.page(int(page[1]) if page else 1)
        if method == b"GET" and path in (b"/data", b"/table"):
            return self._wrapped([], {"result_count": 0, "result_total_count": 0, "has_more_results": False})
        if method == b"GET":
            return self._wrapped({"id": 1, "name": "Benchmark"})
        if path == b"/data":
            return self._wrapped(TABLE_ID)
        if not self._versioned:
            return b'{"success":true}'
        # A row begins with a brace. No value of the frames holds this text.
        count = content.count(b"},{") + 1
        return self._wrapped({"rows_inserted": count, "rows_found": count})

    def _wrapped(self, result: object, pagination: dict[str, Any] | None = None) -> bytes:
        if self._versioned:
            return _json({"success": True, "result": result} | ({"pagination": pagination} if pagination else {}))
        return _json({"count": 0, "data": result} if isinstance(result, list) else result)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class _Connection(asyncio.Protocol):
    """Answers one request after the other, each ``delay`` seconds after its last byte."""

    def __init__(self, replies: Replies, delay: float) -> None:
        self._replies = replies
        self._delay = delay
        self._received = bytearray()
        self._head = 0
        self._end = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._end:
            self._head = self._received.find(b"\r\n\r\n") + 4
            if self._head < 4:
                return
            length = _LENGTH.search(self._received, 0, self._head)
            self._end = self._head + (int(length[1]) if length else 0)
        if len(self._received) < self._end:
            return
        method, target, _ = bytes(self._received[: self._received.find(b"\r\n")]).split(b" ")
        body = self._replies.body(method, target, memoryview(self._received)[self._head :].tobytes())
        # Head and body in one packet: a client acknowledges a small first packet only after 40 ms.
        reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        self._received, self._head, self._end = bytearray(), 0, 0
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, reply)
        else:
            self._transport.write(reply)


async def _serve(replies: Replies, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(_Connection, replies, delay), "127.0.0.1", 0, backlog=128)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="the columns and the rows")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--dialect", choices=("versioned", "unversioned"), required=True)
    parser.add_argument("--delay", type=float, default=0, help="seconds before each reply")
    parser.add_argument("--unlisted", action="store_true", help="send no list of columns beside the rows")
    options = parser.parse_args()
    versioned = options.dialect == "versioned"
    pages = load_pages(options.file, options.rows, listed=not options.unlisted, versioned=versioned)
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_serve(Replies(pages, versioned), options.delay))


if __name__ == "__main__":
    main()
