"""Signing in by questions: what is asked, checked, stored and removed, and what never is."""

import contextlib
import os
import re
import shlex
import socket
import stat
import sys
import tempfile
import threading
import tomllib
import traceback
import webbrowser
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import keyring
import keyring.backends.fail
import keyring.backends.null
import pexpect
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.manager import KernelManager
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata import _config
from pandas_clicdata._config import changed_toml
from pandas_clicdata.client.token_file import TokenFile
from pandas_clicdata.sandbox import Sandbox

CANARY = "Cn7x-Q4-canary"
QUICK = cd.RetryPolicy(attempts=1)
METHODS = ("client_credentials", "basic", "api_key")


@pytest.fixture(autouse=True)
def home(no_settings, monkeypatch, tmp_path):
    """Use temporary folders of the user, and no display."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "JUPYTERHUB_USER", "JUPYTERHUB_SERVICE_PREFIX"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def sandbox():
    # The credentials do not depend on where the sandbox runs.
    with Sandbox() as running:
        yield running


@pytest.fixture
def system_keyring():
    """Use a keyring in memory as that of the system."""
    before = keyring.get_keyring()

    class Memory(keyring.backend.KeyringBackend):
        priority = 1.0

        def __init__(self):
            super().__init__()
            self.entries: dict[tuple[str, str], str] = {}

        def get_password(self, service, username):
            return self.entries.get((service, username))

        def set_password(self, service, username, password):
            self.entries[service, username] = password

        def delete_password(self, service, username):
            del self.entries[service, username]

    memory = Memory()
    keyring.set_keyring(memory)
    yield memory.entries
    keyring.set_keyring(before)


@pytest.fixture
def opened(monkeypatch):
    """Return a function that registers a browser, which is a function of the address that it opens."""
    monkeypatch.setattr(webbrowser, "_browsers", {})
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    addresses = []

    def register(visit):
        class Browser(webbrowser.BaseBrowser):
            def open(self, url, new=0, autoraise=True):
                addresses.append(url)
                visit(url)
                return True

        webbrowser.register("test", None, Browser(), preferred=True)
        return addresses

    return register


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def credentials(sandbox, method):
    client = {"client_id": sandbox.client_id}
    return {
        "client_credentials": {**client, "client_secret": sandbox.client_secret},
        "basic": {**client, "username": sandbox.username, "password": sandbox.password},
        "api_key": {"api_key": sandbox.api_key},
    }[method]


def profile_file():
    path = _config.profile_path()
    assert path is not None
    return path


def write_profiles(text, mode=0o600):
    path = profile_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


def stored(profile="default"):
    return tomllib.loads(profile_file().read_text("utf-8"))[profile]


def files_of(home):
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"}


# what is stored


@pytest.mark.parametrize("method", METHODS)
def test_accepted_credentials_are_stored_and_used_from_then_on(sandbox, method):
    given = credentials(sandbox, method)
    session = cd.login(base_url=sandbox.url, **given)
    assert cd.SessionManager.get_session() is session
    assert stored() == {"auth_method": method, **given, "base_url": sandbox.url}
    if os.name == "posix":
        assert stat.S_IMODE(profile_file().stat().st_mode) == 0o600
        assert stat.S_IMODE(profile_file().parent.stat().st_mode) == 0o700
    assert cd.connect().whoami().name == "Sandbox"
    with cd.Session() as another:
        assert another.auth_method == method


@pytest.mark.parametrize("method", METHODS)
def test_refused_credentials_are_not_stored(sandbox, home, method):
    secret = {"client_credentials": "client_secret", "basic": "password"}.get(method, method)
    with pytest.raises(cd.AuthenticationError):
        cd.login(base_url=sandbox.url, **{**credentials(sandbox, method), secret: "wrong"})
    assert files_of(home) == {}
    with pytest.raises(cd.NoCredentialsError, match=re.escape("cd.login()")):
        cd.SessionManager.get_session()


def test_credentials_that_could_not_be_checked_are_not_stored(sandbox, home):
    with pytest.raises(cd.TransportError):
        cd.login(api_key="key", base_url=f"http://127.0.0.1:{free_port()}", retry=QUICK)
    assert files_of(home) == {}


@pytest.mark.parametrize(("body", "accepted"), [(b"Blocked by the proxy", False), (b"", True)])
def test_a_403_counts_as_known_credentials_only_with_a_code_of_the_service(http_service, body, accepted):
    own = b'{"error": {"code": "Forbidden", "description": "The scope account_read is missing."}}'
    answer = (403, {"Content-Type": "application/json"}, body or own)
    with http_service(lambda request: answer) as url:
        if accepted:
            with pytest.warns(cd.NotCheckedWarning, match="may not read the account"):
                cd.login(api_key="key", base_url=url, api_version="unversioned", retry=QUICK)
            assert stored()["api_key"] == "key"
        else:
            with pytest.raises(cd.PermissionDeniedError):
                cd.login(api_key="key", base_url=url, api_version="unversioned", retry=QUICK)
            assert not profile_file().exists()


OTHERS = """# My accounts
[work]  # the office
api_key = "of work"

