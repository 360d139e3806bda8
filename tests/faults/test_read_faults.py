"""Faults during reads: a page that fails, repeats or lacks rows never yields a frame."""

import contextlib
import functools
import itertools
import json
import threading
from typing import Any

import pandas as pd
import pytest
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata.client.prefetch import DEFAULT_WORKERS
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

PAGE = 10
# A dialect, and the paging fields in its replies.
MODES = {
    "unversioned": ("unversioned", "full"),
    "full": ("2025.3", "full"),
    "minimal": ("2025.3", "minimal"),
    "bare": ("2025.3", "bare"),
}


@pytest.fixture(scope="module")
def sandboxes(new_sandbox):
    """Start a sandbox for each form of paging."""
    with contextlib.ExitStack() as stack:
        yield {
            form: stack.enter_context(new_sandbox(page_size=PAGE, assume=Assumptions(pagination=form)))
            for form in ("full", "minimal", "bare")
        }


@pytest.fixture
def filled(sandboxes, open_session, name):
    """Return a function that creates a table of several pages, the last with three rows, and opens a session."""
    used = []

    def make(mode, pages, *, column=None, **options):
        version, form = MODES[mode]
        session = open_session(sandboxes[form], version, **options)
        column = column if column is not None else range((pages - 1) * PAGE + 3)
        frame = pd.DataFrame({"n": column})
        rec_id = frame.clicdata.push(name, session=session).rec_id
        used.append(sandboxes[form])
        sandboxes[form].requests.clear()
        return sandboxes[form], session, rec_id, frame

    yield make
    for sandbox in used:
        sandbox.faults.clear()
        sandbox.faults.release()
        # A request that a failed read leaves behind would take the fault of the next test.
        wait_until(functools.partial(all_answered, sandbox))


def all_answered(sandbox):
    return all(request.seconds for request in sandbox.requests)


every_mode = pytest.mark.parametrize("mode", MODES)

READS = {
    "whole": lambda rec_id, session: cd.read_clicdata(rec_id, session=session),
    "chunks": lambda rec_id, session: pd.concat(cd.read_clicdata(rec_id, chunksize=7, session=session)),
    "batches": lambda rec_id, session: cd.read_clicdata_batches(rec_id, session=session).read_all(),
}

