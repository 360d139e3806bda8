"""Accounts, dashboards, teams and users: each method in each dialect, with the change that another method shows."""

import base64
import io
import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata import Session


@pytest.fixture
def email(name):
    return f"{name.split()[1]}@acme.example"


@pytest.fixture
def table(session, name):
    """Create a table with rows for a dashboard."""
    frame = pd.DataFrame({"plane": ["A320", "B738", "A320"], "seats": [180, 189, 174]})
    return frame.clicdata.push(name, session=session).rec_id


# the account


@pytest.mark.operation("GET /account")
def test_get_account(session):
    account = cd.Account(session)
    frame, record = account.get_account("df"), account.get_account("dict")
    assert frame.iloc[0].to_dict().items() >= {"name": record["name"], "domain": record["domain"]}.items()
    assert next(iter(frame)) == "rec_id"
    assert session.whoami().name == record["name"]


@pytest.mark.operation("GET /profile/user", "PUT /user/{id}")
def test_the_profile_is_that_of_the_signed_in_user(session, name):
    account, user = cd.Account(session), cd.User(session)
    record = account.get_profile("dict")
    rec_id = record["rec_id"] if "rec_id" in record else record["id"]
    user.update_user(rec_id, last_name=name)
    frame = account.get_profile()
    assert frame["last_name"].item() == name
    assert frame["last_login_date"].dtype == "datetime64[us, UTC]"
    user.update_user(record["email_address"], last_name=record["last_name"])
    assert account.get_profile("dict")["last_name"] == record["last_name"]


@pytest.mark.operation("GET /account/activity/users", "GET /account/activity/dashboards")
def test_activity_grows_with_use(session, one_sandbox, table, name):
    one_sandbox.dashboard(name, table=table)
    account, dashboard = cd.Account(session), cd.Dashboard(session)

    def views():
        frame = account.get_account_activity("dashboards")
        return frame.loc[frame["name"] == name, "view_count"].item()

    before = views()
    dashboard.get_dashboard_thumbnail(name=name)
    assert views() == before + 1
    frame, records = account.get_account_activity(output="df"), account.get_account_activity(output="dict")
    assert frame["email_address"].tolist() == [record["email_address"] for record in records]
    assert one_sandbox.username in set(frame["email_address"])
    assert frame["last_login_date"].dtype == "datetime64[us, UTC]"
    assert frame["login_count"].max() >= 1


# dashboards


@pytest.mark.operation("GET /dashboard")
def test_dashboards_are_listed_and_filtered(session, one_sandbox, table, name):
    rec_id = one_sandbox.dashboard(name, table=table, description="seats")
    dashboard = cd.Dashboard(session)
    frame = dashboard.get_dashboard()
    assert list(frame)[:2] == ["rec_id", "name"]
    assert frame.set_index("name")["rec_id"][name] == rec_id
    pd.testing.assert_frame_equal(cd.dashboards(session=session), frame)
    assert dashboard.get_dashboard(name)["rec_id"].tolist() == [rec_id]
    assert dashboard.get_dashboard(False, name)["rec_id"].tolist() == [rec_id]
    assert dashboard.get_dashboard(name=name.upper())["rec_id"].tolist() == [rec_id]
    (record,) = dashboard.get_dashboard(True, name, output="dict")
    assert cd.Picture.from_base64(record["thumbnail"]) == dashboard.get_dashboard_thumbnail(rec_id, output="image")
    assert "thumbnail" not in dashboard.get_dashboard(name=name, output="dict")[0]


@pytest.mark.parametrize("matching", [[], [{"id": 1, "name": "Delays of 2025"}]], ids=len)
def test_a_dashboard_is_found_with_any_name_filter_of_the_service(http_service, matching):
    every = [{"id": 1, "name": "Delays of 2025"}, {"id": 2, "name": "Delays"}]

    def answer(request):
        return 200, {}, json.dumps({"dashboards": matching if "name" in request.query else every}).encode()

    with http_service(answer) as url, session_at(url) as session:
        assert cd.Dashboard(session).get_dashboard("Delays")["rec_id"].tolist() == [2]


