"""Users and teams: the effect of each request as another request shows it, and refusals."""

import base64
import hashlib
import json
import logging
import threading
from typing import Any

import pytest
import requests

from pandas_clicdata.sandbox import Assumptions, RemoteSandbox
from pandas_clicdata.sandbox.people import Passwords, hashed
from pandas_clicdata.sandbox.store import Store

pytestmark = pytest.mark.sampled(1)

VERSIONS = [None, "2025.3"]
GRACE: dict[str, Any] = {"email_address": "grace@acme.example", "first_name": "Grace", "last_name": "Hopper"}


class People:
    """Requests for users and teams in one dialect; results are unwrapped."""

    def __init__(self, call, version):
        self.call, self.version = call, version
        self.id = "id" if version else "rec_id"

    def __call__(self, method, path, body=None, status=200):
        reply = self.call(method, path, body, version=self.version)
        assert reply.status_code == status, reply.text
        parsed = reply.json()
        if status != 200:
            assert parsed["error"]["description"].endswith(".")
            return parsed["error"]
        if self.version:
            assert parsed["success"] is True
            return parsed["result"]
        return parsed

    def listed(self, path):
        found = self("GET", path)
        return found if self.version else found[path[1:] + "s"]

    def users(self):
        return {user[self.id]: user for user in self.listed("/user")}

    def teams(self):
        return {team[self.id]: team for team in self.listed("/team")}

    def done(self, method, path, body=None):
        assert self(method, path, body) == ({} if self.version else {"success": True})

    def all(self):
        # Without the login that the request itself causes.
        users = [{**user, "last_login_date": None} for user in self.listed("/user")]
        return users, self.listed("/team")


@pytest.fixture(params=VERSIONS, ids=str)
def people(call, request):
    return People(call, request.param)


def sign_in(call, sb, username, password, path="/profile/user"):
    inner = base64.b64encode(f"{username}:{password}".encode()).decode()
    outer = base64.b64encode(f"{sb.client_id}:{inner}".encode()).decode()
    return call("GET", path, headers={"CLICDATA-API-KEY": None, "Authorization": f"Basic {outer}"})


# users


def test_a_new_sandbox_has_the_owner_as_its_only_user(people, sb):
    (owner,) = people.listed("/user")
    assert owner.pop("last_login_date") is not None
    assert owner == {
        people.id: 1,
        "email_address": sb.username,
        "first_name": "Ada",
        "last_name": "Sandbox",
        "teams": [],
        "licence": "editor",
    }
    assert sb.username == "ada@sandbox.example"
    assert people("GET", "/user/1") == people("GET", "/profile/user") == people.listed("/user")[0]


def test_a_user_can_be_created_changed_and_deleted(people):
    grace = people("POST", "/user", GRACE)
    expected = {people.id: grace, **GRACE, "last_login_date": None, "teams": [], "licence": "editor"}
    assert people("GET", f"/user/{grace}") == expected
    assert list(people.users()) == [1, grace]
    people.done("PUT", f"/user/{grace}", {"last_name": "Murray"})
    assert people("GET", f"/user/{grace}") == {**expected, "last_name": "Murray"}
    change = {"email_address": "gm@acme.example", "first_name": "", "last_name": "M"}
    people.done("PUT", f"/user/{grace}", change)
    assert people.users()[grace] == {**expected, **change}
    people.done("DELETE", f"/user/{grace}")
    assert list(people.users()) == [1]
    people("GET", f"/user/{grace}", status=404)


def test_created_as_object_applies_to_users_and_teams(serve):
    _, call = serve(assume=Assumptions(created_as="object"))
    versioned, bare = (People(call, version) for version in ("2025.3", None))
    user = versioned("POST", "/user", GRACE)
    team = versioned("POST", "/team", {"name": "T"})
    assert user == {"id": 2}
    assert team == {"id": 1}
    assert bare("POST", "/team", {"name": "U"}) == 2


