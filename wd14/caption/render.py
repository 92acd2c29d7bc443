"""Tags -> text: the caption itself, alone or behind one that was there before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wd14.caption.spelling import canonical

#: The end of a sentence: two words, a full stop, and a capital, a comma or nothing behind it (`mr. squeaks` is none).
_SENTENCE = re.compile(r"(?<![^\s,])[^\s,]+[ \t]+[^\s,]*\w[\w\"'”’)]\.[\"'”’)]?(?=\s+[A-Z]|\s*(?:,|$))")


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and the model's tags in it with their scores, in the order in which they are written."""

    text: str
    tags: tuple[tuple[str, float], ...] = ()

    def scores(self) -> dict[str, float]:
        """Tag as written -> score, rounded to 4 digits: what the extra column holds."""
        return {name: round(score, 4) for name, score in self.tags}


def split_caption(text: str, separator: str) -> list[str]:
    """The tags of a caption: cut at the separator, blanks around it do not count, nor do empty tags.

    A separator of blanks alone counts as it is, without its blanks nothing would be left of it.
    """
    parts = text.split(separator.strip() or separator)
    return [part.strip() for part in parts if part.strip()]


def append(existing: str, tags: Sequence[str], triggers: Sequence[str], separator: str) -> str:
    """The existing caption, then the tags it does not have, in whichever spelling; the trigger words open it.

    Sentences are left as they are; a list of tags is joined by `separator`, as kohya does.
    """
    text = existing.strip()
    parts = split_caption(text, separator)
    have = {canonical(part).casefold() for part in parts}
    new = [tag for tag in tags if canonical(tag).casefold() not in have]
    if _SENTENCE.search(text):
        opening = [word for word in triggers if canonical(word).casefold() not in have]
        return separator.join([*opening, text, *new])
    openers = {canonical(word).casefold() for word in triggers}
    kept = [part for part in parts if canonical(part).casefold() not in openers]
    return separator.join([*triggers, *kept, *new])
