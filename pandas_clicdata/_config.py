"""Settings: from explicit arguments, else the environment, else a profile file that only its owner can read."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from pandas_clicdata._durable import AtomicFile, is_writable_for_all, lock_of, open_regular
from pandas_clicdata._keyring import InKeyring
from pandas_clicdata._models import Secret
from pandas_clicdata._threads import fork_lock
from pandas_clicdata.errors import ConfigurationError, NoCredentialsError

AuthMethod = Literal["client_credentials", "basic", "api_key", "authorization_code"]
DEFAULT_BASE_URL = "https://api.clicdata.com"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_USER_INFO = re.compile(r"(?<=//).*@", re.DOTALL)
REQUIRED: Mapping[AuthMethod, tuple[str, ...]] = {
    "client_credentials": ("client_id", "client_secret"),
    "basic": ("client_id", "username", "password"),
    "api_key": ("api_key",),
    "authorization_code": ("client_id", "client_secret"),
}
_OPTIONAL: Mapping[AuthMethod, tuple[str, ...]] = {
    "authorization_code": ("code", "code_verifier", "redirect_uri", "refresh_token", "token_file")
}
_COMMON = ("base_url", "api_version", "service_profile")
# Each starts a sign-in of its own, so one from an explicit argument is not combined with one from the environment.
_SIGN_IN = ("code", "refresh_token")
SECRET_NAMES = ("client_secret", "password", "api_key", "code", "code_verifier", "refresh_token")
_SURROGATE = frozenset(map(chr, range(0xD800, 0xE000)))
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.ASCII)
VARIABLES = {
    name: f"CLICDATA_{name.upper()}"
    # Without the code, which expires within a minute, and its verifier.
    for name in (
        "auth_method", "client_id", "client_secret", "username", "password", "api_key", "redirect_uri", "refresh_token",
        "token_file", "api_version", "base_url", "service_profile",
    )
}  # fmt: skip
_LOCK_TIMEOUT_SECONDS = 30.0
# The setting of a profile that names those of its settings whose values are in the keyring of the system.
_IN_KEYRING = "keyring"
_PROFILE_NAMES = frozenset({*VARIABLES, _IN_KEYRING})
SETTING_NAMES = (*VARIABLES, "code", "code_verifier")
# Includes the byte order mark, which some editors write.
_WHITE_SPACE = re.compile(r"\A[\s\ufeff]+|[\s\ufeff]+\Z")
_LINE_ENDS = re.compile(r"\A[\r\n\ufeff]+|[\r\n\ufeff]+\Z")
# White space may be part of these.
_SPACES_ALLOWED = frozenset({"password", "token_file", "service_profile"})
_PLAIN_NAMES = frozenset(
    {
        "client_id", "username", "redirect_uri", "token_file", "api_version", "profile", "timeout", "retry", "verify",
        "max_request_bytes", "max_reply_bytes", "service_profile", "keyring",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings:
    """An account with every setting that its ``auth_method`` requires.

    Attributes
    ----------
    auth_method : {"client_credentials", "basic", "api_key", "authorization_code"}
        The authentication method.
    base_url : str
        The address of the API.
    api_version : str
        ``"auto"``, ``"unversioned"`` or a version.
    service_profile : str or None
        The path of the service profile.
    client_id, username, redirect_uri, token_file : str or None
        Settings that are not secret. None if the method does not use them.
    client_secret, password, api_key, code, code_verifier, refresh_token : Secret or None
        Secret settings. None if the method does not use them.
    notes : tuple of str
        A sentence for each value from which white space was removed.
    sources : tuple of (str, str)
        The name of each setting that is not a default, and where it comes from.
    profile : str or None
        The profile that settings come from.
    """

    auth_method: AuthMethod
    base_url: str = DEFAULT_BASE_URL
    api_version: str = "auto"
    service_profile: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    api_key: Secret | None = None
    code: Secret | None = None
    code_verifier: Secret | None = None
    redirect_uri: str | None = None
    refresh_token: Secret | None = None
    token_file: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    profile: str | None = field(default=None, compare=False)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secret settings that have a value."""
        values: list[Secret | None] = [getattr(self, name) for name in SECRET_NAMES]
        return tuple(value for value in values if value is not None)


