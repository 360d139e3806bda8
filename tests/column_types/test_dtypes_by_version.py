"""The dtypes of a read depend only on the generation of pandas: not on pyarrow, the pages, or which values are null.

``.ci/run`` runs this with each pair of versions in ``.ci/pairs.txt``.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from conftest import DIALECTS, signed_in
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.types.to_pandas import DtypeBackend

pytestmark = pytest.mark.sampled(1)

PAGE = 3


BACKENDS: tuple[DtypeBackend | None, ...] = (None, "numpy_nullable", "pyarrow")


PANDAS = int(pd.__version__.split(".")[0])


TEXT = "str" if PANDAS >= 3 else object


STRING = "string[pyarrow]" if PANDAS >= 3 else "string[python]"


CONTENTS = {
    "no nulls": lambda one, other: [one, other, one, other, one],
    "nulls": lambda one, other: [one, other, None, None, None],
    "only nulls": lambda one, other: [None] * 5,
    "no rows": lambda one, other: [],
}


# Kind: its ClicData type, two values, and for each backend the dtype for each of CONTENTS, in order.
DTYPES: dict[str, tuple[str, tuple[Any, Any], dict[DtypeBackend | None, list[Any]]]] = {
    "text": ("text", ("a", "b"), {
        None: [TEXT] * 4, "numpy_nullable": [STRING] * 4, "pyarrow": [pa.string()] * 4}),
    "dropdown": ("dropdown", ("a", "b"), {
        None: [TEXT] * 4, "numpy_nullable": [STRING] * 4, "pyarrow": [pa.string()] * 4}),
    "whole numbers": ("number", (1, -2), {
        None: ["int64", "Int64", "float64", "float64"],
        "numpy_nullable": ["Int64", "Int64", "Float64", "Float64"],
        "pyarrow": [pa.int64(), pa.int64(), pa.float64(), pa.float64()]}),
    "unsigned numbers": ("number", (1, 2**64 - 1), {
        None: ["uint64", "UInt64", "float64", "float64"],
        "numpy_nullable": ["UInt64", "UInt64", "Float64", "Float64"],
        "pyarrow": [pa.uint64(), pa.uint64(), pa.float64(), pa.float64()]}),
    "long numbers": ("number", (1, 2**70), {
        None: [object, object, "float64", "float64"],
        "numpy_nullable": [object, object, "Float64", "Float64"],
        "pyarrow": [pa.decimal128(22, 0), pa.decimal128(22, 0), pa.float64(), pa.float64()]}),
    "decimals": ("number", (Decimal("1.5"), Decimal("0.12345678901234567890")), {
        None: [object, object, "float64", "float64"],
        "numpy_nullable": [object, object, "Float64", "Float64"],
        "pyarrow": [pa.decimal128(21, 20), pa.decimal128(21, 20), pa.float64(), pa.float64()]}),
    "floats": ("number", (0.5, 1e300), {
        None: ["float64"] * 4, "numpy_nullable": ["Float64"] * 4, "pyarrow": [pa.float64()] * 4}),
    "percentage": ("percentage", (0.25, 0.5), {
        None: ["float64"] * 4, "numpy_nullable": ["Float64"] * 4, "pyarrow": [pa.float64()] * 4}),
    "checkbox": ("checkbox", (True, False), {
        None: ["bool", "boolean", "boolean", "bool"],
        "numpy_nullable": ["boolean"] * 4,
        "pyarrow": [pa.bool_()] * 4}),
    "date": ("date", (dt.date(2024, 2, 29), dt.date(1, 1, 1)), {
        None: [object] * 4, "numpy_nullable": [object] * 4, "pyarrow": [pa.date32()] * 4}),
    "datetime": ("datetime", (dt.datetime(2024, 2, 29, 1), dt.datetime(1, 1, 1)), {
        None: ["datetime64[us]"] * 4, "numpy_nullable": ["datetime64[us]"] * 4, "pyarrow": [pa.timestamp("us")] * 4}),
}  # fmt: skip


STABLE = {"int64": "Int64", "uint64": "UInt64", "bool": "boolean"}


"""The dtype in chunks of columns that may have nulls."""


STABLE_IN_ARROW = {"long numbers": pa.decimal256(76, 0), "decimals": pa.decimal256(76, 38)}


def as_dtype(expected):
    return pd.ArrowDtype(expected) if isinstance(expected, pa.DataType) else pd.api.types.pandas_dtype(expected)


def in_chunks(kind, expected):
    if isinstance(expected, pa.DataType):
        return as_dtype(STABLE_IN_ARROW[kind] if pa.types.is_decimal(expected) else expected)
    return as_dtype(STABLE.get(expected, expected))


IN_EACH_DIALECT = pytest.mark.parametrize("dialect", ["2025.3", pytest.param("unversioned", marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def services(new_sandbox):
    """Sessions by dialect, and by whether the service lists column types."""
    opened = {}
    with (
        new_sandbox(page_size=PAGE) as listing,
        new_sandbox(page_size=PAGE, assume=Assumptions(column_metadata=False)) as silent,
    ):
        for dialect in DIALECTS:
            opened[dialect, True] = signed_in(listing, dialect)
            opened[dialect, False] = signed_in(silent, dialect)
        yield opened
        for session in opened.values():
            session.close()


@pytest.fixture
def table(services, name):
    """Return a function that pushes a table of one kind and content and returns a function that reads it."""

    def make(dialect, kind, content, *, listed=True):
        data_type, values, _ = DTYPES[kind]
        cells = CONTENTS[content](*values)
        frame = pd.DataFrame({"row": range(len(cells)), "x": pd.Series(cells, dtype=object)})
        session = services[dialect, listed]
        frame.clicdata.push(name, column_types={"x": data_type}, session=session)
        return lambda **options: cd.read_clicdata(name, session=session, **options)

    return make


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("kind", DTYPES)
@IN_EACH_DIALECT
def test_the_dtype_is_as_stated(table, dialect, kind, content):
    read = table(dialect, kind, content)
    for backend, expected in DTYPES[kind][2].items():
        stated = expected[[*CONTENTS].index(content)]
        options = {"dtype_backend": backend}
        assert read(**options)["x"].dtype == as_dtype(stated)
        assert read(index_col="x", **options).index.dtype == as_dtype(stated)
        assert read(limit=0, **options)["x"].dtype == as_dtype(expected[-1])
        chunks = list(read(chunksize=PAGE - 1, **options)) + list(read(chunksize=PAGE + 1, **options))
        assert {chunk["x"].dtype for chunk in chunks} == {in_chunks(kind, stated)}


# Kind: the dtypes of chunks if the first page has only nulls.
NULLS_FIRST = {
    "text": (TEXT, STRING, pa.string()),
    "dropdown": (TEXT, STRING, pa.string()),
    "whole numbers": ("float64", "Float64", pa.float64()),
    "floats": ("float64", "Float64", pa.float64()),
    "percentage": ("float64", "Float64", pa.float64()),
    "checkbox": ("boolean", "boolean", pa.bool_()),
    "date": (object, object, pa.date32()),
    "datetime": ("datetime64[us]", "datetime64[us]", pa.timestamp("us")),
}


@pytest.mark.parametrize("kind", NULLS_FIRST)
@IN_EACH_DIALECT
def test_chunks_have_the_same_dtype_if_pages_are_null(services, name, dialect, kind):
    data_type, (one, other), _ = DTYPES[kind]
    cells = [None] * PAGE + [one, other] + [None] * PAGE
    frame = pd.DataFrame({"row": range(len(cells)), "x": pd.Series(cells, dtype=object)})
    session = services[dialect, True]
    frame.clicdata.push(name, column_types={"x": data_type}, session=session)
    for backend, stated in zip(BACKENDS, NULLS_FIRST[kind], strict=True):
        for size in (PAGE - 1, PAGE, PAGE + 1):
            chunks = cd.read_clicdata(name, chunksize=size, dtype_backend=backend, session=session)
            assert {chunk["x"].dtype for chunk in chunks} == {as_dtype(stated)}


@pytest.mark.parametrize("kind", DTYPES)
@IN_EACH_DIALECT
def test_nulls_without_a_declared_type_are_objects(table, dialect, kind):
    read = table(dialect, kind, "only nulls", listed=False)
    for backend, stated in {None: object, "numpy_nullable": object, "pyarrow": pa.null()}.items():
        assert read(dtype_backend=backend)["x"].dtype == as_dtype(stated)
        assert {chunk["x"].dtype for chunk in read(chunksize=PAGE, dtype_backend=backend)} == {as_dtype(stated)}


# Options of a read of a text column, and the dtype of the result.
OPTIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "text": ({"dtype": {"x": str}}, TEXT),
    "string": ({"dtype": {"x": "string"}}, STRING),
    "objects": ({"dtype": {"x": object}}, object),
    "Arrow's text": ({"dtype": {"x": pd.ArrowDtype(pa.string())}}, pa.string()),
    "text by schema": ({"schema": {"x": str}}, TEXT),
    "string by schema": ({"schema": {"x": "string"}}, STRING),
    "objects by schema": ({"schema": {"x": object}}, object),
    "Arrow's text by schema": ({"schema": {"x": pd.ArrowDtype(pa.large_string())}}, pa.large_string()),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("content", CONTENTS)
@IN_EACH_DIALECT
def test_a_requested_dtype_is_as_stated(table, dialect, content, option):
    options, stated = OPTIONS[option]
    read = table(dialect, "text", content)
    assert read(**options)["x"].dtype == as_dtype(stated)
    assert {chunk["x"].dtype for chunk in read(chunksize=PAGE, **options)} == {as_dtype(stated)}


@pytest.mark.parametrize("option", ["dtype", "schema"])
@pytest.mark.parametrize("content", CONTENTS)
@IN_EACH_DIALECT
def test_categories_of_text_are_text(table, dialect, content, option):
    read = table(dialect, "text", content)
    for returned in (read(**{option: {"x": "category"}}), *read(**{option: {"x": "category"}}, chunksize=1)):
        assert returned["x"].cat.categories.dtype == as_dtype(TEXT)


@pytest.mark.parametrize("content", CONTENTS)
@IN_EACH_DIALECT
def test_labels_are_text(table, dialect, content):
    read = table(dialect, "text", content)
    options: dict[str, Any]
    for options in ({}, {"columns": []}, {"columns": ["x"], "index_col": "x"}, {"limit": 0}):
        assert read(**options).columns.dtype == as_dtype(TEXT)


BATCHES = {
    "text": pa.string(), "dropdown": pa.string(), "floats": pa.float64(), "percentage": pa.float64(),
    "checkbox": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us"),
}  # fmt: skip


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("kind", BATCHES)
@IN_EACH_DIALECT
def test_batches_have_the_type_stated(table, services, name, dialect, kind, content):
    table(dialect, kind, content)
    batches = cd.read_clicdata_batches(name, session=services[dialect, True])
    assert batches.schema.field("x").type == BATCHES[kind]
    assert batches.read_all().schema.field("x").type == BATCHES[kind]


PARIS = pd.DatetimeTZDtype("us", "Europe/Paris")


NEW_YEAR = pd.Series(["2024-01-01 00:00"]).astype(PARIS)


LONG_TEXT = pa.large_string() if PANDAS >= 3 else pa.string()


# The dtype in schema= for a column of nulls, and the type in batches.
SCHEMAS = {
    "text": (str, LONG_TEXT),
    "categories of text": (pd.CategoricalDtype(["a"]), pa.dictionary(pa.int8(), LONG_TEXT)),
    "a zone": (PARIS, pa.timestamp("us", "Europe/Paris")),
    "categories of a zone": (
        pd.CategoricalDtype(NEW_YEAR, ordered=True),
        pa.dictionary(pa.int8(), pa.timestamp("us", "Europe/Paris"), ordered=True),
    ),
    "categories of numbers": (pd.CategoricalDtype([1, 2]), pa.dictionary(pa.int8(), pa.int64())),
    "durations": ("timedelta64[s]", pa.duration("s")),
    "numbers": ("Int8", pa.int8()),
    "objects": (dt.date, pa.date32()),
}


@pytest.mark.parametrize("case", SCHEMAS)
@IN_EACH_DIALECT
def test_batches_by_schema_have_the_type_stated(table, services, name, dialect, case):
    dtype, stated = SCHEMAS[case]
    table(dialect, "text", "only nulls")
    batches = cd.read_clicdata_batches(name, schema={"x": dtype}, session=services[dialect, True])
    assert batches.schema.field("x").type == stated
    assert batches.read_all().schema.field("x").type == stated
