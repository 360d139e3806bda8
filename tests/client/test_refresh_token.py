"""The authorization-code flow: each refresh token is good once, and the next one is never lost."""

import contextlib
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from filelock import FileLock
from interrupts import press_ctrl_c

import pandas_clicdata as cd
from pandas_clicdata import _config
from pandas_clicdata._config import Settings
from pandas_clicdata.client import token_file
from pandas_clicdata.client.token_file import TokenFile

# Each value of each parameter by default; all of their combinations are slow.
pytestmark = pytest.mark.sampled(1)

BACK = "http://127.0.0.1:9/back"
QUICK = cd.RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)
CLIENT: dict[str, Any] = {"client_id": "acme", "client_secret": "hush"}
REPLY = {"access_token": "first", "refresh_token": "next", "expires_in": 3600}


@pytest.fixture(autouse=True)
def home(no_settings, monkeypatch, tmp_path):
    """Folders of a user of its own."""
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def sign_in(serve):
    """Start a sandbox, and open sessions on it that end with the test."""
    sandbox, _ = serve()
    sandbox.requests.clear()
    with contextlib.ExitStack() as stack:

        def make(**given):
            given = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, **given}
            made = cd.Session(base_url=sandbox.url, api_version="2025.3", retry=QUICK, **given)
            return stack.enter_context(made)

        yield sandbox, make


def with_code(sandbox):
    return {"code": sandbox.authorize(BACK), "redirect_uri": BACK}


def path_of(session):
    return TokenFile(session._settings).path


def kept_in(path):
    return list(json.loads(path.read_text())["sign_ins"].values())


def asked(sandbox):
    return [entry.status for entry in sandbox.requests.of("token")]


def expire(sandbox, *paths):
    """Let the access tokens end, for the service and for the files."""
    sandbox.faults.expire_tokens()
    for path in paths:
        content = json.loads(path.read_text())
        for kept in content["sign_ins"].values():
            kept["until"] = 0
        path.write_text(json.dumps(content))


def test_from_the_address_to_the_account(sign_in):
    sandbox, make = sign_in
    url = cd.authorization_url(
        client_id=sandbox.client_id,
        redirect_uri=BACK + "?from=here",
        scope=["account_read", "table_read"],
        state="a b&c",
        base_url=sandbox.url,
    )
    reply = requests.get(url, allow_redirects=False, timeout=10)
    sent_back = dict(parse_qsl(urlsplit(reply.headers["Location"]).query))
    assert (sent_back["state"], sent_back["from"]) == ("a b&c", "here")
    session = make(code=sent_back["code"], redirect_uri=BACK + "?from=here")
    assert session.auth_method == "authorization_code"
    assert sandbox.requests.of("token") == []
    assert session.whoami().id is not None
    with pytest.raises(cd.PermissionDeniedError):
        cd.read_clicdata(7, session=session)


@pytest.mark.parametrize(
    ("given", "environ", "query"),
    [
        ({}, {}, {}),
        ({"scope": "data_read  data_write"}, {}, {"scope": "data_read data_write"}),
        ({"scope": ("data_read", "data_write")}, {}, {"scope": "data_read data_write"}),
        ({"scope": ""}, {}, {}),
        ({"state": "é&="}, {}, {"state": "é&="}),
        ({"client_id": None}, {"CLICDATA_CLIENT_ID": "other"}, {"client_id": "other"}),
        ({"redirect_uri": None}, {"CLICDATA_REDIRECT_URI": "x:/y"}, {"redirect_uri": "x:/y"}),
    ],
)
def test_the_address_to_open(monkeypatch, given, environ, query):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    url = cd.authorization_url(**{"client_id": "acme", "redirect_uri": BACK, **given})
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://api.clicdata.com/oauth20/authorize"
    expected = {"response_type": "code", "client_id": "acme", "redirect_uri": BACK, **query}
    assert parse_qs(parts.query) == {name: [value] for name, value in expected.items()}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"client_id": None}, "needs client_id= .or CLICDATA_CLIENT_ID"),
        ({"redirect_uri": None}, "needs redirect_uri= "),
        ({"client_id": 7}, "client_id= must be text"),
        ({"state": 7}, "state= must be text"),
        ({"scope": [7]}, "scope= must be a text"),
        ({"base_url": "http://api.clicdata.com"}, "unencrypted"),
    ],
)
def test_an_address_that_cannot_be_built(given, says):
    with pytest.raises(cd.ConfigurationError, match=says):
        cd.authorization_url(**{"client_id": "acme", "redirect_uri": BACK, **given})


