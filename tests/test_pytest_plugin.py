"""The pytest plugin: it is active only in projects that name it."""

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMED = 'pytest_plugins = ["pandas_clicdata.pytest_plugin"]\n'
USES = """
import pandas as pd, pandas_clicdata as cd, pytest

@pytest.mark.parametrize("turn", [1, 2])
def test_push(clicdata_sandbox, turn):
    pd.DataFrame({"a": [turn]}).clicdata.push("Mine")
    assert clicdata_sandbox.ledger.count("Mine") == 1

def test_afterwards():
    with pytest.raises(cd.NoCredentialsError):
        pd.read_clicdata("Mine")
"""
USES_NOTHING = """
import sys

def test_modules():
    assert not {"pandas", "pyarrow", "pandas_clicdata"} & set(sys.modules)
"""


@pytest.fixture
def run_pytest(tmp_path):
    """Return a function that runs pytest in a project with these files and returns the exit status and the output."""

    def run(files, *options):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CLICDATA_", "COV"))}
        clean |= {"XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            "-W",
            "error",
        ]
        result = subprocess.run(
            [*command, *options], capture_output=True, text=True, cwd=tmp_path, env=clean, timeout=300, check=False
        )
        return result.returncode, result.stdout + result.stderr

    return run


@pytest.mark.sampled(0)
@pytest.mark.parametrize(
    ("conftest", "options"),
    [
        (NAMED, ()),
        ("import pandas_clicdata\n" + NAMED, ()),
        ("", ("-p", "pandas_clicdata.pytest_plugin")),
    ],
    ids=["conftest", "after an import", "option"],
)
def test_each_test_has_an_empty_sandbox_and_the_default_session_is_restored(run_pytest, conftest, options):
    status, output = run_pytest({"conftest.py": conftest, "test_mine.py": USES}, *options)
    assert status == 0, output
    assert "3 passed" in output


@pytest.mark.slow
def test_pytest_loads_no_module_of_the_package_unless_the_plugin_is_named(run_pytest):
    status, output = run_pytest({"test_mine.py": USES_NOTHING})
    assert status == 0, output


def test_there_is_no_entry_point():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg", "utf-8")
    assert "pytest11" not in setup["options.entry_points"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accessor", "function"])
def test_a_name_conflict_fails_only_in_projects_that_name_the_plugin(run_pytest, kind):
    other = {
        "accessor": "import pandas as pd\npd.DataFrame.clicdata = property(len)",
        "function": "import pandas as pd\npd.read_clicdata = print",
    }[kind]
    files = {"other.py": other, "test_mine.py": "def test(): pass"}
    status, output = run_pytest(files, "-p", "other")
    assert status == 0, output
    status, output = run_pytest({**files, "conftest.py": NAMED}, "-p", "other")
    assert status != 0
    assert "which another package has already registered" in output


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["flask", "waitress"])
def test_a_missing_extra_shows_the_pip_command(run_pytest, missing):
    conftest = f"import sys\nsys.modules[{missing!r}] = None\n{NAMED}"
    status, output = run_pytest({"conftest.py": conftest, "test_mine.py": USES})
    assert status == 1
    line = f'needs {missing}, which is not installed. Run: pip install "pandas-clicdata[sandbox]"'
    assert line in " ".join(output.split())
    assert "Traceback" not in output
    assert "2 errors" in output


@pytest.mark.slow
def test_the_coverage_of_the_package_can_be_measured(run_pytest, tmp_path):
    pytest.importorskip("pytest_cov", reason="pytest-cov is not installed")
    status, output = run_pytest(
        {"conftest.py": NAMED, "test_mine.py": USES}, "--cov=pandas_clicdata", "--cov-report=json"
    )
    assert status == 0, output
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    (version,) = (measured for path, measured in files.items() if path.endswith("_version.py"))
    # Its lines run only during the import.
    assert version["summary"]["percent_covered"] == 100
