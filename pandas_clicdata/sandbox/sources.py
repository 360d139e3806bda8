"""The folder of files that tables are fed from."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path

from pandas_clicdata.sandbox.bodies import MAX_NAME
from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.protocol import as_bytes, operation

KINDS = (".csv", ".parquet")
"""What the names of sources end with, in small letters or not."""
FOLDER = "sources"
"""The name of the folder in the data folder."""


class Sources:
    """The folder, made when it is first asked for.

    Parameters
    ----------
    data : Path, optional
        The data folder; without it the sources are in a temporary folder until `close`.
    """

    def __init__(self, data: Path | None) -> None:
        self._data = data
        self._lock = threading.Lock()
        self._temporary: Path | None = None

    @operation("GET", "sources", "folder", encode=str, decode=Path)
    def folder(self) -> Path:
        """Return the folder, which only its owner can read."""
        with self._lock:
            if self._data is not None:
                folder = self._data.absolute() / FOLDER
                folder.mkdir(mode=0o700, exist_ok=True)
                return folder
            if self._temporary is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="clicdata-sandbox-"))
                # A sandbox that nobody stops ends with its process.
                self._remove = weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)
            return self._temporary

    def close(self) -> None:
        """Remove the folder if it is a temporary one."""
        with self._lock:
            if self._temporary is not None:
                self._remove()
                self._temporary = None

    @operation("POST", "sources")
    def put(self, name: str, content: str | bytes) -> None:
        """Write a file, text as UTF-8, whole or not at all; one of the same name is replaced."""
        check_name(name)
        data = as_bytes(content)
        folder = self.folder()
        handle, draft = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(draft).replace(folder / name)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(draft).unlink()
            raise

    def read(self, name: str) -> bytes:
        """The content of a source; a 400 where there is none to read."""
        path = self.folder() / name
        # A link could lead out of the folder, and a pipe would never end.
        if path.is_symlink() or not path.is_file():
            raise unreadable(name, "there is no such file in the folder of sources")
        try:
            return path.read_bytes()
        except OSError as exc:
            raise unreadable(name, f"{exc.strerror}") from None


def unreadable(name: str, why: str) -> Refusal:
    """A 400 for a source that cannot be read."""
    return Refusal(400, "SourceUnreadable", f"The source '{name}' cannot be read: {why.rstrip('.')}.")


def check_name(name: object) -> str:
    """The name of a source; ValueError for what is none, or could lead out of the folder."""
    if not isinstance(name, str) or not name.lower().endswith(KINDS):
        raise ValueError(f"The name of a source is {name!r}; it must end with {' or '.join(KINDS)}.")
    if name.startswith(".") or any(mark in "/\\:" or not mark.isprintable() for mark in name):
        raise ValueError(f"The name of a source is {name!r}; it must be a plain file name, as in 'flights.csv'.")
    if len(os.fsencode(name)) > MAX_NAME:
        raise ValueError(
            f"The name of a source has {len(os.fsencode(name))} bytes; a file name has {MAX_NAME} at most."
        )
    return name
