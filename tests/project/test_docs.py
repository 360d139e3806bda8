"""The code in the docs runs, and their generated parts are up to date."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.session import preserve_default_session
from pandas_clicdata.types import ingest
from pandas_clicdata.types.rules import LITERAL_RULE, RULES, rule_for

ROOT = Path(__file__).parent.parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WITH_CODE = [page for page in PAGES if CODE.search(page.read_text("utf-8"))]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if CODE.search(page.read_text("utf-8"))], ids=attrgetter("name")
)
def test_code_on_a_page_runs_from_top_to_bottom(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pandas_clicdata import session as module
    from pandas_clicdata.sandbox import Sandbox

    monkeypatch.chdir(tmp_path)
    code = "\n".join(CODE.findall(page.read_text("utf-8")))
    with Sandbox() as sandbox, preserve_default_session():
        monkeypatch.setattr(module, "_sandbox_of_process", lambda: sandbox)
        exec(compile(code, str(page), "exec"), {"__name__": "a page"})


@pytest.mark.parametrize(
    "file", ["operations.md", "types.md", "assumptions.md", "public-clients.md", "check-your-account.md"]
)
def test_generated_tables_are_up_to_date(file: str, generate: ModuleType) -> None:
    name, content = generate.GENERATED[file]
    page = (ROOT / "docs" / file).read_text("utf-8")

    assert generate.with_content(page, name, content) == page, "run: python docs/generate.py"


def test_the_type_page_has_an_example_of_each_row(generate: ModuleType) -> None:
    for rule in (*RULES, LITERAL_RULE):
        column = eval(generate.EXAMPLES[rule.arrow][0], vars(generate))
        frame = ingest.as_source(pa.table({"x": column}) if isinstance(column, pa.Array) else column.to_frame("x"))
        (source,) = frame.columns
        assert rule is (LITERAL_RULE if source.numerals else rule_for(source.arrow_type))
    assert len(generate.EXAMPLES) == len(RULES) + 1


def test_every_promise_of_the_contract_suite_stands_in_the_docs() -> None:
    suite = ast.parse((ROOT / "tests" / "contract" / "test_account.py").read_text("utf-8"))
    tests = [each for each in suite.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")]
    marks = [
        [mark for mark in test.decorator_list if ast.unparse(mark).startswith("pytest.mark.promise")] for test in tests
    ]
    assert tests
    for test, found in zip(tests, marks, strict=True):
        assert len(found) == 1, f"{test.name} needs one mark with the promise that it checks"
        assert isinstance(found[0], ast.Call)
        page, sentence = map(ast.literal_eval, found[0].args)
        assert sentence in " ".join((ROOT / page).read_text("utf-8").split()), f"{page} does not say: {sentence}"


def test_every_public_name_has_a_page() -> None:
    pages = "".join((ROOT / "docs" / page).read_text("utf-8") for page in ("api.md", "errors.md"))
    listed = re.findall(r"^   (\w+)$", pages, re.MULTILINE)

    assert sorted(listed) == sorted({*cd.__all__} - {"__version__"})


def test_the_data_flow_diagram_is_up_to_date() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "data_flow.py"))["drawing"]()

    assert (ROOT / "docs" / "_static" / "data-flow.svg").read_text("utf-8") == "\n".join(drawn) + "\n"


def test_links_between_pages_are_valid() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_commands_are_those_that_ci_runs() -> None:
    commands = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith("python3 -m")]

    assert len(commands) == 2
    assert all(shlex.split(command)[:3] == ["python3", "-m", "venv"] for command in commands)
    assert "grep -F '\".[test]\"' README.md" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert sum('".[test]"' in command for command in commands) == 1


# A path of the repository, of the package or of a folder in it.
_PATH = re.compile(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|\.md|\.ipynb|/))`")


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"], ids=attrgetter("name"))
def test_the_paths_on_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    paths = set(_PATH.findall(text)) | set(re.findall(r"(?:tests|docs|pandas_clicdata)/[\w/]+\.\w+", text))
    assert paths
    folders = [
        ROOT,
        *(each for each in (ROOT / "pandas_clicdata").rglob("*") if each.is_dir()),
        ROOT / "pandas_clicdata",
    ]
    assert [path for path in sorted(paths) if not any((folder / path).exists() for folder in folders)] == []
