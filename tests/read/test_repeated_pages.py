"""Tables whose pages have equal rows are read; a page that comes in the place of another is noticed."""

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

# Each value of each parameter by default; all of their combinations are slow.
pytestmark = pytest.mark.sampled(1)

QUICK = cd.RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)
DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
PAGE = 100
OFFER = 'repeated_pages="accept"'
ROWS = pd.DataFrame({"a": range(PAGE), "b": [f"x{n}" for n in range(PAGE)]})
FRAMES = {
    "two labels": pd.DataFrame({"label": [0, 1] * 250, "seats": 7}),
    "a constant": pd.DataFrame({"c": ["x"] * 350}),
    "a tile": pd.DataFrame({"n": np.tile(range(PAGE), 4)}),
    "a frame several times": pd.concat([ROWS] * 4, ignore_index=True),
    "not all pages": pd.DataFrame({"n": [*range(2 * PAGE), *range(PAGE), *range(2 * PAGE, 3 * PAGE), 1.5]}),
    "numbers as Decimals": pd.DataFrame({"n": np.tile(np.arange(PAGE) / 7 * 1e17, 3)}),
}
every_frame = pytest.mark.parametrize("what", FRAMES)


@pytest.fixture(scope="module")
def running(new_sandbox):
    with new_sandbox(page_size=PAGE) as sandbox:
        yield sandbox


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


