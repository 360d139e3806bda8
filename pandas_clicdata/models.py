"""What the rooms hand to each other: frozen, plain, and without behaviour that needs the network."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar
from urllib.parse import quote, quote_plus

from pandas_clicdata.display import facts_html

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

T = TypeVar("T")

BATCH_ROWS = 500
"""Rows a request may carry at most (P: 2022.01)."""


DEFAULT_TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for each part of a reply."""


class Secret:
    """A text that shows itself nowhere: not in a repr, an f-string, a traceback's locals, or a pickle.

    Examples
    --------
    >>> Secret("hunter2")
    Secret('***')
    >>> f"{Secret('hunter2')}"
    '***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """Wrap a text; None stays None, and a Secret itself."""
        return value if value is None or isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (each._value.encode("utf-8", "surrogatepass") for each in (self, other))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled; give the credentials again where they are needed.")


_TOKEN_LIKE = re.compile(
    r"""(?ix)
    ( ["']?(?:access_token|refresh_token|client_secret|api[_-]?key|password|authorization)["']?\s*[:=]\s*["']? )
    [^"'&\s,}]+
    | \b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]+ """
)
_EXCERPT_CHARACTERS = 300
_LEAST_SECRET_CHARACTERS = 4


def _forms(secret: Secret) -> Iterator[str]:
    """The ways in which a reply may quote a secret: as it is, in a form, in JSON, in base64."""
    value = secret.reveal()
    # Of a header, "Bearer abc", also the "abc" alone.
    for text in (value, value.rpartition(" ")[2]):
        if len(text) >= _LEAST_SECRET_CHARACTERS:
            yield from (text, quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
            yield from (html.escape(text), repr(text)[1:-1])
            yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
            yield base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the API, without credentials.

    ``repeatable`` says that sending it twice leaves the service as sending it once does.
    """

    operation: str
    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    repeatable: bool = False
    rows: int = 0

    @property
    def line(self) -> str:
        """The request line, for logs and errors."""
        query = "&".join(f"{key}={value}" for key, value in self.params)
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One whole HTTP reply, of any status; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    attempts: int = 1
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    def redact(self, text: str) -> str:
        """Blank out every credential in use, and whatever looks like one."""
        for form in sorted({form for secret in self.secrets for form in _forms(secret)}, key=len, reverse=True):
            text = text.replace(form, "***")
        return _TOKEN_LIKE.sub(lambda match: f"{match[1] or match[2] + ' '}***", text)

    def excerpt(self) -> str:
        """The body's beginning, redacted, on one line."""
        text = " ".join(self.redact(self.body.decode("utf-8", "replace")).split())
        return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + " …"


@dataclass(frozen=True)
class Exchange(Generic[T]):
    """A request with the function that reads its reply."""

    request: Request
    read: Callable[[Reply], T] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When and how long to wait before a request is sent again.

    Only requests that can be repeated without harm, or that provably did nothing, are ever sent again.

    Parameters
    ----------
    attempts : int, default 5
        Tries in all, the first one included.
    backoff, max_backoff : float, default 0.5 and 30
        Seconds before the second try, doubled for each further one up to the maximum, with jitter.
    min_retry_after, max_retry_after : float, default 0.1 and 120
        Floor and cap, in seconds, of a ``Retry-After`` that the service asks for.

    Examples
    --------
    >>> RetryPolicy(attempts=2).attempts
    2
    """

    attempts: int = 5
    backoff: float = 0.5
    max_backoff: float = 30.0
    min_retry_after: float = 0.1
    max_retry_after: float = 120.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.backoff, self.max_backoff, self.min_retry_after, self.max_retry_after) < 0:
            raise ValueError(f"A retry policy needs at least one attempt and no negative times, not {self}.")


class ColumnType(StrEnum):
    """The column types of ClicData (P)."""

    TEXT = "text"
    NUMBER = "number"
    DATETIME = "datetime"
    DATE = "date"
    PERCENTAGE = "percentage"
    CHECKBOX = "checkbox"
    DROPDOWN = "dropdown"


ROW_ID_TYPES = frozenset({"id", "rec_id"})
"""What the type of the row id column is called, in two ages of the service (P)."""


@dataclass(frozen=True)
class Column:
    """A column of a ClicData table; its type is text, for the service may have types unknown here."""

    name: str
    data_type: str


class Kind(Enum):
    """What JSON says a column's values are."""

    NULL = "nothing but null"
    INTEGER = "whole numbers"
    FLOAT = "numbers"
    LITERAL = "numbers that only their text gives back"
    BOOLEAN = "true or false"
    TEXT = "text"


