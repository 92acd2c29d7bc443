"""The data of a review page of made-up pictures: as many tags as a real dataset has, and as many candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from wd14.review.candidates import Candidates
from wd14.review.page_data import PageContents, Words, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Labels, Status

GENERAL, CHARACTERS = 8_106, 2_751  #: as wd-v3 has them
KEPT, CANDIDATES = 25, 60  #: of each picture
THRESHOLD = 0.35


def made_up_page(pictures: int, folder: str) -> dict[str, Any]:
    """The page's data: few tags are frequent, most are rare, as in a real dataset.

    Args:
        pictures: how many.
        folder: the way from the page to the pictures, which all have the same name.
    """
    labels = _labels()
    texts = [name.replace("_", " ") for name in labels.names]
    rows = PageRows(", ", texts, Candidates(labels))
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, GENERAL + 1)
    chances = np.cumsum(weights / weights.sum())
    for number in range(pictures):
        drawn = np.searchsorted(chances, random.random(4 * CANDIDATES))
        tags = 4 + np.unique(drawn)[:CANDIDATES]
        random.shuffle(tags)
        scores = np.zeros(len(labels), np.float32)
        scores[0] = 0.9
        scores[tags[:KEPT]] = random.uniform(THRESHOLD, 1, tags[:KEPT].size)
        scores[tags[KEPT:]] = random.uniform(0.05, THRESHOLD - 0.01, tags[KEPT:].size)
        kept = np.flatnonzero(scores[4:] >= np.float32(THRESHOLD)) + 4
        rows.add(
            PageRow(
                source=f"{number:06}.jpg",
                status=Status.CAPTIONED,
                name="picture.jpg",
                digest=number.to_bytes(32, "big"),
                caption=", ".join(texts[tag] for tag in kept),
                scores=scores,
                size=(1024, 1024),
            )
        )
    contents = PageContents(
        dataset={"name": "made up", "folder": folder, "source": "made up", "model": "made up"},
        mark="benchmark",
        separator=", ",
        words=Words(labels, [(number,) for number in range(len(texts))]),
        rules=_rules(labels),
        thumbnails=[],
    )
    return page_data(rows, contents)


def _labels() -> Labels:
    ratings = ("general", "sensitive", "questionable", "explicit")
    general = tuple(f"some_tag_{number}" for number in range(GENERAL))
    characters = tuple(f"somebody_{number}_(series)" for number in range(CHARACTERS))
    categories = ("rating",) * 4 + ("general",) * GENERAL + ("character",) * CHARACTERS
    return Labels((*ratings, *general, *characters), categories)


def _rules(labels: Labels) -> dict[str, Any]:
    """As `caption.page_rules` gives them for the defaults."""
    groups = [1 if category == "character" else 0 for category in labels.categories]
    return {
        "mode": "fixed",
        "thresholds": {"general": THRESHOLD, "character": 0.85},
        "singles": {},
        "first": [],
        "last": [],
        "unwanted": [],
        "refine": None,
        "implied": {},
        "order": "model",
        "groups": groups,
        "characters_first": False,
        "alphabet": None,
        "max_tags": 0,
        "trigger_texts": [],
        "tokens": None,
        "append": None,
        "fixed_rows": [],
        "threshold_options": {"general": "--general-threshold"},
    }
