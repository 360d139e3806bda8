"""The page of the docs with the figures, and its plot."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path

from sections import Limit, Section, markdown

_BEGIN, _END = "<!-- kept by hand: begin -->", "<!-- kept by hand: end -->"
_TRIED = "| step | gain |\n| --- | --- |"
_PLOT = "performance.svg"


def write(folder: Path, sections: Mapping[str, Section], rounds: int) -> None:
    """Write the page and its plot. What stands between the two marks on the page stays."""
    page, static = folder / "performance.md", folder / "_static"
    static.mkdir(parents=True, exist_ok=True)
    old = page.read_text("utf-8") if page.exists() else ""
    tried = old.partition(_BEGIN)[2].partition(_END)[0].strip() or _TRIED
    (static / _PLOT).write_text(_plot(sections), "utf-8")
    limits = [limit for section in sections.values() for limit in section.limits]
    parts = [
        "# Performance",
        f"""How fast this package is, compared with the loop that anyone would write, with requests alone, and with the
public wrapper of the API. `python tests/benchmarks` in the repository measures all of it; `--page` writes this page.

![Rows per second of processor time, and rows per second of the clock by the number of workers](_static/{_PLOT})""",
        "## Limits\n\nWhat the project promises itself, and what the last run measured.\n\n" + limits_table(limits),
        *(f"## {each.title}\n\n{_wrapped(each.text)}\n\n{each.table()}" for each in sections.values()),
        f"""## How it is measured

{_wrapped(f"The machine: {_machine()}. Other machines give other figures, but similar ratios.")}

A server in a process of its own has its replies ready, stores nothing, and answers at once or after the stated time.
A page has 1,000 rows, and an insert 500. The rows are flights of 2013 (14 columns of numbers, 4 of texts, one of
datetimes), unless the table says otherwise. Each contender is a process, which works once before the measurement. Then
all contenders of a comparison take turns, {rounds} rounds, on the same machine and the same server. A figure is the
median of its rounds, and a ratio is the median of the ratios within each round. Processor time is that of all threads
of the client process; other work on the machine changes it little.

The plain loop for a push is `DataFrame.to_dict("records")`, `orjson.dumps` and `requests.Session.post`. For a read it
is `requests.Session.get`, `orjson.loads`, and a `DataFrame` per page, which `pd.concat` joins. Where there are variants
of such a loop, it is the fastest of those that were tried. The loop checks nothing, keeps no journal, rounds numbers of
more digits than a float has, and leaves datetimes as texts. A loop with `DataFrame.to_json` sends faster, but it rounds
floats.""",
        """## Repeat it

```
.venv/bin/pip install -e ".[bench]"
.venv/bin/python tests/benchmarks                            # a few minutes
.venv/bin/python tests/benchmarks --full --page docs         # all figures of this page
.venv/bin/python tests/benchmarks --only ceilings,memory     # some of the tables
.venv/bin/python tests/benchmarks --wrapper FOLDER           # compare with the public wrapper
```

`FOLDER` is the one with the source of the public wrapper, which has the folder `clicdata_api_wrapper` in it.""",
        "## What was tried\n\nEach step, and what it gained in the run in which it was tried.",
        f"{_BEGIN}\n{tried}\n{_END}",
    ]
    page.write_text("\n\n".join(parts) + "\n", "utf-8")


def limits_table(limits: Sequence[Limit]) -> str:
    """Return the table of the limits."""
    rows = [[each.work, each.limit, each.figure, "yes" if each.kept else "**no**"] for each in limits]
    return markdown(["figure", "limit", "measured", "within the limit"], rows)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text("utf-8").splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    packages = ", ".join(f"{name} {version(name)}" for name in ("pandas", "pyarrow", "numpy", "requests", "orjson"))
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}, {packages}"


# The plot

_INK, _PALE = "#333", "#ccc"
_COLORS = ("#1f77b4", "#ff7f0e", "#7f7f7f")
_WIDTH, _BAR, _LABELS, _LENGTH = 760, 18, 210, 420
_TOP, _HEIGHT = 40, 220


def _plot(sections: Mapping[str, Section]) -> str:
    """Return the plot: bars of processor time, and lines by the number of workers."""
    bars = {} if "processor" not in sections else sections["processor"].plotted
    lines = {} if "late" not in sections else sections["late"].plotted
    parts, y = [], 10
    for work, values in bars.items():
        drawn, height = _bars(f"{work}: rows per second of processor time", values, y)
        parts += drawn
        y += height
    if lines:
        parts += _lines("rows per second of the clock at 50 ms per reply, by workers=", lines, y)
        y += _TOP + _HEIGHT + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="{_WIDTH}" height="{y}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bars(title: str, values: Sequence[tuple[str, float]], top: int) -> tuple[list[str], int]:
    most = max(value for _, value in values)
    parts = [_text(10, top + 15, title, weight="bold")]
    for at, (name, value) in enumerate(values):
        y = top + 26 + at * (_BAR + 6)
        color = _COLORS[0 if name.startswith("ours") else 1 if name.startswith("plain") else 2]
        width = _LENGTH * value / most
        parts.append(_text(_LABELS - 8, y + 14, name.replace("ours", "this package"), anchor="end"))
        parts.append(f'<rect x="{_LABELS}" y="{y}" width="{width:.0f}" height="{_BAR}" fill="{color}"/>')
        parts.append(_text(_LABELS + width + 6, y + 14, f"{value:,.0f}"))
    return parts, 40 + len(values) * (_BAR + 6)


def _lines(title: str, series: Mapping[str, Sequence[tuple[str, float]]], top: int) -> Iterator[str]:
    highest = max(value for points in series.values() for _, value in points)
    unit = 10.0 ** len(str(int(highest))) / 50
    most = unit * -(-highest // unit)
    workers = sorted({int(name) for points in series.values() for name, _ in points})
    bottom = top + _TOP + _HEIGHT
    place = {each: _LABELS + _LENGTH * at / max(1, len(workers) - 1) for at, each in enumerate(workers)}
    yield _text(10, top + 15, title, weight="bold")
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - _HEIGHT * share
        yield f'<line x1="{_LABELS}" x2="{_LABELS + _LENGTH}" y1="{y:.0f}" y2="{y:.0f}" stroke="{_PALE}"/>'
        yield _text(_LABELS - 8, y + 4, f"{most * share:,.0f}", anchor="end")
    for each, x in place.items():
        yield _text(x, bottom + 18, str(each), anchor="middle")
    for color, (name, points) in zip(_COLORS, series.items(), strict=False):
        at = [(place[int(each)], bottom - _HEIGHT * value / most) for each, value in points]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in at)
        yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{color}"/>' for x, y in at)
        yield _text(at[-1][0] + 10, at[-1][1] + 4, name, color=color)


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", color: str = _INK) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{color}"'
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{escape(text)}</text>'
