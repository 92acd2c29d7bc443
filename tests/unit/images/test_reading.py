"""Reading a row's bytes: from memory or a file, whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wd14.errors import DamagedImageError, ImageTooLargeError, MissingImageError, UnreadableImageError
from wd14.images import reading
from wd14.images.reading import read_picture
from wd14.types import InputRow


def row_of(path: Path) -> InputRow:
    return InputRow(0, path.name, path.name, path=path)


def test_from_memory_and_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"abc")
    assert read_picture(row_of(tmp_path / "a.png")) == b"abc"
    assert read_picture(InputRow(0, "a.png", "a.png", data=b"abc")) == b"abc"


def test_what_the_reader_found_is_raised() -> None:
    error = DamagedImageError("found")
    with pytest.raises(DamagedImageError) as caught:
        read_picture(InputRow(0, "a.png", "a.png", error=error))
    assert caught.value is error


def test_rows_without_a_picture(tmp_path: Path) -> None:
    with pytest.raises(MissingImageError, match="holds no image"):
        read_picture(InputRow(0, "a.png", "a.png"))
    with pytest.raises(MissingImageError, match="file not found"):
        read_picture(row_of(tmp_path / "none.png"))


def test_the_limit_is_inclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    path = tmp_path / "a.png"
    for size in (1000, 1001):
        path.write_bytes(bytes(size))
        for row in (row_of(path), InputRow(0, "a.png", "a.png", data=bytes(size))):
            if size == 1000:
                assert len(read_picture(row)) == size
            else:
                with pytest.raises(ImageTooLargeError, match="1,001 bytes; the limit is 1,000"):
                    read_picture(row)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX opens folders and has pipes")
@pytest.mark.timeout(20)
def test_folders_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="a folder, not a file"):
        read_picture(row_of(tmp_path))
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableImageError, match="a pipe, socket or device, not a file"):
        read_picture(row_of(tmp_path / "pipe.png"))


def test_short_reads_are_continued_and_growing_files_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"0123456789")
    original = os.read
    monkeypatch.setattr(os, "read", lambda handle, count: original(handle, min(count, 3)))
    assert read_picture(row_of(path)) == b"0123456789"
    monkeypatch.setattr(os, "read", lambda handle, count: bytes(count))
    with pytest.raises(UnreadableImageError, match="still growing"):
        read_picture(row_of(path))
