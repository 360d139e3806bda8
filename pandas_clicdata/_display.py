"""How results look in a notebook, and how progress is shown."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from pandas_clicdata.errors import printable

Progress = Callable[[int, int | None], object]


def facts_html(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """Return a small two-column table, escaped, without style sheets or scripts.

    Examples
    --------
    >>> facts_html("push", [("rows", 3)])
    '<table><caption>push</caption><tr><th style="text-align:left">rows</th><td>3</td></tr></table>'
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{html.escape(printable(str(key)))}</th>'
        f"<td>{html.escape(printable(str(value)))}</td></tr>"
        for key, value in facts
    )
    return f"<table><caption>{html.escape(title)}</caption>{rows}</table>"


class ProgressBar:
    """Report rows done to a callable or a tqdm bar; silent by default.

    Parameters
    ----------
    progress : bool, callable or None
        True shows ``tqdm.auto``; a callable gets ``(rows done, rows in all or None)`` after each batch.
    title : str
        What the bar says.
    total : int or None
        Rows in all, where that is known.
    """

    def __init__(self, progress: bool | Progress | None, title: str, total: int | None) -> None:
        self.done = 0
        self.total = total
        self._call = progress if callable(progress) else None
        self._bar: Any = None
        if progress is True:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, desc=title, unit=" rows", unit_scale=True)

    def add(self, rows: int) -> None:
        self.done += rows
        if self._bar is not None:
            self._bar.update(rows)
        if self._call is not None:
            self._call(self.done, self.total)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
