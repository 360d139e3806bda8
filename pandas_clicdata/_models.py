"""Plain data that the rooms hand to each other: secrets, requests, replies, tables, columns, receipts, pictures."""

from __future__ import annotations

import base64
import binascii
import codecs
import hmac
import html
import json
import os
import re
import struct
import threading
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Protocol, Self, SupportsIndex, TypeVar
from urllib.parse import quote, quote_plus

from pandas_clicdata._display import facts_html
from pandas_clicdata.errors import printable

if TYPE_CHECKING:
    from pyarrow import ChunkedArray


T = TypeVar("T")

DEFAULT_TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for each part of a reply; a whole reply may take ten times as long."""

MAX_REPLY_BYTES = 512 * 1024 * 1024
"""How large a reply may be, so that one without end does not fill the memory."""

MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""How large the body of an insert may be; common servers take no more than 28 MiB."""

NO_MORE_TRIES: ContextVar[threading.Event | None] = ContextVar("NO_MORE_TRIES", default=None)
"""Where a thread is told that its requests shall not be tried again, nor wait to be."""


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

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled; give the credentials again where they are needed.")


_MEANS_SECRET = re.compile("(?i)password|passwd|pwd|passphrase|secret|token|credential|api[_-]?key")


def means_secret(name: str) -> bool:
    """Whether what stands under this name is not to be shown.

    Examples
    --------
    >>> means_secret("newPassword"), means_secret("name")
    (True, False)
    """
    return _MEANS_SECRET.search(name) is not None


