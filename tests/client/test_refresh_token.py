"""The authorization-code flow: each refresh token can be used once, and the next one is never lost."""

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

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

BACK = "http://127.0.0.1:9/back"
QUICK = cd.RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)
CLIENT: dict[str, Any] = {"client_id": "acme", "client_secret": "hush"}
REPLY = {"access_token": "first", "refresh_token": "next", "expires_in": 3600}


@pytest.fixture(autouse=True)
def user_folder(no_settings, monkeypatch, tmp_path):
    """Use temporary folders of the user."""
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def sign_in(serve):
    """Start a sandbox; return it, and a function that opens sessions that end with the test."""
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


def sign_ins_in(path):
    return list(json.loads(path.read_text())["sign_ins"].values())


def token_statuses(sandbox):
    return [entry.status for entry in sandbox.requests.of("token")]


def expire(sandbox, *paths):
    """Expire the access tokens, in the service and in the files."""
    sandbox.faults.expire_tokens()
    for path in paths:
        content = json.loads(path.read_text())
        for stored in content["sign_ins"].values():
            stored["until"] = 0
        path.write_text(json.dumps(content))


def test_a_sign_in_from_the_address_to_the_account(sign_in):
    sandbox, make = sign_in
    url = cd.authorization_url(
        client_id=sandbox.client_id,
        redirect_uri=BACK + "?from=here",
        scope=["account_read", "table_read"],
        state="a b&c",
        base_url=sandbox.url,
    )
    reply = requests.get(url, allow_redirects=False, timeout=10)
    redirected = dict(parse_qsl(urlsplit(reply.headers["Location"]).query))
    assert (redirected["state"], redirected["from"]) == ("a b&c", "here")
    session = make(code=redirected["code"], redirect_uri=BACK + "?from=here")
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
def test_parameters_of_the_address(monkeypatch, given, environ, query):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    url = cd.authorization_url(**{"client_id": "acme", "redirect_uri": BACK, **given})
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://api.clicdata.com/oauth20/authorize"
    expected = {"response_type": "code", "client_id": "acme", "redirect_uri": BACK, **query}
    assert parse_qs(parts.query) == {name: [value] for name, value in expected.items()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"client_id": None}, "needs client_id= .or CLICDATA_CLIENT_ID"),
        ({"redirect_uri": None}, "needs redirect_uri= "),
        ({"client_id": 7}, "client_id= must be text"),
        ({"state": 7}, "state= must be text"),
        ({"scope": [7]}, "scope= must be a text"),
        ({"base_url": "http://api.clicdata.com"}, "unencrypted"),
    ],
)
def test_an_address_that_cannot_be_built_raises(given, message):
    with pytest.raises(cd.ConfigurationError, match=message):
        cd.authorization_url(**{"client_id": "acme", "redirect_uri": BACK, **given})


def test_a_token_file_is_private(sign_in, user_folder):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    path = path_of(session)
    assert user_folder in path.parents
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.with_name(path.name + ".lock").stat().st_mode) == 0o600
    assert sorted(each.suffix for each in path.parent.iterdir() if each.suffix != ".lock") == [".json"]
    assert sandbox.client_id not in path.name
    # The space that was reserved is released.
    assert path.read_text() == path.read_text().strip()


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_created_folders_are_private(sign_in, user_folder):
    sandbox, make = sign_in
    ours = user_folder / "state" / "pandas_clicdata"
    ours.mkdir(parents=True, mode=0o755)
    make(**with_code(sandbox)).whoami()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    make(**with_code(sandbox), token_file=user_folder / "made" / "token.json").whoami()
    assert stat.S_IMODE((user_folder / "made").stat().st_mode) == 0o700
    # The permissions of an existing folder do not change.
    (user_folder / "theirs").mkdir(mode=0o755)
    make(**with_code(sandbox), token_file=user_folder / "theirs" / "token.json").whoami()
    assert stat.S_IMODE((user_folder / "theirs").stat().st_mode) == 0o755


