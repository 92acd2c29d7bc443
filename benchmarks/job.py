"""A job in a process that samples its own memory: `python -m benchmarks.job SOURCE OUTPUT KEY=VALUE…`.

Prints one line of JSON: rows, seconds, rows from stored scores, and (seconds, rows done, resident bytes) about 50 times
a second.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from wd14 import CaptionConfig, caption_dataset
from wd14.hosts.local import LocalHost
from wd14.types import Progress

EVERY = 0.02


class WatchedHost(LocalHost):
    """A host that keeps the number of rows done."""

    done = 0

    def progress(self, progress: Progress) -> None:
        self.done = progress.done


def resident_bytes() -> int:
    """Resident set size of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Runs the job of the command line."""
    source, output, *parameters = sys.argv[1:]
    config = CaptionConfig.from_values(dict(parameter.split("=", 1) for parameter in parameters))
    host = WatchedHost(source, {}, output, say=lambda _: None)
    start = time.perf_counter()
    samples: list[tuple[float, int, int]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            samples.append((round(time.perf_counter() - start, 3), host.done, resident_bytes()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    summary = caption_dataset(source, config, host=host)
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    print(
        json.dumps(
            {"rows": summary.succeeded, "from_scores": summary.from_scores, "seconds": seconds, "samples": samples}
        )
    )


if __name__ == "__main__":
    main()
