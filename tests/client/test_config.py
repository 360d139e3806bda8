"""Settings: from arguments, the environment, and a profile file that only its owner may read."""

import json
import os
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata import _config
from pandas_clicdata._models import Secret
from pandas_clicdata.session import preserve_default_session

PROFILES = """
[default]
client_id = "from profile"
client_secret = "profile hush"

[work]
auth_method = "basic"
client_id = "work"
username = "me@work.example"
password = "work hush"
base_url = "https://work.example"
api_version = "2022.01"

[key]
api_key = "key hush"

[person]
client_id = "person"
client_secret = "person hush"
refresh_token = "profile again"
token_file = "kept.json"

[loose]
client_id = " acme"
username = "me@acme.example\\n"
password = " hush \\n"
client_secret = ""
api_key = "  "
base_url = ""
api_version = " "
"""


@pytest.fixture(autouse=True)
def _clean(no_settings):
    pass


posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and named pipes")


def write_profiles(text=PROFILES, mode=0o600):
    path = _config.profile_path()
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


CLIENT: dict[str, Any] = {"client_id": "acme", "client_secret": "hush"}
BASIC = {"client_id": "acme", "username": "me@acme.example", "password": "hush"}
KEY = {"api_key": "hush"}
CODE = {**CLIENT, "code": "abc", "redirect_uri": "https://acme.example/back"}
REFRESH = {**CLIENT, "refresh_token": "again"}