def secrets_in(value: Any) -> Iterator[Secret]:
    """All secrets of a body."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secrets_in(inner)


_TOKEN_LIKE = re.compile(
    r"""(?ix)
    ( ["']?(?:access_token|refresh_token|client_secret|api[_-]?key|password|authorization)["']?\s*[:=]\s*["']? )
    [^"'&\s,}]+
    | \b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]+ """
)
_EXCERPT_CHARACTERS = 300
_MOST_CHARACTERS = 1000
# Looked at, but not shown: in it lies the end of a secret that begins before it.
_MARGIN_CHARACTERS = 2000
_LEAST_SECRET_CHARACTERS = 4
# Of a secret as short as that, text without its blanks holds too many by chance.
_LEAST_JOINED_CHARACTERS = 8
_MOST_DECODED_CHARACTERS = 100_000
_MOST_CONTROLS = 0.05
_HALF_A_CHARACTER = 12
_NOT_SHOWN = "(not shown, because it quotes a credential)"
_SCHEME = re.compile(r"^(Bearer|Basic) ")
_PIECES = re.compile(r"""([\s"'<>,{}\[\]()]+)""")


def _words(secret: Secret) -> Iterator[str]:
    """A secret, and of a header such as "Bearer abc" also the "abc" alone."""
    value = secret.reveal()
    for text in {value, _SCHEME.sub("", value)}:
        if len(_joined(_folded(text))) >= _LEAST_SECRET_CHARACTERS:
            yield text


def _forms(text: str) -> Iterator[str]:
    """The usual ways in which a reply quotes a text: as it is, in a form, in HTML, in JSON, in base64."""
    yield from (text, quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
    yield from (html.escape(text), repr(text)[1:-1])
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text on one line, without these secrets and whatever looks like one.

    The usual forms of a secret are replaced by stars. A reply may quote one in any other encoding, also in several on
    top of each other, so what is left is decoded in every way until nothing changes. A piece of the text in which a
    secret is found then is replaced as a whole; if none of the pieces alone holds it, none of the text is shown.

    Parameters
    ----------
    text : str
        What the service, or a proxy, sent. Of a long text the beginning is returned.
    secrets : iterable of Secret
        What must not be shown.

    Examples
    --------
    >>> redacted("user=me&key=68756e74657232 is wrong", [Secret("hunter2")])
    '*** is wrong'
    """
    words = sorted({word for secret in secrets for word in _words(secret)}, key=len, reverse=True)
    looked_at = _MOST_CHARACTERS + _MARGIN_CHARACTERS
    text, is_cut = text[:looked_at], len(text) > looked_at
    if words:
        forms = sorted({form for word in words for form in _forms(word)}, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, forms)), "***", text, flags=re.IGNORECASE)
        text = _without_encoded(text, _Search(words), is_cut)
    text = _TOKEN_LIKE.sub(lambda match: f"{match[1] or match[2] + ' '}***", text)
    shown = text[:-_MARGIN_CHARACTERS] if is_cut and text != _NOT_SHOWN else text
    is_cut |= len(shown) > _MOST_CHARACTERS
    shown = printable(" ".join(shown[:_MOST_CHARACTERS].split()))
    return f"{shown} …".strip() if is_cut and text != _NOT_SHOWN else shown


def _without_encoded(text: str, search: _Search, is_cut: bool) -> str:
    if not search.finds(text, is_cut):
        return text
    pieces = _PIECES.split(text)
    left = _MOST_DECODED_CHARACTERS
    for place in range(0, len(pieces), 2):
        # One piece does not use up what all of them may.
        search.left = most = min(left, _MOST_DECODED_CHARACTERS // 5)
        if search.finds(pieces[place], is_cut and place == len(pieces) - 1):
            pieces[place] = "***"
        left -= most - search.left
    text = "".join(pieces)
    search.left = _MOST_DECODED_CHARACTERS
    return _NOT_SHOWN if search.finds(text, is_cut) else text


class _Search:
    """Look for words in a text, however it is encoded, in capitals or not.

    Parameters
    ----------
    words : sequence of str
        The words.

    Attributes
    ----------
    left : int
        How many characters it still decodes. Beyond them, every text is taken to hold a word.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.left = _MOST_DECODED_CHARACTERS
        self._words = {_folded(word) for word in words}
        self._joined = {each for word in self._words if len(each := _joined(word)) >= _LEAST_JOINED_CHARACTERS}
        self._least = min(map(len, {*words, *self._words}))
        self._is_ascii = all(word.isascii() for word in words)
        self._is_latin = all(max(word) <= "\xff" for word in words)
        least = self._least
        letters = "!-~" if self._is_ascii else "!-~\xa1-\xff"
        self._plain = re.compile(f"[{letters}]{{{min(map(len, map(_joined, words)))}}}")
        # As short as these may be to hold a word.
        self._base64 = re.compile(rf"[A-Za-z0-9+/_-]{{{least * 4 // 3},}}")
        self._hexadecimal = re.compile(
            rf"(?:(?:0x|\\x)?[0-9a-f]{{2}}[\s,;:._-]{{0,2}}){{{least},}}[0-9a-f]?", re.IGNORECASE
        )
        self._numbers = re.compile(rf"[0-9]{{1,6}}(?:[^0-9A-Za-z]{{1,3}}[0-9]{{1,6}}){{{least - 1},}}")

    def finds(self, text: str, is_cut: bool) -> bool:
        """Whether a word is in the text, or at its end as far as the cut leaves it; also if that takes too long."""
        seen: set[str] = set()
        queue = deque([text])
        while queue:
            each = queue.popleft()
            if each in seen:
                continue
            seen.add(each)
            self.left -= len(each)
            if self.left < 0 or self._holds(each, is_cut):
                return True
            queue += [decoded for decoded in self._decoded(each) if len(decoded) >= self._least]
        return False

    def _holds(self, text: str, is_cut: bool) -> bool:
        folded = _folded(text)
        joined = _joined(folded)
        if any(word in folded for word in self._words) or any(word in joined for word in self._joined):
            return True
        return is_cut and any(_begins_at_the_end(word, folded) for word in self._words)

    def _decoded(self, text: str) -> Iterator[str]:
        """The text with one decoding undone, in each way; what has the alphabet of several is decoded in all."""
        if "\\" in text:
            yield _ESCAPE.sub(_unescaped, text)
        if "%" in text:
            yield _PERCENT.sub(_of_hexadecimal, text)
        if "+" in text:
            yield text.replace("+", " ")
        if "&" in text:
            # HTML replaces a NUL, which is half of a character in UTF-16.
            yield html.unescape(text).replace("\ufffd", "\0")
        if "=" in text:
            yield _QUOTED_PRINTABLE.sub(_of_hexadecimal, text)
        if not text.isascii():
            yield _BYTES.sub(_of_utf_8, text)
        if " " in text or not text.isprintable():
            yield _joined(text)
        if not self._is_latin:
            yield text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            content = text.encode("latin-1", "replace")
            for start in (0, 1):
                yield content[start:].decode("utf-16-le", "replace")
                yield content[start:].decode("utf-16-be", "replace")
        yield from filter(self._is_text, self._fragments(text))

    def _is_text(self, fragment: str) -> bool:
        """Whether a fragment can hold a word; what is no text comes of decoding something else."""
        if not self._is_latin:
            return True
        return any(self._plain.search(_joined(each)) for each in (fragment, _BYTES.sub(_of_utf_8, fragment)))

    def _fragments(self, text: str) -> Iterator[str]:
        """What the parts of a text are in base64, in hexadecimal and in decimal numbers, wherever a group begins."""
        for match in self._base64.finditer(text):
            run = match[0].translate(_URL_SAFE)
            for start in range(4):
                whole = run[start : start + (len(run) - start) // 4 * 4]
                rest = run[start + len(whole) :]
                whole += rest + "=" * (4 - len(rest)) if len(rest) > 1 else ""
                yield base64.b64decode(whole).decode("latin-1")
        for match in self._hexadecimal.finditer(text):
            digits = "".join(re.findall("[0-9a-f]", re.sub(r"0x|\\x", "", match[0].lower())))
            for start in range(2):
                yield bytes.fromhex(digits[start : start + (len(digits) - start) // 2 * 2]).decode("latin-1")
        for match in self._numbers.finditer(text):
            codes = map(int, re.findall("[0-9]+", match[0]))
            yield "".join(chr(code) for code in codes if code < 0x110000)


_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2})|([0-7]{3})|(.))", re.IGNORECASE | re.DOTALL
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_PERCENT = re.compile(r"%u([0-9a-f]{4})|%([0-9a-f]{2})", re.IGNORECASE)
_QUOTED_PRINTABLE = re.compile(r"=\r?\n|=([0-9a-f]{2})", re.IGNORECASE)
_BYTES = re.compile(r"[\x80-\xff]+")
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def _folded(text: str) -> str:
    """A text as it is compared: without capitals, accents as characters of their own, and nothing invisible."""
    if text.isascii():
        return _INVISIBLE.sub("", text).lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return _INVISIBLE.sub("", folded)


def _begins_at_the_end(word: str, text: str) -> bool:
    """Whether a text ends in the middle of a word; behind that, half of an encoded character may stand."""
    least = word[:_LEAST_SECRET_CHARACTERS]
    at = text.find(least, max(0, len(text) - len(word) - _HALF_A_CHARACTER))
    while at >= 0:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text[at:], word, strict=False)))
        if same >= len(text) - at - _HALF_A_CHARACTER:
            return True
        at = text.find(least, at + 1)
    return False


