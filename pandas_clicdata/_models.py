"""The plain data of the package: secrets, requests, replies, tables, columns, receipts, pictures."""

from __future__ import annotations

import base64
import binascii
import codecs
import copy
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
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from inspect import Parameter, Signature
from itertools import takewhile
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    NoReturn,
    Protocol,
    Self,
    SupportsIndex,
    TypeVar,
    overload,
)
from urllib.parse import quote, quote_plus

from pandas_clicdata._display import (
    Tone,
    badge,
    code,
    counted,
    facts_table,
    facts_view,
    folded,
    frame_html,
    muted,
    paragraph,
    sentence,
    table_html,
    text_html,
    view,
)
from pandas_clicdata.errors import printable

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import ChunkedArray

    from pandas_clicdata.session import Session


T = TypeVar("T")

DEFAULT_TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for each part of a request or a reply, which may take ten times the latter."""

MAX_REPLY_BYTES = 512 * 1024 * 1024
"""The default maximum size of a reply, so that an endless reply does not fill the memory."""

MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""The default maximum size of the body of an insert. Common servers accept at most 28 MiB."""


class Stop(threading.Event):
    """An event that stops the retries of some threads, and the waits before them.

    Attributes
    ----------
    abandoned : bool
        Whether the caller has returned without waiting for the replies to the requests in flight.
    """

    abandoned: bool = False

    def abandon(self) -> None:
        """Stop the retries, and wait for no reply."""
        self.abandoned = True
        self.set()


STOP_RETRIES: ContextVar[Stop | None] = ContextVar("STOP_RETRIES", default=None)
"""What stops the retries of a thread. None if they cannot be stopped."""


class Secret:
    """A text that is not shown in a repr, an f-string or the local variables of a traceback, and is not pickled.

    Parameters
    ----------
    value : str
        The text.

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
        """Wrap a text. None and a Secret are returned unchanged."""
        return value if value is None or isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """Return the text."""
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
        raise TypeError("A secret cannot be pickled. Give the credentials again in the other process.")


_MEANS_SECRET = re.compile("(?i)password|passwd|pwd|passphrase|secret|token|credential|api[_-]?key")


def is_secret_name(name: str) -> bool:
    """Return whether a name is that of a secret, whose value must not be shown.

    Parameters
    ----------
    name : str
        The name of a parameter or field.

    Returns
    -------
    bool
        True for names that contain "password", "token" and the like.

    Examples
    --------
    >>> is_secret_name("newPassword"), is_secret_name("name")
    (True, False)
    """
    return _MEANS_SECRET.search(name) is not None


def find_secrets(value: Any) -> Iterator[Secret]:
    """Yield all secrets in a value and in the mappings and lists that it holds."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from find_secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from find_secrets(inner)


_TOKEN_LIKE = re.compile(
    r"""(?ix)
    ( ["']?(?:access_token|refresh_token|client_secret|api[_-]?key|password|authorization)["']?\s*[:=]\s*["']? )
    [^"'&\s,}]+
    | \b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]+ """
)
_EXCERPT_CHARACTERS = 300
_MAX_SHOWN_CHARACTERS = 1000
# Searched but not shown: a secret may start before these characters and end in them.
_MARGIN_CHARACTERS = 2000
_MIN_SECRET_CHARACTERS = 4
# Text without its white space contains shorter secrets by chance too often.
_MIN_JOINED_CHARACTERS = 8
_MAX_DECODED_CHARACTERS = 100_000
_MAX_CONTROL_SHARE = 0.05
_MAX_ENCODED_CHARACTER_LENGTH = 12
_NOT_SHOWN = "(not shown, because it contains a credential)"
_SCHEME = re.compile(r"^(Bearer|Basic) ")
_PIECES = re.compile(r"""([\s"'<>,{}\[\]()]+)""")


def _words(secret: Secret) -> Iterator[str]:
    """Yield a secret, and the "abc" of a header such as "Bearer abc", if they are long enough."""
    value = secret.reveal()
    for text in {value, _SCHEME.sub("", value)}:
        if len(_joined(_folded(text))) >= _MIN_SECRET_CHARACTERS:
            yield text


