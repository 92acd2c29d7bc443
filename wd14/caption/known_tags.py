"""Which of a model's tags a caption has, in any spelling, and as the options of a run write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from wd14.caption.editing import whole_vocabulary
from wd14.config import CaptionConfig
from wd14.spelling import Spellings, folded, split_caption
from wd14.types import IndexArray, Labels

#: Kohya's mark between the words that stay where they are and those that are shuffled.
_KEEP_TOKENS = "|||"
#: Characters above which a text is no tag.
_LONGEST_TAG = 200


class KnownTags(NamedTuple):
    """What a caption says to a model."""

    tags: IndexArray  #: positions, ascending
    others: tuple[str, ...]  #: parts of the caption that are no tag of the model, each once, `folded`


class KnownTagReader:
    """Reads captions. Takes 0.1 s for 10,000 tags, and 50 µs for a caption of 25 parts.

    A tag that is written as several texts (a character that is expanded, a replacement) is there when all of them are;
    where the first of them is its whole name (`saber_(fate), fate`), that one is enough: what follows says no more.

    Args:
        labels: the model's tags.
        config: says how captions are written.

    Attributes:
        unreadable: positions of the tags that no caption tells apart from others, or that it writes as nothing.
    """

    def __init__(self, labels: Labels, config: CaptionConfig) -> None:
        vocabulary = whole_vocabulary(labels, config)
        self._separator = config.caption_separator
        self._texts = Spellings((text, number) for number, text in enumerate(vocabulary.texts))
        self._names = Spellings((name, tag) for tag, name in enumerate(labels.names))
        self._written = [
            ids[:1] if ids and folded(vocabulary.texts[ids[0]]) == folded(name) else ids
            for ids, name in zip(vocabulary.written, labels.names, strict=True)
        ]
        self._first: dict[int, list[int]] = {}
        for tag, ids in enumerate(self._written):
            if ids:
                self._first.setdefault(ids[0], []).append(tag)
        alike = Counter(ids for ids in self._written)
        self.unreadable = np.array([tag for tag, ids in enumerate(self._written) if not ids or alike[ids] > 1], np.intp)
        self._parts_of = lru_cache(maxsize=1 << 14)(self._look_up)

    def __call__(self, caption: str) -> KnownTags:
        """The tags of a caption."""
        texts: set[int] = set()
        tags: set[int] = set()
        others: dict[str, None] = {}
        for part in self._parts(caption):
            found, named = self._parts_of(part)
            texts |= found
            tags |= named
            if not found and not named:
                others[folded(part)] = None
        for text in texts:
            tags.update(tag for tag in self._first.get(text, ()) if texts.issuperset(self._written[tag]))
        return KnownTags(np.array(sorted(tags), np.intp), tuple(others))

    def named(self, words: Iterable[str]) -> IndexArray:
        """Positions of the tags that words spell, ascending."""
        return np.array(sorted({tag for word in words for tag in self(word).tags.tolist()}), np.intp)

    def matching(self, entries: Iterable[str]) -> IndexArray:
        """Positions of the tags that entries such as `*_hair` mean, ascending."""
        found = (self._names.find(entry) or self._names.match(entry) for entry in entries)
        return np.array(sorted(set[int]().union(*found)), np.intp)

    def _look_up(self, part: str) -> tuple[frozenset[int], frozenset[int]]:
        """Ids of the texts, and where there are none the positions of the tags, that a part spells."""
        texts = frozenset(self._texts.find(part))
        return texts, frozenset() if texts else frozenset(self._names.find(part))

    def _parts(self, caption: str) -> Iterator[str]:
        """What stands between separators; of a tag before a sentence, `smile. A girl …`, the tag."""
        for line in caption.replace(_KEEP_TOKENS, self._separator or ",").splitlines():
            for part in split_caption(line, self._separator):
                head, stop, _ = part.partition(". ")
                whole = len(part) <= _LONGEST_TAG
                if stop and not (whole and any(self._parts_of(part))):
                    yield head
                    whole = False
                if whole:
                    yield part
