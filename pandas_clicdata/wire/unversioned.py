"""The dialect without versions (S, O): bare bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from pandas_clicdata.wire.records import picture, said
from pandas_clicdata.wire.replies import Answer, bare, flag, integer

T = TypeVar("T")


@dataclass(frozen=True)
class Unversioned:
    """Requests without ``api_version`` and what comes back."""

    @property
    def name(self) -> str:
        return "unversioned"

    def account(self) -> Exchange[AccountInfo]:
        """``GET /account`` (S)."""
        return bare(operations.ACCOUNT.request(), lambda answer: AccountInfo.from_fields(answer.fields()))

    @property
    def lists_by_name(self) -> bool:
        """Whether the service is told the name that a list is asked for."""
        return True

    def list_tables(
        self, page: int, name: str | None = None, unique_key_available: bool | None = None, refresh: bool | None = None
    ) -> Exchange[TableList]:
        """``GET /data`` (O), which gives all at once; with the filters that are given (P)."""
        flags = {"uniquekeyavailable": unique_key_available, "refresh": refresh}
        params = {} if name is None else {"name": name}
        params |= {key: "true" if value else "false" for key, value in flags.items() if value is not None}
        return bare(
            operations.LIST.request(params=params),
            lambda answer: TableList(answer.tables(), has_more=False, total=integer(answer.fields().get("count"))),
        )

    def read_page(self, rec_id: int, page: int, version: int | None = None) -> Exchange[Page]:
        """``GET /data/{id}?page=N`` or ``GET /data/{id}/v/{ver}?page=N`` (S P)."""
        operation = operations.READ if version is None else operations.READ_VERSION
        return bare(
            operation.request(rec_id, version, params={"page": str(page)}),
            _page,
        )

    def create_table(self, name: str, description: str, columns: Sequence[Column]) -> Exchange[int]:
        """``POST /data``; the new RecId is the bare body (O P)."""
        content = body.new_table(name, description, columns)
        return bare(operations.CREATE.request(content=content), Answer.rec_id)

    def row_framing(self, names: Sequence[str]) -> Framing:
        """Rows as lists of named cells, so that no order of columns has to be known."""
        return body.named_cells(names)

    def find_framing(self, names: Sequence[str]) -> Framing:
        """The conditions of a delete as named cells."""
        return body.named_cells(names)

    def insert(self, rec_id: int, rows: bytes, count: int) -> Exchange[InsertCounts]:
        """``POST /data/{id}/row`` (S P), answered ``{"success": true}`` (O); counts beside it are used (A)."""
        return bare(operations.APPEND_CELLS.request(rec_id, content=body.records(rows), rows=count), _taken)

    @property
    def counts_rows(self) -> bool:
        """Whether the reply to an insert says how many rows it took."""
        return False

    def probe(self) -> Exchange[bool]:
        """``GET /account``, and whether its reply is not that to an insert."""
        return bare(
            operations.ACCOUNT.request(),
            lambda answer: isinstance(answer.content, dict) and "success" not in answer.content,
        )

    def delete(self, rec_id: int, find: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``DELETE /data/{id}/row`` with a body; every ``find`` must match (S P)."""
        # What a first try deleted, a second one no longer finds; but of "first" it would take another row.
        content, repeatable = body.delete(find, multiple_rows), multiple_rows == "all"
        # Nobody has shown the reply; that it is one, empty or not, is all that is asked of it.
        asked = operations.DELETE.request(rec_id, content=content, repeatable=repeatable)
        return bare(asked, lambda answer: None, or_empty=True)

    def update(self, rec_id: int, find: bytes, values: bytes, multiple_rows: MultipleRows = "all") -> Exchange[None]:
        """``PUT /data/{id}/row`` (S) with ``find`` and ``update`` (A)."""
        # The same values given twice leave a row as it is; but "first" may be another row the second time.
        content, repeatable = body.update(find, values, multiple_rows), multiple_rows == "all"
        asked = operations.UPDATE.request(rec_id, content=content, repeatable=repeatable)
        return bare(asked, lambda answer: None, or_empty=True)

    def refresh(self, rec_id: int, method: RefreshMethod) -> Exchange[dict[str, Any]]:
        """``POST /data/{id}/recreate`` and its kin, of which ``/rebuild`` is the method called "reload" (S)."""
        return self.ask(operations.REFRESHES[method].request(rec_id), said)

    def ask(self, request: Request, read: Callable[[Answer], T]) -> Exchange[T]:
        """The request as it is; of one that changes something nobody has shown the reply, so that it may be empty."""
        return bare(request, read, or_empty=request.method != "GET")

    def ask_picture(self, request: Request) -> Exchange[Picture]:
        """The request as it is; the reply is base64 text (S P)."""
        return picture(request)


def _page(answer: Answer) -> Page:
    """The rows; a ``count`` beside them is taken for that of the whole table, as that of a list is (O)."""
    fields = answer.fields()
    return Page(
        answer.rows(),
        answer.columns(),
        has_more=flag(fields.get("has_more_data")),
        total=integer(fields.get("count")),
    )


def _taken(answer: Answer) -> InsertCounts:
    if answer.fields().get("success") is not True:
        answer.unexpected("it does not say success")
    return answer.insert_counts()
