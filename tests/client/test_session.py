"""The session: shared between threads, pickled without its secrets, one dialect found out once."""

import contextlib
import copy
import dataclasses
import hashlib
import inspect
import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata import _config, errors
from pandas_clicdata.session import default_session, preserve_default_session

# Each value of each parameter by default; all of their combinations are slow.
pytestmark = pytest.mark.sampled(1)


@pytest.mark.parametrize(
    ("dialect", "name"),
    [("both", "versioned, 2025.3"), ("versioned", "versioned, 2025.3"), ("unversioned", "unversioned")],
)
def test_threads_find_out_the_dialect_with_one_request(serve, dialect, name):
    sandbox, session = serve("auto", dialect=dialect)
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        accounts = list(pool.map(lambda _: (barrier.wait(), session.whoami())[1], range(8)))
    assert len({account.id for account in accounts}) == 1
    assert session._client.dialect.name == name
    assert sandbox.requests.counts() == {"token": 1, "account": 9}


def test_a_version_that_is_given_costs_no_request(serve):
    sandbox, session = serve("2025.3")
    session.whoami()
    assert sandbox.requests.counts() == {"token": 1, "account": 1}


def test_a_probe_that_fails_is_not_remembered(serve):
    sandbox, session = serve("auto", dialect="unversioned")
    sandbox.faults.status(500, operation="account", times=3)
    with pytest.raises(cd.ServerError):
        session.whoami()
    session.whoami()
    assert session._client.dialect.name == "unversioned"


@pytest.mark.parametrize(
    ("status", "headers", "body", "name"),
    [
        (200, {"api-supported-versions": "2021.08, 2022.01"}, {}, "versioned, 2022.01"),
        (200, {"API-Supported-Versions": "2022.01,2025.3,2031.1"}, {}, "versioned, 2025.3"),
        (200, {"API-Supported-Versions": "\x1b[31m2025.3, 2022.01\x9b, hush"}, {}, "unversioned"),
        (400, {"api-supported-versions": "2022.01"}, {"error": {"code": "APIVersionRequired"}}, "versioned, 2022.01"),
        (200, {}, {"error": {"code": "APIVersionRequired", "description": "…"}}, "versioned, 2025.3"),
        (200, {}, {"Error": {"Code": "apiversionrequired"}}, "versioned, 2025.3"),
        (200, {}, {"ErrorCode": "APIVersionRequired"}, "versioned, 2025.3"),
        (200, {}, {"id": 7, "name": "Acme"}, "unversioned"),
        (403, {}, {"error": {"code": "Forbidden"}}, "unversioned"),
        (403, {}, {"success": False, "error": {"code": "Forbidden"}}, "versioned, 2025.3"),
        (404, {}, {"message": "no such route"}, "unversioned"),
    ],
)
def test_the_dialect_is_recognized_by_the_reply(http_service, status, headers, body, name):
    with (
        http_service(lambda request: (status, headers, json.dumps(body).encode())) as url,
        cd.Session(api_key="hush", base_url=url) as session,
    ):
        assert session._client.dialect.name == name


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_failing_probe_raises(http_service, status):
    with (
        http_service(lambda request: (status, {}, b"{}")) as url,
        cd.Session(api_key="hush", base_url=url, retry=cd.RetryPolicy(attempts=1)) as session,
        pytest.raises(cd.ApiError),
    ):
        session._client.dialect  # noqa: B018


def test_a_version_that_is_not_spoken(serve):
    _, session = serve("2019.1")
    with pytest.raises(cd.ApiVersionError):
        session.whoami()


# Copies. Each way to sign in with: what a session is given, the variables that make another account, and the one that
# holds the secret.
WAYS = {
    "client_credentials": (lambda box: {"client_id": box.client_id, "client_secret": box.client_secret}, "CLIENT_ID"),
    "basic": (
        lambda box: {"client_id": box.client_id, "username": box.username, "password": box.password},
        "USERNAME",
    ),
    "basic with another client id": (
        lambda box: {"client_id": box.client_id, "username": box.username, "password": box.password},
        "CLIENT_ID",
    ),
    "api_key": (lambda box: {"api_key": box.api_key}, "API_KEY"),
}
SECRETS = ("client_secret", "password", "api_key")


