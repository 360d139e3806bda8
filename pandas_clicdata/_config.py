"""Settings: explicit arguments first, then the environment, then a profile file that only its owner may read."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from pandas_clicdata._models import Secret
from pandas_clicdata._threads import forks_wait
from pandas_clicdata.errors import ConfigurationError, NoCredentialsError

AuthMethod = Literal["client_credentials", "basic", "api_key", "authorization_code"]
DEFAULT_BASE_URL = "https://api.clicdata.com"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_USER_INFO = re.compile(r"(?<=//).*@", re.DOTALL)
_NEEDS: Mapping[AuthMethod, tuple[str, ...]] = {
    "client_credentials": ("client_id", "client_secret"),
    "basic": ("client_id", "username", "password"),
    "api_key": ("api_key",),
    "authorization_code": ("client_id", "client_secret"),
}
_MAY_HAVE: Mapping[AuthMethod, tuple[str, ...]] = {
    "authorization_code": ("code", "redirect_uri", "refresh_token", "token_file")
}
# Each begins a sign-in of its own, so the nearest one is not mixed with one from further away.
_SIGN_IN = ("code", "refresh_token")
_SECRET_NAMES = frozenset({"client_secret", "password", "api_key", "code", "refresh_token"})
_SURROGATE = frozenset(map(chr, range(0xD800, 0xE000)))
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.ASCII)
_ENVIRONMENT = {
    name: f"CLICDATA_{name.upper()}"
    # Not the code: it is good for a minute.
    for name in (
        "auth_method", "client_id", "client_secret", "username", "password", "api_key", "redirect_uri", "refresh_token",
        "token_file", "api_version", "base_url",
    )
}  # fmt: skip
_PROFILE_NAMES = frozenset(_ENVIRONMENT)
SETTING_NAMES = (*_ENVIRONMENT, "code")
# A byte order mark, which some editors write, is as invisible as white space.
_WHITE_SPACE = re.compile(r"\A[\s\ufeff]+|[\s\ufeff]+\Z")
_LINE_ENDS = re.compile(r"\A[\r\n\ufeff]+|[\r\n\ufeff]+\Z")
# Blanks may be part of these.
_MAY_HAVE_BLANKS = frozenset({"password", "token_file"})
_PLAIN_NAMES = frozenset(
    {
        "client_id", "username", "redirect_uri", "token_file", "api_version", "profile", "timeout", "retry", "verify",
        "max_request_bytes", "max_reply_bytes",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One account, complete for its ``auth_method``."""

    auth_method: AuthMethod
    base_url: str = DEFAULT_BASE_URL
    api_version: str = "auto"
    client_id: str | None = None
    client_secret: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    api_key: Secret | None = None
    code: Secret | None = None
    redirect_uri: str | None = None
    refresh_token: Secret | None = None
    token_file: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)
    """A sentence for each value that had white space around it."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        all_of_them = (self.client_secret, self.password, self.api_key, self.code, self.refresh_token)
        return tuple(secret for secret in all_of_them if secret is not None)


class _Level(dict[str, str | Secret]):
    """The settings of one place, trimmed, with a note for each that had white space around it.

    Parameters
    ----------
    explicit : bool, default False
        Whether an empty or blank value is kept, to be refused. In the environment and in a profile it counts as unset.
    """

    def __init__(self, *, explicit: bool = False) -> None:
        super().__init__()
        self._explicit = explicit
        self.notes: dict[str, str] = {}

    def add(self, name: str, value: str | Secret, label: str) -> None:
        """Take a setting; ``label`` is how the user knows it."""
        given = value if isinstance(value, Secret) else Secret(value)
        around, what = (_LINE_ENDS, "line ends") if name in _MAY_HAVE_BLANKS else (_WHITE_SPACE, "white space")
        trimmed = Secret(around.sub("", given.reveal()))
        if not self._explicit and not _WHITE_SPACE.sub("", given.reveal()):
            return
        self[name] = trimmed if isinstance(value, Secret) else trimmed.reveal()
        if trimmed != given:
            self.notes[name] = f"{label} had {what} around it, which this package removed."


def user_folder(kind: Literal["config", "data", "state"]) -> Path | None:
    """Return this package's folder of that kind in the user's home.

    Returns
    -------
    Path or None
        None where there is no home directory, as for a container's user without an entry in ``passwd``.

    Examples
    --------
    >>> user_folder("config").name
    'pandas_clicdata'
    """
    with forks_wait:
        import platformdirs

    folder_of = {
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
        "state": platformdirs.user_state_path,
    }[kind]
    try:
        folder = folder_of("pandas_clicdata", appauthor=False)
    except (RuntimeError, KeyError):
        return None
    # Older versions of platformdirs return "~/.config", which would be a folder named "~" in the current one.
    return folder if folder.is_absolute() else None


def profile_path() -> Path | None:
    """Return where the profile file is looked for; None where there is no home directory.

    Examples
    --------
    >>> profile_path().name
    'profiles.toml'
    """
    folder = user_folder("config")
    return None if folder is None else folder / "profiles.toml"


def resolve(given: Mapping[str, str | Secret | None], profile: str | None = None) -> Settings:
    """Complete what was given from the environment, then from the profile, each setting by itself.

    The way of signing in is that of the nearest place which speaks of one. The file is read if a profile is asked for,
    or if credentials, ``base_url`` or ``api_version`` are still missing.

    Parameters
    ----------
    given : mapping
        Explicit settings; None means not given.
    profile : str, optional
        The profile to use; else ``CLICDATA_PROFILE``, else ``"default"`` if the file has one.

    Returns
    -------
    Settings

    Raises
    ------
    NoCredentialsError
        Nothing anywhere.
    ConfigurationError
        Something, but incomplete or wrong.
    """
    method, merged, notes = _looked_up(given, profile)
    if method is None:
        raise NoCredentialsError(_no_credentials_message())
    if method not in _NEEDS:
        # Not quoted: it may be a key that was meant for another parameter.
        allowed = ", ".join(map(repr, _NEEDS))
        raise ConfigurationError(
            f"That auth_method= is not known; it is one of {allowed}. (A key is given as api_key=.)"
        )
    missing = [name for name in _NEEDS[method] if not merged.get(name)]
    if missing:
        ways = " and ".join(f"{name}= (or {_ENVIRONMENT[name]})" for name in missing)
        raise ConfigurationError(f"The {method!r} way of signing in also needs {ways}.")
    if method == "authorization_code" and merged.get("code") and not merged.get("redirect_uri"):
        raise ConfigurationError("code= also needs redirect_uri=, the same as in authorization_url().")
    if method == "authorization_code" and all(map(merged.get, _SIGN_IN)):
        raise ConfigurationError("Give code= for a new sign-in, or refresh_token= for one there is, not both.")
    base_url = _checked_base_url(str(merged.get("base_url", DEFAULT_BASE_URL)))
    known = (*_NEEDS[method], *_MAY_HAVE.get(method, ()))
    fields = {name: merged[name] for name in known if merged.get(name)}
    return Settings(
        auth_method=method,
        base_url=base_url,
        api_version=_checked_api_version(str(merged.get("api_version", "auto"))),
        notes=tuple(note for name, note in notes.items() if name in {*known, "base_url", "api_version"}),
        **cast(Any, fields),
    )


def resolve_kept(kept: Settings, profile: str | None = None) -> Settings:
    """Complete the settings of a pickled session, which hold no secret, from the environment and the profile.

    Parameters
    ----------
    kept : Settings
        What the pickle holds.
    profile : str, optional
        As for :func:`resolve`.

    Returns
    -------
    Settings
        With the client id and user name that stand beside the secrets where there are any: so the caller sees whether
        these are the credentials of another account.

    Raises
    ------
    NoCredentialsError, ConfigurationError
        As for :func:`resolve`.
    """
    given: dict[str, str | Secret | None] = {
        name: getattr(kept, name) for name in ("auth_method", "base_url", "api_version", "redirect_uri", "token_file")
    }
    _, merged, _ = _looked_up(given, profile)
    names = {name: merged.get(name) or getattr(kept, name) for name in ("client_id", "username")}
    return resolve({**given, **names}, profile)


def resolve_public(given: Mapping[str, str | None], profile: str | None = None) -> dict[str, str]:
    """Look up what is no secret: ``client_id``, ``redirect_uri`` and ``base_url``, from the same places.

    Raises
    ------
    ConfigurationError
        One is missing or wrong.
    """
    _, merged, _ = _looked_up(given, profile)
    for name in ("client_id", "redirect_uri"):
        if not merged.get(name):
            raise ConfigurationError(f"The address to sign in at also needs {name}= (or {_ENVIRONMENT[name]}).")
    base_url = _checked_base_url(str(merged.get("base_url", DEFAULT_BASE_URL)))
    return {
        "client_id": str(merged["client_id"]), "redirect_uri": str(merged["redirect_uri"]), "base_url": base_url
    }  # fmt: skip


class Address(NamedTuple):
    """A URL exactly as it is sent, and the scheme, host and port that it connects to."""

    url: Secret
    origin: tuple[str, str, int]


def address_of(url: str, params: Sequence[tuple[str, str | Secret]] = ()) -> Address | None:
    """Read a URL as the libraries that connect read it.

    requests and urllib3 each parse a URL, with different parsers, before a connection is made. The address is valid
    only if both find the same host in the URL that is sent, and if preparing that URL again does not change it.

    Parameters
    ----------
    url : str
        An http or https URL.
    params : sequence of (str, str or Secret)
        What to add to its query.

    Returns
    -------
    Address or None
        The ``url`` of it must be sent as it is. None if the URL is not valid, or holds a user name or password.

    Examples
    --------
    >>> address_of("https://API.clicdata.com/data").origin
    ('https', 'api.clicdata.com', 443)
    >>> address_of("https://evil.example\\\\@api.clicdata.com/").origin
    ('https', 'evil.example', 443)
    >>> address_of("https://me:hush@api.clicdata.com/") is None
    True
    """
    # Loaded with the first session, not with every import of this package.
    with forks_wait:
        import requests
        from urllib3.util import parse_url

    prepared = requests.PreparedRequest()
    try:
        plain = [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in params]
        prepared.prepare_url(url, plain or None)
        sent = str(prepared.url)
        prepared.prepare_url(sent, None)
        connected, split = parse_url(sent), urlsplit(sent)
        if prepared.url != sent or connected.auth is not None or "@" in split.netloc:
            return None
        scheme, host = connected.scheme or "", (connected.host or "").strip("[]")
        default = {"http": 80, "https": 443}.get(scheme)
        if default is None or not _is_host(host):
            return None
        if (split.scheme, split.hostname, split.port) != (scheme, host, connected.port):
            return None
    except ValueError:
        return None
    return Address(Secret(sent), (scheme, host, connected.port or default))


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST_NAME.fullmatch(host) is not None
    try:
        return "%" not in host and bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Whether the URL connects to this machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8484"), is_loopback("https://api.clicdata.com")
    (True, False)
    """
    address = address_of(url)
    return address is not None and address.origin[1] in LOOPBACK_HOSTS


