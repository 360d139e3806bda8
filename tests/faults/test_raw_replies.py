"""Replies that are wrong in one part, for every operation that changes something.

As soon as a byte of a request was sent, a reply that is not intact leaves the outcome unknown: the error says that the
request may have been carried out.
"""

import gzip
import re
import socket
import struct
import threading
from functools import partial

import pandas as pd
import pytest
from raw_service import REC_ID, RawService, chunked, framed

import pandas_clicdata as cd
from conftest import KNOWN, service_profile

DIALECTS = ("unversioned", "2025.3")
QUICK = cd.RetryPolicy(attempts=2, backoff=0, min_retry_after=0, max_retry_after=0)
FRAME = pd.DataFrame({"n": [0], "t": ["row 0"]})


def insert(session):
    return FRAME.clicdata.append(REC_ID, resume=False, session=session)


def create(session):
    return FRAME.clicdata.push("A new table", session=session)


def update(session):
    return FRAME.clicdata.update_rows(REC_ID, on="n", reconcile_wait=0, session=session)


def delete(session):
    return FRAME.clicdata.delete_rows(REC_ID, on="n", reconcile_wait=0, session=session)


def refresh(session):
    return cd.refresh(REC_ID, "append", session=session)


def post(session):
    return cd.request("POST", "/team", json={"name": "a"}, session=session)


# The call, and the beginning of its request line in each dialect.
OPERATIONS = {
    "insert": (insert, {"unversioned": f"POST /data/{REC_ID}/row", "2025.3": f"POST /data/{REC_ID}/insert"}),
    "create": (create, dict.fromkeys(DIALECTS, "POST /data")),
    "update": (update, dict.fromkeys(DIALECTS, f"PUT /data/{REC_ID}/row")),
    "delete": (delete, dict.fromkeys(DIALECTS, f"DELETE /data/{REC_ID}/row")),
    "refresh": (refresh, {"unversioned": f"POST /data/{REC_ID}/append", "2025.3": f"POST /table/{REC_ID}/refresh"}),
    "post": (post, dict.fromkeys(DIALECTS, "POST /team")),
}


def is_request_of(operation, dialect, request):
    line = f"{request.method} {request.path}".partition("?")[0]
    return line == OPERATIONS[operation][1][dialect]


# Otherwise the next request may use a connection that the service is closing.
CLOSING = b"Connection: close\r\n"
UNDECIDED = (
    402, 406, 407, 408, 410, 412, 417, 418, 421, 423, 424, 425, 428, 431, 451, 499, 500, 501, 502, 503, 504, 507, 511,
    520,
)  # fmt: skip


def refused(body, status, headers):
    """Return a refusal; the body of the good reply is not used."""
    return framed(b"{}", status, headers)


