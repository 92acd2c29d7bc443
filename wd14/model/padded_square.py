"""The square of one colour around a picture, and its resize by Pillow; both built a band of rows at a time.

The whole square of a 20000 x 200 picture would take 1.1 GiB.
"""

from __future__ import annotations

from math import ceil

from PIL import Image

from wd14.input_spec import WHITE, Colour

# Pixels that are resized at once.
_BAND = 1 << 20
# Longer sides are averaged first, so that their weights and rows fit in memory; an output pixel still stands for more
# than a hundred averages.
_LONGEST = 1 << 16


class PaddedSquare:
    """A picture in the middle of a square; an odd pixel of its colour goes right or below.

    Args:
        image: RGB. Of one with a side over 65,536 pixels, whole numbers of pixels are averaged.
        colour: of what the picture does not cover.

    Attributes:
        side: of the square.
        left, top: where the picture begins.
        width, height: of the picture.
    """

    def __init__(self, image: Image.Image, colour: Colour = WHITE) -> None:
        self._image = image = _averaged(image, colour)
        self._colour = colour
        self.width, self.height = image.size
        self.side = max(image.size)
        self.left, self.top = (self.side - self.width) // 2, (self.side - self.height) // 2

    def part(self, left: int, top: int, right: int, bottom: int) -> Image.Image:
        """The pixels of a rectangle, which may reach beyond the square: all has its colour there."""
        part = Image.new("RGB", (right - left, bottom - top), self._colour)
        part.paste(self._image, (self.left - left, self.top - top))
        return part

    def whole(self) -> Image.Image:
        """All of it, which takes side x side pixels."""
        return self.part(0, 0, self.side, self.side)

    def resized(self, size: int, resample: Image.Resampling) -> Image.Image:
        """(size, size), equal to `Image.resize` of the whole square.

        Pillow resizes the rows first, rounds to 8 bits, and then resizes the columns. So the rows can be resized in
        bands; only the columns that the picture reaches are computed, the others have the colour.
        """
        # Columns of the result; multiples of `step`, whose edges are exact in single precision, which Pillow uses.
        step = size // (size & -size)
        margin = 8 * max(self.side, size)  # in 1/size pixels: more than twice the reach of any filter
        first = max(0, (self.left * size - margin) // self.side // step * step)
        last = min(size, -(((self.left + self.width) * size + margin) // -self.side // step) * step)
        low, high = first * self.side // size, -(-last * self.side // size)
        edges = first * self.side / size - low, last * self.side / size - low
        narrow = Image.new("RGB", (size, self.side), self._colour)
        rows = max(1, _BAND // (high - low))
        for start in range(self.top, self.top + self.height, rows):
            stop = min(start + rows, self.top + self.height)
            band = self.part(low, start, high, stop)
            box = (edges[0], 0, edges[1], stop - start)
            narrow.paste(band.resize((last - first, stop - start), resample, box), (first, start))
        return narrow.resize((size, size), resample)


def _averaged(image: Image.Image, colour: Colour) -> Image.Image:
    """The picture, its longer side at most `_LONGEST`; where it ends within a pixel, the colour is what lies beside."""
    factor = ceil(max(image.size) / _LONGEST)
    if factor == 1:
        return image
    wide = image.width > image.height
    image = image.reduce((factor, 1) if wide else (1, factor))
    width, height = image.size
    width, height = (width, ceil(height / factor) * factor) if wide else (ceil(width / factor) * factor, height)
    padded = Image.new("RGB", (width, height), colour)
    padded.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return padded.reduce((1, factor) if wide else (factor, 1))
