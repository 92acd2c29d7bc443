"""Passes a stop on to a runtime, which cannot look for one while it works."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator

from wd14.stop import StopToken

#: Seconds after which a thread ends whose watch nobody has any more.
_LOOK = 1.0


class StopWatch:
    """Calls what ends a runtime's work when a stop comes: a thread waits for it, as long as this object lives."""

    def __init__(self, stop: StopToken) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._to_cancel: set[Callable[[], None]] = set()
        threading.Thread(target=_watch, args=(stop, weakref.ref(self)), name="wd14-stop-watch", daemon=True).start()

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

    def cancel_all(self) -> None:
        """Calls what is to be called when a stop has come."""
        with self._lock:
            for cancel in self._to_cancel:
                cancel()


def _watch(stop: StopToken, of: weakref.ref[StopWatch]) -> None:
    while not stop.wait(_LOOK):
        if of() is None:
            return
    if (watch := of()) is not None:
        watch.cancel_all()


def cancelled_by(stop_watch: StopWatch | None, cancel: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
    """`stop_watch.cancelling(cancel)`, or nothing where no stop can come."""
    return contextlib.nullcontext() if stop_watch is None else stop_watch.cancelling(cancel)
