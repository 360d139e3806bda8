"""Read all pages of a table, prove them complete, and return frames, Arrow tables or Arrow batches."""

from __future__ import annotations

import functools
import hashlib
import importlib
import marshal
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_args, overload

import pandas as pd
import pyarrow as pa

from pandas_clicdata._checks import check_choice, check_whole_number, did_you_mean
from pandas_clicdata._display import ColumnListing, counted
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    ROW_ID_TYPES,
    ColumnType,
    DecodedColumn,
    Page,
    PageRows,
    RepeatedPages,
    TableId,
    TableRef,
)
from pandas_clicdata._options import checked_progress
from pandas_clicdata._options import options as defaults
from pandas_clicdata._progress import Progress, current_bar, shown
from pandas_clicdata._request_count import counted_in, counts_requests, request_count
from pandas_clicdata.client import api
from pandas_clicdata.client.api import Client
from pandas_clicdata.client.page_decoder import PageDecoder
from pandas_clicdata.client.prefetch import DEFAULT_WORKERS, Prefetch, last_to_ask
from pandas_clicdata.errors import (
    ClicDataError,
    ColumnNotFoundError,
    IncompleteReadError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from pandas_clicdata.session import client_of
from pandas_clicdata.types import infer, recast, row_codec, to_pandas
from pandas_clicdata.types.assemble import Assembly
from pandas_clicdata.types.to_pandas import DtypeBackend

if TYPE_CHECKING:
    import polars as pl

    from pandas_clicdata.session import Session


_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)
_OF_ONE_DTYPE = (*_TEXTS, ColumnType.DATETIME, ColumnType.DATE)
"""The types of columns whose dtype does not depend on their values."""
_PAGE_BEYOND_END = 1_000_000
"""A page that no table has. A larger number could overflow in the service."""
_STABLE_TRIES = 3
P = ParamSpec("P")
T = TypeVar("T")
_NAMES_IN_PANDAS = {"nrows": "limit", "usecols": "columns"}
"""Parameters of ``pandas.read_csv``, and their names here."""


