"""This checkout of the package beside another one, in the same rounds: has a change made anything slower?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bench_model, bench_pipeline, models, pictures, tiny
from benchmarks.bench_pipeline import rerun_rates
from benchmarks.measure import ROOT, WARM, Rounds, Table, fresh, run_caption, run_child, steady_rate, written_at


def compare(before: Path, large: bench_model.Options, small: bench_pipeline.Options, table: Table) -> None:
    """Steady rate, first caption and memory with two models, and the rate of a re-run from stored scores.

    Args:
        before: the folder that holds the other checkout's `wd14`.
        large: counts for ConvNeXt-B.
        small: counts for the tiny model and the re-run.
        table: takes the results.
    """
    check(before)
    work, pair = small.work, Pair(before, small.rounds, table)
    mixed, few = work / f"mixed-{small.mixed}", work / f"photos-{large.steady + WARM}"
    pictures.make(mixed, small.mixed)
    pictures.make(few, large.steady + WARM)
    _jobs("tiny model", tiny.make(work), mixed, work, pair)
    _reruns(tiny.make(work, side=64), pictures.numbered_jpegs(work, small.stored), work, pair)
    _jobs("convnext-b", models.make("convnext-b", large.models), few, work, pair)


def check(checkout: Path) -> None:
    """Ends the benchmark when another package than the checkout's would be measured."""
    program = "import wd14; print(wd14.__file__)"
    place = run_child([sys.executable, "-c", program], env={"PYTHONPATH": str(checkout)}, cwd=checkout).output.strip()
    if place != str(checkout / "wd14" / "__init__.py"):
        raise SystemExit(f"{checkout} holds no package wd14: Python found {place}")


@dataclass(frozen=True)
class Pair:
    """This checkout and another."""

    before: Path
    rounds: int
    table: Table

    def measure(self, name: str, measure: Callable[[Path, int], dict[str, float]]) -> None:
        """Measures both in every round; which of them is first changes from round to round."""
        results: dict[str, tuple[Rounds, Rounds, Rounds]] = {}
        for number in range(self.rounds):
            order = [self.before, ROOT][:: 1 if number % 2 else -1]
            found = {checkout: measure(checkout, number) for checkout in order}
            for what, now in found[ROOT].items():
                before, this, ratio = results.setdefault(what, (Rounds(), Rounds(), Rounds()))
                before.add(found[self.before][what])
                this.add(now)
                ratio.add(now / before.last)
        for what, (before, this, ratio) in results.items():
            self.table.add(f"{name}: {what}", f"before {before.text()}, this {this.text()}, ratio {ratio.text(3)}")


def _jobs(name: str, model: Path, photos: Path, work: Path, pair: Pair) -> None:
    """Whole jobs with the model."""
    print(f"\n{name}, {sum(1 for _ in photos.iterdir())} pictures")

    def measure(checkout: Path, _: int) -> dict[str, float]:
        output = fresh(work / "out")
        os.sync()
        parameters = {"generation_model": model, "cache": False, "caption_files": True}
        child = run_caption(photos, output, checkout=checkout, **parameters)
        times = written_at(output, [".txt"])
        return {
            "steady, images/s": steady_rate(times),
            "process start to first caption, s": times[0] - child.started,
            "peak memory, MB": child.peak_bytes / 1e6,
        }

    pair.measure(name, measure)


def _reruns(model: Path, photos: Path, work: Path, pair: Pair) -> None:
    """Other thresholds, each checkout from the scores that it stored itself."""
    print(f"\nre-run from stored scores, {sum(1 for _ in photos.iterdir()):,} JPEGs")
    outputs = fresh(work / "compare")
    stores = {pair.before: outputs / "scores-before", ROOT: outputs / "scores-this"}
    for checkout, store in stores.items():
        output = outputs / f"{store.name}-first"
        run_caption(photos, output, checkout=checkout, generation_model=model, cache_folder=store)

    def measure(checkout: Path, number: int) -> dict[str, float]:
        store = stores[checkout]
        whole, steady = rerun_rates(photos, outputs / f"{store.name}-{number}", model, store, number, checkout)
        return {"process start to end, rows/s": whole, "without start-up, rows/s": steady}

    pair.measure("re-run", measure)
    # Only now: for minutes, ext4 without a journal passes over the inodes of every file that was just deleted.
    shutil.rmtree(outputs)