def test_tokens_are_kept_for_the_owner_alone(sign_in, home):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    path = path_of(session)
    assert home in path.parents
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.with_name(path.name + ".lock").stat().st_mode) == 0o600
    assert sorted(each.suffix for each in path.parent.iterdir() if each.suffix != ".lock") == [".json"]
    assert sandbox.client_id not in path.name
    # The room that was made for it is given back.
    assert path.read_text() == path.read_text().strip()


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_folders_are_for_the_owner_alone(sign_in, home):
    sandbox, make = sign_in
    ours = home / "state" / "pandas_clicdata"
    ours.mkdir(parents=True, mode=0o755)
    make(**with_code(sandbox)).whoami()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    make(**with_code(sandbox), token_file=home / "made" / "token.json").whoami()
    assert stat.S_IMODE((home / "made").stat().st_mode) == 0o700
    # A folder of the user's is the user's affair.
    (home / "theirs").mkdir(mode=0o755)
    make(**with_code(sandbox), token_file=home / "theirs" / "token.json").whoami()
    assert stat.S_IMODE((home / "theirs").stat().st_mode) == 0o755


def test_a_code_given_again_uses_its_stored_tokens(sign_in):
    sandbox, make = sign_in
    given = with_code(sandbox)
    make(**given).whoami()
    for _ in range(3):
        make(**given).whoami()
    assert asked(sandbox) == [200]
    for _ in range(3):
        session = make(**given)
        expire(sandbox, path_of(session))
        session.whoami()
    assert asked(sandbox) == [200] * 4


@pytest.mark.parametrize("way", ["given", "environment", "profile"])
def test_a_refresh_token_given_again_is_not_spent_again(sign_in, monkeypatch, way, home):
    sandbox, make = sign_in
    first = make(**with_code(sandbox), token_file=home / "elsewhere" / "token.json")
    first.whoami()
    [kept] = kept_in(path_of(first))
    given = {"refresh_token": kept["refresh_token"]}
    if way == "environment":
        monkeypatch.setenv("CLICDATA_REFRESH_TOKEN", given.pop("refresh_token"))
        given = {"client_id": None, "client_secret": None}
        monkeypatch.setenv("CLICDATA_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    elif way == "profile":
        profiles = _config.profile_path()
        assert profiles is not None
        profiles.parent.mkdir(parents=True, exist_ok=True)
        lines = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, **given}
        profiles.write_text("[default]\n" + "".join(f'{name} = "{value}"\n' for name, value in lines.items()))
        profiles.chmod(0o600)
        given = {"client_id": None, "client_secret": None}
    sandbox.requests.clear()
    for _ in range(3):
        session = make(**given)
        assert session.auth_method == "authorization_code"
        session.whoami()
        expire(sandbox, path_of(session))
    assert asked(sandbox) == [200] * 3
    # The token as it stands in the file is that sign-in's, too.
    [kept] = kept_in(path_of(session))
    make(**CLIENT | {name: getattr(sandbox, name) for name in CLIENT}, refresh_token=kept["refresh_token"]).whoami()
    assert asked(sandbox) == [200] * 4
    assert len(kept_in(path_of(session))) == 1


