"""The file that keeps refresh tokens: only its owner may read it, and processes write it in turn.

Each refresh token can be used once, and the reply to its use is the only place where the next one stands. So the space
for it is reserved before it is requested, and it is on the disk before anything else is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pandas_clicdata._config import Settings, user_folder
from pandas_clicdata._models import Secret
from pandas_clicdata.errors import ConfigurationError

_LEAST_ROOM = 16384
_TURN_SECONDS = 300.0


@dataclass(frozen=True)
class Kept:
    """What the last reply to a sign-in held; ``until`` is the end of the access token in seconds of the epoch."""

    access_token: Secret
    until: float
    refresh_token: Secret | None


SignIns = dict[str, Kept]
"""What is kept of each sign-in, the latest last, by the digest of the code or token that it began with."""


class TokenFile:
    """The sign-ins of one client at one service.

    Parameters
    ----------
    settings : Settings
        Whose they are. Without ``token_file``, they are kept in the user's folder for the state of programs, under a
        name made of client id and address.

    Raises
    ------
    ConfigurationError
        There is no home directory to keep them in.
    """

    def __init__(self, settings: Settings) -> None:
        self._ours = settings.token_file is None
        if settings.token_file is not None:
            try:
                path = Path(settings.token_file).expanduser()
            except RuntimeError:
                raise ConfigurationError(
                    f"token_file={settings.token_file!r} begins with a home directory that is not known here. Give a"
                    " path without ~ as token_file= (or CLICDATA_TOKEN_FILE)."
                ) from None
            # Followed now, for a link would be replaced by the file.
            self.path = Path(os.path.realpath(path))
        else:
            folder = user_folder("state")
            if folder is None:
                raise ConfigurationError(
                    "There is no place to keep the tokens in, and each refresh token is good only once: this user has"
                    " no home directory. Give the path of a file as token_file= (or CLICDATA_TOKEN_FILE), or set HOME"
                    " or XDG_STATE_HOME."
                )
            whose = hashlib.sha256(f"{settings.client_id}\n{settings.base_url}".encode()).hexdigest()
            self.path = folder / f"token-{whose[:32]}.json"

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other processes out.

        Raises
        ------
        ConfigurationError
            The file cannot be locked; nothing was sent.
        """
        from filelock import FileLock, Timeout

        fault = ""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._ours and os.name == "posix":
                self.path.parent.chmod(0o700)
            lock = FileLock(f"{self.path}.lock", mode=0o600)
            lock.acquire(timeout=_TURN_SECONDS)
        except Timeout:
            fault = f"another process has had its turn for {_TURN_SECONDS:.0f} seconds"
        except NotImplementedError:
            fault = "its file system knows no locks"
        except OSError as exc:
            fault = exc.strerror or type(exc).__name__
        if fault:
            raise self._unusable("cannot be locked", fault)
        try:
            yield
        finally:
            lock.release()

    def read(self) -> SignIns:
        """Return what is kept; nothing if there is no file yet.

        Raises
        ------
        ConfigurationError
            The file cannot be read, others may read it, or it is none of ours.
        """
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return {}
        except OSError as exc:
            fault = exc.strerror or type(exc).__name__
        else:
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(
                    f"{self.path} holds tokens and others may read it. Run: chmod 600 '{self.path}'"
                )
            try:
                return {
                    str(began): Kept(
                        Secret(_text(kept["access_token"])),
                        float(kept["until"]),
                        None if kept["refresh_token"] is None else Secret(_text(kept["refresh_token"])),
                    )
                    for began, kept in json.loads(self.path.read_bytes())["sign_ins"].items()
                }
            except OSError as exc:
                fault = exc.strerror or type(exc).__name__
            except Exception:  # noqa: BLE001 - whatever the parser raises, its frames hold the tokens
                fault = "it is not a file of this package; move it away and sign in again"
        # Raised here, where no frame and no context holds the file's text.
        raise self._unusable("cannot be read", fault)

    @contextlib.contextmanager
    def room(self) -> Iterator[Callable[[SignIns], None]]:
        """Make room on the disk, and give the function that puts what is kept there.

        Raises
        ------
        ConfigurationError
            The file cannot be written.
        """
        new = self.path.with_name(f"{self.path.name}.new")
        fault = ""
        try:
            size = max(_LEAST_ROOM, 2 * self.path.stat().st_size) if self.path.exists() else _LEAST_ROOM
            new.unlink(missing_ok=True)
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(b" " * size)
                _to_disk(file.fileno(), file.flush)
        except OSError as exc:
            fault = exc.strerror or type(exc).__name__
        if fault:
            raise self._unusable("cannot be written", fault)
        try:
            yield lambda sign_ins: self._put(new, sign_ins)
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)

    def _put(self, new: Path, sign_ins: SignIns) -> None:
        """Write over the room that was made, then let it be the file."""
        fault = ""
        try:
            with new.open("r+b") as file:
                file.write(_json(sign_ins).reveal().encode())
                file.truncate()
                _to_disk(file.fileno(), file.flush)
            new.replace(self.path)
            if os.name == "posix":
                folder = os.open(self.path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except OSError as exc:
            fault = exc.strerror or type(exc).__name__
        if fault:
            raise ConfigurationError(
                f"The new refresh token could not be written to {self.path} ({fault}). It is in this session alone:"
                " mend that and go on with this session, or sign in again.",
                operation="token",
            )

    def _unusable(self, what: str, fault: str) -> ConfigurationError:
        return ConfigurationError(
            f"The token file {self.path} {what} ({fault}), so no token was asked for: each refresh token is good only"
            " once, and the next one must be kept. Mend that, or give another path: token_file= (or"
            " CLICDATA_TOKEN_FILE).",
            operation="token",
        )


def _json(sign_ins: Mapping[str, Kept]) -> Secret:
    return Secret(
        json.dumps(
            {
                "about": "tokens of pandas_clicdata: keep this file to yourself",
                "sign_ins": {
                    began: {
                        "access_token": kept.access_token.reveal(),
                        "until": kept.until,
                        "refresh_token": kept.refresh_token and kept.refresh_token.reveal(),
                    }
                    for began, kept in sign_ins.items()
                },
            },
            indent=1,
        )
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _to_disk(handle: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(handle)
