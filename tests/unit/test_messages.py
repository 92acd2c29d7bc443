"""What a job says at its start and at its end."""

from __future__ import annotations

from typing import Any

import pytest

from wd14.config import CaptionConfig
from wd14.messages import closing_lines, command_in_words, opening_lines, short_description, thresholds_in_words
from wd14.published import Published
from wd14.types import Labels, Summary

LABELS = Labels(("safe", "solo", "umbreon", "pokemon"), ("rating", "general", "character", "copyright"))
PUBLISHED = Published({"general": 0.26, "character": 0.4})


def opening(**values: Any) -> list[str]:
    config = CaptionConfig.from_values(values)
    return list(opening_lines(config, LABELS, PUBLISHED, config.model))


def summary(**values: Any) -> Summary:
    counts = {"total": 3000, "captioned": 2990, "from_scores": 8, "failed": 2, "seconds": 185.0, "output": "/x/out"}
    return Summary(**{**counts, "model": "SmilingWolf/wd-vit-tagger-v3", "thresholds": "general 0.35", **values})


def test_defaults_are_one_line() -> None:
    assert opening() == [
        "Model: SmilingWolf/wd-v1-4-convnext-tagger-v2 (4 tags)."
        " Thresholds: general 0.35, character 0.85. Device: auto."
    ]


def test_everything_that_is_not_at_its_default_is_said() -> None:
    _, changed = opening(
        trigger_words="mystyle, a dog",
        remove_underscore=True,
        tag_replacement="1girl -> woman",
        caption_separator=" ",
        cache=False,
        thresh=0.2,
    )
    assert changed == (
        "Set: Caption Separator = ' '; Trigger Words = mystyle, a dog; Underscores to Spaces = on;"
        " Tag Replacement = 1girl -> woman; Keep Scores = off."
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"thresh": 0.2}, "general 0.2, character 0.85"),
        ({"general_threshold": 0.4, "character_threshold": 0.5}, "general 0.4, character 0.5"),
        (
            {"category_thresholds": "copyright=0.5, character=off"},
            "general 0.35, character off, copyright 0.5",
        ),
        ({"threshold_mode": "mcut"}, "by mcut"),
        ({"threshold_mode": "mcut", "category_thresholds": "copyright=0.5"}, "copyright 0.5, the others by mcut"),
        ({"threshold_mode": "model"}, "general 0.26, character 0.4 (published)"),
    ],
)
def test_thresholds_are_those_that_count(values: dict[str, Any], words: str) -> None:
    assert thresholds_in_words(CaptionConfig.from_values(values), LABELS, PUBLISHED) == words


@pytest.mark.parametrize(
    ("values", "published", "words"),
    [
        (
            {},
            Published({"rating": 0.2, "all": 0.55}, is_preferred=True),
            "all 0.55 (the model's own, since none was set)",
        ),
        (
            {"tag_thresholds": "a=0.5, b=off"},
            Published({}, {1: 0.3}, is_preferred=True),
            "one for each tag (the model's own, since none was set); 2 set by name",
        ),
        ({"general_threshold": 0.35}, Published({"all": 0.55}, is_preferred=True), "general 0.35, character 0.85"),
        (
            {"threshold_mode": "model", "category_thresholds": "meta=off"},
            Published({}, {1: 0.3}),
            "meta off, the others one for each tag (published)",
        ),
        (
            {"tag_thresholds": "none/mine.csv"},
            Published(),
            "general 0.35, character 0.85; more in none/mine.csv",
        ),
    ],
)
def test_a_models_own_thresholds_and_those_of_single_tags(
    values: dict[str, Any], published: Published, words: str
) -> None:
    assert thresholds_in_words(CaptionConfig.from_values(values), LABELS, published) == words


def test_a_threshold_that_was_given_stands_in_the_command_at_its_default_too() -> None:
    """Else the command would run with the thresholds of a model that prefers its own."""
    config = CaptionConfig.from_values({"thresh": 0.35, "rating": "none", "tag_thresholds": "a=0.5"})
    assert command_in_words("photos", config) == "wd14-captioner caption photos --thresh=0.35 --tag-thresholds=a=0.5"


def test_the_end_says_what_came_out() -> None:
    tags = (("solo", 2500), ("1girl", 800))
    assert list(closing_lines(summary(frequent_tags=tags, without_tags=1, too_long=2))) == [
        "Captioned 2,998 of 3,000 pictures in 3 min 05 s (8 from stored scores); 2 failed, each is named above.",
        "Most frequent tags: solo 2,500, 1girl 800",
        "Without any tag: 1 caption. A lower threshold gives more tags.",
        "Over the maximum number of tokens: 2 captions. All that may be left out of them is left out.",
    ]
    assert list(closing_lines(summary(captioned=3000, from_scores=0, failed=0))) == [
        "Captioned 3,000 of 3,000 pictures in 3 min 05 s."
    ]


def test_a_dataset_in_a_line() -> None:
    assert short_description(summary()) == "2,998 of 3,000 pictures, wd-vit-tagger-v3, general 0.35"
    line = short_description(summary(frequent_tags=tuple((f"t{n}", 9 - n) for n in range(9)), model="/models/mine/"))
    assert line == "2,998 of 3,000 pictures, mine, general 0.35; most frequent: t0, t1, t2, t3, t4"
