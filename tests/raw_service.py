"""A service on raw sockets that replies as ClicData does, or with the exact bytes that a test provides."""

import json
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

TABLE, REC_ID = "T", 7


@dataclass
class RawRequest:
    """A request as it was received."""

    method: str
    path: str
    body: bytes
    connection: int
    number: int = 0


class RawService:
    """Serve the replies that ``answer`` sends, a function of a request and its connection.

    ``answer`` returns whether the connection stays open. If it returns None, the service sends a good reply for a small
    table, in the dialect that ``versioned`` selects.
    """

    def __init__(self, *, versioned, answer=lambda request, connection: None):
        self.versioned = versioned
        self.answer = answer
        self.requests = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *args):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection = self._socket.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._serve, args=(connection, len(self._threads)))
                with self._lock:
                    self._open.add(connection)
                    self._threads.append(thread)
                thread.start()

    def _serve(self, connection, number):
        with suppress(OSError), connection, connection.makefile("rb") as file:
            while (request := self._read(file, number)) is not None:
                with self._lock:
                    self.requests.append(request)
                    request.number = len(self.requests)
                stays_open = self.answer(request, connection)
                if stays_open is None:
                    connection.sendall(self.good_reply(request))
                elif not stays_open:
                    break
        with self._lock:
            self._open.discard(connection)

    def _read(self, file, number):
        line = file.readline()
        if not line.strip():
            return None
        method, path, _ = line.decode().split(" ")
        headers = {}
        while (header := file.readline()).strip():
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        return RawRequest(method, path, file.read(int(headers.get("content-length", 0))), number)

    def good_reply(self, request):
        """Return the reply to a request that succeeds."""
        return framed(self.content(request))

    def content(self, request):
        """Return the JSON body of that reply."""
        rows = rows_in(request)
        answers = (
            (r"GET /account", {"id": 1, "name": "Raw"}, {"id": 1, "name": "Raw"}),
            (r"GET /(data|table)(\?|$)", {"count": 1, "data": [_LISTED]}, [_LISTED]),
            (rf"GET /data/{REC_ID}", _PAGE, _PAGE),
            (r"POST /data(\?|$)", 8, {"id": 8}),
            (r"POST /data/[0-9]+/(row|insert)", {"success": True}, {"rows_inserted": rows, "rows_found": rows}),
            (r"", {"success": True}, None),
        )
        line = f"{request.method} {request.path}"
        plain, result = next(answer for pattern, *answer in answers if re.match(pattern, line))
        if not self.versioned:
            return json.dumps(plain).encode()
        counts = {"result_total_count": 1, "current_page": 1, "page_size": 100, "has_more_results": False}
        return json.dumps({"success": True, "result": result, "pagination": counts}).encode()


def rows_in(request):
    """Return the number of rows in an insert request."""
    return request.body.count(b'"n"')


_LISTED = {"rec_id": REC_ID, "name": TABLE}
_PAGE = {
    "data": [{"n": 0, "t": "row 0"}],
    "has_more_data": False,
    "columns": [{"name": "n", "data_type": "number"}, {"name": "t", "data_type": "text"}],
}


def framed(body, status="200 OK", headers=b""):
    """Return a complete reply with a Content-Length header."""
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status.encode(), headers, len(body), body)


def chunked(*parts, end=b"0\r\n\r\n"):
    """Return a complete reply in chunked encoding."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + end
