"""``read_clicdata`` and ``read_clicdata_batches``: walk the pages, prove them complete, hand out frames or Arrow."""

from __future__ import annotations

import hashlib
import marshal
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, SupportsIndex, get_args, overload

import pandas as pd
import pyarrow as pa

from pandas_clicdata._checks import did_you_mean, one_of, whole_number
from pandas_clicdata._display import Progress, ProgressBar
from pandas_clicdata._models import ROW_ID_TYPES, ColumnType, Decoded, Kind, Page, RepeatedPages, TableRef
from pandas_clicdata._threads import started
from pandas_clicdata.client import api
from pandas_clicdata.errors import (
    ClicDataError,
    ColumnNotFoundError,
    IncompleteReadError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from pandas_clicdata.session import resolved
from pandas_clicdata.types import infer, recast, row_codec, to_pandas
from pandas_clicdata.types.to_pandas import DtypeBackend

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)
_PAGE_BEYOND_ALL = 1_000_000
"""No table has this page; a larger number may be beyond what a service counts rows with."""


@dataclass(frozen=True, kw_only=True)
class ReadRequest:
    """What is to be read.

    Attributes
    ----------
    table : object
        RecId or name, as the user gave it.
    version : int or None
        An old version of the table.
    columns : sequence of str or None
        The columns wanted, in this order.
    limit : int or None
        Rows at most.
    dtype_of : callable
        From a column's name to the dtype that the user asked for, or None.
    progress : bool, callable or None
        Where to tell how far the read is.
    repeated_pages : {"check", "accept"}
        Whether a page with the rows of an earlier one fails the read where the service does not confirm it.
    on_repeated : callable or None
        Called with the number of each page that has the rows of an earlier one and does not fail the read.
    call : str
        How the user's call begins, for an error that shows what to add to it.

    Raises
    ------
    ValueError
        ``repeated_pages`` is neither.
    """

    table: object
    version: int | None = None
    columns: Sequence[str] | None = None
    limit: int | None = None
    dtype_of: Callable[[str], Any]
    progress: bool | Progress | None = None
    repeated_pages: RepeatedPages = "check"
    on_repeated: Callable[[int], object] | None = None
    call: str = ""

    def __post_init__(self) -> None:
        one_of("repeated_pages", self.repeated_pages, get_args(RepeatedPages))


def read(session: Session | None, request: ReadRequest) -> tuple[dict[str, infer.Settled], int]:
    """Read a whole table, or its first rows, and return its columns and how many rows they have.

    Raises
    ------
    IncompleteReadError
        The rows received are not the whole table.
    TableNotFoundError, ColumnNotFoundError
        There is no such table, version or column.
    """
    walk = _Walk(session, request)
    # Also where no row is wanted, the first page tells the columns.
    names = row_codec.names_in(walk.first.rows, list(walk.declared))
    pieces: list[tuple[dict[str, Decoded], int]] = []
    with closing(walk.pages()) as pages:
        for page_rows in pages:
            names = row_codec.names_in(page_rows, names)
            pieces.append((walk.decoded(page_rows, walk.wanted(names)), len(page_rows)))
    selected = walk.selected(names)
    columns = {}
    for name in selected:
        parts = [page[name] if name in page else _nulls(count) for page, count in pieces]
        column = row_codec.unify(parts, name, mixed_as_text=walk.takes_text(name))
        columns[name] = infer.settle(column, walk.declared.get(name, ""), request.dtype_of(name))
    return columns, sum(count for _, count in pieces)


