"""Atomic writes: a file under its name is complete, or does not exist."""

import errno
import os
import stat
from typing import Any

import pytest

from pandas_clicdata._durable import AtomicFile


def write(path, content, *, overwrite, **options):
    with AtomicFile(path, **options) as file:
        with file.open() as stream:
            stream.write(content)
        file.publish(overwrite=overwrite)


@pytest.fixture
def no_links(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_new_file_is_complete_and_private(tmp_path, request, links, overwrite):
    if not links:
        request.getfixturevalue("no_links")
    write(tmp_path / "file", b"new", overwrite=overwrite)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("dangling", [False, True])
def test_an_existing_file_is_not_overwritten(tmp_path, request, links, dangling):
    if not links:
        request.getfixturevalue("no_links")
    if dangling:
        (tmp_path / "file").symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", b"new", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert dangling or (tmp_path / "file").read_bytes() == b"old"


def test_a_failed_rename_leaves_no_empty_file(tmp_path, monkeypatch, no_links):
    def raise_no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", raise_no_space)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", b"new", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    text: Any = "not bytes"
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError), AtomicFile(tmp_path / "file") as file, file.open() as stream:
        stream.write(text)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_space_is_reserved_and_a_leftover_draft_is_removed(tmp_path):
    draft = tmp_path / "file.new"
    draft.write_bytes(b"x" * 100_000)
    with AtomicFile(tmp_path / "file", draft=draft, reserve=5000) as file:
        assert draft.stat().st_size == 5000
        with file.open() as stream:
            stream.write(b"new")
        assert draft.read_bytes() == b"new"
        file.publish(overwrite=True)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not draft.exists()


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced elsewhere")
@pytest.mark.parametrize(("code", "raises"), [(errno.EINVAL, False), (errno.EACCES, False), (errno.EIO, True)])
def test_a_failed_sync_of_a_folder_raises_only_on_an_io_error(tmp_path, monkeypatch, code, raises):
    fsync = os.fsync

    def fsync_file(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fsync_file)
    if raises:
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            write(tmp_path / "file", b"new", overwrite=True)
    else:
        write(tmp_path / "file", b"new", overwrite=True)
        assert (tmp_path / "file").read_bytes() == b"new"