# At home
[default]
client_id = 'old' # mine
client_secret = "old \\"hush\\" # no comment"
service_profile = "/srv/profile.json"
# The end of default

["two words"]
api_key = "of two words"
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_profiles_and_all_comments_stay(sandbox, end):
    write_profiles(OTHERS.replace("\n", end))
    cd.login(base_url=sandbox.url, **credentials(sandbox, "client_credentials"))
    new = f'auth_method = "client_credentials"\nbase_url = "{sandbox.url}"\n'
    expected = (
        OTHERS.replace("'old' # mine", f'"{sandbox.client_id}" # mine')
        .replace('"old \\"hush\\" # no comment"', f'"{sandbox.client_secret}"')
        .replace('service_profile = "/srv/profile.json"\n', "")
        .replace("# The end of default\n", f"# The end of default\n{new}")
    )
    assert profile_file().read_bytes().decode() == expected.replace("\n", end)
    cd.login(base_url=sandbox.url, profile="two words", **credentials(sandbox, "api_key"))
    assert profile_file().read_bytes().decode().startswith(expected.partition('["two')[0].replace("\n", end))
    assert stored("two words")["api_key"] == sandbox.api_key
    cd.login(base_url=sandbox.url, profile="new", **credentials(sandbox, "api_key"))
    assert [*tomllib.loads(profile_file().read_text("utf-8"))] == ["work", "default", "two words", "new"]


def test_the_service_profile_of_the_same_address_stays(sandbox):
    write_profiles(f'[default]\nbase_url = "{sandbox.url}"\nservice_profile = "/srv/p.json"\napi_version = "2025.3"\n')
    cd.login(**credentials(sandbox, "api_key"))
    assert stored()["service_profile"] == "/srv/p.json"
    assert (stored()["api_version"], stored()["base_url"]) == ("2025.3", sandbox.url)


@pytest.mark.parametrize(
    "text",
    [
        'default = {api_key = "old"}\n',
        '[default]\napi_key = """old\n"""\n',
        '[default]\n"api_key" = "old"\n',
        'default.api_key = "old"\n[work]\napi_key = """\n[default]\n"""\n',
        '[work]\napi_key = """\n[default]\n"""\n',
    ],
)
def test_a_file_of_any_form_is_changed(sandbox, text):
    path = write_profiles(text)
    before = tomllib.loads(text)
    cd.login(base_url=sandbox.url, **credentials(sandbox, "api_key"))
    assert stored()["api_key"] == sandbox.api_key
    assert {**tomllib.loads(path.read_text()), "default": None} == {**before, "default": None}


def make_unwritable(path):
    """Let the profile file be one that cannot be locked."""
    lock = path.with_name(f"{path.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir(parents=True)


def test_a_file_that_cannot_be_written_stays_as_it_is(sandbox):
    path = write_profiles(OTHERS)
    make_unwritable(path)
    with pytest.raises(cd.ConfigurationError, match="cannot be written"):
        cd.login(base_url=sandbox.url, **credentials(sandbox, "api_key"))
    assert path.read_text() == OTHERS


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
)
def test_every_text_can_be_stored(table, changes):
    old = {"other": {"a": "1"}, "x": {"a": "0", "b": "2"}}
    text = changed_toml('# first\n[other]\na = "1"\n[x]\na = "0"\nb = "2" # last', table, changes)
    new = {**old.get(table, {}), **{name: value for name, value in changes.items() if value is not None}}
    expected = {**old, table: {name: value for name, value in new.items() if changes.get(name, "") is not None}}
    assert tomllib.loads(text) == expected
    assert text.startswith("# first\n")


# where it is stored


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_file_that_others_can_read_is_refused_before_a_request(sandbox, mode):
    path = write_profiles(OTHERS, mode)
    with pytest.raises(cd.ConfigurationError, match="chmod 600"):
        cd.login(api_key="key", base_url="http://127.0.0.1:1")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (OTHERS, mode)


