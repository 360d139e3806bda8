"""``read_arrow`` and ``read_polars``, and the parameters of ``pandas.read_csv`` that have other names here."""

import datetime as dt
import re
import sys
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import pandas_clicdata as cd

FRAME = pd.DataFrame(
    {
        "text": ["00123", None],
        "whole": pd.Series([1, None], dtype="Int64"),
        "fraction": [0.5, None],
        "exact": pd.Series([Decimal("0.12345678901234567890"), None], dtype=object),
        "longer": pd.Series([10**50, None], dtype=object),
        "yes": pd.Series([True, None], dtype="boolean"),
        "day": pd.Series([dt.date(2024, 2, 29), None], dtype=object),
        "at": pd.Series(["2024-02-29 12:00:00.000001", None], dtype="datetime64[us]"),
        "nothing": pd.Series([None, None], dtype=object),
        "size": pd.Categorical(["L", None]),
    }
)
FIRST = {
    "text": "00123", "whole": 1, "fraction": 0.5, "exact": Decimal("0.12345678901234567890"), "longer": 10**50,
    "yes": True, "day": dt.date(2024, 2, 29), "at": dt.datetime(2024, 2, 29, 12, 0, 0, 1), "nothing": None, "size": "L",
}  # fmt: skip


def test_a_table_is_read_into_arrow_and_polars(session, name):
    FRAME.clicdata.push(name, session=session)
    table = cd.read_arrow(name, session=session)
    assert table.to_pylist() == [FIRST, dict.fromkeys(FIRST)]
    assert table.schema.field("text").type == pa.string()
    assert table.schema.field("at").type == pa.timestamp("us")
    frame = cd.read_polars(name, session=session)
    assert frame.to_dicts() == [{**FIRST, "longer": str(10**50)}, dict.fromkeys(FIRST)]
    some = {"columns": ["whole", "text"], "limit": 1, "session": session}
    assert cd.read_polars(name, **some).equals(pl.DataFrame({"whole": [1], "text": ["00123"]}))
    assert cd.read_arrow(name, **some).to_pylist() == [{"whole": 1, "text": "00123"}]


def test_types_are_restored_in_arrow_and_polars(session, name):
    FRAME.clicdata.push(name, session=session)
    schema = FRAME.clicdata.schema()
    table = cd.read_arrow(name, schema=schema, session=session)
    assert pa.types.is_dictionary(table.schema.field("size").type)
    assert table.schema.field("whole").type == pa.int64()
    frame = cd.read_polars(name, schema={"whole": "int8[pyarrow]", "size": "category"}, session=session)
    assert frame["whole"].dtype == pl.Int8
    assert frame["size"].to_list() == ["L", None]
    with pytest.raises(cd.ColumnNotFoundError, match="schema= names 'sizes'"):
        cd.read_arrow(name, schema={"sizes": "category"}, session=session)
    with pytest.raises(cd.ColumnConversionError, match="'text'"):
        cd.read_polars(name, schema={"text": pd.CategoricalDtype(["1"])}, session=session)


def test_an_empty_table_is_read(session, name):
    FRAME.head(0).clicdata.push(name, session=session)
    for read in (cd.read_arrow, cd.read_polars):
        empty = read(name, schema=FRAME.dtypes, session=session)
        assert (len(empty), *empty.shape) == (0, 0, len(FIRST))


def test_polars_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"pip install polars.*cd\.read_arrow\('T'\)"):
        cd.read_polars("T")


@pytest.mark.parametrize(
    ("read", "given", "line"),
    [
        (cd.read_clicdata, {"nrows": 5}, "pd.read_clicdata('T', limit=5)"),
        (cd.read_arrow, {"usecols": ("a", "b")}, "cd.read_arrow('T', columns=['a', 'b'])"),
        (cd.read_polars, {"usecols": [0], "session": "hush"}, "cd.read_polars('T', columns=[…], session=session)"),
        (cd.read_clicdata, {"usecols": len, "dtype": "str"}, "pd.read_clicdata('T', columns=[…], dtype='str')"),
        (
            cd.read_clicdata_batches,
            {"nrows": 1, "usecols": ["a"], "version": 2},
            "cd.read_clicdata_batches('T', limit=1, columns=['a'], version=2)",
        ),
    ],
)
def test_parameters_of_pandas_are_answered_with_the_line_to_paste(read, given, line):
    with pytest.raises(TypeError, match=re.escape(f"here. Call:\n    {line}") + "$") as caught:
        read("T", **given)
    assert {word for word in given if word in ("nrows", "usecols")} <= {*re.findall(r"\w+", str(caught.value))}
