"""Two traits that one person cannot both have: which goes, from all pictures, and leaving it out of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
from numpy.typing import NDArray

from wd14.curation import tables
from wd14.curation.evidence import Evidence
from wd14.curation.families import group, groups_of
from wd14.curation.people import OnePerson
from wd14.curation.tables import Group
from wd14.errors import ConfigError
from wd14.spelling import folded
from wd14.types import IndexArray, Labels, RefineTables

#: Tags of a group that are compared, the most frequent ones: a bit each, and one for the mixers. Of wd-v3's tags no
#: group has as many.
_MOST_SIBLINGS = 63


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A tag that is wrong beside another one, which more of the dataset's pictures have."""

    loser: int
    winner: int
    rows: int  #: pictures of one person where the loser goes because of this winner


def find_contradictions(evidence: Evidence) -> list[Contradiction]:
    """The contradictions in a dataset, the most frequent winners first; some seconds for 10^6 pictures.

    Only traits are compared. What passes, a posture or an open mouth, differs from picture to picture: there the other
    pictures are no evidence.
    """
    rank = {tag: place for place, tag in enumerate(evidence.present)}
    traits = {folded(evidence.names[tag]): tag for tag in evidence.traits}
    one_person = evidence.study.one_person
    found: dict[tuple[int, int], int] = {}
    for siblings in tables.groups().values():
        if siblings.scope == "person":
            for pair, rows in _within(siblings, traits, evidence, one_person).items():
                found[pair] = max(rows, found.get(pair, 0))
    pairs = sorted(found.items(), key=lambda item: (rank[item[0][1]], rank[item[0][0]]))
    return [Contradiction(loser, winner, rows) for (loser, winner), rows in pairs]


def _within(
    siblings: Group, traits: Mapping[str, int], evidence: Evidence, one_person: NDArray[np.bool_]
) -> dict[tuple[int, int], int]:
    """(loser, winner) -> pictures, of one sibling group."""
    members = [(tag, siblings.values[name]) for name, tag in traits.items() if name in siblings.values]
    members = members[:_MOST_SIBLINGS]
    if all(one & other for _, one in members for _, other in members):
        return {}
    bits = np.zeros(len(evidence.names), np.uint64)
    for place, (tag, _) in enumerate(members):
        bits[tag] = 1 << place
    mixed = 1 << _MOST_SIBLINGS
    for tag in evidence.present:
        if folded(evidence.names[tag]) in siblings.mixers:
            bits[tag] = mixed
    sets = evidence.study.combined(bits)[one_person]
    several = (sets & (sets - np.uint64(1)) != 0) & (sets < mixed)
    found: dict[tuple[int, int], int] = {}
    for tags, rows in zip(*np.unique(sets[several], return_counts=True), strict=True):
        right: list[tuple[int, set[str]]] = []
        for tag, values in (member for place, member in enumerate(members) if int(tags) >> place & 1):
            winner = next((other for other, own in right if values.isdisjoint(own)), None)
            if winner is None:
                right.append((tag, values))
            else:
                found[tag, winner] = found.get((tag, winner), 0) + int(rows)
    return found


class LeaveOutBeside:
    """Takes the losers of contradictions out of a picture's tags; about 10 microseconds a picture.

    Args:
        winners: of each loser. A loser that is out itself lets nobody lose. A pair counts on pictures of one person,
            and not beside a tag with which both are right (heterochromia).
        order: all of these tags, winners before losers.
        labels: the model's tags.
    """

    def __init__(self, winners: Mapping[int, set[int]], order: Sequence[int], labels: Labels) -> None:
        positions = {folded(name): tag for tag, name in enumerate(labels.names)}
        self._winners = winners
        self._order = {tag: place for place, tag in enumerate(order)}
        self._mixers = {
            (loser, winner): frozenset(
                positions[name] for name in _mixers(labels.names[loser], labels.names[winner]) if name in positions
            )
            for loser, own in winners.items()
            for winner in own
        }
        self._relevant = np.zeros(len(labels), np.bool_)
        self._relevant[list(order)] = True
        self._is_one_person = OnePerson(labels)

    def __call__(self, kept: IndexArray, /) -> IndexArray:
        """The kept tags, positions, ascending, without those that lose."""
        there = sorted(kept[self._relevant[kept]].tolist(), key=self._order.__getitem__)
        if len(there) < 2 or not self._is_one_person(kept):
            return kept
        tags = kept.tolist()
        gone = _losers(there, self._winners, self._mixers, tags)
        # Of so few tags, a list is made faster than a mask.
        return np.array([tag for tag in tags if tag not in gone], np.intp) if gone else kept

    def tables(self) -> RefineTables:
        """What it goes by."""
        return RefineTables(self._is_one_person.weights.tolist(), list(self._order), self._winners, self._mixers)


def leave_out_beside(pairs: Iterable[tuple[int, int]], labels: Labels) -> LeaveOutBeside | None:
    """What takes the losers of contradictions out of a picture's tags; None where there is no pair.

    Args:
        pairs: positions of (loser, winner).
        labels: the model's tags.

    Raises:
        ConfigError: tags lose against each other in a circle.
    """
    winners: dict[int, set[int]] = {}
    for loser, winner in pairs:
        winners.setdefault(loser, set()).add(winner)
    if not winners:
        return None
    try:
        order = list(TopologicalSorter(winners).static_order())
    except CycleError as error:
        names = " beside ".join(labels.names[tag] for tag in error.args[1])
        raise ConfigError(f"Plan (plan): {names}: each is to go beside the other. Decide for one of them") from error
    return LeaveOutBeside(winners, order, labels)


def _losers(
    there: Sequence[int],
    winners: Mapping[int, set[int]],
    mixers: Mapping[tuple[int, int], frozenset[int]],
    tags: Sequence[int],
) -> set[int]:
    right: list[int] = []
    gone: set[int] = set()
    for tag in there:  # winners come before their losers
        against = winners.get(tag, ())
        if any(other in against and mixers[tag, other].isdisjoint(tags) for other in right):
            gone.add(tag)
        else:
            right.append(tag)
    return gone


def _mixers(loser: str, winner: str) -> set[str]:
    """The tags with which both are right."""
    one, other = folded(loser), folded(winner)
    return {
        mixer
        for name in set(groups_of(one)) & set(groups_of(other))
        if group(name).values[one].isdisjoint(group(name).values[other])
        for mixer in group(name).mixers
    }
