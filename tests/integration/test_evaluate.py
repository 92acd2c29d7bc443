"""`wd14-captioner evaluate` on datasets whose truth is planted: what it measures, and the thresholds that it finds."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score

from tests.integration.conftest import Run
from tests.support import evaluated
from tests.support.evaluated import PLANTED
from wd14 import CaptionConfig, caption_dataset
from wd14.cli import main as cli_in_process
from wd14.errors import ConfigError, OutputError, SourceError
from wd14.evaluating import Evaluation, evaluate
from wd14.evaluation import tables
from wd14.evaluation.kept import KeptPlace, read_kept
from wd14.reviewing import review_dataset

PICTURES = 80
Truth = Mapping[str, frozenset[str]]


def captions_of(dataset: Path) -> dict[str, frozenset[str]]:
    """The tags of each captioned picture."""
    lines = (dataset / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["file_name"]: frozenset(filter(None, row["caption"].split(", "))) for row in rows}


def micro_f1(truth: Truth, captions: Truth, names: tuple[str, ...]) -> float:
    """F1 of captions, by scikit-learn; pictures without a tag in their truth are left out."""
    chosen = [picture for picture in truth if truth[picture]]
    there, made = ([[name in each[picture] for name in names] for picture in chosen] for each in (truth, captions))
    return float(f1_score(np.array(there), np.array(made), average="micro"))


def captioned(folder: Path, **values: Any) -> dict[str, frozenset[str]]:
    """The tags of each picture of the set in a folder, captioned with these parameters."""
    made = caption_dataset(folder / "set", CaptionConfig.from_values(values), output=folder / "captioned")
    return captions_of(Path(made.output or ""))


@pytest.fixture(scope="module")
def _planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("planted")
    evaluated.model(folder / "model")
    return folder, evaluated.planted(folder / "set", PICTURES)


@pytest.fixture
def planted(_planted: tuple[Path, Truth], tmp_path: Path) -> Truth:
    folder, truth = _planted
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return truth


def test_planted_thresholds_are_found_and_captions_made_with_them_have_the_f1_that_is_said(
    planted: Truth, cli: Run, tmp_path: Path
) -> None:
    words = ("evaluate", "set", "--custom-model", "model", "--trigger-words", "ohwx", "--json")
    said = cli(*words, "--thresholds-out", "found.csv", "--csv", "all.csv")
    assert said.returncode == 0, said.stderr
    evaluation = json.loads(said.stdout)
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        best = {row["tag"]: float(row["best_threshold"]) for row in csv.DictReader(file)}
    assert best == pytest.approx(PLANTED, abs=0.02)
    assert evaluation["unknown"] == {"words": 1, "most_frequent": {"a_word_of_mine": PICTURES}}
    made = cli("caption", "set", "--custom-model", "model", "--tag-thresholds", "found.csv", "--output", "out")
    assert made.returncode == 0, made.stderr
    captions = captions_of(tmp_path / "out")
    assert micro_f1(planted, captions, tuple(PLANTED)) == evaluation["all"]["chosen"]["f1"]
    in_use = evaluation["all"]["in_use"]["f1"]
    assert micro_f1(planted, captioned(tmp_path, custom_model=str(tmp_path / "model")), tuple(PLANTED)) == in_use
    assert in_use < evaluation["unseen"]["f1"] <= evaluation["all"]["chosen"]["f1"]
    again = cli(*words, "--thresholds-out", "found.csv")  # its own file may be replaced, and all scores are stored
    assert json.loads(again.stdout)["from_scores"] == evaluation["pictures"]
    assert sorted(path.name for path in (tmp_path / "set").iterdir() if path.suffix != ".png") == ["metadata.jsonl"]


def test_an_ensemble_stands_beside_each_of_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evaluated.model(tmp_path / "model")
    # With another category `outdoors` has another threshold in the second model.
    evaluated.model(tmp_path / "second", ("smile", "long_hair", "outdoors", "tree"), characters=("outdoors",))
    evaluated.model(tmp_path / "third", ("long_hair", "smile", "sky"), first=1)
    truth = evaluated.planted(tmp_path / "set", 24)
    together: dict[str, Any] = {"custom_model": "model", "ensemble": "second,third"}
    found = evaluate("set", together)
    assert [name for name, _ in found.models] == ["model", "second", "third"]
    assert found.models[0][1] == evaluate("set", {"custom_model": "model"}).result.all.in_use
    tables.write(tmp_path / "found.csv", tables.thresholds(found.result, {}))
    captions = captioned(tmp_path, **together, tag_thresholds="found.csv")
    assert micro_f1(truth, captions, (*PLANTED, "tree")) == found.result.all.chosen.f1
    kept, forgotten = (evaluate("set", {**together, "cache": cache}).as_json() for cache in (True, False))
    assert (kept.pop("from_scores"), forgotten.pop("from_scores")) == (found.pictures, 0)
    assert kept == forgotten  # also where scores are kept for the job alone


def test_corrections_are_made_before(planted: Truth, tmp_path: Path) -> None:
    """A person adds a tag to all pictures and rejects one: the numbers are those of captions that were so."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "set").glob("*.png")}
    edits = {
        "version": 1,
        "edits": [
            {"op": "add", "tag": "Sky", "rows": "all"},
            {"op": "reject", "rows": [digests["003.png"]]},
            {"op": "set", "caption": "outdoors", "rows": [digests["004.png"]]},
        ],
    }
    (tmp_path / "edits.json").write_text(json.dumps(edits), "utf-8")
    found = _evaluate(tmp_path, edits=str(tmp_path / "edits.json"))
    support = {tag.tag: tag.support for tag in found.result.tags()}
    assert found.left_out == {"rejected by the edits": 1}
    assert support["sky"] == PICTURES - 2
    assert support["long_hair"] == sum(
        "long_hair" in planted[name] for name in planted if name[:3] not in ("003", "004")
    )


