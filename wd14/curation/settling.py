"""What people write about tags, in any spelling and with wildcards, as decisions on a model's tags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wd14.curation.plan import LEAVES_OUT, Decision
from wd14.spelling import Spellings
from wd14.types import UNUSED, Labels

#: The positions of a decision's tag and of the tag beside which it holds, if only there.
Key = tuple[int, int | None]


class TagFinder:
    """Finds a model's tags by what a person calls them."""

    def __init__(self, labels: Labels) -> None:
        tags = zip(labels.names, labels.categories, strict=True)
        self._spellings = Spellings((name, tag) for tag, (name, category) in enumerate(tags) if category != UNUSED)

    def find(self, entry: str) -> tuple[list[int], bool]:
        """Positions of the tags, ascending, and whether the entry names one exactly; wildcards are tried after that."""
        found = self._spellings.find(entry)
        if found:
            return sorted(found), True
        return (sorted(self._spellings.match(entry)) if "*" in entry or "?" in entry else []), False


@dataclass(slots=True)
class Settled:
    """One decision for each tag, and each pair of tags."""

    decisions: dict[Key, Decision] = field(default_factory=dict)
    exact: set[Key] = field(default_factory=set)  #: those that were named without wildcards
    unknown: list[str] = field(default_factory=list)  #: what no tag of the model is called
    torn: list[str] = field(default_factory=list)  #: what was both kept and left out, and is kept


def settle(decisions: Iterable[Decision], finder: TagFinder) -> Settled:
    """Spells out the entries of a plan. A name wins over wildcards; of entries of the same kind, keeping wins."""
    settled = Settled()
    for entry in decisions:
        tags, exact = finder.find(entry.tag)
        besides: list[int | None] = [None] if entry.beside is None else [*finder.find(entry.beside)[0]]
        if not tags or not besides:
            settled.unknown.append(entry.tag if entry.beside is None else f"{entry.tag} beside {entry.beside}")
        for key in ((tag, beside) for tag in tags for beside in besides if tag != beside):
            _settle_one(settled, key, entry, exact=exact)
    return settled


def _settle_one(settled: Settled, key: Key, entry: Decision, *, exact: bool) -> None:
    earlier = settled.decisions.get(key)
    if earlier is not None and (key in settled.exact) != exact:
        if not exact:
            return
    elif earlier is not None and (earlier.decision in LEAVES_OUT) != (entry.decision in LEAVES_OUT):
        settled.torn.append(entry.tag)
        if entry.decision in LEAVES_OUT:
            return
    settled.decisions[key] = entry
    if exact:
        settled.exact.add(key)
