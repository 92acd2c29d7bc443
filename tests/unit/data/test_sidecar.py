"""Text files beside the source's pictures: only those, each complete, none lost."""

from __future__ import annotations

import errno
import os
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
    assert writer.finish(Tally().summary(seconds=0, output=None), {}) == str(tmp_path)
    assert (picture.parent / "a.b.txt").read_bytes() == "solo, 猫\n".encode()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.b.png", "a.b.txt", "sub"]


def test_a_text_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    picture, text = tmp_path / "a.png", tmp_path / "a.txt"
    text.write_text("by hand")
    with pytest.raises(CaptionFileExistsError, match=r"a\.txt is there already"):
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
    with pytest.raises(UnreadableImageError, match="too long"):
        writer.add(row(tmp_path / ("x" * 253 + ".p"), "x"))
    with pytest.raises(ConfigError, match="in_place"):
        SidecarWriter(tmp_path / "file.parquet", extension=".txt", replace=False)
    with pytest.raises(ConfigError, match="caption_extension"):
        SidecarWriter(tmp_path, extension=".png", replace=False)


@pytest.mark.parametrize("replace", [False, True])
def test_two_pictures_do_not_share_a_text_file(tmp_path: Path, replace: bool) -> None:
    writer = SidecarWriter(tmp_path, extension=".txt", replace=replace)
    writer.add(row(tmp_path / "a.png", "first"))
    with pytest.raises(CaptionFileExistsError):
        writer.add(row(tmp_path / "a.jpg", "second"))
    assert (tmp_path / "a.txt").read_text() == "first\n"


def test_text_that_utf8_cannot_hold(tmp_path: Path) -> None:
    SidecarWriter(tmp_path, extension=".txt", replace=False).add(row(tmp_path / "a.png", "x\ud800"))
    assert (tmp_path / "a.txt").read_bytes() == b"x?\n"


@pytest.mark.parametrize("links", [True, False])
def test_a_text_file_that_appears_while_ours_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """With hard links, and on a filesystem that has none."""
    link = os.link

    def appears(source: Path, target: Path) -> None:
        target.write_text("by hand")
        if not links:
            raise OSError(errno.EOPNOTSUPP, "no links")
        link(source, target)

    monkeypatch.setattr(os, "link", appears)
    with pytest.raises(CaptionFileExistsError):
        SidecarWriter(tmp_path, extension=".txt", replace=False).add(row(tmp_path / "a.png", "new"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "by hand"}


def test_a_filesystem_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    SidecarWriter(tmp_path, extension=".txt", replace=False).add(row(tmp_path / "a.png", "new"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "new\n"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_text_file_gets_its_name_when_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    def full(self: Path, text: str, **_: object) -> None:
        self.write_bytes(text[:1].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    if replace:
        (tmp_path / "a.txt").write_text("by hand")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space"):
        SidecarWriter(tmp_path, extension=".txt", replace=replace).add(row(tmp_path / "a.png", "new"))
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == ({"a.txt": "by hand"} if replace else {})


def test_what_a_killed_run_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".1.wd14-caption", tmp_path / ".2.wd14-caption"
    for path in (old, young):
        path.touch()
    os.utime(old, (1, 1))
    SidecarWriter(tmp_path, extension=".txt", replace=False).add(row(tmp_path / "a.png", "new"))
    assert (old.exists(), young.exists()) == (False, True)
