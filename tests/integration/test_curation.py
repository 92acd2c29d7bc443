"""Curation as its users see it: a planted dataset whose plan, captions and findings are known beforehand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.integration.conftest import Run
from tests.support import planted
from tests.support.planted import IDENTITY, OUTFIT, PICTURES, Planted, plant
from wd14 import pipeline
from wd14.hosts.local import LocalHost

THRESHOLD = 0.35


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The planted dataset; tests only read it."""
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def caption(cli: Run, dataset: Planted, tmp_path: Path) -> Any:
    """Captions the planted dataset; gives the output's captions, its plan and what was said."""
    numbers = iter(range(100))

    def run(*words: str, source: Path = dataset.pictures) -> tuple[dict[str, str], dict[str, Any], str]:
        output = tmp_path / f"out{next(numbers)}"
        done = cli(
            *("caption", source, "--output", output, "--custom-model", dataset.model, *words),
            *("--cache-folder", tmp_path / "scores"),
        )
        assert done.returncode == 0, done.stderr + done.stdout
        plan = output / ".wd14" / "plan.json"
        return captions_of(output), json.loads(plan.read_text("utf-8")) if plan.exists() else {}, done.stdout

    return run


def captions_of(output: Path) -> dict[str, str]:
    lines = (output / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row["caption"] for row in map(json.loads, lines)}


def decided(plan: dict[str, Any], decision: str) -> set[str]:
    return {each["tag"] for each in plan["decisions"] if each["decision"] == decision}


def written(
    dataset: Planted, number: int, *, without: Collection[str] = (), also: Mapping[str, str] | None = None
) -> list[str]:
    """The tags that a caption is to have, in the model's order, from what was written into the picture."""
    scores = dataset.tags[planted.name(number)]
    order = [row.split(",")[1] for row in (dataset.model / "selected_tags.csv").read_text("utf-8").splitlines()[1:]]
    kept = [
        tag
        for tag in order
        if scores.get(tag, 0) >= (0.85 if tag.endswith("_(wonder)") else THRESHOLD)
        and tag not in ("general", "sensitive")
        and tag not in without
    ]
    return [(also or {}).get(tag, tag) for tag in kept]


def test_a_character_is_folded_into_its_trigger_word(caption: Any, dataset: Planted) -> None:
    captions, plan, said = caption("--purpose", "character", "--trigger-words", "alicew")
    assert decided(plan, "folded") == set(IDENTITY)
    assert set(OUTFIT) & decided(plan, "folded") == set()
    assert {"alice_(wonder)", "watermark", "aqua_eyes"} <= decided(plan, "dropped")
    by_tag = {each["tag"]: each for each in plan["decisions"] if each["rule"] != "contradiction"}
    assert by_tag["halo"]["rows"] == PICTURES - len(planted.WRONG)
    assert by_tag["halo"]["frequency"] == pytest.approx(55 / 60, abs=1e-3)
    assert by_tag["halo"]["lift"] == pytest.approx((55 / 60) / (171_236 / 7_220_105), rel=0.01)
    contradictions = {each["tag"]: each["rows"] for each in plan["decisions"] if each["rule"] == "contradiction"}
    assert contradictions == {"aqua_eyes": 1, "short_hair": 1}
    differing = [each["name"] for each in plan["differing"]]
    assert differing[:5] == [planted.name(number) for number in planted.WRONG]
    assert differing[5:] == [planted.name(planted.NO_EARS)]

    without = {*IDENTITY, "watermark"}
    for number in range(PICTURES):
        gone = without | {planted.CONTRADICTIONS.get(number, "")}
        expected = ["alicew", *written(dataset, number, without=gone, also={"alice_(wonder)": "wonder"})]
        assert captions[planted.name(number)] == ", ".join(expected), number
    assert "blue_hair" in said


def test_an_outfit_folds_its_parts_only_where_nearly_all_pictures_have_them(caption: Any, dataset: Planted) -> None:
    _, plan, _ = caption("--purpose", "outfit", "--trigger-words", "alicew")
    assert decided(plan, "folded") == set(IDENTITY)
    assert set(OUTFIT) <= decided(plan, "ask")


def test_a_style_keeps_all_content(caption: Any, dataset: Planted) -> None:
    captions, plan, _ = caption("--purpose", "style", "--trigger-words", "alicew", "--caption-style", "anima")
    assert decided(plan, "folded") == set()
    gone = {"some_artist", "monochrome", "watermark"}
    assert gone == decided(plan, "dropped")
    for number in (0, 17, 50):
        tags = set(captions[planted.name(number)].split(", "))
        kept = {tag.replace("_", " ") for tag in written(dataset, number, without=gone)}
        assert tags == {"alicew", "wonder", *kept}  # no rating


