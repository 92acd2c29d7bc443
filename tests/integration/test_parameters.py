"""Every parameter changes the result: through the command line, and as a host's panel, made of index.json, sends it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from tests.support.planted import plant
from tests.support.scripted_model import Tag, save_scripted_model
from wd14.cli import main as cli
from wd14.config import CaptionConfig
from wd14.errors import CaptionerError
from wd14.hosts.local import LocalHost
from wd14.images.opening import PictureFile
from wd14.model.tagger import Tagger
from wd14.pipeline import run_job

PANEL: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[2] / "index.json").read_text("utf-8"))[
    "parameters"
]
TAGS = [
    Tag("general", 9, 0.6),
    Tag("explicit", 9, 0.1),
    Tag("1girl", 0, 0.99),
    Tag("long_hair", 0, 0.4),
    Tag("very_long_hair", 0, 0.6),
    Tag("smile_(closed)", 0, 0.45),
    Tag("pixel", 0, 0.0, pixel=(200, 201), gain=1.0),
    Tag("upper_edge", 0, 0.0, pixel=(3, 224), gain=1.0),
    Tag("saber_(fate)", 4, 0.9),
    Tag("rin_(fate)", 4, 0.7),
    Tag("fate", 3, 0.5),
]


def fingerprint(folder: Path) -> dict[str, str]:
    """All that a run wrote, but for when it did."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "provenance.json":
            content = b"" if path.name == "review.html" else path.read_bytes()  # it has the time, too
            found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def by_command_line(source: Path, values: dict[str, str], output: Path | None) -> int:
    words = ["caption", str(source), *(["--output", str(output)] if output else [])]
    for key, value in values.items():
        option = "--" + key.replace("_", "-")
        if CaptionConfig.model_fields[key].annotation is bool:
            words.append(option if value == "True" else option.replace("--", "--no-", 1))
        else:
            words.append(f"{option}={value}")
    return cli.main(words)


def as_a_host_sends_it(source: Path, values: dict[str, str], output: Path | None) -> int:
    """Every parameter of the panel as a string, with another plugin's among them, and others of a saved task.

    As in both hosts' `settings`, one at its default counts as not set.
    """
    panel = {key: str(schema.get("default")) for key, schema in PANEL.items()}
    sent = {**panel, **values, "temperature": "0.7"}
    settings = {key: value for key, value in sent.items() if CaptionConfig.differs(key, value)}
    host = LocalHost(source, settings, output, say=lambda _: None)
    try:
        run_job(host)
    except CaptionerError as error:
        return error.exit_code
    return 0


@pytest.fixture(params=[by_command_line, as_a_host_sends_it], ids=["shell", "host"])
def run(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """Runs a job with the scripted model, without a network, and gives what it wrote."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    model = save_scripted_model(tmp_path / "model", TAGS)
    number = iter(range(100))

    def once(source: Path, exit_code: int = 0, **values: str) -> dict[str, str]:
        output = tmp_path / f"out{next(number)}"
        assert request.param(source, {"custom_model": str(model), "cache": "False", **values}, output) == exit_code
        return fingerprint(output)

    return once


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph-sized picture with fine detail, one lying on its side, one with alpha, and one caption."""
    place = tmp_path / "pictures"
    place.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (600, 900, 3), dtype=np.uint8)
    Image.fromarray(noise).save(place / "a.png")
    lying = Image.new("RGB", (500, 400), (0, 0, 255))
    lying.paste((255, 255, 0), (0, 0, 250, 400))
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(place / "b.jpg", exif=exif)
    Image.new("RGBA", (460, 460), (255, 0, 0, 128)).save(place / "c.png")
    (place / "a.txt").write_text("a red thing, 1girl\n")
    return place


