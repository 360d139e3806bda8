"""``cd.request``: any request, in the dialect of the session, with its retries and errors."""

import json
from decimal import Decimal

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata import Session

QUICK = cd.RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)


def session_at(url, api_version="unversioned", **options):
    return Session(api_key="hush", base_url=url, api_version=api_version, retry=QUICK, **options)


def test_a_request_returns_the_content_of_the_reply(session, name):
    made = cd.request("post", "/team", json={"name": name}, session=session)
    assert cd.request("PUT", f"/team/{made}", json={"description": "d"}, session=session) in ({}, {"success": True})
    listed = cd.request("GET", "/team", session=session)
    team = next(each for each in (listed if isinstance(listed, list) else listed["teams"]) if each["name"] == name)
    assert team["description"] == "d"


@pytest.mark.operation("POST /data/{id}/rows", dialect="unversioned")
def test_rows_in_column_order_are_inserted_by_request(sessions, name):
    session = sessions["unversioned"]
    rec_id = pd.DataFrame({"a": ["x"], "b": [1]}).clicdata.push(name, session=session).rec_id
    assert cd.request("POST", f"/data/{rec_id}/rows", json={"data": [["y", 2]]}, session=session) == {"success": True}
    assert cd.read_clicdata(rec_id, session=session).to_numpy().tolist() == [["x", 1], ["y", 2]]


@pytest.mark.operation("POST /data/{id}/reload", dialect="unversioned")
@pytest.mark.operation("POST /data/{id}/reload", dialect="2022.01")
@pytest.mark.parametrize("version", ["unversioned", "2022.01"])
def test_a_table_is_reloaded_by_request_with_the_undocumented_path(one_sandbox, open_session, name, version):
    session = open_session(one_sandbox, version)
    one_sandbox.put_source(f"{name}.csv", "n\n1\n")
    rec_id = one_sandbox.feed(name, f"{name}.csv")
    one_sandbox.put_source(f"{name}.csv", "n\n2\n3\n")
    cd.request("POST", f"/data/{rec_id}/reload", session=session)
    assert cd.read_clicdata(rec_id, session=session)["n"].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("params", "query"),
    [
        (None, {}),
        ({}, {}),
        ({"a": "x y&z=ü", "b": 1, "c": True, "d": None, "e": 0.5}, {"a": "x y&z=ü", "b": "1", "c": "true", "e": "0.5"}),
    ],
)
def test_parameters_are_encoded_as_the_service_expects(http_service, params, query):
    received = []

    def answer(request):
        received.append(request)
        return 200, {}, b'{"success": true, "result": 7}'

    with http_service(answer) as url, session_at(url) as plain, session_at(url, "2022.01") as versioned:
        assert cd.request("GET", "/a/b%20c", params=params, session=plain) == {"success": True, "result": 7}
        assert cd.request("GET", "/a", params=params, session=versioned) == 7
        cd.request("GET", "/a", params={"api_version": "2021.08"}, session=versioned)
        cd.request("GET", "/a", params={"x": ["1", 2]}, session=plain)
    assert [each.query for each in received[:3]] == [
        query,
        query | {"api_version": "2022.01"},
        {"api_version": "2021.08"},
    ]
    assert received[0].path == "/a/b%20c"
    assert received[3].target == "/a?x=1&x=2"


def test_a_body_is_sent_as_json_and_returned_exactly(http_service):
    received = []

    def answer(request):
        received.append(request)
        return 200, {}, b'{"n": 12345678901234567890.125}'

    with http_service(answer) as url, session_at(url) as session:
        body = {"a": ["ü", None, 1.5, True, {"b": 2**70}]}
        assert cd.request("PATCH", "/x", json=body, session=session) == {"n": Decimal("12345678901234567890.125")}
    assert (received[0].method, json.loads(received[0].body)) == ("PATCH", body)
    assert received[0].headers["Content-Type"] == "application/json"


def test_an_empty_reply_is_none_where_no_reply_is_documented(http_service):
    with (
        http_service(lambda request: (204, {}, b"")) as url,
        session_at(url) as plain,
        session_at(url, "2025.3") as versioned,
    ):
        assert cd.request("DELETE", "/x", session=plain) is None
        for method, session in (("GET", plain), ("DELETE", versioned)):
            with pytest.raises(cd.UnexpectedReplyError, match="it is not valid JSON"):
                cd.request(method, "/x", session=session)


@pytest.mark.parametrize(
    ("method", "status", "tries", "ambiguous"),
    [("GET", 500, 3, False), ("POST", 500, 1, True), ("PUT", 504, 1, True), ("DELETE", 429, 3, False)],
)
def test_only_repeatable_requests_are_retried(http_service, method, status, tries, ambiguous):
    received = []

    def answer(request):
        received.append(request)
        return status, {"Retry-After": "0"} if status == 429 else {}, b"{}"

    with http_service(answer) as url, session_at(url) as session, pytest.raises(cd.ApiError) as caught:
        cd.request(method, "/x", session=session)
    assert (len(received), caught.value.ambiguous, caught.value.operation) == (tries, ambiguous, "request")
    assert ("The request may have been carried out" in "".join(getattr(caught.value, "__notes__", []))) == ambiguous


def test_a_refusal_raises(session):
    with pytest.raises(cd.NotFoundError, match="UnknownRoute"):
        cd.request("GET", "/nothing/here", session=session)


@pytest.mark.parametrize(
    ("method", "path", "options", "message"),
    [
        ("FETCH", "/x", {}, "'GET', 'POST', 'PUT', 'DELETE', 'PATCH'"),
        (None, "/x", {}, "method= must be text"),
        ("GET", "x", {}, "must begin with one slash"),
        ("GET", "//evil.example/x", {}, "must begin with one slash"),
        ("GET", "https://evil.example/x", {}, "must begin with one slash"),
        ("GET", "/x?a=1", {}, "params="),
        ("GET", "/x#a", {}, "params="),
        ("GET", "/x y", {}, "blank"),
        ("GET", "/x\r\nHost: evil.example", {}, "control character"),
        ("GET", "/\\evil.example", {}, "backslash"),
        ("GET", "/../x", {}, "'..'"),
        ("GET", "/team/%2E%2e%2Fx", {}, "'..'"),
        ("GET", "/team/.", {}, "'.'"),
        ("GET", "/..;a/x", {}, "'..'"),
        ("GET", 7, {}, "path= must be text"),
        ("GET", "/\ud800", {}, "surrogate"),
        ("GET", "/x", {"params": [("a", 1)]}, "params= must be a dict"),
        ("GET", "/x", {"params": {1: 1}}, "A name in params="),
        ("GET", "/x", {"params": {"a": object()}}, "params\\['a'\\] must be text"),
        ("GET", "/x", {"params": {"a": [1.5, float("inf")]}}, "params\\['a'\\]= is inf"),
        ("POST", "/x", {"json": {"a": float("nan")}}, "nan"),
        ("POST", "/x", {"json": {"a": {1, 2}}}, "json"),
        ("POST", "/x", {"json": pd.DataFrame()}, "json"),
    ],
)
def test_bad_input_is_refused_before_any_request(method, path, options, message):
    with session_at("http://127.0.0.1:1") as session, pytest.raises((TypeError, ValueError), match=message) as caught:
        cd.request(method, path, session=session, **options)
    assert not isinstance(caught.value, cd.ClicDataError)