FAULTS: dict[str, Any] = {
    "fails": ("status", {"code": 500, "times": 3}),
    "fails after the work": ("status", {"code": 502, "after_commit": True, "times": 3}),
    "is refused": ("status", {"code": 403}),
    "is an error under HTTP 200": ("error_200", {"code": "Busy", "description": "Not now."}),
    "is lost": ("lose_reply", {"times": 3}),
    "is cut off": ("truncate_body", {"times": 3}),
    "is not JSON": ("garbage", {}),
    "is other JSON": ("status", {"code": 200, "body": {"success": True, "result": {}}}),
    "is empty": ("empty_page", {}),
    "lacks a row": ("short_page", {"rows": 1}),
    "lacks all but one row": ("short_page", {"rows": PAGE - 1}),
    "repeats": ("repeat_page", {}),
}
PLACES = [(pages, page) for pages in (1, 2, 4) for page in sorted({1, (pages + 1) // 2, pages})]


@every_mode
@pytest.mark.parametrize(("pages", "page"), PLACES)
@pytest.mark.parametrize("case", FAULTS)
def test_a_faulty_page_yields_no_frame(filled, mode, pages, page, case):
    kind, options = FAULTS[case]
    sandbox, session, rec_id, frame = filled(mode, pages)
    sandbox.faults.script(kind, operation="read", page=page, **options)
    if page == 1 and case == "repeats":
        # There is no page before the first, so the sandbox returns the correct one.
        pd.testing.assert_frame_equal(cd.read_clicdata(rec_id, session=session), frame)
        return
    with pytest.raises((cd.IncompleteReadError, cd.ApiError)) as caught:
        READS["whole"](rec_id, session)
    if page > 1:
        assert isinstance(caught.value, cd.IncompleteReadError)
        assert caught.value.rec_id == rec_id
    sandbox.faults.clear()
    pd.testing.assert_frame_equal(cd.read_clicdata(rec_id, session=session), frame)


@every_mode
@pytest.mark.parametrize("method", ["chunks", "batches"])
@pytest.mark.parametrize("page", [2, 4])
@pytest.mark.parametrize("case", ["fails", "lacks a row", "repeats", "is empty"])
def test_a_stream_with_a_faulty_page_raises(filled, mode, method, page, case):
    # One read for each case, because a request that a failed read leaves behind would take the fault of the next one.
    kind, options = FAULTS[case]
    sandbox, session, rec_id, _ = filled(mode, 4)
    sandbox.faults.script(kind, operation="read", page=page, **options)
    with pytest.raises(cd.IncompleteReadError):
        READS[method](rec_id, session)


@every_mode
def test_the_first_rows_of_a_table_are_complete(filled, mode):
    sandbox, session, rec_id, frame = filled(mode, 3)
    for limit, page in itertools.product((1, PAGE, PAGE + 1, 2 * PAGE + 1, 2 * PAGE + 3), (1, 2, 3)):
        sandbox.faults.short_page(2, operation="read", page=page)
        try:
            read = cd.read_clicdata(rec_id, limit=limit, session=session)
        except cd.IncompleteReadError:
            assert limit > (page - 1) * PAGE
        else:
            pd.testing.assert_frame_equal(read, frame.head(limit))
        sandbox.faults.clear()


@every_mode
def test_the_first_rows_of_two_pages_are_complete(filled, mode):
    sandbox, session, rec_id, frame = filled(mode, 2)
    sandbox.faults.short_page(2, operation="read")
    with pytest.raises(cd.IncompleteReadError):
        cd.read_clicdata(rec_id, limit=PAGE, session=session)
    pd.testing.assert_frame_equal(cd.read_clicdata(rec_id, limit=PAGE, session=session), frame.head(PAGE))


@every_mode
@pytest.mark.parametrize("kind", ["lose_reply", "truncate_body", "expire_token"])
def test_a_page_that_succeeds_on_retry_is_used(filled, mode, kind):
    sandbox, session, rec_id, frame = filled(mode, 4)
    sandbox.faults.script(kind, operation="read", page=3)
    pd.testing.assert_frame_equal(cd.read_clicdata(rec_id, session=session), frame)


@pytest.mark.sampled(0)
@every_mode
def test_a_page_that_times_out_raises(filled, mode):
    sandbox, session, rec_id, _ = filled(mode, 2, timeout=2, retry=cd.RetryPolicy(attempts=1))
    sandbox.faults.hang(operation="read", page=2)
    with pytest.raises(cd.IncompleteReadError, match="page 2") as caught:
        cd.read_clicdata(rec_id, session=session)
    assert isinstance(caught.value.__cause__, cd.RequestTimeoutError)


@every_mode
def test_pages_of_equal_rows_are_read_or_refused(filled, mode):
    _, session, rec_id, frame = filled(mode, 4, column=["x"] * 33)
    options: dict[str, Any] = {}
    if mode != "full":
        # Only full paging states both the number of the page and the number of rows.
        with pytest.raises(cd.IncompleteReadError, match='repeated_pages="accept"'):
            cd.read_clicdata(rec_id, session=session)
        options = {"repeated_pages": "accept"}
    read = cd.read_clicdata(rec_id, session=session, **options)
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)


@every_mode
def test_a_repeated_page_among_equal_rows_is_detected(filled, mode):
    sandbox, session, rec_id, _ = filled(mode, 3, column=["x"] * PAGE + ["y"] * PAGE + ["x"] * PAGE)
    sandbox.faults.repeat_page(operation="read", page=2)
    with pytest.raises(cd.IncompleteReadError, match="repeated"):
        cd.read_clicdata(rec_id, session=session)


@every_mode
def test_a_table_that_grows_during_a_read_raises(filled, mode):
    # With full paging, one page is complete by its count; with two pages, the second shows the change.
    _, session, rec_id, frame = filled(mode, 2 if mode == "full" else 1)
    reader = cd.read_clicdata_batches(rec_id, session=session)
    frame.clicdata.append(rec_id, resume=False, session=session)
    with pytest.raises(cd.IncompleteReadError, match="Read it again"):
        reader.read_all()


class Pages:
    """A service that replies with the content that a function returns for the number of a page."""

    def __init__(self, pages):
        self.pages = pages

    def __call__(self, request):
        page = int(request.query.get("page", 1))
        return 200, {}, json.dumps(self.pages(page)).encode()


def bare_service(lengths):
    """Return a service of versioned pages with these numbers of rows, without paging fields."""

    def pages(page):
        start = sum(lengths[: page - 1])
        stop = start + (lengths[page - 1] if page <= len(lengths) else 0)
        return {"success": True, "result": {"data": [{"n": n} for n in range(start, stop)]}}

    return Pages(pages)


@pytest.mark.parametrize("lengths", [[], [4], [10], [10, 4], [10, 10], [10, 10, 4], [10, 10, 10]])
def test_replies_without_paging_are_read_to_the_empty_page(http_service, lengths):
    with http_service(bare_service(lengths)) as url:
        session = cd.Session(api_key="canary", base_url=url, api_version="2025.3")
        assert len(cd.read_clicdata(7, session=session)) == sum(lengths)
        session.close()


@pytest.mark.parametrize("lengths", [[10, 4, 10], [10, 4, 4], [4, 10], [10, 11]])
def test_replies_without_paging_and_with_an_incomplete_page_raise(http_service, lengths):
    with http_service(bare_service(lengths)) as url:
        session = cd.Session(api_key="canary", base_url=url, api_version="2025.3")
        with pytest.raises(cd.IncompleteReadError, match="lacks rows"):
            cd.read_clicdata(7, session=session)
        session.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"result_total_count": 12, "current_page": 1}, {"result_total_count": 12, "current_page": 1}),
        ({"result_total_count": 12}, {"result_total_count": 13}),
        ({"result_total_count": 13}, {"result_total_count": 13}),
        ({"result_total_count": 11}, {"result_total_count": 11}),
        ({"result_total_count": 12}, {}),
    ],
    ids=str,
)
def test_page_numbers_and_counts_must_be_consistent(http_service, first, second):
    def pages(page):
        rows = [{"n": n} for n in (range(10) if page == 1 else range(10, 12) if page == 2 else ())]
        return {"success": True, "result": {"data": rows}, "pagination": first if page == 1 else second}

    with http_service(Pages(pages)) as url:
        session = cd.Session(api_key="canary", base_url=url, api_version="2025.3")
        with pytest.raises(cd.IncompleteReadError):
            cd.read_clicdata(7, session=session)
        session.close()


