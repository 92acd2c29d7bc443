"""Folders of pictures: what counts as one, in which order, and what must never be opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.sources import photo, put, read
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.errors import (
    ColumnNotFoundError,
    EmptySourceError,
    MissingImageError,
    RowError,
    SourceError,
    SourceNotFoundError,
    SplitNotFoundError,
)
from wd14.images.reading import read_picture

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and permissions of POSIX")


def test_every_picture_at_any_depth_in_the_order_of_relative_paths(tmp_path: Path) -> None:
    names = ["b.PNG", "a/x.jpg", "a-1.webp", "a/sub/z.JPEG", "a.gif", "ä ö.bmp", "c.tif"]
    for number, name in enumerate(names):
        put(tmp_path / name, number)
    seen = read(tmp_path)
    assert seen.sources == sorted(names)
    assert seen.names == [name.rpartition("/")[2] for name in sorted(names)]
    assert (seen.total, seen.columns, seen.name) == (7, ("image",), tmp_path.name)
    for row in seen.rows:
        assert read_picture(row) == (tmp_path / row.source).read_bytes()
        assert row.data is None, "bytes are read where they are wanted"


def test_hidden_files_and_what_systems_leave_are_no_pictures(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for name in [".wd14/a.png", ".cache/b.png", "._a.png", "__MACOSX/a.png", "@eaDir/a.png"]:
        put(tmp_path / name)
    for name in ["Thumbs.db", "desktop.ini", "index.json", "a.txt", ".DS_Store"]:
        (tmp_path / name).write_text("{}")
    seen = read(tmp_path)
    assert seen.names == ["a.png"]
    assert seen.log == []


def test_files_that_are_left_out_are_said(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for name in ["film.mp4", "film2.mp4", "more.zip", "rows.tar"]:
        (tmp_path / name).write_bytes(b"x")
    log = "\n".join(read(tmp_path).log)
    assert "2 other files (.mp4 2)" in log
    assert "2 archives beside the pictures (such as rows.tar)" in log


def test_split_folders_count_when_every_picture_lies_in_one(tmp_path: Path) -> None:
    for name in ["train/a.png", "train/deep/b.png", "val/c.png", "test/d.png"]:
        put(tmp_path / name)
    seen = read(tmp_path)
    assert seen.names == ["a.png", "b.png"]
    assert any("validation (1)" in line and "test (1)" in line for line in seen.log)
    assert read(tmp_path, split="validation").names == ["c.png"]
    assert read(tmp_path, split="val").names == ["c.png"]
    assert read(tmp_path, split="all").names == ["d.png", "a.png", "b.png", "c.png"]
    with pytest.raises(SplitNotFoundError, match=r"'dev2'.*train, validation, test"):
        read(tmp_path, split="dev2")

    put(tmp_path / "cover.png")
    assert len(read(tmp_path).names) == 5, "one picture outside: the folders are only folders"


def test_without_train_the_first_split_is_read(tmp_path: Path) -> None:
    put(tmp_path / "test" / "a.png")
    put(tmp_path / "val" / "b.png")
    assert read(tmp_path).names == ["b.png"]


def test_a_folder_without_splits_is_train(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    assert read(tmp_path, split="train").names == ["a.png"]
    with pytest.raises(SplitNotFoundError, match="train"):
        read(tmp_path, split="test")


def test_another_image_column_than_there_is(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    with pytest.raises(ColumnNotFoundError, match=r"'picture'.*columns: image"):
        read(tmp_path, image_field="picture")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no folder or file .*nowhere"):
        read(tmp_path / "nowhere")
    with pytest.raises(EmptySourceError, match="no picture"):
        read(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"film")
    with pytest.raises(EmptySourceError, match=r"\.mp4 1"):
        read(tmp_path)
    with pytest.raises(SourceError, match="expected a picture"):
        read(tmp_path / "a.mp4")
    with pytest.raises(SourceNotFoundError):
        read("bad\0name")


def test_a_single_picture(tmp_path: Path) -> None:
    put(tmp_path / "a b.png")
    put(tmp_path / "other.png")
    seen = read(tmp_path / "a b.png")
    assert (seen.name, seen.names, seen.total) == ("a b", ["a b.png"], 1)


@posix
def test_what_is_no_regular_file_fails_and_never_blocks(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "metadata.jsonl")
    (tmp_path / "empty.png").mkdir()
    put(tmp_path / "album.jpg" / "b.png")
    (tmp_path / "null.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to("nothing.png")
    (tmp_path / "round.png").symlink_to("round.png")
    seen = read(tmp_path, follow_symlinks=True)
    assert seen.names == ["a.png", "b.png", "empty.png", "gone.png", "null.png", "pipe.png", "round.png"]
    assert seen.failed.keys() == {"empty.png", "gone.png", "null.png", "pipe.png", "round.png"}
    assert "folder" in seen.failed["empty.png"]
    assert "pipe" in seen.failed["pipe.png"]
    assert seen.failed["gone.png"].startswith("MissingImageError")
    assert any("metadata.jsonl" in line for line in seen.log)
    for row in seen.rows:
        if row.error is not None:
            with pytest.raises(RowError):
                read_picture(row)


@posix
def test_links_that_lead_out_are_followed_only_on_request(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    put(outside / "secret.png")
    put(outside / "sub" / "s.png")
    put(inside / "a.png")
    put(inside / "real" / "r.png")
    (inside / "in.png").symlink_to("real/r.png")
    (inside / "out.png").symlink_to(outside / "secret.png")
    (inside / "folder").symlink_to(outside)
    (inside / "twice").symlink_to("real")
    (outside / "back").symlink_to(inside)
    (inside / "real" / "up").symlink_to("..")

    seen = read(inside)
    assert seen.names == ["a.png", "in.png", "out.png", "r.png"]
    assert list(seen.failed) == ["out.png"]
    assert "follow_symlinks" in seen.failed["out.png"]
    assert any(line.startswith("folder/ ") and "follow_symlinks" in line for line in seen.log)
    assert any(line.startswith("twice/ ") for line in seen.log)

    seen = read(inside, follow_symlinks=True)
    assert seen.failed == {}
    assert seen.sources == ["a.png", "folder/secret.png", "folder/sub/s.png", "in.png", "out.png", "real/r.png"]


@posix
def test_the_source_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "real" / "a.png")
    (tmp_path / "link").symlink_to("real")
    assert read(tmp_path / "link").failed == {}


@posix
def test_a_snapshot_of_the_hubs_cache_is_links_to_its_blobs(tmp_path: Path) -> None:
    put(tmp_path / "datasets--a--b" / "blobs" / "0123")
    put(tmp_path / "elsewhere.png")
    snapshot = tmp_path / "datasets--a--b" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "a.jpg").symlink_to("../../blobs/0123")
    (snapshot / "b.jpg").symlink_to("../../../elsewhere.png")
    seen = read(snapshot)
    assert list(seen.failed) == ["b.jpg"]


@posix
def test_names_that_some_system_refuses(tmp_path: Path) -> None:
    wild = {
        b"tab\there.png": "tab_here.png",
        b"line\nend.png": "line_end.png",
        b"\x1b[31mred.png": "_[31mred.png",
        b"latin-\xe9.png": "latin-_.png",
        b"a:b*?.png": "a_b__.png",
        b"back\\slash.png": "slash.png",
        b"-rf.png": "-rf.png",
        b"con.png": "_con.png",
        "日本語 🎨.png".encode(): "日本語 🎨.png",
        ("ü" * 120 + ".png").encode(): "ü" * 120 + ".png",
    }
    for raw in wild:
        with open(os.path.join(os.fsencode(tmp_path), raw), "wb") as file:  # noqa: PTH118, PTH123 - bytes
            file.write(photo("PNG"))
    seen = read(tmp_path)
    assert sorted(seen.names) == sorted(wild.values())
    assert seen.failed == {}
    for row in seen.rows:
        assert read_picture(row) == photo("PNG")
        assert row.source.isprintable()
        row.source.encode()


def test_existing_captions_beside_the_pictures(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "b.v2.png")
    put(tmp_path / "c.png")
    put(tmp_path / "d.png")
    put(tmp_path / "e.png")
    (tmp_path / "a.txt").write_bytes("\ufeffold tag, été\r\n".encode())
    (tmp_path / "b.v2.txt").write_bytes("utf sixteen".encode("utf-16"))
    (tmp_path / "c.txt").write_text(" \n")
    (tmp_path / "d.txt").write_bytes(b"caf\xe9")
    (tmp_path / "e.caption").write_text("other ending")
    seen = read(tmp_path, append_tags=True)
    assert seen.captions == ["old tag, été", "utf sixteen", None, None, None]
    assert "d.txt" in seen.failed["d.png"], "appending to what cannot be read would lose it"
    assert read(tmp_path, append_tags=True, caption_extension=".caption").captions[-1] == "other ending"
    assert read(tmp_path).captions == [None] * 5
    assert read(tmp_path).failed == {}


@posix
def test_a_caption_file_is_judged_as_a_picture_is(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    folder = tmp_path / "data"
    put(folder / "a.png")
    put(folder / "b.png")
    (folder / "a.txt").symlink_to(secret)
    os.mkfifo(folder / "b.txt")
    assert read(folder, append_tags=True).failed.keys() == {"a.png", "b.png"}


def test_stopping_half_way_closes_everything(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / f"{number}.png")
    source = open_source(tmp_path, CaptionConfig())
    rows = iter(source)
    next(rows)
    source.close()
    assert list(rows) == []


def test_a_file_that_goes_away_fails_when_it_is_read(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "b.png")
    with open_source(tmp_path, CaptionConfig()) as source:
        rows = list(source)
    (tmp_path / "a.png").unlink()
    with pytest.raises(MissingImageError):
        read_picture(rows[0])
