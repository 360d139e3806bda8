"""Take data apart into frames in memory: iterables of frames or dicts, lazy frames, data sets and cursors."""

from __future__ import annotations

import io
import itertools
import os
import sys
import weakref
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from pandas_clicdata.errors import FrameError

_ROWS_OF_DICTS = 10_000
_ROWS_OF_DATA_SETS = 10_000
_END = object()

_begun: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_begun_without_references: deque[object] = deque(maxlen=16)
"""Iterators whose first rows an earlier call has taken, by their ids; those that Python cannot refer to weakly."""


@dataclass(frozen=True)
class Records:
    """Rows as dicts.

    Attributes
    ----------
    rows : sequence of mapping
        The rows, each with its values by column.
    first : int
        The position of the first row in the data.
    """

    rows: Sequence[Mapping[Any, Any]]
    first: int = 0


def records_of(obj: object) -> Records | None:
    """Return a collection of dicts as records; None for another object."""
    if not isinstance(obj, Collection) or _is_refused(obj):
        return None
    return Records(list(obj)) if isinstance(next(iter(obj), None), Mapping) else None


def reader_of(obj: Any) -> pa.RecordBatchReader | None:
    """Return the reader of a data set or scanner of pyarrow, or of a database cursor; None for another object."""
    dataset = sys.modules.get("pyarrow.dataset")
    if dataset is not None and isinstance(obj, dataset.Dataset):
        obj = _scanner(obj, dataset)
    if dataset is not None and isinstance(obj, dataset.Scanner):
        return obj.to_reader()
    # ADBC and others that follow its extension of the DB-API.
    return obj.fetch_record_batch() if callable(getattr(obj, "fetch_record_batch", None)) else None


def _scanner(obj: Any, dataset: Any) -> Any:
    """Return a scanner that reads little ahead, because the rows are sent more slowly than they are read."""
    options: dict[str, Any] = {}
    of_format = getattr(getattr(obj, "format", None), "default_fragment_scan_options", None)
    parquet = getattr(dataset, "ParquetFragmentScanOptions", None)
    # Options that the caller has set stay. By default, all row groups of a file are read ahead.
    if parquet is not None and isinstance(of_format, parquet) and of_format == parquet():
        options["fragment_scan_options"] = parquet(pre_buffer=False)
    return obj.scanner(
        batch_size=_ROWS_OF_DATA_SETS, batch_readahead=1, fragment_readahead=1, use_threads=False, **options
    )


def lazy_frames(obj: Any) -> Iterator[object] | None:
    """Return the frames of a polars LazyFrame or of a Hugging Face data set, one after the other; or None."""
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(obj, polars.LazyFrame):
        # Versions of polars before 1.34 only collect a LazyFrame as a whole.
        return iter(obj.collect_batches() if hasattr(obj, "collect_batches") else [obj.collect()])
    if _package(obj) == "datasets" and hasattr(obj, "with_format") and hasattr(obj, "iter"):
        batches: Iterator[object] = iter(obj.with_format("arrow").iter(batch_size=_ROWS_OF_DATA_SETS))
        return batches
    return None


def numbered(frames: Iterator[object]) -> Iterator[tuple[int, object]]:
    """Yield frames with their numbers, counted from 1; those of a lazy frame have its number."""
    for number, frame in enumerate(frames, 1):
        loaded = lazy_frames(frame)
        yield from ((number, each) for each in ([frame] if loaded is None else loaded))


def frames_in(obj: object) -> tuple[Iterator[object], bool]:
    """Return the frames in an iterable, or its dicts as :class:`Records`; and whether all frames are in memory.

    Raises
    ------
    TypeError
        The object is not an iterable of frames.
    FrameError
        It has no frame, or an earlier call has taken the first ones.
    """
    if not isinstance(obj, Iterable) or _is_refused(obj):
        raise TypeError(refusal(obj))
    iterator = iter(obj)
    if iterator is obj:
        refuse_begun(obj)
        mark_begun(obj)
    first = next(iterator, _END)
    if first is _END:
        raise FrameError(
            f"The {type(obj).__name__} has no rows: it is empty, or was read to its end before. Create it again."
            if iterator is obj
            else f"The {type(obj).__name__} is empty, so there are neither rows nor columns to send."
        )
    rest = itertools.chain([first], iterator)
    if isinstance(first, Mapping):
        return _grouped(rest), False
    return rest, isinstance(obj, Collection) and all(map(_is_in_memory, obj))


