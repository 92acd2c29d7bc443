"""What a run over shards tells the person who watches it: lines and progress, from the driver's own thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from wd14.progress import ProgressMeter
from wd14.stop import StopToken
from wd14.text import printable
from wd14.ticking import Ticker
from wd14.types import Log, Progress


class Standing(NamedTuple):
    """Where something stands."""

    done: int
    total: int | None
    failed: int = 0
    note: str = ""
    unit: str = "picture"


class RunLink(Ticker):
    """Shows lines and progress twice a second, and obeys a stop.

    Args:
        log: shows a line.
        progress: shows where the run stands.
        stop: looked at with every tick.
    """

    def __init__(self, log: Log, progress: Callable[[Progress], None], stop: StopToken) -> None:
        super().__init__(self._show_all, stop)
        self._log = log
        self._progress = progress
        self._thread = threading.get_ident()
        self._lines: deque[str] = deque()  # said by other threads
        self._standing: Callable[[], Standing] | None = None

    def say(self, line: str) -> None:
        """Says a line, from any thread; names of files in it cannot do anything to a terminal."""
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
            self._log(self._lines.popleft())

    def begin(self, name: str, standing: Callable[[], Standing]) -> None:
        """Shows the progress of something, which is asked where it stands."""
        self._standing = standing
        self._name = name
        self._meter = ProgressMeter()

    def begin_work(self, name: str, unit: str) -> Callable[..., None]:
        """Shows the progress of something that says itself where it stands, from any thread.

        Returns:
            What it calls, with how many are done, of how many (None = not known), and what it does.
        """
        standing = Standing(0, None, unit=unit)

        def tick(done: int, of: int | None = None, what: str = "") -> None:
            nonlocal standing
            standing = Standing(done, of, note=what, unit=unit)
            self._stop.check()

        self.begin(name, lambda: standing)
        return tick

    def end(self) -> None:
        """Shows no progress until something else begins."""
        self._standing = None

    def _show_all(self, now: float) -> None:
        self.say_waiting()
        if self._standing is not None:
            at = self._standing()
            self._progress(
                self._meter.progress(
                    done=at.done,
                    total=at.total,
                    failed=at.failed,
                    from_scores=0,
                    now=now,
                    phase=self._name,
                    note=at.note,
                    unit=at.unit,
                )
            )
