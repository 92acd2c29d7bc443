"""What a job tells its host: lines and progress, from the job's own thread; a stop is obeyed on the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeVar

from wd14.data.report import Tally
from wd14.hosts.base import Host
from wd14.progress import ProgressMeter
from wd14.stop import StopToken
from wd14.text import printable
from wd14.threads import BackgroundCall

R = TypeVar("R")

#: How often (seconds) the host sees progress and a stop is looked for.
TICK = 0.5


class HostLink:
    """Tells a host what happens in a job.

    Args:
        host: hears lines and progress from the thread that makes this object, and from no other.
        stop: looked at with every tick.
        tally: the counts that are shown.
    """

    def __init__(self, host: Host, stop: StopToken, tally: Tally) -> None:
        self._host = host
        self._stop = stop
        self._thread = threading.get_ident()
        self._lines: deque[str] = deque()  # said by other threads
        self._next_tick = 0.0
        self.begin_pass(tally, total=None)

    def begin_pass(self, tally: Tally, *, total: int | None, **which: Any) -> None:
        """Shows the progress of another pass over the dataset.

        `which` are fields of `Progress` that say which pass it is.
        """
        self._tally = tally
        self._total = total
        self._which = which
        self._meter = ProgressMeter()

    def say(self, line: str) -> None:
        """Says a line, from any thread; names of files and tags in it cannot do anything to a terminal."""
        self._lines.append(printable(line))
        if threading.get_ident() == self._thread:
            self.say_waiting()

    def say_all(self, lines: Iterable[str]) -> None:
        """Says several lines."""
        for line in lines:
            self.say(line)

    def say_waiting(self) -> None:
        """Says what other threads said."""
        while self._lines:
            self._host.log(self._lines.popleft())

    def tick(self, *, at_once: bool = False) -> None:
        """Shows progress about twice a second, or at once.

        Raises:
            JobStoppedError: the job is to stop.
        """
        now = time.monotonic()
        if at_once or now >= self._next_tick:
            self._next_tick = now + TICK
            self._show_progress(now)
        self._stop.check()

    def wait_for(self, deferred: BackgroundCall[R]) -> R:
        """What is being made in a thread, since it may take long: the job can be stopped meanwhile."""
        deferred.start()
        while not deferred.wait(TICK / 2):
            self.tick()
        return deferred.result()

    def _show_progress(self, now: float) -> None:
        self.say_waiting()
        tally = self._tally
        self._host.progress(
            self._meter.progress(
                done=tally.done,
                total=self._total,
                failed=tally.failed,
                from_scores=tally.from_scores,
                now=now,
                **self._which,
            )
        )
