"""The rules of a review page give the captions that `Captioner` gives, under the run's thresholds and under others."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rule_reader import OFF, RuleReader
from wd14.caption.captioner import Captioner
from wd14.caption.page_rules import page_rules
from wd14.caption.tokens import EstimatedTokens
from wd14.config import CaptionConfig
from wd14.curation.applying import curation_of
from wd14.curation.plan import Plan
from wd14.page_model import PageModel
from wd14.review.page_data import PageContents, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Curation, FloatArray, Labels, Status

TAGS = {
    "rating": ("general", "sensitive", "explicit"),
    "quality": ("best_quality", "worst_quality"),
    "general": (
        *("1girl", "2girls", "solo", "blue_hair", "red_hair", "multicolored_hair", "long_hair", "very_long_hair"),
        *("hair_bow", "bow", "white_shirt", "shirt", "smile_(open)", "Zebra", "apple"),
    ),
    "character": ("saber_(fate)", "rin_(fate)", "miku"),
    "copyright": ("fate", "vocaloid"),
    "artist": ("somebody",),
}
NAMES = tuple(name for names in TAGS.values() for name in names)
CATEGORIES = tuple(category for category, names in TAGS.items() for _ in names)
PLANS: list[dict[str, Any]] = [
    {"decisions": []},
    {
        "decisions": [
            {"tag": "blue_hair", "decision": "folded"},
            {"tag": "saber_(fate)", "decision": "dropped"},
            {"tag": "red_hair", "decision": "dropped", "beside": "blue_hair"},
            {"tag": "very_long_hair", "decision": "dropped", "beside": "long_hair"},
        ]
    },
]
THRESHOLDS = st.sampled_from([0.05, 0.1, 0.25, 0.3333, 0.35, 0.5, 0.85, 1.0])

CONFIGS = st.fixed_dictionaries(
    {"review": st.just(True)},
    optional={
        "thresh": THRESHOLDS,
        "general_threshold": THRESHOLDS,
        "character_threshold": THRESHOLDS,
        "category_thresholds": st.sampled_from(["copyright=off", "artist=0.2, rating=0.4", "quality=0.3, general=0.3"]),
        "threshold_mode": st.sampled_from(["fixed", "model"]),
        "max_tags": st.integers(1, 8),
        "undesired_tags": st.sampled_from(["shirt", "explicit", "*hair, fate", "best quality, general"]),
        "remove_implied_tags": st.booleans(),
        "caption_style": st.sampled_from(["animagine", "illustrious", "noobai", "pony", "anima"]),
        "rating": st.sampled_from(["first", "last"]),
        "quality": st.sampled_from(["first", "last"]),
        "tag_order": st.sampled_from(["model", "score", "alphabetical"]),
        "character_tags_first": st.booleans(),
        "always_first_tags": st.sampled_from(["solo, 1girl", "miku", "safe, apple"]),
        "trigger_words": st.sampled_from(["me", "solo, x", "long hair"]),
        "remove_underscore": st.booleans(),
        "escape_parentheses": st.booleans(),
        "character_tag_expand": st.booleans(),
        "tag_replacement": st.sampled_from(["blue_hair -> hair, blue", "shirt -> bow", "miku ->", "rin -> Rin"]),
        "caption_separator": st.sampled_from([", ", "; ", " "]),
        "max_tokens": st.integers(3, 40),
        "append_tags": st.booleans(),
    },
)
SCORES = st.lists(st.integers(0, 20), min_size=len(NAMES), max_size=len(NAMES))
BEFORE = st.sampled_from([None, "", "me, 1girl", "a girl, Long Hair, smile", "A girl stands here. She smiles."])


def as_scores(steps: list[int], noise: int) -> FloatArray:
    """Many equal scores, and many at a threshold or a hair beside it."""
    values = np.array(steps, np.float32) / np.float32(20)
    changes = np.random.default_rng(noise).integers(-1, 2, len(NAMES)) * np.float32(0.00004)
    clipped: FloatArray = np.clip(values + (changes if noise % 2 else 0), 0, 1).astype(np.float32)
    return clipped


def page_of(
    labels: Labels, config: CaptionConfig, curation: Curation | None, rows: list[tuple[FloatArray, str | None]]
) -> dict[str, Any]:
    """The page's data, as JSON brings them back."""
    published = {"all": 0.3, "character": 0.6111}
    captioner = Captioner(labels, config, published=published, curation=curation)
    model = PageModel(labels, config, published, curation)
    page_rows = PageRows(config.caption_separator, model.texts, model.candidates())
    for scores, before in rows:
        text = captioner(scores, before).text
        page_rows.add(PageRow("a", Status.CAPTIONED, "a", caption=text, before=before, scores=scores))
    rules = model.rules(page_rows)
    assert rules.tables is not None
    contents = PageContents(
        {}, "", config.caption_separator, model.triggers, model.words, rules.tables, tokens=rules.tokens
    )
    data: dict[str, Any] = json.loads(json.dumps(page_data(page_rows, contents)))
    return data


@given(CONFIGS, st.lists(st.tuples(SCORES, st.integers(0, 99), BEFORE), min_size=1, max_size=3), st.data())
def test_the_rules_give_the_captioners_captions(
    values: dict[str, Any], pictures: list[tuple[list[int], int, str | None]], data: st.DataObject
) -> None:
    labels = Labels(NAMES, CATEGORIES, order=data.draw(st.sampled_from(["model", "score"])))
    config = CaptionConfig.from_values(values)
    curation = curation_of(Plan.from_json(data.draw(st.sampled_from(PLANS))), labels)
    rows = [(as_scores(steps, noise), before if config.append_tags else None) for steps, noise, before in pictures]
    page = page_of(labels, config, curation, rows)
    reader = RuleReader(page)
    slides = [row for row in range(len(rows)) if row not in page["rules"]["fixed_rows"]]
    for row in slides:
        assert reader.caption(row) == reader.base(row)
    category = data.draw(st.sampled_from(["general", "character", "copyright", "artist"]))
    moved = data.draw(THRESHOLDS | st.just(OFF))
    shifted = config.model_copy(update={"category_thresholds": {**config.category_thresholds, category: moved}})
    captioner = Captioner(labels, shifted, published={"all": 0.3, "character": 0.6111}, curation=curation)
    if moved != page["rules"]["thresholds"][category]:
        for row in slides:
            assert reader.caption(row, {category: moved}) == captioner(*rows[row]).text


@pytest.mark.parametrize(
    ("values", "words"),
    [({"threshold_mode": "mcut"}, "MCut"), ({"max_tokens": 75, "caption_separator": ","}, "ends in a blank")],
)
def test_what_cannot_be_worked_out_is_said(values: dict[str, Any], words: str) -> None:
    labels = Labels(NAMES, CATEGORIES)
    config = CaptionConfig.from_values(values)
    model = PageModel(labels, config, {})
    rules = page_rules(labels, config, model.texts, published={}, curation=None, counter=EstimatedTokens(), before={})
    assert rules.tables is None
    assert words in rules.missing


def test_thresholds_are_named_by_their_options_and_off_is_two() -> None:
    labels = Labels(NAMES, CATEGORIES)
    config = CaptionConfig.from_values({"category_thresholds": "artist=off", "general_threshold": "0.123456"})
    rules = PageModel(labels, config, {}).rules(PageRows(", ", PageModel(labels, config, {}).texts)).tables
    assert rules is not None
    assert rules["thresholds"] == {"general": 0.1235, "character": 0.85, "copyright": 0.35, "artist": 2}
    assert rules["threshold_options"]["artist"] == "--category-thresholds=artist"