def _joined(text: str) -> str:
    return "".join(_INVISIBLE.sub("", text).split())


def _unescaped(match: re.Match[str]) -> str:
    *hexadecimal, octal, other = match.groups()
    code = next((int(each, 16) for each in hexadecimal if each), int(octal, 8) if octal else None)
    if code is None:
        return _CONTROLS.get(other, other)
    return chr(code) if code < 0x110000 else ""


def _of_hexadecimal(match: re.Match[str]) -> str:
    digits = next(filter(None, match.groups()), None)
    return "" if digits is None else chr(int(digits, 16))


def _of_utf_8(match: re.Match[str]) -> str:
    return match[0].encode("latin-1").decode("utf-8", "replace")


_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the API, without credentials.

    ``repeatable`` says that sending it twice leaves the service as sending it once does; ``fresh_connection`` that it
    must not use a connection that is open already; ``secrets`` are what of its body must not be shown.
    ``counted_rows`` is how many rows it inserts, where the reply counts them: two inserts of the same number do not
    follow each other on one connection, so that the reply to another one shows by its count.
    """

    operation: str
    method: str
    path: str
    params: tuple[tuple[str, str | Secret], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    repeatable: bool = False
    fresh_connection: bool = False
    rows: int = 0
    counted_rows: int = 0
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def line(self) -> str:
        """The request line, for logs and errors."""
        query = "&".join(f"{key}={'***' if means_secret(key) else value}" for key, value in self.params)
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One whole HTTP reply, of any status; header names in lower case.

    ``perhaps_done`` says that a try before this one, whose reply was lost or a failure, may have done the work;
    ``framed`` that the reply says where it ends, so that one that was cut off is noticed whatever it holds.
    ``connection`` is the number of the connection that it came on.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    attempts: int = 1
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    perhaps_done: bool = False
    framed: bool = True
    connection: int = 0

    def redact(self, text: str) -> str:
        """Blank out every credential in use, and whatever looks like one, and escape control characters."""
        return redacted(text, self.secrets)

    def excerpt(self) -> str:
        """The body's beginning, redacted, on one line."""
        beginning = self.body[: 4 * (_MOST_CHARACTERS + _MARGIN_CHARACTERS)]
        try:
            # Its last character may be cut.
            text = codecs.getincrementaldecoder("utf-8")().decode(beginning, final=beginning == self.body)
        except UnicodeDecodeError:
            # Nothing is lost in this one, so that what it holds is found.
            text = beginning.decode("latin-1")
        controls = sum(unicodedata.category(each) == "Cc" and not each.isspace() for each in text)
        if "\0" in text or controls > _MOST_CONTROLS * len(text):
            return f"({len(self.body):,} bytes that are no text)"
        text = self.redact(text)
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
        Tries in all, the first one included; with 1 nothing is ever sent again. A request that the service turns away
        because there are too many (429, and for a request that can be repeated 503 with ``Retry-After``) uses none up,
        because it waits first: ``give_up_after`` bounds that. (It does use them up where these times are set so that
        there is no wait at all.)
    backoff, max_backoff : float, default 0.5 and 30
        Seconds before the second try, doubled for each further one up to the maximum, with jitter.
    min_retry_after, max_retry_after : float, default 0.1 and 120
        Floor and cap, in seconds, of a ``Retry-After`` that the service asks for (A). Of one beyond the cap it is
        tried again after the cap.
    give_up_after : float, default 600
        Seconds after which a request that is turned away again and again fails with ``RateLimitError`` (or
        ``ServerError`` for 503), counted from when it was first turned away or kept waiting because others were. If
        the service asks for a wait beyond that, it fails at once. ``math.inf`` waits as long as it takes.

    Notes
    -----
    All threads of a session share the wait. While the service has asked for one, none of them sends; afterwards one
    request goes first, and the others follow as they are let in, half as many at once as before (once it is one, with
    a pause between two), and step by step more until none has to wait. So many workers and a strict service come to
    the pace that the service admits, and no rows are lost or sent twice: what was turned away did nothing. As long as
    nothing was turned away, nothing is slowed.

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
    give_up_after: float = 600.0

    def __post_init__(self) -> None:
        times = (self.backoff, self.max_backoff, self.min_retry_after, self.max_retry_after, self.give_up_after)
        if self.attempts < 1 or not all(seconds >= 0 for seconds in times):
            raise ValueError(f"A retry policy needs at least one attempt and no negative times, not {self}.")


