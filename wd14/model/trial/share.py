"""How much of the processor other programs left to this one: a speed that was measured beside them says too little."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from wd14.regular_files import open_file

_STAT = Path("/proc/stat")
#: Columns of a processor's line that count work: user, nice, system, irq, softirq, steal.
_WORK = (1, 2, 3, 6, 7, 8)
#: Less than this is not believed.
_LEAST = 0.1


class ProcessorShare:
    """Begins to look when it is made.

    Args:
        threads: that this process wants to run at once.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._began = self._now()

    def so_far(self) -> float:
        """The share that this process had of what it wanted: 1 where nobody disturbed it, or where none can say."""
        seconds, own, all_work = (now - then for now, then in zip(self._now(), self._began, strict=True))
        processors = len(_processors())
        if not processors or seconds <= 0 or all_work <= 0:
            return 1.0
        left = 1 - max(0.0, all_work - own) / (seconds * processors)
        had = own / (seconds * min(self._threads, processors))
        return min(1.0, max(left, had, _LEAST))

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Seconds on the clock; of processor time of this process; of all work on its processors."""
        return time.perf_counter(), time.process_time(), _work()


def _work() -> float:
    """Seconds of work on the processors that this process may use, since the machine's start; 0 = not known."""
    names = {f"cpu{number}" for number in _processors()}
    total = 0
    with suppress(OSError, ValueError, IndexError), open_file(_STAT) as file:
        for line in file.read(1 << 20).decode("ascii", "replace").splitlines():
            columns = line.split()
            if columns and columns[0] in names:
                total += sum(int(columns[index]) for index in _WORK)
        return total / os.sysconf("SC_CLK_TCK")
    return 0.0


def _processors() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
