"""The tour runs in a real Jupyter kernel, shows what it promises to show, and leaves nothing out and nothing behind."""

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

TOUR = Path(__file__).parent.parent.parent / "docs" / "tour.ipynb"
CLASSES = (cd.Account, cd.Dashboard, cd.Data, cd.Schedule, cd.Team, cd.User)
CONNECTING = {"authorization_url", "connect"}
SHOW_THEMSELVES = ("AccountInfo(", "ScheduleRun(", "WriteResult(", "<Session ")


def tour() -> Any:
    # A specimen of its own, for an execution writes into it.
    return nbformat.read(TOUR, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


# what stands in it


def test_the_file_holds_no_outputs_and_is_a_valid_notebook() -> None:
    notebook = tour()
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.metadata.kernelspec.name) == (4, "python3")
    dirty = [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None]
    assert not dirty, "clear the outputs before you save"
    assert notebook.cells[-1].cell_type == "markdown"


def called(notebook: Any) -> Iterator[str]:
    """Each call as `function`, `Class.method` or `df.clicdata.method`; whatever is bound to `cd.Class()` is one."""
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


def test_nothing_of_the_api_is_left_out() -> None:
    functions = {name for name in cd.__all__ if inspect.isfunction(getattr(cd, name))} - CONNECTING
    doors = {kind.__name__: kind for kind in CLASSES} | {"df.clicdata": cd.ClicDataAccessor}
    methods = {
        f"{name}.{method}"
        for name, kind in doors.items()
        for method, _ in inspect.getmembers(kind, inspect.isfunction)
        if not method.startswith("_")
    }
    assert {"Data.get_data", "df.clicdata.push"} <= methods
    assert not sorted((functions | methods) - set(called(tour())))


def test_its_links_lead_somewhere() -> None:
    text = "\n".join(cell.source for cell in tour().cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    assert not [link for link in links if not (TOUR.parent / link).exists()]


# what it does


@pytest.fixture
def executed(no_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the notebook in a folder of its own, and check that its kernel ends and leaves no file anywhere."""
    places = {name: tmp_path / name.lower() for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR")}
    here = tmp_path / "here"
    for folder in (here, *places.values()):
        folder.mkdir()
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    environment = {**os.environ, **{name: str(folder) for name, folder in places.items()}}
    # With it, a kernel does not catch what is written to standard error past Python.
    environment.pop("PYTEST_CURRENT_TEST", None)
    # The kernel imports what the tests import.
    environment["PYTHONPATH"] = str(Path(cd.__file__).parent.parent)
    # The path of a socket may have a hundred characters or so, and that of the test has as many.
    with tempfile.TemporaryDirectory() as sockets:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", sockets)
        notebook = tour()
        client = NotebookClient(
            notebook,
            timeout=60,
            startup_timeout=60,
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            resources={"metadata": {"path": str(here)}},
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
    left = [path for folder in (here, *places.values()) for path in folder.rglob("*")]
    assert not left, "the tour leaves files behind"
    return notebook


def test_the_notebook_runs_and_shows_what_its_text_says(executed: Any) -> None:
    for cell in code_cells(executed):
        kinds = [output.output_type for output in cell.outputs]
        # A wrong turn that is none any more makes the text around it wrong.
        assert ("error" in kinds) == ("raises-exception" in tags(cell)), cell.source
        streams = {output.name for output in cell.outputs if output.output_type == "stream"}
        asked = "print(" in cell.source or cell.source.startswith("%")
        assert streams == ({"stdout"} if asked else set()), cell.source

    outputs = [output for cell in code_cells(executed) for output in cell.outputs]
    errors = [output.ename for output in outputs if output.output_type == "error"]
    assert set(errors) <= {*cd.errors.__all__, "ValueError"}
    assert {"TableNotFoundError", "TableExistsError", "CellValueError", "ScheduleFailedError"} <= set(errors)

    results = [output.data for output in outputs if output.output_type == "execute_result"]
    proud = [data for data in results if data["text/plain"].startswith(SHOW_THEMSELVES)]
    assert all(data["text/html"].startswith("<table>") for data in proud)
    captions = {
        caption for data in proud for caption in re.findall("<caption>ClicData (.*?)</caption>", data["text/html"])
    }
    assert captions >= {"session", "account", "schedule", "push", "append", "update_rows", "delete_rows"}

    pictures = [cell for cell in code_cells(executed) if 'output="image"' in cell.source]
    assert len(pictures) >= 2
    assert all(cell.outputs[0].data.get("image/png") for cell in pictures)

    ledger = next(cell for cell in code_cells(executed) if "sandbox.ledger.count" in cell.source)
    there, sent = ast.literal_eval(ledger.outputs[0].data["text/plain"])
    assert there == sent > 1000
