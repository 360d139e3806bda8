"""The requests of public clients get replies that those clients can read, or the refusal that the docs state."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import requests
from contract.client_requests import CLIENT_REQUESTS, CLIENTS, ClientRequest, error_code

from pandas_clicdata.sandbox.base import BaseSandbox

CALLBACK = "http://127.0.0.1:1/callback"
PAGE_SIZE = 3


class Account(dict[str, Any]):
    """A sandbox, and the values of the texts in braces, which are made on first use."""

    def __init__(
        self, sandbox: BaseSandbox, ids: Mapping[str, int], http: requests.Session, request: ClientRequest
    ) -> None:
        super().__init__(name=f"T {uuid4()}", redirect_uri=CALLBACK, **ids)
        self.sandbox = sandbox
        self._http = http
        self._versioned = request.dialect == "versioned"
        self._request = request

    def __missing__(self, name: str) -> Any:
        make = getattr(self, f"_make_{name}", None)
        self[name] = make() if make else getattr(self.sandbox, name)
        return self[name]

    def filled(self, value: Any) -> Any:
        """Return a value of the table of requests with the texts in braces replaced."""
        if isinstance(value, str):
            return value.format_map(self)
        if isinstance(value, Mapping):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, Sequence):
            return [self.filled(each) for each in value]
        return value

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._http.request(method, self.sandbox.url + path, allow_redirects=False, timeout=30, **options)

    def _post(self, path: str, body: object) -> Any:
        query = {"api_version": "2022.01"} if self._versioned else {}
        headers = {"CLICDATA-API-KEY": self["api_key"]}
        reply = self.send("POST", path, json=body, params=query, headers=headers)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"] if self._versioned else reply.json()

    def _make_table(self) -> int:
        columns = self._request.columns
        table: int = self._post(
            "/data",
            {
                "name": f"Table {uuid4()}",
                "columns": [{"name": name, "data_type": data_type} for name, data_type in columns.items()],
            },
        )
        if self._request.rows and self._versioned:
            self._post(f"/data/{table}/insert", {"data": self._request.rows})
        elif self._request.rows:
            self._post(f"/data/{table}/rows", {"data": [list(row.values()) for row in self._request.rows]})
        return table

    def _token(self, **form: str) -> Any:
        client = {"client_id": self["client_id"], "client_secret": self["client_secret"]}
        return self.send("POST", "/oauth20/token", data={**client, **form}).json()

    def _make_token(self) -> str:
        return str(self._token(grant_type="client_credentials")["access_token"])

    def _make_code(self) -> str:
        query = {"response_type": "code", "client_id": self["client_id"], "redirect_uri": CALLBACK}
        reply = self.send("GET", "/oauth20/authorize", params=query)
        return parse_qs(urlsplit(reply.headers["Location"]).query)["code"][0]

    def _make_refresh_token(self) -> str:
        form = {"grant_type": "authorization_code", "code": self._make_code(), "redirect_uri": CALLBACK}
        return str(self._token(**form)["refresh_token"])

    def _make_basic(self) -> str:
        user = base64.b64encode(f"{self['username']}:{self['password']}".encode()).decode()
        return base64.b64encode(f"{self['client_id']}:{user}".encode()).decode()


@pytest.fixture(scope="module")
def services(new_sandbox: Callable[..., Any]) -> Iterator[dict[str, tuple[BaseSandbox, dict[str, int]]]]:
    """Yield a sandbox of each dialect, and the ids of what is in it."""
    with contextlib.ExitStack() as stack:
        found = {}
        for dialect in ("unversioned", "versioned"):
            sandbox = stack.enter_context(new_sandbox(dialect, page_size=PAGE_SIZE))
            sandbox.put_source("fed.csv", "flight,delay\nUA1545,2\nUA1714,4\n")
            fed = sandbox.feed("Fed", "fed.csv", key=["flight"])
            found[dialect] = (
                sandbox,
                {
                    "fed": fed,
                    "schedule": sandbox.schedule("Nightly", tables=[fed], method="reload"),
                    "dashboard": sandbox.dashboard("Delays", table=fed),
                },
            )
        yield found


@pytest.fixture
def send(services: dict[str, Any]) -> Iterator[Callable[[ClientRequest], tuple[requests.Response, Account]]]:
    """Return a function that sends a request as it stands in the table, and nothing of this package's own."""
    with requests.Session() as http:
        http.trust_env = False

        def send_one(sent: ClientRequest) -> tuple[requests.Response, Account]:
            sandbox, ids = services[sent.dialect]
            account = Account(sandbox, ids, http, sent)
            if sent.rows or sent.rows_after is not None:
                assert account["table"]
            method, path = account.filled(sent.request).split(" ")
            reply = account.send(
                method,
                path,
                params=account.filled(sent.query),
                headers=account.filled(sent.headers),
                data=account.filled(sent.form),
                json=account.filled(sent.body),
            )
            return reply, account

        yield send_one


def answered(refused: bool) -> Any:
    chosen = [each for each in CLIENT_REQUESTS if (each.refused is not None) is refused]
    return pytest.mark.parametrize("sent", chosen, ids=lambda each: f"{each.client}: {each.request}")


@answered(refused=False)
def test_a_client_reads_what_it_needs_from_the_reply(sent: ClientRequest, send: Callable[..., Any]) -> None:
    reply, account = send(sent)
    assert reply.status_code in (200, 302), reply.text
    found = sent.read(reply)
    if isinstance(sent.expected, type):
        assert type(found) is sent.expected
    else:
        assert found == sent.expected
    if sent.rows_after is not None:
        assert account.sandbox.ledger.rows(account["table"]) == sent.rows_after


@answered(refused=True)
def test_a_mistake_of_a_client_is_refused_and_changes_nothing(sent: ClientRequest, send: Callable[..., Any]) -> None:
    reply, account = send(sent)
    assert (reply.status_code, error_code(reply)) == sent.refused
    if sent.rows_after is not None:
        assert account.sandbox.ledger.rows(account["table"]) == sent.rows_after


def test_every_client_has_a_request_that_is_answered() -> None:
    # The adapter disagrees with every client that is known to work.
    answered_clients = {each.client for each in CLIENT_REQUESTS if each.refused is None}
    assert answered_clients == {*CLIENTS[:-1]}
    assert list(dict.fromkeys(each.client for each in CLIENT_REQUESTS)) == sorted(
        {each.client for each in CLIENT_REQUESTS}, key=CLIENTS.index
    )
