"""File systems and operating systems that differ from the one at hand, simulated by their errors."""

import errno
import os
from pathlib import Path

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata import _durable

FRAME = pd.DataFrame({"n": range(30)})


def publish(path, content, *, overwrite):
    with _durable.AtomicFile(path) as file:
        with file.open() as stream:
            stream.write(content)
        file.publish(overwrite=overwrite)


@pytest.fixture
def without_links(monkeypatch):
    def link(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


def test_a_file_system_without_hard_links_overwrites_nothing(without_links, tmp_path):
    publish(tmp_path / "a", b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        publish(tmp_path / "a", b"second", overwrite=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"first")]


@pytest.mark.parametrize("busy", [1, 5, 10_000])
def test_a_file_that_another_program_has_open_is_replaced_later(monkeypatch, tmp_path, busy):
    replace, tries = Path.replace, []

    def busy_replace(self, target):
        tries.append(target)
        if len(tries) <= busy:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return replace(self, target)

    publish(tmp_path / "a", b"first", overwrite=True)
    monkeypatch.setattr(Path, "replace", busy_replace)
    monkeypatch.setattr(_durable, "_ON_WINDOWS", True)
    monkeypatch.setattr(_durable, "_REPLACE_SECONDS", 0)
    if busy < 100:
        publish(tmp_path / "a", b"second", overwrite=True)
    else:
        with pytest.raises(PermissionError):
            publish(tmp_path / "a", b"second", overwrite=True)
    expected = b"second" if busy < 100 else b"first"
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", expected)]


def test_elsewhere_a_missing_permission_is_reported_at_once(monkeypatch, tmp_path):
    tries = []

    def refuse(self, target):
        tries.append(target)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(_durable, "_ON_WINDOWS", False)
    with pytest.raises(PermissionError):
        publish(tmp_path / "a", b"first", overwrite=True)
    assert len(tries) == 1


@pytest.mark.skipif(os.name == "nt", reason="replaces a function of POSIX")
def test_without_locks_a_write_has_no_journal_and_says_so(session, name, monkeypatch, tmp_path):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", refuse)
    receipt = FRAME.clicdata.push(name, session=session)
    assert receipt.sent == len(FRAME)
    assert "No journal was kept" in receipt.notes[0]
    # A journal that the user asks for cannot be left out. Old versions of filelock take any error for a lock.
    with pytest.raises(cd.ResumeError, match=r"cannot be locked|is using the journal"):
        FRAME.assign(n=1).clicdata.append(name, journal=tmp_path / "a.push", session=session)


@pytest.mark.skipif(os.name == "nt", reason="replaces a function of POSIX")
def test_without_flock_a_write_prints_nothing(session, name, monkeypatch, tmp_path, recwarn):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", refuse)
    # Versions of filelock differ: with a lock of another kind, there is a journal.
    assert FRAME.clicdata.push(name, session=session).sent == len(FRAME)
    assert [str(each.message) for each in recwarn] == []


def test_a_folder_that_cannot_be_written_is_no_obstacle(session, name, monkeypatch, tmp_path):
    open_file = os.open

    def refuse(path, flags, *args, **options):
        if str(path).endswith(".journal"):
            raise OSError(errno.EROFS, "Read-only file system")
        return open_file(path, flags, *args, **options)

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "open", refuse)
    receipt = FRAME.clicdata.push(name, session=session)
    assert receipt.sent == len(FRAME)
    assert "Read-only file system" in receipt.notes[0]
