"""Thresholds: fixed, the model's own, and maximum cut."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.caption.conftest import CaptionOf
from wd14.caption.captioner import Captioner
from wd14.caption.thresholds import MCUT_FLOOR, lowest_threshold, mcut
from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.published import Published
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
        ({"character_threshold": 0.35}, "solo, cat, umbreon, pokemon, someone, highres"),
        ({}, "solo, cat, pokemon, someone, highres"),
        ({"thresh": 0.6}, ""),
        ({"thresh": 0.6, "general_threshold": 0.4}, "solo"),
        ({"thresh": 0.6, "character_threshold": 0.5}, "umbreon"),
        ({"general_threshold": 0.6}, "pokemon, someone, highres"),
        ({"category_thresholds": "copyright=0.6, meta=off"}, "solo, cat, someone"),
        ({"category_thresholds": "general=off, character=0.2"}, "umbreon, pokemon, someone, highres"),
        ({"rating": "first", "quality": "last", "thresh": 0.6}, "general, best_quality"),
        ({"rating": "first", "category_thresholds": "rating=0.6", "thresh": 0.6}, "general"),
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
        ([0.99, 0.3], 0.3),
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


def test_a_rating_needs_no_threshold(caption_of: CaptionOf) -> None:
    picture = {"general": {"cat": 0.9}, "rating": {"general": 0.002, "explicit": 0.003}, "quality": {"best": 0.009}}
    assert caption_of(picture, rating="first", quality="first").text == "explicit, cat"  # low quality is not stored


PICTURE = {
    "rating": {"general": 0.6},
    "general": {"wet_hair": 0.5, "smile": 0.44, "=_=": 0.5, "blurry": 0.99, "long_hair": 0.3},
    "character": {"saber_(fate)": 0.7},
    "style": {"sketch": 0.5},
}


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({"tag_thresholds": "wet hair=0.6, Blurry=off"}, "smile, =_=, sketch"),
        ({"tag_thresholds": r"=_==0.6, blurry=off, saber \(fate\)=-0.2"}, "wet_hair, smile, saber_(fate), sketch"),
        ({"tag_thresholds": "smile=+0.1, long_hair=-0.05"}, "wet_hair, =_=, blurry, long_hair, sketch"),
        ({"tag_thresholds": "wet_hair=0.9, *_hair=0.3, =_==off, blurry=off"}, "smile, long_hair, sketch"),
        ({"tag_thresholds": "smile=0.9, smile=0.2, general=0.9"}, "wet_hair, smile, =_=, blurry, sketch"),
        # Relative to what the tag has otherwise, and before what its category has.
        ({"tag_thresholds": "smile=+0.1, blurry=0.2", "category_thresholds": "general=off"}, "blurry, sketch"),
        (
            {"tag_thresholds": "smile=+0.1", "category_thresholds": "general=0.3"},
            "wet_hair, smile, =_=, blurry, long_hair, sketch",
        ),
        # MCut keeps all general tags, from 0.3 on; a single character has no gap.
        (
            {"tag_thresholds": "smile=+0.2, long_hair=0.2, wet_hair=off", "threshold_mode": "mcut"},
            "=_=, blurry, long_hair, sketch",
        ),
    ],
)
def test_thresholds_of_single_tags(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    assert caption_of(PICTURE, **options).text == caption


# ── Stored scores ───────────────────────────────────────────────────────────────────────────────────────────────────

MANY = Labels(
    tuple(f"t{i}" for i in range(15)),
    ("rating",) * 2 + ("general",) * 5 + ("character",) * 3 + ("copyright", "unused") + ("quality",) * 3,
)
RATINGS = np.arange(15) < 2
#: On a grid, so that gaps between scores are nearly equal and a score below the floor decides which is widest.
SCORES = [0, 0.001, 0.0075, 0.0099, 0.01, 0.0101, 0.15, 0.155, 0.2, 0.205, 0.305, 0.4, 0.405, 0.605, 0.8]
LOW = st.sampled_from([0, 0.005, 0.01, 0.02, 0.3])


@settings(max_examples=500, deadline=None)
@given(
    picture=st.lists(st.sampled_from(SCORES), min_size=15, max_size=15),
    order=st.sampled_from(["model", "score"]),
    published=st.builds(
        Published,
        st.fixed_dictionaries({"all": LOW}),
        st.dictionaries(st.integers(0, 14), LOW, max_size=3),
        is_preferred=st.booleans(),
    ),
    values=st.fixed_dictionaries(
        {"threshold_mode": st.sampled_from(["fixed", "mcut", "model"]), "rating": st.just("first")},
        optional={
            "thresh": LOW,
            "character_threshold": LOW,
            "quality": st.just("last"),
            "max_tags": st.just(3),
            "tag_thresholds": st.sampled_from(["t3=-0.2", "t3=0.005, t8=+0.2", "t*=+0.05, t4=off"]),
            "category_thresholds": st.dictionaries(st.sampled_from(sorted(set(MANY.categories))), LOW, max_size=1),
        },
    ),
)
def test_stored_scores_give_the_captions_of_fresh_ones(
    picture: list[float], order: Literal["model", "score"], published: Published, values: dict[str, Any]
) -> None:
    """The store loses scores below 0.01, except ratings. A lower threshold makes a job score every picture anew."""
    labels = Labels(MANY.names, MANY.categories, order)
    config = CaptionConfig.from_values(values)
    assume(np.float32(lowest_threshold(labels, config, published)) >= np.float32(0.01))
    fresh = np.array(picture, np.float32)
    stored = np.where((fresh >= np.float32(0.01)) | RATINGS, fresh, np.float32(0))
    captioner = Captioner(labels, config, published=published)
    assert captioner(stored) == captioner(fresh)


@pytest.mark.parametrize(
    ("scores", "lowest_kept"),
    [
        ([0.5, 0.255, 0.0099], 0.255),  # 0.255 - 0 is widest; 0.255 - 0.0099 is not
        ([0.5, 0.255, 0.01], 0.5),
        ([0.0099], MCUT_FLOOR),
    ],
)
def test_maximum_cut_looks_at_stored_scores_only(scores: list[float], lowest_kept: float) -> None:
    assert mcut(np.array(scores, np.float32), one_may_dominate=True) == pytest.approx(lowest_kept)


@pytest.mark.parametrize(
    ("values", "lowest"),
    [
        ({"thresh": 0.2}, 0.2),
        ({"thresh": 0.5, "character_threshold": 0.1}, 0.1),
        ({"thresh": 0.5, "general_threshold": 0.3}, 0.3),
        ({"thresh": 0.5, "category_thresholds": "general=0.005"}, 0.005),
        ({"thresh": 0.5, "category_thresholds": "general=off"}, 0.5),
        ({"category_thresholds": "general=off, character=off, copyright=off"}, 2.0),
        ({"threshold_mode": "mcut", "thresh": 0.3}, 0.15),
        ({"threshold_mode": "mcut", "thresh": 0.001}, 0.001),  # one copyright tag: the fixed threshold
        ({"threshold_mode": "mcut", "category_thresholds": "general=0.005"}, 0.005),
        ({"threshold_mode": "model", "thresh": 0.001}, 0.25),
        ({"threshold_mode": "model", "category_thresholds": "general=0.004"}, 0.004),
        # Ratings are stored however low they are, and outputs without a tag are never written.
        ({"thresh": 0.5, "rating": "first", "category_thresholds": "rating=0.005, unused=0.005"}, 0.5),
        # A quality tag counts where it is written.
        ({"thresh": 0.5, "category_thresholds": "quality=0.005"}, 0.5),
        ({"thresh": 0.5, "category_thresholds": "quality=0.005", "quality": "last"}, 0.005),
        ({"thresh": 0.5, "quality": "first"}, SCORE_FLOOR),
    ],
)
def test_the_lowest_threshold(values: dict[str, Any], lowest: float) -> None:
    assert lowest_threshold(MANY, CaptionConfig.from_values(values), Published({"all": 0.25})) == pytest.approx(lowest)


@pytest.mark.parametrize("category", ["general", "character", "copyright", "meta", "model", "artist"])
def test_a_mapping_models_quality_has_the_lowest_threshold_as_in_kohya(category: str) -> None:
    """Also that of a category that the model does not have."""
    labels = Labels(("a", "b"), ("hair", "quality"), "score")
    values = {"thresh": 0.5, "character_threshold": 0.6, "category_thresholds": f"{category}=0.005"}
    assert lowest_threshold(labels, CaptionConfig.from_values(values), Published()) == 0.5
    assert lowest_threshold(
        labels, CaptionConfig.from_values({**values, "quality": "last"}), Published()
    ) == np.float32(0.005)


def test_a_model_with_nothing_to_keep_has_no_lowest_threshold() -> None:
    labels = Labels(("a", "b", "c"), ("rating", "quality", UNUSED))
    assert lowest_threshold(labels, CaptionConfig(thresh=0.001), Published()) == math.inf
    assert lowest_threshold(labels, CaptionConfig(rating="first"), Published()) == math.inf


# ── A model's own, by tag ───────────────────────────────────────────────────────────────────────────────────────────

BY_TAG = Labels(("general", "a", "b", "c", "d", "e"), ("rating", "general", "general", "general", "character", "style"))
OWN = Published({"all": 0.6}, {1: 0.2, 2: 0.8, 4: 0.5})


@pytest.mark.parametrize(
    ("options", "published", "thresholds"),
    [
        # a, b and d have their own, c and e those of their categories, where the model's count.
        ({}, OWN, [0.35, 0.35, 0.35, 0.85, 0.35]),
        ({"threshold_mode": "model"}, OWN, [0.2, 0.8, 0.6, 0.5, 0.6]),
        ({}, replace(OWN, is_preferred=True), [0.2, 0.8, 0.6, 0.5, 0.6]),
        ({"thresh": 0.35}, replace(OWN, is_preferred=True), [0.35, 0.35, 0.35, 0.85, 0.35]),
        ({"threshold_mode": "fixed"}, replace(OWN, is_preferred=True), [0.35, 0.35, 0.35, 0.85, 0.35]),
        ({"character_threshold": 0.7}, replace(OWN, is_preferred=True), [0.35, 0.35, 0.35, 0.7, 0.35]),
        ({"max_tags": 5, "caption_style": "pony"}, replace(OWN, is_preferred=True), [0.2, 0.8, 0.6, 0.5, 0.6]),
        ({}, Published(is_preferred=True), [0.35, 0.35, 0.35, 0.85, 0.35]),
        ({"threshold_mode": "model", "category_thresholds": "general=0.4"}, OWN, [0.4, 0.4, 0.4, 0.5, 0.6]),
        ({"threshold_mode": "model", "tag_thresholds": "a=+0.1, b=0.3, c=-0.1"}, OWN, [0.3, 0.3, 0.5, 0.5, 0.6]),
        ({"tag_thresholds": "a=+0.1"}, replace(OWN, is_preferred=True), [0.3, 0.8, 0.6, 0.5, 0.6]),
        ({"tag_thresholds": "a=+0.9, b=-0.9"}, OWN, [1.25, 0, 0.35, 0.85, 0.35]),
        ({"tag_thresholds": "a=0.9", "thresh": 0.1}, replace(OWN, is_final=True), [0.2, 0.8, math.inf, 0.5, math.inf]),
    ],
)
def test_where_a_threshold_comes_from(
    options: dict[str, object], published: Published, thresholds: list[float]
) -> None:
    captioner = Captioner(BY_TAG, CaptionConfig.from_values(options), published=published)
    found = captioner.thresholds(np.zeros(6, np.float32))
    assert found.tolist() == pytest.approx([math.inf, *thresholds])


@pytest.mark.parametrize(
    "content",
    [
        b'rank,Threshold,tag\r\n1,0.4,A\r\n2,+0.05,d\r\n\r\n3,off,"b"\r\n4,0.5,of another model\r\n',
        # As a spreadsheet writes it where a comma divides 0 from 4.
        b"tag;Threshold\nA;0,4\nd;+0,05\nb;off\nof another model;0,5\n",
    ],
)
def test_a_file_of_thresholds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.CSV"
    path.write_bytes(b"\xef\xbb\xbf" + content)
    captioner = Captioner(BY_TAG, CaptionConfig.from_values({"tag_thresholds": str(path)}))
    thresholds = captioner.thresholds(np.zeros(6, np.float32)).tolist()
    assert thresholds == pytest.approx([math.inf, 0.4, 2, 0.35, 0.9, 0.35])
    (remark,) = captioner.remarks
    assert remark == "Thresholds by Tag: this model lacks 1 of the file's 4 tags: of another model"


def test_entries_that_set_nothing_are_said() -> None:
    captioner = Captioner(BY_TAG, CaptionConfig.from_values({"tag_thresholds": "A=0.3, x=0.3, y*=off, General=0.5"}))
    one, two, three = captioner.remarks
    assert (one, two) == (
        "Thresholds by Tag: no tag of this model is 'x'",
        "Thresholds by Tag: no tag of this model is 'y*'",
    )
    assert "'General' is one of the category 'rating'" in three


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "columns 'tag' .* and 'threshold', got ''"),
        (b"tag,score\na,0.5\n", "got 'tag,score'"),
        (b"tag,threshold\na,0.5\nb\n", "line 3: expected a tag and a threshold, got 'b'"),
        (b"tag,threshold\na,1.5\n", "line 2: expected a number from 0 to 1"),
        (b"tag,threshold\na,nan\n", "line 2: expected a number from 0 to 1"),
        (b"tag,threshold\na,\n", "line 2: expected a number from 0 to 1"),
        (b"tag,threshold\na,+2\n", "line 2: expected at most 1 to be added"),
        (b'tag,threshold\n"a,0.5\n', "line 2: "),
        (b"tag,threshold\n\xff,0.5\n", "not UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_thresholds_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "mine.csv"
    if content is not None:
        path.write_bytes(content)
    config = CaptionConfig.from_values({"tag_thresholds": str(path)})
    with pytest.raises(ConfigError, match=f"Thresholds by Tag .*mine.csv.*{words}"):
        Captioner(BY_TAG, config)
