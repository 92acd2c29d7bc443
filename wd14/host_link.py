"""What a job tells its host: lines and progress, from the job's own thread; a stop is obeyed on the way."""

from __future__ import annotations

from typing import Any

from wd14.data.report import Tally
from wd14.hosts.base import Host
from wd14.progress import ProgressMeter
from wd14.stop import StopToken
from wd14.ticking import Link


class HostLink(Link):
    """Tells a host what happens in a job.

    Args:
        host: hears lines and progress from the thread that makes this object, and from no other.
        stop: looked at with every tick.
        tally: the counts that are shown.
    """

    def __init__(self, host: Host, stop: StopToken, tally: Tally) -> None:
        super().__init__(host.log, self._show_pass, stop)
        self._host = host
        self.begin_pass(tally, total=None)

    def begin_pass(self, tally: Tally, *, total: int | None, **which: Any) -> None:
        """Shows the progress of another pass over the dataset.

        `which` are fields of `Progress` that say which pass it is.
        """
        self._tally = tally
        self._total = total
        self._which = which
        self._meter = ProgressMeter()

    def _show_pass(self, now: float) -> None:
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
