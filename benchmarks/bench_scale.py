"""What `scale` costs: beside `caption` on the same pictures, and two workers of Ray beside two processes of their own.

Pictures are small and the model costs next to nothing, so what is measured is everything around them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks import pictures, tiny
from benchmarks.bench_pipeline import Options
from benchmarks.measure import ROOT, Child, Rounds, Table, fresh, run_caption, run_child

#: Shards of a run: two for each of two workers, with half as many rows as a shard has by default.
_SHARDS = 4


def scale(options: Options, table: Table) -> None:
    """Rounds of: `caption`, and `scale` with one worker, in turns; then two workers, with Ray and without."""
    print("\nscale, tiny model, small pictures")
    number = options.scaled
    model, source = tiny.make(options.work, side=64), _pictures(options.work, number)
    rows = max(1, number // _SHARDS)
    words = f"{number:,} small pictures"

    caption, one, whole, steady = Rounds(), Rounds(), Rounds(), Rounds()
    for round_ in range(options.rounds):
        turns = [partial(_caption, options.work, source, model), partial(_one, options.work, source, model, rows)]
        results = [turn() for turn in (turns if round_ % 2 else reversed(turns))]
        captioned, scaled = results if round_ % 2 else reversed(results)
        caption.add(number / captioned.seconds)
        one.add(number / scaled.seconds)
        whole.add(one.last / caption.last)
        steady.add(_steady_rate(options.work / "scale-out") / caption.last)
    table.add(f"{words}: caption, process start to end, images/s", caption.text(0))
    table.add(f"{words}: scale --engine local --workers 1, process start to end, images/s", one.text(0))
    table.add("... of caption", whole.text(3))
    table.add("... without its start, its plan and its merge, of caption", steady.text(3))
    if find_spec("ray") is None:
        print("  Ray is not installed: its workers are not measured")
    else:
        _two_workers(options, table, source, model, rows)
    for name in ("caption-out", "scale-out", "scores"):
        fresh(options.work / name)


def _two_workers(options: Options, table: Table, source: Path, model: Path, rows: int) -> None:
    """Two workers of Ray, and the same shards by two processes that know nothing of each other, a core each."""
    number, output = options.scaled, options.work / "scale-out"
    apart, ray, whole, steady = Rounds(), Rounds(), Rounds(), Rounds()
    for _ in range(options.rounds):
        apart.add(number / _apart(options.work, source, model, rows))
        alone = _steady_rate(output)
        child = _scale(source, fresh(output), model, rows, "--engine", "ray", "--workers", "2")
        ray.add(number / child.seconds)
        whole.add(ray.last / apart.last)
        steady.add(_steady_rate(output) / alone)
    table.add("two processes with a part of the shards and a core each, start to end, images/s", apart.text(0))
    table.add("scale --engine ray --workers 2, start to end, images/s", ray.text(0))
    table.add("... of the two processes", whole.text(3))
    table.add("... from the first shard to the last, of the two processes", steady.text(3))


def _pictures(work: Path, number: int) -> Path:
    folder = work / f"scale-{number}"
    if not folder.exists():
        building = fresh(folder.with_name(f"{folder.name}-partial"))
        building.mkdir()
        for index, encoded in enumerate(pictures.small_jpegs(number)):
            (building / f"{index:06d}.jpg").write_bytes(encoded)
        building.rename(folder)
    return folder


def _caption(work: Path, source: Path, model: Path) -> Child:
    os.sync()
    store = fresh(work / "scores")
    return run_caption(source, fresh(work / "caption-out"), custom_model=model, cache_folder=store)


def _one(work: Path, source: Path, model: Path, rows: int) -> Child:
    os.sync()
    return _scale(source, fresh(work / "scale-out"), model, rows, "--engine", "local", "--workers", "1")


def _scale(source: Path, output: Path, model: Path, rows: int, *more: str) -> Child:
    return run_child(_command(source, output, model, rows, *more), env={"PYTHONPATH": str(ROOT)})


def _command(source: Path, output: Path, model: Path, rows: int, *more: str) -> list[str]:
    options = ["--custom-model", str(model), "--shard-rows", str(rows), *more]
    return [sys.executable, "-m", "wd14.cli", "scale", str(source), str(output), *options]


def _apart(work: Path, source: Path, model: Path, rows: int) -> float:
    """Seconds that two processes take for a half of the shards each, start to end."""
    os.sync()
    output = fresh(work / "scale-out")
    started = time.time()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parts = [
        subprocess.Popen(
            _command(
                source, output, model, rows, "--shard-index", str(part), "--shard-count", "2", "--cpus-per-worker", "1"
            ),
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        for part in range(2)
    ]
    ended: Sequence[int] = [part.wait() for part in parts]
    if any(ended):
        raise SystemExit(f"a part ended with {max(ended)}")
    return time.time() - started


def _steady_rate(output: Path) -> float:
    """Images a second of all workers, from the time at which the first shard began to that at which the last ended."""
    markers = [json.loads(path.read_bytes()) for path in (output / "done").iterdir()]
    began = min(marker["at"] - marker["seconds"] for marker in markers)
    return float(sum(marker["rows"] for marker in markers) / (max(marker["at"] for marker in markers) - began))
