"""The package, with a built model that counts as one of the registry's: `python -m benchmarks.ours SHA256 COMMAND…`.

Of a model that nobody vouches for the package tries less: OpenVINO only where it is asked for. SHA256 is that of its
model.onnx. COMMAND is one of `wd14-captioner`, or `open`:

    open MODEL PRECISION [INPUTS.npy SCORES.npy]

opens the tagger by itself as a job does. The number of pictures is not known, so this measures what is fastest where
that is not remembered. With INPUTS.npy (n, side, side, 3), of whole numbers, the scores of these pictures are written
to SCORES.npy. Prints what the tagger says, and one line of JSON: what it runs on, and in which precision.
"""

from __future__ import annotations

import sys
from types import MappingProxyType

from wd14.cli import entry
from wd14.model.files import registry
from wd14.model.files.description import FileDescription, LabelsDescription, ModelDescription


def main() -> None:
    """Runs the command line."""
    sha256, command, *arguments = sys.argv[1:]
    files = FileDescription("model.onnx", sha256), LabelsDescription("selected_tags.csv")
    known = ModelDescription("benchmark/model", "benchmark/model", None, *files)
    registry._BY_SHA256 = MappingProxyType({**registry._BY_SHA256, sha256: known})
    if command == "open":
        _open(*arguments)
    else:
        sys.argv[1:] = [command, *arguments]
        entry.main()


def _open(model: str, precision: str, *files: str) -> None:
    # Imported here: `caption` is to start as fast as its user's.
    import json
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from wd14.model.scoring import runs_at_once, threads_of_a_run
    from wd14.model.tagger import Tagger

    tagger = Tagger.load(
        model,
        precision="fast" if precision == "fast" else "exact",
        intra_op_threads=threads_of_a_run(),
        runs_at_once=runs_at_once(),
        pictures=None,
        log=print,
    )
    if files:
        pictures = np.load(files[0]).astype(np.uint8)
        with ThreadPoolExecutor(runs_at_once()) as threads:
            scores = threads.map(lambda index: tagger.run(pictures[index : index + 1]), range(len(pictures)))
            np.save(files[1], np.concatenate(list(scores)))
    print(json.dumps({"device": tagger.device, "precision": tagger.precision}))


if __name__ == "__main__":
    main()
