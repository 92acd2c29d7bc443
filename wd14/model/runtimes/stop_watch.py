"""Passes a stop on to a runtime, which cannot look for one while it works."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from wd14.stop import StopToken


class StopWatch:
    """Calls what ends a runtime's work when a stop comes: a thread waits for it."""

    def __init__(self, stop: StopToken) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._to_cancel: set[Callable[[], None]] = set()
        threading.Thread(target=self._watch, name="wd14-stop-watch", daemon=True).start()

    def check(self) -> None:
        """Raises JobStoppedError when a stop has come."""
        self._stop.check()

    @contextlib.contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Calls `cancel` when a stop comes before the end of the block.

        Raises:
            JobStoppedError: one has come already.
        """
        with self._lock:
            self._stop.check()
            self._to_cancel.add(cancel)
        try:
            yield
        finally:
            with self._lock:
                self._to_cancel.discard(cancel)

    def _watch(self) -> None:
        while not self._stop.wait(60):
            pass
        with self._lock:
            for cancel in self._to_cancel:
                cancel()


def cancelled_by(stop_watch: StopWatch | None, cancel: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
    """`stop_watch.cancelling(cancel)`, or nothing where no stop can come."""
    return contextlib.nullcontext() if stop_watch is None else stop_watch.cancelling(cancel)
