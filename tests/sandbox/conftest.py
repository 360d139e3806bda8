"""Fixtures: a sandbox, and a plain HTTP client that does not use the package's client."""

import json

import pytest
import requests

COLUMNS = [
    ("t", "text"),
    ("n", "number"),
    ("dt", "datetime"),
    ("d", "date"),
    ("p", "percentage"),
    ("c", "checkbox"),
    ("o", "dropdown"),
]


class Caller:
    """Sends requests to one sandbox with the API key."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["CLICDATA-API-KEY"] = sandbox.api_key

    def __call__(self, method, path, body=None, *, version=None, **options):
        params = dict(options.pop("params", {}))
        if version:
            params["api_version"] = version
        headers = dict(options.pop("headers", {}))
        if body is not None:
            if not isinstance(body, bytes | str):
                body = json.dumps(body)
            options["data"] = body.encode() if isinstance(body, str) else body
            headers.setdefault("Content-Type", "application/json")
        options.setdefault("timeout", 10)
        return self.http.request(
            method, self.sandbox.url + path, params=params, headers=headers, allow_redirects=False, **options
        )

    def make(self, name="T", columns=COLUMNS):
        reply = self("POST", "/data", {"name": name, "columns": [{"name": n, "data_type": t} for n, t in columns]})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def insert(self, table, rows):
        reply = self("POST", f"/data/{table}/insert", {"data": rows}, version="2025.3")
        assert reply.json().get("success") is True, reply.text
        return reply.json()["result"]

    def numbers(self, table, count, start=0):
        """Append so many rows to a table whose first column is a number, 500 per request."""
        for first in range(start, start + count, 500):
            self.insert(table, [{"n": n} for n in range(first, min(first + 500, start + count))])

    def token(self, **fields):
        sandbox = self.sandbox
        form = {
            "grant_type": "client_credentials",
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
            **fields,
        }
        return requests.post(sandbox.url + "/oauth20/token", data=form, proxies={"http": ""}, timeout=10)


@pytest.fixture
def serve(new_sandbox):
    """Start sandboxes, which stop after the test."""
    running = []

    def start(*args, **kwargs):
        sandbox = new_sandbox(*args, **kwargs).start()
        caller = Caller(sandbox)
        running.append((sandbox, caller.http))
        return sandbox, caller

    yield start
    for sandbox, http in running:
        http.close()
        sandbox.stop()


@pytest.fixture
def sb_call(serve):
    return serve()


@pytest.fixture
def sb(sb_call):
    return sb_call[0]


@pytest.fixture
def call(sb_call):
    return sb_call[1]


@pytest.fixture(scope="module")
def one_sandbox(new_sandbox):
    """Start a sandbox with the default assumptions for the tests of a module."""
    with new_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def one_call(new_sandbox):
    """Return a caller of a sandbox that the tests of a module share."""
    with new_sandbox() as sandbox:
        caller = Caller(sandbox)
        yield caller
        caller.http.close()
