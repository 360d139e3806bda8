"""A frame is the same whatever number of pages it comes in, also if the last page is unlike the others."""

import datetime as dt
import json
from decimal import Decimal

import pandas as pd
import pytest

import pandas_clicdata as cd

ROWS = 24
"""With two rows on a page, more pages than those that show which columns have which dtype."""
LAST: dict[str, object] = {
    "like the others": "2013-01-01 05:00:59",
    "another form": "2013-01-01T05:00:59.5+01:00",
    "a fraction": "2013-01-01 05:00:59.000001",
    "a date": "2013-01-01",
    "not a datetime": "2013-02-30 05:00:00",
    "a text": "late",
    "missing": None,
    "a number": 7,
    "a list": [1],
}


def rows_with(last):
    seconds = [f"2013-01-01 05:00:{row:02}" for row in range(ROWS)]
    rows = [{"n": row, "x": row / 4, "y": row / 2, "m": -row, "at": at, "also": at} for row, at in enumerate(seconds)]
    rows[-1] |= last
    return rows


def paged(rows, size, declared, end):
    """Return the answers of a service whose pages have ``size`` rows."""
    listed = {"columns": [{"name": name, "data_type": kind} for name, kind in declared.items()]} if declared else {}

    def answer(request):
        page = int(request.query.get("page", 1))
        part = rows[(page - 1) * size : page * size]
        if end == "total":
            paging = {"current_page": page, "result_total_count": len(rows)}
            body = {"success": True, "result": {"data": part, **listed}, "pagination": paging}
        else:
            body = {"data": part, "has_more_data": page * size < len(rows), **listed}
        return 200, {}, json.dumps(body).encode()

    return answer


def read(http_service, rows, size, declared, end, **options):
    version = "2025.3" if end == "total" else "unversioned"
    with (
        http_service(paged(rows, size, declared, end)) as url,
        cd.Session(api_key="canary", base_url=url, api_version=version) as session,
    ):
        try:
            return cd.read_clicdata(7, session=session, **options)
        except cd.UnexpectedReplyError as error:
            return str(error)


def assert_same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        assert str(one) == str(other)
        return
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    for name in one:
        assert repr(one[name].tolist()) == repr(other[name].tolist())


@pytest.mark.sampled(1)
@pytest.mark.parametrize("declared", ["datetime", "", "text", "date"])
@pytest.mark.parametrize("last", LAST)
def test_a_column_of_datetimes_whose_last_page_is_unlike(http_service, last, declared):
    types = {"n": "number", "x": "number", "y": "number", "m": "number", "at": declared, "also": "datetime"}
    rows = rows_with({"at": LAST[last]})
    pages, page = (read(http_service, rows, size, declared and types, "total") for size in (2, ROWS))
    assert_same(pages, page)
    if declared == "datetime" and not isinstance(page, str):
        assert (page["at"].dtype == page["also"].dtype) == (last not in ("not a datetime", "a text"))


@pytest.mark.parametrize("place", [0, 4, ROWS - 2])
def test_a_page_of_nulls_among_datetimes(http_service, place):
    rows = rows_with({})
    for row in rows[place : place + 2]:
        row["at"] = None
    pages, page = (read(http_service, rows, size, {"at": "datetime"}, "total") for size in (2, ROWS))
    assert_same(pages, page)
    assert page["at"].isna().sum() == 2


@pytest.mark.parametrize("end", ["total", "more"])
@pytest.mark.parametrize(
    ("last", "dtype", "value"),
    [
        ({"n": None}, "Int64", pd.NA),
        ({"n": 0.5}, "float64", 0.5),
        ({"n": 2**63}, "uint64", 2**63),
        ({"n": 2**70}, "object", 2**70),
        ({"x": None}, "float64", None),
        ({"x": 7}, "float64", 7.0),
        ({"x": 2**53 + 1}, "object", Decimal(2**53 + 1)),
        ({"x": 2**53 + 1, "y": None}, "object", Decimal(2**53 + 1)),
    ],
    ids=str,
)
def test_a_column_of_numbers_whose_last_page_is_unlike(http_service, last, dtype, value, end):
    first = next(iter(last))
    rows = rows_with(last)
    if first == "n":
        # So that no other column of whole numbers changes with it.
        rows = [{**row, "m": -at} for at, row in enumerate(rows)]
    pages, page = (read(http_service, rows, size, {}, end) for size in (2, ROWS))
    assert_same(pages, page)
    assert str(pages[first].dtype) == dtype
    found = pages[first].iloc[-1]
    assert (pd.isna(found) and pd.isna(value)) or found == value


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["at", "m", "x", "n"]},
        {"columns": ["x", "n"], "index_col": "at"},
        {"limit": 19},
        {"parse_dates": ["at"], "dtype": {"n": "float64", "m": "string"}},
        {"dtype_backend": "pyarrow"},
        {"dtype_backend": "numpy_nullable"},
        {"dtype": "string"},
        {"schema": {"at": "datetime64[s, Europe/Paris]", "n": "int8"}},
    ],
    ids=str,
)
def test_options_apply_to_a_read_of_many_pages(http_service, options):
    pages, page = (read(http_service, rows_with({}), size, {}, "total", **options) for size in (2, ROWS))
    assert_same(pages, page)
    assert pages._mgr.is_consolidated()


def test_the_frame_of_many_pages_is_writable_and_correct(http_service):
    frame = read(http_service, rows_with({}), 2, {}, "more")
    assert frame["at"].iloc[-1] == dt.datetime(2013, 1, 1, 5, 0, ROWS - 1)
    assert frame["x"].tolist() == [row / 4 for row in range(ROWS)]
    frame.loc[0, ["n", "x"]] = [5, 5.5]
    frame["m"] += 1
    assert frame.iloc[0][["n", "x", "m"]].tolist() == [5, 5.5, 1]
    assert frame["y"].iloc[1] == 0.5
