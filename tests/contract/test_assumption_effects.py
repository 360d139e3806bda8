"""What the client does if an assumption about the service holds, and if it does not; and the table that states it."""

import ast
import functools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from contract.assumption_effects import EFFECTS

import pandas_clicdata as cd
from pandas_clicdata.diagnosis import QUESTIONS
from pandas_clicdata.sandbox import ASSUMED, Assumptions
from pandas_clicdata.sandbox.assumptions import CHOICES

TESTS = Path(__file__).parent.parent
DIALECTS = ("2025.3", "unversioned")
every_dialect = pytest.mark.parametrize("api_version", DIALECTS)
FRAME = pd.DataFrame({"k": ["a", "b", "c"], "n": [1, 2, None], "ok": pd.array([True, None, False], dtype="boolean")})
ROWS = [{"k": "a", "n": 1, "ok": True}, {"k": "b", "n": 2, "ok": None}, {"k": "c", "n": None, "ok": False}]


def every_choice(switch):
    return pytest.mark.parametrize("choice", CHOICES[switch])


@pytest.fixture
def account(serve):
    """Return a function that starts a sandbox with these assumptions, and returns it and a session."""

    def start(api_version="2025.3", **assume):
        return serve(api_version, assume=Assumptions(**assume))

    return start


def by_key(sandbox, name="T"):
    return sorted(sandbox.ledger.rows(name), key=lambda row: row["k"])


# the table


