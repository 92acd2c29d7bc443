"""Text for people: names that are safe to show in a terminal, durations, counts."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Collection
from itertools import islice

#: Unicode categories: control, format (bidirectional overrides, zero width), surrogates, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""`text` on one line and without terminal codes: unsafe characters are written as escapes, such as `\n`.

    Bidirectional overrides are unsafe too: they can make a line read as another.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(char)[1:-1] if unicodedata.category(char) in _UNSAFE else char for char in text)


#: Characters of the longest line that is shown to a person.
LONGEST_LINE = 4000


def readable(line: str) -> str:
    """A line as `printable` writes it, without its middle where it is too long: what it is about and why stay."""
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE * 3 // 4]} … {line[-LONGEST_LINE // 4 :]}"
    return printable(line)


def duration(seconds: float) -> str:
    """Seconds in words: `0.4 s`, `18 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int, noun: str) -> str:
    """`1 picture`, `2 pictures`, `12,000 pictures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def share(number: int, total: int, noun: str) -> str:
    """`1 of 1 picture`, `498 of 1,500 pictures`."""
    return f"{number:,} of {count(total, noun)}"


def listed(names: Collection[str], most: int) -> str:
    """`blue_hair, halo and 3 more`: the first `most` names, and how many others there are."""
    more = len(names) - most
    return ", ".join(islice(names, most)) + (f" and {more:,} more" if more > 0 else "")


#: Columns of a line of a table or of findings.
WIDTH = 100


def wrapped(text: str, *, first: str = "", then: str = "  ") -> list[str]:
    """Text as lines of at most `WIDTH` columns that begin with `first`, and from the second on with `then`."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)
