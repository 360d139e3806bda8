"""Columns that are assembled page by page equal those that are made of all pages at once."""

from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from properties.numbers_of_examples import few_or, with_settings

from pandas_clicdata._models import ColumnType, DecodedColumn
from pandas_clicdata.errors import UnexpectedReplyError
from pandas_clicdata.types import infer, row_codec, to_pandas
from pandas_clicdata.types.assemble import Assembly

MOMENTS = st.datetimes()


def written(form):
    """Return a function from a datetime to its text."""
    match form:
        case "seconds":
            return lambda moment: moment.isoformat(" ", "seconds")
        case "micros":
            return lambda moment: moment.isoformat(" ", "microseconds")
        case "zone":
            return lambda moment: f"{moment.isoformat('T', 'seconds')}Z"
        case "shortest":
            return lambda moment: moment.isoformat(" ")
        case "T":
            return lambda moment: moment.isoformat("T", "microseconds")
    return lambda moment: f"{moment.isoformat('T', 'milliseconds')}+01:00"


FORMS = ("seconds", "micros", "zone", "shortest", "T", "milliseconds")
VALUES = {
    "integers": st.integers(-5, 5),
    "long integers": st.integers(2**52, 2**66),
    "floats": st.sampled_from([0.0, -0.0, 0.5, 1e300, -7.0, 5e-324, 2.0**53]),
    "exact": st.sampled_from([Decimal("0.12345678901234567890"), Decimal("1E+400")]),
    "booleans": st.booleans(),
    "texts": st.sampled_from(["", "x", "2013-02-30 05:00:00", "0000-01-01 05:00:00", "2013-01-01 05:00:0"]),
    "dates": st.dates().map(str),
    "nulls": st.none(),
    **{form: MOMENTS.map(written(form)) for form in FORMS},
}


@st.composite
def pages_of_a_column(draw, lengths):
    """Draw a column: most pages of one kind, some of others, with or without nulls."""
    usual = draw(st.sampled_from([*FORMS, "integers", "floats", "texts", "nulls"]))
    others = draw(st.lists(st.tuples(st.integers(0, len(lengths) - 1), st.sampled_from(list(VALUES))), max_size=2))
    nulls = draw(st.booleans())
    pages = []
    for page, length in enumerate(lengths):
        values = VALUES[dict(others).get(page, usual)]
        pages.append(draw(st.lists(values | st.none() if nulls else values, min_size=length, max_size=length)))
    return pages


TYPES = st.sampled_from(["", ColumnType.DATETIME, ColumnType.DATE, ColumnType.NUMBER, ColumnType.TEXT, "colour"])


@st.composite
def tables(draw):
    lengths = draw(st.lists(st.integers(1, 3), min_size=6, max_size=14))
    names = [f"column {number}" for number in range(draw(st.integers(1, 5)))]
    columns = {name: draw(pages_of_a_column(lengths)) for name in names}
    # A later page may be the first one that has a column.
    begins = {name: draw(st.sampled_from([0, 0, 0, 3, 9])) for name in names}
    pages = [
        [
            {name: columns[name][page][row] for name in names if page >= begins[name] or name == names[0]}
            for row in range(length)
        ]
        for page, length in enumerate(lengths)
    ]
    return pages, {name: draw(TYPES) for name in names}


def decoded(rows, names, declared):
    mixed = {name for name in names if declared[name] == ColumnType.TEXT}
    return dict(zip(names, row_codec.decode(rows, names, mixed_as_text=mixed), strict=True))


def outcome(function):
    try:
        frame = function()
    except UnexpectedReplyError as error:
        return str(error)
    assert frame._mgr.is_consolidated()
    assert all(block.values.flags.writeable for block in frame._mgr.blocks if isinstance(block.values, np.ndarray))
    return frame


@few_or(200, few=25, long=5_000)
def test_columns_equal_those_of_all_pages_at_once(examples):
    @with_settings(examples)
    @given(table=tables(), total=st.sampled_from(["known", "unknown", "too large"]), kept=st.booleans())
    def equal(table, total, kept):
        pages, declared = table
        rows = sum(map(len, pages))
        expected = {"known": rows, "unknown": None, "too large": 2**62}[total]

        def assembled():
            assembly = Assembly(declared, lambda name: kept or name != "column 1", expected)
            names: list[str] = []
            for page in pages:
                names = row_codec.names_in(page, names)
                assembly.add(decoded(page, names, declared), len(page))
            columns = {
                name: assembly.pop(name, None, mixed_as_text=declared[name] == ColumnType.TEXT) for name in names
            }
            return to_pandas.to_frame(columns, assembly.rows)

        def at_once():
            pieces: dict[str, list[DecodedColumn]] = {}
            names: list[str] = []
            before = 0
            for page in pages:
                names = row_codec.names_in(page, names)
                for name, column in decoded(page, names, declared).items():
                    pieces.setdefault(name, [row_codec.nulls(before)] if before else []).append(column)
                before += len(page)
            columns = {}
            for name in names:
                column = row_codec.unify(pieces[name], name, mixed_as_text=declared[name] == ColumnType.TEXT)
                columns[name] = infer.infer_column(column, declared[name])
            return to_pandas.to_frame(columns, before)

        ours, reference = outcome(assembled), outcome(at_once)
        if isinstance(ours, str) or isinstance(reference, str):
            assert str(ours) == str(reference)
            return
        pd.testing.assert_frame_equal(ours, reference, check_exact=True)
        for name in ours:
            # Also the sign of zero, and the type and digits of each object.
            assert repr(ours[name].tolist()) == repr(reference[name].tolist())

    equal()


def test_numbers_and_datetimes_are_in_the_memory_of_the_frame():
    pages = [
        [
            {"n": row, "x": row / 4, "at": f"2013-01-01 05:00:{row % 60:02}", "m": row, "y": None}
            for row in [2 * at, 2 * at + 1]
        ]
        for at in range(12)
    ]
    names = ["n", "x", "at", "m", "y"]
    for expected in (24, None):
        assembly = Assembly({}, lambda name: True, expected)
        for page in pages:
            assembly.add(decoded(page, names, dict.fromkeys(names, "")), 2)
        columns = {name: assembly.pop(name, None, mixed_as_text=False) for name in names}
        blocks = {name: columns[name].block for name in names}
        frame = to_pandas.to_frame(columns, 24)
        for name in ("n", "x", "at", "m"):
            assert np.shares_memory(frame[name].to_numpy(), blocks[name]) or pd.__version__ < "3"
        assert frame["n"].tolist() == frame["m"].tolist() == list(range(24))
