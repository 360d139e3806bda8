"""Refreshes of a table from its file: each method in both dialects, refusals, and versions."""

import contextlib
import itertools
import sqlite3
import string
import threading

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.sampled(1)

# The path without a version, and the mode of the versioned dialect.
METHODS = {
    "recreate": (["recreate"], "rebuild"),
    "reload": (["reload", "rebuild"], "reload"),
    "append": (["append"], "append"),
    "update": (["update"], "update"),
    "updateappend": (["updateappend"], "updateappend"),
}
REQUESTS = [
    (method, word, version)
    for method, (verbs, mode) in METHODS.items()
    for version in (None, "2022.01", "2025.3")
    for word in ([mode] if version == "2025.3" else verbs)
]

FIRST = "k,n\na,1\nb,2\nc,3\n"
SECOND = "k,n\nc,30\nd,40\na,10\n"


def refresh(call, table, word, version=None):
    if version == "2025.3":
        return call("POST", f"/table/{table}/refresh", {"mode": word}, version=version)
    return call("POST", f"/data/{table}/{word}", version=version)


def refused(reply):
    assert reply.status_code == 400, reply.text
    return reply.json()["error"]["code"]


def pairs(rows):
    return [tuple(row.values()) for row in rows]


@pytest.fixture
def fed(sb):
    """Create a table from the text of a CSV file."""

    def make(text=FIRST, **options):
        sb.put_source("f.csv", text)
        return sb.feed("T", "f.csv", **options)

    return make


@pytest.mark.parametrize(("method", "word", "version"), REQUESTS)
def test_each_method_has_its_effect(sb, call, fed, method, word, version):
    table = fed(key=["k"])
    sb.put_source("f.csv", SECOND)
    reply = refresh(call, table, word, version)
    result = {"success": True} if version == "2025.3" else {}
    assert reply.json() == ({"success": True, "result": result} if version else {"success": True})
    first, second = (
        pairs([{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "c", "n": 3}]),
        [("c", 30), ("d", 40), ("a", 10)],
    )
    assert pairs(sb.ledger.rows(table)) == {
        "recreate": second,
        "reload": second,
        "append": first + second,
        "update": [("a", 10), ("b", 2), ("c", 30)],
        "updateappend": [("a", 10), ("b", 2), ("c", 30), ("d", 40)],
    }[method]  # fmt: skip
    assert pairs(sb.ledger.rows(table, version=1)) == first
    # The rows of the file were not sent by a request.
    assert sb.ledger.inserts(table) == []
    assert call("GET", "/data").json()["count"] == 1


@pytest.mark.parametrize("key", [None, ["k"]], ids=["no key", "key"])
@pytest.mark.parametrize("method", METHODS)
def test_only_updates_need_a_key(sb, call, fed, method, key):
    table = fed(key=key)
    reply = refresh(call, table, method)
    if key is None and method in ("update", "updateappend"):
        assert refused(reply) == "NoUniqueKey"
        assert sb.ledger.count(table) == 3
    else:
        assert reply.status_code == 200


def test_a_refresh_of_a_table_that_was_created_through_the_api_changes_nothing(sb, call):
    table = call.make("T", [("k", "text"), ("n", "number")])
    call.insert(table, [{"k": "a", "n": 1}])
    for _, word, version in REQUESTS:
        assert refresh(call, table, word, version).json().get("success") is True
        assert pairs(sb.ledger.rows(table)) == [("a", 1)]
        assert refresh(call, 7, word, version).status_code == 404


@pytest.mark.parametrize("scope", ["data_read", "table_read", "table_write", "schedule_write"])
def test_a_refresh_needs_a_write_scope(serve, scope):
    sb, call = serve(scopes=[scope])
    sb.put_source("f.csv", FIRST)
    table = sb.feed("T", "f.csv")
    assert refresh(call, table, "append").status_code == 403
    assert refresh(call, table, "append", "2025.3").status_code == (200 if scope == "table_write" else 403)


# sources that do not fit


