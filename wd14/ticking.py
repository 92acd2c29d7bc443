"""What the thread that a user waits on does beside its work: it shows progress and lines, and obeys a stop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from wd14.stop import StopToken
from wd14.text import printable
from wd14.threads import BackgroundCall, Exhausted
from wd14.types import Log

R = TypeVar("R")

#: How often (seconds) progress is shown and a stop is looked for.
TICK = 0.5


class Ticker:
    """Shows progress twice a second and obeys a stop, also while other threads work.

    Args:
        show: shows progress; it is given the time, in seconds of a monotonic clock.
        stop: looked at with every tick.
    """

    def __init__(self, show: Callable[[float], None], stop: StopToken) -> None:
        self._show = show
        self._stop = stop
        self._next = 0.0

    def tick(self, *, at_once: bool = False) -> None:
        """Shows progress about twice a second, or at once.

        Raises:
            JobStoppedError: a stop was asked for.
        """
        now = time.monotonic()
        if at_once or now >= self._next:
            self._next = now + TICK
            self._show(now)
        self._stop.check()

    def wait_for(self, call: BackgroundCall[R]) -> R:
        """What is being made in a thread, since it may take long.

        Raises:
            JobStoppedError: a stop was asked for.
            Exception: whatever the making raised.
        """
        call.start()
        while not call.wait(TICK / 2):
            self.tick()
        return call.result()

    def each(self, take: Callable[[float], R]) -> Iterator[R]:
        """What `take` gives, one after the other.

        Args:
            take: waits at most so many seconds for the next; raises `TimeoutError` where it is not ready by then, and
                `Exhausted` when there are no more.

        Raises:
            JobStoppedError: a stop was asked for.
            Exception: whatever else `take` raised.
        """
        while True:
            self.tick()
            try:
                taken = take(TICK / 2)
            except TimeoutError:
                continue
            except Exhausted:
                break
            yield taken
        self.tick(at_once=True)


class Link(Ticker):
    """A ticker that also says lines: whoever they come from, the thread that made it says them.

    Args:
        log: says a line.
        show: shows progress, as `Ticker` has it; what other threads said is said before.
        stop: looked at with every tick.
    """

    def __init__(self, log: Log, show: Callable[[float], None], stop: StopToken) -> None:
        super().__init__(self._say_and_show, stop)
        self._log = log
        self._show_progress = show
        self._thread = threading.get_ident()
        self._lines: deque[str] = deque()  # said by other threads

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
            self._log(self._lines.popleft())

    def _say_and_show(self, now: float) -> None:
        self.say_waiting()
        self._show_progress(now)
