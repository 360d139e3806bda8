"""Sign in by answering questions: check the credentials, store them in a profile, and remove them again."""

from __future__ import annotations

import base64
import contextlib
import errno
import getpass
import hashlib
import hmac
import logging
import os
import re
import secrets
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pandas_clicdata import _config
from pandas_clicdata import session as _session
from pandas_clicdata._config import AuthMethod, Settings, concealed
from pandas_clicdata._display import facts_view, in_notebook
from pandas_clicdata._ipython import running_shell, shown_briefly
from pandas_clicdata._keyring import InKeyring, fetch_secret, store_secret
from pandas_clicdata._models import AccountInfo, Secret, is_secret_name
from pandas_clicdata._threads import fork_lock, started
from pandas_clicdata.client.auth import authorize_address
from pandas_clicdata.client.token_file import TokenFile
from pandas_clicdata.errors import (
    ApiError,
    AuthenticationError,
    ClicDataError,
    ConfigurationError,
    NoCredentialsError,
    NotCheckedWarning,
    PermissionDeniedError,
    RequestTimeoutError,
    printable,
)
from pandas_clicdata.session import Session, SessionManager, resolve_session

if TYPE_CHECKING:
    from socketserver import TCPServer

logger: logging.Logger = logging.getLogger(__name__)

_TRIES = 3
_BROWSER_SECONDS = 300.0
_POLL_SECONDS = 0.1
_METHODS: Mapping[AuthMethod, str] = {
    "client_credentials": "client id and client secret",
    "basic": "client id, e-mail address and password",
    "api_key": "API key",
    "authorization_code": "in the browser, as a person",
}
_QUESTIONS = {
    "client_id": "Client id",
    "client_secret": "Client secret",
    "username": "E-mail address",
    "password": "Password",
    "api_key": "API key",
    "redirect_uri": "Redirect address, exactly as it is registered for this client",
}
_OPTIONS = ("timeout", "retry", "verify", "proxies", "max_request_bytes", "max_reply_bytes")
_Answers = dict[str, str | Secret]


