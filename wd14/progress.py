"""How fast a job is, the estimate of the time left, and showing both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from wd14.text import count, duration, share
from wd14.types import Log, Progress

if TYPE_CHECKING:
    from tqdm import tqdm

#: Seconds between two lines of progress, where no bar is shown.
LINE_EVERY = 10.0

#: Seconds over which the rate is taken: a slow start is soon forgotten.
_SPAN = 30.0


class ProgressMeter:
    """Pictures a second over the last half minute, and what follows for the rest."""

    def __init__(self) -> None:
        self._points: list[tuple[float, int]] = []  # (time in seconds, rows done by then)

    def progress(
        self, *, done: int, total: int | None, failed: int, from_scores: int, now: float, **more: Any
    ) -> Progress:
        """Where a job stands that has done so many rows at `now` (seconds of a monotonic clock).

        `more` are fields of `Progress` that say which pass it is.
        """
        rate = self._rate(done, now)
        left = None if total is None or rate <= 0 else max(0, total - done) / rate
        return Progress(done, total, failed, from_scores, rate, left, **more)

    def _rate(self, done: int, now: float) -> float:
        points = self._points
        points.append((now, done))
        # The time before the first result says nothing about the rate: begin where the count last stood at zero.
        while len(points) > 2 and (now - points[1][0] > _SPAN or points[1][1] == 0):
            del points[0]
        (then, before), (last, after) = points[0], points[-1]
        return (after - before) / (last - then) if last > then else 0.0


class ShownProgress:
    """Shows a person where a job stands: a tqdm bar on stderr, or a line every few seconds.

    Args:
        say: shows a line.
        bar: draw the bar instead of saying lines of progress.
    """

    def __init__(self, say: Log, *, bar: bool) -> None:
        self._say = say
        self._draws_bar = bar
        self._bar: tqdm[Any] | None = None
        self._phase = ""
        self._next_line = time.monotonic() + LINE_EVERY

    def log(self, line: str) -> None:
        """Says a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.clear()
        self._say(line)

    def show(self, progress: Progress) -> None:
        """Moves the bar, or says a line every few seconds."""
        if self._draws_bar:
            self._move_bar(progress)
            return
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + LINE_EVERY
            self._say(progress_line(progress))

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _move_bar(self, progress: Progress) -> None:
        if progress.phase != self._phase:
            self.close()
            self._phase = progress.phase
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=progress.phase or None,
                total=progress.total,
                unit=progress.unit,
                dynamic_ncols=True,
                smoothing=0.1,
                leave=False,
            )
        self._bar.total = progress.total  # not known before the dataset is open
        if progress.failed or progress.note:
            failed = f"{progress.failed:,} failed" if progress.failed else ""
            self._bar.set_postfix_str(", ".join(filter(None, (progress.note, failed))), refresh=False)
        self._bar.update(progress.done - self._bar.n)
        self._bar.refresh()


def in_phase(progress: Progress, line: str) -> str:
    """A line about a pass of a job that has several: `Study: 1,500 of 3,000 pictures`."""
    return f"{progress.phase}: {line}" if progress.phase else line


def done_in_words(progress: Progress) -> str:
    """`1,500 of 3,000 pictures`, or `1,500 pictures` while the total is not known."""
    if progress.total:
        return share(progress.done, progress.total, progress.unit)
    return count(progress.done, progress.unit)


def progress_line(progress: Progress) -> str:
    """`1,500 of 3,000 pictures (50%), 12.3 pictures/s, 2 min 02 s left, 2 failed`, without what is not known."""
    line = done_in_words(progress)
    if progress.fraction is not None:
        line += f" ({progress.fraction:.0%})"
    if progress.pictures_per_second > 0:
        line += f", {progress.pictures_per_second:.1f} {progress.unit}s/s"
    if progress.remaining_seconds is not None:
        line += f", {duration(progress.remaining_seconds)} left"
    if progress.failed:
        line += f", {progress.failed:,} failed"
    if progress.note:
        line += f", {progress.note}"
    return in_phase(progress, line)
