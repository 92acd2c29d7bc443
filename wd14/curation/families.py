"""What kind of tag a tag is: its family, its siblings, whether it lasts, for any model's tags in any spelling.

The answers come from `tables/`. What no table knows has no family and is no trait: a tag that is kept by mistake costs
a caption a word, one that is folded by mistake costs the LoRA what it should learn.
"""

from __future__ import annotations

from wd14.curation import tables
from wd14.curation.tables import Entry, Group, Kind
from wd14.spelling import COUNT_TAG, folded

#: Families whose traits make a character recognisable. Their passing states (`wet_hair`) do not: ask `is_trait`.
IDENTITY_FAMILIES = frozenset({"hair", "eyes", "skin", "body", "ears", "tail", "horns", "wings", "halo", "species"})


def family_of(tag: str) -> str | None:
    """`blue_hair` -> "hair", `white_dress` -> "clothes"; None for a tag that no table knows."""
    if entry := _entry_of(tag):
        return entry.family
    return "count" if is_count(tag) else None


def is_trait(tag: str) -> bool:
    """Whether a tag names what a character always has, and may be folded: `blue_hair` does, `wet_hair` does not."""
    return _kind_of(tag) == "trait"


def is_state(tag: str) -> bool:
    """Whether a tag looks like a trait or an outfit and is none: `closed_eyes`, `hair_ribbon`, `wet_clothes`."""
    return _kind_of(tag) == "state"


def is_outfit_part(tag: str) -> bool:
    """Whether a tag names a part of an outfit: `white_dress`; not the states `hair_ribbon`, `wet_clothes`, `nude`."""
    entry = _entry_of(tag)
    return entry is not None and entry.family == "clothes" and entry.kind == "other"


def is_negative(tag: str) -> bool:
    """Whether no caption should have the tag: `watermark`, `signature`, `english_text`, `bad_anatomy`."""
    return _kind_of(tag) == "negative"


def is_count(tag: str) -> bool:
    """Whether a tag counts people: `1girl`, `6+boys`, `multiple_others`; not `solo`."""
    return COUNT_TAG.fullmatch(folded(tag)) is not None


def group_of(tag: str) -> str | None:
    """The first of the tag's sibling groups: `blue_eyes` -> "eye_colour"; None where it has none."""
    return next(iter(groups_of(tag)), None)


def groups_of(tag: str) -> tuple[str, ...]:
    """All sibling groups of a tag: `solo` is one in each number of people."""
    return tables.groups_by_tag().get(folded(tag), ())


def group(name: str) -> Group:
    """A sibling group: its scope, the values of its tags, the tags with which several siblings are right.

    Raises:
        KeyError: there is no such group.
    """
    return tables.groups()[name]


def exclude_each_other(one: str, other: str) -> bool:
    """Whether both tags cannot be right: in groups of scope "person" of one person, else of one picture.

    `blue_hair` excludes `red_hair`, but not `light_blue_hair`; `2girls` excludes `solo`, but not `multiple_girls`.
    """
    first, second = folded(one), folded(other)
    shared = set(groups_of(first)) & set(groups_of(second))
    return any(group(name).values[first].isdisjoint(group(name).values[second]) for name in shared)


def _entry_of(tag: str) -> Entry | None:
    return tables.family_table().find(folded(tag))


def _kind_of(tag: str) -> Kind | None:
    entry = _entry_of(tag)
    return entry.kind if entry else None
