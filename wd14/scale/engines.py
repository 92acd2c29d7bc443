"""What runs the workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken
from wd14.types import Log


@dataclass(frozen=True)
class Resources:
    """What the workers get."""

    workers: int | None = None  #: None = as many as suit the machine or the cluster
    cpus: float | None = None  #: cores of a worker
    gpus: float | None = None  #: of a worker; fractions share one
    address: str | None = None  #: of a running Ray cluster; None = RAY_ADDRESS, else one is started


class Engine(Protocol):
    """Runs workers on shards."""

    @property
    def rows_under_way(self) -> int:
        """Pictures that are done in the shards under way, as far as it is known; from any thread."""
        ...

    def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
        """Does the shards in any order; the outcomes as they come.

        A worker that dies is replaced, and its shard given to another. Closing the iterator ends all workers.

        Raises:
            ScaleError: no worker can be kept alive, or the engine cannot be had here.
            JobStoppedError: a stop was asked for.
        """
        ...
