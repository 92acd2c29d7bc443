"""`wd14-captioner check` on real datasets: what it finds, what it says, what it exits with."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from datasets import Image as ImageFeature
from PIL import Image, ImageFilter
from skimage import data as photographs

from tests.integration.conftest import Run
from tests.support.scripted_model import Tag, save_scripted_model
from wd14 import CaptionConfig, caption_dataset
from wd14.checking import check_source
from wd14.errors import JobStoppedError
from wd14.model.runtimes.openvino_session import fast_on
from wd14.stop import StopToken

Found = dict[str, set[str]]

TAGS = [
    *(Tag(name, 0, 0.6) for name in ("1girl", "solo", "smile", "sky", "white_dress")),
    *(Tag(name, 0, 0.0) for name in ("long_hair", "rocket", "dress", "outdoors")),
    Tag("general", 9, 0.9),
]


def found_in(source: Path, **parameters: Any) -> Found:
    """Rule -> the pictures it names."""
    found: Found = {}
    for finding in check_source(source, parameters).findings:
        found.setdefault(finding.rule, set()).update(finding.pictures)
    return found


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder, with its time and its bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_scripted_model(tmp_path / "model", TAGS)


@pytest.fixture
def kohya(photos: Path) -> Path:
    """A folder of kohya's, with a mistake of each kind."""
    folder = photos.parent / "training"
    for concept, names in {
        "10_space": ["astronaut.png", "rocket.jpg"],
        "1_things": ["coffee.png", "camera.png"],
    }.items():
        (folder / concept).mkdir(parents=True)
        for name in names:
            shutil.copy(photos / name, folder / concept)
    things = folder / "1_things"
    shutil.copy(things / "coffee.png", things / "again.png")
    (things / "cut.png").write_bytes((things / "coffee.png").read_bytes()[:20_000])
    with Image.open(photos / "china.jpg") as image:
        image.resize((900, 700)).filter(ImageFilter.GaussianBlur(6)).save(things / "blurred.png")
    texts = {
        "10_space/astronaut": "mytrig, 1girl, solo, smile, long_hair, 2girls",
        "10_space/rocket": "mytrig, rokcet, outdoors, sky, white_dress\nsmile",
        "1_things/coffee": "",
        "1_things/again": "rocket, sky, mytrig, outdoors, dress",
        "1_things/blurred": "mytrig, sky",
    }
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return folder


def test_a_folder_of_text_files(kohya: Path, model: Path) -> None:
    before = contents(kohya)
    found = found_in(kohya, trigger_words="mytrig", generation_model=str(model))
    assert found == {
        "unreadable-picture": {"1_things/cut.png"},
        "no-caption": {"1_things/coffee.png", "1_things/camera.png"},
        "several-lines": {"10_space/rocket.jpg"},
        "late-trigger": {"1_things/again.png"},
        "contradicting-numbers": {"10_space/astronaut.png"},
        "unknown-tag": {"10_space/rocket.jpg"},
        "too-few-tags": {"1_things/blurred.png"},
        "same-picture": {"1_things/again.png", "1_things/coffee.png"},
        "small-picture": {"10_space/rocket.jpg", "1_things/again.png", "1_things/coffee.png"},
        "blurred-picture": {"1_things/blurred.png"},
        "unbalanced-folders": set(),
    }
    assert contents(kohya) == before