# The body of a good reply → a reply that is wrong in one part.
WRONG = {
    # the status line
    "no reply": lambda body: b"",
    "a status line without HTTP": lambda body: framed(body).replace(b"HTTP/1.1 ", b""),
    "another protocol": lambda body: framed(body).replace(b"HTTP/1.1", b"ICY"),
    "a version that is not HTTP/1": lambda body: framed(body).replace(b"HTTP/1.1", b"HTTP/3"),
    "a status of two digits": lambda body: framed(body, "20 OK"),
    "a status of four digits": lambda body: framed(body, "2000 OK"),
    "a status with a sign": lambda body: framed(body, "+200 OK"),
    "a status with an underscore": lambda body: framed(body, "2_00 OK"),
    "a status that is text": lambda body: framed(body, "OK"),
    "a status beyond 599": lambda body: framed(body, "999 OK"),
    "no status": lambda body: framed(body, "").replace(b"HTTP/1.1 ", b"HTTP/1.1"),
    "a TLS alert": lambda body: b"\x15\x03\x01\x00\x02\x02\x46",
    "a blank line first": lambda body: b"\r\n" + framed(body),
    # interim and odd statuses
    "101": lambda body: framed(body, "101 Switching Protocols"),
    "102 and no more": lambda body: b"HTTP/1.1 102 Processing\r\n\r\n",
    "102 and then 500": lambda body: b"HTTP/1.1 102 Processing\r\n\r\n" + framed(b"{}", "500 Oops"),
    "102 cut off": lambda body: b"HTTP/1.1 102 Processing\r\nX: y",
    "206": lambda body: framed(body, "206 Partial Content"),
    "207": lambda body: framed(body, "207 Multi-Status"),
    "226": lambda body: framed(body, "226 IM Used"),
    **{
        f"{status} {where}": partial(framed, status=f"{status} Moved", headers=header)
        for status in (300, 301, 302, 303, 304, 305, 307, 308)
        for where, header in (("without Location", b""), ("with Location", b"Location: /elsewhere\r\n"))
        if status != 304 or where == "without Location"
    },
    **{
        f"{status} {with_or_without} Retry-After": partial(refused, status=f"{status} No", headers=header)
        for status in UNDECIDED
        for with_or_without, header in (("without", b""), ("with", b"Retry-After: 0\r\n"))
    },
    # the headers
    "a header without a colon": lambda body: framed(body, headers=b"what is this\r\n"),
    "a header before the status": lambda body: b"X: y\r\n" + framed(body),
    "headers that end with the connection": lambda body: b"HTTP/1.1 200 OK\r\nContent-Type: application/json",
    "headers without a blank line": lambda body: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
    "too many headers": lambda body: framed(body, headers=b"X: y\r\n" * 200),
    "a header without end": lambda body: framed(body, headers=b"X: " + b"y" * 70_000 + b"\r\n"),
    # the framing
    "no length and no body": lambda body: b"HTTP/1.1 200 OK\r\n\r\n",
    "no length and half a body": lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body[: len(body) // 2],
    "two lengths": lambda body: framed(body, headers=b"Content-Length: 4\r\n"),
    "two lengths in one header": lambda body: framed(body).replace(b"Length: ", b"Length: 4, "),
    "a negative length": lambda body: framed(body).replace(b"Length: ", b"Length: -"),
    "a length with a sign": lambda body: framed(body).replace(b"Length: ", b"Length: +"),
    "a hexadecimal length": lambda body: framed(body).replace(b"Length: ", b"Length: 0x"),
    "a length that is text": lambda body: framed(body).replace(b"Length: ", b"Length: about "),
    "an empty length": lambda body: b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n" + body,
    "a length beyond the body": lambda body: framed(body + b" ")[:-1],
    "a length far beyond the body": lambda body: framed(body).replace(b"Length: ", b"Length: 999999999"),
    "a length within the body": lambda body: framed(body) + b" ",
    "another reply after it": lambda body: framed(body) * 2,
    "a line end after it": lambda body: framed(body) + b"\r\n",
    "a 204 with a body": lambda body: b"HTTP/1.1 204 No Content\r\n\r\n" + body,
    "length and chunks": lambda body: chunked(body).replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n", 1),
    "chunks within gzip": lambda body: chunked(body).replace(b"chunked", b"gzip, chunked"),
    "chunked twice": lambda body: chunked(body).replace(b"chunked", b"chunked, chunked"),
    "another transfer encoding": lambda body: chunked(body).replace(b"chunked", b"identity"),
    "no last chunk": lambda body: chunked(body, end=b""),
    "a last chunk cut off": lambda body: chunked(body, end=b"0\r\n"),
    "a trailer cut off": lambda body: chunked(body, end=b"0\r\nX: y"),
    "a chunk cut off": lambda body: chunked(body)[: -len(body) // 2 - 7],
    "a chunk longer than its length": lambda body: chunked(body[:-3]).replace(b"\r\n0", body[-3:] + b"\r\n0"),
    "a chunk with a sign": lambda body: chunked(body).replace(b"\r\n\r\n", b"\r\n\r\n+", 1),
    "a chunk with 0x": lambda body: chunked(body).replace(b"\r\n\r\n", b"\r\n\r\n0x", 1),
    "a chunk without a length": lambda body: chunked(body).replace(b"\r\n\r\n", b"\r\n\r\n;", 1),
    "bytes after the last chunk": lambda body: chunked(body) + b"x",
    # the encoding
    "invalid gzip": lambda body: framed(body, headers=b"Content-Encoding: gzip\r\n"),
    "gzip cut off": lambda body: framed(gzip.compress(body)[:-1], headers=b"Content-Encoding: gzip\r\n"),
    "gzip without its end": lambda body: framed(gzip.compress(body)[:-8], headers=b"Content-Encoding: gzip\r\n"),
    "gzip with a wrong checksum": lambda body: framed(
        gzip.compress(body)[:-8] + b"\0" * 8, headers=b"Content-Encoding: gzip\r\n"
    ),
    "gzip and more": lambda body: framed(gzip.compress(body) + b"x", headers=b"Content-Encoding: gzip\r\n"),
    "an encoding that was not requested": lambda body: framed(body, headers=b"Content-Encoding: br\r\n"),
    "two encodings": lambda body: framed(gzip.compress(body), headers=b"Content-Encoding: gzip, gzip\r\n"),
    # the body
    "HTML": lambda body: framed(b"<html>Welcome</html>", headers=b"Content-Type: text/html\r\n"),
    "half of the body": lambda body: framed(body[: len(body) // 2] if len(body) > 2 else b"{"),
    "more than JSON": lambda body: framed(body + b"]"),
    "JSON twice": lambda body: framed(body + body if not body.isdigit() else body + b" " + body),
    "text that is not UTF-8": lambda body: framed(b'{"success": true, "a": "\xff"}'),
    "a key twice": lambda body: framed(b'{"success": false, "success": true}'),
    "NaN": lambda body: framed(b'{"success": true, "result": NaN}'),
    "success as text": lambda body: framed(b'{"success": "maybe", "error": {"code": "Odd"}}'),
    "no success": lambda body: framed(b'{"success": false}'),
    "an error": lambda body: framed(b'{"error": {"code": "Busy", "description": "Later."}}'),
    "JSON nested too deep": lambda body: framed(b"[" * 100_000 + b"]" * 100_000),
}  # fmt: skip


@pytest.fixture(scope="module", params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture(scope="module")
def service(dialect):
    with RawService(versioned=dialect != "unversioned") as running:
        yield running


@pytest.fixture
def session(service, dialect):
    """Open a new session for each test, so that no test uses the half-closed connection of another."""
    with cd.Session(
        api_key="canary-of-the-key",
        base_url=service.url,
        api_version=dialect,
        retry=QUICK,
        timeout=10,
        service_profile=service_profile(service.url, **KNOWN),
    ) as opened:
        yield opened


@pytest.fixture
def answered(service, dialect):
    """Return a function that scripts the reply to an operation; the connection is closed after it."""

    def script(operation, reply):
        def answer(request, connection):
            if not is_request_of(operation, dialect, request):
                return None
            connection.sendall(reply(service.content(request)))
            return False

        service.answer = answer

    yield script
    service.answer = lambda request, connection: None


def check_uncertain(error):
    """Check that the error says that the request may have been carried out, and that no sent row counts as unsent."""
    assert error.ambiguous
    if isinstance(error, cd.IncompleteWriteError) and error.operation not in ("create", "refresh"):
        assert (error.confirmed, error.unknown, error.unsent) == ([], [(0, 1)], [])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_with_a_good_reply_succeeds(session, operation):
    OPERATIONS[operation][0](session)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda body: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + framed(body), id="after 103"),
        pytest.param(lambda body: chunked(*filter(None, (body[:1], body[1:]))), id="chunks"),
        pytest.param(lambda body: chunked(body, end=b"0\r\nX: y\r\n\r\n"), id="a trailer"),
        pytest.param(
            lambda body: framed(gzip.compress(body), headers=b"Content-Encoding: gzip\r\n"), id="gzip"
        ),
        pytest.param(lambda body: framed(body, headers=b"Content-Length: %d\r\n" % len(body)), id="one length twice"),
        pytest.param(lambda body: framed(body).replace(b"HTTP/1.1 200 OK", b"HTTP/1.0 200"), id="HTTP/1.0"),
        pytest.param(lambda body: framed(body, "201 Created"), id="201"),
    ],
)  # fmt: skip
def test_an_operation_with_another_good_reply_succeeds(session, answered, operation, reply):
    # Without `Connection: close`, the next request could go out on the connection that the service is closing.
    header = re.compile(rb"\r\n(Content|Transfer)-")
    answered(operation, lambda body: header.sub(rb"\r\n" + CLOSING + rb"\1-", reply(body), count=1))
    OPERATIONS[operation][0](session)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", WRONG)
def test_the_outcome_is_unknown_after_a_reply_that_is_wrong_in_one_part(session, answered, operation, case):
    if operation == "create" and case in ("no success", "an error", "success as text"):
        pytest.skip("the service says that it did not create the table, and no row has left")
    answered(operation, WRONG[case])
    with pytest.raises(cd.ClicDataError) as caught:
        OPERATIONS[operation][0](session)
    check_uncertain(caught.value)


def cut_positions(operation):
    """Return where a good reply is cut off: at each byte for an insert and a delete, at some for the others."""
    return range(1, 400, 1 if operation in ("insert", "delete") else 7)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("make", [framed, chunked], ids=["length", "chunks"])
def test_the_outcome_is_unknown_after_a_reply_that_is_cut_off_anywhere(session, service, answered, operation, make):
    tried = 0
    for length in cut_positions(operation):
        whole: list[bytes] = []
        answered(operation, lambda body, length=length, whole=whole: whole.append(make(body)) or whole[-1][:length])
        try:
            OPERATIONS[operation][0](session)
        except cd.ClicDataError as error:
            check_uncertain(error)
            tried += 1
        else:
            assert length >= len(whole[-1]), f"cut off after {length} bytes: {whole[-1][:length]!r}"
            break
    assert tried >= 5


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", ["closed", "reset", "half-closed"])
def test_the_outcome_is_unknown_after_a_connection_that_ends_without_a_reply(
    session, service, dialect, operation, case
):
    def answer(request, connection):
        if not is_request_of(operation, dialect, request):
            return None
        if case == "reset":
            reset(connection)
        elif case == "half-closed":
            connection.shutdown(socket.SHUT_WR)
        return False

    service.answer = answer
    try:
        with pytest.raises(cd.ClicDataError) as caught:
            OPERATIONS[operation][0](session)
    finally:
        service.answer = lambda request, connection: None
    check_uncertain(caught.value)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", ["insert", "create", "refresh", "post"])
@pytest.mark.parametrize("status", ["408 Late", "425 Early", "499 Closed", "500 No", "502 No", "503 No", "504 No"])
def test_a_request_that_cannot_be_repeated_is_sent_once(session, service, answered, dialect, operation, status):
    answered(operation, lambda body: framed(b"{}", status, CLOSING + b"Retry-After: 0\r\n"))
    before = len(service.requests)
    with pytest.raises(cd.ClicDataError):
        OPERATIONS[operation][0](session)
    sent = [request for request in service.requests[before:] if is_request_of(operation, dialect, request)]
    # A lost create is looked up and repeated if the table does not exist, because a name cannot be used twice.
    assert len(sent) == (3 if operation == "create" else 1)


DECISIVE = (400, 401, 403, 404, 405, 409, 413, 415, 422, 429)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", ["insert", "update", "delete"])
@pytest.mark.parametrize("status", DECISIVE)
def test_a_row_is_unsent_after_a_complete_refusal(session, answered, operation, status):
    answered(operation, lambda body: framed(b'{"message": "No."}', f"{status} No", CLOSING + b"Retry-After: 0\r\n"))
    with pytest.raises(cd.IncompleteWriteError) as caught:
        OPERATIONS[operation][0](session)
    assert (caught.value.confirmed, caught.value.unknown, caught.value.unsent) == ([], [], [(0, 1)])
    assert not caught.value.ambiguous


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", ["insert", "update", "delete"])
@pytest.mark.parametrize("status", DECISIVE)
def test_the_outcome_is_unknown_after_a_refusal_that_is_cut_off(session, answered, operation, status):
    answered(operation, lambda body: framed(b'{"message": "No."}', f"{status} No")[:-1])
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        OPERATIONS[operation][0](session)
    check_uncertain(caught.value)


def test_the_outcome_is_unknown_after_a_reply_before_the_whole_request(dialect):
    """A proxy may reply before it has read the whole request, which the service then never receives."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(framed(b'{"success": true, "result": {"id": 1}}'))
                reset(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        session = cd.Session(api_key="k", base_url=url, api_version=dialect, retry=QUICK, timeout=10)
        with session, pytest.raises(cd.TransportError) as caught:
            cd.request("POST", "/team", json={"name": "x" * 20_000_000}, session=session)
        thread.join()
    assert caught.value.ambiguous


def test_the_number_of_cases():
    assert len(WRONG) >= 110


@pytest.mark.parametrize("where", ["a row", "the page", "a nested value"])
def test_a_page_with_a_key_twice_is_not_read(service, session, where):
    """If a cell has two values, it is unknown which of them is correct."""
    pages = {
        "a row": b'{"data": [{"n": 1, "t": "a", "n": 2}], "has_more_data": false}',
        "the page": b'{"data": [{"n": 1, "t": "a"}], "data": [], "has_more_data": false}',
        "a nested value": b'{"data": [{"n": {"x": 1, "x": 2}, "t": "a"}], "has_more_data": false}',
    }
    page = pages[where]

    def answer(request, connection):
        if not request.path.startswith(f"/data/{REC_ID}"):
            return None
        connection.sendall(framed(b'{"success": true, "result": ' + page + b"}" if service.versioned else page))
        return True

    service.answer = answer
    try:
        with pytest.raises(cd.IncompleteReadError, match="key twice"):
            cd.read_clicdata(REC_ID, session=session)
    finally:
        service.answer = lambda request, connection: None
