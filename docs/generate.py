"""Write the parts of the docs that come from code, tables and OpenAPI documents: ``python docs/generate.py``."""

from __future__ import annotations

import ast
import datetime as dt
import functools
import json
import re
import runpy
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata._models import ColumnType, Framing
from pandas_clicdata.client.operations import OPERATIONS, loads
from pandas_clicdata.diagnosis import QUESTIONS
from pandas_clicdata.sandbox.assumptions import ASSUMED, CHOICES
from pandas_clicdata.sandbox.dialects import Dialect
from pandas_clicdata.sandbox.openapi import document
from pandas_clicdata.types import infer, ingest, plan, row_codec, to_pandas
from pandas_clicdata.types.rules import LITERAL_RULE, RULES

DOCS = Path(__file__).parent
TESTS = DOCS.parent / "tests"
_MOST_TESTS = 3


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows)


def types() -> str:
    """Return the type table."""
    lines = []
    for rule in (*RULES, LITERAL_RULE):
        others = sorted(str(data_type) for data_type in rule.encoders if data_type is not rule.default)
        lines.append((rule.arrow, rule.pandas, str(rule.default), rule.written, ", ".join(others)))
    return table(("Arrow", "pandas", "ClicData", "JSON", "on request"), lines)


# For each row of the type table, columns of one value. The same text is shown and run.
EXAMPLES: Mapping[str, Sequence[str]] = {
    "int8…int64, uint8…uint64": (
        'pd.Series([127], dtype="Int8")',
        'pd.Series([9007199254740993], dtype="int64")',
        'pd.Series([18446744073709551615], dtype="uint64")',
        'pd.Series([None], dtype="Int64")',
    ),
    "float16": ('pd.Series([0.1], dtype="float16")',),
    "float32, float64": (
        'pd.Series([0.1], dtype="float32")',
        'pd.Series([1.0], dtype="float64")',
        'pd.Series([5e-324], dtype="float64")',
    ),
    "decimal128, decimal256": ('pd.Series([Decimal("1.10")], dtype=pd.ArrowDtype(pa.decimal128(38, 2)))',),
    "bool": ('pd.Series([True], dtype="boolean")',),
    "string, large_string, string_view": (
        'pd.Series(["00123"], dtype="string")',
        """pd.Series(['say "é"'], dtype="category")""",
    ),
    "timestamp, with or without a time zone": (
        'pd.Series(["2024-02-29 12:00"], dtype="datetime64[ns]")',
        'pd.Series([pd.Timestamp("2024-02-29 12:00:00.000001", tz="Europe/Paris")])',
    ),
    "date32, date64": ("pd.Series([dt.date(2024, 2, 29)], dtype=object)",),
    "time32, time64": ("pa.array([dt.time(12, 30, 0, 500000)])", "pd.Series([dt.time(12, 30)], dtype=object)"),
    "duration": ('pd.Series([pd.Timedelta(days=1, hours=2, seconds=0.5)], dtype="timedelta64[ns]")',),
    "null": ("pd.Series([None], dtype=object)",),
    LITERAL_RULE.arrow: (
        'pd.Series([Decimal("0.30")], dtype=object)',
        'pd.Series([Decimal("3.14159265358979323846")], dtype=object)',
        "pd.Series([10**20], dtype=object)",
    ),
}


def examples() -> str:
    """Return a table with a value of each row of the type table, as the package encodes it and reads it back."""
    lines = [
        (f"`{code}`", *round_trip(eval(code, {"pd": pd, "pa": pa, "dt": dt, "Decimal": Decimal})))  # noqa: S307
        for rule in (*RULES, LITERAL_RULE)
        for code in EXAMPLES[rule.arrow]
    ]
    return table(("column", "ClicData", "JSON", "read", "dtype"), lines)


