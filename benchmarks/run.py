"""All measurements in one table: what `scripts/bench` runs. See benchmarks/README.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from pathlib import Path

from benchmarks import (
    bench_differences,
    bench_ensemble,
    bench_families,
    bench_gpu,
    bench_model,
    bench_pipeline,
    bench_review,
    bench_scale,
    bench_scale_growth,
    bench_similar,
    compare,
)
from benchmarks.measure import ROOT, Table, fresh, machine
from benchmarks.models import ARCHITECTURES

PIPELINE = {
    "overhead": bench_pipeline.overhead,
    "rerun": bench_pipeline.rerun,
    "ensemble": bench_ensemble.ensemble,
    "growth": bench_pipeline.growth,
    "flat": bench_pipeline.flat,
    "families": bench_families.families,
    "similar": bench_similar.similar,
    "review": bench_review.review,
    "scale": bench_scale.scale,
    "scale_growth": bench_scale_growth.growth,
}


def main() -> None:
    """Runs what the command line names, and prints the table as Markdown."""
    arguments = _arguments()
    quick = arguments.quick
    rounds = 1 if quick else arguments.rounds
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.environ["WD14_CACHE"] = str(fresh(work / "cache"))  # what runs a model fastest is to be found out by this run
    built = (arguments.models or work / "models").resolve()
    large = bench_model.Options(
        work=work,
        models=built,
        rounds=rounds,
        count=12 if quick else 24,
        steady=8 if quick else 24,
        compared=4 if quick else 36,
        kohya=arguments.kohya,
        kohya_python=arguments.kohya_python,
    )
    small = bench_pipeline.Options(
        work=work,
        rounds=rounds,
        mixed=40 if quick else 240,
        stored=400 if quick else 4000,
        growth=(100, 500, 1000) if quick else (1000, 10_000, 100_000),
        flat=120 if quick else 2000,
        similar=1000 if quick else 100_000,
        reviewed=1000 if quick else 30_000,
        scaled=400 if quick else 20_000,
        scale_growth=(20_000,) if quick else (1_000_000, 10_000_000, 100_000_000),
    )
    table = Table()
    started = time.time()
    heading = f"{time.strftime('%Y-%m-%d')}, commit {_commit()}{', --quick' if quick else ''}\n{machine()}"
    print(heading)
    for name in arguments.what or [*ARCHITECTURES, "differences", *PIPELINE]:
        if name in ARCHITECTURES:
            bench_model.bench(name, large, table)
        elif name == "differences":
            bench_differences.differences(large, table)
        elif name in PIPELINE:
            PIPELINE[name](small, table)
        elif name == "gpu":
            bench_gpu.gpu(small, arguments.device, table)
        else:
            compare.compare(arguments.before.resolve(), large, small, table)
    print(f"\n{heading}; {rounds} rounds, {(time.time() - started) / 60:.0f} minutes\n\n{table.markdown()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    names = [*ARCHITECTURES, "differences", *PIPELINE, "gpu", "compare"]
    what = f"of {', '.join(names)} (default: all but gpu and compare)"
    parser.add_argument("what", nargs="*", metavar="WHAT", help=what)
    parser.add_argument("--before", type=Path, help="for compare: another checkout, the folder that holds its wd14/")
    parser.add_argument("--device", default="cuda", help="for gpu: the device (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=ROOT / ".bench", help="folder for pictures, models and outputs")
    parser.add_argument("--models", type=Path, help="folder of the built models (default: in the work folder)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default: %(default)s)")
    parser.add_argument("--kohya", type=Path, help="a copy of kohya-ss/sd-scripts to measure as well")
    parser.add_argument("--kohya-python", default="python3", help="the Python that runs it")
    parser.add_argument("--quick", action="store_true", help="small counts: whether it works, not how fast")
    arguments = parser.parse_args()
    if unknown := set(arguments.what) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if ("compare" in arguments.what) != (arguments.before is not None):
        parser.error("compare and --before FOLDER go together")
    return arguments


def _commit() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
