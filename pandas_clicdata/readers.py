"""``pd.read_clicdata``: a table of ClicData as a DataFrame, whole or in chunks, or as Arrow batches."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

import pandas as pd
import pyarrow as pa

from pandas_clicdata import reading, schema
from pandas_clicdata.errors import ColumnNotFoundError

if TYPE_CHECKING:
    from pandas_clicdata.display import Progress
    from pandas_clicdata.session import Session

DtypeBackend = Literal["numpy_nullable", "pyarrow"]
Table = int | str | SupportsIndex


@overload
def read_clicdata(
    table: Table,
    *,
    version: int | None = ...,
    columns: Sequence[str] | None = ...,
    limit: int | None = ...,
    chunksize: None = ...,
    dtype: Any = ...,
    dtype_backend: DtypeBackend | None = ...,
    parse_dates: Sequence[str] | Mapping[str, Any] | None = ...,
    index_col: str | Sequence[str] | None = ...,
    progress: bool | Progress | None = ...,
    session: Session | None = ...,
) -> pd.DataFrame: ...


@overload
def read_clicdata(
    table: Table,
    *,
    version: int | None = ...,
    columns: Sequence[str] | None = ...,
    limit: int | None = ...,
    chunksize: int,
    dtype: Any = ...,
    dtype_backend: DtypeBackend | None = ...,
    parse_dates: Sequence[str] | Mapping[str, Any] | None = ...,
    index_col: str | Sequence[str] | None = ...,
    progress: bool | Progress | None = ...,
    session: Session | None = ...,
) -> Iterator[pd.DataFrame]: ...


def read_clicdata(
    table: Table,
    *,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    chunksize: int | None = None,
    dtype: Any = None,
    dtype_backend: DtypeBackend | None = None,
    parse_dates: Sequence[str] | Mapping[str, Any] | None = None,
    index_col: str | Sequence[str] | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """Read a table of ClicData into a DataFrame, whole or not at all.

    Text stays text ("00123" is no number), whole numbers keep every digit also beside nulls, and numbers that a float
    would not give back come as ``Decimal``. Where the service lists column types they are used; where it does not,
    text is taken for dates only if every value has exactly the form in which dates are written.

    Parameters
    ----------
    table : int or str
        The table's RecId, or its name.
    version : int, optional
        An old version of the table (S P).
    columns : list of str, optional
        The columns to keep, in this order. The service always sends them all.
    limit : int, optional
        Read no more than this number of rows.
    chunksize : int, optional
        Return an iterator of DataFrames of this number of rows. Their dtypes are fixed by the first page: whole
        numbers and truth values are nullable (``Int64``, ``boolean``) in each chunk, whether or not it has nulls.
    dtype : dtype or dict of str to dtype, optional
        Dtypes for the columns. Asking for text keeps text as it came; a whole-number dtype that would change a value
        is refused.
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
        As in ``pandas.read_sql``. Default: NumPy dtypes, nullable only where whole numbers or truth values have nulls.
    parse_dates : list of str or dict, optional
        Columns to read as datetimes; a dict gives the format, the unit of numbers (seconds if it is None), or
        arguments of ``pandas.to_datetime``.
    index_col : str or list of str, optional
        Columns to make the index.
    progress : bool or callable, optional
        True shows a bar; a callable gets (rows so far, rows in all or None).
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    DataFrame or iterator of DataFrame
        Datetimes come as ``datetime64[us]`` in UTC, dates as objects of ``datetime.date``.

    Raises
    ------
    IncompleteReadError
        The rows received are not the whole table. A partial frame is never returned.
    TableNotFoundError
        There is no table of this RecId or name.
    ColumnNotFoundError
        It has no such column.
    ColumnConversionError
        A column cannot be given the dtype asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"code": ["00123", None], "seats": [180, None]}).clicdata.push("Planes read")
    >>> pd.read_clicdata("Planes read")["code"].iloc[0]
    '00123'
    """
    request = _request(table, version, columns, limit, dtype, progress, _listed(index_col))
    schema.checked_backend(dtype_backend)
    asked = {
        "index_col": index_col,
        "parse_dates": parse_dates,
        "dtype": dtype if isinstance(dtype, Mapping) else None,
    }
    options = {"dtype": dtype, "dtype_backend": dtype_backend, "parse_dates": parse_dates, "index_col": index_col}
    if chunksize is not None:
        size = _whole_number("chunksize", chunksize, least=1)
        reader = reading.stream(session, request)
        _check_there(reader.schema.names, **asked)
        return _chunks(reader, size, options)
    settled = reading.read(session, request)
    _check_there(list(settled), **asked)
    return schema.to_frame(settled, **options)


def read_clicdata_batches(
    table: Table,
    *,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    dtype: Mapping[str, Any] | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pa.RecordBatchReader:
    """Read a table of ClicData as Arrow batches, one a page, for tables larger than memory.

    Parameters
    ----------
    table, version, columns, limit, progress, session
        As in :func:`read_clicdata`.
    dtype : dict of str to dtype, optional
        Text or number dtypes of columns whose first page does not show what they are.

    Returns
    -------
    pyarrow.RecordBatchReader
        The first page fixes the types.

    Raises
    ------
    IncompleteReadError
        While batches are taken: the rows received are not the whole table, or do not go into the types of the first
        page.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180, 200]}).clicdata.push("Planes in batches")
    >>> cd.read_clicdata_batches("Planes in batches").read_all().num_rows
    2
    """
    request = _request(table, version, columns, limit, dtype, progress)
    return reading.stream(session, request)


def _request(
    table: object,
    version: int | None,
    columns: Sequence[str] | None,
    limit: int | None,
    dtype: Any,
    progress: bool | Progress | None,
    index_names: Sequence[str] = (),
) -> reading.ReadRequest:
    if isinstance(columns, str):
        raise TypeError(f"columns= is a list of names: [{columns!r}].")
    wanted = None if columns is None else [*columns, *(name for name in index_names if name not in columns)]
    return reading.ReadRequest(
        table=table,
        version=None if version is None else _whole_number("version", version, least=0),
        columns=wanted,
        limit=None if limit is None else _whole_number("limit", limit, least=0),
        dtype_of=dtype.get if isinstance(dtype, Mapping) else lambda name: dtype,
        progress=progress,
    )


def _whole_number(name: str, value: SupportsIndex, *, least: int) -> int:
    number = None if isinstance(value, bool) or not isinstance(value, SupportsIndex) else operator.index(value)
    if number is None or number < least:
        raise ValueError(f"{name}= is a whole number from {least}, not {value!r}.")
    return number


def _listed(names: str | Sequence[str] | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _check_there(names: Sequence[str], **asked: Any) -> None:
    """Refuse options that name columns which are not there."""
    for option, value in asked.items():
        listed = _listed(value) if not isinstance(value, Mapping) else list(value)
        absent = [name for name in listed if name not in names]
        if absent:
            raise ColumnNotFoundError(
                f"{option}= names {absent[0]!r}, which the table does not have; it has"
                f" {', '.join(map(repr, names)) or 'no columns'}."
            )


def _chunks(reader: pa.RecordBatchReader, size: int, options: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Cut what the pages bring into frames of one size, the last one smaller; one empty frame for no rows."""
    held = reader.schema.empty_table()
    yielded = False
    for batch in reader:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= size:
            yield _chunk(held.slice(0, size), options)
            held, yielded = held.slice(size), True
    if held.num_rows or not yielded:
        yield _chunk(held, options)


def _chunk(rows: pa.Table, options: Mapping[str, Any]) -> pd.DataFrame:
    settled = {name: schema.Settled(column) for name, column in zip(rows.column_names, rows.columns, strict=True)}
    return schema.to_frame(settled, stable=True, **options)
