"""With a model that costs next to nothing: the cost of everything around it, and how time and memory grow."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import pictures, tiny
from benchmarks.measure import (
    ROOT,
    Rounds,
    Table,
    cores,
    fresh,
    last_json,
    run_caption,
    run_child,
    steady_rate,
    timed,
    written_at,
)
from wd14 import CaptionConfig, caption_dataset
from wd14.data.partial_folder import write_new_file
from wd14.images.opening import PictureFile
from wd14.input_spec import InputSpec
from wd14.model.preprocess import pixels

MAX_PIXELS = 250_000_000


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    work: Path
    rounds: int
    mixed: int  #: pictures of `overhead`
    stored: int  #: rows of a re-run from scores
    growth: Sequence[int]  #: rows of each dataset of `growth`
    flat: int  #: pictures of `flat`
    similar: int  #: pictures of `similar`
    reviewed: int  #: pictures of `review`'s page
    scaled: int  #: pictures of `scale`
    scale_growth: Sequence[int]  #: pictures of each made-up run of `scale_growth`


# ── Overhead ────────────────────────────────────────────────────────────────────────────────────────────────────────


def overhead(options: Options, table: Table) -> None:
    """Rounds of: opening and preparing alone, on as many threads; then the whole job."""
    print("\noverhead, tiny model")
    photos = options.work / f"mixed-{options.mixed}"
    paths = pictures.make(photos, options.mixed)
    model = tiny.make(options.work)
    outputs = options.work / "overhead"
    fresh(outputs).mkdir()

    def job(output: Path) -> None:
        values = {"generation_model": str(model), "cache": False, "caption_files": True}
        caption_dataset(photos, CaptionConfig.from_values(values), output=output)

    preparing, ours, steady, whole_shares, shares = (Rounds() for _ in range(5))
    decode(paths)
    for number in range(options.rounds):
        output = outputs / str(number)
        os.sync()
        preparing.add(len(paths) / timed(partial(decode, paths)))
        ours.add(len(paths) / timed(partial(job, output)))
        steady.add(steady_rate(written_at(output, [".txt"])))
        whole_shares.add(ours.last / preparing.last)
        shares.add(steady.last / preparing.last)
    shutil.rmtree(outputs)
    table.add("tiny: opening and preparing alone, images/s", preparing.text(1))
    table.add("tiny: the whole job, start and end included, images/s", ours.text(1))
    table.add("tiny: ... of opening and preparing alone", whole_shares.text(3))
    table.add("tiny: the whole job, steady, images/s", steady.text(1))
    table.add("tiny: ... of opening and preparing alone", shares.text(3))


def decode(paths: Sequence[Path]) -> None:
    """Opens pictures and makes a model's input of them, on as many threads as there are cores."""

    def open_and_prepare(path: Path) -> None:
        image = PictureFile(path.read_bytes(), max_pixels=MAX_PIXELS).rgb(upright=True)
        pixels(image, InputSpec(), profile="kohya", image_size=0)

    with ThreadPoolExecutor(cores()) as threads:
        for _ in threads.map(open_and_prepare, paths):
            pass


# ── Again, from stored scores ───────────────────────────────────────────────────────────────────────────────────────


def rerun(options: Options, table: Table) -> None:
    """A first run with the model, then rounds with other thresholds, beside reading, hashing and writing alone."""
    print("\nre-run from stored scores")
    photos = pictures.numbered_jpegs(options.work, options.stored)
    outputs = fresh(options.work / "rerun")
    outputs.mkdir()
    store = fresh(options.work / "scores")
    model = tiny.make(options.work, side=64)
    run_caption(photos, outputs / "first", generation_model=model, cache_folder=store)
    alone, whole, steady = Rounds(), Rounds(), Rounds()
    for number in range(options.rounds):
        alone.add(copy_rate(photos, outputs / f"alone-{number}"))
        rates = rerun_rates(photos, outputs / str(number), model, store, number)
        whole.add(rates[0])
        steady.add(rates[1])
    # Only now: for minutes, ext4 without a journal passes over the inodes of every file that was just deleted.
    shutil.rmtree(outputs)
    size = sum(path.stat().st_size for path in photos.iterdir()) / options.stored / 1e3
    words = f"from scores: {options.stored:,} JPEGs of {size:.0f} KB on average"
    table.add(f"{words}, reading, hashing and writing alone, rows/s", alone.text(0))
    table.add(f"{words}, process start to end, rows/s", whole.text(0))
    table.add(f"{words}, without start-up, rows/s", steady.text(0))