PAIRS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "thresh": ({"thresh": "0.35"}, {"thresh": "0.5"}),
    "general_threshold": ({"general_threshold": ""}, {"general_threshold": "0.5"}),
    "character_threshold": ({"character_threshold": "0.85"}, {"character_threshold": "0.5"}),
    "image_size": ({"include_scores": "True"}, {"include_scores": "True", "image_size": "200"}),
    "caption_separator": ({"caption_separator": ", "}, {"caption_separator": " | "}),
    "category_thresholds": ({"category_thresholds": ""}, {"category_thresholds": "copyright=off"}),
    "threshold_mode": ({"threshold_mode": "fixed"}, {"threshold_mode": "mcut"}),
    "tag_thresholds": ({"tag_thresholds": ""}, {"tag_thresholds": "long hair=+0.1\n1girl=off"}),
    "max_tokens": ({"max_tokens": "0"}, {"max_tokens": "17"}),
    "max_tags": ({"max_tags": "0"}, {"max_tags": "2"}),
    "undesired_tags": ({"undesired_tags": ""}, {"undesired_tags": "long hair"}),
    "fold_tags": ({"fold_tags": ""}, {"fold_tags": "long hair"}),
    "keep_tags": ({"fold_tags": "*hair"}, {"fold_tags": "*hair", "keep_tags": "long hair"}),
    "remove_implied_tags": ({"remove_implied_tags": "False"}, {"remove_implied_tags": "True"}),
    "caption_style": ({"caption_style": "kohya"}, {"caption_style": "animagine"}),
    "rating": ({"rating": "none"}, {"rating": "last"}),
    "tag_order": ({"tag_order": "model"}, {"tag_order": "alphabetical"}),
    "character_tags_first": ({"character_tags_first": "False"}, {"character_tags_first": "True"}),
    "always_first_tags": ({"always_first_tags": ""}, {"always_first_tags": "very long hair"}),
    "trigger_words": ({"trigger_words": ""}, {"trigger_words": "mystyle"}),
    "remove_underscore": ({"remove_underscore": "False"}, {"remove_underscore": "True"}),
    "escape_parentheses": ({"escape_parentheses": "False"}, {"escape_parentheses": "True"}),
    "character_tag_expand": ({"character_tag_expand": "False"}, {"character_tag_expand": "True"}),
    "tag_replacement": ({"tag_replacement": ""}, {"tag_replacement": "1girl -> woman"}),
    "append_tags": ({"append_tags": "False"}, {"append_tags": "True"}),
    "exif_orientation": ({"exif_orientation": "True"}, {"exif_orientation": "False"}),
    "max_megapixels": ({"max_megapixels": "250"}, {"max_megapixels": "0.5"}),
    "caption_column": ({"caption_column": ""}, {"caption_column": "text"}),
    "flatten_transparency": ({"flatten_transparency": "True"}, {"flatten_transparency": "False"}),
    "review": ({"review": "True"}, {"review": "False"}),
    "include_scores": ({"include_scores": "False"}, {"include_scores": "True"}),
    "caption_files": ({"caption_files": "False"}, {"caption_files": "True"}),
    "caption_extension": (
        {"caption_files": "True"},
        {"caption_files": "True", "caption_extension": ".caption"},
    ),
    "profile": ({"include_scores": "True"}, {"include_scores": "True", "profile": "reference"}),
    "generation_model": ({}, {"custom_model": "", "generation_model": "builtin/colours"}),
    "custom_model": ({"custom_model": "builtin/colours"}, {}),
}

#: Parameters with a test of their own below, since the folder above does not show what they change. No panel has
#: in_place and trainer: they are in test_end_to_end.py and test_trainers.py.
OWN_TEST = {
    *("image_field", "split", "keep_columns", "batch_size", "max_data_loader_n_workers", "output_dataset_name"),
    *("quality", "implications", "follow_symlinks", "on_error", "in_place", "device", "precision"),
    *("trainer", "purpose", "plan", "edits", "cache", "cache_folder", "ensemble", "ensemble_votes"),
}


def test_no_parameter_is_forgotten() -> None:
    assert set(PAIRS) | OWN_TEST == set(CaptionConfig.model_fields)
    assert not set(PAIRS) & OWN_TEST