@shown_briefly
def login(
    auth_method: str | None = None,
    *,
    profile: str | None = None,
    keyring: bool = False,
    client_id: str | None = None,
    client_secret: str | Secret | None = None,
    username: str | None = None,
    password: str | Secret | None = None,
    api_key: str | Secret | None = None,
    redirect_uri: str | None = None,
    scope: str | list[str] | None = None,
    pkce: bool = False,
    browser: bool | None = None,
    wait: float = _BROWSER_SECONDS,
    token_file: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    api_version: str | None = None,
    **options: Any,
) -> Session:
    """Ask for the credentials, check them and store them in a profile.

    In a notebook and in a terminal, this function asks for what is not given and not set in the environment; secrets
    are not shown while they are typed. Then it signs in and asks for the account. After a refusal it shows the reason
    and asks again, three times at most. Only credentials that ClicData accepts are stored. From then on,
    :func:`connect` without arguments uses them, and so does every function without a session.

    Parameters
    ----------
    auth_method : {"client_credentials", "basic", "api_key", "authorization_code"}, optional
        How to sign in. Default: the method of the given credentials; otherwise it is asked for.
    profile : str, optional
        The name of the profile. Default: ``CLICDATA_PROFILE``, or else ``"default"``.
    keyring : bool, default False
        Whether to store the secret in the keyring of the system instead of the profile file. It needs the extra
        ``pandas-clicdata[keyring]``.
    client_id, client_secret : str, optional
        For ``client_credentials`` and ``authorization_code``; ``client_id`` also for ``basic``.
    username, password : str, optional
        The e-mail address and the password, for ``basic``.
    api_key : str, optional
        The key, for ``api_key``.
    redirect_uri : str, optional
        For ``authorization_code``: the address that is registered for the client. If it is
        ``http://127.0.0.1:PORT/…`` or ``http://localhost:PORT/…``, this function receives the code there.
    scope : str or list of str, optional
        For ``authorization_code``: the permissions, as for :func:`authorization_url`.
    pkce : bool, default False
        For ``authorization_code``: whether to send the challenge of PKCE, method S256.
    browser : bool, optional
        For ``authorization_code``: whether to open a browser. With False, nothing is received at the redirect address
        either, and the code is pasted. Default: open one if this machine has a display, and receive the code, except on
        JupyterHub, whose browser is on another machine.
    wait : float, default 300
        Seconds to wait for the browser.
    token_file : path-like, optional
        For ``authorization_code``: the file for the tokens. Default: a file of the profile in your state folder.
    base_url : str, optional
        The address of the API. Default: from the environment, the profile of this name, or
        ``"https://api.clicdata.com"``.
    api_version : str, optional
        The dialect, as for :class:`Session`.
    **options
        ``timeout``, ``retry``, ``verify``, ``proxies``, ``max_request_bytes`` and ``max_reply_bytes`` of
        :class:`Session`. They are not stored.

    Returns
    -------
    Session
        The session, which is the default session now.

    Raises
    ------
    NoCredentialsError
        Something must be asked, and there is neither a terminal nor a notebook. The message names the environment
        variables to set instead.
    ConfigurationError
        A setting is wrong, the profile file or the keyring cannot be used, or a variable of the environment would take
        precedence over the profile.
    AuthenticationError
        ClicData refuses the credentials.
    RequestTimeoutError
        No code came back from the browser in time.
    TransportError, ApiError
        The credentials could not be checked.

    See Also
    --------
    logout : Remove what this function stored.
    whoami : Show the account, the user and where the settings come from.
    connect : Sign in without questions.

    Notes
    -----
    The profile file (on Linux ``~/.config/pandas_clicdata/profiles.toml``) is replaced as a whole, with mode 600. Other
    profiles and all comments in it stay as they are. A file that other users can read, or that belongs to another user,
    is refused and not changed.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:  # without arguments, it asks
    ...     session = cd.login(api_key=sandbox.api_key, base_url=sandbox.url, profile="sandbox")
    ...     print(session.whoami().name, cd.whoami().profile)
    ...     removed = cd.logout("sandbox")
    Sandbox sandbox
    """
    # Rebound first, so that a traceback with locals shows no secret.
    client_secret, password, api_key = Secret.of(client_secret), Secret.of(password), Secret.of(api_key)
    auth_method, base_url = concealed("auth_method", auth_method), concealed("base_url", base_url)
    _session.conceal(options)
    unknown = [option for option in options if option not in _OPTIONS]
    if unknown:
        raise TypeError(f"login() has no parameter {unknown[0]!r}. Its options are those of Session: {_OPTIONS}.")
    given: dict[str, str | Secret | None] = {
        "auth_method": auth_method,
        "client_id": client_id,
        "client_secret": client_secret,
        "username": username,
        "password": password,
        "api_key": api_key,
        "redirect_uri": redirect_uri,
        "token_file": os.fspath(token_file) if isinstance(token_file, os.PathLike) else token_file,
        "base_url": base_url,
        "api_version": api_version,
    }
    name = _config.wanted_profile(profile)
    path = _config.check_profile_file()
    if keyring:
        # It must not turn out after the questions that there is none.
        fetch_secret(name, "client_secret")
    stored = _config.profile_settings(name)
    known = {**_check_environment(given), **{key: value for key, value in given.items() if value is not None}}
    address = known.get("base_url") or stored.get("base_url") or _config.DEFAULT_BASE_URL
    known["base_url"] = _config.checked_base_url(str(address))
    if known["base_url"] == stored.get("base_url", _config.DEFAULT_BASE_URL):
        known = {**{each: stored[each] for each in ("api_version", "service_profile") if each in stored}, **known}
    asking = _Questions(f"Sign in to {known['base_url']}. Profile {name!r} in {path}")
    method = _method(known, stored, asking)
    _check_environment({}, method)
    if method == "authorization_code" and not known.get("token_file"):
        # It must not turn out after the questions that there is no place for the tokens.
        _token_file(name, known)

    def sign_in(answers: _Answers) -> None:
        grant: _Answers = {}
        if method == "authorization_code":
            answers["token_file"] = answers.get("token_file") or _token_file(name, answers)
            grant = _granted(answers, scope, asking, pkce=pkce, browser=browser, wait=wait)
        with _Candidate(**cast(Any, {**answers, **grant}), **options) as candidate, _tokens_removed_on_error(candidate):
            _check(candidate)
            _store(name, _config.resolve(answers, without_profile=True), in_keyring=keyring)

    answers = _accepted(method, known, stored, asking, sign_in)
    former = stored.get("token_file")
    if former != answers.get("token_file") and former == _token_file(name, stored):
        TokenFile(Settings(auth_method="authorization_code", token_file=str(former))).forget()
    session = Session(profile=name, **options)
    SessionManager.bind_session(session)
    return session


