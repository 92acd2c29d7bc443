"""A plan that is given back: whether it is this dataset's, and what its entries mean for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wd14.curation.evidence import Evidence
from wd14.curation.plan import BY_HAND, LEAVES_OUT, Decision, Plan
from wd14.curation.settling import Key, TagFinder, settle
from wd14.curation.study import Study
from wd14.errors import ConfigError
from wd14.text import count, listed

#: Names that a note lists.
_MOST_NAMED = 8


def check_fits(plan: Plan, study: Study, *, model: str, purpose: str, trigger_words: Sequence[str]) -> list[str]:
    """Notes on what a plan was made for, where that was something else.

    Raises:
        ConfigError: none of the plan's pictures is in the dataset. (A plan that names none, one written by hand, fits.)
    """
    notes: list[str] = []
    there = study.holds(plan.sample)
    if plan.sample and not there:
        of = f" of {plan.dataset!r}" if plan.dataset else ""
        raise ConfigError(
            f"Plan (plan): this is a plan{of} with {count(plan.pictures, 'picture')}; this dataset has none of them."
            " Give the plan of this dataset, or none; to take the decisions over, delete 'sample' from the plan"
        )
    if there < len(plan.sample):
        notes.append(
            f"The plan was made from other pictures too: of {count(len(plan.sample), 'picture')} that it remembers,"
            f" {len(plan.sample) - there:,} are not in this dataset."
        )
    elif plan.sample and plan.pictures != study.pictures:
        notes.append(f"The plan was made from {count(plan.pictures, 'picture')}; now there are {study.pictures:,}.")
    if plan.model and model and plan.model != model:
        notes.append(f"The plan was made with the model {plan.model}; this is {model}.")
    if "none" not in (plan.purpose, purpose) and plan.purpose != purpose:
        notes.append(f"The plan was made for the purpose {plan.purpose}, and is taken for {purpose} as it is.")
    if plan.trigger_words and not trigger_words:
        notes.append(
            f"The plan was made for the trigger word {plan.trigger_words[0]!r}; without it, no word stands for what is"
            " folded (trigger_words)."
        )
    return notes


def take_over(
    plan: Plan, evidence: Evidence, finder: TagFinder, ruled: Mapping[Key, Decision]
) -> tuple[dict[Key, Decision], list[str]]:
    """A plan's decisions with this dataset's numbers, and notes.

    Args:
        plan: as it was given.
        evidence: the numbers.
        finder: finds the model's tags.
        ruled: what the rules would decide. Where they decide the same, the reason is theirs.
    """
    settled = settle(plan.decisions, finder)
    taken: dict[Key, Decision] = {}
    for key, entry in settled.decisions.items():
        tag, beside = key
        rule = ruled.get(key)
        if rule is not None and rule.decision == entry.decision:
            taken[key] = rule
        elif key in settled.exact or evidence.counts[tag]:
            rows = None if beside is None else _rows_of_both(evidence, tag, beside)
            why = "your plan says so" if rule is None else f"your plan says so; by the rules it would be {_said(rule)}"
            taken[key] = evidence.decision(BY_HAND, tag, entry.decision, why, beside=beside, rows=rows)
    notes = []
    if settled.unknown:
        notes.append(f"Plan: this model has no tag {_some(map(repr, settled.unknown))}.")
    if settled.torn:
        notes.append(f"Plan: {_some(settled.torn)} has entries that keep it and entries that do not; it is kept.")
    missing = [
        entry.tag
        for key, entry in ruled.items()
        if entry.decision in LEAVES_OUT and settled.decisions.keys().isdisjoint((key, (key[0], None)))
    ]
    if missing:
        notes.append(f"By the rules these would be left out too, but your plan does not name them: {_some(missing)}.")
    return taken, notes


def _said(decision: Decision) -> str:
    return "asked about, and kept" if decision.decision == "ask" else decision.decision


def _rows_of_both(evidence: Evidence, one: int, other: int) -> int:
    study = evidence.study
    return int(np.count_nonzero(study.having([one]) & study.having([other]) & study.one_person))


def _some(names: Iterable[str]) -> str:
    return listed(dict.fromkeys(names), _MOST_NAMED)