def test_the_next_token_is_on_the_disk_before_the_new_one_is_used(http_service, home):
    path = home / "token.json"
    seen: list[tuple[list[str], os.stat_result]] = []

    def answer(request):
        if request.path == "/oauth20/token":
            number = len(seen)
            seen.append((parse_qs(request.body.decode())["refresh_token"], path.with_name("token.json.new").stat()))
            body = {"access_token": f"access {number}", "refresh_token": f"refresh {number}", "expires_in": 3600}
            return 200, {}, json.dumps(body).encode()
        token = request.headers["Authorization"].partition(" ")[2]
        kept = kept_in(path)[0]
        assert kept["access_token"] == token
        assert kept["refresh_token"] == token.replace("access", "refresh")
        return (200, {}, b"{}") if len(seen) > 2 else (401, {}, b"{}")

    with http_service(answer) as url:
        for _ in range(2):
            with (
                contextlib.suppress(cd.AuthenticationError),
                cd.Session(
                    **CLIENT, refresh_token="given", token_file=path, base_url=url, api_version="unversioned"
                ) as session,
            ):
                session.whoami()
    assert [tokens for tokens, _ in seen] == [["given"], ["refresh 0"], ["refresh 1"]]
    # There was room for it before it was asked for, and for no others to see.
    assert all(room.st_size >= 4096 and stat.S_IMODE(room.st_mode) == 0o600 for _, room in seen)


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced elsewhere")
def test_it_is_on_the_disk_for_good_in_the_right_order(sign_in, monkeypatch):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    steps: list[tuple[Any, ...]] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        text = "" if is_folder else str(Path(f"/proc/self/fd/{handle}").readlink()) if sys.platform == "linux" else ""
        steps.append(("fsync", "folder" if is_folder else "file", len(asked(sandbox)), text.endswith(".new")))
        return fsync(handle)

    def noted_replace(source, target, **more):
        steps.append(("replace",))
        return replace(source, target, **more)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    session.whoami()
    on_linux = sys.platform == "linux"
    assert steps == [
        ("fsync", "file", 0, on_linux),
        ("fsync", "file", 1, on_linux),
        ("replace",),
        ("fsync", "folder", 1, False),
    ]


def test_sessions_that_share_a_file_renew_once(sign_in):
    sandbox, make = sign_in
    given = with_code(sandbox)
    sessions = [make(**given) for _ in range(8)]
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        for number in range(1, 4):
            list(pool.map(lambda session: (barrier.wait(), session.whoami()), sessions))
            assert asked(sandbox) == [200] * number
            sandbox.faults.expire_tokens()


@pytest.mark.slow
def test_processes_that_share_a_file_take_turns(sign_in, home):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    expire(sandbox, path_of(session))
    sandbox.requests.clear()
    code = (
        "import pandas_clicdata as cd; session = cd.connect(auth_method='authorization_code', api_version='2025.3')\n"
        "input(); print(session.whoami().id is not None)\n"
        "input(); print(session.whoami().id is not None)\n"
    )
    environ = {
        **os.environ,
        "CLICDATA_CLIENT_ID": sandbox.client_id,
        "CLICDATA_CLIENT_SECRET": sandbox.client_secret,
        "CLICDATA_BASE_URL": sandbox.url,
    }
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    runs: list[Any] = [subprocess.Popen([sys.executable, "-c", code], env=environ, **pipes) for _ in range(3)]
    try:
        for number in (1, 2):
            for run in runs:
                run.stdin.write("go\n")
            assert [run.stdout.readline().strip() for run in runs] == ["True"] * 3
            assert asked(sandbox) == [200] * number
            sandbox.faults.expire_tokens()
        assert [run.wait(30) for run in runs] == [0] * 3
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_each_sign_in_stays_with_its_user(sign_in):
    sandbox, make = sign_in
    ada, bob = with_code(sandbox), with_code(sandbox)
    of_ada = make(**ada)
    of_ada.whoami()
    make(**bob).whoami()
    path = path_of(of_ada)
    before = kept_in(path)
    assert len(before) == 2
    # The latest, where none is named.
    make(auth_method="authorization_code").whoami()
    expire(sandbox, path)
    of_ada.whoami()
    after = kept_in(path)
    assert (after[0] != before[0], after[1]["refresh_token"]) == (True, before[1]["refresh_token"])
    make(auth_method="authorization_code").whoami()
    assert kept_in(path)[1]["refresh_token"] != before[1]["refresh_token"]
    assert kept_in(path)[0] == after[0]
    assert asked(sandbox) == [200] * 4


def a_file_for_a_folder(home):
    (home / "file").write_text("")
    return home / "file" / "token.json"


def a_folder_for_the_lock(home):
    (home / "token.json.lock").mkdir()
    return home / "token.json"


def a_folder_in_the_room(home):
    (home / "token.json.new").mkdir()
    return home / "token.json"


def a_folder_for_the_file(home):
    (home / "token.json").mkdir(mode=0o700)
    return home / "token.json"


def no_place(home):
    return "/proc/clicdata/token.json"