def _looked_up(
    given: Mapping[str, str | Secret | None], profile: str | None
) -> tuple[AuthMethod | None, dict[str, str | Secret], dict[str, str]]:
    """The way of signing in, unchecked, every setting, and the notes on them."""
    wanted = profile or os.environ.get("CLICDATA_PROFILE")
    _refuse_what_is_no_text({**given, "profile": wanted})
    wanted = wanted and _WHITE_SPACE.sub("", wanted)
    explicit = _Level(explicit=True)
    for name, value in given.items():
        if value is not None:
            explicit.add(name, value, f"{name}=")
    levels = [explicit, _from_environment()]
    _refuse_what_is_no_text(levels[1])
    method, merged = _merged(levels)
    needed = ("base_url", "api_version", *(_NEEDS[method] if method is not None and method in _NEEDS else ()))
    complete = all(map(merged.get, needed)) and (
        method != "authorization_code" or any(map(merged.get, (*_SIGN_IN, "token_file")))
    )
    if wanted or method is None or not complete:
        levels.append(_from_profile(wanted or None))
        method, merged = _merged(levels)
    nearest = {name: next(level for level in levels if name in level) for name in merged}
    return method, merged, {name: level.notes[name] for name, level in nearest.items() if name in level.notes}


def _merged(levels: list[_Level]) -> tuple[AuthMethod | None, dict[str, str | Secret]]:
    """The way of signing in, unchecked, and every setting from the nearest place that has it."""
    merged: dict[str, str | Secret] = {}
    for level in reversed(levels):
        if any(map(level.get, _SIGN_IN)):
            merged = {name: value for name, value in merged.items() if name not in _SIGN_IN}
        merged |= level
    merged.pop("auth_method", None)
    method = next((said for level in levels if (said := level.get("auth_method") or _method_of(level))), None)
    if method is None and merged.get("client_id"):
        method = "client_credentials"
    return cast("AuthMethod | None", method), merged


