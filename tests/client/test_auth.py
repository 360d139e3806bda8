"""Authentication methods, and the lifetime of a token."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

import pandas_clicdata as cd
from pandas_clicdata._config import Settings
from pandas_clicdata._models import Reply, Secret
from pandas_clicdata.client.auth import Bearer, ClientCredentials, read_token
from pandas_clicdata.client.transport import Transport


def token_reply(body, status=200):
    return Reply(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "lifetime"),
    [
        ({"access_token": "abc", "expires_in": 3600}, 3600),
        ({"access_token": "abc", "expires_in": "3600"}, 3600),
        ({"access_token": "abc", "expires_in": 3600, "token_type": "bearer", "scope": "data_read", "new": [1]}, 3600),
        ({"access_token": "abc"}, 300),
        ({"access_token": "abc", "expires_in": None}, 300),
        ({"access_token": "abc", "expires_in": ""}, 300),
        ({"access_token": "abc", "expires_in": "3600.0"}, 3600),
        ({"access_token": "abc", "expires_in": " 3.6e3 "}, 3600),
        ({"access_token": "abc", "refresh_token": None}, 300),
        ({"access_token": "abc", "refresh_token": ["next"]}, 300),
    ],
    ids=str,
)
def test_a_token_is_read(body, lifetime):
    assert read_token(token_reply(body)) == (Secret("abc"), lifetime, None)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"), [(60, 60), ("60", 60), ("soon", 300), (1e999, 300), ([], 300), ("nan", 300)]
)
def test_a_refresh_token_is_read_with_any_lifetime(expires_in, lifetime):
    body = {"access_token": "abc", "expires_in": expires_in, "refresh_token": "next"}
    assert read_token(token_reply(body)) == (Secret("abc"), lifetime, Secret("next"))


REFUSALS = {
    "refused": ({"error": "invalid_client"}, 401, cd.AuthenticationError),
    "refused with 400": ({"error": "invalid_client", "error_description": "No."}, 400, cd.AuthenticationError),
    "refused with 200": ({"error": "invalid_client"}, 200, cd.AuthenticationError),
    "429": ({"error": "slow_down"}, 429, cd.RateLimitError),
    "500": ({"error": "server_error"}, 500, cd.ServerError),
    "500 in HTML": (b"<html>", 500, cd.ServerError),
    "404 in HTML": (b"<html>", 404, cd.UnexpectedReplyError),
    "HTML": (b"<html>", 200, cd.UnexpectedReplyError),
    "empty body": (b"", 200, cd.UnexpectedReplyError),
    "not UTF-8": (b"\xff", 200, cd.UnexpectedReplyError),
    "a list": ([], 200, cd.UnexpectedReplyError),
    "null": (None, 200, cd.UnexpectedReplyError),
    "a number": (7, 200, cd.UnexpectedReplyError),
    "a text": ("abc", 200, cd.UnexpectedReplyError),
    "no token": ({}, 200, cd.UnexpectedReplyError),
    "null for a token": ({"access_token": None}, 200, cd.UnexpectedReplyError),
    "empty token": ({"access_token": ""}, 200, cd.UnexpectedReplyError),
    "a list for a token": ({"access_token": ["abc"]}, 200, cd.UnexpectedReplyError),
    "infinite lifetime": ({"access_token": "abc", "expires_in": 1e999}, 200, cd.UnexpectedReplyError),
    "lifetime that is not a number": ({"access_token": "abc", "expires_in": "soon"}, 200, cd.UnexpectedReplyError),
    "nested": (b"[" * 100_000, 200, cd.UnexpectedReplyError),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_reply_without_a_valid_token_raises(case):
    body, status, kind = REFUSALS[case]
    with pytest.raises(cd.ApiError) as caught:
        read_token(token_reply(body, status))
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.operation, caught.value.ambiguous) == (status, "token", False)


@pytest.mark.parametrize("names", [("code", "description"), ("Code", "Description")])
def test_a_refusal_in_the_documented_format_is_reported(names):
    body = {"error": dict(zip(names, ["InvalidClient", "No such client."], strict=True))}
    with pytest.raises(
        cd.AuthenticationError, match=r"issued no token: InvalidClient: No such client\. Check"
    ) as caught:
        read_token(token_reply(body, 400))
    assert caught.value.code == "InvalidClient"


@pytest.fixture
def bearer(one_sandbox):
    """Return a Bearer on the sandbox, its clock, and a function that counts its token requests."""
    now = [0.0]
    settings = Settings(
        auth_method="client_credentials",
        base_url=one_sandbox.url,
        client_id=one_sandbox.client_id,
        client_secret=Secret(one_sandbox.client_secret),
    )
    transport = Transport(one_sandbox.url, trust_environment=False)
    one_sandbox.requests.clear()
    yield (
        Bearer(ClientCredentials(settings), transport, clock=lambda: now[0]),
        now,
        lambda: len(one_sandbox.requests.of("token")),
    )
    transport.close()


def test_a_token_is_renewed_before_it_expires(bearer):
    auth, now, count = bearer
    first = auth.headers()
    now[0] = 3600 - 61
    assert auth.headers() == first
    assert count() == 1
    now[0] = 3600 - 60
    assert auth.headers() != first
    assert count() == 2


def test_a_token_with_a_short_lifetime_is_not_renewed_at_each_request(serve):
    sandbox, session = serve(token_seconds=30)
    for _ in range(5):
        session.whoami()
    assert len(sandbox.requests.of("token")) == 1


def test_threads_share_one_renewal(bearer):
    auth, now, count = bearer
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(3):
            now[0] = round_ * 4000.0
            barrier = threading.Barrier(8)
            headers = list(pool.map(lambda _, barrier=barrier: (barrier.wait(), auth.headers())[1], range(8)))
            assert all(each == headers[0] for each in headers)
            assert count() == round_ + 1


def test_a_token_refused_to_many_threads_is_renewed_once(bearer):
    auth, _, count = bearer
    refused = auth.headers()
    with ThreadPoolExecutor(8) as pool:
        barrier = threading.Barrier(8)
        assert all(pool.map(lambda _: (barrier.wait(), auth.renew(refused))[1], range(8)))
    assert count() == 2
    assert auth.headers() != refused
    # A late 401 to the old token renews nothing.
    assert auth.renew(refused)
    assert count() == 2


@pytest.mark.parametrize("refusals", [1, 2])
def test_after_a_401_one_new_token_is_requested(serve, refusals):
    sandbox, session = serve()
    session.whoami()
    sandbox.requests.clear()
    sandbox.faults.status(401, operation="account", times=refusals)
    if refusals == 1:
        session.whoami()
    else:
        with pytest.raises(cd.AuthenticationError):
            session.whoami()
    assert sandbox.requests.counts() == {"account": 2, "token": 1}


@pytest.mark.parametrize("method", ["basic", "api_key"])
def test_fixed_credentials_are_refused_once(serve, method):
    sandbox, _ = serve()
    right = {"username": sandbox.username, "password": sandbox.password, "client_id": sandbox.client_id}
    right = right if method == "basic" else {"api_key": sandbox.api_key}
    wrong: dict[str, Any] = {
        name: "wrong" if name in {"password", "api_key"} else value for name, value in right.items()
    }
    with cd.Session(base_url=sandbox.url, api_version="2025.3", **right) as session:
        assert session.auth_method == method
        assert session.whoami().id is not None
    sandbox.requests.clear()
    with (
        cd.Session(base_url=sandbox.url, api_version="2025.3", **wrong) as session,
        pytest.raises(cd.AuthenticationError) as caught,
    ):
        session.whoami()
    assert isinstance(caught.value, PermissionError)
    assert sandbox.requests.counts() == {"account": 1}


def test_wrong_client_credentials_are_refused(serve):
    sandbox, _ = serve()
    with (
        cd.Session(client_id="acme", client_secret="wrong", base_url=sandbox.url) as session,
        pytest.raises(cd.AuthenticationError, match="invalid_client"),
    ):
        session.whoami()
    assert sandbox.requests.counts() == {"token": 1}


def test_requests_of_the_authorization_code_flow(http_service, no_settings):
    forms = []

    def answer(request):
        if request.path == "/oauth20/token":
            forms.append((request.headers.get("Authorization"), sorted(request.body.decode().split("&"))))
            body = {"access_token": f"t{len(forms)}", "refresh_token": "r/+= ", "expires_in": 3600}
            return 200, {}, json.dumps(body).encode()
        return (200 if request.headers["Authorization"] == "Bearer t2" else 401), {}, b"{}"

    given: dict[str, Any] = {
        "client_id": "acme",
        "client_secret": "h&u",
        "code": "c/+=",
        "redirect_uri": "https://acme.example/?a=b&c",
    }
    with http_service(answer) as url, cd.Session(**given, base_url=url, api_version="unversioned") as session:
        session.whoami()
    assert forms == [
        (
            None,
            [
                "client_id=acme",
                "client_secret=h%26u",
                "code=c%2F%2B%3D",
                "grant_type=authorization_code",
                "redirect_uri=https%3A%2F%2Facme.example%2F%3Fa%3Db%26c",
            ],
        ),
        (
            None,
            ["client_id=acme", "client_secret=h%26u", "grant_type=refresh_token", "refresh_token=r%2F%2B%3D+"],
        ),
    ]


def test_requests_of_each_authentication_method(http_service):
    received = []

    def answer(request):
        received.append((request.path, dict(request.headers), request.body))
        return 200, {}, b'{"access_token": "t/+=", "expires_in": 60}'

    with http_service(answer) as url:
        methods: list[dict[str, Any]] = [
            {"client_id": "acme", "client_secret": "h&u=s h"},
            {"client_id": "acme", "username": "me@acme.example", "password": "pä:ss"},
            {"api_key": "hush"},
        ]
        for credentials in methods:
            with cd.Session(**credentials, base_url=url, api_version="unversioned") as session:
                session.whoami()
    (token_path, token_headers, form), (_, bearer_headers, _), (_, basic, _), (_, api_key, _) = received
    assert token_path == "/oauth20/token"
    assert token_headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sorted(form.split(b"&")) == [
        b"client_id=acme", b"client_secret=h%26u%3Ds+h", b"grant_type=client_credentials",
    ]  # fmt: skip
    assert "Authorization" not in token_headers
    assert bearer_headers["Authorization"] == "Bearer t/+="
    credentials_in_base64 = base64.b64encode("me@acme.example:pä:ss".encode()).decode()
    assert basic["Authorization"] == "Basic " + base64.b64encode(f"acme:{credentials_in_base64}".encode()).decode()
    assert api_key["CLICDATA-API-KEY"] == "hush"
    assert "Authorization" not in api_key


@pytest.mark.operation("POST /oauth20/token", "GET /oauth20/authorize")
def test_a_code_from_the_browser_signs_in(one_sandbox, tmp_path):
    settings = {
        "client_id": one_sandbox.client_id,
        "redirect_uri": "http://127.0.0.1/back",
        "base_url": one_sandbox.url,
    }
    page = cd.authorization_url(**settings, scope="account_read data_read", state="s")
    with requests.Session() as browser:
        browser.trust_env = False
        location = urlsplit(browser.get(page, allow_redirects=False, timeout=10).headers["Location"])
    redirected = dict(parse_qsl(location.query))
    assert (f"{location.scheme}://{location.netloc}{location.path}", redirected["state"]) == (
        settings["redirect_uri"],
        "s",
    )
    with cd.Session(
        **settings, client_secret=one_sandbox.client_secret, code=redirected["code"], token_file=tmp_path / "tokens"
    ) as session:
        assert session.auth_method == "authorization_code"
        assert session.whoami().name == "Sandbox"
        with pytest.raises(cd.PermissionDeniedError):
            cd.Team(session).get_team()