def _forms(text: str) -> Iterator[str]:
    """Yield the usual forms of a text in a reply: unchanged, in a form, in HTML, in JSON, in base64."""
    yield from (text, quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
    yield from (html.escape(text), repr(text)[1:-1])
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text on one line without these secrets, and without values that look like secrets.

    The usual forms of a secret are replaced by stars. A reply may quote a secret in another encoding, or in several
    encodings on top of each other. Therefore the rest is decoded from all common encodings until nothing changes. A
    piece of the text in which this finds a secret is replaced as a whole. If no single piece holds the secret, the text
    is not shown.

    Parameters
    ----------
    text : str
        A text from the service or a proxy. Only the beginning of a long text is returned.
    secrets : iterable of Secret
        The secrets.

    Returns
    -------
    str
        The redacted text.

    Examples
    --------
    >>> redacted("user=me&key=68756e74657232 is wrong", [Secret("hunter2")])
    '*** is wrong'
    """
    words = sorted({word for secret in secrets for word in _words(secret)}, key=len, reverse=True)
    searched = _MAX_SHOWN_CHARACTERS + _MARGIN_CHARACTERS
    text, is_cut = text[:searched], len(text) > searched
    if words:
        forms = sorted({form for word in words for form in _forms(word)}, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, forms)), "***", text, flags=re.IGNORECASE)
        text = _without_encoded(text, _Search(words), is_cut)
    text = _TOKEN_LIKE.sub(lambda match: f"{match[1] or match[2] + ' '}***", text)
    shown = text[:-_MARGIN_CHARACTERS] if is_cut and text != _NOT_SHOWN else text
    is_cut |= len(shown) > _MAX_SHOWN_CHARACTERS
    shown = printable(" ".join(shown[:_MAX_SHOWN_CHARACTERS].split()))
    return f"{shown} …".strip() if is_cut and text != _NOT_SHOWN else shown


def _without_encoded(text: str, search: _Search, is_cut: bool) -> str:
    if not search.finds(text, is_cut):
        return text
    pieces = _PIECES.split(text)
    left = _MAX_DECODED_CHARACTERS
    for place in range(0, len(pieces), 2):
        # One piece must not use up the budget of all pieces.
        search.left = most = min(left, _MAX_DECODED_CHARACTERS // 5)
        if search.finds(pieces[place], is_cut and place == len(pieces) - 1):
            pieces[place] = "***"
        left -= most - search.left
    text = "".join(pieces)
    search.left = _MAX_DECODED_CHARACTERS
    return _NOT_SHOWN if search.finds(text, is_cut) else text


class _Search:
    """Search a text for words in any encoding and in any case.

    Parameters
    ----------
    words : sequence of str
        The words.

    Attributes
    ----------
    left : int
        How many more characters are decoded. Beyond this budget, every text counts as one that contains a word.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.left = _MAX_DECODED_CHARACTERS
        self._words = {_folded(word) for word in words}
        self._joined = {each for word in self._words if len(each := _joined(word)) >= _MIN_JOINED_CHARACTERS}
        self._least = min(map(len, {*words, *self._words}))
        self._is_ascii = all(word.isascii() for word in words)
        self._is_latin = all(max(word) <= "\xff" for word in words)
        least = self._least
        letters = "!-~" if self._is_ascii else "!-~\xa1-\xff"
        self._plain = re.compile(f"[{letters}]{{{min(map(len, map(_joined, words)))}}}")
        # The shortest encoded texts that can hold a word.
        self._base64 = re.compile(rf"[A-Za-z0-9+/_-]{{{least * 4 // 3},}}")
        self._hexadecimal = re.compile(
            rf"(?:(?:0x|\\x)?[0-9a-f]{{2}}[\s,;:._-]{{0,2}}){{{least},}}[0-9a-f]?", re.IGNORECASE
        )
        self._numbers = re.compile(rf"[0-9]{{1,6}}(?:[^0-9A-Za-z]{{1,3}}[0-9]{{1,6}}){{{least - 1},}}")

    def finds(self, text: str, is_cut: bool) -> bool:
        """Return whether a text contains a word, ends in a cut word, or exceeds the budget."""
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
        """Yield the text decoded in each encoding whose alphabet it matches."""
        if "\\" in text:
            yield _ESCAPE.sub(_unescaped, text)
        if "%" in text:
            yield _PERCENT.sub(_of_hexadecimal, text)
        if "+" in text:
            yield text.replace("+", " ")
        if "&" in text:
            # HTML replaces a NUL byte, which is one half of a character in UTF-16.
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
        """Return whether a fragment can hold a word, or results from decoding something else."""
        if not self._is_latin:
            return True
        return any(self._plain.search(_joined(each)) for each in (fragment, _BYTES.sub(_of_utf_8, fragment)))

    def _fragments(self, text: str) -> Iterator[str]:
        """Yield the parts of a text decoded from base64, hexadecimal and decimal numbers, from each possible start."""
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
    """Return a text for comparison: in lower case, decomposed, and without invisible characters."""
    if text.isascii():
        return _INVISIBLE.sub("", text).lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return _INVISIBLE.sub("", folded)


def _begins_at_the_end(word: str, text: str) -> bool:
    """Return whether a text ends in the middle of a word, which part of an encoded character may follow."""
    least = word[:_MIN_SECRET_CHARACTERS]
    at = text.find(least, max(0, len(text) - len(word) - _MAX_ENCODED_CHARACTER_LENGTH))
    while at >= 0:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text[at:], word, strict=False)))
        if same >= len(text) - at - _MAX_ENCODED_CHARACTER_LENGTH:
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
    """A request of the API, without credentials.

    Attributes
    ----------
    operation : str
        The operation of the API, for errors.
    method, path : str
        The HTTP method, and the path below the base URL.
    params : tuple of (str, str or Secret)
        The query.
    body : bytes or None
        The body.
    content_type : str
        The type of the body.
    repeatable : bool
        Whether sending the request twice has the same effect as sending it once.
    fresh_connection : bool
        Whether the request needs a new connection.
    rows : int
        How many rows it inserts.
    counted_rows : int
        How many rows it inserts, if the reply counts them. Two inserts with the same number do not follow each other on
        one connection, so that the reply to another insert is detected by its count.
    secrets : tuple of Secret
        The parts of the body that must not be shown.
    once : bool
        Whether a session sends it once: to sign in, or to detect the dialect.
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
    once: bool = False

    @property
    def line(self) -> str:
        """The request line, for logs and errors."""
        query = "&".join(f"{key}={'***' if is_secret_name(key) else value}" for key, value in self.params)
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A complete HTTP reply, of any status.

    Attributes
    ----------
    status : int
        The HTTP status.
    headers : mapping of str to str
        The headers, with names in lower case.
    body : bytes
        The decoded body.
    attempts : int
        How many times the request was tried.
    secrets : tuple of Secret
        What must not be shown if the reply is quoted.
    possibly_done : bool
        Whether an earlier try, whose reply was lost or an error, may have carried out the request.
    framed : bool
        Whether the reply declares its end, so that an incomplete reply is detected for any content.
    connection : int
        The number of the connection.
    note : str
        What an error about this reply says in addition.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    attempts: int = 1
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    possibly_done: bool = False
    framed: bool = True
    connection: int = 0
    note: str = ""

    def redact(self, text: str) -> str:
        """Return a text without credentials, and without values that look like them, on one line."""
        return redacted(text, self.secrets)

    def excerpt(self) -> str:
        """Return the beginning of the body, redacted, on one line."""
        beginning = self.body[: 4 * (_MAX_SHOWN_CHARACTERS + _MARGIN_CHARACTERS)]
        try:
            # The last character may be incomplete.
            text = codecs.getincrementaldecoder("utf-8")().decode(beginning, final=beginning == self.body)
        except UnicodeDecodeError:
            # This encoding keeps all bytes, so that secrets in them are found.
            text = beginning.decode("latin-1")
        controls = sum(unicodedata.category(each) == "Cc" and not each.isspace() for each in text)
        if "\0" in text or controls > _MAX_CONTROL_SHARE * len(text):
            return f"({len(self.body):,} bytes that are not text)"
        text = self.redact(text)
        return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + " …"


@dataclass(frozen=True)
class Exchange(Generic[T]):
    """A request, and the function that reads its reply."""

    request: Request
    read: Callable[[Reply], T] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When a request is retried, and how long to wait before each try.

    Only a request that can be repeated without harm, or that certainly did nothing, is retried.

    Parameters
    ----------
    attempts : int, default 5
        The maximum number of tries, including the first. With 1, a request is never retried. A try that ClicData
        refuses because there are too many requests (HTTP status 429, or 503 with ``Retry-After`` for a request that can
        be repeated) does not count, because ``give_up_after`` limits these tries. It does count if the times below are
        such that there is no wait.
    backoff : float, default 0.5
        Seconds before the second try. The time doubles for each further try, with jitter.
    max_backoff : float, default 30
        The maximum of that time, in seconds.
    min_retry_after : float, default 0.1
        The minimum wait, in seconds, after a reply with ``Retry-After``.
    max_retry_after : float, default 120
        The maximum wait, in seconds, after a reply with ``Retry-After``. If the header asks for more, the request is
        tried again after this time.
    give_up_after : float, default 600
        Seconds after which a request that ClicData keeps refusing fails with ``RateLimitError`` (for status 503 with
        ``ServerError``), counted from its first refusal or from the start of its wait for other requests. If ClicData
        asks for a longer wait, the request fails at once. With ``math.inf`` it never fails for this reason.

    Raises
    ------
    ValueError
        ``attempts`` is less than 1, or a time is negative.

    Notes
    -----
    All threads of a session share the wait: while ClicData asks for one, no thread sends. Then one request is sent. The
    others follow as ClicData accepts them: first half as many at a time as before (if that is one, with an interval
    between two requests), and then step by step more until no request has to wait. So many workers adapt to the rate
    that ClicData allows. No rows are lost or sent twice, because a refused request did nothing. Before the first
    refusal, nothing is slowed down.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> patient = cd.Session(api_key="hush", retry=cd.RetryPolicy(attempts=10, give_up_after=3600))
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
            raise ValueError(f"A RetryPolicy needs attempts= of at least 1 and no negative times, not {self}.")


MAX_BATCH_ROWS = 500
"""The maximum number of rows in a request."""

MultipleRows = Literal["all", "first"]
"""Which of the rows that match a condition are updated or deleted."""

OnBadValues = Literal["raise", "null"]
"""What to do with values that ClicData cannot hold, such as infinities."""

RepeatedPages = Literal["check", "accept"]
"""Whether a page with the rows of an earlier page must be proven correct, or is accepted."""

RefreshMethod = Literal["recreate", "reload", "update", "append", "updateappend"]
"""How a table is refreshed from its source."""


class ColumnType(StrEnum):
    """A column type of ClicData.

    A member is also a text, so ``column_types={"delay": "number"}`` and ``column_types={"delay": ColumnType.NUMBER}``
    are the same.

    Parameters
    ----------
    value : str
        The name of the type, such as ``"number"``.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.ColumnType("number")
    <ColumnType.NUMBER: 'number'>
    >>> [str(each) for each in cd.ColumnType]
    ['text', 'number', 'datetime', 'date', 'percentage', 'checkbox', 'dropdown']
    """

    # The signature that help() shows. That of Enum describes the creation of a new enumeration.
    __signature__ = Signature([Parameter("value", Parameter.POSITIONAL_OR_KEYWORD)])

    TEXT = "text"
    NUMBER = "number"
    DATETIME = "datetime"
    DATE = "date"
    PERCENTAGE = "percentage"
    CHECKBOX = "checkbox"
    DROPDOWN = "dropdown"


ROW_ID_TYPES = frozenset({"id", "rec_id"})
"""The types of the row id column, in old and new versions of ClicData."""


@dataclass(frozen=True)
class Column:
    """A column of a table. Its type is a str, because ClicData may have types that this package does not know."""

    name: str
    data_type: str


class Kind(Enum):
    """The JSON type of the values of a column."""

    NULL = "nothing but null"
    INTEGER = "whole numbers"
    FLOAT = "numbers"
    LITERAL = "numbers that only their text represents exactly"
    BOOLEAN = "true or false"
    TEXT = "text"


@dataclass(frozen=True)
class DecodedColumn:
    """A column as received, of one or more pages.

    Attributes
    ----------
    kind : Kind
        The JSON type of its values.
    array : pyarrow.ChunkedArray
        The values as int64 or uint64, float64, bool, or text.
    whole : bool
        Whether all LITERAL numbers are whole numbers.
    """

    kind: Kind
    array: ChunkedArray = field(repr=False)
    whole: bool = False


class Encoding(StrEnum):
    """How the Arrow values of a planned column are encoded in JSON."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    LITERAL = "literal"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATETIME = "datetime"
    DATE = "date"


