"""The text of a caption: the tags alone, or added to a caption that was there before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wd14.spelling import folded, sentence_before, split_caption

#: What stands inside words and tags: `m.u.g.e.n`, `fate/stay_night`.
_INSIDE_WORDS = re.compile(r"[\w.'’:/-]")


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and the model's tags in it with their scores, in the order in which they are written."""

    text: str
    tags: tuple[tuple[str, float], ...] = ()
    tokens: int | None = None  #: of the text, where their number is limited
    unedited: str | None = None  #: the text without a person's edits, where there are some
    applied: tuple[bool, ...] = ()  #: of each edit, whether the caption is as it says

    def scores(self) -> dict[str, float]:
        """Tag as written -> score, rounded to 4 digits."""
        return {name: round(score, 4) for name, score in self.tags}


def append(existing: str, tags: Sequence[str], triggers: Sequence[str], separator: str) -> str:
    """The trigger words, the existing caption, and the tags that it does not have in any spelling.

    A list of tags is joined again with `separator`, as kohya does. A caption stays as it is, blanks and all, when it
    holds a sentence, or when cutting it at this separator could cut a word or a tag (`_`, `. `, `;` beside `;d`).
    Appending to the result changes nothing: what stands between two separators counts as there, whatever it holds.
    """
    text = existing.strip()
    if is_list(separator, (*triggers, *tags)) and not sentence_before(separator).search(text):
        parts = split_caption(text, separator)
        openers = [part for word in triggers for part in split_caption(word, separator)]
        if parts[: len(openers)] != openers:
            known = set(map(folded, openers))
            parts = [*openers, *(part for part in parts if folded(part) not in known)]
        text = separator.join(parts)
    else:
        text = separator.join(filter(None, [*missing(text, triggers, separator), text]))
    # Again, since a tag that begins or ends like the separator (`a-`, `--`) moves the cuts between the others.
    while new := missing(text, tags, separator):
        text = separator.join(filter(None, [text, *new]))
    return text


def missing(text: str, tags: Sequence[str], separator: str) -> list[str]:
    """The tags that a caption does not have, in any spelling."""
    there = set(map(folded, split_caption(text, separator)))
    bounded = f"{separator}{text}{separator}"
    return [tag for tag in tags if folded(tag) not in there and f"{separator}{tag}{separator}" not in bounded]


def is_list(separator: str, tags: Sequence[str]) -> bool:
    """Whether captions with this separator can be cut into tags and joined again, and these tags stay what they are."""
    bare = separator.strip() or separator
    overlaps = any(bare.endswith(bare[:length]) for length in range(1, len(bare)))  # `--`: `a-` and `b` are `a---b`
    if not bare or overlaps or _INSIDE_WORDS.search(bare):
        return False
    return all(bare not in tag or separator.join(split_caption(tag, separator)) == tag for tag in tags)