class _Source(dict[str, str | Secret]):
    """The settings from one source, stripped, with a note for each from which white space was removed.

    Parameters
    ----------
    origin : str
        What the source is.
    profile : str, optional
        The name of the profile, if the source is one.
    explicit : bool, default False
        Whether to keep empty and blank values, which are refused later. Elsewhere such a value counts as not set.
    """

    def __init__(self, origin: str, *, profile: str | None = None, explicit: bool = False) -> None:
        super().__init__()
        self.origin = origin
        self.profile = profile
        self._explicit = explicit
        self.notes: dict[str, str] = {}

    def add(self, name: str, value: str | Secret, label: str) -> None:
        """Add a setting under a name; notes call it by its label."""
        given = value if isinstance(value, Secret) else Secret(value)
        pattern, what = (_LINE_ENDS, "line ends") if name in _SPACES_ALLOWED else (_WHITE_SPACE, "white space")
        stripped = Secret(pattern.sub("", given.reveal()))
        if not self._explicit and not _WHITE_SPACE.sub("", given.reveal()):
            return
        self[name] = stripped if isinstance(value, Secret) else stripped.reveal()
        if stripped != given:
            self.notes[name] = f"{label} had {what} around it, which this package removed."


def user_folder(kind: Literal["config", "data", "state"]) -> Path | None:
    """Return a folder of this package in the home directory of the user.

    Parameters
    ----------
    kind : {"config", "data", "state"}
        The kind of folder.

    Returns
    -------
    Path or None
        The folder, which may not exist yet. None if there is no home directory, as for a container user without an
        entry in ``passwd``.

    Examples
    --------
    >>> user_folder("config").name
    'pandas_clicdata'
    """
    with fork_lock:
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
    # Older versions of platformdirs return "~/.config", which would be a folder "~" in the working directory.
    return folder if folder.is_absolute() else None


def journals_wanted() -> bool:
    """Return whether writes keep a journal without being asked; ``CLICDATA_JOURNAL=0`` turns that off.

    Returns
    -------
    bool
        True unless the variable is set to 0, false, no or off.

    Examples
    --------
    >>> journals_wanted()
    True
    """
    return os.environ.get("CLICDATA_JOURNAL", "").strip().lower() not in ("0", "false", "no", "off")


def profile_path() -> Path | None:
    """Return the path of the profile file.

    Returns
    -------
    Path or None
        The path. None if there is no home directory.

    Examples
    --------
    >>> profile_path().name
    'profiles.toml'
    """
    folder = user_folder("config")
    return None if folder is None else folder / "profiles.toml"


_USUAL_PROFILES = frozenset(
    {"default", "demo", "dev", "development", "live", "prod", "production", "qa", "staging", "test"}
)


def profile_name(text: object) -> str:
    """Return a text that is the name of a profile, or usual for one; else "…", because it may be a secret."""
    if not isinstance(text, str):
        return "…"
    path, profiles = profile_path(), dict[str, _Source]()
    if path is not None:
        with contextlib.suppress(ConfigurationError):
            profiles = _parsed(path)
    return text if text in profiles or text in _USUAL_PROFILES else "…"


