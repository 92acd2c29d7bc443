"""What several models that caption one dataset disagree on, as reports and pages show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Tags that the lines of a job and its report name.
_TAGS_IN_A_LINE = 5
_TAGS_IN_A_REPORT = 50


@dataclass(frozen=True, slots=True)
class DisputedTag:
    """What a dataset's models say of one tag."""

    tag: int  #: its position in the vocabulary
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
            named = ", ".join(f"{tag.name} {tag.pictures:,}" for tag in self.tags[:_TAGS_IN_A_LINE])
            yield f"The models disagree most on: {named} (pictures in which only some of those that know it keep it)"
        elif self.pictures:
            yield "The models disagree on no tag that several of them know."