def environment(**settings):
    return {f"CLICDATA_{name.upper()}": value for name, value in settings.items()}


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        (CLIENT, {}, {"auth_method": "client_credentials", **CLIENT}),
        (BASIC, {}, {"auth_method": "basic", **BASIC}),
        (KEY, {}, {"auth_method": "api_key", **KEY}),
        ({}, environment(**CLIENT), {"auth_method": "client_credentials", **CLIENT}),
        ({}, environment(**BASIC), {"auth_method": "basic", **BASIC}),
        ({}, environment(**KEY), {"auth_method": "api_key", **KEY}),
        # From two sources.
        ({"client_id": "acme"}, environment(client_secret="hush"), {"auth_method": "client_credentials", **CLIENT}),
        ({"client_id": "acme"}, environment(username="u", password="p"), {"auth_method": "basic", "client_id": "acme"}),
        ({"password": "mine"}, environment(**BASIC), {"auth_method": "basic", **BASIC, "password": "mine"}),
        # The nearest source decides.
        (KEY, environment(**CLIENT), {"auth_method": "api_key", **KEY, "client_id": None}),
        (CLIENT, environment(api_key="other"), {"auth_method": "client_credentials", **CLIENT, "api_key": None}),
        ({**CLIENT, "client_id": "mine"}, environment(**CLIENT), {**CLIENT, "client_id": "mine"}),
        ({"auth_method": "basic"}, environment(**BASIC, api_key="other"), {"auth_method": "basic", **BASIC}),
        # The authorization-code flow.
        (CODE, {}, {"auth_method": "authorization_code", **CODE, "refresh_token": None}),
        (REFRESH, {}, {"auth_method": "authorization_code", **REFRESH, "code": None}),
        ({}, environment(**REFRESH), {"auth_method": "authorization_code", **REFRESH}),
        ({}, environment(**CLIENT, token_file="f"), {"auth_method": "authorization_code", "token_file": "f"}),
        ({}, environment(**CLIENT, auth_method="authorization_code"), {"auth_method": "authorization_code"}),
        (CLIENT, environment(**REFRESH), {"auth_method": "client_credentials", "refresh_token": None}),
        (CODE, environment(**REFRESH), {**CODE, "refresh_token": None}),
        ({"token_file": "mine"}, environment(**REFRESH, token_file="theirs"), {**REFRESH, "token_file": "mine"}),
        ({"code": "abc"}, environment(**CLIENT, redirect_uri="x:/"), {"code": "abc", "redirect_uri": "x:/"}),
        ({"profile": "person"}, {}, {"auth_method": "authorization_code", "refresh_token": "profile again"}),
        ({**CLIENT, "auth_method": "authorization_code", "profile": "person"}, {}, {"token_file": "kept.json"}),
        (KEY, environment(**REFRESH, token_file="f"), {"auth_method": "api_key", "token_file": None}),
        # Other settings.
        (KEY, environment(api_version="2025.3"), {"api_version": "2025.3"}),
        ({**KEY, "api_version": "unversioned"}, environment(api_version="2025.3"), {"api_version": "unversioned"}),
        (KEY, environment(base_url="https://other.example/"), {"base_url": "https://other.example"}),
        (KEY, environment(base_url=""), {"base_url": "https://api.clicdata.com", "api_version": "auto"}),
        # An empty or blank value counts as unset, and surrounding white space is removed.
        (KEY, environment(profile=""), {"auth_method": "api_key", **KEY}),
        ({}, environment(profile=" \t\n", **KEY), {"auth_method": "api_key", **KEY, "client_id": None}),
        ({}, environment(profile=" work\n"), {"auth_method": "basic", "client_id": "work", "api_version": "2022.01"}),
        ({"profile": "work\r\n"}, {}, {"auth_method": "basic", "client_id": "work"}),
        ({"profile": "  "}, {}, {"client_id": "from profile"}),
        ({}, environment(client_id=" ", client_secret="\n"), {"client_id": "from profile"}),
        (CLIENT, environment(api_key=" "), {"auth_method": "client_credentials", **CLIENT}),
        (CLIENT, environment(auth_method=" ", token_file="\n"), {"auth_method": "client_credentials"}),
        ({}, environment(auth_method="api_key\n", **KEY), {"auth_method": "api_key", **KEY}),
        (KEY, environment(base_url=" ", api_version=" "), {"base_url": "https://api.clicdata.com"}),
        (
            KEY,
            environment(base_url=" https://x.example/\n", api_version="2025.3\n"),
            {"base_url": "https://x.example", "api_version": "2025.3"},
        ),
        ({}, environment(client_id="acme\n", client_secret="\thush\r\n"), CLIENT),
        ({}, environment(client_id="\ufeffacme", client_secret="hush\u00a0"), CLIENT),
        ({"client_id": " acme ", "client_secret": "hush\n"}, {}, CLIENT),
        ({"api_key": "\ufeffhush\n"}, {}, KEY),
        ({**CLIENT, "refresh_token": "again\n"}, {}, REFRESH),
        ({**CODE, "code": " abc\n", "redirect_uri": "https://acme.example/back\n"}, {}, CODE),
        # A password and a path may have surrounding blanks.
        ({**BASIC, "username": " me@acme.example ", "password": " hush \r\n"}, {}, {**BASIC, "password": " hush "}),
        ({}, environment(**{**BASIC, "password": "\ufeff hush \n"}), {**BASIC, "password": " hush "}),
        ({}, environment(password="  "), {"auth_method": "client_credentials", "client_id": "from profile"}),
        ({**REFRESH, "token_file": "my file \n"}, {}, {**REFRESH, "token_file": "my file "}),
        # Profiles.
        ({"profile": "loose"}, {}, {"auth_method": "basic", "client_id": "acme", "password": " hush "}),
        ({"profile": "loose"}, {}, {"base_url": "https://api.clicdata.com", "api_version": "auto", "api_key": None}),
        ({}, {}, {"auth_method": "client_credentials", "client_id": "from profile", "client_secret": "profile hush"}),
        ({}, environment(profile="work"), {"auth_method": "basic", "client_id": "work", "api_version": "2022.01"}),
        ({"profile": "key"}, environment(profile="work"), {"auth_method": "api_key", "api_key": "key hush"}),
        (KEY, environment(profile="work"), {"auth_method": "api_key", **KEY, "base_url": "https://work.example"}),
        ({**CLIENT, "profile": "work"}, {}, {"auth_method": "client_credentials", **CLIENT}),
        ({"password": "mine", "profile": "work"}, {}, {"auth_method": "basic", "username": "me@work.example"}),
        (KEY, {}, {"auth_method": "api_key", "client_id": None}),
    ],
    ids=str,
)
def test_sources_of_settings(monkeypatch, given, environ, expected):
    write_profiles()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    given = dict(given)
    profile = given.pop("profile", None)
    settings = _config.resolve(
        {name: Secret(v) if name in _config.SECRET_NAMES else v for name, v in given.items()}, profile
    )
    for name, value in expected.items():
        found = getattr(settings, name)
        assert (found.reveal() if isinstance(found, Secret) else found) == value


