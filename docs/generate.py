"""Write what comes from code among the docs, tables and OpenAPI documents: ``python docs/generate.py``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pandas_clicdata.sandbox.assumptions import ASSUMED
from pandas_clicdata.sandbox.dialects import Dialect
from pandas_clicdata.sandbox.openapi import document
from pandas_clicdata.schema.types import LITERAL_RULE, RULES

DOCS = Path(__file__).parent


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows)


def types() -> str:
    """The type table."""
    lines = []
    for rule in (*RULES, LITERAL_RULE):
        others = sorted(str(data_type) for data_type in rule.ways if data_type is not rule.default)
        lines.append((rule.arrow, rule.pandas, str(rule.default), rule.written, ", ".join(others)))
    return table(("Arrow", "pandas", "ClicData", "on the wire", "or, on request"), lines)


def assumptions() -> str:
    """What the sandbox assumes."""
    lines = [(area, sentence, f"`{switch}`" if switch else "") for area, sentence, switch in ASSUMED]
    return table(("area", "what the sandbox does", "switch"), lines)


GENERATED: Mapping[str, tuple[str, str]] = {
    "types.md": ("types", types()),
    "sandbox.md": ("assumptions", assumptions()),
}


def as_file(dialect: Dialect) -> str:
    """The OpenAPI document of a dialect."""
    return json.dumps(document(dialect), indent=1, ensure_ascii=False) + "\n"


FILES: Mapping[str, str] = {
    "openapi/unversioned.json": as_file(Dialect()),
    "openapi/2025.3.json": as_file(Dialect((2025, 3), wrapped=True)),
}


def filled(page: str, name: str, content: str) -> str:
    """Return a page with what stands between the markers made anew."""
    start, end = f"<!-- generated: {name} -->", "<!-- end -->"
    whole = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    return whole.sub(lambda _: f"{start}\n\n{content}\n\n{end}", page)


if __name__ == "__main__":
    for file, (name, content) in GENERATED.items():
        path = DOCS / file
        path.write_text(filled(path.read_text("utf-8"), name, content), "utf-8")
    for file, content in FILES.items():
        (DOCS / file).parent.mkdir(exist_ok=True)
        (DOCS / file).write_text(content, "utf-8")
