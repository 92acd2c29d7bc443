"""How each of a model's tags is written: left out, replaced, expanded, with spaces and escapes.

All of this follows from the labels and the config, so it is worked out once and not for every picture.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import NamedTuple

from wd14.caption.characters import CharacterExpander
from wd14.caption.styles import STYLES, slot_of, slot_order, styled
from wd14.config import CaptionConfig
from wd14.spelling import Spellings, canonical, each_once, with_escapes, with_spaces
from wd14.types import Curation, Labels

#: A text of a tag, or what it is made from, and the slot that it is written in.
_Text = tuple[str, str]


class KnownTag(NamedTuple):
    """A tag of an existing caption that the model has too."""

    place: float  #: as `Vocabulary.ranks`
    texts: set[str]  #: what the model's tag is written as


class Vocabulary:
    """The texts that a model's tags are written with. Tags that are written alike share one text.

    Attributes:
        names: the tags, as the model names them.
        texts: all of them; the position of a text is its id.
        written: for each tag the ids of its texts: mostly one, several when it is expanded, none when it is unwanted.
        unwanted: positions of the tags that the options leave out.
        ranks: the place of each text, the lowest first: those that the user wants first, then the style's slots; empty
            when neither has a say.
        triggers: the trigger words, each once.
        trigger_ids: ids of the texts that are trigger words.
        has_slots: whether a style says where each tag is written.
        remarks: lines for the log on entries that no tag of the model matches.
    """

    def __init__(self, labels: Labels, config: CaptionConfig, curation: Curation) -> None:
        self.remarks: list[str] = []
        self.texts: list[str] = []
        self._labels = labels
        self.names = labels.names
        self._ids: dict[str, int] = {}
        self._places = {slot: place for place, slot in enumerate(slot_order(config))}
        self.has_slots = bool(self._places)
        texts = _texts(labels, config, curation.without_name, self.remarks)
        written = [tuple(dict.fromkeys(self._id(text) for text, _ in own)) for own in texts]
        unwanted_tags, unwanted_texts = self._find_unwanted(config.undesired_tags)
        self.written = [
            () if tag in unwanted_tags else tuple(text for text in ids if text not in unwanted_texts)
            for tag, ids in enumerate(written)
        ]
        self.unwanted = [tag for tag, ids in enumerate(self.written) if not ids]
        # Not among the unwanted: what is folded still outvotes what contradicts it (`Curation.refine`).
        for tag, name in enumerate(labels.names):
            if name in curation.left_out:
                self.written[tag] = ()
        self.ranks = self._style_ranks(texts)
        if config.always_first_tags and not self.ranks:
            self.ranks = [math.inf] * len(self.texts)
        for rank, entry in enumerate(config.always_first_tags, -len(config.always_first_tags)):
            found = self._by_text.find(entry).union(*(written[tag] for tag in self._by_name.find(entry)))
            if not found:
                self.remarks.append(f"Always First Tags: no tag of this model is {entry!r}")
            for text in found:
                self.ranks[text] = min(self.ranks[text], rank)
        self.triggers = each_once(config.trigger_words)
        self.trigger_ids = {text for word in self.triggers for text in self._by_text.find(word)}

    @cached_property
    def _by_name(self) -> Spellings[int]:
        return Spellings((name, tag) for tag, name in enumerate(self._labels.names))

    @cached_property
    def _by_text(self) -> Spellings[int]:
        return Spellings((text, i) for i, text in enumerate(self.texts))

    def _id(self, text: str) -> int:
        found = self._ids.setdefault(canonical(text), len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found

    def _place(self, slot: str) -> float:
        return self._places.get(slot, self._places["general"])

    def _style_ranks(self, texts: Iterable[Iterable[_Text]]) -> list[float]:
        """The place of each text; that of the first slot where several tags are written alike."""
        if not self._places:
            return []
        ranks = [math.inf] * len(self.texts)
        for text, slot in (pair for own in texts for pair in own):
            ranks[self._id(text)] = min(ranks[self._id(text)], self._place(slot))
        return ranks

    def look_up(self, text: str) -> KnownTag | None:
        """A tag of an existing caption, in any spelling; None where the model has none. For styles with slots only."""
        if found := self._by_text.find(text):
            return KnownTag(min(self.ranks[i] for i in found), {self.texts[i] for i in found})
        if tags := self._by_name.find(text):
            slots = [slot_of(self._labels.names[tag], self._labels.categories[tag]) for tag in tags]
            texts = {self.texts[i] for tag in tags for i in self.written[tag]}
            return KnownTag(min(map(self._place, slots)), texts)
        return None

    def general_place(self) -> float:
        """Where the style has tags that the model does not know."""
        return self._place("general")

    def _find_unwanted(self, entries: Iterable[str]) -> tuple[set[int], set[int]]:
        """Positions of tags and ids of texts: an undesired tag may be named as the model or as the caption has it."""
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


def _texts(
    labels: Labels, config: CaptionConfig, without_name: Collection[str], remarks: list[str]
) -> list[list[_Text]]:
    """The texts of each tag: its replacement, or its parts, each replaced or written as options and style say."""
    style, options = STYLES[config.caption_style], styled(config)
    parts = _parts(labels, config, without_name)
    replacements = _replacements({*labels.names, *(part for own in parts for part, _ in own)}, config, remarks)

    def written(name: str, slot: str) -> list[str]:
        if name in replacements:
            return replacements[name]
        if slot == "rating" and name in style.ratings:
            return [style.ratings[name]]
        text = with_spaces(name) if options.remove_underscore else name
        if slot == "artist" and not text.startswith(style.artist_prefix):
            text = style.artist_prefix + text
        return [with_escapes(text) if options.escape_parentheses else text]

    found: list[list[_Text]] = []
    for name, category, own in zip(labels.names, labels.categories, parts, strict=True):
        if name in replacements and name not in without_name:
            own = [(name, slot_of(name, category))]
        found.append([(text, slot) for part, slot in own for text in written(part, slot)])
    return found


def _parts(labels: Labels, config: CaptionConfig, without_name: Collection[str]) -> list[list[_Text]]:
    """For each tag what is written of it, in the model's spelling: itself, or a character and the series."""
    expand = config.character_tag_expand
    style = STYLES[config.caption_style]
    add_series = style.adds_series and "character_tag_expand" not in config.model_fields_set
    slots = tuple(map(slot_of, labels.names, labels.categories)) if style.slots else labels.categories
    if not (expand or add_series or without_name):
        return [[(name, slot)] for name, slot in zip(labels.names, slots, strict=True)]
    parts: list[list[_Text]] = []
    for name, slot, (character, *series) in zip(labels.names, slots, CharacterExpander(labels).parts(), strict=True):
        names = [] if name in without_name else [(character if expand else name, slot)]
        written_series = series if expand or add_series or not names else []
        parts.append([*names, *((part, "series") for part in written_series)])
    return parts


def _replacements(names: Iterable[str], config: CaptionConfig, remarks: list[str]) -> dict[str, list[str]]:
    """Name -> texts. A target may hold several tags, with the caption's own separator between them."""
    replacements: dict[str, list[str]] = {}
    if not config.tag_replacement:
        return replacements
    spellings = Spellings((name, name) for name in names)
    separator = config.caption_separator
    for source, target in config.tag_replacement:
        found = spellings.find(source)
        if not found:
            remarks.append(f"Tag Replacement: no tag of this model is {source!r}")
        texts = target.split(separator) if separator.strip() else [target]
        for name in found:
            replacements.setdefault(name, [text.strip() for text in texts if text.strip()])
    return replacements
