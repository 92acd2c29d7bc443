"""A job for a trainer: its files, one folder a concept, text files, and all of it loaded again."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from wd14.cli import main as cli
from wd14.config import CaptionConfig
from wd14.hosts.local import LocalHost
from wd14.pipeline import run_job

#: Names of folders that could go wrong: splits and hidden folders of `datasets`, one name in two cases.
FOLDERS = (
    *("10_alice", "5_bob/sub", "crowd", "3_test", "my dev-2", "__x", "it's [1] 猫", "Crowd", "a.png", "metadata.jsonl"),
    *("**", "what?", "%20", "{1}", "~", "-", "CON", "validation.x"),
)


def put(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number * 11 % 256, 255 - number, number)).save(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two pictures in every folder and one above them, with names in which `datasets` would see splits."""
    place = tmp_path / "pictures"
    put(place / "test.png", 0)
    for number, folder in enumerate(FOLDERS):
        put(place / folder / "test1.png", 2 * number + 1)
        put(place / folder / "train station.png", 2 * number + 2)
    return place


def caption(source: Path, output: Path, **values: Any) -> list[str]:
    said: list[str] = []
    values = {"custom_model": "builtin/colours", "cache": "False", "trigger_words": "me", **values}
    run_job(LocalHost(source, values, output, say=said.append))
    return said


def loaded(output: Path, tmp_path: Path) -> dict[str, list[tuple[str, Any]]]:
    """The captions and a colour of each row, by split."""
    found = datasets.load_dataset("imagefolder", data_dir=str(output), cache_dir=str(tmp_path / "cache"))
    assert {tuple(rows.column_names) for rows in found.values()} == {("image", "caption")}
    return {
        str(split): sorted((row["caption"], row["image"].getpixel((0, 0))) for row in rows)
        for split, rows in found.items()
    }


def written(output: Path, split: str = "train") -> list[tuple[str, Any]]:
    lines = [json.loads(line) for line in (output / split / "metadata.jsonl").read_text("utf-8").splitlines()]
    rows = []
    for line in lines:
        picture = output / split / line["file_name"]
        assert picture.with_suffix(".txt").read_text("utf-8") == line["caption"] + "\n"
        rows.append((line["caption"], Image.open(picture).getpixel((0, 0))))
    return sorted(rows)


def test_every_folder_is_a_concept_and_everything_loads(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    said = caption(source, output, trainer="kohya")
    rows = written(output)
    assert len(rows) == 2 * len(FOLDERS) + 1
    assert len({colour for _, colour in rows}) == len(rows)
    assert loaded(output, tmp_path) == {"train": rows}

    (dataset,) = tomllib.loads((output / ".wd14" / "dataset.toml").read_text("utf-8"))["datasets"]
    repeats = {Path(subset["image_dir"]).name: subset["num_repeats"] for subset in dataset["subsets"]}
    assert all(Path(subset["image_dir"]).is_dir() for subset in dataset["subsets"])
    assert {folder.name for folder in (output / "train").iterdir() if folder.is_dir()} == set(repeats)
    named = {"10_alice": 10, "5_bob": 5, "3_tests": 3}
    # 10_alice is shown most, 20 times: folders of two pictures 10 times each, the single picture 20 times.
    assert repeats == dict.fromkeys(repeats, 10) | named | {"pictures": 20}
    assert "The folder 3_test is called 3_tests in the new dataset" in said
    assert (output / ".wd14" / "sample_prompts.txt").read_text("utf-8").splitlines()[1].startswith("me --w 1024")

    caption(output, tmp_path / "again", trainer="kohya")
    assert written(tmp_path / "again") == rows
    assert sorted(path.relative_to(output) for path in output.rglob("*.png")) == sorted(
        path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.png")
    )


def test_a_folder_without_folders_is_one_concept(tmp_path: Path) -> None:
    put(tmp_path / "pictures" / "a.png", 1)
    said = caption(tmp_path / "pictures", tmp_path / "out", trainer="diffusion-pipe")
    config = tomllib.loads((tmp_path / "out" / ".wd14" / "dataset.toml").read_text("utf-8"))
    assert config["directory"] == [{"path": str(tmp_path / "out" / "train" / "pictures"), "num_repeats": 1}]
    # The trainer takes whatever else lies there for a picture.
    assert {path.suffix for path in (tmp_path / "out" / "train" / "pictures").iterdir()} == {".png", ".txt"}
    assert "An epoch has 1 picture: 1 step at batch size 1. pictures: 1 picture x 1." in said
    assert any(line.endswith(f"dataset = '{tmp_path / 'out' / '.wd14' / 'dataset.toml'}'") for line in said)


def test_the_trainer_gets_the_split_train_only(tmp_path: Path) -> None:
    for number, name in enumerate(("train/10_a/1.png", "train/b/2.png", "test/10_a/3.png")):
        put(tmp_path / "pictures" / name, number)
    caption(tmp_path / "pictures", tmp_path / "out", trainer="onetrainer", split="all")
    concepts = json.loads((tmp_path / "out" / ".wd14" / "concepts.json").read_text("ascii"))
    assert [concept["path"] for concept in concepts] == [
        str(tmp_path / "out" / "train" / name) for name in ("10_a", "b")
    ]
    assert loaded(tmp_path / "out", tmp_path) == {
        split: written(tmp_path / "out", split) for split in ("train", "test")
    }


def test_a_taken_name_leads_to_the_paths_of_the_free_one(tmp_path: Path) -> None:
    put(tmp_path / "pictures" / "10_a" / "1.png", 1)
    for _ in range(2):
        caption(tmp_path / "pictures", tmp_path / "out", trainer="ai-toolkit")
    text = (tmp_path / "out-2" / ".wd14" / "ai-toolkit.yaml").read_text("utf-8")
    assert f'folder_path: "{tmp_path / "out-2" / "train" / "10_a"}"' in text


def test_without_a_trainer_nothing_changes(source: Path, tmp_path: Path) -> None:
    caption(source, tmp_path / "out")
    assert not any(path.is_dir() for path in (tmp_path / "out" / "train").iterdir())
    beside = {path.name for path in (tmp_path / "out" / ".wd14").iterdir()}
    assert beside == {"report.json", "provenance.json", "review.html", "thumbnails"}


def test_the_program_takes_it_and_refuses_it_in_place(source: Path, tmp_path: Path) -> None:
    words = ["caption", str(source), "--generation-model=builtin/colours", "--no-cache"]
    output = tmp_path / "out"
    assert cli.main([*words, "--output", str(output), "--trainer=kohya", "--caption-extension=.caption"]) == 0
    assert (output / "train" / "10_alice" / "test1.caption").is_file()
    assert cli.main([*words, "--trainer=kohya", "--in-place"]) == 2
    assert not list(source.rglob("*.txt"))
    assert CaptionConfig().text_files is None