class _Candidate(Session):
    """A session with credentials that are not stored yet."""

    def _resolve(self, given: Mapping[str, str | Secret | None], profile: str | None) -> Settings:
        return _config.resolve(given, without_profile=True)


def _check_environment(given: Mapping[str, object], method: AuthMethod | None = None) -> _Answers:
    """Return the settings in the environment that are not secret; they count as given.

    Raises
    ------
    ConfigurationError
        A variable would take precedence over what is stored, so that a later session would not use it.
    """
    found = _config.environment_settings()
    found.pop("service_profile", None)
    overriding = [
        _config.VARIABLES[name]
        for name, value in found.items()
        if name in _config.SECRET_NAMES or given.get(name) not in (None, value)
    ]
    implied = found.get("auth_method") or _config.method_of(found)
    if method is not None and implied not in (None, method):
        overriding = [_config.VARIABLES[name] for name in ("auth_method", "username", "token_file") if name in found]
    if overriding:
        names, verb = " and ".join(overriding), "is" if len(overriding) == 1 else "are"
        raise ConfigurationError(
            f"{names} {verb} set in the environment and would take precedence over the profile that cd.login() stores."
            f" Unset {'it' if len(overriding) == 1 else 'them'} first. Or leave login out: cd.connect() uses the"
            " environment."
        )
    return dict(found)


def _method(known: Mapping[str, object], stored: Mapping[str, object], asking: _Questions) -> AuthMethod:
    """Return the authentication method that is given, that the given settings belong to, or that the user chooses."""
    given = known.get("auth_method")
    if given is not None:
        if given not in _METHODS:
            # The value is not shown, because it may be a key that was passed to the wrong parameter.
            allowed = ", ".join(map(repr, _METHODS))
            raise ConfigurationError(f"Unknown auth_method=. Valid values: {allowed}.")
        return cast(AuthMethod, given)
    if known.get("api_key"):
        return "api_key"
    if known.get("username") or known.get("password"):
        return "basic"
    if known.get("redirect_uri") or known.get("token_file"):
        return "authorization_code"
    if known.get("client_secret"):
        return "client_credentials"
    return asking.method(str(stored.get("auth_method", "client_credentials")))


def _token_file(profile: str, settings: Mapping[str, str | Secret]) -> str:
    """Return the path of a token file for this profile and client alone.

    A session uses the latest sign-in in its file, and two profiles may be two people with the same client.
    """
    folder = _config.user_folder("state")
    if folder is None:
        raise ConfigurationError(
            "There is no place to store the tokens, because this user has no home directory, and each refresh token"
            " works only once. Give the path of a file as token_file= (or CLICDATA_TOKEN_FILE), or set HOME or"
            " XDG_STATE_HOME."
        )
    owner = (profile, settings.get("client_id", ""), settings.get("base_url", _config.DEFAULT_BASE_URL))
    return str(folder / f"token-{hashlib.sha256(repr(owner).encode()).hexdigest()[:32]}.json")


def _accepted(
    method: AuthMethod,
    known: _Answers,
    stored: Mapping[str, str | Secret],
    asking: _Questions,
    sign_in: Callable[[_Answers], None],
) -> _Answers:
    """Ask until ClicData accepts the answers, three times at most; return them."""
    needed = _config.REQUIRED[method] + (("redirect_uri",) if method == "authorization_code" else ())
    optional = ("base_url", "api_version", "service_profile", "token_file")
    base: _Answers = {name: value for name, value in known.items() if name in (*needed, *optional)}
    suggested = {name: str(value) for name, value in stored.items() if not isinstance(value, Secret)}
    missing = [name for name in needed if not base.get(name)]
    for tries_left in reversed(range(_TRIES)):
        answers: _Answers = {**base, "auth_method": method}
        for name in missing:
            answers[name] = asking.setting(name, method, suggested.get(name))
            if name not in _config.SECRET_NAMES:
                suggested[name] = str(answers[name])
        try:
            sign_in(answers)
        except AuthenticationError as exc:
            if not missing or not tries_left or exc.operation == "authorize":
                raise
            asking.tell(f"{exc}\nPlease try again.")
        else:
            return answers
    raise AssertionError


@contextlib.contextmanager
def _tokens_removed_on_error(session: Session) -> Iterator[None]:
    """Remove the sign-in of a session from its token file if the block fails."""
    try:
        yield
    except BaseException:
        if session.auth_method == "authorization_code":
            with contextlib.suppress(ClicDataError):
                TokenFile(session._settings).forget(session._client.authenticator.identity())
        raise


