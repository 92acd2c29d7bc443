"""Thresholds: fixed, the model's own, and maximum cut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.caption.conftest import CaptionOf
from wd14.caption.captioner import Captioner
from wd14.caption.thresholds import MCUT_FLOOR, lowest_threshold, mcut
from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.types import SCORE_FLOOR, UNUSED, Labels

ONE_OF_EACH = {
    "rating": {"general": 0.6, "explicit": 0.3},
    "general": {"solo": 0.5, "cat": 0.36},
    "character": {"umbreon": 0.5},
    "copyright": {"pokemon": 0.5},
    "artist": {"someone": 0.5},
    "meta": {"highres": 0.5},
    "quality": {"best_quality": 0.5},
}


def test_a_score_that_equals_the_threshold_is_kept(caption_of: CaptionOf) -> None:
    below = float(np.nextafter(np.float32(0.35), np.float32(0)))
    picture = {"general": {"at": 0.35, "below": below}}
    assert caption_of(picture, thresh=0.35).text == "at"


def test_thresholds_are_compared_in_float32(caption_of: CaptionOf) -> None:
    # 0.1 in float32 is above 0.1 in float64, 0.7 below: either way the same number is the same number.
    assert caption_of({"general": {"a": np.float32(0.7)}}, thresh=0.7).text == "a"
    assert caption_of({"general": {"a": np.float32(0.1)}}, thresh=math.nextafter(0.1, 1)).text == "a"


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({"character_threshold": None}, "solo, cat, umbreon, pokemon, someone, highres"),
        ({}, "solo, cat, pokemon, someone, highres"),
        ({"thresh": 0.6}, ""),
        ({"thresh": 0.6, "general_threshold": 0.4}, "solo"),
        ({"thresh": 0.6, "character_threshold": 0.5}, "umbreon"),
        ({"general_threshold": 0.6}, "pokemon, someone, highres"),
        ({"category_thresholds": "copyright=0.6, meta=off"}, "solo, cat, someone"),
        ({"category_thresholds": "general=off, character=0.2"}, "umbreon, pokemon, someone, highres"),
        ({"rating": "first", "quality": "last", "thresh": 0.6}, "general, best_quality"),
        ({"rating": "first", "category_thresholds": "rating=0.7"}, "solo, cat, pokemon, someone, highres"),
    ],
)
def test_each_category_has_its_threshold(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    assert caption_of(ONE_OF_EACH, **options).text == caption


def test_off_is_off_for_a_certain_tag_too(caption_of: CaptionOf) -> None:
    assert caption_of({"meta": {"highres": 1.0}}, category_thresholds="meta=off").text == ""


def test_general_tags_then_characters_then_the_rest_whatever_the_models_blocks(caption_of: CaptionOf) -> None:
    picture = {"meta": {"m": 0.9}, "character": {"c": 0.9, "d": 0.95}, "general": {"g": 0.9, "h": 0.99}}
    assert caption_of(picture).text == "g, h, c, d, m"


@pytest.mark.parametrize(
    ("published", "caption"),
    [
        ({"all": 0.45}, "solo, umbreon, pokemon"),
        ({"general": 0.3, "character": 0.6}, "solo, cat, pokemon"),
        ({"general": 0.6, "all": 0.4}, "umbreon, pokemon"),
        ({"character": 0.6}, "solo, pokemon"),  # the tag threshold, where the author published none
    ],
)
def test_the_models_own_thresholds(caption_of: CaptionOf, published: dict[str, float], caption: str) -> None:
    picture = {
        "general": {"solo": 0.5, "cat": 0.36},
        "character": {"umbreon": 0.5},
        "copyright": {"pokemon": 0.48},
    }
    assert caption_of(picture, published=published, threshold_mode="model", thresh=0.4).text == caption


def test_a_threshold_of_a_persons_own_holds_in_every_mode(caption_of: CaptionOf) -> None:
    picture = {"general": {"solo": 0.5, "cat": 0.36}, "meta": {"highres": 0.99}}
    for mode in ("fixed", "model", "mcut"):
        options = {"threshold_mode": mode, "category_thresholds": "general=0.36, meta=off"}
        assert caption_of(picture, published={"all": 0.45}, **options).text == "solo, cat"


def test_a_model_without_published_thresholds_says_so(caption_of: CaptionOf) -> None:
    with pytest.raises(ConfigError, match=r"Threshold Mode .*no published threshold; choose fixed or mcut"):
        caption_of(ONE_OF_EACH, threshold_mode="model")


@pytest.mark.parametrize(
    ("scores", "lowest_kept"),
    [
        ([0.95, 0.9, 0.85, 0.3, 0.25, 0.1], 0.85),  # widest gap: 0.85 - 0.3
        ([0.1, 0.3, 0.85, 0.25, 0.9, 0.95], 0.85),
        ([0.6, 0.55, 0.5, 0.09, 0.05], 0.5),
        ([0.015, 0.002, 0.001], 0.15),  # a picture in which the model sees nothing
        ([0.12, 0.02, 0.011], 0.15),
        ([0.0, 0.0], 0.15),
        ([0.9, 0.9, 0.9], 0.9),
        ([0.99, 0.45, 0.44, 0.4, 0.02], 0.4),  # 0.99 - 0.45 is widest: its middle, 0.72, would drop the rest
        ([0.98], 0.98),
    ],
)
def test_maximum_cut_of_general_tags(scores: list[float], lowest_kept: float) -> None:
    cut = mcut(np.array(scores, np.float32), one_may_dominate=False)
    assert cut == pytest.approx(lowest_kept)


def test_one_character_may_dominate() -> None:
    scores = np.array([0.98, 0.4, 0.39, 0.01], np.float32)
    assert mcut(scores, one_may_dominate=True) == pytest.approx(0.98)
    assert mcut(scores, one_may_dominate=False) == pytest.approx(0.39)


def test_maximum_cut_works_by_category_and_leaves_ratings_alone(caption_of: CaptionOf) -> None:
    picture = {
        "rating": {"general": 0.99, "explicit": 0.98},
        "general": {"solo": 0.9, "cat": 0.8, "dog": 0.2},
        "character": {"umbreon": 0.3, "eevee": 0.14},
    }
    assert caption_of(picture, threshold_mode="mcut", thresh=0.95).text == "solo, cat, umbreon"
    assert caption_of(picture, threshold_mode="mcut", rating="first").text == "general, solo, cat, umbreon"


def test_maximum_cut_does_not_bring_back_what_is_undesired(caption_of: CaptionOf) -> None:
    picture = {"general": {"solo": 0.9, "cat": 0.8, "dog": 0.2}}
    assert caption_of(picture, threshold_mode="mcut", undesired_tags="solo").text == "cat"


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({}, "cat"),
        ({"rating": "first"}, "sensitive, cat"),
        ({"rating": "last"}, "cat, sensitive"),
        ({"rating": "first", "undesired_tags": "sensitive"}, "cat"),  # not the next best: that would be untrue
        ({"rating": "first", "undesired_tags": "explicit"}, "sensitive, cat"),
        ({"rating": "first", "tag_replacement": "sensitive -> safe"}, "safe, cat"),
        ({"rating": "first", "always_first_tags": "cat"}, "cat, sensitive"),
        ({"rating": "first", "max_tags": 1}, "sensitive, cat"),
    ],
)
def test_the_rating_is_the_best_scored(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    picture = {
        "general": {"cat": 0.9},
        "rating": {"general": 0.2, "sensitive": 0.3, "questionable": 0.3, "explicit": 0.2},
    }
    assert caption_of(picture, **options).text == caption


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({"rating": "first", "quality": "first"}, "general, best, dog, cat"),
        ({"rating": "last", "quality": "last"}, "dog, cat, best, general"),
        ({"rating": "last", "quality": "first"}, "best, dog, cat, general"),
        ({"rating": "first", "undesired_tags": "general"}, "explicit, dog, cat"),
        ({"rating": "first", "undesired_tags": "general, explicit"}, "dog, cat"),
        ({"quality": "first", "category_thresholds": "quality=0.9"}, "dog, cat"),
    ],
)
def test_ratings_and_quality_of_a_mapping_model_as_kohya_writes_them(
    caption_of: CaptionOf, options: dict[str, object], caption: str
) -> None:
    # The third rating is below every threshold: kohya does not fall back to it.
    picture = {
        "rating": {"general": 0.7, "explicit": 0.5, "sensitive": 0.3},
        "general": {"cat": 0.8, "dog": 0.9},
        "quality": {"best": 0.6, "worst": 0.4},
    }
    assert caption_of(picture, order="score", **options).text == caption


# ── Stored scores ───────────────────────────────────────────────────────────────────────────────────────────────────

MANY = Labels(
    tuple(f"t{i}" for i in range(24)), ("rating",) * 4 + ("general",) * 12 + ("character",) * 7 + ("copyright",)
)


@given(
    exponents=st.lists(st.floats(-4, 0), min_size=24, max_size=24),
    mode=st.sampled_from(["fixed", "mcut", "model"]),
    low=st.sampled_from([0.01, 0.02, 0.3]),
)
@settings(max_examples=300, deadline=None)
def test_captions_from_stored_scores_are_those_of_fresh_ones(exponents: list[float], mode: str, low: float) -> None:
    """Scores below the floor are lost in the store, ratings are not: no caption may depend on what is lost."""
    fresh = (10.0 ** np.array(exponents)).astype(np.float32)
    stored = np.where((fresh >= np.float32(SCORE_FLOOR)) | (np.arange(24) < 4), fresh, np.float32(0))
    values = {"threshold_mode": mode, "thresh": low, "character_threshold": low, "rating": "first"}
    config = CaptionConfig.from_values(values)
    published = {"all": low}
    assert np.float32(lowest_threshold(MANY, config, published)) >= np.float32(SCORE_FLOOR)
    captioner = Captioner(MANY, config, published=published)
    assert captioner(fresh).text == captioner(stored).text


def test_mcut_does_not_look_below_the_floor() -> None:
    """The widest gap of these is below it: seen, it would keep the third score as well."""
    scores = np.array([0.5, 0.45, 0.4, 0.0099], np.float32)
    assert mcut(scores, one_may_dominate=True) == pytest.approx(0.4)
    alone = np.array([0.0099, 0.0098, 0.0001], np.float32)
    assert mcut(alone, one_may_dominate=True) == MCUT_FLOOR
    assert mcut(np.append(np.float32(0.155), alone), one_may_dominate=False) == pytest.approx(0.155)


@pytest.mark.parametrize(
    ("values", "lowest"),
    [
        ({"thresh": 0.2, "character_threshold": 0.5}, 0.2),
        ({"thresh": 0.5, "character_threshold": 0.1}, 0.1),
        ({"thresh": 0.5, "general_threshold": 0.3}, 0.3),
        ({"thresh": 0.5, "category_thresholds": "general=0.005"}, 0.005),
        ({"thresh": 0.5, "category_thresholds": "rating=0.005"}, 0.5),
        ({"thresh": 0.5, "category_thresholds": "general=off, character=off, copyright=off"}, 2.0),
        ({"threshold_mode": "mcut", "thresh": 0.001}, 0.001),  # the only copyright tag has nothing to be cut from
        ({"threshold_mode": "mcut", "thresh": 0.001, "category_thresholds": "copyright=0.4"}, 0.15),
        ({"threshold_mode": "mcut", "category_thresholds": "general=0.005"}, 0.005),
        ({"threshold_mode": "model", "thresh": 0.001}, 0.25),
        ({"threshold_mode": "model", "category_thresholds": "general=0.004"}, 0.004),
    ],
)
def test_the_lowest_threshold_says_whether_stored_scores_will_do(values: dict[str, Any], lowest: float) -> None:
    assert lowest_threshold(MANY, CaptionConfig.from_values(values), {"all": 0.25}) == pytest.approx(lowest)


def test_ratings_and_unused_outputs_have_no_threshold() -> None:
    labels = Labels(("a", "b", "c"), ("rating", "quality", UNUSED))
    assert lowest_threshold(labels, CaptionConfig(thresh=0.001), {}) == math.inf