def test_a_code_given_again_uses_its_stored_tokens(sign_in):
    sandbox, make = sign_in
    given = with_code(sandbox)
    make(**given).whoami()
    for _ in range(3):
        make(**given).whoami()
    assert token_statuses(sandbox) == [200]
    for _ in range(3):
        session = make(**given)
        expire(sandbox, path_of(session))
        session.whoami()
    assert token_statuses(sandbox) == [200] * 4


@pytest.mark.parametrize("source", ["given", "environment", "profile"])
def test_a_refresh_token_given_again_is_not_spent_again(sign_in, monkeypatch, source, user_folder):
    sandbox, make = sign_in
    first = make(**with_code(sandbox), token_file=user_folder / "elsewhere" / "token.json")
    first.whoami()
    [stored] = sign_ins_in(path_of(first))
    given = {"refresh_token": stored["refresh_token"]}
    if source == "environment":
        monkeypatch.setenv("CLICDATA_REFRESH_TOKEN", given.pop("refresh_token"))
        given = {"client_id": None, "client_secret": None}
        monkeypatch.setenv("CLICDATA_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    elif source == "profile":
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
    assert token_statuses(sandbox) == [200] * 3
    # The token in the file belongs to the same sign-in.
    [stored] = sign_ins_in(path_of(session))
    make(**CLIENT | {name: getattr(sandbox, name) for name in CLIENT}, refresh_token=stored["refresh_token"]).whoami()
    assert token_statuses(sandbox) == [200] * 4
    assert len(sign_ins_in(path_of(session))) == 1


def test_the_next_refresh_token_is_stored_before_the_new_access_token_is_used(http_service, user_folder):
    path = user_folder / "token.json"
    received: list[tuple[list[str], os.stat_result]] = []

    def answer(request):
        if request.path == "/oauth20/token":
            number = len(received)
            received.append((parse_qs(request.body.decode())["refresh_token"], path.with_name("token.json.new").stat()))
            body = {"access_token": f"access {number}", "refresh_token": f"refresh {number}", "expires_in": 3600}
            return 200, {}, json.dumps(body).encode()
        token = request.headers["Authorization"].partition(" ")[2]
        stored = sign_ins_in(path)[0]
        assert stored["access_token"] == token
        assert stored["refresh_token"] == token.replace("access", "refresh")
        return (200, {}, b"{}") if len(received) > 2 else (401, {}, b"{}")

    with http_service(answer) as url:
        for _ in range(2):
            with (
                contextlib.suppress(cd.AuthenticationError),
                cd.Session(
                    **CLIENT, refresh_token="given", token_file=path, base_url=url, api_version="unversioned"
                ) as session,
            ):
                session.whoami()
    assert [tokens for tokens, _ in received] == [["given"], ["refresh 0"], ["refresh 1"]]
    # Space was reserved before the request, in a private file.
    assert all(reserved.st_size >= 4096 and stat.S_IMODE(reserved.st_mode) == 0o600 for _, reserved in received)


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced elsewhere")
def test_a_token_file_is_synced_in_the_right_order(sign_in, monkeypatch):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    steps: list[tuple[Any, ...]] = []
    fsync, replace = os.fsync, os.replace

    def recording_fsync(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        text = "" if is_folder else str(Path(f"/proc/self/fd/{handle}").readlink()) if sys.platform == "linux" else ""
        steps.append(("fsync", "folder" if is_folder else "file", len(token_statuses(sandbox)), text.endswith(".new")))
        return fsync(handle)

    def recording_replace(source, target, **more):
        steps.append(("replace",))
        return replace(source, target, **more)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "replace", recording_replace)
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
            assert token_statuses(sandbox) == [200] * number
            sandbox.faults.expire_tokens()


@pytest.mark.slow
def test_processes_that_share_a_file_take_turns(sign_in, user_folder):
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
            assert token_statuses(sandbox) == [200] * number
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
    before = sign_ins_in(path)
    assert len(before) == 2
    # Without a code or a token, the latest sign-in is used.
    make(auth_method="authorization_code").whoami()
    expire(sandbox, path)
    of_ada.whoami()
    after = sign_ins_in(path)
    assert (after[0] != before[0], after[1]["refresh_token"]) == (True, before[1]["refresh_token"])
    make(auth_method="authorization_code").whoami()
    assert sign_ins_in(path)[1]["refresh_token"] != before[1]["refresh_token"]
    assert sign_ins_in(path)[0] == after[0]
    assert token_statuses(sandbox) == [200] * 4


def a_file_for_a_folder(user_folder):
    (user_folder / "file").write_text("")
    return user_folder / "file" / "token.json"


def a_folder_for_the_lock(user_folder):
    (user_folder / "token.json.lock").mkdir()
    return user_folder / "token.json"


def a_folder_for_the_draft(user_folder):
    (user_folder / "token.json.new").mkdir()
    return user_folder / "token.json"


def a_folder_for_the_file(user_folder):
    (user_folder / "token.json").mkdir(mode=0o700)
    return user_folder / "token.json"


def no_such_folder(user_folder):
    return "/proc/clicdata/token.json"


@pytest.mark.parametrize(
    "place",
    [
        a_file_for_a_folder,
        a_folder_for_the_lock,
        a_folder_for_the_draft,
        a_folder_for_the_file,
        pytest.param(no_such_folder, marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc")),
    ],
)
def test_no_token_is_spent_if_the_file_cannot_be_written(sign_in, user_folder, place):
    sandbox, make = sign_in
    given = with_code(sandbox)
    path = place(user_folder)
    with pytest.raises(cd.ConfigurationError, match=r"token file .*token\.json cannot be .*token_file=") as caught:
        make(**given, token_file=path).whoami()
    assert not caught.value.ambiguous
    assert token_statuses(sandbox) == []
    make(**given).whoami()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not apply to root")
def test_no_token_is_spent_if_the_folder_cannot_be_written(sign_in, user_folder):
    sandbox, make = sign_in
    (user_folder / "closed").mkdir(mode=0o500)
    with pytest.raises(cd.ConfigurationError, match="Permission denied"):
        make(**with_code(sandbox), token_file=user_folder / "closed" / "token.json").whoami()
    assert token_statuses(sandbox) == []


def test_a_full_disk_loses_no_token(sign_in, monkeypatch):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    path = path_of(session)
    before = sign_ins_in(path)
    sandbox.faults.expire_tokens()
    replace, failures = os.replace, [True, True]

    def replace_on_full_disk(source, target, **more):
        if failures:
            failures.pop()
            raise OSError(28, "No space left on device")
        return replace(source, target, **more)

    monkeypatch.setattr(os, "replace", replace_on_full_disk)
    for _ in range(2):
        with pytest.raises(cd.ConfigurationError, match=r"written to .*token.* \(No space left on device\)"):
            session.whoami()
        assert sign_ins_in(path) == before
        session._client.authenticator._failure = None
    session.whoami()
    # Requested once, and stored as soon as there was space.
    assert token_statuses(sandbox) == [200] * 2
    assert sign_ins_in(path) != before
    make(auth_method="authorization_code").whoami()
    expire(sandbox, path)
    make(auth_method="authorization_code").whoami()
    assert token_statuses(sandbox) == [200] * 3


# Outcomes of a refresh: (faults of the token endpoint, number of requests, error, message).
OUTCOMES: dict[str, Any] = {
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


@pytest.mark.parametrize("credential", ["code", "refresh token"])
@pytest.mark.parametrize("case", OUTCOMES)
def test_outcomes_of_a_refresh(sign_in, credential, case):
    faults, count, kind, message = OUTCOMES[case]
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    if credential == "refresh token":
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
        assert message in str(caught.value)
        assert case == "client refused" or "sign in again: open the address that cd.authorization_url" in str(
            caught.value
        )
        assert case in ("client refused", "refused") or credential in str(caught.value)
        assert not caught.value.ambiguous
    assert len(token_statuses(sandbox)) == count
    # A token that was not spent can still be used.
    after = make(auth_method="authorization_code")
    if case in ("lost before", "500 before", "429"):
        after.whoami()
    elif case in ("always lost", "always 500", "refused", "client refused") and credential == "refresh token":
        after.whoami()
        assert token_statuses(sandbox)[-1] == 200


def test_a_refresh_that_cannot_be_sent_does_not_mention_a_spent_token(user_folder):
    given = {**CLIENT, "refresh_token": "given", "base_url": "http://127.0.0.1:1", "retry": QUICK}
    with cd.Session(**given) as session, pytest.raises(cd.ConnectionFailedError) as caught:
        session.whoami()
    assert "spent" not in str(caught.value)


def test_the_error_about_an_old_refresh_token_names_the_setting_to_leave_out(sign_in):
    sandbox, make = sign_in
    make(**with_code(sandbox)).whoami()
    with pytest.raises(cd.AuthenticationError, match=r"leave refresh_token= \(and CLICDATA_REFRESH_TOKEN\) out"):
        make(refresh_token="an old one").whoami()
    # The stored sign-in still works.
    make(auth_method="authorization_code").whoami()
    assert token_statuses(sandbox) == [200, 400]


def test_the_use_of_a_session_before_the_first_sign_in_raises(sign_in):
    sandbox, make = sign_in
    with pytest.raises(cd.NoCredentialsError, match=r"There is no sign-in yet.*cd\.authorization_url"):
        make(auth_method="authorization_code").whoami()
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("first", ["code", "refresh"])
def test_a_reply_without_a_refresh_token_raises_only_for_a_code(http_service, user_folder, first):
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


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_folder_that_others_may_write_is_refused_before_a_request(sign_in, tmp_path):
    sandbox, make = sign_in
    folder = tmp_path / "tokens"
    folder.mkdir()
    folder.chmod(0o777)
    code = with_code(sandbox)
    sandbox.requests.clear()
    with pytest.raises(cd.ConfigurationError, match="writable for all") as caught:
        make(**code, token_file=folder / "token.json").whoami()
    assert f"chmod o-w '{folder}'" in str(caught.value)
    assert list(sandbox.requests) == []
    folder.chmod(0o755)
    make(**code, token_file=folder / "token.json").whoami()


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_named_pipe_is_refused_instead_of_read(sign_in, user_folder):
    sandbox, make = sign_in
    os.mkfifo(user_folder / "token.json", 0o600)
    with pytest.raises(cd.ConfigurationError, match="it is not a regular file"):
        make(**with_code(sandbox), token_file=user_folder / "token.json").whoami()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"sign_ins": 7}',
        b'{"sign_ins": {"a": {}}}',
        b'{"sign_ins": {"a": {"access_token": 7, "until": 1, "refresh_token": null}}}',
        b'{"sign_ins": {"a": {"access_token": "x", "until": "soon", "refresh_token": null}}}',
        b'{"sign_ins": {"a": {"access_token": "x", "until": 1, "refresh_token": ""}}}',
    ],
)
def test_a_file_of_another_format_is_not_changed(sign_in, user_folder, content):
    sandbox, make = sign_in
    path = user_folder / "token.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(cd.ConfigurationError, match="not a token file of pandas_clicdata"):
        make(**with_code(sandbox), token_file=path).whoami()
    assert path.read_bytes() == content
    assert token_statuses(sandbox) == []