def _check(session: Session) -> None:
    """Check the credentials of a session. A token proves them; without one, the account does."""
    proven = session._client.authenticator.check(None)
    try:
        session.whoami()
    except PermissionDeniedError as exc:
        # A proxy may send a 403, too, but not with an error code of ClicData.
        if not proven and exc.code is None:
            raise
        if not proven:
            text = f"ClicData knows the credentials, but they may not read the account: {' '.join(str(exc).split())}"
            # Without a file, because Python would print the line of the call, which may contain credentials.
            warnings.warn_explicit(text, NotCheckedWarning, "pandas_clicdata.login", 0)


def _store(name: str, settings: Settings, *, in_keyring: bool) -> None:
    """Store the settings in the profile file, and their secrets there or in the keyring."""
    kept = {each: getattr(settings, each) for each in _config.VARIABLES}
    kept["base_url"] = None if settings.base_url == _config.DEFAULT_BASE_URL else settings.base_url
    kept["api_version"] = None if settings.api_version == "auto" else settings.api_version
    secret = {each: value for each, value in kept.items() if isinstance(value, Secret)}
    before = _keyring_names(name)
    if not in_keyring:
        _config.change_profile(name, {**kept, "keyring": None})
    else:
        replaced = {each: fetch_secret(name, each) for each in secret}
        try:
            for each, value in secret.items():
                store_secret(name, each, value)
            _config.change_profile(name, {**kept, **dict.fromkeys(secret), "keyring": " ".join(secret)})
        except BaseException:
            for each, old in replaced.items():
                with contextlib.suppress(ConfigurationError):
                    store_secret(name, each, old)
            raise
    for each in before:
        if not in_keyring or each not in secret:
            try:
                store_secret(name, each, None)
            except ConfigurationError as exc:
                logger.info("an old secret stays in the keyring: %s", exc)


def _keyring_names(profile: str) -> list[str]:
    return [name for name, value in _config.profile_settings(profile).items() if isinstance(value, InKeyring)]


@shown_briefly
def logout(profile: str | None = None) -> list[str]:
    """Remove the secrets and tokens of a profile, and forget the default session.

    The rest of the profile stays, so that the next :func:`login` suggests it. Variables of the environment stay, too,
    and ClicData is not asked to revoke anything, because no public client shows how.

    Parameters
    ----------
    profile : str, optional
        The name of the profile. Default: ``CLICDATA_PROFILE``, or else ``"default"``.

    Returns
    -------
    list of str
        What was removed: secrets in the profile file, secrets in the keyring, and token files. Empty if there was
        nothing.

    Raises
    ------
    ConfigurationError
        The profile file, the keyring or a token file cannot be read or changed.

    See Also
    --------
    login : Ask for the credentials, check them and store them in a profile.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.logout("a profile that does not exist")
    []
    """
    name = _config.wanted_profile(profile)
    _session._default.replace(None)
    settings = _config.profile_settings(name)
    removed = []
    # What may fail comes first, so that a second call finds it again.
    in_keyring = _keyring_names(name)
    for each in in_keyring:
        store_secret(name, each, None)
        removed.append(f"{each} in the keyring of the system")
    removed += [f"the tokens in {file.path}" for file in _token_files(name, settings) if file.forget()]
    in_file = [each for each in _config.SECRET_NAMES if each in settings and each not in in_keyring]
    if in_file or in_keyring:
        path = _config.change_profile(name, dict.fromkeys((*in_file, "keyring")))
        removed += [f"{each} of the profile {name!r} in {path}" for each in in_file]
    return removed


