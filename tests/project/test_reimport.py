"""A second import in one process, as IDEs do it, and a reload: both names belong to the latest copy of the package."""

import subprocess
import sys

import pytest

BEGIN = """
import importlib, sys, warnings
warnings.simplefilter("error")
import pandas as pd
import pandas_clicdata as cd

first, (url, key) = cd, sys.argv[1:]
frame = pd.DataFrame({"a": [1]})
frame.clicdata  # pandas 2 keeps the accessor on the frame
cd.connect(api_key="key of another account", base_url="http://127.0.0.1:1", retry=cd.RetryPolicy(attempts=1))
"""
OURS = "[name for name in list(sys.modules) if name.split('.')[0] == 'pandas_clicdata']"
PURGE = f"for name in {OURS}: del sys.modules[name]\n"
AGAIN = {
    "purged": f"{PURGE}import pandas_clicdata as cd",
    "purged twice": f"{PURGE}import pandas_clicdata\n{PURGE}import pandas_clicdata as cd",
    "only the package purged": "del sys.modules['pandas_clicdata']\nimport pandas_clicdata as cd",
    "reloaded": "importlib.reload(cd)",
    "all modules reloaded": f"for name in {OURS}: importlib.reload(sys.modules[name])",
    "one module reloaded": "importlib.reload(sys.modules['pandas_clicdata.accessor'])\nimportlib.reload(cd)",
}


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.sampled(0)
@pytest.mark.parametrize("again", AGAIN.values(), ids=list(AGAIN))
def test_the_latest_copy_has_both_names_the_account_and_the_errors(one_sandbox, name, again):
    code = f"""{BEGIN}
{again}
assert pd.DataFrame.clicdata is cd.ClicDataAccessor and pd.read_clicdata is cd.read_clicdata
assert "clicdata" in dir(frame) and cd.errors.__all__
for each in (frame, pd.DataFrame({{"a": [2]}})):
    assert type(each.clicdata) is cd.ClicDataAccessor
try:
    frame.clicdata.push({name!r}, on="b")
except cd.FrameError:
    pass
cd.connect(api_key=key, base_url=url)
frame.clicdata.push({name!r})
try:
    frame.clicdata.push({name!r}, if_exists="fail")
except cd.TableExistsError as exc:
    assert isinstance(exc, cd.errors.ClicDataError)
assert pd.read_clicdata({name!r})["a"].tolist() == [1]
print("done")
"""
    result = run(code, one_sandbox.url, one_sandbox.api_key)
    assert (result.stdout, result.stderr) == ("done\n", "")
    assert one_sandbox.ledger.count(name) == 1


@pytest.mark.sampled(0)
@pytest.mark.parametrize("module", ["session", "client.api", "write", "_config"])
def test_a_reload_keeps_the_account(module):
    code = f"""{BEGIN}
importlib.reload(sys.modules["pandas_clicdata.{module}"])
importlib.reload(cd)
try:
    frame.clicdata.push("T")
except cd.ConnectionFailedError:
    print("the previous account")
"""
    result = run(code, "", "")
    assert (result.stdout, result.stderr) == ("the previous account\n", "")


@pytest.mark.slow
def test_a_reload_keeps_the_tables_of_the_sandbox():
    code = f"""{BEGIN}
cd.connect("sandbox")
frame.clicdata.push("T")
for name in {OURS}:
    importlib.reload(sys.modules[name])
cd.connect("sandbox")
print(pd.read_clicdata("T")["a"].tolist())
"""
    result = run(code, "", "")
    assert (result.stdout, result.stderr) == ("[1]\n", "")


def test_a_session_of_an_earlier_copy_is_refused_with_a_remedy():
    code = f"""{BEGIN}
session = cd.SessionManager.get_session()
{AGAIN["purged"]}
for use in (lambda: pd.read_clicdata("T", session=session), lambda: cd.SessionManager.bind_session(session)):
    try:
        use()
    except TypeError as exc:
        assert "before pandas_clicdata was imported again; call cd.connect" in str(exc)
        print("refused")
"""
    result = run(code, "", "")
    assert (result.stdout, result.stderr) == ("refused\nrefused\n", "")


FOREIGN = {
    "accessor": "class Theirs: pass\npd.DataFrame.clicdata = theirs = Theirs()",
    "accessor class": (
        "@pd.api.extensions.register_dataframe_accessor('clicdata')\nclass Theirs:\n"
        "    def __init__(self, frame): pass\ntheirs = Theirs"
    ),
    "property": "pd.DataFrame.clicdata = theirs = property(lambda frame: 1)",
    "function": "def theirs(): pass\npd.read_clicdata = theirs",
    "nothing": "pd.read_clicdata = theirs = None",
}


@pytest.mark.sampled(0)
@pytest.mark.parametrize("again", [None, AGAIN["purged"], AGAIN["reloaded"]], ids=["once", "purged", "reloaded"])
@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=list(FOREIGN))
def test_a_name_of_another_package_is_never_replaced(foreign, again):
    code = f"""{BEGIN if again else "import pandas as pd"}
import warnings; warnings.simplefilter("ignore")
{foreign}
before = getattr(pd.DataFrame, "clicdata", None), getattr(pd, "read_clicdata", None)
try:
{"".join(f"    {line}{chr(10)}" for line in (again or "import pandas_clicdata").splitlines())}
except ImportError as exc:
    assert "another package" in str(exc)
    assert (getattr(pd.DataFrame, "clicdata", None), getattr(pd, "read_clicdata", None)) == before
    assert theirs in before
    print("refused")
"""
    result = run(code, "", "")
    assert (result.stdout, result.stderr) == ("refused\n", "")


@pytest.mark.slow
def test_the_accessor_of_a_frame_cannot_be_set():
    result = run("import pandas as pd, pandas_clicdata\npd.DataFrame().clicdata = 1")
    assert "AttributeError: df.clicdata is the accessor of pandas_clicdata and cannot be set." in result.stderr
