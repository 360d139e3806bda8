"""The contents of setup.cfg and pyproject.toml, and the versions that CI installs."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_setup_cfg_and_pyproject_do_not_overlap() -> None:
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
