"""The OpenAPI documents: they list exactly the routes, are public, and state how requests are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import requests
import schemathesis

from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.sandbox.assumptions import CHOICES
from pandas_clicdata.sandbox.dialects import VERSIONS, Dialect
from pandas_clicdata.sandbox.oauth import SCOPES
from pandas_clicdata.sandbox.openapi import document
from pandas_clicdata.sandbox.protocol import MAX_BODY
from pandas_clicdata.sandbox.routes import ROUTES

pytestmark = pytest.mark.sampled(1)

DIALECTS = {"unversioned": Dialect(), **{name: Dialect(at, wrapped=True) for at, name in VERSIONS.items()}}
DOCUMENT = "/_sandbox/openapi.json"


def path_of(route):
    return route.rule.replace("<int:", "{").replace(">", "}")


def operations(whole):
    return {(method.upper(), path): each for path, item in whole["paths"].items() for method, each in item.items()}


def refs(value):
    if isinstance(value, dict):
        yield from (item for key, item in value.items() if key == "$ref")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from refs(item)


# the documents


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_document_has_every_route_of_its_dialect_and_no_other(dialect):
    routes = {(route.method, path_of(route)) for route in ROUTES if route.exists(dialect.version)}

    assert operations(document(dialect)).keys() == routes


def test_every_route_is_in_a_document_and_every_view_has_a_docstring():
    described = set().union(*(operations(document(dialect)) for dialect in DIALECTS.values()))

    assert described == {(route.method, path_of(route)) for route in ROUTES}
    for route in ROUTES:
        assert route.view is None or route.view.__doc__, route


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(
    "switch", [{}, *({name: choice} for name, choices in CHOICES.items() for choice in choices[1:])], ids=str
)
def test_every_reference_of_a_document_resolves(dialect, switch):
    whole = document(dialect, Assumptions(**switch))
    found = operations(whole)

    assert len({each["operationId"] for each in found.values()}) == len(found)
    for target in refs(whole):
        place = whole
        for key in target.removeprefix("#/").split("/"):
            place = place[key]
    named = {target for target in refs(whole) if target.startswith("#/components/schemas/")}
    assert named == {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}
    for (_, path), each in found.items():
        places = [(parameter["name"], parameter["in"]) for parameter in each.get("parameters", ())]
        assert {name for name, where in places if where == "path"} == {
            word.strip("{}") for word in path.split("/") if word.startswith("{")
        }
        assert len(places) == len(set(places))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_an_operation_states_its_version_and_its_scope(dialect):
    found = operations(document(dialect))
    for route in ROUTES:
        if not route.exists(dialect.version) or route.view is None:
            continue
        each = found[route.method, path_of(route)]
        versions = [item for item in each["parameters"] if item["name"] == "api_version"]
        assert [(item["required"], item["schema"]["enum"]) for item in versions] == (
            [(True, [VERSIONS[dialect.version]])] if dialect.wrapped else []
        )
        assert route.scope in SCOPES
        assert f"`{route.scope}`" in each["description"]
        assert each["security"] == [{"bearer": [route.scope]}, {"basic": [route.scope]}, {"key": [route.scope]}]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_no_request_body_allows_unlisted_fields(dialect):
    schemas = document(dialect)["components"]["schemas"]
    waiting = [
        content["schema"]
        for each in operations(document(dialect)).values()
        for kind, content in each.get("requestBody", {"content": {}})["content"].items()
        if kind == "application/json"
    ]
    assert waiting
    while waiting:
        schema = waiting.pop()
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        if schema.get("type") == "object":
            assert "additionalProperties" in schema
            assert schema["additionalProperties"] is False or "properties" not in schema
            waiting += schema.get("properties", {}).values()
        elif schema.get("type") == "array":
            waiting.append(schema["items"])


# serving the documents


def served(sandbox, **options):
    options = {"params": {}, "timeout": 10, "proxies": {"http": ""}, **options}
    return requests.request(options.pop("method", "GET"), sandbox.url + DOCUMENT, **options)


@pytest.mark.parametrize("name", DIALECTS)
def test_the_document_of_a_dialect_is_public(one_sandbox, name):
    reply = served(one_sandbox, params={} if name == "unversioned" else {"api_version": name})

    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.json() == json.loads(json.dumps(document(DIALECTS[name])))


def test_another_spelling_of_a_version_gets_the_same_document(one_sandbox):
    assert served(one_sandbox, params={"api_version": "2022.1"}).json()["info"]["version"] == "2022.01"


@pytest.mark.parametrize(
    ("dialect", "version"),
    [
        ("both", "1999.01"),
        ("both", ""),
        ("both", ["2025.3", "2025.3"]),
        ("unversioned", "2025.3"),
        ("versioned", None),
        ("versioned", "1999.01"),
    ],
)
def test_an_unsupported_dialect_has_no_document(new_sandbox, dialect, version):
    with new_sandbox(dialect) as sandbox:
        reply = served(sandbox, params={} if version is None else {"api_version": version})

    assert reply.status_code == 404
    assert reply.json()["error"].endswith(".")
    assert "2025.3" in reply.json()["error"] or dialect == "unversioned"


@pytest.mark.parametrize(("dialect", "version"), [("unversioned", None), ("versioned", "2025.3")])
def test_a_sandbox_with_one_dialect_serves_its_document(new_sandbox, dialect, version):
    with new_sandbox(dialect) as sandbox:
        reply = served(sandbox, params={} if version is None else {"api_version": version})

    assert reply.json()["info"]["version"] == (version or "unversioned")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_document_can_only_be_read(one_sandbox, method):
    assert served(one_sandbox, method=method).status_code == 401


@pytest.mark.parametrize("path", ["", "requests", "openapi.json/", "openapi", "openapi.json/requests"])
def test_only_the_document_is_public(one_sandbox, path):
    reply = requests.get(f"{one_sandbox.url}/_sandbox/{path}", timeout=10, proxies={"http": ""})

    assert reply.status_code == 401


@pytest.mark.parametrize(
    ("switch", "value", "schema", "expected"),
    [
        ("created_as", "object", "Created", {"id"}),
        ("pagination", "bare", "Pagination", {"last_page"}),
        ("pagination", "minimal", "Pagination", {"result_count", "current_page", "has_more_results"}),
        ("column_metadata", False, "Page", {"data"}),
        ("insert_counts", False, "Inserted", None),
    ],
)
def test_a_document_follows_the_assumptions_of_its_sandbox(new_sandbox, switch, value, schema, expected):
    with new_sandbox("versioned", assume=Assumptions(**{switch: value})) as sandbox:
        schemas = served(sandbox, params={"api_version": "2025.3"}).json()["components"]["schemas"]

    properties = schemas[schema].get("properties")
    assert (properties if properties is None else set(properties)) == expected


def test_a_document_states_refusals_with_status_200():
    whole = document(Dialect((2025, 3), wrapped=True), Assumptions(refusal_status="ok"))
    responses = operations(whole)["POST", "/data"]["responses"]

    assert set(responses) == {"200", "401"}
    assert "oneOf" in responses["200"]["content"]["application/json"]["schema"]
    assert set(operations(whole)["GET", "/user/{user}"]["responses"]) == {"200", "401", "404"}


# refusals that do not depend on the request


def loaded(name):
    schema = schemathesis.openapi.from_dict(document(DIALECTS[name]))
    schema.validate()
    return schema


def refused(call, schema, name, path, method, status, code, *, table=1001, **options):
    options.setdefault("version", None if name == "unversioned" else name)
    reply = call(method.upper(), re.sub(r"{\w+}", "1", path.replace("{table}", str(table))), **options)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["code"] == code
    operation = schema[path][method]
    assert str(status) in operation.definition.raw["responses"]
    operation.validate_response(reply)


@pytest.mark.sampled(0)
@pytest.mark.parametrize("name", ["unversioned", "2025.3"])
def test_refusals_of_credentials_scope_version_and_body_are_as_documented(call, name):
    schema = loaded(name)
    call.make()
    half = call.token(scope="account_read").json()["access_token"]
    other = call.token(scope="data_read").json()["access_token"]
    for (method, path), each in operations(document(DIALECTS[name])).items():
        if path.startswith("/oauth20/"):
            continue
        about = (call, schema, name, path, method.lower())
        refused(*about, 401, "Unauthorized", headers={"CLICDATA-API-KEY": "unknown"})
        token = other if path.startswith(("/account", "/profile")) else half
        headers = {"CLICDATA-API-KEY": None, "Authorization": f"Bearer {token}"}
        refused(*about, 403, "Forbidden", headers=headers)
        if name != "unversioned":
            refused(*about, 400, "InvalidVersion", version="1999.01")
        if "415" in each["responses"]:
            refused(*about, 415, "UnsupportedMediaType", body="{}", headers={"Content-Type": "text/plain"})
            refused(*about, 400, "InvalidBody", body="{")
        if "{" in path:
            url = path.replace("{", "x").replace("}", "")
            assert call(method, url, version=None if name == "unversioned" else name).status_code == 404


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [("unversioned", "/data/{table}/update", None), ("2025.3", "/table/{table}/refresh", {"mode": "update"})],
)
def test_refusals_of_sources_are_as_documented(sb, call, name, path, body):
    sb.put_source("rows.csv", "t,n\none,1\n")
    keyed, plain = sb.feed("Keyed", "rows.csv", key=["t"]), sb.feed("Plain", "rows.csv")
    about = (call, loaded(name), name, path, "post", 400)

    refused(*about, "NoUniqueKey", table=plain, body=body)
    for content, code in (
        ("t,n\none,1\none,2\n", "KeyTwice"),
        ("t,n\none,many\n", "SourceMismatch"),
        ("", "SourceUnreadable"),
    ):
        sb.put_source("rows.csv", content)
        refused(*about, code, table=keyed, body=body)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_document_lists_only_the_refusals_that_its_assumptions_allow(dialect):
    strict = Assumptions(row_limit="all", refresh_without_source="refused")
    lenient = Assumptions(row_limit="none", refused_rows="row")

    def appends_and_codes(assume):
        whole = operations(document(dialect, assume))
        appends = [each for (_, path), each in whole.items() if "RowsOf" in str(each) or "RowsByName" in str(each)]
        assert appends
        return [code in str(each) for each in appends for code in ("TooManyRows", "InvalidValue")], str(whole)

    found, whole = appends_and_codes(strict)
    assert all(found)
    assert "NoSource" in whole
    found, whole = appends_and_codes(lenient)
    assert not any(found)
    assert "NoSource" not in whole


@pytest.mark.parametrize("name", ["unversioned", "2025.3"])
def test_the_refusal_of_a_second_run_is_as_documented(serve, name):
    sandbox, call = serve(run_seconds=3600)
    sandbox.schedule("Nightly", tables=[call.make()], method="reload")
    call("POST", "/schedule/1/trigger")

    refused(call, loaded(name), name, "/schedule/{schedule}/trigger", "post", 409, "AlreadyRunning")


@pytest.mark.parametrize("name", ["unversioned", "2025.3"])
def test_a_body_that_is_too_long_is_refused_as_documented(call, name):
    schema = loaded(name)
    body = b" " * (MAX_BODY + 1)
    refused(call, schema, name, "/data", "post", 413, "BodyTooLarge", body=body)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(call, schema, name, "/oauth20/token", "post", 413, "BodyTooLarge", body=body, headers=form)
    refused(call, schema, "unversioned", "/oauth20/token", "post", 413, "BodyTooLarge", body=body, headers=form)


# the documents in the docs


def test_the_documents_in_the_docs_are_up_to_date(generate):
    docs = Path(generate.__file__).parent

    assert set(generate.FILES) == {f"openapi/{file.name}" for file in (docs / "openapi").iterdir()}
    for file, content in generate.FILES.items():
        assert (docs / file).read_text("utf-8") == content, "run: python docs/generate.py"
