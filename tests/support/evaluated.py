"""Datasets for evaluations: a model reads scores that were written into the pictures, and the captions are planted."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.scripted_model import SIDE, Tag, save_scripted_model

#: Tags of the model with the thresholds from which on they are true.
PLANTED = {"smile": 0.25, "long_hair": 0.5, "sky": 0.7, "saber_(fate)": 0.8, "outdoors": 0.4}


def model(
    folder: Path,
    tags: Sequence[str] = tuple(PLANTED),
    *,
    first: int = 0,
    characters: Collection[str] = ("saber_(fate)",),
) -> Path:
    """A model that reads the score of each tag from a pixel of its own, from the column `first` on."""
    return save_scripted_model(
        folder,
        [
            Tag("general", 9, 0.9),
            *(
                Tag(tag, 4 if tag in characters else 0, 0.0, pixel=(0, 2 * (first + place)), gain=1.0)
                for place, tag in enumerate(tags)
            ),
        ],
    )


def picture(path: Path, scores: Sequence[float]) -> None:
    """A picture of which such a model reads these scores, rounded to 1/255."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for place, score in enumerate(scores):
        pixels[0, 2 * place, 2] = round(255 * score)
    pixels[1:, :, :2] = np.random.default_rng(len(path.name)).integers(0, 255, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def planted(folder: Path, pictures: int, *, seed: int = 5) -> Mapping[str, frozenset[str]]:
    """Writes pictures with scores at random, captioned with the tags that are at or above their planted threshold.

    Returns:
        The tags of each picture.
    """
    chance = np.random.default_rng(seed)
    truth: dict[str, frozenset[str]] = {}
    lines: list[str] = []
    for number in range(pictures):
        scores = chance.integers(0, 256, len(PLANTED)) / 255
        name = f"{number:03}.png"
        picture(folder / name, scores.tolist())
        tags = [tag for tag, score in zip(PLANTED, scores, strict=True) if score >= PLANTED[tag]]
        truth[name] = frozenset(tags)
        lines.append(json.dumps({"file_name": name, "text": ", ".join(["ohwx", *tags, "a word of mine"])}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return truth