NOTES = {
    "explicit": ({"api_key": "hush\n"}, {}, "", "api_key= had white space around it, which this package removed."),
    "environment": (
        {}, environment(api_key=" hush"), "", "CLICDATA_API_KEY had white space around it, which this package removed."
    ),
    "profile": (
        {}, {}, '[default]\napi_key = "hush "',
        "api_key in the profile 'default' had white space around it, which this package removed.",
    ),
    "password": (
        {"client_id": "acme", "username": "me", "password": "hush\n"}, {}, "",
        "password= had line ends around it, which this package removed.",
    ),
    "client secret": (
        {"client_id": "acme"}, environment(client_secret="hush\n"), "",
        "CLICDATA_CLIENT_SECRET had white space around it, which this package removed.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "environ", "profiles", "note"), NOTES.values(), ids=list(NOTES))
def test_removed_white_space_is_noted(monkeypatch, caplog, http_service, given, environ, profiles, note):
    write_profiles(profiles)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("INFO", "pandas_clicdata")

    def refuse(request):
        return (401, {}, b'{"error": "invalid_client"}')

    with http_service(refuse) as url, cd.Session(**given, base_url=url) as session:
        assert note in session._repr_html_().replace("&#x27;", "'")
        assert caplog.messages == [note]
        for use in (
            session.whoami,
            session.whoami,
            lambda: cd.tables(session=session),
            lambda: session._client.dialect,
        ):
            with pytest.raises(cd.AuthenticationError) as caught:
                use()
            assert caught.value.__notes__ == [note]


@pytest.mark.parametrize(
    ("given", "environ"),
    [(KEY, {}), (KEY, environment(client_secret="x\n")), ({}, environment(**KEY, base_url="https://x.example"))],
)
def test_unused_and_unchanged_values_add_no_note(monkeypatch, caplog, given, environ):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("INFO", "pandas_clicdata")
    assert "note" not in cd.Session(**given)._repr_html_()
    assert caplog.messages == []


def test_the_error_about_missing_credentials_names_every_setting():
    with pytest.raises(cd.NoCredentialsError) as caught:
        cd.connect()
    message = str(caught.value)
    for setting in (
        "client_id=", "client_secret=", "code=", "redirect_uri=", "refresh_token=", "cd.authorization_url",
        "username=", "password=", "api_key=", "CLICDATA_CLIENT_ID",
        "CLICDATA_CLIENT_SECRET", "CLICDATA_USERNAME", "CLICDATA_PASSWORD", "CLICDATA_API_KEY",
        str(_config.profile_path()), 'connect("sandbox")',
    ):  # fmt: skip
        assert setting in message


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"client_id": "acme"}, "client_secret= .or CLICDATA_CLIENT_SECRET"),
        ({"client_secret": "hush"}, "client_id= .or CLICDATA_CLIENT_ID"),
        ({"username": "me"}, "client_id= .* and password= "),
        ({"client_id": "", "client_secret": "hush"}, "client_id="),
        ({"client_id": "acme", "client_secret": " \n"}, "client_secret="),
        ({**CLIENT, "base_url": " "}, "not an http or https address"),
        ({"auth_method": "api_key"}, "api_key= .or CLICDATA_API_KEY"),
        (REFRESH | {"client_secret": None}, "client_secret= .or CLICDATA_CLIENT_SECRET"),
        ({**CLIENT, "code": "abc"}, "code= also needs redirect_uri="),
        (CODE | REFRESH, "code= for a new sign-in, or refresh_token= .* not both"),
        ({"auth_method": "magic", **KEY}, "Unknown auth_method=. Valid values: 'client_credentials'"),
        ({**KEY, "profile": "missing"}, "no profile 'missing'"),
        ({**KEY, "api_version": "newest"}, "'auto', 'unversioned' or a version"),
        ({**KEY, "base_url": "http://api.clicdata.com"}, "unencrypted"),
        ({**KEY, "base_url": "http://127.0.0.1.example.com"}, "unencrypted"),
        ({**KEY, "base_url": "http://localhost@example.com"}, "user name or password"),
        ({**KEY, "base_url": "https://me:pass@example.com"}, "user name or password"),
        ({**KEY, "base_url": "api.clicdata.com"}, "not an http or https address"),
        ({**KEY, "base_url": "ftp://api.clicdata.com"}, "not an http or https address"),
        ({**KEY, "base_url": "https://"}, "not an http or https address"),
        ({**KEY, "base_url": "https://[::1"}, "not an http or https address"),
        ({**KEY, "base_url": "https://host:port"}, "not an http or https address"),
        ({**KEY, "base_url": "https://host/?x=1"}, "without a query"),
    ],
    ids=str,
)
def test_errors_about_invalid_settings_have_a_remedy(given, problem):
    with pytest.raises(cd.ConfigurationError, match=problem) as caught:
        cd.Session(**given)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1/api/", "https://api.example"]
)
def test_valid_addresses_are_accepted(url):
    assert cd.Session(api_key="hush", base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example\\.api.clicdata.com",
        "https://evil.example\\@api.clicdata.com",
        "https:\\\\evil.example",
        "https://api.clicdata.com\\",
        "https://evil.example\t.api.clicdata.com",
        "https://evil.example\n.api.clicdata.com",
        "https://evil.example .api.clicdata.com",
        "https://api.clicdata.com\x00",
        "https://api.clicdata.com\u202e",
        "https://evil.example%2fapi.clicdata.com",
        "https://evil.example%40api.clicdata.com",
        "https://@api.clicdata.com",
        "https://:@api.clicdata.com",
        "https://api.clicdata.com:65536",
        "https://api.clicdata.com:+443",
        "https://api.clicdata.com:443:80",
        "https://api.clicdata.com:\uff14\uff14\uff13",
        "https://*.clicdata.com",
        "https://.clicdata.com",
        "https://[fe80::1%25eth0]",
        "https://[::1%25@evil.example]",
        "https://::1",
        "https:///api.clicdata.com",
        "https:api.clicdata.com",
        "//api.clicdata.com",
        "httpx://api.clicdata.com",
        "https://api.clicdata.com?",
        "https://api.clicdata.com#",
        "http://127.0.0.1#@evil.example",
        "http://127.0.0.1?@evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example\\@127.0.0.1",
        "http://evil.example#@127.0.0.1",
        "http://localhost.evil.example",
        "http://localhost.",
        "http://127.0.0.1.",
        "http://127.1",
        "http://0.0.0.0",
        "http://[::ffff:127.0.0.1]",
        "http://evil.example/127.0.0.1",
    ],
)
def test_an_ambiguous_address_is_refused(monkeypatch, url):
    with pytest.raises(cd.ConfigurationError, match="base_url"):
        _config.resolve({"api_key": Secret("hush"), "base_url": url})
    with pytest.raises(cd.ConfigurationError, match="base_url"):
        cd.authorization_url(client_id="acme", redirect_uri="x:/", base_url=url)
    if "\x00" not in url:
        monkeypatch.setenv("CLICDATA_BASE_URL", url)
        with pytest.raises(cd.ConfigurationError, match="base_url"):
            cd.Session(api_key="hush")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("HTTPS://API.ClicData.com/", "https://api.clicdata.com"),
        ("https://b\xfccher.example", "https://xn--bcher-kva.example"),
        ("https://\u0430pi.clicdata.com", "https://xn--pi-6kc.clicdata.com"),
        ("https://%61pi.clicdata.com", "https://api.clicdata.com"),
        ("https://api.clicdata.com:0", "https://api.clicdata.com"),
        ("https://api.clicdata.com:08443/v1/", "https://api.clicdata.com:8443/v1"),
    ],
)
def test_an_address_is_shown_in_normalized_form(url, shown):
    assert cd.Session(api_key="hush", base_url=url).base_url == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api\u3002clicdata\uff0ecom", "https://api.clicdata.com"),
        ("http://\uff4cocalhost:1", "http://localhost:1"),
        ("http://\uff11\uff12\uff17.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_an_address_in_fullwidth_characters_is_refused_or_normalized(url, shown):
    """The result depends on the version of urllib3."""
    try:
        session = cd.Session(api_key="hush", base_url=url)
    except cd.ConfigurationError:
        return
    assert session.base_url == shown


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610, 0o601])
def test_a_profile_file_that_others_may_read_is_refused(mode):
    path = write_profiles(mode=mode)
    with pytest.raises(cd.ConfigurationError) as caught:
        cd.Session()
    assert f"chmod 600 '{path}'" in str(caught.value)
    path.chmod(0o600)
    assert cd.Session().auth_method == "client_credentials"


