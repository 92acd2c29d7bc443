"""How each of a model's tags is written: left out, replaced, expanded, with spaces and escapes as the user wants.

All of it follows from the labels and the config, so it is worked out once and not for every picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from wd14.caption.characters import Expander
from wd14.caption.spelling import Spellings, canonical, with_escapes, with_spaces
from wd14.config import CaptionConfig
from wd14.types import Labels

#: Rank of a tag that is not among those that come first.
NO_RANK = 1 << 30


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
        ranks = [NO_RANK] * len(self.texts)
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