@dataclass(frozen=True)
class WireFormat:
    """How a column is encoded in JSON; ``quoted`` encodes numbers and booleans as text."""

    encoding: Encoding
    quoted: bool = False


@dataclass(frozen=True)
class PlannedColumn:
    """How a column of a frame is sent.

    Attributes
    ----------
    name : str
        The name of the column.
    dtype : str
        The dtype in the frame.
    data_type : ColumnType
        The type in ClicData.
    wire : WireFormat
        The encoding in JSON.
    note : str
        What changes in the values, in a sentence; empty if nothing does.
    """

    name: str
    dtype: str
    data_type: ColumnType
    wire: WireFormat
    note: str = ""


@dataclass(frozen=True)
class Framing:
    """The JSON around the cells of a row: ``opening + (prefixes[i] + cell) for each column + closing``."""

    opening: str
    prefixes: tuple[str, ...]
    closing: str


@dataclass(frozen=True)
class TableRef:
    """A table of the account.

    Attributes
    ----------
    rec_id : int
        The RecId.
    name, description : str or None
        The name and the description, if they are known.
    fields : mapping of str to object
        Everything in the reply that lists the table.
    remembered : bool
        Whether the name was not looked up now, so that it may have another table meanwhile.
    """

    rec_id: int
    name: str | None = None
    description: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    remembered: bool = field(default=False, repr=False, compare=False)

    @property
    def label(self) -> str:
        """The name and RecId, for messages."""
        return f"RecId {self.rec_id}" if self.name is None else f"{self.name!r} (RecId {self.rec_id})"

    @property
    def title(self) -> str:
        """The name, or else the RecId, for a heading."""
        return str(self.rec_id) if self.name is None else self.name


