"""Rows that are changed or taken away: update_rows, upsert and delete_rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pandas_clicdata import writing
from pandas_clicdata.accessor.held import Held
from pandas_clicdata.writing import BATCH_ROWS, SETTLE_SECONDS

if TYPE_CHECKING:
    from pandas_clicdata.display import Progress
    from pandas_clicdata.models import WriteResult
    from pandas_clicdata.session import Session
    from pandas_clicdata.writing import OnNewColumns, RepeatedPages, Table


class Changing(Held):
    """Rows that are changed or taken away."""

    def update_rows(
        self,
        table: Table,
        *,
        on: str | Sequence[str],
        columns: Mapping[str, str] | None = None,
        index: bool = False,
        on_new_columns: OnNewColumns = "error",
        dry_run: bool = False,
        workers: int = 1,
        settle: float = SETTLE_SECONDS,
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
        table, columns, index, on_new_columns, dry_run, workers, settle, verify, progress, session
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
        return writing.update_rows(
            self._frame, table, on=on, columns=columns, index=index, on_new_columns=on_new_columns, dry_run=dry_run,
            workers=workers, settle=settle, verify=verify, progress=progress, session=session,
        )  # fmt: skip

    def upsert(
        self,
        table: Table,
        *,
        on: str | Sequence[str],
        columns: Mapping[str, str] | None = None,
        index: bool = False,
        on_new_columns: OnNewColumns = "error",
        dry_run: bool = False,
        batch_size: int = BATCH_ROWS,
        workers: int = 1,
        settle: float = SETTLE_SECONDS,
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
        table, columns, index, on_new_columns, dry_run, batch_size, workers, settle, verify, progress, session
            As in :meth:`append`. The frame has all of the table's columns.

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
        return writing.upsert(
            self._frame, table, on=on, columns=columns, index=index, on_new_columns=on_new_columns, dry_run=dry_run,
            batch_size=batch_size, workers=workers, settle=settle, verify=verify,
            repeated_pages=repeated_pages, progress=progress, session=session,
        )  # fmt: skip

    def delete_rows(
        self,
        table: Table,
        *,
        on: str | Sequence[str],
        index: bool = False,
        dry_run: bool = False,
        max_rows: int | None = None,
        workers: int = 1,
        settle: float = SETTLE_SECONDS,
        repeated_pages: RepeatedPages = "check",
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """Delete the table's rows that equal this frame's rows in the ``on`` columns.

        One request goes out for each combination of keys, for all conditions of one must match (S P). A key that no row
        has deletes nothing; a lost reply is answered by asking again, for what is deleted is no longer found.

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
        table, workers, settle, progress, session
            As in :meth:`append`.

        Returns
        -------
        WriteResult
            ``unverified``, for the service does not say how many rows it deleted.

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
        return writing.delete_rows(
            self._frame, table, on=on, index=index, dry_run=dry_run, max_rows=max_rows, workers=workers,
            settle=settle, repeated_pages=repeated_pages, progress=progress, session=session,
        )  # fmt: skip
