"""The mechanics of the pipeline: order, bounds, errors and ends, under timings that try to break them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wd14.threads import BackgroundCall, Budget, Closed, Exhausted, OrderedMap


def map_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("t-")]


@given(
    delays=st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.004]), max_size=30),
    workers=st.integers(1, 4),
    window=st.integers(1, 8),
)
@settings(max_examples=30, deadline=None)
def test_results_come_in_input_order_under_any_timing(delays: list[float], workers: int, window: int) -> None:
    def work(item: tuple[int, float]) -> int:
        time.sleep(item[1])
        return item[0]

    mapped = OrderedMap(work, enumerate(delays), workers=workers, window=window, name="t-order")
    assert list(mapped) == list(range(len(delays)))
    assert mapped.close()


def test_never_more_than_the_window_is_under_way() -> None:
    taken = 0
    seen_ahead = []

    def items() -> Iterator[int]:
        for number in range(60):
            seen_ahead.append(number - taken)
            yield number

    mapped = OrderedMap(lambda item: item, items(), workers=3, window=5, name="t-window")
    for _ in range(60):
        time.sleep(random.Random(taken).choice([0, 0.001]))
        mapped.take()
        taken += 1
    # The one that the consumer has just been given may not be counted as taken yet.
    assert max(seen_ahead) <= 5
    mapped.close()


@pytest.mark.parametrize("size", [40, 150])
def test_what_is_under_way_is_bounded_by_bytes_too(size: int) -> None:
    """Bytes of items, and of results until they are taken; an item above the bound goes through alone."""
    lock = threading.Lock()
    held = most = 0

    def items() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(size)

    def work(item: bytes) -> bytes:
        nonlocal held, most
        with lock:
            held += len(item)
            most = max(most, held)
        time.sleep(0.001)
        return item

    mapped = OrderedMap(work, items(), workers=4, window=20, name="t-bytes", weigh=len, most_bytes=100)
    for _ in range(40):
        time.sleep(0.0005)
        assert len(mapped.take(timeout=10)) == size
        with lock:
            held -= size
    # The one that the consumer has just been given may not be counted as taken yet.
    assert most <= max(size, 100) + size
    assert mapped.close()


def test_closing_ends_a_feeder_that_waits_for_bytes() -> None:
    mapped = OrderedMap(lambda item: item, iter([b"12", b"34", b"56"]), workers=1, window=9, name="t-full", weigh=len)
    time.sleep(0.02)
    assert mapped.close()


def test_an_error_comes_at_its_place_and_the_rest_goes_on() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    mapped = OrderedMap(work, range(5), workers=2, window=4, name="t-error")
    results: list[object] = []
    for _ in range(5):
        try:
            results.append(mapped.take(timeout=10))
        except ValueError as error:
            results.append(str(error))
    assert results == [0, 1, "two", 3, 4]
    with pytest.raises(Exhausted):
        mapped.take(timeout=10)
    mapped.close()


def test_an_error_of_the_input_comes_after_what_it_gave() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the archive ends here")

    mapped = OrderedMap(lambda item: item, items(), workers=1, window=2, name="t-input")
    assert mapped.take(timeout=10) == 1
    with pytest.raises(OSError, match="the archive ends here"):
        mapped.take(timeout=10)
    mapped.close()


def test_a_consumer_does_not_wait_longer_than_it_wants() -> None:
    release = threading.Event()
    mapped = OrderedMap(lambda _: release.wait(10), [1], workers=1, window=1, name="t-timeout")
    with pytest.raises(TimeoutError):
        mapped.take(timeout=0.01)
    release.set()
    assert mapped.take(timeout=10) is True
    mapped.close()


def test_closing_ends_all_threads_and_the_input() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    first = OrderedMap(lambda item: item, items(), workers=2, window=4, name="t-first")
    second = OrderedMap(lambda item: item, first, workers=2, window=4, name="t-second")
    assert second.take(timeout=10) == 0
    assert first.close()
    assert second.close()
    assert closed.wait(10)
    assert map_threads() == []
    with pytest.raises(Closed):
        second.take(timeout=1)


def test_a_ctrl_c_while_the_threads_are_started_ends_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def interrupted(self: threading.Thread) -> None:
        if len(started) == 2:
            raise KeyboardInterrupt
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        OrderedMap(lambda item: item, iter(int, 1), workers=3, window=4, name="t-interrupted")
    assert len(started) == 2
    assert map_threads() == []


def test_a_call_that_is_just_being_started_can_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    call = BackgroundCall(lambda: 1, "t-interrupted")
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call.start()
    assert call.wait(0.01) is False


def test_a_hung_item_does_not_hold_up_closing() -> None:
    release = threading.Event()
    mapped = OrderedMap(lambda _: release.wait(30), [1], workers=1, window=1, name="t-hung")
    started = time.monotonic()
    assert mapped.close(timeout=0.1) is False
    assert time.monotonic() - started < 5
    release.set()


def test_budget_lets_one_large_request_through_alone() -> None:
    budget = Budget(10)
    at_once = 0
    most = 0
    lock = threading.Lock()

    def use(amount: int) -> None:
        nonlocal at_once, most
        with budget.taking(amount):
            with lock:
                at_once += min(amount, 10)
                most = max(most, at_once)
            time.sleep(0.002)
            with lock:
                at_once -= min(amount, 10)

    threads = [threading.Thread(target=use, args=(amount,)) for amount in (4, 50, 4, 4, 10, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert most <= 10


def test_a_background_call_is_made_once_and_its_error_is_kept() -> None:
    made = []
    value = BackgroundCall(lambda: made.append(1) or len(made), "t-once")  # type: ignore[func-returns-value]
    assert value.peek() is None
    assert value.wait(0.01) is False
    assert [value.result(), value.result()] == [1, 1]
    assert value.wait(0.01) is True

    def fail() -> int:
        raise ValueError("no")

    failing = BackgroundCall(fail, "t-fail")
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            failing.result()