class TableLike(Protocol):
    """Rows in columns: an object that exports an Arrow stream, such as a DataFrame of pandas or polars."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class ArrayLike(Protocol):
    """Rows in columns: an object that exports an Arrow array of structs."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> object: ...


class CursorLike(Protocol):
    """Rows of a query: a cursor of ADBC."""

    @property
    def fetch_record_batch(self) -> Callable[..., Any]: ...


class LazyLike(Protocol):
    """Rows that are loaded when they are needed: a polars LazyFrame."""

    @property
    def collect(self) -> Callable[..., Any]: ...


Rows = TableLike | ArrayLike | CursorLike | LazyLike | Iterable[Any]
"""What the write functions accept: a frame, or an iterable of frames or dicts."""

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class TableList:
    """A page of the list of tables. ``has_more`` and ``total`` are None if the reply does not state them."""

    tables: Sequence[TableRef]
    has_more: bool | None
    total: int | None


class PageRows(Sequence[Mapping[str, Any]]):
    """The rows of a page, stored by column.

    Parameters
    ----------
    names : tuple of str
        The columns.
    cells : sequence of sequence
        The JSON values of each column, with exact numbers.
    count : int
        The number of rows.
    kinds : mapping of str to type
        The type of the cells in each column, other than null; ``float`` also for integers beside floats, ``NoneType``
        if all are null, ``object`` for other cells.

    Attributes
    ----------
    inferred : dict of str to DecodedColumn or None
        The columns that :mod:`row_codec` has converted; None for a column whose type it cannot infer.

    Examples
    --------
    >>> rows = PageRows(("a", "b"), [(1, 2), ("x", None)], 2, {"a": int, "b": str})
    >>> rows[1], len(rows[:1])
    ({'a': 2, 'b': None}, 1)
    """

    __slots__ = ("_count", "cells", "inferred", "kinds", "names")

    def __init__(
        self, names: tuple[str, ...], cells: Sequence[Sequence[Any]], count: int, kinds: Mapping[str, type]
    ) -> None:
        self.names = names
        self.cells = cells
        self.kinds = kinds
        self.inferred: dict[str, DecodedColumn | None] = {}
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> PageRows: ...

    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | PageRows:
        if isinstance(index, slice):
            cells = [column[index] for column in self.cells]
            return PageRows(self.names, cells, len(range(self._count)[index]), self.kinds)
        return {name: cells[index] for name, cells in zip(self.names, self.cells, strict=True)}

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (dict(zip(self.names, row, strict=True)) for row in zip(*self.cells, strict=True))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PageRows) and self.names == other.names:
            return self._count == other._count and self.cells == other.cells
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        raise TypeError("unhashable type: 'PageRows'")


