"""Tables and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, get_args, overload

from pandas_clicdata import read
from pandas_clicdata._checks import check_choice, check_whole_number
from pandas_clicdata._display import Listing, counted
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import MultipleRows, RefreshMethod, RepeatedPages, Rows, TableId, TableLike, WriteResult
from pandas_clicdata.client import api
from pandas_clicdata.errors import AmbiguousWriteError, ClicDataError, NotFoundError, TableNotFoundError
from pandas_clicdata.read import read_clicdata
from pandas_clicdata.resources.base import Resource
from pandas_clicdata.resources.records import Output, checked_output, fetch_all, to_output
from pandas_clicdata.resources.requests import check_not_blank
from pandas_clicdata.session import client_of, resolve_session
from pandas_clicdata.write import append, delete_rows, push
from pandas_clicdata.write.delete import delete_matching, update_matching
from pandas_clicdata.write.options import RECONCILE_SECONDS, Options
from pandas_clicdata.write.push import create_table
from pandas_clicdata.write.results import reason_text

if TYPE_CHECKING:
    import pandas as pd

    from pandas_clicdata.session import Session


@parameters_from(Resource)
class Data(Resource):
    """The tables of an account: list, read, create, change and refresh them.

    Every ``rec_id`` can be the name of the table instead, or the receipt of a write to it.

    Parameters
    ----------
    {session}
    {**connection_params}

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> data = cd.Data()
    >>> rec_id = data.create_data("Crew", "Hours of the crew", {"who": "text", "hours": "number"})
    >>> receipt = data.append_data(rec_id, pd.DataFrame({"who": ["Ada", "Bob"], "hours": [7, 5]}))
    >>> receipt = data.update_data(rec_id, {"who": "Bob"}, {"hours": 6})
    >>> receipt = data.delete_data(rec_id, {"who": "Ada"})
    >>> data.get_data(rec_id)
       who  hours
    0  Bob      6
    """

    @overload
    def get_data(
        self,
        rec_id: TableId | None = ...,
        name: str | None = ...,
        unique_key_available: bool | None = ...,
        refresh: bool | None = ...,
        output: Literal["df"] = ...,
        *,
        repeated_pages: RepeatedPages = ...,
    ) -> pd.DataFrame: ...

    @overload
    def get_data(
        self,
        rec_id: TableId | None,
        name: str | None,
        unique_key_available: bool | None,
        refresh: bool | None,
        output: Literal["dict"],
        *,
        repeated_pages: RepeatedPages = ...,
    ) -> list[dict[str, Any]]: ...

    @overload
    def get_data(
        self,
        rec_id: TableId | None = ...,
        name: str | None = ...,
        unique_key_available: bool | None = ...,
        refresh: bool | None = ...,
        *,
        output: Literal["dict"],
        repeated_pages: RepeatedPages = ...,
    ) -> list[dict[str, Any]]: ...

    @parameters_from(read_clicdata)
    def get_data(
        self,
        rec_id: TableId | None = None,
        name: str | None = None,
        unique_key_available: bool | None = None,
        refresh: bool | None = None,
        output: Output = "df",
        *,
        repeated_pages: RepeatedPages = "check",
    ) -> pd.DataFrame | list[dict[str, Any]]:
        """Read all rows of a table, or list the tables.

        Parameters
        ----------
        rec_id : int, str or WriteResult, optional
            The RecId of the table to read, its name, or a receipt. Default: list the tables.
        name : str, optional
            List only the tables of this name. With a version that filters by name (2025.3 does not), the service
            decides which names match. With the others, upper and lower case are equal.
        unique_key_available : bool, optional
            List only the tables with a unique key, or only those without. Refused with the versions of the API that are
            not known to have this filter.
        refresh : bool, optional
            List only the tables that can be refreshed from a source, or only the others. Refused with the versions of
            the API that are not known to have this filter.
        output : {"df", "dict"}, default "df"
            Whether to return a DataFrame, or a list of dicts with the values as received. In the dicts, a number that a
            float cannot hold exactly is a ``Decimal``, which :mod:`json` does not encode by itself.
        {repeated_pages}

        Returns
        -------
        DataFrame or list of dict
            The rows of the table, in a DataFrame as :func:`read_clicdata` returns it. Without ``rec_id``, one row or
            dict per table, with ``rec_id``, ``name`` and all other fields that the service states.

        Raises
        ------
        IncompleteReadError
            Not all rows or tables were received. A part of them is never returned.
        TableNotFoundError
            No table has this RecId or name.
        TypeError, ValueError
            An argument is wrong, or a filter is passed together with ``rec_id``. Nothing was requested.

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
            filters = [option for option, value in {"name": name, **flags}.items() if value is not None]
            if filters:
                raise ValueError(
                    f"{filters[0]}= filters the list of tables, but rec_id= reads one table. Leave one of them out."
                )
            return self._rows(rec_id, None, output, repeated_pages)
        if name is not None:
            check_not_blank("name", name)
        for option, value in flags.items():
            if value is not None and not isinstance(value, bool):
                raise TypeError(f"{option}= must be True, False or None, not {value!r}.")
        listed = self._client.list_tables_named(name, **flags)
        return to_output("table", [table.fields for table in listed], output, columns=("rec_id", "name"))

    @overload
    def get_data_history(
        self,
        rec_id: TableId,
        ver_id: SupportsIndex | None = ...,
        output: Literal["df"] = ...,
        *,
        repeated_pages: RepeatedPages = ...,
    ) -> pd.DataFrame: ...

    @overload
    def get_data_history(
        self,
        rec_id: TableId,
        ver_id: SupportsIndex | None,
        output: Literal["dict"],
        *,
        repeated_pages: RepeatedPages = ...,
    ) -> list[dict[str, Any]]: ...

    @overload
    def get_data_history(
        self,
        rec_id: TableId,
        ver_id: SupportsIndex | None = ...,
        *,
        output: Literal["dict"],
        repeated_pages: RepeatedPages = ...,
    ) -> list[dict[str, Any]]: ...

    @parameters_from(get_data)
    def get_data_history(
        self,
        rec_id: TableId,
        ver_id: SupportsIndex | None = None,
        output: Output = "df",
        *,
        repeated_pages: RepeatedPages = "check",
    ) -> pd.DataFrame | list[dict[str, Any]]:
        """List the versions of a table, or read all rows of one version.

        Parameters
        ----------
        rec_id : int, str or WriteResult
            The RecId of the table, its name, or the receipt of a write to it.
        ver_id : int, optional
            The version to read. Default: list the versions.
        {output}
        {repeated_pages}

        Returns
        -------
        DataFrame or list of dict
            One row or dict per version, with all fields that the service states; in a DataFrame, also with the RecId of
            the table as ``data_rec_id``. With ``ver_id``, the rows of the version.

        Raises
        ------
        IncompleteReadError
            Not all versions or rows were received. A part of them is never returned.
        TableNotFoundError
            No table has this RecId or name, or it has no such version.
        TypeError, ValueError
            An argument is wrong. Nothing was requested.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"seats": [180]}).clicdata.push("Planes with versions")
        >>> versions = cd.Data().get_data_history("Planes with versions")
        >>> (versions["data_rec_id"] == receipt.rec_id).all().item()
        True
        >>> cd.Data().get_data_history("Planes with versions", ver_id=versions["version"].max())
           seats
        0    180
        """
        output = checked_output(output)
        checked = api.checked_table(rec_id)
        if ver_id is not None:
            return self._rows(rec_id, check_whole_number("ver_id", ver_id, least=0), output, repeated_pages)
        client = client_of(self._own, rec_id)
        table = client.find(checked)
        versions = fetch_all("version", lambda page: client.versions(table, page))
        if output == "df":
            versions = [{**version, "data_rec_id": table.rec_id} for version in versions]
        return to_output("version", versions, output, columns=("data_rec_id",))

    def create_data(
        self,
        name: str,
        description: str = "",
        cols: Mapping[Any, Any] | pd.Series[Any] | TableLike | None = None,
        *,
        desc: str | None = None,
    ) -> int:
        """Create a table without rows.

        Parameters
        ----------
        name : str
            The name of the table, which is unique in the account.
        description : str, default ""
            The description of the table.
        cols : dict, Series, DataFrame or pyarrow.Table
            The columns: a dict of name and ClicData type (``text``, ``number``, ``datetime``, ``date``, ``percentage``,
            ``checkbox``, ``dropdown``) or dtype; or ``df.dtypes``, in which ``object`` is text; or a DataFrame or Arrow
            table, whose values determine the types more exactly. No row is sent.
        desc : str, optional
            Another name of ``description``, as in clicdata-api-wrapper.

        Returns
        -------
        int
            The RecId of the table.

        Raises
        ------
        TableExistsError
            A table of this name exists.
        FrameError, TypeError
            A table cannot have these columns. Nothing was requested.
        AmbiguousWriteError
            The reply was lost, and it is unknown whether the table was created.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Data().create_data("Planes without rows", cols={"plane": "text", "seats": "int64"})
        >>> cd.Data().get_data(rec_id).columns.to_list()
        ['plane', 'seats']
        """
        if cols is None:
            raise TypeError("A table needs columns: cols={'flight': 'text', 'delay': 'number'}, or cols=df.dtypes.")
        return create_table(self._client, name, cols, _description(description, desc))

    @parameters_from(get_data_history)
    def append_data(self, rec_id: TableId, data: Rows, **options: Any) -> WriteResult:
        """Append rows to an existing table, each exactly once.

        Parameters
        ----------
        {rec_id}
        data : DataFrame, list of dict, iterable of DataFrame or object
            The rows, as for :func:`append`.
        **options
            The options of :func:`append`: ``on``, ``column_types``, ``index``, ``dry_run``, ``verify`` and others.

        Returns
        -------
        WriteResult
            The receipt.

        Raises
        ------
        TableNotFoundError
            No table has this RecId or name.
        FrameError
            A value or column cannot be sent as it is. Nothing was sent.
        RowsExistError
            With ``on=``: rows with keys of the frame are in the table already. Nothing was sent.
        IncompleteWriteError
            Not all rows are known to be in the table.
        ResumeError
            The token or the journal belongs to another write or frame, or is in use.

        See Also
        --------
        append : Append rows, with all options documented.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> rec_id = cd.Data().create_data("Planes appended", cols={"seats": "number"})
        >>> cd.Data().append_data(rec_id, pd.DataFrame({"seats": [180, 189]}), verify=True).status
        'verified'
        """
        # A script for the wrapper may append the same rows more than once.
        return append(data, rec_id, session=self._own, **{"journal": False, **options})

    @parameters_from(create_data, append_data)
    def create_and_append(
        self,
        name: str,
        description: str = "",
        data: Rows | None = None,
        *,
        desc: str | None = None,
        **options: Any,
    ) -> WriteResult:
        """Create a table from the columns of a frame and send its rows, each exactly once.

        Parameters
        ----------
        {name}
        {description}
        {data}
        {desc}
        **options
            The options of :func:`push`: ``if_exists``, ``on``, ``column_types``, ``index``, ``dry_run``, ``verify`` and
            others.

        Returns
        -------
        WriteResult
            The receipt, with the RecId of the table.

        Raises
        ------
        TableExistsError
            A table of this name exists, and ``if_exists="fail"``, which is the default.
        FrameError
            A value or column cannot be sent as it is. Nothing was sent.
        IncompleteWriteError
            Not all rows are known to be in the table.
        ResumeError
            The token or the journal belongs to another write or frame, or is in use.

        See Also
        --------
        push : Create a table and send rows, with all options documented.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> cd.Data().create_and_append("Routes", data=pd.DataFrame({"from": ["JFK"], "to": ["LAX"]})).sent
        1
        """
        if data is None:
            raise TypeError("data= is missing. Pass the frame with the rows, or call create_data for an empty table.")
        return push(data, name, description=_description(description, desc), session=self.session, **options)

    static_send_data = create_and_append

    @parameters_from(get_data_history)
    def rebuild_data(self, rec_id: TableId, method: RefreshMethod = "reload") -> dict[str, Any]:
        r"""Start a refresh of a table from its source.

        Parameters
        ----------
        {rec_id}
        method : {"reload", "recreate", "update", "append", "updateappend"}, default "reload"
            ``reload`` deletes the rows and loads those of the source. ``recreate`` also creates the columns again.
            ``append`` appends the rows of the source. ``update`` updates the rows whose unique key is in the source.
            ``updateappend`` does the same and appends the other rows of the source.

        Returns
        -------
        dict
            The fields that the service states. The refresh may still be running.

        Raises
        ------
        TableNotFoundError
            No table has this RecId or name.
        ApiError
            The service refused the request, for example because the table has no source.
        AmbiguousWriteError
            The reply was lost, so it is unknown whether the table was refreshed. "append" and "updateappend" were not
            sent again, because that could append the rows twice.
        TypeError, ValueError
            An argument is wrong. Nothing was requested.

        Examples
        --------
        >>> from pandas_clicdata import Data
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.connect() as session:
        ...     sandbox.put_source("planes.csv", "seats\n180\n")
        ...     rec_id = sandbox.feed("Planes from a file", "planes.csv")
        ...     sandbox.put_source("planes.csv", "seats\n180\n189\n")
        ...     reply = Data(session).rebuild_data(rec_id)
        ...     len(Data(session).get_data(rec_id))
        2
        """
        checked = api.checked_table(rec_id)
        method = check_choice("method", method, get_args(RefreshMethod))
        client = client_of(self._own, rec_id)
        table = client.find(checked)
        try:
            return client.refresh(table.rec_id, method)
        except NotFoundError as exc:
            raise TableNotFoundError(f"There is no table {table.label} to refresh. {exc}", operation="refresh") from exc
        except ClicDataError as exc:
            if not exc.ambiguous:
                raise
            advice = (
                "The request was not repeated, because that could append the rows twice. Check the table first."
                if method in ("append", "updateappend")
                else "Repeating the call is harmless."
            )
            raise AmbiguousWriteError(
                f"It is unknown whether table {table.label} was refreshed ({method}). {advice} {reason_text(exc)}",
                rec_id=table.rec_id,
                name=table.name,
                operation="refresh",
                ambiguous=True,
            ) from exc

    @parameters_from(get_data_history, delete_rows)
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
        """Delete the rows that match all filters.

        Parameters
        ----------
        {rec_id}
        filters : dict
            Columns, and the value that each must have: text, a number, a boolean, a date or a datetime. A row matches
            if it has all these values. None is refused, because it is unknown which rows it would match.
        multiple_rows : {"all", "first"}, default "all"
            Whether to take all rows that match, or only the first one, which the service chooses.
        {dry_run}
        {max_rows}
        {reconcile_wait}
        {repeated_pages}

        Returns
        -------
        WriteResult
            The receipt. Its status is ``unverified``, because the service does not state how many rows it deleted.
            With ``dry_run`` or ``max_rows``, ``matched`` is the number of rows that matched before.

        Raises
        ------
        TableNotFoundError
            No table has this RecId or name.
        FrameError
            The table lacks a column of the filters, or the value does not have its type. Nothing was deleted.
        TooManyRowsError
            More than ``max_rows`` rows match. Nothing was deleted.
        AmbiguousWriteError
            The reply was lost, so it is unknown whether rows were deleted. "first" was not sent again, because that
            could delete another row.
        TypeError, ValueError
            An argument is wrong. Nothing was requested.

        See Also
        --------
        delete_rows : Delete the rows that equal the rows of a frame in some columns.

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
        options = Options(dry_run=dry_run, reconcile_wait=reconcile_wait, repeated_pages=repeated_pages)
        return delete_matching(resolve_session(self._own, rec_id), rec_id, filters, multiple_rows, max_rows, options)

    @parameters_from(delete_data)
    def update_data(
        self,
        rec_id: TableId,
        filters: Mapping[str, Any],
        values: Mapping[str, Any],
        multiple_rows: MultipleRows = "all",
        *,
        reconcile_wait: float = RECONCILE_SECONDS,
    ) -> WriteResult:
        """Set values in the rows that match all filters.

        Parameters
        ----------
        {rec_id}
        {filters}
        values : dict
            Columns and their new values. None empties a cell. A column can be in ``filters``, too.
        {multiple_rows}
        {reconcile_wait}

        Returns
        -------
        WriteResult
            The receipt. Its status is ``unverified``, because the service does not state how many rows it changed.

        Raises
        ------
        TableNotFoundError
            No table has this RecId or name.
        FrameError
            The table lacks a column of the filters or values, or a value does not have its type. Nothing was changed.
        AmbiguousWriteError
            The reply was lost, so it is unknown whether rows were changed. "first" was not sent again, because that
            could change another row.
        TypeError, ValueError
            An argument is wrong. Nothing was requested.

        See Also
        --------
        update_rows : Update the rows that equal the rows of a frame in some columns.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"plane": ["A320", "B738"], "seats": [180, 189]}).clicdata.push("Planes changed")
        >>> receipt = cd.Data().update_data("Planes changed", {"plane": "A320"}, {"seats": 174})
        >>> cd.Data().get_data("Planes changed")["seats"].to_list()
        [174, 189]
        """
        options = Options(reconcile_wait=reconcile_wait)
        return update_matching(resolve_session(self._own, rec_id), rec_id, filters, values, multiple_rows, options)

    def _rows(
        self, table: TableId, version: int | None, output: Output, repeated_pages: RepeatedPages
    ) -> pd.DataFrame | list[dict[str, Any]]:
        if output == "dict":
            checked = api.checked_table(table)
            pages = read.pages(client_of(self._own, table), checked, version, repeated_pages=repeated_pages)
            return [dict(row) for page in pages for row in page]
        return read_clicdata(table, version=version, repeated_pages=repeated_pages, session=self._own)


def _description(description: str, desc: str | None) -> str:
    """Return the description, which is passed under one of two names.

    Raises
    ------
    TypeError
        Both are passed.
    """
    if desc is None:
        return description
    if description:
        raise TypeError("desc= is another name of description=. Pass one of them.")
    return desc


@shown_briefly
@parameters_from(read_clicdata)
def tables(name: str | None = None, *, session: Session | None = None) -> pd.DataFrame:
    """List the tables, or those whose name contains a text.

    Parameters
    ----------
    name : str, optional
        A part of the names to list. Upper and lower case are equal. Default: list all tables.
    {session}

    Returns
    -------
    DataFrame
        One row per table, with ``rec_id``, ``name`` and all other fields that the service states. Datetimes are in UTC.

    Raises
    ------
    IncompleteReadError
        Not all tables were received. A part of the list is never returned.
    TypeError
        ``name`` is not text. Nothing was requested.

    See Also
    --------
    columns : List the columns of a table.
    Data.get_data : List only the tables of a name, or with a unique key, or read one.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180]}).clicdata.push("Planes in the list")
    >>> tables = cd.tables().set_index("name")
    >>> tables.loc["Planes in the list", "rec_id"].item() == receipt.rec_id
    True
    >>> cd.tables("IN THE LIST")["name"].tolist()
    ['Planes in the list']
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"tables() takes a part of the name of the tables, which is text, not {name!r}.")
    listed = Data(session).get_data()
    if name is None:
        return listed
    wanted = name.casefold()
    found = listed[[wanted in str(each).casefold() for each in listed["name"]]].reset_index(drop=True)
    return Listing.of(found, f'{counted(len(found), "table")} with "{name}" in the name, of {len(listed):,}')