@pytest.mark.skipif(os.name != "posix", reason="links and owners of POSIX")
def test_a_link_to_an_own_file_stays_and_others_are_refused(sandbox, home):
    path = profile_file()
    path.parent.mkdir(parents=True)
    target = home / "dotfiles.toml"
    path.symlink_to(target)
    with pytest.raises(cd.ConfigurationError, match="which does not exist"):
        cd.login(api_key="key", base_url="http://127.0.0.1:1")
    target.touch(mode=0o600)
    cd.login(base_url=sandbox.url, **credentials(sandbox, "api_key"))
    assert path.is_symlink()
    assert tomllib.loads(target.read_text())["default"]["api_key"] == sandbox.api_key
    if os.geteuid() == 0:
        os.chown(target, 54321, -1)
        before = target.read_bytes()
        with pytest.raises(cd.ConfigurationError, match=r"a link to .* belongs to another user"):
            cd.login(base_url=sandbox.url, **credentials(sandbox, "api_key"))
        assert target.read_bytes() == before


@pytest.mark.parametrize(
    ("environ", "arguments", "names"),
    [
        ({"CLICDATA_CLIENT_SECRET": "hush"}, {}, "CLICDATA_CLIENT_SECRET is set"),
        ({"CLICDATA_CLIENT_ID": "acme"}, {"client_id": "other"}, "CLICDATA_CLIENT_ID is set"),
        (
            {"CLICDATA_TOKEN_FILE": "t", "CLICDATA_USERNAME": "me"},
            {"api_key": "key"},
            "USERNAME and CLICDATA_TOKEN_FILE",
        ),
    ],
)
def test_a_variable_that_would_take_precedence_is_named(monkeypatch, home, environ, arguments, names):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(cd.ConfigurationError, match=names):
        cd.login(base_url="http://127.0.0.1:1", **arguments)
    assert files_of(home) == {}


def test_settings_in_the_environment_are_used_and_stored(sandbox, monkeypatch):
    monkeypatch.setenv("CLICDATA_BASE_URL", f" {sandbox.url}/ ")
    monkeypatch.setenv("CLICDATA_PROFILE", "not there yet")
    write_profiles('[default]\napi_version = "2022.01"\n')
    cd.login(**credentials(sandbox, "api_key"))
    assert stored("not there yet") == {"auth_method": "api_key", "api_key": sandbox.api_key, "base_url": sandbox.url}


def test_what_cannot_be_asked_is_an_error_that_names_the_variables(home):
    with pytest.raises(cd.NoCredentialsError, match="CLICDATA_CLIENT_ID and CLICDATA_CLIENT_SECRET"):
        cd.login()
    with pytest.raises(cd.NoCredentialsError, match="CLICDATA_CLIENT_ID, CLICDATA_USERNAME and CLICDATA_PASSWORD"):
        cd.login("basic", client_id="acme")
    with pytest.raises(cd.NoCredentialsError, match=r"code that the browser brings back.*CLICDATA_REFRESH_TOKEN"):
        cd.login("authorization_code", client_id="a", client_secret="b", redirect_uri="http://127.0.0.1:9/x")
    assert files_of(home) == {}


def test_on_jupyterhub_the_browser_is_on_another_machine(monkeypatch, opened):
    addresses = opened(visit_with())
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("JUPYTERHUB_USER", "me")
    redirect_uri = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(cd.NoCredentialsError, match="code that the browser brings back"):
        cd.login("authorization_code", client_id="a", client_secret="b", redirect_uri=redirect_uri)
    assert addresses == []


def test_wrong_arguments_are_refused_without_showing_them():
    with pytest.raises(cd.ConfigurationError, match="Unknown auth_method") as error:
        cd.login(CANARY)
    assert CANARY not in str(error.value)
    with pytest.raises(TypeError, match="no parameter 'client_secreet'") as refused:
        cd.login(client_secreet=CANARY)
    assert CANARY not in str(refused.value)


# the keyring


@pytest.mark.parametrize("method", METHODS)
def test_the_secret_is_in_the_keyring_and_not_in_the_file(sandbox, system_keyring, home, method):
    given = credentials(sandbox, method)
    (secret,) = {"client_secret", "password", "api_key"} & given.keys()
    cd.login(base_url=sandbox.url, keyring=True, **given)
    assert system_keyring == {("pandas_clicdata", f"default {secret}"): given[secret]}
    assert not any(given[secret].encode() in content for content in files_of(home).values())
    assert stored() == {
        "auth_method": method,
        **{name: value for name, value in given.items() if name != secret},
        "base_url": sandbox.url,
        "keyring": secret,
    }
    assert cd.connect().whoami().name == "Sandbox"
    assert "keyring of the system" in cd.whoami().source
    assert cd.logout() == [f"{secret} in the keyring of the system"]
    assert system_keyring == {}
    assert "keyring" not in stored()


