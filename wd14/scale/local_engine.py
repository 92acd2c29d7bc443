"""Workers on this machine: a process each, with a pipe to it. Without Ray."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import connection, get_context, resource_tracker
from typing import TYPE_CHECKING

from wd14.errors import ScaleError
from wd14.scale.engines import Resources
from wd14.scale.task import Outcome, Task
from wd14.scale.worker_process import SIGNALS, Ready, RowsDone, run_worker
from wd14.stop import StopToken
from wd14.text import count
from wd14.threads import available_cores
from wd14.types import Log

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

#: Seconds between two looks at the stop token.
_LOOK = 0.2
#: Seconds that workers have to end by themselves.
_PATIENCE = 5.0
#: So many workers in a row that die before they have begun are reason enough to give up.
_MOST_STILLBORN = 3


class LocalEngine:
    """Runs workers as processes of this machine.

    Without a number of workers there is one: it uses all cores, or the GPU, as `caption` does.

    Args:
        resources: what the workers get.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._workers: list[_Process] = []

    @property
    def rows_under_way(self) -> int:
        """See `engines.Engine`."""
        return sum(worker.rows_done for worker in tuple(self._workers))

    def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
        """See `engines.Engine`."""
        waiting = deque(shards)
        number = min(self._resources.workers or 1, len(shards))
        task = replace(task, cores=self._cores(number))
        stillborn = 0
        try:
            self._workers = [_Process(task) for _ in range(number)]
            while waiting or any(worker.shard is not None for worker in self._workers):
                stop.check()
                for worker in self._workers:
                    worker.take_from(waiting)
                for worker in _with_news(self._workers):
                    outcome = worker.news()
                    if outcome is not None:
                        yield outcome
                    if worker.is_dead:
                        worker.end(patience=1.0)
                        stillborn = 0 if worker.was_ready else stillborn + 1
                        if stillborn >= _MOST_STILLBORN:
                            raise ScaleError(
                                f"{count(stillborn, 'worker')} in a row ended before the first picture, the last one"
                                f" {worker.end_in_words()}: see the lines above, and give the machine more memory or"
                                " fewer --workers"
                            )
                        self._replace(worker, waiting, log)
                        self._workers[self._workers.index(worker)] = _Process(task)
        finally:
            workers, self._workers = self._workers, []
            _end_all(workers, stop.reason or "the run has ended")
        stop.check()

    def _cores(self, number: int) -> int | None:
        """Cores of each worker; None = all."""
        if self._resources.cpus is not None:
            return max(1, round(self._resources.cpus))
        return None if number == 1 else max(1, available_cores() // number)

    def _replace(self, worker: _Process, waiting: deque[int], log: Log) -> None:
        """Gives a dead worker's shard back, and says so."""
        if worker.shard is not None:
            waiting.appendleft(worker.shard)
            log(f"A worker {worker.end_in_words()} at shard {worker.shard}: another one takes its place.")


class _Process:
    """A worker's process, as the driver sees it."""

    def __init__(self, task: Task) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self.pipe: Connection = ours
        self.shard: int | None = None  #: that it is at
        self.rows_done = 0
        self.was_ready = False
        self.is_dead = False
        self._process: SpawnProcess = context.Process(
            target=run_worker, args=(theirs, task), name="wd14-worker", daemon=True
        )
        with _signals_held_back():
            self._process.start()
        theirs.close()  # so that our end tells when the process has gone

    def take_from(self, waiting: deque[int]) -> None:
        """Gives it a shard, where it has none."""
        if self.shard is None and waiting and not self.is_dead:
            self.shard = waiting.popleft()
            self._send(self.shard)

    def news(self) -> Outcome | None:
        """What it says; an outcome where its shard is done."""
        try:
            said: object = self.pipe.recv()
        except (EOFError, OSError):
            self.is_dead = True
            return None
        if isinstance(said, RowsDone):
            self.rows_done = said.rows
        elif isinstance(said, Ready):
            self.was_ready = True
        elif isinstance(said, Outcome):
            self.shard, self.rows_done = None, 0
            return said
        return None

    def ask_to_end(self, reason: str) -> None:
        """Asks it to leave its shard and to end."""
        self._send(reason)

    def end(self, patience: float) -> None:
        """Sees to it that the process is gone: waits so many seconds for it, then kills it."""
        self._process.join(max(0.0, patience))
        self.kill()

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def end_in_words(self) -> str:
        """How the process ended: `was killed (SIGKILL, …)`, `ended with status 1`."""
        status = self._process.exitcode or 0
        if status >= 0:
            return f"ended with status {status}"
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"was killed ({name}{hint})"

    def _send(self, message: int | str) -> None:
        with suppress(OSError):  # it has gone: `news` sees that
            self.pipe.send(message)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process that is started meanwhile takes no Ctrl-C before it ignores it: it would end with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start, which is part of the first process's, lets the signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _with_news(workers: Sequence[_Process]) -> list[_Process]:
    ready = connection.wait([worker.pipe for worker in workers], _LOOK)
    return [worker for worker in workers if worker.pipe in ready]


def _end_all(workers: Sequence[_Process], reason: str) -> None:
    """Ends all workers: asks, waits, kills. A second Ctrl-C kills them at once."""
    try:
        for worker in workers:
            worker.ask_to_end(reason)
        deadline = time.monotonic() + _PATIENCE
        for worker in workers:
            worker.end(deadline - time.monotonic())
    except BaseException:
        for worker in workers:
            worker.kill()
        raise
