"""A planted dataset: 60 pictures in which a model reads scores that were written into them, so that all is known.

Each picture is a drawn scene of 448 pixels a side. Blue values in its last row spell out the scores, one pixel for each
tag: too little to matter to sharpness or likeness.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from tests.support.scripted_model import SIDE, Tag, save_scripted_model

PICTURES = 60
#: The character, and what it wears; counts are those of wd-v3's label file.
IDENTITY = {"blue_hair": 704_952, "long_hair": 3_645_082, "red_eyes": 1_081_613, "cat_ears": 232_052, "halo": 171_236}
OUTFIT = {"white_dress": 200_841, "detached_sleeves": 408_583}
#: Passing states: on most pictures, and no trait.
STATES = {"wet_hair": 12_986, "closed_eyes": 570_045}
#: What the other character has instead.
OTHER = {"green_hair": 345_032, "short_hair": 1_904_624, "yellow_eyes": 565_375}
SCENES = {
    "smile": 2_365_730,
    "standing": 733_225,
    "arm_up": 167_695,
    "outdoors": 439_693,
    "tree": 140_918,
    "looking_at_viewer": 2_696_730,
    "holding": 1_227_290,
    "open_mouth": 1_950_469,
}
#: Long enough, together, for more than 75 tokens.
MANY = (
    *("cherry_blossoms", "stuffed_animal", "white_flower", "night_sky", "full_moon", "wooden_floor"),
    *("window", "umbrella", "cellphone", "bookshelf", "tatami", "lantern"),
    *("torii", "shrine", "bridge", "waterfall", "mountainous_horizon", "cloudy_sky"),
    *("light_particles", "falling_petals", "butterfly", "teapot", "teacup", "pillow"),
    *("curtains", "chandelier", "candle", "fireplace"),
)
WRONG = (5, 17, 29, 41, 53)  #: pictures of the other character
SAME = (30, 31, 32)  #: one scene three times
BLURRED = 40
LONG = 50  #: its caption has more than 75 tokens
CONTRADICTIONS = {10: "aqua_eyes", 20: "short_hair"}  #: a second value beside red_eyes and long_hair
WATERMARKED = (3, 4)
NO_EARS = 44  #: the character, with one of its tags missing


@dataclass
class Planted:
    """The dataset and the model that reads it."""

    pictures: Path
    model: Path
    tags: dict[str, dict[str, float]] = field(default_factory=dict)  #: file name -> the scores that were written


def name(number: int) -> str:
    """File name of a picture."""
    return f"{number:02d}.png"


def tags_of(number: int) -> dict[str, float]:
    """The scores that a picture spells out."""
    tags = dict.fromkeys(["1girl", "solo"], 0.98)
    if number in WRONG:
        tags |= dict.fromkeys([*OTHER, "bob_(wonder)"], 0.95)
    else:
        tags |= dict.fromkeys([*IDENTITY, "alice_(wonder)"], 0.95)
    if number % 5 < 3:  # 36 pictures
        tags |= dict.fromkeys(OUTFIT, 0.6)
    if number >= 4:
        tags["wet_hair"] = 0.9
    if number % 2:
        tags["closed_eyes"] = 0.8
    scenes = list(SCENES)
    for step in range(3):
        tags[scenes[(number * 3 + step * (number % 3 + 1)) % len(scenes)]] = round(0.5 + 0.1 * step, 2)
    if number in CONTRADICTIONS:
        tags[CONTRADICTIONS[number]] = 0.52
    if number in WATERMARKED:
        tags["watermark"] = 0.7
    if number == NO_EARS:
        del tags["cat_ears"]
    if number == LONG:
        tags |= {tag: round(0.40 + 0.01 * place, 2) for place, tag in enumerate(MANY)}
    return tags


def plant(folder: Path, *, wrong: Collection[int] = WRONG, pictures: int = PICTURES) -> Planted:
    """Writes the pictures and the model."""
    counts = {**IDENTITY, **OUTFIT, **STATES, **OTHER, **SCENES, "aqua_eyes": 146_831, "1girl": 5_113_288}
    general = ["1girl", "solo", "2girls", *IDENTITY, *OUTFIT, *STATES, *OTHER, "aqua_eyes", *SCENES, *MANY]
    general += ["watermark", "monochrome"]
    listed = [("general", 9), ("sensitive", 9), *((tag, 0) for tag in general)]
    listed += [("alice_(wonder)", 4), ("bob_(wonder)", 4), ("some_artist", 1)]
    places = {tag: (SIDE - 1, 2 * column) for column, (tag, _) in enumerate(listed)}
    tags = [
        Tag(tag, category, 0.0, pixel=places[tag], gain=1.0, count=counts.get(tag, 10_000)) for tag, category in listed
    ]
    planted = Planted(folder / "pictures", save_scripted_model(folder / "model", tags))
    planted.pictures.mkdir()
    for number in range(pictures):
        scores = {"general": 0.8, "sensitive": 0.2, **tags_of(number), "some_artist": 0.6, "monochrome": 0.4}
        if number in wrong and number not in WRONG:
            for tag in (*IDENTITY, "alice_(wonder)"):
                scores.pop(tag, None)
            scores |= dict.fromkeys([*OTHER, "bob_(wonder)"], 0.95)
        picture = scene(SAME[0] if number in SAME else number)
        if number == BLURRED:
            picture = picture.filter(ImageFilter.GaussianBlur(4))
        for tag, (row, column) in places.items():
            red, green, _ = picture.getpixel((column, row - 1))  # type: ignore[misc]
            picture.putpixel((column, row), (red, green, round(255 * scores.get(tag, 0))))
        picture.save(planted.pictures / name(number))
        planted.tags[name(number)] = scores
    return planted


def scene(seed: int) -> Image.Image:
    """A drawn picture: a graded sky, some shapes with outlines, and texture; another for every seed."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    top, bottom = ([chance.randrange(256) for _ in range(3)] for _ in range(2))
    for row in range(SIDE):
        share = row / SIDE
        colour = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        draw.line([(0, row), (SIDE, row)], fill=colour)
    for _ in range(14):
        x, y, size = chance.randrange(SIDE), chance.randrange(SIDE), chance.randrange(30, 180)
        colour = tuple(chance.randrange(256) for _ in range(3))
        shape = chance.choice([draw.ellipse, draw.rectangle])
        shape([x - size // 2, y - size // 2, x + size // 2, y + size // 2], fill=colour, outline=(0, 0, 0), width=3)
    for _ in range(400):
        x, y = chance.randrange(SIDE), chance.randrange(SIDE)
        draw.line([(x, y), (x + chance.randrange(-12, 12), y + chance.randrange(-12, 12))], fill=(20, 20, 20))
    return picture
