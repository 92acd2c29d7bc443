r"""The spellings of a tag, and finding a tag by any of them.

`long_hair`, `long hair` and `Long Hair` are one tag, and so are `saber_(fate)` and `saber \(fate\)`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Generic, TypeVar

#: Emoticons whose underscore is part of the face: the list of the WD14 author's Space, which the web UIs share.
KAOMOJI = frozenset(
    "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<|> =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_||".split()  # noqa: SIM905 - as the list is published
)

#: Tags that count people, in `folded` spelling: `1girl`, `6+boys`, `multiple_others`.
COUNT_TAG = re.compile(r"(?:\d+\+?(?:girl|boy|other)s?|multiple_(?:girls|boys|others))")

_UNESCAPED_PARENTHESIS = re.compile(r"(?<!\\)[()]")
_ESCAPED_PARENTHESIS = re.compile(r"\\([()])")
_ESCAPED_WILDCARD = re.compile(r"\\([*?])")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")

T = TypeVar("T", bound=Hashable)


def canonical(text: str) -> str:
    r"""The same for all spellings of a tag except upper and lower case: `saber \(fate\)` -> `saber_(fate)`."""
    if "\\" in text:
        text = _ESCAPED_PARENTHESIS.sub(r"\1", text)
    return "_".join(text.split())


def folded(text: str) -> str:
    """The same for all spellings of a tag: `Long Hair` -> `long_hair`."""
    return canonical(text).casefold()


def with_spaces(name: str) -> str:
    """`long_hair` -> `long hair`; the emoticons of `KAOMOJI` stay as they are."""
    return name if name in KAOMOJI else name.replace("_", " ")


def with_escapes(text: str) -> str:
    r"""`saber_(fate)` -> `saber_\(fate\)`; a parenthesis that is escaped already is not escaped again."""
    return _UNESCAPED_PARENTHESIS.sub(r"\\\g<0>", text)


def split_caption(text: str, separator: str) -> list[str]:
    """The tags of a caption, without the spaces around them. Empty tags are left out.

    Spaces around the separator do not count, unless it consists of nothing else.
    """
    bare = separator.strip() or separator
    return [part.strip() for part in (text.split(bare) if bare else [text]) if part.strip()]


@lru_cache(maxsize=8)
def sentence_before(separator: str) -> re.Pattern[str]:
    """The end of a sentence: two words and a full stop before a capital, a comma, a separator or the end.

    `mr. squeaks` is none.
    """
    bare = re.escape(separator.strip() or separator)
    after = rf"(?=\s+[A-Z]|\s*(?:,|$|{bare}))" if bare else r"(?=\s+[A-Z]|\s*(?:,|$))"
    return re.compile(r"(?<![^\s,])[^\s,]+[ \t]+[^\s,]*\w[\w\"'”’)]\.[\"'”’)]?" + after)


def each_once(words: Iterable[str]) -> list[str]:
    """Each tag once, where it comes first and as it is spelled there."""
    first: dict[str, str] = {}
    for word in words:
        first.setdefault(folded(word), word)
    return list(first.values())


def wildcard_pattern(entry: str) -> re.Pattern[str]:
    r"""The expression for an entry: `*` is any text, `?` any character, `\*` and `\?` are the characters themselves."""
    text = folded(entry).replace("[", "[[]")  # brackets have no meaning of their own
    return re.compile(fnmatch.translate(_ESCAPED_WILDCARD.sub(r"[\1]", text)))


class Spellings(Generic[T]):
    """Finds the values of a tag by any of its spellings. Where two tags differ in case only, case counts."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, set[T]] = {}
        self._folded: dict[str, set[T]] = {}
        for name, value in entries:
            key = canonical(name)
            self._exact.setdefault(key, set()).add(value)
            self._folded.setdefault(key.casefold(), set()).add(value)

    def find(self, text: str) -> set[T]:
        """The values of the tag that `text` spells; empty when there is none."""
        return self._exact.get(canonical(text)) or self._folded.get(folded(text)) or set()

    def match(self, entry: str) -> set[T]:
        """The values of all tags that match the wildcards `*` and `?`.

        An entry without a letter or digit is an emoticon (`*_*`, `!?`) and matches nothing.
        """
        if not _LETTER_OR_DIGIT.search(entry):
            return set()
        pattern = wildcard_pattern(entry)
        return {value for key, values in self._folded.items() if pattern.fullmatch(key) for value in values}