def round_trip(column: pd.Series | pa.Array) -> tuple[str, ...]:
    """Return the type of a column, its value in JSON, and the value and dtype that are read back."""
    source = ingest.as_source(pd.DataFrame({"x": column}) if isinstance(column, pd.Series) else pa.table({"x": column}))
    plans = plan.plan_columns(source)
    planned = plans[0].planned
    batch = plan.prepare_table(source, plans).to_batches()[0]
    written = row_codec.encode(batch, [planned.wire], Framing("", ("",), "")).decode()
    page = loads(b'[{"x":' + written.encode() + b"}]")
    decoded = row_codec.unify(row_codec.decode(page, ["x"]), "x")
    read = to_pandas.to_frame({"x": infer.infer_column(decoded, planned.data_type)}, 1)["x"]
    value = read.array[0]
    # The same name with pandas 2 and 3.
    dtype = "str" if isinstance(value, str) or planned.data_type == ColumnType.TEXT else str(read.dtype)
    shown = "missing" if pd.isna(value) else repr(value.item() if isinstance(value, np.generic) else value)
    return str(planned.data_type), f"`{written}`", f"`{shown}`" if shown != "missing" else shown, f"`{dtype}`"


AREAS: Mapping[str, str] = {
    "values": "Values",
    "tables": "Tables",
    "list": "Lists of tables",
    "read": "Reads",
    "versions": "Versions of a table",
    "sources": "Sources",
    "refresh": "Refreshes",
    "schedules": "Schedules",
    "append": "Appends",
    "update": "Updates",
    "find": "Conditions of updates and deletes",
    "refusals": "Requests that are refused",
    "paths": "Paths",
    "API versions": "Versions of the API",
    "scopes": "Scopes",
    "tokens": "Tokens",
    "account": "The account",
    "entries": "Users, teams and dashboards in general",
    "users": "Users",
    "teams": "Teams",
    "dashboards": "Dashboards",
}
"""The heading of each area of assumptions."""


def assumptions() -> str:
    """Return a table of the assumptions of each area: the behaviour, and what it means for the client."""
    effects = runpy.run_path(str(TESTS / "contract" / "assumption_effects.py"))["EFFECTS"]
    asks = {question.name: question.asks for question in QUESTIONS}
    lines: dict[str, list[Sequence[str]]] = {area: [] for area in AREAS}
    for each in ASSUMED:
        effect = effects[each.name]
        questions = effect.questions(each)
        examined = [f"`{name}`: {asks[name]}" for name in questions] or ["Not examined."]
        lines[each.area].append(
            (
                each.behaviour,
                each.tag,
                choices(each.switch),
                effect.client,
                "<br>".join(examined) + (f" {effect.why_not_examined}" if effect.why_not_examined else ""),
                "<br>".join(f"`{test}`" for test in effect.tests),
            )
        )
    header = ("what is assumed", "source", "switch", "what the client does", "how the doctor finds out", "tests")
    return "\n\n".join(f"## {title}\n\n{table(header, lines[area])}" for area, title in AREAS.items())


def choices(switch: str | None) -> str:
    """Return a switch with its values, the default first."""
    return "none" if switch is None else f"`{switch}`<br>" + "<br>".join(f"`{value!r}`" for value in CHOICES[switch])


@functools.cache
def tests_by_operation() -> Mapping[str, Mapping[str | None, list[str]]]:
    """Return the tests of each operation, by request line and dialect; None stands for every dialect."""
    found: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(TESTS.rglob("test_*.py")):
        file = path.relative_to(TESTS).with_suffix("").as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.operation":
                    dialect = next((ast.literal_eval(each.value) for each in mark.keywords), None)
                    for line in mark.args:
                        found[ast.literal_eval(line)][dialect].append(f"{file}::{node.name}")
    return found


def operations() -> str:
    """Return the table of the API's operations."""
    by_line, lines = tests_by_operation(), []
    for operation in OPERATIONS:
        tests = list(dict.fromkeys(test for each in by_line[operation.line].values() for test in each))
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
    return table(("request", "called by", "unversioned", "versioned", "tested by"), lines)


