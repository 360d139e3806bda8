"""A condition that may match a row with a similar key is refused, unless ClicData is known to tell them apart."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import pandas_clicdata as cd
from conftest import service_profile
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
LONG = Decimal("0.123456789012345678901")

# The key, a similar key, and the assumption under which a condition with one of them matches the other.
SIMILAR: dict[str, Any] = {
    "case": (["UA1", "ua1"], {"find_text": "ignore_case"}),
    "space at the end": (["UA1", "UA1 "], {"find_text": "ignore_case"}),
    "letter": (["Straße", "STRASSE"], {"find_text": "ignore_case"}),
    "accent": (["Zürich", "Zurich"], {}),
    "emoji": (["ok \N{ROCKET}", "ok"], {}),
    "invisible": (["UA\N{ZERO WIDTH SPACE}1", "UA1"], {}),
    "sign": (["\N{TRADE MARK SIGN}", "tm"], {}),
    "whole number": ([2**60, 2**60 + 1], {"find_numbers": "double"}),
    "decimal": ([LONG, LONG + Decimal("1e-21")], {"find_numbers": "double"}),
    "fraction": (
        [dt.datetime(2013, 1, 1, 5), dt.datetime(2013, 1, 1, 5, 0, 0, 1)],
        {"find_datetimes": "seconds"},
    ),
}
CHANGES = {
    "update_rows": lambda key, name, session: cd.update_rows(one(key, "new"), name, on="key", session=session),
    "upsert": lambda key, name, session: cd.upsert(one(key, "new"), name, on="key", session=session),
    "delete_rows": lambda key, name, session: cd.delete_rows(one(key), name, on="key", session=session),
    "max_rows": lambda key, name, session: cd.delete_rows(one(key), name, on="key", max_rows=5, session=session),
    "a dry run": lambda key, name, session: cd.delete_rows(one(key), name, on="key", dry_run=True, session=session),
    "update_data": lambda key, name, session: cd.Data(session).update_data(name, {"key": key}, {"t": "new"}),
    "delete_data": lambda key, name, session: cd.Data(session).delete_data(name, {"key": key}),
}


def one(key, text="old"):
    return pa.table({"key": [key], "t": [text]})


def changes(sandbox):
    return [each for each in sandbox.requests if each.operation in ("update", "delete", "append")]


@pytest.fixture
def table(serve, name):
    """Return a function that starts a sandbox with rows of these keys, and a session that knows only these facts."""

    def start(keys, api_version="2025.3", assume=None, **facts):
        sandbox, session = serve(api_version, assume=Assumptions(**(assume or {})))
        cd.push(pa.table({"key": keys, "t": ["old"] * len(keys)}), name, session=session)
        sandbox.requests.clear()
        known = service_profile(sandbox.url, update_key="data", **facts)
        return sandbox, cd.Session(
            client_id=sandbox.client_id, client_secret=sandbox.client_secret, base_url=sandbox.url,
            api_version=api_version, service_profile=known,
        )  # fmt: skip

    return start


@every_dialect
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("case", SIMILAR)
@pytest.mark.parametrize("known", [False, True])
def test_a_similar_key_in_the_table_is_refused(table, name, api_version, change, case, known):
    keys, assume = SIMILAR[case]
    facts = assume if known else {}
    sandbox, session = table(keys, api_version, assume, **facts)
    with session, pytest.raises(cd.SimilarKeysError) as caught:
        CHANGES[change](keys[0], name, session)
    assert changes(sandbox) == []
    assert [row["t"] for row in sandbox.ledger.rows(name)] == ["old", "old"]
    assert caught.value.column == "key"
    text = str(caught.value)
    assert "Nothing was changed" in text
    assert ("cd.doctor(write=True)" in text) == (not facts)


@every_dialect
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("case", SIMILAR)
def test_known_exact_comparison_is_used(table, name, api_version, change, case):
    keys, _ = SIMILAR[case]
    exact = dict.fromkeys(("find_text", "find_numbers", "find_datetimes"), "exact")
    sandbox, session = table(keys, api_version, **exact)
    with session:
        CHANGES[change](keys[0], name, session)
    left = [(row["key"], row["t"]) for row in sandbox.ledger.rows(name)]
    assert [text for _, text in left if text == "old"] == ["old"] * (2 if change == "a dry run" else 1)


@every_dialect
@pytest.mark.parametrize("case", ["case", "whole number", "fraction"])
@pytest.mark.parametrize("known", [False, True])
def test_rows_are_not_sent_again_if_a_delete_by_their_key_could_delete_another_row(
    table, name, api_version, case, known
):
    """A row that arrives late, after it was sent again, is deleted by its key."""
    keys, assume = SIMILAR[case]
    facts = dict.fromkeys(assume, "exact") if known else {}
    sandbox, session = table(keys[1:], api_version, {} if known else assume, **facts)
    sandbox.faults.late_commit(operation="append")

    def release(done, total):
        sandbox.faults.release()

    def append():
        options = {"reconcile_wait": 0.2, "resume": False, "progress": release, "session": session}
        return cd.append(one(keys[0], "new"), name, on="key", **options)

    with session:
        if known:
            assert append().sent == 1
        else:
            with pytest.raises(
                cd.AmbiguousWriteError, match=r"not sent again, because .* similar to .*doctor"
            ) as caught:
                append()
            assert caught.value.unknown == [(0, 1)]
    # The first try arrives, at the latest, now.
    sandbox.faults.release()
    rows = sandbox.ledger.rows(name)
    assert sorted(row["t"] for row in rows) == ["new", "old"]


@every_dialect
def test_rows_that_arrive_twice_stay_if_another_writer_adds_a_similar_key_meanwhile(table, name, api_version):
    sandbox, session = table(["zz"], api_version, {"find_text": "ignore_case"})
    sandbox.faults.late_commit(operation="append")

    def add_and_release(done, total):
        if sandbox.ledger.count(name) == 2:
            cd.append(one("ua1"), name, resume=False, session=session)
            sandbox.faults.release()

    with session, pytest.raises(cd.VerificationError, match=r"in the table twice.* similar to 'UA1'") as caught:
        cd.append(
            one("UA1", "new"), name, on="key", reconcile_wait=0.2, resume=False, progress=add_and_release,
            session=session,
        )  # fmt: skip
    assert caught.value.unknown == [(0, 1)]
    assert sorted(row["key"] for row in sandbox.ledger.rows(name)) == ["UA1", "UA1", "ua1", "zz"]


@every_dialect
@pytest.mark.parametrize("case", SIMILAR)
def test_only_the_similar_key_in_the_table_is_refused(table, name, api_version, case):
    """The frame's key is not in the table, so a delete should delete nothing."""
    keys, assume = SIMILAR[case]
    sandbox, session = table(keys[1:], api_version, assume)
    with session:
        for change in ("delete_rows", "update_rows"):
            with pytest.raises(cd.SimilarKeysError):
                CHANGES[change](keys[0], name, session)
    assert changes(sandbox) == []