def test_what_a_person_decides_wins(caption: Any, dataset: Planted) -> None:
    words = ("--purpose", "character", "--trigger-words", "alicew")
    captions, plan, said = caption(
        *words, "--keep-tags", "Cat Ears, hal*", "--fold-tags", "detached sleeves, no_such_tag"
    )
    assert decided(plan, "folded") == {*IDENTITY, "detached_sleeves"} - {"cat_ears", "halo"}
    assert "no_such_tag" in said
    assert captions["00.png"].startswith("alicew, 1girl, solo, cat_ears, halo, white_dress, ")
    assert "detached_sleeves" not in captions["00.png"]


def test_tags_are_folded_by_hand_without_a_purpose(caption: Any, dataset: Planted) -> None:
    captions, _, _ = caption("--fold-tags", "blue hair", "--trigger-words", "alicew")
    for number in range(PICTURES):
        expected = ["alicew", *written(dataset, number, without={"blue_hair"})]
        assert captions[planted.name(number)] == ", ".join(expected)


def test_without_a_purpose_nothing_changes_and_no_plan_is_made(caption: Any, dataset: Planted) -> None:
    captions, plan, said = caption("--trigger-words", "alicew")
    assert plan == {}
    assert "Plan" not in said
    for number in range(PICTURES):
        assert captions[planted.name(number)] == ", ".join(["alicew", *written(dataset, number)])


def test_a_dry_run_writes_nothing_and_its_plan_can_be_edited_and_given_back(
    cli: Run, caption: Any, dataset: Planted, tmp_path: Path
) -> None:
    words = ("--purpose", "character", "--trigger-words", "alicew")
    saved = tmp_path / "plan.json"
    command = ("caption", dataset.pictures, "--custom-model", dataset.model, *words, "--no-cache", "--dry-run")
    done = cli(*command, "--output", "nothing")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == []
    assert done.stdout.count("  before: ") == done.stdout.count("  after:  ") == 3
    assert "Result" not in done.stdout

    assert cli(*command, "--save-plan", saved).returncode == 0
    again = cli(*command, "--save-plan", saved)
    assert again.returncode == 1
    assert "there already" in again.stderr
    plan = json.loads(saved.read_text("utf-8"))
    for decision in plan["decisions"]:
        if decision["tag"] in ("halo", "aqua_eyes"):
            decision["decision"] = "kept"
    plan["decisions"].append({"tag": "White Dress", "decision": "folded"})
    saved.write_text(json.dumps(plan), "utf-8")
    captions, _, _ = caption(*words, "--plan", str(saved))
    gone = {*IDENTITY, "watermark", "white_dress", "short_hair"} - {"halo"}
    expected = ["alicew", *written(dataset, 10, without=gone, also={"alice_(wonder)": "wonder"})]
    assert "aqua_eyes" in expected
    assert captions["10.png"] == ", ".join(expected)


