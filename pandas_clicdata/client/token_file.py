"""The file that keeps refresh tokens: only its owner can read it, and one process at a time writes it.

A refresh token works once, and the reply to that use is the only source of the next one. Therefore the disk space for
the reply is allocated before the request is sent, and the reply is synced to the disk before anything else happens.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pandas_clicdata._config import Settings, user_folder
from pandas_clicdata._durable import AtomicFile, is_writable_for_all, lock_of, open_regular
from pandas_clicdata._models import Secret
from pandas_clicdata.errors import ConfigurationError

_MIN_RESERVED_BYTES = 16384
_LOCK_TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class StoredTokens:
    """The tokens from the last reply of a sign-in.

    Attributes
    ----------
    access_token : Secret
        The access token.
    expires_at : float
        When the access token expires, in seconds since the epoch.
    refresh_token : Secret or None
        The refresh token for the next renewal. None if the service issued none.
    """

    access_token: Secret
    expires_at: float
    refresh_token: Secret | None


SignIns = dict[str, StoredTokens]
"""The tokens of each sign-in, the latest last. The key is the digest of the code or token that started the sign-in."""


class TokenFile:
    """The sign-ins of one client at one service.

    Parameters
    ----------
    settings : Settings
        The account. Without ``token_file``, the file is in the user's state folder, under a name derived from the
        client id and the base URL.

    Attributes
    ----------
    path : Path
        The file.

    Raises
    ------
    ConfigurationError
        There is no home directory for the file.
    """

    path: Path

    def __init__(self, settings: Settings) -> None:
        self._owns_folder = settings.token_file is None
        if settings.token_file is not None:
            try:
                path = Path(settings.token_file).expanduser()
            except RuntimeError:
                raise ConfigurationError(
                    f"The home directory in token_file={settings.token_file!r} is not known on this machine. Give a"
                    " path without ~ as token_file= (or CLICDATA_TOKEN_FILE)."
                ) from None
            # A link must be resolved now: replacing the file would replace the link.
            self.path = Path(os.path.realpath(path))
        else:
            folder = user_folder("state")
            if folder is None:
                raise ConfigurationError(
                    "There is no place to store the tokens, because this user has no home directory, and each refresh"
                    " token works only once. Give the path of a file as token_file= (or CLICDATA_TOKEN_FILE), or set"
                    " HOME or XDG_STATE_HOME."
                )
            account = hashlib.sha256(f"{settings.client_id}\n{settings.base_url}".encode()).hexdigest()
            self.path = folder / f"token-{account[:32]}.json"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the file, so that no other process reads or writes it.

        Raises
        ------
        ConfigurationError
            The file cannot be locked, or other users can replace it. No request was sent.
        """
        self._check_folder()
        from filelock import Timeout

        lock, reason = lock_of(self.path, timeout=_LOCK_TIMEOUT_SECONDS), ""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._owns_folder and os.name == "posix":
                self.path.parent.chmod(0o700)
            lock.acquire()
        except Timeout:
            reason = f"another process has locked it for {_LOCK_TIMEOUT_SECONDS:.0f} seconds"
        except NotImplementedError:
            reason = "its file system does not support locks"
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        if reason:
            raise self._unusable("locked", reason)
        try:
            yield
        finally:
            lock.release()

    def read(self) -> SignIns:
        """Return the stored sign-ins.

        Returns
        -------
        dict of str to StoredTokens
            Empty if the file does not exist.

        Raises
        ------
        ConfigurationError
            The file cannot be read, other users can read or replace it, or this package did not write it.
        """
        self._check_folder()
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return {}
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        else:
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(
                    f"{self.path} holds tokens, and other users can read it. Run: chmod 600 '{self.path}'"
                )
            try:
                # Not kept in a variable, which the traceback of the error below would show.
                with open_regular(self.path) as file:
                    return {
                        str(key): StoredTokens(
                            Secret(_non_empty_text(tokens["access_token"])),
                            float(tokens["until"]),
                            None
                            if tokens["refresh_token"] is None
                            else Secret(_non_empty_text(tokens["refresh_token"])),
                        )
                        for key, tokens in json.loads(file.read())["sign_ins"].items()
                    }
            except OSError as exc:
                reason = exc.strerror or type(exc).__name__
            except Exception:  # noqa: BLE001 - the frames of any parser error hold the tokens
                reason = "it is not a token file of pandas_clicdata; move it away and sign in again"
        # Raised here, where no frame and no context holds the file's text.
        raise self._unusable("read", reason)

    def forget(self, key: str | None = None) -> bool:
        """Remove a sign-in, or the file with all of them.

        Parameters
        ----------
        key : str, optional
            The key of the sign-in. Default: all.

        Returns
        -------
        bool
            Whether there was one.

        Raises
        ------
        ConfigurationError
            The file cannot be read, locked or changed.
        """
        if not self.path.exists():
            return False
        reason = ""
        with self.lock():
            sign_ins = {} if key is None else self.read()
            known = key is None or sign_ins.pop(key, None) is not None
            try:
                if not sign_ins:
                    self.path.unlink(missing_ok=True)
                elif known:
                    with self.writer() as write:
                        write(sign_ins)
            except OSError as exc:
                reason = exc.strerror or type(exc).__name__
        if reason:
            raise ConfigurationError(f"The token file {self.path} cannot be removed ({reason}).")
        return known

    def _check_folder(self) -> None:
        # The mode of the folder of this package is set when it is locked.
        folder = self.path.parent
        if not self._owns_folder and is_writable_for_all(folder):
            raise ConfigurationError(
                f"Other users can replace {self.path}, which holds tokens, because its folder is writable for all. Run:"
                f" chmod o-w '{folder}', or use a folder of your own."
            )

    @contextlib.contextmanager
    def writer(self) -> Iterator[Callable[[SignIns], None]]:
        """Allocate disk space for new tokens.

        Yields
        ------
        callable
            Writes the sign-ins to the file.

        Raises
        ------
        ConfigurationError
            The file cannot be written.
        """
        file, reason = None, ""
        with contextlib.ExitStack() as stack:
            try:
                used = self.path.stat().st_size if self.path.exists() else 0
                draft = self.path.with_name(f"{self.path.name}.new")
                reserve = max(_MIN_RESERVED_BYTES, 2 * used)
                file = stack.enter_context(AtomicFile(self.path, draft=draft, reserve=reserve))
            except OSError as exc:
                reason = exc.strerror or type(exc).__name__
            if file is None:
                raise self._unusable("written", reason)
            yield functools.partial(self._write, file)

    def _write(self, file: AtomicFile, sign_ins: SignIns) -> None:
        reason = ""
        try:
            with file.open() as stream:
                stream.write(_json(sign_ins).reveal().encode())
            file.publish(overwrite=True)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        if reason:
            raise ConfigurationError(
                f"The new refresh token could not be written to {self.path} ({reason}). Only this session holds it."
                " Correct the cause and continue with this session, or sign in again.",
                operation="token",
            )

    def _unusable(self, verb: str, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"The token file {self.path} cannot be {verb} ({reason}). No token was requested, because each refresh"
            " token works only once and the next one must be stored. Correct the cause, or give another path:"
            " token_file= (or CLICDATA_TOKEN_FILE).",
            operation="token",
        )


def _json(sign_ins: Mapping[str, StoredTokens]) -> Secret:
    return Secret(
        json.dumps(
            {
                "about": "Tokens of pandas_clicdata. Keep this file private.",
                "sign_ins": {
                    key: {
                        "access_token": tokens.access_token.reveal(),
                        "until": tokens.expires_at,
                        "refresh_token": tokens.refresh_token and tokens.refresh_token.reveal(),
                    }
                    for key, tokens in sign_ins.items()
                },
            },
            indent=1,
        )
    )


def _non_empty_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