@pytest.mark.operation("GET /dashboard/{id}/thumbnail", "GET /dashboard/{id}/snapshot")
def test_pictures_of_a_dashboard(session, one_sandbox, table, name, tmp_path):
    from PIL import Image

    rec_id = one_sandbox.dashboard(name, table=table)
    dashboard = cd.Dashboard(session)
    small = dashboard.get_dashboard_thumbnail(rec_id, output="image")
    large = dashboard.get_dashboard_snapshot(name, output="image")
    assert small.size is not None
    assert large.size is not None
    assert small.size < large.size
    assert dashboard.get_dashboard_thumbnail(name=name) == small.to_base64()
    assert base64.b64decode(dashboard.get_dashboard_snapshot(rec_id)) == bytes(large) == large._repr_png_()
    assert large._repr_jpeg_() is None
    path = large.save(tmp_path / "seats")
    assert path.name == "seats.png"
    with Image.open(path) as image:
        assert image.size == large.size
    pd.DataFrame({"plane": ["A388"], "seats": [853]}).clicdata.append(table, session=session)
    assert dashboard.get_dashboard_snapshot(rec_id, output="image") != large


def jpeg():
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("form", ["text", "JSON text", "data address", "object", "named object", "bytes", "wrapped"])
def test_a_picture_is_read_in_every_form(http_service, form):
    content = jpeg()
    text = base64.b64encode(content).decode()
    body = {
        "text": text.encode(),
        "JSON text": json.dumps(text).encode(),
        "data address": f"data:image/jpeg;base64,{text}".encode(),
        "object": json.dumps({"snapshot": text, "id": 7}).encode(),
        "named object": json.dumps({"id": 7, "name": "Delays", "snapshot": text, "description": ""}).encode(),
        "bytes": content,
        "wrapped": json.dumps({"success": True, "result": text}).encode(),
    }[form]
    with http_service(lambda request: (200, {}, body)) as url, session_at(url) as session:
        picture = cd.Dashboard(session).get_dashboard_snapshot(7, output="image")
    assert (bytes(picture), picture.format, picture.size) == (content, "jpeg", None)
    assert picture._repr_jpeg_() == content
    assert picture._repr_png_() is None


@pytest.mark.parametrize("body", [b"{}", b"", b"null", b'"hello"', b"<html>", b'{"a": "aGVsbG8="}'])
def test_a_reply_that_is_not_a_picture_raises(http_service, body):
    with (
        http_service(lambda request: (200, {}, body)) as url,
        session_at(url) as session,
        pytest.raises(cd.UnexpectedReplyError, match=r"GET /dashboard/7/thumbnail.*it is not a picture"),
    ):
        cd.Dashboard(session).get_dashboard_thumbnail(7)


@pytest.mark.parametrize("text", [None, float("nan"), b"aGVsbG8="])
def test_a_picture_can_only_be_read_from_text(text):
    with pytest.raises(TypeError, match=r"base64 text .* must be a str"):
        cd.Picture.from_base64(text)


def session_at(url, api_version="unversioned", **options):
    return Session(api_key="hush", base_url=url, api_version=api_version, **options)


# teams and users


@pytest.mark.operation("GET /team", "POST /team", "PUT /team/{id}", "DELETE /team/{id}")
def test_a_team_is_created_changed_and_deleted(session, name):
    team = cd.Team(session)
    rec_id = team.create_team(name, description="those who fly")
    assert team.get_team(name)["description"].item() == "those who fly"
    assert team.get_team(rec_id, "dict")["name"] == name
    team.update_team(rec_id, description="those who do not")
    assert team.get_team(rec_id, "dict")["name"] == name
    assert team.get_team(rec_id, "dict")["description"] == "those who do not"
    team.update_team(name, name=f"{name} 2")
    assert f"{name} 2" in set(team.get_team()["name"])
    team.delete_team(f"{name} 2")
    assert rec_id not in set(team.get_team()["rec_id"])
    with pytest.raises(cd.RecordLookupError, match=f"no team with RecId {rec_id}"):
        team.get_team(rec_id)


