"""``pd.read_clicdata``: a table of ClicData as a DataFrame, whole or in chunks, or as Arrow batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import pandas as pd
import pyarrow as pa

from pandas_clicdata import reading
from pandas_clicdata import schema as schemas
from pandas_clicdata.checks import did_you_mean, whole_number
from pandas_clicdata.errors import ColumnNotFoundError
from pandas_clicdata.schema import DtypeBackend

if TYPE_CHECKING:
    from pandas_clicdata.display import Progress
    from pandas_clicdata.models import RepeatedPages
    from pandas_clicdata.session import Session

Table = int | str | SupportsIndex


@overload
def read_clicdata(
    table: Table,
    *,
    version: int | None = ...,
    columns: Sequence[str] | None = ...,
    limit: int | None = ...,
    chunksize: None = ...,
    schema: Any = ...,
    dtype: Any = ...,
    dtype_backend: DtypeBackend | None = ...,
    parse_dates: Sequence[str] | Mapping[str, Any] | None = ...,
    index_col: str | Sequence[str] | None = ...,
    repeated_pages: RepeatedPages = ...,
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
    schema: Any = ...,
    dtype: Any = ...,
    dtype_backend: DtypeBackend | None = ...,
    parse_dates: Sequence[str] | Mapping[str, Any] | None = ...,
    index_col: str | Sequence[str] | None = ...,
    repeated_pages: RepeatedPages = ...,
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
    schema: Any = None,
    dtype: Any = None,
    dtype_backend: DtypeBackend | None = None,
    parse_dates: Sequence[str] | Mapping[str, Any] | None = None,
    index_col: str | Sequence[str] | None = None,
    repeated_pages: RepeatedPages = "check",
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
        Return an iterator of DataFrames of this number of rows. Their dtypes are fixed by the first page the service
        sends: whole numbers and truth values are nullable (``Int64``, ``boolean``) in each chunk, whether or not it
        has nulls. Where that page has only nulls in a column, numbers are ``float64`` if the service says that they
        are numbers, else ``dtype=`` must name what the column is. A later value that does not go in exactly is an
        error.
    schema : DataFrame, pyarrow.Schema or dict of str to dtype, optional
        What columns were before they were sent: ``df.clicdata.schema()``, an Arrow schema (columns come as
        ``pandas.ArrowDtype``), or dtypes by column. These columns come back in the very same dtypes, categories, units,
        zones and periods with them, in each chunk too; a value that the dtype does not hold is refused, but that
        float dtypes round. As with ``dtype=``, other columns of the table come as they do without it, and one that the
        table lacks is an error; ``columns=`` reads fewer, and ``dtype=`` wins for its columns. Names of dtypes as text
        do as far as pandas reads them; they do not tell the categories of a ``category``, nor what an ``object`` is.
    dtype : dtype or dict of str to dtype, optional
        Dtypes for the columns. A text dtype gives each value as its text, what is no text as its JSON; text that is
        asked for, also as ``object`` or ``category``, is not taken for dates. A dtype of whole numbers, truth values,
        dates, datetimes or durations that would change a value is refused; a float dtype rounds, but not to infinity,
        and a period of a datetime is the one that it lies in.
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
        As in ``pandas.read_sql``. Default: NumPy dtypes, nullable only where whole numbers or truth values have nulls.
        With "pyarrow", long numbers are decimals; of numbers that no Arrow decimal holds, such as 1e400, the whole
        column is text, which has every digit.
    parse_dates : list of str or dict, optional
        Columns to read as datetimes; a dict gives the format, the unit of numbers (seconds if it is None), or
        arguments of ``pandas.to_datetime``.
    index_col : str or list of str, optional
        Columns to make the index.
    repeated_pages : {"check", "accept"}, default "check"
        What to do where a page has the same rows as an earlier one. Such a page is requested again on a new
        connection, and the read fails if it is another one then. If it is the same and the service says both the
        number of the page and the number of rows of the table, it is right. If the service does not say both, "check"
        fails: rows that the table holds several times look like a page that came twice. "accept" takes the page as it
        is, for tables that do hold such rows.
    progress : bool or callable, optional
        True shows a bar; a callable gets (rows so far, rows in all or None).
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    DataFrame or iterator of DataFrame
        Datetimes come as ``datetime64[us]`` in UTC, dates as objects of ``datetime.date``. The dtypes do
        not depend on the version of pyarrow. The memory of a frame is writable and is shared with no other frame.

    Raises
    ------
    IncompleteReadError
        The rows received are not the whole table, or a page has the rows of an earlier one (``repeated_pages``). A
        partial frame is never returned.
    TableNotFoundError
        There is no table of this RecId or name.
    ColumnNotFoundError
        It has no such column.
    TypeError, ValueError
        An argument is not what it should be; nothing was requested.
    ColumnConversionError
        A column cannot be given the dtype asked for; with ``schema=``, it names the row and the value.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"code": ["00123", None], "seats": [180, None]}).clicdata.push("Planes read")
    >>> pd.read_clicdata("Planes read")["code"].iloc[0]
    '00123'

    >>> df = pd.DataFrame({"seats": pd.Series([180, 200], dtype="uint8"), "size": pd.Categorical(["L", "S"])})
    >>> receipt = df.clicdata.push("Planes as they were")
    >>> pd.read_clicdata("Planes as they were", schema=df.clicdata.schema()).dtypes.tolist() == df.dtypes.tolist()
    True
    """
    index_names = _index_names(index_col)
    homes = schemas.homes(schema)
    types = _types(homes, columns, dtype, index_names)
    request = _request(
        table, version, columns, limit, types, repeated_pages, progress, index_names, call="pd.read_clicdata"
    )
    schemas.checked_backend(dtype_backend)
    parse_dates = _checked_dates(parse_dates)
    index_col = index_col if index_col is None or isinstance(index_col, str) else index_names
    asked = {
        "index_col": index_names,
        "parse_dates": parse_dates,
        "dtype": dtype if isinstance(dtype, Mapping) else None,
        "schema": homes if columns is None else None,
    }
    options = {"dtype": types, "dtype_backend": dtype_backend, "parse_dates": parse_dates, "index_col": index_col}
    if chunksize is not None:
        size = whole_number("chunksize", chunksize, least=1)
        reader = _with_columns(reading.stream(session, request), homes, columns)
        _check_there(reader.schema.names, **asked)
        return _chunks(reader, size, options)
    settled, count = reading.read(session, request)
    if not settled and not count and columns is None:
        settled = {name: schemas.Settled(pa.chunked_array([], pa.string())) for name in homes}
    _check_there(list(settled), **asked)
    return schemas.to_frame(settled, count, **options)