def test_a_dataset_of_ours_is_compared_by_the_scores_of_its_originals_and_called_no_truth(
    tmp_path: Path,
) -> None:
    evaluated.model(tmp_path / "model")
    for number in range(4):
        evaluated.picture(tmp_path / "in" / f"{number}.png", [0.9, 0.6, 0.1, 0.95, 0.2])
        with Image.open(tmp_path / "in" / f"{number}.png") as picture:
            seen = picture.convert("RGBA")
        seen.putpixel((100, 100 + number), (0, 0, 0, 0))
        seen.save(tmp_path / "in" / f"{number}.png")
    options: dict[str, Any] = {"flatten_transparency": True, "general_threshold": 0.5, "remove_underscore": True}
    config = CaptionConfig(custom_model=str(tmp_path / "model"), **options)
    caption_dataset(tmp_path / "in", config, output=tmp_path / "out")
    evaluation = evaluate(tmp_path / "out").as_json()
    assert evaluation["from_scores"] == 4
    assert evaluation["all"]["in_use"]["f1"] == 1
    assert {tag["tag"]: tag["threshold"] for tag in evaluation["tags"]}["smile"] == 0.5  # the run's
    assert "no edits were made in them" in evaluation["remarks"][0]
    smiles = {"version": 1, "edits": [{"op": "remove", "tag": "smile", "rows": "all"}]}
    (tmp_path / "edits.json").write_text(json.dumps(smiles), "utf-8")
    corrected = evaluate(tmp_path / "out", {"edits": str(tmp_path / "edits.json")}).as_json()
    assert corrected["remarks"] == []
    assert corrected["all"]["in_use"]["precision"] == pytest.approx(2 / 3)


