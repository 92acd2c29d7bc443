"""From a plan to what it does to each caption."""

from __future__ import annotations

from wd14.curation.contradictions import leave_out_beside
from wd14.curation.plan import LEAVES_OUT, Plan
from wd14.curation.settling import TagFinder, settle
from wd14.types import Curation, Labels


def curation_of(plan: Plan, labels: Labels) -> Curation:
    """What a plan does to the captions of a model; entries that name no tag of the model do nothing.

    `Curation.refine` expects all tags above their thresholds, also those that are left out: blue_hair that is folded
    still tells that aqua_hair is wrong.

    Raises:
        ConfigError: contradictions of an edited plan go in a circle.
    """
    gone = [
        key
        for key, entry in settle(plan.decisions, TagFinder(labels)).decisions.items()
        if entry.decision in LEAVES_OUT
    ]
    alone = {tag for tag, beside in gone if beside is None}
    characters = {tag for tag in alone if labels.categories[tag] == "character"}
    pairs = [(tag, beside) for tag, beside in gone if beside is not None and tag not in alone]
    return Curation(
        left_out=frozenset(labels.names[tag] for tag in alone - characters),
        without_name=frozenset(labels.names[tag] for tag in characters),
        refine=leave_out_beside(pairs, labels),
    )
