"""Makes the plan of a dataset: the rules of its purpose or a plan that is given back, then what is decided by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from wd14.curation.applying import curation_of
from wd14.curation.differing import Differences, find_differing
from wd14.curation.evidence import Evidence
from wd14.curation.given_plan import check_fits, take_over
from wd14.curation.plan import BY_HAND, LEAVES_OUT, SAMPLE_SIZE, Decision, Plan
from wd14.curation.rules import FEWEST_PICTURES, decide, notes_of
from wd14.curation.settling import Key, TagFinder
from wd14.curation.study import Study
from wd14.errors import ConfigError
from wd14.text import count, listed, printable, share


def make_plan(
    study: Study,
    *,
    purpose: Literal["none", "character", "outfit", "style"] = "none",
    trigger_words: Sequence[str] = (),
    fold_tags: Sequence[str] = (),
    keep_tags: Sequence[str] = (),
    given: Plan | None = None,
    model: str = "",
    dataset: str = "",
) -> Plan:
    """The plan of a dataset; 4 seconds for 10^6 pictures.

    Args:
        study: of all pictures; it must not grow meanwhile.
        purpose: what the training is to learn; with "none" and a plan, what that plan was made for.
        trigger_words: the words that open every caption.
        fold_tags: tags that go, whatever the rules or the plan say, in any spelling or with wildcards.
        keep_tags: tags that stay, whatever the rules, the plan or `fold_tags` say.
        given: a plan as a person gave it back; its decisions are taken instead of the rules'.
        model: the tagger's id.
        dataset: the dataset's name.

    Raises:
        ConfigError: the plan is another dataset's, or would leave no tag in any caption.
    """
    notes: list[str] = []
    model, dataset = printable(model), printable(dataset)  # names of folders can be no text
    if given is not None:
        notes += check_fits(given, study, model=model, purpose=purpose, trigger_words=trigger_words)
        purpose = given.purpose if purpose == "none" else purpose
    evidence, finder = Evidence(study), TagFinder(study.labels)
    hand = _Hand(evidence, finder, fold_tags, keep_tags)
    decisions, more = _decide(evidence, finder, hand, given, purpose, has_trigger=bool(trigger_words))
    found = _differing(evidence, purpose)
    plan = Plan(
        purpose=purpose,
        trigger_words=tuple(trigger_words),
        model=model,
        dataset=dataset,
        pictures=study.pictures,
        decisions=tuple(decisions.values()),
        differing=found.listed,
        differing_in_all=found.in_all,
        sample=tuple(study.smallest_digests(SAMPLE_SIZE)),
    )
    notes += [*more, *found.notes, *_notes_on_emptied(plan, study)]
    return plan.model_copy(update={"notes": tuple(notes)})


def _decide(
    evidence: Evidence, finder: TagFinder, hand: _Hand, given: Plan | None, purpose: str, *, has_trigger: bool
) -> tuple[dict[Key, Decision], list[str]]:
    """The decisions of the rules or of the given plan, under those by hand; and notes on them."""
    position = evidence.position
    decisions = {
        (position[decision.tag], None if decision.beside is None else position[decision.beside]): decision
        for decision in decide(evidence, purpose, has_trigger=has_trigger, kept_by_hand=hand.kept)
    }
    if given is None:
        notes = [*notes_of(evidence, purpose, has_trigger=has_trigger)]
    else:
        decisions, notes = take_over(given, evidence, finder, decisions)
    hand.decide(decisions)
    return decisions, [*notes, *hand.notes]


def _differing(evidence: Evidence, purpose: str) -> Differences:
    if purpose not in ("character", "outfit") or evidence.pictures < FEWEST_PICTURES:
        return Differences()
    return find_differing(evidence)


class _Hand:
    """What `fold_tags` and `keep_tags` decide.

    Attributes:
        kept: positions of the tags that are kept.
        notes: on entries that name no tag, or the same one.
    """

    def __init__(
        self, evidence: Evidence, finder: TagFinder, fold_tags: Sequence[str], keep_tags: Sequence[str]
    ) -> None:
        self.notes: list[str] = []
        self._evidence = evidence
        self._folded, self._named = self._find(finder, "Fold Tags", fold_tags)
        self.kept, self._kept_named = self._find(finder, "Keep Tags", keep_tags)
        if both := [tag for tag in self._folded if tag in self.kept]:
            names = evidence.listed(both)
            self.notes.append(f"Fold Tags and Keep Tags both name {names}: kept.")

    def _find(self, finder: TagFinder, parameter: str, entries: Sequence[str]) -> tuple[dict[int, str], set[int]]:
        """Position -> the entry that names the tag, and the positions of those that are named without wildcards."""
        found: dict[int, str] = {}
        named: set[int] = set()
        for entry in entries:
            tags, exact = finder.find(entry)
            if not tags:
                self.notes.append(f"{parameter}: no tag of this model is {entry!r}")
            elif not any(self._evidence.counts[tag] for tag in tags):
                self.notes.append(f"{parameter}: no picture has {entry!r}")
            for tag in tags:
                found.setdefault(tag, entry)
            if exact:
                named.update(tags)
        return found, named

    def decide(self, decisions: dict[Key, Decision]) -> None:
        """Puts the decisions by hand in the place of others."""
        there = self._evidence.counts
        for tag, entry in self._folded.items():
            if there[tag] or tag in self._named:
                self._replace(decisions, self._evidence.decision(BY_HAND, tag, "folded", f"you fold {entry!r}"), tag)
        for tag, entry in self.kept.items():
            changes = any(decision.decision != "kept" for key, decision in decisions.items() if key[0] == tag)
            if changes or tag in self._kept_named or tag in self._folded:
                self._replace(decisions, self._evidence.decision(BY_HAND, tag, "kept", f"you keep {entry!r}"), tag)

    def _replace(self, decisions: dict[Key, Decision], decision: Decision, tag: int) -> None:
        for key in [key for key in decisions if key[0] == tag]:
            del decisions[key]
        decisions[tag, None] = decision


def _notes_on_emptied(plan: Plan, study: Study) -> Iterator[str]:
    """A note where captions lose their last tag.

    Raises:
        ConfigError: all do.
    """
    curation = curation_of(plan, study.labels)
    gone = curation.left_out | curation.without_name
    names = study.labels.names
    stay = {tag for tag, name in enumerate(names) if name not in gone}
    may_go = _beside(plan, names)
    had_tags = study.having(range(len(names)))
    empty = had_tags & ~study.having(stay - may_go)
    if curation.refine is not None:
        for row in np.flatnonzero(empty).tolist():  # few: their only tags are those that may go beside another
            empty[row] = stay.isdisjoint(curation.refine(study.kept(row)).tolist())
    number, total = int(empty.sum()), int(had_tags.sum())
    if number and number == total:
        raise ConfigError(
            f"the plan leaves no tag in any caption: {_what_goes(plan)}. Keep some of them (keep_tags), fold fewer"
            " (fold_tags), lower the thresholds, or set Purpose (purpose) to none"
        )
    if number:
        yield (
            f"On {share(number, study.pictures, 'picture')} no tag is left beside the trigger words: keep a tag that"
            " they have (keep_tags), or lower the thresholds."
        )


def _beside(plan: Plan, names: Sequence[str]) -> set[int]:
    losers = {entry.tag for entry in plan.decisions if entry.beside is not None and entry.decision in LEAVES_OUT}
    return {tag for tag, name in enumerate(names) if name in losers}


def _what_goes(plan: Plan) -> str:
    gone = [entry.tag for entry in plan.decisions if entry.decision in LEAVES_OUT]
    return f"{count(len(gone), 'tag')} would go ({listed(gone, 5)})"
