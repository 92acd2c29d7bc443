"""What Ray starts in tests of the engine: workers that die, and workers that take long."""

from __future__ import annotations

import os
import signal
import time

from wd14.scale import worker
from wd14.scale.marker import Marker
from wd14.scale.ray_engine import ShardActor
from wd14.scale.task import Outcome

#: The shard that no worker survives.
DEADLY = 1


class DeadlyActor(ShardActor):
    """Its process is killed by one of the shards, as by a lack of memory."""

    def _do(self, shard: int) -> Outcome:
        worker.Worker._files_of = _killed_by_one  # type: ignore[assignment, method-assign]  # in the process that Ray started
        return super()._do(shard)


_files_of = worker.Worker._files_of


def _killed_by_one(itself: worker.Worker, shard: int) -> Marker:
    if shard == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return _files_of(itself, shard)


class SlowActor(ShardActor):
    """Takes a second for the first shards, and an hour for the others."""

    def _do(self, shard: int) -> Outcome:
        time.sleep(1 if shard < 2 else 3600)
        return Outcome(shard, marker=Marker(shard, self._task.manifest, rows=1, captioned=1))
