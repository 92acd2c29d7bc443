"""The tag that a misspelled word may mean, among ten thousand, for ten thousand words in a second or two."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

#: Letters below which a word is too short to be told from another.
_SHORTEST = 4
#: How alike they must be, 0..1 as difflib counts.
_CUTOFF = 0.8


class Suggestions:
    """Finds the tag that is one mistyped letter (or two) away, or has the same words in another order.

    Two words that become the same when a letter of each is left out are at most two letters apart. So each tag is
    kept under itself without one letter, for each of its letters; ten thousand tags are 150,000 keys, 20 MB.

    Args:
        tags: folded names; of several that are as close, the first is suggested.
    """

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags: dict[str, list[str]] = {}
        for tag in tags:
            for key in _keys(tag):
                self._tags.setdefault(key, []).append(tag)

    def for_word(self, word: str) -> str | None:
        """The tag that a folded word may mean; None = none is close."""
        if len(word) < _SHORTEST:
            return None
        candidates = dict.fromkeys(tag for key in _keys(word) for tag in self._tags.get(key, ()))
        best = max(candidates, key=lambda tag: _likeness(word, tag), default=None)
        return best if best is not None and _likeness(word, best) >= _CUTOFF else None


def _keys(word: str) -> Iterator[str]:
    if len(word) < _SHORTEST:
        return
    yield word
    yield _sorted(word)
    for index in range(len(word)):
        yield word[:index] + word[index + 1 :]


def _sorted(word: str) -> str:
    return " ".join(sorted(word.split("_")))


def _likeness(word: str, tag: str) -> float:
    pairs: Sequence[tuple[str, str]] = [(word, tag), (_sorted(word), _sorted(tag))]
    return max(difflib.SequenceMatcher(None, one, other).ratio() for one, other in pairs)
