"""Duplicates and crops among photographs of scikit-image that its package holds."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from skimage import data

from wd14.curation.crop_match import SIDE, Region, find_regions
from wd14.curation.duplicates import Group, find_duplicates
from wd14.errors import JobStoppedError
from wd14.types import THUMBNAIL_SIDE, PictureFacts

PHOTOGRAPHS = {name: Image.fromarray(getattr(data, name)()) for name in ("astronaut", "coffee", "chelsea", "rocket")}
DIFFERENT = list(PHOTOGRAPHS.values())
CHELSEA = PHOTOGRAPHS["chelsea"]


def square(picture: Image.Image, side: int) -> Image.Image:
    return picture.convert("L").resize((side, side), Image.Resampling.BOX)


def facts(picture: Image.Image) -> PictureFacts:
    return PictureFacts(picture.width, picture.height, 1.0, square(picture, THUMBNAIL_SIDE).tobytes())


def saved(picture: Image.Image, scale: float = 0.7, quality: int = 70) -> Image.Image:
    """The picture resized and saved as JPEG."""
    file = io.BytesIO()
    picture.resize((round(picture.width * scale), round(picture.height * scale))).save(file, "JPEG", quality=quality)
    return Image.open(file)


def groups(*pictures: Image.Image) -> list[tuple[str, tuple[int, ...]]]:
    return [(group.kind, group.rows) for group in find_duplicates([facts(picture) for picture in pictures]).groups]


def test_three_copies_are_one_group() -> None:
    assert groups(CHELSEA, *DIFFERENT[:2], saved(CHELSEA), saved(CHELSEA, 1.4, 90)) == [("same", (0, 3, 4))]


def test_a_variant_is_near_and_stands_beside_the_first_copy_only() -> None:
    variant = CHELSEA.copy()
    ImageDraw.Draw(variant).ellipse((200, 150, 230, 180), fill=(190, 150, 120))
    assert groups(CHELSEA, saved(CHELSEA), variant) == [("same", (0, 1)), ("near", (0, 2))]


def test_a_mirrored_picture_is_found() -> None:
    assert groups(*DIFFERENT, saved(ImageOps.mirror(CHELSEA))) == [("mirrored", (2, 4))]


def test_a_crop_is_found_with_its_place_in_the_whole() -> None:
    box = (60, 30, 360, 240)
    part = saved(CHELSEA.crop(box))
    pictures = [None, *(facts(picture) for picture in DIFFERENT), facts(part)]
    assert find_duplicates(pictures).likely_crops == ()
    found = find_duplicates(pictures, crops=True)
    assert found.groups == ()
    (crop,) = found.likely_crops
    assert (crop.part, crop.whole) == (5, 3)
    region = region_of(part, CHELSEA, crop.region)
    assert region is not None
    expected = (60 / CHELSEA.width, 30 / CHELSEA.height, 360 / CHELSEA.width, 240 / CHELSEA.height)
    assert (region.left, region.top, region.right, region.bottom) == pytest.approx(expected, abs=0.03)


def test_what_only_looks_like_a_part_in_thumbnails_is_none() -> None:
    box = (60, 30, 360, 240)
    region = Region(60 / CHELSEA.width, 30 / CHELSEA.height, 360 / CHELSEA.width, 240 / CHELSEA.height)
    part = CHELSEA.crop(box)
    blurred = part.resize((8, 8), Image.Resampling.BOX).resize(part.size)  # the same light and dark, other detail
    assert region_of(part, CHELSEA, region) is not None
    assert region_of(blurred, CHELSEA, region) is None
    assert region_of(PHOTOGRAPHS["coffee"], CHELSEA, region) is None


def region_of(part: Image.Image, whole: Image.Image, near: Region) -> Region | None:
    shape = np.array([part.width / part.height / (whole.width / whole.height)], np.float32)
    small, large = (np.asarray(square(picture, SIDE), np.float32)[None] for picture in (part, whole))
    return find_regions(small, large, shape, [near])[0]


def test_a_stop_ends_the_search() -> None:
    def tick() -> None:
        raise JobStoppedError("a stop was asked for")

    with pytest.raises(JobStoppedError):
        find_duplicates([facts(picture) for picture in DIFFERENT], crops=True, tick=tick)


def test_pictures_that_differ_are_not_duplicates() -> None:
    columns = np.array(CHELSEA.resize((300, 300))).reshape(6, 50, 6, 50, 3)
    shuffled = Image.fromarray(columns[[3, 0, 5, 1, 4, 2]][:, :, [2, 4, 0, 5, 1, 3]].reshape(300, 300, 3))
    found = find_duplicates(
        [facts(picture) for picture in [*DIFFERENT, CHELSEA.resize((300, 300)), shuffled]], crops=True
    )
    assert found.groups == ()  # the fifth has another shape than the photograph, the sixth the same palette
    assert found.likely_crops == ()


def test_flat_pictures_are_not_duplicates() -> None:
    flat = [Image.new("RGB", (400, 300), colour) for colour in ("white", "white", "black", "gray")]
    dotted = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(dotted).point((5, 5), fill="black")
    assert groups(*flat, dotted) == []


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_have_none(count: int) -> None:
    assert find_duplicates([facts(CHELSEA)] * count + [None]).groups == ()


def test_a_group_says_its_largest_distance() -> None:
    (group,) = find_duplicates([facts(CHELSEA), facts(CHELSEA), facts(saved(CHELSEA, 0.5, 60))]).groups
    assert isinstance(group, Group)
    assert 0 < group.distance < 0.005
