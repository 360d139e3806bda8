"""The service profile: it is kept per account, shared by path, expires, and never stops a session from working."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import pandas_clicdata as cd
from conftest import service_profile, signed_in
from pandas_clicdata.sandbox import Assumptions

FRAME = pd.DataFrame({"n": [1, 2], "t": ["a", "b"]})
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    folder = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


def profile_of(session):
    return session._client.service_profile


def learn(session, name):
    """Push, and update a row, which learns the key of the new values."""
    FRAME.clicdata.push(name, session=session)
    FRAME.assign(t="c").clicdata.update_rows(name, on="n", session=session)


def written(path, facts, *, days=0, base_url="https://api.clicdata.com"):
    at = (datetime.now(UTC) - days * DAY).isoformat()
    content = {name: {"found": value, "at": at} for name, value in facts.items()}
    path.write_text(json.dumps({"service_profile": 1, "base_url": base_url, "facts": content}))
    return path


def written_at(at):
    content = {"service_profile": 1, "base_url": "https://api.clicdata.com", "facts": {"a": {"found": 1, "at": at}}}
    return json.dumps(content)


def test_what_is_learned_is_kept_for_the_account_alone(serve, state, name):
    sandbox, session = serve(session={"service_profile": None})
    learn(session, name)
    (path,) = (state / "pandas_clicdata" / "service-profiles").glob("*.json")
    content = path.read_text()
    assert json.loads(content)["facts"].keys() == {"update_key"}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not any(secret in content for secret in (sandbox.client_id, sandbox.client_secret, name))
    with signed_in(sandbox, service_profile=None) as again:
        assert profile_of(again).update_key == "data"
    with cd.Session(client_id="other", client_secret="x", base_url=sandbox.url) as other:
        assert profile_of(other).update_key is None


def test_the_profile_is_shown_by_the_session(tmp_path):
    path = written(tmp_path / "profile.json", {"update_key": "data"}, days=3)
    day = f"{datetime.now(UTC) - 3 * DAY:%Y-%m-%d}"
    with cd.Session(api_key="hush", service_profile=path) as session:
        assert repr(session).endswith(f", service profile of {day}>")
        assert f"of {day}" in session._repr_html_()
    with cd.Session(api_key="hush") as session:
        assert "service profile" not in repr(session)
        assert "service profile" not in session._repr_html_()


@pytest.mark.parametrize(("days", "key"), [(0, "data"), (89, "data"), (91, None), (-2, None)])
def test_a_fact_is_used_for_90_days(tmp_path, days, key):
    path = written(tmp_path / "profile.json", {"update_key": "data"}, days=days)
    with cd.Session(api_key="hush", service_profile=path) as session:
        assert profile_of(session).update_key == key


def test_an_old_profile_is_replaced_by_what_is_learned_next(serve, tmp_path, name):
    sandbox, session = serve(assume=Assumptions(update_key="update"), session={"service_profile": tmp_path / "p.json"})
    written(tmp_path / "p.json", {"update_key": "data", "find_text": "exact"}, days=91, base_url=sandbox.url)
    learn(session, name)
    facts = json.loads((tmp_path / "p.json").read_text())["facts"]
    assert facts["update_key"]["found"] == "update"


@pytest.mark.parametrize("given", ["path", "text", "variable", "profile"])
def test_the_path_is_a_setting(no_settings, monkeypatch, tmp_path, given):
    path = written(tmp_path / "p.json", {"update_key": "update"})
    options = {"path": {"service_profile": path}, "text": {"service_profile": str(path)}}.get(given, {})
    if given == "variable":
        monkeypatch.setenv("CLICDATA_SERVICE_PROFILE", str(path))
    if given == "profile":
        folder = tmp_path / "pandas_clicdata"
        folder.mkdir()
        (folder / "profiles.toml").write_text(f"[default]\napi_key = 'hush'\nservice_profile = '{path}'\n")
        (folder / "profiles.toml").chmod(0o600)
    with cd.Session(api_key=None if given == "profile" else "hush", **options) as session:
        assert profile_of(session).update_key == "update"


def test_the_home_directory_is_known_as_tilde(no_settings, monkeypatch, tmp_path):
    written(tmp_path / "p.json", {"update_key": "update"})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("CLICDATA_SERVICE_PROFILE", "~/p.json")
    with cd.Session(api_key="hush") as session:
        assert profile_of(session).update_key == "update"
    monkeypatch.setenv("CLICDATA_SERVICE_PROFILE", "~nobody-of-this-name/p.json")
    with pytest.raises(cd.ConfigurationError, match="home directory"):
        cd.Session(api_key="hush")


@pytest.mark.parametrize("text", ["\ud800", "ü"])
def test_any_text_can_be_kept(tmp_path, text):
    with cd.Session(api_key="hush", service_profile=tmp_path / "p.json") as session:
        profile_of(session).learn({text: text})
    with cd.Session(api_key="hush", service_profile=tmp_path / "p.json") as session:
        assert profile_of(session).found(text) == text


def test_a_file_of_the_environment_is_not_used_for_another_address(no_settings, monkeypatch, tmp_path):
    path = written(tmp_path / "p.json", {"update_key": "update"})
    monkeypatch.setenv("CLICDATA_SERVICE_PROFILE", str(path))
    assert cd.connect("sandbox")._client.service_profile.update_key is None
    with cd.Session(api_key="hush", base_url="https://api.clicdata.com/") as session:
        assert profile_of(session).update_key == "update"
    with cd.Session(api_key="hush", base_url="https://other.example") as session:
        assert profile_of(session).path != path
    with pytest.raises(cd.ConfigurationError, match="it belongs to"):
        cd.Session(api_key="hush", base_url="https://other.example", service_profile=path)
    monkeypatch.setenv("CLICDATA_BASE_URL", "https://other.example")
    with pytest.raises(cd.ConfigurationError, match="it belongs to"):
        cd.Session(api_key="hush")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is not a service profile"),
        ("[]", "it is not a service profile"),
        ('{"service_profile": 1}', "it is not a service profile"),
        ('{"service_profile": 1, "base_url": "https://api.clicdata.com", "facts": {"a": 1}}', "not a service profile"),
        ('{"service_profile": 2, "base_url": "https://api.clicdata.com", "facts": {}}', "another version"),
        ('{"service_profile": 1, "base_url": "https://other.example", "facts": {}}', "it belongs to https://other"),
        ('{"service_profile": 1, "base_url": "\\u001b[31m", "facts": {}}', r"it belongs to \\x1b\[31m"),
        (written_at("0001-01-01T00:00:00+23:00"), "it is not a service profile"),
        ("[" * 100_000, "it is not a service profile"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_if_it_was_named(tmp_path, content, reason):
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(cd.ConfigurationError, match=reason):
        cd.Session(api_key="hush", service_profile=path)


def test_a_damaged_profile_in_the_state_folder_is_replaced(serve, state, name):
    sandbox, session = serve(session={"service_profile": None})
    path = profile_of(session).path
    path.parent.mkdir(parents=True)
    path.write_text("{")
    learn(session, name)
    assert json.loads(path.read_text())["facts"]["update_key"]["found"] == "data"
    assert sandbox.requests.counts()["update"] == 2


@pytest.mark.parametrize("place", ["a folder", "in a file", "no home"])
def test_a_profile_that_cannot_be_written_is_kept_in_memory(serve, monkeypatch, tmp_path, name, place):
    path = tmp_path / "here"
    if place == "a folder":
        path.mkdir()
    elif place == "in a file":
        path.touch()
        path /= "p.json"
    sandbox, session = serve(session={"service_profile": None})
    if place == "no home":
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
    else:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "here" / "x" if place == "in a file" else path))
        if place == "a folder":
            path.chmod(0o500)
    learn(session, name)
    FRAME.assign(t="d").clicdata.update_rows(name, on="n", session=session)
    assert sandbox.requests.counts()["update"] == 4


def test_the_sandbox_of_the_process_keeps_nothing(no_settings, state, name):
    session = cd.connect("sandbox")
    learn(session, name)
    assert profile_of(session).update_key == "data"
    assert profile_of(session).path is None
    assert not list(Path(state).rglob("*.json"))


@pytest.mark.parametrize("found", ["nonsense", 7, None, ["data"], {"a": 1}])
def test_an_unknown_fact_is_as_no_fact(tmp_path, found):
    facts = dict.fromkeys(("update_key", "rows_per_insert", "find_text", "refused_rows", "unheard of"), found)
    with cd.Session(api_key="hush", service_profile=written(tmp_path / "p.json", facts)) as session:
        profile = profile_of(session)
        assert (profile.update_key, profile.max_rows, profile.drops_rows) == (None, 500, False)
        assert not profile.compares_exactly("find_text")


def test_sessions_that_learn_at_once_lose_nothing(tmp_path):
    path = tmp_path / "p.json"
    sessions = [cd.Session(api_key="hush", service_profile=path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: profile_of(sessions[at]).learn({f"fact {at}": at}), range(8)))
    assert len(json.loads(path.read_text())["facts"]) == 8
    for session in sessions:
        session.close()


def test_copies_and_pickles_know_the_same_profile(tmp_path, monkeypatch):
    import pickle

    path = written(tmp_path / "p.json", {"update_key": "update"})
    with cd.Session(api_key="hush", service_profile=path) as session:
        monkeypatch.setenv("CLICDATA_API_KEY", "hush")
        with pickle.loads(pickle.dumps(session)) as copied:
            assert profile_of(copied).update_key == "update"


# chunksize=


@pytest.mark.parametrize("write", ["push", "append", "upsert"])
def test_more_than_500_rows_are_refused_unless_the_service_is_known_to_take_them(serve, name, write):
    sandbox, session = serve("2025.3")
    frame = pd.DataFrame({"n": range(3)})
    options = {"on": "n"} if write == "upsert" else {}
    with pytest.raises(ValueError, match=r"chunksize=501 is more than the 500 rows.*\n    cd\.doctor\(write=True\)"):
        getattr(frame.clicdata, write)(name, chunksize=501, session=session, **options)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(("api_version", "limit"), [("2025.3", "none"), ("unversioned", "insert")])
def test_more_than_500_rows_are_sent_at_once_where_that_is_known(serve, name, api_version, limit):
    sandbox, _ = serve(assume=Assumptions(row_limit=limit))
    frame = pd.DataFrame({"n": range(2500)})
    known = service_profile(sandbox.url, rows_per_insert=2000)
    with signed_in(sandbox, api_version, service_profile=known) as session:
        receipt = frame.clicdata.push(name, chunksize=2000, session=session)
    assert receipt.batches == 2
    assert sorted(row["n"] for row in sandbox.ledger.rows(name)) == list(range(2500))


def test_a_limit_of_the_unversioned_service_is_a_clear_error(serve, name):
    sandbox, session = serve("unversioned", assume=Assumptions(row_limit="all"))
    with pytest.raises(cd.IncompleteWriteError, match="the limit is 500") as caught:
        pd.DataFrame({"n": range(501)}).clicdata.push(name, chunksize=501, session=session)
    assert caught.value.unsent == [(0, 501)]
    assert sandbox.ledger.rows(name) == []