def _token_files(profile: str, settings: Mapping[str, str | Secret]) -> Iterator[TokenFile]:
    """Yield the token files of a profile: those of :func:`login`, and the one of a session without ``token_file``."""
    if not settings:
        return
    client = {
        "client_id": str(settings.get("client_id", "")),
        "base_url": str(settings.get("base_url", _config.DEFAULT_BASE_URL)),
    }
    paths: list[str | None] = [str(settings["token_file"])] if "token_file" in settings else []
    if _config.user_folder("state") is not None:
        paths += [_token_file(profile, client), None]
    for path in dict.fromkeys(paths):
        yield TokenFile(Settings(auth_method="authorization_code", token_file=path, **cast(Any, client)))


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who is signed in, and where the settings come from.

    Parameters
    ----------
    account : AccountInfo or None
        The account. None if the sign-in may not read it.
    user : mapping of str to object
        What ClicData states about the user who is signed in. Empty if it states nothing.
    base_url : str
        The address of the API.
    auth_method : str
        The authentication method.
    profile : str or None
        The profile, if settings come from one.
    source : str
        Where the credentials come from: arguments, the environment, the profile file, the keyring.
    dialect : str or None
        The dialect of the API.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.whoami().auth_method
    'client_credentials'
    """

    account: AccountInfo | None
    user: Mapping[str, Any] = field(default_factory=dict)
    base_url: str
    auth_method: str
    profile: str | None
    source: str
    dialect: str | None

    def _facts(self) -> list[tuple[str, object]]:
        account = self.account
        name = None if account is None else account.name or account.domain
        person = " ".join(str(self.user[key]) for key in ("first_name", "last_name") if self.user.get(key))
        mail = next((self.user[key] for key in ("email_address", "email", "username") if self.user.get(key)), "")
        user = f"{person} <{mail}>" if person and mail else person or str(mail)
        return [
            (label, value)
            for label, value in (
                ("account", name),
                ("account id", None if account is None else account.id),
                ("user", user or None),
                ("address", self.base_url),
                ("signs in by", self.auth_method),
                ("profile", self.profile),
                ("settings from", self.source),
                ("dialect", self.dialect),
            )
            if value is not None
        ]

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self._facts())
        return "\n".join(f"{label:<{width}}  {printable(str(value))}" for label, value in self._facts())

    def _repr_html_(self) -> str:
        return facts_view("ClicData sign-in", self._facts())


@shown_briefly
def whoami(session: Session | None = None) -> Identity:
    """Show who is signed in: the account, the user, the method and where the settings come from.

    Parameters
    ----------
    session : Session, optional
        The session. Default: the default session.

    Returns
    -------
    Identity
        The account, the user and the settings, without any secret.

    Raises
    ------
    AuthenticationError
        ClicData refuses the credentials.
    NoCredentialsError
        There is no default session, and there are no credentials for one.
    TransportError
        No reply arrived.

    See Also
    --------
    Session.whoami : Return the account alone.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> cd.whoami().account.name
    'Sandbox'
    """
    session = resolve_session(session)
    client = session._client
    account, user = None, dict[str, Any]()
    with contextlib.suppress(PermissionDeniedError):
        account = session.whoami()
    try:
        user = {key: value for key, value in client.profile().items() if not is_secret_name(str(key))}
    except AuthenticationError:
        raise
    except ApiError as exc:
        # Whether every account has this operation is not known.
        logger.info("the user is not known: %s", exc)
    settings = session._settings
    return Identity(
        account=account,
        user=user,
        base_url=session.base_url,
        auth_method=session.auth_method,
        profile=settings.profile or session._profile,
        source=_source(settings, of_sandbox=not client.outlives_process),
        dialect=client.known_dialect,
    )


def _source(settings: Settings, *, of_sandbox: bool) -> str:
    if of_sandbox:
        return "the sandbox of this process"
    origins = dict(settings.sources)
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys((*_config.REQUIRED[settings.auth_method], *_config.SECRET_NAMES)):
        if name in origins:
            found.setdefault(origins[name], []).append(name)
    if len(found) < 2:
        return next(iter(found), "the environment or the profile of this process")
    return "; ".join(f"{', '.join(names)}: {origin}" for origin, names in found.items())


# the questions


class _Questions:
    """Asks in a notebook or a terminal.

    Parameters
    ----------
    title : str
        What is printed before the first question.
    """

    def __init__(self, title: str) -> None:
        self._title = title

    @property
    def possible(self) -> bool:
        """Whether there is somebody to ask."""
        if in_notebook():
            # Not imported, because a kernel has imported it.
            return bool(getattr(running_shell().kernel, "_allow_stdin", True))
        try:
            return sys.stdin is not None and sys.stdin.isatty()
        except ValueError:
            # It is closed.
            return False

    def tell(self, text: str) -> None:
        """Print a text, after the title if that is not printed yet."""
        for each in (self._title, text):
            if each:
                print(each, flush=True)
        self._title = ""

    def method(self, suggested: str) -> AuthMethod:
        """Ask for the authentication method."""
        names = list(_METHODS)
        if not self.possible:
            raise self.refusal("client_credentials", "the authentication method")
        lines = [f"  {number}  {name}: {_METHODS[name]}" for number, name in enumerate(names, 1)]
        self.tell("\n".join(["How do you sign in?", *lines]))
        default = names.index(suggested) + 1 if suggested in names else 1
        while True:
            answer = self._answer(f"Number [{default}]: ", "client_credentials") or str(default)
            if answer in names:
                return answer
            if answer.isdecimal() and 1 <= int(answer) <= len(names):
                return names[int(answer) - 1]
            self.tell(f"Please answer with a number from 1 to {len(names)}.")

    def setting(self, name: str, method: AuthMethod, suggested: str | None) -> str | Secret:
        """Ask for a setting until there is an answer."""
        if not self.possible:
            raise self.refusal(method, f"{name}=")
        while True:
            if name in _config.SECRET_NAMES:
                secret = self.secret(f"{_QUESTIONS[name]} (not shown): ", method)
                if secret:
                    return secret
            else:
                answer = self._answer(f"{_QUESTIONS[name]}{f' [{suggested}]' if suggested else ''}: ", method)
                if answer or suggested:
                    return answer or cast(str, suggested)
            self.tell("An answer is needed. Press Ctrl-C, or interrupt the kernel, to stop.")

    def _answer(self, prompt: str, method: AuthMethod) -> str:
        self.tell("")
        try:
            return printable(input(prompt).strip())
        except (EOFError, NotImplementedError):
            pass
        raise self.refusal(method, prompt.strip(" :"))

    def secret(self, prompt: str, method: AuthMethod) -> Secret:
        """Ask for a secret, which is not shown."""
        self.tell("")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                return Secret(getpass.getpass(prompt))
        except (EOFError, NotImplementedError, getpass.GetPassWarning):
            pass
        raise self.refusal(method, "a secret without showing it")

    def refusal(self, method: AuthMethod, what: str) -> NoCredentialsError:
        """Return the error about a question that cannot be asked."""
        names = [_config.VARIABLES[each] for each in _config.REQUIRED[method]]
        if method == "authorization_code":
            names += [_config.VARIABLES["refresh_token"]]
        return NoCredentialsError(
            f"cd.login() must ask for {what}, and there is neither a terminal nor a notebook that can answer. Set in"
            f" the environment {', '.join(names[:-1])}{' and ' if names[:-1] else ''}{names[-1]} instead, and call"
            " cd.connect(), which uses the environment."
        )


# the browser


class _OtherAnswer(Exception):
    """An address or text that is not the answer to this sign-in."""


def _granted(
    answers: _Answers,
    scope: str | list[str] | None,
    asking: _Questions,
    *,
    pkce: bool,
    browser: bool | None,
    wait: float,
) -> _Answers:
    """Let a person grant access in the browser; return the code and its verifier."""
    state = Secret(secrets.token_urlsafe(32))
    verifier = Secret(secrets.token_urlsafe(64)) if pkce else None
    known = {name: str(answers[name]) for name in ("base_url", "client_id", "redirect_uri")}
    url = authorize_address(known, scope, state.reveal(), None if verifier is None else _challenge(verifier))
    if browser is None and any(name in os.environ for name in ("JUPYTERHUB_USER", "JUPYTERHUB_SERVICE_PREFIX")):
        browser = False
    loopback = None if browser is False else _loopback_of(known["redirect_uri"])
    opens = _has_browser() if browser is None else browser
    if not asking.possible and not (loopback and opens):
        raise asking.refusal("authorization_code", "the code that the browser brings back")
    received: Future[Secret] = Future()
    with contextlib.ExitStack() as stack:
        if loopback is not None:
            stack.enter_context(_receiving(loopback, state, received))
        asking.tell(f"Open this address in a browser and sign in there:\n\n  {url}\n")
        if opens:
            _open_browser(url)
        code = _received_or_pasted(received, asking, state, wait=wait, receives=loopback is not None)
    return {"code": code, **({} if verifier is None else {"code_verifier": verifier})}


def _challenge(verifier: Secret) -> str:
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _loopback_of(redirect_uri: str) -> SplitResult | None:
    """Return the parts of a redirect address at which this process can receive the code; None for any other one."""
    try:
        parts = urlsplit(redirect_uri)
        usable = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost") and parts.port
    except ValueError:
        return None
    return parts if usable and "@" not in parts.netloc and not parts.fragment else None


def _has_browser() -> bool:
    if os.environ.get("BROWSER"):
        return True
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    # Without a display, a browser would take over the terminal.
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_browser(url: str) -> None:
    import webbrowser

    def run() -> None:
        with contextlib.suppress(Exception):
            webbrowser.open(url)

    # Some browsers return only when they are closed.
    started(threading.Thread(target=run, name="clicdata-browser", daemon=True))


def _code_in(query: Secret, state: Secret) -> Secret:
    """Return the code in the query of the address to which ClicData sent the browser.

    Raises
    ------
    AuthenticationError
        The answer is a refusal.
    _OtherAnswer
        The query is not an answer to this sign-in.
    """
    fields = {
        name: [Secret(value) for value in values]
        for name, values in parse_qs(query.reveal(), keep_blank_values=True, max_num_fields=100).items()
    }

    def only(name: str) -> Secret:
        values = fields.get(name, [])
        return values[0] if len(values) == 1 else Secret("")

    if not hmac.compare_digest(only("state").reveal().encode(), state.reveal().encode()):
        raise _OtherAnswer("This address does not belong to this sign-in: its state is another one.")
    if only("error"):
        text = ": ".join(filter(None, (only(name).reveal()[:300] for name in ("error", "error_description"))))
        raise AuthenticationError(f"ClicData did not grant access: {text}", operation="authorize")
    if not only("code"):
        raise _OtherAnswer("This address holds no code.")
    return only("code")


def _pasted_code(text: Secret, state: Secret) -> Secret:
    """Return the code in what was pasted: an address, its query, or the code alone."""
    pasted = Secret(text.reveal().strip())
    if "://" in pasted.reveal() or re.search(r"(?:^|[?&])(?:code|state|error)=", pasted.reveal()):
        query = Secret(pasted.reveal().partition("#")[0].partition("?")[2] or pasted.reveal())
        return _code_in(query, state)
    if not pasted:
        raise _OtherAnswer("Nothing was pasted.")
    return Secret(unquote(pasted.reveal())) if re.search("%[0-9A-Fa-f]{2}", pasted.reveal()) else pasted


def _received_or_pasted(
    received: Future[Secret], asking: _Questions, state: Secret, *, wait: float, receives: bool
) -> Secret:
    """Return the code from whichever way it comes first."""
    deadline = time.monotonic() + wait
    paste = "paste the address of that page or the code in it, which is not shown: "
    if not asking.possible:
        return _received(received, deadline, wait)
    terminal = _terminal() if receives and not in_notebook() else None
    with contextlib.closing(terminal) if terminal else contextlib.nullcontext():
        for _ in range(_TRIES):
            if terminal is not None:
                prompt = f"Waiting for the browser. If its last page fails, {paste}"
                text = terminal.line(prompt, received, deadline)
            elif receives:
                # A question in a notebook cannot be taken back, so it waits for Enter.
                text = asking.secret(
                    f"Press Enter when the browser says that you are signed in. If its last page fails, {paste}",
                    "authorization_code",
                )
            else:
                text = asking.secret(f"When you have signed in there, {paste}", "authorization_code")
            if received.done() or (receives and not text):
                return _received(received, deadline, wait)
            try:
                return _pasted_code(text, state)
            except _OtherAnswer as exc:
                asking.tell(f"{exc} Please paste the address of the page that the browser shows after the sign-in.")
    raise ConfigurationError("No code was pasted. Call cd.login() again to start a new sign-in.")


def _received(received: Future[Secret], deadline: float, wait: float) -> Secret:
    # In slices, because on Windows Ctrl-C does not interrupt a wait.
    while not received.done() and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            received.result(_POLL_SECONDS)
    if not received.done():
        raise RequestTimeoutError(
            f"No code came back from the browser within {wait:g} seconds. Call cd.login() again, and paste the address"
            " of the last page of the browser if that page cannot be shown.",
            operation="authorize",
        )
    return received.result()


class _Terminal:
    """A terminal that does not show what is typed, and whose question can be taken back."""

    def __init__(self, handle: int) -> None:
        import termios

        self._handle = handle
        self._termios = termios
        self._before = termios.tcgetattr(handle)
        hidden = termios.tcgetattr(handle)
        hidden[3] &= ~termios.ECHO
        termios.tcsetattr(handle, termios.TCSADRAIN, hidden)

    def line(self, prompt: str, received: Future[Secret], deadline: float) -> Secret:
        """Return a line; an empty one if the code is received first, or not in time."""
        import select

        os.write(self._handle, prompt.encode())
        try:
            while not received.done() and time.monotonic() < deadline:
                if select.select([self._handle], [], [], _POLL_SECONDS)[0]:
                    text = Secret(os.read(self._handle, 65536).decode("utf-8", "replace").strip())
                    if text:
                        return text
            return Secret("")
        finally:
            os.write(self._handle, b"\n")

    def close(self) -> None:
        """Show again what is typed."""
        # What was typed and not sent must not be left for the shell.
        self._termios.tcsetattr(self._handle, self._termios.TCSAFLUSH, self._before)
        os.close(self._handle)


def _terminal() -> _Terminal | None:
    """Return the terminal of this process, where it can be watched together with the browser."""
    try:
        handle = os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return None
    try:
        return _Terminal(handle)
    except Exception:  # noqa: BLE001 - termios.error, or no termios
        os.close(handle)
        return None


@contextlib.contextmanager
def _receiving(loopback: SplitResult, state: Secret, received: Future[Secret]) -> Iterator[None]:
    """Listen at the redirect address until the block ends.

    Raises
    ------
    ConfigurationError
        The address is in use. The browser would bring the code to another program.
    """
    servers: list[TCPServer] = []
    running: list[TCPServer] = []
    try:
        for host in ("127.0.0.1", "::1") if loopback.hostname == "localhost" else ("127.0.0.1",):
            try:
                servers.append(_server(host, loopback, state, received))
            except OSError as exc:
                if host == "::1" and exc.errno != errno.EADDRINUSE:
                    # Without IPv6, no other program can listen there either.
                    continue
                raise ConfigurationError(
                    f"The code cannot be received at {loopback.geturl()} ({exc.strerror}). No browser was opened. Stop"
                    " the program that uses this port; or pass browser=False (clicdata login --no-browser), and paste"
                    " the code."
                ) from None
        for server in servers:
            thread = threading.Thread(
                target=server.serve_forever, args=(_POLL_SECONDS,), name="clicdata-sign-in", daemon=True
            )
            if not started(thread):
                raise ConfigurationError(
                    "The code cannot be received, because no thread can be started. Pass browser=False (clicdata login"
                    " --no-browser), and paste it."
                )
            running.append(server)
        yield
    finally:
        # It waits for a server that runs, and would wait for ever for one that does not.
        for server in running:
            server.shutdown()
        for server in servers:
            server.server_close()


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>pandas_clicdata</title>
<body style="font-family: sans-serif; margin: 4em"><h1>{title}</h1><p>{text}</p></body></html>
"""