@every_dialect
@pytest.mark.parametrize("case", SIMILAR)
def test_keys_that_are_all_in_the_frame_are_deleted_together(table, name, api_version, case):
    keys, assume = SIMILAR[case]
    sandbox, session = table(keys, api_version, assume)
    with session:
        cd.delete_rows(pa.table({"key": keys}), name, on="key", session=session)
        assert sandbox.ledger.rows(name) == []
        # An update needs to distinguish them.
        cd.push(pa.table({"key": keys, "t": ["old"] * 2}), name, if_exists="append", resume=False, session=session)
        with pytest.raises(cd.SimilarKeysError):
            cd.update_rows(pa.table({"key": keys, "t": ["x", "y"]}), name, on="key", session=session)
    assert [row["t"] for row in sandbox.ledger.rows(name)] == ["old", "old"]


@every_dialect
@pytest.mark.parametrize("key", [7, 0.1, Decimal("1.10"), dt.date(2013, 1, 1), True])
def test_keys_without_similar_values_take_no_read(table, name, api_version, key):
    sandbox, session = table([key], api_version)
    with session:
        cd.delete_rows(one(key), name, on="key", session=session)
    # The first page shows the columns.
    assert sandbox.requests.counts()["read"] == 1
    assert sandbox.ledger.rows(name) == []


def test_an_upsert_inserts_a_key_that_is_only_similar(table, name):
    """An insert has no condition."""
    sandbox, session = table(["UA1"], assume={"find_text": "ignore_case"})
    with session:
        assert cd.upsert(one("ua1"), name, on="key", session=session).sent == 1
    assert sorted(row["key"] for row in sandbox.ledger.rows(name)) == ["UA1", "ua1"]


@pytest.mark.parametrize("operation", ["delete_rows", "update_rows"])
def test_half_of_a_surrogate_pair_in_the_table_is_compared(http_service, operation):
    sent = []

    def answer(request):
        if request.method != "GET":
            sent.append(request.method)
            return 200, {}, b'{"success": true, "result": {}}'
        if request.path == "/table":
            return 200, {}, b'{"success": true, "result": [{"id": 7, "name": "T"}]}'
        rows = b'[{"key": "\\ud800", "t": "x"}, {"key": "a", "t": "x"}]'
        return 200, {}, b'{"success": true, "result": {"data": ' + rows + b'}, "pagination": {"last_page": true}}'

    with http_service(answer) as url:
        known = service_profile(url, update_key="data")
        with cd.Session(api_key="k", base_url=url, api_version="2025.3", service_profile=known) as session:
            CHANGES[operation]("a", "T", session)
    assert sent == ["DELETE" if operation == "delete_rows" else "PUT"]


@pytest.mark.parametrize("operation", ["append", "upsert"])
@pytest.mark.parametrize("known", [False, True])
def test_a_late_row_is_not_deleted_if_that_could_delete_a_similar_one(serve, name, operation, known):
    """Where text is known to be compared exactly, the surplus row is deleted."""
    comparison = "exact" if known else "ignore_case"
    sandbox, session = serve(assume=Assumptions(find_text=comparison), session={"service_profile": None})
    cd.push(one("UA1"), name, session=session)
    if known:
        session._client.service_profile.learn({"find_text": "exact"})
    sandbox.faults.late_commit(operation="append", nth=2)

    def release(done, total):
        if len(sandbox.ledger.rows(name)) == 4:
            sandbox.faults.release()

    rows = pa.table({"key": ["x", "ua1", "z"], "t": ["new"] * 3})
    options = {"on": "key", "chunksize": 1, "reconcile_wait": 0, "progress": release, "session": session}
    if known:
        getattr(cd, operation)(rows, name, **options)
    else:
        with pytest.raises(cd.IncompleteWriteError, match="key is similar"):
            getattr(cd, operation)(rows, name, **options)
        sandbox.faults.release()
    keys = sorted(row["key"] for row in sandbox.ledger.rows(name))
    assert keys == ["UA1", "ua1", "x", "z"]
