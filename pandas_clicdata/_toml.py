"""Change settings in a TOML file, and keep everything else in it, comments included."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping

from pandas_clicdata._threads import fork_lock

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ASSIGNMENT = re.compile(
    r"""\s*(?P<name>[A-Za-z0-9_-]+)\s*=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*')(?P<comment>\s*(?:\#.*)?)"""
)


def change_table(text: str, table: str, changes: Mapping[str, str | None]) -> str:
    r"""Change settings in one table of a TOML file.

    The lines are edited without a parser that knows every form of TOML. So the new text is parsed, and must hold
    exactly the old content with these changes.

    Parameters
    ----------
    text : str
        The content of the file.
    table : str
        The name of the table. It is added at the end if the file does not have it.
    changes : mapping of str to (str or None)
        The new value of each setting. None removes the setting.

    Returns
    -------
    str
        The new content.

    Raises
    ------
    ValueError
        The file is not TOML, or the table has a form in which it cannot be changed line by line.

    Examples
    --------
    >>> print(change_table('[a]\nx = "1"  # one\n[b]\nx = "2"', "a", {"x": "3", "y": "4"}))
    [a]
    x = "3"  # one
    y = "4"
    [b]
    x = "2"
    <BLANKLINE>
    """
    with fork_lock:
        import tomllib

    expected = tomllib.loads(text)
    entries = {**expected.get(table, {}), **changes}
    expected[table] = {name: value for name, value in entries.items() if value is not None}
    new = _with_changed_lines(text, table, changes)
    if tomllib.loads(new) != expected:
        raise ValueError(f"The table {table!r} cannot be changed line by line.")
    return new


def _with_changed_lines(text: str, table: str, changes: Mapping[str, str | None]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    # Not splitlines, which also splits at characters that a value may have.
    lines = [f"{line}\n" for line in text.removesuffix("\n").split("\n")] if text else []
    if lines and not lines[-1].endswith(end):
        lines[-1] = f"{lines[-1].rstrip()}{end}"
    start = next((number for number, line in enumerate(lines) if _table_of(line) == table), None)
    if start is None:
        lines += [end] if lines else []
        lines.append(f"[{table if _BARE_KEY.fullmatch(table) else _quoted(table)}]{end}")
        start = len(lines) - 1
    stop = next((n for n in range(start + 1, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
    new = {name: value for name, value in changes.items() if value is not None}
    kept: list[str] = []
    last = 0
    for line in lines[start + 1 : stop]:
        found = _ASSIGNMENT.fullmatch(line.rstrip("\r\n"))
        if found is None:
            kept.append(line)
            continue
        name = found["name"]
        if name in new:
            kept.append(f"{name} = {_quoted(new.pop(name))}{found['comment']}{end}")
        elif name not in changes:
            kept.append(line)
        last = len(kept)
    kept[last:last] = [f"{name} = {_quoted(value)}{end}" for name, value in new.items()]
    return "".join([*lines[: start + 1], *kept, *lines[stop:]])


def _table_of(line: str) -> str | None:
    """Return the name of the table that a line begins."""
    import tomllib

    if line.lstrip().startswith("["):
        with contextlib.suppress(tomllib.TOMLDecodeError):
            ((name, content),) = tomllib.loads(line).items()
            return str(name) if content == {} else None
    return None


def _quoted(text: str) -> str:
    # JSON differs from TOML in this character only.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
