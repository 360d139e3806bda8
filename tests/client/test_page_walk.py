"""Lists that come in pages: several pages are requested at a time, and the checks are those of one after the other."""

import contextlib
import json
import threading

import pyarrow as pa
import pytest
from interrupts import press_ctrl_c
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata._models import Column
from pandas_clicdata.client.prefetch import DEFAULT_WORKERS as WORKERS

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

SIZE = 100


class Lister:
    """A service that lists tables or teams on pages of 100, and does what a test asks for on each page."""

    def __init__(self, pages, *, states=("total", "more"), on_page=lambda number: None):
        self.pages, self.states, self.on_page = pages, states, on_page
        self.requested = []
        self._lock = threading.Lock()

    def answer(self, request):
        number = int(request.query.get("page", 1))
        with self._lock:
            self.requested.append(number)
        reply = self.on_page(number)
        if reply is not None:
            return reply
        ids = range((number - 1) * SIZE, min(number * SIZE, self.pages * SIZE - 1))
        entries = [{"id": each, "name": f"T {each}"} for each in ids]
        pagination = {"current_page": number, "page_size": SIZE}
        if "total" in self.states:
            pagination["result_total_count"] = self.pages * SIZE - 1
        if "more" in self.states:
            pagination["has_more_results"] = number < self.pages
        body = {"success": True, "result": entries, "pagination": pagination}
        return 200, {}, json.dumps(body).encode()


REFUSED: tuple[int, dict[str, str], bytes] = 400, {}, b'{"success": false, "error": {"code": "NoSuchPage"}}'


@pytest.fixture
def on(http_service):
    """Return a function that starts a service and opens a session on it; both end with the test."""
    with contextlib.ExitStack() as stack:

        def start(service):
            url = stack.enter_context(http_service(service.answer))
            return stack.enter_context(cd.Session(api_key="hush", base_url=url, api_version="2025.3"))

        yield start


def list_tables(session):
    return cd.Data(session).get_data()["rec_id"].tolist()


def list_teams(session):
    return cd.Team(session).get_team()["rec_id"].tolist()


lists = pytest.mark.parametrize("listed", [list_tables, list_teams])


@lists
@pytest.mark.parametrize("states", [("total", "more"), ("total",), ("more",), ()])
@pytest.mark.parametrize("pages", [1, 2, 3, 5, 9])
def test_every_page_comes_once_and_in_order(on, listed, states, pages):
    service = Lister(pages, states=states)
    assert listed(on(service)) == list(range(pages * SIZE - 1))
    assert sorted(service.requested)[:pages] == list(range(1, pages + 1))
    if "total" in states:
        assert len(service.requested) == pages
    else:
        # As many pages ahead as have arrived; and where nothing shows the end, the empty page behind it.
        assert len(service.requested) <= pages + WORKERS
        assert len(service.requested) <= 2 * pages


@lists
def test_pages_are_requested_together(on, listed):
    together = threading.Barrier(WORKERS, timeout=60)

    def on_page(number):
        if number > 1:
            together.wait()

    service = Lister(1 + 2 * WORKERS, on_page=on_page)
    assert len(listed(on(service))) == service.pages * SIZE - 1


@lists
def test_a_page_beyond_the_end_may_fail(on, listed):
    service = Lister(5, states=["more"], on_page=lambda number: REFUSED if number > 5 else None)
    assert len(listed(on(service))) == 5 * SIZE - 1


@lists
def test_a_failed_page_ends_the_walk(on, listed):
    service = Lister(30, on_page=lambda number: REFUSED if number == 3 else None)
    with pytest.raises(cd.ApiError, match="NoSuchPage"):
        listed(on(service))
    # Those that were requested together with it, and those that took their place until it failed.
    assert len(service.requested) <= 1 + 2 * WORKERS


@lists
def test_a_page_that_lacks_entries_is_noticed(on, listed):
    empty = json.dumps({"success": True, "result": [], "pagination": {"current_page": 7}}).encode()
    service = Lister(9, states=["total"], on_page=lambda number: (200, {}, empty) if number == 7 else None)
    with pytest.raises(cd.IncompleteReadError):
        listed(on(service))


def test_an_interrupt_ends_the_walk_although_pages_do_not_arrive(on):
    held, hold = [], threading.Event()

    def on_page(number):
        if number > 1:
            held.append(number)
            hold.wait(60)

    service = Lister(30, on_page=on_page)

    def interrupt():
        wait_until(lambda: len(held) == WORKERS)
        press_ctrl_c()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list_tables(on(service))
    hold.set()
    thread.join()
    assert sorted(service.requested) == list(range(1, 2 + WORKERS))


def test_a_table_on_an_early_page_is_found_without_the_others(on):
    service = Lister(30)
    with pytest.raises(cd.TableExistsError, match="RecId 150"):
        cd.push(pa.table({"n": [1]}), "T 150", session=on(service))
    assert len(service.requested) <= 1 + WORKERS


def test_all_tables_of_a_sandbox_are_listed(serve):
    sandbox, session = serve()
    client = session._client
    made = [client.create_table(f"Table {number}", "", [Column("n", "number")]) for number in range(201)]
    sandbox.requests.clear()
    assert [table.rec_id for table in client.list_tables()] == made
    assert sandbox.requests.counts()["list"] == 3