@pytest.mark.parametrize(
    ("content", "code", "but"),
    [
        ("", "SourceUnreadable", {}),
        (b"\xff", "SourceUnreadable", {}),
        ("k,n\nx\n", "SourceUnreadable", {}),
        (None, "SourceUnreadable", {}),
        ("k,n\na,1\nb,2\na,3\n", "KeyTwice", {}),
        ("k,k\na,1\n", "SourceMismatch", {}),
        ("n\n1\n", "SourceMismatch", {}),
        ("K,n\na,1\n", "SourceMismatch", {}),
        ("k\na\n", "SourceMismatch", {"recreate"}),
        ("k,n,more\na,1,2\n", "SourceMismatch", {"recreate"}),
        ("k,n\na,x\n", "SourceMismatch", {"recreate"}),
        ("k,n\na,01\n", "SourceMismatch", {"recreate"}),
        ("k,n\na,2020-01-01\n", "SourceMismatch", {"recreate"}),
        ("k,n\n7,1\n", None, {}),
        ("n,k\n1,z\n", None, {}),
        ("k,n\nz,\n", None, {}),
        ("k,n\n", None, {}),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_source_that_does_not_fit_changes_nothing(sb, call, content, code, but):
    for method in METHODS:
        sb.put_source("f.csv", FIRST)
        table = sb.feed(method, "f.csv", key=["k"])
        paths = (f"/data/{table}", f"/data/{table}/versions", "/data")
        before = [call("GET", path).json() for path in paths]
        if content is None:
            (sb.sources / "f.csv").unlink()
        else:
            sb.put_source("f.csv", content)
        reply = refresh(call, table, method)
        if code is None or method in but:
            assert reply.json() == {"success": True}, method
            continue
        assert refused(reply) == code, method
        sentence = reply.json()["error"]["description"]
        assert "'f.csv'" in sentence
        assert sentence.endswith(".")
        assert [call("GET", path).json() for path in paths] == before


@pytest.mark.parametrize("method", ["reload", "append", "updateappend"])
def test_columns_are_matched_by_name_and_text_stays_text(sb, call, fed, method):
    table = fed("k,n,t\na,1,x\n", key=["k"])
    sb.put_source("f.csv", "t,n,k\n1.50,2,7\n,,\n")
    refresh(call, table, method).raise_for_status()
    assert sb.ledger.rows(table)[-2:] == [{"k": "7", "n": 2, "t": "1.50"}, {"k": None, "n": None, "t": None}]


def test_keys_are_compared_by_value(sb, call, fed):
    table = fed('k,n,v\n,1,a\n"",1,b\nx,1,c\nx,2,d\nX,2,e\n', key=["n", "k"])
    sb.put_source("f.csv", 'k,n,v\nx,1.0,C\n,1e0,A\n"",10e-1,B\nx,3,f\n')
    refresh(call, table, "updateappend").raise_for_status()
    assert [row["v"] for row in sb.ledger.rows(table)] == ["A", "B", "C", "d", "e", "f"]
    sb.put_source("f.csv", "k,n,v\nx,1,a\nx,1.0,b\n")
    assert refused(refresh(call, table, "append")) == "KeyTwice"


def test_every_row_with_the_key_is_updated(sb, call, fed):
    table = fed(key=["k"])
    refresh(call, table, "append").raise_for_status()
    call.insert(table, [{"k": "b", "n": 7}])
    sb.put_source("f.csv", "k,n\nb,9\nz,9\n")
    refresh(call, table, "update").raise_for_status()
    assert pairs(sb.ledger.rows(table)) == [("a", 1), ("b", 9), ("c", 3), ("a", 1), ("b", 9), ("c", 3), ("b", 9)]


def test_a_table_with_a_source_can_be_changed_through_the_api(sb, call, fed):
    table = fed()
    call.insert(table, [{"k": "d", "n": 4}])
    find = {"multiplerows": "all", "find": [{"column": "k", "value": "a"}]}
    assert call("DELETE", f"/data/{table}/row", find).status_code == 200
    assert pairs(sb.ledger.rows(table)) == [("b", 2), ("c", 3), ("d", 4)]
    refresh(call, table, "reload").raise_for_status()
    assert pairs(sb.ledger.rows(table)) == [("a", 1), ("b", 2), ("c", 3)]
    assert [pairs(rows) for _, rows in sb.ledger.inserts(table)] == [[("d", 4)]]


# versions


def versions(call, table, version=None):
    reply = call("GET", f"/data/{table}/versions", version=version).json()
    return [(entry["version"], entry["row_count"]) for entry in (reply["result"] if version else reply)["versions"]]


@pytest.mark.parametrize("version", [None, "2025.3"])
@pytest.mark.parametrize("page_size", [1, 1000])
def test_every_version_keeps_its_columns_and_rows(serve, version, page_size):
    sb, call = serve(page_size=page_size)
    sb.put_source("f.csv", FIRST)
    table = sb.feed("T", "f.csv", key=["k"])
    history = []

    def unwrap(reply):
        return reply.json()["result"] if version else reply.json()

    def read(path):
        data = []
        for page in itertools.count(1):
            part = unwrap(call("GET", path, params={"page": page}, version=version))
            data += part["data"]
            if not part["data"]:
                break
        return part["columns"], data

    for text, method in (
        (FIRST, None),
        (SECOND, "updateappend"),
        ("k,n,more\na,1,x\nb,2,y\n", "recreate"),
        (None, None),
        ("k,n,more\na,1,X\n", "update"),
        ("day,k\n2020-01-01,a\n", "recreate"),
        ("day,k\n2020-01-02,a\n", "recreate"),
        ("k\n", "recreate"),
        ("k\nq\n", "append"),
        ("n,k\n1,z\n", "recreate"),
    ):
        if text is None:
            call.insert(table, [{"k": "api", "more": "z"}])
        elif method is not None:
            sb.put_source("f.csv", text)
            refresh(call, table, method).raise_for_status()
        history.append(read(f"/data/{table}"))
    kinds = [[(column["name"], column["data_type"]) for column in columns] for columns, _ in history]
    assert kinds[0] == kinds[1] == [("k", "text"), ("n", "number")]
    assert kinds[5] == kinds[6] == [("day", "date"), ("k", "text")]
    assert [len(rows) for _, rows in history] == [3, 4, 2, 3, 3, 1, 1, 0, 1, 1]
    assert versions(call, table, version) == [(number, len(rows)) for number, (_, rows) in enumerate(history, 1)]
    for number, (columns, rows) in enumerate(history, 1):
        assert read(f"/data/{table}/v/{number}") == (columns, rows), number
        assert sb.ledger.rows(table, number) == rows
    assert [rows for _, rows in sb.ledger.inserts(table)] == [[{"k": "api", "n": None, "more": "z"}]]
    for number in (0, 11):
        assert call("GET", f"/data/{table}/v/{number}", version=version).status_code == 404


@pytest.mark.parametrize("version", [None, "2025.3"])
def test_without_history_there_are_no_versions(sb, call, fed, version):
    table = fed(key=["k"], history=False)
    api = call.make("API")
    for text, method in (
        (SECOND, "updateappend"),
        (SECOND, "reload"),
        ("k,x\na,1\n", "recreate"),
        ("k\nb\n", "recreate"),
    ):
        call.insert(table, [{"k": method}])
        sb.put_source("f.csv", text)
        refresh(call, table, method).raise_for_status()
        assert versions(call, table, version) == []
        for number in range(8):
            assert call("GET", f"/data/{table}/v/{number}", version=version).status_code == 404
    assert sb.ledger.rows(table) == [{"k": "b"}]
    # The ledger still has the rows that were sent.
    sent = [rows[0]["k"] for _, rows in sb.ledger.inserts(table)]
    assert sent == ["updateappend", "reload", "recreate", "recreate"]
    assert versions(call, api, version) == [(1, 0)]


@pytest.mark.parametrize(("history", "kept"), [(True, 4), (False, 1)])
def test_without_history_only_sent_rows_are_kept(serve, tmp_path, history, kept):
    sb, call = serve(data=tmp_path)
    sb.put_source("f.csv", FIRST)
    table = sb.feed("T", "f.csv", history=history)
    call.insert(table, [{"k": "sent"}])
    refresh(call, table, "reload").raise_for_status()
    sb.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "sandbox.sqlite")) as db:
        assert db.execute(f"SELECT count(*) FROM past_{table}").fetchone() == (kept,)