def read_clicdata_batches(
    table: Table,
    *,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    schema: Any = None,
    dtype: Mapping[str, Any] | None = None,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pa.RecordBatchReader:
    """Read a table of ClicData as Arrow batches, one a page, for tables larger than memory.

    Parameters
    ----------
    table, version, columns, limit, repeated_pages, progress, session
        As in :func:`read_clicdata`.
    schema : DataFrame, pyarrow.Schema or dict of str to dtype, optional
        As in :func:`read_clicdata`; periods, intervals and Python objects that Arrow has no one type for stay text.
    dtype : dict of str to dtype, optional
        Text or number dtypes of columns whose first page does not show what they are.

    Returns
    -------
    pyarrow.RecordBatchReader
        The first page fixes the types, where ``schema=`` does not.

    Raises
    ------
    IncompleteReadError
        While batches are taken: the rows received are not the whole table, or do not go into the types of the first
        page.
    ColumnConversionError
        While batches are taken: a value is not of the type that ``schema=`` gives.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180, 200]}).clicdata.push("Planes in batches")
    >>> cd.read_clicdata_batches("Planes in batches").read_all().num_rows
    2
    """
    homes = schemas.homes(schema)
    types = _types(homes, columns, dtype)
    request = _request(table, version, columns, limit, types, repeated_pages, progress, call="cd.read_clicdata_batches")
    reader = _with_columns(reading.stream(session, request), homes, columns)
    if columns is None:
        _check_there(reader.schema.names, schema=homes)
    return _typed(reader, types) if homes else reader


def _request(
    table: object,
    version: int | None,
    columns: Sequence[str] | None,
    limit: int | None,
    dtype: Any,
    repeated_pages: RepeatedPages,
    progress: bool | Progress | None,
    index_names: Sequence[str] = (),
    *,
    call: str,
) -> reading.ReadRequest:
    wanted = None if columns is None else _names("columns", columns)
    if wanted is not None:
        wanted += [name for name in index_names if name not in wanted]
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress= is True, False or a callable that gets the counts, not {progress!r}.")
    return reading.ReadRequest(
        table=table,
        version=None if version is None else whole_number("version", version, least=0),
        columns=wanted,
        limit=None if limit is None else whole_number("limit", limit, least=0),
        dtype_of=_read_as(dtype),
        progress=progress,
        repeated_pages=repeated_pages,
        call=f"{call}({table!r}",
    )


def _types(homes: Mapping[str, Any], columns: Sequence[str] | None, dtype: Any, index_names: Sequence[str] = ()) -> Any:
    """What each column becomes: ``dtype=`` wins, and columns that are not read need nothing."""
    if not homes or (dtype is not None and not isinstance(dtype, Mapping)):
        return dtype
    wanted = [*homes] if columns is None else [*_names("columns", columns), *index_names]
    read = {name: home for name, home in homes.items() if name in wanted}
    return {**read, **(dtype or {})}


def _read_as(types: Any) -> Callable[[str], Any]:
    """Which dtype the columns are to be read for; from their text, each comes home."""
    if not isinstance(types, Mapping):
        return lambda name: types
    return {name: str if isinstance(dtype, schemas.Home) else dtype for name, dtype in types.items()}.get


def _with_columns(
    reader: pa.RecordBatchReader, homes: Mapping[str, Any], columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """An empty table whose columns the service does not list has those of ``schema=``."""
    if reader.schema.names or not homes or columns is not None or any(batch.num_rows for batch in reader):
        return reader
    return pa.schema([(name, pa.string()) for name in homes]).empty_table().to_reader()


def _typed(reader: pa.RecordBatchReader, types: Mapping[str, Any]) -> pa.RecordBatchReader:
    """Bring the batches' columns of text home."""
    to = {name: home for name, home in types.items() if isinstance(home, schemas.Home)}
    typed = pa.schema(
        [field.with_type((field.name in to and to[field.name].arrow_type) or field.type) for field in reader.schema]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in reader:
            arrays = [
                to[name].array(name, pa.chunked_array([array]), done) if name in to else array
                for name, array in zip(typed.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=typed) if arrays else batch
            done += batch.num_rows

    return pa.RecordBatchReader.from_batches(typed, batches())


def _names(option: str, names: Iterable[str]) -> list[str]:
    """The names as a list, each of them once."""
    if isinstance(names, str):
        raise TypeError(f"{option}= is a list of names: [{names!r}].")
    if not isinstance(names, Iterable):
        raise TypeError(f"{option}= is a list of names, not {names!r}.")
    listed = list(names)
    for position, name in enumerate(listed):
        if not isinstance(name, str):
            raise TypeError(f"{option}= is a list of names, and {name!r} is none.")
        if name in listed[:position]:
            raise ValueError(f"{option}= names {name!r} twice.")
    return listed


def _index_names(index_col: str | Sequence[str] | None) -> list[str]:
    if index_col is None or isinstance(index_col, str):
        return [] if index_col is None else [index_col]
    names = _names("index_col", index_col)
    if not names:
        raise ValueError("index_col=[] names no column. Leave it out for an index of row numbers.")
    return names


def _checked_dates(parse_dates: object) -> Any:
    if parse_dates is None or parse_dates is False or isinstance(parse_dates, Mapping):
        return parse_dates or None
    if parse_dates is True:
        raise TypeError(
            "parse_dates=True would parse the index. Name the columns: parse_dates=['…'], also one in index_col=."
        )
    names: Any = parse_dates
    return _names("parse_dates", names)


def _check_there(names: Sequence[str], **asked: Any) -> None:
    """Refuse options that name columns which are not there."""
    for option, value in asked.items():
        absent = [name for name in value or () if name not in names]
        if absent:
            raise ColumnNotFoundError(
                f"{option}= names {', '.join(map(repr, absent))}, which the table does not have; it has"
                f" {', '.join(map(repr, names)) or 'no columns'}.{did_you_mean(str(absent[0]), names)}"
            )


def _chunks(reader: pa.RecordBatchReader, size: int, options: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Cut what the pages bring into frames of one size, the last one smaller; one empty frame for no rows."""
    if not reader.schema.names:
        yield from _chunks_of_nothing(reader, size)
        return
    held = reader.schema.empty_table()
    yielded = 0
    for batch in reader:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= size:
            yield _chunk(held.slice(0, size), options, yielded)
            held, yielded = held.slice(size), yielded + size
    if held.num_rows or not yielded:
        yield _chunk(held, options, yielded)


def _chunks_of_nothing(reader: pa.RecordBatchReader, size: int) -> Iterator[pd.DataFrame]:
    """The same without columns, where Arrow's tables do not count their rows."""
    held, yielded = 0, False
    for batch in reader:
        held += batch.num_rows
        while held >= size:
            yield schemas.to_frame({}, size)
            held, yielded = held - size, True
    if held or not yielded:
        yield schemas.to_frame({}, held)


def _chunk(rows: pa.Table, options: Mapping[str, Any], first_row: int) -> pd.DataFrame:
    # Each piece is copied: columns may stay in Arrow, where a slice keeps the memory of its page, as the next one does.
    settled = {
        name: schemas.Settled(pa.chunked_array([pa.concat_arrays([piece]) for piece in column.chunks], column.type))
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    }
    return schemas.to_frame(settled, rows.num_rows, stable=True, first_row=first_row, **options)
