"""Writes area/opencv.npz: what OpenCV's area averaging makes of padded pictures of many sizes.

Needs opencv-python-headless 4.10.0.84 (the version that kohya-ss/sd-scripts asks for), which the package and its
tests do not: `python tests/golden/make_area.py`. The pictures are computed by `noise`, which the test imports.

Of each result the file holds the CRC-32 of all its bytes and, for messages that help, a few hundred of its values.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 448
HERE = Path(__file__).parent

#: Width and height: one-pixel sides, aspects of 1:100 and beyond, whole and fractional scales, around 448.
SIZES = [
    *[(448, 448), (448, 447), (447, 448), (448, 1), (1, 448), (448, 224), (449, 449), (449, 448), (448, 449)],
    *[(449, 1), (1, 449), (450, 300), (300, 450), (451, 2), (2, 451), (455, 455), (480, 270), (270, 480)],
    *[(500, 5), (5, 500), (500, 500), (512, 512), (512, 511), (511, 512), (512, 768), (768, 512), (560, 560)],
    *[(600, 600), (600, 601), (640, 480), (480, 640), (640, 640), (671, 672), (672, 672), (672, 100), (700, 1000)],
    *[(768, 768), (770, 1024), (800, 600), (840, 8), (8, 840), (895, 895), (896, 896), (896, 895), (895, 896)],
    *[(896, 1), (1, 896), (897, 897), (896, 447), (1000, 1), (1, 1000), (1000, 10), (10, 1000), (1000, 700)],
    *[(1024, 1024), (1024, 576), (1120, 1120), (1200, 12), (12, 1200), (1280, 720), (1343, 1344), (1344, 448)],
    *[(448, 1344), (1344, 1344), (1344, 3), (1345, 13), (1536, 640), (1792, 100), (100, 1792), (1800, 18), (2000, 1)],
    *[(1, 2000), (2240, 50), (1080, 1920), (3000, 30), (30, 3000), (4480, 45), (45, 4480), (9000, 7)],
]


def noise(width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3): coarse shapes with fine noise over them, the same on every machine."""
    x = np.arange(width, dtype=np.uint32)[None, :, None]
    y = np.arange(height, dtype=np.uint32)[:, None, None]
    c = np.arange(3, dtype=np.uint32)[None, None, :]
    mixed = (x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))
    mixed ^= mixed >> 13
    mixed *= np.uint32(0x5BD1E995)
    mixed ^= mixed >> 15
    coarse = ((x // 9 + y // 7 + c) % 5) * 45
    values = np.clip(coarse.astype(np.int32) + (mixed % 97).astype(np.int32) - 10, 0, 255)
    pixels: NDArray[np.uint8] = values.astype(np.uint8)
    return pixels


def sample() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Which values of a result are kept: rows, columns and channels."""
    k = np.arange(400)
    return (k * 193 + 7) % SIZE, (k * 281 + k // 7) % SIZE, k % 3


def main() -> None:
    """Runs OpenCV over every size."""
    import cv2  # type: ignore[import-not-found]

    kept = []
    checks = []
    for width, height in SIZES:
        side = max(width, height)
        left, top = (side - width) // 2, (side - height) // 2
        square = np.full((side, side, 3), 255, np.uint8)
        square[top : top + height, left : left + width] = noise(width, height)
        result = cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        kept.append(result[sample()])
        checks.append(zlib.crc32(result.tobytes()))
    (HERE / "area").mkdir(exist_ok=True)
    np.savez_compressed(
        HERE / "area" / "opencv.npz",
        sizes=np.array(SIZES),
        values=np.array(kept),
        crc32=np.array(checks, dtype=np.uint32),
        opencv=np.array(cv2.__version__),
    )


if __name__ == "__main__":
    main()
