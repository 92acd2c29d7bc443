"""The thumbnail that the review page shows of a picture: small enough that 5,000 of them take 25 MB.

Not the grey one of `images.facts`, by which similar pictures are found.
"""

from __future__ import annotations

import io

from PIL import Image, features

#: Longer side, in pixels.
SIDE = 192
_QUALITY = 60
#: WebP's effort, 0..6: the usual 4 takes twice the time and saves 3 %.
_EFFORT = 2


def thumbnail_of(image: Image.Image) -> bytes | None:
    """A picture as WebP of at most `SIDE` pixels; None where Pillow was built without WebP.

    About 2 ms: half for the resizing of a large picture, half for WebP.

    Args:
        image: RGB, 8 bits a channel, upright, on white.
    """
    if not features.check("webp"):
        return None
    longer = max(image.size)
    if longer > SIDE:
        size = (max(1, round(image.width * SIDE / longer)), max(1, round(image.height * SIDE / longer)))
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    return out.getvalue()