def test_the_same_values_give_the_same_result(run: Callable[..., dict[str, str]], folder: Path) -> None:
    """Or else a difference below would mean nothing."""
    assert run(folder, include_scores="True") == run(folder, include_scores="True")


@pytest.mark.parametrize("key", PAIRS)
def test_changing_it_changes_the_result(key: str, run: Callable[..., dict[str, str]], folder: Path) -> None:
    one, other = PAIRS[key]
    assert run(folder, **one) != run(folder, **other)


def test_purpose_and_plan(run: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    planted = plant(tmp_path / "planted", pictures=8)
    values = {"custom_model": str(planted.model), "trigger_words": "alicew"}
    captions = "train/metadata.jsonl"
    plain = run(planted.pictures, **values)
    folded = run(planted.pictures, **values, purpose="character")
    assert plain[captions] != folded[captions]
    assert ".wd14/plan.json" in folded
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"decisions": [{"tag": "smile", "decision": "folded"}]}), "utf-8")
    assert run(planted.pictures, **values, plan=str(plan))[captions] not in (plain[captions], folded[captions])


def test_further_models_and_their_votes(run: Callable[..., dict[str, str]], folder: Path, tmp_path: Path) -> None:
    other = [replace(tag, score=0.1) if tag.name == "1girl" else tag for tag in TAGS]
    further = str(save_scripted_model(tmp_path / "other", other))
    kinds = [run(folder), run(folder, ensemble=further), run(folder, ensemble=further, ensemble_votes="1")]
    captions = [kind["train/metadata.jsonl"] for kind in kinds]
    assert captions[1] not in (captions[0], captions[2])


def test_edits(run: Callable[..., dict[str, str]], folder: Path, tmp_path: Path) -> None:
    edits = tmp_path / "edits.json"
    edits.write_text(json.dumps({"version": 1, "edits": [{"op": "add", "tag": "my own", "rows": "all"}]}), "utf-8")
    plain, edited = run(folder), run(folder, edits=str(edits))
    assert plain["train/metadata.jsonl"] != edited["train/metadata.jsonl"]
    assert edited[".wd14/edits.json"] == hashlib.sha256(edits.read_bytes()).hexdigest()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """An imagefolder with two image columns, two splits and a column more."""
    place = tmp_path / "table"
    for split in ("train", "test"):
        (place / split).mkdir(parents=True)
        lines = []
        for number, side in enumerate((40, 50)):
            name = f"{split}{number}.png"
            Image.new("RGB", (side, side), (number * 90, 0, 0)).save(place / split / name)
            other = f"other_{split}{number}.png"
            Image.new("RGB", (side + 9, side), (0, number * 90, 0)).save(place / split / other)
            lines.append(json.dumps({"file_name": name, "second_file_name": other, "artist": f"a{number}"}))
        (place / split / "metadata.jsonl").write_text("\n".join(lines))
    return place


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("image_field", "image", "second"),
        ("split", "", "test"),
        ("split", "train", "all"),
        ("keep_columns", "False", "True"),
    ],
)
def test_what_is_read_changes_the_result(
    key: str, one: str, other: str, run: Callable[..., dict[str, str]], table: Path
) -> None:
    assert run(table, **{key: one}) != run(table, **{key: other})


def test_quality_is_written_where_the_model_rates_it(
    run: Callable[..., dict[str, str]], folder: Path, tmp_path: Path
) -> None:
    rating_quality = [Tag("best quality", "Quality", 0.9), Tag("solo", "General", 0.9)]
    model = str(save_scripted_model(tmp_path / "rates", rating_quality))
    kinds = [run(folder, custom_model=model, quality=where) for where in ("none", "first", "last")]
    assert len({kind["train/metadata.jsonl"] for kind in kinds}) == 3


