"""Any mix of columns is restored by schema=, whole and in chunks."""

import itertools
import uuid

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from properties.column_kinds import BACKENDS, KINDS, assert_equal
from properties.numbers_of_examples import few_or, with_settings

import pandas_clicdata as cd

NULLABLE = [kind for row in KINDS for kind in KINDS[row] if kind.nullable and kind.values]


FIXED = [kind for row in KINDS for kind in KINDS[row] if not kind.nullable]


@st.composite
def mixed_frames(draw):
    """Draw frames of columns of any kinds, with nulls if the kind allows them."""
    height = draw(st.integers(0, 5))
    columns = {}
    for label in draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), min_size=1, max_size=5,
                               unique_by=lambda text: text.strip().casefold())):  # fmt: skip
        kind = draw(st.sampled_from(NULLABLE + FIXED))
        series = kind.series(kind.nullable)
        rows = draw(st.lists(st.integers(0, len(series) - 1), min_size=height, max_size=height))
        if label.strip():
            columns[label] = series.iloc[rows].reset_index(drop=True)
    return pd.DataFrame(columns or {"x": pd.Series([1] * height, dtype="int8")})


@few_or(60, few=20)
def test_any_mix_of_columns_is_restored(sessions, examples):
    @with_settings(examples)
    @given(frame=mixed_frames(), size=st.integers(1, 6), dialect=st.sampled_from(["2025.3", "unversioned"]),
           backend=st.sampled_from(BACKENDS))  # fmt: skip
    def is_restored(frame, size, dialect, backend):
        table, session = f"T {uuid.uuid4()}", sessions[dialect]
        cd.push(frame, table, index=False, session=session)
        options = {"schema": frame.clicdata.schema(index=False), "dtype_backend": backend, "session": session}
        whole = cd.read_clicdata(table, **options)
        assert_equal(whole, frame)
        chunks = [*cd.read_clicdata(table, chunksize=size, **options)]
        for start, chunk in zip(itertools.count(0, size), chunks, strict=False):
            assert_equal(chunk, frame.iloc[start : start + size])

    is_restored()
