"""The progress of a call, and what the call waits for.

A bar belongs to a call, as its count of requests does: it is in the context of the call, which its worker threads copy.
Only the thread of the call draws, in its waits too, because the output of another thread could end up in another cell.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pandas_clicdata._display import in_notebook
from pandas_clicdata._ipython import running_shell

logger: logging.Logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], object]

SECONDS_BETWEEN_DRAWS = 0.5
_SECONDS_BEFORE_BAR = 2.0
_SECONDS_WITHOUT_REPLY = 5.0
_current: ContextVar[ProgressBar | None] = ContextVar("_current", default=None)


@dataclass(frozen=True)
class _Wait:
    """What a thread waits for, and until when; None if the end is not known."""

    reason: str
    until: float | None


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
    """Report progress to a callable or a bar of tqdm.

    Parameters
    ----------
    progress : bool, callable or None
        True shows a bar. None shows one in an interactive session if the call takes more than two seconds. A callable
        receives ``(rows done, total rows or None)`` after each batch. False shows nothing. A bar that cannot be drawn
        is left out.

    Attributes
    ----------
    done : int
        The number of rows so far.
    total : int or None
        The total number of rows, if it is known.
    """

    def __init__(self, progress: bool | Progress | None) -> None:
        self.done: int = 0
        self.total: int | None = None
        self._call = progress if callable(progress) else None
        # Without a console, as in a program started by pythonw, there is no stderr.
        shows = progress is True or (progress is None and is_interactive())
        self._may_show = shows and sys.stderr is not None
        self._show_at = time.monotonic() + (0 if progress is True else _SECONDS_BEFORE_BAR)
        self._title = "ClicData"
        self._bar: Any = None
        self._waits: dict[int, _Wait] = {}
        self._thread: int = threading.get_ident()
        self._began = time.monotonic()
        self._initial = 0
        self._drawn_at = 0.0

    @property
    def active(self) -> bool:
        """Whether a bar is shown, or will be if the call takes long."""
        return self._may_show

    def begin(self, title: str, total: int | None, done: int = 0) -> None:
        """Start to count.

        Parameters
        ----------
        title : str
            The title of the bar.
        total : int or None
            The total number of rows, if it is known.
        done : int, default 0
            The number of rows that were done before.
        """
        self._remove()
        self._title, self.total = title, total
        self.done = self._initial = done
        self._thread = threading.get_ident()
        self._began = time.monotonic()
        if self._call is not None and done:
            self._call(done, total)
        self.tick()

    def add(self, rows: int) -> None:
        """Report further rows."""
        self.done += rows
        self.tick()
        if self._call is not None:
            self._call(self.done, self.total)

    def tick(self, silent_since: float | None = None) -> None:
        """Draw the bar if it is time to, and if this is the thread of the call.

        Parameters
        ----------
        silent_since : float, optional
            The time of ``time.monotonic`` since when the thread waits for a reply.
        """
        now = time.monotonic()
        if not self._may_show or now < max(self._show_at, self._drawn_at + SECONDS_BETWEEN_DRAWS / 2):
            return
        if threading.get_ident() == self._thread:
            self._drawn_at = now
            with self._drawing():
                self._draw(now, self._status(now, silent_since))

    def close(self) -> None:
        """Draw the bar for the last time."""
        if self._bar is not None:
            with self._drawing():
                self._draw(time.monotonic(), "")
        self._remove()

    @contextlib.contextmanager
    def waiting(self, reason: str, seconds: float | None = None) -> Iterator[None]:
        """Show what this thread waits for.

        Parameters
        ----------
        reason : str
            The reason, such as ``"ClicData asked to wait"``.
        seconds : float, optional
            How long it waits. The seconds that are left follow the reason.
        """
        thread = threading.get_ident()
        before = self._waits.get(thread)
        self._waits[thread] = _Wait(reason, None if seconds is None else time.monotonic() + seconds)
        try:
            self.tick()
            yield
        finally:
            self._waits.pop(thread, None)
            if before is not None:
                self._waits[thread] = before

    def _draw(self, now: float, status: str) -> None:
        if self._bar is None:
            self._bar = _bar(desc=self._title, total=self.total, initial=self._initial)
            # The rate is that of the whole call, also of the time before the bar was shown.
            self._bar.start_t -= now - self._began
        self._bar.set_postfix_str(status, refresh=False)
        self._bar.n = self.done
        self._bar.refresh()

    def _status(self, now: float, silent_since: float | None) -> str:
        waits = list(self._waits.values())
        if waits:
            longest = max(waits, key=lambda wait: -math.inf if wait.until is None else wait.until)
            left = "" if longest.until is None else f" {max(1, math.ceil(longest.until - now))} s"
            return longest.reason + left
        silent = 0 if silent_since is None else now - silent_since
        return f"no reply for {silent:.0f} s" if silent >= _SECONDS_WITHOUT_REPLY else ""

    def _remove(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            with self._drawing():
                bar.close()

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """Continue without the bar if it cannot be drawn, because the rows matter more."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - the stream or the notebook may raise anything
            logger.info("the progress bar cannot be drawn: %s", exc)
            self._may_show = False
            bar, self._bar = self._bar, None
            if bar is not None:
                # Otherwise tqdm tries again when the bar is deleted.
                bar.disable = True


def is_interactive() -> bool:
    """Return whether a person waits for this code: in a notebook, in IPython, or in the interpreter at a terminal.

    Not in a thread that the user has started, because the output of such a thread appears in any cell.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if running_shell() is not None:
        return True
    return hasattr(sys, "ps1") and sys.stderr is not None and sys.stderr.isatty()


def _bar(**options: Any) -> Any:
    """Return a bar of widgets in a notebook that has them, otherwise of text."""
    options |= {"unit": " rows", "unit_scale": True}
    # tqdm.auto would warn where the widgets are missing.
    if in_notebook():
        from tqdm import notebook

        if getattr(notebook, "IProgress", None) is not None:
            return _without_monitor(notebook.tqdm)(**options)
    from tqdm.std import tqdm

    return _without_monitor(tqdm)(file=_Console(sys.stderr), **options)


def _without_monitor(bar_class: type[Any]) -> type[Any]:
    """Return a class of bars for which tqdm starts no thread, because the bars are drawn when they change."""
    return type(bar_class.__name__, (bar_class,), {"monitor_interval": 0})


@contextlib.contextmanager
def shown(bar: ProgressBar) -> Iterator[ProgressBar]:
    """Make a bar that of the current call."""
    token = _current.set(bar)
    try:
        yield bar
    finally:
        _current.reset(token)


def current_bar() -> ProgressBar:
    """Return the bar of the call that the caller is in; outside of one, a bar that shows nothing."""
    return _current.get() or ProgressBar(False)


def parts_of_wait(seconds: float, reason: str) -> Iterator[float]:
    """Yield the parts of a wait, one after the other. The bar is drawn between them.

    Parameters
    ----------
    seconds : float
        How long the thread waits.
    reason : str
        What it waits for, such as ``"ClicData asked to wait"``.
    """
    bar = _current.get()
    if bar is None or not bar.active:
        yield seconds
        return
    with bar.waiting(reason, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            yield min(left, SECONDS_BETWEEN_DRAWS)
            bar.tick()
