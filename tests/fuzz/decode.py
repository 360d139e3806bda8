"""Fuzz how a reply is read: raw bytes to rows, to columns, to a DataFrame.

It must end in time, and raise nothing but our own errors. To run it for ten minutes from the root of the project::

    pip install -e ".[fuzz]"
    python tests/fuzz/decode.py -max_total_time=600 -timeout=10 -rss_limit_mb=2048 FOLDER tests/fuzz/corpus

What is found is kept in FOLDER, and a failing input as ``crash-…``. Interesting inputs go into ``corpus``, which the
suite runs (test_fuzz_corpus.py).

The first byte of an input says in which dialect and with which options it is read; the rest is the body.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from pandas_clicdata import rows, schema
from pandas_clicdata.errors import ClicDataError
from pandas_clicdata.models import ColumnType, Page, Reply
from pandas_clicdata.wire import Unversioned, Versioned

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
BACKENDS = (None, "numpy_nullable", "pyarrow")
_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)


def one_input(data: bytes) -> None:
    """Read one reply; errors of ours are a reading, too."""
    choice, content = (data[0], data[1:]) if data else (0, b"")
    dialect = DIALECTS[choice % 2]
    dtype, backend = DTYPES[choice // 2 % len(DTYPES)], BACKENDS[choice // 24 % len(BACKENDS)]
    with contextlib.suppress(ClicDataError):
        page = dialect.read_page(7, 1).read(Reply(status=200, body=content))
        # A dtype that some column does not take is an error for all: so without it, too.
        for wanted in (None, dtype):
            with contextlib.suppress(ClicDataError):
                whole(page, wanted, backend)
            with contextlib.suppress(ClicDataError):
                streamed(page, wanted)


def whole(page: Page, dtype: Any, backend: str | None) -> None:
    """A read, of the page as two: as reading.read does it."""
    declared = {column.name: column.data_type for column in page.columns or ()}
    names = rows.names_in(page.rows, list(declared))
    half = len(page.rows) // 2
    pieces = [decoded(part, names, declared, dtype) for part in (page.rows[:half], page.rows[half:])]
    settled = {}
    for name in names:
        mixed = declared.get(name) in _TEXTS or schema.wants_text(dtype)
        column = rows.unify([piece[name] for piece in pieces], name, mixed_as_text=mixed)
        settled[name] = schema.settle(column, declared.get(name, ""), dtype)
        assert len(settled[name].values) == len(page.rows)
    with as_a_user():
        frame = schema.to_frame(settled, len(page.rows), dtype=dtype, dtype_backend=backend)
    assert frame.shape == (len(page.rows), len(names))
    for values in settled.values():
        schema.arrow_column(values)


def streamed(page: Page, dtype: Any) -> None:
    """A read in chunks, of the page as two: as reading.stream does it."""
    declared = {column.name: column.data_type for column in page.columns or ()}
    names = rows.names_in(page.rows, list(declared))
    half = (len(page.rows) + 1) // 2
    first, second = (decoded(part, names, declared, dtype) for part in (page.rows[:half], page.rows[half:]))
    for name in names:
        target = schema.fixed_type(first[name], declared.get(name, ""), dtype)
        as_text = declared.get(name) in _TEXTS or schema.wants_text(dtype)
        as_number = schema.number_type(dtype) is not None
        for piece in (first[name], second[name]):
            # What does not go in exactly, the stream says in its own words.
            with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                array = schema.conform(piece, target, as_text=as_text, as_number=as_number)
                assert array.type == target
                with as_a_user():
                    schema.to_frame({name: schema.Settled(array)}, len(array), dtype=dtype, stable=True)


def decoded(part: Any, names: list[str], declared: Mapping[str, str], dtype: object) -> dict[str, Any]:
    as_text = set(names) if schema.wants_text(dtype) else set()
    mixed = {name for name in names if declared.get(name) in _TEXTS}
    return dict(zip(names, rows.decode(part, names, as_text=as_text, mixed_as_text=mixed), strict=True))


@contextlib.contextmanager
def as_a_user() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def main() -> None:
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
