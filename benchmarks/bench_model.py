"""Published architectures: the whole job, exact and fast, beside the runtimes alone and kohya's tagger."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import alone, models, pictures
from benchmarks.measure import (
    Child,
    Rounds,
    Table,
    cores,
    fresh,
    last_json,
    pace,
    parameter_options,
    run_child,
    written_at,
)
from wd14.model.scoring import runs_at_once

EXACT, FAST, KOHYA = "this package, exact", "this package, fast", "kohya"
#: Runtimes by the words for them; the first two compute in float32.
ALONE = {
    "onnxruntime alone": "onnxruntime",
    "OpenVINO alone, float32": "openvino",
    "OpenVINO alone, bfloat16": "openvino-bfloat16",
}
ONNXRUNTIME, OPENVINO = list(ALONE)[:2]
HEAD = (
    "",
    "images/s, steady",
    "... over onnxruntime alone",
    "{count} pictures, start to end, s",
    "... kohya's time over it",
    "start to first result, s",
    "peak memory, GB",
)


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    work: Path
    models: Path
    rounds: int
    count: int  #: pictures of a run
    steady: int  #: pictures of a steady run of `compare`, besides the first WARM
    compared: int  #: pictures of `differences`
    kohya: Path | None
    kohya_python: str


class Measured(NamedTuple):
    """A run of a process."""

    child: Child
    times: list[float]  #: when each of its pictures was done, in seconds since 1970


@dataclass
class Row:
    """A line of an architecture's table."""

    measure: Callable[[], Measured]
    rate: Rounds = field(default_factory=Rounds)
    gain: Rounds = field(default_factory=Rounds)  #: over onnxruntime alone, in the same round
    seconds: Rounds = field(default_factory=Rounds)
    ahead: Rounds = field(default_factory=Rounds)  #: kohya's seconds over these, in the same round
    first: Rounds = field(default_factory=Rounds)
    memory: Rounds = field(default_factory=Rounds)

    def add(self) -> None:
        """One measurement."""
        child, times = self.measure()
        self.rate.add(pace(times))
        self.seconds.add(child.seconds)
        self.first.add(times[0] - child.started)
        self.memory.add(child.peak_bytes / 1e9)

    def cells(self) -> list[str]:
        """What the table says of it."""
        digits = {"ahead": 2, "seconds": 1}
        names = ("rate", "gain", "seconds", "ahead", "first", "memory")
        rounds = {name: getattr(self, name) for name in names}
        return [values.text(digits.get(name, 2)) if values.values else "" for name, values in rounds.items()]


def bench(name: str, options: Options, table: Table) -> None:
    """Everything about one architecture: rounds of all rows, each a process of its own, forwards and backwards."""
    model = models.make(name, options.models)
    words = models.ARCHITECTURES[name].words
    print(f"\n{words}", flush=True)
    photos = options.work / f"photos-{options.count}"
    pictures.make(photos, options.count)
    runs_on = {precision: prepare(model, precision) for precision in ("exact", "fast")}
    rows = _rows(model, photos, options)
    for number in range(options.rounds):
        for row in list(rows.values())[:: -1 if number % 2 else 1]:
            row.add()
        for row in rows.values():
            row.gain.add(row.rate.last / rows[ONNXRUNTIME].rate.last)
            if KOHYA in rows:
                row.ahead.add(rows[KOHYA].seconds.last / row.seconds.last)
        print(f"  round {number + 1} of {options.rounds}", flush=True)
    better = Rounds()
    for exact, *others in zip(*(rows[key].rate.values for key in (EXACT, ONNXRUNTIME, OPENVINO)), strict=True):
        better.add(exact / max(others))
    heads = [words, *(head.format(count=options.count) for head in HEAD[1:])]
    named = {EXACT: f"{EXACT} ({runs_on['exact']})", FAST: f"{FAST} ({runs_on['fast']})"}
    table.add_grid(heads, [[named.get(key, key), *row.cells()] for key, row in rows.items()])
    table.add(f"{words}: exact over the better of both runtimes alone in float32", better.text())


