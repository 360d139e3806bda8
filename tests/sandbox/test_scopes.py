"""Every route needs its scope and no other."""

import re

import pytest

from pandas_clicdata.sandbox.oauth import SCOPES
from pandas_clicdata.sandbox.routes import OPERATIONS, ROUTES

VERSIONS = {None: None, (2021, 8): "2021.08", (2022, 1): "2022.01", (2025, 3): "2025.3"}
GUARDED = [route for route in ROUTES if not route.rule.startswith("/oauth20/")]


@pytest.fixture(scope="module")
def ask(one_call):
    """Send a request to a route in each of its versions, with a token for these scopes; return the replies."""
    tokens = {}

    def send(route, scopes):
        if scopes not in tokens:
            tokens[scopes] = one_call.token(scope=" ".join(scopes)).json()["access_token"]
        headers = {"CLICDATA-API-KEY": None, "Authorization": f"Bearer {tokens[scopes]}"}
        # An unknown id.
        path = re.sub("<int:[a-z]+>", "999", route.rule)
        return [
            one_call(route.method, path, None if route.method == "GET" else {}, version=text, headers=headers)
            for version, text in VERSIONS.items()
            if route.exists(version)
        ]

    return send


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.rule}")
def test_a_route_is_granted_with_its_scope_and_refused_without(ask, route):
    assert route.scope in SCOPES
    others = tuple(scope for scope in SCOPES if scope != route.scope)
    refused = ask(route, others)
    assert refused
    for reply in refused:
        assert reply.status_code == 403
        error = reply.json()["error"]
        assert error["code"] == "Forbidden"
        assert f"'{route.scope}'" in error["description"]
    assert {reply.status_code for reply in ask(route, (route.scope,))} <= {200, 400, 404}


def test_the_routes_need_every_scope_and_no_other():
    assert {route.scope for route in GUARDED} == set(SCOPES)


def test_every_operation_has_a_route_and_every_route_a_known_operation():
    assert {route.operation for route in ROUTES} == set(OPERATIONS)
