"""The transport: retries, redirects, proxies, and the mapping of third-party exceptions."""

import contextlib
import email.utils
import os
import socket
import ssl
import threading
import time

import pytest
import requests
import trustme
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd
from pandas_clicdata._models import Reply, Request, RetryPolicy, Secret
from pandas_clicdata.client.transport import Transport, retry_after_seconds

NO_WAIT = RetryPolicy(attempts=4, backoff=0, min_retry_after=0, max_retry_after=0)
GET = Request(operation="read", method="GET", path="/data/1", repeatable=True)
POST = Request(operation="insert", method="POST", path="/data/1/row", body=b"{}")
DELETE = Request(operation="delete", method="DELETE", path="/data/1/row", body=b"{}", repeatable=True)
OK: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")


class Time:
    """A clock that only sleeping advances, and that records the sleeps."""

    def __init__(self):
        self.now = 0.0
        self.slept = []
        self.options = {"clock": lambda: self.now, "sleep": self.sleep}

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Answers:
    """Send the answers in turn, and repeat the last one."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]


@pytest.fixture
def transport():
    """Return a function that opens transports that are closed after the test."""
    made = []

    def make(url, **options):
        options = {"retry": NO_WAIT, "trust_environment": False, "timeout": 5, **options}
        made.append(Transport(url, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


RETRY = {
    # answer: (tries of a GET, of a DELETE, of a POST)
    "429": ((429, {}, b""), 4, 4, 4),
    "429 with Retry-After": ((429, {"Retry-After": "1"}, b""), 4, 4, 4),
    "503 with Retry-After": ((503, {"Retry-After": "1"}, b""), 4, 4, 1),
    "500": ((500, {}, b""), 4, 4, 1),
    "502": ((502, {}, b""), 4, 4, 1),
    "503": ((503, {}, b""), 4, 4, 1),
    "504": ((504, {}, b""), 4, 4, 1),
    "501": ((501, {}, b""), 1, 1, 1),
    "400": ((400, {}, b""), 1, 1, 1),
    "401": ((401, {}, b""), 1, 1, 1),
    "404": ((404, {}, b""), 1, 1, 1),
    "200": (OK, 1, 1, 1),
    "304": ((304, {"Content-Length": "0"}, b""), 1, 1, 1),
    "no answer": (None, 4, 4, 1),
    "not HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", 4, 4, 1),
    "cut off in the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 4, 4, 1),
    "cut off in a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 4, 4, 1),
    "invalid chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nab", 4, 4, 1),
    "invalid gzip": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 4, 4, 1),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", 4, 4, 1),
    "a line without end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 4, 4, 1),
    "a redirect to nowhere": (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", 1, 1, 1),
    "a redirect to an invalid port": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:abc/\r\nContent-Length: 0\r\n\r\n", 1, 1, 1,
    ),
    "a redirect that is not UTF-8": (b"HTTP/1.1 302 F\r\nLocation: /\xff\r\nContent-Length: 0\r\n\r\n", None, 1, 1),
    "a redirect cut off": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\nabc", None, None, 1),
}  # fmt: skip


@pytest.mark.parametrize("request_", [GET, DELETE, POST], ids=lambda request: request.method)
@pytest.mark.parametrize("case", RETRY)
def test_retries_by_reply_and_method(http_service, transport, case, request_):
    answer, *tries = RETRY[case]
    expected = tries[["GET", "DELETE", "POST"].index(request_.method)]
    answers = Answers(answer)
    with http_service(answers) as url:
        if isinstance(answer, tuple):
            reply = transport(url).send(request_, {})
            assert (reply.status, reply.attempts) == (answer[0], expected)
        else:
            with pytest.raises(cd.TransportError) as caught:
                transport(url).send(request_, {})
            assert caught.value.ambiguous == (request_.method != "GET")
            assert caught.value.operation == request_.operation
            assert expected is None or caught.value.attempts == expected
        assert expected is None or len(answers.requests) == expected


@pytest.mark.parametrize("request_", [GET, DELETE, POST], ids=lambda request: request.method)
def test_without_a_connection_nothing_was_sent(transport, request_):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(cd.ConnectionFailedError) as caught:
            transport(url).send(request_, {})
    assert caught.value.attempts == 4
    assert not caught.value.ambiguous
    assert isinstance(caught.value, ConnectionError)
    assert isinstance(caught.value.__cause__, requests.ConnectionError)


def test_a_name_that_does_not_resolve_raises(transport):
    with pytest.raises(cd.ConnectionFailedError):
        transport("http://nowhere.invalid").send(POST, {})


@pytest.mark.parametrize("request_", [GET, DELETE, POST], ids=lambda request: request.method)
@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], ids=["nothing", "part"])
def test_a_reply_that_times_out_raises(transport, request_, part):
    with socket.create_server(("127.0.0.1", 0)) as server:
        opened = []

        def serve():
            for _ in range(1 if request_ is POST else 2):
                connection = server.accept()[0]
                opened.append(connection)
                connection.recv(65536)
                connection.sendall(part)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(cd.RequestTimeoutError) as caught:
            transport(
                f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.1, retry=RetryPolicy(attempts=2, backoff=0)
            ).send(request_, {})
        thread.join()
        for connection in opened:
            connection.close()
    assert caught.value.attempts == len(opened)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.ambiguous == (request_ is not GET)


@pytest.mark.sampled(0)
@pytest.mark.parametrize("request_", [GET, POST], ids=lambda request: request.method)
@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "],
    ids=["body", "headers"],
)
def test_a_reply_that_arrives_slowly_times_out(transport, request_, start):
    ended, completed = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(start)
                for _ in range(3000):
                    if ended.wait(0.02):
                        return
                    connection.sendall(b"y")
                completed.set()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        # The timeout is longer than the time between two bytes.
        sender = transport(url, timeout=0.1, retry=RetryPolicy(attempts=1))
        with pytest.raises(cd.RequestTimeoutError) as caught:
            sender.send(request_, {})
        ended.set()
        thread.join()
    assert not completed.is_set()
    assert caught.value.ambiguous == (request_ is POST)


def test_a_long_reply_in_many_parts_is_complete(http_service, transport):
    body = os.urandom(20_000_000)
    with http_service(Answers((200, {}, body))) as url:
        assert transport(url).send(GET, {}).body == body


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Create the certificate of TunnelProxy, with its key, and the authority that issued it."""
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes())
    return str(path)