def prepare(model: Path, precision: str) -> str:
    """Lets the package find out what runs the model fastest, once, as in a first run. Returns what that is."""
    child = run_ours(model, "open", str(model), precision)
    found = last_json(child.output)
    print(f"  {precision}: found out what is fastest, and opened it, in {child.seconds:.1f} s", flush=True)
    return place(found, precision)


def place(found: Mapping[str, str], asked: str) -> str:
    """What the package runs on, in words, from what `benchmarks.ours` printed."""
    return f"on {found['device']}" + ("" if found["precision"] == asked else f", {found['precision']}")


def run_ours(model: Path, *command: str) -> Child:
    """The package with a model that counts as known; see `benchmarks.ours`."""
    return run_child([sys.executable, "-m", "benchmarks.ours", sha256_of(model / "model.onnx"), *command])


@cache
def sha256_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows(model: Path, photos: Path, options: Options) -> dict[str, Row]:
    inputs = options.work / "inputs.npy"
    np.save(inputs, np.random.default_rng(0).uniform(0, 255, (8, models.SIDE, models.SIDE, 3)).astype(np.float32))
    runtimes = dict(ALONE)
    if not alone.has_bfloat16():
        del runtimes["OpenVINO alone, bfloat16"]
    rows = {
        words: Row(partial(run_alone, runtime, model, inputs, options.count)) for words, runtime in runtimes.items()
    }
    rows[EXACT] = Row(partial(_ours, model, photos, "exact", options))
    rows[FAST] = Row(partial(_ours, model, photos, "fast", options))
    if options.kohya is not None:
        rows[KOHYA] = Row(partial(_kohya, model, photos, options.kohya.resolve(), options))
    return rows


def run_alone(runtime: str, model: Path, inputs: Path, count: int, *scores: str) -> Measured:
    """A runtime with as many runs at once as in a job; see `benchmarks.alone`."""
    numbers = map(str, (count, runs_at_once(), cores()))
    command = [sys.executable, "-m", "benchmarks.alone", runtime, str(model / "model.onnx"), str(inputs), *numbers]
    child = run_child([*command, *scores])
    return Measured(child, last_json(child.output))


def _ours(model: Path, photos: Path, precision: str, options: Options) -> Measured:
    """A whole job, which keeps no scores."""
    output = fresh(options.work / "out")
    parameters = {"generation_model": model, "precision": precision, "cache": False, "caption_files": True}
    child = run_ours(model, "caption", str(photos), "--output", str(output), *parameter_options(parameters))
    for line in child.output.splitlines():
        if line.startswith("The model runs on"):
            _say_once(f"  {precision}: {line}")
    return Measured(child, written_at(output, [".txt"]))


@cache
def _say_once(line: str) -> None:
    print(line, flush=True)


def _kohya(model: Path, photos: Path, scripts: Path, options: Options) -> Measured:
    """kohya's tagger as the original plugin ran it."""
    folder = fresh(options.work / "kohya")
    folder.mkdir()
    for photo in photos.iterdir():
        os.link(photo, folder / photo.name)
    where = fresh(options.work / "kohya-models")
    where.mkdir()
    (where / "bench_model").symlink_to(model.resolve())  # where kohya looks for the id `bench/model`
    arguments = "--onnx --repo_id bench/model --batch_size 1 --max_data_loader_n_workers 1 --caption_extension .txt"
    # At commit 48d368fa it fails on the first character tag (`character_tags` is unbound in `run_batch`): none here.
    arguments += " --character_threshold 2"
    script = scripts / "finetune/tag_images_by_wd14_tagger.py"
    child = run_child(
        [options.kohya_python, str(script), str(folder), "--model_dir", str(where), *arguments.split()],
        env={"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(scripts)},
        cwd=scripts,
    )
    return Measured(child, written_at(folder, [".txt"]))
