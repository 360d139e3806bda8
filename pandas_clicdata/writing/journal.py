"""A file that keeps what is known of a write, so that it can be gone on with after its process was killed.

One JSON text a line: which write it is, then what happened to it, each line on the disk before the next request goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pandas_clicdata.errors import JournalInUseError, ResumeError
from pandas_clicdata.writing.sealing import seal

if TYPE_CHECKING:
    from filelock import FileLock

Event = Mapping[str, Any]


class Journal:
    """The file, for one write at a time; a context manager, which holds its lock.

    Parameters
    ----------
    path : path-like
        The file; it is made with the first event. A lock file of the same name and ``.lock`` stays beside it.

    Raises
    ------
    JournalInUseError
        Another process holds the lock.
    ResumeError
        The file cannot be read or is none of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock: FileLock | None = None
        self._file: int | None = None
        self._header: Event | None = None
        self._seal = ""
        self._broken = False

    def __enter__(self) -> Self:
        from filelock import FileLock, Timeout

        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ResumeError(f"journal= is the path of a file in a folder that is there, not {str(self.path)!r}.")
        lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise JournalInUseError(
                f"Another write is using the journal {self.path} now. Wait for its end, or give this one a journal of"
                " its own."
            ) from None
        except OSError as exc:
            raise self._unusable("locked", exc) from exc
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read(self) -> list[dict[str, Any]]:
        """What is in the file: which write it is, and its events; nothing if there is no file yet."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise self._unusable("read", exc) from exc
        # A line without its end was being written when the process was killed, and nothing was done on its account.
        whole = content[: content.rfind(b"\n") + 1]
        events = None
        with contextlib.suppress(ValueError, RecursionError):
            events = [json.loads(line) for line in whole.splitlines()]
        # Raised here, where the parser's exception, which holds a line of the file, is no context of it.
        if events is None or not all(isinstance(event, dict) for event in events) or (content and not events):
            raise ResumeError(f"The file {self.path} is no journal of a write. Give another path.")
        for event in events:
            kept = event.pop("seal", None)
            self._seal = seal(event, self._seal)
            if kept != self._seal:
                raise ResumeError(f"The journal {self.path} is not as it was written. Give another path.")
        if events:
            self._open()
            assert self._file is not None
            os.ftruncate(self._file, len(whole))
        return events

    def describe(self, header: Event) -> None:
        """Say which write this is; it stands at the file's beginning."""
        self._header = header

    def write(self, event: Event) -> None:
        """Add an event, and return when it is on the disk.

        Raises
        ------
        ResumeError
            The file cannot be written.
        """
        try:
            # Behind a part of a line, the next one could not be read either.
            if self._broken:
                raise OSError("it could not be written before")  # noqa: TRY301
            self._broken = True
            if self._file is None:
                assert self._header is not None
                self._begin(self._line(self._header) + self._line(event))
                self._open()
                self._broken = False
                return
            line = self._line(event)
            # A write that comes to its end only in part leaves a line without an end.
            if os.write(self._file, line) != len(line):
                raise OSError("the disk took only a part of a line")  # noqa: TRY301
            os.fsync(self._file)
            self._broken = False
        except OSError as exc:
            raise self._unusable("written", exc) from exc

    def _begin(self, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)

    def _open(self) -> None:
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError as exc:
            raise self._unusable("written", exc) from exc

    def _unusable(self, verb: str, why: Exception) -> ResumeError:
        return ResumeError(f"The journal {self.path} cannot be {verb}: {why}. Give another path, or mend this one.")

    def _line(self, event: Event) -> bytes:
        """The event as it stands in the file, with a seal on it and on all before it."""
        self._seal = seal(event, self._seal)
        return json.dumps({**event, "seal": self._seal}, separators=(",", ":")).encode() + b"\n"


def sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
