"""A dataset that is known to the last tag, as scores: one character in 60 pictures, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from wd14.curation.study import Study
from wd14.types import Labels

#: Name, category, pictures on the site: wd-v3's counts, where the test looks at the lift.
_TAGS = """
1girl general 5113288 | 1boy general 0 | 2girls general 0 | solo general 4253220 | blue_hair general 704952
light_blue_hair general 0 | red_hair general 0 | long_hair general 3645082 | very_long_hair general 0
short_hair general 0 | red_eyes general 0 | green_eyes general 0 | pink_eyes general 0 | heterochromia general 91354
halo general 171236 | cat_ears general 232052 | wet_hair general 0 | closed_eyes general 0 | twintails general 0
school_uniform general 0 | pleated_skirt general 0 | hair_ribbon general 0 | smile general 0 | open_mouth general 0
closed_mouth general 0 | outdoors general 0 | watermark general 0 | monochrome general 0 | sketch general 0
arona_(blue_archive) character 0 | kaname_madoka character 0 | blue_archive copyright 0 | some_artist artist 0
highres meta 0 | general rating 0
"""
_ROWS = [tag.split() for line in _TAGS.strip().splitlines() for tag in line.split("|")]

LABELS = Labels(
    names=tuple(name for name, _, _ in _ROWS),
    categories=tuple(category for _, category, _ in _ROWS),
    counts=tuple(int(count) for _, _, count in _ROWS),
)
THRESHOLD = 0.35


def study_of(pictures: Sequence[Iterable[str]], labels: Labels = LABELS, *, prefix: str = "p") -> Study:
    """The study of pictures with these tags, each with a score of 0.9; their names are p000.png, p001.png, …."""
    study = Study(labels)
    for number, tags in enumerate(pictures):
        scores = np.zeros(len(labels), np.float32)
        scores[[labels.names.index(tag) for tag in tags]] = 0.9
        name = f"{prefix}{number:03}.png"
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        study.add(np.flatnonzero(scores >= THRESHOLD), scores, name=name, digest=digest)
    return study


def planted(total: int = 60, wrong: int = 5) -> list[set[str]]:
    """The tags of each picture: the last `wrong` ones show another character.

    All others have the identity tags, but for one that hides the halo; 36 of 60 (60 %) have the outfit, two a second
    eye colour, and one red hair beside its blue hair.
    """
    pictures = []
    for number in range(total - wrong):
        tags = {"1girl", "solo", "arona_(blue_archive)", "blue_archive", "blue_hair", "long_hair", "red_eyes", "halo"}
        tags |= {"school_uniform", "hair_ribbon"} if number < 0.6 * total else {"outdoors"}
        tags |= {"pink_eyes"} if number in (3, 4) else set()
        tags |= {"red_hair"} if number == 5 else set()
        tags |= {"light_blue_hair"} if number % 6 == 0 else set()
        tags |= {"wet_hair"} if number % 10 else set()  # a state, however frequent
        tags |= {"watermark", "monochrome", "some_artist", "highres"} if number % 15 == 0 else set()
        tags |= {"open_mouth", "closed_mouth"} if number == 8 else {"smile"}
        pictures.append(tags - {"halo"} if number == 7 else tags)
    other = {"1girl", "solo", "kaname_madoka", "red_hair", "short_hair", "green_eyes", "smile"}
    return [*pictures, *([other] * wrong)]
