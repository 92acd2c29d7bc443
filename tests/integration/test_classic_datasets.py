"""The new dataset in the classic host's own hands: its trainers, its preview and its caption editor.

Each check does what a function of the host does, which it names.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from tests.support.classic_host import ClassicHost

#: Names from which `datasets` would guess splits, and names that look like its own.
NAMES = (
    *("train station.jpg", "test1.png", "valid.png", "COCO_train2014_1.jpg", "dev_2.webp", "eval.png"),
    *("train-00000-of-00001.png", "metadata.png", "it's.png", "日本.png"),
)
#: Modes that the host cannot write as JPEG, or that are rare, each with a format that holds it.
MODES = {
    "RGBA": "png",
    "P": "gif",
    "LA": "png",
    "I;16": "png",
    "F": "tiff",
    "LAB": "tiff",
    "CMYK": "jpg",
    "1": "png",
    "I": "tiff",
}


def picture(mode: str) -> Image.Image:
    grey = np.linspace(0, 255, 48 * 40).reshape(40, 48)
    if mode == "I;16":
        return Image.fromarray((grey * 257).astype(np.uint16))
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32))
    if mode == "LAB":
        return Image.new("LAB", (48, 40), (120, 128, 128))
    rgba = Image.new("RGBA", (48, 40), (200, 30, 60, 128))
    return rgba if mode == "RGBA" else rgba.convert("L" if mode == "I" else "RGB").convert(mode)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that a job in the host made of awkward names and modes."""
    host = ClassicHost(tmp_path_factory.mktemp("home"))
    source = host.datasets / "awkward"
    source.mkdir()
    for number, name in enumerate(NAMES):
        Image.new("RGB", (40, 40), (number * 20, 200, 100)).save(source / name)
    for mode, ending in MODES.items():
        picture(mode).save(source / f"mode {mode.replace(';', '')}.{ending}")
    host.register(source)
    done = host.run({"dataset_name": "awkward", "generation_model": "builtin/colours", "thresh": 0.2})
    assert done.shown == f"Success: captioned {len(NAMES) + len(MODES)} of {len(NAMES) + len(MODES)} pictures"
    return host.datasets / "awkward_captions"


def captions(folder: Path, column: str = "caption") -> dict[str, str]:
    lines = (folder / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row[column] for row in map(json.loads, lines)}


def check(dataset: Any, folder: Path) -> None:
    """The dataset has all pictures, each with its own caption, and each can be shown as JPEG."""
    assert dataset.column_names == ["image", "caption"]
    assert isinstance(dataset.features["image"], datasets.Image)
    paths = [Path(row["path"]).name for row in dataset.cast_column("image", datasets.Image(decode=False))["image"]]
    assert dict(zip(paths, dataset["caption"], strict=True)) == captions(folder)
    assert len(dataset) == len(NAMES) + len(MODES)
    for image in dataset["image"]:
        image.save(io.BytesIO(), format="JPEG")  # as `serialize_row` of the host's data router


def top_level_files(folder: Path) -> list[str]:
    """What the host takes for data files at the top: all but index.json and hidden ones."""
    return [path.name for path in folder.iterdir() if path.is_file() and path.name != "index.json"]


def test_trainers_get_pictures_and_captions(made: Path, tmp_path: Path) -> None:
    """`TLabPlugin.load_dataset`: the folder itself where no .json, .jsonl or .csv lies at its top."""
    assert top_level_files(made) == []
    assert datasets.get_dataset_split_names(str(made)) == ["train"]
    assert datasets.get_dataset_config_names(str(made)) == ["default"]
    check(datasets.load_dataset(str(made), split="train", cache_dir=str(tmp_path)), made)


def test_the_preview_shows_every_picture(made: Path, tmp_path: Path) -> None:
    """`dataset_service.load_local_dataset`, then the first split."""
    loaded = datasets.load_dataset(path=str(made), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    check(loaded["train"], made)


def test_an_imagefolder_it_is(made: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset("imagefolder", data_dir=str(made), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    check(loaded["train"], made)


def test_the_editor_opens_every_picture(made: Path) -> None:
    """`dataset_edit_with_template`: every .json, .jsonl and .csv at any depth, hidden folders too."""
    rows: list[Mapping[str, Any]] = []
    for path in sorted(made.rglob("*")):
        if path.suffix == ".jsonl":
            entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        elif path.suffix == ".json":
            content = json.loads(path.read_text("utf-8"))
            entries = [content] if isinstance(content, dict) else content
        else:
            assert path.suffix != ".csv"
            continue
        for entry in entries:
            if entry.get("file_name"):
                assert path.parent == made / "train"  # the editor takes the split from the folder's name
                Image.open(path.parent / entry["file_name"]).save(io.BytesIO(), format="JPEG")
                rows.append(entry)
    assert {row["file_name"]: row["caption"] for row in rows} == captions(made)
    assert not any("/" in row["file_name"] for row in rows)


def test_the_card_says_what_it_is(made: Path) -> None:
    index = json.loads((made / "index.json").read_text("utf-8"))
    total = len(NAMES) + len(MODES)
    assert index["description"].startswith(f"{total} of {total} pictures, colours, general 0.2; most frequent: ")
    assert index["size"] == sum(path.stat().st_size for path in (made / "train").iterdir() if path.suffix != ".jsonl")
    assert (made / index["json_data"]["files"][0]).is_file()


@pytest.mark.parametrize("column", ["caption", "text"])
def test_a_single_picture_is_enough_for_all_of_them(tmp_path: Path, column: str) -> None:
    """One picture beside one index.json: which of the two is the data must not be a matter of counting."""
    host = ClassicHost(tmp_path / "home")
    (host.datasets / "one").mkdir()
    Image.new("RGB", (40, 40), "red").save(host.datasets / "one" / "test.png")
    host.register(host.datasets / "one")
    host.run({"dataset_name": "one", "generation_model": "builtin/colours", "caption_column": column})
    folder = host.datasets / "one_captions"
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.column_names == ["image", column]
    assert loaded[column] == list(captions(folder, column).values())