@dataclasses.dataclass
class Job:
    session: cd.Session


class OfTeam(cd.Session):
    """A session of a user's own kind, with what it is not made of."""

    def __init__(self, team, **settings):
        super().__init__(**settings)
        self.team = team


def with_attrs(session):
    frame = pd.DataFrame({"n": [1]})
    frame.attrs["session"] = session
    return frame


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy of a list": lambda session: copy.deepcopy([session])[0],
    "asdict": lambda session: dataclasses.asdict(Job(session))["session"],
    "replace": lambda session: dataclasses.replace(Job(session)).session,
    "attrs": lambda session: with_attrs(session).head().attrs["session"],
    "attrs of a column": lambda session: with_attrs(session)["n"].attrs["session"],
    "attrs of a copy": lambda session: with_attrs(session).copy().attrs["session"],
    "attrs of a concat": lambda session: pd.concat([with_attrs(session)] * 2).attrs["session"],
    "a resource": lambda session: copy.copy(cd.Data(session)).session,
    "a deep copy of a resource": lambda session: copy.deepcopy(cd.Data(session)).session,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_session_is_the_session(no_settings, monkeypatch, new_sandbox, way, duplicate):
    with new_sandbox() as sandbox:
        given = WAYS[way][0](sandbox)
        for variable in given:
            monkeypatch.setenv(f"CLICDATA_{variable.upper()}", "another")
        session = cd.Session(**given, base_url=sandbox.url)
        assert duplicate(session) is session
        assert duplicate(session).whoami().id is not None
        session.close()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_manager_is_the_manager(no_settings, monkeypatch, duplicate):
    monkeypatch.setenv("CLICDATA_API_KEY", "another")
    with cd.SessionManager(api_key="hush", base_url="http://localhost:1") as manager:
        assert duplicate(manager) is manager
        assert duplicate(manager).session is cd.SessionManager.get_session()
        with pytest.raises(TypeError, match=r"Pickle its session .* manager\.session"):
            pickle.dumps(manager)
    session = OfTeam("sales", api_key="hush", base_url="http://localhost:1")
    assert duplicate(session) is session


def settings_of(monkeypatch, given):
    for variable in [each for each in os.environ if each.startswith("CLICDATA_")]:
        monkeypatch.delenv(variable)
    for name, value in given.items():
        monkeypatch.setenv(f"CLICDATA_{name.upper()}", value)


@pytest.mark.parametrize("way", WAYS)
def test_a_pickle_finds_the_credentials_of_its_own_account(serve, no_settings, monkeypatch, way):
    sandbox, _ = serve()
    give, differs = WAYS[way]
    given = give(sandbox)
    with cd.Session(**given, base_url=sandbox.url, api_version="2025.3", timeout=7) as session:
        frozen = pickle.dumps(session)
    secret = next(name for name in SECRETS if name in given)
    assert given[secret].encode() not in frozen

    def use():
        # A pickle of what was loaded is as good, before its credentials are looked up and after.
        session = pickle.loads(pickle.dumps(pickle.loads(frozen)))
        with session:
            account = session.whoami()
            assert pickle.loads(pickle.dumps(session)).whoami() == account
            return session

    # Nothing there, or all but the secret: it says what is missing, and loading itself fails for nothing.
    for there in ({}, {name: value for name, value in given.items() if name != secret}):
        settings_of(monkeypatch, there)
        assert repr(pickle.loads(frozen)) == repr(session)
        with pytest.raises(cd.NoCredentialsError, match=f"pickled.*missing.*CLICDATA_{secret.upper()}") as caught:
            use()
        assert given.get("client_id", "API key") in str(caught.value)
        assert given[secret] not in str(caught.value)

    # Those of another account, also beside an account of another kind.
    another = {**given, differs.lower(): "another"}
    for there in (another, {**another, "auth_method": "basic"}):
        settings_of(monkeypatch, there)
        sandbox.requests.clear()
        with pytest.raises(cd.ConfigurationError, match="belong to another account") as refused:
            use()
        assert not isinstance(refused.value, cd.NoCredentialsError)
        assert given[secret] not in str(caught.value)
        assert len(sandbox.requests) == 0
    settings_of(monkeypatch, {"client_id": "x", "client_secret": "x", "api_key": "x", "username": "x", "password": "x"})
    with pytest.raises(cd.ConfigurationError, match="belong to another account"):
        use()

    # Its own, whatever else there is; and the public ones need not be said again.
    for there in (given, {**given, "base_url": "https://elsewhere.example"}, {secret: given[secret]}):
        settings_of(monkeypatch, there)
        loaded = use()
        assert (loaded.base_url, loaded._client.dialect.name) == (sandbox.url, "versioned, 2025.3")
        assert loaded._client.transport.timeout == (7, 7)
        assert loaded._client.account_label == session._client.account_label