def test_a_bad_picture_is_left_out_or_ends_the_job(run: Callable[..., dict[str, str]], folder: Path) -> None:
    (folder / "d.png").write_text("no picture")
    skipped = run(folder, on_error="skip")
    assert {"train/a.png", "train/b.jpg", "train/c.png"} <= set(skipped)
    assert "train/d.png" not in skipped
    assert run(folder, exit_code=1, on_error="stop") == {}


@pytest.mark.parametrize("way", [by_command_line, as_a_host_sends_it])
def test_the_output_is_named_as_the_user_says(
    way: Callable[..., int], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = {"custom_model": "builtin/colours", "cache": "False"}
    assert way(folder, values, None) == 0
    assert way(folder, {**values, "output_dataset_name": "mine"}, None) == 0
    assert (tmp_path / "pictures_captions" / "train" / "metadata.jsonl").is_file()
    assert (tmp_path / "mine" / "train" / "metadata.jsonl").is_file()


def test_implications_come_from_the_users_table(
    run: Callable[..., dict[str, str]], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text("1girl,smile_(closed)\n")
    with_table = run(folder, remove_implied_tags="True", implications=str(tmp_path / "table.csv"))
    assert with_table != run(folder, remove_implied_tags="True")


def test_links_out_of_the_dataset_are_followed_when_asked(
    run: Callable[..., dict[str, str]], folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    Image.new("RGB", (30, 30)).save(outside)
    (folder / "link.png").symlink_to(outside)
    assert "train/link.png" not in run(folder)
    assert "train/link.png" in run(folder, follow_symlinks="True")


@pytest.mark.parametrize(("given", "sizes"), [("1", {1}), ("3", {3}), ("2", {2, 1})])
def test_batch_size_is_what_goes_through_the_model_at_once(
    given: str, sizes: set[int], run: Callable[..., dict[str, str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = Tagger.run

    def spy(self: Tagger, batch: Any, boxes: Any = None) -> Any:
        seen.append(len(batch))
        return original(self, batch, boxes)

    monkeypatch.setattr(Tagger, "run", spy)
    run(folder, batch_size=given)
    assert set(seen) == sizes
    assert sum(seen) == 3


@pytest.mark.parametrize(("given", "threads"), [("0", 1), ("1", 1), ("3", 3)])
def test_workers_are_the_threads_that_open_pictures(
    given: str, threads: int, run: Callable[..., dict[str, str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: set[str] = set()
    gate = threading.Barrier(threads)
    original = PictureFile

    def spy(data: bytes, **options: Any) -> Any:
        names.add(threading.current_thread().name)
        gate.wait(timeout=20)  # all of them at once, or the test fails
        return original(data, **options)

    monkeypatch.setattr("wd14.decoding.PictureFile", spy)
    run(folder, max_data_loader_n_workers=given)
    assert len(names) == threads
    assert {name.startswith("wd14-decode") for name in names} == {given != "0"}


def test_stored_scores_are_kept_where_the_user_says_and_only_if_wanted(
    run: Callable[..., dict[str, str]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / "usual"
    monkeypatch.setenv("WD14_CACHE", str(usual))
    run(folder, cache="False")
    assert not (usual / "scores.sqlite").exists()
    run(folder, cache="True", cache_folder=str(tmp_path / "mine"))
    assert not (usual / "scores.sqlite").exists()
    assert (tmp_path / "mine" / "scores.sqlite").is_file()
    run(folder, cache="True")
    assert (usual / "scores.sqlite").is_file()


def test_a_device_that_is_not_there_is_an_error(run: Callable[..., dict[str, str]], folder: Path) -> None:
    assert run(folder, exit_code=2, device="directml") == {}
    assert run(folder, device="cpu") == run(folder)


def test_what_nothing_computes_in_16_bits_is_exact(run: Callable[..., dict[str, str]], folder: Path) -> None:
    """As here: OpenVINO is not used by itself for a model that nobody vouches for. More is in test_precision.py."""
    assert run(folder, precision="fast", device="cpu") == run(folder)
