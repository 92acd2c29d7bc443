"""What a person's edits make of a caption; the review page does the same in JavaScript."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.spelling import Spellings, folded, split_caption
from wd14.types import Curation, Edit, FloatArray, Labels

#: What is between the tags and the sentences of a caption in a style with slots.
_JOINT = re.compile(r"\.\s+(?=[A-Z])")
#: Before a full stop that ends nothing: `mr. Squeaks`.
_ABBREVIATION = re.compile(r"(?:^|\s)(?:mrs?|ms|dr|st|prof|vs|no|vol|jr|sr)$", re.IGNORECASE)
#: Characters in which an abbreviation and the blank before it are.
_LONGEST_ABBREVIATION = 5


class Edited(NamedTuple):
    """A caption after its edits."""

    text: str
    applied: tuple[bool, ...]  #: of each edit, whether the caption is now as it says


def whole_vocabulary(labels: Labels, config: CaptionConfig) -> Vocabulary:
    """How every tag is written, also those that the options and the plan leave out: a person's word wins."""
    return Vocabulary(labels, config.model_copy(update={"undesired_tags": ()}), Curation())


class TypedTags:
    """What is written for a tag that a person typed, which parts of a caption it means, and where it belongs.

    Args:
        vocabulary: a `whole_vocabulary`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._by_text = Spellings((text, i) for i, text in enumerate(vocabulary.texts))
        self._by_name = Spellings((name, tag) for tag, name in enumerate(vocabulary.names))
        self._tags: dict[int, list[int]] = {}  # of each text
        for tag, ids in enumerate(vocabulary.written):
            for text in ids:
                self._tags.setdefault(text, []).append(tag)
        #: By the first text of a tag all of them; of tags that are written alike, those of the first one.
        self._with_others = {ids[0]: ids for ids in reversed(vocabulary.written) if ids}
        self._elsewhere = vocabulary.general_place() if vocabulary.has_slots else math.inf
        # The same tags and parts come again and again.
        self.texts: Callable[[str], tuple[str, ...]] = lru_cache(maxsize=1 << 14)(self._texts)
        self.keys: Callable[[str], frozenset[str]] = lru_cache(maxsize=1 << 14)(self._keys)
        self.rank: Callable[[str], float] = lru_cache(maxsize=1 << 14)(self._rank)

    def score(self, part: str, scores: FloatArray) -> float | None:
        """The best score of the tags that a part of a caption can mean; None where the model has none.

        Args:
            part: as it is written, or the name of a tag.
            scores: all scores of the picture, shape (T,).
        """
        texts = self._by_text.find(part)
        tags = [tag for text in texts for tag in self._tags.get(text, ())] or list(self._by_name.find(part))
        return float(scores[tags].max()) if tags else None

    def named_by(self, edits: Iterable[Edit]) -> frozenset[str]:
        """The parts of captions, `folded`, that edits are about."""
        return frozenset().union(*(self.keys(tag) for edit in edits for tag in (edit.tag, edit.replacement)))

    def is_known(self, typed: str) -> bool:
        """Whether the model has the tag."""
        return bool(self._by_text.find(typed) or self._by_name.find(typed))

    def _texts(self, typed: str) -> tuple[str, ...]:
        """The texts of the tag that is written so; else of the tag of this name; else what was typed.

        A tag is found by the first of its texts. A text that is no tag's first stands for itself.
        """
        found = self._by_text.find(typed)
        ids = self._with_others.get(min(found), (min(found),)) if found else self._named(typed)
        return tuple(self._vocabulary.texts[i] for i in ids) or (typed.strip(),)

    def _keys(self, typed: str) -> frozenset[str]:
        """The parts that it means, `folded`: itself, and what the tag of this name is written as.

        Of several texts those that no other tag has: of `saber_(fate)` that is expanded, `saber` and not `fate`.
        """
        keys = {folded(typed)}
        if not self._by_text.find(typed):
            ids = self._named(typed)
            texts = self._vocabulary.texts
            keys |= {folded(texts[i]) for i in ids if len(ids) == 1 or len(self._tags[i]) == 1}
        return frozenset(keys - {""})

    def _named(self, typed: str) -> tuple[int, ...]:
        """Ids of the texts of the tag with this name."""
        found = self._by_name.find(typed)
        return self._vocabulary.written[min(found)] if found else ()

    def _rank(self, part: str) -> float:
        """The place of a part of a caption, as `Vocabulary.ranks`."""
        ids: Iterable[int] = self._by_text.find(part) or self._named(part)
        return min((self._vocabulary.ranks[i] for i in ids), default=self._elsewhere)


@lru_cache(maxsize=1 << 16)
def _key(part: str) -> str:
    return folded(part.strip())


class _Parts:
    """A caption cut at its separators; every character is in here. `tail` are its sentences."""

    def __init__(self, head: list[str], joint: str, tail: list[str]) -> None:
        self.head = head
        self.joint = joint
        self.tail = tail

    def keys(self) -> set[str]:
        return {_key(part) for part in (*self.head, *self.tail)}

    def text(self, bare: str) -> str:
        head, tail = bare.join(self.head), bare.join(self.tail)
        return f"{head}{self.joint}{tail}" if head and tail else head or tail


class Editor:
    """Replays edits on captions. What they do not touch keeps every character.

    docs/review.md says what each edit does. A caption of 25 parts costs 10 µs for each edit that changes it, and
    half a microsecond for each that finds nothing.

    Args:
        vocabulary: a `whole_vocabulary`.
        separator: of the captions.
    """

    def __init__(self, vocabulary: Vocabulary, separator: str) -> None:
        self.typed = TypedTags(vocabulary)
        self._separator = separator
        self._bare = separator.strip() or separator
        self._before, _, self._behind = separator.partition(self._bare) if self._bare else ("", "", "")
        self._has_ranks = bool(vocabulary.ranks)
        self._has_slots = vocabulary.has_slots
        openers = (part for word in vocabulary.triggers for part in split_caption(word, separator))
        self._openers = frozenset(map(folded, openers))

    def __call__(self, text: str, edits: Sequence[Edit]) -> Edited:
        """A caption after its edits, in their order; `reject` does nothing to it, and is not made in it."""
        applied: list[bool] = []
        there: set[str] | None = None
        for edit in edits:
            if edit.op in ("remove", "replace"):  # of many edits of all pictures most find nothing
                there = self._read(text).keys() if there is None else there
                if there.isdisjoint(self.typed.keys(edit.tag)):
                    applied.append(False)
                    continue
            text, did = self.apply(text, edit)
            applied.append(did)
            there = None
        return Edited(text, tuple(applied))

    def apply(self, text: str, edit: Edit) -> tuple[str, bool]:
        """A caption after one edit, and whether it is now as the edit says."""
        match edit.op:
            case "add":
                return self._add(text, edit.tag), True
            case "remove":
                return self._replace(text, edit.tag, "")
            case "replace":
                return self._replace(text, edit.tag, edit.replacement)
            case "set":
                return edit.caption, True
            case "reject":
                return text, False

    def cuts(self, tag: str) -> bool:
        """Whether the separator would cut a tag that somebody typed, and that is none of the model's.

        A separator of blanks cuts nearly every tag that is written with blanks; whoever chose it knows that.
        """
        return bool(self._bare.strip()) and self._bare in tag and not self.typed.is_known(tag)

    def parts(self, text: str) -> list[str]:
        """What a caption consists of, without blanks and empty parts."""
        found = self._read(text)
        return [part.strip() for part in (*found.head, *found.tail) if part.strip()]

    def tags(
        self, text: str, own: Mapping[str, float], scores: FloatArray, *, before: str
    ) -> tuple[tuple[str, float], ...]:
        """The model's tags in an edited caption with their scores, in the order in which they are written.

        A tag of the model that a person added has its score, too.

        Args:
            text: the caption.
            own: what the model put into it, as written.
            scores: all scores of the picture, shape (T,).
            before: the caption as it was; what else was there is nothing that the model said.
        """
        known = {folded(tag): (tag, score) for tag, score in own.items()}
        there = set(map(folded, self.parts(before)))
        found: dict[str, tuple[str, float]] = {}
        for part in self.parts(text):
            key = folded(part)
            if key in known:
                found[key] = known[key]
            elif key not in there and (score := self.typed.score(part, scores)) is not None:
                found[key] = (part, score)
        # A tag that holds the separator is no part.
        separator, bounded = self._separator, f"{self._separator}{text}{self._separator}"
        for key, pair in known.items():
            if key not in found and f"{separator}{pair[0]}{separator}" in bounded:
                found[key] = pair
        return tuple(found.values())

    def _read(self, text: str) -> _Parts:
        if self._has_slots:
            for joint in _JOINT.finditer(text):
                begin, end = joint.span()
                if not _ABBREVIATION.search(text[max(0, begin - _LONGEST_ABBREVIATION) : begin]):
                    return _Parts(self._split(text[:begin]), text[begin:end], self._split(text[end:]))
        return _Parts(self._split(text), "", [])

    def _split(self, text: str) -> list[str]:
        if not text:
            return []
        return text.split(self._bare) if self._bare else [text]

    def _add(self, text: str, tag: str) -> str:
        for new in self._missing(tag, self._read(text).keys()):
            parts = self._read(text)
            self._insert(parts.head, new)
            text = parts.text(self._bare)
        return text

    def _missing(self, tag: str, there: Set[str]) -> list[str]:
        """The texts of a tag that a caption lacks; none where it has the tag as typed."""
        if not tag.strip() or folded(tag) in there:
            return []
        return [text for text in self.typed.texts(tag) if folded(text) not in there]

    def _insert(self, head: list[str], text: str) -> None:
        filled = [place for place, part in enumerate(head) if part.strip()]
        if not filled:
            head[:] = [text]
            return
        place = self._place(head, filled, text)
        if place == 0:
            head[0] = self._behind + head[0]
            head.insert(0, text + self._before)
        elif place == len(head):
            head[-1] += self._before
            head.append(self._behind + text)
        else:
            head.insert(place, self._behind + text + self._before)

    def _place(self, head: list[str], filled: list[int], text: str) -> int:
        """Behind the last part that is not to come later, and behind the trigger words that the caption begins with."""
        if not self._has_ranks:
            return filled[-1] + 1
        place, is_opening, rank = 0, True, self.typed.rank(text)
        for number in filled:
            is_opening = is_opening and _key(head[number]) in self._openers
            if is_opening or self.typed.rank(head[number].strip()) <= rank:
                place = number + 1
        return place

    def _replace(self, text: str, tag: str, replacement: str) -> tuple[str, bool]:
        """The first part that is the tag becomes the texts of another, as far as the caption lacks them; others go."""
        keys = self.typed.keys(tag)
        parts = self._read(text)
        there = parts.keys()
        if there.isdisjoint(keys):
            return text, False
        new = self._missing(replacement, there - keys)
        for side in (parts.head, parts.tail):
            if not keys.isdisjoint(map(_key, side)):
                side[:] = self._replaced(side, keys, new)
                new = []
        return parts.text(self._bare), True

    def _replaced(self, side: list[str], keys: Set[str], new: list[str]) -> list[str]:
        rest: list[str] = []
        for part in side:
            if _key(part) not in keys:
                rest.append(part)
            elif new:
                word = part.strip()
                begin = part.index(word)
                rest.append(part[:begin] + self._separator.join(new) + part[begin + len(word) :])
                new = []
        if not any(part.strip() for part in rest):
            return []
        if len(rest) < len(side):
            rest[0] = rest[0].lstrip()
            rest[-1] = rest[-1].rstrip()
        return rest