def hang_up(connection):
    """Close a connection so that a pending read returns."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class TunnelProxy:
    """A proxy that forwards every request to one service, and is the TLS endpoint of the tunnels that it opens."""

    def __init__(self, service, bundle):
        self._target = ("127.0.0.1", int(service.rpartition(":")[2]))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(bundle)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = []
        self._open = []
        self._start(self._accept)

    def _start(self, target, *args):
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._socket.accept()[0])

    def _serve(self, client):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(lambda: hang_up(client))
            self._open.append(client)
            first = client.recv(65536)
            if first.startswith(b"CONNECT"):
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                client = self._tls.wrap_socket(client, server_side=True)
                self._open.append(client)
                first = client.recv(65536)
            upstream = socket.create_connection(self._target)
            stack.callback(hang_up, upstream)
            self._open.append(upstream)
            upstream.sendall(first)
            self._start(self._relay, client, upstream)
            self._relay(upstream, client)

    def _relay(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            hang_up(connection)
        for thread in self._threads:
            thread.join()


def test_a_connection_without_certificate_check_prints_no_warning_of_another_package(
    transport, http_service, bundle, recwarn
):
    with http_service(Answers(OK)) as service, TunnelProxy(service, bundle) as proxy:
        unchecked = transport("https://127.0.0.1", verify=False, proxies={"https": Secret(proxy.url)})
        assert unchecked.send(GET, {}).status == 200
        unchecked.close()
    assert [str(each.message) for each in recwarn] == []


@pytest.mark.parametrize("with_tls", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_time_to_connect_does_not_limit_the_sending_of_a_body(transport, bundle, with_tls):
    body = bytes(20_000_000)

    def serve(listener):
        connection = listener.accept()[0]
        if with_tls:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(bundle)
            connection = tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as file:
            while file.readline().strip():
                pass
            # Longer than the time to connect: the buffers are full, so the client waits.
            time.sleep(2)
            received.append(file.read(len(body)))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"{'https' if with_tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        sender = transport(url, timeout=(1, 60), verify=bundle)
        reply = sender.send(Request(operation="insert", method="POST", path="/data/1/row", body=body), {})
        sender.close()
        thread.join()
    assert (reply.status, received == [body]) == (200, True)


class StaleServer:
    """Reply to the first request on a connection, and never to the second.

    This happens if a service closes an idle connection just when a request arrives.
    """

    def __init__(self):
        self.ignored = 0
        self.answered = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        self._open.append(connection)
        with contextlib.closing(connection):
            if connection.recv(65536):
                self.answered += 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                if connection.recv(65536):
                    self.ignored += 1

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            hang_up(connection)
        for thread in self._threads:
            thread.join()


def test_an_idle_connection_is_not_reused(transport):
    now = [0.0]
    # Without a body, a request is sent in one piece.
    bare = Request(operation="insert", method="POST", path="/data/1/row")
    with StaleServer() as server:
        sender = transport(server.url, clock=lambda: now[0], max_idle=1.0)
        for _ in range(5):
            assert sender.send(bare, {}).status == 200
            now[0] += 1.0
        assert (server.answered, server.ignored) == (5, 0)
        # Without a pause, the connection is reused, and a lost request has an unknown outcome.
        assert sender.send(bare, {}).status == 200
        now[0] += 0.5
        with pytest.raises(cd.ConnectionLostError) as caught:
            sender.send(bare, {})
        assert caught.value.ambiguous
        sender.close()
    assert server.ignored == 1


def test_a_wait_before_the_next_try_counts_as_idle(transport, http_service):
    clock = Time()
    ports = []

    def answer(request):
        ports.append(request.client)
        return (429, {"Retry-After": "30"}, b"") if len(ports) == 1 else OK

    with http_service(answer) as url:
        transport(url, **clock.options, retry=RetryPolicy()).send(POST, {})
    assert clock.now == 30
    assert ports[0] != ports[1]


def test_connections_are_kept_within_a_thread_and_not_shared(transport, http_service):
    ports = []

    def answer(request):
        ports.append(request.client)
        return OK

    with http_service(answer) as url:
        sender = transport(url)
        for _ in range(3):
            sender.send(POST, {})
        assert len(set(ports)) == 1
        thread = threading.Thread(target=sender.send, args=(POST, {}))
        thread.start()
        thread.join()
        assert len(set(ports)) == 2
        sender.close()
        sender.send(POST, {})
        assert len(set(ports)) == 3


def test_a_connection_is_not_reused_after_a_fault(transport, http_service):
    ports = []

    def answer(request):
        ports.append(request.client)
        return (200, {"Content-Encoding": "gzip"}, b"abc") if len(ports) == 1 else OK

    with http_service(answer) as url:
        sender = transport(url)
        with pytest.raises(cd.ConnectionLostError):
            sender.send(POST, {})
        sender.send(POST, {})
    assert ports[0] != ports[1]


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("7", 7), ("0", 2), ("1", 2), ("600", 50), ("soon", 10), ("", 10), ("-3", 10), (" 7 ", 7),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 2), ("in the year 2525", 10), (None, 10),
    ],
)  # fmt: skip
def test_the_wait_before_a_retry(transport, http_service, retry_after, expected):
    policy = RetryPolicy(attempts=2, backoff=10, max_backoff=10, min_retry_after=2, max_retry_after=50)
    clock = Time()
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    with http_service(Answers((429, headers, b""), OK)) as url:
        transport(url, retry=policy, **clock.options).send(POST, {})
    if expected == 10:
        assert 5 <= clock.now <= 10, "half of it is jitter"
    else:
        assert clock.slept == [expected]


def test_a_retry_waits_until_a_future_date(transport, http_service):
    clock = Time()
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    with http_service(Answers((429, {"Retry-After": date}, b""), OK)) as url:
        transport(url, retry=RetryPolicy(attempts=2), **clock.options).send(POST, {})
    assert 20 < clock.now <= 30


def test_backoff_doubles_up_to_its_cap_with_jitter(transport, http_service):
    waits: list[float] = []
    with http_service(Answers(None)) as url, pytest.raises(cd.ConnectionLostError):
        transport(url, retry=RetryPolicy(attempts=7, backoff=1, max_backoff=8), sleep=waits.append).send(GET, {})
    for wait, ceiling in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 <= wait <= ceiling
    assert len(set(waits)) == len(waits)


@settings(deadline=None)
@given(st.text() | st.integers().map(str) | st.floats().map(str))
def test_any_retry_after_is_seconds_or_none(value):
    seconds = retry_after_seconds(value, now=0)
    assert seconds is None or isinstance(seconds, float)


def test_a_date_without_a_zone_is_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert retry_after_seconds("Thu, 01 Jan 1970 00:01:00 -0000", now=0) == 60
    finally:
        monkeypatch.undo()
        time.tzset()


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://localhost:{port}/x", "//localhost:{port}/x", "https://127.0.0.1:{port}/x"])
def test_a_redirect_to_another_host_is_not_followed(transport, http_service, status, target):
    elsewhere = Answers(OK)
    with http_service(elsewhere) as other:
        location = target.format(port=other.rpartition(":")[2])
        with http_service(Answers((status, {"Location": location}, b""))) as url:
            for request in (GET, POST):
                with pytest.raises(cd.RedirectError, match="not followed") as caught:
                    transport(url).send(request, {"Authorization": Secret("Bearer canary")})
                assert caught.value.ambiguous == (request is POST)
    assert elsewhere.requests == []


# Targets of redirects: {real} is the port of the service, {evil} that of another server. Parsers disagree about the
# host in these; no redirect may be followed to the other server.
AMBIGUOUS_LOCATIONS = {
    "backslash": "http://127.0.0.1:{evil}\\@127.0.0.1:{real}/x",
    "two backslashes": "http://127.0.0.1:{evil}\\\\@127.0.0.1:{real}/x",
    "backslashes for slashes": "http:\\\\127.0.0.1:{evil}/x",
    "backslash within the path of no scheme": "/\\127.0.0.1:{evil}/x",
    "no scheme": "//127.0.0.1:{evil}\\@127.0.0.1:{real}/x",
    "three slashes": "///127.0.0.1:{evil}/x",
    "user name": "http://127.0.0.1:{real}@127.0.0.1:{evil}/x",
    "user name and password": "http://127.0.0.1:{real}:x@127.0.0.1:{evil}/x",
    "user name to the same host": "http://me@127.0.0.1:{real}/x",
    "two at signs": "http://me@127.0.0.1:{evil}@127.0.0.1:{real}/x",
    "at sign after a fragment": "http://127.0.0.1:{evil}#@127.0.0.1:{real}/x",
    "at sign after a query": "http://127.0.0.1:{evil}?@127.0.0.1:{real}/x",
    "tab": "http://127.0.0.1:{evil}\t@127.0.0.1:{real}/x",
    "tab in the scheme": "ht\ttp://127.0.0.1:{evil}/x",
    "blank": "http://127.0.0.1:{evil} @127.0.0.1:{real}/x",
    "percent-encoded at sign": "http://127.0.0.1:{evil}%40127.0.0.1:{real}/x",
    "percent-encoded slash": "http://127.0.0.1:{evil}%2f@127.0.0.1:{real}/x",
    "percent-encoded host": "http://%31%32%37.0.0.1:{evil}/x",
    "host in other digits": "http://\xb927.0.0.1:{evil}/x",
    "no host": "http://:{evil}/x",
    "port zero": "http://127.0.0.1:0/x",
    "port out of range": "http://127.0.0.1:{evil}65536/x",
    "port with zeros": "http://127.0.0.1:0000{evil}/x",
    "port with a sign": "http://127.0.0.1:+{evil}/x",
    "port in front of another": "http://127.0.0.1:{evil}:{real}/x",
    "IPv6 in front": "http://[::1]:{evil}@127.0.0.1:{real}/x",
    "IPv6 with a zone": "http://[::1%25lo]:{evil}/x",
    "IPv4 in IPv6": "http://[::ffff:127.0.0.1]:{evil}/x",
    "another name of the host": "http://localhost:{real}/x",
    "one number for the host": "http://2130706433:{evil}/x",
    "capitals in the scheme": "HTTP://127.0.0.1:{evil}\\@127.0.0.1:{real}/x",
    "another scheme": "https://127.0.0.1:{real}/x",
    "an unknown scheme": "httpx://127.0.0.1:{evil}/x",
    "a scheme without a host": "data:127.0.0.1:{evil}",
}


@pytest.mark.parametrize("location", AMBIGUOUS_LOCATIONS.values(), ids=AMBIGUOUS_LOCATIONS)
def test_a_redirect_is_followed_only_to_the_host_that_was_checked(transport, http_service, location):
    received = []

    def answer(request):
        received.append(request.target)
        return (302, {"Location": target}, b"") if len(received) == 1 else OK

    with socket.create_server(("127.0.0.1", 0)) as evil, http_service(answer) as url:
        evil.setblocking(False)
        target = location.format(evil=evil.getsockname()[1], real=url.rpartition(":")[2])
        # Some locations are a path of the service for both parsers, and requests itself refuses some.
        with contextlib.suppress(cd.RedirectError, cd.ConfigurationError, cd.ConnectionLostError):
            transport(url).send(GET, {"Authorization": Secret("Bearer canary")})
        with pytest.raises(BlockingIOError):
            evil.accept()
    assert received


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{real}/there", "HTTP://127.0.0.1:{real}/there", "//127.0.0.1:{real}/there", "there"]
)
def test_a_redirect_to_the_same_origin_is_followed(transport, http_service, location):
    def answer(request):
        if not request.path.endswith("/there"):
            return 302, {"Location": location.format(real=request.headers["Host"].rpartition(":")[2])}, b""
        return 200, {}, request.headers["Authorization"].encode()

    with http_service(answer) as url:
        assert transport(url).send(GET, {"Authorization": Secret("Bearer canary")}).body == b"Bearer canary"


def test_a_redirect_through_a_proxy_is_followed_only_to_the_host_that_was_checked(transport, http_service):
    """A proxy receives the whole URL and parses it again."""
    received = []

    def proxy(request):
        received.append(request.target)
        return 302, {"Location": "http://evil.example\\@127.0.0.1:1/x"}, b""

    with http_service(proxy) as url, pytest.raises(cd.RedirectError, match=r"redirect to evil\.example,"):
        transport("http://127.0.0.1:1", proxies={"http": Secret(url)}).send(GET, {"Authorization": Secret("canary")})
    assert received == ["http://127.0.0.1:1/data/1"]


@pytest.mark.parametrize("path", ["@127.0.0.1:{evil}/x", ":x@127.0.0.1:{evil}/x", ".evil.example/x", "{evil}/x"])
def test_a_path_cannot_name_another_host(transport, http_service, path):
    with socket.create_server(("127.0.0.1", 0)) as evil, http_service(Answers(OK)) as url:
        evil.setblocking(False)
        request = Request(operation="x", method="GET", path=path.format(evil=evil.getsockname()[1]))
        with pytest.raises(cd.ConfigurationError, match="cannot be sent"):
            transport(url).send(request, {"Authorization": Secret("Bearer canary")})
        with pytest.raises(BlockingIOError):
            evil.accept()


def test_a_get_is_redirected_on_the_same_host(transport, http_service):
    def answer(request):
        if request.path != "/there":
            return 302, {"Location": "/there?page=2"}, b""
        return 200, {}, f"{request.query} {request.headers['Authorization']}".encode()

    with http_service(answer) as url:
        reply = transport(url).send(GET, {"Authorization": Secret("Bearer canary")})
    assert reply.body == b"{'page': '2'} Bearer canary"


def test_a_redirect_loop_ends(transport, http_service):
    answers = Answers((302, {"Location": "/data/1"}, b""))
    with http_service(answers) as url, pytest.raises(cd.RedirectError, match="more than"):
        transport(url).send(GET, {})
    assert len(answers.requests) < 10


# The environment.


def test_netrc_is_ignored(transport, http_service, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    answers = Answers(OK)
    with http_service(answers) as url:
        assert requests.get(url, timeout=5).status_code == 200
        assert "Authorization" in answers.requests[0].headers, "this netrc works"
        transport(url, trust_environment=True).send(GET, {})
    assert "Authorization" not in answers.requests[1].headers


def test_cookies_are_not_kept(transport, http_service):
    answers = Answers((200, {"Set-Cookie": "session=1; Path=/"}, b""))
    with http_service(answers) as url:
        sender = transport(url)
        sender.send(GET, {})
        sender.send(GET, {})
    assert "Cookie" not in answers.requests[1].headers


@pytest.mark.parametrize("source", ["argument", "environment"])
def test_a_proxy_is_used(transport, http_service, monkeypatch, source):
    answers = Answers(OK)
    with http_service(answers) as proxy:
        options = {"proxies": {"http": Secret(proxy)}} if source == "argument" else {"trust_environment": True}
        if source == "environment":
            monkeypatch.setenv("http_proxy", proxy)
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
        assert transport("http://clicdata.invalid", **options).send(GET, {}).status == 200
    assert answers.requests[0].target == "http://clicdata.invalid/data/1"


def test_a_new_proxy_in_the_environment_is_used_after_an_idle_time(transport, http_service, monkeypatch):
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    now, answers, through = [0.0], Answers(OK), Answers(OK)
    with http_service(answers) as url, http_service(through) as proxy:
        sender = transport(url, trust_environment=True, clock=lambda: now[0], max_idle=1.0)
        sender.send(GET, {})
        monkeypatch.setenv("http_proxy", proxy)
        now[0] = 1.0
        assert sender.send(GET, {}).status == 200
    assert [len(each.requests) for each in (answers, through)] == [1, 1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_reply_lost_behind_a_proxy_is_an_unknown_outcome(http_service, transport, scheme, bundle):
    answers = Answers(None)
    with http_service(answers) as service, TunnelProxy(service, bundle) as proxy:
        sender = transport(f"{scheme}://127.0.0.1:1", proxies={scheme: Secret(proxy.url)}, verify=bundle)
        with pytest.raises(cd.ConnectionLostError) as caught:
            sender.send(POST, {})
    assert caught.value.ambiguous
    assert len(answers.requests) == 1


@pytest.mark.parametrize("answer", [(407, {}, b""), (502, {}, b"")])
def test_a_proxy_that_refuses_has_sent_nothing(http_service, transport, answer):
    answers = Answers(answer)
    with http_service(answers) as proxy:
        sender = transport("https://clicdata.invalid", proxies={"https": Secret(proxy)})
        with pytest.raises(cd.ConnectionFailedError) as caught:
            sender.send(POST, {})
    assert not caught.value.ambiguous
    assert {request.method for request in answers.requests} == {"CONNECT"}


def test_an_unreachable_proxy_has_sent_nothing(transport):
    for url in ("http://clicdata.invalid", "https://clicdata.invalid"):
        proxies = {scheme: Secret("http://nowhere.invalid:1") for scheme in ("http", "https")}
        with pytest.raises(cd.ConnectionFailedError):
            transport(url, proxies=proxies).send(POST, {})


def test_an_untrusted_certificate_is_refused(http_service, transport, bundle):
    with http_service(Answers(OK)) as service, TunnelProxy(service, bundle) as proxy:
        sender = transport("https://127.0.0.1:1", proxies={"https": Secret(proxy.url)})
        with pytest.raises(cd.ConfigurationError, match="CA bundle") as caught:
            sender.send(POST, {})
        assert not caught.value.ambiguous
        ok = transport("https://127.0.0.1:1", proxies={"https": Secret(proxy.url)}, verify=bundle)
        assert ok.send(POST, {}).status == 200


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_wrong_ca_bundle_is_named_and_not_retried(http_service, transport, monkeypatch, tmp_path, text):
    path = tmp_path / "bundle.pem"
    if text is not None:
        path.write_text(text)
        with pytest.raises(cd.ConfigurationError, match=r"verify='.*bundle\.pem'"):
            Transport("https://127.0.0.1:1", verify=str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    waits: list[float] = []
    with http_service(Answers(OK)) as url, pytest.raises(cd.ConfigurationError, match="REQUESTS_CA_BUNDLE") as caught:
        transport(url.replace("http:", "https:"), trust_environment=True, sleep=waits.append).send(GET, {})
    assert waits == []
    assert text is not None or str(path) in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://me:canary@127.0.0.1:1", "garbage://me:canary@127.0.0.1:1", "garbage://"])
def test_the_error_about_an_unsupported_proxy_names_it(transport, monkeypatch, proxy):
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", proxy)
    waits: list[float] = []
    with pytest.raises(cd.ConfigurationError, match="proxy") as caught:
        transport("https://clicdata.invalid", trust_environment=True, sleep=waits.append).send(GET, {})
    assert "canary" not in str(caught.value)
    assert waits == []


def test_a_server_without_tls_raises(http_service, transport):
    with http_service(Answers(OK)) as url, pytest.raises(cd.TransportError):
        transport(url.replace("http:", "https:")).send(POST, {})


@pytest.mark.parametrize(
    "timeout", [0, -1, float("inf"), float("nan"), None, "5", True, (1,), (1, 2, 3), (1, None), (0, 1), [1, 2]]
)
def test_invalid_timeouts_are_refused(timeout):
    with pytest.raises(cd.ConfigurationError, match="timeout"):
        Transport("http://localhost", timeout=timeout)


def subclasses(kind):
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


THIRD_PARTY = sorted(
    {
        each
        for root in (
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            ssl.SSLError,
            OSError,
            ValueError,
        )
        for each in (root, *subclasses(root))
        if each.__module__.partition(".")[0] in {"requests", "urllib3", "ssl", "builtins", "socket"}
        and not issubclass(each, cd.ClicDataError)
    },
    key=lambda each: (each.__module__, each.__qualname__),
)
ALSO_VALUE_ERRORS = (UnicodeError, requests.exceptions.InvalidURL)


class Raising(requests.adapters.BaseAdapter):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.tries = 0

    def send(self, *args, **kwargs):
        self.tries += 1
        exc = self.kind.__new__(self.kind)
        # Many exceptions take other arguments, which do not matter here.
        exc.args = ("canary",)
        exc.partial, exc.expected, exc.response, exc.length = 1, 2, None, b"x"
        raise exc

    def close(self):
        pass


@pytest.mark.parametrize("kind", THIRD_PARTY, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_third_party_exception_becomes_ours(kind, transport):
    sender = transport("http://localhost")
    adapter = Raising(kind)
    sender._session().mount("http://", adapter)
    with pytest.raises((cd.TransportError, cd.ConfigurationError)) as caught:
        sender.send(POST, {})
    known_unsent = isinstance(caught.value, cd.ConfigurationError | cd.ConnectionFailedError)
    assert caught.value.ambiguous != known_unsent
    assert adapter.tries == (4 if isinstance(caught.value, cd.ConnectionFailedError) else 1)
    if issubclass(kind, requests.Timeout | TimeoutError) and not known_unsent:
        assert isinstance(caught.value, cd.RequestTimeoutError)


def test_the_exceptions_of_the_libraries_are_found():
    assert len([kind for kind in THIRD_PARTY if kind.__module__.startswith(("requests", "urllib3"))]) > 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_process_opens_a_new_connection(transport, http_service):
    ports = []

    def answer(request):
        ports.append(request.client)
        return OK

    with http_service(answer) as url:
        sender = transport(url)
        sender.send(POST, {})
        local = sender._local
        local.pid -= 1  # as it looks after a fork
        sender.send(POST, {})
    assert len(set(ports)) == 2


def test_a_reply_shows_neither_body_nor_headers():
    reply = Reply(status=200, headers={"x": "canary"}, body=b"canary", secrets=(Secret("canary"),))
    assert "canary" not in repr(reply)
    assert reply.excerpt() == "***"
