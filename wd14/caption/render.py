"""The text of a caption: the tags alone, or added to a caption that was there before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wd14.caption.spelling import folded

#: The end of a sentence: two words and a full stop before a capital, a comma or the end (`mr. squeaks` is none).
_SENTENCE = re.compile(r"(?<![^\s,])[^\s,]+[ \t]+[^\s,]*\w[\w\"'”’)]\.[\"'”’)]?(?=\s+[A-Z]|\s*(?:,|$))")


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and the model's tags in it with their scores, in the order in which they are written."""

    text: str
    tags: tuple[tuple[str, float], ...] = ()

    def scores(self) -> dict[str, float]:
        """Tag as written -> score, rounded to 4 digits."""
        return {name: round(score, 4) for name, score in self.tags}


def split_caption(text: str, separator: str) -> list[str]:
    """The tags of a caption, without the spaces around them. Empty tags are left out.

    Spaces around the separator do not count, unless it consists of nothing else.
    """
    return [part.strip() for part in text.split(separator.strip() or separator) if part.strip()]


def append(existing: str, tags: Sequence[str], triggers: Sequence[str], separator: str) -> str:
    """The trigger words, the existing caption, and the tags that it does not have in any spelling.

    A caption that holds a sentence stays as it is; a list of tags is joined again with `separator`, as kohya does.
    """
    text = existing.strip()
    parts = split_caption(text, separator)
    there = set(map(folded, parts))
    new = [tag for tag in tags if folded(tag) not in there]
    if _SENTENCE.search(text):
        return separator.join([*(word for word in triggers if folded(word) not in there), text, *new])
    openers = set(map(folded, triggers))
    return separator.join([*triggers, *(part for part in parts if folded(part) not in openers), *new])