def _refuse_what_is_no_text(settings: Mapping[str, object]) -> None:
    """Refuse such a value before a later error can show it."""
    for name, value in settings.items():
        hidden = value if value is None or isinstance(value, Secret) else Secret(cast(str, value))
        if hidden is None:
            continue
        if not isinstance(hidden.reveal(), str):
            raise ConfigurationError(f"{name}= is text, not {type(hidden.reveal()).__name__}.")
        if not _SURROGATE.isdisjoint(hidden.reveal()):
            raise ConfigurationError(
                f"{name}= holds a character that is none and cannot be sent, such as a byte that is not UTF-8 in"
                f" {_ENVIRONMENT.get(name, 'the environment')}."
            )


def _method_of(level: Mapping[str, object]) -> AuthMethod | None:
    """The way of signing in that a level's credentials speak for."""
    if level.get("api_key"):
        return "api_key"
    if any(map(level.get, (*_SIGN_IN, "token_file"))):
        return "authorization_code"
    if level.get("username") or level.get("password"):
        return "basic"
    if level.get("client_secret"):
        return "client_credentials"
    return None


def masked(base_url: str) -> str:
    """Blank out a user name and password in an address, which is refused for holding them.

    Examples
    --------
    >>> masked("https://me:hush@api.clicdata.com/")
    'https://***@api.clicdata.com/'
    """
    return _USER_INFO.sub("***@", base_url)