def resolve(
    given: Mapping[str, str | Secret | None], profile: str | None = None, *, without_profile: bool = False
) -> Settings:
    """Complete the given settings from the environment and the profile, each setting by itself.

    The authentication method is that of the first source with credentials. The profile file is read if a profile is
    requested, or if credentials, ``base_url`` or ``api_version`` are still missing.

    Parameters
    ----------
    given : mapping of str to (str, Secret or None)
        Explicit settings. None means that the setting is not given.
    profile : str, optional
        The profile. Default: ``CLICDATA_PROFILE``, else ``"default"`` if the file has it.
    without_profile : bool, default False
        Whether to leave out every profile.

    Returns
    -------
    Settings
        The complete settings.

    Raises
    ------
    NoCredentialsError
        There are no credentials in any source.
    ConfigurationError
        The settings are incomplete or invalid.
    """
    method, merged, origins = _look_up(given, profile, without_profile=without_profile)
    if method is None:
        raise NoCredentialsError(_no_credentials_message())
    if method not in REQUIRED:
        # The value is not shown, because it may be a key that was passed to the wrong parameter.
        allowed = ", ".join(map(repr, REQUIRED))
        raise ConfigurationError(f"Unknown auth_method=. Valid values: {allowed}. To pass an API key, use api_key=.")
    missing = [name for name in REQUIRED[method] if not merged.get(name)]
    if missing:
        names = " and ".join(f"{name}= (or {VARIABLES[name]})" for name in missing)
        raise ConfigurationError(f"auth_method={method!r} also needs {names}. To be asked for it: cd.login()")
    if method == "authorization_code" and merged.get("code") and not merged.get("redirect_uri"):
        raise ConfigurationError("code= also needs redirect_uri=, with the same address as in cd.authorization_url().")
    if method == "authorization_code" and all(map(merged.get, _SIGN_IN)):
        raise ConfigurationError("Give code= for a new sign-in, or refresh_token= to continue one, but not both.")
    base_url = checked_base_url(str(merged.get("base_url", DEFAULT_BASE_URL)))
    if given.get("base_url") and not given.get("service_profile") and merged.get("service_profile"):
        _, without, _ = _look_up({**given, "base_url": None}, profile, without_profile=without_profile)
        if checked_base_url(str(without.get("base_url", DEFAULT_BASE_URL))) != base_url:
            # The file in the environment or the profile belongs to the service at the address that they name.
            del merged["service_profile"]
    known = (*REQUIRED[method], *_OPTIONAL.get(method, ()))
    fields = {name: merged[name] for name in (*known, "service_profile") if merged.get(name)}
    for name, value in fields.items():
        if isinstance(value, InKeyring):
            fields[name] = value.fetch()
    used = {name: origins[name] for name in (*known, *_COMMON) if name in merged}
    return Settings(
        auth_method=method,
        base_url=base_url,
        api_version=_checked_api_version(str(merged.get("api_version", "auto"))),
        notes=tuple(origin.notes[name] for name, origin in used.items() if name in origin.notes),
        sources=tuple(
            (
                name,
                f"the keyring of the system, for {origin.origin}"
                if isinstance(merged[name], InKeyring)
                else origin.origin,
            )
            for name, origin in used.items()
        ),
        profile=next((origin.profile for origin in used.values() if origin.profile is not None), None),
        **cast(Any, fields),
    )


def resolve_unpickled(kept: Settings, profile: str | None = None) -> Settings:
    """Complete the settings of a pickled session, which hold no secret, from the environment and the profile.

    Parameters
    ----------
    kept : Settings
        The settings in the pickle.
    profile : str, optional
        As for :func:`resolve`.

    Returns
    -------
    Settings
        The complete settings. Their client id and user name come from the source of the secrets, if it has them, so
        that the caller can detect the credentials of another account.

    Raises
    ------
    NoCredentialsError, ConfigurationError
        As for :func:`resolve`.
    """
    given: dict[str, str | Secret | None] = {
        name: getattr(kept, name) for name in ("auth_method", *_COMMON, "redirect_uri", "token_file")
    }
    _, merged, _ = _look_up(given, profile)
    names = {name: merged.get(name) or getattr(kept, name) for name in ("client_id", "username")}
    return resolve({**given, **names}, profile)


def resolve_public(given: Mapping[str, str | None], profile: str | None = None) -> dict[str, str]:
    """Look up ``client_id``, ``redirect_uri`` and ``base_url``, which are not secret, in the same sources.

    Parameters
    ----------
    given : mapping of str to (str or None)
        Explicit settings. None means that the setting is not given.
    profile : str, optional
        As for :func:`resolve`.

    Returns
    -------
    dict of str to str
        The three settings.

    Raises
    ------
    ConfigurationError
        A setting is missing or invalid.
    """
    _, merged, _ = _look_up(given, profile)
    for name in ("client_id", "redirect_uri"):
        if not merged.get(name):
            raise ConfigurationError(f"The authorization URL also needs {name}= (or {VARIABLES[name]}).")
    base_url = checked_base_url(str(merged.get("base_url", DEFAULT_BASE_URL)))
    return {
        "client_id": str(merged["client_id"]), "redirect_uri": str(merged["redirect_uri"]), "base_url": base_url
    }  # fmt: skip


class Address(NamedTuple):
    """A URL.

    Attributes
    ----------
    url : Secret
        The URL exactly as it is sent.
    origin : (str, str, int)
        The scheme, host and port of the connection.
    """

    url: Secret
    origin: tuple[str, str, int]