def test_a_dataset_of_our_own_says_itself_what_its_captions_are_like(photos: Path, model: Path, tmp_path: Path) -> None:
    parameters = {"generation_model": str(model), "trigger_words": "mytrig", "undesired_tags": "white_dress"}
    output = Path(caption_dataset(photos, CaptionConfig.from_values(parameters), output=tmp_path / "set").output or "")
    assert set(found_in(output)) == {"small-picture"}
    lines = [json.loads(line) for line in (output / "train/metadata.jsonl").read_text("utf-8").splitlines()]
    lines[0]["caption"] = lines[0]["caption"].removeprefix("mytrig, ")
    lines[1]["caption"] += ", white dress, general"
    lines[2]["caption"] += ", dress"
    (output / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    names = [f"train/{line['file_name']}" for line in lines]
    found = found_in(output)
    assert found["missing-trigger"] == {names[0]}
    assert found["left-out-tag-is-back"] == found["rating-left-over"] == {names[1]}
    assert found["implied-tag-is-back"] == {names[2]}
    assert "missing-trigger" not in found_in(output, trigger_words="1girl")  # the caller's word counts


def test_a_model_that_was_named_by_a_relative_path_is_found_from_any_folder(
    photos: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    caption_dataset(photos, CaptionConfig(custom_model=model.name), output=tmp_path / "made")
    monkeypatch.chdir("/")
    assert not [line for line in check_source(tmp_path / "made").remarks if "model" in line]


@pytest.mark.parametrize(
    "run",
    [
        {},
        pytest.param(
            {"device": "openvino", "precision": "fast"},
            marks=pytest.mark.skipif(not fast_on("openvino"), reason="no bfloat16, or no OpenVINO"),
        ),
    ],
)
def test_stored_scores_are_compared_with_the_captions(
    run: dict[str, str], photos: Path, model: Path, tmp_path: Path
) -> None:
    config = CaptionConfig.from_values({"generation_model": str(model), **run})
    output = Path(caption_dataset(photos, config, output=tmp_path / "set").output or "")
    metadata = output / "train/metadata.jsonl"
    metadata.write_text(metadata.read_text("utf-8").replace("smile", "rocket"), "utf-8")
    assert len(found_in(output)["doubtful-tag"]) == 5
    assert "doubtful-tag" not in found_in(output, cache=False)


def test_a_plan_says_which_tags_must_not_come_back(photos: Path, model: Path, tmp_path: Path) -> None:
    config = CaptionConfig.from_values({"generation_model": str(model)})
    output = Path(caption_dataset(photos, config, output=tmp_path / "set").output or "")
    decisions = [
        {"tag": "white_dress", "decision": "folded", "rule": "outfit"},
        {"tag": "smile", "decision": "kept"},
        {"tag": "sky", "decision": "dropped", "beside": "outdoors"},
    ]
    (output / ".wd14/plan.json").write_text(json.dumps({"version": 1, "decisions": decisions}), "utf-8")
    report = check_source(output)
    assert [each.reason for each in report.findings if each.rule == "left-out-tag-is-back"] == [
        "white_dress was to be left out"
    ]
    (output / ".wd14/plan.json").write_text("{", "utf-8")
    assert any("plan.json" in remark for remark in check_source(output).remarks)


def test_tables_and_imagefolders(photos: Path, tmp_path: Path) -> None:
    paths = sorted(photos.iterdir())
    captions = ["1girl, solo, smile, sky, day, night", "", *["one, two, three, four, five"] * (len(paths) - 2)]
    rows = {"image": [{"bytes": path.read_bytes(), "path": path.name} for path in paths], "text": captions}
    table = Dataset.from_dict(rows).cast_column("image", ImageFeature())
    (tmp_path / "table").mkdir()
    table.to_parquet(tmp_path / "table" / "train.parquet", batch_size=2)
    lines = [{"file_name": path.name, "text": text} for path, text in zip(paths, captions, strict=True)]
    (photos / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    for source in (tmp_path / "table", photos):
        found = found_in(source)
        assert (len(found["contradicting-tags"]), len(found["no-caption"])) == (1, 1), source
    assert found["contradicting-tags"] == {paths[0].name}


def test_json_is_one_object_and_nothing_else(cli: Run, kohya: Path) -> None:
    done = cli("check", kohya, "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert (report["pictures"], report["numbers"]["error"]) == (7, 3)
    assert {"rule", "severity", "reason", "advice", "pictures"} == set(report["findings"][0])


def exit_code(cli: Run, *words: str | Path) -> int:
    done: subprocess.CompletedProcess[str] = cli("check", *words)
    assert "Traceback" not in done.stderr
    return done.returncode


def test_exit_codes(cli: Run, kohya: Path, photos: Path, tmp_path: Path) -> None:
    assert exit_code(cli, kohya) == 0
    assert exit_code(cli, kohya, "--strict") == 1
    for path in photos.iterdir():
        path.with_suffix(".txt").write_text("one, two, three, four, five", "utf-8")
    assert exit_code(cli, photos, "--strict") == 0  # there are warnings, and no errors
    assert exit_code(cli, tmp_path / "nowhere") == 2
    assert exit_code(cli, kohya, "--max-tokens", "many") == 2
    assert exit_code(cli, kohya, "--generation-model", "no model at all") == 2
    (tmp_path / "empty").mkdir()
    assert exit_code(cli, tmp_path / "empty") == 1


def test_what_a_person_reads(cli: Run, kohya: Path) -> None:
    done = cli("check", kohya, "--trigger-words", "mytrig")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{kohya}: 7 pictures checked, 3 errors, 9 warnings."
    assert "is not on this machine" in " ".join(map(str.strip, lines[1:4]))
    assert [line for line in lines if line in ("Errors", "Warnings", "Worth a look")] == ["Errors", "Warnings"]
    assert max(map(len, lines[1:])) <= 100
    assert done.stderr == ""


def test_a_check_can_be_stopped(kohya: Path) -> None:
    stop = StopToken()
    stop.request()
    with pytest.raises(JobStoppedError):
        check_source(kohya, stop=stop)


def encoded(image: Image.Image) -> bytes:
    """The bytes of a PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_splits_are_all_read_and_are_no_folders_to_balance(photos: Path, tmp_path: Path) -> None:
    names: Sequence[str] = ("train/a/1", "train/a/2", "train/b/1", "train/b/2", "test/a/1")
    for number, name in enumerate(names):
        path = tmp_path / "set" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(photos / "astronaut.png") as image:
            path.write_bytes(encoded(image.rotate(90 * number) if number < 4 else image))
        path.with_suffix(".txt").write_text("one, two, three, four, five", "utf-8")
    found = found_in(tmp_path / "set")
    assert found == {"same-picture": {"train/a/1.png", "test/a/1.png"}}


def test_a_part_is_reported_once_both_pictures_were_opened_again(tmp_path: Path) -> None:
    whole = Image.open(Path(photographs.__file__).with_name("chelsea.png"))
    whole.crop((60, 30, 360, 240)).resize((240, 168)).save(tmp_path / "part.jpg")
    whole.save(tmp_path / "whole.png")
    report = check_source(tmp_path)
    assert [each.pictures for each in report.findings if each.rule == "near-duplicates"] == [("part.jpg", "whole.png")]
    assert not any("part" in remark for remark in report.remarks)
    rows = {"image": [{"bytes": path.read_bytes(), "path": None} for path in sorted(tmp_path.iterdir())]}
    Dataset.from_dict(rows).cast_column("image", ImageFeature()).to_parquet(tmp_path / "set" / "rows.parquet")
    report = check_source(tmp_path / "set")
    assert "near-duplicates" not in {each.rule for each in report.findings}
    assert any("without a file of their own" in remark for remark in report.remarks)