@pytest.mark.operation(
    "POST /team/{id}/user", "DELETE /team/{id}/user", "POST /team/{id}/parameter", "DELETE /team/{id}/parameter"
)
def test_members_and_parameters_of_a_team(session, name, email):
    team, user = cd.Team(session), cd.User(session)
    rec_id, who = team.create_team(name), user.create_user(email, "Amelia", "E.", password="a password")
    team.add_user(name, email)
    assert team.get_team(rec_id, "dict")["users"] == [who]
    assert user.get_user(who, "dict")["teams"] == [rec_id]
    team.remove_user(rec_id, who)
    assert team.get_team(rec_id, "dict")["users"] == []
    team.set_parameter(rec_id, "base", "JFK")
    team.set_parameter(name, "base", "EWR")
    team.set_parameter(rec_id, "region", "east")
    team.remove_parameter(rec_id, "region")
    assert team.get_team(rec_id, "dict")["parameters"] == [{"name": "base", "value": "EWR"}]


@pytest.mark.operation("GET /user", "POST /user", "GET /user/{id}", "PUT /user/{id}", "DELETE /user/{id}")
def test_a_user_is_created_changed_and_deleted(session, email):
    user = cd.User(session)
    rec_id = user.create_user(email, "Amelia", last_name="E.", password="a password")
    assert user.get_user(email)[["first_name", "last_name"]].iloc[0].tolist() == ["Amelia", "E."]
    user.update_user(rec_id, first_name="Bessie")
    assert user.get_user(rec_id, "dict")["first_name"] == "Bessie"
    assert user.get_user(rec_id, "dict")["last_name"] == "E."
    frame, records = user.get_user(), user.get_user(output="dict")
    assert list(frame)[:2] == ["rec_id", "email_address"]
    assert frame["email_address"].tolist() == [record["email_address"] for record in records]
    assert rec_id in set(frame["rec_id"])
    user.delete_user(email)
    assert rec_id not in set(user.get_user()["rec_id"])
    with pytest.raises(cd.NotFoundError):
        user.get_user(rec_id)


@pytest.mark.operation("PUT /user/{id}/password")
def test_a_new_password_signs_in_and_the_old_one_does_not(session, one_sandbox, email):
    user = cd.User(session)
    rec_id = user.create_user(email, "Amelia", "E.", password="the old one")

    def profile(password):
        with Session(
            client_id=one_sandbox.client_id, username=email, password=password, base_url=one_sandbox.url
        ) as session_of_user:
            return cd.Account(session_of_user).get_profile("dict")["email_address"]

    assert profile("the old one") == email
    user.set_password(rec_id, "the new one")
    assert profile("the new one") == email
    with pytest.raises(cd.AuthenticationError):
        profile("the old one")


def test_unknown_fields_are_sent_unchanged(http_service):
    bodies = {}

    def answer(request):
        bodies[f"{request.method} {request.path}"] = json.loads(request.body)
        return 200, {}, b"7"

    with http_service(answer) as url, session_at(url) as session:
        assert cd.Team(session).create_team("A", colour="red") == 7
        cd.Team(session).update_team(7, tags=["a", {"b": None}])
        cd.Team(session).add_user(7, 8, role="lead")
        cd.Team(session).set_parameter(7, "p", 1.5, locked=True)
        assert cd.User(session).create_user("a@b.example", phone=None) == 7
        cd.User(session).update_user(7, language="fr")
    assert bodies == {
        "POST /team": {"name": "A", "colour": "red"},
        "PUT /team/7": {"tags": ["a", {"b": None}]},
        "POST /team/7/user": {"user_id": 8, "role": "lead"},
        "POST /team/7/parameter": {"name": "p", "value": 1.5, "locked": True},
        "POST /user": {"email_address": "a@b.example", "phone": None},
        "PUT /user/7": {"language": "fr"},
    }


# bad input