def test_a_profile_is_read_only_if_a_setting_is_missing(monkeypatch):
    write_profiles(mode=0o666)
    complete = {**CLIENT, "base_url": "https://x.example", "api_version": "2025.3"}
    assert cd.Session(**complete).auth_method == "client_credentials"
    for name in complete:
        incomplete = {each: value for each, value in complete.items() if each != name}
        with pytest.raises(cd.ConfigurationError, match="chmod 600"):
            cd.Session(**incomplete)
        with monkeypatch.context() as patch:
            patch.setenv(f"CLICDATA_{name.upper()}", complete[name])
            assert cd.Session(**incomplete).auth_method == "client_credentials"


def test_each_setting_comes_from_the_first_source_that_has_it(monkeypatch):
    write_profiles(
        '[default]\nclient_id = "far"\nclient_secret = "far"\n'
        'base_url = "https://far.example"\napi_version = "2022.01"\n'
    )
    settings = _config.resolve(KEY)
    assert (settings.auth_method, settings.base_url) == ("api_key", "https://far.example")
    assert (settings.api_version, settings.client_secret) == ("2022.01", None)
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", "near")
    settings = _config.resolve({"api_version": "2025.3"})
    assert (settings.client_id, settings.client_secret) == ("far", Secret("near"))
    assert (settings.base_url, settings.api_version) == ("https://far.example", "2025.3")