BATCH_ROWS = 500
"""Rows a request may carry at most (P: 2022.01)."""

MultipleRows = Literal["all", "first"]
"""Which of the rows that match a condition an update or a delete takes (S P)."""

RepeatedPages = Literal["check", "accept"]
"""Whether a page that has the rows of an earlier one must be proven right, or is accepted."""

RefreshMethod = Literal["recreate", "reload", "update", "append", "updateappend"]
"""How a table is filled anew from its source, as the source documents name it (S)."""


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
    """A column of a ClicData table; its type is text: the service may have types unknown here."""

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
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        return f"RecId {self.rec_id}" if self.name is None else f"{self.name!r} (RecId {self.rec_id})"


class TableLike(Protocol):
    """Rows in columns: an object that exports an Arrow stream, such as a DataFrame of pandas or polars."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


TableId = int | str | SupportsIndex
"""A RecId, or the name of a table."""

StrPath = str | os.PathLike[str]


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
class Sent:
    """The outcome of a request that was carried out.

    Attributes
    ----------
    counts : InsertCounts
        What its reply counted.
    retries : int
        How often it was tried again.
    perhaps_twice : bool
        Whether a try before the last may have been carried out too, or may still be.
    connection : int
        The number of the connection that its reply came on.
    """

    counts: InsertCounts = field(default_factory=InsertCounts)
    retries: int = 0
    perhaps_twice: bool = False
    connection: int = 0


@dataclass(frozen=True)
class AccountInfo:
    """The account a session is on; ``fields`` is all that the service said of it.

    Examples
    --------
    >>> AccountInfo.from_fields({"id": 7, "name": "Acme", "domain": "acme.clicdata.com", "plan": "team"})
    AccountInfo(id=7, name='Acme', domain='acme.clicdata.com')
    """

    id: Any
    name: str | None
    domain: str | None
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> AccountInfo:
        return cls(fields.get("id"), fields.get("name"), fields.get("domain"), dict(fields))

    def _repr_html_(self) -> str:
        known = {"id": self.id, "name": self.name, "domain": self.domain}
        facts = {**known, **self.fields}
        return facts_html("ClicData account", [(name, value) for name, value in facts.items() if value is not None])


_SHOWN_ROWS = 20

WriteStatus = Literal["verified", "confirmed", "unverified", "dry_run"]


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """The receipt of a write.

    Attributes
    ----------
    operation : str
        ``"push"``, ``"append"``, ``"update_rows"``, ``"upsert"``, ``"delete_rows"``, ``"restore"``, ``"update_data"``
        or ``"delete_data"``.
    rec_id : int or None
        The table's RecId; None only for the dry run of a table that is yet to be made.
    name : str or None
        Its name, if that is known.
    rows : int or None
        Rows in the frame. None for the dry run of a stream. Where a dict says which rows of the table are meant, it
        counts as one row, sent or not: the service does not say how many rows it met.
    sent, confirmed, rejected : int
        Rows sent, rows that the replies counted or that were found in the table, rows that were refused. A write of
        which rows are refused raises, so that in a receipt none are.
    batches, retries : int
        Requests that carried rows (in a dry run: that would), and how often one of them was safely tried again.
    seconds : float
        Time taken.
    status : {"verified", "confirmed", "unverified", "dry_run"}
        ``verified``: read back and compared. ``confirmed``: the replies counted every row, or it was found in the
        table. ``unverified``: each request was accepted, in a dialect without counts.
    columns : tuple of PlannedColumn
        What was sent for each column.
    matched : int or None
        Rows of the table that the frame's keys meet, where they were looked up.
    preview : DataFrame or None
        In the dry run of a delete, the rows of the table that would go.
    backup : str or None
        The Parquet file with the rows that a replace took away; :func:`restore` puts them back.
    stale_marks : tuple of str
        With ``stamp=``: the marks of tries that were given up. Rows that carry one came late and may be deleted at any
        time; the write has deleted those that came before its end.
    notes : tuple of str
        What else there is to know, in sentences.
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
    matched: int | None = None
    preview: Any = field(default=None, repr=False, compare=False)
    backup: str | None = None
    stale_marks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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
        if self.matched is not None:
            facts.append(("rows matched", f"{self.matched:,}"))
        if self.backup is not None:
            facts.append(("backup", self.backup))
        if self.stale_marks:
            facts.append(("stale marks", ", ".join(self.stale_marks)))
        facts += [("note", note) for note in self.notes]
        table = facts_html(f"ClicData {self.operation}", facts)
        return table if self.preview is None else table + str(self.preview.to_html(max_rows=_SHOWN_ROWS))


