"""What the docs promise, checked on the sandbox in both dialects, or on a live account.

The mark ``promise`` of a test has the page and the sentence that the test checks.

The tests write to three tables, which they create if they do not exist. A column `purpose` has the same value in every
row, so that one request deletes all rows. The API cannot delete a table, so three empty tables remain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd

PURPOSE = "contract test"
KEYS = "pandas-clicdata contract test: keys"
TYPES = "pandas-clicdata contract test: types"
ROWS = "pandas-clicdata contract test: rows"

FRAME = pd.DataFrame(
    {
        "purpose": PURPOSE,
        "key": [1, 2, 3],
        "name": ["Zürich", "00123", None],
        "amount": [0.1, -2.5, None],
        "at": pd.Series(["2024-02-29 23:59:59", "1970-01-01", None], dtype="datetime64[us, UTC]"),
        "ok": pd.array([True, False, None], dtype="boolean"),
    }
)
MANY = pd.DataFrame({"purpose": PURPOSE, "n": range(1200)})

# For each type, values that a service could change: of each, the last is null.
EDGES: dict[str, pd.Series] = {
    "text": pd.Series(["00123", "", " a  ", "NULL", 'say "é" \\ \n\t 😀', "x" * 4000, None], dtype="string"),
    "number": pd.Series([0, -1, 2**53 + 1, Decimal("0.1"), Decimal("1e-9"), Decimal("12345678901234.5678"), None]),
    "datetime": pd.Series(
        ["1970-01-01", "2024-02-29 23:59:59", "2024-03-31 02:30:00.000001", "1900-01-01", "2999-12-31 23:59:59", None],
        dtype="datetime64[us, UTC]",
    ),
    "date": pd.Series([dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(1900, 1, 1), dt.date(2999, 12, 31), None]),
    "percentage": pd.Series([0.25, 0.0, 1.5, -0.1, None]),
    "checkbox": pd.Series([True, False, None], dtype="boolean"),
    "dropdown": pd.Series(["A1", "a1", "Gate 7 é", None], dtype="string"),
}
EMPTY_TYPES = pd.DataFrame({"purpose": pd.Series(dtype="string"), "place": pd.Series(dtype="int64"), **EDGES}).head(0)


def emptied(table: int, account: cd.Session) -> None:
    """Delete all rows of a table of this module."""
    pd.DataFrame({"purpose": [PURPOSE]}).clicdata.delete_rows(table, on="purpose", session=account)


def made(name: str, frame: pd.DataFrame, account: cd.Session, **options: Any) -> int:
    """Return the RecId of a table; create it without rows if it does not exist."""
    rec_id: int | None = frame.head(0).clicdata.push(name, if_exists="append", session=account, **options).rec_id
    assert rec_id is not None
    return rec_id


@pytest.fixture(scope="module")
def tables(account: cd.Session) -> Iterator[dict[str, int]]:
    """Yield the RecId of each table; the tables are empty before and after the tests."""
    found = {
        KEYS: made(KEYS, FRAME, account),
        TYPES: made(TYPES, EMPTY_TYPES, account, column_types={name: name for name in EDGES}),
        ROWS: made(ROWS, MANY, account),
    }
    for rec_id in found.values():
        emptied(rec_id, account)
    yield found
    for rec_id in found.values():
        emptied(rec_id, account)
        assert cd.read_clicdata(rec_id, session=account).empty


@pytest.fixture
def keys(account: cd.Session, tables: dict[str, int]) -> Iterator[int]:
    """Yield the RecId of a table that holds the rows of `FRAME`."""
    FRAME.clicdata.append(tables[KEYS], session=account)
    yield tables[KEYS]
    emptied(tables[KEYS], account)


@pytest.fixture
def rows(account: cd.Session, tables: dict[str, int]) -> Iterator[int]:
    """Yield the RecId of an empty table for the rows of `MANY`."""
    yield tables[ROWS]
    emptied(tables[ROWS], account)


def read_keys(table: int, account: cd.Session) -> pd.DataFrame:
    """Return the table's rows with the dtypes of `FRAME`, by key."""
    found = cd.read_clicdata(table, session=account, schema=FRAME.clicdata.schema())
    return found.sort_values("key", ignore_index=True)[list(FRAME)]


