"""Sessions: they are shared between threads, are pickled without secrets, and detect the dialect once."""

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

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)


@pytest.mark.parametrize(
    ("dialect", "name", "requests"),
    # A service that does not list versions is also asked in one.
    [("both", "versioned, 2025.3", 1), ("versioned", "versioned, 2025.3", 1), ("unversioned", "unversioned", 2)],
)
def test_threads_detect_the_dialect_once(serve, dialect, name, requests):
    sandbox, session = serve("auto", dialect=dialect)
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        accounts = list(pool.map(lambda _: (barrier.wait(), session.whoami())[1], range(8)))
    assert len({account.id for account in accounts}) == 1
    assert session._client.dialect.name == name
    assert sandbox.requests.counts() == {"token": 1, "account": 8 + requests}


def test_a_given_version_takes_no_request(serve):
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


REQUIRED = {"error": {"code": "APIVersionRequired"}}
INVALID = {"success": False, "error": {"code": "InvalidVersion"}}
WRAPPED = {"success": True, "result": {"id": 7}}
BARE = {"id": 7}


@pytest.mark.parametrize(
    ("replies", "name", "requested"),
    [
        # The reply without a version and in each one, the name of the dialect, and the versions that are requested.
        ({None: BARE, "2025.3": WRAPPED}, "versioned, 2025.3", [None, "2025.3"]),
        ({None: BARE, "2025.3": INVALID, "2022.01": WRAPPED}, "versioned, 2022.01", [None, "2025.3", "2022.01"]),
        (
            {None: REQUIRED, "2025.3": INVALID, "2022.01": INVALID, "2021.08": WRAPPED},
            "versioned, 2021.08",
            [None, "2025.3", "2022.01", "2021.08"],
        ),
        ({None: BARE, "2025.3": BARE}, "unversioned", [None, "2025.3"]),
        # The parameter itself is refused.
        ({None: BARE, "2025.3": {"error": {"code": "UnknownParameter"}}}, "unversioned", [None, "2025.3"]),
        (
            {None: BARE, "2025.3": INVALID, "2022.01": INVALID, "2021.08": INVALID},
            "unversioned",
            [None, "2025.3", "2022.01", "2021.08"],
        ),
        (
            {None: REQUIRED, "2025.3": INVALID, "2022.01": INVALID, "2021.08": INVALID},
            "versioned, 2025.3",
            [None, "2025.3", "2022.01", "2021.08"],
        ),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_the_dialect_is_found_without_version_headers(http_service, replies, name, requested, status):
    received = []

    def answer(request):
        version = request.query.get("api_version")
        received.append(version)
        body = replies[version]
        return (status if "error" in body else 200), {}, json.dumps(body).encode()

    with http_service(answer) as url, cd.Session(api_key="hush", base_url=url) as session:
        assert session._client.dialect.name == name
    assert received == requested


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_failing_probe_raises(http_service, status):
    with (
        http_service(lambda request: (status, {}, b"{}")) as url,
        cd.Session(api_key="hush", base_url=url, retry=cd.RetryPolicy(attempts=1)) as session,
        pytest.raises(cd.ApiError),
    ):
        session._client.dialect  # noqa: B018


def test_an_unsupported_version_raises(serve):
    _, session = serve("2019.1")
    with pytest.raises(cd.ApiVersionError):
        session.whoami()


# Copies. Each authentication method: the arguments of a session, and the variable that makes it another account.
METHODS = {
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


class TeamSession(cd.Session):
    """A subclass of Session, as a user may define it, with another attribute."""

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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_session_is_the_session(no_settings, monkeypatch, new_sandbox, method, duplicate):
    with new_sandbox() as sandbox:
        given = METHODS[method][0](sandbox)
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
    session = TeamSession("sales", api_key="hush", base_url="http://localhost:1")
    assert duplicate(session) is session


def set_environment(monkeypatch, given):
    for variable in [each for each in os.environ if each.startswith("CLICDATA_")]:
        monkeypatch.delenv(variable)
    for name, value in given.items():
        monkeypatch.setenv(f"CLICDATA_{name.upper()}", value)


@pytest.mark.parametrize("method", METHODS)
def test_a_pickle_finds_the_credentials_of_its_own_account(serve, no_settings, monkeypatch, method):
    sandbox, _ = serve()
    arguments, variable = METHODS[method]
    given = arguments(sandbox)
    with cd.Session(**given, base_url=sandbox.url, api_version="2025.3", timeout=7) as session:
        pickled = pickle.dumps(session)
    secret_name = next(name for name in SECRETS if name in given)
    assert given[secret_name].encode() not in pickled

    def use():
        # A loaded session can be pickled again, before and after its credentials are looked up.
        session = pickle.loads(pickle.dumps(pickle.loads(pickled)))
        with session:
            account = session.whoami()
            assert pickle.loads(pickle.dumps(session)).whoami() == account
            return session

    # Without variables, or without the secret: the error names what is missing, and only the use raises it.
    for environ in ({}, {name: value for name, value in given.items() if name != secret_name}):
        set_environment(monkeypatch, environ)
        assert repr(pickle.loads(pickled)) == repr(session)
        with pytest.raises(cd.NoCredentialsError, match=f"pickled.*missing.*CLICDATA_{secret_name.upper()}") as caught:
            use()
        assert given.get("client_id", "API key") in str(caught.value)
        assert given[secret_name] not in str(caught.value)

    # The credentials of another account, also with another method.
    another = {**given, variable.lower(): "another"}
    for environ in (another, {**another, "auth_method": "basic"}):
        set_environment(monkeypatch, environ)
        sandbox.requests.clear()
        with pytest.raises(cd.ConfigurationError, match="belong to another account") as refused:
            use()
        assert not isinstance(refused.value, cd.NoCredentialsError)
        assert given[secret_name] not in str(caught.value)
        assert len(sandbox.requests) == 0
    set_environment(
        monkeypatch, {"client_id": "x", "client_secret": "x", "api_key": "x", "username": "x", "password": "x"}
    )
    with pytest.raises(cd.ConfigurationError, match="belong to another account"):
        use()

    # Its own credentials, also with another address, or only the secret.
    for environ in (given, {**given, "base_url": "https://elsewhere.example"}, {secret_name: given[secret_name]}):
        set_environment(monkeypatch, environ)
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
    no_retry = cd.RetryPolicy(attempts=1)
    pickled = pickle.dumps(
        cd.Session(client_id="acme", client_secret="old", base_url="http://localhost:1", retry=no_retry)
    )
    set_environment(monkeypatch, {"client_id": "acme", "client_secret": "new"})
    with pytest.raises(cd.ConnectionFailedError):
        pickle.loads(pickled).whoami()


def test_a_pickle_uses_its_profile(serve, no_settings, monkeypatch):
    sandbox, _ = serve()
    path = _config.profile_path()
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text(f'[work]\napi_key = "{sandbox.api_key}"\n[other]\napi_key = "another"\n')
    path.chmod(0o600)
    pickled = pickle.dumps(cd.Session(profile="work", base_url=sandbox.url))
    monkeypatch.setenv("CLICDATA_PROFILE", "other")
    with pickle.loads(pickled) as session:
        assert session.whoami().id is not None
    path.unlink()
    with pytest.raises(cd.NoCredentialsError, match="no profile 'work'"):
        pickle.loads(pickled).whoami()


def test_a_pickle_of_a_resource_stays_on_its_account(serve, no_settings, monkeypatch):
    sandbox, session = serve()
    cd.SessionManager.bind_session(session)
    for resource in (cd.Data(), cd.Data(session), cd.Account()):
        loaded = pickle.loads(pickle.dumps(resource))
        set_environment(monkeypatch, {"api_key": "another"})
        with pytest.raises(cd.NoCredentialsError, match="CLICDATA_CLIENT_SECRET"):
            loaded.session.whoami()
        set_environment(monkeypatch, {"client_secret": sandbox.client_secret})
        assert loaded.session.whoami().id is not None
        loaded.session.close()


def test_a_pickle_of_a_subclass_keeps_its_attributes(no_settings):
    loaded = pickle.loads(pickle.dumps(TeamSession("sales", api_key="hush", base_url="http://localhost:1")))
    assert (type(loaded), loaded.team, loaded.base_url) == (TeamSession, "sales", "http://localhost:1")


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


def test_connect_binds_the_default_session(serve, no_settings):
    sandbox, _ = serve()
    with preserve_default_session():
        session = cd.connect(api_key=sandbox.api_key, base_url=sandbox.url)
        assert default_session() is session
        session.close()


def test_a_manager_creates_its_session_on_first_use(no_settings):
    manager = cd.SessionManager()
    assert manager._session is None
    with pytest.raises(cd.NoCredentialsError):
        manager.session  # noqa: B018


def test_a_manager_creates_one_session_for_all_threads(no_settings):
    with cd.SessionManager(api_key="hush", base_url="http://localhost:1") as manager:
        barrier = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(lambda _: (barrier.wait(), manager.session)[1], range(8)))
        assert len(set(map(id, created))) == 1
    assert manager._session is None


def test_a_manager_with_parameters_binds_the_default_session(serve, no_settings, name):
    sandbox, _ = serve()
    other, other_session = serve()
    manager = cd.SessionManager(client_id=sandbox.client_id, client_secret=sandbox.client_secret, base_url=sandbox.url)
    assert manager._session is None
    assert len(sandbox.requests) == 0
    pd.DataFrame({"a": [1]}).clicdata.push(name)
    assert sandbox.ledger.count(name) == 1
    assert manager._session is manager.session is default_session() is cd.SessionManager.get_session()
    # A session that is bound later is the default; the manager keeps its own session.
    cd.SessionManager.bind_session(other_session)
    pd.DataFrame({"a": [1, 2]}).clicdata.push(name)
    assert other.ledger.count(name) == 2
    assert manager.session is not default_session() is other_session
    connected = cd.connect(api_key=sandbox.api_key, base_url=sandbox.url)
    assert default_session() is connected is not manager.session
    connected.close()
    manager.close()


def test_threads_that_use_the_default_session_first_share_one_session(no_settings):
    with cd.SessionManager(api_key="hush", base_url="http://localhost:1") as manager:
        barrier = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(lambda _: (barrier.wait(), default_session())[1], range(8)))
        assert set(map(id, created)) == {id(manager.session)}


def test_a_manager_without_parameters_binds_nothing(no_settings, monkeypatch):
    bound = cd.SessionManager(api_key="hush", base_url="http://localhost:1")
    monkeypatch.setenv("CLICDATA_API_KEY", "another")
    with cd.SessionManager() as manager:
        assert manager.session is not bound.session
        assert default_session() is bound.session
    assert default_session() is bound.session


def test_a_manager_that_cannot_be_created_binds_nothing(no_settings):
    with cd.Session(api_key="hush", base_url="http://localhost:1") as session:
        cd.SessionManager.bind_session(session)
        with pytest.raises(cd.ConfigurationError):
            cd.SessionManager(api_key="hush", proxies="http://localhost:2")
        assert default_session() is session


def test_after_with_the_default_session_is_restored(no_settings):
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


def test_within_with_the_session_of_the_manager_is_the_default(no_settings):
    """Also on the second use, and if another session was bound since: otherwise rows would go to another account."""
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
def test_preserve_default_session_restores_the_session(no_settings, monkeypatch, bound):
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
def test_only_a_session_can_be_bound(no_settings, session):
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
    texts = re.findall(r">([^<>]+)<", account._repr_html_())
    assert texts[0] == "ClicData account"
    shown = list(zip(texts[1::2], texts[2::2], strict=True))
    assert dict(shown) == {name: str(value) for name, value in account.fields.items()}
    assert len(shown) == len(account.fields)


def test_connect_to_the_sandbox(no_settings):
    with preserve_default_session():
        session = cd.connect("sandbox", api_version="2025.3")
        assert session.whoami().id is not None
        session.close()
        with pytest.raises(cd.ConfigurationError, match="no credentials and no address"):
            cd.connect("sandbox", api_key="hush")


def test_a_target_that_is_the_name_of_a_profile_is_suggested_as_profile(no_settings, tmp_path):
    def message(target):
        with pytest.raises(cd.ConfigurationError, match='takes the target "sandbox" only') as caught:
            cd.connect(target)
        return str(caught.value)

    for target in ("prod", "production"):
        assert f'cd.connect(profile="{target}")' in message(target)
    assert 'cd.connect(profile="…")' in message("hush of acme")
    folder = tmp_path / "pandas_clicdata"
    folder.mkdir()
    for text in ("[x", '["hush of acme"]\napi_key = "hush"\n'):
        (folder / "profiles.toml").write_text(text)
        shown = "…" if text == "[x" else "hush of acme"
        assert f'cd.connect(profile="{shown}")' in message("hush of acme")
    assert "base_url=" in message("https://me:hush@api.clicdata.com")
    assert "hush" not in message("https://me:hush@api.clicdata.com")


def test_settings_of_an_account_do_not_apply_to_the_sandbox(no_settings, monkeypatch, new_sandbox):
    monkeypatch.setenv("CLICDATA_API_VERSION", "2019.1")
    with preserve_default_session():
        assert cd.connect("sandbox").whoami().id is not None
        with new_sandbox() as sandbox:
            assert sandbox.connect().whoami().id is not None


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_process_does_not_stop_the_sandbox_of_its_parent():
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


def test_proxies_of_the_environment_are_not_used_for_localhost(monkeypatch, new_sandbox):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with new_sandbox() as sandbox, cd.Session(api_key=sandbox.api_key, base_url=sandbox.url) as session:
        assert session.whoami().id is not None


def test_half_made_objects_have_a_repr():
    session = cd.Session.__new__(cd.Session)
    manager = cd.SessionManager.__new__(cd.SessionManager)
    assert repr(session) == "<Session that could not be made>"
    assert session._repr_html_() == "&lt;Session that could not be made&gt;"
    assert repr(manager) == "<SessionManager: no session yet>"
    manager._session = session
    assert repr(manager) == "<SessionManager: <Session that could not be made>>"
