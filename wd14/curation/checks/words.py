"""The words of captions, each looked up once: what the model, the tables and the dataset's owner say of it."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wd14.curation import families
from wd14.curation.checks.expected import Expected
from wd14.implied_tags import implied_by_words
from wd14.spelling import folded, wildcard_pattern
from wd14.types import Labels

#: Different words that are looked at; the rest of an odd dataset counts as sentences. About 500 bytes each.
MOST_WORDS = 250_000

_RATINGS = ("general", "sensitive", "questionable", "explicit", "safe", "sfw", "nsfw")
RATING_WORDS = frozenset([*_RATINGS, *(f"rating{mark}{word}" for mark in ":_" for word in (*_RATINGS, *"gsqe"))])

#: Words of base models' own that are no tags of a tagger.
_OF_BASE_MODELS = re.compile(
    r"masterpiece|(?:best|amazing|great|good|high|normal)_quality|(?:very_)?aesthetic|highres|absurdres|newest|recent|mid"
    r"|early|old|oldest|year_\d{4}|score_\d(?:_up)?|source_\w+|@.+|(?:by_|artist:).+|\|{3}"
)


@dataclass(eq=False, slots=True)
class Word:
    """A word that captions have between two separators."""

    text: str  #: as it was seen first
    folded: str
    groups: tuple[str, ...]  #: sibling groups
    is_rating: bool
    is_negative: bool
    is_left_out: bool
    is_kept: bool  #: whether it is to stay, whatever identifies
    is_trigger: bool
    is_count: bool  #: of people
    is_known: bool  #: to the model, or as a word of another kind
    position: int  #: among the model's tags; -1 = none
    stands_for: str | None  #: the tag that was left out and implies this one
    captions: int = 0  #: that have it
    #: Numbers of the rows that have it, for words that a rule about the whole dataset may have to name.
    rows: array[int] = field(default_factory=lambda: array("I"))


class Words:
    """All words of a dataset.

    Attributes:
        expected: what is known of the dataset.
    """

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        labels = expected.labels
        self._positions = {folded(name): index for index, name in enumerate(labels.names)} if labels else {}
        self._parts = _parts_of_characters(expected)
        self._triggers = frozenset(map(folded, expected.trigger_words))
        self._own = frozenset(map(folded, expected.words)) | self._triggers
        self._left_out = [wildcard_pattern(entry) for entry in expected.left_out]
        self._kept = [wildcard_pattern(entry) for entry in expected.kept]
        self._stand_ins = dict(_stand_ins(self._names_left_out()))
        self._words: dict[str, Word] = {}

    def __iter__(self) -> Iterator[Word]:
        return iter(dict.fromkeys(self._words.values()))

    def look_up(self, text: str) -> Word | None:
        """The word that a text spells; None for a new one when there are too many."""
        word = self._words.get(text)
        if word is None:
            key = folded(text)
            word = self._words.get(key)
            if len(self._words) >= MOST_WORDS:
                return word
            if word is None:
                word = self._words[key] = self._describe(text, key)
            self._words[text] = word
        return word

    def is_tag(self, text: str) -> bool:
        """Whether the model, or the dataset's owner, has a tag of these words."""
        word = self._words.get(text)
        key = folded(text) if word is None else word.folded
        return key in self._positions or key in self._own

    def is_like_a_tag(self, text: str) -> bool:
        """Whether a text that may be part of a sentence is a tag, of this model or of any."""
        return self.is_tag(text) or (text.count(" ") < 3 and families.family_of(text) is not None)

    def names(self) -> Iterable[str]:
        """The model's tags, folded."""
        return self._positions

    def _describe(self, text: str, key: str) -> Word:
        is_trigger = key in self._triggers
        is_kept = is_trigger or any(pattern.fullmatch(key) for pattern in self._kept)
        is_left_out = not is_kept and any(pattern.fullmatch(key) for pattern in self._left_out)
        position = self._positions.get(key, -1)
        known = position >= 0 or key in self._own or key in self._parts or key in RATING_WORDS
        is_count = families.is_count(key)
        return Word(
            text=text,
            folded=key,
            groups=families.groups_of(key),
            is_rating=key in RATING_WORDS,
            is_negative=not is_trigger and families.is_negative(key),
            is_left_out=is_left_out,
            is_kept=is_kept,
            is_trigger=is_trigger,
            is_count=is_count,
            is_known=known or is_count or _OF_BASE_MODELS.fullmatch(key) is not None,
            position=position,
            stands_for=None if is_left_out or is_kept else self._stand_ins.get(key),
        )

    @cached_property
    def teachable(self) -> NDArray[np.bool_]:
        """Which of the model's tags a caption should have where the model is sure, (T,) bool.

        Traits and clothes are not among them: a trigger word may stand for those.
        """
        labels = self.expected.labels or Labels((), ())
        return np.array(
            [
                category == "general" and self._is_teachable(folded(name))
                for name, category in zip(labels.names, labels.categories, strict=True)
            ],
            np.bool_,
        )

    def _is_teachable(self, key: str) -> bool:
        if families.is_negative(key) or families.is_trait(key) or families.is_outfit_part(key):
            return False
        return not any(pattern.fullmatch(key) for pattern in self._left_out)

    def _names_left_out(self) -> Iterator[str]:
        for entry, pattern in zip(self.expected.left_out, self._left_out, strict=True):
            if "*" in entry or "?" in entry:
                yield from filter(pattern.fullmatch, self._positions)
            else:
                yield folded(entry)


def _stand_ins(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs (tag that is implied, tag that was left out and implies it)."""
    for name in names:
        for implied in implied_by_words(name):
            yield implied, name


def _parts_of_characters(expected: Expected) -> frozenset[str]:
    """`name` and `series` of the characters `name_(series)`, which captions may have one by one."""
    labels = expected.labels
    if labels is None:
        return frozenset()
    parts: set[str] = set()
    for name, category in zip(labels.names, labels.categories, strict=True):
        if category == "character" and name.endswith(")"):
            parts.update(part.rstrip(")").rstrip("_") for part in folded(name).split("("))
    return frozenset(parts)
