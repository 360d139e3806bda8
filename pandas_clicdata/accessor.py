"""``df.clicdata``: a signature, a docstring and one call each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from pandas_clicdata import schema, writing
from pandas_clicdata.writing import BATCH_ROWS

if TYPE_CHECKING:
    from pandas_clicdata.display import Progress
    from pandas_clicdata.models import WriteResult
    from pandas_clicdata.session import Session
    from pandas_clicdata.writing import IfExists, Table


class ClicDataAccessor:
    """Send a DataFrame to ClicData: ``df.clicdata.push(…)``, ``.append(…)``, ``.delete_rows(…)``, ``.schema()``.

    Parameters
    ----------
    frame : DataFrame
        The frame whose ``.clicdata`` this is.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __repr__(self) -> str:
        rows, columns = self._frame.shape
        return f"<df.clicdata of {rows:,} rows, {columns:,} columns: push, append, delete_rows, schema>"

    def push(
        self,
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
        """Make a table from the columns' dtypes and send the rows: each of them once.

        Whatever can be refused is refused before the first request: names that collide, a dtype without a ClicData
        type, a value that cannot be sent exactly.

        Parameters
        ----------
        name : str
            The table's name, unique in the account (S).
        if_exists : {"fail", "append"}, default "fail"
            What to do if the table is there: refuse, or add the rows to it.
        columns : dict of str to str, optional
            ClicData types for some columns or all: ``text``, ``number``, ``datetime``, ``date``, ``percentage``,
            ``checkbox``, ``dropdown`` (P). One that would lose a value is refused.
        index : bool, default False
            Send the index too, as columns named as ``reset_index`` names them.
        description : str, default ""
            The new table's description.
        dry_run : bool, default False
            Send nothing that changes anything; the receipt tells what would be sent.
        batch_size : int, default 500
            Rows a request; the service takes no more than 500 (P).
        workers : int, default 1
            Requests on the wire at once. With more than one the rows arrive in no certain order.
        progress : bool or callable, optional
            True shows a bar; a callable gets (rows so far, rows in all or None).
        session : Session, optional
            Another account than that of :func:`connect`.

        Returns
        -------
        WriteResult
            The receipt, with the RecId and the counts. Its status is ``confirmed`` where the service counted every
            row, ``unverified`` where its dialect has no counts.

        Raises
        ------
        TableExistsError
            There is such a table, and ``if_exists="fail"``.
        FrameError
            The data cannot be sent as it is; nothing was sent.
        ColumnMismatchError
            When appending: the columns are not the table's.
        AmbiguousWriteError
            A reply was lost, so the fate of some rows is unknown. They are not sent again: ``confirmed``, ``unknown``
            and ``unsent`` say which rows are which.
        PartialWriteError
            The service counted other rows than were sent.
        IncompleteWriteError
            The service refused rows, and it is known which.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "delay": [2, 4]})
        >>> receipt = df.clicdata.push("Flights pushed")
        >>> receipt.sent, receipt.status
        (2, 'confirmed')
        """
        return writing.push(
            self._frame,
            name,
            if_exists=if_exists,
            columns=columns,
            index=index,
            description=description,
            dry_run=dry_run,
            batch_size=batch_size,
            workers=workers,
            progress=progress,
            session=session,
        )

    def append(
        self,
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
        """Send the rows to a table that is there: each of them once.

        Columns are matched by name, whatever their order.

        Parameters
        ----------
        table : int or str
            The table's RecId, or its name.
        columns, index, dry_run, batch_size, workers, progress, session
            As in :meth:`push`.

        Returns
        -------
        WriteResult
            The receipt.

        Raises
        ------
        TableNotFoundError
            There is no table of this RecId or name.
        ColumnMismatchError
            Columns are missing, extra, or of another type; the message holds the difference.
        FrameError, AmbiguousWriteError, PartialWriteError, IncompleteWriteError
            As in :meth:`push`.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.push("Flights appended to")
        >>> pd.DataFrame({"delay": [4], "flight": ["UA1714"]}).clicdata.append("Flights appended to").sent
        1
        """
        return writing.append(
            self._frame,
            table,
            columns=columns,
            index=index,
            dry_run=dry_run,
            batch_size=batch_size,
            workers=workers,
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
        workers: int = 1,
        progress: bool | Progress | None = None,
        session: Session | None = None,
    ) -> WriteResult:
        """Delete the table's rows that equal this frame's rows in the ``on`` columns.

        One request goes out for each combination of keys. A key that no row has deletes nothing; a lost reply is
        answered by asking again, for what is deleted is no longer found.

        Parameters
        ----------
        table : int or str
            The table's RecId, or its name.
        on : str or list of str
            The columns that must be equal, all of them. Only these of the frame's columns count.
        index : bool, default False
            Let the index's levels be columns too.
        dry_run : bool, default False
            Delete nothing; the receipt tells how many requests would go out.
        workers, progress, session
            As in :meth:`push`.

        Returns
        -------
        WriteResult
            The receipt. The service does not say how many rows it deleted, so its status is ``unverified``.

        Raises
        ------
        TableNotFoundError
            There is no table of this RecId or name.
        FrameError
            The frame has no rows or lacks an ``on`` column, ``on`` is empty, or a key is missing in some row: what an
            empty condition deletes is not known.
        ColumnMismatchError
            The table lacks an ``on`` column, or has it in another type.
        IncompleteWriteError
            Some deletions failed; ``confirmed``, ``unknown`` and ``unsent`` say for which rows of the frame.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> df = pd.DataFrame({"flight": ["UA1545", "UA1714"], "day": [1, 1]})
        >>> receipt = df.clicdata.push("Flights to go")
        >>> df.head(1).clicdata.delete_rows("Flights to go", on=["flight", "day"]).batches
        1
        >>> list(pd.read_clicdata("Flights to go")["flight"])
        ['UA1714']
        """
        return writing.delete_rows(
            self._frame,
            table,
            on=on,
            index=index,
            dry_run=dry_run,
            workers=workers,
            progress=progress,
            session=session,
        )

    def schema(self, columns: Mapping[str, str] | None = None, *, index: bool = False) -> pd.DataFrame:
        """Tell what each column would become, without sending anything.

        Parameters
        ----------
        columns, index
            As in :meth:`push`.

        Returns
        -------
        DataFrame
            A row a column: ``column``, ``dtype``, ``clicdata_type`` and ``note``. A column that would be refused has no
            type, and the note says why.

        Raises
        ------
        FrameError
            Names that are missing or collide, or ``columns`` names what is not there.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.schema()["clicdata_type"].tolist()
        ['text', 'number']
        """
        return schema.schema_frame(schema.enter(self._frame, index=index), columns)