def copy_rate(photos: Path, output: Path) -> float:
    """Rows a second of the least that a re-run has to do, on as many threads: its limit."""
    paths = sorted(photos.iterdir())
    output.mkdir()
    os.sync()

    def copy(path: Path) -> None:
        data = path.read_bytes()
        hashlib.sha256(data).digest()
        write_new_file(str(output / path.name), data)

    def all_copies() -> None:
        with ThreadPoolExecutor(cores()) as threads:
            for _ in threads.map(copy, paths):
                pass

    return len(paths) / timed(all_copies)


def rerun_rates(
    photos: Path, output: Path, model: Path, store: Path, number: int, checkout: Path = ROOT
) -> tuple[float, float]:
    """Rows a second of a run from stored scores with thresholds of its own: with start-up and without it."""
    os.sync()  # what was written before must not be taken to the disk meanwhile
    parameters = {"generation_model": model, "cache_folder": store, "thresh": 0.3 + number / 100}
    child = run_caption(photos, output, checkout=checkout, **parameters)
    times = written_at(output)
    if f"({len(times):,} from stored scores)" not in child.output:
        raise SystemExit(f"not all rows came from stored scores:\n{child.output[-3000:]}")
    return len(times) / child.seconds, len(times) / (times[-1] - times[0])


# ── Growth ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def growth(options: Options, table: Table) -> None:
    """Datasets of more and more rows: with the model, and from stored scores."""
    print("\ngrowth, tiny model, small pictures")
    model, store = tiny.make(options.work, side=64), options.work / "growth-scores"
    fresh(store)
    source = options.work / "growth"
    fresh(source).mkdir()
    some = options.work / "growth-files"
    fresh(some)
    some.mkdir()
    for index, encoded in enumerate(pictures.small_jpegs(min(2000, max(options.growth)))):
        (some / f"{index:06d}.jpg").write_bytes(encoded)
    files = sorted(some.iterdir())
    for kind, parameters in (
        ("with the model", ["cache=False"]),
        ("from scores", [f"cache_folder={store}"]),
    ):
        costs: list[tuple[float, float]] = []
        for rows in options.growth:
            have = sum(1 for _ in source.iterdir())
            for index in range(have, rows):
                os.link(files[index % len(files)], source / f"{index:06d}.jpg")
            folder = source if have <= rows else _part(source, rows)
            if kind == "from scores":
                _job(some, options.work / "out", model, parameters)  # stores the scores of all
            report = _job(folder, options.work / "out", model, parameters)
            peak = max(sample[2] for sample in report["samples"])
            costs.append((report["seconds"] / rows * 1e6, peak / 1e6))
            if (report["from_scores"] == rows) != (kind == "from scores"):
                raise SystemExit(f"growth {kind}: {report['from_scores']} of {rows} rows came from stored scores")
            table.add(f"growth {kind}: {rows:,} rows", f"{costs[-1][0]:.0f} us a row, peak {costs[-1][1]:.0f} MB")
        (first_time, first_peak), (last_time, last_peak) = costs[-2:]
        table.add(
            f"growth {kind}: last over the one before",
            f"time a row {last_time / first_time:.2f}, peak {last_peak / first_peak:.2f}",
        )


def _part(source: Path, rows: int) -> Path:
    """A folder with the first rows of another."""
    folder = source.with_name(f"{source.name}-{rows}")
    if not folder.exists():
        folder.mkdir()
        for path in sorted(source.iterdir())[:rows]:
            os.link(path, folder / path.name)
    return folder


# ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def flat(options: Options, table: Table) -> None:
    """Generated pictures of all sizes with the built-in model: the peak must not climb."""
    print("\nmemory, built-in model")
    originals = pictures.make(options.work / f"mixed-{options.mixed}", options.mixed)
    photos = pictures.numbered(options.work / f"flat-{options.flat}", originals, options.flat)
    report = _job(photos, options.work / "out", "builtin/colours", ["cache=False"])
    rows = report["rows"]
    quarters = [
        max(bytes_ for _, done, bytes_ in report["samples"] if rows * n // 4 <= done <= rows * (n + 1) // 4)
        for n in range(4)
    ]
    words = ", ".join(f"{peak / 1e6:.0f}" for peak in quarters)
    ratio = quarters[3] / quarters[1]
    table.add(f"memory: peak of each quarter of {rows:,} mixed pictures, MB", f"{words} (last over second {ratio:.3f})")


def _job(source: Path, output: Path, model: object, parameters: Sequence[str]) -> Any:
    """What `benchmarks.job` reports."""
    fresh(output)
    command = [sys.executable, "-m", "benchmarks.job", str(source), str(output), f"generation_model={model}"]
    report = last_json(run_child([*command, *parameters]).output)
    fresh(output)
    return report