@dataclass(frozen=True)
class Page:
    """A page of the rows of a table.

    Attributes
    ----------
    rows : sequence of mapping
        The rows. Each maps column names to JSON values with exact numbers.
    columns : sequence of Column or None
        The columns of the table. None if the reply does not list them.
    has_more : bool or None
        Whether more pages follow. None if the reply does not state it.
    total : int or None
        The number of rows in the table. None if the reply does not state it.
    number : int or None
        The number of the page. None if the reply does not state it.
    """

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    columns: Sequence[Column] | None = None
    has_more: bool | None = None
    total: int | None = None
    number: int | None = None


@dataclass(frozen=True)
class InsertCounts:
    """The counts in the reply to an insert. None if the dialect has no counts."""

    inserted: int | None = None
    found: int | None = None


@dataclass(frozen=True)
class RequestOutcome:
    """The outcome of a request that was carried out.

    Attributes
    ----------
    counts : InsertCounts
        The counts in its reply.
    retries : int
        How many times it was retried.
    possibly_repeated : bool
        Whether an earlier try may have been carried out too, or may still be.
    connection : int
        The number of the connection of its reply.
    """

    counts: InsertCounts = field(default_factory=InsertCounts)
    retries: int = 0
    possibly_repeated: bool = False
    connection: int = 0


@dataclass(frozen=True)
class AccountInfo:
    """The account of a session.

    Parameters
    ----------
    id : object
        The id of the account, if the reply states it.
    name : str or None
        The name of the account, if the reply states it.
    domain : str or None
        The domain of the account, such as ``"acme.clicdata.com"``, if the reply states it.
    fields : mapping of str to object
        Everything in the reply.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> session.whoami().name
    'Sandbox'
    """

    id: Any
    name: str | None
    domain: str | None
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> AccountInfo:
        """Create the account from the fields of a reply.

        Parameters
        ----------
        fields : mapping of str to object
            Everything in the reply.

        Returns
        -------
        AccountInfo
            The account.

        Examples
        --------
        >>> AccountInfo.from_fields({"id": 7, "name": "Acme", "domain": "acme.clicdata.com", "plan": "team"})
        AccountInfo(id=7, name='Acme', domain='acme.clicdata.com')
        """
        return cls(fields.get("id"), fields.get("name"), fields.get("domain"), dict(fields))

    def _repr_html_(self) -> str:
        known = {"name": self.name, "domain": self.domain, "id": self.id}
        facts = [(name, value) for name, value in {**known, **self.fields}.items() if value is not None]
        return facts_view("ClicData account", facts)


_SHOWN_ROWS = 20

