"""A dataset that several models made: what they disagree on, in the report, the page, and again from stored scores."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.browser import Tab
from tests.support.review_page import captions, open_page, open_panel, settle
from tests.support.scripted_model import SIDE, Tag, save_scripted_model
from wd14.checking import check_source
from wd14.hosts.local import LocalHost
from wd14.pipeline import run_job
from wd14.review.edit_file import EditFile
from wd14.review.entries import Entry
from wd14.review.single_file import data_of
from wd14.reviewing import review_dataset
from wd14.serving import ApplyJob
from wd14.stop import StopToken

#: Scores of smile and hat by the first model, then by the second. Each threshold is 0.35.
SCORES = {
    "a.png": (0.9, 0.9, 0.1, 0.3),  # both disputed, smile by far
    "b.png": (0.9, 0.9, 0.9, 0.9),
    "c.png": (0.1, 0.9, 0.6, 0.9),  # smile disputed, the other way round
    "d.png": (0.8, 0.1, 0.1, 0.1),  # smile disputed
}
PLACES = [(0, 0), (0, 4), (0, 8), (0, 12)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, scores in SCORES.items():
        picture = Image.new("RGB", (SIDE, SIDE))
        for (row, column), score in zip(PLACES, scores, strict=True):
            picture.putpixel((column, row), (0, 0, round(255 * score)))
        picture.save(folder / name)
    return folder


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """The parameters of an ensemble of two; each model knows a tag that the other one lacks."""
    models = {
        name: save_scripted_model(
            tmp_path / name,
            [
                *(Tag("general", 9, 0.8), Tag(smile, 0, 0, PLACES[place], 1), Tag("hat", 0, 0, PLACES[place + 1], 1)),
                Tag(own, 0, 0.9),
            ],
        )
        for name, smile, own, place in (("first", "smile", "cat", 0), ("second", "Smile", "dog", 2))
    }
    cache = str(tmp_path / "cache")
    return {"custom_model": str(models["first"]), "ensemble": [str(models["second"])], "cache_folder": cache}


def run(pictures: Path, output: Path, values: dict[str, Any]) -> tuple[Path, list[str]]:
    """The dataset, and what the job said."""
    said: list[str] = []
    summary = run_job(LocalHost(pictures, values, output, say=said.append))
    assert summary.output is not None
    return Path(summary.output), said


def disagreements(page: Path) -> list[tuple[str, list[int]]]:
    return [(each["reason"], each["rows"]) for each in data_of(page)["findings"] if each["rule"] == "disagreement"]


def test_the_report_the_closing_lines_and_the_page_say_what_the_models_disagree_on(
    pictures: Path, values: dict[str, Any], tmp_path: Path
) -> None:
    dataset, said = run(pictures, tmp_path / "out", values)

    assert "The models disagree most on smile in 3 pictures, hat in 1." in said
    report = json.loads((dataset / ".wd14" / "report.json").read_text("utf-8"))["disagreement"]
    smile, hat = report["tags"]
    by_model = {values["custom_model"]: 2, values["ensemble"][0]: 1}
    assert (smile["tag"], smile["pictures"], smile["kept"], smile["kept_by"]) == ("smile", 3, 0, by_model)
    assert (hat["tag"], hat["rows"]) == ("hat", [0])
    assert [each["picture"] for each in report["worst_pictures"]] == ["a.png", "d.png", "c.png"]
    assert disagreements(dataset / ".wd14" / "review.html") == [
        ("The models disagree in 3 pictures of 4", [0, 2, 3]),
        ("smile in 3 pictures: first keeps it in 2, second in 1; the vote in 0", [0, 2, 3]),
        ("hat in 1 picture: first keeps it in 1, second in 0; the vote in 0", [0]),
    ]


def test_tags_that_no_caption_has_are_not_disputed(pictures: Path, values: dict[str, Any], tmp_path: Path) -> None:
    dataset, said = run(pictures, tmp_path / "out", {**values, "undesired_tags": ["SMILE"]})
    assert "The models disagree most on hat in 1 picture." in said
    of_the_run = disagreements(dataset / ".wd14" / "review.html")

    review_dataset(dataset)

    assert disagreements(dataset / ".wd14" / "review.html") == of_the_run
    assert len(of_the_run) == 2


def test_review_and_check_read_the_stored_scores_of_all_models(
    pictures: Path, values: dict[str, Any], tmp_path: Path
) -> None:
    dataset, _ = run(pictures, tmp_path / "out", {**values, "category_thresholds": {"general": 0.5}})
    page = dataset / ".wd14" / "review.html"
    of_the_run = data_of(page)

    review_dataset(dataset)

    again = data_of(page)
    assert again["findings"] == of_the_run["findings"]
    assert again["captions"] == of_the_run["captions"]
    assert again["candidates"] == of_the_run["candidates"]
    assert again["rules_missing"] == of_the_run["rules_missing"]
    assert "dog" in again["vocabulary"]["names"]
    assert not any("model" in remark for remark in check_source(dataset).remarks)


def test_a_model_that_is_gone_is_named(pictures: Path, values: dict[str, Any], tmp_path: Path) -> None:
    dataset, _ = run(pictures, tmp_path / "out", values)
    Path(values["ensemble"][0]).rename(tmp_path / "elsewhere")

    (remark,) = (each for each in check_source(dataset).remarks if "model" in each)
    review = review_dataset(dataset)

    assert values["ensemble"][0] in remark
    assert "A model of the run" in review.data["rules_missing"]
    assert len(review.data["names"]) == 4


def test_a_click_shows_the_pictures_in_which_a_tag_is_disputed(
    chromium_tab: Tab, pictures: Path, values: dict[str, Any], tmp_path: Path
) -> None:
    dataset, _ = run(pictures, tmp_path / "out", values)
    tab = chromium_tab
    open_page(tab, dataset / ".wd14" / "review.html")
    open_panel(tab, "findings")
    tab.click(".finding-group:last-child .finding-kind summary")
    settle(tab)

    assert [text.partition(" ")[0] for text in tab.text(".finding-list .finding-reason")][1:] == ["smile", "hat"]
    tab.click(".finding-list li:last-child .finding-show")
    settle(tab)
    assert list(captions(tab)) == ["a.png"]


def test_apply_captions_with_all_models_again_from_their_scores(
    pictures: Path, values: dict[str, Any], tmp_path: Path
) -> None:
    dataset, _ = run(pictures, tmp_path / "out", values)
    edits = EditFile(dataset)
    rejected = sha256((pictures / "a.png").read_bytes()).hexdigest()
    edits.merge([Entry("a", 1, {"op": "reject", "rows": [rejected]})])
    said: list[str] = []
    job = ApplyJob(review_dataset(dataset), dataset, None, edits.path, say=said.append, stop=StopToken())

    job.start({})
    job.wait()

    assert job.state()["error"] is None
    kept = lines_of(Path(job.state()["output"]))
    assert kept == {name: caption for name, caption in lines_of(dataset).items() if name != "a.png"}
    assert "The models disagree most on smile in 2 pictures." in said
    assert not any("runs on" in line for line in said)


def lines_of(dataset: Path) -> dict[str, str]:
    lines = (dataset / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row["caption"] for row in map(json.loads, lines)}