AREAS = {"Account": cd.Account, "Dashboard": cd.Dashboard, "Schedule": cd.Schedule, "Team": cd.Team, "User": cd.User}
INVALID_IDS = [None, True, 1.5, 0, -1, "", "  ", "\ud800", [1]]
BY_ID_OR_NAME = [
    ("Team", "update_team", ("x",)), ("Team", "delete_team", ()), ("Team", "add_user", (1,)),
    ("Team", "remove_user", (1,)), ("Team", "set_parameter", ("p", 1)), ("Team", "remove_parameter", ("p",)),
    ("User", "update_user", ("a@b.example",)), ("User", "delete_user", ()), ("User", "set_password", ("hush",)),
    ("Schedule", "trigger_schedule", ()), ("Dashboard", "get_dashboard_thumbnail", ()),
    ("Dashboard", "get_dashboard_snapshot", ()),
]  # fmt: skip
BAD = [
    ("Account", "get_account", ("frame",), {}, "'df', 'dict'"),
    ("Account", "get_profile", (None,), {}, "'df', 'dict'"),
    ("Account", "get_account_activity", ("teams",), {}, "'users', 'dashboards'"),
    ("Account", "get_account_activity", (), {"output": "json"}, "'df', 'dict'"),
    ("Dashboard", "get_dashboard", (), {"output": "image"}, "'df', 'dict'"),
    ("Dashboard", "get_dashboard", ("Delays", "Seats"), {}, "thumbnail="),
    ("Dashboard", "get_dashboard", (True, True), {}, "name= must be the name"),
    ("Dashboard", "get_dashboard", (), {"name": 7}, "name= must be the name"),
    ("Dashboard", "get_dashboard", (), {"name": " "}, "blank"),
    ("Dashboard", "get_dashboard", (), {"thumbnail": "yes"}, "thumbnail="),
    ("Dashboard", "get_dashboard_thumbnail", (7,), {"output": "png"}, "'base64', 'image'"),
    ("Dashboard", "get_dashboard_snapshot", (7, "x"), {}, "'base64', 'image'"),
    ("Dashboard", "get_dashboard_snapshot", (7,), {"name": "x"}, "either rec_id= or name="),
    ("Dashboard", "get_dashboard_snapshot", (), {"name": 7}, "name= must be the name"),
    ("Schedule", "get_schedule", (), {"output": "list"}, "'df', 'dict'"),
    ("Schedule", "trigger_schedule", (7,), {"wait": 1}, "wait="),
    ("Schedule", "trigger_schedule", (7,), {"timeout": -1}, "timeout="),
    ("Schedule", "trigger_schedule", (7,), {"poll": float("nan")}, "poll="),
    ("Team", "get_team", (), {"output": "list"}, "'df', 'dict'"),
    ("Team", "create_team", ("",), {}, "name= must not be blank"),
    ("Team", "create_team", (7,), {}, "name= must be text"),
    ("Team", "create_team", ("x",), {"colour": object()}, "colour="),
    ("Team", "create_team", ("x",), {"ratio": [{"a": float("inf")}]}, "ratio"),
    ("Team", "create_team", ("x",), {"note": {"a": "\ud800"}}, "surrogate"),
    ("Team", "create_team", ("x",), {"note": {1: "a"}}, "A name in note="),
    ("Team", "update_team", (7,), {}, "nothing to change"),
    ("Team", "set_parameter", (7, "", 1), {}, "name= must not be blank"),
    ("Team", "remove_parameter", (7, None), {}, "name= must be text"),
    ("Team", "add_user", (7, None), {}, "A user is identified by"),
    ("User", "get_user", (), {"output": "list"}, "'df', 'dict'"),
    ("User", "create_user", (" ",), {}, "email_address= must not be blank"),
    ("User", "create_user", ("a@b.example",), {"password": 7}, "password= must be text"),
    ("User", "update_user", (7,), {}, "nothing to change"),
    ("User", "update_user", (7,), {"password": "hush"}, "set_password"),
    ("User", "set_password", (7, ""), {}, "password= must not be empty"),
    ("User", "set_password", (7, None), {}, "password= must be text"),
    ("User", "set_password", (7, "\ud800"), {}, "surrogate"),
    *(
        (area, method, (rec_id, *rest), {}, "RecId|blank|surrogate|rec_id")
        for area, method, rest in BY_ID_OR_NAME
        for rec_id in INVALID_IDS
    ),
]


@pytest.fixture(scope="module")
def offline():
    """Open a session whose address has no server, so that any request raises."""
    with session_at("http://127.0.0.1:1", retry=cd.RetryPolicy(attempts=1)) as session:
        yield session


