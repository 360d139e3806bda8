"""Tables and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsIndex

from pandas_clicdata import read, write
from pandas_clicdata._checks import whole_number
from pandas_clicdata._models import MultipleRows, RefreshMethod, RepeatedPages, TableId, TableLike, WriteResult
from pandas_clicdata.client import api
from pandas_clicdata.read import read_clicdata
from pandas_clicdata.resources.base import Resource, described, required_text
from pandas_clicdata.resources.records import Output, as_output, checked_output, everything
from pandas_clicdata.write.delete import delete_matching, update_matching
from pandas_clicdata.write.options import RECONCILE_SECONDS
from pandas_clicdata.write.push import create_table
from pandas_clicdata.write.refresh import refresh_table


class Data(Resource):
    """The account's tables: list them, read them, make them, and write to them.

    Wherever a ``rec_id`` is asked for, the table's name will do.

    Parameters
    ----------
    session : Session, optional
        The account. Default: that of :func:`connect`, looked up at each use.
    **connection_params
        As for :class:`Session`, for a session of its own instead.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> data = cd.Data()
    >>> rec_id = data.create_data("Crew", "Who flies", {"who": "text", "hours": "number"})
    >>> receipt = data.append_data(rec_id, pd.DataFrame({"who": ["Ada", "Bob"], "hours": [7, 5]}))
    >>> receipt = data.update_data(rec_id, {"who": "Bob"}, {"hours": 6})
    >>> receipt = data.delete_data(rec_id, {"who": "Ada"})
    >>> data.get_data(rec_id)
       who  hours
    0  Bob      6
    >>> data.create_and_append("Routes", data=pd.DataFrame({"from": ["JFK"], "to": ["LAX"]})).sent
    1
    """

    def get_data(
        self,
        rec_id: TableId | None = None,
        name: str | None = None,
        unique_key_available: bool | None = None,
        refresh: bool | None = None,
        output: Output = "df",
        *,
        repeated_pages: RepeatedPages = "check",
    ) -> Any:
        """Read a table, whole or not at all (S P); or, without ``rec_id``, list the tables (O).

        Parameters
        ----------
        rec_id : int or str, optional
            The RecId of the table to read, or its name.
        name : str, optional
            List only the tables that the service finds by this name (P). Where it takes no such filter (2025.3), those
            of this name, also in another case.
        unique_key_available, refresh : bool, optional
            List only the tables that have, or do not have, a unique key or something to refresh them from (P). Only the
            API without versions is known to take these.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts with the values as they came: a number that a float would not give back as
            ``Decimal``, which :mod:`json` does not write by itself.
        repeated_pages : {"check", "accept"}, default "check"
            As in :func:`read_clicdata`.

        Returns
        -------
        DataFrame or list of dict
            The rows, as :func:`read_clicdata` reads them; or an entry for each table.

        Raises
        ------
        IncompleteReadError
            The rows or tables received are not all of them. A part is never returned.
        TableNotFoundError
            There is no such table.
        TypeError, ValueError
            An argument is not what it should be, or a filter is given for a table that is to be read, or one that the
            API with versions is not known to take.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"code": ["00123"]}).clicdata.push("Planes listed")
        >>> cd.Data().get_data("Planes listed", output="dict")
        [{'code': '00123'}]
        >>> cd.Data().get_data(name="Planes listed")["rec_id"].item() == receipt.rec_id
        True
        """
        output = checked_output(output)
        flags = {"unique_key_available": unique_key_available, "refresh": refresh}
        if rec_id is not None:
            chosen = [option for option, value in {"name": name, **flags}.items() if value is not None]
            if chosen:
                raise ValueError(f"{chosen[0]}= chooses among tables that are listed; rec_id= reads one. Give one.")
            return self._rows(rec_id, None, output, repeated_pages)
        if name is not None:
            required_text("name", name)
        for option, value in flags.items():
            if value is not None and not isinstance(value, bool):
                raise TypeError(f"{option}= is True, False or None, not {value!r}.")
        listed = self._client.list_tables_named(name, **flags)
        return as_output([table.fields for table in listed], output, columns=("rec_id", "name"))

    def get_data_history(
        self,
        rec_id: TableId,
        ver_id: SupportsIndex | None = None,
        output: Output = "df",
        *,
        repeated_pages: RepeatedPages = "check",
    ) -> Any:
        """List the versions of a table (S P), or read one of them, whole or not at all.

        Parameters
        ----------
        rec_id : int or str
            The table's RecId, or its name.
        ver_id : int, optional
            The version to read.
        output : {"df", "dict"}, default "df"
            A DataFrame, or a list of dicts as they came. In a frame of versions, ``data_rec_id`` is the table's RecId.
        repeated_pages : {"check", "accept"}, default "check"
            As in :func:`read_clicdata`, for a version that is read.

        Returns
        -------
        DataFrame or list of dict

        Raises
        ------
        IncompleteReadError
            The versions or rows received are not all of them.
        TableNotFoundError
            There is no such table, or no such version of it.
        TypeError, ValueError
            An argument is not what it should be; nothing was requested.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"seats": [180]}).clicdata.push("Planes of old")
        >>> versions = cd.Data().get_data_history("Planes of old")
        >>> (versions["data_rec_id"] == receipt.rec_id).all().item()
        True
        >>> cd.Data().get_data_history("Planes of old", ver_id=versions["version"].max())
           seats
        0    180
        """
        output = checked_output(output)
        meant = api.checked_table(rec_id)
        if ver_id is not None:
            return self._rows(meant, whole_number("ver_id", ver_id, least=0), output, repeated_pages)
        client = self._client
        table = client.find(meant)
        versions = everything("version", lambda page: client.versions(table, page))
        if output == "dict":
            return as_output(versions, output)
        listed = [{**version, "data_rec_id": table.rec_id} for version in versions]
        return as_output(listed, output, columns=("data_rec_id",))

    def create_data(self, name: str, description: str = "", cols: object = None, *, desc: str | None = None) -> int:
        """Make a table without rows (O P).

        Parameters
        ----------
        name : str
            Its name, which no other table of the account has.
        description : str, default ""
            What the table holds.
        cols : dict, Series, DataFrame or pyarrow.Table
            Its columns: a dict of name and ClicData type (text, number, datetime, date, percentage, checkbox,
            dropdown), or of name and dtype; or ``df.dtypes``, where ``object`` is text; or a frame or Arrow table,
            whose values tell more. No row is sent.
        desc : str, optional
            Another name of ``description`` (S).

        Returns
        -------
        int
            The table's RecId.

        Raises
        ------
        TableExistsError
            There is a table of this name.
        FrameError, TypeError
            The columns are none that a table can have; nothing was requested.
        AmbiguousWriteError
            The reply was lost, and whether the table was made could not be found out.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Data().create_data("Planes to come", cols={"plane": "text", "seats": "int64"})
        >>> cd.Data().get_data(rec_id).columns.to_list()
        ['plane', 'seats']
        """
        if cols is None:
            raise TypeError("A table needs columns: cols={'flight': 'text', 'delay': 'number'}, or cols=df.dtypes.")
        return create_table(self._client, name, cols, described(description, desc))

    def append_data(self, rec_id: TableId, data: TableLike, **options: Any) -> WriteResult:
        """Send rows to a table that is there: each of them once (S P).

        Parameters
        ----------
        rec_id : int or str
            The table's RecId, or its name.
        data : DataFrame, pyarrow.Table or object
            The rows, as for :func:`append`.
        **options
            As for :func:`append`: ``on``, ``column_types``, ``index``, ``dry_run``, ``verify`` and others.

        Returns
        -------
        WriteResult
            The receipt.

        Raises
        ------
        TableNotFoundError, FrameError, RowsExistError, IncompleteWriteError, ResumeError
            As in :func:`append`.
        """
        return write.append(data, rec_id, session=self.session, **options)

    def create_and_append(
        self,
        name: str,
        description: str = "",
        data: TableLike | None = None,
        *,
        desc: str | None = None,
        **options: Any,
    ) -> WriteResult:
        """Make a table from the columns of a frame and send its rows: each of them once (S).

        Parameters
        ----------
        name : str
            The table's name.
        description : str, default ""
            What the table holds.
        data : DataFrame, pyarrow.Table or object
            The rows, as for :func:`push`.
        desc : str, optional
            Another name of ``description`` (S).
        **options
            As for :func:`push`: ``if_exists``, ``on``, ``column_types``, ``index``, ``dry_run``, ``verify`` and others.

        Returns
        -------
        WriteResult
            The receipt, with the RecId.

        Raises
        ------
        TableExistsError, FrameError, IncompleteWriteError, ResumeError
            As in :func:`push`.
        """
        if data is None:
            raise TypeError("data= is the frame whose rows are sent. Without rows, create_data makes a table.")
        description = described(description, desc)
        return write.push(data, name, description=description, session=self.session, **options)

    static_send_data = create_and_append

    def rebuild_data(self, rec_id: TableId, method: RefreshMethod = "reload") -> dict[str, Any]:
        """Ask the service to fill a table anew from its source (S P).

        Parameters
        ----------
        rec_id : int or str
            The table's RecId, or its name.
        method : {"reload", "recreate", "update", "append", "updateappend"}, default "reload"
            ``reload``: empty it and load its rows again. ``recreate``: make its columns anew as well. ``append``: add
            the rows of the source. ``update``: change the rows whose unique key the source has. ``updateappend``: and
            add the others.

        Returns
        -------
        dict
            What the service says. It may still be at work then.

        Raises
        ------
        TableNotFoundError
            There is no such table.
        ApiError
            The service refuses, for example because the table has no source.
        AmbiguousWriteError
            The reply was lost. "append" and "updateappend" were not asked for again then, for rows could come twice.
        TypeError, ValueError
            An argument is not what it should be; nothing was requested.
        """
        return refresh_table(self._client, rec_id, method)

    def delete_data(
        self,
        rec_id: TableId,
        filters: Mapping[str, Any],
        multiple_rows: MultipleRows = "all",
        *,
        dry_run: bool = False,
        max_rows: SupportsIndex | None = None,
        reconcile_wait: float = RECONCILE_SECONDS,
        repeated_pages: RepeatedPages = "check",
    ) -> WriteResult:
        """Delete the rows that have these values, all of them (S P).

        Parameters
        ----------
        rec_id : int or str
            The table's RecId, or its name.
        filters : dict
            Columns and the value that each must have: text, a number, True, False, a date, a datetime. None is no
            value, for what it would match is not known. What goes is what equals every one of them.
        multiple_rows : {"all", "first"}, default "all"
            Whether all rows that match go, or only the first, which the service chooses.
        dry_run : bool, default False
            Look only: ``matched`` says how many rows match and ``preview`` shows them.
        max_rows : int, optional
            Refuse if more rows match.
        reconcile_wait : float, default 60
            Seconds to wait at the end where a request was tried again: its first try may be carried out late, and
            would take rows that you send meanwhile.
        repeated_pages : {"check", "accept"}, default "check"
            As in :func:`read_clicdata`, where ``dry_run`` or ``max_rows`` reads the table.

        Returns
        -------
        WriteResult
            The receipt. The service does not say how many rows it deleted: ``matched`` does, where it was looked up.

        Raises
        ------
        TableNotFoundError, FrameError
            There is no such table, or a filter is none of it; nothing was deleted.
        TooManyRowsError
            More than ``max_rows`` match; nothing was deleted.
        AmbiguousWriteError
            The reply was lost. "first" was not asked for again then, for it could take another row.
        TypeError, ValueError
            An argument is not what it should be; nothing was requested.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"plane": ["A320", "B738"], "seats": [180, 189]}).clicdata.push("Planes kept")
        >>> cd.Data().delete_data("Planes kept", {"plane": "A320"}, max_rows=1).matched
        1
        >>> cd.Data().get_data("Planes kept")["plane"].to_list()
        ['B738']
        """
        return delete_matching(
            self._client,
            rec_id,
            filters,
            multiple_rows,
            dry_run=dry_run,
            max_rows=max_rows,
            reconcile_wait=reconcile_wait,
            repeated_pages=repeated_pages,
        )

    def update_data(
        self,
        rec_id: TableId,
        filters: Mapping[str, Any],
        values: Mapping[str, Any],
        multiple_rows: MultipleRows = "all",
        *,
        reconcile_wait: float = RECONCILE_SECONDS,
    ) -> WriteResult:
        """Give new values to the rows that have these values now, all of them (S; its body A).

        Parameters
        ----------
        rec_id : int or str
            The table's RecId, or its name.
        filters : dict
            Columns and the value that each must have, as in :meth:`delete_data`.
        values : dict
            Columns and their new values; None empties a cell. A column of the filters can be among them.
        multiple_rows : {"all", "first"}, default "all"
            Whether all rows that match are changed, or only the first, which the service chooses.
        reconcile_wait : float, default 60
            As in :meth:`delete_data`.

        Returns
        -------
        WriteResult
            The receipt. The service does not say how many rows it changed.

        Raises
        ------
        TableNotFoundError, FrameError
            There is no such table, or a filter or value is none of it; nothing was changed.
        AmbiguousWriteError
            The reply was lost. "first" was not asked for again then, for it could change another row.
        TypeError, ValueError
            An argument is not what it should be; nothing was requested.
        """
        return update_matching(self._client, rec_id, filters, values, multiple_rows, reconcile_wait=reconcile_wait)

    def _rows(self, table: TableId, version: int | None, output: Output, repeated_pages: RepeatedPages) -> Any:
        if output == "dict":
            meant = api.checked_table(table)
            pages = read.pages(self._client, meant, version, repeated_pages=repeated_pages)
            return [dict(row) for page in pages for row in page]
        return read_clicdata(table, version=version, repeated_pages=repeated_pages, session=self.session)
