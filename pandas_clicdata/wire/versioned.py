"""The dialect with versions (P): ``api_version`` in the request, ``success``/``result`` around the reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pandas_clicdata.models import (
    AccountInfo,
    Column,
    Exchange,
    Framing,
    InsertCounts,
    MultipleRows,
    Page,
    Picture,
    RefreshMethod,
    Request,
    TableList,
)
from pandas_clicdata.wire import body, operations
from pandas_clicdata.wire.records import has_more, picture, said, total
from pandas_clicdata.wire.replies import Answer, integer, wrapped
from pandas_clicdata.wire.unversioned import Unversioned

T = TypeVar("T")

LIST_PAGE_SIZE = 100
LIST_VERSION = "2025.3"
INSERT_VERSION = "2022.01"
REFRESH_VERSION = "2025.3"

_PLAIN = Unversioned()
"""Where nothing else has been shown, the same is asked with the version added (A)."""


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
        asked = self._in_version(_PLAIN.account().request)
        return wrapped(asked, lambda answer: AccountInfo.from_fields(answer.fields()))

    @property
    def lists_by_name(self) -> bool:
        """Whether the service is told the name that a list is asked for; nobody has shown how."""
        return False

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """``GET /table`` in 2025.3 (P), ``GET /data`` before it (A).

        Raises
        ------
        ValueError
            A filter is asked for that nobody has shown there; a service that ignored it would list other tables.
        """
        for option, wanted in (("unique_key_available", unique_key_available), ("refresh", refresh)):
            if wanted is not None:
                raise ValueError(
                    f"{option}= is a filter of the API without versions; in {self.version}, which this session speaks,"
                    " none is known. Leave it out."
                )
        modern = key(self.version) >= key(LIST_VERSION) or self._speaks(LIST_VERSION)
        params = {"page": str(page), "page_size": str(LIST_PAGE_SIZE)}
        asked = (operations.LIST_TABLE if modern else operations.LIST).request(params=params)
        return wrapped(
            self._in_version(asked, LIST_VERSION),
            lambda answer: TableList(answer.tables(), has_more=has_more(answer), total=total(answer)),
        )

    def read_page(self, rec_id: int, page: int, version: int | None = None) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` with the paging in ``pagination`` (A)."""
        return wrapped(
            self._in_version(_PLAIN.read_page(rec_id, page, version).request),
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
        return wrapped(self._in_version(_PLAIN.create_table(name, description, columns).request), Answer.rec_id)

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as objects, before 2022.01 as lists of named cells (P)."""
        return body.objects(names) if self._has_insert else body.named_cells(names)

    def find_framing(self, names: Sequence[str]) -> Framing:
        """The conditions of a delete as named cells."""
        return body.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/insert``, at most 500 rows, with counts (2022.01, P); before it ``/table/{id}`` (P)."""
        operation = operations.INSERT if self._has_insert else operations.INSERT_TABLE
        asked = replace(operation.request(rec_id, content=body.records(rows), rows=count), counted_rows=count)
        return wrapped(self._in_version(asked, INSERT_VERSION), Answer.insert_counts)

    @property
    def counts_rows(self) -> bool:
        """Whether the reply to an insert says how many rows it took."""
        return True

    def probe(self) -> Exchange[bool]:
        """``GET /account``, and whether its reply is not that to an insert."""
        return wrapped(
            self._in_version(_PLAIN.account().request),
            lambda answer: bool(answer.content) and answer.insert_counts() == InsertCounts(),
        )

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``DELETE /data/{id}/row`` with a body (A)."""
        return wrapped(self._in_version(_PLAIN.delete(rec_id, find, multiple_rows).request), lambda answer: None)

    def update(self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``PUT /data/{id}/row`` with ``find`` and ``update`` (A)."""
        asked = _PLAIN.update(rec_id, find, values, multiple_rows).request
        return wrapped(self._in_version(asked), lambda answer: None)

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """``POST /table/{id}/refresh`` in 2025.3 (P), before it as without versions (A)."""
        asked = operations.REFRESHES[method].request(rec_id)
        if key(self.version) >= key(REFRESH_VERSION) or self._speaks(REFRESH_VERSION):
            # Both know "reload"; that what the source documents call "recreate" is this mode is by elimination (A).
            mode = {"mode": "rebuild" if method == "recreate" else method}
            asked = operations.REFRESH_TABLE.request(rec_id, fields=mode, repeatable=asked.repeatable)
        return wrapped(self._in_version(asked, REFRESH_VERSION), said)

    def ask(self, request: Request, read: Callable[[Answer], T]) -> Exchange[T]:
        """The same request with the version added, and the reply wrapped (A)."""
        return wrapped(self._in_version(request), read)

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """The same request with the version added; the base64 text is the result (A)."""
        return picture(self._in_version(request))

    def _in_version(self, request: Request, seen_in: str | None = None) -> Request:
        """The request with this version, or with the one it was seen in if the service speaks that."""
        if any(name == "api_version" for name, _ in request.params):
            return request
        version = seen_in if seen_in is not None and self._speaks(seen_in) else self.version
        return replace(request, params=(*request.params, ("api_version", version)))

    @property
    def _has_insert(self) -> bool:
        return key(self.version) >= key(INSERT_VERSION) or self._speaks(INSERT_VERSION)

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