def test_the_place_of_the_secret_can_change(sandbox, system_keyring):
    given = credentials(sandbox, "api_key")
    cd.login(base_url=sandbox.url, keyring=True, **given)
    cd.login(**given)
    assert system_keyring == {}
    assert stored()["api_key"] == given["api_key"]
    cd.login(keyring=True, **given)
    assert "api_key" not in stored()
    system_keyring.clear()
    write_profiles(profile_file().read_text())
    with pytest.raises(
        cd.ConfigurationError, match=r"The keyring of the system has no api_key.*cd.login\(keyring=True"
    ):
        cd.connect()


def test_a_failed_login_leaves_the_keyring_as_it_was(sandbox, system_keyring):
    given = credentials(sandbox, "api_key")
    cd.login(base_url=sandbox.url, keyring=True, **given)
    before = dict(system_keyring)
    with pytest.raises(cd.AuthenticationError):
        cd.login(api_key="wrong", keyring=True)
    assert system_keyring == before
    path = write_profiles(OTHERS)
    make_unwritable(path)
    system_keyring["pandas_clicdata", "default api_key"] = "before"
    with pytest.raises(cd.ConfigurationError, match="cannot be written"):
        cd.login(base_url=sandbox.url, keyring=True, **given)
    assert system_keyring == {("pandas_clicdata", "default api_key"): "before"}
    assert path.read_text() == OTHERS


@pytest.mark.parametrize("backend", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring])
def test_without_a_usable_keyring_nothing_is_stored(sandbox, system_keyring, home, backend):
    keyring.set_keyring(backend())
    with pytest.raises(
        cd.ConfigurationError, match=r"python -m keyring --list-backends.*leave keyring= .--keyring. out"
    ):
        cd.login(base_url=sandbox.url, keyring=True, **credentials(sandbox, "api_key"))
    assert files_of(home) == {}


# the browser


def visit_with(session=requests):
    """Return a browser that follows the redirects."""
    return lambda url: session.get(url, timeout=30)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_browser_brings_the_code_to_a_loopback_address(sandbox, opened, capsys, host):
    pages = []
    addresses = opened(lambda url: pages.append(requests.get(url, timeout=30)))
    redirect_uri = f"http://{host}:{free_port()}/back?from=here"
    session = cd.login(
        "authorization_code",
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        redirect_uri=redirect_uri,
        base_url=sandbox.url,
        scope=["account_read"],
        browser=True,
    )
    assert session.whoami().name == "Sandbox"
    assert stored()["redirect_uri"] == redirect_uri
    assert dict(parse_qsl(urlsplit(addresses[0]).query))["scope"] == "account_read"
    # The browser may receive its page a moment after the code is used.
    wait_until(lambda: pages)
    assert "return to Python" in pages[0].text
    assert pages[0].headers["Cache-Control"] == "no-store"
    code = parse_qs(urlsplit(pages[0].url).query)["code"][0]
    assert code not in pages[0].text + "".join(capsys.readouterr())
    # The port is free again.
    socket.create_server(("127.0.0.1", urlsplit(redirect_uri).port)).close()
    removed = cd.logout()
    assert not Path(stored()["token_file"]).exists()
    assert len(removed) == 2


def test_two_profiles_are_two_sign_ins_with_one_client(sandbox, opened):
    opened(visit_with())
    client = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, "base_url": sandbox.url}
    redirect_uri = f"http://127.0.0.1:{free_port()}/"
    for profile in ("me", "you"):
        cd.login("authorization_code", profile=profile, redirect_uri=redirect_uri, browser=True, **client)
    tokens = [TokenFile(_config.resolve({}, profile)).read() for profile in ("me", "you")]
    assert [len(each) for each in tokens] == [1, 1]
    assert tokens[0].keys() != tokens[1].keys()
    cd.logout("me")
    assert cd.connect(profile="you").whoami().name == "Sandbox"


