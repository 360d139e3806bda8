"""Write a file so that it appears under its name complete and synced to the disk, or not at all; read private files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from filelock import FileLock

_BINARY = getattr(os, "O_BINARY", 0)
_ON_WINDOWS = os.name == "nt"
_REPLACE_TRIES, _REPLACE_SECONDS = 40, 0.05
# The answers of file systems on which folders cannot be synced. A failure of the disk is another one, such as EIO.
_NO_FOLDER_SYNC = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read it, and refuse a named pipe or a device, which could block for ever.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    BinaryIO
        The open file.

    Raises
    ------
    OSError
        The file cannot be opened, or is no regular file.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> _ = path.write_bytes(b"1, 2, 3")
    >>> with open_regular(path) as file:
    ...     file.read()
    b'1, 2, 3'
    """
    # Without O_NONBLOCK, a named pipe would block here.
    handle = os.open(path, os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "it is not a regular file")


def sync(handle: int) -> None:
    """Wait until the content of a file is on the disk.

    Parameters
    ----------
    handle : int
        The file descriptor.

    Examples
    --------
    >>> with tempfile.TemporaryFile() as file:
    ...     sync(file.fileno())
    """
    if sys.platform == "darwin":
        import fcntl

        # On macOS, fsync leaves the content in the cache of the disk. Not every file system can do more.
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def lock_of(path: Path, *, timeout: float) -> FileLock:
    """Return the lock of a file, which is a file of the same name with ``.lock`` beside it.

    Parameters
    ----------
    path : Path
        The file.
    timeout : float
        How long to wait for the lock, in seconds.

    Returns
    -------
    FileLock
        The lock, which is not acquired yet.

    Examples
    --------
    >>> with lock_of(Path(tempfile.mkdtemp()) / "numbers.txt", timeout=0) as lock:
    ...     lock.is_locked
    True
    """
    from filelock import FileLock

    # On a file system without flock, filelock uses the existence of the file instead. That is not for the user.
    warnings.filterwarnings("ignore", "flock not supported", UserWarning)
    return FileLock(f"{path}.lock", timeout=timeout, mode=0o600)


def is_writable_for_all(folder: Path) -> bool:
    """Return whether any user of this machine can replace a file in a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    bool
        False if the folder does not exist, is sticky, as ``/tmp`` is, or the system has no such modes.

    Examples
    --------
    >>> is_writable_for_all(Path(tempfile.mkdtemp()))
    False
    """
    if os.name != "posix":
        return False
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


class AtomicFile:
    """A draft of a file, in the same folder and readable by its owner alone, until `publish` gives it its name.

    A context manager: it creates the draft, and removes it unless it was published.

    Parameters
    ----------
    path : Path
        The file.
    draft : Path, optional
        The draft. A draft that is left there by a process that was killed is removed, so the caller must hold a lock.
        Default: a new hidden name.
    reserve : int, default 0
        Bytes of disk space to allocate before the content is known. Content up to this size still fits when the disk
        becomes full in the meantime.

    Attributes
    ----------
    path : Path
        The file.
    draft : Path
        The draft.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with AtomicFile(folder / "numbers.txt") as file:
    ...     with file.open() as stream:
    ...         _ = stream.write(b"1, 2, 3")
    ...     file.publish(overwrite=False)
    >>> [each.name for each in folder.iterdir()], (folder / "numbers.txt").read_bytes()
    (['numbers.txt'], b'1, 2, 3')
    """

    draft: Path

    def __init__(self, path: Path, *, draft: Path | None = None, reserve: int = 0) -> None:
        self.path = path
        self._fixed_draft = draft
        self._reserve = reserve

    def __enter__(self) -> Self:
        if self._fixed_draft is None:
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name[:100]}.", dir=self.path.parent)
            self.draft = Path(name)
        else:
            self.draft = self._fixed_draft
            self.draft.unlink(missing_ok=True)
            handle = os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                if self._reserve:
                    file.write(b" " * self._reserve)
                    _sync(file)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the draft to write its content, in place of the reserved bytes, and sync it to the disk at the end.

        Yields
        ------
        BinaryIO
            The draft, at its beginning.
        """
        # Not truncated before it is written, because that would release the reserved space.
        with os.fdopen(os.open(self.draft, os.O_WRONLY | _BINARY), "wb") as file:
            yield file
            file.truncate()
            _sync(file)

    def publish(self, *, overwrite: bool) -> None:
        """Give the draft its name, and sync the folder where that is possible.

        Parameters
        ----------
        overwrite : bool
            Whether to replace an existing file.

        Raises
        ------
        FileExistsError
            The file exists, and ``overwrite`` is False.
        """
        if overwrite:
            _replace(self.draft, self.path)
        else:
            self._publish_new()
        _sync_folder(self.path.parent)

    def _publish_new(self) -> None:
        # Unlike a rename, a link and an exclusive creation never replace an existing file.
        try:
            os.link(self.draft, self.path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without hard links.
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            try:
                _replace(self.draft, self.path)
            except BaseException:
                self.path.unlink(missing_ok=True)
                raise

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self.draft.unlink(missing_ok=True)


def _replace(draft: Path, path: Path) -> None:
    for _ in range(_REPLACE_TRIES if _ON_WINDOWS else 0):
        try:
            draft.replace(path)
        except PermissionError:
            # On Windows, a file that another program has open cannot be replaced. A virus scanner or a program that
            # synchronizes the folder opens each new file for a moment.
            time.sleep(_REPLACE_SECONDS)
        else:
            return
    draft.replace(path)


def _sync(file: BinaryIO) -> None:
    file.flush()
    sync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Sync the names of the files in a folder, unless its file system cannot: it then stores them later by itself."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as exc:
        if exc.errno not in _NO_FOLDER_SYNC:
            raise