@pytest.mark.parametrize(("area", "method", "arguments", "options", "message"), BAD)
def test_bad_input_is_refused_before_any_request(offline, area, method, arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        getattr(AREAS[area](offline), method)(*arguments, **options)
    assert "hush" not in str(caught.value)


LISTS = {
    "Dashboard": ("dashboards", "get_dashboard_thumbnail", "name"),
    "Schedule": ("schedules", "get_schedule", "name"),
    "Team": ("teams", "get_team", "name"),
    "User": ("users", "get_user", "email_address"),
}


@pytest.mark.parametrize("area", LISTS)
@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (
            ["Delays", "Delays", "Seats"],
            "Delays",
            r"2 .*s are named 'Delays': 'Delays' \(RecId 1\), 'Delays' \(RecId 2\)",
        ),
        (["delays", "DELAYS"], "Delays", "2 .*s are named 'Delays'"),
        (["Delays", "Seats"], "Delay", "no .* named 'Delay'. Did you mean 'Delays'"),
        (["Delays", "Seats"], "zzz", "no .* named 'zzz'. The names in this account: 'Delays', 'Seats'"),
        ([], "Delays", "This account has no .*s, or may not list them"),
        ([f"Dashboard of {n:02}" for n in range(30)], "zzz", "and 20 more"),
    ],
)
def test_a_name_that_matches_no_or_several_records_raises(http_service, area, names, wanted, message):
    key_of_list, method, key = LISTS[area]
    listed = [{"rec_id": number, key: name} for number, name in enumerate(names, 1)]
    body = json.dumps({key_of_list: listed}).encode()
    with (
        http_service(lambda request: (200, {}, body)) as url,
        session_at(url) as session,
        pytest.raises(LookupError, match=message) as caught,
    ):
        getattr(AREAS[area](session), method)(wanted)
    assert isinstance(caught.value, cd.RecordLookupError)


def test_an_exact_name_takes_precedence_over_names_that_differ_in_case(http_service):
    listed = [{"rec_id": 1, "name": "DELAYS"}, {"rec_id": 2, "name": "Delays"}, {"rec_id": 3, "name": "delays"}]
    body = json.dumps({"teams": listed}).encode()
    with http_service(lambda request: (200, {}, body)) as url, session_at(url) as session:
        assert cd.Team(session).get_team("Delays", "dict")["rec_id"] == 2


@pytest.mark.parametrize(("area", "method"), [("Team", "delete_team"), ("User", "delete_user")])
def test_a_record_whose_name_differs_in_case_is_not_deleted(http_service, area, method):
    key_of_list, _, key = LISTS[area]
    methods = []

    def answer(request):
        methods.append(request.method)
        return 200, {}, json.dumps({key_of_list: [{"rec_id": 1, key: "PILOTS"}, {"rec_id": 2, key: "Crew"}]}).encode()

    with http_service(answer) as url, session_at(url) as session:
        with pytest.raises(cd.RecordLookupError, match=r"named 'pilots'. Did you mean 'PILOTS'\?"):
            getattr(AREAS[area](session), method)("pilots")
        assert methods == ["GET"]
        getattr(AREAS[area](session), method)("PILOTS")
        assert methods[1:] == ["GET", "DELETE"]


# lists


def test_a_list_is_read_to_its_end(http_service):
    def answer(request):
        page = int(request.query.get("page", 1))
        teams = [{"id": n, "name": f"T{n}"} for n in range(page * 2 - 1, min(page * 2 + 1, 6))]
        pagination = {"result_total_count": 5, "has_more_results": page < 3}
        return 200, {}, json.dumps({"success": True, "result": teams, "pagination": pagination}).encode()

    with http_service(answer) as url, session_at(url, "2025.3") as session:
        assert cd.Team(session).get_team()["rec_id"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "pagination", [{"result_total_count": 3}, {"has_more_results": True}, {"last_page": False}], ids=str
)
def test_an_incomplete_list_raises(http_service, pagination):
    body = {"success": True, "result": [{"id": 1}, {"id": 2}], "pagination": pagination}
    with (
        http_service(lambda request: (200, {}, json.dumps(body).encode())) as url,
        session_at(url, "2025.3") as session,
        pytest.raises(cd.IncompleteReadError, match="2 teams were received, but"),
    ):
        cd.Team(session).get_team()


