"""The whole job from a shell: photographs in, a dataset out that `datasets` reads."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from tests.integration.conftest import Run

BUILTIN = ("--generation-model", "builtin/colours")
NAMES = ["astronaut.png", "camera.png", "china.jpg", "coffee.png", "rocket.jpg"]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_photographs_become_a_dataset_that_datasets_reads(cli: Run, photos: Path, tmp_path: Path) -> None:
    before = tree(photos)
    done = cli("caption", photos, "--output", "OUT", *BUILTIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Captioned 5 of 5 pictures" in done.stdout
    assert f"Result: {tmp_path / 'OUT'}" in done.stdout
    assert tree(photos) == before

    read = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "OUT"), cache_dir=str(tmp_path / "hf"))["train"]
    assert read.column_names == ["image", "caption"]
    assert [row["file_name"] for row in rows_of(tmp_path / "OUT")] == NAMES
    assert read["caption"][:] == [row["caption"] for row in rows_of(tmp_path / "OUT")]
    for name, row in zip(NAMES, read, strict=True):
        assert (tmp_path / "OUT" / "train" / name).read_bytes() == (photos / name).read_bytes()
        assert np.array_equal(np.asarray(row["image"]), np.asarray(Image.open(photos / name)))
    captions = {row["file_name"]: row["caption"].split(", ") for row in rows_of(tmp_path / "OUT")}
    assert {"monochrome", "greyscale"} <= set(captions["camera.png"])
    assert "greyscale" not in captions["astronaut.png"]
    assert "dark" in captions["rocket.jpg"]


AWKWARD = [
    "train station.jpg",
    "test1.png",
    "valid.png",
    "COCO_train2014_1.jpg",
    "eval-2.png",
    "data-00000-of-00001.png",
]


def test_no_set_of_names_costs_a_row_or_a_caption(cli: Run, tmp_path: Path) -> None:
    """In one flat folder `datasets` takes `test1.png` for the test split."""
    (tmp_path / "odd").mkdir()
    for number, name in enumerate(AWKWARD):
        Image.new("RGB", (20 + number, 20), (40 * number, 0, 0)).save(tmp_path / "odd" / name)
    cli("caption", "odd", "--output", "OUT", "--trigger-words", "mine", "--caption-column", "text", *BUILTIN)
    read = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "OUT"), cache_dir=str(tmp_path / "hf"))
    assert list(read) == ["train"]
    assert read["train"].column_names == ["image", "text"]
    assert [image.width for image in read["train"]["image"]] == [20 + AWKWARD.index(name) for name in sorted(AWKWARD)]
    assert all(text.startswith("mine, ") for text in read["train"]["text"])


def test_splits_stay_apart_when_all_are_read(cli: Run, photos: Path, tmp_path: Path) -> None:
    for split, names in (("val", NAMES[:2]), ("train", NAMES[2:])):
        (tmp_path / "set" / split).mkdir(parents=True)
        for name in names:
            shutil.copy(photos / name, tmp_path / "set" / split)
    cli("caption", "set", "--output", "OUT", "--split", "all", *BUILTIN)
    read = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "OUT"), cache_dir=str(tmp_path / "hf"))
    assert {split: len(rows) for split, rows in read.items()} == {"train": 3, "validation": 2}
    cli("caption", "set", "--output", "ONE", "--split", "val", *BUILTIN)
    assert [row["file_name"] for row in rows_of(tmp_path / "ONE")] == NAMES[:2]


def test_a_second_run_changes_nothing_and_says_where_it_wrote(cli: Run, photos: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = cli("caption", photos, "--output", "OUT", *BUILTIN)
    assert "OUT was there already and is untouched." in done.stdout
    assert f"Result: {tmp_path / 'OUT-2'}" in done.stdout
    first, second = tree(tmp_path / "OUT"), tree(tmp_path / "OUT-2")
    hidden = {".wd14/report.json", ".wd14/provenance.json", ".wd14/review.html"}
    assert {k: v for k, v in first.items() if k not in hidden} == {k: v for k, v in second.items() if k not in hidden}
    statuses = [row["status"] for row in json.loads((tmp_path / "OUT-2/.wd14/report.json").read_text())["rows"]]
    assert statuses == ["captioned-from-scores"] * 5


def test_without_an_output_the_result_is_named_after_the_source(cli: Run, photos: Path, tmp_path: Path) -> None:
    cli("caption", photos, *BUILTIN)
    assert len(rows_of(tmp_path / "photos_captions")) == 5
    cli("caption", photos, *BUILTIN, "--output-dataset-name", "mine")
    assert len(rows_of(tmp_path / "mine")) == 5


def as_dataset(photos: Path) -> datasets.Dataset:
    paths = [str(photos / name) for name in NAMES]
    return datasets.Dataset.from_dict({"image": paths, "label": list(range(5))}).cast_column("image", datasets.Image())


def make_parquet(photos: Path, place: Path) -> Path:
    as_dataset(photos).to_parquet(str(place / "data.parquet"))
    return place / "data.parquet"


def make_saved(photos: Path, place: Path) -> Path:
    as_dataset(photos).save_to_disk(str(place / "saved"))
    return place / "saved"


def make_metadata(photos: Path, place: Path) -> Path:
    """As the host's page leaves an upload of bare pictures."""
    lines = [json.dumps({"file_name": name, "label": "", "split": "train"}) for name in NAMES]
    (photos / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    (photos / "index.json").write_text("{}")
    return photos


def make_tar(photos: Path, place: Path) -> Path:
    with tarfile.open(place / "set.tar", "w") as archive:
        for name in NAMES:
            archive.add(photos / name, name)
            text = io.BytesIO(b"{}")
            member = tarfile.TarInfo(f"{Path(name).stem}.json")
            member.size = 2
            archive.addfile(member, text)
    return place / "set.tar"


def make_zip(photos: Path, place: Path) -> Path:
    """As the host's page leaves an upload of a packed folder."""
    (place / "dataset").mkdir()
    shutil.make_archive(str(place / "dataset" / "photos"), "zip", place, photos.name)
    (place / "dataset" / "index.json").write_text("{}")
    return place / "dataset"


@pytest.mark.parametrize("make", [make_parquet, make_saved, make_metadata, make_tar, make_zip])
def test_every_kind_of_source_gives_the_captions_of_the_folder(
    cli: Run, photos: Path, tmp_path: Path, make: Any
) -> None:
    cli("caption", photos, "--output", "from_folder", *BUILTIN)
    expected = [(row["file_name"], row["caption"]) for row in rows_of(tmp_path / "from_folder")]
    done = cli("caption", make(photos, tmp_path), "--output", "OUT", "--no-cache", *BUILTIN)
    assert (done.returncode, done.stderr) == (0, "")
    found = [(row["file_name"], row["caption"]) for row in rows_of(tmp_path / "OUT")]
    assert [caption for _, caption in found] == [caption for _, caption in expected]
    assert [Path(name).stem for name, _ in found] == [Path(name).stem for name, _ in expected]
    for name in NAMES:
        same = [path for path in (tmp_path / "OUT" / "train").glob("*") if path.stem == Path(name).stem]
        assert same[0].read_bytes() == (photos / name).read_bytes()


def test_pictures_with_transparency_are_saved_on_white(cli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "clear"
    folder.mkdir()
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(folder / "a.png")
    Image.new("P", (64, 64), 3).save(folder / "b.gif")
    Image.new("RGB", (64, 64), (0, 0, 255)).save(folder / "c.png")
    cli("caption", folder, "--output", "flat", *BUILTIN)
    assert [row["file_name"] for row in rows_of(tmp_path / "flat")] == ["a.png", "b.png", "c.png"]
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / "flat" / "train" / name) as image:
            assert (image.mode, image.format) == ("RGB", "PNG")
    assert Image.open(tmp_path / "flat" / "train" / "a.png").getpixel((5, 5)) == (255, 255, 255)
    assert (tmp_path / "flat" / "train" / "c.png").read_bytes() == (folder / "c.png").read_bytes()
    cli("caption", folder, "--output", "kept", "--no-flatten-transparency", *BUILTIN)
    for name in ("a.png", "b.gif"):
        assert (tmp_path / "kept" / "train" / name).read_bytes() == (folder / name).read_bytes()


def test_bad_pictures_fail_by_name_and_the_good_ones_come_out(cli: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "b_text.png").write_text("this is no picture")
    (photos / "c_empty.jpg").write_bytes(b"")
    whole = (photos / "rocket.jpg").read_bytes()
    (photos / "d_cut.jpg").write_bytes(whole[: len(whole) // 2])
    done = cli("caption", photos, "--output", "OUT", *BUILTIN)
    assert done.returncode == 0
    assert "Captioned 5 of 8 pictures" in done.stdout
    assert "3 failed" in done.stdout
    report = json.loads((tmp_path / "OUT/.wd14/report.json").read_text())
    failed = {row["input"]: row["reason"] for row in report["rows"] if row["status"] == "failed"}
    assert set(failed) == {"b_text.png", "c_empty.jpg", "d_cut.jpg"}
    assert "empty" in failed["c_empty.jpg"]
    assert "cut short" in failed["d_cut.jpg"]
    for name, reason in failed.items():
        assert f"{name}: {reason}" in done.stdout
    assert [row["file_name"] for row in rows_of(tmp_path / "OUT")] == NAMES


def test_one_bad_picture_stops_the_job_where_that_is_wanted(cli: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "b_text.png").write_text("this is no picture")
    done = cli("caption", photos, "--output", "OUT", "--on-error", "stop", *BUILTIN)
    assert done.returncode == 1
    assert "b_text.png" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_missing_file_of_a_metadata_row_fails_alone(cli: Run, photos: Path, tmp_path: Path) -> None:
    make_metadata(photos, tmp_path)
    (photos / "coffee.png").unlink()
    done = cli("caption", photos, "--output", "OUT", *BUILTIN)
    assert done.returncode == 0
    assert "Captioned 4 of 5 pictures" in done.stdout
    assert "not found" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere"], 2, ["nowhere"]),
        (["empty"], 1, ["empty"]),
        (["photos", "--image-field", "picture"], 2, ["picture", "image"]),
        (["photos", "--split", "test"], 2, ["test"]),
        (["photos", "--thresh", "7"], 2, ["Tag Confidence Threshold", "7", "from 0 to 1"]),
        (["photos", "--no-such-option", "7"], 2, ["--no-such-option"]),
        (["photos", "--generation-model", "nowhere/at/../all"], 2, ["nowhere"]),
        (["photos", "--output", "a_file/OUT"], 1, ["a_file"]),
        (["bad"], 1, ["none of 1 picture"]),
        ([], 2, ["SOURCE"]),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(
    cli: Run, photos: Path, tmp_path: Path, words: list[str], code: int, told: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a_file").write_text("x")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_text("no picture")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = cli("caption", *BUILTIN, *words)
    assert done.returncode == code, done.stderr
    for text in told:
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_in_place_writes_text_files_and_nothing_else(cli: Run, photos: Path, tmp_path: Path) -> None:
    before = tree(photos)
    (photos / "coffee.txt").write_text("by hand")
    done = cli("caption", photos, "--in-place", *BUILTIN)
    assert done.returncode == 0
    assert (photos / "camera.txt").read_text() == "monochrome, greyscale\n"
    assert (photos / "coffee.txt").read_text() == "by hand"
    assert "coffee.txt is there already" in done.stdout
    after = tree(photos)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"{Path(name).stem}.txt" for name in NAMES}
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    done = cli("caption", photos, "--in-place", "--append-tags", *BUILTIN)
    assert done.returncode == 0
    assert (photos / "coffee.txt").read_text().startswith("by hand, ")


def test_what_a_person_wrote_in_place_survives_a_caption_column(cli: Run, photos: Path) -> None:
    lines = [{"file_name": name, "text": f"column {name}"} for name in ("coffee.png", "camera.png")]
    (photos / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (photos / "coffee.txt").write_text("by hand")
    for written in (2, 0):
        done = cli("caption", photos, "--in-place", "--append-tags", *BUILTIN)
        assert done.returncode == 0
        left = f", {2 - written} left alone" if written < 2 else ""
        assert done.stdout.endswith(f"Result: {written} caption files written in {photos}{left}\n")
        assert (photos / "coffee.txt").read_text().startswith("by hand, ")
        assert "column" not in (photos / "coffee.txt").read_text()
        assert (photos / "camera.txt").read_text() == "column camera.png, monochrome, greyscale\n"


def test_a_python_user_has_the_same(photos: Path, tmp_path: Path) -> None:
    from wd14 import CaptionConfig, caption_dataset

    config = CaptionConfig(generation_model="builtin/colours", rating="first")
    summary = caption_dataset(photos, config, output=tmp_path / "OUT")
    assert (summary.total, summary.succeeded, summary.failed) == (5, 5, 0)
    assert summary.output == str(tmp_path / "OUT")
    assert all(row["caption"].startswith("general") for row in rows_of(tmp_path / "OUT"))


def test_an_archive_with_captions_and_bad_members(cli: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "camera.txt").write_text("by hand")
    (photos / "d_cut.jpg").write_bytes((photos / "rocket.jpg").read_bytes()[:2000])
    packed = shutil.make_archive(str(tmp_path / "set"), "zip", photos)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = cli("caption", packed, "--append-tags", "--output", "OUT", *BUILTIN)
    assert done.returncode == 0
    assert "Captioned 5 of 6 pictures" in done.stdout
    assert "d_cut.jpg: the file is cut short" in done.stdout
    captions = {row["file_name"]: row["caption"] for row in rows_of(tmp_path / "OUT")}
    assert captions["camera.png"] == "by hand, monochrome, greyscale"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "OUT"])
    Path(packed).write_bytes(Path(packed).read_bytes()[:-100])
    done = cli("caption", packed, *BUILTIN)
    assert done.returncode == 1
    assert "set.zip: it is no zip archive, or is cut short" in done.stderr
    assert "Traceback" not in done.stderr
