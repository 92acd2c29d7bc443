"""The dataset of docs/review-*.webp: photographs that scikit-image and scikit-learn ship, with made-up scores.

No tagger is needed: the scores stand in the last row of each picture's pixels, where a model made for the purpose reads
them. What follows from them, captions, findings, the page, is real.
"""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageOps

from tests.support.scripted_model import SIDE, Tag, save_scripted_model

#: The tags of each photograph. The pictures of the two packages are public domain, CC0 or CC BY.
PHOTOGRAPHS = {
    "astronaut.png": "1girl solo short_hair brown_hair smile looking_at_viewer spacesuit upper_body flag indoors photo",
    "camera.png": "1boy solo monochrome greyscale coat outdoors camera tripod standing grass building photo",
    "chelsea.png": "cat no_humans whiskers looking_at_viewer orange_fur green_eyes close-up animal_focus photo",
    "coffee.png": "no_humans cup coffee spoon saucer table wooden_table still_life indoors food_focus photo",
    "rocket.jpg": "no_humans rocket launch_pad smoke night outdoors sky fire spacecraft photo",
    "motorcycle_left.png": "motor_vehicle motorcycle no_humans ground_vehicle garage indoors wheel photo",
    "hubble_deep_field.jpg": "space star_(sky) galaxy no_humans night_sky starry_sky scenery photo",
    "clock_motion.png": "clock no_humans blurry monochrome greyscale roman_numerals wall photo",
    "moon.png": "moon no_humans monochrome greyscale space full_moon crater photo",
    "china.jpg": "architecture east_asian_architecture tree outdoors sky building no_humans scenery day photo",
    "flower.jpg": "flower no_humans petals pink_flower plant blurry blurry_background close-up photo",
}
#: Pictures of each photograph, each of another part of it.
PARTS = 6


def make_pictures(folder: Path) -> Path:
    """Writes the pictures into a folder, and the model into `model` beside it, which is returned."""
    tags = sorted({tag for listed in PHOTOGRAPHS.values() for tag in listed.split()} | {"signature", "watermark"})
    places = {tag: (SIDE - 1, 2 * column) for column, tag in enumerate(["general", *tags])}
    model = save_scripted_model(
        folder.with_name("model"),
        [
            Tag(tag, 9 if tag == "general" else 0, 0.0, pixel=place, gain=1.0, count=1000 + 100 * len(tag))
            for tag, place in places.items()
        ],
    )
    folder.mkdir()
    chance = random.Random(1)
    for file, listed in PHOTOGRAPHS.items():
        photograph = Image.open(_photograph(file)).convert("RGB")
        for part in range(PARTS):
            scores = {tag: chance.uniform(0.03, 0.3) for tag in chance.sample(tags, 6)}
            scores |= {tag: min(0.99, chance.gauss(0.72, 0.22)) for tag in listed.split()} | {"general": 0.9}
            picture = _part(photograph, part, chance)
            for tag, (row, column) in places.items():
                red, green, _ = picture.getpixel((column, row - 1))  # type: ignore[misc]
                picture.putpixel((column, row), (red, green, round(255 * max(0.0, scores.get(tag, 0)))))
            picture.save(folder / f"{Path(file).stem.partition('_')[0]}_{part + 1}.png")
    return model


def _part(photograph: Image.Image, part: int, chance: random.Random) -> Image.Image:
    """The whole, or a square part of it; the last one is the first one again, a little lighter."""
    square = ImageOps.fit(photograph, (SIDE, SIDE))
    if part == 0:
        return square
    if part == PARTS - 1:
        return square.point(lambda value: min(255, round(value * 1.04)))
    side = round(min(photograph.size) * chance.uniform(0.5, 0.9))
    left, top = (chance.randrange(length - side + 1) for length in photograph.size)
    return photograph.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))


def _photograph(name: str) -> Path:
    for package in ("skimage", "sklearn"):
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            for found in Path(spec.origin).parent.rglob(name):
                return found
    raise FileNotFoundError(f"{name} is in neither scikit-image nor scikit-learn: install the package's extra `test`")
