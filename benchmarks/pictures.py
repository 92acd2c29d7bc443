"""Picture sets for the benchmarks: photographs that scikit-image and scikit-learn ship, enlarged to real sizes.

A picture is a mirrored mosaic of one photograph, cropped at random, with a camera's noise, so it compresses like a
photograph of its size. The pixels are the same each time; the bytes depend on Pillow's encoders.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

Pixels = NDArray[np.uint8]

FORMATS = ("jpeg", "png", "webp")
#: Standard deviation of the added noise, of 255: about a camera at ISO 800.
NOISE = 2.5
SMALL = 160


def photographs() -> list[Pixels]:
    """Colour photographs, (height, width, 3), that need no download."""
    names = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry", "hubble_deep_field")
    pictures = [getattr(data, name)() for name in names]
    pictures += [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    return [np.ascontiguousarray(picture[:, :, :3], dtype=np.uint8) for picture in pictures]


def model_inputs(count: int, side: int) -> NDArray[np.float32]:
    """Squares of photographs as a model takes them, (count, side, side, 3), BGR, 0..255: whole ones, then parts."""
    photos = photographs()
    random = np.random.default_rng(0)
    squares = []
    for index in range(count):
        photo = photos[index % len(photos)]
        shorter = min(photo.shape[:2])
        length = shorter if index < len(photos) else round(shorter * float(random.uniform(0.4, 0.9)))
        top, left = (int(random.integers(0, size - length + 1)) for size in photo.shape[:2])
        square = Image.fromarray(photo[top : top + length, left : left + length])
        squares.append(np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))[:, :, ::-1])
    return np.stack(squares).astype(np.float32)


def mosaic(photo: Pixels, height: int, width: int, random: np.random.Generator) -> Pixels:
    """A random crop of the photograph continued by its mirror images, with noise, (height, width, 3)."""
    scale = float(random.uniform(1.0, 2.0))
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    large = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
    rows, columns = (
        _mirrored(int(random.integers(0, 2 * length)), wanted, length)
        for wanted, length in zip((height, width), large.shape, strict=False)
    )
    values = large[rows][:, columns].astype(np.float32)
    values += np.float32(NOISE) * random.standard_normal((height, width, 1), dtype=np.float32)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _mirrored(start: int, wanted: int, length: int) -> NDArray[np.intp]:
    """Indices that run up and down 0..length - 1."""
    index = (start + np.arange(wanted)) % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def encode(pixels: Pixels, kind: str, random: np.random.Generator) -> bytes:
    """As JPEG (quality 85 to 95), PNG, or lossy WebP (quality 80 to 90)."""
    options: dict[str, int] = {}
    if kind == "jpeg":
        options = {"quality": int(random.integers(85, 96))}
    elif kind == "webp":
        options = {"quality": int(random.integers(80, 91))}
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, format=kind, **options)
    return target.getvalue()


def make(
    folder: Path,
    count: int,
    *,
    formats: Sequence[str] = FORMATS,
    shortest: int = 512,
    longest: int = 3000,
) -> list[Path]:
    """Writes `count` pictures, formats in turn; the logarithm of the longer side is spread evenly between the limits.

    Pictures that exist already are kept. Returns their paths, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    photos = photographs()
    paths = []
    for index in range(count):
        random = np.random.default_rng((0, index))
        kind = formats[index % len(formats)]
        path = folder / f"{index:05d}.{'jpg' if kind == 'jpeg' else kind}"
        paths.append(path)
        if path.exists():
            continue
        long = round(float(np.exp(random.uniform(np.log(shortest), np.log(longest)))))
        short = max(1, round(long * float(random.uniform(0.55, 1.0))))
        height, width = (short, long) if random.random() < 0.5 else (long, short)
        path.write_bytes(encode(mosaic(photos[index % len(photos)], height, width, random), kind, random))
    return paths


def numbered(folder: Path, originals: Sequence[Path], count: int) -> Path:
    """`count` files, each with its own bytes: the originals in turn, and a number after the end of the picture."""
    if folder.exists() and sum(1 for _ in folder.iterdir()) == count:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    contents = [path.read_bytes() for path in originals]
    for index in range(count):
        which = index % len(contents)
        target = folder / f"{index:06d}{originals[which].suffix}"
        target.write_bytes(contents[which] + index.to_bytes(4, "big"))
    return folder


def numbered_jpegs(work: Path, count: int) -> Path:
    """A folder of `count` JPEGs of about 200 KB, for re-runs from stored scores."""
    originals = make(work / "jpeg", 48, formats=["jpeg"], longest=1600)
    return numbered(work / f"jpeg-{count}", originals, count)


def small_jpegs(count: int) -> Iterator[bytes]:
    """JPEGs of SMALL pixels, each with its own bytes, made fast: a few hundred pictures, numbered in a comment."""
    photos = photographs()
    random = np.random.default_rng(0)
    encoded = [
        encode(mosaic(photos[index % len(photos)], SMALL, SMALL, random), "jpeg", random)
        for index in range(min(count, 256))
    ]
    for index in range(count):
        start = encoded[index % len(encoded)]
        comment = str(index).encode()
        # Right after the two bytes that open the file: FF FE, the length with its own two bytes, the text.
        yield start[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + start[2:]