WriteStatus = Literal["verified", "confirmed", "unverified", "dry_run"]


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """The receipt of a write.

    Parameters
    ----------
    operation : str
        ``"push"``, ``"append"``, ``"update_rows"``, ``"upsert"``, ``"delete_rows"``, ``"restore"``, ``"update_data"``
        or ``"delete_data"``.
    rec_id : int or None
        The RecId of the table. None only in the dry run of a push that would create the table.
    name : str or None
        The name of the table, if it is known.
    rows : int or None
        The number of rows in the frame. None in the dry run of a stream. A dict that describes rows of the table counts
        as one row, because ClicData does not report how many rows it matches.
    sent : int
        The number of rows that were sent.
    confirmed : int
        The number of rows that the replies counted or that were found in the table.
    rejected : int
        The number of rows that were refused. Always 0, because a write with refused rows raises an error.
    batches : int
        The number of requests that carried rows. In a dry run: that would carry rows.
    retries : int
        How many times such a request was retried.
    seconds : float
        The duration of the write.
    status : {"verified", "confirmed", "unverified", "dry_run"}
        ``verified``: the rows were read back and compared. ``confirmed``: the replies counted all rows, or the rows
        were found in the table. ``unverified``: all requests were accepted, but not every row was counted. ``dry_run``:
        nothing was sent.
    columns : tuple of PlannedColumn, optional
        How each column was sent.
    inserted : int, optional
        The number of rows that were inserted. ``status`` states whether ClicData has counted them; otherwise, it has
        accepted the requests. In a dry run: the number of rows that would be inserted. None if it is not known.
    updated : int, optional
        The same for the rows of the frame that had other values in the table. ``update_rows`` only knows it if it had
        to read the table first.
    unchanged : int, optional
        The number of rows of the frame that the table had already, with equal values. None if it is not known.
    deleted : int, optional
        The same for the rows of the table that were deleted. Deletes only know it if they had to read the table first,
        as with ``max_rows=``.
    matched : int, optional
        The number of rows in the table that match the keys of the frame, if they were looked up.
    preview : DataFrame, optional
        In the dry run of a delete, the rows of the table that would be deleted.
    backup : str, optional
        The Parquet file with the rows that a replace deleted. :func:`restore` restores them.
    stale_stamps : tuple of str, optional
        With ``stamp=``: the stamps of tries whose rows were sent again. Rows that carry one of them arrived late and
        can be deleted at any time. The write has deleted those that arrived before its end.
    notes : tuple of str, optional
        Further information, in sentences.
    requests : int, optional
        The number of HTTP requests that the call has sent: to sign in, to look up the table, to read it, to change it,
        and to try again. In a dry run: that the write would send, if none is tried again.
    estimated_seconds : float, optional
        In a dry run: an estimate of the duration of the write. None if this session has measured no request.
    estimate : str, optional
        In a dry run: how the number of requests and the time were computed.

    Examples
    --------
    >>> import pandas as pd
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> receipt = pd.DataFrame({"seats": [180, 220]}).clicdata.push("Planes")
    >>> receipt.inserted, receipt.status
    (2, 'confirmed')
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
    inserted: int | None = None
    updated: int | None = None
    unchanged: int | None = None
    deleted: int | None = None
    matched: int | None = None
    preview: DataFrame | None = field(default=None, repr=False, compare=False)
    backup: str | None = None
    stale_stamps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    requests: int = 0
    estimated_seconds: float | None = None
    estimate: str = field(default="", repr=False)

    _session: ClassVar[Session | None] = None
    """The session that made the write. Not a field: it is no part of the data, and in no pickle."""

    def _made_by(self, session: Session) -> Self:
        """Let the receipt stand for a table in the account of this session, and return it."""
        object.__setattr__(self, "_session", session)
        return self

    @overload
    def read(self, *, chunksize: None = None, **options: Any) -> DataFrame: ...

    @overload
    def read(self, *, chunksize: int, **options: Any) -> Iterator[DataFrame]: ...

    def read(self, **options: Any) -> DataFrame | Iterator[DataFrame]:
        """Read the table, with the session that wrote it.

        It is the same as ``pd.read_clicdata(receipt)``. Every function that takes a table takes its receipt, too, and
        then uses the session that wrote the table, unless ``session=`` is passed. A receipt that was unpickled knows no
        session, so the default session is used.

        Parameters
        ----------
        **options
            The options of :func:`read_clicdata`: ``columns``, ``limit``, ``schema``, ``dtype_backend`` and others.

        Returns
        -------
        DataFrame or iterator of DataFrame
            The rows, or chunks of them with ``chunksize=``.

        Raises
        ------
        IncompleteReadError
            The rows received are not the whole table.
        TableNotFoundError
            The table was deleted.
        TypeError
            This is the dry run of a push that would create the table; or an argument is wrong.

        Examples
        --------
        >>> import pandas as pd
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> receipt = pd.DataFrame({"plane": ["A320"], "seats": [180]}).clicdata.push("Planes of a receipt")
        >>> receipt.read(columns=["seats"])
           seats
        0    180
        """
        # The package adds its reader to pandas when it is imported. This module imports no other part of it.
        import pandas

        package: Any = pandas
        frames: DataFrame | Iterator[DataFrame] = package.read_clicdata(self, **options)
        return frames

    def _changed(self, **changes: Any) -> Self:
        """Return a copy with other values, of the same session."""
        copied = replace(self, **changes)
        object.__setattr__(copied, "_session", self._session)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_session"}

    def __copy__(self) -> Self:
        return self._changed()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._changed(preview=copy.deepcopy(self.preview, memo))

    @property
    def _title(self) -> str:
        """The operation and the table."""
        name = f"RecId {self.rec_id}" if self.name is None else f'"{self.name}"'
        return f"{self.operation} {_PREPOSITIONS.get(self.operation, 'to')} {name}"

    @property
    def _rec_id_text(self) -> str:
        return "new table" if self.rec_id is None else f"RecId {self.rec_id}"

    @property
    def _done(self) -> list[str]:
        """What was done, in a few words each; in a dry run: what the write would do."""
        counts = (self.inserted, self.updated, self.deleted, self.unchanged)
        batches = counted(self.batches, "request")
        if self.status == "dry_run":
            verbs = ("insert {}", "update {}", "delete {}", "leave {} unchanged")
        else:
            verbs = ("{} inserted", "{} updated", "{} deleted", "{} unchanged")
        known = [(count, verb) for count, verb in zip(counts, verbs, strict=True) if count]
        done = [verb.format(f"{n:,}" if at else counted(n, "row")) for at, (n, verb) in enumerate(known)]
        if self.operation.startswith("update") and self.updated is None:
            done.append(f"{batches} to update rows")
        elif self.operation.startswith("delete") and self.deleted is None:
            done.append(f"{batches} to delete rows")
        elif self.inserted is None:
            done.append("insert a stream of rows" if self.status == "dry_run" else f"{counted(self.sent, 'row')} sent")
        return done or ["change nothing" if self.status == "dry_run" else "nothing changed"]

    @property
    def _duration(self) -> str:
        if self.status != "dry_run":
            return f"{self.seconds:.2f} s" if self.seconds < _MINUTE else f"{self.seconds:,.0f} s"
        requests = counted(self.requests, "request")
        return requests if self.estimated_seconds is None else f"{requests}, about {self.estimated_seconds:.2g} s"

    @property
    def _badge(self) -> tuple[Tone, str, str]:
        if self.status == "unverified" and not self.sent:
            return "plain", "nothing sent", "No row had to be changed."
        return _STATUSES[self.status]

    def __repr__(self) -> str:
        table = self._title if self.name is None else f"{self._title} ({self._rec_id_text})"
        would = "would " if self.status == "dry_run" else ""
        lines = [f"{self._badge[1]}: {table}: {would}{', '.join(self._done)}; {self._duration}"]
        if self.backup is not None:
            lines.append(f"backup: {self.backup}")
        if self.stale_stamps:
            lines.append(f"stale stamps: {', '.join(self.stale_stamps)}")
        lines += [f"note: {note}" for note in self.notes]
        text = "\n  ".join(printable(line) for line in lines)
        return f"<WriteResult {text}>"

    def _repr_html_(self) -> str:
        tone, text, explanation = self._badge
        would = muted("would") if self.status == "dry_run" else ""
        rec_id = muted(self._rec_id_text) if self.name is not None else ""
        done = [f"<b>{text_html(each)}</b>" if at == 0 else text_html(each) for at, each in enumerate(self._done)]
        lines = [
            paragraph(badge(text, tone, explanation), f"<b>{text_html(self._title)}</b>", rec_id),
            paragraph(would, " · ".join([*done, muted(self._duration)])),
        ]
        if self.backup is not None:
            lines.append(paragraph(muted("The rows that were in the table before:"), code(self.backup)))
        if self.stale_stamps:
            lines.append(paragraph(muted("Stamps of rows that do not belong in the table:")))
            lines += [paragraph(code(stamp)) for stamp in self.stale_stamps]
        lines += map(sentence, self.notes)
        if self.preview is not None and len(self.preview):
            lines.append(paragraph(muted("Rows of the table that would be deleted:")))
            lines.append(frame_html(self.preview, most=_SHOWN_ROWS))
        return view(*lines, self._columns_html(), self._details_html())

    def _columns_html(self) -> str:
        if not self.columns:
            return ""
        with_notes = any(column.note for column in self.columns)
        rows = [
            [text_html(each) for each in (column.name, column.data_type, column.dtype, column.note)[: 3 + with_notes]]
            for column in self.columns
        ]
        return folded(
            counted(len(rows), "column"), table_html(("column", "type", "dtype", "note")[: 3 + with_notes], rows)
        )

    def _details_html(self) -> str:
        numbers = {
            "rows of the frame": self.rows,
            "rows sent": self.sent,
            "rows confirmed": self.confirmed,
            "rows rejected": self.rejected,
            "rows of the table that match": self.matched,
            "requests with rows": self.batches,
            "of which repeated": self.retries,
            "all requests": self.requests,
        }
        facts = [(label, f"{number:,}") for label, number in numbers.items() if number]
        return folded("details", facts_table(facts) + (paragraph(muted(self.estimate)) if self.estimate else ""))


_PREPOSITIONS = {
    "upsert": "into", "update_rows": "in", "update_data": "in", "delete_rows": "from", "delete_data": "from",
}  # fmt: skip
_MINUTE = 60
_STATUSES: Mapping[WriteStatus, tuple[Tone, str, str]] = {
    "verified": ("good", "verified", "The table was read back and compared."),
    "confirmed": ("good", "confirmed", "ClicData has counted all rows, or they were found in the table."),
    "unverified": ("careful", "unverified", "ClicData has accepted all requests, but has not counted all rows."),
    "dry_run": ("plain", "dry run", "Nothing was sent."),
}

TableId = int | str | SupportsIndex | WriteResult
"""A RecId, the name of a table, or the receipt of a write to it."""


_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_FORMATS = ((_PNG, "png"), (_JPEG, "jpeg"), (b"GIF8", "gif"), (b"BM", "bmp"))
_PNG_SIZE = struct.Struct(">II")
_PNG_SIZE_AT = 16


@dataclass(frozen=True)
class Records:
    """A page of a list of records.

    Attributes
    ----------
    records : sequence of mapping
        The records.
    has_more : bool or None
        Whether more pages follow. None if the reply does not state it.
    total : int or None
        The number of records in the list. None if the reply does not state it.
    number : int or None
        The number of the page. None if the reply does not state it.
    full : bool
        Whether the reply states the number of the page and its size, and the page has this size.
    """

    records: Sequence[Mapping[str, Any]] = field(repr=False)
    has_more: bool | None = None
    total: int | None = None
    number: int | None = None
    full: bool = False


class Picture:
    r"""A picture of a dashboard.

    A notebook shows the picture. ``bytes(picture)`` is the content of the image file.

    Parameters
    ----------
    content : bytes
        The content of an image file.

    Attributes
    ----------
    format : {"png", "jpeg", "gif", "bmp"}
        The format of the image.

    Raises
    ------
    ValueError
        The content is not a PNG, JPEG, GIF or BMP image.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
    >>> picture = cd.Picture.from_base64(pixel)
    >>> picture
    <Picture: png, 1 x 1, 68 bytes>
    >>> bytes(picture)[:4]
    b'\x89PNG'
    """

    def __init__(self, content: bytes) -> None:
        found = next((name for magic, name in _FORMATS if content.startswith(magic)), None)
        if found is None:
            raise ValueError("This is not a PNG, JPEG, GIF or BMP image.")
        self._content = bytes(content)
        self.format: str = found

    @classmethod
    def from_base64(cls, text: str) -> Picture:
        """Decode a picture from base64 text, which is how ClicData sends it, or from a ``data:`` address.

        Parameters
        ----------
        text : str
            The base64 text or the ``data:`` address.

        Returns
        -------
        Picture
            The picture.

        Raises
        ------
        TypeError
            The value is not a str.
        ValueError
            The text is not base64, or its content is not an image.
        """
        if not isinstance(text, str):
            raise TypeError(f"The base64 text of a picture must be a str, not {text!r}.")
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            content = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("This is not base64 text.") from None
        return cls(content)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels. None for formats other than PNG."""
        if self.format != "png" or len(self._content) < _PNG_SIZE_AT + _PNG_SIZE.size:
            return None
        width, height = _PNG_SIZE.unpack_from(self._content, _PNG_SIZE_AT)
        return int(width), int(height)

    def to_base64(self) -> str:
        """Encode the image file in base64.

        Returns
        -------
        str
            The base64 text.
        """
        return base64.b64encode(self._content).decode("ascii")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image to a file. An existing file is overwritten.

        Parameters
        ----------
        path : path-like
            The file. A path without a suffix gets the suffix of the format.

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
        # A notebook shows the other formats itself.
        if self.format in ("png", "jpeg"):
            return None
        return f'<img src="data:image/{self.format};base64,{self.to_base64()}" alt="a dashboard">'


