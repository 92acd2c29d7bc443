"""How a job is told to stop: one token, passed to everything that may take long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wd14.errors import JobStoppedError

#: Seconds between two looks at a token while waiting on it.
_LOOK = 0.05


class StopToken:
    """Says whether a job is to stop. Any thread may ask for a stop; long work checks for it now and then.

    Args:
        parent: a token that stops this one too; stopping this one leaves the parent alone.
    """

    def __init__(self, parent: StopToken | None = None) -> None:
        self._parent = parent
        # A plain attribute and no lock: a signal handler may run while its own thread holds any lock.
        self._reason: str | None = None

    def request(self, reason: str = "stopped") -> None:
        """Asks for a stop; the first reason counts. Safe in a signal handler."""
        if self._reason is None:
            self._reason = reason

    @property
    def reason(self) -> str | None:
        """Why the job is to stop; None while it may go on."""
        if self._reason is None and self._parent is not None:
            return self._parent.reason
        return self._reason

    @property
    def requested(self) -> bool:
        """Whether the job is to stop."""
        return self.reason is not None

    def check(self) -> None:
        """Ends the caller's work when the job is to stop.

        Raises:
            JobStoppedError: with the reason.
        """
        reason = self.reason
        if reason is not None:
            raise JobStoppedError(reason)

    def wait(self, seconds: float) -> bool:
        """Waits for a stop, at most `seconds`; returns whether it was asked for."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(_LOOK, left))
        return self.requested


#: Signals that ask a process to end. (Windows has no SIGHUP and no SIGQUIT, which is Ctrl-\\.)
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))


@contextmanager
def stopped_by_signals(stop: StopToken) -> Iterator[None]:
    """Ctrl-C, SIGTERM, SIGHUP and SIGQUIT ask for a stop instead of ending the process wherever it is.

    A second Ctrl-C raises KeyboardInterrupt: whatever is waited for is waited for no longer, and what is left to do is
    to clear up. A third one is ignored, and so is a second of the other signals, until the process has ended, also
    after the block: hosts send several, and one that arrives while the interpreter shuts down would make a stopped job
    a crashed one. A signal that is ignored (SIGHUP under nohup) stays so. The other handlers are restored afterwards.
    Python delivers signals to the main thread only; in any other nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, interrupt if number == signal.SIGINT else signal.SIG_IGN)
        stop.request(f"the process was asked to end ({signal.Signals(number).name})")

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, request) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds a Ctrl-C back until the block has ended. For clearing up, which must not be left half done."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    held: list[FrameType | None] = []
    signal.signal(signal.SIGINT, lambda _, frame: held.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            before(signal.SIGINT, held[-1])
