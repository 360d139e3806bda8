"""Rows that are added: push and append."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pandas_clicdata import writing
from pandas_clicdata.accessor.held import Held
from pandas_clicdata.writing import BATCH_ROWS, SETTLE_SECONDS

if TYPE_CHECKING:
    from pandas_clicdata.display import Progress
    from pandas_clicdata.models import WriteResult
    from pandas_clicdata.session import Session
    from pandas_clicdata.writing import IfExists, OnNewColumns, OnUnknown, Path, RepeatedPages, Table


class Adding(Held):
    """Rows that are added."""

    def push(
        self,
        name: str,
        *,
        if_exists: IfExists = "fail",
        on: str | Sequence[str] | None = None,
        columns: Mapping[str, str] | None = None,
        index: bool = False,
        on_new_columns: OnNewColumns = "error",
        description: str = "",
        dry_run: bool = False,
        batch_size: int = BATCH_ROWS,
        workers: int = 1,
        stamp: str | None = None,
        on_unknown: OnUnknown = "raise",
        settle: float = SETTLE_SECONDS,
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
        columns : dict of str to str, optional
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
        batch_size : int, default 500
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
            cannot rule out: first tries carried out later than ``settle``, and others who add or delete equal rows.
        settle : float, default 60
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
        return writing.push(
            self._frame, name, if_exists=if_exists, on=on, columns=columns, index=index, on_new_columns=on_new_columns,
            description=description, dry_run=dry_run, batch_size=batch_size, workers=workers, stamp=stamp,
            on_unknown=on_unknown, settle=settle, resume=resume, journal=journal, verify=verify, backup=backup,
            repeated_pages=repeated_pages, progress=progress, session=session,
        )  # fmt: skip

    def append(
        self,
        table: Table,
        *,
        on: str | Sequence[str] | None = None,
        columns: Mapping[str, str] | None = None,
        index: bool = False,
        on_new_columns: OnNewColumns = "error",
        dry_run: bool = False,
        batch_size: int = BATCH_ROWS,
        workers: int = 1,
        stamp: str | None = None,
        on_unknown: OnUnknown = "raise",
        settle: float = SETTLE_SECONDS,
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
        on, columns, index, on_new_columns, dry_run, batch_size, workers, stamp, on_unknown, settle
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
        return writing.append(
            self._frame, table, on=on, columns=columns, index=index, on_new_columns=on_new_columns, dry_run=dry_run,
            batch_size=batch_size, workers=workers, stamp=stamp, on_unknown=on_unknown, settle=settle, resume=resume,
            journal=journal, verify=verify, repeated_pages=repeated_pages, progress=progress, session=session,
        )  # fmt: skip
