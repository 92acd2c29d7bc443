"""kill -9, Ctrl-C and SIGTERM at every step of a run: nothing is lost, nothing half is seen, and again means again."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import Faults, Scene, content, is_leftover, tree
from tests.support.tally import tally

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs")) as server:
        yield server


def spread(number: int, last: int, seed: int) -> list[int]:
    """That many different steps from 1 to `last`, the first and the last among them."""
    inner = random.Random(seed).sample(range(2, last), min(number, last) - 2)
    return sorted({1, last, *inner})


def kill_at_steps(scene: Scene, steps: list[int]) -> None:
    for step in steps:
        killed = scene.run(send=signal.SIGKILL, at_event=step, under=scene.folder)
        tally("faults injected")
        assert killed.status == -9 or step > 0.9 * steps[-1], killed.said  # the threads may have had fewer steps
        scene.check_nothing_lost()
        scene.check_again()
        scene.clear()


def test_kill_9_at_every_kind_of_file_operation(faults: Faults, tmp_path: Path) -> None:
    """Sixty places between the first folder that is made and the last file that is removed."""
    scene = Scene(tmp_path, faults)
    steps = scene.run(under=scene.folder).events
    scene.clear()
    assert steps > 60
    kill_at_steps(scene, spread(60, steps, seed=7))
    tally("losses", 0)


def test_kill_9_at_any_time(faults: Faults, tmp_path: Path) -> None:
    """Thirty moments by the clock, which may also lie in the model or between two files; scores are kept between."""
    scene = Scene(tmp_path, faults)
    moments = random.Random(9)
    for round_ in range(30):
        killed = scene.run(send=signal.SIGKILL, after=moments.uniform(0, 1.1) * scene.whole.seconds)
        tally("faults injected")
        assert killed.status in (-9, 0), killed.said
        scene.check_nothing_lost()
        scene.check_again()
        scene.clear(cache=round_ % 5 == 0)
    tally("losses", 0)


def test_kill_9_of_the_offline_model_with_all_that_can_be_written(faults: Faults, tmp_path: Path) -> None:
    """Ten more with the shipped model, text files, a column of scores, and a person's edits."""
    edits = tmp_path / "edits.json"
    edits.write_text('{"version": 1, "edits": [{"op": "add", "tag": "by hand", "rows": "all"}]}', "utf-8")
    more = ("--caption-files", "--include-scores", "--edits", str(edits))
    scene = Scene(tmp_path, faults, "--custom-model", "builtin/colours", *more)
    moments = random.Random(10)
    for _ in range(10):
        killed = scene.run(send=signal.SIGKILL, after=moments.uniform(0, 1) * scene.whole.seconds)
        tally("faults injected")
        assert killed.status in (-9, 0), killed.said
        scene.check_nothing_lost()
    scene.check_again()
    tally("losses", 0)


