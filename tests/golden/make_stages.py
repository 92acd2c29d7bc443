"""Writes stages.json: what dghs-imgutils makes of pictures by the steps of a `preprocess.json`.

Needs dghs-imgutils 0.19.0 (deepghs), which exporters of such files use, and which the package and its tests do not:
`PYTHONPATH=. python tests/golden/make_stages.py`. The pictures are photographs of scikit-image and parts of them, and
noise, as `picture` says, which the test imports.

For each file and picture it holds the CRC-32 of the pixels (uint8, height x width x 3) and of the numbers that a model
gets (float32, 3 x height x width), with each version of Pillow that this ran with: newer ones resize some pictures in
another order, and round other values. imgutils fails where a side would have no pixel left; such pictures are left out.
"""

from __future__ import annotations

import io
import json
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image

from tests.golden.make_area import noise

GOLDEN = Path(__file__).parent / "stages.json"

_TENSOR = {"type": "to_tensor"}
_IMAGENET = {"type": "normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_CLIP = {
    "type": "normalize",
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}


def _resize(size: int | list[int], interpolation: str | int, **more: Any) -> dict[str, Any]:
    return {"type": "resize", "size": size, "interpolation": interpolation, **more}


def _crop(size: int | list[int]) -> dict[str, Any]:
    return {"type": "center_crop", "size": size}


def _pad(size: int | list[int], colour: Any = "white", interpolation: str = "bilinear") -> dict[str, Any]:
    return {"type": "pad_to_size", "size": size, "background_color": colour, "interpolation": interpolation}


#: What the files hold: those of known models, and such that have every step and every way to write it.
FILES: dict[str, dict[str, list[dict[str, Any]]]] = {
    "caformer": {"test": [_pad([512, 512]), _resize(384, "bicubic"), _crop([384, 384]), _TENSOR, _IMAGENET]},
    "eva02": {"test": [_pad([512, 512]), _resize(448, "bicubic"), _crop([448, 448]), _TENSOR, _CLIP]},
    "convnextv2": {"test": [_pad([512, 512]), _resize(512, "bicubic"), _crop([512, 512]), _TENSOR, _IMAGENET]},
    "pixai": {"stages": [_resize([448, 448], "bilinear", antialias=None), _TENSOR, _IMAGENET]},
    "camie": {"stages": [_pad([512, 512], [0, 0, 0], "lanczos"), _TENSOR]},
    "crop": {"test": [_resize(256, "bicubic"), _crop(224), {"type": "maybe_to_tensor"}, _IMAGENET]},
    "smaller": {"test": [_resize(160, "HAMMING", max_size=190), _crop([224, 224]), _TENSOR, _CLIP]},
    "coarse": {"test": [_resize([240], 3, antialias=False), _crop([201, 201]), _TENSOR, _IMAGENET]},
    "box": {"stages": [_resize([301, 203], "box"), _resize([200, 200], "nearest"), _TENSOR]},
    "tilted": {"stages": [_pad([300, 177], "#207f40", "hamming"), _crop([211, 211]), _TENSOR, _CLIP]},
    "numbers": {
        "stages": [
            {"type": "convert_rgb"},
            _pad(333, 114, "bicubic"),
            _TENSOR,
            {"type": "rescale", "rescale_factor": 0.7},
            {"type": "normalize", "mean": 0.3, "std": [0.4]},
        ]
    },
}

#: Photographs, and parts of them as (left, top, right, bottom).
_PHOTOGRAPHS: dict[str, tuple[str, tuple[int, int, int, int] | None]] = {
    "square": ("astronaut.png", None),
    "wide": ("coffee.png", None),
    "cat": ("chelsea.png", None),
    "grey": ("camera.png", None),
    "transparent": ("logo.png", None),
    "band": ("coffee.png", (0, 111, 600, 186)),
    "column": ("coffee.png", (201, 0, 238, 400)),
    "small": ("chelsea.png", (150, 100, 251, 167)),
}
_SIZES = [(1, 1), (2, 700), (611, 3), (447, 448), (449, 300), (769, 1024), (1537, 2049), (2803, 1999)]

PICTURES = [*_PHOTOGRAPHS, *(f"{width}x{height}" for width, height in _SIZES)]


def picture(name: str) -> bytes:
    """An encoded picture."""
    if name not in _PHOTOGRAPHS:
        return _png(Image.fromarray(noise(*map(int, name.split("x")))))
    file, part = _PHOTOGRAPHS[name]
    data = (resources.files("skimage") / "data" / file).read_bytes()
    return data if part is None else _png(Image.open(io.BytesIO(data)).crop(part))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def main() -> None:
    """Runs imgutils over every file and picture."""
    from imgutils.data import load_image  # type: ignore[import-not-found]
    from imgutils.preprocess.pillow import create_pillow_transforms  # type: ignore[import-not-found]

    found: dict[str, dict[str, list[int]]] = {}
    for name, file in FILES.items():
        [steps] = file.values()
        moving = [step for step in steps if step["type"] in ("convert_rgb", "pad_to_size", "resize", "center_crop")]
        found[name] = {}
        for shown in PICTURES:
            image = load_image(Image.open(io.BytesIO(picture(shown))), force_background="white", mode="RGB")
            try:
                pixels = np.asarray(create_pillow_transforms(moving)(image))
            except ValueError:  # it would make a side of 0 pixels
                continue
            numbers = np.ascontiguousarray(create_pillow_transforms(steps)(image))
            found[name][shown] = [zlib.crc32(pixels.tobytes()), zlib.crc32(numbers.tobytes())]
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    GOLDEN.write_text(json.dumps(known | {f"Pillow {PIL.__version__}": found}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
