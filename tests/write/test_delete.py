"""delete_rows: limits, previews, the number of requests, and repetition."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
one_or_four = pytest.mark.parametrize("workers", [1, 4])
FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3, 4, 5, 6],
        "day": [dt.date(2013, 1, 1), dt.date(2013, 1, 1), dt.date(2013, 1, 2), None, dt.date(2013, 1, 3), None],
        "t": ["a", "b", "a", "b", "a", None],
    }
)


@pytest.fixture
def fresh(filled):
    """Return a function that pushes the rows and returns the sandbox, with an empty request log, and a new session."""

    def make(api_version="2025.3", frame=FRAME, **options):
        return filled(api_version, frame, **options)

    return make


def numbers(sandbox, table):
    return [row["n"] for row in sandbox.ledger.rows(table)]


@every_dialect
def test_a_dry_run_counts_and_shows_the_rows(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    keys = pd.DataFrame({"t": ["a", "x", "a"], "other": [1, 2, 3]})
    receipt = keys.clicdata.delete_rows(name, on="t", dry_run=True, session=session)
    assert (receipt.status, receipt.matched, receipt.rows, receipt.batches, receipt.sent) == ("dry_run", 3, 3, 1, 0)
    whole = cd.read_clicdata(name, session=session)
    pd.testing.assert_frame_equal(receipt.preview, whole[whole["t"] == "a"].reset_index(drop=True))
    assert "2013-01-02" in receipt._repr_html_()
    assert sandbox.requests.of("delete") == []
    assert sandbox.ledger.count(name) == 6


@every_dialect
def test_a_dry_run_without_matches_shows_no_rows(fresh, name, api_version):
    _, session = fresh(api_version)
    receipt = pd.DataFrame({"n": [99]}).clicdata.delete_rows(name, on="n", dry_run=True, session=session)
    assert (receipt.matched, receipt.batches, len(receipt.preview)) == (0, 0, 0)
    assert list(receipt.preview) == list(FRAME)


@pytest.mark.parametrize("row_id", ["id", "rec_id"])
def test_a_preview_has_no_row_id(serve, row_id):
    sandbox, session = serve(assume=Assumptions(row_id=row_id))
    FRAME.clicdata.push("T", session=session)
    receipt = FRAME.head(1).clicdata.delete_rows("T", on="n", dry_run=True, session=session)
    pd.testing.assert_frame_equal(receipt.preview, cd.read_clicdata("T", session=session).head(1))
    # Rows can still be deleted by the row id.
    pd.DataFrame({row_id: [2, 3]}).clicdata.delete_rows("T", on=row_id, max_rows=2, session=session)
    assert numbers(sandbox, "T") == [1, 4, 5, 6]


@every_dialect
@pytest.mark.parametrize("max_rows", [0, 2, 3, 100, np.int64(3)])
def test_max_rows_stops_before_the_first_deletion(fresh, name, api_version, max_rows):
    sandbox, session = fresh(api_version)

    def delete():
        return pd.DataFrame({"t": ["a"]}).clicdata.delete_rows(name, on="t", max_rows=max_rows, session=session)

    if max_rows < 3:
        with pytest.raises(cd.TooManyRowsError, match="3 rows of table") as caught:
            delete()
        assert (caught.value.rows, caught.value.max_rows) == (3, max_rows)
        assert sandbox.requests.of("delete") == []
        assert sandbox.ledger.count(name) == 6
    else:
        assert delete().matched == 3
        assert numbers(sandbox, name) == [2, 4, 6]


@pytest.mark.parametrize("max_rows", [-1, 2.5, True, "3"])
def test_max_rows_is_a_whole_number(fresh, name, max_rows):
    sandbox, session = fresh()
    with pytest.raises(ValueError, match="max_rows"):
        FRAME.clicdata.delete_rows(name, on="n", max_rows=max_rows, session=session)
    assert len(sandbox.requests) == 0


# the number of requests

NUMBER_OF_REQUESTS: dict[str, Any] = {
    "equal keys are one": ({"t": ["a", "a", "b", "a"]}, "t", None, 2),
    "a combination is one": ({"t": ["a", "a", "b", "b"], "n": [1, 3, 2, 2]}, ["t", "n"], None, 3),
    "other columns do not count": ({"t": ["a", "a"], "n": [1, 2]}, "t", None, 1),
    "1 and 1.0 are one": ({"n": pd.Series([1, Decimal("1.0"), Decimal("1.00"), 2], dtype=object)}, "n", None, 2),
    "zero has no sign": ({"n": [0.0, -0.0]}, "n", None, 1),
    "missing keys need none": ({"n": [1, 77, 78, 79, 2]}, "n", 2, 2),
    "all keys are missing": ({"n": [77, 78]}, "n", 0, 0),
    "without max_rows= missing keys count": ({"n": [1, 77, 78]}, "n", None, 3),
}


@every_dialect
@one_or_four
@pytest.mark.parametrize("case", NUMBER_OF_REQUESTS)
def test_each_combination_of_keys_takes_one_request(fresh, name, api_version, workers, case):
    keys, on, max_rows, requests = NUMBER_OF_REQUESTS[case]
    sandbox, session = fresh(api_version)
    frame = pd.DataFrame(keys)
    receipt = frame.clicdata.delete_rows(name, on=on, max_rows=max_rows, workers=workers, session=session)
    assert len(sandbox.requests.of("delete")) == receipt.batches == requests
    deleted = {tuple(row) for row in frame[[on] if isinstance(on, str) else on].itertuples(index=False)}
    names = [on] if isinstance(on, str) else on
    assert numbers(sandbox, name) == [
        row["n"] for row in FRAME.to_dict("records") if tuple(row[key] for key in names) not in deleted
    ]


KEYS: dict[str, Any] = {
    "whole": ([1, 2, 3], [2]),
    "whole as float": ([1, 2, 3], [2.0]),
    "float as whole": ([1.0, 2.0, 2.5], [2]),
    "large": ([2**60, 2**60 + 1, 0], [2**60 + 1]),
    "fraction": ([0.1, 0.30000000000000004, 0.3], [0.3]),
    "decimal": ([Decimal("0.1"), Decimal("0.3"), Decimal(3)], [Decimal("0.30")]),
    "text": (["a", "A", "a ", ""], ["a", ""]),
    "text to be escaped": (['say "x"', "back\\slash", "line\nend", "é🜁"], ['say "x"', "line\nend", "é🜁"]),
    "text like numbers": (["1", "01", "1.0"], ["1"]),
    "checkbox": ([True, False, True], [True]),
    "date": ([dt.date(2013, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)], [dt.date(1, 1, 1)]),
    "datetime": (
        [dt.datetime(2013, 1, 1, 5), dt.datetime(2013, 1, 1, 5, 0, 0, 1), dt.datetime(2013, 1, 1)],
        [dt.datetime(2013, 1, 1, 5)],
    ),
    "datetime as date": ([dt.datetime(2013, 1, 1, 5), dt.datetime(2013, 1, 1)], [dt.date(2013, 1, 1)]),
    "datetime in a zone": (
        [dt.datetime(2013, 1, 1, 5), dt.datetime(2013, 1, 1, 4)],
        [dt.datetime(2013, 1, 1, 6, tzinfo=dt.timezone(dt.timedelta(hours=1)))],
    ),
}


@every_dialect
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("datetime_form", ["space", "iso_offset"])
@pytest.mark.parametrize("case", KEYS)
def test_keys_of_every_type_match_equal_values(
    running, serve, open_session, name, api_version, case, limited, datetime_form
):
    stored, keys = KEYS[case]
    if datetime_form == "iso_offset":
        sandbox, session = serve(api_version, assume=Assumptions(datetime_form="iso_offset"))
    else:
        sandbox, session = running, open_session(running, api_version)
    cd.push(pa.table({"key": stored, "n": range(len(stored))}), name, session=session)
    max_rows = len(keys) + 1 if limited else None
    keys_to_delete = pa.table({"key": keys})
    dry = cd.delete_rows(keys_to_delete, name, on="key", dry_run=True, session=session)
    receipt = cd.delete_rows(keys_to_delete, name, on="key", max_rows=max_rows, session=session)
    deleted = {key.astimezone(dt.UTC).replace(tzinfo=None) if getattr(key, "tzinfo", None) else key for key in keys}
    deleted |= {dt.datetime(key.year, key.month, key.day) for key in deleted if type(key) is dt.date}
    assert numbers(sandbox, name) == [at for at, key in enumerate(stored) if key not in deleted]
    assert dry.matched == len(stored) - sandbox.ledger.count(name)
    if limited:
        assert receipt.matched == dry.matched


@every_dialect
@pytest.mark.parametrize("frame", [pd.DataFrame({"n": ["1"]}), pd.DataFrame({"day": [1]}), pd.DataFrame({"t": [1]})])
def test_keys_of_another_type_are_refused(fresh, name, api_version, frame):
    sandbox, session = fresh(api_version)
    with pytest.raises(cd.ColumnMismatchError):
        frame.clicdata.delete_rows(name, on=list(frame), session=session)
    assert sandbox.requests.of("delete") == []


def test_a_key_that_the_table_does_not_have_is_refused(fresh, name):
    sandbox, session = fresh()
    with pytest.raises(cd.ColumnMismatchError, match="'x'"):
        pd.DataFrame({"x": [1]}).clicdata.delete_rows(name, on="x", session=session)
    assert sandbox.requests.of("delete") == []


def test_an_index_can_hold_the_keys(fresh, name):
    sandbox, session = fresh()
    FRAME.set_index("n").iloc[[0, 5]].clicdata.delete_rows(name, on="n", index=True, session=session)
    assert numbers(sandbox, name) == [2, 3, 4, 5]


# faults


@every_dialect
@one_or_four
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lose_reply", {"after_commit": True}),
        ("lose_reply", {"after_commit": False}),
        ("late_commit", {}),
        ("status", {"code": 500, "after_commit": True}),
        ("status", {"code": 429}),
    ],
)
def test_a_deletion_with_a_lost_reply_is_retried(fresh, name, api_version, workers, nth, kind, options):
    sandbox, session = fresh(api_version)
    sandbox.faults.script(kind, operation="delete", nth=nth, **options)
    receipt = FRAME.iloc[[0, 2, 4]].clicdata.delete_rows(
        name, on="n", workers=workers, reconcile_wait=0, session=session
    )
    assert (receipt.retries, receipt.batches) == (1, 3)
    assert numbers(sandbox, name) == [2, 4, 6]
    sandbox.faults.release()
    assert numbers(sandbox, name) == [2, 4, 6]


@every_dialect
@pytest.mark.parametrize("code", [400, 403, 404])
def test_a_refused_deletion_reports_its_rows_and_can_be_repeated(fresh, name, api_version, code):
    sandbox, session = fresh(api_version)
    sandbox.faults.status(code, operation="delete", nth=2)
    frame = FRAME.iloc[[0, 2, 0, 4]]
    with pytest.raises(cd.IncompleteWriteError) as caught:
        frame.clicdata.delete_rows(name, on="n", session=session)
    error = caught.value
    assert type(error) is cd.IncompleteWriteError
    assert (error.confirmed, error.unknown, error.unsent) == ([(0, 1), (2, 3)], [], [(1, 2), (3, 4)])
    assert numbers(sandbox, name) == [2, 3, 4, 5, 6]
    frame.clicdata.delete_rows(name, on="n", session=session)
    assert numbers(sandbox, name) == [2, 4, 6]


@every_dialect
def test_a_failed_read_deletes_nothing(fresh, name, api_version):
    sandbox, session = fresh(api_version)
    sandbox.faults.status(500, operation="read", nth=2, times=20)
    with pytest.raises(cd.IncompleteReadError):
        FRAME.clicdata.delete_rows(name, on="n", max_rows=3, session=session)
    assert sandbox.requests.of("delete") == []
