"""The engine `ray`: workers on many machines, as actors of Ray Data. Ray places them and starts them anew; only the
numbers of shards and what became of them travel, never a picture.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import wd14
from wd14.errors import ScaleError
from wd14.scale.engines import Resources
from wd14.scale.marker import Marker
from wd14.scale.ray_cluster import Size, described, first_line, import_ray, joined, nodes_of, size_of_workers
from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken
from wd14.text import count
from wd14.types import Log

#: Seconds without a worker until it is said what they wait for.
_PATIENCE = 15.0
#: Seconds between two looks at the token while an outcome is waited for.
_LOOK = 0.2


class ShardActor:
    """What Ray starts on its nodes: a `Worker`, made with the first shard, so that its failure is an outcome.

    Args:
        task: what is to be done.
        version: of the package that asks.
    """

    def __init__(self, task: Task, version: str) -> None:
        self._task = task
        self._version = version
        self._worker: Any = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Does the shards of a batch, of which there is one."""
        return {"outcome": [_to_json(self._do(int(shard))) for shard in batch["shard"]]}

    def _do(self, shard: int) -> Outcome:
        if self._version != wd14.__version__:
            there, here = wd14.__version__, self._version
            return Outcome(shard, fatal=f"A worker has wd14-captioner {there}, this program {here}: install the same")
        if self._worker is None:
            from wd14.scale.worker import Worker

            self._worker = Worker(self._task)
        outcome: Outcome = self._worker(shard)
        return outcome


class RayEngine:
    """Runs workers as a pool of Ray's actors; see `engines.Engine`.

    A local Ray takes about 5 s and 500 MB to start. The driver holds about a kilobyte for each shard.

    Args:
        resources: what the workers get.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    @property
    def rows_under_way(self) -> int:
        """See `engines.Engine`: Ray tells of whole shards only."""
        return 0

    def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
        """See `engines.Engine`."""
        ray = import_ray()
        with joined(ray, self._resources, log) as ours:
            nodes = nodes_of(ray)
            size = size_of_workers(nodes, self._resources, len(shards))
            room = size.room(nodes)
            if ours and not room:
                raise ScaleError(f"No worker fits: each wants {size}, and there is {described(nodes)}")
            log(f"{count(size.workers, 'worker')}, each with {size}, on {described(nodes)}")
            if room < size.workers:
                log(f"There is room for {room} of {size.workers} workers: the others wait for nodes")
            if task.cores is None:
                task = replace(task, cores=max(1, int(size.cpus)))
            stream = _Stream(self._dataset(ray, task, shards, size))
            try:
                watch = _Watch(ray, size, len(nodes), log)
                yield from self._outcomes(stream, len(shards), watch, stop)
            finally:
                stream.close()

    def _dataset(self, ray: Any, task: Task, shards: Sequence[int], size: Size) -> Any:
        """A row for each shard, and what is done to it; nothing runs yet."""
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # ours is shown
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        # An actor that dies while it starts, as on a node that goes, is replaced as well (there is no such limit before
        # Ray 2.60).
        context.max_consecutive_actor_init_deaths = max(3, 2 * size.workers)
        rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        # One at a time: a second that waits at a worker could be done by one that is idle.
        pool = ray.data.ActorPoolStrategy(size=size.workers, max_tasks_in_flight_per_actor=1)
        return rows.map_batches(
            ShardActor,
            batch_size=1,
            compute=pool,
            num_cpus=size.cpus,
            num_gpus=size.gpus or None,
            fn_constructor_kwargs={"task": task, "version": wd14.__version__},
        )

    def _outcomes(self, stream: _Stream, shards: int, watch: _Watch, stop: StopToken) -> Iterator[Outcome]:
        for _ in range(shards):
            while (outcome := stream.take(_LOOK)) is None:
                stop.check()
                watch.look()
            stop.check()
            watch.works = True
            yield outcome


class _Watch:
    """Says what a person should know of the cluster while outcomes are waited for.

    Args:
        ray: the package.
        size: what the workers get.
        nodes: how many there are.
        log: says it.
    """

    def __init__(self, ray: Any, size: Size, nodes: int, log: Log) -> None:
        self._ray = ray
        self._size = Size(1, size.cpus, size.gpus)
        self._nodes = nodes
        self._log = log
        self._next = time.monotonic() + _PATIENCE
        self.works = False  #: a shard was done, so workers run

    def look(self) -> None:
        """Looks at the cluster, now and then."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PATIENCE
        nodes = nodes_of(self._ray)
        if len(nodes) != self._nodes:
            what = "went: its workers' shards are given to others" if len(nodes) < self._nodes else "came"
            self._log(f"{count(abs(len(nodes) - self._nodes), 'node')} {what}. Now: {described(nodes)}")
            self._nodes = len(nodes)
        if not self.works:
            self._say_what_lacks(nodes)

    def _say_what_lacks(self, nodes: Sequence[Mapping[str, float]]) -> None:
        """Says it once, if no worker can start."""
        self.works = True
        free = self._ray.available_resources()
        if not self._size.room(nodes):
            self._log(
                f"No worker can start: each wants {self._size}, and there is {described(nodes)}. Waiting for a node"
            )
        elif not self._size.room([free]) and not _one_runs(self._ray):
            self._log(
                f"No worker runs yet: each wants {self._size}; free are {free.get('CPU', 0):g} cores and "
                f"{free.get('GPU', 0):g} GPUs of {described(nodes)}. Waiting"
            )


