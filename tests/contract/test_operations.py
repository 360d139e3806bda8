"""Every documented operation of the API has a public name, a route in the sandbox, and tests that request it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import pandas_clicdata as cd
from pandas_clicdata.client.operations import OPERATIONS
from pandas_clicdata.sandbox.routes import ROUTES, Route

# The operations as the description of the API lists them. The list is repeated here to check that of the package.
CONTRACT = [
    "POST /oauth20/token",
    "GET /oauth20/authorize",
    "GET /data",
    "GET /table",
    "GET /data/{id}",
    "GET /data/{id}/versions",
    "GET /data/{id}/v/{ver}",
    "POST /data",
    "POST /data/{id}/row",
    "POST /data/{id}/rows",
    "POST /data/{id}/insert",
    "POST /table/{id}",
    "PUT /data/{id}/row",
    "DELETE /data/{id}/row",
    "POST /data/{id}/recreate",
    "POST /data/{id}/rebuild",
    "POST /data/{id}/reload",
    "POST /data/{id}/update",
    "POST /data/{id}/append",
    "POST /data/{id}/updateappend",
    "POST /table/{id}/refresh",
    "GET /account",
    "GET /account/activity/users",
    "GET /account/activity/dashboards",
    "GET /profile/user",
    "GET /dashboard",
    "GET /dashboard/{id}/thumbnail",
    "GET /dashboard/{id}/snapshot",
    "GET /schedule",
    "GET /schedule/{id}",
    "POST /schedule/{id}/trigger",
    "GET /team",
    "POST /team",
    "PUT /team/{id}",
    "DELETE /team/{id}",
    "POST /team/{id}/user",
    "DELETE /team/{id}/user",
    "POST /team/{id}/parameter",
    "DELETE /team/{id}/parameter",
    "GET /user",
    "POST /user",
    "GET /user/{id}",
    "PUT /user/{id}",
    "DELETE /user/{id}",
    "PUT /user/{id}/password",
]


def test_the_table_of_operations_equals_the_contract() -> None:
    assert list(dict.fromkeys(operation.line for operation in OPERATIONS)) == CONTRACT


def line_of(route: Route) -> str:
    """Return a route as the table of operations writes it."""
    path = route.rule.replace("<int:version>", "{ver}")
    return f"{route.method} {re.sub(r'<int:[a-z_]+>', '{id}', path)}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.line)
def test_an_operation_has_a_public_name(operation) -> None:
    assert operation.done_by
    for name in operation.done_by:
        value = cd
        for part in name.split("."):
            value = getattr(value, part)
        assert callable(value)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.line)
def test_an_operation_has_a_route_in_the_sandbox(operation) -> None:
    route = {line_of(route): route for route in ROUTES}[operation.line]
    versions = [(2021, 8), (2022, 1), (2025, 3)]
    assert route.exists(None) or operation.unversioned is None
    assert any(map(route.exists, versions)) or operation.versioned is None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.line)
def test_every_operation_is_tested_in_each_dialect(operation, generate) -> None:
    by = generate.tests_by_operation()[operation.line]
    if operation.unversioned is not None:
        assert by[None] or by["unversioned"], "no test is marked with it in the unversioned dialect"
    if operation.versioned is not None:
        assert by[None] or any(by[dialect] for dialect in list(by) if dialect not in (None, "unversioned"))


def test_every_operation_mark_names_an_existing_operation(generate) -> None:
    assert set(generate.tests_by_operation()) == set(CONTRACT)


CLASSES = (cd.Account, cd.Dashboard, cd.Data, cd.Schedule, cd.Team, cd.User)
METHODS = [
    f"{kind.__name__}.{name}"
    for kind in CLASSES
    for name, _ in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_")
]


def has_parameter(function: ast.FunctionDef, names: set[str]) -> bool:
    return bool(names & {argument.arg for argument in function.args.args})


def methods_called_in_each_dialect() -> set[str]:
    """Return the methods called by tests that use the session of each dialect, or a fixture that uses it."""
    called = set()
    for path in Path(__file__).parent.parent.rglob("test_*.py"):
        functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
        names = {"session"} | {
            each.name for each in functions if each.decorator_list and has_parameter(each, {"session"})
        }
        for test in functions:
            if test.name.startswith("test_") and has_parameter(test, names):
                calls = [node.func for node in ast.walk(test) if isinstance(node, ast.Call)]
                called |= {call.attr for call in calls if isinstance(call, ast.Attribute)}
    return called


def test_every_method_is_called_in_each_dialect() -> None:
    called = methods_called_in_each_dialect()
    assert [method for method in METHODS if method.partition(".")[2] not in called] == []
