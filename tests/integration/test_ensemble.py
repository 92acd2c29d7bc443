"""Several models on one dataset: planted scores, and the tags that follow from them."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wd14
from tests.support.scripted_model import SIDE, Tag, save_scripted_model
from tests.support.stopping_host import StoppingHost
from wd14 import CaptionConfig, caption_dataset
from wd14.errors import ConfigError, JobStoppedError, ScoringError, StoreError
from wd14.hosts.local import LocalHost
from wd14.model.score_store.database import ScoreDatabase
from wd14.model.tagger import Tagger
from wd14.pipeline import run_job
from wd14.types import Progress, Summary

PICTURES = 12
#: The tags of each model: name and Danbooru's number of its category. Ratings come first.
VOCABULARIES: dict[str, list[tuple[str, int]]] = {
    "a": [("general", 9), ("explicit", 9), ("solo", 0), ("long_hair", 0), ("smile", 0), ("hat", 0), ("rin", 4)],
    "b": [("explicit", 9), ("general", 9), ("Long Hair", 0), ("smile", 0), ("solo", 0), ("tree", 0), ("len", 4)],
    "c": [("smile", 0), ("hat", 0), ("solo", 0), ("long_hair", 0), ("rin", 4)],
}
ROWS = {name: row for row, name in enumerate(VOCABULARIES)}  #: of the pixels that hold a model's scores


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """Models that read their scores off the last rows of a picture, one pixel for each tag."""
    return {
        name: save_scripted_model(
            tmp_path / "models" / name,
            [Tag(tag, number, 0, (SIDE - 1 - ROWS[name], at), 1) for at, (tag, number) in enumerate(tags)],
        )
        for name, tags in VOCABULARIES.items()
    }


@pytest.fixture
def planted() -> dict[str, NDArray[np.uint8]]:
    """The scores of each model in 255ths, (pictures, tags)."""
    dice = np.random.default_rng(7)
    return {name: dice.integers(0, 256, (PICTURES, len(tags)), np.uint8) for name, tags in VOCABULARIES.items()}


@pytest.fixture
def folder(planted: Mapping[str, NDArray[np.uint8]], tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for picture in range(PICTURES):
        _draw({name: scores[picture] for name, scores in planted.items()}).save(place / f"{picture:02}.png")
    return place


def _draw(scores: Mapping[str, Sequence[int] | NDArray[np.uint8]]) -> Image.Image:
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for name, values in scores.items():
        pixels[SIDE - 1 - ROWS[name], : len(values), 2] = values
    return Image.fromarray(pixels)


def captions(summary: Summary) -> list[set[str]]:
    text = (Path(summary.output or "") / "train" / "metadata.jsonl").read_text("utf-8")
    return [set(filter(None, json.loads(line)["caption"].split(", "))) for line in text.splitlines()]


def job(source: Path, models: Sequence[Path], output: Path, **values: Any) -> Summary:
    first, *further = map(str, models)
    values = {"custom_model": first, "ensemble": further, "review": False} | values
    return caption_dataset(source, CaptionConfig.from_values(values), output=output)


def expected(planted: Mapping[str, NDArray[np.uint8]], names: Sequence[str], votes: int) -> list[set[str]]:
    """The tags of each picture by the rule, tag by tag: general from 0.35, characters from 0.85."""
    spelled = {"Long Hair": "long_hair"}
    kept: list[set[str]] = []
    for picture in range(PICTURES):
        voting: dict[str, list[bool]] = {}
        for name in names:
            for (tag, number), value in zip(VOCABULARIES[name], planted[name][picture], strict=True):
                if number != 9:
                    score = np.float32(np.float32(1 / 255) * np.float32(value))
                    voting.setdefault(spelled.get(tag, tag), []).append(bool(score >= (0.85 if number == 4 else 0.35)))
        kept.append({tag for tag, each in voting.items() if sum(each) >= min(votes, len(each))})
    return kept


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the model for each picture that one scored; fails where two models are open at once."""
    seen: list[str] = []
    opened: list[weakref.ref[Tagger]] = []
    load, run = Tagger.load, Tagger.run

    def watched(*words: Any, **more: Any) -> Tagger:
        if any(one() is not None for one in opened):
            gc.collect()  # what an earlier job left in a circle
        assert [one for one in opened if one() is not None] == []
        tagger = load(*words, **more)
        opened.append(weakref.ref(tagger))
        return tagger

    def spy(self: Tagger, batch: Any, *more: Any) -> Any:
        seen.extend([Path(self.files.id).name] * len(batch))
        return run(self, batch, *more)

    monkeypatch.setattr(Tagger, "load", watched)
    monkeypatch.setattr(Tagger, "run", spy)
    return seen


