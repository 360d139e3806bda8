"""The requests that public clients of the API are known to send, and what each client reads from the reply.

The table is written by hand from the behaviour of the clients. A text in braces is replaced before the request is sent:
``{table}`` is the id of a new table with the columns and rows of the entry, ``{fed}`` that of the table "Fed", which
has a source and a unique key, and ``{name}`` a name that no table has. There is a dashboard "Delays" and a schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import requests

VENDOR = "Vendor's sample program"
WRAPPER_1 = "Python wrapper, first age"
WRAPPER_2 = "Python wrapper, second age"
PHP_1 = "PHP package, first age"
PHP_2 = "PHP package, second age"
CONNECTOR = "Connector of a workflow product"
PROXY = "Proxy function"
WEB_PAGE = "Web page"
ADAPTER = "TypeScript adapter"
CLIENTS = (VENDOR, WRAPPER_1, WRAPPER_2, PHP_1, PHP_2, CONNECTOR, PROXY, WEB_PAGE, ADAPTER)

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class ClientRequest:
    """One request of one client.

    Attributes
    ----------
    client : str
        One of `CLIENTS`.
    request : str
        HTTP method and path.
    reads : str
        What the client reads from the reply, as a sentence for the docs.
    read : callable
        Reads the reply as the client does.
    expected : object
        What `read` returns; a type stands for any value of it.
    headers, query, form : mapping
        Headers, query parameters, and the fields of a form-encoded body.
    body : object, optional
        The JSON body. None: no JSON body.
    columns : mapping
        Columns and types of ``{table}``.
    rows, rows_after : sequence of mapping
        The rows of ``{table}`` before and after the request. ``rows_after=None``: not checked.
    needs_version : bool, optional
        Whether the account needs a version. None: it does if the request names one.
    refused : tuple, optional
        Status and code of the refusal, if the request is a mistake of the client or has no evidence.
    """

    client: str
    request: str
    reads: str
    read: Callable[[requests.Response], object] = lambda reply: reply.text
    expected: object = str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    body: Any = None
    columns: Mapping[str, str] = field(default_factory=lambda: {"column 1": "text", "column 2": "number"})
    rows: Sequence[Row] = ()
    rows_after: Sequence[Row] | None = None
    needs_version: bool | None = None
    refused: tuple[int, str] | None = None

    @property
    def version(self) -> str | None:
        """The API version that the request names."""
        version = self.query.get("api_version")
        return None if version is None else str(version)

    @property
    def dialect(self) -> str:
        """The dialect of the account, as a sandbox takes it."""
        needs_version = self.version is not None if self.needs_version is None else self.needs_version
        return "versioned" if needs_version else "unversioned"


# What the clients do with a reply.


def value_of(key: str) -> Callable[[requests.Response], object]:
    """Read the value of a key."""
    return lambda reply: reply.json()[key]


def result_of(reply: requests.Response) -> object:
    """Read the result, if ``success`` is true."""
    body = reply.json()
    return body["result"] if body["success"] else body["error"]["description"]


def values_of(*keys: str) -> Callable[[requests.Response], object]:
    """Read the types of the values of some keys."""
    return lambda reply: [type(reply.json()[key]) for key in keys]


def id_in_bare_body(reply: requests.Response) -> int:
    """Read the id from a body that is an integer."""
    return int(reply.text)


def page(reply: requests.Response) -> object:
    """Read the rows of a page and whether there are more."""
    return reply.json().get("data"), reply.json().get("has_more_data")


def frame(key: str | None = None) -> Callable[[requests.Response], bool]:
    """Make a frame of the body, or of one of its values."""

    def read(reply: requests.Response) -> bool:
        body = reply.json()
        return len(pd.DataFrame(body if key is None else body.get(key))) > 0

    return read


def code_in_redirect(reply: requests.Response) -> object:
    """Read the code from the address to which the browser is sent, as a parameter of the callback."""
    return [type(each) for each in parse_qs(urlsplit(reply.headers["Location"]).query)["code"]]


def error_code(reply: requests.Response) -> object:
    """Read the code of an error body, in the form of the API or of OAuth."""
    error = reply.json()["error"]
    return error["code"] if isinstance(error, dict) else error


def result_values(*keys: str) -> Callable[[requests.Response], object]:
    """Read some values of the result."""

    def read(reply: requests.Response) -> object:
        result = result_of(reply)
        assert isinstance(result, dict)
        return [result[key] for key in keys]

    return read


def names_and_ids(reply: requests.Response) -> object:
    """Read names and ids of a list that is the result itself."""
    result = result_of(reply)
    assert isinstance(result, list)
    return {(type(entry["name"]), type(entry["id"])) for entry in result}


# What the clients send.

BEARER = {"Authorization": "Bearer {token}"}
BEARER_JSON = {**BEARER, "accept": "application/json"}
API_KEY = {"CLICDATA-API-KEY": "{api_key}", "Accept": "application/json"}
CONTENT = {"Content-Type": "application/json"}
CLIENT = {"client_id": "{client_id}", "client_secret": "{client_secret}"}
CODE = {"grant_type": "authorization_code", "code": "{code}", **CLIENT}
TWO_ROWS = [{"column 1": "one", "column 2": 1}, {"column 1": "two", "column 2": 2}]
SEVEN_ROWS = [{"column 1": f"row {n}", "column 2": n} for n in range(7)]
MANY_ROWS = [{"column 1": f"row {n}", "column 2": n} for n in range(1200)]
WRAPPERS = ((WRAPPER_1, BEARER), (WRAPPER_2, BEARER_JSON))
MODES = ("reload", "rebuild", "update", "append", "updateappend")


def cells(rows: Sequence[Row]) -> dict[str, object]:
    """Return the body of rows that are lists of cells."""
    return {"data": [[{"column": name, "value": value} for name, value in row.items()] for row in rows]}


def new_table(**columns: str) -> dict[str, object]:
    """Return the body that creates a table."""
    return {
        "name": "{name}",
        "description": "",
        "columns": [{"name": name, "data_type": data_type} for name, data_type in columns.items()],
    }


FEEDBACK = {
    "paragraph": "The answer",
    "Response": "Thumbs-Up",
    "Comment": "",
    "DateTimeStamp": "2024-02-29 23:59:59",
}

CLIENT_REQUESTS: Sequence[ClientRequest] = (
    # vendor's sample program
    ClientRequest(
        client=VENDOR,
        request="POST /oauth20/token",
        form={"grant_type": "refresh_token", "refresh_token": "{refresh_token}", **CLIENT},
        reads="`access_token`",
        read=value_of("access_token"),
    ),
    ClientRequest(
        client=VENDOR,
        request="GET /profile/user",
        headers=BEARER,
        reads="`email_address`, `first_name`, `last_name`, `last_login_date`",
        read=values_of("email_address", "first_name", "last_name", "last_login_date"),
        expected=[str, str, str, str],
    ),
    ClientRequest(
        client=VENDOR,
        request="GET /data/",
        headers=BEARER,
        rows=TWO_ROWS,
        reads="`count`; of the entries in `data`: `description`, `source`, `creation_date`, `last_data_update_date`",
        read=lambda reply: (
            reply.json()["count"] == len(reply.json()["data"]),
            {"description", "source", "creation_date", "last_data_update_date"} <= reply.json()["data"][0].keys(),
        ),
        expected=(True, True),
    ),
    ClientRequest(
        client=VENDOR,
        request="POST /data/",
        headers=BEARER,
        body={
            "name": "my test data {name}",
            "description": "some description for my test data",
            "columns": [{"name": "column 1", "data_type": "text"}, {"name": "column 2", "data_type": "number"}],
        },
        reads="the RecId: the whole body, parsed as an integer",
        read=id_in_bare_body,
        expected=int,
    ),
    ClientRequest(
        client=VENDOR,
        request="POST /data/{table}/rows",
        headers=BEARER,
        body={"data": [["one", 1], ["two", 2]]},
        reads="`success`",
        read=value_of("success"),
        expected=True,
        rows_after=TWO_ROWS,
    ),
    # Python wrapper, in both ages
    *(
        ClientRequest(
            client=client,
            request="POST /oauth20/token",
            form={"grant_type": "client_credentials", **CLIENT},
            reads="`access_token`, and `expires_in` as a number of seconds",
            read=values_of("access_token", "expires_in"),
            expected=[str, int],
        )
        for client, _ in WRAPPERS
    ),
    *(
        ClientRequest(
            client=client,
            request="GET /data",
            headers=headers,
            rows=TWO_ROWS,
            reads="the list `data`, as a DataFrame",
            read=frame("data"),
            expected=True,
        )
        for client, headers in WRAPPERS
    ),
    *(
        ClientRequest(
            client=client,
            request="GET /data/{table}",
            headers=headers,
            query={"page": number},
            rows=SEVEN_ROWS,
            reads="the rows in `data`, and `has_more_data`, until it is false",
            read=page,
            expected=expected,
        )
        for client, headers in WRAPPERS
        for number, expected in ((1, (SEVEN_ROWS[:3], True)), (3, (SEVEN_ROWS[6:], False)))
    ),
    ClientRequest(
        client=WRAPPER_1,
        request="GET /data/{table}/versions",
        headers=BEARER,
        rows=TWO_ROWS,
        reads="the list `versions`, as a DataFrame",
        read=frame("versions"),
        expected=True,
    ),
    *(
        ClientRequest(
            client=client,
            request="GET /data/{table}/v/2",
            headers=headers,
            query={"page": 1},
            rows=TWO_ROWS,
            reads="the rows in `data`, and `has_more_data`, until it is false",
            read=page,
            expected=(TWO_ROWS, False),
        )
        for client, headers in WRAPPERS
    ),
    *(
        ClientRequest(
            client=client,
            request="POST /data",
            headers=headers,
            body=new_table(**columns),
            reads=f"the RecId: the whole body, parsed as an integer{more}",
            read=id_in_bare_body,
            expected=int,
        )
        for client, headers, columns, more in (
            (WRAPPER_1, BEARER, {"flight": "text", "delay": "number"}, ""),
            (WRAPPER_1, BEARER, {"row": "id", "flight": "text"}, ". Its list of valid types has `id`"),
            (WRAPPER_2, BEARER_JSON, {"flight": "text", "delay": "number"}, ""),
            (WRAPPER_2, BEARER_JSON, {"row": "rec_id", "flight": "text"}, ". Its list of valid types has `rec_id`"),
        )
    ),
    *(
        ClientRequest(
            client=client,
            request="POST /data/{table}/row",
            headers=headers,
            body=cells(MANY_ROWS),
            reads="the text of the reply, which it returns; it sends a frame of any length in one request",
            rows_after=MANY_ROWS,
        )
        for client, headers in WRAPPERS
    ),
    *(
        ClientRequest(
            client=WRAPPER_2,
            request="GET /data",
            headers=BEARER_JSON,
            query=query,
            reads="the list `data`, as a DataFrame",
            read=frame("data"),
            expected=found,
        )
        for query, found in (
            ({"name": "Fed"}, True),
            ({"uniquekeyavailable": True}, True),
            ({"refresh": True}, True),
            ({"name": "{name}"}, False),
        )
    ),
    *(
        ClientRequest(
            client=WRAPPER_2,
            request=f"POST /data/{{fed}}/{method}",
            headers=BEARER_JSON,
            reads="the text of the reply, which it returns",
        )
        for method in ("reload", "recreate", "update", "updateappend", "append")
    ),
    ClientRequest(
        client=WRAPPER_2,
        request="GET /account",
        headers=BEARER_JSON,
        reads="usage and limits: the body as a DataFrame, which needs at least one value that is a list or an object",
        read=frame(),
        expected=True,
    ),
    *(
        ClientRequest(
            client=WRAPPER_2,
            request=f"GET /account/activity/{entity}",
            headers=BEARER_JSON,
            reads="the body as a DataFrame",
            read=frame(),
            expected=True,
        )
        for entity in ("users", "dashboards")
    ),
    *(
        ClientRequest(
            client=WRAPPER_2,
            request="GET /dashboard",
            headers=BEARER_JSON,
            query=query,
            reads="the list `dashboards`, as a DataFrame",
            read=frame("dashboards"),
            expected=True,
        )
        for query in (
            {"includethumbnail": False, "name": "Delays"},
            {"includethumbnail": True, "name": "Delays"},
        )
    ),
    *(
        ClientRequest(
            client=WRAPPER_2,
            request=request,
            headers=BEARER_JSON,
            reads="the list `schedules`, as a DataFrame, also for a single schedule",
            read=frame("schedules"),
            expected=True,
        )
        for request in ("GET /schedule/{schedule}", "GET /schedule")
    ),
    ClientRequest(
        client=WRAPPER_1,
        request="POST /schedule/{schedule}/trigger",
        headers=BEARER_JSON,
        reads="nothing: it returns the reply",
    ),
    ClientRequest(
        client=WRAPPER_2,
        request="GET /schedule/{schedule}/trigger",
        headers=BEARER_JSON,
        reads="A GET that starts something is a mistake. The first age sends a POST.",
        refused=(405, "MethodNotAllowed"),
    ),
    ClientRequest(
        client=WRAPPER_2,
        request="DELETE /data/{table}/row",
        headers=BEARER_JSON,
        rows=TWO_ROWS,
        rows_after=TWO_ROWS,
        reads="The client drops the body of every DELETE, so that the request does not name the rows to delete. "
        "As it is written, it stops before it sends the request.",
        refused=(400, "InvalidBody"),
    ),
    *(
        ClientRequest(
            client=WRAPPER_2,
            request=f"GET /account/{{dashboard}}/{picture}",
            headers=BEARER_JSON,
            reads=f"The path is a mistake: the picture of a dashboard is at `/dashboard/{{id}}/{picture}`. "
            "As it is written, the client stops before it sends the request.",
            refused=(404, "UnknownRoute"),
        )
        for picture in ("thumbnail", "snapshot")
    ),
    # PHP package
    *(
        ClientRequest(
            client=client,
            request="GET /oauth20/authorize",
            query={
                "response_type": "code",
                "client_id": "{client_id}",
                "scope": "data_read",
                "redirect_uri": "{redirect_uri}",
            },
            reads="`code`, in the address of the redirect",
            read=code_in_redirect,
            expected=[str],
        )
        for client in (PHP_1, PHP_2)
    ),
    ClientRequest(
        client=PHP_1,
        request="POST /oauth20/token",
        form=CODE,
        reads="`redirect_uri` is missing, which RFC 6749 requires. The second age sends it.",
        refused=(400, "invalid_grant"),
    ),
    ClientRequest(
        client=PHP_1,
        request="POST /oauth20/token",
        form={"grant_type": "refresh_token", "code": "{refresh_token}", **CLIENT},
        reads="The refresh token is under the wrong key. The second age sends `refresh_token`.",
        refused=(400, "invalid_grant"),
    ),
    ClientRequest(
        client=PHP_1,
        request="POST /data/",
        headers={**BEARER, **CONTENT},
        body={"id": "{table}", "page": ""},
        reads="Its function that reads a table sends what the API takes as a create without name and columns. "
        "The second age sends `GET /data/{id}`.",
        refused=(400, "InvalidBody"),
    ),
    *(
        ClientRequest(
            client=PHP_2,
            request="POST /oauth20/token",
            form=form,
            reads="`access_token`, `refresh_token`, and `expires_in` as a number of seconds",
            read=values_of("access_token", "refresh_token", "expires_in"),
            expected=[str, str, int],
        )
        for form in (
            {**CODE, "redirect_uri": "{redirect_uri}"},
            {"grant_type": "refresh_token", "refresh_token": "{refresh_token}", **CLIENT},
        )
    ),
    ClientRequest(
        client=PHP_2,
        request="GET /data/{table}",
        headers={**BEARER, **CONTENT},
        rows=TWO_ROWS,
        reads="the rows in `data`",
        read=value_of("data"),
        expected=TWO_ROWS,
    ),
    ClientRequest(
        client=PHP_2,
        request="GET /data/",
        headers={**BEARER, **CONTENT},
        rows=TWO_ROWS,
        reads="the list `data`",
        read=value_of("data"),
        expected=list,
    ),
    # connector of a workflow product
    ClientRequest(
        client=CONNECTOR,
        request="GET /oauth20/authorize",
        query={
            "response_type": "code",
            "client_id": "{client_id}",
            "redirect_uri": "{redirect_uri}",
            "scope": "account_read data_read data_write table_read table_write",
            "state": "abc",
        },
        reads="`code`, in the address of the redirect",
        read=code_in_redirect,
        expected=[str],
    ),
    *(
        ClientRequest(
            client=CONNECTOR,
            request="POST /oauth20/token",
            form=form,
            reads="`access_token`, and `expires_in` as a number of seconds",
            read=values_of("access_token", "expires_in"),
            expected=[str, int],
        )
        for form in (
            {"grant_type": "client_credentials", **CLIENT},
            {**CODE, "redirect_uri": "{redirect_uri}"},
            {"grant_type": "refresh_token", "refresh_token": "{refresh_token}", **CLIENT},
        )
    ),
    *(
        ClientRequest(
            client=CONNECTOR,
            request="GET /account",
            headers={**CONTENT, **credentials},
            query={"api_version": "2022.01"},
            reads="`success`; `name` of the result, or `domain` where the name is empty",
            read=result_values("name", "domain"),
            expected=["Sandbox", "sandbox"],
        )
        for credentials in (BEARER, {"CLICDATA-API-KEY": "{api_key}"}, {"Authorization": "Basic {basic}"})
    ),
    ClientRequest(
        client=CONNECTOR,
        request="GET /table",
        headers={**CONTENT, **BEARER},
        query={"api_version": "2025.3", "page": 1, "page_size": 100},
        rows=TWO_ROWS,
        reads="`success`; `id` and `name` of the entries of the result",
        read=names_and_ids,
        expected={(str, int)},
    ),
    ClientRequest(
        client=CONNECTOR,
        request="POST /data/{table}/insert",
        headers={**CONTENT, **BEARER},
        query={"api_version": "2022.01"},
        body={"data": TWO_ROWS},
        reads="`success`; `rows_inserted` and `rows_found` of the result",
        read=result_of,
        expected={"rows_inserted": 2, "rows_found": 2},
        rows_after=TWO_ROWS,
    ),
    *(
        ClientRequest(
            client=CONNECTOR,
            request="POST /table/{fed}/refresh",
            headers={**CONTENT, **BEARER},
            query={"api_version": "2025.3"},
            body={"mode": mode},
            reads="`success`, and `success` of the result",
            read=result_values("success"),
            expected=[True],
        )
        for mode in MODES
    ),
    # proxy function
    ClientRequest(
        client=PROXY,
        request="GET /data",
        headers=API_KEY,
        rows=TWO_ROWS,
        reads="the list `data`; where there is one, the account needs no version",
        read=value_of("data"),
        expected=list,
    ),
    ClientRequest(
        client=PROXY,
        request="GET /data",
        headers=API_KEY,
        needs_version=True,
        reads="`code` in `error`, with HTTP 200: this account needs a version, so that the client tries the known ones",
        read=error_code,
        expected="APIVersionRequired",
    ),
    ClientRequest(
        client=PROXY,
        request="GET /data",
        headers=API_KEY,
        query={"api_version": "2024.1"},
        reads="whether there is an `error` with a `code`; where there is none, the account knows the version",
        read=lambda reply: "error" in reply.json(),
        expected=False,
    ),
    ClientRequest(
        client=PROXY,
        request="GET /data/{table}",
        headers=API_KEY,
        query={"limit": 100, "offset": 0},
        rows=TWO_ROWS,
        reads="the rows in `data`. "
        "No evidence shows that the API knows `limit` and `offset`; the sandbox ignores them.",
        read=value_of("data"),
        expected=TWO_ROWS,
    ),
    ClientRequest(
        client=PROXY,
        request="GET /account",
        headers=API_KEY,
        reads="the body, which it returns",
        read=lambda reply: reply.json(),
        expected=dict,
    ),
    *(
        ClientRequest(
            client=PROXY,
            request="GET /data",
            headers=API_KEY,
            query={"api_version": version},
            reads=f"It tries the versions from 2025.4 to 2023.1. {why}",
            refused=refused,
        )
        for version, refused, why in (
            ("2025.2", (400, "InvalidVersion"), "The code makes it try the next one."),
            (
                "2025.3",
                (404, "UnknownRoute"),
                "Every code but `APIVersionRequired` and `InvalidVersion` makes it take the version. From this version "
                "on, the sandbox lists the tables only under `GET /table`.",
            ),
        )
    ),
    *(
        ClientRequest(
            client=PROXY,
            request=request,
            headers=API_KEY,
            body=body,
            rows=TWO_ROWS,
            rows_after=TWO_ROWS,
            reads=f"No client that is known to work sends it. {instead}",
            refused=refused,
        )
        for request, body, refused, instead in (
            (
                "POST /data/{table}",
                cells(TWO_ROWS),
                (405, "MethodNotAllowed"),
                "Rows are appended by `POST /data/{id}/row`.",
            ),
            (
                "DELETE /data/{table}",
                {"column 1": "one"},
                (405, "MethodNotAllowed"),
                "Rows are deleted by `DELETE /data/{id}/row`; nothing deletes a table.",
            ),
            (
                "POST /datasource/{fed}/refresh",
                None,
                (404, "UnknownRoute"),
                "Tables are refreshed by `POST /table/{id}/refresh`.",
            ),
            ("GET /datasource", None, (404, "UnknownRoute"), "Sources are not part of the known API."),
            ("GET /dashboards", None, (404, "UnknownRoute"), "Dashboards are listed by `GET /dashboard`."),
        )
    ),
    # web page
    ClientRequest(
        client=WEB_PAGE,
        request="POST /oauth20/token",
        form={**CLIENT, "grant_type": "client_credentials"},
        reads="`access_token`",
        read=value_of("access_token"),
    ),
    ClientRequest(
        client=WEB_PAGE,
        request="POST /table/{table}",
        headers={"authorization": "Bearer {token}", **CONTENT},
        query={"api_version": "2021.08"},
        body=cells([FEEDBACK]),
        columns={"paragraph": "text", "Response": "text", "Comment": "text", "DateTimeStamp": "datetime"},
        reads="nothing",
        rows_after=[FEEDBACK],
    ),
    ClientRequest(
        client=WEB_PAGE,
        request="POST /table/{table}",
        headers={"authorization": "Bearer {token}", **CONTENT},
        query={"api_version": "2021.08"},
        body=cells([{"Response": "Thumbs-Down", "Additional Comment": ["repetitive", "outdated"]}]),
        columns={"Response": "text", "Additional Comment": "text"},
        reads="No column type holds a list. What the service does with it is not known.",
        refused=(400, "InvalidValue"),
        rows_after=[],
    ),
    # TypeScript adapter
    *(
        ClientRequest(
            client=ADAPTER,
            request=request,
            headers=BEARER,
            body=body,
            reads=f"No client that is known to work sends it. {instead}",
            refused=(404, "UnknownRoute"),
        )
        for request, body, instead in (
            (
                "POST /datasets",
                {"name": "{name}", "columns": [{"name": "email", "type": "string"}]},
                "A table is created by `POST /data`.",
            ),
            ("DELETE /datasets/{table}", None, "Nothing deletes a table."),
            ("POST /dashboards/{dashboard}/refresh", None, "Nothing refreshes a dashboard."),
        )
    ),
)
"""Every request, in the order of the clients."""