def _server(host: str, loopback: SplitResult, state: Secret, received: Future[Secret]) -> TCPServer:
    """Return a server that answers one request: the one with the state of this sign-in."""
    with fork_lock:
        import socket
        from http.server import BaseHTTPRequestHandler
        from socketserver import TCPServer, ThreadingMixIn

    assert loopback.port is not None
    hosts = [loopback.netloc.lower(), *([str(loopback.hostname)] if loopback.port == 80 else [])]

    class Handler(BaseHTTPRequestHandler):
        server_version = "pandas_clicdata"
        sys_version = ""
        # A browser opens connections in advance and sends nothing over some of them.
        timeout = 10

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            hidden, query = Secret(query), ""
            self.path = path
            outcome: Secret | AuthenticationError | None = None
            if ",".join(self.headers.get_all("Host", [])).lower() not in hosts:
                status, title, text = 400, "Not served", "This address is only for the sign-in of pandas_clicdata."
            elif path != (loopback.path or "/") or received.done():
                status, title, text = 404, "Not found", "This address is only for the sign-in of pandas_clicdata."
            else:
                try:
                    outcome = _code_in(hidden, state)
                except _OtherAnswer:
                    status, title = 400, "Another sign-in"
                    text = "This page does not belong to the sign-in that pandas_clicdata waits for."
                except AuthenticationError as exc:
                    outcome = exc
                    status, title, text = 403, "No access", "ClicData did not grant access. Return to Python."
                except ValueError:
                    status, title, text = 400, "Not served", "This address cannot be read."
                else:
                    status, title = 200, "Signed in"
                    text = "You can close this page and return to Python. In a notebook, press Enter there."
            body = _PAGE.format(title=title, text=text).encode()
            self.send_response(status)
            for header, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
                ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"),
                ("Connection", "close"),
            ):
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            with contextlib.suppress(InvalidStateError):
                if isinstance(outcome, AuthenticationError):
                    received.set_exception(outcome)
                elif outcome is not None:
                    received.set_result(outcome)

        def log_message(self, *args: object) -> None:
            """Print nothing, because the address holds the code."""

    class Server(ThreadingMixIn, TCPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Elsewhere, this option lets another program take the port.
        allow_reuse_address = os.name == "posix"
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print nothing when a browser closes a connection."""

    return Server((host, loopback.port), Handler)
