"""Everything that changes the rows of a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

from pandas_clicdata._display import Progress
from pandas_clicdata._models import BATCH_ROWS, RepeatedPages, WriteResult
from pandas_clicdata.write.delete import delete_payload
from pandas_clicdata.write.options import RECONCILE_SECONDS, IfExists, OnNewColumns, OnUnknown, Options
from pandas_clicdata.write.push import append_payload, push_payload
from pandas_clicdata.write.replace import restore_backup
from pandas_clicdata.write.update import update_payload, upsert_payload

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


__all__ = [
    "BATCH_ROWS", "RECONCILE_SECONDS", "IfExists", "OnNewColumns", "OnUnknown", "RepeatedPages", "Table", "append",
    "create_table", "delete_matching", "delete_rows", "push", "refresh_table", "restore", "update_matching",
    "update_rows", "upsert",
]  # fmt: skip

Table = int | str | SupportsIndex
Path = str | os.PathLike[str]


def push(
    obj: object,
    name: str,
    *,
    if_exists: IfExists = "fail",
    on: str | Sequence[str] | None = None,
    column_types: Mapping[str, str] | None = None,
    index: bool = False,
    on_new_columns: OnNewColumns = "error",
    description: str = "",
    dry_run: bool = False,
    chunksize: int = BATCH_ROWS,
    workers: int = 1,
    stamp: str | None = None,
    on_unknown: OnUnknown = "raise",
    reconcile_wait: float = RECONCILE_SECONDS,
    resume: Mapping[str, Any] | None = None,
    journal: Path | None = None,
    verify: bool = False,
    backup: Path | None = None,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Make a table from the columns' types and send the rows.

    As ``df.clicdata.push``, for whatever speaks Arrow.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch, pyarrow.RecordBatchReader or object
        The rows. A reader may be larger than memory: its values are checked batch by batch, just before they go. It
        cannot be gone on with, nor looked at again, so that ``on``, ``on_unknown="check"``, ``resume`` and ``journal``
        are refused; ``stamp`` and ``verify`` are not. A replace reads it into memory.
        Any object with ``__arrow_c_stream__`` will do (polars).
    name, if_exists, on, column_types, index, on_new_columns, description, dry_run, chunksize, workers, stamp
        As in ``df.clicdata.push``.
    on_unknown, reconcile_wait, resume, journal, verify, backup, repeated_pages, progress, session
        As in ``df.clicdata.push``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableExistsError, FrameError, IncompleteReadError, IncompleteWriteError, ResumeError
        As in ``df.clicdata.push``.

    Notes
    -----
    A replace reads the old rows, from the first page to the last and back, saves them, tries whether it may delete,
    and deletes them by values that they hold; then it inserts. Meanwhile another reader sees some of the old rows,
    none, or some of the new ones. Rows that somebody else writes meanwhile are noticed by looks into the table, and
    stop the replace; a row that comes after such a look, with the very value that is then deleted, goes unseen. Where a
    deletion was tried again, ``reconcile_wait`` seconds pass before the first insert,
    because the first try may be carried out late.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.push(pa.table({"seats": [180, 200]}), "Planes from Arrow").sent
    2
    """
    options = Options(
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        dry_run=dry_run,
        chunksize=chunksize,
        workers=workers,
        on=on,
        stamp=stamp,
        on_unknown=on_unknown,
        reconcile_wait=reconcile_wait,
        resume=resume,
        journal=journal,
        verify=verify,
        backup=backup,
        repeated_pages=repeated_pages,
        progress=progress,
    )
    return push_payload(session, obj, name, if_exists=if_exists, description=description, options=options)


def append(
    obj: object,
    table: Table,
    *,
    on: str | Sequence[str] | None = None,
    column_types: Mapping[str, str] | None = None,
    index: bool = False,
    on_new_columns: OnNewColumns = "error",
    dry_run: bool = False,
    chunksize: int = BATCH_ROWS,
    workers: int = 1,
    stamp: str | None = None,
    on_unknown: OnUnknown = "raise",
    reconcile_wait: float = RECONCILE_SECONDS,
    resume: Mapping[str, Any] | None = None,
    journal: Path | None = None,
    verify: bool = False,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Send rows to a table that is there.

    As ``df.clicdata.append``, for whatever speaks Arrow.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch, pyarrow.RecordBatchReader or object
        The rows, as for :func:`push`.
    table, on, column_types, index, on_new_columns, dry_run, chunksize, workers, stamp, on_unknown, reconcile_wait
        As in ``df.clicdata.append``.
    resume, journal, verify, repeated_pages, progress, session
        As in ``df.clicdata.append``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableNotFoundError, FrameError, RowsExistError, IncompleteWriteError, ResumeError
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
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        dry_run=dry_run,
        chunksize=chunksize,
        workers=workers,
        on=on,
        stamp=stamp,
        on_unknown=on_unknown,
        reconcile_wait=reconcile_wait,
        resume=resume,
        journal=journal,
        verify=verify,
        repeated_pages=repeated_pages,
        progress=progress,
    )
    return append_payload(session, obj, table, options=options)