def test_a_plan_of_another_dataset_is_refused(cli: Run, dataset: Planted, photos: Path, tmp_path: Path) -> None:
    words = ("--custom-model", dataset.model, "--no-cache", "--dry-run")
    saved = tmp_path / "plan.json"
    first = cli("caption", dataset.pictures, *words, "--fold-tags", "halo", "--save-plan", saved)
    assert first.returncode == 0, first.stderr
    second = cli("caption", photos, *words, "--plan", saved)
    assert second.returncode == 2
    assert "a plan of 'pictures' with 60 pictures; this dataset has none of them" in second.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--purpose", "character"], "Trigger Words (trigger_words) is empty"),
        (["--purpose", "mood"], "allowed: none, character, outfit or style"),
        (["--caption-style", "midjourney"], "allowed: kohya, animagine, illustrious, noobai, pony or anima"),
        (["--plan", "nowhere.json"], "nowhere.json cannot be read"),
        (["--plan", "~no_such_user/plan.json"], "Plan (plan)"),
        (["--save-plan=~no_such_user/plan.json"], "--save-plan is ~no_such_user/plan.json: no such user"),
    ],
)
def test_bad_input_is_a_clear_error(cli: Run, dataset: Planted, words: list[str], message: str) -> None:
    done = cli("caption", dataset.pictures, "--custom-model", dataset.model, "--no-cache", "--dry-run", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fold_that_would_empty_every_caption_is_refused(cli: Run, dataset: Planted) -> None:
    letters = ",".join(f"{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz0123456789")
    done = cli("caption", dataset.pictures, "--custom-model", dataset.model, "--no-cache", "--fold-tags", letters)
    assert done.returncode == 2
    assert "no tag" in done.stderr


def test_a_third_of_another_character_folds_less_and_says_why(cli: Run, tmp_path: Path) -> None:
    plan, said = asked_about(cli, plant(tmp_path / "mixed", wrong=range(0, PICTURES, 3)), tmp_path / "plan.json")
    assert any("another character" in note for note in plan["notes"])
    assert "another character" in said


def test_a_datasets_own_plan_fits_also_where_every_picture_was_flattened(
    caption: Any, dataset: Planted, tmp_path: Path
) -> None:
    source = tmp_path / "with_transparency"
    source.mkdir()
    for path in sorted(dataset.pictures.iterdir())[:12]:
        with Image.open(path) as picture:
            picture.convert("RGBA").save(source / path.name)
    words = ("--purpose", "character", "--trigger-words", "alicew")
    captions, _, _ = caption(*words, source=source)
    plan = tmp_path / "out0" / ".wd14" / "plan.json"
    again, _, _ = caption(*words, "--plan", str(plan), source=tmp_path / "out0")
    assert again == captions


def test_one_picture_folds_nothing_and_says_why(cli: Run, tmp_path: Path) -> None:
    plan, _ = asked_about(cli, plant(tmp_path / "single", pictures=1), tmp_path / "plan.json")
    assert any("too few to tell what identifies" in note for note in plan["notes"])


def asked_about(cli: Run, dataset: Planted, saved: Path) -> tuple[dict[str, Any], str]:
    """The plan of a dataset of which nothing is folded and all traits are asked about, and what was said."""
    words = ("--purpose", "character", "--trigger-words", "alicew", "--no-cache", "--dry-run")
    done = cli("caption", dataset.pictures, "--custom-model", dataset.model, *words, "--save-plan", saved)
    assert done.returncode == 0, done.stderr
    plan = json.loads(saved.read_text("utf-8"))
    assert decided(plan, "folded") == set()
    assert set(IDENTITY) <= decided(plan, "ask")
    return plan, done.stdout


def test_the_summary_counts_what_this_job_scored(cli: Run, dataset: Planted, tmp_path: Path) -> None:
    """The second pass finds the scores of the first: they are not scores of an earlier run."""
    words = ("--custom-model", dataset.model, "--purpose", "character", "--trigger-words", "alicew")
    for cache in ("--no-cache", f"--cache-folder={tmp_path / 'scores'}"):
        done = cli("caption", dataset.pictures, *words, cache, "--output", tmp_path / cache[2:7])
        assert "Captioned 60 of 60 pictures" in done.stdout
        assert "from stored scores" not in done.stdout
    again = cli("caption", dataset.pictures, *words, cache)
    assert "(60 from stored scores)" in again.stdout


def test_in_place_uses_the_plan_too(cli: Run, tmp_path: Path) -> None:
    own = plant(tmp_path / "own")
    words = ("--custom-model", own.model, "--purpose", "character", "--trigger-words", "alicew", "--no-cache")
    done = cli("caption", own.pictures, *words, "--in-place")
    assert done.returncode == 0, done.stderr
    gone = {*IDENTITY, "watermark"}
    expected = ["alicew", *written(own, 0, without=gone, also={"alice_(wonder)": "wonder"})]
    assert (own.pictures / "00.txt").read_text("utf-8") == ", ".join(expected) + "\n"


#: What is wrong with the planted pictures whatever their captions are. All have 448 pixels a side.
_PICTURES = {
    ("same-picture", tuple(planted.SAME)),
    ("different-captions", tuple(planted.SAME)),
    ("blurred-picture", (planted.BLURRED,)),
    ("small-picture", tuple(range(PICTURES))),
}


def findings_of(findings: list[dict[str, Any]]) -> set[tuple[str, tuple[int, ...]]]:
    """Rules and numbers of pictures; notes about the dataset as a whole are left out."""
    found = ((each["rule"], tuple(int(Path(name).stem) for name in each["pictures"])) for each in findings)
    return {(rule, numbers) for rule, numbers in found if numbers}


def test_a_check_finds_exactly_what_was_planted(cli: Run, dataset: Planted, tmp_path: Path) -> None:
    words = ("--custom-model", dataset.model, "--cache-folder", tmp_path / "scores")
    done = cli(
        "caption", dataset.pictures, *words, "--trigger-words", "alicew", "--remove-underscore", "--output", "raw"
    )
    assert done.returncode == 0, done.stderr
    checked = cli("check", "raw", *words, "--max-tokens", "75", "--json")
    assert checked.returncode == 0, checked.stderr
    findings = json.loads(checked.stdout)["findings"]
    assert findings_of(findings) == _PICTURES | {
        *(("contradicting-tags", (number,)) for number in planted.CONTRADICTIONS),
        ("negative-left-over", planted.WATERMARKED),
        ("too-many-tokens", (planted.LONG,)),
    }
    unfolded = {each["reason"].partition(" ")[0] for each in findings if each["rule"] == "identity-not-folded"}
    assert len(unfolded) == len(IDENTITY)


def test_a_run_with_a_purpose_checks_itself(cli: Run, dataset: Planted, tmp_path: Path) -> None:
    words = ("--custom-model", dataset.model, "--cache-folder", tmp_path / "scores", "--remove-underscore")
    purpose = ("--purpose", "character", "--trigger-words", "alicew", "--max-tokens", "75")
    done = cli("caption", dataset.pictures, *words, *purpose, "--output", "out")
    assert done.returncode == 0, done.stderr
    findings = json.loads((tmp_path / "out" / ".wd14" / "findings.json").read_text("utf-8"))["findings"]
    assert findings_of(findings) == _PICTURES  # the contradictions, the watermark and the long caption are gone

    cut = captions_of(tmp_path / "out")[planted.name(planted.LONG)].split(", ")
    gone = {*IDENTITY, "watermark"}
    whole = ["alicew", *written(dataset, planted.LONG, without=gone, also={"alice_(wonder)": "wonder"})]
    whole = [tag.replace("_", " ") for tag in whole]
    assert cut == [tag for tag in whole if tag in cut]
    scores = {tag.replace("_", " "): score for tag, score in dataset.tags[planted.name(planted.LONG)].items()}
    assert {"alicew", "1girl", "solo", "wonder"} <= set(cut)
    dropped = set(whole) - set(cut)
    general = [tag for tag in cut if tag in scores and tag not in ("1girl", "solo", "some artist")]
    assert dropped
    assert max(scores[tag] for tag in dropped) <= min(scores[tag] for tag in general)


def test_the_captions_that_are_shown_are_those_that_are_written(
    dataset: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Words:
        """Counts fewer tokens than an estimate would."""

        is_exact = True

        def __call__(self, text: str) -> int:
            return text.count(",") + 1

    monkeypatch.setattr(pipeline, "token_counter", lambda *_, **__: Words())
    said: list[str] = []
    values = {"custom_model": str(dataset.model), "cache": "False", "purpose": "style", "max_tokens": "7"}
    pipeline.run_job(LocalHost(dataset.pictures, values, tmp_path / "out", say=said.append))
    captions = captions_of(tmp_path / "out")
    shown = {said[at].removeprefix("Caption of "): said[at + 2] for at in range(len(said)) if "Caption of " in said[at]}
    assert len(shown) == 3
    assert shown == {name: f"  after:  {captions[name]}" for name in shown}


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_picture_that_fails_is_named_once(cli: Run, dataset: Planted, tmp_path: Path, dry_run: bool) -> None:
    broken = Path(shutil.copytree(dataset.pictures, tmp_path / "broken"))
    (broken / "07.png").write_bytes(b"no picture")
    words = ("--custom-model", dataset.model, "--purpose", "character", "--trigger-words", "alicew", "--no-cache")
    done = cli("caption", broken, *words, *["--dry-run"] * dry_run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Failed: 07.png: not an image") == 1
    assert "trigger word alicew: 59 pictures." in done.stdout


def test_a_plan_is_saved_also_where_nothing_else_asks_for_one(cli: Run, dataset: Planted, tmp_path: Path) -> None:
    words = ("caption", dataset.pictures, "--custom-model", dataset.model, "--no-cache")
    saved = tmp_path / "plan.json"
    done = cli(*words, "--output", tmp_path / "out", "--save-plan", saved)
    assert done.returncode == 0, done.stderr
    assert json.loads(saved.read_text("utf-8"))["pictures"] == PICTURES
    nowhere = cli(*words, "--save-plan", tmp_path / "no" / "plan.json")
    assert nowhere.returncode == 1
    assert "is no folder" in nowhere.stderr
    assert "The model runs" not in nowhere.stdout  # known before any work


def test_the_model_runs_once_also_where_scores_cannot_be_stored(cli: Run, dataset: Planted, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("--custom-model", dataset.model, "--purpose", "character", "--trigger-words", "alicew")
    done = cli("caption", dataset.pictures, *words, "--cache-folder", tmp_path / "file" / "scores")
    assert done.returncode == 0, done.stderr
    assert "the score store is not used" in done.stdout
    assert done.stdout.count("The model runs on") == 1
    assert "Captioned 60 of 60 pictures" in done.stdout
    assert "from stored scores" not in done.stdout
