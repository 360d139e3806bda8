"""Secrets of profiles in the keyring of the system: Keychain, Credential Manager, Secret Service and others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pandas_clicdata._models import Secret
from pandas_clicdata._threads import fork_lock
from pandas_clicdata.errors import ConfigurationError

SERVICE = "pandas_clicdata"
_fetched: dict[tuple[str, str, int | None], Secret] = {}


class InKeyring(Secret):
    """A secret of a profile that is in the keyring, and is fetched only for the session that uses it.

    Parameters
    ----------
    profile, name : str
        The profile, and the name of the setting.
    path : Path
        The profile file.
    """

    __slots__ = ("_name", "_path", "_profile")

    def __init__(self, profile: str, name: str, path: Path) -> None:
        super().__init__("in the keyring")
        self._profile = profile
        self._name = name
        self._path = path

    def fetch(self) -> Secret:
        """Return the secret itself.

        The process remembers it until the profile file changes: the default session looks up its settings at each use,
        and a keyring may take long or ask its user.

        Returns
        -------
        Secret
            The secret.

        Raises
        ------
        ConfigurationError
            The keyring cannot be used, or does not have the secret.
        """
        key = (self._profile, self._name, self._path.stat().st_mtime_ns if self._path.exists() else None)
        if key not in _fetched:
            found = fetch_secret(self._profile, self._name)
            if found is None:
                raise ConfigurationError(
                    f"The keyring of the system has no {self._name} of the profile {self._profile!r}, although the"
                    " profile says so. Store it again: cd.login(keyring=True), or clicdata login --keyring"
                )
            _fetched[key] = found
        return _fetched[key]


def fetch_secret(profile: str, name: str) -> Secret | None:
    """Return a secret of a profile from the keyring.

    Parameters
    ----------
    profile, name : str
        The profile, and the name of the setting.

    Returns
    -------
    Secret or None
        The secret. None if the keyring does not have it.

    Raises
    ------
    ConfigurationError
        The keyring cannot be used.
    """
    found: Secret | None = _call(lambda keyring, *entry: Secret.of(keyring.get_password(*entry)), profile, name)
    return found


def store_secret(profile: str, name: str, secret: Secret | None) -> None:
    """Store a secret of a profile in the keyring, or remove it.

    Parameters
    ----------
    profile, name : str
        The profile, and the name of the setting.
    secret : Secret or None
        The secret; None removes it, if it is there.

    Raises
    ------
    ConfigurationError
        The keyring cannot be used, or does not keep the secret.
    """

    def store(keyring: Any, *entry: str) -> bool:
        if secret is not None:
            keyring.set_password(*entry, secret.reveal())
        elif keyring.get_password(*entry) is not None:
            keyring.delete_password(*entry)
        # There is a backend that stores nothing.
        return Secret.of(keyring.get_password(*entry)) == secret

    _fetched.clear()
    if not _call(store, profile, name):
        raise ConfigurationError(
            "The keyring of the system does not keep the secret. Choose another backend (see: python -m keyring"
            " --list-backends), or store the secret in the profile file: leave keyring= (--keyring) out."
        )


def _call(act: Callable[..., Any], profile: str, name: str) -> Any:
    """Call the keyring; if it fails, no frame of the error holds a secret."""
    with fork_lock:
        try:
            import keyring
        except ImportError:
            raise ConfigurationError(
                "The keyring of the system needs keyring, which is not installed. Run: pip install"
                ' "pandas-clicdata[keyring]"'
            ) from None
    reason, interrupted = "", False
    try:
        return act(keyring, SERVICE, f"{profile} {name}")
    except KeyboardInterrupt:
        interrupted = True
    except Exception as exc:  # noqa: BLE001 - a backend may raise anything
        reason = type(exc).__name__
    if interrupted:
        raise KeyboardInterrupt
    raise ConfigurationError(
        f"The keyring of the system cannot be used ({reason}). On a server or in a container there often is none."
        " Unlock it, install a backend (see: python -m keyring --list-backends), or store the secret in the profile"
        " file, which only you can read: leave keyring= (--keyring) out."
    )
