"""Chunks of any frame agree with each other, and together with the whole read, as docs/guide.md says."""

import ast
import re
import uuid
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from drawn_frames import LONG, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd

EXAMPLES = 300 if LONG else 20
ROWS_A_PAGE = 2
LONG_TEXT = pd.ArrowDtype(pa.string())
NULLABLE = {"int64": "Int64", "uint64": "UInt64", "bool": "boolean"}


def fit(dtype, first):
    """Whether chunks may have a dtype, from that of the first page read by itself."""
    if isinstance(first, pd.ArrowDtype) and pa.types.is_decimal(first.pyarrow_dtype):
        widest, needed = dtype.pyarrow_dtype, first.pyarrow_dtype
        return widest == pa.decimal256(76, widest.scale) and needed.scale <= widest.scale
    return dtype == NULLABLE.get(str(first), first)


def pushed(case, session):
    """The RecId of a frame's table, each of its rows with a number, for pages that are alike are refused."""
    frame = case.frame if isinstance(case.frame, pd.DataFrame) else case.frame.to_pandas(types_mapper=pd.ArrowDtype)
    frame = frame.copy()
    frame["number of the row"] = np.arange(len(frame))
    options = {"index": True} if case.index else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        return cd.push(frame, f"T {uuid.uuid4()}", session=session, **options).rec_id


def plain(values):
    """Values that are equal if they say the same: numbers with their kind, missing ones alike."""
    return [None if value is None or value is pd.NA or value != value else value for value in values]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"], ids=str)
@pytest.mark.parametrize("dialect", ["2025.3", "unversioned"])
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=not LONG, database=None, suppress_health_check=list(HealthCheck)
)
@given(case=cases(), size=st.integers(1, 4))
def test_chunks_agree_and_are_the_whole(accounts, dialect, backend, case, size):
    session = accounts(page_size=ROWS_A_PAGE)[1][dialect]
    rec_id = pushed(case, session)
    options = {"dtype_backend": backend, "session": session}
    whole = cd.read_clicdata(rec_id, **options)
    first_page = cd.read_clicdata(rec_id, limit=ROWS_A_PAGE, **options)
    try:
        chunks = list(cd.read_clicdata(rec_id, chunksize=size, **options))
    except cd.IncompleteReadError as error:
        # A later page holds other numbers than the first.
        named = re.search("^Column (.*) of table .* Name its type, for example dtype=", str(error))
        assert named is not None
        column = ast.literal_eval(named[1])
        # Long numbers of all sizes are objects alike, and text in Arrow.
        assert whole.dtypes[column] != first_page.dtypes[column] or whole.dtypes[column] in (object, LONG_TEXT)
        return
    assert [len(chunk) for chunk in chunks] == [len(whole[at : at + size]) for at in range(0, len(whole) or 1, size)]
    for chunk in chunks:
        assert chunk.columns.equals(whole.columns)
        assert chunk.dtypes.equals(chunks[0].dtypes)
        assert all(map(fit, chunk.dtypes, first_page.dtypes))
    together = pd.concat(chunks, ignore_index=True)
    for name in whole.columns:
        assert plain(together[name]) == plain(whole[name])
