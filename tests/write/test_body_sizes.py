"""Size limits: batches are limited in bytes and halved after a 413, and replies are limited in bytes."""

import gzip
import itertools
import json

import pandas as pd
import pytest
from raw_service import REC_ID, RawService, framed, rows_in

import pandas_clicdata as cd

DIALECTS = ("unversioned", "2025.3")
QUICK = cd.RetryPolicy(attempts=2, backoff=0, min_retry_after=0, max_retry_after=0)
ROWS = 300
FRAME = pd.DataFrame({"n": range(ROWS), "t": ["x" * 1000] * ROWS})


@pytest.fixture(params=DIALECTS)
def service(request):
    with RawService(versioned=request.param != "unversioned") as running:
        running.dialect = request.param
        yield running


@pytest.fixture
def open_session(service):
    opened = []

    def make(**options):
        options = {"retry": QUICK, "timeout": 10, **options}
        opened.append(cd.Session(api_key="k", base_url=service.url, api_version=service.dialect, **options))
        return opened[-1]

    yield make
    for session in opened:
        session.close()


def inserts(service):
    return [request for request in service.requests if request.path.startswith(f"/data/{REC_ID}/") and request.body]


def received_numbers(requests):
    """Return the ``n`` of each row, in the order of the requests."""
    rows = [row for request in requests for row in json.loads(request.body)["data"]]
    return [next(cell["value"] for cell in row if cell["column"] == "n") if isinstance(row, list) else row["n"]
            for row in rows]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 3])
def test_a_batch_is_no_larger_than_the_session_allows(service, open_session, workers):
    session = open_session(max_request_bytes=50_000)
    receipt = FRAME.clicdata.append(REC_ID, workers=workers, session=session)
    sent = inserts(service)
    assert sorted(received_numbers(sent)) == list(range(ROWS))
    assert max(len(request.body) for request in sent) <= 50_000
    # The batches are close to the limit: the first is cut by its own size, the others by the size of the first.
    assert ROWS * 1000 / 50_000 <= len(sent) == receipt.batches <= 12


def test_a_row_larger_than_the_limit_is_sent_alone(service, open_session):
    FRAME.head(3).clicdata.append(REC_ID, session=open_session(max_request_bytes=1))
    assert [rows_in(request) for request in inserts(service)] == [1, 1, 1]


def test_batches_of_rows_of_different_sizes_are_within_the_limit(service, open_session):
    frame = pd.DataFrame({"n": range(200), "t": ["x" * (10 if n % 50 else 30_000) for n in range(200)]})
    frame.clicdata.append(REC_ID, session=open_session(max_request_bytes=40_000))
    assert received_numbers(inserts(service)) == list(range(200))
    assert max(len(request.body) for request in inserts(service)) <= 40_000


@pytest.mark.sampled(1)
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("limit", [150_000, 40_000, 2_000])
def test_a_batch_refused_with_413_is_halved(service, open_session, workers, limit):
    received = []

    def answer(request, connection):
        if not request.path.startswith(f"/data/{REC_ID}/") or not request.body:
            return None
        if len(request.body) > limit:
            connection.sendall(framed(b'{"message": "Too large."}', "413 Content Too Large"))
        else:
            received.append(request)
            connection.sendall(service.good_reply(request))
        return True

    service.answer = answer
    receipt = FRAME.clicdata.append(REC_ID, workers=workers, session=open_session())
    assert sorted(received_numbers(received)) == list(range(ROWS))
    assert (receipt.sent, receipt.batches) == (ROWS, len(received))
    refused = len(inserts(service)) - len(received)
    assert refused <= workers * 9


def test_a_single_row_refused_with_413_is_unsent(service, open_session):
    def answer(request, connection):
        if b"x" * 2000 not in request.body:
            return None
        connection.sendall(framed(b'{"message": "Too large."}', "413 Content Too Large"))
        return True

    service.answer = answer
    frame = pd.DataFrame({"n": range(8), "t": ["x" * (2000 if n == 5 else 10) for n in range(8)]})
    with pytest.raises(cd.IncompleteWriteError, match="413") as caught:
        frame.clicdata.append(REC_ID, session=open_session())
    assert not caught.value.ambiguous
    assert caught.value.unknown == []
    unsent = [row for start, stop in caught.value.unsent for row in range(start, stop)]
    assert 5 in unsent
    good = [request for request in inserts(service) if b"x" * 2000 not in request.body]
    assert sorted([*received_numbers(good), *unsent]) == list(range(8))


def test_rows_are_unknown_if_the_service_closes_the_connection(service, open_session):
    """Some servers close the connection on a large body, without a reply."""
    service.answer = lambda request, connection: False if request.body else None
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        FRAME.clicdata.append(REC_ID, session=open_session())
    assert caught.value.unknown == [(0, ROWS)]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BOMB = gzip.compress(b" " * 50_000_000)
# Replies that never end, or are far larger than the limit of 1 MB.
ENDLESS = {
    "a length of 5 GB": (HEAD + b"Content-Length: 5000000000\r\n\r\n", b" " * 100_000),
    "no length": (HEAD + b"\r\n", b" " * 100_000),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"186a0\r\n" + b" " * 100_000 + b"\r\n"),
    "a gzip bomb": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB, b""),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b" " * 100_000),
    "an error": (b"HTTP/1.1 500 Oops\r\n\r\n", b" " * 100_000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60_000 + b"\r\n"),
    "interim replies": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
}


def send_endlessly(reply):
    """Return a function that sends an endless reply until the client closes the connection."""
    start, more = reply

    def answer(request, connection):
        connection.sendall(start)
        for _ in itertools.count() if more else ():
            connection.sendall(more)
        return False

    return answer


@pytest.mark.parametrize("case", ENDLESS)
def test_an_endless_reply_raises(service, open_session, case):
    session = open_session(max_reply_bytes=1_000_000, timeout=10)
    service.answer = send_endlessly(ENDLESS[case])
    with pytest.raises(cd.ClicDataError) as caught:
        cd.read_clicdata(REC_ID, session=session)
    bounded = case not in ("headers", "interim replies")
    assert isinstance(caught.value.__cause__, cd.ReplyTooLargeError) == bounded
    if bounded:
        assert "max_reply_bytes" in str(caught.value)
        # A retry would get the same reply.
        assert len(service.requests) == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("case", ENDLESS)
def test_an_endless_reply_to_a_write_is_an_unknown_outcome(service, open_session, case):
    session = open_session(max_reply_bytes=1_000_000, timeout=10)
    reply = send_endlessly(ENDLESS[case])
    service.answer = lambda request, connection: reply(request, connection) if request.body else None
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        FRAME.head(2).clicdata.append(REC_ID, session=session)
    assert caught.value.unknown == [(0, 2)]


def test_a_reply_of_exactly_the_limit_is_read(service, open_session):
    size = len(service.content(type("R", (), {"method": "GET", "path": f"/data/{REC_ID}?page=1", "body": b""})))
    assert len(cd.read_clicdata(REC_ID, session=open_session(max_reply_bytes=size))) == 1
    with pytest.raises(cd.IncompleteReadError):
        cd.read_clicdata(REC_ID, session=open_session(max_reply_bytes=size - 1))


@pytest.mark.parametrize("option", ["max_request_bytes", "max_reply_bytes"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, None])
def test_invalid_limits_are_refused(option, value):
    with pytest.raises(ValueError, match=option):
        cd.Session(api_key="k", **{option: value})
