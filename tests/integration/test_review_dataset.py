"""`wd14-captioner review` on real datasets: what the page says of them, and that they stay as they are."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from datasets import Image as ImageFeature
from PIL import Image

from tests.integration.conftest import Run
from tests.support.browser import Tab
from tests.support.review_page import captions, edit, open_page, saved, show_captions
from tests.support.scripted_model import Tag, save_scripted_model
from wd14 import CaptionConfig, caption_dataset
from wd14.caption.editing import Editor, whole_vocabulary
from wd14.errors import OutputError
from wd14.review.edits import parse_edits
from wd14.review.single_file import data_of
from wd14.reviewing import review_dataset
from wd14.types import Labels

CAPTIONS = {
    "astronaut.png": " 1girl,  solo ,long_hair\n",
    "camera.png": "A man looks into his camera. It is old, and heavy.",
    "china.jpg": "temple, <b>red</b> & old, </script><script>alert(1)</script>",
    "coffee.png": "",
}
TAGS = [
    *(Tag(name, 0, 0.6) for name in ("1girl", "solo", "smile", "sky", "white_dress")),
    *(Tag(name, 0, 0.1) for name in ("long_hair", "rocket", "dress", "outdoors")),
    Tag("alice_(wonder)", 4, 0.9),
    Tag("general", 9, 0.9),
]


def numbers(text: str, kind: str) -> list[int]:
    found: list[int] = np.frombuffer(base64.b64decode(text), kind).tolist()
    return found


def captions_of(data: dict[str, Any]) -> list[str]:
    """The base captions of a page."""
    ids, ends = (numbers(data["captions"][key], "<u4") for key in ("ids", "ends"))
    texts = [data["texts"][i] for i in ids]
    joined = [data["separator"].join(texts[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    return [data["raw"].get(str(row), caption) for row, caption in enumerate(joined)]


def page_of(dataset: Path) -> dict[str, Any]:
    """The data of the page that is made of a dataset."""
    return data_of(review_dataset(dataset).page)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder but those of ours, with its time and its bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".wd14" not in path.parts
    }


def text_folder(photos: Path) -> Path:
    for name, caption in CAPTIONS.items():
        (photos / name).with_suffix(".txt").write_text(caption, "utf-8")
    return photos


def imagefolder(photos: Path) -> Path:
    for number, split in enumerate(("train", "test")):
        (photos / split).mkdir()
        names = sorted(CAPTIONS)[number::2]
        lines = [json.dumps({"file_name": name, "text": CAPTIONS.get(name)}) for name in names]
        (photos / split / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
        for name in names:
            shutil.move(photos / name, photos / split / name)
    (photos / "rocket.jpg").unlink()
    return photos


def parquet(photos: Path) -> Path:
    paths = sorted(photos.iterdir())
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    rows = {"image": images, "caption": [CAPTIONS.get(path.name) for path in paths]}
    table = Dataset.from_dict(rows).cast_column("image", ImageFeature())
    table.to_parquet(str(photos.parent / "table.parquet"))
    return photos.parent / "table.parquet"


def tar_in_folder(photos: Path) -> Path:
    folder = photos.parent / "tars"
    folder.mkdir()
    with tarfile.open(folder / "all.tar", "w") as archive:
        for path in sorted(text_folder(photos).iterdir()):
            archive.add(path, path.name)
    return folder


@pytest.mark.parametrize("make", [text_folder, imagefolder, parquet, tar_in_folder])
def test_the_page_has_the_captions_that_its_command_gives(
    make: Callable[[Path], Path], photos: Path, cli: Run, tmp_path: Path
) -> None:
    dataset = make(photos)
    before = contents(tmp_path)
    page = tmp_path / "page.html" if dataset.is_file() else dataset / ".wd14" / "review.html"
    done = cli("review", dataset, *(("--output", page) if dataset.is_file() else ()))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Review page: {page}" in done.stdout
    assert contents(tmp_path).keys() - before.keys() <= {"page.html"}
    assert all(contents(tmp_path)[name] == file for name, file in before.items())

    data = data_of(page)
    rows = range(len(data["status"]))
    if dataset.is_file():
        assert all(data["thumbnails"]["inline"])
        assert data["dataset"]["folder"] == ""
    else:
        assert all((page.parent / "thumbnails" / f"{row}.webp").is_file() for row in rows)
    has_files = make in (text_folder, imagefolder)
    assert all((name is not None and (dataset / name).is_file()) == has_files for name in data["names"])
    assert {finding["rule"]: finding["rows"] for finding in data["findings"]}["no-caption"]

    program, *words = shlex.split(data["dataset"]["command"])
    assert program == "wd14-captioner"
    captioned = cli(*words, "--output", tmp_path / "again")
    assert captioned.returncode == 0, captioned.stderr
    report = json.loads((tmp_path / "again/.wd14/report.json").read_text("utf-8"))["rows"]
    written: dict[str, str] = {}
    for metadata in (tmp_path / "again").glob("*/metadata.jsonl"):
        lines = map(json.loads, metadata.read_text("utf-8").splitlines())
        written |= {f"{metadata.parent.name}/{line['file_name']}": line["caption"] for line in lines}
    assert captions_of(data) == [written[row["output"]] for row in report]
    assert any(captions_of(data))

    review_dataset(dataset, output=page if dataset.is_file() else None)
    assert data_of(page) == data


def test_edits_of_a_page_are_replayed_to_the_captions_that_it_shows(photos: Path, cli: Run, tmp_path: Path) -> None:
    data = page_of(text_folder(photos))
    sha = [base64.b64decode(data["sha"])[32 * row : 32 * row + 32].hex() for row in range(5)]
    edits: list[dict[str, Any]] = [
        {"op": "add", "tag": "Very Long Hair", "rows": [sha[0], sha[1], sha[4]]},
        {"op": "replace", "tag": "long hair", "with": "short hair", "rows": "all"},
        {"op": "remove", "tag": "temple", "rows": "all"},
        {"op": "set", "caption": "a cup of coffee, black", "rows": [sha[3]]},
        {"op": "reject", "rows": [sha[4]]},
    ]
    (photos / ".wd14/edits.json").write_text(json.dumps({"version": 1, "edits": edits}), "utf-8")
    data = page_of(photos)
    assert [edit["rows"] for edit in data["edits"]] == [[0, 1, 4], "all", "all", [3], [4]]

    editor = Editor(whole_vocabulary(Labels((), ()), CaptionConfig()), ", ")
    found = parse_edits((photos / ".wd14/edits.json").read_bytes())
    shown = [
        editor(caption, found.of(bytes.fromhex(sha[row])).edits).text for row, caption in enumerate(captions_of(data))
    ]
    words = shlex.split(data["dataset"]["command"])[1:]
    done = cli(*words, "--edits", photos / ".wd14/edits.json", "--output", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, (tmp_path / "new/train/metadata.jsonl").read_text("utf-8").splitlines())
    assert [line["caption"] for line in lines] == shown[:4]
    assert shown[0] == "1girl, solo, short hair, Very Long Hair"


def test_what_a_person_does_in_the_page_of_a_dataset_of_others_comes_back(
    chromium_tab: Tab, photos: Path, cli: Run, tmp_path: Path
) -> None:
    """Its model is known, and yet tags are written as they are typed: the job that replays the edits has no model."""
    model = save_scripted_model(tmp_path / "model", TAGS)
    review = review_dataset(text_folder(photos), {"custom_model": str(model)})
    assert set(review.data["vocabulary"]["names"]) == {tag.name for tag in TAGS}
    tab = chromium_tab
    open_page(tab, review.page)
    show_captions(tab)
    edit(tab, "add", "all", "White Dress")
    edit(tab, "replace", "all", "long hair", "alice_(wonder)")
    edit(tab, "remove", "all", "temple")
    shown = captions(tab)
    assert shown["astronaut.png"] == "1girl, solo, alice_(wonder), White Dress"
    file, (_, *words) = saved(tab)
    shutil.copy(file, tmp_path / "edits.json")
    assert words[-2:] == ["--edits", "edits.json"]
    done = cli(*words, "--output", "new")
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, (tmp_path / "new/train/metadata.jsonl").read_text("utf-8").splitlines())
    assert {line["file_name"]: line["caption"] for line in lines} == shown


@pytest.fixture
def ours(photos: Path, tmp_path: Path) -> Path:
    """A dataset of a run with edits: one picture failed, one is rejected, one was saved anew."""
    model = save_scripted_model(tmp_path / "model", TAGS)
    (photos / "camera.png").write_bytes((photos / "camera.png").read_bytes()[:9000])
    with Image.open(photos / "coffee.png") as image:
        image.convert("RGBA").rotate(10).save(photos / "coffee.png")
    sha = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in photos.iterdir()}
    edits = [
        {"op": "add", "tag": "long hair", "rows": "all"},
        {"op": "remove", "tag": "smile", "rows": [sha["coffee.png"]]},
        {"op": "reject", "rows": [sha["rocket.jpg"]]},
    ]
    (tmp_path / "edits.json").write_text(json.dumps({"version": 1, "edits": edits}), "utf-8")
    parameters = {
        "custom_model": str(model),
        "trigger_words": "me",
        "remove_underscore": True,
        "edits": str(tmp_path / "edits.json"),
        "fold_tags": "white_dress",
    }
    output = caption_dataset(photos, CaptionConfig.from_values(parameters), output=tmp_path / "set").output
    return Path(output or "")


def test_a_dataset_of_ours_has_the_page_of_its_run_again(ours: Path) -> None:
    page = ours / ".wd14/review.html"
    of_the_run = data_of(page)
    page.unlink()
    shutil.rmtree(ours / ".wd14/thumbnails")
    data = page_of(ours)
    assert data["status"] == [0, 2, 0, 0, 3]
    assert {key for key in data if data[key] != of_the_run[key]} == set()
    assert data_of(page)["rules"] is not None
    unedited = "me, 1girl, solo, smile, sky, alice (wonder)"
    assert captions_of(data) == [unedited, "", unedited, unedited, unedited], "of the rejected one, too"
    edits = json.loads((ours / ".wd14/edits.json").read_text("utf-8"))
    edits["edits"].append({"op": "add", "tag": "rocket", "rows": "all"})
    (ours / ".wd14/edits.json").write_text(json.dumps(edits), "utf-8")
    assert captions_of(page_of(ours)) == captions_of(data), "edits that were saved since are in no caption yet"


def test_undone_edits_leave_what_the_run_made_of_an_existing_caption(
    chromium_tab: Tab, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a style, with an option at its default that counts beside it; the command works from another folder."""
    monkeypatch.chdir(tmp_path)
    save_scripted_model(tmp_path / "model", TAGS)
    (photos / "astronaut.txt").write_text("a man in orange", "utf-8")
    sha = hashlib.sha256((photos / "astronaut.png").read_bytes()).hexdigest()
    edits = [{"op": "add", "tag": "hat", "rows": "all"}, {"op": "set", "caption": "sky", "rows": [sha]}]
    Path("edits.json").write_text(json.dumps({"version": 1, "edits": edits}), "utf-8")
    given = {"custom_model": "model", "caption_style": "pony", "rating": "none", "append_tags": True}
    values = {**given, "edits": "edits.json"}
    dataset = Path(caption_dataset(photos.name, CaptionConfig.from_values(values), output="set").output or "")
    values.pop("edits")
    plain = Path(caption_dataset(photos.name, CaptionConfig.from_values(values), output="plain").output or "")
    review = review_dataset(dataset)
    assert shlex.split(review.data["dataset"]["command"]) == [
        *("wd14-captioner", "caption", str(photos), "--caption-style=pony", "--rating=none", "--append-tags"),
        f"--custom-model={tmp_path / 'model'}",
    ]
    assert review.parameters.keys() == values.keys() | {"edits"}, "what Apply gives to its run"
    tab = chromium_tab
    open_page(tab, review.page)
    show_captions(tab)
    assert captions(tab)["astronaut.png"] == "sky"
    tab.click("#history")
    while tab.js("document.querySelector('dialog[open] li:not(.undone) button') !== null"):
        before = tab.js("document.querySelectorAll('dialog[open] li.undone').length")
        tab.click("dialog[open] li:not(.undone) button")
        tab.wait_until("document.querySelectorAll('dialog[open]').length > 0")
        if tab.js("document.querySelectorAll('dialog[open]').length > 1"):
            tab.click("dialog[open]:last-of-type .primary")
        tab.wait_until(f"document.querySelectorAll('dialog[open] li.undone').length > {before}")
    tab.press("Escape")
    lines = map(json.loads, (plain / "train/metadata.jsonl").read_text("utf-8").splitlines())
    assert captions(tab) == {line["file_name"]: line["caption"] for line in lines}


