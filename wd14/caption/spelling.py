r"""How one tag can be spelled, and finding it whichever way a person wrote it.

`long_hair`, `long hair` and `Long Hair` are one tag, and so are `saber_(fate)` and `saber \(fate\)`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

#: Emoticons whose underscore is part of the face: the list of the WD14 author's Space, which the web UIs share.
KAOMOJI = frozenset(
    [
        *("0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o"),
        *("@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||"),
    ]
)

_BARE_PARENTHESIS = re.compile(r"(?<!\\)[()]")
_ESCAPED_PARENTHESIS = re.compile(r"\\([()])")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")

T = TypeVar("T", bound=Hashable)


def canonical(text: str) -> str:
    r"""The one spelling of all spellings of a tag, letter case apart: `saber \(fate\)` -> `saber_(fate)`."""
    if "\\" in text:
        text = _ESCAPED_PARENTHESIS.sub(r"\1", text)
    return "_".join(text.split())


def with_spaces(name: str) -> str:
    """`long_hair` -> `long hair`; emoticons of `KAOMOJI` stay as they are."""
    return name if name in KAOMOJI else name.replace("_", " ")


def with_escapes(text: str) -> str:
    r"""`saber_(fate)` -> `saber_\(fate\)`; a parenthesis that is escaped already is not escaped again."""
    return _BARE_PARENTHESIS.sub(r"\\\g<0>", text)


def is_pattern(entry: str) -> bool:
    """Whether `*` and `?` can be wildcards here: not in a face (`*_*`, `!?`), which has no letter or digit."""
    return ("*" in entry or "?" in entry) and bool(_LETTER_OR_DIGIT.search(entry))


def pattern_of(entry: str) -> re.Pattern[str]:
    r"""The expression of an entry: `*` is any text, `?` any one sign, `\*` and `\?` are the signs themselves."""
    first, *others = re.split(r"(?<!\\)\*+", canonical(entry).casefold())
    if not others:
        return re.compile(_fixed(first), re.DOTALL)
    # Atomic groups: each part is found where it comes first and not looked for again, or many stars took for ever.
    middle = "".join(f"(?>.*?{_fixed(part)})" for part in others[:-1])
    return re.compile(f"{_fixed(first)}{middle}.*{_fixed(others[-1])}", re.DOTALL)


def _fixed(part: str) -> str:
    signs = {"?": ".", "\\*": r"\*", "\\?": r"\?"}
    return "".join(signs.get(piece, re.escape(piece)) for piece in re.split(r"(\\[*?]|\?)", part))


class Spellings(Generic[T]):
    """Finds what belongs to a tag by any of its spellings; where only case tells two apart, case counts."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, set[T]] = {}
        self._folded: dict[str, set[T]] = {}
        for name, thing in entries:
            key = canonical(name)
            self._exact.setdefault(key, set()).add(thing)
            self._folded.setdefault(key.casefold(), set()).add(thing)

    def find(self, text: str) -> set[T]:
        """What belongs to the tag that `text` spells; empty when there is none."""
        key = canonical(text)
        return self._exact.get(key) or self._folded.get(key.casefold()) or set()

    def match(self, text: str) -> set[T]:
        """As `find`, and where no tag is spelled so, `*` and `?` stand for other signs."""
        found = self.find(text)
        if found or not is_pattern(text):
            return found
        pattern = pattern_of(text)
        return {thing for key, things in self._folded.items() if pattern.fullmatch(key) for thing in things}
