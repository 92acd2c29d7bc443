"""What a user wants done to tags: leave out, replace, expand, put in order.

What follows from the labels and the config alone is worked out once; a picture costs a few look-ups a tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from wd14.caption.characters import Expander
from wd14.caption.implications import Implications
from wd14.caption.spelling import Spellings, canonical, with_escapes, with_spaces
from wd14.caption.thresholds import SINGLE_CATEGORIES, IndexArray
from wd14.config import CaptionConfig
from wd14.types import FloatArray, Labels

_NO_RANK = 1 << 30


class Vocabulary:
    """How each of a model's tags is written under a config: `written[i]` are the ids of the texts of tag i.

    Mostly one text; several after an expansion, none when the tag is unwanted. Two tags that are written
    alike share an id, which is how no tag ever appears twice.
    """

    def __init__(self, labels: Labels, config: CaptionConfig) -> None:
        self.texts: list[str] = []
        self._ids: dict[str, int] = {}
        writer = _Writer(labels, config)
        written = [tuple(dict.fromkeys(map(self._id, writer.texts(i)))) for i in range(len(labels))]
        self.remarks = writer.remarks
        self._names = labels.names
        tags, texts = self._unwanted(config.undesired_tags)
        self.written: list[tuple[int, ...]] = [
            () if i in tags else tuple(text for text in ids if text not in texts) for i, ids in enumerate(written)
        ]
        self.unwanted = [i for i, ids in enumerate(self.written) if not ids]
        self.ranks = self._ranks(config.always_first_tags, written)
        self.triggers = _distinct(config.trigger_words)
        self.trigger_ids = frozenset(i for word in self.triggers for i in self._by_text.find(word))

    @cached_property
    def _by_name(self) -> Spellings[int]:
        return Spellings((name, i) for i, name in enumerate(self._names))

    @cached_property
    def _by_text(self) -> Spellings[int]:
        return Spellings((text, i) for i, text in enumerate(self.texts))

    def _id(self, text: str) -> int:
        key = canonical(text)
        if key not in self._ids:
            self._ids[key] = len(self.texts)
            self.texts.append(text)
        return self._ids[key]

    def _unwanted(self, entries: Iterable[str]) -> tuple[set[int], set[int]]:
        """Tags and texts that a list of undesired ones names: by a tag's own name, or as it is written."""
        tags: set[int] = set()
        texts: set[int] = set()
        for entry in entries:
            by_name, by_text = self._by_name.find(entry), self._by_text.find(entry)
            if not by_name and not by_text:
                by_name, by_text = self._by_name.match(entry), self._by_text.match(entry)
            if not by_name and not by_text:
                self.remarks.append(f"Undesired Tags: no tag of this model is {entry!r}")
            tags |= by_name
            texts |= by_text
        return tags, texts

    def _ranks(self, entries: Sequence[str], written: Sequence[tuple[int, ...]]) -> list[int]:
        """The place of each text among those that come first."""
        ranks = [_NO_RANK] * len(self.texts)
        for rank, entry in enumerate(entries):
            found = self._by_text.find(entry) | {i for tag in self._by_name.find(entry) for i in written[tag]}
            if not found:
                self.remarks.append(f"Always First Tags: no tag of this model is {entry!r}")
            for i in found:
                ranks[i] = min(ranks[i], rank)
        return ranks


class _Writer:
    """Writes a tag: replaced, else expanded and its parts replaced, else with blanks and escapes as asked."""

    def __init__(self, labels: Labels, config: CaptionConfig) -> None:
        self._config = config
        self._labels = labels
        expander = Expander(labels) if config.character_tag_expand else None
        self._parts = [(name,) if expander is None else expander.parts(i) for i, name in enumerate(labels.names)]
        self.remarks: list[str] = []
        self._targets: dict[str, list[str]] = {}
        if config.tag_replacement:
            names = {*labels.names, *(part for parts in self._parts for part in parts)}
            self._replace(Spellings((name, name) for name in names))

    def _replace(self, names: Spellings[str]) -> None:
        for source, target in self._config.tag_replacement:
            found = names.find(source)
            if not found:
                self.remarks.append(f"Tag Replacement: no tag of this model is {source!r}")
            for name in found:
                self._targets.setdefault(name, _tags_of(target, self._config.caption_separator))

    def texts(self, index: int) -> Iterator[str]:
        """The texts of a label; none where it is replaced by nothing."""
        whole = self._labels.names[index]
        for name in (whole,) if whole in self._targets else self._parts[index]:
            yield from self._targets[name] if name in self._targets else (self._written(name),)

    def _written(self, name: str) -> str:
        text = with_spaces(name) if self._config.remove_underscore else name
        return with_escapes(text) if self._config.escape_parentheses else text


