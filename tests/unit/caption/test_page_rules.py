"""The rules of a review page give the captions that `Captioner` gives, under the run's thresholds and under others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.support.rule_reader import RuleReader
from wd14.caption.captioner import Captioner
from wd14.caption.page_rules import page_rules
from wd14.caption.tokens import EstimatedTokens
from wd14.config import CaptionConfig
from wd14.curation.applying import curation_of
from wd14.curation.plan import Plan
from wd14.page_model import PageModel
from wd14.published import Published
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
THRESHOLDS = (0.05, 0.1, 0.25, 0.3333, 0.35, 0.5, 0.85, 1.0)
OPTIONS: dict[str, tuple[Any, ...]] = {
    "thresh": THRESHOLDS,
    "general_threshold": THRESHOLDS,
    "character_threshold": THRESHOLDS,
    "category_thresholds": ("copyright=off", "artist=0.2, rating=0.4", "quality=0.3, general=0.3"),
    "threshold_mode": ("model", "fixed"),
    "tag_thresholds": ("solo=+0.1, shirt=0.9, fate=off", "*hair=-0.1, miku=0.2, red_hair=+0.9", "apple=0.35"),
    "max_tags": (1, 2, 3, 5),
    "undesired_tags": ("shirt", "explicit, general", "*hair, fate", "best quality, solo"),
    "remove_implied_tags": (True,),
    "caption_style": ("animagine", "illustrious", "noobai", "pony", "anima"),
    "rating": ("first", "last"),
    "quality": ("first", "last"),
    "tag_order": ("score", "alphabetical"),
    "character_tags_first": (True, False),
    "always_first_tags": ("solo, 1girl", "miku", "safe, apple"),
    "trigger_words": ("me", "solo, x", "long hair"),
    "remove_underscore": (True,),
    "escape_parentheses": (True,),
    "character_tag_expand": (True,),
    "tag_replacement": ("blue_hair -> hair, blue", "shirt -> bow", "miku ->", "rin -> Rin"),
    "caption_separator": ("; ", " "),
    "max_tokens": (3, 8, 12, 20, 40),
    "append_tags": (True,),
}
BY_CATEGORY = {"all": 0.3, "character": 0.6111}
#: A model's own thresholds: by category, for some tags, and for all; used by themselves or not.
PUBLISHED = (
    Published(BY_CATEGORY),
    Published(BY_CATEGORY, is_preferred=True),
    Published(BY_CATEGORY, {5: 0.05, 7: 0.9, 20: 0.25}, is_preferred=True),
    Published({}, {tag: (7 + 3 * tag) % 20 / 20 for tag in range(len(NAMES))}),
)
BEFORE = (None, "", "me, 1girl", "a girl, Long Hair, smile", "A girl stands here. She smiles.")
#: Enough that each step of the captioner matters in several.
CASES = 700


def some_scores(random: Random) -> FloatArray:
    """Many equal scores, many at a threshold or a hair beside it; mostly of one person."""
    values = [random.choice((0.0, 0.05, 0.2, 0.25, 0.35, 0.5, 0.6, 0.9, 1.0)) for _ in NAMES]
    if random.random() < 0.7:
        values[NAMES.index("2girls")] = 0.0
        values[NAMES.index("solo")] = 1.0
    if random.random() < 0.5:
        values = [value + random.choice((-0.00004, 0, 0.00004)) for value in values]
    clipped: FloatArray = np.clip(np.array(values, np.float32), 0, 1)
    return clipped


def page_of(
    labels: Labels,
    config: CaptionConfig,
    published: Published,
    curation: Curation | None,
    rows: list[tuple[FloatArray, str | None]],
) -> dict[str, Any]:
    """The page's data, as JSON brings them back."""
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


def with_threshold(config: CaptionConfig, rules: Mapping[str, Any], category: str, threshold: float) -> CaptionConfig:
    """The parameters with a slider moved, as the page writes them into its command."""
    changed: dict[str, Any] = {"category_thresholds": {**config.category_thresholds, category: threshold}}
    if rules["prefers_own"]:
        changed["threshold_mode"] = "model"
    return config.model_copy(update=changed)


def test_the_rules_give_the_captioners_captions() -> None:
    """Of every option, alone and with others; under the run's thresholds, and with one of them moved."""
    random = Random(0)
    slid = 0
    for _ in range(CASES):
        values = {key: random.choice(choices) for key, choices in OPTIONS.items() if random.random() < 0.2}
        labels = Labels(NAMES, CATEGORIES, order=random.choice(("model", "model", "score")))
        config = CaptionConfig.from_values(values)
        curation = curation_of(Plan.from_json(random.choice(PLANS)), labels)
        rows = [(some_scores(random), random.choice(BEFORE) if config.append_tags else None) for _ in range(3)]
        published = random.choice(PUBLISHED)
        page = page_of(labels, config, published, curation, rows)
        reader = RuleReader(page)
        category, moved = random.choice(("general", "character", "copyright", "artist")), random.choice(THRESHOLDS)
        if "-0.1" in values.get("tag_thresholds", ""):
            moved = max(moved, 0.25)  # what lies below 0.05 is not in the page
        shifted = with_threshold(config, page["rules"], category, moved)
        captioner = Captioner(labels, shifted, published=published, curation=curation)
        for row in set(range(len(rows))) - set(page["rules"]["fixed_rows"]):
            assert reader.caption(row) == reader.base(row), (values, published)
            if moved != page["rules"]["thresholds"][category]:
                slid += 1
                assert reader.caption(row, {category: moved}) == captioner(*rows[row]).text, (
                    values,
                    published,
                    category,
                    moved,
                )
    assert slid > CASES


@pytest.mark.parametrize(
    ("values", "published", "words"),
    [
        ({"threshold_mode": "mcut"}, Published(), "MCut"),
        ({"max_tokens": 75, "caption_separator": ","}, Published(), "ends in a blank"),
        ({}, Published({}, {5: 0.4}, is_final=True), "Several models"),
    ],
)
def test_what_cannot_be_worked_out_is_said(values: dict[str, Any], published: Published, words: str) -> None:
    labels = Labels(NAMES, CATEGORIES)
    config = CaptionConfig.from_values(values)
    model = PageModel(labels, config, published)
    rules = page_rules(
        labels, config, model.texts, published=published, curation=None, counter=EstimatedTokens(), before={}
    )
    assert rules.tables is None
    assert words in rules.missing


def test_thresholds_by_category_are_told_and_off_is_two() -> None:
    labels = Labels(NAMES, CATEGORIES)
    config = CaptionConfig.from_values({"category_thresholds": "artist=off", "general_threshold": "0.123456"})
    rules = (
        PageModel(labels, config, Published())
        .rules(PageRows(", ", PageModel(labels, config, Published()).texts))
        .tables
    )
    assert rules is not None
    assert rules["thresholds"] == {"general": 0.1235, "character": 0.85, "copyright": 0.35, "artist": 2}
    assert rules["category_thresholds"] == {"artist": 2}