@pytest.mark.parametrize(
    "place",
    [
        a_file_for_a_folder,
        a_folder_for_the_lock,
        a_folder_in_the_room,
        a_folder_for_the_file,
        pytest.param(no_place, marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc")),
    ],
)
def test_where_the_file_cannot_be_written_no_token_is_spent(sign_in, home, place):
    sandbox, make = sign_in
    given = with_code(sandbox)
    path = place(home)
    with pytest.raises(cd.ConfigurationError, match=r"token file .*token\.json cannot be .*token_file=") as caught:
        make(**given, token_file=path).whoami()
    assert not caught.value.ambiguous
    assert asked(sandbox) == []
    make(**given).whoami()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions bind others than root")
def test_a_folder_that_may_not_be_written_spends_nothing(sign_in, home):
    sandbox, make = sign_in
    (home / "closed").mkdir(mode=0o500)
    with pytest.raises(cd.ConfigurationError, match="Permission denied"):
        make(**with_code(sandbox), token_file=home / "closed" / "token.json").whoami()
    assert asked(sandbox) == []


def test_a_disk_that_fills_up_meanwhile_loses_nothing(sign_in, monkeypatch):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    path = path_of(session)
    before = kept_in(path)
    sandbox.faults.expire_tokens()
    replace, full = os.replace, [True, True]

    def once_full(source, target, **more):
        if full:
            full.pop()
            raise OSError(28, "No space left on device")
        return replace(source, target, **more)

    monkeypatch.setattr(os, "replace", once_full)
    for _ in range(2):
        with pytest.raises(cd.ConfigurationError, match=r"written to .*token.* \(No space left on device\)"):
            session.whoami()
        assert kept_in(path) == before
        session._client.authenticator._failure = None
    session.whoami()
    # Asked for once, and kept as soon as there was room.
    assert asked(sandbox) == [200] * 2
    assert kept_in(path) != before
    make(auth_method="authorization_code").whoami()
    expire(sandbox, path)
    make(auth_method="authorization_code").whoami()
    assert asked(sandbox) == [200] * 3


# What becomes of a refresh: (the faults of the token address, how many requests it is, what the error is and says).
TROUBLES: dict[str, Any] = {
    "lost before": ([("lose_reply", {"after_commit": False})], 2, None, None),
    "lost after": ([("lose_reply", {})], 2, cd.AuthenticationError, "spent by an earlier try whose reply was lost"),
    "cut off": ([("truncate_body", {})], 2, cd.AuthenticationError, "spent by an earlier try whose reply was lost"),
    "500 before": ([("status", {"code": 500})], 2, None, None),
    "429": ([("status", {"code": 429, "retry_after": 0})], 2, None, None),
    "always lost": ([("lose_reply", {"times": 3, "after_commit": False})], 3, cd.ConnectionLostError, "may have spent"),
    "always 500": ([("status", {"code": 500, "times": 3})], 3, cd.ServerError, "may have spent"),
    "garbage": ([("garbage", {})], 1, cd.UnexpectedReplyError, "may have spent"),
    "refused": (
        [("status", {"code": 400, "body": {"error": "invalid_grant"}})], 1, cd.AuthenticationError, "was used before",
    ),
    "client refused": (
        [("status", {"code": 401, "body": {"error": "invalid_client"}})], 1, cd.AuthenticationError, "client_id=",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ["code", "refresh token"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_outcomes_of_a_refresh(sign_in, what, trouble):
    faults, count, kind, says = TROUBLES[trouble]
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    if what == "refresh token":
        session.whoami()
        sandbox.faults.expire_tokens()
        sandbox.requests.clear()
    for fault, options in faults:
        sandbox.faults.script(fault, operation="token", **options)
    if kind is None:
        session.whoami()
    else:
        with pytest.raises(kind) as caught:
            session.whoami()
        assert type(caught.value) is kind
        assert says in str(caught.value)
        assert trouble == "client refused" or "sign in again: open the address that cd.authorization_url" in str(
            caught.value
        )
        assert trouble in ("client refused", "refused") or what in str(caught.value)
        assert not caught.value.ambiguous
    assert len(asked(sandbox)) == count
    # What has not been spent is good still, for whoever asks later.
    after = make(auth_method="authorization_code")
    if trouble in ("lost before", "500 before", "429"):
        after.whoami()
    elif trouble in ("always lost", "always 500", "refused", "client refused") and what == "refresh token":
        after.whoami()
        assert asked(sandbox)[-1] == 200


def test_a_refresh_that_cannot_be_sent_does_not_mention_a_spent_token(home):
    given = {**CLIENT, "refresh_token": "given", "base_url": "http://127.0.0.1:1", "retry": QUICK}
    with cd.Session(**given) as session, pytest.raises(cd.ConnectionFailedError) as caught:
        session.whoami()
    assert "spent" not in str(caught.value)


def test_an_old_refresh_token_names_the_setting_to_leave_out(sign_in):
    sandbox, make = sign_in
    make(**with_code(sandbox)).whoami()
    with pytest.raises(cd.AuthenticationError, match=r"leave refresh_token= \(and CLICDATA_REFRESH_TOKEN\) out"):
        make(refresh_token="an old one").whoami()
    # The sign-in that there is has not suffered.
    make(auth_method="authorization_code").whoami()
    assert asked(sandbox) == [200, 400]


def test_an_error_before_the_first_sign_in(sign_in):
    sandbox, make = sign_in
    with pytest.raises(cd.NoCredentialsError, match=r"There is no sign-in yet.*cd\.authorization_url"):
        make(auth_method="authorization_code").whoami()
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("first", ["code", "refresh"])
def test_a_reply_without_a_refresh_token(http_service, home, first):
    forms = []

    def answer(request):
        if request.path == "/oauth20/token":
            forms.append(dict(parse_qsl(request.body.decode())))
            return 200, {}, json.dumps({"access_token": f"t{len(forms)}", "expires_in": 3600}).encode()
        good = f"Bearer t{len(forms)}" == request.headers["Authorization"] and len(forms) > 1
        return (200, {}, b"{}") if good else (401, {}, b"{}")

    given: dict[str, Any] = {"code": "abcd", "redirect_uri": BACK} if first == "code" else {"refresh_token": "given"}
    with http_service(answer) as url, cd.Session(**CLIENT, **given, base_url=url, api_version="unversioned") as session:
        if first == "code":
            with pytest.raises(cd.AuthenticationError, match="issued no refresh token"):
                session.whoami()
        else:
            session.whoami()
            assert [form["refresh_token"] for form in forms] == ["given"] * 2


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_may_read_is_refused(sign_in, mode):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    path = path_of(session)
    path.chmod(mode)
    with pytest.raises(cd.ConfigurationError, match="chmod 600"):
        make(auth_method="authorization_code").whoami()
    path.chmod(0o600)
    make(auth_method="authorization_code").whoami()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"sign_ins": 7}',
        b'{"sign_ins": {"a": {}}}',
        b'{"sign_ins": {"a": {"access_token": 7, "until": 1, "refresh_token": null}}}',
        b'{"sign_ins": {"a": {"access_token": "x", "until": "soon", "refresh_token": null}}}',
        b'{"sign_ins": {"a": {"access_token": "x", "until": 1, "refresh_token": ""}}}',
    ],
)
def test_a_file_of_another_kind_is_left_alone(sign_in, home, content):
    sandbox, make = sign_in
    path = home / "token.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(cd.ConfigurationError, match="not a token file of pandas_clicdata"):
        make(**with_code(sandbox), token_file=path).whoami()
    assert path.read_bytes() == content
    assert asked(sandbox) == []


def test_a_link_stays_a_link(sign_in, home):
    sandbox, make = sign_in
    (home / "link.json").symlink_to(home / "kept.json")
    make(**with_code(sandbox), token_file=str(home / "link.json")).whoami()
    assert (home / "link.json").is_symlink()
    assert len(kept_in(home / "kept.json")) == 1


def test_a_turn_that_never_comes(sign_in, home, monkeypatch):
    sandbox, make = sign_in
    monkeypatch.setattr(token_file, "_LOCK_TIMEOUT_SECONDS", 0.1)
    with (
        FileLock(home / "token.json.lock"),
        pytest.raises(cd.ConfigurationError, match="another process has locked it"),
    ):
        make(**with_code(sandbox), token_file=home / "token.json").whoami()
    assert asked(sandbox) == []


def test_an_interrupt_while_a_token_is_on_its_way_loses_nothing(http_service, home):
    path = home / "token.json"
    interrupted = threading.Event()

    def answer(request):
        if request.path == "/oauth20/token":
            press_ctrl_c()
            interrupted.wait(10)
            return 200, {}, json.dumps(REPLY).encode()
        return 200, {}, b"{}"

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            http_service(answer) as url,
            cd.Session(
                **CLIENT, refresh_token="given", token_file=path, base_url=url, api_version="unversioned"
            ) as session,
        ):
            with pytest.raises(KeyboardInterrupt):
                session.whoami()
            interrupted.set()
            # Who comes next waits for its turn, and finds the token that has come meanwhile.
            session.whoami()
            assert kept_in(path)[0]["refresh_token"] == "next"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_session_wakes_up_with_the_tokens_of_the_file(sign_in, monkeypatch):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    kept = kept_in(path_of(session))[0]
    frozen = pickle.dumps(session)
    for secret in (sandbox.client_secret, session._settings.code.reveal(), *kept.values()):
        assert str(secret).encode() not in frozen
    monkeypatch.setenv("CLICDATA_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    with pickle.loads(frozen) as woken:
        assert woken.auth_method == "authorization_code"
        assert woken.whoami().id is not None
    assert asked(sandbox) == [200]


def test_a_pickle_stays_with_the_sign_in_it_began_with(sign_in, home, monkeypatch):
    """Others sign in with the same client id, and into the same file."""
    sandbox, make = sign_in
    first = make(**with_code(sandbox))
    first.whoami()
    unused = make(auth_method="authorization_code")
    frozen = [pickle.dumps(first), pickle.dumps(unused)]
    other = make(**with_code(sandbox))
    other.whoami()
    kept_of_other = kept_in(path_of(first))[1]
    assert first._client.account_label == unused._client.account_label != other._client.account_label
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    # Neither the latest sign-in of the file nor a token of the environment is used in its place.
    for variable in ({}, {"CLICDATA_REFRESH_TOKEN": kept_of_other["refresh_token"]}):
        for name, value in variable.items():
            monkeypatch.setenv(name, value)
        for pickled in frozen:
            expire(sandbox, path_of(first))
            with pickle.loads(pickled) as loaded:
                assert loaded.whoami().id is not None
                assert loaded._client.account_label == first._client.account_label
    assert kept_in(path_of(first))[1]["refresh_token"] == kept_of_other["refresh_token"]
    # Nor where the file has lost it.
    content = json.loads(path_of(first).read_text())
    del content["sign_ins"][next(iter(content["sign_ins"]))]
    path_of(first).write_text(json.dumps(content))
    sandbox.requests.clear()
    for pickled in frozen:
        with (
            pickle.loads(pickled) as loaded,
            pytest.raises(cd.NoCredentialsError, match=r"was pickled, is not in .*CLICDATA_TOKEN_FILE"),
        ):
            loaded.whoami()
    assert len(sandbox.requests) == 0


def test_a_pickle_of_a_session_that_was_not_used_keeps_its_sign_in(sign_in, monkeypatch):
    sandbox, make = sign_in
    code = with_code(sandbox)
    unused = make(**code)
    frozen = pickle.dumps(unused)
    assert code["code"].encode() not in frozen
    make(**with_code(sandbox)).whoami()
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    with pickle.loads(frozen) as loaded, pytest.raises(cd.NoCredentialsError, match="was pickled, is not in"):
        loaded.whoami()
    unused.whoami()
    with pickle.loads(frozen) as loaded:
        assert loaded.whoami().id is not None


def test_a_renewed_token_is_of_the_same_account_and_a_new_sign_in_is_not(sign_in, home):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    before = session._client.account_label
    session.whoami()
    expire(sandbox, path_of(session))
    session.whoami()
    kept = kept_in(path_of(session))[0]
    assert {session._client.account_label, make(refresh_token=kept["refresh_token"])._client.account_label} == {before}
    assert make(auth_method="authorization_code")._client.account_label == before
    assert make(**with_code(sandbox))._client.account_label != before
    assert not any(str(secret) in before for secret in kept.values())


def test_each_account_has_a_file_of_its_own(home):
    paths = {
        TokenFile(Settings(auth_method="authorization_code", client_id=client_id, base_url=url)).path
        for client_id in ("a", "b")
        for url in ("https://one.example", "https://two.example")
    }
    assert len(paths) == 4
