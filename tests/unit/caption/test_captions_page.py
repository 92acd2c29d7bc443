"""The page that explains the options: each of its examples is run, and each caption option is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.caption.conftest import CaptionOf
from wd14.config import CaptionConfig

PAGE = (Path(__file__).parents[3] / "docs" / "captions.md").read_text(encoding="utf-8")
PICTURE_ROW = re.compile(r"^\| `(.+)` \| (\w+) \| (\d\.\d+) \|$", re.MULTILINE)
EXAMPLE_ROW = re.compile(r"^\| (none|(?:`\w+ = [^`]*`(?:, )?)+(?: \(to `([^`]*)`\))?) \| `(.*)` \|$", re.MULTILINE)
OPTION = re.compile(r"`(\w+) = ([^`]*)`")

EXAMPLES = [pytest.param(*example, id=example[0]) for example in EXAMPLE_ROW.findall(PAGE)]


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) == 38


@pytest.mark.parametrize(("options", "existing", "caption"), EXAMPLES)
def test_an_example_is_true(caption_of: CaptionOf, options: str, existing: str, caption: str) -> None:
    picture: dict[str, dict[str, float]] = {}
    for tag, category, score in PICTURE_ROW.findall(PAGE):
        picture.setdefault(category, {})[tag] = float(score)
    values = {option: value.replace("⏎", "\n") for option, value in OPTION.findall(options)}
    assert caption_of(picture, existing=existing or None, **values).text == caption


@pytest.mark.parametrize(
    "option",
    [
        *("thresh", "general_threshold", "character_threshold", "category_thresholds", "threshold_mode", "max_tags"),
        *("max_tokens", "tag_thresholds"),
        *("undesired_tags", "remove_implied_tags", "implications", "rating", "quality", "tag_order"),
        *("character_tags_first", "always_first_tags", "trigger_words", "remove_underscore", "escape_parentheses"),
        *("character_tag_expand", "tag_replacement", "append_tags", "caption_separator", "include_scores"),
        "caption_style",
    ],
)
def test_every_caption_option_is_explained(option: str) -> None:
    assert option in CaptionConfig.model_fields
    assert f"`{option}" in PAGE
