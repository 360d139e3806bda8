"""The display of results in a notebook."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable

from pandas_clicdata.errors import printable


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
