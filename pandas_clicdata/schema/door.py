"""Where data comes in: a DataFrame, or anything that speaks Arrow, to named Arrow columns and nothing else."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata.errors import ColumnNameError, IndexNotSentWarning
from pandas_clicdata.schema.sources import Source, from_series, label_at, stored, stored_type
from pandas_clicdata.schema.values import shown


@dataclass(frozen=True)
class Door:
    """Data that has come in.

    Attributes
    ----------
    columns : sequence of Source
        The columns.
    rows : int or None
        How many rows; None for a stream.
    label : callable
        From a row's position to its label.
    stream : pyarrow.RecordBatchReader or None
        The rows yet to come.
    """

    columns: Sequence[Source]
    rows: int | None
    label: Callable[[int], Any]
    stream: pa.RecordBatchReader | None = None


def enter(obj: object, *, index: bool = False) -> Door:
    """Take in a DataFrame, an Arrow table, batch or reader, or anything with ``__arrow_c_stream__``.

    Raises
    ------
    TypeError
        It is none of these.
    ColumnNameError
        Names are missing, not text, or collide.
    """
    if isinstance(obj, pd.DataFrame):
        return _from_frame(obj, index=index)
    if index:
        raise TypeError(f"index=True is for a DataFrame; {type(obj).__name__} has no index.")
    if isinstance(obj, pa.Table):
        return _from_table(obj)
    if isinstance(obj, pa.RecordBatchReader):
        return _from_stream(obj)
    if hasattr(obj, "__arrow_c_stream__") and not isinstance(obj, pd.Series | pa.ChunkedArray):
        try:
            reader = pa.RecordBatchReader.from_stream(obj)
        except pa.ArrowInvalid as exc:
            raise TypeError(f"A {type(obj).__name__} has no columns: give a frame or table of it. ({exc})") from exc
        # What has a length is in memory already, and can be checked whole before anything is sent.
        return _from_table(reader.read_all()) if hasattr(obj, "__len__") else _from_stream(reader)
    raise TypeError(
        f"Cannot send a {type(obj).__name__}: give a pandas DataFrame, an Arrow table or reader, or another frame with"
        " __arrow_c_stream__ (polars, …). A Series goes as series.to_frame()."
    )


def check_names(names: Sequence[str], labels: Sequence[object] | None = None) -> None:
    """Refuse names that are blank, or that ClicData could take for one another; ``labels`` are those the user gave.

    Raises
    ------
    ColumnNameError
        Saying which.
    """
    if not names:
        raise ColumnNameError("There are no columns, and a table needs at least one.")
    seen: dict[str, object] = {}
    for name, label in zip(names, labels or names, strict=True):
        if not name.strip():
            raise ColumnNameError(f"A column is named {name!r}; a column in ClicData needs a name.", column=name)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ColumnNameError(f"Column name {name!r} is not valid Unicode text.", column=name) from None
        folded = name.strip().casefold()
        if folded in seen:
            both = f"Columns {seen[folded]!r} and {label!r} have names too much alike"
            both = f"Column {label!r} is there twice" if seen[folded] == label else both
            raise ColumnNameError(
                f"{both}; ClicData could take one for the other. Rename one: df.columns = […].", column=name
            )
        seen[folded] = label


def _from_table(table: pa.Table) -> Door:
    names = [str(name) for name in table.column_names]
    check_names(names)
    columns = [
        Source(name, column.type, stored_type(column.type), stored(column))
        for name, column in zip(names, table.columns, strict=True)
    ]
    return Door(columns, table.num_rows, lambda position: position)


def _from_stream(reader: pa.RecordBatchReader) -> Door:
    check_names(reader.schema.names)
    columns = [Source(field.name, field.type, stored_type(field.type)) for field in reader.schema]
    return Door(columns, None, lambda position: position, reader)


def _from_frame(frame: pd.DataFrame, *, index: bool) -> Door:
    pairs = list(_index_columns(frame)) if index else []
    pairs += [(_name(label), frame.iloc[:, position]) for position, label in enumerate(frame.columns)]
    index_names = [name for name, _ in pairs[: len(pairs) - frame.shape[1]]]
    check_names([name for name, _ in pairs], [*index_names, *frame.columns])
    labels = frame.index
    return Door(
        [from_series(name, series) for name, series in pairs], len(frame), lambda position: label_at(labels, position)
    )


def _name(label: object) -> str:
    if isinstance(label, str):
        return str(label)
    if isinstance(label, int | np.integer) and not isinstance(label, bool | np.bool_):
        with contextlib.suppress(ValueError):  # of an int of thousands of digits
            return str(label)
    if isinstance(label, tuple):
        raise ColumnNameError(
            f"Column {shown(label)} has a name of several levels. Make one of them:"
            ' df.columns = [" ".join(map(str, name)) for name in df.columns].'
        )
    raise ColumnNameError(
        f"Column name {shown(label)} is not text. Rename it: df.rename(columns={{{shown(label)}: '…'}})."
    )


def _index_columns(frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series[Any]]]:
    """The index's levels, named as ``reset_index`` names them."""
    # Without names, for pandas would take a level's number for the name of another that is called so.
    unnamed = frame.index.set_names([None] * frame.index.nlevels)
    for level in range(frame.index.nlevels):
        name = frame.index.names[level]
        if name is None:
            name = "index" if frame.index.nlevels == 1 and "index" not in frame.columns else f"level_{level}"
        values = unnamed.get_level_values(level)
        yield _name(name), pd.Series(values.array, index=frame.index, dtype=values.dtype)


def warn_of_index(obj: object) -> None:
    """Warn if a frame's index, which is not sent, carries data: named, of several levels, or of no whole numbers."""
    if not isinstance(obj, pd.DataFrame):
        return
    index = obj.index
    plain = index.nlevels == 1 and index.name is None and (len(index) == 0 or index.dtype.kind in "iu")
    if not plain:
        names = ", ".join(shown(name) for name in index.names if name is not None) or f"of {index.dtype}"
        warnings.warn(
            f"The index ({names}) is not sent. Pass index=True to send it as columns, or df.reset_index(drop=True).",
            IndexNotSentWarning,
            stacklevel=_levels_above_package(),
        )


def _levels_above_package() -> int:
    """How far up the user's own line is."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "pandas_clicdata":
        frame, level = frame.f_back, level + 1
    return level
