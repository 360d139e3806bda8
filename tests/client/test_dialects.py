"""The two dialects as tables: call → request, and reply → model or error."""

import json
from decimal import Decimal
from typing import Any

import pytest

import pandas_clicdata as cd
from pandas_clicdata._models import AccountInfo, Column, Framing, InsertCounts, Reply, Request, Secret, TableRef
from pandas_clicdata.client.dialects import Unversioned, Versioned, dialect_for
from pandas_clicdata.client.operations import delete, exact_number, loads, update

PLAIN = Unversioned()
V3 = Versioned("2025.3")
V22 = Versioned("2022.01")
V21 = Versioned("2021.08")
OLD_OF_MANY = Versioned("2021.08", ("2021.08", "2022.01", "2025.3"))
COLUMNS = [Column("a", "text"), Column('q"é', "number")]
NEW_TABLE = {
    "name": "Tä",
    "description": "d",
    "columns": [{"name": "a", "data_type": "text"}, {"name": 'q"é', "data_type": "number"}],
}
FIND = b'[{"column":"a","value":1}]'
FIND_BODY = {"multiplerows": "all", "find": [{"column": "a", "value": 1}]}
VALUES = b'[{"column":"b","value":null}]'
UPDATE_BODY = FIND_BODY | {"update": [{"column": "b", "value": None}]}


def version(number):
    return {"api_version": number}


