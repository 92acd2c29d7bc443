"""What the thread that a user waits on does beside its work: it shows progress, and obeys a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from wd14.stop import StopToken
from wd14.threads import BackgroundCall, Exhausted

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
