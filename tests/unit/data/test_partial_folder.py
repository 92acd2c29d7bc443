"""The folder in which a dataset is built, when the system does not do what it is asked.

What two runs do to each other is in tests/integration/test_two_jobs_at_once.py.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from wd14 import run_folder
from wd14.data.partial_folder import PartialFolder, write_new_file
from wd14.run_folder import clear_leftovers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(FileExistsError):
        write_new_file(str(tmp_path / "a"), b"other")
    assert (tmp_path / "a").read_text() == "mine"


def test_a_file_that_the_system_writes_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    write_new_file(str(tmp_path / "a"), b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_move_replaces_nothing_and_gives_the_lock_back(tmp_path: Path) -> None:
    folder = PartialFolder(tmp_path, "x" * 250)
    (folder.path / "file").touch()
    for taken in ("file", "full"):
        (tmp_path / "full").mkdir(exist_ok=True)
        (tmp_path / "full" / "mine").touch()
        (tmp_path / "file").touch()
        assert folder.move_to(tmp_path / taken) is False
    with pytest.raises(FileNotFoundError):
        folder.move_to(tmp_path / "nowhere" / "else")
    assert folder.move_to(tmp_path / "free") is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "free", "full"]
    assert (tmp_path / "free" / "file").exists()


def test_a_folder_that_cannot_be_made_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OSError, match="no space"):
        PartialFolder(tmp_path, "set")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_removed_is_left_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PartialFolder(tmp_path, "set")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        folder.remove()
        clear_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2, "the folder and its lock file, which is not locked any more"
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_filesystem_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", refuse)
    folder = PartialFolder(tmp_path, "set")
    assert [path.suffix for path in tmp_path.iterdir()] == [".wd14-partial"]
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_another_run_removed_first_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_at = run_folder._is_at
    asked: list[Path] = []

    def removed_once(path: Path, handle: int) -> bool:
        asked.append(path)
        if len(asked) == 1:
            path.unlink()
        return is_at(path, handle)

    monkeypatch.setattr(run_folder, "_is_at", removed_once)
    folder = PartialFolder(tmp_path, "set")
    assert len(set(asked)) == 2
    assert len(list(tmp_path.iterdir())) == 2
    folder.remove()
