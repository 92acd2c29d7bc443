"""What the pipeline promises: order, stored scores that fit, one scoring a picture, a stop that is obeyed."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from tests.support.encoded import with_orientation
from tests.support.scripted_model import Tag, save_scripted_model
from tests.support.stopping_host import StoppingHost
from wd14 import CaptionConfig, caption_dataset
from wd14.errors import AllRowsFailedError, EmptySourceError, JobStoppedError
from wd14.hosts.local import LocalHost
from wd14.images.opening import PictureFile
from wd14.model.files.find import find_model
from wd14.model.score_store.store import ScoreStore, ScoreView
from wd14.model.tagger import Tagger
from wd14.pipeline import run_job
from wd14.published import Published
from wd14.types import Progress, Summary

TAGS = [Tag("safe", 9, 0.5), Tag("bright", 0, 0.0, pixel=(224, 224), gain=1.0), Tag("cat", 0, 0.42), Tag("rin", 4, 0.9)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_scripted_model(tmp_path / "model", TAGS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(24):
        Image.new("RGB", (20, 20), (number, number, number * 10)).save(place / f"{number:02d}.png")
    return place


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that went through a model."""
    seen: list[int] = []
    original = Tagger.run

    def spy(self: Tagger, batch: Any, boxes: Any = None) -> Any:
        seen.append(len(batch))
        return original(self, batch, boxes)

    monkeypatch.setattr(Tagger, "run", spy)
    return seen


def captions(summary: Summary) -> list[tuple[str, str]]:
    text = (Path(summary.output or "") / "train" / "metadata.jsonl").read_text("utf-8")
    return [(row["file_name"], row["caption"]) for row in map(json.loads, text.splitlines())]


def job(source: Path, model: Path, output: Path, **values: Any) -> Summary:
    return caption_dataset(source, CaptionConfig.from_values({"custom_model": str(model), **values}), output=output)


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("batch", [1, 5])
def test_rows_keep_their_order_under_any_timing(
    workers: int, batch: int, folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(workers * 10 + batch)
    opening, running = PictureFile, Tagger.run

    def slowly(data: bytes, **options: Any) -> Any:
        time.sleep(dice.choice([0, 0, 0.01, 0.03]))
        return opening(data, **options)

    def unevenly(self: Tagger, rows: Any, boxes: Any = None) -> Any:
        time.sleep(dice.choice([0, 0.01, 0.02]))
        return running(self, rows, boxes)

    monkeypatch.setattr("wd14.decoding.PictureFile", slowly)
    monkeypatch.setattr(Tagger, "run", unevenly)
    summary = job(folder, model, tmp_path / "out", max_data_loader_n_workers=workers, batch_size=batch, cache=False)
    expected = [
        (f"{n:02d}.png", ", ".join([*(["bright"] if n * 10 / 255 >= 0.35 else []), "cat", "rin"])) for n in range(24)
    ]
    assert captions(summary) == expected


def test_other_thresholds_and_options_need_no_model(
    folder: Path, model: Path, tmp_path: Path, runs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = job(folder, model, tmp_path / "a")
    assert (first.captioned, first.from_scores, sum(runs)) == (24, 0, 24)
    runs.clear()
    opened: list[object] = []
    load = Tagger.load

    def watched(*words: Any, **options: Any) -> Tagger:
        opened.append(words)
        return load(*words, **options)

    monkeypatch.setattr(Tagger, "load", watched)
    again = job(folder, model, tmp_path / "b", thresh=0.5, caption_separator="; ", rating="first")
    assert (again.captioned, again.from_scores, runs, opened, again.device) == (0, 24, [], [], None)
    assert captions(again)[0] == ("00.png", "safe; rin")
    monkeypatch.undo()
    monkeypatch.setattr(Tagger, "load", watched)
    fresh = job(folder, model, tmp_path / "c", thresh=0.5, caption_separator="; ", rating="first", cache=False)
    assert len(opened) == 1
    assert captions(again) == captions(fresh)


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "reference"},
        {"image_size": 10},
        {"exif_orientation": False},
        {"thresh": 0.005},
        {"threshold_mode": "mcut", "category_thresholds": "general=0.005"},
    ],
)
def test_stored_scores_are_not_used_for_what_they_do_not_fit(
    change: dict[str, Any], folder: Path, model: Path, tmp_path: Path
) -> None:
    job(folder, model, tmp_path / "a")
    assert job(folder, model, tmp_path / "b", **change).from_scores == 0


