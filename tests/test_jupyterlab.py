"""Views, progress and sign-in in JupyterLab, in a browser, in its light and its dark theme.

It needs the extra ``browser`` and Chromium, and is skipped without them unless ``CLICDATA_TEST_BROWSER`` is set.
``CLICDATA_TEST_SCREENSHOTS`` is a folder for screenshots of each cell.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from waiting import wait_until

import pandas_clicdata as cd

pytestmark = pytest.mark.slow

SETUP = """
import pandas as pd
import pandas_clicdata as cd
from pandas_clicdata.sandbox import Sandbox
sandbox = Sandbox().start()
sandbox.seed()
session = sandbox.connect()
df = pd.DataFrame({"flight": [f"UA{n}" for n in range(6_000)], "delay": range(6_000)})
bad = df.assign(odd=complex(1), rate=1 / df["delay"])
session
"""
# The name of a screenshot, a cell, what the page shows while the cell runs, and what it shows in the end.
CELLS = {
    "session": (SETUP, (), ("ClicData session", "client_credentials")),
    "receipt": ('df.clicdata.push("Flights 2013")', (), ("confirmed", "6,000 rows inserted", "2 columns")),
    "dry run": ('df.clicdata.push("Flights 2014", dry_run=True)', (), ("dry run", "insert 6,000 rows")),
    "schema": (
        "bad.clicdata.schema()",
        (),
        ("2 refused", "(1+0j) (complex) has no ClicData type", "on_bad_values='null'"),
    ),
    "error": (
        'bad.clicdata.push("Bad")',
        (),
        ("UnsupportedTypeError: 2 columns cannot be sent", "Column 'rate', row 0", "The full traceback: %tb"),
    ),
    "progress": (
        'sandbox.faults.status(429, operation="append", nth=4, retry_after=5)\ndf.clicdata.push("Slow flights")',
        ("push Slow flights:", "rows/s", "ClicData asked to wait"),
        ("6.00k/6.00k", "confirmed"),
    ),
    "unfinished": (
        'sandbox.faults.lose_reply(operation="append", nth=4)\n'
        'try:\n    df.clicdata.push("Lost flights")\nexcept cd.AmbiguousWriteError:\n    pass\ncd.unfinished()',
        (),
        ("1 write stopped before the end", "resume=True"),
    ),
    "tables": ('cd.tables("fli")', (), ('with "fli" in the name', "Flights 2013", "rec_id")),
    "columns": ('cd.columns("Flights 2013")', (), ("2 columns of table", "number", "int64")),
    "whoami": ("cd.whoami()", (), ("ClicData sign-in", "Ada Sandbox")),
    "login": ("cd.login(base_url=sandbox.url)", ("How do you sign in?", "Number [1]:"), ()),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    needed = "CLICDATA_TEST_BROWSER" in os.environ
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not needed and (path is None or importlib.util.find_spec("jupyterlab") is None):
        pytest.skip("needs Chromium and the extra 'browser'")
    playwright: Any = importlib.import_module("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start JupyterLab in a folder with the notebook; its settings are not those of the user."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [new_code_cell(source.strip()) for source, _, _ in CELLS.values()]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for theme in ("light", "dark"):
        nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / f"{theme}.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICDATA_")}
    environment |= {name: str(folder / name.lower()) for name in (*names, "IPYTHONDIR")}
    environment["PYTHONPATH"] = str(Path(cd.__file__).parent.parent)
    environment.pop("PYTEST_CURRENT_TEST", None)
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyterlab", *options, "--ServerApp.disable_check_xsrf=True"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{address}/api/status"))
        yield address
    finally:
        process.terminate()
        process.wait(30)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def set_theme(server: str, theme: str) -> None:
    settings = {"themes": {"theme": f"JupyterLab {theme.title()}"}, "notification": {"fetchNews": "false"}}
    for plugin, values in settings.items():
        body = json.dumps({"raw": json.dumps(values)}).encode()
        address = f"{server}/lab/api/settings/@jupyterlab/apputils-extension:{plugin}"
        with urllib.request.urlopen(urllib.request.Request(address, body, method="PUT")):
            pass


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_a_notebook_shows(browser: Any, server: str, theme: str) -> None:
    set_theme(server, theme)
    folder = os.environ.get("CLICDATA_TEST_SCREENSHOTS")
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(60_000)
    page.goto(f"{server}/lab/tree/{theme}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    for number, (name, (_, meanwhile, finally_)) in enumerate(CELLS.items()):
        cell = page.locator(".jp-Cell").nth(number)
        run(page, cell)
        for text in (*meanwhile, *finally_):
            # In the bar of widgets, the spaces are other ones.
            cell.get_by_text(re.compile(r"\s+".join(map(re.escape, text.split())))).first.wait_for()
            if folder and (text,) == meanwhile[-1:]:
                cell.screenshot(path=Path(folder) / f"{theme} {name} meanwhile.png")
        if folder:
            cell.scroll_into_view_if_needed()
            cell.screenshot(path=Path(folder) / f"{theme} {name}.png")
        found = contrast_of(cell)
        assert found[0] >= 4.5, (name, found)
    page.close()


def run(page: Any, cell: Any) -> None:
    """Run a cell. Until the kernel is connected, JupyterLab ignores the keys."""
    prompt = cell.locator(".jp-InputPrompt").first

    def has_begun() -> bool:
        cell.locator(".jp-InputArea-editor").first.click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)
        return bool(prompt.inner_text().strip() != "[ ]:")

    wait_until(has_begun)


def contrast_of(cell: Any) -> Any:
    """Return the lowest contrast of a text in the views of a cell, as WCAG defines it."""
    colors = cell.evaluate(
        """cell => {
            const texts = [...cell.querySelectorAll('.jp-RenderedHTMLCommon *')].filter(
                each => [...each.childNodes].some(node => node.nodeType == 3 && node.textContent.trim()));
            const background = each => {
                while (each && /rgba\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(each).backgroundColor))
                    each = each.parentElement;
                return each ? getComputedStyle(each).backgroundColor : 'rgb(255, 255, 255)';
            };
            return texts.map(each => [each.textContent, getComputedStyle(each).color, background(each)]);
        }"""
    )
    return min(
        ((ratio(luminance(front), luminance(back)), front, back, text) for text, front, back in colors), default=(21,)
    )


def luminance(color: str) -> float:
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ratio(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
