"""What the forms of label files share: what they may hold, and the words in them."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from pathlib import Path

from wd14.errors import LabelsError
from wd14.types import CATEGORY_NAMES

#: What a label file may have. The largest known tagger has 108,000 tags in 15 MB; at these limits reading takes a few
#: seconds. Danbooru's longest tag has 170 characters, and it has five categories.
LARGEST_FILE = 32 << 20
MOST_TAGS = 250_000
LONGEST_WORD = 255
MOST_CATEGORIES = 100
#: Characters of a file's content that a message shows.
_SHOWN = 80


@dataclass(slots=True)
class LabelRows:
    """What a label file says of each output, in their order."""

    names: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)  #: as the file writes them; `UNUSED` for what it leaves out
    counts: list[int] = field(default_factory=list)  #: 0 = not known; empty = no count at all
    thresholds: dict[int, float] = field(default_factory=dict)  #: by position, where the file has any


def category_name(text: str) -> str:
    """The name of a category, which files write as Danbooru's number or as a word.

    A number that Danbooru does not have becomes `category_<number>`, so that a threshold can be set for it.
    """
    word = text.strip().lower()
    try:
        number = int(word.removesuffix(".0"))  # some programs write whole numbers so
    except ValueError:
        return word or "general"
    return CATEGORY_NAMES.get(number, f"category_{number}")


def threshold_of(value: object, path: Path, place: str) -> float | None:
    """A published threshold, 0..1; None where the file has none: null, an empty cell, `nan`.

    Args:
        value: a number, or what a CSV has.
        path: the file, for messages.
        place: where in the file, for messages.

    Raises:
        LabelsError: it is something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = -1.0
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if math.isnan(number):
        return None
    if not 0 <= number <= 1:
        raise LabelsError(f"{path}, {place}: expected a threshold between 0 and 1, found {shortened(repr(value))}")
    return number


def shortened(text: str) -> str:
    """The text as a message shows it."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