REQUESTS: list[tuple[Any, ...]] = [
    # dialect, operation, arguments → method, path, parameters, body
    (PLAIN, "account", (), "GET", "/account", {}, None),
    (V3, "account", (), "GET", "/account", version("2025.3"), None),
    (PLAIN, "list_tables", (1, None), "GET", "/data", {}, None),
    (PLAIN, "list_tables", (1, "T &?"), "GET", "/data", {"name": "T &?"}, None),
    (V3, "list_tables", (2, "T"), "GET", "/table", {"page": "2", "page_size": "100", **version("2025.3")}, None),
    (V22, "list_tables", (2, None), "GET", "/data", {"page": "2", "page_size": "100", **version("2022.01")}, None),
    (
        OLD_OF_MANY, "list_tables", (1, None), "GET", "/table",
        {"page": "1", "page_size": "100", **version("2025.3")}, None,
    ),
    (PLAIN, "read_page", (7, 3), "GET", "/data/7", {"page": "3"}, None),
    (PLAIN, "read_page", (7, 3, 2), "GET", "/data/7/v/2", {"page": "3"}, None),
    (PLAIN, "read_page", (7, 3, 0), "GET", "/data/7/v/0", {"page": "3"}, None),
    (V3, "read_page", (7, 3), "GET", "/data/7", {"page": "3", **version("2025.3")}, None),
    (V22, "read_page", (7, 3, 2), "GET", "/data/7/v/2", {"page": "3", **version("2022.01")}, None),
    (PLAIN, "create_table", ("Tä", "d", COLUMNS), "POST", "/data", {}, NEW_TABLE),
    (V3, "create_table", ("Tä", "d", COLUMNS), "POST", "/data", version("2025.3"), NEW_TABLE),
    (PLAIN, "insert", (7, b'[{"column":"a","value":1}]', 1), "POST", "/data/7/row", {}, {"data": [FIND_BODY["find"]]}),
    (V3, "insert", (7, b'{"a":1}', 1), "POST", "/data/7/insert", version("2025.3"), {"data": [{"a": 1}]}),
    (OLD_OF_MANY, "insert", (7, b'{"a":1}', 1), "POST", "/data/7/insert", version("2022.01"), {"data": [{"a": 1}]}),
    (V21, "insert", (7, b'[{"column":"a","value":1}]', 1), "POST", "/table/7", version("2021.08"),
     {"data": [FIND_BODY["find"]]}),
    (PLAIN, "delete", (7, FIND), "DELETE", "/data/7/row", {}, FIND_BODY),
    (V3, "delete", (7, FIND), "DELETE", "/data/7/row", version("2025.3"), FIND_BODY),
    (PLAIN, "update", (7, FIND, VALUES, "all", "update"), "PUT", "/data/7/row", {}, UPDATE_BODY),
    (PLAIN, "update", (7, FIND, VALUES, "all", "data"), "PUT", "/data/7/row", {},
     FIND_BODY | {"data": UPDATE_BODY["update"]}),
    (V3, "update", (7, FIND, VALUES, "all", "update"), "PUT", "/data/7/row", version("2025.3"), UPDATE_BODY),
    (PLAIN, "list_tables", (1, None, True, False), "GET", "/data",
     {"uniquekeyavailable": "true", "refresh": "false"}, None),
    (PLAIN, "list_tables", (1, "T", None, True), "GET", "/data", {"name": "T", "refresh": "true"}, None),
    (PLAIN, "refresh", (7, "recreate"), "POST", "/data/7/recreate", {}, None),
    (PLAIN, "refresh", (7, "reload"), "POST", "/data/7/rebuild", {}, None),
    (PLAIN, "refresh", (7, "update"), "POST", "/data/7/update", {}, None),
    (PLAIN, "refresh", (7, "updateappend"), "POST", "/data/7/updateappend", {}, None),
    (V3, "refresh", (7, "recreate"), "POST", "/table/7/refresh", version("2025.3"), {"mode": "rebuild"}),
    (V3, "refresh", (7, "reload"), "POST", "/table/7/refresh", version("2025.3"), {"mode": "reload"}),
    (V3, "refresh", (7, "updateappend"), "POST", "/table/7/refresh", version("2025.3"), {"mode": "updateappend"}),
    (OLD_OF_MANY, "refresh", (7, "update"), "POST", "/table/7/refresh", version("2025.3"), {"mode": "update"}),
    (V22, "refresh", (7, "reload"), "POST", "/data/7/rebuild", version("2022.01"), None),
    (V21, "refresh", (7, "recreate"), "POST", "/data/7/recreate", version("2021.08"), None),
    # Requests that would do more if they were repeated.
    (PLAIN, "delete", (7, FIND, "first"), "DELETE", "/data/7/row", {}, FIND_BODY | {"multiplerows": "first"}),
    (V3, "delete", (7, FIND, "first"), "DELETE", "/data/7/row", version("2025.3"),
     FIND_BODY | {"multiplerows": "first"}),
    (PLAIN, "update", (7, FIND, VALUES, "first", "update"), "PUT", "/data/7/row", {},
     UPDATE_BODY | {"multiplerows": "first"}),
    (V3, "update", (7, FIND, VALUES, "first", "update"), "PUT", "/data/7/row", version("2025.3"),
     UPDATE_BODY | {"multiplerows": "first"}),
    (PLAIN, "refresh", (7, "append"), "POST", "/data/7/append", {}, None),
    (V3, "refresh", (7, "append"), "POST", "/table/7/refresh", version("2025.3"), {"mode": "append"}),
    (V22, "refresh", (7, "append"), "POST", "/data/7/append", version("2022.01"), None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "operation", "arguments", "method", "path", "params", "body"),
    REQUESTS,
    ids=[f"{dialect.name}-{operation}-{arguments}" for dialect, operation, arguments, *_ in REQUESTS],
)
def test_the_request_of_each_call(dialect, operation, arguments, method, path, params, body):
    request = getattr(dialect, operation)(*arguments).request
    assert (request.method, request.path, dict(request.params)) == (method, path, params)
    assert (None if request.body is None else json.loads(request.body)) == body
    not_repeatable = operation in {"create_table", "insert"}
    not_repeatable |= any(word in arguments for word in ("first", "append", "updateappend"))
    assert request.repeatable == (not not_repeatable)
    assert request.content_type == "application/json"


@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        (PLAIN.row_framing(["a", 'q"']), ("[", ('{"column":"a","value":', '},{"column":"q\\"","value":'), "}]")),
        (V21.row_framing(["a", 'q"']), ("[", ('{"column":"a","value":', '},{"column":"q\\"","value":'), "}]")),
        (V3.row_framing(["a", 'q"']), ("{", ('"a":', ',"q\\"":'), "}")),
    ],
)
def test_row_framing(framing, expected):
    assert framing == Framing(*expected)


