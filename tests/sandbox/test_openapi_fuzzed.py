"""Schemathesis sends the sandbox valid and invalid requests, made from its OpenAPI document.

No reply may be a server error, and each must be as documented. ``CLICDATA_LONG_TESTS=1`` generates many more requests.
"""

from __future__ import annotations

import copy
import functools
import os
from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi import checks

from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.sandbox.dialects import VERSIONS, Dialect
from pandas_clicdata.sandbox.openapi import document
from pandas_clicdata.sandbox.people import OWNER

pytestmark = pytest.mark.slow

LONG = os.environ.get("CLICDATA_LONG_TESTS", "") not in ("", "0")
EXAMPLES = 100 if LONG else 12
WITHOUT = "unversioned"
DIALECTS = {WITHOUT: Dialect(), **{name: Dialect(version, wrapped=True) for version, name in VERSIONS.items()}}
# The requests have values of wrong types, which must be refused.
ASSUME = Assumptions(value_conversion="strict")
IN_SHORT = (WITHOUT, "2025.3")
REFRESHES = ("/recreate", "/rebuild", "/reload", "/update", "/append", "/updateappend", "/refresh")
PARAMETERS = ("Region", "Season")
BACK = "http://127.0.0.1:1/back"

MODES = {True: schemathesis.GenerationMode.NEGATIVE, False: schemathesis.GenerationMode.POSITIVE}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
CONFIG = {
    # The credentials are set below; generated ones would make every reply a 401.
    "generation": {"with-security-parameters": False},
    "checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 409, 415]}},
}

COLUMNS = {"t": "text", "n": "number", "dt": "datetime", "d": "date", "c": "checkbox"}
FILE = "t,n,dt,d,c\nfive,5,2024-01-05 00:00:00,2024-01-05,true\nsix,6,2024-01-06 00:00:00,2024-01-06,false\n"
VALUES = {
    "text": {"type": ["string", "null"]},
    "number": {"type": ["number", "null"]},
    "datetime": {"enum": ["2024-01-05 00:00:00", "2024-01-06 10:20:30", "1999-12-31 23:59:59.250000", None]},
    "date": {"enum": ["2024-01-05", "2024-02-29", None]},
    "checkbox": {"enum": [True, False, None]},
}