def test_only_the_answer_of_this_sign_in_is_served(sandbox, opened):
    port = free_port()
    answers = []

    def visit(url):
        # The callback is known only after the sandbox has answered.
        good = requests.get(url, timeout=30, allow_redirects=False).headers["Location"]
        query = dict(parse_qsl(urlsplit(good).query))
        base = good.partition("?")[0]
        for method, address, headers in (
            ("GET", good, {"Host": "evil.example"}),
            ("GET", good, {"Host": f"localhost:{port}"}),
            ("GET", good.replace("/back", "/other"), {}),
            ("GET", f"{base}?{urlencode({**query, 'state': 'x'})}", {}),
            ("GET", f"{base}?{urlencode({'code': query['code']})}", {}),
            ("GET", f"{good}&state={query['state']}", {}),
            ("GET", f"{base}?{urlencode({'state': query['state']})}", {}),
            ("GET", f"{base}?{'&'.join('a=1' for _ in range(200))}", {}),
            ("POST", good, {}),
            ("GET", good, {}),
        ):
            answers.append(requests.request(method, address, headers=headers, timeout=30).status_code)

    opened(visit)
    # A browser that opens a connection in advance, and sends nothing, does not block the sign-in.
    idle = threading.Event()

    def connect(url):
        with socket.create_connection(("127.0.0.1", port)):
            visit(url)
        idle.set()

    opened(connect)
    cd.login(
        "authorization_code",
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        redirect_uri=f"http://127.0.0.1:{port}/back",
        base_url=sandbox.url,
        browser=True,
    )
    assert idle.wait(30)
    assert answers == [400, 400, 404, 400, 400, 400, 400, 400, 501, 200]


def test_a_refusal_in_the_browser_is_an_error_with_its_reason(sandbox, opened, home):
    def visit(url):
        query = dict(parse_qsl(urlsplit(url).query))
        answer = {"error": "access_denied", "error_description": "No.\x1b[2J", "state": query["state"]}
        assert requests.get(query["redirect_uri"], answer, timeout=30).status_code == 403

    opened(visit)
    with pytest.raises(cd.AuthenticationError, match=r"access_denied: No\.\\x1b\[2J"):
        cd.login(
            client_id="a",
            client_secret="b",
            redirect_uri=f"http://127.0.0.1:{free_port()}/",
            base_url=sandbox.url,
            browser=True,
        )
    assert files_of(home) == {}


def test_a_port_in_use_is_an_error_before_the_browser_opens(opened):
    addresses = opened(visit_with())
    with socket.create_server(("127.0.0.1", 0)) as other:
        redirect_uri = f"http://127.0.0.1:{other.getsockname()[1]}/"
        with pytest.raises(cd.ConfigurationError, match="Stop the program that uses this port"):
            cd.login(client_id="a", client_secret="b", redirect_uri=redirect_uri, browser=True)
    assert addresses == []


def test_a_browser_that_never_comes_back_is_an_error(opened, home):
    opened(lambda url: None)
    with pytest.raises(cd.RequestTimeoutError, match="within 0 seconds"):
        cd.login(
            client_id="a",
            client_secret="b",
            redirect_uri=f"http://127.0.0.1:{free_port()}/",
            base_url="http://127.0.0.1:1",
            browser=True,
            wait=0,
        )
    assert files_of(home) == {}


def test_a_sign_in_whose_account_fails_leaves_no_token(sandbox, opened, home):
    opened(visit_with())
    sandbox.faults.status(400, operation="account", times=20)
    try:
        with pytest.raises(cd.ApiError):
            cd.login(
                client_id=sandbox.client_id,
                client_secret=sandbox.client_secret,
                redirect_uri=f"http://127.0.0.1:{free_port()}/",
                base_url=sandbox.url,
                browser=True,
            )
    finally:
        sandbox.faults.clear()
    assert files_of(home) == {}


def test_a_sign_in_that_cannot_be_stored_leaves_no_token(sandbox, opened, home):
    opened(visit_with())
    path = write_profiles(OTHERS)
    make_unwritable(path)
    with pytest.raises(cd.ConfigurationError, match="cannot be written"):
        cd.login(
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=f"http://127.0.0.1:{free_port()}/",
            base_url=sandbox.url,
            browser=True,
        )
    assert files_of(home).keys() == {path}


