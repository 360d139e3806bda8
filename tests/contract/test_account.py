"""What the package relies on, checked against the sandbox, or against a live account.

With ``CLICDATA_TEST_LIVE=1`` the tests use the account of the environment or the default profile. They write to one
table, `TABLE`, which they create if it does not exist, and delete their rows again. The API cannot delete the table.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pandas as pd
import pytest

import pandas_clicdata as cd
from conftest import DIALECTS

TABLE = "pandas-clicdata contract test"
LIVE = os.environ.get("CLICDATA_TEST_LIVE") == "1"
FRAME = pd.DataFrame(
    {
        "key": [1, 2, 3],
        "name": ["Zürich", "00123", None],
        "amount": [0.1, -2.5, None],
        "at": pd.Series(["2024-02-29 23:59:59", "1970-01-01", None], dtype="datetime64[us, UTC]"),
        "ok": pd.array([True, False, None], dtype="boolean"),
    }
)


@pytest.fixture(scope="module", params=["live"] if LIVE else DIALECTS)
def account(request: pytest.FixtureRequest) -> Iterator[cd.Session]:
    if LIVE:
        with cd.Session() as session:
            yield session
    else:
        yield request.getfixturevalue("sessions")[request.param]


@pytest.fixture
def table(account: cd.Session) -> Iterator[int]:
    """Yield the RecId of the table, which holds the rows of `FRAME`."""
    receipt = FRAME.clicdata.push(TABLE, if_exists="upsert", on="key", session=account)
    assert receipt.rec_id is not None
    yield receipt.rec_id
    FRAME[["key"]].clicdata.delete_rows(TABLE, on="key", session=account)
    assert cd.read_clicdata(TABLE, session=account).empty


def test_the_credentials_belong_to_an_account(account: cd.Session) -> None:
    assert account.whoami().fields


def test_the_table_is_listed_once(account: cd.Session, table: int) -> None:
    listed = cd.tables(session=account)
    assert listed.loc[listed["name"] == TABLE, "rec_id"].tolist() == [table]


def test_rows_are_read_back_exactly(account: cd.Session, table: int) -> None:
    returned = cd.read_clicdata(table, session=account, schema=FRAME.clicdata.schema()).sort_values("key")
    pd.testing.assert_frame_equal(returned.reset_index(drop=True)[list(FRAME)], FRAME)


def test_a_row_is_updated_by_its_key(account: cd.Session, table: int) -> None:
    pd.DataFrame({"key": [2], "name": ["changed"]}).clicdata.update_rows(table, on="key", session=account)
    names = cd.read_clicdata(table, session=account).set_index("key")["name"]
    assert names.loc[[1, 2]].tolist() == ["Zürich", "changed"]


def test_a_row_is_deleted_by_its_key(account: cd.Session, table: int) -> None:
    FRAME.tail(1)[["key"]].clicdata.delete_rows(table, on="key", session=account)
    assert sorted(cd.read_clicdata(table, session=account)["key"]) == [1, 2]


def test_an_upsert_of_the_same_rows_sends_nothing(account: cd.Session, table: int) -> None:
    assert FRAME.clicdata.upsert(table, on="key", session=account).sent == 0