class Filled:
    """A sandbox with content for the requests of a path, and the ids of the content."""

    def __init__(self, sandbox, path):
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["CLICDATA-API-KEY"] = sandbox.api_key
        columns = [{"name": name, "data_type": kind} for name, kind in COLUMNS.items()]
        rows = [[text, number, None, None, True] for number, text in enumerate(("one", "two", "three", "four"))]
        made = [self._post("/data", name=f"T{number}", columns=columns) for number in range(2)]
        for table in made:
            self._post(f"/data/{table}/rows", data=rows)
        self.ids = {"table": made, "version": [1, 2]}
        topic = path.split("/")[1]
        if topic in ("data", "table", "schedule"):
            sandbox.put_source("rows.csv", FILE)
            fed = [sandbox.feed(f"F{number}", "rows.csv", key=["t"]) for number in range(2)]
            self.ids["table"] = fed if path.endswith(REFRESHES) else [*made, *fed]
            self.ids["schedule"] = [
                sandbox.schedule("Nightly", tables=fed, method="updateappend"),
                sandbox.schedule("Failing", tables=made, method="reload"),
            ]
        if topic in ("user", "team", "account"):
            users = [
                self._post("/user", email_address=f"u{number}@sandbox.example", first_name="U", last_name="V")
                for number in range(6)
            ]
            self.ids["user"] = [*users, OWNER]
            self.ids["team"] = [self._post("/team", name=f"Team {number}") for number in range(6)]
            for team in self.ids["team"]:
                self._post(f"/team/{team}/parameter", name=PARAMETERS[0], value="North")
                self._post(f"/team/{team}/user", user_id=users[0])
        if topic in ("dashboard", "account"):
            self.ids["dashboard"] = [sandbox.dashboard(f"D{number}", table=made[number]) for number in range(2)]

    def _post(self, path, **body):
        reply = self.http.post(self.sandbox.url + path, json=body, timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()

    @property
    def client(self):
        return {"client_id": self.sandbox.client_id, "client_secret": self.sandbox.client_secret}

    def codes(self):
        return [self.sandbox.authorize(BACK) for _ in range(EXAMPLES)]

    def refresh_tokens(self):
        form = {"grant_type": "authorization_code", **self.client, "redirect_uri": BACK}
        url = self.sandbox.url + "/oauth20/token"
        return [
            self.http.post(url, data={**form, "code": code}, timeout=10).json()["refresh_token"]
            for code in self.codes()
        ]


@functools.cache
def whole(dialect):
    return document(DIALECTS[dialect], ASSUME)


def only(dialect, path, method):
    """Return the document of one operation, whose replies may have no additional fields."""
    document = whole(dialect)
    one = copy.deepcopy({**document, "paths": {path: {method: document["paths"][path][method]}}})
    operation = one["paths"][path][method]
    replies = [
        kind["schema"] for reply in operation["responses"].values() for kind in reply.get("content", {}).values()
    ]
    for schema in (*one["components"]["schemas"].values(), *replies):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return one, operation


def either(*values):
    return {"enum": list(values)}


def use_existing(world, schemas, operation):
    """Use existing ids and columns in most requests; the sandbox must refuse the others."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["schema"] = either(*world.ids[parameter["name"]], 987654321)
        elif parameter["name"] == "page":
            parameter["schema"] = {"anyOf": [either(1, 2), parameter["schema"]]}
    typed = {name: VALUES[kind] for name, kind in COLUMNS.items()}
    cells = [
        {
            "type": "object",
            "properties": {"column": {"const": name}, "value": value},
            "required": ["column", "value"],
            "additionalProperties": False,
        }
        for name, value in typed.items()
    ]
    size = len(typed)
    schemas["Cell"] = {"oneOf": cells}
    schemas["RowOfCells"] = {"type": "array", "maxItems": 2, "items": {"oneOf": cells}}
    schemas["RowOfValues"] = {"type": "array", "prefixItems": [*typed.values()], "minItems": size, "maxItems": size}
    schemas["RowByName"] = {"type": "object", "properties": typed, "additionalProperties": False}
    schemas["UserId"] = either(*world.ids.get("user", ())[:3])


def use_acceptable(world, schemas, operation, path):
    """Use values that the sandbox is likely to accept; it may also accept others."""
    schemas["ParameterName"] = either(*PARAMETERS)
    for name in ("NewUser", "UserChanges"):
        schemas[name]["properties"]["email_address"]["pattern"] = "^[a-z]{1,9}@[a-z]{1,9}[.][a-z]{2}$"
    for name in ("RowsToUpdate", "RowsToDelete"):
        for cells in ("find", "data"):
            # More cells would give a column twice.
            schemas.get(name, {}).get("properties", {}).get(cells, {})["maxItems"] = 1
    known = {name: either(value) for name, value in world.client.items()}
    known |= {"redirect_uri": either(BACK), "scope": either("data_read", "data_read data_write")}
    if path == "/oauth20/token":
        known |= {"code": either(*world.codes(), "spent"), "refresh_token": either(*world.refresh_tokens(), "spent")}
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = known.get(parameter["name"], parameter["schema"])
    for form in schemas["TokenRequest"]["oneOf"]:
        form["properties"] = {name: known.get(name, schema) for name, schema in form["properties"].items()}


OPERATIONS = [
    pytest.param(dialect, path, method, id=f"{dialect} {method.upper()} {path}")
    for dialect in (DIALECTS if LONG else IN_SHORT)
    for path, item in whole(dialect)["paths"].items()
    for method in item
]


def can_be_wrong(operation):
    """Return whether a request has anything beside its version that can be invalid."""
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    return bool(names - {"api_version"}) or "requestBody" in operation


def ask(world, dialect, path, method, *, wrong):
    """Generate valid or invalid requests, send them and check the replies; return the number of each status."""
    one, operation = only(dialect, path, method)
    use_existing(world, one["components"]["schemas"], operation)
    if not wrong:
        use_acceptable(world, one["components"]["schemas"], operation, path)
    loaded = schemathesis.openapi.from_dict(one, config=schemathesis.Config.from_dict(CONFIG))[path][method]
    statuses: Counter[int] = Counter()
    # The document of a version does not state the replies to requests without a version.
    fixed = {} if dialect == WITHOUT or path.startswith("/oauth20/") else {"api_version": dialect}

    @settings(
        max_examples=EXAMPLES // 2 if wrong else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(loaded.as_strategy(generation_mode=MODES[wrong]))
    def each(case):
        case.query = {**(case.query or {}), **fixed}
        reply = case.call_and_validate(
            base_url=world.sandbox.url, session=world.http, checks=CHECKS, allow_redirects=False, timeout=10
        )
        statuses[reply.status_code] += 1

    each()
    return dict(statuses)


@pytest.mark.parametrize(("dialect", "path", "method"), OPERATIONS)
def test_replies_are_as_documented(new_sandbox, dialect, path, method, record_property):
    with new_sandbox(client_id="fuzz", client_secret="secret", assume=ASSUME) as sandbox:
        world = Filled(sandbox, path)
        with world.http:
            # First, because an invalid request may only have an additional parameter, which is ignored.
            answered = ask(world, dialect, path, method, wrong=False)
            record_property("right", answered)
            assert any(status < 400 for status in answered), answered

            if can_be_wrong(whole(dialect)["paths"][path][method]):
                refused = ask(world, dialect, path, method, wrong=True)
                record_property("wrong", refused)
                assert any(400 <= status < 500 for status in refused), refused
