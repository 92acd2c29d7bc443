"""Work done ahead in threads: in order, bounded, and ended on request.

Threads and not processes: Pillow, numpy and onnxruntime let go of the GIL where they work, and nothing is copied.
The threads are daemons, so a picture on a hung network drive cannot keep a stopped job alive.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


#: Cores that this process was told to make do with; None = all that it has.
_most_cores: int | None = None


def limit_cores(most: int | None) -> None:
    """Makes this process use so many cores at most, from now on; None = all again."""
    global _most_cores  # noqa: PLW0603 - a process has one set of cores
    _most_cores = most


def available_cores() -> int:
    """Processor cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if _most_cores is None else max(1, min(cores, _most_cores))


class _Slot(Generic[R]):
    """One result that is to come."""

    __slots__ = ("error", "ready", "value", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight  # of the item, then of the result
        self.ready = False
        self.value: R | None = None
        self.error: BaseException | None = None


class Closed(Exception):  # noqa: N818 - control flow between threads
    """The map was closed while a result was waited for."""


class Exhausted(Exception):  # noqa: N818 - control flow, as StopIteration is
    """All results were taken."""


class OrderedMap(Generic[T, R]):
    """Applies `work` to the items of an iterable in threads and gives the results in the items' order.

    At most `window` items are under way: taken from the iterable and not yet taken by the consumer. An exception
    of the iterable or of `work` is raised to the consumer at that item's place. Maps can be chained.

    Args:
        work: called in one of the threads, once an item.
        items: iterated in a thread of its own.
        workers: number of threads that work; at least 1.
        window: bound on the items under way; at least `workers`.
        name: of the threads, which debuggers show.
        weigh: bytes that an item holds, or a result until it is taken; None = not worth counting.
        most_bytes: bound on these bytes, over all that is under way. An item above it waits until it is alone, and then
            goes through; what waits has been taken from the iterable already.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        items: Iterable[T],
        *,
        workers: int,
        window: int,
        name: str,
        weigh: Callable[[T | R], int] | None = None,
        most_bytes: int = 0,
    ) -> None:
        self._work = work
        self._items = items
        self._weigh = weigh
        self._most_bytes = most_bytes
        self._bytes = 0
        self._window = max(window, workers)
        # A large window is refilled half at a time: waking the feeder costs more than an item that is quick to do.
        self._refill_at = max(workers, self._window // 2) if self._window >= 8 else self._window - 1
        # One lock, and a condition for each party: a row wakes only the thread that it concerns (a re-run from
        # stored scores spends a third of its time in waking otherwise).
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)  # the feeder: there is room in the window
        self._lighter = threading.Condition(self._lock)  # the feeder: what is under way holds fewer bytes
        self._work_there = threading.Condition(self._lock)  # the workers: an item waits
        self._head_ready = threading.Condition(self._lock)  # the consumer: the first result is there
        self._todo: deque[tuple[T, _Slot[R]]] = deque()
        self._slots: deque[_Slot[R]] = deque()
        self._exhausted = False
        self._closed = False
        self._threads = [threading.Thread(target=self._feed, name=f"{name}-feed", daemon=True)]
        self._threads += [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(workers)]
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # Ctrl-C, or no more threads can be had: those that run must end
            self.close()
            raise

    def take(self, timeout: float | None = None) -> R:
        """The next result, in order.

        Raises:
            Exhausted: there are no more.
            TimeoutError: none was ready within `timeout` seconds.
            Closed: `close` was called.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while True:
                if self._closed:
                    raise Closed
                if self._slots and self._slots[0].ready:
                    slot = self._slots.popleft()
                    if slot.weight:
                        self._add_bytes(-slot.weight)
                    if len(self._slots) <= self._refill_at:
                        self._room.notify()
                    break
                if self._exhausted and not self._slots:
                    raise Exhausted
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self._head_ready.wait(left)
        if slot.error is not None:
            raise slot.error
        return slot.value  # type: ignore[return-value]  # ready and without an error: it is an R

    def __iter__(self) -> Iterator[R]:
        while True:
            try:
                result = self.take()
            except (Exhausted, Closed):
                return
            yield result

    def close(self, timeout: float = 2.0) -> bool:
        """Ends the threads: what is queued is dropped, what runs is waited for.

        Returns:
            Whether all threads ended within `timeout` seconds; one that hangs in a read is left behind.
        """
        with self._lock:
            self._closed = True
            self._todo.clear()
            self._slots.clear()
            self._wake_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _feed(self) -> None:
        """Takes items as long as there is room in the window."""
        error: BaseException | None = None
        items: Iterator[T] | None = None
        try:
            items = iter(self._items)
            while self._wait_for_room():
                try:
                    item = next(items)
                except StopIteration:
                    break
                slot = _Slot[R](0 if self._weigh is None else self._weigh(item))
                with self._lock:
                    if slot.weight:
                        self._wait_until_it_fits(slot.weight)
                        self._bytes += slot.weight
                    self._slots.append(slot)
                    self._todo.append((item, slot))
                    self._work_there.notify()
        except BaseException as problem:  # noqa: BLE001 - handed to the consumer, at its place
            error = problem
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                with contextlib.suppress(Closed):
                    close()
        with self._lock:
            if error is not None:
                last = _Slot[R](0)
                last.error, last.ready = error, True
                self._slots.append(last)
            self._exhausted = True
            self._wake_all()

    def _wait_for_room(self) -> bool:
        with self._lock:
            if len(self._slots) >= self._window:
                self._room.wait_for(lambda: self._closed or len(self._slots) <= self._refill_at)
            return not self._closed

    def _wait_until_it_fits(self, weight: int) -> None:
        self._lighter.wait_for(lambda: self._closed or self._bytes == 0 or self._bytes + weight <= self._most_bytes)

    def _add_bytes(self, number: int) -> None:
        self._bytes += number
        self._lighter.notify()

    def _wake_all(self) -> None:
        for condition in (self._room, self._lighter, self._work_there, self._head_ready):
            condition.notify_all()

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._work_there.wait_for(lambda: self._closed or self._todo or self._exhausted)
                if self._closed or not self._todo:
                    return
                item, slot = self._todo.popleft()
            try:
                slot.value = self._work(item)
            except BaseException as error:  # noqa: BLE001 - handed to the consumer, at its place
                slot.error = error
            del item  # a thread that waits must not keep a picture alive
            held = 0 if self._weigh is None or slot.value is None else self._weigh(slot.value)
            with self._lock:
                if held != slot.weight:
                    self._add_bytes(held - slot.weight)
                    slot.weight = held
                slot.ready = True
                if self._slots and self._slots[0] is slot:
                    self._head_ready.notify()


class Budget:
    """A bound on something that threads use together, such as pixels being decoded.

    A request above the whole budget waits until it is alone, and then goes through.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._state = threading.Condition()

    @contextlib.contextmanager
    def taking(self, amount: int) -> Iterator[None]:
        """Holds `amount` of the budget, waiting for it if need be."""
        amount = min(amount, self._total)
        with self._state:
            self._state.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._state:
                self._free += amount
                self._state.notify_all()


class BackgroundCall(Generic[R]):
    """Calls a function once, in a thread, when it is started or its result is asked for."""

    def __init__(self, make: Callable[[], R], name: str) -> None:
        self._make = make
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._done = threading.Event()  # and not the thread's end: one that is just being started cannot be joined
        self._value: R | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begins, unless it has begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Whether it is made (or has failed) within `timeout` seconds; not waited for where it has not begun."""
        return self._thread is not None and self._done.wait(timeout)

    def result(self) -> R:
        """The value, as soon as it is there; starts the making if need be. Raises what the making raised."""
        self.start()
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # no error: it is an R

    def peek(self) -> R | None:
        """The value if it is there, without waiting."""
        return self._value

    def forget(self) -> None:
        """Lets go of the value, so that what it holds is free at once; the result is not to be asked for again."""
        self._value = None

    def _run(self) -> None:
        try:
            self._value = self._make()
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error
        finally:
            self._done.set()