def read(exchange, body, status=200, headers=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return exchange.read(Reply(status=status, headers=headers or {}, body=content, attempts=1))


def wrap(result, **pagination):
    return {"success": True, "result": result} | ({"pagination": pagination} if pagination else {})


ROWS = [{"a": 1}, {"a": 2}]
META = [{"name": "a", "data_type": "Number"}]
LISTED_COLUMNS = (Column("a", "number"),)


@pytest.mark.parametrize(
    ("exchange", "body", "expected"),
    [
        # (rows, columns, has_more, total, number)
        (PLAIN, {"data": ROWS, "has_more_data": True}, (ROWS, None, True, None, None)),
        (PLAIN, {"data": ROWS, "has_more_data": False, "columns": META}, (ROWS, LISTED_COLUMNS, False, None, None)),
        (PLAIN, {"data": ROWS}, (ROWS, None, None, None, None)),
        (PLAIN, {"data": ROWS, "has_more_data": "yes"}, (ROWS, None, None, None, None)),
        (PLAIN, {"data": [], "columns": META, "new": 1}, ([], LISTED_COLUMNS, None, None, None)),
        (PLAIN, {"data": ROWS, "columns": [{"title": "a"}]}, (ROWS, None, None, None, None)),
        (PLAIN, {"data": [[1], [2]], "columns": META}, (ROWS, LISTED_COLUMNS, None, None, None)),
        (V3, wrap({"data": ROWS, "columns": META}), (ROWS, LISTED_COLUMNS, None, None, None)),
        (V3, wrap(ROWS), (ROWS, None, None, None, None)),
        (V3, wrap({"data": ROWS}, has_more_results=True), (ROWS, None, True, None, None)),
        (V3, wrap({"data": ROWS}, last_page=True), (ROWS, None, False, None, None)),
        (V3, wrap({"data": ROWS}, last_page=False), (ROWS, None, True, None, None)),
        (V3, wrap({"data": ROWS}, has_more_results=True, last_page=True), (ROWS, None, True, None, None)),
        (V3, wrap({"data": ROWS}, result_total_count=265, current_page=1), (ROWS, None, None, 265, 1)),
        (V3, wrap({"data": ROWS}, result_total_count="265", current_page="1"), (ROWS, None, None, 265, 1)),
        (V3, wrap({"data": ROWS}) | {"pagination": None}, (ROWS, None, None, None, None)),
    ],
)
def test_pages_are_read(exchange, body, expected):
    page = read(exchange.read_page(7, 1), body)
    assert (list(page.rows), page.columns, page.has_more, page.total, page.number) == expected


@pytest.mark.parametrize(
    ("exchange", "body", "expected"),
    [
        (PLAIN.create_table("T", "", []), b"1234", 1234),
        (PLAIN.create_table("T", "", []), {"id": 1234}, 1234),
        (V3.create_table("T", "", []), wrap(1234), 1234),
        (V3.create_table("T", "", []), wrap({"id": 1234, "name": "T"}), 1234),
        (V3.create_table("T", "", []), wrap({"rec_id": "1234"}), 1234),
        (PLAIN.insert(7, b"{}", 1), {"success": True}, InsertCounts()),
        (V3.insert(7, b"{}", 1), wrap({"rows_inserted": 1, "rows_found": 2}), InsertCounts(1, 2)),
        (V3.insert(7, b"{}", 1), wrap({"rows_inserted": 1}), InsertCounts(1, None)),
        (V3.insert(7, b"{}", 1), wrap(None), InsertCounts()),
        (PLAIN.delete(7, FIND), {"success": True}, None),
        (PLAIN.delete(7, FIND), b"true", None),
        (V3.delete(7, FIND), wrap(None), None),
        (V21.insert(7, b"[]", 1), wrap({}), InsertCounts()),
        (PLAIN.refresh(7, "reload"), {"success": True, "started": "now"}, {"success": True, "started": "now"}),
        (PLAIN.refresh(7, "reload"), b"true", {}),
        (PLAIN.refresh(7, "reload"), b"", {}),
        (V3.refresh(7, "reload"), wrap({"queued": 1}), {"queued": 1}),
        (V3.refresh(7, "reload"), wrap(None), {}),
    ],
)
def test_replies_are_read(exchange, body, expected):
    assert read(exchange, body) == expected


@pytest.mark.parametrize("dialect", [V3, V22, V21, OLD_OF_MANY], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("option", ["unique_key_available", "refresh"])
@pytest.mark.parametrize("value", [True, False])
def test_an_undocumented_filter_is_refused(dialect, option, value):
    with pytest.raises(ValueError, match=f"{option}= filters only in the unversioned API.*{dialect.version}"):
        dialect.list_tables(1, **{option: value})


@pytest.mark.parametrize(
    ("exchange", "body"),
    [
        (PLAIN.account(), {"id": 7, "name": "Acme", "new": 1}),
        (V3.account(), wrap({"id": 7, "name": "Acme", "new": 1})),
    ],
)
def test_accounts_are_read(exchange, body):
    fields = read(exchange, body)
    assert fields == {"id": 7, "name": "Acme", "new": 1}
    assert AccountInfo.from_fields(fields) == AccountInfo(7, "Acme", None, fields)


ENTRY = {"rec_id": 7, "name": "T", "description": "d", "source": "merge"}


@pytest.mark.parametrize(
    ("exchange", "body", "has_more", "total"),
    [
        (PLAIN.list_tables(1), {"count": 1, "data": [ENTRY]}, False, 1),
        (PLAIN.list_tables(1), {"data": [ENTRY]}, False, None),
        (V3.list_tables(1), wrap([{"id": 7, **{k: v for k, v in ENTRY.items() if k != "rec_id"}}]), None, None),
        (V3.list_tables(1), wrap([ENTRY], result_total_count=3, has_more_results=True), True, 3),
    ],
)
def test_lists_of_tables_are_read(exchange, body, has_more, total):
    listed = read(exchange, body)
    assert (listed.has_more, listed.total) == (has_more, total)
    (table,) = listed.tables
    assert table == TableRef(7, "T", "d", table.fields)
    assert table.fields["source"] == "merge"


# Statuses of an intact reply that show that nothing was done.
DID_NOTHING = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429}
ERRORS = [
    # status, body → kind, code, description
    (400, {"error": {"code": "Bad", "description": "No."}}, cd.ApiError, "Bad", "No."),
    (401, {"error": {"code": "Token", "description": "Old."}}, cd.AuthenticationError, "Token", "Old."),
    (403, {"Error": {"Code": "Scope", "Description": "No."}}, cd.PermissionDeniedError, "Scope", "No."),
    (404, {"ErrorCode": "Gone", "ErrorDescription": "No."}, cd.NotFoundError, "Gone", "No."),
    (429, {"message": "Slowly."}, cd.RateLimitError, None, "Slowly."),
    (500, b"<html>Oops</html>", cd.ServerError, None, None),
    (503, b"", cd.ServerError, None, None),
    (400, {"error": "bad", "error_description": "No."}, cd.ApiError, "bad", "No."),
    (418, {}, cd.ApiError, None, None),
    (200, {"error": {"code": "Bad", "description": "No."}}, cd.ApiError, "Bad", "No."),
    (200, {"error": {}}, cd.ApiError, "unexplained", None),
    (200, {"success": False}, cd.ApiError, "unexplained", None),
    (200, {"success": False, "error": {"code": "Bad"}}, cd.ApiError, "Bad", None),
    (200, {"success": False, "message": "No."}, cd.ApiError, None, "No."),
    (200, {"ErrorCode": "Bad"}, cd.ApiError, "Bad", None),
    (200, {"error": "bad"}, cd.ApiError, "bad", None),
    (200, {"error": {"code": "APIVersionRequired", "description": "…"}}, cd.ApiVersionError, "APIVersionRequired", "…"),
    (400, {"success": False, "error": {"code": "InvalidVersion"}}, cd.ApiVersionError, "InvalidVersion", None),
]


@pytest.mark.parametrize("dialect", [PLAIN, V3], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("operation", ["read", "create", "insert", "delete", "refresh", "account", "list"])
@pytest.mark.parametrize(("status", "body", "kind", "code", "description"), ERRORS)
def test_errors_are_raised(dialect, operation, status, body, kind, code, description):
    exchange = {
        "read": dialect.read_page(7, 1),
        "create": dialect.create_table("T", "", []),
        "insert": dialect.insert(7, b"{}", 1),
        "delete": dialect.delete(7, FIND),
        "refresh": dialect.refresh(7, "append"),
        "account": dialect.account(),
        "list": dialect.list_tables(1),
    }[operation]
    with pytest.raises(cd.ApiError) as caught:
        read(exchange, body, status, {"x-request-id": "r1"})
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.description) == (status, code, description)
    assert (error.operation, error.request_id) == (operation, "r1")
    assert exchange.request.line in str(error)
    changes = operation in {"create", "insert", "delete", "refresh"}
    assert error.ambiguous == (changes and status not in DID_NOTHING and kind is not cd.ApiVersionError)


def test_a_503_with_retry_after_leaves_the_outcome_unknown():
    with pytest.raises(cd.ServerError) as caught:
        read(PLAIN.insert(7, b"{}", 1), b"", 503, {"retry-after": "1"})
    assert caught.value.ambiguous


UNKNOWN_FORMATS = [
    (PLAIN.read_page(7, 1), b"no JSON"),
    (PLAIN.read_page(7, 1), b""),
    (PLAIN.read_page(7, 1), b"\xff"),
    (PLAIN.read_page(7, 1), b"[" * 100_000),
    (PLAIN.read_page(7, 1), {"rows": []}),
    (PLAIN.read_page(7, 1), {"data": {"a": 1}}),
    (PLAIN.read_page(7, 1), {"data": [1, 2]}),
    (PLAIN.read_page(7, 1), {"data": [[1], [2]]}),
    (PLAIN.read_page(7, 1), {"data": [[1, 2]], "columns": META}),
    (PLAIN.read_page(7, 1), b'{"data": [{"a": NaN}]}'),
    (PLAIN.read_page(7, 1), {"data": [{"a": 1}, [2]], "columns": META}),
    (V3.read_page(7, 1), {"data": ROWS}),
    (V3.read_page(7, 1), []),
    (V3.read_page(7, 1), {"success": "true", "result": {"data": ROWS}}),
    (V3.read_page(7, 1), wrap(None)),
    (PLAIN.create_table("T", "", []), b"true"),
    (PLAIN.create_table("T", "", []), b"12.5"),
    (PLAIN.create_table("T", "", []), {"name": "T"}),
    (V3.create_table("T", "", []), b"1234"),
    (V3.create_table("T", "", []), wrap(None)),
    (PLAIN.insert(7, b"{}", 1), {"ok": 1}),
    (PLAIN.insert(7, b"{}", 1), {"success": "yes"}),
    (PLAIN.insert(7, b"{}", 1), b""),
    (V3.insert(7, b"{}", 1), {"rows_inserted": 1}),
    (PLAIN.account(), [1]),
    (PLAIN.list_tables(1), {"count": 0}),
    (PLAIN.list_tables(1), {"data": [{"name": "T"}]}),
    (V3.list_tables(1), wrap({"tables": []})),
    (V3.refresh(7, "reload"), {"queued": 1}),
]


@pytest.mark.parametrize(("exchange", "body"), UNKNOWN_FORMATS)
def test_an_unknown_format_raises(exchange, body):
    with pytest.raises(cd.UnexpectedReplyError) as caught:
        read(exchange, body)
    assert exchange.request.line in str(caught.value)
    assert caught.value.ambiguous == (exchange.request.method == "POST")
    assert len(str(caught.value)) < 1000


def test_an_excerpt_is_redacted_and_short():
    reply = Reply(
        status=500,
        body=b'{"api_key": "k1", "x": "Bearer abc.d", "y": "hush"}\n' + b"z" * 999,
        secrets=(Secret("hush"),),
    )
    excerpt = reply.excerpt()
    assert not any(secret in excerpt for secret in ("k1", "abc.d", "hush"))
    assert len(excerpt) < 320


@pytest.mark.parametrize("find", [b"", b"[]", b"[ ]", b"null", b"{}"])
@pytest.mark.parametrize("multiple_rows", ["all", "first"])
def test_nothing_is_written_without_a_condition(find, multiple_rows):
    with pytest.raises(ValueError, match="a delete without a condition"):
        delete(find, multiple_rows)
    with pytest.raises(ValueError, match="an update without a condition"):
        update(find, VALUES, multiple_rows, "data")


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("0.1", 0.1), ("1e22", 1e22), ("1E5", 1e5), ("-0.0", -0.0), ("1.10", 1.1), ("5e-324", 5e-324),
        ("0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
        ("9007199254740993.0", Decimal("9007199254740993.0")), ("1e400", Decimal("1E+400")),
        ("123456789.123456789123", Decimal("123456789.123456789123")), ("1e-400", Decimal("1E-400")),
    ],
)  # fmt: skip
def test_numbers_are_read_exactly(token, value):
    number = exact_number(token)
    assert (type(number), repr(number)) == (type(value), repr(value))
    assert repr(loads(f'{{"n": {token}}}'.encode())["n"]) == repr(value)


def test_the_dialect_of_a_setting():
    assert dialect_for("unversioned") == Unversioned()
    assert dialect_for("2022.1").name == "versioned, 2022.1"


def test_a_request_line_has_no_body():
    request = Request(operation="x", method="GET", path="/x", params=(("a", "1"), ("b", "2")), body=b"canary")
    assert request.line == "GET /x?a=1&b=2"
    assert "canary" not in repr(request)
