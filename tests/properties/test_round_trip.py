"""Any frame of types that ClicData has returns as docs/types.md says, in both dialects and with every backend.

The expected columns are written here by hand, value by value, and share no code with the package.
``CLICDATA_LONG_TESTS=1`` tries 13,800 frames, others each time.
"""

import uuid
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from properties.drawn_frames import OWN_TEXT, arrow_series, cases, objects
from properties.numbers_of_examples import few_or, with_settings

import pandas_clicdata as cd


def expected_column(data_type, cells, backend):
    """Return the column that docs/types.md promises."""
    present = [cell for cell in cells if cell is not None]
    nulls = len(present) < len(cells)
    if data_type == "number":
        return expected_numbers(cells, present, backend)
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


def expected_numbers(cells, present, backend):
    whole = bool(present) and all(isinstance(cell, int) for cell in present)
    if whole and min(present) >= -(2**63) and max(present) < 2**64 and (min(present) >= 0 or max(present) < 2**63):
        dtype = "int64" if max(present) < 2**63 else "uint64"
        if backend == "pyarrow":
            return arrow_series(pa.chunked_array([pa.array(cells, getattr(pa, dtype)())]))
        nullable = backend == "numpy_nullable" or len(present) < len(cells)
        return pd.Series(cells, dtype=dtype.replace("int", "Int").replace("uI", "UI") if nullable else dtype)
    if all(abs(cell) <= 2**53 if isinstance(cell, int) else fits_float(cell) for cell in present) and not whole:
        floats = [None if cell is None else float(cell) for cell in cells]
        if backend == "pyarrow":
            return arrow_series(pa.chunked_array([pa.array(floats, pa.float64())]))
        return pd.Series(floats, dtype="Float64" if backend else "float64")
    if backend == "pyarrow":
        return [None if cell is None else Decimal(cell) for cell in cells]
    return objects([None if cell is None else cell if whole else Decimal(cell) for cell in cells])


def fits_float(number):
    try:
        return Decimal(repr(float(number))) == number
    except OverflowError:
        return False


def assert_returned(returned, data_type, cells, backend):
    expected = expected_column(data_type, cells, backend)
    if isinstance(expected, list):
        # Long numbers in Arrow are decimals of any size, or text if none holds them.
        held = pa.types.is_decimal(returned.dtype.pyarrow_dtype)
        values = returned.array.__arrow_array__().to_pylist()
        assert [None if value is None else Decimal(value) for value in values] == expected
        assert held or not fits_a_decimal([number for number in expected if number is not None])
        return
    pd.testing.assert_series_equal(returned, expected, check_exact=True, check_names=False)
    if backend != "pyarrow":
        # By dtype, because NumPy has two classes for some dtypes.
        assert list(map(dtype_of, returned)) == list(map(dtype_of, expected))
    if data_type == "number" and expected.dtype != object:
        # Also the sign of a zero.
        assert list(map(repr, returned)) == list(map(repr, expected))


def dtype_of(value):
    return getattr(value, "dtype", type(value))


def fits_a_decimal(numbers):
    """Return whether one Arrow decimal holds all numbers: 76 digits before and after the point together."""
    before = max([0, *(number.adjusted() + 1 for number in numbers if number)])
    after = max([0, *(-number.as_tuple().exponent for number in numbers)])
    return before + after <= 76


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"], ids=str)
@pytest.mark.parametrize("dialect", ["2025.3", "unversioned"])
@few_or(40, few=12, long=2300)
def test_any_frame_of_supported_types_returns_as_documented(accounts, dialect, backend, examples):
    @with_settings(examples)
    @given(case=cases())
    def returns_as_documented(case):
        _, sessions = accounts()
        session = sessions[dialect]
        receipt = cd.push(case.frame, f"T {uuid.uuid4()}", index=case.index, session=session)
        assert receipt.rec_id is not None
        back = cd.read_clicdata(receipt.rec_id, dtype_backend=backend, session=session)
        assert list(back.columns) == [name for name, _, _ in case.columns]
        assert [str(column.data_type) for column in receipt.columns] == [data_type for _, data_type, _ in case.columns]
        assert len(back) == len(case.frame if isinstance(case.frame, pd.DataFrame) else case.frame.columns[0])
        for position, (_, data_type, cells) in enumerate(case.columns):
            assert_returned(back.iloc[:, position], data_type, cells, backend)

    returns_as_documented()
