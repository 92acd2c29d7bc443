"""The tagger by itself, opened as a job does: `python -m benchmarks.ours MODEL PRECISION [INPUTS.npy SCORES.npy]`.

The number of pictures is not known, so this run measures what is fastest where that is not remembered. With INPUTS.npy
(n, side, side, 3) the scores of these pictures are written to SCORES.npy. Prints what the tagger says, and one line of
JSON: what it runs on, and in which precision.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np

from wd14.model.runtimes.session import Precision
from wd14.model.scoring import runs_at_once, threads_of_a_run
from wd14.model.tagger import Tagger


def main() -> None:
    """Opens the model of the command line."""
    model, precision, *files = sys.argv[1:]
    tagger = Tagger.load(
        model,
        precision=cast("Precision", precision),
        intra_op_threads=threads_of_a_run(),
        runs_at_once=runs_at_once(),
        log=print,
    )
    if files:
        pictures = np.load(files[0])
        with ThreadPoolExecutor(runs_at_once()) as threads:
            scores = threads.map(lambda index: tagger.run(pictures[index : index + 1]), range(len(pictures)))
            np.save(files[1], np.concatenate(list(scores)))
    print(json.dumps({"device": tagger.device, "precision": tagger.precision}))


if __name__ == "__main__":
    main()
