"""The numbers of docs/captions.md about the tags of wd-v3.

They need a label table: `WD14_V3_TAGS=selected_tags.csv` names one of a v3 tagger (its 10,861 tags).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.caption.conftest import CaptionOf
from wd14.caption.characters import CharacterExpander
from wd14.model.files.labels import read_labels
from wd14.types import Labels

TABLE = os.environ.get("WD14_V3_TAGS", "")


@pytest.fixture(scope="module")
def labels() -> Labels:
    if not TABLE:
        pytest.skip("WD14_V3_TAGS names no selected_tags.csv")
    return read_labels(Path(TABLE))


def test_characters_with_a_series(labels: Labels) -> None:
    tags = zip(labels.names, labels.categories, CharacterExpander(labels).parts(), strict=True)
    lengths = [len(parts) for name, category, parts in tags if category == "character" and name.endswith(")")]
    assert (lengths.count(2), lengths.count(1)) == (1294, 98)


def test_tags_that_others_imply(labels: Labels, caption_of: CaptionOf) -> None:
    """Of the 3,663 pairs (tag, its last words) of general tags, 441 are no implications."""
    general = {name for name, category in zip(labels.names, labels.categories, strict=True) if category == "general"}
    pairs = [
        (name, implied)
        for name in general
        for implied in ("_".join(name.split("_")[cut:]) for cut in range(1, name.count("_") + 1))
        if implied in general
    ]
    assert len(pairs) == 3663
    captions = (caption_of({"general": dict.fromkeys(pair, 0.9)}, remove_implied_tags=True).text for pair in pairs)
    assert sum(caption == name for caption, (name, _) in zip(captions, pairs, strict=True)) == 3222
