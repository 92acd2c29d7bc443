"""Captions as the authors of base models write them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.caption.conftest import CaptionOf
from wd14.caption.thresholds import lowest_threshold
from wd14.config import CaptionConfig
from wd14.published import Published
from wd14.types import Labels

PICTURE = {
    "rating": {"general": 0.1, "sensitive": 0.2, "questionable": 0.7, "explicit": 0.3},
    "general": {"long_hair": 0.9, "1girl": 0.95, "solo": 0.8, "^_^": 0.7},
    "character": {"saber_(fate)": 0.9, "hatsune_miku": 0.88},
    "copyright": {"vocaloid": 0.8},
    "artist": {"wada_(some_name)": 0.8},
    "meta": {"highres": 0.6},
    "quality": {"best_quality": 0.4, "worst_quality": 0.1},
}
NAMES = "saber (fate), hatsune miku"


@pytest.mark.parametrize(
    ("style", "caption"),
    [
        (
            "kohya",
            "long_hair, 1girl, solo, ^_^, saber_(fate), hatsune_miku, vocaloid, wada_(some_name), highres",
        ),
        (
            "animagine",
            f"1girl, {NAMES}, fate, vocaloid, nsfw, long hair, solo, ^_^, wada (some name), highres, best quality",
        ),
        (
            "illustrious",
            f"1girl, {NAMES}, vocaloid, questionable, long hair, solo, ^_^, highres, wada (some name), best quality",
        ),
        (
            "noobai",
            f"1girl, {NAMES}, fate, vocaloid, wada (some name), best quality, nsfw, long hair, solo, ^_^, highres",
        ),
        (
            "pony",
            f"rating_questionable, 1girl, {NAMES}, vocaloid, long hair, solo, ^_^, wada (some name), highres",
        ),
        (
            "anima",
            f"best quality, highres, nsfw, 1girl, {NAMES}, fate, vocaloid, @wada (some name), long hair, solo, ^_^",
        ),
    ],
)
def test_each_style_has_its_order_spelling_and_rating(caption_of: CaptionOf, style: str, caption: str) -> None:
    assert caption_of(PICTURE, caption_style=style).text == caption


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("animagine", ["safe", "sensitive", "nsfw", "explicit"]),
        ("illustrious", ["general", "sensitive", "questionable", "explicit"]),
        ("noobai", ["safe", "sensitive", "nsfw", "explicit"]),
        ("pony", ["rating_safe", "rating_safe", "rating_questionable", "rating_explicit"]),
        ("anima", ["safe", "sensitive", "nsfw", "explicit"]),
    ],
)
def test_each_rating_has_its_word(caption_of: CaptionOf, style: str, words: list[str]) -> None:
    ratings = ("general", "sensitive", "questionable", "explicit")
    pictures = [{"rating": {name: 0.9 if name == best else 0.1 for name in ratings}} for best in ratings]
    assert [caption_of(picture, caption_style=style).text for picture in pictures] == words


def test_an_artists_style_stands_with_the_artists_and_a_year_with_the_general_tags(caption_of: CaptionOf) -> None:
    picture = {"general": {"solo": 0.9}, "style": {"wlop": 0.9}, "year": {"year_2024": 0.9}, "artist": {"nnn": 0.9}}
    assert caption_of(picture, caption_style="anima").text == "@wlop, @nnn, solo, year 2024"
    assert caption_of(picture, caption_style="illustrious").text == "solo, year 2024, wlop, nnn"


def test_a_model_without_these_categories_gets_no_word_for_them(caption_of: CaptionOf) -> None:
    assert caption_of({"general": {"solo": 0.9, "2boys": 0.9}}, caption_style="anima").text == "2boys, solo"


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({"remove_underscore": False}, "1girl, saber_(fate), fate, safe, long_hair"),
        ({"escape_parentheses": True}, r"1girl, saber \(fate\), fate, safe, long hair"),
        ({"character_tag_expand": True}, "1girl, saber, fate, safe, long hair"),
        ({"character_tag_expand": False}, "1girl, saber (fate), safe, long hair"),
        ({"rating": "none"}, "1girl, saber (fate), fate, long hair"),
        ({"rating": "first"}, "safe, 1girl, saber (fate), fate, long hair"),
        ({"rating": "last"}, "1girl, saber (fate), fate, long hair, safe"),
        ({"caption_separator": " | "}, "1girl | saber (fate) | fate | safe | long hair"),
        ({"tag_order": "model"}, "safe, long hair, 1girl, saber (fate), fate"),
        ({"tag_order": "score"}, "safe, 1girl, saber (fate), fate, long hair"),
        ({"character_tags_first": True}, "saber (fate), 1girl, fate, safe, long hair"),
        ({"character_tags_first": False}, "1girl, fate, safe, long hair, saber (fate)"),
        ({"tag_replacement": "long hair -> Long_Hair"}, "1girl, saber (fate), fate, safe, Long_Hair"),
        ({"tag_replacement": "general -> sfw"}, "1girl, saber (fate), fate, sfw, long hair"),
        ({"always_first_tags": "long hair, safe"}, "long hair, safe, 1girl, saber (fate), fate"),
        ({"trigger_words": "sks", "always_first_tags": "fate"}, "sks, fate, 1girl, saber (fate), safe, long hair"),
        ({"undesired_tags": "safe"}, "1girl, saber (fate), fate, long hair"),
        ({"max_tags": 2}, "1girl, saber (fate), safe"),
    ],
)
def test_what_the_user_sets_wins(caption_of: CaptionOf, options: dict[str, Any], caption: str) -> None:
    picture = {
        "rating": {"general": 0.9, "explicit": 0.1},
        "general": {"long_hair": 0.7, "1girl": 0.95},
        "character": {"saber_(fate)": 0.9},
    }
    assert caption_of(picture, caption_style="animagine", **options).text == caption


def test_quality_goes_where_the_user_says(caption_of: CaptionOf) -> None:
    picture = {"rating": {"general": 0.9}, "quality": {"good_quality": 0.9}, "general": {"solo": 0.9}}
    texts = [caption_of(picture, caption_style="noobai", quality=place).text for place in ("none", "first", "last")]
    assert texts == ["safe, solo", "good quality, safe, solo", "safe, solo, good quality"]
    both = [caption_of(picture, caption_style="noobai", rating=p, quality=p).text for p in ("first", "last")]
    assert both == ["safe, good quality, solo", "solo, good quality, safe"]


def test_a_training_of_a_style_has_no_rating_and_quality_unless_they_are_set(caption_of: CaptionOf) -> None:
    picture = {"rating": {"general": 0.9}, "quality": {"good_quality": 0.9}, "general": {"solo": 0.9}}
    options = {"caption_style": "anima", "purpose": "style"}
    assert caption_of(picture, **options).text == "solo"
    assert caption_of(picture, **options, rating="last").text == "solo, safe"
    assert caption_of(picture, **options, quality="first").text == "good quality, solo"


def test_a_mapping_models_tags_come_by_score_within_their_slots(caption_of: CaptionOf) -> None:
    picture = {"general": {"solo": 0.7, "1girl": 0.6, "smile": 0.9}, "character": {"b": 0.86, "a": 0.95}}
    assert caption_of(picture, order="score", caption_style="noobai").text == "1girl, a, b, smile, solo"


def test_a_low_threshold_of_a_quality_that_the_style_writes_counts() -> None:
    """Stored scores end at 0.01: a caption that asks for lower ones must not come from them."""
    labels = Labels(("solo", "good_quality"), ("general", "quality"))
    lowest = [
        lowest_threshold(
            labels, CaptionConfig(category_thresholds={"quality": 0.005}, caption_style=style), Published()
        )
        for style in ("kohya", "pony", "anima")
    ]
    assert lowest == pytest.approx([0.35, 0.35, 0.005])
