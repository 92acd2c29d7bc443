"""A runtime alone: `python -m benchmarks.alone RUNTIME MODEL.onnx INPUTS.npy COUNT RUNS THREADS [SCORES.npy]`.

RUNTIME is a key of RUNTIMES. COUNT pictures go through the model, those of INPUTS.npy (n, side, side, 3) over and over,
one at a time, RUNS at once on THREADS in all. Prints one line of JSON: when each was done, in seconds since 1970.
With SCORES.npy the scores of the pictures of INPUTS.npy are written there. Needs nothing of the captioner, so that the
memory of the process is the runtime's.
"""

from __future__ import annotations

import importlib
import json
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[Any], Any]  #: (1, side, side, 3) float32 to (1, tags)
Opener = Callable[[str, int, int], Run]


def onnxruntime(path: str, runs: int, threads: int) -> Run:
    """onnxruntime on the CPU, as it comes."""
    ort: Any = importlib.import_module("onnxruntime")  # some of its releases have types, some have not
    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, threads // runs)
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda picture: session.run(None, {name: picture})[0]


def openvino(path: str, runs: int, threads: int, *, precision: str = "f32") -> Run:
    """OpenVINO on the CPU, with a stream for each run and one picture as the shape of its input."""
    package: Any = importlib.import_module("openvino")
    package.Type.f32.to_dtype()  # its first use: two runs that make it at once would wait for each other for ever
    core = package.Core()
    model = core.read_model(path)
    shape = model.inputs[0].get_partial_shape()
    shape[0] = 1
    model.reshape({model.inputs[0]: shape})
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(runs),
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
        },
    )
    del model
    own = threading.local()  # a request serves one thread at a time

    def run(picture: Any) -> Any:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        own.request.infer({0: picture}, share_inputs=True)
        return own.request.get_output_tensor(0).data.copy()

    return run


def openvino_bfloat16(path: str, runs: int, threads: int) -> Run:
    """OpenVINO on the CPU, in bfloat16."""
    return openvino(path, runs, threads, precision="bf16")


RUNTIMES: dict[str, Opener] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "openvino-bfloat16": openvino_bfloat16,
}


def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16, as OpenVINO sees it."""
    core: Any = importlib.import_module("openvino").Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def main() -> None:
    """Runs what the command line says."""
    runtime, path, inputs, *numbers = sys.argv[1:7]
    count, runs, threads = map(int, numbers)
    pictures = np.load(inputs)
    run = RUNTIMES[runtime](path, runs, threads)
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(count):
        todo.put(index)
    scores: dict[int, Any] = {}
    ends: list[float] = []

    def work() -> None:
        while True:
            try:
                index = todo.get_nowait()
            except queue.Empty:
                return
            scores[index] = run(pictures[index % len(pictures)][np.newaxis])
            ends.append(time.time())

    workers = [threading.Thread(target=work) for _ in range(runs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if len(sys.argv) > 7:
        np.save(sys.argv[7], np.concatenate([scores[index] for index in range(len(pictures))]))
    print(json.dumps(sorted(ends)))


if __name__ == "__main__":
    main()
