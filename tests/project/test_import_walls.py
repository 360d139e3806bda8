"""Each part of the package imports what the table here allows, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "pandas_clicdata"
PUBLIC = "pandas_clicdata"

# What each room may import at run time, beside itself, `errors` and the leaves. `PUBLIC` stands for the public names.
WALLS: dict[str, set[str]] = {
    "__init__": {"accessor", "client", "read", "resources", "session", "write"},
    "accessor": {"types", "write"},
    "read": {"client", "session", "types"},
    "resources": {"client", "read", "session", "write"},
    # It reads back what it wrote, and before it takes anything away.
    "write": {"client", "read", "session", "types"},
    "session": {"client", "sandbox"},
    "client": set(),
    "types": set(),
    "cli": {PUBLIC, "demo", "sandbox"},
    "demo": {PUBLIC, "sandbox"},
    "__main__": {"cli"},
    "pytest_plugin": {"sandbox", "session"},
    "sandbox": {PUBLIC},
}
# What each leaf may import of the others.
LEAVES: dict[str, set[str]] = {
    "_checks": set(),
    "_config": {"_models", "_threads"},
    "_display": set(),
    "_docstrings": set(),
    "_durable": set(),
    "_models": {"_display"},
    "_threads": set(),
    "_version": set(),
    "errors": {"_docstrings"},
}
# The doors to the sandbox, and its one door out: each a single line inside a function.
SANDBOX_DOORS = {"session": 1, "cli": 1, "demo": 1, "pytest_plugin": 1, "sandbox": 1}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def runtime_imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module imported by absolute name, but for those under ``if TYPE_CHECKING``."""
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


def rooms_imported(path: Path) -> list[str]:
    rooms = []
    for module, _ in runtime_imports(ast.parse(path.read_text("utf-8"))):
        first, *rest = module.split(".")
        if first == PUBLIC:
            known = bool(rest) and ((PACKAGE / f"{rest[0]}.py").exists() or (PACKAGE / rest[0]).is_dir())
            rooms.append(rest[0] if known else PUBLIC)
    return rooms


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_wall_allows(path: Path) -> None:
    room = room_of(path)
    imported = set(rooms_imported(path)) - {room}
    if room == "sandbox":
        assert imported <= WALLS[room]
    elif room in LEAVES:
        assert imported <= LEAVES[room] | {"errors"}
    else:
        assert imported <= WALLS[room] | LEAVES.keys()


def test_every_module_has_a_wall() -> None:
    assert {room_of(path) for path in modules()} == WALLS.keys() | LEAVES.keys()


@pytest.mark.parametrize("room", sorted(WALLS))
def test_sandbox_and_client_import_each_other_in_single_lines_only(room: str) -> None:
    across = PUBLIC if room == "sandbox" else "sandbox"
    crossings = [
        imported
        for path in modules()
        if room_of(path) == room
        for imported in rooms_imported(path)
        if imported == across
    ]
    assert len(crossings) == SANDBOX_DOORS.get(room, 0)


@pytest.mark.parametrize("module", ["operations", "replies", "dialects"])
def test_dialects_import_neither_pandas_nor_the_network(module: str) -> None:
    tree = ast.parse((PACKAGE / "client" / f"{module}.py").read_text("utf-8"))
    imported = {name.split(".")[0] for name, _ in runtime_imports(tree)}
    assert not imported & {"numpy", "pandas", "pyarrow", "requests", "urllib3", "socket"}


def test_there_is_no_module_for_miscellanea() -> None:
    assert not {path.stem for path in modules()} & {"utils", "util", "common", "misc", "helpers"}