def test_stored_scores_belong_to_one_model_and_one_picture(folder: Path, model: Path, tmp_path: Path) -> None:
    job(folder, model, tmp_path / "a")
    other = save_scripted_model(tmp_path / "other", [*TAGS[:-1], Tag("rin", 4, 0.95)])
    assert job(folder, other, tmp_path / "b").from_scores == 0
    moved = shutil.copytree(model, tmp_path / "moved")
    assert job(folder, moved, tmp_path / "c").from_scores == 24
    Image.new("RGB", (20, 20), (255, 255, 255)).save(folder / "00.png")
    shutil.copy(folder / "01.png", folder / "another_name.png")
    changed = job(folder, model, tmp_path / "d")
    assert (changed.captioned, changed.from_scores) == (1, 24)
    assert captions(changed)[0] == ("00.png", "bright, cat, rin")


def test_the_same_picture_twice_is_scored_once(folder: Path, model: Path, tmp_path: Path, runs: list[int]) -> None:
    for number in range(10):
        shutil.copy(folder / "03.png", folder / f"copy{number}.png")
    summary = job(folder, model, tmp_path / "a")
    assert sum(runs) == 24
    assert (summary.captioned, summary.from_scores) == (24, 10)
    assert len({caption for name, caption in captions(summary) if name.startswith("copy")}) == 1


def test_a_run_keeps_the_facts_of_its_pictures(folder: Path, model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (30, 10), "white").save(folder / "turned.jpg", exif=with_orientation(6))
    shutil.copy(folder / "03.png", folder / "copy.png")
    (folder / "bad.png").write_bytes(b"no picture")
    pictures = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    job(folder, model, tmp_path / "as stored", exif_orientation=False, skip_bad=True)
    with ScoreStore.open() as store:
        assert store.stats().facts == 0, "facts are of the upright picture"
    job(folder, model, tmp_path / "upright", skip_bad=True)
    with ScoreStore.open() as store:
        assert store.stats().facts == 25
        found = store.facts_of_many(pictures.values())
    sizes = {name: (found[sha].width, found[sha].height) for name, sha in pictures.items() if sha in found}
    assert sizes == {name: (20, 20) for name in pictures if name != "bad.png"} | {"turned.jpg": (10, 30)}
    assert found[pictures["turned.jpg"]].thumbnail == b"\xff" * 256


def test_an_unfinished_run_is_picked_up(folder: Path, model: Path, tmp_path: Path, runs: list[int]) -> None:
    """Stopped half-way; the next run scores the rest only, and its result is that of an undisturbed run."""

    original = Tagger.run

    def slow(self: Tagger, batch: Any, boxes: Any = None) -> Any:
        time.sleep(0.15)
        return original(self, batch, boxes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tagger, "run", slow)
        with pytest.raises(JobStoppedError):
            run_job(StoppingHost(folder, {"custom_model": str(model)}, tmp_path / "a", stops=lambda now: now.done >= 5))
    assert not (tmp_path / "a").exists()
    resumed = job(folder, model, tmp_path / "a")
    assert 0 < resumed.captioned < 24
    undisturbed = job(folder, model, tmp_path / "b", cache=False)
    assert captions(resumed) == captions(undisturbed)