def test_captions_that_somebody_changed_are_the_ones_to_go_on_from(ours: Path) -> None:
    metadata = ours / "train/metadata.jsonl"
    metadata.write_text(metadata.read_text("utf-8").replace("solo", "my own", 1), "utf-8")
    captions = captions_of(page_of(ours))
    assert captions[0] == "me, 1girl, my own, smile, sky, alice (wonder), long hair"
    assert captions[2] == "me, 1girl, solo, smile, sky, alice (wonder)"


def test_a_picture_that_somebody_replaced_is_not_the_one_of_the_report(ours: Path) -> None:
    china = ours / "train/china.jpg"
    china.write_bytes((ours / "train/astronaut.png").read_bytes())
    data = page_of(ours)
    shas = base64.b64decode(data["sha"])
    assert data["names"][2] == "train/china.jpg"
    assert shas[64:96] == shas[:32] == hashlib.sha256(china.read_bytes()).digest()


def test_datasets_of_earlier_versions(ours: Path) -> None:
    """Their report knows no sha256, so what was saved anew has no stored scores."""
    report = ours / ".wd14/report.json"
    rows = json.loads(report.read_text("utf-8"))
    lines = [json.dumps({key: row[key] for key in row if not key.endswith("sha256")}) for row in rows["rows"]]
    report.write_text('{"rows": [\n' + ",\n".join(lines) + '\n],\n"summary": {}}\n', "utf-8")
    (ours / ".wd14/edits.json").unlink()
    data = page_of(ours)
    assert data["status"] == [0, 2, 0, 0, 3]
    assert data["reasons"]["1"] == "the file is cut short: its end is missing"
    ends = numbers(data["candidates"]["ends"], "<u4")
    assert [b > a for a, b in zip([0, *ends], ends, strict=False)] == [True, False, True, False, False]
    report.write_text("{", "utf-8")
    review = review_dataset(ours)
    assert any("which pictures failed" in remark for remark in review.check.remarks)
    assert review.data["status"] == [0, 0, 0]


