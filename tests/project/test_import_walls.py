"""Each part of the package imports only what the tables in this file allow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "pandas_clicdata"
PUBLIC = "pandas_clicdata"

# What each part may import at run time, besides itself, `errors` and the leaves. `PUBLIC` means the public names.
ALLOWED: dict[str, set[str]] = {
    "__init__": {"accessor", "client", "diagnosis", "login", "read", "resources", "session", "write"},
    "accessor": {"types", "write"},
    "read": {"client", "session", "types"},
    "resources": {"client", "read", "session", "write"},
    "diagnosis": {"client", "read", "session", "write"},
    # Writes read rows to verify them, and before they delete any.
    "write": {"client", "read", "session", "types"},
    "session": {"client", "sandbox"},
    "login": {"client", "session"},
    "client": set(),
    "types": set(),
    "cli": {PUBLIC, "demo", "diagnosis", "sandbox"},
    "demo": {PUBLIC, "sandbox"},
    "__main__": {"cli"},
    "pytest_plugin": {"sandbox", "session"},
    "sandbox": {PUBLIC},
}
# What each leaf module may import from the other leaves.
LEAVES: dict[str, set[str]] = {
    "_checks": set(),
    "_config": {"_durable", "_keyring", "_models", "_threads"},
    "_display": {"_ipython"},
    "_docstrings": set(),
    "_durable": set(),
    # Inside a function, because `_models` imports `errors`, which imports `_ipython`.
    "_ipython": {"_models"},
    "_keyring": {"_models", "_threads"},
    "_models": {"_display"},
    "_options": {"_checks"},
    "_progress": {"_display", "_ipython"},
    "_request_count": {"_checks", "_options", "_progress", "_threads"},
    "_threads": set(),
    "_version": set(),
    "errors": {"_docstrings", "_ipython"},
}
# The number of imports of the sandbox, and of the public names by the sandbox. Each is a line inside a function.
SANDBOX_IMPORTS = {"session": 1, "cli": 1, "demo": 1, "pytest_plugin": 1, "sandbox": 1}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    names = path.relative_to(PACKAGE).with_suffix("").parts
    return names[0]


def runtime_imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the modules imported by absolute name, except those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}"
            if node.module == PUBLIC:
                yield from ((f"{PUBLIC}.{name.name}", node.lineno) for name in node.names)
            else:
                yield (node.module or "", node.lineno)
        yield from runtime_imports(node)


def parts_imported(path: Path) -> list[str]:
    parts = []
    for module, _ in runtime_imports(ast.parse(path.read_text("utf-8"))):
        first, *rest = module.split(".")
        if first == PUBLIC:
            known = bool(rest) and ((PACKAGE / f"{rest[0]}.py").exists() or (PACKAGE / rest[0]).is_dir())
            parts.append(rest[0] if known else PUBLIC)
    return parts


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_part_allows(path: Path) -> None:
    part = part_of(path)
    imported = set(parts_imported(path)) - {part}
    if part == "sandbox":
        assert imported <= ALLOWED[part]
    elif part in LEAVES:
        assert imported <= LEAVES[part] | {"errors"}
    else:
        assert imported <= ALLOWED[part] | LEAVES.keys()


def test_every_module_belongs_to_a_part() -> None:
    assert {part_of(path) for path in modules()} == ALLOWED.keys() | LEAVES.keys()


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_sandbox_and_package_import_each_other_only_in_the_listed_lines(part: str) -> None:
    across = PUBLIC if part == "sandbox" else "sandbox"
    crossings = [
        imported
        for path in modules()
        if part_of(path) == part
        for imported in parts_imported(path)
        if imported == across
    ]
    assert len(crossings) == SANDBOX_IMPORTS.get(part, 0)


@pytest.mark.parametrize("module", ["operations", "replies", "dialects"])
def test_dialects_import_neither_pandas_nor_the_network(module: str) -> None:
    tree = ast.parse((PACKAGE / "client" / f"{module}.py").read_text("utf-8"))
    imported = {name.split(".")[0] for name, _ in runtime_imports(tree)}
    assert not imported & {"numpy", "pandas", "pyarrow", "requests", "urllib3", "socket"}


def test_no_module_has_a_generic_name() -> None:
    assert not {path.stem for path in modules()} & {"utils", "util", "common", "misc", "helpers"}
