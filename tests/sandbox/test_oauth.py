"""Authentication: credentials, scopes, and how tokens are granted and expire."""

import base64
import threading

import pytest


def encode(text):
    return base64.b64encode(text.encode()).decode()


def basic(client_id, username, password):
    return "Basic " + encode(client_id + ":" + encode(f"{username}:{password}"))


def ask(call, path="/account", **headers):
    return call("GET", path, headers={"CLICDATA-API-KEY": None, **headers})


def test_client_credentials_give_a_token_without_refresh_token(call):
    reply = call.token()
    assert reply.status_code == 200
    token = reply.json()
    assert token["expires_in"] == 3600
    assert "refresh_token" not in token
    assert ask(call, Authorization=f"Bearer {token['access_token']}").status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"client_id": "é"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "unsupported_grant_type"),
        ({"scope": "everything"}, 400, "invalid_scope"),
        ({"client_secret": ["a", "b"]}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x"}, 400, "invalid_grant"),
    ],
)
def test_an_invalid_grant_is_refused(call, fields, status, error):
    reply = call.token(**fields)
    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_the_token_endpoint_refuses_json(call):
    assert call("POST", "/oauth20/token", {"grant_type": "client_credentials"}).json()["error"] == "invalid_request"


def test_basic_needs_client_id_address_and_password(call, sb):
    good = (sb.client_id, sb.username, sb.password)
    assert ask(call, Authorization=basic(*good)).status_code == 200
    for place in range(3):
        bad = [part + "x" if n == place else part for n, part in enumerate(good)]
        assert ask(call, Authorization=basic(*bad)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + encode("id:!!!")},
        {"Authorization": "Digest x"},
        {"CLICDATA-API-KEY": "wrong"},
    ],
)
def test_invalid_credentials_are_a_401(call, headers):
    reply = ask(call, **headers)
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "Unauthorized"


def test_an_api_key_beside_an_authorization_header_is_refused(call, sb):
    headers = {"CLICDATA-API-KEY": sb.api_key, "Authorization": basic(sb.client_id, sb.username, sb.password)}
    assert ask(call, **headers).status_code == 401


def test_a_token_expires(serve):
    _, call = serve(token_seconds=1e-9)
    token = call.token().json()
    reply = ask(call, Authorization=f"Bearer {token['access_token']}")
    assert reply.status_code == 401
    assert "expired" in reply.json()["error"]["description"]


def test_a_refresh_token_is_valid_once(call, sb):
    target = "http://127.0.0.1:9/back"
    token = call.token(grant_type="authorization_code", code=sb.authorize(target), redirect_uri=target).json()
    old = token["refresh_token"]
    sb.faults.expire_tokens()
    assert ask(call, Authorization=f"Bearer {token['access_token']}").status_code == 401
    new = call.token(grant_type="refresh_token", refresh_token=old).json()
    assert new["refresh_token"] != old
    assert ask(call, Authorization=f"Bearer {new['access_token']}").status_code == 200
    assert call.token(grant_type="refresh_token", refresh_token=old).json()["error"] == "invalid_grant"
    assert call.token(grant_type="refresh_token", refresh_token=new["refresh_token"]).status_code == 200


def test_one_of_many_simultaneous_refreshes_succeeds(call, sb):
    target = "http://localhost/back"
    token = call.token(grant_type="authorization_code", code=sb.authorize(target), redirect_uri=target).json()
    statuses = []

    def refresh():
        reply = call.token(grant_type="refresh_token", refresh_token=token["refresh_token"])
        statuses.append(reply.status_code)

    threads = [threading.Thread(target=refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 7


def test_the_authorize_page_gives_a_code_that_is_valid_once_for_one_address(call, sb):
    params = {
        "response_type": "code", "client_id": sb.client_id, "redirect_uri": "http://127.0.0.1:9/back?x=1",
        "scope": "data_read", "state": "a b&c",
    }  # fmt: skip
    reply = call("GET", "/oauth20/authorize", params=params)
    assert reply.status_code == 302
    address, _, query = reply.headers["Location"].partition("&code=")
    code, _, state = query.partition("&")
    assert address == params["redirect_uri"]
    assert state == "state=a%20b%26c"
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": params["redirect_uri"]}
    token = call.token(**form).json()
    assert token["scope"] == "data_read"
    assert call.token(**form).json()["error"] == "invalid_grant"
    other = sb.authorize("http://127.0.0.1:9/back")
    form = {"grant_type": "authorization_code", "code": other, "redirect_uri": "http://127.0.0.1:9/other"}
    assert call.token(**form).json()["error"] == "invalid_grant"
    assert sb.requests.of("authorize")[0].query == ""


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "x"},
        {"response_type": "token"},
        {"redirect_uri": "https://elsewhere.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
    ],
)
def test_the_authorize_page_refuses_invalid_parameters(call, sb, change):
    params = {"response_type": "code", "client_id": sb.client_id, "redirect_uri": "http://127.0.0.1:9/", **change}
    assert call("GET", "/oauth20/authorize", params=params).status_code in (400, 401)


@pytest.mark.parametrize(
    ("scope", "method", "path", "version"),
    [
        ("data_read", "GET", "/data", None),
        ("table_read", "GET", "/table", "2025.3"),
        ("data_write", "POST", "/data", None),
        ("data_write", "DELETE", "/data/7/row", None),
        ("table_write", "POST", "/table/7", "2025.3"),
        ("account_read", "GET", "/profile/user", None),
    ],
)
def test_a_missing_scope_is_a_403(serve, scope, method, path, version):
    others = {"data_read", "data_write", "table_read", "table_write", "account_read"} - {scope}
    _, call = serve(scopes=others)
    reply = call(method, path, {} if method != "GET" else None, version=version)
    assert reply.status_code == 403
    assert scope in reply.json()["error"]["description"]


def test_a_token_can_have_fewer_scopes(call):
    token = call.token(scope="data_read").json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert ask(call, "/data", **headers).status_code == 200
    assert ask(call, "/account", **headers).status_code == 403


def test_credentials_differ_between_sandboxes(new_sandbox):
    with new_sandbox() as one, new_sandbox() as two:
        assert {one.client_id, one.client_secret, one.password, one.api_key}.isdisjoint(
            {two.client_id, two.client_secret, two.password, two.api_key}
        )