class _Stream:
    """The outcomes of a dataset, taken in a thread of its own, so that waiting for one can end.

    Args:
        dataset: it runs from now on.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        # Ray waits when a few are not taken.
        self._queue: queue.Queue[Outcome | BaseException | None] = queue.Queue(maxsize=64)
        self._closed = False
        self._thread = threading.Thread(target=self._pump, name="ray-outcomes", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> Outcome | None:
        """The next outcome; None if there is none within `timeout` seconds.

        Raises:
            ScaleError: Ray cannot go on, or has fewer outcomes than shards.
        """
        try:
            found = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(found, Outcome):
            return found
        if found is None:
            raise ScaleError("Ray ended before all shards were done: run again to go on")
        hint = ""
        if "ModuleNotFoundError" in str(found):
            hint = "; every node needs what this machine has: the same wd14-captioner with its dependencies"
        raise ScaleError(
            f"Ray cannot go on: {first_line(found)}{hint}. Run again to go on with what is left"
        ) from found

    def close(self) -> None:
        """Ends all workers, wherever they are."""
        self._closed = True
        # There is no public way to end a dataset that another thread waits for.
        executor = getattr(self._dataset, "_current_executor", None)
        if executor is not None:
            executor.shutdown(force=True)
        self._thread.join(5)

    def _pump(self) -> None:
        last: BaseException | None = None
        try:
            for batch in self._dataset.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
                for text in batch["outcome"]:
                    self._put(_from_json(str(text)))
                if self._closed:
                    return
        except BaseException as error:  # noqa: BLE001 - raised to whoever takes
            last = error
        self._put(last)

    def _put(self, item: Outcome | BaseException | None) -> None:
        while not self._closed:
            try:
                self._queue.put(item, timeout=_LOOK)
            except queue.Full:
                continue
            return


def _one_runs(ray: Any) -> bool:
    """Whether a worker of ours is alive; true where it cannot be found out."""
    from ray.util.state import list_actors
    from ray.util.state.exception import RayStateApiException

    here = ray.get_runtime_context()
    of_ours = [("job_id", "=", here.get_job_id()), ("state", "=", "ALIVE")]
    try:
        actors = list_actors(here.gcs_address, filters=of_ours, timeout=5)
    except (RayStateApiException, ray.exceptions.RayError, OSError, ValueError, RuntimeError):
        return True
    return any(ShardActor.__name__ in actor.class_name for actor in actors)  # Ray Data has some of its own


def _to_json(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome))


def _from_json(text: str) -> Outcome:
    values = json.loads(text)
    marker = values.pop("marker")
    values["lines"] = tuple(values["lines"])
    if marker is not None:
        marker = Marker.from_bytes(json.dumps(marker).encode(), place="an outcome")
    return Outcome(marker=marker, **values)
