"""`name_(series)` -> `name`, `series`: which of a model's character tags end in a series."""

from __future__ import annotations

import re

from wd14.types import Labels

#: Final groups that name a costume or a kind of being. The rules of `CharacterExpander` alone find most of them.
_NOT_A_SERIES = re.compile(
    r"(?:.*_)?(?:costume|outfit|uniform|swimsuit|ascension|cosplay|dress|form|ver\.?|style)"
    r"|ver\._.*|swimsuit_.*|character|person|creature|object|vtuber|utaite|male|female|alter|alter_ego"
    r"|young|old|child|adult|casual|summer|winter|spring|autumn|new_year|halloween|christmas|valentine"
    r"|bunny|maid|school|idol|bride|wedding|pajamas|kimono|yukata|streetwear|work|sailor|second|third"
)

#: Series that the rules would miss: a game named after its hero, and a part of a series.
_A_SERIES = frozenset({"mario", "gegege_no_kitarou_6"})


def split_group(name: str) -> tuple[str, str] | None:
    """The text before the last group and the text in it, or None: `a_(b)_(c_(d))` -> `a_(b)`, `c_(d)`."""
    if not name.endswith(")"):
        return None
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            base, group = name[:at].rstrip("_ "), name[at + 1 : -1]
            return (base, group) if base and group else None
    return None


class CharacterExpander:
    """Tells series from costumes by the model's own list of tags.

    A final group is a series unless
    - `_NOT_A_SERIES` has it;
    - the name without it is a character too: `gawr_gura_(1st_costume)`, `phosphophyllite_(ll)`;
    - another character has it before a further group: `(female)`, because of `byleth_(female)_(fire_emblem)`;
    - it is a character itself: `bloop_(gawr_gura)`.

    It is a series in any case when it is one of the model's copyright tags.
    """

    def __init__(self, labels: Labels) -> None:
        self._tags = list(zip(labels.names, labels.categories, strict=True))
        self._characters = {name for name, category in self._tags if category == "character"}
        self._series = _A_SERIES.union(name for name, category in self._tags if category == "copyright")
        bases = [found[0] for name in self._characters if (found := split_group(name))]
        self._inner_groups = {found[1] for base in bases if (found := split_group(base))}

    def parts(self) -> list[tuple[str, ...]]:
        """For each of the model's tags its name, or the character's name and the series."""
        return [self._parts(name) if category == "character" else (name,) for name, category in self._tags]

    def _parts(self, name: str) -> tuple[str, ...]:
        found = split_group(name)
        return found if found is not None and self._is_series(*found) else (name,)

    def _is_series(self, base: str, group: str) -> bool:
        others = {base, group} & self._characters or group in self._inner_groups
        return group in self._series or not (others or _NOT_A_SERIES.fullmatch(group))