def _is_in_memory(frame: object) -> bool:
    return hasattr(frame, "__len__") and _package(frame) != "datasets"


def _grouped(rows: Iterator[Any]) -> Iterator[Records]:
    at = 0
    while group := list(itertools.islice(rows, _ROWS_OF_DICTS)):
        yield Records(group, at)
        at += len(group)


def refuse_begun(obj: object) -> None:
    """Refuse an iterator whose first rows an earlier call has taken.

    Raises
    ------
    FrameError
        The rows would be missing.
    """
    if _begun.get(id(obj)) is obj or any(each is obj for each in _begun_without_references):
        raise FrameError(
            f"An earlier call has read this {type(obj).__name__}, so its first rows would be missing. Create it again,"
            " and pass the new one."
        )


def mark_begun(obj: object) -> None:
    """Remember that rows are taken from an iterator."""
    try:
        _begun[id(obj)] = obj
    except TypeError:
        _begun_without_references.append(obj)


_CONVERSIONS = {
    "compute": "df.compute()",
    "to_pandas": "df.to_pandas()",
    "modin": "df.modin.to_pandas()",
    "toPandas": "df.toPandas()",
    "collect": "df.collect()",
    "to_frame": "series.to_frame()",
}
"""What classes of other packages have that make a frame in memory, and the code that does it."""
_READERS = {".parquet": "read_parquet", ".xlsx": "read_excel", ".xls": "read_excel", ".json": "read_json"}
_ACCEPTED = (
    "pass a pandas DataFrame, an Arrow table or reader, another frame with __arrow_c_stream__, such as a polars"
    " DataFrame, a list of dicts, or an iterable of frames."
)


def _package(obj: object) -> str:
    return type(obj).__module__.partition(".")[0]


def _is_refused(obj: object) -> bool:
    """Return whether an object is not an iterable of frames, although it can be iterated."""
    kinds = (str, bytes, bytearray, memoryview, Mapping, io.IOBase, os.PathLike, np.ndarray, pa.Array, pa.ChunkedArray)
    return isinstance(obj, kinds) or hasattr(obj, "readline") or _conversion(obj) is not None


def _conversion(obj: object) -> str | None:
    return next((code for method, code in _CONVERSIONS.items() if hasattr(type(obj), method)), None)


def refusal(obj: object) -> str:
    """Return the sentence about an object that is not accepted, which says what to pass instead."""
    kind = type(obj)
    package = _package(obj)
    named = kind.__name__ if package == "builtins" else f"{kind.__name__} of {package}"
    return f"Cannot send a{'n' * named.startswith(tuple('aeiouAEIOU'))} {named}: {_remedy(obj)}"


def _remedy(obj: object) -> str:
    code = _conversion(obj)
    if isinstance(obj, str | PurePath) and not isinstance(obj, bytes):
        reader = _READERS.get(PurePath(obj).suffix.lower(), "read_csv") if len(str(obj)) < 256 else "read_csv"
        return f"pass the rows, not the path of a file. Read the file first: pd.{reader}({str(obj)[:60]!r})."
    if isinstance(obj, io.IOBase) or hasattr(obj, "readline"):
        return "pass the rows, not an open file. Read it first: pd.read_csv(file)."
    if isinstance(obj, bytes | bytearray | memoryview):
        return "pass the rows, not bytes. Parse them first: pd.read_csv(io.BytesIO(data))."
    if isinstance(obj, Mapping):
        values = [*obj.values()]
        if values and all(hasattr(value, "__arrow_c_stream__") or hasattr(value, "with_format") for value in values):
            return f"it holds several frames. Pass one of them, such as data[{next(iter(obj))!r}], or data.values()."
        return "convert it to a frame first: pd.DataFrame(data)."
    if isinstance(obj, np.ndarray | list | tuple):
        return "it has no column names. Convert it to a frame first: pd.DataFrame(data, columns=['…'])."
    if code is not None:
        return f"it is not a frame in memory that pandas_clicdata reads. Convert it first: {code}."
    return _ACCEPTED