class Proxy:
    """A proxy before a sandbox that gives the reply for one page in the place of that for another.

    ``instead`` is page asked for → page given, for the next ``times`` requests of a page that are concerned.
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
    """Create a table of a frame, a proxy before its sandbox, and a session through the proxy."""
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


WAYS = {
    "whole": (lambda table, **how: cd.read_clicdata(table, **how), None),
    "chunks": (lambda table, **how: pd.concat(cd.read_clicdata(table, chunksize=70, **how), ignore_index=True), None),
    "batches": (lambda table, **how: cd.read_clicdata_batches(table, **how).read_all().to_pandas(), None),
    "the beginning": (lambda table, **how: cd.read_clicdata(table, limit=2 * PAGE + 30, **how), 2 * PAGE + 30),
    "a version": (lambda table, **how: cd.read_clicdata(table, version=1 + how.pop("versions"), **how), None),
    "Data": (lambda table, **how: cd.Data(how.pop("session")).get_data(table, **how), None),
    "Data, as dicts": (
        lambda table, **how: pd.DataFrame(cd.Data(how.pop("session")).get_data(table, output="dict", **how)),
        None,
    ),
}


def read(way, table, frame, **how):
    act, limit = WAYS[way]
    if way == "a version":
        how["versions"] = -(-len(frame) // 500)
    return act(table, **how), frame if limit is None else frame.head(limit)


@every_dialect
@every_frame
@pytest.mark.parametrize("way", WAYS)
def test_a_table_whose_pages_repeat_is_read(running, open_session, name, api_version, what, way):
    session, frame = open_session(running, api_version), FRAMES[what]
    frame.clicdata.push(name, session=session)
    if api_version == "unversioned":
        with pytest.raises(cd.IncompleteReadError, match=OFFER):
            read(way, name, frame, session=session)
        got, expected = read(way, name, frame, session=session, repeated_pages="accept")
    else:
        got, expected = read(way, name, frame, session=session)
    assert rows_of(got) == rows_of(expected)
    assert len(got) == len(expected)


@every_dialect
def test_a_table_of_two_labels_and_pages_of_the_usual_size(serve, api_version):
    _, session = serve(api_version)
    frame = pd.DataFrame({"label": [0, 1] * 2500})
    frame.clicdata.push("T", session=session)
    how: dict[str, Any] = {"repeated_pages": "accept"} if api_version == "unversioned" else {}
    pd.testing.assert_frame_equal(cd.read_clicdata("T", session=session, **how), frame)


def test_the_error_has_a_line_to_paste(running, open_session, name):
    session = open_session(running, "unversioned")
    FRAMES["a tile"].clicdata.push(name, session=session)
    with pytest.raises(cd.IncompleteReadError) as caught:
        cd.read_clicdata(name, session=session)
    assert f'pd.read_clicdata({name!r}, repeated_pages="accept")' in str(caught.value)
    assert (caught.value.page, caught.value.received) == (2, PAGE)
    with pytest.raises(cd.IncompleteReadError) as caught:
        cd.read_clicdata_batches(name, session=session).read_all()
    assert f'cd.read_clicdata_batches({name!r}, repeated_pages="accept")' in str(caught.value)


WRITES = {
    "replace": lambda frame, name, session, **how: frame.head(7).clicdata.push(
        name, if_exists="replace", reconcile_wait=0, session=session, **how
    ),
    "dry run of a replace": lambda frame, name, session, **how: frame.clicdata.push(
        name, if_exists="replace", dry_run=True, session=session, **how
    ),
    "upsert": lambda frame, name, session, **how: frame.drop_duplicates(frame.columns[0]).clicdata.upsert(
        name, on=frame.columns[0], verify=True, session=session, **how
    ),
    "push, upsert": lambda frame, name, session, **how: frame.drop_duplicates(frame.columns[0]).clicdata.push(
        name, if_exists="upsert", on=frame.columns[0], session=session, **how
    ),
    "append on keys": lambda frame, name, session, **how: (
        frame.head(1)
        .replace({frame.columns[0]: {frame.iloc[0, 0]: "new" if frame.iloc[0, 0] == "x" else 99_999}})
        .clicdata.append(name, on=frame.columns[0], session=session, **how)
    ),
    "append, check": lambda frame, name, session, **how: frame.head(3).clicdata.append(
        name, on_unknown="check", session=session, **how
    ),
    "dry run of a delete": lambda frame, name, session, **how: frame.clicdata.delete_rows(
        name, on=frame.columns[0], dry_run=True, session=session, **how
    ),
    "bounded delete": lambda frame, name, session, **how: frame.head(1).clicdata.delete_rows(
        name, on=frame.columns[0], max_rows=1_000, session=session, **how
    ),
    "delete_data": lambda frame, name, session, **how: cd.Data(session).delete_data(
        name, frame.head(1).to_dict("records")[0], max_rows=1_000, **how
    ),
}


@every_dialect
@every_frame
@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_depends_on_a_read_needs_a_complete_read(
    running, open_session, name, home, api_version, what, write
):
    session, frame = open_session(running, api_version), FRAMES[what]
    frame.clicdata.push(name, session=session)
    before = in_table(running, name)
    how: dict[str, Any] = {}
    if api_version == "unversioned":
        running.requests.clear()
        with pytest.raises(cd.IncompleteReadError, match=OFFER):
            WRITES[write](frame, name, session)
        assert in_table(running, name) == before
        assert {entry.operation for entry in running.requests} <= {"list", "read"}
        how = {"repeated_pages": "accept"}
    receipt = WRITES[write](frame, name, session, **how)
    if write == "replace":
        assert in_table(running, name) == rows_of(frame.head(7))
        no_word: Any = "yes"
        with pytest.raises(ValueError, match="repeated_pages"):
            cd.restore(receipt.backup, name, repeated_pages=no_word, session=session)
        cd.restore(receipt.backup, name, reconcile_wait=0, session=session, **how)
        assert in_table(running, name) == before
    elif write in ("upsert", "push, upsert"):
        assert receipt.sent == 0
        assert receipt.matched == len(frame)
    elif "dry run of a delete" in write:
        assert receipt.matched == len(frame)


@every_dialect
@every_frame
def test_what_only_compares_accepts_pages_that_repeat(running, open_session, name, api_version, what):
    session, frame = open_session(running, api_version), FRAMES[what]
    assert frame.clicdata.push(name, verify=True, session=session).status == "verified"
    assert frame.head(30).clicdata.append(name, verify=True, session=session).status == "verified"
    assert in_table(running, name) == rows_of(frame) + rows_of(frame.head(30))


@every_dialect
@every_frame
@pytest.mark.parametrize("after_commit", [True, False])
def test_unknown_rows_are_found_among_repeated_pages(running, open_session, name, api_version, what, after_commit):
    session, frame = open_session(running, api_version), FRAMES[what]
    for nth in (1, 2, 4):
        table = f"{name} {nth}"
        running.faults.lose_reply(operation="append", nth=nth, after_commit=after_commit)
        frame.clicdata.push(table, on_unknown="check", chunksize=PAGE, reconcile_wait=0, session=session)
        running.faults.clear()
        assert in_table(running, table) == rows_of(frame)


def test_an_argument_that_is_neither_is_refused_before_any_request(running, open_session, name):
    session, frame = open_session(running), ROWS.head(1)
    running.requests.clear()
    for act in (
        lambda **how: cd.read_clicdata(name, **how),
        lambda **how: cd.read_clicdata_batches(name, **how),
        lambda **how: frame.clicdata.push(name, **how),
        lambda **how: frame.clicdata.append(name, **how),
        lambda **how: frame.clicdata.upsert(name, on="a", **how),
        lambda **how: frame.clicdata.delete_rows(name, on="a", **how),
        lambda **how: cd.push(frame, name, **how),
        lambda **how: cd.append(frame, name, **how),
        lambda **how: cd.upsert(frame, name, on="a", **how),
        lambda **how: cd.delete_rows(frame, name, on="a", **how),
    ):
        with pytest.raises(ValueError, match=r"repeated_pages= must be one of 'check', 'accept', not 'yes'"):
            act(repeated_pages="yes", session=session)
    assert len(running.requests) == 0


# a page in the place of another

DISTINCT = pd.DataFrame({"n": range(4 * PAGE), "t": [f"row {n}" for n in range(4 * PAGE)]})
INSTEAD = {"the one before": {3: 2}, "an earlier one": {3: 1}, "the last as an earlier one": {4: 2}}


@every_dialect
@pytest.mark.parametrize("way", ["whole", "chunks", "batches"])
@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
@pytest.mark.parametrize("how", [{}, {"repeated_pages": "accept"}], ids=["check", "accept"])
def test_a_page_that_came_in_the_place_of_another_is_noticed(proxied, name, api_version, way, instead, times, how):
    proxy, session = proxied(api_version, DISTINCT)
    proxy.instead, proxy.times = INSTEAD[instead], times
    if how and times > 1 and api_version == "unversioned":
        # Nothing shows it: this is what the caller has accepted.
        got, _ = read(way, name, DISTINCT, session=session, **how)
        assert got["n"].nunique() == 3 * PAGE
        return
    with pytest.raises(cd.IncompleteReadError) as caught:
        read(way, name, DISTINCT, session=session, **how)
    page = next(iter(INSTEAD[instead]))
    assert caught.value.page == page
    if api_version == "2025.3":
        assert f"page {INSTEAD[instead][page]} came instead of page {page}" in str(caught.value)
    elif times == 1:
        assert "differs when it is requested again" in str(caught.value)
        assert OFFER not in str(caught.value)
    proxy.times = 0
    assert rows_of(read(way, name, DISTINCT, session=session)[0]) == rows_of(DISTINCT)


@every_dialect
def test_the_page_is_requested_again_on_a_connection_of_its_own(proxied, name, api_version):
    frame = FRAMES["a tile"].head(2 * PAGE)
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


@pytest.mark.parametrize("how", [{}, {"repeated_pages": "accept"}], ids=["check", "accept"])
@pytest.mark.parametrize("far", ["the same page", "refused", "a last page", "nothing"])
def test_a_service_that_ignores_the_page_number(http_service, how, far):
    """It gives one page for ever; told from a table of three equal pages by a page that no table has."""

    def answer(request):
        page = int(request.query.get("page", 1))
        if page > 3 and far == "refused":
            return 404, {}, b'{"error": {"code": "NotFound", "description": "no such page"}}'
        rows = [] if page > 3 and far == "nothing" else [{"n": n} for n in range(3)]
        more = page < 3 or (far == "the same page")
        return 200, {}, json.dumps({"data": rows, "has_more_data": more}).encode()

    with (
        http_service(answer) as url,
        cd.Session(api_key="canary", base_url=url, api_version="unversioned") as session,
    ):
        if far == "the same page":
            with pytest.raises(cd.IncompleteReadError, match="ignores the number") as caught:
                cd.read_clicdata(7, session=session, **how)
            assert OFFER not in str(caught.value)
        elif how:
            assert len(cd.read_clicdata(7, session=session, **how)) == 9
        else:
            with pytest.raises(cd.IncompleteReadError, match=OFFER):
                cd.read_clicdata(7, session=session)


def test_a_digest_depends_on_the_values_of_rows_alone():
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x" * 5, "c": [1, {"d": None}]}, {"a": 2.5, "b": None, "c": True}]
    same = json.loads(json.dumps(rows))
    for row in rows:
        # As a parser may give them: the very same object, or another that is equal.
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


# the count beside the rows of the unversioned dialect

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


@pytest.mark.parametrize("what", COUNTS)
def test_the_count_beside_the_rows_is_that_of_the_table(http_service, what):
    sizes, counts, wrong = COUNTS[what]

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


# what is decided by reads


@every_dialect
@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
def test_a_replace_that_is_given_a_wrong_page_deletes_nothing(proxied, running, name, home, api_version, times):
    proxy, session = proxied(api_version, DISTINCT)
    proxy.instead, proxy.times = {3: 1}, times
    with pytest.raises(cd.IncompleteReadError):
        DISTINCT.head(5).clicdata.push(name, if_exists="replace", reconcile_wait=0, session=session)
    assert in_table(running, name) == rows_of(DISTINCT)
    assert running.requests.of("delete") == []


@every_dialect
def test_the_backup_is_verified_from_the_last_page_to_the_first(proxied, name, home, api_version):
    proxy, session = proxied(api_version, DISTINCT)
    DISTINCT.head(5).clicdata.push(name, if_exists="replace", reconcile_wait=0, session=session)
    pages = proxy.pages[: proxy.pages.index(1, len(DISTINCT) // PAGE + 1) + 1]
    walked = [page for at, page in enumerate(pages) if at == 0 or page != pages[at - 1]]
    assert walked[:7] == [1, 2, 3, 4, 3, 2, 1]


def other_row(body):
    parsed = json.loads(body)
    inner = parsed.get("result", parsed)
    inner["data"][0]["t"] = "another"
    return json.dumps(parsed).encode()


def swapped(body):
    """Two rows change the values of one column."""
    parsed = json.loads(body)
    one, two = parsed.get("result", parsed)["data"][:2]
    one["t"], two["t"] = two["t"], one["t"]
    return json.dumps(parsed).encode()


def more_rows(body):
    parsed = json.loads(body)
    inner = parsed.get("result", parsed)
    inner["data"].append({"n": 10_000, "t": "new"})
    if "pagination" in parsed:
        parsed["pagination"]["result_total_count"] += 1
    return json.dumps(parsed).encode()


WRONG = {"another row": other_row, "cells swapped between rows": swapped, "one row more": more_rows}


@every_dialect
@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("what", WRONG)
def test_rows_that_differ_when_they_are_read_back_stop_a_replace(proxied, running, name, home, api_version, page, what):
    frame = DISTINCT.head(2 * PAGE + 50)
    proxy, session = proxied(api_version, frame)
    # Page 1 also tells the columns, and the last page is read twice where nothing says how many rows there are.
    second_walk = {1: 3, 2: 2, 3: 3 if api_version == "unversioned" else 2}

    def edit(asked, body):
        return WRONG[what](body) if asked == page and proxy.pages.count(page) == second_walk[page] else body

    proxy.edit = edit
    with pytest.raises(cd.ClicDataError, match=r"read (twice|a second time), from the") as caught:
        frame.head(5).clicdata.push(name, if_exists="replace", reconcile_wait=0, session=session)
    if what == "cells swapped between rows":
        assert "are in other rows" in str(caught.value)
    assert in_table(running, name) == rows_of(frame)
    assert running.requests.of("delete") == []


# rows of unknown fate, and a page that hides them

SENT = pd.DataFrame({"n": range(3 * PAGE), "t": [f"row {n}" for n in range(3 * PAGE)]})
BEFORE = SENT.assign(n=-1 - SENT["n"]).head(2 * PAGE)
MODES = {"on": {"on": "n"}, "check": {"on_unknown": "check"}, "stamp": {"stamp": "mark"}}


@pytest.fixture
def hidden(proxied, running, open_session, name):
    """Create a table, and a proxy that gives page 1 for its last one as soon as rows were sent."""

    def start(api_version, before, page, times, **options):
        proxy, session = proxied(api_version, None)
        before.clicdata.push(name, session=open_session(running, api_version), **options)
        running.requests.clear()

        def edit(asked, body):
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
def test_a_page_that_hides_rows_does_not_have_them_sent_twice(running, hidden, name, api_version, mode, before, times):
    """The rows of the lost reply are page 3, in the place of which page 1 comes."""
    frame = SENT.head(PAGE if len(before) else 3 * PAGE)
    proxy, session = hidden(api_version, before, 3, times, **({"stamp": "mark"} if mode == "stamp" else {}))
    how = {**MODES[mode], "chunksize": PAGE, "reconcile_wait": 0, "session": session}
    nth = len(frame) // PAGE
    running.faults.lose_reply(operation="append", nth=nth)
    # By their mark, rows that are hidden are deleted before they are sent again.
    if times > 1 and (api_version != "unversioned" or mode != "stamp"):
        with pytest.raises(cd.AmbiguousWriteError) as caught:
            frame.clicdata.append(name, **how)
        assert caught.value.unknown == [batch_ranges(len(frame), PAGE, api_version)[nth - 1]]
        proxy.times = 0
        how["resume"] = caught.value.resume
    assert frame.clicdata.append(name, **how).sent == len(frame)
    assert numbers(running, name) == Counter([*before["n"], *frame["n"]])


@every_dialect
@pytest.mark.parametrize("before", [BEFORE.head(0), BEFORE], ids=["no rows before", "other rows before"])
@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "always"])
def test_a_page_that_hides_rows_from_a_token_does_not_have_them_sent_twice(
    running, hidden, name, api_version, before, times
):
    """The write was begun without a mode, so that nothing may show how many rows there were before."""
    page = 3 + len(before) // PAGE
    proxy, session = hidden(api_version, before, page, times)
    how = {"chunksize": PAGE, "reconcile_wait": 0, "session": session}
    running.faults.lose_reply(operation="append", nth=3)
    with pytest.raises(cd.AmbiguousWriteError) as caught:
        SENT.clicdata.append(name, **how)
    resume = caught.value.resume
    unproven = api_version == "unversioned" and len(before)
    for _ in range(2):
        if times > 1 and api_version != "unversioned":
            # There the last row was not sent yet, so the table is read before it is.
            with pytest.raises(cd.IncompleteReadError, match="page 1 came instead"):
                SENT.clicdata.append(name, on_unknown="check", resume=resume, **how)
        elif times > 1 or unproven:
            with pytest.raises(cd.AmbiguousWriteError) as caught:
                SENT.clicdata.append(name, on_unknown="check", resume=resume, **how)
            assert caught.value.unknown == [batch_ranges(len(SENT), PAGE, api_version)[2]]
    if not unproven:
        proxy.times = 0
        assert SENT.clicdata.append(name, on_unknown="check", resume=resume, **how).sent == len(SENT)
    assert numbers(running, name) == Counter([*before["n"], *SENT["n"]])


@every_dialect
@pytest.mark.parametrize("what", ["push", "append", "a stream", "upsert"])
def test_a_page_in_the_place_of_another_is_not_verified(running, hidden, name, api_version, what):
    _, session = hidden(api_version, BEFORE.head(0), 3, 10_000)
    act = {
        "push": lambda: SENT.clicdata.push(f"{name} new", verify=True, session=session),
        "append": lambda: SENT.clicdata.append(name, verify=True, session=session),
        "a stream": lambda: cd.append(pa.table(SENT).to_reader(70), name, verify=True, session=session),
        "upsert": lambda: SENT.clicdata.upsert(name, on="n", verify=True, session=session),
    }[what]
    with pytest.raises(cd.IncompleteWriteError) as caught:
        act()
    error = caught.value
    if api_version == "unversioned":
        assert isinstance(error, cd.VerificationError)
        hidden_rows = [(2 * PAGE, 3 * PAGE)] if what == "upsert" else [(0, 3 * PAGE)]
        assert error.unknown == hidden_rows
    else:
        assert "page 1 came instead of page 3" in str(error)
        assert (error.confirmed, error.unknown, error.unsent) == ([(0, 3 * PAGE)], [], [])
        assert "All rows were sent" in str(error)
    assert error.unsent == []
