"""Tables whose pages have equal rows are read; a page that comes instead of another is detected."""

import contextlib
import http.client
import json
import sys
from collections import Counter
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from batches import batch_ranges

import pandas_clicdata as cd
from pandas_clicdata.read import _digest

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

QUICK = cd.RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)
DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
PAGE = 100
REMEDY = 'repeated_pages="accept"'
ROWS = pd.DataFrame({"a": range(PAGE), "b": [f"x{n}" for n in range(PAGE)]})
FRAMES = {
    "two labels": pd.DataFrame({"label": [0, 1] * 250, "seats": 7}),
    "a constant": pd.DataFrame({"c": ["x"] * 350}),
    "tiled numbers": pd.DataFrame({"n": np.tile(range(PAGE), 4)}),
    "a repeated frame": pd.concat([ROWS] * 4, ignore_index=True),
    "not all pages": pd.DataFrame({"n": [*range(2 * PAGE), *range(PAGE), *range(2 * PAGE, 3 * PAGE), 1.5]}),
    "numbers as Decimals": pd.DataFrame({"n": np.tile(np.arange(PAGE) / 7 * 1e17, 3)}),
}
every_frame = pytest.mark.parametrize("case", FRAMES)


@pytest.fixture(scope="module")
def running(new_sandbox):
    with new_sandbox(page_size=PAGE) as sandbox:
        yield sandbox


@pytest.fixture
def data_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