@pytest.mark.parametrize("pkce", [False, True])
def test_the_verifier_of_pkce_belongs_to_the_challenge(http_service, opened, pkce):
    challenges, forms = [], []

    def visit(url):
        query = dict(parse_qsl(urlsplit(url).query))
        challenges.append((query.get("code_challenge"), query.get("code_challenge_method")))
        requests.get(query["redirect_uri"], {"code": "abc", "state": query["state"]}, timeout=30)

    def answer(request):
        if request.path == "/account":
            return 200, {"Content-Type": "application/json"}, b'{"id": 1}'
        forms.append(dict(parse_qsl(request.body.decode())))
        return 200, {"Content-Type": "application/json"}, b'{"access_token": "t", "expires_in": 60}'

    opened(visit)
    with http_service(answer) as url:
        cd.login(
            client_id="a",
            client_secret="b",
            redirect_uri=f"http://127.0.0.1:{free_port()}/",
            base_url=url,
            api_version="unversioned",
            browser=True,
            pkce=pkce,
        )
    assert forms[0]["code"] == "abc"
    if pkce:
        digest = urlsafe_b64encode(sha256(forms[0]["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        assert challenges == [(digest, "S256")]
        assert 43 <= len(forms[0]["code_verifier"]) <= 128
    else:
        assert challenges == [(None, None)]
        assert "code_verifier" not in forms[0]


# the questions, in a terminal


PROGRAM = """
import sys
from pandas_clicdata.cli import main
for line in sys.stdin:
    print("status", main(line.split()), flush=True)
    if line.startswith("end"):
        break
"""


class Terminal:
    """The command, several times in one process, on a terminal."""

    def __init__(self, **variables):
        environ = {name: value for name, value in os.environ.items() if name != "BROWSER"}
        self.process = pexpect.spawn(
            sys.executable, ["-c", PROGRAM], env=environ | variables, encoding="utf-8", timeout=60, echo=True
        )
        self.shown = ""

    def answer(self, question, text):
        self.expect(question)
        self.process.sendline(text)

    def expect(self, pattern):
        self.process.expect(pattern)
        self.shown += str(self.process.before) + str(self.process.after)

    def run(self, *arguments):
        self.process.sendline(shlex.join(arguments))


@pytest.fixture
def terminal(home):
    script = home / "browser"
    script.write_text(
        f"#!{sys.executable}\nimport sys, urllib.request\nurllib.request.urlopen(sys.argv[1], timeout=30).read()\n"
    )
    script.chmod(0o755)
    opened = Terminal(BROWSER=str(script), COVERAGE_PROCESS_START="")
    yield opened
    opened.process.close(force=True)


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
def test_the_questions_in_a_terminal(sandbox, terminal, home):
    login = ("login", "--base-url", sandbox.url)
    # A wrong secret is asked for again, with the reason; the client id is suggested.
    terminal.run(*login)
    terminal.answer(r"Number \[1\]: ", "9")
    terminal.answer(r"from 1 to 4.*Number \[1\]: ", "")
    terminal.answer("Client id: ", sandbox.client_id)
    terminal.answer("Client secret .not shown.: ", f"{CANARY}1")
    terminal.expect("invalid_client")
    assert files_of(home).keys() == {home / "browser"}
    terminal.answer(rf"Client id \[{sandbox.client_id}\]: ", "")
    terminal.answer("Client secret .not shown.: ", sandbox.client_secret)
    terminal.expect(r"Signed in\.\s+account +Sandbox.*signs in by +client_credentials.*status 0")
    assert stored()["client_secret"] == sandbox.client_secret

    # Three wrong keys are an error, and the profile stays.
    terminal.run(*login, "api_key")
    for number in range(3):
        terminal.answer("API key .not shown.: ", f"{CANARY}{number}")
    terminal.expect("HTTP 401.*status 1")
    assert stored()["auth_method"] == "client_credentials"

    # The browser brings the code while the question is open.
    redirect_uri = f"http://127.0.0.1:{free_port()}/"
    code = ("authorization_code", "--redirect-uri", redirect_uri)
    terminal.run(*login, *code, "--profile", "me")
    terminal.answer("Client id: ", sandbox.client_id)
    terminal.answer("Client secret .not shown.: ", sandbox.client_secret)
    terminal.expect("Waiting for the browser.*Signed in.*profile +me.*status 0")

    # The address is pasted; that of another sign-in is refused.
    terminal.run(*login, *code, "--no-browser", "--client-id", sandbox.client_id)
    terminal.answer("Client secret .not shown.: ", sandbox.client_secret)
    # With the end of the line, because the terminal may bring an address in parts.
    terminal.expect(r"http://\S+/oauth20/authorize\S+\s")
    answered = requests.get(str(terminal.process.after).strip(), allow_redirects=False, timeout=30).headers["Location"]
    terminal.answer("paste the address", answered.replace("state=", "state=x"))
    terminal.answer("does not belong to this sign-in.*paste the address of that page or the code", answered)
    terminal.expect("Signed in.*signs in by +authorization_code.*status 0")
    pasted = parse_qs(urlsplit(answered).query)["code"][0]

    # Ctrl-C stops it, and the terminal shows again what is typed.
    before = files_of(home)
    terminal.run(*login, *code, "--client-id", CANARY, "--profile", "none")
    terminal.answer("Client secret .not shown.: ", CANARY)
    terminal.expect("Waiting for the browser")
    terminal.process.sendintr()
    terminal.expect("Stopped.*status 130")
    assert terminal.process.waitnoecho(timeout=0) is False
    assert files_of(home) == before

    terminal.run("logout")
    terminal.expect("Removed: the tokens in .*Removed: client_secret of the profile 'default'.*status 0")
    terminal.run("logout")
    terminal.expect("Nothing was stored.*status 0")
    terminal.run("whoami", "--profile", "me")
    terminal.expect("user +Ada Sandbox.*settings from +the profile 'me'.*status 0")
    assert not {secret for secret in (f"{CANARY}1", sandbox.client_secret, pasted) if secret in terminal.shown}


# the questions, in a notebook


@pytest.fixture
def kernel(tmp_path):
    """Start a kernel; return a function that runs a cell, answers its questions, and returns what it prints."""
    with contextlib.ExitStack() as stack:
        sockets = stack.enter_context(tempfile.TemporaryDirectory())
        # The path of a socket is limited to about a hundred characters.
        manager = KernelManager(transport="ipc", ip=f"{sockets}/kernel")
        manager.start_kernel(cwd=str(tmp_path))
        stack.callback(manager.shutdown_kernel, now=True)
        client = manager.blocking_client()
        client.start_channels()
        stack.callback(client.stop_channels)
        client.wait_for_ready(timeout=60)

        def run(code, *answers, allow_stdin=True):
            asked, shown = [], []

            def answer(message):
                asked.append((message["content"]["prompt"], message["content"]["password"]))
                client.input(answers[len(asked) - 1])

            def show(message):
                content = message["content"]
                if message["msg_type"] == "stream":
                    shown.append(content["text"])
                elif message["msg_type"] == "error":
                    shown.append("\n".join(content["traceback"]))
                elif "data" in content:
                    shown.append(content["data"]["text/plain"])

            client.execute_interactive(
                code, allow_stdin=allow_stdin, stdin_hook=answer, output_hook=show, timeout=60, store_history=False
            )
            assert len(asked) == len(answers)
            return asked, "".join(shown)

        yield run


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the sockets of the kernel are files")
def test_the_questions_in_a_notebook(sandbox, kernel):
    kernel("import pandas_clicdata as cd, requests")
    login = f"cd.login(base_url={sandbox.url!r}"
    asked, shown = kernel(f"{login})", "3", CANARY, sandbox.api_key)
    assert asked == [("Number [1]: ", False), *[("API key (not shown): ", True)] * 2]
    assert "The API key is unknown" in shown
    assert "<Session api_key at " in shown
    assert not {text for text in (CANARY, sandbox.api_key) if text in shown}

    # Where the notebook takes no answers, as when it is run as a whole.
    _, shown = kernel(f"{login})", allow_stdin=False)
    assert "NoCredentialsError" in shown
    assert "CLICDATA_CLIENT_SECRET" in shown
    assert stored()["auth_method"] == "api_key"

    # The browser brings the code while the question is open; Enter continues.
    port = free_port()
    kernel(
        "import webbrowser\n"
        "class Browser(webbrowser.BaseBrowser):\n"
        "    def open(self, url, new=0, autoraise=True):\n"
        "        return requests.get(url, timeout=30).ok\n"
        "webbrowser.register('test', None, Browser(), preferred=True)"
    )
    asked, shown = kernel(
        f"{login}, redirect_uri='http://127.0.0.1:{port}/', client_id={sandbox.client_id!r}, browser=True)",
        sandbox.client_secret,
        "",
    )
    assert [password for _, password in asked] == [True, True]
    assert "Press Enter" in asked[1][0]
    assert "<Session authorization_code at " in shown

    # The code is pasted.
    asked, shown = kernel(
        f"{login}, redirect_uri='http://127.0.0.1:{port}/', client_id={sandbox.client_id!r}, browser=False)",
        sandbox.client_secret,
        "https://acme.example/?code=a&state=of+another+sign-in",
        sandbox.authorize(f"http://127.0.0.1:{port}/"),
    )
    assert "does not belong to this sign-in" in shown
    assert "<Session authorization_code at " in shown


# logout and whoami


def test_logout_keeps_what_is_not_secret_and_forgets_the_default_session(sandbox):
    write_profiles(OTHERS)
    cd.login(base_url=sandbox.url, **credentials(sandbox, "basic"))
    assert cd.logout() == [f"password of the profile 'default' in {profile_file()}"]
    assert stored()["username"] == sandbox.username
    assert "password" not in stored()
    assert stored("work") == {"api_key": "of work"}
    assert "# The end of default" in profile_file().read_text()
    with pytest.raises(cd.ConfigurationError, match=r"also needs password=.*cd\.login\(\)"):
        cd.SessionManager.get_session()
    assert cd.logout() == []


def test_whoami_says_where_the_settings_come_from(sandbox, monkeypatch):
    given = credentials(sandbox, "client_credentials")
    session = cd.Session(base_url=sandbox.url, **given)
    assert (cd.whoami(session).source, cd.whoami(session).profile) == ("arguments", None)
    monkeypatch.setenv("CLICDATA_CLIENT_ID", given["client_id"])
    write_profiles(f'[test]\nclient_secret = "{given["client_secret"]}"\nbase_url = "{sandbox.url}"\n')
    found = cd.whoami(cd.Session(profile="test"))
    assert found.source == f"client_id: the environment; client_secret: the profile 'test' in {profile_file()}"
    assert (found.profile, found.dialect, found.auth_method) == ("test", "versioned, 2025.3", "client_credentials")
    assert found.account is not None
    assert found.account.name == "Sandbox"
    assert found.user["email_address"] == sandbox.username
    for text in (repr(found), found._repr_html_()):
        assert sandbox.username in text
        assert given["client_secret"] not in text
    assert cd.whoami(cd.connect("sandbox")).source == "the sandbox of this process"


def test_whoami_works_where_the_account_and_the_user_may_not_be_read(http_service):
    own = b'{"error": {"code": "Forbidden", "description": "No."}}'
    with http_service(lambda request: (403, {"Content-Type": "application/json"}, own)) as url:
        found = cd.whoami(cd.Session(api_key="key", base_url=url, api_version="unversioned", retry=QUICK))
    assert (found.account, found.user) == (None, {})
    assert "signs in by" in repr(found)


def test_whoami_leaves_out_secrets_that_the_service_states(http_service):
    body = b'{"email_address": "me@acme.example", "api_key": "%s", "id": 1}' % CANARY.encode()
    with http_service(lambda request: (200, {"Content-Type": "application/json"}, body)) as url:
        found = cd.whoami(cd.Session(api_key="key", base_url=url, api_version="unversioned", retry=QUICK))
    assert found.user == {"email_address": "me@acme.example", "id": 1}
    assert CANARY not in repr(found) + found._repr_html_()


# secrets


def failing(sandbox):
    """Yield calls that fail while they hold the canary."""
    client = {"client_id": "acme", "client_secret": CANARY, "base_url": sandbox.url}
    yield lambda: cd.login(**client)
    yield lambda: cd.login(api_key=CANARY, base_url=sandbox.url)
    yield lambda: cd.login(auth_method=CANARY)
    yield lambda: cd.login(key=CANARY)
    yield lambda: cd.login(**client, redirect_uri="https://acme.example/")
    path = write_profiles(f'[default]\napi_key = "{CANARY}"\n')
    make_unwritable(path)
    yield lambda: cd.login(base_url=sandbox.url, **credentials(sandbox, "api_key"))
    yield cd.logout
    path.with_name(f"{path.name}.lock").rmdir()
    write_profiles(f'[default]\napi_key = """{CANARY}\n')
    yield lambda: cd.login(base_url=sandbox.url, **credentials(sandbox, "api_key"))
    write_profiles("")

    class Broken(keyring.backends.null.Keyring):
        def set_password(self, *entry):
            raise RuntimeError(*entry)

    keyring.set_keyring(Broken())
    with Sandbox(client_secret=CANARY) as other:
        yield lambda: cd.login(client_id=other.client_id, client_secret=CANARY, base_url=other.url, keyring=True)


def test_no_failure_shows_a_secret(sandbox, system_keyring, caplog, capsys):
    caplog.set_level(0)
    failures = 0
    for call in failing(sandbox):
        try:
            call()
        except Exception as exc:
            failures += 1
            # The frames of this test hold the secret themselves.
            shown = traceback.TracebackException.from_exception(exc, capture_locals=True)
            own = [frame for frame in shown.stack if frame.filename != __file__]
            text = "".join(traceback.format_list(own)) + str(exc) + repr(exc)
            while shown.__context__ is not None:
                shown = shown.__context__
                text += "".join(shown.format())
            assert CANARY not in text, text
    assert failures == 9
    assert CANARY not in caplog.text + "".join(capsys.readouterr())
