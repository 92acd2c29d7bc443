"""The walk through a folder: what is entered, what is left out, and what is said about it."""

from __future__ import annotations

import json
import os
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


def test_the_result_of_an_earlier_run_on_the_folder_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for name, source in (("mine", tmp_path.name), ("others", "another"), ("broken", None)):
        put(tmp_path / name / "b.png")
        (tmp_path / name / ".wd14").mkdir()
        text = "{" if source is None else json.dumps({"source": source})
        (tmp_path / name / ".wd14" / "provenance.json").write_text(text)
    seen = read(tmp_path)
    assert seen.sources == ["a.png", "broken/b.png", "others/b.png"]
    assert seen.log == ["mine/ is the result of an earlier run on this folder: left out"]


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
