"""Every public name has a docstring that numpydoc finds complete."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
from numpydoc.validate import validate

import pandas_clicdata as cd
from pandas_clicdata import errors, sandbox

MODULES = [
    cd, errors, sandbox,
    *([importlib.import_module("pandas_clicdata.dask")] if importlib.util.find_spec("pandas_clicdata.dask") else []),
]  # fmt: skip
# Extended summary, See Also and Examples are optional.
OPTIONAL = {"ES01", "SA01", "EX01"}
# For the main verbs, See Also and Examples are required.
VERBS = {"push", "append", "update_rows", "upsert", "delete_rows", "schema"}
MAIN = {
    *(f"pandas_clicdata.{name}" for name in (*VERBS, "read_clicdata", "connect")),
    *(f"pandas_clicdata.ClicDataAccessor.{name}" for name in VERBS),
}


def public_names(module: ModuleType) -> Iterator[str]:
    """Yield the functions and classes in ``__all__``, and the public methods and properties that the classes define."""
    for name in module.__all__:
        value = getattr(module, name)
        if module is cd and name in errors.__all__:
            continue
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        yield f"{module.__name__}.{name}"
        if inspect.isclass(value):
            for member, attribute in inspect.getmembers(value):
                if not member.startswith("_") and _is_ours(value, member, attribute):
                    yield f"{module.__name__}.{name}.{member}"


def _is_ours(kind: type, member: str, value: object) -> bool:
    owner = next((each for each in kind.__mro__ if member in vars(each)), object)
    documented = inspect.isroutine(value) or isinstance(value, property)
    return documented and owner.__module__.partition(".")[0] == "pandas_clicdata"


NAMES = [name for module in MODULES for name in public_names(module)]


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_is_complete(name: str) -> None:
    optional = OPTIONAL - {"SA01", "EX01"} if name in MAIN else OPTIONAL
    # A module has the name of this function, and is found first.
    found = validate({"pandas_clicdata.login": "pandas_clicdata.login.login"}.get(name, name))["errors"]
    assert [f"{code}: {message}" for code, message in found if code not in optional] == []
