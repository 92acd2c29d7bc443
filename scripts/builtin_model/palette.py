"""Colour names: sample colours for each, compared in OKLab.

A cell of the picture belongs to the names whose samples are nearest. The samples are our own choice, made so that
a person who looks at the patch would use the word; "beige" (also skin) has no theme or background tag of its own
and keeps those pixels out of the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

PALETTE: Mapping[str, str] = {
    "white": "ffffff f6f6f6 eeeeee",
    "grey": "d8d8d8 bcbcbc a0a0a0 848484 686868 505050 3a3a3a",
    "black": "000000 121212 222222",
    "red": "ff0000 d40000 a80000 8b0000 600000 b22222 e03c3c f05a5a dc143c c8463c",
    "pink": "ffc0cb ffb6c1 ff69b4 ff8fb0 f4a6c0 e75480 ffd9e3 d98ca0 ff5fd0",
    "orange": "ff8000 ffa500 ff6a1a e87722 f2994a ffb366 e0662e f0643c d9502a c8502a",
    "brown": "8b4513 6b4423 a0522d 5c3a21 7a5230 3d2314 96693f b5835a 2e1c10 6e5138",
    "beige": "f5deb3 e8c9a8 d9b38c f0d5be d2b48c c4a484",
    "yellow": "ffff00 ffd700 ffe866 fff5a0 e6c619 c9b037",
    "green": "008000 00ff00 228b22 90ee90 2e5e2e 556b2f 7fbf4d 1b3d1b 4caf50 a8d08d 808000 c6e8b8 0f2a14",
    "aqua": "00ffff 40e0d0 20b2aa 008b8b a0f0f0 5fd3d3 0b5a5a",
    "light_blue": "87ceeb add8e6 a8c8f0 cfe4f7 7fb5e6",
    "blue": "0000ff 1e3fae 4169e1 000080 6495ed 1f2f57 5b7fa6 3a6ea5 0a1a3a 1e90ff",
    "purple": "800080 8a2be2 9370db 4b0082 c9a0dc 6a3d9a b57edc d100d1 2a1040 e0c8f0",
}

#: Differences in lightness count less than those in hue: a shadow does not change a thing's colour.
LIGHTNESS_WEIGHT = 0.6

#: Colours this far apart in OKLab (lightness weighted) are about one step of a name apart.
NAME_WIDTH = 0.022

# Björn Ottosson, "A perceptual color space for image processing" (2020): linear sRGB -> LMS, LMS^(1/3) -> Lab.
RGB_TO_LMS: NDArray[np.float64] = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LMS_TO_LAB: NDArray[np.float64] = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """SRGB in [0, 1], (..., 3), to OKLab (..., 3)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ RGB_TO_LMS.T) @ LMS_TO_LAB.T
    return lab


def samples() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The samples in OKLab, (S, 3), rounded; and which name each has, (S, names) of 0 and 1."""
    hexes = [(name, code) for name, codes in PALETTE.items() for code in codes.split()]
    rgb = np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for _, code in hexes])
    belongs = np.array([[float(name == column) for column in PALETTE] for name, _ in hexes])
    # Rounded, so that the file is the same wherever the last bit of a cube root differs.
    return np.round(oklab(rgb), 5), belongs
