"""Reads that request several pages at a time: the order of rows, the requests, the end, failures and limits."""

import contextlib
import json
import random
import threading
import time
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

ROWS = 10
ENDS = ("total", "more", "nothing")
"""What shows the end of a table: the number of rows, whether more pages follow, or only an empty page."""


class Service:
    """A table of pages of ten rows; a page can wait for an event, or have another reply."""

    def __init__(self, pages, end):
        self.pages = pages
        self.end = end
        self.requested = []
        self.gates = {}
        self.replies = {}
        self.busy = self.most = 0
        self.changed = threading.Condition()

    def __call__(self, request):
        page = int(request.query.get("page", 1))
        with self.changed:
            self.requested.append(page)
            self.busy += 1
            self.most = max(self.most, self.busy)
            self.changed.notify_all()
        if page in self.gates:
            assert self.gates[page].wait(20)
        with self.changed:
            self.busy -= 1
        reply = self.replies.get(page)
        return reply(page) if reply else (200, {}, self.body(page))

    def body(self, page):
        rows = [] if page > self.pages else [{"n": (page - 1) * ROWS + at} for at in range(ROWS)]
        if self.end == "total":
            paging = {"current_page": page, "result_total_count": self.pages * ROWS}
            return json.dumps({"success": True, "result": {"data": rows}, "pagination": paging}).encode()
        more = {"has_more_data": page < self.pages} if self.end == "more" else {}
        return json.dumps({"data": rows, **more}).encode()

    def wait_until(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, 20)


@pytest.fixture
def serve(http_service):
    with contextlib.ExitStack() as stack:

        def start(pages, end, **options):
            service = Service(pages, end)
            url = stack.enter_context(http_service(service))
            version = "2025.3" if end == "total" else "unversioned"
            session = stack.enter_context(cd.Session(api_key="hush", base_url=url, api_version=version, **options))
            return service, session

        yield start


def numbers(pages):
    return list(range(pages * ROWS))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("workers", [1, 2, 4, 16])
def test_rows_keep_their_order_whichever_page_comes_first(serve, end, workers):
    service, session = serve(23, end)
    delays = random.Random(workers)

    def answer_late(page):
        time.sleep(delays.random() / 50)
        return 200, {}, service.body(page)

    service.replies = dict.fromkeys(range(1, 25), answer_late)
    whole = cd.read_clicdata(7, workers=workers, session=session)
    assert whole["n"].to_list() == numbers(23)
    chunks = pd.concat(cd.read_clicdata(7, chunksize=7, workers=workers, session=session))
    assert chunks["n"].to_list() == numbers(23)
    batches = cd.read_clicdata_batches(7, workers=workers, session=session).read_all()
    assert batches["n"].to_pylist() == numbers(23)
    assert 1 <= service.most <= workers


@pytest.mark.parametrize("workers", [2, 5])
def test_as_many_pages_as_workers_are_requested_at_a_time(serve, workers):
    service, session = serve(40, "total")
    opened = threading.Event()
    service.gates = dict.fromkeys(range(2, 41), opened)
    reader = threading.Thread(target=lambda: cd.read_clicdata(7, workers=workers, session=session))
    reader.start()
    service.wait_until(lambda: service.busy == workers)
    opened.set()
    reader.join(20)
    assert service.most == workers
    assert sorted(service.requested) == list(range(1, 41))


@pytest.mark.parametrize("end", ENDS)
def test_a_slow_page_does_not_stop_the_others(serve, end):
    service, session = serve(30, end)
    service.gates = {12: threading.Event()}
    read = []
    reader = threading.Thread(target=lambda: read.append(cd.read_clicdata(7, workers=4, session=session)))
    reader.start()
    # Three more pages arrive meanwhile, and no others are requested, because they would wait in memory.
    service.wait_until(lambda: {13, 14, 15} <= set(service.requested) and service.busy == 1)
    assert max(service.requested) <= 16
    service.gates[12].set()
    reader.join(20)
    assert read[0]["n"].to_list() == numbers(30)


