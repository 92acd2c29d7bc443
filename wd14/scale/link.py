"""What a run over shards tells the person who watches it: lines and progress, from the driver's own thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from wd14.progress import ProgressMeter
from wd14.stop import StopToken
from wd14.threads import BackgroundCall
from wd14.ticking import Link
from wd14.types import Log, Progress

R = TypeVar("R")


class Standing(NamedTuple):
    """Where something stands."""

    done: int
    total: int | None
    failed: int = 0
    note: str = ""
    unit: str = "picture"


class Tick(Protocol):
    """Is told how far something is."""

    def __call__(self, done: int, of: int | None = None, what: str = "") -> None:
        """Takes how many are done, of how many (None = not known), and what is being done."""


class RunLink(Link):
    """Shows lines and progress twice a second, and obeys a stop.

    Args:
        log: shows a line.
        progress: shows where the run stands.
        stop: looked at with every tick.
    """

    def __init__(self, log: Log, progress: Callable[[Progress], None], stop: StopToken) -> None:
        super().__init__(log, self._show_standing, stop)
        self._progress = progress
        self._standing: Callable[[], Standing] | None = None

    def begin(self, name: str, standing: Callable[[], Standing]) -> None:
        """Shows the progress of something, which is asked where it stands."""
        self._standing = standing
        self._name = name
        self._meter = ProgressMeter()

    def work(self, name: str, unit: str, make: Callable[[Tick], R]) -> R:
        """What is made in a thread that says where it stands, while its progress is shown.

        Args:
            name: of the work, for a person.
            unit: what is counted.
            make: makes it; what it is given takes how far it is, from any thread, and raises where a stop was asked
                for.

        Raises:
            JobStoppedError: a stop was asked for.
            Exception: whatever the making raised.
        """
        standing = Standing(0, None, unit=unit)

        def tick(done: int, of: int | None = None, what: str = "") -> None:
            nonlocal standing
            standing = Standing(done, of, note=what, unit=unit)
            self._stop.check()

        self.begin(name, lambda: standing)
        made = self.wait_for(BackgroundCall(lambda: make(tick), f"wd14-{name.lower()}"))
        self.end()
        return made

    def end(self) -> None:
        """Shows no progress until something else begins."""
        self._standing = None

    def _show_standing(self, now: float) -> None:
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