def promises() -> str:
    """Return the promises that the contract suite checks."""
    lines = []
    for node in ast.parse((TESTS / "contract" / "test_account.py").read_text("utf-8")).body:
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                page, sentence = map(ast.literal_eval, mark.args)
                lines.append((sentence, f"`{page}`", f"`{node.name}`"))
    return table(("promise", "stands in", "test"), lines)


_LONGEST_BODY = 100


def client_requests() -> str:
    """Return the requests of public clients: a table of those that are answered, and one of those that are refused."""
    answered: dict[tuple[str, ...], list[str]] = defaultdict(list)
    refused: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for sent in runpy.run_path(str(TESTS / "contract" / "client_requests.py"))["CLIENT_REQUESTS"]:
        line = (*client_request(sent), sent.reads)
        if sent.refused is None:
            answered[line].append(sent.client)
        else:
            refused[(*line, " ".join(map(str, sent.refused)))].append(sent.client)
    header = ("client", "request", "dialect", "credentials", "body")
    return "\n\n".join(
        f"## Requests that are {title}\n\n"
        + table((*header, *more), [("; ".join(dict.fromkeys(clients)), *line) for line, clients in lines.items()])
        for title, more, lines in (
            ("answered", ("the client reads",), answered),
            ("refused", ("why", "refusal"), refused),
        )
    )


def client_request(sent: Any) -> tuple[str, ...]:
    """Return request line, dialect, credentials and body of a request of a public client."""
    line = re.sub(r"\{(table|fed|schedule|dashboard)\}", "{id}", sent.request)
    query = "&".join(f"{name}={shown(value)}" for name, value in sent.query.items())
    credentials = {name.lower(): value.split(" ")[0] for name, value in sent.headers.items()}
    signed = credentials.get("authorization", "API key" if "clicdata-api-key" in credentials else "")
    body = ", ".join(f"{name}={shown(value)}" for name, value in (sent.form or {}).items())
    if sent.body is not None:
        body = re.sub(r"\{(table|name)\}", "…", json.dumps(sent.body))
        body = body if len(body) <= _LONGEST_BODY else body[: body.rindex(" ", 0, _LONGEST_BODY)] + " …"
    return f"`{line}?{query}`" if query else f"`{line}`", sent.version or sent.dialect, signed, body and f"`{body}`"


def shown(value: object) -> str:
    """Return a parameter, or an ellipsis for one that differs each time."""
    return re.sub(r"\{\w+\}", "…", str(value))


GENERATED: Mapping[str, tuple[str, str]] = {
    "operations.md": ("operations", operations()),
    "types.md": ("types", f"{types()}\n\nA value of each type, as it is encoded and read back:\n\n{examples()}"),
    "assumptions.md": ("assumptions", assumptions()),
    "check-your-account.md": ("promises", promises()),
    "public-clients.md": ("requests of public clients", client_requests()),
}


def openapi_text(dialect: Dialect) -> str:
    """Return the OpenAPI document of a dialect."""
    return json.dumps(document(dialect), indent=1, ensure_ascii=False) + "\n"


FILES: Mapping[str, str] = {
    "openapi/unversioned.json": openapi_text(Dialect()),
    "openapi/2025.3.json": openapi_text(Dialect((2025, 3), wrapped=True)),
}


def with_content(page: str, name: str, content: str) -> str:
    """Return a page with new content between its markers."""
    start, end = f"<!-- generated: {name} -->", "<!-- end -->"
    whole = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    return whole.sub(lambda _: f"{start}\n\n{content}\n\n{end}", page)


if __name__ == "__main__":
    for file, (name, content) in GENERATED.items():
        path = DOCS / file
        path.write_text(with_content(path.read_text("utf-8"), name, content), "utf-8")
    for file, content in FILES.items():
        (DOCS / file).parent.mkdir(exist_ok=True)
        (DOCS / file).write_text(content, "utf-8")
