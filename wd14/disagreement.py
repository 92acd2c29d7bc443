"""What several models that caption one dataset disagree on, as reports and pages show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wd14.text import count

#: The rule that a review page files it under.
RULE = "disagreement"
#: Tags that the line of a job, its report and a review page name.
_TAGS_IN_A_LINE = 5
_TAGS_IN_A_REPORT = 50
_TAGS_IN_A_PAGE = 200

_ADVICE = (
    "Look at the pictures, of each tag the worst: correct their captions, or give the tag a threshold of its own"
    " (--tag-thresholds)."
)


@dataclass(frozen=True, slots=True)
class DisputedTag:
    """What a dataset's models say of one tag."""

    name: str
    category: str
    pictures: int  #: how many it is disputed in
    kept: int  #: in how many of them it has the votes that it needs
    apart: float  #: the mean of how far the models are apart there, 0..1
    keepers: tuple[int | None, ...]  #: in how many of them each model keeps it; None = it does not know the tag
    rows: tuple[int, ...]  #: the worst of these pictures, worst first

    def as_json(self, models: tuple[str, ...]) -> dict[str, Any]:
        """The tag as a report has it."""
        keepers = {model: times for model, times in zip(models, self.keepers, strict=True) if times is not None}
        return {
            "tag": self.name,
            "category": self.category,
            "pictures": self.pictures,
            "kept": self.kept,
            "apart": round(self.apart, 3),
            "kept_by": keepers,
            "rows": self.rows,
        }

    def in_words(self, models: tuple[str, ...]) -> str:
        """`smile in 41 pictures: a keeps it in 38, b in 3; the vote in 3`."""
        knowing = [(model, times) for model, times in zip(models, self.keepers, strict=True) if times is not None]
        (first, times), *others = knowing
        said = ", ".join([f"{first} keeps it in {times:,}", *(f"{model} in {times:,}" for model, times in others)])
        return f"{self.name} in {count(self.pictures, 'picture')}: {said}; the vote in {self.kept:,}"


@dataclass(frozen=True, slots=True)
class DisputedPicture:
    """A picture that the models see differently."""

    row: int  #: its position among the rows
    label: str  #: names it for a person
    apart: float  #: how far the models are apart, summed over its disputed tags
    tags: tuple[str, ...]  #: these tags, worst first


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What the models of a dataset disagree on, worst first."""

    models: tuple[str, ...]
    votes: int  #: how many must keep a tag
    pictures: int  #: how many were looked at
    disputed: int  #: in how many of them there is a disputed tag
    tags: tuple[DisputedTag, ...]  #: by pictures times how far the models are apart
    worst: tuple[DisputedPicture, ...]

    def as_json(self) -> dict[str, Any]:
        """The disagreement as a report has it; `rows` are positions in the report's list of rows, from 0."""
        return {
            "models": self.models,
            "votes": self.votes,
            "pictures": self.pictures,
            "disputed_pictures": self.disputed,
            "tags": [tag.as_json(self.models) for tag in self.tags[:_TAGS_IN_A_REPORT]],
            "worst_pictures": [
                {"row": each.row, "picture": each.label, "apart": round(each.apart, 3), "tags": each.tags}
                for each in self.worst
            ],
        }

    def lines(self) -> Iterator[str]:
        """What a job says of it at its end."""
        if self.tags:
            first, *others = self.tags[:_TAGS_IN_A_LINE]
            named = [f"{first.name} in {count(first.pictures, 'picture')}"]
            named += [f"{tag.name} in {tag.pictures:,}" for tag in others]
            yield f"The models disagree most on {', '.join(named)}."
        elif self.pictures:
            yield "The models disagree on no tag that several of them know."

    def findings(self) -> list[dict[str, Any]]:
        """The disagreement as findings of a review page, worst first; `rows` are positions among its rows."""
        if not self.tags:
            return []
        names = short_names(self.models)
        reason = f"The models disagree in {count(self.disputed, 'picture')} of {self.pictures:,}"
        reason += ": these are the worst" if self.disputed > len(self.worst) else ""
        pictures = _finding(reason, [each.row for each in self.worst])
        tags = self.tags[:_TAGS_IN_A_PAGE]
        return [pictures, *(_finding(tag.in_words(names), tag.rows) for tag in tags)]


def short_names(models: tuple[str, ...]) -> tuple[str, ...]:
    """The models without their owners or folders, where that tells them apart: `wd-vit-tagger-v3`."""
    short = tuple(model.replace("\\", "/").rstrip("/").rpartition("/")[2] for model in models)
    return short if len(set(short)) == len(models) else models


def _finding(reason: str, rows: Sequence[int]) -> dict[str, Any]:
    return {"rule": RULE, "severity": "info", "reason": reason, "advice": _ADVICE, "rows": sorted(rows)}
