"""Rules about one caption."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from wd14.curation import families
from wd14.curation.checks.captions import ReadCaption, mentions
from wd14.curation.checks.expected import Expected
from wd14.curation.checks.finding import Severity
from wd14.curation.checks.rule import Seen
from wd14.curation.checks.words import Word
from wd14.spelling import folded

#: Tags that a caption usually has at least, and at most.
FEWEST_TAGS = 5
MOST_TAGS = 60

#: Groups of which a picture that shows somebody several times has several siblings.
_OF_ONE_VIEW = frozenset({"mouth", "posture", "gaze", "open_eyes", "framing", "camera_height", "camera_side"})
_NUMBERS = "number_of_"


def no_caption(seen: Seen) -> Iterator[str]:
    """No caption, or an empty one."""
    if seen.row.error is not None or seen.caption is not None:
        return
    yield "there is no caption" if seen.row.caption is None else "the caption is empty"


def several_lines(seen: Seen) -> Iterator[str]:
    """More than one line."""
    if seen.caption is not None and seen.caption.lines > 1:
        yield "the caption has several lines"


def missing_trigger(seen: Seen) -> Iterator[str]:
    """A trigger word that is neither a tag of the caption nor in its sentences."""
    if seen.caption is not None:
        for trigger in _missing(seen.caption, seen.expected):
            yield f"the trigger word {trigger} is missing"


def late_trigger(seen: Seen) -> Iterator[str]:
    """Trigger words that are there, behind something else. A caption that begins with a sentence is left alone."""
    caption, triggers = seen.caption, seen.expected.trigger_words
    if caption is None or caption.opening is None or not triggers or _missing(caption, seen.expected):
        return
    wanted = set(map(folded, triggers))
    if {word.folded for word in caption.words[: len(wanted)]} != wanted:
        yield "the trigger word is not first" if len(wanted) == 1 else "the trigger words are not first"


def _missing(caption: ReadCaption, expected: Expected) -> list[str]:
    if not expected.trigger_words:
        return []
    there = {word.folded for word in caption.words if word.is_trigger}
    absent = [trigger for trigger in expected.trigger_words if folded(trigger) not in there]
    return [trigger for trigger in absent if not mentions(caption.text, trigger)]


def contradicting_tags(seen: Seen) -> Iterator[str]:
    """Two siblings that cannot both be right: of one person's eyes, of one picture's time of day."""
    caption = seen.caption
    if caption is None:
        return
    for name, siblings in _by_group(caption).items():
        if name.startswith(_NUMBERS) or len(siblings) < 2:
            continue
        group = families.group(name)
        if group.scope == "person" and not caption.shows_one_person:
            continue
        there = {word.folded for word in caption.words}
        if there & group.mixers or (name in _OF_ONE_VIEW and "multiple_views" in there):
            continue
        yield from _contradictions(name, siblings)


def contradicting_numbers(seen: Seen) -> Iterator[str]:
    """Two numbers of people, or `solo` beside more than one."""
    caption = seen.caption
    if caption is None:
        return
    found = [
        reason
        for name, siblings in _by_group(caption).items()
        if name.startswith(_NUMBERS) and len(siblings) > 1
        for reason in _contradictions(name, siblings)
    ]
    yield from dict.fromkeys(found)
    if not found and any(word.folded == "solo" for word in caption.words):
        counts = sorted(word.folded for word in caption.words if word.is_count)
        if len(counts) > 1:
            yield f"solo beside {' and '.join(counts)}"


def _by_group(caption: ReadCaption) -> dict[str, list[Word]]:
    groups: dict[str, list[Word]] = {}
    for word in caption.words:
        for name in word.groups:
            groups.setdefault(name, []).append(word)
    return groups


def _contradictions(name: str, siblings: list[Word]) -> Iterator[str]:
    values = families.group(name).values
    for pair in combinations(sorted(siblings, key=lambda word: word.folded), 2):
        one, other = (word.folded for word in pair)
        if values[one].isdisjoint(values[other]):
            yield f"{one} beside {other}"


def negatives(seen: Seen) -> Iterator[str]:
    """Words that no caption should teach."""
    for word in seen.caption.words if seen.caption else ():
        if word.is_negative and not word.is_kept:
            yield f"{word.folded}: no caption should teach it"


def few_tags(seen: Seen) -> Iterator[str]:
    """A short list of tags, and no sentence."""
    caption = seen.caption
    if caption is not None and not caption.has_sentences and caption.tags < FEWEST_TAGS:
        yield f"fewer than {FEWEST_TAGS} tags"


def many_tags(seen: Seen) -> Iterator[str]:
    """A long list of tags."""
    if seen.caption is not None and seen.caption.tags > MOST_TAGS:
        yield f"more than {MOST_TAGS} tags"


def many_tokens(seen: Seen) -> Iterator[str]:
    """More tokens than the text encoder reads."""
    expected = seen.expected
    if seen.caption is None or not expected.max_tokens or expected.count_tokens is None:
        return
    if expected.count_tokens(seen.caption.text) > expected.max_tokens:
        yield f"more than {expected.max_tokens} tokens"


def graded_by_request(expected: Expected) -> Severity:
    """The usual limit is one chunk, and some trainers read several: a warning only where somebody set the limit."""
    return "warning" if expected.asked_tokens else "info"


def back_again(seen: Seen) -> Iterator[str]:
    """Tags that were left out of the dataset."""
    for word in seen.caption.words if seen.caption else ():
        if word.is_left_out:
            yield f"{word.folded} was to be left out"


def implied_again(seen: Seen) -> Iterator[str]:
    """Tags that a left-out tag implies: they say half of it."""
    for word in seen.caption.words if seen.caption else ():
        if word.stands_for is not None:
            yield f"{word.folded} is left of {word.stands_for}, which was left out"