@pytest.mark.parametrize(("end", "most"), [("total", 0), ("more", 4), ("nothing", 4)])
def test_a_reader_that_pauses_has_only_a_few_pages_ahead(serve, end, most):
    service, session = serve(100, end)
    with_batches = cd.read_clicdata_batches(7, workers=4, session=session)
    for number in range(1, 9):
        assert with_batches.read_next_batch().num_rows == ROWS
        service.wait_until(lambda: not service.busy)
        assert max(service.requested) <= number + 4
    del with_batches


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("pages", [1, 2, 3, 5, 9])
def test_a_short_table_costs_few_requests(serve, end, pages):
    service, session = serve(pages, end)
    assert cd.read_clicdata(7, workers=16, session=session)["n"].to_list() == numbers(pages)
    if end == "total":
        assert sorted(service.requested) == list(range(1, pages + 1))
    else:
        # At most twice the pages of the table and its end, and two requests that confirm the end.
        assert len(service.requested) <= 2 * (pages + 1) + 2
    if pages == 1 and end == "more":
        assert set(service.requested) == {1}


@pytest.mark.parametrize("limit", [1, ROWS, ROWS + 1, 4 * ROWS])
@pytest.mark.parametrize("end", ENDS)
def test_a_limit_requests_only_the_pages_that_it_needs(serve, limit, end):
    service, session = serve(30, end)
    assert cd.read_clicdata(7, limit=limit, workers=8, session=session)["n"].to_list() == list(range(limit))
    assert max(service.requested) == -(-limit // ROWS)


BEYOND: dict[str, Any] = {
    "the last page again": lambda service: lambda page: (200, {}, service.body(service.pages)),
    "not found": lambda service: lambda page: (404, {}, b'{"error":{"code":"NotFound","description":"No page."}}'),
    "no JSON": lambda service: lambda page: (200, {}, b"oops"),
    "a failure": lambda service: lambda page: (500, {}, b"{}"),
    "no reply": lambda service: lambda page: None,
}


@pytest.mark.parametrize("reply", BEYOND)
def test_pages_beyond_the_end_are_not_looked_at(serve, reply):
    service, session = serve(10, "more", retry=cd.RetryPolicy(backoff=0.01))
    service.replies = dict.fromkeys(range(11, 30), BEYOND[reply](service))
    assert cd.read_clicdata(7, workers=8, session=session)["n"].to_list() == numbers(10)
    assert max(service.requested) > 10


@pytest.mark.parametrize("end", ENDS)
def test_a_page_that_fails_ends_the_read_while_others_are_on_their_way(serve, end):
    service, session = serve(30, end)
    never = threading.Event()
    service.gates = dict.fromkeys(range(8, 20), never)
    service.replies[7] = lambda page: (403, {}, b'{"error":{"code":"Forbidden","description":"No."}}')
    with pytest.raises(cd.IncompleteReadError, match=r"page 7 could not be read\. .*Forbidden") as caught:
        cd.read_clicdata(7, workers=4, session=session)
    assert not never.is_set()
    never.set()
    assert (caught.value.page, caught.value.received) == (7, 6 * ROWS)


def test_refused_pages_are_requested_again_one_at_a_time(serve):
    service, session = serve(30, "total", retry=cd.RetryPolicy(backoff=0.01, min_retry_after=0))
    refused: list[int] = []
    busy: list[int] = []

    def refuse_four(page):
        if len(refused) < 4:
            refused.append(page)
            # All four are refused before any of them is requested again.
            service.wait_until(lambda: len(refused) == 4)
            return 429, {"Retry-After": "0.1"}, b"{}"
        busy.append(service.busy)
        return 200, {}, service.body(page)

    service.replies = dict.fromkeys(range(2, 31), refuse_four)
    assert cd.read_clicdata(7, workers=4, session=session)["n"].to_list() == numbers(30)
    assert len(service.requested) == 30 + 4
    assert busy[0] == 0


def test_workers_must_be_a_whole_number(serve):
    service, session = serve(1, "total")
    wrong: Any
    for wrong in (0, -1, 1.5, "4", True):
        with pytest.raises((TypeError, ValueError), match="workers"):
            cd.read_clicdata(7, workers=wrong, session=session)
    assert service.requested == []