def test_a_refresh_that_changes_nothing_creates_no_version(sb, call, fed):
    table = fed(key=["k"])
    for text, method in (("k,n\n", "append"), ("k,n\nz,1\n", "update"), ("k,n\n", "updateappend")):
        sb.put_source("f.csv", text)
        refresh(call, table, method).raise_for_status()
    assert versions(call, table) == [(1, 3)]
    for expected in (2, 2):
        sb.put_source("f.csv", "k,n\n")
        refresh(call, table, "reload").raise_for_status()
        assert len(versions(call, table)) == expected


def test_an_insert_during_recreates_fits_or_is_refused(serve):
    """An insert during recreates is committed as a whole into its columns, or refused."""
    sb, call = serve()
    texts = ["a,b\n1,x\n", "b,a\ny,2\n"]
    sb.put_source("f.csv", texts[0])
    table = sb.feed("T", "f.csv")
    stop = threading.Event()
    statuses = set()

    def insert():
        with requests.Session() as http:
            http.trust_env = False
            http.headers["CLICDATA-API-KEY"] = sb.api_key
            while not stop.is_set():
                body = {"data": [{"a": 5, "b": "z"}] * 20}
                reply = http.post(f"{sb.url}/data/{table}/insert?api_version=2025.3", json=body, timeout=10)
                statuses.add(reply.status_code)

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        for number in range(20):
            sb.put_source("f.csv", texts[number % 2])
            refresh(call, table, "recreate").raise_for_status()
    finally:
        stop.set()
        thread.join()
    assert statuses <= {200, 409}
    assert all(row == {"a": 5, "b": "z"} for _, rows in sb.ledger.inserts(table) for row in rows)