@pytest.mark.promise("docs/sign-in.md", "`session.whoami()` also checks the credentials.")
def test_the_credentials_belong_to_an_account(account: cd.Session) -> None:
    assert account.whoami().fields


@pytest.mark.promise("docs/read.md", "`read_clicdata` takes a RecId or a name.")
def test_a_table_is_listed_once_and_found_by_its_name(account: cd.Session, tables: dict[str, int]) -> None:
    listed = cd.tables(session=account)
    for name, rec_id in tables.items():
        assert listed.loc[listed["name"] == name, "rec_id"].tolist() == [rec_id]
        assert cd.read_clicdata(name, session=account).empty


@pytest.mark.promise("docs/write.md", "`push` raises `TableExistsError` if the table exists.")
def test_a_push_does_not_create_a_second_table(account: cd.Session, keys: int) -> None:
    with pytest.raises(cd.TableExistsError):
        FRAME.clicdata.push(KEYS, session=account)
    assert len(cd.read_clicdata(keys, session=account)) == len(FRAME)


@pytest.mark.promise("docs/read.md", "`schema=` restores the dtypes of the frame")
def test_rows_are_read_back_exactly(account: cd.Session, keys: int) -> None:
    pd.testing.assert_frame_equal(read_keys(keys, account), FRAME)


@pytest.mark.promise("docs/write.md", "Columns are matched by name, in any order.")
def test_columns_are_matched_by_name(account: cd.Session, keys: int) -> None:
    late = FRAME.head(1).assign(key=4, name="last")
    receipt = late[list(FRAME)[::-1]].clicdata.append(keys, session=account, verify=True)
    assert receipt.status == "verified"
    expected = pd.concat([FRAME, late], ignore_index=True)
    pd.testing.assert_frame_equal(read_keys(keys, account), expected)


@pytest.mark.promise("README.md", "Every value stays exact")
@pytest.mark.parametrize("data_type", EDGES)
def test_a_value_of_each_type_is_read_back_exactly(account: cd.Session, tables: dict[str, int], data_type: str) -> None:
    values = EDGES[data_type]
    frame = pd.DataFrame({"purpose": PURPOSE, "place": range(len(values))})
    for name, others in EDGES.items():
        frame[name] = values if name == data_type else pd.Series([None] * len(values), dtype=others.dtype)
    types = {name: name for name in EDGES}
    try:
        frame.clicdata.append(tables[TYPES], column_types=types, session=account)
        found = cd.read_clicdata(tables[TYPES], session=account, schema=frame.clicdata.schema(column_types=types))
    finally:
        emptied(tables[TYPES], account)
    pd.testing.assert_frame_equal(found.sort_values("place", ignore_index=True)[list(frame)], frame)


@pytest.mark.promise(
    "docs/read.md",
    "It returns the whole table or raises `IncompleteReadError`; it never returns a part of the table.",
)
def test_a_read_has_each_row_of_each_page_once(account: cd.Session, rows: int) -> None:
    receipt = MANY.clicdata.append(rows, session=account)
    assert (receipt.sent, receipt.rejected) == (len(MANY), 0)
    assert sorted(cd.read_clicdata(rows, session=account)["n"]) == list(range(len(MANY)))
    chunks = cd.read_clicdata(rows, chunksize=500, session=account)
    assert sorted(pd.concat(chunks)["n"]) == list(range(len(MANY)))