def test_a_key_as_the_wrong_argument_is_not_quoted():
    with pytest.raises(cd.ConfigurationError, match="api_key=") as caught:
        cd.Session("my-api-key")
    assert "my-api-key" not in str(caught.value)


@pytest.mark.parametrize("make", [cd.Session, cd.connect, lambda **given: cd.SessionManager(**given).session])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        *(({name: 123}, f"{name}= must be text, not int") for name in (*_config.VARIABLES, "code", "profile")),
        ({"client_secret": b"hush"}, "client_secret= must be text, not bytes"),
        ({"retry": 3}, "retry= must be a RetryPolicy"),
        ({"proxies": "http://x"}, "proxies= must be a dict .* not str"),
        ({"proxies": {"https": 5}}, "proxy for 'https' is not a valid address"),
        ({"verify": 5}, "verify="),
        ({"verify": "/nope.pem"}, "verify='/nope.pem'"),
    ],
    ids=str,
)
def test_settings_of_the_wrong_type_are_refused_at_once(make, given, problem):
    with pytest.raises(cd.ConfigurationError, match=problem):
        make(**({**CLIENT} | given))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[default\n", "not TOML"),
        ("default = 1\n", "not TOML with one"),
        ("[default]\nclient_id = 7\n", "'client_id' is not text"),
        ("[default]\ncolour = 'red'\n", "unknown setting 'colour'; valid settings: api_key"),
    ],
)
def test_errors_about_invalid_profiles_name_the_problem(text, problem):
    path = write_profiles(text)
    with pytest.raises(cd.ConfigurationError, match=problem) as caught:
        cd.Session()
    assert str(path) in str(caught.value)


def test_the_error_about_an_unknown_profile_lists_the_profiles(monkeypatch):
    monkeypatch.setenv("CLICDATA_PROFILE", "wrok")
    with pytest.raises(cd.ConfigurationError, match="cannot be read"):
        cd.Session()
    write_profiles()
    with pytest.raises(cd.ConfigurationError, match="'default', 'work', 'key', 'person', 'loose'"):
        cd.Session()


CREDENTIALS = {
    "client credentials": lambda sandbox: {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret},
    "basic": lambda sandbox: {
        "client_id": sandbox.client_id, "username": sandbox.username, "password": sandbox.password
    },
    "key": lambda sandbox: {"api_key": sandbox.api_key},
}  # fmt: skip