def _tags_of(target: str, separator: str) -> list[str]:
    """A replacement may write several tags, with the caption's own separator between them."""
    parts = target.split(separator) if separator.strip() else [target]
    return [part.strip() for part in parts if part.strip()]


def _distinct(words: Iterable[str]) -> list[str]:
    return list({canonical(word).casefold(): word for word in reversed(tuple(words))}.values())[::-1]


class Editor:
    """Kept tags -> ids of texts in the order in which they are written, with their scores."""

    def __init__(self, labels: Labels, config: CaptionConfig, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._order = config.tag_order
        if config.tag_order == "model" and labels.order == "score":
            self._order = "score"
        self._characters_first = config.character_tags_first
        self._max_tags = config.max_tags
        self._position = _model_order(labels)
        self._sorted = bool((np.diff(self._position) >= 0).all()) or labels.order == "score"
        self._is_character = [category == "character" for category in labels.categories]
        self._implications = None
        if config.remove_implied_tags or config.implications:
            self._implications = Implications(labels, by_words=config.remove_implied_tags, table=config.implications)
        self._any_first = bool(config.always_first_tags)
        self._places = {"rating": config.rating, "quality": config.quality}

    def __call__(self, kept: IndexArray, scores: FloatArray, singles: dict[str, int | None]) -> list[tuple[int, float]]:
        """`kept` ascending; `singles` the rating and the quality tag, where the config gives them a place."""
        tags = self._ordered(self._without_implied(kept), scores)
        written = self._written(tags, scores)
        if self._order == "alphabetical":
            written = self._alphabetical(written, tags)
        if self._max_tags and len(written) > self._max_tags:
            ranked = sorted(range(len(written)), key=lambda i: -written[i][1])
            best = set(ranked[: self._max_tags])
            written = [entry for i, entry in enumerate(written) if i in best]
        return self._with_first(self._with_singles(written, scores, singles))

    def _without_implied(self, kept: IndexArray) -> IndexArray:
        return kept if self._implications is None else self._implications.without_implied(kept)

    def _ordered(self, kept: IndexArray, scores: FloatArray) -> list[int]:
        if not self._sorted:
            kept = kept[np.argsort(self._position[kept], kind="stable")]
        if self._order == "score":
            kept = kept[np.argsort(-scores[kept], kind="stable")]
        tags: list[int] = kept.tolist()
        if not self._characters_first:
            return tags
        characters = [tag for tag in tags if self._is_character[tag]]
        if self._order == "model":
            characters.reverse()  # kohya puts each in front of the one before
        return characters + [tag for tag in tags if not self._is_character[tag]]

    def _written(self, tags: Iterable[int], scores: FloatArray) -> list[tuple[int, float]]:
        """Each text once, where it comes first, with the best of its tags' scores."""
        best: dict[int, float] = {}
        for tag in tags:
            score = float(scores[tag])
            for text in self._vocabulary.written[tag]:
                best[text] = max(score, best.get(text, score))
        return list(best.items())

    def _alphabetical(self, written: list[tuple[int, float]], tags: list[int]) -> list[tuple[int, float]]:
        texts = self._vocabulary.texts
        written = sorted(written, key=lambda entry: texts[entry[0]])
        if not self._characters_first:
            return written
        characters = [tag for tag in tags if self._is_character[tag]]
        first = {text for tag in characters for text in self._vocabulary.written[tag]}
        return sorted(written, key=lambda entry: entry[0] not in first)

    def _with_singles(
        self, written: list[tuple[int, float]], scores: FloatArray, singles: dict[str, int | None]
    ) -> list[tuple[int, float]]:
        first: list[int] = []
        last: list[int] = []
        for category in SINGLE_CATEGORIES:
            tag = singles.get(category)
            if tag is not None:
                # Rating before quality at the front, after it at the end: kohya's order.
                if self._places[category] == "first":
                    first.append(tag)
                else:
                    last.insert(0, tag)
        if not first and not last:
            return written
        around = dict(self._written(first, scores))
        for text, score in [*written, *self._written(last, scores)]:
            around.setdefault(text, score)
        return list(around.items())

    def _with_first(self, written: list[tuple[int, float]]) -> list[tuple[int, float]]:
        if not self._any_first:
            return written
        ranks = self._vocabulary.ranks
        return sorted(written, key=lambda entry: ranks[entry[0]])


def _model_order(labels: Labels) -> IndexArray:
    """Each tag's place in kohya's order: general, then characters, then the rest, each as in the model."""
    group = {"general": 0, "character": 1}
    return np.array([group.get(category, 2) for category in labels.categories], np.intp)
