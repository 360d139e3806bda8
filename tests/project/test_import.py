"""What ``import pandas_clicdata`` registers, loads and prints."""

from __future__ import annotations

import subprocess
import sys


def test_registering_again_works_and_never_replaces_a_name_of_another_package() -> None:
    code = (
        "import importlib, warnings, pandas as pd; warnings.simplefilter('error'); import pandas_clicdata as cd;"
        "importlib.reload(cd); assert pd.read_clicdata is cd.read_clicdata; assert hasattr(pd.DataFrame(), 'clicdata')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    foreign = "import pandas as pd; pd.DataFrame.clicdata = 'theirs'; import pandas_clicdata"
    result = subprocess.run([sys.executable, "-c", foreign], capture_output=True, text=True, check=False)
    assert "DataFrame.clicdata, which another package has already registered" in result.stderr


def test_the_import_loads_no_heavy_module() -> None:
    heavy = [
        "PIL", "filelock", "flask", "oauthlib", "platformdirs", "pyarrow.parquet", "requests", "sqlite3", "tomllib",
        "tqdm", "waitress", *(f"pandas_clicdata.{part}" for part in ("accessor", "diagnosis", "resources", "write")),
    ]  # fmt: skip
    code = (
        "import sys, pandas, pyarrow; before = set(sys.modules); import pandas_clicdata;"
        f"print(*sorted(set({heavy!r}) & (set(sys.modules) - before)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_a_public_name_imports_its_module_at_its_first_use() -> None:
    code = (
        "import sys, pandas as pd, pandas_clicdata as cd; first = 'pandas_clicdata.write' in sys.modules;"
        "pd.DataFrame.clicdata is cd.ClicDataAccessor or sys.exit('another accessor'); cd.push;"
        "print(first, 'pandas_clicdata.write' in sys.modules, hasattr(cd, 'pull'))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True", "False"]


def test_import_and_accessor_print_nothing() -> None:
    code = "import pandas as pd, pandas_clicdata; pd.DataFrame({'a': [1]}).clicdata.schema()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")
