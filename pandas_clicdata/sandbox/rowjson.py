"""SQL that builds rows as JSON text inside SQLite, so that a page needs no Python per cell."""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring as quote

from pandas_clicdata.sandbox.bodies import Column

_ARGUMENTS = 100  # SQLite functions take at most 127

# The day overflows SQLite's calendar when two hours are added to the last evening of 9999.
_ISO = (
    "CASE WHEN {c} = 'null' THEN {c} ELSE coalesce("
    "'\"' || strftime('%Y-%m-%dT%H:%M:%S', substr({c}, 2, 19), '+2 hours') || substr({c}, 21, length({c}) - 21)"
    " || '+02:00\"', substr({c}, 1, 11) || 'T' || substr({c}, 13, length({c}) - 13) || '+00:00\"') END"
)


def row_expression(
    columns: Sequence[Column], *, row_id: str | None = None, iso_datetimes: bool = False
) -> tuple[str, list[str]]:
    """An SQL expression for one row as a JSON object, and the values of its parameters ``?1``, ``?2``, …

    Cells are the SQL columns ``c0``, ``c1``, …; the row id is ``row``.
    """
    cells = [
        _ISO.format(c=f"c{number}") if iso_datetimes and column.data_type == "datetime" else f"c{number}"
        for number, column in enumerate(columns)
    ]
    names = [column.name for column in columns]
    if row_id is not None:
        cells.insert(0, "row")
        names.insert(0, row_id)
    calls, templates = [], []
    for start in range(0, len(cells), _ARGUMENTS):
        part = slice(start, start + _ARGUMENTS)
        templates.append(",".join(f"{quote(name).replace('%', '%%')}:%s" for name in names[part]))
        calls.append(f"printf(?{len(templates)}, {', '.join(cells[part])})")
    templates = ["," * bool(number) + template for number, template in enumerate(templates)]
    templates[0] = "{" + templates[0]
    templates[-1] += "}"
    return " || ".join(calls), templates