def test_memory_is_bounded_by_the_queue(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the model stands still, no more pictures are opened than the window holds."""
    go = threading.Event()
    original, opening = Tagger.run, PictureFile
    opened: list[int] = []

    def held(self: Tagger, batch: Any, boxes: Any = None) -> Any:
        go.wait(30)
        return original(self, batch, boxes)

    def counting(data: bytes, **options: Any) -> Any:
        opened.append(1)
        return opening(data, **options)

    monkeypatch.setattr(Tagger, "run", held)
    monkeypatch.setattr("wd14.decoding.PictureFile", counting)
    for number in range(60):
        Image.new("RGB", (20, 20), (number, 255, 0)).save(folder / f"more{number}.png")
    seen: list[int] = []
    timer = threading.Timer(1.5, lambda: (seen.append(len(opened)), go.set()))  # type: ignore[func-returns-value]
    timer.start()
    job(folder, model, tmp_path / "a", max_data_loader_n_workers=2, batch_size=1)
    timer.join()
    assert len(opened) == 84
    assert 0 < seen[0] < 30


def test_a_picture_that_the_model_cannot_score_fails_alone(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Tagger.run

    def sometimes_nan(self: Tagger, batch: Any, boxes: Any = None) -> Any:
        scores = original(self, batch, boxes)
        scores[batch[:, 224, 224, 0] == 70] = np.nan  # the picture 07.png
        return scores

    monkeypatch.setattr(Tagger, "run", sometimes_nan)
    summary = job(folder, model, tmp_path / "a", batch_size=4)
    assert summary.failed == 1
    assert summary.failures[0][0] == "07.png"
    assert [name for name, _ in captions(summary)] == [f"{n:02d}.png" for n in range(24) if n != 7]
    monkeypatch.undo()
    assert job(folder, model, tmp_path / "b").captioned == 1


def test_among_pictures_whose_scores_are_asked_for_together_one_fails_alone(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        Image.new("RGB", (20, 20), (number, 255, 0)).save(folder / f"more{number:02d}.png")
    first = job(folder, model, tmp_path / "a")
    (folder / "more40.png").write_bytes(b"no picture any more")
    asked: list[int] = []
    get_many = ScoreView.get_many

    def watched(self: ScoreView, pictures: Sequence[bytes]) -> Any:
        asked.append(len(pictures))
        return get_many(self, pictures)

    monkeypatch.setattr(ScoreView, "get_many", watched)
    again = job(folder, model, tmp_path / "b", max_data_loader_n_workers=1)
    assert max(asked) > 1
    assert (again.from_scores, [name for name, _ in again.failures]) == (83, ["more40.png"])
    assert captions(again) == [row for row in captions(first) if row[0] != "more40.png"]
    for name, _ in captions(again):
        assert (tmp_path / "b" / "train" / name).read_bytes() == (folder / name).read_bytes()


def test_a_job_with_nothing_to_show_fails(model: Path, tmp_path: Path) -> None:
    place = tmp_path / "pictures"
    place.mkdir()
    with pytest.raises(EmptySourceError):
        job(place, model, tmp_path / "out")
    for number in range(5):
        (place / f"{number}.png").write_text("no picture")
    with pytest.raises(AllRowsFailedError, match=r"none of 5 pictures could be captioned; the first: 0\.png"):
        job(place, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_progress_tells_how_far_how_fast_and_how_long(folder: Path, model: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    original = Tagger.run

    class Watching(LocalHost):
        def progress(self, progress: Progress) -> None:
            seen.append(progress)

    def slow(self: Tagger, batch: Any, boxes: Any = None) -> Any:
        time.sleep(0.2)
        return original(self, batch, boxes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tagger, "run", slow)
        run_job(Watching(folder, {"custom_model": str(model)}, tmp_path / "a", say=lambda _: None))
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert (seen[-1].done, seen[-1].total, seen[-1].fraction) == (24, 24, 1.0)
    middle = [p for p in seen if 4 < p.done < 24]
    assert middle
    assert all(p.pictures_per_second > 0 and (p.remaining_seconds or 0) > 0 for p in middle)
    assert len(seen) < 24


@pytest.mark.parametrize(
    "values",
    [{"thresh": 0.005}, {"threshold_mode": "mcut", "category_thresholds": "general=0.005"}],
    ids=["fixed", "mcut"],
)
def test_thresholds_below_what_is_stored_count_in_every_mode(
    values: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    low = save_scripted_model(tmp_path / "low", [Tag("safe", 9, 0.5), Tag("faint", 0, 0.007), Tag("cat", 0, 0.42)])
    job(folder, low, tmp_path / "a")
    assert captions(job(folder, low, tmp_path / "b", **values))[0] == ("00.png", "faint, cat")


def test_a_published_threshold_counts_when_it_is_asked_for(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_model(model)
    monkeypatch.setattr("wd14.tagging.find_model", lambda *_, **__: replace(found, thresholds=Published({"all": 0.91})))
    assert captions(job(folder, model, tmp_path / "a", threshold_mode="model"))[0] == ("00.png", "")


def test_a_person_is_told_what_may_be_a_mistake_and_each_failure(folder: Path, model: Path, tmp_path: Path) -> None:
    for number in range(14):
        (folder / f"x\x1b[2J{number:02}.png").write_text("no picture")
    lines: list[str] = []
    values = {"custom_model": str(model), "undesired_tags": "dragon"}
    run_job(LocalHost(folder, values, tmp_path / "a", say=lines.append))
    assert "Note: Undesired Tags: no tag of this model is 'dragon'" in lines
    assert any(
        line.startswith("Captioned 24 of 38 pictures in ") and line.endswith("; 14 failed, each is named above.")
        for line in lines
    )
    assert sum(line.startswith("Failed: x") for line in lines) == 14
    assert "\x1b" not in "".join(lines), "names cannot do anything to a terminal"


def test_a_person_is_told_what_will_not_load_as_text_or_as_it_came(folder: Path, model: Path, tmp_path: Path) -> None:
    rows = [{"file_name": "00.png", "size": 1}, {"file_name": "01.png", "size": "big"}]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines: list[str] = []
    values = {"custom_model": str(model), "thresh": 1, "character_threshold": 1, "trigger_words": "2021-01-01"}
    run_job(LocalHost(folder, {**values, "keep_columns": True}, tmp_path / "a", say=lines.append))
    assert any(line.startswith("Written as JSON text") and line.endswith(": size") for line in lines)
    assert any(line.startswith("Captions that are a date and nothing else") for line in lines)


def test_the_report_has_what_a_person_may_want_to_know(tmp_path: Path, model: Path) -> None:
    place = tmp_path / "pictures"
    place.mkdir()
    Image.new("RGBA", (9, 9)).save(place / "clear.png")
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    frames[0].save(place / "moving.webp", save_all=True, append_images=frames[1:])
    Image.new("RGB", (9, 9)).save(place / "plain.png")
    for name in ("fresh", "stored"):
        output = Path(str(job(place, model, tmp_path / name).output))
        rows = json.loads((output / ".wd14" / "report.json").read_text("utf-8"))["rows"]
        assert [row.get("notes") for row in rows] == [["saved as RGB on white"], ["first of 3 frames"], None]


def test_in_place_pictures_are_not_flattened(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "pictures"
    place.mkdir()
    Image.new("RGBA", (9, 9)).save(place / "clear.png")
    monkeypatch.setattr(PictureFile, "flattened", lambda _: pytest.fail("flattened for nothing"))
    assert job(place, model, tmp_path / "a", in_place=True).succeeded == 1
    assert (place / "clear.txt").exists()


def test_captions_fit_into_the_tokens_and_the_job_says_how_many_do_not(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    values = {"custom_model": str(model), "trigger_words": "sks", "cache": "False"}
    for limit, too_long in ((3, 0), (2, 24)):
        lines: list[str] = []
        host = LocalHost(folder, {**values, "max_tokens": limit}, tmp_path / f"out{limit}", say=lines.append)
        summary = run_job(host)
        assert {caption for _, caption in captions(summary)} == {"sks, rin"}
        assert summary.too_long == too_long
        report = (Path(summary.output or "") / ".wd14" / "report.json").read_text("utf-8")
        assert report.count('"notes": ["3 tokens; the limit is 2"]') == too_long
        assert sum(line.startswith("Tokens are estimated, ") for line in lines) == 1
        assert any("Over the maximum number of tokens: 24 captions." in line for line in lines) == bool(too_long)