def test_a_file_of_thresholds_takes_the_place_of_the_list_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tag that is never there and switched off stays so; and the command that is said has the other thresholds."""
    monkeypatch.chdir(tmp_path)
    evaluated.model(tmp_path / "more", (*PLANTED, "solo"))
    truth = evaluated.planted(tmp_path / "set", 30)
    for name in truth:  # `solo` is on no caption, and would be kept for all pictures
        with Image.open(tmp_path / "set" / name) as picture:
            seen = picture.convert("RGB")
        seen.putpixel((2 * len(PLANTED), 0), (0, 0, 240))
        seen.save(tmp_path / "set" / name)
    (tmp_path / "found.csv.new").write_text("mine", "utf-8")
    own = ("--general-threshold", "0.3", "--tag-thresholds", "solo=off, sky=+0.1")
    words = ["evaluate", "set", "--custom-model", "more", *own, "--thresholds-out", "found.csv", "--json"]
    assert cli_in_process.main(words) == 0
    said = capsys.readouterr()
    command = shlex.split(said.err.splitlines()[-1].partition("use them: ")[2])
    assert command[:3] == ["wd14-captioner", "caption", "PICTURES"]
    assert cli_in_process.main(["caption", "set", *command[3:], "--output", "out"]) == 0
    f1 = micro_f1(truth, captions_of(tmp_path / "out"), (*PLANTED, "solo"))
    assert f1 == json.loads(said.out)["all"]["chosen"]["f1"]
    assert (tmp_path / "found.csv.new").read_text("utf-8") == "mine"


def test_what_was_found_is_said_also_where_the_disk_is_full(
    planted: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(aside: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    old = tmp_path / "all.csv"
    old.write_text(",".join(tables.ALL_COLUMNS) + "\nolder\n", "utf-8")
    monkeypatch.setattr(tables, "put_in_place", full)
    words = ["evaluate", str(tmp_path / "set"), "--custom-model", str(tmp_path / "model"), "--csv", str(old)]
    assert cli_in_process.main(words) == OutputError.exit_code
    said = capsys.readouterr()
    assert "Tags with the most mistakes" in said.out
    assert "all.csv cannot be written: No space left on device" in said.err
    assert old.read_text("utf-8").endswith("older\n")
    assert [path.name for path in tmp_path.iterdir() if "all.csv" in path.name] == ["all.csv"]


def test_what_cannot_be_evaluated_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluated.model(tmp_path / "model")
    (tmp_path / "mine.csv").write_text("tag,note\nsmile,of mine\n", "utf-8")
    words = ["evaluate", "set", "--custom-model", "model"]
    assert cli_in_process.main([*words, "--thresholds-out", "mine.csv"]) == OutputError.exit_code
    assert "is no file of an evaluation" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_text("utf-8") == "tag,note\nsmile,of mine\n"
    for names, why in (
        (("--thresholds-out", "found.txt"), "wants a name that ends in .csv"),
        (("--thresholds-out", "one.csv", "--csv", "one.csv"), "give each a file of its own"),
    ):
        assert cli_in_process.main([*words, *names]) == ConfigError.exit_code
        assert why in capsys.readouterr().err
    evaluated.picture(tmp_path / "bare" / "a.png", [0.9])
    with pytest.raises(SourceError, match="1 without a caption"):
        evaluate(tmp_path / "bare", {"custom_model": str(tmp_path / "model")})
    (tmp_path / "bare" / "a.txt").write_text("ohwx", "utf-8")
    with pytest.raises(SourceError, match=r"no tag of the model.*generation-model names another"):
        evaluate(tmp_path / "bare", {"custom_model": str(tmp_path / "model")})
    (tmp_path / "bare" / "a.txt").write_text("smile", "utf-8")
    assert cli_in_process.main(["evaluate", "bare", "--custom-model", "model"]) == 0
    assert "compared with" in capsys.readouterr().out  # not one tag differs
    with pytest.raises(ConfigError, match="adds no tag"):
        evaluate(tmp_path / "set", {"custom_model": "builtin/none"})


def test_a_kept_evaluation_is_read_back_and_a_broken_one_is_refused(planted: Truth, tmp_path: Path) -> None:
    found = _evaluate(tmp_path)
    place = KeptPlace(str(tmp_path / "set"))
    place.write(found.as_json(), found.result)
    kept: Any = read_kept(tmp_path / "set")
    assert review_dataset(tmp_path / "set", {"custom_model": str(tmp_path / "model")}).data["evaluation"] == kept
    support, above, right = kept["tags"]["sky"]
    tags = {tag.tag: tag for tag in found.result.tags()}
    at = kept["edges"].index(0.5)
    assert support == tags["sky"].support
    assert right[at] <= above[at] == sum(score >= 0.5 for score in _sky_scores(tmp_path / "set", planted))
    assert kept["chosen"]["sky"] == tags["sky"].chosen
    text = place.path.read_text("utf-8")
    for good, bad in (('"edges": [0.02,', '"edges": [1e999,'), ('"edges": [0.02,', '"edges": [')):
        place.path.write_text(text.replace(good, bad), "utf-8")
        with pytest.raises(ConfigError, match="is not as `evaluate` writes it"):
            read_kept(tmp_path / "set")
    page = review_dataset(tmp_path / "set", {"custom_model": str(tmp_path / "model")})
    assert page.data["evaluation"] is None
    assert any("is not as `evaluate` writes it" in remark for remark in page.check.remarks)


def test_tags_with_commas_and_quotes_survive_in_the_files(tmp_path: Path) -> None:
    odd = ("a,b", 'say_"hi"', "=_=")
    evaluated.model(tmp_path / "model", odd)
    for number in range(6):
        evaluated.picture(tmp_path / "set" / f"{number}.png", [0.2 * number] * 3)
        (tmp_path / "set" / f"{number}.txt").write_text('say "hi"|=_=|a,b' if number > 3 else "=_=", "utf-8")
    found = _evaluate(tmp_path, caption_separator="|")
    rows = list(csv.DictReader(tables.thresholds(found.result, {}).splitlines()))
    assert {row["tag"]: row["support"] for row in rows} == {"a,b": "2", 'say_"hi"': "2", "=_=": "6"}


def _evaluate(folder: Path, **parameters: Any) -> Evaluation:
    more = {"custom_model": str(folder / "model"), "trigger_words": "ohwx"}
    return evaluate(folder / "set", more | parameters)


def _sky_scores(folder: Path, truth: Truth) -> list[float]:
    place = list(PLANTED).index("sky")
    found = []
    for name in truth:
        if truth[name]:
            with Image.open(folder / name) as picture:
                found.append(picture.getpixel((2 * place, 0))[2] / 255)  # type: ignore[index]
    return found