@pytest.mark.promise("docs/read.md", "Read an earlier version")
def test_a_version_is_read_as_it_was_listed(account: cd.Session, keys: int, wire: Any) -> None:
    versions = cd.versions(keys, session=account)
    if versions.empty and wire.dialect == "live":
        pytest.skip("The account keeps no versions of the table.")
    # The name of this field is not publicly known.
    assert "version" in versions, f"A version has only the fields {', '.join(map(str, versions.columns))}."
    newest = int(versions["version"].max())
    found = cd.read_clicdata(keys, version=newest, session=account)
    assert sorted(found["key"]) == [1, 2, 3]


@pytest.mark.promise("docs/write.md", "A key that the table does not have changes nothing.")
def test_a_row_is_updated_by_its_key(account: cd.Session, keys: int) -> None:
    changed = pd.DataFrame({"key": [2, 99], "name": ["changed", "not there"]})
    changed.clicdata.update_rows(keys, on="key", session=account)
    expected = FRAME.copy()
    expected.loc[1, "name"] = "changed"
    pd.testing.assert_frame_equal(read_keys(keys, account), expected)


@pytest.mark.promise(
    "docs/write.md",
    "It leaves equal rows alone, updates the rows that differ and inserts the others. Repeating the call sends "
    "nothing.",
)
def test_an_upsert_updates_and_inserts_only_what_differs(account: cd.Session, keys: int) -> None:
    changed = FRAME.assign(amount=FRAME["amount"] * [1, 2, 1])
    wanted = pd.concat([changed, FRAME.head(1).assign(key=4)], ignore_index=True)
    assert wanted.clicdata.upsert(keys, on="key", session=account).sent == 2
    pd.testing.assert_frame_equal(read_keys(keys, account), wanted)
    assert wanted.clicdata.upsert(keys, on="key", session=account).sent == 0


@pytest.mark.promise(
    "docs/write.md",
    "`delete_rows` deletes the table's rows that equal the frame's rows in the `on` columns.",
)
def test_only_the_rows_of_a_key_are_deleted(account: cd.Session, keys: int) -> None:
    gone = pd.DataFrame({"key": [3, 99]})
    gone.clicdata.delete_rows(keys, on="key", max_rows=1, session=account)
    pd.testing.assert_frame_equal(read_keys(keys, account), FRAME.head(2))


@pytest.mark.promise(
    "docs/replace-and-restore.md",
    "Otherwise it first saves the table's rows to another file, `restored.backup`, and then replaces them.",
)
def test_replaced_rows_can_be_restored(account: cd.Session, keys: int, tmp_path: Path) -> None:
    new = FRAME.tail(2).assign(amount=[1.0, 2.0])
    receipt = new.clicdata.push(KEYS, if_exists="replace", backup=tmp_path, session=account)
    pd.testing.assert_frame_equal(read_keys(keys, account), new.reset_index(drop=True))
    assert receipt.backup is not None
    cd.restore(receipt.backup, keys, session=account)
    pd.testing.assert_frame_equal(read_keys(keys, account), FRAME)


@pytest.mark.promise("docs/resume.md", "This page shows how to continue without sending a row twice.")
def test_a_write_that_stopped_is_continued(
    account: cd.Session, rows: int, wire: Any, open_account: Callable[..., cd.Session]
) -> None:
    frame = MANY.head(30)
    stopping = open_account(retry=cd.RetryPolicy(attempts=1))
    appends: list[str] = []

    def is_cut(method: str, path: str) -> bool:
        if method == "POST" and str(rows) in path.partition("?")[0].split("/"):
            appends.append(path)
        return len(appends) > 1

    wire.is_cut = is_cut
    try:
        with pytest.raises(cd.IncompleteWriteError) as caught:
            frame.clicdata.append(rows, chunksize=10, session=stopping)
    finally:
        wire.is_cut = None
    assert caught.value.unsent
    frame.clicdata.append(rows, chunksize=10, resume=True, session=account)
    assert sorted(cd.read_clicdata(rows, session=account)["n"]) == list(range(30))