@pytest.mark.parametrize("stated", [{}, {"result_count": 2}, {"has_more_results": True}, {"result_total_count": 5}])
@pytest.mark.parametrize("keyed", [True, False])
def test_each_record_is_listed_once_with_every_form_of_paging(http_service, stated, keyed):
    records = [{"id": n} if keyed else {"who": "ada"} for n in range(5)]

    def answer(request):
        page = int(request.query.get("page", 1))
        shown = records[page * 2 - 2 : page * 2]
        pagination = {"current_page": page, "page_size": 2, **stated}
        if "has_more_results" in stated:
            pagination["has_more_results"] = page < 3
        return 200, {}, json.dumps({"success": True, "result": shown, "pagination": pagination}).encode()

    with http_service(answer) as url, session_at(url, "2025.3") as session:
        assert cd.Account(session).get_account_activity(output="dict") == records


def test_a_service_without_pages_is_not_requested_forever(http_service):
    # Each request counts as an activity, so that no two replies are equal.
    counts = itertools.count()

    def answer(request):
        shown = [{"who": "ada", "requests": next(counts)}, {"who": "bob", "requests": 7}]
        return (
            200,
            {},
            json.dumps({"success": True, "result": shown, "pagination": {"current_page": 1, "page_size": 2}}).encode(),
        )

    with http_service(answer) as url, session_at(url, "2025.3") as session:
        assert len(cd.Account(session).get_account_activity()) == 2


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ([{"rec_id": 1, "name": "a"}], ["a"]),
        ({"teams": [{"id": 1, "name": "a"}], "others": [1]}, ["a"]),
        ({"result_of_this": [{"id": "1", "name": "a"}], "count": 1}, ["a"]),
        ([{"rec_id": None, "id": 1, "name": "a"}], ["a"]),
        ({"teams": []}, []),
    ],
)
def test_a_list_is_found_in_any_object(http_service, body, names):
    with http_service(lambda request: (200, {}, json.dumps(body).encode())) as url, session_at(url) as session:
        frame = cd.Team(session).get_team()
        assert frame["name"].tolist() == names
        assert list(frame)[:2] == ["rec_id", "name"]
        assert frame["rec_id"].tolist() == [1] * len(names)
        assert frame["rec_id"].dtype == "int64"


@pytest.mark.parametrize("body", [{}, 7, None, {"a": [], "b": []}, {"teams": [1]}, {"teams": None}, "teams"])
def test_a_reply_that_is_not_a_list_raises(http_service, body):
    with (
        http_service(lambda request: (200, {}, json.dumps(body).encode())) as url,
        session_at(url) as session,
        pytest.raises(cd.UnexpectedReplyError, match="it holds no list of records"),
    ):
        cd.Team(session).get_team()


@pytest.mark.parametrize("listed", [[], [{"rec_id": 7}, {"rec_id": 8}]], ids=len)
def test_a_record_is_not_returned_for_several_or_no_matches(http_service, listed):
    with (
        http_service(lambda request: (200, {}, json.dumps({"schedules": listed}).encode())) as url,
        session_at(url) as session,
        pytest.raises(cd.UnexpectedReplyError, match=f"it holds {len(listed)} records instead of one"),
    ):
        cd.Schedule(session).get_schedule(7)


def test_a_frame_of_records_has_the_dtypes_of_its_values(http_service):
    teams = [
        {"rec_id": 1, "name": "a", "members": 3, "ratio": 0.5, "open": True, "made_date": "2026-01-02T03:04:05+02:00",
         "due_date": "soon", "tags": ["x"], "never_date": None},
        {"rec_id": 2, "name": None, "members": None, "ratio": 1, "open": None, "made_date": None, "extra": "y"},
    ]  # fmt: skip
    with (
        http_service(lambda request: (200, {}, json.dumps({"teams": teams}).encode())) as url,
        session_at(url) as session,
    ):
        frame = cd.Team(session).get_team()
    kinds = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert kinds["rec_id"] == "int64"
    assert (kinds["members"], kinds["ratio"], kinds["open"]) == ("Int64", "float64", "boolean")
    assert kinds["made_date"] == kinds["never_date"] == "datetime64[us, UTC]"
    assert frame["made_date"][0] == pd.Timestamp("2026-01-02 01:04:05", tz="UTC")
    assert frame["due_date"][0] == "soon"
    assert frame["tags"][0] == ["x"]


