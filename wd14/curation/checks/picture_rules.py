"""Rules about one picture, and about what the model sees in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wd14.curation.checks.rule import Seen
from wd14.images.facts import BLURRED_BELOW
from wd14.implied_tags import implied_by_words

#: Pixels of the short side below which trainers have to enlarge a picture.
SHORTEST_SIDE = 512
#: A caption with one of these says that it is blurred.
_SAY_BLURRED = frozenset({"blurry", "motion_blur", "depth_of_field", "bokeh", "soft_focus"})

#: Scores of a tag that a picture hardly has, and of one that it surely has.
LOW_SCORE = 0.05
HIGH_SCORE = 0.9


def unreadable(seen: Seen) -> Iterator[str]:
    """A picture that cannot be opened."""
    if seen.row.error is not None:
        yield f"it cannot be used: {seen.row.error}"


def small(seen: Seen) -> Iterator[str]:
    """A short side below what base models are trained with."""
    facts = seen.row.facts
    if facts is not None and min(facts.width, facts.height) < SHORTEST_SIDE:
        yield f"the short side is below {SHORTEST_SIDE} pixels"


def blurred(seen: Seen) -> Iterator[str]:
    """No sharp edge, and no word about it."""
    facts = seen.row.facts
    if facts is None or facts.sharpness >= BLURRED_BELOW:
        return
    if seen.caption is None or not any(word.folded in _SAY_BLURRED for word in seen.caption.words):
        yield "the picture is blurred, or was enlarged, or shows next to nothing"


def doubtful_tags(seen: Seen) -> Iterator[str]:
    """Tags of the caption that the model does not see."""
    scores, caption, labels = seen.row.scores, seen.caption, seen.expected.labels
    if scores is None or caption is None or labels is None:
        return
    thresholds = seen.expected.thresholds
    for word in caption.words:
        is_general = word.position >= 0 and labels.categories[word.position] == "general"
        if not is_general or word.is_trigger or scores[word.position] >= LOW_SCORE:
            continue
        if thresholds is None or scores[word.position] < thresholds[word.position]:
            yield f"{word.folded}: the model scores it below {LOW_SCORE}"


def missing_tags(seen: Seen) -> Iterator[str]:
    """Tags that the model is sure of and the caption lacks."""
    scores, caption, labels = seen.row.scores, seen.caption, seen.expected.labels
    if scores is None or caption is None or labels is None or not seen.expected.lists_all or caption.has_sentences:
        return
    sure = np.flatnonzero((scores >= HIGH_SCORE) & seen.words.teachable)
    if seen.expected.thresholds is not None:
        sure = sure[scores[sure] >= seen.expected.thresholds[sure]]
    lacking = set(sure.tolist()) - {word.position for word in caption.words}
    if lacking:
        implied = {tag for word in caption.words for tag in implied_by_words(word.folded)}
        for position in sorted(lacking):
            if labels.names[position] not in implied:
                yield f"{labels.names[position]}: the model scores it {HIGH_SCORE} or more, and the caption lacks it"
