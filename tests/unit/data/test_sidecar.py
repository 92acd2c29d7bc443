"""Text files beside the source's pictures: only those, each complete, none lost."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from wd14.data.report import Tally
from wd14.data.sidecar import SidecarWriter
from wd14.data.writer import OutputRow
from wd14.errors import CaptionFileExistsError, ConfigError, OutputError, UnreadableImageError
from wd14.types import InputRow, Written


def row(path: Path | None, caption: str, existing: str | None = None) -> OutputRow:
    return OutputRow(InputRow(0, "a.png", "a.png", path=path, data=None if path else b"x", caption=existing), caption)


def test_only_text_files_are_written(tmp_path: Path) -> None:
    picture = tmp_path / "sub" / "a.b.png"
    picture.parent.mkdir()
    picture.write_bytes(b"picture")
    writer = SidecarWriter(tmp_path, extension=".txt", append=False)
    assert writer.add(row(picture, "solo, 猫")) == "a.b.txt"
    assert writer.finish(Tally().summary(seconds=0, output=None), {}) == str(tmp_path)
    assert (picture.parent / "a.b.txt").read_bytes() == "solo, 猫\n".encode()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.b.png", "a.b.txt", "sub"]


def test_a_text_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    picture, text = tmp_path / "a.png", tmp_path / "a.txt"
    text.write_text("by hand")
    with pytest.raises(CaptionFileExistsError, match=r"a\.txt is there already"):
        SidecarWriter(tmp_path, extension=".txt", append=False).add(row(picture, "new"))
    assert text.read_text() == "by hand"
    SidecarWriter(tmp_path, extension=".txt", append=True).add(row(picture, "by hand, new", "by hand"))
    assert text.read_text() == "by hand, new\n"


def test_what_cannot_have_a_text_file_is_said(tmp_path: Path) -> None:
    writer = SidecarWriter(tmp_path, extension=".txt", append=False)
    with pytest.raises(UnreadableImageError, match="no file of its own"):
        writer.add(row(None, "x"))
    with pytest.raises(OutputError, match="cannot write"):
        writer.add(row(tmp_path / "gone" / "a.png", "x"))
    with pytest.raises(UnreadableImageError, match="too long"):
        writer.add(row(tmp_path / ("x" * 253 + ".p"), "x"))
    with pytest.raises(ConfigError, match="in_place"):
        SidecarWriter(tmp_path / "file.parquet", extension=".txt", append=False)
    with pytest.raises(ConfigError, match="caption_extension"):
        SidecarWriter(tmp_path, extension=".png", append=False)


def test_a_source_that_may_not_be_written_to_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)  # as for another user than root
    with pytest.raises(OutputError, match="permissions do not allow it"):
        SidecarWriter(tmp_path, extension=".txt", append=False)


@pytest.mark.parametrize("append", [False, True])
def test_two_pictures_do_not_share_a_text_file(tmp_path: Path, append: bool) -> None:
    writer = SidecarWriter(tmp_path, extension=".txt", append=append)
    writer.add(row(tmp_path / "a.png", "first"))
    with pytest.raises(CaptionFileExistsError):
        writer.add(row(tmp_path / "a.jpg", "second"))
    assert (tmp_path / "a.txt").read_text() == "first\n"


def test_text_that_utf8_cannot_hold(tmp_path: Path) -> None:
    SidecarWriter(tmp_path, extension=".txt", append=False).add(row(tmp_path / "a.png", "x\ud800"))
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
        SidecarWriter(tmp_path, extension=".txt", append=False).add(row(tmp_path / "a.png", "new"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "by hand"}


def test_a_filesystem_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    SidecarWriter(tmp_path, extension=".txt", append=False).add(row(tmp_path / "a.png", "new"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "new\n"}


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes one byte of what is written, and then none; `os.fsync` is reached by what fits."""
    write = os.write
    taken: list[int] = []

    def full(handle: int, data: bytes) -> int:
        if taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(1)
        return write(handle, data[:1])

    monkeypatch.setattr(os, "write", full)


@pytest.mark.parametrize("append", [False, True])
def test_a_text_file_gets_its_name_when_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, append: bool
) -> None:
    if append:
        (tmp_path / "a.txt").write_text("by hand")
    with monkeypatch.context() as patch:
        full_disk(patch)
        with pytest.raises(OutputError, match="No space"):
            SidecarWriter(tmp_path, extension=".txt", append=append).add(
                row(tmp_path / "a.png", "by hand, new", "by hand")
            )
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == ({"a.txt": "by hand"} if append else {})


def test_what_a_killed_run_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".1.wd14-caption", tmp_path / ".2.wd14-caption"
    for path in (old, young):
        path.touch()
    os.utime(old, (1, 1))
    SidecarWriter(tmp_path, extension=".txt", append=False).add(row(tmp_path / "a.png", "new"))
    assert (old.exists(), young.exists()) == (False, True)


def appended(folder: Path, caption: str, existing: str | None, **more: bool) -> SidecarWriter:
    """Writes a.png's caption the way that appending does."""
    writer = SidecarWriter(folder, extension=".txt", append=True, **more)
    writer.add(row(folder / "a.png", caption, existing))
    return writer


