"""What every benchmark needs: child processes and their memory, rates from files' times, medians, a table."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
#: Rows before a steady rate is taken: every thread has had some.
WARM = 8
PICTURES = (".jpg", ".png", ".webp")


@dataclass(frozen=True)
class Child:
    """A process that ran to its end."""

    started: float  #: seconds since 1970
    seconds: float
    peak_bytes: int  #: highest sum of the proportional set sizes of the process and its descendants, sampled
    output: str


def run_child(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Child:
    """Runs a command and watches its memory; ends the benchmark when the command fails."""
    variables = {**os.environ, **(env or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # users do not compile the program anew at every start
    started = time.time()
    process = subprocess.Popen(
        command, env=variables, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    peak = resident = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak, resident
        while not done.wait(0.05):
            # The proportional size of 1 GB costs 12 ms of the process's time, so it is asked only after growth.
            now = tree_memory(process.pid, _resident)
            if now > 1.01 * resident:
                resident, peak = now, max(peak, tree_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate()[0]
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}")
    return Child(started, time.time() - started, peak, output)


def _proportional(pid: int) -> int:
    """Proportional set size of a process, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _resident(pid: int) -> int:
    """Resident set size of a process, in bytes: what it shares with others counts in full."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def tree_memory(pid: int, size: Callable[[int], int] = _proportional) -> int:
    """Memory of a process and its descendants, in bytes; 0 where there is no /proc."""
    try:
        own = size(pid)
        tasks = Path(f"/proc/{pid}/task").glob("*/children")  # any thread may have started one
        children = [child for task in tasks for child in task.read_text().split()]
    except OSError:
        return 0
    return own + sum(tree_memory(int(child), size) for child in children)


def parameter_options(parameters: Mapping[str, object]) -> list[str]:
    """Parameters as options of the command line."""
    words = []
    for key, value in parameters.items():
        name = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name}", str(value)]
    return words


def run_caption(source: Path, output: Path, *, checkout: Path = ROOT, **parameters: object) -> Child:
    """Runs `wd14-captioner caption` of a checkout of the package, as a shell would."""
    command = [
        sys.executable,
        "-m",
        "wd14.cli",
        "caption",
        str(source),
        "--output",
        str(output),
        *parameter_options(parameters),
    ]
    # `python -m` looks in the working directory first, and what it starts in PYTHONPATH.
    return run_child(command, env={"PYTHONPATH": str(checkout)}, cwd=checkout)


def written_at(folder: Path, suffixes: Sequence[str] = PICTURES) -> list[float]:
    """When the files with these suffixes in a folder were written, in order, in seconds since 1970."""
    return sorted(path.stat().st_mtime for path in folder.rglob("*") if path.suffix in suffixes)


def fresh(path: Path) -> Path:
    """The path, with nothing there any more."""
    shutil.rmtree(path, ignore_errors=True)
    return path


def steady_rate(times: Sequence[float]) -> float:
    """Rows a second once the first WARM are there: no start-up, no first batches."""
    return (len(times) - WARM) / (times[-1] - times[WARM - 1])


def pace(times: Sequence[float]) -> float:
    """Pictures a second of a short run, from the slope of a line through all times but the first few.

    Two runs at once end in pairs or in turns, so the first and the last time alone would tell 24 pictures worse.
    """
    settled = times[len(times) // 6 :]
    return float(1 / np.polyfit(range(len(settled)), np.subtract(settled, settled[0]), 1)[0])


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@dataclass
class Rounds:
    """Measurements of one quantity, one a round."""

    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        """Notes this round's."""
        self.values.append(value)

    @property
    def last(self) -> float:
        """This round's."""
        return self.values[-1]

    def text(self, digits: int = 2) -> str:
        """`median (lowest-highest)`."""
        middle, low, high = statistics.median(self.values), min(self.values), max(self.values)
        return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


@dataclass
class Table:
    """What was measured, in the order of measuring: rows of one number, and tables of their own."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    grids: list[str] = field(default_factory=list)

    def add(self, what: str, measured: str) -> None:
        """Adds a row and prints it at once: a benchmark takes its time."""
        self.rows.append((what, measured))
        print(f"  {what}: {measured}", flush=True)

    def add_grid(self, head: Sequence[str], body: Sequence[Sequence[str]]) -> None:
        """Adds a table of its own and prints it at once."""
        lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]
        self.grids.append("\n".join(lines))
        print(f"\n{self.grids[-1]}", flush=True)

    def markdown(self) -> str:
        """All of it."""
        lines = ["| measurement | median (lowest-highest) |", "|---|---|"]
        lines += [f"| {what} | {measured} |" for what, measured in self.rows]
        return "\n\n".join([*self.grids, *(["\n".join(lines)] if self.rows else [])])


def machine() -> str:
    """Processor, cores, memory, versions."""
    model = platform.processor() or platform.machine()
    memory = ""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        total = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
        memory = f", {total:.0f} GB"
    versions = {name: _version(name) for name in ("onnxruntime", "openvino", "numpy", "pillow", "datasets")}
    words = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{model}, {cores()} cores{memory}; {platform.system()}; Python {platform.python_version()}, {words}"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(none)"


def last_json(output: str) -> Any:
    """The JSON that a child printed as its last line."""
    return json.loads(output.strip().splitlines()[-1])
