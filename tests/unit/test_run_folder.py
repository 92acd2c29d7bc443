"""Folders of runs: those of killed runs are found from anywhere, and nothing else is ever removed.

What two runs do to each other is in tests/integration/test_two_jobs_at_once.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wd14.cache_folders import cache_folder
from wd14.cli.main import main
from wd14.run_folder import RunFolder, clear_noted_leftovers, noted_leftovers

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")


def killed_run(parent: Path) -> Path:
    """The folder of a run that was killed, with a file of 1,000 bytes in it."""
    code = """
import os, signal, sys
from pathlib import Path
from wd14.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), "set")
(folder.path / "file").write_bytes(bytes(1000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code, str(parent)], env=env, check=False).returncode == -signal.SIGKILL
    return next(parent.glob("*.wd14-partial"))


def notes() -> list[Path]:
    return list((cache_folder() / "partial").glob("*"))


def write_note(folder: object) -> Path:
    place = cache_folder() / "partial"
    place.mkdir(parents=True, exist_ok=True)
    note = place / f"{len(notes())}.json"
    note.write_text(json.dumps({"folder": folder}))
    return note


def test_what_a_killed_run_left_anywhere_is_removed_and_a_living_run_keeps_its_folder(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    living = RunFolder(tmp_path, "set")
    dead = killed_run(tmp_path / "dead")
    assert [(left.folder, left.bytes) for left in noted_leftovers()] == [(dead, 1000)]
    assert dead.is_dir(), "looking removes nothing"
    assert [left.folder for left in clear_noted_leftovers()] == [dead]
    assert list((tmp_path / "dead").iterdir()) == []
    assert living.path.is_dir()
    assert len(notes()) == 1
    living.remove()
    assert notes() == []


def test_the_program_shows_leftovers_and_removes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead = killed_run(tmp_path)
    stale = cache_folder() / "hashes" / "a.1-2.tmp"
    stale.parent.mkdir()
    stale.write_text("half")
    os.utime(stale, (0, 0))
    assert main(["cache"]) == 0
    assert f"Left by a killed run, 0.0 MB; the next run or --clean removes it: {dead}" in capsys.readouterr().out
    assert main(["cache", "--clean"]) == 0
    said = capsys.readouterr().out
    assert f"Removed {dead} (1,000 bytes)" in said
    assert "Removed 1,004 bytes." in said
    assert list(tmp_path.iterdir()) == []
    assert not stale.exists()
    assert main(["cache", "--clean"]) == 0
    assert "Removed 0 bytes." in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["home", ".home", ".set-0123abcd", ".set-0123abcd.wd14-lock", ".set.wd14-partial", "set-0123abcd.wd14-partial"],
)
def test_a_note_of_another_folder_removes_nothing(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").touch()
    lock = tmp_path / (name.removesuffix(".wd14-partial") + ".wd14-lock")
    if lock != folder:
        lock.touch()
    for named in (folder, f"{folder}/../{name}", os.path.relpath(folder), 7, None, [str(folder)], "a\0", "\udcff"):
        write_note(str(named) if isinstance(named, Path) else named)
    assert clear_noted_leftovers() == []
    assert (folder / "file").exists()


def test_a_folder_without_its_lock_file_or_behind_a_link_stays(tmp_path: Path) -> None:
    name = ".set-0123abcd.wd14-partial"
    home = tmp_path / "home"
    home.mkdir()
    (home / "file").touch()
    (tmp_path / name).symlink_to(home)
    (tmp_path / ".set-0123abcd.wd14-lock").touch()
    bare = tmp_path / "bare" / name
    bare.mkdir(parents=True)
    for folder in (tmp_path / name, bare):
        write_note(str(folder))
    assert noted_leftovers() == [], "what a link leads to is not a killed run's"
    assert clear_noted_leftovers() == []
    assert (home / "file").exists()
    assert bare.is_dir()


def test_a_note_waits_for_a_disk_that_is_not_there_but_not_for_ever(tmp_path: Path) -> None:
    note = write_note(str(tmp_path / "unplugged" / ".set-0123abcd.wd14-partial"))
    clear_noted_leftovers()
    assert note.exists()
    os.utime(note, (0, 0))
    clear_noted_leftovers()
    assert not note.exists()


def test_a_cache_folder_that_cannot_be_written_to_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WD14_CACHE", str(tmp_path / "file" / "cache"))
    folder = RunFolder(tmp_path, "set")
    assert noted_leftovers() == []
    folder.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_nobody_removed_is_removed_at_the_end_of_the_process(tmp_path: Path) -> None:
    """However Ctrl-C strikes: also between a step and the one that would clear up behind it."""
    code = """
import os, sys
from pathlib import Path
from wd14.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), "set")
if os.fork() == 0:
    sys.exit()
os.wait()
assert folder.path.is_dir(), "a fork removed it"
raise KeyboardInterrupt
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, check=False, capture_output=True)
    assert b"AssertionError" not in done.stderr
    assert list(tmp_path.iterdir()) == []
