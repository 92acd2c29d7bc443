"""Facts about a picture that a check of a dataset asks for: its size, how sharp it is, and a thumbnail."""

from __future__ import annotations

import numpy as np
from PIL import Image

from wd14.types import THUMBNAIL_SIDE, PictureFacts

#: Longer side, in pixels, at which sharpness is measured: only at one size can pictures be compared.
SHARPNESS_SIDE = 448
#: Sharpness below which a picture is blurred.
BLURRED_BELOW = 20.0


def facts_of(image: Image.Image) -> PictureFacts:
    """The facts of one picture.

    Args:
        image: RGB, 8 bits a channel, upright.
    """
    grey = image.convert("L")
    thumbnail = grey.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    share = min(1.0, SHARPNESS_SIDE / max(grey.size))
    small = grey.resize((max(3, round(grey.width * share)), max(3, round(grey.height * share))), Image.Resampling.BOX)
    pixels = np.asarray(small, np.int16)
    edges = 4 * pixels[1:-1, 1:-1] - pixels[:-2, 1:-1] - pixels[2:, 1:-1] - pixels[1:-1, :-2] - pixels[1:-1, 2:]
    return PictureFacts(image.width, image.height, float(np.percentile(np.abs(edges), 99)), thumbnail.tobytes())
