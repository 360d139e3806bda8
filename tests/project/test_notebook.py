"""The tour runs in a Jupyter kernel, shows the expected outputs, calls the whole API and leaves no files."""

from __future__ import annotations

import ast
import inspect
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from traitlets.config import Config

import pandas_clicdata as cd

DOCS = Path(__file__).parent.parent.parent / "docs"
TOUR, DAY = DOCS / "tour.ipynb", DOCS / "day.ipynb"
CLASSES = (cd.Account, cd.Dashboard, cd.Data, cd.Schedule, cd.Team, cd.User)
CONNECTING = {"authorization_url", "connect", "login", "logout"}
WITH_HTML = ("AccountInfo(", "ScheduleRun(", "<WriteResult ", "<Session ")


def read(path: Path) -> Any:
    # A new copy, because an execution changes it.
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


# contents


@pytest.mark.parametrize("path", [TOUR, DAY])
def test_the_file_is_a_valid_notebook_without_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.metadata.kernelspec.name) == (4, "python3")
    dirty = [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None]
    assert not dirty, "clear the outputs before you save"
    assert notebook.cells[-1].cell_type == "markdown"


def called(notebook: Any) -> Iterator[str]:
    """Yield each call as `function`, `Class.method` or `df.clicdata.method`.

    A variable that is bound to `cd.Class()` counts as `Class`.
    """
    code = "\n".join(TransformerManager().transform_cell(cell.source) for cell in code_cells(notebook))
    kinds: dict[str, str] = {}
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Assign(targets=[ast.Name(bound)], value=ast.Call(ast.Attribute(ast.Name("cd"), kind))) if (
                kind in cd.__all__
            ):
                kinds[bound] = kind
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(ast.Attribute(ast.Name("cd" | "pd"), name)) if name in cd.__all__:
                yield name
            case ast.Call(ast.Attribute(ast.Name(bound), method)) if bound in kinds:
                yield f"{kinds[bound]}.{method}"
            case ast.Call(ast.Attribute(ast.Call(ast.Attribute(ast.Name("cd"), kind)), method)):
                yield f"{kind}.{method}"
            case ast.Call(ast.Attribute(ast.Attribute(_, "clicdata"), method)):
                yield f"df.clicdata.{method}"


def test_the_tour_calls_every_function_and_method() -> None:
    functions = {name for name in cd.__all__ if inspect.isfunction(getattr(cd, name))} - CONNECTING
    owners = {kind.__name__: kind for kind in CLASSES} | {"df.clicdata": cd.ClicDataAccessor}
    methods = {
        f"{name}.{method}"
        for name, kind in owners.items()
        for method, _ in inspect.getmembers(kind, inspect.isfunction)
        if not method.startswith("_")
    }
    assert {"Data.get_data", "df.clicdata.push"} <= methods
    assert not sorted((functions | methods) - set(called(read(TOUR))))


