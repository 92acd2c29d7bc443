"""Rules about pictures that are the same, or nearly: they count twice in a training."""

from __future__ import annotations

from collections.abc import Iterator

from wd14.curation.checks.gathered import Gathered
from wd14.curation.checks.rule import Hit


def same_pictures(gathered: Gathered) -> Iterator[Hit]:
    """Files that hold the same picture."""
    for rows in gathered.same_pictures:
        yield Hit("the same picture", rows)


def different_captions(gathered: Gathered) -> Iterator[Hit]:
    """The same picture with captions that differ."""
    for rows in gathered.same_pictures:
        captioned = [row for row in rows if gathered.text(row)]
        if len({gathered.text(row) for row in captioned}) > 1:
            yield Hit("the same picture with different captions", captioned)


def near_duplicates(gathered: Gathered) -> Iterator[Hit]:
    """Pictures that hardly differ, or differ by a turn or a cut."""
    for kind, rows in gathered.similar:
        if kind == "near":
            yield Hit("nearly the same picture, or a variant", rows)
        elif kind == "mirrored":
            yield Hit("the same picture, mirrored", rows)
        elif kind == "crop":
            yield Hit("the first is likely a part of the second", rows)
