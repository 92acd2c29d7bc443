"""The order of tags, and how many of them."""

from __future__ import annotations

import pytest

from tests.unit.caption.conftest import CaptionOf

PICTURE = {
    "rating": {"general": 0.8, "explicit": 0.1},
    "general": {"1girl": 0.7, "long_hair": 0.6, "solo": 0.9, ";d": 0.5, "\\m/": 0.5},
    "character": {"saber_(fate)": 0.9, "astolfo_(fate)": 0.95, "gawr_gura_(1st_costume)": 0.88},
}


def test_a_mapping_models_tags_come_by_score(caption_of: CaptionOf) -> None:
    picture = {"copyright": {"p": 0.9}, "general": {"g": 0.95, "h": 0.5}, "character": {"c": 0.9, "d": 0.99}}
    assert caption_of(picture, order="score").text == "d, g, p, c, h"
    assert caption_of(picture, order="score", tag_order="alphabetical").text == "c, d, g, h, p"
    assert caption_of(picture, order="score", character_tags_first=True).text == "d, c, g, p, h"


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({}, "1girl, long_hair, solo, ;d, \\m/, c, b, a"),
        ({"tag_order": "score"}, "b, solo, a, c, 1girl, long_hair, ;d, \\m/"),
        ({"tag_order": "alphabetical"}, "1girl, ;d, \\m/, a, b, c, long_hair, solo"),
        ({"character_tags_first": True}, "a, b, c, 1girl, long_hair, solo, ;d, \\m/"),  # kohya's: the last is first
        ({"character_tags_first": True, "tag_order": "score"}, "b, a, c, solo, 1girl, long_hair, ;d, \\m/"),
        ({"character_tags_first": True, "tag_order": "alphabetical"}, "a, b, c, 1girl, ;d, \\m/, long_hair, solo"),
        # Rating and quality stand outside of every order.
        ({"tag_order": "alphabetical", "rating": "first", "quality": "first", "max_tags": 1}, "general, best, b"),
        ({"tag_order": "score", "rating": "last", "quality": "last", "max_tags": 1}, "b, best, general"),
        (
            {"always_first_tags": "best, general", "rating": "last", "quality": "last", "max_tags": 1},
            "best, general, b",
        ),
        ({"always_first_tags": "solo, b, SOLO", "max_tags": 3}, "solo, b, a"),
        ({"always_first_tags": "solo, 1girl , nothing"}, "solo, 1girl, long_hair, ;d, \\m/, c, b, a"),
        ({"always_first_tags": "b,;d,\\m/", "character_tags_first": True}, "b, ;d, \\m/, a, c, 1girl, long_hair, solo"),
        ({"max_tags": 3}, "solo, b, a"),
        ({"max_tags": 3, "always_first_tags": "1girl, b"}, "b, solo, a"),
        ({"max_tags": 3, "trigger_words": "sks", "rating": "first"}, "sks, general, solo, b, a"),
    ],
)
def test_order(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    picture = {**PICTURE, "character": {"c": 0.88, "b": 0.95, "a": 0.9}, "quality": {"best": 0.6}}
    assert caption_of(picture, **options).text == caption


def test_several_tags_in_one_keep_the_best_score(caption_of: CaptionOf) -> None:
    caption = caption_of(
        {"general": {"a": 0.5, "b": 0.9, "c": 0.7, "d": 0.6}}, tag_replacement="a -> x\nb -> x\nd -> x"
    )
    assert list(caption.scores().items()) == [("x", 0.9), ("c", 0.7)]


def test_tags_of_equal_score_keep_the_models_order(caption_of: CaptionOf) -> None:
    picture = {"character": {"c": 0.9}, "general": {"b": 0.9, "a": 0.9, "d": 0.95}}
    assert caption_of(picture, tag_order="score").text == "d, b, a, c"
    assert caption_of(picture, order="score").text == "d, c, b, a"
    assert caption_of(picture, max_tags=2).text == "b, d"
    many = {f"t{i:03}": 0.9 for i in range(200)}
    assert caption_of({"general": many}, tag_order="score").text == ", ".join(many)
    assert caption_of({"meta": {"m": 0.9}, "general": many}).text == ", ".join([*many, "m"])


def test_a_text_of_a_character_and_a_general_tag_stands_with_the_characters(caption_of: CaptionOf) -> None:
    picture = {"general": {"a": 0.9, "x": 0.8}, "character": {"z": 0.95}}
    options = {"tag_replacement": "z -> x", "character_tags_first": True}
    for tag_order in ("model", "score", "alphabetical"):
        assert caption_of(picture, tag_order=tag_order, **options).text == "x, a"


def test_a_rating_that_is_written_as_a_tag_has_the_better_score(caption_of: CaptionOf) -> None:
    picture = {"rating": {"sensitive": 0.5}, "general": {"a": 0.7, "b": 0.6}}
    caption = caption_of(picture, rating="first", tag_replacement="sensitive -> b")
    assert list(caption.scores().items()) == [("b", 0.6), ("a", 0.7)]
