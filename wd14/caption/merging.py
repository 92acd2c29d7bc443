"""An existing caption and a picture's tags as one caption in a style: tags in their slots, sentences behind them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from wd14.caption.render import append, is_list
from wd14.caption.vocabulary import Vocabulary
from wd14.spelling import folded, sentence_before, split_caption

#: Between the tags and the sentences.
_BEFORE_SENTENCES = ". "
_FULL_STOP = re.compile(r"\.\s+")
#: Before a full stop that ends nothing: `mr. Squeaks`.
_ABBREVIATION = re.compile(r"(?:.*\s)?(?:mrs?|ms|dr|st|prof|vs|no|vol|jr|sr)", re.IGNORECASE)
#: Words of a tag that the model does not know, where sentences follow it, and of the beginning of a sentence.
_LONGEST_TAG = 2
_SHORTEST_SENTENCE = 4
#: Characters in which a tag may end and sentences begin.
_LONGEST_HEAD = 200
#: How often a caption is read again until it stays as it is. All but odd ones do after the first time.
_ROUNDS = 5


class _Tag(NamedTuple):
    """What is known of a tag, or of any other text between two separators."""

    is_tag: bool  #: of the model, or a trigger word
    place: float
    spellings: frozenset[str]  #: its own, and what the model's tag is written as; all folded


class Merger:
    """Puts tags into existing captions, in the order of a style.

    Tags and sentences that are there stay as they are spelled: tags of the model in their slots, others in front of the
    general tags, sentences at the end behind a full stop. Which part of a caption is sentences is a guess; a wrong one
    moves words and loses none.
    """

    def __init__(self, vocabulary: Vocabulary, separator: str) -> None:
        self._vocabulary = vocabulary
        self._tag = lru_cache(maxsize=1 << 14)(self._look_up)  # the same tags come again and again
        self._separator = separator
        self._bare = separator.strip() or separator
        self._openers = [part for word in vocabulary.triggers for part in split_caption(word, separator)]
        self._opening = set(map(folded, self._openers))

    def __call__(self, existing: str, tags: Sequence[str]) -> str:
        """The trigger words, the caption's tags and those that it lacks in any spelling, then its sentences.

        One line: a line end becomes a blank, or a separator where a tag is before it. A separator that
        can stand inside words, or inside these tags, cannot cut the caption: it stays whole, with the tags behind it.
        Calling it again with its result changes nothing.
        """
        text = self._one_line(existing)
        triggers = self._vocabulary.triggers
        cuts_tags = not self._bare.strip(" ") or any(self._bare in tag for tag in tags)
        if cuts_tags or not is_list(self._separator, triggers):
            return append(text, tags, triggers, self._separator)
        for _ in range(_ROUNDS):
            before, text = text, self._merged(text, tags)
            if text == before:
                break
        return text

    def _merged(self, text: str, tags: Sequence[str]) -> str:
        there, sentences = self._read(text)
        if self._opening:
            there = [tag for tag in there if folded(tag) not in self._opening]
        has = frozenset().union(
            *(self._tag(tag).spellings for tag in (*there, *split_caption(sentences, self._separator)))
        )
        new = [tag for tag in tags if has.isdisjoint(self._tag(tag).spellings)]
        placed = sorted((*there, *new), key=self._place)
        head = self._separator.join((*self._openers, *placed))
        return _BEFORE_SENTENCES.join(filter(None, (head, sentences)))

    def _look_up(self, text: str) -> _Tag:
        spelling = folded(text)
        # A full stop at the end of a list of tags belongs to none of them.
        known = self._vocabulary.look_up(text) or self._vocabulary.look_up(text.removesuffix("."))
        if known is None:
            return _Tag(spelling in self._opening, self._vocabulary.general_place(), frozenset((spelling,)))
        return _Tag(True, known.place, frozenset((spelling, *map(folded, known.texts))))

    def _place(self, tag: str) -> float:
        return self._tag(tag).place

    def _one_line(self, text: str) -> str:
        if self._separator.splitlines() not in ([], [self._separator]):
            return text.strip()  # the user wants lines
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        parts = lines[:1]
        a_tag_a_line = len(lines) > 1 and self._hold_only_tags(lines)
        for before, line in itertools.pairwise(lines):
            ends_in_a_tag = not before.endswith((".", self._bare)) and (a_tag_a_line or self._ends_in_a_tag(before))
            parts += (self._separator if ends_in_a_tag else " ", line)
        return "".join(parts)

    def _hold_only_tags(self, lines: Sequence[str]) -> bool:
        """Whether lines are a list of tags: at least one of the model, and the others short."""
        tags = [tag for line in lines for tag in split_caption(line, self._separator)]
        others = [tag for tag in tags if not self._tag(tag).is_tag]
        return len(others) < len(tags) and not any(
            len(tag.split()) > _LONGEST_TAG or tag.endswith(".") or _FULL_STOP.search(tag) for tag in others
        )

    def _ends_in_a_tag(self, line: str) -> bool:
        """Whether a line ends in a tag: one of the model, or one that the model does not know in a list of tags."""
        tags = split_caption(line, self._separator)
        is_list = len(tags) > 1 and all(len(tag.split()) <= _LONGEST_TAG for tag in tags)
        return is_list or self._tag(tags[-1]).is_tag

    def _read(self, text: str) -> tuple[list[str], str]:
        """The tags of a caption, and its sentences."""
        chunks = self._chunks(text)
        ends = self._sentence_ends(text, chunks)
        start = self._first_sentence(text, chunks, ends)
        if start is None:
            return [text[begin:end] for begin, end in chunks], ""
        sentences, tags = text[start:], ""
        if ends and ends[-1] > start and text[ends[-1] :].lstrip().startswith(self._bare):
            sentences, tags = text[start : ends[-1]], text[ends[-1] :]
        head = text[:start].rstrip()
        if not head.endswith(self._bare):
            head = head.removesuffix(_BEFORE_SENTENCES.strip())
        return [*split_caption(head, self._separator), *split_caption(tags, self._separator)], sentences.strip()

    def _first_sentence(self, text: str, chunks: Sequence[tuple[int, int]], ends: Sequence[int]) -> int | None:
        """Where the sentences begin, or None."""
        for number, (start, end) in enumerate(chunks):
            chunk = text[start:end]
            if self._tag(chunk).is_tag:
                continue
            opening = self._behind_a_tag(chunk, is_first=number == 0)
            if opening is not None:
                return start + opening
            sentence_follows = bool(ends) and ends[-1] > start
            if sentence_follows and chunk[0].isupper() and len(chunk.split()) >= _SHORTEST_SENTENCE:
                return start
            if any(start < found <= end for found in ends):
                # What is no tag and has no capital belongs to it: `a girl stands, holding an umbrella.`
                while number and not chunk[0].isupper():
                    start, end = chunks[number - 1]
                    if self._tag(text[start:end]).is_tag:
                        break
                    number, chunk = number - 1, text[start:end]
                return chunks[number][0]
        return None

    def _behind_a_tag(self, chunk: str, *, is_first: bool) -> int | None:
        """Where sentences begin behind a tag and a full stop: `solo. A girl stands in the rain`."""
        for stop in _FULL_STOP.finditer(chunk, 0, _LONGEST_HEAD):
            tag = chunk[: stop.start()]
            if self._tag(tag).is_tag:
                return stop.end()
            short = not is_first and len(tag.split()) <= _LONGEST_TAG and not tag[:1].isupper()
            if short and chunk[stop.end()].isupper() and not _ABBREVIATION.fullmatch(tag):
                return stop.end()
        return None

    def _sentence_ends(self, text: str, chunks: Sequence[tuple[int, int]]) -> list[int]:
        """Behind the full stops of sentences; `long hair.` is a tag of the model with a full stop, and no sentence."""
        ends = [found.end() for found in sentence_before(self._separator).finditer(text)]
        tags = {end for start, end in chunks if self._tag(text[start:end]).is_tag} if ends else ()
        return [end for end in ends if end not in tags]

    def _chunks(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each part between separators, without the blanks around it."""
        found: list[tuple[int, int]] = []
        start = 0
        for part in text.split(self._bare):
            if bare := part.strip():
                begin = start + part.index(bare)
                found.append((begin, begin + len(bare)))
            start += len(part) + len(self._bare)
        return found