class Proxy:
    """A proxy to a sandbox that returns a page instead of another.

    ``instead`` maps the requested page to the returned page. It applies to the next ``times`` requests of such a page.
    """

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.instead, self.times = {}, 0
        self.edit = None
        self.pages, self.clients, self.headers = [], [], []

    def __call__(self, request):
        query = dict(request.query)
        page = int(query.get("page", 0)) if request.method == "GET" and "/data/" in request.path else 0
        if page:
            self.pages.append(page)
            self.clients.append(request.client)
        self.headers.append(request.headers)
        if page in self.instead and self.times:
            self.times -= 1
            query["page"] = str(self.instead[page])
        address = urlsplit(self.sandbox.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        target = f"{request.path}?{urlencode(query)}" if query else request.path
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Connection")}
        connection.request(request.method, target, request.body or None, headers)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        if page and self.edit is not None:
            body = self.edit(page, body)
        return reply.status, {"Content-Type": reply.headers.get("Content-Type", "")}, body


@pytest.fixture
def proxied(running, http_service, open_session, name):
    """Return a function that pushes a frame, starts a proxy to the sandbox, and opens a session through the proxy."""
    opened = contextlib.ExitStack()

    def start(api_version, frame, **options):
        proxy = Proxy(running)
        url = opened.enter_context(http_service(proxy))
        if frame is not None:
            frame.clicdata.push(name, session=open_session(running, api_version), **options)
        session = cd.Session(
            client_id=running.client_id, client_secret=running.client_secret, base_url=url, api_version=api_version,
            retry=QUICK,
        )  # fmt: skip
        opened.callback(session.close)
        running.requests.clear()
        return proxy, session

    with opened:
        yield start
    running.faults.clear()


def plain(rows):
    return Counter(tuple(value if isinstance(value, str) else float(value) for value in row) for row in rows)


def rows_of(frame):
    return plain(frame.itertuples(index=False))


def in_table(sandbox, name):
    return plain(row.values() for row in sandbox.ledger.rows(name))


READS = {
    "whole": (lambda table, **options: cd.read_clicdata(table, **options), None),
    "chunks": (
        lambda table, **options: pd.concat(cd.read_clicdata(table, chunksize=70, **options), ignore_index=True),
        None,
    ),
    "batches": (lambda table, **options: cd.read_clicdata_batches(table, **options).read_all().to_pandas(), None),
    "the beginning": (lambda table, **options: cd.read_clicdata(table, limit=2 * PAGE + 30, **options), 2 * PAGE + 30),
    "a version": (
        lambda table, **options: cd.read_clicdata(table, version=1 + options.pop("versions"), **options),
        None,
    ),
    "Data": (lambda table, **options: cd.Data(options.pop("session")).get_data(table, **options), None),
    "Data, as dicts": (
        lambda table, **options: pd.DataFrame(
            cd.Data(options.pop("session")).get_data(table, output="dict", **options)
        ),
        None,
    ),
}


def read(method, table, frame, **options):
    act, limit = READS[method]
    if method == "a version":
        options["versions"] = -(-len(frame) // 500)
    return act(table, **options), frame if limit is None else frame.head(limit)


@every_dialect
@every_frame
@pytest.mark.parametrize("method", READS)
def test_a_table_whose_pages_repeat_is_read(running, open_session, name, api_version, case, method):
    session, frame = open_session(running, api_version), FRAMES[case]
    frame.clicdata.push(name, session=session)
    if api_version == "unversioned":
        with pytest.raises(cd.IncompleteReadError, match=REMEDY):
            read(method, name, frame, session=session)
        got, expected = read(method, name, frame, session=session, repeated_pages="accept")
    else:
        got, expected = read(method, name, frame, session=session)
    assert rows_of(got) == rows_of(expected)
    assert len(got) == len(expected)


@every_dialect
def test_a_table_of_two_labels_with_pages_of_the_usual_size_is_read(serve, api_version):
    _, session = serve(api_version)
    frame = pd.DataFrame({"label": [0, 1] * 2500})
    frame.clicdata.push("T", session=session)
    options: dict[str, Any] = {"repeated_pages": "accept"} if api_version == "unversioned" else {}
    pd.testing.assert_frame_equal(cd.read_clicdata("T", session=session, **options), frame)


def test_the_error_has_a_line_to_paste(running, open_session, name):
    session = open_session(running, "unversioned")
    FRAMES["tiled numbers"].clicdata.push(name, session=session)
    with pytest.raises(cd.IncompleteReadError) as caught:
        cd.read_clicdata(name, session=session)
    assert f'pd.read_clicdata({name!r}, repeated_pages="accept")' in str(caught.value)
    assert (caught.value.page, caught.value.received) == (2, PAGE)
    with pytest.raises(cd.IncompleteReadError) as caught:
        cd.read_clicdata_batches(name, session=session).read_all()
    assert f'cd.read_clicdata_batches({name!r}, repeated_pages="accept")' in str(caught.value)


WRITES = {
    "replace": lambda frame, name, session, **options: frame.head(7).clicdata.push(
        name, if_exists="replace", reconcile_wait=0, session=session, **options
    ),
    "dry run of a replace": lambda frame, name, session, **options: frame.clicdata.push(
        name, if_exists="replace", dry_run=True, session=session, **options
    ),
    "upsert": lambda frame, name, session, **options: frame.drop_duplicates(frame.columns[0]).clicdata.upsert(
        name, on=frame.columns[0], verify=True, session=session, **options
    ),
    "push, upsert": lambda frame, name, session, **options: frame.drop_duplicates(frame.columns[0]).clicdata.push(
        name, if_exists="upsert", on=frame.columns[0], session=session, **options
    ),
    "append on keys": lambda frame, name, session, **options: (
        frame.head(1)
        .replace({frame.columns[0]: {frame.iloc[0, 0]: "new" if frame.iloc[0, 0] == "x" else 99_999}})
        .clicdata.append(name, on=frame.columns[0], session=session, **options)
    ),
    "append, check": lambda frame, name, session, **options: frame.head(3).clicdata.append(
        name, on_unknown="check", session=session, **options
    ),
    "dry run of a delete": lambda frame, name, session, **options: frame.clicdata.delete_rows(
        name, on=frame.columns[0], dry_run=True, session=session, **options
    ),
    "bounded delete": lambda frame, name, session, **options: frame.head(1).clicdata.delete_rows(
        name, on=frame.columns[0], max_rows=1_000, session=session, **options
    ),
    "delete_data": lambda frame, name, session, **options: cd.Data(session).delete_data(
        name, frame.head(1).to_dict("records")[0], max_rows=1_000, **options
    ),
}


@every_dialect
@every_frame
@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_depends_on_a_read_needs_a_complete_read(
    running, open_session, name, data_home, api_version, case, write
):
    session, frame = open_session(running, api_version), FRAMES[case]
    frame.clicdata.push(name, session=session)
    before = in_table(running, name)
    options: dict[str, Any] = {}
    if api_version == "unversioned":
        running.requests.clear()
        with pytest.raises(cd.IncompleteReadError, match=REMEDY):
            WRITES[write](frame, name, session)
        assert in_table(running, name) == before
        assert {entry.operation for entry in running.requests} <= {"list", "read"}
        options = {"repeated_pages": "accept"}
    receipt = WRITES[write](frame, name, session, **options)
    if write == "replace":
        assert in_table(running, name) == rows_of(frame.head(7))
        invalid: Any = "yes"
        with pytest.raises(ValueError, match="repeated_pages"):
            cd.restore(receipt.backup, name, repeated_pages=invalid, session=session)
        cd.restore(receipt.backup, name, reconcile_wait=0, session=session, **options)
        assert in_table(running, name) == before
    elif write in ("upsert", "push, upsert"):
        assert receipt.sent == 0
        assert receipt.matched == len(frame)
    elif "dry run of a delete" in write:
        assert receipt.matched == len(frame)


@every_dialect
@every_frame
def test_verification_accepts_repeated_pages(running, open_session, name, api_version, case):
    session, frame = open_session(running, api_version), FRAMES[case]
    assert frame.clicdata.push(name, verify=True, session=session).status == "verified"
    assert frame.head(30).clicdata.append(name, verify=True, session=session).status == "verified"
    assert in_table(running, name) == rows_of(frame) + rows_of(frame.head(30))


@every_dialect
@every_frame
@pytest.mark.parametrize("after_commit", [True, False])
def test_unknown_rows_are_found_among_repeated_pages(running, open_session, name, api_version, case, after_commit):
    session, frame = open_session(running, api_version), FRAMES[case]
    for nth in (1, 2, 4):
        table = f"{name} {nth}"
        running.faults.lose_reply(operation="append", nth=nth, after_commit=after_commit)
        frame.clicdata.push(table, on_unknown="check", chunksize=PAGE, reconcile_wait=0, session=session)
        running.faults.clear()
        assert in_table(running, table) == rows_of(frame)


def test_an_invalid_repeated_pages_is_refused_before_any_request(running, open_session, name):
    session, frame = open_session(running), ROWS.head(1)
    running.requests.clear()
    for act in (
        lambda **options: cd.read_clicdata(name, **options),
        lambda **options: cd.read_clicdata_batches(name, **options),
        lambda **options: frame.clicdata.push(name, **options),
        lambda **options: frame.clicdata.append(name, **options),
        lambda **options: frame.clicdata.upsert(name, on="a", **options),
        lambda **options: frame.clicdata.delete_rows(name, on="a", **options),
        lambda **options: cd.push(frame, name, **options),
        lambda **options: cd.append(frame, name, **options),
        lambda **options: cd.upsert(frame, name, on="a", **options),
        lambda **options: cd.delete_rows(frame, name, on="a", **options),
    ):
        with pytest.raises(ValueError, match=r"repeated_pages= must be one of 'check', 'accept', not 'yes'"):
            act(repeated_pages="yes", session=session)
    assert len(running.requests) == 0


# a page instead of another

DISTINCT = pd.DataFrame({"n": range(4 * PAGE), "t": [f"row {n}" for n in range(4 * PAGE)]})
INSTEAD = {"the one before": {3: 2}, "an earlier one": {3: 1}, "the last as an earlier one": {4: 2}}


@every_dialect
@pytest.mark.parametrize("method", ["whole", "chunks", "batches"])
@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
@pytest.mark.parametrize("options", [{}, {"repeated_pages": "accept"}], ids=["check", "accept"])
def test_a_page_instead_of_another_is_detected(proxied, name, api_version, method, instead, times, options):
    proxy, session = proxied(api_version, DISTINCT)
    proxy.instead, proxy.times = INSTEAD[instead], times
    if options and times > 1 and api_version == "unversioned":
        # The replies do not show it; the caller has accepted this.
        got, _ = read(method, name, DISTINCT, session=session, **options)
        assert got["n"].nunique() == 3 * PAGE
        return
    with pytest.raises(cd.IncompleteReadError) as caught:
        read(method, name, DISTINCT, session=session, **options)
    page = next(iter(INSTEAD[instead]))
    assert caught.value.page == page
    if api_version == "2025.3":
        assert f"page {INSTEAD[instead][page]} came instead of page {page}" in str(caught.value)
    elif times == 1:
        assert "differs when it is requested again" in str(caught.value)
        assert REMEDY not in str(caught.value)
    proxy.times = 0
    assert rows_of(read(method, name, DISTINCT, session=session)[0]) == rows_of(DISTINCT)


@every_dialect
def test_a_repeated_page_is_requested_again_on_a_new_connection(proxied, name, api_version):
    frame = FRAMES["tiled numbers"].head(2 * PAGE)
    proxy, session = proxied(api_version, frame)
    cd.read_clicdata(name, repeated_pages="accept", session=session)
    again = [at for at, page in enumerate(proxy.pages) if page == 2][1]
    assert proxy.clients[again] not in proxy.clients[:again]


@every_dialect
def test_caches_are_asked_not_to_answer(proxied, name, api_version):
    proxy, session = proxied(api_version, ROWS)
    cd.read_clicdata(name, session=session)
    ROWS.clicdata.append(name, session=session)
    assert {headers.get("Cache-Control") for headers in proxy.headers} == {"no-cache, no-store"}
    assert {headers.get("Pragma") for headers in proxy.headers} == {"no-cache"}


@pytest.mark.parametrize("options", [{}, {"repeated_pages": "accept"}], ids=["check", "accept"])
@pytest.mark.parametrize("beyond", ["the same page", "refused", "a last page", "nothing"])
def test_a_service_that_ignores_the_page_number(http_service, options, beyond):
    """A request for a page beyond the table distinguishes it from a table of three equal pages."""

    def answer(request):
        page = int(request.query.get("page", 1))
        if page > 3 and beyond == "refused":
            return 404, {}, b'{"error": {"code": "NotFound", "description": "no such page"}}'
        rows = [] if page > 3 and beyond == "nothing" else [{"n": n} for n in range(3)]
        more = page < 3 or (beyond == "the same page")
        return 200, {}, json.dumps({"data": rows, "has_more_data": more}).encode()

    with (
        http_service(answer) as url,
        cd.Session(api_key="canary", base_url=url, api_version="unversioned") as session,
    ):
        if beyond == "the same page":
            with pytest.raises(cd.IncompleteReadError, match="ignores the number") as caught:
                cd.read_clicdata(7, session=session, **options)
            assert REMEDY not in str(caught.value)
        elif options:
            assert len(cd.read_clicdata(7, session=session, **options)) == 9
        else:
            with pytest.raises(cd.IncompleteReadError, match=REMEDY):
                cd.read_clicdata(7, session=session)


def test_a_digest_depends_only_on_the_values_of_rows():
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x" * 5, "c": [1, {"d": None}]}, {"a": 2.5, "b": None, "c": True}]
    same = json.loads(json.dumps(rows))
    for row in rows:
        # A parser may return the same object or an equal one.
        row["b"] = row["b"] and sys.intern(row["b"])
    assert _digest(rows) == _digest(same) == _digest([dict(reversed(row.items())) for row in same])
    others: list[list[dict[str, Any]]] = [
        [*rows, rows[0]],
        rows[::-1],
        [rows[0], {**rows[1], "a": 2}],
        [rows[0], {**rows[1], "c": 1}],
        [rows[0], {**rows[1], "b": "None"}],
        [{"a": 1, "b": rows[0]["c"], "c": rows[0]["b"]}, rows[1]],
        [{"a": 1, "b": rows[0]["b"], "d": rows[0]["c"]}, {"a": 2.5, "b": None, "d": True}],
        [rows[0], {"a": 2.5, "b": None}],
        [{}, {}],
    ]
    digests = {_digest(rows), *map(_digest, others)}
    assert len(digests) == 1 + len(others)


# the count next to the rows in the unversioned dialect

COUNTS: dict[str, Any] = {
    "one page": ([3], [3], None),
    "one page, of no rows": ([0], [0], None),
    "of the table": ([3, 3, 1], [7, 7, 7], None),
    "of the table, which ends with a full page": ([3, 3, 0], [6, 6, 6], None),
    "not a number": ([3, 3, 1], ["many", 2.5, None], None),
    "of each page": ([3, 3, 1], [3, 3, 1], "with page 2 there are 6 rows, but the service counts 3"),
    "of each page, of two": ([3, 1], [3, 1], "with page 2 there are 4 rows, but the service counts 3"),
    "too few": ([3, 3, 1], [6, 6, 6], "with page 3 there are 7 rows, but the service counts 6"),
    "too few on one page": ([3], [2], "with page 1 there are 3 rows, but the service counts 2"),
    "too many": ([3, 3, 1], [8, 8, 8], "7 of 8 rows were received"),
    "too many on one page": ([3], [4], "3 of 4 rows were received"),
    "other on each page": ([3, 3, 1], [7, 8, 8], "counted 7 rows on the first page and 8 on page 2"),
    "only on the first page": ([3, 3, 1], [7, None, None], "counted 7 rows on the first page and None on page 2"),
}


@pytest.mark.parametrize("case", COUNTS)
def test_the_count_next_to_the_rows_is_that_of_the_table(http_service, case):
    sizes, counts, wrong = COUNTS[case]

    def answer(request):
        page = int(request.query.get("page", 1))
        first = sum(sizes[: page - 1])
        rows = [{"n": n} for n in range(first, first + sizes[page - 1])]
        count = {} if counts[page - 1] is None else {"count": counts[page - 1]}
        return 200, {}, json.dumps({**count, "data": rows, "has_more_data": page < len(sizes)}).encode()

    with (
        http_service(answer) as url,
        cd.Session(api_key="canary", base_url=url, api_version="unversioned") as session,
    ):
        if wrong is None:
            assert len(cd.read_clicdata(7, session=session)) == sum(sizes)
        else:
            with pytest.raises(cd.IncompleteReadError, match=wrong):
                cd.read_clicdata(7, session=session)


# reads before a replace


@every_dialect
@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
def test_a_replace_that_receives_a_wrong_page_deletes_nothing(proxied, running, name, data_home, api_version, times):
    proxy, session = proxied(api_version, DISTINCT)
    proxy.instead, proxy.times = {3: 1}, times
    with pytest.raises(cd.IncompleteReadError):
        DISTINCT.head(5).clicdata.push(name, if_exists="replace", reconcile_wait=0, session=session)
    assert in_table(running, name) == rows_of(DISTINCT)
    assert running.requests.of("delete") == []


@pytest.mark.sampled(0)
@every_dialect
def test_the_backup_is_verified_from_the_last_page_to_the_first(proxied, name, data_home, api_version):
    proxy, session = proxied(api_version, DISTINCT)
    DISTINCT.head(5).clicdata.push(name, if_exists="replace", reconcile_wait=0, session=session)
    last = len(DISTINCT) // PAGE
    # After the first read, which requests some pages again at its end, the last page is requested alone.
    backwards = proxy.pages[proxy.pages.index(last, last) :]
    assert set(backwards) >= set(range(1, last + 1))
    assert backwards.index(last) < backwards.index(1)


def with_another_row(body):
    parsed = json.loads(body)
    inner = parsed.get("result", parsed)
    inner["data"][0]["t"] = "another"
    return json.dumps(parsed).encode()


def with_swapped_cells(body):
    """Swap the values of a column between two rows."""
    parsed = json.loads(body)
    one, two = parsed.get("result", parsed)["data"][:2]
    one["t"], two["t"] = two["t"], one["t"]
    return json.dumps(parsed).encode()


def with_extra_row(body):
    parsed = json.loads(body)
    inner = parsed.get("result", parsed)
    inner["data"].append({"n": 10_000, "t": "new"})
    if "pagination" in parsed:
        parsed["pagination"]["result_total_count"] += 1
    return json.dumps(parsed).encode()


WRONG = {
    "another row": with_another_row,
    "cells swapped between rows": with_swapped_cells,
    "an extra row": with_extra_row,
}


@every_dialect
@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("case", WRONG)
def test_a_replace_stops_if_a_second_read_differs(proxied, running, name, data_home, api_version, page, case):
    frame = DISTINCT.head(2 * PAGE + 50)
    proxy, session = proxied(api_version, frame)
    # Page 1 is also read for the columns, and the last page twice where replies do not state the number of rows.
    second_walk = {1: 3, 2: 2, 3: 3 if api_version == "unversioned" else 2}

    def edit(requested, body):
        return WRONG[case](body) if requested == page and proxy.pages.count(page) == second_walk[page] else body

    proxy.edit = edit
    with pytest.raises(cd.ClicDataError, match=r"read (twice|a second time), from the") as caught:
        frame.head(5).clicdata.push(name, if_exists="replace", reconcile_wait=0, session=session)
    if case == "cells swapped between rows":
        assert "are in other rows" in str(caught.value)
    assert in_table(running, name) == rows_of(frame)
    assert running.requests.of("delete") == []


# unknown rows, and a page that hides them

SENT = pd.DataFrame({"n": range(3 * PAGE), "t": [f"row {n}" for n in range(3 * PAGE)]})
BEFORE = SENT.assign(n=-1 - SENT["n"]).head(2 * PAGE)
MODES = {"on": {"on": "n"}, "check": {"on_unknown": "check"}, "stamp": {"stamp": "push_batch"}}


@pytest.fixture
def hidden(proxied, running, open_session, name):
    """Return a function that creates a table and a proxy that returns a wrong page as soon as rows were sent."""

    def start(api_version, before, page, times, **options):
        proxy, session = proxied(api_version, None)
        before.clicdata.push(name, session=open_session(running, api_version), **options)
        running.requests.clear()

        def edit(requested, body):
            if running.requests.of("append"):
                proxy.instead = {page: 1}
            return body

        proxy.edit, proxy.times = edit, times
        return proxy, session

    return start


def numbers(sandbox, name):
    return Counter(row["n"] for row in sandbox.ledger.rows(name))


@every_dialect
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before", [BEFORE.head(0), BEFORE], ids=["no rows before", "other rows before"])
@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "always"])
def test_rows_hidden_by_a_wrong_page_are_not_sent_twice(running, hidden, name, api_version, mode, before, times):
    """The rows of the lost reply are page 3, and page 1 comes instead of it."""
    frame = SENT.head(PAGE if len(before) else 3 * PAGE)
    proxy, session = hidden(api_version, before, 3, times, **({"stamp": "push_batch"} if mode == "stamp" else {}))
    options = {**MODES[mode], "chunksize": PAGE, "reconcile_wait": 0, "session": session}
    nth = len(frame) // PAGE
    running.faults.lose_reply(operation="append", nth=nth)
    # With a stamp, hidden rows are deleted before they are sent again.
    if times > 1 and (api_version != "unversioned" or mode != "stamp"):
        with pytest.raises(cd.AmbiguousWriteError) as caught:
            frame.clicdata.append(name, **options)
        assert caught.value.unknown == [batch_ranges(len(frame), PAGE, api_version)[nth - 1]]
        proxy.times = 0
        options["resume"] = caught.value.resume
    assert frame.clicdata.append(name, **options).sent == len(frame)
    assert numbers(running, name) == Counter([*before["n"], *frame["n"]])