DATETIMES: dict[str, Any] = {
    "different offsets": (
        ["2015-02-20T10:00:00+02:00", "2015-02-20 10:00:00", "2015-02-20T10:00:00.25Z", "2015-02-20T10:00:00-0130"],
        ["2015-02-20 08:00:00", "2015-02-20 10:00:00", "2015-02-20 10:00:00.250", "2015-02-20 11:30:00"],
    ),
    "the first and the last moment": (
        ["0001-01-01T00:00:00", None, "9999-12-31T23:59:59.9999999Z"],
        ["0001-01-01 00:00:00", None, "9999-12-31 23:59:59.999999"],
    ),
    "invalid day": (["2015-02-30T10:00:00", "2015-02-20T10:00:00"], None),
    "year out of range": (["0001-01-01T00:00:00+02:00"], None),
    "some are not datetimes": (["2015-02-20T10:00:00", "soon"], None),
}


@pytest.mark.parametrize("case", DATETIMES)
def test_datetimes_of_records_are_parsed_one_by_one(http_service, case):
    texts, expected = DATETIMES[case]
    teams = [{"rec_id": 1, "name": "a", "made_date": text} for text in texts]
    with (
        http_service(lambda request: (200, {}, json.dumps({"teams": teams}).encode())) as url,
        session_at(url) as session,
    ):
        made = cd.Team(session).get_team()["made_date"]
    if expected is None:
        assert made.tolist() == texts
    else:
        assert made.dtype == "datetime64[us, UTC]"
        expected_series = pd.Series(pd.array(np.array(expected, "datetime64[us]"))).dt.tz_localize("UTC")
        assert made.isna().tolist() == expected_series.isna().tolist()
        assert (made == expected_series)[made.notna()].all()


@pytest.mark.parametrize(
    "values",
    [[2**63 + 1], [10**400], [2**53 + 1, 0.5], [-(2**53) - 1, None, 0.5], ["half \ud800", "whole"]],
    ids=["beyond int64", "beyond floats", "beside a float", "beside null", "half a pair"],
)
def test_values_of_records_that_fit_no_dtype_stay_unchanged(http_service, values):
    teams = [{"rec_id": 1, "name": "a", "value": value} for value in values]
    with (
        http_service(lambda request: (200, {}, json.dumps({"teams": teams}).encode())) as url,
        session_at(url) as session,
    ):
        column = cd.Team(session).get_team()["value"]
    assert column.dtype == object
    assert column.tolist() == values


def test_an_endless_list_raises(http_service, monkeypatch):
    monkeypatch.setattr("pandas_clicdata.resources.records._MAX_PAGES", 5)
    requests = []

    def answer(request):
        requests.append(request)
        body = {"success": True, "result": [{"name": str(len(requests))}], "pagination": {"has_more_results": True}}
        return 200, {}, json.dumps(body).encode()

    with (
        http_service(answer) as url,
        session_at(url, "2025.3") as session,
        pytest.raises(
            cd.IncompleteReadError, match="5 teams were received, but the service states that there are more"
        ),
    ):
        cd.Team(session).get_team()
    assert 5 <= len(requests) <= 8, "some are requested ahead"


# sessions


def test_each_class_takes_a_session_or_the_arguments_of_one(one_sandbox, sessions, no_settings):
    with cd.connect(api_key=one_sandbox.api_key, base_url=one_sandbox.url) as default:
        assert cd.Team().session is default
        assert repr(cd.Team()) == "<Team on the default session>"
        assert cd.Team(sessions["2025.3"]).session is sessions["2025.3"]
        own = cd.Team(
            client_id=one_sandbox.client_id, client_secret=one_sandbox.client_secret, base_url=one_sandbox.url
        )
        assert own.session not in (default, sessions["2025.3"])
        assert one_sandbox.client_secret not in repr(own)
        assert own.get_team()["rec_id"].dtype == "int64"
        assert cd.Team().session is default
        own.session.close()
    with pytest.raises(TypeError, match="not both"):
        cd.Team(sessions["2025.3"], client_id="acme")
    with pytest.raises(TypeError, match="session= must be a Session"):
        cd.Team(NOT_A_SESSION)


NOT_A_SESSION: Any = "sandbox"


def test_the_first_use_without_credentials_names_the_settings(no_settings):
    team = cd.Team()
    cd.session._default.replace(None)
    with pytest.raises(cd.NoCredentialsError, match="CLICDATA_CLIENT_ID"):
        team.get_team()
