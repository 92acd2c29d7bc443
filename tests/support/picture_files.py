"""Small intact picture files of every family of formats, and broken ones."""

from __future__ import annotations

import functools
import random
from typing import Any

import numpy as np
from PIL import Image

from tests.support.encoded import encode
from tests.support.mutate import mutate

FAMILIES = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "others"]


@functools.cache
def originals(family: str) -> list[bytes]:
    """Small intact files of a family, in all its modes and compressions."""
    x, y = np.meshgrid(np.arange(33), np.arange(21))
    planes = [(x * (c + 3) + y * 5 + c * 60) % 256 for c in range(4)]
    rgba = Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("RGB").quantize(40)
    wide = Image.fromarray((x * 1900 + y).astype(np.uint16))
    more: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(180), rgb.rotate(90)]}
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    kinds: list[tuple[Image.Image, dict[str, Any]]]
    if family == "JPEG":
        kinds = [(rgb, {}), (rgb, {"progressive": True}), (grey, {}), (rgb.convert("CMYK"), {}), (rgb, {"exif": exif})]
        files = [encode(image, "JPEG", **options) for image, options in kinds]
        return [*files, encode(rgb.resize((64, 64)), "MPO", save_all=True, append_images=[rgb.resize((64, 64))])]
    if family == "PNG":
        kinds = [(rgb, {"exif": exif}), (rgba, {}), (grey, {"transparency": 7}), (grey.convert("LA"), {}), (wide, {})]
        kinds += [(palette, {"transparency": bytes(range(40))}), (grey.convert("1"), {}), (rgb, more)]
        return [encode(image, "PNG", **options) for image, options in kinds]
    if family == "WEBP":
        kinds = [(rgb, {}), (rgba, {}), (rgba, {"lossless": True}), (rgb, {"exif": exif}), (rgb, more)]
        return [encode(image, "WEBP", **options) for image, options in kinds]
    if family == "GIF":
        still: dict[str, Any] = {"append_images": [frame.quantize(9) for frame in more["append_images"]]}
        kinds = [(palette, {}), (palette, {"transparency": 3}), (grey, {}), (palette, {"save_all": True, **still})]
        return [encode(image, "GIF", **options) for image, options in kinds]
    if family == "BMP":
        images = [rgb, rgba, grey, palette, grey.convert("1")]
        return [encode(image, kind) for image in images for kind in ("BMP", "DIB")]
    if family == "TIFF":
        ways = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
        files = [encode(rgb, "TIFF", compression=way) for way in ways]
        images = [
            rgba,
            grey,
            palette,
            grey.convert("1"),
            wide,
            grey.convert("F"),
            rgb.convert("CMYK"),
            rgb.convert("LAB"),
        ]
        return files + [encode(image, "TIFF") for image in images] + [encode(rgb, "TIFF", exif=exif, **more)]
    one_bit = grey.convert("1")
    named = [("ICO", rgba), ("PPM", rgb), ("PPM", grey), ("PCX", palette), ("TGA", rgba)]
    named += [("TGA", palette), ("SGI", rgb), ("DDS", rgba), ("JPEG2000", rgb), ("XBM", one_bit), ("MSP", one_bit)]
    files = [encode(image, kind) for kind, image in [*named, ("BLP", palette)]]
    files.append(b"P5 7 1 65535\n" + bytes(range(14)))
    return files + ([encode(rgb, "AVIF")] if "AVIF" in Image.SAVE else [])


def broken(family: str, seed: int) -> bytes:
    """A file of a family, changed in one to eight places: the same seed gives the same file."""
    rng = random.Random(f"{family} {seed}")
    files = originals(family)
    return mutate(rng.choice(files), rng, files)