def parse_address(url: str, params: Sequence[tuple[str, str | Secret]] = ()) -> Address | None:
    r"""Parse a URL in the same way as the libraries that connect to it.

    requests and urllib3 parse a URL with different parsers before a connection is made. A URL is valid only if both
    find the same host in the URL that is sent, and if preparing that URL again does not change it.

    Parameters
    ----------
    url : str
        An http or https URL.
    params : sequence of (str, str or Secret), optional
        Parameters to add to its query.

    Returns
    -------
    Address or None
        The address, whose ``url`` must be sent unchanged. None if the URL is invalid or holds a user name or password.

    Examples
    --------
    >>> parse_address("https://API.clicdata.com/data").origin
    ('https', 'api.clicdata.com', 443)
    >>> parse_address("https://evil.example\\@api.clicdata.com/").origin
    ('https', 'evil.example', 443)
    >>> parse_address("https://me:hush@api.clicdata.com/") is None
    True
    """
    # Imported with the first session, not with this package.
    with fork_lock:
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
    """Return whether a URL connects to this machine.

    Parameters
    ----------
    url : str
        The URL.

    Returns
    -------
    bool
        False if the URL is invalid.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8484"), is_loopback("https://api.clicdata.com")
    (True, False)
    """
    address = parse_address(url)
    return address is not None and address.origin[1] in LOOPBACK_HOSTS


def _look_up(
    given: Mapping[str, str | Secret | None], profile: str | None, *, without_profile: bool = False
) -> tuple[AuthMethod | None, dict[str, str | Secret], dict[str, _Source]]:
    """Return the unchecked authentication method, every setting, and the source of each."""
    wanted = profile or os.environ.get("CLICDATA_PROFILE")
    _check_texts({**given, "profile": wanted})
    wanted = wanted and _WHITE_SPACE.sub("", wanted)
    explicit = _Source("arguments", explicit=True)
    for name, value in given.items():
        if value is not None:
            explicit.add(name, value, f"{name}=")
    sources = [explicit, environment_settings()]
    method, merged = _merge(sources)
    needed = ("base_url", "api_version", *(REQUIRED[method] if method is not None and method in REQUIRED else ()))
    complete = all(map(merged.get, needed)) and (
        method != "authorization_code" or any(map(merged.get, (*_SIGN_IN, "token_file")))
    )
    if not without_profile and (wanted or method is None or not complete):
        sources.append(_from_profile(wanted or None))
        method, merged = _merge(sources)
    return method, merged, {name: next(source for source in sources if name in source) for name in merged}


def _merge(sources: list[_Source]) -> tuple[AuthMethod | None, dict[str, str | Secret]]:
    """Return the unchecked authentication method, and every setting from the first source that has it."""
    merged: dict[str, str | Secret] = {}
    for source in reversed(sources):
        if any(map(source.get, _SIGN_IN)):
            merged = {name: value for name, value in merged.items() if name not in _SIGN_IN}
        merged |= source
    merged.pop("auth_method", None)
    method = next((found for source in sources if (found := source.get("auth_method") or method_of(source))), None)
    if method is None and merged.get("client_id"):
        method = "client_credentials"
    return cast("AuthMethod | None", method), merged


def _check_texts(settings: Mapping[str, object]) -> None:
    """Refuse settings that are not valid text, before a later error can show them."""
    for name, value in settings.items():
        hidden = value if value is None or isinstance(value, Secret) else Secret(cast(str, value))
        if hidden is None:
            continue
        if not isinstance(hidden.reveal(), str):
            raise ConfigurationError(f"{name}= must be text, not {type(hidden.reveal()).__name__}.")
        if not _SURROGATE.isdisjoint(hidden.reveal()):
            raise ConfigurationError(
                f"{name}= is not valid Unicode text and cannot be sent. One cause is a byte that is not UTF-8 in"
                f" {VARIABLES.get(name, 'the environment')}."
            )


def method_of(source: Mapping[str, object]) -> AuthMethod | None:
    """Return the authentication method for the credentials of a source."""
    if source.get("api_key"):
        return "api_key"
    if any(map(source.get, (*_SIGN_IN, "token_file"))):
        return "authorization_code"
    if source.get("username") or source.get("password"):
        return "basic"
    if source.get("client_secret"):
        return "client_credentials"
    return None


def masked(base_url: str) -> str:
    """Replace the user name and password in an address with stars.

    Parameters
    ----------
    base_url : str
        The address.

    Returns
    -------
    str
        The address without them.

    Examples
    --------
    >>> masked("https://me:hush@api.clicdata.com/")
    'https://***@api.clicdata.com/'
    """
    return _USER_INFO.sub("***@", base_url)


