"""The display of results in a notebook.

A view is HTML without scripts and style sheets, which a notebook may remove. Its styles are in line. It has the colors
of the page, so that it can be read in a light and in a dark theme.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, Self, SupportsIndex

import numpy as np
import pandas as pd

from pandas_clicdata._ipython import running_shell
from pandas_clicdata.errors import printable


def in_notebook() -> bool:
    """Return whether this code runs in a notebook, that is, in a kernel of IPython."""
    return getattr(running_shell(), "kernel", None) is not None


Tone = Literal["good", "careful", "bad", "plain"]

_TONES: dict[Tone, str] = {"good": "#1a7f37", "careful": "#9a6700", "bad": "#cf222e", "plain": "#57606a"}
"""The background of a badge. Its text is white, so that it can be read on light and on dark pages."""
_BREAK_ANYWHERE = "overflow-wrap:break-word;overflow-wrap:anywhere"
"""In a notebook that is not trusted, JupyterLab removes what it does not know, such as the second value."""
_VIEW = f"text-align:left;line-height:1.5;max-width:64em;{_BREAK_ANYWHERE}"
_LINE = "1px solid rgba(128,128,128,0.35)"
_CELL = f"text-align:left;vertical-align:top;padding:.15em 1.2em .15em 0;border:0;border-bottom:{_LINE}"
_SHORT_TEXT, _LONG_TEXT = 26, 48
"""A cell with fewer characters is not wrapped, and one with more has a minimum width."""
_LONGEST_WORD = 30
"""A word of more characters may be broken to fit the page."""
_LONGEST_SHOWN_WORD = 400
_LONGEST_SHOWN_TEXT = 4000
_MAX_ROWS = 100


def text_html(value: Any) -> str:
    r"""Return a value as HTML text.

    Parameters
    ----------
    value : Any
        A value from a user or the service.

    Returns
    -------
    str
        The text, escaped and without control characters. A word that is too long for a page is cut.

    Examples
    --------
    >>> text_html("<b>\x1b[2J"), text_html(True), text_html(None)
    ('&lt;b&gt;\\x1b[2J', 'yes', '')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    text = str(value)
    if isinstance(value, datetime):
        text = str(value.replace(microsecond=0)).replace("+00:00", " UTC")
    if len(text) > _LONGEST_SHOWN_TEXT:
        text = f"{text[:_LONGEST_SHOWN_TEXT]} …"
    words = (word if len(word) <= _LONGEST_SHOWN_WORD else f"{word[:60]}…" for word in text.split(" "))
    return html.escape(printable(" ".join(words)))


