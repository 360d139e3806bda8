"""``df.clicdata``: signatures, and one call each.

The docstring of a method is that of its function in ``write/``, with the example from here. In those docstrings,
placeholders such as ``{on}`` are filled from the docstring of ``append``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from pandas_clicdata import write
from pandas_clicdata._docstrings import documented_as, parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import MAX_BATCH_ROWS
from pandas_clicdata.types import ingest, plan
from pandas_clicdata.write.options import RECONCILE_SECONDS

if TYPE_CHECKING:
    from pandas_clicdata._models import OnBadValues, RepeatedPages, StrPath, TableId, WriteResult
    from pandas_clicdata._progress import Progress
    from pandas_clicdata.session import Session
    from pandas_clicdata.write.options import IfExists, OnNewColumns, OnUnknown


class ClicDataAccessor:
    """Send a DataFrame to ClicData: ``df.clicdata``.

    Parameters
    ----------
    frame : DataFrame
        The frame.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> pd.DataFrame({"seats": [180]}).clicdata
    <df.clicdata of 1 rows, 1 columns: push, append, update_rows, upsert, delete_rows, schema>
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __repr__(self) -> str:
        rows, columns = self._frame.shape
        methods = "push, append, update_rows, upsert, delete_rows, schema"
        return f"<df.clicdata of {rows:,} rows, {columns:,} columns: {methods}>"

    @documented_as(write.push, without="obj")
    def push(
        self,
        name: str,
        *,
        if_exists: IfExists = "fail",
        on: str | Sequence[str] | None = None,
        column_types: Mapping[str, str] | None = None,
        index: bool | None = None,
        on_new_columns: OnNewColumns = "error",
        on_bad_values: OnBadValues = "raise",
        description: str = "",
        dry_run: bool = False,
        chunksize: int = MAX_BATCH_ROWS,
        workers: int | None = None,
        stamp: str | None = None,
        on_unknown: OnUnknown = "raise",
        reconcile_wait: float = RECONCILE_SECONDS,
        resume: Mapping[str, Any] | bool | None = None,
        journal: StrPath | bool | None = None,
        verify: bool = False,
        backup: StrPath | None = None,
        repeated_pages: RepeatedPages = "check",
        max_requests: int | None = None,
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
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
            on_bad_values=on_bad_values,
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
            max_requests=max_requests,
            progress=progress,
            session=session,
        )

    @documented_as(write.append, without="obj")
    def append(
        self,
        table: TableId,
        *,
        on: str | Sequence[str] | None = None,
        column_types: Mapping[str, str] | None = None,
        index: bool | None = None,
        on_new_columns: OnNewColumns = "error",
        on_bad_values: OnBadValues = "raise",
        dry_run: bool = False,
        chunksize: int = MAX_BATCH_ROWS,
        workers: int | None = None,
        stamp: str | None = None,
        on_unknown: OnUnknown = "raise",
        reconcile_wait: float = RECONCILE_SECONDS,
        resume: Mapping[str, Any] | bool | None = None,
        journal: StrPath | bool | None = None,
        verify: bool = False,
        repeated_pages: RepeatedPages = "check",
        max_requests: int | None = None,
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.push("Flights to append to")
        >>> pd.DataFrame({"delay": [4], "flight": ["UA1714"]}).clicdata.append("Flights to append to").sent
        1
        """
        return write.append(
            self._frame,
            table,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            on_bad_values=on_bad_values,
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
            max_requests=max_requests,
            progress=progress,
            session=session,
        )

    @documented_as(write.update_rows, without="obj")
    def update_rows(
        self,
        table: TableId,
        *,
        on: str | Sequence[str],
        column_types: Mapping[str, str] | None = None,
        index: bool | None = None,
        on_new_columns: OnNewColumns = "error",
        on_bad_values: OnBadValues = "raise",
        dry_run: bool = False,
        workers: int | None = None,
        reconcile_wait: float = RECONCILE_SECONDS,
        verify: bool = False,
        max_requests: int | None = None,
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "delay": [2, 4]})
        >>> receipt = df.clicdata.push("Flights to update")
        >>> receipt = df.assign(delay=[2, 7]).clicdata.update_rows("Flights to update", on="flight")
        >>> pd.read_clicdata("Flights to update")["delay"].tolist()
        [2, 7]
        """
        return write.update_rows(
            self._frame,
            table,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            on_bad_values=on_bad_values,
            dry_run=dry_run,
            workers=workers,
            reconcile_wait=reconcile_wait,
            verify=verify,
            max_requests=max_requests,
            progress=progress,
            session=session,
        )

    @documented_as(write.upsert, without="obj")
    def upsert(
        self,
        table: TableId,
        *,
        on: str | Sequence[str],
        column_types: Mapping[str, str] | None = None,
        index: bool | None = None,
        on_new_columns: OnNewColumns = "error",
        on_bad_values: OnBadValues = "raise",
        dry_run: bool = False,
        chunksize: int = MAX_BATCH_ROWS,
        workers: int | None = None,
        reconcile_wait: float = RECONCILE_SECONDS,
        verify: bool = False,
        repeated_pages: RepeatedPages = "check",
        max_requests: int | None = None,
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.push("Flights to upsert")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "delay": [3, 4]})
        >>> receipt = df.clicdata.upsert("Flights to upsert", on="flight")
        >>> receipt.inserted, receipt.updated
        (1, 1)
        >>> df.clicdata.upsert("Flights to upsert", on="flight").unchanged
        2
        """
        return write.upsert(
            self._frame,
            table,
            on=on,
            column_types=column_types,
            index=index,
            on_new_columns=on_new_columns,
            on_bad_values=on_bad_values,
            dry_run=dry_run,
            chunksize=chunksize,
            workers=workers,
            reconcile_wait=reconcile_wait,
            verify=verify,
            repeated_pages=repeated_pages,
            max_requests=max_requests,
            progress=progress,
            session=session,
        )

    @documented_as(write.delete_rows, without="obj")
    def delete_rows(
        self,
        table: TableId,
        *,
        on: str | Sequence[str],
        index: bool | None = None,
        dry_run: bool = False,
        max_rows: int | None = None,
        workers: int | None = None,
        reconcile_wait: float = RECONCILE_SECONDS,
        repeated_pages: RepeatedPages = "check",
        max_requests: int | None = None,
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "day": [1, 1]})
        >>> receipt = df.clicdata.push("Flights to delete")
        >>> df.head(1).clicdata.delete_rows("Flights to delete", on=["flight", "day"], max_rows=1).matched
        1
        >>> list(pd.read_clicdata("Flights to delete")["flight"])
        ['UA1714']
        """
        return write.delete_rows(
            self._frame,
            table,
            on=on,
            index=index,
            dry_run=dry_run,
            max_rows=max_rows,
            workers=workers,
            reconcile_wait=reconcile_wait,
            repeated_pages=repeated_pages,
            max_requests=max_requests,
            progress=progress,
            session=session,
        )

    @shown_briefly
    @parameters_from(write.push)
    def schema(self, column_types: Mapping[str, str] | None = None, *, index: bool | None = None) -> pd.DataFrame:
        """Return the ClicData type of each column, without sending anything.

        Parameters
        ----------
        {column_types}
        {index}

        Returns
        -------
        DataFrame
            One row per column, with ``column``, ``dtype``, ``clicdata_type`` and ``note``. A column that would be
            refused has no type, and the note states the reason. A notebook and a terminal mark these columns, and show
            all notes in full. The column ``dtype`` holds the dtypes themselves, so that
            ``pd.read_clicdata(…, schema=…)`` can restore them.

        Raises
        ------
        FrameError
            Column names are missing or collide, or ``column_types`` names a column that the frame does not have.

        See Also
        --------
        ClicDataAccessor.push : Create a table with these types and send the rows.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.schema()["clicdata_type"].tolist()
        ['text', 'number']
        """
        return plan.schema_frame(ingest.as_source(self._frame, index=index, on_bad_values="raise"), column_types)
