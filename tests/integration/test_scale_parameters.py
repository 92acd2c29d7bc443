"""`scale` takes the parameters of `caption` and gives its captions: from the pictures, and again from stored scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard, constants
from PIL import Image

from tests.integration.test_parameters import TAGS, folder, table
from tests.support.planted import plant
from tests.support.scale_workers import InProcess
from tests.support.scripted_model import Tag, save_scripted_model
from wd14 import caption_dataset
from wd14.config import CaptionConfig
from wd14.parameter_groups import NOT_FOR_SCALE
from wd14.scale.driver import run_scale
from wd14.scale.request import ScaleRequest

__all__ = ["folder", "table"]  # fixtures
Values = Mapping[str, Any]
#: Sets of parameters, by what they are about; together they have every parameter.
CASES: dict[str, Values] = {
    "thresholds": {
        "thresh": 0.5,
        "general_threshold": 0.42,
        "character_threshold": 0.8,
        "max_tags": 4,
        "rating": "last",
        "category_thresholds": "copyright=off",
        "tag_thresholds": "very long hair=+0.1, smile_(closed)=0.4",
        "remove_underscore": True,
        "escape_parentheses": True,
        "tag_replacement": "1girl -> woman",
        "caption_separator": " | ",
        "always_first_tags": "very long hair",
    },
    "mcut": {"threshold_mode": "mcut", "tag_order": "alphabetical", "trigger_words": "mystyle", "max_tokens": 17},
    "thresholds in a file": {"tag_thresholds": "thresholds.csv"},
    "style": {"caption_style": "animagine", "undesired_tags": "long hair", "append_tags": True},
    "fold": {"fold_tags": "*hair", "keep_tags": "long hair", "character_tags_first": True, "append_tags": True},
    "order": {"character_tag_expand": True, "implications": "table.csv", "remove_implied_tags": True},
    "beside": {"append_tags": True, "caption_extension": ".caption"},
    "scores": {"image_size": 200, "profile": "reference", "exif_orientation": False, "batch_size": 2},
    "reading": {
        "max_megapixels": 0.5,
        "follow_symlinks": True,
        "on_error": "skip",
        "flatten_transparency": False,
        "device": "cpu",
        "precision": "fast",
        "max_data_loader_n_workers": 3,
        "edits": "edits.json",
    },
    "built-in": {"custom_model": "", "generation_model": "builtin/colours"},
    "quality": {"quality": "first"},
    "columns": {"split": "all", "keep_columns": True, "append_tags": True},
    "other column": {"image_field": "second", "split": "test"},
    "purpose": {"purpose": "character", "trigger_words": "alicew", "caption_style": "illustrious"},
    "plan": {"plan": "plan.json", "trigger_words": "alicew"},
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("wd14.scale.local_engine.LocalEngine", InProcess)
    monkeypatch.chdir(tmp_path)


def test_no_parameter_is_forgotten() -> None:
    assert {key for values in CASES.values() for key in values} == set(CaptionConfig.model_fields) - set(NOT_FOR_SCALE)


def write_what_cases_name(folder: Path, beside: Path) -> None:
    (folder / "none.png").write_text("no picture")
    (folder / "b.caption").write_text("lying on its side")
    Image.new("RGB", (30, 30)).save(beside / "outside.png")
    (folder / "link.png").symlink_to(beside / "outside.png")
    (beside / "thresholds.csv").write_text("tag,category,threshold\nvery_long_hair,general,+0.1\nfate,copyright,off\n")
    (beside / "table.csv").write_text("1girl,smile_(closed)\n")
    edits = [{"op": "add", "tag": "my own", "rows": "all"}, {"op": "remove", "tag": "1girl", "rows": "all"}]
    (beside / "edits.json").write_text(json.dumps({"version": 1, "edits": edits}))
    (beside / "plan.json").write_text(json.dumps({"decisions": [{"tag": "smile", "decision": "folded"}]}))


def captions_of(source: Path, output: Path, values: Values) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """What `caption` writes: captions, and the scores of their tags, by the pictures' file names."""
    own = {"cache": False, "review": False, "include_scores": True}
    caption_dataset(source, CaptionConfig.from_values({**values, **own}), output=output)
    captions, scores = {}, {}
    for path in output.rglob("metadata.jsonl"):
        for line in map(json.loads, path.read_text("utf-8").splitlines()):
            captions[line["file_name"]] = line["caption"]
            scores[line["file_name"]] = {each["tag"]: each["score"] for each in line["scores"]}
    return captions, scores


def shards_of(source: Path, output: Path, values: Values, form: Any = "parquet") -> list[dict[str, Any]]:
    """The rows that `scale` writes and that have a caption."""
    request = ScaleRequest(str(source), str(output), values, format=form, shard_rows=2)
    assert run_scale(request, say=lambda _: None)
    rows = (row for path in sorted(output.glob("shards/*.parquet")) for row in pq.read_table(path).to_pylist())
    return [row for row in rows if row["caption"] is not None]


@pytest.mark.parametrize("case", CASES)
def test_captions_are_those_of_the_command_caption(case: str, folder: Path, table: Path, tmp_path: Path) -> None:
    write_what_cases_name(folder, tmp_path)
    form = "webdataset" if case in ("reading", "columns", "purpose") else "parquet"
    rated = [Tag("best quality", "Quality", 0.9), Tag("solo", "General", 0.9)]
    source = table if "column" in case else folder
    model = save_scripted_model(tmp_path / "model", rated if case == "quality" else TAGS)
    if case in ("purpose", "plan"):
        planted = plant(tmp_path / "planted", pictures=8)
        source, model = planted.pictures, planted.model
    values = {"custom_model": str(model), **CASES[case]}
    captions, scores = captions_of(source, Path("set"), values)
    rows = shards_of(source, Path("out"), values, form)
    names = ["other_" * (case == "other column") + Path(row["id"]).name for row in rows]
    assert captions
    assert {name: row["caption"] for name, row in zip(names, rows, strict=True)} == captions
    assert ("link.png" in captions) == (case == "reading")
    for name, row in zip(names, rows, strict=True) if case == "scores" else ():
        stored = {each["tag"]: each["score"] for each in row["scores"]}
        assert scores[name] == pytest.approx({tag: stored[tag] for tag in scores[name]}, abs=1e-4)
    # And again, from the stored scores.
    again = shards_of(Path("out"), Path("again"), values, form)
    assert [(row["id"], row["caption"], row["tags"]) for row in again] == [
        (row["id"], row["caption"], row["tags"]) for row in rows
    ]


def test_the_card_says_how_archives_of_several_formats_are_loaded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without that, `datasets` gives the pictures of the first format alone."""
    model = str(save_scripted_model(tmp_path / "model", TAGS))
    shards_of(folder, tmp_path / "out", {"custom_model": model}, "webdataset")
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert DatasetCard(card).data.get("configs")[0]["data_files"] == [{"split": "train", "path": "shards/*.parquet"}]
    monkeypatch.chdir(tmp_path / "out")
    code = card.partition("```python\n")[2].partition("```")[0]
    loaded: dict[str, Any] = {}
    exec(code, loaded)
    assert [row["id"] for row in loaded["captioned"]] == ["a.png", "b.jpg", "c.png"]
    rows = list(loaded["pictures"])
    assert [row["json"]["id"] for row in rows] == ["a.png", "b.jpg", "c.png"]
    assert [[kind for kind in ("png", "jpg") if row[kind] is not None] for row in rows] == [["png"], ["jpg"], ["png"]]
