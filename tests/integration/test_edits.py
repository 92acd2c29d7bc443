"""A person's edits through the command line: made again by every later run, whatever else changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.integration.conftest import Run
from tests.support.planted import Planted, plant
from tests.support.scripted_model import Tag, save_scripted_model
from wd14.review.single_file import data_of


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return plant(tmp_path / "planted", pictures=6)


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"version": 1, "edits": entries}), "utf-8")
    return path


def captions(dataset: Path) -> dict[str, list[str]]:
    rows = map(json.loads, (dataset / "train" / "metadata.jsonl").read_text("utf-8").splitlines())
    return {row["file_name"]: row["caption"].split(", ") for row in rows}


@pytest.fixture
def edits(planted: Planted, tmp_path: Path) -> Path:
    """Halo goes everywhere; on 00 the sky comes in, 01 is one's own words, 02 is out, 03 has been deleted."""
    of = [[sha(planted.pictures / f"{number:02}.png")] for number in range(4)]
    (planted.pictures / "03.png").unlink()
    return save(
        tmp_path / "edits.json",
        {"op": "remove", "tag": "halo", "rows": "all"},
        {"op": "add", "tag": "night_sky", "rows": of[0]},
        {"op": "replace", "tag": "blue_hair", "with": "teal thing", "rows": of[0]},
        {"op": "set", "caption": "my words", "rows": of[1]},
        {"op": "reject", "rows": of[2]},
        {"op": "remove", "tag": "dragon", "rows": of[3] + of[0]},
    )


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--thresh", "0.9"],
        ["--caption-style", "animagine", "--rating", "none", "--trigger-words", "alicew"],
        ["--purpose", "style", "--trigger-words", "alicew", "--undesired-tags", "night_sky"],
        ["--max-tokens", "20"],
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_a_persons_word_stays_whatever_the_options(
    planted: Planted, edits: Path, cli: Run, tmp_path: Path, options: list[str]
) -> None:
    run = ["caption", planted.pictures, "--custom-model", planted.model, "--edits", edits, *options]
    done = cli(*run, "--output", "out")
    assert done.returncode == 0, done.stderr
    found = captions(tmp_path / "out")
    written = {tag.replace(" ", "_") for tag in found["00.png"]}
    assert {"night_sky", "teal_thing"} <= written
    assert not {"halo", "blue_hair"} & written
    assert found["01.png"] == ["my words"]
    assert found.keys() == {"00.png", "01.png", "04.png", "05.png"}
    assert "halo" not in found["04.png"]
    assert (tmp_path / "out" / ".wd14" / "edits.json").read_bytes() == edits.read_bytes()
    report = json.loads((tmp_path / "out" / ".wd14" / "report.json").read_text("utf-8"))
    assert report["summary"]["rejected"] == 1
    assert report["rows"][2]["status"] == "rejected"
    assert "Captioned 4 of 5 pictures" in done.stdout
    assert "1 rejected by the edits" in done.stdout
    assert "Edits: 6 edits, made in 3 captions, 1 picture rejected." in done.stdout
    assert "Edits: 1 of 4 pictures that they name is not in this dataset." in done.stdout
    assert "1 edit found the tag in no caption: remove 'dragon' (2 pictures)." in done.stdout
    assert cli(*run, "--output", "again").returncode == 0
    for name in ("train/metadata.jsonl", ".wd14/edits.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_another_model_and_other_names(planted: Planted, edits: Path, cli: Run, tmp_path: Path) -> None:
    for number in (0, 1, 2):
        picture = planted.pictures / f"{number:02}.png"
        picture.rename(picture.with_name(f"renamed {number}.png"))
    other = save_scripted_model(
        tmp_path / "other", [Tag("1girl", 0, 0.9), Tag("blue_hair", 0, 0.8), Tag("halo", 0, 0.7)]
    )
    done = cli("caption", planted.pictures, "--custom-model", other, "--edits", edits, "--output", "out")
    assert done.returncode == 0, done.stderr
    assert captions(tmp_path / "out") == {
        "04.png": ["1girl", "blue_hair"],
        "05.png": ["1girl", "blue_hair"],
        "renamed 0.png": ["1girl", "teal thing", "night_sky"],
        "renamed 1.png": ["my words"],
    }


def test_edits_of_a_photograph_follow_it_into_a_dataset_where_it_was_flattened(
    photos: Path, cli: Run, tmp_path: Path
) -> None:
    with Image.open(photos / "coffee.png") as picture:
        picture.convert("RGBA").save(photos / "coffee.png")
    edits = save(tmp_path / "edits.json", {"op": "add", "tag": "my cup", "rows": [sha(photos / "coffee.png")]})
    run = ["caption", "--generation-model", "builtin/colours"]
    assert cli(*run, photos, "--output", "first").returncode == 0
    assert sha(tmp_path / "first" / "train" / "coffee.png") != sha(photos / "coffee.png")
    done = cli(*run, "first", "--edits", edits, "--output", "second")
    assert done.returncode == 0, done.stderr
    assert [name for name, tags in captions(tmp_path / "second").items() if "my cup" in tags] == ["coffee.png"]
    assert "not in this dataset" not in done.stdout
    (edit,) = data_of(tmp_path / "second" / ".wd14" / "review.html")["edits"]
    assert (edit["rows"], edit["lost"]) == ([3], [])


def test_text_files_in_place_change_only_as_the_person_says(photos: Path, cli: Run, tmp_path: Path) -> None:
    names = {number: sha(photos / name) for number, name in enumerate(("astronaut.png", "camera.png", "coffee.png"))}
    edits = save(
        tmp_path / "edits.json",
        {"op": "add", "tag": "my own", "rows": [names[0], names[1]]},
        {"op": "remove", "tag": "old", "rows": [names[1]]},
        {"op": "reject", "rows": [names[2]]},
    )
    (photos / "camera.txt").write_text("old, mine\n", "utf-8")
    (photos / "coffee.txt").write_text("mine too\n", "utf-8")
    run = ["caption", photos, "--generation-model", "builtin/colours", "--in-place", "--edits", edits]
    assert cli(*run).returncode == 0
    assert (photos / "astronaut.txt").read_text("utf-8").endswith(", my own\n")
    assert (photos / "camera.txt").read_text("utf-8") == "old, mine\n", "what a person wrote is not replaced unasked"
    assert cli(*run, "--append-tags").returncode == 0
    text = (photos / "camera.txt").read_text("utf-8")
    assert text.startswith("mine, ")
    assert text.endswith(", my own\n")
    assert (photos / "coffee.txt").read_text("utf-8") == "mine too\n", "a rejected picture's file stays"
    assert (photos / "coffee.png").exists()
    assert cli(*run, "--append-tags").returncode == 0
    assert (photos / "camera.txt").read_text("utf-8") == text


def test_a_job_of_which_nothing_is_left(photos: Path, cli: Run, tmp_path: Path) -> None:
    run = ["caption", photos, "--generation-model", "builtin/colours", "--output", "out", "--on-error", "stop"]
    all_out = save(tmp_path / "edits.json", {"op": "reject", "rows": "all"})
    done = cli(*run, "--edits", all_out)
    assert done.returncode == 1
    assert "the edits reject all of 5 pictures" in done.stderr
    assert not (tmp_path / "out").exists()


def test_of_copies_the_first_one_is_kept(photos: Path, cli: Run, tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg"):
        (photos / name).write_bytes((photos / "china.jpg").read_bytes())
    for name in ("gone.png", "gone too.png"):
        (photos / name).symlink_to("nowhere.png")
    edits = save(tmp_path / "edits.json", {"op": "reject", "keep": "first", "rows": "all"})
    run = ["caption", photos, "--generation-model", "builtin/colours", "--edits", edits]
    for number, more in enumerate(([], ["--purpose", "style", "--trigger-words", "me"])):
        done = cli(*run, *more, "--output", f"out{number}")
        assert done.returncode == 0, done.stderr
        assert sorted(captions(tmp_path / f"out{number}")) == [
            *("a.jpg", "astronaut.png", "camera.png", "coffee.png", "rocket.jpg")
        ]
        assert "Edits: 1 edit, made in 0 captions, 2 pictures rejected." in done.stdout


def test_a_rejected_picture_cannot_end_a_job(photos: Path, cli: Run, tmp_path: Path) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    edits = save(tmp_path / "edits.json", {"op": "reject", "rows": [sha(photos / "broken.png")]})
    run = ["caption", photos, "--generation-model", "builtin/colours", "--output", "out", "--on-error", "stop"]
    assert cli(*run).returncode == 1
    assert cli(*run, "--edits", edits).returncode == 0
    dry = cli(*run, "--edits", edits, "--dry-run")
    assert "Plan without a purpose: 5 pictures." in dry.stdout
    assert dry.stdout.endswith("pictures that the edits reject are left out, and other edits are not made.\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 1, "edits": [{"op": "drop"}]}', "entry 1: op: expected add, remove, replace, set or reject"),
        (
            '{"version": 1, "edits": [{"op": "add", "tag": "a, b", "rows": "all"}]}',
            "entry 1: 'a, b' holds the captions' separator ', ', which would cut it",
        ),
    ],
)
def test_edits_that_cannot_be_made_are_said_before_any_work(
    photos: Path, cli: Run, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "edits.json").write_text(text, "utf-8")
    done = cli("caption", photos, "--generation-model", "builtin/colours", "--edits", "edits.json")
    assert done.returncode == 2
    assert f"Edits (edits): {message}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
