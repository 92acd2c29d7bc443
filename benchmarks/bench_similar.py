"""Finding pictures that look alike among many: time and memory, from made-up thumbnails."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from benchmarks.bench_pipeline import Options
from benchmarks.measure import Table, last_json, run_child
from wd14.curation.duplicates import find_duplicates
from wd14.types import THUMBNAIL_SIDE, PictureFacts

_SHAPES = ((768, 1024), (832, 1216), (1024, 1024), (1216, 832), (1024, 768))


def similar(options: Options, table: Table) -> None:
    """One process that looks for duplicates and likely parts, another for duplicates alone."""
    print(f"\nsimilar, {options.similar:,} thumbnails")
    for what, crops in (("duplicates and likely parts", "crops"), ("duplicates alone", "no")):
        command = [sys.executable, "-m", "benchmarks.bench_similar", str(options.similar), crops]
        result = last_json(run_child(command).output)
        table.add(
            f"{what} among {options.similar:,} thumbnails",
            f"{result['seconds']:.1f} s, {result['cpu']:.1f} s of a core, peak {result['megabytes']:.0f} MB",
        )


def thumbnails(count: int) -> list[PictureFacts]:
    """Clouds with the spectrum of photographs; a tenth are copies, and a tenth parts, of the others."""
    random = np.random.default_rng(0)
    side = 4 * THUMBNAIL_SIDE
    fall = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    fall[0, 0] = np.inf
    facts: list[PictureFacts] = []
    while len(facts) < count:
        clouds = np.fft.irfft2(np.fft.rfft2(random.normal(size=(side, side))) / fall**1.3, s=(side, side))
        pixels = np.clip(128 + clouds / clouds.std() * random.uniform(25, 60), 0, 255)
        shape = _SHAPES[random.integers(len(_SHAPES))]
        facts.append(_facts(pixels, shape))
        if random.random() < 0.125:
            facts.append(_facts(np.clip(pixels + random.normal(size=pixels.shape), 0, 255), shape))
        if random.random() < 0.125:
            length = int(random.uniform(0.4, 0.95) * THUMBNAIL_SIDE) * 4
            y, x = random.integers(side - length, size=2)
            place = np.arange(side) * length // side
            facts.append(_facts(pixels[y + place][:, x + place], shape))
    return facts[:count]


def _facts(pixels: np.ndarray[tuple[int, ...], np.dtype[np.float64]], shape: tuple[int, int]) -> PictureFacts:
    small = pixels.reshape(THUMBNAIL_SIDE, 4, THUMBNAIL_SIDE, 4).mean(axis=(1, 3))
    return PictureFacts(shape[0], shape[1], 50.0, small.astype(np.uint8).tobytes())


def _main() -> None:
    facts = thumbnails(int(sys.argv[1]))
    seconds, cpu = time.perf_counter(), time.process_time()
    found = find_duplicates(facts, crops=sys.argv[2] == "crops")
    seconds, cpu = time.perf_counter() - seconds, time.process_time() - cpu
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(
        f'{{"seconds": {seconds}, "cpu": {cpu}, "megabytes": {megabytes},'
        f' "groups": {len(found.groups)}, "likely_crops": {len(found.likely_crops)}}}'
    )


if __name__ == "__main__":
    _main()
