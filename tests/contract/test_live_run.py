"""The contract suite as the owner of an account runs it, with a sandbox in the place of the account."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TABLES = [f"pandas-clicdata contract test: {name}" for name in ("keys", "rows", "types")]

pytestmark = pytest.mark.slow


def run(live, home, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLICDATA_", "PYTEST_"))}
    # The profile of the user who runs the tests does not count.
    environment |= {"CLICDATA_LIVE": live, "HOME": str(home), "XDG_CONFIG_HOME": str(home), **settings}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/contract/test_account.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("dialect", ["versioned", "unversioned"])
def test_each_run_uses_the_same_tables_and_leaves_them_empty(new_sandbox, tmp_path, dialect):
    with new_sandbox(dialect) as sandbox:
        settings = {
            "CLICDATA_BASE_URL": sandbox.url,
            "CLICDATA_CLIENT_ID": sandbox.client_id,
            "CLICDATA_CLIENT_SECRET": sandbox.client_secret,
        }
        for _ in range(2):
            sandbox.requests.clear()
            done = run("1", tmp_path, **settings)
            assert done.returncode == 0, done.stdout
            assert f" {len(sandbox.requests)} requests, live " in done.stdout
            assert sorted(sandbox.ledger.tables()) == TABLES
            assert [sandbox.ledger.count(name) for name in TABLES] == [0, 0, 0]
        assert sandbox.client_secret not in done.stdout


def test_a_run_without_an_account_lists_the_requests(tmp_path):
    done = run("list", tmp_path)
    assert done.returncode == 0, done.stdout
    for dialect in ("versioned", "unversioned"):
        listed = re.findall(rf"=+ (\d+) requests, {dialect} =+\n(.*?)\n\d+ \w+, ", done.stdout, re.DOTALL)
        assert [(number, str(len(lines.splitlines()))) for number, lines in listed] == [(listed[0][0],) * 2]
        assert all(re.fullmatch(r"[A-Z]+ +/\S* +\([\d,]+ bytes\)", line) for line in listed[0][1].splitlines())
