"""The page workflow of a read: walk, check that it is complete, hand out Arrow."""

from __future__ import annotations

import hashlib
import marshal
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, get_args

import pyarrow as pa

from pandas_clicdata import endpoints, lookup, rows, schema
from pandas_clicdata.checks import did_you_mean, one_of
from pandas_clicdata.display import Progress, ProgressBar
from pandas_clicdata.errors import (
    ClicDataError,
    ColumnNotFoundError,
    IncompleteReadError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from pandas_clicdata.models import ROW_ID_TYPES, ColumnType, Decoded, Kind, Page, RepeatedPages, TableRef
from pandas_clicdata.threads import started

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


def read(session: Session | None, request: ReadRequest) -> tuple[dict[str, schema.Settled], int]:
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
    names = rows.names_in(walk.first.rows, list(walk.declared))
    pieces: list[tuple[dict[str, Decoded], int]] = []
    with closing(walk.pages()) as pages:
        for page_rows in pages:
            names = rows.names_in(page_rows, names)
            pieces.append((walk.decoded(page_rows, walk.wanted(names)), len(page_rows)))
    selected = walk.selected(names)
    columns = {}
    for name in selected:
        parts = [page[name] if name in page else _nulls(count) for page, count in pieces]
        column = rows.unify(parts, name, mixed_as_text=walk.takes_text(name))
        columns[name] = schema.settle(column, walk.declared.get(name, ""), request.dtype_of(name))
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
    selected = walk.selected(rows.names_in(walk.first.rows, list(walk.declared)))
    first = walk.decoded(walk.first.rows, selected)
    arrow_schema = pa.schema(
        [
            (name, schema.fixed_type(first[name], walk.declared.get(name, ""), request.dtype_of(name)))
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
    ahead = _Ahead(lambda number: endpoints.read_page(session, table.rec_id, number))
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
        meant = lookup.checked_table(request.table)
        self._session = session = endpoints.resolved(session)
        self._request = request
        self.table = lookup.find(session, meant)
        try:
            self.first = lookup.first_page(session, self.table, request.version)
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
        return self.declared.get(name) in _TEXTS or schema.wants_text(self._request.dtype_of(name))

    def decoded(self, page_rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Decoded]:
        """Turn a page's rows into columns."""
        as_text = {name for name in names if schema.wants_text(self._request.dtype_of(name))}
        mixed = {name for name in names if self.declared.get(name) in _TEXTS}
        return dict(zip(names, rows.decode(page_rows, names, as_text=as_text, mixed_as_text=mixed), strict=True))

    def conformed(self, decoded: Decoded, field: pa.Field) -> pa.Array:
        """Bring a page's column to the type of a stream's.

        Raises
        ------
        IncompleteReadError
            It does not go in exactly.
        """
        as_number = schema.number_type(self._request.dtype_of(field.name)) is not None
        as_text = self.takes_text(field.name)
        try:
            return schema.conform(decoded, field.type, as_text=as_text, as_number=as_number).combine_chunks()
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
        return endpoints.read_page(
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
    return [name for name in rows.names_in(page_rows, selected) if name not in selected and name not in hidden]


def _nulls(count: int) -> Decoded:
    return Decoded(Kind.NULL, pa.chunked_array([pa.nulls(count)]))


def _lesser(limit: int | None, total: int | None) -> int | None:
    known = [count for count in (limit, total) if count is not None]
    return min(known) if known else None
