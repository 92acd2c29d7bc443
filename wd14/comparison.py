"""What a comparison of two sets of parameters found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wd14.differences import PERCENTILE, ChangedTag, ScoreDifferences

#: Changed tags that are listed.
MOST_LISTED = 20


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    model: str
    tags: int  #: that the model knows
    device: str  #: what it ran on
    precision: str  #: what it computed in
    pictures_per_second: float  #: opened, resized and scored as in a job, without the opening of the model

    @property
    def way(self) -> str:
        """What it ran on: `cpu, exact`."""
        return f"{self.device}, {self.precision}"


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        source: its name.
        total: pictures that it has; None = not known.
        pictures: that were compared.
        failed: a line for each that could not be.
        change: parameters of the second run that differ, as text: `precision=fast`.
        is_scored_once: whether the change leaves the scores alone, so that one run gave those of both.
        is_same_run: whether what was to be run in another way ran in the same one.
        before: the run as given.
        after: the run with the change.
        scores: how far apart the scores are.
        captions_changed: pictures that have another caption.
        tags: of the captions as given, all together.
        changed_tags: what the captions gained and lost, those first whose scores are furthest apart.
    """

    source: str
    total: int | None
    pictures: int
    failed: tuple[str, ...]
    change: str
    is_scored_once: bool
    is_same_run: bool
    before: Side
    after: Side
    scores: ScoreDifferences
    captions_changed: int
    tags: int
    changed_tags: tuple[ChangedTag, ...]

    @property
    def gained(self) -> int:
        """Tags that captions have with the change only."""
        return sum(tag.gained for tag in self.changed_tags)

    @property
    def lost(self) -> int:
        """Tags that captions have without the change only."""
        return len(self.changed_tags) - self.gained

    @property
    def speedup(self) -> float:
        """How many times as many pictures a second the change gives."""
        return self.after.pictures_per_second / self.before.pictures_per_second

    def as_json(self) -> dict[str, Any]:
        """The comparison, as JSON can hold it."""
        tag, picture = self.scores.largest_at
        return {
            "source": self.source,
            "total": self.total,
            "pictures": self.pictures,
            "failed": list(self.failed),
            "change": self.change,
            "before": vars(self.before),
            "after": vars(self.after),
            "speedup": self.speedup,
            "scores": {
                "tags": self.scores.tags,
                "largest": self.scores.largest,
                "largest_at": {"tag": tag, "picture": picture} if picture else None,
                "mean": self.scores.mean,
                f"percentile_{PERCENTILE:g}": self.scores.percentile,
            },
            "captions": {"changed": self.captions_changed, "of": self.pictures},
            "tags": {
                "of": self.tags,
                "gained": self.gained,
                "lost": self.lost,
                "largest": [{**vars(each), "distance": each.distance} for each in self.changed_tags[:MOST_LISTED]],
            },
        }
