"""The walk through a folder: what is entered, what is left out, and what is said about it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import put, read
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.walk import survey, walk

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


def found(folder: Path, **options: Any) -> list[str]:
    return [file.relative for file in walk(Confinement(folder, follow_symlinks=options.get("follow", False)))]


def test_the_order_is_that_of_relative_paths_as_text(tmp_path: Path) -> None:
    names = ["a/x", "a-b", "a.b", "a0", "A", "a/b/c", "ab/x", "ä", "b" * 200]
    for name in names:
        put(tmp_path / name)
    assert found(tmp_path) == sorted(names)


@posix
def test_a_folder_behind_two_links_is_entered_once(tmp_path: Path) -> None:
    put(tmp_path / "outside" / "a.png")
    (tmp_path / "outside" / "loop").symlink_to(tmp_path / "outside")
    for name in ("one", "two"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(tmp_path / "outside")
    assert found(tmp_path / "data", follow=True) == ["one/a.png"]


@posix
def test_a_link_to_the_folder_above_ends(tmp_path: Path) -> None:
    put(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "up").symlink_to(tmp_path)
    assert found(tmp_path / "data", follow=True) == ["a.png", "up/data/a.png"]


def put_result(folder: Path, *splits: str, made_by: Any = "wd14-captioner 1.0.0") -> None:
    """A result of an earlier run; one of 1.0 has no folders of splits."""
    for place in [folder / split for split in splits] or [folder]:
        put(place / "old.png")
        (place / "metadata.jsonl").write_text('{"file_name": "old.png", "caption": "old"}\n')
    (folder / ".wd14").mkdir()
    (folder / ".wd14" / "provenance.json").write_text(json.dumps({"made_by": made_by, "source": "another name"}))
    (folder / ".wd14" / "report.json").write_text("{}")


def test_results_of_earlier_runs_beside_new_pictures_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "new.png")
    put_result(tmp_path / "of 1.0")
    put_result(tmp_path / "sub" / "result", "train", "test")
    seen = read(tmp_path)
    assert seen.sources == ["new.png"]
    assert seen.log == [
        "of 1.0/ is the result of an earlier run: left out",
        "sub/result/ is the result of an earlier run: left out",
    ]
    packed = shutil.make_archive(str(tmp_path.parent / "packed"), "zip", tmp_path)
    assert (read(packed).sources, read(packed).log) == (seen.sources, seen.log)


@pytest.mark.parametrize("text", [None, "{", "[1]", '{"made_by": 7}', '{"source": "x"}', '{"made_by": "another tool"}'])
def test_what_is_no_proof_of_a_result(tmp_path: Path, text: str | None) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "sub" / "b.png")
    (tmp_path / "sub" / ".wd14").mkdir()
    (tmp_path / "sub" / ".wd14" / "report.json").write_text("{}")
    if text is not None:
        (tmp_path / "sub" / ".wd14" / "provenance.json").write_text(text)
    assert read(tmp_path).sources == ["a.png", "sub/b.png"]


def test_a_result_is_a_source_itself_and_so_are_several(tmp_path: Path) -> None:
    put_result(tmp_path / "flat")
    put_result(tmp_path / "all", "train", "test")
    assert read(tmp_path / "flat", append_tags=True).captions == ["old"]
    assert read(tmp_path / "all", split="all").total == 2
    assert [row.folder for row in read(tmp_path / "all", split="all").rows] == ["test", "train"]
    (tmp_path / "notes.mp4").touch()
    seen = read(tmp_path)
    assert (seen.total, seen.log[0]) == (3, "There are only results of earlier runs here: they are read")


@posix
def test_a_pipe_or_a_hole_in_place_of_the_proof_does_not_hang(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for name in ("pipe", "hole"):
        (tmp_path / name / ".wd14").mkdir(parents=True)
        put(tmp_path / name / "b.png")
    os.mkfifo(tmp_path / "pipe" / ".wd14" / "provenance.json")
    with (tmp_path / "hole" / ".wd14" / "provenance.json").open("wb") as file:
        file.truncate(6 << 30)
    assert read(tmp_path).sources == ["a.png", "hole/b.png", "pipe/b.png"]


def test_a_folder_that_cannot_be_listed_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "closed.png" / "b.png")
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("closed.png/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    seen = read(tmp_path)
    assert seen.sources == ["a.png", "closed.png/"]
    assert seen.failed == {"closed.png/": "UnreadableImageError: the folder cannot be read: Permission denied"}


def test_a_folder_named_like_a_picture_is_a_failed_row_when_it_holds_none(tmp_path: Path) -> None:
    (tmp_path / "a.png" / "b.png").mkdir(parents=True)
    put(tmp_path / "c.png" / "sub" / "d.png")
    seen = read(tmp_path)
    assert seen.sources == ["a.png/b.png", "c.png/sub/d.png"]
    assert list(seen.failed) == ["a.png/b.png"]


@posix
def test_five_of_a_kind_are_named_and_the_others_counted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    put(data / "a.png")
    (tmp_path / "outside").mkdir()
    for number in range(7):
        (data / f"out{number}").symlink_to(tmp_path / "outside")
        (data / f"film{number}.mp4").symlink_to("nowhere")
        (data / f"a{number}.txt").symlink_to("nowhere")
    (data / "metadata.csv").symlink_to("nowhere")
    log = read(data).log
    assert [line[:5] for line in log if line.startswith("out")] == [f"out{n}/" for n in range(5)]
    assert "… and 2 more links out of the dataset's folder" in log
    assert len([line for line in log if line.startswith("Left out: file not found: film")]) == 5
    assert "… and 3 more files that are left out" in log
    assert not any(".txt" in line for line in log), "a caption file is judged where it is wanted"


def test_kinds_of_other_files_are_bounded(tmp_path: Path) -> None:
    for number in range(1005):
        (tmp_path / f"a.x{number}").touch()
    (tmp_path / "a.txt").touch()
    others = survey(Confinement(tmp_path, follow_symlinks=False), lambda _: None).others
    assert len(others) == 1000
    assert ".txt" not in others


def test_archives_in_upper_case(tmp_path: Path) -> None:
    (tmp_path / "A.TAR").touch()
    assert survey(Confinement(tmp_path, follow_symlinks=False), lambda _: None).archives == ["A.TAR"]


@posix
def test_a_folder_too_deep_for_the_system_fails_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for _ in range(30):
        os.mkdir("d" * 200)  # noqa: PTH102 - a path from the top would be too long
        os.chdir("d" * 200)
    seen = read(tmp_path)
    assert [row.error is None for row in seen.rows] == [True, False]
    assert "File name too long" in str(seen.rows[1].error)