def concealed(name: str, value: Any) -> Any:
    """Return a parameter of a session without what may be secret in it, whatever it is.

    It checks nothing, so that what is refused later is concealed by then: a traceback may show all local variables.

    Parameters
    ----------
    name : str
        The parameter. One that a session does not have may be a misspelt secret.
    value : object
        What was given.

    Examples
    --------
    >>> concealed("client_secreet", "hush"), concealed("client_id", "acme"), concealed("auth_method", "my-api-key")
    (Secret('***'), 'acme', Secret('***'))
    >>> concealed("proxies", {"https": "http://me:hush@proxy.example"}), concealed("proxies", "http://me:hush@proxy")
    ({'https': Secret('***')}, Secret('***'))
    """
    if value is None or isinstance(value, Secret):
        return value
    if name == "base_url" and isinstance(value, str):
        return masked(value)
    if name == "token_file" and isinstance(value, os.PathLike):
        return os.fspath(value)
    if name == "proxies" and isinstance(value, Mapping):
        return {masked(str(scheme)): concealed("proxy", address) for scheme, address in value.items()}
    plain = name in _PLAIN_NAMES or (name == "auth_method" and isinstance(value, str) and value.strip() in _NEEDS)
    return value if plain else Secret(value)


def _from_environment() -> _Level:
    level = _Level()
    for name, variable in _ENVIRONMENT.items():
        if variable in os.environ:
            level.add(name, concealed(name, os.environ[variable]), variable)
    return level