def test_a_pickle_finds_credentials_that_are_given_after_it_is_loaded(serve, no_settings, monkeypatch):
    sandbox, _ = serve()
    session = pickle.loads(pickle.dumps(cd.Session(api_key=sandbox.api_key, base_url=sandbox.url)))
    with pytest.raises(cd.NoCredentialsError):
        session.whoami()
    monkeypatch.setenv("CLICDATA_API_KEY", sandbox.api_key)
    assert session.whoami().id is not None
    session.close()


def test_a_new_secret_of_the_same_client_is_the_same_account(no_settings, monkeypatch):
    once = cd.RetryPolicy(attempts=1)
    frozen = pickle.dumps(cd.Session(client_id="acme", client_secret="old", base_url="http://localhost:1", retry=once))
    settings_of(monkeypatch, {"client_id": "acme", "client_secret": "new"})
    with pytest.raises(cd.ConnectionFailedError):
        pickle.loads(frozen).whoami()


def test_a_pickle_uses_its_profile(serve, no_settings, monkeypatch):
    sandbox, _ = serve()
    path = _config.profile_path()
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text(f'[work]\napi_key = "{sandbox.api_key}"\n[other]\napi_key = "another"\n')
    path.chmod(0o600)
    frozen = pickle.dumps(cd.Session(profile="work", base_url=sandbox.url))
    monkeypatch.setenv("CLICDATA_PROFILE", "other")
    with pickle.loads(frozen) as session:
        assert session.whoami().id is not None
    path.unlink()
    with pytest.raises(cd.NoCredentialsError, match="no profile 'work'"):
        pickle.loads(frozen).whoami()


def test_a_pickle_of_a_resource_stays_on_its_account(serve, no_settings, monkeypatch):
    sandbox, session = serve()
    cd.SessionManager.bind_session(session)
    for resource in (cd.Data(), cd.Data(session), cd.Account()):
        loaded = pickle.loads(pickle.dumps(resource))
        settings_of(monkeypatch, {"api_key": "another"})
        with pytest.raises(cd.NoCredentialsError, match="CLICDATA_CLIENT_SECRET"):
            loaded.session.whoami()
        settings_of(monkeypatch, {"client_secret": sandbox.client_secret})
        assert loaded.session.whoami().id is not None
        loaded.session.close()


def test_a_pickle_of_a_subclass_keeps_its_attributes(no_settings):
    loaded = pickle.loads(pickle.dumps(OfTeam("sales", api_key="hush", base_url="http://localhost:1")))
    assert (type(loaded), loaded.team, loaded.base_url) == (OfTeam, "sales", "http://localhost:1")


def test_a_worker_process_says_which_credentials_are_missing(serve, no_settings):
    _, session = serve()
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(cd.NoCredentialsError, match="CLICDATA_CLIENT_SECRET"),
    ):
        pool.submit(cd.Session.whoami, session).result(timeout=60)


def test_fingerprints_of_keys_differ_and_do_not_contain_them(no_settings):
    keys = ["hush", "hush2", "Hush", "hus", ""]
    labels = [cd.Session(api_key=key or "x", base_url="http://localhost:1")._client.account_label for key in keys]
    assert len(set(labels)) == len(keys)
    assert cd.Session(api_key="hush", base_url="http://localhost:1")._client.account_label == labels[0]
    for digest in ("md5", "sha1", "sha256", "sha512", "blake2b"):
        assert hashlib.new(digest, b"hush").hexdigest()[:16] not in labels[0]
    assert "hush" not in labels[0]


