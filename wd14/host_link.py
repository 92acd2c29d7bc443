"""What a job tells its host: lines and progress, from the job's own thread; a stop is obeyed on the way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

from wd14.data.report import Tally
from wd14.hosts.base import Host
from wd14.progress import ProgressMeter
from wd14.stop import StopToken
from wd14.text import printable
from wd14.ticking import Ticker


class HostLink(Ticker):
    """Tells a host what happens in a job.

    Args:
        host: hears lines and progress from the thread that makes this object, and from no other.
        stop: looked at with every tick.
        tally: the counts that are shown.
    """

    def __init__(self, host: Host, stop: StopToken, tally: Tally) -> None:
        super().__init__(self._show_progress, stop)
        self._host = host
        self._thread = threading.get_ident()
        self._lines: deque[str] = deque()  # said by other threads
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
