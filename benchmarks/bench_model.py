"""Published architectures: the whole job beside onnxruntime alone, and beside kohya's tagger."""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import models, pictures
from benchmarks.measure import (
    WARM,
    Child,
    Rounds,
    Table,
    cores,
    fresh,
    last_json,
    run_caption,
    run_child,
    steady_rate,
    written_at,
)
from wd14 import CaptionConfig, caption_dataset
from wd14.model.scoring import threads_of_a_run


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    work: Path
    models: Path
    rounds: int
    steady: int  #: pictures of a steady run, besides the first WARM
    kohya: Path | None
    kohya_python: str


def bench(name: str, options: Options, table: Table) -> None:
    """Everything about one architecture."""
    model = models.make(name, options.models)
    photos = options.work / "photos"
    pictures.make(photos, options.steady + WARM)
    few = options.work / "photos-24"
    pictures.make(few, 24)
    print(f"\n{name}")
    _steady(name, model, photos, options, table)
    _start(name, model, few, options, table)


# ── Steady state ────────────────────────────────────────────────────────────────────────────────────────────────────


def _steady(name: str, model: Path, photos: Path, options: Options, table: Table) -> None:
    """Rounds of: onnxruntime alone in each setting, then the whole job, in this process."""
    count = cores()
    whole = _session(model, count)
    single = _session(model, 1)
    arrays = np.random.default_rng(0).uniform(0, 255, (8, models.SIDE, models.SIDE, 3)).astype(np.float32)
    settings: dict[str, Callable[[int], float]] = {
        f"batch 1, {count} threads": lambda n: _one_by_one(whole, arrays, n),
        f"batch 8, {count} threads": lambda n: _batches(whole, arrays, n),
        f"{count} runs at once of 1 thread": lambda n: _at_once(single, arrays, n, count),
    }
    alone = {setting: Rounds() for setting in settings}
    ours, kohyas, ratios = Rounds(), Rounds(), Rounds()
    for session in (whole, single):
        _one_by_one(session, arrays, 2)
    for _ in range(options.rounds):
        for setting, measure in settings.items():
            alone[setting].add(measure(max(8, options.steady // 2)))
        ours.add(steady_rate(_job(model, photos, options)))
        ratios.add(ours.last / max(rate.last for rate in alone.values()))
        if options.kohya is not None:
            kohyas.add(steady_rate(_kohya(model, photos, options)[1]))
    for setting, rate in alone.items():
        table.add(f"{name}: onnxruntime alone, {setting}, images/s", rate.text())
    table.add(f"{name}: the whole job, steady, images/s", ours.text())
    table.add(f"{name}: ... over the best setting of each round", ratios.text(3))
    if options.kohya is not None:
        table.add(f"{name}: kohya, steady, images/s", kohyas.text())


def _session(model: Path, threads: int) -> Any:
    onnxruntime: Any = importlib.import_module("onnxruntime")  # some of its releases have types, some have not
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model / "model.onnx"), options, providers=["CPUExecutionProvider"])


def _one_by_one(session: Any, arrays: Any, count: int) -> float:
    start = time.perf_counter()
    for index in range(count):
        session.run(None, {"input": arrays[index % 8 : index % 8 + 1]})
    return count / (time.perf_counter() - start)


def _batches(session: Any, arrays: Any, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count // 8):
        session.run(None, {"input": arrays})
    return count // 8 * 8 / (time.perf_counter() - start)


def _at_once(session: Any, arrays: Any, count: int, runners: int) -> float:
    """Counts only while all runners are busy."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    ends: list[float] = []
    for index in range(count):
        todo.put(index)

    def work() -> None:
        while True:
            try:
                index = todo.get_nowait()
            except queue.Empty:
                return
            session.run(None, {"input": arrays[index % 8 : index % 8 + 1]})
            ends.append(time.perf_counter())

    threads = [threading.Thread(target=work) for _ in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends.sort()
    return (count - runners) / (ends[-1] - ends[runners - 1])


def _job(model: Path, photos: Path, options: Options) -> list[float]:
    """When each caption of a job in this process was written."""
    output = fresh(options.work / "out")
    config = CaptionConfig(generation_model=str(model), cache=False, caption_files=True)
    caption_dataset(photos, config, output=output)
    return written_at(output, [".txt"])


# ── Start, end to end, memory ───────────────────────────────────────────────────────────────────────────────────────


def _start(name: str, model: Path, few: Path, options: Options, table: Table) -> None:
    """Rounds of whole processes: ours, onnxruntime with one picture, kohya's."""
    first, rate, memory, own, faster = (Rounds() for _ in range(5))
    kohya_first, kohya_rate, kohya_memory = (Rounds() for _ in range(3))
    bare = {
        "session creation": Rounds(),
        "first run, threads as in the job": Rounds(),
        "first run, all threads": Rounds(),
    }
    command = [sys.executable, "-m", "benchmarks.bench_model", str(model / "model.onnx")]
    run_child(command)  # warms the disk
    for _ in range(options.rounds):
        for what, seconds in last_json(run_child(command).output).items():
            bare[what].add(seconds)
        output = fresh(options.work / "out")
        child = run_caption(few, output, generation_model=model, cache=False, caption_files=True)
        times = written_at(output, [".txt"])
        first.add(times[0] - child.started)
        own.add(first.last - bare["session creation"].last - bare["first run, threads as in the job"].last)
        rate.add(len(times) / child.seconds)
        memory.add(child.peak_bytes / 1e9)
        if options.kohya is not None:
            child, times = _kohya(model, few, options)
            kohya_first.add(times[0] - child.started)
            kohya_rate.add(len(times) / child.seconds)
            kohya_memory.add(child.peak_bytes / 1e9)
            faster.add(rate.last / kohya_rate.last)
    table.add(f"{name}: process start to first caption, s", first.text())
    for what, seconds_ in bare.items():
        table.add(f"{name}: onnxruntime alone, {what}, s", seconds_.text())
    table.add(f"{name}: first caption, without onnxruntime's session creation and run, s", own.text())
    table.add(f"{name}: 24 pictures end to end, images/s", rate.text())
    table.add(f"{name}: peak memory, GB", memory.text())
    if options.kohya is not None:
        table.add(f"{name}: kohya, process start to first caption, s", kohya_first.text())
        table.add(f"{name}: kohya, 24 pictures end to end, images/s", kohya_rate.text())
        table.add(f"{name}: kohya, peak memory of its processes, GB", kohya_memory.text())
        table.add(f"{name}: this package over kohya, end to end", faster.text())


def _kohya(model: Path, photos: Path, options: Options) -> tuple[Child, list[float]]:
    """kohya's tagger as the original plugin ran it, and when each caption was written."""
    if options.kohya is None:
        raise ValueError("Options.kohya is not set")
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
    script = options.kohya.resolve() / "finetune/tag_images_by_wd14_tagger.py"
    child = run_child(
        [options.kohya_python, str(script), str(folder), "--model_dir", str(where), *arguments.split()],
        env={"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(options.kohya.resolve())},
        cwd=options.kohya,
    )
    return child, written_at(folder, [".txt"])


def bare_minimum(path: str) -> None:
    """What no tagger can do without: prints the seconds of session creation and of the first run."""
    seconds = {}
    picture = np.zeros((1, models.SIDE, models.SIDE, 3), dtype=np.float32)
    for words, threads in (
        ("first run, threads as in the job", threads_of_a_run()),
        ("first run, all threads", cores()),
    ):
        start = time.perf_counter()
        session = _session(Path(path).parent, threads)
        ready = time.perf_counter()
        session.run(None, {"input": picture})
        seconds[words] = time.perf_counter() - ready
        seconds.setdefault("session creation", ready - start)
        del session
    print(json.dumps(seconds))


if __name__ == "__main__":
    bare_minimum(sys.argv[1])