ERRORS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("duplicate", [lambda exc: pickle.loads(pickle.dumps(exc)), copy.copy, copy.deepcopy])
def test_errors_pickle_and_keep_their_fields(kind, duplicate):
    fields: dict[str, Any] = {}
    for base in kind.__mro__:
        if issubclass(base, cd.ClicDataError):
            fields |= dict.fromkeys(
                name
                for name, parameter in inspect.signature(base.__init__).parameters.items()
                if parameter.kind is parameter.KEYWORD_ONLY
            )
    ranges = {"confirmed", "unknown", "unsent"}
    values: dict[str, Any] = {
        name: [(0, 5)] if name in ranges else [(name, "a", "b")] if name == "differing" else name for name in fields
    }
    values |= {name: [name] for name in ("missing", "extra", "differences", "names") if name in fields}
    values |= {name: {name: 1} for name in ("record",) if name in fields}
    error = kind("What happened.", **values)
    error.add_note("and more")
    again = duplicate(error)
    assert type(again) is kind
    assert str(again) == str(error) == "What happened."
    assert vars(again) == vars(error)
    for name, value in values.items():
        assert getattr(again, name) == value


def test_the_shared_session_is_bound_by_connect(serve, no_settings):
    sandbox, _ = serve()
    with preserve_default_session():
        session = cd.connect(api_key=sandbox.api_key, base_url=sandbox.url)
        assert default_session() is session
        session.close()


def test_a_session_without_credentials_is_made_only_when_it_is_used(no_settings):
    manager = cd.SessionManager()
    assert manager._session is None
    with pytest.raises(cd.NoCredentialsError):
        manager.session  # noqa: B018


def test_a_manager_makes_one_session_for_all_threads(no_settings):
    with cd.SessionManager(api_key="hush", base_url="http://localhost:1") as manager:
        barrier = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: (barrier.wait(), manager.session)[1], range(8)))
        assert len(set(map(id, made))) == 1
    assert manager._session is None


def test_a_manager_with_parameters_is_what_everything_uses(serve, no_settings, name):
    sandbox, _ = serve()
    other, other_session = serve()
    manager = cd.SessionManager(client_id=sandbox.client_id, client_secret=sandbox.client_secret, base_url=sandbox.url)
    assert manager._session is None
    assert len(sandbox.requests) == 0
    pd.DataFrame({"a": [1]}).clicdata.push(name)
    assert sandbox.ledger.count(name) == 1
    assert manager._session is manager.session is default_session() is cd.SessionManager.get_session()
    # What is bound later takes its place, and it keeps its own.
    cd.SessionManager.bind_session(other_session)
    pd.DataFrame({"a": [1, 2]}).clicdata.push(name)
    assert other.ledger.count(name) == 2
    assert manager.session is not default_session() is other_session
    connected = cd.connect(api_key=sandbox.api_key, base_url=sandbox.url)
    assert default_session() is connected is not manager.session
    connected.close()
    manager.close()


def test_threads_that_use_a_manager_first_share_its_one_session(no_settings):
    with cd.SessionManager(api_key="hush", base_url="http://localhost:1") as manager:
        barrier = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: (barrier.wait(), default_session())[1], range(8)))
        assert set(map(id, made)) == {id(manager.session)}


def test_a_manager_without_parameters_binds_nothing(no_settings, monkeypatch):
    bound = cd.SessionManager(api_key="hush", base_url="http://localhost:1")
    monkeypatch.setenv("CLICDATA_API_KEY", "another")
    with cd.SessionManager() as manager:
        assert manager.session is not bound.session
        assert default_session() is bound.session
    assert default_session() is bound.session


def test_a_manager_that_cannot_be_made_binds_nothing(no_settings):
    with cd.Session(api_key="hush", base_url="http://localhost:1") as session:
        cd.SessionManager.bind_session(session)
        with pytest.raises(cd.ConfigurationError):
            cd.SessionManager(api_key="hush", proxies="http://localhost:2")
        assert default_session() is session


def test_after_with_a_manager_is_no_longer_what_everything_uses(no_settings):
    with cd.Session(api_key="hush", base_url="http://localhost:1") as session:
        cd.SessionManager.bind_session(session)
        with cd.SessionManager(api_key="hush", base_url="http://localhost:2") as manager:
            assert default_session() is manager.session
        assert default_session() is session
        assert manager._session is None
        with cd.SessionManager(api_key="hush", base_url="http://localhost:2") as manager:
            cd.SessionManager.bind_session(manager.session)
            kept = manager.session
        assert default_session() is kept, "what was bound since is not undone"