def test_ids_are_not_used_again(people):
    first = people("POST", "/user", GRACE)
    people.done("DELETE", f"/user/{first}")
    assert people("POST", "/user", GRACE) > first
    first = people("POST", "/team", {"name": "T"})
    people.done("DELETE", f"/team/{first}")
    assert people("POST", "/team", {"name": "T"}) > first


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plain_user_needs_only_an_address(serve, version):
    people = People(serve(assume=Assumptions(users="plain"))[1], version)
    number = people("POST", "/user", {"email_address": "g@acme.example"})
    assert people("GET", f"/user/{number}")["first_name"] == people("GET", f"/user/{number}")["last_name"] == ""


def test_addresses_are_unique_and_case_insensitive(people):
    grace = people("POST", "/user", GRACE)
    other = people("POST", "/user", {**GRACE, "email_address": "other@acme.example"})
    before = people.all()
    taken = "GRACE@Acme.Example"
    assert people("POST", "/user", {**GRACE, "email_address": taken}, 409)["code"] == "AddressTaken"
    people("PUT", f"/user/{other}", {"first_name": "X", "email_address": taken}, 409)
    people("PUT", "/user/1", {"email_address": taken}, 409)
    assert people.all() == before
    people.done("PUT", f"/user/{grace}", {"email_address": taken})
    assert people.users()[grace]["email_address"] == taken
    people.done("PUT", f"/user/{other}", {"email_address": "free@acme.example"})
    people("POST", "/user", {**GRACE, "email_address": "other@acme.example"})


def test_one_of_many_simultaneous_creates_gets_the_address(call):
    statuses = []

    def create():
        statuses.append(call("POST", "/user", GRACE).status_code)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7


def test_the_owner_can_be_changed_but_not_deleted(people, sb):
    people("DELETE", "/user/1", status=409)
    people.done("PUT", "/user/1", {"email_address": "ada@acme.example", "last_name": "Lovelace"})
    assert sb.username == "ada@acme.example"
    profile = people("GET", "/profile/user")
    assert (profile["email_address"], profile["last_name"]) == ("ada@acme.example", "Lovelace")
    assert sign_in(people.call, sb, sb.username, sb.password).status_code == 200
    assert sign_in(people.call, sb, "ada@sandbox.example", sb.password).status_code == 401


# signing in


def test_every_user_can_sign_in_with_their_password(call, sb):
    password = "pass:wörd \x00"
    grace = call("POST", "/user", {**GRACE, "password": password}).json()
    for _ in range(2):
        profile = sign_in(call, sb, GRACE["email_address"], password)
        assert (profile.status_code, profile.json()["rec_id"]) == (200, grace)
        assert sign_in(call, sb, "GRACE@ACME.example", password).json() == profile.json()
        for wrong in ("", "pass", password + "x", sb.password):
            assert sign_in(call, sb, GRACE["email_address"], wrong).status_code == 401
    assert sign_in(call, sb, sb.username, password).status_code == 401
    assert sign_in(call, sb, sb.username, sb.password).json()["rec_id"] == 1
    call("DELETE", f"/user/{grace}")
    assert sign_in(call, sb, GRACE["email_address"], password).status_code == 401


def test_a_user_without_password_cannot_sign_in(call, sb):
    grace = call("POST", "/user", GRACE).json()
    for wrong in ("", "None", "null"):
        assert sign_in(call, sb, GRACE["email_address"], wrong).status_code == 401
    call("PUT", f"/user/{grace}/password", {"password": " "})
    assert sign_in(call, sb, GRACE["email_address"], " ").status_code == 200


def test_basic_with_another_client_id_is_a_401(call, sb):
    class Other:
        client_id = "other"

    call("POST", "/user", {**GRACE, "password": "a word"})
    assert sign_in(call, Other, GRACE["email_address"], "a word").status_code == 401


@pytest.mark.parametrize("who", ["owner", "other"])
def test_a_new_password_replaces_the_old_one_at_once(people, sb, who):
    remote = RemoteSandbox(sb.url, sb.control_key)
    old = remote.password
    user, name = 1, sb.username
    if who == "other":
        old, name = "old", GRACE["email_address"]
        user = people("POST", "/user", {**GRACE, "password": old})
    for new in ("x", "a new wörd", old):
        assert sign_in(people.call, sb, name, old).status_code == 200
        people.done("PUT", f"/user/{user}/password", {"password": new})
        assert sign_in(people.call, sb, name, new).status_code == 200
        if new != old:
            assert sign_in(people.call, sb, name, old).status_code == 401
        if who == "owner":
            assert sb.password == remote.password == new
        old = new


