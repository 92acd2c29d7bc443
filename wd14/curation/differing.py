"""Pictures that differ from the set: without some of what identifies the others. Often they are the wrong pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wd14.curation.evidence import ASK_FROM, FOLD_FROM, Evidence, percent
from wd14.curation.families import exclude_each_other, group, groups_of
from wd14.curation.plan import Differing
from wd14.spelling import folded
from wd14.text import printable, share

#: A trait of at least so many of the pictures belongs to the set's identity.
_IDENTITY = 0.5
#: From this share on, pictures that lack half of the identity are said to be another character, perhaps.
_ANOTHER = 0.1
#: Most traits that are looked for, a bit each.
_MOST_TRAITS = 60
#: Most pictures that are listed.
_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Differences:
    """The pictures that differ."""

    listed: tuple[Differing, ...] = ()  #: worst first
    in_all: int = 0
    notes: tuple[str, ...] = ()


def find_differing(evidence: Evidence) -> Differences:
    """The pictures that lack a trait of nearly all others, or half of those of most others; a second for 10^6.

    A picture with light_blue_hair does not lack blue_hair.
    """
    identity = _identity(evidence)
    if not identity:
        return Differences()
    bits = np.zeros(len(evidence.names), np.uint64)
    for place, trait in enumerate(identity):
        bits[trait] |= np.uint64(1 << place)
        for tag in _siblings(evidence, trait):
            if same_value(evidence.names[tag], evidence.names[trait]):
                bits[tag] |= np.uint64(1 << place)
    sets, where = np.unique(evidence.study.combined(bits), return_inverse=True)
    kinds = [_compare(evidence, identity, int(each)) for each in sets]
    mostly = np.array([most for _, most in kinds])[where]
    lacking = np.array([len(lacks) for lacks, _ in kinds])[where]
    worst = np.lexsort((-lacking, ~mostly))  # stable: the rows stay in order
    listed = worst[lacking[worst] > 0][:_MOST_LISTED].tolist()
    return Differences(
        tuple(_entry(evidence, row, *kinds[where[row]]) for row in listed),
        int(np.count_nonzero(lacking)),
        tuple(_notes(evidence, identity, mostly)),
    )


def _identity(evidence: Evidence) -> list[int]:
    """The traits of at least half of the pictures; of several that say the same, the most frequent one."""
    identity: list[int] = []
    for tag in evidence.traits:
        same = (other for other in identity if same_value(evidence.names[tag], evidence.names[other]))
        if evidence.frequency[tag] >= _IDENTITY and next(same, None) is None:
            identity.append(tag)
    return identity[:_MOST_TRAITS]


def _siblings(evidence: Evidence, trait: int) -> list[int]:
    """The tags among those present of a trait's sibling groups."""
    names = {name for own in groups_of(evidence.names[trait]) for name in group(own).values}
    return [tag for tag in evidence.present if folded(evidence.names[tag]) in names]


def same_value(one: str, other: str) -> bool:
    """Whether two tags are siblings that do not exclude each other: light_blue_hair and blue_hair."""
    return bool(set(groups_of(one)) & set(groups_of(other))) and not exclude_each_other(one, other)


def _compare(evidence: Evidence, identity: Sequence[int], has: int) -> tuple[list[int], bool]:
    """What a picture lacks that is worth saying, and whether it lacks half of the identity."""
    lacks = [tag for place, tag in enumerate(identity) if not has >> place & 1]
    if len(lacks) >= max(2, len(identity) / 2):
        return lacks, True
    return [tag for tag in lacks if evidence.frequency[tag] >= FOLD_FROM], False


def _entry(evidence: Evidence, row: int, lacks: Sequence[int], mostly: bool) -> Differing:
    names = [evidence.names[tag] for tag in lacks]
    if mostly:
        reason = "lacks at least half of what identifies the set: often the wrong picture"
    elif len(names) == 1:
        reason = "lacks one tag only: mild, it may be out of view"
    else:
        reason = f"lacks {len(names)} tags: look whether they are out of view"
    kept = evidence.study.kept(row).tolist()
    kept.sort(key=lambda tag: evidence.categories[tag] != "character")  # a name says most
    instead = [tag for tag in kept if _is_another(evidence, tag, lacks, names_count=mostly)]
    return Differing(
        name=printable(evidence.study.name(row)),
        lacks=tuple(names),
        instead=tuple(evidence.names[tag] for tag in instead),
        reason=reason,
    )


def _is_another(evidence: Evidence, tag: int, lacking: Sequence[int], *, names_count: bool) -> bool:
    """Whether a tag stands where the set has another: red_hair for blue_hair, or the name of a rare character."""
    if evidence.categories[tag] == "character":
        return names_count and evidence.frequency[tag] < ASK_FROM
    return any(exclude_each_other(evidence.names[tag], evidence.names[each]) for each in lacking)


def _notes(evidence: Evidence, identity: Sequence[int], mostly: NDArray[np.bool_]) -> Iterator[str]:
    """A note where so many pictures lack half of the identity that they may show another character."""
    number, total = int(mostly.sum()), evidence.pictures
    if number < _ANOTHER * total:
        return
    counts = evidence.study.counts_among(mostly)
    candidates = (*evidence.of_category("character"), *evidence.traits)
    instead = [tag for tag in candidates if counts[tag] and _is_another(evidence, tag, identity, names_count=True)]
    instead.sort(key=lambda tag: -counts[tag])
    line = (
        f"{share(number, total, 'picture')} ({percent(number / total)}) lack at least half of what identifies the set"
        f" ({evidence.listed(identity)})."
    )
    if instead:
        listed = ", ".join(f"{evidence.names[tag]} ({counts[tag]:,})" for tag in instead[:5])
        line += f" Instead they have {listed}: another character may be among them."
    else:
        line += " Nothing stands in its place: it may be out of view."
    others = total - number
    if others:
        kept = [
            tag
            for tag in evidence.traits
            if evidence.frequency[tag] < FOLD_FROM <= (evidence.counts[tag] - counts[tag]) / others
        ]
        if kept:
            line += f" Because of them fewer tags are folded; without them these would be too: {evidence.listed(kept)}."
    yield line
