"""The folder with the files that feed tables."""

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

ENDINGS = (".csv", ".parquet")
"""The endings of the names of sources, case-insensitive."""
FOLDER = "sources"
"""The name of the folder in the data folder."""


class Sources:
    """The folder of sources, which is created on first use.

    Parameters
    ----------
    data : Path, optional
        The data folder. None: a temporary folder until `close`.
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
                # A sandbox that is not stopped ends with its process.
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
        """Write a file atomically, text as UTF-8; replace a file with the same name."""
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
        """Return the content of a source; refuse one that cannot be read with 400."""
        path = self.folder() / name
        # A link could point out of the folder, and a pipe would never end.
        if path.is_symlink() or not path.is_file():
            raise unreadable(name, "the folder of sources has no such file")
        try:
            return path.read_bytes()
        except OSError as exc:
            raise unreadable(name, f"{exc.strerror}") from None


def unreadable(name: str, why: str) -> Refusal:
    """Return a 400 for a source that cannot be read."""
    return Refusal(400, "SourceUnreadable", f"The source '{name}' cannot be read: {why.rstrip('.')}.")


def check_name(name: object) -> str:
    """Return the name of a source; raise ValueError if it is not a plain file name."""
    if not isinstance(name, str) or not name.lower().endswith(ENDINGS):
        raise ValueError(f"The name of a source is {name!r}; it must end with {' or '.join(ENDINGS)}.")
    if name.startswith(".") or any(mark in "/\\:" or not mark.isprintable() for mark in name):
        raise ValueError(f"The name of a source is {name!r}; it must be a plain file name, as in 'flights.csv'.")
    if len(os.fsencode(name)) > MAX_NAME:
        raise ValueError(f"The name of a source has {len(os.fsencode(name))} bytes; the limit is {MAX_NAME}.")
    return name