@pytest.mark.parametrize("path", [TOUR, DAY])
def test_links_in_the_notebook_are_valid(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    assert not [link for link in links if not (DOCS / link).exists()]


# execution


@pytest.fixture(scope="module", params=[TOUR, pytest.param(DAY, marks=pytest.mark.slow)], ids=["tour", "day"])
def each_path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def executed(each_path: Path, no_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the notebook in an empty folder, and check that its kernel ends and leaves no files."""
    user_folders = {
        name: tmp_path / name.lower() for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR")
    }
    working_folder = tmp_path / "work"
    for folder in (working_folder, *user_folders.values()):
        folder.mkdir()
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    environment = {**os.environ, **{name: str(folder) for name, folder in user_folders.items()}}
    # With this variable, a kernel does not capture what is written to standard error outside of Python.
    environment.pop("PYTEST_CURRENT_TEST", None)
    # The kernel imports what the tests import.
    environment["PYTHONPATH"] = str(Path(cd.__file__).parent.parent)
    # The path of a socket is limited to about a hundred characters, and the folder of the test has a long path.
    with tempfile.TemporaryDirectory() as sockets:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", sockets)
        notebook = read(each_path)
        client = NotebookClient(
            notebook,
            timeout=60,
            startup_timeout=60,
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            resources={"metadata": {"path": str(working_folder)}},
        )
        pids = []

        def note_pid(**_: object) -> None:
            kernel: Any = client.km
            pids.append(kernel.provisioner.pid)

        client.on_notebook_start = note_pid
        client.execute(env=environment)
        with pytest.raises(ProcessLookupError):
            os.kill(pids[0], 0)
        assert not list(Path(sockets).iterdir())
    left_files = [
        path for folder in (working_folder, *user_folders.values()) for path in folder.rglob("*") if path.is_file()
    ]
    # The records of complete writes and the service profile expire.
    left_files = [
        path
        for path in left_files
        if (path.parent.parent.name != "writes" or path.suffix != ".json") and path.parent.name != "service-profiles"
    ]
    assert not left_files, "the notebook leaves files behind"
    return notebook


def test_the_notebook_runs_and_shows_the_expected_outputs(executed: Any, each_path: Path) -> None:
    for cell in code_cells(executed):
        kinds = [output.output_type for output in cell.outputs]
        # If a cell that shows an error no longer raises it, the text around the cell is wrong.
        assert ("error" in kinds) == ("raises-exception" in tags(cell)), cell.source
        streams = {output.name for output in cell.outputs if output.output_type == "stream"}
        prints = "print(" in cell.source
        assert streams == ({"stdout"} if prints else set()), cell.source

    outputs = [output for cell in code_cells(executed) for output in cell.outputs]
    shown = [output for output in outputs if output.output_type == "error"]
    assert all(output.traceback[-1] == "The full traceback: %tb" for output in shown)
    errors = [output.ename for output in shown]
    assert set(errors) <= {*cd.errors.__all__, "ValueError", "TypeError", "KeyboardInterrupt"}
    check = check_tour if each_path == TOUR else check_day
    check(executed, outputs, errors)


def check_day(executed: Any, outputs: list[Any], errors: list[str]) -> None:
    assert errors == ["KeyboardInterrupt", "TableExistsError"]
    stopped = next(output for output in reversed(outputs) if output.output_type == "error")
    assert "resume=True" in "".join(stopped.traceback)
    results = {
        cell.id: cell.outputs[-1].data for cell in code_cells(executed) if cell.outputs and "data" in cell.outputs[-1]
    }
    by_source = {cell.source: results.get(cell.id, {}) for cell in code_cells(executed)}
    assert by_source['len(pd.read_clicdata("Flown")) == len(flown)']["text/plain"] == "True"
    assert next(data for source, data in by_source.items() if 'output="image"' in source).get("image/png")
    upsert = next(data for source, data in by_source.items() if ".upsert(" in source)
    assert "inserted" in upsert["text/html"]


def check_tour(executed: Any, outputs: list[Any], errors: list[str]) -> None:
    assert {"TableNotFoundError", "TableExistsError", "CellValueError", "ScheduleFailedError"} <= set(errors)

    results = [output.data for output in outputs if output.output_type == "execute_result"]
    displayed = [data for data in results if data["text/plain"].startswith(WITH_HTML)]
    assert all(data["text/html"].startswith("<div style=") for data in displayed)
    titles = {
        title for data in displayed for title in re.findall(r"<b>(?:ClicData )?(\w+)[^<]*</b>", data["text/html"])
    }
    assert titles >= {"session", "account", "schedule", "push", "append", "update_rows", "delete_rows"}

    pictures = [cell for cell in code_cells(executed) if 'output="image"' in cell.source]
    assert len(pictures) >= 2
    assert all(cell.outputs[0].data.get("image/png") for cell in pictures)

    ledger = next(cell for cell in code_cells(executed) if "sandbox.ledger.count" in cell.source)
    stored, sent = ast.literal_eval(ledger.outputs[0].data["text/plain"])
    assert stored == sent > 1000