def test_a_text_that_changed_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the row's turn; while its text is written; and one that appeared where a column had the caption."""
    text = tmp_path / "a.txt"
    text.write_text("edited")
    for existing in ("by hand", None):
        with pytest.raises(CaptionFileExistsError, match=r"a\.txt was changed since its caption was read"):
            appended(tmp_path, "by hand, new", existing)

    fsync = os.fsync

    def edit(handle: int) -> None:
        fsync(handle)
        text.write_text("edited again")

    monkeypatch.setattr(os, "fsync", edit)
    with pytest.raises(CaptionFileExistsError, match="was changed"):
        appended(tmp_path, "edited, new", "edited")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "edited again"}


def test_a_text_that_has_all_tags_is_not_written_again(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_bytes("\ufeffby hand  \r\n".encode())
    before = text.stat()
    writer = appended(tmp_path, "by hand", "by hand")
    assert (text.read_bytes(), text.stat().st_ino) == ("\ufeffby hand  \r\n".encode(), before.st_ino)
    assert writer.written() == Written(caption_files=0, left_alone=1)
    with pytest.raises(CaptionFileExistsError, match="of an earlier row too"):
        writer.add(row(tmp_path / "a.jpg", "by hand, new", "by hand"))


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    text = tmp_path / "texts" / "a.txt"
    text.write_text("by hand\n")
    text.chmod(0o640)
    (tmp_path / "a.txt").symlink_to("texts/a.txt")
    appended(tmp_path, "by hand, new", "by hand")
    assert (tmp_path / "a.txt").readlink() == Path("texts/a.txt")
    assert (text.read_text(), stat.S_IMODE(text.stat().st_mode)) == ("by hand, new\n", 0o640)


def test_a_link_that_leads_out_is_followed_when_asked_only(tmp_path: Path) -> None:
    folder, outside = tmp_path / "set", tmp_path / "outside.txt"
    folder.mkdir()
    outside.write_text("by hand")
    (folder / "a.txt").symlink_to(outside)
    with pytest.raises(UnreadableImageError, match="leads out of the dataset"):
        appended(folder, "by hand, new", "by hand")
    assert outside.read_text() == "by hand"
    appended(folder, "by hand, new", "by hand", follow_symlinks=True)
    assert outside.read_text() == "by hand, new\n"


def test_a_file_of_the_hubs_cache_is_read_and_not_written(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "snapshots" / "main", tmp_path / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    (blobs / "5e1f").write_text("by hand")
    (snapshot / "a.txt").symlink_to("../../blobs/5e1f")
    with pytest.raises(CaptionFileExistsError, match="leads out of the dataset"):
        appended(snapshot, "by hand, new", "by hand")
    assert (blobs / "5e1f").read_text() == "by hand"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"by hand", b"by hand, new\n"),
        (b"by hand \r\n\r\n\r\n\r\n", b"by hand, new\n"),
        (b"\xef\xbb\xbf by hand\n", b"\xef\xbb\xbf by hand, new\n"),
        ("by hand".encode("utf-16"), None),  # would have to change from its first byte on
        (b"by  hand", None),
    ],
)
def test_a_text_with_several_names_keeps_them_and_its_beginning(
    tmp_path: Path, before: bytes, after: bytes | None
) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "other"
    text.write_bytes(before)
    os.link(text, other)
    existing = "by  hand" if b"  " in before else "by hand"
    if after is None:
        with pytest.raises(CaptionFileExistsError, match=r"a\.txt has several names \(hard links\)"):
            appended(tmp_path, "by hand, new", existing)
    else:
        appended(tmp_path, "by hand, new", existing)
    assert text.read_bytes() == other.read_bytes() == (before if after is None else after)
    assert text.samefile(other)


def test_a_full_disk_takes_nothing_from_a_text_with_several_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"by hand\n")
    os.link(tmp_path / "a.txt", tmp_path / "other")
    with monkeypatch.context() as patch:
        full_disk(patch)
        with pytest.raises(OutputError, match="No space"):
            appended(tmp_path, "by hand, new", "by hand")
    assert (tmp_path / "a.txt").read_bytes().startswith(b"by hand")


def test_two_pictures_do_not_share_a_text_file_by_links(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("by hand")
    (tmp_path / "b.txt").symlink_to("a.txt")
    writer = appended(tmp_path, "by hand, new", "by hand")
    with pytest.raises(CaptionFileExistsError, match="of an earlier row too"):
        writer.add(row(tmp_path / "b.png", "by hand, other", "by hand"))
    assert (tmp_path / "b.txt").read_text() == "by hand, new\n"
    assert writer.written() == Written(caption_files=1, left_alone=1)


def test_a_folder_or_pipe_in_a_text_files_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    os.mkfifo(tmp_path / "b.txt")
    writer = SidecarWriter(tmp_path, extension=".txt", append=True)
    for name in ("a.png", "b.png"):
        with pytest.raises(UnreadableImageError, match="not a file"):
            writer.add(row(tmp_path / name, "new"))
