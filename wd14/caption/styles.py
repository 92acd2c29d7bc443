"""How the authors of base models write captions: order, spelling, rating words. docs/captions.md has the sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wd14.config import CaptionConfig
from wd14.spelling import COUNT_TAG, folded

#: A picture has one tag of each of these categories: the best-scored one.
SINGLE_CATEGORIES = ("rating", "quality")


@dataclass(frozen=True)
class Style:
    """One base model's captions."""

    #: Categories in the order in which they are written, "count" (of people) and "series" among them; every other
    #: category stands with the general tags. Empty = kohya's order.
    slots: tuple[str, ...] = ()
    #: Values of options that the user did not set. "first" only says that a rating is written: `slots` says where.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Words for the model's ratings, written as they stand.
    ratings: Mapping[str, str] = field(default_factory=dict)
    #: Whether the series in a character's name is a tag beside the whole name.
    adds_series: bool = False
    artist_prefix: str = ""


_SAFE_TO_EXPLICIT = {"general": "safe", "sensitive": "sensitive", "questionable": "nsfw", "explicit": "explicit"}
_PLAIN = {"remove_underscore": True, "rating": "first", "quality": "first"}

STYLES: Mapping[str, Style] = {
    "kohya": Style(),
    "animagine": Style(
        slots=("count", "character", "series", "rating", "general", "quality"),
        options=_PLAIN,
        ratings=_SAFE_TO_EXPLICIT,
        adds_series=True,
    ),
    "illustrious": Style(
        slots=("count", "character", "series", "rating", "general", "artist", "quality"),
        options=_PLAIN,
    ),
    "noobai": Style(
        slots=("count", "character", "series", "artist", "quality", "rating", "general"),
        options=_PLAIN,
        ratings=_SAFE_TO_EXPLICIT,
        adds_series=True,
    ),
    # Pony's quality words are scores of its own (score_9), which no tagger gives.
    "pony": Style(
        slots=("rating", "count", "character", "series", "general"),
        options={"remove_underscore": True, "rating": "first"},
        ratings={
            "general": "rating_safe",
            "sensitive": "rating_safe",
            "questionable": "rating_questionable",
            "explicit": "rating_explicit",
        },
    ),
    "anima": Style(
        slots=("quality", "meta", "rating", "count", "character", "series", "artist", "general"),
        options=_PLAIN,
        ratings=_SAFE_TO_EXPLICIT,
        adds_series=True,
        artist_prefix="@",
    ),
}


def styled(config: CaptionConfig) -> CaptionConfig:
    """The config with its style's options, where the user set none. The same object for kohya's style.

    A training of a style is to learn it from all pictures alike: its captions have no rating and quality by themselves.
    """
    options = STYLES[config.caption_style].options
    left_to_the_style = options.keys() - config.model_fields_set
    if config.purpose == "style":
        left_to_the_style -= set(SINGLE_CATEGORIES)
    return config.model_copy(update={key: options[key] for key in left_to_the_style}) if left_to_the_style else config


def slot_order(config: CaptionConfig) -> tuple[str, ...]:
    """The style's slots in order, with what the user set; empty for kohya's style.

    Args:
        config: as the user set it, not as `styled` returns it.
    """
    order = list(STYLES[config.caption_style].slots)
    if not order:
        return ()
    chosen = config.model_fields_set
    if "tag_order" in chosen:  # all tags in the user's order; only the rating and the quality keep their places
        order = [slot for slot in order if slot in ("general", *SINGLE_CATEGORIES)]
    if "character_tags_first" in chosen:
        order = ["character"] * config.character_tags_first + [slot for slot in order if slot != "character"]
    for category in reversed(SINGLE_CATEGORIES):  # kohya's order: the rating outside, the quality inside
        if category in chosen:
            order = [slot for slot in order if slot != category]
            order.insert(0 if getattr(config, category) == "first" else len(order), category)
    return tuple(order)


#: Categories that have another category's slot.
_SLOTS: Mapping[str, str] = {"copyright": "series", "style": "artist"}


def slot_of(name: str, category: str) -> str:
    """The slot of a model's tag: its category, but for tags that count people, for series, and for artists' styles."""
    if category == "general" and COUNT_TAG.fullmatch(folded(name)):
        return "count"
    return _SLOTS.get(category, category)
