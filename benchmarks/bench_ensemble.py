"""Several models from stored scores beside one: what the passes of an ensemble and its votes cost."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from benchmarks import pictures, tiny
from benchmarks.bench_pipeline import Options
from benchmarks.measure import Rounds, Table, fresh, run_caption

_MODELS = 3


def ensemble(options: Options, table: Table) -> None:
    """A first run of three tiny models, then rounds in turns: one model and all three, from stored scores."""
    print("\nensemble, tiny models")
    photos = pictures.numbered_jpegs(options.work, options.stored)
    outputs, store = fresh(options.work / "ensemble"), fresh(options.work / "ensemble-scores")
    outputs.mkdir()
    first, *further = (tiny.make(options.work, side=64, seed=seed) for seed in range(_MODELS))
    several = ",".join(map(str, further))
    parameters: dict[str, Any] = {"generation_model": first, "cache_folder": store}
    fresh_rate = _rate(photos, outputs / "first", {**parameters, "ensemble": several}, from_scores=False)
    one, three = Rounds(), Rounds()
    for number in range(options.rounds):
        values = {**parameters, "thresh": 0.3 + number / 100}
        one.add(_rate(photos, outputs / f"one-{number}", values))
        three.add(_rate(photos, outputs / f"three-{number}", {**values, "ensemble": several}))
    shutil.rmtree(outputs)
    table.add(f"ensemble: {_MODELS} tiny models, {options.stored:,} JPEGs, rows/s", f"{fresh_rate:.0f}")
    table.add("ensemble: one of them from stored scores, process start to end, rows/s", one.text(0))
    table.add(f"ensemble: {_MODELS} from stored scores, process start to end, rows/s", three.text(0))


def _rate(photos: Path, output: Path, parameters: dict[str, Any], *, from_scores: bool = True) -> float:
    os.sync()
    child = run_caption(photos, output, **parameters)
    rows = sum(1 for _ in photos.iterdir())
    if bool(re.search(rf"\({rows:,} from stored scores\)", child.output)) != from_scores:
        raise SystemExit(
            f"expected all rows {'from stored scores' if from_scores else 'anew'}:\n{child.output[-3000:]}"
        )
    return rows / child.seconds
