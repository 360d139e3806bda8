"""Schemathesis asks the sandbox what its OpenAPI document says can be asked, and what it says cannot.

What is made up are the requests; what is checked is that no reply is a server's error and that each is as the document
has it. ``CLICDATA_LONG_TESTS=1`` makes up many more.
"""

from __future__ import annotations

import copy
import os
from collections import Counter

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings

from pandas_clicdata.sandbox.dialects import Dialect
from pandas_clicdata.sandbox.openapi import VERSIONS, document

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXAMPLES = 400 if os.environ.get("CLICDATA_LONG_TESTS") else 12
WITHOUT = "unversioned"
DIALECTS = {WITHOUT: Dialect(), **{name: Dialect(version, wrapped=True) for version, name in VERSIONS.items()}}
IN_SHORT = (WITHOUT, "2025.3")
SECRET = "secret"
SCOPES = ("data_read", "data_read data_write")
BACK = "http://127.0.0.1:1/back"

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
CONFIG = {
    # The one who asks is given below; what else is made up about them would make every reply a 401.
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
    """A sandbox with something of everything, and where each thing is."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["CLICDATA-API-KEY"] = sandbox.api_key
        columns = [{"name": name, "data_type": kind} for name, kind in COLUMNS.items()]
        made = [self._post("/data", name=f"T{number}", columns=columns) for number in range(2)]
        for table in made:
            rows = [[text, number, None, None, True] for number, text in enumerate(("one", "two", "three", "four"))]
            self._post(f"/data/{table}/rows", data=rows)
        sandbox.put_source("rows.csv", FILE)
        fed = [sandbox.feed(f"F{number}", "rows.csv", key=["t"]) for number in range(2)]
        users = [
            self._post("/user", email_address=f"u{number}@sandbox.example", first_name="U", last_name="V")
            for number in range(6)
        ]
        teams = [self._post("/team", name=f"Team {number}") for number in range(6)]
        for team in teams:
            self._post(f"/team/{team}/parameter", name="Region", value="North")
            self._post(f"/team/{team}/user", user_id=users[0])
        dashboards = [sandbox.dashboard(f"D{number}", table=made[number]) for number in range(2)]
        schedules = [
            sandbox.schedule("Nightly", tables=fed, method="updateappend"),
            sandbox.schedule("Failing", tables=made, method="reload"),
        ]
        self.ids = {
            "table": [*made, *fed], "fed": fed, "version": [1, 2], "user": [*users, 1], "team": teams,
            "dashboard": dashboards, "schedule": schedules,
        }  # fmt: skip

    def _post(self, path, **body):
        reply = self.http.post(self.sandbox.url + path, json=body, timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def codes(self, count):
        return [self.sandbox.authorize(BACK) for _ in range(count)]

    def refresh_tokens(self, count):
        form = {"grant_type": "authorization_code", **self.client, "redirect_uri": BACK}
        return [
            requests.Session.post(
                self.http, self.sandbox.url + "/oauth20/token", data={**form, "code": code}, timeout=10
            ).json()["refresh_token"]
            for code in self.codes(count)
        ]

    @property
    def client(self):
        return {"client_id": self.sandbox.client_id, "client_secret": self.sandbox.client_secret}


@pytest.fixture
def filled(new_sandbox):
    with new_sandbox(client_id="fuzz", client_secret=SECRET) as sandbox:
        world = Filled(sandbox)
        with world.http:
            yield world


def either(*values):
    return {"enum": list(values)}


def narrowed(whole, world, path, wrong):
    """A document whose requests speak of things that are there, most of the time, and whose replies say no more than
    they are said to. What is not in the `wrong` one, the sandbox must refuse."""
    narrow = copy.deepcopy(whole)
    schemas = narrow["components"]["schemas"]
    for schema in schemas.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    ids = dict(world.ids)
    if path.rpartition("/")[2] in ("recreate", "rebuild", "reload", "update", "append", "updateappend", "refresh"):
        ids["table"] = ids["fed"]
    redirect = {"client_id": either("fuzz"), "redirect_uri": either(BACK, f"{BACK}?a=b"), "scope": either(*SCOPES)}
    for item in narrow["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"] = either(*ids[parameter["name"]], 987654321)
                elif parameter["name"] == "page":
                    parameter["schema"] = {"anyOf": [either(1, 2), parameter["schema"]]}
                elif parameter["name"] in redirect and not wrong:
                    parameter["schema"] = redirect[parameter["name"]]
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
    for name, schema in {
        "Cell": {"oneOf": cells},
        "RowOfCells": {"type": "array", "maxItems": 2, "items": {"oneOf": cells}},
        "RowOfValues": {
            "type": "array", "prefixItems": [*typed.values()], "minItems": len(typed), "maxItems": len(typed),
        },
        "RowByName": {"type": "object", "properties": typed, "additionalProperties": False},
        "UserId": either(*world.ids["user"][:3]),
    }.items():  # fmt: skip
        schemas[name] = schema
    if wrong:
        return narrow
    schemas["ParameterName"] = either("Region", "Season")
    for name in ("NewUser", "UserChanges"):
        schemas[name]["properties"]["email_address"]["pattern"] = "^[a-z]{1,9}@[a-z]{1,9}[.][a-z]{2}$"
    count = EXAMPLES if path == "/oauth20/token" else 0
    fields = {
        **{name: either(value) for name, value in world.client.items()},
        "scope": either(*SCOPES),
        "code": either(*world.codes(count), "spent"),
        "refresh_token": either(*world.refresh_tokens(count), "spent"),
        "redirect_uri": either(BACK),
    }
    for form in schemas["TokenRequest"]["oneOf"]:
        form["properties"].update({name: fields[name] for name in form["properties"] if name in fields})
    return narrow


def load(whole, config=CONFIG):
    return schemathesis.openapi.from_dict(whole, config=schemathesis.Config.from_dict(config))


OPERATIONS = [
    pytest.param(dialect, path, method, id=f"{dialect} {method.upper()} {path}")
    for dialect in (DIALECTS if EXAMPLES > 100 else IN_SHORT)
    for path, item in document(DIALECTS[dialect])["paths"].items()
    for method in item
]


def can_be_wrong(dialect, path, method):
    """Whether a request has anything beside its version that could be what it must not be."""
    operation = document(DIALECTS[dialect])["paths"][path][method]
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    return bool(names - {"api_version"}) or "requestBody" in operation


def ask(world, dialect, path, method, *, wrong):
    """Make up requests, right or wrong, ask them and check the replies; how often each status came back."""
    mode = schemathesis.GenerationMode.NEGATIVE if wrong else schemathesis.GenerationMode.POSITIVE
    operation = load(narrowed(document(DIALECTS[dialect]), world, path, wrong))[path][method]
    statuses = Counter()
    # What a request without its version is answered is not for the document of a version to say.
    fixed = {} if dialect == WITHOUT or path.startswith("/oauth20/") else {"api_version": dialect}

    @settings(
        max_examples=EXAMPLES // 2 if wrong else EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def each(case):
        case.query = {**(case.query or {}), **fixed}
        reply = case.call_and_validate(
            base_url=world.sandbox.url, session=world.http, checks=CHECKS, allow_redirects=False, timeout=10
        )
        statuses[reply.status_code] += 1

    each()
    return statuses


@pytest.mark.parametrize(("dialect", "path", "method"), OPERATIONS)
def test_replies_are_as_documented(filled, dialect, path, method, record_property):
    if can_be_wrong(dialect, path, method):
        refused = ask(filled, dialect, path, method, wrong=True)
        record_property("wrong", dict(refused))
        assert any(400 <= status < 500 for status in refused), refused

    answered = ask(filled, dialect, path, method, wrong=False)
    record_property("right", dict(answered))
    assert any(status < 400 for status in answered), answered