def _answers_names_of_pandas(module: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Answer parameters that ``pandas.read_csv`` names differently with the line to call instead.

    Parameters
    ----------
    module : str
        The module in that line, such as ``"pd"``.
    """

    def answer(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                if _NAMES_IN_PANDAS.keys() & kwargs.keys():
                    raise TypeError(_with_own_names(f"{module}.{function.__name__}", args, kwargs))
                return function(*args, **kwargs)
            finally:
                # A traceback with locals must not show a credential among the arguments.
                args, kwargs = (), {}  # type: ignore[assignment]

        return call

    return answer


def _with_own_names(function: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the answer to parameters of pandas, with the call that has the names of this package."""
    answers = " and ".join(f"{name}= is named {own}=" for name, own in _NAMES_IN_PANDAS.items() if name in kwargs)
    renamed = {_NAMES_IN_PANDAS.get(name, name): value for name, value in kwargs.items()}
    shown = [*map(repr, args), *(f"{name}={_pasted(name, value)}" for name, value in renamed.items())]
    return f"{answers} here. Call:\n    {function}({', '.join(shown)})"


def _pasted(name: str, value: object) -> str:
    """Return an argument as code; the name of the parameter if the value has no short code, or may be a credential."""
    if name == "session":
        return name
    if name == "columns" and not isinstance(value, str) and isinstance(value, Iterable):
        value = list(value)
        if not all(isinstance(each, str) for each in value):
            return "[…]"
    is_plain = value is None or isinstance(value, bool | int | float | str | list | dict)
    return repr(value) if is_plain else "[…]" if name == "columns" else name


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The options of a read.

    Attributes
    ----------
    table : int or str
        RecId or name, as the user passed it.
    version : int or None
        A version of the table; None for the current rows.
    columns : sequence of str or None
        The columns to keep, in this order.
    limit : int or None
        Maximum number of rows.
    dtype_of : callable
        Returns the dtype that the user asks for in a column, or None.
    shows_progress : bool
        Whether the rows count as the progress of the call. If not, the progress shows that the call waits for the read.
    repeated_pages : {"check", "accept"}
        As in :func:`read_clicdata`.
    on_repeated : callable or None
        Called with the number of each page that has the rows of an earlier one and does not fail the read.
    workers : int
        As in :func:`read_clicdata`.
    call : str
        The start of the user's call, for an error that shows what to add to it.

    Raises
    ------
    ValueError
        ``repeated_pages`` is neither "check" nor "accept".
    """

    table: int | str
    version: int | None = None
    columns: Sequence[str] | None = None
    limit: int | None = None
    dtype_of: Callable[[str], Any]
    shows_progress: bool = False
    repeated_pages: RepeatedPages = "check"
    on_repeated: Callable[[int], object] | None = None
    workers: int = DEFAULT_WORKERS
    call: str = ""

    def __post_init__(self) -> None:
        check_choice("repeated_pages", self.repeated_pages, get_args(RepeatedPages))


def _read(
    client: Client, options: ReadOptions, stays: Callable[[str], bool]
) -> tuple[dict[str, infer.InferredColumn], int]:
    """Read a table, or its first rows, and return its columns and the number of rows.

    Parameters
    ----------
    client : Client
        The account.
    options : ReadOptions
        What to read.
    stays : callable
        Returns whether the frame has a column in the dtype in which it is read.

    Raises
    ------
    IncompleteReadError
        The rows received are not the whole table.
    TableNotFoundError, ColumnNotFoundError
        There is no such table, version or column.
    """
    walk = _PageReader(client, options)
    # The first page shows the columns, even if no row is wanted.
    names = row_codec.names_in(walk.first.rows, list(walk.declared))
    assembly = Assembly(walk.declared, stays, walk.expected)
    with closing(walk.pages()) as pages:
        for page_rows in pages:
            names = row_codec.names_in(page_rows, names)
            assembly.add(walk.decoded(page_rows, walk.wanted(names)), len(page_rows))
            del page_rows
    columns = {
        name: assembly.pop(name, options.dtype_of(name), mixed_as_text=walk.takes_text(name))
        for name in walk.selected(names)
    }
    return columns, assembly.rows


def _stream(client: Client, options: ReadOptions) -> pa.RecordBatchReader:
    """Read a table page by page; the first page determines the type of each column.

    Raises
    ------
    IncompleteReadError
        While the reader is consumed: the rows received are not the whole table, or do not fit the types of the first
        page.
    """
    walk = _PageReader(client, options)
    selected = walk.selected(row_codec.names_in(walk.first.rows, list(walk.declared)))
    first = walk.decoded(walk.first.rows, selected)
    arrow_schema = pa.schema(
        [
            (name, infer.fixed_type(first[name], walk.declared.get(name, ""), options.dtype_of(name)))
            for name in selected
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        with closing(walk.pages()) as pages:
            for page_rows in pages:
                unknown = [] if options.columns is not None else _new_columns(page_rows, selected, walk.hidden)
                if unknown:
                    raise IncompleteReadError(
                        f"Column {unknown[0]!r} of table {walk.table.label} first appears after the first page, which"
                        " determines the columns of chunks and batches. Read the whole table at once, without"
                        " chunksize=.",
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
    client: Client,
    table: int | str,
    version: int | None = None,
    *,
    repeated_pages: RepeatedPages = "check",
    on_repeated: Callable[[int], object] | None = None,
) -> Generator[Sequence[Mapping[str, Any]], None, None]:
    """Yield the rows of a table or version as they were received, page by page, with the checks of a read.

    Raises
    ------
    IncompleteReadError
        At the latest after the last page: the rows were not the whole table.
    """
    options = ReadOptions(
        table=table,
        version=version,
        dtype_of=lambda name: None,
        repeated_pages=repeated_pages,
        on_repeated=on_repeated,
    )
    yield from _PageReader(client, options).pages()


def read_until_stable(attempt: Callable[[], T]) -> T:
    """Read a table again if it changed meanwhile, because a late request changes it once.

    Raises
    ------
    IncompleteReadError
        The table changed during every attempt, or could not be read.
    """
    for _ in range(_STABLE_TRIES - 1):
        with suppress(IncompleteReadError):
            return attempt()
    return attempt()


def pages_backwards(
    client: Client, table: TableRef, last: int, total: int, workers: int = DEFAULT_WORKERS
) -> Generator[Sequence[Mapping[str, Any]], None, None]:
    """Yield the pages of a table that was read before, from the last to the first.

    A fault that depends on the order of requests, such as one of a cache, returns other rows in this order.

    Parameters
    ----------
    client : Client
        The account.
    table : TableRef
        The table.
    last : int
        The number of the last page with rows.
    total : int
        The number of rows in the first read.
    workers : int, optional
        Maximum number of requests at a time.

    Raises
    ------
    IncompleteReadError
        A page failed or is not the requested one, the service counts other rows, or more pages follow now.
    """
    decoder = PageDecoder()
    ahead = Prefetch(lambda number: client.ask_page(table.rec_id, number, loads=decoder.loads), workers)
    asked: deque[Callable[[], Callable[[], Page]]] = deque()
    received = 0

    def wrong(why: str, number: int) -> IncompleteReadError:
        why = f"it was read a second time, from the last page to the first, and {why}"
        return _incomplete(table, why, number, received, total)

    def arrived(next_page: Callable[[], Callable[[], Page]], number: int) -> Page:
        try:
            return next_page()()
        except ClicDataError as exc:
            raise wrong(f"page {number} could not be read. {exc}", number) from exc

    try:
        asked.append(ahead.ask(last))
        for number in range(last, 0, -1):
            page = arrived(asked.popleft(), number)
            if page.number is not None and page.number != number:
                raise wrong(f"page {page.number} came instead of page {number}", number)
            if page.total is not None and page.total != total:
                raise wrong(f"the service counts {page.total:,} rows instead of {total:,}", number)
            # Without a total, only an empty page shows that the one before it is the last.
            unproven = number == last and page.total is None and page.has_more is not False
            if unproven and arrived(ahead.ask(number + 1), number + 1).rows:
                raise wrong(f"page {number + 1} now has rows", number)
            following = range(number - 1 - len(asked), max(0, number - 1 - workers), -1)
            asked.extend(map(ahead.ask, following))
            yield page.rows
            received += len(page.rows)
    finally:
        ahead.end()


class _PageReader:
    """Reads the pages of a table; the next pages are requested while one is processed."""

    def __init__(self, client: Client, options: ReadOptions) -> None:
        self._client = client
        self._options = options
        self._decoder = PageDecoder()
        self._total: int | None = None
        self.table = client.find(options.table, remembered=True)
        try:
            self.table, first = client.open_table(self.table, options.version, loads=self._decoder.loads)
        except (TransportError, ServerError, RateLimitError, UnexpectedReplyError) as exc:
            raise self._incomplete(f"page 1 could not be read. {exc}", 1, 0) from exc
        # Pages are also fetched after the call has returned an iterator.
        self._requests, self._bar = request_count(), current_bar()
        self.first, self._total, self._full = first, first.total, len(first.rows)
        self.expected = _smaller(options.limit, first.total)
        self._require_pages()
        listed = first.columns or ()
        self.declared = {column.name: column.data_type for column in listed}
        self.hidden = {column.name for column in listed if column.data_type in ROW_ID_TYPES}
        self._repeated = False

    def wanted(self, names: Sequence[str]) -> list[str]:
        """Return those of the names that are read, in the order of the frame."""
        if self._options.columns is None:
            return [name for name in names if name not in self.hidden]
        return [name for name in self._options.columns if name in names]

    def takes_text(self, name: str) -> bool:
        """Return whether the service or the user declares a column as text."""
        return self.declared.get(name) in _TEXTS or infer.is_text_dtype(self._options.dtype_of(name))

    def decoded(self, page_rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, DecodedColumn]:
        """Decode the rows of a page into columns."""
        as_text = {name for name in names if infer.is_text_dtype(self._options.dtype_of(name))}
        mixed = {name for name in names if self.declared.get(name) in _TEXTS}
        return dict(zip(names, row_codec.decode(page_rows, names, as_text=as_text, mixed_as_text=mixed), strict=True))

    def conformed(self, decoded: DecodedColumn, field: pa.Field) -> pa.Array:
        """Convert a page's column to the type that the first page determined.

        Raises
        ------
        IncompleteReadError
            A value does not fit exactly.
        """
        as_number = infer.number_type(self._options.dtype_of(field.name)) is not None
        as_text = self.takes_text(field.name)
        try:
            return infer.conform(decoded, field.type, as_text=as_text, as_number=as_number).combine_chunks()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
            origin = "the dtype you asked for" if as_number else "its type on the first page"
            raise IncompleteReadError(
                f"Column {field.name!r} of table {self.table.label} holds {decoded.kind.value}, which do not all fit"
                f" {field.type}, {origin}. Set its dtype, for example dtype={{{field.name!r}: 'str'}}, 'Int64' if all"
                " are whole numbers, or 'float64', which may round; or read the whole table at once, without"
                f" chunksize=. ({exc})",
                operation="read",
                rec_id=self.table.rec_id,
            ) from exc

    def selected(self, names: Sequence[str]) -> list[str]:
        """Return the columns of the result: the requested ones, or all except the service's row id.

        Raises
        ------
        ColumnNotFoundError
            The table lacks a requested column.
        """
        wanted = self._options.columns
        if wanted is None:
            return self.wanted(names)
        for name in wanted:
            if name not in names:
                listed = (
                    ", ".join(map(repr, names)) or "unknown, because it is empty and the service does not list them"
                )
                hint = did_you_mean(str(name), names)
                raise ColumnNotFoundError(
                    f"Table {self.table.label} has no column {name!r}.{hint} Its columns: {listed}."
                )
        return list(wanted)

    def pages(self) -> Generator[Sequence[Mapping[str, Any]], None, None]:
        """Yield each page's rows, up to the limit. A page is freed before the next one is parsed, also the first one.

        Raises
        ------
        IncompleteReadError
            A page failed, came twice, or lacks rows; the number of rows is not the one that the service states; or a
            page has the rows of an earlier one, and nothing shows that it is correct.
        """
        limit = self._options.limit
        if self._options.shows_progress:
            self._bar.begin(f"read {self.table.title}", self.expected)
        page, number, received, before = self.first, 1, 0, self._full
        self.first = Page(())
        unproven: dict[int, Page] = {}
        numbers: dict[bytes, int] = {}
        ahead = Prefetch(self._ask, self._options.workers)
        asked: deque[Callable[[], Callable[[], Page]]] = deque()

        def ask_to(last: int) -> None:
            asked.extend(map(ahead.ask, range(number + 1 + len(asked), last + 1)))

        waiting = ExitStack()
        try:
            if not self._options.shows_progress:
                waiting.enter_context(self._bar.waiting(f"reading {self.table.title}"))
            while True:
                count = len(page.rows)
                self._check_page(page, before, number, received)
                if self._total is None:
                    # The first page and the last two may be requested again, to prove the end.
                    unproven[number] = page
                    if number > 3:
                        del unproven[number - 2]
                more = self._more(page, received + count)
                enough = limit is not None and received + count >= limit
                if page.rows and (number > 1 or (more and not enough)):
                    earlier = numbers.setdefault(_digest(page.rows), number)
                    if earlier != number:
                        self._check_repeated(page, earlier, number, received)
                if more and not enough:
                    ask_to(max(self._last_to_ask(number, number), number + 1))
                rows = page.rows if limit is None or received + count <= limit else page.rows[: limit - received]
                if taken := len(rows):
                    yield rows
                    if self._options.shows_progress:
                        self._bar.add(taken)
                received += count
                if not more or enough:
                    # Pages that were requested beyond the end are not looked at: a service may repeat its last page.
                    break
                before, number = count, number + 1
                del page, rows
                try:
                    with shown(self._bar):
                        read_page = asked.popleft()()
                    # Before the page is parsed, so that no thread is idle meanwhile.
                    ask_to(self._last_to_ask(number, number - 1))
                    page = read_page()
                    # Not only when the next page is there, because it holds the body of the page.
                    del read_page
                except ClicDataError as exc:
                    raise self._incomplete(f"page {number} could not be read. {exc}", number, received) from exc
            # A limit within the first page needs no further check.
            if not enough or (number > 1 and not more):
                self._check_end(unproven, number, received)
        finally:
            ahead.end()
            waiting.close()
            if self._options.shows_progress:
                self._bar.close()

    @property
    def more_follows(self) -> bool:
        """Whether pages follow the first one, as far as its reply shows."""
        return self._more(self.first, len(self.first.rows))

    def _require_pages(self) -> None:
        """Check that the pages which follow the first one may be requested, as far as their number is known.

        Raises
        ------
        RequestLimitError
            They are more than ``max_requests=``.
        """
        rows = self.expected
        if self._total is not None and rows and self._full and self.first.has_more is not False:
            pages = -(-rows // self._full)
            self._requests.require(pages - 1, f"The read of table {self.table.label}", changes=False)

    def _ask(self, number: int, *, fresh_connection: bool = False) -> Callable[[], Page]:
        with counted_in(self._requests), shown(self._bar):
            return self._client.ask_page(
                self.table.rec_id,
                number,
                self._options.version,
                loads=self._decoder.loads,
                fresh_connection=fresh_connection,
            )

    def _last_to_ask(self, number: int, parsed: int) -> int:
        """Return the number of the last page to request while page ``number`` is processed."""
        last = math.ceil(self.expected / self._full) if self.expected is not None and self._full else None
        return last_to_ask(number, parsed, self._options.workers, last=last, announced=self._total is not None)

    def _check_repeated(self, page: Page, earlier: int, number: int, received: int) -> None:
        """Check a page whose rows equal those of an earlier page.

        Raises
        ------
        IncompleteReadError
            It is not the requested page; or nothing shows that it is, and the caller does not accept that.
        """
        if self._again(number, received, fresh_connection=True) != page:
            raise self._incomplete(
                f"page {number} had the same rows as page {earlier}, but differs when it is requested again: the"
                " service or a proxy repeated a page, or the table changes while it is read. Read it again",
                number,
                received,
            )
        # A page with its number and the total is the requested one, and the total bounds the number of pages.
        if page.number is None or page.total is None:
            if not self._repeated:
                self._check_page_number_matters(number, earlier, received)
            if self._options.repeated_pages == "check":
                call = self._options.call
                line = f': {call}, repeated_pages="accept")' if call else " to the call"
                raise self._incomplete(
                    f"page {number} has the same rows as page {earlier}, also when it is requested again, and the reply"
                    " does not state both the number of the page and the number of rows in the table. So a page that"
                    " was sent twice cannot be told from rows that the table holds more than once. If this table holds"
                    f' such rows, add repeated_pages="accept"{line}',
                    number,
                    received,
                )
        self._repeated = True
        if self._options.on_repeated is not None:
            self._options.on_repeated(number)

    def _check_page_number_matters(self, number: int, earlier: int, received: int) -> None:
        """Refuse a service that returns the same page whatever number is requested."""
        try:
            beyond = self._ask(_PAGE_BEYOND_END)()
        except ClicDataError:
            # A service may refuse a page that does not exist.
            return
        if beyond.rows and beyond.has_more is not False:
            raise self._incomplete(
                f"page {number} has the same rows as page {earlier}, and page {_PAGE_BEYOND_END:,} has rows, too, and"
                " is not the last one: the service or a proxy ignores the number of the page",
                number,
                received,
            )

    def _again(self, number: int, received: int, *, fresh_connection: bool = False) -> Page:
        try:
            return self._ask(number, fresh_connection=fresh_connection)()
        except ClicDataError as exc:
            raise self._incomplete(f"page {number} could not be read again. {exc}", number, received) from exc

    def _check_page(self, page: Page, before: int, number: int, received: int) -> None:
        """Check the numbers of a page; ``before`` is the number of rows of the page before it."""
        if page.number is not None and page.number != number:
            raise self._incomplete(f"page {page.number} came instead of page {number}", number, received)
        total, so_far = self._total, received + len(page.rows)
        if total is not None and so_far > total and page.total in (total, len(page.rows)):
            raise self._incomplete(
                f"with page {number} there are {so_far:,} rows, but the service counts {total:,} in the whole table."
                " Its count is wrong, or is the count of one page, or rows were sent twice",
                number,
                received,
            )
        if page.total != total:
            raise self._incomplete(
                f"the service counted {total} rows on the first page and {page.total} on page {number}: the table"
                " changes while it is read. Read it again",
                number,
                received,
            )
        full = self._full
        uneven = (
            len(page.rows) > full
            or (page.has_more and len(page.rows) < full)
            # Without paging information, only empty pages follow a page that is not full.
            or (page.has_more is None and before < full)
        )
        # A complete read is compared with the total; a read with a limit is not.
        if number > 1 and page.rows and uneven and (page.total is None or self._options.limit is not None):
            raise self._incomplete(
                f"page {number} has {len(page.rows):,} rows and the first page {full:,}, although it is not"
                " the last page: one of them lacks rows",
                number,
                received,
            )
        if page.has_more and not page.rows:
            raise self._incomplete(
                f"page {number} is empty, although the service states that more pages follow", number, received
            )

    def _more(self, page: Page, received: int) -> bool:
        if page.has_more is not None:
            return page.has_more
        return bool(page.rows) and (page.total is None or received < page.total)

    def _check_end(self, unproven: Mapping[int, Page], number: int, received: int) -> None:
        """Check that the table ends here; without a total, ``unproven`` has the first page and the last two."""
        total = self._total
        if total is not None:
            if received != total:
                raise self._incomplete(f"{received:,} of {total:,} rows were received", number, received)
            return
        # Without a total, a short page is detectable only if a full page follows. So the last page, and
        # the first of two, are requested again. An empty page at the end proves nothing.
        unannounced = unproven[number].has_more is None
        doubtful = [number]
        if number > 1 and (number == 2 or unannounced):
            doubtful.append(number - 1)
        if number == 3 and unannounced:
            doubtful.append(1)
        for which in doubtful:
            page = unproven[which]
            again = self._again(which, received)
            if again.rows != page.rows or again.has_more != page.has_more:
                raise self._incomplete(
                    f"page {which} differs when it is requested again: it lacked rows, or the table changes while it is"
                    " read. Read it again",
                    which,
                    received,
                )

    def _incomplete(self, why: str, number: int, received: int) -> IncompleteReadError:
        return _incomplete(self.table, why, number, received, self._total)


def _incomplete(table: TableRef, why: str, number: int, received: int, expected: int | None) -> IncompleteReadError:
    return IncompleteReadError(
        f"The read of table {table.label} is incomplete, so nothing is returned: {why.rstrip('.')}.",
        operation="read",
        rec_id=table.rec_id,
        page=number,
        received=received,
        expected=expected,
    )


def _digest(page_rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a digest of the rows of a page, in their order.

    Examples
    --------
    >>> _digest([{"a": 1, "b": None}]) == _digest([{"b": None, "a": 1}])
    True
    >>> _digest([{"a": 1}]) == _digest([{"a": "1"}])
    False
    """
    digest = hashlib.sha256()
    if not isinstance(page_rows, PageRows):
        digest.update(_canonical([sorted(row.items()) for row in page_rows]))
        return digest.digest()
    names = sorted(page_rows.names)
    for name, values in zip(names, row_codec.cells_of(page_rows, names), strict=True):
        column = row_codec.inferred(page_rows, name, values)
        digest.update(_canonical([name, column and column.kind.value]))
        if column is None:
            digest.update(_canonical(values))
        else:
            for buffer in (buffer for chunk in column.array.chunks for buffer in chunk.buffers() if buffer is not None):
                digest.update(buffer)
    return digest.digest()


def _canonical(values: Any) -> bytes:
    """Return bytes that are equal for equal values."""
    try:
        # In version 2 of marshal, equal values have equal bytes, however many references to them exist.
        return marshal.dumps(values, 2)
    except ValueError:
        # marshal does not support Decimal.
        return repr(values).encode("utf-8", "surrogatepass")


def _new_columns(page_rows: Sequence[Mapping[str, Any]], selected: Sequence[str], hidden: set[str]) -> list[str]:
    return [name for name in row_codec.names_in(page_rows, selected) if name not in selected and name not in hidden]


def _smaller(limit: int | None, total: int | None) -> int | None:
    known = [count for count in (limit, total) if count is not None]
    return min(known) if known else None


@overload
def read_clicdata(
    table: TableId,
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
    workers: int | None = ...,
    max_requests: int | None = ...,
    progress: bool | Progress | None = ...,
    session: Session | None = ...,
) -> pd.DataFrame: ...


@overload
def read_clicdata(
    table: TableId,
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
    workers: int | None = ...,
    max_requests: int | None = ...,
    progress: bool | Progress | None = ...,
    session: Session | None = ...,
) -> Iterator[pd.DataFrame]: ...


@shown_briefly
@_answers_names_of_pandas("pd")
@counts_requests
def read_clicdata(
    table: TableId,
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
    workers: int | None = None,
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """Read a table into a DataFrame, completely or not at all.

    Text stays text ("00123" is not a number), whole numbers keep every digit also beside nulls, and numbers that a
    float cannot represent exactly come as ``Decimal``. Column types that the service lists are used. Where it lists
    none, text becomes dates only if every value has exactly the form in which dates are sent.

    Parameters
    ----------
    table : int, str or WriteResult
        The RecId of the table, its name, or the receipt of a write to it. Without ``session=``, a receipt also states
        the session.
    version : int, optional
        The version of the table to read. Default: the current rows.
    columns : list of str, optional
        The columns to keep, in this order. The service always sends all columns.
    limit : int, optional
        Maximum number of rows to read.
    chunksize : int, optional
        Return an iterator of DataFrames with this number of rows. The first page that the service sends determines
        their dtypes: whole numbers and booleans are nullable (``Int64``, ``boolean``) in each chunk, with or without
        nulls. If a column of that page has only nulls, it is ``float64`` if the service declares it as a number; else
        ``dtype=`` must name its dtype. A later value that does not fit exactly is an error.
    schema : DataFrame, pyarrow.Schema or dict of str to dtype, optional
        The dtypes of the columns before they were sent: ``df.clicdata.schema()``, an Arrow schema (columns come as
        ``pandas.ArrowDtype``), or dtypes by column. These columns are restored to exactly these dtypes, including
        categories, units, time zones and periods, also in chunks. A value that the dtype cannot hold is refused, except
        that float dtypes round. Other columns of the table are read as without ``schema``, and a column that the table
        lacks is an error. ``columns=`` reads fewer columns, and ``dtype=`` takes precedence for its columns. The name
        of a dtype suffices if pandas can parse it, but contains neither the categories of a ``category`` nor the type
        of an ``object``.
    dtype : dtype or dict of str to dtype, optional
        Dtypes for the columns. With a text dtype, each value is its text, and a value that is not text is its JSON;
        text columns that are requested as text, ``object`` or ``category`` are not parsed as dates. A dtype of whole
        numbers, booleans, dates, datetimes or durations that would change a value is refused. A float dtype rounds, but
        not to infinity. A period dtype gives the period that contains the datetime.
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
        As in ``pandas.read_sql``. Default: ``cd.options.dtype_backend``; if that is None, NumPy dtypes, which are
        nullable only for whole numbers and booleans with nulls. With "pyarrow", long
        numbers are decimals; a column with a number that no Arrow decimal holds, such as 1e400, is text, which has
        every digit.
    parse_dates : list of str or dict, optional
        Columns to read as datetimes. A dict gives the format, the unit of numbers (None is seconds), or arguments of
        ``pandas.to_datetime``.
    index_col : str or list of str, optional
        Columns to use as the index.
    repeated_pages : {"check", "accept"}, default "check"
        What to do with a page that has the same rows as an earlier one. Such a page is requested again on a new
        connection, and the read fails if it differs then. If it is the same, and the service states both the number of
        the page and the number of rows in the table, the page is correct. If the service does not state both, "check"
        fails, because a page that was sent twice looks like rows that the table holds more than once. "accept" accepts
        the page, for tables that hold such rows.
    workers : int, optional
        Maximum number of pages that are requested at a time, each over its own connection. Default:
        ``cd.options.workers``, or 4. A page that arrives before
        the one in front of it waits, so that the memory holds at most this number of pages more. If the service refuses
        requests because there are too many, all of them wait and slow down together.
    max_requests : int, optional
        Maximum number of HTTP requests of this read. If more are known to be needed after the first page,
        :class:`RequestLimitError` states how many. Otherwise, the read fails before it sends one more. Default: no
        limit.
    progress : bool or callable, optional
        True shows a progress bar, False none. A callable is called with the number of rows so far and the total, or
        None. Default: ``cd.options.progress``; if that is None, a bar in an interactive session, such as a notebook,
        if the call takes more than two seconds.
    session : Session, optional
        The session to use. Default: the one of :func:`connect`.

    Returns
    -------
    DataFrame or iterator of DataFrame
        The rows. Datetimes are ``datetime64[us]`` in UTC, and dates are ``datetime.date`` objects. The dtypes do not
        depend on the version of pyarrow. The memory of the frame is writable and not shared.

    Raises
    ------
    IncompleteReadError
        The rows received are not the whole table, or a page has the rows of an earlier one (see ``repeated_pages``). A
        partial frame is never returned.
    TableNotFoundError
        No table has this RecId or name, or it has no such version.
    ColumnNotFoundError
        The table lacks a column.
    ColumnConversionError
        A column cannot have the requested dtype. With ``schema=``, the message names the row and the value.
    TypeError, ValueError
        An argument is wrong. Nothing was requested.

    See Also
    --------
    read_clicdata_batches : Read a table as Arrow batches.
    read_arrow, read_polars : Read a table into one of Arrow, or into a frame of polars.
    ClicDataAccessor.push : Send a DataFrame.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"code": ["00123", None], "seats": [180, None]}).clicdata.push("Planes read")
    >>> pd.read_clicdata("Planes read")["code"].iloc[0]
    '00123'

    >>> df = pd.DataFrame({"seats": pd.Series([180, 200], dtype="uint8"), "size": pd.Categorical(["L", "S"])})
    >>> receipt = df.clicdata.push("Planes with dtypes")
    >>> pd.read_clicdata("Planes with dtypes", schema=df.clicdata.schema()).dtypes.tolist() == df.dtypes.tolist()
    True
    """
    index_names = _index_names(index_col)
    restored = recast.restore_targets(schema)
    types = _types(restored, columns, dtype, index_names)
    options = _read_options(
        table, version, columns, limit, types, repeated_pages, workers, progress, index_names, call="pd.read_clicdata"
    )
    to_pandas.checked_backend(dtype_backend)
    dtype_backend = dtype_backend or defaults.dtype_backend
    parse_dates = _checked_dates(parse_dates)
    index_col = index_col if index_col is None or isinstance(index_col, str) else index_names
    named = {
        "index_col": index_names,
        "parse_dates": parse_dates,
        "dtype": dtype if isinstance(dtype, Mapping) else None,
        "schema": restored if columns is None else None,
    }
    conversion = {"dtype": types, "dtype_backend": dtype_backend, "parse_dates": parse_dates, "index_col": index_col}
    if chunksize is not None:
        size = check_whole_number("chunksize", chunksize, least=1)
        reader = _with_schema_columns(_stream(client_of(session, table), options), restored, columns)
        _check_columns_exist(reader.schema.names, **named)
        return _chunks(reader, size, conversion)
    converted = {*index_names, *(parse_dates or ())}
    inferred, count = _read_or_empty(
        client_of(session, table),
        options,
        restored,
        lambda name: dtype_backend is None and name not in converted and options.dtype_of(name) is None,
    )
    _check_columns_exist(list(inferred), **named)
    return to_pandas.to_frame(inferred, count, **conversion)


def _read_or_empty(
    client: Client, options: ReadOptions, restored: Mapping[str, Any], stays: Callable[[str], bool] = lambda _: False
) -> tuple[dict[str, infer.InferredColumn], int]:
    """Read a table as :func:`_read`; if it is empty and its columns are not listed, return those of ``schema=``."""
    inferred, count = _read(client, options, stays)
    if not inferred and not count and options.columns is None:
        inferred = {name: infer.InferredColumn(pa.chunked_array([], pa.string())) for name in restored}
    return inferred, count


@shown_briefly
@_answers_names_of_pandas("cd")
@parameters_from(read_clicdata)
@counts_requests
def read_arrow(
    table: TableId,
    *,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    schema: Any = None,
    repeated_pages: RepeatedPages = "check",
    workers: int | None = None,
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pa.Table:
    """Read a table into an Arrow table, completely or not at all.

    Parameters
    ----------
    {table}
    {version}
    {columns}
    {limit}
    schema : DataFrame, pyarrow.Schema or dict of str to dtype, optional
        As in :func:`read_clicdata`. Periods, intervals and Python objects without an Arrow type stay text.
    {repeated_pages}
    {workers}
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    pyarrow.Table
        The rows. Text is ``string``, a number ``int64`` or ``double``, a checkbox ``bool``, a date ``date32`` and a
        datetime ``timestamp[us]`` in UTC. Numbers that these do not hold exactly are decimals, or text if no decimal of
        Arrow holds one of them.

    Raises
    ------
    IncompleteReadError
        The rows received are not the whole table. A part of it is never returned.
    TableNotFoundError
        No table has this RecId or name, or it has no such version.
    ColumnNotFoundError
        The table lacks a column.
    ColumnConversionError
        A value does not fit the type in ``schema``.

    See Also
    --------
    read_clicdata_batches : Read a table that is larger than memory.
    read_polars : Read a table into a frame of polars.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"plane": ["A320"], "seats": [180]}).clicdata.push("Planes in Arrow")
    >>> cd.read_arrow("Planes in Arrow").schema
    plane: string
    seats: int64
    """
    restored = recast.restore_targets(schema)
    types = _types(restored, columns, None)
    options = _read_options(
        table, version, columns, limit, types, repeated_pages, workers, progress, call="cd.read_arrow"
    )
    inferred, _ = _read_or_empty(client_of(session, table), options, restored)
    if columns is None:
        _check_columns_exist(list(inferred), schema=restored)
    arrays = {name: infer.arrow_column(column) for name, column in inferred.items()}
    for name, target in (types or {}).items():
        if isinstance(target, recast.RestoreTarget) and target.arrow_type is not None:
            arrays[name] = pa.chunked_array([target.array(name, arrays[name], 0)])
    return pa.table(arrays)


@shown_briefly
@_answers_names_of_pandas("cd")
@parameters_from(read_arrow, read_clicdata)
def read_polars(
    table: TableId,
    *,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    schema: Any = None,
    repeated_pages: RepeatedPages = "check",
    workers: int | None = None,
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pl.DataFrame:
    """Read a table into a polars DataFrame, completely or not at all.

    Parameters
    ----------
    {table}
    {version}
    {columns}
    {limit}
    {schema}
    {repeated_pages}
    {workers}
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    polars.DataFrame
        The rows, with the types of :func:`read_arrow`. Numbers of more than 38 digits, which polars does not hold, are
        text.

    Raises
    ------
    ImportError
        polars is not installed. Nothing was requested.
    IncompleteReadError
        The rows received are not the whole table. A part of it is never returned.
    TableNotFoundError
        No table has this RecId or name, or it has no such version.
    ColumnNotFoundError
        The table lacks a column.
    ColumnConversionError
        A value does not fit the type in ``schema``.

    See Also
    --------
    read_arrow : Read a table into an Arrow table.
    push : Send a frame of polars, too.

    Examples
    --------
    >>> import polars as pl
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = cd.push(pl.DataFrame({"plane": ["A320"], "seats": [180]}), "Planes in polars")
    >>> cd.read_polars("Planes in polars").row(0)
    ('A320', 180)
    """
    try:
        polars = importlib.import_module("polars")
    except ImportError as exc:
        raise ImportError(
            "read_polars needs polars, which is not installed: pip install polars. Or read an Arrow table:"
            f" cd.read_arrow({table!r})"
        ) from exc
    arrow = read_arrow(
        table,
        version=version,
        columns=columns,
        limit=limit,
        schema=schema,
        repeated_pages=repeated_pages,
        workers=workers,
        max_requests=max_requests,
        progress=progress,
        session=session,
    )
    for at, field in enumerate(arrow.schema):
        if pa.types.is_decimal256(field.type):
            arrow = arrow.set_column(at, field.name, arrow.column(at).cast(pa.string()))
    frame: pl.DataFrame = polars.from_arrow(arrow)
    return frame


@shown_briefly
@_answers_names_of_pandas("cd")
@parameters_from(read_clicdata)
@counts_requests
def read_clicdata_batches(
    table: TableId,
    *,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    schema: Any = None,
    dtype: Mapping[str, Any] | None = None,
    repeated_pages: RepeatedPages = "check",
    workers: int | None = None,
    max_requests: int | None = None,
    progress: bool | Progress | None = None,
    session: Session | None = None,
) -> pa.RecordBatchReader:
    """Read a table as Arrow batches, one per page, for tables larger than memory.

    Parameters
    ----------
    {table}
    {version}
    {columns}
    {limit}
    schema : DataFrame, pyarrow.Schema or dict of str to dtype, optional
        As in :func:`read_clicdata`. Periods, intervals and Python objects without an Arrow type stay text.
    dtype : dict of str to dtype, optional
        Text or number dtypes for columns whose type the first page does not show.
    {repeated_pages}
    {workers}
    {max_requests}
    {progress}
    {session}

    Returns
    -------
    pyarrow.RecordBatchReader
        The batches. The first page determines the types of columns that are not in ``schema``.

    Raises
    ------
    IncompleteReadError
        While the batches are read: the rows received are not the whole table, or do not fit the types of the first
        page.
    ColumnConversionError
        While the batches are read: a value does not fit the type in ``schema``.
    TableNotFoundError
        No table has this RecId or name, or it has no such version.
    ColumnNotFoundError
        The table lacks a column.

    See Also
    --------
    read_clicdata : Read a table into a DataFrame, or into chunks.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180, 200]}).clicdata.push("Planes in batches")
    >>> cd.read_clicdata_batches("Planes in batches").read_all().num_rows
    2
    """
    restored = recast.restore_targets(schema)
    types = _types(restored, columns, dtype)
    options = _read_options(
        table, version, columns, limit, types, repeated_pages, workers, progress, call="cd.read_clicdata_batches"
    )
    reader = _with_schema_columns(_stream(client_of(session, table), options), restored, columns)
    if columns is None:
        _check_columns_exist(reader.schema.names, schema=restored)
    return _cast_batches(reader, types) if restored else reader


@shown_briefly
@parameters_from(read_clicdata)
@counts_requests
def columns(
    table: TableId, *, dtype_backend: DtypeBackend | None = None, session: Session | None = None
) -> pd.DataFrame:
    """List the columns of a table: their names, their ClicData types, and the dtypes that a read returns.

    Only the first page of the table is read.

    Parameters
    ----------
    {table}
    {dtype_backend}
    {session}

    Returns
    -------
    DataFrame
        One row per column, with ``column``, ``dtype``, ``clicdata_type`` and ``note``. ``dtype`` holds the dtypes
        themselves. A type is missing if the service lists no types. A note says so if the dtype is that of the first
        rows and others may change it: whole numbers with nulls are ``Int64`` instead of ``int64``, for example. The row
        id of the service is not listed, because a read leaves it out.

    Raises
    ------
    TableNotFoundError
        No table has this RecId or name.
    IncompleteReadError
        The first page could not be read.
    TypeError, ValueError
        An argument is wrong. Nothing was requested.

    See Also
    --------
    ClicDataAccessor.schema : The same for a frame, before it is sent.
    tables : List the tables.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180], "range": [6.1]}).clicdata.push("Planes with columns")
    >>> cd.columns(receipt)
    column  clicdata_type  dtype
    seats   number         int64
    range   number         float64
    """
    checked = api.checked_table(table)
    to_pandas.checked_backend(dtype_backend)
    dtype_backend = dtype_backend or defaults.dtype_backend
    walk = _PageReader(client_of(session, table), ReadOptions(table=checked, dtype_of=lambda name: None))
    page = walk.first
    names = walk.selected(row_codec.names_in(page.rows, list(walk.declared)))
    inferred = {}
    for name, decoded in walk.decoded(page.rows, names).items():
        column = row_codec.unify([decoded] if page.rows else [], name, mixed_as_text=walk.takes_text(name))
        inferred[name] = infer.infer_column(column, walk.declared.get(name, ""))
    frame = to_pandas.to_frame(inferred, len(page.rows), dtype_backend=dtype_backend)
    note = ""
    if walk.more_follows:
        of_all = "" if page.total is None else f" of {page.total:,}"
        note = f"of the first {len(page.rows):,}{of_all} rows"
    lines = []
    for name in names:
        data_type = walk.declared.get(name)
        lines.append((name, frame[name].dtype, data_type, "" if data_type in _OF_ONE_DTYPE else note))
    listed = pd.DataFrame(lines, columns=["column", "dtype", "clicdata_type", "note"])
    return ColumnListing.of(listed, f"{counted(len(listed), 'column')} of table {walk.table.label}")


def _read_options(
    table: object,
    version: int | None,
    columns: Sequence[str] | None,
    limit: int | None,
    dtype: Any,
    repeated_pages: RepeatedPages,
    workers: int | None,
    progress: bool | Progress | None,
    index_names: Sequence[str] = (),
    *,
    call: str,
) -> ReadOptions:
    wanted = None if columns is None else _names("columns", columns)
    if wanted is not None:
        wanted += [name for name in index_names if name not in wanted]
    checked_progress(progress)
    workers = defaults.workers if workers is None else workers
    checked = api.checked_table(table)
    return ReadOptions(
        table=checked,
        version=None if version is None else check_whole_number("version", version, least=0),
        columns=wanted,
        limit=None if limit is None else check_whole_number("limit", limit, least=0),
        dtype_of=_read_as(dtype),
        shows_progress=True,
        repeated_pages=repeated_pages,
        workers=DEFAULT_WORKERS if workers is None else check_whole_number("workers", workers, least=1),
        call=f"{call}({checked!r}",
    )


def _types(
    restored: Mapping[str, Any], columns: Sequence[str] | None, dtype: Any, index_names: Sequence[str] = ()
) -> Any:
    """Return the dtype of each column that is read; ``dtype=`` takes precedence."""
    if not restored or (dtype is not None and not isinstance(dtype, Mapping)):
        return dtype
    wanted = [*restored] if columns is None else [*_names("columns", columns), *index_names]
    read = {name: target for name, target in restored.items() if name in wanted}
    return {**read, **(dtype or {})}


def _read_as(types: Any) -> Callable[[str], Any]:
    """Return a function from a column to the dtype to decode for; restored columns are decoded from their text."""
    if not isinstance(types, Mapping):
        return lambda name: types
    return {name: str if isinstance(dtype, recast.RestoreTarget) else dtype for name, dtype in types.items()}.get


def _with_schema_columns(
    reader: pa.RecordBatchReader, restored: Mapping[str, Any], columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """Return the reader; if the table is empty and its columns are not listed, one with those of ``schema=``."""
    if reader.schema.names or not restored or columns is not None or any(batch.num_rows for batch in reader):
        return reader
    return pa.schema([(name, pa.string()) for name in restored]).empty_table().to_reader()


def _cast_batches(reader: pa.RecordBatchReader, types: Mapping[str, Any]) -> pa.RecordBatchReader:
    """Restore the columns of ``schema=`` in each batch."""
    to = {name: target for name, target in types.items() if isinstance(target, recast.RestoreTarget)}
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
    """Return the names as a list without duplicates.

    Raises
    ------
    TypeError, ValueError
        They are not a list of names, or a name occurs twice.
    """
    if isinstance(names, str):
        raise TypeError(f"{option}= must be a list of names: {option}=[{names!r}]")
    if not isinstance(names, Iterable):
        raise TypeError(f"{option}= must be a list of names, not {names!r}.")
    listed = list(names)
    for position, name in enumerate(listed):
        if not isinstance(name, str):
            raise TypeError(f"{option}= must be a list of names, but {name!r} is not a string.")
        if name in listed[:position]:
            raise ValueError(f"{option}= names {name!r} twice.")
    return listed


def _index_names(index_col: str | Sequence[str] | None) -> list[str]:
    if index_col is None or isinstance(index_col, str):
        return [] if index_col is None else [index_col]
    names = _names("index_col", index_col)
    if not names:
        raise ValueError("index_col=[] names no column. Leave it out for a default index.")
    return names


def _checked_dates(parse_dates: object) -> Any:
    if parse_dates is None or parse_dates is False or isinstance(parse_dates, Mapping):
        return parse_dates or None
    if parse_dates is True:
        raise TypeError(
            "parse_dates=True would parse the index. Name the columns instead: parse_dates=['…']. A column in"
            " index_col= can be among them."
        )
    names: Any = parse_dates
    return _names("parse_dates", names)


def _check_columns_exist(names: Sequence[str], **options: Any) -> None:
    """Refuse options that name columns that the table lacks.

    Raises
    ------
    ColumnNotFoundError
        An option does.
    """
    for option, value in options.items():
        absent = [name for name in value or () if name not in names]
        if absent:
            raise ColumnNotFoundError(
                f"{option}= names {', '.join(map(repr, absent))}, which the table does not have."
                f"{did_you_mean(str(absent[0]), names)} Its columns: {', '.join(map(repr, names)) or 'none'}."
            )


@shown_briefly
def _chunks(reader: pa.RecordBatchReader, size: int, conversion: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Yield frames of one size; the last one may be smaller. A table without rows yields one empty frame."""
    if not reader.schema.names:
        yield from _chunks_without_columns(reader, size)
        return
    held = reader.schema.empty_table()
    yielded = 0
    for batch in reader:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= size:
            yield _chunk(held.slice(0, size), conversion, yielded)
            held, yielded = held.slice(size), yielded + size
    if held.num_rows or not yielded:
        yield _chunk(held, conversion, yielded)


def _chunks_without_columns(reader: pa.RecordBatchReader, size: int) -> Iterator[pd.DataFrame]:
    """Yield frames without columns, whose rows an Arrow table does not count."""
    held, yielded = 0, False
    for batch in reader:
        held += batch.num_rows
        while held >= size:
            yield to_pandas.to_frame({}, size)
            held, yielded = held - size, True
    if held or not yielded:
        yield to_pandas.to_frame({}, held)


def _chunk(rows: pa.Table, conversion: Mapping[str, Any], first_row: int) -> pd.DataFrame:
    # Copied, because columns may stay in Arrow, where a slice shares the memory of its page with the next chunk.
    inferred = {
        name: infer.InferredColumn(
            pa.chunked_array([pa.concat_arrays([piece]) for piece in column.chunks], column.type)
        )
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    }
    return to_pandas.to_frame(inferred, rows.num_rows, stable=True, first_row=first_row, **conversion)
