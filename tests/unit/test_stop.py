"""The stop token: who asks, who notices, and what a signal does."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from wd14.errors import JobStoppedError
from wd14.stop import StopToken, stopped_by_signals, uninterrupted


def test_a_token_goes_on_until_somebody_asks_and_keeps_the_first_reason() -> None:
    stop = StopToken()
    stop.check()
    assert (stop.requested, stop.reason) == (False, None)
    stop.request("the user pressed Stop")
    stop.request("too late")
    assert (stop.requested, stop.reason) == (True, "the user pressed Stop")
    with pytest.raises(JobStoppedError, match=r"^the user pressed Stop$"):
        stop.check()


def test_a_parent_stops_its_children_and_not_the_other_way_round() -> None:
    parent = StopToken()
    first, second = StopToken(parent), StopToken(parent)
    first.request("first only")
    assert (first.requested, second.requested, parent.requested) == (True, False, False)
    parent.request("all")
    assert (first.reason, second.reason) == ("first only", "all")


def test_waiting_ends_with_the_stop_or_with_the_time() -> None:
    stop = StopToken()
    started = time.monotonic()
    assert stop.wait(0.1) is False
    assert time.monotonic() - started >= 0.1
    timer = threading.Timer(0.1, stop.request)
    timer.start()
    assert stop.wait(30) is True
    assert time.monotonic() - started < 10
    timer.join()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_asks_for_a_stop_while_the_block_lasts(name: str) -> None:
    number = signal.Signals[name]
    before = signal.signal(number, signal.default_int_handler)  # in a background shell, SIGINT is ignored
    stop = StopToken()
    try:
        with stopped_by_signals(stop):
            os.kill(os.getpid(), number)
            assert stop.wait(5)
            assert name in (stop.reason or "")
        # A stopped process that gets another SIGTERM while it ends must not look like a crashed one.
        after = signal.default_int_handler if name == "SIGINT" else signal.SIG_IGN
        assert signal.getsignal(number) is after
    finally:
        signal.signal(number, before)


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = StopToken()
    try:
        with stopped_by_signals(stop):
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.wait(5)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)  # a third one cannot cut the clearing up short
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_waits_for_what_must_not_be_left_half_done() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = False
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():  # noqa: PT012 - the end of the block raises
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done = True
        assert done
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """A job under nohup goes on when its terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = StopToken()
    try:
        with stopped_by_signals(stop):
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.wait(0.1) is False
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_cannot_take_signals_and_goes_on_without() -> None:
    entered: list[bool] = []

    def work() -> None:
        with stopped_by_signals(StopToken()):
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert entered == [True]
