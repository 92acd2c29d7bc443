"""Facts about a picture that a check of a dataset asks for: its size, how sharp it is, and a thumbnail.

They are computed while the picture is open for the model, so they have to be cheap: about 1 ms, however large the
picture is (benchmarks/README.md). For that, at most 2 x 2 pixels are looked at for each pixel of the result.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from wd14.types import THUMBNAIL_SIDE, PictureFacts

#: Longer side, in pixels, at which sharpness is measured: only at one size can pictures be compared.
SHARPNESS_SIDE = 448
#: Sharpness below which a picture is blurred for certain, or a gradient, or blank. Photographs and drawings of 512
#: pixels reach 24 at most after a Gaussian blur of sigma 2, and sharp ones 69 at least, but for a few soft subjects.
BLURRED_BELOW = 20.0
#: Sharpness below which a picture is worth a look: sigma 1 (12 to 96), a picture enlarged to four times its size, but
#: also a sharp one that shows pale or soft things only.
SUSPICIOUS_BELOW = 40.0

#: |Laplacian| from which on a pixel lies on an edge. Below is noise, and what is left of JPEG's blocks.
_EDGE = 4


def facts_of(image: Image.Image) -> PictureFacts:
    """The facts of one picture: about 1 ms for a large picture, 0.4 ms for one of 448 pixels.

    The grey picture is brought down to a longer side of `SHARPNESS_SIDE` by averaging; a smaller one is left as it is.
    Of a picture more than twice as long, every pixel there is the average of four that lie evenly spread in the
    original. On that, the Laplacian |4 p - up - down - left - right| of all inner pixels is taken, 0..1020. Sharpness
    is the smallest of its largest values: of 1 % of the picture, or of 10 % of the pixels on edges (4 or more) where
    those are fewer, so that a small drawing on a white page is not taken for a blurred one. A picture without edges
    has 0, and so has one of fewer than 3 pixels in width or height.

    Args:
        image: RGB, 8 bits a channel, upright.
    """
    width, height = image.size
    longer = max(width, height)
    small = [max(1, round(side * SHARPNESS_SIDE / longer)) for side in image.size]
    if longer > 2 * SHARPNESS_SIDE:
        image = image.resize((2 * small[0], 2 * small[1]), Image.Resampling.NEAREST)
    grey = image.convert("L")
    if longer > SHARPNESS_SIDE:
        # With the gap, Pillow halves in one step where that is all: a third of the time.
        grey = grey.resize((small[0], small[1]), Image.Resampling.BOX, reducing_gap=1.0)
    thumbnail = grey.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    return PictureFacts(width, height, _sharpness(grey), thumbnail.tobytes())


def _sharpness(grey: Image.Image) -> float:
    pixels = np.asarray(grey).astype(np.int16)
    if min(pixels.shape) < 3:
        return 0.0
    edges = pixels[1:-1, 1:-1] * np.int16(4)
    for neighbours in (pixels[:-2, 1:-1], pixels[2:, 1:-1], pixels[1:-1, :-2], pixels[1:-1, 2:]):
        edges -= neighbours
    values = np.abs(edges, out=edges).ravel()
    largest = max(1, min(values.size // 100, np.count_nonzero(values >= _EDGE) // 10))
    return float(np.partition(values, values.size - largest)[values.size - largest])