def test_two_and_three_models_keep_exactly_the_expected_tags(
    folder: Path, models: Mapping[str, Path], planted: Mapping[str, NDArray[np.uint8]], tmp_path: Path, runs: list[str]
) -> None:
    for names, votes in (("ab", 2), ("abc", 1), ("abc", 2), ("abc", 3), ("cb", 2)):
        made = job(folder, [models[name] for name in names], tmp_path / f"{names}{votes}", ensemble_votes=votes)
        assert captions(made) == expected(planted, names, votes), (names, votes)
    assert sorted(runs) == ["a"] * PICTURES + ["b"] * PICTURES + ["c"] * PICTURES  # each model once in all these jobs
    rated = job(folder, [models["a"], models["b"]], tmp_path / "rated", rating="first", include_scores=True)
    means = (planted["a"][:, :2].astype(float) + planted["b"][:, [1, 0]]) / 2
    assert [("explicit" in each) for each in captions(rated)] == (means[:, 1] > means[:, 0]).tolist()
    assert rated.model == f"{models['a']} + {models['b']}"
    made_by = json.loads((Path(rated.output or "") / ".wd14" / "provenance.json").read_text("utf-8"))["model"]
    assert (made_by["id"], made_by["ensemble"][0]["id"], made_by["votes"]) == (str(models["a"]), str(models["b"]), 2)


def test_adding_a_model_costs_that_model_only(
    folder: Path, models: Mapping[str, Path], planted: Mapping[str, NDArray[np.uint8]], tmp_path: Path, runs: list[str]
) -> None:
    shutil.copy(folder / "00.png", folder / "zz.png")
    planted = {name: np.concatenate([scores, scores[:1]]) for name, scores in planted.items()}
    job(folder, [models["a"]], tmp_path / "alone")
    assert runs == ["a"] * PICTURES
    runs.clear()
    two = job(folder, [models["a"], models["b"]], tmp_path / "two")
    assert runs == ["b"] * PICTURES
    assert (two.captioned, two.from_scores, two.device) == (PICTURES, 1, "cpu")
    runs.clear()
    again = job(folder, [models["b"], models["a"]], tmp_path / "again", thresh=0.5)
    assert (runs, again.captioned, again.from_scores, again.device) == ([], 0, PICTURES + 1, None)
    assert captions(two)[0] == captions(two)[-1]