@pytest.mark.parametrize("source", ["explicit", "environment", "profile"])
@pytest.mark.parametrize("credentials", CREDENTIALS.values(), ids=list(CREDENTIALS))
def test_credentials_with_line_ends_sign_in(one_sandbox, monkeypatch, credentials, source):
    settings: dict[str, Any] = {
        name: f"{value}\r\n" for name, value in {**credentials(one_sandbox), "base_url": one_sandbox.url}.items()
    }
    if source == "environment":
        for name, value in environment(**settings).items():
            monkeypatch.setenv(name, value)
    if source == "profile":
        write_profiles("[default]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    with cd.Session(**(settings if source == "explicit" else {})) as session:
        assert session.whoami().id is not None


def test_the_default_session_follows_the_environment(accounts, one_sandbox, monkeypatch):
    other, _ = accounts()
    monkeypatch.setenv("CLICDATA_BASE_URL", one_sandbox.url)
    monkeypatch.setenv("CLICDATA_CLIENT_ID", one_sandbox.client_id)
    with pytest.raises(cd.ConfigurationError, match="CLICDATA_CLIENT_SECRET"):
        cd.tables()
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", "wrong")
    with pytest.raises(cd.AuthenticationError):
        cd.tables()
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", one_sandbox.client_secret)
    cd.tables()
    first = cd.SessionManager.get_session()
    cd.tables()
    assert cd.SessionManager.get_session() is first, "nothing has changed"
    # Another account.
    for name, value in environment(**CREDENTIALS["client credentials"](other), base_url=other.url).items():
        monkeypatch.setenv(name, value)
    pd.DataFrame({"a": [1]}).clicdata.push("Here")
    assert other.ledger.count("Here") == 1
    # Another authentication method.
    monkeypatch.setenv("CLICDATA_API_KEY", other.api_key)
    assert cd.SessionManager.get_session().auth_method == "api_key"
    for name in environment(**CREDENTIALS["client credentials"](other), base_url="", api_key=""):
        monkeypatch.delenv(name)
    with pytest.raises(cd.NoCredentialsError):
        cd.tables()


def test_the_default_session_follows_the_profile(one_sandbox, monkeypatch):
    write_profiles(f'[default]\napi_key = "wrong"\nbase_url = "{one_sandbox.url}"\n')
    with pytest.raises(cd.AuthenticationError):
        cd.tables()
    write_profiles(f'[default]\napi_key = "{one_sandbox.api_key}"\nbase_url = "{one_sandbox.url}"\n')
    cd.tables()
    write_profiles(f'[work]\napi_key = "{one_sandbox.api_key}"\nbase_url = "{one_sandbox.url}"\n')
    with pytest.raises(cd.NoCredentialsError):
        cd.tables()
    monkeypatch.setenv("CLICDATA_PROFILE", "work")
    cd.tables()


def test_a_manager_takes_missing_settings_from_the_environment(one_sandbox, monkeypatch):
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", "wrong")
    given = {"client_id": one_sandbox.client_id, "base_url": one_sandbox.url}
    with cd.SessionManager(**given) as manager:
        with pytest.raises(cd.AuthenticationError):
            cd.tables()
        monkeypatch.setenv("CLICDATA_CLIENT_SECRET", one_sandbox.client_secret)
        monkeypatch.setenv("CLICDATA_CLIENT_ID", "another, which is not used")
        cd.tables()
        assert manager.session is cd.SessionManager.get_session()
        with preserve_default_session():
            cd.tables()
        monkeypatch.setenv("CLICDATA_CLIENT_SECRET", "wrong again")
        with pytest.raises(cd.AuthenticationError):
            cd.tables()


@pytest.mark.parametrize(
    "bind", [lambda: cd.connect(), lambda: cd.SessionManager.bind_session(cd.Session())], ids=["connect", "bind"]
)
def test_a_bound_session_does_not_follow_the_environment(one_sandbox, monkeypatch, bind):
    for name, value in environment(api_key=one_sandbox.api_key, base_url=one_sandbox.url).items():
        monkeypatch.setenv(name, value)
    bind()
    first = cd.SessionManager.get_session()
    monkeypatch.setenv("CLICDATA_API_KEY", "another")
    cd.tables()
    with preserve_default_session():
        cd.tables()
    cd.tables()
    assert cd.SessionManager.get_session() is first


@posix_only
def test_a_named_pipe_is_refused_instead_of_read(no_settings, tmp_path):
    path = write_profiles()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(cd.ConfigurationError, match=r"profiles.toml: it cannot be read \(it is not a regular file\)"):
        cd.Session(profile="work")
    path.unlink()
    os.mkfifo(tmp_path / "bundle.pem")
    with pytest.raises(cd.ConfigurationError, match=r"verify=.*it is not a regular file"):
        cd.Session(api_key="hush", verify=str(tmp_path / "bundle.pem"))


@posix_only
def test_a_profile_that_other_users_can_replace_is_refused(no_settings):
    path = write_profiles()
    path.parent.chmod(0o777)
    with pytest.raises(cd.ConfigurationError, match="is writable for all") as caught:
        cd.Session(profile="default")
    assert f"chmod o-w '{path.parent}'" in str(caught.value)
    path.parent.chmod(0o1777)
    cd.Session(profile="default").close()


@pytest.mark.parametrize("text", ["x=" + "[" * 100_000, "[default]\nx=" + "{a=" * 100_000], ids=["list", "table"])
def test_a_deeply_nested_profile_is_refused_with_a_sentence(no_settings, text):
    write_profiles(text)
    with pytest.raises(cd.ConfigurationError, match="it is not TOML with one"):
        cd.Session()
