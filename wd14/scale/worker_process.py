"""The process of a worker of the local engine: shards come through a pipe, outcomes go back."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wd14.images.pillow_warnings import ignore_pillow_warnings
from wd14.scale.task import Outcome, Task

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from wd14.scale.worker import Worker

#: Signals that are for the driver. They are held back while a worker starts, until it ignores them.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
#: Seconds between two reports of how far a shard is.
_REPORT_EVERY = 1.0
#: Seconds in which the shard under way may end by itself when the driver has gone.
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker waits for shards."""


@dataclass(frozen=True, slots=True)
class RowsDone:
    """How far the shard under way is."""

    rows: int


def run_worker(pipe: Connection, task: Task) -> None:
    """Does shards until it is told to end, or until whoever sends them has gone.

    Args:
        pipe: brings the numbers of shards, and a reason to end; takes what becomes of them.
        task: what is to be done.
    """
    # Ctrl-C goes to every process of a terminal, and Slurm's SIGTERM to every process of a job: the driver obeys, and
    # tells its workers. Where it is killed, the pipe ends.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    ignore_pillow_warnings()
    _Loop(pipe, task).run()
    atexit._run_exitfuncs()
    os._exit(0)  # threads may still be in a library


class _Loop:
    """Shards in, outcomes out."""

    def __init__(self, pipe: Connection, task: Task) -> None:
        self._pipe = pipe
        self._task = task
        self._shards = queue.SimpleQueue[int | None]()
        self._sending = threading.Lock()
        self._worker: Worker | None = None
        self._at: int | None = None  # the shard under way
        self._reason: str | None = None

    def run(self) -> None:
        for work in (self._listen, self._report):
            threading.Thread(target=work, name=f"wd14-worker-{work.__name__.strip('_')}", daemon=True).start()
        from wd14.scale.worker import Worker

        self._worker = Worker(self._task)
        self._send(Ready())
        while (shard := self._shards.get()) is not None and self._reason is None:
            self._at = shard
            outcome = self._worker(shard)
            self._at = None
            self._send(outcome)

    def _listen(self) -> None:
        """Takes what comes through the pipe, also while a shard is under way."""
        while self._reason is None:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                self._end("the driver has gone")
                # A library may hold the shard's thread; nobody waits for it any more.
                threading.Event().wait(_GRACE)
                os._exit(1)
            if isinstance(message, int):
                self._shards.put(message)
            else:
                self._end(str(message))

    def _end(self, reason: str) -> None:
        self._reason = reason
        if self._worker is not None:
            self._worker.stop(reason)
        self._shards.put(None)

    def _report(self) -> None:
        """Says how far the shard under way is."""
        while True:
            threading.Event().wait(_REPORT_EVERY)
            if self._worker is not None and self._at is not None:
                self._send(RowsDone(self._worker.rows_done))

    def _send(self, message: Outcome | Ready | RowsDone) -> None:
        with suppress(OSError), self._sending:  # nobody listens any more: `_listen` ends the process
            self._pipe.send(message)
