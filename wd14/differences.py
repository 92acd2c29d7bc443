"""How the scores and captions of the same pictures differ between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from wd14.caption.captioner import Caption, Captioner
from wd14.spelling import Spellings, folded
from wd14.types import UNUSED, FloatArray, IndexArray, Labels

#: Most scores differ by next to nothing: this share of them, in percent, is told apart from the few that do not.
PERCENTILE = 99.9


@dataclass(frozen=True)
class RunTags:
    """The tags of a run's model, and what writes its captions."""

    labels: Labels
    captioner: Captioner

    @cached_property
    def spellings(self) -> Spellings[int]:
        """Positions of the tags, by any spelling."""
        return Spellings((name, index) for index, name in enumerate(self.labels.names))

    @cached_property
    def positions(self) -> Mapping[tuple[str, str], int]:
        """Positions of the tags, by category and name."""
        named = zip(self.labels.categories, self.labels.names, strict=True)
        return {tag: index for index, tag in enumerate(named) if tag[0] != UNUSED}

    def position(self, text: str) -> int | None:
        """The position of the tag that a caption's text spells; None where there is none, or several."""
        found = self.spellings.find(text)
        return next(iter(found)) if len(found) == 1 else None


@dataclass(frozen=True)
class ScoreDifferences:
    """How far apart the scores of all pictures are, over the tags that both models know."""

    tags: int = 0  #: that both know
    largest: float = 0.0
    largest_at: tuple[str, str] = ("", "")  #: its tag and picture
    mean: float = 0.0
    percentile: float = 0.0  #: `PERCENTILE` % of the scores differ by this or less


@dataclass(frozen=True)
class ChangedTag:
    """A tag that the caption of a picture has in one run only."""

    tag: str  #: as the caption has it
    picture: str
    gained: bool  #: the second run has it; else the first
    before: float | None  #: its score in the first run; None = the model has no tag that is written so
    after: float | None  #: its score in the second run
    threshold: float | None  #: of the first run; None = it has none: another tag of the picture's had a better score

    @property
    def difference(self) -> float:
        """How far apart its scores are; one that is not known counts as 0."""
        return abs((self.after or 0.0) - (self.before or 0.0))

    @property
    def distance(self) -> float | None:
        """How far from its threshold the score was in the first run: how near the decision was."""
        return None if self.before is None or self.threshold is None else abs(self.before - self.threshold)


@dataclass
class Differences:
    """Takes the pictures one by one.

    Args:
        before: the tags of the first run.
        after: the tags of the second run.

    Attributes:
        pictures: how many there are.
        changed_captions: how many of them have another caption.
        tags: how many tags the captions of the first run have, all together.
        changed_tags: those of both runs that the other has not.
    """

    before: RunTags
    after: RunTags
    pictures: int = 0
    changed_captions: int = 0
    tags: int = 0
    changed_tags: list[ChangedTag] = field(default_factory=list)

    def __post_init__(self) -> None:
        shared = [tag for tag in self.before.positions if tag in self.after.positions]
        self._names = [name for _, name in shared]
        self._shared_before = _at(self.before, shared)
        self._shared_after = _at(self.after, shared)
        self._differences: list[FloatArray] = []  # of each picture, a row as long as `shared`
        self._pictures: list[str] = []

    def add(self, picture: str, before: FloatArray, after: FloatArray) -> None:
        """Takes a picture.

        Args:
            picture: its name, for a person.
            before: its scores in the first run, (T,) float32.
            after: its scores in the second run; the model may be another, and T with it.

        Raises:
            ScoringError: a score is not a number.
        """
        captions = self.before.captioner(before), self.after.captioner(after)
        self.pictures += 1
        self._pictures.append(picture)
        self._differences.append(np.abs(before[self._shared_before] - after[self._shared_after]))
        self.changed_captions += captions[0].text != captions[1].text
        self.tags += len(captions[0].tags)
        self.changed_tags += self._changed(picture, before, after, *captions)

    def _changed(
        self, picture: str, before: FloatArray, after: FloatArray, first: Caption, second: Caption
    ) -> Iterator[ChangedTag]:
        thresholds = self.before.captioner.thresholds(before)
        of_first, of_second = ({folded(text): (text, score) for text, score in each.tags} for each in (first, second))
        for key in [*(of_first.keys() - of_second.keys()), *(of_second.keys() - of_first.keys())]:
            gained = key in of_second
            text, score = (of_second if gained else of_first)[key]
            index, other = self.before.position(text), (self.after if not gained else self.before).position(text)
            in_other = None if other is None else float((after if not gained else before)[other])
            threshold = float("inf") if index is None else float(thresholds[index])
            yield ChangedTag(
                tag=text,
                picture=picture,
                gained=gained,
                before=in_other if gained else float(score),
                after=float(score) if gained else in_other,
                threshold=threshold if np.isfinite(threshold) else None,
            )

    def scores(self) -> ScoreDifferences:
        """How far apart the scores of the pictures so far are."""
        if not self._names or not self._differences:
            return ScoreDifferences()
        table = np.stack(self._differences)
        row, column = divmod(int(table.argmax()), table.shape[1])
        return ScoreDifferences(
            tags=len(self._names),
            largest=float(table[row, column]),
            largest_at=(self._names[column], self._pictures[row]),
            mean=float(table.mean(dtype=np.float64)),
            percentile=float(np.percentile(table, PERCENTILE, method="higher")),
        )

    def largest_changes(self) -> list[ChangedTag]:
        """The changed tags: those first that both models know, and of them those whose scores are furthest apart."""
        return sorted(self.changed_tags, key=lambda tag: (None in (tag.before, tag.after), -tag.difference))


def _at(tags: RunTags, shared: Sequence[tuple[str, str]]) -> IndexArray:
    return np.array([tags.positions[tag] for tag in shared], np.intp)