def test_within_with_a_manager_is_what_everything_uses(no_settings):
    """Also the second time, and if something else was bound since it was made: else rows go to another account."""
    with cd.Session(api_key="hush", base_url="http://localhost:1") as session:
        manager = cd.SessionManager(api_key="hush", base_url="http://localhost:2")
        cd.SessionManager.bind_session(session)
        for _ in range(2):
            with manager:
                assert default_session() is manager.session
                with cd.SessionManager(api_key="hush", base_url="http://localhost:3") as other:
                    with manager:
                        assert default_session() is manager.session
                    assert default_session() is other.session
                assert default_session() is manager.session
            assert default_session() is session


def test_managers_may_end_in_any_order(no_settings):
    with cd.Session(api_key="hush", base_url="http://localhost:1") as session:
        cd.SessionManager.bind_session(session)
        first, second = (cd.SessionManager(api_key="hush", base_url=f"http://localhost:{port}") for port in (2, 3))
        for manager in (first, second):
            manager.__exit__(None, None, None)
        assert default_session() is session


@pytest.mark.parametrize("bound", [False, True])
def test_the_shared_session_is_kept_as_it_was(no_settings, monkeypatch, bound):
    monkeypatch.setenv("CLICDATA_API_KEY", "hush")
    if bound:
        before = default_session()
    with preserve_default_session():
        within = default_session()
        with preserve_default_session():
            cd.SessionManager(api_key="other", base_url="http://localhost:1")
            assert default_session().base_url == "http://localhost:1"
        assert default_session() is within
    if bound:
        assert default_session() is before is within
    else:
        assert default_session() is not within


@pytest.mark.parametrize("session", [None, "sandbox", cd.Session, cd.SessionManager()])
def test_what_is_no_session_is_not_bound(no_settings, session):
    with pytest.raises(TypeError, match="argument of bind_session must be a Session"):
        cd.SessionManager.bind_session(session)


def test_a_closed_session_can_be_used_again(serve):
    _, session = serve()
    session.whoami()
    session.close()
    assert session.whoami().id is not None


def test_whoami(serve):
    _, session = serve()
    account = session.whoami()
    assert account.fields["id"] == account.id
    assert isinstance(account.name, str)
    assert pickle.loads(pickle.dumps(account)) == account
    assert dataclasses.asdict(account)["fields"] == account.fields
    shown = re.findall(r"<th[^>]*>(.*?)</th><td>(.*?)</td>", account._repr_html_())
    assert dict(shown) == {name: str(value) for name, value in account.fields.items()}
    assert len(shown) == len(account.fields)


def test_the_sandbox_as_a_target(no_settings):
    with preserve_default_session():
        session = cd.connect("sandbox", api_version="2025.3")
        assert session.whoami().id is not None
        session.close()
        with pytest.raises(cd.ConfigurationError, match="no credentials and no address"):
            cd.connect("sandbox", api_key="hush")
        with pytest.raises(cd.ConfigurationError, match='"sandbox"'):
            cd.connect("production")


def test_what_is_set_for_an_account_is_not_meant_for_the_sandbox(no_settings, monkeypatch, new_sandbox):
    monkeypatch.setenv("CLICDATA_API_VERSION", "2019.1")
    with preserve_default_session():
        assert cd.connect("sandbox").whoami().id is not None
        with new_sandbox() as sandbox:
            assert sandbox.connect().whoami().id is not None


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_process_leaves_the_sandbox_to_its_parent():
    code = (
        "import os, warnings; warnings.simplefilter('ignore'); import pandas_clicdata as cd\n"
        "session = cd.connect('sandbox')\n"
        "child = os.fork()\n"
        "if child: assert os.waitpid(child, 0)[1] == 0; print(session.whoami().id is not None)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert run.communicate(timeout=30)[0].strip() == "True"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def test_proxies_of_the_environment_are_not_used_for_this_machine(monkeypatch, new_sandbox):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with new_sandbox() as sandbox, cd.Session(api_key=sandbox.api_key, base_url=sandbox.url) as session:
        assert session.whoami().id is not None