def test_the_profile_is_that_of_the_sender(call, sb):
    call("POST", "/user", {**GRACE, "password": "a word"})
    assert sign_in(call, sb, GRACE["email_address"], "a word").json()["email_address"] == GRACE["email_address"]
    target = "http://127.0.0.1:9/back"
    tokens = [
        call.token().json(),
        call.token(grant_type="authorization_code", code=sb.authorize(target), redirect_uri=target).json(),
    ]
    for token in tokens:
        headers = {"CLICDATA-API-KEY": None, "Authorization": f"Bearer {token['access_token']}"}
        assert call("GET", "/profile/user", headers=headers).json()["email_address"] == sb.username
    assert call("GET", "/profile/user").json()["email_address"] == sb.username


def test_passwords_are_in_no_reply_log_or_file(serve, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    sb, call = serve(data=tmp_path)
    secrets = ["canary-one", "canary-two", "canary-three"]
    replies = [
        call("POST", "/user", {**GRACE, "password": secrets[0]}),
        call("POST", "/user", {**GRACE, "password": secrets[0]}),
        call("PUT", "/user/2/password", {"password": secrets[1]}),
        call("PUT", "/user/99/password", {"password": secrets[1]}),
        call("PUT", "/user/2/password", {"password": [secrets[1]]}),
        call("PUT", "/user/2/password", {"password": secrets[1], "more": secrets[1]}),
        call("PUT", "/user/2/password", {"password": secrets[1] * 100}),
        call("PUT", "/user/2/password", f'{{"password": "{secrets[1]}\\ud800"}}'),
        call("PUT", "/user/1", {"password": secrets[1]}),
        sign_in(call, sb, GRACE["email_address"], secrets[1]),
        sign_in(call, sb, GRACE["email_address"], secrets[2]),
        call("GET", "/user"),
        call("GET", "/account/activity/users"),
    ]
    assert [reply.status_code for reply in replies] == [200, 409, 200, 404, 400, 400, 400, 400, 400, 200, 401, 200, 200]
    shown = "".join(reply.text for reply in replies) + repr(list(sb.requests)) + repr(sb) + caplog.text
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"grace@acme.example" in files
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in files


def test_a_correct_password_is_hashed_slowly_only_once(monkeypatch):
    slow, calls = hashlib.scrypt, []

    def counted(*args, **options):
        calls.append(1)
        return slow(*args, **options)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    one, other = hashed("a word"), hashed("a word")
    assert one != other
    assert len(calls) == 2
    passwords = Passwords()
    for _ in range(5):
        assert passwords.fits(7, "a word", one)
    assert len(calls) == 3
    assert not passwords.fits(7, "a Word", one)
    assert not passwords.fits(8, "other", one)
    assert passwords.fits(7, "a word", other)
    assert not passwords.fits(7, "a word", hashed("another"))


# teams


def test_a_team_can_be_created_changed_and_deleted(people):
    team = people("POST", "/team", {"name": "Analysts", "description": "They ask."})
    expected = {people.id: team, "name": "Analysts", "description": "They ask.", "users": [], "parameters": []}
    assert people.teams() == {team: expected}
    plain = people("POST", "/team", {"name": "Plain"})
    assert people.teams()[plain]["description"] == ""
    people.done("PUT", f"/team/{team}", {"description": None})
    assert people.teams()[team] == {**expected, "description": ""}
    people.done("PUT", f"/team/{team}", {"name": "ANALYSTS", "description": "x"})
    assert people.teams()[team] == {**expected, "name": "ANALYSTS", "description": "x"}
    people.done("DELETE", f"/team/{team}")
    assert list(people.teams()) == [plain]


def test_team_names_are_unique_and_case_insensitive(people):
    people("POST", "/team", {"name": "One"})
    two = people("POST", "/team", {"name": "Two"})
    before = people.all()
    assert people("POST", "/team", {"name": "ONE"}, 409)["code"] == "NameTaken"
    people("PUT", f"/team/{two}", {"name": "oNE", "description": "x"}, 409)
    assert people.all() == before
    people.done("PUT", f"/team/{two}", {"name": "Three"})
    people("POST", "/team", {"name": "two"})


def test_users_can_be_added_to_teams_and_removed(people):
    grace = people("POST", "/user", GRACE)
    one, two = (people("POST", "/team", {"name": name}) for name in ("One", "Two"))
    people.done("POST", f"/team/{two}/user", {"user_id": grace})
    people.done("POST", f"/team/{one}/user", {"user_id": grace})
    people.done("POST", f"/team/{one}/user", {"user_id": 1})
    assert people.teams()[one]["users"] == [1, grace]
    assert people("GET", f"/user/{grace}")["teams"] == people.users()[grace]["teams"] == [one, two]
    before = people.all()
    people.done("POST", f"/team/{one}/user", {"user_id": grace})
    assert people.all() == before
    people.done("DELETE", f"/team/{one}/user", {"user_id": grace})
    people("DELETE", f"/team/{one}/user", {"user_id": grace}, 404)
    assert people.teams()[one]["users"] == [1]
    assert people("GET", f"/user/{grace}")["teams"] == [two]
    people.done("DELETE", f"/user/{grace}")
    assert people.teams()[two]["users"] == []
    people.done("DELETE", f"/team/{one}")
    assert people("GET", "/user/1")["teams"] == []
    assert list(people.users()) == [1]


def test_parameters_can_be_added_changed_and_removed(people):
    one, two = (people("POST", "/team", {"name": name}) for name in ("One", "Two"))
    for name, value in [("region", "EMEA"), ("Region", "US"), ("limit", ""), ("region", "APAC")]:
        people.done("POST", f"/team/{one}/parameter", {"name": name, "value": value})
    expected = [
        {"name": "region", "value": "APAC"},
        {"name": "Region", "value": "US"},
        {"name": "limit", "value": ""},
    ]
    assert people.teams()[one]["parameters"] == expected
    assert people.teams()[two]["parameters"] == []
    people.done("DELETE", f"/team/{one}/parameter", {"name": "Region"})
    people("DELETE", f"/team/{one}/parameter", {"name": "Region"}, 404)
    people("DELETE", f"/team/{two}/parameter", {"name": "region"}, 404)
    assert people.teams()[one]["parameters"] == [expected[0], expected[2]]
    people.done("DELETE", f"/team/{one}")
    three = people("POST", "/team", {"name": "One"})
    assert people.teams()[three]["parameters"] == []


# refusals


UNKNOWN = [
    ("GET", "/user/{}", None),
    ("PUT", "/user/{}", {"first_name": "x"}),
    ("PUT", "/user/{}/password", {"password": "x"}),
    ("DELETE", "/user/{}", None),
    ("PUT", "/team/{}", {"name": "x"}),
    ("DELETE", "/team/{}", None),
    ("POST", "/team/{}/user", {"user_id": 1}),
    ("DELETE", "/team/{}/user", {"user_id": 1}),
    ("POST", "/team/{}/parameter", {"name": "x", "value": "y"}),
    ("DELETE", "/team/{}/parameter", {"name": "x"}),
]


@pytest.mark.parametrize(("method", "path", "body"), UNKNOWN)
def test_an_unknown_id_is_a_404(people, method, path, body):
    people("POST", "/team", {"name": "T"})
    before = people.all()
    for number in (0, 77, 2**63 - 1, 2**63, 2**64 + 1, 10**30):
        error = people(method, path.format(number), body, 404)
        assert error["code"] == "NotFound"
        assert str(number) in error["description"]
    assert people.all() == before


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_unknown_user_cannot_be_added_or_removed(people, method):
    team = people("POST", "/team", {"name": "T"})
    for number in (0, 77, 10**15 - 1):
        error = people(method, f"/team/{team}/user", {"user_id": number}, 404)
        assert f"No user has the id {number}" in error["description"]


SYNTAX = {
    "not JSON": b"{",
    "not UTF-8": b'{"name": "\xff"}',
    "NaN": b'{"user_id": NaN}',
    "a lone surrogate": b'{"name": "\\ud800", "password": "\\ud800", "first_name": "\\ud800", "value": "\\ud800"}',
    "a key twice": b'{"name": "a", "name": "b"}',
    "nested too deeply": b"[" * 100_000,
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "a number": b"1",
}
LONG = "x" * 256
BAD_ADDRESSES: list[Any] = [
    "", " ", "x", "x@", "@x.example", "x@example", "x@y@z.example", "x y@z.example", "x@z..example",
    "x@z.example.", "x:y@z.example", "x@z.exa:mple", "x\n@z.example", "x\x00@z.example", "x@z.example\n",
    1, None, True, [], {}, LONG + "@z.example", "a@" + "." * 250, "a@" + "b." * 126 + "@",
]  # fmt: skip
BAD: dict[tuple[str, str], list[Any]] = {
    ("POST", "/user"): [
        {}, GRACE | {"more": 1}, GRACE | {"id": 5}, GRACE | {"password": ""}, GRACE | {"password": None},
        GRACE | {"password": 1}, GRACE | {"password": LONG}, GRACE | {"first_name": None}, GRACE | {"first_name": 1},
        GRACE | {"last_name": ["x"]}, GRACE | {"last_name": LONG}, GRACE | {"teams": []},
        {name: GRACE[name] for name in ("first_name", "last_name")},
        *(GRACE | {"email_address": wrong} for wrong in BAD_ADDRESSES),
    ],
    ("PUT", "/user/2"): [
        {}, {"more": 1}, {"password": "x"}, {"first_name": None}, {"last_name": LONG}, {"email_address": "x"},
        {"first_name": "X", "email_address": 1}, {"first_name": "X", "rec_id": 5},
    ],
    ("PUT", "/user/2/password"): [
        {}, {"password": ""}, {"password": None}, {"password": 5}, {"password": ["x"]}, {"password": LONG},
        {"password": "x", "old": "y"}, {"Password": "x"},
    ],
    ("POST", "/team"): [
        {}, {"description": "x"}, {"name": ""}, {"name": " \t"}, {"name": None}, {"name": 1}, {"name": LONG},
        {"name": "x", "description": 1}, {"name": "x", "users": []}, {"Name": "x"},
    ],
    ("PUT", "/team/1"): [
        {}, {"name": ""}, {"name": None}, {"name": LONG}, {"description": []}, {"users": [1]},
        {"name": "x", "description": 5}, {"description": "x", "more": 1},
    ],
    ("DELETE", "/team/1"): [{"user_id": 1}, {"name": "x"}],
    ("DELETE", "/user/2"): [{"user_id": 2}],
    ("POST", "/team/1/user"): [
        {}, {"user_id": "2"}, {"user_id": 2.0}, {"user_id": -2}, {"user_id": True}, {"user_id": None},
        {"user_id": [2]}, {"user_id": 10**15}, {"user_id": 10**400}, {"user_id": 2, "more": 1}, {"id": 2},
    ],
    ("DELETE", "/team/1/user"): [{}, {"user_id": "1"}, {"user_id": None}, {"user_id": 1, "name": "x"}],
    ("POST", "/team/1/parameter"): [
        {}, {"name": "p"}, {"value": "x"}, {"name": "", "value": "x"}, {"name": 1, "value": "x"},
        {"name": LONG, "value": "x"}, {"name": "p", "value": 1}, {"name": "p", "value": None},
        {"name": "p", "value": "x", "more": 1},
    ],
    ("DELETE", "/team/1/parameter"): [{}, {"name": 1}, {"name": None}, {"name": "p", "value": "x"}],
}  # fmt: skip


@pytest.mark.parametrize(("method", "path"), BAD)
def test_invalid_bodies_are_refused_and_change_nothing(people, method, path):
    people("POST", "/user", {**GRACE, "email_address": "two@acme.example"})
    people("POST", "/team", {"name": "One"})
    people.done("POST", "/team/1/user", {"user_id": 1})
    people.done("POST", "/team/1/parameter", {"name": "p", "value": "v"})
    before = people.all()
    for body in [*SYNTAX.values(), *map(json.dumps, BAD[method, path])]:
        error = people(method, path, body, 400)
        assert error["code"] in ("InvalidBody", "InvalidValue"), body
        assert people.all() == before, body


def test_the_refusal_of_an_unknown_field_names_it(people):
    for method, path in (("POST", "/user"), ("PUT", "/user/1")):
        assert "'colour'" in people(method, path, {**GRACE, "colour": "red"}, 400)["description"]


def test_only_a_body_needs_a_media_type(call):
    team = call("POST", "/team", {"name": "T"}).json()
    for method, path in (("POST", "/team"), ("DELETE", f"/team/{team}")):
        reply = call(method, path, "{}", headers={"Content-Type": "text/plain"})
        assert reply.status_code == 415
    assert call("POST", "/team").status_code == 400
    assert call("DELETE", f"/team/{team}", {}).status_code == 200


# lists


def test_a_versioned_list_has_one_page_unless_a_page_is_requested(call):
    for number in range(150):
        call("POST", "/team", {"name": f"T{number}"})

    def page(**params):
        reply = call("GET", "/team", version="2025.3", params=params).json()
        return [team["id"] for team in reply["result"]], reply["pagination"]

    ids, paging = page()
    assert ids == list(range(1, 151))
    assert (paging["page_size"], paging["result_total_count"], paging["last_page"]) == (150, 150, True)
    assert page(page=1)[0] == ids[:100]
    assert page(page=2)[0] == ids[100:]
    assert page(page_size=40, page=4)[0] == ids[120:]
    assert page(page_size=40)[1]["has_more_results"] is True
    assert call("GET", "/team", version="2025.3", params={"page": 0}).status_code == 400
    bare = call("GET", "/team", params={"page": 2}).json()
    assert bare.keys() == {"teams"}
    assert len(bare["teams"]) == 150


def test_faults_can_be_scripted_for_users_and_teams(call, sb):
    sb.faults.empty_page(operation="users")
    assert call("GET", "/user", version="2025.3").json()["result"] == []
    sb.faults.lose_reply(operation="create_team", after_commit=True)
    with pytest.raises(requests.ConnectionError):
        call("POST", "/team", {"name": "T"})
    assert [team["name"] for team in call("GET", "/team").json()["teams"]] == ["T"]
    assert [entry.operation for entry in sb.requests] == ["users", "create_team", "teams"]


# data folders


def test_a_data_folder_keeps_users_and_teams(serve, tmp_path):
    first, call = serve(data=tmp_path)
    people = People(call, None)
    grace = people("POST", "/user", {**GRACE, "password": "a word"})
    people("POST", "/team", {"name": "T", "description": "d"})
    people.done("POST", "/team/1/user", {"user_id": grace})
    people.done("POST", "/team/1/parameter", {"name": "p", "value": "v"})
    people.done("PUT", "/user/1", {"email_address": "me@acme.example"})
    people.done("PUT", "/user/1/password", {"password": "my own"})
    sign_in(call, first, GRACE["email_address"], "a word")
    before = people.all()
    activity = people("GET", "/account/activity/users")
    first.stop()
    second, call = serve(data=tmp_path)
    assert (second.username, second.password) == ("me@acme.example", "my own")
    people = People(call, None)
    assert people.all() == before
    assert people("GET", "/account/activity/users")[1] == activity[1]
    assert sign_in(call, second, "me@acme.example", "my own").status_code == 200
    assert sign_in(call, second, GRACE["email_address"], "a word").status_code == 200


def test_a_data_folder_from_before_users_existed_opens(serve, tmp_path):
    store = Store(tmp_path / "sandbox.sqlite")
    store.keep_setting("username", "me@acme.example")
    store.keep_setting("password", "my own")
    store.close()
    sb, call = serve(data=tmp_path)
    assert (sb.username, sb.password) == ("me@acme.example", "my own")
    assert sign_in(call, sb, "me@acme.example", "my own").json()["rec_id"] == 1