def test_a_symbolic_link_is_not_replaced(sign_in, user_folder):
    sandbox, make = sign_in
    (user_folder / "link.json").symlink_to(user_folder / "kept.json")
    make(**with_code(sandbox), token_file=str(user_folder / "link.json")).whoami()
    assert (user_folder / "link.json").is_symlink()
    assert len(sign_ins_in(user_folder / "kept.json")) == 1


def test_a_file_that_stays_locked_raises(sign_in, user_folder, monkeypatch):
    sandbox, make = sign_in
    monkeypatch.setattr(token_file, "_LOCK_TIMEOUT_SECONDS", 0.1)
    with (
        FileLock(user_folder / "token.json.lock"),
        pytest.raises(cd.ConfigurationError, match="another process has locked it"),
    ):
        make(**with_code(sandbox), token_file=user_folder / "token.json").whoami()
    assert token_statuses(sandbox) == []


def test_an_interrupt_during_a_token_request_loses_no_token(http_service, user_folder):
    path = user_folder / "token.json"
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
            # The next call waits, and finds the token that has arrived meanwhile.
            session.whoami()
            assert sign_ins_in(path)[0]["refresh_token"] == "next"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_pickled_session_uses_the_tokens_of_the_file(sign_in, monkeypatch):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    session.whoami()
    stored = sign_ins_in(path_of(session))[0]
    pickled = pickle.dumps(session)
    for secret in (sandbox.client_secret, session._settings.code.reveal(), *stored.values()):
        assert str(secret).encode() not in pickled
    monkeypatch.setenv("CLICDATA_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    with pickle.loads(pickled) as loaded:
        assert loaded.auth_method == "authorization_code"
        assert loaded.whoami().id is not None
    assert token_statuses(sandbox) == [200]


def test_a_pickled_session_keeps_its_sign_in(sign_in, user_folder, monkeypatch):
    """Other users sign in with the same client id and the same file."""
    sandbox, make = sign_in
    first = make(**with_code(sandbox))
    first.whoami()
    unused = make(auth_method="authorization_code")
    pickles = [pickle.dumps(first), pickle.dumps(unused)]
    other = make(**with_code(sandbox))
    other.whoami()
    stored_of_other = sign_ins_in(path_of(first))[1]
    assert first._client.account_label == unused._client.account_label != other._client.account_label
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    # Neither the latest sign-in of the file nor a token of the environment is used instead.
    for variable in ({}, {"CLICDATA_REFRESH_TOKEN": stored_of_other["refresh_token"]}):
        for name, value in variable.items():
            monkeypatch.setenv(name, value)
        for pickled in pickles:
            expire(sandbox, path_of(first))
            with pickle.loads(pickled) as loaded:
                assert loaded.whoami().id is not None
                assert loaded._client.account_label == first._client.account_label
    assert sign_ins_in(path_of(first))[1]["refresh_token"] == stored_of_other["refresh_token"]
    # Nor if the file no longer has the sign-in.
    content = json.loads(path_of(first).read_text())
    del content["sign_ins"][next(iter(content["sign_ins"]))]
    path_of(first).write_text(json.dumps(content))
    sandbox.requests.clear()
    for pickled in pickles:
        with (
            pickle.loads(pickled) as loaded,
            pytest.raises(cd.NoCredentialsError, match=r"was pickled, is not in .*CLICDATA_TOKEN_FILE"),
        ):
            loaded.whoami()
    assert len(sandbox.requests) == 0


def test_a_pickled_session_that_was_not_used_keeps_its_sign_in(sign_in, monkeypatch):
    sandbox, make = sign_in
    code = with_code(sandbox)
    unused = make(**code)
    pickled = pickle.dumps(unused)
    assert code["code"].encode() not in pickled
    make(**with_code(sandbox)).whoami()
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    with pickle.loads(pickled) as loaded, pytest.raises(cd.NoCredentialsError, match="was pickled, is not in"):
        loaded.whoami()
    unused.whoami()
    with pickle.loads(pickled) as loaded:
        assert loaded.whoami().id is not None


def test_a_renewed_token_belongs_to_the_same_account_and_a_new_sign_in_does_not(sign_in, user_folder):
    sandbox, make = sign_in
    session = make(**with_code(sandbox))
    before = session._client.account_label
    session.whoami()
    expire(sandbox, path_of(session))
    session.whoami()
    stored = sign_ins_in(path_of(session))[0]
    assert {session._client.account_label, make(refresh_token=stored["refresh_token"])._client.account_label} == {
        before
    }
    assert make(auth_method="authorization_code")._client.account_label == before
    assert make(**with_code(sandbox))._client.account_label != before
    assert not any(str(secret) in before for secret in stored.values())


def test_each_account_has_its_own_file(user_folder):
    paths = {
        TokenFile(Settings(auth_method="authorization_code", client_id=client_id, base_url=url)).path
        for client_id in ("a", "b")
        for url in ("https://one.example", "https://two.example")
    }
    assert len(paths) == 4