def test_several_killed_runs_are_cleared_together_and_a_living_one_is_not(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    steps = scene.run(under=scene.folder).events
    scene.clear()
    for share in (0.4, 0.6, 0.8):
        scene.run(send=signal.SIGKILL, at_event=round(share * steps), under=scene.folder)
    assert any(is_leftover(place) for place in scene.output.parent.iterdir())
    scene.check_again()


def test_a_killed_run_is_cleared_by_a_run_to_another_place(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    steps = scene.run(under=scene.folder).events
    scene.clear()
    scene.run(send=signal.SIGKILL, at_event=round(0.7 * steps), under=scene.folder)
    left = scene.output.parent
    assert any(is_leftover(place) for place in left.iterdir())
    scene.output = tmp_path / "elsewhere" / "out"
    scene.check_again()
    assert list(left.iterdir()) == []


#: Sends Ctrl-C when the folder of the output is being removed.
CTRL_C_WHILE_REMOVING = """
import os, signal, sys
def hook(event, arguments):
    if event == "os.remove" and ".wd14-partial" in repr(arguments) or event == "shutil.rmtree":
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_ctrl_c_again_while_the_job_clears_up_leaves_nothing(
    faults: Faults, tmp_path: Path, number: signal.Signals
) -> None:
    """A second and a third Ctrl-C, in the middle of the removal of the unfinished dataset."""
    scene = Scene(tmp_path, faults)
    steps = scene.run(under=scene.output.parent).events
    scene.clear()
    stopped = scene.run(send=number, at_event=steps // 3, under=scene.output.parent, setup=CTRL_C_WHILE_REMOVING)
    tally("faults injected")
    assert stopped.status == 130, stopped.said
    assert "stopped" in stopped.err
    assert "Traceback" not in stopped.said, stopped.said
    assert not any(is_leftover(place) for place in scene.output.parent.iterdir())
    scene.check_nothing_lost()
    scene.check_again()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_at_any_step_ends_clean(faults: Faults, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM: exit status 130 and one line, or the dataset; nothing is left behind either way."""
    scene = Scene(tmp_path, faults)
    steps = scene.run(under=scene.folder).events
    scene.clear()
    statuses = []
    for step in spread(15, steps, seed=number):
        stopped = scene.run(send=number, at_event=step, under=scene.folder)
        tally("faults injected")
        assert stopped.status in (0, 130), stopped.said
        assert "Traceback" not in stopped.said, stopped.said
        statuses.append(stopped.status)
        if stopped.status == 130:
            assert "stopped" in stopped.err
        scene.check_nothing_lost()
        scene.check_again()
        scene.clear()
    assert number == signal.SIGTERM or statuses.count(130) > 10
    tally("losses", 0)


def test_kill_9_while_text_files_are_written_in_place(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    captions = _captions(scene)
    steps = scene.run("--in-place", under=scene.folder).events
    _remove_texts(scene.source)
    for step in spread(12, steps, seed=3):
        kill_in_place(scene, captions, at_event=step, under=scene.folder)
    scene.check_nothing_lost()
    tally("losses", 0)


def test_kill_9_while_tags_are_appended_in_place(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    captions = _captions(scene)
    _write_by_hand(scene)
    steps = scene.run("--in-place", "--append-tags", under=scene.folder).events
    for step in spread(10, steps, seed=4):
        kill_while_appending(scene, captions, at_event=step, under=scene.folder)
    tally("losses", 0)


def kill_in_place(scene: Scene, captions: Mapping[str, str], **fault: Any) -> None:
    """The pictures stay as they are, every text file is whole, and again writes the rest."""
    scene.run("--in-place", send=signal.SIGKILL, **fault)
    tally("faults injected")
    for text in scene.source.rglob("*.txt"):
        assert text.read_text("utf-8") == captions[text.stem + ".png"] + "\n"
    for left in scene.source.rglob(".*.wd14-caption"):  # as it will be by the time that somebody comes again
        os.utime(left, (0, 0))
    again = scene.run("--in-place")
    texts = {text.stem + ".png": text.read_text("utf-8").rstrip("\n") for text in scene.source.rglob("*.txt")}
    assert again.status == (0 if "Captioned" in again.out else 1), again.said
    assert texts == captions
    _remove_texts(scene.source)
    assert tree(scene.source) == scene.before


def kill_while_appending(scene: Scene, captions: Mapping[str, str], **fault: Any) -> None:
    """Each text a person wrote is as it was or has all its tags behind it, and again changes the others only."""
    append = ("--in-place", "--append-tags")
    pictures = _write_by_hand(scene)
    scene.run(*append, send=signal.SIGKILL, **fault)
    tally("faults injected")
    done = {text: text.stat().st_mtime_ns for text in scene.source.rglob("*.txt") if "," in text.read_text("utf-8")}
    for picture in pictures:
        whole = f"my {picture.stem}, {captions[picture.name]}\n"
        assert picture.with_suffix(".txt").read_text("utf-8") in (f"my {picture.stem}\n", whole)
    assert scene.run(*append).status == 0
    assert {text: text.stat().st_mtime_ns for text in done} == done, "finished files are not written again"
    for picture in pictures:
        whole = f"my {picture.stem}, {captions[picture.name]}\n"
        assert picture.with_suffix(".txt").read_text("utf-8") == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_place_says_how_many_files_it_wrote(faults: Faults, tmp_path: Path, number: signal.Signals) -> None:
    scene = Scene(tmp_path, faults)
    steps = scene.run("--in-place", under=scene.source).events
    _remove_texts(scene.source)
    stopped = scene.run("--in-place", send=number, at_event=steps - 8, under=scene.source)
    there = len(list(scene.source.rglob("*.txt")))
    assert stopped.status == 130, stopped.said
    assert 1 < there < 12
    words = f"stopped; {there} caption files were written and stay, and stored scores are kept"
    assert stopped.err == f"wd14-captioner: {words}\n"
    done = scene.run("--in-place", "--append-tags")
    assert f"Result: {12 - there} caption files written in {scene.source}, {there} left alone" in done.out


def test_a_failure_in_place_says_how_many_files_it_wrote(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    steps = scene.run("--in-place", under=scene.source).events
    _remove_texts(scene.source)
    failed = scene.run("--in-place", error=errno.ENOSPC, at_event=steps // 2, under=scene.source)
    there = len(list(scene.source.rglob("*.txt")))
    assert failed.status == 1
    assert there > 1
    assert failed.err.endswith(f"No space left on device; {there} caption files were written and stay\n")


def test_ctrl_c_right_after_the_dataset_is_in_its_place(faults: Faults, tmp_path: Path) -> None:
    """Twice, so that it interrupts: what is said is that the dataset is there."""
    scene = Scene(tmp_path, faults)
    setup = """
from pathlib import Path
rename = Path.rename
def interrupted(self, target):
    rename(self, target)
    if self.name.endswith(".wd14-partial"):
        raise KeyboardInterrupt
Path.rename = interrupted
"""
    stopped = scene.run(setup=setup)
    assert stopped.status == 130, stopped.said
    words = f"stopped; the dataset is complete: {scene.output}, and stored scores are kept"
    assert stopped.err == f"wd14-captioner: {words}\n"
    scene.check_nothing_lost()
    assert content(scene.output) == scene.expected
    assert [place.name for place in scene.output.parent.iterdir()] == ["out"]


def _write_by_hand(scene: Scene) -> list[Path]:
    """A text beside each picture; returns the pictures."""
    pictures = sorted(scene.source.rglob("*.png"))
    for picture in pictures:
        picture.with_suffix(".txt").write_text(f"my {picture.stem}\n")
    return pictures


def _captions(scene: Scene) -> dict[str, str]:
    """Captions of an undisturbed run by the names of their pictures."""
    assert scene.run().status == 0
    lines = (scene.output / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    shutil.rmtree(scene.output)
    return {row["file_name"]: row["caption"] for row in map(json.loads, lines)}


def _remove_texts(folder: Path) -> None:
    for text in folder.rglob("*.txt"):
        text.unlink()


@pytest.mark.long
def test_kill_9_at_every_single_step(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    steps = scene.run(under=scene.folder).events
    scene.clear()
    kill_at_steps(scene, list(range(1, steps + 1)))


#: How a run can be killed, and its options.
MODES = {
    "fresh": ("--no-cache",),
    "from stored scores": (),
    "all that can be written": ("--caption-files", "--include-scores", "--keep-columns", "--split", "all"),
    "in place": (),
    "appended in place": (),
}


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", MODES)
def test_kill_9_five_hundred_times_over_all_modes(faults: Faults, tmp_path: Path, mode: str) -> None:
    scene = Scene(tmp_path, faults, *MODES[mode])
    moments = random.Random(mode)
    captions = _captions(scene)
    for round_ in range(100):
        moment = moments.uniform(0, 1.1) * scene.whole.seconds
        if mode == "in place":
            kill_in_place(scene, captions, after=moment)
        elif mode == "appended in place":
            kill_while_appending(scene, captions, after=moment)
        else:
            scene.run(send=signal.SIGKILL, after=moment)
            tally("faults injected")
            scene.check_nothing_lost()
            if round_ % 3 == 0:
                scene.check_again()
            scene.clear(cache=mode != "from stored scores")
    tally("losses", 0)