def stream(session: Session | None, request: ReadRequest) -> pa.RecordBatchReader:
    """Read a table page by page; the first page fixes each column's type.

    Raises
    ------
    IncompleteReadError
        While it is consumed: the rows received are not the whole table, or do not go into the types of the first
        page.
    """
    walk = _Walk(session, request)
    selected = walk.selected(row_codec.names_in(walk.first.rows, list(walk.declared)))
    first = walk.decoded(walk.first.rows, selected)
    arrow_schema = pa.schema(
        [
            (name, infer.fixed_type(first[name], walk.declared.get(name, ""), request.dtype_of(name)))
            for name in selected
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        with closing(walk.pages()) as pages:
            for page_rows in pages:
                unknown = [] if request.columns is not None else _beyond(page_rows, selected, walk.hidden)
                if unknown:
                    raise IncompleteReadError(
                        f"Column {unknown[0]!r} appears after the first page of {walk.table.label}, whose columns a"
                        " stream keeps. Read the table whole, without chunksize=.",
                        rec_id=walk.table.rec_id,
                    )
                decoded = walk.decoded(page_rows, selected)
                arrays = [walk.conformed(decoded[field.name], field) for field in arrow_schema]
                if arrays:
                    yield pa.RecordBatch.from_arrays(arrays, schema=arrow_schema)
                else:
                    yield pa.RecordBatch.from_struct_array(pa.array([{}] * len(page_rows), pa.struct([])))

    return pa.RecordBatchReader.from_batches(arrow_schema, batches())


def pages(
    session: Session,
    table: int | str,
    version: int | None = None,
    *,
    repeated_pages: RepeatedPages = "check",
    on_repeated: Callable[[int], object] | None = None,
) -> Generator[Sequence[Mapping[str, Any]], None, None]:
    """Yield the rows of a whole table or version as they came, page by page, with the same checks as a read.

    Raises
    ------
    IncompleteReadError
        At the latest in the end: they were not the whole table.
    """
    request = ReadRequest(
        table=table,
        version=version,
        dtype_of=lambda name: None,
        repeated_pages=repeated_pages,
        on_repeated=on_repeated,
    )
    yield from _Walk(session, request).pages()


def pages_backwards(
    session: Session, table: TableRef, last: int, rows_in_all: int
) -> Generator[Sequence[Mapping[str, Any]], None, None]:
    """Yield the pages of a table that was read once already, from the last to the first.

    A fault that depends on the order of requests, as that of a cache does, gives other rows this way.

    Parameters
    ----------
    session : Session
        Whose table it is.
    table : TableRef
        The table.
    last : int
        The number of its last page that has rows.
    rows_in_all : int
        How many rows it had when it was read.

    Raises
    ------
    IncompleteReadError
        A page failed or is another than was asked for, the service counts other rows, or more pages follow now.
    """
    ahead = _Ahead(lambda number: api.read_page(session, table.rec_id, number))
    received = 0

    def wrong(why: str, number: int) -> IncompleteReadError:
        why = f"it was read once more, from the last page to the first, and {why}"
        return _incomplete(table, why, number, received, rows_in_all)

    def arrived(coming: Callable[[], Page], number: int) -> Page:
        try:
            return coming()
        except ClicDataError as exc:
            raise wrong(f"page {number} could not be read. {exc}", number) from exc

    try:
        coming = ahead.ask(last)
        for number in range(last, 0, -1):
            page = arrived(coming, number)
            if page.number is not None and page.number != number:
                raise wrong(f"page {page.number} came instead of page {number}", number)
            if page.total is not None and page.total != rows_in_all:
                raise wrong(f"the service counts {page.total:,} rows instead of {rows_in_all:,}", number)
            # Without a total, only an empty page tells that the one before it is the last.
            unproven = number == last and page.total is None and page.has_more is not False
            if unproven and arrived(ahead.ask(number + 1), number + 1).rows:
                raise wrong(f"page {number + 1} has rows, which it had not before", number)
            if number > 1:
                coming = ahead.ask(number - 1)
            yield page.rows
            received += len(page.rows)
    finally:
        ahead.end()


class _Walk:
    """The way through a table's pages, the next one asked for while one is worked on."""

    def __init__(self, session: Session | None, request: ReadRequest) -> None:
        meant = api.checked_table(request.table)
        self._session = session = resolved(session)
        self._request = request
        self.table = api.find(session, meant)
        try:
            self.first = api.first_page(session, self.table, request.version)
        except (TransportError, ServerError, RateLimitError, UnexpectedReplyError) as exc:
            raise self._incomplete(f"page 1 could not be read. {exc}", 1, 0) from exc
        listed = self.first.columns or ()
        self.declared = {column.name: column.data_type for column in listed}
        self.hidden = {column.name for column in listed if column.data_type in ROW_ID_TYPES}
        self._repeated = False

    def wanted(self, names: Sequence[str]) -> list[str]:
        """Those of the names that are read at all."""
        if self._request.columns is None:
            return [name for name in names if name not in self.hidden]
        return [name for name in names if name in self._request.columns]

    def takes_text(self, name: str) -> bool:
        """Whether a column is one of text for the service or for the user."""
        return self.declared.get(name) in _TEXTS or infer.wants_text(self._request.dtype_of(name))

    def decoded(self, page_rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Decoded]:
        """Turn a page's rows into columns."""
        as_text = {name for name in names if infer.wants_text(self._request.dtype_of(name))}
        mixed = {name for name in names if self.declared.get(name) in _TEXTS}
        return dict(zip(names, row_codec.decode(page_rows, names, as_text=as_text, mixed_as_text=mixed), strict=True))

    def conformed(self, decoded: Decoded, field: pa.Field) -> pa.Array:
        """Bring a page's column to the type of a stream's.

        Raises
        ------
        IncompleteReadError
            It does not go in exactly.
        """
        as_number = infer.number_type(self._request.dtype_of(field.name)) is not None
        as_text = self.takes_text(field.name)
        try:
            return infer.conform(decoded, field.type, as_text=as_text, as_number=as_number).combine_chunks()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
            of = "the type asked for" if as_number else "its type on the first page"
            raise IncompleteReadError(
                f"Column {field.name!r} of table {self.table.label} holds {decoded.kind.value}, which do not all go"
                f" into {field.type}, {of}. Name its type, for example dtype={{{field.name!r}: 'str'}}, 'Int64' if all"
                " are whole numbers, or 'float64', which may round; or read the table whole, without chunksize=."
                f" ({exc})",
                operation="read",
                rec_id=self.table.rec_id,
            ) from exc

    def selected(self, names: Sequence[str]) -> list[str]:
        """The columns that the user gets: those asked for, else all but the service's own row id.

        Raises
        ------
        ColumnNotFoundError
            One asked for is not there.
        """
        wanted = self._request.columns
        if wanted is None:
            return self.wanted(names)
        for name in wanted:
            if name not in names:
                listed = ", ".join(map(repr, names)) or "none (it is empty, and the service does not list them)"
                hint = did_you_mean(str(name), names)
                raise ColumnNotFoundError(
                    f"Table {self.table.label} has no column {name!r}.{hint} Its columns: {listed}."
                )
        return list(wanted)

    def pages(self) -> Generator[Sequence[Mapping[str, Any]], None, None]:
        """Yield each page's rows, up to the limit.

        Raises
        ------
        IncompleteReadError
            A page failed, came twice, or lacks rows, or the rows are not as many as the service says; or a page has
            the rows of an earlier one, and nothing shows that it is the right one.
        """
        limit = self._request.limit
        bar = ProgressBar(self._request.progress, f"read {self.table.label}", _lesser(limit, self.first.total))
        before, page, number, received = self.first, self.first, 1, 0
        numbers: dict[bytes, int] = {}
        ahead = _Ahead(self._fetch)
        try:
            while True:
                count = len(page.rows)
                self._check_page(page, before, number, received)
                more = self._more(page, received + count)
                enough = limit is not None and received + count >= limit
                if page.rows and (number > 1 or (more and not enough)):
                    earlier = numbers.setdefault(_digest(page.rows), number)
                    if earlier != number:
                        self._check_repeated(page, earlier, number, received)
                coming = ahead.ask(number + 1) if more and not enough else None
                taken = page.rows if limit is None else page.rows[: limit - received]
                if taken:
                    yield taken
                    bar.add(len(taken))
                received += count
                if coming is None:
                    break
                before, page, number = page, self._next(coming, number + 1, received), number + 1
            # The beginning of a lone page needs no more proof.
            if not enough or (number > 1 and not more):
                self._check_end(page, before, number, received)
        finally:
            ahead.end()
            bar.close()

    def _fetch(self, number: int, *, fresh_connection: bool = False) -> Page:
        return api.read_page(
            self._session, self.table.rec_id, number, self._request.version, fresh_connection=fresh_connection
        )

    def _next(self, coming: Callable[[], Page], number: int, received: int) -> Page:
        try:
            return coming()
        except ClicDataError as exc:
            raise self._incomplete(f"page {number} could not be read. {exc}", number, received) from exc

    def _check_repeated(self, page: Page, earlier: int, number: int, received: int) -> None:
        """Prove a page whose rows are those of an earlier one, as far as that can be proven.

        Raises
        ------
        IncompleteReadError
            It is not the page that was asked for; or nothing shows that it is, and the caller does not accept that.
        """
        if self._again(number, received, fresh_connection=True) != page:
            raise self._incomplete(
                f"page {number} had the same rows as page {earlier}, and is another one when it is requested again:"
                " the service, or a proxy before it, repeated a page, or the table changes while it is read. Read it"
                " again",
                number,
                received,
            )
        # By its number it is the right page, and the total says how many pages may come.
        if page.number is None or page.total is None:
            if not self._repeated:
                self._check_heeds_number(number, earlier, received)
            if self._request.repeated_pages == "check":
                call = self._request.call
                line = f': {call}, repeated_pages="accept")' if call else " to the call"
                raise self._incomplete(
                    f"page {number} has the same rows as page {earlier}, also when it is requested again, and the reply"
                    " does not say both which page it is and how many rows the table has. So a repeated page cannot be"
                    " told from rows that are there more than once. If they are in this table, add"
                    f' repeated_pages="accept"{line}',
                    number,
                    received,
                )
        self._repeated = True
        if self._request.on_repeated is not None:
            self._request.on_repeated(number)

    def _check_heeds_number(self, number: int, earlier: int, received: int) -> None:
        """Refuse a service that repeats its pages for ever, whatever page is asked for."""
        try:
            beyond = self._fetch(_PAGE_BEYOND_ALL)
        except ClicDataError:
            # A page that is not there may well be refused.
            return
        if beyond.rows and beyond.has_more is not False:
            raise self._incomplete(
                f"page {number} has the same rows as page {earlier}, and page {_PAGE_BEYOND_ALL:,} has rows too and is"
                " not the last one: the service, or a proxy before it, does not heed the number of the page and"
                " repeated one",
                number,
                received,
            )

    def _again(self, number: int, received: int, *, fresh_connection: bool = False) -> Page:
        try:
            return self._fetch(number, fresh_connection=fresh_connection)
        except ClicDataError as exc:
            raise self._incomplete(f"page {number} could not be read again. {exc}", number, received) from exc

    def _check_page(self, page: Page, before: Page, number: int, received: int) -> None:
        if page.number is not None and page.number != number:
            raise self._incomplete(f"page {page.number} came instead of page {number}", number, received)
        total, so_far = self.first.total, received + len(page.rows)
        if total is not None and so_far > total and page.total in (total, len(page.rows)):
            raise self._incomplete(
                f"with page {number} there are {so_far:,} rows, and the service counts {total:,} in the whole table."
                " Its count is wrong, or only that of a page, or rows came twice",
                number,
                received,
            )
        if page.total != total:
            raise self._incomplete(
                f"the service first counted {self.first.total} rows and on page {number} {page.total}: the table"
                " changes while it is read. Read it again",
                number,
                received,
            )
        full = len(self.first.rows)
        uneven = (
            len(page.rows) > full
            or (page.has_more and len(page.rows) < full)
            # Where nothing says what follows, a page that is not full is the last but for empty ones.
            or (page.has_more is None and len(before.rows) < full)
        )
        # A whole read is counted against the total; the beginning of a table is not.
        if number > 1 and page.rows and uneven and (page.total is None or self._request.limit is not None):
            raise self._incomplete(
                f"page {number} has {len(page.rows):,} rows and the first page {len(self.first.rows):,}, although it is"
                " not the last: one of them lacks rows",
                number,
                received,
            )
        if page.has_more and not page.rows:
            raise self._incomplete(f"page {number} is empty although more is said to follow", number, received)

    def _more(self, page: Page, received: int) -> bool:
        if page.has_more is not None:
            return page.has_more
        return bool(page.rows) and (page.total is None or received < page.total)

    def _check_end(self, last: Page, before: Page, number: int, received: int) -> None:
        total = self.first.total
        if total is not None:
            if received != total:
                raise self._incomplete(f"{received:,} rows came of {total:,}", number, received)
            return
        # Nothing says how many rows there are, so a page that lacks rows shows only against another full one: not the
        # last page, nor the first of two. An empty page at the end counts for nothing.
        unproven = {number: last}
        if number == 2 or last.has_more is None:
            unproven[max(number - 1, 1)] = before
        if number == 3 and last.has_more is None:
            unproven[1] = self.first
        for which, page in unproven.items():
            again = self._again(which, received)
            if again.rows != page.rows or again.has_more != page.has_more:
                raise self._incomplete(
                    f"page {which}, read again, is not the same: it lacked rows, or the table changes while it is read."
                    " Read it again",
                    which,
                    received,
                )

    def _incomplete(self, why: str, number: int, received: int) -> IncompleteReadError:
        first: Page | None = getattr(self, "first", None)
        return _incomplete(self.table, why, number, received, first.total if first is not None else None)


def _incomplete(table: TableRef, why: str, number: int, received: int, expected: int | None) -> IncompleteReadError:
    return IncompleteReadError(
        f"The read of table {table.label} is not complete, so nothing is returned: {why.rstrip('.')}.",
        operation="read",
        rec_id=table.rec_id,
        page=number,
        received=received,
        expected=expected,
    )


def _digest(page_rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A number for the rows of a page, as they came and in their order: the same for no others.

    Examples
    --------
    >>> _digest([{"a": 1, "b": None}]) == _digest([{"b": None, "a": 1}])
    True
    >>> _digest([{"a": 1}]) == _digest([{"a": "1"}])
    False
    """
    names = sorted(page_rows[0])
    try:
        # Rows nearly always have the same columns.
        cells: Any = list(map(itemgetter(*names), page_rows)) if set(map(len, page_rows)) == {len(names)} else None
    except (KeyError, TypeError):
        cells = None
    if cells is None:
        names, cells = [], [sorted(row.items()) for row in page_rows]
    try:
        # In this version equal values have equal bytes, whatever else refers to them.
        canonical = marshal.dumps((names, cells), 2)
    except ValueError:
        # A number that is a Decimal.
        canonical = repr((names, cells)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(canonical).digest()


class _Ahead:
    """One thread, and so one connection, that gets the next page while one is worked on.

    A pool would be waited for at its end or the interpreter's; for this thread nobody waits who wants no more pages.
    Where no thread can be started, the page is fetched when it is wanted.
    """

    def __init__(self, fetch: Callable[[int], Page]) -> None:
        self._fetch = fetch
        self._asked: SimpleQueue[tuple[int, Future[Page]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, number: int) -> Callable[[], Page]:
        """Ask for a page; return the function that waits for it."""
        if self._thread is None or not self._thread.is_alive():
            # In a forked child, the queue may be locked by the parent's thread.
            self._asked = SimpleQueue()
            self._thread = threading.Thread(target=self._run, args=(self._asked,), name="clicdata-read", daemon=True)
            if not started(self._thread):
                self._thread = None
                return lambda: self._fetch(number)
        coming: Future[Page] = Future()
        self._asked.put((number, coming))
        process = os.getpid()
        return lambda: coming.result() if os.getpid() == process else self._fetch(number)

    def end(self) -> None:
        self._asked.put(None)

    def _run(self, queue: SimpleQueue[tuple[int, Future[Page]] | None]) -> None:
        while (asked := queue.get()) is not None:
            number, coming = asked
            try:
                coming.set_result(self._fetch(number))
            except BaseException as exc:  # noqa: BLE001 - raised where the page is wanted
                coming.set_exception(exc)


def _beyond(page_rows: Sequence[Mapping[str, Any]], selected: Sequence[str], hidden: set[str]) -> list[str]:
    return [name for name in row_codec.names_in(page_rows, selected) if name not in selected and name not in hidden]


def _nulls(count: int) -> Decoded:
    return Decoded(Kind.NULL, pa.chunked_array([pa.nulls(count)]))


def _lesser(limit: int | None, total: int | None) -> int | None:
    known = [count for count in (limit, total) if count is not None]
    return min(known) if known else None


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
    homes = recast.homes(schema)
    types = _types(homes, columns, dtype, index_names)
    request = _request(
        table, version, columns, limit, types, repeated_pages, progress, index_names, call="pd.read_clicdata"
    )
    to_pandas.checked_backend(dtype_backend)
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
        reader = _with_columns(stream(session, request), homes, columns)
        _check_there(reader.schema.names, **asked)
        return _chunks(reader, size, options)
    settled, count = read(session, request)
    if not settled and not count and columns is None:
        settled = {name: infer.Settled(pa.chunked_array([], pa.string())) for name in homes}
    _check_there(list(settled), **asked)
    return to_pandas.to_frame(settled, count, **options)


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
    homes = recast.homes(schema)
    types = _types(homes, columns, dtype)
    request = _request(table, version, columns, limit, types, repeated_pages, progress, call="cd.read_clicdata_batches")
    reader = _with_columns(stream(session, request), homes, columns)
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
) -> ReadRequest:
    wanted = None if columns is None else _names("columns", columns)
    if wanted is not None:
        wanted += [name for name in index_names if name not in wanted]
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress= is True, False or a callable that gets the counts, not {progress!r}.")
    return ReadRequest(
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
    return {name: str if isinstance(dtype, recast.Home) else dtype for name, dtype in types.items()}.get


def _with_columns(
    reader: pa.RecordBatchReader, homes: Mapping[str, Any], columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """An empty table whose columns the service does not list has those of ``schema=``."""
    if reader.schema.names or not homes or columns is not None or any(batch.num_rows for batch in reader):
        return reader
    return pa.schema([(name, pa.string()) for name in homes]).empty_table().to_reader()


def _typed(reader: pa.RecordBatchReader, types: Mapping[str, Any]) -> pa.RecordBatchReader:
    """Bring the batches' columns of text home."""
    to = {name: home for name, home in types.items() if isinstance(home, recast.Home)}
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
            yield to_pandas.to_frame({}, size)
            held, yielded = held - size, True
    if held or not yielded:
        yield to_pandas.to_frame({}, held)


def _chunk(rows: pa.Table, options: Mapping[str, Any], first_row: int) -> pd.DataFrame:
    # Each piece is copied: columns may stay in Arrow, where a slice keeps the memory of its page, as the next one does.
    settled = {
        name: infer.Settled(pa.chunked_array([pa.concat_arrays([piece]) for piece in column.chunks], column.type))
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    }
    return to_pandas.to_frame(settled, rows.num_rows, stable=True, first_row=first_row, **options)
