"""What the rules look at: a study's numbers by tag, and decisions with these numbers in words."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cached_property

from wd14.curation.families import IDENTITY_FAMILIES, family_of, is_trait
from wd14.curation.plan import Decision, Verdict
from wd14.curation.study import Study
from wd14.text import listed, share

#: Share of the pictures from which a tag is folded.
FOLD_FROM = 0.9
#: Share from which it is left for a person to decide on, and kept.
ASK_FROM = 0.35


class Evidence:
    """The numbers of a study. The study must not grow any more.

    Attributes:
        position: the position of each tag, by its name.
        present: positions of the tags that at least one picture has, the most frequent first. Equally frequent ones
            are told by their mean score on pictures of one person, then by their place in the labels.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.pictures = study.pictures
        self.names = study.labels.names
        self.categories = study.labels.categories
        self.position = {name: tag for tag, name in enumerate(self.names)}
        self.counts: list[int] = study.counts.tolist()
        self.frequency: list[float] = study.frequency.tolist()
        self._lift: list[float] = study.lift.tolist()
        soft: list[float] = study.soft_frequency.tolist()
        there = [tag for tag, count in enumerate(self.counts) if count]
        self.present = sorted(there, key=lambda tag: (-self.counts[tag], -soft[tag], tag))

    def of_category(self, category: str) -> list[int]:
        """The tags of a category among those present."""
        return [tag for tag in self.present if self.categories[tag] == category]

    @cached_property
    def traits(self) -> list[int]:
        """The general tags among those present that name what a character always has; no passing states."""
        general = ((tag, self.names[tag]) for tag in self.of_category("general"))
        return [tag for tag, name in general if is_trait(name) and family_of(name) in IDENTITY_FAMILIES]

    def lift(self, tag: int) -> float | None:
        """How many times as frequent as usual; None where that is not known."""
        value = self._lift[tag]
        return None if math.isnan(value) else value

    def decision(
        self, rule: str, tag: int, verdict: Verdict, why: str, *, beside: int | None = None, rows: int | None = None
    ) -> Decision:
        """A decision with its numbers and a reason: `on 57 of 60 pictures (95 %), 40 times as often as usual: …`.

        Args:
            rule: what decided.
            tag: the tag's position.
            verdict: what was decided.
            why: the end of the reason.
            beside: position of the tag beside which the decision holds.
            rows: pictures that are concerned; None = all with the tag.
        """
        lift = self.lift(tag)
        numbers = self.numbers(tag) if rows is None else f"on {share(rows, self.pictures, 'picture')}"
        return Decision(
            rule=rule,
            tag=self.names[tag],
            beside=None if beside is None else self.names[beside],
            family=family_of(self.names[tag]) if self.categories[tag] == "general" else self.categories[tag],
            rows=self.counts[tag] if rows is None else rows,
            frequency=round(self.frequency[tag], 4),
            lift=None if lift is None else float(f"{lift:.3g}"),
            decision=verdict,
            reason=f"{numbers}: {why}",
        )

    def numbers(self, tag: int) -> str:
        """`on 57 of 60 pictures (95 %), 40 times as often as usual`."""
        lift = self.lift(tag)
        words = f"on {share(self.counts[tag], self.pictures, 'picture')} ({percent(self.frequency[tag])})"
        return words if lift is None or not self.counts[tag] else f"{words}, {times(lift)} as often as usual"

    def listed(self, tags: Collection[int], most: int = 5) -> str:
        """`blue_hair, halo and 3 more`."""
        return listed([self.names[tag] for tag in tags], most)


def percent(frequency: float) -> str:
    """`95 %`; rounded down, so that what is below a limit never looks as if it were not."""
    whole = math.floor(frequency * 100 + 1e-9)
    return f"{whole} %" if whole or not frequency else "<1 %"


def times(lift: float) -> str:
    """`40 times`, `1.9 times`, `<0.1 times`."""
    if lift < 0.1:
        return "<0.1 times"
    return f"{lift:,.0f} times" if lift >= 9.95 else f"{lift:.1f} times"
