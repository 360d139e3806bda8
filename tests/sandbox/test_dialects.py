"""The dialect of a reply."""

import pytest

SUPPORTED, DEPRECATED = "api-supported-versions", "api-deprecated-versions"
BARE = {"id", "name", "domain", "usage", "limits"}


@pytest.mark.parametrize(
    ("mode", "version", "keys"),
    [
        ("both", None, BARE),
        ("both", "2025.3", {"success", "result"}),
        ("both", "2025.03", {"success", "result"}),
        ("both", "2022.1", {"success", "result"}),
        ("both", "2021.08", {"success", "result"}),
        ("both", "2024.01", {"success", "result"}),
        ("both", "2025.4", {"success", "result"}),
        ("unversioned", None, BARE),
        ("unversioned", "2025.3", BARE),
        ("unversioned", "nonsense", BARE),
        ("versioned", "2025.3", {"success", "result"}),
        ("versioned", None, {"error"}),
    ],
)
def test_a_reply_has_the_form_of_its_dialect(serve, mode, version, keys):
    _, call = serve(mode)
    reply = call("GET", "/account", version=version)
    assert reply.status_code == 200
    assert reply.json().keys() == keys
    assert (SUPPORTED in reply.headers) is (mode != "unversioned")


def test_a_missing_version_is_refused_with_status_200(serve):
    _, call = serve("versioned")
    reply = call("GET", "/account")
    assert reply.status_code == 200
    assert reply.json()["error"]["code"] == "APIVersionRequired"
    assert "success" not in reply.json()
    assert reply.headers[SUPPORTED] == "2022.01, 2024.1, 2025.3, 2025.4"
    assert reply.headers[DEPRECATED] == "2021.08"


@pytest.mark.parametrize("version", ["2020.01", "x", "", "2025.3.1", "2025", "٢٠٢٥.3"])
@pytest.mark.parametrize("mode", ["both", "versioned"])
def test_an_unknown_version_is_refused(serve, mode, version):
    _, call = serve(mode)
    reply = call("GET", "/account", params={"api_version": version})
    assert reply.status_code == 400
    assert reply.json()["success"] is False
    assert reply.json()["error"]["code"] == "InvalidVersion"
    assert SUPPORTED in reply.headers


@pytest.mark.parametrize(
    ("mode", "version", "keys"),
    [
        ("both", None, {"error"}),
        ("both", "2025.3", {"success", "error"}),
        ("versioned", "2025.3", {"success", "error"}),
        ("unversioned", "2025.3", {"error"}),
    ],
)
def test_a_refusal_has_the_form_of_its_dialect(serve, mode, version, keys):
    _, call = serve(mode)
    for path, status in (("/data/7", 404), ("/nowhere", 404)):
        reply = call("GET", path, version=version)
        assert reply.status_code == status
        assert reply.json().keys() == keys
        assert reply.json()["error"].keys() == {"code", "description"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/dashboards"),
        ("GET", "/dat/"),
        ("GET", "/data//"),
        ("GET", "/data/abc"),
        ("GET", "/data/-1"),
        ("GET", "/data//7"),
        ("POST", "/schedule/1/run"),
        ("GET", "/account/1/thumbnail"),
    ],
)
def test_an_unknown_route_is_a_404_that_says_so(call, method, path):
    reply = call(method, path)
    assert reply.status_code == 404
    assert "sandbox has no route" in reply.json()["error"]["description"]


@pytest.mark.parametrize("path", ["/data/7", "/data/7/versions", "/data/7/v/1", f"/data/{2**70}"])
def test_an_unknown_table_is_a_404(call, path):
    reply = call("GET", path)
    assert reply.status_code == 404
    assert "No table has the id" in reply.json()["error"]["description"]


def test_another_method_is_a_405_with_an_allow_header(call):
    reply = call("DELETE", "/data")
    assert reply.status_code == 405
    assert {"GET", "POST"} <= set(reply.headers["Allow"].split(", "))
    assert reply.json()["error"]["code"] == "MethodNotAllowed"
