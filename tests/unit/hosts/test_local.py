"""The shell's host: where the result goes, and what the user sees of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.hosts.local import LocalHost
from wd14.stop import StopToken
from wd14.types import Progress, Summary, Written

HALF = Progress(done=1500, total=3000, failed=2, from_scores=0, pictures_per_second=12.34, remaining_seconds=121.6)


def host(tmp_path: Path, output: str | Path | None = None, **more: object) -> LocalHost:
    return LocalHost(tmp_path / "photos", {}, output, **{"say": lambda _: None, **more})  # type: ignore[arg-type]


def test_the_result_goes_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for output in ("a/out", tmp_path / "a" / "out", "a/out/", "a/./out"):
        place = host(tmp_path, output).destination(CaptionConfig(), "photos")
        assert (place.parent, place.name, place.staging) == (tmp_path / "a", "out", tmp_path / "a")
    (tmp_path / "a").mkdir()
    for output in (".", "a/.."):
        place = host(tmp_path, output).destination(CaptionConfig(), "photos")
        assert (place.parent, place.name) == (tmp_path.parent, tmp_path.name)


def test_without_a_place_it_is_named_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = host(tmp_path).destination(CaptionConfig(), "photos")
    assert (place.parent, place.name) == (tmp_path, "photos_captions")
    assert host(tmp_path).destination(CaptionConfig(output_dataset_name="mine"), "photos").name == "mine"


@pytest.mark.parametrize("output", ["", " ", "/", "//", "/.", "/..", "a\0b", "~nobody-of-that-name/x"])
def test_an_output_that_can_be_no_folder_is_refused(output: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the output is"):
        host(tmp_path, output).destination(CaptionConfig(), "photos")


def test_the_home_folder_is_known_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert host(tmp_path, "~/out").destination(CaptionConfig(), "photos").parent == tmp_path / "home"


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "."])
def test_a_name_that_is_a_path_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a name without folders"):
        host(tmp_path).destination(CaptionConfig(output_dataset_name=name), "photos")


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (HALF, "1,500 of 3,000 pictures (50%), 12.3 pictures/s, 2 min 02 s left, 2 failed"),
        (Progress(7, None, 0, 0, 1.0, None), "7 pictures, 1.0 pictures/s"),
    ],
)
def test_progress_is_said_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress, line: str
) -> None:
    said: list[str] = []
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watched = host(tmp_path, say=said.append)
    for _ in range(50):
        now[0] += 1
        watched.progress(progress)
    assert said == [line] * 5


def test_a_bar_moves_and_goes_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched = host(tmp_path, bar=True)
    for _ in range(2):
        watched.progress(HALF)
    bar = capsys.readouterr().err.split("\r")[-1]
    assert "1500/3000" in bar
    assert "2 failed" in bar
    watched.log("a line")
    wiped = capsys.readouterr().err
    assert wiped != ""
    assert wiped.strip() == ""  # the bar is wiped out before the line
    watched.progress(HALF)
    watched.finish(Summary(1, 1, 0, 0, 1.0, "out"))
    assert capsys.readouterr().err.endswith("\r")
    watched.log("a line")
    assert capsys.readouterr().err == ""


def test_a_token_of_the_callers_stops_the_job(tmp_path: Path) -> None:
    stop = StopToken()
    assert host(tmp_path, stop=stop).stop is stop


def test_a_failed_job_leaves_no_bar_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched = host(tmp_path, bar=True)
    watched.progress(HALF)
    watched.fail(ConfigError("x"), Written())
    assert capsys.readouterr().err.endswith("\r")
