"""A caption as rules see it: its words, its sentences, its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wd14.curation.checks.words import Word, Words
from wd14.curation.people import shows_one_person
from wd14.spelling import folded, split_caption

#: Words between two separators from which on they are a sentence, unless the model has such a tag.
_SENTENCE = 5
#: Characters above which a text is no tag: looking one of a megabyte up would take minutes.
_LONGEST_TAG = 200
_FULL_STOP = re.compile(r"[.!?][\"'”’)]?$")
#: Kohya's mark between the words that stay where they are and those that are shuffled.
_KEEP_TOKENS = "|||"


@dataclass(frozen=True, slots=True)
class ReadCaption:
    """A caption that was read."""

    text: str
    words: tuple[Word, ...]  #: each once, in the caption's order; without those of sentences
    tags: int  #: words between separators, repeated ones too
    has_sentences: bool
    opening: Word | None  #: what it begins with; None = a sentence

    @property
    def lines(self) -> int:
        """Lines that hold text."""
        return sum(1 for line in self.text.splitlines() if line.strip())

    @property
    def shows_one_person(self) -> bool:
        """Whether its tags say so, by the rule of a study."""
        return shows_one_person(word.folded for word in self.words)


def read_caption(text: str, words: Words) -> ReadCaption:
    """Cuts a caption into words and sentences."""
    found: dict[Word, None] = {}
    number = 0
    opening: Word | None = None
    has_sentences = False
    for part, is_sentence in _parts(text, words):
        word = None if is_sentence else words.look_up(part)
        if word is None:
            has_sentences = True
            continue
        if not number and not has_sentences:
            opening = word
        number += 1
        found[word] = None
    return ReadCaption(text, tuple(found), number, has_sentences, opening)


def mentions(text: str, phrase: str) -> bool:
    """Whether a text has the words of a phrase, in any spelling, wherever they are."""
    within, wanted = folded(text), folded(phrase)
    return re.search(rf"(?<![^\W_]){re.escape(wanted)}(?![^\W_])", within) is not None


def _parts(text: str, words: Words) -> Iterator[tuple[str, bool]]:
    """What stands between separators, and whether it is (part of) a sentence: whose commas are none of a list."""
    separator = words.expected.separator
    for line in text.replace(_KEEP_TOKENS, separator or ",").splitlines():
        inside = False
        for part in split_caption(line, separator):
            if len(part) > _LONGEST_TAG or (inside and not words.is_like_a_tag(part)):
                tag, sentence = "", part
            else:
                tag, sentence = _cut(part, words)
            if tag:
                yield tag, False
            if sentence:
                yield sentence, True
            inside = bool(sentence) and not _FULL_STOP.search(sentence)


def _cut(part: str, words: Words) -> tuple[str, str]:
    """A tag, a sentence, or a tag and the sentence that follows its full stop; "" for what there is not."""
    if words.is_tag(part):
        return part, ""
    head, _, tail = part.partition(". ")
    if tail[:1].isupper() and not _is_long(head):
        return head, tail
    if _is_long(part) or (" " in part and _FULL_STOP.search(part)):
        return "", part
    return part, ""


def _is_long(part: str) -> bool:
    return part.count(" ") >= _SENTENCE - 1
