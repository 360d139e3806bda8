"""A dtype asked for on reading takes every value exactly, or is refused by the column's name."""

import datetime as dt
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from pandas_clicdata import ColumnConversionError
from pandas_clicdata.types.infer import InferredColumn
from pandas_clicdata.types.recast import restore_targets
from pandas_clicdata.types.to_pandas import to_frame

MICROSECOND = dt.datetime(2024, 2, 29, 1, 2, 3, 456789)
DECIMAL = pd.ArrowDtype(pa.decimal128(38, 4))
SECONDS = pd.ArrowDtype(pa.duration("s"))
IN_PARIS = pd.ArrowDtype(pa.timestamp("us", "Europe/Paris"))
DAY, DAY_64, CLOCK = map(pd.ArrowDtype, (pa.date32(), pa.date64(), pa.time64("us")))
MIDNIGHT, LAST, FIRST = dt.datetime(2024, 2, 29), dt.datetime(9999, 12, 31, 23), dt.datetime(1, 1, 1, 4)

# Values, a dtype that does not hold them, and what is said of that.
REFUSED = [
    (["x"], DECIMAL, "'x' is not a number"),
    ([True], DECIMAL, "'true' is not a number"),
    ([dt.date(2024, 2, 29)], DECIMAL, "'2024-02-29' is not a number"),
    ([dt.date(2024, 2, 29)], "datetime64[us, Europe/Paris]", ""),
    ([MICROSECOND, None], "datetime64[s]", r"datetime64\[s\] does not hold 2024-02-29 01:02:03.456789"),
    ([None, MICROSECOND], "datetime64[ms]", r"datetime64\[ms\] does not hold"),
    ([MICROSECOND], "datetime64[s, Europe/Paris]", "does not hold 2024-02-29 01:02:03.456789"),
    ([MICROSECOND, MICROSECOND.replace(second=9)], "datetime64[s]", "does not hold 2024-02-29 01:02:03.456789"),
    ([1.0, 1.5, 2.5], "int64", "does not hold 1.5"),
    ([1.0, 1.5, 2.5], "boolean", ""),
    ([1e39, -1e39], "float32", r"does not hold 1e\+39"),
    ([2024], "period[Y]", "the column has numbers"),
    ([1.5, None], "period[M]", "the column has numbers"),
    ([True], "period[D]", "the column has numbers"),
    ([1.5], "datetime64[us]", r"datetime64\[us\] does not hold 1.5"),
    ([2.0, 1.5, None], "timedelta64[ns]", r"timedelta64\[ns\] does not hold 1.5"),
    ([True], "datetime64[us]", "the column has booleans"),
    ([False], "timedelta64[ns]", "the column has booleans"),
    ([5], "timedelta64[s]", "does not hold 0 days 00:00:00.000000005"),
    ([5, -(2**63)], "datetime64[us]", "does not hold -9223372036854775808"),
    ([-(2**63), None], "timedelta64[ns]", "does not hold -9223372036854775808"),
    ([-(2**63)], "datetime64[ns, UTC]", "does not hold -9223372036854775808"),
    (["P1DT0.000001S"], "timedelta64[s]", "does not hold 1 days 00:00:00.000001"),
    (["P1DT0.000001S"], SECONDS, "does not hold 1 days 00:00:00.000001"),
    ([MICROSECOND], "boolean", "the column has dates or datetimes"),
    ([dt.date(2024, 2, 29)], "bool", "the column has dates or datetimes"),
    ([MIDNIGHT], "complex128", "the column has dates or datetimes"),
    ([MIDNIGHT], "datetime64[D]", r"dtype=\{'x': 'datetime64\[us\]'\}"),
    ([MIDNIGHT], "datetime64", r"dtype=\{'x': 'datetime64\[us\]'\}"),
    ([dt.date(2024, 2, 29)], IN_PARIS, ""),
    ([None, MIDNIGHT, MICROSECOND], DAY, "2024-02-29 01:02:03.456789 has a time of day"),
    ([MICROSECOND], DAY_64, "2024-02-29 01:02:03.456789 has a time of day"),
    ([MICROSECOND], CLOCK, "the column has datetimes, whose date would be lost"),
    ([None, LAST], "datetime64[us, Europe/Paris]", "9999-12-31 23:00:00 .* is outside the years 1 to 9999"),
    ([str(LAST)], "datetime64[us, Europe/Paris]", "9999-12-31 23:00:00 .* is outside the years 1 to 9999"),
    ([LAST], IN_PARIS, "9999-12-31 23:00:00 .* is outside the years 1 to 9999"),
    ([MIDNIGHT, FIRST], "datetime64[s, America/New_York]", "0001-01-01 04:00:00 .* is outside the years 1 to 9999"),
]
TAKEN = [
    ([dt.datetime(2024, 2, 29, 1, 2, 3), None], "datetime64[s]"),
    ([MICROSECOND, None], "datetime64[ns]"),
    ([MICROSECOND, None], "datetime64[us, Europe/Paris]"),
    (["P1DT0.000001S", None], "timedelta64[us]"),
    (["P1DT1S", None], SECONDS),
    ([2.0, None], "timedelta64[ns]"),
    ([5, None], "datetime64[s]"),
    (["Jan 2, 2024", None], "datetime64[us]"),
    ([2**62 + 1, None], "datetime64[ns]"),
    (["1.5", None], DECIMAL),
    ([MIDNIGHT, None], DAY),
    ([MIDNIGHT, None], DAY_64),
    ([LAST, FIRST, None], "datetime64[us, UTC]"),
    ([LAST, None], "datetime64[us, America/New_York]"),
    ([FIRST, None], IN_PARIS),
    ([None, None], IN_PARIS),
    ([None, None], "datetime64[us, Europe/Paris]"),
    ([None, None], "timedelta64[ns]"),
    ([None, None], "period[M]"),
    ([None, None], DAY),
]