@functools.cache
def names_in(file):
    """Return the names of the tests of a file, without running it."""
    module = ast.parse((TESTS / f"{file}.py").read_text("utf-8"))
    return {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


def test_the_table_has_every_assumption_and_no_other():
    names = [each.name for each in ASSUMED]
    assert sorted(EFFECTS) == sorted(set(names)) == sorted(names)


def test_every_switch_has_an_assumption_of_its_name():
    named = {each.name: each.switch for each in ASSUMED}
    assert {switch: named.get(switch) for switch in CHOICES} == {switch: switch for switch in CHOICES}


def test_every_cell_is_filled():
    asked = {question.name for question in QUESTIONS}
    for each in ASSUMED:
        effect = EFFECTS[each.name]
        questions = effect.questions(each)
        assert effect.client.endswith("."), each.name
        assert effect.tests, each.name
        assert each.switch is None or each.switch in asked, f"the doctor does not ask about {each.switch}"
        assert set(questions) <= asked, each.name
        assert questions or effect.why_not_examined.endswith("."), each.name


def test_every_test_in_the_table_exists():
    for effect in EFFECTS.values():
        for test in effect.tests:
            file, _, name = test.partition("::")
            assert name in names_in(file), f"there is no test {test}"


def test_every_question_of_the_doctor_belongs_to_an_assumption():
    examined = {name for each in ASSUMED for name in EFFECTS[each.name].questions(each)}
    assert examined == {question.name for question in QUESTIONS}


# values


@pytest.mark.sampled(1)
@every_dialect
@every_choice("value_conversion")
def test_values_are_stored_in_the_type_of_their_column(account, api_version, choice):
    sandbox, session = account(api_version, value_conversion=choice)
    FRAME.clicdata.push("T", session=session)
    assert by_key(sandbox) == ROWS
    with pytest.raises(cd.ColumnMismatchError):
        FRAME.assign(n=["x", "y", "z"]).clicdata.append("T", session=session)
    assert by_key(sandbox) == ROWS


def with_offset(hour):
    """Return a function that gives datetimes of 10 o'clock an offset of two hours and this hour."""
    return lambda value: value.replace(" 10:", f"T{hour}:") + "+02:00" if " 10:" in str(value) else value


# How a service could return values, and whether they are then other values.
CHANGES = {
    "rounded numbers": (lambda value: float(value) if isinstance(value, Decimal) else value, True),
    "cut spaces": (lambda value: value.strip() if isinstance(value, str) else value, True),
    "null for empty text": (lambda value: None if value == "" else value, True),
    "numbers for checkboxes": (lambda value: int(value) if isinstance(value, bool) else value, True),
    "local time": (with_offset(10), True),
    "another form of datetimes": (with_offset(12), False),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_value_that_the_service_changes_is_found_by_verify(http_service, case):
    change, differs = CHANGES[case]
    rows, types = [], {}

    def answer(request):
        body = json.loads(request.body, parse_float=Decimal) if request.body else {}
        result: Any = []
        if request.path.endswith("/insert"):
            rows.extend(body["data"])
            result = {"rows_inserted": len(body["data"]), "rows_found": len(body["data"])}
        elif request.method == "POST":
            types.update({column["name"]: column["data_type"] for column in body["columns"]})
            result = 7
        elif request.path == "/data/7":
            page = [{name: change(value) for name, value in row.items()} for row in rows]
            columns = [{"name": name, "data_type": data_type} for name, data_type in types.items()]
            result = {"data": page, "columns": columns}
        reply = {"success": True, "result": result, "pagination": {"last_page": True}}
        return 200, {}, json.dumps(reply, default=float).encode()

    frame = pd.DataFrame(
        {
            "long": [Decimal("0.12345678901234567890")],
            "text": [" a "],
            "empty": [""],
            "ok": [True],
            "at": pd.to_datetime(["2024-07-01 12:00:00.5"]).tz_localize("Europe/Paris"),
        }
    )
    if case != "rounded numbers":
        frame = frame.drop(columns="long")
    with http_service(answer) as url, cd.Session(api_key="k", base_url=url, api_version="2025.3") as session:
        if differs:
            with pytest.raises(cd.VerificationError):
                frame.clicdata.push("T", verify=True, session=session)
        else:
            assert frame.clicdata.push("T", verify=True, session=session).status == "verified"


# tables


@every_dialect
@every_choice("name_case")
def test_a_name_in_another_case_is_another_table_or_is_taken(account, api_version, choice):
    sandbox, session = account(api_version, name_case=choice)
    FRAME.clicdata.push("Flights", session=session)
    other = FRAME.head(1)
    if choice == "sensitive":
        other.clicdata.push("FLIGHTS", session=session)
        assert len(cd.read_clicdata("FLIGHTS", session=session)) == 1
    else:
        with pytest.raises(cd.TableExistsError):
            other.clicdata.push("FLIGHTS", session=session)
    assert len(cd.read_clicdata("Flights", session=session)) == 3
    assert sandbox.ledger.count("Flights") == 3


@every_choice("row_id_in_create")
def test_a_row_id_column_is_never_created(account, choice):
    sandbox, session = account(row_id_in_create=choice)
    with pytest.raises(ValueError, match="'id'"):
        FRAME.clicdata.push("T", column_types={"k": "id"}, session=session)
    assert not sandbox.ledger.tables()
    FRAME.assign(id=[7, 8, 9]).clicdata.push("T", session=session)
    assert cd.read_clicdata("T", session=session)["id"].tolist() == [7, 8, 9]


@pytest.mark.sampled(1)
@every_dialect
@every_choice("created_as")
def test_the_id_of_something_new_is_read_in_either_form(account, api_version, choice):
    _, session = account(api_version, created_as=choice)
    receipt = FRAME.clicdata.push("T", session=session)
    assert len(cd.read_clicdata(receipt.rec_id, session=session)) == 3
    team = cd.Team(session).create_team("Pilots")
    assert cd.Team(session).get_team(team, "dict")["name"] == "Pilots"
    user = cd.User(session).create_user("ada@b.example", "Ada")
    assert cd.User(session).get_user(user, "dict")["first_name"] == "Ada"


# lists


@pytest.mark.parametrize("filtered", ["exactly", "not at all", "by another rule"])
def test_a_table_is_found_whatever_the_filter_of_the_list_does(http_service, filtered):
    listed = [{"rec_id": 1, "name": "t"}, {"rec_id": 2, "name": "T"}]

    def answer(request):
        if request.path == "/data/2":
            return 200, {}, b'{"data": [{"n": 7}], "has_more_data": false}'
        matching = {"exactly": listed[1:], "not at all": listed, "by another rule": []}[filtered]
        found = matching if "name" in request.query else listed
        return 200, {}, json.dumps({"count": len(found), "data": found}).encode()

    with http_service(answer) as url, cd.Session(api_key="k", base_url=url, api_version="unversioned") as session:
        assert cd.read_clicdata("T", session=session)["n"].tolist() == [7]


def test_the_first_of_two_tables_of_one_name_is_used(http_service):
    def answer(request):
        if request.path == "/data":
            return 200, {}, b'{"count": 2, "data": [{"rec_id": 1, "name": "T"}, {"rec_id": 2, "name": "T"}]}'
        return 200, {}, b'{"data": [{"id": %s}], "has_more_data": false}' % request.path.rpartition("/")[2].encode()

    with http_service(answer) as url, cd.Session(api_key="k", base_url=url, api_version="unversioned") as session:
        assert cd.read_clicdata("T", session=session)["id"].tolist() == [1]
        assert cd.read_clicdata(2, session=session)["id"].tolist() == [2]


# reading


@pytest.mark.sampled(1)
@every_dialect
@every_choice("row_order")
def test_rows_in_any_order_are_read_once_and_updated_by_key(serve, api_version, choice):
    sandbox, session = serve(api_version, page_size=2, assume=Assumptions(row_order=choice))
    FRAME.clicdata.push("T", verify=True, session=session)
    expected = ["a", "b", "c"] if choice == "insertion" else ["c", "b", "a"]
    assert cd.read_clicdata("T", session=session)["k"].tolist() == expected
    FRAME.assign(n=[7, 8, 9]).clicdata.upsert("T", on="k", session=session)
    assert [row["n"] for row in by_key(sandbox)] == [7, 8, 9]


@pytest.mark.sampled(1)
@every_dialect
@every_choice("versions_kept")
def test_a_version_is_read_or_is_an_error(account, api_version, choice):
    _, session = account(api_version, versions_kept=choice)
    FRAME.head(1).clicdata.push("T", session=session)
    for row in (1, 2):
        FRAME.iloc[[row]].clicdata.append("T", session=session)
    listed = cd.versions("T", session=session)
    assert len(listed) == {"all": 4, "capped": 3, "cleared": 0}[choice]
    for number, rows in ((1, 0), (4, 3)):
        if number in listed.get("version", pd.Series()).tolist():
            assert len(cd.read_clicdata("T", version=number, session=session)) == rows
        else:
            with pytest.raises(cd.TableNotFoundError, match=f"no version {number} of table"):
                cd.read_clicdata("T", version=number, session=session)


# refreshes and schedules


@pytest.mark.sampled(1)
@every_dialect
@every_choice("refresh_without_source")
def test_a_refresh_without_source_changes_nothing_or_is_an_error(account, api_version, choice):
    sandbox, session = account(api_version, refresh_without_source=choice)
    FRAME.clicdata.push("T", session=session)
    if choice == "refused":
        with pytest.raises(cd.ApiError, match="ClicData refused POST"):
            cd.Data(session).rebuild_data("T")
    else:
        cd.Data(session).rebuild_data("T")
    assert by_key(sandbox) == ROWS


@every_choice("refresh_result")
def test_the_result_of_a_refresh_is_returned_as_it_is(account, choice):
    sandbox, session = account(refresh_result=choice)
    sandbox.put_source("fed.csv", "n\n1\n")
    sandbox.feed("Fed", "fed.csv")
    sandbox.put_source("fed.csv", "n\n1\n2\n")
    assert cd.Data(session).rebuild_data("Fed") == ({"success": True} if choice == "success" else {})
    assert sandbox.ledger.count("Fed") == 2


@every_dialect
def test_a_refused_refresh_is_an_error(account, api_version):
    sandbox, session = account(api_version)
    sandbox.put_source("fed.csv", "n\n1\n")
    sandbox.feed("Fed", "fed.csv")
    sandbox.put_source("fed.csv", "m\n1\n")
    for method in ("updateappend", "reload"):
        with pytest.raises(cd.ApiError, match="ClicData refused POST"):
            cd.Data(session).rebuild_data("Fed", method)


@pytest.mark.sampled(1)
@every_dialect
@every_choice("single_schedule")
def test_a_single_schedule_is_read_in_either_form(account, api_version, choice):
    sandbox, session = account(api_version, single_schedule=choice)
    sandbox.put_source("fed.csv", "n\n1\n")
    sandbox.feed("Fed", "fed.csv")
    rec_id = sandbox.schedule("Nightly", tables=["Fed"], method="append")
    assert cd.Schedule(session).get_schedule(rec_id, "dict")["name"] == "Nightly"
    assert cd.Schedule(session).trigger_schedule("Nightly", wait=True, poll=0).status == "succeeded"
    assert sandbox.ledger.count("Fed") == 2


# appends


@every_dialect
@every_choice("refused_rows")
def test_a_row_that_is_refused_is_not_reported_as_stored(account, api_version, choice):
    """Without column types, the client cannot know that the service refuses a value."""
    sandbox, session = account(api_version, refused_rows=choice, column_metadata=False)
    days = pd.DataFrame({"k": ["a"], "day": pd.to_datetime(["2024-01-01"]).date})
    days.clicdata.push("T", session=session)
    bad = pd.DataFrame({"k": ["b", "c"], "day": ["2024-01-02", "no day"]})
    if choice == "request":
        with pytest.raises(cd.IncompleteWriteError) as caught:
            bad.clicdata.append("T", session=session)
        assert caught.value.unsent == [(0, 2)]
    elif api_version == "2025.3":
        with pytest.raises(cd.PartialWriteError) as partial:
            bad.clicdata.append("T", session=session)
        assert partial.value.confirmed == []
    else:
        assert bad.clicdata.append("T", session=session).status == "unverified"
        with pytest.raises(cd.VerificationError):
            bad.clicdata.append("T", resume=False, verify=True, session=session)
    assert "c" not in [row["k"] for row in sandbox.ledger.rows("T")]


@every_dialect
@every_choice("duplicate_rows")
def test_a_row_that_is_dropped_is_not_reported_as_stored(account, api_version, choice):
    sandbox, session = account(api_version, duplicate_rows=choice)
    twice = pd.concat([FRAME, FRAME], ignore_index=True)
    if choice == "kept":
        assert twice.clicdata.push("T", verify=True, session=session).status == "verified"
    else:
        expected = cd.PartialWriteError if api_version == "2025.3" else cd.VerificationError
        with pytest.raises(expected):
            twice.clicdata.push("T", verify=True, session=session)
    assert sandbox.ledger.count("T") == (6 if choice == "kept" else 3)


# conditions


@pytest.mark.sampled(1)
@every_dialect
@every_choice("find_nulls")
def test_no_condition_has_a_null(account, tmp_path, api_version, choice):
    sandbox, session = account(api_version, find_nulls=choice)
    FRAME.clicdata.push("T", session=session)
    FRAME.head(1).clicdata.push("T", if_exists="replace", backup=tmp_path, session=session)
    assert by_key(sandbox) == ROWS[:1]
    with pytest.raises(cd.FrameError):
        pd.DataFrame({"k": ["a"], "n": [None]}).clicdata.delete_rows("T", on=["k", "n"], session=session)
    with pytest.raises(cd.FrameError):
        cd.Data(session).delete_data("T", {"n": None})
    assert by_key(sandbox) == ROWS[:1]


# versions of the API, and paths


@pytest.mark.sampled(1)
@pytest.mark.parametrize("headers", CHOICES["version_headers"])
@every_choice("newest_version")
def test_rows_are_written_and_read_in_each_newest_version(account, choice, headers):
    sandbox, session = account("auto", newest_version=choice, version_headers=headers, trailing_slashes=False)
    FRAME.clicdata.push("T", session=session)
    FRAME.head(2).assign(n=[7, 8]).clicdata.update_rows("T", on="k", session=session)
    assert cd.read_clicdata("T", session=session)["n"].tolist()[:2] == [7, 8]
    assert session._client.dialect.name == f"versioned, {min(choice, '2025.3')}"
    assert not [each.path for each in sandbox.requests if each.path.endswith("/")]


# scopes


@every_dialect
def test_a_missing_scope_is_an_error(serve, api_version):
    _, session = serve(api_version, scopes=["data_read", "table_read"])
    for request in (
        cd.User(session).get_user,
        cd.Team(session).get_team,
        cd.Dashboard(session).get_dashboard,
        cd.Schedule(session).get_schedule,
    ):
        with pytest.raises(cd.PermissionDeniedError):
            request()


# the account, and people


@pytest.mark.sampled(1)
@every_dialect
@every_choice("account_usage")
@pytest.mark.parametrize("domain", CHOICES["account_domain"])
def test_the_account_is_read_in_every_form(account, api_version, choice, domain):
    _, session = account(api_version, account_usage=choice, account_domain=domain)
    found = cd.Account(session).get_account("dict")
    assert found["domain"] == {"subdomain": "sandbox", "host": "sandbox.example"}[domain]
    assert ("usage" in found) == (choice == "nested" and api_version == "unversioned")
    assert len(cd.Account(session).get_account()) == 1
    assert session.whoami().id is not None


@pytest.mark.sampled(1)
@every_dialect
@every_choice("users")
def test_a_user_with_and_without_a_licence(account, api_version, choice):
    _, session = account(api_version, users=choice)
    users = cd.User(session)
    user = users.create_user("ada@b.example", "Ada", **({"licence": "viewer"} if choice == "licensed" else {}))
    assert users.get_user(user, "dict").get("licence") == ("viewer" if choice == "licensed" else None)
    if choice == "licensed":
        with pytest.raises(cd.ApiError):
            users.create_user("bob@b.example")
        users.update_user(user, licence="editor")
        assert users.get_user(user, "dict")["licence"] == "editor"
    else:
        users.create_user("bob@b.example")
        with pytest.raises(cd.ApiError):
            users.update_user(user, licence="editor")


def test_a_user_and_a_team_are_deleted_without_a_body(http_service):
    sent = []

    def answer(request):
        sent.append((request.method, request.path, request.body))
        return 200, {}, b'{"success": true}'

    with http_service(answer) as url, cd.Session(api_key="k", base_url=url, api_version="unversioned") as session:
        cd.User(session).delete_user(7)
        cd.Team(session).delete_team(8)
    assert sent == [("DELETE", "/user/7", b""), ("DELETE", "/team/8", b"")]