def concealed(name: str, value: Any) -> Any:
    """Wrap a parameter of a session in a Secret, unless it cannot be secret.

    The value is not checked. So a value that is refused later is already concealed in a traceback with local variables.

    Parameters
    ----------
    name : str
        The name of the parameter. An unknown name may be that of a secret, misspelt.
    value : object
        The value.

    Returns
    -------
    object
        The value, or a Secret that holds it.

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
    if name in ("token_file", "service_profile") and isinstance(value, os.PathLike):
        return os.fspath(value)
    if name == "proxies" and isinstance(value, Mapping):
        return {masked(str(scheme)): concealed("proxy", address) for scheme, address in value.items()}
    plain = name in _PLAIN_NAMES or (name == "auth_method" and isinstance(value, str) and value.strip() in REQUIRED)
    return value if plain else Secret(value)


def environment_settings() -> _Source:
    """Return the settings in the environment that are not blank.

    Returns
    -------
    mapping of str to (str or Secret)
        The settings.

    Raises
    ------
    ConfigurationError
        A value is not valid text.
    """
    source = _Source("the environment")
    for name, variable in VARIABLES.items():
        if variable in os.environ:
            source.add(name, concealed(name, os.environ[variable]), variable)
    _check_texts(source)
    return source


def wanted_profile(profile: str | None) -> str:
    """Return the name of the profile to use: the given one, that of the environment, or else "default".

    Parameters
    ----------
    profile : str or None
        The given name.

    Returns
    -------
    str
        The name, without white space around it.

    Raises
    ------
    ConfigurationError
        The name is not text.

    Examples
    --------
    >>> wanted_profile(" test ")
    'test'
    """
    wanted = profile or os.environ.get("CLICDATA_PROFILE")
    _check_texts({"profile": wanted})
    return _WHITE_SPACE.sub("", wanted or "") or "default"


def _from_profile(wanted: str | None) -> _Source:
    path = profile_path()
    if path is None:
        if wanted is None:
            return _Source("no profile")
        raise ConfigurationError(
            f"There is no profile {wanted!r}, because this user has no home directory with a profiles.toml. Set HOME or"
            " XDG_CONFIG_HOME, or give the settings as arguments and leave profile= (and CLICDATA_PROFILE) out."
        )
    try:
        _check_private(path)
    except OSError as exc:
        if wanted is None:
            return _Source("no profile")
        raise ConfigurationError(f"There is no profile {wanted!r}: {path} cannot be read ({exc.strerror}).") from None
    profiles = _parsed(path)
    if (wanted or "default") not in profiles:
        if wanted is None:
            return _Source("no profile")
        known = ", ".join(map(repr, profiles)) or "none"
        raise ConfigurationError(f"There is no profile {wanted!r} in {path}. Its profiles: {known}.")
    return profiles[wanted or "default"]


def _check_private(path: Path) -> None:
    """Refuse a profile file that other users can read or replace.

    Raises
    ------
    ConfigurationError
        They can.
    OSError
        The file does not exist, or cannot be examined.
    """
    mode = path.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(f"{path} holds credentials, and other users can read it. Run: chmod 600 '{path}'")
    _check_folder(path)


def _check_folder(path: Path) -> None:
    if is_writable_for_all(path.parent):
        raise ConfigurationError(
            f"Other users can replace {path}, which holds credentials, because its folder is writable for all. Run:"
            f" chmod o-w '{path.parent}'"
        )


def _parsed(path: Path) -> dict[str, _Source]:
    """Read the profile file; if it is invalid, no frame of the error holds its secrets."""
    with fork_lock:
        import tomllib
    reason: str
    try:
        with open_regular(path) as file:
            return {str(profile): _profile(profile, entries, path) for profile, entries in tomllib.load(file).items()}
    except ConfigurationError as exc:
        reason = str(exc)
    except OSError as exc:
        reason = f"it cannot be read ({exc.strerror})"
    except Exception:  # noqa: BLE001 - the frames of any parser error hold the text of the file
        reason = "it is not TOML with one [table] for each profile"
    raise ConfigurationError(f"{path}: {reason}.")


def _profile(profile: str, entries: Mapping[str, object], path: Path) -> _Source:
    source = _Source(f"the profile {profile!r} in {path}", profile=profile)
    for name, value in entries.items():
        source.add(name, _profile_value(name, value), f"{name} in the profile {profile!r}")
    for name in str(source.pop(_IN_KEYRING, "")).split():
        if name not in SECRET_NAMES or name not in _PROFILE_NAMES:
            raise ConfigurationError(f"the setting 'keyring' names {name!r}, which is no secret of a profile")
        source[name] = InKeyring(profile, name, path)
    return source


def _profile_value(name: str, value: object) -> str | Secret:
    if name not in _PROFILE_NAMES:
        raise ConfigurationError(f"unknown setting {name!r}; valid settings: {', '.join(sorted(_PROFILE_NAMES))}")
    if not isinstance(value, str):
        raise ConfigurationError(f"the setting {name!r} is not text; write its value in quotes")
    return cast("str | Secret", concealed(name, value))


def profile_settings(profile: str) -> Mapping[str, str | Secret]:
    """Return the settings of a profile; those that are in the keyring are not fetched.

    Parameters
    ----------
    profile : str
        The name of the profile.

    Returns
    -------
    mapping of str to (str or Secret)
        The settings. Empty if there is no such profile.

    Raises
    ------
    ConfigurationError
        The profile file is invalid, or other users can read or replace it.
    """
    path = profile_path()
    if path is None or not path.exists():
        return {}
    _check_private(path)
    return _parsed(path).get(profile, {})


def check_profile_file() -> Path:
    """Return the path of the profile file, after checking that a profile can be stored there.

    Returns
    -------
    Path
        The file, which may not exist yet. If its name is a link, the file that the link leads to.

    Raises
    ------
    ConfigurationError
        There is no home directory, the file is invalid, belongs to another user, or can be read or replaced by others.
    """
    named = profile_path()
    if named is None:
        raise ConfigurationError(
            "There is no place to store a profile, because this user has no home directory. Set HOME or"
            " XDG_CONFIG_HOME to a folder of your own. Or store nothing: set the credentials in the environment, such"
            f" as {VARIABLES['client_id']} and {VARIABLES['client_secret']}, and call cd.connect()."
        )
    # A link is resolved, because replacing the file would replace the link.
    path = Path(os.path.realpath(named))
    reason = ""
    try:
        _check_folder(path)
        if path.exists():
            if os.name == "posix" and path.stat().st_uid != os.geteuid():
                raise ConfigurationError(f"{_both(named, path)} belongs to another user and is not changed.")
            _check_private(path)
            _parsed(path)
        elif named.is_symlink():
            raise ConfigurationError(
                f"{named} is a link to {path}, which does not exist. Create that file, with mode 600, or remove the"
                " link."
            )
        else:
            folder = next(each for each in path.parents if each.exists())
            if not os.access(folder, os.W_OK | os.X_OK):
                reason = f"the folder {folder} cannot be written"
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    if reason:
        raise _unwritable(path, reason)
    return path


def _both(named: Path, path: Path) -> str:
    return str(named) if named == path else f"{named}, a link to {path},"


def _unwritable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The profile file {path} cannot be written ({reason}). Correct the cause, or set XDG_CONFIG_HOME to a folder"
        " of your own."
    )


def change_profile(profile: str, changes: Mapping[str, str | Secret | None]) -> Path:
    """Change settings of a profile in the profile file, which appears complete or not at all, with mode 600.

    Other profiles, other settings of the profile, and all comments stay as they are.

    Parameters
    ----------
    profile : str
        The profile; it is added if the file has no such profile.
    changes : mapping of str to (str, Secret or None)
        The new value of each setting; None removes the setting.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigurationError
        The file cannot be changed, or not without a change of its other content.
    """
    with fork_lock:
        from filelock import Timeout

    path, reason = check_profile_file(), ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock_of(path, timeout=_LOCK_TIMEOUT_SECONDS):
            # Again, because another process may have written it in the meantime.
            check_profile_file()
            _write_changed(path, profile, changes)
    except Timeout:
        reason = f"another process has locked it for {_LOCK_TIMEOUT_SECONDS:.0f} seconds"
    except NotImplementedError:
        reason = "its file system does not support locks"
    except ConfigurationError as exc:
        exc.__traceback__ = None
        raise exc from None
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    except Exception:  # noqa: BLE001 - the frames of any parser error hold the text of the file
        reason = "its layout is too unusual to change it without risk; edit it by hand"
    if reason:
        # Raised here, where no frame and no context holds the text of the file.
        raise _unwritable(path, reason)
    return path


def _write_changed(path: Path, profile: str, changes: Mapping[str, str | Secret | None]) -> None:
    old = ""
    if path.exists():
        with open_regular(path) as file:
            old = file.read().decode("utf-8")
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in changes.items()}
    new = changed_toml(old, profile, plain)
    if new == old:
        return
    with AtomicFile(path) as draft:
        with draft.open() as stream:
            stream.write(new.encode("utf-8"))
        draft.publish(overwrite=True)


def changed_toml(text: str, table: str, changes: Mapping[str, str | None]) -> str:
    r"""Change settings in one table of a TOML file, and keep everything else, comments included.

    Parameters
    ----------
    text : str
        The content of the file.
    table : str
        The name of the table. It is added at the end if the file does not have it.
    changes : mapping of str to (str or None)
        The new value of each setting. None removes the setting.

    Returns
    -------
    str
        The new content.

    Raises
    ------
    ValueError
        The file is not TOML, or the new content is not the old one with these changes.

    Examples
    --------
    >>> print(changed_toml('[a]\nx = "1"  # one\n', "a", {"x": "3", "y": "4"}), end="")
    [a]
    x = "3"  # one
    y = "4"
    """
    with fork_lock:
        import tomllib

        import tomlkit

    expected = tomllib.loads(text)
    entries = {**expected.get(table, {}), **changes}
    expected[table] = {name: value for name, value in entries.items() if value is not None}
    windows = "\r\n" in text
    document = tomlkit.parse(text.replace("\r\n", "\n"))
    settings: Any = document.setdefault(table, tomlkit.table())
    for name, value in changes.items():
        if value is not None:
            settings[name] = value
        elif name in settings:
            del settings[name]
    new = tomlkit.dumps(document).replace("\n", "\r\n" if windows else "\n")
    # A file of credentials is not entrusted to one parser alone.
    if tomllib.loads(new) != expected:
        raise ValueError(f"The table {table!r} cannot be changed.")
    return new


def _checked_api_version(version: str) -> str:
    if version not in {"auto", "unversioned"} and not _VERSION.fullmatch(version):
        raise ConfigurationError(
            f"Unknown api_version {version!r}. Valid values: 'auto', 'unversioned' or a version such as '2025.3'."
        )
    return version


def checked_base_url(url: str) -> str:
    """Return the address with its host in lower case and ASCII, as the connection uses it."""
    # Checked before parsing, because parsers differ in what they drop and in where they end the host.
    plain = url.isprintable() and not {" ", "\\"} & set(url)
    if "@" in url.partition("//")[2].partition("/")[0]:
        raise ConfigurationError("base_url holds a user name or password. Pass credentials in their own parameters.")
    address = parse_address(url) if plain else None
    if address is None:
        raise ConfigurationError("base_url is not an http or https address. An example: 'https://api.clicdata.com'.")
    sent = address.url.reveal()
    if {"?", "#"} & set(url):
        raise ConfigurationError("base_url must be an address without a query or fragment.")
    if address.origin[0] == "http" and address.origin[1] not in LOOPBACK_HOSTS:
        raise ConfigurationError(
            f"base_url {sent!r} would send credentials unencrypted. Use https; http is only for this machine."
        )
    return sent.rstrip("/")


def _no_credentials_message() -> str:
    path = profile_path()
    profile = (
        "a profile in pandas_clicdata/profiles.toml; set HOME or XDG_CONFIG_HOME first, because this user has no home"
        " directory"
        if path is None
        else f"a profile in {path}, which only you can read"
    )
    return (
        "There are no ClicData credentials. Give them in one of these ways:\n"
        "  - cd.login(), or clicdata login in a shell, asks for them, checks them and stores them in a profile\n"
        "  - cd.connect(client_id=..., client_secret=...), or username= and password= with client_id=, or api_key=\n"
        "  - cd.connect(client_id=..., client_secret=..., code=..., redirect_uri=...), after a sign-in at the address"
        " that cd.authorization_url(...) returns; or refresh_token= in place of code= and redirect_uri=\n"
        "  - the environment: CLICDATA_CLIENT_ID and CLICDATA_CLIENT_SECRET (or CLICDATA_USERNAME and"
        " CLICDATA_PASSWORD, or CLICDATA_API_KEY)\n"
        f"  - {profile}\n"
        '  - without an account: cd.connect("sandbox") starts a local emulator of ClicData.'
    )
