"""``df.clicdata``: signatures, docstrings, and one call each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from pandas_clicdata import write
from pandas_clicdata._models import BATCH_ROWS
from pandas_clicdata.types import ingest, plan
from pandas_clicdata.write.options import RECONCILE_SECONDS

if TYPE_CHECKING:
    from pandas_clicdata._display import Progress
    from pandas_clicdata._models import RepeatedPages, WriteResult
    from pandas_clicdata.session import Session
    from pandas_clicdata.write import Path, Table
    from pandas_clicdata.write.options import IfExists, OnNewColumns, OnUnknown


class Held:
    """One frame, and nothing else."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame


class Adding(Held):
    """Rows that are added."""

    def push(
        self,
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
        """Make a table from the columns' dtypes and send the rows: each of them once.

        What can be refused is refused before the first request: names that collide, values that cannot be sent exactly.

        Parameters
        ----------
        name : str
            The table's name, unique in the account (S).
        if_exists : {"fail", "append", "replace", "upsert"}, default "fail"
            What to do if the table is there: refuse; add the rows; save its rows to a file, delete them and send these;
            or change the rows whose keys are there and add the others. None of these is atomic.
        on : str or list of str, optional
            Columns whose values tell one row from another, unique and nowhere missing in the frame: by them rows of
            unknown fate are looked up, and sent again if they are not there. An append refuses keys that the table has
            already; "upsert" needs them.
        column_types : dict of str to str, optional
            ClicData types for some columns or all: ``text``, ``number``, ``datetime``, ``date``, ``percentage``,
            ``checkbox``, ``dropdown`` (P). One that would lose a value is refused.
        index : bool, default False
            Send the index too, as columns named as ``reset_index`` names them.
        on_new_columns : {"error", "ignore"}, default "error"
            What to do about columns that a table which is there does not have, for none can be added to it: refuse; or
            leave them out, and name them in the receipt's ``notes``. One named by ``on`` is never left out. Those that
            the frame lacks are refused all the same.
        description : str, default ""
            The new table's description.
        dry_run : bool, default False
            Send nothing that changes anything; the receipt tells what would be sent.
        chunksize : int, default 500
            The most rows of a request; the service takes no more than 500 (P). Where its replies count rows, requests
            that follow each other carry slightly different numbers of rows, so that a reply to another one shows.
        workers : int, default 1
            Requests on the wire at once. With more than one the rows arrive in no certain order.
        stamp : str, optional
            A text column, beside the frame's own, that holds a mark of the write and the batch. Rows of unknown fate
            are then looked up by it; those that are not there are sent again under another mark, and what comes late
            under the old one is deleted.
        on_unknown : {"raise", "check"}, default "raise"
            Where neither ``on`` nor ``stamp`` tells rows apart: raise, or look for them by their content. What that
            cannot exclude: first tries carried out after ``reconcile_wait``, and others who add or delete equal rows.
        reconcile_wait : float, default 60
            Seconds to wait for what may still be carried out: before rows are taken for lost, and before the end.
        resume : dict, optional
            ``error.resume``, once: go on with a write that stopped. The frame must be the same.
        journal : path-like, optional
            A file that keeps that token on disk, before and after each batch: the same call made again goes on, also
            after ``kill -9``; of a finished write it does nothing, and the receipt says so.
        verify : bool, default False
            Read the table afterwards (when appending also before) and compare the number of rows, the nulls and values
            of each column, and which values stand in one row.
        backup : path-like, optional
            The file or folder for the rows that "replace" takes away. Default: a folder of the user's own.
        repeated_pages : {"check", "accept"}, default "check"
            As in :func:`read_clicdata`, for the rows that this write reads before it decides what to send or delete: in
            a "replace", an "upsert", and an append with ``on``, ``on_unknown="check"`` or ``resume``. A read that only
            compares (``verify``, the search for rows of unknown fate) accepts pages with equal rows.
        progress : bool or callable, optional
            True shows a bar; a callable gets (rows so far, rows in all or None).
        session : Session, optional
            Another account than that of :func:`connect`.

        Returns
        -------
        WriteResult
            The receipt. Its status is ``verified`` with ``verify=True``; ``confirmed`` where the service counted every
            row; ``unverified`` where its dialect has no counts.

        Raises
        ------
        TableExistsError
            There is such a table, and ``if_exists="fail"``.
        FrameError, ColumnMismatchError, RowsExistError
            The data cannot be sent as it is, its columns are not the table's, or its keys are there already.
        IncompleteReadError
            The table could not be read before the first row was sent or deleted; nothing was changed.
        ResumeError
            The token or journal is that of another write or frame, or the journal is in use.
        AmbiguousWriteError
            A reply was lost, so the fate of some rows is unknown. ``confirmed``, ``unknown`` and ``unsent`` say which
            rows are which, and ``resume`` goes on.
        PartialWriteError, VerificationError
            The service counted other rows than were sent, or has others than it should.
        ReplaceIncompleteError
            A replace stopped on its way; ``backup`` holds the old rows, and :func:`restore` puts them back.
        IncompleteWriteError
            The service refused rows, and it is known which.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "delay": [2, 4]})
        >>> receipt = df.clicdata.push("Flights pushed")
        >>> receipt.sent, receipt.status
        (2, 'confirmed')
        """
        return write.push(
            self._frame,
            name,
            if_exists=if_exists,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            description=description,
            dry_run=dry_run,
            chunksize=chunksize,
            workers=workers,
            stamp=stamp,
            on_unknown=on_unknown,
            reconcile_wait=reconcile_wait,
            resume=resume,
            journal=journal,
            verify=verify,
            backup=backup,
            repeated_pages=repeated_pages,
            progress=progress,
            session=session,
        )

    def append(
        self,
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
        """Send the rows to a table that is there: each of them once.

        Columns are matched by name, whatever their order.

        Parameters
        ----------
        table : int or str
            The table's RecId, or its name.
        on, column_types, index, on_new_columns, dry_run, chunksize, workers, stamp, on_unknown, reconcile_wait
            As in :meth:`push`.
        resume, journal, verify, repeated_pages, progress, session
            As in :meth:`push`.

        Returns
        -------
        WriteResult
            The receipt.

        Raises
        ------
        TableNotFoundError, ColumnMismatchError
            There is no such table, or its columns are others; the message holds the difference.
        FrameError, RowsExistError, ResumeError, IncompleteReadError, IncompleteWriteError
            As in :meth:`push`.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.push("Flights appended to")
        >>> pd.DataFrame({"delay": [4], "flight": ["UA1714"]}).clicdata.append("Flights appended to").sent
        1
        """
        return write.append(
            self._frame,
            table,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            dry_run=dry_run,
            chunksize=chunksize,
            workers=workers,
            stamp=stamp,
            on_unknown=on_unknown,
            reconcile_wait=reconcile_wait,
            resume=resume,
            journal=journal,
            verify=verify,
            repeated_pages=repeated_pages,
            progress=progress,
            session=session,
        )


class Changing(Held):
    """Rows that are changed or taken away."""

    def update_rows(
        self,
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
        """Give the table's rows that equal this frame's rows in the ``on`` columns its other values.

        One request goes out for each row. A key that no row has changes nothing, nor does a second run. The whole is
        not atomic: meanwhile another reader sees some rows changed and others not yet.

        Parameters
        ----------
        on : str or list of str
            The columns that must be equal, all of them: unique and nowhere missing in the frame.
        table, column_types, index, on_new_columns, dry_run, workers, reconcile_wait, verify, progress, session
            As in :meth:`append`. The frame need not have all of the table's columns.

        Returns
        -------
        WriteResult
            The receipt. The service does not count what it changed, so its status is ``unverified``, or ``verified``.

        Raises
        ------
        TableNotFoundError, ColumnMismatchError
            There is no such table, or it has no such column.
        FrameError
            A key is missing or twice there, or there is no other column; nothing was sent.
        IncompleteWriteError
            Some changes failed, and its ranges say which; making them again does no harm.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "delay": [2, 4]})
        >>> receipt = df.clicdata.push("Flights changed")
        >>> receipt = df.assign(delay=[2, 7]).clicdata.update_rows("Flights changed", on="flight")
        >>> pd.read_clicdata("Flights changed")["delay"].tolist()
        [2, 7]
        """
        return write.update_rows(
            self._frame,
            table,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            dry_run=dry_run,
            workers=workers,
            reconcile_wait=reconcile_wait,
            verify=verify,
            progress=progress,
            session=session,
        )

    def upsert(
        self,
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

        The table is read once. Rows that are there as they should be are left alone, so that a second run sends
        nothing; those that differ are changed, a request each, then the others inserted. The whole is not atomic:
        meanwhile another reader sees some rows changed and others not yet.

        Parameters
        ----------
        on : str or list of str
            The columns whose values tell one row from another: unique and nowhere missing in the frame.
        repeated_pages : {"check", "accept"}, default "check"
            As in :func:`read_clicdata`: the table is read to tell which keys it has.
        table, column_types, index, on_new_columns, dry_run, verify
            As in :meth:`append`. The frame has all of the table's columns.
        chunksize, workers, reconcile_wait, progress, session
            As in :meth:`append`.

        Returns
        -------
        WriteResult
            The receipt; ``matched`` is how many rows of the table had one of the keys.

        Raises
        ------
        TableNotFoundError, ColumnMismatchError, FrameError
            As in :meth:`update_rows`.
        IncompleteReadError
            The table could not be read before the first change; nothing was changed.
        IncompleteWriteError
            It stopped on its way; the same call made again goes on.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.push("Flights kept")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "delay": [3, 4]})
        >>> df.clicdata.upsert("Flights kept", on="flight").sent, df.clicdata.upsert("Flights kept", on="flight").sent
        (2, 0)
        """
        return write.upsert(
            self._frame,
            table,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            dry_run=dry_run,
            chunksize=chunksize,
            workers=workers,
            reconcile_wait=reconcile_wait,
            verify=verify,
            repeated_pages=repeated_pages,
            progress=progress,
            session=session,
        )

    def delete_rows(
        self,
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
        """Delete the table's rows that equal this frame's rows in the ``on`` columns.

        One request goes out for each combination of keys, for all conditions of one must match (S P). A key that no row
        has deletes nothing; after a lost reply the request is sent again, because deleted rows do not match twice.

        Parameters
        ----------
        on : str or list of str
            The columns that must be equal, all of them. Only these of the frame's columns count.
        index : bool, default False
            Let the index's levels be columns too.
        dry_run : bool, default False
            Delete nothing, but read the table: the receipt's ``matched`` and ``preview`` are the rows that would go.
        max_rows : int, optional
            Read the table first, and delete nothing if more rows than this would go.
        repeated_pages : {"check", "accept"}, default "check"
            As in :func:`read_clicdata`, where ``dry_run`` or ``max_rows`` reads the table.
        table, workers, reconcile_wait, progress, session
            As in :meth:`append`.

        Returns
        -------
        WriteResult
            ``unverified``, because the service does not say how many rows it deleted.

        Raises
        ------
        TableNotFoundError, ColumnMismatchError
            There is no such table, or it lacks an ``on`` column or has it in another type.
        FrameError
            The frame has no rows or lacks an ``on`` column, or a key is missing in some row: what an empty condition
            deletes is not known.
        IncompleteReadError
            The table could not be read; nothing was deleted.
        TooManyRowsError
            More than ``max_rows`` rows would go; nothing was deleted.
        IncompleteWriteError
            Some deletions failed; its ranges say for which rows of the frame.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "day": [1, 1]})
        >>> receipt = df.clicdata.push("Flights to go")
        >>> df.head(1).clicdata.delete_rows("Flights to go", on=["flight", "day"], max_rows=1).matched
        1
        >>> list(pd.read_clicdata("Flights to go")["flight"])
        ['UA1714']
        """
        return write.delete_rows(
            self._frame, table, on=on, index=index, dry_run=dry_run, max_rows=max_rows, workers=workers,
            reconcile_wait=reconcile_wait, repeated_pages=repeated_pages, progress=progress, session=session,
        )  # fmt: skip


class ClicDataAccessor(Adding, Changing):
    """Send a DataFrame to ClicData: push, append, update_rows, upsert, delete_rows, and schema to look before.

    Parameters
    ----------
    frame : DataFrame
        The frame whose ``.clicdata`` this is.
    """

    def __repr__(self) -> str:
        rows, columns = self._frame.shape
        doors = "push, append, update_rows, upsert, delete_rows, schema"
        return f"<df.clicdata of {rows:,} rows, {columns:,} columns: {doors}>"

    def schema(self, column_types: Mapping[str, str] | None = None, *, index: bool = False) -> pd.DataFrame:
        """Tell what each column would become, without sending anything.

        Returns
        -------
        DataFrame
            For each column, with ``column_types`` and ``index`` as in :meth:`push`: ``column``, ``dtype``,
            ``clicdata_type`` and ``note``.
            A column that would be refused has no type, and the note says why. The dtypes are themselves
            there, so that ``pd.read_clicdata(…, schema=…)`` can give them back.

        Raises
        ------
        FrameError
            Names that are missing or collide, or ``column_types`` names what is not there.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.schema()["clicdata_type"].tolist()
        ['text', 'number']
        """
        return plan.schema_frame(ingest.enter(self._frame, index=index), column_types)
