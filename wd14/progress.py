"""How fast a job is, and the estimate of the time left."""

from __future__ import annotations

from wd14.text import count, duration, share
from wd14.types import Progress

#: Seconds between two lines of progress, where no bar is shown.
LINE_EVERY = 10.0

#: Seconds over which the rate is taken: a slow start is soon forgotten.
_SPAN = 30.0


class ProgressMeter:
    """Pictures a second over the last half minute, and what follows for the rest."""

    def __init__(self) -> None:
        self._points: list[tuple[float, int]] = []  # (time in seconds, rows done by then)

    def progress(self, *, done: int, total: int | None, failed: int, from_scores: int, now: float) -> Progress:
        """Where a job stands that has done so many rows at `now` (seconds of a monotonic clock)."""
        rate = self._rate(done, now)
        left = None if total is None or rate <= 0 else max(0, total - done) / rate
        return Progress(done, total, failed, from_scores, rate, left)

    def _rate(self, done: int, now: float) -> float:
        points = self._points
        points.append((now, done))
        # The time before the first result says nothing about the rate: begin where the count last stood at zero.
        while len(points) > 2 and (now - points[1][0] > _SPAN or points[1][1] == 0):
            del points[0]
        (then, before), (last, after) = points[0], points[-1]
        return (after - before) / (last - then) if last > then else 0.0


def done_in_words(progress: Progress) -> str:
    """`1,500 of 3,000 pictures`, or `1,500 pictures` while the total is not known."""
    if progress.total:
        return share(progress.done, progress.total, "picture")
    return count(progress.done, "picture")


def progress_line(progress: Progress) -> str:
    """`1,500 of 3,000 pictures (50%), 12.3 pictures/s, 2 min 02 s left, 2 failed`, without what is not known."""
    line = done_in_words(progress)
    if progress.fraction is not None:
        line += f" ({progress.fraction:.0%})"
    line += f", {progress.pictures_per_second:.1f} pictures/s"
    if progress.remaining_seconds is not None:
        line += f", {duration(progress.remaining_seconds)} left"
    if progress.failed:
        line += f", {progress.failed:,} failed"
    return line
