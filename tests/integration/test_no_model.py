"""`builtin/none`: a dataset goes through a job as it is, and no model is opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import wd14
from tests.integration.conftest import Run
from wd14 import CaptionConfig, Tagger, caption_dataset
from wd14.errors import ConfigError, ModelContractError

NONE = ("--custom-model", "builtin/none")


def captions_in(output: Path) -> dict[str, str]:
    lines = map(json.loads, (output / "train/metadata.jsonl").read_text("utf-8").splitlines())
    return {line["file_name"]: line["caption"] for line in lines}


def test_captions_stay_and_bad_pictures_fail(photos: Path, cli: Run, tmp_path: Path) -> None:
    (photos / "camera.txt").write_text(" a man,  his camera \n", "utf-8")
    (photos / "china.txt").write_text("A temple stands in China. It is red, and old.\n", "utf-8")
    (photos / "coffee.png").write_bytes((photos / "coffee.png").read_bytes()[:9000])
    for again in ("", "-2"):  # the second time its pictures are known
        done = cli("caption", "photos", "--append-tags", *NONE)
        assert done.returncode == 0, done.stderr
        assert "Model: builtin/none, which adds no tag" in done.stdout
        assert "Failed: coffee.png: " in done.stdout
        for wrong in ("runs on", "threshold", "Without any tag"):
            assert wrong not in done.stdout
        assert captions_in(tmp_path / f"photos_captions{again}") == {
            "astronaut.png": "",
            "camera.png": "a man, his camera",
            "china.jpg": "A temple stands in China. It is red, and old.",
            "rocket.jpg": "",
        }
    checked = cli("check", "photos_captions", "--json")
    assert "unknown-tag" not in checked.stdout, "no word is a word of this model"


def test_no_session_is_opened(photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    config = CaptionConfig.from_values({"custom_model": "Builtin/None", "append_tags": True, "trigger_words": "me"})
    output = caption_dataset(photos, config, output=tmp_path / "out").output
    assert set(captions_in(Path(output or "")).values()) == {"me"}
    assert wd14.tag(photos / "china.jpg", "builtin/none").caption() == ""
    with pytest.raises(ModelContractError, match="adds no tag"):
        Tagger.load("builtin/none")


def test_what_it_cannot_do_is_said_before_anything_is_done(photos: Path, cli: Run) -> None:
    for words, said in {
        (): "Append to Captions (append_tags) is off",
        ("--append-tags", "--fold-tags=smile"): "Fold Tags (fold_tags) needs what a tagger knows",
        ("--append-tags", "--caption-style=pony"): "Caption Style (caption_style) needs what a tagger knows",
        ("--append-tags", "--dry-run"): "no plan to show",
    }.items():
        done = cli("caption", photos, *NONE, *words)
        assert done.returncode == 2
        assert "Captioned" not in done.stdout
        assert said in done.stderr
    with pytest.raises(ConfigError, match="every caption would be empty"):
        CaptionConfig(generation_model=" BUILTIN/none")


def test_it_is_shown_as_what_it_is(cli: Run) -> None:
    assert "builtin/none adds no tag: with --append-tags" in cli("models").stdout
    assert cli("download", "builtin/none").stdout == "builtin/none has no files: it adds no tag to a caption\n"
