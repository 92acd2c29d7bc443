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
        # In the process that Ray started.
        setattr(worker, "Worker", _KilledByOne)  # noqa: B010 - a plain assignment is no good type
        return super()._do(shard)


class _KilledByOne(worker.Worker):
    def _files_of(self, shard: int) -> Marker:
        if shard == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._files_of(shard)


class SlowActor(ShardActor):
    """Takes a second for the first shards, and an hour for the others."""

    def _do(self, shard: int) -> Outcome:
        time.sleep(1 if shard < 2 else 3600)
        return Outcome(shard, marker=Marker(shard, self._task.manifest, rows=1, captioned=1))
