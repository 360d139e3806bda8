"""The dialect with versions (P): ``api_version`` in the request, ``success``/``result`` around the reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pandas_clicdata.models import (
    AccountInfo,
    Column,
    Exchange,
    Framing,
    InsertCounts,
    Page,
    Picture,
    Request,
    TableList,
)
from pandas_clicdata.wire import body
from pandas_clicdata.wire.records import has_more, picture, total
from pandas_clicdata.wire.replies import Answer, integer, wrapped

T = TypeVar("T")

LIST_PAGE_SIZE = 100
LIST_VERSION = "2025.3"
INSERT_VERSION = "2022.01"


@dataclass(frozen=True)
class Versioned:
    """Requests with ``api_version`` and what comes back.

    Parameters
    ----------
    version : str
        The version asked for.
    supported : tuple of str
        The versions the service said it speaks. Where it is known to speak the one an operation was seen in, that
        operation is asked for in it.
    """

    version: str
    supported: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"versioned, {self.version}"

    def account(self) -> Exchange[AccountInfo]:
        """``GET /account`` (A)."""
        request = Request(operation="account", method="GET", path="/account", params=self._params(), repeatable=True)
        return wrapped(request, lambda answer: AccountInfo.from_fields(answer.fields()))

    def list_tables(self, page: int, name: str | None = None) -> Exchange[TableList]:
        """``GET /table`` in 2025.3 (P), ``GET /data`` before it (A)."""
        modern = key(self.version) >= key(LIST_VERSION) or self._speaks(LIST_VERSION)
        params = (("page", str(page)), ("page_size", str(LIST_PAGE_SIZE)))
        request = Request(
            operation="list",
            method="GET",
            path="/table" if modern else "/data",
            params=params + self._params(LIST_VERSION),
            repeatable=True,
        )
        return wrapped(
            request, lambda answer: TableList(answer.tables(), has_more=has_more(answer), total=total(answer))
        )

    def read_page(self, rec_id: int, page: int, version: int | None = None) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` with the paging in ``pagination`` (A)."""
        path = f"/data/{rec_id}" if version is None else f"/data/{rec_id}/v/{version}"
        params = (("page", str(page)), *self._params())
        request = Request(operation="read", method="GET", path=path, params=params, repeatable=True)
        return wrapped(
            request,
            lambda answer: Page(
                answer.rows(),
                answer.columns(),
                has_more=has_more(answer),
                total=total(answer),
                number=integer(answer.pagination.get("current_page")),
            ),
        )

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> Exchange[int]:
        """``POST /data``; the result is the RecId, or an object with it (A)."""
        content = body.new_table(name, description, columns)
        request = Request(operation="create", method="POST", path="/data", params=self._params(), body=content)
        return wrapped(request, Answer.rec_id)

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as objects, before 2022.01 as lists of named cells (P)."""
        return body.objects(names) if self._has_insert else body.named_cells(names)

    def find_framing(self, names: Sequence[str]) -> Framing:
        """The conditions of a delete as named cells."""
        return body.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/insert``, at most 500 rows, with counts (2022.01, P); before it ``/table/{id}`` (P)."""
        request = Request(
            operation="insert",
            method="POST",
            path=f"/data/{rec_id}/insert" if self._has_insert else f"/table/{rec_id}",
            params=self._params(INSERT_VERSION),
            body=body.records(rows),
            rows=count,
        )
        return wrapped(request, _counts)

    def delete(self, rec_id: int, find: bytes) -> Exchange[None]:
        """``DELETE /data/{id}/row`` with a body (A)."""
        # What a first try deleted, a second one no longer finds.
        request = Request(
            operation="delete",
            method="DELETE",
            path=f"/data/{rec_id}/row",
            params=self._params(),
            body=body.delete_all(find),
            repeatable=True,
        )
        return wrapped(request, lambda answer: None)

    def update(self, rec_id: int, find: bytes, values: bytes) -> Exchange[None]:
        """``PUT /data/{id}/row`` with ``find`` and ``update`` (A)."""
        # The same values given twice leave a row as it is.
        request = Request(
            operation="update",
            method="PUT",
            path=f"/data/{rec_id}/row",
            params=self._params(),
            body=body.update_all(find, values),
            repeatable=True,
        )
        return wrapped(request, lambda answer: None)

    def ask(self, request: Request, read: Callable[[Answer], T]) -> Exchange[T]:
        """The same request with the version added, and the reply wrapped (A)."""
        return wrapped(self._in_version(request), read)

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """The same request with the version added; the base64 text is the result (A)."""
        return picture(self._in_version(request))

    def _in_version(self, request: Request) -> Request:
        named = any(name == "api_version" for name, _ in request.params)
        return request if named else replace(request, params=(*request.params, *self._params()))

    @property
    def _has_insert(self) -> bool:
        return key(self.version) >= key(INSERT_VERSION) or self._speaks(INSERT_VERSION)

    def _params(self, seen_in: str | None = None) -> tuple[tuple[str, str], ...]:
        version = seen_in if seen_in is not None and self._speaks(seen_in) else self.version
        return (("api_version", version),)

    def _speaks(self, version: str) -> bool:
        return key(version) in map(key, self.supported)


def key(version: str) -> tuple[int, ...]:
    """Order versions; ``2022.1`` and ``2022.01`` name the same (P).

    Examples
    --------
    >>> key("2022.1") == key("2022.01") < key("2025.3")
    True
    """
    return tuple(int(part) if part.isascii() and part.isdigit() else -1 for part in version.split("."))


def _counts(answer: Answer) -> InsertCounts:
    fields = answer.content if isinstance(answer.content, dict) else {}
    return InsertCounts(integer(fields.get("rows_inserted")), integer(fields.get("rows_found")))
