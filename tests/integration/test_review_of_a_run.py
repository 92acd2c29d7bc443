"""The review page at the end of a run says what the run's files and the scores say."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.planted import plant
from tests.support.rule_reader import RuleReader
from tests.support.scripted_model import Tag, save_scripted_model
from wd14.config import CaptionConfig
from wd14.hosts.local import LocalHost
from wd14.pipeline import caption_dataset, run_job
from wd14.review.single_file import data_of
from wd14.types import Summary

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;"
TAGS = [
    *(Tag("general", 9, 0.6), Tag("explicit", 9, 0.01)),
    *(Tag("1girl", 0, 0.99), Tag("long_hair", 0, 0.4), Tag("smile", 0, 0.2), Tag("hat", 0, 0.04)),
    *(Tag(HOSTILE, 0, 0.9), Tag("bright", 0, 0.0, pixel=(224, 224), gain=1.0), Tag("saber_(fate)", 4, 0.9)),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_scripted_model(tmp_path / "model", TAGS)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A large JPEG that lies on its side, pictures with alpha, of grey, of one pixel, and one that is broken."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (600, 900, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(folder / "a lying.jpg", exif=exif)
    Image.new("RGBA", (460, 460), (255, 0, 0, 0)).save(folder / "b.png")
    Image.new("L", (300, 200), 128).save(folder / "c.png")
    Image.new("RGB", (1, 1)).save(folder / "d'\"&.png")
    (folder / "e.png").write_bytes(b"no picture")
    return folder


def run(source: Path, output: Path, **values: Any) -> tuple[Path, Summary]:
    summary = caption_dataset(source, CaptionConfig.from_values(values), output=output)
    assert summary.output is not None
    return Path(summary.output), summary


def lines_of(dataset: Path) -> dict[str, str]:
    """The caption of each picture, as the dataset has it."""
    lines = (dataset / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {f"train/{line['file_name']}": line["caption"] for line in map(json.loads, lines)}


def test_it_says_what_the_files_and_the_scores_say(pictures: Path, model: Path, tmp_path: Path) -> None:
    values: dict[str, Any] = {"custom_model": str(model), "rating": "first", "trigger_words": "me"}
    dataset, _ = run(pictures, tmp_path / "out", **values)
    text = (dataset / ".wd14" / "review.html").read_text("utf-8")
    assert "<img src=x" not in text
    data = data_of(dataset / ".wd14" / "review.html")
    report = json.loads((dataset / ".wd14" / "report.json").read_text("utf-8"))["rows"]
    assert data["names"] == [row["output"] for row in report]
    assert all(row["source"] in source for source, row in zip(data["sources"], report, strict=True))
    assert data["status"] == [0, 0, 0, 0, 2]
    assert data["reasons"] == {"4": report[4]["reason"]}
    assert data["notes"] == {str(row): each["notes"] for row, each in enumerate(report) if "notes" in each} != {}
    sizes = np.frombuffer(base64.b64decode(data["sizes"]), "<u2").tolist()
    assert sizes == [600, 900, 460, 460, 300, 200, 1, 1, 0, 0]
    reader = RuleReader(data)
    written = lines_of(dataset)
    assert {name: reader.base(row) for row, name in enumerate(data["names"]) if name} == written
    assert {name: reader.caption(row) for row, name in enumerate(data["names"]) if name} == written
    names = data["vocabulary"]["names"]
    for row, bright in ((1, 1.0), (2, 128 / 255), (3, 0.0)):
        scores = {each.name: each.score for each in TAGS} | {"bright": bright}
        kept = {name: score for name, score in scores.items() if score >= 0.05 or name == "explicit"}
        found = {names[number]: step for number, step in reader.candidates(row)}
        assert found == {name: step_of(score) for name, score in kept.items()}
        assert [step for _, step in reader.candidates(row)] == sorted(found.values(), reverse=True)
    shas = bytes.fromhex("".join(row.get("sha256", "00" * 32) for row in report))
    assert reader.shas() == [shas[place : place + 32] for place in range(0, len(shas), 32)]


def step_of(score: float) -> int:
    return int(np.searchsorted((np.arange(10_001) / 10_000).astype(np.float32), np.float32(score), "right")) - 1


def test_thumbnails_are_small_upright_and_on_white_also_in_a_run_again(
    pictures: Path, model: Path, tmp_path: Path
) -> None:
    for cache in ({"cache": "True"}, {"cache": "True"}, {"cache": "False"}):
        dataset, _ = run(pictures, tmp_path / "out", custom_model=str(model), **cache)
        folder = dataset / ".wd14" / "thumbnails"
        assert sorted(path.name for path in folder.iterdir()) == ["0.webp", "1.webp", "2.webp", "3.webp"]
        assert data_of(dataset / ".wd14" / "review.html")["thumbnails"]["missing"] == [4]
        made = [Image.open(io.BytesIO((folder / f"{row}.webp").read_bytes())) for row in range(4)]
        assert [image.format for image in made] == ["WEBP"] * 4
        assert [image.size for image in made] == [(128, 192), (192, 192), (192, 128), (1, 1)]
        assert made[1].convert("RGB").getpixel((96, 96)) == (255, 255, 255)
        assert made[2].convert("L").getpixel((96, 64)) == pytest.approx(128, abs=2)


def test_a_run_again_makes_no_thumbnail_anew(
    pictures: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = run(pictures, tmp_path / "out", custom_model=str(model))
    monkeypatch.setattr("wd14.decoding.thumbnail_of", lambda _: None)
    second, _ = run(pictures, tmp_path / "out", custom_model=str(model), thresh="0.1")
    for name in ("0.webp", "3.webp"):
        assert (second / ".wd14/thumbnails" / name).read_bytes() == (first / ".wd14/thumbnails" / name).read_bytes()


def test_a_thumbnail_that_cannot_be_made_costs_only_itself(
    pictures: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wd14.decoding.thumbnail_of", lambda _: None)
    dataset, summary = run(pictures, tmp_path / "out", custom_model=str(model))
    assert summary.succeeded == 4
    assert data_of(dataset / ".wd14" / "review.html")["thumbnails"]["missing"] == [0, 1, 2, 3, 4]


def test_a_page_that_cannot_be_written_costs_only_itself(
    pictures: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wd14.review_pass.write_page", full)
    lines: list[str] = []
    summary = run_job(LocalHost(pictures, {"custom_model": str(model)}, tmp_path / "out", say=lines.append))
    assert summary.succeeded == 4
    assert "The review page could not be written: No space left on device" in lines
    assert {path.name for path in (tmp_path / "out" / ".wd14").iterdir()} == {"report.json", "provenance.json"}


def test_beyond_the_limit_there_is_a_line_and_nothing_else(
    pictures: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wd14.review_pass.MOST_PICTURES", 3)
    lines: list[str] = []
    for total in (True, False):
        if not total:  # a source that does not know how many pictures it has
            monkeypatch.setattr("wd14.review_pass._is_small", lambda _: True)
        host = LocalHost(pictures, {"custom_model": str(model)}, tmp_path / "out", say=lines.append)
        place = run_job(host).output
        assert place is not None
        assert not any(line.startswith("Review page") for line in lines)
        there = {path.name for path in (Path(place) / ".wd14").iterdir()}
        assert there == {"report.json", "provenance.json"}
    assert sum("The review page is made for up to 3 pictures" in line for line in lines) == 2


def test_a_person_is_told_where_the_page_is(pictures: Path, model: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    run_job(LocalHost(pictures, {"custom_model": str(model)}, tmp_path / "out", say=lines.append))
    (line,) = (line for line in lines if line.startswith("Review page"))
    assert Path(line.partition(": ")[2]) == tmp_path / "out" / ".wd14" / "review.html"


def test_none_is_made_where_none_is_wanted(pictures: Path, model: Path, tmp_path: Path) -> None:
    dataset, _ = run(pictures, tmp_path / "out", custom_model=str(model), review="False")
    assert {path.name for path in (dataset / ".wd14").iterdir()} == {"report.json", "provenance.json"}
    run(pictures, tmp_path / "out", custom_model=str(model), in_place="True")
    assert not (pictures / ".wd14").exists()


def test_findings_plan_and_edits_are_in_it(model: Path, tmp_path: Path) -> None:
    planted = plant(tmp_path / "planted", pictures=8)
    first = sorted(planted.pictures.iterdir())[0]
    edits = tmp_path / "edits.json"
    sha = hashlib.sha256(first.read_bytes()).hexdigest()
    edits.write_text(json.dumps({"version": 1, "edits": [{"op": "set", "caption": "mine", "rows": [sha]}]}), "utf-8")
    values = {"custom_model": str(planted.model), "trigger_words": "alicew", "edits": str(edits)}
    for purpose in ("none", "character"):
        dataset, _ = run(planted.pictures, tmp_path / "out", purpose=purpose, **values)
        data = data_of(dataset / ".wd14" / "review.html")
        assert [(edit["op"], edit["rows"], edit["lost"]) for edit in data["edits"]] == [("set", [0], [])]
        assert RuleReader(data).base(0).startswith("alicew")
        assert lines_of(dataset)[data["names"][0]] == "mine"
        assert (data["plan"] is None) == (purpose == "none")
        if purpose == "character":
            written = json.loads((dataset / ".wd14" / "findings.json").read_text("utf-8"))["findings"]
            assert [found["rule"] for found in data["findings"]] == [found["rule"] for found in written]
            assert data["plan"]["decisions"] == json.loads((dataset / ".wd14/plan.json").read_text())["decisions"]
        for found in data["findings"]:
            assert all(0 <= row < len(data["status"]) for row in found["rows"])


def test_the_page_of_a_run_without_a_purpose_has_findings(pictures: Path, model: Path, tmp_path: Path) -> None:
    dataset, _ = run(pictures, tmp_path / "out", custom_model=str(model), thresh="1", character_threshold="1")
    assert "no-caption" in {found["rule"] for found in data_of(dataset / ".wd14/review.html")["findings"]}