def counted(count: int, what: str) -> str:
    """Return a number and its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row"), counted(0, "table")
    ('1 row', '1,200 rows', 'no tables')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}" if count else f"no {what}s"


def badge(text: str, tone: Tone, explanation: str = "") -> str:
    """Return a short text on a colored background, with an explanation that appears under the mouse."""
    title = f' title="{html.escape(explanation)}"' if explanation else ""
    style = f"background-color:{_TONES[tone]};color:#fff;border-radius:.5em;padding:.1em .6em;white-space:nowrap"
    return f'<span style="{style};font-size:.85em;font-weight:600"{title}>{text_html(text)}</span>'


def muted(text: object) -> str:
    """Return a text that is less important."""
    return f'<span style="opacity:0.75">{text_html(text)}</span>'


def paragraph(*parts: str) -> str:
    """Return pieces of HTML on a line of their own."""
    return f'<div style="margin:.2em 0">{" ".join(filter(None, parts))}</div>'


def sentence(text: object) -> str:
    """Return a sentence with a line at its left side, such as a note."""
    return f'<div style="margin:.3em 0;padding-left:.7em;border-left:.2em solid #8c959f">{text_html(text)}</div>'


def code(text: object) -> str:
    """Return a line of code."""
    style = "background-color:transparent;color:inherit;padding:0;font-family:monospace;white-space:pre-wrap"
    return f'<code style="{style}">{text_html(text)}</code>'


def folded(summary: str, content: str) -> str:
    """Return content that is hidden until the summary is clicked; nothing if there is no content."""
    if not content:
        return ""
    # Beside each other while they are closed.
    return (
        '<details style="display:inline-block;vertical-align:top;max-width:100%;margin:.1em 1.5em .1em 0">'
        f'<summary style="cursor:pointer;opacity:0.75">{text_html(summary)}</summary>{content}</details>'
    )


def cell(content: str, tag: str = "td") -> str:
    """Return a cell of a table, with content that is HTML."""
    text = re.sub("<[^>]*>", "", content)
    style = f"{_CELL};font-weight:{600 if tag == 'th' else 'inherit'}"
    if len(text) < _SHORT_TEXT:
        style += ";white-space:nowrap"
    else:
        longest = max(map(len, text.split()), default=0)
        # Where any word may be broken, a narrow page would break each word of a table.
        style += f";white-space:normal;{_BREAK_ANYWHERE if longest > _LONGEST_WORD else 'overflow-wrap:break-word'}"
        style += ";min-width:12em" if len(text) > _LONG_TEXT else ""
    return f'<{tag} style="{style}">{content}</{tag}>'


def table_html(names: Sequence[object], rows: Iterable[Sequence[str]]) -> str:
    """Return a table.

    Parameters
    ----------
    names : sequence of object
        The names of the columns; empty for a table without a head.
    rows : iterable of sequence of str
        The cells, which are HTML.

    Returns
    -------
    str
        The table.
    """
    head = "".join(cell(text_html(name), "th") for name in names)
    body = "".join(f'<tr style="background-color:transparent">{"".join(map(cell, row))}</tr>' for row in rows)
    head = f'<thead><tr style="background-color:transparent">{head}</tr></thead>' if names else ""
    style = (
        "border-collapse:collapse;border:0;margin:.3em 0;width:auto;table-layout:auto;color:inherit;font-size:inherit"
    )
    return f'<div style="overflow-x:auto"><table style="{style}">{head}<tbody>{body}</tbody></table></div>'


def facts_table(facts: Iterable[tuple[object, object]]) -> str:
    """Return a table of labels and values; empty if there are none."""
    rows = [(muted(label), text_html(value)) for label, value in facts]
    return table_html((), rows) if rows else ""


def view(*parts: str) -> str:
    """Return the view of an object: its parts below each other, in the colors of the page.

    Examples
    --------
    >>> view(paragraph(badge("confirmed", "good"), "push")).startswith('<div style="text-align:left')
    True
    """
    return f'<div style="{_VIEW}">{"".join(parts)}</div>'


def facts_view(title: str, facts: Iterable[tuple[object, object]], *, mark: str = "", below: str = "") -> str:
    """Return the view of an object that has a title, perhaps a badge, and facts.

    Parameters
    ----------
    title : str
        What the object is.
    facts : iterable of (object, object)
        Labels and values.
    mark : str, optional
        A badge before the title.
    below : str, optional
        What follows, as HTML.

    Returns
    -------
    str
        The HTML.
    """
    return view(paragraph(mark, f"<b>{text_html(title)}</b>"), facts_table(facts), below)


def frame_html(frame: pd.DataFrame, *, most: int = _MAX_ROWS) -> str:
    """Return the rows of a frame as a table, without its index.

    Parameters
    ----------
    frame : DataFrame
        The frame.
    most : int
        Maximum number of rows. Of a longer frame, the first half of this number is shown.

    Returns
    -------
    str
        The table, and how many rows it leaves out.
    """
    shown = frame if len(frame) <= most else frame.head(most // 2)
    columns = [[text_html(value) for value in shown.iloc[:, at].astype(object)] for at in range(len(shown.columns))]
    table = table_html(list(shown.columns), zip(*columns, strict=True)) if len(frame.columns) else ""
    rest = len(frame) - len(shown)
    return table + (paragraph(muted(f"… and {rest:,} more rows")) if rest else "")


class Listing(pd.DataFrame):
    """A frame of facts, which a notebook shows with its first hundred rows, and with long texts in full.

    A frame that is made from it, and its pickle, are plain DataFrames. One that was changed in place is shown as such.
    """

    _metadata = ["_heading", "_listed"]  # noqa: RUF012 - as pandas defines it
    _heading: str = ""
    _listed: tuple[int, list[Any]] = (0, [])

    @classmethod
    def of(cls, frame: pd.DataFrame, heading: str) -> Self:
        """Return a frame as a listing with a heading."""
        listing = cls(frame)
        listing._heading, listing._listed = heading, (len(frame), list(frame.columns))
        return listing

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return pd.DataFrame, (pd.DataFrame(self),)

    @property
    def _is_unchanged(self) -> bool:
        return self._listed == (len(self), list(self.columns)) and isinstance(self.index, pd.RangeIndex)

    def __repr__(self) -> str:
        return self._text() if len(self) and self._is_unchanged else repr(pd.DataFrame(self))

    def _text(self) -> str:
        """Return what a terminal shows."""
        return repr(pd.DataFrame(self))

    def _repr_html_(self) -> str | None:
        if not (pd.get_option("display.notebook_repr_html") and self._is_unchanged):
            plain: Any = pd.DataFrame(self)
            html_of_pandas: str | None = plain._repr_html_()
            return html_of_pandas
        heading = paragraph(f"<b>{text_html(self._heading)}</b>", *self._marks()) if self._heading else ""
        return view(heading, self._rows_html() if len(self) else "")

    def _marks(self) -> list[str]:
        """Return the badges beside the heading."""
        return []

    def _rows_html(self) -> str:
        return frame_html(self)


class StoppedWrites(Listing):
    """A listing of writes that stopped, with the columns of :func:`unfinished`."""

    def _entries(self) -> Iterator[tuple[bool, str, str, str, str, str]]:
        """Yield what each entry says: whether the write is running, its title, its rows, the time, the line, the id."""
        for _, each in self.iterrows():
            total = "rows of a stream" if pd.isna(each["rows"]) else f"of {each['rows']:,} rows"
            rows = f"{each['confirmed']:,} {total} are in the table"
            if each["unknown"]:
                rows += f", and perhaps {each['unknown']:,} more"
            table = each["table"] if isinstance(each["table"], int) else f'"{each["table"]}"'
            when = f"{each['stopped']:%Y-%m-%d %H:%M} UTC"
            yield bool(each["running"]), f"{each['operation']} to {table}", rows, when, each["resume"], each["id"]

    def _rows_html(self) -> str:
        return "".join(
            '<div style="margin:.6em 0">'
            + paragraph(badge(*_WRITE_STATES[running]), f"<b>{text_html(title)}</b>", muted(when))
            + paragraph(text_html(rows))
            + (paragraph(muted("To continue:"), code(line)) if not running else "")
            + paragraph(muted("To forget it:"), code(f'cd.discard_unfinished("{write}")'))
            + "</div>"
            for running, title, rows, when, line, write in self._entries()
        )

    def _text(self) -> str:
        return "\n".join(
            f"{_WRITE_STATES[running][0]}: {printable(title)} ({when}): {rows}\n    {printable(line)}"
            for running, title, rows, when, line, _ in self._entries()
        )


_WRITE_STATES: dict[bool, tuple[str, Tone]] = {False: ("stopped", "careful"), True: ("running", "plain")}


class ColumnListing(Listing):
    """A listing of columns: ``column``, ``dtype``, ``clicdata_type``, which is null if it is refused, and ``note``.

    A terminal shows the notes in full, too.
    """

    @property
    def _refused(self) -> list[bool]:
        return [
            pd.isna(data_type) and str(note).startswith("refused")
            for data_type, note in zip(self["clicdata_type"], self["note"], strict=True)
        ]

    def _marks(self) -> list[str]:
        refused = sum(self._refused)
        return [badge(f"{refused:,} refused", "bad")] if refused else []

    def _rows_html(self) -> str:
        with_notes = any(self["note"])
        rows = []
        for refused, name, data_type, dtype, note in zip(
            self._refused, self["column"], self["clicdata_type"], self["dtype"], self["note"], strict=True
        ):
            if refused:
                kind, text = badge("refused", "bad"), text_html(str(note).removeprefix("refused: "))
                cells = [f"<b>{text_html(name)}</b>", kind, text_html(dtype), text]
            else:
                cells = [text_html(each) for each in (name, data_type, dtype, note)]
            rows.append(cells[: 3 + with_notes])
        return table_html(("column", "ClicData type", "dtype", "note")[: 3 + with_notes], rows)

    def _text(self) -> str:
        names = ("column", "clicdata_type", "dtype")
        lines = [names] + [
            (str(name), "refused" if refused else str(text_html(data_type)), str(dtype))
            for refused, name, data_type, dtype in zip(self._refused, *(self[each] for each in names), strict=True)
        ]
        widths = [max(len(line[at]) for line in lines) for at in range(3)]
        room = max(40, (pd.get_option("display.width") or 80) - 4)
        shown = []
        for line, note in zip(lines, ["", *self["note"]], strict=True):
            shown.append(
                "  ".join(printable(text).ljust(size) for text, size in zip(line, widths, strict=True)).rstrip()
            )
            reason = printable(str(note).removeprefix("refused: "))
            shown += [f"    {part}" for part in textwrap.wrap(reason, room, break_on_hyphens=False)]
        return "\n".join(shown)
