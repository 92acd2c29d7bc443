"""A caption from end to end, with numbers worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.unit.caption.conftest import CaptionOf
from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.errors import ModelContractError, ScoringError
from wd14.types import Labels

#: The picture of the documented example: Umbreon, as wd-v1-4-convnext-tagger-v2 sees it.
DOCUMENTED = {
    "rating": {"general": 0.95, "sensitive": 0.04, "questionable": 0.001, "explicit": 0.001},
    "general": {
        "1girl": 0.02,
        "solo": 0.91,
        "simple_background": 0.78,
        "white_background": 0.82,
        "full_body": 0.61,
        "black_eyes": 0.35,
        "pokemon_(creature)": 0.97,
        "no_humans": 0.98,
        "animal_focus": 0.44,
    },
    "character": {"umbreon": 0.849},
}
DOCUMENTED_CAPTION = (
    "solo, simple_background, white_background, full_body, black_eyes, pokemon_(creature), no_humans, animal_focus"
)


def test_the_documented_example_is_what_a_caption_looks_like_by_default(caption_of: CaptionOf) -> None:
    assert caption_of(DOCUMENTED).text == DOCUMENTED_CAPTION


def test_a_caption_tells_each_tags_score(caption_of: CaptionOf) -> None:
    caption = caption_of(DOCUMENTED, rating="first", thresh=0.9, remove_underscore=True)
    assert [name for name, _ in caption.tags] == ["general", "solo", "pokemon (creature)", "no humans"]
    assert caption.scores() == {"general": 0.95, "solo": 0.91, "pokemon (creature)": 0.97, "no humans": 0.98}
    assert json.loads(json.dumps(caption.scores())) == caption.scores()


def test_a_picture_without_a_tag_has_an_empty_caption(caption_of: CaptionOf) -> None:
    assert caption_of(DOCUMENTED, thresh=1, character_threshold=1).text == ""


def test_a_model_without_ratings_has_none_to_write(caption_of: CaptionOf) -> None:
    picture = {"general": {"solo": 0.9, "cat": 0.8}}
    assert caption_of(picture, rating="first", quality="last").text == "solo, cat"


@pytest.mark.parametrize("separator", [", ", ",", "; ", " | ", "\n", " "])
def test_the_separator_stands_between_tags_and_nowhere_else(caption_of: CaptionOf, separator: str) -> None:
    picture = {"general": {";d": 0.9, "\\m/": 0.9, "cat": 0.8}}
    assert caption_of(picture, caption_separator=separator).text == separator.join([";d", "\\m/", "cat"])


@pytest.mark.parametrize(("mode", "kept"), [("fixed", [1, 2]), ("mcut", [0, 2])])
def test_kept_tags_are_wanted_and_no_ratings(mode: str, kept: list[int]) -> None:
    labels = Labels(("a", "c", "b", "general", "b_(d)"), ("general", "character", "general", "rating", "character"))
    config = CaptionConfig.from_values(
        {"threshold_mode": mode, "thresh": 0.6, "character_threshold": 0.2, "undesired_tags": "b_(d)"}
    )
    scores = np.array([0.5, 0.3, 0.7, 0.9, 0.8], np.float32)
    assert Captioner(labels, config).kept(scores).tolist() == kept


def test_as_many_scores_as_tags_are_expected() -> None:
    captioner = Captioner(Labels(("a", "b"), ("general", "general")), CaptionConfig())
    with pytest.raises(ModelContractError, match=r"expected 2 scores.*\(3,\)"):
        captioner(np.zeros(3, np.float32))


def test_scores_that_are_not_numbers_fail_their_row() -> None:
    captioner = Captioner(Labels(("a", "b"), ("general", "general")), CaptionConfig())
    with pytest.raises(ScoringError, match="not numbers"):
        captioner(np.array([0.9, np.nan], np.float32))


def test_entries_that_match_no_tag_are_remarked() -> None:
    labels = Labels(("long_hair", "saber_(fate)"), ("general", "character"))
    config = CaptionConfig.from_values(
        {
            "undesired_tags": "long hair, hair, lnog_hair, blue_*",
            "always_first_tags": "saber \\(fate\\), sabre",
            "tag_replacement": "long_hair -> hair\nshort_hair -> hair",
            "category_thresholds": "copyright=0.5, general=0.4",
        }
    )
    remarks = Captioner(labels, config).remarks
    assert [remark.rsplit(" ", 1)[1] for remark in remarks] == [
        "'short_hair'",
        "'lnog_hair'",
        "'blue_*'",
        "'sabre'",
        "'copyright'",
    ]
