"""A GPU: the model alone at batches of 1 to 64, the whole job, and how fast pictures can be decoded for it.

    scripts/bench gpu --device cuda

Measured on no GPU so far. On `--device cpu` it shows whether the measurement works.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from benchmarks import models, pictures
from benchmarks.bench_pipeline import Options, decode
from benchmarks.measure import Table, fresh, last_json, run_caption, run_child, steady_rate, timed, written_at
from wd14.errors import ScoringError
from wd14.model.files.find import find_model
from wd14.model.runtimes.devices import DEVICES
from wd14.model.runtimes.opening import open_candidate
from wd14.model.runtimes.session import Opening
from wd14.model.scoring import runs_at_once, threads_of_a_run
from wd14.model.tagger import Tagger
from wd14.model.trial.candidates import Candidate
from wd14.types import PixelArray

#: Those that take any number of pictures at once.
ARCHITECTURES = ("vit-b16", "convnext-b-v3", "swinv2-b", "eva02-l")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
WAYS: dict[str, str] = {
    "onnxruntime": "onnxruntime alone, the file as it is",
    "exact": "this package's session, exact",
    "fast": "this package's session, fast",
}
_SECONDS = 3.0  #: of each measurement, after a first run of each thread


def gpu(options: Options, device: str, table: Table) -> None:
    """Everything about one device."""
    photos = options.work / f"mixed-{options.mixed}"
    paths = pictures.make(photos, options.mixed)
    decode(paths)
    table.add("decoding alone, mixed pictures, images/s", f"{len(paths) / timed(lambda: decode(paths)):.0f}")
    for name in ARCHITECTURES:
        model, words = models.make(name, options.work / "models"), (models.ARCHITECTURES | models.FOR_GPUS)[name].words
        print(f"\n{words}, {device}", flush=True)
        rates = {way: _rates_of_child(model, device, way) for way in WAYS}
        rows = [[str(batch), *(rates[way].get(str(batch), "") for way in WAYS)] for batch in BATCHES]
        table.add_grid([f"{words}, {device}, images/s at batch", *WAYS.values()], rows)
        for precision in ("exact", "fast"):
            output = fresh(options.work / "out")
            run_caption(photos, output, generation_model=model, device=device, precision=precision, cache=False)
            table.add(f"{words}, {device}, {precision}: whole job, images/s", f"{steady_rate(written_at(output)):.0f}")


def _rates_of_child(model: Path, device: str, way: str) -> dict[str, str]:
    """Pictures a second by batch, in words; in a process of its own, so that the memory of the GPU is free again."""
    child = run_child([sys.executable, "-m", "benchmarks.bench_gpu", str(model), device, way])
    rates: dict[str, str] = last_json(child.output)
    return rates


def main() -> None:
    """Measures one way to run a model: `python -m benchmarks.bench_gpu MODEL DEVICE WAY`. Prints a line of JSON."""
    model, device, way = sys.argv[1:]
    run = _onnxruntime(Path(model), device) if way == "onnxruntime" else _ours(model, device, way)
    rates: dict[str, str] = {}
    for batch in BATCHES:
        shape = (batch, models.SIDE, models.SIDE, 3)
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        try:
            rates[str(batch)] = f"{_rate(run, pixels):.1f}"
        except (MemoryError, ScoringError) as error:
            print(f"  {way}, batch {batch}: {error}")
            break
    print(json.dumps(rates))


def _rate(run: Callable[[PixelArray], Any], pixels: PixelArray) -> float:
    """Pictures a second, with as many runs at once as in a job."""
    runs = runs_at_once()

    def work(ends: float) -> int:
        done = 0
        while not done or time.perf_counter() < ends:
            run(pixels)
            done += 1
        return done

    with ThreadPoolExecutor(runs) as threads:
        list(threads.map(work, [0.0] * runs))
        started = time.perf_counter()
        done = sum(threads.map(work, [started + _SECONDS] * runs))
        return done * len(pixels) / (time.perf_counter() - started)


def _ours(model: str, device: str, way: str) -> Callable[[PixelArray], Any]:
    files = find_model(model)
    candidate = Candidate(device, cast("Literal['exact', 'fast']", way), fused=True)
    tagger = Tagger.of_session(files, open_candidate(files, candidate, Opening(threads_of_a_run(), runs_at_once())))
    print(f"  {way}: {tagger.device}, {tagger.precision}")

    def run(pixels: PixelArray) -> None:
        tagger.run(pixels)
        if tagger.most_at_once is not None and tagger.most_at_once < len(pixels):
            raise MemoryError(f"only {tagger.most_at_once} pictures fit")

    return run


def _onnxruntime(model: Path, device: str) -> Callable[[PixelArray], Any]:
    import onnxruntime

    there = DEVICES[device]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_of_a_run()
    providers = [(there.provider, dict(there.options)), "CPUExecutionProvider"]
    session: Any = onnxruntime.InferenceSession(
        str(model / "model.onnx"), options, providers=providers[1:] if device == "cpu" else providers
    )
    name = session.get_inputs()[0].name

    def run(pixels: PixelArray) -> None:
        try:
            session.run(None, {name: pixels.astype(np.float32)})
        except Exception as error:  # onnxruntime's exceptions have no other common class
            raise MemoryError(str(error).splitlines()[0]) from error

    return run


if __name__ == "__main__":
    main()
