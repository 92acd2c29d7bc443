"""How far the scores of other runtimes and of lower precision are from onnxruntime's, on real photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import alone, models, pictures
from benchmarks.bench_model import ALONE, EXACT, FAST, ONNXRUNTIME, Options, place, run_alone, run_ours
from benchmarks.measure import Table, last_json

THRESHOLD = 0.35
COMPARED = ("convnext-b", "vit-b16", "swinv2-b")
HEAD = (
    "against onnxruntime alone",
    "largest difference of a score",
    "99.9 % of scores within",
    "mean difference",
    "tags lost and gained at 0.35",
    "pictures with other tags",
)

Scores = NDArray[np.float32]  # (pictures, tags)


def differences(options: Options, table: Table) -> None:
    """A table for each architecture. The weights are random, so a real model's differences are others, if alike."""
    inputs = options.work / "photographs.npy"
    np.save(inputs, pictures.model_inputs(options.compared, models.SIDE))
    for name in COMPARED:
        model = models.make(name, options.models)
        words = models.ARCHITECTURES[name].words
        print(f"\ndifferences: {words}", flush=True)
        scores = _scores(model, inputs, options)
        reference = scores.pop(ONNXRUNTIME)
        rows = [(what, *_cells(reference, compared)) for what, compared in scores.items()]
        table.add_grid([f"{words}, {options.compared} photographs, {HEAD[0]}", *HEAD[1:]], rows)


def _scores(model: Path, inputs: Path, options: Options) -> dict[str, Scores]:
    """The scores of every way to run a model."""
    file = options.work / "scores.npy"
    found: dict[str, Scores] = {}
    for words, runtime in ALONE.items():
        if runtime.endswith("bfloat16") and not alone.has_bfloat16():
            continue
        run_alone(runtime, model, inputs, options.compared, str(file))
        found[words] = np.load(file)
    for words, precision in ((EXACT, "exact"), (FAST, "fast")):
        runs_on = last_json(run_ours(model, "open", str(model), precision, str(inputs), str(file)).output)
        found[f"{words} ({place(runs_on, precision)})"] = np.load(file)
    return found


def _cells(reference: Scores, scores: Scores) -> list[str]:
    difference = np.abs(scores - reference)
    before, now = reference >= THRESHOLD, scores >= THRESHOLD
    lost, gained = int((before & ~now).sum()), int((now & ~before).sum())
    changed = int((before != now).any(axis=1).sum())
    return [
        f"{difference.max():.1e}",
        f"{np.quantile(difference, 0.999):.1e}",
        f"{difference.mean():.1e}",
        f"{lost} and {gained} of {int(before.sum()):,}",
        f"{changed} of {len(reference)}",
    ]