def update_rows(
    obj: object,
    table: Table,
    *,
    on: str | Sequence[str],
    column_types: Mapping[str, str] | None = None,
    index: bool = False,
    on_new_columns: OnNewColumns = "error",
    dry_run: bool = False,
    workers: int = 1,
    reconcile_wait: float = RECONCILE_SECONDS,
    verify: bool = False,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Change the table's rows that equal these rows in the ``on`` columns.

    As ``df.clicdata.update_rows``, for whatever speaks Arrow and is in memory.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch or object
        The rows, as for :func:`push`.
    table, on, column_types, index, on_new_columns, dry_run, workers, reconcile_wait, verify, progress, session
        As in ``df.clicdata.update_rows``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableNotFoundError, FrameError, IncompleteWriteError
        As in ``df.clicdata.update_rows``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"plane": ["A320"], "seats": [180]}), "Planes to change")
    >>> cd.update_rows(pa.table({"plane": ["A320"], "seats": [186]}), "Planes to change", on="plane").sent
    1
    """
    options = Options(
        column_types=column_types,
        index=index,
        on_new_columns=on_new_columns,
        dry_run=dry_run,
        workers=workers,
        reconcile_wait=reconcile_wait,
        verify=verify,
        progress=progress,
    )
    return update_payload(session, obj, table, on=on, options=options)


def upsert(
    obj: object,
    table: Table,
    *,
    on: str | Sequence[str],
    column_types: Mapping[str, str] | None = None,
    index: bool = False,
    on_new_columns: OnNewColumns = "error",
    dry_run: bool = False,
    chunksize: int = BATCH_ROWS,
    workers: int = 1,
    reconcile_wait: float = RECONCILE_SECONDS,
    verify: bool = False,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Change the rows whose keys are in the table, and insert the others.

    As ``df.clicdata.upsert``, for whatever speaks Arrow and is in memory.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch or object
        The rows, as for :func:`push`.
    table, on, column_types, index, on_new_columns, dry_run, chunksize, workers, reconcile_wait, verify, repeated_pages
        As in ``df.clicdata.upsert``.
    progress, session
        As in ``df.clicdata.upsert``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableNotFoundError, FrameError, IncompleteWriteError
        As in ``df.clicdata.upsert``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pa.table({"plane": ["A320"], "seats": [180]}), "Planes old and new")
    >>> more = pa.table({"plane": ["A320", "B738"], "seats": [186, 189]})
    >>> cd.upsert(more, "Planes old and new", on="plane").matched
    1
    """
    options = Options(
        column_types=column_types, index=index, on_new_columns=on_new_columns, dry_run=dry_run, chunksize=chunksize,
        workers=workers, reconcile_wait=reconcile_wait, verify=verify, repeated_pages=repeated_pages, progress=progress,
    )  # fmt: skip
    return upsert_payload(session, obj, table, on=on, options=options)


def delete_rows(
    obj: object,
    table: Table,
    *,
    on: str | Sequence[str],
    index: bool = False,
    dry_run: bool = False,
    max_rows: int | None = None,
    workers: int = 1,
    reconcile_wait: float = RECONCILE_SECONDS,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Delete the table's rows that equal these rows in the ``on`` columns.

    As ``df.clicdata.delete_rows``, for whatever speaks Arrow and is in memory.

    Parameters
    ----------
    obj : DataFrame, pyarrow.Table, pyarrow.RecordBatch or object
        The rows, as for :func:`push`.
    table, on, index, dry_run, max_rows, workers, reconcile_wait, repeated_pages, progress, session
        As in ``df.clicdata.delete_rows``.

    Returns
    -------
    WriteResult

    Raises
    ------
    TableNotFoundError, FrameError, TooManyRowsError, IncompleteWriteError
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
    options = Options(
        index=index,
        dry_run=dry_run,
        workers=workers,
        reconcile_wait=reconcile_wait,
        repeated_pages=repeated_pages,
        progress=progress,
    )
    return delete_payload(session, obj, table, on=on, max_rows=max_rows, options=options)


def restore(
    backup: Path,
    table: Table,
    *,
    workers: int = 1,
    reconcile_wait: float = RECONCILE_SECONDS,
    repeated_pages: RepeatedPages = "check",
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> WriteResult:
    """Give a table the rows that a replace had saved before it took them away.

    If the table holds nothing but some of these rows, those that it lacks are inserted. Otherwise its rows are saved to
    a file of their own and replaced, as by ``push(…, if_exists="replace")``. A second run changes nothing.

    Deletions and inserts of the replace that stopped may be carried out even after its error, so give them their time
    (a minute, or whatever ``reconcile_wait`` is) before you restore. If one comes later still, restore once more: what
    it took is put back, and what it brought is taken away.

    Parameters
    ----------
    backup : path-like
        The Parquet file: ``error.backup``, or the receipt's.
    table : int or str
        The table's RecId, or its name.
    workers : int, default 1
        How many requests may be on the wire at once.
    reconcile_wait : float, default 60
        Seconds to wait for rows that may still arrive, before they are sent again.
    repeated_pages : {"check", "accept"}, default "check"
        As in ``df.clicdata.push``.
    progress : bool or callable, optional
        As in ``df.clicdata.push``.
    session : Session, optional
        Another account than that of :func:`connect`.

    Returns
    -------
    WriteResult
        The receipt; its ``backup`` is where the rows were saved that had to go, beside the backup that is
        restored.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, or it is no backup, or damaged; nothing was sent.
    TableNotFoundError, ColumnMismatchError
        There is no such table, or its columns are not those of the backup.
    IncompleteReadError
        Its rows could not be read; nothing was changed.
    IncompleteWriteError, ReplaceIncompleteError
        Not all rows are known to be back. The backup stays, and the same call goes on.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180, 200]}).clicdata.push("Planes to and fro")
    >>> receipt = pd.DataFrame({"seats": [0]}).clicdata.push("Planes to and fro", if_exists="replace")
    >>> cd.restore(receipt.backup, "Planes to and fro").rows
    2
    >>> pd.read_clicdata("Planes to and fro")["seats"].tolist()
    [180, 200]
    """
    options = Options(workers=workers, reconcile_wait=reconcile_wait, repeated_pages=repeated_pages, progress=progress)
    return restore_backup(session, backup, table, options=options)
