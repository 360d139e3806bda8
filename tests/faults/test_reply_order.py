"""Replies that come twice on a kept-alive connection, so that they look like replies to the next request."""

import itertools

import pandas as pd
import pytest
from raw_service import REC_ID, RawService, framed, rows_in

import pandas_clicdata as cd

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("unversioned", "2025.3")
QUICK = cd.RetryPolicy(attempts=2, backoff=0, min_retry_after=0, max_retry_after=0)
ROWS = 20
CUT_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"
FRAME = pd.DataFrame({"n": range(ROWS), "t": [f"row {n}" for n in range(ROWS)]})


def is_insert(request):
    return request.method == "POST" and request.path.startswith(f"/data/{REC_ID}/")


class Repeating:
    """Reply twice to one insert.

    The second reply comes ``at once``, before the reply to the ``next`` request, or ``instead`` of that reply, which
    then comes one request late.
    """

    def __init__(self, service, timing, nth):
        self.service, self.timing, self.nth = service, timing, nth
        self.inserts = itertools.count(1)
        self.received = 0
        self.pending = {}

    def __call__(self, request, connection):
        number = next(self.inserts) if is_insert(request) else None
        reply = self.service.good_reply(request)
        if number is not None:
            self.received += rows_in(request)
        late = self.pending.pop(request.connection, b"")
        if number == self.nth:
            if self.timing == "at once":
                connection.sendall(reply + reply)
            else:
                connection.sendall(reply)
                self.pending[request.connection] = reply
        elif late and self.timing == "instead":
            # From now on, each reply on this connection belongs to the request before.
            connection.sendall(late)
            self.pending[request.connection] = reply
        else:
            connection.sendall(late + reply)
        return True


@pytest.fixture(params=DIALECTS)
def service(request):
    with RawService(versioned=request.param != "unversioned") as running:
        running.dialect = request.param
        yield running


@pytest.fixture
def session(service):
    with cd.Session(api_key="k", base_url=service.url, api_version=service.dialect, retry=QUICK, timeout=10) as opened:
        yield opened


@pytest.mark.parametrize("timing", ["at once", "next", "instead"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_duplicate_reply_confirms_no_other_batch(service, session, timing, nth, workers):
    service.answer = Repeating(service, timing, nth)
    error = None
    try:
        receipt = FRAME.clicdata.append(REC_ID, resume=False, chunksize=5, workers=workers, session=session)
    except cd.IncompleteWriteError as exc:
        error = exc
    if error is not None:
        assert error.unknown
        ranges = sorted([*error.confirmed, *error.unknown, *error.unsent])
        assert [row for start, stop in ranges for row in range(start, stop)] == list(range(ROWS))
        unsent = sum(stop - start for start, stop in error.unsent)
        assert service.answer.received == ROWS - unsent
        if service.dialect == "unversioned" and timing != "at once":
            # The replies on this connection cannot be distinguished.
            assert workers > 1 or error.confirmed == []
    else:
        # The connection was not used again.
        assert receipt.sent == service.answer.received == ROWS
        assert workers > 1


def test_the_last_reply_may_belong_to_the_batch_before(service, session):
    """Only the request that ends the use of the connection follows the last insert."""
    batches = len([request for request in sent_by(service, session) if is_insert(request)])
    service.answer = Repeating(service, "instead", batches - 1)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        FRAME.clicdata.append(REC_ID, resume=False, chunksize=5, session=session)
    if service.dialect == "unversioned":
        assert (caught.value.confirmed, caught.value.unknown) == ([], [(0, ROWS)])
        assert "More replies than requests" in str(caught.value)
    else:
        assert caught.value.unknown[-1][1] == ROWS
        assert caught.value.confirmed


def sent_by(service, session):
    before = len(service.requests)
    FRAME.clicdata.append(REC_ID, resume=False, chunksize=5, session=session)
    return service.requests[before:]


def test_consecutive_counted_batches_on_a_connection_differ_in_size(service, session):
    for chunksize, workers in itertools.product((5, 2), (1, 3)):
        before = len(service.requests)
        FRAME.clicdata.append(REC_ID, resume=False, chunksize=chunksize, workers=workers, session=session)
        by_connection: dict[int, list[int]] = {}
        for request in filter(is_insert, service.requests[before:]):
            by_connection.setdefault(request.connection, []).append(rows_in(request))
        assert sum(itertools.chain(*by_connection.values())) == ROWS
        for sizes in by_connection.values():
            assert max(sizes) <= chunksize
            if service.dialect != "unversioned":
                assert all(one != other for one, other in itertools.pairwise(sizes))


def test_counted_batches_of_one_row_use_a_connection_each(service, session):
    before = len(service.requests)
    FRAME.head(4).clicdata.append(REC_ID, resume=False, chunksize=1, session=session)
    connections = [request.connection for request in service.requests[before:] if is_insert(request)]
    assert len(connections) == 4
    assert len(set(connections)) == (1 if service.dialect == "unversioned" else 4)


@pytest.mark.parametrize(
    "reply",
    [
        framed(b'{"message": "No."}', "400 Bad Request"),
        framed(b'{"message": "No."}', "403 Forbidden"),
        framed(b"{}", "429 Too Many Requests"),
        framed(b"{}", "500 Oops"),
        CUT_OFF,
        framed(b"<html>"),
    ],
    ids=["400", "403", "429", "500", "cut off", "HTML"],
)
def test_an_error_to_the_last_request_adds_a_note(service, session, reply):
    def answer(request, connection):
        if not request.path.startswith("/account"):
            return None
        connection.sendall(reply)
        return reply is not CUT_OFF

    service.answer = answer
    receipt = FRAME.clicdata.append(REC_ID, resume=False, session=session)
    assert receipt.sent == ROWS
    noted = 1 if service.dialect == "unversioned" else 0
    assert [note.startswith("At the end, it could not be checked that each reply") for note in receipt.notes] == [
        True
    ] * noted


@pytest.mark.parametrize("written", ["2.0", "2", '"2"', "2e0"])
def test_counts_are_read_in_every_notation(service, session, written):
    counts = f'{{"rows_inserted": {written}, "rows_found": {written}}}'
    body = f'{{"success": true, "result": {counts}}}' if service.dialect != "unversioned" else None
    body = body or f'{{"success": true, "rows_inserted": {written}, "rows_found": {written}}}'

    def answer(request, connection):
        if not is_insert(request):
            return None
        connection.sendall(framed(body.encode()))
        return True

    service.answer = answer
    receipt = FRAME.head(2).clicdata.append(REC_ID, resume=False, session=session)
    assert (receipt.status, receipt.confirmed) == ("confirmed", 2)
    with pytest.raises(cd.PartialWriteError) as caught:
        FRAME.head(3).clicdata.append(REC_ID, resume=False, session=session)
    assert (caught.value.sent, caught.value.counted, caught.value.unknown) == (3, 2, [(0, 3)])
