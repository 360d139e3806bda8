"""Fuzz the decoding of a reply: from raw bytes to rows, to columns, to a DataFrame.

Decoding must end within the time limit and raise only errors of this package. To run the fuzzer for ten minutes from
the root of the project::

    pip install -e ".[fuzz]"
    python tests/fuzz/decode.py -max_total_time=600 -timeout=10 -rss_limit_mb=2048 FOLDER tests/fuzz/corpus

FOLDER keeps the inputs that the fuzzer finds, and a failing input as ``crash-…``. Copy interesting inputs to
``corpus``, which test_corpus.py runs.

The mutator changes tokens of JSON, because coverage does not reach into the parser, which is written in C. The first
byte of an input selects the dialect and the options of the read; the rest is the body.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

if __name__ == "__main__":
    import atheris

    # Only modules imported here count for coverage; they are imported again below, by name.
    with atheris.instrument_imports(include=["pandas_clicdata"]):
        import pandas_clicdata  # noqa: F401

import pandas as pd
import pyarrow as pa

from pandas_clicdata._models import ColumnType, Page, PageRows, Reply
from pandas_clicdata.client import operations
from pandas_clicdata.client.dialects import Unversioned, Versioned
from pandas_clicdata.client.page_decoder import PageDecoder
from pandas_clicdata.errors import ClicDataError
from pandas_clicdata.types import infer, recast, row_codec, to_pandas

DIALECTS = (Unversioned(), Versioned("2025.3"))
DTYPES: tuple[object, ...] = (
    None,
    "str",
    "Int64",
    "float64",
    "boolean",
    "datetime64[us, Europe/Paris]",
    "timedelta64[ns]",
    "category",
    pd.ArrowDtype(pa.decimal128(38, 4)),
    "period[M]",
    "int8",
    object,
)
TARGETS = tuple(
    recast.restore_targets({"x": dtype})["x"]
    for dtype in (
        *(
            "int8",
            "UInt64",
            "float16",
            "float32",
            "boolean",
            "datetime64[s, Asia/Tokyo]",
            "timedelta64[us]",
            "period[W]",
        ),
        *(pd.IntervalDtype("float64", "right"), pd.SparseDtype("int16", 0), pd.CategoricalDtype(["x", "", "true"])),
        *(pd.CategoricalDtype([0, 1, 2**53 + 1]), dt.date, dt.time, dt.timedelta, Decimal),
        *(pa.decimal128(5, 2), pa.decimal256(76, 38), pa.date64(), pa.time32("s"), pa.time64("ns"), pa.duration("ms")),
        *(pa.timestamp("ns", "America/New_York"), pa.dictionary(pa.int8(), pa.int64()), pa.binary(), pa.null()),
        *(pa.list_(pa.float64()), pa.list_(pa.timestamp("s")), pa.struct({"a": pa.decimal128(5, 2)})),
        *(pa.map_(pa.string(), pa.time32("ms")), pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    )
)
"""Dtypes that columns may have had before a push."""
BACKENDS = (None, "numpy_nullable", "pyarrow")
_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)


def decode_input(data: bytes) -> None:
    """Decode one reply; errors of this package are a valid outcome."""
    choice, content = (data[0], data[1:]) if data else (0, b"")
    dialect = DIALECTS[choice % 2]
    dtype, backend = DTYPES[choice // 2 % len(DTYPES)], BACKENDS[choice // 24 % len(BACKENDS)]
    check_page_decoder(content)
    with contextlib.suppress(ClicDataError):
        page = dialect.read_page(7, 1).read(Reply(status=200, body=content))
        # Also without the dtype, because one column that does not fit it makes the whole read an error.
        for wanted in (None, dtype):
            with contextlib.suppress(ClicDataError):
                decode_whole(page, wanted, backend)
            with contextlib.suppress(ClicDataError):
                decode_stream(page, wanted)
        decode_restored(page, TARGETS[choice % len(TARGETS)])


def check_page_decoder(body: bytes) -> None:
    """Compare the fast decoder of pages with the reference; the second page has the layout of the first."""
    decoder = PageDecoder()
    for _ in range(2):
        assert outcome(decoder.loads, body) == outcome(operations.loads, body)


def outcome(loads: Callable[[bytes], Any], body: bytes) -> str:
    """Return what a parser returns, as text, with the rows as a list."""
    try:
        content = loads(body)
    except ValueError:
        return "refused"

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: plain(value[name]) for name in sorted(value)}
        return [plain(each) for each in value] if isinstance(value, PageRows | list) else value

    try:
        return repr(plain(content))
    except RecursionError:
        return "deep"


def decode_whole(page: Page, dtype: Any, backend: str | None) -> None:
    """Decode the page as if it were two pages."""
    inferred = inferred_columns(page, dtype)
    with ignore_warnings():
        frame = to_pandas.to_frame(dict(inferred), len(page.rows), dtype=dtype, dtype_backend=backend)
    assert frame.shape == (len(page.rows), len(inferred))
    for values in inferred.values():
        infer.arrow_column(values)


def decode_restored(page: Page, target: recast.RestoreTarget) -> None:
    """Decode one column after the other with schema=, as a frame and as a batch."""
    for name, column in inferred_columns(page, str).items():
        with ignore_warnings():
            with contextlib.suppress(ClicDataError):
                frame = to_pandas.to_frame({name: column}, len(page.rows), dtype={name: target})
                assert frame[name].dtype == target.dtype
            with contextlib.suppress(ClicDataError):
                assert len(target.array(name, column.values, 0)) == len(page.rows)


def inferred_columns(page: Page, dtype: Any) -> dict[str, infer.InferredColumn]:
    """Return the columns of a page, read as two pages, as read.read() reads them."""
    declared = {column.name: column.data_type for column in page.columns or ()}
    names = row_codec.names_in(page.rows, list(declared))
    half = len(page.rows) // 2
    pieces = [decode_columns(part, names, declared, dtype) for part in (page.rows[:half], page.rows[half:])]
    inferred = {}
    for name in names:
        mixed = declared.get(name) in _TEXTS or infer.is_text_dtype(dtype)
        column = row_codec.unify([piece[name] for piece in pieces], name, mixed_as_text=mixed)
        inferred[name] = infer.infer_column(column, declared.get(name, ""), dtype)
        assert len(inferred[name].values) == len(page.rows)
    return inferred


def decode_stream(page: Page, dtype: Any) -> None:
    """Decode the page in chunks, as if it were two pages, as read.stream() does."""
    declared = {column.name: column.data_type for column in page.columns or ()}
    names = row_codec.names_in(page.rows, list(declared))
    half = (len(page.rows) + 1) // 2
    first, second = (decode_columns(part, names, declared, dtype) for part in (page.rows[:half], page.rows[half:]))
    for name in names:
        target = infer.fixed_type(first[name], declared.get(name, ""), dtype)
        as_text = declared.get(name) in _TEXTS or infer.is_text_dtype(dtype)
        as_number = infer.number_type(dtype) is not None
        for piece in (first[name], second[name]):
            # The stream reports values that do not fit exactly with its own error.
            with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                array = infer.conform(piece, target, as_text=as_text, as_number=as_number)
                assert array.type == target
                with ignore_warnings():
                    to_pandas.to_frame({name: infer.InferredColumn(array)}, len(array), dtype=dtype, stable=True)


def decode_columns(part: Any, names: list[str], declared: Mapping[str, str], dtype: object) -> dict[str, Any]:
    as_text = set(names) if infer.is_text_dtype(dtype) else set()
    mixed = {name for name in names if declared.get(name) in _TEXTS}
    return dict(zip(names, row_codec.decode(part, names, as_text=as_text, mixed_as_text=mixed), strict=True))


@contextlib.contextmanager
def ignore_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


TOKEN = re.compile(rb'"(?:[^"\\\\]|\\\\.)*"|[-+0-9.eE]+|true|false|null|.', re.DOTALL)
VALUE = re.compile(rb'["0-9tfn-]')
VALUES = (
    *(b"0", b"-0", b"-0.0", b"1", b"1.5", b"0.1", b"1e22", b"1e400", b"-1e-400", b"1E+4294967306", b"1e-76", b"1e76"),
    *(b"9007199254740993", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"127", b"128"),
    *(b"3.14159265358979323846", b"0e99999", b"9" * 76, b"9" * 77, b"0." + b"1" * 40, b"true", b"false", b"null"),
    *(
        b'""',
        b'"x"',
        b'"00123"',
        b'"true"',
        b'"1"',
        b'"NaN"',
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\\u0000"',
        b'"\xed\xa0\x80"',
    ),
    *(b'"2024-02-29"', b'"2023-02-29"', b'"0000-01-01"', b'"9999-12-31"', b'"2024-01"', b'"P1DT2H"', b'"P99999999D"'),
    *(
        b'"2024-02-29 12:00:00"',
        b'"2024-02-29 12:00:00.000001"',
        b'"0001-01-01T00:00:00+23:59"',
        b'"1700-01-01T24:00Z"',
    ),
    *(b'"[1.5]"', b'"[1e400]"', b'"{\\"a\\": \\"1.10\\"}"', b'"eHl6"', b'"2024-02-26/2024-03-03"', b'"(0.5, 1.0]"'),
    *(b"[]", b"{}", b"[1,[2]]", b'{"a":1.10}', b'"a"', b'"b"', b'"name"', b'"data_type"', b'"columns"', b'"data"'),
    *(f'"{each}"'.encode() for each in ColumnType),
)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change tokens of an input, or sometimes its bytes."""
    chance = random.Random(seed)
    if len(data) < 3 or chance.random() < 0.2:
        return bytes(atheris.Mutate(data, max_size))
    choice = chance.randrange(256) if chance.random() < 0.3 else data[0]
    tokens = TOKEN.findall(data[1:])
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(tokens) + 1)
        end = min(len(tokens), start + chance.choice((1, 1, 2, 3, 5, 8, 13)))
        values = [at for at, token in enumerate(tokens) if VALUE.match(token)]
        match chance.randrange(5):
            case 0:
                del tokens[start:end]
            case 1:
                to = chance.randrange(len(tokens) + 1)
                tokens[to:to] = tokens[start:end]
            case _ if values:
                tokens[chance.choice(values)] = chance.choice(VALUES)
    return (bytes([choice]) + b"".join(tokens))[:max_size]


if __name__ == "__main__":
    atheris.Setup(sys.argv, decode_input, custom_mutator=mutate)
    atheris.Fuzz()
