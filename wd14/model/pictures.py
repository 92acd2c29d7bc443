"""What a Python user may hand over as a picture."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageOps

from wd14.images import open_picture
from wd14.types import Sample

#: Modes of Pillow images that a PNG keeps as they are.
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def open_any(image: Image.Image | str | Path | bytes, *, exif_orientation: bool, max_pixels: int) -> Image.Image:
    """One picture as the pipeline would open it: RGB, on white, upright if asked.

    Raises:
        RowError: it cannot be opened.
    """
    if isinstance(image, Image.Image):
        if exif_orientation:
            image = ImageOps.exif_transpose(image)
        if image.mode not in _PNG_MODES:
            return image.convert("RGB")
        encoded = io.BytesIO()
        image.save(encoded, "PNG", compress_level=0)
        data, exif_orientation = encoded.getvalue(), False
    elif isinstance(image, bytes):
        data = image
    else:
        path = Path(image)
        data = Sample(index=0, name=path.name, source=str(path), path=path).read()
    return open_picture(data, exif_orientation=exif_orientation, max_pixels=max_pixels).image