def read(values, dtype, backend):
    return to_frame({"x": InferredColumn(pa.chunked_array([values]))}, len(values), dtype={"x": dtype}, dtype_backend=backend)[
        "x"
    ]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize(("values", "dtype", "why"), REFUSED, ids=[f"{v}-{d}" for v, d, _ in REFUSED])
def test_what_a_dtype_would_cut_is_refused(values, dtype, why, backend):
    with pytest.raises(ColumnConversionError, match=f"^Column 'x' cannot be read as .*: .*{why}") as told:
        read(values, dtype, backend)
    assert told.value.column == "x"


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize(("values", "dtype"), TAKEN, ids=[f"{v}-{d}" for v, d in TAKEN])
def test_what_a_dtype_holds_is_read_as_it(values, dtype, backend):
    column = read(values, dtype, backend)
    assert column.dtype == dtype
    assert column.isna().tolist() == [value is None for value in values]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize("home", [False, True], ids=["dtype", "schema"])
@pytest.mark.parametrize("dtype", ["timedelta64[ns]", "duration[ns][pyarrow]"])
def test_a_duration_is_not_read_in_the_unit_of_another(dtype, home, backend):
    # pandas 3.0 reads 400 days as 9 hours where a nanosecond stands before.
    texts = ["P0DT0H0M0.000000001S", "P400DT0H0M0S", None, "P0DT0H0M1S", "P0DT0H0M0.000001S"]
    wanted = restore_targets({"x": dtype})["x"] if home else dtype
    spans = read(texts, wanted, backend).tolist()
    assert [None if pd.isna(span) else pd.Timedelta(span).as_unit("ns").value for span in spans] == [
        1, 400 * 86_400 * 10**9, None, 10**9, 1000
    ]  # fmt: skip


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
def test_a_decimal_of_a_float_is_the_number_that_was_written(backend):
    dtype = pd.ArrowDtype(pa.decimal128(38, 20))
    assert read([0.1, None, 1e16], dtype, backend).tolist()[::2] == [Decimal("0.1"), Decimal(10**16)]