@every_dialect
@pytest.mark.parametrize("before", [BEFORE.head(0), BEFORE], ids=["no rows before", "other rows before"])
@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "always"])
def test_rows_hidden_by_a_wrong_page_are_not_sent_twice_after_a_resume(
    running, hidden, name, api_version, before, times
):
    """The write began without a mode, so the number of rows before it may be unknown."""
    page = 3 + len(before) // PAGE
    proxy, session = hidden(api_version, before, page, times)
    options = {"chunksize": PAGE, "reconcile_wait": 0, "session": session}
    running.faults.lose_reply(operation="append", nth=3)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        SENT.clicdata.append(name, **options)
    resume = caught.value.resume
    unproven = api_version == "unversioned" and len(before)
    for _ in range(2):
        if times > 1 and api_version != "unversioned":
            # The last row was not sent yet, so the table is read first.
            with pytest.raises(cd.IncompleteReadError, match="page 1 came instead"):
                SENT.clicdata.append(name, on_unknown="check", resume=resume, **options)
        elif times > 1 or unproven:
            with pytest.raises(cd.AmbiguousWriteError) as caught:
                SENT.clicdata.append(name, on_unknown="check", resume=resume, **options)
            assert caught.value.unknown == [batch_ranges(len(SENT), PAGE, api_version)[2]]
    if not unproven:
        proxy.times = 0
        assert SENT.clicdata.append(name, on_unknown="check", resume=resume, **options).sent == len(SENT)
    assert numbers(running, name) == Counter([*before["n"], *SENT["n"]])


@every_dialect
@pytest.mark.parametrize("case", ["push", "append", "a stream", "upsert"])
def test_a_page_instead_of_another_fails_the_verification(running, hidden, name, api_version, case):
    _, session = hidden(api_version, BEFORE.head(0), 3, 10_000)
    act = {
        "push": lambda: SENT.clicdata.push(f"{name} new", verify=True, session=session),
        "append": lambda: SENT.clicdata.append(name, verify=True, session=session),
        "a stream": lambda: cd.append(pa.table(SENT).to_reader(70), name, verify=True, session=session),
        "upsert": lambda: SENT.clicdata.upsert(name, on="n", verify=True, session=session),
    }[case]
    with pytest.raises(cd.IncompleteWriteError) as caught:
        act()
    error = caught.value
    if api_version == "unversioned":
        assert isinstance(error, cd.VerificationError)
        hidden_rows = [(2 * PAGE, 3 * PAGE)] if case == "upsert" else [(0, 3 * PAGE)]
        assert error.unknown == hidden_rows
    else:
        assert "page 1 came instead of page 3" in str(error)
        assert (error.confirmed, error.unknown, error.unsent) == ([(0, 3 * PAGE)], [], [])
        assert "All rows were sent" in str(error)
    assert error.unsent == []
