"""Activity: the logins of users and the views of dashboards."""

import base64
from datetime import datetime, timedelta

import pytest

from pandas_clicdata.sandbox.people import LOGIN_SECONDS, OWNER, People
from pandas_clicdata.sandbox.store import Store

VERSIONS = [None, "2025.3"]
GRACE = {
    "email_address": "grace@acme.example",
    "first_name": "Grace",
    "last_name": "Hopper",
    "password": "a word",
}


def ask(call, what="users", version=None):
    reply = call("GET", f"/account/activity/{what}", version=version).json()
    return reply["result"] if version else reply


def logins(call, user=1):
    return {entry["rec_id"]: entry["login_count"] for entry in ask(call)}[user]


def basic(call, password):
    inner = base64.b64encode(f"{GRACE['email_address']}:{password}".encode()).decode()
    outer = base64.b64encode(f"{call.sandbox.client_id}:{inner}".encode()).decode()
    return call("GET", "/account", headers={"CLICDATA-API-KEY": None, "Authorization": f"Basic {outer}"}).status_code


def is_recent(text):
    return timedelta(0) <= datetime.now().astimezone() - datetime.fromisoformat(text) < timedelta(minutes=1)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_user_has_an_activity_entry(call, sb, version):
    grace = call("POST", "/user", GRACE).json()
    one, two = ask(call, "users", version)
    key = "id" if version else "rec_id"
    assert is_recent(one.pop("last_login_date"))
    assert one == {key: 1, "email_address": sb.username, "login_count": 1}
    assert two == {key: grace, "email_address": GRACE["email_address"], "last_login_date": None, "login_count": 0}
    call("DELETE", f"/user/{grace}")
    assert len(ask(call, "users", version)) == 1


def test_many_requests_by_key_count_as_one_login(call):
    for _ in range(5):
        assert logins(call) == 1


def test_a_token_counts_as_a_login_of_the_owner_and_its_requests_do_not(call, sb):
    assert logins(call) == 1
    token = call.token().json()["access_token"]
    assert logins(call) == 2
    call("GET", "/account", headers={"CLICDATA-API-KEY": None, "Authorization": f"Bearer {token}"})
    assert logins(call) == 2
    target = "http://127.0.0.1:9/back"
    granted = call.token(grant_type="authorization_code", code=sb.authorize(target), redirect_uri=target).json()
    assert logins(call) == 3
    call.token(grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert logins(call) == 4
    call.token(client_secret="wrong")
    call.token(grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert logins(call) == 4


def test_many_requests_by_basic_count_as_one_login_of_the_user(call):
    grace = call("POST", "/user", GRACE).json()
    assert basic(call, "wrong") == 401
    assert logins(call, grace) == 0
    for _ in range(3):
        assert basic(call, "a word") == 200
    assert logins(call, grace) == 1
    (when,) = [entry["last_login_date"] for entry in ask(call) if entry["rec_id"] == grace]
    assert is_recent(when)
    assert call("GET", f"/user/{grace}").json()["last_login_date"] == when
    assert logins(call) == 1


def test_a_request_after_a_long_pause_counts_as_a_login():
    store, moment = Store(), 0.0
    people = People(store, clock=lambda: moment)
    other = people.create_user("grace@acme.example", "", "", None)
    counted = []
    for pause in (0, LOGIN_SECONDS, LOGIN_SECONDS, 1, LOGIN_SECONDS + 1, 0, LOGIN_SECONDS + 1):
        moment += pause
        people.visited(OWNER)
        counted.append(people.user(OWNER).logins)
    people.visited(other)
    people.logged_in(other)
    assert counted == [1, 1, 1, 1, 2, 2, 3]
    assert people.user(other).logins == 2
    store.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_requested_picture_counts_as_a_view(call, sb, version):
    call.make("Flights")
    one, two = sb.dashboard("Delays", table="Flights"), sb.dashboard("Other", table="Flights")
    key = "id" if version else "rec_id"
    never = {"view_count": 0, "last_view_date": None}
    assert ask(call, "dashboards", version) == [
        {key: one, "name": "Delays", **never},
        {key: two, "name": "Other", **never},
    ]
    for kind in ("thumbnail", "snapshot", "snapshot"):
        call("GET", f"/dashboard/{one}/{kind}", version=version)
    call("GET", "/dashboard", version=version, params={"includethumbnail": "true"})
    call("GET", f"/dashboard/{two + 1}/snapshot", version=version)
    first, second = ask(call, "dashboards", version)
    assert first["view_count"] == 3
    assert is_recent(first["last_view_date"])
    assert second == {key: two, "name": "Other", **never}