_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_FORMATS = ((_PNG, "png"), (_JPEG, "jpeg"), (b"GIF8", "gif"), (b"BM", "bmp"))
_PNG_SIZE = struct.Struct(">II")
_PNG_SIZE_AT = 16


@dataclass(frozen=True)
class Records:
    """One page of a list of records.

    ``has_more``, ``total`` and ``number``, which page it is, are None where the reply does not say; ``full`` is
    whether it says which page it is and how many records one takes, and these are as many.
    """

    records: Sequence[Mapping[str, Any]] = field(repr=False)
    has_more: bool | None = None
    total: int | None = None
    number: int | None = None
    full: bool = False


class Picture:
    """A picture of a dashboard. It shows itself in a notebook; ``bytes(picture)`` is the file's content.

    Parameters
    ----------
    content : bytes
        The image file.

    Raises
    ------
    ValueError
        The content is no PNG, JPEG, GIF or BMP.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
    >>> picture = cd.Picture.from_base64(pixel)
    >>> picture
    <Picture: png, 1 x 1, 68 bytes>
    >>> bytes(picture)[:4]
    b'\\x89PNG'
    """

    def __init__(self, content: bytes) -> None:
        found = next((name for magic, name in _FORMATS if content.startswith(magic)), None)
        if found is None:
            raise ValueError("This is no PNG, JPEG, GIF or BMP image.")
        self._content = bytes(content)
        self.format = found

    @classmethod
    def from_base64(cls, text: str) -> Picture:
        """Read a picture from its base64 text, as the service sends it (S P), or from a ``data:`` address.

        Raises
        ------
        TypeError, ValueError
            It is no text, no base64, or no image.
        """
        if not isinstance(text, str):
            raise TypeError(f"A picture is read from its base64 text, not from {text!r}.")
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            content = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("This is no base64 text.") from None
        return cls(content)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels; None for other formats than PNG."""
        if self.format != "png" or len(self._content) < _PNG_SIZE_AT + _PNG_SIZE.size:
            return None
        width, height = _PNG_SIZE.unpack_from(self._content, _PNG_SIZE_AT)
        return int(width), int(height)

    def to_base64(self) -> str:
        """Return the base64 text."""
        return base64.b64encode(self._content).decode("ascii")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image to a file, over one that is there.

        Parameters
        ----------
        path : path-like
            Where to. Without a suffix it gets that of the format.

        Returns
        -------
        Path
            The file.
        """
        target = Path(path)
        if not target.suffix:
            target = target.with_suffix(f".{self.format}")
        target.write_bytes(self._content)
        return target

    def __bytes__(self) -> bytes:
        return self._content

    def __len__(self) -> int:
        return len(self._content)

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, Picture) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        size = "" if self.size is None else f"{self.size[0]} x {self.size[1]}, "
        return f"<Picture: {self.format}, {size}{len(self):,} bytes>"

    def _repr_png_(self) -> bytes | None:
        return self._content if self.format == "png" else None

    def _repr_jpeg_(self) -> bytes | None:
        return self._content if self.format == "jpeg" else None

    def _repr_html_(self) -> str | None:
        # What a notebook has no form of its own for.
        if self.format in ("png", "jpeg"):
            return None
        return f'<img src="data:image/{self.format};base64,{self.to_base64()}" alt="a dashboard">'


RunStatus = Literal["triggered", "succeeded"]


@dataclass(frozen=True, kw_only=True)
class ScheduleRun:
    """A run of a schedule that was triggered.

    Attributes
    ----------
    rec_id : int
        The schedule's RecId.
    status : {"triggered", "succeeded"}
        ``triggered``: the service took the request, and how the run ends was not waited for. A run that failed is an
        error, :class:`ScheduleFailedError`.
    seconds : float
        Time taken.
    fields : mapping
        The last that the service said: of the trigger, or of the schedule after its run.
    """

    rec_id: int
    status: RunStatus
    seconds: float
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        said = {name: value for name, value in self.fields.items() if value is not None}
        facts = [("schedule", said.pop("name", "not known")), ("RecId", self.rec_id), ("status", self.status)]
        above = {"id": self.rec_id, "rec_id": self.rec_id, "status": self.status}
        rest = [(name, value) for name, value in said.items() if name not in above or value != above[name]]
        return facts_html("ClicData schedule", [*facts, ("seconds", f"{self.seconds:.2f}"), *rest])