@shown_briefly
@parameters_from(read_clicdata)
def versions(table: TableId, *, session: Session | None = None) -> pd.DataFrame:
    """List the versions of a table.

    Parameters
    ----------
    {table}
    {session}

    Returns
    -------
    DataFrame
        One row per version, with all fields that the service states, and the RecId of the table as ``data_rec_id``.

    Raises
    ------
    TableNotFoundError
        No table has this RecId or name.
    IncompleteReadError
        Not all versions were received. A part of the list is never returned.

    See Also
    --------
    read_clicdata : Read one version, with ``version=``.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> df = pd.DataFrame({"seats": [180]})
    >>> receipt = df.clicdata.push("Planes then")
    >>> more = pd.DataFrame({"seats": [189]}).clicdata.append("Planes then")
    >>> [len(pd.read_clicdata("Planes then", version=version)) for version in cd.versions("Planes then")["version"]]
    [0, 1, 2]
    """
    return Data(session).get_data_history(table)


@shown_briefly
@parameters_from(read_clicdata, Data.rebuild_data)
def refresh(table: TableId, method: RefreshMethod = "reload", *, session: Session | None = None) -> dict[str, Any]:
    r"""Start a refresh of a table from its source.

    Parameters
    ----------
    {table}
    {method}
    {session}

    Returns
    -------
    dict
        The fields that the service states. The refresh may still be running.

    Raises
    ------
    TableNotFoundError
        No table has this RecId or name.
    ApiError
        The service refused the request, for example because the table has no source.
    AmbiguousWriteError
        The reply was lost, so it is unknown whether the table was refreshed. "append" and "updateappend" were not sent
        again, because that could append the rows twice.
    TypeError, ValueError
        An argument is wrong. Nothing was requested.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox, sandbox.connect():
    ...     sandbox.put_source("planes.csv", "seats\n180\n")
    ...     rec_id = sandbox.feed("Planes from a file", "planes.csv")
    ...     sandbox.put_source("planes.csv", "seats\n180\n189\n")
    ...     reply = cd.refresh("Planes from a file")
    ...     len(cd.read_clicdata("Planes from a file"))
    2
    """
    return Data(session).rebuild_data(table, method)
