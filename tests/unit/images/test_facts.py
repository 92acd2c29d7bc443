"""Facts of pictures: sharpness tells blurred ones from sharp ones, and thumbnails of similar ones are alike."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage import data
from sklearn.datasets import load_sample_image

from wd14.images.facts import BLURRED_BELOW, SUSPICIOUS_BELOW, facts_of
from wd14.types import THUMBNAIL_SIDE


def photograph(name: str) -> Image.Image:
    pixels = load_sample_image(name) if name.endswith(".jpg") else getattr(data, name)()
    return Image.fromarray(pixels).convert("RGB")


def drawing(name: str, side: int = 1200) -> Image.Image:
    """Of flat colours, of lines, or one small thing on a white page."""
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    if name == "flat":
        draw.ellipse((100, 100, 700, 700), fill=(240, 200, 180))
        draw.rectangle((500, 400, 1000, 1100), fill=(60, 80, 160))
    elif name == "lines":
        for number in range(12):
            draw.line((50 + number * 70, 30, 400 + number * 50, side - 30), fill="black", width=3)
    else:
        draw.ellipse((600, 500, 660, 560), outline="black", width=3)
    return image


def blurred(image: Image.Image, sigma: float) -> Image.Image:
    """By `sigma` pixels of a picture whose longer side has 512."""
    return image.filter(ImageFilter.GaussianBlur(sigma * max(image.size) / 512))


PICTURES = {name: photograph(name) for name in ("astronaut", "chelsea", "coffee", "rocket", "china.jpg", "flower.jpg")}
PICTURES |= {name: drawing(name) for name in ("flat", "lines", "small thing")}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("factor", [1, 3])
def test_a_blurred_picture_is_told_from_a_sharp_one(name: str, factor: int) -> None:
    image = PICTURES[name]
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
    sharp, soft, out_of_focus = (facts_of(blurred(image, sigma)).sharpness for sigma in (0, 1, 2))
    assert sharp > soft > out_of_focus
    if max(PICTURES[name].size) >= 448:
        assert sharp >= SUSPICIOUS_BELOW
    assert out_of_focus < BLURRED_BELOW


def test_a_small_picture_enlarged_is_suspicious() -> None:
    enlarged = photograph("astronaut").resize((112, 112)).resize((1024, 1024), Image.Resampling.BICUBIC)
    assert facts_of(enlarged).sharpness < SUSPICIOUS_BELOW


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (3, 3), (448, 448), (2000, 1), (2000, 1500)])
def test_a_blank_picture_has_no_edges(size: tuple[int, int]) -> None:
    facts = facts_of(Image.new("RGB", size, "white"))
    assert (facts.width, facts.height) == size
    assert facts.sharpness == 0
    assert facts.thumbnail == bytes([255]) * THUMBNAIL_SIDE**2


def test_the_hardest_edges_of_all_have_1020() -> None:
    image = Image.new("L", (5, 5), "white")
    image.putpixel((2, 2), 0)
    assert facts_of(image.convert("RGB")).sharpness == 1020


def test_a_thumbnail_has_the_mean_of_each_part() -> None:
    side = THUMBNAIL_SIDE
    rng = np.random.default_rng(0)
    means = rng.integers(20, 236, (side, side))
    parts = means.repeat(100, axis=0).repeat(70, axis=1) + rng.integers(-20, 21, (100 * side, 70 * side))
    image = Image.fromarray(parts.astype(np.uint8)).convert("RGB")
    found = np.frombuffer(facts_of(image).thumbnail, np.uint8).reshape(side, side).astype(int)
    assert np.abs(found - means)[1:-1, 1:-1].max() <= 8  # parts do not end where the sampled pixels do
    assert np.abs(found - means).mean() < 2


def test_thumbnails_of_a_copy_of_another_size_are_alike() -> None:
    image = photograph("china.jpg").resize((1920, 1281), Image.Resampling.BICUBIC)
    one, other, mirrored = (
        np.frombuffer(facts_of(each).thumbnail, np.uint8).astype(int)
        for each in (image, image.resize((601, 400)), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    )
    assert np.abs(one - other).mean() < 1.5
    assert np.abs(one - mirrored).mean() > 10