def test_a_service_that_repeats_one_page_forever_raises(http_service):
    reply = {"data": [{"n": n} for n in range(10)], "has_more_data": True}
    with http_service(Pages(lambda page: reply)) as url:
        session = cd.Session(api_key="canary", base_url=url, api_version="unversioned")
        with pytest.raises(cd.IncompleteReadError, match="ignores the number"):
            cd.read_clicdata(7, session=session)
        session.close()


@pytest.mark.parametrize("interrupted", [False, True], ids=["abandoned", "interrupted"])
def test_an_abandoned_stream_does_not_wait_for_a_page(http_service, interrupted):
    """The reply to the request for the second page comes only after the reader has stopped."""
    requested, stopped = threading.Event(), threading.Event()

    def answer(request):
        page = int(request.query.get("page", 1))
        if page > 1:
            requested.set()
            assert stopped.wait(10)
        return 200, {}, json.dumps({"data": [{"n": page}], "has_more_data": page < 3}).encode()

    def interrupt(rows, total):
        assert requested.wait(10)
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with http_service(answer) as url:
        session = cd.Session(api_key="canary", base_url=url, api_version="unversioned", timeout=10)
        try:
            if interrupted:
                with pytest.raises(KeyboardInterrupt):
                    cd.read_clicdata(7, progress=interrupt, session=session)
            else:
                chunks = cd.read_clicdata(7, chunksize=1, session=session)
                assert len(next(chunks)) == 1
                assert requested.wait(10)
                del chunks
            waiting = [each for each in threading.enumerate() if each.name.startswith("clicdata-read")]
            assert not stopped.is_set()
            # The exit of the interpreter does not wait for it, either.
            assert [each.daemon for each in waiting if each not in before] == [True]
        finally:
            stopped.set()
        for each in waiting:
            each.join(10)
        assert not any(each.is_alive() for each in waiting)
        session.close()


def test_a_read_of_many_pages_takes_few_connections(http_service):
    connections = set()

    def answer(request):
        connections.add(request.client)
        page = int(request.query["page"])
        return 200, {}, json.dumps({"data": [{"n": page}], "has_more_data": page < 20}).encode()

    with (
        http_service(answer) as url,
        cd.Session(api_key="hush", base_url=url, api_version="unversioned") as session,
    ):
        assert cd.read_clicdata(7, session=session)["n"].to_list() == list(range(1, 21))
    # One per worker, and one for the first page.
    assert len(connections) <= DEFAULT_WORKERS + 1
