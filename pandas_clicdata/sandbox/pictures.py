"""Pictures of dashboards: the rows of a table as a chart, and the chart as a PNG."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import combining, normalize

from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.values import NUMERIC

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

THUMBNAIL = 320, 200
"""Width and height of a small picture, in pixels."""
SNAPSHOT = 1280, 800
"""Width and height of a large picture, in pixels."""

_MAX_BARS = 20
_BINS = 12
_TEXT_TYPES = frozenset({"text", "dropdown"})
_BACKGROUND, _TEXT, _LIGHT_TEXT, _BAR, _NEGATIVE_BAR = "#ffffff", "#1f2933", "#7b8794", "#2f6fb5", "#c0504d"


@dataclass(frozen=True)
class Chart:
    """The content of a picture: a caption, and bars with labels."""

    caption: str
    bars: tuple[tuple[str, float], ...] = ()


def chart(columns: Sequence[Column], total: int, json_rows: bytes) -> Chart:
    """Return the chart of a table: its first number column by its first text column.

    Parameters
    ----------
    columns : sequence of Column
        The columns of the table.
    total : int
        The number of rows of the table.
    json_rows : bytes
        The first rows, as JSON objects with commas between them.

    Examples
    --------
    >>> columns = [Column("day", "text"), Column("delay", "number")]
    >>> chart(columns, 3, b'{"day":"a","delay":1}, {"day":"b","delay":5}, {"day":"a","delay":2}')
    Chart(caption='delay by day (mean), 3 rows', bars=(('a', 1.5), ('b', 5.0)))
    """
    if not total:
        return Chart("no rows yet")
    size = f"{total:,} row{'s' * (total > 1)}"
    number = next((column.name for column in columns if column.data_type in NUMERIC), None)
    group = next((column.name for column in columns if column.data_type in _TEXT_TYPES), None)
    found = [
        (None if group is None else row[group], row[number])
        for row in json.loads(b"[%b]" % json_rows, parse_int=float)
        # A number outside the range of a float cannot be drawn.
        if number is not None and row[number] is not None and math.isfinite(row[number])
    ]
    if not found:
        return Chart(f"{size}, no numbers to draw")
    if group is not None:
        groups: dict[Any, list[float]] = {}
        for label, value in found:
            groups.setdefault(label, []).append(value)
        means = [("(null)" if label is None else label, _mean(values)) for label, values in groups.items()]
        few = f", the first {_MAX_BARS} of {len(means)}" if len(means) > _MAX_BARS else ""
        return Chart(f"{number} by {group} (mean), {size}{few}", tuple(means[:_MAX_BARS]))
    values = [value for _, value in found]
    if len(values) <= _MAX_BARS:
        return Chart(f"{number}, {size}", tuple((str(place), value) for place, value in enumerate(values, 1)))
    return Chart(f"number of rows by {number}, {size}", _histogram(values))


def _mean(values: Sequence[float]) -> float:
    # Each value is divided first, because the sum of large floats may overflow.
    return math.fsum(value / len(values) for value in values)


def _histogram(values: Sequence[float]) -> tuple[tuple[str, float], ...]:
    low, high = min(values), max(values)
    # By halves, because the whole width may overflow a float.
    width = high / 2 - low / 2
    counts = [0] * (_BINS if width else 1)
    for value in values:
        place = int((value / 2 - low / 2) / width * len(counts)) if width else 0
        counts[min(place, len(counts) - 1)] += 1
    edges = (low * (1 - place / len(counts)) + high * (place / len(counts)) for place in range(len(counts)))
    return tuple((f"{edge:.4g}", float(count)) for edge, count in zip(edges, counts, strict=True))


def png(title: str, shown: Chart, size: tuple[int, int]) -> bytes:
    """Draw a chart under its title as a PNG.

    Parameters
    ----------
    title : str
        The title.
    shown : Chart
        The chart.
    size : tuple of int
        Width and height in pixels, as in `THUMBNAIL` and `SNAPSHOT`.

    Returns
    -------
    bytes
        The PNG file.
    """
    from PIL import Image, ImageDraw

    width, height = size
    unit = height / 200
    image = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(image)
    left, right = 12 * unit, width - 12 * unit
    _write(draw, (left, 8 * unit), title, 14 * unit, _TEXT, right - left)
    _write(draw, (left, 28 * unit), shown.caption, 9 * unit, _LIGHT_TEXT, right - left)
    if shown.bars:
        _bars(draw, shown.bars, (left, 48 * unit, right, height - 10 * unit), unit)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _bars(
    draw: ImageDraw, bars: Sequence[tuple[str, float]], box: tuple[float, float, float, float], unit: float
) -> None:
    left, top, right, bottom = box
    most = max(abs(value) for _, value in bars) or 1.0
    # As fractions of the longest bar, because sums of large floats may overflow.
    parts = [value / most for _, value in bars]
    room = 12 * unit
    above, below = max(*parts, 0.0), -min(*parts, 0.0)
    scale = (bottom - top - 2 * room) / ((above + below) or 1.0)
    zero = top + room + above * scale
    pitch = (right - left) / len(bars)
    for place, ((label, value), part) in enumerate(zip(bars, parts, strict=True)):
        start = left + pitch * place
        ends = sorted((zero, zero - part * scale))
        draw.rectangle(
            (start + pitch * 0.1, ends[0], start + pitch * 0.9, ends[1]), fill=_BAR if part >= 0 else _NEGATIVE_BAR
        )
        at = start + pitch * 0.1
        _write(draw, (at, ends[0] - room), f"{value:.4g}", 7 * unit, _TEXT, pitch * 0.9, cut=False)
        _write(draw, (at, bottom - room), label, 7 * unit, _LIGHT_TEXT, pitch * 0.9)
    draw.line((left, zero, right, zero), fill=_LIGHT_TEXT, width=max(round(unit / 2), 1))


def _write(
    draw: ImageDraw, at: tuple[float, float], text: str, size: float, ink: str, room: float, *, cut: bool = True
) -> None:
    """Write one line of text. Text that is too long is cut, or left out if `cut` is False."""
    font = _font(size)
    line = _letters(text[:200])
    while line and draw.textlength(line, font=font) > room:
        line = line[:-1] if cut else ""
    draw.text(at, line, fill=ink, font=font)


def _letters(text: str) -> str:
    """Return the text in the letters of the built-in font of Pillow."""
    plain = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
    return "".join((letter if letter.isascii() else "?") if letter.isprintable() else " " for letter in plain)


def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:
        # Before Pillow 10.1, the font has one size.
        return ImageFont.load_default()
