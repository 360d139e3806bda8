"""Chunks of any frame have the same dtypes, and together equal the whole read, as docs/guide.md says."""

import ast
import re
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties.drawn_frames import cases
from properties.numbers_of_examples import few_or, with_settings

import pandas_clicdata as cd

ROWS_A_PAGE = 2


LONG_TEXT = pd.ArrowDtype(pa.string())


NULLABLE = {"int64": "Int64", "uint64": "UInt64", "bool": "boolean"}


def fit(dtype, first):
    """Return whether chunks may have a dtype, given that of the first page read alone."""
    if isinstance(first, pd.ArrowDtype) and pa.types.is_decimal(first.pyarrow_dtype):
        widest, needed = dtype.pyarrow_dtype, first.pyarrow_dtype
        return widest == pa.decimal256(76, widest.scale) and needed.scale <= widest.scale
    return dtype == NULLABLE.get(str(first), first)


def pushed(case, session):
    """Push a frame and return the RecId; each row has a number, because equal pages are refused."""
    frame = case.frame if isinstance(case.frame, pd.DataFrame) else case.frame.to_pandas(types_mapper=pd.ArrowDtype)
    frame = frame.copy()
    frame["number of the row"] = np.arange(len(frame))
    return cd.push(frame, f"T {uuid.uuid4()}", index=case.index, session=session).rec_id


def plain(values):
    """Return values that compare equal if they are the same; all missing values as None."""
    return [None if value is None or value is pd.NA or value != value else value for value in values]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"], ids=str)
@pytest.mark.parametrize("dialect", ["2025.3", "unversioned"])
@few_or(20, few=8, long=300)
def test_chunks_have_the_same_dtypes_and_equal_the_whole_read(accounts, dialect, backend, examples):
    @with_settings(examples)
    @given(case=cases(), size=st.integers(1, 4))
    def equal_the_whole_read(case, size):
        session = accounts(page_size=ROWS_A_PAGE)[1][dialect]
        rec_id = pushed(case, session)
        options = {"dtype_backend": backend, "session": session}
        whole = cd.read_clicdata(rec_id, **options)
        first_page = cd.read_clicdata(rec_id, limit=ROWS_A_PAGE, **options)
        try:
            chunks = list(cd.read_clicdata(rec_id, chunksize=size, **options))
        except cd.IncompleteReadError as error:
            # A later page has other numbers than the first.
            named = re.search("^Column (.*) of table .* Name its type, for example dtype=", str(error))
            assert named is not None
            column = ast.literal_eval(named[1])
            # Long numbers of every size are objects, and text in Arrow.
            assert whole.dtypes[column] != first_page.dtypes[column] or whole.dtypes[column] in (object, LONG_TEXT)
            return
        assert [len(chunk) for chunk in chunks] == [
            len(whole[at : at + size]) for at in range(0, len(whole) or 1, size)
        ]
        for chunk in chunks:
            assert chunk.columns.equals(whole.columns)
            assert chunk.dtypes.equals(chunks[0].dtypes)
            assert all(map(fit, chunk.dtypes, first_page.dtypes))
        together = pd.concat(chunks, ignore_index=True)
        for name in whole.columns:
            assert plain(together[name]) == plain(whole[name])

    equal_the_whole_read()