@dataclass(frozen=True)
class Decoded:
    """A column as it came, for a page or many: int64 or uint64, float64, bool, or text.

    ``whole`` tells of LITERAL numbers that each is a whole number.
    """

    kind: Kind
    array: ChunkedArray = field(repr=False)
    whole: bool = False


class Encoding(StrEnum):
    """How a planned column's Arrow values are written in JSON."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    LITERAL = "literal"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATETIME = "datetime"
    DATE = "date"


@dataclass(frozen=True)
class Wire:
    """How a column is written in JSON; ``quoted`` makes text of numbers and truth values."""

    encoding: Encoding
    quoted: bool = False


@dataclass(frozen=True)
class PlannedColumn:
    """What becomes of one column of a frame."""

    name: str
    dtype: str
    data_type: ColumnType
    wire: Wire
    note: str = ""


@dataclass(frozen=True)
class Framing:
    """The JSON around a row's cells: ``opening + (prefixes[i] + cell) for each column + closing``."""

    opening: str
    prefixes: tuple[str, ...]
    closing: str


@dataclass(frozen=True)
class TableRef:
    """A table of the account; ``fields`` is all that the service said of it."""

    rec_id: int
    name: str | None = None
    description: str | None = None
    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def label(self) -> str:
        return f"RecId {self.rec_id}" if self.name is None else f"{self.name!r} (RecId {self.rec_id})"


@dataclass(frozen=True)
class TableList:
    """One page of the account's tables."""

    tables: Sequence[TableRef]
    has_more: bool | None
    total: int | None


@dataclass(frozen=True)
class Page:
    """One page of a table's rows, each a mapping of column to JSON value, numbers exact.

    Of ``total`` (rows in the whole table), ``number`` (this page's) and ``has_more``, each is None where the reply
    does not say.
    """

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    columns: Sequence[Column] | None = None
    has_more: bool | None = None
    total: int | None = None
    number: int | None = None


@dataclass(frozen=True)
class InsertCounts:
    """What the reply to an insert counted; None where the dialect has no counts."""

    inserted: int | None = None
    found: int | None = None


@dataclass(frozen=True)
class Account:
    """The account a session is on; ``fields`` is all that the service said of it.

    Examples
    --------
    >>> Account.from_fields({"id": 7, "name": "Acme", "domain": "acme.clicdata.com", "plan": "team"})
    Account(id=7, name='Acme', domain='acme.clicdata.com')
    """

    id: Any
    name: str | None
    domain: str | None
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Account:
        return cls(fields.get("id"), fields.get("name"), fields.get("domain"), MappingProxyType(dict(fields)))


WriteStatus = Literal["confirmed", "unverified", "dry_run"]


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """The receipt of a write.

    Attributes
    ----------
    operation : str
        ``"push"``, ``"append"`` or ``"delete_rows"``.
    rec_id : int or None
        The table's RecId; None only for the dry run of a table that is yet to be made.
    name : str or None
        Its name, if that is known.
    rows : int or None
        Rows in the frame; for ``delete_rows`` the distinct keys. None for the dry run of a stream.
    sent, confirmed, rejected : int
        Rows sent, rows that the replies counted, rows that they refused.
    batches, retries : int
        Requests that carried rows (in a dry run: that would), and how often one of them was safely tried again.
    seconds : float
        Time taken.
    status : {"confirmed", "unverified", "dry_run"}
        ``confirmed``: the replies counted every row. ``unverified``: each was accepted, in a dialect without counts.
    columns : tuple of PlannedColumn
        What was sent for each column.
    """

    operation: str
    rec_id: int | None
    name: str | None
    rows: int | None
    sent: int
    confirmed: int
    rejected: int
    batches: int
    retries: int
    seconds: float
    status: WriteStatus
    columns: tuple[PlannedColumn, ...] = field(default=(), repr=False)

    def _repr_html_(self) -> str:
        facts: list[tuple[str, object]] = [
            ("table", self.name if self.name is not None else "not known"),
            ("RecId", self.rec_id if self.rec_id is not None else "not made yet"),
            ("rows", "a stream" if self.rows is None else f"{self.rows:,}"),
            ("sent", f"{self.sent:,}"),
            ("confirmed", f"{self.confirmed:,}"),
            ("rejected", f"{self.rejected:,}"),
            ("batches", f"{self.batches:,}"),
            ("retries", f"{self.retries:,}"),
            ("seconds", f"{self.seconds:.2f}"),
            ("status", self.status.replace("_", " ")),
            ("columns", ", ".join(f"{column.name} ({column.data_type})" for column in self.columns)),
        ]
        return facts_html(f"ClicData {self.operation}", facts)
