"""Any frame of what the type table has comes home as docs/types.md says, in both dialects and with every backend.

The mapping is written down here once more, by hand and value by value, and shares no code with the package.
``CLICDATA_LONG_TESTS=1`` tries 13,800 frames, others each time; test_any_frame.py another 8,000.
"""

import uuid
import warnings
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from drawn_frames import LONG, OWN_TEXT, arrow_series, cases, objects
from hypothesis import HealthCheck, given, settings

import pandas_clicdata as cd

EXAMPLES = 2300 if LONG else 40

# what comes home


def home(data_type, cells, backend):
    """The column that docs/types.md says comes home."""
    present = [cell for cell in cells if cell is not None]
    nulls = len(present) < len(cells)
    if data_type == "number":
        return number_home(cells, present, backend)
    arrow_type = {"text": pa.string(), "checkbox": pa.bool_(), "datetime": pa.timestamp("us"), "date": pa.date32()}[
        data_type
    ]
    if backend == "pyarrow":
        return arrow_series(pa.chunked_array([pa.array(cells, arrow_type)]))
    nullable = backend == "numpy_nullable"
    dtype = {
        "text": "string" if nullable else OWN_TEXT,
        "checkbox": "boolean" if nulls or nullable else "bool",
        "datetime": "datetime64[us]",
        "date": object,
    }[data_type]
    return pd.Series(cells, dtype=dtype)


def number_home(cells, present, backend):
    whole = bool(present) and all(isinstance(cell, int) for cell in present)
    if whole and min(present) >= -(2**63) and max(present) < 2**64 and (min(present) >= 0 or max(present) < 2**63):
        dtype = "int64" if max(present) < 2**63 else "uint64"
        if backend == "pyarrow":
            return arrow_series(pa.chunked_array([pa.array(cells, getattr(pa, dtype)())]))
        nullable = backend == "numpy_nullable" or len(present) < len(cells)
        return pd.Series(cells, dtype=dtype.replace("int", "Int").replace("uI", "UI") if nullable else dtype)
    if (
        all(abs(cell) <= 2**53 if isinstance(cell, int) else a_float_gives_it_back(cell) for cell in present)
        and not whole
    ):
        floats = [None if cell is None else float(cell) for cell in cells]
        if backend == "pyarrow":
            return arrow_series(pa.chunked_array([pa.array(floats, pa.float64())]))
        return pd.Series(floats, dtype="Float64" if backend else "float64")
    if backend == "pyarrow":
        return [None if cell is None else Decimal(cell) for cell in cells]
    return objects([None if cell is None else cell if whole else Decimal(cell) for cell in cells])


def a_float_gives_it_back(number):
    try:
        return Decimal(repr(float(number))) == number
    except OverflowError:
        return False


def assert_home(came, data_type, cells, backend):
    expected = home(data_type, cells, backend)
    if isinstance(expected, list):
        # Long numbers in Arrow: decimals of whatever size, or text where none holds them.
        held = pa.types.is_decimal(came.dtype.pyarrow_dtype)
        values = came.array.__arrow_array__().to_pylist()
        assert [None if value is None else Decimal(value) for value in values] == expected
        assert held or not fits_a_decimal([number for number in expected if number is not None])
        return
    pd.testing.assert_series_equal(came, expected, check_exact=True, check_names=False)
    if backend != "pyarrow":
        # By dtype, for NumPy has two classes of some numbers of one dtype.
        assert list(map(dtype_of, came)) == list(map(dtype_of, expected))
    if data_type == "number" and expected.dtype != object:
        # The sign of a zero too.
        assert list(map(repr, came)) == list(map(repr, expected))


def dtype_of(value):
    return getattr(value, "dtype", type(value))


def fits_a_decimal(numbers):
    """Whether Arrow has a decimal type for all of them: 76 digits before and after the point together."""
    before = max([0, *(number.adjusted() + 1 for number in numbers if number)])
    after = max([0, *(-number.as_tuple().exponent for number in numbers)])
    return before + after <= 76


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"], ids=str)
@pytest.mark.parametrize("dialect", ["2025.3", "unversioned"])
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=not LONG, database=None, suppress_health_check=list(HealthCheck)
)
@given(case=cases())
def test_what_the_type_table_has_comes_home_as_it_says(accounts, dialect, backend, case):
    _, sessions = accounts()
    session = sessions[dialect]
    options = {"index": True} if case.index else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        receipt = cd.push(case.frame, f"T {uuid.uuid4()}", session=session, **options)
    back = cd.read_clicdata(receipt.rec_id, dtype_backend=backend, session=session)
    assert list(back.columns) == [name for name, _, _ in case.columns]
    assert [str(column.data_type) for column in receipt.columns] == [data_type for _, data_type, _ in case.columns]
    assert len(back) == len(case.frame if isinstance(case.frame, pd.DataFrame) else case.frame.columns[0])
    for position, (_, data_type, cells) in enumerate(case.columns):
        assert_home(back.iloc[:, position], data_type, cells, backend)
