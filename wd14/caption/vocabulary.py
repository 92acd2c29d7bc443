"""How each of a model's tags is written: left out, replaced, expanded, with spaces and escapes.

All of this follows from the labels and the config, so it is worked out once and not for every picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

from wd14.caption.characters import CharacterExpander
from wd14.config import CaptionConfig
from wd14.spelling import Spellings, canonical, folded, with_escapes, with_spaces
from wd14.types import Labels


class Vocabulary:
    """The texts that a model's tags are written with. Tags that are written alike share one text.

    Attributes:
        texts: all of them; the position of a text is its id.
        written: for each tag the ids of its texts: mostly one, several when it is expanded, none when it is unwanted.
        unwanted: positions of the tags that are not written.
        ranks: the place of each text among those that the user wants first, or infinity; empty when there are none.
        triggers: the trigger words, each once.
        trigger_ids: ids of the texts that are trigger words.
        remarks: lines for the log on entries that no tag of the model matches.
    """

    def __init__(self, labels: Labels, config: CaptionConfig) -> None:
        self.remarks: list[str] = []
        self.texts: list[str] = []
        self._names = labels.names
        self._ids: dict[str, int] = {}
        written = [tuple(dict.fromkeys(map(self._id, texts))) for texts in _texts(labels, config, self.remarks)]
        unwanted_tags, unwanted_texts = self._find_unwanted(config.undesired_tags)
        self.written = [
            () if tag in unwanted_tags else tuple(text for text in ids if text not in unwanted_texts)
            for tag, ids in enumerate(written)
        ]
        self.unwanted = [tag for tag, ids in enumerate(self.written) if not ids]
        self.ranks = [math.inf] * len(self.texts) if config.always_first_tags else []
        for rank, entry in enumerate(config.always_first_tags):
            found = self._by_text.find(entry).union(*(written[tag] for tag in self._by_name.find(entry)))
            if not found:
                self.remarks.append(f"Always First Tags: no tag of this model is {entry!r}")
            for text in found:
                self.ranks[text] = min(self.ranks[text], rank)
        triggers = {folded(word): word for word in reversed(config.trigger_words)}
        self.triggers = [triggers[key] for key in dict.fromkeys(map(folded, config.trigger_words))]
        self.trigger_ids = {text for word in self.triggers for text in self._by_text.find(word)}

    @cached_property
    def _by_name(self) -> Spellings[int]:
        return Spellings((name, tag) for tag, name in enumerate(self._names))

    @cached_property
    def _by_text(self) -> Spellings[int]:
        return Spellings((text, i) for i, text in enumerate(self.texts))

    def _id(self, text: str) -> int:
        found = self._ids.setdefault(canonical(text), len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found

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


def _texts(labels: Labels, config: CaptionConfig, remarks: list[str]) -> list[list[str]]:
    """The texts of each tag: its replacement, or its parts, each replaced or with spaces and escapes as asked for."""
    parts = CharacterExpander(labels).parts() if config.character_tag_expand else [(name,) for name in labels.names]
    replacements = _replacements({*labels.names, *(part for own in parts for part in own)}, config, remarks)

    def written(name: str) -> list[str]:
        if name in replacements:
            return replacements[name]
        text = with_spaces(name) if config.remove_underscore else name
        return [with_escapes(text) if config.escape_parentheses else text]

    return [
        [text for part in ((name,) if name in replacements else own) for text in written(part)]
        for name, own in zip(labels.names, parts, strict=True)
    ]


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
