"""The write workflow: plan, batches, send, receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, SupportsIndex

from pandas_clicdata.display import Progress
from pandas_clicdata.models import BATCH_ROWS, WriteResult
from pandas_clicdata.writing import workflow
from pandas_clicdata.writing.workflow import IfExists, Options

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

__all__ = ["BATCH_ROWS", "IfExists", "Table", "append", "delete_rows", "push"]

Table = int | str | SupportsIndex


def push(
    obj: object,
    name: str,
    *,
    if_exists: IfExists = "fail",
    columns: Mapping[str, str] | None = None,
    index: bool = False,
    description: str = "",
    dry_run: bool = False,
    batch_size: int = BATCH_ROWS,
    workers: int = 1,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Make a table from the columns' types and send the rows.

    As ``df.clicdata.push``, for whatever speaks Arrow.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch, pyarrow.RecordBatchReader or object
        The rows. A reader may be larger than memory: its values are checked batch by batch, just before they go.
        Any object with ``__arrow_c_stream__`` will do (polars).
    name, if_exists, columns, index, description, dry_run, batch_size, workers, progress, session
        As in ``df.clicdata.push``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableExistsError, FrameError, IncompleteWriteError
        As in ``df.clicdata.push``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.push(pa.table({"seats": [180, 200]}), "Planes from Arrow").sent
    2
    """
    options = Options(
        columns=columns, index=index, dry_run=dry_run, batch_size=batch_size, workers=workers, progress=progress
    )
    return workflow.push(session, obj, name, if_exists=if_exists, description=description, options=options)


def append(
    obj: object,
    table: Table,
    *,
    columns: Mapping[str, str] | None = None,
    index: bool = False,
    dry_run: bool = False,
    batch_size: int = BATCH_ROWS,
    workers: int = 1,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Send rows to a table that is there.

    As ``df.clicdata.append``, for whatever speaks Arrow.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch, pyarrow.RecordBatchReader or object
        The rows, as for :func:`push`.
    table, columns, index, dry_run, batch_size, workers, progress, session
        As in ``df.clicdata.append``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableNotFoundError, FrameError, IncompleteWriteError
        As in ``df.clicdata.append``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"seats": [180]}), "Planes by and by")
    >>> cd.append(pa.table({"seats": [200]}), receipt.rec_id).sent
    1
    """
    options = Options(
        columns=columns, index=index, dry_run=dry_run, batch_size=batch_size, workers=workers, progress=progress
    )
    return workflow.append(session, obj, table, options=options)


def delete_rows(
    obj: object,
    table: Table,
    *,
    on: str | Sequence[str],
    index: bool = False,
    dry_run: bool = False,
    workers: int = 1,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Delete the table's rows that equal these rows in the ``on`` columns.

    As ``df.clicdata.delete_rows``, for whatever speaks Arrow and is in memory.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch or object
        The rows, as for :func:`push`.
    table, on, index, dry_run, workers, progress, session
        As in ``df.clicdata.delete_rows``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableNotFoundError, FrameError, IncompleteWriteError
        As in ``df.clicdata.delete_rows``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"seats": [180, 200]}), "Planes to go")
    >>> cd.delete_rows(pa.table({"seats": [200]}), "Planes to go", on="seats").batches
    1
    """
    options = Options(index=index, dry_run=dry_run, workers=workers, progress=progress)
    return workflow.delete_rows(session, obj, table, on=on, options=options)
