"""Tables are created, listed and read in both dialects."""

import pytest

VERSIONS = ["2021.08", "2022.01", "2024.1", "2025.3", "2025.4"]


def test_create_returns_the_id_bare_or_wrapped(call):
    one = call("POST", "/data", {"name": "A", "description": "d", "columns": [{"name": "x", "data_type": "text"}]})
    two = call("POST", "/data", {"name": "B", "columns": [{"name": "x", "data_type": "text"}]}, version="2025.3").json()
    assert one.text.isdigit()
    assert two == {"success": True, "result": one.json() + 1}


def test_tables_are_listed_in_both_dialects(call):
    first, second = call.make("Flights"), call.make("Weather")
    reply = call("GET", "/data").json()
    assert reply["count"] == 2
    assert [(t["rec_id"], t["name"], t["description"]) for t in reply["data"]] == [
        (first, "Flights", ""),
        (second, "Weather", ""),
    ]
    assert {"source", "creation_date", "last_data_update_date"} <= reply["data"][0].keys()
    page = call("GET", "/table", version="2025.3", params={"page": 2, "page_size": 1}).json()
    assert page == {
        "success": True,
        "result": [{"id": second, "name": "Weather", "description": ""}],
        "pagination": {
            "result_count": 1, "result_total_count": 2, "current_page": 2, "page_size": 1,
            "has_more_results": False, "last_page": True,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"name": "flights"}, ["Flights"]),
        ({"name": "Flight"}, []),
        ({"uniquekeyavailable": "true"}, []),
        ({"uniquekeyavailable": "false"}, ["Flights", "Weather"]),
        ({"refresh": "True"}, []),
    ],
)
def test_the_unversioned_list_can_be_filtered(call, params, names):
    call.make("Flights")
    call.make("Weather")
    assert [table["name"] for table in call("GET", "/data", params=params).json()["data"]] == names


@pytest.mark.parametrize("second", ["T", "t"])
def test_a_taken_name_is_refused(call, second):
    call.make("T")
    reply = call("POST", "/data", {"name": second, "columns": [{"name": "x", "data_type": "text"}]})
    assert reply.status_code == 409
    assert reply.json()["error"]["code"] == "NameTaken"
    assert call("GET", "/data").json()["count"] == 1


def test_pages_have_every_row_once_in_order(serve):
    _, call = serve(page_size=3)
    table = call.make(columns=[("n", "number")])
    call.numbers(table, 7)
    bare = [call("GET", f"/data/{table}", params={"page": page}).json() for page in (1, 2, 3, 4, 10**14)]
    assert [[row["n"] for row in page["data"]] for page in bare] == [[0, 1, 2], [3, 4, 5], [6], [], []]
    assert [page["has_more_data"] for page in bare] == [True, True, False, False, False]
    assert bare[0]["columns"] == [{"name": "n", "data_type": "number"}]
    wrapped = call("GET", f"/data/{table}", params={"page": 2}, version="2025.3").json()
    assert wrapped["result"] == {"data": bare[1]["data"], "columns": bare[1]["columns"]}
    assert wrapped["pagination"] == {
        "result_count": 3, "result_total_count": 7, "current_page": 2, "page_size": 3,
        "has_more_results": True, "last_page": False,
    }  # fmt: skip


def test_an_empty_table_has_its_columns(call):
    table = call.make(columns=[("n", "number"), ("t", "text")])
    assert call("GET", f"/data/{table}").json() == {
        "data": [],
        "has_more_data": False,
        "columns": [{"name": "n", "data_type": "number"}, {"name": "t", "data_type": "text"}],
    }


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.0", "", "٣", "9" * 40])
def test_a_page_below_1_is_a_400(call, page):
    table = call.make()
    reply = call("GET", f"/data/{table}", params={"page": page})
    assert reply.status_code == 400
    assert "'page'" in reply.json()["error"]["description"]


@pytest.mark.parametrize("width", [1, 100, 101, 1900])
def test_wide_tables_keep_their_columns_in_order(call, width):
    names = [f"%s col \"{n}' %" for n in range(width)]
    table = call.make(columns=[(name, "number") for name in names])
    assert call("POST", f"/data/{table}/rows", {"data": [list(range(width))]}).status_code == 200
    row = call("GET", f"/data/{table}").json()["data"][0]
    assert list(row.items()) == [(name, n) for n, name in enumerate(names)]


def test_missing_columns_are_null(call, sb):
    table = call.make(columns=[("a", "text"), ("b", "number")])
    call.insert(table, [{"b": 1}, {}])
    assert call("POST", f"/data/{table}/row", {"data": [[{"column": "a", "value": "x"}], []]}).status_code == 200
    assert sb.ledger.rows("T") == [
        {"a": None, "b": 1}, {"a": None, "b": None}, {"a": "x", "b": None}, {"a": None, "b": None}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "under"),
    [
        ("GET", "/data", None, {None, "2021.08", "2022.01", "2024.1"}),
        ("GET", "/table", None, {"2025.3", "2025.4"}),
        ("POST", "/data/{}/row", {"data": [[{"column": "n", "value": 1}]]}, {None}),
        ("POST", "/data/{}/rows", {"data": [[1]]}, {None}),
        ("POST", "/data/{}/insert", {"data": [{"n": 1}]}, {*VERSIONS} - {"2021.08"}),
        ("POST", "/table/{}", {"data": [[{"column": "n", "value": 1}]]}, set(VERSIONS)),
        ("GET", "/data/{}", None, {None, *VERSIONS}),
        ("GET", "/data/{}/versions", None, {None, *VERSIONS}),
        ("GET", "/account", None, {None, *VERSIONS}),
        ("GET", "/account/activity/users", None, {None, *VERSIONS}),
        ("GET", "/account/activity/dashboards", None, {None, *VERSIONS}),
        ("GET", "/profile/user", None, {None, *VERSIONS}),
    ],
)
def test_an_operation_exists_only_in_its_versions(call, method, path, body, under):
    table = call.make(columns=[("n", "number")])
    found = set()
    for version in (None, *VERSIONS):
        reply = call(method, path.format(table), body, version=version)
        assert reply.status_code in (200, 404)
        if reply.status_code == 200:
            found.add(version)
            assert version is None or reply.json()["success"] is True
        else:
            assert "has no route" in reply.json()["error"]["description"]
    assert found == under


@pytest.mark.parametrize("verb", ["recreate", "rebuild", "reload", "update", "append", "updateappend"])
def test_a_verb_of_a_refresh_exists_in_its_versions(call, verb):
    table = call.make()
    assert call("POST", f"/data/{table}/{verb}").status_code == 200
    assert call("POST", f"/data/{table}/{verb}", version="2025.3").status_code == 404
    assert call("POST", "/data/7/" + verb).status_code == 404


def test_refresh_refuses_an_unknown_mode(call):
    table = call.make()
    reply = call("POST", f"/table/{table}/refresh", {"mode": "other"}, version="2025.3")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidBody")


def test_the_account_and_its_activity_can_be_read(call, sb):
    assert {"id", "name", "domain"} <= call("GET", "/account").json().keys()
    assert call("GET", "/profile/user").json()["email_address"] == sb.username
    assert isinstance(call("GET", "/account/activity/users", version="2025.3").json()["result"], list)
    assert call("GET", "/account/activity/dashboards").json() == []
