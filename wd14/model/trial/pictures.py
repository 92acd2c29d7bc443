"""The two pictures that trials score: the same on every machine, made from numbers alone."""

from __future__ import annotations

import numpy as np
from PIL import Image

from wd14.input_spec import InputSpec
from wd14.model.geometry import picture_box
from wd14.model.preprocess import pixels
from wd14.types import Box, PixelArray


def trial_pictures(spec: InputSpec, *, has_mask: bool = False) -> tuple[PixelArray, list[Box]]:
    """Both pictures as a model wants them, (2, …) uint8, and where they lie in that: shapes on a gradient, and noise.

    Args:
        spec: what the model wants.
        has_mask: whether it has to know what is padding: the noise is then as high as half of its width.
    """
    noise = _noise(spec.size)
    images = [Image.fromarray(made) for made in (_shapes(spec.size), noise[::2] if has_mask else noise)]
    made = np.stack([pixels(image, spec, profile="kohya", image_size=0) for image in images])
    return made, [picture_box(image.size, spec) for image in images]


def _shapes(size: int) -> PixelArray:
    """(size, size, 3): discs and bars on soft colours, as flat as drawings and as soft as photographs."""
    down, across = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    picture = np.stack([120 + 100 * across, 90 + 120 * down, 200 - 90 * across * down], axis=-1)
    for number, colour in enumerate(((240, 60, 50), (30, 40, 160), (250, 220, 180))):
        middle = 0.2 + 0.27 * number
        inside = (across - middle) ** 2 + (down - 0.75 * middle) ** 2 < (0.06 + 0.04 * number) ** 2
        picture[inside] = colour
    picture[(across + down) % 0.25 < 0.02] *= 0.4
    return picture.astype(np.uint8)


def _noise(size: int) -> PixelArray:
    """(size, size, 3). numpy keeps the raw numbers of this generator the same in all versions."""
    numbers = np.random.PCG64(14).random_raw(size * size * 3)
    return np.asarray((numbers >> np.uint64(40)) & np.uint64(255)).astype(np.uint8).reshape(size, size, 3)