def test_hostile_names(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set <script>alert(1)<!--"
    folder.mkdir()
    names = ['<!--<img src=x onerror="alert(1)">.png', "a#b?c%20d.png", "new\nline.png", "'\".png"]
    for name in (*names, os.fsdecode(b"\xff.png")):
        shutil.copy(photos / "camera.png", folder / name)
    review = review_dataset(folder)
    data = data_of(review.page)
    assert sorted(filter(None, data["names"])) == sorted(names)
    assert None in data["names"]
    text = review.page.read_text("utf-8")
    assert text.count("<script") == 2
    assert "onerror=" not in text.partition('id="data">')[0]
    assert review.picture(data["names"].index("new\nline.png")) == folder / "new\nline.png"


def test_nothing_but_ours_is_replaced(photos: Path, tmp_path: Path, cli: Run) -> None:
    text_folder(photos)
    hidden = photos / ".wd14"
    review_dataset(photos)
    (photos / "astronaut.png").unlink()
    (hidden / "thumbnails/mine.txt").write_text("mine", "utf-8")
    review_dataset(photos)
    assert sorted(path.name for path in (hidden / "thumbnails").iterdir()) == [
        *(f"{row}.webp" for row in range(4)),
        "mine.txt",
    ]
    (hidden / "review.html").write_text("<html>mine", "utf-8")
    with pytest.raises(OutputError, match=r"is no review page: take it away, or name a file elsewhere with --output"):
        review_dataset(photos)
    (hidden / "review.html").unlink()
    (hidden / "review.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(OutputError, match="is no review page"):
        review_dataset(photos)
    shutil.rmtree(hidden)
    (tmp_path / "elsewhere").mkdir()
    hidden.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is no folder of ours"):
        review_dataset(photos)
    hidden.unlink()
    hidden.write_text("a file", "utf-8")
    for dataset in (photos, photos / "china.jpg"):
        done = cli("review", dataset)
        assert done.returncode == 1
        assert "--output FILE.html" in done.stderr
    assert hidden.read_text("utf-8") == "a file"
    assert cli("review", photos, "--output", "there.html").returncode == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []
