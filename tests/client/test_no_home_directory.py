"""A user without a writable home directory, as in containers: everything works if folders are given.

Each script runs as a user that has no entry in ``passwd``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="capabilities of Linux"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"),
]
# Keep the permission to read, because Python may be in the home of another user, but not to write.
BECOME = """
import ctypes, os
libc = ctypes.CDLL(None)
PR_SET_KEEPCAPS, VERSION, CAP_DAC_READ_SEARCH = 8, 0x20080522, 1 << 2
libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
kept = (ctypes.c_uint32 * 6)(CAP_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH)
assert libc.capset((ctypes.c_uint32 * 2)(VERSION, 0), kept) == 0
"""
BACK = "http://127.0.0.1:9/back"
BEGIN = f"""{BECOME}
import sys, warnings
warnings.simplefilter("error")
import pandas as pd
import pandas_clicdata as cd

url, client_id, client_secret, code, name = sys.argv[1:]
CLIENT = dict(client_id=client_id, client_secret=client_secret, base_url=url)
CODE = dict(code=code, redirect_uri={BACK!r})
frame = pd.DataFrame({{"a": [1, 2]}})

def refused(kind, *words):
    \"\"\"Check that the block raises an error whose message has these words.\"\"\"
    class Refused:
        def __enter__(self): pass
        def __exit__(self, found, error, trace):
            assert found is not None and issubclass(found, kind), error
            for word in words:
                assert word in str(error), error
            return True
    return Refused()
"""
# None: no variable. "locked": a folder that the user cannot write. The others cannot be made.
HOMES = [None, "", "relative", "/nonexistent", "/dev/null", "locked"]
NO_HOME = [None, "relative"]


@pytest.fixture(scope="module", autouse=True)
def _check_that_the_user_can_change():
    if subprocess.run([sys.executable, "-c", f"{BECOME}import pandas"], capture_output=True, check=False).returncode:
        pytest.skip("another user may not read Python's files here")


@pytest.fixture
def folder():
    """Create a folder that the user can write, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o1777)
        (Path(path) / "locked").mkdir(mode=0o755)
        yield Path(path)


@pytest.fixture
def run(folder, one_sandbox, name):
    """Return a function that runs Python as the user, with a home and variables, and returns the output."""

    def run_one(script, home, **variables):
        # This user cannot write the data of coverage.
        unset = ("CLICDATA_", "XDG_", "HOME", "COVERAGE_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(unset)}
        if home is not None:
            clean["HOME"] = str(folder / "locked") if home == "locked" else home
        account = [one_sandbox.url, one_sandbox.client_id, one_sandbox.client_secret, one_sandbox.authorize(BACK)]
        command = [sys.executable, "-c", script, *account, name]
        result = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env=clean | variables, timeout=300, check=False
        )
        assert result.stderr == ""
        # An unexpanded "~/.config" would create a folder named "~".
        assert not (folder / "~").exists()
        return result.stdout

    return run_one


@pytest.mark.sampled(0)
@pytest.mark.parametrize("home", HOMES)
def test_everything_works_if_all_folders_are_given(run, home):
    script = f"""{BEGIN}
session = cd.connect(**CLIENT)
assert session.whoami().id is not None
assert cd.authorization_url(client_id="x", redirect_uri="https://x.example").startswith("https://")
frame.clicdata.push(name, progress=lambda done, total: None)
receipt = pd.DataFrame({{"a": [3]}}).clicdata.push(name, if_exists="replace", backup="before.parquet")
assert pd.read_clicdata(name)["a"].tolist() == [3]
os.mkdir("elsewhere")
os.rename("before.parquet", "elsewhere/before.parquet")
cd.restore("elsewhere/before.parquet", name)
assert len(os.listdir("elsewhere")) == 2
assert sorted(pd.read_clicdata(name)["a"]) == [1, 2]
with cd.Session(**CLIENT, **CODE, token_file="tokens.json") as person:
    assert person.whoami().id is not None
os.environ["CLICDATA_TOKEN_FILE"] = "tokens.json"
with cd.Session("authorization_code", **CLIENT) as person:
    assert person.whoami().id is not None
print("done")
"""
    assert run(script, home) == "done\n"


@pytest.mark.sampled(0)
@pytest.mark.parametrize("home", HOMES)
def test_the_error_about_a_missing_folder_names_the_setting(run, one_sandbox, name, home):
    why = "no home directory" if home in NO_HOME else ""
    script = f"""{BEGIN}
why = {why!r}
with refused(cd.NoCredentialsError, why, "profiles.toml", "CLICDATA_CLIENT_ID"):
    cd.connect()
with refused(cd.ConfigurationError, why, "There is no profile 'work'"):
    cd.connect(**CLIENT, profile="work")
with refused(cd.ConfigurationError, why, "token_file= (or CLICDATA_TOKEN_FILE)"):
    cd.Session(**CLIENT, **CODE).whoami()
with refused(cd.ConfigurationError, why, "XDG_CONFIG_HOME"):
    cd.login(**CLIENT)
session = cd.connect(**CLIENT)
frame.clicdata.push(name)
with refused(cd.ClicDataError, why, "Pass a file or folder as backup=, or set XDG_DATA_HOME"):
    frame.clicdata.push(name, if_exists="replace")
assert pd.read_clicdata(name)["a"].tolist() == [1, 2]
print("done")
"""
    assert run(script, home) == "done\n"
    assert one_sandbox.ledger.count(name) == 2
    # The code was not spent.
    assert all(entry.status == 200 for entry in one_sandbox.requests.of("token"))


@pytest.mark.slow
def test_a_replace_without_a_home_directory_is_refused_before_the_first_request(run, one_sandbox):
    script = f"""{BEGIN}
session = cd.connect(**CLIENT)
with refused(cd.ConfigurationError, "no home directory"):
    frame.clicdata.push(name, if_exists="replace")
print("done")
"""
    one_sandbox.requests.clear()
    assert run(script, None) == "done\n"
    assert len(one_sandbox.requests) == 0


@pytest.mark.slow
@pytest.mark.parametrize("path", ["~/tokens.json", "~no_such_user/tokens.json"])
def test_a_token_file_in_an_unknown_home_directory_is_refused(run, path):
    script = f"""{BEGIN}
with refused(cd.ConfigurationError, "token_file={path!r}", "a path without ~", "CLICDATA_TOKEN_FILE"):
    cd.Session(**CLIENT, **CODE, token_file={path!r})
print("done")
"""
    assert run(script, None) == "done\n"


@pytest.mark.slow
def test_xdg_folders_replace_a_home_directory(run, folder):
    script = f"""{BEGIN}
os.makedirs("config/pandas_clicdata")
with open("config/pandas_clicdata/profiles.toml", "w", opener=lambda *given: os.open(*given, mode=0o600)) as file:
    file.write(f"[work]\\nclient_id = '{{client_id}}'\\nclient_secret = '{{client_secret}}'\\nbase_url = '{{url}}'\\n")
cd.connect(profile="work")
frame.clicdata.push(name)
receipt = frame.clicdata.push(name, if_exists="replace")
assert cd.Session(**CLIENT, **CODE).whoami().id is not None
print(receipt.backup)
"""
    xdg = {f"XDG_{kind.upper()}_HOME": str(folder / kind) for kind in ("config", "data", "state")}
    assert run(script, None, **xdg).startswith(str(folder / "data" / "pandas_clicdata" / "backups"))


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "/nonexistent"])
def test_sandbox_demo_and_progress_bar_need_no_home_directory(run, home):
    script = f"""{BEGIN}
cd.connect("sandbox")
warnings.simplefilter("default")
import contextlib, io
with contextlib.redirect_stderr(io.StringIO()):
    frame.clicdata.push(name, progress=True)
    assert pd.read_clicdata(name, progress=True)["a"].tolist() == [1, 2]
from pandas_clicdata.cli import main
assert main(["demo"]) == 0
assert main(["--version"]) == 0
print("done")
"""
    assert run(script, home).endswith("done\n")
