"""The house rules, read off the code: who imports whom, what is public, what stands in which file."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import pandas_clicdata as cd

ROOT = Path(__file__).parent.parent
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
def test_a_room_imports_what_its_walls_allow(path: Path) -> None:
    room = room_of(path)
    imported = set(rooms_imported(path)) - {room}
    if room == "sandbox":
        assert imported <= WALLS[room]
    elif room in LEAVES:
        assert imported <= LEAVES[room] | {"errors"}
    else:
        assert imported <= WALLS[room] | LEAVES.keys()


def test_every_wall_stands_where_a_room_is() -> None:
    assert {room_of(path) for path in modules()} == WALLS.keys() | LEAVES.keys()


@pytest.mark.parametrize("room", sorted(WALLS))
def test_sandbox_and_client_meet_in_one_line_each(room: str) -> None:
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
def test_the_dialects_know_neither_pandas_nor_the_network(module: str) -> None:
    tree = ast.parse((PACKAGE / "client" / f"{module}.py").read_text("utf-8"))
    imported = {name.split(".")[0] for name, _ in runtime_imports(tree)}
    assert not imported & {"numpy", "pandas", "pyarrow", "requests", "urllib3", "socket"}


def test_there_is_no_drawer() -> None:
    assert not {path.stem for path in modules()} & {"utils", "util", "common", "misc", "helpers"}


def test_public_names_are_all_there_sorted_and_documented() -> None:
    own = [name for name in cd.__all__ if name not in cd.errors.__all__]

    assert own == sorted(own)
    assert cd.errors.__all__ == sorted(cd.errors.__all__)
    assert len(set(cd.__all__)) == len(cd.__all__)
    for name in cd.__all__:
        assert name == "__version__" or (getattr(cd, name).__doc__ or "").strip(), name


def test_dir_lists_the_public_names_alone() -> None:
    assert dir(cd) == sorted(cd.__all__)


def test_every_error_is_in_the_tree_and_the_tree_is_printed() -> None:
    for name in cd.errors.__all__:
        error = getattr(cd.errors, name)
        assert issubclass(error, cd.ClicDataError | cd.IndexNotSentWarning)
        assert issubclass(error, Warning) or name in (cd.errors.__doc__ or "")


def test_registering_twice_does_no_harm_and_never_replaces_a_foreign_name() -> None:
    code = (
        "import importlib, warnings, pandas as pd; warnings.simplefilter('error'); import pandas_clicdata as cd;"
        "importlib.reload(cd); assert pd.read_clicdata is cd.read_clicdata; assert hasattr(pd.DataFrame(), 'clicdata')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    foreign = "import pandas as pd; pd.DataFrame.clicdata = 'theirs'; import pandas_clicdata"
    result = subprocess.run([sys.executable, "-c", foreign], capture_output=True, text=True, check=False)
    assert "DataFrame.clicdata, which another package has already registered" in result.stderr


def test_importing_loads_only_what_is_used() -> None:
    heavy = [
        "PIL", "filelock", "flask", "oauthlib", "platformdirs", "pyarrow.parquet", "requests", "sqlite3", "tqdm",
        "waitress",
    ]  # fmt: skip
    code = (
        "import sys, pandas, pyarrow; before = set(sys.modules); import pandas_clicdata;"
        f"print(*sorted(set({heavy!r}) & (set(sys.modules) - before)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_nothing_is_said_in_both_setup_cfg_and_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")

    assert set(project) == {"build-system", "tool"}
    assert {section.partition(":")[0].partition(".")[0] for section in setup.sections()} == {"metadata", "options"}


def test_the_lower_bounds_are_those_that_are_tested() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    claimed = setup["options"]["install_requires"] + setup["options.extras_require"]["sandbox"]
    tested = dict(
        line.split("==") for line in (ROOT / ".ci" / "lowest.txt").read_text("utf-8").splitlines() if "==" in line
    )
    for line in claimed.split():
        name, bound = line.split(">=")
        assert f"{tested[name]}.".startswith(f"{bound}."), line


def test_nothing_is_printed_by_a_plain_import_or_by_the_accessor() -> None:
    code = "import pandas as pd, pandas_clicdata; pd.DataFrame({'a': [1]}).clicdata.schema()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


def test_the_accessor_keeps_no_state_and_does_nothing_by_being_there() -> None:
    frame = pd.DataFrame({"a": [1]})

    assert set(vars(frame.clicdata)) == {"_frame"}
    doors = "push, append, update_rows, upsert, delete_rows, schema"
    assert repr(frame.clicdata) == f"<df.clicdata of 1 rows, 1 columns: {doors}>"
