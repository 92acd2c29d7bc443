"""`name_(series)` -> `name`, `series`: which of a model's character tags end in a series."""

from __future__ import annotations

import re

from wd14.types import Labels

#: Final groups that name a kind of being or of dress. Most of them the rules of `Expander` find as well.
_NOT_A_SERIES = re.compile(
    r"(?:\d+(?:st|nd|rd|th)_|.*_)?(?:costume|outfit|uniform|swimsuit|ascension|cosplay|dress|form|ver\.?|style)"
    r"|ver\._.*|swimsuit_.*|character|person|creature|object|vtuber|utaite|male|female|alter|alter_ego"
    r"|young|old|child|adult|casual|summer|winter|spring|autumn|new_year|halloween|christmas|valentine"
    r"|bunny|maid|school|idol|bride|wedding|pajamas|kimono|yukata|streetwear|work|sailor|second|third"
)

#: Series that the rules would take for something else: a game named after its hero, a part of a series.
_A_SERIES = frozenset({"mario", "gegege_no_kitarou_6"})


def split_group(name: str) -> tuple[str, str] | None:
    """What stands before the last group and what is in it, or None: `a_(b)_(c_(d))` -> `a_(b)`, `c_(d)`."""
    if not name.endswith(")"):
        return None
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            base, group = name[:at].rstrip("_ "), name[at + 1 : -1]
            return (base, group) if base and group else None
    return None


class Expander:
    """Tells series from costumes by the model's own list of tags.

    A final group is a series, unless
    - it is named in `_NOT_A_SERIES`;
    - the name without it is a character too: `gawr_gura_(1st_costume)`, `phosphophyllite_(ll)`;
    - it stands before another group elsewhere: `(female)`, for there is `byleth_(female)_(fire_emblem)`;
    - it is a character itself: `bloop_(gawr_gura)`.
    A copyright tag of the model is a series whatever the rules say.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._characters = _names(labels, "character")
        self._copyrights = _names(labels, "copyright")
        groups = (split_group(name) for name in self._characters)
        inner = (split_group(found[0]) for found in groups if found is not None)
        self._inner = {found[1] for found in inner if found is not None}

    def parts(self, index: int) -> tuple[str, ...]:
        """The tags that a label stands for: one, or a character's name and its series."""
        name = self._labels.names[index]
        if self._labels.categories[index] != "character":
            return (name,)
        found = split_group(name)
        return found if found is not None and self._is_series(*found) else (name,)

    def _is_series(self, base: str, group: str) -> bool:
        if group in _A_SERIES or group in self._copyrights:
            return True
        return not (
            base in self._characters
            or group in self._characters
            or group in self._inner
            or _NOT_A_SERIES.fullmatch(group)
        )


def _names(labels: Labels, category: str) -> frozenset[str]:
    return frozenset(name for name, own in zip(labels.names, labels.categories, strict=True) if own == category)
