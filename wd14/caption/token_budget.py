"""Leaving out the least certain general tags of a caption that has more tokens than it may."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from wd14.caption.vocabulary import Vocabulary
from wd14.spelling import COUNT_TAG, folded
from wd14.types import Labels, TokenCounter

#: Beside `COUNT_TAG`: they say how many people there are, too.
_COUNTS = frozenset({"solo", "no_humans"})


def droppable_texts(labels: Labels, vocabulary: Vocabulary) -> frozenset[int]:
    """Ids of the texts that a caption can do without: those that only general tags are written with.

    Count tags, always-first tags and trigger words are not among them.
    """
    general: set[int] = set()
    kept = vocabulary.trigger_ids | {text for text, rank in enumerate(vocabulary.ranks) if rank < 0}
    for name, category, texts in zip(labels.names, labels.categories, vocabulary.written, strict=True):
        is_general = category == "general" and not _says_how_many(folded(name))
        (general if is_general else kept).update(texts)
    return frozenset(general - kept)


def _says_how_many(tag: str) -> bool:
    return tag in _COUNTS or COUNT_TAG.fullmatch(tag) is not None


class TokenBudget:
    """Fits captions into a number of tokens.

    Args:
        limit: tokens that a caption may have, without those that open and close it.
        count: counts them.
    """

    def __init__(self, limit: int, count: TokenCounter) -> None:
        self._limit = limit
        self._count = count

    def fit(
        self,
        written: Mapping[int, float],
        droppable: Collection[int],
        text_of: Callable[[Mapping[int, float]], str],
    ) -> tuple[dict[int, float], int]:
        """What of a caption is written, and its tokens: more than the limit only where nothing is left to leave out.

        The lowest scores go first, of equal ones the last. Costs one count where the caption fits, else one more for
        each doubling of the droppable tags.

        Args:
            written: ids of texts and their scores, in the order in which they are written.
            droppable: ids of those that may be left out.
            text_of: the caption's whole text when it has these.
        """
        worst_first = sorted((text for text in reversed(list(written)) if text in droppable), key=written.__getitem__)

        def without(number: int) -> tuple[dict[int, float], int]:
            gone = set(worst_first[:number])
            rest = {text: score for text, score in written.items() if text not in gone}
            return rest, self._count(text_of(rest))

        found = without(0)
        if found[1] <= self._limit or not worst_first:
            return found
        # Without `too_few` the caption does not fit, without `enough` it does. (Where a separator joins tags into one
        # word, a longer text may have fewer tokens; what is found is still a place where one tag more is too much.)
        too_few, enough = 0, len(worst_first)
        found = without(enough)
        while found[1] <= self._limit and enough - too_few > 1:
            middle = (too_few + enough) // 2
            tried = without(middle)
            if tried[1] <= self._limit:
                found, enough = tried, middle
            else:
                too_few = middle
        return found