def _from_profile(wanted: str | None) -> _Level:
    path = profile_path()
    if path is None:
        if wanted is None:
            return _Level()
        raise ConfigurationError(
            f"There is no profile {wanted!r}: this user has no home directory with a profiles.toml. Set HOME or"
            " XDG_CONFIG_HOME, or give the settings themselves and leave profile= (and CLICDATA_PROFILE) out."
        )
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        if wanted is None:
            return _Level()
        raise ConfigurationError(f"There is no profile {wanted!r}: {path} cannot be read ({exc.strerror}).") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(f"{path} holds credentials and others may read it. Run: chmod 600 '{path}'")
    profiles = _parsed(path)
    if (wanted or "default") not in profiles:
        if wanted is None:
            return _Level()
        known = ", ".join(map(repr, profiles)) or "none"
        raise ConfigurationError(f"There is no profile {wanted!r} in {path}; the profiles there: {known}.")
    return profiles[wanted or "default"]


def _parsed(path: Path) -> dict[str, _Level]:
    """Read the file so that no plain secret stands in a variable when something about it is wrong."""
    fault: str
    try:
        with path.open("rb") as file:
            return {str(profile): _profile(profile, entries) for profile, entries in tomllib.load(file).items()}
    except ConfigurationError as exc:
        fault = str(exc)
    except OSError as exc:
        fault = f"it cannot be read ({exc.strerror})"
    except Exception:  # noqa: BLE001 - whatever the parser raises, its frames hold the text of the file
        fault = "it is not TOML with one [table] a profile"
    raise ConfigurationError(f"{path}: {fault}.")


def _profile(profile: str, entries: Mapping[str, object]) -> _Level:
    level = _Level()
    for name, value in entries.items():
        level.add(name, _profile_value(name, value), f"{name} in the profile {profile!r}")
    return level


def _profile_value(name: str, value: object) -> str | Secret:
    if name not in _PROFILE_NAMES:
        raise ConfigurationError(f"setting {name!r} is not known; the settings are {', '.join(sorted(_PROFILE_NAMES))}")
    if not isinstance(value, str):
        raise ConfigurationError(f"setting {name!r} is not text; put it in quotes")
    return cast("str | Secret", concealed(name, value))


def _checked_api_version(version: str) -> str:
    if version not in {"auto", "unversioned"} and not _VERSION.fullmatch(version):
        raise ConfigurationError(
            f"api_version {version!r} is not known; it is 'auto', 'unversioned' or a version such as '2025.3'."
        )
    return version


def _checked_base_url(url: str) -> str:
    """Return the address as it is connected to: its host in lower case and ASCII, so that it shows which one it is."""
    # Before any parser, for parsers differ in what they drop or take for the end of the host.
    plain = url.isprintable() and not {" ", "\\"} & set(url)
    if "@" in url.partition("//")[2].partition("/")[0]:
        raise ConfigurationError("base_url holds a user name or password; give credentials by their own parameters.")
    address = address_of(url) if plain else None
    if address is None:
        raise ConfigurationError("base_url is not an http or https address, such as https://api.clicdata.com.")
    sent = address.url.reveal()
    if {"?", "#"} & set(url):
        raise ConfigurationError("base_url is an address without a query or fragment.")
    if address.origin[0] == "http" and address.origin[1] not in LOOPBACK_HOSTS:
        raise ConfigurationError(
            f"base_url {sent!r} would send credentials in the clear; use https (http is for this machine only)."
        )
    return sent.rstrip("/")


def _no_credentials_message() -> str:
    path = profile_path()
    profile = (
        "a profile in pandas_clicdata/profiles.toml, for which HOME or XDG_CONFIG_HOME must be set: this user has no"
        " home directory"
        if path is None
        else f"a profile in {path}, readable by you alone"
    )
    return (
        "There are no ClicData credentials. Give them in one of these ways:\n"
        "  - cd.connect(client_id=..., client_secret=...), or username= and password= with client_id=, or api_key=\n"
        "  - cd.connect(client_id=..., client_secret=..., code=..., redirect_uri=...), once somebody has let you in at"
        " cd.authorization_url(...); or refresh_token= in the place of the last two\n"
        "  - the environment: CLICDATA_CLIENT_ID and CLICDATA_CLIENT_SECRET (or CLICDATA_USERNAME and"
        " CLICDATA_PASSWORD, or CLICDATA_API_KEY)\n"
        f"  - {profile}\n"
        '  - no account? cd.connect("sandbox") starts a ClicData of your own on this machine.'
    )