@pytest.mark.parametrize("store", ["off", "unusable"])
def test_without_the_score_store_a_job_keeps_scores_for_itself(
    store: str,
    folder: Path,
    models: Mapping[str, Path],
    planted: Mapping[str, NDArray[np.uint8]],
    tmp_path: Path,
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (tmp_path / "file").write_text("not a folder")
    more: dict[str, Any] = {"cache": False} if store == "off" else {"cache_folder": str(tmp_path / "file")}
    made = job(folder, list(models.values()), tmp_path / "out", purpose="style", **more)
    assert captions(made) == expected(planted, "abc", 2)
    assert sorted(runs) == ["a"] * PICTURES + ["b"] * PICTURES + ["c"] * PICTURES
    assert (made.captioned, made.from_scores) == (PICTURES, 0)
    assert list(temporary.iterdir()) == []


def test_a_store_that_fills_during_a_pass_costs_no_picture(
    folder: Path,
    models: Mapping[str, Path],
    planted: Mapping[str, NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, written = tmp_path / "cache", list[int]()
    write = ScoreDatabase.write

    def filling(self: ScoreDatabase, *rows: Any) -> None:
        if self.path.parent == cache:
            if written:
                raise StoreError("the disk is full")
            written.append(1)
        write(self, *rows)

    monkeypatch.setattr(ScoreDatabase, "write", filling)
    monkeypatch.setattr("wd14.model.score_store.store._FLUSH_ROWS", 3)
    made = job(folder, [models["a"], models["b"]], tmp_path / "out", cache_folder=str(cache), batch_size=1)
    assert (made.captioned, made.failed) == (PICTURES, 0)
    assert captions(made) == expected(planted, "ab", 2)


@pytest.mark.parametrize("spoiled_model", ["a", "b"])
def test_a_picture_that_one_model_cannot_score_fails_with_its_name(
    spoiled_model: str, folder: Path, models: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    run = Tagger.run

    def spoiled(self: Tagger, batch: Any, *more: Any) -> Any:
        scores = run(self, batch, *more)
        return np.full_like(scores, np.nan) if Path(self.files.id).name == spoiled_model else scores

    job(folder, [models[spoiled_model]], tmp_path / "alone")
    Image.new("RGB", (SIDE, SIDE), (1, 2, 3)).save(folder / "13.png")
    monkeypatch.setattr(Tagger, "run", spoiled)
    lines: list[str] = []
    host = LocalHost(folder, {}, tmp_path / "out", say=lines.append)
    values = {"custom_model": str(models["a"]), "ensemble": str(models["b"])}
    made = caption_dataset(folder, CaptionConfig.from_values(values), host=host)
    assert (made.captioned, made.failed) == (PICTURES, 2)
    reason = f"{models[spoiled_model]}: the model's scores are not all finite numbers"
    assert ("13.png", reason) in made.failures
    assert sum(line.startswith("Failed: ") for line in lines) == 2
    (folder / "broken.png").unlink()
    with pytest.raises(ScoringError, match=rf"^13\.png: .*{spoiled_model}: the model's scores"):
        job(folder, [models["a"], models["b"]], tmp_path / "stopped", on_error="stop")


def test_scores_of_a_stopped_run_are_not_made_again(
    folder: Path, models: Mapping[str, Path], planted: Mapping[str, NDArray[np.uint8]], tmp_path: Path, runs: list[str]
) -> None:
    settings = {"custom_model": str(models["a"]), "ensemble": f"{models['b']}, {models['c']}", "batch_size": 1}
    host = StoppingHost(folder, settings, tmp_path / "out", stops=lambda now: now.phase == "Model 2 of 3")
    with pytest.raises(JobStoppedError):
        run_job(host)
    assert runs.count("b") == PICTURES
    assert "a" not in runs
    runs.clear()
    shown: list[Progress] = []
    host = StoppingHost(folder, settings, tmp_path / "out", stops=lambda now: bool(shown.append(now)))  # type: ignore[func-returns-value]
    made = run_job(host)
    assert "b" not in runs
    assert captions(made) == expected(planted, "abc", 2)
    assert list(dict.fromkeys(each.phase for each in shown if each.phase)) == [f"Model {n} of 3" for n in (1, 2, 3)]
    fractions = [each.fraction or 0 for each in shown]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_models_that_make_no_ensemble_are_refused_before_anything_is_scored(
    folder: Path, models: Mapping[str, Path], tmp_path: Path, runs: list[str]
) -> None:
    other = save_scripted_model(tmp_path / "other", [Tag("general", 9, 0.5), Tag("car", 0, 0.5)])
    copy = Path(shutil.copytree(models["a"], tmp_path / "copy"))

    def refused(further: Path | str, words: str, **values: Any) -> None:
        with pytest.raises(ConfigError, match=words):
            job(folder, [models["a"], Path(further)], tmp_path / "out", **values)

    refused(other, "other shares no tag with .*a")
    refused(models["a"], "a twice")
    refused(copy, "which are one model")
    refused("builtin/none", "adds no tag and has no vote")
    refused(models["b"], "'mcut'", threshold_mode="mcut")
    refused(models["b"], "at least 0.01", thresh=0.005)
    refused(models["b"], "a: Threshold Mode", threshold_mode="model")
    refused(models["b"], "^Thresholds by Tag", tag_thresholds=str(tmp_path / "missing.csv"))
    assert (runs, (tmp_path / "out").exists()) == ([], False)


def test_tags_from_python(
    models: Mapping[str, Path], planted: Mapping[str, NDArray[np.uint8]], runs: list[str]
) -> None:
    pictures = (_draw({name: scores[picture] for name, scores in planted.items()}) for picture in range(PICTURES))
    further = [str(models["b"]), str(models["c"])]
    tagged = wd14.tag(pictures, models["a"], ensemble=further, cache=False)
    assert [set(each.general) | set(each.character) for each in tagged] == expected(planted, "abc", 2)
    assert sorted(set(runs)) == ["a", "b", "c"]


def test_two_of_three_votes_are_better_than_each_model_alone(tmp_path: Path) -> None:
    """Every model is wrong about a sixth of all tags, each about others; two are seldom wrong about the same."""
    dice = np.random.default_rng(3)
    names = [f"tag_{number}" for number in range(40)]
    truth = dice.random((PICTURES, len(names))) < 0.3
    models, said = [], np.zeros((PICTURES, SIDE, SIDE, 3), np.uint8)
    for row in range(3):
        wrong = dice.random(truth.shape) < 1 / 6
        said[:, row, : len(names), 2] = np.where(truth ^ wrong, 200, 40)
        tags = [Tag(name, 0, 0, (row, at), 1) for at, name in enumerate(names)]
        models.append(save_scripted_model(tmp_path / f"model {row}", tags))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, pixels in enumerate(said):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")

    def measured(made: Summary) -> tuple[float, float, float]:
        kept = np.array([[name in caption for name in names] for caption in captions(made)])
        hits = (kept & truth).sum()
        precision, recall = hits / kept.sum(), hits / truth.sum()
        return float(precision), float(recall), float(2 * precision * recall / (precision + recall))

    table = {model.name: measured(job(folder, [model], tmp_path / f"alone {model.name}")) for model in models}
    table["2 of 3"] = measured(job(folder, models, tmp_path / "together"))
    together = table.pop("2 of 3")
    for alone in table.values():
        assert all(ours > theirs + 0.05 for ours, theirs in zip(together, alone, strict=True)), (together, table)


def test_a_threshold_by_tag_holds_for_all_models_whatever_they_call_the_tag(tmp_path: Path) -> None:
    names = ("see-through_clothes", "see-through")
    first, second = (
        save_scripted_model(tmp_path / name, [Tag(name, 0, 0, (0, 0), 1), Tag("hat", 0, 0.9)]) for name in names
    )
    folder = tmp_path / "pictures"
    folder.mkdir()
    for blue in (140, 180):
        Image.new("RGB", (SIDE, SIDE), (0, 0, blue)).save(folder / f"{blue}.png")
    made = job(folder, [first, second], tmp_path / "out", tag_thresholds="see-through clothes=0.6")
    assert captions(made) == [{"hat"}, {"hat", "see-through_clothes"}]
    either = job(
        folder, [first, second], tmp_path / "either", tag_thresholds="see-through clothes=0.6", ensemble_votes=1
    )
    assert captions(either) == captions(made)
