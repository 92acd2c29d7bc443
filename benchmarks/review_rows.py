"""The data of a review page of made-up pictures: as many tags as a real dataset has, and as many candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from wd14.config import CaptionConfig
from wd14.page_model import PageModel
from wd14.published import Published
from wd14.review.page_data import PageContents, page_data
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
    model = PageModel(labels, CaptionConfig(remove_underscore=True), Published())
    rows = PageRows(", ", model.texts, model.candidates())
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, GENERAL + 1)
    chances = np.cumsum(weights / weights.sum())
    for number in range(pictures):
        drawn = np.searchsorted(chances, random.random(4 * CANDIDATES))
        tags = 4 + random.permutation(np.unique(drawn))[:CANDIDATES]
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
                caption=", ".join(labels.names[tag].replace("_", " ") for tag in kept),
                scores=scores,
                size=(1024, 1024),
            )
        )
    rules = model.rules(rows)
    contents = PageContents(
        dataset={"name": "made up", "folder": folder, "source": "made up", "model": "made up"},
        mark="benchmark",
        separator=", ",
        words=model.words,
        rules=rules.tables,
        tokens=rules.tokens,
        thumbnails=[],
    )
    return page_data(rows, contents)


def _labels() -> Labels:
    ratings = ("general", "sensitive", "questionable", "explicit")
    general = tuple(f"some_tag_{number}" for number in range(GENERAL))
    characters = tuple(f"somebody_{number}_(series)" for number in range(CHARACTERS))
    categories = ("rating",) * 4 + ("general",) * GENERAL + ("character",) * CHARACTERS
    return Labels((*ratings, *general, *characters), categories)