RunStatus = Literal["triggered", "succeeded"]


@dataclass(frozen=True, kw_only=True)
class ScheduleRun:
    """A run of a schedule that was triggered.

    Parameters
    ----------
    rec_id : int
        The RecId of the schedule.
    status : {"triggered", "succeeded"}
        ``triggered``: ClicData accepted the request; the call did not wait for the end of the run. ``succeeded``: the
        run ended without an error. A run that fails raises :class:`ScheduleFailedError`.
    seconds : float
        The duration of the call.
    fields : mapping of str to object, optional
        The last reply: to the trigger, or about the schedule after its run.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.ScheduleRun(rec_id=7, status="triggered", seconds=0.2)
    ScheduleRun(rec_id=7, status='triggered', seconds=0.2)
    """

    rec_id: int
    status: RunStatus
    seconds: float
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        fields = {name: value for name, value in self.fields.items() if value is not None}
        title = f'ClicData schedule "{fields.pop("name")}"' if "name" in fields else "ClicData schedule"
        above = {"id": self.rec_id, "rec_id": self.rec_id, "status": self.status}
        rest = [(name, value) for name, value in fields.items() if name not in above or value != above[name]]
        facts = [("RecId", self.rec_id), ("seconds", f"{self.seconds:.2f}"), *rest]
        return facts_view(title, facts, mark=badge(self.status, "good" if self.status == "succeeded" else "plain"))
