"""Settings: what was given explicitly, then the environment, then a profile file that only its owner may read."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from pandas_clicdata.errors import ConfigurationError, NoCredentialsError
from pandas_clicdata.models import Secret
from pandas_clicdata.threads import forks_wait

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


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8484"), is_loopback("https://api.clicdata.com")
    (True, False)
    """
    return urlsplit(url).hostname in LOOPBACK_HOSTS


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
    """So that nobody stumbles over it later, with the value in hand."""
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
    # What is no text is refused later, where all settings are looked at.
    return _USER_INFO.sub("***@", base_url) if isinstance(base_url, str) else base_url


def _wrapped(name: str, value: str) -> str | Secret:
    if name in _SECRET_NAMES:
        return Secret(value)
    return masked(value) if name == "base_url" else value


def _from_environment() -> _Level:
    level = _Level()
    for name, variable in _ENVIRONMENT.items():
        if variable in os.environ:
            level.add(name, _wrapped(name, os.environ[variable]), variable)
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError):
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
    return _wrapped(name, value)


def _checked_api_version(version: str) -> str:
    if version not in {"auto", "unversioned"} and not _VERSION.fullmatch(version):
        raise ConfigurationError(
            f"api_version {version!r} is not known; it is 'auto', 'unversioned' or a version such as '2025.3'."
        )
    return version


def _checked_base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and parts.scheme in {"http", "https"}
        _ = parts.port
    except ValueError:
        sound = False
    if not sound:
        raise ConfigurationError("base_url is not an http or https address, such as https://api.clicdata.com.")
    if parts.username or parts.password:
        raise ConfigurationError("base_url holds a user name or password; give credentials by their own parameters.")
    if parts.query or parts.fragment:
        raise ConfigurationError("base_url is an address without a query or fragment.")
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigurationError(
            f"base_url {url!r} would send credentials in the clear; use https (http is for this machine only)."
        )
    return url.rstrip("/")


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
