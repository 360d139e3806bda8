"""The display of results in a notebook, and of progress."""

from __future__ import annotations

import contextlib
import html
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pandas_clicdata.errors import printable

logger: logging.Logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], object]


def in_notebook() -> bool:
    """Return whether this code runs in a notebook, that is, in a kernel of IPython."""
    # Not imported, because a kernel has imported it.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and getattr(get_ipython(), "kernel", None) is not None


def facts_html(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """Format a table of two columns in HTML, without style sheets or scripts.

    Parameters
    ----------
    title : str
        The caption.
    facts : iterable of (str, object)
        The rows: a label and a value.

    Returns
    -------
    str
        The HTML, in which labels and values are escaped.

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


class _Console:
    """A stream that ignores its errors: tqdm would raise them again when a bar is deleted."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(Exception):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(Exception):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        # Such as encoding and fileno, by which tqdm chooses its characters and its width.
        return getattr(self._stream, name)


class ProgressBar:
    """Report progress to a callable or a tqdm bar.

    Parameters
    ----------
    progress : bool, callable or None
        True shows a bar of ``tqdm.auto``. A callable receives ``(rows done, total rows or None)`` after each batch.
        False and None show nothing. A bar that cannot be drawn is left out.
    title : str
        The title of the bar.
    total : int or None
        The total number of rows, if it is known.

    Attributes
    ----------
    done : int
        The number of rows so far.
    total : int or None
        The total number of rows.
    """

    def __init__(self, progress: bool | Progress | None, title: str, total: int | None) -> None:
        self.done: int = 0
        self.total: int | None = total
        self._call = progress if callable(progress) else None
        self._bar: Any = None
        # Without a console, as in a program started by pythonw, there is no stderr.
        if progress is True and sys.stderr is not None:
            with self._drawing():
                from tqdm.auto import tqdm

                self._bar = tqdm(total=total, desc=title, unit=" rows", unit_scale=True, file=_Console(sys.stderr))

    def add(self, rows: int) -> None:
        """Report further rows."""
        self.done += rows
        if self._bar is not None:
            with self._drawing():
                self._bar.update(rows)
        if self._call is not None:
            self._call(self.done, self.total)

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            with self._drawing():
                self._bar.close()

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """Continue without the bar if it cannot be drawn, because the rows matter more."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - the stream or the notebook may raise anything
            logger.info("the progress bar cannot be drawn: %s", exc)
            bar, self._bar = self._bar, None
            if bar is not None:
                # Otherwise tqdm tries again when the bar is deleted.
                bar.disable = True
