"""What a dataset's captions are expected to be, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wd14.types import FloatArray, Labels

#: Tokens that a caption has at most, where nobody said: what CLIP reads at once.
USUAL_TOKENS = 75


@dataclass(frozen=True)
class Expected:
    """What is known of a dataset beside its rows. What is not known turns rules off, or makes them ask."""

    separator: str = ", "  #: between two tags
    trigger_words: tuple[str, ...] = ()  #: empty = not known
    purpose: str | None = None  #: "character", "outfit", "style", "none"; None = not known
    has_ratings: bool | None = None  #: whether captions are to have rating words; None = not known
    left_out: tuple[str, ...] = ()  #: entries of tags that were folded or undesired; wildcards allowed
    kept: tuple[str, ...] = ()  #: entries of tags that are to stay, whatever identifies
    has_repeats: bool = False  #: whether a trainer's file beside the dataset has repeats for its folders
    words: tuple[str, ...] = ()  #: words of a person's own that are no tags of the model
    labels: Labels | None = None  #: the model's tags; None = not known here
    max_tokens: int = USUAL_TOKENS  #: 0 = any number
    asked_tokens: bool = False  #: whether somebody asked for that limit
    count_tokens: Callable[[str], int] | None = None
    lists_all: bool = True  #: whether a caption is to have all tags of its picture: no maximum was asked for
    thresholds: FloatArray | None = None  #: (T,) float32: the score from which on a caption has a tag; None = not known
