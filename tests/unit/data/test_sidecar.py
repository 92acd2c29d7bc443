"""Text files beside the source's pictures: only those, each complete, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from wd14.data.report import Tally
from wd14.data.sidecar import SidecarWriter
from wd14.data.writer import OutputRow
from wd14.errors import CaptionFileExistsError, ConfigError, OutputError, UnreadableImageError
from wd14.types import InputRow


def row(path: Path | None, caption: str) -> OutputRow:
    return OutputRow(InputRow(0, "a.png", "a.png", path=path, data=None if path else b"x"), caption)


def test_only_text_files_are_written(tmp_path: Path) -> None:
    picture = tmp_path / "sub" / "a.b.png"
    picture.parent.mkdir()
    picture.write_bytes(b"picture")
    writer = SidecarWriter(tmp_path, extension=".txt", replace=False)
    assert writer.add(row(picture, "solo, 猫")) == "a.b.txt"
    assert writer.finish(Tally(), {}) == str(tmp_path)
    assert (picture.parent / "a.b.txt").read_bytes() == "solo, 猫\n".encode()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.b.png", "a.b.txt", "sub"]


def test_a_text_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    picture, text = tmp_path / "a.png", tmp_path / "a.txt"
    text.write_text("by hand")
    with pytest.raises(CaptionFileExistsError, match=r"a\.txt exists and was left alone"):
        SidecarWriter(tmp_path, extension=".txt", replace=False).add(row(picture, "new"))
    assert text.read_text() == "by hand"
    SidecarWriter(tmp_path, extension=".txt", replace=True).add(row(picture, "by hand, new"))
    assert text.read_text() == "by hand, new\n"


def test_what_cannot_have_a_text_file_is_said(tmp_path: Path) -> None:
    writer = SidecarWriter(tmp_path, extension=".txt", replace=False)
    with pytest.raises(UnreadableImageError, match="no file of its own"):
        writer.add(row(None, "x"))
    with pytest.raises(OutputError, match="cannot write"):
        writer.add(row(tmp_path / "gone" / "a.png", "x"))
    with pytest.raises(ConfigError, match="in_place"):
        SidecarWriter(tmp_path / "file.parquet", extension=".txt", replace=False)
