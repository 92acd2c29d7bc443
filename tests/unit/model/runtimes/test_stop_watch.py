"""The thread that passes a stop on to a runtime."""

from __future__ import annotations

import threading
import time

from wd14.model.runtimes.stop_watch import StopWatch
from wd14.stop import StopToken


def threads() -> int:
    return sum(thread.name == "wd14-stop-watch" for thread in threading.enumerate())


def test_a_stop_is_passed_on_and_the_thread_of_a_closed_session_ends() -> None:
    """A program that opens sessions again and again, with one token, must not collect threads."""
    before = threads()
    stop = StopToken()
    watch, cancelled = StopWatch(stop), threading.Event()
    StopWatch(stop)
    deadline = time.monotonic() + 30
    while threads() > before + 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threads() == before + 1
    with watch.cancelling(cancelled.set):
        stop.request()
        assert cancelled.wait(30)