# the list


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({}, ["Api", "Keyed", "Plain"]),
        ({"uniquekeyavailable": "true"}, ["Keyed"]),
        ({"uniquekeyavailable": "False"}, ["Api", "Plain"]),
        ({"refresh": "true"}, ["Keyed", "Plain"]),
        ({"refresh": "false"}, ["Api"]),
        ({"refresh": "true", "uniquekeyavailable": "false"}, ["Plain"]),
        ({"refresh": "false", "uniquekeyavailable": "true"}, []),
        ({"refresh": "true", "name": "plain"}, ["Plain"]),
    ],
    ids=str,
)
def test_the_list_can_be_filtered_by_key_and_source(sb, call, params, names):
    call.make("Api")
    sb.put_source("f.csv", FIRST)
    sb.feed("Keyed", "f.csv", key=["k"])
    sb.feed("Plain", "f.csv")
    for version in (None, "2022.01"):
        reply = call("GET", "/data", params=params, version=version).json()
        listed = (reply["result"] if version else reply)["data"]
        assert [entry["name"] for entry in listed] == names
        assert all(entry["source"] == ("api" if entry["name"] == "Api" else "file") for entry in listed)
    reply = call("GET", "/table", params=params, version="2025.3").json()
    assert [entry["name"] for entry in reply["result"]] == ["Api", "Keyed", "Plain"]


@pytest.mark.parametrize("name", ["uniquekeyavailable", "refresh"])
def test_a_filter_that_is_not_true_or_false_is_a_400(call, name):
    assert call("GET", "/data", params={name: "yes"}).status_code == 400


def test_a_new_table_has_its_creation_date_as_last_update(sb, call, fed):
    table = fed()
    entry = call("GET", "/data", params={"name": "t"}).json()["data"][0]
    assert entry["creation_date"] == entry["last_data_update_date"]
    assert entry["rec_id"] == table


# the property

KEYS = st.sampled_from(["a", "b", "c", "d", "1", "01", "1.0", "", "é"])
VALUES = st.text(string.ascii_letters + string.digits + ' ,"\n.-', max_size=4)
FILES = st.dictionaries(st.tuples(KEYS, st.integers(0, 2)), VALUES, max_size=6)


def written(file):
    quoted = ",".join
    lines = [quoted([f'"{key}"', f"{n}", '"' + value.replace('"', '""') + '"']) for (key, n), value in file.items()]
    return "k,n,v\n" + "".join(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def one(new_sandbox):
    with new_sandbox() as sandbox, requests.Session() as http:
        http.trust_env = False
        http.headers["CLICDATA-API-KEY"] = sandbox.api_key
        yield sandbox, http, itertools.count()


@given(first=FILES, later=st.lists(FILES, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_updateappend_is_a_merge_of_dicts(one, first, later):
    sandbox, http, numbers = one
    # The first row fixes the types of the columns.
    first = {("seed", 9): "text", **first}
    sandbox.put_source("m.csv", written(first))
    table = sandbox.feed(f"T{next(numbers)}", "m.csv", key=["k", "n"])
    merged = dict(first)
    for file in later:
        sandbox.put_source("m.csv", written(file))
        http.post(f"{sandbox.url}/data/{table}/updateappend", timeout=10).raise_for_status()
        merged |= file
    # A dict keeps the place of an existing key, as the table does.
    assert {(row["k"], row["n"]): row["v"] for row in sandbox.ledger.rows(table)} == merged
    assert list(merged.items()) == [((row["k"], row["n"]), row["v"]) for row in sandbox.ledger.rows(table)]
    sandbox.put_source("m.csv", written(first))
    http.post(f"{sandbox.url}/data/{table}/reload", timeout=10).raise_for_status()
    assert [((row["k"], row["n"]), row["v"]) for row in sandbox.ledger.rows(table)] == list(first.items())
