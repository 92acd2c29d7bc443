"""What preparing a picture costs for each family of the known models, beside WD's way."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks import pictures
from benchmarks.bench_pipeline import MAX_PIXELS, Options
from benchmarks.measure import Rounds, Table
from wd14.images.opening import PictureFile
from wd14.input_spec import CenterCrop, InputSpec, PadToSize, Resize
from wd14.model.files.registry import DEFAULT, MODELS, find
from wd14.model.preprocess import pixels, values

#: Pictures that are held opened, so that decoding does not count.
_PICTURES = 24
#: What animetimm's models have in their `preprocess.json`, which is not here.
_DBV4 = InputSpec(
    384,
    "NCHW",
    "RGB",
    "normalized",
    "stages",
    (PadToSize((512, 512)), Resize((384,), "bicubic"), CenterCrop((384, 384))),
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
)


def families(options: Options, table: Table) -> None:
    """CPU time of a thread for each picture: the pixels, and the numbers of them, family by family in each round."""
    print("\nfamilies, preparing pictures")
    paths = pictures.make(options.work / f"mixed-{_PICTURES}", _PICTURES)
    images = [PictureFile(Path(path).read_bytes(), max_pixels=MAX_PIXELS).rgb(upright=True) for path in paths]
    specs = _specs()
    preparing, numbers, shares = ({name: Rounds() for name in specs} for _ in range(3))
    usual = next(iter(specs))
    for _ in range(options.rounds):
        for name, spec in specs.items():
            began = time.thread_time()
            made = [pixels(image, spec, profile="kohya", image_size=0) for image in images]
            between = time.thread_time()
            for each in made:
                values(each[np.newaxis], spec)
            preparing[name].add(1000 * (between - began) / len(images))
            numbers[name].add(1000 * (time.thread_time() - between) / len(images))
            shares[name].add(preparing[name].last / preparing[usual].last)
    body = [
        [name, str(specs[name].size), preparing[name].text(1), shares[name].text(), numbers[name].text(1)]
        for name in specs
    ]
    table.add_grid(["family", "size", "pixels, ms", "... over the first", "numbers, ms"], body)


def _specs() -> dict[str, InputSpec]:
    """By the family's name, the default model's first; of each way to prepare pictures one."""
    found: dict[InputSpec, str] = {}
    default = find(DEFAULT)
    for model in (default, *MODELS):
        if model is None or model.spec is None or model.repo is None:
            continue
        spec = _DBV4 if model.preprocess is not None else model.spec
        found.setdefault(spec, model.family or model.id)
    return {name: spec for spec, name in found.items()}
