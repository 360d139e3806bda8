"""cd.columns: the names, types and dtypes of a table, from its first page."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

FRAME = pd.DataFrame(
    {
        "t": ["a", None, "c"],
        "n": [1, 2, 3],
        "f": [1.5, None, 2.5],
        "some": pd.array([1, None, 3], "Int64"),
        "b": [True, False, True],
        "d": [dt.date(2013, 1, 1), None, dt.date(2013, 1, 2)],
        "at": [pd.Timestamp("2013-01-01 05:00:00.25"), pd.NaT, pd.Timestamp("2013-01-02")],
        "p": [0.25, 0.5, 1.0],
    }
)
TYPES = ["text", "number", "number", "number", "checkbox", "date", "datetime", "percentage"]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
def test_the_dtypes_are_those_of_a_read(sessions, name, backend):
    for session in sessions.values():
        receipt = FRAME.clicdata.push(f"{name} {session!r}", column_types={"p": "percentage"}, session=session)
        listed = cd.columns(receipt, dtype_backend=backend)
        read = receipt.read(dtype_backend=backend)
        assert dict(zip(listed["column"], listed["dtype"], strict=True)) == dict(read.dtypes)
        assert listed["clicdata_type"].tolist() == TYPES
        assert set(listed["note"]) == {""}


def test_one_page_is_read_and_a_note_says_what_may_change(serve, name):
    sandbox, session = serve(page_size=2)
    receipt = FRAME.clicdata.push(name, session=session)
    sandbox.requests.clear()
    listed = cd.columns(receipt.rec_id, session=session).set_index("column")
    assert sandbox.requests.counts() == {"read": 1}
    note = "of the first 2 of 3 rows"
    assert listed["note"].to_dict() == {
        "t": "", "d": "", "at": "", **dict.fromkeys(["n", "f", "some", "b", "p"], note)
    }  # fmt: skip
    by_name: Any = cd.columns(name, session=session)
    assert note in by_name._repr_html_()


def test_without_listed_types_the_values_decide(serve, name):
    _, session = serve("unversioned", assume=Assumptions(column_metadata=False))
    receipt = FRAME.clicdata.push(name, session=session)
    listed = cd.columns(receipt)
    assert dict(zip(listed["column"], listed["dtype"], strict=True)) == dict(receipt.read().dtypes)
    assert listed["clicdata_type"].isna().all()


def test_a_table_without_rows_has_the_dtypes_of_its_types(session, name):
    rec_id = cd.Data(session).create_data(name, cols={"a": "text", "n": "number", "at": "datetime", "b": "checkbox"})
    listed: Any = cd.columns(rec_id, session=session)
    assert dict(zip(listed["column"], listed["dtype"], strict=True)) == (
        dict(cd.read_clicdata(rec_id, session=session).dtypes)
    )
    assert "4 columns of table" in listed._repr_html_()


def test_wrong_arguments_and_a_missing_table_are_refused(session, name):
    wrong: Any = "arrow"
    wrong_table: Any = None
    with pytest.raises(ValueError, match="Unknown dtype_backend='arrow'"):
        cd.columns(name, dtype_backend=wrong, session=session)
    with pytest.raises(cd.TableNotFoundError, match="no table named"):
        cd.columns(name, session=session)
    with pytest.raises(TypeError, match="A table is identified by"):
        cd.columns(wrong_table, session=session)
