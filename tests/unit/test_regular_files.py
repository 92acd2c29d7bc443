"""The door to files: what it opens, what it refuses, and that it never waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wd14.regular_files import FileTooLargeError, NotRegularFileError, open_file, read_file


def test_reads_a_file_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"12345")
    assert read_file(file, 5) == b"12345"
    with open_file(file) as opened:
        assert opened.read() == b"12345"
    with pytest.raises(FileTooLargeError, match="the file has 5 bytes; the limit is 4"):
        read_file(file, 4)


def test_a_hole_of_six_gigabytes_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with file.open("wb") as opened:
        opened.truncate(6 << 30)
    with pytest.raises(FileTooLargeError, match="6,442,450,944 bytes"):
        read_file(file, 1 << 20)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    place = {"pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(place)
    for read in (open_file, lambda path: read_file(path, 1)):
        with pytest.raises(NotRegularFileError, match="a folder" if kind == "folder" else "a pipe, socket or device"):
            read(place)
