"""What a check knows of a dataset: options win over the run that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wd14.check_settings import settings_for
from wd14.errors import ConfigError
from wd14.published import Published
from wd14.types import Labels


def dataset(folder: Path, **parameters: Any) -> Path:
    """A folder that says that a run with these parameters made it."""
    (folder / ".wd14").mkdir()
    made = {"made_by": "wd14-captioner 1.0.0", "parameters": parameters}
    (folder / ".wd14/provenance.json").write_text(json.dumps(made), "utf-8")
    return folder


def test_the_run_speaks_where_the_caller_does_not(tmp_path: Path) -> None:
    run = {"trigger_words": ["alice"], "purpose": "character", "custom_model": "owner/name", "max_tokens": 150}
    made = dataset(tmp_path, **run, trainer="kohya", append_tags=False, split="test", in_place=True)
    settings = settings_for(made, {})
    expected = settings.expected(None)
    assert (settings.config.model, settings.config.split, settings.config.in_place) == ("owner/name", "all", False)
    assert (expected.trigger_words, expected.purpose, expected.has_ratings) == (("alice",), "character", False)
    assert (expected.max_tokens, expected.asked_tokens, expected.lists_all) == (150, True, False)
    assert expected.has_repeats
    settings = settings_for(made, {"trigger_words": "bob", "generation_model": "builtin/colours", "max_tokens": "0"})
    expected = settings.expected(None)
    assert (settings.config.model, expected.trigger_words, expected.max_tokens) == ("builtin/colours", ("bob",), 0)


def test_thresholds_are_those_of_the_run(tmp_path: Path) -> None:
    labels = Labels(("a", "b", "c"), ("general",) * 3)
    made = dataset(tmp_path, tag_thresholds="b=off", category_thresholds={"general": 0.4})
    published = Published({}, {0: 0.7}, is_preferred=True)
    assert settings_for(made, {}).expected(labels, published).thresholds == pytest.approx([0.4, 2, 0.4])
    own = settings_for(tmp_path / "other", {}).expected(labels, published)
    assert own.thresholds == pytest.approx([0.7, 0.35, 0.35])
    unknown = settings_for(made, {"tag_thresholds": "gone.csv"}).expected(labels, published)
    assert (unknown.thresholds, unknown.lists_all) == (None, False)


def test_of_a_strangers_dataset_little_is_known(tmp_path: Path) -> None:
    expected = settings_for(tmp_path, {}).expected(None)
    assert (expected.purpose, expected.has_ratings, expected.max_tokens) == (None, None, 75)
    assert not expected.asked_tokens
    assert not expected.has_repeats
    assert settings_for(tmp_path, {"caption_style": "pony"}).expected(None).has_ratings is True
    assert settings_for(tmp_path, {"caption_style": "kohya"}).expected(None).has_ratings is False


def test_words_that_a_run_put_in_itself_are_known(tmp_path: Path) -> None:
    made = dataset(tmp_path, tag_replacement=[["long_hair", "flowing mane, mane"]], always_first_tags=["one"])
    assert settings_for(made, {}).expected(None).words == ("one", "flowing mane", "mane")


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"made_by": "wd14-captioner 9", "parameters": {"thresh": 7}})])
def test_a_record_that_cannot_be_used_is_said_and_costs_no_check(tmp_path: Path, text: str) -> None:
    (tmp_path / ".wd14").mkdir()
    (tmp_path / ".wd14/provenance.json").write_text(text, "utf-8")
    settings = settings_for(tmp_path, {"trigger_words": "bob"})
    assert settings.config.trigger_words == ("bob",)
    assert "provenance.json" in settings.remarks[0]


def test_a_callers_mistake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Maximum Number of Tokens"):
        settings_for(tmp_path, {"max_tokens": "many"})
