"""Write what comes from code among the docs, tables and OpenAPI documents: ``python docs/generate.py``."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pandas_clicdata.sandbox.assumptions import ASSUMED
from pandas_clicdata.sandbox.dialects import Dialect
from pandas_clicdata.sandbox.openapi import document
from pandas_clicdata.schema.types import LITERAL_RULE, RULES
from pandas_clicdata.wire.operations import OPERATIONS

DOCS = Path(__file__).parent
TESTS = DOCS.parent / "tests"
_MOST_TESTS = 3


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


@functools.cache
def asked_by() -> Mapping[str, Mapping[str | None, list[str]]]:
    """Request → dialect (None for each) → the tests that are marked as asking it."""
    found: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.operation":
                    dialect = next((ast.literal_eval(each.value) for each in mark.keywords), None)
                    for line in mark.args:
                        found[ast.literal_eval(line)][dialect].append(f"{path.stem}::{node.name}")
    return found


def operations() -> str:
    """Every operation of the API."""
    asked, lines = asked_by(), []
    for operation in OPERATIONS:
        tests = list(dict.fromkeys(test for each in asked[operation.line].values() for test in each))
        more = f" and {len(tests) - _MOST_TESTS} more" if len(tests) > _MOST_TESTS else ""
        versioned = " ".join(
            part for part in (operation.versioned, operation.versions and f"({operation.versions})") if part
        )
        lines.append(
            (
                f"`{operation.line}`",
                ", ".join(f"`{name}`" for name in operation.done_by),
                operation.unversioned or "",
                versioned if operation.versioned else "",
                ", ".join(f"`{test}`" for test in tests[:_MOST_TESTS]) + more,
            )
        )
    return table(("request", "asked by", "unversioned", "versioned", "tested by"), lines)


GENERATED: Mapping[str, tuple[str, str]] = {
    "operations.md": ("operations", operations()),
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
